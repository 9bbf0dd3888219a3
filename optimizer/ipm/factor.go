package ipm

import "math"

// factor is the elimination of one group: its site rows, then its chains as a block tridiagonal matrix in time.
type factor struct {
	cinv []float64 // n blocks d*d: inverse of the t-th pivot block
	link []float64 // n*d: keep into the next step times the inverse curvature of the state; for one chain also times cinv
	q, h []float64 // n*d: coupling of chain rows to the site row, and to the grid row; the same without a site row
	ic   []float64 // n: inverse pivot of the site row (0 when nothing moves it)
	nn   []float64 // n: inverse curvature of the net power
}

// eliminate factorises group g at the curvature that its cells hold and adds its share of the grid matrix to the shard's. The shard holds, per step, the sum of
// the inputs' inverse curvature (pu), and per step and chain gain^2 (bb), gain*sign (g.q), sign^2 (pk) times it and Lagrange's cross terms.
func (s *solver) eliminate(g *group, h *shard) {
	T, d, n := s.T, g.d(), g.n
	if g.netted {
		for t := 0; t < n; t++ {
			nn, pu := g.net.cells[t].dinv, h.pu[t]
			ic := 0.0
			if nn+pu > 0 {
				ic = 1 / (nn + pu)
			}
			g.nn[t], g.ic[t] = nn, ic
			h.schur[t*T+t] += nn * pu * ic
			for k := 0; k < d; k++ {
				g.h[k*n+t] = g.q[k*n+t] * nn * ic
			}
		}
	} else {
		for t, v := range h.pu[:n] {
			h.schur[(g.from+t)*(T+1)] += v
		}
	}
	switch {
	case d == 0:
	case d == 1:
		s.eliminateOne(g, h)
		s.schurOne(g, h)
	default:
		s.eliminateBlocks(g, h)
		s.schurBlocks(g, h)
	}
}

// others is nn + pu without the inputs of chain k, formed by adding what remains.
func (g *group) others(h *shard, t, k int) float64 {
	d := g.d()
	rest := g.nn[t] + h.p0[t]
	for l := 0; l < d; l++ {
		if l != k {
			rest += h.pk[l*g.n+t]
		}
	}
	return rest
}

// eliminateOne is the recursion for one chain: scalars.
func (s *solver) eliminateOne(g *group, h *shard) {
	st := &g.ch[0]
	past := 0.0 // parallel sum of the state's inverse curvature and the pivot without it
	bb, cross := h.bb, h.cross
	cells, keep := st.cells, st.keep
	cinv, link := g.cinv[st.from:st.to], g.link[st.from:st.to]
	clear(g.cinv)
	clear(g.link)
	for i := range cells {
		t := st.from + i
		G := bb[t]
		if g.netted {
			if ic := g.ic[t]; ic > 0 {
				G = (G*g.others(h, t, 0) + cross[t]) * ic
			}
		}
		if i > 0 {
			G += keep[i] * keep[i] * past
		}
		xi := cells[i].dinv
		c, inv := G+xi, 0.0
		if c > 0 {
			inv = 1 / c
		}
		past = xi * inv * G
		cinv[i] = inv
		if i+1 < len(keep) {
			link[i] = keep[i+1] * xi * inv
		}
	}
}

// schurOne subtracts h' K^-1 h from the grid matrix, K^-1 by its semiseparable form: P[s] = C[s]^-1 + F[s] P[s+1] F[s],
// X(s,t) = F[s] X(s+1,t), F[s] = C[s]^-1 link[s]. A restart ends the reach of the past.
func (s *solver) schurOne(g *group, h *shard) {
	T := s.T
	X := h.xbuf[:g.n]
	end := g.n
	P := 0.0
	for t := g.n - 1; t >= 0; t-- {
		inv, F := g.cinv[t], g.link[t]
		P = inv + F*F*P
		ht := g.h[t]
		X[t] = P * ht
		if F == 0 {
			end = t + 1
		}
		r := (g.from+t)*(T+1) - t
		row := h.schur[r+t : r+end]
		x := X[t:end]
		row = row[:len(x)]
		if ht == 0 {
			if F != 1 {
				for i := 1; i < len(x); i++ {
					x[i] *= F
				}
			}
			row[0] -= 0
			continue
		}
		row[0] -= ht * x[0]
		row, x = row[1:], x[1:]
		row = row[:len(x)]
		for len(x) >= 4 && len(row) >= 4 {
			a, b, c, e := x[0]*F, x[1]*F, x[2]*F, x[3]*F
			x[0], x[1], x[2], x[3] = a, b, c, e
			row[0] -= ht * a
			row[1] -= ht * b
			row[2] -= ht * c
			row[3] -= ht * e
			x, row = x[4:], row[4:]
		}
		for i := range x {
			v := x[i] * F
			x[i] = v
			row[i] -= ht * v
		}
	}
}

