package exact

import (
	"math"

	"quartier/optimizer/problem"
)

// Decides reports whether the device has on/off decisions that a linear relaxation does not see; burning adds storage whose directions exclude each other, which matters
// where burning energy would pay.
func Decides(d problem.Device, burning bool) bool {
	switch d := d.(type) {
	case *problem.Battery:
		return burning
	case *problem.EV:
		return d.MinKW > 0 || burning && d.DischargeKW > 0
	case *problem.HeatPump:
		return d.MinKW > 0 || d.StartCost > 0 || d.MinOnSteps > 1 || d.MinOffSteps > 1
	case *problem.WaterHeater:
		return d.MinKW > 0
	}
	return false
}

// HeatPump returns the machine of a heat pump; dt is the step in hours, price EUR/kWh by step.
func HeatPump(d *problem.HeatPump, dt float64, price []float64) *Machine {
	z := &d.Zone
	a := math.Exp(-dt / (z.ResistanceKPerKW * z.CapacityKWhPerK))
	m := &Machine{Steps: make([]Step, len(price)), Initial: z.InitialC, Up: d.MinOnSteps, Down: d.MinOffSteps, StartCost: d.StartCost, InitialOn: d.InitialOn,
		InitialSteps: d.InitialSteps}
	pen := dt * z.DiscomfortCostPerKH
	for t := range m.Steps {
		m.Steps[t] = Step{Keep: a, Drive: (1 - a) * (z.OutdoorC[t] + z.ResistanceKPerKW*z.GainsKW[t]), Gain: (1 - a) * z.ResistanceKPerKW * d.COP[t],
			Least: d.MinKW, Most: d.MaxKW, Cost: dt * price[t], Low: math.Inf(-1), High: math.Inf(1),
			Soft: Soft{Under: pen, Least: z.MinC[t], Over: pen, Most: z.MaxC[t]}}
	}
	return m
}

// WaterHeater returns the machine of a tank.
func WaterHeater(d *problem.WaterHeater, dt float64, price []float64) *Machine {
	m := &Machine{Steps: make([]Step, len(price)), Initial: d.InitialKWh, HasFloor: true, Short: d.ShortfallCostPerKWh}
	for t := range m.Steps {
		m.Steps[t] = Step{Keep: 1 - d.LossPerHour*dt, Drive: -dt * d.DrawKW[t], Gain: dt * d.COP[t], Least: d.MinKW, Most: d.MaxKW, Cost: dt * price[t],
			High: d.CapacityAt(t), Soft: Soft{Most: d.CapacityAt(t)}}
	}
	last := len(price) - 1
	m.Steps[last].Soft = Soft{Under: d.ShortfallCostPerKWh, Least: d.FinalMinKWh, Most: math.Max(d.CapacityAt(last), d.FinalMinKWh)}
	return m
}

// Car returns the machine of one session; its steps are those from arrival to departure.
func Car(d *problem.EV, s *problem.Session, dt float64, price []float64) *Machine {
	m := &Machine{Steps: make([]Step, s.DepartStep-s.ArriveStep), Initial: s.InitialKWh}
	for k := range m.Steps {
		v := price[s.ArriveStep+k]
		m.Steps[k] = Step{Keep: 1, Gain: dt * d.ChargeEfficiency, Least: d.MinKW, Most: d.MaxKW, Cost: dt * v,
			Drain: dt / d.DischargeEfficiency, Give: d.DischargeKW, Pay: dt * (d.WearCostPerKWh - v), High: d.CapacityKWh, Soft: Soft{Most: d.CapacityKWh}}
	}
	if n := len(m.Steps); n > 0 {
		m.Steps[n-1].Soft = Soft{Under: d.ShortfallCostPerKWh, Least: s.TargetKWh, Most: math.Max(d.CapacityKWh, s.TargetKWh)}
	}
	return m
}

// Battery returns the machine of a battery that charges or discharges.
func Battery(d *problem.Battery, dt float64, price []float64) *Machine {
	m := &Machine{Steps: make([]Step, len(price)), Initial: d.InitialKWh}
	for t, v := range price {
		m.Steps[t] = Step{Keep: 1 - d.SelfDischargePerHour*dt, Gain: dt * d.ChargeEfficiency, Most: d.ChargeKW, Cost: dt * (v + d.WearCostPerKWh),
			Drain: dt / d.DischargeEfficiency, Give: d.DischargeKW, Pay: dt * (d.WearCostPerKWh - v), Low: d.MinKWh, High: d.CapacityKWh, Soft: Soft{Most: d.CapacityKWh}}
	}
	last := &m.Steps[len(price)-1]
	last.Low = math.Max(d.MinKWh, d.FinalMinKWh)
	last.Soft.Slope = -d.FinalValuePerKWh
	return m
}

// Part is a machine that runs from step From of the horizon on.
type Part struct {
	From    int
	Machine *Machine
}

// Machines returns the machines of a device that [Decides], at prices (EUR/kWh by step; dt is the step in hours): one, or of a car one a session; empty sessions have
// none, and their cost (EUR) is returned beside. It panics for other kinds.
func Machines(d problem.Device, dt float64, price []float64) (parts []Part, cost float64) {
	switch d := d.(type) {
	case *problem.Battery:
		return []Part{{0, Battery(d, dt, price)}}, 0
	case *problem.HeatPump:
		return []Part{{0, HeatPump(d, dt, price)}}, 0
	case *problem.WaterHeater:
		return []Part{{0, WaterHeater(d, dt, price)}}, 0
	case *problem.EV:
		for k := range d.Sessions {
			c := &d.Sessions[k]
			if c.ArriveStep == c.DepartStep {
				cost += d.ShortfallCostPerKWh * max(0, c.TargetKWh-c.InitialKWh)
				continue
			}
			parts = append(parts, Part{c.ArriveStep, Car(d, c, dt, price)})
		}
		return parts, cost
	}
	panic("exact: device of kind " + string(d.Kind()))
}

// Plan is what a device does over the horizon.
type Plan struct {
	Bound  float64   // EUR: no way of running the device costs less; +Inf when none keeps its limits
	Cost   float64   // EUR
	Power  []float64 // kW
	Choice []Choice
}

// Device values a device that [Decides] at prices; see [Machines] for its arguments and [Solver.Solve] for the tolerance.
func (s *Solver) Device(d problem.Device, dt float64, price []float64, tolerance float64) Plan {
	parts, cost := Machines(d, dt, price)
	return s.Parts(parts, cost, len(price), tolerance)
}

// Parts values machines that run one after the other within a horizon of so many steps; cost is added.
func (s *Solver) Parts(parts []Part, cost float64, steps int, tolerance float64) Plan {
	out := Plan{Bound: cost, Cost: cost, Power: make([]float64, steps), Choice: make([]Choice, steps)}
	for _, part := range parts {
		a := s.Solve(part.Machine, tolerance/float64(len(parts)))
		out.Bound, out.Cost = out.Bound+a.Bound, out.Cost+a.Cost
		copy(out.Power[part.From:], a.Power)
		copy(out.Choice[part.From:], a.Choice)
	}
	return out
}
