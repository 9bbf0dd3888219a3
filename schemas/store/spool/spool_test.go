package spool

import (
	"context"
	"errors"
	"math"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/store/storetest"
	"quartier/schemas/timegrid"
)

var t0 = time.Date(2026, 1, 14, 23, 0, 0, 0, time.UTC)

const pv = district.SeriesID("fontaine/ecole/pv/power_kw")

var errFull = errors.New("disk is full")

// failing is a real store whose disk can be made to fail or to hang.
type failing struct {
	store.Store
	mu   sync.Mutex
	err  error
	hang chan struct{} // closed or nil: does not hang

	calls atomic.Int64 // of Append
}

func (f *failing) set(err error, hang chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err, f.hang = err, hang
}

func (f *failing) state() error {
	f.mu.Lock()
	err, hang := f.err, f.hang
	f.mu.Unlock()
	if hang != nil {
		<-hang
	}
	return err
}

func (f *failing) Append(ctx context.Context, x []district.Sample) error {
	f.calls.Add(1)
	if err := f.state(); err != nil {
		return err
	}
	return f.Store.Append(ctx, x)
}

func (f *failing) SavePlan(ctx context.Context, p *district.Plan) (int64, error) {
	if err := f.state(); err != nil {
		return 0, err
	}
	return f.Store.SavePlan(ctx, p)
}

func (f *failing) AppendSetpoints(ctx context.Context, x []district.Setpoint) error {
	if err := f.state(); err != nil {
		return err
	}
	return f.Store.AppendSetpoints(ctx, x)
}

func open(t *testing.T, opts Options) (*Store, *failing) {
	t.Helper()
	local, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	f := &failing{Store: local}
	s := New(f, opts)
	t.Cleanup(func() { s.Close() })
	return s, f
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func minutes(from, to int) []district.Sample {
	var out []district.Sample
	for i := from; i < to; i++ {
		out = append(out, district.Sample{Series: pv, Time: t0.Add(time.Duration(i) * time.Minute), Value: float64(i)})
	}
	return out
}

func values(t *testing.T, s store.Store) (out []int) {
	t.Helper()
	must(t, s.Read(t.Context(), []district.SeriesID{pv}, timegrid.Span{Start: t0, End: t0.Add(1e6 * time.Minute)}, func(x district.Sample) error {
		out = append(out, int(x.Value))
		return nil
	}))
	return out
}

// TestStore: with a disk that works, it is the store that it wraps.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store {
		s, _ := open(t, Options{Wait: time.Minute})
		return s
	})
}

// TestDiskFails: what the disk does not take is held, the oldest dropped first and counted, and is written when it takes it again, in order.
func TestDiskFails(t *testing.T) {
	s, f := open(t, Options{Samples: 30, Setpoints: 5, Wait: time.Minute})
	must(t, s.Append(t.Context(), minutes(0, 10)))
	f.set(errFull, nil)
	for n := 10; n < 60; n += 10 {
		must(t, s.Append(t.Context(), minutes(n, n+10)))
	}
	must(t, s.AppendSetpoints(t.Context(), []district.Setpoint{{Time: t0, District: "fontaine", Reason: "sun"}}))
	st := s.State()
	if st.Held != 31 || st.Dropped != 20 || st.Since.IsZero() || !errors.Is(st.Err, errFull) {
		t.Fatalf("state is %+v, want 30 samples and a set-point held, 20 dropped", st)
	}
	if got := values(t, s); len(got) != 10 {
		t.Fatalf("the disk has %d samples, want the 10 from before", len(got))
	}
	if err := s.Append(t.Context(), []district.Sample{{Series: pv, Time: t0, Value: math.NaN()}}); !errors.Is(err, store.ErrInvalid) {
		t.Fatalf("a bad sample gave %v while the disk fails, want it refused", err)
	}
	f.set(nil, nil)
	corrected := minutes(59, 60)
	corrected[0].Value = 77
	must(t, s.Append(t.Context(), corrected)) // goes behind what is held
	got := values(t, s)
	if len(got) != 40 || got[10] != 30 || got[39] != 77 {
		t.Fatalf("the disk has %v, want 0 to 9 and 30 to 58, then the correction 77", got)
	}
	sps, err := s.Setpoints(t.Context(), "fontaine", "", "", timegrid.Span{Start: t0, End: t0.Add(time.Hour)}, 0)
	if err != nil || len(sps) != 1 || sps[0].Reason != "sun" {
		t.Fatalf("set-points %+v, %v", sps, err)
	}
	evs, err := s.Events(t.Context(), []store.EventKind{store.SystemEvent}, timegrid.Span{Start: t0.Add(-time.Hour), End: time.Now().Add(time.Hour)}, 0)
	if err != nil || len(evs) != 1 || evs[0].Action != "disk-back" || !strings.Contains(evs[0].Detail, "20 samples") {
		t.Errorf("events %+v, %v; want the end of the failure with the 20 that were lost", evs, err)
	}
	if st = s.State(); st.Held != 0 || st.Dropped != 20 || !st.Since.IsZero() || st.Err != nil {
		t.Fatalf("state after recovery is %+v", st)
	}
}

