package exact

import "math"

// curve is a piecewise linear function of the state on [x[0], x[n-1]], +Inf outside, lower semicontinuous. Two points with the same x are a jump: the lower
// value holds there. No points: +Inf everywhere.
type curve struct{ x, y []float64 }

func (c *curve) reset()      { c.x, c.y = c.x[:0], c.y[:0] }
func (c *curve) empty() bool { return len(c.x) == 0 }

// put appends a point; x is not below the last one.
func (c *curve) put(x, y float64) {
	if n := len(c.x); n > 0 && c.x[n-1] == x {
		if c.y[n-1] == y {
			return
		}
		if n > 1 && c.x[n-2] == x { // a third point at one place: the outer ones are the limits, the lowest value must stay
			if y <= c.y[n-1] {
				c.y[n-1] = y
			} else if c.y[n-1] > c.y[n-2] {
				c.y[n-1] = y
			}
			return
		}
	}
	c.x, c.y = append(c.x, x), append(c.y, y)
}

func (c *curve) copyFrom(o *curve) {
	c.x, c.y = append(c.x[:0], o.x...), append(c.y[:0], o.y...)
}

// between interpolates piece i at x.
func (c *curve) between(i int, x float64) float64 {
	x0, x1, y0, y1 := c.x[i], c.x[i+1], c.y[i], c.y[i+1]
	if x <= x0 {
		return y0
	}
	if x >= x1 {
		return y1
	}
	return y0 + (y1-y0)*((x-x0)/(x1-x0))
}

// at returns the value at x, and at an end within tolerance of it that of the end; +Inf outside.
func (c *curve) at(x, tolerance float64) float64 {
	n := len(c.x)
	if n == 0 || x < c.x[0]-tolerance || x > c.x[n-1]+tolerance {
		return math.Inf(1)
	}
	x = min(max(x, c.x[0]), c.x[n-1])
	k := c.search(x)
	if c.x[k] > x {
		return c.between(k-1, x)
	}
	v := c.y[k]
	for k++; k < n && c.x[k] == x; k++ {
		v = min(v, c.y[k])
	}
	return v
}

// near returns the lowest value within tolerance of x: at a jump, rounding does not decide between its sides.
func (c *curve) near(x, tolerance float64) float64 {
	v := min(c.at(x, tolerance), min(c.at(x-tolerance, 0), c.at(x+tolerance, 0)))
	for k := c.search(x - tolerance); k < len(c.x) && c.x[k] <= x+tolerance; k++ {
		v = min(v, c.y[k])
	}
	return v
}

// search returns the first point at or above x.
func (c *curve) search(x float64) int {
	i, j := 0, len(c.x)
	for i < j {
		if h := (i + j) / 2; c.x[h] < x {
			i = h + 1
		} else {
			j = h
		}
	}
	return i
}

// lower sets c to the smaller of a and b. A gap between their domains is bridged by a line, which is below +Inf.
func (c *curve) lower(a, b *curve) {
	c.reset()
	if a.empty() {
		c.copyFrom(b)
		return
	}
	if b.empty() {
		c.copyFrom(a)
		return
	}
	i, j, na, nb := 0, 0, len(a.x), len(b.x)
	p := min(a.x[0], b.x[0])
	for {
		for i+1 < na && a.x[i+1] <= p {
			i++
		}
		for j+1 < nb && b.x[j+1] <= p {
			j++
		}
		inA, inB := i+1 < na && a.x[i] <= p, j+1 < nb && b.x[j] <= p
		q := math.Inf(1)
		if inA {
			q = a.x[i+1]
		} else if a.x[0] > p {
			q = a.x[0]
		}
		if inB {
			q = min(q, b.x[j+1])
		} else if b.x[0] > p {
			q = min(q, b.x[0])
		}
		if math.IsInf(q, 1) {
			return
		}
		switch {
		case inA && inB:
			a0, a1, b0, b1 := a.between(i, p), a.between(i, q), b.between(j, p), b.between(j, q)
			d0, d1 := a0-b0, a1-b1
			c.put(p, min(a0, b0))
			if d0 < 0 && d1 > 0 || d0 > 0 && d1 < 0 {
				s := d0 / (d0 - d1)
				c.put(p+s*(q-p), a0+s*(a1-a0))
			}
			c.put(q, min(a1, b1))
		case inA:
			c.put(p, a.between(i, p))
			c.put(q, a.between(i, q))
		case inB:
			c.put(p, b.between(j, p))
			c.put(q, b.between(j, q))
		}
		p = q
	}
}

