package milp

import "quartier/optimizer/problem"

// burningMayPay reports whether charging and discharging at once, which only turns energy into heat, could lower the cost or repair
// a limit anywhere in p. Elsewhere the net cost never falls with more consumption, generation can be cut, and energy left is worth something,
// so that the same plan without the burning costs no more.
func burningMayPay(p *problem.Problem) bool {
	for t := range p.Steps {
		if p.ImportCost(t) < 0 || p.Grid.ExportPrice[t] < 0 {
			return true
		}
	}
	for i := range p.Sites {
		for _, load := range p.Sites[i].LoadKW {
			if load < 0 {
				return true
			}
		}
		for _, d := range p.Sites[i].Devices {
			switch d := d.(type) {
			case *problem.PV:
				if !d.Curtailable {
					return true
				}
			case *problem.Battery:
				if d.FinalValuePerKWh < 0 {
					return true
				}
			}
		}
	}
	return false
}

func (m *Model) battery(name string, d *problem.Battery, burning bool) part {
	out := m.newPart()
	keep := 1 - d.SelfDischargePerHour*m.hours
	gain, drain := m.hours*d.ChargeEfficiency, m.hours/d.DischargeEfficiency
	// Without losses on the way there is nothing to burn; with one direction only there is nothing to part.
	parted := burning && d.ChargeEfficiency*d.DischargeEfficiency < 1 && d.ChargeKW > 0 && d.DischargeKW > 0
	before, steps := -1, m.p.Steps
	for t := range steps {
		charge := m.column(name+"charge_", t, 0, d.ChargeKW, m.hours*d.WearCostPerKWh)
		discharge := m.column(name+"discharge_", t, 0, d.DischargeKW, m.hours*d.WearCostPerKWh)
		if parted {
			b := m.binary(name+"charging_", t)
			m.atMost(name+"charge_only_", t, 0, Term{charge, 1}, Term{b, -d.ChargeKW})
			m.atMost(name+"discharge_only_", t, d.DischargeKW, Term{discharge, 1}, Term{b, d.DischargeKW})
		}
		low, cost := d.MinKWh, 0.0
		if t == steps-1 {
			low, cost = max(low, d.FinalMinKWh), -d.FinalValuePerKWh
		}
		energy := m.column(name+"energy_", t, low, d.CapacityKWh, cost)
		terms, rhs := []Term{{energy, 1}, {charge, -gain}, {discharge, drain}}, 0.0
		if before < 0 {
			rhs = keep * d.InitialKWh
		} else {
			terms = append(terms, Term{before, -keep})
		}
		m.equal(name+"store_", t, rhs, terms...)
		before = energy
		out.power[t] = []Term{{charge, 1}, {discharge, -1}}
		out.low[t], out.high[t] = -d.DischargeKW, d.ChargeKW
	}
	return out
}
