package ipm

// refineShard adds to the direction what a change s.delta of the grid prices' step makes of it.
func (s *solver) refineShard(h *shard) {
	clear(h.net)
	h.acc = sums{alphaP: 1, alphaD: 1}
	for i := h.from; i < h.to; i++ {
		if s.pool.stopped() {
			return
		}
		s.refine(&s.groups[i], h)
	}
}

func (s *solver) refine(g *group, h *shard) {
	n := g.n
	delta := s.delta[g.from : g.from+n]
	y := h.k0[:n*g.d()]
	for k := range g.ch {
		yk, hk := y[k*n:(k+1)*n], g.h[k*n:(k+1)*n]
		for t, v := range delta {
			yk[t] = -hk[t] * v
		}
	}
	if len(g.ch) > 0 {
		g.solve(y, h)
	}
	price := delta
	if g.netted {
		price = h.g0[:n]
		for t := range price {
			v := g.nn[t] * delta[t]
			for k := range g.ch {
				v -= g.q[k*n+t] * y[k*n+t]
			}
			price[t] = v * g.ic[t]
		}
	}
	var r reach
	net := h.net[g.from : g.from+n]
	for j := range g.in {
		u := &g.in[j]
		into := net[u.from:u.to]
		if g.netted {
			into = h.su[u.from:u.to] // of no use
		}
		var yk []float64
		if u.chain >= 0 {
			yk = y[u.at:]
		}
		u.refine(price[u.from:u.to], yk, into, &r)
	}
	for k := range g.ch {
		g.ch[k].refine(y[g.ch[k].at:], &r)
	}
	bands := g.netband
	for t := range g.net.cells {
		c := &g.net.cells[t]
		if c.wu == 0 {
			continue
		}
		by := (price[t] - delta[t]) * c.dinv
		c.nudge(by, &r)
		for len(bands) > 0 && bands[0].at == t {
			bands[0].nudge(by, c.d, &r)
			bands = bands[1:]
		}
		net[t] += c.d
	}
	for i, v := range y {
		g.dy[i] += v
	}
	for i := range g.dv {
		g.dv[i] += price[i]
	}
	r.limit(&h.acc)
	g.ap, g.ad = r.lengths()
}

// refine changes the steps of an input by what changes of its price and of its chain's duals y make of them, and adds its power's step to net.
func (u *input) refine(price, y, net []float64, r *reach) {
	cells, sign := u.cells, u.sign
	m := len(cells)
	price, net = price[:m], net[:m]
	var gain []float64
	chained := u.chain >= 0
	if chained {
		y, gain = y[:m], u.gain[:m]
	}
	near, q := -r.p, r.q
	for i := range cells {
		c := &cells[i]
		wl, wu := c.wl, c.wu
		if wu == 0 {
			continue
		}
		by := -sign * price[i]
		if chained {
			by -= gain[i] * y[i]
		}
		by *= c.dinv
		inv := 1 / (wl * wu)
		rl, ru := wu*inv, wl*inv
		zl, zu := c.zl, c.zu
		dx, dzl, dzu := c.d+by, c.pl-zl*by*rl, c.pu+zu*by*ru
		if dl := dx * rl; dl < near {
			near = dl
		}
		if du := -dx * ru; du < near {
			near = du
		}
		if -dzl > q*zl {
			q = -dzl / zl
		}
		if -dzu > q*zu {
			q = -dzu / zu
		}
		c.d, c.pl, c.pu = dx, dzl, dzu
		net[i] += sign * dx
	}
	r.p, r.q = -near, q
}

// refine does the same for the states of a chain.
func (st *state) refine(y []float64, r *reach) {
	cells := st.cells
	m := len(cells)
	keep, bands := st.keep[:m], st.bands
	y = y[:m]
	for i := range cells {
		c := &cells[i]
		if c.wu == 0 {
			continue
		}
		by := y[i]
		if i+1 < m {
			by -= keep[i+1] * y[i+1]
		}
		by *= c.dinv
		if st.boxed {
			c.nudge(by, r)
		} else {
			c.d += by
		}
		for len(bands) > 0 && bands[0].at == i {
			bands[0].nudge(by, c.d, r)
			bands = bands[1:]
		}
	}
}
