package scheduler

import (
	"math"
	"time"

	"quartier/drivers"
	"quartier/scheduler/dispatch"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// satedFor is for how long a consumer that did not do what it may counts with what it does; then it may show once more.
const satedFor = 10 * time.Minute

// taking is what is known of a consumer that may take a feed.
type taking struct {
	lacks  time.Time // since when it has done less than it was told; zero: it does not
	sated  time.Time // until when it last did so for long; zero: it did not
	didKW  float64   // then
	needed time.Time // when a limit last asked it to take a feed
	limit  string    // which one
}

// sated reports whether a consumer has done clearly less than it may for longer than [patience], or did so lately.
func (s *Scheduler) sated(j *job, now observe.Device, at time.Time) bool {
	key := observe.Key{Site: j.wish.Site, Device: j.wish.Device}
	t := s.taking[key]
	switch {
	case j.own:
		delete(s.taking, key)
		return false
	case !now.PowerKW.OK:
		return false
	}
	stands, _ := s.sender.Standing(key.Site, key.Device) // of 0 kW where nothing does, or it has its own control
	slack := math.Max(0.3, 0.1*stands.KW)
	switch {
	case stands.KW-now.PowerKW.V < slack:
		if t.lacks = (time.Time{}); now.PowerKW.V > t.didKW+slack {
			t.sated = time.Time{} // it needed a moment to start
		}
	case t.lacks.IsZero() || t.lacks.After(at): // also when the clock was set
		t.lacks = at
	case at.Sub(t.lacks) >= patience:
		t.sated, t.didKW = at, now.PowerKW.V
	}
	s.taking[key] = t
	return at.Sub(t.sated).Abs() < satedFor
}

// took keeps which consumers a limit asked to take a feed.
func (s *Scheduler) took(w *dispatch.Wish, at time.Time) {
	if !w.Raised || w.TookFor == "" {
		return
	}
	key := observe.Key{Site: w.Site, Device: w.Device}
	t := s.taking[key]
	t.needed, t.limit = at, w.TookFor
	s.taking[key] = t
}

// How far below the upper end of their bands heat may be begun for the sake of a limit, and how far it may then go on, K.
const (
	takeBelowK = 1.0
	takeUntilK = 0.2
)

// mayTake says what a consumer may take of a feed that would pass a limit and that nothing else takes up: heat within the bands that hold now, and a car that has room, neither beyond what is ordered
// by hand, in quiet hours, nor sooner than the machine may run again.
func (s *Scheduler) mayTake(j *job, dev *district.Device, now observe.Device, at time.Time) {
	w := j.wish
	if dev.HeatPump != nil || dev.WaterHeater != nil || dev.EVCharger != nil {
		w.Sated = s.sated(j, now, at)
	}
	if j.own || j.blind || j.deaf || j.ordered || !now.PowerKW.OK {
		return
	}
	runs := w.MeasuredKW > offKW
	warm := func(c observe.Value, maxC float64) bool {
		margin := takeBelowK
		if runs {
			margin = takeUntilK
		}
		return !c.OK || c.V > maxC-margin
	}
	least := 0.0
	switch {
	case dev.HeatPump != nil:
		top := dev.HeatPump.MaxC
		if o, ok := s.inForceOne(order.Range, w.Site, w.Device, at); ok {
			top = o.High
		}
		if o, ok := s.inForceOne(order.Comfort, w.Site, "", at); ok {
			top += o.Value
		}
		if warm(now.IndoorC, top) {
			return
		}
		least = dev.HeatPump.MinKW
	case dev.WaterHeater != nil:
		top := dev.WaterHeater.MaxC
		if o, ok := s.inForceOne(order.Range, w.Site, w.Device, at); ok {
			top = math.Min(top, o.High)
		}
		if warm(now.TankC, top) {
			return
		}
		least = dev.WaterHeater.MaxKW
	case dev.EVCharger != nil:
		if now.Connected.Or(0) < 0.5 || now.SessionKWh.Or(0) >= math.Max(dev.EVCharger.CapacityKWh, dev.EVCharger.TargetKWh) {
			return
		}
		least = dev.EVCharger.MinKW
	default:
		return
	}
	ctl, ok := j.drv.Control()
	if stands, holds := s.sender.Holding(j.drv, w.Site, w.Device, at, s.cfg.Wall()); !ok || holds && !runs && stands.KW <= offKW || s.restsStill(w.Site, dev, at) {
		return // it may not run again yet
	}
	if ctl.Quantity == drivers.ControlSGReady || ctl.Quantity == drivers.ControlOnOff {
		least = w.MaxKW
	}
	most := w.MaxKW
	if o, ok := s.quiet(w.Site, w.Device, at); ok {
		most = math.Min(most, o.Value)
	}
	if most = dispatch.AtMost(ctl, most, j.maxKW).SentKW; most >= least-1e-9 && most > 0 { // in its own steps, so that none ends above
		w.TakeKW = most
		w.LeastKW = math.Min(most, dispatch.AtLeast(ctl, math.Max(least, dispatch.RunsFromKW(ctl, j.maxKW)), j.maxKW).SentKW)
		if t := s.taking[observe.Key{Site: w.Site, Device: w.Device}]; !t.needed.IsZero() && at.Sub(t.needed).Abs() < dispatch.ReleaseAfter {
			w.StaysFor = t.limit
		}
	}
}
