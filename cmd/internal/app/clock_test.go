package app

import (
	"testing"
	"time"
)

// TestSampleTime: samples keep the times of their readings, unless the districts' time is not the machine's.
func TestSampleTime(t *testing.T) {
	now := time.Now()
	for _, tt := range []struct {
		name  string
		demo  bool
		speed float64
		own   bool
	}{{"real time", false, 1, true}, {"fast time", false, 60, false}, {"a demonstration", true, 1, false}} {
		a := &App{opt: Options{Demo: tt.demo}, clock: NewClock(now, tt.speed)}
		if own := a.sampleTime() == nil; own != tt.own {
			t.Errorf("%s: samples keep their readings' times: %v, want %v", tt.name, own, tt.own)
		}
	}
}
