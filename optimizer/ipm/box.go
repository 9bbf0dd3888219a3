package ipm

// What a sweep does to the boxes of a row and to its bands, four steps at a time. The series that they read and write (x, dx, a, by, ...) begin with the row's first step and
// reach to the end of its last block.

// moveBox takes the step of the boxes, writes where the variable is to x and the inverse curvature of the box to dinv, and adds up the complementarity products.
func (r *row) moveBox(ap, ad float64, x []float64, sum *tally) {
	p, q := all(ap), all(ad)
	lo := r.lo[:lanes*len(r.blocks)]
	x = x[:len(lo)]
	mu := sum.mu
	for k := range r.blocks {
		b := &r.blocks[k]
		step := p.Mul(load(&b.d))
		wl, wu := load(&b.wl).Add(step), load(&b.wu).Sub(step)
		zl, zu := load(&b.zl).Add(q.Mul(load(&b.pl))), load(&b.zu).Add(q.Mul(load(&b.pu)))
		wl.Store(&b.wl)
		wu.Store(&b.wu)
		zl.Store(&b.zl)
		zu.Store(&b.zu)
		mu = mu.Add(wl.Mul(zl).Add(wu.Mul(zu)))
		positive(zl, wl.Mul(wu).Div(zl.Mul(wu).Add(zu.Mul(wl)))).Store(&b.dinv)
		load(quad(lo, k*lanes)).Add(positive(zl, wl)).Store(quad(x, k*lanes))
	}
	sum.mu = mu
	narrow()
}

// moveFree does the same for a variable that its bands alone hold.
func (r *row) moveFree(ap float64, x []float64) {
	p := all(ap)
	lo := r.lo[:lanes*len(r.blocks)]
	x = x[:len(lo)]
	for k := range r.blocks {
		b := &r.blocks[k]
		wl := load(&b.wl).Add(p.Mul(load(&b.d)))
		wl.Store(&b.wl)
		load(quad(lo, k*lanes)).Add(wl).Store(quad(x, k*lanes))
	}
	narrow()
}

// moveBands takes the step of the bands, before that of the row, and adds what they do to the row's curvature and gradient to curve and pull.
func (r *row) moveBands(ap, ad float64, curve, pull []float64, sum *tally) {
	p, q := all(ap), all(ad)
	mu, one := sum.mu, all(1)
	for n := range r.bands {
		bd := &r.bands[n]
		e := all(bd.e)
		for k := range bd.blocks {
			b := &bd.blocks[k]
			at := bd.first + k
			moved := p.Mul(load(&r.blocks[at].d))
			w := load(&b.w).Add(e.Mul(moved).Add(p.Mul(load(&b.p))))
			s := load(&b.s).Add(p.Mul(load(&b.p)))
			dz := q.Mul(load(&b.q))
			z, zs := load(&b.z).Add(dz), load(&b.zs).Sub(dz)
			w.Store(&b.w)
			s.Store(&b.s)
			z.Store(&b.z)
			zs.Store(&b.zs)
			mu = mu.Add(w.Mul(z).Add(s.Mul(zs)))
			inv := positive(z, one.Div(w.Mul(zs).Add(s.Mul(z))))
			c, u := quad(curve, at*lanes), quad(pull, at*lanes)
			load(c).Add(z.Mul(zs).Mul(inv)).Store(c)
			load(u).Sub(e.Mul(s).Mul(z).Mul(load(&b.pen)).Mul(inv)).Store(u)
		}
	}
	sum.mu = mu
	narrow()
}

// join turns the boxes' inverse curvatures and the bands' curvature into the inverse of their sum.
func (r *row) join(curve []float64, boxed bool) {
	one := all(1)
	for k := range r.blocks {
		b := &r.blocks[k]
		c := load(quad(curve, k*lanes))
		if !boxed {
			positive(c, one.Div(c)).Store(&b.dinv)
			continue
		}
		e := load(&b.dinv)
		e.Div(one.Add(c.Mul(e))).Store(&b.dinv)
	}
	narrow()
}

