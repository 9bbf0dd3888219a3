package balance

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

var (
	t0   = time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	step = 15 * time.Minute
)

func readings(pairs ...float64) []Point { // minute, value, …
	var out []Point
	for i := 0; i < len(pairs); i += 2 {
		out = append(out, Point{Time: t0.Add(time.Duration(pairs[i] * float64(time.Minute))), Value: pairs[i+1]})
	}
	return out
}

// TestCounterEnergy: one table for everything that counters do.
func TestCounterEnergy(t *testing.T) {
	hour := timegrid.NewSpan(t0, t0.Add(time.Hour))
	for _, tt := range []struct {
		name    string
		points  []Point
		rule    CounterRule
		want    []units.WattHours
		covered int
		subst   int
	}{
		{"read at the boundaries", readings(0, 10, 15, 10.25, 30, 10.75, 45, 11, 60, 12), CounterRule{}, []units.WattHours{250, 500, 250, 1000}, 4, 0},
		{"read in between", readings(-5, 9.9, 10, 10.2, 20, 10.4, 70, 11.4), CounterRule{}, []units.WattHours{300, 300, 300, 300}, 4, 0},
		{"a gap of two hours is spread and marked", readings(-60, 8, 60, 12), CounterRule{}, []units.WattHours{500, 500, 500, 500}, 4, 4},
		{"nothing before the first reading", readings(30, 5, 60, 6), CounterRule{}, []units.WattHours{0, 0, 500, 500}, 2, 0},
		{"rolls over", readings(0, 9999.5, 30, 0.5, 60, 1.5), CounterRule{RollsAtKWh: 10000, MaxKW: 50}, []units.WattHours{500, 500, 500, 500}, 4, 0},
		{"reset to zero", readings(0, 500, 30, 1, 60, 2), CounterRule{MaxKW: 50}, []units.WattHours{500, 500, 500, 500}, 4, 2},
		{"replaced by a meter with a higher reading", readings(0, 100, 30, 9100, 60, 9101), CounterRule{MaxKW: 50}, []units.WattHours{0, 0, 500, 500}, 2, 2},
		{"a single reading too high is left out", readings(0, 10, 20, 70000, 30, 11, 60, 12), CounterRule{MaxKW: 50}, []units.WattHours{500, 500, 500, 500}, 4, 0},
		{"a single reading of zero is left out", readings(0, 500, 20, 0, 30, 501, 60, 502), CounterRule{MaxKW: 50}, []units.WattHours{500, 500, 500, 500}, 4, 0},
		{"two readings of a new meter are no outliers", readings(0, 500, 20, 3, 30, 3.5, 60, 5), CounterRule{MaxKW: 50}, []units.WattHours{2250, 1250, 750, 750}, 4, 2},
		{"a bad reading is not used", append(readings(0, 10, 60, 12), Point{Time: t0.Add(20 * time.Minute), Value: 1e9, Bad: true}), CounterRule{}, []units.WattHours{500, 500, 500, 500}, 4, 0},
		{"out of order and double", readings(60, 12, 0, 10, 30, 11, 30, 11), CounterRule{}, []units.WattHours{500, 500, 500, 500}, 4, 0},
		{"one reading is none", readings(30, 5), CounterRule{}, []units.WattHours{0, 0, 0, 0}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := CounterEnergy(tt.points, hour, step, tt.rule)
			covered, subst := 0, 0
			for i, e := range got {
				if e.Wh != tt.want[i] {
					t.Errorf("slot %d: %d Wh, want %d Wh", i, e.Wh, tt.want[i])
				}
				if e.Covered {
					covered++
				}
				if e.Substituted {
					subst++
				}
			}
			if covered != tt.covered || subst != tt.subst {
				t.Errorf("covered %d substituted %d, want %d and %d", covered, subst, tt.covered, tt.subst)
			}
		})
	}
}

