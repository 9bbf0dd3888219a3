package timescale

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/store/evolve"
	"quartier/schemas/store/storetest"
)

// TestReleased: a database of each released version of the schema is brought up to date with every row, to the same tables as a new one, with TimescaleDB and without.
func TestReleased(t *testing.T) {
	dumps, err := filepath.Glob("testdata/schemas/*.sql")
	if err != nil || len(dumps) == 0 {
		t.Fatalf("no records of earlier versions: %v", err)
	}
	plain, fresh := storetest.PlainDatabase(t), tables(t, openAt(t, storetest.Database(t)))
	for _, dump := range dumps {
		text, err := os.ReadFile(dump)
		must(t, err)
		version, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(dump), ".sql"))
		must(t, err)
		for place, url := range map[string]string{"hypertable": storetest.Database(t), "plain": storetest.Schema(t, plain)} {
			t.Run(filepath.Base(dump)+" "+place, func(t *testing.T) { released(t, url, string(text), version, nil, fresh) })
		}
	}
}

// TestEveryStep: a database of each version, with rows in the tables that the version had, goes through every later migration and has all of them, and no released migration was edited.
func TestEveryStep(t *testing.T) {
	steps, err := evolve.Read(migrations)
	must(t, err)
	storetest.Unchanged(t, steps)
	texts, made := storetest.Earlier(t, steps)
	plain, fresh := storetest.PlainDatabase(t), tables(t, openAt(t, storetest.Database(t)))
	for _, step := range steps[1:] {
		for place, url := range map[string]string{"hypertable": storetest.Database(t), "plain": storetest.Schema(t, plain)} {
			t.Run(fmt.Sprintf("%04d %s", step.Version, place), func(t *testing.T) {
				text := texts[step.Version]
				for _, done := range steps[1:] {
					if done.Version <= step.Version {
						text += fmt.Sprintf("\ninsert into schema_version(version, name) values(%d, '%s');", done.Version, done.Name)
					}
				}
				released(t, url, text, step.Version, made[step.Version], fresh)
			})
		}
	}
}

// released brings a database up to date that SQL makes, and checks its rows; made says of which migrations it had rows beside those of the first version, nil: of the station's at most. fresh are the columns of a new database.
func released(t *testing.T, url, text string, version int, made func(migration string) bool, fresh []string) {
	t.Helper()
	must(t, storetest.Exec(t.Context(), url, text))
	s := openAt(t, url)
	if got := tables(t, s); !slices.Equal(got, fresh) {
		t.Errorf("columns\n%s\nwant those of a new database\n%s", strings.Join(got, "\n"), strings.Join(fresh, "\n"))
	}
	if made != nil {
		storetest.Later(t, s, made)
	}
	storetest.Released(t, s, version, version >= 3)
	var days int
	must(t, s.pool.QueryRow(t.Context(), "select count(*) from summed_days where claim is null").Scan(&days))
	if days != 1 {
		t.Errorf("%d days are kept of the rows that were there, want 1", days)
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
