package batch

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

var noon = time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC)

func samples(n int) []district.Sample {
	out := make([]district.Sample, n)
	for i := range out {
		out[i] = district.Sample{Series: district.NewSeriesID("fontaine", "école", "pv", []string{"power_kw", "export_kwh"}[i%2]),
			Time: noon.Add(time.Duration(i/2) * time.Second), Value: float64(i) / 7, Quality: district.Quality(i % 4), Source: district.Source(i % 5)}
	}
	return out
}

// every returns one batch of each kind.
func every(t testing.TB) []*Batch {
	t.Helper()
	s, err := NewSamples(samples(100))
	if err != nil {
		t.Fatal(err)
	}
	return []*Batch{
		{Seq: 1, Kind: OfSamples, Samples: s},
		{Seq: 2, Kind: OfBalances, Balances: []balance.Row{{District: "fontaine", Site: "_", Start: noon, Step: 15 * time.Minute, ImportWh: 12, ResidualWh: -3}}},
		{Seq: 3, Kind: OfPlans, Plans: []*district.Plan{{ID: 7, District: "fontaine", CreatedAt: noon, ImportKW: []float64{1, 2.5}}}},
		{Seq: 4, Kind: OfSetpoints, Setpoints: []Setpoint{{ID: 9, Setpoint: district.Setpoint{Time: noon, District: "fontaine", Reason: "soleil élevé"}}}},
		{Seq: 5, Kind: OfEvents, Events: []store.Event{{ID: 4, Time: noon, Kind: store.AuditEvent, Actor: "Zoé"}}},
		{Seq: 9, Kind: OfFigures, Figures: []ledger.Figure{ledger.Figure{District: "fontaine", Subject: "_", Kind: "import_wh", Period: timegrid.NewSpan(noon, noon.Add(time.Hour)), Value: 1.5, Unit: "Wh", Method: "balance", MethodVersion: "1", CreatedAt: noon, Version: 1}.Sealed()}},
		{Seq: 9, Kind: OfForecasts, Forecasts: []district.ForecastError{{District: "fontaine", Site: "_", Quantity: district.ForecastNet, Day: noon, LeadMinutes: 60, Replayed: true, Count: 3, Absolute: 1.5}}},
		{Seq: 10, Kind: OfOrders, Orders: []order.Order{{ID: "a1", District: "fontaine", Kind: order.Quiet, From: "22:00", To: "06:00", Reason: "voisins", Created: noon, Start: noon}}},
		{Seq: 11, Kind: OfOutlooks, Outlooks: []district.Outlook{{District: "fontaine", At: noon, Body: []byte{0, 255, 7}}}},
		{Seq: 9, Kind: OfCarriers, Carriers: []balance.CarrierRow{{District: "fontaine", Site: "_", Carrier: balance.Heat, Start: noon, Step: time.Hour, DeliveredWh: 7, Method: balance.Missing}}},
		{Seq: 1 << 60, Kind: OfUsers, Users: []User{{User: store.User{Name: "zoé", Role: store.Viewer, CreatedAt: noon}, PasswordHash: "$argon2id$x"}}},
	}
}

// TestRoundTrip: what is packed comes back as it was, the password hash of a user included.
func TestRoundTrip(t *testing.T) {
	for _, b := range every(t) {
		data, err := Encode(b)
		if err != nil {
			t.Fatalf("pack %v: %v", b.Kind, err)
		}
		got, err := Decode(data)
		if err != nil {
			t.Fatalf("unpack %v: %v", b.Kind, err)
		}
		if !reflect.DeepEqual(got, b) {
			t.Errorf("%v came back as\n%+v, want\n%+v", b.Kind, got, b)
		}
		if from, to := got.Span(); b.Kind != OfUsers && (!from.Equal(noon) || to.Before(from)) {
			t.Errorf("%v: times from %v to %v, want from %v", b.Kind, from, to, noon)
		}
	}
}

// TestDamageIsFound: cut, zeroed and flipped anywhere, a batch never decodes.
func TestDamageIsFound(t *testing.T) {
	for _, b := range every(t) {
		data, err := Encode(b)
		if err != nil {
			t.Fatal(err)
		}
		refuse := func(how string, at int, bad []byte) {
			if got, err := Decode(bad); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("%v %s at byte %d of %d decodes to %+v, %v", b.Kind, how, at, len(data), got, err)
			}
		}
		for i := range data {
			refuse("cut", i, data[:i])
			flipped := bytes.Clone(data)
			flipped[i] ^= 1 << (i % 8)
			refuse("flipped", i, flipped)
			zeroed := bytes.Clone(data)
			clear(zeroed[i:])
			if !bytes.Equal(zeroed, data) {
				refuse("zeroed", i, zeroed)
			}
		}
	}
}

