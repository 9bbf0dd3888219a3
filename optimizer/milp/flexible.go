package milp

import "quartier/optimizer/problem"

func (m *Model) flexible(name string, d *problem.Flexible) part {
	out := m.newPart()
	short := m.column(name+"short", -1, 0, d.EnergyKWh, d.ShortfallCostPerKWh)
	terms := []Term{{short, 1}}
	for t := d.EarliestStep; t < d.LatestStep; t++ {
		power := m.column(name+"power_", t, 0, d.MaxKW, 0)
		out.power[t] = []Term{{power, 1}}
		out.high[t] = d.MaxKW
		terms = append(terms, Term{power, m.hours})
	}
	m.atLeast(name+"energy", -1, d.EnergyKWh, terms...)
	return out
}
