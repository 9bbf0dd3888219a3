package dispatch

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/drivers"
	"quartier/schemas/district"
)

func ptr(v float64) *float64 { return &v }

var (
	battery = drivers.Control{Point: "setpoint_kw", Quantity: drivers.ControlKW, Min: -50, Max: 50, Step: 0.1}
	charger = drivers.Control{Point: "limit_a", Quantity: drivers.ControlAmpere, Min: 6, Max: 32, Step: 1, Pause: ptr(0), Safe: 32, Phases: 3, VoltageV: 230}
	sgReady = drivers.Control{Point: "sg_ready", Quantity: drivers.ControlSGReady, Min: 1, Max: 4, Safe: 2}
	sun     = drivers.Control{Point: "limit_share", Quantity: drivers.ControlShare, Min: 0, Max: 1, Step: 0.01, Safe: 1, RatedKW: 40}
	relay   = drivers.Control{Point: "on", Quantity: drivers.ControlOnOff, Safe: 1}
)

// TestTranslate: a kW plan in each device's own terms.
func TestTranslate(t *testing.T) {
	for _, tt := range []struct {
		name    string
		control drivers.Control
		wantKW  float64
		maxKW   float64
		value   float64
		sentKW  float64
	}{
		{"battery charges", battery, 12.34, 50, 12.3, 12.3},
		{"battery is clipped", battery, -80, 50, -50, -50},
		{"11 kW on three phases is 15 A, rounded down", charger, 11, 22, 15, 10.35},
		{"a car below half the smallest power is paused", charger, 1.5, 22, 0, 0},
		{"a car near the smallest power gets 6 A", charger, 3, 22, 6, 4.14},
		{"a car never gets more than 32 A", charger, 40, 22, 32, 22.08},
		{"heat pump off", sgReady, 0, 4, 1, 0},
		{"heat pump in part load", sgReady, 2, 4, 2, 2},
		{"heat pump at full load", sgReady, 4, 4, 3, 4},
		{"sun limited to three quarters", sun, -30, 40, 0.75, -30},
		{"sun unlimited", sun, -40, 40, 1, -40},
		{"relay on from half power", relay, 1.2, 2.2, 1, 2.2},
		{"relay off", relay, 0.9, 2.2, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Translate(tt.control, tt.wantKW, tt.maxKW)
			if math.Abs(c.Value-tt.value) > 1e-9 || math.Abs(c.SentKW-tt.sentKW) > 1e-6 {
				t.Errorf("Translate(%v kW) = %v standing for %v kW, want %v for %v kW", tt.wantKW, c.Value, c.SentKW, tt.value, tt.sentKW)
			}
		})
	}
}

// TestTranslationStaysInRange: whatever is wanted, what is sent is in range or the pause value, and a current never stands for more than was wanted above 6 A.
func TestTranslationStaysInRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kw := rapid.Float64Range(-200, 200).Draw(t, "kw")
		for _, ctl := range []drivers.Control{battery, charger, sun} {
			c := Translate(ctl, kw, 22)
			if !(c.Value >= ctl.Min && c.Value <= ctl.Max) && !(ctl.Pause != nil && c.Value == *ctl.Pause) {
				t.Fatalf("%s: %v outside [%v, %v]", ctl.Point, c.Value, ctl.Min, ctl.Max)
			}
			if ctl.Quantity == drivers.ControlAmpere && c.Value > ctl.Min && c.SentKW > kw+1e-6 {
				t.Fatalf("%v kW wanted, %v kW sent", kw, c.SentKW)
			}
		}
	})
}

