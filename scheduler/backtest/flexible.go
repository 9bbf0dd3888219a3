package backtest

import (
	"errors"
	"fmt"
	"math"

	"quartier/scheduler/devices"
	"quartier/schemas/district"
)

// Powers are means of a slot: a heater, a heat pump or a charger that runs for a part of it draws so much in the mean, and needs no least power nor a count of its starts.

// Tank is a hot-water tank with its heater. Of the heat between its lowest and its highest temperature
//
//	e' = (1 - loss*h)*e + h*(cop*power - draw - standing) + lacking,  0 <= e' <= usable
//
// where standing is what the tank loses at its lowest temperature. What lacks is cold water at the tap: it is not made up for later.
type Tank struct {
	Heater district.WaterHeaterParams // its heat is that above [devices.ColdWaterC]
	COP    float64                    // heat per electricity: 1 of an element
	DrawKW []float64                  // heat drawn in each slot
}

// Room is a heated building, one thermal mass, with its heat pump:
//
//	a = exp(-h/(R*C)),  T' = a*T + (1-a)*(outdoor + R*(cop*power + gains))
type Room struct {
	Pump       district.HeatPumpParams
	GainsKW    []float64 // of sun and people, in each slot
	MinC, MaxC [24]float64
}

// Charger is a charging point with the cars that stand there, one after the other.
type Charger struct {
	MaxKW    float64
	Sessions []Session // by arrival
}

// Session is the stay of a car in whole slots. That it departs then, and wants so much, is known when it arrives.
type Session struct {
	Arrive, Depart int // slots; the second is the first without it
	EnergyKWh      float64
}

// fleet lists the flexible devices of a case.
type fleet struct {
	c        *Case
	tanks    []*Tank
	rooms    []*Room
	chargers []*Charger
	partly   int // cars that stand there for a part of the run and are left out
}

// fleet lists the devices for a run over the slots [from, to); a car that does not arrive and depart within them is left out of it.
func (c *Case) fleet(from, to int) fleet {
	f := fleet{c: c}
	for i := range c.Sites {
		s := &c.Sites[i]
		if s.Tank != nil {
			f.tanks = append(f.tanks, s.Tank)
		}
		if s.Room != nil {
			f.rooms = append(f.rooms, s.Room)
		}
		for _, p := range s.Chargers {
			within := &Charger{MaxKW: p.MaxKW}
			for _, one := range p.Sessions {
				if one.Arrive >= from && one.Depart <= to {
					within.Sessions = append(within.Sessions, one)
				} else if one.Arrive < to && one.Depart > from {
					f.partly++
				}
			}
			f.chargers = append(f.chargers, within)
		}
	}
	return f
}

func (f fleet) empty() bool { return len(f.tanks)+len(f.rooms)+len(f.chargers) == 0 }

// flexKW is what the devices draw, kW, in the fleet's order.
type flexKW struct{ tanks, rooms, chargers []float64 }

func (f fleet) off() flexKW {
	return flexKW{make([]float64, len(f.tanks)), make([]float64, len(f.rooms)), make([]float64, len(f.chargers))}
}

func (p flexKW) total() float64 { return total(p.tanks) + total(p.rooms) + total(p.chargers) }

// state is what was measured of the devices at a slot's begin.
type state struct {
	tankKWh []float64 // above the lowest temperature
	roomC   []float64
	carKWh  []float64 // got since the car at the point arrived
}

// begin is the state at a run's begin: tanks half full, rooms at the lower edge of their band.
func (f fleet) begin(from int) state {
	s := state{make([]float64, len(f.tanks)), make([]float64, len(f.rooms)), make([]float64, len(f.chargers))}
	for i, t := range f.tanks {
		s.tankKWh[i] = devices.UsableKWh(&t.Heater) / 2
	}
	for i, r := range f.rooms {
		s.roomC[i] = r.MinC[f.hour(from)]
	}
	return s
}

// hour is the hour of the clock in which a slot begins.
func (f fleet) hour(t int) int { return f.c.at(t).Hour() }

// taken is the heat that leaves a tank in a slot beside what it loses of its usable heat, kW.
func (t *Tank) taken(slot int) float64 { return t.DrawKW[slot] + devices.StandingKW(&t.Heater) }

// free is a tank's usable heat at a slot's end with its heater off, kWh; below 0 where that lacks.
func (f fleet) free(i, slot int, kwh float64) float64 {
	t, h := f.tanks[i], f.c.Hours()
	return kwh*(1-t.Heater.LossPerHour*h) - h*t.taken(slot)
}

