package ipm

import "math"

// block is one site's place in the flat arrays of a solver.
type block struct {
	p      *Site
	in, d  int
	v0     int     // first variable: inputs, then chains, then the net, Steps each
	r0     int     // first row: chains, then the site row, Steps each
	b0, b1 int     // its bands
	by     [][]int // inputs per chain
	f      factor
}

// band is a priced distance beyond a level: s >= 0 the distance paid for, w = e*(v-level) + s >= 0 with e = +1 below
// and -1 above, and their multipliers z and zs with z + zs = pen.
type band struct {
	v             int
	e, level, pen float64
	s, w, z, zs   float64
	ds, dw, dz    float64
	cs, cw        float64 // second-order products of the predictor
	h, den        float64 // curvature of the pair on the variable, and its denominator
}

// solver holds every number of one solve. Variables and rows are flat; see block.
type solver struct {
	p       *Problem
	T       int
	blocks  []block
	gi, ge  int // first variable of import and export
	lo, hi  []float64
	cost    []float64
	x       []float64
	wl, wu  []float64 // distances to the box, kept apart from x
	zl, zu  []float64
	fixed   []bool
	grad    []float64 // cost - A'dual
	dinv    []float64 // inverse curvature, 0 for a fixed variable
	g       []float64
	dx      []float64
	cl, cu  []float64 // second-order products of the predictor
	dual    []float64
	ddual   []float64
	res     []float64 // right-hand side minus row activity
	rhs     []float64
	bands   []band
	lam     []float64
	dlam    []float64
	resLam  []float64
	rhsLam  []float64
	left    []float64 // of the grid rows' residual after the step, by rounding
	peak    peakState
	schur   []float64
	shards  []shard
	scale   float64 // EUR of the caller per EUR inside
	pairs   int     // complementarity pairs
	power   float64 // typical power of a row, for relative residuals
	maxCost float64 // no point of the boxes costs more
}

type peakState struct {
	on             bool
	price          float64
	pk, zk         float64
	w, zp, dw, dzp []float64
	cw             []float64
	ck             float64
	dpk, dzk       float64
	f              []float64
	kap, gpk       float64
}

// shard is a fixed share of the sites with its own sums.
type shard struct {
	from, to int
	schur    []float64
	net      []float64 // sum of the sites' net powers
	most     []float64 // largest freedom of a net power
	lam      []float64 // right-hand side of the grid rows
	xbuf     []float64
	acc      sums
}

// sums are what one sweep over a shard adds up.
type sums struct {
	mu, wdz, zdw, dwdz float64
	objective, bound   float64
	primal, dual       float64 // largest residuals
	alphaP, alphaD     float64
}

func (a *sums) add(b *sums) {
	a.mu += b.mu
	a.wdz += b.wdz
	a.zdw += b.zdw
	a.dwdz += b.dwdz
	a.objective += b.objective
	a.bound += b.bound
	a.primal = math.Max(a.primal, b.primal)
	a.dual = math.Max(a.dual, b.dual)
	a.alphaP = math.Min(a.alphaP, b.alphaP)
	a.alphaD = math.Min(a.alphaD, b.alphaD)
}

const (
	fixedWidth = 1e-11 // a box narrower than this, relative to its level, is a constant
	startCost  = 0.04  // scaled cost of a typical kW and step, to which startMus were chosen
	maxShards  = 8
)

// startMus are the first complementarity products, in scaled EUR, of the attempts.
var startMus = [...]float64{0.01, 0.3, 10}

