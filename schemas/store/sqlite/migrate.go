package sqlite

import (
	"context"
	"crypto/rand"
	"embed"
	"fmt"
	"io/fs"
	"math/big"
	"path"
	"slices"
	"strconv"
	"strings"
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

// version returns the version of the schema in the file, 0 in a new one. It refuses one above known and the database of another program.
func (s *Store) version(ctx context.Context, known int) (version int, err error) {
	var tables int
	if err := s.conn.QueryRowContext(ctx, "pragma user_version").Scan(&version); err != nil {
		return 0, err
	}
	if version > known {
		return 0, fmt.Errorf("its schema has version %d, this Quartier knows up to %d: it was written by a newer one, which must be used", version, known)
	}
	if err := s.conn.QueryRowContext(ctx, "select count(*) from sqlite_schema").Scan(&tables); err != nil {
		return 0, err
	}
	if version == 0 && tables > 0 {
		return 0, fmt.Errorf("the file holds a database of another program with %d tables and indexes", tables)
	}
	return version, nil
}

// migrate brings the schema up to date in one transaction.
func (s *Store) migrate(ctx context.Context, todo []migration) error {
	if version, err := s.version(ctx, newest(todo)); err != nil || version == newest(todo) {
		return err // the common case takes no lock
	}
	if _, err := s.conn.ExecContext(ctx, "begin immediate"); err != nil {
		return err
	}
	if err := s.apply(ctx, todo); err != nil {
		_, _ = s.conn.ExecContext(context.WithoutCancel(ctx), "rollback")
		return err
	}
	_, err := s.conn.ExecContext(ctx, "commit")
	return err
}

func (s *Store) apply(ctx context.Context, todo []migration) error {
	// again, now that no other program can be at it
	version, err := s.version(ctx, newest(todo))
	if err != nil {
		return err
	}
	for _, m := range after(todo, version) {
		if _, err := s.conn.ExecContext(ctx, m.text); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		s.log.Info("store schema migrated", "path", s.path, "migration", m.name)
	}
	if version == 0 {
		if err := s.firstIDs(ctx); err != nil {
			return err
		}
	}
	_, err = s.conn.ExecContext(ctx, fmt.Sprintf("pragma user_version=%d", newest(todo)))
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
