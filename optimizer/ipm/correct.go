package ipm

import "math"

// The third sweep substitutes the corrector's price step into every group and finds how far the new direction goes.

func (s *solver) correctShard(h *shard) {
	clear(h.net)
	h.acc = sums{alphaP: 1, alphaD: 1}
	for i := h.from; i < h.to; i++ {
		if s.pool.stopped() {
			return
		}
		s.correct(&s.groups[i], h)
	}
}

func (s *solver) correct(g *group, h *shard) {
	n, mu := g.n, s.mu
	for i, v := range g.r1 {
		g.dy[i] = g.r0[i] + mu*v
	}
	for i, v := range g.rv1 {
		g.rv0[i] += mu * v
	}
	price := s.backSubstitute(g, g.rv0, s.dlam, h)
	clear(h.su[:n])
	clear(h.xs[:n*g.d()])
	var r reach
	for j := range g.in {
		s.correctInput(g, &g.in[j], price, h, &r)
	}
	for k := range g.ch {
		s.correctState(g, k, h, &r)
	}
	if g.netted {
		s.correctNet(g, h, &r)
	} else {
		net := h.net[g.from : g.from+n]
		for t := range net {
			net[t] += h.su[t]
		}
	}
	r.limit(&h.acc)
	g.ap, g.ad = r.lengths()
}

func (s *solver) correctInput(g *group, u *input, price []float64, h *shard, r *reach) {
	sign, mu := u.sign, s.mu
	cells := u.cells
	m := len(cells)
	price = price[u.from:u.to]
	su := h.su[u.from:u.to]
	price, su = price[:m], su[:m]
	var y, gain, xs []float64
	chained := u.chain >= 0
	if chained {
		y, gain, xs = g.dy[u.at:][:m], u.gain[:m], h.xs[u.at:][:m]
	}
	near, q := -r.p, r.q
	for i := range cells {
		c := &cells[i]
		wl, wu := c.wl, c.wu
		if wu == 0 {
			continue
		}
		inv := 1 / (wl * wu)
		rl, ru := wu*inv, wl*inv
		dx := -sign*price[i] - c.d - mu*(ru-rl)
		if chained {
			dx -= gain[i] * y[i]
		}
		dx *= c.dinv
		dl, du := dx*rl, -dx*ru
		if dl < near {
			near = dl
		}
		if du < near {
			near = du
		}
		zl, zu := c.zl, c.zu
		dzl, dzu := (mu-c.pl)*rl-zl*(1+dl), (mu-c.pu)*ru-zu*(1+du)
		if -dzl > q*zl {
			q = -dzl / zl
		}
		if -dzu > q*zu {
			q = -dzu / zu
		}
		c.d, c.pl, c.pu = dx, dzl, dzu
		su[i] += sign * dx
		if chained {
			xs[i] += gain[i] * dx
		}
	}
	r.p, r.q = -near, q
}

// correct turns what the cell holds into its step, where a is the part of the Newton equation that the duals give, and g what bands add to the gradient.
func (c *cell) correct(a, g, mu float64, r *reach) (dx float64) {
	rl, ru := c.inverses()
	dx = (a - g - c.d - mu*(ru-rl)) * c.dinv
	dl, du := dx*rl, -dx*ru
	if -dl > r.p {
		r.p = -dl
	}
	if -du > r.p {
		r.p = -du
	}
	dzl, dzu := (mu-c.pl)*rl-c.zl*(1+dl), (mu-c.pu)*ru-c.zu*(1+du)
	if -dzl > r.q*c.zl {
		r.q = -dzl / c.zl
	}
	if -dzu > r.q*c.zu {
		r.q = -dzu / c.zu
	}
	c.d, c.pl, c.pu = dx, dzl, dzu
	return dx
}

// nudge changes the step of a cell by a little.
func (c *cell) nudge(by float64, r *reach) {
	rl, ru := c.inverses()
	dx, dzl, dzu := c.d+by, c.pl-c.zl*by*rl, c.pu+c.zu*by*ru
	c.d, c.pl, c.pu = dx, dzl, dzu
	if dl := -dx * rl; dl > r.p {
		r.p = dl
	}
	if du := dx * ru; du > r.p {
		r.p = du
	}
	if -dzl > r.q*c.zl {
		r.q = -dzl / c.zl
	}
	if -dzu > r.q*c.zu {
		r.q = -dzu / c.zu
	}
}

// perMu is what a band adds to its variable's Newton gradient per unit of mu.
func (b *band) perMu() float64 { return -b.e * (b.zs - b.z) / (b.w*b.zs + b.s*b.z) }

// correct turns a band's products into its step.
func (b *band) correct(dx, mu float64, r *reach) {
	den := 1 / (b.w*b.zs + b.s*b.z)
	rs := mu - b.q - b.s*b.zs
	dz := ((mu-b.p-b.w*b.z)*b.zs-rs*b.z)*den - b.z*b.zs*den*b.e*dx
	ds := (rs + b.s*dz) / b.zs
	b.p, b.q = ds, dz
	r.see(b.w, b.e*dx+ds, b.z, dz)
	r.see(b.s, ds, b.zs, -dz)
}

