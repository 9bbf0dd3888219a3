package ipm

import "math"

// The first sweep of an iteration takes the step, measures the new iterate, and eliminates every group at its curvature with the predictor's right-hand side.

func (s *solver) measureShard(h *shard) {
	clear(h.schur)
	clear(h.net)
	clear(h.lam0)
	clear(h.most)
	h.acc = sums{alphaP: 1, alphaD: 1}
	var sum tally
	for i := h.from; i < h.to; i++ {
		if s.pool.gone.Load() {
			return
		}
		s.measure(&s.groups[i], h, &sum)
	}
	sum.add(&h.acc)
}

// prices returns what one more kW costs the group's inputs, by step.
func (s *solver) prices(g *group, site, district []float64) []float64 {
	if g.netted {
		return site
	}
	return district[g.from : g.from+g.stride]
}

func (s *solver) measure(g *group, h *shard, sum *tally) {
	d, n := g.d(), g.n
	if s.saveX {
		g.save()
	}
	if s.saveDual {
		copy(g.ysave, g.y)
		copy(g.vsave, g.v)
	}
	ap, ad := s.ap*g.held.primal, s.ad*g.held.dual
	addTo(g.y, g.dy, ad)
	addTo(g.v, g.dv, ad)
	m, nd := whole(n), g.stride*d
	clear(h.pu[:m])
	clear(h.su[:m])
	clear(h.g0[:m])
	clear(h.p0[:m])
	clear(h.bb[:nd])
	clear(h.cross[:nd])
	clear(h.pk[:nd])
	clear(h.xs[:nd])
	clear(h.k0[:nd])
	clear(g.q)
	price := s.prices(g, g.v, s.lam)
	for j := range g.in {
		s.measureInput(g, &g.in[j], ap, ad, price, h, sum)
	}
	for k := range g.ch {
		g.crossTerms(k, h)
		s.measureState(g, k, ap, ad, h, sum)
	}
	if g.netted {
		s.measureNet(g, ap, ad, h, sum)
	} else {
		addTo(h.lam0[g.from:], h.g0[:m], -1)
		addTo(h.net[g.from:], h.su[:m], 1)
	}
	narrow()
	s.eliminate(g, h)
	most := h.most[g.from : g.from+n]
	by := h.pu
	if g.netted {
		by = g.nn
	}
	for t := range most {
		if by[t] > most[t] {
			most[t] = by[t]
		}
	}
	if d > 0 {
		copy(g.r0, h.k0[:nd])
		g.solve(h.k0[:nd], h)
		g.share(h.k0[:nd], h.lam0)
	}
}

// addTo adds f*v to the beginning of sum; v has whole blocks.
func addTo(sum, v []float64, f float64) {
	by := all(f)
	sum = sum[:len(v)]
	for i := 0; i+lanes <= len(v); i += lanes {
		p := quad(sum, i)
		load(p).Add(by.Mul(load(quad(v, i)))).Store(p)
	}
	narrow()
}

// share adds -h' y to lam, where y is K^-1 times the chain rows' right-hand side.
func (g *group) share(y, lam []float64) {
	m := whole(g.n)
	lam = lam[g.from : g.from+m]
	for k := range g.ch {
		hh, yy := g.h[k*g.stride:][:m], y[k*g.stride:][:m]
		for i := 0; i+lanes <= m; i += lanes {
			p := quad(lam, i)
			load(p).Sub(load(quad(hh, i)).Mul(load(quad(yy, i)))).Store(p)
		}
	}
	narrow()
}

// move takes the step of a cell.
func (c *cell) move(ap, ad float64) {
	c.wl += ap * c.d
	c.wu -= ap * c.d
	c.zl += ad * c.pl
	c.zu += ad * c.pu
}

// invert writes the inverse curvature of the box's barrier: one division for both sides.
func (c *cell) invert() {
	c.dinv = c.wl * c.wu / (c.zl*c.wu + c.zu*c.wl)
}

