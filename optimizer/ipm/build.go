package ipm

import "math"

// newSolver lays the program out, with rows for the limited sites (nil: all) whose limits can be reached.
func newSolver(p *Problem, limited []bool, attempt int) *solver {
	T := p.Steps
	s := &solver{p: p, T: T, attempt: attempt, base: make([]float64, T)}
	s.setScale()
	s.delta = make([]float64, T, T+2*lanes)
	for _, v := range []*[]float64{&s.lam, &s.dlam, &s.lamSave, &s.impSave, &s.expSave, &s.resLam, &s.rhsLam, &s.left, &s.lam0, &s.lam1, &s.net, &s.before, &s.gi, &s.ge, &s.di, &s.de, &s.flowAP, &s.flowAD} {
		*v = make([]float64, T, T+2*lanes) // rows read whole blocks
	}
	s.schur, s.work, s.still = make([]float64, T*T), make([]float64, T*T), make([]bool, T)
	for i := range p.Sites {
		s.addSite(i, limited == nil || limited[i])
	}
	s.imp = flow{cells: make([]cell, T), lo: p.Import.Lo, hi: p.Import.Hi, cost: p.Import.Cost}
	s.exp = flow{cells: make([]cell, T), lo: p.Export.Lo, hi: p.Export.Hi, cost: p.Export.Cost}
	dmax, blocks, numbers := 0, 0, 0
	for i := range s.groups {
		c, n := s.groups[i].size()
		blocks, numbers, dmax = blocks+c, numbers+n, max(dmax, s.groups[i].d())
	}
	room := memory{make([]block, blocks), make([]float64, numbers), make([]float64, lanes*blocks)}
	for i := range s.groups {
		s.groups[i].place(&room)
	}
	s.lengths = make([]float64, max(len(s.groups), T))
	s.sweeps = sweeps{s.measureShard, s.predictShard, s.correctShard, s.holdShard, s.refineShard}
	n := min(maxShards, max(1, len(s.groups)/shardGroups))
	if n > 2 {
		n -= n % 2
	}
	for n > 1 && n*T*T > 1<<24 { // at most 128 MB of partial sums
		n--
	}
	s.shards = make([]shard, 0, n)
	first, done := 0, 0
	for i := range s.groups {
		b, _ := s.groups[i].size()
		if done += b; done*n >= blocks*(len(s.shards)+1) || i == len(s.groups)-1 {
			s.shards = append(s.shards, newShard(T, dmax, first, i+1))
			first = i + 1
		}
	}
	if len(s.shards) == 0 {
		s.shards = append(s.shards, newShard(T, dmax, 0, 0))
	}
	return s
}

func newShard(T, d, from, to int) shard {
	h := shard{from: from, to: to, schur: make([]float64, T*T), blocks: make([]float64, 6*d*d+3*d+8), cols: make([]four, d)}
	room := whole(T) + 2*lanes
	for _, v := range []*[]float64{&h.net, &h.most, &h.lam0, &h.lam1, &h.pu, &h.p0, &h.su, &h.g0, &h.g1} {
		*v = make([]float64, room)
	}
	for _, v := range []*[]float64{&h.bb, &h.cross, &h.pk, &h.xs, &h.k0, &h.k1, &h.xbuf} {
		*v = make([]float64, stride(T)*max(1, d))
	}
	for k := range h.work {
		h.work[k] = make([]float64, room)
	}
	return h
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
		s.scale = max(1e-9, sum/float64(n)/startCost)
	}
	s.unit = 1 / s.scale
	s.power = 1
	sum = 0
	for i := range s.p.Sites {
		for _, b := range s.p.Sites[i].Base {
			s.power = max(s.power, math.Abs(b))
			sum += math.Abs(b)
		}
	}
	s.wide = max(1, sum/float64(s.T)/s.power)
}

func isFixed(lo, hi float64) bool { return hi-lo <= fixedWidth*(1+math.Abs(lo)) }

// span returns the steps between the first and the last in which the box is open.
func span(lo, hi []float64) (from, to int) {
	to = len(lo)
	for to > 0 && isFixed(lo[to-1], hi[to-1]) {
		to--
	}
	for from < to && isFixed(lo[from], hi[from]) {
		from++
	}
	return from, to
}

// blocked lengthens a span to whole blocks where the steps suffice.
func blocked(from, to, T int) (int, int) {
	if from == to {
		return from, to
	}
	n := whole(to - from)
	to = min(T, from+n)
	return max(0, to-n), to
}

