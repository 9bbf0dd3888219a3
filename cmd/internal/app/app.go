// Package app wires Quartier together: the only place that knows store, drivers, scheduler, console and face at once.
//
// [New] builds everything from a checked configuration without starting anything; [App.Run] starts every part, blocks until its context ends, and stops them
// in order: control first, while the devices can still be given their own control back, then polling, then the relay and the record, the console last.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"path/filepath"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/cmd/internal/face"
	"quartier/cmd/internal/live"
	"quartier/cmd/internal/notify"
	"quartier/drivers"
	"quartier/drivers/command"
	"quartier/drivers/poll"
	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/scheduler"
	"quartier/schemas/alarm"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/spool"
	"quartier/schemas/tariff"
	"quartier/schemas/timegrid"
)

// Options are what a process adds to its configuration.
type Options struct {
	Log     *slog.Logger
	Clock   *Clock
	Version string
	Listen  string // address of the console; empty: the configuration's
	// Reach gives the address at which a configured address is really reached; nil: as configured. A demonstration puts its devices on loopback.
	Reach func(address string) string
	// PollEvery, when above zero, is the period of every device on the machine's clock.
	PollEvery time.Duration
	Demo      bool
	// Listener serves the console in place of Listen; Dial opens the stream to a device behind Modbus TCP: for a network of the caller's own. Nil: those of the machine.
	Listener net.Listener
	Dial     func(ctx context.Context, address string) (net.Conn, error)
	// Signals returns the samples of signals that come from no device, such as carbon intensity, for the slot that begins at an instant.
	Signals func(at time.Time) []district.Sample
	// Faced hears where building systems are served once they are; nil: nobody.
	Faced func(face.Addresses)

	beneath func(store.Store) store.Store // stands before the local record, for tests of a disk that fails; nil: nothing
	adjust  func(*scheduler.Config)       // of every scheduler, for tests of its faults; nil: none
	feeds   *http.Client                  // asks the sources of feeds, for tests without a network; nil: as package feed does
	replace func(string, []byte) error    // puts what stood in devices before on the disk, for tests of one that fails; nil: as package command does
	machine func() time.Time              // what the machine's clock shows, for tests in which it is set; nil: time.Now
}

// App is one process of Quartier.
type App struct {
	cfg   *config.Config
	opt   Options
	log   *slog.Logger
	clock *Clock

	record       *Record
	hub          *live.Hub
	connections  *connections
	poller       *poll.Poller
	schedulers   map[string]*scheduler.Scheduler
	accountants  map[string]*Accountant
	asks         *asks
	console      *console.Server
	registry     *prometheus.Registry
	metrics      *metrics
	certificates *certificates
	listener     net.Listener
	unlock       func()
	watch        watch
	notifier     *notify.Notifier
	feeds        []*source
	markets      map[string]*market

	mu      sync.Mutex
	history console.HistoryProgress
	late    map[string]time.Time // of districts: the oldest sample that came after its slot had been closed for the last time
}

// New opens the record and the console's listener and builds every part.
func New(ctx context.Context, cfg *config.Config, opt Options) (*App, error) {
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Clock == nil {
		opt.Clock = NewClock(time.Now(), 1)
	}
	if opt.Reach == nil {
		opt.Reach = func(a string) string { return a }
	}
	a := &App{cfg: cfg, opt: opt, log: opt.Log, clock: opt.Clock, hub: live.NewHub(opt.Clock.Now), schedulers: map[string]*scheduler.Scheduler{}, accountants: map[string]*Accountant{}, late: map[string]time.Time{},
		registry: prometheus.NewRegistry()}
	listen := opt.Listen
	if listen == "" {
		listen = cfg.File.Console.Listen
	}
	var err error
	if a.unlock, err = lockFolder(cfg.File.DataDir); err != nil {
		return nil, err
	}
	if a.record, err = OpenStore(ctx, cfg, a.clock.Now, opt.Log); err != nil {
		a.unlock()
		return nil, err
	}
	if opt.beneath != nil {
		a.record.Store = opt.beneath(a.record.Store)
	}
	a.record.HoldInMemory(spool.Options{Log: opt.Log, Now: a.clock.Now})
	if err := a.build(ctx, listen); err != nil {
		return nil, errors.Join(err, a.close())
	}
	return a, nil
}

