package ipm

// The second sweep substitutes the predictor's price step into every group, forms the second-order products, and eliminates the corrector's right-hand side. The
// target mu is not known before the sweep ends, so there are two right-hand sides: what does not depend on mu, and what is linear in it.

func (s *solver) predictShard(h *shard) {
	clear(h.lam0)
	clear(h.lam1)
	clear(h.net)
	h.acc = sums{alphaP: 1, alphaD: 1}
	var a affine
	for i := h.from; i < h.to; i++ {
		if s.pool.stopped() {
			return
		}
		s.predict(&s.groups[i], h, &a)
	}
	h.acc.zdw, h.acc.dwdz = sum(a.zdw), sum(a.dwdz)
	s.limitShard(h)
}

// limitShard finds the step lengths of the shard's groups after a sweep; in the sweep each would wait for its last divisions.
func (s *solver) limitShard(h *shard) {
	for i := h.from; i < h.to; i++ {
		g := &s.groups[i]
		g.ap, g.ad = g.reach.lengths()
		h.acc.alphaP, h.acc.alphaD = min(h.acc.alphaP, g.ap), min(h.acc.alphaD, g.ad)
	}
}

// backSubstitute computes the steps of a group's duals from its chain rows' right-hand side in g.dy, its site rows' in rv (nil without), and the grid
// prices' step. It returns the step of the inputs' price.
func (s *solver) backSubstitute(g *group, rv []float64, dlam []float64, h *shard) []float64 {
	dlam = dlam[g.from : g.from+g.stride]
	g.respond(dlam, g.dy)
	if len(g.ch) > 0 {
		g.solve(g.dy, h)
	}
	if !g.netted {
		return dlam
	}
	g.price(rv, dlam, g.dy, g.dv)
	return g.dv
}

// respond takes from the chain rows' right-hand side what the grid prices' step does to it.
func (g *group) respond(dlam, y []float64) {
	m := whole(g.n)
	dlam = dlam[:m]
	for k := range g.ch {
		hh, yy := g.h[k*g.stride:][:m], y[k*g.stride:][:m]
		for i := 0; i+lanes <= m; i += lanes {
			p := quad(yy, i)
			load(p).Sub(load(quad(hh, i)).Mul(load(quad(dlam, i)))).Store(p)
		}
	}
	narrow()
}

// price computes the step of the site's price from that of the chains' duals, of the grid's price and the site rows' right-hand side (nil: none).
func (g *group) price(rv, dlam, dy, dv []float64) {
	for t := range g.n {
		v := g.nn[t] * dlam[t]
		if rv != nil {
			v += rv[t]
		}
		for k := range g.ch {
			v -= g.q[k*g.stride+t] * dy[k*g.stride+t]
		}
		dv[t] = v * g.ic[t]
	}
}

func (s *solver) predict(g *group, h *shard, a *affine) {
	m, nd := whole(g.n), g.stride*g.d()
	copy(g.dy, g.r0)
	price := s.backSubstitute(g, g.rv0, s.dlam, h)
	clear(h.su[:m])
	clear(h.g0[:m])
	clear(h.g1[:m])
	clear(h.k0[:nd])
	clear(h.k1[:nd])
	a.begin()
	for j := range g.in {
		s.predictInput(g, &g.in[j], price, h, a)
	}
	for k := range g.ch {
		s.predictState(g, k, h, a)
	}
	if g.netted {
		s.predictNet(g, h, a)
	} else {
		addTo(h.lam0[g.from:], h.g0[:m], -1)
		addTo(h.lam1[g.from:], h.g1[:m], -1)
		addTo(h.net[g.from:], h.su[:m], 1)
	}
	a.end(&g.reach)
	if nd > 0 {
		copy(g.r0, h.k0[:nd])
		copy(g.r1, h.k1[:nd])
		g.solveBoth(h.k0[:nd], h.k1[:nd], h)
		g.share(h.k0[:nd], h.lam0)
		g.share(h.k1[:nd], h.lam1)
	}
}

