package explain

import (
	"fmt"
	"math"

	"quartier/optimizer/certify"
	"quartier/optimizer/exact"
	"quartier/optimizer/problem"
)

// precision is by how much the value of a device alone may be missed, EUR.
const precision = 1e-6

// alone is a device from one step on, at prices.
type alone struct {
	exact.Machine
	solver exact.Solver
	states bool // it has minimum times or starts: off and on are states of their own
}

// session returns the car's stay that step t falls into, or nil.
func session(d *problem.EV, t int) *problem.Session {
	for k := range d.Sessions {
		if s := &d.Sessions[k]; t >= s.ArriveStep && t < s.DepartStep {
			return s
		}
	}
	return nil
}

// from returns the device of index j at site i from step t on, its state and its on/off history as planned; nil where it can do nothing in that step.
func (x *Explainer) from(d problem.Device, i, j, t int) *alone {
	price, dt := x.prices(i), x.p.Hours()
	r := &x.report.Sites[i].Devices[j]
	a := &alone{}
	switch d := d.(type) {
	case *problem.Battery:
		a.Machine = *exact.Battery(d, dt, price)
		a.Initial = r.EnergyKWh[t]
	case *problem.WaterHeater:
		a.Machine = *exact.WaterHeater(d, dt, price)
		a.Initial = r.EnergyKWh[t]
	case *problem.EV:
		s := session(d, t)
		if s == nil {
			return nil
		}
		a.Machine = *exact.Car(d, s, dt, price)
		a.Initial = r.EnergyKWh[t]
		t -= s.ArriveStep
	case *problem.HeatPump:
		a.Machine = *exact.HeatPump(d, dt, price)
		a.Initial = r.TemperatureC[t]
		a.InitialOn, a.InitialSteps = d.InitialOn, d.InitialSteps
		for k := range t {
			if r.On[k] == a.InitialOn {
				a.InitialSteps++
			} else {
				a.InitialOn, a.InitialSteps = r.On[k], 1
			}
		}
		a.states = a.StartCost > 0 || a.Up > 1 || a.Down > 1
	case *problem.Flexible:
		if t < d.EarliestStep || t >= d.LatestStep {
			return nil
		}
		a.Steps = make([]exact.Step, d.LatestStep-d.EarliestStep)
		for k := range a.Steps {
			a.Steps[k] = exact.Step{Keep: 1, Gain: dt, Most: d.MaxKW, Cost: dt * price[d.EarliestStep+k], High: math.Inf(1), Soft: exact.Soft{Most: math.Inf(1)}}
		}
		a.Steps[len(a.Steps)-1].Soft = exact.Soft{Under: d.ShortfallCostPerKWh, Least: d.EnergyKWh, Most: math.Inf(1)}
		for k := d.EarliestStep; k < t; k++ {
			a.Initial += dt * r.PowerKW[k]
		}
		t -= d.EarliestStep
	default:
		return nil
	}
	a.Steps = append([]exact.Step(nil), a.Steps[t:]...)
	for k := range a.Steps { // a plan keeps its limits to the tolerance only
		a.Steps[k].Low -= certify.Tolerance
		a.Steps[k].High += certify.Tolerance
	}
	return a
}

// least is the least cost of the device from here on; +Inf where its limits allow nothing.
func (a *alone) least() float64 {
	if len(a.Steps) == 0 {
		return 0
	}
	return a.solver.Solve(&a.Machine, precision).Bound
}

// with returns a copy of the device with its first step changed.
func (a *alone) with(change func(m *exact.Machine, q *exact.Step)) *alone {
	b := &alone{Machine: a.Machine, states: a.states}
	b.Steps = append([]exact.Step(nil), a.Steps...)
	change(&b.Machine, &b.Steps[0])
	return b
}

// off is the least cost with the device off in its first step.
func (a *alone) off() float64 {
	return a.with(func(_ *exact.Machine, q *exact.Step) { q.Most, q.Give = q.Least-1, 0 }).least()
}

// on is the least cost with the device on in its first step, at a power in [low, high].
func (a *alone) on(low, high float64) float64 {
	extra := 0.0
	b := a.with(func(m *exact.Machine, q *exact.Step) {
		q.Give = 0
		if a.states {
			// It is on, and must be so for one step more at least: then it cannot choose to be off.
			if m.Up = max(1, m.Up); m.InitialOn {
				m.InitialSteps = min(m.InitialSteps, m.Up-1)
			} else {
				if m.InitialSteps < m.Down {
					extra = math.Inf(1)
				}
				extra += m.StartCost
				m.InitialOn, m.InitialSteps = true, 0
			}
			q.Least, q.Most = low, high
			return
		}
		// The lowest power is taken for granted, and off means no more than that.
		extra = q.Cost * low
		q.Drive += q.Gain * low
		q.Least, q.Most = 0, high-low
	})
	return extra + b.least()
}

// give is the least cost with the device giving a power in [low, high] in its first step.
func (a *alone) give(low, high float64) float64 {
	extra := 0.0
	b := a.with(func(_ *exact.Machine, q *exact.Step) {
		extra = q.Pay * low
		q.Drive -= q.Drain * low
		q.Most, q.Give = q.Least-1, high-low
	})
	return extra + b.least()
}

// at is the least cost with the power of the first step given.
func (a *alone) at(kw float64, on bool) float64 {
	switch {
	case kw < 0:
		return a.give(-kw, -kw)
	case kw > 0 || on && a.states:
		return a.on(kw, kw)
	}
	return a.off()
}

