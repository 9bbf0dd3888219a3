package outbox

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/store/timescale"
)

const (
	firstWait  = 250 * time.Millisecond // before the first repetition
	longWait   = 30 * time.Second       // between repetitions, at most
	lookEvery  = 10 * time.Second       // at the database when there is nothing to ship
	openWithin = 30 * time.Second
	shipWithin = 2 * time.Minute // one transaction
	ageEvery   = time.Hour
)

// Run ships what was written to the database until ctx ends, and returns nil then. No error of the database ends it: it waits, longer each time up to
// half a minute, and tries again.
func (s *Store) Run(ctx context.Context) error {
	wait := firstWait
	nextAge := time.Now().Add(time.Minute) // not in the rush of a start
	for ctx.Err() == nil {
		more, err := s.round(ctx)
		switch {
		case err != nil:
			s.setDown(ctx, err)
			s.log.Debug("relay failed", "err", err, "again_in", wait)
			sleep(ctx, time.Duration(float64(wait)*(0.75+rand.Float64()/2)))
			wait = min(2*wait, longWait)
			continue
		case !more:
			s.idle(ctx)
		}
		wait = firstWait
		if time.Now().After(nextAge) {
			nextAge = time.Now().Add(ageEvery)
			s.age(ctx)
		}
	}
	return nil
}

// round connects when there is no connection, looks whether the database answers, and ships one load; more says that another one may wait.
func (s *Store) round(ctx context.Context) (more bool, err error) {
	db, err := s.connected(ctx)
	if err != nil {
		return false, err
	}
	return s.ship(ctx, db)
}

// connected returns the database after it answered.
func (s *Store) connected(ctx context.Context) (*timescale.Store, error) {
	s.mu.Lock()
	db, up, looked := s.db, s.up, s.looked
	s.mu.Unlock()
	if db == nil {
		ctx, cancel := context.WithTimeout(ctx, openWithin)
		defer cancel()
		var err error
		if db, err = s.open(ctx); err != nil {
			return nil, err
		}
	} else if up && time.Since(looked) < statsEvery {
		return db, nil
	}
	return db, s.look(ctx, db)
}

// look asks the database for its statistics, and notes when.
func (s *Store) look(ctx context.Context, db *timescale.Store) error {
	ctx, cancel := context.WithTimeout(ctx, lookEvery)
	defer cancel()
	if err := db.Ping(ctx); err != nil {
		s.keep(db)
		return err
	}
	st, err := db.Stats(ctx)
	if err != nil {
		s.keep(db)
		return err
	}
	shared, err := s.others(ctx, db)
	if err != nil {
		s.keep(db)
		return err
	}
	s.setUp(db, st, shared)
	return nil
}

// others notes in the file what other files wrote to the database, and reports whether one did lately.
func (s *Store) others(ctx context.Context, db *timescale.Store) (active bool, err error) {
	name, seq, err := s.local.Writer(ctx)
	if err != nil {
		return false, err
	}
	to, active, err := db.Others(ctx, timescale.Writer{Name: name, Seq: seq})
	if err != nil || to.IsZero() {
		return false, err
	}
	return active, s.local.Miss(ctx, to.Add(time.Microsecond))
}

// announce tells the database what is about to come from this file.
func (s *Store) announce(ctx context.Context, db *timescale.Store, waiting []sqlite.Waiting) error {
	var latest time.Time
	for _, w := range waiting {
		if w.Damage == nil {
			if _, to := w.Batch.Span(); to.After(latest) {
				latest = to
			}
		}
	}
	name, _, err := s.local.Writer(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, shipWithin)
	defer cancel()
	return db.Announce(ctx, timescale.Writer{Name: name, Seq: waiting[len(waiting)-1].Seq, To: latest})
}

// keep holds on to a connection that failed after it was made: its pool connects again by itself.
func (s *Store) keep(db *timescale.Store) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.db = db
}

