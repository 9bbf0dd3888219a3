package console

import (
	"math"
	"testing"
	"time"

	"quartier/schemas/district"
)

// TestPlansAreCompared: what a plan does otherwise is told from now to where both reach, slot by slot of the clock though the plans begin at different times.
func TestPlansAreCompared(t *testing.T) {
	d := &district.District{ID: "d", Sites: []district.Site{{ID: "s", Name: "School", Devices: []district.Device{
		{ID: "bat", Name: "Battery", Kind: district.Battery, Control: true}, {ID: "hp", Name: "Heat pump", Kind: district.HeatPump, Control: true},
		{ID: "own", Name: "Boiler", Kind: district.WaterHeater}, {ID: "pv", Name: "Roof", Kind: district.PV, Control: true}}}}}
	at := func(minutes int) time.Time { return time.Date(2026, 1, 14, 12, minutes, 0, 0, time.UTC) }
	plan := func(start int, load, bat, hp, own, pv []float64) *district.Plan {
		return &district.Plan{CreatedAt: at(start), Start: at(start), StepMinutes: 15, Steps: len(load), Sites: []district.SitePlan{{ID: "s", LoadKW: load, Devices: []district.DevicePlan{
			{ID: "bat", Kind: district.Battery, PowerKW: bat}, {ID: "hp", Kind: district.HeatPump, PowerKW: hp}, {ID: "own", Kind: district.WaterHeater, PowerKW: own}, {ID: "pv", Kind: district.PV, PowerKW: pv}}}}}
	}
	before := plan(0, []float64{9, 4, 4, 4, 4}, []float64{9, 9, 0, 0, 6}, []float64{3, 3, 3, 3, 3}, []float64{0, 0, 0, 0, 0}, []float64{-9, -9, -2, -2, -2})
	after := plan(15, []float64{4, 5, 5, 5, 7}, []float64{0, 4, 8, 2, 9}, []float64{3, 3.5, 3, 3, 3}, []float64{5, 5, 5, 5, 5}, []float64{-9, -4, -4, -4, -4})

	got := compare(d, before, after, at(32)) // the slot from 12:30 on, to 13:15 where the plan before ends
	if got == nil || got.Before != at(0) || math.Abs(got.LoadKWh-0.75) > 1e-9 || math.Abs(got.SunKWh-1.5) > 1e-9 || got.Others != 0 {
		t.Fatalf("the changes are %+v", got)
	}
	want := DeviceChange{Site: "s", SiteName: "School", Device: "bat", DeviceName: "Battery", Kind: district.Battery, Start: at(30), End: at(60), BeforeKW: 0, AfterKW: 6, MovedKWh: 4}
	if len(got.Devices) != 1 || got.Devices[0] != want { // the heat pump's 0.125 kWh are a trifle, the boiler is not under control, the sun is told as a whole
		t.Errorf("the devices are %+v, want %+v", got.Devices, want)
	}
	if same := compare(d, after, after, at(32)); same == nil || len(same.Devices) != 0 || same.LoadKWh != 0 {
		t.Errorf("beside itself a plan has the changes %+v", same)
	}
	for name, other := range map[string]*district.Plan{"ended": plan(-120, []float64{1}, nil, nil, nil, nil), "other steps": {Start: at(0), StepMinutes: 30, Steps: 4}} {
		if got := compare(d, other, after, at(32)); got != nil {
			t.Errorf("%s: the changes are %+v, want none", name, got)
		}
	}
	if got := compare(d, before, after, at(600)); got != nil {
		t.Errorf("after the end of the plan its changes are %+v", got)
	}
}

// TestLightingIsInTheSchedule: street lighting has a stretch for each level at which it burns, and none by day.
func TestLightingIsInTheSchedule(t *testing.T) {
	d := &district.District{ID: "d", Sites: []district.Site{{ID: "s", Name: "Street", Devices: []district.Device{{ID: "lamps", Name: "Lamps", Kind: district.LoadMeter, Control: true}}}}}
	start := time.Date(2026, 1, 14, 12, 0, 0, 0, time.UTC)
	p := &district.Plan{Start: start, StepMinutes: 60, Steps: 7, Sites: []district.SitePlan{{ID: "s", Devices: []district.DevicePlan{{ID: "lamps", Kind: district.LoadMeter,
		PowerKW: []float64{0.08, 0.08, 14, 14, 7, 14, 0.08}, Reason: []string{"light", "light", "light", "light", "light", "light", "light"}}}}}}
	got := decisions(d, p, start, 10)
	want := []struct {
		hours      time.Duration
		kw, energy float64
	}{{2, 14, 28}, {4, 7, 7}, {5, 14, 14}}
	if len(got) != len(want) {
		t.Fatalf("the decisions are %+v, want %d", got, len(want))
	}
	for i, w := range want {
		if x := got[i]; x.Action != "run" || x.Reason != "light" || !x.Start.Equal(start.Add(w.hours*time.Hour)) || x.MeanKW != w.kw || x.EnergyKWh != w.energy {
			t.Errorf("stretch %d is %+v, want %v kW from %v h on", i, x, w.kw, w.hours)
		}
	}
}
