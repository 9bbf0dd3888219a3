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

const (
	// arrivedBefore is how far back the arrival of a car that is there is looked for: where the parts of an older stay begin does not depend on it.
	arrivedBefore = savings.FromArrival + savings.LongestStay
	// held is for how long a charger that is silent is taken to be as it was.
	held = 7 * 24 * time.Hour
)

// present is what is remembered of a car that is there.
type present struct {
	since time.Time // of its stay, or longer ago than [arrivedBefore] before until
	until time.Time // a sample that says that it is still there
}

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

// whole returns the span with the parts of stays that reach beyond its ends, and whether a car was there in it. In the slots in which these parts begin and end other cars may be there too; they are in it.
func (m *meters) whole(id district.SeriesID) (timegrid.Span, []balance.Point, error) {
	step, wide := m.a.district.Step, m.sp
	var before balance.Point // the last state at the begin
	var inside []balance.Point
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
	var err error
	if before.Time.IsZero() {
		if before, err = m.state(id, m.sp.Start); err != nil {
			return wide, nil, err
		}
	}
	plugged := lapsed(append([]balance.Point{before}, inside...), m.sp.End)
	last := plugged[len(plugged)-1]
	if before.Value >= 0.5 {
		since, err := m.arrival(id, before.Time)
		if err != nil {
			return wide, nil, err
		}
		plugged[0].Time = since
		wide.Start = timegrid.Floor(savings.PartBegin(since, m.sp.Start), step)
		if since.After(wide.Start) {
			shared, err := m.earlierCars(id, timegrid.NewSpan(wide.Start, since))
			if err != nil {
				return wide, nil, err
			}
			plugged = append(shared, plugged...)
		}
	}
	if last.Value >= 0.5 {
		since := last.Time
		for i := len(plugged) - 1; i >= 0 && plugged[i].Value >= 0.5; i-- {
			since = plugged[i].Time
		}
		after, end, err := m.until(id, last.Time, savings.PartEnd(since, m.sp.End))
		if err != nil {
			return wide, nil, err
		}
		plugged = append(plugged, after...)
		wide.End = timegrid.Ceil(end, step)
		m.looked(id, timegrid.NewSpan(m.sp.End, later(wide.End, end.Add(time.Microsecond))))
	}
	return wide, plugged, nil
}

// lapsed adds to states where a silent charger's car is taken to be there no longer, until an instant.
func lapsed(states []balance.Point, until time.Time) (out []balance.Point) {
	for i, p := range states {
		next := until
		if i+1 < len(states) {
			next = states[i+1].Time
		}
		if out = append(out, p); p.Value >= 0.5 && next.Sub(p.Time) > held {
			out = append(out, balance.Point{Time: p.Time.Add(held)})
		}
	}
	return out
}

// state returns the last good sample of a charger's state at an instant; none where it was silent for too long.
func (m *meters) state(id district.SeriesID, at time.Time) (last balance.Point, err error) {
	got, err := m.a.store.Latest(m.ctx, []district.SeriesID{id}, at)
	if err != nil {
		return last, err
	}
	s, ok := got[id]
	if !ok || at.Sub(s.Time) >= held {
		return last, nil
	}
	m.looked(id, instant(s.Time))
	if s.Quality != district.Bad {
		return point(s), nil
	}
	for hi := s.Time; last.Time.IsZero() && at.Sub(hi) < held; {
		day := timegrid.NewSpan(later(hi.Add(-24*time.Hour), at.Add(-held)), hi)
		m.looked(id, day)
		if err = m.each(id, day, func(p balance.Point) bool { last = p; return true }); err != nil {
			return last, err
		}
		hi = day.Start
	}
	return last, nil
}

