package poll

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quartier/schemas/district"
)

// gather returns a sink that gathers.
func gather(wait time.Duration, sink Sink) Sink {
	g := &gatherer{wait: wait, sink: sink}
	return func(ctx context.Context, samples []district.Sample) error {
		n, err := g.add(ctx, len(samples), func(out []district.Sample) []district.Sample { return append(out, samples...) })
		if n != len(samples) {
			err = errors.Join(err, fmt.Errorf("%d samples passed on, want %d", n, len(samples)))
		}
		return err
	}
}

func sampleOf(id string, v float64) []district.Sample {
	return []district.Sample{{Series: district.NewSeriesID("d", "s", id, "power_kw"), Time: time.Now().UTC(), Value: v}}
}

// TestGather: what comes within the wait is one call, a caller returns when its samples are written, and one whose samples are refused costs no other.
func TestGather(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		refused := errors.New("refused")
		var calls, got int
		var mu sync.Mutex
		sink := gather(100*time.Millisecond, func(_ context.Context, samples []district.Sample) error {
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
					t.Errorf("the caller waited %v", took)
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

// TestGatherFull: a joint call does not grow beyond its bound, and nobody's samples are lost when the caller that began it gives up.
func TestGatherFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s sink
		joint := gather(time.Hour, s.add)
		var wg sync.WaitGroup
		begin := time.Now()
		for i := range mostGathered {
			wg.Go(func() {
				if err := joint(t.Context(), sampleOf(fmt.Sprint(i), 1)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if took := time.Since(begin); took > 0 || len(s.samples) != mostGathered {
			t.Errorf("%d samples after %v, want %d at once", len(s.samples), took, mostGathered)
		}
		ctx, cancel := context.WithCancel(t.Context())
		wg.Go(func() { joint(ctx, sampleOf("a", 1)) })
		synctest.Wait()
		wg.Go(func() {
			if err := joint(t.Context(), sampleOf("b", 1)); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait()
		cancel()
		wg.Wait()
		if len(s.samples) != mostGathered+2 {
			t.Errorf("%d samples, want %d", len(s.samples), mostGathered+2)
		}
	})
}
