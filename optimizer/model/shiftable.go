package model

import (
	"math"

	"quartier/optimizer/ipm"
	"quartier/optimizer/problem"
)

// shiftable: with a start it is load. Without, its power is one input between the least and the most that any start asks for in the
// step, on a chain, the energy taken so far, between the envelopes over all starts.
func (b *builder) shiftable(d *problem.Shiftable, dec Decision) Place {
	start := dec.Start - 1
	earliest, latest := Window(d, dec)
	if earliest == latest {
		start = earliest
	}
	if start >= 0 {
		fixed := make([]float64, b.T)
		copy(fixed[start:], d.ProfileKW)
		b.load(fixed, 1)
		return Place{Chain: -1, fixed: fixed}
	}
	n := len(d.ProfileKW)
	sum := make([]float64, n+1) // energy after k steps of the run
	for k, v := range d.ProfileKW {
		sum[k+1] = sum[k] + b.dt*v
	}
	total := sum[n]
	lo, hi := b.series(math.Inf(1)), b.series(0)
	c := ipm.Chain{Keep: b.constant(1), Drive: b.constant(0), Lo: b.series(0), Hi: b.series(0), Cost: b.constant(0)}
	for t := 0; t < b.T; t++ {
		for s := max(earliest, t-n); s <= min(latest, t+1); s++ { // s = t-n: over; s = t+1: not begun
			v := 0.0
			if k := t - s; k >= 0 && k < n {
				v = d.ProfileKW[k]
			}
			lo[t], hi[t] = math.Min(lo[t], v), math.Max(hi[t], v)
		}
		if math.IsInf(lo[t], 1) {
			lo[t] = 0
		}
		c.Hi[t] = sum[min(n, max(0, t+1-earliest))]
		c.Lo[t] = sum[min(n, max(0, t+1-latest))]
	}
	if c.Hi[b.T-1] > total { // cannot be; keeps the box ordered under rounding
		c.Hi[b.T-1] = total
	}
	k := b.chain(c)
	u := b.input(ipm.Input{Chain: k, Sign: 1, Gain: b.constant(b.dt), Lo: lo, Hi: hi, Cost: b.constant(0)})
	return Place{Input: []int{u}, Chain: k}
}

// Window returns the starts that a decision leaves.
func Window(d *problem.Shiftable, dec Decision) (earliest, latest int) {
	earliest, latest = d.EarliestStep, d.LatestStep
	if dec.Earliest > 0 {
		earliest = max(earliest, dec.Earliest-1)
	}
	if dec.Latest > 0 {
		latest = min(latest, dec.Latest-1)
	}
	return earliest, latest
}
