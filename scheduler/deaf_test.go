package scheduler

import (
	"math"
	"testing"
	"time"

	"quartier/optimizer/problem"
	"quartier/schemas/district"
)

// TestDeafDeviceAtALimit: a car that does not do what it was told, and that a limit needs to give way, is told so again when there is no plan any more, and does not get its own control.
func TestDeafDeviceAtALimit(t *testing.T) {
	p := newPlant(t)
	p.measure("bat", district.SOC, 0.1) // it gives nothing
	p.load = 5
	p.solve = func(pr *problem.Problem) (*problem.Solution, error) { return idlePlan(pr), nil }
	p.advance(0)
	if _, err := p.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.own["ev"] = true
	tried := p.deafen("ev", nil) // it draws 11 kW whatever it is told
	wall := time.Now()
	p.s.cfg.Wall = func() time.Time { return wall }
	round := func(n int) {
		for range n {
			p.advance(5 * time.Second)
			wall = wall.Add(5 * time.Second)
			p.s.Dispatch(t.Context())
		}
	}
	round(12)
	p.d.Sites[0].ImportLimitKW = 12
	p.s.plan, p.s.solution = nil, nil
	n := len(*tried)
	round(36)
	if len(*tried) == n {
		t.Error("nothing is tried in three minutes beyond a limit")
	}
	for _, a := range (*tried)[n:] {
		if a > 10 { // 7 kW
			t.Errorf("the car is told %v A where 12 kW may be drawn and it draws 11 kW beside 5 kW", a)
		}
		if a == givenBack {
			t.Fatal("the car has its own control while a limit needs it")
		}
	}
}

// TestHeldBatteryTakesNothing: a battery that goes on discharging less than is planned, since it may not be told more yet, takes nothing that an inverter could feed for; one that goes on charging more than is planned does.
func TestHeldBatteryTakesNothing(t *testing.T) {
	for _, tt := range []struct{ first, then, taken float64 }{{-2, -5, 0}, {-5, -2, 0}, {5, 2, 3}, {2, 5, 0}} {
		p := newPlant(t)
		p.s.cfg.KeepToPlan = true
		p.holdBattery(10 * time.Minute)
		kw := tt.first
		p.solve = func(pr *problem.Problem) (*problem.Solution, error) {
			sol := idlePlan(pr)
			for i := range sol.Device("s", "bat").PowerKW {
				sol.Device("s", "bat").PowerKW[i] = kw
			}
			return sol, nil
		}
		p.measure("bat", district.SOC, 0.5)
		planned(t, p.town)
		p.s.Dispatch(t.Context())
		kw = tt.then
		p.advance(5 * time.Second)
		plan, err := p.s.Replan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		jobs, _ := p.s.siteJobs(&p.d.Sites[0], p.s.observe(p.now), plan, 0, true, nil)
		for _, j := range jobs {
			if j.wish.Device == "bat" && math.Abs(j.wish.TakenKW-tt.taken) > 1e-9 {
				t.Errorf("planned %v kW, then %v kW within its hold: it takes %v kW, want %v kW", tt.first, tt.then, j.wish.TakenKW, tt.taken)
			}
		}
	}
}
