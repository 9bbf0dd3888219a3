package ipm

import "math"

// measure forms, for the site's variables at the present iterate, the gradient, the inverse curvature and the row residuals, and
// adds the site's part of objective, bound and complementarity to acc and of the summed net power to sum.
func (s *solver) measure(b *block, sum []float64, acc *sums) {
	T := s.T
	net, nd := b.v0+(b.in+b.d)*T, b.r0+b.d*T
	for j := range b.p.Inputs {
		u := &b.p.Inputs[j]
		v := b.v0 + j*T
		sign := u.Sign
		if u.Chain >= 0 {
			r := b.r0 + u.Chain*T
			for t := 0; t < T; t++ {
				s.grad[v+t] = s.cost[v+t] + sign*s.dual[nd+t] + u.Gain[t]*s.dual[r+t]
			}
		} else {
			for t := 0; t < T; t++ {
				s.grad[v+t] = s.cost[v+t] + sign*s.dual[nd+t]
			}
		}
	}
	for k := range b.p.Chains {
		c := &b.p.Chains[k]
		v, r := b.v0+(b.in+k)*T, b.r0+k*T
		for t := 0; t < T; t++ {
			g := s.cost[v+t] - s.dual[r+t]
			if t+1 < T {
				g += c.Keep[t+1] * s.dual[r+t+1]
			}
			s.grad[v+t] = g
			row := c.Drive[t] - s.x[v+t]
			if t > 0 {
				row += c.Keep[t] * s.x[v+t-1]
			}
			for _, j := range b.by[k] {
				row += b.p.Inputs[j].Gain[t] * s.x[b.v0+j*T+t]
			}
			s.res[r+t] = row
			acc.primal = math.Max(acc.primal, math.Abs(row))
			acc.bound += c.Drive[t] * s.dual[r+t]
		}
	}
	for t := 0; t < T; t++ {
		s.grad[net+t] = s.cost[net+t] - s.dual[nd+t] + s.lam[t]
		row := b.p.Base[t] - s.x[net+t]
		for j := range b.p.Inputs {
			row += b.p.Inputs[j].Sign * s.x[b.v0+j*T+t]
		}
		s.res[nd+t] = row
		acc.primal = math.Max(acc.primal, math.Abs(row))
		acc.bound += b.p.Base[t] * s.dual[nd+t]
		sum[t] += s.x[net+t]
	}
	s.measureBox(b.v0, net+T, acc)
	s.measureBands(b, acc)
}

// measureBox adds objective, bound and complementarity of the variables from..to-1 without their bands.
func (s *solver) measureBox(from, to int, acc *sums) {
	for v := from; v < to; v++ {
		acc.objective += s.cost[v] * s.x[v]
		g := s.grad[v]
		if s.fixed[v] {
			s.dinv[v] = 0
			acc.bound += g * s.lo[v]
			continue
		}
		acc.mu += s.wl[v]*s.zl[v] + s.wu[v]*s.zu[v]
		s.dinv[v] = s.zl[v]/s.wl[v] + s.zu[v]/s.wu[v] // curvature; inverted when the bands are in
		acc.bound += math.Min(g*s.lo[v], g*s.hi[v])
	}
}

// measureBands adds the bands to curvature, objective and bound; then it inverts the curvature.
func (s *solver) measureBands(b *block, acc *sums) {
	for i := b.b0; i < b.b1; i++ {
		a := &s.bands[i]
		acc.objective += a.pen * math.Max(0, a.e*(a.level-s.x[a.v]))
		if s.fixed[a.v] {
			acc.bound += a.pen * math.Max(0, a.e*(a.level-s.lo[a.v]))
			continue
		}
		acc.mu += a.w*a.z + a.s*a.zs
		a.den = a.w*a.zs + a.s*a.z
		a.h = a.z * a.zs / a.den
		s.dinv[a.v] += a.h
	}
	s.boundBands(b, acc)
	to := b.v0 + (b.in+b.d+1)*s.T
	for v := b.v0; v < to; v++ {
		if !s.fixed[v] {
			s.dinv[v] = 1 / s.dinv[v]
		}
	}
}

// boundBands replaces, for variables with bands, the linear minimum over the box by that of the piecewise linear cost: its
// minimum lies at an end of the box or at a level.
func (s *solver) boundBands(b *block, acc *sums) {
	for i := b.b0; i < b.b1; {
		v := s.bands[i].v
		n := i + 1
		for n < b.b1 && s.bands[n].v == v {
			n++
		}
		if !s.fixed[v] {
			g, lo, hi := s.grad[v], s.lo[v], s.hi[v]
			of := s.bands[i:n]
			low := math.Min(bandCost(of, g, lo), bandCost(of, g, hi))
			for k := range of {
				if l := of[k].level; l > lo && l < hi {
					low = math.Min(low, bandCost(of, g, l))
				}
			}
			acc.bound += low - math.Min(g*lo, g*hi)
		}
		i = n
	}
}