// heat is the power with which a tank ends a slot at a level, or comes as near as its heater can.
func (f fleet) heat(i, slot int, kwh, level float64) float64 {
	t := f.tanks[i]
	return math.Max(0, math.Min(t.Heater.MaxKW, (level-f.free(i, slot, kwh))/(f.c.Hours()*t.COP)))
}

// settled is where a room's temperature tends to in a slot at a power, and the share a of it that is left of the present one.
func (f fleet) settled(i, slot int, kw float64) (towardsC, a float64) {
	r := f.rooms[i]
	p := &r.Pump
	out := f.c.OutdoorC[slot]
	return out + p.ResistanceKPerKW*(devices.COP(p, out)*kw+r.GainsKW[slot]), math.Exp(-f.c.Hours() / (p.ResistanceKPerKW * p.CapacityKWhPerK))
}

// after is a room's temperature at a slot's end at a power.
func (f fleet) after(i, slot int, roomC, kw float64) float64 {
	towards, a := f.settled(i, slot, kw)
	return a*roomC + (1-a)*towards
}

// warm is the power with which a room ends a slot at a temperature, or comes as near as its heat pump can.
func (f fleet) warm(i, slot int, roomC, target float64) float64 {
	p := &f.rooms[i].Pump
	towards, a := f.settled(i, slot, 0)
	kw := ((target-a*roomC)/(1-a) - towards) / (p.ResistanceKPerKW * devices.COP(p, f.c.OutdoorC[slot]))
	return math.Max(0, math.Min(p.MaxKW, kw))
}

// car is the one that stands at a point in a slot, nil where none does.
func (p *Charger) car(slot int) *Session {
	for i := range p.Sessions {
		if s := &p.Sessions[i]; s.Arrive <= slot && slot < s.Depart {
			return s
		}
	}
	return nil
}

// needs are the least power of a car in a slot with which it can still be full at departure, and the most that it takes.
func (f fleet) needs(i, slot int, got float64) (least, most float64) {
	p := f.chargers[i]
	s := p.car(slot)
	if s == nil {
		return 0, 0
	}
	left := math.Max(0, s.EnergyKWh-got) / f.c.Hours()
	most = math.Min(p.MaxKW, left)
	return math.Min(most, math.Max(0, left-p.MaxKW*float64(s.Depart-slot-1))), most
}

// arrives reports whether a car comes in a slot.
func (f fleet) arrives(slot int) bool {
	for _, p := range f.chargers {
		if s := p.car(slot); s != nil && s.Arrive == slot {
			return true
		}
	}
	return false
}

// within brings powers to what the devices can do in a slot: their own thermostats end heating when a tank is hot, and a car takes no more than it wants.
func (f fleet) within(s state, slot int, kw flexKW) {
	for i, t := range f.tanks {
		kw.tanks[i] = math.Max(0, math.Min(kw.tanks[i], f.heat(i, slot, s.tankKWh[i], devices.UsableKWh(&t.Heater))))
	}
	for i, r := range f.rooms {
		kw.rooms[i] = math.Max(0, math.Min(kw.rooms[i], r.Pump.MaxKW))
	}
	for i := range f.chargers {
		_, most := f.needs(i, slot, s.carKWh[i])
		kw.chargers[i] = math.Max(0, math.Min(kw.chargers[i], most))
	}
}

// cut lowers powers by so much, kW, or as far as they go: first those of cars, tanks and rooms above what they need, then that too.
func (f fleet) cut(kw, need flexKW, over float64) {
	for _, to := range []flexKW{need, f.off()} {
		for _, s := range [][2][]float64{{kw.chargers, to.chargers}, {kw.tanks, to.tanks}, {kw.rooms, to.rooms}} {
			for i := range s[0] {
				if over <= 0 {
					return
				}
				less := math.Max(0, math.Min(over, s[0][i]-s[1][i]))
				s[0][i] -= less
				over -= less
			}
		}
	}
}

// outcome is what a slot was like for people.
type outcome struct {
	roomsKH, waterKH  float64
	waterLacksKWh     float64
	carsLackKWh       float64
	carsShort         int
	cost              float64 // of discomfort, as plans price it
	roomHeat, tapHeat float64 // kWh given to rooms, and to tanks
}

