package discrete

import (
	"math"

	"quartier/optimizer/exact"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// diffuse rounds the relaxation's power of a device to on and off: it is on when the energy that it owes has grown to half of what its least power takes
// in a step, as far as its limits and minimum times allow. ok is false for devices without such a reading.
func diffuse(p *problem.Problem, d problem.Device, relaxed []float64) (c choice, ok bool) {
	none := make([]float64, p.Steps) // prices do not matter here
	switch d := d.(type) {
	case *problem.HeatPump:
		power, on := follow(exact.HeatPump(d, p.Hours(), none), relaxed, d.MinKW, d.MaxKW)
		return choice{dec: model.Decision{Modes: onOff(power, on)}, power: power, on: on}, true
	case *problem.WaterHeater:
		power, _ := follow(exact.WaterHeater(d, p.Hours(), none), relaxed, d.MinKW, d.MaxKW)
		return choice{dec: model.Decision{Modes: onOff(power, nil)}, power: power}, true
	case *problem.EV:
		if d.DischargeKW > 0 {
			return choice{}, false
		}
		power := make([]float64, p.Steps)
		for k := range d.Sessions {
			s := &d.Sessions[k]
			if s.ArriveStep < s.DepartStep {
				part, _ := follow(exact.Car(d, s, p.Hours(), none), relaxed[s.ArriveStep:s.DepartStep], d.MinKW, d.MaxKW)
				copy(power[s.ArriveStep:], part)
			}
		}
		return choice{dec: model.Decision{Modes: onOff(power, nil)}, power: power}, true
	case *problem.Battery:
		return choice{dec: model.Decision{Modes: directions(relaxed)}, power: relaxed}, true
	}
	return choice{}, false
}

// follow runs a machine after the powers of the relaxation.
func follow(m *exact.Machine, relaxed []float64, least, most float64) (power []float64, on []bool) {
	n := len(m.Steps)
	power, on = make([]float64, n), make([]bool, n)
	state, run := m.InitialOn, m.InitialSteps
	x, owed := m.Initial, 0.0
	for t := range n {
		owed += relaxed[t]
		want := owed >= least/2 && owed > 1e-6
		if least == 0 {
			want = relaxed[t] > 1e-6
		}
		if state && run < m.Up || !state && run < m.Down { // too early to change
			want = state
		}
		kw := 0.0
		if want {
			kw = math.Min(math.Max(owed, least), most)
			if !fits(m, t, x, kw) {
				if kw = least; !fits(m, t, x, kw) {
					want, kw = false, 0
				}
			}
		}
		if want == state {
			run++
		} else {
			state, run = want, 1
		}
		power[t], on[t] = kw, want
		owed -= kw
		x, _ = m.Next(t, x, kw)
	}
	return power, on
}

func fits(m *exact.Machine, t int, x, kw float64) bool {
	_, ok := m.Next(t, x, kw)
	return ok
}
