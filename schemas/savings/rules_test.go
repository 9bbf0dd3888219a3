package savings

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/balance"
	"quartier/schemas/units"
)

// house makes the rows of a site that draws or feeds net energies, without storage.
func house(net ...units.WattHours) []balance.Row {
	var rows []balance.Row
	for _, n := range net {
		rows = append(rows, balance.Row{Step: step, ImportWh: max(0, n), ExportWh: max(0, -n)})
	}
	return rows
}

// TestByRulesByHand: 1 kWh of sun in two quarter-hours, a battery of 0.9 in and out, a dear evening. The rule stores the sun whatever prices say.
func TestByRulesByHand(t *testing.T) {
	b := Battery{UsableKWh: 5, ChargeKW: 2, DischargeKW: 2, ChargeEfficiency: 0.9, DischargeEfficiency: 0.9}
	terms := balance.Terms{ImportPrice: []float64{0.1, 0.1, 0.3, 0.3}, ExportPrice: []float64{0.05, 0.05, 0.05, 0.05}, CarbonG: []float64{20, 20, 60, 60}}
	got := ByRules([]RuleSite{{Rows: house(-700, -300, 400, 1000), Batteries: []Battery{b}}}, terms)
	// stored: 500 Wh at 2 kW for a quarter, 200 Wh fed in; then 300; 720 Wh stored; 400 Wh out take 444.4; 275.6*0.9 = 248 Wh out; 752 Wh drawn
	if got.ExportWh != 200 || got.ImportWh != 752 {
		t.Errorf("import %d Wh, export %d Wh; want 752 and 200", got.ImportWh, got.ExportWh)
	}
	if want := 0.752*0.3 - 0.2*0.05; math.Abs(got.CostEUR-want) > 1e-12 {
		t.Errorf("cost %v EUR, want %v EUR", got.CostEUR, want)
	}
	if want := 0.752 * 60 / 1000; math.Abs(got.CarbonKg-want) > 1e-12 {
		t.Errorf("carbon %v kg, want %v kg", got.CarbonKg, want)
	}
	if got.StoredKWh > 0.001 {
		t.Errorf("%v kWh left", got.StoredKWh)
	}
	s := got.Against(balance.Row{CostEUR: 0.1, CarbonKg: 0.02}, 0.5)
	if math.Abs(float64(s.EUR)-(got.CostEUR-0.1)) > 1e-12 || math.Abs(s.StoredMoreKWh-0.5) > 0.001 {
		t.Errorf("saving %+v", s)
	}
}

// TestByRulesWithoutStorage: where nothing is stored and no car stands, the rules are what was measured, netted at the boundary.
func TestByRulesWithoutStorage(t *testing.T) {
	terms := balance.Terms{ImportPrice: []float64{0.2, 0.2}, ExportPrice: []float64{0.1, 0.1}, CarbonG: []float64{50, 50}}
	got := ByRules([]RuleSite{{Rows: house(1000, -500)}, {Rows: house(-400, 200)}}, terms)
	if got.ImportWh != 600 || got.ExportWh != 300 {
		t.Errorf("import %d Wh, export %d Wh; want 600 and 300", got.ImportWh, got.ExportWh)
	}
}

// TestByRulesConserves: the battery stays within its bounds and makes no energy, whatever the days.
func TestByRulesConserves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Battery{UsableKWh: rapid.Float64Range(0, 20).Draw(t, "kWh"), ChargeKW: rapid.Float64Range(0, 10).Draw(t, "in"), DischargeKW: rapid.Float64Range(0, 10).Draw(t, "out"),
			ChargeEfficiency: rapid.Float64Range(0.5, 1).Draw(t, "eta in"), DischargeEfficiency: rapid.Float64Range(0.5, 1).Draw(t, "eta out")}
		b.StoredKWh = b.UsableKWh * rapid.Float64Range(0, 1).Draw(t, "stored")
		begin := b.StoredKWh
		var in, out float64
		for range rapid.IntRange(1, 200).Draw(t, "slots") {
			net := units.WattHours(rapid.Int64Range(-5000, 5000).Draw(t, "net"))
			e := b.step(net, step)
			switch {
			case e > 0 && (net >= 0 || e > -net), e < 0 && (net <= 0 || -e > net):
				t.Fatalf("%d Wh at a net of %d Wh", e, net)
			case e.KWh() > b.ChargeKW*step.Hours()+1e-9 || -e.KWh() > b.DischargeKW*step.Hours()+1e-9:
				t.Fatalf("%d Wh beyond the power", e)
			case b.StoredKWh < -1e-9 || b.StoredKWh > b.UsableKWh+1e-9:
				t.Fatalf("%v kWh stored of %v", b.StoredKWh, b.UsableKWh)
			}
			in, out = in+max(0, e.KWh()), out+max(0, -e.KWh())
		}
		if d := begin + in*b.ChargeEfficiency - out/b.DischargeEfficiency - b.StoredKWh; math.Abs(d) > 1e-6 {
			t.Fatalf("%v kWh are lost or made", d)
		}
	})
}

// TestPeaks: two sites over three hours. The first draws 4, 10 and 2 kWh and its battery gave 3 kWh in the second hour and took 1 in the third; its car, which charged 6 kWh in the third hour, came in the second. The second feeds
// 1, 2 and 0 kWh. Measured at the boundary: 4-1 = 3, 10-3-2 = 5, 2+1+6 = 9. Without storage and with the car on arrival: 3, 10+6-2 = 14, 2. By rules, from an empty battery that the first site's own sun never fills: the same.
// From 5 kWh in store it gives 4 in the first hour, by which the second site feeds 1, and 1 in the second: 15-2 = 13.
func TestPeaks(t *testing.T) {
	row := func(imp, exp, charge, discharge, cars units.WattHours) balance.Row {
		return balance.Row{Step: time.Hour, ImportWh: imp, ExportWh: exp, ChargeWh: charge, DischargeWh: discharge, CarsWh: cars}
	}
	sites := []RuleSite{
		{Rows: []balance.Row{row(4000, 0, 0, 0, 0), row(7000, 0, 0, 3000, 0), row(9000, 0, 1000, 0, 6000)}, Cars: []units.WattHours{0, 6000, 0}, Batteries: []Battery{{UsableKWh: 10, ChargeKW: 5, DischargeKW: 5, ChargeEfficiency: 1, DischargeEfficiency: 1}}},
		{Rows: []balance.Row{row(0, 1000, 0, 0, 0), row(0, 2000, 0, 0, 0), row(0, 0, 0, 0, 0)}},
	}
	whole := []balance.Row{{ImportWh: 3000}, {ImportWh: 5000}, {ImportWh: 9000}}
	if got, want := PeaksOf(whole, sites), (Peaks{ImportWh: 9000, UncontrolledWh: 14000, ByRulesWh: 14000}); got != want {
		t.Errorf("peaks %+v, want %+v", got, want)
	}
	sites[0].Batteries[0].StoredKWh = 5
	if got, want := PeaksOf(whole, sites), (Peaks{ImportWh: 9000, UncontrolledWh: 14000, ByRulesWh: 13000}); got != want {
		t.Errorf("peaks with a battery that holds 5 kWh %+v, want %+v", got, want)
	}
	if sites[0].Batteries[0].StoredKWh != 5 {
		t.Error("the comparison changed the battery that it was given")
	}
}
