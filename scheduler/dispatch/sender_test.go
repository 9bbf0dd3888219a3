package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// desk sends wishes to one device and moves time.
type desk struct {
	t    *testing.T
	s    *Sender
	drv  *fake
	now  time.Time
	base Wish
	max  float64
}

func newDesk(t *testing.T, ctl drivers.Control, kind district.Kind, maxKW float64) *desk {
	return &desk{t: t, s: NewSender("d"), drv: &fake{ctl: ctl}, now: time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC), base: Wish{Site: "s", Device: "x", Kind: kind, Reason: "r"}, max: maxKW}
}

// send lets time pass and sends; change may alter the wish.
func (d *desk) send(after time.Duration, kw float64, change ...func(*Wish)) (district.Setpoint, bool) {
	d.t.Helper()
	d.now = d.now.Add(after)
	w := d.base
	w.WantedKW = kw
	for _, c := range change {
		c(&w)
	}
	return d.s.Send(d.t.Context(), d.drv, w, d.max, 1, d.now, d.now, false)
}

func (d *desk) own(after time.Duration) (district.Setpoint, bool) {
	d.now = d.now.Add(after)
	return d.s.Send(d.t.Context(), d.drv, d.base, d.max, 0, d.now, d.now, true)
}

func limited(w *Wish) { w.Changed = true }

// uncontrolled is a device that takes no commands.
type uncontrolled struct{ fake }

func (uncontrolled) Control() (drivers.Control, bool) { return drivers.Control{}, false }

// TestNoControl: a device that takes no command is refused one, is given back to nobody and has no command that stands.
func TestNoControl(t *testing.T) {
	s, drv, now := NewSender("d"), &uncontrolled{}, time.Now()
	line, worth := s.Send(t.Context(), drv, Wish{Site: "s", Device: "x", WantedKW: 3}, 5, 1, now, now, false)
	if !worth || line.Outcome != district.Refused || line.Detail == "" || len(drv.writes) > 0 {
		t.Errorf("%v %+v, %v written", worth, line, drv.writes)
	}
	if _, ok := s.Release(t.Context(), drv, "s", "x", "r", now); ok {
		t.Error("given back")
	}
	if _, holds := s.Holding(drv, "s", "x", now, now); holds {
		t.Error("it is held at something")
	}
}

// TestPlannedIsNearest: what nothing but a plan wants goes to the nearest command; what is out of reach says so and tells no ramp.
func TestPlannedIsNearest(t *testing.T) {
	for _, tt := range []struct {
		name        string
		ctl         drivers.Control
		kind        district.Kind
		kw, max     float64
		value       float64
		outcome     district.Outcome
		saidWanting float64
	}{
		{"a heat pump in part load", sgReady, district.HeatPump, 2, 4, 2, district.Applied, 2},
		{"a car near its least", charger, district.EVCharger, 3, 22, 6, district.Clipped, 3},
		{"a battery", battery, district.Battery, 12.37, 50, 12.4, district.Applied, 12.37},
		{"a battery beyond its range", battery, district.Battery, 80, 50, 50, district.Clipped, 80},
		{"a battery below its range", battery, district.Battery, -80, 50, -50, district.Clipped, -80},
	} {
		d := newDesk(t, tt.ctl, tt.kind, tt.max)
		line, worth := d.send(0, tt.kw)
		if !worth || line.Outcome != tt.outcome || line.Detail != "" || line.WantedKW != tt.saidWanting || line.PlanID != 1 || math.Abs(d.drv.writes[0]-tt.value) > 1e-9 || line.ReadBack != d.drv.writes[0] {
			t.Errorf("%s: %+v, %v written; want %v, %s", tt.name, line, d.drv.writes, tt.value, tt.outcome)
		}
	}
	d := newDesk(t, battery, district.Battery, 50)
	if line, _ := d.send(0, math.NaN()); line.WantedKW != 0 {
		t.Errorf("what is no number is in the ledger as %v kW", line.WantedKW)
	}
}

// TestUnknownFateIsSentAgain: after a command that failed the one before is sent again, since nobody knows which stands.
func TestUnknownFateIsSentAgain(t *testing.T) {
	d := newDesk(t, charger, district.EVCharger, 22)
	d.send(0, 11)
	d.drv.err = drivers.ErrUnreachable
	d.send(time.Minute, 7)
	d.drv.err = nil
	if d.send(time.Minute, 11); !slices.Equal(d.drv.writes, []float64{15, 15}) {
		t.Errorf("%v written, want 15 A again", d.drv.writes)
	}
}

