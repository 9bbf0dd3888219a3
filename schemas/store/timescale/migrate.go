package timescale

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/store/evolve"
)

//go:embed migrations/*.sql
var migrations embed.FS

// prepare makes the extension and the tables, under a lock that other processes wait for.
func (s *Store) prepare(ctx context.Context, opts Options) error {
	steps, err := evolve.Read(migrations)
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
		if err := s.migrate(ctx, tx, steps); err != nil {
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

func (s *Store) migrate(ctx context.Context, tx pgx.Tx, steps evolve.Steps) error {
	var version int
	if _, err := tx.Exec(ctx, `create table if not exists schema_version (
		version integer primary key, name text not null, applied_at timestamptz not null default now())`); err != nil {
		return err
	}
	if err := tx.QueryRow(ctx, "select coalesce(max(version), 0) from schema_version").Scan(&version); err != nil {
		return err
	}
	todo, err := steps.From(version)
	if err != nil {
		return err
	}
	for _, m := range todo {
		if _, err := tx.Exec(ctx, m.SQL); err != nil {
			return fmt.Errorf("migration %s: %w", m.Name, err)
		}
		if _, err := tx.Exec(ctx, "insert into schema_version(version, name) values($1, $2)", m.Version, m.Name); err != nil {
			return fmt.Errorf("migration %s: %w", m.Name, err)
		}
		s.log.Info("database schema migrated", "database", s.where, "migration", m.Name)
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
