package ipm

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
)

// pool runs sweeps over the shards on goroutines that live as long as one solve. Which goroutine takes which shard does not matter.
type pool struct {
	jobs    chan struct{} // one message starts one goroutine on the present sweep
	sweep   func(*shard)
	shards  []shard
	next    atomic.Int64
	busy    sync.WaitGroup
	all     sync.WaitGroup
	gone    atomic.Bool // the caller wants nothing any more
	late    atomic.Bool // the deadline came
	workers int
}

// open starts the helpers; the caller of run is a worker too.
func (p *pool) open(shards []shard, workers int) {
	p.shards, p.workers = shards, min(max(1, workers), len(shards))
	if p.workers == 1 {
		return
	}
	p.jobs = make(chan struct{}, p.workers)
	for range p.workers - 1 {
		p.all.Go(func() {
			for range p.jobs {
				p.work()
				p.busy.Done()
			}
		})
	}
}

// close ends the helpers and waits for them.
func (p *pool) close() {
	if p.jobs != nil {
		close(p.jobs)
		p.all.Wait()
	}
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
	p.busy.Add(p.workers - 1)
	for range p.workers - 1 {
		p.jobs <- struct{}{}
	}
	p.work()
	p.busy.Wait()
}

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