func (a *App) build(ctx context.Context, listen string) error {
	if err := guard(ctx, a.record, a.cfg, listen); err != nil {
		return err
	}
	var err error
	if a.listener = a.opt.Listener; a.listener == nil {
		if a.listener, err = net.Listen("tcp", listen); err != nil {
			return fmt.Errorf("app: console: %w", err)
		}
	}
	al := a.cfg.File.Alarms
	a.watch.book = alarm.NewBook(alarm.Settings{RaiseAfter: time.Duration(al.Raise * float64(time.Second)), ClearAfter: time.Duration(al.Clear * float64(time.Second))})
	if a.notifier, err = openNotifier(a.cfg, a.log); err != nil {
		return err
	}
	a.markets = a.record.markets
	if a.feeds, err = openFeeds(a.cfg, a.markets, a.clock.Now, a.opt.feeds, a.log); err != nil {
		return err
	}
	var before command.Memory
	if !a.opt.Demo { // whose devices begin anew with it
		if before, err = command.OpenFile(filepath.Join(a.cfg.File.DataDir, beforeFile), a.opt.replace); err != nil {
			return err
		}
	}
	if a.connections, err = connect(a.cfg, a.opt, a.clock.Now, before); err != nil {
		return err
	}
	if !a.opt.Demo { // whose devices keep no record
		if err := a.connections.resume(ctx, a.cfg, a.record, a.clock.Now()); err != nil {
			a.log.Warn("gaps since the last stop are not filled from the history of devices", "error", err)
		}
	}
	a.metrics = newMetrics(a.registry, a)
	a.certificates = &certificates{cfg: a.cfg, log: a.log}
	a.registry.MustRegister(a.certificates)
	a.asks = newAsks(a)
	var polled []poll.Device
	for i := range a.cfg.Districts {
		d := &a.cfg.Districts[i]
		for site, dev := range d.AllDevices {
			drv, ok := a.connections.driver(d.ID, site, dev.ID)
			if !ok {
				continue
			}
			one := *dev
			if a.opt.PollEvery > 0 {
				one.Poll = a.opt.PollEvery
			}
			polled = append(polled, poll.Device{District: d.ID, Site: site, Device: one, Driver: drv})
		}
		if a.accountants[d.ID], err = NewAccountant(a.cfg, d, a.record); err != nil {
			return err
		}
		a.accountants[d.ID].Now = a.clock.Now
		if a.opt.PollEvery > 0 {
			a.accountants[d.ID].Patience = 3 * a.clock.District(a.opt.PollEvery)
		}
		if a.schedulers[d.ID], err = a.scheduler(d); err != nil {
			return err
		}
		if err := a.restoreOrders(ctx, d, a.schedulers[d.ID]); err != nil {
			return err
		}
	}
	wait := gatherTime
	if a.opt.Demo { // whose clock may run so fast that the wait would be long
		wait = 0
	}
	a.poller = poll.New(polled, poll.Config{Sink: a.sink, Gather: wait, Now: a.sampleTime(), Timeout: 4 * time.Second, Log: a.log})
	a.console, err = console.New(console.Deps{
		Store: a.record, Live: a.hub, Districts: a.cfg.Districts, DeviceStatus: a.deviceStatus, Conditions: a.conditions, Feeds: a.feedStatus, Alarms: &a.watch, Told: a.told, History: a.historyProgress, Profiles: a.cfg.PEDProfiles, Reports: NewReporter(a.cfg, a.record, a.clock.Now), Overrides: overrides{a}, Orders: orders{a},
		Now: a.clock.Now, Speed: a.clock.Speed(), Version: a.opt.Version, PlanLateAfter: planLateAfter(a.cfg, a.clock), Demo: a.opt.Demo, Logger: a.log, Registry: a.registry, SecureCookie: a.cfg.File.Console.TLSCert != "",
	})
	return err
}

// Address returns where the console listens, host:port.
func (a *App) Address() string { return a.listener.Addr().String() }

// Record returns the record, for what a demonstration puts there.
func (a *App) Record() *Record { return a.record }

