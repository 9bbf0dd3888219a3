package optimizer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"time"

	"quartier/optimizer/certify"
	"quartier/optimizer/discrete"
	"quartier/optimizer/exact"
	"quartier/optimizer/ipm"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// Defaults of Settings.
const (
	DefaultContinuousGap     = 1e-6
	DefaultMixedGap          = 5e-3
	DefaultTimeLimit         = 10 * time.Second
	DefaultPreferenceEpsilon = 1e-4
)

// Settings steer one plan. The zero value means the defaults.
type Settings struct {
	Gap       float64       // relative gap at which a plan counts as optimal; 0: DefaultContinuousGap, with on/off decisions DefaultMixedGap
	TimeLimit time.Duration // 0: DefaultTimeLimit
	Rounds    int           // rounds of the mixed search after which to stop; 0: no limit. With a generous TimeLimit it makes a plan reproducible.
	// Previous is the plan before this one, aligned by its start; nil: none. A plan of the same problem is kept as it is when it keeps the limits, and its on/off
	// decisions are not searched again; of another one, decisions and set-points are kept where they are still as good.
	Previous *problem.Solution
	// PreferenceEpsilon is the share of the objective (of 1 EUR where that is less) that the choice among near-equal plans may cost: keeping Previous, and without it
	// fewer switches and smoother powers. 0: DefaultPreferenceEpsilon; negative: the plan is left as the solver gives it.
	PreferenceEpsilon float64
	Workers           int          // goroutines; 0: one per processor. The plan does not depend on it.
	Log               *slog.Logger // nil: silent
	Info              func(Info)   // called once before Plan returns a solution; nil: not
}

// Info measures the work on one plan: where the time went and how far the methods came. What the plan itself is stands in the solution.
type Info struct {
	Iterations int     // of the interior-point method on the relaxation
	Relaxation float64 // EUR: the relaxation's optimum, as far as it was reached
	Rounds     int     // of the mixed search
	// Seconds by the clock: for the relaxation, for the bound that its prices prove, for the search, for the choice among near-equal plans.
	RelaxationSeconds, BoundSeconds, SearchSeconds, PreferenceSeconds float64
}

// Plan solves the problem. The solution's status tells what it is; whatever the status, its objective, bound and gap were recomputed by package
// certify, and a plan called optimal or feasible keeps every limit. The error is for an invalid problem ([problem.Faults]) and a cancelled ctx; running out of
// Settings.TimeLimit is none.
func Plan(ctx context.Context, p *problem.Problem, s Settings) (*problem.Solution, error) {
	began := time.Now()
	if p == nil {
		return nil, errors.New("optimizer: no problem")
	}
	if err := problem.Validate(p); err != nil {
		return nil, err
	}
	if s.TimeLimit < 0 || s.Gap < 0 || s.Rounds < 0 || s.Workers < 0 || math.IsNaN(s.Gap) || math.IsNaN(s.PreferenceEpsilon) {
		return nil, fmt.Errorf("optimizer: gap %v, time limit %v, rounds %d, workers %d: none may be negative", s.Gap, s.TimeLimit, s.Rounds, s.Workers)
	}
	if s.TimeLimit == 0 {
		s.TimeLimit = DefaultTimeLimit
	}
	if s.PreferenceEpsilon == 0 {
		s.PreferenceEpsilon = DefaultPreferenceEpsilon
	}
	if s.Workers <= 0 {
		s.Workers = runtime.GOMAXPROCS(0)
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	limited, cancel := context.WithTimeout(ctx, s.TimeLimit)
	defer cancel()
	r := &run{p: p, set: s, bound: math.Inf(-1), mark: began}
	out := r.plan(limited)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("optimizer: plan of %d sites: %w", len(p.Sites), err)
	}
	out.SolveSeconds = time.Since(began).Seconds()
	if s.Info != nil {
		r.info.Rounds = r.rounds
		s.Info(r.info)
	}
	return out, nil
}

// run is the work on one plan.
type run struct {
	p      *problem.Problem
	set    Settings
	gap    float64
	bound  float64
	rounds int
	excess []model.Excess // what presolve found
	info   Info
	mark   time.Time // when the present part of the work began
}

// lap adds the time since the last lap to a part of the work.
func (r *run) lap(seconds *float64) {
	now := time.Now()
	*seconds += now.Sub(r.mark).Seconds()
	r.mark = now
}

