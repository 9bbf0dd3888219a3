package foresee

import (
	"math"
	"math/rand/v2"
	"reflect"
	"testing"
	"time"

	"quartier/optimizer/forecast"
	"quartier/schemas/district"
)

// cloudy is a site whose sun follows the irradiance, which no day before tells.
func cloudy(days int) Record {
	r, rng := lived(days), rand.New(rand.NewPCG(7, 8))
	cloud := 1.0
	for i := range r.Series[sunKey] {
		if i%8 == 0 {
			cloud = 0.1 + 0.9*rng.Float64()
		}
		ghi := 900 * cloud * math.Max(0, math.Sin((float64(i%24)-6)*math.Pi/12))
		r.Weather = append(r.Weather, forecast.Weather{OutdoorC: 10, GlobalWm2: ghi, DirectWm2: math.NaN()})
		r.Series[sunKey][i] = 0.006 * ghi * (0.9 + 0.2*rng.Float64())
	}
	return r
}

// upTo is the record up to a slot; the weather of it is known for as long as it was measured.
func upTo(r Record, from, to int) Record {
	w := window(r, from, to, to-from)
	w.Weather = r.Weather[from:to]
	return w
}

// living learns from so many days of a record and lives on to its end; it returns the forecasts and the errors of the sun over the last days.
func living(t *testing.T, r Record, learn, last int, published func(now, slot int) forecast.Weather) (said [][]float64, e district.ForecastError) {
	t.Helper()
	now := learn * perDay
	set := Settings{District: "d", Step: step, Ahead: 24 * time.Hour, Zone: time.UTC, PeakKW: map[string]float64{"s": 6}}
	if published != nil {
		set.Published = func(at time.Time) forecast.Weather {
			slot := int(at.Sub(monday) / step)
			if slot < now {
				t.Errorf("slot %d is asked for as a forecast at slot %d", slot, now)
			}
			return published(now, slot)
		}
	}
	d := New(set)
	if err := d.Train(t.Context(), upTo(r, 0, now)); err != nil {
		t.Fatal(err)
	}
	end := len(r.Series[sunKey])
	for now++; now <= end; now++ {
		d.Observe(upTo(r, now-48, now))
		if now%perDay == 0 {
			if err := d.Grow(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		said = append(said, forecastOf(t, d, sunKey, now), forecastOf(t, d, loadKey, now))
	}
	for _, x := range d.Errors() {
		if x.Quantity == district.ForecastSun && !x.Replayed && !x.Day.Before(monday.Add(time.Duration(end-last*perDay)*step)) {
			e.Add(x)
		}
	}
	if e.Count < int64(last*perDay*len(Leads)*9/10) {
		t.Fatalf("%d errors were counted", e.Count)
	}
	return said, e
}

// TestPublishedWeatherIsWorthIt: where the sun follows an irradiance that is published ahead, with the error that forecasts of the weather have, it is foreseen much better, and the band still holds; where
// nothing is published it is foreseen as without a feed, to the digit, whatever was recorded; and where what is published is wrong, hardly worse.
func TestPublishedWeatherIsWorthIt(t *testing.T) {
	const days, learn, last = 27, 15, 5
	r := cloudy(days)
	rng := rand.New(rand.NewPCG(9, 1))
	wrong := func(now, slot int) forecast.Weather { // a fifth, growing with how far ahead
		if slot >= len(r.Weather) {
			return nothing
		}
		w := r.Weather[slot]
		w.GlobalWm2 = math.Max(0, w.GlobalWm2*(1+(0.1+0.1*float64(slot-now)/perDay)*rng.NormFloat64()))
		return w
	}
	plain, without := living(t, r, learn, last, nil)
	silent, _ := living(t, r, learn, last, func(int, int) forecast.Weather { return nothing })
	if !reflect.DeepEqual(plain, silent) {
		t.Error("where nothing is published it is foreseen otherwise than without a feed")
	}
	_, with := living(t, r, learn, last, wrong)
	_, misled := living(t, r, learn, last, func(_, slot int) forecast.Weather {
		return forecast.Weather{OutdoorC: 10, GlobalWm2: 900 * rng.Float64() * math.Max(0, math.Sin((float64(slot%24)-6)*math.Pi/12)), DirectWm2: math.NaN()}
	})
	t.Logf("without %.3f kW, with %.3f kW, misled %.3f kW; bands hold %.3f, %.3f, %.3f", mae(without), mae(with), mae(misled), held(without), held(with), held(misled))
	if mae(with) > 0.75*mae(without) || held(with) < 0.65 {
		t.Errorf("under the weather that is published %.3f kW wrong, without %.3f kW; the band holds %.3f of what came, without %.3f", mae(with), mae(without), held(with), held(without))
	}
	if mae(misled) > 1.03*mae(without) {
		t.Errorf("under a weather that does not come %.3f kW wrong, without %.3f kW", mae(misled), mae(without))
	}
}

func mae(e district.ForecastError) float64  { return e.Absolute / float64(e.Count) }
func held(e district.ForecastError) float64 { return float64(e.Covered) / float64(e.Banded) }