// arrival returns since when the car is there that is there by a sample of an instant, or an instant longer than [arrivedBefore] before it.
func (m *meters) arrival(id district.SeriesID, at time.Time) (time.Time, error) {
	m.a.mu.Lock()
	known := m.a.present[id]
	m.a.mu.Unlock()
	lowest := at.Add(-arrivedBefore)
	if known.until.Before(lowest) || known.until.After(at) {
		known = present{} // who goes back may do so because samples changed
	}
	since, came, err := m.backTo(id, at, later(lowest, known.until))
	switch {
	case err != nil:
		return at, err
	case came:
	case !known.until.IsZero():
		if since.Sub(known.until) <= held {
			since = known.since
		}
	default:
		older, err := m.state(id, lowest)
		if err != nil {
			return at, err
		}
		if older.Value >= 0.5 && since.Sub(older.Time) <= held {
			since = older.Time
		}
	}
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	m.a.present[id] = present{since: since, until: at}
	return since, nil
}

// backTo goes back from an instant at which a car is there, and returns the earliest sample of its stay that is not before lowest, and whether the car came with it.
func (m *meters) backTo(id district.SeriesID, at, lowest time.Time) (since time.Time, came bool, err error) {
	since = at
	for hi := at; hi.After(lowest) && !came; {
		day := timegrid.NewSpan(later(hi.Add(-24*time.Hour), lowest), hi)
		var on, last time.Time
		err := m.each(id, day, func(p balance.Point) bool {
			switch {
			case p.Value < 0.5:
				on, came = time.Time{}, true
			case on.IsZero():
				on = p.Time
			}
			last = p.Time
			return true
		})
		if err != nil {
			return since, came, err
		}
		m.looked(id, day)
		switch {
		case !last.IsZero() && since.Sub(last) > held:
			return since, true, nil
		case !on.IsZero():
			since = on
		}
		hi = day.Start
	}
	return since, came, nil
}

// earlierCars returns the states of a charger in a span of less than a slot, at whose end a car comes.
func (m *meters) earlierCars(id district.SeriesID, sp timegrid.Span) ([]balance.Point, error) {
	before, err := m.state(id, sp.Start)
	if err != nil {
		return nil, err
	}
	if before.Value >= 0.5 { // where its parts begin may matter
		since, _, err := m.backTo(id, before.Time, before.Time.Add(-arrivedBefore))
		if err != nil {
			return nil, err
		}
		before.Time = since
	}
	out := []balance.Point{before}
	m.looked(id, sp)
	err = m.each(id, sp, func(p balance.Point) bool { out = append(out, p); return true })
	return out, err
}

// until follows a car that is there at the end of the span, by a last sample, to the end of the part of its stay. It returns the states from which it is known that the car left, those of the rest of the slot with them, and
// the end of the part or how far it is known.
func (m *meters) until(id district.SeriesID, last, end time.Time) (states []balance.Point, known time.Time, err error) {
	step := m.a.district.Step
	var left time.Time
	err = m.each(id, timegrid.NewSpan(m.sp.End, timegrid.Ceil(end, step)), func(p balance.Point) bool {
		switch {
		case !left.IsZero() && !p.Time.Before(timegrid.Ceil(left, step)):
			return false
		case left.IsZero() && p.Value < 0.5:
			left = p.Time
		}
		if last = p.Time; !left.IsZero() {
			states = append(states, p)
		}
		return true
	})
	switch {
	case err != nil:
		return nil, end, err
	case !left.IsZero():
		return states, earlier(left, end), nil
	case !timegrid.Ceil(last, step).Before(timegrid.Ceil(end, step)):
		return nil, end, nil
	}
	// silent at the end of the part: what it was is known when the charger tells again
	again := false
	err = m.each(id, timegrid.NewSpan(later(end, m.sp.End), later(end, m.sp.End).Add(lookAhead)), func(p balance.Point) bool {
		again = true
		m.looked(id, instant(p.Time))
		return false
	})
	if again {
		known = earlier(end, last.Add(held))
		return []balance.Point{{Time: last.Add(held)}}, later(known, m.sp.End), err
	}
	return nil, later(last, m.sp.End), err
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
