package timescale

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/jackc/pgx/v5"

	"quartier/schemas/store/storetest"
)

// TestSteps: migrations come in order of their numbers, of which some may be left out; two of one number and names without one are refused.
func TestSteps(t *testing.T) {
	files := func(names ...string) fstest.MapFS {
		out := fstest.MapFS{}
		for _, n := range names {
			out["migrations/"+n] = &fstest.MapFile{Data: []byte("select 1;")}
		}
		return out
	}
	got, err := steps(files("0010_c.sql", "0002_b.sql", "0001_a.sql"))
	if err != nil || len(got) != 3 || newest(got) != 10 {
		t.Fatalf("steps %v, %v; want versions 1, 2 and 10", got, err)
	}
	for version, want := range map[int]int{0: 3, 1: 2, 2: 1, 7: 1, 10: 0} {
		if n := len(after(got, version)); n != want {
			t.Errorf("%d steps after version %d, want %d", n, version, want)
		}
	}
	for _, bad := range [][]string{{"0001_a.sql", "0001_b.sql"}, {"one.sql"}, {"1_a.sql"}, {"0000_a.sql"}} {
		if _, err := steps(files(bad...)); err == nil || !strings.Contains(err.Error(), "four digits") {
			t.Errorf("%v: error %v, want one about the number", bad, err)
		}
	}
}

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
