package backtest

import (
	"context"
	"fmt"
	"math"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/forecast"
	"quartier/optimizer/problem"
	"quartier/optimizer/storage"
	"quartier/scheduler/answer"
	"quartier/scheduler/devices"
	"quartier/scheduler/hotwater"
	"quartier/schemas/district"
)

// ahead is what a plan of flexible devices rests on, one value a slot from its begin on.
type ahead struct {
	from, steps int
	drawKW      [][]float64 // by tank: heat drawn, what it loses at its lowest temperature not in it
	gainsKW     [][]float64 // by room
	outdoorC    []float64
	reserveKWh  [][]float64 // by tank: usable heat that should be left at the begin of each slot, and at the end of the last
	cars        bool        // those that are still to come are known
}

// known is the truth of the slots [from, to).
func (f fleet) known(from, to int) ahead {
	a := ahead{from: from, steps: to - from, cars: true}
	for _, t := range f.tanks {
		a.drawKW = append(a.drawKW, t.DrawKW[from:to])
		a.reserveKWh = append(a.reserveKWh, make([]float64, to-from+1))
	}
	for _, r := range f.rooms {
		a.gainsKW = append(a.gainsKW, r.GainsKW[from:to])
	}
	if f.c.OutdoorC != nil {
		a.outdoorC = f.c.OutdoorC[from:to]
	}
	return a
}

// asked states the devices to a plan, in the fleet's order.
func (f fleet) asked(have state, a ahead) (out []problem.Device) {
	for i, t := range f.tanks {
		w := t.Heater
		w.MaxKW *= t.COP // in heat, as what is drawn
		x := devices.WaterHeater(fmt.Sprintf("tank-%d", i+1), &w, w.MinC+have.tankKWh[i]/devices.HeatPerK(&w), a.drawKW[i], a.reserveKWh[i], f.c.Step)
		x.MaxKW, x.MinKW, x.COP = t.Heater.MaxKW, 0, flat(t.COP, a.steps)
		out = append(out, x)
	}
	for i, r := range f.rooms {
		x := devices.HeatPump(fmt.Sprintf("room-%d", i+1), &r.Pump, have.roomC[i], false, a.outdoorC, f.c.Step)
		x.StartCost, x.Zone.GainsKW = 0, a.gainsKW[i]
		for k := range a.steps {
			h := f.hour(a.from + k)
			x.Zone.MinC[k], x.Zone.MaxC[k] = r.MinC[h], r.MaxC[h]
		}
		out = append(out, x)
	}
	for i, p := range f.chargers {
		out = append(out, f.askedCars(fmt.Sprintf("car-%d", i+1), p, have.carKWh[i], a))
	}
	return out
}

// askedCars states the car at a charging point, and those to come where they are known.
func (f fleet) askedCars(id string, p *Charger, got float64, a ahead) *problem.EV {
	c, departs := district.EVChargerParams{MaxKW: p.MaxKW}, 0
	if one := p.car(a.from); one != nil {
		c.TargetKWh, departs = one.EnergyKWh, one.Depart-a.from
	}
	x := devices.Car(id, &c, got, departs, a.steps)
	if !a.cars {
		return x
	}
	for _, one := range p.Sessions {
		if one.Arrive > a.from && one.Arrive < a.from+a.steps {
			x.CapacityKWh = math.Max(x.CapacityKWh, one.EnergyKWh)
			x.Sessions = append(x.Sessions, problem.Session{ArriveStep: one.Arrive - a.from, DepartStep: min(one.Depart-a.from, a.steps), TargetKWh: one.EnergyKWh})
		}
	}
	return x
}

// take sets powers by the place of a device in the fleet's order.
func (f fleet) take(kw flexKW, of func(k int) float64) {
	k := 0
	for _, s := range [][]float64{kw.tanks, kw.rooms, kw.chargers} {
		for i := range s {
			s[i] = of(k)
			k++
		}
	}
}

const (
	// outdoorFade is the time constant with which the deviation of the outdoor temperature fades before anything else is learned.
	outdoorFade = 12 * time.Hour
	// planTime bounds the search of a plan where export is worth more than import; without that a plan takes a hundredth of a second
	planTime = 5 * time.Second
)

// flexiblePlan is Quartier's plan of flexible devices.
type flexiblePlan struct {
	f       fleet
	steps   int
	draws   []*hotwater.Draws
	gains   []*forecast.Adaptive
	outdoor *forecast.Adaptive
	reserve [][]float64 // kWh, by tank and slot
	kw      [][]float64 // by device and slot of the plan
}

func newFlexiblePlan(f fleet, steps int) *flexiblePlan {
	p := &flexiblePlan{f: f, steps: steps, reserve: make([][]float64, len(f.tanks))}
	for _, t := range f.tanks {
		p.draws = append(p.draws, hotwater.NewDraws(f.c.Step, steps, time.UTC, t.Heater.CapacityKWh))
	}
	for range f.rooms {
		p.gains = append(p.gains, forecast.NewAdaptive(f.c.Step, steps, time.UTC, forecast.Settings{}))
	}
	p.outdoor = forecast.NewAdaptive(f.c.Step, steps, time.UTC, forecast.Settings{Fade: outdoorFade})
	return p
}

