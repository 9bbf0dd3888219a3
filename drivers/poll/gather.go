package poll

import (
	"context"
	"sync"
	"time"

	"quartier/schemas/district"
)

const (
	mostGathered = 5000 // samples that are passed on at once, however short they waited
	mostWaiting  = 40   // such calls that wait for the sink; whoever reads more waits as well
)

// gatherer passes on what many devices say within a while of each other as one call: what a durable write costs is mostly the write, not the
// samples. Nobody who reads waits for the sink: where that is slow, what comes meanwhile is passed on after it, in the order in which it came. When the joint call fails, each
// device's samples are offered by themselves, so that one device's fault is no other's.
type gatherer struct {
	wait time.Duration
	sink Sink
	wake chan struct{} // something is there, holds one
	full chan struct{} // so much is there that it is passed on at once, holds one

	mu      sync.Mutex
	waiting []*gathering  // the last of them still grows
	room    chan struct{} // closed when something was taken away; nil: nobody waits for that
	last    int           // samples of the last one
}

// gathering is one joint call.
type gathering struct {
	samples []district.Sample
	parts   []part
	since   time.Time
}

// part is what one device has in a joint call.
type part struct {
	from, to int
	told     func(samples int, err error)
}

func newGatherer(wait time.Duration, sink Sink) *gatherer {
	return &gatherer{wait: wait, sink: sink, wake: make(chan struct{}, 1), full: make(chan struct{}, 1)}
}

// add takes what fill appends, at most so many samples. told is called with their number once the sink has taken or refused them, and when ctx ends before there is room.
func (g *gatherer) add(ctx context.Context, most int, fill func([]district.Sample) []district.Sample, told func(samples int, err error)) {
	g.mu.Lock()
	for len(g.waiting) > mostWaiting {
		if g.room == nil {
			g.room = make(chan struct{})
		}
		room := g.room
		g.mu.Unlock()
		select {
		case <-room:
		case <-ctx.Done():
			told(len(fill(nil)), context.Cause(ctx))
			return
		}
		g.mu.Lock()
	}
	defer g.mu.Unlock()
	n := len(g.waiting)
	if n == 0 || len(g.waiting[n-1].samples) >= mostGathered {
		g.waiting = append(g.waiting, &gathering{samples: make([]district.Sample, 0, max(g.last, most)), since: time.Now()})
		n++
	}
	at := g.waiting[n-1]
	from := len(at.samples)
	at.samples = fill(at.samples)
	at.parts = append(at.parts, part{from, len(at.samples), told})
	notify(g.wake)
	if len(at.samples) >= mostGathered {
		notify(g.full)
	}
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take returns the first joint call that waits, nil when it is to wait longer, which is told.
func (g *gatherer) take(now time.Time, all bool) (at *gathering, longer time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.waiting) == 0 {
		return nil, 0
	}
	at = g.waiting[0]
	if longer = g.wait - now.Sub(at.since); longer > 0 && len(at.samples) < mostGathered && !all {
		return nil, longer
	}
	g.waiting = append(g.waiting[:0], g.waiting[1:]...)
	g.last = len(at.samples)
	if g.room != nil {
		close(g.room)
		g.room = nil
	}
	return at, 0
}

// run passes on until done is closed, and then what is left. ctx is the sink's.
func (g *gatherer) run(ctx context.Context, done <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for ended := false; ; {
		at, longer := g.take(time.Now(), ended)
		switch {
		case at != nil:
			g.pass(ctx, at)
			continue
		case ended:
			return
		case longer > 0:
			timer.Reset(longer)
			select {
			case <-timer.C:
			case <-g.full:
			case <-done:
				ended = true
			}
		default:
			select {
			case <-g.wake:
			case <-done:
				ended = true
			}
		}
	}
}

func (g *gatherer) pass(ctx context.Context, at *gathering) {
	var err error
	if len(at.samples) > 0 {
		err = g.sink(ctx, at.samples)
	}
	for _, p := range at.parts {
		if err != nil && p.from < p.to {
			p.told(p.to-p.from, g.sink(ctx, at.samples[p.from:p.to:p.to]))
		} else {
			p.told(p.to-p.from, nil)
		}
	}
}
