package balances

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"quartier/schemas/balance/kpi"
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
	st.errors = []district.ForecastError{{District: "d", Site: "_", Quantity: "net", LeadMinutes: 1440, Count: 12, Absolute: 6, Measured: 60}, {District: "d", Site: "_", Quantity: "net", LeadMinutes: 1440, Count: 12, Absolute: 6, Measured: 20, Replayed: true},
		{District: "d", Site: "_", Quantity: "net", LeadMinutes: 180, Count: 24, Absolute: 600, Measured: 80}, {District: "d", Site: "flat", Quantity: "load", LeadMinutes: 60, Count: 24, Absolute: 3, Measured: 30},
		{District: "d", Site: "roof", Quantity: "sun", LeadMinutes: 60, Count: 24, Absolute: 9, Measured: 30}}
	for i := range st.errors {
		st.errors[i].Day = time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	}
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

// TestCurtailedCoverage: of two equal days with a limit for two hours of sun, what cannot be said for want of irradiance or of power is not covered: the limited hours of that day, and no others.
func TestCurtailedCoverage(t *testing.T) {
	d := &district.District{ID: "d", Zone: paris, Step: time.Hour, Devices: []district.Device{{ID: "weather", Kind: district.Weather}}, Sites: []district.Site{
		{ID: "roof", Devices: []district.Device{{ID: "pv", Kind: district.PV, PV: &district.PVParams{PeakKW: 10}}}}}}
	span := timegrid.NewSpan(date(2026, 6, 1), date(2026, 6, 3))
	day := func(n int) int64 { return date(2026, 6, n).Unix() }
	for name, tt := range map[string]struct {
		silent          func(quantity string, at time.Time) bool
		value, coverage float64
	}{
		"all is known":             {func(string, time.Time) bool { return false }, 15.6, 1},
		"a station that came late": {func(q string, at time.Time) bool { return q == "irradiance_w_m2" && at.Unix() < day(2) }, 7.8, 42.0 / 48}, // nor the limited hours of the night, which nothing tells
		"no power on a day":        {func(q string, at time.Time) bool { return q == "power_kw" && at.Unix() >= day(2) }, 7.8, 46.0 / 48},
		"no power at night":        {func(q string, at time.Time) bool { return q == "power_kw" && at.In(paris).Hour() < 6 }, 15.6, 1},
	} {
		st := years(date(2026, 6, 1), date(2026, 6, 3), time.Hour)
		for _, quantity := range []string{"irradiance_w_m2", "power_kw", "limit_share"} {
			for s := range span.Slots(15 * time.Minute) {
				hour, sun, kw, limit := s.Start.In(paris).Hour(), 0.0, 0.0, 1.0
				if hour >= 10 && hour < 16 {
					sun, kw = 800, -6.4
				}
				switch {
				case hour == 12 || hour == 13:
					limit, kw = 0.25, -2.5
				case hour < 4:
					limit = 0.5 // of no consequence
				}
				id := district.SeriesID("d/roof/pv/" + quantity)
				if quantity == "irradiance_w_m2" {
					id = "d/_/weather/irradiance_w_m2"
				}
				mean := map[string]float64{"irradiance_w_m2": sun, "power_kw": kw, "limit_share": limit}[quantity]
				if !tt.silent(quantity, s.Start) {
					st.rollups = append(st.rollups, rollup.Row{Series: id, Start: s.Start, End: s.End, Samples: 1, Held: 15 * time.Minute, Integral: mean / 4, Last: mean})
				}
			}
		}
		step, err := ParseStep("day", d.Step)
		if err != nil {
			t.Fatal(err)
		}
		s, err := Make(t.Context(), st, Query{District: d, Site: "_", Span: span, Step: step})
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range s.KPIs {
			if k.ID == "curtailed_energy_kwh" && (k.Value == nil || math.Abs(*k.Value-tt.value) > 1e-9 || math.Abs(k.Coverage-tt.coverage) > 1e-9) {
				t.Errorf("%s: %+v, want %v covered to %v", name, k, tt.value, tt.coverage)
			}
		}
	}
}

