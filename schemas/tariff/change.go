package tariff

import (
	"math"
	"sort"
	"time"

	"quartier/schemas/timegrid"
)

// lookAhead bounds the search for the next change of a tariff whose periods come back every day: a year and a day of clock changes, seasons and colours.
const lookAhead = 367 * 24 * time.Hour

// NextChange returns the first instant after t at which the period or a price changes, or the price begins or ceases to be known. It looks a year ahead; ok is false when
// nothing changes until then.
func (t *Tariff) NextChange(after time.Time) (at time.Time, ok bool) {
	was, wasErr := t.At(after)
	end := after.Add(lookAhead)
	for b := t.boundary(after); !b.IsZero(); b = t.boundary(b) {
		if b.After(end) {
			break
		}
		is, isErr := t.At(b)
		if is.Period != was.Period || is.ImportEURPerKWh != was.ImportEURPerKWh || is.ExportEURPerKWh != was.ExportEURPerKWh ||
			is.NetworkEURPerKWh != was.NetworkEURPerKWh || is.ExciseEURPerKWh != was.ExciseEURPerKWh ||
			is.SubscriptionEURPerMonth != was.SubscriptionEURPerMonth || (isErr == nil) != (wasErr == nil) {
			return b, true
		}
	}
	return time.Time{}, false
}

// slots prices each slot of step that starts in the span by the time-weighted mean over the slot.
func (t *Tariff) slots(sp timegrid.Span, step time.Duration, at func(time.Time) (float64, error)) ([]float64, error) {
	out := make([]float64, 0, sp.Count(step))
	var next time.Time // no price changes before it
	for s := range sp.Slots(step) {
		if !next.After(s.Start) && !(next.IsZero() && len(out) > 0) {
			next = t.boundary(s.Start)
		}
		v, err := at(s.Start)
		if err != nil {
			return nil, err
		}
		if next.IsZero() || !next.Before(s.End) {
			out = append(out, v)
			continue
		}
		sum, from := 0.0, s.Start
		for from.Before(s.End) {
			to := next
			if to.IsZero() || to.After(s.End) {
				to = s.End
			}
			sum += v * float64(to.Sub(from))
			if from = to; from.Before(s.End) {
				if v, err = at(from); err != nil {
					return nil, err
				}
				next = t.boundary(from)
			}
		}
		out = append(out, sum/float64(step))
	}
	return out, nil
}

// marketStep is the shortest time for which a published price holds.
const marketStep = 15 * time.Minute

// boundary returns the first instant after t at which anything may change; zero when nothing will.
func (t *Tariff) boundary(after time.Time) time.Time {
	var best time.Time
	take := func(c time.Time) {
		if !c.IsZero() && c.After(after) && (best.IsZero() || c.Before(best)) {
			best = c
		}
	}
	i := sort.Search(len(t.Rows), func(i int) bool { return t.Rows[i].From.After(after) })
	if i < len(t.Rows) {
		take(t.Rows[i].From)
	}
	if i > 0 {
		take(t.Rows[i-1].Until)
	}
	datesOf(t.Network, take)
	datesOf(t.Excise, take)
	datesOf(t.VAT, take)
	switch t.Kind {
	case HPHC:
		if len(t.OffPeak) == 0 {
			break
		}
		t.civil(after, 0, take)
		for _, w := range t.OffPeak {
			take(w.ValidFrom)
			take(w.ValidUntil)
			t.civil(after, w.From, take)
			t.civil(after, w.To, take)
		}
	case Tempo:
		t.civil(after, tempoPeakFrom*60, take)
		t.civil(after, tempoPeakTo*60, take)
	case Series, Dynamic:
		if t.Fed {
			take(timegrid.Floor(after, marketStep).Add(marketStep))
			break
		}
		sp := t.Prices.Span()
		if len(t.Prices.Values) == 0 {
			break
		}
		take(sp.Start)
		take(sp.End)
		if sp.Contains(after) {
			take(sp.Start.Add((after.Sub(sp.Start)/t.Prices.Step + 1) * t.Prices.Step))
		}
	}
	return best.UTC()
}

// civil passes on the instants near t at which the local clock shows the given minute of the day, both where the hour comes twice, and the clock change itself.
func (t *Tariff) civil(after time.Time, minute int, take func(time.Time)) {
	l := after.In(t.zone())
	for day := range 2 {
		c := time.Date(l.Year(), l.Month(), l.Day()+day, minute/60, minute%60, 0, 0, l.Location())
		take(c)
		for _, shift := range []time.Duration{-time.Hour, time.Hour} {
			if o := c.Add(shift); o.Hour() == c.Hour() && o.Minute() == c.Minute() {
				take(o)
			}
		}
	}
	_, end := l.ZoneBounds()
	take(end)
}

// at returns the value of a series, and whether it has one there.
func valueAt(s timegrid.Series, at time.Time) (float64, bool) {
	v, ok := s.At(at)
	return v, ok && !math.IsNaN(v)
}
