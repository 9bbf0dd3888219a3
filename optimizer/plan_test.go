package optimizer_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/certify"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// plan solves p and fails the test on any claim of the solution that does not hold.
func plan(t *testing.T, p *problem.Problem, s optimizer.Settings) *problem.Solution {
	t.Helper()
	p.Fill()
	out, err := optimizer.Plan(t.Context(), p, s)
	if err != nil {
		t.Fatal(err)
	}
	report := certify.Evaluate(p, out)
	for _, line := range certify.Claims(p, out, &report) {
		t.Error(line)
	}
	return out
}

func district(steps int, price ...float64) *problem.Problem {
	p := &problem.Problem{Start: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), StepMinutes: 60, Steps: steps}
	p.Grid.ImportPrice = make([]float64, steps)
	for t := range p.Grid.ImportPrice {
		p.Grid.ImportPrice[t] = price[t%len(price)]
	}
	return p
}

func one(steps int, v float64) []float64 {
	s := make([]float64, steps)
	for t := range s {
		s[t] = v
	}
	return s
}

func TestSmallProblemsWithKnownAnswers(t *testing.T) {
	battery := func() *problem.Battery {
		b := problem.NewBattery("b")
		b.CapacityKWh, b.ChargeKW, b.DischargeKW = 2, 1, 1
		return b
	}
	const tol = 1e-5 // EUR: the gap of 1e-6 and a margin
	for _, tt := range []struct {
		name string
		want float64 // EUR
		make func() *problem.Problem
	}{
		{"no site costs nothing", 0, func() *problem.Problem { return district(3, 0.2) }},
		{"a load pays its energy", 0.6, func() *problem.Problem {
			p := district(1, 0.2)
			p.Sites = []problem.Site{{ID: "a", LoadKW: []float64{3}}}
			return p
		}},
		{"a battery moves energy to the dear hour", 0.1, func() *problem.Problem {
			p := district(2, 0.1, 0.5)
			p.Sites = []problem.Site{{ID: "a", LoadKW: []float64{0, 1}, Devices: []problem.Device{battery()}}}
			return p
		}},
		{"flat prices leave a battery alone", 2.0, func() *problem.Problem {
			p := district(10, 0.2)
			b := battery()
			b.ChargeEfficiency = 0.9
			p.Sites = []problem.Site{{ID: "a", LoadKW: one(10, 1), Devices: []problem.Device{b}}}
			return p
		}},
		{"burning at a negative price is no plan: the battery only fills", -1, func() *problem.Problem {
			p := district(4, -0.5)
			b := battery()
			b.DischargeEfficiency, b.DischargeKW = 0.5, 0
			p.Sites = []problem.Site{{ID: "a", Devices: []problem.Device{b}}}
			return p
		}},
		{"a car with a minimum power charges in its cheap hours", 0.7, func() *problem.Problem {
			p := district(4, 0.3, 0.1, 0.2, 0.4)
			ev := problem.NewEV("car")
			ev.CapacityKWh, ev.MaxKW, ev.MinKW = 20, 3, 2
			ev.Sessions = []problem.Session{{ArriveStep: 0, DepartStep: 4, InitialKWh: 5, TargetKWh: 10}}
			p.Sites = []problem.Site{{ID: "a", Devices: []problem.Device{ev}}}
			return p
		}},
		{"an appliance waits for the cheap hours", 0.2, func() *problem.Problem {
			p := district(5, 0.3, 0.3, 0.1, 0.1, 0.3)
			w := problem.NewShiftable("w")
			w.ProfileKW, w.LatestStep = []float64{1, 1}, 3
			p.Sites = []problem.Site{{ID: "a", Devices: []problem.Device{w}}}
			return p
		}},
		{"an import dearer than its limit is spread under the peak so far", 0.4, func() *problem.Problem {
			p := district(4, 0.1)
			p.Grid.PeakPrice, p.Grid.PeakSoFarKW = 10, 1
			f := problem.NewFlexible("f")
			f.EnergyKWh, f.MaxKW, f.LatestStep = 4, 4, 4
			p.Sites = []problem.Site{{ID: "a", Devices: []problem.Device{f}}}
			return p
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := plan(t, tt.make(), optimizer.Settings{})
			if s.Status != problem.Optimal || math.Abs(*s.Objective-tt.want) > tol {
				t.Errorf("%s, %.6f EUR, want optimal at %.6f EUR", s.Status, *s.Objective, tt.want)
			}
		})
	}
}