// weigh adds up what the bands cost at x, and for the bound the least of gradient*value and the bands' cost over the boxes.
func (r *row) weigh(x, grad []float64, sum *tally) {
	lo, hi := r.lo[:lanes*len(r.blocks)], r.hi[:lanes*len(r.blocks)]
	zero, obj, low := vec{}, sum.objective, sum.bound
	for k := range r.blocks {
		i := k * lanes
		g, l, h, v := load(quad(grad, i)), load(quad(lo, i)), load(quad(hi, i)), load(quad(x, i))
		atLo, atHi := g.Mul(l), g.Mul(h)
		for n := range r.bands {
			bd := &r.bands[n]
			if m := k - bd.first; m >= 0 && m < len(bd.blocks) {
				e, level, pen := all(bd.e), load(&bd.blocks[m].level), load(&bd.blocks[m].pen)
				obj = obj.Add(pen.Mul(zero.Max(e.Mul(level.Sub(v)))))
				atLo = atLo.Add(pen.Mul(zero.Max(e.Mul(level.Sub(l)))))
				atHi = atHi.Add(pen.Mul(zero.Max(e.Mul(level.Sub(h)))))
			}
		}
		b := atLo.Min(atHi)
		for n := range r.bands { // a convex function of pieces: the least is at an end or at a level
			bd := &r.bands[n]
			m := k - bd.first
			if m < 0 || m >= len(bd.blocks) {
				continue
			}
			y := load(&bd.blocks[m].level).Min(h).Max(l)
			at := g.Mul(y)
			for n := range r.bands {
				bd := &r.bands[n]
				if m := k - bd.first; m >= 0 && m < len(bd.blocks) {
					at = at.Add(load(&bd.blocks[m].pen).Mul(zero.Max(all(bd.e).Mul(load(&bd.blocks[m].level).Sub(y)))))
				}
			}
			b = b.Min(at)
		}
		low = low.Add(b)
	}
	sum.objective, sum.bound = obj, low
	narrow()
}

// affine sums what the predictor's steps tell of the next iterate: far and near are the largest and least dw/w, zdw and dwdz the sums of z*dw and dw*dz. Of each
// pair w*dz = -w*z - z*dw, so that their sum needs no place.
type affine struct{ near, far, zdw, dwdz vec }

// begin starts with another group, of which near and far are.
func (a *affine) begin() {
	a.near, a.far = vec{}, all(-1)
	narrow()
}

// end tells how far the group may go: -dw/w is largest at near, and -dz/z = 1 + dw/w at far.
func (a *affine) end(r *reach) {
	*r = reach{p: vec{}.Sub(a.near), q: all(1).Add(a.far)}
	narrow()
}

// mostSecond is how many times its pair's product a second-order product counts at most: a predictor that leaves the box by far says nothing of what lies there.
const mostSecond = 5

// predictBox takes the affine steps dx of the boxes: it keeps the second-order products and leaves the Newton gradient's parts: the constant one in d, and the one per mu in
// perMu. Of a second-order product at most [mostSecond] counts.
func (r *row) predictBox(dx, perMu []float64, a *affine) {
	zero, one, top := vec{}, all(1), all(mostSecond)
	near, far, zdw, dwdz := a.near, a.far, a.zdw, a.dwdz
	for k := range r.blocks {
		b := &r.blocks[k]
		wl, wu, zl, zu, dx := load(&b.wl), load(&b.wu), load(&b.zl), load(&b.zu), load(quad(dx, k*lanes))
		inv := one.Div(wl.Mul(wu))
		rl, ru := wu.Mul(inv), wl.Mul(inv)
		u, v := dx.Mul(rl), zero.Sub(dx.Mul(ru))
		near = near.Min(u).Min(v)
		far = far.Max(u).Max(v)
		ml, mh := top.Mul(wl).Mul(zl), top.Mul(wu).Mul(zu)
		pl := zero.Sub(dx).Mul(zl).Mul(one.Add(u)).Min(ml).Max(zero.Sub(ml))
		pu := dx.Mul(zu).Mul(one.Add(v)).Min(mh).Max(zero.Sub(mh))
		zdw = zdw.Add(zl.Sub(zu).Mul(dx))
		dwdz = dwdz.Add(pl.Add(pu))
		pl.Store(&b.pl)
		pu.Store(&b.pu)
		load(&b.d).Add(pl.Mul(rl)).Sub(pu.Mul(ru)).Store(&b.d)
		ru.Sub(rl).Store(quad(perMu, k*lanes))
	}
	a.near, a.far, a.zdw, a.dwdz = near, far, zdw, dwdz
	narrow()
}

