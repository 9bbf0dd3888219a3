package forecast

import (
	"math"
	"time"
)

// Adaptive learns while it forecasts. For each lead it corrects the mean of the same clock time on the last seven days, the present deviation fading, by a linear regression on what was
// known at the origin:
//
//	latest    the newest value of that clock time
//	three     the mean of the three newest
//	likeness  the mean of the four newest of its kind of day, working day or weekend
//	level     how far the last day as a whole lay from the mean of seven
//	now       the last slot's deviation, and that of the last three hours
//	share     the last three hours' deviation as a share of what was expected, times what is expected: sun
//
// The weights come from recursive least squares that forget over [adaptiveMemory] days and begin with the fading deviation alone; where over the last weeks the plain forecast was better
// at a lead, that is given. Every value in use ended before the origin: a forecast is a function of the past that is passed in. It is not safe for use by several goroutines
// at once.
type Adaptive struct {
	step   time.Duration
	lead   int
	perDay int
	fade   float64
	min    float64
	max    float64
	loc    *time.Location
	scale  float64 // of the values, so that weights begin at the same strength for all series
	seen   int     // slots of the past that were learned from
	models []regression
	first  time.Time
	sums   meanCache
	kept   []origin // by slot; what its features are at every lead
	kinds  []int8   // by slot: 0 not known yet, 1 a working day, 2 a weekend
}

// origin is what the features of a forecast have in common at all leads.
type origin struct {
	known                 bool
	level, last           float64
	recent, expected, num float64 // sums of the last three hours, and of how many slots
}

// features is how many there are.
const features = 7

type regression struct {
	w     [features]float64
	p     [features][features]float64
	err   float64 // mean absolute errors of the last weeks: the regression's, and the plain forecast's
	plain float64
	n     int
}

const (
	adaptiveMemory   = 60.0 // days
	adaptiveTrust    = 0.05 // how far weights may be from their begin, before anything is learned
	adaptiveJudgment = 14.0 // days over which regression and plain forecast are compared
	adaptiveDays     = 7    // of which the mean is taken
)

// NewAdaptive forecasts so many slots of step ahead. Of the settings it uses Fade, Min and Max. loc tells weekends.
func NewAdaptive(step time.Duration, lead int, loc *time.Location, set Settings) *Adaptive {
	set = set.withDefaults()
	a := &Adaptive{step: step, lead: lead, perDay: int(24 * time.Hour / step), fade: set.Fade.Hours(), min: set.Min, max: set.Max, loc: loc, models: make([]regression, lead)}
	if set.Min == 0 && set.Max == 0 {
		a.min, a.max = math.Inf(-1), math.Inf(1)
	}
	for k := range a.models {
		m := &a.models[k]
		m.w[4] = math.Exp(-float64(k+1) * step.Hours() / a.fade)
		for i := range features {
			m.p[i][i] = adaptiveTrust
		}
	}
	return a
}

// Forecast learns from the values of the past that it has not seen yet, and predicts the slots from the past's end on; NaN is a gap. The past begins at the same instant in every call and only
// grows. Before anything is known the result is zero.
func (a *Adaptive) Forecast(past Past) []float64 {
	v := past.Values
	if a.first.IsZero() {
		a.first = past.Start
	}
	a.sums.grow(v)
	for len(a.kept) <= len(v) {
		a.kept = append(a.kept, origin{})
	}
	if a.scale == 0 && len(v) >= 2*a.perDay {
		sum, n := 0.0, 0
		for _, x := range v {
			if !math.IsNaN(x) {
				sum, n = sum+math.Abs(x), n+1
			}
		}
		if n > 0 && sum > 0 {
			a.scale = sum / float64(n)
		}
	}
	if a.scale > 0 {
		for ; a.seen < len(v); a.seen++ {
			a.learn(v, a.seen)
		}
	}
	out := make([]float64, a.lead)
	last := math.NaN() // not looked for yet: in a past that knows little it is far
	var x [features]float64
	for k := range out {
		mean, ok := a.look(v, len(v), k, &x)
		if !ok {
			if math.IsNaN(last) {
				last = newest(v)
			}
			mean = last
			out[k] = math.Max(a.min, math.Min(a.max, mean))
			continue
		}
		m := &a.models[k]
		y := mean + a.begin(k)*x[4]
		if m.n > a.perDay*3 && m.err <= m.plain {
			y = mean
			for i := range x {
				y += m.w[i] * x[i]
			}
		}
		out[k] = math.Max(a.min, math.Min(a.max, y))
	}
	return out
}

