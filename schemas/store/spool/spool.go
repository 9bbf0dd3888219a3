// Package spool keeps control going when the local disk cannot accept: full, read only, or so slow that it does not answer. Samples and set-points
// that the store does not take stay in a bounded ring in memory, the oldest dropped first and counted, and go to the store when it takes writes again.
//
// A [Store] is the store that it wraps in everything but these: Append and AppendSetpoints return nil when the rows are in the ring, which is not durable;
// SavePlan waits for the disk no longer than they do; Stats says what is held. [Store.State] tells more, for alarms and metrics. When the disk
// takes writes again, an event says how long it did not and how many rows were lost.
package spool

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
)

// Options of [New]. Zero values mean the defaults.
type Options struct {
	Log       *slog.Logger     // nil: silent
	Samples   int              // the most samples that the ring holds; 0: 500,000, about 50 MB
	Setpoints int              // the most set-points; 0: 20,000
	Wait      time.Duration    // how long a write waits for the disk before its rows go to the ring; 0: 2 s
	Retry     time.Duration    // how often the store is tried while the ring holds something; 0: 1 s
	Now       func() time.Time // the clock of State.Since and of the event, which a simulation may run faster; nil: time.Now
}

// Store is a store with a ring in front of it.
type Store struct {
	store.Store
	opts Options
	log  *slog.Logger

	disk *semaphore.Weighted // a write takes one of everybody, so that writes may share a commit; emptying the ring takes all, so that they stay in order

	book batch.Book // of the names of series that were good

	mu        sync.Mutex
	samples   ring[district.Sample]
	setpoints ring[district.Setpoint]
	since     time.Time
	last      error
	closed    bool
	flushing  int // rows that were taken from the ring and are being written
}

// everybody is more writes than there are at a time.
const everybody = 1 << 30

// New returns s behind a ring. The ring is emptied by later writes, and by [Store.Run] when there are none.
func New(s store.Store, opts Options) *Store {
	if opts.Samples <= 0 {
		opts.Samples = 500_000
	}
	if opts.Setpoints <= 0 {
		opts.Setpoints = 20_000
	}
	if opts.Wait <= 0 {
		opts.Wait = 2 * time.Second
	}
	if opts.Retry <= 0 {
		opts.Retry = time.Second
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	out := &Store{Store: s, opts: opts, log: opts.Log, disk: semaphore.NewWeighted(everybody)}
	if out.log == nil {
		out.log = slog.New(slog.DiscardHandler)
	}
	out.samples.max, out.setpoints.max = opts.Samples, opts.Setpoints
	return out
}

// State says what is held in memory alone.
type State struct {
	Held    int       // samples and set-points in the ring
	Dropped int64     // samples and set-points that were dropped since the start: they are lost
	Since   time.Time // when the disk first failed; zero when the ring is empty
	Err     error     // its last failure; nil when the ring is empty
}

// State returns the state of the ring.
func (s *Store) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return State{Held: len(s.samples.rows) + len(s.setpoints.rows) + s.flushing, Dropped: s.samples.dropped + s.setpoints.dropped, Since: s.since, Err: s.last}
}

// ring is the newest max rows that were put in, oldest first.
type ring[T any] struct {
	rows    []T
	max     int
	dropped int64
}

func (r *ring[T]) put(rows []T) {
	r.rows = append(r.rows, rows...)
	if over := len(r.rows) - r.max; over > 0 {
		r.dropped += int64(over)
		r.rows = append(r.rows[:0], r.rows[over:]...)
	}
}

// take removes up to n rows; back puts them before what came since.
func (r *ring[T]) take(n int) []T {
	n = min(n, len(r.rows))
	out := append([]T(nil), r.rows[:n]...)
	r.rows = r.rows[n:]
	if len(r.rows) == 0 {
		r.rows = nil // gives a large ring back after a long failure
	}
	return out
}

