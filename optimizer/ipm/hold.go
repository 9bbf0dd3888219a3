package ipm

import (
	"math"

	"gonum.org/v1/gonum/floats"
)

// A step is as long as its worst pair allows, and of ten thousand sites there is always one whose heat pump is just changing its mind. So the step length is
// what all groups but some allow; those are held: they aim nearer to the centre, their step is cut to what they can take, the grid rows' residual that this leaves is spread by
// another solve over all groups, and the common step goes on. The direction keeps every linear row as the Newton direction does. Import and export are held
// in single steps likewise.

const (
	heldShare  = 0.25 // of the groups at most
	flowShare  = 0.15 // of the steps of import and export at most
	takeOut    = 0.9  // the share of the step below which a held import or export answers no more in the iteration
	holdGain   = 1.5  // how much longer the step must get for it
	holdRounds = 3    // times in an iteration; each is a sweep
	// centring, times the complementarity and the fourth root of the share of it that the others aim at, is what a held group aims at beyond them. A group that lags behind
	// because its products differ is held again in the next iteration; this evens them out.
	centring = 0.2
)

// usual returns the step lengths that all groups but a heldShare can take.
func (s *solver) usual() (ap, ad float64) {
	k := int(heldShare * float64(len(s.groups)))
	if k == 0 {
		return 0, 0
	}
	for i := range s.groups {
		s.lengths[i] = s.groups[i].ap
	}
	ap = nth(s.lengths, k)
	for i := range s.groups {
		s.lengths[i] = s.groups[i].ad
	}
	return ap, nth(s.lengths, k)
}

// nth is the value that would be at v[k] if v were in order; it moves the values of v.
func nth(v []float64, k int) float64 {
	for lo, hi := 0, len(v)-1; lo < hi; {
		pivot := v[lo+(hi-lo)/2]
		i, j := lo, hi
		for i <= j {
			for v[i] < pivot {
				i++
			}
			for v[j] > pivot {
				j--
			}
			if i <= j {
				v[i], v[j] = v[j], v[i]
				i++
				j--
			}
		}
		switch {
		case k <= j:
			hi = j
		case k >= i:
			lo = i
		default:
			return v[k]
		}
	}
	return v[k]
}

// held is what a group's step is scaled by before it is taken or changed: the variables by primal, multipliers and duals by dual.
type held struct{ primal, dual float64 }

// holdShard recentres and cuts the steps of the shard's groups that cannot go along with s.ap and s.ad; h.net becomes the change of the net powers' steps.
func (s *solver) holdShard(h *shard) {
	clear(h.net)
	for i := h.from; i < h.to; i++ {
		if g := &s.groups[i]; g.ap < s.ap || g.ad < s.ad {
			m := whole(g.n)
			addTo(h.net[g.from:], g.step[:m], -1)
			s.recentre(g, h)
			g.held = held{min(1, g.ap/s.ap), min(1, g.ad/s.ad)}
			addTo(h.net[g.from:], g.step[:m], g.held.primal)
		}
	}
}

// hold holds the groups that shorten the step most, if that pays, and reports whether it did; the grid rows' residual is in s.left then.
func (s *solver) hold() bool {
	acc := s.gather()
	acc.alphaP, acc.alphaD = min(acc.alphaP, s.gridAP), min(acc.alphaD, s.gridAD)
	ap, ad := s.usual()
	fp, fd := s.usualFlows()
	ap, ad = min(ap, fp, s.peakAP), min(ad, fd, s.peakAD)
	if ap < holdGain*acc.alphaP && ad < holdGain*acc.alphaD {
		return false
	}
	s.ap, s.ad = max(ap, acc.alphaP), max(ad, acc.alphaD)
	s.holdGrid()
	copy(s.before, s.net)
	s.pool.run(s.sweeps.hold)
	s.total(s.net, ofNet)
	for t, v := range s.before {
		s.net[t] += v
	}
	return true
}

// spread adds to the grid prices' step what closes the grid rows, and leaves that in s.delta. It reports false when the grid matrix has become singular.
func (s *solver) spread() bool {
	if s.stale && !s.factorGrid() {
		return false
	}
	copy(s.delta, s.left)
	s.solveGrid(s.delta)
	if s.without && largest(s.delta) > largest(s.dlam) { // hardly anything is left to take it
		s.curveGrid()
		if !s.factorGrid() {
			return false
		}
		copy(s.delta, s.left)
		s.solveGrid(s.delta)
	}
	for t, v := range s.delta {
		s.dlam[t] += v
	}
	return true
}

// largest is the largest magnitude of v.
func largest(v []float64) float64 { return floats.Norm(v, math.Inf(1)) }
