package ipm

import (
	"math"
	"math/rand/v2"
	"testing"
)

// direction runs one elimination at target mu from the present iterate of s.
func direction(t *testing.T, s *solver, mu float64) {
	t.Helper()
	h := &s.shards[0]
	if len(s.shards) != 1 {
		t.Fatal("one shard wanted")
	}
	clear(h.schur)
	clear(h.net)
	clear(h.lam)
	h.acc = sums{}
	for i := range s.blocks {
		s.measure(&s.blocks[i], h.net, &h.acc)
		s.factorSite(&s.blocks[i], h.schur, h.xbuf)
		s.right(&s.blocks[i], mu, h.lam)
	}
	copy(s.schur, h.schur)
	s.measureGrid(h.net, &h.acc)
	work := make([]float64, s.T*s.T)
	if !s.factorGrid(work) {
		t.Fatal("grid matrix not positive definite")
	}
	s.rightGrid(mu, h.lam)
	s.solveGrid(work)
	clear(h.net)
	clear(h.most)
	h.acc = sums{alphaP: 1, alphaD: 1}
	for i := range s.blocks {
		s.back(&s.blocks[i], mu, false, h.net, h.most, &h.acc)
	}
	s.respondGrid(h.net)
	s.reachGrid(mu, false, &h.acc)
}

// TestNewtonDirection holds the eliminated direction against every equation of the whole Newton system, written down from the problem: rows, stationarity and
// complementarity of each pair. The system has one solution, so satisfying it is being right.
func TestNewtonDirection(t *testing.T) {
	const mu = 1e-3
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		p := randomProblem(r, 1+r.IntN(6), 1+r.IntN(3))
		s := newSolver(p, 0.01)
		s.shards = s.shards[:1]
		s.shards[0].to = len(s.blocks)
		for v := range s.lam {
			s.lam[v] = r.NormFloat64() * 0.1
		}
		for v := range s.dual {
			s.dual[v] = r.NormFloat64() * 0.1
		}
		direction(t, s, mu)
		if worst := newtonResidual(s, mu); worst > 1e-8 {
			t.Errorf("seed %d (%d steps): the Newton system is violated by %.3g", seed, p.Steps, worst)
		}
	}
}

// newtonResidual is the largest violation of the Newton system by the direction that s holds.
func newtonResidual(s *solver, mu float64) float64 {
	worst := 0.0
	see := func(v float64) {
		if !(math.Abs(v) <= worst) {
			worst = math.Abs(v)
		}
	}
	T := s.T
	station := make([]float64, len(s.x)) // A'ddual per variable, to be completed
	rows := make([]float64, len(s.dual)) // A dx per row
	grid := make([]float64, T)
	for i := range s.blocks {
		b := &s.blocks[i]
		net, nd := b.v0+(b.in+b.d)*T, b.r0+b.d*T
		put := func(row, v int, a float64) {
			station[v] += a * s.ddual[row]
			rows[row] += a * s.dx[v]
		}
		for t := 0; t < T; t++ {
			put(nd+t, net+t, 1)
			station[net+t] -= s.dlam[t]
			grid[t] -= s.dx[net+t]
			for j := range b.p.Inputs {
				u := &b.p.Inputs[j]
				put(nd+t, b.v0+j*T+t, -u.Sign)
				if u.Chain >= 0 {
					put(b.r0+u.Chain*T+t, b.v0+j*T+t, -u.Gain[t])
				}
			}
			for k := range b.p.Chains {
				put(b.r0+k*T+t, b.v0+(b.in+k)*T+t, 1)
				if t > 0 {
					put(b.r0+k*T+t, b.v0+(b.in+k)*T+t-1, -b.p.Chains[k].Keep[t])
				}
			}
		}
	}
	for t := 0; t < T; t++ {
		station[s.gi+t] += s.dlam[t]
		station[s.ge+t] -= s.dlam[t]
		grid[t] += s.dx[s.gi+t] - s.dx[s.ge+t]
		see(grid[t] - s.resLam[t])
	}
	for r := range rows {
		movable := false
		for i := range s.blocks {
			b := &s.blocks[i]
			for v := b.v0; v < b.v0+(b.in+b.d+1)*T && !movable; v++ {
				movable = r >= b.r0 && r < b.r0+(b.d+1)*T && !s.fixed[v]
			}
		}
		if movable {
			see(rows[r] - s.res[r])
		}
	}
	// stationarity: grad - zl + zu + bands + peak = 0 after the step, grad losing A'ddual
	total := make([]float64, len(s.x))
	for v := range s.x {
		if s.fixed[v] {
			continue
		}
		dzl := (mu-s.zl[v]*s.dx[v])/s.wl[v] - s.zl[v]
		dzu := (mu+s.zu[v]*s.dx[v])/s.wu[v] - s.zu[v]
		see((s.wl[v]*s.zl[v] + s.wl[v]*dzl + s.zl[v]*s.dx[v]) - mu)
		see((s.wu[v]*s.zu[v] + s.wu[v]*dzu - s.zu[v]*s.dx[v]) - mu)
		total[v] = s.grad[v] - station[v] - s.zl[v] - dzl + s.zu[v] + dzu
	}
	for i := range s.bands {
		a := &s.bands[i]
		if s.fixed[a.v] {
			continue
		}
		see(a.dw - a.e*s.dx[a.v] - a.ds)
		see(a.w*a.z + a.w*a.dz + a.z*a.dw - mu)
		see(a.s*a.zs - a.s*a.dz + a.zs*a.ds - mu)
		total[a.v] -= a.e * (a.z + a.dz)
	}
	if k := &s.peak; k.on {
		left := k.price - k.zk - k.dzk
		for t := 0; t < T; t++ {
			total[s.gi+t] += k.zp[t] + k.dzp[t]
			left -= k.zp[t] + k.dzp[t]
			see(k.dw[t] - k.dpk + s.dx[s.gi+t])
		}
		see(left)
	}
	for v := range total {
		if !s.fixed[v] {
			see(total[v])
		}
	}
	return worst
}
