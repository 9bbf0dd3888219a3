package dispatch

import (
	"math"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// TestALimitDoesNotWaitForAHold: where more is drawn than a limit allows, a machine that the plan lets rest does so at once and not at the end of its hold, and no more machines than the limit needs.
func TestALimitDoesNotWaitForAHold(t *testing.T) {
	rest := func(id string, kind district.Kind) *Wish {
		return &Wish{Site: "s", Device: id, Kind: kind, MeasuredKW: 4, MaxKW: 4, Reason: "idle"}
	}
	first, second := rest("tank", district.WaterHeater), rest("hp", district.HeatPump)
	if over := Hold([]*Wish{second, first}, 12, 9, math.Inf(1)); over != 0 || !first.Changed || second.Changed {
		t.Errorf("over %v, tank %+v, heat pump %+v; want the tank alone in haste", over, first, second)
	}
	if first.WantedKW != 0 || first.Reason != "import limit 9.0 kW" {
		t.Errorf("tank %+v", first)
	}
	calm := rest("tank", district.WaterHeater)
	if Hold([]*Wish{calm}, 8, 9, math.Inf(1)); calm.Changed {
		t.Error("a limit that is kept hastens nobody")
	}
	ctl := drivers.Control{Point: "on", Quantity: drivers.ControlOnOff, Max: 1, MinHold: 10 * time.Minute}
	drv := &fake{ctl: ctl}
	s, now := NewSender("d"), time.Date(2026, 1, 14, 12, 0, 0, 0, time.UTC)
	s.Send(t.Context(), drv, Wish{Site: "s", Device: "tank", Kind: district.WaterHeater, WantedKW: 4, MaxKW: 4}, 4, 1, now, now, false)
	line, _ := s.Send(t.Context(), drv, *first, 4, 1, now.Add(time.Second), now.Add(time.Second), false)
	if line.Outcome != district.Clipped || line.SentKW != 0 {
		t.Errorf("the limit's command: %+v", line)
	}
}
