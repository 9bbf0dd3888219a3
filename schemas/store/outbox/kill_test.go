package outbox

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/store/storetest"
	"quartier/schemas/store/timescale"
	"quartier/schemas/timegrid"
)

// killRows is how many samples one write of the child has, a minute apart, all of the same value: the number of the write.
const killRows = 40

func killWrite(n int) []district.Sample {
	out := make([]district.Sample, killRows)
	for i := range out {
		out[i] = district.Sample{Series: pv, Time: t0.Add(time.Duration(n*killRows+i) * time.Minute), Value: float64(n)}
	}
	return out
}

// killEnd is after every sample of the child, as the clock of rollups and packing.
var killEnd = t0.Add(4000 * 24 * time.Hour)

// TestMain is also the child of [TestKill]: it writes, ships, refreshes rollups, packs and ages, all at once, says what was acknowledged, and is killed.
func TestMain(m *testing.M) {
	path := os.Getenv("QUARTIER_TEST_KILL_PATH")
	if path == "" {
		os.Exit(m.Run())
	}
	ctx := context.Background()
	first, _ := strconv.Atoi(os.Getenv("QUARTIER_TEST_KILL_FIRST"))
	local, err := sqlite.Open(ctx, path, sqlite.Options{Outbox: true})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	s := New(local, opener(os.Getenv("QUARTIER_TEST_KILL_URL")), Options{Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	go s.Run(ctx)
	for _, work := range []func() error{
		func() error { return s.Refresh(ctx, killEnd) },
		func() error { return s.Pack(ctx, killEnd) },
		func() error { _, err := local.Age(ctx, t0.Add(3*24*time.Hour)); return err },
	} {
		go func() {
			for ; ; time.Sleep(5 * time.Millisecond) {
				if err := work(); err != nil {
					fmt.Fprintln(os.Stderr, err)
				}
			}
		}()
	}
	for n := first; ; n++ {
		if err := s.Append(ctx, killWrite(n)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(n) // one system call: a line is whole or not there
		time.Sleep(time.Millisecond)
	}
}

// TestKill kills a process again and again that writes, ships, makes rollups, packs and ages at the same time: in the end every sample that it was told is durable is in the database
// once, whether as a row or packed, and the rollups are what the samples say.
func TestKill(t *testing.T) {
	url, path := storetest.Database(t), filepath.Join(t.TempDir(), "outbox.db")
	rng := rand.New(rand.NewPCG(2, 2))
	acked := 0 // the writes are numbered from 0 on
	for loop := range 5 {
		var stderr bytes.Buffer
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "QUARTIER_TEST_KILL_PATH="+path, "QUARTIER_TEST_KILL_URL="+url, "QUARTIER_TEST_KILL_FIRST="+strconv.Itoa(acked))
		cmd.Stderr = &stderr
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		lines := bufio.NewScanner(out)
		if !lines.Scan() {
			t.Fatalf("loop %d: the child wrote nothing: %s", loop, stderr.String())
		}
		go func() {
			time.Sleep(time.Duration(100+rng.IntN(600)) * time.Millisecond)
			cmd.Process.Kill()
		}()
		for more := true; more; more = lines.Scan() {
			n, err := strconv.Atoi(lines.Text())
			if err != nil {
				t.Fatalf("loop %d: the child says %q; %s", loop, lines.Text(), stderr.String())
			}
			acked = n + 1
		}
		_ = cmd.Wait() // killed
	}
	s := storeAt(t, path, opener(url), Options{})
	must(t, s.Drain(t.Context()))
	db, err := timescale.Open(t.Context(), url, timescale.Options{})
	must(t, err)
	defer db.Close()
	sp := timegrid.Span{Start: t0, End: killEnd}
	for range 2 {
		for place, read := range map[string]func(context.Context, []district.SeriesID, timegrid.Span, func(district.Sample) error) error{"database": db.Read, "file and database": s.Read} {
			n := 0
			must(t, read(t.Context(), []district.SeriesID{pv}, sp, func(x district.Sample) error {
				if want := t0.Add(time.Duration(n) * time.Minute); !x.Time.Equal(want) || x.Value != float64(n/killRows) {
					return fmt.Errorf("%s: sample %d is %v at %v, want %v at %v", place, n, x.Value, x.Time, n/killRows, want)
				}
				n++
				return nil
			}))
			if n < acked*killRows || n > (acked+1)*killRows || n%killRows != 0 {
				t.Errorf("%s: %d samples, want the %d that were acknowledged, and at most one write more", place, n, acked*killRows)
			}
		}
		var kept, computed []rollup.Row
		must(t, db.Rollup(t.Context(), []district.SeriesID{pv}, sp, rollup.Quarter, time.UTC, func(r rollup.Row) error { kept = append(kept, r); return nil }))
		must(t, rollup.Compute(t.Context(), db, []district.SeriesID{pv}, sp, rollup.Quarter, time.UTC, func(r rollup.Row) error { computed = append(computed, r); return nil }))
		if len(kept) != len(computed) {
			t.Fatalf("%d quarter-hours are kept, %d are in the samples", len(kept), len(computed))
		}
		for i := range kept {
			if kept[i] != computed[i] {
				t.Fatalf("quarter-hour %+v, its samples say %+v", kept[i], computed[i])
			}
		}
		must(t, db.Refresh(t.Context(), killEnd))
		must(t, db.Pack(t.Context(), killEnd))
	}
	t.Logf("%d writes of %d samples acknowledged over 5 kills", acked, killRows)
}

// TestCatchUp: a day of samples that waited while the database was away goes there while new ones are written, of which none waits for it, in the order in which all were written.
func TestCatchUp(t *testing.T) {
	url := storetest.Database(t)
	gone := true
	s := newStore(t, func(ctx context.Context) (*timescale.Store, error) {
		if gone {
			return nil, errNoServer
		}
		return timescale.Open(ctx, url, timescale.Options{})
	}, Options{BatchRows: 2000})
	const series, day = 60, 24 * 60
	of := func(minute int) []district.Sample {
		in := make([]district.Sample, series)
		for i := range in {
			in[i] = district.Sample{Series: district.SeriesID(fmt.Sprintf("fontaine/s%02d/meter/power_kw", i)), Time: t0.Add(time.Duration(minute) * time.Minute), Value: float64(minute)}
		}
		return in
	}
	for from := 0; from < day; from += 10 {
		var in []district.Sample
		for minute := from; minute < from+10; minute++ {
			in = append(in, of(minute)...)
		}
		must(t, s.Append(t.Context(), in))
	}
	if err := s.Drain(t.Context()); err == nil {
		t.Fatal("a database that is away took something")
	}
	gone = false
	start(t, s)
	minute, slowest := day, time.Duration(0)
	for behind := true; behind; minute++ {
		began := time.Now()
		must(t, s.Append(t.Context(), of(minute)))
		slowest = max(slowest, time.Since(began))
		st, err := s.Stats(t.Context())
		must(t, err)
		behind = st.OutboxRows > 10*series
		time.Sleep(2 * time.Millisecond)
	}
	if slowest > 5*time.Second { // a transaction of a file takes milliseconds
		t.Errorf("a write took %v while the day was caught up", slowest)
	}
	eventually(t, "everything in the database", drained(t, s))
	db, err := timescale.Open(t.Context(), url, timescale.Options{})
	must(t, err)
	defer db.Close()
	n := 0
	must(t, db.Read(t.Context(), []district.SeriesID{of(0)[7].Series}, timegrid.Span{Start: t0, End: t0.Add(1000 * time.Hour)}, func(x district.Sample) error {
		if x.Value != float64(n) {
			return fmt.Errorf("sample %d is %v", n, x.Value)
		}
		n++
		return nil
	}))
	if n != minute {
		t.Errorf("%d samples of a series in the database, want %d", n, minute)
	}
	t.Logf("%d samples caught up beside %d new ones, the slowest write took %v", day*series, (minute-day)*series, slowest)
}
