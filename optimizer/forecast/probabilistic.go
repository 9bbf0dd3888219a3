package forecast

import (
	"math"
	"time"
)

// Levels are the quantiles of a [Distribution].
var Levels = [...]float64{0.1, 0.25, 0.5, 0.75, 0.9}

const quantiles = len(Levels)

// Distribution is what a series may be in the slots ahead, in the unit of the series.
type Distribution struct {
	Mean     []float64            // expected: what a plan on one value rests on
	Quantile [quantiles][]float64 // by [Levels]; those of a slot do not fall. The middle one has the least absolute error
}

// Probabilistic forecasts quantiles. Experts speak for every lead: a quantile regression forest on the residuals of [Adaptive], another on the deviation from the median of four
// weeks or, for the sun, on the share of a clear sky learned from the last two weeks, and simple ones with the present deviation fading, around which the last four weeks spread: the mean of seven
// days, the day before, medians and quarters of weeks. They are blended, quantile by quantile and for the mean, by weights that follow what came. What the band held
// of late widens or narrows it, so that it keeps what it promises. Before there are forests, [Adaptive] speaks, with that spread around it. The forests are grown anew every other week, by Forecast, or
// beside it: see [Probabilistic.Beside]. Where the weather is published ahead two more forests speak, see [Probabilistic.Under].
//
// A forecast is a function of the past that is passed in, whatever was asked before; with forests that are grown beside, of when that was as well. It is not safe for use by several goroutines
// at once.
type Probabilistic struct {
	step    time.Duration
	lead    int
	perDay  int
	hour    int // slots between two origins that are learned from
	sun     bool
	min     float64
	max     float64
	loc     *time.Location
	mean    *Adaptive
	made    [][]float32 // Adaptive's forecasts of every origin, of one slot an hour, see heard; nil where forgotten
	spoken  [][]speech  // of the origins whose slots are still to come, of one slot an hour
	seen    int         // origins
	grown   int         // day of the past up to which the forests learned
	beside  bool        // they are grown by somebody else
	forests [2]*forest
	judges  []judge // by lead, three hours each
	sumV    []float64
	sumC    []float64 // of the clear sky

	weather func(origin, slot time.Time) Weather // nil: nothing is known of it
	taught  int                                  // day of the past up to which the forests under weather learned
	under   [2]*forest                           // like forests, and look at the weather as well
	held    []judge                              // by lead like judges, of slots whose weather was known ahead alone
}

const (
	probabilisticDays  = 300 // that forests learn from
	probabilisticRows  = 15000
	probabilisticRefit = 14 // days between two growths
	probabilisticFirst = 14 // days before the first
)

var probabilisticGrowth = growth{trees: 20, candidates: 6, leaf: 100}

// NewProbabilistic forecasts so many slots of step ahead. Of the settings it uses Fade, Min, Max, and Ratio, which tells the sun. loc tells weekends.
func NewProbabilistic(step time.Duration, lead int, loc *time.Location, set Settings) *Probabilistic {
	p := &Probabilistic{step: step, lead: lead, perDay: int(24 * time.Hour / step), sun: set.Ratio, min: set.Min, max: set.Max, loc: loc, mean: NewAdaptive(step, lead, loc, set)}
	if set.Min == 0 && set.Max == 0 {
		p.min, p.max = math.Inf(-1), math.Inf(1)
	}
	p.hour = max(1, p.perDay/24)
	p.sumV, p.sumC = []float64{0}, []float64{0}
	p.judges = make([]judge, (lead+3*p.hour-1)/(3*p.hour))
	for i := range p.judges {
		p.judges[i] = newJudge()
	}
	return p
}

// Forecast learns from the values of the past that it has not seen yet, and predicts the slots from the past's end on; NaN is a gap. The past begins at the same instant in every call and only
// grows. Before anything is known all is zero.
func (p *Probabilistic) Forecast(past Past) Distribution {
	v := past.Values
	if p.mean.first.IsZero() {
		p.mean.first = past.Start
	}
	p.sum(v)
	for ; p.seen*p.hour <= len(v); p.seen++ {
		p.origin(v[:p.seen*p.hour], past)
	}
	d := Distribution{Mean: make([]float64, p.lead)}
	for q := range d.Quantile {
		d.Quantile[q] = make([]float64, p.lead)
	}
	said := p.speak(v, p.mean.Forecast(past), 0, 1, false)
	for k := range said {
		mean, all := p.judge(k, &said[k]).settle(&said[k])
		bound := func(y float64) float64 { return math.Max(p.min, math.Min(p.max, y)) }
		d.Mean[k] = bound(mean)
		for q, y := range all {
			d.Quantile[q][k] = bound(y)
		}
	}
	return d
}

