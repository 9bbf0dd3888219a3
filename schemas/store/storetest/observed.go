package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// watching is an observation whose sums are all that rollups and forecast errors of some series say of a day, in words; summed counts the days that were summed.
func watching(name string, zone *time.Location, summed *atomic.Int64, series ...district.SeriesID) store.Observation {
	return store.Observation{District: "fontaine", Name: name, Series: series, Sum: func(ctx context.Context, from store.Observed, days []timegrid.Span) ([][]byte, error) {
		summed.Add(int64(len(days)))
		out := make([][]byte, len(days))
		for i, d := range days {
			if err := from.Rollup(ctx, series, d, rollup.Quarter, zone, func(r rollup.Row) error {
				out[i] = fmt.Appendf(out[i], "%s %v: %v %v %v\n", r.Series, r.Start.Unix(), r.Held, r.Integral, r.Samples)
				return nil
			}); err != nil {
				return nil, err
			}
			errs, err := from.ForecastErrors(ctx, "fontaine", d)
			if err != nil {
				return nil, err
			}
			for _, e := range errs {
				out[i] = fmt.Appendf(out[i], "%s %v: %v\n", e.Site, e.Day.Unix(), e.Count)
			}
		}
		return out, nil
	}}
}

// observing is what the tests of observations share: days over a change of the clocks, with balances.
type observing struct {
	store.Observation
	summed atomic.Int64 // days, so far
	zone   *time.Location
	days   []timegrid.Span
	sp     timegrid.Span
	rows   []balance.Row
}

func observe(t *testing.T, s store.Store) *observing {
	t.Helper()
	x := &observing{zone: paris(t)}
	x.Observation = watching("one", x.zone, &x.summed, tank, pv)
	first := time.Date(2026, 3, 27, 23, 0, 0, 0, time.UTC) // a midnight in Paris, the clocks change on the second day
	x.days = slices.Collect(timegrid.Span{Start: first, End: first.Add(4 * 24 * time.Hour)}.Days(x.zone))
	x.sp = timegrid.Span{Start: x.days[0].Start, End: x.days[len(x.days)-1].End}
	for slot := range x.sp.Slots(time.Hour) {
		x.rows = append(x.rows, balance.Row{District: "fontaine", Site: "_", Start: slot.Start, Step: time.Hour})
	}
	must(t, s.SaveBalances(t.Context(), x.rows))
	return x
}

// check compares the days with what they sum to now.
func (x *observing) check(t *testing.T, s store.Store) {
	t.Helper()
	want, err := x.Sum(t.Context(), s, x.days)
	must(t, err)
	got, err := s.ObservedDays(t.Context(), x.Observation, x.sp, x.zone)
	must(t, err)
	if len(got) != len(want) {
		t.Fatalf("%d days, want %d", len(got), len(want))
	}
	for i := range got {
		if string(got[i]) != string(want[i]) {
			t.Fatalf("what was observed on %s is\n%.600s\nwant\n%.600s", x.days[i].Start, got[i], want[i])
		}
	}
}

// observedDays: whatever is appended, late or corrected, of samples and of forecast errors, and whenever rollups are refreshed and days summed, an observation's days are what it sums to now.
func observedDays(t *testing.T, s store.Store) {
	rng := rand.New(rand.NewPCG(25, 11))
	x := observe(t, s)
	sp, some := x.sp, func() time.Time {
		return x.sp.Start.Add(time.Duration(rng.Int64N(int64(x.sp.Duration() + 30*time.Hour))))
	}
	for round := range 8 {
		at := sp.Start.Add(time.Duration(rng.Int64N(int64(sp.Duration()))))
		var list []district.Sample
		for i := range 1 + rng.IntN(40) {
			list = append(list, sample([]district.SeriesID{tank, pv, meter}[rng.IntN(3)], at.Add(time.Duration(i)*7*time.Minute), float64(rng.IntN(60))))
		}
		must(t, s.Append(t.Context(), list))
		x.check(t, s)
		switch rng.IntN(3) {
		case 0:
			day := timegrid.Floor(at, 24*time.Hour)
			must(t, s.SaveForecastErrors(t.Context(), []district.ForecastError{{District: "fontaine", Site: "_", Quantity: "net", Day: day, LeadMinutes: 60, Count: int64(1 + round)}}))
		case 1:
			must(t, s.Refresh(t.Context(), some()))
		}
		x.check(t, s)
		must(t, s.SumObserved(t.Context(), x.Observation, x.zone, some()))
		x.check(t, s)
	}
	must(t, s.Refresh(t.Context(), sp.End.Add(48*time.Hour)))
	must(t, s.SumObserved(t.Context(), x.Observation, x.zone, sp.End))
	x.check(t, s)
}

// ObservedKept: of a record that keeps all days, those that were summed are not summed again, until what they rest on changes or their sums are damaged, and another observation has its own. damage cuts the sums of every day.
func ObservedKept(t *testing.T, s store.Store, damage func()) {
	x := observe(t, s)
	var list []district.Sample
	for at := x.sp.Start; at.Before(x.sp.End); at = at.Add(20 * time.Minute) {
		list = append(list, sample(tank, at, float64(at.Hour())))
	}
	must(t, s.Append(t.Context(), list))
	later := x.sp.End.Add(48 * time.Hour)
	reads := func(what string, want int64) {
		t.Helper()
		x.summed.Store(0)
		if _, err := s.ObservedDays(t.Context(), x.Observation, x.sp, x.zone); err != nil || x.summed.Load() != want {
			t.Errorf("%s: %d days are summed to be read, want %d (%v)", what, x.summed.Load(), want, err)
		}
		x.check(t, s)
	}
	keep := func() {
		must(t, s.Refresh(t.Context(), later))
		must(t, s.SumObserved(t.Context(), x.Observation, x.zone, later))
	}
	reads("before they are kept", int64(len(x.days)))
	keep()
	reads("kept", 0)
	must(t, s.SaveBalances(t.Context(), x.rows))
	reads("after balances, on which they do not rest", 0)
	must(t, s.Append(t.Context(), []district.Sample{sample(tank, x.sp.End.Add(-5*time.Hour), 77)}))
	reads("after a late sample", 1)
	must(t, s.Refresh(t.Context(), later))
	reads("after its rollup", 1)
	must(t, s.SaveForecastErrors(t.Context(), []district.ForecastError{{District: "fontaine", Site: "_", Quantity: "net", Day: x.sp.Start.Add(time.Hour), LeadMinutes: 60, Count: 4}}))
	reads("after forecasts were judged", 2)
	keep()
	reads("kept again", 0)
	damage()
	reads("damaged", int64(len(x.days)))
	keep()
	reads("mended", 0)
	other := watching("two", x.zone, &x.summed, tank)
	if _, err := s.ObservedDays(t.Context(), other, x.sp, x.zone); err != nil || x.summed.Load() < int64(len(x.days)) {
		t.Errorf("another observation has the days of the first (%v)", err)
	}
}
