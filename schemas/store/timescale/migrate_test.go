package timescale

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/store/storetest"
)

// TestReleased: a database of each released version of the schema is brought up to date with every row, to the same tables as a new one, with TimescaleDB and without.
func TestReleased(t *testing.T) {
	dumps, err := filepath.Glob("testdata/schemas/*.sql")
	if err != nil || len(dumps) == 0 {
		t.Fatalf("no records of earlier versions: %v", err)
	}
	plain := storetest.PlainDatabase(t)
	for _, dump := range dumps {
		for place, url := range map[string]string{"hypertable": storetest.Database(t), "plain": storetest.Schema(t, plain)} {
			t.Run(filepath.Base(dump)+" "+place, func(t *testing.T) {
				text, err := os.ReadFile(dump)
				must(t, err)
				must(t, storetest.Exec(t.Context(), url, string(text)))
				s := openAt(t, url)
				version, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(dump), ".sql"))
				must(t, err)
				fresh := openAt(t, storetest.Database(t))
				if got, want := tables(t, s), tables(t, fresh); !slices.Equal(got, want) {
					t.Errorf("columns\n%s\nwant those of a new database\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
				}
				storetest.Released(t, s, version, version >= 3)
				var days int
				must(t, s.pool.QueryRow(t.Context(), "select count(*) from summed_days where claim is null").Scan(&days))
				if days != 1 {
					t.Errorf("%d days are kept of the rows that were there, want 1", days)
				}
			})
		}
	}
}

// tables returns every column of every table and view of a record.
func tables(t *testing.T, s *Store) []string {
	t.Helper()
	rows, err := s.pool.Query(t.Context(), `select table_name || ' ' || column_name || ' ' || data_type || ' ' || is_nullable from information_schema.columns
		where table_schema=current_schema() order by 1`)
	must(t, err)
	out, err := pgx.CollectRows(rows, pgx.RowTo[string])
	must(t, err)
	return out
}