func (r *run) plan(ctx context.Context) *problem.Solution {
	p := r.p
	relaxed := r.begin()
	if len(r.excess) > 0 {
		r.set.Log.Debug("plan excluded by limits", "limits", len(r.excess))
		return r.infeasible(ctx)
	}
	r.gap = r.set.Gap
	mixed := len(r.chords(relaxed)) > 0
	for i := range p.Sites {
		for _, d := range p.Sites[i].Devices {
			mixed = mixed || model.Discrete(d)
		}
	}
	if r.gap == 0 {
		r.gap = DefaultContinuousGap
		if mixed {
			r.gap = DefaultMixedGap
		}
	}
	sol, err := ipm.Solve(ctx, relaxed.IPM, ipm.Settings{Workers: r.set.Workers, GapTol: math.Min(1e-5, r.gap/2)})
	if err != nil {
		return r.lastResort()
	}
	r.info.Iterations, r.info.Relaxation = sol.Info.Iterations, sol.Info.Objective
	r.lap(&r.info.RelaxationSeconds)
	r.set.Log.Debug("plan relaxation", "status", sol.Status, "iterations", sol.Info.Iterations, "objective_eur", sol.Info.Objective, "bound_eur", sol.Info.Bound)
	var best *discrete.Plan
	if sol.Status == ipm.Interrupted {
		return r.interrupted(ctx, relaxed, sol)
	}
	if sol.Status != ipm.Solved && sol.Status != ipm.AlmostSolved {
		// Either there is no plan, or hardly one: then the program with priced limits finds it.
		if r.provenInfeasible(ctx) {
			return r.infeasible(ctx)
		}
		top := r.highestPrice()
		soft := model.Build(p, model.Options{Elastic: &model.Elastic{LimitPrice: 100 * top, FinalPrice: 10 * top}})
		again, err := ipm.Solve(ctx, soft.IPM, ipm.Settings{Workers: r.set.Workers})
		if err != nil || again.Status == ipm.Interrupted {
			return r.lastResort()
		}
		r.set.Log.Debug("plan elastic relaxation", "status", again.Status, "objective_eur", again.Info.Objective, "bound_eur", again.Info.Bound)
		r.raiseBound(relaxed, sol)
		relaxed, sol = soft, again
		if plan, ok := discrete.Take(p, relaxed, sol, model.NewDecisions(p), r.judge); ok {
			best = plan
		}
	}
	r.raiseBound(relaxed, sol)
	burning := burns(relaxed, sol)
	if !mixed {
		if plan, ok := discrete.Take(p, relaxed, sol, model.NewDecisions(p), r.judge); ok && r.gapOf(plan.Cost) <= r.gap {
			return r.finish(ctx, plan)
		}
		if plan, ok, _ := discrete.Settle(ctx, p, relaxed, sol, model.NewDecisions(p), ipm.Settings{Workers: r.set.Workers}, r.judge); ok && (best == nil || plan.Cost < best.Cost) {
			best = plan
			if r.gapOf(plan.Cost) <= r.gap {
				return r.finish(ctx, best)
			}
		}
		if best == nil && r.provenInfeasible(ctx) {
			return r.infeasible(ctx)
		}
		if best == nil || r.gapOf(best.Cost) > r.gap {
			// What remains between plan and bound is charging and discharging at once: directions per step are decisions then.
			burning = burning || relaxed.Both(sol) > 1e-6
			if r.set.Gap == 0 && burning {
				r.gap = DefaultMixedGap
			}
		}
	}
	alone := r.exactBound(ctx, relaxed, sol, burning)
	r.lap(&r.info.BoundSeconds)
	if kept := r.remember(ctx, r.previous()); kept != nil {
		return r.finish(ctx, kept) // the problem has not changed, and its plan stays
	}
	found := discrete.Run(ctx, discrete.Input{Problem: p, Relaxed: relaxed, Solution: sol, Burning: burning, Rounds: r.set.Rounds, Bound: r.bound, Gap: r.gap,
		Workers: r.set.Workers, Log: r.set.Log, Judge: r.judge, Best: best, Alone: alone,
		BoundAt: r.boundAt(burning)})
	r.rounds = found.Rounds
	r.lap(&r.info.SearchSeconds)
	if found.Infeasible {
		return r.infeasible(ctx)
	}
	r.bound = math.Max(r.bound, found.Bound)
	if found.Plan != nil {
		return r.finish(ctx, found.Plan)
	}
	if mixed && r.provenInfeasible(ctx) {
		return r.infeasible(ctx)
	}
	return r.lastResort()
}

// begin looks for what limits exclude and, beside it where there are two workers, builds the relaxation.
func (r *run) begin() *model.Program {
	if r.set.Workers == 1 {
		if r.excess = presolve(r.p); len(r.excess) > 0 {
			return nil
		}
		return model.Build(r.p, model.Options{})
	}
	done := make(chan []model.Excess)
	go func() { done <- presolve(r.p) }()
	relaxed := model.Build(r.p, model.Options{})
	r.excess = <-done
	return relaxed
}

