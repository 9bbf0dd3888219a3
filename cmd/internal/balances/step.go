package balances

import (
	"fmt"
	"iter"
	"time"

	"quartier/schemas/timegrid"
)

// Step is how a statement divides its span: a number of minutes, or a civil hour, day, month or year of the district's zone.
type Step struct {
	name    string
	minutes time.Duration // zero for day, month and year
}

// ParseStep reads a step of a district with the given metering step.
func ParseStep(text string, metering time.Duration) (Step, error) {
	switch text {
	case "hour":
		return Step{text, time.Hour}, nil
	case "day", "month", "year":
		return Step{text, 0}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= metering && d <= time.Hour && d%metering == 0 && time.Hour%d == 0 {
		return Step{text, d}, nil
	}
	return Step{}, fmt.Errorf("%q is no step: want %gm, hour, day, month or year", text, metering.Minutes())
}

// DefaultStep is fit for a table of a span.
func DefaultStep(sp timegrid.Span) Step {
	switch days := sp.Duration().Hours() / 24; {
	case days <= 2:
		return Step{"hour", time.Hour}
	case days <= 62:
		return Step{"day", 0}
	}
	return Step{"month", 0}
}

// String returns the step as it is asked for.
func (s Step) String() string { return s.name }

// Spans yields the steps of a span, of which the first and the last may be cut by it.
func (s Step) Spans(sp timegrid.Span, zone *time.Location) iter.Seq[timegrid.Span] {
	return func(yield func(timegrid.Span) bool) {
		for at := sp.Start; at.Before(sp.End); {
			end := s.end(at, zone)
			if end.After(sp.End) {
				end = sp.End
			}
			if !yield(timegrid.Span{Start: at, End: end}) {
				return
			}
			at = end
		}
	}
}

func (s Step) end(at time.Time, zone *time.Location) time.Time {
	switch s.name {
	case "day":
		return timegrid.Day(at, zone).End
	case "month":
		return timegrid.Month(at, zone).End
	case "year":
		return timegrid.Year(at, zone).End
	}
	return timegrid.Floor(at, s.minutes).Add(s.minutes)
}