func (s *solver) measureInput(g *group, u *input, ap, ad float64, price []float64, h *shard, sum *tally) {
	vp, vd, unit, sign := all(ap), all(ad), all(s.unit), all(u.sign)
	m := lanes * len(u.blocks)
	lo, hi, cost, price := u.lo[:m], u.hi[:m], u.cost[:m], price[u.from:][:m]
	pu, su, g0 := h.pu[u.from:][:m], h.su[u.from:][:m], h.g0[u.from:][:m]
	// an input without a chain adds to p0, and to no chain row
	p0 := h.p0[u.from:][:m]
	var y, gain, bb, xs, k0, q []float64
	chained := u.chain >= 0
	if chained {
		y, gain, bb, xs, k0, p0, q = g.y[u.at:][:m], u.gain[:m], h.bb[u.at:][:m], h.xs[u.at:][:m], h.k0[u.at:][:m], h.pk[u.at:][:m], g.q[u.at:][:m]
	}
	mu, objective, bound := sum.mu, sum.objective, sum.bound
	for k := range u.blocks {
		b, i := &u.blocks[k], k*lanes
		step := vp.Mul(load(&b.d))
		wl, wu := load(&b.wl).Add(step), load(&b.wu).Sub(step)
		zl, zu := load(&b.zl).Add(vd.Mul(load(&b.pl))), load(&b.zu).Add(vd.Mul(load(&b.pu)))
		wl.Store(&b.wl)
		wu.Store(&b.wu)
		zl.Store(&b.zl)
		zu.Store(&b.zu)
		l := load(quad(lo, i))
		x := positive(zl, l.Add(wl))
		co := unit.Mul(load(quad(cost, i)))
		grad := co.Add(sign.Mul(load(quad(price, i))))
		if chained {
			grad = grad.Add(load(quad(gain, i)).Mul(load(quad(y, i))))
		}
		objective = objective.Add(co.Mul(x))
		mu = mu.Add(wl.Mul(zl).Add(wu.Mul(zu)))
		bound = bound.Add(positive(zl, grad.Mul(l).Min(grad.Mul(load(quad(hi, i))))))
		e := positive(zl, wl.Mul(wu).Div(zl.Mul(wu).Add(zu.Mul(wl))))
		grad.Store(&b.d)
		e.Store(&b.dinv)
		se := sign.Mul(e)
		ss := sign.Mul(se)
		accumulate(quad(su, i), sign.Mul(x))
		accumulate(quad(pu, i), ss)
		accumulate(quad(p0, i), ss)
		accumulate(quad(g0, i), se.Mul(grad))
		if chained {
			f := load(quad(gain, i))
			fe := f.Mul(e)
			accumulate(quad(bb, i), f.Mul(fe))
			accumulate(quad(xs, i), f.Mul(x))
			accumulate(quad(k0, i), vec{}.Sub(fe.Mul(grad)))
			accumulate(quad(q, i), sign.Mul(fe))
		}
	}
	sum.mu, sum.objective, sum.bound = mu, objective, bound
	narrow()
}

// accumulate adds v to what is at p.
func accumulate(p *four, v vec) { load(p).Add(v).Store(p) }

// crossTerms forms Lagrange's identity for a chain with several inputs: no difference of near-equal squares.
func (g *group) crossTerms(k int, h *shard) {
	list := g.ch[k].inputs
	for a := 1; a < len(list); a++ {
		u := &g.in[list[a]]
		for b := 0; b < a; b++ {
			w := &g.in[list[b]]
			if u.from == w.from && len(u.blocks) == len(w.blocks) {
				cross := h.cross[k*g.stride+u.from:]
				us, ws := all(u.sign), all(w.sign)
				for n := range u.blocks {
					det := load(quad(u.gain, n*lanes)).Mul(ws).Sub(load(quad(w.gain, n*lanes)).Mul(us))
					accumulate(quad(cross, n*lanes), load(&u.blocks[n].dinv).Mul(load(&w.blocks[n].dinv)).Mul(det).Mul(det))
				}
				continue
			}
			for t := max(u.from, w.from); t < min(u.to, w.to); t++ {
				i, j := t-u.from, t-w.from
				det := u.gain[i]*w.sign - w.gain[j]*u.sign
				h.cross[k*g.stride+t] += u.dinv(i) * w.dinv(j) * det * det
			}
		}
	}
	narrow()
}

// scratch is the shard's k-th working series for a row with m steps. It has a step before the first one, which is 0 at v[lanes-1].
func (h *shard) scratch(k, m int) []float64 { return h.work[k][:m+lanes] }

