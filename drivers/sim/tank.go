package sim

import (
	"math"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// tank is an electric storage water heater in two layers. Hot water leaves at the top, cold water enters below, the element heats the lower
// layer and warm water rises. Its own control heats in the night (contactor of the off-peak hours) or whenever the lower layer is cold; once a week it
// heats to 65 °C against legionella, which no command stops; above 80 °C the element is cut off.
type tank struct {
	machine
	draw        func(e *env) (kw float64, substituted bool) // heat wanted at the taps
	topC, lowC  float64
	topL, lowL  float64
	elementKW   float64
	setC        float64
	lossKWPerK  float64 // of the whole tank
	night       bool
	commanded   bool
	on          bool // of the command
	heating     bool
	legionella  bool
	lastProgram time.Time
	roomC       float64
	unmetKWh    float64 // wanted at the taps and not given
	drawnKWh    float64
	lostKWh     float64
}

const (
	waterKWhPerLK = 0.001163 // heat capacity of a litre
	cutOffC       = 80
	legionellaC   = 65
	tooColdC      = 43 // at the top: below it the contactor's forced run heats by day
)

func newTank(m machine, p *district.WaterHeaterParams, d DeviceSim, draw func(*env) (float64, bool)) *tank {
	t := &tank{machine: m, draw: draw, elementKW: m.deviate(p.MaxKW, "element", 0.02), night: d.Autonomy != "thermostat", roomC: 18}
	volume := p.VolumeL
	if volume == 0 {
		volume = p.CapacityKWh / (waterKWhPerLK * math.Max(10, p.MaxC-12))
	}
	t.topL, t.lowL = 0.4*volume, 0.6*volume
	t.setC = d.SetpointC
	if t.setC == 0 {
		t.setC = math.Min(p.MaxC, 60)
	}
	t.topC, t.lowC = t.setC, t.setC-8
	loss := p.LossPerHour
	if loss <= 0 {
		loss = 0.006
	}
	t.lossKWPerK = m.deviate(loss, "loss", 0.1) * volume * waterKWhPerLK
	return t
}

// coldC is the water of the mains, between 8 °C in February and 16 °C in August.
func coldC(t time.Time) float64 {
	return 12 - 4*math.Cos(2*math.Pi*float64(t.YearDay()-45)/365)
}

func (t *tank) meanC() float64 { return (t.topC*t.topL + t.lowC*t.lowL) / (t.topL + t.lowL) }

func (t *tank) storedKWh() float64 { return waterKWhPerLK * (t.topC*t.topL + t.lowC*t.lowL) }

func (t *tank) advance(e *env) {
	t.decide(e)
	cold := coldC(e.local)
	want, sub := t.draw(e)
	t.sub = sub
	t.serve(want, cold, e)
	// losses of both layers
	for _, l := range []struct {
		c *float64
		v float64
	}{{&t.topC, t.topL}, {&t.lowC, t.lowL}} {
		q := t.lossKWPerK * l.v / (t.topL + t.lowL) * (*l.c - t.roomC) * e.hours
		*l.c -= q / (waterKWhPerLK * l.v)
		t.lostKWh += q
	}
	kw := 0.0
	if t.heating {
		kw = t.elementKW
		// no further than the thermostat or the cut-off within the step
		limit := t.targetC() - t.lowC
		if t.lowC+kw*e.hours/(waterKWhPerLK*t.lowL) > t.targetC() && limit > 0 {
			// warm water rises: the whole tank takes it
			kw = math.Min(kw, math.Max(0, t.targetC()-t.meanC())*waterKWhPerLK*(t.topL+t.lowL)/e.hours)
		}
		t.lowC += kw * e.hours / (waterKWhPerLK * t.lowL)
	}
	if t.lowC > t.topC { // the warmer layer rises
		m := t.meanC()
		t.topC, t.lowC = m, m
	}
	t.count(kw+0.002, e)
}

func (t *tank) targetC() float64 {
	if t.legionella {
		return legionellaC + 2
	}
	return t.setC
}

// decide sets the element on or off.
func (t *tank) decide(e *env) {
	hour := float64(e.local.Hour()) + float64(e.local.Minute())/60
	if e.local.Weekday() == time.Sunday && hour >= 2 && hour < 3 && e.now.Sub(t.lastProgram) > 24*time.Hour {
		t.legionella, t.lastProgram = true, e.now
	}
	if t.legionella && (t.lowC >= legionellaC || e.now.Sub(t.lastProgram) > 12*time.Hour) {
		t.legionella = false
	}
	allowed := true
	switch {
	case t.legionella:
	case t.commanded:
		allowed = t.on
	case t.night:
		allowed = hour >= 22.5 || hour < 6.5 || t.topC < tooColdC // forced run by day
	}
	target := t.targetC()
	switch {
	case !allowed, t.lowC >= cutOffC, t.lowC >= target-0.2:
		t.heating = false
	case t.heating:
	case t.commanded && t.on, t.legionella:
		t.heating = t.lowC < target-2
	default:
		t.heating = t.lowC < target-6
	}
}

// serve draws heat at the top and lets cold water in below.
func (t *tank) serve(want, cold float64, e *env) {
	useful := t.topC - cold
	if want <= 0 || useful < 5 {
		t.unmetKWh += math.Max(0, want) * e.hours
		return
	}
	litres := want * e.hours / (waterKWhPerLK * useful)
	given := math.Min(litres, 0.9*t.topL)
	before := t.storedKWh()
	t.topC += (t.lowC - t.topC) * given / t.topL
	t.lowC += (cold - t.lowC) * math.Min(1, given/t.lowL)
	out := before - t.storedKWh()
	t.drawnKWh += out
	t.unmetKWh += math.Max(0, want*e.hours-out)
}

func (t *tank) value(point string) (float64, bool) {
	switch point {
	case district.TankC: // a sensor in a sleeve over the height
		return math.Round(t.meanC()*10) / 10, true
	case district.StatusState, district.Charging:
		if t.heating {
			return 1, true
		}
		return 0, true
	case "on_off":
		if !t.commanded || t.on {
			return 1, true
		}
		return 0, true
	case district.SGReady:
		switch {
		case !t.commanded:
			return 2, true
		case t.on:
			return 4, true
		}
		return 1, true
	}
	return t.common(point)
}

func (t *tank) command(q drivers.ControlQuantity, v float64) error {
	if math.IsNaN(v) {
		return refuse(q, v)
	}
	switch q {
	case drivers.ControlOnOff:
		t.commanded, t.on = true, v != 0
	case drivers.ControlKW, drivers.ControlShare:
		t.commanded, t.on = true, v > 0
	case drivers.ControlSGReady:
		switch v {
		case 1:
			t.commanded, t.on = true, false
		case 2:
			t.commanded = false
		case 3, 4:
			t.commanded, t.on = true, true
		default:
			return refuse(q, v)
		}
	default:
		return refuse(q, v)
	}
	return nil
}

func (t *tank) release() { t.commanded = false }
