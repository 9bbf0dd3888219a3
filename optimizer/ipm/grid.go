package ipm

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// measureGrid does for import, export and peak what measure does for a site. net is the sum of the sites' net powers.
func (s *solver) measureGrid(net []float64, acc *sums) {
	T := s.T
	for t := 0; t < T; t++ {
		s.grad[s.gi+t] = s.cost[s.gi+t] - s.lam[t]
		s.grad[s.ge+t] = s.cost[s.ge+t] + s.lam[t]
		s.resLam[t] = net[t] - s.x[s.gi+t] + s.x[s.ge+t]
		acc.primal = math.Max(acc.primal, math.Abs(s.resLam[t]))
	}
	s.measureBox(s.gi, s.ge+T, acc)
	k := &s.peak
	if k.on {
		high := 0.0
		acc.mu += k.pk * k.zk
		dual := k.price - k.zk
		for t := 0; t < T; t++ {
			high = math.Max(high, s.x[s.gi+t]-s.p.Peak.SoFar)
			acc.mu += k.w[t] * k.zp[t]
			dual -= k.zp[t]
			if g := s.grad[s.gi+t]; !s.fixed[s.gi+t] {
				acc.bound -= math.Min(g*s.lo[s.gi+t], g*s.hi[s.gi+t])
			} else {
				acc.bound -= g * s.lo[s.gi+t]
			}
		}
		acc.objective += k.price * high
		acc.dual = math.Max(acc.dual, math.Abs(dual))
		acc.bound += s.boundPeak()
	}
	for v := s.gi; v < s.ge+T; v++ {
		if !s.fixed[v] && v >= s.ge {
			s.dinv[v] = 1 / s.dinv[v]
		}
	}
	// import: curvature with the peak rows, inverted; f and kap of the rank-one term
	if k.on {
		k.kap = k.zk / k.pk
	}
	for t := 0; t < T; t++ {
		v := s.gi + t
		if !k.on {
			if !s.fixed[v] {
				s.dinv[v] = 1 / s.dinv[v]
			}
			continue
		}
		dp := k.zp[t] / k.w[t]
		if s.fixed[v] {
			k.f[t] = 0
			k.kap += dp
			continue
		}
		inv := 1 / (s.dinv[v] + dp)
		k.f[t] = dp * inv
		k.kap += k.f[t] * s.dinv[v]
		s.dinv[v] = inv
	}
}

// boundPeak is the least cost of import and peak at the present prices: over the peak alone it is convex and piecewise linear
// with corners where an import limit is reached.
func (s *solver) boundPeak() float64 {
	T, k := s.T, &s.peak
	so := s.p.Peak.SoFar
	pk := 0.0
	for {
		slope, next := k.price, math.Inf(1)
		for t := 0; t < T; t++ {
			if room := s.hi[s.gi+t] - so; s.grad[s.gi+t] < 0 && room > pk {
				slope += s.grad[s.gi+t]
				next = math.Min(next, room)
			}
		}
		if slope >= 0 || math.IsInf(next, 1) {
			break
		}
		pk = next
	}
	y := k.price * pk
	for t := 0; t < T; t++ {
		v := s.gi + t
		g := s.grad[v]
		if g >= 0 {
			y += g * s.lo[v]
		} else {
			y += g * math.Max(s.lo[v], math.Min(s.hi[v], so+pk))
		}
	}
	return y
}

