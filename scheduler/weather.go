package scheduler

import (
	"context"
	"math"
	"time"

	"quartier/optimizer/forecast"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// weatherNews is how old what is published of the weather may be for forecasts of load and sun to rest on it: what forests under the weather are worth was seen with newer documents.
const weatherNews = 12 * time.Hour

// publishedWeather returns what is published now of the weather in a slot, for forecasts of load and sun; nil without a source.
func publishedWeather(cfg *Config) func(slot time.Time) forecast.Weather {
	if cfg.Weather == nil {
		return nil
	}
	return func(slot time.Time) forecast.Weather {
		span := timegrid.NewSpan(slot, slot.Add(cfg.District.Step))
		part := func(quantity string) float64 {
			if v, ok := cfg.Weather(quantity, span); ok && (cfg.WeatherAge == nil || cfg.WeatherAge() <= weatherNews) {
				return v
			}
			return math.NaN()
		}
		return forecast.Weather{OutdoorC: part(district.OutdoorC), GlobalWm2: part(district.IrradianceWm2), DirectWm2: part(district.DirectWm2)}
	}
}

// weatherQuantities are those of a [forecast.Weather].
var weatherQuantities = [3]string{district.OutdoorC, district.IrradianceWm2, district.DirectWm2}

// weatherSeries is what the record has of what the weather feed published, of a quantity.
func (s *Scheduler) weatherSeries(quantity string) district.SeriesID {
	return district.NewSeriesID(s.cfg.District.ID, district.DistrictSite, s.cfg.WeatherSignal, quantity)
}

// station returns the series of the district's weather station, of a quantity; false without one.
func (s *Scheduler) station(quantity string) (id district.SeriesID, ok bool) {
	for site, dev := range s.cfg.District.AllDevices {
		if dev.Kind == district.Weather && (!ok || site == district.DistrictSite) {
			id, ok = dev.Series(s.cfg.District.ID, site, quantity), true
		}
	}
	return id, ok
}

// pastWeather returns the weather of past slots, for forests that are to foresee under a published one: what the feed published of them once they had come, which is most like what it publishes ahead, and, where
// that was not recorded and measured is set, what the district's station measured. Nil without a feed.
func (s *Scheduler) pastWeather(ctx context.Context, span timegrid.Span, measured bool) ([]forecast.Weather, error) {
	if s.cfg.Weather == nil {
		return nil, nil
	}
	var ids []district.SeriesID
	for _, q := range weatherQuantities {
		ids = append(ids, s.weatherSeries(q))
		if id, ok := s.station(q); ok && measured {
			ids = append(ids, id)
		}
	}
	got, err := s.readPast(ctx, ids, span)
	if err != nil {
		return nil, err
	}
	out := make([]forecast.Weather, span.Count(s.cfg.District.Step))
	for i := range out {
		var w [3]float64
		for k, q := range weatherQuantities {
			w[k] = got[s.weatherSeries(q)].Values[i]
			if id, ok := s.station(q); ok && measured && math.IsNaN(w[k]) {
				w[k] = got[id].Values[i]
			}
		}
		out[i] = forecast.Weather{OutdoorC: w[0], GlobalWm2: w[1], DirectWm2: w[2]}
	}
	return out, nil
}
