package certify_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quartier/optimizer/certify"
	"quartier/optimizer/problem"
)

// one returns a problem of one site with one device in hourly steps and prices of 0.1 EUR/kWh in, 0.05 out.
func one(steps int, d problem.Device) *problem.Problem {
	p := &problem.Problem{Version: 1, Start: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), StepMinutes: 60, Steps: steps, Sites: []problem.Site{{ID: "s", Devices: []problem.Device{d}}}}
	p.Grid.ImportPrice, p.Grid.ExportPrice = flat(0.1, steps), flat(0.05, steps)
	p.Fill()
	return p
}

func flat(v float64, n int) []float64 {
	out := make([]float64, n)
	for i := range out {
		out[i] = v
	}
	return out
}

func plan(kw ...float64) *problem.Solution {
	return &problem.Solution{Sites: []problem.SiteSolution{{ID: "s", Devices: []problem.DeviceSolution{{ID: "d", PowerKW: kw}}}}}
}

// TestViolations: each limit of each kind is found, named with its step and amount, and nothing else is.
func TestViolations(t *testing.T) {
	battery := &problem.Battery{DeviceID: "d", CapacityKWh: 4, MinKWh: 1, InitialKWh: 2, FinalMinKWh: 2, ChargeKW: 3, DischargeKW: 2, ChargeEfficiency: 0.5, DischargeEfficiency: 0.5}
	car := problem.NewEV("d")
	car.CapacityKWh, car.MaxKW, car.MinKW, car.DischargeKW = 10, 4, 1, 2
	car.Sessions = []problem.Session{{ArriveStep: 1, DepartStep: 3, InitialKWh: 3, TargetKWh: 5}}
	pump := problem.NewHeatPump("d")
	pump.MaxKW, pump.MinKW, pump.COP, pump.MinOnSteps, pump.MinOffSteps, pump.InitialSteps = 2, 1, flat(3, 4), 2, 2, 1
	pump.Zone = problem.Zone{CapacityKWhPerK: 2, ResistanceKPerKW: 5, InitialC: 20, OutdoorC: flat(5, 4), GainsKW: flat(0, 4), MinC: flat(19, 4), MaxC: flat(22, 4)}
	idle := *pump
	idle.MinKW = 0
	tank := problem.NewWaterHeater("d")
	tank.MaxKW, tank.MinKW, tank.COP, tank.CapacityKWh, tank.InitialKWh, tank.DrawKW = 2, 1, flat(1, 2), 3, 2, []float64{0, 4}
	narrow := *tank
	narrow.CapacityByStepKWh = []float64{3, 0.5}
	washer := &problem.Shiftable{DeviceID: "d", ProfileKW: []float64{2, 1}, EarliestStep: 1, LatestStep: 2}
	pool := &problem.Flexible{DeviceID: "d", EnergyKWh: 2, MaxKW: 1, EarliestStep: 1, LatestStep: 3}
	roof := &problem.PV{DeviceID: "d", AvailableKW: []float64{1, 2}, Curtailable: true}
	fixed := &problem.PV{DeviceID: "d", AvailableKW: []float64{1, 2}}
	for _, tt := range []struct {
		name  string
		p     *problem.Problem
		s     *problem.Solution
		wants string
	}{
		{"pv in range", one(2, roof), plan(0, -2), ""},
		{"pv above", one(2, roof), plan(-1.5, 0.25), "s/d: above available power in step 0 by 0.5 kW\ns/d: consumes in step 1 by 0.25 kW"},
		{"pv curtailed", one(2, fixed), plan(-1, -1.5), "s/d: is curtailed in step 1 by 0.5 kW"},
		{"battery", one(2, battery), plan(2, 0), ""},
		{"battery energy", one(2, battery), plan(3, 3), "s/d: above capacity in step 1 by 1 kWh"},
		{"battery power", one(3, battery), plan(3.5, -2.5, 3), "s/d: above charge power in step 0 by 0.5 kW\ns/d: above discharge power in step 1 by 0.5 kW\n" +
			"s/d: below minimum energy in step 1 by 2.25 kWh\ns/d: below minimum energy in step 2 by 0.75 kWh\ns/d: below final energy in step 2 by 1.75 kWh"},
		{"car", one(4, car), plan(0, 1, -2, 0), ""},
		{"car away", one(4, car), plan(1, 0.5, 5, -1), "s/d: power without a car in step 0 by 1 kW\ns/d: below minimum power in step 1 by 0.5 kW\n" +
			"s/d: above charge power in step 2 by 1 kW\ns/d: power without a car in step 3 by 1 kW"},
		{"car empty", one(4, car), plan(0, -3, -1, 0), "s/d: above discharge power in step 1 by 1 kW\ns/d: below empty in step 2 by 1 kWh"},
		{"pump", one(4, pump), plan(0, 1, 2, 0), ""},
		{"pump states", one(4, pump), plan(1, 0, 1, 3), "s/d: minimum time off in step 0 by 1 steps\ns/d: minimum time on in step 1 by 1 steps\n" +
			"s/d: minimum time off in step 2 by 1 steps\ns/d: above maximum power in step 3 by 1 kW"},
		{"pump below minimum", one(4, pump), plan(0, 0.5, 2, -1), "s/d: below minimum power in step 1 by 0.5 kW\ns/d: negative power in step 3 by 1 kW"},
		{"idle pump off by power", one(4, &idle), plan(0, 1, 0, 0), "s/d: minimum time on in step 2 by 1 steps"},
		{"tank", one(2, tank), plan(1, 2), ""},
		{"tank above", one(2, tank), plan(1.5, 0.5), "s/d: above capacity in step 0 by 0.5 kWh\ns/d: below minimum power in step 1 by 0.5 kW"},
		{"tank within each step", one(2, &narrow), plan(1, 1.5), ""},
		{"tank above one step", one(2, &narrow), plan(1, 2), "s/d: above capacity in step 1 by 0.5 kWh"},
		{"washer", one(4, washer), plan(0, 0, 2, 1), ""},
		{"washer early", one(4, washer), plan(2, 1, 0, 0), "s/d: is no shifted profile by 2 kW"},
		{"washer broken", one(4, washer), plan(0, 2, 0, 1), "s/d: is no shifted profile by 1 kW"},
		{"pool", one(4, pool), plan(0, 1, 0.5, 0), ""},
		{"pool outside", one(4, pool), plan(0.5, 1.5, -0.5, 0), "s/d: power outside the window in step 0 by 0.5 kW\ns/d: above maximum power in step 1 by 0.5 kW\ns/d: negative power in step 2 by 0.5 kW"},
		{"no plan", one(2, roof), &problem.Solution{}, "s/d: no plan"},
		{"short", one(2, roof), plan(0), "s/d: 1 powers for 2 steps"},
		{"not a number", one(2, roof), plan(0, math.NaN()), "s/d: power is no finite number in step 1"},
		{"unknown device", one(2, roof), &problem.Solution{Sites: []problem.SiteSolution{{ID: "s", Devices: []problem.DeviceSolution{{ID: "d", PowerKW: flat(0, 2)}, {ID: "d", PowerKW: flat(0, 2)}, {ID: "x"}}}}},
			"s/d: is planned twice\ns/x: is not in the problem"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := problem.Validate(tt.p); err != nil {
				t.Fatal(err)
			}
			r := certify.Evaluate(tt.p, tt.s)
			var lines []string
			for _, v := range r.Violations {
				lines = append(lines, v.String())
			}
			if got := strings.Join(lines, "\n"); got != tt.wants {
				t.Errorf("violations:\n%s\nwant:\n%s", got, tt.wants)
			}
		})
	}
}

