// Package scheduler runs a district by receding horizon: observe the state, forecast, plan, dispatch, and again.
//
// One [Scheduler] runs one district. Replan makes a plan from the newest samples and the record; Dispatch commands every device under control by the plan that
// is in force, keeps the limits of sites and district whatever the plan says and also without one, and writes each decision with its reason into the ledger. Where no fresh plan or
// no fresh measurement exists, devices get the safe state of their kind, see package dispatch. The package declares the interfaces that it uses; it knows no
// protocol and no database.
package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"time"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/scheduler/building"
	"quartier/scheduler/dispatch"
	"quartier/scheduler/foresee"
	"quartier/scheduler/hotwater"
	"quartier/scheduler/observe"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/order"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// Store is what the scheduler reads from and writes to the record.
type Store interface {
	Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error)
	// Rollup calls yield for every slot of the step that starts in sp and of which something is known, by series in the given order, then by time.
	Rollup(ctx context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error
	Read(ctx context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error
	SavePlan(ctx context.Context, p *district.Plan) (int64, error)
	AppendSetpoints(ctx context.Context, sps []district.Setpoint) error
	SaveForecastErrors(ctx context.Context, rows []district.ForecastError) error
	ForecastErrors(ctx context.Context, districtID string, sp timegrid.Span) ([]district.ForecastError, error)
	SaveOutlooks(ctx context.Context, rows []district.Outlook) error
	Outlooks(ctx context.Context, districtID string, sp timegrid.Span) ([]district.Outlook, error)
}

// Learned keeps what forecasts have learned beside the record, which they learn it from again where it is lost.
type Learned interface {
	// Open returns what was kept; fs.ErrNotExist where nothing was.
	Open() (io.ReadCloser, error)
	// Replace puts what write writes in its place, all or nothing.
	Replace(write func(io.Writer) error) error
	// Build names the program that learns: what another one kept is not taken up.
	Build() string
}

// Prices are the prices at the district's boundary, EUR/kWh, one per slot that starts in the span.
type Prices interface {
	Import(sp timegrid.Span, step time.Duration) ([]float64, error)
	Export(sp timegrid.Span, step time.Duration) ([]float64, error)
}

// PriceBasis is how it is known what Prices say of the import in a slot.
type PriceBasis int

const (
	PriceSettled   PriceBasis = iota // what is paid then, as a tariff says it or a market has published it
	PriceRepeated                    // it follows a calendar that what was published follows to the digit
	PriceEstimated                   // what may be expected
)

// Config is everything that a scheduler needs. All fields are required unless they say otherwise.
type Config struct {
	District *district.District
	Live     observe.Live
	Store    Store
	Prices   Prices
	// PriceBasis returns how the import price of a slot, past or to come, is known. Nil: all are settled.
	PriceBasis func(slot timegrid.Span) PriceBasis
	// Driver returns the driver of a device; false when it is not connected here.
	Driver func(site, device string) (drivers.Driver, bool)
	// Plan solves a problem within its own time budget; previous is the solution before, nil at first.
	Plan func(ctx context.Context, p *problem.Problem, previous *problem.Solution) (*problem.Solution, error)
	// Check says what is wrong with a solution that calls itself a plan, or nil: no plan is followed that somebody else has not certified. Nil: every one is believed.
	Check func(p *problem.Problem, sol *problem.Solution) error
	// Now is the district's clock.
	Now func() time.Time
	// Wall is the machine's clock, to which connections belong; nil: time.Now.
	Wall func() time.Time
	Log  *slog.Logger

	Horizon                time.Duration // how far a plan reaches; default 36 h
	ReplanEvery            time.Duration // on the machine's clock; default 5 min
	DispatchEvery          time.Duration // on the machine's clock; default 5 s
	Round                  time.Duration // the same on the district's clock; default DispatchEvery
	Stale                  time.Duration // age, on the district's clock, from which a measurement no longer counts; default 60 s
	PlanMaxAge             time.Duration // age, on the district's clock, from which a plan no longer counts; default 2 h
	CarbonPriceEURPerTonne float64       // put on imports in the objective
	PlanOnly               bool          // plan and show, command nothing
	KeepToPlan             bool          // batteries do as planned whatever the net power turns out to be, and forecasts do not learn: what control is compared with

	Forecast   Forecast
	LearnShare float64 // of one processor that learning to forecast may take, beside control; default 0.25, 1: all of it
	// Learned is where what forecasts have learned is over a restart; nil: they learn anew from the record.
	Learned Learned
	// Carbon returns the carbon intensity of what the grid gives in a slot, gCO2e/kWh, where it is known beforehand: a constant, or the values of a file. Nil, or
	// false: it is foreseen from the recorded signal.
	Carbon func(slot timegrid.Span) (gPerKWh float64, known bool)
	// Weather returns what is published of a quantity of the weather in a slot, in its stored unit: outdoor_c, irradiance_w_m2; false where nothing is. Nil: there is no such source.
	Weather func(quantity string, slot timegrid.Span) (value float64, published bool)
	// WeatherSignal is the signal under which the record has what was published of the weather, once its time had come; default "weather".
	WeatherSignal string
	// WeatherAge is how old that is, on the district's clock; nil: as new as can be.
	WeatherAge func() time.Duration
	// Basis says on what a plan rests of what comes from outside; nil: nothing is said.
	Basis func(from, to time.Time) []district.Basis
	// CarbonAssumed is the intensity where nothing is recorded either.
	CarbonAssumed float64
	// Lapsed is told of each request that nobody refreshed in time; nil: nobody is.
	Lapsed func(Request)
	// Keep is what is done with orders beyond obeying them.
	Keep Keep
	// Reckon solves a problem to tell what an order costs, in a short time of its own and beside Plan; nil: no costs are told.
	Reckon func(ctx context.Context, p *problem.Problem) (*problem.Solution, error)
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
	guard  *dispatch.Guard
	wake   chan struct{}
	learn  chan struct{} // forecasts, from the record
	grow   chan struct{} // what of forecasts is due from time to time

	foresight  *foresee.District
	remembered bool // what was published ahead before the start; these are of learnLoop alone
	resumed    bool // what was learned before it
	keepAfter  time.Time
	tanks      tanks
	points     points
	rooms      rooms

	mu          sync.Mutex
	plan        *district.Plan
	saidPrice   []float64 // import, as Prices said it when the plan was made
	solution    *problem.Solution
	plannedWall time.Time
	planErr     error
	following   *following
	requests    map[requestKey]Request
	orders      []order.Order          // that have not ended: of people, the requests of building systems, and what stands in the configuration
	unsaved     []order.Order          // revisions that the record does not have yet
	saving      chan struct{}          // one saves them at a time
	began       map[string]bool        // by order: whether it asked for something when it was looked at last
	costs       map[string]*order.Cost // by order
	reckoned    reckoned               // the plan in force, for what orders cost
	standingAt  time.Time              // when the cost of one that stands in the configuration was reckoned last, on the machine's clock
	trying      chan struct{}          // one trial at a time
	connected   map[observe.Key]bool

	answered answered // these are of Dispatch alone
	noticed  noticed
	taking   map[observe.Key]taking
	rests    map[string][]rest       // of sites, see rising
	unkept   map[string]time.Time    // when it was last logged that a limit cannot be kept, by site
	ran      map[observe.Key]running // heat pumps; under mu

	planFailed time.Time // first of the failures in a row
	prices     known
	price      observe.Finding // what is wrong with prices; no key: nothing

	judging  sync.Mutex // of what follows, see findings.go
	judge    *observe.Judge
	lookedAt time.Time
	credible observe.Live
	found    []observe.Finding
	deaf     map[observe.Key]time.Time // devices that do not do what they are told, since when
	does     map[observe.Key]string
	passed   map[string]over // by site; empty: the district
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
	if cfg.Wall == nil {
		cfg.Wall = time.Now
	}
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&cfg.Horizon, 36*time.Hour)
	def(&cfg.ReplanEvery, 5*time.Minute)
	def(&cfg.DispatchEvery, 5*time.Second)
	def(&cfg.Round, cfg.DispatchEvery)
	def(&cfg.Stale, time.Minute)
	def(&cfg.PlanMaxAge, 2*time.Hour)
	def(&cfg.Forecast.Fade, 2*time.Hour)
	if cfg.LearnShare <= 0 {
		cfg.LearnShare = 0.25
	}
	if cfg.WeatherSignal == "" {
		cfg.WeatherSignal = "weather"
	}
	if cfg.Forecast.SimilarDays <= 0 {
		cfg.Forecast.SimilarDays = 5
	}
	if cfg.Forecast.LookBackDays <= 0 {
		cfg.Forecast.LookBackDays = 21
	}
	if cfg.Horizon < cfg.District.Step {
		return nil, fmt.Errorf("scheduler: horizon %v is shorter than the step %v of %s", cfg.Horizon, cfg.District.Step, cfg.District.ID)
	}
	return &Scheduler{cfg: cfg, learn: make(chan struct{}, 1), grow: make(chan struct{}, 1), foresight: foresight(&cfg), sender: dispatch.NewSender(cfg.District.ID), guard: dispatch.NewGuard(), wake: make(chan struct{}, 1), trying: make(chan struct{}, 1), saving: make(chan struct{}, 1), requests: map[requestKey]Request{}, orders: order.Standing(cfg.District), began: map[string]bool{}, costs: map[string]*order.Cost{}, connected: map[observe.Key]bool{}, answered: answered{changed: map[observe.Key]time.Time{}},
		judge: observe.NewJudge(cfg.District), deaf: map[observe.Key]time.Time{}, does: map[observe.Key]string{}, passed: map[string]over{}, taking: map[observe.Key]taking{}, tanks: tanks{by: map[observe.Key]*hotwater.Learner{}}, rooms: rooms{by: map[observe.Key]*building.Learner{}}, points: points{by: map[observe.Key]*point{}}, rests: map[string][]rest{}, unkept: map[string]time.Time{}, ran: map[observe.Key]running{}}, nil
}

