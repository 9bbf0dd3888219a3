package ipm

import "math"

// start sets the starting point of an attempt. The first attempt rolls every chain forward with powers that bring it to its bands, so that the rows hold where
// they can; a later one takes the middle of each box. Multipliers are central, and dual feasible for zero prices.
func (s *solver) start(attempt int) {
	mu := startMus[attempt]
	clear(s.net)
	want, x := make([]float64, s.T), make([]float64, s.T)
	for i := range s.groups {
		g := &s.groups[i]
		if attempt == 0 {
			s.roll(g, want, x)
		} else {
			s.middle(g)
		}
		s.balance(g, attempt == 0)
	}
	s.startFlows(attempt == 0)
	for i := range s.groups {
		g := &s.groups[i]
		for j := range g.in {
			s.multipliers(&g.in[j].row, nil, true, mu)
		}
		for k := range g.ch {
			s.multipliers(&g.ch[k].row, g.ch[k].bands, g.ch[k].boxed, mu)
		}
		s.multipliers(&g.net, g.netband, true, mu)
	}
	s.multipliers(&s.imp, nil, true, mu)
	s.multipliers(&s.exp, nil, true, mu)
	s.startPeak()
}

// put places a cell at x, at least a share of the box away from its ends, and returns where. A fixed variable stays at its value.
func (r *row) put(i int, x, share float64) float64 {
	lo, hi := r.lo[i], r.hi[i]
	c := &r.cells[i]
	if isFixed(lo, hi) {
		return lo
	}
	m := share * (hi - lo)
	x = min(max(x, lo+m), hi-m)
	c.wl, c.wu = x-lo, hi-x
	return x
}

func (s *solver) middle(g *group) {
	rows := func(r *row, bands []band) {
		for i := range r.cells {
			r.put(i, (r.lo[i]+r.hi[i])/2, 0)
		}
		// a priced band says more about where a variable will be than its box does
		for k := range bands {
			r.put(bands[k].at, bands[k].level, 0.1)
		}
	}
	for j := range g.in {
		rows(&g.in[j].row, nil)
	}
	for k := range g.ch {
		rows(&g.ch[k].row, g.ch[k].bands)
	}
	rows(&g.net, g.netband)
}

// roll chooses powers and the states that follow from them. Inputs idle at a tenth of their box, or run at nine tenths where the import price pays for it; of each
// chain's inputs the first that fills it steers towards its bands.
func (s *solver) roll(g *group, want, x []float64) {
	for j := range g.in {
		u := &g.in[j]
		for i := range u.cells {
			share := 0.1
			if t := g.from + u.from + i; u.chain < 0 && u.cost[i]+u.sign*s.p.Import.Cost[t] < 0 {
				share = 0.9
			}
			u.put(i, u.lo[i]+share*(u.hi[i]-u.lo[i]), 0)
		}
	}
	for k := range g.ch {
		st := &g.ch[k]
		main := -1
		for _, j := range st.inputs {
			if u := &g.in[j]; main < 0 && u.sign != 0 && u.gain[0] > 0 {
				main = j
			}
		}
		n := len(st.cells)
		x := x[:n] // what the chain receives without its main input
		copy(x, st.drive)
		for _, j := range st.inputs {
			u := &g.in[j]
			for i := range u.cells {
				if t := u.from + i - st.from; j != main && t >= 0 && t < n && u.cells[i].wu != 0 {
					x[t] += u.gain[i] * (u.lo[i] + u.cells[i].wl)
				}
			}
		}
		s.aim(g, st, main, x, want[:n])
		before := 0.0
		for i := range st.cells {
			v := x[i]
			if i > 0 {
				v += st.keep[i] * before
			}
			if main >= 0 {
				u := &g.in[main]
				if j := st.from + i - u.from; j >= 0 && j < len(u.cells) && u.cells[j].wu != 0 {
					y := u.lo[j] + u.cells[j].wl
					if !math.IsNaN(want[i]) && u.gain[j] > 0 {
						y = (want[i] - v) / u.gain[j]
					}
					v += u.gain[j] * u.put(j, y, 0.1)
				}
			}
			before = st.put(i, v, 0.05)
		}
	}
}

// aim says where a chain shall be: at a fifth of the way between its bands, and before that where it comes from with its main input at two fifths; NaN where
// nothing is wanted.
func (s *solver) aim(g *group, st *state, main int, other, want []float64) {
	for i := range want {
		want[i] = math.NaN()
	}
	for k := range st.bands {
		b := &st.bands[k]
		switch {
		case math.IsNaN(want[b.at]):
			want[b.at] = b.level
		case b.e > 0:
			want[b.at] = 0.2*want[b.at] + 0.8*b.level
		default:
			want[b.at] = 0.8*want[b.at] + 0.2*b.level
		}
	}
	for i := len(want) - 1; i >= 0; i-- {
		lo, hi := st.lo[i], st.hi[i]
		switch {
		case !math.IsNaN(want[i]):
		case i == len(want)-1:
			want[i] = lo + 0.2*(hi-lo)
		case main >= 0 && st.keep[i+1] > 0 && !math.IsNaN(want[i+1]):
			u := &g.in[main]
			v := want[i+1] - other[i+1]
			if j := st.from + i + 1 - u.from; j >= 0 && j < len(u.cells) {
				v -= u.gain[j] * (u.lo[j] + 0.4*(u.hi[j]-u.lo[j]))
			}
			want[i] = v / st.keep[i+1]
		}
		want[i] = min(max(want[i], lo+0.1*(hi-lo)), hi-0.1*(hi-lo))
	}
}