// TestDegenerateProblems: the shapes that break solvers end in a plan.
func TestDegenerateProblems(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func() *problem.Problem
	}{
		{"one step", func() *problem.Problem {
			p := problemtest.District(4, 1, 15, 1, true)
			return p
		}},
		{"sites without devices", func() *problem.Problem {
			p := district(96, 0.2)
			p.Sites = []problem.Site{{ID: "a", LoadKW: one(96, 0)}, {ID: "b", LoadKW: one(96, -2)}}
			return p
		}},
		{"no price at all", func() *problem.Problem {
			p := problemtest.District(5, 24, 60, 2, false)
			clear(p.Grid.ImportPrice)
			clear(p.Grid.ExportPrice)
			p.CarbonPrice, p.Grid.PeakPrice = 0, 0
			return p
		}},
		{"a flat tariff", func() *problem.Problem {
			p := problemtest.District(6, 96, 15, 3, false)
			for t := range p.Grid.ImportPrice {
				p.Grid.ImportPrice[t] = 0.2
			}
			return p
		}},
		{"every price negative", func() *problem.Problem {
			p := problemtest.District(3, 24, 60, 3, false)
			for t := range p.Grid.ImportPrice {
				p.Grid.ImportPrice[t], p.Grid.ExportPrice[t] = -0.1, -0.15
			}
			return p
		}},
		{"devices of no size", func() *problem.Problem {
			p := district(6, 0.2, 0.1)
			b, ev, w, f, h := problem.NewBattery("b"), problem.NewEV("e"), problem.NewWaterHeater("w"), problem.NewFlexible("f"), problem.NewHeatPump("h")
			ev.Sessions = []problem.Session{{ArriveStep: 2, DepartStep: 2}}
			w.DrawKW = one(6, 0.3)
			h.COP, h.Zone.CapacityKWhPerK, h.Zone.ResistanceKPerKW = one(6, 3), 5, 5
			h.Zone.OutdoorC, h.Zone.MinC, h.Zone.MaxC = one(6, 5), one(6, 19), one(6, 19)
			pv := problem.NewPV("p")
			pv.AvailableKW = one(6, 0)
			p.Sites = []problem.Site{{ID: "a", Devices: []problem.Device{b, ev, w, f, h, pv}}}
			return p
		}},
		{"a battery that must end full", func() *problem.Problem {
			p := district(5, 0.2, 0.1)
			b := problem.NewBattery("b")
			b.CapacityKWh, b.ChargeKW, b.DischargeKW, b.FinalMinKWh = 5, 1, 1, 5 // exactly what it can reach
			p.Sites = []problem.Site{{ID: "a", LoadKW: one(5, 1), Devices: []problem.Device{b}}}
			return p
		}},
		{"limits of zero", func() *problem.Problem {
			p := district(5, 0.2, 0.1)
			b := problem.NewBattery("b")
			b.CapacityKWh, b.InitialKWh, b.ChargeKW, b.DischargeKW = 9, 6, 1, 1
			p.Sites = []problem.Site{{ID: "a", LoadKW: one(5, 1), ImportLimitKW: one(5, 0), ExportLimitKW: one(5, 0), Devices: []problem.Device{b}}}
			return p
		}},
		{"megawatts beside watts", func() *problem.Problem {
			p := district(24, 0.2, 0.1, 0.3)
			big, small := problem.NewBattery("big"), problem.NewBattery("small")
			big.CapacityKWh, big.ChargeKW, big.DischargeKW = 20000, 5000, 5000
			small.CapacityKWh, small.ChargeKW, small.DischargeKW = 0.02, 0.005, 0.005
			big.ChargeEfficiency, small.ChargeEfficiency = 0.9, 0.9
			p.Sites = []problem.Site{{ID: "a", LoadKW: one(24, 3000), Devices: []problem.Device{big}}, {ID: "b", LoadKW: one(24, 0.003), Devices: []problem.Device{small}}}
			return p
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := plan(t, tt.make(), optimizer.Settings{})
			if s.Status != problem.Optimal && s.Status != problem.Feasible {
				t.Fatalf("status %s", s.Status)
			}
			if *s.Gap > 0.2 {
				t.Errorf("%s with a gap of %.3g (%.6f EUR, bound %.6f EUR)", s.Status, *s.Gap, *s.Objective, *s.Bound)
			}
		})
	}
}

