package sim

import (
	"math"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// heatPump is an air-to-water heat pump on a building of two masses. Its performance follows the temperature lift between source and supply, worsened
// by defrosting; its own controller has a heating curve, a thermostat with night set-back, minimum run and rest times and a ramp, and knows the four
// SG Ready states, a power limit and a blocking contact. Blocking ends by itself after two hours or when the rooms fall below 16 °C.
type heatPump struct {
	machine
	house         building
	maxKW, minKW  float64
	setpointC     float64
	quality       float64 // share of the ideal performance
	gainsKW       float64
	minOn, minOff time.Duration
	sg            int
	limitKW       float64 // +Inf without
	off           bool    // commanded off by a contact
	running       bool
	since         time.Time
	blockedSince  time.Time
	compressorKW  float64
	heatKW        float64
	heatKWh       float64
	supplyC       float64
	returnC       float64
	outdoorC      float64
	cop           float64
}

func newHeatPump(m machine, p *district.HeatPumpParams, d DeviceSim) *heatPump {
	r, c := d.ResistanceKPerKW, d.CapacityKWhPerK
	if r == 0 {
		r = m.deviate(p.ResistanceKPerKW, "resistance", 0.05)
	}
	if c == 0 {
		c = m.deviate(p.CapacityKWhPerK, "capacity", 0.05)
	}
	h := &heatPump{machine: m, house: newBuilding(r, c), maxKW: p.MaxKW, minKW: p.MinKW, sg: 2, limitKW: math.Inf(1), minOn: p.MinOn, minOff: p.MinOff,
		supplyC: 30, returnC: 27, outdoorC: 7, cop: p.COPNominal}
	if h.minKW <= 0 {
		h.minKW = 0.25 * h.maxKW
	}
	h.setpointC = d.SetpointC
	if h.setpointC == 0 {
		h.setpointC = p.MinC + 0.35*(p.MaxC-p.MinC)
	}
	h.house.airC, h.house.structureC = h.setpointC, h.setpointC-0.6
	h.gainsKW = d.GainsKW
	if h.gainsKW == 0 {
		h.gainsKW = m.deviate(p.GainsKW, "gains", 0.08)
	}
	h.quality = h.fit(p.COPNominal) * m.deviate(1, "performance", 0.05)
	return h
}

// fit finds the share of the ideal performance that gives a rated value at 7 °C outside on the heating curve.
func (h *heatPump) fit(cop float64) float64 {
	h.quality = 1
	return cop / h.performance(7, h.curveC(7))
}

// curveC is the heating curve: supply temperature by outdoor temperature.
func (h *heatPump) curveC(outdoorC float64) float64 {
	return math.Max(26, math.Min(52, 28+0.75*(20-outdoorC)))
}

// performance is heat per electricity: a share of the ideal one between evaporator and condenser, each some kelvin away from what they serve.
func (h *heatPump) performance(outdoorC, supplyC float64) float64 {
	lift := math.Max(15, supplyC+5-(outdoorC-8))
	c := h.quality * (supplyC + 5 + 273.15) / lift
	if outdoorC > -7 && outdoorC < 6 { // frost on the evaporator, worst near 1 °C
		c *= 1 - 0.09*math.Max(0, 1-math.Abs(outdoorC-1)/6)
	}
	return math.Max(1, math.Min(6.8, c))
}

func (h *heatPump) wantedC(local time.Time) float64 {
	set := h.setpointC
	if hr := local.Hour(); hr >= 22 || hr < 5 {
		set -= 0.7
	}
	switch h.sg {
	case 3:
		set += 1.2
	case 4:
		set += 2
	}
	return set
}

func (h *heatPump) advance(e *env) {
	h.outdoorC = e.outdoorC
	set := h.wantedC(e.local)
	room := h.house.airC
	if h.since.IsZero() {
		h.since = e.now.Add(-24 * time.Hour)
	}
	curve := h.curveC(e.outdoorC)
	if h.sg >= 3 {
		curve += 2
	}
	h.cop = h.performance(e.outdoorC, curve)
	need := h.house.lossKW(set, e.outdoorC) - 0.7*h.gainsKW + 0.8*h.maxKW*h.cop*(set-room)/1.5
	target := need / h.cop
	if h.sg == 4 && room < set {
		target = h.maxKW
	}
	target = math.Min(target, math.Min(h.maxKW, h.limitKW))
	wish := target >= 0.6*h.minKW && (h.running && room < set+0.5 || room < set-0.1)
	if e.outdoorC > 18 && room > set-1 { // summer switch
		wish = false
	}
	if h.blocked(e.now) || h.limitKW < h.minKW {
		wish = false
	}
	held := e.now.Sub(h.since)
	if h.broken {
		wish, held = false, max(held, h.minOn)
	}
	if wish != h.running && (h.running && held >= h.minOn || !h.running && held >= h.minOff) {
		h.running, h.since = wish, e.now
	}
	h.deliver(target, e)
	gains := h.gainsKW * (0.6 + 0.4*e.activity) // people and what they run
	h.house.advance(h.heatKW, gains, e.ghi, e.outdoorC, e.hours)
}

// deliver runs the compressor towards the wanted power and counts what it takes and gives.
func (h *heatPump) deliver(target float64, e *env) {
	if h.running {
		target = math.Max(h.minKW, target)
		h.compressorKW = math.Max(h.minKW, approach(h.compressorKW, target, 30*h.maxKW, e.hours)) // full range in 2 min
		h.supplyC = h.curveC(e.outdoorC)
		h.returnC = h.supplyC - 5*h.compressorKW/h.maxKW
	} else {
		h.compressorKW = 0
		h.supplyC += (h.house.airC - h.supplyC) * (1 - math.Exp(-e.hours))
		h.returnC = h.supplyC
	}
	h.heatKW = h.compressorKW * h.cop
	h.heatKWh += h.heatKW * e.hours
	kw := h.compressorKW + 0.004*h.maxKW // controls
	if h.running {
		kw += 0.012 * h.maxKW // pumps
	}
	h.count(kw, e)
}

// blocked reports whether SG Ready 1 or the contact keeps the compressor off; the device itself ends that after two hours or when the rooms get cold.
func (h *heatPump) blocked(now time.Time) bool {
	if h.sg != 1 && !h.off {
		h.blockedSince = time.Time{}
		return false
	}
	if h.blockedSince.IsZero() {
		h.blockedSince = now
	}
	return h.house.airC > 16 && (h.off || now.Sub(h.blockedSince) < 2*time.Hour)
}

func (h *heatPump) value(point string) (float64, bool) {
	switch point {
	case district.IndoorC:
		return math.Round(h.house.airC*10) / 10, true
	case district.OutdoorC:
		return math.Round(h.outdoorC*10) / 10, true
	case district.SupplyC:
		return h.supplyC, true
	case district.ReturnC:
		return h.returnC, true
	case district.HeatKW:
		return h.heatKW, true
	case district.HeatKWh:
		return h.heatKWh, true
	case district.SGReady:
		return float64(h.sg), true
	case district.SetpointKW:
		return math.Min(h.maxKW, h.limitKW), true
	case district.StatusState:
		if h.running {
			return 1, true
		}
		return 0, true
	}
	return h.common(point)
}

func (h *heatPump) command(q drivers.ControlQuantity, v float64) error {
	if math.IsNaN(v) {
		return refuse(q, v)
	}
	switch q {
	case drivers.ControlSGReady:
		if v != math.Trunc(v) || v < 1 || v > 4 {
			return refuse(q, v)
		}
		h.sg = int(v)
	case drivers.ControlOnOff:
		h.off = v == 0
	case drivers.ControlKW:
		h.limitKW = math.Max(0, v)
	case drivers.ControlShare:
		h.limitKW = math.Max(0, v*h.maxKW)
	default:
		return refuse(q, v)
	}
	return nil
}

func (h *heatPump) release() { h.sg, h.off, h.limitKW = 2, false, math.Inf(1) }