// origin learns at an instant of the past: from what came since the one before, and what would have been said then.
func (p *Probabilistic) origin(v []float64, past Past) {
	p.made, p.spoken = append(p.made, nil), append(p.spoken, nil)
	if len(v) < p.perDay {
		return
	}
	for at := len(v) - p.hour; at < len(v); at++ { // slots that came
		for o := p.seen - 1; o >= 0 && p.spoken[o] != nil && at-o*p.hour < p.lead; o-- {
			if k := at - o*p.hour; k%p.hour == p.heard(o) && !math.IsNaN(v[at]) {
				p.hear(len(v), k, &p.spoken[o][k/p.hour], v[at])
			}
		}
	}
	if old := p.seen - (p.lead+p.hour-1)/p.hour - 1; old >= 0 {
		p.spoken[old] = nil
	}
	if old := p.seen - (probabilisticDays+2)*p.perDay/p.hour; old >= 0 {
		p.made[old] = nil
	}
	if !p.beside && len(v)%p.perDay == 0 {
		if l, ok := p.lesson(v); ok {
			l.Learn()
			p.Take(l)
		}
	}
	adaptive := p.mean.Forecast(Past{Start: past.Start, Step: past.Step, Values: v})
	made := make([]float32, 0, p.lead/p.hour+1)
	for k := p.heard(p.seen); k < p.lead; k += p.hour {
		made = append(made, float32(adaptive[k]))
	}
	p.made[p.seen] = made
	p.spoken[p.seen] = p.speak(v, adaptive, p.heard(p.seen), p.hour, true)
}

// heard is the first of the leads of an origin that are learned from: one an hour, and those of other origins lie between.
func (p *Probabilistic) heard(origin int) int { return origin % p.hour }

// speak asks the experts for every stride-th lead: all, or those that are listened to.
func (p *Probabilistic) speak(v, adaptive []float64, first, stride int, all bool) []speech {
	out := make([]speech, 0, p.lead/stride+1)
	var x sight
	dev := p.present(v)
	for k := first; k < p.lead; k += stride {
		out = append(out, speech{})
		s := &out[len(out)-1]
		if !p.look(v, len(v), k, adaptive[k], &x) {
			s.nothing(adaptive[k])
			continue
		}
		s.look(p, v, k, &x, &dev)
		if p.forests[0] == nil {
			s.centre[0] = adaptive[k]
		}
		if x.s == 0 { // night
			s.nothing(math.Max(0, x.plain))
			continue
		}
		s.open, s.size = true, x.s
		ask := func(of [2]*forest, experts []said) bool {
			for e, f := range of {
				if f == nil {
					return false
				}
				said := &experts[e]
				f.predict(x.x[:], said)
				for q := range said {
					said[q] = math.Max(p.min, math.Min(p.max, x.anchor[e]+x.s*said[q]))
				}
			}
			return true
		}
		under := p.under[0] != nil
		if h := k / (3 * p.hour); under && !all {
			under = p.held[h].n >= heldFirst && p.held[h].won()
		}
		s.weather = under && p.forests[0] != nil && p.skyOf(len(v), len(v)+k, x.newest, x.x[width:]) && ask(p.under, s.grown[2:])
		s.forests = s.weather && !all || ask(p.forests, s.grown[:2])
	}
	return out
}

// Beside leaves it to the caller to grow the forests from now on, or not: growing them takes a hundred times as long as a forecast, for which who asks for one may not wait.
func (p *Probabilistic) Beside(on bool) { p.beside = on }

// Due has the next lesson given whenever the last one was.
func (p *Probabilistic) Due() { p.grown, p.taught = 0, 0 }

// Lesson is what forests are grown from. It has nothing in common with the forecaster that it came from, and so may be learned while that is used.
type Lesson struct {
	plain, under taught // under the weather; those that are not due have no rows
}

// taught are the rows of two forests, and what is learned from them.
type taught struct {
	rows    rows
	y       [2][]float32
	seed    uint64
	forests [2]*forest
}

// Lesson returns what forests are to be grown from now, of the past that was passed to Forecast last; false where those that there are will do, or too little is known.
func (p *Probabilistic) Lesson(past Past) (*Lesson, bool) {
	if p.seen == 0 {
		return nil, false
	}
	return p.lesson(past.Values[:min(len(past.Values), (p.seen-1)*p.hour)])
}

// Learn grows the forests; it takes up to about a second.
func (l *Lesson) Learn() {
	l.plain.learn()
	l.under.learn()
}

// enough reports whether there are rows for more than a leaf or two.
func (t *taught) enough() bool { return len(t.rows.w) >= 4*probabilisticGrowth.leaf }

func (t *taught) learn() {
	if !t.enough() {
		return
	}
	for e := range t.y {
		t.rows.y, t.rows.ranked = t.y[e], clipped(t.y[e])
		t.forests[e] = growForest(&t.rows, probabilisticGrowth, t.seed+uint64(e))
	}
}

