package scheduler

import (
	"math"
	"time"

	"quartier/scheduler/dispatch"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
)

// running is what a machine with a compressor was last seen to do.
type running struct {
	on    bool
	since time.Time // zero: longer than it was looked at
}

// runsKW is the power above which a heat pump runs: a quarter of its least, since pumps and electronics draw a little while the compressor rests.
func runsKW(h *district.HeatPumpParams) float64 { return math.Max(offKW, h.MinKW/4) }

// noteRuns notes when a heat pump starts and stops, by what is measured: whoever switched it, its own control too.
func (s *Scheduler) noteRuns(site string, dev *district.Device, now observe.Device, at time.Time) {
	if dev.HeatPump == nil || !now.PowerKW.OK {
		return
	}
	key, on := observe.Key{Site: site, Device: dev.ID}, now.PowerKW.V > runsKW(dev.HeatPump)
	s.mu.Lock()
	defer s.mu.Unlock()
	r, seen := s.ran[key]
	switch {
	case !seen, r.since.After(at): // the clock was set back
		s.ran[key] = running{on: on}
	case r.on != on:
		s.ran[key] = running{on: on, since: at}
	}
}

// ranFor is whether a heat pump runs and for how long it has run or rested; false where that was not seen to begin.
func (s *Scheduler) ranFor(site, device string, at time.Time) (on bool, d time.Duration, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.ran[observe.Key{Site: site, Device: device}]
	return r.on, at.Sub(r.since), !r.since.IsZero()
}

// spare has a heat pump run on, or rest on, for the least time that its compressor needs, whatever is planned, or ordered by hand. What quiet hours and limits ask for comes later and does not wait: a pump that they stopped rests its time
// afterwards.
func (s *Scheduler) spare(w *dispatch.Wish, at time.Time) {
	dev := s.cfg.District.Device(w.Site, w.Device)
	if dev == nil || dev.HeatPump == nil {
		return
	}
	h := dev.HeatPump
	on, d, ok := s.ranFor(w.Site, w.Device, at)
	wanted := w.Meant()
	switch least := math.Max(h.MinKW, offKW); {
	case !ok:
	case on && d < h.MinOn && min(wanted, w.WantedKW) < least:
		kw := w.WantedKW
		if kw < least {
			kw = math.Min(w.MaxKW, math.Max(least, w.MeasuredKW))
			w.TakenKW += kw - math.Max(0, w.WantedKW) // it goes on for its own sake, and no inverter may feed more for that
		}
		w.Keep(dispatch.KeepsRun, kw, h.MinOn, h.MinOn-d)
	case !on && d < h.MinOff && max(wanted, w.WantedKW) > offKW:
		w.Keep(dispatch.KeepsRest, 0, h.MinOff, h.MinOff-d)
	}
}

// restsStill reports whether a heat pump has not rested for its least time.
func (s *Scheduler) restsStill(site string, dev *district.Device, at time.Time) bool {
	if dev.HeatPump == nil {
		return false
	}
	on, d, ok := s.ranFor(site, dev.ID, at)
	return ok && !on && d < dev.HeatPump.MinOff
}
