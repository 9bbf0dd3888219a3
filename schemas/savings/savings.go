// Package savings compares what happened with a stated baseline: the same days without Quartier's control.
//
// # The baseline "uncontrolled"
//
// The same buildings, the same sun and the same energy for every car; but no stationary storage, each car charges at its charger's full power from
// the moment it is plugged in until it has the energy that it took in the session, of which a new one begins every 24 hours of a stay (after [FromArrival] each day at midnight UTC), and heat pumps and water heaters ran as they were measured
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
	"math"
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

// FromArrival is how long the parts of a stay begin at the time of day at which the car came. Later ones begin at midnight UTC, as those of a socket that says every day that a car is there: what a slot's baseline is
// depends on the [FromArrival] and one [LongestStay] before it and on nothing older, wherever a computation begins.
const FromArrival = 27 * 24 * time.Hour

// PartBegin returns the begin of the part of a stay since arrival that is under way at an instant; the arrival itself for an instant before it.
func PartBegin(arrival, at time.Time) time.Time {
	stayed := at.Sub(arrival)
	switch {
	case stayed <= 0:
		return arrival
	case stayed < FromArrival:
		return arrival.Add(stayed.Truncate(LongestStay))
	}
	return later(arrival.Add(FromArrival), timegrid.Floor(at, LongestStay))
}

// PartEnd returns the end of the part of a stay since arrival that is under way just before an instant, if the car stays so long: the instant itself where one ends there.
func PartEnd(arrival, at time.Time) time.Time {
	stayed := at.Sub(arrival)
	switch {
	case stayed <= LongestStay:
		return arrival.Add(LongestStay)
	case stayed <= FromArrival:
		return arrival.Add((stayed + LongestStay - 1).Truncate(LongestStay))
	}
	return timegrid.Ceil(at, LongestStay)
}

// Session is one stay of a car at a charger, or a part of one that is longer than [LongestStay].
type Session struct {
	From, To time.Time
	EnergyWh units.WattHours // taken in the session
}

// Sessions finds the stays of cars from a charger's plugged-in state (1 or 0, at the instants of change or more often) and its energy per slot. A session that is under way at either end of sp is cut there; where its parts
// begin counts from its arrival, which may lie before sp. Energy in a slot that two sessions touch goes to the one that has more of the slot; energy outside every stay makes a stay of its own slot.
func Sessions(connected []balance.Point, energy []balance.SlotEnergy, sp timegrid.Span, step time.Duration) []Session {
	out := sessions(connected, sp)
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

// sessions returns the parts of stays that touch a span, without their energy.
func sessions(connected []balance.Point, sp timegrid.Span) []Session {
	pts := append([]balance.Point(nil), connected...)
	sort.SliceStable(pts, func(i, j int) bool { return pts[i].Time.Before(pts[j].Time) })
	var stays []timegrid.Span
	open := false
	for _, p := range pts {
		on := p.Value >= 0.5
		switch {
		case p.Bad || on == open:
			continue
		case on:
			stays = append(stays, timegrid.Span{Start: p.Time, End: sp.End})
		default:
			stays[len(stays)-1].End = earlier(p.Time, sp.End)
		}
		open = on
	}
	var out []Session
	for _, s := range stays {
		for from := PartBegin(s.Start, sp.Start); from.Before(s.End); {
			end := earlier(PartEnd(s.Start, from.Add(1)), s.End)
			if end.After(sp.Start) {
				out = append(out, Session{From: later(from, sp.Start), To: end})
			}
			from = end
		}
	}
	return out
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Uncontrolled returns the energy per slot if every session had charged from its beginning at maxKW, or at its own mean power until its end, or that of sp, where that is more: a meter a few percent above the rating of its
// charger draws that much over hours, and no slot more. The energy is the same as was measured and no session reaches into what comes after it.
func Uncontrolled(sessions []Session, sp timegrid.Span, step time.Duration, maxKW float64) []units.WattHours {
	n := sp.Count(step)
	out := make([]units.WattHours, n)
	if n == 0 {
		return out
	}
	first := timegrid.Ceil(sp.Start, step)
	for _, s := range sessions {
		from, to := later(s.From, first), earlier(s.To, first.Add(time.Duration(n)*step))
		taken := units.WattHours(0)
		for i := min(n-1, int(from.Sub(first)/step)); taken < s.EnergyWh; i++ {
			by := s.EnergyWh // at the end of the slot
			if end := first.Add(time.Duration(i+1) * step); end.Before(to) {
				share := float64(end.Sub(from)) / float64(to.Sub(from))
				by = min(by, max(units.Power(maxKW).Over(end.Sub(from)).WattHours(), units.WattHours(math.Round(share*float64(s.EnergyWh)))))
			}
			out[i] += by - taken
			taken = by
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
