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
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/cmd/internal/face"
	"quartier/cmd/internal/live"
	"quartier/drivers"
	"quartier/drivers/poll"
	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/scheduler"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/spool"
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
	// Signals returns the samples of signals that come from no device, such as carbon intensity, for the slot that begins at an instant.
	Signals func(at time.Time) []district.Sample
}

// App is one process of Quartier.
type App struct {
	cfg   *config.Config
	opt   Options
	log   *slog.Logger
	clock *Clock

	record      *Record
	hub         *live.Hub
	connections *connections
	poller      *poll.Poller
	schedulers  map[string]*scheduler.Scheduler
	accountants map[string]*Accountant
	console     *console.Server
	registry    *prometheus.Registry
	metrics     *metrics
	listener    net.Listener

	mu      sync.Mutex
	history console.HistoryProgress
	face    *face.Face
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
	a := &App{cfg: cfg, opt: opt, log: opt.Log, clock: opt.Clock, hub: live.NewHub(), schedulers: map[string]*scheduler.Scheduler{}, accountants: map[string]*Accountant{},
		registry: prometheus.NewRegistry()}
	listen := opt.Listen
	if listen == "" {
		listen = cfg.File.Console.Listen
	}
	var err error
	if a.record, err = OpenStore(ctx, cfg, a.clock.Now, opt.Log); err != nil {
		return nil, err
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
	if a.listener, err = net.Listen("tcp", listen); err != nil {
		return fmt.Errorf("app: console: %w", err)
	}
	if a.connections, err = connect(a.cfg.Districts, a.opt, a.clock.Now); err != nil {
		return err
	}
	a.metrics = newMetrics(a.registry, a)
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
		if a.cfg.File.Control.Enabled {
			if a.schedulers[d.ID], err = a.scheduler(d); err != nil {
				return err
			}
		}
	}
	a.poller = poll.New(polled, poll.Config{Sink: a.sink, Now: a.clock.Now, Timeout: 4 * time.Second, Log: a.log})
	a.console, err = console.New(console.Deps{
		Store: a.record, Live: a.hub, Districts: a.cfg.Districts, DeviceStatus: a.deviceStatus, History: a.historyProgress, Reports: NewReporter(a.cfg, a.record, a.clock.Now), Overrides: overrides{a},
		Now: a.clock.Now, Speed: a.clock.Speed(), Version: a.opt.Version, Demo: a.opt.Demo, Logger: a.log, Registry: a.registry, SecureCookie: a.cfg.File.Console.TLSCert != "",
	})
	return err
}

// Address returns where the console listens, host:port.
func (a *App) Address() string { return a.listener.Addr().String() }

// Record returns the record, for what a demonstration puts there.
func (a *App) Record() *Record { return a.record }

// scheduler builds the scheduler of a district. Replanning and staleness follow the clock: an accelerated district is planned as often in its own time, but never more
// often than every two seconds of the machine.
func (a *App) scheduler(d *district.District) (*scheduler.Scheduler, error) {
	c := a.cfg.File.Control
	budget := time.Duration(c.PlanSeconds * float64(time.Second))
	every := time.Duration(c.ReplanMinutes * float64(time.Minute))
	if a.clock.Speed() > 1 {
		every = max(a.clock.Wall(every), 5*time.Second)
		budget = min(budget, every)
	}
	return scheduler.New(scheduler.Config{
		District: d, Live: a.hub, Store: a.record, Prices: a.cfg.Tariffs[d.Tariff],
		Driver: func(site, device string) (drivers.Driver, bool) { return a.connections.driver(d.ID, site, device) },
		Plan: func(ctx context.Context, p *problem.Problem, previous *problem.Solution) (*problem.Solution, error) {
			start := time.Now()
			sol, err := optimizer.Plan(ctx, p, optimizer.Settings{TimeLimit: budget, Gap: 0.01, Previous: previous, Workers: 1, Log: a.log})
			a.metrics.planned(d.ID, sol, err, time.Since(start))
			return sol, err
		},
		Now: a.clock.Now, Log: a.log,
		Horizon: time.Duration(c.HorizonHours * float64(time.Hour)), ReplanEvery: every,
		DispatchEvery: min(time.Duration(c.DispatchSeconds*float64(time.Second)), max(time.Second, a.clock.Wall(time.Minute))),
		Stale:         max(time.Minute, a.clock.District(15*time.Second)), PlanMaxAge: max(2*time.Hour, a.clock.District(3*every)),
		CarbonPriceEURPerTonne: c.CarbonPrice,
	})
}

