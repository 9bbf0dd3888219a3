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

// leastExcess is the total excess over limits (kWh) that a proof of infeasibility needs: well above what a plan may overstep.
const leastExcess = 2e-4

// provenInfeasible reports whether even the program that minimises nothing but the excess over limits cannot avoid some.
func (r *run) provenInfeasible(ctx context.Context) bool {
	prog := model.Build(r.p, model.Options{Elastic: &model.Elastic{LimitPrice: 1, FinalPrice: 1, Only: true}})
	sol, err := ipm.Solve(ctx, prog.IPM, ipm.Settings{Workers: r.set.Workers, GapTol: 1e-5})
	return err == nil && sol.Info.Bound > leastExcess
}

// infeasible explains why there is no plan and gives the nearest one: limits may be exceeded at a price far above everything else, a battery's final energy
// at a lower one, so that what physics protects gives way last.
func (r *run) infeasible(ctx context.Context) *problem.Solution {
	out := problem.NewSolution(r.p, problem.Infeasible)
	out.Rounds = r.rounds
	top := r.highestPrice()
	opt := model.Options{Elastic: &model.Elastic{LimitPrice: 100 * top, FinalPrice: 10 * top}}
	prog := model.Build(r.p, opt)
	sol, err := ipm.Solve(ctx, prog.IPM, ipm.Settings{Workers: r.set.Workers, GapTol: 1e-6})
	if err != nil {
		out.Conflict = r.rangeConflicts()
		return out
	}
	dec := discrete.Decide(ctx, r.p, prog, sol, r.set.Workers)
	opt.Decisions = dec
	fixed := model.Build(r.p, opt)
	if again, err := ipm.Solve(ctx, fixed.IPM, ipm.Settings{Workers: r.set.Workers, GapTol: 1e-6}); err == nil {
		prog, sol = fixed, again
	}
	excess := prog.Excess(sol)
	out.Conflict = r.conflicts(excess)
	if len(out.Conflict) == 0 {
		out.Conflict = r.rangeConflicts()
	}
	power := prog.Powers(sol)
	document := r.document(power, discrete.Flags(r.p, dec, power))
	out.Sites = document.Sites
	out.Elastic = true
	certify.Complete(r.p, out)
	return out
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

// conflicts joins neighbouring steps of the same limit into one entry each.
func (r *run) conflicts(list []model.Excess) []problem.Conflict {
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

// rangeConflicts explains by ranges alone, without a solver.
func (r *run) rangeConflicts() []problem.Conflict {
	return r.conflicts(model.Build(r.p, model.Options{}).RangeExcess())
}
