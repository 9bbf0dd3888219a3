package forecast

import (
	"math"
	"sort"
	"time"
)

const width = 26

// sight is what is known of a slot ahead: an outcome is anchor + s*y.
type sight struct {
	s      float64
	anchor [2]float64
	plain  float64                          // the mean of seven days with the present deviation fading
	spread [quantiles]float64               // of the last weeks around their median
	low    float64                          // the least that may be
	newest int                              // the newest slot of its clock time before the origin
	x      [width + weatherFeatures]float32 // those of the weather are written by skyOf alone
}

// clear is what the sun gives under a clear sky: nearly the most of the last days around that clock time.
func (p *Probabilistic) clear(v []float64, origin, newest int) float64 {
	d, peak := p.perDay, 0.0
	for i := newest; i > newest-14*d && i >= 0; i -= d {
		for j := -p.hour; j <= p.hour; j += p.hour {
			if i+j >= origin || i+j < 0 || math.IsNaN(v[i+j]) {
				continue
			}
			y := v[i+j]
			if j != 0 {
				y *= 0.9
			}
			peak = math.Max(peak, y)
		}
	}
	return peak
}

// share of the clear sky in the slots from…to.
func (p *Probabilistic) share(from, to int, otherwise float64) float64 {
	from = max(0, from)
	c := p.sumC[to] - p.sumC[from]
	if c < 0.3*p.mean.scale {
		return otherwise
	}
	return math.Min(1.5, (p.sumV[to]-p.sumV[from])/c)
}

// look writes the features of a lead at an origin.
func (p *Probabilistic) look(v []float64, origin, k int, adaptive float64, out *sight) (ok bool) {
	d := p.perDay
	var f [features]float64
	mean, ok := p.mean.look(v, origin, k, &f)
	if !ok || origin < d {
		return false
	}
	target := origin + k
	newest := target - d*(k/d+1)
	out.newest = newest
	at := func(i int) float64 {
		if i < 0 || i >= origin || math.IsNaN(v[i]) {
			return mean
		}
		return v[i]
	}
	t := p.mean.first.Add(time.Duration(target) * p.step).In(p.loc)
	week := target - 7*d*(k/(7*d)+1)
	global := p.mean.scale
	s := global
	if p.sun {
		if s = p.clear(v, origin, newest); s <= 1e-3*global {
			s = 0
		}
	}
	sc := s
	if sc == 0 {
		sc = global
	}
	var hist [28]float64
	n, long := 0, 0.0
	for i := newest; i > newest-28*d && i >= 0; i -= d {
		if !math.IsNaN(v[i]) {
			hist[n] = v[i]
			long += v[i]
			n++
		}
	}
	h := hist[:n]
	recent := append([]float64(nil), h[:min(n, 10)]...)
	sort.Float64s(h)
	sort.Float64s(recent)
	long /= float64(n)
	rank := func(of []float64, q float64) float64 { return of[min(len(of)-1, int(q*float64(len(of))))] }
	weekday, nw := 0.0, 0.0
	for i := week; i > week-28*d && i >= 0; i -= 7 * d {
		if !math.IsNaN(v[i]) {
			weekday, nw = weekday+v[i], nw+1
		}
	}
	if nw > 0 {
		weekday /= nw
	} else {
		weekday = mean
	}
	out.anchor = [2]float64{adaptive, rank(h, 0.5)}
	out.plain = mean + p.mean.begin(k)*f[4]
	out.low = p.min
	if n > 0 {
		for q, l := range Levels {
			out.spread[q] = rank(h, l) - rank(h, 0.5)
		}
	}
	if p.sun {
		out.anchor[1] = 0
	}
	out.s = s
	k3, k24, k48, k1 := 0.0, 0.0, 0.0, 0.0
	if p.sun {
		k48 = p.share(origin-2*d, origin, 1)
		k24 = p.share(origin-d, origin, k48)
		k3 = p.share(origin-3*p.hour, origin, k24)
		k1 = p.share(origin-p.hour, origin, k3)
	} else {
		k1 = at(origin-1) / global
		k3 = p.mean.sums.over(max(0, origin-3*p.hour), origin) / global
		k24 = p.mean.sums.over(max(0, origin-6*p.hour), origin) / global
		k48 = p.mean.sums.over(max(0, origin-24*p.hour), origin) / global
		for _, x := range []*float64{&k1, &k3, &k24, &k48} {
			if math.IsNaN(*x) {
				*x = 1
			}
		}
	}
	vals := [width]float64{
		float64(k) / float64(p.hour), float64(t.Hour()) + float64(t.Minute())/60, float64(t.Weekday()), float64((t.Weekday() + 6) % 7 / 5),
		mean / sc, (adaptive - mean) / sc, f[0] / sc, f[1] / sc, f[2] / sc, f[3] / global, f[4] / global, f[5] / global, f[6] / sc,
		at(week) / sc, weekday / sc, long / sc, rank(h, 0.1) / sc, rank(h, 0.5) / sc, rank(h, 0.9) / sc, rank(recent, 0.5) / sc,
		at(newest-p.hour) / sc, at(newest+p.hour) / sc, k1, k3, k24, k48,
	}
	for i, y := range vals {
		out.x[i] = float32(y)
	}
	return true
}
