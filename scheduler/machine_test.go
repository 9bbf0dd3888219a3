package scheduler

import (
	"slices"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// pumps is a town whose heat pump takes kW, and whose plan wants so much of it.
func pumps(t *testing.T, wanted *float64) *town {
	w := newTown(t)
	hp := w.d.Device("s", "hp").HeatPump
	hp.MinOn, hp.MinOff = 20*time.Minute, 10*time.Minute
	own := w.s.cfg.Driver
	w.s.cfg.Driver = func(site, id string) (drivers.Driver, bool) {
		d, ok := own(site, id)
		if m, is := d.(machine); is && id == "hp" {
			m.ctl = drivers.Control{Point: "power", Quantity: drivers.ControlKW, Max: 4, Step: 0.1}
			return m, true
		}
		return d, ok
	}
	w.solve = func(p *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(p)
		for i, dev := range p.Sites[0].Devices {
			if _, is := dev.(*problem.HeatPump); is {
				for k := range sol.Sites[0].Devices[i].PowerKW {
					sol.Sites[0].Devices[i].PowerKW[k] = *wanted
				}
			}
		}
		return sol, nil
	}
	return w
}

// round lets time pass, with the heat pump drawing what it was told last, and plans and dispatches.
func (w *town) round(t *testing.T, d time.Duration) float64 {
	t.Helper()
	w.now = w.now.Add(d)
	w.refresh()
	hp := 0.0
	if n := len(w.writes["hp"]); n > 0 {
		hp = w.writes["hp"][n-1]
	}
	w.measure("hp", "power_kw", hp)
	w.measure("grid", "power_kw", 5+hp)
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.s.Dispatch(t.Context())
	return w.last(t, "hp")
}

// lineOf is the newest line of a device in the ledger.
func (w *town) lineOf(device string) district.Setpoint {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range slices.Backward(w.lines) {
		if l.Device == device {
			return l
		}
	}
	return district.Setpoint{}
}

// TestHoldSaysWhatWasWanted: while the profile's hold or the wear of a register keeps what stands, the ledger says what the plan wants, what goes on in its place and until when; once, not in every round.
func TestHoldSaysWhatWasWanted(t *testing.T) {
	wanted := 3.0
	w := pumps(t, &wanted)
	hp := w.d.Device("s", "hp").HeatPump
	hp.MinOn, hp.MinOff, w.hold = 0, 0, 15*time.Minute
	own := w.s.cfg.Driver
	w.s.cfg.Driver = func(site, id string) (drivers.Driver, bool) {
		d, ok := own(site, id)
		if m, is := d.(machine); is && id == "hp" {
			m.ctl.MinHold, m.ctl.MinInterval = w.hold, w.wear
			return m, true
		}
		return d, ok
	}
	w.round(t, time.Minute)
	if got := w.round(t, time.Minute); got != 3 {
		t.Fatalf("told %v kW, want 3", got)
	}
	told := w.now.Add(-time.Minute)
	wanted = 1
	w.round(t, time.Minute)
	line, n := w.lineOf("hp"), len(w.lines)
	if want := "hold: 900 s, until " + told.Add(15*time.Minute).Format(time.RFC3339); line.Outcome != district.Held || line.WantedKW != 1 || line.SentKW != 3 || line.Detail != want {
		t.Errorf("the ledger has %+v, want 1 kW wanted, 3 kW held, %q", line, want)
	}
	w.s.Dispatch(t.Context())
	if len(w.lines) != n {
		t.Errorf("the next round has lines of its own: %+v", w.lines[n:])
	}
	wanted = 3
	if w.round(t, time.Minute); w.lineOf("hp") != line {
		t.Errorf("what stands is wanted, and the ledger has %+v", w.lineOf("hp"))
	}
	w.hold, w.wear, wanted = 0, 20*time.Minute, 1
	w.s.cfg.Wall = func() time.Time { return w.now }
	w.round(t, time.Minute)
	if line = w.lineOf("hp"); line.WantedKW != 1 || line.SentKW != 1 {
		t.Fatalf("without a hold: %+v", line)
	}
	wanted = 2
	w.round(t, 5*time.Minute)
	if line = w.lineOf("hp"); line.Outcome != district.Held || line.WantedKW != 2 || line.SentKW != 1 || line.Detail != "interval: 1200 s, 900 s left" {
		t.Errorf("a register that wears: %+v", line)
	}
}

// TestHeatPumpRunsAndRests: a plan that changes its mind neither stops a pump before its least time nor starts one, a limit stops it at once, and after that it rests its time; the plan knows both.
func TestHeatPumpRunsAndRests(t *testing.T) {
	wanted := 0.0
	w := pumps(t, &wanted)
	step := func(what string, after time.Duration, plan, want float64) {
		t.Helper()
		wanted = plan
		if got := w.round(t, after); got != want {
			t.Fatalf("%s: %v kW, want %v kW", what, got, want)
		}
	}
	held := func(what string, wantedKW, sentKW float64, detail string) {
		t.Helper()
		line := w.lineOf("hp")
		if line.Time != w.now || line.Outcome != district.Held || line.WantedKW != wantedKW || line.SentKW != sentKW || line.Detail != detail {
			t.Fatalf("%s: the ledger has %+v, want %v kW wanted, %v kW held, %q", what, line, wantedKW, sentKW, detail)
		}
	}
	asked := func() *problem.HeatPump {
		for _, dev := range w.asked[len(w.asked)-1].Sites[0].Devices {
			if x, is := dev.(*problem.HeatPump); is {
				return x
			}
		}
		t.Fatal("no heat pump is planned")
		return nil
	}
	step("nothing planned", 0, 0, 0)
	if got := asked().InitialSteps; got != problem.LongEnough {
		t.Errorf("a pump whose stop was not seen is planned as resting for %d steps, want long enough", got)
	}
	step("it was not seen to stop, so it starts", time.Minute, 3, 3)
	step("it runs", time.Minute, 3, 3)
	step("the plan changed its mind", time.Minute, 0, 3)
	held("too early to stop", 0, 3, "run: 1200 s, until "+w.now.Add(19*time.Minute).Format(time.RFC3339))
	step("the plan wants less", time.Minute, 2, 2)
	step("it runs on", 16*time.Minute, 0, 2)
	if got := asked(); got.InitialSteps >= 2 || !got.InitialOn || got.MinOnSteps != 2 {
		t.Errorf("after 18 minutes it is planned as %v for %d of %d steps, want on for less than those", got.InitialOn, got.InitialSteps, got.MinOnSteps)
	}
	step("it has run", 2*time.Minute, 0, 0)
	step("it stopped", time.Minute, 0, 0)
	step("too early to start", time.Minute, 4, 0)
	held("too early to start", 4, 0, "rest: 600 s, until "+w.now.Add(9*time.Minute).Format(time.RFC3339))
	step("it has rested", 9*time.Minute, 4, 4)
	step("it runs", time.Minute, 4, 4)

	w.d.Sites[0].ImportLimitKW = 5 // the other devices draw that
	step("a limit does not wait", time.Minute, 4, 0)
	w.d.Sites[0].ImportLimitKW = 30
	step("the limit is gone: it rests first", time.Minute, 4, 0)
	step("it rests", 5*time.Minute, 4, 0)
	step("it has rested after the limit", 5*time.Minute, 4, 4)
	step("it runs", time.Minute, 4, 4)

	w.now = w.now.Add(-2 * time.Hour) // a clock that is set back holds nothing
	step("the clock was set back", 0, 0, 0)
}

// TestHeatPumpRestsFromAFeed: a pump that rests its time does not take what an inverter feeds that does not hear.
func TestHeatPumpRestsFromAFeed(t *testing.T) {
	wanted := 3.0
	w := pumps(t, &wanted)
	w.round(t, 0)
	w.round(t, time.Minute)
	wanted = 0
	w.round(t, 30*time.Minute)
	w.round(t, time.Minute) // seen to have stopped
	for after, want := range map[time.Duration]float64{9 * time.Minute: 0, 10 * time.Minute: 4} {
		j, dev, now := w.jobOf("hp")
		w.s.mayTake(j, dev, now, w.now.Add(after))
		if j.wish.TakeKW != want {
			t.Errorf("after %v of rest it may take %v kW, want %v kW", after, j.wish.TakeKW, want)
		}
	}
}

// TestHeatPumpRestsFromAnOrder: power by hand starts no pump that rests its time, and quiet hours stop one that has not run for its time.
func TestHeatPumpRestsFromAnOrder(t *testing.T) {
	wanted := 3.0
	w := pumps(t, &wanted)
	keep(w)
	w.round(t, 0)
	w.round(t, time.Minute)
	wanted = 0
	w.round(t, 30*time.Minute)
	w.round(t, time.Minute) // seen to have stopped
	give(t, w, order.Order{Site: "s", Device: "hp", Kind: order.Power, Value: 4, End: w.now.Add(2 * time.Hour)})
	if got := w.round(t, 5*time.Minute); got != 0 {
		t.Errorf("a pump that has rested for 5 of 10 min is told %v kW", got)
	}
	if got := w.round(t, 5*time.Minute); got != 4 {
		t.Errorf("a pump that has rested is told %v kW, 4 kW were ordered", got)
	}
	w.round(t, time.Minute)
	at := w.now.In(w.d.Zone)
	give(t, w, order.Order{Site: "s", Device: "hp", Kind: order.Quiet, From: at.Format("15:04"), To: at.Add(time.Hour).Format("15:04")})
	if got := w.round(t, time.Minute); got != 0 {
		t.Errorf("a pump that has run for 2 of 20 min is told %v kW in quiet hours", got)
	}
}
