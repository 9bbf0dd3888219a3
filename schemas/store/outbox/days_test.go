package outbox

import (
	"context"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/storetest"
	"quartier/schemas/timegrid"
)

// TestYearNotSummed: days that the database has not summed yet it is asked for by parts of a month at most, each with a bound of its own, so that it is not taken for away for being asked for a year; every day comes once, over changes of the
// clocks and cut ends.
func TestYearNotSummed(t *testing.T) {
	s := newStore(t, opener(storetest.Database(t)), Options{})
	zone, err := time.LoadLocation("Europe/Paris")
	must(t, err)
	first := time.Date(2025, 7, 1, 0, 0, 0, 0, zone)
	must(t, s.Append(t.Context(), []district.Sample{{Series: pv, Time: first, Value: 1}}))
	must(t, s.Drain(t.Context()))
	if _, err := s.local.Age(t.Context(), first.AddDate(3, 0, 0)); err != nil {
		t.Fatal(err)
	}
	var bounds []time.Time
	var asked []timegrid.Span
	o := store.Observation{District: "fontaine", Name: "year", Series: []district.SeriesID{pv}, Sum: func(ctx context.Context, _ store.Observed, days []timegrid.Span) ([][]byte, error) {
		if end, ok := ctx.Deadline(); ok {
			if len(days) > mostDays {
				t.Errorf("%d days are summed within one bound", len(days))
			}
			bounds = append(bounds, end)
		}
		out := make([][]byte, len(days))
		for i, d := range days {
			asked, out[i] = append(asked, d), []byte(d.Start.In(zone).Format(time.DateOnly))
		}
		return out, ctx.Err()
	}}
	got, err := s.ObservedDays(t.Context(), o, timegrid.Span{Start: first.Add(-5 * time.Hour), End: first.AddDate(1, 0, -1).Add(time.Hour)}, zone)
	must(t, err)
	if len(got) != 365 || len(asked) != 365 {
		t.Fatalf("%d days of %d that were summed, want 365", len(got), len(asked))
	}
	for i := range got {
		if want := first.AddDate(0, 0, i).Format(time.DateOnly); string(got[i]) != want || !asked[i].Start.Equal(first.AddDate(0, 0, i)) {
			t.Fatalf("day %d is %s, want %s", i, got[i], want)
		}
	}
	if len(bounds) < 12 {
		t.Errorf("a year is read within %d bounds, want one for each month at least", len(bounds))
	}
	for i := 1; i < len(bounds); i++ {
		if !bounds[i].After(bounds[i-1]) {
			t.Errorf("part %d has the bound of the one before", i)
		}
	}
}
