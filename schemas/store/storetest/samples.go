package storetest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

func samplesRoundTrip(t *testing.T, s store.Store) {
	must(t, s.Append(t.Context(), nil)) // nothing to do is no error
	in := []district.Sample{
		{Series: meter, Time: t0.Add(time.Minute), Value: 12345.678, Quality: district.Uncertain, Source: district.FromImport},
		{Series: pv, Time: t0.Add(time.Minute), Value: -3.25},
		{Series: pv, Time: t0, Value: math.SmallestNonzeroFloat64, Quality: district.Substituted, Source: district.Computed},
		{Series: meter, Time: t0, Value: -math.MaxFloat64, Quality: district.Bad, Source: district.FromHistory},
		{Series: pv, Time: t0.Add(-time.Hour), Value: 1.0 / 3, Source: district.FromSignal},
		{Series: meter, Time: time.Date(1969, 7, 20, 20, 17, 40, 0, time.UTC), Value: 1}, // before the epoch
	}
	must(t, s.Append(t.Context(), in))
	all := timegrid.Span{Start: time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)}
	equalSamples(t, read(t, s, all, pv, meter), []district.Sample{in[4], in[2], in[1], in[5], in[3], in[0]})
	equalSamples(t, read(t, s, all, meter, pv), []district.Sample{in[5], in[3], in[0], in[4], in[2], in[1]})
	equalSamples(t, read(t, s, all, "fontaine/ecole/pv/never_kw", pv), []district.Sample{in[4], in[2], in[1]})
	equalSamples(t, read(t, s, all), nil)
	equalSamples(t, read(t, s, timegrid.Span{Start: t0, End: t0}, pv), nil)
}

func samplesHalfOpen(t *testing.T, s store.Store) {
	var in []district.Sample
	for i := range 10 {
		in = append(in, sample(pv, t0.Add(time.Duration(i)*time.Minute), float64(i)))
	}
	must(t, s.Append(t.Context(), in))
	equalSamples(t, read(t, s, timegrid.Span{Start: t0.Add(2 * time.Minute), End: t0.Add(5 * time.Minute)}, pv), in[2:5])
	equalSamples(t, read(t, s, timegrid.Span{Start: t0.Add(2*time.Minute - 1), End: t0.Add(5*time.Minute + 1)}, pv), in[2:6])
	equalSamples(t, read(t, s, timegrid.Span{Start: t0.Add(2*time.Minute + 1), End: t0.Add(5*time.Minute - 1)}, pv), in[3:5])
	// spans that join read every sample once
	var joined []district.Sample
	for i := range 5 {
		joined = append(joined, read(t, s, span(t0.Add(time.Duration(i)*2*time.Minute), 2*time.Minute), pv)...)
	}
	equalSamples(t, joined, in)
	// the span may be given in any zone
	cet := time.FixedZone("", 3600)
	equalSamples(t, read(t, s, timegrid.Span{Start: t0.In(cet), End: t0.Add(time.Minute).In(cet)}, pv), in[:1])
}

func samplesCorrected(t *testing.T, s store.Store) {
	a, b, c := sample(pv, t0, 1), sample(pv, t0.Add(time.Minute), 2), sample(pv, t0.Add(2*time.Minute), 3)
	must(t, s.Append(t.Context(), []district.Sample{b, c}))
	must(t, s.Append(t.Context(), []district.Sample{a}))          // late
	must(t, s.Append(t.Context(), []district.Sample{a, b, c}))    // all again
	must(t, s.Append(t.Context(), []district.Sample{c, c, b, c})) // and several times in one call
	equalSamples(t, read(t, s, span(t0, time.Hour), pv), []district.Sample{a, b, c})
	b2 := b
	b2.Value, b2.Quality, b2.Source = 2.5, district.Substituted, district.Computed
	must(t, s.Append(t.Context(), []district.Sample{b2}))
	equalSamples(t, read(t, s, span(t0, time.Hour), pv), []district.Sample{a, b2, c})
	b3 := b2
	b3.Quality = district.Good // only the quality
	must(t, s.Append(t.Context(), []district.Sample{b3}))
	equalSamples(t, read(t, s, span(t0, time.Hour), pv), []district.Sample{a, b3, c})
	// within one call the later one stays, whatever zone its time is in
	paris := time.FixedZone("", 7200)
	must(t, s.Append(t.Context(), []district.Sample{sample(pv, b.Time, 7), sample(meter, b.Time, 1), sample(pv, b.Time.In(paris), 8)}))
	equalSamples(t, read(t, s, span(t0, time.Hour), pv), []district.Sample{a, sample(pv, b.Time, 8), c})
	equalSamples(t, read(t, s, span(t0, time.Hour), meter), []district.Sample{sample(meter, b.Time, 1)})
}

