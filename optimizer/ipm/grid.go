package ipm

import (
	"math"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/floats"
	"gonum.org/v1/gonum/lapack/lapack64"
)

// peak is the price of the highest import: pk >= 0 above what it was so far, w = so far + pk - import >= 0 in every step.
type peak struct {
	on             bool
	price          float64
	pk, zk         float64
	w, zp, dw, dzp []float64
	cw             []float64
	ck             float64
	dpk, dzk       float64
	f              []float64
	kap, gpk       float64
	zsave          []float64
}

// measureGrid does for import, export and peak what measure does for a group; s.net holds the sum of net powers.
func (s *solver) measureGrid(acc *sums) {
	k := &s.peak
	ap, ad := s.ap, s.ad
	dual, high := k.price-k.zk, 0.0
	if k.on {
		k.pk += ap * k.dpk
		k.zk += ad * k.dzk
		acc.mu += k.pk * k.zk
		dual = k.price - k.zk
	}
	for t := range s.lam {
		acc.bound += s.base[t] * s.lam[t]
		x := s.measureFlow(&s.imp, t, -s.lam[t], k.on, acc)
		y := s.measureFlow(&s.exp, t, s.lam[t], false, acc)
		s.resLam[t] = s.base[t] + s.net[t] - x + y
		acc.primal = max(acc.primal, math.Abs(s.resLam[t])/s.wide)
		if !k.on {
			continue
		}
		k.w[t] += ap * k.dw[t]
		k.zp[t] += ad * k.dzp[t]
		high = max(high, x-s.p.Peak.SoFar)
		acc.mu += k.w[t] * k.zp[t]
		dual -= k.zp[t]
	}
	s.curveGrid()
	if k.on {
		acc.objective += k.price * high
		acc.dual = max(acc.dual, math.Abs(dual))
		acc.bound += s.boundPeak()
	}
}

// curveGrid finds the inverse curvatures of import and export. The import's takes the peak row in; f and kap are the rank-one term.
func (s *solver) curveGrid() {
	k := &s.peak
	if k.on {
		k.kap = k.zk / k.pk
	}
	for t := range s.imp.cells {
		imp, exp := &s.imp.cells[t], &s.exp.cells[t]
		if exp.wu != 0 {
			exp.invert()
		}
		if imp.wu != 0 {
			imp.invert()
		}
		if !k.on {
			continue
		}
		dp := k.zp[t] / k.w[t]
		if imp.wu == 0 {
			k.f[t] = 0
			k.kap += dp
			continue
		}
		box := 1 / imp.dinv
		imp.dinv = 1 / (box + dp)
		k.f[t] = dp * imp.dinv
		k.kap += k.f[t] * box
	}
	s.without, s.stale = false, true
}

// measureFlow takes the step of a boundary flow and measures it. bought says that its bound is the peak's.
func (s *solver) measureFlow(r *flow, t int, dual float64, bought bool, acc *sums) float64 {
	c := &r.cells[t]
	lo, hi := r.lo[t], r.hi[t]
	grad := s.unit*r.cost[t] + dual
	x := lo
	if c.wu != 0 {
		c.move(s.ap, s.ad)
		x = lo + c.wl
		acc.mu += c.wl*c.zl + c.wu*c.zu
	}
	c.d = grad
	acc.objective += s.unit * r.cost[t] * x
	if !bought {
		acc.bound += min(grad*lo, grad*hi)
	}
	return x
}

// boundPeak is the least cost of import and peak at the present prices: over the peak alone it is convex and piecewise linear
// with corners where an import limit is reached.
func (s *solver) boundPeak() float64 {
	k := &s.peak
	so := s.p.Peak.SoFar
	pk := 0.0
	for {
		slope, next := k.price, math.Inf(1)
		for t := range s.imp.cells {
			if room := s.imp.hi[t] - so; s.imp.cells[t].d < 0 && room > pk {
				slope += s.imp.cells[t].d
				next = min(next, room)
			}
		}
		if slope >= 0 || math.IsInf(next, 1) {
			break
		}
		pk = next
	}
	y := k.price * pk
	for t := range s.imp.cells {
		g := s.imp.cells[t].d
		if g >= 0 {
			y += g * s.imp.lo[t]
		} else {
			y += g * max(s.imp.lo[t], min(s.imp.hi[t], so+pk))
		}
	}
	return y
}

// newton is the Newton gradient of a boundary flow at target mu.
func (c *cell) newton(mu float64) float64 {
	if c.wu == 0 {
		return 0
	}
	return c.d - (mu-c.pl)/c.wl + (mu-c.pu)/c.wu
}

