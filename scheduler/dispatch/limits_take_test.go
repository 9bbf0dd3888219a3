package dispatch

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

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
				if w.Raised && (w.WantedKW > w.TakeKW+1e-9 || w.WantedKW < w.LeastKW-1e-9 || math.Abs(w.WantedKW-w.MeasuredKW-w.TakenKW) > 1e-9) || !w.Raised && w.WantedKW != w.MeasuredKW {
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
				if over > worthTaking && w.TakeKW >= w.LeastKW && w.TakeKW > w.WantedKW+1e-6 && step < math.Min(imp-after, g.ImportLimitKW-g.expected())-1e-6 {
					t.Fatalf("over by %v kW, and %+v could take %v kW", over, w, step)
				}
			}
		}
	})
}
