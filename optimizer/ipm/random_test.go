package ipm

import "math/rand/v2"

// randomProblem is a small problem for tests inside the package, with the shapes that the elimination distinguishes: no chain, one, several; one, two and three inputs per
// chain; a fixed input; a band on either side; a fee; a peak.
func randomProblem(r *rand.Rand, T, sites int) *Problem {
	series := func(lo, hi float64) []float64 {
		v := make([]float64, T)
		for t := range v {
			v[t] = lo + (hi-lo)*r.Float64()
		}
		return v
	}
	p := &Problem{Steps: T, Import: Flow{Lo: series(0, 0), Hi: series(20, 30), Cost: series(0.02, 0.1)}, Export: Flow{Lo: series(0, 0), Hi: series(20, 30), Cost: series(-0.02, 0)}}
	if r.IntN(2) == 0 {
		p.Peak = Peak{Price: 0.4, SoFar: 1}
	}
	for range sites {
		q := Site{Base: series(0, 3), Lo: series(-9, -9), Hi: series(9, 12)}
		if r.IntN(2) == 0 {
			q.Fee = series(0, 0.05)
		}
		for k := range r.IntN(5) {
			c := Chain{Keep: series(0, 1), Drive: series(-0.1, 0.5), Lo: series(0, 0), Hi: series(5, 6), Cost: series(-0.1, 0)}
			if r.IntN(2) == 0 {
				c.Low = &Band{Level: series(1, 3), Penalty: series(0, 0.3)}
			}
			if r.IntN(2) == 0 {
				c.High = &Band{Level: series(3, 5), Penalty: series(0.1, 0.3)}
			}
			q.Chains = append(q.Chains, c)
			for n := range 1 + r.IntN(3) {
				u := Input{Chain: k, Sign: []float64{1, -1, 0}[n], Gain: series(0.1, 0.4), Lo: series(0, 0), Hi: series(1, 4), Cost: series(0, 0.01)}
				if r.IntN(3) == 0 {
					u.Hi[r.IntN(T)] = 0
				}
				q.Inputs = append(q.Inputs, u)
			}
		}
		if r.IntN(2) == 0 {
			q.Inputs = append(q.Inputs, Input{Chain: -1, Sign: -1, Lo: series(0, 0), Hi: series(1, 4), Cost: series(0, 0)})
		}
		p.Sites = append(p.Sites, q)
	}
	return p
}
