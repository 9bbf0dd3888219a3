package sqlite

import (
	"path/filepath"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/store/storetest"
	"quartier/schemas/timegrid"
)

// BenchmarkRefresh is the rate at which the rollups of new history are made: 300 series every 5 minutes.
//
//	go test ./schemas/store/sqlite -run '^$' -bench Refresh
func BenchmarkRefresh(b *testing.B) {
	const rows = 300_000
	for b.Loop() {
		b.StopTimer()
		s := openAt(b, filepath.Join(b.TempDir(), "quartier.db"), Options{})
		must(b, s.Append(b.Context(), history(rows, 0)))
		b.StartTimer()
		must(b, s.Refresh(b.Context(), t0.Add(1000*time.Hour)))
		b.StopTimer()
		must(b, s.Close())
		b.StartTimer()
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "samples/s")
}

// BenchmarkMonth is the time to read a month of quarter-hours of a series that is sampled every 10 seconds: from rollups, and from its samples.
//
//	go test ./schemas/store/sqlite -run '^$' -bench Month
func BenchmarkMonth(b *testing.B) {
	s := openAt(b, filepath.Join(b.TempDir(), "quartier.db"), Options{})
	const id = district.SeriesID("fontaine/ecole/pv/power_kw")
	in := make([]district.Sample, 31*8640)
	for i := range in {
		in[i] = district.Sample{Series: id, Time: t0.Add(time.Duration(i) * 10 * time.Second), Value: float64(i % 1000)}
	}
	must(b, s.Append(b.Context(), in))
	must(b, s.Refresh(b.Context(), t0.Add(1000*time.Hour)))
	sp := timegrid.NewSpan(t0, t0.Add(31*24*time.Hour))
	for _, way := range []string{"rollups", "samples"} {
		b.Run("way="+way, func(b *testing.B) {
			for b.Loop() {
				n := 0
				count := func(rollup.Row) error { n++; return nil }
				if way == "rollups" {
					must(b, s.Rollup(b.Context(), []district.SeriesID{id}, sp, rollup.Quarter, time.UTC, count))
				} else {
					must(b, rollup.Compute(b.Context(), s, []district.SeriesID{id}, sp, rollup.Quarter, time.UTC, count))
				}
				if n != 31*96 {
					b.Fatalf("%d rows", n)
				}
			}
		})
	}
}

// TestFileUsesRollups: what was refreshed is read from blocks, also where the samples have gone to the database.
func TestFileUsesRollups(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{})
	in := history(3000, 0)
	must(t, s.Append(t.Context(), in))
	must(t, s.Refresh(t.Context(), t0.Add(1000*time.Hour)))
	if _, err := s.conn.ExecContext(t.Context(), "delete from samples; delete from packs; delete from staged"); err != nil {
		t.Fatal(err)
	}
	n := 0
	must(t, s.Rollup(t.Context(), []district.SeriesID{in[0].Series}, timegrid.NewSpan(t0, t0.Add(time.Hour)), rollup.Quarter, time.UTC, func(r rollup.Row) error {
		n += r.Samples
		return nil
	}))
	if n != 10 {
		t.Errorf("%d samples in the rollups, want 10", n)
	}
	var left int
	if err := s.conn.QueryRowContext(t.Context(), "select count(*) from dirty").Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left to be done after a refresh, %v", left, err)
	}
}

// TestRetire: old samples go once their rollups are made, which stay.
func TestRetire(t *testing.T) {
	storetest.Retire(t, openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{}))
}
