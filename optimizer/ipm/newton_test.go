package ipm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// TestNewtonDirection holds the eliminated direction against every equation of the whole Newton system, written down from the problem: rows, stationarity and
// complementarity of each pair, with the second-order products that the predictor left. The system has one solution, so satisfying it is being right.
func TestNewtonDirection(t *testing.T) {
	const mu = 1e-3
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		p := randomProblem(r, 1+r.IntN(6), 1+r.IntN(3))
		if seed%3 == 0 { // nothing limits the sites
			for i := range p.Sites {
				p.Sites[i].Fee = nil
				for k := range p.Sites[i].Lo {
					p.Sites[i].Lo[k], p.Sites[i].Hi[k] = -99, 99
				}
			}
		}
		s := newSolver(p, nil, int(seed%2))
		for v := range s.lam {
			s.lam[v] = r.NormFloat64() * 0.1
		}
		for i := range s.groups {
			for k := range s.groups[i].y {
				s.groups[i].y[k] = r.NormFloat64() * 0.1
			}
			for k := range s.groups[i].v {
				s.groups[i].v[k] = r.NormFloat64() * 0.1
			}
		}
		before := s.direction(t, mu)
		if worst := before.residual(s, mu); worst > 1e-8 {
			t.Errorf("seed %d (%d steps, %d groups): the Newton system is violated by %.3g", seed, p.Steps, len(s.groups), worst)
		}
	}
}

// held is what the sweeps overwrite: the products by cell and band, in the order of each.
type held struct {
	cells map[*cell]cell
	bands map[*band]band
	ck    float64
	cw    []float64
}

// rows calls see for every row of variables with its bands; the boundary flows have group nil.
func (s *solver) rows(see func(g *group, r *row, bands []band)) {
	for i := range s.groups {
		g := &s.groups[i]
		for j := range g.in {
			see(g, &g.in[j].row, nil)
		}
		for k := range g.ch {
			see(g, &g.ch[k].row, g.ch[k].bands)
		}
		see(g, &g.net, g.netband)
	}
	see(nil, &s.imp, nil)
	see(nil, &s.exp, nil)
}

// direction runs one iteration up to the corrector's step and returns what the cells held before it.
func (s *solver) direction(t *testing.T, mu float64) held {
	t.Helper()
	each := func(sweep func(*shard)) {
		for i := range s.shards {
			sweep(&s.shards[i])
		}
	}
	each(s.measureShard)
	s.total(s.net, ofNet)
	acc := s.gather()
	s.measureGrid(&acc)
	s.total(s.schur, ofSchur)
	if !s.factorGrid() {
		t.Fatal("grid matrix not positive definite")
	}
	s.total(s.lam0, ofLam0)
	s.forgetProducts()
	s.rightGrid(0)
	copy(s.dlam, s.rhsLam)
	s.solveGrid(s.dlam)
	each(s.predictShard)
	s.total(s.net, ofNet)
	acc = s.gather()
	s.respondGrid()
	s.reachGrid(0, true, &acc)
	h := held{cells: map[*cell]cell{}, bands: map[*band]band{}, ck: s.peak.ck, cw: append([]float64(nil), s.peak.cw...)}
	s.rows(func(_ *group, r *row, bands []band) {
		for i := range r.cells {
			h.cells[&r.cells[i]] = r.cells[i]
		}
		for i := range bands {
			h.bands[&bands[i]] = bands[i]
		}
	})
	s.total(s.lam0, ofLam0)
	s.total(s.lam1, ofLam1)
	s.mu = mu
	s.rightGrid(mu)
	copy(s.dlam, s.rhsLam)
	s.solveGrid(s.dlam)
	each(s.correctShard)
	s.total(s.net, ofNet)
	s.respondGrid()
	copy(s.delta, s.left) // as a refinement would: it must not spoil the direction
	s.solveGrid(s.delta)
	for t, v := range s.delta {
		s.dlam[t] += v
	}
	each(s.refineShard)
	s.total(s.net, ofNet)
	s.respondGrid()
	acc = s.gather()
	s.reachGrid(mu, false, &acc)
	return h
}

