package milp

import (
	"math"

	"quartier/optimizer/problem"
)

func (m *Model) heatPump(name string, d *problem.HeatPump) part {
	out := m.newPart()
	power := make([]int, m.p.Steps)
	for t := range power {
		power[t] = m.column(name+"power_", t, 0, d.MaxKW, 0)
		out.power[t] = []Term{{power[t], 1}}
		out.high[t] = d.MaxKW
	}
	if d.MinKW > 0 || d.StartCost > 0 || d.MinOnSteps > 1 || d.MinOffSteps > 1 || d.HeldSteps(m.p.Steps) > 0 {
		out.on = m.states(name, d, power)
	}
	m.zone(name, d, power)
	return out
}

// states adds the machine's on state with its starts and stops: on[t] - on[t-1] = start[t] - stop[t]; a start in the last min_on_steps forces on, a
// stop in the last min_off_steps forces off. Starts and stops need not be declared whole: they are, or cost too much, once the states are.
func (m *Model) states(name string, d *problem.HeatPump, power []int) []int {
	steps := m.p.Steps
	on, start, stop := make([]int, steps), make([]int, steps), make([]int, steps)
	was := 0.0
	if d.InitialOn {
		was = 1
	}
	held := d.HeldSteps(steps)
	for t := range steps {
		on[t] = m.binary(name+"on_", t)
		if t < held {
			m.Columns[on[t]].Low, m.Columns[on[t]].High = was, was
		}
		start[t] = m.column(name+"start_", t, 0, 1, d.StartCost)
		stop[t] = m.column(name+"stop_", t, 0, 1, 0)
		if d.MinKW > 0 {
			m.atLeast(name+"least_", t, 0, Term{power[t], 1}, Term{on[t], -d.MinKW})
		}
		m.atMost(name+"most_", t, 0, Term{power[t], 1}, Term{on[t], -d.MaxKW})
		terms, rhs := []Term{{on[t], 1}, {start[t], -1}, {stop[t], 1}}, was
		if t > 0 {
			rhs = 0
			terms = append(terms, Term{on[t-1], -1})
		}
		m.equal(name+"switch_", t, rhs, terms...)
		terms = []Term{{on[t], -1}}
		for k := max(0, t-max(1, d.MinOnSteps)+1); k <= t; k++ {
			terms = append(terms, Term{start[k], 1})
		}
		m.atMost(name+"min_on_", t, 0, terms...)
		terms = []Term{{on[t], 1}}
		for k := max(0, t-max(1, d.MinOffSteps)+1); k <= t; k++ {
			terms = append(terms, Term{stop[k], 1})
		}
		m.atMost(name+"min_off_", t, 1, terms...)
	}
	return on
}

func (m *Model) zone(name string, d *problem.HeatPump, power []int) {
	z := &d.Zone
	a := math.Exp(-m.hours / (z.ResistanceKPerKW * z.CapacityKWhPerK))
	cost, before := m.hours*z.DiscomfortCostPerKH, -1
	for t := range power {
		temp := m.column(name+"temperature_", t, -inf, inf, 0)
		terms := []Term{{temp, 1}, {power[t], -(1 - a) * z.ResistanceKPerKW * d.COP[t]}}
		rhs := (1 - a) * (z.OutdoorC[t] + z.ResistanceKPerKW*z.GainsKW[t])
		if before < 0 {
			rhs += a * z.InitialC
		} else {
			terms = append(terms, Term{before, -a})
		}
		m.equal(name+"heat_", t, rhs, terms...)
		before = temp
		if cost > 0 {
			below := m.column(name+"below_", t, 0, inf, cost)
			above := m.column(name+"above_", t, 0, inf, cost)
			m.atLeast(name+"band_low_", t, z.MinC[t], Term{temp, 1}, Term{below, 1})
			m.atMost(name+"band_high_", t, z.MaxC[t], Term{temp, 1}, Term{above, -1})
		}
	}
}
