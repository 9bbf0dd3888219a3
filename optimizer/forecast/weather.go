package forecast

import (
	"math"
	"time"
)

// Weather is what is known of the weather in a slot, measured or published ahead; NaN where it is not known.
type Weather struct {
	OutdoorC  float64
	GlobalWm2 float64 // irradiance on the horizontal
	DirectWm2 float64 // on a plane that faces the sun
}

// weatherFeatures is how many features weather adds to those of [Probabilistic.look].
const weatherFeatures = 6

// Under has two more forests learn from the weather as well, and speak where it is known for a slot ahead. weather tells what was known at an origin of the weather in a slot: of one before the origin what
// was measured, of one from the origin on what was published by then, and nothing where that was not kept. It is a part of what a forecast is a function of, and set before the first forecast.
//
// The forests learn from the weather that was published before the slots where that is known, and else from what was measured; only a forecast under weather that was published tells
// what they are worth. They are not listened to before that was seen for some days, nor for leads where those that know nothing of the weather were better. Where no weather is known ahead
// forecasts are as without it.
func (p *Probabilistic) Under(weather func(origin, slot time.Time) Weather) {
	p.weather, p.held = weather, make([]judge, len(p.judges))
}

// heldFirst is how many slots must have come, of which there are three an hour, before forests under the weather are listened to.
const heldFirst = 100

// judge returns who settles a lead.
func (p *Probabilistic) judge(k int, s *speech) *judge {
	i := k / (3 * p.hour)
	if s.weather && p.held[i].n >= heldFirst {
		return &p.held[i]
	}
	return &p.judges[i]
}

// hear has those who settle a lead learn, at an origin, from a slot that came before it.
func (p *Probabilistic) hear(origin, k int, s *speech, came float64) {
	i, size := k/(3*p.hour), p.size(origin)
	if s.weather {
		if h := &p.held[i]; h.n == 0 {
			*h = p.judges[i]
			h.weather, h.n = true, 0
		}
		p.held[i].hear(s, came, size)
	}
	p.judges[i].hear(s, came, size)
}

// size is how large the series was in the four weeks before an origin, and at least at first: a record may begin in holidays or under snow.
func (p *Probabilistic) size(origin int) float64 {
	from := max(0, origin-28*p.perDay)
	if origin == from {
		return p.mean.scale
	}
	return math.Max(p.mean.scale, math.Abs(p.sumV[origin]-p.sumV[from])/float64(origin-from))
}

// published reports whether weather is known ahead of an origin.
func (p *Probabilistic) published(origin int) bool {
	if p.weather == nil {
		return false
	}
	at := p.mean.first.Add(time.Duration(origin) * p.step)
	w := p.weather(at, at)
	return !math.IsNaN(w.GlobalWm2) || !math.IsNaN(w.OutdoorC)
}

// skyOf writes what is known at an origin of the weather of a target slot, and reports whether that is something: for the sun the irradiance, for a load that or the temperature. These are its temperature, how far that is from the last days at that clock time, the mean of the day that ends with it, its irradiance as a share of a clear sky's, which
// is nearly the most of the last two weeks, the direct part, and the irradiance of the slots around it. What is not known is as on the last days. newest is the newest slot of its clock time before the origin.
func (p *Probabilistic) skyOf(origin, target, newest int, out []float32) bool {
	begin := func(slot int) time.Time { return p.mean.first.Add(time.Duration(slot) * p.step) }
	from := begin(origin)
	at := func(slot int) Weather { return p.weather(from, begin(slot)) }
	d := p.perDay
	now := at(target)
	if math.IsNaN(now.GlobalWm2) && (p.sun || math.IsNaN(now.OutdoorC)) {
		return false
	}
	temperature, clear, usual, n, m := 0.0, 0.0, 0.0, 0.0, 0.0
	for i := newest; i > newest-14*d && i >= 0; i -= d {
		w := at(i)
		if !math.IsNaN(w.OutdoorC) && n < 7 {
			temperature, n = temperature+w.OutdoorC, n+1
		}
		if !math.IsNaN(w.GlobalWm2) {
			clear, usual, m = math.Max(clear, w.GlobalWm2), usual+w.GlobalWm2, m+1
		}
	}
	temperature, usual = temperature/math.Max(1, n), usual/math.Max(1, m)
	known := func(v, otherwise float64) float64 {
		if math.IsNaN(v) {
			return otherwise
		}
		return v
	}
	share := func(ghi float64) float64 { return math.Min(1.5, ghi/math.Max(20, clear)) }
	day, k := 0.0, 0.0
	for i := target; i > target-d; i -= max(1, 3*d/24) {
		if t := at(i).OutdoorC; !math.IsNaN(t) {
			day, k = day+t, k+1
		}
	}
	t := known(now.OutdoorC, temperature)
	around := (known(at(target-p.hour).GlobalWm2, usual) + known(at(target+p.hour).GlobalWm2, usual)) / 2
	for i, v := range [weatherFeatures]float64{t, t - temperature, day / math.Max(1, k), share(known(now.GlobalWm2, usual)), known(now.DirectWm2, 0) / 1000, share(around)} {
		out[i] = float32(v)
	}
	return true
}
