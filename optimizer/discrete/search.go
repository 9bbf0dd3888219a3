package discrete

import (
	"context"
	"log/slog"
	"math"
	"sync"
	"sync/atomic"

	"quartier/optimizer/exact"
	"quartier/optimizer/ipm"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// Input is what a search starts from.
type Input struct {
	Problem  *problem.Problem
	Relaxed  *model.Program
	Solution *ipm.Solution // of Relaxed
	Burning  bool          // batteries and cars need a direction in every step: burning energy pays somewhere

	Rounds  int     // last round; 0: no limit
	Bound   float64 // EUR: no plan costs less
	Gap     float64 // (cost - bound)/max(1, abs(bound)) at which the search ends
	Workers int
	Log     *slog.Logger

	Judge Judge          // called from one goroutine
	Alone [][]exact.Plan // what devices do alone at the prices of Solution, by site and device, as far as known; nil: nothing is
	Best  *Plan          // a feasible plan known before, nil for none
	// BoundAt bounds the cost of every plan in which the boundary's flow has the given directions, by the prices of sol; nil: nothing is known beyond the relaxation.
	BoundAt func(ctx context.Context, directions []model.Direction, sol *ipm.Solution) float64
}

// Plan is a feasible plan with its decisions.
type Plan struct {
	Cost      float64 // EUR, as judged
	Power     [][][]float64
	On        [][][]bool // heat pumps; nil elsewhere
	Decisions *model.Decisions
	Program   *model.Program // with the decisions fixed
	Solution  *ipm.Solution  // its prices and multipliers
}

// search is the state between rounds.
type search struct {
	Input
	units     []unit
	best      *Plan
	round     int            // completed
	solvers   []exact.Solver // one per worker
	tolerance float64        // EUR that a device's own decisions may miss
	extra     [][]float64    // EUR per kW and step on top of a site's price, from failed rounds
	wreck     *Plan          // of the plans that overstep limits, while there is no other, the one that does it least
	excess    float64        // kW that it oversteps, all steps
	care      int            // how much sweeps mind the limits: more of it after each round whose decisions left no plan within them
	kept      int            // rounds within the limits in a row
	chord     []int          // steps whose direction is to be decided

	cursor, probes int   // next single change to try, and how many were tried
	idle           int   // changes tried since the best plan
	probed         *Plan // the plan that they changed
}

// unit is one device with decisions.
type unit struct{ site, dev int }

// Result is what a search found.
type Result struct {
	Plan       *Plan   // the best plan, nil when no round gave a feasible one
	Rounds     int     // rounds completed
	Bound      float64 // EUR: no plan costs less; the given one where the search proved nothing better
	Infeasible bool    // every combination of decisions was excluded: there is no plan
}

// Run searches until the rounds, the context or the ideas run out. Cancellation is no error: it ends the search. Where the boundary's directions are open, and on small problems
// altogether, branch and bound follows the sweeps, a node a round.
func Run(ctx context.Context, in Input) Result {
	s := &search{Input: in}
	s.prepare()
	s.best = in.Best
	out := Result{Bound: in.Bound}
	for _, alone := range []bool{false, true} {
		if plan, ok := s.assemble(alone); ok && (s.best == nil || plan.Cost < s.best.Cost) {
			s.best = plan
		}
	}
	s.rounds(ctx)
	small := s.variables() <= branchSize
	if (small || len(s.chord) > 0) && !s.reached() && !s.over(ctx) {
		t := newTree(s, small)
		t.run(ctx)
		out.Infeasible = t.empty()
		s.Bound = math.Max(s.Bound, t.bound())
		if !small && !s.reached() { // sweeps again, in the best directions
			s.rounds(ctx)
		}
	}
	out.Plan, out.Rounds, out.Bound = s.best, s.round, s.Bound
	return out
}

// reached reports whether the best plan is as near to the bound as asked for.
func (s *search) reached() bool {
	return s.best != nil && s.best.Cost-s.Bound <= s.Gap*math.Max(1, math.Abs(s.Bound))
}

// over reports whether rounds or time have run out.
func (s *search) over(ctx context.Context) bool {
	return ctx.Err() != nil || s.Rounds > 0 && s.round >= s.Rounds
}

// assemble puts together what the devices with decisions do alone, where that is asked for and known, or what error diffusion makes of the relaxation, with the relaxation's powers
// of the others: a plan without another solve, there even if time has run out.
func (s *search) assemble(alone bool) (*Plan, bool) {
	power := s.Relaxed.Powers(s.Solution)
	dec := model.NewDecisions(s.Problem)
	for _, u := range s.units {
		d := s.device(u)
		c, ok := choice{}, false
		if alone && s.Alone != nil && s.Alone[u.site][u.dev].Power != nil {
			c, ok = chosen(d, s.Alone[u.site][u.dev]), true
		} else if appliance, is := d.(*problem.Shiftable); is {
			c, ok = shift(s.Problem, appliance, s.Solution.V[u.site]), true
		} else {
			c, ok = diffuse(s.Problem, d, power[u.site][u.dev])
		}
		if !ok { // a car that may give waits
			none := make([]float64, s.Problem.Steps)
			c = choice{dec: model.Decision{Modes: onOff(none, nil)}, power: none}
		}
		power[u.site][u.dev], dec.Device[u.site][u.dev] = c.power, c.dec
	}
	model.Repair(s.Problem, power)
	on := Flags(s.Problem, dec, power)
	cost, ok := s.Judge(power, on)
	return &Plan{Cost: cost, Power: power, On: on, Decisions: dec, Program: s.Relaxed, Solution: s.Solution}, ok
}

// rounds proposes and tries until nothing is left to propose.
func (s *search) rounds(ctx context.Context) {
	for still := 0; !s.over(ctx) && !s.reached(); {
		dec, more := s.propose(ctx, s.round+1, still)
		if !more {
			return
		}
		before := s.best
		better, done := s.try(ctx, dec)
		if !done {
			return
		}
		s.round++
		still++
		if better && (before == nil || before.Cost-s.best.Cost > worthwhile*math.Max(1, math.Abs(s.best.Cost))) {
			still = 0
		}
		if s.Log != nil {
			cost := math.NaN()
			if s.best != nil {
				cost = s.best.Cost
			}
			s.Log.Debug("plan round", "round", s.round, "better", better, "cost_eur", cost)
		}
	}
}

// variables counts those of the relaxation.
func (s *search) variables() int {
	n := 0
	for i := range s.Relaxed.IPM.Sites {
		q := &s.Relaxed.IPM.Sites[i]
		n += (len(q.Inputs) + len(q.Chains) + 1) * s.Problem.Steps
	}
	return n
}

func (s *search) prepare() {
	p := s.Problem
	s.extra = make([][]float64, len(p.Sites))
	for i := range p.Sites {
		s.extra[i] = make([]float64, p.Steps)
		for j, d := range p.Sites[i].Devices {
			if decides(d, s.Burning) {
				s.units = append(s.units, unit{i, j})
			}
		}
	}
	s.solvers = make([]exact.Solver, max(1, min(s.Workers, len(s.units))))
	s.tolerance = Tolerance(s.Solution.Info.Objective, len(s.units))
	for t := 0; t < p.Steps; t++ {
		if p.ImportCost(t) < p.Grid.ExportPrice[t] && s.Relaxed.IPM.Import.Lo[t] < 0 {
			s.chord = append(s.chord, t)
		}
	}
}

// shares say of how many devices one decides anew, in the rounds after the last improvement.
var shares = [...]int{1, 3, 3, 8, 3, 8, 8, 1, 8, 16, 8, 16, 3, 16, 16, 8}

// patience is how many rounds without improvement end the sweeps.
const patience = 96

// worthwhile is the relative improvement that starts the cycles again.
const worthwhile = 1e-4

// propose returns the decisions of a round; still is how many rounds before it brought nothing. It reports false when there are no more ideas.
func (s *search) propose(ctx context.Context, round, still int) (*model.Decisions, bool) {
	dec := model.NewDecisions(s.Problem)
	switch round {
	case 1:
		s.decide(ctx, dec, s.Solution, nil, s.first)
		return dec, true
	case 2:
		relaxed := s.Relaxed.Powers(s.Solution)
		s.decide(ctx, dec, s.Solution, nil, func(solver *exact.Solver, u unit, price []float64) choice {
			if c, ok := diffuse(s.Problem, s.device(u), relaxed[u.site][u.dev]); ok {
				return c
			}
			return s.priced(solver, u, price)
		})
		return dec, true
	case 3:
		if s.best == nil {
			s.decide(ctx, dec, s.Solution, nil, s.quiet)
			return dec, true
		}
	}
	if s.best == nil { // prices with what the failures taught
		if round > mostFailures {
			return nil, false
		}
		if s.wreck != nil && round%3 != 0 { // one after the other, within what the others leave
			share := min(shares[round%len(shares)], len(s.units))
			return s.again(ctx, round, s.wreck, func(n int) bool { return s.picks(n, round, share) }), true
		}
		s.decide(ctx, dec, s.Solution, nil, s.priced)
		return dec, true
	}
	if len(s.units) == 0 && len(s.chord) == 0 {
		return nil, false
	}
	if still >= min(patience, 6+4*len(s.units)+2*len(s.chord)) {
		return s.probe()
	}
	if len(s.chord) > 0 && (len(s.units) == 0 || still%2 == 1) {
		dec = s.best.Decisions.Clone()
		for n, t := range s.chord {
			if s.picks(n, round, min(shares[still/2%len(shares)], len(s.chord))) {
				dec.Direction[t] = model.Importing + model.Exporting - dec.Direction[t]
			}
		}
		return dec, true
	}
	share := min(shares[still%len(shares)], len(s.units))
	return s.again(ctx, round, s.best, func(n int) bool { return s.picks(n, round, share) }), true
}

// mostFailures ends a search that has found no plan.
const mostFailures = 60

// picks reports whether a round looks at the n-th device again, which one in so many times it does.
func (s *search) picks(n, round, share int) bool {
	return share <= 1 || scatter(n+7919*round)%share == 0
}

// Tolerance is what the value of each of n devices may miss so that all together miss at most a thousandth of the objective (EUR).
func Tolerance(objective float64, n int) float64 {
	return 1e-3 * math.Max(1, math.Abs(objective)) / float64(max(1, n))
}

// scatter spreads neighbouring devices over the classes.
func scatter(n int) int { return int((uint32(n+1) * 2654435761) >> 8) }

func (s *search) device(u unit) problem.Device { return s.Problem.Sites[u.site].Devices[u.dev] }

func (s *search) priced(solver *exact.Solver, u unit, price []float64) choice {
	return alone(solver, s.Problem, s.device(u), price, s.tolerance)
}

// first takes what the devices were found to do at the prices of the relaxation.
func (s *search) first(solver *exact.Solver, u unit, price []float64) choice {
	if s.Alone != nil && s.Alone[u.site][u.dev].Power != nil {
		return chosen(s.device(u), s.Alone[u.site][u.dev])
	}
	return s.priced(solver, u, price)
}

// quiet switches a device off where it may be; an appliance starts where prices, with what failures taught, are best.
func (s *search) quiet(solver *exact.Solver, u unit, price []float64) choice {
	if c, ok := diffuse(s.Problem, s.device(u), make([]float64, s.Problem.Steps)); ok {
		return c
	}
	return s.priced(solver, u, price)
}

// decide lets the devices that pick chooses (nil: all) decide at the site prices of sol. Devices do so independently of each other.
func (s *search) decide(ctx context.Context, dec *model.Decisions, sol *ipm.Solution, pick func(n int) bool, rule func(*exact.Solver, unit, []float64) choice) {
	dt := s.Problem.Hours()
	s.share(ctx, len(s.units), func(solver *exact.Solver, n int) {
		if pick != nil && !pick(n) {
			return
		}
		u := s.units[n]
		price := make([]float64, s.Problem.Steps)
		for t := range price {
			price[t] = (sol.V[u.site][t] + s.extra[u.site][t]) / dt
		}
		dec.Device[u.site][u.dev] = rule(solver, u, price).dec
	})
}

// share calls fn for 0..n-1 on the workers, each with its own solver, and waits. What fn does must not depend on the order. When ctx ends the rest is left out.
func (s *search) share(ctx context.Context, n int, fn func(solver *exact.Solver, k int)) {
	var next atomic.Int64
	work := func(solver *exact.Solver) {
		for {
			k := int(next.Add(1)) - 1
			if k >= n || ctx.Err() != nil {
				return
			}
			fn(solver, k)
		}
	}
	if len(s.solvers) == 1 || n == 1 {
		work(&s.solvers[0])
		return
	}
	var wg sync.WaitGroup
	for w := range min(n, len(s.solvers)) {
		wg.Go(func() { work(&s.solvers[w]) })
	}
	wg.Wait()
}

// try fixes decisions, solves the rest and keeps the plan when it is the best so far. done is false when the context ended first.
func (s *search) try(ctx context.Context, dec *model.Decisions) (better, done bool) {
	plan, ok, done := Fix(ctx, s.Problem, dec, ipm.Settings{Workers: s.Workers, GapTol: math.Min(math.Max(s.Gap/20, 1e-7), 2e-5)}, s.Judge)
	if !done {
		if s.best == nil && ok { // better than none; the round does not count
			s.best = plan
		}
		return false, false
	}
	s.heed(ok)
	if !ok {
		return false, s.learn(ctx, dec)
	}
	if s.best == nil || plan.Cost < s.best.Cost-1e-9*math.Max(1, math.Abs(s.best.Cost)) {
		s.best = plan
		return true, true
	}
	return false, true
}

// mostCare is the care with which a sweep lets no device pass a limit for what others may give way; keptForLess is how many rounds in a row within the limits make it less.
const (
	mostCare    = 3
	keptForLess = 3
)

// heed takes note of whether the decisions of a round left a plan within the limits.
func (s *search) heed(within bool) {
	if !within {
		s.care, s.kept = min(mostCare, s.care+1), 0
		return
	}
	if s.kept++; s.kept >= keptForLess {
		s.care, s.kept = max(0, s.care-1), 0
	}
}

// learn finds which limits the decisions exceed and raises the price there for the rounds that follow.
func (s *search) learn(ctx context.Context, dec *model.Decisions) (done bool) {
	if s.best != nil {
		return true
	}
	prog := model.Build(s.Problem, model.Options{Decisions: dec, Elastic: &model.Elastic{LimitPrice: 1, FinalPrice: 1, Only: true}})
	sol, err := ipm.Solve(ctx, prog.IPM, ipm.Settings{Workers: s.Workers, GapTol: 1e-5})
	if err != nil || sol.Status == ipm.Interrupted {
		return false
	}
	typical := 0.0
	for t := 0; t < s.Problem.Steps; t++ {
		typical += math.Abs(s.Problem.ImportCost(t)) / float64(s.Problem.Steps)
	}
	typical = math.Max(typical, 0.01) * s.Problem.Hours()
	over := prog.Excess(sol)
	sum := 0.0
	for _, e := range over {
		sum += e.Amount
	}
	if s.wreck == nil || sum < s.excess {
		power := prog.Powers(sol)
		s.wreck, s.excess = &Plan{Power: power, On: Flags(s.Problem, dec, power), Decisions: dec, Program: prog, Solution: s.Solution}, sum
	}
	for _, e := range over {
		for i := range s.extra {
			if e.Site >= 0 && e.Site != i {
				continue
			}
			sign := 1.0
			if e.Export {
				sign = -1
			}
			s.extra[i][e.Step] += sign * 3 * typical
		}
	}
	return true
}

// Decide lets every device decide alone at the prices of an answer, as in the first round; those that ctx cuts off decide nothing.
func Decide(ctx context.Context, p *problem.Problem, prog *model.Program, sol *ipm.Solution, workers int) *model.Decisions {
	s := &search{Input: Input{Problem: p, Relaxed: prog, Solution: sol, Workers: workers}}
	s.prepare()
	dec := model.NewDecisions(p)
	s.decide(ctx, dec, sol, nil, s.priced)
	return dec
}
