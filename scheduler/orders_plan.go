package scheduler

import (
	"cmp"
	"math"
	"slices"
	"time"

	"quartier/optimizer/problem"
	"quartier/scheduler/devices"
	"quartier/scheduler/hotwater"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// noCOP stands for the heat per electricity of a machine in steps in which it may not run as it likes: running then would cost and give nothing, so the plan lets it rest. The problem
// document knows no power limit that changes with time, and takes only ratios above zero.
const noCOP = 1e-3

// wishes are the orders that a plan goes around, over its steps.
type wishes struct {
	orders []order.Order
	now    time.Time
	start  time.Time
	step   time.Duration
	steps  int
	price  []float64 // EUR/kWh, import
	tanks  map[observe.Key]tankOutlook
	zone   *time.Location
	// leave are the lock-outs, by id, with whose begin a battery leaves for the rest of the plan: for their price, not for a plan that is followed, in which a battery that is a car does not answer what is measured
	leave map[string]bool
}

// wishes returns the orders that reach into a plan, but the one with the id that is left out.
func (s *Scheduler) wishes(now time.Time, in inputs, without string) wishes {
	return s.wishesOf(slices.DeleteFunc(s.Orders(), func(o order.Order) bool { return o.ID == without }), now, in)
}

func (s *Scheduler) wishesOf(orders []order.Order, now time.Time, in inputs) wishes {
	w := wishes{now: now, start: in.start, step: in.step, steps: in.steps, price: in.importPrice, tanks: in.tanks, zone: s.cfg.District.Zone}
	for _, o := range orders {
		if o.Source == order.FromSystem && o.End.IsZero() && o.Kind != order.LockOut { // who makes one refreshes it, and nobody says until when
			o.End = in.start.Add(RequestHorizon)
		}
		w.orders = append(w.orders, o)
	}
	return w
}

// in returns the newest order of a kind and target that asks for something in a step.
func (w wishes) in(kind order.Kind, site, device string, t int) (newest order.Order, ok bool) {
	for _, o := range w.of(kind, site, device, t) {
		if !ok || o.Created.After(newest.Created) {
			newest, ok = o, true
		}
	}
	return newest, ok
}

// of returns the orders of a kind and target that ask for something at the begin, in the middle or at the end of a step.
func (w wishes) of(kind order.Kind, site, device string, t int) (out []order.Order) {
	from := w.start.Add(time.Duration(t) * w.step)
	if t == 0 && w.now.After(from) {
		from = w.now
	}
	end := w.start.Add(time.Duration(t+1) * w.step)
	for _, o := range w.orders {
		if o.Kind == kind && o.Site == site && o.Device == device && (o.At(from, w.zone) || o.At(from.Add(end.Sub(from)/2), w.zone) || o.At(end.Add(-1), w.zone)) {
			out = append(out, o)
		}
	}
	return out
}

// free reports whether the plan may decide on a device: nobody took it out of control or works on it.
func (w wishes) free(site string, dev *district.Device) bool {
	for _, kind := range []order.Kind{order.OwnControl, order.LockOut} {
		for _, o := range w.orders {
			if o.Kind == kind && o.Site == site && o.Device == dev.ID && o.At(w.now, w.zone) {
				return false
			}
		}
	}
	return true
}

// blocked are the steps in which a machine cannot run at all, since it is then worked on or its quiet hours leave it less than minKW, and the power that is left to it now.
func (w wishes) blocked(site, device string, minKW, maxKW float64) (off []bool, mostKW float64) {
	off, mostKW = w.locked(site, device), maxKW
	for t := range off {
		o, ok := lowest(w.of(order.Quiet, site, device, t))
		switch {
		case !ok:
		case o.Value < math.Max(minKW, offKW):
			off[t] = true
		case t == 0:
			mostKW = math.Min(mostKW, o.Value)
		}
	}
	return off, mostKW
}

// locked are the steps in which somebody works on a device that is there now: it is taken to rest then.
func (w wishes) locked(site, device string) []bool {
	off := make([]bool, w.steps)
	for t := range off {
		off[t] = len(w.of(order.LockOut, site, device, t)) > 0
	}
	return off
}

// leaves reports whether a battery that leaves is gone in a step.
func (w wishes) leaves(site, device string, t int) bool {
	return len(w.leave) > 0 && slices.ContainsFunc(w.of(order.LockOut, site, device, t), func(o order.Order) bool { return w.leave[o.ID] })
}

// narrow lowers the limits of a plan to what is ordered of a site, or of the district for an empty id, but not below what is drawn or fed whatever is decided: such a limit is kept by
// dispatch as far as devices can, and must not leave the district without a plan.
func (w wishes) narrow(siteID string, importKW, exportKW []float64, f floor) {
	lower := func(kind order.Kind, limitKW, needKW []float64, sign float64) {
		some := false
		for t := range limitKW {
			for _, o := range w.of(kind, siteID, "", t) {
				limitKW[t], some = math.Min(limitKW[t], math.Max(o.Value, sign*needKW[t])), true
			}
		}
		for t := range limitKW {
			if some && math.IsInf(limitKW[t], 1) {
				limitKW[t] = unlimitedKW // a series of limits is finite or absent as a whole
			}
		}
	}
	lower(order.ImportLimit, importKW, f.least, 1)
	lower(order.ExportLimit, exportKW, f.rest, -1)
}

// shape changes the device of a problem as it is ordered, and puts what is told by hand into the load of its site.
func (w wishes) shape(site string, dev *district.Device, pd problem.Device, now observe.Device, loadKW []float64) problem.Device {
	switch x := pd.(type) {
	case *problem.Battery:
		if later := w.battery(site, dev, x, loadKW); later != nil {
			return later
		}
	case *problem.PV:
		for t := range x.AvailableKW {
			if o, ok := w.in(order.Power, site, dev.ID, t); ok {
				x.AvailableKW[t] = math.Min(x.AvailableKW[t], -o.Value)
			}
		}
	case *problem.HeatPump:
		w.heating(site, dev, x, loadKW)
	case *problem.WaterHeater:
		w.hotWater(site, dev, x, now, loadKW)
	case *problem.EV:
		w.car(site, dev, x, now, loadKW)
	}
	return pd
}

// heating moves the comfort band of a zone, and takes the compressor's time that is not the plan's to give.
func (w wishes) heating(site string, dev *district.Device, x *problem.HeatPump, loadKW []float64) {
	off, most := w.blocked(site, dev.ID, x.MinKW, x.MaxKW)
	x.MaxKW = most
	x.MinKW = math.Min(x.MinKW, most)
	for t := range w.steps {
		if o, ok := w.in(order.Range, site, dev.ID, t); ok {
			x.Zone.MinC[t], x.Zone.MaxC[t] = o.Value, o.High
		}
		if o, ok := w.in(order.Comfort, site, "", t); ok {
			x.Zone.MinC[t] += o.Value
			x.Zone.MaxC[t] += o.Value
		}
		if o, ok := w.in(order.Away, site, "", t); ok {
			x.Zone.MinC[t] -= o.Value
		}
		if o, ok := w.in(order.Power, site, dev.ID, t); ok {
			loadKW[t] += o.Value
			x.Zone.GainsKW[t] += o.Value * x.COP[t]
			off[t] = true
		}
	}
	for t := range off {
		if off[t] {
			x.COP[t] = noCOP
		}
	}
}

// hotWater leaves the tank cold while nobody is there, and takes the time of the element that is not the plan's to give.
func (w wishes) hotWater(site string, dev *district.Device, x *problem.WaterHeater, now observe.Device, loadKW []float64) {
	off, _ := w.blocked(site, dev.ID, x.MinKW, x.MaxKW)
	if tank, ok := w.tank(site, dev, now.TankC.V); ok {
		*x = *devices.WaterHeater(dev.ID, tank.params, now.TankC.V, tank.drawKW, tank.reserveKWh, w.step)
	}
	if len(x.COP) == 0 {
		x.COP = constant(1, w.steps)
	}
	for t := range w.steps {
		if o, ok := w.in(order.Power, site, dev.ID, t); ok {
			loadKW[t] += o.Value
			x.InitialKWh = math.Min(x.MostInitialKWh(w.step.Hours()), x.InitialKWh+o.Value*w.step.Hours())
			off[t] = true
		}
		if off[t] {
			x.COP[t] = noCOP
		}
	}
}

// tank is a tank as it is ordered, false where nothing is: within another range of temperatures, and with nothing drawn while nobody is there. All that is to be held then is what lets the heater, full on from there, have the tank ready at the return:
// less than no usable heat, down to what tankC or mains water leaves in it.
func (w wishes) tank(site string, dev *district.Device, tankC float64) (tankOutlook, bool) {
	one, ok := w.tanks[observe.Key{Site: site, Device: dev.ID}]
	if !ok {
		return one, false
	}
	changed := false
	one.drawKW, one.reserveKWh = slices.Clone(one.drawKW), slices.Clone(one.reserveKWh)
	if o, ok := w.in(order.Range, site, dev.ID, 0); ok {
		h := *one.params
		h.MinC, h.MaxC = o.Value, math.Min(o.High, h.MaxC)
		h.CapacityKWh *= (h.MaxC - coldWaterC) / math.Max(1, one.params.MaxC-coldWaterC)
		for k, kwh := range one.reserveKWh {
			one.reserveKWh[k] = math.Min(kwh, hotwater.MostReserved*devices.UsableKWh(&h))
		}
		one.params, changed = &h, true
	}
	h, standing := w.step.Hours(), devices.StandingKW(one.params)
	cold := devices.HeatPerK(one.params) * (math.Min(coldWaterC, tankC) - one.params.MinC)
	for t := w.steps - 1; t >= 0; t-- {
		if _, ok := w.in(order.Away, site, "", t); !ok {
			continue
		}
		if t == w.steps-1 {
			one.reserveKWh[w.steps] = cold
		}
		then := one.reserveKWh[t+1]
		before := (then + h*(standing-one.params.MaxKW)) / (1 - one.params.LossPerHour*h)
		one.drawKW[t], one.reserveKWh[t], changed = 0, math.Max(cold, math.Min(then, before)), true
	}
	return one, changed
}

// car makes of one stay of a car what is ordered of it: another energy or another time, no need while its site is away, a power by hand for a while, and no charging in
// quiet hours, between which the energy goes to the cheapest steps.
func (w wishes) car(site string, dev *district.Device, x *problem.EV, now observe.Device, loadKW []float64) {
	off, most := w.blocked(site, dev.ID, x.MinKW, x.MaxKW)
	x.MaxKW = most
	x.MinKW = math.Min(x.MinKW, most)
	got, connected := math.Max(0, now.SessionKWh.Or(0)), now.Connected.V >= 0.5
	if !connected {
		return
	}
	if o, ok := w.ready(site, dev.ID); ok {
		x.Sessions = x.Sessions[:0]
		if got < o.Value {
			depart := int(math.Ceil(float64(o.End.Sub(w.start)) / float64(w.step)))
			x.Sessions = append(x.Sessions, problem.Session{DepartStep: max(1, min(depart, w.steps)), InitialKWh: math.Min(got, x.CapacityKWh), TargetKWh: o.Value})
		}
	} else if _, away := w.in(order.Away, site, "", 0); away {
		x.Sessions = x.Sessions[:0]
	}
	for t := range w.steps {
		if o, ok := w.in(order.Power, site, dev.ID, t); ok {
			loadKW[t] += o.Value
			off[t] = true
			got += o.Value * w.step.Hours()
		}
	}
	if len(x.Sessions) == 0 || !slices.Contains(off, true) {
		return
	}
	x.Sessions = w.split(x.Sessions[0], off, math.Max(0, x.Sessions[0].TargetKWh-got), x.MaxKW*w.step.Hours())
}

// ready is the order for a car by the nearest time.
func (w wishes) ready(site, device string) (nearest order.Order, ok bool) {
	for _, o := range w.orders {
		if o.Kind == order.ReadyBy && o.Site == site && o.Device == device && o.At(w.now, w.zone) && (!ok || o.End.Before(nearest.End)) {
			nearest, ok = o, true
		}
	}
	return nearest, ok
}

// split makes of one stay one for each run of steps that are not off, since the energy of a car cannot be planned across steps in which it may not charge, and shares the energy that is needed
// among them: the run with the cheapest mean price first, of two alike the later one. What no run can take is lacking in the last one.
func (w wishes) split(whole problem.Session, off []bool, needKWh, stepKWh float64) []problem.Session {
	var runs []problem.Session
	for t := whole.ArriveStep; t < whole.DepartStep; t++ {
		switch {
		case off[t]:
		case len(runs) > 0 && runs[len(runs)-1].DepartStep == t:
			runs[len(runs)-1].DepartStep++
		default:
			runs = append(runs, problem.Session{ArriveStep: t, DepartStep: t + 1})
		}
	}
	if len(runs) == 0 { // it can only fall short
		return []problem.Session{{ArriveStep: whole.ArriveStep, DepartStep: whole.ArriveStep, TargetKWh: needKWh}}
	}
	turns := make([]int, len(runs))
	for i := range turns {
		turns[i] = i
	}
	price := func(i int) float64 { return mean(w.price[runs[i].ArriveStep:runs[i].DepartStep]) }
	slices.SortFunc(turns, func(a, b int) int { return cmp.Or(cmp.Compare(price(a), price(b)), cmp.Compare(b, a)) })
	for _, i := range turns {
		kwh := math.Min(needKWh, float64(runs[i].DepartStep-runs[i].ArriveStep)*stepKWh)
		runs[i].TargetKWh = kwh
		needKWh -= kwh
	}
	runs[len(runs)-1].TargetKWh += needKWh
	return runs
}

// battery is a battery that somebody told by hand what to do: its power is load as long as the order holds and it has energy and room, and what it holds then is the plan's to use. It is a car that
// comes when the order ends and never leaves, or leaves when it is locked out for good: the document has no other storage that begins later or ends before. What it lacks at the end costs what the same energy in
// a battery would be worth, see [valueOffset]. Without such an order it is nil.
func (w wishes) battery(site string, dev *district.Device, b *problem.Battery, loadKW []float64) problem.Device {
	stored, end := b.InitialKWh, 0
	for t := range loadKW {
		o, ok := w.in(order.Power, site, dev.ID, t)
		if !ok {
			break
		}
		hours := w.step.Hours()
		kw := math.Min(o.Value, math.Max(0, b.CapacityKWh-stored)/(hours*b.ChargeEfficiency))
		kw = math.Max(kw, -math.Max(0, stored-b.MinKWh)/hours*b.DischargeEfficiency)
		stored += hours * (math.Max(0, kw)*b.ChargeEfficiency + math.Min(0, kw)/b.DischargeEfficiency)
		loadKW[t] += kw
		end = t + 1
	}
	depart := w.steps
	for depart > 0 && w.leaves(site, dev.ID, depart-1) {
		depart--
	}
	if end == 0 && depart == w.steps {
		return nil
	}
	x := problem.NewEV(dev.ID)
	room := b.CapacityKWh - b.MinKWh
	x.CapacityKWh, x.MaxKW, x.DischargeKW = room, b.ChargeKW, b.DischargeKW
	x.ChargeEfficiency, x.DischargeEfficiency = b.ChargeEfficiency, b.DischargeEfficiency
	x.WearCostPerKWh = b.WearCostPerKWh * (1 + 1/(b.ChargeEfficiency*b.DischargeEfficiency)) // a car's falls on what it gives alone
	x.ShortfallCostPerKWh = b.FinalValuePerKWh
	x.Sessions = []problem.Session{{ArriveStep: min(end, depart), DepartStep: depart, InitialKWh: math.Max(0, math.Min(room, stored-b.MinKWh)), TargetKWh: room}}
	return x
}

// valueOffset is by how much a problem costs more because batteries in it are cars that lack what they do not hold at the end, where a battery is credited what it holds, EUR.
func valueOffset(d *district.District, p *problem.Problem) (eur float64) {
	for i := range p.Sites {
		for _, pd := range p.Sites[i].Devices {
			x, ok := pd.(*problem.EV)
			if dev := d.Device(p.Sites[i].ID, pd.ID()); ok && dev != nil && dev.Battery != nil {
				eur += x.ShortfallCostPerKWh * dev.Battery.CapacityKWh * dev.Battery.MaxSOC
			}
		}
	}
	return eur
}

// asCar reports whether a battery is in a problem as a car that comes when an order ends.
func asCar(p *problem.Problem, site, device string) bool {
	ps, err := p.Site(site)
	if err != nil {
		return false
	}
	for _, pd := range ps.Devices {
		if _, ok := pd.(*problem.EV); ok && pd.ID() == device {
			return true
		}
	}
	return false
}

// held puts a device that the plan does not decide on into the load, with what it does now, for an hour; a battery as long as it holds energy for that, or has room.
func (w wishes) held(dev *district.Device, now observe.Device, loadKW []float64) {
	gives, takes := math.Inf(1), math.Inf(1) // kWh at its terminals
	if b := dev.Battery; b != nil && now.SOC.OK {
		gives = b.CapacityKWh * math.Max(0, now.SOC.V-b.MinSOC) * b.DischargeEfficiency
		takes = b.CapacityKWh * math.Max(0, b.MaxSOC-now.SOC.V) / b.ChargeEfficiency
	}
	for t := 0; t < len(loadKW) && time.Duration(t)*w.step < time.Hour; t++ {
		hours := w.step.Hours()
		kw := math.Max(-gives/hours, math.Min(takes/hours, now.PowerKW.Or(0)))
		gives, takes = gives+math.Min(0, kw)*hours, takes-math.Max(0, kw)*hours
		loadKW[t] += kw
	}
}
