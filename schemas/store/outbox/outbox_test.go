package outbox

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/store/storetest"
	"quartier/schemas/store/timescale"
	"quartier/schemas/timegrid"
)

var errNoServer = errors.New("no server")

func away(context.Context) (*timescale.Store, error) { return nil, errNoServer }

func opener(url string) Opener {
	return func(ctx context.Context) (*timescale.Store, error) {
		return timescale.Open(ctx, url, timescale.Options{})
	}
}

func newStore(t testing.TB, open Opener, opts Options) *Store {
	t.Helper()
	return storeAt(t, filepath.Join(t.TempDir(), "outbox.db"), open, opts)
}

func storeAt(t testing.TB, path string, open Opener, opts Options) *Store {
	t.Helper()
	local, err := sqlite.Open(t.Context(), path, sqlite.Options{Outbox: true})
	if err != nil {
		t.Fatal(err)
	}
	s := New(local, open, opts)
	t.Cleanup(func() { s.Close() })
	return s
}

// start runs the relay until the test ends, or until the returned function is called.
func start(t testing.TB, s *Store) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Errorf("relay ended with %v", err)
		}
	}()
	stop = func() {
		cancel()
		<-done
	}
	t.Cleanup(stop)
	return stop
}

// forgetful is a store that after every write ships all it has and removes from the file whatever it may: every read then needs the database.
type forgetful struct{ *Store }

func (f forgetful) forget(err error) error {
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := f.Drain(ctx); err != nil {
		return err
	}
	_, err = f.local.Age(ctx, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC))
	return err
}

func (f forgetful) Append(ctx context.Context, x []district.Sample) error {
	return f.forget(f.Store.Append(ctx, x))
}
func (f forgetful) SaveBalances(ctx context.Context, x []balance.Row) error {
	return f.forget(f.Store.SaveBalances(ctx, x))
}
func (f forgetful) SavePlan(ctx context.Context, p *district.Plan) (int64, error) {
	id, err := f.Store.SavePlan(ctx, p)
	return id, f.forget(err)
}
func (f forgetful) AppendSetpoints(ctx context.Context, x []district.Setpoint) error {
	return f.forget(f.Store.AppendSetpoints(ctx, x))
}
func (f forgetful) AppendEvent(ctx context.Context, e store.Event) error {
	return f.forget(f.Store.AppendEvent(ctx, e))
}

// TestStore: file and database together keep the contract of a store: while the relay runs, while the database is away, and when the file has
// forgotten all that it may.
func TestStore(t *testing.T) {
	t.Run("relay running", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			s := newStore(t, opener(storetest.Database(t)), Options{})
			stop := start(t, s)
			return closing{s, stop}
		})
	})
	t.Run("database away", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			s := newStore(t, away, Options{})
			stop := start(t, s)
			return closing{s, stop}
		})
	})
	t.Run("written by another machine", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			url := storetest.Database(t)
			return twoMachines{oldFile(t, opener(url)), newStore(t, opener(url), Options{})}
		})
	})
	t.Run("all aged out", func(t *testing.T) {
		storetest.Run(t, func(t *testing.T) store.Store {
			return forgetful{newStore(t, opener(storetest.Database(t)), Options{})}
		})
	})
}

// closing ends the relay before it closes the store.
type closing struct {
	*Store
	stop func()
}

func (c closing) Close() error {
	c.stop()
	return c.Store.Close()
}

var t0 = time.Date(2026, 1, 14, 23, 0, 0, 0, time.UTC)

const pv = district.SeriesID("fontaine/ecole/pv/power_kw")

func minutes(from, to int) []district.Sample {
	var out []district.Sample
	for i := from; i < to; i++ {
		out = append(out, district.Sample{Series: pv, Time: t0.Add(time.Duration(i) * time.Minute), Value: float64(i)})
	}
	return out
}

