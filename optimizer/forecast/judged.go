package forecast

import (
	"math"
	"slices"
	"time"
)

// Judged holds what somebody says of a series ahead, a published weather, day-ahead prices, a model of a tank, against what came, and says how far it may be believed.
//
// Each full hour it keeps, at some leads, what was said, what it foresees itself where nobody says anything, and what similar days say: the mean of the same clock time of seven days with the present deviation
// fading. From the errors of the last four weeks, those made for that clock time before others, come the quantiles of every slot, a little wider or narrower by what the last ones held; before any is known, errors are counted with that the settings say. Lead by
// lead it steps back to similar days where these were better of late, and comes forward again when they are not, see [Judged.step]. What is settled beforehand, as a tariff, is not judged and has a band without width.
//
// What it says is a function of what came and of what was said before. Memory and time are bounded. It is not safe for use by several goroutines at once.
type Judged struct {
	set     JudgedSettings
	perDay  int
	hour    int // slots
	past    Past
	known   int       // slots of it that are known
	own     *Adaptive // foresees itself; nil: similar days do
	similar *Adaptive // whose plain forecast is what similar days say
	leads   []int     // slots ahead that are kept
	near    []int     // of them, by slot ahead
	errors  []errorsAt
	waits   map[int64][]waiting // by slot of the target, counted from the epoch
	waited  int64               // the last slot whose forecasts wait
	squares [2]float64          // of what was foreseen less what came, and of what came, of the last weeks
	squared float64             // of how many
}

// JudgedSettings are what a judged forecaster is told of a series.
type JudgedSettings struct {
	Step time.Duration
	Lead int // slots ahead that are foreseen
	Zone *time.Location
	// Own has it foresee itself what nobody says, by [Adaptive]; else similar days do.
	Own bool
	// Beside has it foresee beside what is said as well, which stands until that was nearer to what came over two weeks, lead by lead, see [Judged.besides].
	Beside bool
	// OwnFade is the time constant of the present deviation in that; 0: two hours.
	OwnFade time.Duration
	// Min and Max are the range of the series; both 0: any.
	Min, Max float64
	// Prior is the deviation of a forecast a day ahead in the unit of the series, and PriorShare a part of it as a share of what is foreseen, before errors are known.
	Prior, PriorShare float64
	// Count is told of every forecast whose slot has come, at the leads of [CountedLeads]; nil: nobody is.
	Count func(slot time.Time, o Outcome)
}

// Outcome is a forecast that was made at its time and what came.
type Outcome struct {
	Lead              time.Duration
	Came              float64
	Mean, Plain       float64 // what was foreseen, and what similar days said
	Low, Median, High float64 // 10th, 50th and 90th percentile
}

// CountedLeads are how far ahead forecasts are counted.
var CountedLeads = []time.Duration{time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour}

// Said is what somebody says of a series from an origin on.
type Said struct {
	Mean    []float64 // NaN where nothing is said, as beyond its end
	Settled []bool    // that this is what will come; not beyond its end
	Firm    []bool    // that nothing else stands in its place, however wrong it was; not beyond its end
}

func (s Said) at(i int) float64 {
	if i < len(s.Mean) && !math.IsInf(s.Mean[i], 0) {
		return s.Mean[i]
	}
	return math.NaN()
}

func (s Said) settled(i int) bool {
	return i < len(s.Settled) && s.Settled[i] && !math.IsNaN(s.at(i))
}

func (s Said) firm(i int) bool {
	return s.settled(i) || i < len(s.Firm) && s.Firm[i] && !math.IsNaN(s.at(i))
}

// Expected is what is foreseen of a series. What it says is worked out when it is asked, before the next slot comes.
type Expected struct {
	Mean  []float64
	Plain []float64 // what similar days say; nil where nobody asked them
	Back  []bool    // slots in which similar days stand in the place of what was said, or foreseen otherwise
	Known []bool    // slots that are settled

	speaks []int
	bands  *bands
}

// SteppedBack reports whether similar days stand in most of the slots that are not settled.
func (e *Expected) SteppedBack() bool {
	back, open := 0, 0
	for i := range e.Back {
		if !e.Known[i] {
			open++
		}
		if e.Back[i] {
			back++
		}
	}
	return 2*back > open
}

// Band is what may come in a slot, by [Levels].
func (e *Expected) Band(i int) (q [quantiles]float64) {
	j := e.bands.j
	if !e.Known[i] {
		q = e.bands.at(i, e.speaks[i], j.End().Add(time.Duration(i)*j.set.Step).In(j.set.Zone).Hour())
	}
	for k := range q {
		if q[k] += e.Mean[i]; !e.Known[i] {
			q[k] = j.within(q[k])
		}
	}
	return q
}

// The voices that may speak for a slot.
const (
	voiceSaid = iota
	voiceOwn
	voicePlain
	voices
)

