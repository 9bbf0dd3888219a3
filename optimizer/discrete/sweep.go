package discrete

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"quartier/optimizer/exact"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// sweep goes through some devices of the best plan, one after the other. Each decides anew against what all others do by then: the price of its power is the site's dual as
// long as it changes the district's flow by no more than the district's storage could make up for, and beyond that what the boundary charges: nothing more for export
// forgone, the full price for import, and the peak on top. So devices do not all run to the same cheap step, and a large one feels its own weight.
type sweep struct {
	*search
	best  *Plan
	net   []float64   // kW of the district, as of now
	peak  float64     // kW: import above it raises the peak
	spare []float64   // kW that storage can make up for
	site  [][]float64 // kW of the sites, as of now; nil: the program will see to the limits
	fine  float64     // EUR per kW and step beyond a limit
	slack *slack      // what others give way where a device takes more than a limit leaves; nil: nothing
}

// flexibility is the share of its rated power that storage is taken to have to spare, by round.
var flexibility = [...]float64{0.3, 0, 1, 0.1}

// lenience is the share of what others could give way that a sweep counts on, by care.
var lenience = [mostCare]float64{1: 1, 2: 0.3}

// again returns the decisions of a plan after a sweep over the devices that pick chooses, in an order that depends on the round. From a plan that oversteps limits, and once decisions
// left no plan within them, devices pay for what they take beyond.
func (s *search) again(ctx context.Context, round int, from *Plan, pick func(n int) bool) *model.Decisions {
	w := &sweep{search: s, best: from, net: make([]float64, s.Problem.Steps), spare: make([]float64, s.Problem.Steps)}
	if from == s.wreck || s.care > 0 {
		w.site = make([][]float64, len(s.Problem.Sites))
		for t := range s.Problem.Steps {
			w.fine = math.Max(w.fine, 1000*s.Problem.Hours()*math.Max(0.01, math.Abs(s.Problem.ImportCost(t))))
		}
	}
	w.measure(flexibility[round%len(flexibility)])
	if from != s.wreck && s.care > 0 && s.care < mostCare {
		w.slack = newSlack(s.Problem, from, lenience[s.care])
	}
	dec := from.Decisions.Clone()
	order := make([]int, 0, len(s.units))
	for n := range s.units {
		if pick == nil || pick(n) {
			order = append(order, n)
		}
	}
	r := rand.New(rand.NewPCG(uint64(round), uint64(len(order))))
	r.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
	for batch := range slices.Chunk(order, min(max(1, len(order)/12), mostAtOnce)) {
		changes := make([]change, len(batch))
		s.share(ctx, len(batch), func(solver *exact.Solver, k int) { changes[k] = w.decide(solver, s.units[batch[k]]) })
		for k, c := range changes {
			if c.power == nil {
				continue
			}
			u := s.units[batch[k]]
			for t, kw := range c.power {
				by := kw - from.Power[u.site][u.dev][t]
				w.net[t] += by
				if w.site != nil {
					w.site[u.site][t] += by
				}
			}
			dec.Device[u.site][u.dev] = c.dec
		}
	}
	return dec
}

// mostAtOnce is how many devices decide without knowing of each other: few against all, so that workers can share them without changing what they decide.
const mostAtOnce = 8

// change is what a device would rather do; no power: nothing else.
type change struct {
	dec   model.Decision
	power []float64
}

// measure finds the district's flow and what storage has to spare.
func (w *sweep) measure(share float64) {
	p := w.Problem
	for i := range p.Sites {
		site := append([]float64(nil), p.Sites[i].LoadKW...)
		for t := range site {
			for j := range w.best.Power[i] {
				site[t] += w.best.Power[i][j][t]
			}
			w.net[t] += site[t]
		}
		if w.site != nil {
			w.site[i] = site
		}
		for _, d := range p.Sites[i].Devices {
			if d, ok := d.(*problem.Battery); ok {
				for t := range w.spare {
					w.spare[t] += share * math.Min(d.ChargeKW, d.DischargeKW)
				}
			}
		}
	}
	w.peak = p.Grid.PeakSoFarKW
	for _, kw := range w.net {
		w.peak = math.Max(w.peak, kw)
	}
}

// decide returns what a device does at the present prices, where that is better for it than what it does in the best plan.
func (w *sweep) decide(solver *exact.Solver, u unit) change {
	p, dt, d := w.Problem, w.Problem.Hours(), w.device(u)
	now := w.best.Power[u.site][u.dev]
	if d, ok := d.(*problem.Shiftable); ok {
		return w.start(u, d, now)
	}
	price := make([]float64, p.Steps)
	parts, _ := exact.Machines(d, dt, price)
	for _, part := range parts {
		for k := range part.Machine.Steps {
			w.charge(&part.Machine.Steps[k], u, part.From+k, now[part.From+k])
		}
	}
	old := 0.0
	for _, part := range parts {
		n := len(part.Machine.Steps)
		var on []bool
		if f := w.best.On[u.site][u.dev]; f != nil {
			on = f[part.From : part.From+n]
		}
		cost, ok := part.Machine.Cost(now[part.From:part.From+n], on)
		if !ok {
			cost = math.Inf(1)
		}
		old += cost
	}
	plan := solver.Parts(parts, 0, p.Steps, w.tolerance)
	if !(plan.Cost < old-1e-7*(1+math.Abs(old))) {
		return change{}
	}
	return change{chosen(d, plan).dec, plan.Power}
}

