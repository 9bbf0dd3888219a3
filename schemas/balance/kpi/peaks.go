package kpi

import (
	"quartier/schemas/balance/why"
	"quartier/schemas/timegrid"
)

// Kinds of published figures of closed months that peaks are compared by, kW.
const (
	PeakImport       = "peak_import_kw"
	PeakUncontrolled = "peak_import_uncontrolled_kw"
	PeakByRules      = "peak_import_by_rules_kw"
)

// Published is a figure of a closed month of the boundary.
type Published struct {
	Kind   string
	Period timegrid.Span
	Value  float64
}

// closed are the indicators of published figures: the comparison runs storage through the month from what it held at its begin, which no sum of days can tell.
var closed = []Definition{
	{ID: "peak_reduction_uncontrolled", Version: 1, NameEN: "Peak reduction against no storage and cars charging on arrival", NameFR: "Réduction de la pointe par rapport à l'absence de stockage et à la recharge dès l'arrivée", Unit: "1",
		Formula: "1 - max over closed months of peak_import_kw / max over the same of peak_import_uncontrolled_kw", Inputs: []string{PeakImport, PeakUncontrolled},
		Note: "of the months whose figures are published; heat as it was; below 0 where the peak is higher", against: PeakUncontrolled},
	{ID: "peak_reduction_by_rules", Version: 1, NameEN: "Peak reduction against the rule self-consumption first", NameFR: "Réduction de la pointe par rapport à la règle « autoconsommation d'abord »", Unit: "1",
		Formula: "1 - max over closed months of peak_import_kw / max over the same of peak_import_by_rules_kw", Inputs: []string{PeakImport, PeakByRules},
		Note: "what control did to the peak with the same storage: of the months whose figures are published, from what storage held at the begin of each; below 0 where the peak is higher", against: PeakByRules},
}

// reduction returns by how much the peak of the closed months of the period is lower than another, and the share of the period that was measured in them.
func (d *Definition) reduction(in *Input) (v float64, reason why.Code, coverage float64) {
	if in.Published == nil {
		return 0, why.NotPublished, 0
	}
	months := map[timegrid.Span]map[string]float64{}
	for _, p := range in.Published {
		if p.Period.Start.Before(in.Period.Start) || p.Period.End.After(in.Period.End) {
			continue
		}
		key := timegrid.Span{Start: p.Period.Start.UTC(), End: p.Period.End.UTC()}
		if months[key] == nil {
			months[key] = map[string]float64{}
		}
		months[key][p.Kind] = p.Value
	}
	var now, then float64
	measured := 0.0
	for month, have := range months {
		is, ok := have[PeakImport]
		was, ok2 := have[d.against]
		if !ok || !ok2 {
			continue
		}
		now, then = max(now, is), max(then, was)
		for i := range in.Days {
			if in.Days[i].Electric != nil && month.Contains(in.Days[i].Start) {
				measured += in.Days[i].Electric.Total.CoveredHours
			}
		}
	}
	if hours := in.Period.Duration().Hours(); hours > 0 {
		coverage = measured / hours
	}
	switch {
	case measured == 0:
		return 0, why.NotClosed, 0
	case then <= 0:
		return 0, why.NothingDrawn, coverage
	}
	return 1 - now/then, "", coverage
}