// bandCost is g*x with the penalties of the bands at x.
func bandCost(bands []band, g, x float64) float64 {
	y := g * x
	for i := range bands {
		b := &bands[i]
		y += b.pen * math.Max(0, b.e*(b.level-x))
	}
	return y
}

// right forms the Newton right-hand side for complementarity target mu (with the predictor's second-order products,
// zero in the predictor itself), eliminates the site and adds its share of the grid rows' right-hand side to lam.
func (s *solver) right(b *block, mu float64, lam []float64) {
	T, d, f := s.T, b.d, &b.f
	net, nd := b.v0+(b.in+d)*T, b.r0+d*T
	for v := b.v0; v < net+T; v++ {
		if s.fixed[v] {
			s.g[v] = 0
			continue
		}
		s.g[v] = s.grad[v] - (mu-s.cl[v])/s.wl[v] + (mu-s.cu[v])/s.wu[v]
	}
	for i := b.b0; i < b.b1; i++ {
		a := &s.bands[i]
		if s.fixed[a.v] {
			continue
		}
		s.g[a.v] -= a.e * (a.s*a.z*a.pen + (mu-a.cw)*a.zs - (mu-a.cs)*a.z) / a.den
	}
	for k := range b.p.Chains {
		c := &b.p.Chains[k]
		v, r := b.v0+(b.in+k)*T, b.r0+k*T
		for t := 0; t < T; t++ {
			y := s.res[r+t] + s.g[v+t]*s.dinv[v+t]
			if t > 0 {
				y -= c.Keep[t] * s.g[v+t-1] * s.dinv[v+t-1]
			}
			for _, j := range b.by[k] {
				u := b.v0 + j*T + t
				y -= b.p.Inputs[j].Gain[t] * s.g[u] * s.dinv[u]
			}
			s.rhs[r+t] = y
		}
	}
	for t := 0; t < T; t++ {
		gn := s.g[net+t] * s.dinv[net+t]
		y := s.res[nd+t] + gn
		for j := range b.p.Inputs {
			if sign := b.p.Inputs[j].Sign; sign != 0 {
				u := b.v0 + j*T + t
				y -= sign * s.g[u] * s.dinv[u]
			}
		}
		f.rv[t] = y
		lam[t] += y*f.nn[t]*f.c[t] - gn
		for k := 0; k < d; k++ {
			s.rhs[b.r0+k*T+t] -= f.q[t*d+k] * y * f.c[t]
		}
	}
	if d > 0 {
		s.solveChains(b, lam)
	}
}

// solveChains replaces the chain rows' right-hand side by K^-1 rhs, and adds -h' K^-1 rhs to lam.
func (s *solver) solveChains(b *block, lam []float64) {
	T, d, f := s.T, b.d, &b.f
	y := s.rhs[b.r0 : b.r0+d*T]
	s.forward(b, y)
	for t := T - 1; t >= 0; t-- {
		s.backward(b, t, y)
		for k := 0; k < d; k++ {
			lam[t] -= f.h[t*d+k] * y[k*T+t]
		}
	}
}

// forward runs the block elimination over the chain rows' right-hand side y, into f.fr.
func (s *solver) forward(b *block, y []float64) {
	T, d, f := s.T, b.d, &b.f
	for t := 0; t < T; t++ {
		fr := f.fr[t*d : t*d+d]
		for k := 0; k < d; k++ {
			fr[k] = y[k*T+t]
		}
		if t == 0 {
			continue
		}
		prev, inv := f.fr[(t-1)*d:t*d], f.cinv[(t-1)*d*d:t*d*d]
		for k := 0; k < d; k++ {
			if e := b.p.Chains[k].Keep[t] * f.xi[(t-1)*d+k]; e != 0 {
				v := 0.0
				for m := 0; m < d; m++ {
					v += inv[k*d+m] * prev[m]
				}
				fr[k] += e * v
			}
		}
	}
}

