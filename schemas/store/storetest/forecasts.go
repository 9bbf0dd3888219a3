package storetest

import (
	"math"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

func forecasts(t *testing.T, s store.Store) {
	day := time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC)
	row := func(site, quantity string, days, lead int, replayed bool) district.ForecastError {
		return district.ForecastError{District: "fontaine", Site: site, Quantity: quantity, Day: day.AddDate(0, 0, days), LeadMinutes: lead, Replayed: replayed, Count: 1 << 40, Absolute: 1.5,
			Persistence: 2.5, Measured: 30.25, Banded: 90, Covered: 72, Pinball: 0.125}
	}
	must(t, s.SaveForecastErrors(t.Context(), nil))
	of := func(e district.ForecastError, device, quantity string) district.ForecastError {
		e.Device, e.Quantity = device, quantity
		return e
	}
	in := []district.ForecastError{row("_", district.ForecastNet, 0, 60, false), row("_", district.ForecastNet, 0, 60, true), row("ecole", district.ForecastLoad, 0, 60, false),
		row("ecole", district.ForecastLoad, 0, 180, false), row("ecole", district.ForecastSun, 0, 60, true), of(row("ecole", "", 0, 60, false), "cuve", district.ForecastHotWater),
		of(row("ecole", "", 0, 60, false), "pac", district.ForecastHeat), of(row("ecole", "", 0, 60, false), "pac", district.ForecastLoad), row("_", district.ForecastNet, 1, 60, false)}
	other := in[0]
	other.District = "verger"
	must(t, s.SaveForecastErrors(t.Context(), []district.ForecastError{other, in[8], in[7], in[6], in[5], in[4], in[3], in[2], in[1], in[0]}))
	get := func(sp timegrid.Span, want ...district.ForecastError) {
		t.Helper()
		got, err := s.ForecastErrors(t.Context(), "fontaine", sp)
		must(t, err)
		if len(got) != len(want) {
			t.Fatalf("%d rows, want %d", len(got), len(want))
		}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("row %d is\n%+v, want\n%+v", i, got[i], want[i])
			}
		}
	}
	get(span(day, 48*time.Hour), in...)
	get(span(day, 24*time.Hour), in[:8]...)
	get(span(day.Add(time.Microsecond), 24*time.Hour), in[8])
	in[0].Count, in[0].Banded, in[0].Covered, in[0].Absolute = 4, 3, 2, 0
	must(t, s.SaveForecastErrors(t.Context(), in[:1])) // the day went on
	get(span(day, 24*time.Hour), in[:8]...)

	bad, nameless := row("ecole", district.ForecastLoad, 2, -5, false), row("ecole", "", 2, 60, false)
	bad.Pinball, bad.Covered, bad.Device = math.NaN(), 91, "pac"
	err := s.SaveForecastErrors(t.Context(), []district.ForecastError{row("ecole", district.ForecastLoad, 2, 60, false), bad, nameless}[:])
	wantIs(t, err, store.ErrInvalid)
	for _, w := range []string{"forecast of load of fontaine/ecole/pac", "pinball is NaN", "lead of -5 min", "91 within it", `quantity ""`} {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("error %q does not name %s", err, w)
		}
	}
	get(span(day.AddDate(0, 0, 2), 24*time.Hour))
}
