package sqlite

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store/batch"
	"quartier/schemas/timegrid"
)

var t0 = time.Date(2026, 1, 14, 23, 0, 0, 0, time.UTC)

const pv = district.SeriesID("fontaine/ecole/pv/power_kw")

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// killRows is how many samples one write of the child has, all of the same value: the number of the write.
const killRows = 40

// killWrite returns the samples of write n, one a minute.
func killWrite(n int) []district.Sample {
	out := make([]district.Sample, killRows)
	for i := range out {
		out[i] = district.Sample{Series: pv, Time: t0.Add(time.Duration(n*killRows+i) * time.Minute), Value: float64(n)}
	}
	return out
}

// TestMain is also the child of [TestKill]: it writes from several goroutines and says what was acknowledged, until it is killed.
func TestMain(m *testing.M) {
	if path := os.Getenv("QUARTIER_TEST_KILL_PATH"); path != "" {
		first, _ := strconv.Atoi(os.Getenv("QUARTIER_TEST_KILL_FIRST"))
		writers, _ := strconv.Atoi(os.Getenv("QUARTIER_TEST_KILL_WRITERS"))
		s, err := Open(context.Background(), path, Options{Outbox: true})
		var next atomic.Int64
		next.Store(int64(first))
		var wg sync.WaitGroup
		if os.Getenv("QUARTIER_TEST_KILL_MOVES") != "" {
			wg.Go(func() {
				for ctx := context.Background(); err == nil && s.write(ctx, "pack", alone, s.moveAll) == nil && s.moveInSlices(ctx) == nil; {
				}
			})
		}
		for range writers {
			wg.Go(func() {
				for err == nil {
					n := int(next.Add(1)) - 1
					if err := s.Append(context.Background(), killWrite(n)); err != nil {
						fmt.Fprintln(os.Stderr, err)
						return
					}
					fmt.Println(n) // one system call: a line is whole or not there
				}
			})
		}
		wg.Wait()
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// TestKill kills a writing process again and again: what it was told is durable is there, whole, and in the outbox exactly once; a write that was
// under way is there whole or not at all.
func TestKill(t *testing.T) {
	for _, writers := range []int{1, 8} {
		for _, moves := range []string{"", "yes"} {
			t.Run(fmt.Sprintf("writers=%d/moves=%s", writers, moves), func(t *testing.T) {
				t.Parallel()
				kill(t, writers, moves)
			})
		}
	}
}

func kill(t *testing.T, writers int, moves string) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	rng := rand.New(rand.NewPCG(1, 1))
	first, told := 0, 0
	acked := map[int]bool{}
	for loop := range 6 {
		var stderr bytes.Buffer
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "QUARTIER_TEST_KILL_PATH="+path, "QUARTIER_TEST_KILL_FIRST="+strconv.Itoa(first), "QUARTIER_TEST_KILL_WRITERS="+strconv.Itoa(writers),
			"QUARTIER_TEST_KILL_MOVES="+moves)
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		if !lines.Scan() { // it has written at least once
			t.Fatalf("child wrote nothing: %s", stderr.String())
		}
		go func() {
			time.Sleep(time.Duration(rng.IntN(60)) * time.Millisecond)
			cmd.Process.Kill()
		}()
		for more := true; more; more = lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatalf("child says %q; %s", lines.Text(), stderr.String())
			}
			acked[n] = true
			told++
			first = max(first, n+1)
		}
		_ = cmd.Wait() // killed

		s := openAt(t, path, Options{Outbox: true})
		rows := of(t, s)
		for n := range acked {
			if rows[n] != killRows {
				t.Fatalf("loop %d: acknowledged write %d has %d rows, want %d", loop, n, rows[n], killRows)
			}
		}
		if extra := len(rows) - len(acked); extra > writers {
			t.Fatalf("loop %d: %d writes that nobody was told of, from %d writers", loop, extra, writers)
		}
		waiting := drainOutbox(t, s)
		for n := range rows {
			if rows[n] != killRows || waiting[n] != 1 {
				t.Fatalf("loop %d: write %d has %d rows and is %d times in the outbox, want %d and once", loop, n, rows[n], waiting[n], killRows)
			}
			acked[n] = true // it is durable, whether anybody was told or not
			first = max(first, n+1)
		}
		must(t, s.Close())
	}
	t.Logf("%d writes of %d samples acknowledged over 6 kills", told, killRows)
}

