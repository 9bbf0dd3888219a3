package consoletest

import "quartier/cmd/internal/console"

// learned is what was learned of the school's rooms; of no other device anything is.
func learned(_, site, device string) []console.Learned {
	if site != "ecole" || device != "heat_pump-1" {
		return nil
	}
	d := func(v float64) *float64 { return &v }
	return []console.Learned{
		{Key: "resistance_k_per_kw", Value: 0.236, Unit: "K/kW", Deviation: d(0.01)}, {Key: "capacity_kwh_per_k", Value: 243, Unit: "kWh/K", Deviation: d(38)}, {Key: "time_constant_h", Value: 57, Unit: "h", Deviation: d(7)},
		{Key: "gains_kw", Value: 11.6, Unit: "kW", Deviation: d(3)}, {Key: "solar_kw", Value: 4.2, Unit: "kW", Deviation: d(2.8)},
		{Key: "error_day_configured_k", Value: 0.69, Unit: "K"}, {Key: "error_day_identified_k", Value: 0.2, Unit: "K"},
		{Key: "error_configured_k", Value: 0.32, Unit: "K"}, {Key: "error_identified_k", Value: 0.18, Unit: "K"}, {Key: "error_with_gains_k", Value: 0.11, Unit: "K"},
		{Key: "tried_days", Value: 7, Unit: "1"}, {Key: "known_share", Value: 0.98, Unit: "1"},
		{Key: "in_use", Unit: "state", Word: "identified_with_gains"}, {Key: "why", Unit: "state", Word: "better"},
	}
}