// scratch is what window needs: the tilted values of the points, and the points inside in ascending order of place and value.
type scratch struct {
	tilted []float64
	inside []int
}

// line is a piece of a function as seen from z: v + slope*(z-z0), +Inf when absent.
type line struct{ z0, v, slope float64 }

func (l line) at(z float64) float64 { return l.v + l.slope*(z-l.z0) }

var absent = line{v: math.Inf(1)}

// window sets c to z -> min over y in [z+from, z+to] of f(y) + slope*(y-z): what a power costs that moves the state by from to to, at slope per unit.
func (c *curve) window(f *curve, from, to, slope float64, work *scratch) {
	c.reset()
	n := len(f.x)
	if n == 0 {
		return
	}
	if !(from < to) {
		for k, x := range f.x {
			c.put(x-from, f.y[k]+slope*from)
		}
		return
	}
	// Of the tilted function f(y) + slope*y the window sees its two ends and the lowest point inside.
	tilted := work.tilted[:0]
	for k, x := range f.x {
		tilted = append(tilted, f.y[k]+slope*x)
	}
	piece := func(i int, shift float64) line { // piece i at an end of the window
		x0, x1 := f.x[i]-shift, f.x[i+1]-shift
		if !(x1 > x0) {
			return line{z0: x0, v: min(tilted[i], tilted[i+1])}
		}
		return line{x0, tilted[i], (tilted[i+1] - tilted[i]) / (x1 - x0)}
	}
	dq, head := work.inside[:0], 0
	il, ir, in := -1, -1, 0 // pieces of the ends, and the next point to come in
	left, right := absent, absent
	p, end := f.x[0]-to, f.x[n-1]-from
	for p < end {
		for il+1 < n && f.x[il+1]-from <= p {
			if il++; il+1 < n {
				left = piece(il, from)
			} else {
				left = absent
			}
		}
		for ir+1 < n && f.x[ir+1]-to <= p {
			if ir++; ir+1 < n {
				right = piece(ir, to)
			} else {
				right = absent
			}
		}
		q := end
		if il+1 < n {
			q = min(q, f.x[il+1]-from)
		}
		if ir+1 < n {
			q = min(q, f.x[ir+1]-to)
		}
		for in < n && f.x[in]-to <= p {
			v := tilted[in]
			for len(dq) > head && tilted[dq[len(dq)-1]] >= v {
				dq = dq[:len(dq)-1]
			}
			dq = append(dq, in)
			in++
		}
		for head < len(dq) && f.x[dq[head]]-from < q {
			head++
		}
		low := math.Inf(1)
		if head < len(dq) {
			low = tilted[dq[head]]
		}
		c.leastOf(p, q, slope, [3]float64{left.at(p), right.at(p), low}, [3]float64{left.at(q), right.at(q), low})
		p = q
	}
	work.tilted, work.inside = tilted, dq
}

// leastOf appends the smallest of three lines on [p, q], given at both ends, less slope*z.
func (c *curve) leastOf(p, q, slope float64, v0, v1 [3]float64) {
	first, last := least(v0), least(v1)
	c.put(p, v0[first]-slope*p)
	if first != last {
		var cuts [3]float64
		n := 0
		for a := range 2 {
			for b := a + 1; b < 3; b++ {
				d0, d1 := v0[a]-v0[b], v1[a]-v1[b]
				if d0 < 0 && d1 > 0 || d0 > 0 && d1 < 0 {
					if s := d0 / (d0 - d1); s > 0 && s < 1 {
						k := n
						for k > 0 && cuts[k-1] > s {
							cuts[k] = cuts[k-1]
							k--
						}
						cuts[k] = s
						n++
					}
				}
			}
		}
		for _, s := range cuts[:n] {
			low := math.Inf(1)
			for k := range v0 {
				if v := v0[k] + s*(v1[k]-v0[k]); v < low { // an absent line is NaN here and is passed over
					low = v
				}
			}
			z := p + s*(q-p)
			c.put(z, low-slope*z)
		}
	}
	c.put(q, v1[last]-slope*q)
}

// least returns the place of the smallest value.
func least(v [3]float64) int {
	k := 0
	if v[1] < v[k] {
		k = 1
	}
	if v[2] < v[k] {
		k = 2
	}
	return k
}

// compose turns the function of keep*s + drive into one of s; keep is above 0.
func (c *curve) compose(keep, drive float64) {
	for k, x := range c.x {
		c.x[k] = (x - drive) / keep
	}
}

