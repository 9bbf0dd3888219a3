package ipm

// four are the values of four steps one after the other.
type four = [4]float64

// lanes is how many steps a block has.
const lanes = 4

// block is four steps of one variable: the distances to the box and their multipliers, and what a sweep leaves for the next one. A step in which the variable is
// fixed, or that fills up the last block, is a hole: distances 1, multipliers 0 and no inverse curvature, so that its steps come out 0.
type block struct {
	wl, wu, zl, zu four
	d              four // gradient; then the Newton gradient's part without mu; then the step
	pl, pu         four // second-order products; then the steps of zl and zu
	dinv           four // inverse curvature
}

// bandBlock is four steps of a band; a hole has penalty and multipliers 0.
type bandBlock struct {
	w, s, z, zs four
	p, q        four // second-order products of w and s; then the steps of s and z
	level, pen  four
}

// band is a priced distance beyond a level: s >= 0 the distance paid for, w = e*(x-level) + s >= 0 with e = +1 below and -1 above, and their
// multipliers z and zs with z + zs = pen. Its blocks are those of its row from the first on.
type band struct {
	e      float64
	first  int
	blocks []bandBlock
}

// row is one variable in the steps from..to-1 in which it can move, counted from the first step of its group. All series are cut to them and are filled up with zeros
// to whole blocks.
type row struct {
	from, to     int
	blocks       []block
	lo, hi, cost []float64 // cost in the caller's money; nil: none
	bands        []band
}

// steps is how many steps the row has.
func (r *row) steps() int { return r.to - r.from }

// whole is the number of steps in the blocks of n steps.
func whole(n int) int { return (n + lanes - 1) / lanes * lanes }

// quad are the four values of v from i on.
func quad(v []float64, i int) *four { return (*four)(v[i:]) }

// sum adds the lanes.
func sum(v vec) float64 {
	var f four
	v.Store(&f)
	narrow()
	return (f[0] + f[1]) + (f[2] + f[3])
}

// least is the smallest of the lanes.
func least(v vec) float64 {
	var f four
	v.Store(&f)
	narrow()
	return min(f[0], f[1], f[2], f[3])
}

// most is the largest of the lanes.
func most(v vec) float64 {
	var f four
	v.Store(&f)
	narrow()
	return max(f[0], f[1], f[2], f[3])
}

// padded is v with zeros up to whole blocks; v itself where it has them already.
func padded(v []float64) []float64 {
	if v == nil || len(v)%lanes == 0 {
		return v
	}
	out := make([]float64, whole(len(v)))
	copy(out, v)
	return out
}

// cell is one step of a row or of a boundary flow. A fixed variable has no distances (wu == 0).
type cell struct {
	wl, wu, zl, zu float64
	d              float64
	pl, pu         float64
	dinv           float64
}

// cell is one step of the row.
func (r *row) cell(i int) cell {
	b, k := &r.blocks[i/lanes], i%lanes
	c := cell{b.wl[k], b.wu[k], b.zl[k], b.zu[k], b.d[k], b.pl[k], b.pu[k], b.dinv[k]}
	if c.zl == 0 && c.dinv == 0 {
		c.wl, c.wu = 0, 0
	}
	return c
}

// dinv is the inverse curvature in a step.
func (r *row) dinv(i int) float64 { return r.blocks[i/lanes].dinv[i%lanes] }

// reach finds how far a point may go: the largest -dw/w and the largest -dz/z, of rows by lane (reading a lane as soon as it is computed would stop the processor
// at every row), and of single pairs.
type reach struct {
	p, q   vec
	p1, q1 float64
}

// see takes one pair.
func (r *reach) see(w, dw, z, dz float64) {
	if -dw > r.p1*w {
		r.p1 = -dw / w
	}
	if -dz > r.q1*z {
		r.q1 = -dz / z
	}
}

// lengths are how far the point may go.
func (r *reach) lengths() (ap, ad float64) {
	ap, ad = 1, 1
	p, q := max(most(r.p), r.p1), max(most(r.q), r.q1)
	if p > 1 {
		ap = 1 / p
	}
	if q > 1 {
		ad = 1 / q
	}
	return ap, ad
}

// limit lowers the accumulated step lengths.
func (r *reach) limit(acc *sums) {
	ap, ad := r.lengths()
	acc.alphaP, acc.alphaD = min(acc.alphaP, ap), min(acc.alphaD, ad)
}

// tally adds up what the rows of a shard are worth, by lane.
type tally struct{ mu, objective, bound, high, low vec }

// add puts the sums into acc.
func (t *tally) add(acc *sums) {
	acc.mu += sum(t.mu)
	acc.objective += sum(t.objective)
	acc.bound += sum(t.bound)
	acc.primal = max(acc.primal, most(t.high), -least(t.low))
}