// nudge follows a small change of the variable's step, which is dx with it.
func (b *band) nudge(by, dx float64, r *reach) {
	dz := -b.z * b.zs / (b.w*b.zs + b.s*b.z) * b.e * by
	b.q += dz
	b.p += b.s * dz / b.zs
	r.see(b.w, b.e*dx+b.p, b.z, b.q)
	r.see(b.s, b.p, b.zs, -b.q)
}

// correctState computes the states' steps forward in time and takes rounding out of them, so that a row loses exactly its residual: what is left over goes to
// the variable of the row that moves most freely, where it matters least.
func (s *solver) correctState(g *group, k int, h *shard, r *reach) {
	mu := s.mu
	st := &g.ch[k]
	cells := st.cells
	m := len(cells)
	keep, bands := st.keep[:m], st.bands
	y, res, xs := g.dy[st.at:][:m], g.res[st.at:][:m], h.xs[st.at:][:m]
	tiny := s.tiny()
	before := 0.0
	for i := range cells {
		c := &cells[i]
		left := res[i] + xs[i]
		if i > 0 {
			left += keep[i] * before
		}
		nb := 0
		if c.wu != 0 {
			a := y[i]
			if i+1 < m {
				a -= keep[i+1] * y[i+1]
			}
			pull := 0.0
			for nb < len(bands) && bands[nb].at == i {
				pull += mu * bands[nb].perMu()
				nb++
			}
			if st.boxed {
				c.correct(a, pull, mu, r)
			} else {
				c.d = (a - pull - c.d) * c.dinv
			}
			for b := range bands[:nb] {
				bands[b].correct(c.d, mu, r)
			}
			left -= c.d
		}
		if math.Abs(left) > tiny {
			if !g.closeRow(st, i, left, h, r) && c.wu != 0 {
				if st.boxed {
					c.nudge(left, r)
				} else {
					c.d += left
				}
				for b := range bands[:nb] {
					bands[b].nudge(left, c.d, r)
				}
			}
		}
		before = 0
		if c.wu != 0 {
			before = c.d
		}
		bands = bands[nb:]
	}
}

// tiny is a residual that is left where it is.
func (s *solver) tiny() float64 { return 1e-14 * s.power }

// closeRow gives what is left of a chain row to the freest of its inputs, and reports false when the state itself is freer.
func (g *group) closeRow(st *state, i int, left float64, h *shard, r *reach) bool {
	t := st.from + i
	most, at := st.cells[i].dinv, -1
	for _, j := range st.inputs {
		u := &g.in[j]
		if t < u.from || t >= u.to {
			continue
		}
		if gain := u.gain[t-u.from]; gain*gain*u.cells[t-u.from].dinv > most {
			most, at = gain*gain*u.cells[t-u.from].dinv, j
		}
	}
	if at < 0 {
		return false
	}
	u := &g.in[at]
	by := -left / u.gain[t-u.from]
	u.cells[t-u.from].nudge(by, r)
	h.su[t] += u.sign * by
	return true
}

func (s *solver) correctNet(g *group, h *shard, r *reach) {
	mu := s.mu
	bands := g.netband
	for t := range g.net.cells {
		c := &g.net.cells[t]
		if c.wu == 0 {
			continue
		}
		nb, pull := 0, 0.0
		for nb < len(bands) && bands[nb].at == t {
			pull += mu * bands[nb].perMu()
			nb++
		}
		dx := c.correct(g.dv[t]-s.dlam[t], pull, mu, r)
		for b := range bands[:nb] {
			bands[b].correct(dx, mu, r)
		}
		if left := g.resv[t] + h.su[t] - dx; math.Abs(left) > s.tiny() {
			g.closeSite(t, left, bands[:nb], r)
		}
		h.net[t] += c.d
		bands = bands[nb:]
	}
}

// closeSite gives what is left of a site row to its freest input without a chain, or to the net power, unless an input with a chain is far freer.
func (g *group) closeSite(t int, left float64, bands []band, r *reach) {
	c := &g.net.cells[t]
	most, free, at := c.dinv, c.dinv, -1
	for j := range g.in {
		u := &g.in[j]
		if u.sign == 0 || t < u.from || t >= u.to {
			continue
		}
		v := u.cells[t-u.from].dinv
		most = max(most, v)
		if u.chain < 0 && v > free {
			free, at = v, j
		}
	}
	switch {
	case free < 1e-4*most || free == 0:
	case at >= 0:
		g.in[at].cells[t-g.in[at].from].nudge(-left/g.in[at].sign, r)
	default:
		c.nudge(left, r)
		for b := range bands {
			bands[b].nudge(left, c.d, r)
		}
	}
}