// Plain is what Forecast corrects: the mean of the same clock time on the last days, the present deviation fading. It learns nothing; the past is that of Forecast.
func (a *Adaptive) Plain(past Past) []float64 {
	v := past.Values
	if a.first.IsZero() {
		a.first = past.Start
	}
	a.sums.grow(v)
	for len(a.kept) <= len(v) {
		a.kept = append(a.kept, origin{})
	}
	out := make([]float64, a.lead)
	last := math.NaN() // not looked for yet: in a past that knows little it is far
	var x [features]float64
	for k := range out {
		y, ok := a.look(v, len(v), k, &x)
		if ok {
			y += a.begin(k) * x[4]
		} else {
			if math.IsNaN(last) {
				last = newest(v)
			}
			y = last
		}
		out[k] = math.Max(a.min, math.Min(a.max, y))
	}
	return out
}

// Forget drops the oldest n slots of the past, which the pasts of later calls must then begin without. What was learned from them stays.
func (a *Adaptive) Forget(n int) {
	if a.scale > 0 { // otherwise nothing was ever known
		n = min(n, a.seen)
	}
	if n <= 0 || a.first.IsZero() {
		return
	}
	a.first = a.first.Add(time.Duration(n) * a.step)
	a.seen = max(0, a.seen-n)
	a.sums = meanCache{}
	a.kept, a.kinds = append([]origin(nil), a.kept[min(n, len(a.kept)):]...), append([]int8(nil), a.kinds[min(n, len(a.kinds)):]...)
}

func (a *Adaptive) begin(k int) float64 { return math.Exp(-float64(k+1) * a.step.Hours() / a.fade) }

// newest is the last value that is known, 0 without any.
func newest(v []float64) float64 {
	for i := len(v) - 1; i >= 0; i-- {
		if !math.IsNaN(v[i]) {
			return v[i]
		}
	}
	return 0
}

// learn takes one measured slot as the outcome of every lead.
func (a *Adaptive) learn(v []float64, at int) {
	if math.IsNaN(v[at]) {
		return
	}
	var x [features]float64
	forget := 1 - 1/(adaptiveMemory*float64(a.perDay))
	judge := 1 / (adaptiveJudgment * float64(a.perDay))
	for k := range a.models {
		origin := at - k
		if origin < 2*a.perDay {
			break
		}
		mean, ok := a.look(v, origin, k, &x)
		if !ok {
			continue
		}
		m := &a.models[k]
		y := (v[at] - mean) / a.scale
		plain := math.Abs(y - a.begin(k)*x[4]/a.scale)
		for i := range x {
			x[i] /= a.scale
			y -= m.w[i] * x[i]
		}
		by := math.Max(judge, 1/float64(m.n+1))
		m.err += by * (math.Abs(y) - m.err)
		m.plain += by * (plain - m.plain)
		m.n++
		m.update(&x, y, forget)
	}
}

// update is one step of recursive least squares; y is what the weights leave of the outcome.
func (m *regression) update(x *[features]float64, y, forget float64) {
	var px [features]float64
	den, trace := forget, 0.0
	for i := range features {
		for j := range features {
			px[i] += m.p[i][j] * x[j]
		}
		trace += m.p[i][i]
	}
	for i := range features {
		den += x[i] * px[i]
	}
	if trace > 20*features*adaptiveTrust { // nothing new for long: what is known is not forgotten
		den += 1 - forget
		forget = 1
	}
	for i := range features {
		m.w[i] += px[i] / den * y
		for j := range features {
			m.p[i][j] = (m.p[i][j] - px[i]*px[j]/den) / forget
		}
	}
}

