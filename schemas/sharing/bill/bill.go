// Package bill tells what shared energy changes on a member's bill, by tariff period.
//
// A member has two bills. The supplier's is for what is drawn less what was shared; but the network charge stays due on shared energy, and so does excise unless the sharing is
// exempt of it. The organiser's or producer's is for the shared energy, at the price of the operation. So a shared kWh takes the price of its period off the supplier's bill, less what stays due, and costs
// the operation's price: its effect is the difference, and may be a loss. All figures are data with dates and sources: prices and charges of the tariff, terms of the operation.
package bill

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
	"time"

	"quartier/schemas/tariff"
	"quartier/schemas/units"
)

// Term is a dated row of an operation's terms.
type Term struct {
	From, Until    time.Time // local midnights, [From, Until); zero From: ever, zero Until: until the next row
	PriceEURPerKWh float64   // that a member pays for a shared kWh, all taxes included
	ExciseExempt   bool      // whether shared energy is free of excise
	// Network is the charge due on shared energy before VAT, by period, in operations behind one transformer that chose it; the charge of [tariff.BasePeriod] holds for periods without
	// one. Nil: that of the tariff.
	Network map[tariff.Period]float64
	Source  string // contract, decision or law
}

// Slot is what a member was allocated in one step.
type Slot struct {
	Start, End time.Time
	SharedWh   units.WattHours
}

// Line is the effect in one tariff period while its prices and terms held.
type Line struct {
	Period     tariff.Period
	From       time.Time // first slot
	SharedWh   units.WattHours
	AvoidedEUR float64 // off the supplier's bill
	NetworkEUR float64 // stays on the supplier's bill although the energy was shared
	ExciseEUR  float64 // likewise; 0 where shared energy is exempt of it
	PaidEUR    float64 // for the shared energy

	Price tariff.Price // that held
	Term  Term
}

// DueEUR returns what stays on the supplier's bill although the energy was shared.
func (l Line) DueEUR() float64 { return l.NetworkEUR + l.ExciseEUR }

// EffectEUR returns what the member saved; below 0 it lost.
func (l Line) EffectEUR() float64 { return l.AvoidedEUR - l.PaidEUR }

// Effect is the effect of a span, with a line for each period and set of prices, by time and then by period.
type Effect struct {
	Lines []Line
	Total Line // of all lines; its period, price and term are empty
}

// Of returns the effect of a member's shared energy, of slots in order of time. The error names the first instant without a price or without terms.
func Of(t *tariff.Tariff, terms []Term, slots []Slot) (Effect, error) {
	type key struct {
		period tariff.Period
		price  float64
		due    float64
		term   int
		valid  time.Time
	}
	lines := map[key]*Line{}
	var order []*Line
	for _, s := range slots {
		if s.SharedWh == 0 {
			continue
		}
		parts, err := t.PartsOf(s.Start, s.End)
		if err != nil {
			return Effect{}, fmt.Errorf("bill: %w", err)
		}
		weights := make([]units.WattHours, len(parts))
		for i, p := range parts {
			weights[i] = units.WattHours(p.Duration / time.Second)
		}
		k, ok := held(terms, s.Start)
		if !ok {
			return Effect{}, fmt.Errorf("bill: no terms of the operation at %s", s.Start.Format(time.RFC3339))
		}
		energies := []units.WattHours{s.SharedWh}
		if len(parts) > 1 {
			energies = units.Split(s.SharedWh, weights)
		}
		for i, p := range parts {
			network, excise := terms[k].due(t, p.Price)
			at := key{p.Price.Period, p.Price.ImportEURPerKWh, network + excise, k, p.Price.ValidFrom}
			if len(t.Prices.Values) > 0 || t.Fed {
				at.price = 0 // prices of a series change with each slot: one line
			}
			l := lines[at]
			if l == nil {
				l = &Line{Period: p.Price.Period, From: s.Start, Price: p.Price, Term: terms[k]}
				lines[at] = l
				order = append(order, l)
			}
			kwh := energies[i].KWh()
			l.SharedWh += energies[i]
			l.AvoidedEUR += kwh * (p.Price.ImportEURPerKWh - network - excise)
			l.NetworkEUR += kwh * network
			l.ExciseEUR += kwh * excise
			l.PaidEUR += kwh * terms[k].PriceEURPerKWh
		}
	}
	slices.SortStableFunc(order, func(a, b *Line) int {
		return cmp.Or(a.Price.ValidFrom.Compare(b.Price.ValidFrom), a.Term.From.Compare(b.Term.From), rank(t.Kind, a.Period)-rank(t.Kind, b.Period), a.From.Compare(b.From))
	})
	var out Effect
	for _, l := range order {
		out.Lines = append(out.Lines, *l)
		out.Total.SharedWh += l.SharedWh
		out.Total.AvoidedEUR += l.AvoidedEUR
		out.Total.NetworkEUR += l.NetworkEUR
		out.Total.ExciseEUR += l.ExciseEUR
		out.Total.PaidEUR += l.PaidEUR
	}
	if len(out.Lines) > 0 {
		out.Total.From = out.Lines[0].From
	}
	return out, nil
}

// held returns the index of the terms that hold at an instant.
func held(terms []Term, at time.Time) (int, bool) {
	i := sort.Search(len(terms), func(i int) bool { return terms[i].From.After(at) })
	return i - 1, i > 0 && (terms[i-1].Until.IsZero() || at.Before(terms[i-1].Until))
}

// due returns what stays due on a shared kWh: the network charge, and excise.
func (r Term) due(t *tariff.Tariff, p tariff.Price) (network, excise float64) {
	if r.Network != nil {
		v, ok := r.Network[p.Period]
		if !ok {
			v = r.Network[tariff.BasePeriod]
		}
		p.NetworkEURPerKWh = v
		if !t.TaxesExcluded {
			p.NetworkEURPerKWh *= 1 + p.VAT
		}
	}
	if !r.ExciseExempt {
		excise = p.ExciseEURPerKWh
	}
	return p.NetworkEURPerKWh, excise
}

// rank orders periods as the tariff lists them.
func rank(k tariff.Kind, p tariff.Period) int { return slices.Index(tariff.Periods(k), p) }
