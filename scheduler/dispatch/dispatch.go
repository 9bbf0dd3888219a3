package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// Sender commands devices and remembers what it sent: it keeps minimum hold times, intervals of writes and ramps, refreshes before a device would revert, writes nothing that would
// change nothing, and makes one ledger line of every decision that differs from the one before. Different devices may be commanded at the same time, one device
// by one goroutine.
type Sender struct {
	district string
	mu       sync.Mutex
	state    map[string]*sent // by site/device
}

type sent struct {
	value   float64
	kw      float64 // that value stands for
	text    string  // of the command
	ok      bool
	own     bool      // it was given its own control
	at      time.Time // of the last write, on the wall clock
	round   time.Time // when it was last decided on, on the wall clock
	writes  []time.Time
	changed time.Time // of the last change of value, on the district's clock
	outcome district.Outcome
	reason  string
	detail  string
	failed  int
	trouble time.Time // of the first of the failures in a row, on the district's clock
	err     error     // of the last

	follows bool      // the last line was of a device that follows
	written time.Time // of the last line, on the district's clock
	wanted  float64   // kW, by the last line
	until   time.Time // of the last line, when its wait ends, on the clock of what waits
	over    bool      // since the last line what stands was wanted: what waits now is another wait
	since   int       // commands since, of which no line was made
	low     float64   // their range, kW
	high    float64
}

// FollowEvery is how often a device that follows what is measured has a line of its own in the ledger while nothing but its power changes: the line says how many
// commands there were since the one before, and their range. One that waits has no more lines than that either while nothing but what is wanted of it and the end of its wait change.
const FollowEvery = time.Minute

// repeatAfter is how often a command is repeated to a device that does not do what it was told: one that was started anew may have forgotten it.
const repeatAfter = time.Minute

// NewSender returns a sender for one district.
func NewSender(districtID string) *Sender {
	return &Sender{district: districtID, state: map[string]*sent{}}
}

