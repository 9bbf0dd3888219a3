package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/cmd/internal/face"
	"quartier/drivers/sim"
	"quartier/drivers/sim/endpoint"
	"quartier/schemas/district"
	"quartier/schemas/savings"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
	"quartier/testdata"
)

// DemoOptions steer a demonstration.
type DemoOptions struct {
	Listen  string       // address of the console
	DataDir string       // folder of the record; empty: a new one that is removed at the end
	Speed   float64      // seconds of the district in one of the machine
	Months  int          // of recorded history
	Start   time.Time    // first instant of the district's clock; zero: now
	Name    string       // of the districts in testdata: "demo" or "small"
	Log     *slog.Logger // the system's log
	Out     io.Writer    // what the user reads
	Version string
}

// Demo runs the whole system on simulated districts: recorded traces drive simulated devices behind real Modbus TCP and OPC UA servers on loopback ports. It blocks
// until ctx ends.
func Demo(ctx context.Context, opt DemoOptions) (err error) {
	files := testdata.Districts()
	text, err := fs.ReadFile(files, opt.Name+".yaml")
	if err != nil {
		return fmt.Errorf("app: demonstration %q: %w", opt.Name, err)
	}
	cfg, err := config.Parse(opt.Name+".yaml", text, ConfigOptions())
	if err != nil {
		return err
	}
	about, err := fs.ReadFile(files, opt.Name+".sim.yaml")
	if err != nil {
		return fmt.Errorf("app: demonstration %q: %w", opt.Name, err)
	}
	desc, err := sim.ParseDescription(opt.Name+".sim.yaml", about)
	if err != nil {
		return err
	}
	f := &cfg.File.Face // the rest of it is as configured
	f.ModbusListen, f.OPCUAListen, f.OPCUAUnsecured = "127.0.0.1:0", "127.0.0.1:0", true
	f.ModbusClients = []config.FaceClient{{Network: "127.0.0.0/8", Requests: true}}
	cfg.File.DataDir = opt.DataDir
	if opt.DataDir == "" {
		if cfg.File.DataDir, err = os.MkdirTemp("", "quartier-demo-"); err != nil {
			return fmt.Errorf("app: data folder: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(cfg.File.DataDir)) }()
	}
	start := opt.Start
	if start.IsZero() {
		if start, err = goOn(ctx, cfg, time.Now()); err != nil {
			return err
		}
	}
	shown, err := counters(ctx, cfg, nil, start)
	if err != nil {
		return err
	}
	world := sim.WorldConfig{Districts: cfg.Districts, Description: desc, Traces: testdata.Traces(), Start: start, Counters: shown, Log: opt.Log}
	w, err := sim.New(world)
	if err != nil {
		return err
	}
	clock := NewClock(start, opt.Speed)
	inner, stop := context.WithCancel(context.WithoutCancel(ctx)) // the simulated field outlives the system, which gives devices back as it stops
	defer stop()
	ends, err := endpoint.Start(inner, w, cfg.Districts, opt.Log, endpoint.WithClock(clock.Now))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ends.Close()) }()
	physics := make(chan struct{})
	go func() {
		defer close(physics)
		for {
			w.Advance(clock.Now())
			if !wait(inner, 100*time.Millisecond) {
				return
			}
		}
	}()
	defer func() { stop(); <-physics }()
	reach := ends.Addresses()
	poll := max(time.Second, min(5*time.Second, clock.Wall(5*time.Second)))
	a, err := New(ctx, cfg, Options{Log: opt.Log, Clock: clock, Version: opt.Version, Listen: opt.Listen, Demo: true, PollEvery: poll,
		Faced: func(at face.Addresses) {
			fmt.Fprintf(opt.Out, "Building systems read and ask at %s and %s.\n", at.Modbus, at.OPCUA)
		},
		Reach: func(address string) string {
			if real, ok := reach[address]; ok {
				return real
			}
			return address
		},
		Signals: func(at time.Time) []district.Sample {
			var out []district.Sample
			for i := range cfg.Districts {
				if g, q, ok := w.Carbon(cfg.Districts[i].ID, at); ok {
					s := signal(cfg.Districts[i].ID, sim.CarbonDevice, district.CarbonIntensity, at, g)
					s.Quality = q
					out = append(out, s)
				}
			}
			return out
		}})
	if err != nil {
		return err
	}
	users, err := console.EnsureDemoUsers(ctx, a.Record(), cfg.Districts, start)
	if err != nil {
		return errors.Join(err, a.close())
	}
	welcome(opt, cfg, a, users)
	loaded := make(chan struct{})
	go func() {
		defer close(loaded)
		a.loadHistory(ctx, world, opt.Months)
	}()
	err = a.Run(ctx)
	<-loaded
	return err
}

