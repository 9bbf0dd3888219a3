package face

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"sync"
	"time"

	"quartier/schemas/district"
)

// staleAfter is how long the face goes on showing values that nobody renews.
const staleAfter = time.Minute

// Config says what is served and where.
type Config struct {
	ModbusListen string // host:port on loopback, port 0 for a free one; empty: no Modbus server
	OPCUAListen  string // the same of the OPC UA server
	Districts    []district.District
	Exe          string       // executable of the OPC UA child; empty: this one
	Log          *slog.Logger // may be nil

	child childConfig // of tests
}

// Addresses are where the servers listen; empty for one that is not served.
type Addresses struct {
	Modbus string // tcp://host:port
	OPCUA  string // opc.tcp://host:port
}

// Face is the running face. Its methods may be called from several goroutines.
type Face struct {
	model  *Model
	modbus *modbusFace
	child  *Supervisor
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	updated time.Time
	shown   bool // whether the last update is shown still
}

// ErrNotLoopback is returned for an address that others than this machine can reach: neither protocol is encrypted.
var ErrNotLoopback = errors.New("not a loopback address")

// checkListen returns an error for what is no host:port on loopback.
func checkListen(what, addr string) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("face: %s address %q: %w", what, addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("face: %s address %q: %w", what, addr, ErrNotLoopback)
	}
	return nil
}

// Start serves the districts until [Face.Close] or the end of ctx. It returns when both servers listen; the OPC UA child may take some
// seconds. On an error nothing is left running.
func Start(ctx context.Context, cfg Config) (*Face, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	model, err := NewModel(cfg.Districts)
	if err != nil {
		return nil, err
	}
	var faults []error
	if cfg.ModbusListen != "" {
		faults = append(faults, checkListen("modbus", cfg.ModbusListen))
	}
	if cfg.OPCUAListen != "" {
		faults = append(faults, checkListen("opc ua", cfg.OPCUAListen))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &Face{model: model, cancel: cancel}
	if cfg.ModbusListen != "" {
		if f.modbus, err = startModbus(cfg.ModbusListen, model, cfg.Log); err != nil {
			f.Close()
			return nil, err
		}
	}
	if cfg.OPCUAListen != "" {
		if f.child, err = newSupervisor(cfg, model); err == nil {
			err = f.child.start(ctx)
		}
		if err != nil {
			f.Close()
			return nil, err
		}
	}
	f.wg.Go(func() { f.watch(ctx) })
	return f, nil
}

// Model returns what is shown.
func (f *Face) Model() *Model { return f.model }

// Addresses returns where the servers listen. The address of the OPC UA server stays the same when its process is started again.
func (f *Face) Addresses() Addresses {
	var a Addresses
	if f.modbus != nil {
		a.Modbus = f.modbus.server.URL()
	}
	if f.child != nil {
		a.OPCUA = "opc.tcp://" + f.child.Addr()
	}
	return a
}

// Restarts is how often the OPC UA process was started again.
func (f *Face) Restarts() int {
	if f.child == nil {
		return 0
	}
	return f.child.Restarts()
}

// Update shows the values of all districts, by the names of the model; a variable that is not among them is not available. It does not block.
func (f *Face) Update(values map[string]Value) {
	f.mu.Lock()
	f.updated, f.shown = time.Now(), true
	f.mu.Unlock()
	f.show(values)
}

func (f *Face) show(values map[string]Value) {
	if f.modbus != nil {
		f.modbus.update(values, time.Now())
	}
	if f.child != nil {
		f.child.Update(maps.Clone(values))
	}
}

// watch takes values back that nobody renews.
func (f *Face) watch(ctx context.Context) {
	t := time.NewTicker(time.Second)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		f.mu.Lock()
		stale := f.shown && time.Since(f.updated) > staleAfter
		if stale {
			f.shown = false
		}
		f.mu.Unlock()
		if stale {
			f.show(nil)
		}
	}
}

// Close stops both servers and ends the child process; it returns within 3 s and may be called twice.
func (f *Face) Close() error {
	f.cancel()
	var err error
	if f.modbus != nil {
		err = f.modbus.server.Close()
	}
	if f.child != nil {
		f.child.wait()
	}
	f.wg.Wait()
	return err
}
