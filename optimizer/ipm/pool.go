package ipm

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// pool runs sweeps over the shards on goroutines that live as long as one solve. Which goroutine takes which shard does not matter. Sweeps take a few hundred
// microseconds and follow each other as fast, and waking a goroutine that sleeps takes a good part of that: so those who wait look for a while before they sleep.
type pool struct {
	sweep   func(*shard)
	shards  []shard
	next    atomic.Int64
	turn    atomic.Int64 // counts the sweeps; below 0: no more
	left    atomic.Int64 // helpers that are still at it
	helpers []waiter
	caller  waiter
	looks   int
	all     sync.WaitGroup
	gone    atomic.Bool // the caller wants nothing any more
	late    atomic.Bool // the deadline came
	workers int
}

// waiter is one goroutine that waits for a condition which another one makes true before it calls wake.
type waiter struct {
	asleep atomic.Bool
	bell   chan struct{}
}

// wait returns when the condition holds: it looks so many times, then sleeps.
func (w *waiter) wait(looks int, holds func() bool) {
	for !holds() {
		if looks > 0 {
			looks--
			continue
		}
		w.asleep.Store(true)
		if holds() && w.asleep.CompareAndSwap(true, false) { // it came true in between, and nobody rings
			return
		}
		<-w.bell
	}
}

func (w *waiter) wake() {
	if w.asleep.CompareAndSwap(true, false) {
		w.bell <- struct{}{}
	}
}

// manyLooks are about a tenth of a millisecond.
const manyLooks = 50_000

// open starts the helpers; the caller of run is a worker too.
func (p *pool) open(shards []shard, workers int) {
	p.shards, p.workers = shards, min(max(1, workers), len(shards))
	if p.workers == 1 {
		return
	}
	if runtime.GOMAXPROCS(0) >= p.workers { // else who looks would keep who works from working
		p.looks = manyLooks
	}
	p.caller.bell = make(chan struct{}, 1)
	p.helpers = make([]waiter, p.workers-1)
	for i := range p.helpers {
		w := &p.helpers[i]
		w.bell = make(chan struct{}, 1)
		p.all.Go(func() { p.help(w) })
	}
}

// help takes part in sweep after sweep.
func (p *pool) help(w *waiter) {
	turn := int64(0)
	started := func() bool { return p.turn.Load() != turn }
	for {
		w.wait(p.looks, started)
		if turn = p.turn.Load(); turn < 0 {
			return
		}
		p.work()
		if p.left.Add(-1) == 0 {
			p.caller.wake()
		}
	}
}

// close ends the helpers and waits for them.
func (p *pool) close() {
	p.turn.Store(-1)
	for i := range p.helpers {
		p.helpers[i].wake()
	}
	p.all.Wait()
}

func (p *pool) work() {
	for {
		i := int(p.next.Add(1)) - 1
		if i >= len(p.shards) {
			return
		}
		p.sweep(&p.shards[i])
	}
}

// run runs one sweep over all shards.
func (p *pool) run(sweep func(*shard)) {
	p.sweep = sweep
	p.next.Store(0)
	if len(p.helpers) == 0 {
		p.work()
		return
	}
	p.left.Store(int64(len(p.helpers)))
	p.turn.Add(1)
	for i := range p.helpers {
		p.helpers[i].wake()
	}
	p.work()
	p.caller.wait(p.looks, p.idle)
}

func (p *pool) idle() bool { return p.left.Load() == 0 }

// stop makes sweeps end early when ctx ends; what they computed is of no use then. After a deadline the sweep that moves the iterate is still
// completed, so that there is a point to return.
func (p *pool) stop(err error) {
	if errors.Is(err, context.DeadlineExceeded) {
		p.late.Store(true)
	} else {
		p.gone.Store(true)
	}
}

func (p *pool) stopped() bool { return p.late.Load() || p.gone.Load() }
