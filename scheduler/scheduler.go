// Package scheduler runs a district by receding horizon: observe the state, forecast, plan, dispatch, and again.
//
// One [Scheduler] runs one district. Replan makes a plan from the newest samples and the record; Dispatch commands every device under control by the plan that
// is in force, keeps site limits whatever the plan says, and writes each decision with its reason into the ledger. When no fresh plan or no
// fresh measurement of a site exists, its devices get the safe state that their profile declares: their own control. The package declares the
// interfaces that it uses; it knows no protocol and no database.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/scheduler/dispatch"
	"quartier/scheduler/observe"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// Store is what the scheduler reads from and writes to the record.
type Store interface {
	Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error)
	Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error
	SavePlan(ctx context.Context, p *district.Plan) (int64, error)
	AppendSetpoints(ctx context.Context, sps []district.Setpoint) error
}

// Prices are the prices at the district's boundary, EUR/kWh, one per slot that starts in the span.
type Prices interface {
	Import(sp timegrid.Span, step time.Duration) ([]float64, error)
	Export(sp timegrid.Span, step time.Duration) ([]float64, error)
}

// Config is everything that a scheduler needs. All fields are required unless they say otherwise.
type Config struct {
	District *district.District
	Live     observe.Live
	Store    Store
	Prices   Prices
	// Driver returns the driver of a device; false when it is not connected here.
	Driver func(site, device string) (drivers.Driver, bool)
	// Plan solves a problem within its own time budget; previous is the solution before, nil at first.
	Plan func(ctx context.Context, p *problem.Problem, previous *problem.Solution) (*problem.Solution, error)
	// Now is the district's clock.
	Now func() time.Time
	Log *slog.Logger

	Horizon                time.Duration // how far a plan reaches; default 36 h
	ReplanEvery            time.Duration // on the machine's clock; default 5 min
	DispatchEvery          time.Duration // on the machine's clock; default 5 s
	Stale                  time.Duration // age, on the district's clock, from which a measurement no longer counts; default 60 s
	PlanMaxAge             time.Duration // age, on the district's clock, from which a plan no longer counts; default 2 h
	CarbonPriceEURPerTonne float64       // put on imports in the objective
	PlanOnly               bool          // plan and show, command nothing

	Forecast Forecast
	// Carbon returns the carbon intensity of what the grid gives in a slot, gCO2e/kWh, where it is known beforehand: a constant, or the values of a file. Nil, or
	// false: it is foreseen from the recorded signal.
	Carbon func(slot timegrid.Span) (gPerKWh float64, known bool)
	// CarbonAssumed is the intensity where nothing is recorded either.
	CarbonAssumed float64
	// Lapsed is told of each request that nobody refreshed in time; nil: nobody is.
	Lapsed func(Request)
}

// Forecast are the settings by which load and sun are foreseen, see package forecast.
type Forecast struct {
	SimilarDays  int           // how many similar days are averaged; default 5
	LookBackDays int           // how many days back they may lie; default 21
	Fade         time.Duration // time constant of the present deviation; default 2 h
}

// Scheduler runs one district. Its methods may be called from several goroutines, but Replan and Dispatch from one each.
type Scheduler struct {
	cfg    Config
	sender *dispatch.Sender
	wake   chan struct{}

	mu          sync.Mutex
	plan        *district.Plan
	solution    *problem.Solution
	plannedWall time.Time
	planErr     error
	pauses      map[observe.Key]Pause
	requests    map[requestKey]Request
	connected   map[observe.Key]bool
}

// Pause is a device that an operator took out of control.
type Pause struct {
	Site, Device  string
	Reason, Actor string
	Since, Until  time.Time
}

// New returns a scheduler; it does nothing before Run.
func New(cfg Config) (*Scheduler, error) {
	if cfg.District == nil || cfg.Live == nil || cfg.Store == nil || cfg.Prices == nil || cfg.Driver == nil || cfg.Plan == nil || cfg.Now == nil || cfg.Log == nil {
		return nil, errors.New("scheduler: a required field of its configuration is missing")
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&cfg.Horizon, 36*time.Hour)
	def(&cfg.ReplanEvery, 5*time.Minute)
	def(&cfg.DispatchEvery, 5*time.Second)
	def(&cfg.Stale, time.Minute)
	def(&cfg.PlanMaxAge, 2*time.Hour)
	def(&cfg.Forecast.Fade, 2*time.Hour)
	if cfg.Forecast.SimilarDays <= 0 {
		cfg.Forecast.SimilarDays = 5
	}
	if cfg.Forecast.LookBackDays <= 0 {
		cfg.Forecast.LookBackDays = 21
	}
	if cfg.Horizon < cfg.District.Step {
		return nil, fmt.Errorf("scheduler: horizon %v is shorter than the step %v of %s", cfg.Horizon, cfg.District.Step, cfg.District.ID)
	}
	return &Scheduler{cfg: cfg, sender: dispatch.NewSender(cfg.District.ID), wake: make(chan struct{}, 1), pauses: map[observe.Key]Pause{}, requests: map[requestKey]Request{}, connected: map[observe.Key]bool{}}, nil
}