// rightGrid forms the grid rows' right-hand side; lam holds the sites' share.
func (s *solver) rightGrid(mu float64, lam []float64) {
	T, k := s.T, &s.peak
	sumf := 0.0
	for t := 0; t < T; t++ {
		for _, v := range [2]int{s.gi + t, s.ge + t} {
			s.g[v] = 0
			if !s.fixed[v] {
				s.g[v] = s.grad[v] - (mu-s.cl[v])/s.wl[v] + (mu-s.cu[v])/s.wu[v]
			}
		}
		if k.on && !s.fixed[s.gi+t] {
			s.g[s.gi+t] += (mu - k.cw[t]) / k.w[t]
			sumf += k.f[t] * s.g[s.gi+t]
		}
	}
	if k.on {
		k.gpk = k.price - (mu-k.ck)/k.pk
		for t := 0; t < T; t++ {
			k.gpk -= (mu - k.cw[t]) / k.w[t]
		}
	}
	for t := 0; t < T; t++ {
		y := s.resLam[t] + lam[t] + s.g[s.gi+t]*s.dinv[s.gi+t] - s.g[s.ge+t]*s.dinv[s.ge+t]
		if k.on {
			y += k.f[t] * (k.gpk + sumf) / k.kap
		}
		s.rhsLam[t] = y
	}
}

// factorGrid completes the grid matrix, of which s.schur holds the sites' sum in its upper triangle, and factorises it.
// It reports false when the matrix is not positive definite even with a small multiple of its diagonal added.
func (s *solver) factorGrid(work []float64) bool {
	T, k := s.T, &s.peak
	for t := 0; t < T; t++ {
		row := s.schur[t*T : (t+1)*T]
		row[t] += s.dinv[s.gi+t] + s.dinv[s.ge+t]
		if k.on && k.f[t] != 0 {
			ft := k.f[t] / k.kap
			for i := t; i < T; i++ {
				row[i] += ft * k.f[i]
			}
		}
	}
	for _, add := range [...]float64{0, 1e-13, 1e-11, 1e-9} {
		copy(work, s.schur)
		for t := 0; t < T; t++ {
			if work[t*T+t] <= 0 { // nothing can move this row
				for i := 0; i < t; i++ {
					work[i*T+t] = 0
				}
				clear(work[t*T+t : (t+1)*T])
				work[t*T+t] = 1
				continue
			}
			work[t*T+t] *= 1 + add
		}
		if _, ok := lapack64.Potrf(blas64.Symmetric{Uplo: blas.Upper, N: T, Stride: T, Data: work}); ok {
			return true
		}
	}
	return false
}

// refineGrid improves the step of the grid prices by what it left of the grid rows.
func (s *solver) refineGrid(work []float64) {
	before := s.dlam
	s.dlam = s.left
	s.solveTriangles(work)
	for t, v := range s.left {
		before[t] += v
	}
	s.dlam = before
}

// solveGrid computes the step of the grid prices.
func (s *solver) solveGrid(work []float64) {
	copy(s.dlam, s.rhsLam)
	s.solveTriangles(work)
}

// solveTriangles replaces s.dlam by the solution for it as right-hand side.
func (s *solver) solveTriangles(work []float64) {
	T := s.T
	for t := 0; t < T; t++ {
		if s.schur[t*T+t] <= 0 {
			s.dlam[t] = 0
		}
	}
	lapack64.Potrs(blas64.Triangular{Uplo: blas.Upper, Diag: blas.NonUnit, N: T, Stride: T, Data: work},
		blas64.General{Rows: T, Cols: 1, Stride: 1, Data: s.dlam})
}

// respondGrid substitutes the price step into import, export and peak; net is the step of the sites' net power. It returns the
// largest part of a grid row's residual that the step leaves, by rounding, and writes what is left to s.left.
func (s *solver) respondGrid(net []float64) float64 {
	T, k := s.T, &s.peak
	if k.on {
		k.dpk = -k.gpk
		for t := 0; t < T; t++ {
			if k.f[t] != 0 {
				k.dpk += k.f[t] * (s.dlam[t] - s.g[s.gi+t])
			}
		}
		k.dpk /= k.kap
	}
	worst := 0.0
	for t := 0; t < T; t++ {
		s.dx[s.gi+t] = (s.dlam[t] - s.g[s.gi+t]) * s.dinv[s.gi+t]
		if k.on {
			s.dx[s.gi+t] += k.f[t] * k.dpk
		}
		s.dx[s.ge+t] = (-s.dlam[t] - s.g[s.ge+t]) * s.dinv[s.ge+t]
		left := s.resLam[t] + net[t] - s.dx[s.gi+t] + s.dx[s.ge+t]
		s.left[t] = left
		worst = max(worst, math.Abs(left))
	}
	return worst
}

