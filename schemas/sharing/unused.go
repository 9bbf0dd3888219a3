package sharing

import "quartier/schemas/units"

// Unused tells, for one step of a static key, how much of each member's entitlement stayed unused although others drew from the grid: what another key would have given to them. Together it is the
// smaller of what is left of the entitlements and what is drawn, and it is split by what each left. Energies are in whole watt-hours and by member: what each is entitled to, what it was
// given, and what it drew from the grid beyond that.
func Unused(entitled, given, drawn []units.WattHours) []units.WattHours {
	left := make([]units.WattHours, len(entitled))
	var all, wanted units.WattHours
	for i := range left {
		left[i] = max(0, entitled[i]-given[i])
		all += left[i]
		wanted += max(0, drawn[i])
	}
	return units.Split(min(all, wanted), left)
}