// predictBands does the same for the bands, and adds their parts to the row's d and to perMu.
func (r *row) predictBands(dx, perMu []float64, a *affine) {
	zero, one, top := vec{}, all(1), all(mostSecond)
	near, far, zdw, dwdz := a.near, a.far, a.zdw, a.dwdz
	for n := range r.bands {
		bd := &r.bands[n]
		e := all(bd.e)
		for k := range bd.blocks {
			b := &bd.blocks[k]
			at := bd.first + k
			dx := load(quad(dx, at*lanes))
			w, s, z, zs := load(&b.w), load(&b.s), load(&b.z), load(&b.zs)
			den := positive(z, one.Div(w.Mul(zs).Add(s.Mul(z))))
			rz := positive(z, one.Div(z.Mul(zs)))
			dz := s.Sub(w).Mul(z).Mul(zs).Mul(den).Sub(z.Mul(zs).Mul(den).Mul(e).Mul(dx))
			rel := dz.Mul(z).Mul(rz).Sub(one) // ds/s, and for the other pair dw/w follows from dz
			ds := s.Mul(rel)
			dw := e.Mul(dx).Add(ds)
			other := zero.Sub(dz.Mul(zs).Mul(rz)).Sub(one)
			near = near.Min(rel).Min(other)
			far = far.Max(rel).Max(other)
			mw, ms := top.Mul(w).Mul(z), top.Mul(s).Mul(zs)
			cw := dw.Mul(dz).Min(mw).Max(zero.Sub(mw))
			cs := zero.Sub(ds.Mul(dz)).Min(ms).Max(zero.Sub(ms))
			zdw = zdw.Add(z.Mul(dw).Add(zs.Mul(ds)))
			dwdz = dwdz.Add(cw.Add(cs))
			cw.Store(&b.p)
			cs.Store(&b.q)
			ed := e.Mul(den)
			d := &r.blocks[at].d
			load(d).Sub(ed.Mul(cs.Mul(z).Sub(cw.Mul(zs)))).Store(d)
			m := quad(perMu, at*lanes)
			load(m).Sub(ed.Mul(zs.Sub(z))).Store(m)
		}
	}
	a.near, a.far, a.zdw, a.dwdz = near, far, zdw, dwdz
	narrow()
}

// correctBox turns what the boxes hold into their steps, where a is the part of the Newton equation that the duals and bands give.
func (r *row) correctBox(a []float64, mu float64, reach *reach) {
	zero, one, m := vec{}, all(1), all(mu)
	p, q := reach.p, reach.q
	for k := range r.blocks {
		b := &r.blocks[k]
		wl, wu, zl, zu := load(&b.wl), load(&b.wu), load(&b.zl), load(&b.zu)
		inv := one.Div(wl.Mul(wu))
		rl, ru := wu.Mul(inv), wl.Mul(inv)
		dx := load(quad(a, k*lanes)).Sub(load(&b.d)).Sub(m.Mul(ru.Sub(rl))).Mul(load(&b.dinv))
		u, v := dx.Mul(rl), zero.Sub(dx.Mul(ru))
		p = p.Max(zero.Sub(u)).Max(zero.Sub(v))
		dzl := positive(zl, m.Sub(load(&b.pl)).Mul(rl).Sub(zl.Mul(one.Add(u))))
		dzu := positive(zl, m.Sub(load(&b.pu)).Mul(ru).Sub(zu.Mul(one.Add(v))))
		rz := positive(zl, one.Div(zl.Mul(zu)))
		q = q.Max(zero.Sub(dzl.Mul(zu).Mul(rz))).Max(zero.Sub(dzu.Mul(zl).Mul(rz)))
		dx.Store(&b.d)
		dzl.Store(&b.pl)
		dzu.Store(&b.pu)
	}
	reach.p, reach.q = p, q
	narrow()
}