// addSite makes the groups of one site. What cannot move is folded into the rows' right-hand sides: fixed inputs everywhere, and a chain's states before its first
// free input and after its last restart.
func (s *solver) addSite(i int, limited bool) {
	q, T := &s.p.Sites[i], s.T
	base := q.Base
	owned := false
	own := func() {
		if !owned {
			base, owned = append([]float64(nil), base...), true
		}
	}
	inputs := make([]input, 0, len(q.Inputs))
	drives := make([][]float64, len(q.Chains))
	for k := range drives {
		drives[k] = q.Chains[k].Drive
	}
	for j := range q.Inputs {
		u := &q.Inputs[j]
		from, to := span(u.Lo, u.Hi)
		from, to = blocked(from, to, T)
		copied := false
		for t := 0; t < T; t++ {
			lo := u.Lo[t]
			if lo == 0 || !isFixed(lo, u.Hi[t]) {
				continue
			}
			s.constant += s.unit * u.Cost[t] * lo
			if u.Sign != 0 {
				own()
				base[t] += u.Sign * lo
			}
			if u.Chain >= 0 {
				if !copied {
					drives[u.Chain], copied = append([]float64(nil), drives[u.Chain]...), true
				}
				drives[u.Chain][t] += u.Gain[t] * lo
			}
		}
		if from < to {
			inputs = append(inputs, input{row: row{from: from, to: to, lo: u.Lo, hi: u.Hi, cost: u.Cost}, index: j, chain: u.Chain, sign: u.Sign, gain: u.Gain})
		}
	}
	states := make([]state, len(q.Chains))
	for k := range states {
		states[k] = s.chainState(&q.Chains[k], k, drives[k], inputs)
	}
	if s.needsRow(q, base, inputs, limited) {
		s.groups = append(s.groups, siteGroup(s, i, q, base, inputs, states))
		return
	}
	for t, v := range base {
		s.base[t] += v
	}
	for k := range states {
		if st := &states[k]; st.from < st.to {
			g := group{site: i, from: st.from, n: st.to - st.from}
			for _, u := range inputs {
				if u.chain == k {
					g.in = append(g.in, u)
				}
			}
			g.ch = []state{*st}
			g.settle()
			s.groups = append(s.groups, g)
		}
	}
	for _, u := range inputs {
		if u.chain < 0 {
			g := group{site: i, from: u.from, n: u.to - u.from, in: []input{u}}
			g.settle()
			s.groups = append(s.groups, g)
		}
	}
}

// chainState finds the steps of a chain that decide something; the rest is constant.
func (s *solver) chainState(c *Chain, k int, drive []float64, inputs []input) state {
	T := s.T
	st := state{row: row{to: T, lo: c.Lo, hi: c.Hi, cost: c.Cost}, index: k, keep: c.Keep, drive: drive}
	from, to := T, 0 // of its inputs
	for j := range inputs {
		if inputs[j].chain == k {
			from, to = min(from, inputs[j].from), max(to, inputs[j].to)
		}
	}
	constant := func(t int, x float64) bool {
		if x < c.Lo[t] || x > c.Hi[t] {
			return false
		}
		s.constant += s.unit * (c.Cost[t]*x + bandsAt(c, t, x))
		return true
	}
	x := 0.0
	for st.from < min(from, T) {
		next := c.Keep[st.from]*x + drive[st.from]
		if !constant(st.from, next) {
			break
		}
		x = next
		st.from++
	}
	st.before = x
	// the last restart after which no input is free
	end := T
	for t := T - 1; t >= max(to, st.from+1); t-- {
		if c.Keep[t] == 0 {
			end = t
		}
	}
	x = 0
	for t := end; t < T; t++ { // all of it or nothing
		x = c.Keep[t]*x + drive[t]
		if x < c.Lo[t] || x > c.Hi[t] {
			end = T
		}
	}
	x = 0
	for t := end; t < T; t++ {
		x = c.Keep[t]*x + drive[t]
		constant(t, x)
	}
	st.to = end
	if st.from > 0 && st.from < st.to && c.Keep[st.from] != 0 && st.before != 0 {
		st.drive = append([]float64(nil), drive...)
		st.drive[st.from] += c.Keep[st.from] * st.before
	}
	for t := st.from; t < st.to; t++ {
		if x := c.Lo[t]; isFixed(x, c.Hi[t]) {
			s.constant += s.unit * bandsAt(c, t, x)
		}
	}
	st.addBand(s, 1, c.Low)
	st.addBand(s, -1, c.High)
	st.boxed = !s.boxImplied(c, &st, inputs)
	return st
}

