package forecast

import (
	"math"
	"sort"
	"time"
)

// Spread knows how wrong a forecaster was: it keeps what was forecast and what came, and tells the distribution of the errors by lead and clock time. It is not safe for use by
// several goroutines at once.
type Spread struct {
	step  time.Duration
	lead  int // slots ahead that are kept
	days  int
	made  map[int64][]float64 // by slot of its origin
	came  map[int64]float64   // by slot
	first int64
}

// spreadDays is how many days errors are remembered.
const spreadDays = 20

// NewSpread keeps forecasts of so many slots ahead for so many days; 0 means 20.
func NewSpread(step time.Duration, lead, days int) *Spread {
	if days <= 0 {
		days = spreadDays
	}
	return &Spread{step: step, lead: lead, days: days, made: map[int64][]float64{}, came: map[int64]float64{}}
}

// Days is how many days errors are remembered.
func (s *Spread) Days() int { return s.days }

func (s *Spread) slot(t time.Time) int64 { return t.UnixNano() / int64(s.step) }

func (s *Spread) perDay() int64 { return int64(24 * time.Hour / s.step) }

// Made keeps a forecast for the slots from origin on.
func (s *Spread) Made(origin time.Time, values []float64) {
	at := s.slot(origin)
	s.made[at] = append([]float64(nil), values[:min(len(values), s.lead)]...)
	s.forget(at)
}

// Measured keeps what came in a slot.
func (s *Spread) Measured(at time.Time, value float64) {
	if !math.IsNaN(value) {
		s.came[s.slot(at)] = value
	}
}

// forget drops what no question at or after a slot rests on.
func (s *Spread) forget(at int64) {
	old := at - int64(s.days+2)*s.perDay() - int64(s.lead)
	if s.first == 0 {
		s.first = old
	}
	for ; s.first < old; s.first++ {
		delete(s.made, s.first)
		delete(s.came, s.first)
	}
}

// Errors writes the distribution of measured less forecast to out, as equally likely values from the smallest to the largest: errors of the forecasts made at the same clock time on
// the last days, of those whose slot has been measured before origin. lead counts slots from origin, 0 the one that begins there. Where fewer than three errors are
// known, out is zero and the result false.
func (s *Spread) Errors(origin time.Time, lead int, out []float64) bool {
	at, day := s.slot(origin), s.perDay()
	errs := make([]float64, 0, s.days)
	for o := at - day; len(errs) < s.days && o >= at-int64(s.days+2)*day; o -= day {
		if o+int64(lead) >= at {
			continue
		}
		f, came := s.made[o], 0.0
		if lead >= len(f) {
			continue
		}
		var ok bool
		if came, ok = s.came[o+int64(lead)]; ok {
			errs = append(errs, came-f[lead])
		}
	}
	return Quantiles(errs, out)
}

// Quantiles writes a distribution of which values are known to out, as equally likely values from the smallest to the largest. Fewer than three values are none: out is zero and the result
// false. It sorts the values.
func Quantiles(errs, out []float64) bool {
	if len(errs) < 3 {
		clear(out)
		return false
	}
	sort.Float64s(errs)
	for i := range out {
		x := (float64(i)+0.5)/float64(len(out))*float64(len(errs)) - 0.5
		j := min(max(int(math.Floor(x)), 0), len(errs)-2)
		out[i] = errs[j] + math.Max(0, math.Min(1, x-float64(j)))*(errs[j+1]-errs[j])
	}
	return true
}
