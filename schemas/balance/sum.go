package balance

import "quartier/schemas/units"

// Total is rows added up: of one site or district over a span. Its Step is the time from the first start to the last end, its Coverage the mean by time, and its Method
// holds every method of its rows.
type Total struct {
	Row
	// MatchedWh is the production that met consumption in the same slot, straight or through storage, see [Row.Matched]: what both shares below are made of. It is below zero
	// where more was drawn to fill storage than came back.
	MatchedWh    units.WattHours
	Slots        int     // rows that were added
	Estimated    int     // of these, with an estimate in them
	CoveredHours float64 // hours of the rows, each by its coverage
	Hours        float64 // hours of the rows
}

// Matched returns the part of the slot's consumption l that production g met, straight or through storage with its charge s+ and discharge s-: min(g - s+ + s-, l). It is
// negative where storage was filled from the grid.
func (r *Row) Matched() units.WattHours {
	return min(r.ProductionWh-r.ChargeWh+r.DischargeWh, r.ConsumptionWh())
}

// Add adds one row; the first gives district, site and start.
func (t *Total) Add(r *Row) {
	hours := r.Step.Hours()
	one := Total{Row: *r, MatchedWh: r.Matched(), Slots: 1, CoveredHours: r.Coverage * hours, Hours: hours}
	if r.Substituted {
		one.Estimated = 1
	}
	t.Merge(&one)
}

// Merge adds the rows of another total, of a later time; the first gives district, site and start.
func (t *Total) Merge(o *Total) {
	if o.Slots == 0 {
		return
	}
	if t.Slots == 0 {
		t.District, t.Site, t.Start = o.District, o.Site, o.Start
	}
	end := t.Start.Add(t.Step)
	if e := o.Start.Add(o.Step); e.After(end) {
		end = e
	}
	t.Step = end.Sub(t.Start)
	t.ImportWh += o.ImportWh
	t.ExportWh += o.ExportWh
	t.ProductionWh += o.ProductionWh
	t.ChargeWh += o.ChargeWh
	t.DischargeWh += o.DischargeWh
	t.HeatWh += o.HeatWh
	t.CarsWh += o.CarsWh
	t.OtherWh += o.OtherWh
	t.ResidualWh += o.ResidualWh
	t.SharedWh += o.SharedWh
	t.StationResidualWh += o.StationResidualWh
	t.CostEUR += o.CostEUR
	t.CarbonKg += o.CarbonKg
	t.BaselineCostEUR += o.BaselineCostEUR
	t.BaselineCarbonKg += o.BaselineCarbonKg
	t.Substituted = t.Substituted || o.Substituted
	t.Method |= o.Method
	t.MatchedWh += o.MatchedWh
	t.Slots += o.Slots
	t.Estimated += o.Estimated
	t.CoveredHours += o.CoveredHours
	t.Hours += o.Hours
	if t.Hours > 0 {
		t.Coverage = t.CoveredHours / t.Hours
	}
}

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
