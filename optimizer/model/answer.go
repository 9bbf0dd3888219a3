package model

import (
	"math"

	"quartier/optimizer/ipm"
	"quartier/optimizer/problem"
)

// Powers returns the power of every device in the program's answer, by site, device and step, in kW, positive into the device,
// each clipped to its box. Where a battery or car both charges and discharges, only the direction that remains after both have moved its energy
// is kept: the energy is the same and less is drawn, and where the site makes solar power that can be curtailed, that much less is made: burning
// and curtailing are the same to a plan.
func (out *Program) Powers(sol *ipm.Solution) [][][]float64 {
	powers := make([][][]float64, len(out.Place))
	for i := range out.Place {
		powers[i] = make([][]float64, len(out.Place[i]))
		for j := range out.Place[i] {
			powers[i][j] = out.devicePower(sol, i, j)
		}
		out.curtail(sol, i, powers[i])
	}
	return powers
}

func (out *Program) devicePower(sol *ipm.Solution, i, j int) []float64 {
	T := out.IPM.Steps
	pl := &out.Place[i][j]
	v := make([]float64, T)
	if pl.fixed != nil {
		copy(v, pl.fixed)
		return v
	}
	site := &out.IPM.Sites[i]
	at := func(u, t int) float64 {
		in := &site.Inputs[u]
		return math.Min(math.Max(sol.Input[i][u][t], in.Lo[t]), in.Hi[t])
	}
	switch len(pl.Input) {
	case 1:
		sign := site.Inputs[pl.Input[0]].Sign
		for t := range v {
			v[t] = sign * at(pl.Input[0], t)
			if v[t] == 0 {
				v[t] = 0 // no negative zero
			}
		}
	case 2:
		gain, loss := site.Inputs[pl.Input[0]].Gain, site.Inputs[pl.Input[1]].Gain
		for t := range v {
			moved := gain[t]*at(pl.Input[0], t) + loss[t]*at(pl.Input[1], t)
			if moved >= 0 {
				v[t] = moved / gain[t]
			} else {
				v[t] = -moved / loss[t]
			}
		}
	}
	return v
}

// curtail takes what batteries and cars burned in the answer off the site's solar power.
func (out *Program) curtail(sol *ipm.Solution, i int, powers [][]float64) {
	for t := 0; t < out.IPM.Steps; t++ {
		burned := 0.0
		for j := range out.Place[i] {
			if pl := &out.Place[i][j]; len(pl.Input) == 2 {
				burned += math.Max(0, sol.Input[i][pl.Input[0]][t]-sol.Input[i][pl.Input[1]][t]-powers[j][t])
			}
		}
		for j, d := range out.Problem.Sites[i].Devices {
			if burned <= 0 {
				break
			}
			if pv, ok := d.(*problem.PV); ok && pv.Curtailable {
				less := math.Min(burned, -powers[j][t])
				powers[j][t] += less
				burned -= less
			}
		}
	}
}

// Both returns the largest power that a battery or car both charges and discharges in a step of the answer, kW.
func (out *Program) Both(sol *ipm.Solution) float64 {
	worst := 0.0
	for i := range out.Place {
		for j := range out.Place[i] {
			if pl := &out.Place[i][j]; len(pl.Input) == 2 {
				for t := 0; t < out.IPM.Steps; t++ {
					worst = math.Max(worst, math.Min(sol.Input[i][pl.Input[0]][t], sol.Input[i][pl.Input[1]][t]))
				}
			}
		}
	}
	return worst
}

// Discrete reports whether the device has decisions that are no continuous choice, apart from not charging and discharging at once.
func Discrete(d problem.Device) bool {
	switch d := d.(type) {
	case *problem.EV:
		return d.MinKW > 0
	case *problem.HeatPump:
		return d.MinKW > 0 || d.StartCost > 0 || d.MinOnSteps > 1 || d.MinOffSteps > 1 || d.HeldSteps(1) > 0
	case *problem.WaterHeater:
		return d.MinKW > 0
	case *problem.Shiftable:
		return d.EarliestStep < d.LatestStep
	}
	return false
}
