package scheduler

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"quartier/drivers"
	"quartier/scheduler/dispatch"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
)

// Dispatch commands every device under control once and writes the ledger.
func (s *Scheduler) Dispatch(ctx context.Context) {
	now, wall := s.cfg.Now(), s.cfg.Wall()
	s.lapse(wall)
	st := s.observe(now)
	plan, _ := s.Plan()
	s.notice(st, plan, wall)
	step, covers := 0, false
	if plan != nil && now.Sub(plan.CreatedAt) <= s.cfg.PlanMaxAge {
		step, covers = plan.Index(now)
	}
	var mu sync.Mutex
	var lines []district.Setpoint
	var wg sync.WaitGroup
	for _, jobs := range s.jobs(st, plan, step, covers) {
		for _, j := range jobs {
			wg.Add(1)
			go func() { // one slow device must not hold up the others
				defer wg.Done()
				one, cancel := context.WithTimeout(ctx, 5*time.Second)
				defer cancel()
				line, worth := s.sender.Send(one, j.drv, *j.wish, j.maxKW, j.planID, now, wall, j.own)
				if worth {
					mu.Lock()
					lines = append(lines, line)
					mu.Unlock()
				}
			}()
		}
	}
	wg.Wait()
	if len(lines) == 0 {
		return
	}
	if err := s.cfg.Store.AppendSetpoints(context.WithoutCancel(ctx), lines); err != nil {
		s.cfg.Log.Warn("set-points not recorded", "district", s.cfg.District.ID, "count", len(lines), "err", err)
	}
}

// job is what one device is told.
type job struct {
	wish     *dispatch.Wish
	drv      drivers.Driver
	maxKW    float64
	freeKW   float64 // what it would take without a limit, positive into it
	planID   int64
	own      bool    // it gets its own control back whatever the limits are
	loose    bool    // it gets its own control back unless a limit holds it back
	blind    bool    // what it does is not known, or not what its connection carries
	sun      bool    // an inverter that nothing but a limit holds back
	rising   bool    // of the sun: it was held back and is let up step by step
	standsKW float64 // what a rising one may do already, and does not
	deaf     bool    // it does not do what it is told: the others make up for it
	// ordered: what it does is ordered, and it is not let go as long as the order holds
	ordered bool
}

// jobs decides what each device of each site should do now, within the limits of the sites and of the district.
func (s *Scheduler) jobs(st observe.State, plan *district.Plan, step int, covers bool) [][]*job {
	importKW, exportKW := s.limits("")
	net := districtPowerKW(s.cfg.District, st)
	var said map[observe.Key]told
	if covers {
		said = s.answers(st, plan, step)
	}
	s.passing("", net, importKW, exportKW, st.Now)
	var all [][]*job
	var groups []dispatch.Group
	for i := range s.cfg.District.Sites {
		jobs, group := s.siteJobs(&s.cfg.District.Sites[i], st, plan, step, covers, said)
		all, groups = append(all, jobs), append(groups, group)
	}
	together := slices.Concat(all...)
	unseen := wishesOf(together, func(j *job) bool { return j.blind })
	if net.OK {
		s.keeps("", dispatch.HoldTogether(groups, net.V, importKW, exportKW, " of the district"), net.V, st.Now)
	} else {
		unseen = wishesOf(together, func(j *job) bool { return !j.own && j.wish.Kind != district.LoadMeter })
		for _, j := range together {
			if (j.loose || j.sun) && !j.wish.Changed && !j.wish.Safe && bounded(importKW, exportKW) {
				j.assume()
			}
		}
	}
	dispatch.Blind(unseen, importKW, exportKW, ReasonSafe+": no fresh measurement", " of the district")
	for _, jobs := range all {
		for _, j := range jobs {
			s.settle(j, st.Now, plan != nil && covers)
		}
	}
	return all
}

func bounded(importKW, exportKW float64) bool {
	return !math.IsInf(importKW, 1) || !math.IsInf(exportKW, 1)
}

func wishesOf(jobs []*job, which func(*job) bool) (ws []*dispatch.Wish) {
	for _, j := range jobs {
		if which(j) {
			ws = append(ws, j.wish)
		}
	}
	return ws
}

// assume makes of what a device does on its own the worst: what it does now says nothing of what it will do while nobody knows what its connection carries.
func (j *job) assume() {
	switch j.wish.Kind {
	case district.EVCharger:
		j.wish.WantedKW = j.freeKW
	case district.PV:
		j.wish.WantedKW = -j.wish.RatedKW
	default:
		j.wish.WantedKW = 0
	}
}

