package optimizer

import (
	"math"
	"strings"

	"quartier/optimizer/discrete"
	"quartier/optimizer/problem"
)

// leastRelief is the smallest worth of a limit that is told, EUR per kW or kWh.
const leastRelief = 1e-4

// binding lists the limits that the plan meets and what one kW or kWh more of each would save in its step, with the decisions as they are, and what the same
// would save in all steps together.
//
// The values are multipliers of the continuous program. With f(r) the least cost when a limit gives r more, f is convex and falls, and a value v is a
// slope of it at 0: f(r) >= f(0) - v*r for every r. So a large relief saves less per unit than v, and taking as much away costs more.
func (r *run) binding(plan *discrete.Plan) ([]problem.Binding, []problem.Worth) {
	list := []problem.Binding{}
	total := map[problem.Worth]float64{}
	order := []problem.Worth{}
	q, sol, p := plan.Program.IPM, plan.Solution, r.p
	add := func(limit, site, device string, t int, value float64) {
		if !(value > 0) {
			return
		}
		if value >= leastRelief {
			list = append(list, problem.Binding{Limit: limit, Site: site, Device: device, Step: t, Value: value})
		}
		key := problem.Worth{Limit: limit, Site: site, Device: device, Unit: "kW"}
		if strings.HasSuffix(limit, "_kwh") {
			key.Unit = "kWh"
		}
		if _, known := total[key]; !known {
			order = append(order, key)
		}
		total[key] += value
	}
	near := func(x, limit float64) bool {
		return !math.IsInf(limit, 0) && math.Abs(x-limit) <= 1e-4*math.Max(1, math.Abs(limit))
	}
	for t := 0; t < p.Steps; t++ {
		price := sol.Lambda[t]
		over := price - q.Import.Cost[t] // what importing is worth beyond its cost: the peak's share, and the limit's
		share := over
		if near(sol.Import[t], p.Grid.ImportLimitKW[t]) {
			share = math.Min(over, sol.Bought[t])
			add("grid.import_limit_kw", "", "", t, over-share)
		}
		if p.Grid.PeakPrice > 0 && sol.Import[t] > p.Grid.PeakSoFarKW-1e-4 {
			add("grid.peak_so_far_kw", "", "", t, share)
		}
		if near(sol.Export[t], p.Grid.ExportLimitKW[t]) {
			add("grid.export_limit_kw", "", "", t, -price-q.Export.Cost[t])
		}
	}
	for i := range p.Sites {
		site := &p.Sites[i]
		for t := 0; t < p.Steps; t++ {
			n := sol.Net[i][t]
			if near(n, site.ImportLimitKW[t]) {
				add("import_limit_kw", site.ID, "", t, sol.V[i][t]-sol.Lambda[t]-p.Hours()*site.WithdrawalFee[t])
			}
			if near(-n, site.ExportLimitKW[t]) {
				add("export_limit_kw", site.ID, "", t, sol.Lambda[t]-sol.V[i][t])
			}
		}
		for j, d := range site.Devices {
			r.deviceBinding(plan, i, j, d, func(limit string, t int, value float64) { add(limit, site.ID, d.ID(), t, value) })
		}
	}
	worth := []problem.Worth{}
	for _, w := range order {
		if v := total[w]; v >= leastRelief {
			w.Value = v
			worth = append(worth, w)
		}
	}
	return list, worth
}

// deviceBinding reads the reduced costs of a device's inputs and states where they meet their limits.
func (r *run) deviceBinding(plan *discrete.Plan, i, j int, d problem.Device, add func(limit string, t int, value float64)) {
	pl := plan.Program.Place[i][j]
	site, sol := &plan.Program.IPM.Sites[i], plan.Solution
	if len(pl.Input) == 0 {
		return
	}
	// more returns what one more kW of the input costs in step t: negative where it is held back.
	more := func(n, t int) float64 {
		u := &site.Inputs[pl.Input[n]]
		g := u.Cost[t] + u.Sign*sol.V[i][t]
		if u.Chain >= 0 {
			g += u.Gain[t] * sol.Y[i][u.Chain][t]
		}
		return g
	}
	power := func(n int, limit string, most float64) {
		for t := range sol.V[i] {
			if x := sol.Input[i][pl.Input[n]][t]; most > 0 && x >= most-1e-4*math.Max(1, most) {
				add(limit, t, -more(n, t))
			}
		}
	}
	energy := func(least func(t int) (string, float64), capacity func(t int) float64) {
		c, y := &site.Chains[pl.Chain], sol.Y[i][pl.Chain]
		for t, x := range sol.State[i][pl.Chain] {
			if c.Lo[t] < 0 { // no car, no window
				continue
			}
			g := c.Cost[t] - y[t]
			if t+1 < len(y) {
				g += c.Keep[t+1] * y[t+1]
			}
			if most := capacity(t); x >= most-1e-4*math.Max(1, most) {
				add("capacity_kwh", t, -g)
			} else if limit, lo := least(t); limit != "" && x <= lo+1e-4*math.Max(1, lo) {
				add(limit, t, g)
			}
		}
	}
	none := func(int) (string, float64) { return "", 0 }
	always := func(v float64) func(int) float64 { return func(int) float64 { return v } }
	switch d := d.(type) {
	case *problem.Battery:
		power(0, "charge_kw", d.ChargeKW)
		power(1, "discharge_kw", d.DischargeKW)
		energy(func(t int) (string, float64) {
			if t == r.p.Steps-1 && d.FinalMinKWh > d.MinKWh {
				return "final_min_kwh", d.FinalMinKWh
			}
			return "min_kwh", d.MinKWh
		}, always(d.CapacityKWh))
	case *problem.EV:
		power(0, "max_kw", d.MaxKW)
		if len(pl.Input) > 1 {
			power(1, "discharge_kw", d.DischargeKW)
		}
		energy(none, always(d.CapacityKWh))
	case *problem.HeatPump:
		power(0, "max_kw", d.MaxKW)
	case *problem.WaterHeater:
		power(0, "max_kw", d.MaxKW)
		energy(none, d.CapacityAt)
	case *problem.Flexible:
		power(0, "max_kw", d.MaxKW)
	}
}
