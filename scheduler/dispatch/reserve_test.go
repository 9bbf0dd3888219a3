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

// TestReserveIsOfCarsAlone: heat and batteries give way to no reserve, whatever stands first, what a full car is told and does not draw is a reserve already, and what else rises costs no more than a quarter of
// what cars draw.
func TestReserveIsOfCarsAlone(t *testing.T) {
	inf := math.Inf(1)
	wish := func(kind district.Kind, kw float64) *Wish { // as if each kind took steps and ran from 1 kW
		return &Wish{Kind: kind, MinKW: math.Min(0, kw), MaxKW: 22, MeasuredKW: kw, WantedKW: kw, StepKW: 0.1, ReserveKW: 0.345, RunsKW: 1}
	}
	car := func(does, wants float64, sated bool) *Wish {
		return &Wish{Kind: district.EVCharger, MaxKW: 11, MeasuredKW: does, WantedKW: wants, StepKW: 0.69, ReserveKW: 0.345, RunsKW: 4.14, Sated: sated}
	}
	anyPower := car(2.07, 2.07, false)
	anyPower.RunsKW = 0
	for _, tt := range []struct {
		name             string
		ws               []*Wish
		net, rise, limit float64
		want             []float64
	}{
		{"a heat pump before a car", []*Wish{wish(district.HeatPump, 4), car(6.9, 6.9, false)}, 17, 1.5, 17, []float64{4, 4.83}},
		{"a charging battery before a car", []*Wish{wish(district.Battery, 4), car(6.9, 6.9, false)}, 17, 0, 17, []float64{4, 6.21}},
		{"a heater alone", []*Wish{wish(district.WaterHeater, 2)}, 12, 3, 12, []float64{2}},
		{"a full car", []*Wish{car(0, 11.04, true), wish(district.HeatPump, 3)}, 5, 6, 12, []float64{7, 3}}, // all that the limit has room for,
		{"a car beside a full one", []*Wish{car(0, 6.9, true), car(6.9, 6.9, false)}, 9, 0, 16, []float64{6.9, 6.9}},
		{"one that slows down", []*Wish{car(6, 11.04, true)}, 15.7, 0, 20.74, []float64{11.04}},
		{"one that slows down, at the limit", []*Wish{car(6, 6.21, true)}, 15.9, 0, 16.11, []float64{5.52}},
		{"a car that starts at any power", []*Wish{anyPower}, 9, 0, 9, []float64{2.07}},
		{"a foresight out of all measure", []*Wish{car(11.04, 11.04, false), car(11.04, 11.04, false)}, 30, 50, 30, []float64{4.83, 11.04}},
	} {
		var wanted []float64
		for _, w := range tt.ws {
			wanted = append(wanted, w.WantedKW)
		}
		HoldTogether([]Group{{Wishes: tt.ws, NetKW: tt.net, RiseKW: tt.rise, ImportLimitKW: inf, ExportLimitKW: inf}}, tt.net, tt.limit, inf, "")
		for i, w := range tt.ws {
			if math.Abs(w.WantedKW-tt.want[i]) > 1e-9 || w.Changed != (w.WantedKW < wanted[i]-1e-9) {
				t.Errorf("%s: %s is told %v kW (changed %v, %q), want %v kW", tt.name, w.Kind, w.WantedKW, w.Changed, w.Reason, tt.want[i])
			}
		}
	}
}

// TestReserveFeedsNoMore: where what may be drawn and what may be fed lie close together, no car is lowered so far that more is fed than may be, by its site nor together: what a site keeps for its own limit is
// given back where the district would feed too much for it.
func TestReserveFeedsNoMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]float64{0, 0.3, 0.7, 1, 3, math.Inf(1)})
		total, feeds := 0.0, limit.Draw(t, "district feeds")
		var groups []Group
		for range rapid.IntRange(1, 2).Draw(t, "sites") {
			g := Group{RiseKW: rapid.SampledFrom([]float64{0, 0.9, 5}).Draw(t, "rise"), ImportLimitKW: limit.Draw(t, "draws"), ExportLimitKW: limit.Draw(t, "feeds")}
			g.NetKW = rapid.Float64Range(-math.Min(g.ExportLimitKW, 9), math.Min(g.ImportLimitKW, 9)).Draw(t, "net")
			for range rapid.IntRange(1, 2).Draw(t, "cars") {
				kw := 0.69 * float64(rapid.IntRange(6, 32).Draw(t, "A"))
				g.Wishes = append(g.Wishes, &Wish{Kind: district.EVCharger, MaxKW: 22.08, MeasuredKW: kw, WantedKW: kw, StepKW: 0.69, ReserveKW: 0.345, RunsKW: 4.14})
			}
			total, groups = total+g.NetKW, append(groups, g)
		}
		feeds = math.Max(feeds, -total) // it is kept before
		for _, g := range groups {
			alone := g
			alone.ImportLimitKW, alone.ExportLimitKW = math.Inf(1), math.Inf(1)
			if over := HoldTogether([]Group{alone}, g.NetKW, g.ImportLimitKW, g.ExportLimitKW, ""); over > 0 || g.expected() < -g.ExportLimitKW-1e-9 {
				t.Fatalf("%v kW at a site that may feed %v kW, over by %v kW", g.expected(), g.ExportLimitKW, over)
			}
		}
		was := together(groups, total)
		over := HoldTogether(groups, total, math.Max(was, limit.Draw(t, "district draws")), feeds, "")
		if is := together(groups, total); over > 1e-9 || is < -feeds-1e-9 {
			t.Fatalf("%v kW of a district that may feed %v kW, over by %v kW", is, feeds, over)
		}
		for _, g := range groups {
			if g.expected() < -g.ExportLimitKW-1e-9 {
				t.Fatalf("%v kW at a site that may feed %v kW", g.expected(), g.ExportLimitKW)
			}
		}
	})
}

// TestReserveLeavesTheSun: where neither may be drawn nor fed, a car that uses the sun goes on, and what it uses is not fed.
func TestReserveLeavesTheSun(t *testing.T) {
	for _, rise := range []float64{0, 0.9} {
		car := &Wish{Kind: district.EVCharger, MaxKW: 11, MeasuredKW: 6.9, WantedKW: 6.9, StepKW: 0.69, ReserveKW: 0.345, RunsKW: 4.14}
		sun := &Wish{Kind: district.PV, MinKW: -10, MeasuredKW: -8, WantedKW: -8, RatedKW: 10}
		g := Group{Wishes: []*Wish{car, sun}, RiseKW: rise, ImportLimitKW: math.Inf(1), ExportLimitKW: math.Inf(1)}
		if over := HoldTogether([]Group{g}, 0, 0, 0, ""); over != 0 || g.expected() < -1e-9 {
			t.Errorf("rise %v: car %v, sun %v, net %v, over by %v kW; want nothing fed", rise, car.WantedKW, sun.WantedKW, g.expected(), over)
		}
	}
}
