package forecast

import (
	"math"
	"time"
)

const (
	repeatsDays  = 28  // that are looked back on
	repeatsExact = 0.9 // share of the values of those days that must have been foreseen to the digit
)

// Repeats forecasts what follows a calendar, such as a tariff of hours: for each slot from the past's end on the value of the same clock time on the day before, on the last day of its kind (working
// day or weekend) or a week before, whichever of the three missed the smallest share of values in the last four weeks, counted by kind of day. It is a function of the past that is passed in; ok is
// false where the past shows no such calendar, or is shorter than a day and a half.
func Repeats(past Past, lead int, loc *time.Location) (out []float64, ok bool) {
	v, perDay := past.Values, int(24*time.Hour/past.Step)
	kind := func(i int) int { // by clock time, which is a whole day's only from its midnight on
		if weekend(past.Start.Add(time.Duration(i) * past.Step).In(loc)) {
			return 1
		}
		return 0
	}
	// candidate is what one of the ways says of a slot, knowing what came before origin; NaN: nothing
	candidate := func(way, slot, origin int) float64 {
		of := kind(slot)
		for i, n := slot-perDay, 1; i >= 0 && n <= 10; i, n = i-perDay, n+1 {
			if i >= origin || way == 1 && kind(i) != of || way == 2 && n%7 != 0 {
				continue
			}
			return v[i]
		}
		return math.NaN()
	}
	var hits, seen [2][3]int
	for i := max(perDay, len(v)-repeatsDays*perDay); i < len(v); i++ {
		k := kind(i)
		for way := range hits[k] {
			if y := candidate(way, i, i-i%perDay); !math.IsNaN(v[i]) && !math.IsNaN(y) {
				seen[k][way]++
				if math.Abs(y-v[i]) <= 1e-9*math.Abs(v[i]) {
					hits[k][way]++
				}
			}
		}
	}
	var best [2]int
	all, foreseen := 0, 0
	missed := func(k, way int) float64 { return float64(seen[k][way]-hits[k][way]+1) / float64(seen[k][way]+2) }
	for k := range best {
		for way := range hits[k] {
			if missed(k, way) < missed(k, best[k]) {
				best[k] = way
			}
		}
		all, foreseen = all+seen[k][best[k]], foreseen+hits[k][best[k]]
	}
	if all < perDay/2 || float64(foreseen) < repeatsExact*float64(all) {
		return nil, false
	}
	out = make([]float64, lead)
	for i := range out {
		slot := len(v) + i
		y := candidate(best[kind(slot)], slot, len(v))
		for way := 0; way < 3 && math.IsNaN(y); way++ {
			y = candidate(way, slot, len(v))
		}
		if math.IsNaN(y) {
			return nil, false
		}
		out[i] = y
	}
	return out, true
}
