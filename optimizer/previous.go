package optimizer

import (
	"context"
	"math"

	"quartier/optimizer/discrete"
	"quartier/optimizer/ipm"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// former is the previous plan in the steps of the present problem.
type former struct {
	steps int           // steps of the present problem that it covers, from the first
	same  bool          // it is a plan of this very problem
	power [][][]float64 // by site, device and step, T values of which the first steps count; nil for a device that it does not know
	on    [][][]bool    // heat pumps
}

// previous aligns the previous plan by its start. It returns nil when there is none, its steps are others, or it does not cover the first step.
func (r *run) previous() *former {
	old := r.set.Previous
	if old == nil || len(old.Sites) == 0 || old.StepMinutes != r.p.StepMinutes || old.Elastic || r.set.PreferenceEpsilon < 0 {
		return nil
	}
	steps := r.p.Start.Sub(old.Start).Minutes() / r.p.StepMinutes
	shift := int(math.Round(steps))
	if math.Abs(steps-float64(shift)) > 1e-6 || shift < 0 || shift >= old.Steps {
		return nil
	}
	T := r.p.Steps
	out := &former{steps: min(T, old.Steps-shift), same: shift == 0 && old.Steps == T && old.ProblemSHA256 == r.p.Hash(),
		power: make([][][]float64, len(r.p.Sites)), on: make([][][]bool, len(r.p.Sites))}
	plans := map[[2]string]*problem.DeviceSolution{}
	for i := range old.Sites {
		for j := range old.Sites[i].Devices {
			plans[[2]string{old.Sites[i].ID, old.Sites[i].Devices[j].ID}] = &old.Sites[i].Devices[j]
		}
	}
	for i := range r.p.Sites {
		site := &r.p.Sites[i]
		out.power[i], out.on[i] = make([][]float64, len(site.Devices)), make([][]bool, len(site.Devices))
		for j, d := range site.Devices {
			was := plans[[2]string{site.ID, d.ID()}]
			if was == nil || len(was.PowerKW) != old.Steps {
				continue
			}
			v := make([]float64, T)
			copy(v, was.PowerKW[shift:])
			out.power[i][j] = v
			if d.Kind() != problem.KindHeatPump {
				continue
			}
			on := make([]bool, T)
			for t := range on[:out.steps] {
				on[t] = v[t] > 1e-6
				if len(was.On) == old.Steps {
					on[t] = was.On[shift+t]
				}
			}
			out.on[i][j] = on
		}
	}
	return out
}

// whole returns the previous plan with the new one where it does not reach: powers and states of every device.
func (f *former) whole(p *problem.Problem, plan *discrete.Plan) (power [][][]float64, on [][][]bool) {
	power, on = make([][][]float64, len(p.Sites)), make([][][]bool, len(p.Sites))
	for i := range p.Sites {
		power[i], on[i] = append([][]float64(nil), plan.Power[i]...), append([][]bool(nil), plan.On[i]...)
		for j, d := range p.Sites[i].Devices {
			if f.power[i][j] == nil {
				continue
			}
			power[i][j] = append(append([]float64(nil), f.power[i][j][:f.steps]...), plan.Power[i][j][f.steps:]...)
			if f.on[i][j] != nil {
				on[i][j] = append(append([]bool(nil), f.on[i][j][:f.steps]...), plan.On[i][j][f.steps:]...)
			}
			if pv, ok := d.(*problem.PV); ok && !f.same {
				for t := range f.steps { // the sun decides, not the plan: only what was curtailed is kept, where it still can be
					if !pv.Curtailable || power[i][j][t] <= plan.Power[i][j][t] {
						power[i][j][t] = plan.Power[i][j][t]
					}
				}
			}
		}
	}
	return power, on
}

// decisions returns the previous plan's on/off decisions in the steps that it covers with those of another plan (nil: none) behind them. ok is false where a device with
// decisions was not known, or where the two do not fit together.
func (f *former) decisions(p *problem.Problem, other *model.Decisions) (dec *model.Decisions, ok bool) {
	dec = model.NewDecisions(p)
	if other != nil {
		dec = other.Clone()
	} else if f.steps < p.Steps {
		return nil, false
	}
	for i := range p.Sites {
		for j, d := range p.Sites[i].Devices {
			if model.Discrete(d) {
				one, ok := f.decision(p, i, j, d, dec.Device[i][j])
				if !ok {
					return nil, false
				}
				dec.Device[i][j] = one
			}
		}
	}
	return dec, true
}

// decision is that of one device.
func (f *former) decision(p *problem.Problem, i, j int, d problem.Device, other model.Decision) (dec model.Decision, ok bool) {
	v := f.power[i][j]
	if v == nil {
		return dec, false
	}
	if d, ok := d.(*problem.Shiftable); ok {
		return f.start(d, v)
	}
	modes := make([]model.Mode, p.Steps)
	if f.steps < p.Steps {
		if other.Modes == nil {
			return dec, false
		}
		copy(modes, other.Modes)
	}
	for t := range f.steps {
		switch {
		case v[t] > 1e-6 || f.on[i][j] != nil && f.on[i][j][t]:
			modes[t] = model.On
		case v[t] < -1e-6:
			modes[t] = model.Discharging
		default:
			modes[t] = model.Off
		}
	}
	if h, ok := d.(*problem.HeatPump); ok && !legal(p, h, modes) {
		return dec, false
	}
	return model.Decision{Modes: modes}, true
}

// legal reports whether a heat pump may be on and off like that.
func legal(p *problem.Problem, d *problem.HeatPump, modes []model.Mode) bool {
	power, on := make([]float64, p.Steps), make([]bool, p.Steps)
	for t, m := range modes {
		if on[t] = m == model.On; on[t] {
			power[t] = d.MinKW
		}
	}
	_, ok := newSolo(p, d).cost(power, on)
	return ok
}

// start finds when an appliance ran: the start that the powers fit, as far as they reach.
func (f *former) start(d *problem.Shiftable, v []float64) (dec model.Decision, ok bool) {
	for s := d.EarliestStep; s <= d.LatestStep && s < f.steps; s++ {
		fits := true
		for t := range f.steps {
			want := 0.0
			if k := t - s; k >= 0 && k < len(d.ProfileKW) {
				want = d.ProfileKW[k]
			}
			fits = fits && math.Abs(v[t]-want) < 1e-5
		}
		if fits {
			return model.Decision{Start: s + 1}, true
		}
	}
	return dec, false
}

// remember turns the previous plan of this very problem into a plan with prices: its decisions fixed, the rest solved. nil: there is none that keeps the limits.
func (r *run) remember(ctx context.Context, f *former) *discrete.Plan {
	if f == nil || !f.same {
		return nil
	}
	for i := range f.power {
		for j := range f.power[i] {
			if f.power[i][j] == nil {
				return nil
			}
		}
	}
	cost, ok := r.judge(f.power, f.on)
	if !ok {
		return nil
	}
	dec, ok := f.decisions(r.p, nil)
	if !ok {
		return nil
	}
	dec.Direction = r.directions(f.power)
	r.storageDirections(dec, f.power)
	plan, ok, _ := discrete.Fix(ctx, r.p, dec, ipm.Settings{Workers: r.set.Workers}, r.judge)
	if !ok {
		return nil
	}
	if cost > plan.Cost+r.set.PreferenceEpsilon*math.Max(1, math.Abs(plan.Cost)) && r.gapOf(cost) <= r.gap {
		// There is a better one, but this is as good as is asked for: nothing moves.
		return &discrete.Plan{Cost: cost, Power: f.power, On: f.on, Decisions: dec, Program: plan.Program, Solution: plan.Solution}
	}
	return plan
}

// storageDirections adds the directions of batteries, and of cars without other decisions, to those of machines.
func (r *run) storageDirections(dec *model.Decisions, power [][][]float64) {
	for i := range r.p.Sites {
		for j, d := range r.p.Sites[i].Devices {
			ev, car := d.(*problem.EV)
			if d.Kind() != problem.KindBattery && !(car && ev.MinKW == 0 && ev.DischargeKW > 0) {
				continue
			}
			modes := make([]model.Mode, r.p.Steps)
			for t, kw := range power[i][j] {
				if modes[t] = model.On; kw < 0 {
					modes[t] = model.Discharging
				}
			}
			dec.Device[i][j] = model.Decision{Modes: modes}
		}
	}
}

// directions are those of the boundary's flow where both were possible and the import is the cheaper one.
func (r *run) directions(power [][][]float64) []model.Direction {
	out := make([]model.Direction, r.p.Steps)
	for t := range out {
		if r.p.ImportCost(t) >= r.p.Grid.ExportPrice[t] {
			continue
		}
		net := 0.0
		for i := range r.p.Sites {
			net += r.p.Sites[i].LoadKW[t]
			for j := range power[i] {
				net += power[i][j][t]
			}
		}
		out[t] = model.Exporting
		if net >= 0 {
			out[t] = model.Importing
		}
	}
	return out
}
