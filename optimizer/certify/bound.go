package certify

import (
	"context"
	"math"
	"sort"
	"sync"
	"sync/atomic"

	"quartier/optimizer/exact"
	"quartier/optimizer/problem"
)

// Duals are prices of a problem's equations, from any source; every value is allowed, and a value that is no finite number counts as 0.
type Duals struct {
	District []float64               // EUR/kWh: one more kWh needed at the district's boundary, by step
	Site     [][]float64             // EUR/kWh: one more kWh needed at the site, by site and step; nil: that of the district
	Chain    map[DeviceKey][]float64 // EUR per kWh or K: one more unit given to the store or zone in a step; absent: the best for the prices is computed
	Peak     []float64               // EUR/kW on each step's import, from 0 (negative counts as 0); nil: the best for the prices is computed
}

// DeviceKey names a device by the ids of its site and itself.
type DeviceKey struct{ Site, Device string }

// DualsOf returns the prices that a solution document carries.
func DualsOf(p *problem.Problem, s *problem.Solution) Duals {
	d := Duals{Site: make([][]float64, len(p.Sites))}
	if s.Grid != nil {
		d.District = s.Grid.Price
	}
	for i := range p.Sites {
		d.Site[i] = d.District
		for k := range s.Sites {
			if s.Sites[k].ID == p.Sites[i].ID && s.Sites[k].Price != nil {
				d.Site[i] = s.Sites[k].Price
			}
		}
	}
	return d
}

// Bound returns a cost in EUR below which no plan of the valid problem p can be, whatever the duals; good ones make it high. It is a Lagrangian bound:
// with L the district's price, v_i the site's, pi >= 0 the peak's, in every step t
//
//	bound = sum_i,t dt*v_i*load_i
//	      + sum_i,t min over n of   dt*(fee_i*max(0, n) + (L - v_i)*n)                    n within the limits and what the devices can do
//	      + sum_t   min over in,out dt*((price + carbon)*in - sell*out - L*(in - out)) + pi*(in - peak_so_far)      not both above 0
//	      + min over w of (peak_price - sum_t pi)*w                                         w from 0 to the highest import there can be
//	      + sum of the devices' least  own cost + sum_t dt*v_i*power
//
// A device's least value is taken over more than it can do: a minimum power, minimum times and start costs are left out, so that the bound holds for
// mixed problems too. A store or a zone with s[t+1] = keep*s[t] + rhs[t] + sum_j gain_j*u_j is parted in its steps by its dual y[t]:
//
//	value = y[0]*keep*s[0] + sum_t y[t]*rhs[t] + sum_t min over u_j of (cost_j + y[t]*gain_j)*u_j
//	      + sum_t min over s[t+1] of own cost(s[t+1]) + (keep*y[t+1] - y[t])*s[t+1],  y[T] = 0
//
// over the inputs' ranges and the states that can be reached at all. That holds for any y, since it adds y times an equation. Shiftable and
// flexible loads are valued exactly. From the sum a margin for rounding is taken off: 16 units in the last place of the sum of all magnitudes.
func Bound(p *problem.Problem, duals Duals) float64 { return BoundBy(p, duals, 1) }

// BoundBy is [Bound] by so many goroutines; the value does not depend on it.
func BoundBy(p *problem.Problem, duals Duals, workers int) float64 {
	v, _ := bound(p, duals, max(1, min(workers, len(p.Sites))), nil)
	return v
}

// Exact asks for devices with on/off decisions to be valued with these decisions, by package exact.
type Exact struct {
	Tolerance float64 // EUR that the value of a device may be missed by; the bound holds whatever it is
	Burning   bool    // batteries and cars that give too: their directions exclude each other, which matters where burning energy pays
	Workers   int     // goroutines; the result does not depend on it
}

// ExactBound is [Bound] with the on/off decisions of devices seen, and returns also what each such device does at these prices, by site and device (zero elsewhere).
// When ctx ends, the devices not reached yet count as in Bound, which holds as well, and done is false.
func ExactBound(ctx context.Context, p *problem.Problem, duals Duals, set Exact) (value float64, plans [][]exact.Plan, done bool) {
	plans = make([][]exact.Plan, len(p.Sites))
	for i := range plans {
		plans[i] = make([]exact.Plan, len(p.Sites[i].Devices))
	}
	value, done = bound(p, duals, max(1, min(set.Workers, len(p.Sites))), &exactly{Exact: set, ctx: ctx, plans: plans})
	return value, plans, done
}

// exactly is what the goroutines of an exact bound share.
type exactly struct {
	Exact
	ctx   context.Context
	plans [][]exact.Plan
	cut   atomic.Bool
}

func bound(p *problem.Problem, duals Duals, workers int, ex *exactly) (value float64, done bool) {
	district := clean(duals.District, p.Steps)
	type part struct {
		sum, rest, size float64
		least, most     []float64
	}
	parts := make([]part, len(p.Sites))
	spare := sync.Pool{New: func() any {
		b := &bounding{p: p, dt: p.Hours()}
		if ex != nil {
			b.exact, b.solver = ex, new(exact.Solver)
		}
		return b
	}}
	each(len(p.Sites), workers, func(i int) {
		b := spare.Get().(*bounding)
		defer spare.Put(b)
		b.sum, b.rest, b.size = 0, 0, 0
		least, most := b.site(i, district, duals)
		parts[i] = part{b.sum, b.rest, b.size, least, most}
	})
	b := &bounding{p: p, dt: p.Hours()}
	lowest, highest := make([]float64, p.Steps), make([]float64, p.Steps)
	for i := range parts {
		b.add(parts[i].sum)
		b.add(parts[i].rest)
		b.size += parts[i].size
		for t := range p.Steps {
			lowest[t] += parts[i].least[t]
			highest[t] += parts[i].most[t]
		}
	}
	b.grid(district, duals.Peak, lowest, highest)
	return b.result(), ex == nil || !ex.cut.Load()
}

