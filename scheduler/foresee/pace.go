package foresee

import (
	"context"
	"runtime"
	"time"
)

// pace keeps the work of one goroutine to a share of a processor: after each stretch of work it rests until what the stretch took of the processor is that share of the time since the last rest. What counts is processor
// time where the system tells that of a thread, so that a busy machine, on which the work waits for its turn, gives it as much as a free one, and time for which the machine or the process stood still is no work. The
// goroutine stays on one thread until end. What the collector of garbage does on other threads is not counted.
type pace struct {
	ctx   context.Context
	share float64
	used  func() time.Duration // processor time of this thread
	since time.Time
	had   time.Duration // of used, then
}

// paceLeast is the shortest stretch of work, in processor time, after which there is a rest.
const paceLeast = 20 * time.Millisecond

// newPace returns the pace of the calling goroutine.
func newPace(ctx context.Context, share float64) *pace {
	runtime.LockOSThread()
	used := threadTime
	if _, ok := used(); !ok { // the clock, the next best
		begun := time.Now()
		used = func() (time.Duration, bool) { return time.Since(begun), true }
	}
	p := &pace{ctx: ctx, share: share, used: func() time.Duration { d, _ := used(); return d }}
	p.begin()
	return p
}

func (p *pace) begin() { p.since, p.had = time.Now(), p.used() }

// rest rests if it is time to; it ends with the context.
func (p *pace) rest() {
	worked := p.used() - p.had
	if p.share <= 0 || p.share >= 1 || worked < paceLeast {
		return
	}
	if rest := time.Duration(float64(worked)/p.share) - time.Since(p.since); rest > 0 { // what it waited for the processor, or for a lock, was rest
		t := time.NewTimer(rest)
		select {
		case <-t.C:
		case <-p.ctx.Done():
			t.Stop()
		}
	}
	p.begin()
}

// end lets the goroutine go to any thread again.
func (p *pace) end() { runtime.UnlockOSThread() }