// bandsAt is what a chain's bands cost at x.
func bandsAt(c *Chain, t int, x float64) float64 {
	y := 0.0
	if b := c.Low; b != nil {
		y += b.Penalty[t] * max(0, b.Level[t]-x)
	}
	if b := c.High; b != nil {
		y += b.Penalty[t] * max(0, x-b.Level[t])
	}
	return y
}

// addBand gives a row, whose series are the program's still, the band in the steps in which the row moves.
func (r *row) addBand(s *solver, e float64, b *Band) {
	if b == nil {
		return
	}
	first, last := -1, -1
	free := func(t int) bool { return b.Penalty[t] > 0 && !isFixed(r.lo[t], r.hi[t]) }
	for t := r.from; t < r.to; t++ {
		if free(t) {
			if last = (t - r.from) / lanes; first < 0 {
				first = last
			}
		}
	}
	if first < 0 {
		return
	}
	out := band{e: e, first: first, blocks: make([]bandBlock, last+1-first)}
	for t := r.from; t < r.to; t++ {
		if free(t) {
			i := t - r.from - first*lanes
			c := &out.blocks[i/lanes]
			c.level[i%lanes], c.pen[i%lanes] = b.Level[t], s.unit*b.Penalty[t]
		}
	}
	r.bands = append(r.bands, out)
}

// boxImplied reports whether the inputs' boxes keep a chain inside its own, and bands on both sides give it curvature without it.
func (s *solver) boxImplied(c *Chain, st *state, inputs []input) bool {
	if c.Low == nil || c.High == nil {
		return false
	}
	lo, hi := 0.0, 0.0
	for t := st.from; t < st.to; t++ {
		if !(c.Low.Penalty[t] > 0 && c.High.Penalty[t] > 0) || isFixed(c.Lo[t], c.Hi[t]) {
			return false
		}
		if t > st.from {
			lo, hi = min(c.Keep[t]*lo, c.Keep[t]*hi), max(c.Keep[t]*lo, c.Keep[t]*hi)
		}
		lo, hi = lo+st.drive[t], hi+st.drive[t]
		for j := range inputs {
			if u := &inputs[j]; u.chain == st.index && t >= u.from && t < u.to && !isFixed(u.lo[t], u.hi[t]) {
				a, b := u.gain[t]*u.lo[t], u.gain[t]*u.hi[t]
				lo, hi = lo+min(a, b), hi+max(a, b)
			}
		}
		if lo < c.Lo[t] || hi > c.Hi[t] {
			return false
		}
	}
	return true
}

// likely is the share of what a site's inputs can add to its load below which a limit is expected to bind.
const likely = 0.6

