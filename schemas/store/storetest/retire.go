package storetest

import (
	"slices"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
)

// Retire exercises the removal of old samples by a store that has the whole record itself.
func Retire(t *testing.T, s store.Store) {
	zone, sp := paris(t), span(t0, 96*time.Hour)
	series := []district.SeriesID{pv, meter}
	var in []district.Sample
	for i := range 96 * 12 {
		at := t0.Add(time.Duration(i) * 5 * time.Minute)
		in = append(in, sample(pv, at, float64(i%50)), sample(meter, at, float64(i)/3))
	}
	must(t, s.Append(t.Context(), in))
	cutoff := t0.Add(50 * time.Hour)
	retire := func(want bool) {
		t.Helper()
		done, err := s.Retire(t.Context(), cutoff)
		must(t, err)
		if done != want {
			t.Fatalf("retired: %v, want %v", done, want)
		}
	}
	retire(false) // rollups are still to be made
	if got := read(t, s, sp, series...); len(got) != len(in) {
		t.Fatalf("%d samples are left, want all %d", len(got), len(in))
	}
	must(t, s.Refresh(t.Context(), sp.End.Add(2*time.Hour)))
	rows := func() (out []rollup.Row) {
		for _, step := range []rollup.Step{rollup.Quarter, rollup.Hour, rollup.Day} {
			out = append(out, rollupRows(t, func(y func(rollup.Row) error) error { return s.Rollup(t.Context(), series, sp, step, zone, y) })...)
		}
		return out
	}
	want := rows()
	retired := func(want time.Time) {
		t.Helper()
		if got, err := s.Retired(t.Context()); err != nil || !got.Equal(want) {
			t.Errorf("retired before %v, %v; want %v", got, err, want)
		}
	}
	retired(time.Time{})
	for range 2 {
		retire(true)
		retired(cutoff.Truncate(24 * time.Hour))
		day := cutoff.Truncate(24 * time.Hour)
		left := slices.DeleteFunc(slices.Clone(in), func(x district.Sample) bool { return x.Time.Before(day) })
		if got := read(t, s, sp, series...); len(got) != len(left) || got[0].Time.Before(day) {
			t.Errorf("%d samples are left, the first of %v; want the %d from %v on", len(got), got[0].Time, len(left), day)
		}
		if !slices.Equal(rows(), want) {
			t.Error("rollups changed when their samples went")
		}
		// a late sample of a time that is closed changes nothing, and goes with the next round
		must(t, s.Append(t.Context(), []district.Sample{sample(pv, t0.Add(3*time.Hour+time.Second), 1e6)}))
		must(t, s.Refresh(t.Context(), sp.End.Add(2*time.Hour)))
		if !slices.Equal(rows(), want) {
			t.Error("rollups changed by a sample of a time that is closed")
		}
	}
}