// Plan returns the plan in force and the error of the last attempt to make one; either may be nil.
func (s *Scheduler) Plan() (*district.Plan, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.plan, s.planErr
}

// Pause takes a device out of control until the given instant of the district's clock; it gets its own control back at the next dispatch. It is an order for own control.
func (s *Scheduler) Pause(p Pause) error {
	dev := s.cfg.District.Device(p.Site, p.Device)
	if dev == nil || !dev.Control {
		return fmt.Errorf("scheduler: %s/%s/%s is no device under control", s.cfg.District.ID, p.Site, p.Device)
	}
	_, err := s.Order(context.Background(), order.Order{Site: p.Site, Device: p.Device, Kind: order.OwnControl, Author: p.Actor, Reason: p.Reason, End: p.Until})
	return err
}

// Resume ends every order of a person for own control of a device, for a reason.
func (s *Scheduler) Resume(site, device, actor, why string) error {
	var err error
	for _, o := range s.Orders() {
		if o.Kind == order.OwnControl && o.Site == site && o.Device == device && o.Source == order.FromConsole {
			if _, e := s.EndOrder(context.Background(), o.ID, actor, why); e != nil && !errors.Is(e, ErrNoOrder) {
				err = errors.Join(err, e)
			}
		}
	}
	return err
}

