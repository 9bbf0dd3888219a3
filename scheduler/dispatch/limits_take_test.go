package dispatch

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/drivers"
	"quartier/schemas/district"
)

// consumers are a car, a tank and a heat pump that may take what is fed.
func consumers() (car, tank, pump *Wish) {
	return &Wish{Device: "car", Kind: district.EVCharger, MaxKW: 11, TakeKW: 11, LeastKW: 4.14}, &Wish{Device: "tank", Kind: district.WaterHeater, MaxKW: 2.2, TakeKW: 2.2, LeastKW: 2.2},
		&Wish{Device: "pump", Kind: district.HeatPump, MaxKW: 2.6, TakeKW: 2.6, LeastKW: 0.8}
}

// TestConsumersTakeWhatIsFed: what neither a battery nor the sun makes up for is taken by those that fit, and by the one that draws least beyond where none can run so low; never before the sun gives way, nor so
// that too much is drawn.
func TestConsumersTakeWhatIsFed(t *testing.T) {
	for _, tt := range []struct {
		name            string
		netKW           float64
		imp, exp        float64
		sun             bool // an inverter that can be held back
		car, tank, pump float64
		over            float64
		change          func(car, tank, pump *Wish)
	}{
		{name: "within the limit", netKW: -3, imp: 9, exp: 3},
		{name: "the sun gives way first", netKW: -5, imp: 9, exp: 3, sun: true},
		{name: "the pump fits", netKW: -4, imp: 9, exp: 3, pump: 1},
		{name: "the tank fits", netKW: -5.2, imp: 9, exp: 3, tank: 2.2},
		{name: "the car fits", netKW: -8, imp: 9, exp: 3, car: 5},
		{name: "who runs already goes on", netKW: -7.5, imp: 9, exp: 3, tank: 2.2, pump: 2.3, change: func(_, tank, _ *Wish) { tank.MeasuredKW = 2.2 }},
		{name: "who runs already goes on, beyond what is needed", netKW: -6, imp: 9, exp: 3, car: 4.14, change: func(car, _, _ *Wish) { car.MeasuredKW = 4.14 }},
		{name: "none runs so low", netKW: -3.5, imp: 9, exp: 3, pump: 0.8},
		{name: "the tank alone may, beyond what is needed", netKW: -3.5, imp: 9, exp: 3, tank: 2.2, change: func(car, _, pump *Wish) { pump.TakeKW = 0 }},
		{name: "but not beyond what may be drawn", netKW: -3.5, imp: 0, exp: 3, tank: 2.2, change: func(car, _, pump *Wish) { pump.TakeKW = 0 }},
		{name: "nothing may flow", netKW: -0.5, imp: 0, exp: 0, over: 0.5},
		{name: "all together", netKW: -25, imp: 9, exp: 3, car: 11, tank: 2.2, pump: 2.6, over: 6.2},
		{name: "none may", netKW: -8, imp: 9, exp: 3, over: 5, change: func(car, tank, pump *Wish) { car.TakeKW, tank.TakeKW, pump.TakeKW = 0, 0, 0 }},
	} {
		car, tank, pump := consumers()
		if tt.change != nil {
			tt.change(car, tank, pump)
		}
		ws := []*Wish{car, tank, pump}
		if tt.sun {
			ws = append(ws, &Wish{Kind: district.PV, MinKW: -9, RatedKW: 9, MeasuredKW: -6, WantedKW: -6})
		}
		tt.netKW += car.MeasuredKW + tank.MeasuredKW
		over := Hold(ws, tt.netKW, tt.imp, tt.exp)
		if math.Abs(over-tt.over) > 1e-9 || math.Abs(car.WantedKW-tt.car) > 1e-9 || math.Abs(tank.WantedKW-tt.tank) > 1e-9 || math.Abs(pump.WantedKW-tt.pump) > 1e-9 {
			t.Errorf("%s: car %.2f, tank %.2f, pump %.2f kW, over by %.2f; want %.2f, %.2f, %.2f and %.2f", tt.name, car.WantedKW, tank.WantedKW, pump.WantedKW, over, tt.car, tt.tank, tt.pump, tt.over)
		}
		for _, w := range ws[:3] {
			if took := w.WantedKW > 0; took != w.Raised || took != w.Changed || took && (w.TakenKW != w.WantedKW || !strings.HasPrefix(w.Reason, "export limit")) {
				t.Errorf("%s: %+v", tt.name, w)
			}
		}
	}
}

