package milp

import (
	"fmt"
	"math"

	"quartier/optimizer/problem"
)

// Solution reads the columns' values x, an answer of some solver, back as a plan: the power of every device and the on state of those that
// have one, with no status, cost or bound, which are for the caller to compute from the powers. Whole numbers are rounded, and
// a battery that charges and discharges at once where that is free is brought to the net of both, generation being cut by what
// then has no place. The error says that x has another number of columns or a value that is not finite.
func (m *Model) Solution(x []float64) (*problem.Solution, error) {
	if len(x) != len(m.Columns) {
		return nil, fmt.Errorf("milp: read the answer: %d values for %d columns", len(x), len(m.Columns))
	}
	whole := make([]float64, len(x))
	for j, v := range x {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("milp: read the answer: column %s is %v", m.Columns[j].Name, v)
		}
		c := &m.Columns[j]
		whole[j] = min(max(v, c.Low), c.High)
		if c.Integer {
			whole[j] = math.Round(whole[j])
		}
	}
	s := problem.NewSolution(m.p, "")
	for i := range m.p.Sites {
		site := &m.p.Sites[i]
		out := problem.SiteSolution{ID: site.ID, NetKW: make([]float64, m.p.Steps)}
		for j, d := range site.Devices {
			plan := problem.DeviceSolution{ID: d.ID(), PowerKW: make([]float64, m.p.Steps)}
			for t, terms := range m.sites[i][j].power {
				for _, term := range terms {
					plan.PowerKW[t] += term.Value * whole[term.Column]
				}
			}
			if on := m.sites[i][j].on; on != nil {
				plan.On = make([]bool, m.p.Steps)
				for t := range on {
					plan.On[t] = whole[on[t]] == 1
				}
			}
			if b, ok := d.(*problem.Battery); ok {
				m.fill(b, plan.PowerKW)
			}
			out.Devices = append(out.Devices, plan)
		}
		s.Sites = append(s.Sites, out)
	}
	m.cut(s)
	return s, nil
}

// fill reduces the charging of a battery to what it has room for, now that it burns nothing: its energy is at least that of the answer.
func (m *Model) fill(d *problem.Battery, power []float64) {
	e, keep := d.InitialKWh, 1-d.SelfDischargePerHour*m.hours
	for t, kw := range power {
		next := keep * e
		if kw > 0 {
			room := max(0, d.CapacityKWh-next) / (m.hours * d.ChargeEfficiency)
			power[t] = min(kw, room)
			e = next + m.hours*d.ChargeEfficiency*power[t]
		} else {
			e = next + m.hours*kw/d.DischargeEfficiency
		}
	}
}

// cut computes the sites' net power, and cuts generation that can be cut where a site, or the district, would export more than it may.
func (m *Model) cut(s *problem.Solution) {
	for t := range m.p.Steps {
		total := 0.0
		for i := range m.p.Sites {
			net := m.p.Sites[i].LoadKW[t]
			for j := range s.Sites[i].Devices {
				net += s.Sites[i].Devices[j].PowerKW[t]
			}
			net += m.cutSite(s, i, t, -m.p.Sites[i].ExportLimitKW[t]-net)
			s.Sites[i].NetKW[t] = net
			total += net
		}
		for i := range m.p.Sites {
			more := m.cutSite(s, i, t, min(-m.p.Grid.ExportLimitKW[t]-total, m.p.Sites[i].ImportLimitKW[t]-s.Sites[i].NetKW[t]))
			s.Sites[i].NetKW[t] += more
			total += more
		}
	}
}

// cutSite cuts up to kw of a site's generation in step t and returns how much it cut.
func (m *Model) cutSite(s *problem.Solution, i, t int, kw float64) float64 {
	done := 0.0
	for j, d := range m.p.Sites[i].Devices {
		if done >= kw {
			break
		}
		if pv, ok := d.(*problem.PV); ok && pv.Curtailable {
			power := s.Sites[i].Devices[j].PowerKW
			less := min(kw-done, -power[t])
			power[t] += less
			done += less
		}
	}
	return done
}