// Paused lists the pauses that hold now.
func (s *Scheduler) Paused() []Pause {
	now := s.cfg.Now()
	var out []Pause
	for _, o := range s.Orders() {
		if o.Kind == order.OwnControl && o.Source == order.FromConsole && o.State(now) == order.Running {
			out = append(out, Pause{Site: o.Site, Device: o.Device, Reason: o.Reason, Actor: o.Author, Since: o.Start, Until: o.End})
		}
	}
	return out
}

// paused reports whether a device is out of control, and whether a building system asks for that.
func (s *Scheduler) paused(site, device string, now time.Time) (out, bySystem bool) {
	for _, o := range s.inForce(order.OwnControl, site, device, now) {
		out, bySystem = true, bySystem || o.Source == order.FromSystem
	}
	return out, bySystem
}

// Wake asks for a new plan soon: something changed that the plan in force does not know.
func (s *Scheduler) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// ClockSet tells that the district's clock was set: a plan that was made at a time to come no longer counts, what was watched begins anew, and a plan is made soon.
func (s *Scheduler) ClockSet() {
	now := s.cfg.Now()
	s.mu.Lock()
	if s.plan != nil && s.plan.CreatedAt.After(now) {
		s.plan, s.solution = nil, nil
	}
	s.mu.Unlock()
	s.judging.Lock()
	s.judge, s.credible = observe.NewJudge(s.cfg.District), nil
	clear(s.passed)
	clear(s.deaf)
	s.judging.Unlock()
	s.Wake()
}

