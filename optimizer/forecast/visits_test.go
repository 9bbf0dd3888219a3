package forecast

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// week has a car at 18:00 on working days that draws 7 kW for two hours and stays until 07:00.
func week(slots int) (power Past, connected []float64) {
	power = Past{Start: judgedStart, Step: time.Hour}
	for i := range slots {
		at := judgedStart.Add(time.Duration(i) * time.Hour)
		kw, there := 0.0, 0.0
		if evening := at.Add(-18 * time.Hour); !weekend(evening) && evening.Hour() < 13 {
			if there = 1; evening.Hour() < 2 {
				kw = 7
			}
		}
		power.Values, connected = append(power.Values, kw), append(connected, there)
	}
	return power, connected
}

// TestVisits: a car that comes each working day is expected at its time once weeks are known, not at weekends, and not again once it is there.
func TestVisits(t *testing.T) {
	if got := Visits(Past{Start: judgedStart, Step: time.Hour}, nil, 5, time.UTC); got[0] != 0 || got[4] != 0 {
		t.Errorf("of a new point %v are expected", got)
	}
	power, connected := week(24*35 + 12) // Monday noon
	got := Visits(power, connected, 30, time.UTC)
	if got[6] < 2.5 || got[7] < 2.5 || got[2] > 0.5 || got[12] > 0.5 {
		t.Errorf("at noon %.2f kW are expected", got)
	}
	power, connected = week(24*35 + 21) // it stands there and is full
	if got := Visits(power, connected, 12, time.UTC); got[1] > 0.5 || got[5] > 0.5 {
		t.Errorf("of a full car %.2f kW are expected", got)
	}
	power, connected = week(24*40 + 12) // Saturday noon
	if got := Visits(power, connected, 12, time.UTC); got[6] > 2 {
		t.Errorf("on Saturday %.2f kW are expected", got)
	}
}

// TestVisitsProperty: what is expected lies between nothing and the most that was ever drawn.
func TestVisitsProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		power := Past{Start: judgedStart, Step: 15 * time.Minute, Values: rapid.SliceOfN(rapid.Float64Range(0, 22), 0, 500).Draw(t, "kW")}
		connected := rapid.SliceOfN(rapid.SampledFrom([]float64{0, 1, math.NaN()}), len(power.Values), len(power.Values)).Draw(t, "connected")
		most := 0.0
		for i, v := range power.Values {
			if most = math.Max(most, v); i%7 == 3 {
				power.Values[i] = math.NaN()
			}
		}
		for k, kw := range Visits(power, connected, 152, time.UTC) {
			if !(kw >= 0 && kw <= most) {
				t.Fatalf("%v kW %d slots ahead, and no more than %v was ever drawn", kw, k, most)
			}
		}
	})
}