// samplesModel writes random batches, with late ones, duplicates and corrections, and compares with what a map would hold.
func samplesModel(t *testing.T, s store.Store) {
	rng := rand.New(rand.NewPCG(1, 1))
	type key struct {
		series district.SeriesID
		at     time.Time
	}
	want := map[key]district.Sample{}
	names := []district.SeriesID{pv, meter, tank}
	for range 40 {
		in := make([]district.Sample, rng.IntN(200))
		for i := range in {
			in[i] = district.Sample{Series: names[rng.IntN(3)], Time: t0.Add(time.Duration(rng.IntN(500)) * time.Second), Value: float64(rng.IntN(50)),
				Quality: district.Quality(rng.IntN(4)), Source: district.Source(rng.IntN(5))}
			want[key{in[i].Series, in[i].Time}] = in[i]
		}
		must(t, s.Append(t.Context(), in))
	}
	for range 20 {
		sp := span(t0.Add(time.Duration(rng.IntN(500))*time.Second), time.Duration(rng.IntN(300))*time.Second)
		var exp []district.Sample
		for _, name := range names {
			part := slices.DeleteFunc(slices.Collect(maps.Values(want)), func(x district.Sample) bool { return x.Series != name || !sp.Contains(x.Time) })
			slices.SortFunc(part, func(a, b district.Sample) int { return a.Time.Compare(b.Time) })
			exp = append(exp, part...)
		}
		equalSamples(t, read(t, s, sp, names...), exp)
	}
}

func samplesRefused(t *testing.T, s store.Store) {
	good := sample(pv, t0, 1)
	for _, tt := range []struct {
		name  string
		bad   district.Sample
		words []string
	}{
		{"not a number", sample("fontaine/ecole/pv/bad_kw", t0, math.NaN()), []string{"fontaine/ecole/pv/bad_kw", "NaN", "2026-01-14T23:00:00Z"}},
		{"infinite", sample("fontaine/ecole/pv/bad_kw", t0, math.Inf(1)), []string{"fontaine/ecole/pv/bad_kw", "+Inf"}},
		{"three parts", sample("fontaine/ecole/pv", t0, 1), []string{`"fontaine/ecole/pv"`, "district/site/device/quantity"}},
		{"empty part", sample("fontaine//pv/power_kw", t0, 1), []string{`"fontaine//pv/power_kw"`}},
		{"no series", sample("", t0, 1), []string{`""`}},
		{"zero byte", sample("fontaine/ecole/pv/a\x00b", t0, 1), []string{`a\x00b`}},
		{"not UTF-8", sample("fontaine/ecole/pv/\xff", t0, 1), []string{`\xff`}},
		{"no time", sample(pv, time.Time{}, 1), []string{string(pv), "year 1"}},
		{"far time", sample(pv, time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC), 1), []string{string(pv), "9999"}},
		{"unknown quality", district.Sample{Series: pv, Time: t0, Quality: 7}, []string{string(pv), "quality 7"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := s.Append(t.Context(), []district.Sample{good, tt.bad, sample(meter, t0, 2)})
			wantIs(t, err, store.ErrInvalid)
			for _, w := range tt.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not name %s", err, w)
				}
			}
			if got := read(t, s, span(t0.Add(-time.Hour), 2*time.Hour), pv, meter); len(got) != 0 {
				t.Errorf("the refused append wrote %s", list(got))
			}
		})
	}
	err := s.Append(t.Context(), []district.Sample{sample("a", t0, 1), good, sample("b/c", t0, 1)})
	if err == nil || !strings.Contains(err.Error(), `"a"`) || !strings.Contains(err.Error(), `"b/c"`) {
		t.Errorf("error %v does not name both faults", err)
	}
}

