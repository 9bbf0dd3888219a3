package optimizer

import (
	"math"
	"sort"

	"quartier/optimizer/discrete"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// quiet is the difference of powers (kW) that counts as no change of a set-point.
const quiet = 1e-3

// calm makes the plan quieter from a step on at no more than the budget: an interior point lies inside the face of best plans, where energy lies in any order over steps
// of equal price. Each device in turn gets its energy of such a stretch of steps as one constant power, or as one block at its beginning or end, where that
// means fewer switches, fewer changes or less variation, in this order. Where the district's balance stands against it, another device of much freedom may take the
// difference. Costs are exact; the budget is spent as it goes.
func (r *run) calm(plan *discrete.Plan, best setPoints, from int, most float64) (setPoints, bool) {
	out := setPoints{power: make([][][]float64, len(best.power)), on: make([][][]bool, len(best.on)), cost: best.cost}
	for i := range best.power {
		out.power[i], out.on[i] = make([][]float64, len(best.power[i])), append([][]bool(nil), best.on[i]...)
		for j := range best.power[i] {
			out.power[i][j] = append([]float64(nil), best.power[i][j]...)
		}
	}
	changed := r.tidy(out.power, from)
	if changed {
		model.Repair(r.p, out.power)
		cost, ok := r.judge(out.power, out.on)
		if !ok || cost > most {
			for i := range best.power {
				for j := range best.power[i] {
					copy(out.power[i][j], best.power[i][j])
				}
			}
			changed = false
		} else {
			out.cost = cost
		}
	}
	c := &calming{run: r, at: out, left: most - out.cost, book: newLedger(r.p, out.power), from: from}
	c.free = c.absorbers()
	moved := false
	for i := range r.p.Sites {
		for j, d := range r.p.Sites[i].Devices {
			moved = c.device(i, j, d, plan.Solution.V[i]) || moved
		}
	}
	if !moved {
		return out, changed
	}
	cost, ok := r.judge(out.power, out.on)
	r.set.Log.Debug("plan calmed", "kept", ok && cost <= most, "preference_eur", cost-plan.Cost)
	if out.cost = cost; !ok || cost > most {
		return setPoints{}, false
	}
	return out, true
}

// tidy sets powers within rounding of nothing to nothing, and reports whether there were any.
func (r *run) tidy(power [][][]float64, from int) bool {
	some := false
	for i := range power {
		for j, d := range r.p.Sites[i].Devices {
			if k := d.Kind(); k == problem.KindPV || k == problem.KindShiftable {
				continue
			}
			for t := from; t < r.p.Steps; t++ {
				if v := power[i][j][t]; v != 0 && math.Abs(v) < quiet {
					power[i][j][t], some = 0, true
				}
			}
		}
	}
	return some
}

// calming is the work of calm.
type calming struct {
	*run
	at   setPoints
	left float64 // EUR that may still be spent
	book *ledger
	from int
	free []absorber
	// window is working memory: powers around the steps that are tried
	window []float64
}

// absorber is a device that may take differences.
type absorber struct {
	site, dev int
	alone     *solo
	cost      float64 // EUR, its own at its present powers
}

// mostAbsorbers bounds how many devices are asked to take a difference.
const mostAbsorbers = 3

// absorbers are the devices with the most freedom that have no on/off decisions: those that move the most energy.
func (c *calming) absorbers() []absorber {
	type one struct {
		i, j int
		kw   float64
	}
	var list []one
	for i := range c.p.Sites {
		for j, d := range c.p.Sites[i].Devices {
			kw := 0.0
			switch d := d.(type) {
			case *problem.Battery:
				kw = d.ChargeKW + d.DischargeKW
			case *problem.Flexible:
				kw = d.MaxKW * float64(d.LatestStep-d.EarliestStep) / float64(c.p.Steps)
			}
			if kw > 0 {
				list = append(list, one{i, j, kw})
			}
		}
	}
	sort.SliceStable(list, func(a, b int) bool { return list[a].kw > list[b].kw })
	var out []absorber
	for _, l := range list[:min(len(list), mostAbsorbers)] {
		f := absorber{site: l.i, dev: l.j, alone: newSolo(c.p, c.p.Sites[l.i].Devices[l.j])}
		var ok bool
		if f.cost, ok = f.alone.cost(c.at.power[l.i][l.j], nil); ok {
			out = append(out, f)
		}
	}
	return out
}

// device calms one device, stretch by stretch of equal price.
func (c *calming) device(i, j int, d problem.Device, price []float64) bool {
	low, high := c.from, c.p.Steps
	var spans [][2]int
	least, top := 0.0, math.Inf(1)
	switch d := d.(type) {
	case *problem.Battery:
		spans = [][2]int{{low, high}}
	case *problem.EV:
		for _, s := range d.Sessions {
			spans = append(spans, [2]int{max(low, s.ArriveStep), s.DepartStep})
		}
		least, top = d.MinKW, d.MaxKW
	case *problem.Flexible:
		spans = [][2]int{{max(low, d.EarliestStep), d.LatestStep}}
		top = d.MaxKW
	case *problem.WaterHeater:
		spans = [][2]int{{low, high}}
		least, top = d.MinKW, d.MaxKW
	case *problem.HeatPump:
		spans = [][2]int{{low, high}}
		least, top = d.MinKW, d.MaxKW
	}
	moved := false
	var alone *solo
	for _, s := range spans {
		for a := s[0]; a < s[1]; {
			b := a + 1
			for b < s[1] && math.Abs(price[b]-price[b-1]) <= 1e-3*math.Abs(price[b])+1e-5 && math.Abs(price[b]-price[a]) <= 2e-3*math.Abs(price[b])+2e-5 {
				b++
			}
			if b-a > 1 && rough(c.at.power[i][j][a:b]) {
				if alone == nil {
					alone = newSolo(c.p, d)
				}
				if c.stretch(i, j, d, alone, a, b, least, top) {
					moved = true
				} else {
					moved = c.parts(i, j, d, alone, a, b, least, top) || moved
				}
			}
			a = b
		}
	}
	return moved
}

// parts tries the parts of a stretch in which the site and the district draw, give or do neither throughout: at the edge between them a price holds without being free.
func (c *calming) parts(i, j int, d problem.Device, alone *solo, from, to int, least, top float64) bool {
	class := func(t int) [2]int { return [2]int{direction(c.book.total[t]), direction(c.book.site[i][t])} }
	moved := false
	for a := from; a < to; {
		b := a + 1
		for b < to && class(b) == class(a) {
			b++
		}
		if b-a > 1 && b-a < to-from && rough(c.at.power[i][j][a:b]) {
			moved = c.stretch(i, j, d, alone, a, b, least, top) || moved
		}
		a = b
	}
	return moved
}

// direction is 1 for a power that is taken, -1 for one that is given, 0 for nothing.
func direction(kw float64) int {
	switch {
	case kw > quiet:
		return 1
	case kw < -quiet:
		return -1
	}
	return 0
}

func rough(v []float64) bool {
	for t := 1; t < len(v); t++ {
		if math.Abs(v[t]-v[t-1]) > quiet {
			return true
		}
	}
	return false
}

// unrest is what calm lowers, the first difference counting.
type unrest struct {
	switches, changes int
	variation         float64
}

func (u unrest) less(v unrest) bool {
	switch {
	case u.switches != v.switches:
		return u.switches < v.switches
	case u.changes != v.changes:
		return u.changes < v.changes
	}
	return u.variation < v.variation-quiet
}

func (u unrest) plus(v unrest) unrest {
	return unrest{u.switches + v.switches, u.changes + v.changes, u.variation + v.variation}
}

// unrestOf measures powers: switches between taking, resting and giving, changes of the set-point, and the sum of the changes.
func unrestOf(v []float64) unrest {
	var u unrest
	for t := 1; t < len(v); t++ {
		if direction(v[t]) != direction(v[t-1]) {
			u.switches++
		}
		if by := math.Abs(v[t] - v[t-1]); by > quiet {
			u.changes++
			u.variation += by
		}
	}
	return u
}

// stretch tries other shapes for the steps [a, b) of a device and takes the calmest that the budget allows.
func (c *calming) stretch(i, j int, d problem.Device, alone *solo, a, b int, least, top float64) bool {
	was := c.at.power[i][j]
	n := float64(b - a)
	var shapes [][]float64
	constant := func(kw float64) {
		v := make([]float64, b-a)
		for t := range v {
			v[t] = kw
		}
		shapes = append(shapes, v)
	}
	if battery, ok := d.(*problem.Battery); ok {
		moved := 0.0
		for _, kw := range was[a:b] {
			if kw > 0 {
				moved += kw * battery.ChargeEfficiency
			} else {
				moved += kw / battery.DischargeEfficiency
			}
		}
		if moved > 0 {
			constant(moved / n / battery.ChargeEfficiency)
		} else {
			constant(moved / n * battery.DischargeEfficiency)
		}
	} else {
		sum, peak, gives := 0.0, 0.0, false
		for _, kw := range was[a:b] {
			sum, peak, gives = sum+kw, math.Max(peak, kw), gives || kw < 0
		}
		if gives || sum <= quiet {
			return false
		}
		if kw := sum / n; kw >= least {
			constant(kw)
		}
		levels := []float64{peak, top}
		if d.Kind() == problem.KindHeatPump {
			levels = nil // a zone wants its heat when it wants it
		}
		for _, level := range levels {
			k := int(math.Ceil(sum/level - 1e-6))
			if kw := sum / float64(k); k < b-a && kw >= least-1e-9 {
				early, late := make([]float64, b-a), make([]float64, b-a)
				for t := range k {
					early[t], late[b-a-1-t] = kw, kw
				}
				shapes = append(shapes, early, late)
			}
		}
	}
	own := func(v []float64, on []bool) (float64, bool) {
		cost, ok := alone.cost(v, on)
		return cost - alone.now(was, c.at.on[i][j]), ok
	}
	// what lies further away than a step is as restless as before
	near := func(v []float64) []float64 { return v[max(0, a-1):min(len(v), b+1)] }
	unrestWas := unrestOf(near(was))
	var take func()
	calmest, spend, allowed := unrestWas, 0.0, c.left/4
	for _, shape := range shapes {
		v := append(append(c.window[:0], was[max(0, a-1):a]...), shape...)
		v = append(v, was[b:min(len(was), b+1)]...)
		c.window = v
		u := unrestOf(v)
		if !u.less(calmest) {
			continue
		}
		v = append(append(append(make([]float64, 0, len(was)), was[:a]...), shape...), was[b:]...)
		change := make([]float64, b-a)
		for t := range change {
			change[t] = v[a+t] - was[a+t]
		}
		on := flags(c.at.on[i][j], v, a, b)
		if cost, ok := c.book.change(i, change, a); ok && cost <= allowed {
			if by, ok := own(v, on); ok && cost+by <= allowed {
				calmest, spend = u, cost+by
				take = func() {
					c.book.apply(i, change, a)
					c.at.power[i][j], c.at.on[i][j] = v, on
				}
			}
			continue
		}
		if d.Kind() == problem.KindHeatPump {
			continue
		}
		if k, w, cost, ok := c.absorb(i, j, change, a, u, unrestWas, allowed); ok {
			if by, ok := own(v, on); ok && cost+by <= allowed {
				f := &c.free[k]
				calmest, spend = u, cost+by
				take = func() {
					c.book.apply(i, change, a)
					c.book.apply(f.site, negative(change), a)
					c.at.power[i][j], c.at.on[i][j] = v, on
					c.at.power[f.site][f.dev] = w
					f.cost, _ = f.alone.cost(w, nil)
				}
			}
		}
	}
	if take == nil {
		return false
	}
	take()
	alone.moved()
	for k := range c.free {
		if f := &c.free[k]; f.site == i && f.dev == j {
			f.cost, _ = f.alone.cost(c.at.power[i][j], nil)
		}
	}
	c.left -= math.Max(0, spend)
	return true
}

// absorb finds a device that can take the difference so that nothing changes at the district's boundary, and both together are calmer. It returns the index of the device, its
// powers and what that costs in EUR beside the first device's own cost.
func (c *calming) absorb(i, j int, change []float64, a int, now, was unrest, allowed float64) (k int, w []float64, cost float64, ok bool) {
	for k, f := range c.free {
		if f.site == i && f.dev == j {
			continue
		}
		other := c.at.power[f.site][f.dev]
		near := other[max(0, a-1):min(len(other), a+len(change)+1)]
		w := append(c.window[:0], near...)
		c.window = w
		for t, kw := range change {
			w[t+min(a, 1)] -= kw
		}
		if !now.plus(unrestOf(w)).less(was.plus(unrestOf(near))) {
			continue
		}
		w = append([]float64(nil), other...)
		for t, kw := range change {
			w[a+t] -= kw
		}
		back := negative(change)
		first, _ := c.book.change(i, change, a)
		c.book.apply(i, change, a)
		second, ok := c.book.change(f.site, back, a)
		c.book.apply(i, back, a)
		if !ok || first+second > allowed || !c.book.fits(i, change, a) {
			continue
		}
		after, ok := f.alone.cost(w, nil)
		if total := first + second + after - f.cost; ok && total <= allowed {
			return k, w, total, true
		}
	}
	return 0, nil, 0, false
}

func negative(v []float64) []float64 {
	out := make([]float64, len(v))
	for t := range v {
		out[t] = -v[t]
	}
	return out
}

// flags are the on states with those of [a, b) as the powers say; nil stays nil.
func flags(on []bool, power []float64, a, b int) []bool {
	if on == nil {
		return nil
	}
	out := append([]bool(nil), on...)
	for t := a; t < b; t++ {
		out[t] = power[t] > 1e-6
	}
	return out
}

// ledger knows what crosses the connections and what that costs.
type ledger struct {
	p     *problem.Problem
	site  [][]float64 // net power, kW
	total []float64
	peak  float64 // highest of total and what it was so far, kW
	top   int     // step in which total is that high; -1: none
}

func newLedger(p *problem.Problem, power [][][]float64) *ledger {
	b := &ledger{p: p, site: make([][]float64, len(p.Sites)), total: make([]float64, p.Steps)}
	for i := range p.Sites {
		b.site[i] = append([]float64(nil), p.Sites[i].LoadKW...)
		for _, v := range power[i] {
			for t, kw := range v {
				b.site[i][t] += kw
			}
		}
		for t, kw := range b.site[i] {
			b.total[t] += kw
		}
	}
	b.findPeak()
	return b
}

// findPeak looks for the highest total.
func (b *ledger) findPeak() {
	b.peak, b.top = b.p.Grid.PeakSoFarKW, -1
	for t, kw := range b.total {
		if kw > b.peak {
			b.peak, b.top = kw, t
		}
	}
}

// peakWith is the highest total with so much more from step a on.
func (b *ledger) peakWith(by []float64, a int) float64 {
	most := b.peak
	if b.top >= a && b.top < a+len(by) {
		most = b.p.Grid.PeakSoFarKW
		for t, kw := range b.total {
			if t < a || t >= a+len(by) {
				most = max(most, kw)
			}
		}
	}
	for k, v := range by {
		most = max(most, b.total[a+k]+v)
	}
	return most
}

// fits reports whether a site may draw so much more from step a on by its own limits.
func (b *ledger) fits(i int, by []float64, a int) bool {
	site := &b.p.Sites[i]
	for k, v := range by {
		if net := b.site[i][a+k]; v > 0 && net+v > site.ImportLimitKW[a+k] || v < 0 && -net-v > site.ExportLimitKW[a+k] {
			return false
		}
	}
	return true
}

// change returns what it costs (EUR) that a site draws so much more from step a on; ok is false where that oversteps a limit.
func (b *ledger) change(i int, by []float64, a int) (cost float64, ok bool) {
	p, site, g := b.p, &b.p.Sites[i], &b.p.Grid
	dt := p.Hours()
	flow := func(t int, kw float64) float64 {
		if kw > 0 {
			return dt * p.ImportCost(t) * kw
		}
		return dt * g.ExportPrice[t] * kw
	}
	ok = b.fits(i, by, a)
	for k, v := range by {
		t := a + k
		net, total := b.site[i][t], b.total[t]
		if v > 0 && total+v > g.ImportLimitKW[t] || v < 0 && -total-v > g.ExportLimitKW[t] {
			ok = false
		}
		cost += flow(t, total+v) - flow(t, total) + dt*site.WithdrawalFee[t]*(math.Max(0, net+v)-math.Max(0, net))
	}
	if g.PeakPrice > 0 {
		cost += g.PeakPrice * (b.peakWith(by, a) - b.peak)
	}
	return cost, ok
}

func (b *ledger) apply(i int, by []float64, a int) {
	for k, v := range by {
		b.site[i][a+k] += v
		b.total[a+k] += v
	}
	b.findPeak()
}
