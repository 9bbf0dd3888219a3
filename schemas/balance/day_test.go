package balance

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// slots draws rows of a site that follow one another from a time around a clock change on, some missing.
func slots(t *rapid.T, zone *time.Location) []Row {
	at := rapid.SampledFrom([]time.Time{time.Date(2026, 3, 28, 9, 0, 0, 0, zone), time.Date(2026, 10, 24, 18, 0, 0, 0, zone), time.Date(2026, 12, 31, 3, 0, 0, 0, zone)}).Draw(t, "from").UTC()
	step := rapid.SampledFrom([]time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour}).Draw(t, "step")
	at = timegrid.Floor(at, step)
	energy := rapid.Custom(func(t *rapid.T) units.WattHours { return units.WattHours(rapid.Int64Range(0, 5000).Draw(t, "Wh")) })
	var out []Row
	for range rapid.IntRange(1, 300).Draw(t, "slots") {
		if rapid.IntRange(0, 9).Draw(t, "there") > 0 {
			r := Row{District: "d", Site: "_", Start: at, Step: step, ProductionWh: energy.Draw(t, "g"), ChargeWh: energy.Draw(t, "s+"), DischargeWh: energy.Draw(t, "s-"), OtherWh: energy.Draw(t, "l"),
				ResidualWh: energy.Draw(t, "residual") - 2500, CostEUR: rapid.Float64Range(-1, 1).Draw(t, "cost"), Coverage: rapid.Float64Range(0, 1).Draw(t, "coverage")}
			net := r.OtherWh + r.ChargeWh - r.ProductionWh - r.DischargeWh - r.ResidualWh
			r.ImportWh, r.ExportWh = max(0, net), max(0, -net)
			r.Substituted = rapid.Bool().Draw(t, "estimate")
			if r.Substituted {
				r.Method = Method(rapid.IntRange(0, 15).Draw(t, "methods"))
			}
			out = append(out, r)
		}
		at = at.Add(step)
	}
	return out
}

func zones(t testing.TB) []*time.Location {
	var out []*time.Location
	for _, name := range []string{"Europe/Paris", "UTC", "America/St_Johns", "Indian/Reunion"} {
		z, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, z)
	}
	return out
}

// TestDays: the days of any rows together are what the rows are together, each is a civil day, and of the slots they know the largest values and the deviations.
func TestDays(t *testing.T) {
	all := zones(t)
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(all).Draw(t, "zone")
		rows := slots(t, zone)
		var total Total
		var match Match
		var sum CarrierRow
		covered := 0.0
		days := Days(rows, nil, zone)
		for i := range days {
			d := &days[i]
			if civil := timegrid.Day(d.Start, zone); !civil.Start.Equal(d.Start) || !civil.End.Equal(d.End()) || d.Carrier != Electricity || i > 0 && !days[i-1].Start.Before(d.Start) {
				t.Fatalf("day %d is of %v to %v", i, d.Start, d.End())
			}
			if d.Unexplained() != 0 || d.Electric.Total.Unexplained() != 0 {
				t.Fatalf("%v does not close", d.Start)
			}
			total.Merge(&d.Electric.Total)
			match.Merge(&d.Electric.Match)
			sum.Add(&d.CarrierRow)
			covered += d.CoveredHours
		}
		want := Sum(rows)
		near := func(name string, a, b float64) {
			t.Helper()
			if math.Abs(a-b) > 1e-9*(1+math.Abs(a)) {
				t.Fatalf("%s is %v, want %v", name, a, b)
			}
		}
		near("cost", total.CostEUR, want.CostEUR)
		near("coverage", total.Coverage, want.Coverage)
		near("covered hours", covered, want.CoveredHours)
		total.CostEUR, total.Coverage, total.CoveredHours = want.CostEUR, want.Coverage, want.CoveredHours
		if total != want {
			t.Fatalf("days sum to\n%+v, want\n%+v", total, want)
		}
		if sum.DeliveredWh != want.ImportWh || sum.ExportedWh != want.ExportWh || sum.ConsumedWh != want.ConsumptionWh() || sum.ResidualWh != want.ResidualWh {
			t.Fatalf("days sum to\n%+v, want\n%+v", sum, want)
		}
		mean, spread := 0.0, 0.0
		for i := range rows {
			mean -= float64(rows[i].NetWh()) / float64(len(rows))
		}
		var most units.WattHours
		hours := map[time.Time][2]time.Duration{}
		for i := range rows {
			r := &rows[i]
			spread += math.Pow(-float64(r.NetWh())-mean, 2)
			most = max(most, r.NetWh())
			h := hours[timegrid.Floor(r.Start, time.Hour)]
			hours[timegrid.Floor(r.Start, time.Hour)] = [2]time.Duration{h[0] + r.Step, h[1] + time.Duration(r.ProductionWh-r.ConsumptionWh())}
		}
		near("spread", match.NetSpread, spread)
		full, surplus := 0, time.Duration(0)
		for _, h := range hours {
			if h[0] == time.Hour {
				full, surplus = full+1, max(surplus, h[1])
			}
		}
		if match.MostImportWh != most || match.Slots != len(rows) || match.Hours != full || match.MostSurplusWh != units.WattHours(surplus) {
			t.Fatalf("match %+v: want import %d, %d slots, %d full hours with a surplus of %d Wh", match, most, len(rows), full, surplus)
		}
	})
}

// TestWholeHours: days of half an hour's offset from UTC cut hours, those of France do not.
func TestWholeHours(t *testing.T) {
	year := timegrid.NewSpan(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	for i, zone := range zones(t) {
		if got := WholeHours(year, zone); got != (i != 2) {
			t.Errorf("whole hours in %s: %v", zone, got)
		}
	}
}
