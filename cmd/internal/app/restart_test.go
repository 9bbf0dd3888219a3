package app

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/console"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/logtest"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// TestFolderHasOneProcess: a second process is told which one has the folder, and gets it when that is gone.
func TestFolderHasOneProcess(t *testing.T) {
	dir := t.TempDir() + "/new"
	release, err := lockFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lockFolder(dir); err == nil || !strings.Contains(err.Error(), "in use by another Quartier, process ") {
		t.Errorf("a folder in use: %v, want a refusal that names the process", err)
	}
	release()
	release, err = lockFolder(dir)
	if err != nil {
		t.Fatalf("a folder that is free again: %v", err)
	}
	release()
}

// TestDemonstrationGoesOn: a demonstration on the record of one that ran ahead of the time begins where that ended, and loads the months that are still missing before it.
func TestDemonstrationGoesOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(months int, start time.Time) *Record {
		t.Helper()
		out := &logtest.Buffer{}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var log bytes.Buffer
		done := make(chan error, 1)
		loaded := make(chan struct{})
		handler := slog.NewTextHandler(writer(func(p []byte) (int, error) {
			if bytes.Contains(p, []byte("history loaded")) || bytes.Contains(p, []byte("history is there already")) {
				close(loaded)
			}
			return log.Write(p)
		}), nil)
		go func() {
			done <- Demo(ctx, DemoOptions{Name: "small", Listen: "127.0.0.1:0", DataDir: dir, Speed: 1, Months: months, Start: start, Log: slog.New(handler), Out: out, Version: "test"})
		}()
		select {
		case <-loaded:
		case err := <-done:
			t.Fatalf("the demonstration ended: %v\n%s", err, &log)
		case <-time.After(10 * time.Minute):
			t.Fatal("history not loaded within ten minutes")
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		cfg := small(t)
		cfg.File.DataDir = dir
		st, err := OpenStore(t.Context(), cfg, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { st.Close() })
		return st
	}
	ahead := time.Now().Add(72 * time.Hour).UTC().Truncate(time.Hour)
	id := small(t).Districts[0].ID
	st := run(1, ahead)
	before, err := st.BalanceSpan(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := st.Balances(t.Context(), id, district.DistrictSite, before)
	if err != nil {
		t.Fatal(err)
	}
	st = run(2, time.Time{})
	after, err := st.BalanceSpan(t.Context(), id)
	if err != nil || !after.Start.Before(before.Start) || after.End.Before(before.End) {
		t.Fatalf("the record spans %v (%v), want more than %v", after, err, before)
	}
	again, err := st.Balances(t.Context(), id, district.DistrictSite, before)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := balance.Sum(rows), balance.Sum(again); a.ImportWh != b.ImportWh || a.ProductionWh != b.ProductionWh || len(again) != len(rows) {
		t.Errorf("what was recorded changed: %d rows with %d Wh drawn, were %d with %d Wh", len(again), b.ImportWh, len(rows), a.ImportWh)
	}
	whole, err := st.Balances(t.Context(), id, district.DistrictSite, after)
	most := func(rows []balance.Row) (wh units.WattHours) {
		for _, r := range rows {
			wh = max(wh, r.ImportWh, r.OtherWh, r.ExportWh)
		}
		return wh
	}
	if a, b := most(rows), most(whole); b > 2*a {
		t.Errorf("%d Wh in a quarter-hour, at most %d Wh before: the counters did not go on", b, a)
	}
	if want := after.Count(15 * time.Minute); err != nil || len(whole) != want {
		t.Errorf("%d rows of %d quarter-hours (%v): a gap between what was there and what was loaded", len(whole), want, err)
	}
}

type writer func(p []byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// TestLastAlarmsAreEntered: an alarm that began just before the end is in the record, since it may have been told of.
func TestLastAlarmsAreEntered(t *testing.T) {
	t.Parallel()
	cfg := small(t)
	cfg.File.DataDir = t.TempDir()
	a, err := New(t.Context(), cfg, Options{Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	now := a.clock.Now()
	a.watch.queue = []store.Event{{Time: now, Kind: store.AlarmEvent, Actor: console.WatchActor, Action: ClockJump, Object: cfg.Districts[0].ID, Severity: "warning"}}
	ctx, cancel := context.WithTimeout(t.Context(), watchEvery/10)
	defer cancel()
	if err := a.Run(ctx); err != nil {
		t.Fatal(err)
	}
	st, err := OpenStore(t.Context(), cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	events, err := st.Events(t.Context(), []store.EventKind{store.AlarmEvent}, timegrid.NewSpan(now.Add(-time.Hour), now.Add(time.Hour)), 0)
	if err != nil || !slices.ContainsFunc(events, func(e store.Event) bool { return e.Action == ClockJump }) {
		t.Errorf("entered is %+v, %v", events, err)
	}
}