// Send commands one device, or gives it its own control back. now is the district's clock, wall the machine's: a hold spares the machine in the district; a reversion, the wear of a
// register, a ramp and the patience after a failure belong to the connection. It returns the ledger line, and false when nothing worth a line happened.
func (s *Sender) Send(ctx context.Context, drv drivers.Driver, w Wish, maxKW float64, planID int64, now, wall time.Time, own bool) (district.Setpoint, bool) {
	line := district.Setpoint{Time: now, District: s.district, Site: w.Site, Device: w.Device, WantedKW: w.WantedKW, Reason: w.Reason, PlanID: planID}
	ctl, ok := drv.Control()
	if !ok {
		line.Outcome, line.Detail = district.Refused, "the profile declares no control"
		return s.log(w, line, false, time.Time{})
	}
	if math.IsNaN(w.WantedKW) && !own {
		line.WantedKW, line.Outcome, line.Detail = 0, district.Refused, "the wanted power is no number"
		return s.log(w, line, false, time.Time{})
	}
	st := s.of(w)
	since := wall.Sub(st.round)
	kept := w.Kept() && !own
	if kept {
		line.WantedKW = w.MeantKW
	}
	var cmd Command
	switch {
	case own:
		cmd = Own(ctl)
	case w.Raised && w.Tight:
		cmd = AtMost(ctl, w.WantedKW, maxKW)
	case w.Raised:
		cmd = AtLeast(ctl, w.WantedKW, maxKW)
	case w.Changed || w.Safe:
		cmd = AtMost(ctl, w.WantedKW, maxKW)
	default:
		cmd = Translate(ctl, w.WantedKW, maxKW)
	}
	urgent := own || w.Safe || w.Changed && (st.own || w.Kind == district.Battery || math.Abs(cmd.SentKW) <= math.Abs(st.kw)+1e-9)
	ramped := false
	if !urgent {
		cmd, ramped = s.ramp(ctl, cmd, st, since)
	}
	if !ramped || !near(ctl, st.value, cmd.Value, true) { // less than a step adds up to one
		st.round = wall
	}
	line.Command, line.SentKW = cmd.Text, cmd.SentKW
	differs := st.own != own || !near(ctl, st.value, cmd.Value, urgent) // from what it took last, whatever became of the commands since
	same := st.ok && !differs
	lapses := ctl.Reversion > 0 && wall.Sub(st.at) >= ctl.Reversion/2 && !own // what stands, if it is not sent again
	refresh := lapses || w.Stubborn && wall.Sub(st.at) >= max(repeatAfter, ctl.MinInterval)
	held := func(why string, least, left time.Duration) (district.Setpoint, bool) {
		line.Outcome, line.Detail = district.Held, keeps(why, least, left, now)
		line.Command, line.SentKW = st.text, st.kw // what the device goes on doing
		clock := now
		if why == KeepsInterval {
			clock = wall
		}
		return s.log(w, line, true, clock.Add(left))
	}
	waits := kept && !near(ctl, st.value, Translate(ctl, w.MeantKW, maxKW).Value, false) // it goes on, and something else is wanted
	switch {
	case same && !refresh && waits && !w.Follows:
		return held(w.Keeps, w.KeepsLeast, w.KeepsLeft)
	case same && !refresh:
		st.over = st.over || !waits
		return line, false
	case differs && !urgent && now.Sub(st.changed).Abs() < ctl.MinHold: // a clock that was set back holds nothing for longer
		if lapses && st.ok && !st.own { // what holds is to go on holding
			if back, err := s.command(ctx, drv, ctl, st, Command{Value: st.value}, false, now, wall, func() {}); err != nil {
				line.Outcome, line.Detail, line.ReadBack, line.Command, line.SentKW = outcomeOf(err), err.Error(), back.Value, st.text, st.kw
				return s.log(w, line, false, time.Time{})
			}
		}
		return held(KeepsHold, ctl.MinHold, ctl.MinHold-now.Sub(st.changed))
	case !same && !own && !w.Safe && !st.mayWrite(ctl.MinInterval, wall, urgent):
		return held(KeepsInterval, ctl.MinInterval, st.spared(ctl.MinInterval, wall))
	case st.failed > 0 && wall.Sub(st.at) < backoff(st.failed):
		return line, false
	}
	back, err := s.command(ctx, drv, ctl, st, cmd, own, now, wall, func() {
		if differs {
			st.changed = now
		}
		st.own, st.value, st.kw, st.text = own, cmd.Value, cmd.SentKW, cmd.Text
	})
	line.ReadBack = back.Value
	switch {
	case err != nil:
		line.Outcome, line.Detail = outcomeOf(err), err.Error()
	case own || w.Safe:
		line.Outcome = district.SafeMode
	case ctl.Restore == drivers.RestorePrevious && ctl.Quantity == drivers.ControlShare && back.Value < cmd.Value-math.Max(ctl.Step, 0.005):
		line.Outcome, line.SentKW = district.Clipped, kwOf(ctl, back.Value)
		line.Detail = fmt.Sprintf("owner's limit: %.0f %%", back.Value*100)
	case cmd.Clipped || w.Changed || ramped:
		line.Outcome = district.Clipped
		if ramped {
			line.Detail = fmt.Sprintf("ramp: %g /s", ctl.RampPerS)
		}
	default:
		line.Outcome = district.Applied
	}
	if err != nil {
		return s.log(w, line, false, time.Time{})
	}
	if same { // a refresh is no decision
		return line, false
	}
	return s.log(w, line, ramped, time.Time{})
}

// Standing is what stands in a device by our hand.
type Standing struct {
	KW      float64 // positive into it; of a limit, what it may do at most
	Text    string
	Own     bool      // it has its own control
	Changed time.Time // on the district's clock

	// Of a device that may not be told anything new yet, see [Sender.Holding].
	Why         string
	Least, Left time.Duration
}

// Standing returns what a device was told last and took; false when nothing is known.
func (s *Sender) Standing(site, device string) (Standing, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state[site+"/"+device]
	if st == nil || !st.ok {
		return Standing{}, false
	}
	return Standing{KW: st.kw, Text: st.text, Own: st.own, Changed: st.changed}, true
}

// Trouble is a device whose commands fail.
type Trouble struct {
	Site, Device string
	Outcome      district.Outcome // Failed or Refused
	Err          error
	Since        time.Time // of the first of the failures in a row, on the district's clock
}