// planning returns how often a plan is made and how long its solver may take, both on the machine's clock. An accelerated district is planned as often in its own time, but
// never more often than every five seconds of the machine.
func planning(cfg *config.Config, clock *Clock) (every, budget time.Duration) {
	every = time.Duration(cfg.File.Control.ReplanMinutes * float64(time.Minute))
	budget = time.Duration(cfg.File.Control.PlanSeconds * float64(time.Second))
	if clock.Speed() > 1 {
		every = max(clock.Wall(every), 5*time.Second)
		budget = min(budget, every)
	}
	return every, budget
}

// planLateAfter is the age of a plan, in the district's time, from which it counts as late: two rounds of planning and a half, the solver's time and a minute, or
// where that comes first, the age from which it no longer counts.
func planLateAfter(cfg *config.Config, clock *Clock) time.Duration {
	every, budget := planning(cfg, clock)
	return min(clock.District(5*every/2+budget)+time.Minute, schedulerConfig(cfg, &cfg.Districts[0], clock).PlanMaxAge)
}

// scheduler builds the scheduler of a district.
func (a *App) scheduler(d *district.District) (*scheduler.Scheduler, error) {
	cfg := schedulerConfig(a.cfg, d, a.clock)
	_, budget := planning(a.cfg, a.clock)
	cfg.Live, cfg.Store, cfg.Now, cfg.Log = a.hub, decisions{a.record, a.metrics.setpoints}, a.clock.Now, a.log
	cfg.Driver = func(site, device string) (drivers.Driver, bool) { return a.connections.driver(d.ID, site, device) }
	cfg.Keep = a.keepOrders()
	if l, err := openLearned(a.cfg.File.DataDir, d.ID); err != nil {
		a.log.Warn("what forecasts learn does not survive a restart", "district", d.ID, "err", err)
	} else {
		cfg.Learned = l
	}
	cfg.Weather, cfg.WeatherAge, cfg.WeatherSignal = a.weatherOf(d), a.weatherAge(d), a.cfg.District(d.ID).Weather
	cfg.Basis = func(from, to time.Time) []district.Basis { return a.basis(d, from, to) }
	cfg.Reckon = func(ctx context.Context, p *problem.Problem) (*problem.Solution, error) {
		return optimizer.Plan(ctx, p, optimizer.Settings{TimeLimit: budget, Gap: 0.01, Workers: 1, Log: a.log})
	}
	cfg.Check = certified
	cfg.Lapsed = func(r scheduler.Request) { a.asks.lapsed(d.ID, r) }
	cfg.Plan = func(ctx context.Context, p *problem.Problem, previous *problem.Solution) (*problem.Solution, error) {
		start := time.Now()
		sol, err := optimizer.Plan(ctx, p, optimizer.Settings{TimeLimit: budget, Gap: 0.01, Previous: previous, Workers: 1, Log: a.log})
		a.metrics.planned(d.ID, sol, err, time.Since(start))
		return sol, err
	}
	if a.opt.adjust != nil {
		a.opt.adjust(&cfg)
	}
	return scheduler.New(cfg)
}

