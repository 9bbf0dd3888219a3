package endpoint_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/modbus"
	"quartier/drivers/profile"
	"quartier/drivers/sim"
	"quartier/drivers/sim/endpoint"
	"quartier/drivers/sim/simtest"
	"quartier/schemas/district"
)

type bench struct {
	t         *testing.T
	cfg       sim.WorldConfig
	world     *sim.World
	addresses map[string]string
	pool      *modbus.Pool
	at        time.Time
}

func start(t *testing.T, name string, at time.Time, options ...endpoint.Option) *bench {
	t.Helper()
	b := &bench{t: t, cfg: simtest.Load(t, name, at), at: at, pool: modbus.NewPool(modbus.Config{Timeout: 10 * time.Second, MinBackoff: time.Millisecond, MaxBackoff: 10 * time.Millisecond})}
	var err error
	if b.world, err = sim.New(b.cfg); err != nil {
		t.Fatal(err)
	}
	e, err := endpoint.Start(context.Background(), b.world, b.cfg.Districts, nil, options...)
	if err != nil {
		t.Fatal(err)
	}
	b.addresses = e.Addresses()
	t.Cleanup(func() {
		if err := b.pool.Close(); err != nil {
			t.Error(err)
		}
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

func (b *bench) wait(d time.Duration) {
	b.at = b.at.Add(d)
	b.world.Advance(b.at)
}

// open returns the driver of a device as the product makes it, on the real address.
func (b *bench) open(ref sim.Ref) *modbus.Device {
	b.t.Helper()
	for i := range b.cfg.Districts {
		if d := &b.cfg.Districts[i]; d.ID == ref.District {
			dev := *d.Device(ref.Site, ref.Device)
			dev.Address = b.addresses[dev.Address]
			dr, err := b.pool.Device(dev, profile.MustLoad(dev.Profile))
			if err != nil {
				b.t.Fatal(err)
			}
			b.t.Cleanup(func() {
				if err := dr.Close(); err != nil {
					b.t.Error(err)
				}
			})
			return dr
		}
	}
	b.t.Fatalf("no device %s", ref)
	return nil
}

func ctx(t *testing.T) context.Context {
	c, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return c
}

// TestReadBack: every Modbus device of the demonstration, read through the product's driver by its profile, tells what the world holds, within the resolution of its
// registers; every address of the configuration has a real one.
func TestReadBack(t *testing.T) {
	b := start(t, "demo", time.Date(2026, 5, 12, 11, 0, 0, 0, time.UTC))
	devices, values := 0, 0
	for i := range b.cfg.Districts {
		d := &b.cfg.Districts[i]
		for site, dev := range d.AllDevices {
			if b.addresses[dev.Address] == "" || b.addresses[dev.Address] == dev.Address {
				t.Errorf("no real address for %s", dev.Address)
			}
			p := profile.MustLoad(dev.Profile)
			if p.Protocol != profile.Modbus {
				continue
			}
			devices++
			ref := sim.Ref{District: d.ID, Site: site, Device: dev.ID}
			readings, err := b.open(ref).Read(ctx(t))
			if err != nil {
				t.Errorf("%s: %v", ref, err)
				continue
			}
			got := map[string]drivers.Reading{}
			for _, r := range readings {
				got[r.Point] = r
			}
			for _, pt := range p.Points {
				want, ok := b.world.Value(ref, pt.Name)
				if !ok || !pt.Readable() {
					continue
				}
				r, ok := got[pt.Name]
				if !ok || r.Quality != district.Good {
					t.Errorf("%s %s: not read (%v)", ref, pt.Name, r.Quality)
					continue
				}
				values++
				var sf int16
				if pt.Register.ScaleFactor != nil {
					sf = pt.Register.ScaleFactor.Simulated
				}
				tolerance := pt.Resolution(sf)*0.51 + 1e-6*math.Abs(want) + 1e-9
				if pt.Name == district.StatusState && len(pt.States) > 0 {
					continue // a device's own words
				}
				if math.Abs(r.Value-want) > tolerance {
					t.Errorf("%s %s: read %g %s, the world holds %g", ref, pt.Name, r.Value, pt.Unit, want)
				}
			}
		}
	}
	if devices < 60 || values < 300 {
		t.Errorf("%d devices with %d values read", devices, values)
	}
}

// TestCommandsArrive: a set-point written through the driver changes the machine as its profile says, for every controllable kind, and reads back.
func TestCommandsArrive(t *testing.T) {
	b := start(t, "demo", time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC))
	for _, tt := range []struct {
		name, site, dev string
		command         float64
		point           string // of the world afterwards
		want, tolerance float64
	}{
		{"battery charges", "residence-lac", "battery", 15, district.PowerKW, 15, 0.1},
		{"battery discharges", "ecole-colette", "battery", -12, district.PowerKW, -12, 0.1},
		{"battery stands still", "ecole-buffon", "battery", 0, district.SetpointKW, 0, 0},
		{"sun is limited", "ecole-buffon", "pv", 0.25, district.PowerKW, -0.25 * 0.9 * 240, 0.1},
		{"Huawei sun is limited", "maison-noyers", "pv", 0.5, district.LimitShare, 0.5, 0.01},
		{"charger is limited", "residence-lac", "charger-1", 8, district.LimitA, 8, 0.01},
		{"charger pauses", "residence-champs", "charger-1", 0, district.LimitA, 0, 0},
		{"ABB charger is limited", "residence-prairie", "charger-1", 10, district.LimitA, 10, 0.01},
		{"heat pump is blocked", "residence-rameau", "heatpump", 1, district.SGReady, 1, 0},
		{"heat pump is asked to run", "residence-lac", "heatpump", 3, district.SGReady, 3, 0},
		{"water heater is switched off", "maison-noyers", "hotwater", 0, "on_off", 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ref := sim.Ref{District: "fontaine", Site: tt.site, Device: tt.dev}
			dr := b.open(ref)
			c, ok := dr.Control()
			if !ok {
				t.Fatal("the driver knows no control")
			}
			if _, err := dr.Write(ctx(t), c.Point, tt.command); err != nil {
				t.Fatalf("write %s %g: %v", c.Point, tt.command, err)
			}
			b.wait(20 * time.Second)
			if got, ok := b.world.Value(ref, tt.point); !ok || math.Abs(got-tt.want) > tt.tolerance {
				t.Errorf("%s is %g, want %g", tt.point, got, tt.want)
			}
			if !b.world.Commanded(ref) {
				t.Error("no command is in force")
			}
		})
	}
}

// TestGivenBack: every device of the demonstration that takes commands follows its own control again once it was given back, whatever the command before was.
func TestGivenBack(t *testing.T) {
	b := start(t, "demo", time.Date(2026, 3, 17, 10, 0, 0, 0, time.UTC))
	kinds := map[string]bool{}
	profiles := map[sim.Ref]string{}
	for i := range b.cfg.Districts {
		for site, dev := range b.cfg.Districts[i].AllDevices {
			profiles[sim.Ref{District: b.cfg.Districts[i].ID, Site: site, Device: dev.ID}] = dev.Profile
		}
	}
	for _, ref := range b.world.Devices() {
		name := profiles[ref]
		if p := profile.MustLoad(name); p.Control == nil || p.Protocol != profile.Modbus || kinds[name] {
			continue
		}
		kinds[name] = true
		dr := b.open(ref)
		c, _ := dr.Control()
		command := c.Min
		if c.Pause != nil {
			command = *c.Pause
		}
		if _, err := dr.Write(ctx(t), c.Point, command); err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if !b.world.Commanded(ref) && command != c.Safe {
			t.Errorf("%s is not commanded by %g", ref, command)
		}
		if _, err := dr.Release(ctx(t)); err != nil {
			t.Errorf("release of %s: %v", ref, err)
		}
		if v, _ := b.world.Value(ref, c.Point); b.world.Commanded(ref) && v != c.Safe {
			t.Errorf("%s is still commanded after release, at %g", ref, v)
		}
	}
	if len(kinds) < 5 {
		t.Errorf("only %v were tried", kinds)
	}
}

// TestDeadSystem: when nothing more is written, a battery goes back to its own control, and a charger keeps its safe current, both visible in the registers.
func TestDeadSystem(t *testing.T) {
	var ahead atomic.Int64 // of the machine's clock
	wall := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	b := start(t, "demo", time.Date(2026, 6, 16, 10, 0, 0, 0, time.UTC), endpoint.WithWall(wall))
	battery := sim.Ref{District: "fontaine", Site: "ecole-buffon", Device: "battery"}
	charger := sim.Ref{District: "fontaine", Site: "residence-lac", Device: "charger-1"}
	bd, cd := b.open(battery), b.open(charger)
	if _, err := bd.Write(ctx(t), district.SetpointKW, -10); err != nil {
		t.Fatal(err)
	}
	if _, err := cd.Write(ctx(t), district.LimitA, 14); err != nil {
		t.Fatal(err)
	}
	ahead.Store(int64(30 * time.Second))
	b.wait(2 * time.Hour) // the districts' clock may run faster
	time.Sleep(2 * endpoint.Refresh)
	if got, _ := b.world.Value(charger, district.LimitA); got != 14 || !b.world.Commanded(battery) {
		t.Errorf("limit %g A after 30 s, want 14 A for a minute; battery commanded %v", got, b.world.Commanded(battery))
	}
	ahead.Store(int64(20 * time.Minute))
	for deadline := time.Now().Add(10 * time.Second); b.world.Commanded(battery) && time.Now().Before(deadline); {
		time.Sleep(endpoint.Refresh / 5)
	}
	time.Sleep(2 * endpoint.Refresh)
	if b.world.Commanded(battery) {
		t.Error("the battery's command outlived its reversion time")
	}
	r, err := cd.Read(ctx(t), district.LimitA)
	if err != nil || len(r) != 1 || r[0].Value != 6 {
		t.Errorf("the charger shows %v (%v), want its safe 6 A", r, err)
	}
	if r, err = bd.Read(ctx(t), district.SetpointKW); err != nil || len(r) != 1 || r[0].Value != 0 {
		t.Errorf("the battery shows set-point %v (%v), want none", r, err)
	}
}

var errWrong = errors.New("a value that cannot be")

// TestFaultsOnTheWire: each fault looks to the driver as it would in the field, the neighbour behind the same gateway goes on, and the device comes back.
func TestFaultsOnTheWire(t *testing.T) {
	b := start(t, "small", time.Date(2026, 6, 16, 10, 0, 0, 0, time.UTC))
	grid := sim.Ref{District: "rue-verte", Site: "house", Device: "grid"}
	neighbour := b.open(sim.Ref{District: "rue-verte", Site: "house", Device: "pv"})
	dev := *b.cfg.Districts[0].Device("house", "grid")
	dev.Address = b.addresses[dev.Address]
	fault := func(f sim.Fault) {
		t.Helper()
		if err := b.world.SetFault(grid, f); err != nil {
			t.Fatal(err)
		}
		if f == sim.Silent || f == sim.NoFault {
			time.Sleep(2 * endpoint.Refresh) // silence is looked at every Refresh
		}
	}
	read := func() error {
		pool := modbus.NewPool(modbus.Config{Timeout: time.Second, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond})
		defer func() { _ = pool.Close() }()
		dr, err := pool.Device(dev, profile.MustLoad(dev.Profile))
		if err != nil {
			t.Fatal(err)
		}
		r, err := dr.Read(ctx(t), district.FrequencyHz)
		if err == nil && (len(r) != 1 || r[0].Quality != district.Good || math.Abs(r[0].Value-50) > 1) {
			err = errWrong
		}
		return err
	}
	if err := read(); err != nil {
		t.Fatalf("before any fault: %v", err)
	}
	for _, tt := range []struct {
		fault sim.Fault
		want  []error
	}{
		{sim.Silent, []error{drivers.ErrUnreachable}},
		{sim.Exceptions, []error{drivers.ErrRejected}},
		{sim.Slow, []error{drivers.ErrUnreachable}},
		{sim.Garbage, []error{drivers.ErrGarbage, errWrong}}, // random registers: NaN, or a frequency that no grid has
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			fault(tt.fault)
			err, ok := read(), false
			for _, w := range tt.want {
				ok = ok || errors.Is(err, w)
			}
			if !ok {
				t.Errorf("read: %v, want one of %v", err, tt.want)
			}
			if _, err := neighbour.Read(ctx(t), district.PowerKW); err != nil {
				t.Errorf("the inverter behind the same gateway: %v", err)
			}
			fault(sim.NoFault)
			if err := read(); err != nil {
				t.Errorf("after the fault: %v", err)
			}
		})
	}
}

