package scheduler

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"quartier/scheduler/hotwater"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// tankSlack is how late a slot of a tank may be known.
const tankSlack = 2 * time.Hour

// tankOutlook is a tank as a plan takes it.
type tankOutlook struct {
	params     *district.WaterHeaterParams
	drawKW     []float64 // heat expected to be drawn in each step
	reserveKWh []float64 // usable heat to be left at the begin of each step, and at the end of the last
}

// tanks learn the water heaters of a district.
type tanks struct {
	mu    sync.Mutex // a plan holds it while it learns
	by    map[observe.Key]*hotwater.Learner
	known atomic.Pointer[[]Tank] // as the newest plan has it: who asks does not wait
}

// tankOutlooks takes what was measured of each water heater since, and says what is expected of it. What the record does not give leaves a tank as it was known before.
func (s *Scheduler) tankOutlooks(ctx context.Context, in *inputs) map[observe.Key]tankOutlook {
	out := map[observe.Key]tankOutlook{}
	s.tanks.mu.Lock()
	defer s.tanks.mu.Unlock()
	var known []Tank
	may := in.learn.atLeastOne()
	for i := range s.cfg.District.Sites {
		site := &s.cfg.District.Sites[i]
		for k := range site.Devices {
			dev := &site.Devices[k]
			if dev.WaterHeater == nil {
				continue
			}
			key := observe.Key{Site: site.ID, Device: dev.ID}
			l := s.tanks.by[key]
			if l == nil || setBack(l.End(), in) {
				begin := in.start.Add(-hotwater.KeepDays * 24 * time.Hour).Truncate(24 * time.Hour)
				l = hotwater.NewLearner(dev.WaterHeater, begin, in.step, in.steps+int(tankSlack/in.step), s.cfg.District.Zone)
				s.tanks.by[key] = l
			}
			if l.Due(in.start) && !may() {
				// foreseen by what was known before, as where the record does not answer
			} else if err := s.takeTank(ctx, site.ID, dev, l, in); err != nil {
				s.cfg.Log.Warn("draws of a tank are foreseen from what was known before", "district", s.cfg.District.ID, "site", site.ID, "device", dev.ID, "err", err)
			}
			one := tankOutlook{params: l.Params(), drawKW: l.Foresee(in.start, in.steps)}
			if !s.cfg.KeepToPlan {
				one.drawKW = s.hearTank(in, key, l.Drawn(), l.Foresee)
			}
			one.reserveKWh = hotwater.Reserve(one.params, 1, l.Drawn(), in.start, one.drawKW)
			out[key] = one
			known = append(known, Tank{site.ID, dev.ID, l.Identified()})
		}
	}
	s.tanks.known.Store(&known)
	return out
}

// takeTank has a tank learn the slots that the record knows since.
func (s *Scheduler) takeTank(ctx context.Context, site string, dev *district.Device, l *hotwater.Learner, in *inputs) error {
	if !l.End().Before(in.start) {
		return nil
	}
	span := timegrid.NewSpan(l.End(), in.start)
	n := span.Count(in.step)
	id, power := dev.Series(s.cfg.District.ID, site, district.TankC), dev.Series(s.cfg.District.ID, site, district.PowerKW)
	got, err := s.readSlots(ctx, []district.SeriesID{id, power}, span, in.step)
	if err != nil {
		return err
	}
	tankC, heatKW, last := make([]float64, n), make([]float64, n), -1
	for i := range n {
		tankC[i], heatKW[i] = math.NaN(), math.Max(0, meanOf(&got[power][i], in.step))
		if r := &got[id][i]; says(r, in.step) {
			tankC[i] = r.Last
		}
		if !math.IsNaN(tankC[i]) || !math.IsNaN(heatKW[i]) {
			last = i
		}
	}
	came := cameBy(last, n, tankSlack, in.step)
	anew, err := l.Take(tankC[:came], heatKW[:came])
	if x := l.Identified(); anew && x.Known > 0 {
		s.cfg.Log.Info("tank learned", "district", s.cfg.District.ID, "site", site, "device", dev.ID, "loss_per_hour", x.LossPerHour, "loss_deviation", x.LossDeviation,
			"quiet_nights", x.Nights, "known_share", x.Known, "unexplained_kwh", x.UnexplainedKWh)
	}
	return err
}

// Tank is what is known of a water heater.
type Tank struct {
	Site, Device string
	hotwater.Identified
}

// Tanks says what was learned of each water heater, and how sure that is, as of the newest plan.
func (s *Scheduler) Tanks() []Tank {
	if known := s.tanks.known.Load(); known != nil {
		return slices.Clone(*known)
	}
	return nil
}