// backward writes the solution of step t, from that of step t+1, into y.
func (s *solver) backward(b *block, t int, y []float64) {
	T, d, f := s.T, b.d, &b.f
	fr := f.fr[t*d : t*d+d]
	if t+1 < T {
		for k := 0; k < d; k++ {
			fr[k] += b.p.Chains[k].Keep[t+1] * f.xi[t*d+k] * y[k*T+t+1]
		}
	}
	inv := f.cinv[t*d*d : (t+1)*d*d]
	for k := 0; k < d; k++ {
		v := 0.0
		for m := 0; m < d; m++ {
			v += inv[k*d+m] * fr[m]
		}
		y[k*T+t] = v
	}
}

// back substitutes the grid prices' step into the site: row duals, variables, and how far they may go. With store it keeps the
// second-order products and sums what the next mean complementarity would be; sum collects the step of the net power, and most the
// largest freedom that a net power has in a step.
func (s *solver) back(b *block, mu float64, store bool, sum, most []float64, acc *sums) {
	T, d, f := s.T, b.d, &b.f
	net, nd := b.v0+(b.in+d)*T, b.r0+d*T
	if d > 0 { // dy = K^-1 rhs - K^-1 h dlam
		y := s.ddual[b.r0 : b.r0+d*T]
		for t := 0; t < T; t++ {
			for k := 0; k < d; k++ {
				y[k*T+t] = -f.h[t*d+k] * s.dlam[t]
			}
		}
		s.forward(b, y)
		for t := T - 1; t >= 0; t-- {
			s.backward(b, t, y)
		}
		for i, v := range s.rhs[b.r0 : b.r0+d*T] {
			y[i] += v
		}
	}
	for t := 0; t < T; t++ {
		v := f.rv[t] + f.nn[t]*s.dlam[t]
		for k := 0; k < d; k++ {
			v -= f.q[t*d+k] * s.ddual[b.r0+k*T+t]
		}
		s.ddual[nd+t] = v * f.c[t]
	}
	for j := range b.p.Inputs {
		u := &b.p.Inputs[j]
		v := b.v0 + j*T
		for t := 0; t < T; t++ {
			a := -u.Sign * s.ddual[nd+t]
			if u.Chain >= 0 {
				a -= u.Gain[t] * s.ddual[b.r0+u.Chain*T+t]
			}
			s.dx[v+t] = (a - s.g[v+t]) * s.dinv[v+t]
		}
	}
	for k := range b.p.Chains {
		c := &b.p.Chains[k]
		v, r := b.v0+(b.in+k)*T, b.r0+k*T
		for t := 0; t < T; t++ {
			a := s.ddual[r+t]
			if t+1 < T {
				a -= c.Keep[t+1] * s.ddual[r+t+1]
			}
			s.dx[v+t] = (a - s.g[v+t]) * s.dinv[v+t]
		}
	}
	for t := 0; t < T; t++ {
		s.dx[net+t] = (s.ddual[nd+t] - s.dlam[t] - s.g[net+t]) * s.dinv[net+t]
	}
	s.close(b)
	for t := 0; t < T; t++ {
		sum[t] += s.dx[net+t]
		most[t] = max(most[t], s.dinv[net+t])
	}
	s.reach(b.v0, net+T, mu, store, acc)
	s.reachBands(b, mu, store, acc)
}

// close takes rounding out of the site's step, so that the rows lose exactly their residual: what is left over goes to the variable
// of the row that moves most freely, where it matters least. Chains are closed forward in time, then the site rows.
func (s *solver) close(b *block) {
	T := s.T
	net, nd := b.v0+(b.in+b.d)*T, b.r0+b.d*T
	for k := range b.p.Chains {
		c := &b.p.Chains[k]
		v, r := b.v0+(b.in+k)*T, b.r0+k*T
		for t := 0; t < T; t++ {
			left := s.res[r+t] - s.dx[v+t]
			if t > 0 {
				left += c.Keep[t] * s.dx[v+t-1]
			}
			most, at := s.dinv[v+t], -1
			for _, j := range b.by[k] {
				u, gain := b.v0+j*T+t, b.p.Inputs[j].Gain[t]
				left += gain * s.dx[u]
				if w := gain * gain * s.dinv[u]; w > most {
					most, at = w, j
				}
			}
			if at >= 0 {
				s.dx[b.v0+at*T+t] -= left / b.p.Inputs[at].Gain[t]
			} else if most > 0 {
				s.dx[v+t] += left
			}
		}
	}
	for t := 0; t < T; t++ {
		left := s.res[nd+t] - s.dx[net+t]
		most, free, at := s.dinv[net+t], s.dinv[net+t], -1
		for j := range b.p.Inputs {
			u := &b.p.Inputs[j]
			if u.Sign == 0 {
				continue
			}
			v := b.v0 + j*T + t
			left += u.Sign * s.dx[v]
			most = max(most, s.dinv[v])
			if u.Chain < 0 && s.dinv[v] > free {
				free, at = s.dinv[v], j
			}
		}
		if free < 1e-4*most || free == 0 {
			continue
		}
		if at >= 0 {
			s.dx[b.v0+at*T+t] -= left / b.p.Inputs[at].Sign
		} else {
			s.dx[net+t] += left
		}
	}
}

