package sim

import (
	"math"

	"quartier/drivers"
	"quartier/schemas/district"
)

// inverter is a solar inverter with its modules. The recorded yield of a comparable plant gives what the modules offer; the inverter adds its
// own loss curve, its clipping at the rated power, its consumption at night and the ramp with which it follows a limit.
type inverter struct {
	machine
	offer   func(e *env) (kwPerKWp float64, substituted bool) // recorded yield of this instant, alternating current
	peakKW  float64
	ratedKW float64 // alternating current
	yield   float64 // soiling, mismatch, ageing
	limit   float64 // commanded share of ratedKW
	ramped  float64 // the limit in force
	dcKWh   float64 // taken from the modules
	lostKWh float64 // in the inverter
}

const recordedEfficiency = 0.965 // of the inverters behind the recorded yields, to come back to direct current

func newInverter(m machine, p *district.PVParams, d DeviceSim, offer func(*env) (float64, bool)) *inverter {
	v := &inverter{machine: m, offer: offer, peakKW: p.PeakKW, limit: 1, ramped: 1}
	v.ratedKW = d.InverterKW
	if v.ratedKW == 0 {
		v.ratedKW = 0.9 * p.PeakKW
	}
	v.yield = m.deviate(1, "yield", 0.04)
	return v
}

// lossKW is what the inverter loses when the modules give dc: electronics, conduction, switching, in shares of its rating (0.4 %, 1 %, 1.3 %).
func (v *inverter) lossKW(dc float64) float64 {
	x := dc / v.ratedKW
	return v.ratedKW * (0.004 + 0.010*x + 0.013*x*x)
}

func (v *inverter) advance(e *env) {
	v.ramped = approach(v.ramped, v.limit, 360, e.hours) // full range in 10 s
	recorded, sub := v.offer(e)
	v.sub = sub
	dc := v.peakKW * v.yield * recorded / recordedEfficiency
	night := 0.0004 * v.ratedKW
	if dc <= v.ratedKW*0.005 {
		v.count(night, e)
		return
	}
	most := v.ratedKW * math.Max(0, math.Min(1, v.ramped))
	ac := dc - v.lossKW(dc)
	if ac > most { // the working point moves away from the maximum: less comes from the modules
		ac = most
		dc = v.dcFor(ac)
	}
	if ac <= 0 {
		v.count(night, e)
		return
	}
	v.dcKWh += dc * e.hours
	v.lostKWh += (dc - ac) * e.hours
	v.count(-ac, e)
}

// dcFor inverts ac = dc - loss(dc).
func (v *inverter) dcFor(ac float64) float64 {
	// 0.013/r·dc² − (1−0.010)·dc + (ac + 0.004·r) = 0, the smaller root
	a, b, c := 0.013/v.ratedKW, -0.99, ac+0.004*v.ratedKW
	return (-b - math.Sqrt(b*b-4*a*c)) / (2 * a)
}

func (v *inverter) value(point string) (float64, bool) {
	switch point {
	case district.LimitShare:
		return v.limit, true
	case district.StatusState:
		switch {
		case v.powerKW >= 0:
			return 2, true // sleeping
		case v.ramped < 0.999 && -v.powerKW > v.ratedKW*v.ramped*0.98:
			return 5, true // throttled
		}
		return 4, true // running
	}
	return v.common(point)
}

func (v *inverter) command(q drivers.ControlQuantity, x float64) error {
	switch q {
	case drivers.ControlShare:
	case drivers.ControlKW:
		x = math.Abs(x) / v.ratedKW
	default:
		return refuse(q, x)
	}
	if math.IsNaN(x) || x < 0 {
		return refuse(q, x)
	}
	v.limit = math.Min(1, x)
	return nil
}

func (v *inverter) release() { v.limit = 1 }
