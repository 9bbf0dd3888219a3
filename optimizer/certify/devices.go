package certify

import (
	"math"

	"quartier/optimizer/problem"
)

func (e *evaluation) pv(d *problem.PV, r *DeviceReport) {
	for t, kw := range r.PowerKW {
		e.over("above available power", t, -kw-d.AvailableKW[t], "kW")
		e.over("consumes", t, kw, "kW")
		if !d.Curtailable {
			e.over("is curtailed", t, d.AvailableKW[t]+kw, "kW")
		}
	}
}

func (e *evaluation) battery(d *problem.Battery, r *DeviceReport) {
	stored := d.InitialKWh
	r.EnergyKWh = append(make([]float64, 0, len(r.PowerKW)+1), stored)
	for t, kw := range r.PowerKW {
		e.over("above charge power", t, kw-d.ChargeKW, "kW")
		e.over("above discharge power", t, -kw-d.DischargeKW, "kW")
		stored -= d.SelfDischargePerHour * e.dt * stored
		if kw > 0 {
			stored += e.dt * kw * d.ChargeEfficiency
		} else {
			stored += e.dt * kw / d.DischargeEfficiency
		}
		e.over("above capacity", t, stored-d.CapacityKWh, "kWh")
		e.over("below minimum energy", t, d.MinKWh-stored, "kWh")
		e.Cost.Wear += e.dt * d.WearCostPerKWh * math.Abs(kw)
		r.EnergyKWh = append(r.EnergyKWh, stored)
	}
	e.over("below final energy", e.p.Steps-1, d.FinalMinKWh-stored, "kWh")
	e.Cost.Stored -= d.FinalValuePerKWh * stored
}

func (e *evaluation) ev(d *problem.EV, r *DeviceReport) {
	stored, next := 0.0, 0
	if len(d.Sessions) > 0 {
		stored = d.Sessions[0].InitialKWh
	}
	r.EnergyKWh = make([]float64, 0, e.p.Steps+1)
	for t := 0; ; t++ {
		// departures at the start of step t, then arrivals; an empty session is both
		for next < len(d.Sessions) && d.Sessions[next].ArriveStep <= t {
			s := d.Sessions[next]
			if s.ArriveStep == t {
				stored = s.InitialKWh
			}
			if s.DepartStep > t {
				break
			}
			e.Cost.Shortfall += d.ShortfallCostPerKWh * max(0, s.TargetKWh-stored)
			next++
		}
		r.EnergyKWh = append(r.EnergyKWh, stored)
		if t == e.p.Steps {
			return
		}
		kw := r.PowerKW[t]
		if next == len(d.Sessions) || d.Sessions[next].ArriveStep > t {
			e.over("power without a car", t, math.Abs(kw), "kW")
			continue
		}
		e.over("above charge power", t, kw-d.MaxKW, "kW")
		e.over("above discharge power", t, -kw-d.DischargeKW, "kW")
		if kw > Tolerance {
			e.over("below minimum power", t, d.MinKW-kw, "kW")
		}
		if kw > 0 {
			stored += e.dt * kw * d.ChargeEfficiency
		} else {
			stored += e.dt * kw / d.DischargeEfficiency
			e.Cost.Wear -= e.dt * d.WearCostPerKWh * kw
		}
		e.over("above capacity", t, stored-d.CapacityKWh, "kWh")
		e.over("below empty", t, -stored, "kWh")
	}
}

func (e *evaluation) heatPump(d *problem.HeatPump, r *DeviceReport, plan *problem.DeviceSolution) {
	e.states(d, r, plan)
	z := &d.Zone
	a := math.Exp(-e.dt / (z.ResistanceKPerKW * z.CapacityKWhPerK))
	temp := z.InitialC
	r.TemperatureC = append(make([]float64, 0, len(r.PowerKW)+1), temp)
	for t, kw := range r.PowerKW {
		e.over("above maximum power", t, kw-d.MaxKW, "kW")
		e.over("negative power", t, -kw, "kW")
		if kw > Tolerance {
			e.over("below minimum power", t, d.MinKW-kw, "kW")
		}
		temp = a*temp + (1-a)*(z.OutdoorC[t]+z.ResistanceKPerKW*(d.COP[t]*kw+z.GainsKW[t]))
		r.TemperatureC = append(r.TemperatureC, temp)
		e.Cost.Discomfort += e.dt * z.DiscomfortCostPerKH * (max(0, z.MinC[t]-temp) + max(0, temp-z.MaxC[t]))
	}
}

