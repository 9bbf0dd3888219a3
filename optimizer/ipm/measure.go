package ipm

import "math"

// The first sweep of an iteration takes the step, measures the new iterate, and eliminates every group at its curvature with the predictor's right-hand side.

func (s *solver) measureShard(h *shard) {
	clear(h.schur)
	clear(h.net)
	clear(h.lam0)
	clear(h.most)
	h.acc = sums{alphaP: 1, alphaD: 1}
	for i := h.from; i < h.to; i++ {
		if s.pool.gone.Load() {
			return
		}
		s.measure(&s.groups[i], h)
	}
}

// prices returns what one more kW costs the group's inputs, by step.
func (s *solver) prices(g *group, site, district []float64) []float64 {
	if g.netted {
		return site
	}
	return district[g.from : g.from+g.n]
}

func (s *solver) measure(g *group, h *shard) {
	d, n := g.d(), g.n
	if s.saveX {
		g.save()
	}
	if s.saveDual {
		copy(g.ysave, g.y)
		copy(g.vsave, g.v)
	}
	ad := s.ad
	for i, v := range g.dy {
		g.y[i] += ad * v
	}
	for i, v := range g.dv {
		g.v[i] += ad * v
	}
	clear(h.pu[:n])
	clear(h.su[:n])
	clear(h.g0[:n])
	clear(h.p0[:n])
	nd := n * d
	clear(h.bb[:nd])
	clear(h.cross[:nd])
	clear(h.pk[:nd])
	clear(h.xs[:nd])
	clear(h.k0[:nd])
	clear(g.q)
	price := s.prices(g, g.v, s.lam)
	for j := range g.in {
		s.measureInput(g, &g.in[j], price, h)
	}
	for k := range g.ch {
		g.crossTerms(k, h)
		s.measureState(g, k, h)
	}
	if g.netted {
		s.measureNet(g, h)
	} else {
		lam0 := h.lam0[g.from : g.from+n]
		net := h.net[g.from : g.from+n]
		for t := range lam0 {
			lam0[t] -= h.g0[t]
			net[t] += h.su[t]
		}
	}
	s.eliminate(g, h)
	most := h.most[g.from : g.from+n]
	for t := range most {
		if g.netted {
			most[t] = max(most[t], g.nn[t])
		} else {
			most[t] = max(most[t], h.pu[t])
		}
	}
	if d > 0 {
		copy(g.r0, h.k0[:nd])
		g.solve(h.k0[:nd], h)
		g.share(h.k0[:nd], h.lam0)
	}
}

// share adds -h' y to lam, where y is K^-1 times the chain rows' right-hand side.
func (g *group) share(y, lam []float64) {
	lam = lam[g.from : g.from+g.n]
	for k := range g.ch {
		hh, yy := g.h[k*g.n:(k+1)*g.n], y[k*g.n:(k+1)*g.n]
		for t := range lam {
			lam[t] -= hh[t] * yy[t]
		}
	}
}

// move takes the step of a cell.
func (c *cell) move(ap, ad float64) {
	c.wl += ap * c.d
	c.wu -= ap * c.d
	c.zl += ad * c.pl
	c.zu += ad * c.pu
}

// invert writes the inverse curvature of the box's barrier: one division for both sides.
func (c *cell) invert() float64 {
	c.dinv = c.wl * c.wu / (c.zl*c.wu + c.zu*c.wl)
	return c.dinv
}

