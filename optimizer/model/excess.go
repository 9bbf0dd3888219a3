package model

import (
	"math"

	"quartier/optimizer/ipm"
	"quartier/optimizer/problem"
)

// Excess is what a plan takes beyond a limit in one step.
type Excess struct {
	Site   int  // index, -1 for the district's boundary
	Device int  // index, -1 for the site or the boundary itself
	Export bool // the export limit
	Final  bool // a battery's energy: final_min_kwh, or min_kwh before the last step
	Step   int
	Amount float64 // kW, or kWh where Final
}

// excessTol is the smallest excess that is told, kW or kWh: ten times what a plan may overstep.
const excessTol = 1e-4

// Excess lists where the answer of an elastic program goes beyond its limits.
func (out *Program) Excess(sol *ipm.Solution) []Excess {
	var list []Excess
	p := out.Problem
	power := out.Powers(sol)
	total := make([]float64, p.Steps)
	for i := range p.Sites {
		s := &p.Sites[i]
		for t := 0; t < p.Steps; t++ {
			net := s.LoadKW[t]
			for j := range power[i] {
				net += power[i][j][t]
			}
			total[t] += net
			if over := net - s.ImportLimitKW[t]; over > excessTol {
				list = append(list, Excess{Site: i, Device: -1, Step: t, Amount: over})
			}
			if over := -net - s.ExportLimitKW[t]; over > excessTol {
				list = append(list, Excess{Site: i, Device: -1, Export: true, Step: t, Amount: over})
			}
		}
		for j, d := range s.Devices {
			b, ok := d.(*problem.Battery)
			if !ok {
				continue
			}
			dt, e := p.Hours(), b.InitialKWh
			for t, kw := range power[i][j] {
				e = store((1-b.SelfDischargePerHour*dt)*e, kw, dt*b.ChargeEfficiency, dt/b.DischargeEfficiency)
				lo := b.MinKWh
				if t == p.Steps-1 {
					lo = math.Max(lo, b.FinalMinKWh)
				}
				if lo-e > excessTol {
					list = append(list, Excess{Site: i, Device: j, Final: true, Step: t, Amount: lo - e})
				}
			}
		}
	}
	for t, net := range total {
		if over := net - p.Grid.ImportLimitKW[t]; over > excessTol {
			list = append(list, Excess{Site: -1, Device: -1, Step: t, Amount: over})
		}
		if over := -net - p.Grid.ExportLimitKW[t]; over > excessTol {
			list = append(list, Excess{Site: -1, Device: -1, Export: true, Step: t, Amount: over})
		}
	}
	return list
}

// Impossible reports whether limits exclude every plan of the program by ranges alone; see RangeExcess.
func (out *Program) Impossible() bool { return len(out.RangeExcess()) > 0 }

// RangeExcess lists what limits exclude by ranges alone: a site's or the district's net power that its devices cannot bring within its limits
// in some step, or a battery that cannot stay in its box. It is exact per step and per storage, and blind to what couples them.
func (out *Program) RangeExcess() []Excess {
	var list []Excess
	T := out.IPM.Steps
	low, high := make([]float64, T), make([]float64, T)
	for i := range out.Place {
		s := &out.IPM.Sites[i]
		site := &out.Problem.Sites[i]
		for t := 0; t < T; t++ {
			lo, hi := netRange(s, t)
			if over := lo - site.ImportLimitKW[t]; over > excessTol {
				list = append(list, Excess{Site: i, Device: -1, Step: t, Amount: over})
			}
			if over := -hi - site.ExportLimitKW[t]; over > excessTol {
				list = append(list, Excess{Site: i, Device: -1, Step: t, Export: true, Amount: over})
			}
			low[t] += math.Max(lo, -site.ExportLimitKW[t])
			high[t] += math.Min(hi, site.ImportLimitKW[t])
		}
		for j := range out.Place[i] {
			if k := out.Place[i][j].Chain; k >= 0 {
				if t, amount := unreachable(s, k); amount > excessTol {
					list = append(list, Excess{Site: i, Device: j, Final: true, Step: t, Amount: amount})
				}
			}
		}
	}
	for t := 0; t < T; t++ {
		if over := low[t] - out.Problem.Grid.ImportLimitKW[t]; over > excessTol {
			list = append(list, Excess{Site: -1, Device: -1, Step: t, Amount: over})
		}
		if over := -high[t] - out.Problem.Grid.ExportLimitKW[t]; over > excessTol {
			list = append(list, Excess{Site: -1, Device: -1, Step: t, Export: true, Amount: over})
		}
	}
	return list
}

// unreachable returns the first step in which a chain leaves its box whatever its inputs do, and by how much; 0 when it need not. The states that
// can be reached form an interval.
func unreachable(s *ipm.Site, k int) (step int, amount float64) {
	c := &s.Chains[k]
	lo, hi := 0.0, 0.0
	for t := range c.Keep {
		a, b := c.Keep[t]*lo+c.Drive[t], c.Keep[t]*hi+c.Drive[t]
		for j := range s.Inputs {
			u := &s.Inputs[j]
			if u.Chain != k {
				continue
			}
			a += math.Min(u.Gain[t]*u.Lo[t], u.Gain[t]*u.Hi[t])
			b += math.Max(u.Gain[t]*u.Lo[t], u.Gain[t]*u.Hi[t])
		}
		if over := math.Max(c.Lo[t]-b, a-c.Hi[t]); over > excessTol {
			return t, over
		}
		lo, hi = math.Min(math.Max(a, c.Lo[t]), c.Hi[t]), math.Max(math.Min(b, c.Hi[t]), c.Lo[t])
	}
	return 0, 0
}