// states finds when the machine is on, and checks how long it stays so. A machine with a minimum power is on when it draws power; one
// without is on when the plan says so, and without a word of the plan when it draws power.
func (e *evaluation) states(d *problem.HeatPump, r *DeviceReport, plan *problem.DeviceSolution) {
	r.On = make([]bool, e.p.Steps)
	said := plan != nil && plan.On != nil && d.MinKW == 0
	if said && len(plan.On) != len(r.On) {
		e.broken("on has not one value per step", -1)
		said = false
	}
	for t, kw := range r.PowerKW {
		if r.On[t] = kw > Tolerance; said {
			r.On[t] = plan.On[t]
			if !plan.On[t] {
				e.over("draws power while off", t, kw, "kW")
			}
		}
	}
	was, since := d.InitialOn, d.InitialSteps // the state before the step, and how many steps it has held
	for t, on := range r.On {
		if on == was {
			since++
			continue
		}
		if least := d.MinOnSteps; was && since < least {
			e.over("minimum time on", t, float64(least-since), "steps")
		}
		if least := d.MinOffSteps; !was && since < least {
			e.over("minimum time off", t, float64(least-since), "steps")
		}
		if on {
			e.Cost.Starts += d.StartCost
		}
		was, since = on, 1
	}
}

func (e *evaluation) waterHeater(d *problem.WaterHeater, r *DeviceReport) {
	stored := d.InitialKWh
	r.EnergyKWh = append(make([]float64, 0, len(r.PowerKW)+1), stored)
	for t, kw := range r.PowerKW {
		e.over("above maximum power", t, kw-d.MaxKW, "kW")
		e.over("negative power", t, -kw, "kW")
		if kw > Tolerance {
			e.over("below minimum power", t, d.MinKW-kw, "kW")
		}
		stored += e.dt * (d.COP[t]*kw - d.DrawKW[t] - d.LossPerHour*stored)
		if stored < 0 {
			e.over("unmet beyond the draw", t, -stored-e.dt*d.DrawKW[t], "kWh")
			e.Cost.Shortfall -= d.ShortfallCostPerKWh * stored
			stored = 0
		}
		e.over("above capacity", t, stored-d.CapacityAt(t), "kWh")
		r.EnergyKWh = append(r.EnergyKWh, stored)
	}
	e.Cost.Shortfall += d.ShortfallCostPerKWh * max(0, d.FinalMinKWh-stored)
}

func (e *evaluation) shiftable(d *problem.Shiftable, r *DeviceReport) {
	best := math.Inf(1)
	for s := d.EarliestStep; s <= d.LatestStep; s++ {
		worst := 0.0
		for t, kw := range r.PowerKW {
			want := 0.0
			if k := t - s; k >= 0 && k < len(d.ProfileKW) {
				want = d.ProfileKW[k]
			}
			worst = max(worst, math.Abs(kw-want))
		}
		best = min(best, worst)
	}
	e.over("is no shifted profile", -1, best, "kW")
}

func (e *evaluation) flexible(d *problem.Flexible, r *DeviceReport) {
	taken := 0.0
	for t, kw := range r.PowerKW {
		if t < d.EarliestStep || t >= d.LatestStep {
			e.over("power outside the window", t, math.Abs(kw), "kW")
			continue
		}
		e.over("above maximum power", t, kw-d.MaxKW, "kW")
		e.over("negative power", t, -kw, "kW")
		taken += e.dt * kw
	}
	e.Cost.Shortfall += d.ShortfallCostPerKWh * max(0, d.EnergyKWh-taken)
}
