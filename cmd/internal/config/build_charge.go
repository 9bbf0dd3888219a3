package config

import (
	"fmt"
	"slices"
	"time"

	"quartier/schemas/sharing/bill"
	"quartier/schemas/tariff"
)

// charges checks the dated public charges of a tariff and builds them.
func (b *builder) charges(t *Tariff, path string, out *tariff.Tariff) {
	for _, list := range []struct {
		name string
		from []Charge
		to   *[]tariff.Charge
		own  func(r *Row) float64
	}{{"network", t.Network, &out.Network, func(r *Row) float64 { return r.Network }}, {"excise", t.Excise, &out.Excise, func(r *Row) float64 { return r.Excise }}} {
		for i := range list.from {
			c, p := &list.from[i], fmt.Sprintf("%s.%s[%d]", path, list.name, i)
			row := tariff.Charge{From: day(c.From, out.Zone), Until: day(c.Until, out.Zone), EURPerKWh: map[tariff.Period]float64{}, Source: c.Source}
			if c.All != nil {
				row.EURPerKWh[tariff.BasePeriod] = *c.All
			}
			wanted := tariff.Periods(out.Kind)
			for _, f := range []struct {
				period tariff.Period
				v      *float64
			}{{tariff.HP, c.HP}, {tariff.HC, c.HC}, {tariff.BlueHP, c.BlueHP}, {tariff.BlueHC, c.BlueHC}, {tariff.WhiteHP, c.WhiteHP}, {tariff.WhiteHC, c.WhiteHC}, {tariff.RedHP, c.RedHP}, {tariff.RedHC, c.RedHC}} {
				key := string(f.period) + "_eur_per_kwh"
				switch has := slices.Contains(wanted, f.period); {
				case f.v != nil && !has:
					b.say(p+"."+key, "has no place in a %s tariff", t.Kind)
				case f.v != nil:
					row.EURPerKWh[f.period] = *f.v
				case has && c.All == nil && !b.has(p+"."+key) && !b.has(p+".eur_per_kwh"):
					b.say(p, "%s is missing: without eur_per_kwh a %s tariff needs it (EUR/kWh)", key, t.Kind)
				}
			}
			if len(wanted) <= 1 && c.All == nil && !b.has(p+".eur_per_kwh") {
				b.say(p, "eur_per_kwh is missing (EUR/kWh)")
			}
			if n := len(*list.to); n > 0 {
				b.follows(p, c.From, row.From, (*list.to)[n-1].From, (*list.to)[n-1].Until)
			}
			b.endsAfter(p, c.From, c.Until, row.From, row.Until)
			*list.to = append(*list.to, row)
		}
		for i := range t.Rows {
			if len(list.from) > 0 && list.own(&t.Rows[i]) != 0 {
				b.say(fmt.Sprintf("%s.rows[%d].%s_eur_per_kwh", path, i, list.name), "stands in the tariff's %s rows already", list.name)
			}
		}
	}
	for i, r := range t.VAT {
		p := fmt.Sprintf("%s.vat_rates[%d]", path, i)
		row := tariff.Rate{From: day(r.From, out.Zone), Until: day(r.Until, out.Zone), Share: r.Share, Source: r.Source}
		if n := len(out.VAT); n > 0 {
			b.follows(p, r.From, row.From, out.VAT[n-1].From, out.VAT[n-1].Until)
		}
		b.endsAfter(p, r.From, r.Until, row.From, row.Until)
		out.VAT = append(out.VAT, row)
	}
	if len(t.VAT) == 0 && len(t.Network)+len(t.Excise) > 0 && !out.TaxesExcluded && !b.has(path+".vat_rates") {
		b.say(path, "vat_rates is missing: network and excise stand before VAT, and the prices include it")
	}
}

// follows checks that a row begins after the one before, and not within it.
func (b *builder) follows(path, text string, from, before, until time.Time) {
	switch {
	case from.IsZero() || before.IsZero():
	case !from.After(before):
		b.say(path+".from", "%s is not after the row before, from %s: rows stand by date, and no two hold at once", text, before.Format(time.DateOnly))
	case until.After(from):
		b.say(path+".from", "%s lies within the row before, which holds until %s: no two hold at once", text, until.Format(time.DateOnly))
	}
}

// endsAfter checks that a row ends after it begins.
func (b *builder) endsAfter(path, fromText, untilText string, from, until time.Time) {
	if !from.IsZero() && !until.IsZero() && !until.After(from) {
		b.say(path+".until", "%s is not after from %s", untilText, fromText)
	}
}

// terms checks the dated terms of shared energy.
func (b *builder) terms(f *District, path string, zone *time.Location) {
	if f.Sharing == nil {
		return
	}
	var before time.Time
	for i, r := range f.Sharing.Terms {
		from := day(r.From, zone)
		b.follows(fmt.Sprintf("%s.sharing.terms[%d]", path, i), r.From, from, before, time.Time{})
		before = from
	}
}

// BillTerms returns the dated terms of shared energy, those without a date first, as days of the district's zone.
func (s *Sharing) BillTerms(zone *time.Location) []bill.Term {
	out := []bill.Term{{PriceEURPerKWh: s.Price, ExciseExempt: s.ExciseExempt, Source: s.Source}}
	for _, r := range s.Terms {
		row := bill.Term{From: day(r.From, zone), PriceEURPerKWh: r.Price, ExciseExempt: r.ExciseExempt, Source: r.Source}
		if r.Network != nil {
			row.Network = map[tariff.Period]float64{tariff.BasePeriod: *r.Network}
		}
		out = append(out, row)
	}
	return out
}