// settle ends the decision of one device: one that no limit holds back is free, or gets its own control back once the limit has not needed it for a while.
func (s *Scheduler) settle(j *job, now time.Time, planned bool) {
	w := j.wish
	s.took(w, now)
	if w.Raised && w.TakeKW > 0 {
		j.freeKW = 0 // what it takes is for the limit alone
	}
	switch {
	case j.own:
	case j.ordered:
		s.guard.Told(w, j.freeKW, false, now)
	case j.deaf && j.loose && !w.Changed: // nothing is wanted of it
		j.own = true
	case j.deaf: // told again and again what it should do, and no more than it does: the others make up for that
		if !w.Changed && w.Kind == district.EVCharger {
			w.WantedKW = min(w.WantedKW, w.MeasuredKW)
		}
	case w.Safe:
		s.guard.Blind(w, j.freeKW, now)
	case j.blind:
		j.own = true
	case j.loose:
		_, held := s.guard.Free(w, now)
		if !w.Changed && !held {
			j.own = true
			return
		}
		if !w.Changed { // it may do what it would, under our eyes for a while
			w.Reason += ", a limit was in need"
		}
		s.guard.Told(w, j.freeKW, w.Changed, now)
	case j.sun:
		switch {
		case w.Changed:
		case !j.rising:
			w.WantedKW = -j.maxKW
		case j.standsKW < 0:
			w.WantedKW = j.standsKW
		}
		s.guard.Told(w, j.freeKW, w.Changed, now)
	case planned && w.Kind != district.PV: // should there be no plan later, this is not let go at once
		s.guard.Told(w, j.freeKW, s.bounded(w.Site), now)
	}
}

// bounded reports whether a limit of a site or of the district is in force.
func (s *Scheduler) bounded(site string) bool {
	return bounded(s.limits(site)) || bounded(s.limits(""))
}