// TestIdlePump: a machine without a minimum power may be on at zero power, and the plan then says so.
func TestIdlePump(t *testing.T) {
	d := problem.NewHeatPump("d")
	d.MaxKW, d.COP, d.MinOnSteps, d.StartCost = 2, flat(3, 4), 3, 0.2
	d.Zone = problem.Zone{CapacityKWhPerK: 2, ResistanceKPerKW: 5, InitialC: 20, OutdoorC: flat(5, 4), GainsKW: flat(0, 4), MinC: flat(19, 4), MaxC: flat(22, 4)}
	p, s := one(4, d), plan(1, 0, 1, 0)
	if r := certify.Evaluate(p, s); r.Feasible() {
		t.Error("on for one step only, but no violation")
	}
	s.Sites[0].Devices[0].On = []bool{true, true, true, false}
	if r := certify.Evaluate(p, s); !r.Feasible() || r.Cost.Starts != 0.2 {
		t.Errorf("%v, starts %v EUR", r.Violations, r.Cost.Starts)
	}
	s.Sites[0].Devices[0].On = []bool{true, true, false, false}
	if r := certify.Evaluate(p, s); r.Feasible() {
		t.Error("draws power while off, but no violation")
	}
}

// TestLimits: the limits of sites and of the district are held in every step.
func TestLimits(t *testing.T) {
	p := one(2, &problem.PV{DeviceID: "d", AvailableKW: flat(9, 2), Curtailable: true})
	p.Sites[0].LoadKW, p.Sites[0].ImportLimitKW, p.Sites[0].ExportLimitKW = flat(3, 2), flat(2, 2), flat(4, 2)
	p.Grid.ImportLimitKW, p.Grid.ExportLimitKW = flat(1, 2), flat(5, 2)
	r := certify.Evaluate(p, plan(0, -9))
	want := "s: import limit in step 0 by 1 kW|s: export limit in step 1 by 2 kW|grid: import limit in step 0 by 2 kW|grid: export limit in step 1 by 1 kW"
	var lines []string
	for _, v := range r.Violations {
		lines = append(lines, v.String())
	}
	if got := strings.Join(lines, "|"); got != want {
		t.Errorf("violations %s, want %s", got, want)
	}
}

