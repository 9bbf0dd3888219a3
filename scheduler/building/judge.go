package building

import (
	"math"
	"time"

	"quartier/optimizer/forecast"
	"quartier/schemas/timegrid"
)

const (
	// judgedDays is over how many of the last days on which the rooms were foreseen it is judged which parameters foresaw them better, and leastJudged how many there must be.
	judgedDays, leastJudged = 7, 5
	// betterBy and gainsBetterBy are by which share the error must be smaller for what is identified, and for what is foreseen of gains, to be gone by. They are given up when it is not smaller any more.
	betterBy, gainsBetterBy = 0.1, 0.05
	// leastK is what must be gained by either, K: less is no matter to people, and often the sensor's.
	leastK = 0.02
	// leadingDays is on how many of judgedDays it must have been smaller.
	leadingDays = 5
	// trustDays is over how many days it is weighed how far what is foreseen of gains is to be followed.
	trustDays = 14
	// gainsAhead is how far gains are foreseen, hours.
	gainsAhead = 48
)

// Use is by which parameters a plan goes.
type Use uint8

// By what was stated, by what was identified with constant gains, or by that with gains that are foreseen hour by hour.
const (
	AsStated Use = iota
	AsIdentified
	WithGains
)

// String returns the word of the API.
func (u Use) String() string {
	return [...]string{AsStated: "configured", AsIdentified: "identified", WithGains: "identified_with_gains"}[u]
}

// Reason is why a plan goes by these.
type Reason uint8

// Too few days were foreseen; what was identified foresaw no better; it did; it did once, and does no more.
const (
	TooFew Reason = iota
	NoBetter
	Better
	NoLonger
)

// String returns the word of the API.
func (r Reason) String() string {
	return [...]string{TooFew: "too_few_days", NoBetter: "no_better", Better: "better", NoLonger: "no_longer"}[r]
}

// Errors are mean absolute errors, K: of what is stated, of what was identified, of that with foreseen gains, and of a temperature that stays.
type Errors struct{ Stated, Identified, WithGains, Staying float64 }

// Trial is how the rooms were foreseen from the past, by parameters that were learned on it, over the last days: knowing what the pump then gave and what the weather then was.
type Trial struct {
	Days   int    // on which they were, up to judgedDays
	DayK   Errors // 24 hours ahead
	AllK   Errors // over all leads from 1 to 24 hours
	Use    Use
	Reason Reason
	// Trust is how far what is foreseen of gains is followed from their mean, in [0, 1].
	Trust float64
}

// the ways in which the rooms are foreseen
const (
	byStated = iota
	byIdentified
	byGains
	byStaying
	ways
)

// judged are the errors of the forecasts of one day.
type judged struct {
	all, day      [ways]float64 // sums of absolute errors over all leads, and of those 24 hours ahead
	n, nDay       int
	cross, square float64 // of what is left with constant gains with what the foreseen ones would change, for how far they are to be followed
}

// judge holds what came against what was foreseen from the hours from slot first up to slot last, of rooms that were identified before first.
func judge(stated, identified Params, m *Measured, first, last int, hotC, trust float64, zone *time.Location) judged {
	var out judged
	pairs := m.pairs(first-1, last-1, len(m.IndoorC), hotC)
	if len(pairs) == 0 {
		return out
	}
	z0, z1 := m.response(stated.keep(m.Step.Hours()), nil), m.response(identified.keep(m.Step.Hours()), nil)
	kept0, kept1 := stated.kept(), identified.kept()
	upTo := m.upTo(last)
	d := newDeviations(identified, &upTo, 24, zone)
	origin, shift := int32(-1), []float64(nil)
	for _, q := range pairs {
		if q.from != origin {
			origin, shift = q.from, identified.moves(d.foresee(int(q.from+1)/m.perHour()))
		}
		from, to := m.IndoorC[q.from], m.IndoorC[q.to]
		e := to - identified.foreseen(q, from, z1, kept1[q.lead])
		move := shift[hoursAhead[q.lead]-1]
		out.cross += e * move
		out.square += move * move
		abs := [ways]float64{math.Abs(to - stated.foreseen(q, from, z0, kept0[q.lead])), math.Abs(e), math.Abs(e - trust*move), math.Abs(to - from)}
		out.n++
		for k, v := range abs {
			out.all[k] += v
		}
		if hoursAhead[q.lead] == 24 {
			out.nDay++
			for k, v := range abs {
				out.day[k] += v
			}
		}
	}
	return out
}