// site adds a site's devices and its net power, and returns the range of the net power.
func (b *bounding) site(i int, district []float64, duals Duals) (lowest, highest []float64) {
	p, site := b.p, &b.p.Sites[i]
	b.at = i
	price := district
	if i < len(duals.Site) && duals.Site[i] != nil {
		price = clean(duals.Site[i], p.Steps)
	}
	low, high := append([]float64(nil), site.LoadKW...), append([]float64(nil), site.LoadKW...)
	for j, d := range site.Devices {
		given, ok := duals.Chain[DeviceKey{site.ID, d.ID()}]
		if ok {
			given = clean(given, p.Steps)
		}
		b.device(j, d, price, given, low, high)
	}
	for t := range p.Steps {
		b.add(b.dt * price[t] * site.LoadKW[t])
		least, most := max(low[t], -site.ExportLimitKW[t]), min(high[t], site.ImportLimitKW[t])
		if least > most { // no plan at all: any bound holds
			least, most = low[t], high[t]
		}
		slope := b.dt * (district[t] - price[t])
		fee := b.dt * site.WithdrawalFee[t]
		best := min(slope*least+fee*max(0, least), slope*most+fee*max(0, most))
		if least < 0 && most > 0 {
			best = min(best, 0)
		}
		b.add(best)
		b.size += b.dt * (math.Abs(district[t]) + math.Abs(price[t])) * max(math.Abs(least), math.Abs(most))
		low[t], high[t] = least, most
	}
	return low, high
}

// clean returns T finite values.
func clean(v []float64, steps int) []float64 {
	out := make([]float64, steps)
	for t := range min(steps, len(v)) {
		if !math.IsNaN(v[t]) && !math.IsInf(v[t], 0) {
			out[t] = v[t]
		}
	}
	return out
}

// bounding sums terms with compensation, and their magnitudes for the margin.
type bounding struct {
	p               *problem.Problem
	dt              float64
	sum, rest, size float64
	exact           *exactly // nil: devices count with their relaxed value
	solver          *exact.Solver
	at              int // index of the site
}

func (b *bounding) add(v float64) {
	s := b.sum + v
	if math.Abs(b.sum) >= math.Abs(v) {
		b.rest += (b.sum - s) + v
	} else {
		b.rest += (v - s) + b.sum
	}
	b.sum = s
	b.size += math.Abs(v)
}

func (b *bounding) result() float64 {
	const unit = 0x1p-53
	v := b.sum + b.rest - 16*unit*b.size
	if math.IsNaN(v) { // beyond the range of numbers: nothing is known
		return math.Inf(-1)
	}
	return v
}

// least adds the minimum of slope*x over [low, high], where slope was computed from terms of at most the given magnitude.
func (b *bounding) least(slope, magnitude, low, high float64) {
	b.add(min(slope*low, slope*high))
	b.size += magnitude * max(math.Abs(low), math.Abs(high))
}

// grid adds the district's boundary and the peak.
func (b *bounding) grid(district, given, lowest, highest []float64) {
	g, steps := &b.p.Grid, b.p.Steps
	in, out, surplus, worth := make([]float64, steps), make([]float64, steps), make([]float64, steps), make([]float64, steps)
	top := 0.0
	for t := range steps {
		in[t] = min(g.ImportLimitKW[t], max(0, highest[t]))
		out[t] = min(g.ExportLimitKW[t], max(0, -lowest[t]))
		surplus[t] = b.dt * (district[t] - g.ImportPrice[t] - g.CarbonIntensity[t]*b.p.CarbonPrice/1e6)
		top = max(top, in[t]-g.PeakSoFarKW)
		if worth[t] = surplus[t]; in[t] > 0 { // below what exporting gives anyway, making imports dearer changes nothing
			worth[t] += min(0, b.dt*(district[t]-g.ExportPrice[t])*out[t]) / in[t]
		}
	}
	peak := b.peak(given, worth, in)
	left := g.PeakPrice
	for t := range steps {
		left -= peak[t]
		b.add(-peak[t] * g.PeakSoFarKW)
		importing := (peak[t] - surplus[t]) * in[t]
		exporting := b.dt * (district[t] - g.ExportPrice[t]) * out[t]
		b.add(min(0, importing, exporting))
		b.size += b.dt*(math.Abs(district[t])+math.Abs(g.ExportPrice[t]))*out[t] + (peak[t]+b.dt*(math.Abs(district[t])+math.Abs(g.ImportPrice[t])+g.CarbonIntensity[t]*b.p.CarbonPrice/1e6))*in[t]
	}
	b.add(min(0, left) * top)
	b.size += g.PeakPrice * top
}

// peak returns the duals of the peak: those given, or those that make the bound highest at these prices. In each step one EUR/kW more gives what the import
// could be, less the peak so far, until importing is worth nothing more; and all together are worth no more than the peak's price.
func (b *bounding) peak(given, worth, in []float64) []float64 {
	if given != nil {
		out := clean(given, b.p.Steps)
		for t := range out {
			out[t] = max(0, out[t])
		}
		return out
	}
	out, order := make([]float64, b.p.Steps), make([]int, b.p.Steps)
	for t := range order {
		order[t] = t
	}
	sort.SliceStable(order, func(x, y int) bool { return in[order[x]] > in[order[y]] })
	left := b.p.Grid.PeakPrice
	for _, t := range order {
		if in[t] > b.p.Grid.PeakSoFarKW {
			out[t] = min(left, max(0, worth[t]))
			left -= out[t]
		}
	}
	return out
}
