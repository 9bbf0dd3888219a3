package balance

import (
	"time"

	"quartier/schemas/units"
)

// Total is rows added up: of one site or district over a span. Its Step is the time from the first start to the last end, its Coverage the mean by time, and its Method
// holds every method of its rows.
type Total struct {
	Row
	// MatchedWh is the production that met consumption in the same slot, straight or through storage, see [Row.Matched]: what both shares below are made of. It is below zero
	// where more was drawn to fill storage than came back.
	MatchedWh units.WattHours
	Slots     int // rows that were added
	Estimated int // of these, with an estimate in them

	covered, hours float64
	end            time.Time
}

// Matched returns the part of the slot's consumption l that production g met, straight or through storage with its charge s+ and discharge s-: min(g - s+ + s-, l). It is
// negative where storage was filled from the grid.
func (r *Row) Matched() units.WattHours {
	return min(r.ProductionWh-r.ChargeWh+r.DischargeWh, r.ConsumptionWh())
}

// Add adds one row; the first gives district, site and start.
func (t *Total) Add(r *Row) {
	if t.Slots == 0 {
		t.District, t.Site, t.Start, t.end = r.District, r.Site, r.Start, r.Start
	}
	t.ImportWh += r.ImportWh
	t.ExportWh += r.ExportWh
	t.ProductionWh += r.ProductionWh
	t.ChargeWh += r.ChargeWh
	t.DischargeWh += r.DischargeWh
	t.HeatWh += r.HeatWh
	t.CarsWh += r.CarsWh
	t.OtherWh += r.OtherWh
	t.ResidualWh += r.ResidualWh
	t.SharedWh += r.SharedWh
	t.StationResidualWh += r.StationResidualWh
	t.CostEUR += r.CostEUR
	t.CarbonKg += r.CarbonKg
	t.BaselineCostEUR += r.BaselineCostEUR
	t.BaselineCarbonKg += r.BaselineCarbonKg
	t.Substituted = t.Substituted || r.Substituted
	t.Method |= r.Method
	t.MatchedWh += r.Matched()
	t.Slots++
	if r.Substituted {
		t.Estimated++
	}
	t.covered += r.Coverage * r.Step.Hours()
	t.hours += r.Step.Hours()
	if t.hours > 0 {
		t.Coverage = t.covered / t.hours
	}
	if e := r.Start.Add(r.Step); e.After(t.end) {
		t.end = e
	}
	t.Step = t.end.Sub(t.Start)
}

// CoveredHours returns the hours of the rows, each by its coverage.
func (t *Total) CoveredHours() float64 { return t.covered }

// Sum adds rows up.
func Sum(rows []Row) Total {
	var t Total
	for i := range rows {
		t.Add(&rows[i])
	}
	return t
}

// The versions of the formulas of the two shares, told wherever they are shown.
const (
	SelfConsumptionVersion = 1
	SelfSufficiencyVersion = 1
)

// SelfConsumption returns the share of production that met consumption in its own slot or through storage (supply cover factor; IEA Task 40): the sum over the slots of min(g - s+ + s-, l)
// by that of g. What storage loses and still holds is not in it. ok is false without production, and while more was drawn to fill storage than came back: see [Total.SelfSufficiency].
func (t *Total) SelfConsumption() (share float64, ok bool) {
	if t.ProductionWh <= 0 || t.filling() {
		return 0, false
	}
	return clamp01(float64(t.MatchedWh) / float64(t.ProductionWh)), true
}

// SelfSufficiency returns the share of consumption that production met in its own slot or through storage (load cover factor; IEA Task 40): the sum over the slots of min(g - s+ + s-, l) by
// that of l, which is 1 - import/l where the meters leave no residual. What storage draws from the grid so counts against it when it is drawn, and for it when it comes back. There is no such
// share (ok is false) without consumption, and not yet while more was drawn than consumed because storage was filled: a night's charge has not come back. What came back less its
// losses has, see leastReturn.
func (t *Total) SelfSufficiency() (share float64, ok bool) {
	c := t.ConsumptionWh()
	if c <= 0 || t.filling() {
		return 0, false
	}
	return clamp01(float64(t.MatchedWh) / float64(c)), true
}

// filling reports whether storage was filled from the grid and has not given that back.
func (t *Total) filling() bool {
	return t.MatchedWh < 0 && float64(t.DischargeWh) < leastReturn*float64(t.ChargeWh)
}

// leastReturn is the share of its charge that any storage in use gives back: what has not come back beyond it is still in store, and not lost.
const leastReturn = 0.7

func clamp01(x float64) float64 { return max(0, min(1, x)) }