func read(t testing.TB, s store.Samples, sp timegrid.Span) (out []float64, err error) {
	t.Helper()
	err = s.Read(t.Context(), []district.SeriesID{pv}, sp, func(x district.Sample) error {
		out = append(out, x.Value)
		return nil
	})
	return out, err
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestAging: what the file has removed comes from the database, and while that is away a read says so rather than answer with less.
func TestAging(t *testing.T) {
	url := storetest.Database(t)
	s := newStore(t, opener(url), Options{})
	must(t, s.Append(t.Context(), minutes(0, 100)))
	cutoff := t0.Add(60 * time.Minute)
	if n, err := s.local.Age(t.Context(), cutoff); err != nil || n != 0 {
		t.Fatalf("aging removed %d rows that the database does not have, %v", n, err)
	}
	must(t, s.Drain(t.Context()))
	n, err := s.local.Age(t.Context(), cutoff)
	if err != nil || n != 60 {
		t.Fatalf("aging removed %d rows, want 60; %v", n, err)
	}
	all := timegrid.Span{Start: t0, End: t0.Add(100 * time.Minute)}
	got, err := read(t, s, all)
	if err != nil || len(got) != 100 {
		t.Fatalf("read %d samples across the horizon, want 100; %v", len(got), err)
	}
	late := district.Sample{Series: pv, Time: t0.Add(30 * time.Minute), Value: -1} // corrected after it was aged out
	must(t, s.Append(t.Context(), []district.Sample{late}))
	if got, err = read(t, s, all); err != nil || len(got) != 100 || got[30] != -1 || got[29] != 29 || got[31] != 31 {
		t.Fatalf("a late correction is not merged: %v, %v", got, err)
	}
	s.setDown(t.Context(), errNoServer)
	if got, err = read(t, s, all); !errors.Is(err, ErrAway) {
		t.Fatalf("a read of what only the database has gave %d samples and %v while it is away, want ErrAway", len(got), err)
	}
	if got, err = read(t, s, timegrid.Span{Start: cutoff, End: all.End}); err != nil || len(got) != 40 {
		t.Fatalf("the recent part gave %d samples, %v; want 40 without the database", len(got), err)
	}
	latest, err := s.Latest(t.Context(), []district.SeriesID{pv}, all.End)
	if err != nil || latest[pv].Value != 99 {
		t.Fatalf("latest is %v, %v; want 99 without the database", latest, err)
	}
	if _, err := s.Latest(t.Context(), []district.SeriesID{pv}, t0.Add(10*time.Minute)); !errors.Is(err, ErrAway) {
		t.Fatalf("latest as of an aged time gave %v, want ErrAway", err)
	}
}

// TestNewDisk: a new file in place of a lost one reads the record of the old one from the database, accounts included, and gives no id twice.
func TestNewDisk(t *testing.T) {
	url := storetest.Database(t)
	first := newStore(t, opener(url), Options{})
	must(t, first.Append(t.Context(), minutes(0, 10)))
	must(t, first.CreateUser(t.Context(), store.User{Name: "zoé", PasswordHash: "$argon2id$x", Role: store.Operator, CreatedAt: t0}))
	var ids [2]int64
	var err error
	ids[0], err = first.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: t0})
	must(t, err)
	must(t, first.Drain(t.Context()))

	second := newStore(t, opener(url), Options{})
	must(t, second.Drain(t.Context()))
	must(t, second.Append(t.Context(), minutes(9, 20)))
	got, err := read(t, second, timegrid.Span{Start: t0, End: t0.Add(time.Hour)})
	if err != nil || len(got) != 20 {
		t.Fatalf("%d samples with a new file, want 20; %v", len(got), err)
	}
	u, err := second.User(t.Context(), "zoé")
	if err != nil || u.PasswordHash != "$argon2id$x" {
		t.Fatalf("user of the old file: %+v, %v", u, err)
	}
	if err := second.CreateUser(t.Context(), u); !errors.Is(err, store.ErrExists) {
		t.Fatalf("creating a user whom the database has gave %v, want ErrExists", err)
	}
	u.Disabled = true
	must(t, second.UpdateUser(t.Context(), u))
	if ids[1], err = second.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: t0.Add(time.Minute)}); err != nil || ids[1] == ids[0] {
		t.Fatalf("plan ids %v, %v; want different ones", ids, err)
	}
	must(t, second.Drain(t.Context()))
	db, err := timescale.Open(t.Context(), url, timescale.Options{})
	must(t, err)
	defer db.Close()
	if ps, err := db.PlansBetween(t.Context(), "fontaine", timegrid.Span{Start: t0, End: t0.Add(time.Hour)}); err != nil || len(ps) != 2 {
		t.Errorf("the database has %d plans, want 2; %v", len(ps), err)
	}
	if u, err = db.User(t.Context(), "zoé"); err != nil || !u.Disabled {
		t.Errorf("the database has user %+v, %v; want the change of the new file", u, err)
	}
}

