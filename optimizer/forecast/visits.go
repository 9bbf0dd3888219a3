package forecast

import (
	"math"
	"time"
)

const (
	visitDays  = 42  // of the past that are looked at
	visitOther = 0.1 // the weight of days of another kind, working day or weekend
	visitDoubt = 2   // origins at which nothing came that are counted beside the known ones
)

// Visits foresees what cars draw at a charging point, or the like: something that is nothing most of the time. It is the mean of what was drawn as long after origins of the last six weeks at that time of day, an hour more or less, at
// which a car stood there, or none, as now. power and connected (1, 0 or NaN, which is taken as 0) are of the same slots. Without a past nothing is expected.
func Visits(power Past, connected []float64, lead int, zone *time.Location) []float64 {
	n, day, hour := len(power.Values), int(24*time.Hour/power.Step), max(1, int(time.Hour/power.Step))
	out := make([]float64, lead)
	there := func(i int) bool { return i >= 0 && i < len(connected) && connected[i] >= 0.5 }
	now := there(n - 1)
	weekends := map[int]bool{} // by day back from the end
	kind := func(slot int) bool {
		d := (slot - n + 1000*day) / day
		w, ok := weekends[d]
		if !ok {
			w = weekend(power.Start.Add(time.Duration(n+(d-1000)*day) * power.Step).In(zone))
			weekends[d] = w
		}
		return w
	}
	for k := range out {
		target := kind(n + k)
		sum, weight := 0.0, float64(visitDoubt)
		for d := 1; d <= visitDays; d++ {
			for h := -1; h <= 1; h++ {
				origin := n - d*day + h*hour
				at := origin + k
				if origin < 1 || at >= n || there(origin-1) != now || math.IsNaN(power.Values[at]) {
					continue
				}
				w := 1.0
				if h != 0 {
					w = 0.5
				}
				if kind(at) != target {
					w *= visitOther
				}
				sum, weight = sum+w*math.Max(0, power.Values[at]), weight+w
			}
		}
		out[k] = sum / weight
	}
	return out
}
