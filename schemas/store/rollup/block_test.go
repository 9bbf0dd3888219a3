package rollup

import (
	"bytes"
	"errors"
	"math"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"quartier/schemas/district"
)

// TestBlockRoundTrip: what is packed is unpacked to the bit.
func TestBlockRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		level := rapid.SampledFrom([]Level{Minutes, Quarters}).Draw(t, "level")
		b := Block{Series: power, Level: level, Start: level.Length() * rapid.Int64Range(-1000, 500_000).Draw(t, "start")}
		value := rapid.OneOf(rapid.SampledFrom([]float64{0, -1, 2.5, math.Copysign(0, -1)}), rapid.Float64Range(-1e9, 1e9))
		if rapid.Bool().Draw(t, "decimal") {
			value = rapid.Map(rapid.Int32(), func(n int32) float64 { return float64(n) / 1000 })
		}
		for slot := b.Start; slot < b.Start+level.Length(); slot += level.width() {
			if rapid.IntRange(0, 3).Draw(t, "there") == 0 {
				continue
			}
			c := Cell{Slot: slot, Samples: rapid.Int64Range(0, 2000).Draw(t, "samples"), Bad: rapid.Int64Range(0, 2).Draw(t, "bad"), Worst: district.Quality(rapid.IntRange(0, 3).Draw(t, "worst")),
				Held: rapid.SampledFrom([]int64{0, 1, level.width(), level.width() / 3}).Draw(t, "held"), Last: value.Draw(t, "last")}
			c.Min, c.Max = c.Last, c.Last
			if rapid.Bool().Draw(t, "varies") {
				c.Min, c.Max = value.Draw(t, "min"), value.Draw(t, "max")
			}
			c.Sum = c.Last * (float64(c.Held) / float64(hourUS))
			if rapid.Bool().Draw(t, "sums") {
				c.Sum = value.Draw(t, "sum")
			}
			b.Cells = append(b.Cells, c)
		}
		got := Block{Series: power, Level: level, Start: b.Start}
		if err := Decode(&got, Encode(&b)); err != nil {
			t.Fatal(err)
		}
		// zero and minus zero differ in their bits alone
		if !reflect.DeepEqual(got, b) || !bytes.Equal(Encode(&got), Encode(&b)) {
			t.Fatalf("got %+v\nwant %+v", got, b)
		}
	})
}

// FuzzDecode: foreign bytes never decode to a block that packs to other bytes than they are, and never panic.
func FuzzDecode(f *testing.F) {
	b := Block{Series: power, Level: Minutes, Start: hourUS, Cells: []Cell{{Slot: hourUS, Samples: 6, Held: minuteUS, Sum: 0.1, Min: 1, Max: 3, Last: 2}, {Slot: hourUS + 2*minuteUS, Bad: 1, Worst: district.Bad}}}
	f.Add(Encode(&b), true)
	b.Level, b.Start = Quarters, 0
	f.Add(Encode(&b), false)
	f.Add(EncodeMarks(Marks{3: {{0, 1}}, 4: {{-5, 7}, {1 << 40, 1 << 41}}}), false)
	f.Fuzz(func(t *testing.T, data []byte, minutes bool) {
		got := Block{Level: Quarters}
		if minutes {
			got = Block{Level: Minutes, Start: hourUS}
		}
		if err := Decode(&got, data); err != nil && !errors.Is(err, ErrCorrupt) {
			t.Errorf("error %v does not match ErrCorrupt", err)
		} else if err == nil {
			again := Block{Level: got.Level, Start: got.Start}
			if err := Decode(&again, Encode(&got)); err != nil || len(again.Cells) != len(got.Cells) {
				t.Errorf("a block that decodes does not come back: %v", err)
			}
		}
		m, err := DecodeMarks(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("error %v does not match ErrCorrupt", err)
			}
			return
		}
		once := EncodeMarks(m)
		if m, err = DecodeMarks(once); err != nil || !bytes.Equal(EncodeMarks(m), once) {
			t.Errorf("marks that decode do not come back: %v", err)
		}
	})
}

// TestMarksSize: a write of the newest sample of many series costs three bytes each.
func TestMarksSize(t *testing.T) {
	m := Marks{}
	for id := range int64(10_000) {
		m.Note(id+1, Range{micro(t0), micro(t0)})
	}
	if n := len(EncodeMarks(m)); n > 3*10_000+16 {
		t.Errorf("marks of 10,000 series take %d bytes", n)
	}
}
