package explain_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/explain"
	"quartier/optimizer/highstest"
	"quartier/optimizer/milp"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

func planned(t *testing.T, p *problem.Problem) *problem.Solution {
	t.Helper()
	s, err := optimizer.Plan(t.Context(), p, optimizer.Settings{Rounds: 3, TimeLimit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// rest returns a problem of one device alone from step t on at prices (EUR/kWh), its state and history as planned; nil where it cannot be stated.
func rest(p *problem.Problem, d problem.Device, plan *problem.DeviceSolution, price []float64, t int) *problem.Problem {
	q := &problem.Problem{Start: p.At(t), StepMinutes: p.StepMinutes, Steps: p.Steps - t}
	q.Grid.ImportPrice, q.Grid.ExportPrice = price[t:], price[t:]
	var device problem.Device
	switch d := d.(type) {
	case *problem.Battery:
		c := *d
		c.InitialKWh = min(max(plan.EnergyKWh[t], d.MinKWh), d.CapacityKWh)
		device = &c
	case *problem.WaterHeater:
		c := *d
		c.COP, c.DrawKW = d.COP[t:], d.DrawKW[t:]
		if d.CapacityByStepKWh != nil {
			c.CapacityByStepKWh = d.CapacityByStepKWh[t:]
		}
		c.InitialKWh = min(max(plan.EnergyKWh[t], 0), c.MostInitialKWh(p.Hours()))
		device = &c
	case *problem.Flexible:
		if t < d.EarliestStep || t >= d.LatestStep {
			return nil
		}
		c := *d
		for k := d.EarliestStep; k < t; k++ {
			c.EnergyKWh -= p.Hours() * plan.PowerKW[k]
		}
		c.EnergyKWh = max(0, c.EnergyKWh)
		c.EarliestStep, c.LatestStep = 0, d.LatestStep-t
		device = &c
	case *problem.EV:
		c := *d
		c.Sessions = nil
		for _, s := range d.Sessions {
			if t >= s.ArriveStep && t < s.DepartStep {
				c.Sessions = []problem.Session{{ArriveStep: 0, DepartStep: s.DepartStep - t, InitialKWh: min(max(plan.EnergyKWh[t], 0), d.CapacityKWh), TargetKWh: s.TargetKWh}}
			}
		}
		if c.Sessions == nil {
			return nil
		}
		device = &c
	case *problem.HeatPump:
		c := *d
		for k := range t {
			if plan.On[k] == c.InitialOn {
				c.InitialSteps++
			} else {
				c.InitialOn, c.InitialSteps = plan.On[k], 1
			}
		}
		c.COP = d.COP[t:]
		z := &c.Zone
		z.InitialC = plan.TemperatureC[t]
		z.OutdoorC, z.GainsKW, z.MinC, z.MaxC = z.OutdoorC[t:], z.GainsKW[t:], z.MinC[t:], z.MaxC[t:]
		device = &c
	default:
		return nil
	}
	q.Sites = []problem.Site{{ID: "s", Devices: []problem.Device{device}}}
	q.Fill()
	return q
}

// force sets what the device does in its first step: its power (NaN: any while on), and for a heat pump whether it is on.
func force(m *milp.Model, kw float64, on bool) {
	for j := range m.Columns {
		c := &m.Columns[j]
		set := func(low, high float64) { c.Low, c.High = max(c.Low, low), min(c.High, high) }
		switch c.Name {
		case "s0_d0_power_0", "s0_d0_charge_0":
			if !math.IsNaN(kw) {
				set(max(0, kw)-1e-7, max(0, kw)+1e-7)
			}
		case "s0_d0_discharge_0":
			if !math.IsNaN(kw) {
				set(max(0, -kw)-1e-7, max(0, -kw)+1e-7)
			} else {
				c.High = 0
			}
		case "s0_d0_on_0":
			if on {
				set(1, 1)
			} else {
				set(0, 0)
			}
		}
	}
}

// lowest is the least power of a device that is on, kW.
func lowest(d problem.Device) float64 {
	switch d := d.(type) {
	case *problem.EV:
		return d.MinKW
	case *problem.HeatPump:
		return d.MinKW
	case *problem.WaterHeater:
		return d.MinKW
	}
	return 0
}

// TestNumbersOfAStepAgreeWithAnotherSolver: what another choice costs more, and what a little more of the state is worth, is recomputed by HiGHS on the device alone,
// from the problem's text, with the step forced.
func TestNumbersOfAStepAgreeWithAnotherSolver(t *testing.T) {
	kinds := []problem.Kind{problem.KindBattery, problem.KindEV, problem.KindHeatPump, problem.KindWaterHeater, problem.KindFlexible}
	choices, worths := 0, 0
	for seed := range uint64(60) {
		p := problemtest.Random(seed, problemtest.Options{MaxSteps: 12, MaxSites: 1, MaxDevices: 2, Loose: true, Kinds: kinds[seed%5 : seed%5+1], TankByStep: true})
		s := planned(t, p)
		if len(s.Sites) == 0 || len(p.Sites[0].Devices) == 0 {
			continue
		}
		x, err := explain.New(p, s)
		if err != nil {
			t.Fatal(err)
		}
		d := p.Sites[0].Devices[0]
		plan := s.Device(p.Sites[0].ID, d.ID())
		step := int(seed) % p.Steps
		if ev, ok := d.(*problem.EV); ok && len(ev.Sessions) > 0 {
			step = min(p.Steps-1, ev.Sessions[0].ArriveStep+int(seed)%3)
		}
		e, err := x.Step(p.Sites[0].ID, d.ID(), step)
		if err != nil {
			t.Fatal(err)
		}
		price := s.Sites[0].Price
		q := rest(p, d, plan, price, step)
		if q == nil {
			continue
		}
		name := fmt.Sprintf("seed %d, %s step %d of %d", seed, d.Kind(), step, p.Steps)
		cost := func(q *problem.Problem, change func(*milp.Model)) float64 {
			if err := problem.Validate(q); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			m := milp.Build(q)
			if change != nil {
				change(m)
			}
			a := highstest.Solve(t, m, highstest.Options{})
			if a.Infeasible {
				return math.Inf(1)
			}
			return a.Objective
		}
		now := cost(q, func(m *milp.Model) { force(m, e.PowerKW, e.On) })
		for _, c := range e.Choices {
			got := cost(q, func(m *milp.Model) {
				force(m, c.PowerKW, c.PowerKW > 0 || math.IsNaN(c.PowerKW))
				for j := range m.Columns { // any power, but on
					if least := lowest(d); math.IsNaN(c.PowerKW) && (m.Columns[j].Name == "s0_d0_charge_0" || m.Columns[j].Name == "s0_d0_power_0") {
						m.Columns[j].Low = least
					}
				}
			}) - now
			choices++
			if math.Abs(got-c.EUR) > 2e-4*max(1, math.Abs(got)) && !(math.IsInf(got, 1) && math.IsInf(c.EUR, 1)) {
				t.Errorf("%s: %s at %v kW costs %.6f EUR more, HiGHS says %.6f", name, c.Name, c.PowerKW, c.EUR, got)
			}
		}
		if e.State == "" || step+1 >= p.Steps {
			continue
		}
		// A little more and less of the state after the step: the cost of the rest, from another initial state.
		after := func(by float64) float64 {
			moved := *plan
			moved.EnergyKWh, moved.TemperatureC = append([]float64(nil), plan.EnergyKWh...), append([]float64(nil), plan.TemperatureC...)
			moved.PowerKW = append([]float64(nil), plan.PowerKW...)
			soft := 0.0
			switch d := d.(type) {
			case *problem.HeatPump:
				moved.TemperatureC[step+1] += by
				temp := moved.TemperatureC[step+1]
				soft = p.Hours() * d.Zone.DiscomfortCostPerKH * (max(0, d.Zone.MinC[step]-temp) + max(0, temp-d.Zone.MaxC[step]))
			case *problem.Flexible:
				moved.PowerKW[step] += by / p.Hours()
			default:
				moved.EnergyKWh[step+1] += by
			}
			next := rest(p, d, &moved, price, step+1)
			if next == nil {
				return math.NaN()
			}
			return soft + cost(next, nil)
		}
		base := after(0)
		for _, w := range []struct {
			name string
			said float64
			got  float64
		}{{"more", e.MoreSaves, (base - after(0.1)) / 0.1}, {"less", e.LessCosts, (after(-0.1) - base) / 0.1}} {
			if math.IsNaN(w.said) || math.IsNaN(w.got) {
				continue
			}
			if state := e.After; d.Kind() != problem.KindHeatPump && (state < 0.1 && w.name == "less") {
				continue // less than a tenth was there to take
			}
			if b, ok := d.(*problem.Battery); ok && (e.After+0.1 > b.CapacityKWh && w.name == "more" || e.After-0.1 < b.MinKWh && w.name == "less") {
				continue
			}
			if h, ok := d.(*problem.WaterHeater); ok && e.After+0.1 > h.CapacityKWh && w.name == "more" {
				continue
			}
			worths++
			if math.Abs(w.said-w.got) > 4e-3*max(1, math.Abs(w.got)) && !(math.IsInf(w.said, 1) && math.IsInf(w.got, 1)) {
				t.Errorf("%s: a little %s is worth %.5f EUR, HiGHS says %.5f", name, w.name, w.said, w.got)
			}
		}
	}
	t.Logf("%d choices, %d worths", choices, worths)
	if choices < 15 || worths < 15 {
		t.Errorf("only %d choices and %d worths compared", choices, worths)
	}
}

// TestPricesAndTheirParts: a price is what one more kWh at the site costs: with f(h) the cost when the load of the step is h more, f(h) >= f(0) + price*dt*h on both
// sides; and its parts are those of the problem and sum to it.
func TestPricesAndTheirParts(t *testing.T) {
	set := optimizer.Settings{Gap: 1e-9}
	tried := 0
	for seed := range uint64(40) {
		fresh := func() *problem.Problem {
			return problemtest.Random(seed, problemtest.Options{Continuous: true, MaxSteps: 12, TankByStep: true})
		}
		p := fresh()
		s, err := optimizer.Plan(t.Context(), p, set)
		if err != nil {
			t.Fatal(err)
		}
		if s.Gap == nil || *s.Gap > 1e-6 || s.Rounds > 0 {
			continue
		}
		x, err := explain.New(p, s)
		if err != nil {
			t.Fatal(err)
		}
		i, k := int(seed)%len(p.Sites), int(seed)%p.Steps
		price := x.Price(i, k)
		sum := 0.0
		for _, part := range price.Parts {
			sum += part.EUR
			switch part.Name {
			case "import price":
				if part.EUR != p.Grid.ImportPrice[k] {
					t.Errorf("seed %d: import price %v, the problem's is %v", seed, part.EUR, p.Grid.ImportPrice[k])
				}
			case "carbon":
				if want := p.Grid.CarbonIntensity[k] * p.CarbonPrice / 1e6; math.Abs(part.EUR-want) > 1e-12 {
					t.Errorf("seed %d: carbon %v EUR/kWh, want %v", seed, part.EUR, want)
				}
			case "export price":
				if part.EUR != p.Grid.ExportPrice[k] {
					t.Errorf("seed %d: export price %v, the problem's is %v", seed, part.EUR, p.Grid.ExportPrice[k])
				}
			case "withdrawal fee":
				if part.EUR != p.Sites[i].WithdrawalFee[k] {
					t.Errorf("seed %d: fee %v, the problem's is %v", seed, part.EUR, p.Sites[i].WithdrawalFee[k])
				}
			case "remainder":
				if s.Grid.ImportKW[k] > 0.01 && math.Abs(s.Sites[i].NetKW[k]) > 0.01 && math.Abs(part.EUR) > 1e-3 {
					t.Errorf("seed %d: %v EUR/kWh of %v unexplained", seed, part.EUR, price)
				}
			}
		}
		if math.Abs(sum-price.EUR) > 1e-9 {
			t.Errorf("seed %d: the parts of %v sum to %v", seed, price, sum)
		}
		const h = 0.02
		for _, by := range []float64{h, -h} {
			q := fresh()
			q.Sites[i].LoadKW[k] += by
			a, err := optimizer.Plan(t.Context(), q, set)
			if err != nil {
				t.Fatal(err)
			}
			if a.Gap == nil || *a.Gap > 1e-6 {
				continue
			}
			tried++
			if tol := 3e-6 * max(1, math.Abs(*s.Objective)); *a.Objective < *s.Objective+price.EUR*p.Hours()*by-tol {
				t.Errorf("seed %d: %v kW more in step %d change the cost by %.8f EUR, the price %.6f says at least %.8f", seed, by, k, *a.Objective-*s.Objective, price.EUR, price.EUR*p.Hours()*by)
			}
		}
	}
	if tried < 40 {
		t.Errorf("only %d prices tried", tried)
	}
}

// TestEveryStepOfADistrictCanBeExplained: each device in several steps, with words for each.
func TestEveryStepOfADistrictCanBeExplained(t *testing.T) {
	p := problemtest.District(6, 48, 30, 3, true)
	s := planned(t, p)
	x, err := explain.New(p, s)
	if err != nil {
		t.Fatal(err)
	}
	for i := range p.Sites {
		for _, d := range p.Sites[i].Devices {
			for k := 1; k < p.Steps; k += 11 {
				e, err := x.Step(p.Sites[i].ID, d.ID(), k)
				if err != nil {
					t.Fatal(err)
				}
				text := e.String()
				if !strings.Contains(text, "Price at the site: ") || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
					t.Errorf("%s/%s step %d: %s", p.Sites[i].ID, d.ID(), k, text)
				}
				for _, c := range e.Choices {
					if math.IsNaN(c.EUR) || c.EUR < -0.2 {
						t.Errorf("%s/%s step %d: %s costs %v EUR", p.Sites[i].ID, d.ID(), k, c.Name, c.EUR)
					}
				}
			}
		}
	}
	var b strings.Builder
	if err := x.Overview(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Plan of 6 sites in 48 steps of 30 min", "Cost in EUR: energy", "One more kWh costs the district least at", "batter", "heat pump", "What one unit more would save"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the overview lacks %q:\n%s", want, b.String())
		}
	}
}

