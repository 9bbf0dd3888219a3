package sqlite

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/evolve"
	"quartier/schemas/store/storetest"
	"quartier/schemas/timegrid"
)

// TestReleased: a file of each released version of the schema is brought up to date with every row, to the same tables as a new file.
func TestReleased(t *testing.T) {
	dumps, err := filepath.Glob("testdata/schemas/*.sql")
	if err != nil || len(dumps) == 0 {
		t.Fatalf("no records of earlier versions: %v", err)
	}
	for _, dump := range dumps {
		t.Run(filepath.Base(dump), func(t *testing.T) {
			text, err := os.ReadFile(dump)
			must(t, err)
			released(t, string(text), nil)
		})
	}
}

// TestEveryStep: a file of each version, with rows in the tables that the version had, goes through every later migration and has all of them, and no released migration was edited.
func TestEveryStep(t *testing.T) {
	steps, err := evolve.Read(migrations)
	must(t, err)
	storetest.Unchanged(t, steps)
	texts, made := storetest.Earlier(t, steps)
	for version, text := range texts {
		t.Run(fmt.Sprintf("%04d", version), func(t *testing.T) {
			released(t, fmt.Sprintf("%s\npragma user_version=%d;", text, version), made[version])
		})
	}
}

// released brings a file up to date that SQL makes, and checks its rows; made says of which migrations it had rows beside those of the first version, nil: of the station's at most.
func released(t *testing.T, text string, made func(migration string) bool) {
	t.Helper()
	fresh := tables(t, openAt(t, filepath.Join(t.TempDir(), "fresh.db"), Options{}))
	path := filepath.Join(t.TempDir(), "quartier.db")
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.ExecContext(t.Context(), text)
	must(t, err)
	var version int
	must(t, db.QueryRowContext(t.Context(), "pragma user_version").Scan(&version))
	must(t, db.Close())
	s := openAt(t, path, Options{Outbox: version%2 == 0})
	if got := tables(t, s); !slices.Equal(got, fresh) {
		t.Errorf("columns\n%s\nwant those of a new file\n%s", strings.Join(got, "\n"), strings.Join(fresh, "\n"))
	}
	if made != nil {
		storetest.Later(t, s, made)
	}
	storetest.Released(t, s, version, version >= 2)
	var days int
	must(t, s.readers.QueryRowContext(t.Context(), "select count(*) from summed_days where claim is null").Scan(&days))
	if kept := made != nil && made("scopes"); (days > 0) == (s.outbox && !kept) { // a file with an outbox keeps the days from its own time on
		t.Errorf("%d days are kept of the rows that were there", days)
	}
	// what stood in rows before there were packs is corrected, and followed by packs
	day := timegrid.NewSpan(t0, t0.Add(72*time.Hour))
	count := func() (n int) {
		must(t, s.Read(t.Context(), []district.SeriesID{pv}, day, func(district.Sample) error { n++; return nil }))
		return n
	}
	before := count()
	changed := district.Sample{Series: pv, Time: store.Instant(t0), Value: 123.5}
	must(t, s.Append(t.Context(), []district.Sample{changed, {Series: pv, Time: t0.Add(60 * time.Hour), Value: 1}}))
	for _, when := range []string{"staged", "moved"} {
		if n := count(); n != before+1 {
			t.Errorf("%s: %d samples, want %d", when, n, before+1)
		}
		at, err := s.Latest(t.Context(), []district.SeriesID{pv}, t0)
		must(t, err)
		if at[pv] != changed {
			t.Errorf("%s: corrected sample is %v, want %v", when, at[pv], changed)
		}
		moveNow(t, s)
	}
	if made != nil && made("damaged_packs") {
		var n int
		must(t, s.readers.QueryRowContext(t.Context(), "select count(*) from damaged_packs").Scan(&n))
		if n != 1 {
			t.Errorf("%d damaged packs are set aside, want 1", n)
		}
	}
}

// tables returns every column of every table of a file.
func tables(t *testing.T, s *Store) (out []string) {
	t.Helper()
	rows, err := s.readers.QueryContext(t.Context(), `select m.type || ' ' || m.name || ' ' || coalesce(c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || c.pk, '')
		from sqlite_schema m left join pragma_table_info(m.name) c where m.name not like 'sqlite_%' order by 1`)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var line string
		must(t, rows.Scan(&line))
		out = append(out, line)
	}
	must(t, rows.Err())
	return out
}

// TestForecastErrorsOfBefore: errors of forecasts that were written when all were of sites and in kW stay, as those of no device.
func TestForecastErrorsOfBefore(t *testing.T) {
	text, err := os.ReadFile("testdata/schemas/0024.sql")
	must(t, err)
	path := filepath.Join(t.TempDir(), "quartier.db")
	db, err := sql.Open("sqlite", path)
	must(t, err)
	_, err = db.ExecContext(t.Context(), string(text))
	must(t, err)
	day := time.Date(2031, 5, 1, 0, 0, 0, 0, time.UTC)
	_, err = db.ExecContext(t.Context(), `insert into forecast_errors(district, site, quantity, day_us, lead_min, replayed, count, absolute_kw, persistence_kw, measured_kw, banded, covered, pinball_kw)
		values('fontaine', 'ecole', 'load', ?, 180, 1, 24, 1.5, 2.5, 30.25, 20, 16, 0.125)`, store.Micro(day))
	must(t, err)
	must(t, db.Close())
	got, err := openAt(t, path, Options{}).ForecastErrors(t.Context(), "fontaine", timegrid.NewSpan(day, day.Add(time.Hour)))
	must(t, err)
	want := district.ForecastError{District: "fontaine", Site: "ecole", Quantity: district.ForecastLoad, Day: day, LeadMinutes: 180, Replayed: true, Count: 24, Absolute: 1.5, Persistence: 2.5, Measured: 30.25, Banded: 20, Covered: 16, Pinball: 0.125}
	if len(got) != 1 || got[0] != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