// slope returns what one more kW costs (EUR in the step) at a change of the device's power from what it is, away from zero by beyond what storage makes up for.
func (w *sweep) slope(u unit, t int, change float64) float64 {
	p := w.Problem
	price := w.best.Solution.V[u.site][t] + w.fined(u, t, change)
	buy, sell := p.Hours()*p.ImportCost(t), p.Hours()*p.Grid.ExportPrice[t]
	if buy < sell || math.Abs(change) <= w.spare[t] {
		return price
	}
	lambda := w.best.Solution.Lambda[t]
	at := func(net float64) float64 {
		switch {
		case net < 0:
			return sell
		case net < w.peak:
			return buy
		}
		return buy + p.Grid.PeakPrice
	}
	if change > 0 {
		return price + math.Max(0, at(w.net[t]+change-w.spare[t])-lambda)
	}
	return price + math.Min(0, at(w.net[t]+change+w.spare[t])-lambda)
}

// fined is what one more kW beyond a limit of the site or the district costs.
func (w *sweep) fined(u unit, t int, change float64) float64 {
	if w.site == nil {
		return 0
	}
	fine := 0.0
	for _, r := range w.rooms(u, t) {
		switch {
		case change > r.up:
			fine += w.fine
		case change < -r.down:
			fine -= w.fine
		}
	}
	return fine
}

// room is by how much a device may draw more and less in a step, kW.
type room struct{ up, down float64 }

// rooms are what the limits of the site and of the district leave to a device, with what others give way.
func (w *sweep) rooms(u unit, t int) [2]room {
	site, grid := &w.Problem.Sites[u.site], &w.Problem.Grid
	at, all := w.site[u.site][t], w.net[t]
	out := [2]room{{site.ImportLimitKW[t] - at, site.ExportLimitKW[t] + at}, {grid.ImportLimitKW[t] - all, grid.ExportLimitKW[t] + all}}
	if w.slack != nil {
		w.slack.add(&out, u, t)
	}
	return out
}

// charge puts the price of power in step t into a machine's step; now is the device's present power, which the district's flow includes.
func (w *sweep) charge(q *exact.Step, u unit, t int, now float64) {
	most := math.Max(q.Most, q.Give)
	spots := []float64{now - w.spare[t], now + w.spare[t], now - w.spare[t] - w.net[t], now + w.spare[t] - w.net[t], now + w.spare[t] + w.peak - w.net[t]}
	if w.site != nil {
		for _, r := range w.rooms(u, t) {
			spots = append(spots, now+r.up, now-r.down)
		}
	}
	up, down := []float64{}, []float64{}
	for _, x := range spots {
		if x > 1e-9 && x < most {
			up = append(up, x)
		}
		if -x > 1e-9 && -x < most {
			down = append(down, -x)
		}
	}
	slices.Sort(up)
	slices.Sort(down)
	last := 0.0
	for k, from := 0, 0.0; k <= len(up); k++ {
		to := most + 1
		if k < len(up) {
			to = up[k]
		}
		v := w.slope(u, t, (from+to)/2-now)
		if k == 0 {
			q.Cost += v
		} else if v > last {
			q.Above = append(q.Above, exact.Bend{At: from, More: v - last})
		}
		last, from = v, to
	}
	for k, from := 0, 0.0; k <= len(down); k++ {
		to := most + 1
		if k < len(down) {
			to = down[k]
		}
		v := w.slope(u, t, -(from+to)/2-now)
		if k == 0 {
			q.Pay -= v
		} else if v < last {
			q.Beyond = append(q.Beyond, exact.Bend{At: from, More: last - v})
		}
		last, from = v, to
	}
}

// start tries every start of an appliance.
func (w *sweep) start(u unit, d *problem.Shiftable, now []float64) change {
	cost := func(power func(t int) float64) float64 {
		sum := 0.0
		for t := d.EarliestStep; t < d.LatestStep+len(d.ProfileKW); t++ {
			kw := power(t)
			if kw == now[t] {
				continue
			}
			// the change is small against the district's flow: its middle tells the price
			sum += (kw - now[t]) * w.slope(u, t, kw-now[t])
		}
		return sum
	}
	best, at := -1e-9, -1
	for s := d.EarliestStep; s <= d.LatestStep; s++ {
		v := cost(func(t int) float64 {
			if k := t - s; k >= 0 && k < len(d.ProfileKW) {
				return d.ProfileKW[k]
			}
			return 0
		})
		if v < best {
			best, at = v, s
		}
	}
	if at < 0 {
		return change{}
	}
	power := make([]float64, w.Problem.Steps)
	copy(power[at:], d.ProfileKW)
	return change{model.Decision{Start: at + 1}, power}
}