// needsRow reports whether a site's net power has a price of its own, or limits that its inputs can reach; where it is not known to be limited, only such as
// are likely to bind.
func (s *solver) needsRow(q *Site, base []float64, inputs []input, limited bool) bool {
	if countBand(q.Low)+countBand(q.High)+countBand(&Band{Penalty: q.Fee}) > 0 {
		return true
	}
	share := likely
	if limited {
		share = 1
	}
	for t, b := range base {
		lo, hi := b, b
		for j := range inputs {
			if u := &inputs[j]; t >= u.from && t < u.to && !isFixed(u.lo[t], u.hi[t]) {
				x, y := u.sign*u.lo[t], u.sign*u.hi[t]
				lo, hi = lo+min(x, y), hi+max(x, y)
			}
		}
		if b < q.Lo[t] || b > q.Hi[t] || lo < q.Lo[t] && q.Lo[t] > b+share*(lo-b) || hi > q.Hi[t] && q.Hi[t] < b+share*(hi-b) {
			return true
		}
	}
	return false
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

// siteGroup is a site with its row.
func siteGroup(s *solver, i int, q *Site, base []float64, inputs []input, states []state) group {
	g := group{site: i, n: s.T, in: inputs, netted: true, base: base}
	for k := range states {
		if states[k].from < states[k].to {
			g.ch = append(g.ch, states[k])
		}
	}
	g.net = row{to: s.T, lo: q.Lo, hi: q.Hi}
	for t := 0; t < s.T; t++ {
		if x := q.Lo[t]; isFixed(x, q.Hi[t]) {
			if q.Low != nil {
				s.constant += s.unit * q.Low.Penalty[t] * max(0, q.Low.Level[t]-x)
			}
			if q.High != nil {
				s.constant += s.unit * q.High.Penalty[t] * max(0, x-q.High.Level[t])
			}
			if q.Fee != nil {
				s.constant += s.unit * q.Fee[t] * max(0, x)
			}
		}
	}
	g.net.addBand(s, 1, q.Low)
	g.net.addBand(s, -1, q.High)
	if q.Fee != nil {
		g.net.addBand(s, -1, &Band{Level: make([]float64, s.T), Penalty: q.Fee})
	}
	g.settle()
	return g
}

// settle turns the steps of rows and bands into the group's, cuts the series, and joins inputs to chains.
func (g *group) settle() {
	cut := func(v []float64, r *row) []float64 {
		if v == nil {
			return nil
		}
		return padded(v[r.from:r.to:r.to])
	}
	for k := range g.ch {
		st := &g.ch[k]
		r := st.row
		st.lo, st.hi, st.cost = cut(st.lo, &r), cut(st.hi, &r), cut(st.cost, &r)
		keep := make([]float64, whole(r.to-r.from)+lanes)
		copy(keep, st.keep[r.from:r.to])
		st.keep, st.drive = keep, cut(st.drive, &r)
		st.from, st.to = r.from-g.from, r.to-g.from
	}
	if g.netted {
		g.net.lo, g.net.hi = padded(g.net.lo), padded(g.net.hi)
	}
	for j := range g.in {
		u := &g.in[j]
		r := u.row
		u.lo, u.hi, u.cost, u.gain = cut(u.lo, &r), cut(u.hi, &r), cut(u.cost, &r), cut(u.gain, &r)
		u.from, u.to = r.from-g.from, r.to-g.from
		if u.chain >= 0 {
			for k := range g.ch {
				if g.ch[k].index == u.chain {
					u.chain = k
					g.ch[k].inputs = append(g.ch[k].inputs, j)
					break
				}
			}
		}
	}
}

// stride is how many numbers a series over n steps of one chain has: those of a row reach to the end of its last block, and one step further is read.
func stride(n int) int { return whole(n) + lanes }

// size is how many blocks and numbers a group needs.
func (g *group) size() (blocks, numbers int) {
	n, d, m := g.n, g.d(), stride(g.n)
	for j := range g.in {
		blocks += whole(g.in[j].steps()) / lanes
	}
	for k := range g.ch {
		blocks += whole(g.ch[k].steps()) / lanes
	}
	numbers = n*d*d + n*d + 7*m*d + m
	if g.netted {
		blocks += whole(n) / lanes
		numbers += m*d + 8*m
	}
	return blocks, numbers
}

// memory is what groups are given from, front to back. The points have their own, because the solution is made of them and outlives the rest.
type memory struct {
	blocks  []block
	numbers []float64
	points  []float64
}

// place gives a group its memory.
func (g *group) place(room *memory) {
	n, d, m := g.n, g.d(), stride(g.n)
	g.stride = m
	blocks, _ := g.size()
	take := func(r *row) {
		k := whole(r.steps()) / lanes
		r.blocks, room.blocks = room.blocks[:k:k], room.blocks[k:]
	}
	for j := range g.in {
		take(&g.in[j].row)
		g.in[j].at = g.in[j].chain*m + g.in[j].from
	}
	for k := range g.ch {
		take(&g.ch[k].row)
		g.ch[k].at = k*m + g.ch[k].from
	}
	piece := func(m int) []float64 { v := room.numbers[:m:m]; room.numbers = room.numbers[m:]; return v }
	g.cinv, g.link, g.h = piece(n*d*d), piece(n*d), piece(m*d)
	g.y, g.dy, g.res, g.r0, g.r1, g.ysave = piece(m*d), piece(m*d), piece(m*d), piece(m*d), piece(m*d), piece(m*d)
	g.q = g.h
	if g.netted {
		take(&g.net)
		g.q = piece(m * d)
		g.v, g.dv, g.resv, g.ic, g.nn = piece(m), piece(m), piece(m), piece(m), piece(m)
		g.rv0, g.rv1, g.vsave = piece(m), piece(m), piece(m)
	}
	g.step = piece(m)
	g.held = held{1, 1}
	g.xsave, room.points = room.points[:lanes*blocks:lanes*blocks], room.points[lanes*blocks:]
}