// correctFree does the same for a variable that its bands alone hold.
func (r *row) correctFree(a []float64) {
	for k := range r.blocks {
		b := &r.blocks[k]
		load(quad(a, k*lanes)).Sub(load(&b.d)).Mul(load(&b.dinv)).Store(&b.d)
	}
	narrow()
}

// pullBands takes from a what the bands add to the Newton gradient at mu.
func (r *row) pullBands(a []float64, mu float64) {
	one, m := all(1), all(mu)
	for n := range r.bands {
		bd := &r.bands[n]
		e := all(bd.e).Mul(m)
		for k := range bd.blocks {
			b := &bd.blocks[k]
			z, zs := load(&b.z), load(&b.zs)
			v := quad(a, (bd.first+k)*lanes)
			load(v).Add(positive(z, e.Mul(zs.Sub(z)).Mul(one.Div(load(&b.w).Mul(zs).Add(load(&b.s).Mul(z)))))).Store(v)
		}
	}
	narrow()
}

// correctBands turns the bands' products into their steps; the row has its own already.
func (r *row) correctBands(mu float64, reach *reach) {
	zero, one, m := vec{}, all(1), all(mu)
	p, q := reach.p, reach.q
	for n := range r.bands {
		bd := &r.bands[n]
		e := all(bd.e)
		for k := range bd.blocks {
			b := &bd.blocks[k]
			w, s, z, zs := load(&b.w), load(&b.s), load(&b.z), load(&b.zs)
			dx := e.Mul(load(&r.blocks[bd.first+k].d))
			den := positive(z, one.Div(w.Mul(zs).Add(s.Mul(z))))
			rz := positive(z, one.Div(z.Mul(zs)))
			rs := m.Sub(load(&b.q)).Sub(s.Mul(zs))
			dz := m.Sub(load(&b.p)).Sub(w.Mul(z)).Mul(zs).Sub(rs.Mul(z)).Mul(den).Sub(z.Mul(zs).Mul(den).Mul(dx))
			ds := rs.Add(s.Mul(dz)).Mul(z).Mul(rz)
			ds.Store(&b.p)
			dz.Store(&b.q)
			p = p.Max(shrinks(w, s, z, dx, ds))
			q = q.Max(zero.Sub(dz.Mul(zs).Mul(rz))).Max(dz.Mul(z).Mul(rz))
		}
	}
	reach.p, reach.q = p, q
	narrow()
}

// shrinks is the larger of -dw/w and -ds/s, where dw = dx + ds.
func shrinks(w, s, z, dx, ds vec) vec {
	r := positive(z, all(1).Div(w.Mul(s)))
	zero := vec{}
	return zero.Sub(dx.Add(ds)).Mul(s).Mul(r).Max(zero.Sub(ds).Mul(w).Mul(r))
}

// nudgeBox scales the steps of the boxes as held, and changes them to a target higher by mu, where a is the part of the Newton equation that the duals and bands give; a becomes that change.
func (r *row) nudgeBox(a []float64, by held, mu float64, reach *reach) {
	zero, one, m := vec{}, all(1), all(mu)
	fp, fd := all(by.primal), all(by.dual)
	p, q := reach.p, reach.q
	for k := range r.blocks {
		b := &r.blocks[k]
		v := quad(a, k*lanes)
		wl, wu, zl, zu := load(&b.wl), load(&b.wu), load(&b.zl), load(&b.zu)
		inv := one.Div(wl.Mul(wu))
		rl, ru := wu.Mul(inv), wl.Mul(inv)
		step := load(v).Sub(m.Mul(ru.Sub(rl))).Mul(load(&b.dinv))
		dx := load(&b.d).Mul(fp).Add(step)
		dzl := load(&b.pl).Mul(fd).Add(positive(zl, m.Sub(zl.Mul(step)).Mul(rl)))
		dzu := load(&b.pu).Mul(fd).Add(positive(zl, m.Add(zu.Mul(step)).Mul(ru)))
		rz := positive(zl, one.Div(zl.Mul(zu)))
		p = p.Max(zero.Sub(dx.Mul(rl))).Max(dx.Mul(ru))
		q = q.Max(zero.Sub(dzl.Mul(zu).Mul(rz))).Max(zero.Sub(dzu.Mul(zl).Mul(rz)))
		step.Store(v)
		dx.Store(&b.d)
		dzl.Store(&b.pl)
		dzu.Store(&b.pu)
	}
	reach.p, reach.q = p, q
	narrow()
}

