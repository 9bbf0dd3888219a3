package sqlite

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	sqlite "modernc.org/sqlite"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// onCommit calls f before each commit; a commit for which it returns false is undone by SQLite.
func onCommit(t *testing.T, s *Store, f func() bool) {
	t.Helper()
	must(t, s.conn.Raw(func(c any) error {
		c.(sqlite.HookRegisterer).RegisterCommitHook(func() int32 {
			if f() {
				return 0
			}
			return 1
		})
		return nil
	}))
}

// held begins a write that lasts until release is called, and waits until n calls queue behind it.
func held(t *testing.T, s *Store) (queued func(n int), release func()) {
	t.Helper()
	begun, end := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := s.write(t.Context(), "hold the file", 1, func(context.Context) (func(), error) { close(begun); <-end; return nil, nil }); err != nil {
			t.Errorf("the write that holds the file: %v", err)
		}
	})
	<-begun
	return func(n int) {
			for limit := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
				s.queueMu.Lock()
				waiting := len(s.queue)
				s.queueMu.Unlock()
				if waiting == n {
					return
				}
				if time.Now().After(limit) {
					t.Fatalf("%d writes wait after a minute, want %d", waiting, n)
				}
			}
		}, sync.OnceFunc(func() {
			close(end)
			wg.Wait()
		})
}

// of returns how many rows of write n are in the file.
func of(t *testing.T, s *Store) map[int]int {
	t.Helper()
	rows := map[int]int{}
	must(t, s.Read(t.Context(), []district.SeriesID{pv}, timegrid.Span{Start: t0, End: t0.Add(1e6 * time.Minute)}, func(x district.Sample) error {
		rows[int(x.Value)]++
		return nil
	}))
	return rows
}

// TestGroup: writes that wait share one commit; one that fails, one that was given up and one that panics take nothing of the others with them.
func TestGroup(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{Outbox: true})
	must(t, s.CreateUser(t.Context(), store.User{Name: "zoe"}))
	must(t, s.Acknowledge(t.Context(), []int64{1})) // so that the outbox holds samples alone
	var commits atomic.Int64
	onCommit(t, s, func() bool { commits.Add(1); return true })
	queued, release := held(t, s)

	const writers = 30
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() {
			if err := s.Append(t.Context(), killWrite(n)); err != nil {
				t.Errorf("write %d: %v", n, err)
			}
		})
	}
	wg.Go(func() { wantIs(t, s.CreateUser(t.Context(), store.User{Name: "zoe"}), store.ErrExists) })
	errLate := errors.New("failed half-way")
	wg.Go(func() {
		wantIs(t, s.write(t.Context(), "fail", 1, func(ctx context.Context) (func(), error) {
			if _, _, err := s.seriesIDs(ctx, []district.SeriesID{"fontaine/ecole/never/power_kw"}); err != nil {
				return nil, err
			}
			return func() { t.Error("a write that failed was committed") }, errLate
		}), errLate)
	})
	wg.Go(func() {
		defer func() {
			if recover() != "bug" {
				t.Error("a panic did not reach the one whose write it was")
			}
		}()
		_ = s.write(t.Context(), "panic", 1, func(context.Context) (func(), error) { panic("bug") })
	})
	queued(writers + 3)
	ctx, giveUp := context.WithCancel(t.Context())
	wg.Go(func() { wantIs(t, s.Append(ctx, killWrite(writers)), context.Canceled) })
	queued(writers + 4)
	giveUp()
	queued(writers + 3) // it waits for nobody
	release()
	wg.Wait()

	if n := commits.Load(); n != 2 {
		t.Errorf("%d commits, want 2: the one that held the file and one for all that waited", n)
	}
	got := of(t, s)
	for n := range writers {
		if got[n] != killRows {
			t.Errorf("write %d has %d rows, want %d", n, got[n], killRows)
		}
	}
	if len(got) != writers || len(drainOutbox(t, s)) != writers {
		t.Errorf("%d writes in the file and %d in the outbox, want %d", len(got), len(drainOutbox(t, s)), writers)
	}
	if names, err := s.Series(t.Context(), ""); err != nil || len(names) != 1 {
		t.Errorf("series are %v, %v; want the one of the writes that succeeded", names, err)
	}
}

