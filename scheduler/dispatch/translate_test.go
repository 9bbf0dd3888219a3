package dispatch

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quartier/drivers"
)

// TestSideOfACommand: whatever range and step a single device has, a command is in its range, on the side that a limit asks for unless the device cannot go there, in the direction that is wanted, and no
// further from what is wanted than its steps make it.
func TestSideOfACommand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		round := func(v, unit float64) float64 { return math.Round(v/unit) * unit }
		ctl := drivers.Control{Point: "setpoint", Quantity: rapid.SampledFrom([]drivers.ControlQuantity{drivers.ControlKW, drivers.ControlShare}).Draw(t, "quantity"),
			Step: rapid.SampledFrom([]float64{0, 0.001, 0.01, 0.1}).Draw(t, "step")}
		unit, scale := rapid.SampledFrom([]float64{0.01, 0.1}).Draw(t, "unit"), 1.0
		ctl.Min, ctl.Max = -round(rapid.Float64Range(0.2, 20).Draw(t, "min"), unit), round(rapid.Float64Range(0.2, 20).Draw(t, "max"), unit)
		if ctl.Quantity == drivers.ControlShare { // of a battery
			ctl.RatedKW = rapid.Float64Range(1, 30).Draw(t, "rated")
			ctl.Min, ctl.Max, scale = -1, 1, ctl.RatedKW
		}
		low, high, step := ctl.Min*scale, ctl.Max*scale, ctl.Step*scale
		want := rapid.Float64Range(1.5*low, 1.5*high).Draw(t, "wanted")
		if rapid.Bool().Draw(t, "end") {
			want = rapid.SampledFrom([]float64{low, high, 0}).Draw(t, "at")
		}
		can := clamp(want, low, high)
		for name, cmd := range map[string]Command{"nearest": Translate(ctl, want, 3), "at most": AtMost(ctl, want, 3), "at least": AtLeast(ctl, want, 3)} {
			if cmd.Value < ctl.Min || cmd.Value > ctl.Max || math.Abs(cmd.Value*scale-cmd.SentKW) > 1e-9 || math.Abs(kwOf(ctl, cmd.Value)-cmd.SentKW) > 1e-9 {
				t.Fatalf("%s %v kW: %v for %v kW of [%v, %v]", name, want, cmd.Value, cmd.SentKW, ctl.Min, ctl.Max)
			}
			off := cmd.SentKW - can
			if name == "at most" && off > 1e-6 && can-step > low || name == "at least" && off < -1e-6 && can+step < high || math.Abs(off) > step+1e-6 || name == "nearest" && math.Abs(off) > step/2+1e-6 && can-step > low && can+step < high {
				t.Fatalf("%s %v kW in steps of %v kW of [%v, %v]: %v kW", name, want, step, low, high, cmd.SentKW)
			}
			if cmd.SentKW*want < 0 {
				t.Fatalf("%s %v kW: the other way, %v kW", name, want, cmd.SentKW)
			}
		}
	})
}

// TestEndsOfARange: a device takes its full power, whatever that is in steps of its register.
func TestEndsOfARange(t *testing.T) {
	for _, step := range []float64{0.001, 0.01, 0.1} {
		for tenths := 1; tenths <= 200; tenths++ {
			kw := float64(tenths) / 10
			ctl := drivers.Control{Quantity: drivers.ControlKW, Min: -kw, Max: kw, Step: step}
			for _, translate := range []func(drivers.Control, float64, float64) Command{Translate, AtMost, AtLeast} {
				for _, want := range []float64{kw, -kw, 2 * kw, -2 * kw} {
					if cmd := translate(ctl, want, kw); math.Abs(cmd.Value) != kw || math.Signbit(cmd.Value) != math.Signbit(want) {
						t.Fatalf("%v kW of %v kW in steps of %v kW: %.17g", want, kw, step, cmd.Value)
					}
				}
			}
		}
	}
}

