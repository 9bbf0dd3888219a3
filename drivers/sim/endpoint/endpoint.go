// Package endpoint puts the devices of a simulated world behind real servers: Modbus TCP for each gateway and OPC UA for each station, on loopback ports
// that the system picks. Registers and nodes are those of each device's profile, several units share a gateway's address as they do in the
// field, and what a client writes reaches the physics as the command that the profile says it is.
//
// Values are taken from the world when a client reads (Modbus), or every [Refresh] (OPC UA). A device with a fault fails on the wire: silent, with
// exceptions, with garbage, slow or with values that stand still.
package endpoint

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"quartier/drivers/modbus/serve"
	opcserve "quartier/drivers/opcua/serve"
	"quartier/drivers/profile"
	"quartier/drivers/sim"
	"quartier/schemas/district"
)

// Refresh is how often OPC UA values are brought up to date and faults are looked at.
const Refresh = time.Second / 2

// Endpoints are the running servers of a world.
type Endpoints struct {
	world     *sim.World
	log       *slog.Logger
	now, wall func() time.Time
	done      <-chan struct{} // closed when the servers are to stop
	addresses map[string]string
	modbus    []*serve.Server
	units     []*unit
	stations  []*station
	cancel    context.CancelFunc
	listen    func(address string) (net.Listener, error)
	wg        sync.WaitGroup
	once      sync.Once
}

// Option changes how endpoints run.
type Option func(*Endpoints)

// WithClock sets the clock by which OPC UA values are stamped; without it that of the machine.
func WithClock(now func() time.Time) Option { return func(e *Endpoints) { e.now = now } }

// WithWall sets the machine's clock, on which commands expire; without it time.Now. It is for tests.
func WithWall(wall func() time.Time) Option { return func(e *Endpoints) { e.wall = wall } }

// WithListen opens the listener of each gateway, by the address that the configuration gives it; without it gateways listen on loopback ports. Stations of OPC UA always do.
func WithListen(listen func(address string) (net.Listener, error)) Option {
	return func(e *Endpoints) { e.listen = listen }
}

// Start serves every device of the districts and returns once all servers listen. They stop with [Endpoints.Close] or with ctx. Errors name every device whose profile or
// address cannot be served, all at once; then nothing is left running.
func Start(ctx context.Context, world *sim.World, districts []district.District, log *slog.Logger, options ...Option) (*Endpoints, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	ctx, cancel := context.WithCancel(ctx)
	e := &Endpoints{world: world, log: log, now: time.Now, wall: time.Now, done: ctx.Done(), addresses: make(map[string]string), cancel: cancel,
		listen: func(string) (net.Listener, error) { return net.Listen("tcp", "127.0.0.1:0") }}
	for _, o := range options {
		o(e)
	}
	var faults []error
	gateways := make(map[string]*serve.Server)
	stations := make(map[string]*station)
	for i := range districts {
		d := &districts[i]
		for site, dev := range d.AllDevices {
			ref := sim.Ref{District: d.ID, Site: site, Device: dev.ID}
			if err := e.add(ref, dev, gateways, stations); err != nil {
				faults = append(faults, fmt.Errorf("simulated device %s: %w", ref, err))
			}
		}
	}
	for address, s := range stations {
		if err := s.run(ctx, &e.wg); err != nil {
			faults = append(faults, err)
			continue
		}
		e.stations = append(e.stations, s)
		e.addresses[address] = s.url
	}
	if err := errors.Join(faults...); err != nil {
		e.Close()
		return nil, err
	}
	e.refresh()
	e.wg.Go(func() { e.watch(ctx) })
	return e, nil
}

func (e *Endpoints) add(ref sim.Ref, dev *district.Device, gateways map[string]*serve.Server, stations map[string]*station) error {
	p, err := profile.Load(dev.Profile)
	if err != nil {
		return err
	}
	switch p.Protocol {
	case profile.Modbus:
		if !strings.HasPrefix(dev.Address, "tcp://") {
			return fmt.Errorf("address %q: profile %s speaks Modbus, want tcp://host:port", dev.Address, p.Name)
		}
		srv := gateways[dev.Address]
		if srv == nil {
			l, err := e.listen(dev.Address)
			if err != nil {
				return fmt.Errorf("gateway %s: %w", dev.Address, err)
			}
			srv = serve.Serve(l, serve.Config{Silent: true, IdleTimeout: 10 * time.Minute})
			gateways[dev.Address] = srv
			e.modbus = append(e.modbus, srv)
			e.addresses[dev.Address] = srv.URL()
		}
		u, err := newUnit(e, ref, dev, p, srv)
		if err != nil {
			return err
		}
		e.units = append(e.units, u)
	case profile.OPCUA:
		if !strings.HasPrefix(dev.Address, "opc.tcp://") {
			return fmt.Errorf("address %q: profile %s speaks OPC UA, want opc.tcp://host:port", dev.Address, p.Name)
		}
		s := stations[dev.Address]
		if s == nil {
			s = &station{world: e.world, namespace: p.Namespace, server: opcserve.New(opcserve.Config{NamespaceURI: p.Namespace, Name: "Simulated " + dev.Name, Now: e.now})}
			stations[dev.Address] = s
		}
		return s.add(ref, p)
	default:
		return fmt.Errorf("profile %s: protocol %q cannot be simulated", p.Name, p.Protocol)
	}
	return nil
}

// Addresses maps each address of the configuration to the real one on loopback.
func (e *Endpoints) Addresses() map[string]string {
	out := make(map[string]string, len(e.addresses))
	for k, v := range e.addresses {
		out[k] = v
	}
	return out
}

// Close stops every server and waits for them. It may be called twice.
func (e *Endpoints) Close() error {
	var errs []error
	e.once.Do(func() {
		e.cancel()
		for _, s := range e.modbus {
			if err := s.Close(); err != nil {
				errs = append(errs, err)
			}
		}
		e.wg.Wait()
	})
	return errors.Join(errs...)
}

func (e *Endpoints) watch(ctx context.Context) {
	tick := time.NewTicker(Refresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			for _, s := range e.modbus {
				_ = s.Close() // its listener; the error of a second close says nothing
			}
			return
		case <-tick.C:
			e.refresh()
		}
	}
}

func (e *Endpoints) refresh() {
	for _, u := range e.units {
		u.attend()
	}
	for _, s := range e.stations {
		s.refresh(e.now().UTC(), e.log)
	}
}
