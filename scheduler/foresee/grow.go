package foresee

import (
	"context"
	"time"

	"quartier/optimizer/forecast"
)

// Grow has every series learn anew what takes long and is due every other week. Forecasts are given meanwhile, and wait for it no longer than it takes to gather what is known of one series.
func (d *District) Grow(ctx context.Context) error {
	d.mu.Lock()
	st := d.state
	var keys []Key
	if st != nil {
		keys = append(keys, st.order...)
	}
	d.mu.Unlock()
	pace := newPace(ctx, d.set.Share)
	for _, k := range keys {
		if err := ctx.Err(); err != nil {
			return err
		}
		l, ok := d.lesson(st, k)
		if !ok {
			continue
		}
		l.Learn()
		d.mu.Lock()
		if d.state == st {
			st.series[k].model.Take(l)
			d.grown = true
		}
		d.mu.Unlock()
		pace.rest()
	}
	return ctx.Err()
}

func (d *District) lesson(st *state, k Key) (*forecast.Lesson, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.state != st { // learned anew meanwhile
		return nil, false
	}
	return st.series[k].model.Lesson(st.past(st.series[k]))
}

// pace keeps work to a share of a processor: after each stretch of work it rests for as long as makes up for it.
type pace struct {
	ctx   context.Context
	share float64
	since time.Time
}

// paceLeast is the shortest stretch of work after which there is a rest.
const paceLeast = 20 * time.Millisecond

func newPace(ctx context.Context, share float64) *pace {
	return &pace{ctx: ctx, share: share, since: time.Now()}
}

// rest rests if it is time to; it ends with the context.
func (p *pace) rest() {
	worked := time.Since(p.since)
	if p.share <= 0 || p.share >= 1 || worked < paceLeast {
		return
	}
	t := time.NewTimer(time.Duration(float64(worked) * (1/p.share - 1)))
	select {
	case <-t.C:
	case <-p.ctx.Done():
		t.Stop()
	}
	p.since = time.Now()
}
