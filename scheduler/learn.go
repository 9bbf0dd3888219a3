package scheduler

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"time"

	"quartier/optimizer/forecast"
	"quartier/scheduler/answer"
	"quartier/scheduler/foresee"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

func otherWh(r balance.Row) units.WattHours      { return r.OtherWh }
func productionWh(r balance.Row) units.WattHours { return r.ProductionWh }

// foresight are the forecasts of a district's load and sun, before anything is learned.
func foresight(cfg *Config) *foresee.District {
	peak := map[string]float64{}
	for i := range cfg.District.Sites {
		if kw := peakKW(&cfg.District.Sites[i]); kw > 0 {
			peak[cfg.District.Sites[i].ID] = kw
		}
	}
	build := ""
	if cfg.Learned != nil {
		build = cfg.Learned.Build()
	}
	return foresee.New(foresee.Settings{Build: build, District: cfg.District.ID, Step: cfg.District.Step, Ahead: cfg.Horizon, Zone: cfg.District.Zone, PeakKW: peak, Share: cfg.LearnShare,
		Published: publishedWeather(cfg)})
}

// peakKW is the installed solar power of a site.
func peakKW(site *district.Site) (kw float64) {
	for _, dev := range site.Devices {
		if dev.Kind == district.PV && dev.PV != nil {
			kw += dev.PV.PeakKW
		}
	}
	return kw
}

// series are what forecasts learn from: sun, and load without what lamps drew by their schedule, which is known.
func (s *Scheduler) series(bySite map[string][]balance.Row, span timegrid.Span) foresee.Record {
	r := foresee.Record{Start: span.Start, Series: map[foresee.Key][]float64{}}
	for i := range s.cfg.District.Sites {
		site := &s.cfg.District.Sites[i]
		add := func(quantity string, pick func(balance.Row) units.WattHours) {
			kw := past(bySite[site.ID], span, s.cfg.District.Step, pick, unknown)
			if quantity == district.ForecastLoad {
				kw = s.withoutLighting(site, kw)
			}
			r.Series[foresee.Key{Site: site.ID, Quantity: quantity}] = kw.Values
		}
		add(district.ForecastLoad, otherWh)
		if peakKW(site) > 0 {
			add(district.ForecastSun, productionWh)
		}
	}
	return r
}

// netErrors is how wrong forecasts of the district's net power were; before that is known, how wrong they may be.
func (s *Scheduler) netErrors(in inputs) answer.Errors {
	if f, ok := s.foresight.NetErrors(in.start); ok {
		return f
	}
	load, sun := make([]float64, in.steps), make([]float64, in.steps)
	for _, kw := range in.loadKW {
		for t, v := range kw {
			load[t] += v
		}
	}
	for _, kw := range in.sunKW {
		for t, v := range kw {
			sun[t] += v
		}
	}
	return foresee.Prior(load, sun, s.weatherDoubt())
}

// weatherDoubt is how many times as wrong as usual what rests on the published weather may be: once more for each day that nothing new was published, up to three times.
func (s *Scheduler) weatherDoubt() float64 {
	if s.cfg.WeatherAge == nil {
		return 1
	}
	return math.Max(1, math.Min(3, 1+s.cfg.WeatherAge().Hours()/24))
}

// clearSky is what is foreseen of a site's sun before anything was recorded: its inverters under the sky that is published, or a mean one, nearing what they give now.
func (s *Scheduler) clearSky(site *district.Site, in inputs, nowKW float64) []float64 {
	out := make([]float64, in.steps)
	for _, dev := range site.Devices {
		if dev.PV == nil {
			continue
		}
		at := forecast.Place{LatitudeDeg: s.cfg.District.Latitude, LongitudeDeg: s.cfg.District.Longitude, TiltDeg: dev.PV.TiltDeg, AzimuthDeg: dev.PV.AzimuthDeg}
		for t := range out {
			from := in.start.Add(time.Duration(t) * in.step)
			share := forecast.MeanSky(at, from.Add(in.step/2))
			if sky, ok := s.sky(timegrid.Span{Start: from, End: from.Add(in.step)}); ok {
				share = forecast.UnderSky(at, from.Add(in.step/2), sky)
			}
			out[t] += dev.PV.PeakKW * share
		}
	}
	if expected := out[0]; expected > 0.02*peakKW(site) {
		for t := range out {
			ratio := math.Max(0.2, math.Min(1.8, nowKW/expected))
			out[t] *= 1 + (ratio-1)*math.Exp(-float64(t)*in.step.Hours()/s.cfg.Forecast.Fade.Hours())
		}
	}
	return out
}

