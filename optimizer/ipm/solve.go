package ipm

import (
	"context"
	"errors"
	"math"

	"gonum.org/v1/gonum/floats"
)

// Solve runs the interior-point method. The error is for malformed problems and for a cancelled context; how far an orderly run came is in
// Status and Info. A deadline of the context is no error once there is a point: the best one so far is returned as [Interrupted].
func Solve(ctx context.Context, p *Problem, set Settings) (*Solution, error) {
	if err := errors.Join(runnable(), p.Validate()); err != nil {
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
	// Limits of net powers that hardly bind are left out at first: without them a site falls apart into its devices. Where the answer oversteps one, the site
	// gets its row, and the program is solved again; in the third run every site has what it may need.
	limited := make([]bool, len(p.Sites))
	spent := 0
	for round := 0; ; round++ {
		out, err := solve(ctx, p, limited, set)
		if err != nil {
			return nil, err
		}
		out.Info.Iterations += spent
		if out.Status != Solved && out.Status != AlmostSolved || !overstepped(p, out, limited) {
			return out, nil
		}
		spent = out.Info.Iterations
		if round > 0 {
			for i := range limited {
				limited[i] = true
			}
		}
	}
}

// overstepped marks the sites whose net power is outside its box, and reports whether there are any.
func overstepped(p *Problem, sol *Solution, limited []bool) bool {
	any := false
	for i := range p.Sites {
		q := &p.Sites[i]
		for t, n := range sol.Net[i] {
			if !limited[i] && (n < q.Lo[t] || n > q.Hi[t]) {
				limited[i], any = true, true
			}
		}
	}
	return any
}

// solve runs the method, with rows for the limited sites at least.
func solve(ctx context.Context, p *Problem, limited []bool, set Settings) (*Solution, error) {
	// A start too close to the boxes can block the first steps of an awkward problem: then it starts again further inside.
	var out *Solution
	for attempt := range startMus {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		sol, err := newSolver(p, limited, attempt).run(ctx, set)
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
		if out.Status == Solved || out.Status == AlmostSolved || out.Status == Infeasible || sol.Status == Interrupted {
			break
		}
	}
	return out, nil
}

// better reports whether the solution is worth more than another of the same problem.
func (s *Solution) better(o *Solution) bool {
	rank := func(s Status) int {
		return [...]int{Stalled: 0, IterationLimit: 0, Interrupted: 0, AlmostSolved: 1, Infeasible: 2, Solved: 2}[s]
	}
	if rank(s.Status) != rank(o.Status) {
		return rank(s.Status) > rank(o.Status)
	}
	return math.Abs(s.Info.Gap)+s.Info.Primal < math.Abs(o.Info.Gap)+o.Info.Primal
}

// gather adds the shards' sums in their fixed order.
func (s *solver) gather() sums {
	acc := sums{alphaP: 1, alphaD: 1}
	for i := range s.shards {
		acc.add(&s.shards[i].acc)
	}
	return acc
}

// total adds series of the shards, in their order, into sum.
func (s *solver) total(sum []float64, pick func(*shard) []float64) {
	clear(sum)
	for i := range s.shards {
		for t, v := range pick(&s.shards[i])[:len(sum)] {
			sum[t] += v
		}
	}
}

// totalSchur adds the upper triangles of the shards' grid matrices.
func (s *solver) totalSchur() {
	T := s.T
	for t := range T {
		sum := s.schur[t*(T+1) : (t+1)*T]
		copy(sum, s.shards[0].schur[t*(T+1):])
		for i := 1; i < len(s.shards); i++ {
			floats.Add(sum, s.shards[i].schur[t*(T+1):(t+1)*T])
		}
	}
}

func ofNet(h *shard) []float64  { return h.net }
func ofLam0(h *shard) []float64 { return h.lam0 }
func ofLam1(h *shard) []float64 { return h.lam1 }

// leastTarget is the smallest share of the complementarity that a corrector aims at: a predictor that sees all of it vanish has seen one step of a curve.
const leastTarget = 0.01

// patience is how many iterations without any progress make a stall.
const patience = 8

func (s *solver) run(ctx context.Context, set Settings) (*Solution, error) {
	s.pool.open(s.shards, set.Workers)
	defer s.pool.close()
	s.start(s.pool.run)
	defer context.AfterFunc(ctx, func() { s.pool.stop(ctx.Err()) })()
	best := newKeeper()
	status := IterationLimit
	var info Info
	poor := 0
	for it := 0; ; it++ {
		s.pool.run(s.sweeps.measure)
		if s.pool.gone.Load() {
			return nil, ctx.Err()
		}
		s.total(s.net, ofNet)
		acc := s.gather()
		s.measureGrid(&acc)
		mu := acc.mu / float64(max(1, s.pairs))
		money := func(v float64) float64 { return s.p.Constant + s.scale*(v+s.constant) }
		info = Info{Iterations: it, Objective: money(acc.objective), Bound: money(acc.bound), Primal: acc.primal, Dual: s.scale * acc.dual, Mu: s.scale * mu}
		if s.pairs == 0 && acc.primal <= set.ResidualTol*s.power {
			info.Bound = max(info.Bound, info.Objective)
		}
		better := best.offer(s, &info, set.ResidualTol*s.power)
		if set.Trace != nil {
			set.Trace(info)
		}
		if math.Abs(info.Gap) <= set.GapTol && info.Primal <= set.ResidualTol*s.power {
			status = Solved
			break
		}
		if acc.bound+s.constant > s.maxCost+1e-6*(1+math.Abs(s.maxCost)) {
			status = Infeasible
			break
		}
		if better {
			poor = 0
		} else if poor++; poor >= patience {
			status = Stalled
			break
		}
		if it >= set.MaxIterations {
			break
		}
		if err := ctx.Err(); err != nil {
			s.pool.stop(err)
			status = Interrupted
			break
		}
		s.totalSchur()
		if math.IsNaN(acc.mu) || !s.factorGrid() {
			status = Stalled
			break
		}
		// predictor
		s.total(s.lam0, ofLam0)
		s.forgetProducts()
		s.rightGrid(0)
		copy(s.dlam, s.rhsLam)
		s.solveGrid(s.dlam)
		s.pool.run(s.sweeps.predict)
		if s.pool.stopped() {
			status = Interrupted
			break
		}
		s.total(s.net, ofNet)
		acc = s.gather()
		ap, ad := s.usual()
		acc.alphaP, acc.alphaD = max(acc.alphaP, ap), max(acc.alphaD, ad)
		s.respondGrid()
		s.predictGrid(&acc)
		here := mu * float64(s.pairs)
		next := here + acc.alphaP*acc.zdw - acc.alphaD*(here+acc.zdw) + acc.alphaP*acc.alphaD*acc.dwdz
		ratio := max(0, next/here)
		// below the target nothing is gained but rounding
		floor := 0.1 * set.GapTol * max(1, math.Abs(info.Bound)) / s.scale / float64(max(1, s.pairs))
		s.mu = max(mu*max(ratio*ratio*ratio, leastTarget), min(floor, mu))
		s.centre = centring * mu * math.Sqrt(math.Sqrt(s.mu/mu))
		// corrector
		s.total(s.lam0, ofLam0)
		s.total(s.lam1, ofLam1)
		s.rightGrid(s.mu)
		copy(s.dlam, s.rhsLam)
		s.solveGrid(s.dlam)
		s.pool.run(s.sweeps.correct)
		s.total(s.net, ofNet)
		s.respondGrid()
		s.correctGrid(s.mu)
		left := s.leftGrid()
		for round := 0; ; round++ {
			held := round < holdRounds && s.hold()
			if held {
				left = s.leftGrid()
			}
			if left <= 0.1*set.ResidualTol*s.power*s.wide || round >= 2*holdRounds || s.pool.stopped() {
				break
			}
			before := left
			if !s.spread() {
				break
			}
			s.pool.run(s.sweeps.refine)
			s.total(s.net, ofNet)
			s.refineGrid()
			if left = s.leftGrid(); left > before/4 && !held {
				break
			}
		}
		if s.pool.stopped() {
			status = Interrupted
			break
		}
		s.closeGrid()
		acc = s.gather()
		acc.alphaP, acc.alphaD = min(acc.alphaP, s.gridAP), min(acc.alphaD, s.gridAD)
		s.ap, s.ad = stepLength(acc.alphaP), stepLength(acc.alphaD)
		best.leave(s)
		for t, v := range s.dlam {
			s.lam[t] += s.ad * v
		}
	}
	if s.pool.gone.Load() {
		return nil, ctx.Err()
	}
	return best.solution(s, status, info, set), nil
}

// stepLength keeps a point strictly inside its boxes.
func stepLength(reach float64) float64 { return min(1, 0.99*reach) }
