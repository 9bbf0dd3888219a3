package sharing

import "math/bits"

// wide is an unsigned number of 128 bits.
type wide struct{ hi, lo uint64 }

func times(a, b uint64) wide {
	hi, lo := bits.Mul64(a, b)
	return wide{hi, lo}
}

// mulDiv returns a*b/c rounded down and its remainder, for c below 2^61 and a quotient below 2^49; per is 1/c. A float finds the quotient to one, which takes a quarter of the time of a
// division of 128 bits; as the remainder is then small, its low word says how far off that was.
func mulDiv(a, b, c uint64, per float64) (q, r uint64) {
	q = uint64(int64(float64(int64(a)) * float64(int64(b)) * per)) // signed conversions are one instruction
	r = a*b - q*c
	for int64(r) < 0 {
		q--
		r += c
	}
	for r >= c {
		q++
		r -= c
	}
	return q, r
}

// over returns w/c rounded down and its remainder; the quotient must fit 64 bits.
func (w wide) over(c uint64) (q, r uint64) {
	if w.hi == 0 {
		return w.lo / c, w.lo % c
	}
	return bits.Div64(w.hi, w.lo, c)
}

func (w wide) plus(o wide) wide {
	lo, carry := bits.Add64(w.lo, o.lo, 0)
	hi, _ := bits.Add64(w.hi, o.hi, carry)
	return wide{hi, lo}
}

func (w wide) minus(o wide) wide {
	lo, borrow := bits.Sub64(w.lo, o.lo, 0)
	hi, _ := bits.Sub64(w.hi, o.hi, borrow)
	return wide{hi, lo}
}

func (w wide) less(o wide) bool { return w.hi < o.hi || w.hi == o.hi && w.lo < o.lo }
func (w wide) zero() bool       { return w.hi|w.lo == 0 }

// float is near enough for a ratio: half the last place of each word.
func (w wide) float() float64 {
	high := float64(w.hi) * (1 << 64) // exact but for the word's own rounding, so that nothing depends on fused operations
	return high + float64(w.lo)
}

// low returns the low 128 bits of w*c.
func (w wide) low(c uint64) wide {
	hi, lo := bits.Mul64(w.lo, c)
	return wide{hi + w.hi*c, lo}
}

// mulDiv returns w*c/d rounded down and its remainder, for w at most d, d below 2^125 and c below 2^49; per is c/d. See [mulDiv].
func (w wide) mulDiv(c uint64, d wide, per float64) (q uint64, r wide) {
	q = uint64(int64(w.float() * per))
	r = w.low(c).minus(d.low(q))
	for int64(r.hi) < 0 {
		q--
		r = r.plus(d)
	}
	for !r.less(d) {
		q++
		r = r.minus(d)
	}
	return q, r
}