// TestReversionIsRenewedInTime: a command that the device forgets is sent again each half of that time, no more often, also within a hold, whatever is wanted then, and within the interval of a register.
func TestReversionIsRenewedInTime(t *testing.T) {
	for name, change := range map[string]func(*drivers.Control){
		"alone":             func(*drivers.Control) {},
		"within a hold":     func(c *drivers.Control) { c.MinHold = time.Hour },
		"within a register": func(c *drivers.Control) { c.MinInterval = 10 * time.Minute },
	} {
		ctl := battery
		ctl.Reversion = 2 * time.Minute
		change(&ctl)
		d := newDesk(t, ctl, district.Battery, 50)
		for range 601 {
			d.send(time.Second, 10)
		}
		if len(d.drv.writes) != 11 {
			t.Errorf("%s: %d writes in ten minutes, want 11", name, len(d.drv.writes))
		}
	}
	ctl := battery
	ctl.Reversion, ctl.MinHold = 2*time.Minute, time.Hour
	other := newDesk(t, ctl, district.Battery, 50) // another power is wanted, which the hold keeps from it
	other.send(time.Second, 10)
	for range 600 {
		other.send(time.Second, -20)
	}
	if len(other.drv.writes) != 11 || slices.Max(other.drv.writes) != 10 || slices.Min(other.drv.writes) != 10 {
		t.Errorf("while another power is wanted within a hold %v are written in ten minutes, want 10 kW 11 times", other.drv.writes)
	}
	other.drv.err = drivers.ErrUnreachable
	line, worth := other.send(time.Minute, -20)
	if !worth || line.Outcome != district.Failed || line.SentKW != 10 {
		t.Errorf("a command that could not be sent again is told as %v %+v", worth, line)
	}
	d := newDesk(t, battery, district.Battery, 50) // one that forgets nothing
	for range 600 {
		d.send(time.Second, 10)
	}
	if len(d.drv.writes) != 1 {
		t.Errorf("%d writes to a device that keeps its command", len(d.drv.writes))
	}
}

// TestHoldsAndClocks: a hold lasts its time to the moment, is begun anew by own control that ends, and no longer than that after the clock was set back; [Sender.Holding] says the same.
func TestHoldsAndClocks(t *testing.T) {
	ctl := charger
	ctl.MinHold = 10 * time.Minute
	for _, tt := range []struct {
		after time.Duration
		held  bool
	}{{time.Second, true}, {10*time.Minute - time.Second, true}, {10 * time.Minute, false}, {-9 * time.Minute, true}, {-10 * time.Minute, false}, {-time.Hour, false}} {
		d := newDesk(t, ctl, district.EVCharger, 22)
		d.send(0, 11)
		at := d.now.Add(tt.after)
		stands, holding := d.s.Holding(d.drv, "s", "x", at, d.now)
		if line, _ := d.send(tt.after, 7); (line.Outcome == district.Held) != tt.held || holding != tt.held || math.Abs(stands.KW-10.35) > 1e-9 {
			t.Errorf("%v later: %s, holding %v at %v kW; want held %v", tt.after, line.Outcome, holding, stands.KW, tt.held)
		}
	}
	d := newDesk(t, ctl, district.EVCharger, 22)
	d.own(0)
	d.send(time.Hour, 22.08) // the value that gave it its own control
	if line, _ := d.send(time.Second, 11); line.Outcome != district.Held {
		t.Errorf("a second after it was taken over: %s, want held", line.Outcome)
	}
	ctl.MinHold, ctl.MinInterval = 0, 10*time.Minute
	d = newDesk(t, ctl, district.EVCharger, 22)
	if _, holding := d.s.Holding(d.drv, "s", "x", d.now, d.now); holding {
		t.Error("nothing was written yet")
	}
	d.send(0, 11)
	for after, want := range map[time.Duration]bool{time.Second: true, 10*time.Minute - time.Second: true, 10 * time.Minute: false} {
		if _, holding := d.s.Holding(d.drv, "s", "x", d.now.Add(after), d.now.Add(after)); holding != want {
			t.Errorf("a register %v after its write: holding %v, want %v", after, holding, want)
		}
	}
	d = newDesk(t, charger, district.EVCharger, 22) // one that is not spared
	d.send(0, 11)
	if _, holding := d.s.Holding(d.drv, "s", "x", d.now, d.now); holding {
		t.Error("a device without hold or interval holds")
	}
}