// waiting is a forecast whose slot has not come.
type waiting struct {
	at      int // of the leads
	said    [voices]float64
	settled bool
	speaks  int // the voice
	band    [quantiles]float64
	counted bool
}

const (
	judgedDays  = 60 // of the past that are kept where it is learned from, and half as many more
	similarDays = 12 // where similar days alone are looked for in it
	errorDays   = 28 // of errors
	judgeDays   = 14 // by which is judged who speaks
)

// judgedHours are the leads at which errors are known, hours.
var judgedHours = [...]int{0, 1, 3, 6, 12, 24, 36}

// NewJudged begins with a series of which nothing came before start.
func NewJudged(start time.Time, set JudgedSettings) *Judged {
	if set.Min == 0 && set.Max == 0 {
		set.Min, set.Max = math.Inf(-1), math.Inf(1)
	}
	j := &Judged{set: set, perDay: int(24 * time.Hour / set.Step), hour: max(1, int(time.Hour/set.Step)), past: Past{Start: start, Step: set.Step}, waits: map[int64][]waiting{}, waited: math.MinInt64}
	adaptive := func(fade time.Duration) *Adaptive {
		a := NewAdaptive(set.Step, set.Lead, set.Zone, Settings{Fade: fade})
		a.min, a.max = set.Min, set.Max
		return a
	}
	j.similar = adaptive(0)
	if set.Own {
		j.own = adaptive(set.OwnFade)
	}
	for _, h := range judgedHours {
		if h*j.hour < set.Lead {
			j.leads = append(j.leads, h*j.hour)
			j.errors = append(j.errors, errorsAt{wide: 1})
		}
	}
	for i := range set.Lead {
		j.near = append(j.near, j.nearest(i))
	}
	return j
}

// End is the end of what came.
func (j *Judged) End() time.Time {
	return j.past.Start.Add(time.Duration(len(j.past.Values)) * j.set.Step)
}

// Past is what came of the last weeks.
func (j *Judged) Past() Past { return j.past }

// Known is how many slots of [Judged.Past] are known.
func (j *Judged) Known() int { return j.known }

// Since is where a past begins that is long enough for all that is said: what came before is not looked at.
func (j *Judged) Since() time.Time {
	return j.End().Add(-time.Duration(j.days()*j.perDay) * j.set.Step)
}

// days is how many days of the past are kept at least.
func (j *Judged) days() int {
	if j.own != nil {
		return judgedDays
	}
	return similarDays
}

func (j *Judged) slot(t time.Time) int64 { return t.UnixNano() / int64(j.set.Step) }

// Take takes what came in the slots that follow, NaN where that is not known.
func (j *Judged) Take(values ...float64) {
	for _, v := range values {
		at := j.End()
		j.past.Values = append(j.past.Values, v)
		if !math.IsNaN(v) {
			j.known++
		}
		j.came(at, v)
		if j.own != nil && len(j.past.Values) == 2*j.perDay {
			j.own.Forecast(j.past) // takes the size of the series from the same slots whenever it is asked
		}
	}
	if j.own != nil && j.own.scale > 0 && len(j.past.Values)-j.own.seen >= j.perDay {
		j.own.Forecast(j.past) // learns a day at a time, so that nobody waits for weeks
	}
	days := j.days()
	if drop := (len(j.past.Values) - days*j.perDay) / j.perDay * j.perDay; drop >= days/2*j.perDay {
		if j.own != nil {
			j.own.Forecast(j.past) // learns what is dropped
			j.own.Forget(drop)
		}
		j.similar.Forget(drop)
		for _, v := range j.past.Values[:drop] {
			if !math.IsNaN(v) {
				j.known--
			}
		}
		j.past.Values = slices.Clone(j.past.Values[drop:])
		j.past.Start = j.past.Start.Add(time.Duration(drop) * j.set.Step)
	}
}

// came holds the forecasts of a slot against what came.
func (j *Judged) came(at time.Time, v float64) {
	slot := j.slot(at)
	list := j.waits[slot]
	delete(j.waits, slot)
	if math.IsNaN(v) {
		return
	}
	for _, w := range list {
		if w.counted && !w.settled {
			fade := 1 - 1/float64(errorDays*24*len(CountedLeads))
			mean := w.said[w.speaks]
			j.squares[0], j.squares[1], j.squared = fade*j.squares[0]+(v-mean)*(v-mean), fade*j.squares[1]+v*v, fade*j.squared+1
		}
		if !w.settled {
			one := failure{slot: slot, hour: uint8(at.In(j.set.Zone).Hour())}
			for k, said := range w.said {
				one.err[k] = float32(v - said)
			}
			j.errors[w.at].add(one, slot-errorDays*int64(j.perDay))
			j.errors[w.at].held(v >= w.band[0] && v <= w.band[quantiles-1])
		}
		if w.counted && j.set.Count != nil {
			mean := w.said[w.speaks]
			j.set.Count(at, Outcome{Lead: time.Duration(j.leads[w.at]) * j.set.Step, Came: v, Mean: mean, Plain: w.said[voicePlain], Low: w.band[0], Median: w.band[quantiles/2], High: w.band[quantiles-1]})
		}
	}
	for b := range j.errors {
		j.step(b, slot)
	}
}

