package dispatch

import (
	"math"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
)

// TestBlindLeavesComfort: behind limits that nobody measures, heat goes on, no share is of nothing, and each reason names the limit that counts.
func TestBlindLeavesComfort(t *testing.T) {
	all := func() []*Wish {
		return []*Wish{
			{Device: "ev", Kind: district.EVCharger, WantedKW: 11, MaxKW: 11}, {Device: "bat", Kind: district.Battery, WantedKW: 3, MinKW: -5, MaxKW: 5}, {Device: "gives", Kind: district.Battery, WantedKW: -3, MinKW: -5, MaxKW: 5},
			{Device: "pv", Kind: district.PV, WantedKW: -9, MinKW: -9, RatedKW: 9}, {Device: "hp", Kind: district.HeatPump, WantedKW: 3, MaxKW: 3}, {Device: "tank", Kind: district.WaterHeater, WantedKW: 2, MaxKW: 2},
		}
	}
	type want struct {
		kw   float64
		safe bool
		says string
	}
	imp, exp := "r, import limit 8.0 kW of the district", "r, export limit 6.0 kW of the district"
	for _, tt := range []struct {
		name     string
		imp, exp float64
		want     [6]want
	}{
		{"import", 8, math.Inf(1), [6]want{{4, true, imp}, {0, true, imp}, {-3, true, imp}, {-9, false, ""}, {3, false, ""}, {2, false, ""}}},
		{"export", math.Inf(1), 6, [6]want{{11, false, ""}, {3, true, exp}, {0, true, exp}, {-6, true, exp}, {3, false, ""}, {2, false, ""}}},
		{"both", 8, 6, [6]want{{4, true, imp}, {0, true, imp}, {0, true, exp}, {-6, true, exp}, {3, false, ""}, {2, false, ""}}},
		{"none", math.Inf(1), math.Inf(1), [6]want{{kw: 11}, {kw: 3}, {kw: -3}, {kw: -9}, {kw: 3}, {kw: 2}}},
	} {
		ws := all()
		Blind(ws, tt.imp, tt.exp, "r", " of the district")
		for i, w := range ws {
			if x := tt.want[i]; w.WantedKW != x.kw || w.Safe != x.safe || w.Reason != x.says {
				t.Errorf("%s, %s: %v kW, safe %v, %q; want %+v", tt.name, w.Device, w.WantedKW, w.Safe, w.Reason, x)
			}
		}
	}
	nothing := []*Wish{{Kind: district.EVCharger, WantedKW: 5}, {Kind: district.PV, WantedKW: -5}}
	Blind(nothing, 8, 6, "r", "")
	for _, w := range nothing {
		if w.WantedKW != 0 {
			t.Errorf("a %s without a power is told %v kW", w.Kind, w.WantedKW)
		}
	}
}

// TestGuardHoldsTheFirst: what a device would take without the limit is what it would when the limit first held it back, whichever way its power flows; a new command gives it a moment, a lower one too.
func TestGuardHoldsTheFirst(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	g := NewGuard()
	w := &Wish{Site: "s", Device: "d", MinKW: -20, MaxKW: 20, MeasuredKW: 4, WantedKW: 4}
	g.Told(w, 5, false, at)
	g.Told(w, 11, true, at)
	g.Told(w, 12, true, at)
	if kw, held := g.Free(w, at); kw != 11 || !held {
		t.Errorf("%v kW, held %v; want 11 kW", kw, held)
	}
	if kw, held := g.Free(&Wish{Site: "s", Device: "other", MeasuredKW: 3}, at); kw != 3 || held {
		t.Errorf("another device: %v kW, held %v", kw, held)
	}
	for name, does := range map[string]float64{"does it": -10, "does half of it": -5} { // told to give 10 kW
		g = NewGuard()
		w = &Wish{Site: "s", Device: "d", MinKW: -20, MaxKW: 20, MeasuredKW: does, WantedKW: -10}
		held := true
		for after := time.Duration(0); after <= 2*ReleaseAfter; after += time.Minute {
			g.Told(w, -20, true, at.Add(after))
			_, still := g.Free(w, at.Add(after))
			held = held && still
		}
		if want := name == "does it"; held != want {
			t.Errorf("who %s is held back %v, want %v", name, held, want)
		}
	}
	g = NewGuard()
	w = &Wish{Site: "s", Device: "d", MaxKW: 22, MeasuredKW: 0, WantedKW: 11}
	for after := time.Duration(0); after < 4*ReleaseAfter; after += ReleaseAfter - time.Minute { // told ever less, it has not had the time to do it
		w.WantedKW--
		g.Told(w, 22, true, at.Add(after))
		if _, held := g.Free(w, at.Add(after+ReleaseAfter-2*time.Minute)); !held {
			t.Errorf("%v after the first command: let go in spite of a new one", after)
		}
	}
	for after, want := range map[time.Duration]bool{5*time.Minute - time.Second: true, 5 * time.Minute: false} { // as the architecture has it
		g = NewGuard()
		w = &Wish{Site: "s", Device: "d", MaxKW: 22, MeasuredKW: 11, WantedKW: 11}
		g.Told(w, 22, true, at)
		if _, held := g.Free(w, at.Add(after)); held != want {
			t.Errorf("%v after the limit last needed it: held %v, want %v", after, held, want)
		}
	}
}

