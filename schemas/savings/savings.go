// Package savings compares what happened with a stated baseline: the same days without Quartier's control.
//
// # The baseline "uncontrolled"
//
// The same buildings, the same sun and the same energy for every car; but no stationary storage, each car charges at its charger's full power from
// the moment it is plugged in until it has the energy that it took in the session, of which a new one begins every 24 hours of a stay, and heat pumps and water heaters ran as they were measured
// (moving heat is not credited: what it would have been without control is not measured). Everything comes from meters, nothing from a model, so the
// baseline is exact for storage and cars and, if anything, too low for heat. Both sides are priced at the district boundary, slot by slot.
//
// # What is in store
//
// A battery that was filled and not emptied yet has cost and not saved. That energy is not valued: what it will save is known when it comes back, and any
// price for it before (the day's mean, the plan's worth of it at its end) would put an expectation into a figure that is otherwise measured. A saving of a
// day is therefore shown with how much more or less the batteries hold than at its begin, by their state of charge, wherever that is known. Over a month
// it does not matter: one night's charge in thirty.
package savings

import (
	"slices"
	"sort"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// BaselineName names the baseline wherever its figures are shown.
const BaselineName = "uncontrolled"

// LongestStay is after how long a car that stays counts as one that comes: what it takes is moved to its arrival by a day at most, so that a slot's baseline is known a day later.
const LongestStay = 24 * time.Hour

// Session is one stay of a car at a charger, or a part of one that is longer than [LongestStay].
type Session struct {
	From, To time.Time
	EnergyWh units.WattHours // taken in the session
}

// Sessions finds the stays of cars from a charger's plugged-in state (1 or 0, at the instants of change or more often) and its energy per slot; a
// session that is under way at either end of sp is cut there. Energy in a slot that two sessions touch goes to the one that ends or begins with more of
// the slot; energy outside every stay makes a stay of its own slot.
func Sessions(connected []balance.Point, energy []balance.SlotEnergy, sp timegrid.Span, step time.Duration) []Session {
	pts := append([]balance.Point(nil), connected...)
	sort.SliceStable(pts, func(i, j int) bool { return pts[i].Time.Before(pts[j].Time) })
	var out []Session
	open := false
	for _, p := range pts {
		on := p.Value >= 0.5 && !p.Bad
		switch {
		case p.Bad:
		case on && !open:
			out, open = append(out, Session{From: later(p.Time, sp.Start)}), true
		case !on && open:
			out[len(out)-1].To, open = p.Time, false
			if !out[len(out)-1].To.After(sp.Start) {
				out = out[:len(out)-1]
			}
		}
	}
	if open {
		out[len(out)-1].To = sp.End
	}
	for i := 0; i < len(out); i++ {
		if end := out[i].From.Add(LongestStay); end.Before(out[i].To) {
			out = slices.Insert(out, i+1, Session{From: end, To: out[i].To})
			out[i].To = end
		}
	}
	first := timegrid.Ceil(sp.Start, step)
	for i, e := range energy {
		if e.Wh <= 0 {
			continue
		}
		slot := timegrid.Span{Start: first.Add(time.Duration(i) * step), End: first.Add(time.Duration(i+1) * step)}
		best, most := -1, time.Duration(0)
		for k := range out {
			if d := slot.Overlap(timegrid.Span{Start: out[k].From, End: out[k].To}).Duration(); d > most {
				best, most = k, d
			}
		}
		if best < 0 {
			out = append(out, Session{From: slot.Start, To: slot.End})
			best = len(out) - 1
		}
		out[best].EnergyWh += e.Wh
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].From.Before(out[j].From) })
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Uncontrolled returns the energy per slot if every session had charged at maxKW from its beginning. What does not fit before the end of a session, or of sp, stays in the
// last slot before it, so that the energy is the same as was measured and no session reaches into what comes after it.
func Uncontrolled(sessions []Session, sp timegrid.Span, step time.Duration, maxKW float64) []units.WattHours {
	n := sp.Count(step)
	out := make([]units.WattHours, n)
	if n == 0 {
		return out
	}
	first := timegrid.Ceil(sp.Start, step)
	for _, s := range sessions {
		left := s.EnergyWh
		last := min(n, int(timegrid.Ceil(s.To, step).Sub(first)/step)) - 1
		for i := max(0, int(s.From.Sub(first)/step)); i < n && left > 0; i++ {
			slot := timegrid.Span{Start: first.Add(time.Duration(i) * step), End: first.Add(time.Duration(i+1) * step)}
			d := slot.Duration()
			if s.From.After(slot.Start) {
				d = slot.End.Sub(s.From)
			}
			e := min(left, units.Power(maxKW).Over(d).WattHours())
			if i >= last {
				e = left
			}
			out[i] += e
			left -= e
		}
	}
	return out
}

// SiteBaseline is one site's part of the baseline over the slots of its rows.
type SiteBaseline struct {
	Rows []balance.Row     // the site's measured rows
	Cars []units.WattHours // its cars' energy per slot in the baseline, as of [Uncontrolled]
}

// Fill computes the baseline's cost and carbon for the sites' rows and for the district's rows, which must cover the same slots, and writes them there. A site's own
// figures price its net at its boundary with the district's prices.
func Fill(districtRows []balance.Row, sites []SiteBaseline, terms balance.Terms) {
	for i := range districtRows {
		var in, out units.WattHours
		price := func(imp, exp units.WattHours) (cost, carbon float64) {
			return imp.KWh()*terms.ImportPrice[i] - exp.KWh()*terms.ExportPrice[i], imp.KWh() * terms.CarbonG[i] / 1000
		}
		for k := range sites {
			r := &sites[k].Rows[i]
			net := r.ImportWh - r.ExportWh - r.ChargeWh + r.DischargeWh - r.CarsWh
			if i < len(sites[k].Cars) {
				net += sites[k].Cars[i]
			}
			imp, exp := max(0, net), max(0, -net)
			r.BaselineCostEUR, r.BaselineCarbonKg = price(imp, exp)
			in, out = in+imp, out+exp
		}
		shared := min(in, out)
		districtRows[i].BaselineCostEUR, districtRows[i].BaselineCarbonKg = price(in-shared, out-shared)
	}
}

// Saved returns what a period's row saved against its baseline: positive when less was paid or emitted.
func Saved(sum balance.Row) (eur, carbonKg float64) {
	return sum.BaselineCostEUR - sum.CostEUR, sum.BaselineCarbonKg - sum.CarbonKg
}