// idle waits for a write, or a while.
func (s *Store) idle(ctx context.Context) {
	t := time.NewTimer(lookEvery)
	defer t.Stop()
	select {
	case <-s.wake:
	case <-t.C:
	case <-ctx.Done():
	}
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Drain ships until the outbox is empty, and returns the first error of the database. Use it where somebody waits for the result, such as an import.
func (s *Store) Drain(ctx context.Context) error {
	for {
		more, err := s.round(ctx)
		if err != nil {
			s.setDown(ctx, err)
			return err
		}
		if !more {
			return ctx.Err()
		}
	}
}

// ship takes the oldest batches of the outbox to the database. Batches of samples that follow one another go together, so that many small ones are
// caught up as fast as few big ones.
func (s *Store) ship(ctx context.Context, db *timescale.Store) (more bool, err error) {
	s.shipping.Lock()
	defer s.shipping.Unlock()
	waiting, err := s.local.Waiting(ctx, s.opts.BatchRows)
	if err != nil || len(waiting) == 0 {
		return false, err
	}
	if err := s.announce(ctx, db, waiting); err != nil {
		return false, err
	}
	for len(waiting) > 0 {
		n := 1
		switch {
		case waiting[0].Damage != nil:
			err = s.repair(ctx, waiting[0])
		case waiting[0].Batch.Kind == batch.OfSamples:
			for n < len(waiting) && waiting[n].Damage == nil && waiting[n].Batch.Kind == batch.OfSamples {
				n++
			}
			err = s.shipSamples(ctx, db, waiting[:n])
		default:
			err = s.shipOne(ctx, db, waiting[0])
		}
		if err != nil {
			return false, err
		}
		waiting = waiting[n:]
	}
	return true, nil
}

// shipSamples applies batches of samples in one transaction; when the database refuses the data, one by one, to find which it is.
func (s *Store) shipSamples(ctx context.Context, db *timescale.Store, waiting []sqlite.Waiting) error {
	if len(waiting) == 1 {
		return s.shipOne(ctx, db, waiting[0])
	}
	var samples []district.Sample
	seqs := make([]int64, len(waiting))
	for i, w := range waiting {
		seqs[i] = w.Seq
		for r := range w.Batch.Samples.Rows {
			samples = append(samples, w.Batch.Samples.Sample(r))
		}
	}
	// later ones come last and so replace earlier ones of the same instant
	together, err := batch.NewSamples(samples)
	if err == nil {
		err = apply(ctx, db, &batch.Batch{Seq: seqs[0], Kind: batch.OfSamples, Samples: together})
	}
	switch {
	case err == nil:
		return s.local.Acknowledge(ctx, seqs)
	case !never(err):
		return err
	}
	for _, w := range waiting {
		if err := s.shipOne(ctx, db, w); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) shipOne(ctx context.Context, db *timescale.Store, w sqlite.Waiting) error {
	err := apply(ctx, db, w.Batch)
	if never(err) && len(w.Batch.Samples.Rows) > 1 {
		var bad int
		if bad, err = shipHalves(ctx, db, w.Batch, err); err == nil {
			return s.local.Acknowledge(ctx, []int64{w.Seq})
		}
		w.Rows = bad
	}
	switch {
	case err == nil:
		return s.local.Acknowledge(ctx, []int64{w.Seq})
	case never(err):
		if err := s.local.Refuse(ctx, w.Seq, err.Error()); err != nil {
			return err
		}
		return s.report(ctx, "outbox-refused", w, err)
	}
	return err
}

// never reports whether the database can never take what gave this error.
func never(err error) bool { return timescale.Refused(err) || errors.Is(err, store.ErrInvalid) }

// shipHalves applies the rows of a refused batch of samples by halves of halves, so that only the rows at fault stay behind. It returns how many those
// are, with the error of the last one, or the error that has nothing to do with the rows.
func shipHalves(ctx context.Context, db *timescale.Store, b *batch.Batch, refusal error) (bad int, err error) {
	rows := b.Samples.Rows
	if len(rows) == 1 {
		return 1, refusal
	}
	for _, half := range [][]batch.Row{rows[:len(rows)/2], rows[len(rows)/2:]} {
		part := &batch.Batch{Seq: b.Seq, Kind: b.Kind, Samples: batch.Samples{Names: b.Samples.Names, Rows: half}}
		halfErr := apply(ctx, db, part)
		if never(halfErr) {
			var n int
			n, halfErr = shipHalves(ctx, db, part, halfErr)
			bad += n
		}
		if halfErr != nil {
			if err = halfErr; !never(err) {
				return bad, err
			}
		}
	}
	return bad, err
}

func apply(ctx context.Context, db *timescale.Store, b *batch.Batch) error {
	ctx, cancel := context.WithTimeout(ctx, shipWithin)
	defer cancel()
	return db.Apply(ctx, b)
}

// repair removes a damaged batch and ships what it was made of again, from the tables of the file.
func (s *Store) repair(ctx context.Context, w sqlite.Waiting) error {
	if err := s.local.Repair(ctx, w); err != nil {
		return err
	}
	return s.report(ctx, "outbox-damaged", w, w.Damage)
}

// report makes a batch that was set aside known: in the log and as an event, since it means a broken disk or a broken database.
func (s *Store) report(ctx context.Context, action string, w sqlite.Waiting, cause error) error {
	s.refused.Add(1)
	s.log.Error("batch of the outbox set aside", "action", action, "seq", w.Seq, "rows", w.Rows, "written", w.Written, "err", cause)
	return s.local.AppendEvent(ctx, store.Event{Time: s.opts.Now(), Kind: store.SystemEvent, Actor: "quartier", Action: action, Severity: "error",
		Object: fmt.Sprintf("batch %d", w.Seq), Detail: fmt.Sprintf("%d rows of %s were set aside: %v", w.Rows, w.Written.Format(time.RFC3339), cause)})
}

// age removes what the database has and the retention does not keep.
func (s *Store) age(ctx context.Context) {
	cutoff := s.opts.Now().Add(-s.opts.Retention)
	n, err := s.local.Age(ctx, cutoff)
	if err != nil && ctx.Err() == nil {
		s.log.Error("old rows not removed from the local disk", "err", err)
	}
	if n > 0 {
		s.log.Info("old rows removed from the local disk, the database has them", "rows", n, "before", cutoff)
	}
}