// TestHoldKeepsTheLimit: whenever the devices can, the expected net power ends at the limit that it would pass and not further inside, and no wish leaves its device's range.
func TestHoldKeepsTheLimit(t *testing.T) {
	kinds := []district.Kind{district.Battery, district.EVCharger, district.HeatPump, district.WaterHeater, district.PV}
	rapid.Check(t, func(t *rapid.T) {
		var ws []*Wish
		low, high := 0.0, 0.0 // what shedding and absorbing can reach
		rest := rapid.Float64Range(-60, 60).Draw(t, "rest")
		net, expected := rest, rest
		for range rapid.IntRange(0, 6).Draw(t, "devices") {
			w := &Wish{Kind: rapid.SampledFrom(kinds).Draw(t, "kind")}
			switch w.Kind {
			case district.Battery:
				w.MinKW, w.MaxKW = -20, 20
				w.WantedKW = rapid.Float64Range(-20, 20).Draw(t, "want")
			case district.PV:
				w.MinKW = -30
				w.WantedKW = rapid.Float64Range(-30, 0).Draw(t, "want")
			default:
				w.MaxKW = 11
				w.WantedKW = rapid.Float64Range(0, 11).Draw(t, "want")
			}
			w.MeasuredKW = rapid.Float64Range(-20, 20).Draw(t, "now")
			net += w.MeasuredKW
			expected += w.WantedKW
			switch w.Kind {
			case district.Battery:
				low, high = low+(w.MinKW-w.WantedKW), high+(w.MaxKW-w.WantedKW)
			case district.PV:
				high -= w.WantedKW
			default:
				low -= w.WantedKW
			}
			ws = append(ws, w)
		}
		imp, exp := rapid.Float64Range(0, 40).Draw(t, "import"), rapid.Float64Range(0, 40).Draw(t, "export")
		over := Hold(ws, net, imp, exp)
		got := rest
		for _, w := range ws {
			got += w.WantedKW
			if w.WantedKW < w.MinKW-1e-9 || w.WantedKW > w.MaxKW+1e-9 {
				t.Fatalf("%s wants %v kW outside [%v, %v]", w.Kind, w.WantedKW, w.MinKW, w.MaxKW)
			}
		}
		if expected > imp {
			if want := math.Max(imp, expected+low); math.Abs(got-want) > 1e-6 || math.Abs(over-math.Max(0, got-imp)) > 1e-6 {
				t.Fatalf("net %v kW over import limit %v kW, reachable %v kW, said over by %v", got, imp, want, over)
			}
		} else if -expected > exp {
			if want := math.Min(-exp, expected+high); math.Abs(got-want) > 1e-6 {
				t.Fatalf("net %v kW below export limit %v kW, reachable %v kW", got, -exp, want)
			}
		} else if math.Abs(got-expected) > 1e-9 {
			t.Fatalf("changed without need: %v kW from %v kW", got, expected)
		}
	})
}

// TestHoldTogether: a limit of several sites is kept as far as their devices can, and no site that was within its own limits is brought over them.
func TestHoldTogether(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var groups []Group
		net := 0.0
		for range rapid.IntRange(1, 4).Draw(t, "sites") {
			g := Group{NetKW: rapid.Float64Range(-30, 30).Draw(t, "net"), ImportLimitKW: rapid.Float64Range(0, 60).Draw(t, "own import"), ExportLimitKW: rapid.Float64Range(0, 60).Draw(t, "own export")}
			for range rapid.IntRange(0, 3).Draw(t, "devices") {
				w := &Wish{Kind: rapid.SampledFrom([]district.Kind{district.Battery, district.EVCharger, district.PV}).Draw(t, "kind"), MinKW: -20, MaxKW: 20}
				if w.Kind != district.EVCharger {
					w.WantedKW = rapid.Float64Range(-5, 0).Draw(t, "want")
				}
				w.MeasuredKW = w.WantedKW
				g.Wishes = append(g.Wishes, w)
			}
			net += g.NetKW
			groups = append(groups, g)
		}
		imp, exp := rapid.Float64Range(0, 60).Draw(t, "import"), rapid.Float64Range(0, 60).Draw(t, "export")
		over := HoldTogether(groups, net, imp, exp, "")
		got := 0.0
		for _, g := range groups {
			e := g.expected()
			got += e
			if e > math.Max(g.ImportLimitKW, g.NetKW)+1e-6 || e < math.Min(-g.ExportLimitKW, g.NetKW)-1e-6 {
				t.Fatalf("a site of %v kW is brought to %v kW, its limits are %v and %v kW", g.NetKW, e, g.ImportLimitKW, g.ExportLimitKW)
			}
		}
		if passed := math.Max(got-imp, -got-exp); math.Abs(math.Max(0, passed)-over) > 1e-6 {
			t.Fatalf("%v kW within %v and %v kW: said over by %v", got, imp, exp, over)
		}
	})
}

// fake is a driver whose writes can be made to fail.
type fake struct {
	drivers.Driver
	ctl    drivers.Control
	err    error
	writes []float64
}

func (f *fake) Control() (drivers.Control, bool) { return f.ctl, true }
func (f *fake) Write(_ context.Context, name string, v float64) (drivers.Reading, error) {
	if f.err != nil {
		return drivers.Reading{}, f.err
	}
	f.writes = append(f.writes, v)
	return drivers.Reading{Point: name, Value: v}, nil
}

