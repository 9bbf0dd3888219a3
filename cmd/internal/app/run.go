package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"quartier/schemas/store"
)

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
