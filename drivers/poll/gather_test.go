package poll

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// startGatherer starts a gatherer, and returns what passes samples to it and waits until they were taken or refused.
func startGatherer(t *testing.T, wait time.Duration, sink Sink) (g *gatherer, pass Sink) {
	g = newGatherer(wait, sink)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { g.run(context.WithoutCancel(t.Context()), done) })
	t.Cleanup(func() { close(done); wg.Wait() })
	return g, func(ctx context.Context, samples []district.Sample) error {
		told := make(chan error, 1)
		g.add(ctx, len(samples), func(out []district.Sample) []district.Sample { return append(out, samples...) }, func(n int, err error) {
			if n != len(samples) {
				err = errors.Join(err, fmt.Errorf("%d samples passed on, want %d", n, len(samples)))
			}
			told <- err
		})
		return <-told
	}
}

func sampleOf(id string, v float64) []district.Sample {
	return []district.Sample{{Series: district.NewSeriesID("d", "s", id, "power_kw"), Time: time.Now().UTC(), Value: v}}
}

// TestGather: what comes within the wait is one call, each device hears when its samples are written, and one whose samples are refused costs no other.
func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		var calls, got int
		var mu sync.Mutex
		_, sink := startGatherer(t, 100*time.Millisecond, func(_ context.Context, samples []district.Sample) error {
			mu.Lock()
			defer mu.Unlock()
			calls++
			for _, s := range samples {
				if s.Value < 0 {
					return refused
				}
			}
			got += len(samples)
			return nil
		})
		var wg sync.WaitGroup
		send := func(v float64, after time.Duration) {
			wg.Go(func() {
				time.Sleep(after)
				begin := time.Now()
				err := sink(t.Context(), sampleOf("x", v))
				if took := time.Since(begin); took > 100*time.Millisecond {
					t.Errorf("it took %v", took)
				}
				if errors.Is(err, refused) != (v < 0) {
					t.Errorf("%g: %v", v, err)
				}
			})
		}
		for i := range 50 {
			send(float64(i), time.Duration(i)*time.Millisecond)
		}
		wg.Wait()
		if calls != 1 || got != 50 {
			t.Errorf("%d calls with %d samples, want one with 50", calls, got)
		}
		for i := range 10 {
			send(float64(i-1), 0)
		}
		wg.Wait()
		if got != 59 {
			t.Errorf("%d samples, want 59: one of ten was refused", got)
		}
	})
}

// TestGatherFull: a joint call does not grow beyond its bound and then waits for nothing, and what is there when all ends is passed on.
func TestGatherFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sink
		begin := time.Now()
		g := newGatherer(time.Hour, s.add)
		done, ended := make(chan struct{}), make(chan struct{})
		go func() { g.run(t.Context(), done); close(ended) }()
		told := 0
		send := func(n int) {
			for i := range n {
				g.add(t.Context(), 1, func(out []district.Sample) []district.Sample { return append(out, sampleOf(fmt.Sprint(i), 1)...) }, func(n int, err error) {
					if told += n; err != nil {
						t.Error(err)
					}
				})
			}
			synctest.Wait()
		}
		send(2*mostGathered + 7)
		if took := time.Since(begin); took > 0 || told != 2*mostGathered {
			t.Errorf("%d samples after %v, want %d at once", told, took, 2*mostGathered)
		}
		close(done)
		<-ended
		if took := time.Since(begin); took > 0 || told != 2*mostGathered+7 || len(s.samples) != told {
			t.Errorf("%d samples after the end and %v, want %d at once", told, took, 2*mostGathered+7)
		}
	})
}

// TestSlowSinkSkipsNoRead: a device is read at each of its instants while the sink takes ten periods for a call, and all that it said arrives in order; beyond what may wait, reading waits
// as well, and goes on when the sink does. With the end of polling a sink that hangs is given up after a while.
func TestSlowSinkSkipsNoRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0.0
		d := &device{read: func(ctx context.Context) ([]drivers.Reading, error) { n++; return good(n)(ctx) }}
		var s sink
		var mu sync.Mutex
		busy := 10 * time.Second
		slow := func(ctx context.Context, samples []district.Sample) error {
			mu.Lock()
			wait := busy
			mu.Unlock()
			select {
			case <-time.After(wait):
				return s.add(ctx, samples)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		p := New([]Device{polledDevice("x", d, time.Second)}, Config{Sink: slow, Gather: 50 * time.Millisecond})
		stop := start(t, p)
		time.Sleep(100*time.Second + 500*time.Millisecond)
		if reads := len(d.reads()); reads != 101 {
			t.Errorf("%d reads in 100 s, want 101", reads)
		}
		got := s.of("x")
		for i, x := range got {
			if x.Value != float64(i+1) {
				t.Fatalf("sample %d is %g, want %d", i, x.Value, i+1)
			}
		}
		if st := p.Status()[0]; len(got) < 80 || st.Dropped != 0 || int(st.Samples) != len(got) {
			t.Errorf("%d samples arrived, %+v", len(got), st)
		}
		mu.Lock()
		busy = 1000 * time.Hour
		mu.Unlock()
		time.Sleep(60 * time.Hour) // 216,000 samples, of which so many wait
		if most, reads := mostWaiting*mostGathered, len(d.reads()); reads < most-mostGathered || reads > most+mostGathered {
			t.Errorf("%d reads while the sink hangs, want about %d", reads, most)
		}
		begun := time.Now()
		stop()
		if took := time.Since(begun); took > settle {
			t.Errorf("the end took %v", took)
		}
		if st := p.Status()[0]; int(st.Samples+st.Dropped) != len(d.reads()) {
			t.Errorf("%d reads, %d samples taken and %d dropped", len(d.reads()), st.Samples, st.Dropped)
		}
	})
}
