package forecast

import (
	"math"
	"testing"
	"time"
)

// TestSpreadTellsErrorsByLeadAndClock: a forecaster that is too low by the lead at noon, and right at midnight, is told so, from what was measured by then alone.
func TestSpreadTellsErrorsByLeadAndClock(t *testing.T) {
	s := NewSpread(time.Hour, 6, 10)
	start := time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)
	for h := range 12 * 24 {
		at := start.Add(time.Duration(h) * time.Hour)
		s.Measured(at.Add(-time.Hour), 5)
		f := make([]float64, 6)
		for k := range f {
			if f[k] = 5; at.Hour() == 12 {
				f[k] = 5 - float64(k) - 0.1*float64(h/24)
			}
		}
		s.Made(at, f)
	}
	out := make([]float64, 5)
	now := start.Add(12 * 24 * time.Hour).Add(12 * time.Hour)
	s.Errors(now, 3, out)
	// days 2 to 11 are remembered: errors 3.2, …, 4.1
	if math.Abs(out[0]-3.25) > 0.11 || math.Abs(out[4]-4.05) > 0.11 || math.Abs(out[2]-3.65) > 0.11 {
		t.Errorf("errors at noon %v", out)
	}
	for i := 1; i < len(out); i++ {
		if out[i] < out[i-1] {
			t.Errorf("errors are not in order: %v", out)
		}
	}
	s.Errors(start.Add(12*24*time.Hour), 3, out)
	for _, v := range out {
		if v != 0 {
			t.Errorf("errors at midnight %v", out)
		}
	}
}

// TestSpreadWithoutAPastIsZero, and so is one of two days.
func TestSpreadWithoutAPastIsZero(t *testing.T) {
	s := NewSpread(time.Hour, 3, 0)
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	out := []float64{1, 2}
	s.Errors(start, 0, out)
	if out[0] != 0 || out[1] != 0 {
		t.Errorf("without a past %v", out)
	}
	for d := range 2 {
		s.Made(start.AddDate(0, 0, d), []float64{0, 0, 0})
		s.Measured(start.AddDate(0, 0, d), 9)
	}
	if s.Errors(start.AddDate(0, 0, 2), 0, out); out[0] != 0 {
		t.Errorf("after two days %v", out)
	}
	s.Made(start.AddDate(0, 0, 2), []float64{0, 0, 0})
	s.Measured(start.AddDate(0, 0, 2), 9)
	if s.Errors(start.AddDate(0, 0, 3), 0, out); out[0] != 9 || out[1] != 9 {
		t.Errorf("after three days %v", out)
	}
}

// TestSpreadForgets: what is kept does not grow with time.
func TestSpreadForgets(t *testing.T) {
	s := NewSpread(time.Hour, 24, 5)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for h := range 24 * 200 {
		at := start.Add(time.Duration(h) * time.Hour)
		s.Made(at, make([]float64, 48))
		s.Measured(at, 1)
	}
	if most := 24*7 + 24 + 2; len(s.made) > most || len(s.came) > most {
		t.Errorf("%d forecasts and %d values are kept after 200 days", len(s.made), len(s.came))
	}
}