// interrupted makes do with a relaxation that time cut off: its prices prove a bound, and its powers are mostly a plan once stores are rolled forward and devices with decisions
// are rounded.
func (r *run) interrupted(ctx context.Context, relaxed *model.Program, sol *ipm.Solution) *problem.Solution {
	d := r.duals(sol)
	d.Chain = r.chains(relaxed, sol)
	r.bound = math.Max(r.bound, certify.Bound(r.p, d))
	found := discrete.Run(ctx, discrete.Input{Problem: r.p, Relaxed: relaxed, Solution: sol, Bound: r.bound, Gap: r.gap, Workers: r.set.Workers, Judge: r.judge})
	last := r.lastResort()
	if found.Plan == nil || last.Objective != nil && *last.Objective <= found.Plan.Cost {
		return last
	}
	return r.finish(ctx, found.Plan)
}

// chords returns the steps in which importing is cheaper than exporting and both are possible.
func (r *run) chords(relaxed *model.Program) []int {
	var steps []int
	for t := 0; t < r.p.Steps; t++ {
		if relaxed.IPM.Import.Lo[t] < 0 {
			steps = append(steps, t)
		}
	}
	return steps
}

// burns reports whether the relaxation charges and discharges a storage at once where that pays.
func burns(prog *model.Program, sol *ipm.Solution) bool {
	for i := range prog.Place {
		for j := range prog.Place[i] {
			if pl := &prog.Place[i][j]; len(pl.Input) == 2 {
				for t, v := range sol.V[i] {
					if v < -1e-6 && math.Min(sol.Input[i][pl.Input[0]][t], sol.Input[i][pl.Input[1]][t]) > 1e-3 {
						return true
					}
				}
			}
		}
	}
	return false
}

// judge evaluates the powers of a plan.
func (r *run) judge(power [][][]float64, on [][][]bool) (float64, bool) {
	report := certify.EvaluateBy(r.p, r.document(power, on), r.set.Workers)
	return report.Objective, report.Feasible()
}

// document puts powers into a solution document.
func (r *run) document(power [][][]float64, on [][][]bool) *problem.Solution {
	out := problem.NewSolution(r.p, problem.Feasible)
	out.Sites = make([]problem.SiteSolution, len(r.p.Sites))
	for i := range r.p.Sites {
		site := &r.p.Sites[i]
		out.Sites[i] = problem.SiteSolution{ID: site.ID, Devices: make([]problem.DeviceSolution, len(site.Devices))}
		for j, d := range site.Devices {
			dev := problem.DeviceSolution{ID: d.ID(), PowerKW: power[i][j]}
			if on != nil {
				dev.On = on[i][j]
			}
			out.Sites[i].Devices[j] = dev
		}
	}
	return out
}

// raiseBound takes the certified bound that the prices of a solution prove, where it is higher than the present one: first with the solver's own duals of stores, zones and
// peak, and where that leaves more than the gap asked for, with the best there are at its prices.
func (r *run) raiseBound(prog *model.Program, sol *ipm.Solution) {
	d := r.duals(sol)
	d.Peak, d.Chain = sol.Bought, r.chains(prog, sol)
	r.bound = math.Max(r.bound, certify.BoundBy(r.p, d, r.set.Workers))
	if certify.Gap(sol.Info.Objective, r.bound) > math.Min(r.gap, DefaultContinuousGap)/2 {
		d.Peak, d.Chain = nil, nil
		r.bound = math.Max(r.bound, certify.BoundBy(r.p, d, r.set.Workers))
	}
}

// chains are the duals of stores and zones that a solution found.
func (r *run) chains(prog *model.Program, sol *ipm.Solution) map[certify.DeviceKey][]float64 {
	out := map[certify.DeviceKey][]float64{}
	for i := range r.p.Sites {
		for j, dev := range r.p.Sites[i].Devices {
			if k := prog.Place[i][j].Chain; k >= 0 {
				out[certify.DeviceKey{Site: r.p.Sites[i].ID, Device: dev.ID()}] = sol.Y[i][k]
			}
		}
	}
	return out
}