// TestStation: the transformer station's OPC UA nodes show the world's values in the profile's units.
func TestStation(t *testing.T) {
	b := start(t, "demo", time.Date(2026, 5, 12, 11, 0, 0, 0, time.UTC))
	p := profile.MustLoad("quartier-substation-opcua")
	ref := sim.Ref{District: "valmy", Site: "_", Device: "substation"}
	c, err := opcua.NewClient(b.addresses["opc.tcp://poste.valmy.example:4840"], opcua.SecurityMode(ua.MessageSecurityModeNone))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(ctx(t)); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	ns, err := c.FindNamespace(ctx(t), p.Namespace)
	if err != nil {
		t.Fatal(err)
	}
	for _, pt := range p.Points {
		id := ua.NewStringNodeID(ns, strings.TrimPrefix(pt.Node.ID, "s="))
		v, err := c.Node(id).Value(ctx(t))
		if err != nil {
			t.Errorf("%s: %v", pt.Name, err)
			continue
		}
		got, err := pt.FromDevice(v.Float())
		if err != nil {
			t.Fatal(err)
		}
		want, ok := b.world.Value(ref, pt.Name)
		if !ok || math.Abs(got-want) > 1e-6*math.Abs(want)+1e-9 {
			t.Errorf("%s: read %g, the world holds %g (%v)", pt.Name, got, want, ok)
		}
	}
}

// TestRefusals: devices that cannot be served are all named, and nothing is left running.
func TestRefusals(t *testing.T) {
	cfg := simtest.Load(t, "small", time.Date(2026, 5, 12, 11, 0, 0, 0, time.UTC))
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	devs := cfg.Districts[0].Sites[0].Devices
	devs[0].Profile, devs[1].Address = "no-such-profile", "opc.tcp://x:1"
	_, err = endpoint.Start(context.Background(), w, cfg.Districts, nil)
	if err == nil {
		t.Fatal("started")
	}
	for _, part := range []string{"house/grid", "no-such-profile", "house/pv", "want tcp://"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told in: %v", part, err)
		}
	}
}
