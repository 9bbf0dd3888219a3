package model

import (
	"math"

	"quartier/optimizer/problem"
)

// Repair rolls every storage forward from its powers and trims these where the energy would leave its box: an interior point keeps its
// equations to 1e-6 or so, and a plan keeps them exactly. Powers are changed in place, by site, device and step; by that much only.
func Repair(p *problem.Problem, powers [][][]float64) {
	for i := range p.Sites {
		for j, d := range p.Sites[i].Devices {
			v := powers[i][j]
			switch d := d.(type) {
			case *problem.Battery:
				repairBattery(p, d, v)
			case *problem.EV:
				repairEV(p, d, v)
			case *problem.WaterHeater:
				repairTank(p, d, v)
			}
		}
	}
}

// store is the energy of a battery or car after a step at power kw.
func store(e, kw, in, out float64) float64 {
	if kw >= 0 {
		return e + in*kw
	}
	return e + out*kw
}

// trim returns the power nearest to kw in [low, high] that brings the energy e into [lo, hi].
func trim(e, kw, in, out, lo, hi, low, high float64) float64 {
	kw = math.Min(math.Max(kw, low), high)
	if y := store(e, kw, in, out); y > hi {
		kw = inverse(hi-e, in, out)
	} else if y < lo {
		kw = inverse(lo-e, in, out)
	}
	return math.Min(math.Max(kw, low), high)
}

// inverse returns the power that adds de.
func inverse(de, in, out float64) float64 {
	if de >= 0 {
		return de / in
	}
	return de / out
}

func repairBattery(p *problem.Problem, d *problem.Battery, v []float64) {
	dt, e, last := p.Hours(), d.InitialKWh, len(v)-1
	keep, in, out := 1-d.SelfDischargePerHour*dt, dt*d.ChargeEfficiency, dt/d.DischargeEfficiency
	least := make([]float64, len(v)) // energy from which the rest of the horizon can still keep its minima
	for t := last; t >= 0; t-- {
		least[t] = d.MinKWh
		if t == last {
			least[t] = math.Max(d.MinKWh, d.FinalMinKWh)
		} else if keep > 0 {
			least[t] = math.Max(d.MinKWh, (least[t+1]-in*d.ChargeKW)/keep)
		}
	}
	for t := range v {
		v[t] = trim(keep*e, v[t], in, out, math.Min(least[t], d.CapacityKWh), d.CapacityKWh, -d.DischargeKW, d.ChargeKW)
		e = store(keep*e, v[t], in, out)
	}
}

func repairEV(p *problem.Problem, d *problem.EV, v []float64) {
	dt := p.Hours()
	in, out := dt*d.ChargeEfficiency, dt/d.DischargeEfficiency
	home := make([]bool, len(v))
	for _, s := range d.Sessions {
		e := s.InitialKWh
		for t := s.ArriveStep; t < s.DepartStep; t++ {
			home[t] = true
			kw := trim(e, v[t], in, out, 0, d.CapacityKWh, -d.DischargeKW, d.MaxKW)
			if kw > 0 && kw < d.MinKW-1e-6 {
				kw = 0
			}
			v[t] = kw
			e = store(e, kw, in, out)
		}
	}
	for t := range v {
		if !home[t] {
			v[t] = 0
		}
	}
}

func repairTank(p *problem.Problem, d *problem.WaterHeater, v []float64) {
	dt, e := p.Hours(), d.InitialKWh
	keep := 1 - d.LossPerHour*dt
	for t := range v {
		v[t] = math.Min(math.Max(v[t], 0), d.MaxKW)
		base := keep*e - dt*d.DrawKW[t]
		in := dt * d.COP[t]
		if most := d.CapacityAt(t); base+in*v[t] > most {
			kw := math.Max(0, (most-base)/in)
			if kw < d.MinKW-1e-6 {
				kw = 0
			}
			v[t] = math.Min(v[t], kw)
		}
		e = math.Max(0, base+in*v[t])
	}
}
