package certify

import "math"

// chain is a store or a zone of n steps, relaxed: s[t+1] = keep*s[t] + rhs[t] + sum_j gain_j*u_j.
type chain struct {
	initial   float64
	keep      float64
	rhs       []float64
	inputs    [][]input // by step
	parted    bool      // at most one input of a step is not 0
	low, high []float64 // limits of s[t+1], may be infinite
	soft      []soft    // cost of s[t+1]
}

// input is one decision of a step.
type input struct{ gain, cost, low, high float64 }

// soft is the cost slope*s + under*max(0, least-s) + over*max(0, s-most), convex since under and over are at least 0.
type soft struct{ slope, under, least, over, most float64 }

func (f soft) at(s float64) float64 {
	return f.slope*s + f.under*max(0, f.least-s) + f.over*max(0, s-f.most)
}

// slopes returns the left and right slope at s; a kink counts from within tolerance.
func (f soft) slopes(s, tolerance float64) (left, right float64) {
	left, right = f.slope, f.slope
	if s <= f.least+tolerance {
		left -= f.under
	}
	if s < f.least-tolerance {
		right -= f.under
	}
	if s > f.most+tolerance {
		left += f.over
	}
	if s >= f.most-tolerance {
		right += f.over
	}
	return left, right
}

// reach returns, for each s[t+1], an interval that holds every value the chain can take within its limits, widened for rounding.
func (c *chain) reach() (low, high []float64) {
	n := len(c.rhs)
	low, high = make([]float64, n), make([]float64, n)
	from, to := c.initial, c.initial
	for t := range n {
		from, to = c.keep*from+c.rhs[t], c.keep*to+c.rhs[t]
		down, up := 0.0, 0.0
		for _, u := range c.inputs[t] {
			a, b := u.gain*u.low, u.gain*u.high
			down, up = down+min(a, b), up+max(a, b)
		}
		margin := 1e-13 * (math.Abs(from) + math.Abs(to) + math.Abs(down) + math.Abs(up) + math.Abs(c.rhs[t]))
		from, to = from+down-margin, to+up+margin
		if a, b := max(from, c.low[t]), min(to, c.high[t]); a <= b {
			from, to = a, b
		} // else there is no plan at all, and any interval serves
		low[t], high[t] = from, to
	}
	return low, high
}

// value adds the chain's value at the duals y to b: see [Bound].
func (b *bounding) value(c *chain, y, low, high []float64) {
	b.add(y[0] * c.keep * c.initial)
	for t := range c.rhs {
		b.add(y[t] * c.rhs[t])
		least := 0.0
		for _, u := range c.inputs[t] {
			slope := u.cost + y[t]*u.gain
			v := min(slope*u.low, slope*u.high)
			if c.parted {
				least = min(least, v)
			} else {
				least += v
			}
			b.size += (math.Abs(u.cost) + math.Abs(y[t]*u.gain)) * max(math.Abs(u.low), math.Abs(u.high))
		}
		b.add(least)
		f, slope := c.soft[t], -y[t]
		if t+1 < len(y) {
			slope += c.keep * y[t+1]
			b.size += c.keep * math.Abs(y[t+1]) * max(math.Abs(low[t]), math.Abs(high[t]))
		}
		best := min(f.at(low[t])+slope*low[t], f.at(high[t])+slope*high[t])
		for _, s := range [2]float64{f.least, f.most} {
			if s > low[t] && s < high[t] {
				best = min(best, f.at(s)+slope*s)
			}
		}
		b.add(best)
		b.size += (math.Abs(y[t])+math.Abs(f.slope))*max(math.Abs(low[t]), math.Abs(high[t])) + f.under*math.Abs(f.least-low[t]) + f.over*math.Abs(high[t]-f.most)
	}
}

// piece is a stretch of a convex piecewise-linear function.
type piece struct{ slope, length float64 }

