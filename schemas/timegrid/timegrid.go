// Package timegrid divides time into half-open slots [Start, Start+Step) in UTC, and civil days and months of a time zone into
// such slots: a day has 23, 24 or 25 hours, so 92, 96 or 100 quarter-hours. It also moves series between steps without
// losing energy. It imports nothing of Quartier and never reads a clock.
package timegrid

import (
	"fmt"
	"iter"
	"time"
)

// Span is the half-open interval [Start, End), in UTC.
type Span struct{ Start, End time.Time }

// NewSpan returns the span from start to end in UTC; it panics when end is before start.
func NewSpan(start, end time.Time) Span {
	if end.Before(start) {
		panic(fmt.Sprintf("timegrid: span ends at %v before its start %v", end, start))
	}
	return Span{start.UTC(), end.UTC()}
}

// Duration returns how long the span is.
func (s Span) Duration() time.Duration { return s.End.Sub(s.Start) }

// Contains reports whether t lies in [Start, End).
func (s Span) Contains(t time.Time) bool { return !t.Before(s.Start) && t.Before(s.End) }

// Overlap returns the common part of two spans; its duration is zero when they have none.
func (s Span) Overlap(o Span) Span {
	start, end := s.Start, s.End
	if o.Start.After(start) {
		start = o.Start
	}
	if o.End.Before(end) {
		end = o.End
	}
	if end.Before(start) {
		end = start
	}
	return Span{start, end}
}

// Slots yields the slots of the given step that start in the span, from the first boundary at or after Start. Boundaries are the
// multiples of step since the Unix epoch, so quarter-hours fall on quarter-hours of UTC (and of every zone whose offset is a
// multiple of step).
func (s Span) Slots(step time.Duration) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		for t := Ceil(s.Start, step); t.Before(s.End); t = t.Add(step) {
			if !yield(Span{t, t.Add(step)}) {
				return
			}
		}
	}
}

// Count returns how many slots of step start in the span.
func (s Span) Count(step time.Duration) int {
	first := Ceil(s.Start, step)
	if !first.Before(s.End) {
		return 0
	}
	return int((s.End.Sub(first) + step - 1) / step)
}

// Floor returns the last slot boundary at or before t, in UTC.
func Floor(t time.Time, step time.Duration) time.Time {
	t = t.UTC()
	sec, st := t.UnixNano(), int64(step)
	r := sec % st
	if r < 0 {
		r += st
	}
	return t.Add(-time.Duration(r))
}

// Ceil returns the first slot boundary at or after t, in UTC.
func Ceil(t time.Time, step time.Duration) time.Time {
	f := Floor(t, step)
	if f.Before(t.UTC()) {
		f = f.Add(step)
	}
	return f
}

// Day returns the civil day of loc that holds t, from local midnight to the next: 23, 24 or 25 hours long.
func Day(t time.Time, loc *time.Location) Span {
	y, m, d := t.In(loc).Date()
	return Span{time.Date(y, m, d, 0, 0, 0, 0, loc).UTC(), time.Date(y, m, d+1, 0, 0, 0, 0, loc).UTC()}
}

// Month returns the civil month of loc that holds t.
func Month(t time.Time, loc *time.Location) Span {
	y, m, _ := t.In(loc).Date()
	return Span{time.Date(y, m, 1, 0, 0, 0, 0, loc).UTC(), time.Date(y, m+1, 1, 0, 0, 0, 0, loc).UTC()}
}

// Year returns the civil year of loc that holds t.
func Year(t time.Time, loc *time.Location) Span {
	y := t.In(loc).Year()
	return Span{time.Date(y, 1, 1, 0, 0, 0, 0, loc).UTC(), time.Date(y+1, 1, 1, 0, 0, 0, 0, loc).UTC()}
}

// Days yields the civil days of loc that start in the span.
func (s Span) Days(loc *time.Location) iter.Seq[Span] {
	return func(yield func(Span) bool) {
		d := Day(s.Start, loc)
		if d.Start.Before(s.Start) {
			d = Day(d.End, loc)
		}
		for d.Start.Before(s.End) {
			if !yield(d) {
				return
			}
			d = Day(d.End, loc)
		}
	}
}

// ParseMonth reads "2026-01" as a civil month of loc.
func ParseMonth(text string, loc *time.Location) (Span, error) {
	t, err := time.ParseInLocation("2006-01", text, loc)
	if err != nil {
		return Span{}, fmt.Errorf("timegrid: month %q: want year-month such as 2026-01", text)
	}
	return Month(t, loc), nil
}

// ParseDay reads "2026-01-31" as a civil day of loc.
func ParseDay(text string, loc *time.Location) (Span, error) {
	t, err := time.ParseInLocation("2006-01-02", text, loc)
	if err != nil {
		return Span{}, fmt.Errorf("timegrid: day %q: want year-month-day such as 2026-01-31", text)
	}
	return Day(t, loc), nil
}