func (r *ring[T]) back(rows []T) {
	newer := r.rows
	r.rows = nil
	r.put(rows)
	r.put(newer)
}

// Append makes the samples durable, or keeps them in the ring when the store fails or does not answer in time. Bad samples are refused as by any
// store, and so is a call whose context has ended.
func (s *Store) Append(ctx context.Context, samples []district.Sample) error {
	if err := s.book.Check(samples); err != nil {
		return fmt.Errorf("store: append %d samples: %w", len(samples), err)
	}
	return s.try(ctx, func(ctx context.Context) error { return s.Store.Append(ctx, samples) }, func() { s.samples.put(samples) })
}

// AppendSetpoints makes the set-points durable, or keeps them in the ring. A set-point whose write did not answer in time may be there twice.
func (s *Store) AppendSetpoints(ctx context.Context, sps []district.Setpoint) error {
	if err := store.CheckSetpoints(sps); err != nil {
		return fmt.Errorf("store: append %d set-points: %w", len(sps), err)
	}
	return s.try(ctx, func(ctx context.Context) error { return s.Store.AppendSetpoints(ctx, sps) }, func() { s.setpoints.put(sps) })
}

// SavePlan stores p and returns its id, or an error when the disk does not take it in time: a plan is followed without its record.
func (s *Store) SavePlan(ctx context.Context, p *district.Plan) (id int64, err error) {
	if err := store.CheckPlan(p); err != nil {
		return 0, fmt.Errorf("store: save plan: %w", err)
	}
	timer := time.NewTimer(s.opts.Wait)
	defer timer.Stop()
	type saved struct {
		id  int64
		err error
	}
	done := make(chan saved, 1)
	kept := *p // the caller gives its plan the id while a late write may still read it
	go func() {
		id, err := s.Store.SavePlan(ctx, &kept)
		done <- saved{id, err}
	}()
	select {
	case r := <-done:
		return r.id, r.err
	case <-timer.C:
		return 0, fmt.Errorf("store: save a plan of %s: %w within %v", p.District, errSlow, s.opts.Wait)
	}
}

// Stats describes the store with what is held in memory, which it also does when the disk says nothing about itself.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	st, err := s.Store.Stats(ctx)
	mine := s.State()
	st.Held, st.Dropped, st.HeldSince = int64(mine.Held), mine.Dropped, mine.Since
	if mine.Err != nil {
		st.HeldDetail, err = mine.Err.Error(), nil
	}
	return st, err
}

var errSlow = errors.New("the disk does not answer")

// try writes, or holds what was to be written. While rows are held, writes go behind them, so that they keep their order, and wait for nobody who waits for the disk.
func (s *Store) try(ctx context.Context, write func(context.Context) error, hold func()) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	closed, failing := s.closed, s.last
	s.mu.Unlock()
	if closed {
		return write(ctx) // and let the store say so
	}
	slow := fmt.Errorf("%w within %v", errSlow, s.opts.Wait)
	timely, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.opts.Wait)
	defer cancel()
	weight := int64(1)
	if failing == nil {
		if s.disk.Acquire(timely, weight) != nil {
			s.hold(hold, slow)
			return nil
		}
	} else if weight = everybody; !s.disk.TryAcquire(weight) {
		s.hold(hold, failing)
		return nil
	}
	done := make(chan error, 1)
	go func() { // a disk that hangs, hangs this goroutine alone
		var err error
		if weight == everybody {
			err = s.flush(ctx)
		}
		if err == nil {
			err = write(ctx)
		}
		s.disk.Release(weight) // before the caller goes on, whose next write may want all
		done <- err
	}()
	var err error
	select {
	case err = <-done:
	case <-timely.Done(): // ctx is the write's affair, which knows whether anything was written
		err = slow
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, store.ErrInvalid) || ctx.Err() != nil:
		return err
	}
	s.hold(hold, err)
	return nil
}

