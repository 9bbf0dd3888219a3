package balances

import (
	"math"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// TestObserved: a day of a district with one heated zone, one inverter that is limited from noon to two, a weather station, and forecasts that were held against what came. A site's indicators are of its own devices.
func TestObserved(t *testing.T) {
	d := &district.District{ID: "d", Zone: paris, Step: time.Hour, Devices: []district.Device{{ID: "weather", Kind: district.Weather}}, Sites: []district.Site{
		{ID: "flat", Devices: []district.Device{{ID: "hp", Kind: district.HeatPump, HeatPump: &district.HeatPumpParams{MinC: 19, MaxC: 22}}}},
		{ID: "roof", Devices: []district.Device{{ID: "pv", Kind: district.PV, PV: &district.PVParams{PeakKW: 10}}}}}}
	st := years(date(2026, 6, 1), date(2026, 6, 2), time.Hour)
	span := timegrid.NewSpan(date(2026, 6, 1), date(2026, 6, 2))
	row := func(id district.SeriesID, at time.Time, mean float64) rollup.Row {
		return rollup.Row{Series: id, Start: at, End: at.Add(15 * time.Minute), Samples: 1, Held: 15 * time.Minute, Integral: mean / 4, Last: mean}
	}
	for s := range span.Slots(15 * time.Minute) {
		hour := s.Start.In(paris).Hour()
		room, sun, kw, limit := 20.5, 0.0, 0.0, 1.0
		if hour < 6 {
			room = 18 // six hours a degree too cold
		}
		if hour >= 10 && hour < 16 {
			sun, kw = 800, -6.4
		}
		if hour == 12 || hour == 13 {
			limit, kw = 0.25, -2.5 // 2.5 of 6.4 kW for two hours
		}
		st.rollups = append(st.rollups, row("d/flat/hp/indoor_c", s.Start, room), row("d/_/weather/irradiance_w_m2", s.Start, sun), row("d/roof/pv/power_kw", s.Start, kw))
		if hour < 18 { // then it is silent
			st.rollups = append(st.rollups, row("d/roof/pv/limit_share", s.Start, limit))
		}
	}
	st.errors = []district.ForecastError{{District: "d", Site: "_", Quantity: "net", LeadMinutes: 1440, Count: 12, AbsoluteKW: 6, MeasuredKW: 60}, {District: "d", Site: "_", Quantity: "net", LeadMinutes: 1440, Count: 12, AbsoluteKW: 6, MeasuredKW: 20, Replayed: true},
		{District: "d", Site: "_", Quantity: "net", LeadMinutes: 180, Count: 24, AbsoluteKW: 600, MeasuredKW: 80}, {District: "d", Site: "flat", Quantity: "load", LeadMinutes: 60, Count: 24, AbsoluteKW: 3, MeasuredKW: 30},
		{District: "d", Site: "roof", Quantity: "sun", LeadMinutes: 60, Count: 24, AbsoluteKW: 9, MeasuredKW: 30}}
	type want struct {
		value, coverage float64 // NaN: none
	}
	none := want{math.NaN(), 0}
	for site, wants := range map[string]map[string]want{
		"_":    {"curtailed_energy_kwh": {2 * (6.4 - 2.5), 0.75}, "discomfort_kh": {6, 1}, "discomfort_share": {0.25, 1}, "forecast_error_day_ahead_kw": {0.5, 1}, "forecast_error_day_ahead": {0.15, 1}, "forecast_error_hour_ahead": none},
		"flat": {"curtailed_energy_kwh": none, "discomfort_kh": {6, 1}, "forecast_error_day_ahead": none, "forecast_error_hour_ahead": {0.1, 1}},
		"roof": {"curtailed_energy_kwh": {7.8, 0.75}, "discomfort_kh": none, "forecast_error_hour_ahead": none},
	} {
		step, err := ParseStep("day", d.Step)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Make(t.Context(), st, Query{District: d, Site: site, Span: span, Step: step})
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, k := range s.KPIs {
			w, ok := wants[k.ID]
			if !ok {
				continue
			}
			found++
			if got := k.Value; (got == nil) != math.IsNaN(w.value) || got == nil && k.Reason == "" || got != nil && (math.Abs(*got-w.value) > 1e-9 || math.Abs(k.Coverage-w.coverage) > 1e-9) {
				t.Errorf("%s of %s is %+v, want %+v", k.ID, site, k, w)
			}
		}
		if found != len(wants) {
			t.Errorf("%d of %d indicators of %s", found, len(wants), site)
		}
	}
}