// measureState forms the chain rows: their residuals, the state's gradient and curvature, and the predictor's right-hand side without the site row's part.
func (s *solver) measureState(g *group, k int, ap, ad float64, h *shard, sum *tally) {
	st := &g.ch[k]
	m := lanes * len(st.blocks)
	before, pushed, pull, curve := h.scratch(0, m), h.scratch(1, m), h.scratch(2, m)[lanes:], h.scratch(3, m)[lanes:]
	x := before[lanes:]
	if len(st.bands) > 0 {
		clear(pull)
		clear(curve)
		st.moveBands(ap, ad, curve, pull, sum)
	}
	if st.boxed {
		st.moveBox(ap, ad, x, sum)
	} else {
		st.moveFree(ap, x)
	}
	if len(st.bands) > 0 {
		st.join(curve, st.boxed)
	}
	// gradients
	unit := all(s.unit)
	y := g.y[st.at:]
	cost, keep, lo, hi, drive := st.cost[:m], st.keep[:m+lanes], st.lo[:m], st.hi[:m], st.drive[:m]
	grads := curve // no more needed
	objective, bound := sum.objective, sum.bound
	for n := range st.blocks {
		b, i := &st.blocks[n], n*lanes
		co, yi := unit.Mul(load(quad(cost, i))), load(quad(y, i))
		grad := co.Sub(yi).Add(load(quad(keep, i+1)).Mul(load(quad(y, i+1))))
		objective = objective.Add(co.Mul(load(quad(x, i))))
		bound = bound.Add(load(quad(drive, i)).Mul(yi))
		if len(st.bands) > 0 {
			grad.Store(quad(grads, i))
			grad = grad.Add(load(quad(pull, i)))
		} else {
			bound = bound.Add(grad.Mul(load(quad(lo, i))).Min(grad.Mul(load(quad(hi, i)))))
		}
		grad.Store(&b.d)
		grad.Mul(load(&b.dinv)).Store(quad(pushed, i+lanes))
	}
	sum.objective, sum.bound = objective, bound
	if len(st.bands) > 0 {
		st.weigh(x, grads, sum)
	}
	// rows
	res, k0, xs := g.res[st.at:][:m], h.k0[st.at:][:m], h.xs[st.at:][:m]
	high, low := sum.high, sum.low
	for i := 0; i < m; i += lanes {
		f := load(quad(keep, i))
		row := load(quad(drive, i)).Add(f.Mul(load(quad(before, i+lanes-1)))).Add(load(quad(xs, i)).Sub(load(quad(x, i))))
		row.Store(quad(res, i))
		high, low = high.Max(row), low.Min(row)
		p := quad(k0, i)
		load(p).Sub(f.Mul(load(quad(pushed, i+lanes-1)))).Add(row).Add(load(quad(pushed, i+lanes))).Store(p)
	}
	sum.high, sum.low = high, low
	narrow()
}

// measureNet forms the site rows, and completes the right-hand side of chains and grid with them.
func (s *solver) measureNet(g *group, ap, ad float64, h *shard, sum *tally) {
	r := &g.net
	m, d := lanes*len(r.blocks), g.d()
	x, pull, curve := h.scratch(0, m)[lanes:], h.scratch(1, m)[lanes:], h.scratch(2, m)[lanes:]
	clear(pull)
	if len(r.bands) > 0 {
		clear(curve)
		r.moveBands(ap, ad, curve, pull, sum)
	}
	r.moveBox(ap, ad, x, sum)
	if len(r.bands) > 0 {
		r.join(curve, true)
	}
	grads := curve
	for t := range m {
		grads[t] = 0
		if t < g.n {
			grads[t] = s.lam[t] - g.v[t]
		}
	}
	r.weigh(x, grads, sum)
	acc := &h.acc
	for t := range g.n {
		b, lane := &r.blocks[t/lanes], t%lanes
		b.d[lane] = grads[t] + pull[t]
		dinv := b.dinv[lane]
		row := g.base[t] + h.su[t] - x[t]
		g.resv[t] = row
		acc.primal = max(acc.primal, math.Abs(row))
		acc.bound += g.base[t] * g.v[t]
		h.net[t] += x[t]
		gn := b.d[lane] * dinv
		y := row + gn - h.g0[t]
		g.rv0[t] = y
		ic := 0.0
		if p := dinv + h.pu[t]; p > 0 {
			ic = 1 / p
		}
		h.lam0[t] += y*dinv*ic - gn
		for k := range d {
			h.k0[k*g.stride+t] -= g.q[k*g.stride+t] * y * ic
		}
	}
}
