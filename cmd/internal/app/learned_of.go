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
	for _, r := range s.Rooms() {
		if r.Site == site && r.Device == device {
			return learnedRoom(r)
		}
	}
	return nil
}

// learnedRoom is what the rooms of a heat pump hold and lose and what people and sun give them, how wrong forecasts by that and by what is configured were, and by which of both plans go for that; nothing before anything is known.
func learnedRoom(r scheduler.Room) []console.Learned {
	if r.Known == 0 {
		return nil
	}
	t := r.Trial
	out := []console.Learned{
		{Key: "resistance_k_per_kw", Value: r.ResistanceKPerKW, Unit: "K/kW", Deviation: &r.Deviation.ResistanceKPerKW},
		{Key: "capacity_kwh_per_k", Value: r.CapacityKWhPerK, Unit: "kWh/K", Deviation: &r.Deviation.CapacityKWhPerK},
		{Key: "time_constant_h", Value: r.TimeConstantH, Unit: "h", Deviation: &r.TimeConstantDeviationH},
		{Key: "gains_kw", Value: r.GainsKW, Unit: string(units.KW), Deviation: &r.Deviation.GainsKW},
		{Key: "solar_kw", Value: r.SolarKW, Unit: string(units.KW), Deviation: &r.Deviation.SolarKW},
	}
	if t.Days > 0 {
		out = append(out,
			console.Learned{Key: "error_day_configured_k", Value: t.DayK.Stated, Unit: "K"}, console.Learned{Key: "error_day_identified_k", Value: t.DayK.Identified, Unit: "K"},
			console.Learned{Key: "error_configured_k", Value: t.AllK.Stated, Unit: "K"}, console.Learned{Key: "error_identified_k", Value: t.AllK.Identified, Unit: "K"},
			console.Learned{Key: "error_with_gains_k", Value: t.AllK.WithGains, Unit: "K"})
	}
	return append(out, console.Learned{Key: "tried_days", Value: float64(t.Days), Unit: string(units.ShareUnit)}, console.Learned{Key: "known_share", Value: r.Known, Unit: string(units.ShareUnit)},
		console.Learned{Key: "in_use", Unit: string(units.StateUnit), Word: t.Use.String()}, console.Learned{Key: "why", Unit: string(units.StateUnit), Word: t.Reason.String()})
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
