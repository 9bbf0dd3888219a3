package sqlite

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"math/big"

	"quartier/schemas/store/evolve"
)

//go:embed migrations/*.sql
var migrations embed.FS

// version returns the version of the schema in the file, 0 in a new one. It refuses the database of another program.
func (s *Store) version(ctx context.Context) (version int, err error) {
	var tables int
	if err := s.conn.QueryRowContext(ctx, "pragma user_version").Scan(&version); err != nil {
		return 0, err
	}
	if err := s.conn.QueryRowContext(ctx, "select count(*) from sqlite_schema").Scan(&tables); err != nil {
		return 0, err
	}
	if version == 0 && tables > 0 {
		return 0, fmt.Errorf("the file holds a database of another program with %d tables and indexes", tables)
	}
	return version, nil
}

// lacking returns the steps that the file's schema lacks. It refuses one that is newer than all, and the database of another program.
func (s *Store) lacking(ctx context.Context, all evolve.Steps) (todo evolve.Steps, version int, err error) {
	if version, err = s.version(ctx); err != nil {
		return nil, 0, err
	}
	todo, err = all.From(version)
	return todo, version, err
}

// migrate brings the schema up to date in one transaction.
func (s *Store) migrate(ctx context.Context, all evolve.Steps) error {
	if todo, _, err := s.lacking(ctx, all); err != nil || len(todo) == 0 {
		return err // the common case takes no lock
	}
	if _, err := s.conn.ExecContext(ctx, "begin immediate"); err != nil {
		return err
	}
	if err := s.apply(ctx, all); err != nil {
		_, _ = s.conn.ExecContext(context.WithoutCancel(ctx), "rollback")
		return err
	}
	_, err := s.conn.ExecContext(ctx, "commit")
	return err
}

func (s *Store) apply(ctx context.Context, all evolve.Steps) error {
	// again, now that no other program can be at it
	todo, version, err := s.lacking(ctx, all)
	if err != nil {
		return err
	}
	for _, m := range todo {
		if _, err := s.conn.ExecContext(ctx, m.SQL); err != nil {
			return fmt.Errorf("migration %s: %w", m.Name, err)
		}
		s.log.Info("store schema migrated", "path", s.path, "migration", m.Name)
	}
	if version == 0 {
		if err := s.firstIDs(ctx); err != nil {
			return err
		}
	}
	_, err = s.conn.ExecContext(ctx, fmt.Sprintf("pragma user_version=%d", all.Newest()))
	return err
}

// firstIDs lets the ids of plans, set-points and events of a new file start at a random multiple of 1e9 below 2^53: the files of several machines,
// or a new file in place of a broken disk, share one database without giving an id twice, and JavaScript can hold every id.
func (s *Store) firstIDs(ctx context.Context) error {
	n, err := rand.Int(rand.Reader, big.NewInt(9_000_000))
	if err != nil {
		return err
	}
	base := (n.Int64() + 1) * 1_000_000_000
	for _, table := range []string{"plans", "setpoints", "events"} {
		if _, err := s.conn.ExecContext(ctx, "insert into sqlite_sequence(name, seq) values(?, ?)", table, base); err != nil {
			return err
		}
	}
	return nil
}
