// Package outbox puts the local file in front of the database: every write is durable in the file first, and a relay ships it to the database in
// the order in which it was written, as often as it takes. The database may be away for days, also at the start; what is written and
// measured goes on, and is caught up in batches that may be repeated.
//
// The file keeps the recent part of the record, [Options.Retention] long, and everything that the database does not have yet. Every answer is that of both
// together, the file's rows winning; the database is asked wherever the file may lack rows, and only there: from before its retention, and
// whatever other files wrote, those of another machine, of a lost disk, or of the same file before it was put back from a copy. Each file
// announces itself to the database before it writes there, and looks every half minute for what the others announced.
//
// While the database is away, a read of what is only there is an error that matches [ErrAway], and not a shorter answer; lists of the newest lines, with a
// limit, and the newest sample or plan as of now give what the file has. A file that has not met its database yet knows of nothing that it lacks,
// and answers with what it holds. Sessions stay in the file. Accounts are in both; the file's word counts.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/store/timescale"
)

// ErrAway is matched by the error of a read that needs the database while it does not answer.
var ErrAway = errors.New("the database does not answer")

// Options of [New]. Zero values mean the defaults.
type Options struct {
	Log       *slog.Logger     // nil: silent
	Retention time.Duration    // how far back the file keeps what the database has; 0: 45 days, so that the month before is local
	Now       func() time.Time // the clock of the samples, which a simulation may run faster; nil: time.Now
	BatchRows int              // rows shipped in one transaction, about; 0: 20,000
}

// Opener connects to the database. It is called again while it fails.
type Opener func(ctx context.Context) (*timescale.Store, error)

// Store is the file and the database as one. It implements [store.Store]; all methods may be called from several goroutines.
type Store struct {
	local *sqlite.Store
	open  Opener
	opts  Options
	log   *slog.Logger

	wake     chan struct{} // holds one token when something was written
	shipping sync.Mutex    // one ships at a time

	mu     sync.Mutex
	db     *timescale.Store // nil until the first connection
	up     bool
	detail string      // where the database is, or why it is away
	stats  store.Stats // of the database, as of the last look
	looked time.Time
	since  time.Time // of the present state
	shared bool      // other files wrote to the database within a day of the last look

	refused atomic.Int64
}

var _ store.Store = (*Store)(nil)

// New returns the store of local, which must have been opened with its outbox, and the database that open connects to. Nothing is shipped until [Store.Run].
// Close closes both.
func New(local *sqlite.Store, open Opener, opts Options) *Store {
	if opts.Retention <= 0 {
		opts.Retention = 45 * 24 * time.Hour
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.BatchRows <= 0 {
		opts.BatchRows = 20_000
	}
	s := &Store{local: local, open: open, opts: opts, log: opts.Log, wake: make(chan struct{}, 1), detail: "not connected yet", since: time.Now()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// Close closes the file and the connections to the database. End Run first.
func (s *Store) Close() error {
	s.mu.Lock()
	db := s.db
	s.db, s.up, s.detail = nil, false, "closed"
	s.mu.Unlock()
	err := s.local.Close()
	if db != nil {
		err = errors.Join(err, db.Close())
	}
	return err
}

// Ping returns nil when a write would be durable now, which the database has no part in.
func (s *Store) Ping(ctx context.Context) error { return s.local.Ping(ctx) }

// statsEvery is how old the database's part of the statistics may become.
const statsEvery = 30 * time.Second

// Stats describes the store without asking the database: its part was looked at by the relay within half a minute.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	st, err := s.local.Stats(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	st.DatabaseUp, st.DatabaseDetail = s.up, s.detail
	if s.stats.Kind != "" {
		st.Kind, st.Version = s.stats.Kind, s.stats.Version+", outbox "+st.Version
		st.Samples = max(st.Samples, s.stats.Samples)
		st.Bytes += s.stats.Bytes
	}
	return st, err
}

// Refused returns how many batches were set aside since the start, because the database can never take them or they were damaged on the disk.
func (s *Store) Refused() int64 { return s.refused.Load() }

// wrote passes an error on and wakes the relay without one.
func (s *Store) wrote(err error) error {
	if err == nil {
		select {
		case s.wake <- struct{}{}:
		default:
		}
	}
	return err
}

// database returns the database when it was there at the last look.
func (s *Store) database() (db *timescale.Store, detail string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.up {
		return nil, s.detail
	}
	return s.db, ""
}

// horizon is what the file holds at a moment: all rows from kept on, while those before aged may be in the database alone.
type horizon struct{ kept, aged time.Time }

// endless is later than any row.
var endless = time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)

// horizon returns what the file holds for certain. While others write, that is nothing, as long as the database can be asked.
func (s *Store) horizon(ctx context.Context) (horizon, error) {
	kept, aged, err := s.local.Horizon(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.up && s.shared {
		kept = endless
	}
	return horizon{kept, aged}, err
}

// setUp notes that the database answered.
func (s *Store) setUp(db *timescale.Store, stats store.Stats, shared bool) {
	s.mu.Lock()
	was, away := s.up, time.Since(s.since)
	if !was {
		s.since = time.Now()
	}
	s.db, s.up, s.detail, s.stats, s.looked, s.shared = db, true, stats.DatabaseDetail, stats, time.Now(), shared
	s.mu.Unlock()
	if !was {
		s.log.Info("database answers", "database", stats.DatabaseDetail, "version", stats.Version, "after", away.Round(time.Millisecond))
	}
}

// setDown notes that the database failed; a call that its own caller ended says nothing about it.
func (s *Store) setDown(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	s.mu.Lock()
	was := s.up || s.detail == "not connected yet"
	if s.up {
		s.since = time.Now()
	}
	s.up, s.detail = false, err.Error()
	s.mu.Unlock()
	if was {
		s.log.Warn("database away, measurements wait on the local disk", "err", err)
	}
}

// older returns the database when a read from a time on needs it, nil when the file has all there is, or an error when it is needed and away.
func (s *Store) older(ctx context.Context, op string, from time.Time) (*timescale.Store, error) {
	h, err := s.horizon(ctx)
	if err != nil || !from.Before(h.kept) {
		return nil, err
	}
	db, detail := s.database()
	if db == nil && from.Before(h.aged) {
		return nil, fmt.Errorf("store: %s: rows from before %s are not all on the local disk, and %w: %s", op, h.aged.Format(time.RFC3339), ErrAway, detail)
	}
	return db, nil
}

// judge notes a failure of the database, and passes the error on.
func (s *Store) judge(ctx context.Context, err error) error {
	if err != nil && !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrInvalid) {
		s.setDown(ctx, err)
	}
	return err
}