// reach finds how far the variables from..to-1 may go along dx.
func (s *solver) reach(from, to int, mu float64, store bool, acc *sums) {
	ap, ad := acc.alphaP, acc.alphaD
	for v := from; v < to; v++ {
		if s.fixed[v] {
			continue
		}
		dx, wl, wu, zl, zu := s.dx[v], s.wl[v], s.wu[v], s.zl[v], s.zu[v]
		dzl := (mu-s.cl[v]-zl*dx)/wl - zl
		dzu := (mu-s.cu[v]+zu*dx)/wu - zu
		if dx < 0 && wl < -ap*dx {
			ap = -wl / dx
		} else if dx > 0 && wu < ap*dx {
			ap = wu / dx
		}
		if dzl < 0 && zl < -ad*dzl {
			ad = -zl / dzl
		}
		if dzu < 0 && zu < -ad*dzu {
			ad = -zu / dzu
		}
		if store {
			pl, pu := dx*dzl, -dx*dzu
			acc.wdz += wl*dzl + wu*dzu
			acc.zdw += zl*dx - zu*dx
			acc.dwdz += pl + pu
			s.cl[v], s.cu[v] = pl, pu
		}
	}
	acc.alphaP, acc.alphaD = ap, ad
}

func (s *solver) reachBands(b *block, mu float64, store bool, acc *sums) {
	ap, ad := acc.alphaP, acc.alphaD
	for i := b.b0; i < b.b1; i++ {
		a := &s.bands[i]
		if s.fixed[a.v] {
			continue
		}
		rs := mu - a.cs - a.s*a.zs
		a.dz = ((mu-a.cw-a.w*a.z)*a.zs-rs*a.z)/a.den - a.h*a.e*s.dx[a.v]
		a.ds = (rs + a.s*a.dz) / a.zs
		a.dw = a.e*s.dx[a.v] + a.ds
		if a.ds < 0 && a.s < -ap*a.ds {
			ap = -a.s / a.ds
		}
		if a.dw < 0 && a.w < -ap*a.dw {
			ap = -a.w / a.dw
		}
		if a.dz < 0 && a.z < -ad*a.dz {
			ad = -a.z / a.dz
		} else if a.dz > 0 && a.zs < ad*a.dz {
			ad = a.zs / a.dz
		}
		if store {
			acc.wdz += a.w*a.dz - a.s*a.dz
			acc.zdw += a.z*a.dw + a.zs*a.ds
			acc.dwdz += a.dw*a.dz - a.ds*a.dz
			a.cw, a.cs = a.dw*a.dz, -a.ds*a.dz
		}
	}
	acc.alphaP, acc.alphaD = ap, ad
}

// move takes the step.
func (s *solver) move(b *block, mu, ap, ad float64) {
	T := s.T
	s.moveBox(b.v0, b.v0+(b.in+b.d+1)*T, mu, ap, ad)
	for r := b.r0; r < b.r0+(b.d+1)*T; r++ {
		s.dual[r] += ad * s.ddual[r]
	}
	for i := b.b0; i < b.b1; i++ {
		a := &s.bands[i]
		if s.fixed[a.v] {
			continue
		}
		a.w += ap * a.dw
		a.s += ap * a.ds
		a.z += ad * a.dz
		a.zs -= ad * a.dz
		a.cw, a.cs = 0, 0
	}
}

func (s *solver) moveBox(from, to int, mu, ap, ad float64) {
	for v := from; v < to; v++ {
		if s.fixed[v] {
			continue
		}
		dx := s.dx[v]
		dzl := (mu-s.cl[v]-s.zl[v]*dx)/s.wl[v] - s.zl[v]
		dzu := (mu-s.cu[v]+s.zu[v]*dx)/s.wu[v] - s.zu[v]
		s.x[v] += ap * dx
		s.wl[v] += ap * dx
		s.wu[v] -= ap * dx
		s.zl[v] += ad * dzl
		s.zu[v] += ad * dzu
		s.cl[v], s.cu[v] = 0, 0
	}
}
