// Package sqlite keeps the record in one SQLite file: the embedded default, and the outbox in front of a database.
//
// The file is in write-ahead mode with synchronous=FULL: when a write returns nil, its bytes were synced to the disk. One connection
// writes, in the order of the calls; writes that wait while one is under way share the next transaction and its sync, and none fails for another's fault.
// Reads run beside it on connections of their own and hold no lock while they hand over what they read. A write of 100,000 samples holds the others for
// about a fifth of a second; load history in such pieces. The move of 400,000 staged samples into packs, see move.go, goes in slices and holds them for a tenth of that each.
//
// With [Options.Outbox] every row but sessions is written a second time as a packed batch (package batch), in the same transaction. What was
// written before the outbox was switched on is put into it at that moment, so that a database that is added later gets the whole record.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	sqlite "modernc.org/sqlite" // registers the driver

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/batch"
	"quartier/schemas/store/evolve"
	"quartier/schemas/store/rollup"
)

// Options of [Open].
type Options struct {
	Log    *slog.Logger // nil: silent
	Outbox bool         // also write every row as a packed batch, for a relay to ship
}

// Store is a record in one file. It implements [store.Store]; all methods may be called from several goroutines.
type Store struct {
	path   string
	log    *slog.Logger
	outbox bool

	writing chan struct{} // holds one token: the right to write
	ended   chan struct{} // closed when nothing is written any more
	queueMu sync.Mutex
	queue   []*job // the writes that wait, in the order of the calls

	db                                                  *sql.DB    // the pool of the writing connection
	conn                                                *sql.Conn  // the writing connection
	many                                                *statement // writes rowsAtOnce samples
	one                                                 *statement // writes one sample
	stages, packs, marks                                *statement // write one row of staged, of packs, of dirty
	jointPacks                                          *statement
	newest                                              *statement
	begin, commits, rollback, savepoint, undo, releases *statement // of transaction
	prepared                                            []*statement
	stale                                               bool // the file has an outbox, and this store does not write it; guarded by writing

	readers *sql.DB

	refreshing sync.Mutex // one refreshes the rollups at a time
	summing    sync.Mutex // one sums days at a time

	staged     staged
	stagedRows atomic.Int64 // about
	moving     atomic.Bool
	twice      atomic.Int64 // samples that a move has written and not yet taken out of what is staged
	sliceRows  int
	tops       map[int64]int64 // see knownTops
	topsOf     int64
	fresh      bool               // what is not in tops has no sample before
	joints     map[int64]*holders // by group; they hold as long as tops do
	joint      jointWriter        // room for the next joint pack
	jointRows  int
	background sync.WaitGroup

	rooms  sync.Pool     // of *appendRoom
	book   batch.Book    // of the names of series
	booked []int64       // their rows, by number; 0: none is known yet. It, and the two below, are of the writer
	body   []byte        // room for the next pack
	marker rollup.Marker // room for the next marks

	mu       sync.RWMutex
	ids      map[district.SeriesID]int64 // every series that was used, with its row
	suspects map[packKey]bool            // packs that are being set aside

	count     atomic.Int64 // samples, about; -1 before the first count
	countedAt atomic.Int64 // Unix seconds
	closed    atomic.Bool
}

var _ store.Store = (*Store)(nil)

// busyTimeout is how long a write waits for another process on the same file.
const busyTimeout = 10 * time.Second

// Open opens the record at path, which it makes when it is not there, and brings its schema up to date. It refuses a file that a newer
// Quartier wrote, and one that is no database.
func Open(ctx context.Context, path string, opts Options) (*Store, error) {
	s := &Store{path: path, log: opts.Log, outbox: opts.Outbox, writing: make(chan struct{}, 1), ended: make(chan struct{}), ids: map[district.SeriesID]int64{}, sliceRows: sliceRows, jointRows: jointRows}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.count.Store(-1)
	if err := s.open(ctx); err != nil {
		s.release()
		return nil, s.fail("open", err)
	}
	s.writing <- struct{}{}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if info, err := os.Stat(filepath.Dir(s.path)); err != nil {
		return err
	} else if !info.IsDir() {
		return fmt.Errorf("%s is no folder", filepath.Dir(s.path))
	}
	var err error
	if s.db, err = sql.Open("sqlite", dsn(s.path, "page_size(8192)", "synchronous(FULL)", "cache_size(-65536)",
		"journal_size_limit(67108864)", "temp_store(MEMORY)")); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(1)
	if s.conn, err = s.db.Conn(ctx); err != nil {
		return err
	}
	steps, err := evolve.Read(migrations)
	if err != nil {
		return err
	}
	// before the first change to the file: it may belong to somebody else
	if _, _, err := s.lacking(ctx, steps); err != nil {
		return err
	}
	var mode string
	if err := s.conn.QueryRowContext(ctx, "pragma journal_mode=wal").Scan(&mode); err != nil {
		return err
	}
	if mode != "wal" {
		return fmt.Errorf("the file stays in journal mode %s, not wal: its file system has no shared memory", mode)
	}
	if err := s.migrate(ctx, steps); err != nil {
		return err
	}
	if s.readers, err = sql.Open("sqlite", dsn(s.path, "query_only(1)", "cache_size(-16384)", "temp_store(MEMORY)")); err != nil {
		return err
	}
	s.readers.SetMaxOpenConns(8)
	s.readers.SetMaxIdleConns(4)
	for _, p := range []struct {
		to   **statement
		args int
		text string
	}{{&s.many, 4 * rowsAtOnce, insertText(rowsAtOnce)}, {&s.one, 4, insertText(1)}, {&s.stages, 2, "insert into staged(row_count, body) values(?, ?)"},
		{&s.packs, 5, "insert into packs(series_id, from_us, to_us, row_count, body) values(?, ?, ?, ?, ?)"},
		{&s.begin, 0, "begin immediate"}, {&s.commits, 0, "commit"}, {&s.rollback, 0, "rollback"},
		{&s.savepoint, 0, "savepoint one"}, {&s.undo, 0, "rollback to one"}, {&s.releases, 0, "release one"},
		{&s.jointPacks, 5, "insert into joint_packs(group_id, until_us, from_us, row_count, body) values(?, ?, ?, ?, ?)"},
		{&s.newest, 2, newestQuery}, {&s.marks, 3, "insert into dirty(from_us, to_us, body) values(?, ?, ?)"}} {
		if *p.to, err = s.prepare(ctx, p.text, p.args); err != nil {
			return err
		}
	}
	var rows int64
	if err := s.conn.QueryRowContext(ctx, "select coalesce(sum(row_count), 0) from staged where damaged is null").Scan(&rows); err != nil {
		return err
	}
	s.stagedRows.Store(rows)
	return s.startOutbox(ctx)
}