func (s *solver) measureInput(g *group, u *input, price []float64, h *shard) {
	ap, ad, unit, sign := s.ap, s.ad, s.unit, u.sign
	cells := u.cells
	m := len(cells)
	lo, hi, cost, price := u.lo[:m], u.hi[:m], u.cost[:m], price[u.from:u.to]
	pu, su, g0 := h.pu[u.from:u.to], h.su[u.from:u.to], h.g0[u.from:u.to]
	price, pu, su, g0 = price[:m], pu[:m], su[:m], g0[:m]
	// an input without a chain adds to p0, and to no chain row
	p0 := h.p0[u.from:u.to]
	p0 = p0[:m]
	var y, gain, bb, xs, k0, q []float64
	chained := u.chain >= 0
	if chained {
		y, gain, bb, xs, k0, p0, q = g.y[u.at:][:m], u.gain[:m], h.bb[u.at:][:m], h.xs[u.at:][:m], h.k0[u.at:][:m], h.pk[u.at:][:m], g.q[u.at:][:m]
	}
	var mu, objective, bound float64
	for i := range cells {
		c := &cells[i]
		wu := c.wu
		if wu == 0 {
			continue
		}
		step := ap * c.d
		wl := c.wl + step
		wu -= step
		zl, zu := c.zl+ad*c.pl, c.zu+ad*c.pu
		c.wl, c.wu, c.zl, c.zu = wl, wu, zl, zu
		l := lo[i]
		x := l + wl
		co := unit * cost[i]
		grad := co + sign*price[i]
		if chained {
			grad += gain[i] * y[i]
		}
		objective += co * x
		mu += wl*zl + wu*zu
		if grad < 0 {
			bound += grad * hi[i]
		} else {
			bound += grad * l
		}
		e := wl * wu / (zl*wu + zu*wl)
		c.d, c.dinv = grad, e
		se := sign * e
		su[i] += sign * x
		pu[i] += sign * se
		p0[i] += sign * se
		g0[i] += se * grad
		if chained {
			b := gain[i]
			be := b * e
			bb[i] += b * be
			xs[i] += b * x
			k0[i] -= be * grad
			q[i] += sign * be
		}
	}
	h.acc.mu += mu
	h.acc.objective += objective
	h.acc.bound += bound
}

// crossTerms forms Lagrange's identity for a chain with several inputs: no difference of near-equal squares.
func (g *group) crossTerms(k int, h *shard) {
	n := g.n
	list := g.ch[k].inputs
	for a := 1; a < len(list); a++ {
		u := &g.in[list[a]]
		for b := 0; b < a; b++ {
			w := &g.in[list[b]]
			for t := max(u.from, w.from); t < min(u.to, w.to); t++ {
				i, j := t-u.from, t-w.from
				det := u.gain[i]*w.sign - w.gain[j]*u.sign
				h.cross[k*n+t] += u.cells[i].dinv * w.cells[j].dinv * det * det
			}
		}
	}
}

// measureState forms the chain rows: their residuals, the state's gradient and curvature, and the predictor's right-hand side without the site row's part.
func (s *solver) measureState(g *group, k int, h *shard) {
	ap, ad, unit := s.ap, s.ad, s.unit
	st := &g.ch[k]
	cells := st.cells
	m := len(cells)
	lo, hi, cost, keep, drive := st.lo[:m], st.hi[:m], st.cost[:m], st.keep[:m], st.drive[:m]
	bands := st.bands
	var mu, objective, bound, primal float64
	ys, res, k0, xs := g.y[st.at:][:m], g.res[st.at:][:m], h.k0[st.at:][:m], h.xs[st.at:][:m]
	before, push := 0.0, 0.0 // state, and its gradient times its inverse curvature, of the step before
	for i := range cells {
		c := &cells[i]
		y := ys[i]
		co := unit * cost[i]
		grad := co - y
		row := drive[i]
		rhs := k0[i]
		if i > 0 {
			row += keep[i] * before
			rhs -= keep[i] * push
		}
		if i+1 < m {
			grad += keep[i+1] * ys[i+1]
		}
		l := lo[i]
		x, pull := l, 0.0
		if c.wu == 0 {
			bound += grad * l
		} else {
			moved := ap * c.d
			num, den := 0.0, 1.0 // of the curvature
			if st.boxed {
				c.move(ap, ad)
				mu += c.wl*c.zl + c.wu*c.zu
				num, den = c.zl*c.wu+c.zu*c.wl, c.wl*c.wu
			} else {
				c.wl += moved
			}
			x = l + c.wl
			n := 0
			for n < len(bands) && bands[n].at == i {
				b := &bands[n]
				n++
				b.move(moved, ap, ad)
				mu += b.w*b.z + b.s*b.zs
				inv := 1 / (b.w*b.zs + b.s*b.z)
				num += b.z * b.zs * inv * den
				pull -= b.e * b.s * b.z * b.pen * inv
				if over := b.e * (b.level - x); over > 0 {
					objective += b.pen * over
				}
			}
			switch {
			case n > 0:
				bound += boundBands(bands[:n], grad, l, hi[i])
				bands = bands[n:]
			case grad < 0:
				bound += grad * hi[i]
			default:
				bound += grad * l
			}
			c.dinv = den / num
			c.d = grad + pull
		}
		objective += co * x
		row += xs[i] - x
		res[i] = row
		primal = max(primal, math.Abs(row))
		bound += drive[i] * y
		before = x
		push = c.d * c.dinv
		k0[i] = rhs + row + push
	}
	h.acc.mu += mu
	h.acc.objective += objective
	h.acc.bound += bound
	h.acc.primal = max(h.acc.primal, primal)
}

