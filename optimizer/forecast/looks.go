package forecast

import (
	"math"
	"slices"
)

// days is what a clock time was like on the days before: the newest value, the medians of two and of four weeks, and the lower and upper quarter of two weeks.
type days [looks - 1]float64

// daysBefore gathers the slots newest, newest-perDay, … of four weeks; false where none is known.
func daysBefore(v []float64, newest, perDay int) (of days, ok bool) {
	var all [28]float64
	n, two := 0, 0
	for i, day := newest, 0; i >= 0 && day < len(all); i, day = i-perDay, day+1 {
		if !math.IsNaN(v[i]) {
			all[n] = v[i]
			n++
		}
		if day < 14 || two == 0 {
			two = n
		}
	}
	if n == 0 {
		return of, false
	}
	of[0] = all[0]
	h := all[:two]
	slices.Sort(h)
	of[1], of[3], of[4] = h[two/2], h[two/4], h[3*two/4]
	h = all[:n]
	slices.Sort(h)
	of[2] = h[n/2]
	return of, true
}

// present is how far the last slot lay from what [daysBefore] says of it; zero where that is not known.
func (p *Probabilistic) present(v []float64) (dev days) {
	last := len(v) - 1
	if last < p.perDay || math.IsNaN(v[last]) {
		return dev
	}
	if of, ok := daysBefore(v, last-p.perDay, p.perDay); ok {
		for i := range dev {
			dev[i] = v[last] - of[i]
		}
	}
	return dev
}

// look has the experts speak that look at the days before: for the mean of seven days, and for all of [days], each with the present deviation from its own, fading.
func (s *speech) look(p *Probabilistic, v []float64, k int, x *sight, dev *days) {
	s.spread, s.low, s.high = x.spread, x.low, math.Inf(1)
	if p.sun {
		s.high = x.s
	}
	for e := range s.centre {
		s.centre[e] = x.plain
	}
	if of, ok := daysBefore(v, x.newest, p.perDay); ok {
		for i, y := range of {
			s.centre[1+i] = math.Max(p.min, math.Min(p.max, y+p.mean.begin(k)*dev[i]))
		}
	}
}