// TestNobodyIsBroughtBeyondItsSite: for the limit of the district no site is led to feed or to draw more than it may itself.
func TestNobodyIsBroughtBeyondItsSite(t *testing.T) {
	bat := func(kw float64) *Wish {
		return &Wish{Kind: district.Battery, MinKW: -10, MaxKW: 10, MeasuredKW: kw, WantedKW: kw}
	}
	for _, tt := range []struct {
		name     string
		net      float64 // of the site with the battery
		other    float64
		imp, exp float64 // of the site
		want     float64 // of the battery
		over     float64
	}{
		{"its site feeds all that it may, and takes of the feed of all", -5, -10, 9, 5, 10, 2},
		{"its site may draw no more", 8, -20, 9, 5, 1, 8},
		{"its site may feed no more", -4, 20, 9, 5, -1, 12},
		{"its site feeds too much already", -7, 20, 9, 5, 0, 10},
		{"its site may draw little more", 8, 20, 9, 5, -10, 15},
		{"its site has no limits", -4, 20, math.Inf(1), math.Inf(1), -10, 3},
	} {
		b := bat(0)
		groups := []Group{{Wishes: []*Wish{b}, NetKW: tt.net, ImportLimitKW: tt.imp, ExportLimitKW: tt.exp}, {NetKW: tt.other, ImportLimitKW: math.Inf(1), ExportLimitKW: math.Inf(1)}}
		if over := HoldTogether(groups, tt.net+tt.other, 3, 3, " of the district"); math.Abs(b.WantedKW-tt.want) > 1e-9 || math.Abs(over-tt.over) > 1e-9 {
			t.Errorf("%s: the battery %v kW, over by %v kW; want %v and %v", tt.name, b.WantedKW, over, tt.want, tt.over)
		}
		if b.Raised != (tt.want > 0) || b.Changed != (tt.want != 0) || b.Tight != (tt.want == 1) {
			t.Errorf("%s: %+v", tt.name, b)
		}
		if tt.want != 0 && !strings.HasSuffix(b.Reason, " limit 3.0 kW of the district") {
			t.Errorf("%s: %q", tt.name, b.Reason)
		}
	}
}

// TestUrge: only who lowers what is drawn, and clearly so, is hastened; who is changed already keeps its reason, and what it lowers is not counted twice.
func TestUrge(t *testing.T) {
	wish := func(measured, wanted float64) *Wish {
		return &Wish{Kind: district.WaterHeater, MaxKW: 4, MeasuredKW: measured, WantedKW: wanted, Reason: "plan"}
	}
	for _, tt := range []struct {
		name    string
		w       *Wish
		hastens bool
	}{{"rests", wish(4, 0), true}, {"less", wish(4, 3.93), true}, {"hardly less", wish(4, 3.96), false}, {"goes on", wish(4, 4), false}, {"begins", wish(0, 2), false}} {
		urge([]Group{{Wishes: []*Wish{tt.w}}}, 1, "limit")
		if tt.w.Changed != tt.hastens || (tt.w.Reason == "limit") != tt.hastens {
			t.Errorf("one that %s: %+v", tt.name, tt.w)
		}
	}
	site, next := wish(4, 0), wish(4, 0)
	site.Changed, site.Reason = true, "limit of the site"
	urge([]Group{{Wishes: []*Wish{site, next}}}, 1, "limit")
	if site.Reason != "limit of the site" || !next.Changed {
		t.Errorf("%+v and %+v, want the first as it was and the next in haste", site, next)
	}
}