// siteJobs decides what each device of a site should do now within the site's limits, and returns the wishes that the district's limits may still change.
func (s *Scheduler) siteJobs(site *district.Site, st observe.State, plan *district.Plan, step int, covers bool, said map[observe.Key]told) ([]*job, dispatch.Group) {
	net := st.SitePowerKW(site)
	importKW, exportKW := s.limits(site.ID)
	limited := bounded(importKW, exportKW)
	var sp *district.SitePlan
	if covers && net.OK {
		sp = plan.Site(site.ID)
	}
	var jobs []*job
	for k := range site.Devices {
		dev := &site.Devices[k]
		drv, ok := s.cfg.Driver(site.ID, dev.ID)
		if !dev.Control || !ok || s.lockedOut(site.ID, dev.ID, st.Now) {
			continue
		}
		if dev.Lighting != nil {
			jobs = append(jobs, s.lightingJob(site, dev, st, drv))
			continue
		}
		j := s.deviceJob(site, dev, st, drv)
		w, now := j.wish, st.Devices[observe.Key{Site: site.ID, Device: dev.ID}]
		s.noteRuns(site.ID, dev, now, st.Now)
		var dp *district.DevicePlan
		if sp != nil {
			dp = sp.Device(dev.ID)
		}
		switch {
		case j.own:
		case j.blind, !net.OK:
			j.blind, j.loose = j.blind || limited, true
			w.Reason = ReasonSafe + ": no fresh measurement"
		case dp == nil:
			j.loose, w.Reason = true, ReasonSafe+": no plan in force"
		default:
			w.WantedKW = value(dp.PowerKW, step)
			w.Reason = explain(reasonAt(dp, step), plan, step)
			j.planID = plan.ID
			if one, ok := said[observe.Key{Site: site.ID, Device: dev.ID}]; ok {
				w.WantedKW, w.Follows = math.Max(w.MinKW, math.Min(w.MaxKW, one.kw)), true
				if one.reason != "" {
					w.Reason = one.reason
				}
			}
			j.sun = dev.Kind == district.PV && reasonAt(dp, step) != ReasonCurtail
		}
		if dp != nil && !j.own && !j.blind && !j.loose {
			if stands, ok := s.sender.Holding(drv, site.ID, dev.ID, st.Now, s.cfg.Wall()); ok {
				planned := w.WantedKW
				if w.Keep(stands.Why, stays(w, stands.KW), stands.Least, stands.Left); w.WantedKW > planned && planned >= 0 {
					w.TakenKW = w.WantedKW - planned // it goes on for its own sake, and no inverter may feed more for that
				}
			}
		}
		switch {
		case j.blind:
			j.assume()
		case j.loose || j.sun:
			var held bool
			if w.WantedKW, held = s.guard.Free(w, st.Now); held && dev.Kind == district.PV {
				// What the sun would give is not known while it is held back: it is let up step by step. A battery that made room for all that could come would draw it from the grid.
				step := 0.1 * w.RatedKW
				if stands, ok := s.sender.Standing(site.ID, dev.ID); ok && w.MeasuredKW > stands.KW+0.05*w.RatedKW {
					step, j.standsKW = 0, stands.KW // the sun gives no more
				}
				w.WantedKW, j.rising = math.Max(w.WantedKW, math.Min(0, w.MeasuredKW)-step), true
			}
		}
		if !j.own && !j.blind && !s.heeds(w, now.SOC, now.PowerKW.OK, st.Now) {
			j.deaf, w.Stubborn = true, true
		}
		s.obey(j, st.Now, net.OK || !limited)
		s.mayTake(j, dev, now, st.Now)
		jobs = append(jobs, j)
	}
	s.passing(site.ID, net, importKW, exportKW, st.Now)
	group := dispatch.Group{Wishes: wishesOf(jobs, func(j *job) bool { return !j.own && !j.blind && !j.deaf && j.wish.Kind != district.LoadMeter }), NetKW: net.V, ImportLimitKW: importKW, ExportLimitKW: exportKW}
	if net.OK {
		group.RiseKW = s.rising(site.ID, group, st.Now)
		alone := group
		alone.ImportLimitKW, alone.ExportLimitKW = math.Inf(1), math.Inf(1)
		s.keeps(site.ID, dispatch.HoldTogether([]dispatch.Group{alone}, net.V, importKW, exportKW, ""), net.V, st.Now)
		expected := net.V
		for _, w := range group.Wishes {
			expected += w.WantedKW - w.TakenKW - w.MeasuredKW // what others take in their place, they do until then
		}
		dispatch.Hold(wishesOf(jobs, func(j *job) bool { return j.deaf }), expected, importKW, exportKW) // for when they hear again
	}
	dispatch.Blind(wishesOf(jobs, func(j *job) bool { return j.blind }), importKW, exportKW, ReasonSafe+": no fresh measurement", "")
	return jobs, group
}

// stays is what a device that may not be told anything new yet goes on with in place of what is wanted: it lowers nothing, and takes up no more than it was told and, of a battery, than its state of charge lets it. One that was
// told nothing of what is wanted goes on with what it does, which is nothing of a battery that was told the other way and is empty or full.
func stays(w *dispatch.Wish, toldKW float64) float64 {
	if w.Kind == district.Battery {
		toldKW = math.Max(w.MinKW, math.Min(w.MaxKW, toldKW))
	}
	if toldKW*w.WantedKW <= 0 {
		return w.MeasuredKW
	}
	does, wanted := math.Abs(w.MeasuredKW), math.Abs(w.WantedKW)
	if w.MeasuredKW*w.WantedKW < 0 { // it was told to turn already
		does = 0
	}
	if does > wanted {
		return w.MeasuredKW
	}
	return math.Copysign(max(does, min(wanted, math.Abs(toldKW))), w.WantedKW)
}

// unkeptEvery is how often the log says that a limit still cannot be kept; the alarm of a limit that is passed tells it as long as it lasts.
const unkeptEvery = 10 * time.Minute

// keeps logs when what can be commanded begins to be too little for a limit of a site, or of the district where site is empty, now and then while that lasts, and when it ends.
func (s *Scheduler) keeps(site string, overKW, netKW float64, now time.Time) {
	told, lasts := s.unkept[site]
	switch {
	case overKW <= 0.1 && lasts:
		delete(s.unkept, site)
		s.cfg.Log.Info("limit can be kept again", "district", s.cfg.District.ID, "site", site, "net_kw", netKW)
	case overKW > 0.1 && (!lasts || now.Sub(told).Abs() >= unkeptEvery):
		s.unkept[site] = now
		s.cfg.Log.Warn("limit cannot be kept", "district", s.cfg.District.ID, "site", site, "over_kw", overKW, "net_kw", netKW)
	}
}

