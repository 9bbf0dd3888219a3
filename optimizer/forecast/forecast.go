// Package forecast predicts the series that a plan needs from their own past: simply, honestly, and without any look ahead.
//
// The method is the similar-day mean with persistence of the present deviation. For a slot, the mean of the same clock time on the most recent days of the same
// type (working day, or weekend) is taken; to the next hours is added the difference between what was measured last and what the same method said
// for it, fading with a time constant of two hours. Where fewer than two similar days are known, all recent days count; where none is, the last
// value holds. Everything is a pure function of the past that is passed in.
package forecast

import (
	"math"
	"time"

	"quartier/schemas/timegrid"
)

// Settings of the similar-day method. The zero value means the defaults.
type Settings struct {
	Days     int           // how many similar days are averaged; default 5
	LookBack int           // how many days back they may lie; default 21
	Fade     time.Duration // time constant of the present deviation; default 2 h
	AllDays  bool          // weekday and weekend are alike: sun, weather
	Min, Max float64       // range of the result; both 0: none
	Ratio    bool          // the deviation is a ratio, not a difference: sun, where a cloudy morning scales the afternoon
}

func (s Settings) withDefaults() Settings {
	if s.Days == 0 {
		s.Days = 5
	}
	if s.LookBack == 0 {
		s.LookBack = 21
	}
	if s.Fade == 0 {
		s.Fade = 2 * time.Hour
	}
	return s
}

// Past is a measured series with gaps: NaN where nothing was measured. Values hold over half-open slots of Step from Start.
type Past = timegrid.Series

// Similar predicts steps slots of past.Step from start on. Only values of past that end at or before now are used. loc gives clock time and weekends.
// The result is finite for every slot; without any past it is zero (within the range of the settings).
func Similar(past Past, now, start time.Time, steps int, loc *time.Location, set Settings) []float64 {
	set = set.withDefaults()
	p := newView(past, now)
	out := make([]float64, steps)
	dev, ratio, at := p.deviation(loc, set)
	for i := range out {
		t := start.Add(time.Duration(i) * past.Step)
		v, ok := p.mean(t, loc, set)
		if !ok {
			v, _ = p.last()
		} else if lead := t.Sub(at); lead >= 0 && !at.IsZero() {
			fade := math.Exp(-lead.Hours() / set.Fade.Hours())
			if set.Ratio {
				v *= 1 + (ratio-1)*fade
			} else {
				v += dev * fade
			}
		}
		if set.Min != 0 || set.Max != 0 {
			v = math.Max(set.Min, math.Min(set.Max, v))
		}
		out[i] = v
	}
	return out
}

// view restricts a past to what was known at an instant.
type view struct {
	past Past
	n    int // values that ended by then
}

func newView(past Past, now time.Time) view {
	n := len(past.Values)
	if past.Step > 0 {
		n = min(n, max(0, int(now.Sub(past.Start)/past.Step)))
	}
	return view{past, n}
}

func (p view) at(t time.Time) (float64, bool) {
	if t.Before(p.past.Start) || p.past.Step <= 0 {
		return 0, false
	}
	i := int(t.Sub(p.past.Start) / p.past.Step)
	if i >= p.n || math.IsNaN(p.past.Values[i]) {
		return 0, false
	}
	return p.past.Values[i], true
}

func (p view) last() (float64, bool) {
	for i := p.n - 1; i >= 0; i-- {
		if !math.IsNaN(p.past.Values[i]) {
			return p.past.Values[i], true
		}
	}
	return 0, false
}

// mean returns the mean of the same clock time on similar days before t.
func (p view) mean(t time.Time, loc *time.Location, set Settings) (float64, bool) {
	sum, n, all, nAll := 0.0, 0, 0.0, 0
	lt := t.In(loc)
	for d := 1; d <= set.LookBack && n < set.Days; d++ {
		day := time.Date(lt.Year(), lt.Month(), lt.Day()-d, lt.Hour(), lt.Minute(), lt.Second(), 0, loc)
		v, ok := p.at(day.UTC())
		if !ok {
			continue
		}
		if nAll < set.Days {
			all, nAll = all+v, nAll+1
		}
		if set.AllDays || weekend(day) == weekend(lt) {
			sum, n = sum+v, n+1
		}
	}
	switch {
	case n >= 2:
		return sum / float64(n), true
	case nAll > 0:
		return all / float64(nAll), true
	}
	return 0, false
}

// deviation compares the last measured slots with what the method says for them; at is the instant from which it fades.
func (p view) deviation(loc *time.Location, set Settings) (diff, ratio float64, at time.Time) {
	ratio = 1
	measured, said, n := 0.0, 0.0, 0
	for i := p.n - 1; i >= 0 && i >= p.n-4; i-- {
		v := p.past.Values[i]
		t := p.past.Start.Add(time.Duration(i) * p.past.Step)
		m, ok := p.mean(t, loc, set)
		if math.IsNaN(v) || !ok {
			continue
		}
		measured, said, n = measured+v, said+m, n+1
	}
	if n == 0 {
		return 0, 1, time.Time{}
	}
	diff = (measured - said) / float64(n)
	if said != 0 && math.Abs(said) > 0.02*float64(n) {
		ratio = math.Max(0.2, math.Min(3, measured/said))
	}
	return diff, ratio, p.past.Start.Add(time.Duration(p.n) * p.past.Step)
}

func weekend(t time.Time) bool { return t.Weekday() == time.Saturday || t.Weekday() == time.Sunday }

// MAE returns the mean absolute error of a forecast against what was measured, over the slots where both are known; ok is false without any.
func MAE(forecast, measured []float64) (mae float64, ok bool) {
	n := 0
	for i := range min(len(forecast), len(measured)) {
		if math.IsNaN(forecast[i]) || math.IsNaN(measured[i]) {
			continue
		}
		mae += math.Abs(forecast[i] - measured[i])
		n++
	}
	if n == 0 {
		return 0, false
	}
	return mae / float64(n), true
}
