package ipm

import (
	"math"
	"runtime"
)

// keeper knows the best point and the best bound so far. They are copied out of the cells only when a step leaves them.
type keeper struct {
	merit, bound float64
	mu, primal   float64 // least so far
	info         Info    // of the best point
	point, duals place
}

// worthKeeping is the merit from which a point is copied: a worse one is not missed.
const worthKeeping = 1e-3

// place says where the numbers of a point or of duals are.
type place int

const (
	current place = iota // in the cells
	kept                 // in the copies
)

func newKeeper() keeper {
	return keeper{merit: math.Inf(1), bound: math.Inf(-1), mu: math.Inf(1), primal: math.Inf(1)}
}

// offer compares the iterate with the best, completes info with the gap to the best bound, and reports whether anything got better: bound,
// complementarity or residual.
func (k *keeper) offer(s *solver, info *Info, tol float64) (better bool) {
	if info.Bound > k.bound {
		if math.IsInf(k.bound, -1) || info.Bound-k.bound > 1e-3*math.Abs(info.Objective-k.bound) {
			better = true
		}
		k.bound, k.duals = info.Bound, current
	}
	info.Bound = k.bound
	info.Gap = (info.Objective - k.bound) / max(1, math.Abs(k.bound))
	if info.Mu < 0.9*k.mu {
		better, k.mu = true, info.Mu
	}
	if info.Primal > tol && info.Primal < 0.9*k.primal {
		better, k.primal = true, info.Primal
	}
	merit := max(math.Abs(info.Gap), 1e-9) + 10*max(0, info.Primal-tol)/s.power
	if merit < k.merit {
		k.merit, k.info, k.point = merit, *info, current
	}
	return better
}

// leave prepares a step: the sweep that takes it copies what it leaves behind, if that is the best.
func (k *keeper) leave(s *solver) {
	if k.point == current && k.merit > worthKeeping {
		k.merit = math.Inf(1)
	}
	s.saveX, s.saveDual = k.point == current && k.merit <= worthKeeping, k.duals == current
	k.duals = kept
	if s.saveX {
		k.point = kept
	}
	if s.saveX {
		s.imp.save(s.impSave)
		s.exp.save(s.expSave)
	}
	if s.saveDual {
		copy(s.lamSave, s.lam)
		copy(s.peak.zsave, s.peak.zp)
	}
}

// save writes the flow's values.
func (f *flow) save(x []float64) {
	for i := range f.cells {
		x[i] = f.lo[i] + f.cells[i].wl
	}
}

// save keeps the group's point.
func (g *group) save() {
	x := g.xsave
	next := func(r *row, boxed bool) {
		r.save(boxed, x)
		x = x[lanes*len(r.blocks):]
	}
	for j := range g.in {
		next(&g.in[j].row, true)
	}
	for k := range g.ch {
		next(&g.ch[k].row, g.ch[k].boxed)
	}
	next(&g.net, true)
}

// solution copies the best point and duals out.
func (k *keeper) solution(s *solver, status Status, last Info, set Settings) *Solution {
	T, p := s.T, s.p
	info := k.info
	info.Iterations = last.Iterations
	info.Bound = k.bound
	info.Gap = (info.Objective - info.Bound) / max(1, math.Abs(info.Bound))
	if (status == Stalled || status == IterationLimit) && info.Gap <= 1e-4 && info.Primal <= 100*set.ResidualTol*s.power {
		status = AlmostSolved
	}
	if k.point == current {
		for i := range s.groups {
			s.groups[i].save()
		}
		s.imp.save(s.impSave)
		s.exp.save(s.expSave)
	}
	if k.duals == current {
		for i := range s.groups {
			g := &s.groups[i]
			copy(g.ysave, g.y)
			copy(g.vsave, g.v)
		}
		copy(s.lamSave, s.lam)
		copy(s.peak.zsave, s.peak.zp)
	}
	sites := len(p.Sites)
	out := &Solution{Status: status, Info: info, Input: make([][][]float64, sites), State: make([][][]float64, sites), Net: make([][]float64, sites),
		V: make([][]float64, sites), Y: make([][][]float64, sites), Import: s.impSave, Export: s.expSave, Lambda: make([]float64, T), Bought: make([]float64, T)}
	for t := range out.Lambda {
		out.Lambda[t] = s.scale * s.lamSave[t]
		if s.peak.on {
			out.Bought[t] = s.scale * s.peak.zsave[t]
		}
	}
	next := 0 // group
	for i := range p.Sites {
		first := next
		for next < len(s.groups) && s.groups[next].site == i {
			next++
		}
		s.siteSolution(out, i, s.groups[first:next])
		clear(s.groups[first:next])
	}
	if s.pairs > manyPairs {
		runtime.GC()
	}
	return out
}

