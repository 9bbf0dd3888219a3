package ipm

// The inverse of a group's block tridiagonal matrix, applied: one pass forward and one backward in time.

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

// solveOne is solve for one chain. Each of its two recursions would wait for a product and a sum in every step; so four steps are computed from nothing and from a unit
// before them, and only their last waits for the four before.
func (g *group) solveOne(y []float64) {
	n := g.n
	cinv, F := g.cinv[:n], g.link[:n]
	y = y[:n]
	carry := 0.0 // the past, times its link
	t := 0
	for ; t+4 <= n; t += 4 {
		f, v := (*four)(F[t:]), (*four)(y[t:])
		a1 := v[1] + f[0]*v[0]
		a2 := v[2] + f[1]*a1
		a3 := v[3] + f[2]*a2
		c2 := f[0] * f[1]
		c3 := c2 * f[2]
		v[0] += carry
		v[1] = a1 + f[0]*carry
		v[2] = a2 + c2*carry
		v[3] = a3 + c3*carry
		carry = a3*f[3] + c3*f[3]*carry
	}
	for ; t < n; t++ {
		y[t] += carry
		carry = F[t] * y[t]
	}
	carry = 0
	for t = n - 1; t >= 0 && (t+1)%4 != 0; t-- {
		carry = cinv[t]*y[t] + F[t]*carry
		y[t] = carry
	}
	for t -= 3; t >= 0; t -= 4 {
		f, c, v := (*four)(F[t:]), (*four)(cinv[t:]), (*four)(y[t:])
		a3 := c[3] * v[3]
		a2 := c[2]*v[2] + f[2]*a3
		a1 := c[1]*v[1] + f[1]*a2
		a0 := c[0]*v[0] + f[0]*a1
		c2 := f[3] * f[2]
		c1 := c2 * f[1]
		c0 := c1 * f[0]
		v[3] = a3 + f[3]*carry
		v[2] = a2 + c2*carry
		v[1] = a1 + c1*carry
		v[0] = a0 + c0*carry
		carry = v[0]
	}
}

// solve replaces y, the chain rows' right-hand side, by K^-1 y.
func (g *group) solve(y []float64, h *shard) {
	d, n := g.d(), g.n
	if d == 1 {
		g.solveOne(y)
		return
	}
	past, here := h.blocks[:d], h.blocks[d:2*d]
	clear(past)
	for t := 0; t < n; t++ { // past becomes C^-1 times the right-hand side after the forward pass
		for k := 0; k < d; k++ {
			if t > 0 {
				y[k*g.stride+t] += g.link[(t-1)*d+k] * past[k]
			}
			here[k] = y[k*g.stride+t]
		}
		times(g.cinv[t*d*d:(t+1)*d*d], here, past)
	}
	clear(past)
	for t := n - 1; t >= 0; t-- {
		for k := 0; k < d; k++ {
			here[k] = y[k*g.stride+t] + g.link[t*d+k]*past[k]
		}
		times(g.cinv[t*d*d:(t+1)*d*d], here, past)
		for k := 0; k < d; k++ {
			y[k*g.stride+t] = past[k]
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
