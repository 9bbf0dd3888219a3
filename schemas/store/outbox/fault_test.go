package outbox

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/logtest"
	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/store/storetest"
	"quartier/schemas/store/timescale"
	"quartier/schemas/timegrid"
)

// eventually waits for a condition that an asynchronous relay brings about within a second or two; it waits thirty times that.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after a minute: not %s", what)
		}
	}
}

func drained(t *testing.T, s *Store) func() bool {
	return func() bool {
		st, err := s.Stats(t.Context())
		must(t, err)
		return st.OutboxRows == 0
	}
}

// TestDatabaseKilled cuts the database off again and again in the middle of ingestion: no write fails or waits for it, and in the end the database
// has every sample once and the last correction of each, set-points and events in their order and once.
func TestDatabaseKilled(t *testing.T) {
	url := storetest.Database(t)
	proxy, through := storetest.DatabaseProxy(t, url)
	s := newStore(t, opener(through+"&connect_timeout=2"), Options{BatchRows: 500})
	stop := start(t, s)
	rng := rand.New(rand.NewPCG(3, 3))
	const rounds, each = 60, 200
	var slowest time.Duration
	for round := range rounds {
		switch round % 10 {
		case 3:
			proxy.Cut()
		case 8:
			proxy.Mend(t)
		}
		began := time.Now()
		in := minutes(round*each, (round+1)*each)
		if round > 0 { // and corrections of the round before
			for i := range 20 {
				x := minutes((round-1)*each+i, (round-1)*each+i+1)[0]
				x.Value = -x.Value
				in = append(in, x)
			}
		}
		must(t, s.Append(t.Context(), in))
		must(t, s.AppendSetpoints(t.Context(), []district.Setpoint{{Time: t0.Add(time.Duration(round) * time.Second), District: "fontaine", PlanID: int64(round)}}))
		must(t, s.AppendEvent(t.Context(), store.Event{Time: t0.Add(time.Duration(round) * time.Second), Kind: store.SystemEvent, Action: "round"}))
		slowest = max(slowest, time.Since(began))
		time.Sleep(time.Duration(rng.IntN(15)) * time.Millisecond)
	}
	t.Logf("slowest round %v", slowest)
	eventually(t, "caught up", drained(t, s))
	stop()

	db, err := timescale.Open(t.Context(), url, timescale.Options{})
	must(t, err)
	defer db.Close()
	all := timegrid.Span{Start: t0, End: t0.Add(rounds * each * time.Minute)}
	got, err := read(t, db, all)
	if err != nil || len(got) != rounds*each {
		t.Fatalf("the database has %d samples, want %d; %v", len(got), rounds*each, err)
	}
	for i, v := range got {
		want := float64(i)
		if i%each < 20 && i < (rounds-1)*each {
			want = -want
		}
		if v != want {
			t.Fatalf("sample %d is %v, want %v", i, v, want)
		}
	}
	sps, err := db.Setpoints(t.Context(), "fontaine", "", "", all, 0)
	must(t, err)
	evs, err := db.Events(t.Context(), nil, all, 0)
	must(t, err)
	if len(sps) != rounds || len(evs) != rounds {
		t.Fatalf("the database has %d set-points and %d events, want %d of each", len(sps), len(evs), rounds)
	}
	for i, sp := range sps {
		if sp.PlanID != int64(rounds-1-i) {
			t.Fatalf("set-point %d is of round %d, want %d", i, sp.PlanID, rounds-1-i)
		}
	}
}