// drainOutbox counts the writes in the outbox by their number, without acknowledging any.
func drainOutbox(t *testing.T, s *Store) map[int]int {
	t.Helper()
	out := map[int]int{}
	rows, err := s.readers.QueryContext(t.Context(), "select body from outbox order by seq")
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var body []byte
		must(t, rows.Scan(&body))
		b, err := batch.Decode(body)
		must(t, err)
		if b.Len() != killRows {
			t.Fatalf("batch %d has %d rows, want %d", b.Seq, b.Len(), killRows)
		}
		out[int(b.Samples.Rows[0].Value)]++
	}
	must(t, rows.Err())
	return out
}

// TestTornTail cuts, zeroes and scrambles the end of the write-ahead log: the file opens, every row it gives is one that was written, whole writes
// only, and it takes new ones.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	origin := filepath.Join(dir, "origin.db")
	s := openAt(t, origin, Options{Outbox: true})
	for n := range 6 {
		must(t, s.Append(t.Context(), killWrite(n)))
	}
	// a copy of the two files while the store is open is what a power cut leaves
	db, err := os.ReadFile(origin)
	must(t, err)
	wal, err := os.ReadFile(origin + "-wal")
	must(t, err)
	rng := rand.New(rand.NewPCG(2, 2))
	dropped := 0
	for i := range 60 {
		torn := bytes.Clone(wal)
		at := rng.IntN(len(wal))
		how := []string{"cut", "zeroed", "scrambled", "one bit flipped"}[i%4]
		switch how {
		case "cut":
			torn = torn[:at]
		case "zeroed":
			clear(torn[at:])
		case "scrambled":
			for j := at; j < len(torn); j++ {
				torn[j] = byte(rng.Uint32())
			}
		case "one bit flipped":
			torn[at] ^= 1 << rng.IntN(8)
		}
		path := filepath.Join(dir, fmt.Sprintf("torn%d.db", i))
		must(t, os.WriteFile(path, db, 0o600))
		must(t, os.WriteFile(path+"-wal", torn, 0o600))
		s, err := Open(t.Context(), path, Options{Outbox: true})
		if err != nil {
			t.Fatalf("%s at %d of %d: %v", how, at, len(wal), err)
		}
		rows := map[int]int{}
		must(t, s.Read(t.Context(), []district.SeriesID{pv}, timegrid.Span{Start: t0, End: t0.Add(1e6 * time.Minute)}, func(x district.Sample) error {
			if n := int(x.Value); n < 0 || n > 5 {
				t.Fatalf("%s at %d: value %v was never written", how, at, x.Value)
			}
			rows[int(x.Value)]++
			return nil
		}))
		for n := range 6 {
			if rows[n] != 0 && rows[n] != killRows || rows[n] == 0 && len(rows) > n {
				t.Fatalf("%s at %d: writes are %v, want whole ones from the first", how, at, rows)
			}
		}
		dropped += 6 - len(rows)
		if waiting := drainOutbox(t, s); len(waiting) != len(rows) {
			t.Fatalf("%s at %d: %d writes and %d batches", how, at, len(rows), len(waiting))
		}
		must(t, s.Append(t.Context(), killWrite(9)))
		must(t, s.Close())
	}
	if dropped == 0 {
		t.Error("no damage reached the log: the test tests nothing")
	}
}

// damage changes the body of a batch behind the store's back.
func damage(t *testing.T, s *Store, seq int64, change func([]byte) []byte) {
	t.Helper()
	must(t, s.write(t.Context(), "damage", 1, func(ctx context.Context) (func(), error) {
		var body []byte
		if err := s.conn.QueryRowContext(ctx, "select body from outbox where seq=?", seq).Scan(&body); err != nil {
			return nil, err
		}
		_, err := s.conn.ExecContext(ctx, "update outbox set body=? where seq=?", change(body), seq)
		return nil, err
	}))
}

