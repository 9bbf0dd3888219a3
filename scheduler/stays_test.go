package scheduler

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/scheduler/dispatch"
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

// TestHeldBatteryIsCountedOnAsItIs for any powers: one that was told nothing of what is wanted counts with what is measured, also where that is nothing or a trace the other way; one that was told some of it counts with no
// more help than what it was told, where its state of charge allows that, or what is measured; and what nobody measured changes nothing of what the meter shows.
func TestHeldBatteryIsCountedOnAsItIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kw := func(what string) float64 {
			return rapid.OneOf(rapid.SampledFrom([]float64{-5, -0.05, 0, 0.05, 5}), rapid.Float64Range(-10, 10)).Draw(t, what)
		}
		w := &dispatch.Wish{Kind: district.Battery, WantedKW: kw("wanted"), MeasuredKW: kw("measured"), MinKW: rapid.SampledFrom([]float64{-10, 0}).Draw(t, "least"), MaxKW: rapid.SampledFrom([]float64{10, 0}).Draw(t, "most")}
		told := kw("told")
		got, can := stays(w, told), math.Max(w.MinKW, math.Min(w.MaxKW, told))
		if can*w.WantedKW <= 0 && got != w.MeasuredKW {
			t.Fatalf("%v kW are counted on, want the %v kW that are measured", got, w.MeasuredKW)
		}
		if got < math.Min(w.MeasuredKW, can) || got > math.Max(w.MeasuredKW, can) {
			t.Fatalf("%v kW are counted on, beyond both what is measured, %v kW, and what it was told and can, %v kW", got, w.MeasuredKW, can)
		}
		if w.MeasuredKW*w.WantedKW >= 0 && math.Abs(w.MeasuredKW) > math.Abs(w.WantedKW) && got != w.MeasuredKW {
			t.Fatalf("%v kW are counted on, want the %v kW that it may not be told to lower", got, w.MeasuredKW)
		}
	})
}

// TestHeldBatteryIsNoRelief: a battery that a new plan would turn round, and that may not be told so yet, goes on with what it does: a limit of the connection does not count on it, and is kept, also where it is empty or full and
// does nothing of what it was told.
func TestHeldBatteryIsNoRelief(t *testing.T) {
	for _, tt := range []struct {
		name         string
		first, then  float64 // kW of the battery by the plan
		before, load float64 // beside the devices, before and after the new plan
		sun          float64
		imp, exp     float64
		spent        bool // it can do no more of the first
		passed       int  // rounds in which the limit may be passed, until a load that came shows
	}{
		{"it discharges, and is to charge", -4, 5, 30, 12, 20, 60, 6, false, 0},
		{"it charges, and is to discharge", 4, -5, 2, 15, 0, 16, 60, false, 0},
		{"it is empty, was told to discharge, and is to charge", -4, 5, 30, 12, 20, 60, 6, true, 2},
		{"it is full, was told to charge, and is to discharge", 4, -5, 2, 19, 0, 16, 60, true, 2},
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
		if tt.spent {
			p.own["bat"], p.battery = true, 0
		}
		kw, p.load = tt.then, tt.load
		p.advance(5 * time.Second)
		if _, err := p.s.Replan(t.Context()); err != nil {
			t.Fatal(err)
		}
		over := 0
		for i := range 12 {
			p.s.Dispatch(t.Context())
			if net := p.net(); net > tt.imp+0.01 || net < -tt.exp-0.01 {
				if over++; over > tt.passed {
					t.Errorf("%s: round %d: %.2f kW of [%v, %v], the battery has %v kW, the inverter %v", tt.name, i, net, -tt.exp, tt.imp, p.cmd["bat"], p.cmd["pv"])
					break
				}
			}
			p.advance(5 * time.Second)
		}
	}
}
