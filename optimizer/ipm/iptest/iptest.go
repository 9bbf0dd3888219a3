// Package iptest checks answers of package ipm from the problem alone, and makes random problems for it. It shares no code with the solver.
package iptest

import (
	"math"
	"math/rand/v2"

	"quartier/optimizer/ipm"
)

// Residuals says how far a solution is from what it claims.
type Residuals struct {
	Row       float64 // largest violation of a row
	Box       float64 // largest violation of a box
	Objective float64 // recomputed from the variables
	Bound     float64 // recomputed from the duals: weak duality, valid whatever they are
}

// Check recomputes the residuals of a solution.
func Check(p *ipm.Problem, s *ipm.Solution) Residuals {
	r := Residuals{Objective: p.Constant, Bound: p.Constant}
	box := func(x, lo, hi float64) {
		r.Box = math.Max(r.Box, math.Max(lo-x, x-hi))
	}
	row := func(v float64) { r.Row = math.Max(r.Row, math.Abs(v)) }
	// least adds the minimum over the box of g*x plus convex penalties, by its corners.
	least := func(g, lo, hi float64, levels []float64, cost func(float64) float64) {
		best := math.Min(g*lo+cost(lo), g*hi+cost(hi))
		for _, l := range levels {
			if l > lo && l < hi {
				best = math.Min(best, g*l+cost(l))
			}
		}
		r.Bound += best
	}
	none := func(float64) float64 { return 0 }
	peak := 0.0
	for t := 0; t < p.Steps; t++ {
		balance := s.Import[t] - s.Export[t]
		lam := s.Lambda[t]
		for i := range p.Sites {
			q := &p.Sites[i]
			v := s.V[i][t]
			net := s.Net[i][t]
			balance -= net
			made := q.Base[t]
			for j := range q.Inputs {
				u, x := &q.Inputs[j], s.Input[i][j][t]
				made += u.Sign * x
				box(x, u.Lo[t], u.Hi[t])
				r.Objective += u.Cost[t] * x
				g := u.Cost[t] + u.Sign*v
				if u.Chain >= 0 {
					g += u.Gain[t] * s.Y[i][u.Chain][t]
				}
				least(g, u.Lo[t], u.Hi[t], nil, none)
			}
			row(net - made)
			r.Bound += v * q.Base[t]
			box(net, q.Lo[t], q.Hi[t])
			levels, pen := penalties(t, q.Low, q.High)
			fee := func(x float64) float64 {
				if q.Fee == nil {
					return pen(x)
				}
				return pen(x) + q.Fee[t]*math.Max(0, x)
			}
			r.Objective += fee(net)
			least(lam-v, q.Lo[t], q.Hi[t], append(levels, 0), fee)
			for k := range q.Chains {
				c, x, y := &q.Chains[k], s.State[i][k][t], s.Y[i][k]
				want := c.Drive[t]
				if t > 0 {
					want += c.Keep[t] * s.State[i][k][t-1]
				}
				for j := range q.Inputs {
					if q.Inputs[j].Chain == k {
						want += q.Inputs[j].Gain[t] * s.Input[i][j][t]
					}
				}
				row(x - want)
				box(x, c.Lo[t], c.Hi[t])
				r.Bound += c.Drive[t] * y[t]
				levels, pen := penalties(t, c.Low, c.High)
				r.Objective += c.Cost[t]*x + pen(x)
				g := c.Cost[t] - y[t]
				if t+1 < p.Steps {
					g += c.Keep[t+1] * y[t+1]
				}
				least(g, c.Lo[t], c.Hi[t], levels, pen)
			}
		}
		row(balance)
		box(s.Import[t], p.Import.Lo[t], p.Import.Hi[t])
		box(s.Export[t], p.Export.Lo[t], p.Export.Hi[t])
		r.Objective += p.Import.Cost[t]*s.Import[t] + p.Export.Cost[t]*s.Export[t]
		peak = math.Max(peak, s.Import[t]-p.Peak.SoFar)
		least(p.Export.Cost[t]+lam, p.Export.Lo[t], p.Export.Hi[t], nil, none)
	}
	r.Objective += p.Peak.Price * peak
	r.Bound += boughtBound(p, s)
	return r
}