// TestObservedOfYears: what is observed over a span is what its days, and the parts of days at its ends, are together, whether a record keeps days or not; packed days come back to the bit, and other bytes are refused.
func TestObservedOfYears(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 7))
	d := &district.District{ID: "d", Zone: paris, Step: time.Hour, Devices: []district.Device{{ID: "weather", Kind: district.Weather}, {ID: "mast", Kind: district.Weather}}, Sites: []district.Site{
		{ID: "flat", Devices: []district.Device{{ID: "hp", Kind: district.HeatPump, HeatPump: &district.HeatPumpParams{MinC: 19, MaxC: 22}}}},
		{ID: "roof", Devices: []district.Device{{ID: "pv", Kind: district.PV, PV: &district.PVParams{PeakKW: 10}}, {ID: "pv2", Kind: district.PV, PV: &district.PVParams{PeakKW: 5}}}}}}
	st := &record{}
	all := timegrid.NewSpan(date(2026, 3, 27), date(2026, 4, 1))
	for s := range all.Slots(15 * time.Minute) {
		for _, id := range []district.SeriesID{"d/flat/hp/indoor_c", "d/_/weather/irradiance_w_m2", "d/_/mast/irradiance_w_m2", "d/roof/pv/power_kw", "d/roof/pv/limit_share", "d/roof/pv2/power_kw", "d/roof/pv2/limit_share"} {
			mean := rng.Float64()
			switch _, _, _, quantity, _ := id.Parts(); {
			case rng.IntN(9) == 0, id == "d/_/weather/irradiance_w_m2" && s.Start.After(date(2026, 3, 29)):
				continue // silent
			case quantity == "indoor_c":
				mean = 17 + 8*mean
			case quantity == "power_kw":
				mean *= -10
			case quantity == "irradiance_w_m2":
				mean *= 900
			case rng.IntN(3) > 0:
				mean = 1
			}
			st.rollups = append(st.rollups, rollup.Row{Series: id, Start: s.Start, End: s.End, Samples: 1, Held: 15 * time.Minute, Integral: mean / 4, Last: mean})
		}
	}
	for n := range 5 {
		st.errors = append(st.errors, district.ForecastError{District: "d", Site: "_", Quantity: "net", LeadMinutes: 1440, Day: time.Date(2026, 3, 27+n, 0, 0, 0, 0, time.UTC), Count: int64(1 + n), Absolute: 2.5, Measured: 9})
	}
	w := watch(d)
	for _, sp := range []timegrid.Span{all, timegrid.NewSpan(date(2026, 3, 28).Add(6*time.Hour), date(2026, 3, 31)), timegrid.NewSpan(date(2026, 3, 28).Add(7*time.Hour), date(2026, 3, 28).Add(9*time.Hour))} {
		for _, site := range []string{"_", "flat", "roof"} {
			q := Query{District: d, Site: site, Span: sp}
			got, err := observe(t.Context(), st, q, sp)
			if err != nil {
				t.Fatal(err)
			}
			once, err := w.look(t.Context(), st, []timegrid.Span{sp}) // without days
			if err != nil {
				t.Fatal(err)
			}
			want := w.total(once, q)
			near := func(name string, a, b float64) {
				if math.Abs(a-b) > 1e-9*(1+math.Abs(b)) {
					t.Errorf("%s of %s over %v is %v from days, want %v", name, site, sp, a, b)
				}
			}
			near("discomfort", got.Comfort.OutsideKh, want.Comfort.OutsideKh)
			near("zone hours", got.Comfort.MeasuredHours, want.Comfort.MeasuredHours)
			if len(got.Curtailment) != len(want.Curtailment) || got.Limited != want.Limited || got.DayAhead.Slots != want.DayAhead.Slots && site == "_" && sp == all {
				t.Errorf("%s over %v: %+v, want %+v", site, sp, got, want)
			}
			for i := range want.Curtailment {
				if sp.End.Before(date(2026, 3, 29)) { // later another station measures, which is chosen by the day
					near("hours of limits", got.Curtailment[i].MeasuredHours, want.Curtailment[i].MeasuredHours)
					a, _ := got.Curtailment[i].LostKWh()
					b, _ := want.Curtailment[i].LostKWh()
					near("energy held back", a, b)
				}
			}
		}
	}
	days, err := w.look(t.Context(), st, slices.Collect(all.Days(paris)))
	if err != nil {
		t.Fatal(err)
	}
	for _, day := range days {
		body := day.encode()
		if got, err := w.decode(body); err != nil || !reflect.DeepEqual(got, day) {
			t.Errorf("%v\n%+v\nwant\n%+v", err, got, day)
		}
		for _, bad := range [][]byte{body[:len(body)-1], append(slices.Clone(body), 0), nil} {
			if _, err := w.decode(bad); !errors.Is(err, errObserved) {
				t.Errorf("%d bytes of %d decode", len(bad), len(body))
			}
		}
	}
	if name := Observation(d).Name; name == watchOther(d) {
		t.Error("another comfort band has the days of this one")
	}
}

// watchOther returns the name of the observation of a district with another comfort band.
func watchOther(d *district.District) string {
	other := *d
	other.Sites = slices.Clone(d.Sites)
	other.Sites[0].Devices = []district.Device{{ID: "hp", Kind: district.HeatPump, HeatPump: &district.HeatPumpParams{MinC: 18, MaxC: 22}}}
	return Observation(&other).Name
}

func FuzzObservedDay(f *testing.F) {
	d := &district.District{ID: "d", Zone: paris, Sites: []district.Site{{ID: "flat", Devices: []district.Device{{ID: "hp", Kind: district.HeatPump, HeatPump: &district.HeatPumpParams{MinC: 19, MaxC: 22}},
		{ID: "pv", Kind: district.PV, PV: &district.PVParams{PeakKW: 10}}}}}}
	w := watch(d)
	days, err := w.look(f.Context(), &record{}, []timegrid.Span{{Start: date(2026, 1, 1), End: date(2026, 1, 2)}})
	if err != nil {
		f.Fatal(err)
	}
	days[0].inverters[0].Free[12], days[0].errors[1].dayAhead = kpi.Yield{KWh: 1, KWhPerM2: 2}, kpi.Errors{Slots: 3, AbsoluteKW: 1, MeasuredKW: 2}
	f.Add(days[0].encode())
	f.Fuzz(func(t *testing.T, body []byte) {
		day, err := w.decode(body)
		if err != nil {
			return
		}
		if again, err := w.decode(day.encode()); err != nil || !reflect.DeepEqual(again, day) {
			t.Errorf("%+v comes back as %+v (%v)", day, again, err)
		}
	})
}
