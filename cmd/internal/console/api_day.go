package console

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// PowerSeries are mean powers in kW of the slots of a grid; null where nothing is known.
type PowerSeries struct {
	Sun      []*float64 `json:"sun" doc:"produced"`
	Grid     []*float64 `json:"grid" doc:"positive drawn, negative fed"`
	Storage  []*float64 `json:"storage" doc:"positive charging"`
	Heat     []*float64 `json:"heat"`
	Cars     []*float64 `json:"cars"`
	Other    []*float64 `json:"other" doc:"other consumption"`
	Residual []*float64 `json:"residual" doc:"what the meters do not explain"`
}

func newPowerSeries(n int) PowerSeries {
	all := make([]*float64, 7*n)
	cut := func(i int) []*float64 { return all[i*n : (i+1)*n : (i+1)*n] }
	return PowerSeries{cut(0), cut(1), cut(2), cut(3), cut(4), cut(5), cut(6)}
}

// PlannedSeries is a plan on the grid of a day.
type PlannedSeries struct {
	Plan  PlanSummary `json:"plan"`
	Power PowerSeries `json:"power"`
	Worth []*float64  `json:"worth" doc:"of one more kWh in the district, EUR/kWh"`
	// Foreseen are the forecasts under it of the site as a whole, or of the district as such.
	Foreseen []ForeseenSeries `json:"foreseen" doc:"what it expects of the site or district as a whole, with bands; empty in old plans"`
}

// DayView is what was measured and planned in a day, on one grid of slots.
type DayView struct {
	District      string         `json:"district"`
	Site          string         `json:"site" doc:"_ for the district itself"`
	Day           string         `json:"day"`
	Start         time.Time      `json:"start"`
	End           time.Time      `json:"end"`
	DayEnd        time.Time      `json:"day_end" doc:"end of the civil day; end may be later"`
	StepMinutes   float64        `json:"step_minutes"`
	Now           time.Time      `json:"now"`
	Slots         int            `json:"slots"`
	Measured      PowerSeries    `json:"measured"`
	Substituted   []bool         `json:"substituted" doc:"the slot holds an estimate"`
	Coverage      []*float64     `json:"coverage" doc:"share of the meters that measured the whole slot"`
	First         *PlannedSeries `json:"first,omitempty" doc:"the plan that held at the start of the day"`
	Latest        *PlannedSeries `json:"latest,omitempty" doc:"the newest plan, where it reaches into the view"`
	ImportPrice   []*float64     `json:"import_price" doc:"EUR/kWh"`
	CarbonGPerKWh []*float64     `json:"carbon_g_per_kwh"`
}

type dayInput struct {
	DistrictPath
	Day   string  `query:"day" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" doc:"civil day of the district such as 2026-01-31; today when absent"`
	Site  string  `query:"site" default:"_" maxLength:"100"`
	Ahead float64 `query:"ahead_hours" minimum:"0" maximum:"48" default:"0" doc:"today's view reaches at least so far beyond now"`
}

// SeriesView is a series on a grid of slots.
type SeriesView struct {
	Series      string     `json:"series"`
	Unit        string     `json:"unit"`
	Form        string     `json:"form" enum:"gauge,counter,state" doc:"gauge: mean over time in the slot; counter: growth in the slot; state: last value of the slot"`
	Start       time.Time  `json:"start"`
	End         time.Time  `json:"end"`
	StepSeconds float64    `json:"step_seconds"`
	Values      []*float64 `json:"values" doc:"null without a sample"`
	Quality     []string   `json:"quality" doc:"worst of the slot; empty without a sample"`
}

type seriesInput struct {
	DistrictPath
	Site     string    `query:"site" required:"true" maxLength:"100"`
	Device   string    `query:"device" required:"true" maxLength:"100"`
	Quantity string    `query:"quantity" required:"true" maxLength:"100"`
	Start    time.Time `query:"start" required:"true"`
	End      time.Time `query:"end" required:"true"`
	Step     float64   `query:"step_seconds" minimum:"1" maximum:"2678400" default:"900"`
}

type planInput struct {
	DistrictPath
	ID     int64  `query:"id" minimum:"0" default:"0" doc:"0: the newest"`
	Detail string `query:"detail" enum:"words,schedule,all" default:"schedule" doc:"what plan holds: words: nothing, it is left out; schedule: the schedule of every device; all: what the plan foresees of every series in every step as well, of which get-foreseen answers one"`
}

