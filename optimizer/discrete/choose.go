package discrete

import (
	"math"

	"quartier/optimizer/exact"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// choice is what a device alone would decide, with the powers it would take.
type choice struct {
	dec   model.Decision
	power []float64
	on    []bool // heat pumps only
}

// decides reports whether the device has something to decide; burning adds a direction per step of storage.
func decides(d problem.Device, burning bool) bool {
	return model.Discrete(d) || exact.Decides(d, burning)
}

// alone returns the device's own best decisions at prices (EUR/kWh), found within tolerance (EUR).
func alone(solver *exact.Solver, p *problem.Problem, d problem.Device, price []float64, tolerance float64) choice {
	if d, ok := d.(*problem.Shiftable); ok {
		return shift(p, d, price)
	}
	return chosen(d, solver.Device(d, p.Hours(), price, tolerance))
}

// chosen reads decisions out of what a device would do.
func chosen(d problem.Device, plan exact.Plan) choice {
	c := choice{power: plan.Power}
	switch d.(type) {
	case *problem.Battery:
		c.dec.Modes = directions(plan.Power)
	case *problem.HeatPump:
		c.on = make([]bool, len(plan.Choice))
		for t := range c.on {
			c.on[t] = plan.Choice[t] == exact.On
		}
		c.dec.Modes = onOff(plan.Power, c.on)
	default:
		c.dec.Modes = onOff(plan.Power, nil)
	}
	return c
}

// onOff turns powers into modes. A machine that is on without power stays on.
func onOff(power []float64, on []bool) []model.Mode {
	modes := make([]model.Mode, len(power))
	for t, p := range power {
		switch {
		case p > 0 || on != nil && on[t]:
			modes[t] = model.On
		case p < 0:
			modes[t] = model.Discharging
		default:
			modes[t] = model.Off
		}
	}
	return modes
}

// directions lets a storage charge or discharge as its power says; an idle one may do either sort of nothing: it may charge.
func directions(power []float64) []model.Mode {
	modes := make([]model.Mode, len(power))
	last := model.On
	for t, p := range power {
		if p > 0 {
			last = model.On
		} else if p < 0 {
			last = model.Discharging
		}
		modes[t] = last
	}
	return modes
}

func shift(p *problem.Problem, d *problem.Shiftable, price []float64) choice {
	best, start := math.Inf(1), d.EarliestStep
	for s := d.EarliestStep; s <= d.LatestStep; s++ {
		v := 0.0
		for k, kw := range d.ProfileKW {
			v += price[s+k] * kw
		}
		if v < best {
			best, start = v, s
		}
	}
	power := make([]float64, p.Steps)
	copy(power[start:], d.ProfileKW)
	return choice{dec: model.Decision{Start: start + 1}, power: power}
}
