package app

import (
	"math"
	"testing"

	"quartier/scheduler"
	"quartier/scheduler/building"
	"quartier/scheduler/hotwater"
)

// TestLearnedRoom: each fact has its deviation where it has one, what plans go by is told in a word, and rooms of which nothing is known have no facts.
func TestLearnedRoom(t *testing.T) {
	r := scheduler.Room{Identified: building.Identified{Params: building.Params{ResistanceKPerKW: 5, CapacityKWhPerK: 8, GainsKW: 0.4, SolarKW: 1}, Deviation: building.Params{ResistanceKPerKW: 0.5, CapacityKWhPerK: 0.8, GainsKW: 0.1, SolarKW: 0.3},
		TimeConstantH: 40, TimeConstantDeviationH: 2}}
	if got := learnedRoom(r); got != nil {
		t.Errorf("nothing is known, and it says %+v", got)
	}
	r.Known = 0.5
	for _, f := range learnedRoom(r) {
		if f.Unit == "K" {
			t.Errorf("%s is %g K, and nothing was tried", f.Key, f.Value)
		}
	}
	r.Trial = building.Trial{Days: 7, DayK: building.Errors{Stated: 2, Identified: 0.3}, AllK: building.Errors{Stated: 1, Identified: 0.2, WithGains: 0.1}, Use: building.WithGains, Reason: building.Better}
	value, deviation, word := map[string]float64{}, map[string]float64{}, map[string]string{}
	for _, f := range learnedRoom(r) {
		value[f.Key], word[f.Key] = f.Value, f.Word
		if f.Deviation != nil {
			deviation[f.Key] = *f.Deviation
		}
	}
	for key, want := range map[string][2]float64{"resistance_k_per_kw": {5, 0.5}, "capacity_kwh_per_k": {8, 0.8}, "time_constant_h": {40, 2}, "gains_kw": {0.4, 0.1}, "solar_kw": {1, 0.3}, "error_day_configured_k": {2, 0}, "error_day_identified_k": {0.3, 0},
		"error_configured_k": {1, 0}, "error_identified_k": {0.2, 0}, "error_with_gains_k": {0.1, 0}, "tried_days": {7, 0}, "known_share": {0.5, 0}} {
		if value[key] != want[0] || deviation[key] != want[1] {
			t.Errorf("%s is %g ± %g, want %g ± %g", key, value[key], deviation[key], want[0], want[1])
		}
	}
	if word["in_use"] != "identified_with_gains" || word["why"] != "better" {
		t.Errorf("plans go by %q for %q", word["in_use"], word["why"])
	}
}

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
