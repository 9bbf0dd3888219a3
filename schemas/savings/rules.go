package savings

import (
	"math"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/units"
)

// RulesName names the baseline of [ByRules] wherever its figures are shown.
const RulesName = "self-consumption-first"

// Three figures speak of three things and are types of their own, so that no sum of two compiles without saying so.
type (
	// ControlSavingEUR is what Quartier's control saved against the same storage and cars under rules; see [ByRules].
	ControlSavingEUR float64
	// LocalSolarEUR is how much lower a bill is by energy shared in the district: contractual, exact, no comparison.
	LocalSolarEUR float64
	// StorageAndControlEUR is what storage and control together saved against the baseline [BaselineName]; see [Saved].
	StorageAndControlEUR float64
)

// Battery is what a rule knows of a store. Energies count from the lowest level that it may use.
type Battery struct {
	UsableKWh           float64
	ChargeKW            float64 // >= 0
	DischargeKW         float64 // >= 0
	ChargeEfficiency    float64 // in (0, 1]
	DischargeEfficiency float64 // in (0, 1]
	StoredKWh           float64 // at the begin
}

// step runs the battery for one slot against a net energy in Wh (positive: drawn) by the rule: charge with what would be fed in, discharge into what would be drawn, nothing else.
// It returns what it took in (+) or gave (-), at its terminals.
func (b *Battery) step(netWh units.WattHours, d time.Duration) units.WattHours {
	if netWh < 0 {
		most := math.Min(b.ChargeKW*d.Hours(), math.Max(0, b.UsableKWh-b.StoredKWh)/b.ChargeEfficiency)
		e := min(-netWh, units.WattHours(math.Floor(most*1000+1e-7)))
		b.StoredKWh += e.KWh() * b.ChargeEfficiency
		return e
	}
	most := math.Min(b.DischargeKW*d.Hours(), math.Max(0, b.StoredKWh)*b.DischargeEfficiency)
	e := min(netWh, units.WattHours(math.Floor(most*1000+1e-7)))
	b.StoredKWh -= e.KWh() / b.DischargeEfficiency
	return -e
}

// RuleSite is one site for [ByRules].
type RuleSite struct {
	Rows      []balance.Row     // as measured
	Cars      []units.WattHours // its cars' energy per slot on arrival at full power, as of [Uncontrolled]
	Batteries []Battery
}

// RuleDay is what rules would have made of measured days.
type RuleDay struct {
	ImportWh, ExportWh units.WattHours // at the district boundary
	PeakImportWh       units.WattHours // largest import of a slot
	CostEUR, CarbonKg  float64
	StoredKWh          float64 // in all batteries at the end
}

// Peaks are the largest imports of a slot at the district boundary, of the same meters in the same slots.
type Peaks struct {
	ImportWh       units.WattHours // as measured
	UncontrolledWh units.WattHours // by the baseline [BaselineName]: without storage, each car charging on arrival
	ByRulesWh      units.WattHours // as of [ByRules]
}

// PeaksOf returns the largest imports of the district's measured rows and of what the comparisons would have made of its sites.
func PeaksOf(whole []balance.Row, sites []RuleSite) Peaks {
	bare := make([]RuleSite, len(sites))
	for k := range sites {
		bare[k] = RuleSite{Rows: sites[k].Rows, Cars: sites[k].Cars}
	}
	p := Peaks{UncontrolledWh: ByRules(bare, balance.Terms{}).PeakImportWh, ByRulesWh: ByRules(sites, balance.Terms{}).PeakImportWh}
	for i := range whole {
		p.ImportWh = max(p.ImportWh, whole[i].ImportWh)
	}
	return p
}

// ByRules simulates the measured load and sun of sites over the slots of their rows with the same batteries under the rule "self-consumption first" and each car charging on
// arrival, and prices it at the district boundary as the measured rows are priced. Heat ran as it was measured. It is a pure simulation without foresight, price or grid limit.
func ByRules(sites []RuleSite, terms balance.Terms) RuleDay {
	var out RuleDay
	slots := 0
	stores := make([][]Battery, len(sites))
	for k := range sites {
		slots = max(slots, len(sites[k].Rows))
		stores[k] = append([]Battery{}, sites[k].Batteries...)
	}
	for i := range slots {
		var in, fed units.WattHours
		for k := range sites {
			if i >= len(sites[k].Rows) {
				continue
			}
			r := &sites[k].Rows[i]
			net := r.ImportWh - r.ExportWh - r.ChargeWh + r.DischargeWh - r.CarsWh
			if i < len(sites[k].Cars) {
				net += sites[k].Cars[i]
			}
			for b := range stores[k] {
				net += stores[k][b].step(net, r.Step)
			}
			in, fed = in+max(0, net), fed+max(0, -net)
		}
		shared := min(in, fed)
		in, fed = in-shared, fed-shared
		out.ImportWh, out.ExportWh = out.ImportWh+in, out.ExportWh+fed
		out.PeakImportWh = max(out.PeakImportWh, in)
		out.CostEUR += in.KWh()*priceAt(terms.ImportPrice, i) - fed.KWh()*priceAt(terms.ExportPrice, i)
		out.CarbonKg += in.KWh() * priceAt(terms.CarbonG, i) / 1000
	}
	for k := range stores {
		for _, b := range stores[k] {
			out.StoredKWh += b.StoredKWh
		}
	}
	return out
}

func priceAt(s []float64, i int) float64 {
	if i < len(s) {
		return s[i]
	}
	return 0
}

// ControlSaving is what control did against rules. What is stored more or less at the end is told beside the money and not valued: it has cost, and what it will save is known when
// it comes back.
type ControlSaving struct {
	EUR           ControlSavingEUR
	CarbonKg      float64
	StoredMoreKWh float64 // in the real batteries than in those under rules; NaN: not known
}

// Against compares the measured district with the rules; storedKWh is what the real batteries held at the end, NaN where it is not known.
func (d RuleDay) Against(measured balance.Row, storedKWh float64) ControlSaving {
	return ControlSaving{EUR: ControlSavingEUR(d.CostEUR - measured.CostEUR), CarbonKg: d.CarbonKg - measured.CarbonKg, StoredMoreKWh: storedKWh - d.StoredKWh}
}