// samplesClockChange reads the civil days on which the clocks change, and the repeated hour of October.
func samplesClockChange(t *testing.T, s store.Store) {
	paris, err := time.LoadLocation("Europe/Paris")
	must(t, err)
	for _, tt := range []struct {
		day      string
		quarters int
	}{{"2026-03-29", 92}, {"2026-10-25", 100}, {"2026-07-15", 96}} {
		day, err := timegrid.ParseDay(tt.day, paris)
		must(t, err)
		var in []district.Sample
		for at := day.Start.Add(-2 * time.Hour); at.Before(day.End.Add(2 * time.Hour)); at = at.Add(15 * time.Minute) {
			in = append(in, sample(pv, at.In(paris), float64(len(in)))) // written by local time
		}
		must(t, s.Append(t.Context(), in))
		got := read(t, s, day, pv)
		if len(got) != tt.quarters {
			t.Errorf("%s holds %d quarter-hours, want %d", tt.day, len(got), tt.quarters)
		}
		for i := 1; i < len(got); i++ {
			if d := got[i].Time.Sub(got[i-1].Time); d != 15*time.Minute {
				t.Fatalf("%s: %v between quarter-hours %d and %d", tt.day, d, i-1, i)
			}
		}
	}
	// both hours that the clock of 25 October calls 02:00
	for i := range 2 {
		at := time.Date(2026, 10, 25, i, 0, 0, 0, time.UTC)
		if got := read(t, s, span(at, time.Hour), pv); len(got) != 4 {
			t.Errorf("the hour from %v holds %d quarter-hours, want 4", at, len(got))
		}
	}
}

func samplesLatest(t *testing.T, s store.Store) {
	must(t, s.Append(t.Context(), []district.Sample{sample(pv, t0, 1), sample(pv, t0.Add(time.Hour), 2), sample(meter, t0.Add(30*time.Minute), 3),
		sample(tank, t0.Add(-300*24*time.Hour), 4)}))
	names := []district.SeriesID{pv, meter, tank, "fontaine/ecole/pv/never_kw"}
	for _, tt := range []struct {
		name string
		asOf time.Time
		want map[district.SeriesID]float64
	}{
		{"after all", t0.Add(100 * time.Hour), map[district.SeriesID]float64{pv: 2, meter: 3, tank: 4}},
		{"at the instant", t0.Add(time.Hour), map[district.SeriesID]float64{pv: 2, meter: 3, tank: 4}},
		{"just before", t0.Add(time.Hour - time.Microsecond), map[district.SeriesID]float64{pv: 1, meter: 3, tank: 4}},
		{"at the first", t0, map[district.SeriesID]float64{pv: 1, tank: 4}},
		{"before all", t0.Add(-400 * 24 * time.Hour), map[district.SeriesID]float64{}},
	} {
		got, err := s.Latest(t.Context(), names, tt.asOf)
		must(t, err)
		if got == nil || len(got) != len(tt.want) {
			t.Fatalf("%s: %v, want %v", tt.name, got, tt.want)
		}
		for name, v := range tt.want {
			if got[name].Value != v || got[name].Series != name {
				t.Errorf("%s: %s is %s, want %v", tt.name, name, show(got[name]), v)
			}
		}
	}
}

func seriesByPrefix(t *testing.T, s store.Store) {
	got, err := s.Series(t.Context(), "")
	must(t, err)
	if len(got) != 0 {
		t.Fatalf("an empty store has series %v", got)
	}
	var in []district.Sample
	names := []district.SeriesID{"b/s/d/q", "a/s/d/q", "a/s%/d/q", "a/sx/d/q", "A/s/d/q", "aé/s/d/q", "a/s_/d/q"}
	for _, n := range names {
		in = append(in, sample(n, t0, 1))
	}
	must(t, s.Append(t.Context(), in))
	for prefix, want := range map[string][]district.SeriesID{
		"":      {"A/s/d/q", "a/s%/d/q", "a/s/d/q", "a/s_/d/q", "a/sx/d/q", "aé/s/d/q", "b/s/d/q"},
		"a/s":   {"a/s%/d/q", "a/s/d/q", "a/s_/d/q", "a/sx/d/q"},
		"a/s%":  {"a/s%/d/q"},
		"a/s_":  {"a/s_/d/q"},
		"aé":    {"aé/s/d/q"},
		"A":     {"A/s/d/q"},
		"z":     {},
		"a/s/d": {"a/s/d/q"},
	} {
		got, err := s.Series(t.Context(), prefix)
		must(t, err)
		if !slices.Equal(got, want) {
			t.Errorf("series with prefix %q: %v, want %v", prefix, got, want)
		}
	}
}