// TestDamagedBatch: a damaged batch is named and never unpacked, the ones around it go on, and its rows are packed again from the tables.
func TestDamagedBatch(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"zeroed":  func(b []byte) []byte { return make([]byte, len(b)) },
		"cut":     func(b []byte) []byte { return b[:len(b)-7] },
		"empty":   func([]byte) []byte { return []byte{} },
		"flipped": func(b []byte) []byte { b[len(b)/2] ^= 4; return b },
	} {
		t.Run(name, func(t *testing.T) {
			s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{Outbox: true})
			for n := range 3 {
				must(t, s.Append(t.Context(), killWrite(n)))
			}
			damage(t, s, 2, change)
			waiting, err := s.Waiting(t.Context(), 1000)
			must(t, err)
			if len(waiting) != 3 || waiting[0].Damage != nil || waiting[2].Damage != nil {
				t.Fatalf("waiting batches are %+v, want three with the second damaged", waiting)
			}
			if w := waiting[1]; w.Batch != nil || !errors.Is(w.Damage, batch.ErrCorrupt) || w.Seq != 2 || w.Rows != killRows {
				t.Fatalf("damaged batch is %+v", w)
			}
			must(t, s.Repair(t.Context(), waiting[1]))
			must(t, s.Acknowledge(t.Context(), []int64{1, 3}))
			again, err := s.Waiting(t.Context(), 1000)
			must(t, err)
			got := map[float64]int{}
			for _, w := range again {
				must(t, w.Damage)
				for _, r := range w.Batch.Samples.Rows {
					got[r.Value]++
				}
			}
			if got[1] != killRows {
				t.Errorf("after the repair %v rows of each write wait, want all %d of the damaged one", got, killRows)
			}
		})
	}
	t.Run("a batch in another's place", func(t *testing.T) {
		s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{Outbox: true})
		must(t, s.Append(t.Context(), killWrite(0)))
		must(t, s.Append(t.Context(), killWrite(1)))
		var first []byte
		must(t, s.readers.QueryRowContext(t.Context(), "select body from outbox where seq=1").Scan(&first))
		damage(t, s, 2, func([]byte) []byte { return first })
		waiting, err := s.Waiting(t.Context(), 1000)
		must(t, err)
		if len(waiting) != 2 || !errors.Is(waiting[1].Damage, batch.ErrCorrupt) {
			t.Errorf("an old batch in the place of a new one passes: %+v", waiting)
		}
	})
}

// TestDiskFull: a write that the disk cannot take says so in words, writes nothing, and the store goes on when there is room again.
func TestDiskFull(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	s := openAt(t, path, Options{Outbox: true})
	must(t, s.Append(t.Context(), killWrite(0)))
	limit := func(pages int) {
		must(t, s.conn.QueryRowContext(t.Context(), fmt.Sprintf("pragma max_page_count=%d", pages)).Scan(&pages))
	}
	limit(1) // SQLite keeps it at the present size: the file may not grow
	big := make([]district.Sample, 20000)
	for i := range big {
		big[i] = district.Sample{Series: "fontaine/ecole/meter/power_kw", Time: t0.Add(time.Duration(i) * time.Second)}
	}
	err := s.Append(t.Context(), big)
	if err == nil || !strings.Contains(err.Error(), "the disk is full") || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "20000 samples") {
		t.Fatalf("append to a full disk: %v", err)
	}
	n := 0
	must(t, s.Read(t.Context(), []district.SeriesID{big[0].Series, pv}, timegrid.Span{Start: t0, End: t0.Add(1e6 * time.Minute)}, func(district.Sample) error { n++; return nil }))
	if n != killRows {
		t.Fatalf("after the failed append there are %d samples, want the %d from before", n, killRows)
	}
	limit(1 << 30)
	must(t, s.Append(t.Context(), big))
}