func TestInfeasiblePlanIsExplained(t *testing.T) {
	p := problemtest.District(2, 24, 60, 3, false)
	for k := range p.Sites[0].LoadKW {
		p.Sites[0].LoadKW[k] = 40
	}
	s := planned(t, p)
	if s.Status != problem.Infeasible {
		t.Fatal(s.Status)
	}
	x, err := explain.New(p, s)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := x.Overview(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"What would have to give way", "import_limit_kw", "nearest one"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the overview lacks %q:\n%s", want, b.String())
		}
	}
	d := p.Sites[0].Devices[0]
	e, err := x.Step(p.Sites[0].ID, d.ID(), 3)
	if err != nil {
		t.Fatal(err)
	}
	if e.Price.Own || !strings.Contains(e.String(), "Tariff at the site") {
		t.Errorf("prices of an infeasible plan:\n%s", e)
	}
}

func TestSelectors(t *testing.T) {
	p := problemtest.District(3, 96, 15, 1, true)
	site, device := p.Sites[1].ID, p.Sites[1].Devices[0].ID()
	at := site + "/" + device
	for _, tt := range []struct {
		text string
		step int // -1: refused
		word string
	}{
		{at + "@0", 0, ""}, {at + "@95", 95, ""}, {at + "@18:30", 74, ""}, {at + "@18:44", 74, ""}, {at + "@00:00", 0, ""},
		{at + "@96", -1, "0 to 95"}, {at + "@-1", -1, "0 to 95"}, {at, -1, "SITE/DEVICE@STEP"}, {"x/y@3", -1, "no device"}, {at + "@noon", -1, "18:30"}, {at + "@24:00", -1, "18:30"},
	} {
		got, err := explain.ParseSelectors(p, tt.text)
		switch {
		case tt.step < 0 && (err == nil || !strings.Contains(err.Error(), tt.word)):
			t.Errorf("%q: %v, %v", tt.text, got, err)
		case tt.step >= 0 && (err != nil || got[0] != explain.Selector{Site: site, Device: device, Step: tt.step}):
			t.Errorf("%q: %v, %v", tt.text, got, err)
		}
	}
	if got, err := explain.ParseSelectors(p, at+"@1, "+at+"@2"); err != nil || len(got) != 2 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestAPlanOfAnotherProblemIsRefused(t *testing.T) {
	p := problemtest.District(1, 24, 60, 1, false)
	s := planned(t, p)
	q := problemtest.District(1, 24, 60, 2, false)
	if _, err := explain.New(q, s); err == nil || !strings.Contains(err.Error(), "another problem") {
		t.Error(err)
	}
	if _, err := explain.New(problemtest.District(1, 12, 60, 1, false), s); err == nil || !strings.Contains(err.Error(), "24 steps") {
		t.Error(err)
	}
}

// TestAnyPlanCanBeExplained: every device in every step of random problems, plans or not, in words without a number that is none.
func TestAnyPlanCanBeExplained(t *testing.T) {
	for seed := range uint64(80) {
		p := problemtest.Random(seed, problemtest.Options{MaxSteps: 6, TankByStep: true})
		s := planned(t, p)
		if len(s.Sites) == 0 {
			continue
		}
		x, err := explain.New(p, s)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		if err := x.Overview(&b); err != nil {
			t.Fatal(err)
		}
		for i := range p.Sites {
			for _, d := range p.Sites[i].Devices {
				for k := range p.Steps {
					e, err := x.Step(p.Sites[i].ID, d.ID(), k)
					if err != nil {
						t.Fatal(err)
					}
					b.WriteString(e.String())
				}
			}
		}
		if text := b.String(); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") || strings.Contains(text, "%!") {
			t.Errorf("seed %d: %s", seed, text)
		}
	}
}
