package discrete

import (
	"math"

	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// choice is what a device alone would decide, with the powers it would take.
type choice struct {
	dec   model.Decision
	power []float64
	on    []bool // heat pumps only
}

// burning says which devices besides the discrete ones need a direction per step.
type burning struct{ battery, ev bool }

// decides reports whether the device has something to decide.
func decides(d problem.Device, b burning) bool {
	if model.Discrete(d) {
		return true
	}
	switch d := d.(type) {
	case *problem.Battery:
		return b.battery
	case *problem.EV:
		return b.ev && d.DischargeKW > 0
	}
	return false
}

// alone returns the device's own best decisions at prices (EUR per kW and step).
func alone(p *problem.Problem, d problem.Device, price []float64) choice {
	switch d := d.(type) {
	case *problem.Shiftable:
		return shift(p, d, price)
	case *problem.HeatPump:
		m := heatPump(p, d, price)
		power, on := m.solve()
		return choice{dec: model.Decision{Modes: onOff(power, on, true)}, power: power, on: on}
	case *problem.WaterHeater:
		m := waterHeater(p, d, price)
		power, on := m.solve()
		return choice{dec: model.Decision{Modes: onOff(power, on, false)}, power: power}
	case *problem.EV:
		c := choice{dec: model.Decision{Modes: make([]model.Mode, p.Steps)}, power: make([]float64, p.Steps)}
		for k := range d.Sessions {
			m := car(p, d, &d.Sessions[k], price)
			power, on := m.solve()
			copy(c.power[m.from:m.to], power)
			copy(c.dec.Modes[m.from:m.to], onOff(power, on, false))
		}
		return c
	case *problem.Battery:
		m := battery(p, d, price)
		power, _ := m.solve()
		return choice{dec: model.Decision{Modes: directions(power)}, power: power}
	}
	return choice{}
}

// onOff turns powers into modes. keepIdle leaves a machine that is on without power on.
func onOff(power []float64, on []bool, keepIdle bool) []model.Mode {
	modes := make([]model.Mode, len(power))
	for t, p := range power {
		switch {
		case p > 0 || (keepIdle && on[t]):
			modes[t] = model.On
		case p < 0:
			modes[t] = model.Discharging
		default:
			modes[t] = model.Off
		}
	}
	return modes
}

// directions lets a storage charge or discharge as its power says; an idle one may do either sort of nothing: it may charge.
func directions(power []float64) []model.Mode {
	modes := make([]model.Mode, len(power))
	last := model.On
	for t, p := range power {
		if p > 0 {
			last = model.On
		} else if p < 0 {
			last = model.Discharging
		}
		modes[t] = last
	}
	return modes
}

func shift(p *problem.Problem, d *problem.Shiftable, price []float64) choice {
	best, start := math.Inf(1), d.EarliestStep
	for s := d.EarliestStep; s <= d.LatestStep; s++ {
		v := 0.0
		for k, kw := range d.ProfileKW {
			v += price[s+k] * kw
		}
		if v < best {
			best, start = v, s
		}
	}
	power := make([]float64, p.Steps)
	copy(power[start:], d.ProfileKW)
	return choice{dec: model.Decision{Start: start + 1}, power: power}
}

func fill(T int, v float64) []float64 {
	s := make([]float64, T)
	for t := range s {
		s[t] = v
	}
	return s
}

// levels returns n powers from least to most.
func levels(least, most float64, n int) []float64 {
	if most <= 0 {
		return nil
	}
	if most-least < 1e-9 {
		return []float64{most}
	}
	out := make([]float64, n)
	for k := range out {
		out[k] = least + (most-least)*float64(k)/float64(n-1)
	}
	return out
}

func heatPump(p *problem.Problem, d *problem.HeatPump, price []float64) *machine {
	T, dt, z := p.Steps, p.Hours(), &d.Zone
	a := math.Exp(-dt / (z.ResistanceKPerKW * z.CapacityKWhPerK))
	m := &machine{from: 0, to: T, keep: fill(T, a), drive: fill(T, 0), gain: fill(T, 0), initial: z.InitialC, price: price,
		lo: fill(T, 0), hi: fill(T, 0), floor: math.Inf(-1), ceiling: math.Inf(1), startCost: d.StartCost, minOn: d.MinOnSteps,
		minOff: d.MinOffSteps, initialOn: d.InitialOn, initialSteps: d.InitialSteps, held: d.HeldSteps(T)}
	m.levels = levels(d.MinKW, d.MaxKW, 5)
	if d.MaxKW <= 0 {
		m.levels = []float64{0}
	}
	cold, warm := z.InitialC, z.InitialC
	for t := 0; t < T; t++ {
		m.drive[t] = (1 - a) * (z.OutdoorC[t] + z.ResistanceKPerKW*z.GainsKW[t])
		m.gain[t] = (1 - a) * z.ResistanceKPerKW * d.COP[t]
		cold = a*cold + m.drive[t]
		warm = a*warm + m.drive[t] + m.gain[t]*d.MaxKW
		room := math.Max(3, 2*m.gain[t]*d.MaxKW) // K around the band: what a step can overshoot
		lo, hi := math.Max(cold, z.MinC[t]-room), math.Min(warm, z.MaxC[t]+room)
		if hi-lo < 1 {
			mid := math.Min(math.Max((lo+hi)/2, cold), warm)
			lo, hi = mid-0.5, mid+0.5
		}
		m.lo[t], m.hi[t] = lo, hi
	}
	pen := dt * z.DiscomfortCostPerKH
	m.stage = func(t int, x float64) float64 {
		return pen * (math.Max(0, z.MinC[t]-x) + math.Max(0, x-z.MaxC[t]))
	}
	return m
}

func waterHeater(p *problem.Problem, d *problem.WaterHeater, price []float64) *machine {
	T, dt := p.Steps, p.Hours()
	m := &machine{from: 0, to: T, keep: fill(T, 1-d.LossPerHour*dt), drive: fill(T, 0), gain: fill(T, 0), initial: d.InitialKWh, price: price,
		lo: fill(T, 0), hi: fill(T, math.Max(d.CapacityKWh, 1e-3)), floor: 0, short: d.ShortfallCostPerKWh, ceiling: d.CapacityKWh, minOn: 1, minOff: 1,
		initialSteps: problem.LongEnough, levels: levels(d.MinKW, d.MaxKW, 4)}
	for t := 0; t < T; t++ {
		m.drive[t] = -dt * d.DrawKW[t]
		m.gain[t] = dt * d.COP[t]
	}
	m.stage = func(t int, x float64) float64 {
		if t < T-1 {
			return 0
		}
		return d.ShortfallCostPerKWh * math.Max(0, d.FinalMinKWh-x)
	}
	return m
}

func car(p *problem.Problem, d *problem.EV, s *problem.Session, price []float64) *machine {
	T, dt := p.Steps, p.Hours()
	m := &machine{from: s.ArriveStep, to: s.DepartStep, keep: fill(T, 1), drive: fill(T, 0), gain: fill(T, dt*d.ChargeEfficiency), give: dt / d.DischargeEfficiency,
		initial: s.InitialKWh, price: price, lo: fill(T, 0), hi: fill(T, 0), floor: 0, ceiling: d.CapacityKWh, wearDown: dt * d.WearCostPerKWh,
		minOn: 1, minOff: 1, initialSteps: problem.LongEnough, levels: levels(d.MinKW, d.MaxKW, 5)}
	if d.DischargeKW > 0 {
		m.negative = []float64{-d.DischargeKW, -d.DischargeKW / 2}
	}
	// The car cannot hold less than it came with unless it gives, nor more than it can take.
	for t := m.from; t < m.to; t++ {
		n := float64(t + 1 - m.from)
		m.lo[t] = math.Max(0, s.InitialKWh-n*m.give*d.DischargeKW)
		m.hi[t] = math.Max(math.Min(d.CapacityKWh, s.InitialKWh+n*m.gain[t]*d.MaxKW), m.lo[t]+1e-3)
	}
	m.stage = func(t int, x float64) float64 {
		if t < m.to-1 {
			return 0
		}
		return d.ShortfallCostPerKWh * math.Max(0, s.TargetKWh-x)
	}
	return m
}

func battery(p *problem.Problem, d *problem.Battery, price []float64) *machine {
	T, dt := p.Steps, p.Hours()
	m := &machine{from: 0, to: T, keep: fill(T, 1-d.SelfDischargePerHour*dt), drive: fill(T, 0), gain: fill(T, dt*d.ChargeEfficiency),
		give: dt / d.DischargeEfficiency, initial: d.InitialKWh, price: price, lo: fill(T, d.MinKWh), hi: fill(T, math.Max(d.CapacityKWh, d.MinKWh+1e-3)),
		floor: d.MinKWh, short: 1e3, ceiling: d.CapacityKWh, wearUp: dt * d.WearCostPerKWh, wearDown: dt * d.WearCostPerKWh, minOn: 1, minOff: 1,
		initialSteps: problem.LongEnough, levels: levels(0, d.ChargeKW, 6)}
	for k := 1; k <= 5 && d.DischargeKW > 0; k++ {
		m.negative = append(m.negative, -d.DischargeKW*float64(k)/5)
	}
	m.stage = func(t int, x float64) float64 {
		if t < T-1 {
			return 0
		}
		return 1e3*math.Max(0, d.FinalMinKWh-x) - d.FinalValuePerKWh*x
	}
	return m
}
