package ipm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestTakenOut: an import and export that are taken out of the grid matrix stay as they were cut while the residual that the cut leaves is spread: the others close every grid row, and the duals of the peak
// still sum to what they did. Where nothing else could take it, they are put back.
func TestTakenOut(t *testing.T) {
	const mu = 1e-3
	takenBack, peaks := 0, 0
	for seed := range uint64(80) {
		r := rand.New(rand.NewPCG(seed, 11))
		p := randomProblem(r, 2+r.IntN(6), 1+r.IntN(3))
		s := newSolver(p, nil, 0)
		each := func(sweep func(*shard)) {
			for i := range s.shards {
				sweep(&s.shards[i])
			}
		}
		s.start(each)
		s.direction(t, mu)
		s.limitGrid()
		s.ap, s.ad = 1, 1
		for k := range s.flowAP {
			s.flowAP[k], s.flowAD[k] = 1, 1
		}
		at := r.IntN(p.Steps)
		s.flowAP[at] = takeOut / 2
		s.holdGrid()
		if !s.without {
			t.Fatalf("seed %d: nothing is taken out", seed)
		}
		k, imp, exp := &s.peak, &s.imp.cells[at], &s.exp.cells[at]
		imp.d /= 2
		exp.d /= 2
		if k.on {
			k.dw[at] = k.dpk - imp.d
		}
		duals := func() (sum float64) {
			if k.on {
				sum = k.dzk
				for _, v := range k.dzp {
					sum += v
				}
			}
			return sum
		}
		cutImp, cutExp, before := imp.d, exp.d, duals()
		s.leftGrid()
		if !s.spread() {
			continue // the row had no other way
		}
		out := s.without
		each(s.refineShard)
		s.total(s.net, ofNet)
		s.refineGrid()
		if !out {
			takenBack++
		} else if imp.d != cutImp || exp.d != cutExp {
			t.Errorf("seed %d: import and export move by %g and %g though they were taken out", seed, imp.d-cutImp, exp.d-cutExp)
		}
		if left := s.leftGrid(); left > 1e-8*s.power && !s.still[at] {
			t.Errorf("seed %d: a grid row lacks %g kW", seed, left)
		}
		if k.on {
			peaks++
			if now := duals(); math.Abs(now-before) > 1e-9*(1+math.Abs(before)) {
				t.Errorf("seed %d: the duals of the peak sum to %g, before the spreading to %g", seed, now, before)
			}
		}
	}
	if takenBack == 0 || takenBack > 60 || peaks == 0 {
		t.Errorf("of 80 imports %d were put back, %d under a peak price: both ways are to be tried", takenBack, peaks)
	}
}
