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

// TestBlind: the shares of a limit that nobody can measure, each device kind in each direction, and nothing where nothing is limited.
func TestBlind(t *testing.T) {
	inf := math.Inf(1)
	for _, tt := range []struct {
		name         string
		kind         district.Kind
		wants        float64
		imp, exp     float64
		want         float64
		safe         bool
		reasonHolds  string
		other, rated float64 // a second device of the kind
	}{
		{name: "a car keeps its safe current below its share", kind: district.EVCharger, wants: 4.14, imp: 22, exp: inf, want: 4.14, safe: true, reasonHolds: "import limit 22.0 kW"},
		{name: "a car gets its share of half the limit", kind: district.EVCharger, wants: 11, imp: 12, exp: inf, want: 2, safe: true, other: 22},
		{name: "an export limit is nothing to a car", kind: district.EVCharger, wants: 11, imp: inf, exp: 5, want: 11},
		{name: "a battery does not charge", kind: district.Battery, wants: 8, imp: 12, exp: inf, want: 0, safe: true},
		{name: "a battery may deliver", kind: district.Battery, wants: -8, imp: 12, exp: inf, want: -8, safe: true},
		{name: "a battery does not deliver", kind: district.Battery, wants: -8, imp: inf, exp: 5, want: 0, safe: true, reasonHolds: "export limit 5.0 kW"},
		{name: "the sun gets its share", kind: district.PV, wants: -20, imp: inf, exp: 10, want: -8, safe: true, rated: 20, other: 5},
		{name: "the sun helps an import limit", kind: district.PV, wants: -20, imp: 10, exp: inf, want: -20, rated: 20},
		{name: "comfort is kept", kind: district.HeatPump, wants: 0, imp: 1, exp: 1, want: 0},
		{name: "hot water too", kind: district.WaterHeater, wants: 0, imp: 1, exp: 1, want: 0},
		{name: "nothing is limited", kind: district.Battery, wants: 8, imp: inf, exp: inf, want: 8},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := &Wish{Kind: tt.kind, WantedKW: tt.wants, MinKW: -10, MaxKW: 11, RatedKW: tt.rated}
			all := []*Wish{w}
			if tt.other > 0 {
				all = append(all, &Wish{Kind: tt.kind, MaxKW: tt.other, RatedKW: tt.other})
			}
			Blind(all, tt.imp, tt.exp, "safe", "")
			if math.Abs(w.WantedKW-tt.want) > 1e-9 || w.Safe != tt.safe || !strings.Contains(w.Reason, tt.reasonHolds) {
				t.Errorf("%v kW (safe %v, %q), want %v kW (%v, %q)", w.WantedKW, w.Safe, w.Reason, tt.want, tt.safe, tt.reasonHolds)
			}
		})
	}
}

// TestBlindSharesFit: whatever the devices are, what cars may draw in sum is half the import limit at most, and what the sun may feed the export limit.
func TestBlindSharesFit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		imp, exp := rapid.Float64Range(0, 100).Draw(t, "import"), rapid.Float64Range(0, 100).Draw(t, "export")
		var all []*Wish
		for range rapid.IntRange(1, 8).Draw(t, "devices") {
			p := rapid.Float64Range(0.5, 50).Draw(t, "kW")
			switch k := rapid.SampledFrom([]district.Kind{district.EVCharger, district.PV, district.Battery}).Draw(t, "kind"); k {
			case district.EVCharger:
				all = append(all, &Wish{Kind: k, WantedKW: p, MaxKW: p})
			case district.PV:
				all = append(all, &Wish{Kind: k, WantedKW: -p, RatedKW: p})
			default:
				all = append(all, &Wish{Kind: k, WantedKW: p - 25, MinKW: -50, MaxKW: 50})
			}
		}
		Blind(all, imp, exp, "safe", "")
		draw, feed := 0.0, 0.0
		for _, w := range all {
			draw, feed = draw+math.Max(0, w.WantedKW), feed+math.Max(0, -w.WantedKW)
			if w.Kind == district.Battery && w.WantedKW != 0 {
				t.Fatalf("a battery does %v kW under both limits", w.WantedKW)
			}
		}
		if draw > imp/2+1e-9 || feed > exp+1e-9 {
			t.Fatalf("%v kW may be drawn of a limit of %v kW, %v kW fed of %v kW", draw, imp, feed, exp)
		}
	})
}

// TestGuard: a device that a limit holds back is taken to want what it took before until the limit has needed nothing of it for [ReleaseAfter], or has not been what keeps it low.
func TestGuard(t *testing.T) {
	start := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	w := func(measured, wanted float64) *Wish {
		return &Wish{Site: "s", Device: "ev", Kind: district.EVCharger, MeasuredKW: measured, WantedKW: wanted, MaxKW: 22}
	}
	g := NewGuard()
	if kw, held := g.Free(w(11, 0), start); held || kw != 11 {
		t.Errorf("a device that nothing holds back: %v kW, %v", kw, held)
	}
	g.Told(w(11, 6), 22, true, start)
	for after := time.Duration(0); after < 3*ReleaseAfter; after += time.Minute { // the limit goes on binding
		if kw, held := g.Free(w(6, 6), start.Add(after)); !held || kw != 22 {
			t.Fatalf("after %v: %v kW, %v; want 22 kW held back", after, kw, held)
		}
		g.Told(w(6, 6), 22, true, start.Add(after))
	}
	end := start.Add(3*ReleaseAfter - time.Minute)
	for after := time.Duration(0); after <= ReleaseAfter; after += time.Minute { // it needs nothing any more
		_, held := g.Free(w(11, 11), end.Add(after))
		if want := after < ReleaseAfter; held != want {
			t.Errorf("%v after the limit bound last: held %v, want %v", after, held, want)
		}
		if held {
			g.Told(w(11, 11), 22, false, end.Add(after))
		}
	}
	g = NewGuard()
	for after := time.Duration(0); after <= ReleaseAfter; after += time.Minute { // the car is full: the limit is not what keeps it low
		_, held := g.Free(w(0.1, 6), start.Add(after))
		if want := after > 0 && after < ReleaseAfter; held != want {
			t.Errorf("a full car after %v: held %v, want %v", after, held, want)
		}
		if after < ReleaseAfter {
			g.Told(w(0.1, 6), 22, true, start.Add(after))
		}
	}
}

