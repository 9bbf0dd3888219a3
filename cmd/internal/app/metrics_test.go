package app

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"quartier/schemas/district"
	"quartier/schemas/units"
)

// TestErrorsOfForecastsHaveAFigureInTheirUnit: of every quantity that is foreseen there are figures in the unit in which its errors are recorded.
func TestErrorsOfForecastsHaveAFigureInTheirUnit(t *testing.T) {
	for quantity, unit := range map[string]units.Unit{
		district.ForecastLoad: units.KW, district.ForecastSun: units.KW, district.ForecastNet: units.KW, district.ForecastHeat: units.KW, district.ForecastHotWater: units.KW, district.ForecastCar: units.KW,
		district.ForecastOutdoor: units.DegC, district.ForecastPrice: units.EURPerKWh, district.ForecastCarbon: units.GramsPerKWh,
	} {
		if got := district.ForecastUnit(quantity); got != unit {
			t.Errorf("%s is in %s, want %s", quantity, got, unit)
		}
		for _, figure := range []map[units.Unit]*prometheus.Desc{forecastError, persistentError, forecastLoss} {
			if figure[unit] == nil {
				t.Errorf("no figure of %s, which is in %s, among %v", quantity, unit, figure)
			}
		}
	}
}