// TestSender: unchanged commands are not written again but before a device would revert; holds are kept; failures are recorded once and retried with patience.
func TestSender(t *testing.T) {
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	ctl := charger
	ctl.MinHold, ctl.Reversion = 30*time.Second, 120*time.Second
	f := &fake{ctl: ctl}
	s := NewSender("d")
	send := func(kw float64, after time.Duration) (district.Setpoint, bool) {
		now = now.Add(after)
		return s.Send(t.Context(), f, Wish{Site: "s", Device: "ev", WantedKW: kw, Reason: "sun"}, 22, 7, now, now, false)
	}
	steps := []struct {
		name    string
		kw      float64
		after   time.Duration
		err     error
		line    bool
		outcome district.Outcome
		writes  int
	}{
		{"first command", 11, 0, nil, true, district.Applied, 1},
		{"the same again", 11, 5 * time.Second, nil, false, "", 1},
		{"a change inside the hold", 6, 5 * time.Second, nil, true, district.Held, 1},
		{"still inside: no second line", 6, 5 * time.Second, nil, false, "", 1},
		{"after the hold", 6, 30 * time.Second, nil, true, district.Applied, 2},
		{"refreshed before it reverts", 6, 61 * time.Second, nil, false, "", 3},
		{"lost", 11, 40 * time.Second, drivers.ErrUnreachable, true, district.Failed, 3},
		{"not tried at once", 11, time.Second, drivers.ErrUnreachable, false, "", 3},
		{"lost again: no second line", 11, 10 * time.Second, drivers.ErrUnreachable, false, "", 3},
		{"back", 11, 20 * time.Second, nil, true, district.Applied, 4},
	}
	for _, st := range steps {
		f.err = st.err
		line, worth := send(st.kw, st.after)
		if worth != st.line || worth && line.Outcome != st.outcome || len(f.writes) != st.writes {
			t.Fatalf("%s: line %v %q with %d writes, want %v %q with %d", st.name, worth, line.Outcome, len(f.writes), st.line, st.outcome, st.writes)
		}
		if worth && line.Outcome == district.Held && (line.SentKW < 10.3 || line.SentKW > 11 || line.Command != "limit_a 15 A" || line.Detail != "hold: 30 s, until 2026-01-15T12:00:30Z") {
			t.Errorf("%s: the ledger says %q, %v kW, %q, want what the device goes on doing", st.name, line.Command, line.SentKW, line.Detail)
		}
	}
}

// TestHoldIsDistrictTime: where the district's clock runs faster, so does the time for which its machines are spared.
func TestHoldIsDistrictTime(t *testing.T) {
	ctl := charger
	ctl.MinHold = 10 * time.Minute
	f := &fake{ctl: ctl}
	s := NewSender("d")
	now, wall := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC), time.Now()
	for i, want := range []district.Outcome{district.Applied, district.Held, district.Applied} {
		line, _ := s.Send(t.Context(), f, Wish{Site: "s", Device: "ev", WantedKW: float64(11 - 2*min(i, 1))}, 22, 1, now.Add(time.Duration(i)*5*time.Minute), wall.Add(time.Duration(i)*time.Second), false)
		if line.Outcome != want {
			t.Errorf("after %d minutes of the district: %q, want %q", 5*i, line.Outcome, want)
		}
	}
}

// TestSafe: the safe state is sent at once, holds or not, and is its own outcome.
func TestSafe(t *testing.T) {
	ctl := charger
	ctl.MinHold = time.Hour
	f := &fake{ctl: ctl}
	s := NewSender("d")
	now := time.Now()
	s.Send(t.Context(), f, Wish{Site: "s", Device: "ev", WantedKW: 11}, 22, 1, now, now, false)
	line, worth := s.Send(t.Context(), f, Wish{Site: "s", Device: "ev", Reason: "safe"}, 22, 0, now, now, true)
	if !worth || line.Outcome != district.SafeMode || f.writes[len(f.writes)-1] != 32 {
		t.Errorf("safe: %v %+v, writes %v; want 32 A at once", worth, line, f.writes)
	}
	f.err = errors.New("boom")
	if line, _ := NewSender("d").Send(t.Context(), f, Wish{Site: "s", Device: "ev", Reason: "safe"}, 22, 0, now, now, true); line.Outcome != district.Failed || line.Detail == "" {
		t.Errorf("failed write: %+v, want failed with its cause", line)
	}
}

// TestConflict: a device that somebody else commands is a refusal with its cause, recorded once and asked about with patience; no write is made over the other's.
func TestConflict(t *testing.T) {
	f := &fake{ctl: charger}
	s := NewSender("d")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	send := func(kw float64, after time.Duration) (district.Setpoint, bool) {
		now = now.Add(after)
		return s.Send(t.Context(), f, Wish{Site: "s", Device: "ev", WantedKW: kw, Reason: "sun"}, 22, 7, now, now, false)
	}
	send(11, 0)
	f.err = drivers.ErrConflict
	line, worth := send(6, time.Minute)
	if !worth || line.Outcome != district.Refused || line.Detail != drivers.ErrConflict.Error() {
		t.Errorf("%v %+v, want refused for the conflict", worth, line)
	}
	if _, worth := send(6, 5*time.Minute); worth {
		t.Error("the same refusal has a second line")
	}
	f.err = nil
	if line, worth := send(6, 5*time.Minute); !worth || line.Outcome != district.Applied {
		t.Errorf("the other has given the device back: %v %+v", worth, line)
	}
}
