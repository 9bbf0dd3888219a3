package app

import (
	"io/fs"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/store/rollup"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
	"quartier/testdata"
)

// TestRetention: single samples that the configuration keeps no longer go once rollups and every district's balances are closed and the figures of each month that rests on them are in
// the ledger, and not before.
func TestRetention(t *testing.T) {
	text, err := fs.ReadFile(testdata.Districts(), "demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("demo.yaml", append(text, "\nrecord: {fine_days: 100}\n"...), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	a := &App{cfg: cfg, log: slog.New(slog.DiscardHandler), record: &Record{Store: st}}
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := start.Add(110 * 24 * time.Hour)
	const id = district.SeriesID("fontaine/ecole/pv/power_kw")
	var in []district.Sample
	for at := start; at.Before(now); at = at.Add(time.Hour) {
		in = append(in, district.Sample{Series: id, Time: at, Value: 2})
	}
	must(st.Append(t.Context(), in))
	left := func() (n int) {
		must(st.Read(t.Context(), []district.SeriesID{id}, timegrid.NewSpan(start, now), func(district.Sample) error { n++; return nil }))
		return n
	}
	check := func(when string, want int) {
		t.Helper()
		must(a.tidy(t.Context(), now))
		if n := left(); n != want {
			t.Errorf("%s: %d samples are left, want %d", when, n, want)
		}
	}
	check("without balances", len(in))
	close := func(until time.Time) {
		for i := range cfg.Districts {
			must(st.SaveBalances(t.Context(), []balance.Row{{District: cfg.Districts[i].ID, Site: "_", Start: until.Add(-15 * time.Minute), Step: 15 * time.Minute}}))
		}
	}
	close(start.Add(9 * 24 * time.Hour))
	must(st.Refresh(t.Context(), now))
	check("with balances of nine days", len(in))
	close(start.Add(11 * 24 * time.Hour))
	must(st.Append(t.Context(), []district.Sample{{Series: id, Time: start.Add(time.Minute), Value: 2}}))
	check("with a rollup that is not made yet", len(in)+1)
	must(st.Refresh(t.Context(), now))
	check("with a month that is not in the ledger", len(in)+1)
	publish := func(day time.Time) {
		must(st.AppendFigures(t.Context(), []ledger.Figure{ledger.Figure{District: "fontaine", Subject: "_", Kind: "import_wh", Period: timegrid.Month(day, cfg.Districts[0].Zone), Unit: "Wh",
			Method: "balance", MethodVersion: "1", CreatedAt: now, Version: 1}.Sealed()}))
	}
	publish(start)
	check("with February open, which may rest on days from the 2nd of January on", len(in)-24)
	publish(start.AddDate(0, 1, 5))
	check("when all is closed", len(in)-10*24)
	days := 0
	must(st.Rollup(t.Context(), []district.SeriesID{id}, timegrid.NewSpan(start, now), rollup.Day, time.UTC, func(r rollup.Row) error {
		if mean, ok := r.Mean(); ok && mean == 2 {
			days++
		}
		return nil
	}))
	if days != 110 {
		t.Errorf("%d days are in the rollups, want 110", days)
	}
}
