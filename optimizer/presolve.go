package optimizer

import (
	"math"

	"quartier/optimizer/certify"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// presolve lists what limits exclude without a solver; an empty list proves nothing. It knows three things exactly:
//
//   - what a single store can do: the states that it can be in at the end of a step are an interval, carried forward within its box, and the states from which the
//     rest of the horizon can still be kept are one too, carried backward. Between the two lies the range of its power in every step;
//   - what a site's devices can do together in one step, by these ranges, against its limits; and what the sites can do, against the district's;
//   - what a battery can do over the horizon when its site's limits bind it too: the room that the loads leave, all other devices at their most helpful.
//
// Excess up to [certify.Tolerance] is none: a plan may overstep by as much.
func presolve(p *problem.Problem) []model.Excess {
	s := &presolving{p: p, dt: p.Hours(), low: make([]float64, p.Steps), high: make([]float64, p.Steps)}
	for i := range p.Sites {
		s.site(i)
	}
	for t := range p.Steps {
		s.over(model.Excess{Site: -1, Device: -1, Step: t, Amount: s.low[t] - p.Grid.ImportLimitKW[t]})
		s.over(model.Excess{Site: -1, Device: -1, Step: t, Export: true, Amount: -s.high[t] - p.Grid.ExportLimitKW[t]})
	}
	return s.list
}

type presolving struct {
	p         *problem.Problem
	dt        float64
	low, high []float64 // range of the district's net power, kW
	list      []model.Excess
}

func (s *presolving) over(e model.Excess) {
	if e.Amount > certify.Tolerance {
		s.list = append(s.list, e)
	}
}

// span is a range of power by step, kW.
type span struct{ low, high []float64 }

func (s *presolving) site(i int) {
	site := &s.p.Sites[i]
	T, before := s.p.Steps, len(s.list)
	low, high := append([]float64(nil), site.LoadKW...), append([]float64(nil), site.LoadKW...)
	each := make([]span, len(site.Devices))
	for j, d := range site.Devices {
		each[j] = s.device(i, j, d)
		for t := range T {
			low[t] += each[j].low[t]
			high[t] += each[j].high[t]
		}
	}
	for t := range T {
		s.over(model.Excess{Site: i, Device: -1, Step: t, Amount: low[t] - site.ImportLimitKW[t]})
		s.over(model.Excess{Site: i, Device: -1, Step: t, Export: true, Amount: -high[t] - site.ExportLimitKW[t]})
		// beyond its limits a site is counted as what gives way least
		s.low[t] += math.Max(low[t], math.Min(high[t], -site.ExportLimitKW[t]))
		s.high[t] += math.Min(high[t], math.Max(low[t], site.ImportLimitKW[t]))
	}
	if len(s.list) > before {
		return
	}
	for j, d := range site.Devices {
		b, ok := d.(*problem.Battery)
		if !ok {
			continue
		}
		room := span{make([]float64, T), make([]float64, T)}
		for t := range T {
			room.high[t] = site.ImportLimitKW[t] - (low[t] - each[j].low[t])
			room.low[t] = -site.ExportLimitKW[t] - (high[t] - each[j].high[t])
		}
		if len(s.list) == before { // one battery's words are enough
			s.battery(i, j, b, room)
		}
	}
}

// device returns the range of a device's power, and lists what its own limits exclude.
func (s *presolving) device(i, j int, d problem.Device) span {
	T := s.p.Steps
	r := span{make([]float64, T), make([]float64, T)}
	switch d := d.(type) {
	case *problem.PV:
		for t, kw := range d.AvailableKW {
			r.low[t] = -kw
			if !d.Curtailable {
				r.high[t] = -kw
			}
		}
	case *problem.Battery:
		before := len(s.list)
		s.battery(i, j, d, span{})
		keep := 1 - d.SelfDischargePerHour*s.dt
		q := store{initial: d.InitialKWh, keep: keep, in: s.dt * d.ChargeEfficiency, out: s.dt / d.DischargeEfficiency}
		if len(s.list) > before {
			for t := range T {
				r.low[t], r.high[t] = -d.DischargeKW, d.ChargeKW
			}
			break
		}
		least := func(t int) float64 {
			if t == T-1 {
				return math.Max(d.MinKWh, d.FinalMinKWh)
			}
			return d.MinKWh
		}
		q.powers(r, 0, T, d.DischargeKW, d.ChargeKW, least, d.CapacityKWh)
	case *problem.EV:
		for _, c := range d.Sessions {
			q := store{initial: c.InitialKWh, keep: 1, in: s.dt * d.ChargeEfficiency, out: s.dt / d.DischargeEfficiency}
			q.powers(r, c.ArriveStep, c.DepartStep, d.DischargeKW, d.MaxKW, func(int) float64 { return 0 }, d.CapacityKWh)
		}
	case *problem.HeatPump:
		held := d.HeldSteps(T)
		for t := range T {
			r.high[t] = d.MaxKW
			if t < held && d.InitialOn {
				r.low[t] = d.MinKW
			} else if t < held {
				r.high[t] = 0
			}
		}
	case *problem.WaterHeater:
		for t := range T {
			r.high[t] = d.MaxKW
		}
	case *problem.Shiftable:
		for t := range T {
			lo, hi := math.Inf(1), 0.0
			n := len(d.ProfileKW)
			for start := d.EarliestStep; start <= d.LatestStep; start++ {
				v := 0.0
				if k := t - start; k >= 0 && k < n {
					v = d.ProfileKW[k]
				}
				lo, hi = math.Min(lo, v), math.Max(hi, v)
			}
			r.low[t], r.high[t] = lo, hi
		}
	case *problem.Flexible:
		for t := d.EarliestStep; t < d.LatestStep; t++ {
			r.high[t] = d.MaxKW
		}
	}
	return r
}

// store is a battery or car: e' = keep*e + in*charge - out*discharge.
type store struct{ initial, keep, in, out float64 }

func (q store) change(kw float64) float64 {
	if kw >= 0 {
		return q.in * kw
	}
	return q.out * kw
}

func (q store) power(change float64) float64 {
	if change >= 0 {
		return change / q.in
	}
	return change / q.out
}

// powers writes to r the range of the power in each step of [from, to) that some way of running the store through its limits has.
func (q store) powers(r span, from, to int, give, take float64, least func(t int) float64, most float64) {
	n := to - from
	if n <= 0 {
		return
	}
	lo, hi := make([]float64, n+1), make([]float64, n+1) // the states from which the rest can be kept, then those that can be reached too
	lo[n], hi[n] = math.Inf(-1), math.Inf(1)
	for k := n - 1; k >= 0; k-- {
		a, b := math.Max(lo[k+1], least(from+k)), math.Min(hi[k+1], most)
		lo[k+1], hi[k+1] = a, b
		lo[k], hi[k] = math.Inf(-1), math.Inf(1)
		if q.keep > 0 {
			lo[k], hi[k] = (a-q.change(take))/q.keep, (b+q.out*give)/q.keep
		}
	}
	a, b := q.initial, q.initial
	for k := range n {
		x, y := q.keep*a, q.keep*b
		a, b = math.Max(x-q.out*give, lo[k+1]), math.Min(y+q.in*take, hi[k+1])
		if a > b { // by rounding only: whoever asks has seen that there is a way
			a, b = math.Min(a, b), math.Max(a, b)
		}
		r.low[from+k] = math.Min(math.Max(q.power(a-y), -give), take)
		r.high[from+k] = math.Max(math.Min(q.power(b-x), take), -give)
	}
}

// battery carries the states that a battery can be in forward, within the room (nil: its own limits alone), and lists where there is none: what lacks in
// energy, or, where a limit of the site forces the battery, in power. What lacks counts as given from there on.
func (s *presolving) battery(i, j int, d *problem.Battery, room span) {
	q := store{initial: d.InitialKWh, keep: 1 - d.SelfDischargePerHour*s.dt, in: s.dt * d.ChargeEfficiency, out: s.dt / d.DischargeEfficiency}
	a, b := d.InitialKWh, d.InitialKWh
	for t := range s.p.Steps {
		low, high := -d.DischargeKW, d.ChargeKW
		if room.low != nil {
			low, high = math.Max(low, room.low[t]), math.Min(high, room.high[t])
			low = math.Min(low, d.ChargeKW)
			high = math.Max(high, -d.DischargeKW)
		}
		least := d.MinKWh
		if t == s.p.Steps-1 {
			least = math.Max(least, d.FinalMinKWh)
		}
		a, b = q.keep*a+q.change(low), q.keep*b+q.change(high)
		if lack := least - b; lack > 0 {
			e := model.Excess{Site: i, Device: j, Final: true, Step: t, Amount: lack}
			if high < 0 && room.low != nil {
				e = model.Excess{Site: i, Device: -1, Step: t, Amount: lack / q.out}
			}
			s.over(e)
		}
		if spill := a - d.CapacityKWh; spill > 0 && room.low != nil {
			s.over(model.Excess{Site: i, Device: -1, Export: true, Step: t, Amount: spill / q.in})
		}
		a, b = math.Min(math.Max(a, least), d.CapacityKWh), math.Max(math.Min(b, d.CapacityKWh), least)
	}
}
