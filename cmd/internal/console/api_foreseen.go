package console

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// Expectation is what a plan expects of one series at one time.
type Expectation struct {
	Mean float64  `json:"mean"`
	Low  *float64 `json:"low" doc:"10th percentile; the mean where it is settled; null without a band"`
	High *float64 `json:"high" doc:"90th percentile; the mean where it is settled; null without a band"`
}

// ForeseenInfo is one series of those that a plan rests on.
type ForeseenInfo struct {
	Site        string       `json:"site" doc:"_ for the district itself"`
	SiteName    string       `json:"site_name"`
	Device      string       `json:"device" doc:"empty: the site or district as a whole"`
	DeviceName  string       `json:"device_name"`
	Quantity    string       `json:"quantity" enum:"load,sun,net,heat,hot_water,car,outdoor,price,carbon"`
	Unit        string       `json:"unit" enum:"kW,degC,EUR/kWh,gCO2e/kWh"`
	SteppedBack bool         `json:"stepped_back" doc:"similar days foresaw it better of late, and are what the plan rests on"`
	Now         *Expectation `json:"now" doc:"null: the plan does not reach so far"`
	In6h        *Expectation `json:"in_6h"`
	In24h       *Expectation `json:"in_24h"`
}

// ForeseenSeries is what a plan expects of one series, on the slots of a view.
type ForeseenSeries struct {
	Quantity    string     `json:"quantity" enum:"load,sun,net,heat,hot_water,car,outdoor,price,carbon"`
	Mean        []*float64 `json:"mean"`
	Low         []*float64 `json:"low" doc:"10th percentile; the mean where it is settled; null without a band"`
	High        []*float64 `json:"high" doc:"90th percentile; the mean where it is settled; null without a band"`
	SteppedBack bool       `json:"stepped_back"`
	CreatedAt   time.Time  `json:"created_at" doc:"when the plan was made"`
}

// ForeseenView is one series from midnight on: what was measured of it, what is expected of it, and what was expected of it when the day began.
type ForeseenView struct {
	Info        ForeseenInfo    `json:"info"`
	Start       time.Time       `json:"start"`
	End         time.Time       `json:"end"`
	Now         time.Time       `json:"now"`
	StepMinutes float64         `json:"step_minutes"`
	Slots       int             `json:"slots"`
	Measured    []*float64      `json:"measured" doc:"null where nothing is known"`
	IsMeasured  bool            `json:"is_measured" doc:"the series is measured at all: what a room or a tank needs is not"`
	Latest      *ForeseenSeries `json:"latest" doc:"by the newest plan"`
	First       *ForeseenSeries `json:"first,omitempty" doc:"by the plan that held when the day began"`
}

type foreseenInput struct {
	DistrictPath
	Site     string `query:"site" default:"_" maxLength:"100"`
	Device   string `query:"device" maxLength:"100" doc:"empty: the site or district as a whole"`
	Quantity string `query:"quantity" required:"true" enum:"load,sun,net,heat,hot_water,car,outdoor,price,carbon"`
}

func (s *Server) foreseenRoutes() {
	one := get("get-foreseen", "/api/districts/{district}/foreseen", "plans", "What the newest plan expects of one series, in which band, and what was measured of it today")
	one.Errors = []int{http.StatusNotFound}
	register(s, ViewerAccess, one, s.getForeseen)
}

// foreseenInfo describes a series; now is the clock of the district.
func foreseenInfo(d *district.District, p *district.Plan, f *district.Foreseen, now time.Time) ForeseenInfo {
	out := ForeseenInfo{Site: f.Site, SiteName: objectName(d, d.ID+"/"+f.Site), Device: f.Device, DeviceName: f.Device, Quantity: f.Quantity, Unit: string(district.ForecastUnit(f.Quantity)), SteppedBack: f.SteppedBack}
	if dev := d.Device(f.Site, f.Device); dev != nil {
		out.DeviceName = dev.Name
	}
	at := func(ahead time.Duration) *Expectation {
		i, ok := p.Index(now.Add(ahead))
		if !ok || i >= len(f.Mean) {
			return nil
		}
		e := &Expectation{Mean: f.Mean[i]}
		if low, high, ok := f.Band(i); ok {
			e.Low, e.High = &low, &high
		}
		return e
	}
	out.Now, out.In6h, out.In24h = at(0), at(6*time.Hour), at(24*time.Hour)
	return out
}

// foreseenInfos lists the series of a plan: the district's own first, then site by site, those of a site before those of its devices.
func foreseenInfos(d *district.District, p *district.Plan, now time.Time) []ForeseenInfo {
	out := []ForeseenInfo{}
	for i := range p.Foreseen {
		out = append(out, foreseenInfo(d, p, &p.Foreseen[i], now))
	}
	site := func(id string) int {
		return slices.IndexFunc(d.Sites, func(s district.Site) bool { return s.ID == id })
	}
	rank := func(quantity string) int {
		return slices.Index([]string{district.ForecastNet, district.ForecastLoad, district.ForecastSun, district.ForecastHeat, district.ForecastHotWater, district.ForecastCar,
			district.ForecastOutdoor, district.ForecastPrice, district.ForecastCarbon}, quantity)
	}
	slices.SortStableFunc(out, func(a, b ForeseenInfo) int {
		return cmp.Or(cmp.Compare(site(a.Site), site(b.Site)), cmp.Compare(a.Device, b.Device), cmp.Compare(rank(a.Quantity), rank(b.Quantity)))
	})
	return out
}

