package console

import (
	"cmp"
	"context"
	"slices"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// ForecastQuality is how good the forecasts of one quantity were at one lead over some days. The unit of its figures is that of the quantity: kW, of outdoor degC, of price EUR/kWh, of carbon gCO2e/kWh.
type ForecastQuality struct {
	Site        string   `json:"site" doc:"_: the district as a whole"`
	SiteName    string   `json:"site_name"`
	Device      string   `json:"device" doc:"empty: the site as a whole"`
	DeviceName  string   `json:"device_name"`
	Quantity    string   `json:"quantity" enum:"load,sun,net,heat,hot_water,car,outdoor,price,carbon" doc:"net: load less sun, of the district"`
	Unit        string   `json:"unit" enum:"kW,degC,EUR/kWh,gCO2e/kWh" doc:"of the errors and of what was measured"`
	LeadMinutes int      `json:"lead_minutes" doc:"from when it was forecast to the begin of the slot"`
	Slots       int64    `json:"slots" doc:"forecasts that were held against what was measured"`
	Replayed    int64    `json:"replayed" doc:"of those, the ones that were made afterwards from the record, of what was known at their time alone"`
	MAE         float64  `json:"mae" doc:"mean absolute error"`
	Persistence float64  `json:"persistence_mae" doc:"that of similar days with the present deviation fading"`
	Measured    float64  `json:"measured" doc:"mean of what was measured, without its sign"`
	Pinball     *float64 `json:"pinball" doc:"mean pinball loss of the 10th, 50th and 90th percentile; null before there was a band"`
	Coverage    *float64 `json:"coverage" doc:"share of the slots measured within the band that is to hold 80 %; null before there was a band"`
	SteppedBack bool     `json:"stepped_back" doc:"the newest plan rests on similar days, which foresaw the series better of late"`
}

type forecastsInput struct {
	DistrictPath
	Days int `query:"days" minimum:"1" maximum:"400" default:"14"`
}

func (s *Server) forecastRoutes() {
	list := get("list-forecast-errors", "/api/districts/{district}/forecasts", "plans", "How wrong forecasts were, by site, device, quantity and lead; the district first")
	list.Description = "Changed: while load, sun and net power alone were foreseen, mae, persistence_mae, measured and pinball were named mae_kw, persistence_mae_kw, measured_kw and pinball_kw. " +
		"Now unit tells the unit of each row, and rows of a device have its id in device, which is empty in rows of a site as a whole."
	register(s, ViewerAccess, list, s.listForecasts)
}

func (s *Server) listForecasts(ctx context.Context, in *forecastsInput) (*struct{ Body []ForecastQuality }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	now := s.deps.Now()
	rows, err := s.deps.Store.ForecastErrors(ctx, d.ID, timegrid.NewSpan(now.AddDate(0, 0, -in.Days).Truncate(24*time.Hour), now))
	if err != nil {
		return nil, s.broken(ctx, "reading the errors of forecasts", err)
	}
	plan, err := s.planOrNil(ctx, d.ID)
	if err != nil {
		return nil, s.broken(ctx, "reading the plan", err)
	}
	return &struct{ Body []ForecastQuality }{qualities(d, rows, plan)}, nil
}

// qualities sums rows by site, device, quantity and lead; the plan, which may be nil, tells which series step back.
func qualities(d *district.District, rows []district.ForecastError, plan *district.Plan) []ForecastQuality {
	back := map[[3]string]bool{}
	if plan != nil {
		for _, f := range plan.Foreseen {
			back[[3]string{f.Site, f.Device, f.Quantity}] = f.SteppedBack
		}
	}
	type key struct {
		site, device, quantity string
		lead                   int
	}
	sums, replayed := map[key]*district.ForecastError{}, map[key]int64{}
	for _, r := range rows {
		k := key{r.Site, r.Device, r.Quantity, r.LeadMinutes}
		if sums[k] == nil {
			sums[k] = &district.ForecastError{}
		}
		sums[k].Add(r)
		if r.Replayed {
			replayed[k] += r.Count
		}
	}
	out := []ForecastQuality{}
	for k, e := range sums {
		name := d.Name
		if site := d.Site(k.site); site != nil {
			name = site.Name
		}
		if e.Count == 0 || d.Site(k.site) == nil && k.site != district.DistrictSite || k.device != "" && d.Device(k.site, k.device) == nil { // of a site or device that is no more
			continue
		}
		device := k.device
		if dev := d.Device(k.site, k.device); dev != nil && dev.Name != "" {
			device = dev.Name
		}
		n := float64(e.Count)
		q := ForecastQuality{Site: k.site, SiteName: name, Device: k.device, DeviceName: device, Quantity: k.quantity, Unit: string(district.ForecastUnit(k.quantity)), LeadMinutes: k.lead, Slots: e.Count, Replayed: replayed[k],
			MAE: e.Absolute / n, Persistence: e.Persistence / n, Measured: e.Measured / n, SteppedBack: back[[3]string{k.site, k.device, k.quantity}]}
		if e.Banded > 0 {
			loss, share := e.Pinball/float64(e.Banded), float64(e.Covered)/float64(e.Banded)
			q.Pinball, q.Coverage = &loss, &share
		}
		out = append(out, q)
	}
	order := func(site string) int {
		return slices.IndexFunc(d.Sites, func(s district.Site) bool { return s.ID == site })
	}
	slices.SortFunc(out, func(a, b ForecastQuality) int {
		return cmp.Or(cmp.Compare(order(a.Site), order(b.Site)), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Quantity, b.Quantity), cmp.Compare(a.LeadMinutes, b.LeadMinutes))
	})
	return out
}
