package app

import (
	"math"
	"testing"

	"quartier/scheduler"
	"quartier/scheduler/hotwater"
)

// TestLearnedTank: the heat drawn is that of a day, by what is known of it, and a tank of which nothing is known has no facts.
func TestLearnedTank(t *testing.T) {
	if got := learnedTank(scheduler.Tank{Identified: hotwater.Identified{LossPerHour: 0.01}}); got != nil {
		t.Errorf("nothing is known, and it says %+v", got)
	}
	got := map[string]float64{}
	for _, f := range learnedTank(scheduler.Tank{Identified: hotwater.Identified{DrawKW: []float64{0, 3, math.NaN(), 0}, LossPerHour: 0.005, LossDeviation: 0.001, Nights: 9, Known: 0.75}}) {
		got[f.Key] = f.Value
		if f.Key == "loss_per_hour" && (f.Deviation == nil || *f.Deviation != 0.001) {
			t.Errorf("the loss has a deviation of %v, want 0.001", f.Deviation)
		}
	}
	for key, want := range map[string]float64{"loss_per_hour": 0.005, "heat_drawn_kwh_day": 24, "quiet_nights": 9, "known_share": 0.75} {
		if math.Abs(got[key]-want) > 1e-12 {
			t.Errorf("%s is %g, want %g", key, got[key], want)
		}
	}
}