// goOn returns when the clock of a demonstration begins: now, or where its record ends when an accelerated run before it went beyond, so that no instant is lived twice.
func goOn(ctx context.Context, cfg *config.Config, now time.Time) (start time.Time, err error) {
	if _, err := os.Stat(filepath.Join(cfg.File.DataDir, recordFile)); err != nil {
		return now, nil // a folder that cannot be read is told of when it is opened
	}
	st, err := OpenStore(ctx, cfg, nil, nil)
	if err != nil {
		return now, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		have, err := st.BalanceSpan(ctx, d.ID)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return now, err
		}
		if err == nil && have.End.After(now) {
			now = have.End
		}
	}
	last, err := st.Latest(ctx, meterSeries(cfg), now.Add(goneBeyond))
	if err != nil {
		return now, fmt.Errorf("app: end of the record: %w", err)
	}
	for _, s := range last {
		if !s.Time.Before(now) {
			now = s.Time.Add(time.Second)
		}
	}
	return now, nil
}

// goneBeyond is how far samples may lie beyond the newest balance.
const goneBeyond = 24 * time.Hour

// meterSeries lists the counters of every district.
func meterSeries(cfg *config.Config) []district.SeriesID {
	var ids []district.SeriesID
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		for site, dev := range d.AllDevices {
			ids = append(ids, dev.Series(d.ID, site, district.ImportKWh), dev.Series(d.ID, site, district.ExportKWh), dev.Series(d.ID, site, district.HeatKWh),
				dev.Series(d.ID, site, district.GasM3))
		}
	}
	return ids
}

// counters returns what the meters of the record showed last at an instant, from which simulated devices go on: a device does not forget its counters when Quartier ends.
// Without an open store the record's file is read, where there is one.
func counters(ctx context.Context, cfg *config.Config, st store.Store, at time.Time) (func(sim.Ref, string) (float64, bool), error) {
	if st == nil {
		if _, err := os.Stat(filepath.Join(cfg.File.DataDir, recordFile)); err != nil {
			return nil, nil
		}
		r, err := OpenStore(ctx, cfg, nil, nil)
		if err != nil {
			return nil, err
		}
		defer r.Close()
		st = r
	}
	last, err := st.Latest(ctx, meterSeries(cfg), at)
	if err != nil {
		return nil, fmt.Errorf("app: counters of the record: %w", err)
	}
	return func(ref sim.Ref, quantity string) (float64, bool) {
		s, ok := last[district.NewSeriesID(ref.District, ref.Site, ref.Device, quantity)]
		return s.Value, ok
	}, nil
}

// welcome tells the user where to look and how to sign in.
func welcome(opt DemoOptions, cfg *config.Config, a *App, users []console.DemoUser) {
	sites, devices := 0, 0
	for i := range cfg.Districts {
		sites += len(cfg.Districts[i].Sites)
		for range cfg.Districts[i].AllDevices {
			devices++
		}
	}
	fmt.Fprintf(opt.Out, "Quartier %s: %d districts, %d sites, %d simulated devices, %g times real time.\n\n  http://%s\n\nSign in as\n", opt.Version, len(cfg.Districts), sites, devices, a.clock.Speed(), a.Address())
	for _, u := range users {
		fmt.Fprintf(opt.Out, "  %-14s %-18s %s\n", u.Name, u.Password, u.Role)
	}
	history := "No history is loaded"
	if opt.Months > 0 {
		history = "History from " + historyFrom(cfg, a.clock.Now(), opt.Months).Format("January 2006") + " on loads in the background"
	}
	fmt.Fprintf(opt.Out, "\nRecord: %s. %s. Stop with Ctrl-C.\n", filepath.Join(cfg.File.DataDir, "quartier.db"), history)
}