// TestCounterSumsExactly: whatever the instants of reading, the slots sum to the watt-hour to the difference of the ends, and splitting a span changes nothing.
func TestCounterSumsExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 200).Draw(t, "readings")
		pts := make([]Point, n)
		at, kwh := t0.Add(-time.Minute), rapid.Float64Range(0, 1e6).Draw(t, "first")
		for i := range pts {
			pts[i] = Point{Time: at, Value: kwh}
			at = at.Add(time.Duration(rapid.IntRange(1, 900).Draw(t, "s")) * time.Second)
			kwh += rapid.Float64Range(0, 3).Draw(t, "kwh")
		}
		end := timegrid.Floor(pts[n-1].Time, step)
		if !end.After(t0) {
			return
		}
		whole := CounterEnergy(pts, timegrid.NewSpan(t0, end), step, CounterRule{})
		var sum units.WattHours
		for _, e := range whole {
			sum += e.Wh
		}
		interp := func(x time.Time) float64 {
			for i := 1; i < n; i++ {
				if !pts[i].Time.Before(x) {
					f := float64(x.Sub(pts[i-1].Time)) / float64(pts[i].Time.Sub(pts[i-1].Time))
					return pts[i-1].Value + f*(pts[i].Value-pts[i-1].Value)
				}
			}
			return math.NaN()
		}
		if want := math.Round(interp(end)*1000) - math.Round(interp(t0)*1000); float64(sum) != want {
			t.Fatalf("slots sum to %d Wh, want %v Wh", sum, want)
		}
		cut := t0.Add(time.Duration(rapid.IntRange(0, len(whole)).Draw(t, "cut")) * step)
		parts := append(CounterEnergy(pts, timegrid.NewSpan(t0, cut), step, CounterRule{}), CounterEnergy(pts, timegrid.NewSpan(cut, end), step, CounterRule{})...)
		for i := range whole {
			if parts[i] != whole[i] {
				t.Fatalf("slot %d: %+v in parts, %+v whole", i, parts[i], whole[i])
			}
		}
	})
}

// TestPowerEnergyKeepsTheIntegral: the slots sum to the integral of the step-wise constant power.
func TestPowerEnergyKeepsTheIntegral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 100).Draw(t, "readings")
		var pts []Point
		at, want := t0, 0.0
		for range n {
			d := time.Duration(rapid.IntRange(1, 1800).Draw(t, "s")) * time.Second
			p := rapid.Float64Range(0, 100).Draw(t, "kw")
			pts = append(pts, Point{Time: at, Value: p})
			want += p * d.Hours()
			at = at.Add(d)
		}
		pts = append(pts, Point{Time: at, Value: 0})
		var sum units.WattHours
		for _, e := range PowerEnergy(pts, timegrid.NewSpan(t0, at.Add(step)), step, time.Hour) {
			sum += e.Wh
		}
		if math.Abs(float64(sum)-want*1000) > 0.5001 {
			t.Fatalf("slots sum to %d Wh, want %v Wh", sum, want*1000)
		}
	})
}

// TestRowsClose: every row closes to the watt-hour, at the site and at the district, and the district is the sum of its sites.
func TestRowsClose(t *testing.T) {
	kinds := []district.Kind{district.GridMeter, district.PV, district.Battery, district.HeatPump, district.WaterHeater, district.EVCharger, district.LoadMeter}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "slots")
		sp := timegrid.NewSpan(t0, t0.Add(time.Duration(n)*step))
		var sites [][]Row
		terms := Terms{ImportPrice: []float64{0.2}, ExportPrice: []float64{0.04}, CarbonG: []float64{50}}
		for range rapid.IntRange(1, 5).Draw(t, "sites") {
			var ms []Meter
			for range rapid.IntRange(1, 6).Draw(t, "devices") {
				m := Meter{Kind: rapid.SampledFrom(kinds).Draw(t, "kind"), In: make([]SlotEnergy, n), Out: make([]SlotEnergy, n)}
				for i := range n {
					m.In[i] = SlotEnergy{Wh: units.WattHours(rapid.Int64Range(0, 5000).Draw(t, "in")), Covered: true}
					m.Out[i] = SlotEnergy{Wh: units.WattHours(rapid.Int64Range(0, 5000).Draw(t, "out")), Covered: true}
				}
				ms = append(ms, m)
			}
			sites = append(sites, Site("d", "s", ms, sp, step, terms))
		}
		whole := District("d", sites, sp, step, terms)
		for i, d := range whole {
			var net, shared units.WattHours
			for _, s := range sites {
				if u := s[i].Unexplained(); u != 0 {
					t.Fatalf("site row is open by %d Wh: %+v", u, s[i])
				}
				if s[i].OtherWh < 0 {
					t.Fatalf("consumption %d Wh", s[i].OtherWh)
				}
				net += s[i].ImportWh - s[i].ExportWh
				shared += s[i].SharedWh
			}
			if d.Unexplained() != 0 || d.ImportWh-d.ExportWh != net || (d.ImportWh > 0 && d.ExportWh > 0) || shared != d.SharedWh {
				t.Fatalf("district row %+v: open %d, net %d want %d, shared %d of sites", d, d.Unexplained(), d.ImportWh-d.ExportWh, net, shared)
			}
		}
		sum := Sum(whole)
		if sum.Unexplained() != 0 {
			t.Fatalf("sum is open by %d Wh", sum.Unexplained())
		}
	})
}