// residual is the largest violation of the Newton system by the direction that s holds.
func (h held) residual(s *solver, mu float64) float64 {
	worst := 0.0
	see := func(v float64) {
		if !(math.Abs(v) <= worst) {
			worst = math.Abs(v)
		}
	}
	T := s.T
	dx := func(r *row, i int) float64 {
		if r.cells[i].wu == 0 {
			return 0
		}
		return r.cells[i].d
	}
	// stationarity: cost - A'dual - zl + zu + bands + peak = 0 after the step
	station := func(r *row, i int, dual float64, boxed bool, bands []band, extra float64) {
		c := &r.cells[i]
		if c.wu == 0 {
			return
		}
		total := dual + extra
		if r.cost != nil {
			total += s.unit * r.cost[i]
		}
		if boxed {
			old := h.cells[c]
			see(c.wl*c.zl + c.wl*c.pl + c.zl*c.d + old.pl - mu)
			see(c.wu*c.zu + c.wu*c.pu - c.zu*c.d + old.pu - mu)
			total += -c.zl - c.pl + c.zu + c.pu
		}
		for k := range bands {
			b := &bands[k]
			if b.at != i {
				continue
			}
			dw := b.e*c.d + b.p
			see(b.w*b.z + b.w*b.q + b.z*dw + h.bands[b].p - mu)
			see(b.s*b.zs - b.s*b.q + b.zs*b.p + h.bands[b].q - mu)
			total -= b.e * (b.z + b.q)
		}
		see(total)
	}
	grid := make([]float64, T)
	for t := range grid {
		grid[t] = s.base[t]
	}
	for i := range s.groups {
		g := &s.groups[i]
		d := g.d()
		price := func(t int) float64 {
			if g.netted {
				return g.v[t] + g.dv[t]
			}
			return s.lam[g.from+t] + s.dlam[g.from+t]
		}
		value := func(t, k int) float64 { return g.y[k*g.n+t] + g.dy[k*g.n+t] }
		made := make([]float64, g.n)
		fed := make([]float64, g.n*max(1, d))
		after := func(r *row, i int) float64 { return r.lo[i] + r.cells[i].wl + dx(r, i) }
		for j := range g.in {
			u := &g.in[j]
			for i := range u.cells {
				t := u.from + i
				dual := u.sign * price(t)
				if u.chain >= 0 {
					dual += u.gain[i] * value(t, u.chain)
				}
				station(&u.row, i, dual, true, nil, 0)
				if u.cells[i].wu == 0 {
					continue // in the right-hand sides
				}
				made[t] += u.sign * after(&u.row, i)
				if u.chain >= 0 {
					fed[t*d+u.chain] += u.gain[i] * after(&u.row, i)
				}
			}
		}
		for k := range g.ch {
			st := &g.ch[k]
			for i := range st.cells {
				t := st.from + i
				dual := -value(t, k)
				row := st.drive[i] + fed[t*d+k] - after(&st.row, i)
				if i+1 < len(st.cells) {
					dual += st.keep[i+1] * value(t+1, k)
				}
				if i > 0 {
					row += st.keep[i] * after(&st.row, i-1)
				}
				station(&st.row, i, dual, st.boxed, st.bands, 0)
				if movable(g, st, i) {
					see(row)
				}
			}
		}
		for t := range g.n {
			if !g.netted {
				grid[g.from+t] += made[t]
				continue
			}
			station(&g.net, t, s.lam[t]+s.dlam[t]-price(t), true, g.netband, 0)
			grid[t] += after(&g.net, t)
			if g.net.cells[t].wu != 0 {
				see(g.base[t] + made[t] - after(&g.net, t))
			}
		}
	}
	k := &s.peak
	for t := range grid {
		extra := 0.0
		if k.on {
			extra = k.zp[t] + k.dzp[t]
			see(k.dw[t] - k.dpk + dx(&s.imp, t))
			see(k.w[t]*k.zp[t] + k.w[t]*k.dzp[t] + k.zp[t]*k.dw[t] + h.cw[t] - mu)
		}
		station(&s.imp, t, -s.lam[t]-s.dlam[t], true, nil, extra)
		station(&s.exp, t, s.lam[t]+s.dlam[t], true, nil, 0)
		imp, exp := s.imp.lo[t]+s.imp.cells[t].wl+dx(&s.imp, t), s.exp.lo[t]+s.exp.cells[t].wl+dx(&s.exp, t)
		see(grid[t] - imp + exp)
	}
	if k.on {
		left := k.price - k.zk - k.dzk
		see(k.pk*k.zk + k.pk*k.dzk + k.zk*k.dpk + h.ck - mu)
		for t := range k.zp {
			left -= k.zp[t] + k.dzp[t]
		}
		see(left)
	}
	return worst
}

// movable reports whether anything in the chain row can move.
func movable(g *group, st *state, i int) bool {
	if st.cells[i].wu != 0 || i > 0 && st.cells[i-1].wu != 0 {
		return true
	}
	for _, j := range st.inputs {
		u := &g.in[j]
		if k := st.from + i - u.from; k >= 0 && k < len(u.cells) && u.cells[k].wu != 0 {
			return true
		}
	}
	return false
}
