package ipm

import "math"

// factor is the elimination of one site: its site rows, then its chains as a block tridiagonal matrix in time.
type factor struct {
	d                    int
	cinv                 []float64 // T blocks d*d: inverse of the t-th pivot block
	xi                   []float64 // T*d: inverse curvature of the states
	q, h                 []float64 // T*d: coupling of chain rows to the site row, and to the grid row
	c                    []float64 // T: inverse pivot of the site row (0 when nothing moves it)
	nn                   []float64 // T: inverse curvature of the net power
	fr                   []float64 // T*d: right-hand side after the forward pass
	rv                   []float64 // T: right-hand side of the site row
	gmat, mmat, tmp, inv []float64 // d*d work
}

func newFactor(T, d int) factor {
	fl := make([]float64, T*d*d+4*T*d+3*T+4*d*d)
	take := func(n int) []float64 { v := fl[:n:n]; fl = fl[n:]; return v }
	return factor{d: d, cinv: take(T * d * d), xi: take(T * d), q: take(T * d), h: take(T * d), fr: take(T * d),
		c: take(T), nn: take(T), rv: take(T), gmat: take(d * d), mmat: take(d * d), tmp: take(d * d), inv: take(d * d)}
}

// factorSite eliminates site b at the current curvature and adds its share of the grid matrix to schur (upper triangle).
func (s *solver) factorSite(b *block, schur, buf []float64) {
	T, d, f := s.T, b.d, &b.f
	net := b.v0 + (b.in+d)*T
	clear(f.mmat)
	for t := 0; t < T; t++ {
		nn := s.dinv[net+t]
		pu := 0.0
		for j := range b.p.Inputs {
			if g := b.p.Inputs[j].Sign; g != 0 {
				pu += g * g * s.dinv[b.v0+j*T+t]
			}
		}
		f.nn[t] = nn
		f.c[t] = 0
		if nn+pu > 0 {
			f.c[t] = 1 / (nn + pu)
		}
		ic := f.c[t]
		schur[t*T+t] += nn * pu * ic
		if d == 0 {
			continue
		}
		q, h, xi := f.q[t*d:t*d+d], f.h[t*d:t*d+d], f.xi[t*d:t*d+d]
		G := f.gmat
		for k := 0; k < d; k++ {
			qk, bb, pk, cross := 0.0, 0.0, 0.0, 0.0
			for n, j := range b.by[k] {
				u := &b.p.Inputs[j]
				e := s.dinv[b.v0+j*T+t]
				gain, sign := u.Gain[t], u.Sign
				qk += gain * sign * e
				bb += gain * gain * e
				pk += sign * sign * e
				for _, j2 := range b.by[k][:n] { // Lagrange's identity: no difference of near-equal squares
					u2 := &b.p.Inputs[j2]
					det := gain*u2.Sign - u2.Gain[t]*sign
					cross += e * s.dinv[b.v0+j2*T+t] * det * det
				}
			}
			rest := nn // nn + pu - pk, formed by adding the others
			for j := range b.p.Inputs {
				if u := &b.p.Inputs[j]; u.Chain != k && u.Sign != 0 {
					rest += u.Sign * u.Sign * s.dinv[b.v0+j*T+t]
				}
			}
			q[k] = qk
			h[k] = qk * nn * ic
			xi[k] = s.dinv[b.v0+(b.in+k)*T+t]
			if ic > 0 {
				G[k*d+k] = (bb*rest + cross) * ic
			} else {
				G[k*d+k] = bb
			}
			for l := 0; l < k; l++ {
				G[k*d+l] = -qk * q[l] * ic
				G[l*d+k] = G[k*d+l]
			}
		}
		if t > 0 { // what the past leaves: keep * parallel sum of (xi, pivot without xi) * keep
			for k := 0; k < d; k++ {
				ak := b.p.Chains[k].Keep[t]
				for l := 0; l < d; l++ {
					G[k*d+l] += ak * f.mmat[k*d+l] * b.p.Chains[l].Keep[t]
				}
			}
		}
		C := f.tmp
		copy(C, G)
		for k := 0; k < d; k++ {
			C[k*d+k] += xi[k]
		}
		inv := f.cinv[t*d*d : (t+1)*d*d]
		invert(C, inv, d)
		// mmat = Xi C^-1 G, symmetric
		for k := 0; k < d; k++ {
			for l := 0; l < d; l++ {
				sum := 0.0
				for m := 0; m < d; m++ {
					sum += inv[k*d+m] * G[m*d+l]
				}
				f.mmat[k*d+l] = xi[k] * sum
			}
		}
		for k := 0; k < d; k++ {
			for l := 0; l < k; l++ {
				m := (f.mmat[k*d+l] + f.mmat[l*d+k]) / 2
				f.mmat[k*d+l], f.mmat[l*d+k] = m, m
			}
		}
	}
	if d > 0 {
		s.schurSite(b, schur, buf)
	}
}