// TestAtLeast: what a limit lifted is not rounded down by what the device can take, nor is a consumer that must draw something paused.
func TestAtLeast(t *testing.T) {
	free := charger
	free.Pause = nil
	for _, tt := range []struct {
		name       string
		ctl        drivers.Control
		kw, maxKW  float64
		value, out float64
		clipped    bool
	}{
		{"a car is rounded up", charger, 10.4, 22, 16, 11.04, false},
		{"a car that must draw a little draws its least", charger, 1, 22, 6, 4.14, true},
		{"a car that need not is paused", charger, 0, 22, 0, 0, false},
		{"a car cannot do more", charger, 30, 22, 32, 22.08, true},
		{"a point that cannot pause", free, 0, 22, 6, 4.14, true},
		{"a battery is rounded up", battery, 12.31, 50, 12.4, 12.4, false},
		{"one that discharges, towards 0", battery, -12.39, 50, -12.3, -12.3, false},
		{"a battery by share", drivers.Control{Quantity: drivers.ControlShare, Min: -1, Max: 1, Step: 0.01, RatedKW: 10}, -4.56, 10, -0.45, -4.5, false},
		{"a battery by share, beyond its range", drivers.Control{Quantity: drivers.ControlShare, Min: -1, Max: 1, Step: 0.01, RatedKW: 10}, 20, 10, 1, 10, true},
		{"a battery by share, below its range", drivers.Control{Quantity: drivers.ControlShare, Min: -1, Max: 1, Step: 0.01, RatedKW: 10}, -20, 10, -1, -10, true},
		{"a battery by share of nothing", drivers.Control{Quantity: drivers.ControlShare, Min: -1, Max: 1, Step: 0.01}, 0, 0, 0, 0, false},
		{"the sun of nothing", drivers.Control{Quantity: drivers.ControlShare, Max: 1, Step: 0.01}, 0, 0, 1, 0, false},
		{"a range that is no whole steps", drivers.Control{Quantity: drivers.ControlKW, Min: -4.55, Max: 4.55, Step: 0.1}, 4.55, 5, 4.5, 4.5, false},
		{"and its other end", drivers.Control{Quantity: drivers.ControlKW, Min: -4.55, Max: 4.55, Step: 0.1}, -5, 5, -4.5, -4.5, true},
		{"the sun is rounded to less feed", sun, -10.3, 40, 0.25, -10, false},
		{"lamps are rounded up", drivers.Control{Quantity: drivers.ControlShare, Min: 0.1, Max: 1, Step: 0.1}, 0.72, 2, 0.4, 0.8, false},
	} {
		if c := AtLeast(tt.ctl, tt.kw, tt.maxKW); math.Abs(c.Value-tt.value) > 1e-9 || math.Abs(c.SentKW-tt.out) > 1e-9 || c.Clipped != tt.clipped {
			t.Errorf("%s: %v for %v kW, clipped %v; want %v for %v kW, %v", tt.name, c.Value, c.SentKW, c.Clipped, tt.value, tt.out, tt.clipped)
		}
	}
}

// TestSGReadyAndRelay: states at the edges between them.
func TestSGReadyAndRelay(t *testing.T) {
	values := func(of func(drivers.Control, float64, float64) Command, ctl drivers.Control, shares ...float64) (out []float64) {
		for _, s := range shares {
			out = append(out, of(ctl, 4*s, 4).Value)
		}
		return out
	}
	for _, tt := range []struct {
		name      string
		got, want []float64
	}{
		{"planned", values(Translate, sgReady, 0, 0.09, 0.1, 0.5, 0.75, 0.76, 1), []float64{1, 1, 2, 2, 2, 3, 3}},
		{"limited", values(AtMost, sgReady, 0, 0.5, 0.99, 1), []float64{1, 1, 1, 3}},
		{"lifted", values(AtLeast, sgReady, 0, 0.5, 1), []float64{1, 2, 3}},
		{"a relay planned", values(Translate, relay, 0, 0.49, 0.5, 1), []float64{0, 0, 1, 1}},
		{"a relay limited", values(AtMost, relay, 0, 0.5, 0.99, 1, 2), []float64{0, 0, 0, 1, 1}},
	} {
		if !slices.Equal(tt.got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, tt.got, tt.want)
		}
	}
	if c := Translate(relay, 0, 0); c.Value != 0 {
		t.Errorf("a relay of a device without a power: %v, want it off", c.Value)
	}
	if c := AtMost(sun, -10.3, 40); math.Abs(c.Value-0.26) > 1e-9 {
		t.Errorf("the sun that must deliver something: %v, want it rounded up", c.Value)
	}
	if c := AtMost(relay, 3, 4); c.SentKW != 0 || c.Text != "on off" {
		t.Errorf("%+v, want off and nothing drawn", c)
	}
}

// TestSizes: what steps, the least command and the safe value of a control are in kW.
func TestSizes(t *testing.T) {
	one := charger
	one.Phases, one.Safe = 0, 10
	lamps := drivers.Control{Quantity: drivers.ControlShare, Min: 0.1, Max: 1, Step: 0.01}
	for _, tt := range []struct {
		name                  string
		ctl                   drivers.Control
		maxKW                 float64
		step, runsFrom, safeK float64
	}{
		{"a car", charger, 22, 0.69, 4.14, 22.08},
		{"a car on one phase", one, 7, 0.23, 1.38, 2.3},
		{"a battery", battery, 50, 0.1, 0, 50},
		{"the sun", sun, 9, 0.4, 0, 9},
		{"lamps by what the device has", lamps, 2, 0.02, 0.2, 2},
		{"a relay", relay, 2.2, 0, 0, 2.2},
		{"a heat pump", sgReady, 4, 0, 0, 4},
	} {
		if a, b, c := StepKW(tt.ctl, tt.maxKW), RunsFromKW(tt.ctl, tt.maxKW), SafeKW(tt.ctl, tt.maxKW); math.Abs(a-tt.step) > 1e-9 || math.Abs(b-tt.runsFrom) > 1e-9 || math.Abs(c-tt.safeK) > 1e-9 {
			t.Errorf("%s: steps of %v kW from %v kW, safe %v kW; want %v, %v and %v", tt.name, a, b, c, tt.step, tt.runsFrom, tt.safeK)
		}
	}
}