// TestAwayAtStart: with the database away from the start everything works on the local disk, the state says since when how much waits, and one line of the
// log says so; when it comes, all is caught up.
func TestAwayAtStart(t *testing.T) {
	url := storetest.Database(t)
	proxy, through := storetest.DatabaseProxy(t, url)
	proxy.Cut()
	log := &logtest.Buffer{}
	s := newStore(t, opener(through), Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	start(t, s)
	before := time.Now()
	must(t, s.Append(t.Context(), minutes(0, 50)))
	eventually(t, "noticed that the database is away", func() bool { return strings.Contains(log.String(), "database away") })
	st, err := s.Stats(t.Context())
	must(t, err)
	if st.DatabaseUp || st.DatabaseDetail == "" || st.OutboxRows != 50 || st.OutboxSince.Before(before.Add(-time.Second)) || st.Kind != "sqlite" {
		t.Errorf("stats while the database is away: %+v", st)
	}
	must(t, s.Ping(t.Context()))
	if got, err := read(t, s, timegrid.Span{Start: t0, End: t0.Add(time.Hour)}); err != nil || len(got) != 50 {
		t.Errorf("read %d samples, %v; want 50 while the database is away", len(got), err)
	}
	proxy.Mend(t)
	eventually(t, "caught up", drained(t, s))
	if st, err = s.Stats(t.Context()); err != nil || !st.DatabaseUp || !st.OutboxSince.IsZero() || st.Kind != "timescale" {
		t.Errorf("stats after catching up: %+v, %v", st, err)
	}
	if n := strings.Count(log.String(), "database away"); n != 1 {
		t.Errorf("the log says %d times that the database is away, want once:\n%s", n, log.String())
	}
}

// TestServerEndsSessions: the server ends our sessions while data flows, as an administrator or a restart does.
func TestServerEndsSessions(t *testing.T) {
	url := storetest.Database(t)
	s := newStore(t, opener(url+"&application_name=quartier_ended"), Options{BatchRows: 100})
	start(t, s)
	admin, err := timescale.Open(t.Context(), url, timescale.Options{})
	must(t, err)
	defer admin.Close()
	for round := range 30 {
		must(t, s.Append(t.Context(), minutes(round*100, (round+1)*100)))
		if round%5 == 4 {
			must(t, storetest.EndSessions(t.Context(), url, "quartier_ended"))
		}
		time.Sleep(5 * time.Millisecond)
	}
	eventually(t, "caught up", drained(t, s))
	if got, err := read(t, admin, timegrid.Span{Start: t0, End: t0.Add(3000 * time.Minute)}); err != nil || len(got) != 3000 {
		t.Errorf("the database has %d samples, want 3000; %v", len(got), err)
	}
	if n := s.Refused(); n != 0 {
		t.Errorf("%d batches were set aside for an end of the session", n)
	}
}

// TestPoisonedBatch: data that the database can never take is set aside with an event that says so, and what follows goes on.
func TestPoisonedBatch(t *testing.T) {
	url := storetest.Database(t)
	s := newStore(t, opener(url), Options{})
	must(t, s.Append(t.Context(), minutes(0, 10)))
	must(t, s.Drain(t.Context()))
	// a rule that somebody added to the table
	must(t, storetest.Exec(t.Context(), url, "alter table sample add constraint small check (value < 1000)"))
	must(t, s.Append(t.Context(), minutes(10, 20)))
	bad := minutes(18, 25) // one bad row among good ones
	bad[2].Value = 5000
	must(t, s.Append(t.Context(), bad))
	must(t, s.Append(t.Context(), minutes(25, 30)))
	must(t, s.Drain(t.Context()))
	if s.Refused() != 1 {
		t.Errorf("%d batches were set aside, want the bad one", s.Refused())
	}
	db, err := timescale.Open(t.Context(), url, timescale.Options{})
	must(t, err)
	defer db.Close()
	if got, err := read(t, db, timegrid.Span{Start: t0, End: t0.Add(time.Hour)}); err != nil || len(got) != 29 {
		t.Errorf("the database has %d samples, want 29; %v", len(got), err)
	}
	if got, err := read(t, s, timegrid.Span{Start: t0, End: t0.Add(time.Hour)}); err != nil || len(got) != 30 {
		t.Errorf("the store gives %d samples, want all 30; %v", len(got), err)
	}
	evs, err := s.Events(t.Context(), []store.EventKind{store.SystemEvent}, timegrid.Span{End: time.Now().Add(time.Hour)}, 10)
	if err != nil || len(evs) != 1 || evs[0].Action != "outbox-refused" || !strings.Contains(evs[0].Detail, "small") ||
		!strings.HasPrefix(evs[0].Detail, "1 rows of ") {
		t.Errorf("events about the batch: %+v, %v", evs, err)
	}
	// its rows stay on the local disk: they are nowhere else
	if _, err := s.local.Age(t.Context(), t0.Add(25*time.Minute)); err != nil {
		t.Fatal(err)
	}
	if got, err := read(t, s, timegrid.Span{Start: t0.Add(20 * time.Minute), End: t0.Add(21 * time.Minute)}); err != nil || len(got) != 1 || got[0] != 5000 {
		t.Errorf("the refused sample reads as %v, %v", got, err)
	}
}

// TestRunEnds: the relay ends at once when it is told to, also in the middle of a wait.
func TestRunEnds(t *testing.T) {
	for name, open := range map[string]Opener{"away": away, "hanging": func(ctx context.Context) (*timescale.Store, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}} {
		t.Run(name, func(t *testing.T) {
			s := newStore(t, open, Options{})
			ctx, cancel := context.WithCancel(t.Context())
			done := make(chan error)
			go func() { done <- s.Run(ctx) }()
			time.Sleep(20 * time.Millisecond)
			cancel()
			select {
			case err := <-done:
				if err != nil && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
			case <-time.After(10 * time.Second):
				t.Fatal("the relay did not end within 10 s")
			}
		})
	}
}

// TestDamagedBatch: a batch that the disk damaged is reported and its rows reach the database all the same, from the tables of the file.
func TestDamagedBatch(t *testing.T) {
	url := storetest.Database(t)
	path := filepath.Join(t.TempDir(), "outbox.db")
	local, err := sqlite.Open(t.Context(), path, sqlite.Options{Outbox: true})
	must(t, err)
	log := &logtest.Buffer{}
	s := New(local, opener(url), Options{Log: slog.New(slog.NewTextHandler(log, nil))})
	defer s.Close()
	for n := range 5 {
		must(t, s.Append(t.Context(), minutes(n*10, n*10+10)))
	}
	raw, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = raw.Exec("update outbox set body=zeroblob(length(body)) where seq=3")
	must(t, errors.Join(err, raw.Close()))
	must(t, s.Drain(t.Context()))
	db, err := timescale.Open(t.Context(), url, timescale.Options{})
	must(t, err)
	defer db.Close()
	got, err := read(t, db, timegrid.Span{Start: t0, End: t0.Add(time.Hour)})
	if err != nil || len(got) != 50 {
		t.Fatalf("the database has %d samples, want 50; %v", len(got), err)
	}
	evs, err := s.Events(t.Context(), []store.EventKind{store.SystemEvent}, timegrid.Span{End: time.Now().Add(time.Hour)}, 10)
	if err != nil || len(evs) != 1 || evs[0].Action != "outbox-damaged" || s.Refused() != 1 || !strings.Contains(log.String(), "seq=3") {
		t.Errorf("the damage is told by events %+v, %v, count %d, log %s", evs, err, s.Refused(), log.String())
	}
	if n, err := s.local.Age(t.Context(), t0.Add(30*time.Minute)); err != nil || n != 30 {
		t.Errorf("%d rows were aged out after the repair, want 30; %v", n, err)
	}
}