// advance carries a slot out at powers within what is possible.
func (f fleet) advance(s state, slot int, kw flexKW) (o outcome) {
	h := f.c.Hours()
	for i, t := range f.tanks {
		usable := devices.UsableKWh(&t.Heater)
		e := f.free(i, slot, s.tankKWh[i]) + h*t.COP*kw.tanks[i]
		if lacks := -e; lacks > 1e-9 {
			o.waterLacksKWh += lacks
			o.cost += devices.WaterLackPerKWh * lacks
			if taken := h * t.taken(slot); taken > 0 { // so much colder is the water that is drawn
				o.waterKH += h * math.Min(1, lacks/taken) * (t.Heater.MinC - devices.ColdWaterC)
			}
		}
		o.tapHeat += h * t.COP * kw.tanks[i]
		s.tankKWh[i] = math.Max(0, math.Min(usable, e))
	}
	for i, r := range f.rooms {
		s.roomC[i] = f.after(i, slot, s.roomC[i], kw.rooms[i])
		out := math.Max(r.MinC[f.hour(slot)]-s.roomC[i], s.roomC[i]-r.MaxC[f.hour(slot)])
		if out = math.Max(0, out-1e-9); out > 0 {
			o.roomsKH += h * out
			o.cost += h * out * devices.DiscomfortPerKH(r.Pump.CapacityKWhPerK)
		}
		o.roomHeat += h * devices.COP(&r.Pump, f.c.OutdoorC[slot]) * kw.rooms[i]
	}
	for i, p := range f.chargers {
		one := p.car(slot)
		if one == nil {
			continue
		}
		s.carKWh[i] += h * kw.chargers[i]
		if slot+1 < one.Depart {
			continue
		}
		if lacks := one.EnergyKWh - s.carKWh[i]; lacks > 1e-6 {
			o.carsLackKWh += lacks
			o.carsShort++
			o.cost += devices.CarLackPerKWh * lacks
		}
		s.carKWh[i] = 0
	}
	return o
}

// validate names what is wrong with the flexible devices of a site.
func (s *Site) validate(c *Case, series func(what string, v []float64, least float64)) (errs []error) {
	bad := func(ok bool, what string, v float64) {
		if !ok || math.IsNaN(v) || math.IsInf(v, 0) {
			errs = append(errs, fmt.Errorf("%s of %s is %g", what, s.ID, v))
		}
	}
	if t := s.Tank; t != nil {
		w := &t.Heater
		bad(w.MaxKW > 0, "the heater power in kW", w.MaxKW)
		bad(t.COP > 0, "the heat per electricity of the heater", t.COP)
		bad(w.CapacityKWh > 0, "the heat in kWh that the tank holds", w.CapacityKWh)
		bad(w.MinC > devices.ColdWaterC && w.MaxC >= w.MinC+1, "the highest temperature of the tank in °C, at least 1 K above the lowest, which is above 12 °C,", w.MaxC)
		bad(w.LossPerHour >= 0 && w.LossPerHour*c.Hours() <= 1, "the loss per hour of the tank", w.LossPerHour)
		series("the heat drawn from the tank of "+s.ID, t.DrawKW, 0)
	}
	if r := s.Room; r != nil {
		p := &r.Pump
		bad(p.MaxKW > 0, "the heat pump's power in kW", p.MaxKW)
		bad(p.COPNominal >= 1, "the heat pump's COP at 7 °C", p.COPNominal)
		bad(true, "the heat pump's COP per K", p.COPPerK)
		bad(p.CapacityKWhPerK > 0, "the rooms' heat capacity in kWh per K", p.CapacityKWhPerK)
		bad(p.ResistanceKPerKW > 0, "the rooms' resistance in K per kW", p.ResistanceKPerKW)
		for h := range r.MinC {
			bad(r.MaxC[h] >= r.MinC[h] && !math.IsNaN(r.MinC[h]) && !math.IsInf(r.MinC[h], 0), fmt.Sprintf("the rooms' highest temperature at %d h, below the lowest of %g °C,", h, r.MinC[h]), r.MaxC[h])
		}
		series("the heat gains of "+s.ID, r.GainsKW, math.Inf(-1))
		if c.OutdoorC == nil {
			errs = append(errs, errors.New("there is no outdoor temperature for the rooms of "+s.ID))
		}
	}
	for k, p := range s.Chargers {
		bad(p.MaxKW > 0, fmt.Sprintf("the power in kW of charging point %d", k+1), p.MaxKW)
		last := 0
		for _, one := range p.Sessions {
			if one.Arrive < last || one.Depart <= one.Arrive || !(one.EnergyKWh >= 0) || math.IsInf(one.EnergyKWh, 0) {
				errs = append(errs, fmt.Errorf("a car at charging point %d of %s stays from slot %d to %d for %g kWh, the one before it to %d", k+1, s.ID, one.Arrive, one.Depart, one.EnergyKWh, last))
			}
			last = one.Depart
		}
	}
	return errs
}