// Failing reports whether the last command to a device failed.
func (s *Sender) Failing(site, device string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state[site+"/"+device]
	return st != nil && st.err != nil
}

// Troubles lists the devices whose last command failed.
func (s *Sender) Troubles() (out []Trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, st := range s.state {
		if st.err != nil {
			site, device, _ := strings.Cut(key, "/")
			out = append(out, Trouble{site, device, outcomeOf(st.err), st.err, st.trouble})
		}
	}
	return out
}

// Release gives one device back because control ends, and returns the ledger line. What somebody else commands is a refusal and stays.
func (s *Sender) Release(ctx context.Context, drv drivers.Driver, site, device, reason string, now time.Time) (district.Setpoint, bool) {
	ctl, ok := drv.Control()
	if !ok {
		return district.Setpoint{}, false
	}
	cmd := Own(ctl)
	line := district.Setpoint{Time: now, District: s.district, Site: site, Device: device, Command: cmd.Text, Reason: reason, Outcome: district.SafeMode}
	back, _, err := give(ctx, drv, ctl, cmd, true)
	line.ReadBack = back.Value
	if err != nil {
		line.Outcome, line.Detail = outcomeOf(err), err.Error()
	}
	return line, true
}

// command gives a device a command, or its own control back, and remembers what became of it; took is called once it is taken, with the sender locked.
func (s *Sender) command(ctx context.Context, drv drivers.Driver, ctl drivers.Control, st *sent, cmd Command, own bool, now, wall time.Time, took func()) (drivers.Reading, error) {
	back, wrote, err := give(ctx, drv, ctl, cmd, own)
	st.at = wall
	if wrote {
		st.wrote(ctl.MinInterval, wall)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		st.failed++
		st.ok = false
		if st.err = err; st.trouble.IsZero() {
			st.trouble = now
		}
		return back, err
	}
	st.failed, st.ok, st.err, st.trouble = 0, true, nil, time.Time{}
	took()
	return back, nil
}

// give sends a command, or gives the device its own control back, and reports whether anything may have been written for that.
func give(ctx context.Context, drv drivers.Driver, ctl drivers.Control, cmd Command, own bool) (back drivers.Reading, sent bool, err error) {
	if r, ok := drv.(drivers.Releaser); ok && own {
		back, err = r.Release(ctx)
		sent = err != nil || !math.IsNaN(back.Value) || !back.Time.IsZero()
		if math.IsNaN(back.Value) {
			back.Value = 0 // there is none
		}
	} else {
		back, err = drv.Write(ctx, ctl.Point, cmd.Value)
		sent = true
	}
	return back, sent && !errors.Is(err, drivers.ErrNotWritten), err
}

// outcomeOf tells what the device or a guard refused from what failed.
func outcomeOf(err error) district.Outcome {
	var limit *drivers.LimitError
	for _, refused := range []error{drivers.ErrRejected, drivers.ErrReadOnly, drivers.ErrConflict, drivers.ErrTooOften} {
		if errors.Is(err, refused) {
			return district.Refused
		}
	}
	if errors.As(err, &limit) {
		return district.Refused
	}
	return district.Failed
}

// near reports whether two commands are the same to the device, or different by so little power that it is not worth a write where no limit asks for it.
func near(ctl drivers.Control, a, b float64, exact bool) bool {
	tolerance := math.Max(ctl.Step/2, 1e-6*math.Max(1, math.Abs(b)))
	if ctl.Quantity == drivers.ControlKW && !exact && (a == 0) == (b == 0) {
		tolerance = math.Max(ctl.Step/2, 0.005*math.Max(math.Abs(ctl.Max), math.Abs(ctl.Min)))
	}
	return math.Abs(a-b) <= tolerance
}