// balance adds the group's net power at the start to s.net; where the group has a site row, it starts its net power near what the inputs make.
func (s *solver) balance(g *group, follow bool) {
	net := s.net[g.from : g.from+g.n]
	if !g.netted {
		for j := range g.in {
			u := &g.in[j]
			for i := range u.cells {
				if u.cells[i].wu != 0 {
					net[u.from+i] += u.sign * (u.lo[i] + u.cells[i].wl)
				}
			}
		}
		return
	}
	for t := range net {
		if follow {
			x := g.base[t]
			for j := range g.in {
				u := &g.in[j]
				if i := t - u.from; i >= 0 && i < len(u.cells) && u.cells[i].wu != 0 {
					x += u.sign * (u.lo[i] + u.cells[i].wl)
				}
			}
			g.net.put(t, x, 0.05)
		}
		net[t] += g.net.lo[t] + g.net.cells[t].wl
	}
}

func (s *solver) startFlows(follow bool) {
	mean := 0.0
	for t := range s.net {
		mean += math.Abs(s.net[t]+s.base[t]) / float64(s.T)
	}
	for t := range s.net {
		if !follow {
			s.imp.put(t, (s.imp.lo[t]+s.imp.hi[t])/2, 0)
			s.exp.put(t, (s.exp.lo[t]+s.exp.hi[t])/2, 0)
			continue
		}
		v := s.net[t] + s.base[t]
		s.imp.put(t, max(v, 0)+0.1*mean, 0.02)
		s.exp.put(t, max(-v, 0)+0.1*mean, 0.02)
	}
}

// multipliers sets those of a row's boxes and bands.
func (s *solver) multipliers(r *row, bands []band, boxed bool, mu float64) {
	for i := range r.cells {
		c := &r.cells[i]
		if c.wu == 0 {
			continue
		}
		tilt := 0.0 // cost with the bands' pull
		if r.cost != nil {
			tilt = s.unit * r.cost[i]
		}
		for len(bands) > 0 && bands[0].at == i {
			bands[0].start(r.lo[i]+c.wl, mu)
			tilt -= bands[0].e * bands[0].z
			bands = bands[1:]
			s.pairs += 2
		}
		if !boxed {
			c.wu = 1 // no distance: only a mark that it moves
			continue
		}
		c.zl = mu/c.wl + max(tilt, 0)
		c.zu = mu/c.wu + max(-tilt, 0)
		s.pairs += 2
	}
}

// start sets a band's distances and multipliers where both products are mu.
func (b *band) start(x, mu float64) {
	short := b.e * (b.level - x) // s - w
	// pen*a*(a+|short|) = mu*(2a+|short|) for the smaller a of s and w: both products equal mu
	m := math.Abs(short)
	q := b.pen*m - 2*mu
	r := math.Sqrt(q*q + 4*b.pen*mu*m)
	a := (r - q) / (2 * b.pen)
	if q > 0 {
		a = 2 * mu * m / (r + q)
	}
	if a <= 0 { // m == 0 and q == 0 cannot be: pen > 0; guard against underflow
		a = 1e-8
	}
	b.w, b.s = a, a+m
	if short < 0 {
		b.w, b.s = a+m, a
	}
	b.z = b.pen * b.s / (b.w + b.s)
	b.zs = b.pen * b.w / (b.w + b.s)
}

func (s *solver) startPeak() {
	T := s.T
	k := &s.peak
	top := math.Inf(-1)
	for _, h := range s.p.Import.Hi {
		top = max(top, h)
	}
	k.on = s.p.Peak.Price > 0 && top > s.p.Peak.SoFar
	if !k.on {
		return
	}
	k.price = s.unit * s.p.Peak.Price
	fl := make([]float64, 7*T)
	for _, v := range []*[]float64{&k.w, &k.zp, &k.dw, &k.dzp, &k.cw, &k.f, &k.zsave} {
		*v, fl = fl[:T:T], fl[T:]
	}
	high := 0.0
	for t := 0; t < T; t++ {
		high = max(high, s.imp.lo[t]+s.imp.cells[t].wl-s.p.Peak.SoFar)
	}
	k.pk = high + 0.1*max(1, high, 0.1*(top-s.p.Peak.SoFar))
	inv := 1 / k.pk
	for t := 0; t < T; t++ {
		k.w[t] = k.pk + s.p.Peak.SoFar - s.imp.lo[t] - s.imp.cells[t].wl
		inv += 1 / k.w[t]
	}
	m := k.price / inv
	k.zk = m / k.pk
	for t := range k.zp {
		k.zp[t] = m / k.w[t]
	}
	s.pairs += T + 1
}