// sky is the irradiance that is published for a slot; false where none is.
func (s *Scheduler) sky(slot timegrid.Span) (forecast.Sky, bool) {
	if s.cfg.Weather == nil {
		return forecast.Sky{}, false
	}
	part := func(quantity string) float64 {
		if v, ok := s.cfg.Weather(quantity, slot); ok {
			return v
		}
		return math.NaN()
	}
	sky := forecast.Sky{GlobalWm2: part(district.IrradianceWm2), DirectWm2: part(district.DirectWm2), DiffuseWm2: part(district.DiffuseWm2)}
	return sky, !math.IsNaN(sky.GlobalWm2)
}

// nudge leaves a word for a loop that may be busy.
func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// learnLoop has the forecasts learn, beside planning and dispatch: from the record whenever that is worth it, but not more often than every few plans, and what is due from time to time.
func (s *Scheduler) learnLoop(ctx context.Context) {
	anew := time.NewTimer(0)
	defer anew.Stop()
	may := false // learn from the record
	for {
		record := s.learn
		if !may {
			record = nil
		}
		what, learn := "the record", s.Learn
		select {
		case <-ctx.Done():
			return
		case <-anew.C:
			may = true
			continue
		case <-record:
			may = false
			anew.Reset(3 * s.cfg.ReplanEvery)
		case <-s.grow:
			what, learn = "the last weeks", s.foresight.Grow
		}
		begun := s.cfg.Wall()
		if err := s.survive("learning", func() error { return learn(ctx) }); err != nil && ctx.Err() == nil {
			s.cfg.Log.Warn("forecasts have not learned", "district", s.cfg.District.ID, "from", what, "err", err)
		} else if err == nil {
			s.cfg.Log.Debug("forecasts have learned", "district", s.cfg.District.ID, "from", what, "seconds", s.cfg.Wall().Sub(begun).Seconds())
			if what == "the record" {
				s.readAnew()
				s.Wake()
			}
			s.keepLearned(ctx)
		}
	}
}

// Learn has the forecasts of load and sun learn from the last [foresee.TrainDays] of the record. It takes a while and may run beside Replan and Dispatch.
func (s *Scheduler) Learn(ctx context.Context) error {
	d := s.cfg.District
	end := timegrid.Floor(s.cfg.Now(), d.Step)
	span := timegrid.NewSpan(end.Add(-foresee.TrainDays*24*time.Hour), end)
	rows, err := s.cfg.Store.ForecastErrors(ctx, d.ID, timegrid.NewSpan(span.Start, end.Add(24*time.Hour)))
	if err != nil {
		return fmt.Errorf("scheduler: read errors of forecasts of %s: %w", d.ID, err)
	}
	s.foresight.Recall(rows)
	if err := s.remember(ctx, timegrid.NewSpan(span.Start, end.Add(d.Step))); err != nil {
		return err
	}
	all := foresee.Record{Start: span.Start, Series: map[foresee.Key][]float64{}, Slots: span.Count(d.Step)}
	last := 0
	for from := span.Start; from.Before(end); from = from.Add(7 * 24 * time.Hour) { // a week at a time is in memory
		week := timegrid.NewSpan(from, from.Add(7*24*time.Hour))
		if week.End.After(end) {
			week.End = end
		}
		rows, err := s.cfg.Store.Balances(ctx, d.ID, "", week)
		if err != nil {
			return fmt.Errorf("scheduler: read balances of %s: %w", d.ID, err)
		}
		bySite := map[string][]balance.Row{}
		for _, r := range rows {
			bySite[r.Site] = append(bySite[r.Site], r)
		}
		for k, v := range s.series(bySite, week).Series {
			offset := len(all.Series[k])
			all.Series[k] = append(all.Series[k], v...)
			for i := range v {
				if !math.IsNaN(v[i]) {
					last = max(last, offset+i+1)
				}
			}
		}
		weather, err := s.pastWeather(ctx, week, true)
		if err != nil {
			return err
		}
		all.Weather = append(all.Weather, weather...)
	}
	for k, v := range all.Series { // slots that are not closed yet are to come
		all.Series[k] = v[:last]
	}
	if s.resume(ctx, all) {
		return nil
	}
	return s.foresight.Train(ctx, all)
}

