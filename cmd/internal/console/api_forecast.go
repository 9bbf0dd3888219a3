package console

import (
	"cmp"
	"context"
	"slices"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// ForecastQuality is how good the forecasts of one quantity were at one lead over some days.
type ForecastQuality struct {
	Site          string   `json:"site" doc:"_: the district as a whole"`
	SiteName      string   `json:"site_name"`
	Quantity      string   `json:"quantity" enum:"load,sun,net" doc:"net: load less sun, of the district"`
	LeadMinutes   int      `json:"lead_minutes" doc:"from when it was forecast to the begin of the slot"`
	Slots         int64    `json:"slots" doc:"forecasts that were held against what was measured"`
	Replayed      int64    `json:"replayed" doc:"of those, the ones that were made afterwards from the record, of what was known at their time alone"`
	MAEKW         float64  `json:"mae_kw" doc:"mean absolute error"`
	PersistenceKW float64  `json:"persistence_mae_kw" doc:"that of similar days with the present deviation fading"`
	MeasuredKW    float64  `json:"measured_kw" doc:"mean of what was measured, without its sign"`
	PinballKW     *float64 `json:"pinball_kw" doc:"mean pinball loss of the 10th, 50th and 90th percentile; null before there was a band"`
	Coverage      *float64 `json:"coverage" doc:"share of the slots measured within the band that is to hold 80 %; null before there was a band"`
}

type forecastsInput struct {
	DistrictPath
	Days int `query:"days" minimum:"1" maximum:"400" default:"14"`
}

func (s *Server) forecastRoutes() {
	register(s, ViewerAccess, get("list-forecast-errors", "/api/districts/{district}/forecasts", "plans", "How wrong the forecasts of load and sun were, by site, quantity and lead; the district first"), s.listForecasts)
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
	return &struct{ Body []ForecastQuality }{qualities(d, rows)}, nil
}

// qualities sums rows by site, quantity and lead.
func qualities(d *district.District, rows []district.ForecastError) []ForecastQuality {
	type key struct {
		site, quantity string
		lead           int
	}
	sums, replayed := map[key]*district.ForecastError{}, map[key]int64{}
	for _, r := range rows {
		k := key{r.Site, r.Quantity, r.LeadMinutes}
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
		if e.Count == 0 || name == d.Name && k.site != district.DistrictSite { // a site that is no more
			continue
		}
		n := float64(e.Count)
		q := ForecastQuality{Site: k.site, SiteName: name, Quantity: k.quantity, LeadMinutes: k.lead, Slots: e.Count, Replayed: replayed[k], MAEKW: e.AbsoluteKW / n, PersistenceKW: e.PersistenceKW / n,
			MeasuredKW: e.MeasuredKW / n}
		if e.Banded > 0 {
			loss, share := e.PinballKW/float64(e.Banded), float64(e.Covered)/float64(e.Banded)
			q.PinballKW, q.Coverage = &loss, &share
		}
		out = append(out, q)
	}
	order := func(site string) int {
		return slices.IndexFunc(d.Sites, func(s district.Site) bool { return s.ID == site })
	}
	slices.SortFunc(out, func(a, b ForecastQuality) int {
		return cmp.Or(cmp.Compare(order(a.Site), order(b.Site)), cmp.Compare(a.Quantity, b.Quantity), cmp.Compare(a.LeadMinutes, b.LeadMinutes))
	})
	return out
}
