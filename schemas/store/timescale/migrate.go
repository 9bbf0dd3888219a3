package timescale

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

//go:embed migrations/*.sql
var migrations embed.FS

// migration is one numbered step of the schema.
type migration struct {
	version int
	name    string
	text    string
}

// steps returns the migrations of a folder in order of their numbers, which grow; a number may be left out, and once released none below it is added any more.
func steps(from fs.FS) ([]migration, error) {
	names, err := fs.Glob(from, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var out []migration
	last := 0
	for _, name := range names {
		number, _, _ := strings.Cut(path.Base(name), "_")
		v, err := strconv.Atoi(number)
		if err != nil || len(number) != 4 || v <= last {
			return nil, fmt.Errorf("migration %s: its name begins with no number of four digits above %04d", name, last)
		}
		last = v
		text, err := fs.ReadFile(from, name)
		if err != nil {
			return nil, err
		}
		out = append(out, migration{v, path.Base(name), string(text)})
	}
	return out, nil
}

// newest returns the version that the schema has after all steps.
func newest(todo []migration) int { return todo[len(todo)-1].version }

// after returns the steps above a version.
func after(todo []migration, version int) []migration {
	i, _ := slices.BinarySearchFunc(todo, version+1, func(m migration, v int) int { return m.version - v })
	return todo[i:]
}

// prepare makes the extension and the tables, under a lock that other processes wait for.
func (s *Store) prepare(ctx context.Context, opts Options) error {
	todo, err := steps(migrations)
	if err != nil {
		return err
	}
	if err := s.extend(ctx); err != nil {
		return err
	}
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// the number is ours alone; tables of the same names in another schema have a lock of their own
		if _, err := tx.Exec(ctx, "select pg_advisory_xact_lock($1, hashtext(current_schema()))", lockSchema); err != nil {
			return err
		}
		if err := s.migrate(ctx, tx, todo); err != nil {
			return err
		}
		server, err := inspect(ctx, tx)
		if err != nil {
			return err
		}
		s.server, s.hyper = server.String(), server.TimescaleDB != ""
		if !s.hyper {
			return nil
		}
		if err := hypertable(ctx, tx, opts.Chunk); err != nil {
			return err
		}
		s.community = server.Edition == Community
		return nil
	})
}

// extend makes the extension where the server offers it and the user may; without it everything works on plain tables.
func (s *Store) extend(ctx context.Context) error {
	var there, offered bool
	if err := s.pool.QueryRow(ctx, `select exists(select from pg_extension where extname='timescaledb'),
		exists(select from pg_available_extensions where name='timescaledb')`).Scan(&there, &offered); err != nil {
		return err
	}
	if there || !offered {
		return nil
	}
	if _, err := s.pool.Exec(ctx, "create extension if not exists timescaledb"); err != nil {
		if ctx.Err() != nil {
			return err
		}
		s.log.Warn("TimescaleDB is offered by the server and could not be switched on: samples go to a plain table", "database", s.where, "err", err)
		return nil
	}
	s.pool.Reset() // the extension works in connections that were made after it
	return nil
}

func (s *Store) migrate(ctx context.Context, tx pgx.Tx, todo []migration) error {
	var version int
	if _, err := tx.Exec(ctx, `create table if not exists schema_version (
		version integer primary key, name text not null, applied_at timestamptz not null default now())`); err != nil {
		return err
	}
	if err := tx.QueryRow(ctx, "select coalesce(max(version), 0) from schema_version").Scan(&version); err != nil {
		return err
	}
	if version > newest(todo) {
		return fmt.Errorf("its schema has version %d, this Quartier knows up to %d: it was written by a newer one, which must be used", version, newest(todo))
	}
	for _, m := range after(todo, version) {
		if _, err := tx.Exec(ctx, m.text); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		if _, err := tx.Exec(ctx, "insert into schema_version(version, name) values($1, $2)", m.version, m.name); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		s.log.Info("database schema migrated", "database", s.where, "migration", m.name)
	}
	return nil
}

// hypertable turns the table of samples into a hypertable if it is none; rows that it has move into chunks. Its own index is the only one.
func hypertable(ctx context.Context, tx pgx.Tx, chunk time.Duration) error {
	var now *time.Duration
	err := tx.QueryRow(ctx, `select time_interval from timescaledb_information.dimensions
		where hypertable_schema=current_schema() and hypertable_name='sample' and column_name='time'`).Scan(&now)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		_, err = tx.Exec(ctx, "select create_hypertable('sample', by_range('time', $1::interval), create_default_indexes=>false, migrate_data=>true)", chunk)
		if err != nil {
			return fmt.Errorf("make samples a hypertable: %w", err)
		}
	case err == nil && now != nil && *now != chunk:
		if _, err = tx.Exec(ctx, "select set_chunk_time_interval('sample', $1::interval)", chunk); err != nil {
			return fmt.Errorf("set the span of chunks: %w", err)
		}
	}
	return err
}