// machine explains a device with a state.
func (x *Explainer) machine(e *Step, d problem.Device, i, j int) {
	t := e.Step
	a := x.from(d, i, j, t)
	if a == nil {
		if d.Kind() == problem.KindEV {
			e.State = ""
			e.Notes = append(e.Notes, "No car is there.")
		} else {
			e.Notes = append(e.Notes, "The step is outside its window.")
		}
		return
	}
	if d.Kind() == problem.KindFlexible {
		e.State, e.Unit, e.Before, e.After = "energy", "kWh", a.Initial, a.Initial+x.p.Hours()*e.PowerKW
	}
	x.later(e, d, i, j, a)
	q := &a.Steps[0]
	isOn := e.On && e.PowerKW > -still
	planned := a.at(e.PowerKW, isOn)
	more := func(name string, kw, cost float64) {
		if !math.IsInf(planned, 1) {
			e.Choices = append(e.Choices, Choice{name, kw, cost - planned})
		}
	}
	if isOn || e.PowerKW < -still {
		name := "off"
		if d.Kind() == problem.KindBattery || d.Kind() == problem.KindEV {
			name = "resting"
		}
		more(name, 0, a.off())
	}
	switch name := map[bool]string{true: "charging", false: "on"}[d.Kind() == problem.KindBattery || d.Kind() == problem.KindEV]; {
	case q.Most <= 0:
	case !isOn && (q.Least == q.Most || exact.Decides(d, false)):
		more(name, math.NaN(), a.on(q.Least, q.Most))
	case !isOn || e.PowerKW < q.Most-1e-3:
		if most := a.most(); most > e.PowerKW+1e-3 && most >= q.Least {
			more(fmt.Sprintf("%s at %.2f kW", name, most), most, a.on(most, most))
		}
	}
	if q.Give > 0 && e.PowerKW > -q.Give+1e-3 {
		if most := a.mostGiven(); most > max(0, -e.PowerKW)+1e-3 {
			more(fmt.Sprintf("discharging at %.2f kW", most), -most, a.give(most, most))
		}
	}
	x.notes(e, d, a)
}

// most is the highest power of the first step that the upper limit of the state allows.
func (a *alone) most() float64 {
	q := &a.Steps[0]
	return min(q.Most, (q.High-q.Keep*a.Initial-q.Drive)/q.Gain)
}

func (a *alone) mostGiven() float64 {
	q := &a.Steps[0]
	return min(q.Give, (q.Keep*a.Initial+q.Drive-q.Low)/q.Drain)
}

// later values a little more and a little less of the state at the end of the step.
func (x *Explainer) later(e *Step, d problem.Device, i, j int, a *alone) {
	if h, ok := d.(*problem.HeatPump); ok && h.Zone.DiscomfortCostPerKH == 0 {
		return
	}
	q := a.Steps[0]
	var rest *alone
	if len(a.Steps) > 1 {
		rest = x.from(d, i, j, e.Step+1)
	} else {
		rest = &alone{}
	}
	cost := func(state float64) float64 {
		f := q.Soft
		rest.Initial = state
		return f.Slope*state + f.Under*max(0, f.Least-state) + f.Over*max(0, state-f.Most) + rest.least()
	}
	const little = 0.1
	is := e.After
	v := cost(is)
	if up := min(little, q.High-certify.Tolerance-is); up > 1e-3 {
		e.MoreSaves = (v - cost(is+up)) / up
	}
	low := q.Low + certify.Tolerance
	if a.HasFloor {
		low = a.Floor
	} else if d.Kind() == problem.KindFlexible || d.Kind() == problem.KindEV {
		low = 0
	}
	if down := min(little, is-low); down > 1e-3 {
		e.LessCosts = (cost(is-down) - v) / down
	}
}

// notes adds what the numbers alone do not say.
func (x *Explainer) notes(e *Step, d problem.Device, a *alone) {
	add := func(format string, args ...any) { e.Notes = append(e.Notes, fmt.Sprintf(format, args...)) }
	switch d := d.(type) {
	case *problem.HeatPump:
		z := &d.Zone
		switch after := e.After; {
		case after < z.MinC[e.Step]-1e-3:
			add("The zone ends the step %.2f K below its comfort of %.1f °C.", z.MinC[e.Step]-after, z.MinC[e.Step])
		case after > z.MaxC[e.Step]+1e-3:
			add("The zone ends the step %.2f K above its comfort of %.1f °C.", after-z.MaxC[e.Step], z.MaxC[e.Step])
		}
		least, word := d.MinOffSteps, "off"
		if a.InitialOn {
			least, word = d.MinOnSteps, "on"
		}
		if left := least - a.InitialSteps; left > 0 {
			add("It must stay %s for %d more steps.", word, left)
		}
	case *problem.EV:
		s := session(d, e.Step)
		add("The car leaves at %s and wants %.2f kWh by then; each kWh less costs %.2f EUR.", x.end(s.DepartStep), s.TargetKWh, d.ShortfallCostPerKWh)
	case *problem.WaterHeater:
		if draw := x.p.Hours() * d.DrawKW[e.Step]; draw > 0 {
			add("%.2f kWh is drawn in this step.", draw)
		}
	case *problem.Flexible:
		add("It wants %.2f kWh by %s; each kWh less costs %.2f EUR.", d.EnergyKWh, x.end(d.LatestStep), d.ShortfallCostPerKWh)
	case *problem.Battery:
		if d.WearCostPerKWh > 0 {
			add("Each kWh that it charges or discharges wears it by %.4f EUR.", d.WearCostPerKWh)
		}
	}
}