// manyPairs are so many that the solver's memory, now free, counts: the caller is about to need some of its own, and the collector by itself would wait until
// the heap has doubled.
const manyPairs = 1 << 21

// siteSolution writes the part of one site: what does not move first, then its groups.
func (s *solver) siteSolution(out *Solution, i int, groups []group) {
	T, q := s.T, &s.p.Sites[i]
	nu, nc := len(q.Inputs), len(q.Chains)
	in, st, y, net := make([][]float64, nu), make([][]float64, nc), make([][]float64, nc), make([]float64, T)
	out.Input[i], out.State[i], out.Y[i], out.Net[i], out.V[i] = in, st, y, net, out.Lambda
	moves := make([][2]int, nc) // the steps of each chain that the solver kept
	copy(net, q.Base)
	var own *group
	// values are a row's saved values x as a series over all steps: those of a row that moves throughout are that series, others become a part of one
	values := func(x []float64, g *group, r *row, rest []float64) []float64 {
		if r.steps() == T {
			return x[:T:T]
		}
		all := make([]float64, T)
		copy(all, rest)
		copy(all[g.from+r.from:], x[:r.steps()])
		return all
	}
	for k := range groups {
		g := &groups[k]
		x := g.xsave
		for j := range g.in {
			u := &g.in[j]
			in[u.index] = values(x, g, &u.row, q.Inputs[u.index].Lo)
			x = x[lanes*len(u.blocks):]
		}
		for c := range g.ch {
			chain := &g.ch[c]
			st[chain.index] = values(x, g, &chain.row, nil)
			x = x[lanes*len(chain.blocks):]
			moves[chain.index] = [2]int{g.from + chain.from, g.from + chain.to}
			dual := make([]float64, T)
			for t := chain.from; t < chain.to; t++ {
				dual[g.from+t] = s.scale * g.ysave[c*g.stride+t]
			}
			y[chain.index] = dual
		}
		if g.netted {
			copy(net, x[:T])
			v := make([]float64, T)
			for t := range v {
				v[t] = s.scale * g.vsave[t]
			}
			out.V[i] = v
			own = g
		}
	}
	for j := range in {
		if in[j] == nil {
			in[j] = append([]float64(nil), q.Inputs[j].Lo...)
		}
	}
	for k := range st {
		if st[k] == nil {
			st[k], y[k] = make([]float64, T), make([]float64, T)
		}
	}
	if own == nil {
		for j := range q.Inputs {
			if sign := q.Inputs[j].Sign; sign != 0 {
				for t, x := range in[j] {
					net[t] += sign * x
				}
			}
		}
	}
	for k := range q.Chains {
		s.fixedStates(q, k, in, st[k], y[k], moves[k])
	}
}

// fixedStates completes a chain in the steps that nothing moves: each state from the one before it, and duals that leave the state no gradient, so that the bound
// is that of its value.
func (s *solver) fixedStates(q *Site, k int, in [][]float64, x, y []float64, moves [2]int) {
	c := &q.Chains[k]
	from, to := moves[0], moves[1]
	if from == to {
		from, to = s.T, s.T
	}
	for t := range x {
		if t >= from && t < to {
			continue
		}
		v := c.Drive[t]
		if t > 0 {
			v += c.Keep[t] * x[t-1]
		}
		for j := range q.Inputs {
			if u := &q.Inputs[j]; u.Chain == k {
				v += u.Gain[t] * in[j][t]
			}
		}
		x[t] = v
	}
	for t := s.T - 1; t >= 0; t-- {
		if t >= from && t < to {
			continue
		}
		v := c.Cost[t]
		if b := c.Low; b != nil && x[t] < b.Level[t] {
			v -= b.Penalty[t]
		}
		if b := c.High; b != nil && x[t] > b.Level[t] {
			v += b.Penalty[t]
		}
		if t+1 < s.T {
			v += c.Keep[t+1] * y[t+1]
		}
		y[t] = v
	}
}
