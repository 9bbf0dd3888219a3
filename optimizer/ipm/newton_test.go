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
		s.start(func(sweep func(*shard)) {
			for i := range s.shards {
				sweep(&s.shards[i])
			}
		})
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

// overwritten is what the sweeps overwrite: the products by block and band block.
type overwritten struct {
	blocks map[*block]block
	bands  map[*bandBlock]bandBlock
	flows  map[*cell]cell
	ck     float64
	cw     []float64
}

// rows calls see for every row of variables.
func (s *solver) rows(see func(r *row)) {
	for i := range s.groups {
		g := &s.groups[i]
		for j := range g.in {
			see(&g.in[j].row)
		}
		for k := range g.ch {
			see(&g.ch[k].row)
		}
		see(&g.net)
	}
}

// direction runs one iteration up to the corrector's step and returns what the cells held before it.
func (s *solver) direction(t *testing.T, mu float64) overwritten {
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
	s.totalSchur()
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
	s.predictGrid(&acc)
	h := overwritten{blocks: map[*block]block{}, bands: map[*bandBlock]bandBlock{}, flows: map[*cell]cell{}, ck: s.peak.ck, cw: append([]float64(nil), s.peak.cw...)}
	s.rows(func(r *row) {
		for k := range r.blocks {
			h.blocks[&r.blocks[k]] = r.blocks[k]
		}
		for n := range r.bands {
			for k := range r.bands[n].blocks {
				h.bands[&r.bands[n].blocks[k]] = r.bands[n].blocks[k]
			}
		}
	})
	for t := range s.imp.cells {
		h.flows[&s.imp.cells[t]], h.flows[&s.exp.cells[t]] = s.imp.cells[t], s.exp.cells[t]
	}
	s.total(s.lam0, ofLam0)
	s.total(s.lam1, ofLam1)
	s.mu = mu
	s.rightGrid(mu)
	copy(s.dlam, s.rhsLam)
	s.solveGrid(s.dlam)
	each(s.correctShard)
	s.total(s.net, ofNet)
	s.respondGrid()
	s.correctGrid(mu)
	s.leftGrid()
	copy(s.delta, s.left) // as a refinement would: it must not spoil the direction
	s.solveGrid(s.delta)
	for t, v := range s.delta {
		s.dlam[t] += v
	}
	each(s.refineShard)
	s.total(s.net, ofNet)
	s.refineGrid()
	return h
}

// residual is the largest violation of the Newton system by the direction that s holds.
func (h overwritten) residual(s *solver, mu float64) float64 {
	worst := 0.0
	see := func(v float64) {
		if !(math.Abs(v) <= worst) {
			worst = math.Abs(v)
		}
	}
	T := s.T
	dx := func(r *row, i int) float64 { return r.cell(i).d }
	// stationarity: cost - A'dual - zl + zu + bands + peak = 0 after the step
	pair := func(c, old cell) float64 {
		see(c.wl*c.zl + c.wl*c.pl + c.zl*c.d + old.pl - mu)
		see(c.wu*c.zu + c.wu*c.pu - c.zu*c.d + old.pu - mu)
		return -c.zl - c.pl + c.zu + c.pu
	}
	station := func(r *row, i int, dual float64, boxed bool) {
		c := r.cell(i)
		if c.wu == 0 {
			see(c.d) // a hole does not move
			return
		}
		total := dual
		if r.cost != nil {
			total += s.unit * r.cost[i]
		}
		if boxed {
			old := h.blocks[&r.blocks[i/lanes]]
			total += pair(c, (&row{blocks: []block{old}}).cell(i%lanes))
		}
		r.eachBand(func(at int, e float64, b *bandBlock, k int) {
			if at != i {
				return
			}
			was := h.bands[b]
			dw := e*c.d + b.p[k]
			see(b.w[k]*b.z[k] + b.w[k]*b.q[k] + b.z[k]*dw + was.p[k] - mu)
			see(b.s[k]*b.zs[k] - b.s[k]*b.q[k] + b.zs[k]*b.p[k] + was.q[k] - mu)
			total -= e * (b.z[k] + b.q[k])
		})
		see(total)
	}
	flows := func(f *flow, t int, dual float64) {
		if c := f.cells[t]; c.wu != 0 {
			see(dual + s.unit*f.cost[t] + pair(c, h.flows[&f.cells[t]]))
		}
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
		value := func(t, k int) float64 { return g.y[k*g.stride+t] + g.dy[k*g.stride+t] }
		made := make([]float64, g.n)
		fed := make([]float64, g.n*max(1, d))
		after := func(r *row, i int) float64 { return r.lo[i] + r.cell(i).wl + dx(r, i) }
		for j := range g.in {
			u := &g.in[j]
			for i := range u.steps() {
				t := u.from + i
				dual := u.sign * price(t)
				if u.chain >= 0 {
					dual += u.gain[i] * value(t, u.chain)
				}
				station(&u.row, i, dual, true)
				if u.cell(i).wu == 0 {
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
			for i := range st.steps() {
				t := st.from + i
				dual := -value(t, k)
				row := st.drive[i] + fed[t*d+k] - after(&st.row, i)
				if i+1 < st.steps() {
					dual += st.keep[i+1] * value(t+1, k)
				}
				if i > 0 {
					row += st.keep[i] * after(&st.row, i-1)
				}
				station(&st.row, i, dual, st.boxed)
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
			station(&g.net, t, s.lam[t]+s.dlam[t]-price(t), true)
			grid[t] += after(&g.net, t)
			if g.net.cell(t).wu != 0 {
				see(g.base[t] + made[t] - after(&g.net, t))
			}
		}
	}
	k := &s.peak
	for t := range grid {
		extra := 0.0
		if k.on {
			extra = k.zp[t] + k.dzp[t]
			see(k.dw[t] - k.dpk + s.imp.cells[t].d)
			see(k.w[t]*k.zp[t] + k.w[t]*k.dzp[t] + k.zp[t]*k.dw[t] + h.cw[t] - mu)
		}
		flows(&s.imp, t, extra-s.lam[t]-s.dlam[t])
		flows(&s.exp, t, s.lam[t]+s.dlam[t])
		imp, exp := s.imp.lo[t]+s.imp.cells[t].wl+s.imp.cells[t].d, s.exp.lo[t]+s.exp.cells[t].wl+s.exp.cells[t].d
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
	if st.cell(i).wu != 0 || i > 0 && st.cell(i-1).wu != 0 {
		return true
	}
	for _, j := range st.inputs {
		u := &g.in[j]
		if k := st.from + i - u.from; k >= 0 && k < u.steps() && u.cell(k).wu != 0 {
			return true
		}
	}
	return false
}
