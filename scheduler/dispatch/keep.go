package dispatch

import (
	"fmt"
	"math"
	"time"

	"quartier/drivers"
)

// Why a device goes on as it does in place of what is wanted.
const (
	KeepsHold     = "hold"     // it was told lately, and its profile has it left so for a time
	KeepsInterval = "interval" // the register of its commands wears, and was written lately
	KeepsRun      = "run"      // its compressor has not run for its least time
	KeepsRest     = "rest"     // its compressor has not rested for its least time
)

// Keep has a device go on with kw, for left of at least least; what was wanted stays known for the ledger. Of several reasons the longest is told.
func (w *Wish) Keep(why string, kw float64, least, left time.Duration) {
	if !w.Kept() {
		w.MeantKW, w.KeepsLeft = w.WantedKW, -1
	}
	if left > w.KeepsLeft {
		w.Keeps, w.KeepsLeast, w.KeepsLeft = why, least, left
	}
	w.WantedKW, w.KeptKW = kw, kw
}

// Kept reports whether WantedKW is what goes on in place of what is wanted, and nothing changed it since.
func (w *Wish) Kept() bool {
	return w.Keeps != "" && w.WantedKW == w.KeptKW && !w.Changed && !w.Safe
}

// Meant is what is wanted, also of a device that goes on with something else.
func (w *Wish) Meant() float64 {
	if w.Kept() {
		return w.MeantKW
	}
	return w.WantedKW
}

// keeps is why a command does not come through, in the ledger: "hold: 900 s, until 2026-01-15T12:14:30Z". now is the district's clock, on which machines are spared; what is left of an interval
// is time of the machine that writes, whose clock may run otherwise: "interval: 600 s, 240 s left".
func keeps(why string, least, left time.Duration, now time.Time) string {
	left = left.Round(time.Second)
	if why == KeepsInterval {
		return fmt.Sprintf("%s: %g s, %g s left", why, least.Seconds(), left.Seconds())
	}
	return fmt.Sprintf("%s: %g s, until %s", why, least.Seconds(), now.Add(left).UTC().Format(time.RFC3339))
}

// Holding returns what stands in a device that may not be told anything new yet unless a limit asks for it, for the machine's sake or for that of a register that writes wear.
func (s *Sender) Holding(drv drivers.Driver, site, device string, now, wall time.Time) (Standing, bool) {
	ctl, ok := drv.Control()
	stands, known := s.Standing(site, device)
	if !ok || !known {
		return Standing{}, false
	}
	if now.Sub(stands.Changed).Abs() < ctl.MinHold {
		stands.Why, stands.Least, stands.Left = KeepsHold, ctl.MinHold, ctl.MinHold-now.Sub(stands.Changed)
		return stands, true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.state[site+"/"+device]
	stands.Why, stands.Least, stands.Left = KeepsInterval, ctl.MinInterval, st.spared(ctl.MinInterval, wall)
	return stands, !st.mayWrite(ctl.MinInterval, wall, false)
}

// spared is for how long yet a register is not written without need.
func (st *sent) spared(interval time.Duration, wall time.Time) time.Duration {
	if len(st.writes) == 0 {
		return 0
	}
	return max(0, interval-wall.Sub(st.writes[len(st.writes)-1]))
}

// wantedSlack is by how much another power may be wanted of a device that waits, kW, for it to be the same to whoever reads the ledger.
func wantedSlack(kw float64) float64 { return math.Max(0.1, 0.02*math.Abs(kw)) }

// untilSlack is by how much the end of one wait may differ from round to round.
const untilSlack = 5 * time.Second