// also takes the rows of another.
func (t *taught) also(of *taught) {
	t.rows.x, t.rows.w = append(t.rows.x, of.rows.x...), append(t.rows.w, of.rows.w...)
	for e := range t.y {
		t.y[e] = append(t.y[e], of.y[e]...)
	}
}

// add takes a row: what was seen, and what came of it.
func (t *taught) add(x *sight, came float64) {
	t.rows.x = append(t.rows.x, x.x[:t.rows.width]...)
	t.rows.w = append(t.rows.w, float32(x.s))
	for e := range t.y {
		t.y[e] = append(t.y[e], float32((came-x.anchor[e])/x.s))
	}
}

// Take puts the forests of a lesson in the place of those before.
func (p *Probabilistic) Take(l *Lesson) {
	if l.plain.forests[0] != nil {
		p.forests = l.plain.forests
	}
	if l.under.forests[0] != nil {
		p.under = l.under.forests
	}
}

// lesson gathers what is known. A day without enough is not asked again before the next is due.
func (p *Probabilistic) lesson(v []float64) (*Lesson, bool) {
	day := len(v) / p.perDay
	due := func(last int) bool { return day >= probabilisticFirst && (last == 0 || day >= last+probabilisticRefit) }
	plain, under := due(p.grown), due(p.taught) && p.published(len(v))
	if !plain && !under {
		return nil, false
	}
	l := &Lesson{plain: taught{rows: rows{width: width}, seed: uint64(len(v))}, under: taught{rows: rows{width: width + weatherFeatures}, seed: uint64(len(v)) + 2}}
	measured := taught{rows: rows{width: width + weatherFeatures}} // under weather that was not published before
	if plain {
		p.grown = day
	}
	if under {
		p.taught = day
	}
	first := max(2*p.perDay, len(v)-probabilisticDays*p.perDay)
	leads := (p.lead + p.hour - 1) / p.hour
	stride := max(1, (len(v)-first)/p.hour*leads/probabilisticRows)
	for leads > 1 && common(stride, leads) > 1 { // so that rows are of all leads
		stride++
	}
	var x sight
	i := 0
	for o := (first + p.hour - 1) / p.hour; o*p.hour < len(v); o++ {
		for j, adaptive := range p.made[o] {
			if i++; i%stride != 0 {
				continue
			}
			k := p.heard(o) + j*p.hour
			at := o*p.hour + k
			if at >= len(v) || math.IsNaN(v[at]) || !p.look(v, o*p.hour, k, float64(adaptive), &x) || x.s <= 0 {
				continue
			}
			if plain {
				l.plain.add(&x, v[at])
			}
			switch {
			case !under:
			case p.skyOf(o*p.hour, at, x.newest, x.x[width:]):
				l.under.add(&x, v[at])
			case p.skyOf(len(v), at, x.newest, x.x[width:]):
				measured.add(&x, v[at])
			}
		}
	}
	if len(l.under.rows.w) < len(measured.rows.w)/3 {
		l.under.also(&measured)
	}
	return l, l.plain.enough() || l.under.enough()
}

// Plain is what the forecast is held against, see [Adaptive.Plain].
func (p *Probabilistic) Plain(past Past) []float64 { return p.mean.Plain(past) }

// Forget drops the oldest slots of the past, so many whole days as there are in n slots, which the pasts of later calls must then begin without; it returns how many slots these are. What was
// learned from them stays.
func (p *Probabilistic) Forget(n int) int {
	n = min(n, (p.seen-1)*p.hour) / p.perDay * p.perDay
	if n <= 0 {
		return 0
	}
	p.mean.Forget(n)
	origins := n / p.hour
	p.made, p.spoken = append([][]float32(nil), p.made[origins:]...), append([][]speech(nil), p.spoken[origins:]...)
	p.sumV, p.sumC = append([]float64(nil), p.sumV[n:]...), append([]float64(nil), p.sumC[n:]...)
	p.seen -= origins
	if p.grown != 0 {
		p.grown = max(1, p.grown-n/p.perDay)
	}
	if p.taught != 0 {
		p.taught = max(1, p.taught-n/p.perDay)
	}
	return n
}

func common(a, b int) int {
	for b > 0 {
		a, b = b, a%b
	}
	return a
}

// sum keeps the sums of what came and of the clear sky.
func (p *Probabilistic) sum(v []float64) {
	for i := len(p.sumV) - 1; i < len(v); i++ {
		y, c := v[i], 0.0
		if p.sun {
			c = p.clear(v, i, i-p.perDay)
		}
		if math.IsNaN(y) {
			y, c = 0, 0
		}
		p.sumV, p.sumC = append(p.sumV, p.sumV[i]+y), append(p.sumC, p.sumC[i]+c)
	}
}
