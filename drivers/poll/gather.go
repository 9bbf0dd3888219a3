package poll

import (
	"context"
	"sync"
	"time"

	"quartier/schemas/district"
)

// mostGathered is how many samples are passed on at once, however short they waited.
const mostGathered = 5000

// Gather returns a sink that passes on what many devices say within wait of each other as one call: what a durable write costs is mostly the write, not the
// samples. A caller waits until its samples are written, for wait longer than without. When the joint call fails, each caller's samples are offered by
// themselves, so that one device's fault is no other's.
func Gather(wait time.Duration, sink Sink) Sink {
	g := &gatherer{wait: wait, sink: sink}
	return g.add
}

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

func (g *gatherer) add(ctx context.Context, samples []district.Sample) error {
	g.mu.Lock()
	at := g.open
	first := at == nil
	if first {
		at = &gathering{samples: make([]district.Sample, 0, max(g.last, len(samples))), full: make(chan struct{}), done: make(chan struct{})}
		g.open = at
	}
	at.samples = append(at.samples, samples...)
	if len(at.samples) >= mostGathered {
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
			return context.Cause(ctx)
		}
	}
	if at.err == nil {
		return nil
	}
	return g.sink(ctx, samples)
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
