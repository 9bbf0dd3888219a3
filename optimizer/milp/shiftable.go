package milp

import "quartier/optimizer/problem"

func (m *Model) shiftable(name string, d *problem.Shiftable) part {
	out := m.newPart()
	var starts []Term
	for s := d.EarliestStep; s <= d.LatestStep; s++ {
		start := m.binary(name+"start_", s)
		starts = append(starts, Term{start, 1})
		for k, kw := range d.ProfileKW {
			out.power[s+k] = append(out.power[s+k], Term{start, kw})
			out.high[s+k] = max(out.high[s+k], kw)
		}
	}
	m.equal(name+"once", -1, 1, starts...)
	return out
}