// ramp brings a command to within what the device may change since it was last decided on: a machine that stood still for long changes no faster for that.
func (s *Sender) ramp(ctl drivers.Control, cmd Command, st *sent, since time.Duration) (Command, bool) {
	if ctl.RampPerS <= 0 || math.IsNaN(st.value) || st.own || ctl.Quantity == drivers.ControlSGReady || ctl.Quantity == drivers.ControlOnOff {
		return cmd, false
	}
	most := ctl.RampPerS * since.Seconds()
	v := clamp(cmd.Value, st.value-most, st.value+most)
	if near(ctl, v, cmd.Value, true) {
		return cmd, false
	}
	if ctl.Pause != nil && (v < ctl.Min || v > ctl.Max) { // there is nothing between pausing and the least command
		return cmd, false
	}
	if v > st.value { // no further than it may
		v = math.Max(st.value, quantise(v, ctl.Step, notAbove))
	} else {
		v = math.Min(st.value, quantise(v, ctl.Step, notBelow))
	}
	return Command{Value: v, SentKW: kwOf(ctl, v), Text: textOf(ctl, v)}, true
}

// mayWrite reports whether a register that is worn by writes may be written: after the interval, or at once for a limit as long as the last hour has had no more writes than the interval allows.
func (st *sent) mayWrite(interval time.Duration, wall time.Time, urgent bool) bool {
	if len(st.writes) == 0 || wall.Sub(st.writes[len(st.writes)-1]) >= interval {
		return true
	}
	n := 0
	for _, at := range st.writes {
		if wall.Sub(at) < time.Hour {
			n++
		}
	}
	return urgent && n < int(time.Hour/interval)
}

func (st *sent) wrote(interval time.Duration, wall time.Time) {
	if interval <= 0 {
		return
	}
	kept := st.writes[:0]
	for _, at := range st.writes {
		if wall.Sub(at) < time.Hour {
			kept = append(kept, at)
		}
	}
	st.writes = append(kept, wall)
}

// of returns what was last sent to a device.
func (s *Sender) of(w Wish) *sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := w.Site + "/" + w.Device
	st := s.state[key]
	if st == nil {
		st = &sent{value: math.NaN()}
		s.state[key] = st
	}
	return st
}

// log remembers the decision and says whether it differs from the last one. A decision under way is written down once; of a wait, which ends at until, again where it is another wait, or something else is wanted, but not
// sooner than [FollowEvery].
func (s *Sender) log(w Wish, line district.Setpoint, underWay bool, until time.Time) (district.Setpoint, bool) {
	st := s.of(w)
	soon := line.Time.Sub(st.written).Abs() < FollowEvery // a clock that was set back keeps nothing from being told
	if w.Follows && !w.Changed && st.follows && st.outcome == line.Outcome && key(st.reason) == key(line.Reason) && soon {
		if !underWay {
			if st.since == 0 {
				st.low, st.high = line.SentKW, line.SentKW
			}
			st.since, st.low, st.high = st.since+1, math.Min(st.low, line.SentKW), math.Max(st.high, line.SentKW)
		}
		return line, false
	}
	again := underWay || line.Outcome == district.Failed || line.Outcome == district.Refused
	if again && st.outcome == line.Outcome && st.reason == line.Reason {
		switch line.Outcome {
		case district.Held:
			another := st.over || math.Abs(line.WantedKW-st.wanted) > wantedSlack(st.wanted) || until.Sub(st.until).Abs() > untilSlack
			if soon || !another {
				return line, false
			}
		case district.Clipped:
			if st.detail == line.Detail {
				return line, false
			}
		default:
			return line, false
		}
	}
	st.outcome, st.reason, st.detail = line.Outcome, line.Reason, line.Detail
	if st.since > 0 {
		between := fmt.Sprintf("%d commands before, %.2f to %.2f kW", st.since, st.low, st.high)
		if line.Detail != "" {
			between = "; " + between
		}
		line.Detail += between
	}
	st.follows, st.written, st.since = w.Follows && !w.Changed, line.Time, 0
	st.wanted, st.until, st.over = line.WantedKW, until, false
	return line, true
}

// key is the first word of a reason.
func key(reason string) string {
	k, _, _ := strings.Cut(reason, ":")
	return k
}

// backoff is how long a device is left alone after n failed writes in a row.
func backoff(n int) time.Duration {
	return min(time.Duration(1<<min(n, 6))*time.Second, time.Minute)
}