// restrict cuts the domain to [low, high].
func (c *curve) restrict(low, high float64) {
	n := len(c.x)
	if n == 0 {
		return
	}
	if high < c.x[0] || low > c.x[n-1] {
		c.reset()
		return
	}
	if high < c.x[n-1] {
		k := n - 1
		for k > 0 && c.x[k-1] > high {
			k--
		}
		if k > 0 && c.x[k] > high && c.x[k-1] < high {
			c.y[k] = c.between(k-1, high)
			c.x[k] = high
		} else if c.x[k] > high {
			k--
		}
		n = k + 1
		c.x, c.y = c.x[:n], c.y[:n]
	}
	if low > c.x[0] {
		k := 0
		for k < n-1 && c.x[k+1] < low {
			k++
		}
		if k < n-1 && c.x[k] < low && c.x[k+1] > low {
			c.y[k] = c.between(k, low)
			c.x[k] = low
		} else if c.x[k] < low {
			k++
		}
		c.x, c.y = c.x[k:], c.y[k:]
	}
}

// extend continues the function below its left end, down to low, by a line of the given price per unit.
func (c *curve) extend(low, price float64) {
	if c.empty() || low >= c.x[0] {
		return
	}
	x, y := c.x[0], c.y[0]
	for k := 1; k < len(c.x) && c.x[k] == x; k++ {
		y = min(y, c.y[k])
	}
	c.x, c.y = append(c.x, 0), append(c.y, 0)
	copy(c.x[1:], c.x)
	copy(c.y[1:], c.y)
	c.x[0], c.y[0] = low, y+price*(x-low)
	if c.y[1] != y { // a jump at the floor: the line starts from its lower value
		c.x, c.y = append(c.x, 0), append(c.y, 0)
		copy(c.x[2:], c.x[1:])
		copy(c.y[2:], c.y[1:])
		c.x[1], c.y[1] = x, y
	}
}

// add sets c to f plus the soft cost.
func (c *curve) add(f *curve, g Soft) {
	c.reset()
	kinks := [2]float64{min(g.Least, g.Most), max(g.Least, g.Most)}
	for k, x := range f.x {
		if k > 0 {
			for _, kink := range kinks {
				if kink > f.x[k-1] && kink < x {
					c.put(kink, f.between(k-1, kink)+g.at(kink))
				}
			}
		}
		c.put(x, f.y[k]+g.at(x))
	}
}

// simplify sets c to a function that is nowhere above f and at most eps below it, with fewer points. From an anchor it follows a line as far as one fits between f-eps
// and f at every point passed; jumps wider than eps stay.
func (c *curve) simplify(f *curve, eps float64) {
	c.reset()
	n := len(f.x)
	if n == 0 {
		return
	}
	c.put(f.x[0], f.y[0])
	ax, ay := f.x[0], f.y[0]
	upper, lower := math.Inf(1), math.Inf(-1)
	last := 0 // the last point that the line still passes
	lastSlope := 0.0
	for k := 1; k < n; {
		x := f.x[k]
		if x == ax { // a jump at the anchor: a new anchor on its other side
			ay = f.y[k]
			c.put(x, ay)
			k++
			upper, lower = math.Inf(1), math.Inf(-1)
			last = k - 1
			continue
		}
		// all points at x: small jumps are passed like one point
		top, bottom, m := f.y[k], f.y[k], k
		for m+1 < n && f.x[m+1] == x {
			m++
			top, bottom = max(top, f.y[m]), min(bottom, f.y[m])
		}
		jump := top-bottom > 0.5*eps
		if jump {
			top, bottom, m = f.y[k], f.y[k], k
		}
		u, l := min(upper, (bottom-ay)/(x-ax)), max(lower, (top-eps-ay)/(x-ax))
		if u >= l {
			upper, lower, last, lastSlope = u, l, m, u
			k = m + 1
			if !jump && k < n {
				continue
			}
			// end the line here
			y := ay + lastSlope*(x-ax)
			c.put(x, min(y, bottom))
			ax, ay = x, min(y, bottom)
			upper, lower = math.Inf(1), math.Inf(-1)
			continue
		}
		// the line ends at the last point passed, which becomes the anchor
		x = f.x[last]
		y := min(ay+lastSlope*(x-ax), f.y[last])
		c.put(x, y)
		ax, ay = x, y
		upper, lower = math.Inf(1), math.Inf(-1)
	}
}
