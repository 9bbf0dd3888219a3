package dispatch

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// TestInterval: a register that is worn by writes is not written again within its interval, which the ledger says once; a limit may be kept at once, until the hour has had all the
// writes that the interval allows; the safe state is always sent.
func TestInterval(t *testing.T) {
	ctl := sun
	ctl.MinInterval = 10 * time.Minute
	f := &fake{ctl: ctl}
	s := NewSender("d")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	send := func(kw float64, changed bool, after time.Duration) (district.Setpoint, bool) {
		now = now.Add(after)
		return s.Send(t.Context(), f, Wish{Site: "s", Device: "pv", Kind: district.PV, WantedKW: kw, Changed: changed, Raised: changed, Reason: "r"}, 40, 1, now, now, false)
	}
	for i, st := range []struct {
		kw      float64
		changed bool
		after   time.Duration
		line    bool
		outcome district.Outcome
		writes  int
	}{
		{-40, false, 0, true, district.Applied, 1},
		{-38, false, time.Minute, true, district.Held, 1},
		{-36, false, time.Minute, true, district.Held, 1}, // another power
		{-36, false, time.Minute, false, "", 1},
		{-36, false, 8 * time.Minute, true, district.Applied, 2},
		{-30, true, time.Second, true, district.Clipped, 3},
		{-38, true, time.Second, true, district.Held, 3}, // looser: it waits
		{-24, true, time.Second, true, district.Clipped, 4},
		{-20, true, time.Second, true, district.Clipped, 5},
		{-16, true, time.Second, true, district.Clipped, 6},
		{-12, true, time.Second, true, district.Held, 6}, // the hour has had its six
		{-12, true, 10 * time.Minute, true, district.Clipped, 7},
	} {
		line, worth := send(st.kw, st.changed, st.after)
		if worth != st.line || worth && line.Outcome != st.outcome || len(f.writes) != st.writes {
			t.Fatalf("step %d: line %v %q %q with %d writes, want %v %q with %d", i, worth, line.Outcome, line.Detail, len(f.writes), st.line, st.outcome, st.writes)
		}
		if worth && line.Outcome == district.Held && (line.Detail != fmt.Sprintf("interval: 600 s, %g s left", map[int]float64{1: 540, 2: 480, 6: 599, 10: 599}[i]) || line.SentKW > -15.9) {
			t.Errorf("step %d: the ledger says %q, %v kW; want what the device goes on doing", i, line.Detail, line.SentKW)
		}
	}
	line, worth := s.Send(t.Context(), f, Wish{Site: "s", Device: "pv", Kind: district.PV, Reason: "safe"}, 40, 0, now, now, true)
	if !worth || line.Outcome != district.SafeMode || f.writes[len(f.writes)-1] != 1 {
		t.Errorf("safe: %+v, writes %v", line, f.writes)
	}
}

