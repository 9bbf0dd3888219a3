package scheduler

import (
	"testing"
	"time"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/schemas/district"
)

// holdBattery has the battery of a plant keep each command for so long.
func (p *plant) holdBattery(d time.Duration) {
	own := p.s.cfg.Driver
	p.s.cfg.Driver = func(site, id string) (drivers.Driver, bool) {
		drv, ok := own(site, id)
		if f, is := drv.(follower); is && id == "bat" {
			f.ctl.MinHold = d
			return f, ok
		}
		return drv, ok
	}
}

// TestHeldBatteryIsNoRelief: a battery that a new plan would turn round, and that may not be told so yet, goes on with what it does: a limit of the connection does not count on it, and is kept.
func TestHeldBatteryIsNoRelief(t *testing.T) {
	for _, tt := range []struct {
		name         string
		first, then  float64 // kW of the battery by the plan
		before, load float64 // beside the devices, before and after the new plan
		sun          float64
		imp, exp     float64
	}{
		{"it discharges, and is to charge", -4, 5, 30, 12, 20, 60, 6},
		{"it charges, and is to discharge", 4, -5, 2, 15, 0, 16, 60},
	} {
		p := newPlant(t)
		p.s.cfg.KeepToPlan = true
		p.holdBattery(10 * time.Minute)
		for _, dev := range []string{"ev", "hp", "tank"} { // nothing else makes up for it
			p.d.Device("s", dev).Control, p.own[dev] = false, false
		}
		p.cmd["hp"] = 1
		p.d.Sites[0].ImportLimitKW, p.d.Sites[0].ExportLimitKW = tt.imp, tt.exp
		kw := tt.first
		p.solve = func(pr *problem.Problem) (*problem.Solution, error) {
			sol := idlePlan(pr)
			for i := range sol.Device("s", "bat").PowerKW {
				sol.Device("s", "bat").PowerKW[i] = kw
			}
			return sol, nil
		}
		p.measure("bat", district.SOC, 0.5)
		p.sun, p.load = tt.sun, tt.before
		p.advance(0)
		if _, err := p.s.Replan(t.Context()); err != nil {
			t.Fatal(err)
		}
		p.s.Dispatch(t.Context())
		p.advance(5 * time.Second)
		if got := p.cmd["bat"]; got != tt.first {
			t.Fatalf("%s: the battery has %v kW, want %v kW", tt.name, got, tt.first)
		}
		kw, p.load = tt.then, tt.load
		p.advance(5 * time.Second)
		if _, err := p.s.Replan(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range 12 {
			p.s.Dispatch(t.Context())
			if net := p.net(); net > tt.imp+0.01 || net < -tt.exp-0.01 {
				t.Errorf("%s: round %d: %.2f kW of [%v, %v], the battery has %v kW, the inverter %v", tt.name, i, net, -tt.exp, tt.imp, p.cmd["bat"], p.cmd["pv"])
				break
			}
			p.advance(5 * time.Second)
		}
	}
}