func samplesUnicode(t *testing.T, s store.Store) {
	var in []district.Sample
	for i, n := range []string{"école", "Écluse", "日本", "дом", "🏠", "o'brien\"; drop table samples;--", "a b", "ﬁ", "e\u0301cole", "back\\slash", "{1,2}", "null"} {
		in = append(in, sample(district.NewSeriesID("fontaine", n, "pv", "power_kw"), t0, float64(i)))
	}
	must(t, s.Append(t.Context(), in))
	for _, x := range in {
		equalSamples(t, read(t, s, span(t0, time.Second), x.Series), []district.Sample{x})
	}
	latest, err := s.Latest(t.Context(), []district.SeriesID{in[0].Series, in[5].Series, in[10].Series}, t0)
	must(t, err)
	if len(latest) != 3 {
		t.Errorf("latest of three series with special names: %v", latest)
	}
}

func samplesMicrosecond(t *testing.T, s store.Store) {
	must(t, s.Append(t.Context(), []district.Sample{sample(pv, t0.Add(1999*time.Nanosecond), 1), sample(pv, t0.Add(2000*time.Nanosecond), 2)}))
	equalSamples(t, read(t, s, span(t0, time.Second), pv),
		[]district.Sample{sample(pv, t0.Add(time.Microsecond), 1), sample(pv, t0.Add(2*time.Microsecond), 2)})
	must(t, s.Append(t.Context(), []district.Sample{sample(pv, t0.Add(1*time.Microsecond+1), 3)})) // the same instant for a store
	equalSamples(t, read(t, s, span(t0, 2*time.Microsecond), pv), []district.Sample{sample(pv, t0.Add(time.Microsecond), 3)})
	early := time.Date(1965, 1, 1, 0, 0, 0, 999, time.UTC)
	must(t, s.Append(t.Context(), []district.Sample{sample(meter, early, 1)}))
	equalSamples(t, read(t, s, span(early.Add(-time.Second), 2*time.Second), meter), []district.Sample{sample(meter, early.Add(-999), 1)})
}

func samplesMany(t *testing.T, s store.Store) {
	const series, each = 50, 1000
	in := make([]district.Sample, 0, series*each)
	for i := range each {
		for n := range series { // as they come from devices: by time, then series
			in = append(in, sample(district.SeriesID(fmt.Sprintf("fontaine/site%02d/meter/power_kw", n)), t0.Add(time.Duration(i)*5*time.Minute), float64(i*series+n)))
		}
	}
	must(t, s.Append(t.Context(), in))
	must(t, s.Append(t.Context(), in[:5000])) // a part again
	for n := range series {
		got := read(t, s, span(t0, each*5*time.Minute), in[n].Series)
		if len(got) != each {
			t.Fatalf("series %s has %d samples, want %d", in[n].Series, len(got), each)
		}
		for i, x := range got {
			if x.Value != float64(i*series+n) {
				t.Fatalf("sample %d of %s is %v, want %v", i, x.Series, x.Value, i*series+n)
			}
		}
	}
	st, err := s.Stats(t.Context())
	must(t, err)
	if st.Bytes <= 0 {
		t.Errorf("stats say %d bytes for %d samples", st.Bytes, len(in))
	}
	// a long series comes back whole, across whatever pages a store reads it by
	long := make([]district.Sample, 10000)
	for i := range long {
		long[i] = sample(tank, t0.Add(time.Duration(i)*time.Second), float64(i))
	}
	must(t, s.Append(t.Context(), long))
	equalSamples(t, read(t, s, span(t0, 24*time.Hour), tank, pv), long)
}

func readStops(t *testing.T, s store.Store) {
	must(t, s.Append(t.Context(), []district.Sample{sample(pv, t0, 1), sample(pv, t0.Add(1), 2), sample(pv, t0.Add(time.Second), 3), sample(meter, t0, 4)}))
	stop := errors.New("enough")
	n := 0
	err := s.Read(t.Context(), []district.SeriesID{pv, meter}, span(t0, time.Hour), func(district.Sample) error {
		n++
		return stop
	})
	wantIs(t, err, stop)
	if n != 1 {
		t.Errorf("yield was called %d times after it returned an error, want 1", n)
	}
}

