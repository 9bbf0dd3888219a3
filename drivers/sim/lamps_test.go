package sim_test

import (
	"math"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/sim"
	"quartier/drivers/sim/simtest"
	"quartier/schemas/district"
)

// TestLampsFollowTheSun: a cabinet's lamps are off by day and on by night by a switch of its own, are dimmed by command, and their power is in the site's.
func TestLampsFollowTheSun(t *testing.T) {
	noon := time.Date(2026, 1, 14, 11, 0, 0, 0, time.UTC)
	w, err := sim.New(simtest.Load(t, "demo", noon))
	if err != nil {
		t.Fatal(err)
	}
	ref := sim.Ref{District: "fontaine", Site: "eclairage", Device: "armoire"}
	read := func(device, point string) float64 {
		v, ok := w.Value(sim.Ref{District: ref.District, Site: ref.Site, Device: device}, point)
		if !ok {
			t.Fatalf("%s has no %s", device, point)
		}
		return v
	}
	if on, kw := read(ref.Device, "lamps_on"), read(ref.Device, district.PowerKW); on != 0 || kw > 0.1 {
		t.Errorf("at noon: on %v, %v kW", on, kw)
	}
	w.Advance(noon.Add(9 * time.Hour))
	full := read(ref.Device, district.PowerKW)
	if on := read(ref.Device, "lamps_on"); on != 1 || full < 12 || full > 16 || math.Abs(full-read("grid", district.PowerKW)) > 0.01 {
		t.Errorf("in the evening: on %v, %v kW, the site %v kW", on, full, read("grid", district.PowerKW))
	}
	if err := w.Command(ref, drivers.ControlShare, 0.4, 0, nil); err != nil {
		t.Fatal(err)
	}
	w.Advance(noon.Add(9*time.Hour + 5*time.Minute))
	if kw := read(ref.Device, district.PowerKW); kw < 0.4*full || kw > 0.5*full {
		t.Errorf("at 40 %%: %v kW of %v", kw, full)
	}
	if err := w.Command(ref, drivers.ControlShare, 1.5, 0, nil); err == nil {
		t.Error("150 % was taken")
	}
}