// rightGrid forms the grid rows' right-hand side at target mu, which in the predictor is 0 with no second-order products.
func (s *solver) rightGrid(mu float64) {
	k := &s.peak
	sum := 0.0
	if k.on {
		k.gpk = k.price - (mu-k.ck)/k.pk
	}
	for t := range s.rhsLam {
		gi, ge := s.imp.cells[t].newton(mu), s.exp.cells[t].newton(mu)
		if k.on {
			k.gpk -= (mu - k.cw[t]) / k.w[t]
			if s.imp.cells[t].wu != 0 {
				gi += (mu - k.cw[t]) / k.w[t]
				sum += k.f[t] * gi
			}
		}
		s.gi[t], s.ge[t] = gi, ge
		s.rhsLam[t] = s.resLam[t] + s.lam0[t] + mu*s.lam1[t] + gi*s.imp.cells[t].dinv - ge*s.exp.cells[t].dinv
	}
	if k.on {
		for t := range s.rhsLam {
			s.rhsLam[t] += k.f[t] * (k.gpk + sum) / k.kap
		}
	}
}

// factorGrid completes the grid matrix, of which s.schur holds the groups' sum in its upper triangle, and factorises it in s.work.
// It reports false when the matrix is not positive definite even with a small multiple of its diagonal added.
func (s *solver) factorGrid() bool {
	T, k, work := s.T, &s.peak, s.work
	for _, add := range [...]float64{0, 1e-13, 1e-11, 1e-9} {
		copy(work, s.schur)
		for t := range T {
			row := work[t*T : (t+1)*T]
			row[t] += s.imp.cells[t].dinv + s.exp.cells[t].dinv
			if k.on && k.f[t] != 0 {
				ft := k.f[t] / k.kap
				for i := t; i < T; i++ {
					row[i] += ft * k.f[i]
				}
			}
			if s.still[t] = row[t] <= 0; s.still[t] {
				for i := 0; i < t; i++ {
					work[i*T+t] = 0
				}
				clear(row[t:])
				row[t] = 1
				continue
			}
			row[t] *= 1 + add
		}
		if _, ok := lapack64.Potrf(blas64.Symmetric{Uplo: blas.Upper, N: T, Stride: T, Data: work}); ok {
			s.stale = false
			return true
		}
	}
	return false
}

// solveGrid replaces x, a right-hand side of the grid rows, by the solution: two triangular passes over the rows of the factor.
func (s *solver) solveGrid(x []float64) {
	T := s.T
	x = x[:T]
	for t := range x {
		if s.still[t] {
			x[t] = 0
		}
	}
	for t := range x { // U' y = x
		row := s.work[t*T+t : (t+1)*T]
		x[t] /= row[0]
		floats.AddScaled(x[t+1:], -x[t], row[1:])
	}
	for t := T - 1; t >= 0; t-- { // U x = y
		row := s.work[t*T+t : (t+1)*T]
		x[t] = (x[t] - floats.Dot(row[1:], x[t+1:])) / row[0]
	}
}

// respondGrid substitutes the price step into import, export and peak.
func (s *solver) respondGrid() {
	k := &s.peak
	if k.on {
		k.dpk = -k.gpk
		for t := range s.dlam {
			if k.f[t] != 0 {
				k.dpk += k.f[t] * (s.dlam[t] - s.gi[t])
			}
		}
		k.dpk /= k.kap
	}
	for t := range s.dlam {
		s.di[t] = (s.dlam[t] - s.gi[t]) * s.imp.cells[t].dinv
		if k.on {
			s.di[t] += k.f[t] * k.dpk
		}
		s.de[t] = (-s.dlam[t] - s.ge[t]) * s.exp.cells[t].dinv
	}
}

// leftGrid returns the largest part of a grid row's residual that the step leaves, by rounding or because something is held, and writes what is left to s.left. s.net holds the
// step of the net powers.
func (s *solver) leftGrid() float64 {
	worst := 0.0
	for t := range s.left {
		s.left[t] = s.resLam[t] + s.net[t] - s.imp.cells[t].d + s.exp.cells[t].d
		worst = max(worst, math.Abs(s.left[t]))
	}
	return worst
}