// TestTakingStaysBetweenTheLimits: whatever is fed, nobody takes more than it may or less than it can, nothing beyond what a site or the boundary may draw is begun, and what is left over could be taken by nobody.
func TestTakingStaysBetweenTheLimits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kw := func(name string, low, high float64) float64 { return rapid.Float64Range(low, high).Draw(t, name) }
		var groups []Group
		net := 0.0
		for range rapid.IntRange(1, 3).Draw(t, "sites") {
			g := Group{NetKW: kw("net", -30, 5), ImportLimitKW: kw("own import", 0, 20), ExportLimitKW: math.Inf(1)}
			for range rapid.IntRange(0, 4).Draw(t, "devices") {
				w := &Wish{Kind: rapid.SampledFrom(takeOrder).Draw(t, "kind"), MaxKW: 11}
				w.LeastKW = kw("least", 0, 5)
				w.TakeKW = kw("take", 0, 11)
				w.StepKW = rapid.SampledFrom([]float64{0, 0.23, 0.69}).Draw(t, "step")
				w.LeastKW, w.TakeKW = w.up(w.LeastKW), w.down(w.TakeKW)
				w.WantedKW = kw("want", 0, 3)
				w.MeasuredKW = w.WantedKW
				g.Wishes = append(g.Wishes, w)
			}
			net += g.NetKW
			groups = append(groups, g)
		}
		imp, exp := kw("import", 0, 30), kw("export", 0, 30)
		within := make([]bool, len(groups))
		for i, g := range groups {
			within[i] = g.expected() <= g.ImportLimitKW
		}
		if net > imp {
			return
		}
		over := HoldTogether(groups, net, imp, exp, "")
		after := net
		for i, g := range groups {
			for _, w := range g.Wishes {
				after += w.WantedKW - w.MeasuredKW
				if w.Raised && (w.WantedKW > w.TakeKW+1e-9 || w.WantedKW < w.LeastKW-1e-9 || w.up(w.WantedKW) > w.WantedKW+1e-9 || math.Abs(w.WantedKW-w.MeasuredKW-w.TakenKW) > 1e-9) || !w.Raised && w.WantedKW != w.MeasuredKW {
					t.Fatalf("%+v", w)
				}
			}
			if within[i] && g.expected() > g.ImportLimitKW+1e-9 {
				t.Fatalf("site %d draws %v kW of %v kW", i, g.expected(), g.ImportLimitKW)
			}
		}
		if after > imp+1e-9 || math.Abs(over-math.Max(0, -after-exp)) > 1e-9 {
			t.Fatalf("%v kW after all, between %v and %v kW, said over by %v", after, -exp, imp, over)
		}
		for _, g := range groups {
			for _, w := range g.Wishes {
				step := math.Max(w.LeastKW, math.Min(w.TakeKW, w.WantedKW+over)) - w.WantedKW
				if w.StepKW > 0 {
					step += w.StepKW
				}
				if over > worthTaking && w.TakeKW >= w.LeastKW && w.TakeKW > w.WantedKW+1e-6 && step < math.Min(imp-after, g.ImportLimitKW-g.expected())-1e-6 {
					t.Fatalf("over by %v kW, and %+v could take %v kW", over, w, step)
				}
			}
		}
	})
}

// TestTakingKeepsWhatMayBeDrawn: what is sent in steps of amperes to a car that takes the feed of another site does not pass the limit of its own.
func TestTakingKeepsWhatMayBeDrawn(t *testing.T) {
	zero := 0.0
	ctl := drivers.Control{Point: "limit_a", Quantity: drivers.ControlAmpere, Min: 6, Max: 16, Step: 1, Phases: 3, VoltageV: 230, Pause: &zero}
	for _, tt := range []struct{ netKW, otherKW, amperes, over float64 }{
		{8.9, -19, 8, 0.1},        // no room for one more
		{8.2, -19, 9, 0.8 - 0.69}, // for one
		{5, -19, 13, 4 - 3.45},    // for five
		{5, -15.5, 9, 0},          // and one is enough
	} {
		car := &Wish{Device: "car", Kind: district.EVCharger, MaxKW: 11, MeasuredKW: 5.52, WantedKW: 5.52, TakeKW: 10.35, LeastKW: 4.14, StepKW: StepKW(ctl, 11)}
		groups := []Group{{Wishes: []*Wish{car}, NetKW: tt.netKW, ImportLimitKW: 9, ExportLimitKW: math.Inf(1)}, {NetKW: tt.otherKW, ImportLimitKW: 9, ExportLimitKW: math.Inf(1)}}
		over := HoldTogether(groups, tt.netKW+tt.otherKW, 30, 10, " of the district")
		cmd := AtLeast(ctl, car.WantedKW, 11)
		if site := tt.netKW - 5.52 + cmd.SentKW; site > 9+1e-9 || cmd.Value != tt.amperes {
			t.Errorf("site at %.2f kW: %s, %.2f kW of 9 kW; want %g A", tt.netKW, cmd.Text, site, tt.amperes)
		}
		if math.Abs(over-tt.over) > 1e-9 {
			t.Errorf("site at %.2f kW: over by %.3f kW, want %.3f kW", tt.netKW, over, tt.over)
		}
	}
}