// closeGrid gives what rounding left of the grid rows to import or export where they move freely.
func (s *solver) closeGrid() {
	for t := 0; t < s.T; t++ {
		di, de, most := s.dinv[s.gi+t], s.dinv[s.ge+t], 0.0
		for i := range s.shards {
			most = max(most, s.shards[i].most[t])
		}
		switch {
		case max(di, de) <= 1e-4*most:
		case di >= de:
			s.dx[s.gi+t] += s.left[t]
		default:
			s.dx[s.ge+t] -= s.left[t]
		}
	}
}

// reachGrid finds how far import, export and peak may go.
func (s *solver) reachGrid(mu float64, store bool, acc *sums) {
	T, k := s.T, &s.peak
	s.reach(s.gi, s.ge+T, mu, store, acc)
	if !k.on {
		return
	}
	ap, ad := acc.alphaP, acc.alphaD
	k.dzk = (mu-k.ck-k.zk*k.dpk)/k.pk - k.zk
	if k.dpk < 0 && k.pk < -ap*k.dpk {
		ap = -k.pk / k.dpk
	}
	if k.dzk < 0 && k.zk < -ad*k.dzk {
		ad = -k.zk / k.dzk
	}
	if store {
		acc.wdz += k.pk * k.dzk
		acc.zdw += k.zk * k.dpk
		acc.dwdz += k.dpk * k.dzk
		k.ck = k.dpk * k.dzk
	}
	for t := 0; t < T; t++ {
		dw := k.dpk - s.dx[s.gi+t]
		dz := (mu-k.cw[t]-k.zp[t]*dw)/k.w[t] - k.zp[t]
		k.dw[t], k.dzp[t] = dw, dz
		if dw < 0 && k.w[t] < -ap*dw {
			ap = -k.w[t] / dw
		}
		if dz < 0 && k.zp[t] < -ad*dz {
			ad = -k.zp[t] / dz
		}
		if store {
			acc.wdz += k.w[t] * dz
			acc.zdw += k.zp[t] * dw
			acc.dwdz += dw * dz
			k.cw[t] = dw * dz
		}
	}
	acc.alphaP, acc.alphaD = ap, ad
}

// moveGrid takes the step.
func (s *solver) moveGrid(mu, ap, ad float64) {
	T, k := s.T, &s.peak
	s.moveBox(s.gi, s.ge+T, mu, ap, ad)
	for t := 0; t < T; t++ {
		s.lam[t] += ad * s.dlam[t]
	}
	if !k.on {
		return
	}
	k.pk += ap * k.dpk
	k.zk += ad * k.dzk
	k.ck = 0
	for t := 0; t < T; t++ {
		k.w[t] += ap * k.dw[t]
		k.zp[t] += ad * k.dzp[t]
		k.cw[t] = 0
	}
}

// highestCost is a cost that no point of the boxes exceeds.
func (s *solver) highestCost() float64 {
	top := 0.0
	for v := range s.x {
		top += math.Max(s.cost[v]*s.lo[v], s.cost[v]*s.hi[v])
	}
	for i := range s.bands {
		b := &s.bands[i]
		top += b.pen * math.Max(0, math.Max(b.e*(b.level-s.lo[b.v]), b.e*(b.level-s.hi[b.v])))
	}
	if s.peak.on {
		high := 0.0
		for t := 0; t < s.T; t++ {
			high = math.Max(high, s.hi[s.gi+t]-s.p.Peak.SoFar)
		}
		top += s.peak.price * high
	}
	return top
}
