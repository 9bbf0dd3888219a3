package hotwater

import (
	"math"
	"time"

	"quartier/optimizer/forecast"
	"quartier/schemas/timegrid"
)

// learnedDays is how many days of draws must be known before what is usual elsewhere counts no more.
const learnedDays = 7

// usualShare is how much of its heat is drawn from a tank in a day, before anything is measured of it.
const usualShare = 0.6

// usualShape is how what is drawn in a day is spread over the hours of the clock, before anything is measured: showers in the morning, dishes and baths in the evening, little at night.
var usualShape = [24]float64{0.4, 0.2, 0.2, 0.2, 0.3, 0.7, 1.7, 2.0, 1.7, 1.3, 1.0, 1.0, 1.0, 0.9, 0.8, 0.7, 0.8, 1.1, 1.5, 1.7, 1.6, 1.4, 1.1, 0.7} // mean 1

// Draws foresees what is drawn from a tank, from what was drawn, and learns from it. It is not safe for use by several goroutines at once.
type Draws struct {
	step  time.Duration
	steps int
	zone  *time.Location
	mean  *forecast.Adaptive
	usual float64 // kWh a day
}

// NewDraws foresees so many steps ahead what is drawn from a tank that holds capacityKWh between mains water and its highest temperature.
func NewDraws(step time.Duration, steps int, zone *time.Location, capacityKWh float64) *Draws {
	return &Draws{step: step, steps: steps, zone: zone, mean: forecast.NewAdaptive(step, steps, zone, forecast.Settings{Max: math.Inf(1)}), usual: usualShare * capacityKWh}
}

// Forecast is the expected draw of the slots from the past's end on, kW. The past begins at the same instant in every call, see [Draws.Forget], and only grows; NaN is a gap. While less than a week of it is known, the rest of a week
// is taken to be as usual.
func (d *Draws) Forecast(past timegrid.Series) []float64 {
	out := d.mean.Forecast(past)
	own := math.Min(1, knownDays(past)/learnedDays)
	for k := range out {
		if own < 1 {
			at := past.Start.Add(time.Duration(len(past.Values)+k) * d.step).In(d.zone)
			out[k] = own*out[k] + (1-own)*usualShape[at.Hour()]*d.usual/24
		}
	}
	return out
}

// Forget drops the oldest n slots of the past, which the pasts of later calls then begin without.
func (d *Draws) Forget(n int) { d.mean.Forget(n) }

// knownDays is how many days of a past are known, up to learnedDays of them.
func knownDays(past timegrid.Series) float64 {
	perDay, known := int(24*time.Hour/past.Step), 0
	for i := len(past.Values) - 1; i >= 0 && known < learnedDays*perDay; i-- {
		if !math.IsNaN(past.Values[i]) {
			known++
		}
	}
	return float64(known) / float64(perDay)
}