func newSolver(p *Problem, startMu float64) *solver {
	T := p.Steps
	s := &solver{p: p, T: T, blocks: make([]block, len(p.Sites))}
	nv, nr, nb := 0, 0, 0
	for i := range p.Sites {
		q := &p.Sites[i]
		b := &s.blocks[i]
		*b = block{p: q, in: len(q.Inputs), d: len(q.Chains), v0: nv, r0: nr, b0: nb, by: make([][]int, len(q.Chains))}
		for j := range q.Inputs {
			if k := q.Inputs[j].Chain; k >= 0 {
				b.by[k] = append(b.by[k], j)
			}
		}
		nv += (b.in + b.d + 1) * T
		nr += (b.d + 1) * T
		for k := range q.Chains {
			nb += countBand(q.Chains[k].Low) + countBand(q.Chains[k].High)
		}
		nb += countBand(q.Low) + countBand(q.High) + countBand(&Band{Penalty: q.Fee})
		b.b1 = nb // an upper count; the exact end is set when the bands are placed
	}
	s.gi, s.ge = nv, nv+T
	nv += 2 * T
	fl := make([]float64, 13*nv+4*nr+4*T+T*T)
	take := func(n int) []float64 { v := fl[:n:n]; fl = fl[n:]; return v }
	s.lo, s.hi, s.cost, s.x = take(nv), take(nv), take(nv), take(nv)
	s.wl, s.wu, s.zl, s.zu = take(nv), take(nv), take(nv), take(nv)
	s.grad, s.dinv, s.g, s.dx = take(nv), take(nv), take(nv), take(nv)
	s.cl = take(nv)
	s.cu = make([]float64, nv)
	s.fixed = make([]bool, nv)
	s.dual, s.ddual, s.res, s.rhs = take(nr), take(nr), take(nr), take(nr)
	s.lam, s.dlam, s.resLam, s.rhsLam = take(T), take(T), take(T), take(T)
	s.left = make([]float64, T)
	s.schur = take(T * T)
	s.bands = make([]band, 0, nb)
	s.setScale()
	s.place(startMu)
	n := min(maxShards, max(1, len(p.Sites)))
	for n > 1 && n*T*T > 1<<24 { // at most 128 MB of partial sums
		n--
	}
	s.shards = make([]shard, n)
	dmax := 0
	for i := range s.blocks {
		s.blocks[i].f = newFactor(T, s.blocks[i].d)
		dmax = max(dmax, s.blocks[i].d)
	}
	for k := range s.shards {
		s.shards[k] = shard{from: k * len(p.Sites) / n, to: (k + 1) * len(p.Sites) / n,
			schur: make([]float64, T*T),
			net:   make([]float64, T), most: make([]float64, T), lam: make([]float64, T), xbuf: make([]float64, dmax*T+4*dmax*dmax+4*dmax)}
	}
	return s
}

func countBand(b *Band) int {
	n := 0
	if b != nil {
		for _, p := range b.Penalty {
			if p > 0 {
				n++
			}
		}
	}
	return n
}

// setScale chooses the money unit in which a typical boundary price is startCost, and the power that residuals are measured by.
func (s *solver) setScale() {
	sum, n := 0.0, 0
	for t := 0; t < s.T; t++ {
		sum += math.Abs(s.p.Import.Cost[t])
		n++
	}
	if sum == 0 {
		for i := range s.p.Sites {
			for _, f := range s.p.Sites[i].Fee {
				sum += math.Abs(f)
				n++
			}
		}
	}
	if sum == 0 {
		for t := 0; t < s.T; t++ {
			sum += math.Abs(s.p.Export.Cost[t])
			n++
		}
	}
	s.scale = 1
	if sum > 0 {
		s.scale = sum / float64(n) / startCost
	}
	if s.scale < 1e-9 {
		s.scale = 1e-9
	}
	s.power = 1
	for i := range s.p.Sites {
		for _, b := range s.p.Sites[i].Base {
			s.power = math.Max(s.power, math.Abs(b))
		}
	}
}

