package poll

import (
	"context"
	"sync"
	"time"

	"quartier/schemas/district"
)

// mostGathered is how many samples are passed on at once, however short they waited.
const mostGathered = 5000

// gatherer passes on what many devices say within wait of each other as one call: what a durable write costs is mostly the write, not the
// samples. A caller waits until its samples are written, for wait longer than without. When the joint call fails, each caller's samples are offered by
// themselves, so that one device's fault is no other's.
type gatherer struct {
	wait time.Duration
	sink Sink
	mu   sync.Mutex
	open *gathering // nil: nobody waits
	last int        // samples of the last one
}

// gathering is one joint call in the making.
type gathering struct {
	samples []district.Sample
	full    chan struct{}
	done    chan struct{}
	err     error // after done
}

// add passes on what fill appends, at most so many samples, and returns how many those were.
func (g *gatherer) add(ctx context.Context, most int, fill func([]district.Sample) []district.Sample) (n int, err error) {
	g.mu.Lock()
	at := g.open
	first := at == nil
	if first {
		at = &gathering{samples: make([]district.Sample, 0, max(g.last, most)), full: make(chan struct{}), done: make(chan struct{})}
	}
	from := len(at.samples)
	at.samples = fill(at.samples)
	to := len(at.samples)
	if from == to {
		g.mu.Unlock()
		return 0, nil
	}
	g.open = at
	if to >= mostGathered {
		g.open = nil
		close(at.full)
	}
	g.mu.Unlock()
	if first {
		g.pass(ctx, at)
	} else {
		select {
		case <-at.done:
		case <-ctx.Done():
			return to - from, context.Cause(ctx)
		}
	}
	if at.err == nil {
		return to - from, nil
	}
	return to - from, g.sink(ctx, at.samples[from:to:to])
}

// pass waits for others, and writes for all of them. Its caller may give up; the others' samples are written all the same.
func (g *gatherer) pass(ctx context.Context, at *gathering) {
	defer close(at.done)
	t := time.NewTimer(g.wait)
	defer t.Stop()
	select {
	case <-t.C:
	case <-at.full:
	case <-ctx.Done():
	}
	g.mu.Lock()
	if g.open == at {
		g.open = nil
	}
	g.last = len(at.samples)
	g.mu.Unlock()
	at.err = g.sink(context.WithoutCancel(ctx), at.samples)
}
