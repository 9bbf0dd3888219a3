package ipm

// recentre adds to the step of a group that is to be held what a target higher by s.centre makes of it, at the same prices of the grid, and finds how far it may go then.
func (s *solver) recentre(g *group, h *shard) {
	m, nd := whole(g.n), g.stride*g.d()
	y := h.k0[:nd]
	clear(y)
	addTo(y, g.r1, s.centre)
	if nd > 0 {
		g.solve(y, h)
	}
	price := h.g0[:g.stride]
	clear(price)
	if g.netted {
		clear(h.g1[:g.stride])
		addTo(h.g1[:g.stride], g.rv1, s.centre)
		g.price(h.g1, price, y, price)
	}
	g.reach = reach{}
	r := &g.reach
	step := g.step[:m]
	clear(step)
	for j := range g.in {
		u := &g.in[j]
		a := h.scratch(0, lanes*len(u.blocks))[lanes:]
		u.response(price, y, a)
		u.recentreBox(a, s.centre, r)
		if !g.netted {
			u.sumInto(g.step)
		}
	}
	for k := range g.ch {
		st := &g.ch[k]
		a := h.scratch(0, lanes*len(st.blocks))[lanes:]
		st.response(y, a)
		st.pullBands(a, s.centre)
		if st.boxed {
			st.recentreBox(a, s.centre, r)
		} else {
			st.nudgeFree(a, held{1, 1})
		}
		st.recentreBands(a, s.centre, r)
	}
	if g.netted {
		row := &g.net
		a := h.scratch(0, lanes*len(row.blocks))[lanes:]
		clear(a)
		copy(a, price[:g.n])
		row.pullBands(a, s.centre)
		row.recentreBox(a, s.centre, r)
		row.recentreBands(a, s.centre, r)
		for t := range g.n {
			step[t] = row.blocks[t/lanes].d[t%lanes]
			g.dv[t] += price[t]
		}
	}
	addTo(g.dy, y, 1)
	g.ap, g.ad = r.lengths()
}
