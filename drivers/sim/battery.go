package sim

import (
	"math"

	"quartier/drivers"
	"quartier/schemas/district"
)

// battery is a stationary battery with its converter and battery management system (BMS). Losses grow with the square of the power;
// charging tapers above 92 %, discharging below 8 %, and the power falls when the cells are cold or hot. The BMS refuses whatever leads
// beyond its own band of 2 % to 98.5 %, whoever asks.
type battery struct {
	machine
	capacityKWh           float64
	storedKWh             float64
	chargeKW, dischargeKW float64 // converter ratings, both positive
	loss                  float64 // multiplies the loss curve
	cellC                 float64
	idle                  bool // own control: stay idle; otherwise lower the exchange of the site
	commanded             bool
	wantKW                float64
	lostKWh               float64
}

const (
	bmsLow, bmsHigh = 0.02, 0.985
	batteryRoomC    = 16
)

func newBattery(m machine, p *district.BatteryParams, d DeviceSim) *battery {
	b := &battery{machine: m, chargeKW: p.ChargeKW, dischargeKW: p.DischargeKW, cellC: batteryRoomC, idle: d.Autonomy == "idle"}
	b.capacityKWh = d.CapacityKWh
	if b.capacityKWh == 0 {
		b.capacityKWh = p.CapacityKWh * (0.95 + 0.04*unit01(mix(m.hash, hashText("capacity"))))
	}
	b.loss = m.deviate(1, "loss", 0.1)
	soc := d.InitialSOC
	if soc == 0 {
		soc = 0.4
	}
	b.storedKWh = soc * b.capacityKWh
	return b
}

// lossKW is what the converter and the cells turn into heat at an alternating-current power: 0.3 % of the rating while running, 2 % of the power,
// and 3 % of the rating at full power with the square.
func (b *battery) lossKW(kw float64) float64 {
	rated := math.Max(b.chargeKW, b.dischargeKW)
	a := math.Abs(kw)
	return b.loss * (0.003*rated + 0.02*a + 0.03*a*a/rated)
}

func (b *battery) standbyKW() float64 { return 0.0012 * math.Max(b.chargeKW, b.dischargeKW) }

func (b *battery) soc() float64 { return b.storedKWh / b.capacityKWh }

// permitted is the range that the BMS allows now, alternating current.
func (b *battery) permitted() (low, high float64) {
	soc := b.soc()
	charge, discharge := b.chargeKW, b.dischargeKW
	if soc > 0.92 {
		charge *= math.Max(0, (bmsHigh-soc)/(bmsHigh-0.92))
	}
	if soc < 0.08 {
		discharge *= math.Max(0, (soc-bmsLow)/(0.08-bmsLow))
	}
	if b.cellC < 10 {
		charge *= math.Max(0.1, b.cellC/10)
	}
	if b.cellC > 40 {
		hot := math.Max(0, (55-b.cellC)/15)
		charge, discharge = charge*hot, discharge*hot
	}
	return -discharge, charge
}

func (b *battery) advance(e *env) {
	want := b.wantKW
	if !b.commanded {
		want = 0
		if !b.idle {
			want = -e.siteKW
		}
	}
	if b.soc() < bmsLow { // self-discharge went on: the BMS keeps the cells alive
		want = math.Max(want, 0.03*b.chargeKW)
	}
	low, high := b.permitted()
	if b.broken {
		low, high = 0, 0
	}
	want = math.Max(low, math.Min(high, want))
	rated := math.Max(b.chargeKW, b.dischargeKW)
	kw := approach(b.powerKW, want, 1200*rated, e.hours) // full range in 3 s
	if math.Abs(kw) < 0.01*rated {
		kw = 0
	}
	flow := b.dcKW(kw)
	// nothing may leave the band within the step
	if next := b.storedKWh + flow*e.hours; flow > 0 && next > bmsHigh*b.capacityKWh || flow < 0 && kw < 0 && next < bmsLow*b.capacityKWh {
		kw = 0
		flow = b.dcKW(0)
	}
	drawn := kw
	if kw == 0 { // the controller and its fans live from the grid
		drawn, flow = b.standbyKW(), 0
		flow = math.Max(-0.00002*b.capacityKWh, -b.storedKWh/math.Max(e.hours, 1e-9)) // self-discharge, 1.4 % a month
	}
	b.storedKWh += flow * e.hours
	lost := drawn - flow
	b.lostKWh += lost * e.hours
	// cells: 30 W/K per 100 kWh to the room, 0.28 Wh/K per kg at 6 kg/kWh
	heatCapacity := 0.0017 * b.capacityKWh
	b.cellC += (0.5*math.Max(0, lost) - 0.0003*b.capacityKWh*(b.cellC-b.roomC(e))) * e.hours / heatCapacity
	b.cellC = math.Max(-20, math.Min(60, b.cellC))
	b.count(drawn, e)
}

// roomC is a plant room that follows the weather at half.
func (b *battery) roomC(e *env) float64 { return batteryRoomC + 0.5*(e.outdoorC-batteryRoomC) }

// dcKW is the power into the cells at an alternating-current power.
func (b *battery) dcKW(kw float64) float64 {
	if kw == 0 {
		return 0
	}
	return kw - b.lossKW(kw)
}

func (b *battery) value(point string) (float64, bool) {
	switch point {
	case district.SOC: // the BMS reports half percents
		return math.Round(b.soc()*200) / 200, true
	case district.SetpointKW:
		return b.wantKW, true
	case district.StatusState:
		switch {
		case b.powerKW > b.standbyKW()*1.01:
			return 1, true // charging
		case b.powerKW < 0:
			return 2, true // discharging
		}
		return 0, true
	case "cell_c":
		return b.cellC, true
	}
	return b.common(point)
}

func (b *battery) command(q drivers.ControlQuantity, v float64) error {
	switch q {
	case drivers.ControlKW:
	case drivers.ControlShare: // of the larger rating, in both directions
		v *= math.Max(b.chargeKW, b.dischargeKW)
	default:
		return refuse(q, v)
	}
	if math.IsNaN(v) || v > b.chargeKW*1.001 || v < -b.dischargeKW*1.001 {
		return refuse(q, v)
	}
	b.commanded, b.wantKW = true, v
	return nil
}

func (b *battery) release() { b.commanded, b.wantKW = false, 0 }