// PlanView is a plan, as far as it is asked for, with what it decides in words.
type PlanView struct {
	Summary   PlanSummary    `json:"summary"`
	Plan      *district.Plan `json:"plan,omitempty" doc:"by detail"`
	Foreseen  []ForeseenInfo `json:"foreseen" doc:"every series that it rests on, in short; empty in old plans"`
	Decisions []Decision     `json:"decisions" doc:"from now on, split where the action or its reason changes"`
	Next      []Decision     `json:"next" doc:"what to know first: the largest that hold now, and the next to come"`
	Changes   *PlanChanges   `json:"changes" doc:"what it does otherwise than the plan before; null: there was none that reaches so far"`
}

func (s *Server) dayRoutes() {
	register(s, ViewerAccess, get("get-day", "/api/districts/{district}/day", "series", "What was measured and planned in a day, slot by slot"), s.getDay)
	register(s, ViewerAccess, get("get-series", "/api/districts/{district}/series", "series", "A series, resampled"), s.getSeries)
	plan := get("get-plan", "/api/districts/{district}/plan", "plans", "A plan with its decisions")
	plan.Description = "Bands of one series are answered by get-foreseen, slot by slot, by the newest plan."
	plan.Errors = []int{http.StatusNotFound}
	register(s, ViewerAccess, plan, s.getPlan)
}

// grid is the slots of a view.
type grid struct {
	span timegrid.Span
	step time.Duration
	n    int
}

// index returns the slot that holds t.
func (g grid) index(t time.Time) (int, bool) {
	if !g.span.Contains(t) {
		return 0, false
	}
	return int(t.Sub(g.span.Start) / g.step), true
}

func (s *Server) getDay(ctx context.Context, in *dayInput) (*struct{ Body DayView }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	if in.Site != district.DistrictSite && d.Site(in.Site) == nil {
		return nil, huma.Error404NotFound(fmt.Sprintf("district %q has no site %q", d.ID, in.Site))
	}
	now := s.deps.Now().UTC()
	day := s.today(d)
	if in.Day != "" {
		if day, err = timegrid.ParseDay(in.Day, d.Zone); err != nil {
			return nil, huma.Error422UnprocessableEntity(err.Error())
		}
	}
	span := day
	if day.Contains(now) {
		if ahead := timegrid.Ceil(now.Add(time.Duration(in.Ahead*float64(time.Hour))), time.Hour); ahead.After(span.End) {
			span.End = ahead
		}
	}
	g := grid{span, d.Step, span.Count(d.Step)}
	out := DayView{District: d.ID, Site: in.Site, Day: day.Start.In(d.Zone).Format(time.DateOnly), Start: span.Start, End: span.End, DayEnd: day.End,
		StepMinutes: d.Step.Minutes(), Now: now, Slots: g.n, Measured: newPowerSeries(g.n), Substituted: make([]bool, g.n), Coverage: make([]*float64, g.n)}
	rows, err := s.rows(ctx, d.ID, in.Site, span)
	if err != nil {
		return nil, s.broken(ctx, "reading the day's balance", err)
	}
	for i := range rows {
		if k, ok := g.index(rows[i].Start); ok {
			out.Measured.set(k, &rows[i])
			out.Substituted[k] = rows[i].Substituted
			c := rows[i].Coverage
			out.Coverage[k] = &c
		}
	}
	first, latest, err := s.dayPlans(ctx, d, day, now)
	if err != nil {
		return nil, s.broken(ctx, "reading the day's plans", err)
	}
	out.First, out.Latest = onGrid(first, in.Site, g), onGrid(latest, in.Site, g)
	if out.Latest != nil && now.After(day.End) {
		out.Latest = nil // a past day is over: only what was planned at its start stands beside what happened
	}
	out.ImportPrice, out.CarbonGPerKWh = make([]*float64, g.n), make([]*float64, g.n)
	for _, p := range []*district.Plan{first, latest} { // the newer forecast wins
		if p != nil {
			fill(out.ImportPrice, p, p.ImportPrice, g)
			fill(out.CarbonGPerKWh, p, p.CarbonGPerKWh, g)
		}
	}
	if err := s.signals(ctx, d.ID, g, map[string][]*float64{district.ImportPrice: out.ImportPrice, district.CarbonIntensity: out.CarbonGPerKWh}); err != nil {
		return nil, s.broken(ctx, "reading the day's signals", err)
	}
	return &struct{ Body DayView }{out}, nil
}

