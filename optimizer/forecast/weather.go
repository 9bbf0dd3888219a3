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

// Under has the forests learn from the weather as well, and foresee with that of the slots ahead. weather is asked for the begins of slots, past ones and those ahead; it is a part of what a forecast is a
// function of. It is set before the first forecast.
func (p *Probabilistic) Under(weather func(slot time.Time) Weather) { p.weather = weather }

// wide is how many features there are.
func (p *Probabilistic) wide() int {
	if p.weather == nil {
		return width
	}
	return width + weatherFeatures
}

// skyOf writes the weather of a target slot: its temperature, how far that is from the last days at that clock time, the mean of the day that ends with it, its irradiance as a share of a clear sky's, which
// is nearly the most of the last two weeks, the direct part, and the irradiance of the slots around it. What is not known is as on the last days. newest is the newest slot of its clock time before the origin.
func (p *Probabilistic) skyOf(target, newest int, out []float32) {
	at := func(slot int) Weather { return p.weather(p.mean.first.Add(time.Duration(slot) * p.step)) }
	d := p.perDay
	now := at(target)
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
}