func TestInfeasibleProblemsAreExplained(t *testing.T) {
	load := func(kw float64) *problem.Problem {
		p := district(4, 0.2)
		p.Sites = []problem.Site{{ID: "house", LoadKW: []float64{1, kw, kw, 1}}}
		return p
	}
	for _, tt := range []struct {
		name string
		want problem.Conflict
		make func() *problem.Problem
	}{
		{"a load above the site's limit", problem.Conflict{Limit: "import_limit_kw", Site: "house", FromStep: 1, ToStep: 3, Amount: 3, Unit: "kW"}, func() *problem.Problem {
			p := load(9)
			p.Sites[0].ImportLimitKW = one(4, 6)
			return p
		}},
		{"a load above the district's limit", problem.Conflict{Limit: "grid.import_limit_kw", FromStep: 1, ToStep: 3, Amount: 2, Unit: "kW"}, func() *problem.Problem {
			p := load(9)
			p.Grid.ImportLimitKW = one(4, 7)
			return p
		}},
		{"sun that must be taken", problem.Conflict{Limit: "export_limit_kw", Site: "house", FromStep: 0, ToStep: 4, Amount: 4, Unit: "kW"}, func() *problem.Problem {
			p := load(1)
			pv := problem.NewPV("roof")
			pv.AvailableKW, pv.Curtailable = one(4, 7), false
			p.Sites[0].Devices, p.Sites[0].ExportLimitKW = []problem.Device{pv}, one(4, 2)
			return p
		}},
		{"a battery that cannot be full in time", problem.Conflict{Limit: "final_min_kwh", Site: "house", Device: "b", FromStep: 3, ToStep: 4, Amount: 1, Unit: "kWh"}, func() *problem.Problem {
			p := load(1)
			b := problem.NewBattery("b")
			b.CapacityKWh, b.ChargeKW, b.FinalMinKWh = 10, 1, 5
			p.Sites[0].Devices = []problem.Device{b}
			return p
		}},
		{"a battery that a limit keeps from filling", problem.Conflict{Limit: "final_min_kwh", Site: "house", Device: "b", FromStep: 3, ToStep: 4, Amount: 1, Unit: "kWh"}, func() *problem.Problem {
			p := load(1)
			b := problem.NewBattery("b")
			b.CapacityKWh, b.ChargeKW, b.FinalMinKWh = 10, 3, 5
			p.Sites[0].Devices, p.Sites[0].ImportLimitKW = []problem.Device{b}, one(4, 2)
			return p
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := tt.make()
			s := plan(t, p, optimizer.Settings{})
			if s.Status != problem.Infeasible || !s.Elastic || len(s.Conflict) != 1 {
				t.Fatalf("status %s, elastic %v, conflict %+v", s.Status, s.Elastic, s.Conflict)
			}
			got := s.Conflict[0]
			if math.Abs(got.Amount-tt.want.Amount) > 1e-3 {
				t.Errorf("amount %v, want %v", got.Amount, tt.want.Amount)
			}
			got.Amount = tt.want.Amount
			if got != tt.want {
				t.Errorf("conflict %+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestPreviousPlanIsKept(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		t.Run(fmt.Sprint("mixed=", mixed), func(t *testing.T) {
			p := problemtest.District(5, 48, 30, 4, mixed)
			first := plan(t, p, optimizer.Settings{Rounds: 3})
			again := plan(t, p, optimizer.Settings{Rounds: 3, Previous: first})
			for i := range first.Sites {
				for j := range first.Sites[i].Devices {
					a, b := first.Sites[i].Devices[j], again.Sites[i].Devices[j]
					for k := range a.PowerKW {
						if math.Abs(a.PowerKW[k]-b.PowerKW[k]) > 1e-9 {
							t.Fatalf("%s/%s step %d: %v kW, then %v kW for the same problem", first.Sites[i].ID, a.ID, k, a.PowerKW[k], b.PowerKW[k])
						}
					}
				}
			}
			if again.Cost.Preference > 1e-4*math.Max(1, math.Abs(*again.Objective)) {
				t.Errorf("preference of %v EUR", again.Cost.Preference)
			}
		})
	}
}

func TestWorsePreviousPlanIsReplaced(t *testing.T) {
	p := district(4, 0.5, 0.1, 0.1, 0.5)
	f := problem.NewFlexible("f")
	f.EnergyKWh, f.MaxKW, f.LatestStep = 2, 1, 4
	p.Sites = []problem.Site{{ID: "a", Devices: []problem.Device{f}}}
	first := plan(t, p, optimizer.Settings{})
	first.Sites[0].Devices[0].PowerKW = []float64{1, 0, 0, 1}
	if s := plan(t, p, optimizer.Settings{Previous: first}); math.Abs(*s.Objective-0.2) > 1e-5 {
		t.Errorf("%.6f EUR with a bad previous plan, want 0.2", *s.Objective)
	}
}

func TestRoundsRepeatAPlanOnAnyNumberOfWorkers(t *testing.T) {
	p := problemtest.District(8, 48, 30, 5, true)
	var first *problem.Solution
	for _, workers := range []int{1, 2, 4} {
		s := plan(t, p, optimizer.Settings{Rounds: 4, Workers: workers, TimeLimit: 5 * time.Minute})
		s.SolveSeconds = 0
		if first == nil {
			first = s
			continue
		}
		if !reflect.DeepEqual(first, s) {
			t.Errorf("%d workers make another plan (%v EUR) than one (%v EUR)", workers, *s.Objective, *first.Objective)
		}
	}
}

func TestTimeLimitStillGivesAPlan(t *testing.T) {
	p := problemtest.District(20, 96, 15, 6, true)
	s := plan(t, p, optimizer.Settings{TimeLimit: time.Nanosecond})
	if s.Status != problem.Feasible || !(*s.Gap > 0) {
		t.Errorf("status %s", s.Status)
	}
}

func TestErrors(t *testing.T) {
	p := district(2, 0.2)
	p.Fill()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := optimizer.Plan(ctx, p, optimizer.Settings{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	p.Grid.ImportPrice[1] = math.NaN()
	p.Grid.PeakPrice = -1
	_, err := optimizer.Plan(t.Context(), p, optimizer.Settings{})
	var faults problem.Faults
	if !errors.As(err, &faults) || len(faults) != 2 || !strings.Contains(err.Error(), "grid.import_price[1]") {
		t.Errorf("invalid problem: %v", err)
	}
	if _, err := optimizer.Plan(t.Context(), nil, optimizer.Settings{}); err == nil {
		t.Error("nil problem: no error")
	}
}

func TestPricesAndBindingLimits(t *testing.T) {
	p := district(2, 0.1, 0.5)
	b := problem.NewBattery("b")
	b.CapacityKWh, b.ChargeKW, b.DischargeKW = 2, 1, 1
	p.Sites = []problem.Site{{ID: "a", LoadKW: []float64{0, 3}, WithdrawalFee: one(2, 0.05), Devices: []problem.Device{b}}}
	s := plan(t, p, optimizer.Settings{})
	for i, want := range []float64{0.1, 0.5} {
		if got := s.Grid.Price[i]; math.Abs(got-want) > 1e-4 {
			t.Errorf("district price %v EUR/kWh in step %d, want %v", got, i, want)
		}
		if got := s.Sites[0].Price[i]; math.Abs(got-want-0.05) > 1e-4 {
			t.Errorf("site price %v EUR/kWh in step %d, want %v with the fee", got, i, want+0.05)
		}
	}
	total := 0.0
	for _, l := range s.Binding {
		if l.Site != "a" || l.Device != "b" {
			t.Errorf("binding %+v", l)
		}
		if l.Limit == "charge_kw" || l.Limit == "discharge_kw" {
			total += l.Value
		}
	}
	if math.Abs(total-0.4) > 1e-3 { // one more kW of charging or discharging power moves one kWh from 0.15 to 0.55 EUR
		t.Errorf("binding limits %+v are worth %v EUR together, want 0.4", s.Binding, total)
	}
}