// eliminateBlocks is the recursion for several chains.
func (s *solver) eliminateBlocks(g *group, h *shard) {
	d, n := g.d(), g.n
	G, M, C := h.blocks[:d*d], h.blocks[d*d:2*d*d], h.blocks[2*d*d:3*d*d]
	xi, keep, q := h.blocks[6*d*d:6*d*d+d], h.blocks[6*d*d+d:6*d*d+2*d], h.blocks[6*d*d+2*d:6*d*d+3*d]
	clear(M)
	clear(g.link)
	for t := 0; t < g.n; t++ {
		ic := 0.0
		if g.netted {
			ic = g.ic[t]
		}
		for k := range g.ch {
			q[k] = g.q[k*n+t]
			st := &g.ch[k]
			xi[k], keep[k] = 0, 0
			if i := t - st.from; i >= 0 && t < st.to {
				xi[k] = st.cells[i].dinv
				if i > 0 {
					keep[k] = st.keep[i]
				}
				if t+1 < st.to {
					g.link[t*d+k] = st.keep[i+1] * xi[k]
				}
			}
			if ic > 0 {
				G[k*d+k] = (h.bb[k*n+t]*g.others(h, t, k) + h.cross[k*n+t]) * ic
			} else {
				G[k*d+k] = h.bb[k*n+t]
			}
			for l := 0; l < k; l++ {
				v := -q[k] * q[l] * ic
				G[k*d+l], G[l*d+k] = v, v
			}
		}
		// what the past leaves: keep * parallel sum of (xi, pivot without xi) * keep
		for k := 0; k < d; k++ {
			if keep[k] == 0 {
				continue
			}
			for l := 0; l < d; l++ {
				G[k*d+l] += keep[k] * M[k*d+l] * keep[l]
			}
		}
		copy(C, G)
		for k := 0; k < d; k++ {
			C[k*d+k] += xi[k]
		}
		inv := g.cinv[t*d*d : (t+1)*d*d]
		invert(C, inv, d)
		// M = Xi C^-1 G, symmetric
		for k := 0; k < d; k++ {
			if xi[k] == 0 {
				clear(M[k*d : k*d+d])
				continue
			}
			for l := 0; l < d; l++ {
				sum := 0.0
				for m := 0; m < d; m++ {
					sum += inv[k*d+m] * G[m*d+l]
				}
				M[k*d+l] = xi[k] * sum
			}
		}
		for k := 0; k < d; k++ {
			for l := 0; l < k; l++ {
				m := (M[k*d+l] + M[l*d+k]) / 2
				M[k*d+l], M[l*d+k] = m, m
			}
		}
	}
}