func penalties(t int, low, high *ipm.Band) ([]float64, func(float64) float64) {
	var levels []float64
	for _, b := range []*ipm.Band{low, high} {
		if b != nil {
			levels = append(levels, b.Level[t])
		}
	}
	return levels, func(x float64) float64 {
		v := 0.0
		if low != nil {
			v += low.Penalty[t] * math.Max(0, low.Level[t]-x)
		}
		if high != nil {
			v += high.Penalty[t] * math.Max(0, x-high.Level[t])
		}
		return v
	}
}

// boughtBound is the least cost of imports and their peak at the grid rows' duals: the least over every peak at which an import limit is reached.
func boughtBound(p *ipm.Problem, s *ipm.Solution) float64 {
	peaks := []float64{0}
	for _, h := range p.Import.Hi {
		peaks = append(peaks, math.Max(0, h-p.Peak.SoFar))
	}
	best := math.Inf(1)
	for _, pk := range peaks {
		v := p.Peak.Price * pk
		for t := 0; t < p.Steps; t++ {
			g := p.Import.Cost[t] - s.Lambda[t]
			top := p.Import.Hi[t]
			if p.Peak.Price > 0 {
				top = math.Max(p.Import.Lo[t], math.Min(top, p.Peak.SoFar+pk))
			}
			v += math.Min(g*p.Import.Lo[t], g*top)
		}
		best = math.Min(best, v)
	}
	return best
}

// Random makes a feasible problem of every shape: sites without chains and with several, chains with one and two inputs, inputs without a chain, bands,
// fees, fixed inputs, a peak price.
func Random(r *rand.Rand, steps, sites int) *ipm.Problem {
	in := func(lo, hi float64) float64 { return lo + (hi-lo)*r.Float64() }
	series := func(lo, hi float64) []float64 {
		v := make([]float64, steps)
		for t := range v {
			v[t] = in(lo, hi)
		}
		return v
	}
	all := func(x float64) []float64 {
		v := make([]float64, steps)
		for t := range v {
			v[t] = x
		}
		return v
	}
	p := &ipm.Problem{Steps: steps, Import: ipm.Flow{Lo: all(0), Hi: all(50 * float64(sites)), Cost: series(0.02, 0.1)},
		Export: ipm.Flow{Lo: all(0), Hi: all(50 * float64(sites)), Cost: series(-0.02, 0)}}
	if r.IntN(2) == 0 {
		p.Peak = ipm.Peak{Price: in(0.1, 1), SoFar: in(0, 3)}
	}
	for range sites {
		q := ipm.Site{Base: series(0, 3), Lo: all(-40), Hi: all(40)}
		if r.IntN(2) == 0 {
			q.Fee = series(0, 0.05)
			q.Fee[r.IntN(steps)] = 0
		}
		if r.IntN(3) == 0 {
			q.High = &ipm.Band{Level: series(1, 4), Penalty: series(0, 1)}
		}
		for range r.IntN(5) { // chains whose inputs can always keep the state in its box
			k := len(q.Chains)
			c := ipm.Chain{Keep: series(0.8, 1), Drive: all(0), Lo: all(0), Hi: all(6), Cost: all(0)}
			c.Drive[0] = 3
			c.Cost[steps-1] = -in(0, 0.1)
			if r.IntN(2) == 0 {
				c.Low = &ipm.Band{Level: series(2, 4), Penalty: series(0, 0.5)}
			}
			if r.IntN(2) == 0 {
				c.High = &ipm.Band{Level: series(4, 5), Penalty: series(0.1, 0.5)}
			}
			q.Chains = append(q.Chains, c)
			q.Inputs = append(q.Inputs, ipm.Input{Chain: k, Sign: 1, Gain: series(0.1, 0.3), Lo: all(0), Hi: series(1, 4), Cost: series(0, 0.01)})
			if r.IntN(2) == 0 {
				q.Inputs = append(q.Inputs, ipm.Input{Chain: k, Sign: -1, Gain: series(-0.3, -0.1), Lo: all(0), Hi: series(0, 4), Cost: series(0, 0.01)})
			}
			if r.IntN(3) == 0 {
				q.Inputs = append(q.Inputs, ipm.Input{Chain: k, Sign: 0, Gain: all(1), Lo: all(0), Hi: series(0, 1), Cost: series(0.5, 1)})
			}
		}
		if r.IntN(2) == 0 {
			pv := ipm.Input{Chain: -1, Sign: -1, Lo: all(0), Hi: series(0, 4), Cost: all(0)}
			pv.Hi[r.IntN(steps)] = 0
			q.Inputs = append(q.Inputs, pv)
		}
		p.Sites = append(p.Sites, q)
	}
	return p
}