// TestTogether: while the disk takes writes, one that has begun keeps no other from the store, which may commit them together; a bad one is refused alone.
func TestTogether(t *testing.T) {
	s, f := open(t, Options{Wait: time.Minute})
	hang := make(chan struct{})
	f.set(nil, hang)
	const writers = 20
	var wg sync.WaitGroup
	for n := range writers {
		wg.Go(func() { must(t, s.Append(t.Context(), minutes(n, n+1))) })
	}
	for end := time.Now().Add(30 * time.Second); f.calls.Load() < writers; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d writes reached the store while the first was under way, want all %d", f.calls.Load(), writers)
		}
	}
	if err := s.Append(t.Context(), []district.Sample{{Series: pv, Time: t0, Value: math.NaN()}}); !errors.Is(err, store.ErrInvalid) {
		t.Errorf("a bad sample gave %v, want it refused", err)
	}
	close(hang)
	wg.Wait()
	if got := values(t, s); len(got) != writers || s.State().Held != 0 {
		t.Errorf("%d samples and %d held, want all %d on the disk", len(got), s.State().Held, writers)
	}
}

// TestDiskFailsTogether: with many writers on a disk that fails now and then, every row that a write returned nil for is on the disk in the end, and the
// newest value of each series is the one that was written last.
func TestDiskFailsTogether(t *testing.T) {
	s, f := open(t, Options{Wait: time.Minute})
	const writers, writes = 8, 40
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for n := range writes {
				in := []district.Sample{{Series: pv, Time: t0.Add(time.Duration(w) * time.Minute), Value: float64(n)}}
				in = append(in, district.Sample{Series: "fontaine/ecole/meter/power_kw", Time: t0.Add(time.Duration(w*writes+n) * time.Minute)})
				must(t, s.Append(t.Context(), in))
				if w == 0 {
					f.set([]error{nil, errFull}[n/5%2], nil)
				}
			}
		})
	}
	wg.Wait()
	f.set(nil, nil)
	must(t, s.Append(t.Context(), minutes(100, 101))) // nobody else writes: it takes what is held with it
	if st := s.State(); st.Held != 0 || st.Dropped != 0 {
		t.Fatalf("state is %+v, want nothing held", st)
	}
	for i, v := range values(t, s) {
		if want := []int{writes - 1, 100}[i/writers]; v != want {
			t.Errorf("writer %d: the disk has value %d, want the last one, %d", i, v, want)
		}
	}
	n := 0
	must(t, s.Read(t.Context(), []district.SeriesID{"fontaine/ecole/meter/power_kw"}, timegrid.Span{Start: t0, End: t0.Add(1e6 * time.Minute)}, func(district.Sample) error { n++; return nil }))
	if n != writers*writes {
		t.Errorf("%d samples, want all %d", n, writers*writes)
	}
}

// TestRunFlushes: without new writes the relay of the ring empties it; when it is ended it tries a last time.
func TestRunFlushes(t *testing.T) {
	s, f := open(t, Options{Retry: 5 * time.Millisecond, Wait: 10 * time.Second})
	f.set(errFull, nil)
	must(t, s.Append(t.Context(), minutes(0, 5)))
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- s.Run(ctx) }()
	time.Sleep(30 * time.Millisecond)
	f.set(nil, nil)
	for end := time.Now().Add(30 * time.Second); s.State().Held > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing was written within 30 s")
		}
	}
	cancel()
	must(t, <-done)
	if got := values(t, s); len(got) != 5 {
		t.Fatalf("%d samples, want 5", len(got))
	}
	f.set(errFull, nil)
	must(t, s.Append(t.Context(), minutes(5, 6)))
	f.set(nil, nil)
	must(t, s.Run(ctx)) // ended already
	if got := values(t, s); len(got) != 6 {
		t.Fatalf("%d samples after the last try, want 6", len(got))
	}
	f.set(errFull, nil)
	must(t, s.Append(t.Context(), minutes(6, 9)))
	if err := s.Close(); !errors.Is(err, errFull) || !strings.Contains(err.Error(), "3 samples") {
		t.Fatalf("close with 3 samples that nobody takes gave %v", err)
	}
}

// TestDiskHangs: a write that never returns holds up nobody for longer than the wait, and nothing is lost when it returns after all.
func TestDiskHangs(t *testing.T) {
	s, f := open(t, Options{Wait: 20 * time.Millisecond})
	hang := make(chan struct{})
	f.set(nil, hang)
	began := time.Now()
	for n := range 10 {
		must(t, s.Append(t.Context(), minutes(n, n+1)))
	}
	if d := time.Since(began); d > 10*time.Second {
		t.Fatalf("ten writes took %v", d)
	}
	if _, err := s.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: t0}); !errors.Is(err, errSlow) {
		t.Errorf("saving a plan on a disk that hangs gave %v, want an error that says so", err)
	}
	if st, err := s.Stats(t.Context()); err != nil || st.Held != 10 || st.HeldDetail == "" {
		t.Errorf("stats are %+v, %v; want 10 held and why", st, err)
	}
	if st := s.State(); st.Held != 10 || !errors.Is(st.Err, errSlow) {
		t.Fatalf("state is %+v, want 10 held for a slow disk", st)
	}
	close(hang)
	for end := time.Now().Add(30 * time.Second); s.State().Held > 0; time.Sleep(time.Millisecond) {
		must(t, s.Append(t.Context(), minutes(10, 11)))
		if time.Now().After(end) {
			t.Fatal("still held after 30 s")
		}
	}
	if got := values(t, s); len(got) != 11 {
		t.Fatalf("%d samples, want 11", len(got))
	}
}
