package ipm

import "math"

// start sets the starting point of the attempt; run runs a sweep over the shards. The first attempt rolls every chain forward with powers that bring it to its bands, so that the
// rows hold where they can, at first prices; a later one takes the middle of each box, without prices. Multipliers are central, and dual feasible for these prices.
func (s *solver) start(run func(func(*shard))) {
	mu := startMus[s.attempt]
	if s.attempt == 0 {
		s.startPrices()
	}
	run(s.startShard)
	s.total(s.net, ofNet)
	for i := range s.shards {
		s.pairs += s.shards[i].pairs
	}
	s.startFlows(s.attempt == 0)
	s.flowMultipliers(&s.imp, mu, -1)
	s.flowMultipliers(&s.exp, mu, 1)
	s.startPeak()
	s.maxCost = s.highestCost()
}

// startShard does it for the shard's groups; h.net becomes the sum of their net powers.
func (s *solver) startShard(h *shard) {
	mu := startMus[s.attempt]
	clear(h.net)
	want, x := h.work[0][:s.T], h.work[1][:s.T]
	for i := h.from; i < h.to; i++ {
		g := &s.groups[i]
		if s.attempt == 0 {
			s.startDuals(g)
			s.roll(g, want, x)
		} else {
			s.middle(g)
		}
		s.balance(g, s.attempt == 0, h.net)
		for j := range g.in {
			u := &g.in[j]
			h.pairs += s.multipliers(&u.row, true, mu, s.tiltInput(g, u, want))
		}
		for k := range g.ch {
			st := &g.ch[k]
			h.pairs += s.multipliers(&st.row, st.boxed, mu, g.tiltState(st, want))
		}
		clear(want) // a site's price is the district's
		h.pairs += s.multipliers(&g.net, true, mu, want)
	}
	for k := range h.work {
		clear(h.work[k])
	}
}

// inside is x moved at least a share of the box away from its ends.
func inside(lo, hi, x, share float64) float64 {
	m := share * (hi - lo)
	return min(max(x, lo+m), hi-m)
}

// put places a variable at x, inside by a share of its box, and returns where. A fixed variable stays at its value.
func (r *row) put(i int, x, share float64) float64 {
	lo, hi := r.lo[i], r.hi[i]
	if isFixed(lo, hi) {
		return lo
	}
	x = inside(lo, hi, x, share)
	b, k := &r.blocks[i/lanes], i%lanes
	b.wl[k], b.wu[k] = x-lo, hi-x
	return x
}

// put places the flow in a step.
func (f *flow) put(i int, x, share float64) {
	lo, hi := f.lo[i], f.hi[i]
	if !isFixed(lo, hi) {
		x = inside(lo, hi, x, share)
		f.cells[i].wl, f.cells[i].wu = x-lo, hi-x
	}
}

// placed is where a variable was put, and false where it is fixed.
func (r *row) placed(i int) (float64, bool) {
	b, k := &r.blocks[i/lanes], i%lanes
	return r.lo[i] + b.wl[k], b.wu[k] != 0
}

func (s *solver) middle(g *group) {
	rows := func(r *row) {
		for i := range r.steps() {
			r.put(i, (r.lo[i]+r.hi[i])/2, 0)
		}
		// a priced band says more about where a variable will be than its box does
		r.eachBand(func(i int, _ float64, c *bandBlock, k int) { r.put(i, c.level[k], 0.1) })
	}
	for j := range g.in {
		rows(&g.in[j].row)
	}
	for k := range g.ch {
		rows(&g.ch[k].row)
	}
	rows(&g.net)
}

// eachBand calls see for each step of each band: with the row's step, the band's side, its block and the place in it; bands of one step in their order.
func (r *row) eachBand(see func(i int, e float64, c *bandBlock, k int)) {
	for i := range r.steps() {
		for n := range r.bands {
			bd := &r.bands[n]
			if m := i/lanes - bd.first; m >= 0 && m < len(bd.blocks) && bd.blocks[m].pen[i%lanes] > 0 {
				see(i, bd.e, &bd.blocks[m], i%lanes)
			}
		}
	}
}