// resume takes up, once, what was learned before the start, and what came since.
func (s *Scheduler) resume(ctx context.Context, r foresee.Record) bool {
	if s.resumed || s.cfg.Learned == nil {
		return false
	}
	s.resumed = true
	in, err := s.cfg.Learned.Open()
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	if err == nil {
		err = s.foresight.Resume(ctx, in, r)
		_ = in.Close() // it was read
	}
	level := slog.LevelWarn
	if errors.Is(err, foresee.ErrOtherBuild) {
		level = slog.LevelInfo
	}
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.Log(ctx, level, "forecasts learn anew from the record", "district", s.cfg.District.ID, "err", err)
	}
	return err == nil
}

// keepAgain is how long after a failure, on the machine's clock, what was learned is kept again.
const keepAgain = time.Hour

// keepLearned keeps what was learned, where that is due.
func (s *Scheduler) keepLearned(ctx context.Context) {
	now := s.cfg.Wall()
	if s.cfg.Learned == nil || !s.foresight.Due() || now.Before(s.keepAfter) {
		return
	}
	if !s.keepErrors(ctx) || !s.keepOutlooks(ctx) {
		return // who takes up what was learned does not find these out again
	}
	var end time.Time
	err := s.cfg.Learned.Replace(func(w io.Writer) (err error) {
		end, err = s.foresight.Keep(ctx, w)
		return err
	})
	if err == nil {
		s.foresight.Kept(end)
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, foresee.ErrMoved) {
		s.keepAfter = now.Add(keepAgain)
		s.cfg.Log.Warn("what forecasts have learned is not kept", "district", s.cfg.District.ID, "err", err)
	}
}

// remember takes up, once, what the record has of what was published of the weather ahead.
func (s *Scheduler) remember(ctx context.Context, span timegrid.Span) error {
	if s.remembered || s.cfg.Weather == nil {
		return nil
	}
	rows, err := s.cfg.Store.Outlooks(ctx, s.cfg.District.ID, span)
	if err != nil {
		return fmt.Errorf("scheduler: read outlooks of %s: %w", s.cfg.District.ID, err)
	}
	if err := s.foresight.Remember(rows); err != nil {
		s.cfg.Log.Warn("forecasts learn without a part of what was published", "district", s.cfg.District.ID, "err", err)
	}
	s.remembered = true
	return nil
}

// keepOutlooks writes what was published of the weather ahead to the record, and reports whether all of it is there.
func (s *Scheduler) keepOutlooks(ctx context.Context) bool {
	rows := s.foresight.Heard()
	if len(rows) == 0 {
		return true
	}
	if err := s.cfg.Store.SaveOutlooks(context.WithoutCancel(ctx), rows); err != nil {
		s.foresight.HeardAgain(rows)
		s.cfg.Log.Warn("what was published ahead is not recorded", "district", s.cfg.District.ID, "count", len(rows), "err", err)
		return false
	}
	return true
}

// keepErrors writes how wrong forecasts were to the record, and reports whether all of it is there.
func (s *Scheduler) keepErrors(ctx context.Context) bool {
	rows := s.foresight.Changed()
	if len(rows) == 0 {
		return true
	}
	if err := s.cfg.Store.SaveForecastErrors(context.WithoutCancel(ctx), rows); err != nil {
		s.foresight.Again(rows)
		s.cfg.Log.Warn("errors of forecasts not recorded", "district", s.cfg.District.ID, "count", len(rows), "err", err)
		return false
	}
	return true
}

// ForecastErrors returns how wrong the forecasts of the last weeks were.
func (s *Scheduler) ForecastErrors() []district.ForecastError { return s.foresight.Errors() }