func (s *Store) hold(hold func(), err error) {
	s.mu.Lock()
	hold()
	first := s.since.IsZero()
	if first {
		s.since = s.opts.Now().UTC()
	}
	s.last = err
	s.mu.Unlock()
	if first {
		s.log.Error("local disk takes no writes, measurements are kept in memory", "err", err)
	}
}

// flushRows is how many held rows go to the store at a time.
const flushRows = 10_000

// flush writes what is held, oldest first; nobody else writes meanwhile.
func (s *Store) flush(ctx context.Context) error {
	for {
		s.mu.Lock()
		samples, setpoints := s.samples.take(flushRows), s.setpoints.take(flushRows)
		if len(samples)+len(setpoints) == 0 {
			since, dropped := s.since, s.samples.dropped+s.setpoints.dropped
			s.since, s.last = time.Time{}, nil
			s.mu.Unlock()
			if !since.IsZero() {
				s.recovered(ctx, since, dropped)
			}
			return nil
		}
		s.flushing = len(samples) + len(setpoints)
		s.mu.Unlock()
		err := s.Store.Append(ctx, samples)
		if err == nil {
			samples = nil
			err = s.Store.AppendSetpoints(ctx, setpoints)
		}
		s.mu.Lock()
		s.flushing = 0
		if err != nil {
			s.samples.back(samples)
			s.setpoints.back(setpoints)
			s.last = err
		}
		s.mu.Unlock()
		if err != nil {
			return err
		}
	}
}

// recovered tells that the disk takes writes again.
func (s *Store) recovered(ctx context.Context, since time.Time, dropped int64) {
	now := s.opts.Now().UTC()
	detail := fmt.Sprintf("the disk took no writes for %v; %d samples and set-points were lost since the start", now.Sub(since).Round(time.Second), dropped)
	s.log.Info("local disk takes writes again", "after", now.Sub(since).Round(time.Second), "dropped", dropped)
	if err := s.Store.AppendEvent(ctx, store.Event{Time: now, Kind: store.SystemEvent, Actor: "quartier", Action: "disk-back", Detail: detail, Severity: "warning"}); err != nil {
		s.log.Warn("event not recorded", "action", "disk-back", "err", err)
	}
}

// lastTry is how many times the wait of a write the last try to empty the ring may take.
const lastTry = 5

// closeWithin bounds the last try of [Store.Close]: whoever stops a process does not wait for a disk.
const closeWithin = 3 * time.Second

// Close writes what is held if the store takes it within five times the wait and three seconds, and closes the store. What it does not take is lost, and the error says how much.
func (s *Store) Close() error {
	s.mu.Lock()
	again := s.closed
	s.closed = true
	s.mu.Unlock()
	var err error
	if !again {
		ctx, cancel := context.WithTimeout(context.Background(), min(closeWithin, lastTry*s.opts.Wait))
		defer cancel()
		s.retry(ctx)
		if st := s.State(); st.Held > 0 {
			err = fmt.Errorf("store: %d samples and set-points are lost that the disk did not take since %s: %w", st.Held, st.Since.Format(time.RFC3339), st.Err)
		}
	}
	return errors.Join(err, s.Store.Close())
}

// Run writes what is held as soon as the store takes it, until ctx ends; then it tries once more and returns nil.
func (s *Store) Run(ctx context.Context) error {
	t := time.NewTicker(s.opts.Retry)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			s.retry(ctx)
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(closeWithin, lastTry*s.opts.Wait))
			defer cancel()
			s.retry(last)
			return nil
		}
	}
}

// retry flushes when something is held and nobody else writes.
func (s *Store) retry(ctx context.Context) {
	if s.State().Held == 0 {
		return
	}
	if !s.disk.TryAcquire(everybody) {
		return
	}
	done := make(chan struct{})
	go func() {
		defer s.disk.Release(everybody)
		defer close(done)
		_ = s.flush(ctx) // kept in State
	}()
	select {
	case <-done:
	case <-ctx.Done():
	}
}
