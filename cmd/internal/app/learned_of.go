package app

import (
	"math"

	"quartier/cmd/internal/console"
	"quartier/scheduler"
	"quartier/schemas/units"
)

// learnedOf is what measurements show of a device.
func (a *App) learnedOf(districtID, site, device string) []console.Learned {
	s := a.schedulers[districtID]
	if s == nil {
		return nil
	}
	for _, t := range s.Tanks() {
		if t.Site == site && t.Device == device {
			return learnedTank(t)
		}
	}
	return nil
}

// learnedTank is what a hot-water tank loses and what is drawn from it, and what that rests on; nothing before anything is known.
func learnedTank(t scheduler.Tank) []console.Learned {
	if t.Known == 0 {
		return nil
	}
	sum, n := 0.0, 0.0
	for _, kw := range t.DrawKW {
		if !math.IsNaN(kw) {
			sum, n = sum+kw, n+1
		}
	}
	return []console.Learned{{Key: "loss_per_hour", Value: t.LossPerHour, Unit: string(units.ShareUnit), Deviation: &t.LossDeviation},
		{Key: "heat_drawn_kwh_day", Value: 24 * sum / math.Max(1, n), Unit: string(units.KWh)},
		{Key: "quiet_nights", Value: float64(t.Nights), Unit: string(units.ShareUnit)}, {Key: "known_share", Value: t.Known, Unit: string(units.ShareUnit)}}
}
