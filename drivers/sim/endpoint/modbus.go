package endpoint

import (
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus/serve"
	"quartier/drivers/profile"
	"quartier/drivers/sim"
	"quartier/schemas/district"
)

// slowness is how long a slow device takes to answer.
const slowness = 3 * time.Second

// unit is one device behind a gateway: the bank of registers that its profile describes.
type unit struct {
	world  *sim.World
	done   <-chan struct{}
	ref    sim.Ref
	dev    *district.Device
	p      *profile.Profile
	device *serve.Device
	server *serve.Server
	silent atomic.Bool
	ctl    drivers.Control
	hasCtl bool
	shared []string // points whose registers the device alone changes

	wall func() time.Time

	before map[string]float64 // the points that a command writes, as they stood before the first one; nil where the profile does not restore them

	mu      sync.Mutex // of renewed and of bringing registers up to date
	renewed time.Time  // when the command in force was written last, by the machine's clock; zero without one
}

func newUnit(e *Endpoints, ref sim.Ref, dev *district.Device, p *profile.Profile, srv *serve.Server) (*unit, error) {
	u := &unit{world: e.world, done: e.done, wall: e.wall, ref: ref, dev: dev, p: p, server: srv}
	u.ctl, u.hasCtl = p.ControlFor(*dev)
	var err error
	if u.device, err = serve.NewDevice(p, u.written); err != nil {
		return nil, err
	}
	for _, pt := range p.Points {
		if pt.Register != nil && !pt.Writable() {
			u.shared = append(u.shared, pt.Name)
		}
	}
	u.idle()
	if u.hasCtl && u.ctl.Restore == drivers.RestorePrevious {
		u.before = map[string]float64{}
		for _, name := range p.Control.Written() {
			if v, err := u.device.Value(name); err == nil {
				u.before[name] = v
			}
		}
	}
	srv.Handle(dev.Unit, u)
	return u, nil
}

// idle shows in the registers that take commands what the device does without one.
func (u *unit) idle() {
	for _, pt := range u.p.Points {
		if pt.Register == nil || !pt.Writable() || !pt.Readable() {
			continue
		}
		v, ok := u.world.Value(u.ref, pt.Name)
		if !ok {
			v = 0
		}
		_ = u.device.Set(pt.Name, v) // what does not fit its register stays as it was
	}
}

// bring sets all measured values. A value that the device does not have, or that does not fit its register, is marked as not implemented where the
// profile has such a mark, as a real device would.
func (u *unit) bring() {
	u.mu.Lock()
	defer u.mu.Unlock()
	for _, name := range u.shared {
		v, ok := u.value(name)
		if !ok {
			v = math.NaN()
		}
		if err := u.device.Set(name, sim.Rollover(u.p.Point(name), v)); err != nil {
			_ = u.device.Set(name, math.NaN()) // no mark either: the register keeps its value
		}
	}
}

func (u *unit) value(name string) (float64, bool) {
	switch name {
	case "rated_kw":
		switch {
		case u.dev.PV != nil:
			return u.dev.PV.PeakKW, true
		case u.dev.Battery != nil:
			return u.dev.Battery.ChargeKW, true
		}
	case "capacity_kwh":
		if u.dev.Battery != nil {
			return u.dev.Battery.CapacityKWh, true
		}
	case "current_l1_a", "current_l2_a", "current_l3_a":
		kw, ok := u.world.Value(u.ref, district.PowerKW)
		if u.dev.EVCharger != nil {
			a, ok := u.world.Value(u.ref, "current_a")
			return a, ok
		}
		return math.Abs(kw) * 1000 / 3 / 231, ok
	}
	return u.world.Value(u.ref, name)
}

// written is called after a client changed registers: once they stand for a command, the device follows it.
func (u *unit) written(map[string]float64) {
	if !u.hasCtl {
		return
	}
	if u.device.Released() || u.restored() {
		u.release()
		return
	}
	v, ok := u.device.Command()
	if !ok { // in the middle of a sequence
		return
	}
	u.mu.Lock()
	u.renewed = u.wall()
	u.mu.Unlock()
	// a refusal of the machine itself shows in its values: the registers took what was written
	_ = u.world.Command(u.ref, u.ctl.Quantity, v, 0, nil)
}

// restored reports whether the points stand again as before the first command.
func (u *unit) restored() bool {
	for name, v := range u.before {
		if now, err := u.device.Value(name); err != nil || now != v {
			return false
		}
	}
	return u.before != nil
}

func (u *unit) release() {
	u.mu.Lock()
	u.renewed = time.Time{}
	u.mu.Unlock()
	_ = u.world.Release(u.ref) // the device exists: it was served
}

// revert ends a command that was not renewed within the device's reversion time. That runs on the machine's clock, as the master's does, also where the
// districts' clock runs faster. The registers then show what the device does by itself; a charger keeps its safe current.
func (u *unit) revert() {
	u.mu.Lock()
	late := !u.renewed.IsZero() && u.ctl.Reversion > 0 && u.wall().Sub(u.renewed) >= u.ctl.Reversion
	u.mu.Unlock()
	if !late {
		return
	}
	u.release()
	if u.dev.EVCharger != nil {
		_ = u.world.Command(u.ref, u.ctl.Quantity, u.ctl.Safe, 0, nil) // its own value: it does not refuse it
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.renewed.IsZero() { // no new command came meanwhile
		u.idle()
	}
}

// attend takes a silent device off the wire and puts it back, and ends commands that are too old.
func (u *unit) attend() {
	u.revert()
	silent := u.world.Fault(u.ref) == sim.Silent
	if silent == u.silent.Swap(silent) {
		return
	}
	if silent {
		u.server.Handle(u.dev.Unit, nil)
		return
	}
	u.server.Handle(u.dev.Unit, u)
}

// Read serves a client.
func (u *unit) Read(t profile.Table, address, quantity uint16) ([]uint16, error) {
	switch u.world.Fault(u.ref) {
	case sim.Exceptions:
		return nil, serve.DeviceFailure
	case sim.Garbage:
		out := make([]uint16, quantity)
		for i := range out {
			out[i] = uint16(rand.Uint32())
			if t.Bits() {
				out[i] &= 1
			}
		}
		return out, nil
	case sim.Slow:
		u.dawdle()
	}
	u.bring()
	return u.device.Read(t, address, quantity)
}

func (u *unit) dawdle() {
	t := time.NewTimer(slowness)
	defer t.Stop()
	select {
	case <-t.C:
	case <-u.done:
	}
}

// Write serves a client.
func (u *unit) Write(t profile.Table, address uint16, values []uint16) error {
	switch u.world.Fault(u.ref) {
	case sim.Exceptions, sim.Garbage:
		return serve.DeviceFailure
	case sim.Forgetful:
		return nil
	case sim.Slow:
		u.dawdle()
	}
	return u.device.Write(t, address, values)
}
