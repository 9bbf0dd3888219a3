package optimizer

import (
	"context"
	"math"
	"sort"

	"quartier/optimizer/certify"
	"quartier/optimizer/discrete"
	"quartier/optimizer/ipm"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// leastExcess is the total excess over limits (kWh) that a proof of infeasibility needs. The bound that is compared with it is computed from duals, so that what is
// above rounding is proven.
const leastExcess = certify.Tolerance

// leastOverstep minimises nothing but the excess over limits, with the decisions given (nil: the relaxation). What physics protects gives way last: a battery's energy is
// cheaper than a connection's power. ok is false when the context ended first.
func (r *run) leastOverstep(ctx context.Context, p *problem.Problem, dec *model.Decisions) (prog *model.Program, sol *ipm.Solution, ok bool) {
	prog = model.Build(p, model.Options{Decisions: dec, Elastic: &model.Elastic{LimitPrice: 1, FinalPrice: 0.5, Only: true}})
	sol, err := ipm.Solve(ctx, prog.IPM, ipm.Settings{Workers: r.set.Workers, GapTol: leastExcess / 20})
	return prog, sol, err == nil && sol.Status != ipm.Interrupted
}

// provenInfeasible reports whether even the program that minimises nothing but the excess over limits cannot avoid some.
func (r *run) provenInfeasible(ctx context.Context) bool {
	_, sol, ok := r.leastOverstep(ctx, r.p, nil)
	return ok && sol.Info.Bound > leastExcess/2
}

// nearestGap is how near to the least cost the nearest plan to an infeasible problem comes; it carries no bound, so that nothing is proven by more.
const nearestGap = 1e-3

// infeasible explains why there is no plan and gives the nearest one: first the least excess over limits, then, with those limits giving way by that much, the least
// cost. What presolve found needs no solver to be named.
func (r *run) infeasible(ctx context.Context) *problem.Solution {
	out := problem.NewSolution(r.p, problem.Infeasible)
	out.Rounds = r.rounds
	n := &nearest{run: r, q: r.p}
	n.give(r.excess)
	for k := 0; k < 4; k++ { // giving way in one place can bring the next to light
		more := presolve(n.q)
		if len(more) == 0 {
			break
		}
		n.give(more)
	}
	power, on, ok := n.plan(ctx)
	out.Conflict = r.conflicts(n.given)
	if !ok { // no time was left: everything off that may be off, where that is within what gave way
		power, on = discrete.Quiet(n.q)
		if _, ok = n.judge(power, on); !ok {
			return out
		}
	}
	out.Sites = r.document(power, on).Sites
	out.Elastic = true
	certify.Complete(r.p, out)
	return out
}

// nearest is the work on the nearest plan.
type nearest struct {
	*run
	q     *problem.Problem // the problem with the limits that have given way
	given []model.Excess
}

// judge allows a plan that cannot keep every limit anyway a tenth of a W or Wh beyond those that gave way.
func (n *nearest) judge(power [][][]float64, on [][][]bool) (float64, bool) {
	report := certify.Evaluate(n.q, n.document(power, on))
	for _, v := range report.Violations {
		if !(v.Amount < 1e-4) {
			return report.Objective, false
		}
	}
	return report.Objective, true
}

// give lets limits give way.
func (n *nearest) give(list []model.Excess) {
	if len(list) == 0 {
		return
	}
	n.given = append(n.given, list...)
	n.q = giveWay(n.q, list)
}

// plan finds the plan of least cost within the limits as they gave way. Where they have not given way enough, it asks for the least excess.
func (n *nearest) plan(ctx context.Context) (power [][][]float64, on [][][]bool, ok bool) {
	var prog *model.Program
	var sol *ipm.Solution
	for attempt := 0; ; attempt++ {
		prog = model.Build(n.q, model.Options{})
		var err error
		if sol, err = ipm.Solve(ctx, prog.IPM, ipm.Settings{Workers: n.set.Workers, GapTol: nearestGap}); err != nil || sol.Status == ipm.Interrupted {
			return nil, nil, false
		}
		n.set.Log.Debug("plan nearest", "status", sol.Status, "iterations", sol.Info.Iterations, "objective_eur", sol.Info.Objective)
		if sol.Status == ipm.Solved || sol.Status == ipm.AlmostSolved || attempt == 1 {
			break
		}
		least, at, ok := n.leastOverstep(ctx, n.q, nil)
		if !ok {
			return nil, nil, false
		}
		n.give(least.Excess(at))
	}
	dec := model.NewDecisions(n.q)
	if n.decides() {
		dec = discrete.Decide(ctx, n.q, prog, sol, n.set.Workers)
		if ctx.Err() != nil {
			return nil, nil, false
		}
	} else if plan, feasible := discrete.Take(n.q, prog, sol, dec, n.judge); feasible {
		return plan.Power, plan.On, true
	} else if plan, feasible, _ := discrete.Settle(ctx, n.q, prog, sol, dec, ipm.Settings{Workers: n.set.Workers}, n.judge); feasible {
		return plan.Power, plan.On, true
	}
	if plan, feasible, _ := discrete.Fix(ctx, n.q, dec, ipm.Settings{Workers: n.set.Workers}, n.judge); feasible {
		return plan.Power, plan.On, true
	}
	least, at, ok := n.leastOverstep(ctx, n.q, dec)
	if !ok {
		return nil, nil, false
	}
	n.give(least.Excess(at))
	if plan, feasible, _ := discrete.Fix(ctx, n.q, dec, ipm.Settings{Workers: n.set.Workers}, n.judge); feasible {
		return plan.Power, plan.On, true
	}
	// The point of least excess itself, whatever it costs.
	power = least.Powers(at)
	model.Repair(n.q, power)
	return power, discrete.Flags(n.q, dec, power), true
}

// giveWay returns the problem with each limit of the list wider by its excess, and a hair more than that, within which a solver can work.
func giveWay(p *problem.Problem, list []model.Excess) *problem.Problem {
	const hair = 2e-6 // kW or kWh, below what counts as overstepping
	q := *p
	q.Sites = append([]problem.Site(nil), p.Sites...)
	q.Grid.ImportLimitKW, q.Grid.ExportLimitKW = append([]float64(nil), p.Grid.ImportLimitKW...), append([]float64(nil), p.Grid.ExportLimitKW...)
	own := map[int]bool{} // sites whose series are the copy's own
	for _, e := range list {
		if e.Site < 0 {
			limit := q.Grid.ImportLimitKW
			if e.Export {
				limit = q.Grid.ExportLimitKW
			}
			limit[e.Step] += e.Amount + hair
			continue
		}
		s := &q.Sites[e.Site]
		if !own[e.Site] {
			own[e.Site] = true
			s.ImportLimitKW, s.ExportLimitKW = append([]float64(nil), s.ImportLimitKW...), append([]float64(nil), s.ExportLimitKW...)
			s.Devices = append([]problem.Device(nil), s.Devices...)
		}
		switch {
		case e.Final:
			b := *s.Devices[e.Device].(*problem.Battery)
			if e.Step == p.Steps-1 && b.FinalMinKWh > b.MinKWh {
				b.FinalMinKWh = math.Max(0, b.FinalMinKWh-e.Amount-hair)
			} else {
				b.MinKWh = math.Max(0, b.MinKWh-e.Amount-hair)
				b.FinalMinKWh = math.Max(0, math.Min(b.FinalMinKWh, math.Max(b.MinKWh, b.FinalMinKWh-e.Amount-hair)))
			}
			s.Devices[e.Device] = &b
		case e.Export:
			s.ExportLimitKW[e.Step] += e.Amount + hair
		default:
			s.ImportLimitKW[e.Step] += e.Amount + hair
		}
	}
	return &q
}

// decides reports whether the problem has on/off decisions.
func (r *run) decides() bool {
	for i := range r.p.Sites {
		for _, d := range r.p.Sites[i].Devices {
			if model.Discrete(d) {
				return true
			}
		}
	}
	return false
}

// highestPrice is above every price per kWh of the problem.
func (r *run) highestPrice() float64 {
	top := 1.0
	up := func(v float64) { top = math.Max(top, math.Abs(v)) }
	for t := 0; t < r.p.Steps; t++ {
		up(r.p.ImportCost(t))
		up(r.p.Grid.ExportPrice[t])
	}
	for i := range r.p.Sites {
		for _, f := range r.p.Sites[i].WithdrawalFee {
			up(f)
		}
		for _, d := range r.p.Sites[i].Devices {
			switch d := d.(type) {
			case *problem.Battery:
				up(d.FinalValuePerKWh)
				up(d.WearCostPerKWh)
			case *problem.EV:
				up(d.ShortfallCostPerKWh)
			case *problem.WaterHeater:
				up(d.ShortfallCostPerKWh)
			case *problem.Flexible:
				up(d.ShortfallCostPerKWh)
			}
		}
	}
	return math.Max(top, r.p.Grid.PeakPrice/r.p.Hours())
}

// conflicts sums what one limit gave way in several goes, and joins its neighbouring steps into one entry.
func (r *run) conflicts(given []model.Excess) []problem.Conflict {
	var list []model.Excess
	at := map[model.Excess]int{}
	for _, e := range given {
		key := e
		key.Amount = 0
		if k, ok := at[key]; ok {
			list[k].Amount += e.Amount
			continue
		}
		at[key] = len(list)
		list = append(list, e)
	}
	sort.SliceStable(list, func(a, b int) bool {
		x, y := list[a], list[b]
		switch {
		case x.Site != y.Site:
			return x.Site < y.Site
		case x.Device != y.Device:
			return x.Device < y.Device
		case x.Export != y.Export:
			return y.Export
		}
		return x.Step < y.Step
	})
	var out []problem.Conflict
	for _, e := range list {
		c := problem.Conflict{FromStep: e.Step, ToStep: e.Step + 1, Amount: e.Amount, Unit: "kW", Limit: "import_limit_kw"}
		if e.Export {
			c.Limit = "export_limit_kw"
		}
		if e.Site < 0 {
			c.Limit = "grid." + c.Limit
		} else {
			c.Site = r.p.Sites[e.Site].ID
		}
		if e.Final {
			c.Device, c.Unit, c.Limit = r.p.Sites[e.Site].Devices[e.Device].ID(), "kWh", "min_kwh"
			if b, ok := r.p.Sites[e.Site].Devices[e.Device].(*problem.Battery); ok && e.Step == r.p.Steps-1 && b.FinalMinKWh > b.MinKWh {
				c.Limit = "final_min_kwh"
			}
		}
		if n := len(out); n > 0 {
			last := &out[n-1]
			if last.Limit == c.Limit && last.Site == c.Site && last.Device == c.Device && last.ToStep == c.FromStep {
				last.ToStep, last.Amount = c.ToStep, math.Max(last.Amount, c.Amount)
				continue
			}
		}
		out = append(out, c)
	}
	return out
}
