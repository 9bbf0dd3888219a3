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
	s.limitShard(h)
}

func (s *solver) correct(g *group, h *shard) {
	mu := s.mu
	copy(g.dy, g.r0)
	addTo(g.dy, g.r1, mu)
	addTo(g.rv0, g.rv1, mu)
	price := s.backSubstitute(g, g.rv0, s.dlam, h)
	m := whole(g.n)
	g.held = held{1, 1}
	clear(h.su[:m])
	clear(h.xs[:g.stride*g.d()])
	g.reach = reach{}
	r := &g.reach
	for j := range g.in {
		u := &g.in[j]
		a := h.scratch(0, lanes*len(u.blocks))[lanes:]
		u.response(price, g.dy, a)
		u.correctBox(a, mu, r)
		u.stepInto(h.su, h.xs)
	}
	for k := range g.ch {
		s.correctState(g, k, h, r)
	}
	if g.netted {
		s.correctNet(g, h, r)
	} else {
		copy(g.step, h.su[:m])
	}
	addTo(h.net[g.from:], g.step[:m], 1)
	narrow()
}

// response is what the steps of the price and of the chains' duals add to the Newton equation of an input.
func (u *input) response(price, dy, a []float64) {
	m := lanes * len(u.blocks)
	price, a = price[u.from:][:m], a[:m]
	sign := all(-u.sign)
	if u.chain < 0 {
		for i := 0; i < m; i += lanes {
			sign.Mul(load(quad(price, i))).Store(quad(a, i))
		}
		return
	}
	dy, gain := dy[u.at:][:m], u.gain[:m]
	for i := 0; i < m; i += lanes {
		sign.Mul(load(quad(price, i))).Sub(load(quad(gain, i)).Mul(load(quad(dy, i)))).Store(quad(a, i))
	}
	narrow()
}

// stepInto adds the input's step to the site's (su) and to its chain's (xs).
func (u *input) stepInto(su, xs []float64) {
	m := lanes * len(u.blocks)
	su = su[u.from:][:m]
	sign := all(u.sign)
	if u.chain < 0 {
		for k := range u.blocks {
			accumulate(quad(su, k*lanes), sign.Mul(load(&u.blocks[k].d)))
		}
		return
	}
	xs, gain := xs[u.at:][:m], u.gain[:m]
	for k := range u.blocks {
		d := load(&u.blocks[k].d)
		accumulate(quad(su, k*lanes), sign.Mul(d))
		accumulate(quad(xs, k*lanes), load(quad(gain, k*lanes)).Mul(d))
	}
	narrow()
}

// response is what the steps of a chain's duals add to the Newton equation of its state.
func (st *state) response(dy, a []float64) {
	m := lanes * len(st.blocks)
	keep, dy, a := st.keep[:m+lanes], dy[st.at:], a[:m]
	for i := 0; i < m; i += lanes {
		load(quad(dy, i)).Sub(load(quad(keep, i+1)).Mul(load(quad(dy, i+1)))).Store(quad(a, i))
	}
	narrow()
}

// correctState computes the states' steps and takes rounding out of them, so that a row loses exactly its residual: what is left over goes to
// the variable of the row that moves most freely, where it matters least.
func (s *solver) correctState(g *group, k int, h *shard, r *reach) {
	st := &g.ch[k]
	a := h.scratch(0, lanes*len(st.blocks))[lanes:]
	st.response(g.dy, a)
	st.pullBands(a, s.mu)
	if st.boxed {
		st.correctBox(a, s.mu, r)
	} else {
		st.correctFree(a)
	}
	st.correctBands(s.mu, r)
	n := st.steps()
	keep, res, xs := st.keep[:n], g.res[st.at:][:n], h.xs[st.at:][:n]
	tiny := s.tiny()
	before := 0.0
	for i := range keep {
		d := &st.blocks[i/lanes].d[i%lanes]
		left := res[i] + xs[i] + keep[i]*before - *d
		if left > tiny || left < -tiny {
			if !g.closeRow(st, i, left, h, r) && st.dinv(i) > 0 {
				st.nudge(i, st.boxed, left, r)
			}
		}
		before = *d
	}
}

// tiny is a residual that is left where it is.
func (s *solver) tiny() float64 { return 1e-14 * s.power }

// closeRow gives what is left of a chain row to the freest of its inputs, and reports false when the state itself is freer.
func (g *group) closeRow(st *state, i int, left float64, h *shard, r *reach) bool {
	t := st.from + i
	most, at := st.dinv(i), -1
	for _, j := range st.inputs {
		u := &g.in[j]
		if t < u.from || t >= u.to {
			continue
		}
		if gain, dinv := u.gain[t-u.from], u.dinv(t-u.from); gain*gain*dinv > most {
			most, at = gain*gain*dinv, j
		}
	}
	if at < 0 {
		return false
	}
	u := &g.in[at]
	by := -left / u.gain[t-u.from]
	u.nudge(t-u.from, true, by, r)
	h.su[t] += u.sign * by
	return true
}

func (s *solver) correctNet(g *group, h *shard, r *reach) {
	row := &g.net
	a := h.scratch(0, lanes*len(row.blocks))[lanes:]
	clear(a)
	for t := range g.n {
		a[t] = g.dv[t] - s.dlam[t]
	}
	row.pullBands(a, s.mu)
	row.correctBox(a, s.mu, r)
	row.correctBands(s.mu, r)
	for t := range g.n {
		if row.dinv(t) == 0 {
			g.step[t] = 0
			continue
		}
		d := &row.blocks[t/lanes].d[t%lanes]
		if left := g.resv[t] + h.su[t] - *d; math.Abs(left) > s.tiny() {
			g.closeSite(t, left, r)
		}
		g.step[t] = *d
	}
}

// closeSite gives what is left of a site row to its freest input without a chain, or to the net power, unless an input with a chain is far freer.
func (g *group) closeSite(t int, left float64, r *reach) {
	most, free, at := g.net.dinv(t), g.net.dinv(t), -1
	for j := range g.in {
		u := &g.in[j]
		if u.sign == 0 || t < u.from || t >= u.to {
			continue
		}
		v := u.dinv(t - u.from)
		most = max(most, v)
		if u.chain < 0 && v > free {
			free, at = v, j
		}
	}
	switch {
	case free < 1e-4*most || free == 0:
	case at >= 0:
		g.in[at].nudge(t-g.in[at].from, true, -left/g.in[at].sign, r)
	default:
		g.net.nudge(t, true, left, r)
	}
}
