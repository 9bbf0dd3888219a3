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
		row("ecole", district.ForecastLoad, 1, true, district.ForecastError{Count: 24, AbsoluteKW: 24, PersistenceKW: 48, MeasuredKW: 240, Banded: 20, Covered: 16, PinballKW: 5}),
		row("ecole", district.ForecastLoad, 0, false, district.ForecastError{Count: 12, AbsoluteKW: 48, PersistenceKW: 24, MeasuredKW: 120, Banded: 12, Covered: 8, PinballKW: 3}),
		row("ecole", district.ForecastLoad, 30, false, district.ForecastError{Count: 24, AbsoluteKW: 2400}),
		row("_", district.ForecastNet, 0, false, district.ForecastError{Count: 12, AbsoluteKW: 6, MeasuredKW: 12}),
		row("gone", district.ForecastLoad, 0, false, district.ForecastError{Count: 12, AbsoluteKW: 6}),
	}
	got := get[[]console.ForecastQuality](f.signedIn("viewer"), "/api/districts/fontaine/forecasts")
	if len(got) != 2 || got[0].Site != "_" || got[0].SiteName != "Fontaine Nord" || got[0].MAEKW != 0.5 || got[0].Coverage != nil || got[0].PinballKW != nil {
		t.Fatalf("%+v", got)
	}
	q := got[1]
	if q.SiteName != "École Jean Macé" || q.Slots != 36 || q.Replayed != 24 || q.MAEKW != 2 || q.PersistenceKW != 2 || q.MeasuredKW != 10 || *q.Coverage != 0.75 || math.Abs(*q.PinballKW-0.25) > 1e-12 {
		t.Errorf("%+v", q)
	}
}