// TestKept: of what goes on in place of what is wanted the ledger says both and until when, once; where it stands for what is wanted, follows what is measured or gives way to a limit, it says nothing.
func TestKept(t *testing.T) {
	keep := func(meant float64) func(*Wish) {
		return func(w *Wish) { // as the scheduler does it: what is wanted first
			on := w.WantedKW
			w.WantedKW = meant
			w.Keep(KeepsHold, on, 15*time.Minute, 4*time.Minute)
			w.Keep(KeepsRun, on, 20*time.Minute, 7*time.Minute)
			w.Keep(KeepsRest, on, 10*time.Minute, time.Minute)
		}
	}
	d := newDesk(t, battery, district.Battery, 50)
	d.send(0, 10)
	line, worth := d.send(time.Second, 10, keep(-20))
	if !worth || line.Outcome != district.Held || line.WantedKW != -20 || line.SentKW != 10 || line.Detail != "run: 1200 s, until 2026-01-15T12:07:01Z" || len(d.drv.writes) != 1 {
		t.Errorf("%v %+v, %d writes", worth, line, len(d.drv.writes))
	}
	for what, change := range map[string][]func(*Wish){
		"again":                       {keep(-20)},
		"what stands is wanted":       {keep(10)},
		"it follows what is measured": {keep(-20), func(w *Wish) { w.Follows, w.Reason = true, "another" }},
		"a limit wants the same":      {keep(-20), func(w *Wish) { w.Changed, w.Reason = true, "another" }},
	} {
		if line, worth := d.send(time.Second, 10, change...); worth {
			t.Errorf("%s: %+v", what, line)
		}
	}
	line, worth = d.send(time.Second, 10, keep(-20), func(w *Wish) { w.WantedKW, w.Changed = 5, true })
	if !worth || line.WantedKW != 5 || line.SentKW != 5 {
		t.Errorf("a limit: %v %+v", worth, line)
	}
}

// TestWritesOfTheLastHour: a limit may use the writes that the last hour has left; older ones and commands of which nothing was sent do not count.
func TestWritesOfTheLastHour(t *testing.T) {
	ctl := battery
	ctl.MinInterval = 10 * time.Minute
	d := newDesk(t, ctl, district.Battery, 50)
	for k := range 6 {
		d.send(time.Second, 20-float64(k), limited)
	}
	if line, _ := d.send(time.Second, 10, limited); line.Outcome != district.Held || len(d.drv.writes) != 6 {
		t.Fatalf("%+v after %d writes", line, len(d.drv.writes))
	}
	d.send(50*time.Minute, 9, limited)
	for after, want := range []int{7, 8, 9} { // with each second another of the first six is an hour old
		wait := time.Second
		if after == 0 {
			wait = 9*time.Minute + 54*time.Second
		}
		if d.send(wait, 8-float64(after), limited); len(d.drv.writes) != want {
			t.Errorf("%d writes, want %d", len(d.drv.writes), want)
		}
	}

	d = newDesk(t, ctl, district.Battery, 50)
	d.send(0, 20)
	d.drv.err = fmt.Errorf("%w, since what holds could not be read: %w", drivers.ErrNotWritten, drivers.ErrUnreachable)
	for range 120 {
		d.send(time.Second, 5, limited)
	}
	d.drv.err = nil
	for range 61 {
		d.send(time.Second, 5, limited)
	}
	if !slices.Equal(d.drv.writes, []float64{20, 5}) {
		t.Errorf("%v written within a minute of its return, want the limit's 5 kW: nothing that failed before wore the register", d.drv.writes)
	}
	d.drv.err = drivers.ErrUnreachable // it may have been written
	for range 600 {
		d.send(time.Second, 1, limited)
	}
	d.drv.err = nil
	if line, _ := d.send(time.Second, 1, limited); line.Outcome != district.Held {
		t.Errorf("%+v, want held: the writes of unknown fate count", line)
	}
}