// roll chooses powers and the states that follow from them. Inputs idle at a tenth of their box, or run at nine tenths where the import price pays for it; of each
// chain's inputs the first that fills it steers towards its bands.
func (s *solver) roll(g *group, want, x []float64) {
	for j := range g.in {
		u := &g.in[j]
		for i := range u.steps() {
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
		n := st.steps()
		x := x[:n] // what the chain receives without its main input
		copy(x, st.drive)
		for _, j := range st.inputs {
			u := &g.in[j]
			for i := range u.steps() {
				if v, free := u.placed(i); free && j != main && u.from+i >= st.from && u.from+i < st.to {
					x[u.from+i-st.from] += u.gain[i] * v
				}
			}
		}
		s.aim(g, st, main, x, want[:n])
		before := 0.0
		for i := range n {
			v := x[i]
			if i > 0 {
				v += st.keep[i] * before
			}
			if main >= 0 {
				u := &g.in[main]
				if j := st.from + i - u.from; j >= 0 && j < u.steps() && !isFixed(u.lo[j], u.hi[j]) {
					y, _ := u.placed(j)
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
	st.eachBand(func(i int, e float64, c *bandBlock, k int) {
		switch level := c.level[k]; {
		case math.IsNaN(want[i]):
			want[i] = level
		case e > 0:
			want[i] = 0.2*want[i] + 0.8*level
		default:
			want[i] = 0.8*want[i] + 0.2*level
		}
	})
	for i := len(want) - 1; i >= 0; i-- {
		lo, hi := st.lo[i], st.hi[i]
		switch {
		case !math.IsNaN(want[i]):
		case i == len(want)-1:
			want[i] = lo + 0.2*(hi-lo)
		case main >= 0 && st.keep[i+1] > 0 && !math.IsNaN(want[i+1]):
			u := &g.in[main]
			v := want[i+1] - other[i+1]
			if j := st.from + i + 1 - u.from; j >= 0 && j < u.steps() {
				v -= u.gain[j] * (u.lo[j] + 0.5*(u.hi[j]-u.lo[j]))
			}
			want[i] = v / st.keep[i+1]
		}
		want[i] = min(max(want[i], lo+0.1*(hi-lo)), hi-0.1*(hi-lo))
	}
}

// balance adds the group's net power at the start to sum; where the group has a site row, it starts its net power near what the inputs make.
func (s *solver) balance(g *group, follow bool, sum []float64) {
	net := sum[g.from : g.from+g.n]
	if !g.netted {
		for j := range g.in {
			u := &g.in[j]
			for i := range u.steps() {
				if v, free := u.placed(i); free {
					net[u.from+i] += u.sign * v
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
				if i := t - u.from; i >= 0 && i < u.steps() {
					if v, free := u.placed(i); free {
						x += u.sign * v
					}
				}
			}
			g.net.put(t, x, 0.05)
		}
		v, _ := g.net.placed(t)
		net[t] += v
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

// multipliers sets those of a row's boxes and bands, makes its holes, and returns the number of pairs. tilt is what the duals add to the variable's cost; it works in it.
func (s *solver) multipliers(r *row, boxed bool, mu float64, tilt []float64) (pairs int) {
	tilt = tilt[:r.steps()] // with the costs and the bands' pull
	for i := range r.cost[:min(len(r.cost), len(tilt))] {
		tilt[i] += s.unit * r.cost[i]
	}
	for n := range r.bands { // where a band has no step
		for k := range r.bands[n].blocks {
			c := &r.bands[n].blocks[k]
			c.w, c.s = four{1, 1, 1, 1}, four{1, 1, 1, 1}
		}
	}
	r.eachBand(func(i int, e float64, c *bandBlock, k int) {
		v, _ := r.placed(i)
		c.start(k, e, v, mu)
		tilt[i] -= e * c.z[k]
		pairs += 2
	})
	for i := range lanes * len(r.blocks) {
		b, k := &r.blocks[i/lanes], i%lanes
		switch {
		case !boxed:
			b.wu[k] = 1 // no distance
		case b.wu[k] == 0:
			b.wl[k], b.wu[k] = 1, 1
		default:
			b.zl[k] = mu/b.wl[k] + max(tilt[i], 0)
			b.zu[k] = mu/b.wu[k] + max(-tilt[i], 0)
			pairs += 2
		}
	}
	return pairs
}

// flowMultipliers sets those of a boundary flow, whose part in the grid rows' prices is sign.
func (s *solver) flowMultipliers(f *flow, mu, sign float64) {
	for i := range f.cells {
		if c := &f.cells[i]; c.wu != 0 {
			c.zl = mu/c.wl + max(s.unit*f.cost[i]+sign*s.lam[i], 0)
			c.zu = mu/c.wu + max(-s.unit*f.cost[i]-sign*s.lam[i], 0)
			s.pairs += 2
		}
	}
}

// start sets the distances and multipliers of a band's step where both products are mu.
func (b *bandBlock) start(k int, e, x, mu float64) {
	pen := b.pen[k]
	short := e * (b.level[k] - x) // s - w
	// pen*a*(a+|short|) = mu*(2a+|short|) for the smaller a of s and w: both products equal mu
	m := math.Abs(short)
	q := pen*m - 2*mu
	r := math.Sqrt(q*q + 4*pen*mu*m)
	a := (r - q) / (2 * pen)
	if q > 0 {
		a = 2 * mu * m / (r + q)
	}
	if a <= 0 { // m == 0 and q == 0 cannot be: pen > 0; guard against underflow
		a = 1e-8
	}
	b.w[k], b.s[k] = a, a+m
	if short < 0 {
		b.w[k], b.s[k] = a+m, a
	}
	b.z[k] = pen * b.s[k] / (b.w[k] + b.s[k])
	b.zs[k] = pen * b.w[k] / (b.w[k] + b.s[k])
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

// The first prices: of the district, between what it pays and what it is paid, and a third of the way to their mean, since storage evens them out; of a chain, what makes its inputs
// worth their price on the average.
const (
	startExport = 0.6 // share of the export's price
	startMean   = 0.3 // share of the mean
	startWorth  = 1.2 // of a chain's state against its inputs
)

// startPrices sets the first prices of the grid rows.
func (s *solver) startPrices() {
	lam := s.lam[:s.T]
	mean := 0.0
	for t := range lam {
		lam[t] = s.unit * ((1-startExport)*s.p.Import.Cost[t] - startExport*s.p.Export.Cost[t])
		mean += lam[t] / float64(s.T)
	}
	for t := range lam {
		lam[t] += startMean * (mean - lam[t])
	}
}

// startDuals sets the first duals of a group's rows.
func (s *solver) startDuals(g *group) {
	if g.netted {
		copy(g.v[:g.n], s.lam[g.from:g.from+g.n])
	}
	for k := range g.ch {
		st := &g.ch[k]
		worth, n := 0.0, 0
		for _, j := range st.inputs {
			u := &g.in[j]
			for i := range u.steps() {
				if u.sign != 0 && u.gain[i] != 0 && !isFixed(u.lo[i], u.hi[i]) {
					worth -= (s.unit*u.cost[i] + u.sign*s.lam[g.from+u.from+i]) / u.gain[i]
					n++
				}
			}
		}
		if n > 0 {
			for i := range st.steps() {
				g.y[st.at+i] = startWorth * worth / float64(n)
			}
		}
	}
}

// tiltInput writes to tilt what the first duals add to the cost of an input.
func (s *solver) tiltInput(g *group, u *input, tilt []float64) []float64 {
	for i := range u.steps() {
		tilt[i] = u.sign * s.lam[g.from+u.from+i]
		if u.chain >= 0 {
			tilt[i] += u.gain[i] * g.y[u.at+i]
		}
	}
	return tilt
}

// tiltState writes to tilt what the first duals add to the cost of a state.
func (g *group) tiltState(st *state, tilt []float64) []float64 {
	for i := range st.steps() {
		tilt[i] = -g.y[st.at+i] + st.keep[i+1]*g.y[st.at+i+1]
	}
	return tilt
}
