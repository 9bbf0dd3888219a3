package kpi

import (
	"math"

	"quartier/schemas/balance"
	"quartier/schemas/balance/why"
)

var registry = []Definition{
	{ID: "self_consumption", Version: balance.SelfConsumptionVersion, NameEN: "Self-consumption", NameFR: "Autoconsommation", Unit: "1", Formula: "sum min(g - s+ + s-, l) / sum g", Inputs: []string{"g", "l", "s+", "s-"},
		Note: "per step, not per month; what storage loses and still holds is not in it",
		compute: func(s *steps) (float64, why.Code) {
			v, ok := s.total.SelfConsumption()
			if s.total.ProductionWh <= 0 {
				return 0, why.NoProduction
			}
			return shareOf(v, ok, why.Filling)
		}},
	{ID: "self_sufficiency", Version: balance.SelfSufficiencyVersion, NameEN: "Self-sufficiency", NameFR: "Autoproduction", Unit: "1", Formula: "sum min(g - s+ + s-, l) / sum l", Inputs: []string{"g", "l", "s+", "s-"},
		Note: "per step, not per month",
		compute: func(s *steps) (float64, why.Code) {
			v, ok := s.total.SelfSufficiency()
			if s.total.ConsumptionWh() <= 0 {
				return 0, why.NoConsumption
			}
			return shareOf(v, ok, why.Filling)
		}},
	{ID: "onsite_energy_ratio", Version: 1, NameEN: "On-site energy ratio, all carriers", NameFR: "Taux de couverture local, tous vecteurs", Unit: "1", Formula: "sum over carriers of g / sum over carriers of l", Inputs: []string{"g", "l of every carrier"},
		Note: "final energy, unweighted; heat made from electricity counts once, as electricity",
		compute: func(s *steps) (float64, why.Code) {
			g, l := s.all()
			return g / l, when(l > 0, why.NoConsumption)
		}},
	{ID: "onsite_energy_ratio_electricity", Version: 1, NameEN: "On-site energy ratio, electricity", NameFR: "Taux de couverture local, électricité", Unit: "1", Formula: "sum g / sum l", Inputs: []string{"g", "l"},
		Note: "above 1 is an annual surplus of electricity only over twelve months",
		compute: func(s *steps) (float64, why.Code) {
			l := s.total.ConsumptionWh().KWh()
			return s.total.ProductionWh.KWh() / l, when(l > 0, why.NoConsumption)
		}},
	{ID: "mismatch_ratio", Version: 1, NameEN: "Mismatch ratio (AMR)", NameFR: "Taux d'inadéquation (AMR)", Unit: "1", Formula: "(1/N) sum max(0, (l - g - s-)/l), l > 0", Inputs: []string{"g", "l", "s-"},
		compute: func(s *steps) (float64, why.Code) {
			return s.mean(s.match.Mismatch)
		}},
	{ID: "max_hourly_surplus_kw", Version: 1, NameEN: "Largest hourly surplus", NameFR: "Surplus horaire maximal", Unit: "kW", Formula: "max over hours of g - l", Inputs: []string{"g", "l"},
		compute: func(s *steps) (float64, why.Code) {
			return hours(s.match.MostSurplusWh.KWh(), s.match.Hours)
		}},
	{ID: "max_hourly_surplus_ratio", Version: 1, NameEN: "Largest hourly surplus by demand (MHS)", NameFR: "Surplus horaire maximal rapporté à la demande (MHS)", Unit: "1", Formula: "max over hours of (g - l)/l, l > 0", Inputs: []string{"g", "l"},
		Note: "large when little is consumed: read it beside the kW",
		compute: func(s *steps) (float64, why.Code) {
			return hours(s.match.MostSurplus, s.match.ConsumingHours)
		}},
	{ID: "max_hourly_deficit_kw", Version: 1, NameEN: "Largest hourly deficit (MHD)", NameFR: "Déficit horaire maximal (MHD)", Unit: "kW", Formula: "max over hours of l - g", Inputs: []string{"g", "l"},
		Note: "as kW, because by production it is infinite at night",
		compute: func(s *steps) (float64, why.Code) {
			return hours(s.match.MostDeficitWh.KWh(), s.match.Hours)
		}},
	{ID: "peak_load_ratio", Version: 1, NameEN: "Ratio of peak load (RPL)", NameFR: "Rapport de pointe (RPL)", Unit: "1", Formula: "max over months of (peak of net import / peak of l)", Inputs: []string{"ne", "l"},
		compute: func(s *steps) (float64, why.Code) {
			imported, demand := s.peaks()
			best, found := 0.0, false
			for m, kw := range demand {
				if kw > 0 {
					best, found = max(best, imported[m]/kw), true
				}
			}
			return best, when(found, why.NoConsumption)
		}},
	{ID: "peak_import_kw", Version: 1, NameEN: "Peak import", NameFR: "Pointe de soutirage", Unit: "kW", Formula: "max over steps of -ne / dt", Inputs: []string{"ne"}, compute: func(s *steps) (float64, why.Code) {
		return s.match.MostImportWh.KWh() / s.dt, ""
	}},
	{ID: "peak_reduction", Version: 1, NameEN: "Peak reduction by storage", NameFR: "Réduction de la pointe par le stockage", Unit: "1", Formula: "1 - max(-ne) / max(-ne - s+ + s-)", Inputs: []string{"ne", "s+", "s-"},
		Note: "against the same steps without storage, with cars and heat as they were; below 0 where storage made a higher peak",
		compute: func(s *steps) (float64, why.Code) {
			most := s.match.MostUnstoredWh.KWh()
			return 1 - s.match.MostImportWh.KWh()/most, when(most > 0, why.NothingDrawn)
		}},
	{ID: "load_match_index", Version: 1, NameEN: "Load match index", NameFR: "Indice d'adéquation à la demande", Unit: "1", Formula: "(1/N) sum min(1, (g + s-)/l), l > 0", Inputs: []string{"g", "l", "s-"},
		Note: "a mean of ratios, which is not self-sufficiency",
		compute: func(s *steps) (float64, why.Code) {
			return s.mean(s.match.Covered)
		}},
	{ID: "grid_interaction_index", Version: 1, NameEN: "Grid interaction index, population deviation (GII)", NameFR: "Indice d'interaction réseau, écart-type de la population (GII)", Unit: "1", Formula: "STD_population(ne / max|ne|)", Inputs: []string{"ne"},
		compute: func(s *steps) (float64, why.Code) { return s.interaction(false) }},
	{ID: "grid_interaction_index_sample", Version: 1, NameEN: "Grid interaction index, sample deviation (GII)", NameFR: "Indice d'interaction réseau, écart-type de l'échantillon (GII)", Unit: "1", Formula: "STD_sample(ne / max|ne|)", Inputs: []string{"ne"},
		compute: func(s *steps) (float64, why.Code) { return s.interaction(true) }},
	{ID: "generation_multiple", Version: 1, NameEN: "Generation multiple", NameFR: "Multiple de production", Unit: "1", Formula: "max g / max l", Inputs: []string{"g", "l"}, compute: func(s *steps) (float64, why.Code) {
		g, l := s.match.MostProductionWh.KWh(), s.match.MostConsumptionWh.KWh()
		return g / l, when(l > 0, why.NoConsumption)
	}},
	{ID: "loss_of_load_probability", Version: 1, NameEN: "Loss-of-load probability (LOLP)", NameFR: "Probabilité de déficit (LOLP)", Unit: "1", Formula: "share of steps with l > g", Inputs: []string{"g", "l"},
		compute: func(s *steps) (float64, why.Code) {
			return float64(s.match.Deficits) / float64(s.match.Slots), ""
		}},
	{ID: "connection_capacity_factor", Version: 1, NameEN: "Connection capacity factor", NameFR: "Taux d'utilisation du raccordement", Unit: "1", Formula: "sum |ne| / (P_connection T)", Inputs: []string{"ne", "power of the connection"},
		compute: func(s *steps) (float64, why.Code) {
			kw := s.in.ConnectionKW
			return s.match.PassedWh.KWh() / (kw * s.dt * float64(s.match.Slots)), when(kw > 0 && !math.IsInf(kw, 0), why.NoConnection)
		}},
	{ID: "storage_round_trip", Version: 1, NameEN: "Storage round-trip efficiency", NameFR: "Rendement aller-retour du stockage", Unit: "1", Formula: "sum s- / sum s+", Inputs: []string{"s+", "s-"},
		Note: "of a period whose ends hold little beside what was moved: what is still in store counts as lost",
		compute: func(s *steps) (float64, why.Code) {
			return s.total.DischargeWh.KWh() / s.total.ChargeWh.KWh(), when(s.total.ChargeWh > 0, why.NothingStored)
		}},
	{ID: "ghg_import_kg", Version: 1, NameEN: "Greenhouse gas of electricity drawn, location-based", NameFR: "Gaz à effet de serre de l'électricité soutirée, selon le lieu", Unit: "kgCO2e", Formula: "sum import × intensity of the district's source", Inputs: []string{"import", "carbon intensity"},
		Note:    "export is never netted inside it",
		compute: func(s *steps) (float64, why.Code) { return s.total.CarbonKg, "" }},
}

// when returns the reason unless ok.
func when(ok bool, reason why.Code) why.Code {
	if ok {
		return ""
	}
	return reason
}
