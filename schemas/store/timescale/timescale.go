// Package timescale keeps the record in PostgreSQL, with TimescaleDB where the server has it: samples are a hypertable then, and a plain table
// otherwise. It uses nothing that the Apache-2 edition lacks.
//
// Samples are written by COPY; a batch that holds a row which is there already is written again by insert … on conflict, which changes only the
// rows that differ. So every write may be repeated, and a batch of new rows pays nothing for that. Sums over time are made in Go: the zone-aware
// time_bucket of TimescaleDB below 2.25 merges the two 02:00 hours of the October day below a bucket of a day.
package timescale

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"quartier/schemas/district"
	"quartier/schemas/store"
)

// Options of [Open].
type Options struct {
	Log      *slog.Logger  // nil: silent
	MaxConns int           // connections of the pool; 0: 8, or pool_max_conns of the URL
	Chunk    time.Duration // span of the chunks of the hypertable that are made from now on; 0: a day
	Fine     time.Duration // how long single samples are kept, for the retention policy of the Community edition; 0: for ever
}

// Store is a record in a database. It implements [store.Store]; all methods may be called from several goroutines.
type Store struct {
	pool   *pgxpool.Pool
	where  string // host:port/database, for messages
	log    *slog.Logger
	server string // versions, for Stats
	hyper  bool   // sample is a hypertable

	community bool // the Community edition is there, with its columnstore

	mu  sync.RWMutex
	ids map[district.SeriesID]int32
}

var _ store.Store = (*Store)(nil)

// connectTimeout bounds the making of one connection when the URL says nothing else.
const connectTimeout = 5 * time.Second

// Open connects to the database at url (postgres://user:password@host:port/name?sslmode=…) and brings the schema up to date. It refuses a database that
// a newer Quartier wrote. Several processes may do so at a time.
func Open(ctx context.Context, url string, opts Options) (*Store, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("store: database URL: %w", err) // names no password
	}
	if opts.MaxConns > 0 {
		cfg.MaxConns = int32(opts.MaxConns)
	} else {
		cfg.MaxConns = max(cfg.MaxConns, 8)
	}
	if cfg.ConnConfig.ConnectTimeout == 0 {
		cfg.ConnConfig.ConnectTimeout = connectTimeout
	}
	cfg.ConnConfig.RuntimeParams["timezone"] = "UTC"
	if cfg.ConnConfig.RuntimeParams["application_name"] == "" {
		cfg.ConnConfig.RuntimeParams["application_name"] = "quartier"
	}
	s := &Store{where: fmt.Sprintf("%s:%d/%s", cfg.ConnConfig.Host, cfg.ConnConfig.Port, cfg.ConnConfig.Database), log: opts.Log, ids: map[district.SeriesID]int32{}}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.pool, err = pgxpool.NewWithConfig(ctx, cfg); err != nil {
		return nil, s.fail("open", err)
	}
	if opts.Chunk <= 0 {
		opts.Chunk = 24 * time.Hour // of which the index stays in memory, and which is gone when its day is packed
	}
	if err := s.prepare(ctx, opts); err != nil {
		s.pool.Close()
		return nil, s.fail("open", err)
	}
	if s.community {
		s.community = s.columnstore(ctx, opts.Fine)
	}
	return s, nil
}

// fail adds what was being done and where to an error.
func (s *Store) fail(op string, err error) error {
	if err == nil || errors.Is(err, store.ErrInvalid) || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrExists) {
		return err
	}
	return fmt.Errorf("store: %s in the database %s: %w", op, s.where, err)
}

// Close releases every connection, once the calls under way have ended.
func (s *Store) Close() error {
	s.pool.Close()
	return nil
}

// errReadOnly is the state of a standby server.
var errReadOnly = errors.New("the server takes no writes: it is a standby, or set to read only")

// Ping returns nil when the database can take a write now.
func (s *Store) Ping(ctx context.Context) error {
	var readOnly bool
	err := s.pool.QueryRow(ctx, "select pg_is_in_recovery() or current_setting('transaction_read_only')='on'").Scan(&readOnly)
	if err == nil && readOnly {
		err = errReadOnly
	}
	return s.fail("ping", err)
}

// Stats describes the database. Samples is what the server's statistics say, a second or so behind.
func (s *Store) Stats(ctx context.Context) (store.Stats, error) {
	st := store.Stats{Kind: "timescale", Version: s.server}
	query := `select coalesce((select n_live_tup from pg_stat_user_tables where relid='sample'::regclass), 0), pg_total_relation_size('sample')`
	if s.hyper {
		query = `select coalesce((select sum(n_live_tup) from pg_stat_all_tables where relid in (select show_chunks('sample')::oid)), 0)::bigint,
			coalesce(hypertable_size('sample'), 0)`
	}
	err := s.pool.QueryRow(ctx, query).Scan(&st.Samples, &st.Bytes)
	if err == nil {
		var rest int64
		err = s.pool.QueryRow(ctx, `select sum(pg_total_relation_size(t::regclass))::bigint from unnest(array['series', 'balances', 'carrier_balances', 'summed_days', 'day_sums', 'forecast_errors', 'outlooks', 'plans', 'setpoints', 'events',
			'users', 'sessions', 'writers', 'rollups', 'dirty', 'pack']) t`).Scan(&rest)
		st.Bytes += rest
	}
	if err != nil {
		st.DatabaseDetail = err.Error()
		return st, s.fail("describe the record", err)
	}
	st.DatabaseUp, st.DatabaseDetail = true, s.where
	return st, nil
}

// tries is how often a transaction is run that loses against another one: both want the same rows, and the server ends one of them.
const tries = 5

// write runs f in a transaction; f may run several times.
func (s *Store) write(ctx context.Context, op string, f func(tx pgx.Tx) error) error {
	var err error
	for range tries {
		err = pgx.BeginFunc(ctx, s.pool, f)
		if code := sqlState(err); code != deadlock && code != serialization {
			break
		}
	}
	return s.fail(op, err)
}

// Error codes of PostgreSQL, appendix A of its manual.
const (
	uniqueViolation = "23505"
	serialization   = "40001"
	deadlock        = "40P01"
)

// sqlState returns the server's code of an error, or nothing.
func sqlState(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// Refused reports whether err means that the database can never take this data, however often it is tried: the data itself is at fault (class 22),
// or a rule of the tables that no repetition mends (class 23 but for a duplicate). A connection, a lack of space or of rights are none of these.
func Refused(err error) bool {
	code := sqlState(err)
	return len(code) == 5 && (code[:2] == "22" || code[:2] == "23" && code != uniqueViolation)
}