// sink takes what was read: first to the record, then to everybody else. What the disk does not take is in the record's memory, and control goes on.
func (a *App) sink(ctx context.Context, samples []district.Sample) error {
	start := time.Now()
	if err := a.record.Append(ctx, samples); err != nil {
		a.metrics.refused.Add(float64(len(samples)))
		return err
	}
	a.metrics.stored.Add(float64(len(samples)))
	a.metrics.append.Observe(time.Since(start).Seconds())
	a.hub.Publish(samples)
	return nil
}

// Run serves until ctx ends. It returns the first error of a part that cannot go on.
func (a *App) Run(ctx context.Context) error {
	if err := a.record.AppendEvent(ctx, store.Event{Time: a.clock.Now(), Kind: store.SystemEvent, Actor: "quartier", Action: "start", Detail: "version " + a.opt.Version, Severity: "info"}); err != nil {
		return errors.Join(fmt.Errorf("app: the record takes no entry: %w", err), a.close())
	}
	control, stopControl := context.WithCancelCause(ctx)
	field, stopField := context.WithCancelCause(context.WithoutCancel(ctx))
	web, stopWeb := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stopControl(nil)
	var controls, fields, webs errgroup.Group
	for _, s := range a.schedulers {
		controls.Go(func() error { return a.protect("scheduler", func() error { return s.Run(control) }) })
	}
	fields.Go(func() error { a.poller.Run(field); return nil })
	fields.Go(func() error { a.signalLoop(field); return nil })
	fields.Go(func() error { a.accountLoop(field); return nil })
	if f, err := a.startFace(field); err != nil {
		a.log.Error("building systems are not served", "err", err) // control and record go on without it
	} else if f != nil {
		a.mu.Lock()
		a.face = f
		a.mu.Unlock()
		a.log.Info("building systems", "modbus", f.Addresses().Modbus, "opcua", f.Addresses().OPCUA)
		fields.Go(func() error { a.faceLoop(field, f); return f.Close() })
	}
	fields.Go(func() error { return a.protect("memory", func() error { return a.record.memory.Run(field) }) })
	if a.record.Relay != nil {
		fields.Go(func() error { return a.protect("relay", func() error { return a.record.Relay(field) }) })
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
	err = errors.Join(err, fields.Wait())
	a.console.Close()
	stopWeb(errors.New("stopping"))
	shut, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if e := srv.Shutdown(shut); e != nil {
		srv.Close()
	}
	err = errors.Join(err, webs.Wait())
	last, cancelLast := context.WithTimeout(context.Background(), time.Second)
	defer cancelLast()
	if e := a.record.AppendEvent(last, store.Event{Time: a.clock.Now(), Kind: store.SystemEvent, Actor: "quartier", Action: "stop", Severity: "info"}); e != nil {
		err = errors.Join(err, e)
	}
	return errors.Join(err, a.close())
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
	return errors.Join(err, a.record.Close())
}

// signalLoop publishes prices and other signals at the begin of every slot.
func (a *App) signalLoop(ctx context.Context) {
	last := map[string]time.Time{}
	for {
		now := a.clock.Now()
		var out []district.Sample
		next := now.Add(time.Minute)
		for i := range a.cfg.Districts {
			d := &a.cfg.Districts[i]
			at := timegrid.Floor(now, d.Step)
			next = at.Add(d.Step)
			if last[d.ID].Equal(at) {
				continue
			}
			last[d.ID] = at
			t := a.cfg.Tariffs[d.Tariff]
			if v, err := t.ImportAt(at); err == nil {
				out = append(out, signal(d.ID, "tariff", district.ImportPrice, at, v))
			}
			if v, err := t.ExportAt(at); err == nil {
				out = append(out, signal(d.ID, "tariff", district.ExportPrice, at, v))
			}
			if c := a.cfg.Carbon[d.Carbon]; c.Kind == "constant" {
				out = append(out, signal(d.ID, "carbon", district.CarbonIntensity, at, c.GPerKWh))
			}
			if a.opt.Signals != nil && i == 0 {
				out = append(out, a.opt.Signals(at)...)
			}
		}
		if len(out) > 0 {
			if err := a.sink(ctx, out); err != nil && ctx.Err() == nil {
				a.log.Warn("signals not recorded", "err", err)
			}
		}
		if !wait(ctx, max(200*time.Millisecond, a.clock.Wall(next.Sub(a.clock.Now())))) {
			return
		}
	}
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
			start := end.Add(-max(2*time.Hour, timegrid.Ceil(time.Unix(0, 0).Add(a.clock.District(time.Minute)), d.Step).Sub(time.Unix(0, 0))))
			if first := timegrid.Floor(behind, d.Step); !behind.IsZero() && !failed && first.Before(start) {
				start = first
			}
			if err := a.accountants[d.ID].Close(ctx, timegrid.NewSpan(start, end)); err != nil && ctx.Err() == nil {
				a.log.Warn("balance not closed", "district", d.ID, "err", err)
				failed = true
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