// TestRamp: a command moves no faster than the profile allows, written once in the ledger and then when it has arrived; what a limit lowers does not wait.
func TestRamp(t *testing.T) {
	ctl := battery
	ctl.RampPerS = 1
	f := &fake{ctl: ctl}
	s := NewSender("d")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	lines := []district.Setpoint{}
	for i, want := range []float64{0, 5, 10, 15, 18, 18} {
		kw := 18.0
		if i == 0 {
			kw = 0
		}
		line, worth := s.Send(t.Context(), f, Wish{Site: "s", Device: "bat", Kind: district.Battery, WantedKW: kw, Reason: "sun"}, 50, 1, now, now, false)
		if worth {
			lines = append(lines, line)
		}
		if got := f.writes[len(f.writes)-1]; got != want {
			t.Errorf("after %d s: %v kW, want %v kW", 5*i, got, want)
		}
		now = now.Add(5 * time.Second)
	}
	if len(lines) != 3 || lines[1].Outcome != district.Clipped || lines[1].Detail != "ramp: 1 /s" || lines[2].Outcome != district.Applied || lines[2].SentKW != 18 {
		t.Errorf("ledger: %+v; want the start, the ramp and the arrival", lines)
	}
	for range 120 { // at rest for ten minutes
		s.Send(t.Context(), f, Wish{Site: "s", Device: "bat", Kind: district.Battery, WantedKW: 18, Reason: "sun"}, 50, 1, now, now, false)
		now = now.Add(5 * time.Second)
	}
	s.Send(t.Context(), f, Wish{Site: "s", Device: "bat", Kind: district.Battery, WantedKW: 0, Reason: "idle"}, 50, 1, now, now, false)
	if got := f.writes[len(f.writes)-1]; got != 13 {
		t.Errorf("after a rest: %v kW within a round of 5 s, want 13 kW", got)
	}
	f.err = drivers.ErrUnreachable
	s.Send(t.Context(), f, Wish{Site: "s", Device: "bat", Kind: district.Battery, WantedKW: 0, Reason: "idle"}, 50, 1, now, now.Add(5*time.Second), false)
	f.err = nil
	now = now.Add(10 * time.Second)
	s.Send(t.Context(), f, Wish{Site: "s", Device: "bat", Kind: district.Battery, WantedKW: 0, Reason: "idle"}, 50, 1, now, now, false)
	if got := f.writes[len(f.writes)-1]; got != 8 {
		t.Errorf("after a command that failed: %v kW, want 8 kW, 5 kW from what it took last", got)
	}
	s.Send(t.Context(), f, Wish{Site: "s", Device: "bat", Kind: district.Battery, WantedKW: -40, Changed: true, Reason: "import limit"}, 50, 1, now, now, false)
	if got := f.writes[len(f.writes)-1]; got != -40 {
		t.Errorf("what a limit needs: %v kW, want -40 kW at once", got)
	}
}

// TestLimitDoesNotWait: what a limit lowers is not held back by the time for which a machine is spared; what it allows again is.
func TestLimitDoesNotWait(t *testing.T) {
	ctl := charger
	ctl.MinHold = time.Hour
	f := &fake{ctl: ctl}
	s := NewSender("d")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for i, st := range []struct {
		kw      float64
		changed bool
		want    district.Outcome
	}{{11, false, district.Applied}, {7, false, district.Held}, {6, true, district.Clipped}, {8, true, district.Held}, {3, true, district.Clipped}} {
		now = now.Add(5 * time.Second)
		if line, _ := s.Send(t.Context(), f, Wish{Site: "s", Device: "ev", Kind: district.EVCharger, WantedKW: st.kw, Changed: st.changed}, 22, 1, now, now, false); line.Outcome != st.want {
			t.Errorf("step %d: %q, want %q", i, line.Outcome, st.want)
		}
	}
	if got := f.writes[len(f.writes)-1]; got != 0 {
		t.Errorf("3 kW at most are %v A, want a pause: 6 A are 4.14 kW", got)
	}
}

// TestAFailureEndsNoHold: a machine that was switched on a moment ago is not switched off because a command between failed: that is repeated, and the hold goes on.
func TestAFailureEndsNoHold(t *testing.T) {
	f := &fake{ctl: drivers.Control{Point: "on", Quantity: drivers.ControlOnOff, Max: 1, MinHold: 10 * time.Minute, Reversion: 2 * time.Minute}}
	s := NewSender("d")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	send := func(after time.Duration, kw float64) district.Setpoint {
		now = now.Add(after)
		line, _ := s.Send(t.Context(), f, Wish{Site: "s", Device: "tank", Kind: district.WaterHeater, WantedKW: kw, MaxKW: 2, Reason: "r"}, 2, 1, now, now, false)
		return line
	}
	send(0, 2)
	f.err = drivers.ErrUnreachable
	if line := send(time.Minute, 2); line.Outcome != district.Failed { // its reversion would end
		t.Fatalf("a refresh: %+v", line)
	}
	f.err = nil
	n := len(f.writes)
	if line := send(2*time.Minute, 0); line.Outcome != district.Held || len(f.writes) != n {
		t.Errorf("off after three minutes of ten: %+v, %v written; want it held", line, f.writes[n:])
	}
	if send(5*time.Second, 2); len(f.writes) != n+1 || f.writes[n] != 1 {
		t.Errorf("%v written, want the command that stands repeated", f.writes[n:])
	}
	if line := send(8*time.Minute, 0); line.Outcome != district.Applied {
		t.Errorf("off after its hold: %+v", line)
	}
}