// nudgeFree does the same for a variable that its bands alone hold.
func (r *row) nudgeFree(a []float64, by held) {
	f := all(by.primal)
	for k := range r.blocks {
		b := &r.blocks[k]
		v := quad(a, k*lanes)
		step := load(v).Mul(load(&b.dinv))
		step.Store(v)
		load(&b.d).Mul(f).Add(step).Store(&b.d)
	}
	narrow()
}

// nudgeBands follows a change of the row's steps, which are with it, and of the target by mu.
func (r *row) nudgeBands(step []float64, by held, mu float64, reach *reach) {
	zero, one, m := vec{}, all(1), all(mu)
	fp, fd := all(by.primal), all(by.dual)
	p, q := reach.p, reach.q
	for n := range r.bands {
		bd := &r.bands[n]
		e := all(bd.e)
		for k := range bd.blocks {
			b := &bd.blocks[k]
			at := bd.first + k
			w, s, z, zs := load(&b.w), load(&b.s), load(&b.z), load(&b.zs)
			den := positive(z, one.Div(w.Mul(zs).Add(s.Mul(z))))
			rz := positive(z, one.Div(z.Mul(zs)))
			dz := m.Mul(zs.Sub(z)).Mul(den).Sub(z.Mul(zs).Mul(den).Mul(e).Mul(load(quad(step, at*lanes))))
			q1 := load(&b.q).Mul(fd).Add(dz)
			p1 := load(&b.p).Mul(fp).Add(m.Add(s.Mul(dz)).Mul(z).Mul(rz))
			p1.Store(&b.p)
			q1.Store(&b.q)
			p = p.Max(shrinks(w, s, z, e.Mul(load(&r.blocks[at].d)), p1))
			q = q.Max(zero.Sub(q1.Mul(zs).Mul(rz))).Max(q1.Mul(z).Mul(rz))
		}
	}
	reach.p, reach.q = p, q
	narrow()
}

// nudge changes the step of one variable by a little.
func (r *row) nudge(i int, boxed bool, by float64, reach *reach) {
	b, k := &r.blocks[i/lanes], i%lanes
	b.d[k] += by
	if boxed {
		b.pl[k] -= b.zl[k] * by / b.wl[k]
		b.pu[k] += b.zu[k] * by / b.wu[k]
		reach.see(b.wl[k], b.d[k], b.zl[k], b.pl[k])
		reach.see(b.wu[k], -b.d[k], b.zu[k], b.pu[k])
	}
	for n := range r.bands {
		bd := &r.bands[n]
		m := i/lanes - bd.first
		if m < 0 || m >= len(bd.blocks) || bd.blocks[m].z[k] == 0 {
			continue
		}
		c := &bd.blocks[m]
		dz := -c.z[k] * c.zs[k] / (c.w[k]*c.zs[k] + c.s[k]*c.z[k]) * bd.e * by
		c.q[k] += dz
		c.p[k] += c.s[k] * dz / c.zs[k]
		reach.see(c.w[k], bd.e*b.d[k]+c.p[k], c.z[k], c.q[k])
		reach.see(c.s[k], c.p[k], c.zs[k], -c.q[k])
	}
}

// save writes where the variables are.
func (r *row) save(boxed bool, x []float64) {
	for k := range r.blocks {
		b := &r.blocks[k]
		w := load(&b.wl)
		if boxed {
			w = positive(load(&b.zl), w)
		}
		load(quad(r.lo, k*lanes)).Add(w).Store(quad(x, k*lanes))
	}
	narrow()
}
