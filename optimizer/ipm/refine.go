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
	nd := g.stride * g.d()
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
	g.change(y, price, delta, 0, h)
	addTo(h.net[g.from:], g.step[:whole(g.n)], 1)
}

// recentre adds to the step of a group that is to be held what a target higher by s.centre makes of it, at the same prices of the grid, and finds how far it may go then.
func (s *solver) recentre(g *group, h *shard) {
	nd := g.stride * g.d()
	y := h.k0[:nd]
	clear(y)
	addTo(y, g.r1, s.centre)
	if nd > 0 {
		g.solve(y, h)
	}
	none, price := h.su[:g.stride], h.g0[:g.stride]
	clear(none)
	clear(price)
	if g.netted {
		clear(h.g1[:g.stride])
		addTo(h.g1[:g.stride], g.rv1, s.centre)
		g.price(h.g1, none, y, price)
	}
	g.change(y, price, none, s.centre, h)
	g.ap, g.ad = g.reach.lengths()
}

// change scales the group's step as it is held, and changes it by what steps y of its chains' duals, price of its inputs' price and delta of the grid's make of it at a target higher by mu.
func (g *group) change(y, price, delta []float64, mu float64, h *shard) {
	g.reach = reach{}
	r, by := &g.reach, g.held
	step := g.step[:whole(g.n)]
	clear(step)
	for j := range g.in {
		u := &g.in[j]
		a := h.scratch(0, lanes*len(u.blocks))[lanes:]
		u.response(price, y, a)
		u.nudgeBox(a, by, mu, r)
		if !g.netted {
			u.sumInto(g.step)
		}
	}
	for k := range g.ch {
		st := &g.ch[k]
		a := h.scratch(0, lanes*len(st.blocks))[lanes:]
		st.response(y, a)
		if mu != 0 {
			st.pullBands(a, mu)
		}
		if st.boxed {
			st.nudgeBox(a, by, mu, r)
		} else {
			st.nudgeFree(a, by)
		}
		st.nudgeBands(a, by, mu, r)
	}
	if g.netted {
		row := &g.net
		a := h.scratch(0, lanes*len(row.blocks))[lanes:]
		clear(a)
		for t := range g.n {
			a[t] = price[t] - delta[t]
		}
		if mu != 0 {
			row.pullBands(a, mu)
		}
		row.nudgeBox(a, by, mu, r)
		row.nudgeBands(a, by, mu, r)
		for t := range g.n {
			step[t] = row.blocks[t/lanes].d[t%lanes]
			g.dv[t] = by.dual*g.dv[t] + price[t]
		}
	}
	if by.dual != 1 {
		addTo(g.dy, g.dy, by.dual-1)
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
