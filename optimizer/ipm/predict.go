package ipm

// The second sweep substitutes the predictor's price step into every group, forms the second-order products, and eliminates the corrector's right-hand side. The
// target mu is not known before the sweep ends, so there are two right-hand sides: what does not depend on mu, and what is linear in it.

func (s *solver) predictShard(h *shard) {
	clear(h.lam0)
	clear(h.lam1)
	clear(h.net)
	h.acc = sums{alphaP: 1, alphaD: 1}
	for i := h.from; i < h.to; i++ {
		if s.pool.stopped() {
			return
		}
		g := &s.groups[i]
		ap, ad := h.acc.alphaP, h.acc.alphaD
		h.acc.alphaP, h.acc.alphaD = 1, 1
		s.predict(g, h)
		g.ap, g.ad = h.acc.alphaP, h.acc.alphaD
		h.acc.alphaP, h.acc.alphaD = min(ap, g.ap), min(ad, g.ad)
	}
}

// reach finds how far a point may go: p is the largest -dw/w, q the largest -dz/z.
type reach struct{ p, q float64 }

func (r *reach) see(w, dw, z, dz float64) {
	if -dw > r.p*w {
		r.p = -dw / w
	}
	if -dz > r.q*z {
		r.q = -dz / z
	}
}

// limit lowers the accumulated step lengths.
func (r *reach) limit(acc *sums) {
	if r.p > 0 {
		acc.alphaP = min(acc.alphaP, 1/r.p)
	}
	if r.q > 0 {
		acc.alphaD = min(acc.alphaD, 1/r.q)
	}
}

// lengths are how far the point may go.
func (r *reach) lengths() (ap, ad float64) {
	acc := sums{alphaP: 1, alphaD: 1}
	r.limit(&acc)
	return acc.alphaP, acc.alphaD
}

// backSubstitute computes the steps of a group's duals from its chain rows' right-hand side in g.dy, its site rows' in rv (nil without), and the grid
// prices' step. It returns the step of the inputs' price.
func (s *solver) backSubstitute(g *group, rv []float64, dlam []float64, h *shard) []float64 {
	n := g.n
	dlam = dlam[g.from : g.from+n]
	for k := range g.ch {
		y, hh := g.dy[k*n:(k+1)*n], g.h[k*n:(k+1)*n]
		for t, v := range dlam {
			y[t] -= hh[t] * v
		}
	}
	if len(g.ch) > 0 {
		g.solve(g.dy, h)
	}
	if !g.netted {
		return dlam
	}
	for t := 0; t < n; t++ {
		v := rv[t] + g.nn[t]*dlam[t]
		for k := range g.ch {
			v -= g.q[k*n+t] * g.dy[k*n+t]
		}
		g.dv[t] = v * g.ic[t]
	}
	return g.dv
}

func (s *solver) predict(g *group, h *shard) {
	n := g.n
	nd := n * g.d()
	copy(g.dy, g.r0)
	price := s.backSubstitute(g, g.rv0, s.dlam, h)
	clear(h.su[:n])
	clear(h.g0[:n])
	clear(h.g1[:n])
	clear(h.k0[:nd])
	clear(h.k1[:nd])
	for j := range g.in {
		s.predictInput(g, &g.in[j], price, h)
	}
	for k := range g.ch {
		s.predictState(g, k, h)
	}
	if g.netted {
		s.predictNet(g, h)
	} else {
		lam0, lam1, net := h.lam0[g.from:g.from+n], h.lam1[g.from:g.from+n], h.net[g.from:g.from+n]
		for t := range lam0 {
			lam0[t] -= h.g0[t]
			lam1[t] -= h.g1[t]
			net[t] += h.su[t]
		}
	}
	if nd > 0 {
		copy(g.r0, h.k0[:nd])
		copy(g.r1, h.k1[:nd])
		g.solveBoth(h.k0[:nd], h.k1[:nd], h)
		g.share(h.k0[:nd], h.lam0)
		g.share(h.k1[:nd], h.lam1)
	}
}

// inverses are 1/wl and 1/wu, by one division.
func (c *cell) inverses() (rl, ru float64) {
	inv := 1 / (c.wl * c.wu)
	return c.wu * inv, c.wl * inv
}

// limited cuts a second-order product to three times the pair's product: a predictor that leaves the box by far says nothing of what lies there.
func limited(v, product float64) float64 {
	if m := 3 * product; v > m {
		return m
	} else if v < -m {
		return -m
	}
	return v
}

// affine sums what the predictor's steps tell of the next iterate: far and near are the largest and least dw/w, zdw and dwdz the sums of z*dw and dw*dz. Of each
// pair w*dz = -w*z - z*dw, so that their sum needs no place.
type affine struct{ near, far, zdw, dwdz float64 }

// add puts the sums into acc: -dw/w is largest at near, and -dz/z = 1 + dw/w at far.
func (a *affine) add(acc *sums) {
	acc.zdw += a.zdw
	acc.dwdz += a.dwdz
	if a.near < 0 {
		acc.alphaP = min(acc.alphaP, -1/a.near)
	}
	if a.far > -1 {
		acc.alphaD = min(acc.alphaD, 1/(1+a.far))
	}
}

// predict takes the affine step dx of a cell: it keeps the second-order products and leaves the Newton gradient's parts: the constant one in d, and
// the one per mu, which it returns.
func (c *cell) predict(dx float64, sum *affine) (perMu float64) {
	rl, ru := c.inverses()
	a, b := dx*rl, -dx*ru
	sum.near = min(sum.near, a, b)
	sum.far = max(sum.far, a, b)
	pl, pu := limited(-dx*c.zl*(1+a), c.wl*c.zl), limited(dx*c.zu*(1+b), c.wu*c.zu)
	sum.zdw += (c.zl - c.zu) * dx
	sum.dwdz += pl + pu
	c.pl, c.pu = pl, pu
	c.d += pl*rl - pu*ru
	return ru - rl
}

