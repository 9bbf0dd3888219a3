package balance

import (
	"math"
	"time"

	"quartier/schemas/units"
)

// Match is what is kept of the slots of a span for the indicators that compare production and consumption slot by slot: sums, largest values and deviations, of which those of two
// spans give that of both. With production g, consumption l, discharge s- and the net export ne of a slot.
type Match struct {
	Slots     int
	Consuming int     // slots with l > 0
	Deficits  int     // slots with l > g
	Mismatch  float64 // sum of max(0, (l - g - s-)/l) over the slots with l > 0
	Covered   float64 // sum of min(1, (g + s-)/l) over the slots with l > 0

	MostProductionWh  units.WattHours // largest g of a slot
	MostConsumptionWh units.WattHours // largest l of a slot
	MostImportWh      units.WattHours // largest -ne of a slot, at least 0
	MostUnstoredWh    units.WattHours // largest import less export of a slot if nothing had been stored, at least 0
	MostNetWh         units.WattHours // largest |ne| of a slot
	NetWh             units.WattHours // sum of ne
	PassedWh          units.WattHours // sum of |ne|
	NetSpread         float64         // sum of the squared deviations of ne from its mean, Wh²

	Hours          int             // full clock hours of UTC that were measured
	ConsumingHours int             // of these, with l > 0
	MostSurplusWh  units.WattHours // largest g - l of such an hour, at least 0
	MostDeficitWh  units.WattHours // largest l - g of such an hour, at least 0
	MostSurplus    float64         // largest (g - l)/l of such an hour with l > 0, at least 0
}

// matchOf returns the Match of one slot.
func matchOf(r *Row) Match {
	g, l, ne := r.ProductionWh, r.ConsumptionWh(), -r.NetWh()
	m := Match{Slots: 1, MostProductionWh: max(0, g), MostConsumptionWh: max(0, l), MostImportWh: max(0, -ne), MostUnstoredWh: max(0, r.DischargeWh-r.ChargeWh-ne), MostNetWh: max(ne, -ne), NetWh: ne, PassedWh: max(ne, -ne)}
	if l > g {
		m.Deficits = 1
	}
	if l > 0 {
		m.Consuming = 1
		m.Mismatch = max(0, float64(l-g-r.DischargeWh)/float64(l))
		m.Covered = min(1, float64(g+r.DischargeWh)/float64(l))
	}
	return m
}

// hour adds a full hour.
func (m *Match) hour(g, l units.WattHours) {
	o := Match{Hours: 1, MostSurplusWh: max(0, g-l), MostDeficitWh: max(0, l-g)}
	if l > 0 {
		o.ConsumingHours, o.MostSurplus = 1, max(0, float64(g-l)/float64(l))
	}
	m.Merge(&o)
}

// Merge makes m that of both spans, which must not overlap.
func (m *Match) Merge(o *Match) {
	if m.Slots > 0 && o.Slots > 0 {
		a, b := float64(m.Slots), float64(o.Slots)
		apart := float64(o.NetWh)/b - float64(m.NetWh)/a
		m.NetSpread += apart * apart * a * b / (a + b) // Chan, Golub, LeVeque 1979
	}
	m.NetSpread += o.NetSpread
	m.Slots += o.Slots
	m.Consuming += o.Consuming
	m.Deficits += o.Deficits
	m.Mismatch += o.Mismatch
	m.Covered += o.Covered
	m.MostProductionWh = max(m.MostProductionWh, o.MostProductionWh)
	m.MostConsumptionWh = max(m.MostConsumptionWh, o.MostConsumptionWh)
	m.MostImportWh = max(m.MostImportWh, o.MostImportWh)
	m.MostUnstoredWh = max(m.MostUnstoredWh, o.MostUnstoredWh)
	m.MostNetWh = max(m.MostNetWh, o.MostNetWh)
	m.NetWh += o.NetWh
	m.PassedWh += o.PassedWh
	m.Hours += o.Hours
	m.ConsumingHours += o.ConsumingHours
	m.MostSurplusWh = max(m.MostSurplusWh, o.MostSurplusWh)
	m.MostDeficitWh = max(m.MostDeficitWh, o.MostDeficitWh)
	m.MostSurplus = max(m.MostSurplus, o.MostSurplus)
}

// NetDeviation returns the standard deviation of ne over the slots, Wh: of the population, or of a sample of it. It is NaN where there are too few slots.
func (m *Match) NetDeviation(sample bool) float64 {
	n := float64(m.Slots)
	if sample {
		n--
	}
	if n < 1 {
		return math.NaN()
	}
	return math.Sqrt(m.NetSpread / n)
}

// clockHour gathers the slots of a clock hour of UTC.
type clockHour struct {
	start    time.Time
	day      *Day // in which it begins
	g, l     units.WattHours
	measured time.Duration
}

func (h *clockHour) add(start time.Time, r *Row, d *Day) {
	if !start.Equal(h.start) || h.day == nil {
		h.flush()
		*h = clockHour{start: start, day: d}
	}
	h.g, h.l, h.measured = h.g+r.ProductionWh, h.l+r.ConsumptionWh(), h.measured+r.Step
}

func (h *clockHour) flush() {
	if h.day != nil && h.measured == time.Hour {
		h.day.Electric.Match.hour(h.g, h.l)
	}
	h.day = nil
}
