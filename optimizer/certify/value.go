package certify

import (
	"math"
	"sort"

	"quartier/optimizer/exact"
	"quartier/optimizer/problem"
)

// device adds the least value of the j-th device at the site's prices to the bound, and the range of its power to low and high. given holds the duals of its store
// or zone, or is nil.
func (b *bounding) device(j int, d problem.Device, price, given, low, high []float64) {
	if b.exact != nil && exact.Decides(d, b.exact.Burning) {
		sum, rest := b.sum, b.rest
		b.relaxed(d, price, given, low, high)
		if b.exact.ctx.Err() != nil {
			b.exact.cut.Store(true)
			return
		}
		relaxed := (b.sum - sum) + (b.rest - rest)
		plan := b.solver.Device(d, b.dt, price, b.exact.Tolerance)
		b.exact.plans[b.at][j] = plan
		// +Inf: no way keeps the device's limits, and any bound holds
		if gain := plan.Bound - relaxed; gain > 0 && !math.IsInf(gain, 1) {
			b.add(gain)
			b.size += math.Abs(plan.Bound)
		}
		return
	}
	b.relaxed(d, price, given, low, high)
}

func (b *bounding) relaxed(d problem.Device, price, given, low, high []float64) {
	switch d := d.(type) {
	case *problem.PV:
		for t, available := range d.AvailableKW {
			most := -available
			if d.Curtailable {
				most = 0
			}
			b.least(b.dt*price[t], 0, -available, most)
			low[t] -= available
			high[t] += most
		}
	case *problem.Battery:
		for t := range price {
			low[t] -= d.DischargeKW
			high[t] += d.ChargeKW
		}
		b.chain(b.battery(d, price), given)
	case *problem.EV:
		b.ev(d, price, given, low, high)
	case *problem.HeatPump:
		c := b.zone(d, price)
		for t := range price {
			low[t] += c.inputs[t][0].low
			high[t] += c.inputs[t][0].high
		}
		b.chain(c, given)
	case *problem.WaterHeater:
		for t := range price {
			high[t] += d.MaxKW
		}
		b.chain(b.tank(d, price), given)
	case *problem.Shiftable:
		b.shiftable(d, price, high)
	case *problem.Flexible:
		b.flexible(d, price, high)
	}
}

func (b *bounding) chain(c *chain, given []float64) {
	low, high := c.reach()
	if given == nil {
		given = c.duals(low, high)
	}
	b.value(c, given, low, high)
}

// newChain returns a chain of n steps without limits, costs or inputs.
func newChain(n int, initial, keep float64) *chain {
	c := &chain{initial: initial, keep: keep, rhs: make([]float64, n), inputs: make([][]input, n), low: make([]float64, n), high: make([]float64, n), soft: make([]soft, n)}
	for t := range n {
		c.low[t], c.high[t] = math.Inf(-1), math.Inf(1)
	}
	return c
}

func (b *bounding) battery(d *problem.Battery, price []float64) *chain {
	c := newChain(len(price), d.InitialKWh, 1-d.SelfDischargePerHour*b.dt)
	c.parted = true
	for t, v := range price {
		c.inputs[t] = []input{
			{gain: b.dt * d.ChargeEfficiency, cost: b.dt * (d.WearCostPerKWh + v), high: d.ChargeKW},
			{gain: -b.dt / d.DischargeEfficiency, cost: b.dt * (d.WearCostPerKWh - v), high: d.DischargeKW},
		}
		c.low[t], c.high[t] = d.MinKWh, d.CapacityKWh
	}
	last := len(price) - 1
	c.low[last] = max(d.MinKWh, d.FinalMinKWh)
	c.soft[last].slope = -d.FinalValuePerKWh
	return c
}

// ev adds every session as a chain of its own.
func (b *bounding) ev(d *problem.EV, price, given, low, high []float64) {
	for _, s := range d.Sessions {
		n := s.DepartStep - s.ArriveStep
		if n == 0 {
			b.add(d.ShortfallCostPerKWh * max(0, s.TargetKWh-s.InitialKWh))
			continue
		}
		c := newChain(n, s.InitialKWh, 1)
		c.parted = true
		for k := range n {
			t := s.ArriveStep + k
			c.inputs[k] = []input{
				{gain: b.dt * d.ChargeEfficiency, cost: b.dt * price[t], high: d.MaxKW},
				{gain: -b.dt / d.DischargeEfficiency, cost: b.dt * (d.WearCostPerKWh - price[t]), high: d.DischargeKW},
			}
			c.low[k], c.high[k] = 0, d.CapacityKWh
			low[t] -= d.DischargeKW
			high[t] += d.MaxKW
		}
		c.soft[n-1] = soft{under: d.ShortfallCostPerKWh, least: s.TargetKWh, most: d.CapacityKWh}
		var y []float64
		if given != nil {
			y = given[s.ArriveStep:s.DepartStep]
		}
		b.chain(c, y)
	}
}

