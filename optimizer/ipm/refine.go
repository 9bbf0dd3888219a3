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
	s.limitShard(h)
}

func (s *solver) refine(g *group, h *shard) {
	m, nd := whole(g.n), g.stride*g.d()
	delta := s.delta[g.from : g.from+g.stride]
	y := h.k0[:nd]
	clear(y)
	g.respond(delta, y)
	if nd > 0 {
		g.solve(y, h)
	}
	price := delta
	if g.netted {
		price = h.g0[:g.stride]
		g.price(nil, delta, y, price)
	}
	g.reach = reach{}
	r := &g.reach
	step := g.step[:m]
	clear(step)
	for j := range g.in {
		u := &g.in[j]
		a := h.scratch(0, lanes*len(u.blocks))[lanes:]
		u.response(price, y, a)
		u.nudgeBox(a, g.held, r)
		if !g.netted {
			u.sumInto(g.step)
		}
	}
	for k := range g.ch {
		st := &g.ch[k]
		a := h.scratch(0, lanes*len(st.blocks))[lanes:]
		st.response(y, a)
		if st.boxed {
			st.nudgeBox(a, g.held, r)
		} else {
			st.nudgeFree(a, g.held)
		}
		st.nudgeBands(a, g.held, r)
	}
	if g.netted {
		row := &g.net
		a := h.scratch(0, lanes*len(row.blocks))[lanes:]
		clear(a)
		for t := range g.n {
			a[t] = price[t] - delta[t]
		}
		row.nudgeBox(a, g.held, r)
		row.nudgeBands(a, g.held, r)
		for t := range g.n {
			step[t] = row.blocks[t/lanes].d[t%lanes]
		}
		for t := range g.n {
			g.dv[t] = g.held.dual*g.dv[t] + price[t]
		}
	}
	addTo(h.net[g.from:], step, 1)
	if g.held.dual != 1 {
		addTo(g.dy, g.dy, g.held.dual-1)
	}
	addTo(g.dy, y, 1)
	g.held = held{1, 1}
}

// sumInto adds the input's step to the site's.
func (u *input) sumInto(su []float64) {
	sign := all(u.sign)
	for k := range u.blocks {
		accumulate(quad(su, u.from+k*lanes), sign.Mul(load(&u.blocks[k].d)))
	}
	narrow()
}