// deviceJob is what is known of one device before any plan or limit.
func (s *Scheduler) deviceJob(site *district.Site, dev *district.Device, st observe.State, drv drivers.Driver) *job {
	now := st.Devices[observe.Key{Site: site.ID, Device: dev.ID}]
	lo, hi, most := powerRange(dev, now)
	w := &dispatch.Wish{Site: site.ID, Device: dev.ID, Kind: dev.Kind, MeasuredKW: now.PowerKW.Or(0), MinKW: lo, MaxKW: hi}
	j := &job{wish: w, drv: drv, maxKW: most, freeKW: hi, blind: !now.Seen()}
	switch dev.Kind {
	case district.PV:
		w.RatedKW, j.freeKW = most, lo
	case district.Battery:
		j.freeKW = w.MeasuredKW
	case district.EVCharger:
		if ctl, ok := drv.Control(); ok && ctl.Restore != drivers.RestorePrevious {
			j.freeKW = dispatch.SafeKW(ctl, most)
		}
	}
	if ctl, ok := drv.Control(); ok && dev.Kind != district.PV && dev.Kind != district.Battery {
		w.StepKW = dispatch.StepKW(ctl, most)
		if dev.EVCharger != nil && w.StepKW > 0 { // half a step: by so much what it draws may differ
			w.ReserveKW, w.RunsKW = w.StepKW/2+s.tells(site), math.Max(dispatch.RunsFromKW(ctl, most), dev.EVCharger.MinKW)
		}
	}
	paused, bySystem := s.paused(site.ID, dev.ID, st.Now)
	switch {
	case paused:
		j.own, w.Reason = true, ReasonPaused
		if bySystem {
			w.Reason += ": a building system asks for it"
		}
	case dev.Kind == district.EVCharger && now.Connected.OK && now.Connected.V < 0.5:
		j.own, w.Reason = true, ReasonIdle+": no car"
	}
	return j
}

func reasonAt(dp *district.DevicePlan, step int) string {
	if step < len(dp.Reason) {
		return dp.Reason[step]
	}
	return ReasonIdle
}

// powerRange returns what a device can do now, and the largest power by which commands are scaled.
func powerRange(dev *district.Device, now observe.Device) (lo, hi, most float64) {
	switch {
	case dev.PV != nil:
		return -dev.PV.PeakKW, 0, dev.PV.PeakKW
	case dev.Battery != nil:
		lo, hi = -dev.Battery.DischargeKW, dev.Battery.ChargeKW
		if now.SOC.OK && now.SOC.V <= dev.Battery.MinSOC {
			lo = 0
		}
		if now.SOC.OK && now.SOC.V >= dev.Battery.MaxSOC {
			hi = 0
		}
		return lo, hi, dev.Battery.ChargeKW
	case dev.EVCharger != nil:
		return 0, dev.EVCharger.MaxKW, dev.EVCharger.MaxKW
	case dev.HeatPump != nil:
		return 0, dev.HeatPump.MaxKW, dev.HeatPump.MaxKW
	case dev.WaterHeater != nil:
		return 0, dev.WaterHeater.MaxKW, dev.WaterHeater.MaxKW
	}
	return 0, 0, 0
}

// Release gives every device under control its own control back, in parallel, and records it.
func (s *Scheduler) Release(ctx context.Context) {
	now := s.cfg.Now()
	var mu sync.Mutex
	var lines []district.Setpoint
	var wg sync.WaitGroup
	for i := range s.cfg.District.Sites {
		site := &s.cfg.District.Sites[i]
		for k := range site.Devices {
			dev := &site.Devices[k]
			drv, ok := s.cfg.Driver(site.ID, dev.ID)
			if !ok || !dev.Control || s.lockedOut(site.ID, dev.ID, now) {
				continue
			}
			wg.Add(1)
			go func() {
				defer wg.Done()
				if line, ok := s.sender.Release(ctx, drv, site.ID, dev.ID, ReasonReleased, now); ok {
					mu.Lock()
					lines = append(lines, line)
					mu.Unlock()
				}
			}()
		}
	}
	wg.Wait()
	if len(lines) > 0 {
		if err := s.cfg.Store.AppendSetpoints(context.WithoutCancel(ctx), lines); err != nil {
			s.cfg.Log.Warn("release not recorded", "district", s.cfg.District.ID, "err", err)
		}
	}
}