// conclude says by what a plan goes after one day more, and why.
func (t *Trial) conclude(days []judged) {
	*t = Trial{Use: t.Use, Reason: t.Reason, Trust: trust(days)}
	var sum judged
	last := make([]*judged, 0, judgedDays)
	for k := len(days) - 1; k >= 0 && len(last) < judgedDays; k-- {
		d := &days[k]
		if d.n == 0 {
			continue
		}
		last = append(last, d)
		sum.n, sum.nDay = sum.n+d.n, sum.nDay+d.nDay
		for w := range ways {
			sum.all[w], sum.day[w] = sum.all[w]+d.all[w], sum.day[w]+d.day[w]
		}
	}
	t.Days = len(last)
	mean := func(s [ways]float64, n int) Errors {
		x := 1 / float64(max(1, n))
		return Errors{Stated: x * s[byStated], Identified: x * s[byIdentified], WithGains: x * s[byGains], Staying: x * s[byStaying]}
	}
	t.DayK, t.AllK = mean(sum.day, sum.nDay), mean(sum.all, sum.n)
	if t.Days < leastJudged {
		return
	}
	way, use := byIdentified, AsIdentified
	if k := t.AllK; better(k.WithGains, k.Identified, gainsBetterBy) || k.WithGains <= k.Identified && t.Use == WithGains {
		way, use = byGains, WithGains
	}
	leads, n := 0, float64(max(1, sum.n))
	for _, d := range last {
		if d.all[way] < d.all[byStated] {
			leads++
		}
	}
	switch {
	case t.Use == AsStated && better(sum.all[way]/n, t.AllK.Stated, betterBy) && leads >= leadingDays:
		t.Use, t.Reason = use, Better
	case t.Use == AsStated && t.Reason == TooFew:
		t.Reason = NoBetter
	case t.Use != AsStated && sum.all[way] > sum.all[byStated]:
		t.Use, t.Reason = AsStated, NoLonger
	case t.Use != AsStated:
		t.Use = use
	}
}

// better reports whether an error is smaller than another by a share of it that matters.
func better(aK, bK, share float64) bool { return aK <= (1-share)*bK && aK <= bK-leastK }

// trust is how far what was foreseen of gains should have been followed on the last days.
func trust(days []judged) float64 {
	cross, square := 0.0, 0.0
	for k := max(0, len(days)-trustDays); k < len(days); k++ {
		cross, square = cross+days[k].cross, square+days[k].square
	}
	if !(square > 0) {
		return 0
	}
	return math.Max(0, math.Min(1, cross/square))
}

// deviations foresee by how much gains differ from what people and sun are known to give in the mean.
type deviations struct {
	past timegrid.Series // of each hour, kW, NaN where it is not known
	mean *forecast.Adaptive
}

// newDeviations foresees so many hours ahead.
func newDeviations(p Params, m *Measured, hours int, zone *time.Location) *deviations {
	d := &deviations{past: timegrid.Series{Start: m.Start, Step: time.Hour}, mean: forecast.NewAdaptive(time.Hour, hours, zone, forecast.Settings{})}
	d.grow(p, m)
	return d
}

// grow takes up the hours that were measured since.
func (d *deviations) grow(p Params, m *Measured) {
	per, have := m.perHour(), len(d.past.Values)
	begin := max(0, have-1) * per // the hour before gives the temperature at the begin
	rest := Measured{m.Start, m.Step, m.IndoorC[begin:], m.HeatKW[begin:], m.OutdoorC[begin:], m.Sun[begin:]}
	for i, kw := range p.Gains(&rest) {
		hour := begin/per + i
		if hour < have {
			continue
		}
		for k := hour * per; k < (hour+1)*per; k++ {
			kw -= p.usual(m.Start.Add(time.Duration(k)*m.Step+m.Step/2), m.Sun[k]) / float64(per)
		}
		d.past.Values = append(d.past.Values, kw)
	}
}

// foresee are the deviations of the hours from one on, kW, from what was known at its begin.
func (d *deviations) foresee(hour int) []float64 {
	past := d.past
	past.Values = past.Values[:hour]
	out := d.mean.Forecast(past)
	for k, kw := range out {
		if math.IsNaN(kw) {
			out[k] = 0
		}
	}
	return out
}

// moves is by how much gains that deviate so hour by hour move the temperature by the end of each, K.
func (p Params) moves(kw []float64) []float64 {
	keep, c := p.keep(1), 0.0
	out := make([]float64, len(kw))
	for i := range kw {
		c = keep*c + (1-keep)*p.ResistanceKPerKW*kw[i]
		out[i] = c
	}
	return out
}
