package milp

import (
	"strconv"

	"quartier/optimizer/problem"
)

func (m *Model) ev(name string, d *problem.EV) part {
	out := m.newPart()
	gain, drain := m.hours*d.ChargeEfficiency, m.hours/d.DischargeEfficiency
	for k, s := range d.Sessions {
		if s.ArriveStep == s.DepartStep {
			m.Offset += d.ShortfallCostPerKWh * max(0, s.TargetKWh-s.InitialKWh)
			continue
		}
		before := -1
		for t := s.ArriveStep; t < s.DepartStep; t++ {
			charge := m.column(name+"charge_", t, 0, d.MaxKW, 0)
			terms := []Term{{charge, -gain}}
			out.power[t] = []Term{{charge, 1}}
			out.low[t], out.high[t] = -d.DischargeKW, d.MaxKW
			charging := -1
			if d.MinKW > 0 || d.DischargeKW > 0 {
				charging = m.binary(name+"charging_", t)
				m.atMost(name+"most_", t, 0, Term{charge, 1}, Term{charging, -d.MaxKW})
			}
			if d.MinKW > 0 {
				m.atLeast(name+"least_", t, 0, Term{charge, 1}, Term{charging, -d.MinKW})
			}
			if d.DischargeKW > 0 {
				discharge := m.column(name+"discharge_", t, 0, d.DischargeKW, m.hours*d.WearCostPerKWh)
				m.atMost(name+"discharge_only_", t, d.DischargeKW, Term{discharge, 1}, Term{charging, d.DischargeKW})
				terms = append(terms, Term{discharge, drain})
				out.power[t] = append(out.power[t], Term{discharge, -1})
			}
			energy := m.column(name+"energy_", t, 0, d.CapacityKWh, 0)
			terms = append(terms, Term{energy, 1})
			rhs := s.InitialKWh
			if before >= 0 {
				rhs = 0
				terms = append(terms, Term{before, -1})
			}
			m.equal(name+"store_", t, rhs, terms...)
			before = energy
		}
		session := name + "session" + strconv.Itoa(k) + "_"
		short := m.column(session+"short", -1, 0, s.TargetKWh, d.ShortfallCostPerKWh)
		m.atLeast(session+"target", -1, s.TargetKWh, Term{before, 1}, Term{short, 1})
	}
	return out
}