func readReenters(t *testing.T, s store.Store) {
	in := make([]district.Sample, 50)
	for i := range in {
		in[i] = sample(pv, t0.Add(time.Duration(i)*time.Second), float64(i))
	}
	must(t, s.Append(t.Context(), in))
	must(t, s.Read(t.Context(), []district.SeriesID{pv}, span(t0, time.Hour), func(x district.Sample) error {
		if err := s.Append(t.Context(), []district.Sample{sample(meter, x.Time, x.Value)}); err != nil {
			return err
		}
		return s.Read(t.Context(), []district.SeriesID{meter}, span(x.Time, time.Second), func(district.Sample) error { return nil })
	}))
	if got := read(t, s, span(t0, time.Hour), meter); len(got) != len(in) {
		t.Errorf("%d samples were written while reading, want %d", len(got), len(in))
	}
}

func concurrent(t *testing.T, s store.Store) {
	const writers, batches, rows = 4, 6, 50
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			name := district.SeriesID(fmt.Sprintf("fontaine/site%d/meter/power_kw", w%2)) // two writers a series
			for b := range batches {
				in := make([]district.Sample, rows)
				for i := range in {
					at := t0.Add(time.Duration((w/2)*batches*rows+b*rows+i) * time.Second)
					in[i] = sample(name, at, float64(at.Unix()))
				}
				if err := s.Append(t.Context(), in); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
				// an instant that everybody writes
				if err := s.Append(t.Context(), []district.Sample{sample(tank, t0, float64(w)), sample(pv, t0, float64(w))}); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
		wg.Go(func() {
			for range batches {
				got := read(t, s, span(t0, time.Hour), "fontaine/site0/meter/power_kw", tank)
				for _, x := range got {
					if x.Series != tank && x.Value != float64(x.Time.Unix()) {
						t.Errorf("read %s, which nobody wrote", show(x))
					}
				}
				if _, err := s.Latest(t.Context(), []district.SeriesID{pv, tank}, t0.Add(time.Hour)); err != nil {
					t.Error(err)
				}
				if err := s.AppendEvent(t.Context(), store.Event{Time: t0, Kind: store.SystemEvent, Action: "test"}); err != nil {
					t.Error(err)
				}
				if _, err := s.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: t0}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	for n := range 2 {
		if got := read(t, s, span(t0, time.Hour), district.SeriesID(fmt.Sprintf("fontaine/site%d/meter/power_kw", n))); len(got) != 2*batches*rows {
			t.Errorf("site%d has %d samples, want %d", n, len(got), 2*batches*rows)
		}
	}
	ps, err := s.PlansBetween(t.Context(), "fontaine", span(t0, time.Second))
	must(t, err)
	ids := map[int64]bool{}
	for _, p := range ps {
		ids[p.ID] = true
	}
	if len(ids) != writers*batches {
		t.Errorf("%d plans with %d different ids, want %d", len(ps), len(ids), writers*batches)
	}
}

// faultyAmongMany: writes at once are independent, whether the store commits them together or not. One that is refused and one whose caller has given up
// leave the others whole.
func faultyAmongMany(t *testing.T, s store.Store) {
	const writers, rows = 16, 10
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var wg sync.WaitGroup
	for w := range writers {
		name := district.SeriesID(fmt.Sprintf("fontaine/site%d/meter/power_kw", w))
		in := make([]district.Sample, rows)
		for i := range in {
			in[i] = sample(name, t0.Add(time.Duration(i)*time.Second), float64(w))
		}
		wg.Go(func() {
			switch w {
			case 3:
				in[rows-1].Value = math.NaN()
				if err := s.Append(t.Context(), in); !errors.Is(err, store.ErrInvalid) {
					t.Errorf("a sample without a number gave %v", err)
				}
			case 7:
				if err := s.Append(gone, in); !errors.Is(err, context.Canceled) {
					t.Errorf("a caller who has gone got %v", err)
				}
			case 11:
				if err := s.UpdateUser(t.Context(), store.User{Name: "nobody"}); !errors.Is(err, store.ErrNotFound) {
					t.Errorf("the update of an account that is not there gave %v", err)
				}
			default:
				if err := s.Append(t.Context(), in); err != nil {
					t.Errorf("writer %d: %v", w, err)
				}
			}
		})
	}
	wg.Wait()
	for w := range writers {
		want := rows
		if w == 3 || w == 7 || w == 11 {
			want = 0
		}
		if got := read(t, s, span(t0, time.Hour), district.SeriesID(fmt.Sprintf("fontaine/site%d/meter/power_kw", w))); len(got) != want {
			t.Errorf("writer %d has %d samples, want %d", w, len(got), want)
		}
	}
}