// set fills slot k from a balance row.
func (p *PowerSeries) set(k int, r *balance.Row) {
	h := r.Step.Hours()
	kw := func(v float64) *float64 { v /= h; return &v }
	p.Sun[k], p.Grid[k] = kw(r.ProductionWh.KWh()), kw((r.ImportWh - r.ExportWh).KWh())
	p.Storage[k], p.Heat[k] = kw((r.ChargeWh - r.DischargeWh).KWh()), kw(r.HeatWh.KWh())
	p.Cars[k], p.Other[k] = kw(r.CarsWh.KWh()), kw(r.OtherWh.KWh())
	p.Residual[k] = kw(r.ResidualWh.KWh())
}

// dayPlans returns the plan that held when the day began, else the first one of it that is at hand, and the newest plan; nil where there is none.
func (s *Server) dayPlans(ctx context.Context, d *district.District, day timegrid.Span, now time.Time) (first, latest *district.Plan, err error) {
	first, err = cached(s.cache, fmt.Sprintf("first/%s/%d", d.ID, day.Start.Unix()), 30*time.Second, func() (*district.Plan, error) {
		p, err := s.deps.Store.LatestPlan(context.WithoutCancel(ctx), d.ID, day.Start)
		if errors.Is(err, store.ErrNotFound) {
			return nil, nil
		}
		return p, err
	})
	if err != nil {
		return nil, nil, err
	}
	if now.Before(day.End) {
		if latest, err = s.planOrNil(ctx, d.ID); err != nil {
			return nil, nil, err
		}
	}
	if first != nil && latest != nil && first.ID == latest.ID {
		first = nil
	}
	return first, latest, nil
}

// fill sets the slots of the grid that a plan's values cover.
func fill(to []*float64, p *district.Plan, values []float64, g grid) {
	for k := range to {
		if i, ok := p.Index(g.span.Start.Add(time.Duration(k) * g.step)); ok && i < len(values) {
			v := values[i]
			to[k] = &v
		}
	}
}

// onGrid returns a plan on the slots of a view; nil when it does not reach into it.
func onGrid(p *district.Plan, site string, g grid) *PlannedSeries {
	if p == nil || !p.Start.Before(g.span.End) || !planEnd(p).After(g.span.Start) {
		return nil
	}
	out := &PlannedSeries{Plan: summarise(p), Power: newPowerSeries(g.n), Worth: make([]*float64, g.n), Foreseen: siteForeseen(p, site, g)}
	fill(out.Worth, p, p.Price, g)
	sum := planPower(p, site)
	for k := range g.n {
		i, ok := p.Index(g.span.Start.Add(time.Duration(k) * g.step))
		if !ok {
			continue
		}
		for _, c := range []struct {
			to   []*float64
			from []float64
		}{{out.Power.Sun, sum.sun}, {out.Power.Grid, sum.grid}, {out.Power.Storage, sum.storage}, {out.Power.Heat, sum.heat}, {out.Power.Cars, sum.cars}, {out.Power.Other, sum.other}} {
			v := c.from[i]
			c.to[k] = &v
		}
	}
	return out
}

type planSums struct{ sun, grid, storage, heat, cars, other []float64 }

// planPower sums a plan's schedules by what the devices are, for a site or the whole district.
func planPower(p *district.Plan, site string) planSums {
	mk := func() []float64 { return make([]float64, p.Steps) }
	out := planSums{mk(), mk(), mk(), mk(), mk(), mk()}
	add := func(to, from []float64, sign float64) {
		for i := range min(len(to), len(from)) {
			to[i] += sign * from[i]
		}
	}
	for si := range p.Sites {
		sp := &p.Sites[si]
		if site != district.DistrictSite && sp.ID != site {
			continue
		}
		add(out.other, sp.LoadKW, 1)
		if site != district.DistrictSite {
			add(out.grid, sp.NetKW, 1)
		}
		for di := range sp.Devices {
			dp := &sp.Devices[di]
			switch dp.Kind {
			case district.PV:
				add(out.sun, dp.PowerKW, -1)
			case district.Battery:
				add(out.storage, dp.PowerKW, 1)
			case district.HeatPump, district.WaterHeater:
				add(out.heat, dp.PowerKW, 1)
			case district.EVCharger:
				add(out.cars, dp.PowerKW, 1)
			case district.LoadMeter: // street lighting, which is in the load
			default:
				add(out.other, dp.PowerKW, 1)
			}
		}
	}
	if site == district.DistrictSite {
		add(out.grid, p.ImportKW, 1)
		add(out.grid, p.ExportKW, -1)
	}
	return out
}

