package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/store"
	"quartier/schemas/store/daily"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Boundaries of several sites, of which the latter has a name too long to be a key.
var (
	bothSites = balance.Together("mairie", "ecole")
	manySites = balance.Together("mairie", "ecole", "_", strings.Repeat("annexe", 9), strings.Repeat("atelier", 9))
)

// asSlots checks that the daily balances are what the slots sum to, bit for bit, of every zone and site.
func asSlots(t *testing.T, s store.Store, districtID string, sp timegrid.Span, zones []*time.Location) {
	t.Helper()
	for _, zone := range zones {
		first, last := timegrid.Day(sp.Start, zone).End, timegrid.Day(sp.End, zone).Start
		for _, site := range []string{"", "ecole", bothSites, manySites} {
			want, err := daily.FromRows(t.Context(), s, districtID, site, timegrid.Span{Start: first, End: last}, zone)
			must(t, err)
			got, err := s.BalanceDays(t.Context(), districtID, site, timegrid.Span{Start: first.Add(-time.Microsecond), End: last}, zone)
			must(t, err)
			if !slices.EqualFunc(got, want, sameDay) {
				t.Fatalf("daily balances of %q in %s are\n%s\nwant, from the slots,\n%s", site, zone, showDays(got), showDays(want))
			}
		}
	}
}

// sameDay reports whether two days are the same; times are UTC and to the microsecond on both sides.
func sameDay(a, b balance.Day) bool {
	if (a.Electric == nil) != (b.Electric == nil) || a.Electric != nil && *a.Electric != *b.Electric {
		return false
	}
	a.Electric, b.Electric = nil, nil
	return a == b
}

func showDays(days []balance.Day) (out string) {
	for i, d := range days {
		if i == 6 {
			return out + "…"
		}
		out += fmt.Sprintf("%s %s %s: %+v", d.Start.Format(time.RFC3339), d.Site, d.Carrier, d)
		if d.Electric != nil {
			out += fmt.Sprintf(" %+v", *d.Electric)
		}
		out += "\n"
	}
	return out
}

// someRows are slots of the sites of a district over a span, with random energies.
func someRows(rng *rand.Rand, districtID string, sp timegrid.Span) (rows []balance.Row, others []balance.CarrierRow) {
	wh := func() units.WattHours { return units.WattHours(rng.IntN(9000)) }
	sites := []string{"_", "ecole", "mairie"}
	for slot := range sp.Slots(15 * time.Minute) {
		for _, site := range sites[:1+rng.IntN(3)] {
			rows = append(rows, balance.Row{District: districtID, Site: site, Start: slot.Start, Step: 15 * time.Minute, ImportWh: wh(), ExportWh: wh(), ProductionWh: wh(), ChargeWh: wh(), DischargeWh: wh(),
				HeatWh: wh(), CarsWh: wh(), OtherWh: wh(), ResidualWh: wh() - 4000, SharedWh: wh(), CostEUR: rng.NormFloat64(), CarbonKg: rng.Float64(), BaselineCostEUR: rng.Float64(), Coverage: rng.Float64(),
				Substituted: rng.IntN(4) == 0, Method: balance.Method(rng.IntN(3))})
			if rng.IntN(3) == 0 {
				others = append(others, balance.CarrierRow{District: districtID, Site: site, Carrier: []balance.Carrier{balance.Heat, balance.Gas}[rng.IntN(2)], Start: slot.Start, Step: 15 * time.Minute,
					DeliveredWh: wh(), ConvertedWh: wh(), ConsumedWh: wh(), Coverage: rng.Float64(), Method: balance.Method(rng.IntN(2))})
			}
		}
	}
	return rows, others
}

func dayZones(t *testing.T) []*time.Location {
	t.Helper()
	reunion, err := time.LoadLocation("Indian/Reunion")
	must(t, err)
	return []*time.Location{paris(t), reunion, time.UTC}
}

// balanceDays: whatever is saved, saved again, corrected or late, and whenever the days are summed, they are what the slots sum to.
func balanceDays(t *testing.T, s store.Store) {
	zones := dayZones(t)
	for _, zone := range zones {
		must(t, s.SumBalances(t.Context(), "fontaine", zone, t0)) // of nothing
	}
	days, err := s.BalanceDays(t.Context(), "fontaine", "", span(t0, 48*time.Hour), paris(t))
	must(t, err)
	if len(days) != 0 {
		t.Errorf("daily balances of nothing: %v", days)
	}
	for n, change := range []time.Time{time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)} {
		rng := rand.New(rand.NewPCG(uint64(n), 22))
		district := []string{"fontaine", "verger"}[n]
		sp := timegrid.NewSpan(change.Add(-50*time.Hour), change.Add(50*time.Hour))
		for range 5 {
			from := timegrid.Floor(sp.Start.Add(time.Duration(rng.Int64N(int64(sp.Duration())))), 15*time.Minute)
			part := timegrid.NewSpan(from, from.Add(time.Duration(1+rng.IntN(150))*15*time.Minute))
			if part.End.After(sp.End) {
				part.End = sp.End
			}
			if rng.IntN(3) == 0 {
				part.End = part.Start.Add(15 * time.Minute)
			}
			rows, others := someRows(rng, district, part)
			if rng.IntN(4) == 0 { // ends far apart
				more, _ := someRows(rng, district, timegrid.NewSpan(sp.Start, sp.Start.Add(15*time.Minute)))
				rows = append(rows, more...)
			}
			must(t, s.SaveBalances(t.Context(), rows))
			must(t, s.SaveCarriers(t.Context(), others))
			if rng.IntN(2) == 0 {
				must(t, s.SaveBalances(t.Context(), rows)) // again
			}
			if rng.IntN(4) > 0 {
				must(t, s.SumBalances(t.Context(), district, zones[rng.IntN(2)], sp.Start.Add(time.Duration(rng.Int64N(int64(sp.Duration()+40*time.Hour)))), []string{bothSites, manySites, "ecole"}[:rng.IntN(4)]...))
			}
			asSlots(t, s, district, sp, zones[:2])
		}
		for _, zone := range zones {
			must(t, s.SumBalances(t.Context(), district, zone, sp.End.Add(24*time.Hour), bothSites, manySites))
		}
		asSlots(t, s, district, sp, zones)
	}
}

// balanceDaysTogether: rows that are saved while days are being summed are in the days.
func balanceDaysTogether(t *testing.T, s store.Store) {
	zone := paris(t)
	sp := span(t0, 3*24*time.Hour)
	rows, others := someRows(rand.New(rand.NewPCG(1, 1)), "fontaine", sp)
	must(t, s.SaveBalances(t.Context(), rows))
	must(t, s.SaveCarriers(t.Context(), others))
	var wg sync.WaitGroup
	for n := range 3 {
		wg.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(n), 5))
			for range 8 {
				from := sp.Start.Add(time.Duration(rng.IntN(3*96)) * 15 * time.Minute)
				rows, others := someRows(rng, "fontaine", span(from, time.Hour))
				if err := s.SaveBalances(t.Context(), rows); err != nil {
					t.Error(err)
				}
				if err := s.SaveCarriers(t.Context(), others); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for range 5 {
				if err := s.SumBalances(t.Context(), "fontaine", zone, sp.End, bothSites); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	asSlots(t, s, "fontaine", sp, []*time.Location{zone})
}
