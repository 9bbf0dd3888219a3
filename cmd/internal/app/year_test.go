//go:build unix

package app

import (
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"quartier/cmd/internal/balances"
	"quartier/drivers/sim"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/store/storetest"
	"quartier/schemas/store/timescale"
	"quartier/schemas/timegrid"
	"quartier/testdata"
)

// BenchmarkCloseYear closes the months of a year of the demonstration's district from raw samples, rows and figures; audits each of them; and makes the year's statement by month. QUARTIER_TEST_DATABASE_URL has it do so in the
// database as well. Of a month it tells this process's processor time.
//
//	go test ./cmd/internal/app -run '^$' -bench CloseYear -benchtime 1x -timeout 0
func BenchmarkCloseYear(b *testing.B) {
	stores := map[string]func() (store.Store, error){"sqlite": func() (store.Store, error) {
		return sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "quartier.db"), sqlite.Options{})
	}}
	if os.Getenv("QUARTIER_TEST_DATABASE_URL") != "" {
		stores["timescale"] = func() (store.Store, error) {
			return timescale.Open(b.Context(), storetest.Database(b), timescale.Options{})
		}
	}
	cfg := mustParseDemo(b)
	d := &cfg.Districts[0]
	from, to := time.Date(2025, 11, 1, 0, 0, 0, 0, d.Zone), time.Date(2026, 11, 1, 0, 0, 0, 0, d.Zone)
	now := to.Add(closeAfter)
	for name, open := range stores {
		st, err := open()
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = st.Close() })
		samples := fillYear(b, cfg.Districts, st, from, now)
		books, err := NewBooks(cfg, d, st, func() time.Time { return now })
		if err != nil {
			b.Fatal(err)
		}
		months := func(b *testing.B, each func(timegrid.Span)) {
			n, begun := 0, processor()
			for b.Loop() {
				for at := from; at.Before(to); at = timegrid.Month(at, d.Zone).End.In(d.Zone) {
					each(timegrid.Month(at, d.Zone))
					n++
				}
			}
			b.ReportMetric(float64(samples)/12, "samples/month")
			b.ReportMetric((processor()-begun).Seconds()/float64(n), "cpu-s/month")
		}
		b.Run("store="+name+"/what=close", func(b *testing.B) {
			months(b, func(month timegrid.Span) {
				if _, err := books.Close(b.Context(), month); err != nil {
					b.Fatal(err)
				}
			})
		})
		b.Run("store="+name+"/what=audit", func(b *testing.B) {
			months(b, func(month timegrid.Span) {
				if a, err := books.Audit(b.Context(), month); err != nil || !a.Clean() {
					b.Fatalf("the audit of %s: %+v, %v", month.Start, a, err)
				}
			})
		})
		b.Run("store="+name+"/what=statement", func(b *testing.B) {
			month, err := balances.ParseStep("month", d.Step)
			if err != nil {
				b.Fatal(err)
			}
			if err := st.Refresh(b.Context(), now); err != nil { // as the upkeep does
				b.Fatal(err)
			}
			if err := sumDays(b.Context(), st, cfg, d, now); err != nil {
				b.Fatal(err)
			}
			q := balances.Query{District: d, Site: district.DistrictSite, Span: timegrid.NewSpan(from, to), Step: month, Profiles: cfg.PEDProfiles(d.ID), Now: now}
			for b.Loop() {
				if s, err := balances.Make(b.Context(), st, q); err != nil || len(s.Rows) < 12 {
					b.Fatalf("the year's statement: %v", err)
				}
			}
		})
	}
}

// fillYear stores the samples of a demonstration's districts and tells how many the first one has.
func fillYear(b *testing.B, districts []district.District, st store.Store, from, to time.Time) (n int) {
	b.Helper()
	about, err := fs.ReadFile(testdata.Districts(), "demo.sim.yaml")
	if err != nil {
		b.Fatal(err)
	}
	desc, err := sim.ParseDescription("demo.sim.yaml", about)
	if err != nil {
		b.Fatal(err)
	}
	world := sim.WorldConfig{Districts: districts, Description: desc, Traces: testdata.Traces(), Start: to, Log: slog.New(slog.DiscardHandler)}
	err = sim.History(b.Context(), world, from, to, districts[0].Step, func(_ timegrid.Span, samples []district.Sample) error {
		for _, s := range samples {
			if id, _, _, _, _ := s.Series.Parts(); id == districts[0].ID {
				n++
			}
		}
		for part := range slices.Chunk(samples, 20_000) {
			if err := st.Append(b.Context(), part); err != nil {
				return err
			}
		}
		return nil
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// processor returns the processor time that this process has taken.
func processor() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // never fails
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