// schedulerConfig is what a configuration says of the scheduling of a district. Replanning and staleness follow the clock, see [planning]: measurements and plans of an
// accelerated district may be older in its time accordingly.
func schedulerConfig(cfg *config.Config, d *district.District, clock *Clock) scheduler.Config {
	c, f := cfg.File.Control, cfg.File.Forecast
	hours := func(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	every, _ := planning(cfg, clock)
	out := scheduler.Config{
		District: d, Prices: cfg.Tariffs[d.Tariff].Estimated(), PlanOnly: !c.Enabled,
		Horizon: hours(c.HorizonHours), ReplanEvery: every, DispatchEvery: seconds(c.DispatchSeconds),
		Stale: seconds(c.StaleSeconds), PlanMaxAge: hours(c.PlanMaxAgeHours), CarbonPriceEURPerTonne: c.CarbonPrice,
		Forecast: scheduler.Forecast{SimilarDays: f.SimilarDays, LookBackDays: f.LookBackDays, Fade: hours(f.FadeHours)},
	}
	if source := cfg.Sources[d.Carbon]; source != nil {
		out.Carbon = func(slot timegrid.Span) (float64, bool) { return carbonOf(source, slot) }
		out.CarbonAssumed = source.GPerKWh
	}
	if clock.Speed() > 1 {
		out.DispatchEvery = min(out.DispatchEvery, max(time.Second, clock.Wall(time.Minute)))
		out.Stale = max(out.Stale, clock.District(15*time.Second))
		out.PlanMaxAge = max(out.PlanMaxAge, clock.District(3*out.ReplanEvery))
	}
	return out
}

// carbonOf returns the mean intensity of a slot by a source that has its values itself, gCO2e/kWh; false where it has none, as a signal, whose values are in the record.
func carbonOf(source *tariff.Carbon, slot timegrid.Span) (float64, bool) {
	if source == nil || source.Kind == tariff.CarbonSignal {
		return 0, false
	}
	v, err := source.Values(slot, slot.End.Sub(slot.Start))
	if err != nil || len(v) != 1 || math.IsNaN(v[0]) {
		return 0, false
	}
	return v[0], true
}

// gatherTime is how long a sample may wait for others, to share their transaction: 200 devices read each second are 5 of them a second, and not 200.
const gatherTime = 50 * time.Millisecond

// sink takes what was read: first to the record, then to everybody else. What the disk does not take is in the record's memory, and control goes on.
func (a *App) sink(ctx context.Context, samples []district.Sample) error {
	start := time.Now()
	if err := a.record.Append(ctx, samples); err != nil {
		a.metrics.refused.Add(float64(len(samples)))
		return err
	}
	a.metrics.stored.Add(float64(len(samples)))
	a.metrics.append.Observe(time.Since(start).Seconds())
	a.noteLate(samples)
	a.hub.Publish(samples)
	return nil
}

// closedAgain is how long before now slots are closed again and again, for data that is a little late.
const closedAgain = 2 * time.Hour

// noteLate remembers the oldest of samples whose slots are not closed again by themselves, such as those that a device kept while it could not be reached.
func (a *App) noteLate(samples []district.Sample) {
	bound := a.clock.Now().Add(-closedAgain)
	for i := range samples {
		s := &samples[i]
		if !s.Time.Before(bound) {
			continue
		}
		id, _, _, _, _ := s.Series.Parts()
		a.mu.Lock()
		if at, ok := a.late[id]; !ok || s.Time.Before(at) {
			a.late[id] = s.Time
		}
		a.mu.Unlock()
	}
}

// takeLate returns the oldest late sample of a district, or a zero time, and forgets it.
func (a *App) takeLate(id string) time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	at := a.late[id]
	delete(a.late, id)
	return at
}

// Run serves until ctx ends. It returns the errors of parts that cannot go on. Once ctx has ended the devices are given back and Run returns, within a minute even if the disk does not answer; what still waits for it
// then is named by the error, and the process should end.
func (a *App) Run(ctx context.Context) error {
	if err := a.record.AppendEvent(ctx, store.Event{Time: a.clock.Now(), Kind: store.SystemEvent, Actor: "quartier", Action: "start", Detail: "version " + a.opt.Version, Severity: "info"}); err != nil {
		return errors.Join(fmt.Errorf("app: the record takes no entry: %w", err), a.close())
	}
	control, stopControl := context.WithCancelCause(ctx)
	field, stopField := context.WithCancelCause(context.WithoutCancel(ctx))
	web, stopWeb := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopControl(nil)
	var controls errgroup.Group
	var fields parts
	var webs errgroup.Group
	for _, s := range a.schedulers {
		controls.Go(func() error { return a.protect("scheduler", func() error { return s.Run(control) }) })
	}
	loop := func(name string, run func(context.Context)) {
		fields.start(name, func() error { run(field); return nil })
	}
	loop("measuring", a.poller.Run)
	loop("signals", a.signalLoop)
	loop("alarms", a.watchLoop)
	loop("entries", a.entryLoop)
	fields.start("feeds", func() error { return a.feedLoop(field) })
	fields.start("notices", func() error {
		return a.protect("notifier", func() error { a.notifier.Run(field); return nil })
	})
	loop("accounts", a.accountLoop)
	loop("certificates", a.certificateLoop)
	loop("upkeep", a.maintainLoop)
	loop("months", a.closingLoop)
	fields.start("face", func() error { return a.serveFace(field) })
	fields.start("memory", func() error { return a.protect("memory", func() error { return a.record.memory.Run(field) }) })
	if a.record.Relay != nil {
		fields.start("relay", func() error { return a.protect("relay", func() error { return a.record.Relay(field) }) })
	}
	srv := &http.Server{Handler: a.console.Handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute, BaseContext: func(net.Listener) context.Context { return web }}
	webs.Go(func() error {
		var err error
		if cert := a.cfg.File.Console; cert.TLSCert != "" {
			err = srv.ServeTLS(a.listener, cert.TLSCert, cert.TLSKey)
		} else {
			err = srv.Serve(a.listener)
		}
		if errors.Is(err, http.ErrServerClosed) {
			return nil
		}
		stopControl(fmt.Errorf("console: %w", err))
		return err
	})
	<-control.Done()
	stopControl(context.Cause(ctx))
	err := controls.Wait()
	stopField(errors.New("stopping"))
	ended, e := fields.wait(partsWithin)
	err = errors.Join(err, e)
	a.console.Close()
	stopWeb(errors.New("stopping"))
	shut, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if e := srv.Shutdown(shut); e != nil {
		srv.Close()
	}
	err = errors.Join(err, webs.Wait())
	if ended { // who is left waits for the same record
		err = errors.Join(err, within(2*entryWithin, "the last entries in the record", a.lastEntries))
	}
	return errors.Join(err, within(closeWithin, "closing connections and record", a.close))
}

