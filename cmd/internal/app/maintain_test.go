package app

import (
	"errors"
	"io/fs"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/schemas/alarm"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
	"quartier/testdata"
)

// agingRecord returns the demo's configuration with samples that are kept for a hundred days, an empty record, and what ends the test on an error.
func agingRecord(t *testing.T) (*config.Config, *sqlite.Store, func(error)) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	text, err := fs.ReadFile(testdata.Districts(), "demo.yaml")
	must(err)
	cfg, err := config.Parse("demo.yaml", append(text, "\nrecord: {fine_days: 100}\n"...), ConfigOptions())
	must(err)
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	must(err)
	t.Cleanup(func() { st.Close() })
	return cfg, st, must
}

// TestRetention: single samples that the configuration keeps no longer go once rollups and every district's balances are closed and the figures of each month that rests on them are in
// the ledger, and not before.
func TestRetention(t *testing.T) {
	cfg, st, must := agingRecord(t)
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

// TestRetentionAfterLoss: months whose samples went in part before their figures were published hold nothing up; the first whole one does, and an alarm says which it is and what publishes it.
func TestRetentionAfterLoss(t *testing.T) {
	cfg, st, must := agingRecord(t)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	now := start.AddDate(0, 9, 0)
	a := &App{cfg: cfg, log: slog.New(slog.DiscardHandler), record: &Record{Store: st}, clock: NewClock(now, 1)}
	const id = district.SeriesID("fontaine/ecole/pv/power_kw")
	var in []district.Sample
	for at := start; at.Before(now); at = at.Add(time.Hour) {
		in = append(in, district.Sample{Series: id, Time: at, Value: 2})
	}
	must(st.Append(t.Context(), in))
	must(st.Refresh(t.Context(), now.Add(2*time.Hour)))
	for i := range cfg.Districts {
		for _, at := range []time.Time{start, now.Add(-15 * time.Minute)} {
			must(st.SaveBalances(t.Context(), []balance.Row{{District: cfg.Districts[i].ID, Site: "_", Start: at, Step: 15 * time.Minute}}))
		}
	}
	if done, err := st.Retire(t.Context(), start.AddDate(0, 1, 15)); err != nil || !done { // as versions did that waited for nothing
		t.Fatalf("retired: %v, %v", done, err)
	}
	first := func() (at time.Time) {
		err := st.Read(t.Context(), []district.SeriesID{id}, timegrid.NewSpan(start, now), func(x district.Sample) error { at = x.Time; return errFound })
		if !errors.Is(err, errFound) {
			t.Fatal(err)
		}
		return at
	}
	waits := func() string {
		for _, c := range a.conditions("fontaine") {
			if c.Key == SamplesWait {
				return c.Detail
			}
		}
		return ""
	}
	zone := cfg.Districts[slices.IndexFunc(cfg.Districts, func(d district.District) bool { return d.ID == "fontaine" })].Zone
	rests := func(m time.Month) time.Time { // the day from which on a month rests on samples
		return time.Date(2026, m, 1, 0, 0, 0, 0, zone).Add(-restsOnBefore).UTC().Truncate(24 * time.Hour)
	}
	publish := func(m time.Month) {
		must(st.AppendFigures(t.Context(), []ledger.Figure{ledger.Figure{District: "fontaine", Subject: "_", Kind: "import_wh", Period: timegrid.Month(time.Date(2026, m, 10, 0, 0, 0, 0, zone), zone), Unit: "Wh",
			Method: "balance", MethodVersion: "1", CreatedAt: now, Version: 1}.Sealed()}))
	}
	must(a.tidy(t.Context(), now))
	if got, want := first(), rests(time.April); !got.Equal(want) {
		t.Errorf("samples are left from %v on, want those that April rests on, from %v", got, want)
	}
	if got := waits(); !strings.Contains(got, "2026-04: quartier audit --district fontaine --month 2026-04 --close") {
		t.Errorf("the alarm says %q, want it to name April and what publishes it", got)
	}
	// a district that was added today, and has no balances yet, silences none
	added := cfg.Districts[0]
	added.ID = "added"
	cfg.Districts = append([]district.District{added}, cfg.Districts...)
	a.watch.waiting = nil
	must(a.tidy(t.Context(), now))
	if got := waits(); !strings.Contains(got, "2026-04") {
		t.Errorf("beside a district without balances the alarm says %q", got)
	}
	cfg.Districts = cfg.Districts[1:]
	publish(time.April)
	must(a.tidy(t.Context(), now))
	if got := waits(); !strings.Contains(got, "2026-05") || !first().Equal(rests(time.May)) {
		t.Errorf("with April published the alarm says %q, and samples are left from %v on", got, first())
	}
	for m := time.May; m <= time.July; m++ {
		publish(m)
	}
	must(a.tidy(t.Context(), now))
	if got, want := first(), now.Add(-100*24*time.Hour); waits() != "" || !got.Equal(want) {
		t.Errorf("with all published the alarm says %q, and samples are left from %v on, want %v", waits(), got, want)
	}
}

// TestWaitingAfterRestart: an alarm of samples that wait is not over because a process that has begun again has not looked yet.
func TestWaitingAfterRestart(t *testing.T) {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	cfg := small(t)
	id := cfg.Districts[0].ID
	now := time.Date(2026, 9, 1, 0, 0, 0, 0, time.UTC)
	if err := st.AppendEvent(t.Context(), store.Event{Time: now.Add(-time.Hour), Kind: store.AlarmEvent, Actor: console.WatchActor, Action: SamplesWait, Object: id, Detail: "2026-04: …", Severity: "warning"}); err != nil {
		t.Fatal(err)
	}
	for _, days := range []float64{0, 100} { // 0: nothing waits any more
		cfg.File.Record.FineDays = days
		a := &App{cfg: cfg, log: slog.New(slog.DiscardHandler), record: &Record{Store: st}, clock: NewClock(now, 1)}
		a.watch.book = alarm.NewBook(alarm.Settings{ClearAfter: time.Minute})
		a.restoreAlarms(t.Context())
		got := a.conditions(id)
		if n := len(got); n != min(1, int(days)) || n > 0 && (got[0].Key != SamplesWait || got[0].Detail != "2026-04: …") {
			t.Errorf("samples kept for %g days: after a restart %+v is wrong", days, got)
		}
	}
}
