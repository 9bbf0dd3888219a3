package app

import (
	"fmt"
	"maps"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/savings"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// stayDays is how far back the arrival of a car that is there is looked for; one that is there for longer counts as arriving then.
const stayDays = 7

// onArrival returns the energy of a charger's cars in each slot of the span as if each had charged on arrival, in being what it measured. A car that came before the span or leaves after it is
// seen whole, so that a slot's baseline does not depend on where the span is cut: who comes in the evening and is charged at night would otherwise charge at midnight.
func (m *meters) onArrival(dev *district.Device, site string, in []balance.SlotEnergy) ([]units.WattHours, error) {
	d := m.a.district
	id := dev.Series(d.ID, site, district.Connected)
	wide, plugged, err := m.whole(id)
	if err != nil {
		return nil, fmt.Errorf("app: cars of %s/%s: %w", site, dev.ID, err)
	}
	energy := in
	if wide != m.sp {
		beside, err := m.a.readOf(m.ctx, wide, m.a.counterSeries(dev, site), m.a.gaugeSeries(dev, site))
		if err != nil {
			return nil, err
		}
		x, _ := beside.electric(dev, site)
		energy = x.In
		for _, list := range []map[district.SeriesID][]timegrid.Span{beside.beyond, beside.ownSpans()} {
			for id, spans := range list {
				m.beyond[id] = append(m.beyond[id], spans...)
			}
		}
	}
	stays := savings.Sessions(plugged, energy, wide, d.Step)
	for _, s := range stays {
		if s.EnergyWh > 0 && s.From.Before(m.sp.Start) && s.To.After(m.sp.Start) && !s.To.After(m.sp.End) {
			m.gapped[id] = timegrid.NewSpan(s.From, s.To) // what the car took is known now, and belongs to slots that are closed
		}
	}
	skip := int(timegrid.Ceil(m.sp.Start, d.Step).Sub(wide.Start) / d.Step)
	return savings.Uncontrolled(stays, wide, d.Step, dev.EVCharger.MaxKW)[max(0, skip):][:len(in)], nil
}

// whole returns the span with the stays, or the parts of stays of [savings.LongestStay], that reach beyond its ends, and whether a car was there in it.
func (m *meters) whole(id district.SeriesID) (timegrid.Span, []balance.Point, error) {
	step, wide := m.a.district.Step, m.sp
	var inside []balance.Point
	before, after := balance.Point{}, balance.Point{} // the last states at both ends
	for _, p := range m.points[id] {
		switch {
		case p.Bad:
			continue
		case !p.Time.After(m.sp.Start):
			before = p
		case p.Time.Before(m.sp.End):
			inside = append(inside, p)
		}
	}
	if before.Time.IsZero() {
		last, err := m.a.store.Latest(m.ctx, []district.SeriesID{id}, m.sp.Start)
		if err != nil {
			return wide, nil, err
		}
		if s, ok := last[id]; ok && s.Quality != district.Bad && m.sp.Start.Sub(s.Time) < stayDays*24*time.Hour {
			before = point(s)
			m.looked(id, instant(s.Time))
		}
	}
	plugged := inside
	if before.Value >= 0.5 {
		from, err := m.arrival(id, before.Time)
		if err != nil {
			return wide, nil, err
		}
		from = from.Add(m.sp.Start.Sub(from) / savings.LongestStay * savings.LongestStay)
		wide.Start = timegrid.Floor(from, step)
		plugged = append([]balance.Point{{Time: from, Value: 1}}, inside...)
	}
	if after = before; len(inside) > 0 {
		after = inside[len(inside)-1]
	}
	if after.Value >= 0.5 {
		// the end of the stay, or how far it is known
		ahead, end := timegrid.NewSpan(m.sp.End, m.sp.End.Add(savings.LongestStay)), m.sp.End
		err := m.each(id, ahead, func(p balance.Point) bool {
			end = p.Time
			if p.Value < 0.5 {
				plugged = append(plugged, p)
			}
			return p.Value >= 0.5
		})
		if err != nil {
			return wide, nil, err
		}
		wide.End = timegrid.Ceil(end, step)
		m.looked(id, timegrid.NewSpan(m.sp.End, end.Add(time.Microsecond)))
	}
	return wide, plugged, nil
}

// arrival returns since when the car is there that is there at an instant.
func (m *meters) arrival(id district.SeriesID, at time.Time) (time.Time, error) {
	from := at
	for back, hi := 0, at; back < stayDays; back++ {
		day := timegrid.NewSpan(hi.Add(-24*time.Hour), hi)
		on, away := time.Time{}, false
		err := m.each(id, day, func(p balance.Point) bool {
			switch {
			case p.Value < 0.5:
				on, away = time.Time{}, true
			case on.IsZero():
				on = p.Time
			}
			return true
		})
		if err != nil {
			return from, err
		}
		if !on.IsZero() {
			from = on
		}
		m.looked(id, day)
		if away {
			break
		}
		hi = day.Start
	}
	return from, nil
}

// each calls yield for each good sample of a series, until it returns false.
func (m *meters) each(id district.SeriesID, sp timegrid.Span, yield func(balance.Point) bool) error {
	err := m.a.store.Read(m.ctx, []district.SeriesID{id}, sp, func(s district.Sample) error {
		if s.Quality != district.Bad && !yield(point(s)) {
			return errFound
		}
		return nil
	})
	if err == errFound {
		return nil
	}
	return err
}

// ownSpans returns where the samples of the span itself were looked at.
func (m *meters) ownSpans() map[district.SeriesID][]timegrid.Span {
	out := map[district.SeriesID][]timegrid.Span{}
	for id := range maps.Keys(m.points) {
		out[id] = []timegrid.Span{timegrid.NewSpan(m.sp.Start.Add(-margin), m.sp.End.Add(margin))}
	}
	return out
}