// lastEntries writes what was told of, which must be known after a restart, and that Quartier stopped.
func (a *App) lastEntries() error {
	entries, cancel := context.WithTimeout(context.Background(), entryWithin)
	defer cancel()
	a.write(entries)
	last, cancelLast := context.WithTimeout(context.Background(), entryWithin)
	defer cancelLast()
	return a.record.AppendEvent(last, store.Event{Time: a.clock.Now(), Kind: store.SystemEvent, Actor: "quartier", Action: "stop", Severity: "info"})
}

// protect turns a panic of a part into its error: control ends safely and the process says why.
func (a *App) protect(part string, run func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			a.log.Error("panic", "part", part, "value", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("%s: panic: %v", part, r)
		}
	}()
	return run()
}

func (a *App) close() error {
	var err error
	if a.connections != nil {
		err = a.connections.close()
	}
	if a.listener != nil {
		a.listener.Close()
	}
	if a.asks != nil {
		a.asks.close()
	}
	err = errors.Join(err, a.record.Close())
	a.unlock()
	return err
}

// signalLoop publishes prices and other signals at the begin of every slot.
func (a *App) signalLoop(ctx context.Context) {
	var last time.Time
	step := a.cfg.Districts[0].Step
	for i := range a.cfg.Districts {
		step = min(step, a.cfg.Districts[i].Step)
	}
	for {
		at := timegrid.Floor(a.clock.Now(), step)
		if out := a.signals(last, at); len(out) > 0 {
			if err := a.sink(ctx, out); err != nil && ctx.Err() == nil {
				a.log.Warn("signals not recorded", "err", err)
			}
		}
		last = at
		if !wait(ctx, max(200*time.Millisecond, a.clock.Wall(at.Add(step).Sub(a.clock.Now())))) {
			return
		}
	}
}

// signals returns the prices and the carbon intensity of every district's slot at an instant, of those whose slot has begun since the last time.
func (a *App) signals(last, now time.Time) []district.Sample {
	var out []district.Sample
	for i := range a.cfg.Districts {
		d := &a.cfg.Districts[i]
		at := timegrid.Floor(now, d.Step)
		if !at.After(last) {
			continue
		}
		t := a.cfg.Tariffs[d.Tariff]
		if v, err := t.ImportAt(at); err == nil {
			out = append(out, signal(d.ID, "tariff", district.ImportPrice, at, v))
		}
		if v, err := t.ExportAt(at); err == nil {
			out = append(out, signal(d.ID, "tariff", district.ExportPrice, at, v))
		}
		if g, ok := carbonOf(a.cfg.Sources[d.Carbon], timegrid.Span{Start: at, End: at.Add(d.Step)}); ok {
			out = append(out, signal(d.ID, "carbon", district.CarbonIntensity, at, g))
		}
	}
	if a.opt.Signals != nil && now.After(last) {
		out = append(out, a.opt.Signals(now)...)
	}
	return out
}