// TestRampOfSmallSteps: a ramp that allows less than a step in a round takes the step once it has added up; a pause is left and entered at once; own control and states know no ramp.
func TestRampOfSmallSteps(t *testing.T) {
	ctl := charger
	ctl.RampPerS = 0.05 // A
	d := newDesk(t, ctl, district.EVCharger, 22)
	d.send(0, 10*0.69)
	for range 24 { // two minutes, 6 A
		d.send(5*time.Second, 20*0.69)
	}
	if !slices.Equal(d.drv.writes, []float64{10, 11, 12, 13, 14, 15, 16}) {
		t.Errorf("%v A two minutes after 10 A, by 3 A a minute; want 16 A, ampere by ampere", d.drv.writes)
	}
	d = newDesk(t, ctl, district.EVCharger, 22)
	d.send(0, 6*0.69)
	if d.send(5*time.Second, 0); d.drv.writes[len(d.drv.writes)-1] != 0 {
		t.Errorf("%v written, want a pause at once", d.drv.writes)
	}
	if d.send(5*time.Second, 8*0.69); d.drv.writes[len(d.drv.writes)-1] != 8 {
		t.Errorf("%v written, want 8 A: there is nothing between a pause and 6 A", d.drv.writes)
	}
	d = newDesk(t, ctl, district.EVCharger, 22)
	d.own(0)
	if line, _ := d.send(5*time.Second, 8*0.69); d.drv.writes[len(d.drv.writes)-1] != 8 || line.Outcome != district.Applied {
		t.Errorf("%+v, %v written; want 8 A at once from own control", line, d.drv.writes)
	}
	for _, states := range []drivers.Control{relay, sgReady} {
		states.RampPerS = 0.001
		d = newDesk(t, states, district.HeatPump, 4)
		d.send(0, 0)
		if line, _ := d.send(5*time.Second, 4); line.Outcome != district.Applied || len(d.drv.writes) != 2 {
			t.Errorf("%s: %+v, %v written; want full power at once", states.Quantity, line, d.drv.writes)
		}
	}
}

// TestWorthAWrite: a power that changes by less than half a percent of what the device can do, either way, is not written, nor what is the same to the device; nothing at all is never the same as a little.
func TestWorthAWrite(t *testing.T) {
	free := drivers.Control{Quantity: drivers.ControlKW, Min: -20, Max: 50}
	give := drivers.Control{Quantity: drivers.ControlKW, Min: -50, Max: 20}
	coarse := drivers.Control{Quantity: drivers.ControlKW, Min: -20, Max: 20, Step: 1}
	share := drivers.Control{Quantity: drivers.ControlShare, Min: -1, Max: 1, RatedKW: 10}
	for _, tt := range []struct {
		name     string
		ctl      drivers.Control
		from, to float64
		written  bool
	}{
		{"a little", free, 10, 10.24, false}, {"enough", free, 10, 10.26, true}, {"less", free, 10, 9.74, true}, {"a little less", free, 10, 9.76, false},
		{"of the larger side", give, 10, 10.24, false}, {"of the larger side, enough", give, 10, 10.26, true},
		{"from nothing", free, 0, 0.1, true}, {"to nothing", free, 0.1, 0, true},
		{"a step", coarse, 10, 11, true}, {"half a step", coarse, 10, 10.45, false},
		{"a share as good as the same", share, 5, 5.000005, false}, {"a share", share, 5, 5.00003, true},
	} {
		d := newDesk(t, tt.ctl, district.Battery, 50)
		d.send(0, tt.from)
		if d.send(time.Second, tt.to); (len(d.drv.writes) == 2) != tt.written {
			t.Errorf("%s, %v to %v kW: %v written, want %v", tt.name, tt.from, tt.to, d.drv.writes, tt.written)
		}
	}
}

// TestOwnersLimitIsOneOfProduction: less than was commanded is an owner's limit only of a share of what is given back as it was before, and by more than its steps.
func TestOwnersLimitIsOneOfProduction(t *testing.T) {
	before := func(c drivers.Control) drivers.Control { c.Restore = drivers.RestorePrevious; return c }
	fine := sun
	fine.Step = 0.001
	for _, tt := range []struct {
		name  string
		ctl   drivers.Control
		kw    float64
		lacks float64 // in the control quantity
		said  bool
	}{
		{"a share", before(sun), -36, 0.02, true}, {"a step", before(sun), -36, 0.009, false}, {"half a percent", before(fine), -36, 0.004, false}, {"more", before(fine), -36, 0.006, true},
		{"given back otherwise", sun, -36, 0.3, false}, {"no share", before(battery), 20, 3, false},
	} {
		a := &answering{fake: fake{ctl: tt.ctl}, keeps: func(v float64) (float64, error) { return v - tt.lacks, nil }}
		now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
		line, _ := NewSender("d").Send(t.Context(), a, Wish{Site: "s", Device: "pv", WantedKW: tt.kw, Reason: "r"}, 40, 1, now, now, false)
		if (line.Outcome == district.Clipped) != tt.said || (line.Detail != "") != tt.said {
			t.Errorf("%s: %+v, want an owner's limit %v", tt.name, line, tt.said)
		}
	}
}