// TestTakingInOrder: cars take first whatever their place, then heat; where none can run so low, the one that draws least; nothing for less than steps of commands and meters tell; who runs is who draws.
func TestTakingInOrder(t *testing.T) {
	for _, tt := range []struct {
		name   string
		overKW float64
		change func(car, tank, pump *Wish)
		want   [3]float64
	}{
		{"all fit", 3, func(car, _, pump *Wish) { car.LeastKW = 1; pump.LeastKW = 1 }, [3]float64{3, 0, 0}},
		{"heaters fit", 2.23, nil, [3]float64{0, 2.2, 0}},
		{"the car draws least", 0.5, func(car, _, pump *Wish) { car.LeastKW = 0.7 }, [3]float64{0.7, 0, 0}},
		{"too little", 0.04, nil, [3]float64{}},
		{"a little more", 0.06, nil, [3]float64{0, 0, 0.8}},
		{"a pump that runs", 2.6, func(_, _, pump *Wish) { pump.MeasuredKW = 0.06 }, [3]float64{0, 0, 2.6}},
		{"a pump that stands by", 2.6, func(_, _, pump *Wish) { pump.MeasuredKW = 0.04 }, [3]float64{0, 2.2, 0.8}},
		{"part of a step more", 5, func(car, _, _ *Wish) { car.StepKW = 0.69 }, [3]float64{5.52, 0, 0}},
		{"a sated car no more than it draws", 3, func(car, _, _ *Wish) { car.Sated, car.MeasuredKW, car.LeastKW, car.StepKW = true, 1.2, 0.69, 0.69 }, [3]float64{1.38, 0, 0.8 + 1.0}},
	} {
		car, tank, pump := consumers()
		if tt.change != nil {
			tt.change(car, tank, pump)
		}
		kw := car.MeasuredKW + pump.MeasuredKW
		over := Hold([]*Wish{pump, tank, car}, -3-tt.overKW+kw, 9, 3)
		if math.Abs(car.WantedKW-tt.want[0]) > 1e-9 || math.Abs(tank.WantedKW-tt.want[1]) > 1e-9 || math.Abs(pump.WantedKW-tt.want[2]) > 1e-9 {
			t.Errorf("%s: %v, %v and %v kW, over by %v; want %v", tt.name, car.WantedKW, tank.WantedKW, pump.WantedKW, over, tt.want)
		}
	}
}

// TestStaying: who took a feed stays within what its site may draw, what it takes counts against the feed, and nobody stays for a limit that is gone.
func TestStaying(t *testing.T) {
	for _, tt := range []struct {
		name      string
		net       float64
		own, exp  float64
		changed   bool
		wantsOver float64
	}{
		{"it fits", 5, 9, 6, true, 0},
		{"its site has no room", 8, 9, 6, false, 0},
		{"to the last of its room", 6.8, 9, 6, true, 0},
		{"the limit is gone", 5, 9, math.Inf(1), false, 0},
	} {
		tank := &Wish{Device: "tank", Kind: district.WaterHeater, MaxKW: 2.2, TakeKW: 2.2, LeastKW: 2.2, StaysFor: "export of the district"}
		groups := []Group{{Wishes: []*Wish{tank}, NetKW: tt.net, ImportLimitKW: tt.own, ExportLimitKW: math.Inf(1)}, {NetKW: -11, ImportLimitKW: math.Inf(1), ExportLimitKW: math.Inf(1)}}
		over := HoldTogether(groups, tt.net-11, 30, tt.exp, " of the district")
		if tank.Changed != tt.changed || math.Abs(over-tt.wantsOver) > 1e-9 {
			t.Errorf("%s: %+v, over by %v", tt.name, tank, over)
		}
	}
	for _, tt := range []struct {
		name         string
		wants, net   float64
		imp, kw, fed float64
	}{
		{"what it does for the plan counts", 1, -2.04, 9, 2.2, 0}, {"more than its least", 4, -5.04, 9, 4, 0.04}, {"no room behind the boundary", 0, 1, 3, 0, 0}, {"room behind the boundary", 0, 0.8, 3, 2.2, 0},
	} {
		w := &Wish{Kind: district.WaterHeater, MaxKW: 5, TakeKW: 2.2, LeastKW: 2.2, StaysFor: "export", WantedKW: tt.wants}
		if over := Hold([]*Wish{w}, tt.net, tt.imp, 1); w.WantedKW != tt.kw || math.Abs(over-tt.fed) > 1e-9 {
			t.Errorf("%s: %v kW, over by %v kW; want %v and %v", tt.name, w.WantedKW, over, tt.kw, tt.fed)
		}
	}
	tank := &Wish{Kind: district.WaterHeater, MaxKW: 2.2, TakeKW: 2.2, LeastKW: 2.2, StaysFor: "export"}
	if over := Hold([]*Wish{tank}, -3.04, 9, 3); over != 0 || tank.WantedKW != 2.2 { // too little for a switch, but it stays on
		t.Errorf("over by %v kW with the tank at %v kW", over, tank.WantedKW)
	}
}