// predictGrid keeps the second-order products of import, export and peak and adds up what their affine steps tell of the next iterate. The step lengths are what all steps but
// a heldShare allow.
func (s *solver) predictGrid(acc *sums) {
	k := &s.peak
	flow := func(c *cell, dx float64, r *reach) {
		if c.wu == 0 {
			return
		}
		dzl, dzu := -c.zl*dx/c.wl-c.zl, c.zu*dx/c.wu-c.zu
		r.see(c.wl, dx, c.zl, dzl)
		r.see(c.wu, -dx, c.zu, dzu)
		c.pl, c.pu = dx*dzl, -dx*dzu
		acc.zdw += (c.zl - c.zu) * dx
		acc.dwdz += c.pl + c.pu
	}
	for t := range s.di {
		var r reach
		flow(&s.imp.cells[t], s.di[t], &r)
		flow(&s.exp.cells[t], s.de[t], &r)
		if k.on {
			dw := k.dpk - s.di[t]
			dz := -k.zp[t]*dw/k.w[t] - k.zp[t]
			r.see(k.w[t], dw, k.zp[t], dz)
			k.cw[t] = dw * dz
			acc.zdw += k.zp[t] * dw
			acc.dwdz += k.cw[t]
		}
		s.flowAP[t], s.flowAD[t] = r.lengths()
	}
	ap, ad := s.usualFlows()
	acc.alphaP, acc.alphaD = min(acc.alphaP, ap), min(acc.alphaD, ad)
	if k.on {
		var r reach
		k.dzk = -k.zk*k.dpk/k.pk - k.zk
		r.see(k.pk, k.dpk, k.zk, k.dzk)
		k.ck = k.dpk * k.dzk
		acc.zdw += k.zk * k.dpk
		acc.dwdz += k.ck
		r.limit(acc)
	}
}

// correctGrid turns what import, export and peak hold into their steps at target mu.
func (s *solver) correctGrid(mu float64) {
	k := &s.peak
	flow := func(c *cell, dx float64) {
		if c.d = dx; c.wu != 0 {
			c.pl, c.pu = (mu-c.pl-c.zl*dx)/c.wl-c.zl, (mu-c.pu+c.zu*dx)/c.wu-c.zu
		}
	}
	for t := range s.di {
		flow(&s.imp.cells[t], s.di[t])
		flow(&s.exp.cells[t], s.de[t])
	}
	if k.on {
		k.dzk = (mu-k.ck-k.zk*k.dpk)/k.pk - k.zk
		for t := range k.w {
			k.dw[t] = k.dpk - s.di[t]
			k.dzp[t] = (mu-k.cw[t]-k.zp[t]*k.dw[t])/k.w[t] - k.zp[t]
		}
	}
	s.limitGrid()
}

// refineGrid adds to the steps of import, export and peak what the change s.delta of the grid prices' step makes of them.
func (s *solver) refineGrid() {
	k := &s.peak
	dpk := 0.0
	if k.on {
		for t, v := range s.delta {
			dpk += k.f[t] * v
		}
		dpk /= k.kap
		k.dpk += dpk
		k.dzk -= k.zk * dpk / k.pk
	}
	for t, v := range s.delta {
		di := v * s.imp.cells[t].dinv
		if k.on {
			di += k.f[t] * dpk
			dw := dpk - di
			k.dw[t] += dw
			k.dzp[t] -= k.zp[t] * dw / k.w[t]
		}
		s.imp.cells[t].nudge(di)
		s.exp.cells[t].nudge(-v * s.exp.cells[t].dinv)
	}
	s.limitGrid()
}

// nudge changes the step of a cell.
func (c *cell) nudge(by float64) {
	if c.wu == 0 {
		return
	}
	c.d += by
	c.pl -= c.zl * by / c.wl
	c.pu += c.zu * by / c.wu
}

// closeGrid gives what rounding left of the grid rows to import or export where they move freely.
func (s *solver) closeGrid() {
	k := &s.peak
	for t, left := range s.left {
		di, de, most := s.imp.cells[t].dinv, s.exp.cells[t].dinv, 0.0
		for i := range s.shards {
			most = max(most, s.shards[i].most[t])
		}
		switch {
		case max(di, de) <= 1e-4*most:
		case di >= de:
			s.imp.cells[t].nudge(left)
			if k.on {
				k.dw[t] -= left
				k.dzp[t] += k.zp[t] * left / k.w[t]
			}
		default:
			s.exp.cells[t].nudge(-left)
		}
	}
	s.limitGrid()
}

// limitGrid finds how far import, export and peak may go: step by step, and s.gridAP and s.gridAD in all.
func (s *solver) limitGrid() {
	k := &s.peak
	s.gridAP, s.gridAD, s.peakAP, s.peakAD = 1, 1, 1, 1
	flow := func(c *cell, r *reach) {
		if c.wu != 0 {
			r.see(c.wl, c.d, c.zl, c.pl)
			r.see(c.wu, -c.d, c.zu, c.pu)
		}
	}
	for t := range s.flowAP {
		var r reach
		flow(&s.imp.cells[t], &r)
		flow(&s.exp.cells[t], &r)
		if k.on {
			r.see(k.w[t], k.dw[t], k.zp[t], k.dzp[t])
		}
		s.flowAP[t], s.flowAD[t] = r.lengths()
		s.gridAP, s.gridAD = min(s.gridAP, s.flowAP[t]), min(s.gridAD, s.flowAD[t])
	}
	if k.on {
		var r reach
		r.see(k.pk, k.dpk, k.zk, k.dzk)
		s.peakAP, s.peakAD = r.lengths()
		s.gridAP, s.gridAD = min(s.gridAP, s.peakAP), min(s.gridAD, s.peakAD)
	}
}

