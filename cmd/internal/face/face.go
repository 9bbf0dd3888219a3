package face

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"quartier/schemas/district"
)

// staleAfter is how long the face goes on showing values that nobody renews.
const staleAfter = time.Minute

// Config says what is served and where.
type Config struct {
	ModbusListen   string // host:port, port 0 for a free one; beyond loopback with a list of clients. Empty: none
	ModbusTLS      ModbusTLS
	ModbusClients  []Client
	OPCUA          OPCUA
	Requests       Requests      // nil: every variable is read-only
	RequestTimeout time.Duration // after which a request that is not repeated lapses, as clients are told; [Requests] keeps it
	Districts      []district.District
	Slots          *Slots       // places in the Modbus map; nil: in the order of the districts
	Exe            string       // executable of the OPC UA child; empty: this one
	Log            *slog.Logger // may be nil

	child childConfig // of tests
}

// Addresses are where the servers listen; empty for one that is not served.
type Addresses struct {
	Modbus    string // tcp://host:port
	ModbusTLS string // tls://host:port
	OPCUA     string // opc.tcp://host:port
}

// Face is the running face. Its methods may be called from several goroutines.
type Face struct {
	model  *Model
	asks   *asker
	modbus *modbusFace
	child  *Supervisor
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	updated time.Time
	shown   bool // whether the last update is shown still
}

// ErrNotLoopback is returned for an address that others than this machine can reach where nothing says who may.
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

// check finds what cannot be served.
func (cfg *Config) check() error {
	var faults []error
	listed := slices.ContainsFunc(cfg.ModbusClients, func(c Client) bool { return c.Network.IsValid() })
	if err := checkListen("modbus", cfg.ModbusListen); err != nil && cfg.ModbusListen != "" && !(listed && errors.Is(err, ErrNotLoopback)) {
		faults = append(faults, err)
	}
	if cfg.OPCUA.Listen != "" {
		if err := checkListen("opc ua", cfg.OPCUA.Listen); err != nil && (cfg.OPCUA.Unsecured || cfg.OPCUA.PKI == "" || !errors.Is(err, ErrNotLoopback)) {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// Start serves the districts until [Face.Close] or the end of ctx. It returns when all servers listen; the OPC UA child may take some
// seconds. On an error nothing is left running.
func Start(ctx context.Context, cfg Config) (*Face, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	model := NewModel(cfg.Districts, cfg.Slots)
	if n := model.Beyond(); n > 0 {
		cfg.Log.Warn("the Modbus map has no room for some variables: they are on OPC UA alone", "variables", n)
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &Face{model: model, asks: &asker{requests: cfg.Requests}, cancel: cancel}
	var err error
	if cfg.ModbusListen != "" || cfg.ModbusTLS.Listen != "" {
		if f.modbus, err = startModbus(cfg, model, f.asks, cfg.Log); err != nil {
			f.Close()
			return nil, err
		}
	}
	if cfg.OPCUA.Listen != "" {
		if f.child, err = newSupervisor(cfg, model, f.asks); err == nil {
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
		for _, s := range f.modbus.servers {
			if url := s.URL(); strings.HasPrefix(url, "tls:") {
				a.ModbusTLS = url
			} else {
				a.Modbus = url
			}
		}
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
		err = f.modbus.close()
	}
	if f.child != nil {
		f.child.wait()
	}
	f.wg.Wait()
	return err
}