// historyFrom returns when the history of so many months before a start begins: at the begin of a month, and not before every tariff has prices, without which no account is closed; the start itself where that leaves none.
func historyFrom(cfg *config.Config, start time.Time, months int) time.Time {
	zone := cfg.Districts[0].Zone
	l := start.In(zone)
	month := func(back int) time.Time { return time.Date(l.Year(), l.Month()-time.Month(back), 1, 0, 0, 0, 0, zone) }
	for ; months >= 0; months-- {
		priced := true
		for _, t := range cfg.Tariffs {
			priced = priced && len(t.Rows) > 0 && !t.Rows[0].From.After(month(months))
		}
		if priced {
			return month(months)
		}
	}
	return start
}

// loadHistory fills the record with months of recorded history before the start of the world, newest first, and closes their accounts. What is there already from an earlier
// run of the same record is not made again.
func (a *App) loadHistory(ctx context.Context, world sim.WorldConfig, months int) {
	if months <= 0 {
		return
	}
	zone := a.cfg.Districts[0].Zone
	step := a.cfg.Districts[0].Step
	to := timegrid.Floor(world.Start, step)
	from := historyFrom(a.cfg, world.Start, months)
	if !from.Before(to) {
		return
	}
	if have, err := a.record.BalanceSpan(ctx, a.cfg.Districts[0].ID); err == nil {
		if !have.Start.After(from.UTC()) {
			a.log.Info("history is there already", "from", have.Start)
			return
		}
		// an earlier run was stopped while it loaded: its months stay, the oldest may lack accounts, and the rest is loaded before them
		begin := timegrid.Month(have.Start, zone)
		if err := a.CloseAccounts(ctx, begin.Overlap(timegrid.NewSpan(have.Start, to))); err != nil {
			a.log.Warn("accounts not closed", "month", begin.Start, "err", err)
		}
		to = timegrid.Floor(have.Start, step)
		if world.Counters, err = counters(ctx, a.cfg, a.record, to); err != nil {
			a.log.Error("history not loaded", "err", err)
			return
		}
	}
	begun := time.Now()
	total := 0
	progress := func(share float64, detail string) {
		a.SetHistory(console.HistoryProgress{Loading: true, Share: share, Detail: detail})
	}
	progress(0, "")
	err := sim.History(ctx, world, from, to, step, func(month timegrid.Span, samples []district.Sample) error {
		name := month.Start.In(zone).Format("2006-01")
		for len(samples) > 0 {
			n := min(len(samples), 20_000) // live samples get in between
			if err := a.record.durable().Append(ctx, samples[:n]); err != nil {
				return err
			}
			total += n
			samples = samples[n:]
		}
		// week by week, so that a month of meters is never in memory at once; the newest month first
		for s := month.Start; s.Before(month.End); s = s.Add(7 * 24 * time.Hour) {
			end := s.Add(7 * 24 * time.Hour)
			if !end.Before(month.End) {
				if end = month.End.Add(savings.LongestStay); end.After(to) { // a car that was there at midnight has come in this month
					end = to
				}
			}
			if err := a.CloseAccounts(ctx, timegrid.NewSpan(s, end)); err != nil {
				return err
			}
		}
		if month.End.Equal(to) { // the forecasts know their past from here on
			for _, s := range a.schedulers {
				s.Wake()
			}
		}
		progress(1-float64(month.Start.Sub(from))/float64(to.Sub(from)), name)
		return nil
	}, nil)
	if err != nil && ctx.Err() == nil {
		a.log.Error("history not loaded", "err", err)
		a.SetHistory(console.HistoryProgress{Detail: err.Error()})
		return
	}
	a.SetHistory(console.HistoryProgress{Share: 1})
	if ctx.Err() == nil {
		a.log.Info("history loaded", "samples", total, "seconds", time.Since(begun).Seconds())
		_ = a.record.AppendEvent(ctx, store.Event{Time: a.clock.Now(), Kind: store.SystemEvent, Actor: "quartier", Action: "history-loaded", Detail: fmt.Sprintf("%d samples", total), Severity: "info"})
	}
}
