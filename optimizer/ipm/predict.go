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
	d, n := g.d(), g.n
	dlam = dlam[g.from : g.from+n]
	switch {
	case d == 1:
		y, hh := g.dy[:n], g.h[:n]
		for t, v := range dlam {
			y[t] -= hh[t] * v
		}
		g.solve(y, h)
	case d > 1:
		for t, v := range dlam {
			for k := 0; k < d; k++ {
				g.dy[t*d+k] -= g.h[t*d+k] * v
			}
		}
		g.solve(g.dy, h)
	}
	if !g.netted {
		return dlam
	}
	for t := 0; t < n; t++ {
		v := rv[t] + g.nn[t]*dlam[t]
		for k := 0; k < d; k++ {
			v -= g.q[t*d+k] * g.dy[t*d+k]
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

// predict takes the affine step dx of a cell: it keeps the second-order products and leaves the Newton gradient's parts: the constant one in d, and
// the one per mu, which it returns.
func (c *cell) predict(dx float64, r *reach, acc *sums) (perMu float64) {
	inv := 1 / (c.wl * c.wu)
	rl, ru := c.wu*inv, c.wl*inv
	a, b := dx*rl, -dx*ru
	r.p = max(r.p, -a, -b)
	r.q = max(r.q, 1+a, 1+b)
	dzl, dzu := -c.zl*(1+a), -c.zu*(1+b)
	pl, pu := dx*dzl, -dx*dzu
	acc.wdz += c.wl*dzl + c.wu*dzu
	acc.zdw += (c.zl - c.zu) * dx
	acc.dwdz += pl + pu
	c.pl, c.pu = pl, pu
	c.d += pl*rl - pu*ru
	return ru - rl
}

// predict takes the affine step dx of a band's variable and returns the parts of the Newton gradient that it adds.
func (b *band) predict(dx float64, r *reach, acc *sums) (constant, perMu float64) {
	den := 1 / (b.w*b.zs + b.s*b.z)
	dz := (b.s*b.zs*b.z-b.w*b.z*b.zs)*den - b.z*b.zs*den*b.e*dx
	ds := b.s * (dz/b.zs - 1)
	dw := b.e*dx + ds
	r.see(b.w, dw, b.z, dz)
	r.see(b.s, ds, b.zs, -dz)
	cw, cs := dw*dz, -ds*dz
	acc.wdz += (b.w - b.s) * dz
	acc.zdw += b.z*dw + b.zs*ds
	acc.dwdz += cw + cs
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
	var r reach
	acc := sums{alphaP: 1, alphaD: 1}
	if u.chain < 0 {
		for i := range cells {
			c := &cells[i]
			if c.wu == 0 {
				continue
			}
			dx := (-sign*price[i] - c.d) * c.dinv
			perMu := c.predict(dx, &r, &acc)
			su[i] += sign * dx
			g0[i] += sign * c.d * c.dinv
			g1[i] += sign * perMu * c.dinv
		}
	} else {
		d := g.d()
		at := u.from*d + u.chain
		gain := u.gain[:m]
		for i := range cells {
			c := &cells[i]
			if c.wu == 0 {
				at += d
				continue
			}
			b := gain[i]
			dx := (-sign*price[i] - b*g.dy[at] - c.d) * c.dinv
			perMu := c.predict(dx, &r, &acc)
			p0, p1 := c.d*c.dinv, perMu*c.dinv
			h.k0[at] -= b * p0
			h.k1[at] -= b * p1
			su[i] += sign * dx
			g0[i] += sign * p0
			g1[i] += sign * p1
			at += d
		}
	}
	r.limit(&acc)
	h.acc.add(&acc)
}

func (s *solver) predictState(g *group, k int, h *shard) {
	d := g.d()
	st := &g.ch[k]
	cells := st.cells
	m := len(cells)
	keep := st.keep[:m]
	bands := st.bands
	var r reach
	acc := sums{alphaP: 1, alphaD: 1}
	at := st.from*d + k
	push0, push1 := 0.0, 0.0
	for i := range cells {
		c := &cells[i]
		k0, k1 := h.k0[at]+g.res[at], h.k1[at]
		if i > 0 {
			k0 -= keep[i] * push0
			k1 -= keep[i] * push1
		}
		push0, push1 = 0, 0
		if c.wu != 0 {
			a := g.dy[at]
			if i+1 < m {
				a -= keep[i+1] * g.dy[at+d]
			}
			dx := (a - c.d) * c.dinv
			perMu := 0.0
			if st.boxed {
				perMu = c.predict(dx, &r, &acc)
			}
			for len(bands) > 0 && bands[0].at == i {
				v, w := bands[0].predict(dx, &r, &acc)
				c.d += v
				perMu += w
				bands = bands[1:]
			}
			push0, push1 = c.d*c.dinv, perMu*c.dinv
		}
		h.k0[at] = k0 + push0
		h.k1[at] = k1 + push1
		at += d
	}
	r.limit(&acc)
	h.acc.add(&acc)
}

func (s *solver) predictNet(g *group, h *shard) {
	d := g.d()
	bands := g.netband
	var r reach
	acc := sums{alphaP: 1, alphaD: 1}
	for t := range g.net.cells {
		c := &g.net.cells[t]
		gn0, gn1 := 0.0, 0.0
		if c.wu != 0 {
			dx := (g.dv[t] - s.dlam[t] - c.d) * c.dinv
			perMu := c.predict(dx, &r, &acc)
			for len(bands) > 0 && bands[0].at == t {
				v, w := bands[0].predict(dx, &r, &acc)
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
		for k := 0; k < d; k++ {
			h.k0[t*d+k] -= g.q[t*d+k] * y0 * ic
			h.k1[t*d+k] -= g.q[t*d+k] * y1 * ic
		}
	}
	r.limit(&acc)
	h.acc.add(&acc)
}
