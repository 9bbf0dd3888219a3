package discrete

import (
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// diffuse rounds the relaxation's power of a device to on and off: it is on when the energy that it owes has grown to half of what its least power takes
// in a step, as far as its limits and minimum times allow. Devices without such a reading are decided alone at prices.
func diffuse(p *problem.Problem, d problem.Device, relaxed, price []float64) choice {
	var m *machine
	idle := false
	switch d := d.(type) {
	case *problem.HeatPump:
		m, idle = heatPump(p, d, price), true
	case *problem.WaterHeater:
		m = waterHeater(p, d, price)
	case *problem.EV:
		if d.DischargeKW > 0 {
			return alone(p, d, price)
		}
		c := choice{dec: model.Decision{Modes: make([]model.Mode, p.Steps)}, power: make([]float64, p.Steps)}
		for k := range d.Sessions {
			m := car(p, d, &d.Sessions[k], price)
			power, on := m.diffuse(relaxed, d.MinKW)
			copy(c.power[m.from:m.to], power)
			copy(c.dec.Modes[m.from:m.to], onOff(power, on, false))
		}
		return c
	case *problem.Battery:
		return choice{dec: model.Decision{Modes: directions(relaxed)}, power: relaxed}
	default:
		return alone(p, d, price)
	}
	least := m.levels
	minimum := 0.0
	if len(least) > 0 {
		minimum = least[0]
	}
	power, on := m.diffuse(relaxed, minimum)
	c := choice{dec: model.Decision{Modes: onOff(power, on, idle)}, power: power}
	if idle {
		c.on = on
	}
	return c
}

func (m *machine) diffuse(relaxed []float64, minimum float64) (power []float64, on []bool) {
	n := m.to - m.from
	power, on = make([]float64, n), make([]bool, n)
	up, down := max(1, m.minOn), max(1, m.minOff)
	mode := m.firstMode(up, down)
	x, owed := m.initial, 0.0
	for t := m.from; t < m.to; t++ {
		owed += relaxed[t]
		want := owed >= minimum/2 && owed > 1e-6
		if minimum == 0 {
			want = relaxed[t] > 1e-6
		}
		switch {
		case t < m.from+m.held:
			want = m.initialOn
		case mode < down-1: // too early to start
			want = false
		case mode >= down && mode < down+up-1: // too early to stop
			want = true
		}
		p := 0.0
		if want {
			p = min(max(owed, minimum), m.most(minimum))
			if y, _ := m.next(t, x, p); y > m.ceiling {
				p = minimum
				if y, _ := m.next(t, x, p); y > m.ceiling {
					want, p = false, 0
				}
			}
		}
		k := t - m.from
		power[k], on[k] = p, want
		owed -= p
		x, _ = m.next(t, x, p)
		mode = nextMode(mode, want, up, down)
	}
	return power, on
}

func (m *machine) most(least float64) float64 {
	if len(m.levels) == 0 {
		return least
	}
	return m.levels[len(m.levels)-1]
}
