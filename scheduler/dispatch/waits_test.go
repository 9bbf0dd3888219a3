package dispatch

import (
	"testing"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// waits has a device go on with what it was told while something else is wanted, for left of a quarter of an hour.
func waits(why string, meantKW float64, left time.Duration) func(*Wish) {
	return func(w *Wish) {
		on := w.WantedKW
		w.WantedKW = meantKW
		w.Keep(why, on, 15*time.Minute, left)
	}
}

// TestWaitsAreTold: the ledger tells each wait once: one that begins after what stood was wanted, or that ends at another time, is another; within one it tells when something else is wanted, a minute after the line before at the
// earliest. What an interval leaves grows less from round to round, and is the same wait.
func TestWaitsAreTold(t *testing.T) {
	type step struct {
		after  time.Duration
		change []func(*Wish)
		line   bool
		wanted float64 // kW, that the line says
	}
	hold := func(meantKW float64, left time.Duration) []func(*Wish) {
		return []func(*Wish){waits(KeepsHold, meantKW, left)}
	}
	interval := func(meantKW float64, left time.Duration) []func(*Wish) {
		return []func(*Wish){waits(KeepsInterval, meantKW, left)}
	}
	const m = time.Minute
	for name, steps := range map[string][]step{
		"a wait after what stood was wanted, to the same end": {
			{time.Second, hold(-20, 10*m), true, -20}, {4 * m, nil, false, 0}, {m, hold(-20, 5*m), true, -20}, {m, hold(-20, 4*m), false, 0}},
		"a wait after the one that was another power's, an hour later": {
			{time.Second, hold(-20, 10*m), true, -20}, {5 * m, nil, false, 0}, {time.Hour, hold(30, 14*m), true, 30}},
		"a wait after one in which what stood was wanted": {
			{time.Second, hold(-20, 10*m), true, -20}, {4 * m, hold(10, 6*m), false, 0}, {m, hold(-20, 5*m), true, -20}},
		"a wait to another end": {
			{time.Second, hold(-20, 10*m), true, -20}, {2 * m, hold(-20, 8*m), false, 0}, {2 * m, hold(-20, 12*m), true, -20}},
		"another power within a wait": {
			{time.Second, hold(-20, 10*m), true, -20}, {2 * m, hold(-20.3, 8*m), false, 0}, {2 * m, hold(30, 6*m), true, 30}, {m, hold(-20, 5*m), true, -20}},
		"a power that drifts within a wait": {
			{time.Second, hold(-20, 10*m), true, -20}, {2 * m, hold(-20.3, 8*m), false, 0}, {2 * m, hold(-20.6, 6*m), true, -20.6}},
		"another power within a minute, and then still": {
			{time.Second, hold(-20, 10*m), true, -20}, {30 * time.Second, hold(30, 10*m-30*time.Second), false, 0}, {29 * time.Second, hold(30, 9*m), false, 0}, {time.Second, hold(30, 9*m-time.Second), true, 30}},
		"an interval": {
			{time.Second, interval(-20, 10*m), true, -20}, {2 * m, interval(-20, 8*m), false, 0}, {7 * m, interval(-20, m), false, 0}},
	} {
		d := newDesk(t, battery, district.Battery, 50)
		d.send(0, 10)
		for i, st := range steps {
			line, worth := d.send(st.after, 10, st.change...)
			if worth != st.line || worth && (line.Outcome != district.Held || line.WantedKW != st.wanted) {
				t.Errorf("%s, step %d: line %v, %+v; want %v with %v kW", name, i, worth, line, st.line, st.wanted)
			}
		}
	}
}

// TestEndOfAnIntervalIsOnTheMachinesClock: where the district's clock runs faster than the machine's, a wait for a register that wears is the same wait throughout.
func TestEndOfAnIntervalIsOnTheMachinesClock(t *testing.T) {
	ctl := battery
	ctl.MinInterval = 10 * time.Minute
	s, drv := NewSender("d"), &fake{ctl: ctl}
	now := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	lines := 0
	for k := range 10 {
		w := Wish{Site: "s", Device: "x", Kind: district.Battery, WantedKW: 10, Reason: "r"}
		if k > 0 {
			w.WantedKW = -20
		}
		if _, worth := s.Send(t.Context(), drv, w, 50, 1, now.Add(time.Duration(k)*time.Hour), now.Add(time.Duration(k)*time.Minute), false); worth {
			lines++
		}
	}
	if lines != 2 {
		t.Errorf("%d lines of a command and one wait, want 2", lines)
	}
}

// TestFollowerThatWaits has a line a minute at most, whatever is wanted of it and however often what stands is wanted again.
func TestFollowerThatWaits(t *testing.T) {
	for _, kind := range []string{KeepsHold, KeepsInterval} {
		ctl := battery
		ctl.MinHold = time.Hour
		if kind == KeepsInterval {
			ctl.MinHold, ctl.MinInterval = 0, time.Hour
		}
		d := newDesk(t, ctl, district.Battery, 50)
		d.send(0, 10)
		lines := 0
		for k := range 120 { // ten minutes
			_, worth := d.send(5*time.Second, []float64{-20, 10, 30}[k%3], func(w *Wish) { w.Follows = true })
			if worth {
				lines++
			}
		}
		if lines < 2 || lines > 11 {
			t.Errorf("%s: %d lines in ten minutes, want one a minute", kind, lines)
		}
	}
	d := newDesk(t, drivers.Control{Quantity: drivers.ControlKW, Min: -50, Max: 50, MinHold: time.Hour}, district.Battery, 50)
	d.send(0, 10)
	lines := 0
	for k := range 120 { // a limit that is passed and kept by turns, of a register or a machine that waits
		if _, worth := d.send(5*time.Second, []float64{20, 10}[k%2]); worth {
			lines++
		}
	}
	if lines < 2 || lines > 11 {
		t.Errorf("%d lines in ten minutes of what is wanted by turns, want one a minute", lines)
	}
}