// exactBound raises the bound by what the on/off decisions of devices cost at the prices of the relaxation, and returns what each device would do at them.
func (r *run) exactBound(ctx context.Context, relaxed *model.Program, sol *ipm.Solution, burning bool) [][]exact.Plan {
	deciding := 0
	for i := range r.p.Sites {
		for _, d := range r.p.Sites[i].Devices {
			if exact.Decides(d, burning) {
				deciding++
			}
		}
	}
	if deciding == 0 {
		return nil
	}
	d := r.duals(sol)
	d.Chain = r.chains(relaxed, sol)
	bound, plans, done := certify.ExactBound(ctx, r.p, d, certify.Exact{Tolerance: discrete.Tolerance(sol.Info.Objective, deciding), Burning: burning, Workers: r.set.Workers})
	r.set.Log.Debug("plan bound", "relaxed_eur", r.bound, "exact_eur", bound, "devices", deciding, "all", done)
	r.bound = math.Max(r.bound, bound)
	return plans
}

// boundAt returns a bound for every plan in which the boundary's flow has given directions: that of the problem without the other direction in these steps.
func (r *run) boundAt(burning bool) func(context.Context, []model.Direction, *ipm.Solution) float64 {
	return func(ctx context.Context, directions []model.Direction, sol *ipm.Solution) float64 {
		p := *r.p
		p.Grid.ImportLimitKW, p.Grid.ExportLimitKW = append([]float64(nil), p.Grid.ImportLimitKW...), append([]float64(nil), p.Grid.ExportLimitKW...)
		for t, d := range directions {
			switch d {
			case model.Importing:
				p.Grid.ExportLimitKW[t] = 0
			case model.Exporting:
				p.Grid.ImportLimitKW[t] = 0
			}
		}
		bound, _, _ := certify.ExactBound(ctx, &p, r.duals(sol), certify.Exact{Tolerance: discrete.Tolerance(sol.Info.Objective, len(r.p.Sites)), Burning: burning, Workers: r.set.Workers})
		return bound
	}
}

// duals are the balances' prices of a solution; those of stores, zones and the peak are left to the certificate.
func (r *run) duals(sol *ipm.Solution) certify.Duals {
	dt := r.p.Hours()
	d := certify.Duals{District: scaled(sol.Lambda, 1/dt), Site: make([][]float64, len(r.p.Sites))}
	for i := range r.p.Sites {
		d.Site[i] = scaled(sol.V[i], 1/dt)
	}
	return d
}

func scaled(v []float64, f float64) []float64 {
	out := make([]float64, len(v))
	for t := range v {
		out[t] = f * v[t]
	}
	return out
}

func (r *run) gapOf(cost float64) float64 { return certify.Gap(cost, r.bound) }

// finish turns the best plan into the solution document.
func (r *run) finish(ctx context.Context, plan *discrete.Plan) *problem.Solution {
	best := plan.Cost
	r.lap(&r.info.SearchSeconds)
	chosen, plan := r.prefer(ctx, plan)
	r.lap(&r.info.PreferenceSeconds)
	out := r.document(chosen.power, chosen.on)
	dt := r.p.Hours()
	out.Grid = &problem.GridSolution{Price: scaled(plan.Solution.Lambda, 1/dt)}
	for i := range out.Sites {
		out.Sites[i].Price = scaled(plan.Solution.V[i], 1/dt)
	}
	out.Cost = &problem.Cost{Preference: math.Max(0, chosen.cost-best)}
	report := certify.CompleteBy(r.p, out, r.set.Workers)
	bound := math.Min(r.bound, report.Objective)
	gap := certify.Gap(report.Objective, bound)
	out.Bound, out.Gap = &bound, &gap
	out.Status = problem.Feasible
	if gap <= r.gap {
		out.Status = problem.Optimal
	}
	out.Rounds = r.rounds
	out.Binding, out.Worth = r.binding(plan)
	return out
}

// lastResort is the plan without a solver: everything off that may be off. It is used when the time ran out before any other plan; unknown when it does not
// keep the limits.
func (r *run) lastResort() *problem.Solution {
	power, on := discrete.Quiet(r.p)
	if _, ok := r.judge(power, on); !ok {
		out := problem.NewSolution(r.p, problem.Unknown)
		out.Rounds = r.rounds
		return out
	}
	out := r.document(power, on)
	if math.IsInf(r.bound, -1) {
		d := certify.Duals{District: make([]float64, r.p.Steps)}
		for t := range d.District {
			d.District[t] = r.p.ImportCost(t)
		}
		r.bound = math.Max(certify.Bound(r.p, d), certify.Bound(r.p, certify.Duals{}))
	}
	report := certify.CompleteBy(r.p, out, r.set.Workers)
	bound := math.Min(r.bound, report.Objective)
	gap := certify.Gap(report.Objective, bound)
	out.Bound, out.Gap, out.Rounds = &bound, &gap, r.rounds
	if gap <= r.gap {
		out.Status = problem.Optimal
	}
	return out
}