// TestSiteWithoutLoadMeter: what is left is other consumption; what cannot be consumption is the residual.
func TestSiteWithoutLoadMeter(t *testing.T) {
	sp := timegrid.NewSpan(t0, t0.Add(2*step))
	one := func(wh ...units.WattHours) []SlotEnergy {
		var out []SlotEnergy
		for _, w := range wh {
			out = append(out, SlotEnergy{Wh: w, Covered: true})
		}
		return out
	}
	rows := Site("d", "s", []Meter{
		{Kind: district.GridMeter, In: one(500, 0), Out: one(0, 900)},
		{Kind: district.PV, In: one(0, 0), Out: one(1000, 800)},
		{Kind: district.EVCharger, In: one(300, 0), Out: one(0, 0)},
	}, sp, step, Terms{})
	if rows[0].OtherWh != 1200 || rows[0].ResidualWh != 0 {
		t.Errorf("other %d Wh residual %d Wh, want 1200 and 0", rows[0].OtherWh, rows[0].ResidualWh)
	}
	if rows[1].OtherWh != 0 || rows[1].ResidualWh != 100 {
		t.Errorf("other %d Wh residual %d Wh, want 0 and 100 (the grid meter fed more than the sun gave)", rows[1].OtherWh, rows[1].ResidualWh)
	}
}

// TestIndicators reproduce a worked example of four hourly steps: supply cover 0.75, load cover 9/13.
func TestIndicators(t *testing.T) {
	g, l := []float64{0, 2, 6, 4}, []float64{2, 4, 3, 4}
	var rows []Row
	for i := range g {
		net := l[i] - g[i]
		rows = append(rows, Row{Start: t0.Add(time.Duration(i) * time.Hour), Step: time.Hour, ProductionWh: units.Energy(g[i]).WattHours(), OtherWh: units.Energy(l[i]).WattHours(),
			ImportWh: units.Energy(max(0, net)).WattHours(), ExportWh: units.Energy(max(0, -net)).WattHours()})
	}
	s := Sum(rows)
	if sc, _ := s.SelfConsumption(); math.Abs(sc-0.75) > 1e-9 {
		t.Errorf("self-consumption %v, want 0.75", sc)
	}
	if ss, _ := s.SelfSufficiency(); math.Abs(ss-9.0/13) > 1e-9 {
		t.Errorf("self-sufficiency %v, want %v", ss, 9.0/13)
	}
}

// TestSelfSufficiencyWithStorage: the figure is that of the formula over the slots, sum of min(g - s+ + s-, l) by sum of l, and there is none while what
// was drawn to fill storage outweighs it.
func TestSelfSufficiencyWithStorage(t *testing.T) {
	for _, tt := range []struct {
		name          string
		g, l, in, out []float64 // kWh a slot: production, consumption, charge, discharge
		want          float64
		known         bool
	}{
		{name: "a battery filled by the sun", g: []float64{6, 0}, l: []float64{2, 4}, in: []float64{4, 0}, out: []float64{0, 3}, want: 5.0 / 6, known: true},
		{name: "filled at night, not used yet", g: []float64{0, 0}, l: []float64{1, 1}, in: []float64{5, 5}, out: []float64{0, 0}, known: false},
		{name: "filled at night and used", g: []float64{0, 0}, l: []float64{1, 9}, in: []float64{9, 0}, out: []float64{0, 8}, want: 0, known: true}, // its losses are no store
		{name: "filled at night, then sun", g: []float64{0, 12}, l: []float64{2, 12}, in: []float64{3, 0}, out: []float64{0, 0}, want: 9.0 / 14, known: true},
		{name: "no storage, no sun", g: []float64{0}, l: []float64{3}, in: []float64{0}, out: []float64{0}, want: 0, known: true},
	} {
		var rows []Row
		covered, used := 0.0, 0.0
		for i := range tt.g {
			left := tt.g[i] - tt.in[i] + tt.out[i]
			covered += min(left, tt.l[i])
			used += tt.l[i]
			net := tt.l[i] - left
			rows = append(rows, Row{Start: t0.Add(time.Duration(i) * time.Hour), Step: time.Hour, ProductionWh: units.Energy(tt.g[i]).WattHours(), OtherWh: units.Energy(tt.l[i]).WattHours(),
				ChargeWh: units.Energy(tt.in[i]).WattHours(), DischargeWh: units.Energy(tt.out[i]).WattHours(), ImportWh: units.Energy(max(0, net)).WattHours(), ExportWh: units.Energy(max(0, -net)).WattHours()})
		}
		sum := Sum(rows)
		got, known := sum.SelfSufficiency()
		if known != tt.known || math.Abs(got-tt.want) > 1e-9 || known && math.Abs(got-max(0, covered/used)) > 1e-9 {
			t.Errorf("%s: self-sufficiency %v, %v; want %v, %v, by the formula %v", tt.name, got, known, tt.want, tt.known, covered/used)
		}
	}
}

