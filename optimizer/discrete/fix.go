package discrete

import (
	"context"
	"math"

	"quartier/optimizer/ipm"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// Judge tells what the powers (kW) and on states of a plan cost in EUR, and whether the plan keeps every limit.
type Judge func(power [][][]float64, on [][][]bool) (cost float64, feasible bool)

// Fix solves the continuous program that decisions leave, and settles its answer. ok is false without a feasible plan, done when the
// context ended first.
func Fix(ctx context.Context, p *problem.Problem, dec *model.Decisions, set ipm.Settings, judge Judge) (plan *Plan, ok, done bool) {
	prog := model.Build(p, model.Options{Decisions: dec})
	if prog.Impossible() {
		return nil, false, true
	}
	sol, err := ipm.Solve(ctx, prog.IPM, set)
	if err != nil || sol.Status == ipm.Interrupted {
		return nil, false, false
	}
	if sol.Status != ipm.Solved && sol.Status != ipm.AlmostSolved {
		return nil, false, true
	}
	return Settle(ctx, p, prog, sol, dec, set, judge)
}

// Settle reads a plan out of the answer of a program. Where the answer both charges and discharges a storage and that matters, the directions
// are fixed and the program solved again; and so is, in steps where the boundary's flow is on its chord, the direction that the answer takes.
func Settle(ctx context.Context, p *problem.Problem, prog *model.Program, sol *ipm.Solution, dec *model.Decisions, set ipm.Settings, judge Judge) (plan *Plan, ok, done bool) {
	for attempt := 0; ; attempt++ {
		got, feasible := Take(p, prog, sol, dec, judge)
		if feasible && (plan == nil || got.Cost < plan.Cost) {
			plan, ok = got, true
		}
		if attempt == 2 {
			break
		}
		if next := directed(p, prog, dec, got.Power); next != nil {
			dec = next
		} else if prog.Both(sol) < 1e-7 || (feasible && got.Cost <= max(sol.Info.Objective, sol.Info.Bound)+startCosts(p, got.On)+2.5e-7*max(1, math.Abs(got.Cost))) {
			break
		} else {
			dec = dec.Clone()
			fixDirections(p, dec, got.Power)
		}
		prog = model.Build(p, model.Options{Decisions: dec})
		if prog.Impossible() {
			break
		}
		var err error
		if sol, err = ipm.Solve(ctx, prog.IPM, set); err != nil || sol.Status == ipm.Interrupted {
			return plan, ok, false
		}
		if sol.Status != ipm.Solved && sol.Status != ipm.AlmostSolved {
			break
		}
	}
	return plan, ok, true
}

// directed returns the decisions with the directions that the powers take in steps where the program left them open, nil where there is none.
func directed(p *problem.Problem, prog *model.Program, dec *model.Decisions, power [][][]float64) *model.Decisions {
	var next *model.Decisions
	for t, lo := range prog.IPM.Import.Lo {
		if lo >= 0 {
			continue
		}
		if next == nil {
			next = dec.Clone()
		}
		net := 0.0
		for i := range p.Sites {
			net += p.Sites[i].LoadKW[t]
			for j := range power[i] {
				net += power[i][j][t]
			}
		}
		next.Direction[t] = model.Exporting
		if net >= 0 {
			next.Direction[t] = model.Importing
		}
	}
	return next
}

// Take reads a plan out of the answer of a program and has it judged.
func Take(p *problem.Problem, prog *model.Program, sol *ipm.Solution, dec *model.Decisions, judge Judge) (plan *Plan, feasible bool) {
	power := prog.Powers(sol)
	model.Repair(p, power)
	on := Flags(p, dec, power)
	cost, feasible := judge(power, on)
	return &Plan{Cost: cost, Power: power, On: on, Decisions: dec, Program: prog, Solution: sol}, feasible
}

// startCosts is what the starts of the heat pumps cost, which the continuous program does not know.
func startCosts(p *problem.Problem, on [][][]bool) float64 {
	sum := 0.0
	for i := range p.Sites {
		for j, d := range p.Sites[i].Devices {
			if h, ok := d.(*problem.HeatPump); ok {
				was := h.InitialOn
				for _, now := range on[i][j] {
					if now && !was {
						sum += h.StartCost
					}
					was = now
				}
			}
		}
	}
	return sum
}

// fixDirections forbids every battery, and every car that may give, the direction that its power does not take.
func fixDirections(p *problem.Problem, dec *model.Decisions, power [][][]float64) {
	for i := range p.Sites {
		for j, d := range p.Sites[i].Devices {
			switch d := d.(type) {
			case *problem.Battery:
				dec.Device[i][j] = model.Decision{Modes: directions(power[i][j])}
			case *problem.EV:
				if d.DischargeKW > 0 && dec.Device[i][j].Modes == nil {
					dec.Device[i][j] = model.Decision{Modes: directions(power[i][j])}
				}
			}
		}
	}
}

// Flags are the on states of the heat pumps: as decided, or on where they draw power.
func Flags(p *problem.Problem, dec *model.Decisions, power [][][]float64) [][][]bool {
	on := make([][][]bool, len(p.Sites))
	for i := range p.Sites {
		on[i] = make([][]bool, len(p.Sites[i].Devices))
		for j, d := range p.Sites[i].Devices {
			if d.Kind() != problem.KindHeatPump {
				continue
			}
			on[i][j] = make([]bool, p.Steps)
			for t := range on[i][j] {
				if m := dec.Device[i][j].Modes; m != nil && m[t] != model.Relaxed {
					on[i][j][t] = m[t] == model.On
				} else {
					on[i][j][t] = power[i][j][t] > 1e-6
				}
			}
		}
	}
	return on
}

// Quiet is a plan without a solver: everything is off that may be off, batteries rest, cars wait, solar power is used in full, and appliances start as early as they may.
func Quiet(p *problem.Problem) (power [][][]float64, on [][][]bool) {
	power, on = make([][][]float64, len(p.Sites)), make([][][]bool, len(p.Sites))
	zero := make([]float64, p.Steps)
	for i := range p.Sites {
		power[i], on[i] = make([][]float64, len(p.Sites[i].Devices)), make([][]bool, len(p.Sites[i].Devices))
		for j, d := range p.Sites[i].Devices {
			v := make([]float64, p.Steps)
			switch d := d.(type) {
			case *problem.PV:
				for t, kw := range d.AvailableKW {
					v[t] = -kw
				}
			case *problem.Shiftable:
				copy(v[d.EarliestStep:], d.ProfileKW)
			case *problem.HeatPump:
				c, _ := diffuse(p, d, zero)
				v, on[i][j] = c.power, c.on
			}
			power[i][j] = v
		}
	}
	model.Repair(p, power)
	return power, on
}