// look writes the features of a lead at an origin, as deviations from the mean of the last days, which it returns; false where that is not known.
func (a *Adaptive) look(v []float64, origin, k int, x *[features]float64) (mean float64, ok bool) {
	d := a.perDay
	newest := origin + k - d*(k/d+1) // the newest slot of that clock time before the origin
	mean, ok = meanOf(v, newest, d, adaptiveDays)
	if !ok {
		return 0, false
	}
	latest, three := v[newest], mean
	if math.IsNaN(latest) {
		latest = mean
	}
	if m, ok := meanOf(v, newest, d, 3); ok {
		three = m
	}
	alike := a.alike(v, newest, origin+k, mean)
	at := a.at(v, origin)
	share, recent := 0.0, at.recent
	if at.num > 0 {
		if math.Abs(at.expected) > 0.1*a.scale*at.num {
			share = math.Max(-1, math.Min(2, at.recent/at.expected)) * mean
		}
		recent /= at.num
	}
	*x = [features]float64{latest - mean, three - mean, alike - mean, at.level, at.last, recent, share}
	return mean, true
}

// at works out, once, what the features at an origin have in common.
func (a *Adaptive) at(v []float64, at int) *origin {
	o := &a.kept[at]
	if o.known {
		return o
	}
	d := a.perDay
	o.known = true
	if day, week := a.sums.over(at-d, at), a.sums.over(at-adaptiveDays*d, at); !math.IsNaN(day) && !math.IsNaN(week) {
		o.level = day - week
	}
	for i := at - 1; i >= max(0, at-max(1, 3*d/24)); i-- {
		m, ok := meanOf(v, i-d, d, adaptiveDays)
		if !ok || math.IsNaN(v[i]) {
			continue
		}
		if i == at-1 {
			o.last = v[i] - m
		}
		o.recent += v[i] - m
		o.expected += m
		o.num++
	}
	return o
}

// alike is the mean of the newest values of that clock time on days of the same kind as the target's.
func (a *Adaptive) alike(v []float64, newest, target int, otherwise float64) float64 {
	kind := a.kind(target)
	sum, n := 0.0, 0
	for i := newest; i >= 0 && i > newest-4*7*a.perDay && n < 4; i -= a.perDay {
		if !math.IsNaN(v[i]) && a.kind(i) == kind {
			sum, n = sum+v[i], n+1
		}
	}
	if n == 0 {
		return otherwise
	}
	return sum / float64(n)
}

// kind tells working days from weekends.
func (a *Adaptive) kind(slot int) int8 {
	for slot >= len(a.kinds) {
		a.kinds = append(a.kinds, 0)
	}
	if a.kinds[slot] == 0 {
		a.kinds[slot] = 1
		if weekend(a.first.Add(time.Duration(slot) * a.step).In(a.loc)) {
			a.kinds[slot] = 2
		}
	}
	return a.kinds[slot]
}

// meanOf is the mean of v at newest, newest-step, …: as many as there are of n.
func meanOf(v []float64, newest, step, n int) (float64, bool) {
	sum, got := 0.0, 0
	for i := newest; i >= 0 && i > newest-step*n; i -= step {
		if !math.IsNaN(v[i]) {
			sum, got = sum+v[i], got+1
		}
	}
	return sum / float64(max(1, got)), got > 0
}

// meanCache has the sums of a growing series.
type meanCache struct{ sum, n []float64 }

func (c *meanCache) grow(v []float64) {
	if len(c.sum) == 0 {
		c.sum, c.n = []float64{0}, []float64{0}
	}
	for i := len(c.sum) - 1; i < len(v); i++ {
		s, n := c.sum[i], c.n[i]
		if !math.IsNaN(v[i]) {
			s, n = s+v[i], n+1
		}
		c.sum, c.n = append(c.sum, s), append(c.n, n)
	}
}

// over is the mean in [from, to); NaN without a value.
func (c *meanCache) over(from, to int) float64 {
	from = max(from, 0)
	return (c.sum[to] - c.sum[from]) / (c.n[to] - c.n[from])
}
