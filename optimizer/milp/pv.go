package milp

import "quartier/optimizer/problem"

func (m *Model) pv(name string, d *problem.PV) part {
	out := m.newPart()
	for t, available := range d.AvailableKW {
		low := available
		if d.Curtailable {
			low = 0
		}
		made := m.column(name+"made_", t, low, available, 0)
		out.power[t] = []Term{{made, -1}}
		out.low[t], out.high[t] = -available, -low
	}
	return out
}
