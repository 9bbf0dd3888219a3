package kpi

import (
	"math"
	"testing"

	"quartier/schemas/balance/why"
	"time"

	"quartier/schemas/timegrid"
)

func observedValues(o *Observed) []Value {
	return Compute(Input{Boundary: "district", Period: timegrid.NewSpan(t0, t0.Add(10*time.Hour)), Step: time.Hour, Observed: o})
}

func wantValue(t *testing.T, values []Value, id string, want, coverage float64) {
	t.Helper()
	v := Find(values, id)
	if v == nil || v.Value == nil || math.Abs(*v.Value-want) > 1e-9 || math.Abs(v.Coverage-coverage) > 1e-9 {
		t.Errorf("%s is %+v, want %v covered to %v", id, v, want, coverage)
	}
}

// TestPeakReduction: four hours that draw 4, 10, 6 and 3 kWh without storage; the battery gives 4 in the second and takes 2 in the fourth, so that the peak falls from 10 to 6 kW.
func TestPeakReduction(t *testing.T) {
	values := compute(rows([]float64{0, 0, 0, 0}, []float64{4, 10, 6, 3}, []float64{0, 0, 0, 2}, []float64{0, 4, 0, 0}), nil)
	wantValue(t, values, "peak_reduction", 0.4, 1)
	// who fills storage at the peak makes it higher
	values = compute(rows([]float64{0, 0}, []float64{8, 2}, []float64{2, 0}, []float64{0, 1}), nil)
	wantValue(t, values, "peak_reduction", -0.25, 1)
	if v := Find(compute(rows([]float64{5}, []float64{2}, nil, nil), nil), "peak_reduction"); v.Value != nil || v.Reason == "" {
		t.Errorf("where nothing is drawn: %+v", v)
	}
}

// TestDiscomfort: two zones with the band from 19 to 22 °C over ten hours: 18 °C for 2 h, 23.5 °C for 1 h, 20 °C for 7 h, and 22 °C for 5 h while the other 5 h are not known: 2·1 + 1·1.5 = 3.5 K·h in 3 of 15
// measured hours of 20.
func TestDiscomfort(t *testing.T) {
	o := &Observed{Comfort: Comfort{Hours: 20}}
	for _, x := range [][2]float64{{18, 2}, {23.5, 1}, {20, 7}, {22, 5}} {
		o.Comfort.Add(x[0], 19, 22, x[1])
	}
	values := observedValues(o)
	wantValue(t, values, "discomfort_kh", 3.5, 0.75)
	wantValue(t, values, "discomfort_share", 0.2, 0.75)
}

// TestCurtailedEnergy: an inverter gives 8 kWh per kWh/m² at 12 h and 4 at 16 h where nothing limits it. Limited to 3 kW in an hour of 0.9 kWh/m² at 12 h it loses 7.2 - 3 = 4.2 kWh; to 0 kW in one of 0.5 kWh/m² at
// 10 h, where it never was free, 0.5 · (8 + 2)/(1 + 0.5) = 3.33 kWh. A limit of 50 kW that the sun does not reach costs nothing, nor does one at night.
func TestCurtailedEnergy(t *testing.T) {
	c := Curtailment{MeasuredHours: 8, Hours: 10}
	for _, x := range []struct {
		hour              int
		kwh, sun, limitKW float64
		limited           bool
	}{{12, 8, 1, math.Inf(1), false}, {16, 2, 0.5, math.Inf(1), false}, {12, 3, 0.9, 3, true}, {10, 0, 0.5, 0, true}, {12, 4, 0.5, 50, false}, {2, 0, 0, 0, false}} {
		if got := c.Add(x.hour, x.kwh, x.sun, x.limitKW, 1); got != x.limited {
			t.Errorf("%+v held it back: %v", x, got)
		}
	}
	whole := (8 + 2 + 4.0) / (1 + 0.5 + 0.5)
	wantValue(t, observedValues(&Observed{Curtailment: []Curtailment{c, {Hours: 10}}, Limited: true, Irradiance: true}), "curtailed_energy_kwh", 4.2+0.5*whole, 0.4)
	wantValue(t, observedValues(&Observed{Curtailment: []Curtailment{{MeasuredHours: 10, Hours: 10}}}), "curtailed_energy_kwh", 0, 1)
	always := Curtailment{MeasuredHours: 10, Hours: 10}
	always.Add(12, 1, 1, 1, 1)
	for reason, o := range map[why.Code]*Observed{why.NoInverter: {}, why.NoLimit: {Curtailment: []Curtailment{{Hours: 10}}}, why.NoIrradiance: {Curtailment: []Curtailment{{MeasuredHours: 10, Hours: 10}}, Limited: true},
		why.NoRows: {Curtailment: []Curtailment{{Hours: 10}}, Limited: true, Irradiance: true}, why.NeverFree: {Curtailment: []Curtailment{always}, Limited: true, Irradiance: true}} {
		if v := Find(observedValues(o), "curtailed_energy_kwh"); v.Value != nil || v.Reason != reason {
			t.Errorf("curtailed energy is %v for the reason %q, want %q", v.Value, v.Reason, reason)
		}
	}
}

// TestForecastErrors: 8 of 10 hours held against forecasts, off by 12 kW together where 96 kW were measured: 1.5 kW, an eighth.
func TestForecastErrors(t *testing.T) {
	values := observedValues(&Observed{DayAhead: Errors{Slots: 8, AbsoluteKW: 12, MeasuredKW: 96}, HourAhead: Errors{Slots: 10, AbsoluteKW: 5, MeasuredKW: 100}})
	wantValue(t, values, "forecast_error_day_ahead_kw", 1.5, 0.8)
	wantValue(t, values, "forecast_error_day_ahead", 0.125, 0.8)
	wantValue(t, values, "forecast_error_hour_ahead", 0.05, 1)
	if v := Find(observedValues(nil), "forecast_error_day_ahead"); v.Value != nil || v.Reason != why.NoForecast {
		t.Errorf("without a forecast: %+v", v)
	}
}
