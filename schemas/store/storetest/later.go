package storetest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/store/evolve"
	"quartier/schemas/timegrid"
)

// later are the rows that records of later versions hold beside those of [Released]; testdata/rows of each store has them as the migrations made room for them.
var (
	laterFigure  = figure("ecole", "carbon_kg", 1, 1, 0.25)
	laterCarrier = balance.CarrierRow{District: "fontaine", Site: "_", Carrier: balance.Heat, Start: t0, Step: 15 * time.Minute, DeliveredWh: 1 << 40, ExportedWh: 2, GeneratedWh: 3, ConvertedWh: 4, ChargeWh: 5,
		DischargeWh: 6, ConsumedWh: 7, ResidualWh: -8, Coverage: 0.5, Method: balance.SimilarDays | balance.Missing}
	laterError = district.ForecastError{District: "fontaine", Site: "ecole", Quantity: district.ForecastLoad, Day: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), LeadMinutes: 60, Replayed: true, Count: 96,
		Absolute: 1.5, Persistence: 2.5, Measured: 30.25, Banded: 90, Covered: 72, Pinball: 0.125}
	laterOrder   = orderOf("a", order.LockOut, t0, time.Time{})
	laterOutlook = district.Outlook{District: "fontaine", At: t0, Body: []byte("a\x00\xff")}
)

// Later checks what a store whose schema was brought up to date has of the rows that versions after the first held. made says of which migration, by its name without number, the record had rows, such as figures.
func Later(t *testing.T, s store.Store, made func(migration string) bool) {
	year := timegrid.NewSpan(t0.AddDate(0, -6, 0), t0.AddDate(0, 6, 0))
	same := func(migration string, got any, err error, want any) {
		t.Helper()
		must(t, err)
		if !made(migration) {
			if n := reflect.ValueOf(got).Len(); n > 0 {
				t.Errorf("%d rows of %s, of which the record had none: %+v", n, migration, got)
			}
			return
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("rows of %s are\n%+v, want\n%+v", migration, got, want)
		}
	}
	figures, err := s.Figures(t.Context(), "fontaine", year)
	same("figures", figures, err, []ledger.Figure{laterFigure})
	carriers, err := s.Carriers(t.Context(), "fontaine", "", "", year)
	same("carriers", carriers, err, []balance.CarrierRow{laterCarrier})
	errs, err := s.ForecastErrors(t.Context(), "fontaine", year)
	same("forecast_errors", errs, err, []district.ForecastError{laterError})
	orders, err := s.Orders(t.Context(), "fontaine", year)
	same("orders", orders, err, []order.Order{laterOrder})
	outlooks, err := s.Outlooks(t.Context(), "fontaine", year)
	same("outlooks", outlooks, err, []district.Outlook{laterOutlook})
	rows, err := s.Balances(t.Context(), "fontaine", "_", span(t0, time.Hour))
	must(t, err)
	for i, r := range rows {
		if want := map[bool]balance.Method{true: balance.Estimate}[i == 0 && made("carriers")]; r.Method != want {
			t.Errorf("balance row %d was made by %v, want %v", i, r.Method, want)
		}
	}
}

// Earlier returns the SQL of a record of each version of a schema but the first, as it came about: the record of testdata/schemas/0001.sql, then step by step what the migration does and the rows of testdata/rows that it
// made room for. Which migrations those are is in its second result.
func Earlier(t *testing.T, steps evolve.Steps) (texts map[int]string, made map[int]func(migration string) bool) {
	t.Helper()
	text, err := os.ReadFile("testdata/schemas/0001.sql")
	must(t, err)
	texts, made = map[int]string{}, map[int]func(string) bool{}
	all, names := string(text), []string{}
	for _, step := range steps[1:] {
		rows, err := os.ReadFile(fmt.Sprintf("testdata/rows/%04d.sql", step.Version))
		switch {
		case err == nil:
			names = append(names, strings.TrimSuffix(step.Name[len("0000_"):], ".sql"))
		case !errors.Is(err, fs.ErrNotExist) || step.Version <= lastReleased:
			t.Fatalf("no rows of a record of version %d: %v", step.Version, err)
		}
		all += "\n" + step.SQL + "\n" + string(rows)
		had := slices.Clone(names)
		texts[step.Version], made[step.Version] = all, func(migration string) bool { return slices.Contains(had, migration) }
	}
	return texts, made
}

// lastReleased is the newest migration of which testdata of both stores has rows and checksums.
const lastReleased = 26

// Unchanged checks that migrations are those of testdata/migrations.sha256: one that is released is never edited, since records have gone through it as it was.
func Unchanged(t *testing.T, steps evolve.Steps) {
	t.Helper()
	text, err := os.ReadFile("testdata/migrations.sha256")
	must(t, err)
	want := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if sum, name, ok := strings.Cut(strings.TrimSpace(line), "  "); ok {
			want[name] = sum
		}
	}
	for _, step := range steps {
		if step.Version > lastReleased {
			continue
		}
		if got := fmt.Sprintf("%x", sha256.Sum256([]byte(step.SQL))); got != want[step.Name] {
			t.Errorf("migration %s has the checksum %s, released was %s", step.Name, got, want[step.Name])
		}
		delete(want, step.Name)
	}
	if len(want) > 0 {
		t.Errorf("migrations that were released are gone: %v", want)
	}
}
