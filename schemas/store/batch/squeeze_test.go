package batch

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/json"
	"errors"
	"hash/crc32"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/district"
)

// TestPlansOfBefore: plans that were packed as JSON are read as those that are compressed.
func TestPlansOfBefore(t *testing.T) {
	const payload = `[{"id":7,"district":"fontaine","created_at":"2026-01-15T12:00:00Z","import_kw":[1,2.5],"foreseen":[{"site":"_","quantity":"net","mean":[1],"low":[0],"median":[1],"high":[2]}]}]`
	packed := append([]byte(magic), byte(OfPlans))
	packed = binary.LittleEndian.AppendUint64(packed, 9)
	packed = binary.LittleEndian.AppendUint32(packed, 1)
	packed = append(packed, payload...)
	packed = binary.LittleEndian.AppendUint32(packed, crc32.Checksum(packed, castagnoli))
	b, err := Decode(packed)
	if err != nil {
		t.Fatal(err)
	}
	if p := b.Plans[0]; p.ID != 7 || p.District != "fontaine" || !p.CreatedAt.Equal(time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)) || p.ImportKW[1] != 2.5 || p.Foreseen[0].High[0] != 2 {
		t.Errorf("got %+v", p)
	}
}

// TestPackedPlans: a plan of a day and a half takes less than half of its JSON.
func TestPackedPlans(t *testing.T) {
	p := &district.Plan{District: "fontaine", CreatedAt: noon}
	for i := range 40 {
		f := district.Foreseen{Site: "ecole", Quantity: district.ForecastLoad}
		for k := range 144 {
			f.Mean = append(f.Mean, float64((k*k*(i+3))%997)/100)
		}
		p.Foreseen = append(p.Foreseen, f)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	data, err := Encode(&Batch{Kind: OfPlans, Plans: []*district.Plan{p}})
	if err != nil {
		t.Fatal(err)
	}
	if 2*len(data) > len(text) {
		t.Errorf("a plan of %d bytes takes %d in the outbox", len(text), len(data))
	}
}

// TestSqueeze: what is squeezed behind other bytes comes back, JSON is its own text, and what is damaged, or expands beyond all measure, is an error.
func TestSqueeze(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		before, text := rapid.SliceOf(rapid.Byte()).Draw(t, "before"), rapid.SliceOf(rapid.Byte()).Draw(t, "text")
		out := Squeeze(bytes.Clone(before), text)
		if !bytes.HasPrefix(out, before) || !Squeezed(out[len(before):]) {
			t.Fatalf("%x behind %x", out, before)
		}
		if got, err := Text(out[len(before):]); err != nil || !bytes.Equal(got, text) {
			t.Fatalf("%x came back as %x, %v", text, got, err)
		}
		cut := out[len(before) : len(out)-1-rapid.IntRange(0, len(out)-len(before)-2).Draw(t, "cut")]
		if got, err := Text(cut); err == nil {
			t.Fatalf("cut to %d bytes it gives %x", len(cut), got)
		}
	})
	for _, text := range []string{"", "{}", `{"district":"x"}`, "[]", "null"} {
		if got, err := Text([]byte(text)); err != nil || string(got) != text {
			t.Errorf("%q became %q, %v", text, got, err)
		}
	}
	wrong := Squeeze(nil, []byte(strings.Repeat("quartier ", 9)))
	wrong[len(wrong)-1] ^= 1
	if _, err := Text(wrong); !errors.Is(err, zlib.ErrChecksum) {
		t.Errorf("a wrong checksum gave %v", err)
	}
	if _, err := Text(Squeeze(nil, make([]byte, maxSqueezed+1))); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Errorf("%d bytes of text gave %v", maxSqueezed+1, err)
	}
}
