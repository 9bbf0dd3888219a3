package scheduler

import (
	"math"
	"time"

	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// noticed is what the last rounds of dispatch saw.
type noticed struct {
	seen   map[observe.Key]bool // of devices under control
	away   map[observe.Key]int  // for how many rounds a device has been otherwise than seen says
	prices time.Time            // when they were looked at, on the machine's clock
}

// afterRounds is for how many rounds of dispatch a device must be lost, or back, to be worth a plan: one late answer is not.
const afterRounds = 3

// notice asks for a new plan when a car comes or goes, a device is lost or back, or prices are other than those that the plan rests on.
func (s *Scheduler) notice(st observe.State, plan *district.Plan, wall time.Time) {
	changed := s.noticeCars(st)
	if s.noticeDevices(st) {
		changed = true
	}
	if plan != nil && wall.Sub(s.noticed.prices) >= pricesEvery {
		s.noticed.prices = wall
		if s.otherPrices(plan, st.Now) {
			s.cfg.Log.Info("prices are other than planned with", "district", s.cfg.District.ID)
			changed = true
		}
	}
	if changed {
		s.Wake()
	}
}

func (s *Scheduler) noticeCars(st observe.State) (changed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k, d := range st.Devices {
		if !d.Connected.OK {
			continue
		}
		on := d.Connected.V >= 0.5
		if was, known := s.connected[k]; known && was != on {
			changed = true
		}
		s.connected[k] = on
	}
	return changed
}

func (s *Scheduler) noticeDevices(st observe.State) (changed bool) {
	n := &s.noticed
	if n.seen == nil {
		n.seen, n.away = map[observe.Key]bool{}, map[observe.Key]int{}
	}
	for site, dev := range s.cfg.District.AllDevices {
		if !dev.Control && dev.Kind != district.GridMeter {
			continue
		}
		k := observe.Key{Site: site, Device: dev.ID}
		now := st.Devices[k].Seen()
		was, known := n.seen[k]
		switch {
		case !known:
			n.seen[k] = now
		case was == now:
			n.away[k] = 0
		default:
			if n.away[k]++; n.away[k] >= afterRounds {
				n.seen[k], n.away[k], changed = now, 0, true
			}
		}
	}
	return changed
}

// pricesEvery is how often prices are looked at between two plans.
const pricesEvery = time.Minute

// otherPrices reports whether the source says other prices of what is left of a plan now: the day ahead was published, or corrected. What it said is not what the plan is made with where something else was foreseen.
func (s *Scheduler) otherPrices(plan *district.Plan, now time.Time) bool {
	first, ok := plan.Index(now)
	if !ok {
		return false
	}
	step := time.Duration(plan.StepMinutes * float64(time.Minute))
	from := plan.Start.Add(time.Duration(first) * step)
	span := timegrid.NewSpan(from, plan.Start.Add(time.Duration(plan.Steps)*step))
	s.mu.Lock()
	said := s.saidPrice
	s.mu.Unlock()
	for _, of := range []struct {
		planned []float64
		read    func(timegrid.Span, time.Duration) ([]float64, error)
	}{{said, s.cfg.Prices.Import}, {plan.ExportPrice, s.cfg.Prices.Export}} {
		prices, err := of.read(span, step)
		if err != nil {
			return false // the next plan tells
		}
		for i, p := range prices {
			if math.Abs(p-value(of.planned, first+i)) > 1e-6 {
				return true
			}
		}
	}
	return false
}
