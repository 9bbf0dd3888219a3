package console

import (
	"math"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/timegrid"
)

// Totals are the energy balance of a site or district over a span: sums of balance rows.
type Totals struct {
	Start            time.Time `json:"start"`
	End              time.Time `json:"end"`
	ImportKWh        float64   `json:"import_kwh" doc:"drawn through the boundary"`
	ExportKWh        float64   `json:"export_kwh" doc:"fed through the boundary"`
	ProductionKWh    float64   `json:"production_kwh"`
	ChargeKWh        float64   `json:"charge_kwh" doc:"into batteries"`
	DischargeKWh     float64   `json:"discharge_kwh" doc:"out of batteries"`
	HeatKWh          float64   `json:"heat_kwh" doc:"electricity of heat pumps and water heaters"`
	CarsKWh          float64   `json:"cars_kwh"`
	OtherKWh         float64   `json:"other_kwh" doc:"all other consumption"`
	ConsumptionKWh   float64   `json:"consumption_kwh" doc:"heat, cars and other"`
	ResidualKWh      float64   `json:"residual_kwh" doc:"what the meters do not explain"`
	StationKWh       float64   `json:"station_residual_kwh" doc:"of the district: what its transformer station metered less what the sites exchanged, both net; positive: lost, or drawn without a meter; 0 without a station"`
	SharedKWh        float64   `json:"shared_kwh" doc:"fed by one site and drawn by another in the same slot"`
	CostEUR          float64   `json:"cost_eur" doc:"of import, less the revenue of export"`
	CarbonKg         float64   `json:"carbon_kg" doc:"of import"`
	BaselineCostEUR  float64   `json:"baseline_cost_eur" doc:"the same without control"`
	BaselineCarbonKg float64   `json:"baseline_carbon_kg"`
	SelfConsumption  *float64  `json:"self_consumption" doc:"share of the production that met consumption in its slot or through storage, KPI self_consumption version 1: sum of min(g - s+ + s-, l) by that of g; null without production, and while more was drawn to fill storage than came back"`
	SelfSufficiency  *float64  `json:"self_sufficiency" doc:"share of the consumption that production met in its slot or through storage, KPI self_sufficiency version 1: sum of min(g - s+ + s-, l) by that of l; null without consumption, and while more was drawn into storage than consumption could do without"`
	StoredKWh        *float64  `json:"stored_kwh" doc:"of a whole day, month or year: how much more the batteries hold at its end, or that of its last row, than at its begin, by their state of charge; cost and carbon do not value it; null where it is not known"`
	Coverage         float64   `json:"coverage" doc:"share of the slots of the span, up to now, that are there and measured"`
	Substituted      int       `json:"substituted" doc:"rows with an estimate in them"`
	Slots            int       `json:"slots" doc:"rows that are there"`
}

// totals returns the sums over sp; coverage counts the slots of step that ended before now.
func totals(t *balance.Total, sp timegrid.Span, step time.Duration, now time.Time) Totals {
	out := Totals{Start: sp.Start, End: sp.End, ImportKWh: t.ImportWh.KWh(), ExportKWh: t.ExportWh.KWh(), ProductionKWh: t.ProductionWh.KWh(), ChargeKWh: t.ChargeWh.KWh(),
		DischargeKWh: t.DischargeWh.KWh(), HeatKWh: t.HeatWh.KWh(), CarsKWh: t.CarsWh.KWh(), OtherKWh: t.OtherWh.KWh(), ConsumptionKWh: t.ConsumptionWh().KWh(),
		ResidualKWh: t.ResidualWh.KWh(), SharedKWh: t.SharedWh.KWh(), StationKWh: t.StationResidualWh.KWh(), CostEUR: t.CostEUR, CarbonKg: t.CarbonKg, BaselineCostEUR: t.BaselineCostEUR,
		BaselineCarbonKg: t.BaselineCarbonKg, Substituted: t.Estimated, Slots: t.Slots}
	if v, ok := t.SelfConsumption(); ok {
		out.SelfConsumption = &v
	}
	if v, ok := t.SelfSufficiency(); ok {
		out.SelfSufficiency = &v
	}
	if step > 0 {
		end := sp.End
		if now.Before(end) {
			end = timegrid.Floor(now, step)
		}
		if end.After(sp.Start) {
			if expected := (timegrid.Span{Start: sp.Start, End: end}).Count(step); expected > 0 {
				out.Coverage = math.Min(1, t.CoveredHours/(float64(expected)*step.Hours()))
			}
		}
	}
	return out
}

func share(v float64) *float64 {
	v = math.Max(0, math.Min(1, v))
	return &v
}