// tellingDays is how many days of forecasts must be known for [Judged.Telling].
const tellingDays = 14

// Telling reports whether what was foreseen of late is nearer to what came than nothing is, by the mean square, which an expected value makes least: seldom and large, as a car that comes, is expected to be little at any
// time, and to be nothing has the least absolute error.
func (j *Judged) Telling() bool {
	all := float64(errorDays * 24 * len(CountedLeads)) // what fades sums up to
	return j.squared >= all*(1-math.Exp(-float64(tellingDays)/errorDays)) && j.squares[0] < j.squares[1]
}

// Learn takes what came, as Take does, and learns at each full hour how wrong it would have been without anybody who says anything.
func (j *Judged) Learn(values ...float64) {
	for i := range values {
		if end := j.End(); end.Equal(end.Truncate(time.Hour)) {
			j.Say(Said{})
			for _, list := range j.waits {
				for k := range list {
					list[k].counted = false
				}
			}
		}
		j.Take(values[i])
	}
}

// Say foresees the slots from the end of what came on. What is foreseen at a full hour waits, once, for what comes. While less than a day of the past is known, nothing stands in the place of what is said.
func (j *Judged) Say(said Said) *Expected {
	n, end := j.set.Lead, j.End()
	e := &Expected{Mean: make([]float64, n), Back: make([]bool, n), Known: make([]bool, n), speaks: make([]int, n)}
	hour := end.Equal(end.Truncate(time.Hour)) && j.slot(end) > j.waited
	beside := make([]bool, len(j.leads))
	for b := range beside {
		beside[b] = j.own != nil && j.set.Beside && j.besides(b)
	}
	var own []float64
	size := 0.0
	young := j.known < j.perDay // similar days know nothing yet
	for i := range n {
		b := j.near[i]
		switch v := said.at(i); {
		case said.firm(i) || !math.IsNaN(v) && (young || !beside[b] && (j.set.Beside || !j.errors[b].back[voiceSaid])):
			e.speaks[i], e.Mean[i] = voiceSaid, v
		case (beside[b] || math.IsNaN(v)) && j.own != nil && !j.errors[b].back[voiceOwn]:
			if own == nil {
				own = j.own.Forecast(j.past)
			}
			e.speaks[i], e.Mean[i] = voiceOwn, own[i]
		default:
			if e.Plain == nil {
				e.Plain = j.similar.Plain(j.past)
			}
			e.speaks[i], e.Mean[i] = voicePlain, e.Plain[i]
			e.Back[i] = j.own != nil || !math.IsNaN(v)
		}
		if e.Known[i] = said.settled(i); !e.Known[i] {
			e.Mean[i] = j.within(e.Mean[i])
		}
		size += math.Abs(e.Mean[i]) / float64(n)
	}
	e.bands = &bands{j: j, sigma: j.set.Prior + j.set.PriorShare*size, known: map[[3]int][quantiles]float64{}}
	if hour {
		if e.Plain == nil {
			e.Plain = j.similar.Plain(j.past)
		}
		if own == nil && j.own != nil && j.set.Beside {
			own = j.own.Forecast(j.past)
		}
		j.wait(end, said, own, e)
	}
	return e
}

func (j *Judged) within(v float64) float64 {
	return math.Max(j.set.Min, math.Min(j.set.Max, v))
}

// wait keeps what was foreseen at a full hour.
func (j *Judged) wait(end time.Time, said Said, own []float64, e *Expected) {
	slot := j.slot(end)
	j.waited = slot
	for b, i := range j.leads {
		w := waiting{at: b, said: [voices]float64{said.at(i), math.NaN(), e.Plain[i]}, settled: e.Known[i], speaks: e.speaks[i], band: e.Band(i), counted: slices.Contains(CountedLeads, time.Duration(i)*j.set.Step)}
		if own != nil {
			w.said[voiceOwn] = own[i]
		}
		if len(j.past.Values) < j.perDay { // similar days are not known yet
			w.said[voicePlain] = math.NaN()
			w.counted = false
		}
		at := slot + int64(i)
		j.waits[at] = append(j.waits[at], w)
	}
}

// nearest is the lead at which errors are known that stands for a slot.
func (j *Judged) nearest(i int) int {
	best := 0
	for b, at := range j.leads {
		if math.Abs(math.Log(float64(at+j.hour)/float64(i+j.hour))) <= math.Abs(math.Log(float64(j.leads[best]+j.hour)/float64(i+j.hour))) {
			best = b
		}
	}
	return best
}