// TestNoNumberIsNoCommand: what is no number is refused with a line in the ledger, and nothing is written; own control is given all the same.
func TestNoNumberIsNoCommand(t *testing.T) {
	for _, ctl := range []drivers.Control{battery, charger, sun, {Point: "on", Quantity: drivers.ControlOnOff, Max: 1}, {Point: "sg_ready", Quantity: drivers.ControlSGReady, Min: 1, Max: 4, Safe: 2}} {
		f := &fake{ctl: ctl}
		s := NewSender("d")
		now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
		w := Wish{Site: "s", Device: "x", WantedKW: math.NaN(), Reason: "r"}
		line, worth := s.Send(t.Context(), f, w, 10, 1, now, now, false)
		if !worth || line.Outcome != district.Refused || math.IsNaN(line.WantedKW) || len(f.writes) > 0 {
			t.Errorf("%s: %+v with %v written, want a refusal", ctl.Quantity, line, f.writes)
		}
		if line, _ := s.Send(t.Context(), f, w, 10, 1, now, now, true); line.Outcome != district.SafeMode {
			t.Errorf("%s: own control: %+v", ctl.Quantity, line)
		}
	}
}

// TestLimitAfterRelease: a device that was given back a moment ago is held back at once when a limit needs it.
func TestLimitAfterRelease(t *testing.T) {
	ctl := charger
	ctl.MinHold, ctl.MinInterval = time.Hour, time.Minute
	f := &fake{ctl: ctl}
	s := NewSender("d")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	s.Send(t.Context(), f, Wish{Site: "s", Device: "ev", Kind: district.EVCharger}, 22, 0, now, now, true)
	now = now.Add(time.Second)
	line, _ := s.Send(t.Context(), f, Wish{Site: "s", Device: "ev", Kind: district.EVCharger, WantedKW: 7, Changed: true}, 22, 0, now, now, false)
	if line.Outcome != district.Clipped || f.writes[len(f.writes)-1] != 10 {
		t.Errorf("%+v, %v written; want 10 A at once", line, f.writes)
	}
}

// releasable is a device that is given back by its driver.
type releasable struct {
	fake
	released int
}

func (r *releasable) Release(context.Context) (drivers.Reading, error) {
	r.released++
	return drivers.Reading{}, r.err
}

// TestRelease: at the end a device is given back by its driver; what somebody else commands is a refusal and stays, a device that does not answer has failed.
func TestRelease(t *testing.T) {
	s := NewSender("d")
	now := time.Now()
	for _, tt := range []struct {
		err  error
		want district.Outcome
	}{{nil, district.SafeMode}, {drivers.ErrConflict, district.Refused}, {drivers.ErrTooOften, district.Refused}, {&drivers.LimitError{}, district.Refused}, {drivers.ErrUnreachable, district.Failed}} {
		r := &releasable{fake: fake{ctl: charger, err: tt.err}}
		line, ok := s.Release(t.Context(), r, "s", "ev", "released", now)
		if !ok || line.Outcome != tt.want || (line.Detail == "") != (tt.err == nil) || r.released != 1 || len(r.writes) > 0 {
			t.Errorf("%v: %+v, released %d times, %v written; want %q by a release", tt.err, line, r.released, r.writes, tt.want)
		}
	}
}

