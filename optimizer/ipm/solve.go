package ipm

import (
	"context"
	"math"
	"sync"
	"sync/atomic"
)

// Solve runs the interior-point method. The error is for malformed problems and for a cancelled context; how far an
// orderly run came is in Status and Info.
func Solve(ctx context.Context, p *Problem, set Settings) (*Solution, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if set.GapTol == 0 {
		set.GapTol = 1e-7
	}
	if set.ResidualTol == 0 {
		set.ResidualTol = 5e-6
	}
	if set.MaxIterations == 0 {
		set.MaxIterations = 150
	}
	// A start too close to the boxes can block the first steps of an awkward problem: then it starts again further inside.
	var out *Solution
	for _, mu := range startMus {
		sol, err := newSolver(p, mu).run(ctx, set)
		if err != nil {
			return nil, err
		}
		if out == nil || sol.better(out) {
			if out != nil {
				sol.Info.Iterations += out.Info.Iterations
			}
			out = sol
		} else {
			out.Info.Iterations += sol.Info.Iterations
		}
		if out.Status == Solved || out.Status == AlmostSolved || out.Status == Infeasible {
			break
		}
	}
	return out, nil
}

// better reports whether the solution is worth more than another of the same problem.
func (s *Solution) better(o *Solution) bool {
	rank := func(s Status) int {
		return [...]int{Stalled: 0, IterationLimit: 0, AlmostSolved: 1, Infeasible: 2, Solved: 2}[s]
	}
	if rank(s.Status) != rank(o.Status) {
		return rank(s.Status) > rank(o.Status)
	}
	return math.Abs(s.Info.Gap)+s.Info.Primal < math.Abs(o.Info.Gap)+o.Info.Primal
}

// each runs fn over the shards on at most workers goroutines. Which goroutine takes which shard does not matter.
func (s *solver) each(workers int, fn func(*shard)) {
	if workers <= 1 || len(s.shards) == 1 {
		for i := range s.shards {
			fn(&s.shards[i])
		}
		return
	}
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := 0; w < min(workers, len(s.shards)); w++ {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(s.shards) {
					return
				}
				fn(&s.shards[i])
			}
		})
	}
	wg.Wait()
}

// gather adds the shards' sums in their fixed order.
func (s *solver) gather() sums {
	acc := sums{alphaP: 1, alphaD: 1}
	for i := range s.shards {
		acc.add(&s.shards[i].acc)
	}
	return acc
}

func (s *solver) run(ctx context.Context, set Settings) (*Solution, error) {
	T := s.T
	work := make([]float64, T*T)
	lamSum := make([]float64, T)
	best := newKeeper(s)
	status := IterationLimit
	info := Info{}
	poor := 0
	total := func(pick func(*shard) []float64) []float64 { // over the shards, in their order
		clear(lamSum)
		for i := range s.shards {
			for t, v := range pick(&s.shards[i]) {
				lamSum[t] += v
			}
		}
		return lamSum
	}
	lams, nets := func(h *shard) []float64 { return h.lam }, func(h *shard) []float64 { return h.net }
	mu := 0.0
	measure := func(h *shard) {
		clear(h.schur)
		clear(h.net)
		clear(h.lam)
		h.acc = sums{}
		for i := h.from; i < h.to; i++ {
			b := &s.blocks[i]
			s.measure(b, h.net, &h.acc)
			s.factorSite(b, h.schur, h.xbuf)
			s.right(b, 0, h.lam)
		}
	}
	store := true
	back := func(h *shard) {
		h.acc = sums{alphaP: 1, alphaD: 1}
		clear(h.net)
		clear(h.most)
		for i := h.from; i < h.to; i++ {
			s.back(&s.blocks[i], mu, store, h.net, h.most, &h.acc)
		}
	}
	right := func(h *shard) {
		clear(h.lam)
		for i := h.from; i < h.to; i++ {
			s.right(&s.blocks[i], mu, h.lam)
		}
	}
	ap, ad := 1.0, 1.0
	move := func(h *shard) {
		for i := h.from; i < h.to; i++ {
			s.move(&s.blocks[i], mu, ap, ad)
		}
	}
	for it := 0; ; it++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s.each(set.Workers, measure)
		acc := s.gather()
		clear(s.schur)
		for i := range s.shards {
			for n, v := range s.shards[i].schur {
				s.schur[n] += v
			}
		}
		s.measureGrid(total(nets), &acc)
		now := acc.mu / float64(max(1, s.pairs))
		info = Info{Iterations: it, Objective: s.scale*acc.objective + s.p.Constant, Bound: s.scale*acc.bound + s.p.Constant, Primal: acc.primal,
			Dual: s.scale * acc.dual, Mu: s.scale * now}
		if s.pairs == 0 {
			info.Bound = math.Max(info.Bound, info.Objective*boolFloat(acc.primal <= set.ResidualTol*s.power))
		}
		better := best.offer(s, &info, set.ResidualTol*s.power)
		if set.Trace != nil {
			set.Trace(info)
		}
		if math.Abs(info.Gap) <= set.GapTol && info.Primal <= set.ResidualTol*s.power {
			status = Solved
			break
		}
		if acc.bound > s.maxCost+1e-6*(1+math.Abs(s.maxCost)) {
			status = Infeasible
			break
		}
		if better {
			poor = 0
		} else if poor++; poor >= 8 {
			status = Stalled
			break
		}
		if it >= set.MaxIterations {
			break
		}
		if math.IsNaN(acc.mu) || !s.factorGrid(work) {
			status = Stalled
			break
		}
		mu = 0
		s.rightGrid(0, total(lams))
		s.solveGrid(work)
		store = true
		s.each(set.Workers, back)
		acc = s.gather()
		s.respondGrid(total(nets))
		s.reachGrid(0, true, &acc)
		here := now * float64(s.pairs)
		next := here + acc.alphaP*acc.zdw + acc.alphaD*acc.wdz + acc.alphaP*acc.alphaD*acc.dwdz
		ratio := math.Max(0, next/here)
		// below the target nothing is gained but rounding
		floor := 0.1 * set.GapTol * math.Max(1, math.Abs(info.Bound)) / s.scale / float64(max(1, s.pairs))
		mu = math.Max(now*math.Max(ratio*ratio*ratio, 1e-10), math.Min(floor, now))
		s.each(set.Workers, right)
		s.rightGrid(mu, total(lams))
		s.solveGrid(work)
		store = false
		s.each(set.Workers, back)
		left := s.respondGrid(total(nets))
		for refine := 0; refine < 2 && left > 1e-9*s.power; refine++ {
			before := left
			s.refineGrid(work)
			s.each(set.Workers, back)
			if left = s.respondGrid(total(nets)); left > before/4 {
				break
			}
		}
		s.closeGrid()
		acc = s.gather()
		s.reachGrid(mu, false, &acc)
		ap, ad = stepLength(acc.alphaP), stepLength(acc.alphaD)
		s.each(set.Workers, move)
		s.moveGrid(mu, ap, ad)
	}
	return best.solution(s, status, info, set), nil
}

