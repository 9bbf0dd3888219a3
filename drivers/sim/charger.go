package sim

import (
	"math"
	"time"

	"quartier/drivers"
	"quartier/drivers/sim/trace"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// charger is a charging point and the cars of recorded sessions. A car takes what its own curve allows: full power up to 80 % of its battery, then
// less and less. Below 6 A it pauses (IEC 61851). A new limit is followed after some seconds, with a ramp.
type charger struct {
	machine
	drivers  [][]trace.Session // recorded sessions of those who stop here
	zone     *time.Location
	stays    []trace.Session // re-dated, ascending, the next first
	known    time.Time       // until when stays is complete
	maxA     float64
	phases   float64
	pendingA float64   // commanded limit; +Inf: none, the charger's own maximum
	changed  time.Time // when the last limit was taken up; zero: at the next step
	inForceA float64
	car      *car
	session  float64 // kWh of the present or the last session
	drawing  bool
}

type car struct {
	leaves      time.Time
	wantsKWh    float64 // metered at the charger
	capacityKWh float64
	soc         float64
}

const (
	phaseV      = 230
	minimumA    = 6
	carTakes    = 0.91 // of what is metered at the charger, into the car's battery
	answerAfter = 6 * time.Second
)

func newCharger(m machine, p *district.EVChargerParams) *charger {
	c := &charger{machine: m, phases: float64(p.Phases), pendingA: math.Inf(1)}
	if c.phases != 3 {
		c.phases = 1
	}
	c.maxA = p.MaxKW * 1000 / (phaseV * c.phases)
	c.inForceA = c.maxA
	return c
}

func (c *charger) advance(e *env) {
	c.come(e.now)
	if c.changed.IsZero() {
		c.changed = e.now
	}
	want := math.Min(c.pendingA, c.maxA)
	if e.step >= time.Minute {
		c.inForceA = want
	} else if e.now.Sub(c.changed) >= answerAfter {
		c.inForceA = approach(c.inForceA, want, 2*3600, e.hours) // 2 A/s
	}
	kw := 0.0
	if c.car != nil && !c.broken && c.inForceA >= minimumA-0.01 && c.session < c.car.wantsKWh-1e-6 {
		kw = math.Min(c.inForceA*phaseV*c.phases/1000, c.curveKW())
		kw = math.Min(kw, (c.car.wantsKWh-c.session)/e.hours) // the car ends the charge
		if lowest := minimumA * phaseV * c.phases / 1000 * 0.5; kw < lowest && c.car.wantsKWh-c.session > lowest*e.hours {
			kw = lowest
		}
	}
	c.drawing = kw > 0
	if c.car != nil {
		c.session += kw * e.hours
		c.car.soc = math.Min(1, c.car.soc+kw*e.hours*carTakes/c.car.capacityKWh)
	}
	c.count(kw+0.004, e)
}

// curveKW is the most the car takes at its state of charge.
func (c *charger) curveKW() float64 {
	full := c.maxA * phaseV * c.phases / 1000
	if c.car.soc > 0.8 {
		full *= math.Max(0.15, 1-0.85*(c.car.soc-0.8)/0.2)
	}
	return full
}

// extend re-dates the sessions of the next months once those known run out.
func (c *charger) extend(now time.Time) {
	if len(c.drivers) == 0 || now.Before(c.known) {
		return
	}
	from := c.known
	if from.IsZero() {
		from = now
	}
	c.known = timegrid.Month(now, c.zone).End
	for _, s := range trace.Stays(c.drivers, from, c.known, c.zone) {
		if !s.PlugIn.Before(from) || s.PlugOut.After(now) && len(c.stays) == 0 && c.car == nil {
			c.stays = append(c.stays, s)
		}
	}
}

func (c *charger) come(now time.Time) {
	c.extend(now)
	if c.car != nil && !now.Before(c.car.leaves) {
		c.car = nil
	}
	for len(c.stays) > 0 && !now.Before(c.stays[0].PlugIn) {
		s := c.stays[0]
		c.stays = c.stays[1:]
		if !now.Before(s.PlugOut) {
			continue
		}
		c.car = c.arriving(s.EnergyKWh, s.PlugOut, 0.8+0.2*unit01(mix(c.hash, uint64(s.PlugIn.Unix()))))
		c.session = 0
	}
}

// arriving is a car that wants so much energy and is so full, a share, when it has it.
func (c *charger) arriving(wantsKWh float64, leaves time.Time, end float64) *car {
	capacity := math.Max(c.dev.EVCharger.CapacityKWh, wantsKWh/0.7)
	return &car{leaves: leaves, wantsKWh: wantsKWh, capacityKWh: capacity, soc: math.Max(0.05, end-wantsKWh*carTakes/capacity)}
}

func (c *charger) value(point string) (float64, bool) {
	truth := func(b bool) (float64, bool) {
		if b {
			return 1, true
		}
		return 0, true
	}
	switch point {
	case district.Connected:
		return truth(c.car != nil)
	case district.Charging:
		return truth(c.drawing)
	case district.SessionKWh:
		return c.session, true
	case district.LimitA:
		return math.Min(c.pendingA, c.maxA), true
	case district.StatusState:
		switch {
		case c.car == nil:
			return 0, true // A, free: the states of IEC 61851 as most chargers number them
		case c.drawing:
			return 4, true // C2, charging
		}
		return 2, true // B2, connected
	case "current_a":
		return c.powerKW * 1000 / (phaseV * c.phases), true
	}
	return c.common(point)
}

func (c *charger) command(q drivers.ControlQuantity, v float64) error {
	if math.IsNaN(v) || v < 0 {
		return refuse(q, v)
	}
	switch q {
	case drivers.ControlAmpere:
	case drivers.ControlKW:
		v = v * 1000 / (phaseV * c.phases)
	case drivers.ControlShare:
		v *= c.maxA
	case drivers.ControlOnOff:
		if v != 0 {
			v = c.maxA
		}
	default:
		return refuse(q, v)
	}
	c.set(v)
	return nil
}

func (c *charger) set(a float64) {
	if a != c.pendingA {
		// a change while an earlier one is not answered yet does not put the answer off
		if math.Min(c.pendingA, c.maxA) == c.inForceA {
			c.changed = time.Time{}
		}
		c.pendingA = a
	}
}

func (c *charger) release() { c.set(math.Inf(1)) }
