package scheduler

import (
	"context"
	"fmt"
	"math"
	"time"

	"quartier/optimizer/forecast"
	"quartier/scheduler/answer"
	"quartier/scheduler/observe"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// inputs are the forecasts that a plan rests on, over steps slots from start.
type inputs struct {
	start       time.Time
	step        time.Duration
	steps       int
	loadKW      map[string][]float64 // by site
	sunKW       map[string][]float64 // by site, all inverters together, positive
	outdoorC    []float64
	carbon      []float64
	importPrice []float64
	saidPrice   []float64 // import, as its source says it
	exportPrice []float64
	tanks       map[observe.Key]tankOutlook
	rooms       map[observe.Key]roomOutlook
	netErrors   answer.Errors             // of the district's load less its sun
	carsKW      map[observe.Key][]float64 // of cars that are still to come, where they are worth planning with
	foreseen    []district.Foreseen       // of what was heard of
	learn       *budget                   // of the plan
}

// gather makes the forecasts from what the store and the newest samples say at now.
func (s *Scheduler) gather(ctx context.Context, st observe.State) (inputs, error) {
	d := s.cfg.District
	in := inputs{start: timegrid.Floor(st.Now, d.Step), step: d.Step, steps: int(s.cfg.Horizon / d.Step),
		loadKW: map[string][]float64{}, sunKW: map[string][]float64{}}
	f := s.cfg.Forecast
	span := timegrid.NewSpan(in.start.Add(-time.Duration(f.LookBackDays+1)*24*time.Hour), in.start)
	rows, err := s.cfg.Store.Balances(ctx, d.ID, "", span)
	if err != nil {
		return in, fmt.Errorf("scheduler: read balances of %s: %w", d.ID, err)
	}
	bySite := map[string][]balance.Row{}
	for _, r := range rows {
		bySite[r.Site] = append(bySite[r.Site], r)
	}
	record := s.series(bySite, span)
	recent := timegrid.NewSpan(span.End.Add(-24*time.Hour), span.End) // what came late is taken as well
	latest, err := s.pastWeather(ctx, recent, false)
	if err != nil {
		return in, err
	}
	if latest != nil {
		for range span.Count(d.Step) - len(latest) {
			record.Weather = append(record.Weather, forecast.Weather{OutdoorC: math.NaN(), GlobalWm2: math.NaN(), DirectWm2: math.NaN()})
		}
		record.Weather = append(record.Weather, latest...)
	}
	if s.foresight.Observe(record) {
		nudge(s.learn)
	}
	nudge(s.grow)
	for i := range d.Sites {
		site := &d.Sites[i]
		own := bySite[site.ID]
		peak, sunNow := 0.0, 0.0
		for _, dev := range site.Devices {
			if dev.Kind == district.PV && dev.PV != nil {
				peak += dev.PV.PeakKW
				sunNow -= st.Devices[observe.Key{Site: site.ID, Device: dev.ID}].PowerKW.Or(0)
			}
		}
		if kw, ok := s.foresight.Forecast(site.ID, district.ForecastLoad, in.start, in.steps); ok && !s.cfg.KeepToPlan {
			in.loadKW[site.ID] = kw
		} else {
			load := s.withoutLighting(site, past(own, span, d.Step, otherWh, st.LoadKW(site)))
			in.loadKW[site.ID] = forecast.Similar(load, st.Now, in.start, in.steps, d.Zone, forecast.Settings{Days: f.SimilarDays, LookBack: f.LookBackDays, Fade: f.Fade, Min: 0, Max: math.Inf(1)})
		}
		s.addLighting(site, in.loadKW[site.ID], in) // what lamps will draw is known
		if peak > 0 {
			if kw, ok := s.foresight.Forecast(site.ID, district.ForecastSun, in.start, in.steps); ok && !s.cfg.KeepToPlan {
				in.sunKW[site.ID] = kw
			} else if len(own) == 0 && !s.cfg.KeepToPlan { // nothing is known of it but where it stands
				in.sunKW[site.ID] = s.clearSky(site, in, sunNow)
			} else {
				sun := past(own, span, d.Step, productionWh, observe.Value{V: math.Max(0, sunNow), OK: true})
				in.sunKW[site.ID] = forecast.Similar(sun, st.Now, in.start, in.steps, d.Zone, forecast.Settings{Days: f.SimilarDays, LookBack: f.LookBackDays, Fade: f.Fade, AllDays: true, Ratio: true, Min: 0, Max: peak})
			}
		}
	}
	in.learn = s.budget()
	in.netErrors = s.netErrors(in)
	weather := s.weatherSeries(district.OutdoorC)
	carbon := district.NewSeriesID(d.ID, district.DistrictSite, "carbon", district.CarbonIntensity)
	ids := []district.SeriesID{weather, carbon}
	station, measured := s.station(district.OutdoorC)
	if measured = measured && !s.cfg.KeepToPlan; measured {
		ids = append(ids, station)
	}
	signals, err := s.readPast(ctx, ids, span)
	if err != nil {
		return in, err
	}
	was := signals[weather]
	if measured && lately(signals[station]) { // what published the weather ahead is not to be its own judge
		was = signals[station]
	}
	in.outdoorC = s.outdoor(&in, was, st.Now)
	in.carbon = s.carbon(&in, signals[carbon], st.Now)
	horizon := timegrid.NewSpan(in.start, in.start.Add(time.Duration(in.steps)*d.Step))
	if err := s.pricesOf(&in, horizon); err != nil {
		return in, err
	}
	in.saidPrice = in.importPrice
	s.judgePrices(&in)
	in.carsKW = s.carsToCome(ctx, &in)
	in.tanks = s.tankOutlooks(ctx, &in) // of tanks and rooms there may be many: they take what is left of the time to learn
	in.rooms = s.roomOutlooks(ctx, in)
	s.heatDemands(&in)
	return in, nil
}

// unknown is a value that is not measured.
var unknown observe.Value

// past makes a power series of balance rows, NaN where there is none; without any row, the present value is all that is known.
func past(rows []balance.Row, span timegrid.Span, step time.Duration, pick func(balance.Row) units.WattHours, now observe.Value) forecast.Past {
	p := forecast.Past{Start: span.Start, Step: step, Values: make([]float64, span.Count(step))}
	for i := range p.Values {
		p.Values[i] = math.NaN()
	}
	for _, r := range rows {
		if i := int(r.Start.Sub(span.Start) / step); i >= 0 && i < len(p.Values) && r.Coverage > 0 {
			p.Values[i] = float64(pick(r).Energy().Mean(r.Step))
		}
	}
	if len(rows) == 0 && now.OK && len(p.Values) > 0 {
		p.Values[len(p.Values)-1] = now.V
	}
	return p
}

// readPast reads series from the store as slot means.
func (s *Scheduler) readPast(ctx context.Context, ids []district.SeriesID, span timegrid.Span) (map[district.SeriesID]forecast.Past, error) {
	out, count := map[district.SeriesID]forecast.Past{}, map[district.SeriesID][]int{}
	step, n := s.cfg.District.Step, span.Count(s.cfg.District.Step)
	for _, id := range ids {
		out[id] = forecast.Past{Start: span.Start, Step: step, Values: make([]float64, n)}
		count[id] = make([]int, n)
	}
	err := s.cfg.Store.Read(ctx, ids, span, func(v district.Sample) error {
		if i := int(v.Time.Sub(span.Start) / step); v.Quality != district.Bad && i >= 0 && i < n {
			out[v.Series].Values[i] += v.Value
			count[v.Series][i]++
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("scheduler: read %d series: %w", len(ids), err)
	}
	for _, id := range ids {
		last, since := math.NaN(), 0
		for i, c := range count[id] {
			if c > 0 {
				out[id].Values[i] /= float64(c)
				last, since = out[id].Values[i], 0
				continue
			}
			// an hourly signal holds for its hour
			if since++; since <= 4 {
				out[id].Values[i] = last
			} else {
				out[id].Values[i] = math.NaN()
			}
		}
	}
	return out, nil
}