// TestCost: every part of the cost of a plan that was reckoned by hand.
func TestCost(t *testing.T) {
	battery := &problem.Battery{DeviceID: "b", CapacityKWh: 10, InitialKWh: 2, ChargeKW: 5, DischargeKW: 5, ChargeEfficiency: 0.5, DischargeEfficiency: 0.5, WearCostPerKWh: 0.01, FinalValuePerKWh: 0.2}
	car := problem.NewEV("c")
	car.CapacityKWh, car.MaxKW, car.DischargeKW, car.WearCostPerKWh = 40, 7, 7, 0.03
	car.Sessions = []problem.Session{{ArriveStep: 0, DepartStep: 0, InitialKWh: 1, TargetKWh: 1.5}, {ArriveStep: 0, DepartStep: 1, InitialKWh: 5, TargetKWh: 4}, {ArriveStep: 1, DepartStep: 2, InitialKWh: 5, TargetKWh: 9}}
	tank := problem.NewWaterHeater("w")
	tank.MaxKW, tank.COP, tank.CapacityKWh, tank.InitialKWh, tank.FinalMinKWh, tank.DrawKW = 2, flat(1, 2), 5, 1, 0.5, []float64{3, 0}
	p := one(2, battery)
	p.CarbonPrice, p.Grid.CarbonIntensity = 100, flat(500, 2) // 0.05 EUR/kWh
	p.Grid.PeakPrice, p.Grid.PeakSoFarKW = 2, 1
	p.Sites[0].WithdrawalFee = flat(0.02, 2)
	p.Sites[0].Devices = append(p.Sites[0].Devices, car, tank)
	if err := problem.Validate(p); err != nil {
		t.Fatal(err)
	}
	s := &problem.Solution{Sites: []problem.SiteSolution{{ID: "s", Devices: []problem.DeviceSolution{
		{ID: "b", PowerKW: []float64{4, -1}}, {ID: "c", PowerKW: []float64{-2, 3}}, {ID: "w", PowerKW: []float64{1, 0.25}},
	}}}}
	r := certify.Evaluate(p, s)
	// net 3 kW, then 2.25 kW; battery 2+2=4, then 4-2=2 kWh; car 3 of 4 kWh, then 8 of 9; tank 1+1-3 = 1 short, then 0.25 of 0.5
	want := problem.Cost{Energy: 0.15 * 5.25, Fees: 0.02 * 5.25, Peak: 4, Wear: 0.01*5 + 0.03*2, Shortfall: 10*(0.5+1+1) + 1 + 0.25, Stored: -0.4}
	got := r.Cost
	for _, x := range [][2]float64{{got.Energy, want.Energy}, {got.Fees, want.Fees}, {got.Peak, want.Peak}, {got.Wear, want.Wear}, {got.Shortfall, want.Shortfall}, {got.Stored, want.Stored}, {r.Objective, want.Total()}, {r.CarbonKG, 2.625}, {r.PeakKW, 3}} {
		if math.Abs(x[0]-x[1]) > 1e-12 {
			t.Errorf("cost %+v, want %+v; carbon %v kg, peak %v kW", got, want, r.CarbonKG, r.PeakKW)
			break
		}
	}
	if !r.Feasible() {
		t.Error(r.Violations)
	}
	if e := r.Sites[0].Devices[1].EnergyKWh; e[0] != 5 || e[1] != 5 || e[2] != 8 {
		t.Errorf("car energy %v, want 5, 5 (the next car's), 8", e)
	}
}

