package console_test

import (
	"math"
	"testing"
	"time"

	"quartier/cmd/internal/console"
	"quartier/schemas/district"
)

// TestForecastQuality: days add up, the district comes first, and what has no band yet has no coverage.
func TestForecastQuality(t *testing.T) {
	f := start(t)
	day := noon.Truncate(24 * time.Hour)
	row := func(site, quantity string, days int, replayed bool, e district.ForecastError) district.ForecastError {
		e.District, e.Site, e.Quantity, e.Day, e.LeadMinutes, e.Replayed = "fontaine", site, quantity, day.AddDate(0, 0, -days), 60, replayed
		return e
	}
	f.world.Store.Forecasts = []district.ForecastError{
		row("ecole", district.ForecastLoad, 1, true, district.ForecastError{Count: 24, Absolute: 24, Persistence: 48, Measured: 240, Banded: 20, Covered: 16, Pinball: 5}),
		row("ecole", district.ForecastLoad, 0, false, district.ForecastError{Count: 12, Absolute: 48, Persistence: 24, Measured: 120, Banded: 12, Covered: 8, Pinball: 3}),
		row("ecole", district.ForecastLoad, 30, false, district.ForecastError{Count: 24, Absolute: 2400}),
		row("_", district.ForecastNet, 0, false, district.ForecastError{Count: 12, Absolute: 6, Measured: 12}),
		row("_", district.ForecastOutdoor, 0, false, district.ForecastError{Count: 12, Absolute: 18, Measured: 120}),
		row("ecole", district.ForecastHeat, 0, false, district.ForecastError{Device: "heat_pump-1", Count: 12, Absolute: 6, Measured: 12}),
		row("ecole", district.ForecastHeat, 0, false, district.ForecastError{Device: "gone", Count: 12, Absolute: 6, Measured: 12}),
		row("gone", district.ForecastLoad, 0, false, district.ForecastError{Count: 12, Absolute: 6}),
	}
	if _, err := f.world.Store.SavePlan(t.Context(), &district.Plan{District: "fontaine", CreatedAt: noon, Foreseen: []district.Foreseen{{Site: "_", Quantity: district.ForecastOutdoor, SteppedBack: true}, {Site: "ecole", Quantity: district.ForecastLoad}}}); err != nil {
		t.Fatal(err)
	}
	got := get[[]console.ForecastQuality](f.signedIn("viewer"), "/api/districts/fontaine/forecasts")
	if len(got) != 4 || got[0].Site != "_" || got[0].SiteName != "Fontaine Nord" || got[0].MAE != 0.5 || got[0].Coverage != nil || got[0].Pinball != nil {
		t.Fatalf("%+v", got)
	}
	q := got[2]
	if q.SiteName != "École Jean Macé" || q.Slots != 36 || q.Replayed != 24 || q.MAE != 2 || q.Persistence != 2 || q.Measured != 10 || *q.Coverage != 0.75 || math.Abs(*q.Pinball-0.25) > 1e-12 {
		t.Errorf("%+v", q)
	}
	if q := got[1]; q.Quantity != district.ForecastOutdoor || q.MAE != 1.5 || q.Unit != "degC" || !q.SteppedBack {
		t.Errorf("%+v", q)
	}
	if q := got[3]; q.Device != "heat_pump-1" || q.DeviceName != "Pompe à chaleur" || q.Unit != "kW" || q.SteppedBack {
		t.Errorf("%+v", q)
	}
}