// holdGrid cuts the steps of import and export that cannot go along with s.ap and s.ad. Where they are what moves a grid row most freely, the spreading of what the
// cut leaves would give it back to them: the ones that fall well short of s.ap are taken out of the grid matrix for the rest of the iteration, so that the groups take it.
func (s *solver) holdGrid() {
	k := &s.peak
	for t := range s.flowAP {
		if s.flowAP[t] >= s.ap && s.flowAD[t] >= s.ad {
			continue
		}
		imp, exp := &s.imp.cells[t], &s.exp.cells[t]
		imp.hold(s.ap, s.ad)
		exp.hold(s.ap, s.ad)
		if k.on {
			if k.dw[t] = k.dpk - imp.d; -k.dw[t]*s.ap > k.w[t] && imp.wu != 0 {
				imp.d = k.dpk + k.w[t]/s.ap
				k.dw[t] = k.dpk - imp.d
			}
			if -k.dzp[t]*s.ad > k.zp[t] {
				k.dzp[t] = -k.zp[t] / s.ad
			}
		}
		if s.flowAP[t] < takeOut*s.ap {
			if k.on && k.f[t] != 0 {
				box := (1 - k.f[t]) / imp.dinv
				k.kap += k.zp[t]/k.w[t] - k.f[t]*box
				k.f[t] = 0
			}
			imp.dinv, exp.dinv = 0, 0
			s.without, s.stale = true, true
		}
	}
}

// hold cuts the step of a cell to what steps of ap and ad can take.
func (c *cell) hold(ap, ad float64) {
	if c.wu == 0 {
		return
	}
	var r reach
	r.see(c.wl, c.d, c.zl, c.pl)
	r.see(c.wu, -c.d, c.zu, c.pu)
	p, d := r.lengths()
	c.d *= min(1, p/ap)
	f := min(1, d/ad)
	c.pl *= f
	c.pu *= f
}

// usualFlows returns the step lengths that import and export can take in all steps but a heldShare.
func (s *solver) usualFlows() (ap, ad float64) {
	k := int(flowShare * float64(s.T))
	copy(s.lengths, s.flowAP)
	ap = nth(s.lengths[:s.T], k)
	copy(s.lengths, s.flowAD)
	return ap, nth(s.lengths[:s.T], k)
}

// forgetProducts readies the grid's second-order products for a predictor.
func (s *solver) forgetProducts() {
	for t := range s.imp.cells {
		s.imp.cells[t].pl, s.imp.cells[t].pu = 0, 0
		s.exp.cells[t].pl, s.exp.cells[t].pu = 0, 0
	}
	s.peak.ck = 0
	clear(s.peak.cw)
}

// highestCost is a cost that no point of the boxes exceeds.
func (s *solver) highestCost() float64 {
	top := s.constant
	add := func(r *row) {
		for n := range r.bands {
			bd := &r.bands[n]
			for k := range bd.blocks {
				for lane, pen := range bd.blocks[k].pen {
					if pen > 0 {
						i, level := (bd.first+k)*lanes+lane, bd.blocks[k].level[lane]
						top += pen * max(0, bd.e*(level-r.lo[i]), bd.e*(level-r.hi[i]))
					}
				}
			}
		}
		for i := range r.cost {
			top += s.unit * max(r.cost[i]*r.lo[i], r.cost[i]*r.hi[i])
		}
	}
	for i := range s.groups {
		g := &s.groups[i]
		for j := range g.in {
			u := &g.in[j]
			for t := range u.steps() {
				if u.cell(t).wu != 0 { // what is fixed is in the constant
					top += s.unit * max(u.cost[t]*u.lo[t], u.cost[t]*u.hi[t])
				}
			}
		}
		for k := range g.ch {
			add(&g.ch[k].row)
		}
		add(&g.net)
	}
	for _, f := range [...]*flow{&s.imp, &s.exp} {
		for i := range f.cells {
			top += s.unit * max(f.cost[i]*f.lo[i], f.cost[i]*f.hi[i])
		}
	}
	if s.peak.on {
		high := 0.0
		for t := range s.imp.hi {
			high = max(high, s.imp.hi[t]-s.p.Peak.SoFar)
		}
		top += s.peak.price * high
	}
	return top
}