// curve is a convex piecewise-linear function on an interval from start, its pieces in ascending order of slope; its value does not matter here.
type curve struct {
	start  float64
	pieces []piece
}

// mostPieces bounds the memory that duals may take.
const mostPieces = 1 << 22

// duals returns duals y that make the chain's value as high as it can be (the value of the relaxed chain itself), up to rounding. It goes backward through
// the value of being in a state, which stays convex and piecewise linear: an input adds one piece, a step of decay stretches them, limits cut
// them off. Then it goes forward along a best path and takes slopes that fit on both sides. Where nothing is feasible it returns zeros.
func (c *chain) duals(low, high []float64) []float64 {
	n := len(c.rhs)
	y := make([]float64, n)
	own := make([]curve, n)   // cost from s[t+1] on, the cost of s[t+1] itself included
	moved := make([]curve, n) // cost from step t on, by the state before its inputs
	count := 0
	for t := n - 1; t >= 0; t-- {
		w := curve{start: low[t], pieces: []piece{{0, high[t] - low[t]}}}
		if t+1 < n && c.keep > 0 {
			w = moved[t+1].stretch(c.keep, c.rhs[t+1])
		}
		var ok bool
		if w, ok = w.restrict(low[t], high[t]); !ok {
			return y
		}
		own[t] = w.plus(c.soft[t])
		moved[t] = own[t].with(c.hull(t))
		if count += len(own[t].pieces) + len(moved[t].pieces); count > mostPieces {
			return y
		}
	}
	s := c.initial
	for t := range n {
		x := c.keep*s + c.rhs[t]
		a, b := moved[t].slopes(x)
		if t > 0 && c.keep > 0 {
			scale := 1e-10 * (1 + math.Abs(s))
			left, right := c.soft[t-1].slopes(s, scale)
			down, up := (y[t-1]-right)/c.keep, (y[t-1]-left)/c.keep
			if s <= low[t-1]+scale {
				up = math.Inf(1)
			}
			if s >= high[t-1]-scale {
				down = math.Inf(-1)
			}
			if down > b || up < a { // only rounding parts the two: stay as near as can be
				a, b = clamp(down, a, b), clamp(up, a, b)
			} else {
				a, b = max(a, down), min(b, up)
			}
		}
		y[t] = between(a, b)
		s = clamp(own[t].split(moved[t], x, y[t]), low[t], high[t])
	}
	return y
}

// hull returns the inputs of a step; where two of them exclude each other and using both would pay, the one input that runs straight from the one's end to
// the other's, which is all that convex duals can see of them.
func (c *chain) hull(t int) []input {
	in := c.inputs[t]
	if !c.parted || len(in) != 2 || in[0].high == 0 || in[1].high == 0 || in[0].gain <= 0 || in[1].gain >= 0 || in[0].cost/in[0].gain+in[1].cost/-in[1].gain >= 0 {
		return in
	}
	up, down := in[0].gain*in[0].high, -in[1].gain*in[1].high
	return []input{{gain: 1, cost: (in[0].cost*in[0].high - in[1].cost*in[1].high) / (up + down), low: -down, high: up}}
}

func clamp(v, low, high float64) float64 { return max(low, min(high, v)) }

// between returns a finite value of [a, b].
func between(a, b float64) float64 {
	switch {
	case math.IsInf(a, -1) && math.IsInf(b, 1):
		return 0
	case math.IsInf(a, -1):
		return b
	case math.IsInf(b, 1):
		return a
	}
	return a + (b-a)/2
}

// stretch returns the function s -> f(keep*s + rhs).
func (f curve) stretch(keep, rhs float64) curve {
	out := curve{start: (f.start - rhs) / keep, pieces: make([]piece, len(f.pieces))}
	for i, p := range f.pieces {
		out.pieces[i] = piece{p.slope * keep, p.length / keep}
	}
	return out
}

