package app

import (
	"context"
	"math"
	"time"

	"quartier/cmd/internal/config"
	"quartier/drivers"
	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/scheduler"
	"quartier/schemas/district"
	"quartier/schemas/tariff"
	"quartier/schemas/timegrid"
)

// planning returns how often a plan is made and how long its solver may take, both on the machine's clock. An accelerated district is planned as often in its own time, but
// never more often than every five seconds of the machine.
func planning(cfg *config.Config, clock *Clock) (every, budget time.Duration) {
	every = time.Duration(cfg.File.Control.ReplanMinutes * float64(time.Minute))
	budget = time.Duration(cfg.File.Control.PlanSeconds * float64(time.Second))
	if clock.Speed() > 1 {
		every = max(clock.Wall(every), 5*time.Second)
		budget = min(budget, every)
	}
	return every, budget
}

// planLateAfter is the age of a plan, in the district's time, from which it counts as late: two rounds of planning and a half, the solver's time and a minute, or
// where that comes first, the age from which it no longer counts.
func planLateAfter(cfg *config.Config, clock *Clock) time.Duration {
	every, budget := planning(cfg, clock)
	return min(clock.District(5*every/2+budget)+time.Minute, schedulerConfig(cfg, &cfg.Districts[0], clock).PlanMaxAge)
}

// scheduler builds the scheduler of a district.
func (a *App) scheduler(d *district.District) (*scheduler.Scheduler, error) {
	cfg := schedulerConfig(a.cfg, d, a.clock)
	_, budget := planning(a.cfg, a.clock)
	cfg.Live, cfg.Store, cfg.Now, cfg.Log = a.hub, decisions{a.record, a.metrics.setpoints}, a.clock.Now, a.log
	cfg.Driver = func(site, device string) (drivers.Driver, bool) { return a.connections.driver(d.ID, site, device) }
	cfg.Keep = a.keepOrders()
	if l, err := openLearned(a.cfg.File.DataDir, d.ID); err != nil {
		a.log.Warn("what forecasts learn does not survive a restart", "district", d.ID, "err", err)
	} else {
		cfg.Learned = l
	}
	cfg.Weather, cfg.WeatherAge, cfg.WeatherSignal = a.weatherOf(d), a.weatherAge(d), a.cfg.District(d.ID).Weather
	cfg.Basis = func(from, to time.Time) []district.Basis { return a.basis(d, from, to) }
	if m := a.markets[boundaryFeed(a.cfg, d)]; m != nil {
		cfg.PriceBasis = m.basis
	}
	cfg.Reckon = func(ctx context.Context, p *problem.Problem) (*problem.Solution, error) {
		return optimizer.Plan(ctx, p, optimizer.Settings{TimeLimit: budget, Gap: 0.01, Workers: 1, Log: a.log})
	}
	cfg.Check = certified
	cfg.Lapsed = func(r scheduler.Request) { a.asks.lapsed(d.ID, r) }
	cfg.Plan = func(ctx context.Context, p *problem.Problem, previous *problem.Solution) (*problem.Solution, error) {
		start := time.Now()
		sol, err := optimizer.Plan(ctx, p, optimizer.Settings{TimeLimit: budget, Gap: 0.01, Previous: previous, Workers: 1, Log: a.log})
		a.metrics.planned(d.ID, sol, err, time.Since(start))
		return sol, err
	}
	if a.opt.adjust != nil {
		a.opt.adjust(&cfg)
	}
	return scheduler.New(cfg)
}

// schedulerConfig is what a configuration says of the scheduling of a district. Replanning and staleness follow the clock, see [planning]: measurements and plans of an
// accelerated district may be older in its time accordingly.
func schedulerConfig(cfg *config.Config, d *district.District, clock *Clock) scheduler.Config {
	c, f := cfg.File.Control, cfg.File.Forecast
	hours := func(h float64) time.Duration { return time.Duration(h * float64(time.Hour)) }
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	every, _ := planning(cfg, clock)
	out := scheduler.Config{
		District: d, Prices: cfg.Tariffs[d.Tariff].Estimated(), PlanOnly: !c.Enabled,
		Horizon: hours(c.HorizonHours), ReplanEvery: every, DispatchEvery: seconds(c.DispatchSeconds),
		Stale: seconds(c.StaleSeconds), PlanMaxAge: hours(c.PlanMaxAgeHours), CarbonPriceEURPerTonne: c.CarbonPrice,
		Forecast: scheduler.Forecast{SimilarDays: f.SimilarDays, LookBackDays: f.LookBackDays, Fade: hours(f.FadeHours)},
	}
	if source := cfg.Sources[d.Carbon]; source != nil {
		out.Carbon = func(slot timegrid.Span) (float64, bool) { return carbonOf(source, slot) }
		out.CarbonAssumed = source.GPerKWh
	}
	if clock.Speed() > 1 {
		out.DispatchEvery = min(out.DispatchEvery, max(time.Second, clock.Wall(time.Minute)))
		out.Stale = max(out.Stale, clock.District(15*time.Second))
		out.PlanMaxAge = max(out.PlanMaxAge, clock.District(3*out.ReplanEvery))
	}
	out.Round = clock.District(out.DispatchEvery)
	return out
}

// carbonOf returns the mean intensity of a slot by a source that has its values itself, gCO2e/kWh; false where it has none, as a signal, whose values are in the record.
func carbonOf(source *tariff.Carbon, slot timegrid.Span) (float64, bool) {
	if source == nil || source.Kind == tariff.CarbonSignal {
		return 0, false
	}
	v, err := source.Values(slot, slot.End.Sub(slot.Start))
	if err != nil || len(v) != 1 || math.IsNaN(v[0]) {
		return 0, false
	}
	return v[0], true
}