// Plan returns the plan in force and the error of the last attempt to make one; either may be nil.
func (s *Scheduler) Plan() (*district.Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan, s.planErr
}

// Pause takes a device out of control until the given instant of the district's clock; it gets its own control back at the next dispatch.
func (s *Scheduler) Pause(p Pause) error {
	dev := s.cfg.District.Device(p.Site, p.Device)
	if dev == nil || !dev.Control {
		return fmt.Errorf("scheduler: %s/%s/%s is no device under control", s.cfg.District.ID, p.Site, p.Device)
	}
	s.mu.Lock()
	s.pauses[observe.Key{Site: p.Site, Device: p.Device}] = p
	s.mu.Unlock()
	s.Wake()
	return nil
}

// Resume ends a pause.
func (s *Scheduler) Resume(site, device string) {
	s.mu.Lock()
	delete(s.pauses, observe.Key{Site: site, Device: device})
	s.mu.Unlock()
	s.Wake()
}

// Paused lists the pauses that hold now.
func (s *Scheduler) Paused() []Pause {
	now := s.cfg.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []Pause
	for _, p := range s.pauses {
		if p.Until.After(now) {
			out = append(out, p)
		}
	}
	return out
}

// paused reports whether a device is out of control: by an operator, or as a building system asks.
func (s *Scheduler) paused(site, device string, now time.Time) bool {
	if v, ok := s.requested(RequestAvailable, site, device); ok && v == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	p, ok := s.pauses[observe.Key{Site: site, Device: device}]
	return ok && p.Until.After(now)
}

// Wake asks for a new plan soon: something changed that the plan in force does not know.
func (s *Scheduler) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run plans and dispatches until ctx ends, then gives every device its own control back within two seconds. It waits for the first measurements before the first plan.
// With PlanOnly it writes to no device at any time.
func (s *Scheduler) Run(ctx context.Context) error {
	if s.cfg.PlanOnly {
		s.planLoop(ctx)
		return nil
	}
	var wg sync.WaitGroup
	wg.Add(2)
	go func() { defer wg.Done(); s.planLoop(ctx) }()
	go func() { defer wg.Done(); s.dispatchLoop(ctx) }()
	wg.Wait()
	release, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	s.Release(release)
	return nil
}

func (s *Scheduler) planLoop(ctx context.Context) {
	for !s.seen() {
		if !sleep(ctx, 200*time.Millisecond) {
			return
		}
	}
	next := time.Duration(0)
	for {
		t := time.NewTimer(next)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		case <-s.wake:
			t.Stop()
			if !sleep(ctx, min(time.Second, s.cfg.ReplanEvery/4)) { // several changes make one plan
				return
			}
		}
		plan, err := s.Replan(ctx)
		if ctx.Err() != nil {
			return
		}
		s.mu.Lock()
		s.planErr = err
		s.mu.Unlock()
		if err != nil {
			s.cfg.Log.Warn("no new plan", "district", s.cfg.District.ID, "err", err)
			next = min(s.cfg.ReplanEvery, 15*time.Second)
			continue
		}
		s.cfg.Log.Debug("planned", "district", plan.District, "status", plan.Status, "objective_eur", plan.ObjectiveEUR, "gap", plan.Gap, "solve_seconds", plan.SolveSeconds)
		next = s.cfg.ReplanEvery
	}
}

// seen reports whether at least one site's grid power is known.
func (s *Scheduler) seen() bool {
	st := observe.Observe(s.cfg.District, s.cfg.Live, s.cfg.Now(), s.cfg.Stale)
	for i := range s.cfg.District.Sites {
		if st.SitePowerKW(&s.cfg.District.Sites[i]).OK {
			return true
		}
	}
	return false
}

func (s *Scheduler) dispatchLoop(ctx context.Context) {
	tick := time.NewTicker(s.cfg.DispatchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			s.Dispatch(ctx)
		}
	}
}

