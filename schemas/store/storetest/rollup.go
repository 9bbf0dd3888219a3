package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

var steps = []rollup.Step{rollup.Minute, rollup.Quarter, rollup.Hour, rollup.Day, rollup.Month}

func paris(t *testing.T) *time.Location {
	t.Helper()
	zone, err := time.LoadLocation("Europe/Paris")
	must(t, err)
	return zone
}

func rollupRows(t *testing.T, read func(yield func(rollup.Row) error) error) (out []rollup.Row) {
	t.Helper()
	must(t, read(func(r rollup.Row) error {
		out = append(out, r)
		return nil
	}))
	return out
}

// asComputed checks what the store has of the series at every step against its own samples, and returns a fingerprint of all rows.
func asComputed(t *testing.T, s store.Store, sp timegrid.Span, series ...district.SeriesID) string {
	t.Helper()
	zone, sum := paris(t), sha256.New()
	for _, step := range steps {
		got := rollupRows(t, func(y func(rollup.Row) error) error { return s.Rollup(t.Context(), series, sp, step, zone, y) })
		want := rollupRows(t, func(y func(rollup.Row) error) error { return rollup.Compute(t.Context(), s, series, sp, step, zone, y) })
		for i := range min(len(got), len(want)) {
			if got[i] != want[i] {
				t.Fatalf("%v: row %d is\n%+v, want\n%+v", step, i, got[i], want[i])
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%v: %d rows, want %d", step, len(got), len(want))
		}
		for _, r := range got {
			fmt.Fprintf(sum, "%s %d %d %d %d %x %x %x %x %x\n", r.Series, r.Start.Unix(), r.Samples, r.Bad, r.Held, r.Integral, r.Growth, r.Min, r.Max, r.Last)
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil)[:8])
}

// rollups: whatever is written, in whatever order, refreshed at whatever time, the rollups are what the samples say. All stores have the same numbers, to the bit.
func rollups(t *testing.T, s store.Store) {
	rng := rand.New(rand.NewPCG(5, 5))
	series := []district.SeriesID{pv, meter, tank, "fontaine/ecole/pac/sg_ready"}
	at, reading := make([]time.Time, len(series)), make([]float64, len(series))
	for i := range at {
		at[i] = t0
	}
	for range 25 {
		var in []district.Sample
		for i, id := range series {
			every := time.Duration([]int{7, 10, 300, 1000}[rng.IntN(4)]) * time.Second
			for range rng.IntN(150) {
				q := district.Good
				if rng.IntN(20) == 0 {
					q = district.Quality(rng.IntN(4))
				}
				in = append(in, district.Sample{Series: id, Time: at[i], Value: reading[i], Quality: q})
				at[i] = at[i].Add(every + time.Duration(rng.IntN(1_000_000))*time.Microsecond)
				reading[i] += float64(rng.IntN(11)-1) / 10
			}
			if rng.IntN(6) == 0 {
				at[i] = at[i].Add(time.Duration(rng.IntN(5000)) * time.Second)
			}
		}
		rng.Shuffle(len(in), func(i, j int) { in[i], in[j] = in[j], in[i] })
		must(t, s.Append(t.Context(), in))
		if rng.IntN(3) == 0 {
			must(t, s.Refresh(t.Context(), at[0].Add(-time.Duration(rng.IntN(7200))*time.Second)))
		}
	}
	sp := timegrid.NewSpan(t0.Add(-time.Hour), slices.MaxFunc(at, time.Time.Compare).Add(time.Hour))
	before := asComputed(t, s, sp, series...)
	must(t, s.Refresh(t.Context(), sp.End.Add(48*time.Hour)))
	if after := asComputed(t, s, sp, series...); after != before {
		t.Errorf("a refresh changed what is read: fingerprint %s, before %s", after, before)
	}
	const everywhere = "555f72c70f2b3623"
	if before != everywhere {
		t.Errorf("fingerprint %s, want %s as in every store", before, everywhere)
	}
}

// rollupsClockChange: the days of 23 and 25 hours have 92 and 100 quarter-hours, kept or not.
func rollupsClockChange(t *testing.T, s store.Store) {
	zone := paris(t)
	for _, tt := range []struct {
		day             time.Time
		quarters, hours int
	}{{time.Date(2026, 3, 29, 12, 0, 0, 0, time.UTC), 92, 23}, {time.Date(2026, 10, 25, 12, 0, 0, 0, time.UTC), 100, 25}} {
		day, month := timegrid.Day(tt.day, zone), timegrid.Month(tt.day, zone)
		var in []district.Sample
		for at := day.Start.Add(-2 * time.Hour); !at.After(day.End.Add(2 * time.Hour)); at = at.Add(5 * time.Minute) {
			in = append(in, sample(pv, at, -2), sample(meter, at, 7*at.Sub(day.Start).Hours()))
		}
		must(t, s.Append(t.Context(), in))
		for range 2 {
			for step, n := range map[rollup.Step]int{rollup.Minute: 60 * tt.hours, rollup.Quarter: tt.quarters, rollup.Hour: tt.hours, rollup.Day: 1} {
				for id, perHour := range map[district.SeriesID]float64{pv: -2, meter: 7} {
					sum, held := 0.0, time.Duration(0)
					got := rollupRows(t, func(y func(rollup.Row) error) error {
						return s.Rollup(t.Context(), []district.SeriesID{id}, day, step, zone, y)
					})
					for _, r := range got {
						sum, held = sum+r.Integral+r.Growth, held+r.Held
					}
					if want := perHour * float64(tt.hours); len(got) != n || sum < want-1e-6 || sum > want+1e-6 || held != day.Duration() {
						t.Errorf("%s of %s: %d %vs that sum to %v over %v, want %d, %v over %v", id, tt.day.Format(time.DateOnly), len(got), step, sum, held, n, want, day.Duration())
					}
				}
			}
			got := rollupRows(t, func(y func(rollup.Row) error) error {
				return s.Rollup(t.Context(), []district.SeriesID{pv}, month, rollup.Month, zone, y)
			})
			if len(got) != 1 || !got[0].Start.Equal(month.Start) || !got[0].End.Equal(month.End) || got[0].Held != day.Duration()+4*time.Hour {
				t.Errorf("the month is %+v", got)
			}
			must(t, s.Refresh(t.Context(), day.End.Add(24*time.Hour)))
		}
	}
}

// rollupsLate: samples that come after the rollups of their time were made change them, a repetition does not.
func rollupsLate(t *testing.T, s store.Store) {
	zone := paris(t)
	sp := span(t0, 24*time.Hour)
	var in []district.Sample
	for at := sp.Start; at.Before(sp.End); at = at.Add(time.Minute) {
		if at.Sub(sp.Start) < 6*time.Hour || at.Sub(sp.Start) > 9*time.Hour {
			in = append(in, sample(pv, at, 1), sample(meter, at, at.Sub(sp.Start).Hours()))
		}
	}
	must(t, s.Append(t.Context(), in))
	must(t, s.Refresh(t.Context(), sp.End.Add(time.Hour)))
	asComputed(t, s, sp, pv, meter)
	day := func(id district.SeriesID) rollup.Row {
		got := rollupRows(t, func(y func(rollup.Row) error) error {
			return s.Rollup(t.Context(), []district.SeriesID{id}, sp, rollup.Day, zone, y)
		})
		if len(got) != 1 {
			t.Fatalf("%d days, want one", len(got))
		}
		return got[0]
	}
	if r := day(meter); r.Growth < 23.98 || r.Held > 21*time.Hour {
		t.Errorf("over a gap of three hours the counter grew by %v over %v, want 23.98 over less than 21 hours", r.Growth, r.Held)
	}
	must(t, s.Append(t.Context(), in[:500]))
	must(t, s.Append(t.Context(), []district.Sample{sample(pv, sp.Start.Add(7*time.Hour), 5), sample(pv, sp.Start.Add(7*time.Hour+30*time.Minute), 5),
		sample(meter, sp.Start.Add(8*time.Hour), 7.5), {Series: pv, Time: sp.Start.Add(2 * time.Hour), Value: 1, Quality: district.Bad}}))
	asComputed(t, s, sp, pv, meter)
	must(t, s.Refresh(t.Context(), sp.End.Add(time.Hour)))
	asComputed(t, s, sp, pv, meter)
	if r := day(pv); r.Max != 5 || r.Bad != 1 {
		t.Errorf("the day after late samples is %+v, want a maximum of 5 and one bad sample", r)
	}
	// a read is as new as the samples, refreshed or not
	must(t, s.Append(t.Context(), []district.Sample{sample(pv, sp.Start.Add(10*time.Hour), 99)}))
	if r := day(pv); r.Max != 99 {
		t.Errorf("a sample that was written a moment ago is not in the day: maximum %v", r.Max)
	}
}

func rollupStops(t *testing.T, s store.Store) {
	must(t, s.Append(t.Context(), []district.Sample{sample(pv, t0, 1), sample(pv, t0.Add(time.Hour), 2), sample(meter, t0, 4)}))
	stop := errors.New("enough")
	n := 0
	wantIs(t, s.Rollup(t.Context(), []district.SeriesID{pv, meter}, span(t0, 3*time.Hour), rollup.Quarter, time.UTC, func(rollup.Row) error {
		n++
		return stop
	}), stop)
	if n != 1 {
		t.Errorf("yield was called %d times after it returned an error, want 1", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	wantIs(t, s.Rollup(ctx, []district.SeriesID{pv}, span(t0, time.Hour), rollup.Quarter, time.UTC, func(rollup.Row) error { return nil }), context.Canceled)
}