// predictInput does predictBox's work on an input and forms its parts of the right-hand sides on the way.
func (s *solver) predictInput(g *group, u *input, price []float64, h *shard, a *affine) {
	m := lanes * len(u.blocks)
	price = price[u.from:][:m]
	su, g0, g1 := h.su[u.from:][:m], h.g0[u.from:][:m], h.g1[u.from:][:m]
	var y, gain, k0, k1 []float64
	chained := u.chain >= 0
	if chained {
		y, gain, k0, k1 = g.dy[u.at:][:m], u.gain[:m], h.k0[u.at:][:m], h.k1[u.at:][:m]
	}
	zero, one, top, sign := vec{}, all(1), all(mostSecond), all(u.sign)
	near, far, zdw, dwdz := a.near, a.far, a.zdw, a.dwdz
	for k := range u.blocks {
		b, i := &u.blocks[k], k*lanes
		wl, wu, zl, zu, e, d := load(&b.wl), load(&b.wu), load(&b.zl), load(&b.zu), load(&b.dinv), load(&b.d)
		dx := zero.Sub(sign.Mul(load(quad(price, i)))).Sub(d)
		if chained {
			dx = dx.Sub(load(quad(gain, i)).Mul(load(quad(y, i))))
		}
		dx = dx.Mul(e)
		inv := one.Div(wl.Mul(wu))
		rl, ru := wu.Mul(inv), wl.Mul(inv)
		x, v := dx.Mul(rl), zero.Sub(dx.Mul(ru))
		near = near.Min(x).Min(v)
		far = far.Max(x).Max(v)
		ml, mh := top.Mul(wl).Mul(zl), top.Mul(wu).Mul(zu)
		pl := zero.Sub(dx).Mul(zl).Mul(one.Add(x)).Min(ml).Max(zero.Sub(ml))
		pu := dx.Mul(zu).Mul(one.Add(v)).Min(mh).Max(zero.Sub(mh))
		zdw = zdw.Add(zl.Sub(zu).Mul(dx))
		dwdz = dwdz.Add(pl.Add(pu))
		pl.Store(&b.pl)
		pu.Store(&b.pu)
		d = d.Add(pl.Mul(rl)).Sub(pu.Mul(ru))
		d.Store(&b.d)
		p0, p1 := d.Mul(e), ru.Sub(rl).Mul(e)
		accumulate(quad(su, i), sign.Mul(dx))
		accumulate(quad(g0, i), sign.Mul(p0))
		accumulate(quad(g1, i), sign.Mul(p1))
		if chained {
			f := load(quad(gain, i))
			p, q := quad(k0, i), quad(k1, i)
			load(p).Sub(f.Mul(p0)).Store(p)
			load(q).Sub(f.Mul(p1)).Store(q)
		}
	}
	a.near, a.far, a.zdw, a.dwdz = near, far, zdw, dwdz
	narrow()
}

func (s *solver) predictState(g *group, k int, h *shard, a *affine) {
	st := &g.ch[k]
	m := lanes * len(st.blocks)
	dx, perMu, push0, push1 := h.scratch(0, m)[lanes:], h.scratch(1, m)[lanes:], h.scratch(2, m), h.scratch(3, m)
	keep, y := st.keep[:m+lanes], g.dy[st.at:]
	for n := range st.blocks {
		b, i := &st.blocks[n], n*lanes
		v := load(quad(y, i)).Sub(load(quad(keep, i+1)).Mul(load(quad(y, i+1))))
		v.Sub(load(&b.d)).Mul(load(&b.dinv)).Store(quad(dx, i))
	}
	if st.boxed {
		st.predictBox(dx, perMu, a)
	} else {
		clear(perMu)
	}
	st.predictBands(dx, perMu, a)
	for n := range st.blocks {
		b, i := &st.blocks[n], n*lanes
		e := load(&b.dinv)
		load(&b.d).Mul(e).Store(quad(push0, i+lanes))
		load(quad(perMu, i)).Mul(e).Store(quad(push1, i+lanes))
	}
	res, k0, k1 := g.res[st.at:][:m], h.k0[st.at:][:m], h.k1[st.at:][:m]
	for i := 0; i < m; i += lanes {
		f := load(quad(keep, i))
		p, q := quad(k0, i), quad(k1, i)
		load(p).Add(load(quad(res, i))).Sub(f.Mul(load(quad(push0, i+lanes-1)))).Add(load(quad(push0, i+lanes))).Store(p)
		load(q).Sub(f.Mul(load(quad(push1, i+lanes-1)))).Add(load(quad(push1, i+lanes))).Store(q)
	}
	narrow()
}

func (s *solver) predictNet(g *group, h *shard, a *affine) {
	r := &g.net
	m := lanes * len(r.blocks)
	dx, perMu := h.scratch(0, m)[lanes:], h.scratch(1, m)[lanes:]
	clear(dx)
	for t := range g.n {
		b, lane := &r.blocks[t/lanes], t%lanes
		dx[t] = (g.dv[t] - s.dlam[t] - b.d[lane]) * b.dinv[lane]
	}
	r.predictBox(dx, perMu, a)
	r.predictBands(dx, perMu, a)
	for t := range g.n {
		b, lane := &r.blocks[t/lanes], t%lanes
		dinv := b.dinv[lane]
		h.net[t] += dx[t]
		gn0, gn1 := b.d[lane]*dinv, perMu[t]*dinv
		y0, y1 := g.resv[t]+gn0-h.g0[t], gn1-h.g1[t]
		g.rv0[t], g.rv1[t] = y0, y1
		ic := g.ic[t]
		h.lam0[t] += y0*dinv*ic - gn0
		h.lam1[t] += y1*dinv*ic - gn1
		for k := range g.ch {
			at := k*g.stride + t
			h.k0[at] -= g.q[at] * y0 * ic
			h.k1[at] -= g.q[at] * y1 * ic
		}
	}
}