// invert writes the inverse of the symmetric positive semidefinite d*d matrix c, which it destroys. Rows without a pivot get a zero
// inverse: nothing can move them.
func invert(c, inv []float64, d int) {
	// c = L L' in place; the diagonal keeps 1/L[k][k]
	for k := 0; k < d; k++ {
		piv, orig := c[k*d+k], c[k*d+k]
		for m := 0; m < k; m++ {
			piv -= c[k*d+m] * c[k*d+m]
		}
		if !(piv > 1e-15*orig) {
			c[k*d+k] = 0
			for l := k + 1; l < d; l++ {
				c[l*d+k] = 0
			}
			continue
		}
		r := 1 / math.Sqrt(piv)
		c[k*d+k] = r
		for l := k + 1; l < d; l++ {
			v := c[l*d+k]
			for m := 0; m < k; m++ {
				v -= c[l*d+m] * c[k*d+m]
			}
			c[l*d+k] = v * r
		}
	}
	// the inverse of L takes its place, column by column
	for k := 0; k < d; k++ {
		for l := k + 1; l < d; l++ {
			v := 0.0
			for m := k; m < l; m++ {
				v -= c[l*d+m] * c[m*d+k]
			}
			c[l*d+k] = v * c[l*d+l]
		}
	}
	for k := 0; k < d; k++ {
		for l := 0; l <= k; l++ {
			v := 0.0
			for m := k; m < d; m++ {
				v += c[m*d+k] * c[m*d+l]
			}
			inv[k*d+l], inv[l*d+k] = v, v
		}
	}
}

// schurBlocks is schurOne for several chains.
func (s *solver) schurBlocks(g *group, h *shard) {
	T, d, n := s.T, g.d(), g.n
	X := h.xbuf[:d*n]
	P, F, W := h.blocks[:d*d], h.blocks[d*d:2*d*d], h.blocks[2*d*d:3*d*d]
	hk := h.blocks[6*d*d : 6*d*d+d]
	end := n // the past reaches no step from here on
	for t := n - 1; t >= 0; t-- {
		inv := g.cinv[t*d*d : (t+1)*d*d]
		live := false
		if t < n-1 {
			for k := 0; k < d; k++ {
				for l := 0; l < d; l++ {
					F[k*d+l] = inv[k*d+l] * g.link[t*d+l]
					live = live || F[k*d+l] != 0
				}
			}
		}
		if live {
			for k := 0; k < d; k++ { // W = F P
				for l := 0; l < d; l++ {
					v := 0.0
					for m := 0; m < d; m++ {
						v += F[k*d+m] * P[m*d+l]
					}
					W[k*d+l] = v
				}
			}
			for k := 0; k < d; k++ { // P = inv + W F'
				for l := 0; l <= k; l++ {
					v := inv[k*d+l]
					for m := 0; m < d; m++ {
						v += W[k*d+m] * F[l*d+m]
					}
					P[k*d+l], P[l*d+k] = v, v
				}
			}
		} else {
			end = t + 1
			copy(P, inv)
		}
		for k := range hk {
			hk[k] = g.h[k*n+t]
		}
		r := (g.from+t)*(T+1) - t
		row := h.schur[r+t : r+end]
		if live {
			subtract(row[1:], F, hk, X, d, n, t+1, end)
		}
		for k := 0; k < d; k++ {
			v := 0.0
			for l := 0; l < d; l++ {
				v += P[k*d+l] * hk[l]
			}
			X[k*n+t] = v
			row[0] -= hk[k] * v
		}
	}
}