// foreseen is what is expected from a slot on: what is drawn, gained and how warm it is there is measured in the present slot, and foreseen from the past after it.
func (p *flexiblePlan) foreseen(slot, steps int) ahead {
	a := ahead{from: slot, steps: steps}
	by := func(v []float64, by forecaster) []float64 {
		past := forecast.Past{Start: p.f.c.Start, Step: p.f.c.Step, Values: v[: slot+1 : slot+1]}
		return append(v[slot:slot+1:slot+1], by.Forecast(past)...)[:steps]
	}
	for i, t := range p.f.tanks {
		a.drawKW = append(a.drawKW, by(t.DrawKW, p.draws[i]))
		drawn := forecast.Past{Start: p.f.c.Start, Step: p.f.c.Step, Values: t.DrawKW[:slot:slot]}
		p.reserve[i] = hotwater.Reserve(&t.Heater, t.COP, drawn, p.f.c.at(slot), a.drawKW[i])
	}
	for i, r := range p.f.rooms {
		a.gainsKW = append(a.gainsKW, by(r.GainsKW, p.gains[i]))
	}
	if p.f.c.OutdoorC != nil {
		a.outdoorC = by(p.f.c.OutdoorC, p.outdoor)
	}
	a.reserveKWh = p.reserve
	return a
}

// renew plans the devices together with the stores, and adds their powers to the net power of the outlook.
func (p *flexiblePlan) renew(ctx context.Context, set Settings, n now, o *answer.Outlook, pool storage.Store) error {
	steps := len(o.NetKW)
	load := append([]float64(nil), o.NetKW...)
	load[0] = n.netKW // measured
	limit := o.ImportLimitKW
	if limit != nil {
		limit = append([]float64{math.Max(set.ImportLimitKW, n.netKW)}, limit[1:]...)
	}
	q := &problem.Problem{Start: o.Start, StepMinutes: o.Step.Minutes(), Steps: steps, Grid: problem.Grid{ImportPrice: o.ImportPrice, ExportPrice: o.ExportPrice, ImportLimitKW: limit}}
	site := problem.Site{ID: "neighbourhood", LoadKW: load, Devices: p.f.asked(n.have, p.foreseen(n.step, steps))}
	if pool.CapacityKWh > 0 {
		b := problem.NewBattery("stores")
		b.CapacityKWh, b.ChargeKW, b.DischargeKW = pool.CapacityKWh, pool.ChargeKW, pool.DischargeKW
		b.ChargeEfficiency, b.DischargeEfficiency = pool.ChargeEfficiency, pool.DischargeEfficiency
		b.SelfDischargePerHour, b.WearCostPerKWh = pool.LossPerHour, pool.WearCostPerKWh
		b.InitialKWh = math.Max(0, math.Min(pool.CapacityKWh, n.stored))
		if !o.Ends {
			b.FinalValuePerKWh = math.Max(0, total(o.ImportPrice)/float64(steps)*pool.DischargeEfficiency-pool.WearCostPerKWh)
		}
		site.Devices = append(site.Devices, b)
	}
	q.Sites = []problem.Site{site}
	q.Fill()
	sol, err := optimizer.Plan(ctx, q, optimizer.Settings{TimeLimit: planTime, PreferenceEpsilon: -1, Workers: set.Workers})
	if err != nil {
		return err
	}
	if sol.Status != problem.Optimal && sol.Status != problem.Feasible {
		return fmt.Errorf("the plan at step %d is %s", n.step, sol.Status)
	}
	p.kw = p.kw[:0]
	for i := range len(p.f.tanks) + len(p.f.rooms) + len(p.f.chargers) {
		p.kw = append(p.kw, sol.Sites[0].Devices[i].PowerKW)
		for k, kw := range p.kw[i] {
			o.NetKW[k] += kw
		}
	}
	return nil
}

// follow has the devices do as planned, so many slots after the plan was made, as far as what is measured allows: a tank keeps its reserve, a room stays within its band, and a car that must
// charge does. It returns what they need for that.
func (p *flexiblePlan) follow(n now, k int, kw flexKW) (need flexKW) {
	p.f.take(kw, func(i int) float64 { return p.kw[i][k] })
	need = p.f.off()
	for i := range p.f.tanks {
		need.tanks[i] = p.f.heat(i, n.step, n.have.tankKWh[i], p.reserve[i][k+1])
		kw.tanks[i] = math.Max(kw.tanks[i], need.tanks[i])
	}
	h := p.f.hour(n.step)
	for i, r := range p.f.rooms {
		need.rooms[i] = p.f.warm(i, n.step, n.have.roomC[i], r.MinC[h])
		kw.rooms[i] = math.Min(math.Max(kw.rooms[i], need.rooms[i]), p.f.warm(i, n.step, n.have.roomC[i], r.MaxC[h]))
	}
	for i := range p.f.chargers {
		need.chargers[i], _ = p.f.needs(i, n.step, n.have.carKWh[i])
		kw.chargers[i] = math.Max(kw.chargers[i], need.chargers[i])
	}
	return need
}