// TestClaims: a solution that tells the truth is not contradicted, and each lie is found.
func TestClaims(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "problems", "mixed.json"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := problem.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	honest := func() *problem.Solution {
		s := problem.NewSolution(p, problem.Feasible)
		for _, site := range p.Sites {
			out := problem.SiteSolution{ID: site.ID}
			for _, d := range site.Devices {
				x := problem.DeviceSolution{ID: d.ID(), PowerKW: make([]float64, p.Steps)}
				if d.Kind() == problem.KindShiftable {
					copy(x.PowerKW[2:], d.(*problem.Shiftable).ProfileKW)
				}
				out.Devices = append(out.Devices, x)
			}
			s.Sites = append(s.Sites, out)
		}
		s.Bound = new(certify.Bound(p, certify.Duals{District: flat(0.2, p.Steps)}))
		certify.Complete(p, s)
		return s
	}
	for _, tt := range []struct {
		name  string
		spoil func(s *problem.Solution)
		want  string
	}{
		{"truth", func(*problem.Solution) {}, ""},
		{"hash", func(s *problem.Solution) { s.ProblemSHA256 = "0" }, "problem_sha256"},
		{"header", func(s *problem.Solution) { s.Steps++ }, "header"},
		{"objective", func(s *problem.Solution) { *s.Objective -= 0.01 }, "objective is said"},
		{"part", func(s *problem.Solution) { s.Cost.Wear++ }, "cost.wear is said"},
		{"gap", func(s *problem.Solution) { *s.Gap /= 2 }, "gap is said"},
		{"bound", func(s *problem.Solution) { *s.Bound = *s.Objective + 1; *s.Gap = certify.Gap(*s.Objective, *s.Bound) }, "bound"},
		{"no gap", func(s *problem.Solution) { s.Gap = nil }, "without an objective"},
		{"import", func(s *problem.Solution) { s.Grid.ImportKW[3]++ }, "grid.import_kw[3] is said"},
		{"net", func(s *problem.Solution) { s.Sites[1].NetKW[0]++ }, "flats.net_kw[0] is said"},
		{"energy", func(s *problem.Solution) { s.Device("house", "battery").EnergyKWh[5]++ }, "house/battery.energy_kwh[5] is said"},
		{"temperature", func(s *problem.Solution) { s.Device("house", "pump").TemperatureC = flat(20, 3) }, "house/pump.temperature_c has 3 values"},
		{"power", func(s *problem.Solution) { s.Device("house", "battery").PowerKW[5] = 30 }, "above charge power in step 5"},
		{"status", func(s *problem.Solution) { s.Status = "fine" }, `status "fine"`},
		{"infeasible", func(s *problem.Solution) { s.Status = problem.Infeasible }, "infeasible with a bound"},
		{"unknown", func(s *problem.Solution) { s.Status = problem.Unknown }, "unknown with a plan"},
	} {
		s := honest()
		tt.spoil(s)
		r := certify.Evaluate(p, s)
		got := strings.Join(certify.Claims(p, s, &r), "\n")
		if (tt.want == "") != (got == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: claims %q, want %q", tt.name, got, tt.want)
		}
	}
}

// TestDualsOf: a bound from the prices of a solution document alone; a site without prices takes the district's.
func TestDualsOf(t *testing.T) {
	p := one(2, &problem.Flexible{DeviceID: "d", EnergyKWh: 1, MaxKW: 1, LatestStep: 2, ShortfallCostPerKWh: 10})
	s := &problem.Solution{Grid: &problem.GridSolution{Price: flat(0.1, 2)}, Sites: []problem.SiteSolution{{ID: "s"}}}
	if b := certify.Bound(p, certify.DualsOf(p, s)); math.Abs(b-0.1) > 1e-12 || b > 0.1 {
		t.Errorf("bound %v, want 0.1 EUR, not above", b)
	}
	s.Sites[0].Price = flat(0.08, 2)
	if b := certify.Bound(p, certify.DualsOf(p, s)); math.Abs(b-0.08) > 1e-12 {
		t.Errorf("bound %v at the site's price of 0.08, want 0.08 EUR", b)
	}
}
