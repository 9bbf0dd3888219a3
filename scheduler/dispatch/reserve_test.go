package dispatch

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"quartier/schemas/district"
)

// TestReserve: who is steered at a limit of import is told, in steps of its commands, what leaves the reserve; off where the limit has room, and nobody is stopped for it.
func TestReserve(t *testing.T) {
	for _, tt := range []struct {
		name    string
		net     float64 // with the car at what it wants
		wants   float64
		rise    float64
		reserve float64
		told    float64 // by its command
		says    bool
	}{
		{"room", 7, 6.9, 0, 0.345, 6.9, false},
		{"room in its step", 8.9, 7.4, 0, 0.345, 6.9, false},
		{"at the limit", 9, 6.9, 0, 0.345, 6.21, true},
		{"no reserve", 9, 6.9, 0, 0, 6.9, false},
		{"no reserve, though the rest rises", 9, 6.9, 0.8, 0, 6.9, false},
		{"above it, and room in its step", 10, 6.9, 0, 0.345, 5.52, false},
		{"above it", 9.5, 6.9, 0, 0.345, 5.52, true},
		{"what else rises", 8, 6.9, 0.8, 0.345, 6.21, true},
		{"what else falls", 8.6, 6.9, -0.8, 0.345, 6.9, false},
		{"its least", 9, 4.14, 0, 0.345, 4.14, false},
		{"not below its least", 9.5, 6.9, 3, 0.345, 4.14, true},
	} {
		car := &Wish{Kind: district.EVCharger, MaxKW: 11, MeasuredKW: tt.wants, WantedKW: tt.wants, StepKW: 0.69, ReserveKW: tt.reserve, RunsKW: 4.14, Reason: "plan"}
		over := HoldTogether([]Group{{Wishes: []*Wish{car}, NetKW: tt.net, RiseKW: tt.rise, ImportLimitKW: math.Inf(1), ExportLimitKW: math.Inf(1)}}, tt.net, 9, math.Inf(1), "")
		if math.Abs(car.down(car.WantedKW)-tt.told) > 1e-9 || strings.HasSuffix(car.Reason, " kW in reserve") != tt.says || tt.says && !car.Changed || over != 0 {
			t.Errorf("%s: %v kW by its command, %q, over by %v kW; want %v kW, told %v", tt.name, car.down(car.WantedKW), car.Reason, over, tt.told, tt.says)
		}
	}
}

// TestReserveIsKeptOnce: whatever several cars want, what is left below the limit after all is each reserve or all run at their least, no car is raised or stopped by it, and one that has room is as without.
func TestReserveIsKeptOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var with, without []*Wish
		net := rapid.Float64Range(-5, 15).Draw(t, "rest")
		for range rapid.IntRange(1, 4).Draw(t, "cars") {
			w := Wish{Kind: district.EVCharger, MaxKW: 22, WantedKW: rapid.Float64Range(0, 22).Draw(t, "wants"), StepKW: 0.69, RunsKW: 4.14}
			free := w
			w.ReserveKW = 0.345
			with, without = append(with, &w), append(without, &free)
		}
		rise, limit := rapid.Float64Range(-1, 1).Draw(t, "rise"), rapid.Float64Range(0, 40).Draw(t, "limit")
		group := func(ws []*Wish) []Group {
			return []Group{{Wishes: ws, NetKW: net, RiseKW: rise, ImportLimitKW: math.Inf(1), ExportLimitKW: math.Inf(1)}}
		}
		over, free := HoldTogether(group(with), net, limit, math.Inf(1), ""), HoldTogether(group(without), net, limit, math.Inf(1), "")
		if over != free {
			t.Fatalf("over by %v kW, without a reserve by %v kW", over, free)
		}
		sent, lowest := net, true
		for i, w := range with {
			if w.WantedKW > without[i].WantedKW+1e-9 || w.WantedKW < without[i].WantedKW-1e-9 && w.WantedKW < w.RunsKW-1e-9 {
				t.Fatalf("%v kW with a reserve, %v kW without", w.WantedKW, without[i].WantedKW)
			}
			sent, lowest = sent+w.down(w.WantedKW), lowest && w.down(w.WantedKW) <= w.RunsKW+1e-9
		}
		if left := limit - sent; left < 0.345+math.Max(0, rise)-1e-9 && !lowest {
			t.Fatalf("%v kW are left below the limit", left)
		}
	})
}
