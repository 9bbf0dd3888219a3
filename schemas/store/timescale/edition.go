package timescale

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
)

// Edition is which TimescaleDB a server has.
type Edition uint8

// The editions. They differ in licence and in what they do by themselves.
const (
	NoTimescaleDB Edition = iota
	Apache
	Community
	UnknownEdition
)

// Server is what a server says of itself.
type Server struct {
	PostgreSQL  string // version
	TimescaleDB string // version of the extension in the database; empty without
	Edition     Edition
}

// String returns the versions in one line.
func (s Server) String() string {
	out := "PostgreSQL " + s.PostgreSQL
	switch s.Edition {
	case NoTimescaleDB:
		return out + " without TimescaleDB"
	case Apache:
		return out + ", TimescaleDB " + s.TimescaleDB + " (Apache-2 edition)"
	case Community:
		return out + ", TimescaleDB " + s.TimescaleDB + " (Community edition)"
	}
	return out + ", TimescaleDB " + s.TimescaleDB + " (unknown edition)"
}

// Meaning says in words what the edition means for the record.
func (s Server) Meaning() string {
	switch s.Edition {
	case NoTimescaleDB:
		return "samples are in a plain table; Quartier packs closed days, keeps rollups and removes what is past its time by itself. Deleted rows leave their space for new ones"
	case Community:
		return "samples are in a hypertable whose closed days the server compresses in its columnstore, and drops by a retention policy where single samples are not kept for ever; Quartier keeps rollups"
	}
	return "samples are in a hypertable without columnstore, continuous aggregates and policies; Quartier packs closed days, keeps rollups and drops chunks past their time by itself"
}

// Inspect asks the server at url what it is, and changes nothing there.
func Inspect(ctx context.Context, url string) (Server, error) {
	cfg, err := pgx.ParseConfig(url)
	if err != nil {
		return Server{}, fmt.Errorf("store: database URL: %w", err) // names no password
	}
	if cfg.ConnectTimeout == 0 {
		cfg.ConnectTimeout = connectTimeout
	}
	c, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return Server{}, fmt.Errorf("store: inspect the database %s:%d/%s: %w", cfg.Host, cfg.Port, cfg.Database, err)
	}
	defer c.Close(context.WithoutCancel(ctx))
	return inspect(ctx, c)
}

// inspect asks on a connection; in a transaction it does not end that.
func inspect(ctx context.Context, c interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}) (out Server, err error) {
	var version, license *string
	err = c.QueryRow(ctx, `select split_part(current_setting('server_version'), ' ', 1), (select extversion from pg_extension where extname='timescaledb'),
		current_setting('timescaledb.license', true)`).Scan(&out.PostgreSQL, &version, &license)
	if err != nil || version == nil {
		return out, err
	}
	out.TimescaleDB, out.Edition = *version, UnknownEdition
	switch {
	case license != nil && *license == "apache":
		out.Edition = Apache
	case license != nil && *license == "timescale":
		out.Edition = Community
	}
	return out, nil
}

// closedAfter is the age at which the columnstore takes a chunk, as [Store.Pack] does elsewhere.
const closedAfter = 48 * time.Hour

// policyMargin is how much longer than the configuration says the server's own retention policy keeps samples: Quartier drops them first, once all that rests on them is closed, and
// the policy is for a record that nobody runs any more.
const policyMargin = 30 * 24 * time.Hour

// columnstore switches the columnstore and the retention policy of the Community edition on. A server that refuses is used like one of the Apache edition.
func (s *Store) columnstore(ctx context.Context, fine time.Duration) bool {
	var version string
	if err := s.pool.QueryRow(ctx, "select extversion from pg_extension where extname='timescaledb'").Scan(&version); err != nil {
		s.log.Warn("columnstore not switched on", "database", s.where, "err", err)
		return false
	}
	for _, statement := range communitySQL(version, fine) {
		if _, err := s.pool.Exec(ctx, statement); err != nil {
			s.log.Warn("columnstore not switched on: closed days are packed instead", "database", s.where, "statement", statement, "err", err)
			return false
		}
	}
	return true
}

// communitySQL returns the statements that switch columnstore and retention on, in the words of the version: 2.18 renamed compression. Each may be run again.
// Sources: the API reference of TimescaleDB, "ALTER TABLE (hypercore)", add_columnstore_policy, "ALTER TABLE (compression)", add_compression_policy, add_retention_policy.
func communitySQL(version string, fine time.Duration) []string {
	days := func(d time.Duration) string { return fmt.Sprintf("interval '%d days'", int(d.Hours()/24)) }
	out := []string{
		"alter table sample set (timescaledb.enable_columnstore, timescaledb.segmentby = 'series_id', timescaledb.orderby = 'time')",
		"call add_columnstore_policy('sample', after => " + days(closedAfter) + ", if_not_exists => true)",
	}
	if before(version, 2, 18) {
		out = []string{
			"alter table sample set (timescaledb.compress, timescaledb.compress_segmentby = 'series_id', timescaledb.compress_orderby = 'time')",
			"select add_compression_policy('sample', compress_after => " + days(closedAfter) + ", if_not_exists => true)",
		}
	}
	out = append(out, "select remove_retention_policy('sample', if_exists => true)")
	if fine > 0 {
		out = append(out, "select add_retention_policy('sample', drop_after => "+days(fine+policyMargin)+")")
	}
	return out
}

// before reports whether a version such as 2.19.3 is below major.minor.
func before(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err1 := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	return errors.Join(err1, err2) == nil && (a < major || a == major && b < minor)
}
