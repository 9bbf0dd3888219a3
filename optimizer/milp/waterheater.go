package milp

import "quartier/optimizer/problem"

// waterHeater leaves out that draw is unmet only when the tank is empty: to leave it unmet earlier never costs less, because what is
// kept is lost in part and at best saves as much later.
func (m *Model) waterHeater(name string, d *problem.WaterHeater) part {
	out := m.newPart()
	keep, before := 1-d.LossPerHour*m.hours, -1
	for t := range m.p.Steps {
		power := m.column(name+"power_", t, 0, d.MaxKW, 0)
		out.power[t] = []Term{{power, 1}}
		out.high[t] = d.MaxKW
		if d.MinKW > 0 {
			on := m.binary(name+"on_", t)
			m.atLeast(name+"least_", t, 0, Term{power, 1}, Term{on, -d.MinKW})
			m.atMost(name+"most_", t, 0, Term{power, 1}, Term{on, -d.MaxKW})
		}
		energy := m.column(name+"energy_", t, 0, d.CapacityAt(t), 0)
		unmet := m.column(name+"unmet_", t, 0, m.hours*d.DrawKW[t], d.ShortfallCostPerKWh)
		terms := []Term{{energy, 1}, {power, -m.hours * d.COP[t]}, {unmet, -1}}
		rhs := -m.hours * d.DrawKW[t]
		if before < 0 {
			rhs += keep * d.InitialKWh
		} else {
			terms = append(terms, Term{before, -keep})
		}
		m.equal(name+"store_", t, rhs, terms...)
		before = energy
	}
	if d.FinalMinKWh > 0 {
		short := m.column(name+"short", -1, 0, d.FinalMinKWh, d.ShortfallCostPerKWh)
		m.atLeast(name+"final", -1, d.FinalMinKWh, Term{before, 1}, Term{short, 1})
	}
	return out
}
