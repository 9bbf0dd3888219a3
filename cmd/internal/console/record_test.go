package console_test

import (
	"path/filepath"
	"strings"
	"testing"

	"quartier/cmd/internal/console"
	"quartier/cmd/internal/console/consoletest"
	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
)

// TestOnTheRealRecord holds the pages on SQLite against the same pages on the store in memory that the other tests use.
func TestOnTheRealRecord(t *testing.T) {
	record, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := record.Close(); err != nil {
			t.Error(err)
		}
	})
	w, err := consoletest.New(t.Context(), noon, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Record(t.Context(), record, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := console.EnsureDemoUsers(t.Context(), record, w.Districts, noon); err != nil {
		t.Fatal(err)
	}
	real := start(t, func(d *console.Deps) { d.Store = record }).signedIn("operator")
	fake := start(t).signedIn("operator")
	for _, path := range []string{
		"/api/districts/fontaine/balance?period=day&date=2026-01-13", "/api/districts/fontaine/balance?period=month", "/api/districts/fontaine/balance.csv?period=day",
		"/api/districts/fontaine/members/m-001", "/api/districts/fontaine/setpoints?limit=30", "/api/districts/fontaine/series-names",
		"/api/districts/fontaine/series?site=ecole&device=battery-1&quantity=soc&start=2026-01-14T06:00:00Z&end=2026-01-14T12:00:00Z",
		"/api/districts/fontaine/export.csv?series=ecole/battery-1/soc&start=2026-01-14T06:00:00Z&end=2026-01-14T07:00:00Z",
	} {
		status, got := real.do("GET", path, nil)
		_, want := fake.do("GET", path, nil)
		if status != 200 || string(got) != string(want) {
			t.Errorf("GET %s on SQLite answered %d %.300s\nwant %.300s", path, status, got, want)
		}
	}
	if o := get[console.Overview](real, "/api/districts/fontaine/overview"); o.Plan == nil || o.Today.Slots != 48 || len(o.Alarms) != 1 {
		t.Errorf("overview on SQLite: plan %+v, %d slots, alarms %+v", o.Plan, o.Today.Slots, o.Alarms)
	}
	if status, body := real.do("DELETE", "/api/session", nil); status != 204 {
		t.Errorf("sign-out answered %d %s", status, body)
	}
	if status, _ := real.do("GET", "/api/session", nil); status != 401 {
		t.Errorf("after sign-out the session answered %d, want 401", status)
	}
	events, err := record.Events(t.Context(), []store.EventKind{store.AuditEvent}, w.Around(), 10)
	var actions []string
	for _, e := range events {
		actions = append(actions, e.Action)
	}
	if got := strings.Join(actions, " "); err != nil || got != "sign-out samples-exported sign-in" {
		t.Errorf("audit log %q, %v; want sign-out samples-exported sign-in", got, err)
	}
}
