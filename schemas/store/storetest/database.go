package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// DatabaseURL is the environment variable that names the database of the tests.
const DatabaseURL = "QUARTIER_TEST_DATABASE_URL"

// Database returns the URL of an empty schema of its own in the test database, which goes when the test ends. Without a database the test fails.
func Database(t testing.TB) string {
	t.Helper()
	return Schema(t, base(t))
}

func base(t testing.TB) string {
	t.Helper()
	base := os.Getenv(DatabaseURL)
	if base == "" {
		t.Fatalf("%s is not set: run `make test`, or `eval \"$(.ci/database start)\"` before `go test` (and `.ci/database stop` after)", DatabaseURL)
	}
	return base
}

// Schema returns the URL of an empty schema of its own in a database, which goes when the test ends.
func Schema(t testing.TB, database string) string {
	t.Helper()
	schema := "test_" + strings.ToLower(rand.Text())
	u, err := url.Parse(database)
	if err != nil {
		t.Fatalf("%s: %v", DatabaseURL, err)
	}
	owner := Superuser(t, database)
	exec(t, owner, fmt.Sprintf("create schema %s authorization %q", schema, u.User.Username()))
	t.Cleanup(func() { exec(t, owner, "drop schema "+schema+" cascade") })
	return edit(t, database, func(u *url.URL) {
		q := u.Query()
		q.Set("search_path", schema+",public")
		u.RawQuery = q.Encode()
	})
}

// PlainDatabase returns the URL of an empty database without TimescaleDB, for a user who may not make the extension. It goes when the test ends.
func PlainDatabase(t testing.TB) string {
	t.Helper()
	name := "plain_" + strings.ToLower(rand.Text())
	exec(t, base(t), "create role "+name+" login password '"+name+"'")
	exec(t, base(t), "create database "+name)
	t.Cleanup(func() {
		exec(t, base(t), "drop database "+name+" with (force)")
		exec(t, base(t), "drop role "+name)
	})
	plain := edit(t, base(t), func(u *url.URL) { u.Path, u.User = "/"+name, url.UserPassword(name, name) })
	exec(t, Superuser(t, plain), "drop extension if exists timescaledb")
	return plain
}

// Superuser returns the URL of the same database for the user of the test database.
func Superuser(t testing.TB, database string) string {
	t.Helper()
	admin, err := url.Parse(base(t))
	if err != nil {
		t.Fatalf("%s: %v", DatabaseURL, err)
	}
	return edit(t, database, func(u *url.URL) { u.User = admin.User })
}

func edit(t testing.TB, database string, change func(*url.URL)) string {
	t.Helper()
	u, err := url.Parse(database)
	if err != nil {
		t.Fatalf("%s: %v", DatabaseURL, err)
	}
	change(u)
	return u.String()
}

func exec(t testing.TB, url, statement string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // also after the test's own context has ended
	defer cancel()
	if err := Exec(ctx, url, statement); err != nil {
		t.Fatalf("test database: %v", err)
	}
}

// Exec runs SQL on a connection of its own.
func Exec(ctx context.Context, url, statement string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	if _, err := c.Exec(ctx, "set client_min_messages=warning"); err != nil {
		return err
	}
	if _, err := c.Exec(ctx, statement); err != nil {
		return fmt.Errorf("%s: %w", statement, err)
	}
	return nil
}

// EndSessions makes the server end every session of an application name.
func EndSessions(ctx context.Context, url, application string) error {
	c, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer c.Close(ctx)
	_, err = c.Exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where application_name=$1", application)
	return err
}

// OwnDatabase returns the URL of an empty database with TimescaleDB, which goes when the test ends.
func OwnDatabase(t testing.TB) string {
	t.Helper()
	name := "own_" + strings.ToLower(rand.Text())
	exec(t, base(t), "create database "+name)
	t.Cleanup(func() { exec(t, base(t), "drop database "+name+" with (force)") })
	own := edit(t, base(t), func(u *url.URL) { u.Path = "/" + name })
	exec(t, own, "create extension if not exists timescaledb")
	return own
}

// Program returns a command of a program of PostgreSQL, such as pg_dump, of a version that knows the server: of the machine itself, or of the tree of Debian 13 that .ci/setup makes.
func Program(t testing.TB, name string, args ...string) *osexec.Cmd {
	t.Helper()
	c, err := pgx.Connect(t.Context(), base(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	major, _, _ := strings.Cut(c.PgConn().ParameterStatus("server_version"), ".")
	tree := os.Getenv("QUARTIER_DEBIAN13")
	if tree == "" {
		tree = "/var/lib/quartier/debian13"
	}
	place := filepath.Join("/usr/lib/postgresql", major, "bin", name)
	if _, err := os.Stat(place); err == nil {
		return osexec.CommandContext(t.Context(), place, args...)
	}
	if _, err := os.Stat(filepath.Join(tree, place)); err != nil {
		t.Fatalf("no %s of PostgreSQL %s on this machine nor in %s: run .ci/setup", name, major, tree)
	}
	return osexec.CommandContext(t.Context(), "chroot", append([]string{tree, place}, args...)...)
}
