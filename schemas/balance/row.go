package balance

import (
	"time"

	"quartier/schemas/units"
)

// Row is the electrical energy balance of one site, or of a whole district (site "_"), over one slot. Energies are whole watt-hours and
// never negative but for ResidualWh; over any row, exactly:
//
//	Import + Production + Discharge + Residual = Export + Charge + Heat + Cars + Other
//
// A district's row is the sum of its sites' production, storage and consumption, with import and export netted at the district boundary in each
// slot: energy that one site feeds while another draws is SharedWh, and is in neither.
type Row struct {
	District, Site string
	Start          time.Time // UTC
	Step           time.Duration

	ImportWh     units.WattHours // drawn through the boundary
	ExportWh     units.WattHours // fed through the boundary
	ProductionWh units.WattHours // solar
	ChargeWh     units.WattHours // into batteries
	DischargeWh  units.WattHours // out of batteries
	HeatWh       units.WattHours // electricity of heat pumps and water heaters
	CarsWh       units.WattHours // electricity of chargers
	OtherWh      units.WattHours // all other consumption
	ResidualWh   units.WattHours // what the meters do not explain; shown, never hidden
	SharedWh     units.WattHours // district rows: fed by one site and drawn by another in the slot; site rows: the site's part of what it drew

	// StationResidualWh is what the transformer station metered less what the sites exchanged, both net of what was fed, in the slots that all stations measured; zero
	// elsewhere and in the rows of sites. Positive: lost in cables and transformer, or drawn without a meter; negative: fed without a meter. It is no
	// part of the balance above, which is that of the sites, as energy is billed.
	StationResidualWh units.WattHours

	CostEUR  float64 // of import at the boundary's tariff, less the revenue of export
	CarbonKg float64 // of import, at the intensity of the slot

	BaselineCostEUR  float64 // the same by the stated baseline, see package savings
	BaselineCarbonKg float64

	Coverage    float64 // share in [0, 1] of the meters of the row that measured the whole slot
	Substituted bool    // at least one value is an estimate
	Method      Method  // how its estimates were made; 0: everything was measured, or the row was closed before methods were kept
}

// ConsumptionWh returns all that was consumed in the slot: heat, cars and other.
func (r Row) ConsumptionWh() units.WattHours { return r.HeatWh + r.CarsWh + r.OtherWh }

// NetWh returns what was drawn through the boundary less what was fed.
func (r Row) NetWh() units.WattHours { return r.ImportWh - r.ExportWh }

// Unexplained returns the two sides of the balance identity apart; it is zero for every row that this package makes.
func (r Row) Unexplained() units.WattHours {
	return r.ImportWh + r.ProductionWh + r.DischargeWh + r.ResidualWh - r.ExportWh - r.ChargeWh - r.ConsumptionWh()
}
