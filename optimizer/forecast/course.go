package forecast

import (
	"math"
	"time"
)

const (
	courseDays  = 60   // of the past that are looked at
	courseShape = 14.0 // days over which the course of a day is averaged, the latest counting most
	courseTrust = 300  // hours of the past that weigh as much as what is believed beforehand
)

const courseLags = 6 // hours that an hour's deviation follows: the three before it, and the same hour of the day before and the two before that

// courseBelief is what is believed of the weights before anything is learned: near to what those of the carbon intensity were in California, Texas, Germany and France, which differ little.
var courseBelief = [courseLags]float64{1.28, -0.3, -0.03, 0.12, -0.11, -0.01}

// Course forecasts lead slots from the past's end on of a series that has a daily course and strays from it for hours or days, such as the carbon intensity of a grid: the mean course of the days before, the
// latest counting most, and the deviation from it by an autoregression on the last three hours and on the same hour of the day before with the two before that. Its weights are learned from all hours of the last
// 60 days, for all leads together, so that a few days teach as much as they can; before that they are those of the carbon intensity of four grids. No deviation is said to become larger than the largest that came.
// Slots shorter than an hour are seen as hours that end with the past. It is a function of the past that is passed in: NaN is a gap; before a day is known the last value holds, and before anything is known all is zero.
func Course(past Past, lead int) []float64 {
	hour := 1 // slots
	if past.Step < time.Hour && time.Hour%past.Step == 0 {
		hour = int(time.Hour / past.Step)
	}
	last := newest(past.Values)
	c := newCourse(hourly(past.Values, hour, int(courseDays*24*time.Hour/past.Step)/hour), int(24*time.Hour/past.Step)/hour, last)
	said := c.ahead((lead + hour - 1) / hour)
	if hour == 1 {
		return said
	}
	out := make([]float64, lead)
	for k := range out { // from the middle of an hour to that of the next one, at first from the last slot
		x := (float64(k)+0.5)/float64(hour) - 0.5
		i := int(math.Floor(x))
		from, to := last, said[min(i+1, len(said)-1)]
		if i >= 0 {
			from = said[i]
		} else {
			x = 2 * (x + 0.5) // of the half hour up to the middle of the first
			i = 0
		}
		out[k] = from + (x-float64(i))*(to-from)
	}
	return out
}

// hourly are the means of so many slots each, up to the last one; at most so many means.
func hourly(v []float64, slots, most int) []float64 {
	n := min(len(v)/slots, most)
	out := make([]float64, n)
	for i := range out {
		at := len(v) - (n-i)*slots
		if m, ok := meanOf(v, at+slots-1, 1, slots); ok {
			out[i] = m
		} else {
			out[i] = math.NaN()
		}
	}
	return out
}

// course is what is known of a series at the end of its past, an hour a value.
type course struct {
	perDay int
	n      int       // hours of the past
	last   float64   // value that is known
	shape  []float64 // of a day, by hour of the past modulo a day; NaN: not known
	away   []float64 // by hour: from the shape as it was known before; 0 where it was not
	most   float64   // of what it was away
	w      [courseLags]float64
}

func newCourse(v []float64, perDay int, last float64) *course {
	c := &course{perDay: perDay, n: len(v), last: last, shape: make([]float64, perDay), away: make([]float64, len(v)), w: courseBelief}
	seen, known := make([]float64, perDay), make([]bool, len(v))
	squares, n := 0.0, 0.0
	for t, y := range v {
		if math.IsNaN(y) {
			continue
		}
		h := t % perDay
		if seen[h]++; seen[h] > 1 {
			c.away[t], known[t] = y-c.shape[h], true
			c.most = math.Max(c.most, math.Abs(c.away[t]))
			squares, n = squares+c.away[t]*c.away[t], n+1
		}
		c.shape[h] += math.Max(1/courseShape, 1/seen[h]) * (y - c.shape[h])
	}
	for h := range c.shape {
		if seen[h] == 0 {
			c.shape[h] = math.NaN()
		}
	}
	if squares > 0 {
		c.learn(known, squares/n)
	}
	return c
}

// learn finds the weights that leave the least squares, and of those that do so alike the nearest to what is believed.
func (c *course) learn(known []bool, variance float64) {
	const n = courseLags
	var a [n][n + 1]float64 // the normal equations of how far the weights are from the belief
	for i := range n {
		a[i][i] = courseTrust * variance
	}
	for t := 2 * c.perDay; t < c.n; t++ {
		if !known[t] || !known[t-1] {
			continue
		}
		x := c.before(c.away, t)
		left := c.away[t]
		for i := range n {
			left -= courseBelief[i] * x[i]
		}
		for i := range n {
			for j := range n {
				a[i][j] += x[i] * x[j]
			}
			a[i][n] += x[i] * left
		}
	}
	for i := range n { // elimination; the matrix is positive definite
		for k := i + 1; k < n; k++ {
			f := a[k][i] / a[i][i]
			for j := i; j <= n; j++ {
				a[k][j] -= f * a[i][j]
			}
		}
	}
	for i := n - 1; i >= 0; i-- {
		for j := i + 1; j < n; j++ {
			a[i][n] -= a[i][j] * a[j][n]
		}
		a[i][n] /= a[i][i]
		c.w[i] += a[i][n]
	}
}

// before are the deviations that an hour's follows.
func (c *course) before(away []float64, t int) (x [courseLags]float64) {
	for i := range x {
		at := t - i - 1
		if i >= courseLags/2 {
			at = t - i + courseLags/2 - c.perDay
		}
		if at >= 0 {
			x[i] = away[at]
		}
	}
	return x
}

// ahead are the next hours.
func (c *course) ahead(hours int) []float64 {
	out := make([]float64, hours)
	away, shape := append([]float64(nil), c.away...), append([]float64(nil), c.shape...)
	for k := range out {
		h, y := (c.n+k)%c.perDay, 0.0
		for i, x := range c.before(away, c.n+k) {
			y += c.w[i] * x
		}
		y = math.Max(-c.most, math.Min(c.most, y))
		if math.IsNaN(shape[h]) {
			shape[h], y = c.last, 0
		}
		away = append(away, y)
		out[k] = shape[h] + y
		shape[h] += y / courseShape
	}
	return out
}
