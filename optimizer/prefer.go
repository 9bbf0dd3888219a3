package optimizer

import (
	"context"
	"math"
	"sort"

	"quartier/optimizer/discrete"
	"quartier/optimizer/ipm"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// setPoints are a plan's powers and states, with what they cost as judged.
type setPoints struct {
	power [][][]float64
	on    [][][]bool
	cost  float64 // EUR
}

// prefer chooses among the plans that cost at most PreferenceEpsilon more than the best one. First the previous plan as it is; then its decisions and its set-points where
// they are still as good; where there is none, the plan with the fewest switches and changes. The result keeps every limit and costs at most the budget more,
// by the judge's word; where the choice fails, it is the best plan itself. The plan returned beside it has the prices for its decisions.
func (r *run) prefer(ctx context.Context, plan *discrete.Plan) (setPoints, *discrete.Plan) {
	best := setPoints{plan.Power, plan.On, plan.Cost}
	if r.set.PreferenceEpsilon < 0 {
		return best, plan
	}
	size := math.Max(1, math.Abs(plan.Cost))
	budget := r.set.PreferenceEpsilon * size
	most := plan.Cost + 0.9*budget // the rest is left for keeping this plan again
	from := 0
	if old := r.previous(); old != nil {
		if kept, ok := r.keepWhole(plan, old, plan.Cost+budget); ok {
			r.set.Log.Debug("plan kept", "preference_eur", kept.cost-plan.Cost)
			return kept, r.priced(ctx, plan, old)
		}
		from = old.steps
		plan = r.keepDecisions(ctx, plan, old, most)
		best = setPoints{plan.Power, plan.On, plan.Cost}
		if near, ok := r.stayNear(ctx, plan, old, most); ok {
			best = near
		}
	}
	// What is only calmer must not spoil a plan that is as good as was asked for.
	most = math.Min(most, best.cost+0.9*r.gap*size)
	if r.gapOf(best.cost) <= r.gap {
		most = math.Min(most, r.bound+r.gap*math.Max(1, math.Abs(r.bound)))
	}
	if calm, ok := r.calm(plan, best, from, most); ok {
		best = calm
	}
	return best, plan
}

// priced returns the plan with the prices for the previous plan's decisions, where they are others and the program has an answer.
func (r *run) priced(ctx context.Context, plan *discrete.Plan, old *former) *discrete.Plan {
	dec, ok := old.decisions(r.p, plan.Decisions)
	if !ok {
		return plan
	}
	for i := range dec.Device {
		for j := range dec.Device[i] {
			if !same(dec.Device[i][j], plan.Decisions.Device[i][j]) {
				if other, ok, _ := discrete.Fix(ctx, r.p, dec, ipm.Settings{Workers: r.set.Workers}, r.judge); ok {
					return other
				}
				return plan
			}
		}
	}
	return plan
}

// keepWhole takes the previous plan as it is, with the new one where it does not reach.
func (r *run) keepWhole(plan *discrete.Plan, old *former, most float64) (setPoints, bool) {
	for i := range old.power {
		for j := range old.power[i] {
			if old.power[i][j] == nil {
				return setPoints{}, false
			}
		}
	}
	power, on := old.whole(r.p, plan)
	if cost, ok := r.judge(power, on); ok && cost <= most {
		return setPoints{power, on, cost}, true
	}
	model.Repair(r.p, power) // in place: nothing of it is shared but the new plan's own powers
	cost, ok := r.judge(power, on)
	return setPoints{power, on, cost}, ok && cost <= most
}

// keepDecisions gives devices back the on/off decisions of the previous plan where, at the prices of the plan, these cost little more: the cheapest first, all of them
// if they fit the budget.
func (r *run) keepDecisions(ctx context.Context, plan *discrete.Plan, old *former, most float64) *discrete.Plan {
	type kept struct {
		i, j int
		dec  model.Decision
		cost float64 // EUR more, at the plan's prices
	}
	var list []kept
	for i := range r.p.Sites {
		for j, d := range r.p.Sites[i].Devices {
			if !model.Discrete(d) {
				continue
			}
			dec, ok := old.decision(r.p, i, j, d, plan.Decisions.Device[i][j])
			if !ok || same(dec, plan.Decisions.Device[i][j]) {
				continue
			}
			list = append(list, kept{i, j, dec, r.dearer(plan, old, i, j, d)})
		}
	}
	sort.SliceStable(list, func(a, b int) bool { return list[a].cost < list[b].cost })
	for budget := (most - plan.Cost) / 2; len(list) > 0; budget /= 4 {
		dec, sum, n := plan.Decisions.Clone(), 0.0, 0
		for _, k := range list {
			if sum += math.Max(0, k.cost); sum > budget {
				break
			}
			dec.Device[k.i][k.j] = k.dec
			n++
		}
		if n == 0 {
			break
		}
		if other, ok, done := discrete.Fix(ctx, r.p, dec, ipm.Settings{Workers: r.set.Workers}, r.judge); !done {
			break
		} else if ok && other.Cost <= most {
			r.set.Log.Debug("plan keeps decisions", "devices", n, "of", len(list), "preference_eur", other.Cost-plan.Cost)
			return other
		}
		list = list[:n/2]
	}
	return plan
}

func same(a, b model.Decision) bool {
	if a.Start != b.Start || len(a.Modes) != len(b.Modes) {
		return false
	}
	for t := range a.Modes {
		if a.Modes[t] != b.Modes[t] {
			return false
		}
	}
	return true
}

// dearer is what the previous powers of a device cost more than the plan's, at the plan's prices; +Inf where they overstep the device's own limits.
func (r *run) dearer(plan *discrete.Plan, old *former, i, j int, d problem.Device) float64 {
	now := plan.Power[i][j]
	then := append(append([]float64(nil), old.power[i][j][:old.steps]...), now[old.steps:]...)
	var on []bool
	if old.on[i][j] != nil {
		on = append(append([]bool(nil), old.on[i][j][:old.steps]...), plan.On[i][j][old.steps:]...)
	}
	alone := newSolo(r.p, d)
	a, _ := alone.cost(now, plan.On[i][j])
	b, ok := alone.cost(then, on)
	if !ok { // shifted by a step or more its energy need not fit: its decisions may all the same
		b = a
	}
	for t, v := range plan.Solution.V[i] {
		b += v * (then[t] - now[t])
	}
	return b - a
}

// touch is how near (kW) to a previous set-point the program's answer must be to be taken for it.
const touch = 2e-3

// stayNear solves the plan's program once more with a price on leaving the previous set-points, small enough that it costs no more than the budget: with D the distance
// of the plan from them (kW, all steps), a price of budget/D per kW and step leaves the cost of the optimum within the budget. Each input is parted at its
// previous set-point into what lies below, at a bonus, and what lies above, at a malus.
func (r *run) stayNear(ctx context.Context, plan *discrete.Plan, old *former, most float64) (setPoints, bool) {
	q := *plan.Program.IPM
	q.Sites = append([]ipm.Site(nil), q.Sites...)
	var parts []parted
	distance := 0.0
	for i := range plan.Program.Place {
		q.Sites[i].Inputs = append([]ipm.Input(nil), q.Sites[i].Inputs...)
		for j := range plan.Program.Place[i] {
			if old.power[i][j] == nil {
				continue
			}
			for _, n := range plan.Program.Place[i][j].Input {
				u := q.Sites[i].Inputs[n]
				above := u
				above.Lo, above.Hi = make([]float64, r.p.Steps), make([]float64, r.p.Steps)
				u.Hi = append([]float64(nil), u.Hi...)
				for t := range old.steps {
					at := u.Sign * old.power[i][j][t]
					if len(plan.Program.Place[i][j].Input) == 2 { // charge and discharge
						at = math.Max(0, at)
					} else {
						at = math.Abs(at)
					}
					at = math.Min(math.Max(at, u.Lo[t]), u.Hi[t])
					above.Hi[t] = u.Hi[t] - at
					u.Hi[t] = at
					distance += math.Abs(plan.Solution.Input[i][n][t] - at)
				}
				q.Sites[i].Inputs[n] = u
				q.Sites[i].Inputs = append(q.Sites[i].Inputs, above)
				parts = append(parts, parted{i, n, len(q.Sites[i].Inputs) - 1})
			}
		}
	}
	if distance < touch {
		return setPoints{}, false
	}
	for _, part := range [...]float64{20, 0.5} { // far more than the safe price mostly costs little all the same: the judge decides
		if near, ok := r.stayAt(ctx, plan, old, &q, parts, part*(most-plan.Cost)/distance, most); ok {
			return near, true
		}
	}
	return setPoints{}, false
}

// parted is an input parted in two.
type parted struct{ site, input, above int }

// stayAt solves the parted program at a price (EUR per kW and step) on leaving the previous set-points.
func (r *run) stayAt(ctx context.Context, plan *discrete.Plan, old *former, from *ipm.Problem, parts []parted, price, most float64) (setPoints, bool) {
	q := *from
	q.Sites = append([]ipm.Site(nil), q.Sites...)
	for i := range q.Sites {
		q.Sites[i].Inputs = append([]ipm.Input(nil), q.Sites[i].Inputs...)
	}
	for _, x := range parts {
		for _, n := range []int{x.input, x.above} {
			u := &q.Sites[x.site].Inputs[n]
			u.Cost = append([]float64(nil), u.Cost...)
			for t := range old.steps {
				if n == x.input {
					u.Cost[t] -= price
				} else {
					u.Cost[t] += price
				}
			}
		}
	}
	sol, err := ipm.Solve(ctx, &q, ipm.Settings{Workers: r.set.Workers, GapTol: math.Min(1e-6, r.set.PreferenceEpsilon/100)})
	if err != nil || sol.Status != ipm.Solved && sol.Status != ipm.AlmostSolved {
		return setPoints{}, false
	}
	// Put the parts together, on the previous set-point where they come near it.
	for _, x := range parts {
		low, high, u := sol.Input[x.site][x.input], sol.Input[x.site][x.above], &q.Sites[x.site].Inputs[x.input]
		for t := range low {
			if low[t] += high[t]; t < old.steps && math.Abs(low[t]-u.Hi[t]) < touch {
				low[t] = u.Hi[t]
			}
		}
	}
	for i := range plan.Program.Place {
		sol.Input[i] = sol.Input[i][:len(plan.Program.IPM.Sites[i].Inputs)]
	}
	power := plan.Program.Powers(sol)
	r.touchUp(power, old)
	model.Repair(r.p, power)
	on := discrete.Flags(r.p, plan.Decisions, power)
	cost, ok := r.judge(power, on)
	r.set.Log.Debug("plan stays near the previous one", "kept", ok && cost <= most, "price_eur", price, "preference_eur", cost-plan.Cost)
	return setPoints{power, on, cost}, ok && cost <= most
}

// touchUp writes previous set-points to the last bit where the powers are within rounding of them.
func (r *run) touchUp(power [][][]float64, old *former) {
	for i := range power {
		for j := range power[i] {
			if old.power[i][j] == nil {
				continue
			}
			for t := range old.steps {
				if was := old.power[i][j][t]; math.Abs(power[i][j][t]-was) < touch {
					power[i][j][t] = was
				}
			}
		}
	}
}