func signal(districtID, device, quantity string, at time.Time, v float64) district.Sample {
	return district.Sample{Series: district.NewSeriesID(districtID, district.DistrictSite, device, quantity), Time: at, Value: v, Source: district.FromSignal}
}

// accountLoop closes the balance of every slot a little after its end, and closes the last hours again for late data; after a failure of the disk, all slots since its begin.
func (a *App) accountLoop(ctx context.Context) {
	var behind time.Time // begin of a failure whose slots are not closed yet
	for {
		now := a.clock.Now()
		held := a.record.memory.State()
		if !held.Since.IsZero() && (behind.IsZero() || held.Since.Before(behind)) {
			behind = held.Since
		}
		failed := !held.Since.IsZero()
		for i := range a.cfg.Districts {
			d := &a.cfg.Districts[i]
			end := timegrid.Floor(now.Add(-a.clock.District(3*time.Second)), d.Step)
			start := end.Add(-max(closedAgain, timegrid.Ceil(time.Unix(0, 0).Add(a.clock.District(time.Minute)), d.Step).Sub(time.Unix(0, 0))))
			if first := timegrid.Floor(behind, d.Step); !behind.IsZero() && !failed && first.Before(start) {
				start = first
			}
			late := a.takeLate(d.ID)
			if first := timegrid.Floor(late.Add(-d.Step), d.Step); !late.IsZero() && first.Before(start) {
				start = first
			}
			if err := a.accountants[d.ID].closeAll(ctx, timegrid.NewSpan(start, end)); err != nil && ctx.Err() == nil {
				a.log.Warn("balance not closed", "district", d.ID, "err", err)
				failed = true
				if !late.IsZero() {
					a.noteLate([]district.Sample{{Series: carbonSeries(d.ID), Time: late}})
				}
			}
		}
		if !failed {
			behind = time.Time{}
		}
		step := a.cfg.Districts[0].Step
		next := timegrid.Ceil(a.clock.Now().Add(time.Second), step)
		if !wait(ctx, max(time.Second, min(time.Minute, a.clock.Wall(next.Sub(a.clock.Now()))+4*time.Second))) {
			return
		}
	}
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// CloseAccounts computes and stores the balance rows of a span of every district.
func (a *App) CloseAccounts(ctx context.Context, sp timegrid.Span) error {
	for i := range a.cfg.Districts {
		if err := a.accountants[a.cfg.Districts[i].ID].Close(ctx, sp); err != nil {
			return err
		}
	}
	return nil
}

// SetHistory says how far the loading of recorded history is.
func (a *App) SetHistory(p console.HistoryProgress) {
	a.mu.Lock()
	a.history = p
	a.mu.Unlock()
}

func (a *App) historyProgress() console.HistoryProgress {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.history
}

func (a *App) deviceStatus() []console.DeviceStatus {
	var out []console.DeviceStatus
	for _, s := range a.poller.Status() {
		out = append(out, console.DeviceStatus{District: s.District, Site: s.Site, Device: s.Device, Online: s.Online, Since: s.Since, LastSeen: s.LastSuccess,
			LastError: s.LastError, Period: s.Period, Latency: s.Latency})
	}
	return out
}

// guard refuses a listener beyond loopback without TLS and without an account.
func guard(ctx context.Context, st store.Store, cfg *config.Config, listen string) error {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("app: console.listen %q is no host:port: %w", listen, err)
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	if cfg.File.Console.TLSCert == "" {
		return fmt.Errorf("app: console.listen %s is reached from beyond this machine: tls_cert_file and tls_key_file are required", listen)
	}
	users, err := st.Users(ctx)
	if err != nil {
		return fmt.Errorf("app: read accounts: %w", err)
	}
	for _, u := range users {
		if u.Role == store.Administrator && !u.Disabled {
			return nil
		}
	}
	return fmt.Errorf("app: console.listen %s is reached from beyond this machine: an administrator is required, see 'quartier user add'", listen)
}
