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
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/cmd/internal/face"
	"quartier/cmd/internal/live"
	"quartier/cmd/internal/notify"
	"quartier/drivers/command"
	"quartier/drivers/poll"
	"quartier/scheduler"
	"quartier/schemas/alarm"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/spool"
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
		Store: a.record, Live: a.hub, Districts: a.cfg.Districts, DeviceStatus: a.deviceStatus, Learned: a.learnedOf, Conditions: a.conditions, Feeds: a.feedStatus, Alarms: &a.watch, Told: a.told, History: a.historyProgress, Profiles: a.cfg.PEDProfiles, Reports: NewReporter(a.cfg, a.record, a.clock.Now), Overrides: overrides{a}, Orders: orders{a},
		Now: a.clock.Now, Speed: a.clock.Speed(), Version: a.opt.Version, PlanLateAfter: planLateAfter(a.cfg, a.clock), Demo: a.opt.Demo, Logger: a.log, Registry: a.registry, SecureCookie: a.cfg.File.Console.TLSCert != "",
	})
	return err
}

// Address returns where the console listens, host:port.
func (a *App) Address() string { return a.listener.Addr().String() }

// Record returns the record, for what a demonstration puts there.
func (a *App) Record() *Record { return a.record }

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
