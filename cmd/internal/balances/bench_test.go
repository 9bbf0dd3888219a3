package balances

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/ped"
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

func (s bySlots) ObservedDays(ctx context.Context, o store.Observation, sp timegrid.Span, zone *time.Location) ([][]byte, error) {
	return o.Sum(ctx, s, slices.Collect(sp.Days(zone)))
}

// fillObserved puts a reading every quarter-hour of the room, the inverter and its limit of each site and of the sun into a record, and sums them by day.
func fillObserved(b *testing.B, s store.Store, d *district.District, sp timegrid.Span) {
	b.Helper()
	o := Observation(d)
	var list []district.Sample
	save := func() {
		if err := s.Append(b.Context(), list); err != nil {
			b.Fatal(err)
		}
		list = list[:0]
	}
	n := 0
	for slot := range sp.Slots(15 * time.Minute) {
		for _, id := range o.Series {
			v := float64(n*13%500) / 10
			switch _, _, _, quantity, _ := id.Parts(); quantity {
			case district.PowerKW:
				v = -v
			case district.LimitShare:
				v = min(1, v/20)
			}
			list = append(list, district.Sample{Series: id, Time: slot.Start, Value: v})
			n++
		}
		if len(list) > 50_000 {
			save()
		}
	}
	save()
	later := sp.End.Add(48 * time.Hour)
	if err := s.Refresh(b.Context(), later); err != nil {
		b.Fatal(err)
	}
	if err := s.SumObserved(b.Context(), o, d.Zone, later); err != nil {
		b.Fatal(err)
	}
}

// manySites is a boundary of most sites.
var manySites = balance.Together("site01", "site02", "site03", "site04", "site05", "site06", "site07")

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
	if err := s.SumBalances(b.Context(), id, paris, sp.End.Add(24*time.Hour), manySites); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkYear makes a district's statement of a year by month, the same with the positive-energy balance by five profiles, of the district and of seven of its nine sites netted with each other, with cars and without, and the same with
// the indicators of nine rooms and nine inverters with limits, among the quarter-hours of its sites over two years and of other
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
	several := year
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		p := profile(id, 2, balance.Apart(manySites)...)
		if id > "c" {
			p.Excluded = []ped.Use{ped.Mobility}
		}
		several.Profiles = append(several.Profiles, p)
	}
	watching := year // with rooms, inverters and limits
	equipped := *d
	equipped.Devices = []district.Device{{ID: "weather", Kind: district.Weather}}
	for i := range sites {
		equipped.Sites = append(equipped.Sites, district.Site{ID: fmt.Sprintf("site%02d", i+1), Devices: []district.Device{{ID: "hp", Kind: district.HeatPump, HeatPump: &district.HeatPumpParams{MinC: 19, MaxC: 24}},
			{ID: "pv", Kind: district.PV, PV: &district.PVParams{PeakKW: 40}}}})
	}
	watching.District = &equipped
	for name, open := range stores {
		s := open()
		b.Cleanup(func() { _ = s.Close() })
		fillYears(b, s, "d", sites, timegrid.NewSpan(date(2025, 1, 1), date(2026, 11, 21)))
		fillObserved(b, s, &equipped, timegrid.NewSpan(date(2026, 1, 1), date(2026, 11, 21)))
		others := 0
		for _, more := range []int{0, 2} {
			for ; others < more; others++ {
				fillYears(b, s, fmt.Sprintf("other%d", others), sites, timegrid.NewSpan(date(2026, 1, 1), date(2026, 11, 21)))
			}
			for _, what := range []string{"year", "profiles", "several", "observed"} {
				q := map[string]Query{"year": year, "profiles": whole, "several": several, "observed": watching}[what]
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