// TestStation: in every slot that all stations measured, what the sites drew net and the station's residual are exactly what the stations metered net; elsewhere the residual is zero,
// the balance of the sites is as without a station, and sums stay exact.
func TestStation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 12).Draw(t, "slots")
		sp := timegrid.NewSpan(t0, t0.Add(time.Duration(n)*step))
		energy := rapid.Custom(func(t *rapid.T) SlotEnergy {
			return SlotEnergy{Wh: units.WattHours(rapid.Int64Range(0, 1<<40).Draw(t, "wh")), Covered: rapid.IntRange(0, 4).Draw(t, "gap") > 0}
		})
		meter := func(k district.Kind) Meter {
			return Meter{Kind: k, In: rapid.SliceOfN(energy, n, n).Draw(t, "in"), Out: rapid.SliceOfN(energy, n, n).Draw(t, "out")}
		}
		var sites [][]Row
		for range rapid.IntRange(1, 4).Draw(t, "sites") {
			sites = append(sites, Site("d", "s", []Meter{meter(district.GridMeter), meter(district.PV)}, sp, step, Terms{}))
		}
		rows := District("d", sites, sp, step, Terms{})
		before := append([]Row(nil), rows...)
		var stations []Meter
		for range rapid.IntRange(0, 3).Draw(t, "stations") {
			stations = append(stations, meter(district.Substation))
		}
		Station(rows, stations)
		sum := units.WattHours(0)
		for i, r := range rows {
			metered, covered := units.WattHours(0), len(stations) > 0
			for _, m := range stations {
				metered += m.In[i].Wh - m.Out[i].Wh
				covered = covered && m.In[i].Covered && m.Out[i].Covered
			}
			if covered && r.NetWh()+r.StationResidualWh != metered {
				t.Fatalf("slot %d: sites %d Wh and residual %d Wh, the stations metered %d Wh", i, r.NetWh(), r.StationResidualWh, metered)
			}
			if !covered && r.StationResidualWh != 0 {
				t.Fatalf("slot %d: residual %d Wh of a station that did not measure", i, r.StationResidualWh)
			}
			sum += r.StationResidualWh
			if r.StationResidualWh = 0; r != before[i] || r.Unexplained() != 0 {
				t.Fatalf("slot %d: the balance of the sites changed from %+v to %+v", i, before[i], r)
			}
		}
		if got := Sum(rows).StationResidualWh; got != sum {
			t.Fatalf("the sum has %d Wh, want %d Wh", got, sum)
		}
	})
}

// TestCoverageOfADistrictIsWhole: where every site measured everything, so did the district, to the last bit: what falls short of 1 is never shown as whole.
func TestCoverageOfADistrictIsWhole(t *testing.T) {
	sp := timegrid.NewSpan(t0, t0.Add(15*time.Minute))
	terms := Terms{ImportPrice: []float64{0}, ExportPrice: []float64{0}, CarbonG: []float64{0}}
	var sites [][]Row
	for n := 1; n <= 60; n++ {
		sites = append(sites, []Row{{Coverage: 1}})
		if got := District("d", sites, sp, 15*time.Minute, terms)[0].Coverage; got != 1 {
			t.Errorf("%d sites that measured everything cover %v of their district", n, got)
		}
	}
}
