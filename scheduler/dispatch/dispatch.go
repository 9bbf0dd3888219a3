package dispatch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// Sender commands devices and remembers what it sent: it keeps minimum hold times, refreshes before a device would revert, writes nothing that would
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
	at      time.Time // of the last write, on the wall clock
	changed time.Time // of the last change of value, on the district's clock
	outcome district.Outcome
	reason  string
	failed  int
}

// NewSender returns a sender for one district.
func NewSender(districtID string) *Sender {
	return &Sender{district: districtID, state: map[string]*sent{}}
}

// Send commands one device. now is the district's clock, wall the machine's: a hold spares the machine in the district, a reversion and the patience after a failure belong to the
// connection. It returns the ledger line, and false when nothing worth a line happened.
func (s *Sender) Send(ctx context.Context, drv drivers.Driver, w Wish, maxKW float64, planID int64, now, wall time.Time, safe bool) (district.Setpoint, bool) {
	line := district.Setpoint{Time: now, District: s.district, Site: w.Site, Device: w.Device, WantedKW: w.WantedKW, Reason: w.Reason, PlanID: planID}
	ctl, ok := drv.Control()
	if !ok {
		line.Outcome, line.Detail = district.Refused, "the profile declares no control"
		return s.log(w, line, 0, false)
	}
	cmd := Translate(ctl, w.WantedKW, maxKW)
	if safe {
		cmd = Safe(ctl)
	}
	line.Command, line.SentKW = cmd.Text, cmd.SentKW
	st := s.of(w)
	same := st.ok && math.Abs(st.value-cmd.Value) <= math.Max(ctl.Step/2, 1e-6*math.Max(1, math.Abs(cmd.Value)))
	if ctl.Quantity == drivers.ControlKW && st.ok && !safe {
		same = math.Abs(st.value-cmd.Value) <= math.Max(ctl.Step/2, 0.005*math.Max(math.Abs(ctl.Max), math.Abs(ctl.Min)))
	}
	refresh := ctl.Reversion > 0 && wall.Sub(st.at) >= ctl.Reversion/2
	switch {
	case same && !refresh:
		return line, false
	case !same && !safe && st.ok && ctl.MinHold > 0 && now.Sub(st.changed) < ctl.MinHold:
		line.Outcome, line.Detail = district.Held, fmt.Sprintf("hold: %g s", ctl.MinHold.Seconds())
		line.Command, line.SentKW = st.text, st.kw // what the device goes on doing
		return s.log(w, line, st.value, true)
	case st.failed > 0 && wall.Sub(st.at) < backoff(st.failed):
		return line, false
	}
	back, err := drv.Write(ctx, ctl.Point, cmd.Value)
	st.at = wall
	line.ReadBack = back.Value
	switch {
	case err == nil && safe:
		line.Outcome = district.SafeMode
	case err == nil && (cmd.Clipped || w.Changed):
		line.Outcome = district.Clipped
	case err == nil:
		line.Outcome = district.Applied
	case errors.Is(err, drivers.ErrRejected), errors.Is(err, drivers.ErrReadOnly), errors.Is(err, drivers.ErrConflict), errors.Is(err, drivers.ErrTooOften), isLimit(err):
		line.Outcome, line.Detail = district.Refused, err.Error()
	default:
		line.Outcome, line.Detail = district.Failed, err.Error()
	}
	if err != nil {
		st.ok = false
		st.failed++
		return s.log(w, line, cmd.Value, false)
	}
	st.failed = 0
	if !same {
		st.changed, st.kw, st.text = now, cmd.SentKW, cmd.Text
	}
	st.ok = true
	if same { // a refresh is no decision
		st.value = cmd.Value
		return line, false
	}
	return s.log(w, line, cmd.Value, true)
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

// log remembers the decision and says whether it differs from the last one.
func (s *Sender) log(w Wish, line district.Setpoint, value float64, keepValue bool) (district.Setpoint, bool) {
	st := s.of(w)
	repeat := st.outcome == line.Outcome && (line.Outcome == district.Held || line.Outcome == district.Failed || line.Outcome == district.Refused) && st.reason == line.Reason
	st.outcome, st.reason = line.Outcome, line.Reason
	if keepValue {
		st.value = value
	}
	return line, !repeat
}

// backoff is how long a device is left alone after n failed writes in a row.
func backoff(n int) time.Duration {
	return min(time.Duration(1<<min(n, 6))*time.Second, time.Minute)
}

func isLimit(err error) bool {
	var l *drivers.LimitError
	return errors.As(err, &l)
}