// invert writes the inverse of the symmetric positive semidefinite d*d matrix c, which it destroys. Rows without a pivot get a zero
// inverse: nothing can move them.
func invert(c, inv []float64, d int) {
	switch d {
	case 1:
		inv[0] = 0
		if c[0] > 0 {
			inv[0] = 1 / c[0]
		}
		return
	}
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

// schurSite subtracts h' K^-1 h of the site from the grid matrix (upper triangle), K^-1 by its semiseparable form:
// P[s] = C[s]^-1 + F[s] P[s+1] F[s]', X(s,t) = F[s] X(s+1,t), F[s] = C[s]^-1 diag(keep[s+1]*xi[s]).
func (s *solver) schurSite(b *block, schur, buf []float64) {
	T, d, f := s.T, b.d, &b.f
	X := buf[:d*T]
	P := buf[d*T : d*T+d*d]
	F := buf[d*T+d*d : d*T+2*d*d]
	W := buf[d*T+2*d*d : d*T+3*d*d]
	col := buf[d*T+4*d*d : d*T+4*d*d+d]
	for t := T - 1; t >= 0; t-- {
		inv := f.cinv[t*d*d : (t+1)*d*d]
		if t == T-1 {
			copy(P, inv)
		} else {
			live := false
			for k := 0; k < d; k++ {
				for l := 0; l < d; l++ {
					F[k*d+l] = inv[k*d+l] * b.p.Chains[l].Keep[t+1] * f.xi[t*d+l]
					live = live || F[k*d+l] != 0
				}
			}
			if live {
				multiply(F, X, d, T, t+1, col)
			} else {
				for k := 0; k < d; k++ {
					clear(X[k*T+t+1 : (k+1)*T])
				}
			}
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
		}
		h := f.h[t*d : t*d+d]
		for k := 0; k < d; k++ {
			v := 0.0
			for l := 0; l < d; l++ {
				v += P[k*d+l] * h[l]
			}
			X[k*T+t] = v
		}
		row := schur[t*T+t : (t+1)*T]
		for k := 0; k < d; k++ {
			hk := h[k]
			if hk == 0 {
				continue
			}
			xk := X[k*T+t : (k+1)*T]
			for i, v := range xk {
				row[i] -= hk * v
			}
		}
	}
}

// multiply replaces columns from..T-1 of the d*T array X by F X.
func multiply(F, X []float64, d, T, from int, col []float64) {
	switch d {
	case 1:
		f0 := F[0]
		x0 := X[from:T]
		for i := range x0 {
			x0[i] *= f0
		}
	case 2:
		a, b, c, e := F[0], F[1], F[2], F[3]
		x0, x1 := X[from:T], X[T+from:2*T]
		x1 = x1[:len(x0)]
		for i, u := range x0 {
			v := x1[i]
			x0[i] = a*u + b*v
			x1[i] = c*u + e*v
		}
	case 3:
		x0, x1, x2 := X[from:T], X[T+from:2*T], X[2*T+from:3*T]
		x1, x2 = x1[:len(x0)], x2[:len(x0)]
		f00, f01, f02, f10, f11, f12, f20, f21, f22 := F[0], F[1], F[2], F[3], F[4], F[5], F[6], F[7], F[8]
		for i, u := range x0 {
			v, w := x1[i], x2[i]
			x0[i] = f00*u + f01*v + f02*w
			x1[i] = f10*u + f11*v + f12*w
			x2[i] = f20*u + f21*v + f22*w
		}
	default:
		for t := from; t < T; t++ {
			for k := 0; k < d; k++ {
				v := 0.0
				for m := 0; m < d; m++ {
					v += F[k*d+m] * X[m*T+t]
				}
				col[k] = v
			}
			for k := 0; k < d; k++ {
				X[k*T+t] = col[k]
			}
		}
	}
}