// restrict cuts the function to [low, high]; false when nothing is left.
func (f curve) restrict(low, high float64) (curve, bool) {
	out := curve{start: max(low, f.start)}
	at := f.start
	for _, p := range f.pieces {
		from, to := max(at, low), min(at+p.length, high)
		if to > from || len(f.pieces) == 1 && to >= from {
			out.pieces = append(out.pieces, piece{p.slope, to - from})
		}
		at += p.length
	}
	if len(out.pieces) > 0 {
		return out, true
	}
	// a single point, up to rounding, is a function too
	const tolerance = 1e-9
	if scale := tolerance * (1 + math.Abs(low) + math.Abs(high)); len(f.pieces) > 0 && f.start <= high+scale && at >= low-scale {
		slope := f.pieces[0].slope
		if low >= at-scale {
			slope = f.pieces[len(f.pieces)-1].slope
		}
		return curve{start: clamp(f.start, low, high), pieces: []piece{{slope, 0}}}, true
	}
	return curve{}, false
}

// plus adds the cost of the state, cutting pieces at its kinks.
func (f curve) plus(g soft) curve {
	out := curve{start: f.start}
	at := f.start
	for _, p := range f.pieces {
		end := at + p.length
		for _, kink := range [3]float64{min(g.least, g.most), max(g.least, g.most), end} {
			to := min(kink, end)
			if kink != end && to <= at || kink == end && to < at {
				continue
			}
			middle := at + (to-at)/2
			slope := p.slope + g.slope
			if middle < g.least {
				slope -= g.under
			}
			if middle > g.most {
				slope += g.over
			}
			if to > at || p.length == 0 {
				out.pieces = append(out.pieces, piece{slope, to - at})
			}
			at = to
		}
		at = end
	}
	return out
}

// with returns the function x -> least over the inputs of their cost + f(x + sum gain*u).
func (f curve) with(inputs []input) curve {
	out := curve{start: f.start, pieces: append([]piece(nil), f.pieces...)}
	for _, u := range inputs {
		if u.gain == 0 {
			continue
		}
		out.start += min(-u.gain*u.low, -u.gain*u.high)
		if p := (piece{-u.cost / u.gain, math.Abs(u.gain) * (u.high - u.low)}); p.length > 0 {
			i := len(out.pieces)
			for i > 0 && out.pieces[i-1].slope > p.slope {
				i--
			}
			out.pieces = append(out.pieces, piece{})
			copy(out.pieces[i+1:], out.pieces[i:])
			out.pieces[i] = p
		}
	}
	return out
}

// slopes returns the slopes left and right of x, infinite beyond the ends; a kink counts from within rounding.
func (f curve) slopes(x float64) (left, right float64) {
	end := f.start
	for _, p := range f.pieces {
		end += p.length
	}
	tolerance := 1e-10 * (1 + math.Abs(f.start) + math.Abs(end))
	x = clamp(x, f.start, end)
	left, right = math.Inf(-1), math.Inf(1)
	at := f.start
	for _, p := range f.pieces {
		if p.length <= 2*tolerance {
			at += p.length
			continue
		}
		if at < x-tolerance {
			left = p.slope
		}
		if at += p.length; at > x+tolerance {
			right = p.slope
			break
		}
	}
	if left > right {
		left, right = right, left
	}
	return left, right
}

// split returns where the state is after the step: moved is own with the inputs, x the state before them, and y a slope of moved there.
// Pieces flatter than y are used in full; those of slope y share what is left, the state's own first.
func (f curve) split(moved curve, x, y float64) float64 {
	left := x - moved.start
	for _, p := range moved.pieces {
		if p.slope < y {
			left -= p.length
		}
	}
	at := f.start
	for _, p := range f.pieces {
		switch {
		case p.slope < y:
			at += p.length
		case p.slope == y:
			take := clamp(left, 0, p.length)
			at, left = at+take, left-take
		}
	}
	return at
}