// TestOwnIsNotRenewed: a device that was given back is left alone, whatever its reversion, until it is commanded again; then it is, also with the value of before.
func TestOwnIsNotRenewed(t *testing.T) {
	ctl := battery
	ctl.Reversion = time.Minute
	r := &releasable{fake: fake{ctl: ctl}}
	s := NewSender("d")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	w := Wish{Site: "s", Device: "bat", Kind: district.Battery, Reason: "r"}
	for range 10 {
		s.Send(t.Context(), r, w, 50, 0, now, now, true)
		now = now.Add(time.Minute)
	}
	if r.released != 1 || len(r.writes) > 0 {
		t.Errorf("released %d times, %v written; want once", r.released, r.writes)
	}
	line, worth := s.Send(t.Context(), r, w, 50, 1, now, now, false)
	if !worth || len(r.writes) != 1 || line.Command != "setpoint_kw 0.00 kW" {
		t.Errorf("0 kW after release: %+v, %v written; want the battery held", line, r.writes)
	}
}

// TestZeroSaysWhatItDoes: where a command of 0 lets the device go its own way, the ledger says so.
func TestZeroSaysWhatItDoes(t *testing.T) {
	ctl := battery
	ctl.ZeroReleases = true
	if got := Translate(ctl, 0, 50).Text; !strings.HasSuffix(got, "(own control)") {
		t.Errorf("0 kW that releases: %q", got)
	}
	if got := Translate(ctl, 1, 50).Text; strings.Contains(got, "own") {
		t.Errorf("1 kW: %q", got)
	}
}

// TestToldAgain: a device that does not do what it was told is told again once a minute, and one whose register wears no more often than that allows.
func TestToldAgain(t *testing.T) {
	for interval, want := range map[time.Duration]int{0: 6, 2 * time.Minute: 3} {
		ctl := charger
		ctl.MinInterval = interval
		f := &fake{ctl: ctl}
		s := NewSender("d")
		now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
		for range 61 {
			s.Send(t.Context(), f, Wish{Site: "s", Device: "ev", Kind: district.EVCharger, WantedKW: 7, Stubborn: true, Reason: "r"}, 22, 1, now, now, false)
			now = now.Add(5 * time.Second)
		}
		if len(f.writes) != want {
			t.Errorf("interval %v: %d writes in five minutes, want %d", interval, len(f.writes), want)
		}
	}
}

// TestSafeStateGetsThrough: neither a hold nor a ramp nor a register that had all its writes keeps a device from its safe state.
func TestSafeStateGetsThrough(t *testing.T) {
	ctl := battery
	ctl.MinInterval, ctl.MinHold, ctl.RampPerS = 30*time.Minute, time.Hour, 0.1
	f := &fake{ctl: ctl}
	s := NewSender("d")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for _, kw := range []float64{20, -20, -21, -22} { // a limit's, as many as the hour has
		s.Send(t.Context(), f, Wish{Site: "s", Device: "bat", Kind: district.Battery, WantedKW: kw, Changed: true, Reason: "limit"}, 50, 1, now, now, false)
		now = now.Add(time.Second)
	}
	if len(f.writes) != 2 {
		t.Fatalf("%v written, want the two that the hour has", f.writes)
	}
	line, _ := s.Send(t.Context(), f, Wish{Site: "s", Device: "bat", Kind: district.Battery, Safe: true, Reason: "safe"}, 50, 0, now, now, false)
	if line.Outcome != district.SafeMode || f.writes[len(f.writes)-1] != 0 {
		t.Errorf("%+v, %v written; want 0 kW at once", line, f.writes)
	}
}

// answering is a device that answers as a test says.
type answering struct {
	fake
	tries int
	keeps func(v float64) (float64, error)
}

func (a *answering) Write(_ context.Context, name string, v float64) (drivers.Reading, error) {
	a.tries++
	kept, err := a.keeps(v)
	return drivers.Reading{Point: name, Value: kept}, err
}

