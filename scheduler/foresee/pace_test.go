package foresee

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// paced is a pace whose processor time a test tells; its clock is that of a synctest bubble.
func paced(t *testing.T, share float64) (p *pace, work func(processor, clock time.Duration)) {
	t.Helper()
	used := time.Duration(0)
	p = newPace(t.Context(), share)
	p.used = func() time.Duration { return used }
	p.begin()
	return p, func(processor, clock time.Duration) {
		used += processor
		time.Sleep(clock)
	}
}

// TestLearningRests: of the time between two rests work takes its share of the processor, whatever it waited for that, and what stood still is neither work nor made up for.
func TestLearningRests(t *testing.T) {
	for _, tt := range []struct {
		name             string
		share            float64
		processor, clock time.Duration // of each of ten stretches of work
		want             time.Duration // of the clock, with its rest
	}{
		{"a free processor", 0.25, paceLeast, paceLeast, 4 * paceLeast},
		{"a processor that others use as well", 0.25, paceLeast, 3 * paceLeast, 4 * paceLeast},
		{"a processor that gives less than the share", 0.25, paceLeast, 5 * paceLeast, 5 * paceLeast},
		{"a lock that was waited for", 0.5, paceLeast, paceLeast * 3 / 2, 2 * paceLeast},
		{"a machine that was suspended", 0.25, paceLeast, time.Hour, time.Hour},
		{"a long stretch", 0.1, 3 * time.Second, 3 * time.Second, 30 * time.Second},
		{"too little to rest after", 0.25, paceLeast / 10, paceLeast / 10, paceLeast * 4 / 10}, //ten stretches rest once, for what they took together
		{"all of it", 1, paceLeast, paceLeast, paceLeast},
	} {
		synctest.Test(t, func(t *testing.T) {
			p, work := paced(t, tt.share)
			defer p.end()
			begun, last := time.Now(), time.Duration(0)
			for range 10 {
				work(tt.processor, tt.clock)
				p.rest()
				last = time.Since(begun)
			}
			if took := last / 10; took != tt.want {
				t.Errorf("%s: a stretch took %v with its rest, want %v", tt.name, took, tt.want)
			}
		})
	}
}

// TestRestEnds: who rests ends with the context.
func TestRestEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, work := paced(t, 0.01)
		defer p.end()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		p.ctx = ctx
		work(time.Minute, 0)
		begun := time.Now()
		if p.rest(); time.Since(begun) != time.Second {
			t.Errorf("it rested %v, the context ended after 1 s", time.Since(begun))
		}
	})
}

// TestThreadTime: work counts with what its own thread had of a processor, neither with what it slept nor with what others had meanwhile.
func TestThreadTime(t *testing.T) {
	if _, told := threadTime(); !told {
		t.Log("this system does not tell: the clock counts")
		return
	}
	var stop atomic.Bool
	defer stop.Store(true)
	busy := make(chan struct{})
	go func() {
		close(busy)
		for !stop.Load() { // works
		}
	}()
	<-busy
	p := newPace(t.Context(), 0.25)
	defer p.end()
	time.Sleep(300 * time.Millisecond)
	if idle := p.used() - p.had; idle > 100*time.Millisecond {
		t.Errorf("%v of a processor while it slept and another thread worked", idle)
	}
	for begun := time.Now(); p.used()-p.had < 2*paceLeast; {
		if time.Since(begun) > time.Minute {
			t.Fatalf("%v of a processor in a minute of work", p.used()-p.had)
		}
	}
	p.begin()
	for p.used()-p.had < 2*paceLeast {
	}
	begun := p.since
	if p.rest(); time.Since(begun) < 8*paceLeast {
		t.Errorf("%v of a processor were worked and rested for in %v, want 4 times that at least", 2*paceLeast, time.Since(begun))
	}
}