func dsn(path string, pragmas ...string) string {
	q := url.Values{"_pragma": append([]string{fmt.Sprintf("busy_timeout(%d)", busyTimeout.Milliseconds())}, pragmas...)}
	// as a URI, so that a path may hold any character
	return (&url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: q.Encode()}).String()
}

// Close writes the log back into the file and releases everything.
func (s *Store) Close() error {
	s.mu.Lock() // who begins something in the background looks at closed with it
	was := s.closed.Swap(true)
	s.mu.Unlock()
	if was {
		return nil
	}
	<-s.writing // the write under way finishes; no other begins
	close(s.ended)
	s.background.Wait()
	return s.release()
}

func (s *Store) release() error {
	var errs []error
	if s.readers != nil {
		errs = append(errs, s.readers.Close())
	}
	for _, st := range s.prepared {
		errs = append(errs, st.close())
	}
	if s.conn != nil {
		errs = append(errs, s.conn.Close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	return errors.Join(errs...)
}

// fail adds what was being done to which file to an error, and in words what the operator can do about the common ones.
func (s *Store) fail(op string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) {
		return err
	}
	if e, ok := errors.AsType[*sqlite.Error](err); ok {
		switch e.Code() & 0xff {
		case codeFull:
			return fmt.Errorf("store: %s in %s: the disk is full: %w", op, s.path, err)
		case codeReadOnly:
			return fmt.Errorf("store: %s in %s: the file or its folder may not be written: %w", op, s.path, err)
		case codeNotADB:
			return fmt.Errorf("store: %s in %s: the file is no SQLite database, or its beginning is damaged: %w", op, s.path, err)
		case codeCorrupt:
			return fmt.Errorf("store: %s in %s: the file is damaged; move it away or bring back a copy: %w", op, s.path, err)
		case codeBusy:
			return fmt.Errorf("store: %s in %s: another program has held the file for %v: %w", op, s.path, busyTimeout, err)
		}
	}
	return fmt.Errorf("store: %s in %s: %w", op, s.path, err)
}

// Result codes of SQLite, https://www.sqlite.org/rescode.html.
const (
	codeBusy     = 5
	codeReadOnly = 8
	codeCorrupt  = 11
	codeFull     = 13
	codeNotADB   = 26
)

// Ping returns nil when the file can take a write now.
func (s *Store) Ping(ctx context.Context) error {
	return s.write(ctx, "ping", 1, func(ctx context.Context) (func(), error) {
		_, err := s.conn.ExecContext(ctx, "insert into meta(key, value) values('ping', '') on conflict do update set value=''")
		return nil, err
	})
}

// countEvery is how long a count of samples is taken for true, corrected by what was appended since.
const countEvery = 10 * time.Minute

// Stats describes the file. Samples is a count of at most ten minutes ago plus what was appended since, corrections included.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	st := store.Stats{Kind: "sqlite", DatabaseUp: true}
	if s.closed.Load() {
		return st, s.fail("describe the record", errClosed)
	}
	if err := s.readers.QueryRowContext(ctx, "select sqlite_version()").Scan(&st.Version); err != nil {
		return st, s.fail("describe the record", err)
	}
	st.Version = "SQLite " + st.Version
	now := time.Now().Unix()
	if last := s.countedAt.Load(); s.count.Load() < 0 || now-last > int64(countEvery.Seconds()) && s.countedAt.CompareAndSwap(last, now) {
		var n int64
		if err := s.readers.QueryRowContext(ctx, "select (select count(*) from samples) + (select coalesce(sum(row_count), 0) from packs) + (select coalesce(sum(row_count), 0) from joint_packs) +"+
			" (select coalesce(sum(row_count), 0) from staged where damaged is null)").Scan(&n); err != nil {
			return st, s.fail("count samples", err)
		}
		s.count.Store(n - s.twice.Load())
		s.countedAt.Store(now)
	}
	st.Samples = s.count.Load()
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(s.path + suffix); err == nil {
			st.Bytes += info.Size()
		}
	}
	if s.outbox {
		var since sql.NullInt64
		if err := s.readers.QueryRowContext(ctx, "select coalesce(sum(row_count), 0), min(written_us) from outbox where refused is null").
			Scan(&st.OutboxRows, &since); err != nil {
			return st, s.fail("count the outbox", err)
		}
		if since.Valid {
			st.OutboxSince = store.FromMicro(since.Int64)
		}
	}
	return st, nil
}
