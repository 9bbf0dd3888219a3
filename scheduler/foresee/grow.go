package foresee

import (
	"context"

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
	defer pace.end()
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
