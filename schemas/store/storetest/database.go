package storetest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
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
	base := os.Getenv(DatabaseURL)
	if base == "" {
		t.Fatalf("%s is not set: run `make test`, or `eval \"$(.ci/database start)\"` before `go test` (and `.ci/database stop` after)", DatabaseURL)
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatalf("%s: %v", DatabaseURL, err)
	}
	schema := "test_" + strings.ToLower(rand.Text())
	exec(t, base, "create schema "+schema)
	t.Cleanup(func() { exec(t, base, "drop schema "+schema+" cascade") })
	q := u.Query()
	q.Set("search_path", schema+",public")
	u.RawQuery = q.Encode()
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
	if _, err := c.Exec(ctx, "set client_min_messages=warning; "+statement); err != nil {
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