// TestAtMost: what a limit lowered is not rounded up by what the device can take.
func TestAtMost(t *testing.T) {
	for _, tt := range []struct {
		name string
		cmd  Command
		want float64
	}{
		{"a car between nothing and 6 A is paused", AtMost(charger, 3, 22), 0},
		{"a car above 6 A is rounded down", AtMost(charger, 11, 22), 15},
		{"a heat pump that may not run at full power is blocked", AtMost(sgReady, 2, 4), 1},
		{"a heat pump that may is boosted", AtMost(sgReady, 4, 4), 3},
		{"a relay is opened", AtMost(relay, 1.2, 2.2), 0},
		{"a battery is rounded down", AtMost(battery, 12.39, 50), 12.3},
	} {
		if math.Abs(tt.cmd.Value-tt.want) > 1e-9 {
			t.Errorf("%s: %v, want %v", tt.name, tt.cmd.Value, tt.want)
		}
	}
}

// TestGuardBySlackAndClock: a device that does nearly what it was told counts as doing it, by the larger of its ranges and by 0.2 kW of a small one; and nothing that lies in times to come, since the clock was set back, holds it.
func TestGuardBySlackAndClock(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name                 string
		minKW, maxKW         float64
		toldKW, doesKW, free float64
		held                 bool
	}{
		{name: "a car half a kW below", maxKW: 11, toldKW: 4, doesKW: 3.5, free: 11, held: true},
		{name: "a car a kW below", maxKW: 11, toldKW: 4, doesKW: 3, free: 11},
		{name: "a small heater", maxKW: 2, toldKW: 1, doesKW: 0.85, free: 2, held: true},
		{name: "a small heater that rests", maxKW: 2, toldKW: 1, doesKW: 0.75, free: 2},
		{name: "a battery by what it may give", minKW: -20, maxKW: 5, toldKW: -10, doesKW: -9.2, free: -20, held: true},
	} {
		g := NewGuard()
		w := &Wish{Site: "s", Device: "d", MinKW: tt.minKW, MaxKW: tt.maxKW, MeasuredKW: tt.doesKW, WantedKW: tt.toldKW}
		held := true
		for after := time.Duration(0); after <= 2*ReleaseAfter; after += time.Minute {
			g.Told(w, tt.free, true, at.Add(after))
			_, still := g.Free(w, at.Add(after))
			held = held && still
		}
		if held != tt.held {
			t.Errorf("%s: held back %v, want %v", tt.name, held, tt.held)
		}
	}
	w := &Wish{Site: "s", Device: "d", MaxKW: 11, WantedKW: 4, MeasuredKW: 4}
	back := at.Add(-time.Hour)
	g := NewGuard()
	g.Told(w, 11, true, at)
	w.MaxKW = 7
	if kw, _ := g.Free(w, at); kw != 7 {
		t.Errorf("without the limit it would take %v kW, and can take 7", kw)
	}
	if _, held := g.Free(w, back); held {
		t.Error("held back by a limit that was in need at a time to come")
	}
	g = NewGuard()
	g.Told(w, 11, true, at)
	w.MeasuredKW = 0
	g.Told(w, 11, true, back)
	if _, held := g.Free(w, back); held {
		t.Error("held back since it did what it was told at a time to come")
	}
}

// TestBlindSunStaysWithinItsShare: an inverter behind an export limit that nobody measures is told no more than its share in the steps of its commands, whatever it takes.
func TestBlindSunStaysWithinItsShare(t *testing.T) {
	now := time.Date(2026, 5, 20, 12, 0, 0, 0, time.UTC)
	for _, ctl := range []drivers.Control{{Quantity: drivers.ControlShare, Max: 1, Step: 0.01, RatedKW: 9, Safe: 1}, {Quantity: drivers.ControlKW, Min: -9, Step: 0.1, Safe: -9}} {
		for _, limitKW := range []float64{0, 1.55, 3, 4.44, 9} {
			w := &Wish{Site: "s", Device: "pv", Kind: district.PV, WantedKW: -9, MinKW: -9, RatedKW: 9}
			Blind([]*Wish{w}, math.Inf(1), limitKW, "r", "")
			if line, _ := NewSender("d").Send(t.Context(), &fake{ctl: ctl}, *w, 9, 0, now, now, false); -line.SentKW > limitKW+1e-9 || -line.SentKW < limitKW-0.1 || line.Outcome != district.SafeMode {
				t.Errorf("%s, limit %v kW: told to feed %v kW, %s", ctl.Quantity, limitKW, -line.SentKW, line.Outcome)
			}
		}
	}
}
