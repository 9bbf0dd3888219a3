package scheduler

import (
	"context"
	"fmt"
	"math"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// readSlots reads what series were in each slot of a span; a slot of which nothing is known holds nothing.
func (s *Scheduler) readSlots(ctx context.Context, ids []district.SeriesID, span timegrid.Span, slot time.Duration) (map[district.SeriesID][]rollup.Row, error) {
	out := make(map[district.SeriesID][]rollup.Row, len(ids))
	for _, id := range ids {
		out[id] = make([]rollup.Row, span.Count(slot))
	}
	step := rollup.Quarter
	if slot%(15*time.Minute) != 0 {
		step = rollup.Minute
	}
	err := s.cfg.Store.Rollup(ctx, ids, span, step, time.UTC, func(r rollup.Row) error {
		at := int(r.Start.Sub(span.Start) / slot)
		rows := out[r.Series]
		if at < 0 || at >= len(rows) || r.Start.Before(span.Start) {
			return nil
		}
		if rows[at].Series == "" {
			rows[at] = r
		} else {
			rows[at].Add(r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("scheduler: read slots of %d series, %s first: %w", len(ids), ids[0], err)
	}
	return out, nil
}

// says reports whether a slot says something of its series: half of it at least is known.
func says(r *rollup.Row, slot time.Duration) bool { return r.Held > 0 && r.Held >= slot/2 }

// meanOf is the mean of a series in a slot, NaN where that says nothing.
func meanOf(r *rollup.Row, slot time.Duration) float64 {
	if v, ok := r.Mean(); ok && says(r, slot) {
		return v
	}
	return math.NaN()
}

// cameBy is how many of n slots up to now are taken to have come, of which the one numbered last was the last that said something: those after it may still come, unless that is longer ago than slack, which is a gap.
func cameBy(last, n int, slack, slot time.Duration) int {
	return max(last+1, n-int(slack/slot))
}