// signals overwrites the slots of the named quantities with what was recorded of them under the district's own devices.
func (s *Server) signals(ctx context.Context, districtID string, g grid, into map[string][]*float64) error {
	known, err := cached(s.cache, "signals/"+districtID, time.Minute, func() ([]district.SeriesID, error) {
		return s.deps.Store.Series(context.WithoutCancel(ctx), districtID+"/"+district.DistrictSite+"/")
	})
	if err != nil {
		return err
	}
	for quantity, to := range into {
		for _, id := range known {
			if !strings.HasSuffix(string(id), "/"+quantity) {
				continue
			}
			values, _, err := s.resample(ctx, id, district.Gauge, g)
			if err != nil {
				return err
			}
			hold := (*float64)(nil) // a signal holds until the next one, for two hours at most
			age := 0
			for k := range to {
				if values[k] != nil {
					hold, age = values[k], 0
				} else if age++; time.Duration(age)*g.step > 2*time.Hour {
					hold = nil
				}
				if hold != nil && !g.span.Start.Add(time.Duration(k)*g.step).After(s.deps.Now()) {
					to[k] = hold
				}
			}
			break
		}
	}
	return nil
}

const maxSeriesSlots = 3000

func (s *Server) getSeries(ctx context.Context, in *seriesInput) (*struct{ Body SeriesView }, error) {
	d, dev, err := s.device(DevicePath{in.District, in.Site, in.Device})
	if err != nil {
		return nil, err
	}
	step := time.Duration(in.Step * float64(time.Second))
	if !in.Start.Before(in.End) || in.End.Sub(in.Start) > 400*24*time.Hour {
		return nil, huma.Error422UnprocessableEntity("start must be before end, and 400 days at most apart")
	}
	if n := int64(in.End.Sub(in.Start)/step) + 1; n > maxSeriesSlots {
		return nil, huma.Error422UnprocessableEntity(fmt.Sprintf("the span has %d steps of %v, at most %d are given: take a longer step", n, step, maxSeriesSlots))
	}
	sp := timegrid.NewSpan(timegrid.Floor(in.Start, step), timegrid.Ceil(in.End, step))
	g := grid{sp, step, sp.Count(step)}
	id := dev.Series(d.ID, in.Site, in.Quantity)
	form := rollup.FormOf(id)
	values, quality, err := s.resample(ctx, id, form, g)
	if err != nil {
		return nil, s.broken(ctx, "reading "+string(id), err)
	}
	for i, v := range values {
		if v != nil && (math.IsNaN(*v) || math.IsInf(*v, 0)) {
			values[i] = nil
		}
	}
	return &struct{ Body SeriesView }{SeriesView{Series: string(id), Unit: unitOf(in.Quantity), Form: [...]string{"gauge", "counter", "state"}[form],
		Start: sp.Start, End: sp.End, StepSeconds: step.Seconds(), Values: values, Quality: quality}}, nil
}

func (s *Server) getPlan(ctx context.Context, in *planInput) (*struct{ Body PlanView }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	var p *district.Plan
	if in.ID == 0 {
		p, err = s.latestPlan(ctx, d.ID)
	} else {
		p, err = s.deps.Store.Plan(ctx, in.ID)
	}
	if errors.Is(err, store.ErrNotFound) || err == nil && p.District != d.ID {
		return nil, huma.Error404NotFound("there is no such plan of this district yet")
	} else if err != nil {
		return nil, s.broken(ctx, "reading the plan", err)
	}
	now := s.deps.Now()
	changes, err := s.changes(ctx, d, p, now)
	if err != nil {
		return nil, s.broken(ctx, "reading the plan before", err)
	}
	out := PlanView{Summary: summarise(p), Foreseen: foreseenInfos(d, p, now), Decisions: decisions(d, p, now, 5000), Next: next(d, p, now, 14), Changes: changes}
	switch in.Detail {
	case "schedule":
		schedule := *p // others read it
		schedule.Foreseen = nil
		out.Plan = &schedule
	case "all":
		out.Plan = p
	}
	return &struct{ Body PlanView }{out}, nil
}
