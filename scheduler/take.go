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

// How far below the upper end of their bands heat may be begun for the sake of a limit, and how far it may then go on, K.
const (
	takeBelowK = 1.0
	takeUntilK = 0.2
)

// mayTake says what a consumer may take of a feed that would pass a limit and that nothing else takes up: heat within the bands that hold now, and a car that has room, neither beyond what is ordered
// by hand, in quiet hours, nor sooner than the machine may run again.
func (s *Scheduler) mayTake(j *job, dev *district.Device, now observe.Device, at time.Time) {
	w := j.wish
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
	if stands, holds := s.sender.Holding(j.drv, w.Site, w.Device, at, s.cfg.Wall()); !ok || holds && !runs && stands.KW <= offKW {
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
		w.TakeKW, w.LeastKW = most, math.Min(least, most)
	}
}