// zone keeps of the machine's states only that it cannot leave its first one too early.
func (b *bounding) zone(d *problem.HeatPump, price []float64) *chain {
	z := &d.Zone
	a := math.Exp(-b.dt / (z.ResistanceKPerKW * z.CapacityKWhPerK))
	least := d.MinOffSteps
	if d.InitialOn {
		least = d.MinOnSteps
	}
	c := newChain(len(price), z.InitialC, a)
	for t, v := range price {
		u := input{gain: (1 - a) * z.ResistanceKPerKW * d.COP[t], cost: b.dt * v, high: d.MaxKW}
		if t < least-d.InitialSteps {
			if d.InitialOn {
				u.low = d.MinKW
			} else {
				u.high = 0
			}
		}
		c.inputs[t] = []input{u}
		c.rhs[t] = (1 - a) * (z.OutdoorC[t] + z.ResistanceKPerKW*z.GainsKW[t])
		cost := b.dt * z.DiscomfortCostPerKH
		c.soft[t] = soft{under: cost, least: z.MinC[t], over: cost, most: z.MaxC[t]}
	}
	return c
}

// tank leaves out that draw is unmet only when the tank is empty, which never costs less.
func (b *bounding) tank(d *problem.WaterHeater, price []float64) *chain {
	c := newChain(len(price), d.InitialKWh, 1-d.LossPerHour*b.dt)
	for t, v := range price {
		c.inputs[t] = []input{
			{gain: b.dt * d.COP[t], cost: b.dt * v, high: d.MaxKW},
			{gain: 1, cost: d.ShortfallCostPerKWh, high: b.dt * d.DrawKW[t]},
		}
		c.rhs[t] = -b.dt * d.DrawKW[t]
		c.low[t], c.high[t] = 0, d.CapacityAt(t)
	}
	last := len(price) - 1
	c.soft[last] = soft{under: d.ShortfallCostPerKWh, least: d.FinalMinKWh, most: d.CapacityAt(last)}
	return c
}

// shiftable adds the least value of all starts.
func (b *bounding) shiftable(d *problem.Shiftable, price, high []float64) {
	best, size := math.Inf(1), 0.0
	for s := d.EarliestStep; s <= d.LatestStep; s++ {
		v, m := 0.0, 0.0
		for k, kw := range d.ProfileKW {
			v += b.dt * price[s+k] * kw
			m += b.dt * math.Abs(price[s+k]) * kw
		}
		best, size = min(best, v), max(size, m)
	}
	b.add(best)
	b.size += size * float64(len(d.ProfileKW))
	most := make([]float64, len(price))
	for s := d.EarliestStep; s <= d.LatestStep; s++ {
		for k, kw := range d.ProfileKW {
			most[s+k] = max(most[s+k], kw)
		}
	}
	for t, kw := range most {
		high[t] += kw
	}
}

// flexible takes energy where it is cheapest: all that is paid for taking, and up to the energy wanted what costs less than going without.
func (b *bounding) flexible(d *problem.Flexible, price, high []float64) {
	prices := append([]float64(nil), price[d.EarliestStep:d.LatestStep]...)
	sort.Float64s(prices)
	want := d.EnergyKWh
	for _, v := range prices {
		take := b.dt * d.MaxKW
		if v >= 0 {
			take = min(take, want)
		}
		if v >= d.ShortfallCostPerKWh {
			break
		}
		b.add(v * take)
		want = max(0, want-take)
	}
	b.add(d.ShortfallCostPerKWh * want)
	b.size += (d.ShortfallCostPerKWh + math.Abs(prices0(prices))) * (d.EnergyKWh + b.dt*d.MaxKW)
	for t := d.EarliestStep; t < d.LatestStep; t++ {
		high[t] += d.MaxKW
	}
}

func prices0(sorted []float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[0]
}
