package outbox

import (
	"context"
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/storetest"
	"quartier/schemas/timegrid"
)

// oldFile is a store whose file was made long before every row of the tests, so that it could hold them all.
func oldFile(t testing.TB, open Opener) *Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "outbox.db")
	must(t, storeAt(t, path, away, Options{}).Close())
	file, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = file.Exec("update meta set value=0 where key='kept_from_us'")
	must(t, errors.Join(err, file.Close()))
	return storeAt(t, path, open, Options{})
}

// twoMachines reads on one machine what another one writes, through one database. Accounts are its own.
type twoMachines struct {
	*Store
	other *Store
}

func (m twoMachines) both(err error) error {
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := m.other.Drain(ctx); err != nil {
		return err
	}
	db, err := m.connected(ctx)
	if err != nil {
		return err
	}
	return m.look(ctx, db) // as the relay does every half minute
}

func (m twoMachines) Append(ctx context.Context, x []district.Sample) error {
	return m.both(m.other.Append(ctx, x))
}
func (m twoMachines) SaveBalances(ctx context.Context, x []balance.Row) error {
	return m.both(m.other.SaveBalances(ctx, x))
}
func (m twoMachines) SavePlan(ctx context.Context, p *district.Plan) (int64, error) {
	id, err := m.other.SavePlan(ctx, p)
	return id, m.both(err)
}
func (m twoMachines) AppendSetpoints(ctx context.Context, x []district.Setpoint) error {
	return m.both(m.other.AppendSetpoints(ctx, x))
}
func (m twoMachines) AppendEvent(ctx context.Context, e store.Event) error {
	return m.both(m.other.AppendEvent(ctx, e))
}
func (m twoMachines) Close() error { return errors.Join(m.other.Close(), m.Store.Close()) }

// TestSecondMachine: a second file in front of one database, made before the rows of the first, answers with the rows of both; while the database is away it says what it
// lacks, also after a restart, and answers for the time that it holds alone.
func TestSecondMachine(t *testing.T) {
	url := storetest.Database(t)
	path := filepath.Join(t.TempDir(), "second.db")
	first, second := newStore(t, opener(url), Options{}), storeAt(t, path, opener(url), Options{})
	now := time.Now().Add(time.Hour).Truncate(time.Minute).UTC() // after both files were made
	at := func(i int) time.Time { return now.Add(time.Duration(i) * time.Minute) }
	rows := func(from, to int) (out []district.Sample) {
		for i := from; i < to; i++ {
			out = append(out, district.Sample{Series: pv, Time: at(i), Value: float64(i)})
		}
		return out
	}
	row := func(i int) balance.Row {
		return balance.Row{District: "fontaine", Site: "_", Start: at(i), Step: time.Minute, ImportWh: 5, OtherWh: 5}
	}
	all := timegrid.Span{Start: now, End: at(100)}
	must(t, second.Drain(t.Context())) // it has met the database before anybody wrote there
	must(t, first.Append(t.Context(), rows(0, 60)))
	must(t, first.SaveBalances(t.Context(), []balance.Row{row(0), row(1)}))
	if _, err := first.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: at(59)}); err != nil {
		t.Fatal(err)
	}
	must(t, first.Drain(t.Context()))
	must(t, second.Append(t.Context(), rows(50, 80))) // waits in the second file
	must(t, second.SaveBalances(t.Context(), []balance.Row{row(2)}))
	if _, err := second.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: at(10)}); err != nil {
		t.Fatal(err)
	}
	db, err := second.connected(t.Context())
	must(t, errors.Join(err, second.look(t.Context(), db)))
	if got, err := read(t, second, all); err != nil || len(got) != 80 || got[0] != 0 || got[79] != 79 {
		t.Fatalf("%d samples of both machines, want 80; %v", len(got), err)
	}
	if got, err := second.Balances(t.Context(), "fontaine", "_", all); err != nil || len(got) != 3 {
		t.Errorf("%d balance rows of both machines, want 3; %v", len(got), err)
	}
	if p, err := second.LatestPlan(t.Context(), "fontaine", at(100)); err != nil || !p.CreatedAt.Equal(at(59)) {
		t.Errorf("latest plan %+v, %v; want the first machine's", p, err)
	}
	if got, err := second.Latest(t.Context(), []district.SeriesID{pv}, at(30)); err != nil || got[pv].Value != 30 {
		t.Errorf("latest sample as of the first machine's time: %v, %v", got, err)
	}
	for _, restarted := range []bool{false, true} {
		if restarted {
			must(t, second.Close())
			second = storeAt(t, path, away, Options{})
		}
		second.setDown(t.Context(), errNoServer)
		if got, err := read(t, second, all); !errors.Is(err, ErrAway) {
			t.Errorf("restarted %v: a read of what only the database has gave %d samples and %v, want ErrAway", restarted, len(got), err)
		}
		if _, err := second.Balances(t.Context(), "fontaine", "_", all); !errors.Is(err, ErrAway) {
			t.Errorf("restarted %v: balances of what only the database has gave %v, want ErrAway", restarted, err)
		}
		if got, err := read(t, second, timegrid.Span{Start: at(60), End: at(100)}); err != nil || len(got) != 20 {
			t.Errorf("restarted %v: %d samples of the file's own time, want 20 without the database; %v", restarted, len(got), err)
		}
		if got, err := second.Latest(t.Context(), []district.SeriesID{pv}, at(100)); err != nil || got[pv].Value != 79 {
			t.Errorf("restarted %v: latest sample %v, %v", restarted, got, err)
		}
	}
}

// TestFilePutBack: a file that was put back from an older copy answers with what it had shipped since the copy.
func TestFilePutBack(t *testing.T) {
	url := storetest.Database(t)
	path := filepath.Join(t.TempDir(), "outbox.db")
	now := time.Now().Add(time.Hour).Truncate(time.Minute).UTC()
	write := func(s *Store, from, to int) {
		var out []district.Sample
		for i := from; i < to; i++ {
			out = append(out, district.Sample{Series: pv, Time: now.Add(time.Duration(i) * time.Minute), Value: float64(i)})
		}
		must(t, s.Append(t.Context(), out))
		must(t, s.Drain(t.Context()))
		must(t, s.Close())
	}
	write(storeAt(t, path, opener(url), Options{}), 0, 10)
	old, err := os.ReadFile(path)
	must(t, err)
	write(storeAt(t, path, opener(url), Options{}), 10, 20)
	for _, name := range []string{path + "-wal", path + "-shm"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
	}
	must(t, os.WriteFile(path, old, 0o600))
	s := storeAt(t, path, opener(url), Options{})
	must(t, s.Drain(t.Context()))
	all := timegrid.Span{Start: now, End: now.Add(time.Hour)}
	if got, err := read(t, s, all); err != nil || len(got) != 20 {
		t.Fatalf("%d samples with the older copy, want 20; %v", len(got), err)
	}
	s.setDown(t.Context(), errNoServer)
	if got, err := read(t, s, all); !errors.Is(err, ErrAway) {
		t.Errorf("without the database the older copy gave %d samples and %v, want ErrAway", len(got), err)
	}
}
