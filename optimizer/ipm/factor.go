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
			nn, pu := g.net.dinv(t), h.pu[t]
			ic := 0.0
			if nn+pu > 0 {
				ic = 1 / (nn + pu)
			}
			g.nn[t], g.ic[t] = nn, ic
			h.schur[t*T+t] += nn * pu * ic
			for k := 0; k < d; k++ {
				g.h[k*g.stride+t] = g.q[k*g.stride+t] * nn * ic
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
			rest += h.pk[l*g.stride+t]
		}
	}
	return rest
}

// eliminateOne is the recursion for one chain: scalars.
func (s *solver) eliminateOne(g *group, h *shard) {
	st := &g.ch[0]
	past := 0.0 // parallel sum of the state's inverse curvature and the pivot without it
	bb, cross := h.bb, h.cross
	keep := st.keep[:st.steps()]
	cinv, link := g.cinv[st.from:st.to], g.link[st.from:st.to]
	clear(g.cinv)
	clear(g.link)
	for i := range keep {
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
		xi := st.dinv(i)
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
// X(s,t) = F[s] X(s+1,t), F[s] = C[s]^-1 link[s]. A restart (F = 0) ends the reach of the past. Four rows at a time, so that X passes through the registers once for them.
func (s *solver) schurOne(g *group, h *shard) {
	n := g.n
	X, schur := h.xbuf[:n], h.schur[g.from*s.T+g.from:]
	cinv, link, hh := g.cinv[:n], g.link[:n], g.h[:n]
	end := n
	P := 0.0
	p := n - 4
	for ; p >= 0; p -= 4 {
		F, c, k := (*four)(link[p:]), (*four)(cinv[p:]), (*four)(hh[p:])
		row0, row1, row2, row3 := schur[p*s.T:][p:end], schur[(p+1)*s.T:][p:end], schur[(p+2)*s.T:][p:end], schur[(p+3)*s.T:][p:end]
		P3 := c[3] + F[3]*F[3]*P
		P2 := c[2] + F[2]*F[2]*P3
		P1 := c[1] + F[1]*F[1]*P2
		P = c[0] + F[0]*F[0]*P1
		a3 := P3 * k[3]
		b3, b2 := F[2]*a3, P2*k[2]
		c3, c2, c1 := F[1]*b3, F[1]*b2, P1*k[1]
		d3, d2, d1, d0 := F[0]*c3, F[0]*c2, F[0]*c1, P*k[0]
		row3[3] -= k[3] * a3
		row2[2] -= k[2] * b2
		row2[3] -= k[2] * b3
		row1[1] -= k[1] * c1
		row1[2] -= k[1] * c2
		row1[3] -= k[1] * c3
		row0[0] -= k[0] * d0
		row0[1] -= k[0] * d1
		row0[2] -= k[0] * d2
		row0[3] -= k[0] * d3
		reachBack(row0[4:], row1[4:], row2[4:], row3[4:], X[p+4:end], F, k)
		X[p], X[p+1], X[p+2], X[p+3] = d0, d1, d2, d3
		if F[0] == 0 || F[1] == 0 || F[2] == 0 || F[3] == 0 {
			end = p + 4
		}
	}
	for t := p + 3; t >= 0; t-- { // what the fours leave
		P = cinv[t] + link[t]*link[t]*P
		x, row := X[t:end], schur[t*s.T:][t:end]
		x[0] = P * hh[t]
		row[0] -= hh[t] * x[0]
		for i := 1; i < len(x); i++ {
			x[i] *= link[t]
			row[i] -= hh[t] * x[i]
		}
	}
}

// reachBack multiplies x by F[3], F[2], F[1] and F[0], one after the other, and subtracts h[i]*x each time from the i-th of the rows.
func reachBack(row0, row1, row2, row3, x []float64, F, h *four) {
	row0, row1, row2, row3 = row0[:len(x)], row1[:len(x)], row2[:len(x)], row3[:len(x)]
	F0, F1, F2, F3 := all(F[0]), all(F[1]), all(F[2]), all(F[3])
	h0, h1, h2, h3 := all(h[0]), all(h[1]), all(h[2]), all(h[3])
	for i := 0; i+lanes <= len(x); i += lanes {
		v := load(quad(x, i)).Mul(F3)
		r := quad(row3, i)
		load(r).Sub(h3.Mul(v)).Store(r)
		v = v.Mul(F2)
		r = quad(row2, i)
		load(r).Sub(h2.Mul(v)).Store(r)
		v = v.Mul(F1)
		r = quad(row1, i)
		load(r).Sub(h1.Mul(v)).Store(r)
		v = v.Mul(F0)
		v.Store(quad(x, i))
		r = quad(row0, i)
		load(r).Sub(h0.Mul(v)).Store(r)
	}
	narrow()
}

// eliminateBlocks is the recursion for several chains.
func (s *solver) eliminateBlocks(g *group, h *shard) {
	d := g.d()
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
			q[k] = g.q[k*g.stride+t]
			st := &g.ch[k]
			xi[k], keep[k] = 0, 0
			if i := t - st.from; i >= 0 && t < st.to {
				xi[k] = st.dinv(i)
				if i > 0 {
					keep[k] = st.keep[i]
				}
				if t+1 < st.to {
					g.link[t*d+k] = st.keep[i+1] * xi[k]
				}
			}
			if ic > 0 {
				G[k*d+k] = (h.bb[k*g.stride+t]*g.others(h, t, k) + h.cross[k*g.stride+t]) * ic
			} else {
				G[k*d+k] = h.bb[k*g.stride+t]
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
			hk[k] = g.h[k*g.stride+t]
		}
		r := (g.from+t)*(T+1) - t
		row := h.schur[r+t : r+end]
		if live {
			subtract(row[1:], F, hk, X, d, n, t+1, end, h.cols)
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

// subtract replaces the columns from..to-1 of the d*n array X by F X and subtracts h' X from the row. Whole blocks of columns end where the row does, so that they are
// the same for every step.
func subtract(row, F, h, X []float64, d, n, from, to int, cols []four) {
	i := 0
	for ; i < len(row) && (len(row)-i)%lanes != 0; i++ {
		total := 0.0
		for k := range d {
			v := 0.0
			for m, f := range F[k*d : k*d+d] {
				v += f * X[m*n+from+i]
			}
			cols[k][0] = v
			total += h[k] * v
		}
		for k := range d {
			X[k*n+from+i] = cols[k][0]
		}
		row[i] -= total
	}
	subtractBlocks(row[i:], F, h, X[from+i:], d, n, cols)
}

// subtractBlocks does it for whole blocks, from the beginning of X's rows.
func subtractBlocks(row, F, h, X []float64, d, n int, cols []four) {
	cols, h = cols[:d], h[:d]
	for i := 0; i+lanes <= len(row); i += lanes {
		for m := range cols {
			load(quad(X, m*n+i)).Store(&cols[m])
		}
		r := quad(row, i)
		left := load(r)
		for k := range h {
			f := F[k*d : k*d+d]
			v := all(f[0]).Mul(load(&cols[0]))
			for m := 1; m < len(f) && m < len(cols); m++ {
				v = v.Add(all(f[m]).Mul(load(&cols[m])))
			}
			v.Store(quad(X, k*n+i))
			left = left.Sub(all(h[k]).Mul(v))
		}
		left.Store(r)
	}
	narrow()
}