// TestOpenRefuses: what cannot be opened is named with its cause, and is left as it was.
func TestOpenRefuses(t *testing.T) {
	dir := t.TempDir()
	newer := filepath.Join(dir, "newer.db")
	must(t, openAt(t, newer, Options{}).Close())
	raw, err := sql.Open("sqlite", newer)
	must(t, err)
	_, err = raw.Exec("pragma user_version=99")
	must(t, errors.Join(err, raw.Close()))
	foreign := filepath.Join(dir, "foreign.db")
	raw, err = sql.Open("sqlite", foreign)
	must(t, err)
	_, err = raw.Exec("create table photos(id)")
	must(t, errors.Join(err, raw.Close()))
	text := filepath.Join(dir, "notes.txt")
	must(t, os.WriteFile(text, []byte(strings.Repeat("no database\n", 100)), 0o600))
	for _, tt := range []struct {
		name, path string
		words      []string
	}{
		{"a newer schema", newer, []string{newer, "version 99", "newer"}},
		{"another program's database", foreign, []string{foreign, "another program"}},
		{"no database", text, []string{text, "no SQLite database"}},
		{"no folder", filepath.Join(dir, "missing", "quartier.db"), []string{"missing", "no such file"}},
		{"a folder", dir, []string{dir}},
		{"a folder that cannot be made into", "/proc/quartier.db", []string{"/proc/quartier.db"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before, _ := os.ReadFile(tt.path)
			_, err := Open(t.Context(), tt.path, Options{})
			if err == nil {
				t.Fatal("it opened")
			}
			for _, w := range tt.words {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %q does not say %q", err, w)
				}
			}
			if after, _ := os.ReadFile(tt.path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
}

// TestReopen: everything is there after a close, ids go on growing, and nothing migrates twice.
func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	var last int64
	for i := range 3 {
		s := openAt(t, path, Options{})
		id, err := s.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: t0})
		must(t, err)
		if id <= last {
			t.Fatalf("plan id %d after %d across a close", id, last)
		}
		last = id
		must(t, s.SaveBalances(t.Context(), []balance.Row{{District: "fontaine", Site: "_", Start: t0.Add(time.Duration(i) * time.Hour), Step: time.Hour}}))
		must(t, s.Append(t.Context(), killWrite(i)))
		must(t, s.Close())
	}
	s := openAt(t, path, Options{})
	rows, err := s.Balances(t.Context(), "fontaine", "_", timegrid.Span{Start: t0, End: t0.Add(24 * time.Hour)})
	must(t, err)
	st, err := s.Stats(t.Context())
	must(t, err)
	if len(rows) != 3 || st.Samples != 3*killRows {
		t.Errorf("after three openings %d balances and %d samples, want 3 and %d", len(rows), st.Samples, 3*killRows)
	}
	if _, err := os.Stat(path + "-wal"); err != nil {
		t.Errorf("no write-ahead log beside the open file: %v", err)
	}
	var mode string
	var full int
	must(t, s.conn.QueryRowContext(t.Context(), "pragma journal_mode").Scan(&mode))
	must(t, s.conn.QueryRowContext(t.Context(), "pragma synchronous").Scan(&full))
	if mode != "wal" || full != 2 {
		t.Errorf("journal_mode %s, synchronous %d; want wal and 2 (FULL)", mode, full)
	}
}

// TestOutboxSwitched: rows that were written while the outbox was off are in it after it is on again.
func TestOutboxSwitched(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	for n, on := range []bool{true, false, true, true} {
		s := openAt(t, path, Options{Outbox: on})
		if on {
			waiting := map[float64]bool{}
			ws, err := s.Waiting(t.Context(), 1_000_000)
			must(t, err)
			for _, w := range ws {
				must(t, w.Damage)
				for _, r := range w.Batch.Samples.Rows {
					waiting[r.Value] = true
				}
			}
			for i := range n {
				if !waiting[float64(i)] {
					t.Errorf("opening %d: write %d waits nowhere", n, i)
				}
			}
		} else if _, err := s.Age(t.Context(), t0); err == nil {
			t.Error("rows may be aged out of a file without an outbox")
		}
		must(t, s.Append(t.Context(), killWrite(n)))
		must(t, s.Close())
	}
}

// TestTwoProcesses: a second program may read and write the same file, such as an import beside the service.
func TestTwoProcesses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	a, b := openAt(t, path, Options{Outbox: true}), openAt(t, path, Options{Outbox: true})
	for n := range 20 {
		must(t, []*Store{a, b}[n%2].Append(t.Context(), killWrite(n)))
	}
	for n := range 2 {
		if w := drainOutbox(t, []*Store{a, b}[n]); len(w) != 20 {
			t.Errorf("%d writes in the outbox, want 20", len(w))
		}
	}
}
