package balances

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/daily"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/store/storetest"
	"quartier/schemas/store/timescale"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// bySlots is a record that keeps no sums of days.
type bySlots struct{ store.Store }

func (s bySlots) BalanceDays(ctx context.Context, districtID, site string, sp timegrid.Span, zone *time.Location) ([]balance.Day, error) {
	return daily.FromRows(ctx, s, districtID, site, sp, zone)
}

// fillYears puts quarter-hours of a district and its sites into a record, and sums them by day.
func fillYears(b *testing.B, s store.Store, id string, sites int, sp timegrid.Span) {
	b.Helper()
	var rows []balance.Row
	save := func() {
		if err := s.SaveBalances(b.Context(), rows); err != nil {
			b.Fatal(err)
		}
		rows = rows[:0]
	}
	n := 0
	for slot := range sp.Slots(15 * time.Minute) {
		for i := range sites + 1 {
			name := "_"
			if i > 0 {
				name = fmt.Sprintf("site%02d", i)
			}
			r := balance.Row{District: id, Site: name, Start: slot.Start, Step: 15 * time.Minute, OtherWh: units.WattHours(400 + n%700), ProductionWh: units.WattHours(n * 7 % 900), Coverage: 1, CostEUR: float64(n%90) / 1000}
			net := r.OtherWh - r.ProductionWh
			r.ImportWh, r.ExportWh = max(0, net), max(0, -net)
			rows = append(rows, r)
			n++
		}
		if len(rows) > 4000 {
			save()
		}
	}
	save()
	if err := s.SumBalances(b.Context(), id, paris, sp.End.Add(24*time.Hour)); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkYear makes a district's statement of a year by month, and the same with its indicators and the positive-energy balance by five profiles, among the quarter-hours of its sites over two years and of other
// districts over one: from the sums of days that a record keeps, and from the slots. QUARTIER_TEST_DATABASE_URL has it do so in the database as well.
//
//	go test ./cmd/internal/balances -run '^$' -bench Year -benchtime 20x
func BenchmarkYear(b *testing.B) {
	stores := map[string]func() store.Store{"sqlite": func() store.Store {
		s, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "quartier.db"), sqlite.Options{})
		if err != nil {
			b.Fatal(err)
		}
		return s
	}}
	if os.Getenv("QUARTIER_TEST_DATABASE_URL") != "" {
		stores["timescale"] = func() store.Store {
			s, err := timescale.Open(b.Context(), storetest.Database(b), timescale.Options{})
			if err != nil {
				b.Fatal(err)
			}
			return s
		}
	}
	const sites = 9
	d := &district.District{ID: "d", Zone: paris, Step: 15 * time.Minute, ImportLimitKW: 500}
	month, err := ParseStep("month", d.Step)
	if err != nil {
		b.Fatal(err)
	}
	year := Query{District: d, Site: "_", Span: timegrid.NewSpan(date(2026, 1, 1), date(2027, 1, 1)), Step: month}
	whole := year
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		whole.Profiles = append(whole.Profiles, profile(id, 2))
	}
	for name, open := range stores {
		s := open()
		b.Cleanup(func() { _ = s.Close() })
		fillYears(b, s, "d", sites, timegrid.NewSpan(date(2025, 1, 1), date(2026, 11, 21)))
		others := 0
		for _, more := range []int{0, 2} {
			for ; others < more; others++ {
				fillYears(b, s, fmt.Sprintf("other%d", others), sites, timegrid.NewSpan(date(2026, 1, 1), date(2026, 11, 21)))
			}
			for _, what := range []string{"year", "profiles"} {
				q := map[string]Query{"year": year, "profiles": whole}[what]
				for _, way := range []string{"slots", "days"} {
					from := store.Store(s)
					if way == "slots" {
						from = bySlots{s}
					}
					b.Run(fmt.Sprintf("store=%s/districts=%d/what=%s/way=%s", name, 1+others, what, way), func(b *testing.B) {
						for b.Loop() {
							out, err := Make(b.Context(), from, q)
							if err != nil || len(out.Rows) != 11 || len(out.PED) != len(q.Profiles) {
								b.Fatalf("%d months, %d balances: %v", len(out.Rows), len(out.PED), err)
							}
						}
					})
				}
			}
		}
	}
}