// move takes the step of a band whose variable moved by the given amount.
func (b *band) move(moved, ap, ad float64) {
	b.w += b.e*moved + ap*b.p
	b.s += ap * b.p
	b.z += ad * b.q
	b.zs -= ad * b.q
}

// boundBands is the least of g*x and the bands' penalties over the box: it lies at an end of the box or at a level.
func boundBands(bands []band, g, lo, hi float64) float64 {
	low := min(bandCost(bands, g, lo), bandCost(bands, g, hi))
	for k := range bands {
		if l := bands[k].level; l > lo && l < hi {
			low = min(low, bandCost(bands, g, l))
		}
	}
	return low
}

// bandCost is g*x with the penalties of the bands at x.
func bandCost(bands []band, g, x float64) float64 {
	y := g * x
	for i := range bands {
		b := &bands[i]
		if over := b.e * (b.level - x); over > 0 {
			y += b.pen * over
		}
	}
	return y
}

// measureNet forms the site rows, and completes the right-hand side of chains and grid with them.
func (s *solver) measureNet(g *group, h *shard) {
	ap, ad, d := s.ap, s.ad, g.d()
	bands := g.netband
	acc := &h.acc
	for t := range g.net.cells {
		c := &g.net.cells[t]
		grad := s.lam[t] - g.v[t]
		l, hi := g.net.lo[t], g.net.hi[t]
		x := l
		if c.wu == 0 {
			acc.bound += grad * l
		} else {
			moved := ap * c.d
			c.move(ap, ad)
			acc.mu += c.wl*c.zl + c.wu*c.zu
			x = l + c.wl
			curve := (c.zl*c.wu + c.zu*c.wl) / (c.wl * c.wu)
			pull := 0.0
			of := bands[:0]
			for len(bands) > len(of) && bands[len(of)].at == t {
				b := &bands[len(of)]
				of = bands[:len(of)+1]
				b.move(moved, ap, ad)
				acc.mu += b.w*b.z + b.s*b.zs
				den := 1 / (b.w*b.zs + b.s*b.z)
				curve += b.z * b.zs * den
				pull -= b.e * b.s * b.z * b.pen * den
				acc.objective += b.pen * math.Max(0, b.e*(b.level-x))
			}
			if len(of) > 0 {
				acc.bound += boundBands(of, grad, l, hi)
				bands = bands[len(of):]
			} else if grad >= 0 {
				acc.bound += grad * l
			} else {
				acc.bound += grad * hi
			}
			c.dinv = 1 / curve
			c.d = grad + pull
		}
		row := g.base[t] + h.su[t] - x
		g.resv[t] = row
		acc.primal = max(acc.primal, math.Abs(row))
		acc.bound += g.base[t] * g.v[t]
		h.net[t] += x
		gn := c.d * c.dinv
		y := row + gn - h.g0[t]
		g.rv0[t] = y
		ic := 0.0
		if p := c.dinv + h.pu[t]; p > 0 {
			ic = 1 / p
		}
		h.lam0[t] += y*c.dinv*ic - gn
		for k := 0; k < d; k++ {
			h.k0[k*g.n+t] -= g.q[k*g.n+t] * y * ic
		}
	}
}