// TestPackedSize: a sample of an outbox takes at most 16 bytes, or a week without the database would not fit.
func TestPackedSize(t *testing.T) {
	s, err := NewSamples(samples(10000))
	if err != nil {
		t.Fatal(err)
	}
	data, err := Encode(&Batch{Kind: OfSamples, Samples: s})
	if err != nil {
		t.Fatal(err)
	}
	if per := float64(len(data)) / 10000; per > 16 {
		t.Errorf("a packed sample takes %.1f bytes, want at most 16", per)
	}
}

// TestNewSamples: rows come out sorted and without duplicates, the last written stays; one fault each is named.
func TestNewSamples(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 60).Draw(t, "n")
		in := make([]district.Sample, n)
		want := map[district.SeriesID]map[int64]float64{}
		for i := range in {
			in[i] = district.Sample{Series: district.SeriesID("d/s/x/" + rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "series")),
				Time: noon.Add(time.Duration(rapid.IntRange(-5, 5).Draw(t, "at")) * 500 * time.Nanosecond), Value: float64(i)}
			if want[in[i].Series] == nil {
				want[in[i].Series] = map[int64]float64{}
			}
			want[in[i].Series][in[i].Time.UnixMicro()] = float64(i)
		}
		got, err := NewSamples(in)
		if err != nil {
			t.Fatal(err)
		}
		total := 0
		for _, m := range want {
			total += len(m)
		}
		if len(got.Rows) != total {
			t.Fatalf("%d rows, want %d", len(got.Rows), total)
		}
		for i, r := range got.Rows {
			s := got.Sample(i)
			if want[s.Series][r.Micro] != s.Value {
				t.Fatalf("%s at %v is %v, want the last written %v", s.Series, s.Time, s.Value, want[s.Series][r.Micro])
			}
			if i > 0 && (got.Rows[i-1].Series > r.Series || got.Rows[i-1].Series == r.Series && got.Rows[i-1].Micro >= r.Micro) {
				t.Fatalf("rows %d and %d are not in order", i-1, i)
			}
		}
	})

	bad := []district.Sample{
		{Series: "fontaine/ecole/pv", Time: noon}, {Series: "d/s/x/nan", Time: noon, Value: math.NaN()}, {Series: "d/s/x/inf", Time: noon, Value: math.Inf(-1)},
		{Series: "d/s/x/never"}, {Series: "d/s/x/\x00", Time: noon}, {Series: "d/s/x/\xff", Time: noon}, {Series: "d/s/x/quality", Time: noon, Quality: 9},
	}
	_, err := NewSamples(bad)
	if !errors.Is(err, store.ErrInvalid) {
		t.Fatalf("bad samples give %v, want an invalid one", err)
	}
	for _, word := range []string{`"fontaine/ecole/pv"`, "d/s/x/nan", "NaN", "d/s/x/inf", "-Inf", "d/s/x/never", `\x00`, `\xff`, "quality 9", "2026-03-29T12:00:00Z"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error does not name %s: %v", word, err)
		}
	}
}

// FuzzDecode: no bytes crash the decoder or make it take memory beyond its input, and what decodes packs to the same rows.
func FuzzDecode(f *testing.F) {
	for _, b := range every(f) {
		data, err := Encode(b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[:len(data)-crcSize])
	}
	f.Add([]byte("QTB1\x01\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, body []byte) {
		// the right checksum, or the fuzzer would never come past it
		data := binary.LittleEndian.AppendUint32(bytes.Clone(body), crc32.Checksum(body, castagnoli))
		b, err := Decode(data)
		if err != nil {
			if !errors.Is(err, ErrCorrupt) {
				t.Fatalf("error %v does not match ErrCorrupt", err)
			}
			return
		}
		again, err := Encode(b)
		if err != nil {
			t.Fatalf("what was unpacked does not pack: %v", err)
		}
		back, err := Decode(again)
		if err != nil || back.Len() != b.Len() {
			t.Fatalf("packed again it gives %v, %v", back, err)
		}
	})
}