// How long a scheduler that stops waits: for a round of dispatch that is under way, for the devices to be given back, and for what else waits for the record.
const (
	roundWithin   = 8 * time.Second
	releaseWithin = 5 * time.Second
	restWithin    = 15 * time.Second
)

// Run plans and dispatches until ctx ends, then gives every device its own control back within five seconds, whatever planning and the record do. It waits for the first measurements before the first plan.
// With PlanOnly it writes to no device at any time. The error names what had not ended then: it goes on until the process ends, or the record answers.
func (s *Scheduler) Run(ctx context.Context) error {
	orders, learning, planning := start(func() { s.orderLoop(ctx) }), start(func() { s.learnLoop(ctx) }), start(func() { s.planLoop(ctx) })
	var errs []error
	if !s.cfg.PlanOnly {
		control := start(func() { s.dispatchLoop(ctx) })
		<-ctx.Done()
		errs = append(errs, s.ended(control, roundWithin, "a round of dispatch"))
		release, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseWithin)
		defer cancel()
		errs = append(errs, s.ended(start(func() { s.Release(release) }), releaseWithin+time.Second, "giving devices back"))
	}
	<-ctx.Done()
	rest := time.Now().Add(restWithin)
	return errors.Join(append(errs, s.ended(planning, time.Until(rest), "planning"), s.ended(orders, time.Until(rest), "keeping orders"), s.ended(learning, time.Until(rest), "learning"))...)
}

// start does something beside the caller; the channel is closed when it is done.
func start(do func()) <-chan struct{} {
	done := make(chan struct{})
	go func() { defer close(done); do() }()
	return done
}

// ended waits for something, no longer than d; the error says what has not ended by then.
func (s *Scheduler) ended(done <-chan struct{}, d time.Duration, what string) error {
	t := time.NewTimer(max(0, d))
	defer t.Stop()
	select {
	case <-done:
		return nil
	case <-t.C:
	}
	select { // of two that are ready none is preferred
	case <-done:
		return nil
	default:
		return fmt.Errorf("scheduler: %s: %s has not ended, as on a disk that does not answer", s.cfg.District.ID, what)
	}
}

func (s *Scheduler) planLoop(ctx context.Context) {
	for !s.seen() {
		if !sleep(ctx, 200*time.Millisecond) {
			return
		}
	}
	next, last := time.Duration(0), time.Time{}
	for {
		t := time.NewTimer(next)
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		case <-s.wake:
			t.Stop()
			// several changes make one plan, and what changes all the time takes no more than a few plans in the time between two
			if !sleep(ctx, max(min(time.Second, s.cfg.ReplanEvery/4), s.cfg.ReplanEvery/10-time.Since(last))) {
				return
			}
		}
		last = time.Now()
		var plan *district.Plan
		err := s.survive("planning", func() (err error) {
			plan, err = s.Replan(ctx)
			return err
		})
		if ctx.Err() != nil {
			return
		}
		s.attempted(err)
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
	st := s.observe(s.cfg.Now())
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