// foreseenOf returns what a plan holds of a series; nil: nothing.
func foreseenOf(p *district.Plan, site, device, quantity string) *district.Foreseen {
	if p == nil {
		return nil
	}
	for i := range p.Foreseen {
		if f := &p.Foreseen[i]; f.Site == site && f.Device == device && f.Quantity == quantity {
			return f
		}
	}
	return nil
}

// foreseenOnGrid returns a series of a plan on the slots of a view; f may be nil.
func foreseenOnGrid(p *district.Plan, f *district.Foreseen, g grid) *ForeseenSeries {
	if f == nil {
		return nil
	}
	out := &ForeseenSeries{Quantity: f.Quantity, Mean: make([]*float64, g.n), Low: make([]*float64, g.n), High: make([]*float64, g.n), SteppedBack: f.SteppedBack, CreatedAt: p.CreatedAt}
	fill(out.Mean, p, f.Mean, g)
	if f.Settled {
		copy(out.Low, out.Mean)
		copy(out.High, out.Mean)
	} else if len(f.Low) > 0 && len(f.High) > 0 {
		fill(out.Low, p, f.Low, g)
		fill(out.High, p, f.High, g)
	}
	return out
}

// siteForeseen returns what a plan expects of a site as a whole, or of the district as such, on the slots of a view.
func siteForeseen(p *district.Plan, site string, g grid) []ForeseenSeries {
	out := []ForeseenSeries{}
	for i := range p.Foreseen {
		if f := &p.Foreseen[i]; f.Site == site && f.Device == "" {
			out = append(out, *foreseenOnGrid(p, f, g))
		}
	}
	return out
}

func (s *Server) getForeseen(ctx context.Context, in *foreseenInput) (*struct{ Body ForeseenView }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	now, day := s.deps.Now().UTC(), s.today(d)
	first, latest, err := s.dayPlans(ctx, d, day, now)
	if err != nil {
		return nil, s.broken(ctx, "reading the day's plans", err)
	}
	f := foreseenOf(latest, in.Site, in.Device, in.Quantity)
	if f == nil {
		return nil, huma.Error404NotFound(fmt.Sprintf("the newest plan of %s expects nothing of %s of %s", d.ID, in.Quantity, cmp.Or(in.Device, in.Site)))
	}
	span := timegrid.NewSpan(day.Start, timegrid.Ceil(now.Add(36*time.Hour), time.Hour))
	if end := planEnd(latest); end.After(now) && end.Before(span.End) {
		span.End = timegrid.Ceil(end, d.Step)
	}
	g := grid{span, d.Step, span.Count(d.Step)}
	out := ForeseenView{Info: foreseenInfo(d, latest, f, now), Start: span.Start, End: span.End, Now: now, StepMinutes: d.Step.Minutes(), Slots: g.n,
		Latest: foreseenOnGrid(latest, f, g), First: foreseenOnGrid(first, foreseenOf(first, in.Site, in.Device, in.Quantity), g)}
	if out.Measured, out.IsMeasured, err = s.measuredOf(ctx, d, f, g); err != nil {
		return nil, s.broken(ctx, "reading what was measured of "+in.Quantity, err)
	}
	return &struct{ Body ForeseenView }{out}, nil
}

// measuredOf returns what was measured of a series that is foreseen in the slots that are over, and whether it is measured at all.
func (s *Server) measuredOf(ctx context.Context, d *district.District, f *district.Foreseen, g grid) ([]*float64, bool, error) {
	out := make([]*float64, g.n)
	past := func(values []*float64) []*float64 { // a slot under way is no measurement of it
		for k := range out {
			if !g.span.Start.Add(time.Duration(k+1) * g.step).After(s.deps.Now()) {
				out[k] = values[k]
			}
		}
		return out
	}
	series := func(id district.SeriesID) ([]*float64, bool, error) {
		values, _, err := s.resample(ctx, id, district.Gauge, g)
		if err != nil {
			return nil, false, err
		}
		return past(values), true, nil
	}
	switch f.Quantity {
	case district.ForecastLoad, district.ForecastSun, district.ForecastNet:
		rows, err := s.rows(ctx, d.ID, f.Site, g.span)
		if err != nil {
			return nil, false, err
		}
		p := newPowerSeries(g.n)
		values := make([]*float64, g.n)
		for i := range rows {
			k, ok := g.index(rows[i].Start)
			if !ok {
				continue
			}
			p.set(k, &rows[i])
			v := map[string]float64{district.ForecastLoad: *p.Other[k], district.ForecastSun: *p.Sun[k], district.ForecastNet: *p.Other[k] - *p.Sun[k]}[f.Quantity]
			values[k] = &v
		}
		return past(values), true, nil
	case district.ForecastPrice, district.ForecastCarbon:
		quantity := map[string]string{district.ForecastPrice: district.ImportPrice, district.ForecastCarbon: district.CarbonIntensity}[f.Quantity]
		values := make([]*float64, g.n)
		if err := s.signals(ctx, d.ID, g, map[string][]*float64{quantity: values}); err != nil {
			return nil, false, err
		}
		return past(values), true, nil
	case district.ForecastOutdoor:
		for site, dev := range d.AllDevices {
			if dev.Kind == district.Weather {
				return series(dev.Series(d.ID, site, district.OutdoorC))
			}
		}
	case district.ForecastCar:
		if dev := d.Device(f.Site, f.Device); dev != nil {
			return series(dev.Series(d.ID, f.Site, district.PowerKW))
		}
	}
	return out, false, nil
}