// TestSatedAndStaying: who draws no more than it does counts so, and who took a feed until lately goes on at its least, as far as may be drawn and for the limit that asked.
func TestSatedAndStaying(t *testing.T) {
	for _, tt := range []struct {
		name            string
		netKW, imp      float64
		car, tank, pump float64
		change          func(car, tank, pump *Wish)
	}{
		{name: "a full car takes nothing", netKW: -8, imp: 9, tank: 2.2, pump: 2.6, change: func(car, _, _ *Wish) { car.Sated = true }},
		{name: "nor does one that is planned", netKW: -8, imp: 20, car: 7, tank: 2.2, pump: 2.6, change: func(car, _, _ *Wish) { car.Sated, car.WantedKW = true, 7 }},
		{name: "a weak pump takes what it draws", netKW: -5.5, imp: 9, tank: 2.2, pump: 2.6, change: func(_, _, pump *Wish) { pump.Sated, pump.MeasuredKW, pump.LeastKW = true, 0.5, 2.6 }},
		{name: "who took it stays", netKW: -2.5, imp: 9, tank: 2.2, change: func(_, tank, _ *Wish) { tank.StaysFor, tank.MeasuredKW = "export", 2.2 }},
		{name: "at its least", netKW: -2.5, imp: 9, car: 4.14, change: func(car, _, _ *Wish) { car.StaysFor, car.MeasuredKW = "export", 8 }},
		{name: "not for another limit", netKW: -2.5, imp: 9, change: func(_, tank, _ *Wish) { tank.StaysFor, tank.MeasuredKW = "export of the district", 2.2 }},
		{name: "not beyond what may be drawn", netKW: -2, imp: 0, change: func(_, tank, _ *Wish) { tank.StaysFor, tank.MeasuredKW = "export", 2.2 }},
		{name: "not where it may not", netKW: -2.5, imp: 9, change: func(_, tank, _ *Wish) { tank.StaysFor, tank.MeasuredKW, tank.TakeKW = "export", 2.2, 0 }},
	} {
		car, tank, pump := consumers()
		tt.change(car, tank, pump)
		ws := []*Wish{car, tank, pump}
		Hold(ws, tt.netKW+car.MeasuredKW+tank.MeasuredKW+pump.MeasuredKW, tt.imp, 3)
		if math.Abs(car.WantedKW-tt.car) > 1e-9 || math.Abs(tank.WantedKW-tt.tank) > 1e-9 || math.Abs(pump.WantedKW-tt.pump) > 1e-9 {
			t.Errorf("%s: car %.2f, tank %.2f, pump %.2f kW; want %.2f, %.2f and %.2f", tt.name, car.WantedKW, tank.WantedKW, pump.WantedKW, tt.car, tt.tank, tt.pump)
		}
	}
}

// TestBatteryKeepsWhatMayBeDrawn: a battery that takes as much as its site may draw is told no more than that by rounding.
func TestBatteryKeepsWhatMayBeDrawn(t *testing.T) {
	bat := &Wish{Kind: district.Battery, MinKW: -10, MaxKW: 10}
	groups := []Group{{Wishes: []*Wish{bat}, NetKW: 5.37, ImportLimitKW: 9, ExportLimitKW: math.Inf(1)}, {NetKW: -30, ImportLimitKW: 9, ExportLimitKW: math.Inf(1)}}
	HoldTogether(groups, 5.37-30, 30, 10, "")
	f := &fake{ctl: drivers.Control{Point: "kw", Quantity: drivers.ControlKW, Min: -10, Max: 10, Step: 0.1}}
	now := time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC)
	line, _ := NewSender("d").Send(t.Context(), f, *bat, 10, 1, now, now, false)
	if math.Abs(line.SentKW-3.6) > 1e-9 || line.Outcome != district.Clipped {
		t.Errorf("sent %v kW of %v kW (%v), want 3.6 kW", line.SentKW, bat.WantedKW, line.Outcome)
	}
}