// subtract replaces the columns from..to-1 of the d*n array X by F X and subtracts h' X from the row.
func subtract(row, F, h, X []float64, d, n, from, to int) {
	switch d {
	case 2:
		x0, x1 := X[from:to], X[n+from:n+to]
		x0, x1 = x0[:len(row)], x1[:len(row)]
		f00, f01, f10, f11, h0, h1 := F[0], F[1], F[2], F[3], h[0], h[1]
		for i := range row {
			u, v := x0[i], x1[i]
			a, b := f00*u+f01*v, f10*u+f11*v
			x0[i], x1[i] = a, b
			row[i] -= h0*a + h1*b
		}
	case 3:
		x0, x1, x2 := X[from:to], X[n+from:n+to], X[2*n+from:2*n+to]
		x0, x1, x2 = x0[:len(row)], x1[:len(row)], x2[:len(row)]
		f00, f01, f02, f10, f11, f12, f20, f21, f22 := F[0], F[1], F[2], F[3], F[4], F[5], F[6], F[7], F[8]
		h0, h1, h2 := h[0], h[1], h[2]
		for i := range row {
			u, v, w := x0[i], x1[i], x2[i]
			a, b, c := f00*u+f01*v+f02*w, f10*u+f11*v+f12*w, f20*u+f21*v+f22*w
			x0[i], x1[i], x2[i] = a, b, c
			row[i] -= h0*a + h1*b + h2*c
		}
	case 4:
		x0, x1, x2, x3 := X[from:to], X[n+from:n+to], X[2*n+from:2*n+to], X[3*n+from:3*n+to]
		x0, x1, x2, x3 = x0[:len(row)], x1[:len(row)], x2[:len(row)], x3[:len(row)]
		f, g := (*[16]float64)(F), (*[4]float64)(h)
		for i := range row {
			u, v, w, z := x0[i], x1[i], x2[i], x3[i]
			a, b := f[0]*u+f[1]*v+f[2]*w+f[3]*z, f[4]*u+f[5]*v+f[6]*w+f[7]*z
			c, e := f[8]*u+f[9]*v+f[10]*w+f[11]*z, f[12]*u+f[13]*v+f[14]*w+f[15]*z
			x0[i], x1[i], x2[i], x3[i] = a, b, c, e
			row[i] -= g[0]*a + g[1]*b + g[2]*c + g[3]*e
		}
	default:
		col := make([]float64, d)
		for i := range row {
			sum := 0.0
			for k := 0; k < d; k++ {
				v := 0.0
				for m := 0; m < d; m++ {
					v += F[k*d+m] * X[m*n+from+i]
				}
				col[k] = v
				sum += h[k] * v
			}
			for k := 0; k < d; k++ {
				X[k*n+from+i] = col[k]
			}
			row[i] -= sum
		}
	}
}

// solveBoth is solve for two right-hand sides.
func (g *group) solveBoth(y, x []float64, h *shard) {
	if g.d() > 1 {
		g.solve(y, h)
		g.solve(x, h)
		return
	}
	n := g.n
	cinv, F := g.cinv[:n], g.link[:n]
	y, x = y[:n], x[:n]
	p, q := 0.0, 0.0
	for t, f := range F {
		p, q = p+y[t], q+x[t]
		y[t], x[t] = p, q
		p, q = p*f, q*f
	}
	p, q = 0, 0
	for t := n - 1; t >= 0; t-- {
		c, f := cinv[t], F[t]
		p, q = c*y[t]+f*p, c*x[t]+f*q
		y[t], x[t] = p, q
	}
}

// solve replaces y, the chain rows' right-hand side, by K^-1 y.
func (g *group) solve(y []float64, h *shard) {
	d, n := g.d(), g.n
	if d == 1 {
		cinv, F := g.cinv[:n], g.link[:n]
		y = y[:n]
		past := 0.0
		for t := range y {
			past = past + y[t]
			y[t] = past
			past *= F[t]
		}
		next := 0.0
		for t := n - 1; t >= 0; t-- {
			next = cinv[t]*y[t] + F[t]*next
			y[t] = next
		}
		return
	}
	past, here := h.blocks[:d], h.blocks[d:2*d]
	clear(past)
	for t := 0; t < n; t++ { // past becomes C^-1 times the right-hand side after the forward pass
		for k := 0; k < d; k++ {
			if t > 0 {
				y[k*n+t] += g.link[(t-1)*d+k] * past[k]
			}
			here[k] = y[k*n+t]
		}
		times(g.cinv[t*d*d:(t+1)*d*d], here, past)
	}
	clear(past)
	for t := n - 1; t >= 0; t-- {
		for k := 0; k < d; k++ {
			here[k] = y[k*n+t] + g.link[t*d+k]*past[k]
		}
		times(g.cinv[t*d*d:(t+1)*d*d], here, past)
		for k := 0; k < d; k++ {
			y[k*n+t] = past[k]
		}
	}
}

// times writes the product of the square matrix a with x to y.
func times(a, x, y []float64) {
	d := len(x)
	y = y[:d]
	for k := range y {
		v := 0.0
		row := a[k*d : k*d+d]
		for m, e := range row {
			v += e * x[m]
		}
		y[k] = v
	}
}