// TestFailuresAreTriedWithPatience: a device that takes no command is tried again after 2, 4, 8 s and so on up to a minute, also where a limit is in need, and nobody counts on what it took before.
func TestFailuresAreTriedWithPatience(t *testing.T) {
	fails := false
	a := &answering{fake: fake{ctl: charger}, keeps: func(v float64) (float64, error) {
		if fails {
			return 0, drivers.ErrUnreachable
		}
		return v, nil
	}}
	s := NewSender("d")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	send := func(kw float64) {
		s.Send(t.Context(), a, Wish{Site: "s", Device: "ev", Kind: district.EVCharger, WantedKW: kw, Changed: true, Reason: "limit"}, 22, 1, now, now, false)
		now = now.Add(time.Second)
	}
	send(11)
	if st, ok := s.Standing("s", "ev"); !ok || st.KW < 10 || s.Failing("s", "ev") {
		t.Fatalf("standing %+v, %v", st, ok)
	}
	fails, a.tries = true, 0
	for range 2 + 4 + 8 + 16 + 32 + 60 + 60 {
		send(7)
	}
	if a.tries != 7 {
		t.Errorf("tried %d times in three minutes, want 7", a.tries)
	}
	if _, ok := s.Standing("s", "ev"); ok || !s.Failing("s", "ev") {
		t.Error("what stood before a failure is still counted on")
	}
	fails = false
	for range 61 {
		send(7)
	}
	if st, ok := s.Standing("s", "ev"); !ok || st.KW > 7 || s.Failing("s", "ev") {
		t.Errorf("after the failure: standing %+v, %v", st, ok)
	}
}

// TestOwnersLimitIsSaid: where the device keeps less than was commanded, because its owner limits it, the ledger has that and what it stands for.
func TestOwnersLimitIsSaid(t *testing.T) {
	ctl := sun
	ctl.Restore, ctl.RatedKW, ctl.Step = drivers.RestorePrevious, 40, 0.01
	a := &answering{fake: fake{ctl: ctl}, keeps: func(v float64) (float64, error) { return min(v, 0.6), nil }}
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	line, _ := NewSender("d").Send(t.Context(), a, Wish{Site: "s", Device: "pv", Kind: district.PV, WantedKW: -36, Reason: "sun"}, 40, 1, now, now, false)
	if line.Outcome != district.Clipped || line.SentKW != -24 || line.Detail != "owner's limit: 60 %" || line.ReadBack != 0.6 {
		t.Errorf("%+v, want what the owner allows", line)
	}
}

// TestSmallChanges: a change that is not worth a write waits, but not where a limit asks for it, which is rounded to the limit's side.
func TestSmallChanges(t *testing.T) {
	for _, tt := range []struct {
		name            string
		changed, raised bool
		kw, want        float64
	}{{"as planned", false, false, 10.1, 10}, {"a limit of draw", true, false, 9.96, 9.5}, {"a limit of feed", true, true, 10.1, 10.5}} {
		ctl := battery
		ctl.Min, ctl.Max, ctl.Step = -50, 50, 0.5
		f := &fake{ctl: ctl}
		s := NewSender("d")
		now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
		w := Wish{Site: "s", Device: "bat", Kind: district.Battery, WantedKW: 10, Reason: "r"}
		s.Send(t.Context(), f, w, 50, 1, now, now, false)
		w.WantedKW, w.Changed, w.Raised = tt.kw, tt.changed, tt.raised
		s.Send(t.Context(), f, w, 50, 1, now, now.Add(time.Second), false)
		if got := f.writes[len(f.writes)-1]; got != tt.want {
			t.Errorf("%s: %v kW, want %v kW", tt.name, got, tt.want)
		}
	}
	fine := battery
	fine.Min, fine.Max, fine.Step = -50, 50, 0.01
	f := &fake{ctl: fine}
	s := NewSender("d")
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for _, w := range []Wish{{WantedKW: 10}, {WantedKW: 10.1}, {WantedKW: 9.9, Changed: true}, {WantedKW: 0}, {WantedKW: 0.1}} {
		w.Site, w.Device, w.Kind, w.Reason = "s", "bat", district.Battery, "r"
		s.Send(t.Context(), f, w, 50, 1, now, now, false)
	}
	if !slices.Equal(f.writes, []float64{10, 9.9, 0, 0.1}) { // nothing at all is not a little
		t.Errorf("%v written, want 10, 9.9, 0 and 0.1 kW", f.writes)
	}
}
