package backtest

import (
	"context"
	"math"

	"quartier/scheduler/devices"
)

const (
	// hysteresisK is between the temperatures at which a room's thermostat starts and ends heating.
	hysteresisK = 0.5
	// hysteresisShare is that of a tank's thermostat, as a share of its usable heat.
	hysteresisShare = 0.2
	// reserveShare is the share of a tank's usable heat that rules keep without the sun.
	reserveShare = 0.5
	// boostK is how far above its thermostat's range rules heat a room with the sun.
	boostK = 1.0
)

// thermostats heat each device by its own temperature alone.
type thermostats struct {
	f            fleet
	tanks, rooms []bool // heating
}

func newThermostats(f fleet) *thermostats {
	return &thermostats{f: f, tanks: make([]bool, len(f.tanks)), rooms: make([]bool, len(f.rooms))}
}

// tank heats from where the hysteresis below a level begins up to that level.
func (o *thermostats) tank(i, slot int, kwh, level float64) float64 {
	usable := devices.UsableKWh(&o.f.tanks[i].Heater)
	low := math.Max(0, level-hysteresisShare*usable)
	free := o.f.free(i, slot, kwh)
	if !o.tanks[i] && free >= low {
		return 0
	}
	kw := o.f.heat(i, slot, kwh, level)
	o.tanks[i] = free+o.f.c.Hours()*o.f.tanks[i].COP*kw < level-1e-9
	return kw
}

// room heats from the lower edge of the comfort band up to the hysteresis above it.
func (o *thermostats) room(i, slot int, roomC float64) float64 {
	low := o.f.rooms[i].MinC[o.f.hour(slot)]
	if !o.rooms[i] && o.f.after(i, slot, roomC, 0) >= low {
		return 0
	}
	kw := o.f.warm(i, slot, roomC, low+hysteresisK)
	o.rooms[i] = o.f.after(i, slot, roomC, kw) < low+hysteresisK-1e-9
	return kw
}

// devices of a neighbourhood without control: tanks are kept full, rooms warm, and cars charge on arrival.
func (r resting) devices(_ context.Context, n now, kw flexKW) error {
	for i, t := range r.f.tanks {
		kw.tanks[i] = r.tank(i, n.step, n.have.tankKWh[i], devices.UsableKWh(&t.Heater))
	}
	for i := range r.f.rooms {
		kw.rooms[i] = r.room(i, n.step, n.have.roomC[i])
	}
	for i := range r.f.chargers {
		_, kw.chargers[i] = r.f.needs(i, n.step, n.have.carKWh[i])
	}
	return nil
}

// devices under rules: what the sun leaves goes to cars, tanks, stores and rooms in this order. Without it a car waits until it must charge, half of a tank is kept hot, and
// rooms are kept at the lower edge of their band. An import limit cuts what can wait first.
func (r rules) devices(_ context.Context, n now, kw flexKW) error {
	f, need := r.f, r.f.off()
	surplus := -n.netKW
	for i := range f.rooms { // what they need they need in any case
		need.rooms[i] = r.room(i, n.step, n.have.roomC[i])
		kw.rooms[i] = need.rooms[i]
		surplus -= kw.rooms[i]
	}
	for i := range f.chargers {
		least, most := f.needs(i, n.step, n.have.carKWh[i])
		need.chargers[i] = least
		kw.chargers[i] = math.Max(least, math.Min(most, surplus))
		surplus -= kw.chargers[i]
	}
	for i, t := range f.tanks {
		usable := devices.UsableKWh(&t.Heater)
		must := r.tank(i, n.step, n.have.tankKWh[i], reserveShare*usable)
		may := f.heat(i, n.step, n.have.tankKWh[i], usable)
		need.tanks[i] = must
		kw.tanks[i] = math.Max(must, math.Min(may, surplus))
		surplus -= kw.tanks[i]
	}
	if surplus > 0 {
		surplus -= r.pool.Within(n.stored, surplus, f.c.Hours())
	}
	for i, one := range f.rooms {
		if surplus <= 0 {
			break
		}
		h := f.hour(n.step)
		may := f.warm(i, n.step, n.have.roomC[i], math.Min(one.MaxC[h], one.MinC[h]+hysteresisK+boostK))
		if more := math.Min(may-kw.rooms[i], surplus); more > 0 {
			kw.rooms[i] += more
			surplus -= more
		}
	}
	r.hold(n, kw, need)
	return nil
}