// place copies boxes and costs and sets the starting point: the middle of each box, multipliers central and dual feasible for
// zero prices.
func (s *solver) place(startMu float64) {
	T := s.T
	put := func(v int, lo, hi, cost []float64) {
		copy(s.lo[v:v+T], lo)
		copy(s.hi[v:v+T], hi)
		if cost != nil {
			for t := 0; t < T; t++ {
				s.cost[v+t] = cost[t] / s.scale
			}
		}
	}
	for i := range s.blocks {
		b := &s.blocks[i]
		v := b.v0
		for j := range b.p.Inputs {
			u := &b.p.Inputs[j]
			put(v, u.Lo, u.Hi, u.Cost)
			v += T
		}
		b.b0 = len(s.bands)
		for k := range b.p.Chains {
			c := &b.p.Chains[k]
			put(v, c.Lo, c.Hi, c.Cost)
			s.addBands(v, c.Low, c.High, nil)
			v += T
		}
		put(v, b.p.Lo, b.p.Hi, nil)
		s.addBands(v, b.p.Low, b.p.High, b.p.Fee)
		b.b1 = len(s.bands)
	}
	put(s.gi, s.p.Import.Lo, s.p.Import.Hi, s.p.Import.Cost)
	put(s.ge, s.p.Export.Lo, s.p.Export.Hi, s.p.Export.Cost)
	for v := range s.x {
		s.x[v] = (s.lo[v] + s.hi[v]) / 2
		s.fixed[v] = s.hi[v]-s.lo[v] <= fixedWidth*(1+math.Abs(s.lo[v]))
	}
	// A priced band says more about where a variable will be than its box does.
	for i := range s.bands {
		b := &s.bands[i]
		if s.fixed[b.v] {
			continue
		}
		w := s.hi[b.v] - s.lo[b.v]
		s.x[b.v] = math.Min(math.Max(b.level, s.lo[b.v]+0.1*w), s.hi[b.v]-0.1*w)
	}
	tilt := s.g // scratch: cost with the bands' pull
	copy(tilt, s.cost)
	for i := range s.bands {
		b := &s.bands[i]
		short := b.e * (b.level - s.x[b.v]) // s - w
		// pen*a*(a+|short|) = startMu*(2a+|short|) for the smaller a of s and w: both products equal startMu
		m := math.Abs(short)
		q := b.pen*m - 2*startMu
		r := math.Sqrt(q*q + 4*b.pen*startMu*m)
		a := (r - q) / (2 * b.pen)
		if q > 0 {
			a = 2 * startMu * m / (r + q)
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
		tilt[b.v] -= b.e * b.z
		if s.fixed[b.v] {
			b.z, b.zs = 0, 0 // a constant: its cost is counted, nothing else
		}
	}
	for v := range s.x {
		if s.fixed[v] {
			s.x[v] = s.lo[v]
			continue
		}
		s.wl[v], s.wu[v] = s.x[v]-s.lo[v], s.hi[v]-s.x[v]
		s.zl[v] = startMu/s.wl[v] + math.Max(tilt[v], 0)
		s.zu[v] = startMu/s.wu[v] + math.Max(-tilt[v], 0)
		s.pairs += 2
	}
	for i := range s.bands {
		if !s.fixed[s.bands[i].v] {
			s.pairs += 2
		}
	}
	s.startPeak()
	s.maxCost = s.highestCost()
}

// addBands places the bands of the variables v, v+1, ...; those of one variable are neighbours. A fee is a band above zero.
func (s *solver) addBands(v int, low, high *Band, fee []float64) {
	for t := 0; t < s.T; t++ {
		if low != nil && low.Penalty[t] > 0 {
			s.bands = append(s.bands, band{v: v + t, e: 1, level: low.Level[t], pen: low.Penalty[t] / s.scale})
		}
		if high != nil && high.Penalty[t] > 0 {
			s.bands = append(s.bands, band{v: v + t, e: -1, level: high.Level[t], pen: high.Penalty[t] / s.scale})
		}
		if fee != nil && fee[t] > 0 {
			s.bands = append(s.bands, band{v: v + t, e: -1, pen: fee[t] / s.scale})
		}
	}
}

func (s *solver) startPeak() {
	T := s.T
	k := &s.peak
	top := math.Inf(-1)
	for _, h := range s.p.Import.Hi {
		top = math.Max(top, h)
	}
	k.on = s.p.Peak.Price > 0 && top > s.p.Peak.SoFar
	if !k.on {
		return
	}
	k.price = s.p.Peak.Price / s.scale
	fl := make([]float64, 6*T)
	k.w, k.zp, k.dw, k.dzp, k.cw, k.f = fl[:T], fl[T:2*T], fl[2*T:3*T], fl[3*T:4*T], fl[4*T:5*T], fl[5*T:]
	high := 0.0
	for t := 0; t < T; t++ {
		high = math.Max(high, s.x[s.gi+t]-s.p.Peak.SoFar)
	}
	k.pk = high + 0.1*math.Max(1, top-s.p.Peak.SoFar)
	inv := 1 / k.pk
	for t := 0; t < T; t++ {
		k.w[t] = k.pk + s.p.Peak.SoFar - s.x[s.gi+t]
		inv += 1 / k.w[t]
	}
	m := k.price / inv
	k.zk = m / k.pk
	for t := range k.zp {
		k.zp[t] = m / k.w[t]
	}
	s.pairs += T + 1
}