// noNumber is a device of which there may be nothing to read back after it was given back.
type noNumber struct {
	fake
	back float64
}

func (n *noNumber) Release(context.Context) (drivers.Reading, error) {
	return drivers.Reading{Value: n.back}, n.err
}

// TestTroublesAndReleases: a failing device is told since its first failure and with the last one's cause; a release says what was read back, and nothing where that is no number.
func TestTroublesAndReleases(t *testing.T) {
	d := newDesk(t, charger, district.EVCharger, 22)
	d.send(0, 11)
	if len(d.s.Troubles()) > 0 {
		t.Error("trouble without one")
	}
	first := d.now.Add(time.Minute)
	d.drv.err = drivers.ErrUnreachable
	d.send(time.Minute, 7)
	d.drv.err = drivers.ErrRejected
	d.send(time.Minute, 7)
	if got := d.s.Troubles(); len(got) != 1 || got[0].Site != "s" || got[0].Device != "x" || got[0].Outcome != district.Refused || !errors.Is(got[0].Err, drivers.ErrRejected) || !got[0].Since.Equal(first) {
		t.Errorf("%+v, want a refusal since %v", got, first)
	}
	d.drv.err = nil
	if d.send(time.Hour, 7); len(d.s.Troubles()) > 0 {
		t.Error("trouble after it took a command")
	}
	d.drv.err = drivers.ErrUnreachable
	d.send(time.Hour, 9)
	if got := d.s.Troubles(); len(got) != 1 || !got[0].Since.Equal(d.now) {
		t.Errorf("%+v, want the new failure's time %v", got, d.now)
	}
	if d.s.Failing("s", "unknown") {
		t.Error("a device that was never told anything fails")
	}
	if line, _ := d.s.Release(t.Context(), &noNumber{fake{ctl: charger}, 10}, "s", "x", "r", d.now); line.ReadBack != 10 {
		t.Errorf("%+v, want what was read back", line)
	}
	n := &noNumber{fake{ctl: charger}, math.NaN()}
	if line, _ := d.s.Release(t.Context(), n, "s", "x", "r", d.now); line.ReadBack != 0 || line.Outcome != district.SafeMode || line.Reason != "r" {
		t.Errorf("%+v, want nothing read back", line)
	}
	f := &fake{ctl: charger}
	if line, _ := d.s.Release(t.Context(), f, "s", "x", "r", d.now); line.ReadBack != 32 || !slices.Equal(f.writes, []float64{32}) {
		t.Errorf("%+v, %v written; want its safe value read back", line, f.writes)
	}
}

// TestOwnSaysHow: the ledger says how a device is given back.
func TestOwnSaysHow(t *testing.T) {
	ctl := charger
	ctl.Reversion = time.Minute
	for restore, want := range map[drivers.Restore]string{drivers.RestoreSafe: "limit_a 32 (own control)", drivers.RestorePrevious: "limit_a as before (own control)",
		drivers.RestoreReversion: "limit_a ends by itself after 60 s (own control)"} {
		ctl.Restore = restore
		if got := Own(ctl); got.Text != want || got.Value != 32 {
			t.Errorf("%s: %+v, want %q", restore, got, want)
		}
	}
	for want, cmd := range map[string]Command{"limit_share 75 %": Translate(sun, -30, 40), "limit_a 15 A": Translate(charger, 11, 22), "sg_ready 1 (blocked)": Translate(sgReady, 0, 4), "on on": Translate(relay, 4, 4)} {
		if cmd.Text != want {
			t.Errorf("%q, want %q", cmd.Text, want)
		}
	}
}