// stepLength keeps a point strictly inside its boxes.
func stepLength(reach float64) float64 { return math.Min(1, 0.99*reach) }

func boolFloat(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// keeper holds the best primal point and the best dual point seen.
type keeper struct {
	x, dual, lam, bought []float64
	merit, bound         float64
	mu, primal           float64 // least so far
	info                 Info
}

func newKeeper(s *solver) *keeper {
	fl := make([]float64, len(s.x)+len(s.dual)+2*s.T)
	k := &keeper{merit: math.Inf(1), bound: math.Inf(-1), mu: math.Inf(1), primal: math.Inf(1)}
	k.x, fl = fl[:len(s.x)], fl[len(s.x):]
	k.dual, fl = fl[:len(s.dual)], fl[len(s.dual):]
	k.lam, k.bought = fl[:s.T], fl[s.T:]
	return k
}

// offer takes the iterate where it improves on the kept ones, completes info with the gap to the best bound, and reports
// whether anything got better: bound, complementarity or residual.
func (k *keeper) offer(s *solver, info *Info, tol float64) bool {
	better := false
	if info.Bound > k.bound {
		if math.IsInf(k.bound, -1) || info.Bound-k.bound > 1e-3*math.Abs(info.Objective-k.bound) {
			better = true
		}
		k.bound = info.Bound
		copy(k.dual, s.dual)
		copy(k.lam, s.lam)
		if s.peak.on {
			copy(k.bought, s.peak.zp)
		}
	}
	info.Bound = k.bound
	info.Gap = (info.Objective - k.bound) / math.Max(1, math.Abs(k.bound))
	if info.Mu < 0.9*k.mu {
		better, k.mu = true, info.Mu
	}
	if info.Primal > tol && info.Primal < 0.9*k.primal {
		better, k.primal = true, info.Primal
	}
	merit := math.Max(math.Abs(info.Gap), 1e-9) + 10*math.Max(0, info.Primal-tol)/s.power
	if merit < k.merit {
		k.merit = merit
		k.info = *info
		copy(k.x, s.x)
	}
	return better
}

// solution copies the kept points out.
func (k *keeper) solution(s *solver, status Status, last Info, set Settings) *Solution {
	T := s.T
	info := k.info
	info.Iterations = last.Iterations
	info.Bound = k.bound
	info.Gap = (info.Objective - info.Bound) / math.Max(1, math.Abs(info.Bound))
	if (status == Stalled || status == IterationLimit) && info.Gap <= 1e-4 && info.Primal <= 100*set.ResidualTol*s.power {
		status = AlmostSolved
	}
	out := &Solution{Status: status, Info: info, Input: make([][][]float64, len(s.blocks)), State: make([][][]float64, len(s.blocks)),
		Net: make([][]float64, len(s.blocks)), V: make([][]float64, len(s.blocks)), Y: make([][][]float64, len(s.blocks)),
		Import: k.x[s.gi : s.gi+T], Export: k.x[s.ge : s.ge+T], Lambda: k.lam, Bought: k.bought}
	for v := range k.dual {
		k.dual[v] *= s.scale
	}
	for t := range k.lam {
		k.lam[t] *= s.scale
		k.bought[t] *= s.scale
	}
	for i := range s.blocks {
		b := &s.blocks[i]
		v, r := b.v0, b.r0
		out.Input[i] = make([][]float64, b.in)
		for j := range out.Input[i] {
			out.Input[i][j] = k.x[v : v+T : v+T]
			v += T
		}
		out.State[i] = make([][]float64, b.d)
		out.Y[i] = make([][]float64, b.d)
		for c := range out.State[i] {
			out.State[i][c] = k.x[v : v+T : v+T]
			out.Y[i][c] = k.dual[r : r+T : r+T]
			v += T
			r += T
		}
		out.Net[i] = k.x[v : v+T : v+T]
		out.V[i] = k.dual[r : r+T : r+T]
	}
	return out
}