// TestGroupRefused: when the shared transaction cannot be committed, each write has one of its own, and only those fail that fail alone.
func TestGroupRefused(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{Outbox: true})
	const writers = 6
	var commits atomic.Int64
	onCommit(t, s, func() bool {
		n := commits.Add(1) // 1 holds the file, 2 is that of the group, 3 on are the single ones
		return n != 2 && n != 4
	})
	queued, release := held(t, s)
	var wg sync.WaitGroup
	var failed atomic.Int64
	for n := range writers {
		wg.Go(func() {
			if err := s.Append(t.Context(), killWrite(n)); err != nil {
				if !strings.Contains(err.Error(), "append 40 samples") {
					t.Errorf("write %d: %v, want what was being done", n, err)
				}
				failed.Store(int64(n))
				failed.Add(100)
			}
		})
	}
	queued(writers)
	release()
	wg.Wait()
	bad := int(failed.Load()) - 100
	if bad < 0 || bad >= writers {
		t.Fatalf("writes that failed: %d, want one", bad)
	}
	got := of(t, s)
	for n := range writers {
		if want := map[bool]int{false: killRows, true: 0}[n == bad]; got[n] != want {
			t.Errorf("write %d has %d rows, want %d", n, got[n], want)
		}
	}
	if n := len(drainOutbox(t, s)); n != writers-1 {
		t.Errorf("%d writes in the outbox, want %d", n, writers-1)
	}
	must(t, s.Append(t.Context(), killWrite(bad)))
}

// TestGroupDiskFull: on a disk that has room for some, every answer is true.
func TestGroupDiskFull(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{Outbox: true})
	must(t, s.Append(t.Context(), killWrite(0)))
	pages := 1
	must(t, s.conn.QueryRowContext(t.Context(), "pragma max_page_count=1").Scan(&pages)) // it stays as large as it is
	queued, release := held(t, s)
	var wg sync.WaitGroup
	errs := make([]error, 40)
	for n := range len(errs) {
		wg.Go(func() { errs[n] = s.Append(t.Context(), killWrite(n+1)) })
	}
	queued(len(errs))
	release()
	wg.Wait()
	got, fit := of(t, s), 0
	for n, err := range errs {
		switch {
		case err == nil && got[n+1] != killRows:
			t.Errorf("write %d was acknowledged and has %d rows, want %d", n+1, got[n+1], killRows)
		case err != nil && got[n+1] != 0:
			t.Errorf("write %d has %d rows and failed with %v", n+1, got[n+1], err)
		case err != nil && !strings.Contains(err.Error(), "the disk is full"):
			t.Errorf("write %d: %v", n+1, err)
		case err == nil:
			fit++
		}
	}
	if fit == 0 || fit == len(errs) {
		t.Errorf("%d of %d writes fit, want some: the test tests nothing", fit, len(errs))
	}
}

// TestGroupBounded: what waits is committed in transactions of a bounded size in the order of the calls, a large write by itself, after the small ones that waited with it
// and before those that had to wait for the next transaction.
func TestGroupBounded(t *testing.T) {
	s := openAt(t, filepath.Join(t.TempDir(), "quartier.db"), Options{})
	queued, release := held(t, s)
	var mu sync.Mutex
	var order, now []int
	var groups [][]int
	onCommit(t, s, func() bool {
		mu.Lock()
		defer mu.Unlock()
		groups, now = append(groups, now), nil
		return true
	})
	var wg sync.WaitGroup
	for n, rows := range []int{2000, 2000, 2000, 1, 20_000, 1, 20_000, 3000} {
		wg.Go(func() {
			must(t, s.write(t.Context(), "count", rows, func(context.Context) (func(), error) {
				mu.Lock()
				defer mu.Unlock()
				now = append(now, n)
				return func() { order = append(order, n) }, nil
			}))
		})
		queued(n + 1)
	}
	release()
	wg.Wait()
	if got, want := fmt.Sprint(groups), "[[] [0 1] [2 3 5] [4] [7] [6]]"; got != want {
		t.Errorf("commits are %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(order), "[0 1 2 3 5 4 7 6]"; got != want {
		t.Errorf("told in the order %s, want %s", got, want)
	}
}

// TestGroupClosed: a store that is closed while writes wait ends them with an error, and what it acknowledged is there.
func TestGroupClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quartier.db")
	s := openAt(t, path, Options{})
	queued, release := held(t, s)
	const writers = 20
	errs := make([]error, writers)
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() { errs[n] = s.Append(context.Background(), killWrite(n)) })
	}
	queued(writers)
	wg.Go(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	release()
	wg.Wait()
	got := of(t, openAt(t, path, Options{}))
	for n, err := range errs {
		if err == nil != (got[n] == killRows) || err != nil && !errors.Is(err, errClosed) {
			t.Errorf("write %d: %v, and %d rows", n, err, got[n])
		}
	}
}

func wantIs(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error %v, want one that matches %q", err, target)
	}
}