// predict takes the affine step dx of a band's variable and returns the parts of the Newton gradient that it adds.
func (b *band) predict(dx float64, sum *affine) (constant, perMu float64) {
	den := 1 / (b.w*b.zs + b.s*b.z)
	dz := (b.s*b.zs*b.z-b.w*b.z*b.zs)*den - b.z*b.zs*den*b.e*dx
	rel := dz/b.zs - 1 // ds/s, and for the other pair dw/w follows from dz
	ds := b.s * rel
	dw := b.e*dx + ds
	other := -dz/b.z - 1
	sum.near = min(sum.near, rel, other)
	sum.far = max(sum.far, rel, other)
	cw, cs := limited(dw*dz, b.w*b.z), limited(-ds*dz, b.s*b.zs)
	sum.zdw += b.z*dw + b.zs*ds
	sum.dwdz += cw + cs
	b.p, b.q = cw, cs
	return -b.e * (cs*b.z - cw*b.zs) * den, -b.e * (b.zs - b.z) * den
}

func (s *solver) predictInput(g *group, u *input, price []float64, h *shard) {
	sign := u.sign
	cells := u.cells
	m := len(cells)
	price = price[u.from:u.to]
	su, g0, g1 := h.su[u.from:u.to], h.g0[u.from:u.to], h.g1[u.from:u.to]
	price, su, g0, g1 = price[:m], su[:m], g0[:m], g1[:m]
	var y, gain, k0, k1 []float64
	chained := u.chain >= 0
	if chained {
		y, gain, k0, k1 = g.dy[u.at:][:m], u.gain[:m], h.k0[u.at:][:m], h.k1[u.at:][:m]
	}
	near, far, zdw, dwdz := 0.0, -1.0, 0.0, 0.0
	for i := range cells {
		c := &cells[i]
		wl, wu := c.wl, c.wu
		if wu == 0 {
			continue
		}
		e := c.dinv
		dx := -sign*price[i] - c.d
		if chained {
			dx -= gain[i] * y[i]
		}
		dx *= e
		inv := 1 / (wl * wu)
		rl, ru := wu*inv, wl*inv
		a, b := dx*rl, -dx*ru
		if a < near {
			near = a
		}
		if b < near {
			near = b
		}
		if a > far {
			far = a
		}
		if b > far {
			far = b
		}
		zl, zu := c.zl, c.zu
		pl, pu := limited(-dx*zl*(1+a), wl*zl), limited(dx*zu*(1+b), wu*zu)
		zdw += (zl - zu) * dx
		dwdz += pl + pu
		c.pl, c.pu = pl, pu
		gc := c.d + pl*rl - pu*ru
		c.d = gc
		p0, p1 := gc*e, (ru-rl)*e
		su[i] += sign * dx
		g0[i] += sign * p0
		g1[i] += sign * p1
		if chained {
			b := gain[i]
			k0[i] -= b * p0
			k1[i] -= b * p1
		}
	}
	sum := affine{near, far, zdw, dwdz}
	sum.add(&h.acc)
}

func (s *solver) predictState(g *group, k int, h *shard) {
	st := &g.ch[k]
	cells := st.cells
	m := len(cells)
	keep := st.keep[:m]
	bands := st.bands
	sum := affine{far: -1}
	y, res, k0, k1 := g.dy[st.at:][:m], g.res[st.at:][:m], h.k0[st.at:][:m], h.k1[st.at:][:m]
	push0, push1 := 0.0, 0.0
	for i := range cells {
		c := &cells[i]
		r0, r1 := k0[i]+res[i], k1[i]
		if i > 0 {
			r0 -= keep[i] * push0
			r1 -= keep[i] * push1
		}
		push0, push1 = 0, 0
		if c.wu != 0 {
			a := y[i]
			if i+1 < m {
				a -= keep[i+1] * y[i+1]
			}
			dx := (a - c.d) * c.dinv
			perMu := 0.0
			if st.boxed {
				perMu = c.predict(dx, &sum)
			}
			for len(bands) > 0 && bands[0].at == i {
				v, w := bands[0].predict(dx, &sum)
				c.d += v
				perMu += w
				bands = bands[1:]
			}
			push0, push1 = c.d*c.dinv, perMu*c.dinv
		}
		k0[i] = r0 + push0
		k1[i] = r1 + push1
	}
	sum.add(&h.acc)
}

func (s *solver) predictNet(g *group, h *shard) {
	bands := g.netband
	sum := affine{far: -1}
	for t := range g.net.cells {
		c := &g.net.cells[t]
		gn0, gn1 := 0.0, 0.0
		if c.wu != 0 {
			dx := (g.dv[t] - s.dlam[t] - c.d) * c.dinv
			perMu := c.predict(dx, &sum)
			for len(bands) > 0 && bands[0].at == t {
				v, w := bands[0].predict(dx, &sum)
				c.d += v
				perMu += w
				bands = bands[1:]
			}
			h.net[t] += dx
			gn0, gn1 = c.d*c.dinv, perMu*c.dinv
		}
		y0, y1 := g.resv[t]+gn0-h.g0[t], gn1-h.g1[t]
		g.rv0[t], g.rv1[t] = y0, y1
		ic := g.ic[t]
		h.lam0[t] += y0*c.dinv*ic - gn0
		h.lam1[t] += y1*c.dinv*ic - gn1
		for k := range g.ch {
			h.k0[k*g.n+t] -= g.q[k*g.n+t] * y0 * ic
			h.k1[k*g.n+t] -= g.q[k*g.n+t] * y1 * ic
		}
	}
	sum.add(&h.acc)
}