// TestLinesOfAFollower: a device that follows what is measured has one line a minute, which says how many commands there were since and in which range; a limit, a failure and another reason have one at once.
func TestLinesOfAFollower(t *testing.T) {
	d := newDesk(t, battery, district.Battery, 50)
	follows := func(reason string) func(*Wish) {
		return func(w *Wish) { w.Follows, w.Reason = true, reason }
	}
	type step struct {
		after  time.Duration
		kw     float64
		change []func(*Wish)
		err    error
		line   bool
		detail string
	}
	for i, st := range []step{
		{0, 10, []func(*Wish){func(w *Wish) { w.Reason = "cover: 0" }}, nil, true, ""}, // planned: the last line is of no follower
		{5 * time.Second, 11, []func(*Wish){follows("cover: 1")}, nil, true, ""},
		{5 * time.Second, 14, []func(*Wish){follows("cover: 2")}, nil, false, ""},
		{5 * time.Second, 12, []func(*Wish){follows("cover: 3")}, nil, false, ""},
		{5 * time.Second, 13, []func(*Wish){follows("keep: 1")}, nil, true, "2 commands before, 12.00 to 14.00 kW"},
		{5 * time.Second, 15, []func(*Wish){follows("keep: 2")}, nil, false, ""},
		{54 * time.Second, 16, []func(*Wish){follows("keep: 3")}, nil, false, ""},
		{time.Second, 17, []func(*Wish){follows("keep: 4")}, nil, true, "2 commands before, 15.00 to 16.00 kW"},
		{5 * time.Second, 5, []func(*Wish){follows("keep: 5"), limited}, nil, true, ""},
		{5 * time.Second, 6, []func(*Wish){follows("keep: 5")}, nil, true, ""},
		{5 * time.Second, 7, []func(*Wish){follows("keep: 6")}, nil, false, ""},
		{5 * time.Second, 8, []func(*Wish){follows("keep: 6")}, errors.New("boom"), true, "boom; 1 commands before, 7.00 to 7.00 kW"},
		{time.Minute, 8, nil, nil, true, ""},
		{5 * time.Second, 9, []func(*Wish){follows("r: 1")}, nil, true, ""},
		{5 * time.Second, 10, nil, nil, true, ""}, // planned again
	} {
		d.drv.err = st.err
		line, worth := d.send(st.after, st.kw, st.change...)
		if worth != st.line || worth && line.Detail != st.detail {
			t.Errorf("step %d: line %v %q, want %v %q", i, worth, line.Detail, st.line, st.detail)
		}
	}
}

// TestRepeatedLines: a decision under way is written down once for each reason; another has its own line.
func TestRepeatedLines(t *testing.T) {
	ctl := charger
	ctl.MinHold = time.Hour
	d := newDesk(t, ctl, district.EVCharger, 22)
	d.send(0, 11)
	reason := func(r string) func(*Wish) { return func(w *Wish) { w.Reason = r } }
	for i, st := range []struct {
		reason string
		line   bool
	}{{"sun", true}, {"sun", false}, {"cheap", true}, {"cheap", false}, {"sun", true}} {
		if _, worth := d.send(time.Second, 7, reason(st.reason)); worth != st.line {
			t.Errorf("step %d: line %v, want %v", i, worth, st.line)
		}
	}
}

// TestGivingBackWritesNothing: what lets go by itself is not written to when it is given back, and so wears no register: a limit still has all writes of the hour.
func TestGivingBackWritesNothing(t *testing.T) {
	ctl := battery
	ctl.MinInterval = 10 * time.Minute
	for _, tt := range []struct {
		name  string
		back  drivers.Reading
		err   error
		wrote int
	}{
		{"it lets go by itself", drivers.Reading{Value: math.NaN(), Quality: district.Uncertain}, nil, 0},
		{"what stood before is no command", drivers.Reading{Value: math.NaN(), Quality: district.Uncertain, Time: time.Unix(1, 0)}, nil, 1},
		{"a value without a time", drivers.Reading{}, nil, 1},
		{"a value", drivers.Reading{Value: 0, Time: time.Unix(1, 0)}, nil, 1},
		{"somebody else's", drivers.Reading{}, fmt.Errorf("%w: %w", drivers.ErrNotWritten, drivers.ErrConflict), 0},
		{"nobody knows", drivers.Reading{}, drivers.ErrUnreachable, 1},
	} {
		d := newDesk(t, ctl, district.Battery, 50)
		drv := &letting{fake{ctl: ctl}, tt.back, tt.err}
		line, worth := d.s.Send(t.Context(), drv, d.base, 50, 0, d.now, d.now, true)
		if !worth || line.ReadBack != 0 || (line.Outcome == district.SafeMode) != (tt.err == nil) {
			t.Errorf("%s: %+v", tt.name, line)
		}
		if n := len(d.s.of(d.base).writes); n != tt.wrote {
			t.Errorf("%s: %d writes count, want %d", tt.name, n, tt.wrote)
		}
	}
}

// letting is a device that is given back otherwise than by a command.
type letting struct {
	fake
	back    drivers.Reading
	refused error
}

func (l *letting) Release(context.Context) (drivers.Reading, error) { return l.back, l.refused }