// TestDatabaseAddedLater: a record that was kept without a database goes into it whole when one is configured.
func TestDatabaseAddedLater(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	alone, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	must(t, err)
	must(t, alone.Append(t.Context(), minutes(0, 20000)))
	must(t, alone.SaveBalances(t.Context(), []balance.Row{{District: "fontaine", Site: "_", Start: t0, Step: 15 * time.Minute, ImportWh: 5}}))
	id, err := alone.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: t0})
	must(t, err)
	must(t, alone.AppendSetpoints(t.Context(), []district.Setpoint{{Time: t0, District: "fontaine", Site: "ecole", Device: "bess", PlanID: id}}))
	must(t, alone.AppendEvent(t.Context(), store.Event{Time: t0, Kind: store.AuditEvent, Action: "sign-in"}))
	must(t, alone.CreateUser(t.Context(), store.User{Name: "zoé", PasswordHash: "$argon2id$x", Role: store.Viewer, CreatedAt: t0}))
	must(t, alone.Close())

	url := storetest.Database(t)
	for range 2 { // the second time there is nothing to do
		local, err := sqlite.Open(t.Context(), path, sqlite.Options{Outbox: true})
		must(t, err)
		s := New(local, opener(url), Options{})
		must(t, s.Drain(t.Context()))
		st, err := s.Stats(t.Context())
		must(t, err)
		if st.OutboxRows != 0 || !st.DatabaseUp || st.Kind != "timescale" {
			t.Errorf("after shipping all, stats are %+v", st)
		}
		must(t, s.Close())
	}
	db, err := timescale.Open(t.Context(), url, timescale.Options{})
	must(t, err)
	defer db.Close()
	hour := timegrid.Span{Start: t0, End: t0.Add(time.Hour)}
	if got, err := read(t, db, timegrid.Span{Start: t0, End: t0.Add(20000 * time.Minute)}); err != nil || len(got) != 20000 {
		t.Errorf("the database has %d samples, want 20000; %v", len(got), err)
	}
	if p, err := db.Plan(t.Context(), id); err != nil || p.District != "fontaine" {
		t.Errorf("plan %d in the database: %v, %v", id, p, err)
	}
	if rows, err := db.Balances(t.Context(), "fontaine", "", hour); err != nil || len(rows) != 1 || rows[0].ImportWh != 5 {
		t.Errorf("balances in the database: %v, %v", rows, err)
	}
	if sps, err := db.Setpoints(t.Context(), "fontaine", "", "", hour, 0); err != nil || len(sps) != 1 || sps[0].PlanID != id {
		t.Errorf("set-points in the database: %v, %v", sps, err)
	}
	if evs, err := db.Events(t.Context(), nil, hour, 0); err != nil || len(evs) != 1 || evs[0].Action != "sign-in" {
		t.Errorf("events in the database: %v, %v", evs, err)
	}
	if u, err := db.User(t.Context(), "zoé"); err != nil || u.PasswordHash != "$argon2id$x" {
		t.Errorf("user in the database: %+v, %v", u, err)
	}
}
