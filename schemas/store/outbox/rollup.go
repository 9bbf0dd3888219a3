package outbox

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/store/timescale"
	"quartier/schemas/timegrid"
)

// Rollup yields the slots of a step that start in the span. From the file's own time on they are the file's; before, they are the database's, but where samples of that time still wait for it: those
// slots are computed from the samples of both.
func (s *Store) Rollup(ctx context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error {
	// a slot may rest on samples of the hour before it
	db, err := s.older(ctx, "read rollups", sp.Start.Add(-time.Hour))
	if err != nil {
		return err
	}
	if db == nil || !sp.Start.Before(sp.End) {
		return s.local.Rollup(ctx, series, sp, step, zone, yield)
	}
	theirs, both, ours, err := s.parts(ctx, sp, step, zone)
	if err != nil {
		return err
	}
	for _, name := range series {
		one := []district.SeriesID{name}
		if err := s.rollupOf(ctx, db, one, theirs, step, zone, yield); err != nil {
			return err
		}
		if err := rollup.Compute(ctx, s, one, both, step, zone, yield); err != nil {
			return err
		}
		if err := s.local.Rollup(ctx, one, ours, step, zone, yield); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// parts cuts a span, at whole slots, into what the database, both together and the file answer.
func (s *Store) parts(ctx context.Context, sp timegrid.Span, step rollup.Step, zone *time.Location) (theirs, both, ours timegrid.Span, err error) {
	h, err := s.horizon(ctx)
	if err != nil {
		return theirs, both, ours, err
	}
	from, waits, err := s.local.Pending(ctx)
	if err != nil {
		return theirs, both, ours, err
	}
	clamp := func(t time.Time) time.Time {
		switch {
		case t.Before(sp.Start):
			return sp.Start
		case t.After(sp.End):
			return sp.End
		}
		return t
	}
	local := sp.End
	if own := h.kept.Add(time.Hour); own.Before(sp.End) {
		slot := step.Slot(own, zone)
		local = clamp(slot.Start)
		if slot.Start.Before(own) {
			local = clamp(slot.End)
		}
	}
	cut := local
	if waits && from.Add(-time.Hour).Before(local) {
		cut = clamp(step.Slot(from.Add(-time.Hour), zone).Start)
	}
	return timegrid.Span{Start: sp.Start, End: cut}, timegrid.Span{Start: cut, End: local}, timegrid.Span{Start: local, End: sp.End}, nil
}

// rollupOf reads from the database, and notes when it is that which fails and not the reader.
func (s *Store) rollupOf(ctx context.Context, db *timescale.Store, one []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error {
	bounded, cancel := context.WithTimeout(ctx, readWithin)
	defer cancel()
	var reader error
	err := db.Rollup(bounded, one, sp, step, zone, func(r rollup.Row) error {
		reader = yield(r)
		return reader
	})
	if reader != nil {
		return reader
	}
	return s.judge(ctx, err)
}

// Refresh brings the rollups of the file up to date, and those of the database when it answers.
func (s *Store) Refresh(ctx context.Context, now time.Time) error {
	err := s.local.Refresh(ctx, now)
	if db, _ := s.database(); db != nil {
		err = errors.Join(err, s.judge(ctx, db.Refresh(ctx, now)))
	}
	return err
}

// Retire removes samples from the database; the file keeps what its own retention says. While the database is away, or has not everything yet, nothing is done.
func (s *Store) Retire(ctx context.Context, cutoff time.Time) (done bool, err error) {
	db, _ := s.database()
	if db == nil {
		return false, nil
	}
	from, waits, err := s.local.Pending(ctx)
	if err != nil || waits && from.Before(cutoff) {
		return false, err
	}
	done, err = db.Retire(ctx, cutoff)
	return done, s.judge(ctx, err)
}

// Retired returns the time before which samples were removed from the database; zero where none were. It needs the database.
func (s *Store) Retired(ctx context.Context) (time.Time, error) {
	db, detail := s.database()
	if db == nil {
		return time.Time{}, fmt.Errorf("store: what was removed so far: %w: %s", ErrAway, detail)
	}
	t, err := db.Retired(ctx)
	return t, s.judge(ctx, err)
}

// Pack packs the samples of closed days in the database.
func (s *Store) Pack(ctx context.Context, before time.Time) error {
	db, _ := s.database()
	if db == nil {
		return nil
	}
	return s.judge(ctx, db.Pack(ctx, before))
}
