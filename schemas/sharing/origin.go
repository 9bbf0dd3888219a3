package sharing

import (
	"math"

	"quartier/schemas/balance"
	"quartier/schemas/units"
)

// Part is what a member consumed in a slot by where it came from, Wh, none negative; their sum is the consumption.
type Part struct {
	Own    units.WattHours // the building's roof, at once or by way of its battery
	Shared units.WattHours // fed by other sites of the district in the same slot
	Grid   units.WattHours
}

// Total returns the consumption.
func (p Part) Total() units.WattHours { return p.Own + p.Shared + p.Grid }

// Add adds another part.
func (p *Part) Add(o Part) {
	p.Own += o.Own
	p.Shared += o.Shared
	p.Grid += o.Grid
}

// Parts returns a member's part of each of a site's slots, in order of time, by the default key; share is the member's part of the site's consumption, in [0, 1].
//
// What the site did not draw is its own as far as its roof has given it: production that was not fed, less what was counted before. The roof's energy is used first; what a
// battery charged from the grid gives back stays the grid's, and of a battery's charge before the first slot nothing is claimed. Rounding runs over the sums,
// so that these are exact to the watt-hour.
func Parts(rows []balance.Row, share float64) []Part {
	var site, given Part
	kept := units.WattHours(0) // of the roof's energy, not yet counted
	take := func(sum units.WattHours, given *units.WattHours) units.WattHours {
		due := units.WattHours(math.Round(float64(sum) * share))
		v := due - *given
		*given = due
		return v
	}
	out := make([]Part, len(rows))
	for i := range rows {
		r := &rows[i]
		consumed := max(0, r.ConsumptionWh())
		drawn := min(max(0, r.ImportWh), consumed)
		kept += max(0, r.ProductionWh-max(0, r.ExportWh))
		own := min(consumed-drawn, kept)
		kept -= own
		shared := min(max(0, r.SharedWh), drawn)
		site.Add(Part{own, shared, consumed - own - shared})
		out[i] = Part{take(site.Own, &given.Own), take(site.Shared, &given.Shared), take(site.Grid, &given.Grid)}
	}
	return out
}