// Dispatch commands every device under control once and writes the ledger.
func (s *Scheduler) Dispatch(ctx context.Context) {
	now, wall := s.cfg.Now(), time.Now()
	s.lapse(wall)
	st := observe.Observe(s.cfg.District, s.cfg.Live, now, s.cfg.Stale)
	s.noticeCars(st)
	plan, _ := s.Plan()
	step, covers := 0, false
	if plan != nil && now.Sub(plan.CreatedAt) <= s.cfg.PlanMaxAge {
		step, covers = plan.Index(now)
	}
	var mu sync.Mutex
	var lines []district.Setpoint
	var wg sync.WaitGroup
	for _, jobs := range s.jobs(st, plan, step, covers) {
		for _, j := range jobs {
			drv, ok := s.cfg.Driver(j.wish.Site, j.wish.Device)
			if !ok {
				continue
			}
			wg.Add(1)
			go func() { // one slow device must not hold up the others
				defer wg.Done()
				one, cancel := context.WithTimeout(ctx, 5*time.Second)
				defer cancel()
				line, worth := s.sender.Send(one, drv, *j.wish, j.maxKW, j.planID, now, wall, j.safe)
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

type job struct {
	wish   *dispatch.Wish
	maxKW  float64
	planID int64
	safe   bool
	free   bool // an inverter that nothing holds back: it is limited to its rated power only
}

// jobs decides what each device of each site should do now, within the limits of the sites and of the district.
func (s *Scheduler) jobs(st observe.State, plan *district.Plan, step int, covers bool) [][]job {
	var all [][]job
	var groups []dispatch.Group
	for i := range s.cfg.District.Sites {
		jobs, group := s.siteJobs(&s.cfg.District.Sites[i], st, plan, step, covers)
		all, groups = append(all, jobs), append(groups, group)
	}
	importKW, exportKW := s.limits("")
	if net := districtPowerKW(s.cfg.District, st); net.OK {
		if over := dispatch.HoldTogether(groups, net.V, importKW, exportKW, " of the district"); over > 0.1 {
			s.cfg.Log.Warn("district limit cannot be kept", "district", s.cfg.District.ID, "over_kw", over, "net_kw", net.V)
		}
	}
	for _, jobs := range all {
		for _, j := range jobs {
			if j.free && !j.wish.Changed {
				j.wish.WantedKW = -j.maxKW
			}
		}
	}
	return all
}

// siteJobs decides what each device of a site should do now within the site's limits, and returns the wishes that may still be changed.
func (s *Scheduler) siteJobs(site *district.Site, st observe.State, plan *district.Plan, step int, covers bool) ([]job, dispatch.Group) {
	net := st.SitePowerKW(site)
	var sp *district.SitePlan
	if covers {
		sp = plan.Site(site.ID)
	}
	var jobs []job
	var wishes []*dispatch.Wish
	for k := range site.Devices {
		dev := &site.Devices[k]
		if !dev.Control {
			continue
		}
		now := st.Devices[observe.Key{Site: site.ID, Device: dev.ID}]
		lo, hi, most := powerRange(dev, now)
		w := &dispatch.Wish{Site: site.ID, Device: dev.ID, Kind: dev.Kind, MeasuredKW: now.PowerKW.Or(0), MinKW: lo, MaxKW: hi}
		j := job{wish: w, maxKW: most}
		var dp *district.DevicePlan
		if sp != nil {
			dp = sp.Device(dev.ID)
		}
		switch {
		case s.paused(site.ID, dev.ID, st.Now):
			j.safe, w.Reason = true, ReasonPaused
			if v, ok := s.requested(RequestAvailable, site.ID, dev.ID); ok && v == 0 {
				w.Reason += ": a building system asks for it"
			}
		case !net.OK || !now.Seen():
			j.safe, w.Reason = true, ReasonSafe+": no fresh measurement"
		case dp == nil:
			j.safe, w.Reason = true, ReasonSafe+": no plan in force"
		case dev.Kind == district.EVCharger && now.Connected.OK && now.Connected.V < 0.5:
			j.safe, w.Reason = true, ReasonIdle+": no car"
		default:
			w.WantedKW = value(dp.PowerKW, step)
			w.Reason = explain(reasonAt(dp, step), plan, step)
			j.planID = plan.ID
			if dev.Kind == district.PV && reasonAt(dp, step) != ReasonCurtail {
				w.WantedKW, j.free = w.MeasuredKW, true
			}
		}
		if !j.safe {
			wishes = append(wishes, w)
		}
		jobs = append(jobs, j)
	}
	importKW, exportKW := s.limits(site.ID)
	if net.OK {
		if over := dispatch.Hold(wishes, net.V, importKW, exportKW); over > 0.1 {
			s.cfg.Log.Warn("site limit cannot be kept", "site", site.ID, "over_kw", over, "net_kw", net.V)
		}
	}
	return jobs, dispatch.Group{Wishes: wishes, NetKW: net.V, ImportLimitKW: importKW, ExportLimitKW: exportKW}
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
		return math.Min(0, now.PowerKW.Or(0)), 0, dev.PV.PeakKW
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

// noticeCars asks for a new plan when a car comes or goes.
func (s *Scheduler) noticeCars(st observe.State) {
	changed := false
	s.mu.Lock()
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
	s.mu.Unlock()
	if changed {
		s.Wake()
	}
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
			if !ok || !dev.Control {
				continue
			}
			ctl, ok := drv.Control()
			if !ok {
				continue
			}
			wg.Add(1)
			go func() {
				defer wg.Done()
				cmd := dispatch.Safe(ctl)
				line := district.Setpoint{Time: now, District: s.cfg.District.ID, Site: site.ID, Device: dev.ID, Command: cmd.Text, Reason: ReasonReleased, Outcome: district.SafeMode}
				back, err := drv.Write(ctx, ctl.Point, cmd.Value)
				line.ReadBack = back.Value
				if err != nil {
					line.Outcome, line.Detail = district.Failed, err.Error()
				}
				mu.Lock()
				lines = append(lines, line)
				mu.Unlock()
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

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
