package app

import (
	"math"
	"testing"
	"time"

	"quartier/scheduler/building"
)

// TestRoomsAreLearned from the simulated district's buildings, which are of two masses, under heat pumps whose performance is on no straight line, with a sun that no plan was told of: the temperature is foreseen far better than by what is
// configured, plans go by that, and what is learned is near what was simulated, which is within some percent of what is configured.
func TestRoomsAreLearned(t *testing.T) {
	const days = 16
	end := time.Date(2026, 2, 20, 0, 0, 0, 0, time.UTC)
	l := newLife(t, "demo", 0, end.AddDate(0, 0, -days), true)
	for l.now.Before(end) {
		l.now = l.now.Add(l.d.Step)
		l.w.Advance(l.now)
		l.slot()
	}
	if _, err := l.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	rooms := l.s.Rooms()
	if len(rooms) != 6 {
		t.Fatalf("%d rooms are known", len(rooms))
	}
	for _, x := range rooms {
		h, e := l.d.Device(x.Site, x.Device).HeatPump, x.Trial.AllK
		t.Logf("%s: R %.3f ± %.3f (%.3f) K/kW, C %.1f ± %.1f (%.1f) kWh/K, R C %.0f ± %.0f h, gains %.2f ± %.2f (%.2f) kW, sun %.2f ± %.2f kW; a day ahead %+v; 1 to 24 hours ahead %+v; use %d", x.Site, x.ResistanceKPerKW, x.Deviation.ResistanceKPerKW,
			h.ResistanceKPerKW, x.CapacityKWhPerK, x.Deviation.CapacityKWhPerK, h.CapacityKWhPerK, x.TimeConstantH, x.TimeConstantDeviationH, x.GainsKW, x.Deviation.GainsKW, h.GainsKW, x.SolarKW, x.Deviation.SolarKW, x.Trial.DayK, e, x.Trial.Use)
		if x.Days != days || math.Abs(x.Known-float64(days)/building.KeepDays) > 0.02 {
			t.Errorf("%s: of %d days something is known, a share of %g", x.Site, x.Days, x.Known)
		}
		if x.Trial.Use == building.AsStated || x.Trial.Reason != building.Better || math.Min(e.Identified, e.WithGains) > 0.6*e.Stated {
			t.Errorf("%s: plans go by %d for %d; wrong by %+v", x.Site, x.Trial.Use, x.Trial.Reason, e)
		}
		if r := x.ResistanceKPerKW / h.ResistanceKPerKW; r < 0.75 || r > 1.15 || !(x.Deviation.ResistanceKPerKW > 0) {
			t.Errorf("%s: a resistance of %g ± %g K/kW, %g is configured", x.Site, x.ResistanceKPerKW, x.Deviation.ResistanceKPerKW, h.ResistanceKPerKW)
		}
		if c := x.CapacityKWhPerK / h.CapacityKWhPerK; c < 0.4 || c > 1.3 {
			t.Errorf("%s: a capacity of %g kWh/K, %g is configured", x.Site, x.CapacityKWhPerK, h.CapacityKWhPerK)
		}
	}
}
