package outbox

import (
	"context"
	"errors"
	"time"

	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// ObservedDays returns what an observation sums to in each civil day of zone that starts in sp: the days that [Store.Rollup] has from the file as the file has them, those that it has from the database as that has them, and those of both
// summed from both.
func (s *Store) ObservedDays(ctx context.Context, o store.Observation, sp timegrid.Span, zone *time.Location) ([][]byte, error) {
	db, err := s.older(ctx, "read observed days of "+o.District, sp.Start.Add(-time.Hour))
	if err != nil {
		return nil, err
	}
	if db == nil || !sp.Start.Before(sp.End) {
		return s.local.ObservedDays(ctx, o, sp, zone)
	}
	theirs, both, ours, err := s.parts(ctx, sp, rollup.Day, zone)
	if err != nil {
		return nil, err
	}
	if from, waits, err := s.local.PendingForecasts(ctx); err != nil {
		return nil, err
	} else if day := timegrid.Day(from, zone).Start; waits && day.Before(theirs.End) {
		if day.Before(theirs.Start) {
			day = theirs.Start
		}
		theirs.End, both.Start = day, day
	}
	var out [][]byte
	if err := s.byParts(ctx, theirs, zone, func(ctx context.Context, part timegrid.Span) error {
		more, err := db.ObservedDays(ctx, o, part, zone)
		out = append(out, more...)
		return err
	}); err != nil {
		return nil, err
	}
	var days []timegrid.Span
	for d := range both.Days(zone) {
		days = append(days, d)
	}
	if len(days) > 0 {
		more, err := o.Sum(ctx, s, days)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	more, err := s.local.ObservedDays(ctx, o, ours, zone)
	return append(out, more...), err
}

// SumObserved keeps the sums of days in the file, and in the database when it answers.
func (s *Store) SumObserved(ctx context.Context, o store.Observation, zone *time.Location, now time.Time) error {
	err := s.local.SumObserved(ctx, o, zone, now)
	if db, _ := s.database(); db != nil {
		err = errors.Join(err, s.judge(ctx, db.SumObserved(ctx, o, zone, now)))
	}
	return err
}
