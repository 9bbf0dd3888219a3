package hotwater

import (
	"math"
	"time"

	"quartier/scheduler/devices"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

const (
	// reserveDays is how far back what was drawn from a tank tells how much may be drawn at once.
	reserveDays = 28
	// reserveMargin is how many times what was ever needed is kept: somebody will draw more.
	reserveMargin = 1.25
	// livedShare is the share of a tank's heat that is drawn at least on a day on which somebody is there.
	livedShare = 0.02
	// MostReserved is the share of a tank's usable heat that is kept at most.
	MostReserved = 0.8
)

// Reserve is the usable heat that a tank should hold at the begin of each slot of a plan from a slot of the past on, or the first beyond it, and at the end of the last, kWh. It is the most that the tank had to
// hold within an hour of that time of day, in the last weeks, so that its heater, full on from there, kept up with what was drawn, and more by a margin. As far as fewer
// days than a week are known on which something was drawn it is half of the tank at least: after weeks in which nobody was there nothing is known of those who return. It falls no
// faster than heat is expected to be drawn, which is what it is for. The tank's heater gives heatKWPerKW of heat per kW.
func Reserve(w *district.WaterHeaterParams, heatKWPerKW float64, past timegrid.Series, from time.Time, drawKW []float64) []float64 {
	perDay, around, h := int(24*time.Hour/past.Step), int(time.Hour/past.Step), past.Step.Hours()
	usable, heat, standing := devices.UsableKWh(w), w.MaxKW*heatKWPerKW, devices.StandingKW(w)
	begin := int(from.Sub(past.Start) / past.Step)
	least := make([]float64, perDay)
	lived := map[int]float64{} // kWh drawn, by day
	need := 0.0
	n := min(begin, len(past.Values))
	for k := n - 1; k >= 0 && k >= begin-reserveDays*perDay; k-- {
		if math.IsNaN(past.Values[k]) {
			need = 0 // nothing is known of what came before either
			continue
		}
		lived[k/perDay] += h * past.Values[k]
		need = math.Max(0, need+h*(past.Values[k]+standing-heat))
		for d := -around; d <= around && need > 0; d++ {
			at := (k + d + perDay) % perDay
			least[at] = math.Max(least[at], need)
		}
	}
	floor, days := 0.0, 0
	for _, kwh := range lived {
		if kwh > livedShare*w.CapacityKWh {
			days++
		}
	}
	if days < learnedDays {
		floor = usable / 2
	}
	out := make([]float64, len(drawKW)+1)
	for k := range out {
		out[k] = math.Min(math.Max(floor, reserveMargin*least[(begin+k)%perDay]), MostReserved*usable)
		if k > 0 {
			out[k] = math.Max(out[k], out[k-1]-h*drawKW[k-1])
		}
	}
	return out
}
