package feed

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// DayAheadPrice is the price of the day-ahead market before network, taxes and fees, a gauge in EUR/kWh.
const DayAheadPrice = "day_ahead_eur_per_kwh"

// errSaid is the error of a document by which a service says what is wrong.
var errSaid = errors.New("the service says")

// Bulletin is what a source published at a time.
type Bulletin struct {
	Issued  time.Time                  // as the source says, or for measurements the end of the newest, UTC; zero: it does not say
	Series  map[string]timegrid.Series // by quantity, in its stored unit; NaN where nothing was published
	Refused []Refusal                  // what could not be taken; the rest was
}

// Refusal is a piece of a document that was not taken.
type Refusal struct {
	Row    int // line of an XML document, else number of the entry, from 1
	Reason error
}

func (b *Bulletin) refuse(row int, format string, args ...any) {
	b.Refused = append(b.Refused, Refusal{row, fmt.Errorf(format, args...)})
}

// Span returns the time from the first to the last published value of all series; empty when there is none.
func (b *Bulletin) Span() timegrid.Span {
	var out timegrid.Span
	for _, s := range b.Series {
		sp := s.Span()
		if len(s.Values) == 0 {
			continue
		}
		if out.Start.IsZero() || sp.Start.Before(out.Start) {
			out.Start = sp.Start
		}
		if sp.End.After(out.End) {
			out.End = sp.End
		}
	}
	return out
}

// Samples returns the values that begin in the span as samples of a district's signal.
func (b *Bulletin) Samples(districtID, signal string, sp timegrid.Span, source district.Source) []district.Sample {
	var out []district.Sample
	for q, s := range b.Series {
		id := district.NewSeriesID(districtID, district.DistrictSite, signal, q)
		for i, v := range s.Values {
			if at := s.Start.Add(time.Duration(i) * s.Step); !math.IsNaN(v) && sp.Contains(at) {
				out = append(out, district.Sample{Series: id, Time: at, Value: v, Source: source})
			}
		}
	}
	return out
}

// mean returns the mean of a series over a slot; false unless every part of it has a value.
func mean(s timegrid.Series, slot timegrid.Span) (float64, bool) {
	sp := s.Span()
	if len(s.Values) == 0 || slot.Start.Before(sp.Start) || slot.End.After(sp.End) || !slot.End.After(slot.Start) {
		return 0, false
	}
	v := s.Integral(slot) / slot.Duration().Hours()
	return v, !math.IsNaN(v)
}

// block is a value that holds in a span of time.
type block struct {
	span  timegrid.Span
	value float64
	row   int // of the document; 0: it is from none
}

// maxSlots bounds a series: five years of quarter-hours.
const maxSlots = 5 * 366 * 96

// lay puts the blocks of a document on the grid of the given step, later ones over earlier ones. When they reach over more than maxSlots, as one wrong year makes them do, those of the stretch that holds most of
// them are taken, and the others refused.
func (b *Bulletin) lay(what string, blocks []block, step time.Duration) timegrid.Series {
	if len(blocks) == 0 {
		return timegrid.Series{Step: step}
	}
	order := slices.Clone(blocks)
	slices.SortStableFunc(order, func(x, y block) int { return x.span.Start.Compare(y.span.Start) })
	within := func(first, x block) bool {
		return x.span.End.Sub(timegrid.Floor(first.span.Start, step)) <= maxSlots*step
	}
	best, most, end := 0, 0, 0
	for i := range order {
		for end = max(end, i); end < len(order) && within(order[i], order[end]); end++ {
		}
		if end-i > most {
			best, most = i, end-i
		}
	}
	if most < len(blocks) {
		from, to := order[best].span.Start, order[best+most-1].span.Start
		blocks = slices.DeleteFunc(slices.Clone(blocks), func(x block) bool {
			far := x.span.Start.Before(from) || x.span.Start.After(to)
			if far {
				b.refuse(x.row, "%s: %s lies too far from the others, which begin from %s to %s", what, x.span.Start.Format(time.RFC3339), from.Format(time.RFC3339), to.Format(time.RFC3339))
			}
			return far
		})
	}
	return lay(blocks, step)
}

// lay puts blocks on the grid of the given step, later blocks over earlier ones; what no block covers is NaN, and what lies more than maxSlots after the first is left out.
func lay(blocks []block, step time.Duration) timegrid.Series {
	s := timegrid.Series{Step: step}
	for _, b := range blocks {
		if s.Start.IsZero() || b.span.Start.Before(s.Start) {
			s.Start = timegrid.Floor(b.span.Start, step)
		}
	}
	for _, b := range blocks {
		for slot := range b.span.Slots(step) {
			i := int(slot.Start.Sub(s.Start) / step)
			if i >= maxSlots {
				break
			}
			for len(s.Values) <= i {
				s.Values = append(s.Values, math.NaN())
			}
			s.Values[i] = b.value
		}
	}
	for n := len(s.Values); n > 0 && math.IsNaN(s.Values[n-1]); n-- {
		s.Values = s.Values[:n-1]
	}
	return s
}
