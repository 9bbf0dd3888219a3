package scheduler

import (
	"math"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// lamps gives the town a lighting cabinet.
func lamps(t *testing.T, w *town) *district.LightingParams {
	t.Helper()
	p := &district.LightingParams{RatedKW: 8, StandbyKW: 0.1, SunDeg: -6, Levels: []district.LightingLevel{{From: 5 * time.Hour, Share: 1}, {From: 22 * time.Hour, Share: 0.4}}}
	w.d.Latitude, w.d.Longitude = 47.32, 5.01
	w.d.Sites[0].Devices = append(w.d.Sites[0].Devices, district.Device{ID: "lamps", Kind: district.LoadMeter, Control: true, Lighting: p})
	w.measure("lamps", district.PowerKW, 0.1)
	driver := w.s.cfg.Driver
	w.s.cfg.Driver = func(site, id string) (drivers.Driver, bool) {
		if id == "lamps" {
			return machine{w: w, id: id, ctl: drivers.Control{Point: "limit_share", Quantity: drivers.ControlShare, Min: 0.1, Max: 1, Step: 0.001, Safe: 1}}, true
		}
		return driver(site, id)
	}
	return p
}

// TestLightingIsAKnownLoad: what street lighting draws by its schedule is in the plan's load and shown as a device's, and the cabinet is told the brightness of the hour, limits or none.
func TestLightingIsAKnownLoad(t *testing.T) {
	w := newTown(t)
	keep(w)
	plain := planned(t, w).Sites[0].LoadKW
	lamps(t, w)
	p := planned(t, w)
	day, evening, night := 0, 0, 0
	for step, kw := range p.Sites[0].LoadKW {
		at := w.now.Add(time.Duration(step) * 15 * time.Minute).In(w.d.Zone)
		lit := kw - plain[step] + 0.1 // its standby was in the load that the first plan saw
		switch {
		case at.Hour() >= 11 && at.Hour() < 15:
			day++
			if math.Abs(lit-0.1) > 0.15 {
				t.Errorf("at %v lighting draws %.2f kW", at, lit)
			}
		case at.Hour() == 0 || at.Hour() == 1:
			night++
			if math.Abs(lit-3.2) > 0.15 {
				t.Errorf("at %v lighting draws %.2f kW, want 3.2", at, lit)
			}
		case at.Hour() == 21:
			evening++
			if math.Abs(lit-8) > 0.15 {
				t.Errorf("at %v lighting draws %.2f kW, want 8", at, lit)
			}
		}
	}
	if day == 0 || evening == 0 || night == 0 {
		t.Errorf("%d, %d and %d steps looked at", day, evening, night)
	}
	plan, _ := w.s.Plan()
	dp := plan.Site("s").Device("lamps")
	if dp == nil || dp.Kind != district.LoadMeter || len(dp.Reason) != plan.Steps || dp.Reason[0] != ReasonLight {
		t.Fatalf("lighting in the plan: %+v", dp)
	}
	give(t, w, order.Order{Site: "s", Kind: order.ImportLimit, Value: 1})
	w.s.Dispatch(t.Context())
	if got := w.last(t, "lamps"); got != 1 {
		t.Errorf("cabinet told %v, want full brightness by day", got)
	}
	w.now = time.Date(2026, 1, 15, 23, 0, 0, 0, w.d.Zone)
	w.refresh()
	w.s.Dispatch(t.Context())
	if got := w.last(t, "lamps"); got != 0.4 {
		t.Errorf("cabinet told %v at 23 h, want 0.4", got)
	}
	give(t, w, order.Order{Site: "s", Device: "lamps", Kind: order.Power, Value: 8})
	w.s.Dispatch(t.Context())
	if got := w.last(t, "lamps"); got != 1 {
		t.Errorf("cabinet told %v, want the full brightness that was ordered", got)
	}
}
