package console

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/cmd/internal/balances"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// BalanceView is the energy balance of a day, month or year.
type BalanceView struct {
	District string     `json:"district"`
	Site     string     `json:"site" doc:"_ for the district itself"`
	Period   string     `json:"period" enum:"day,month,year"`
	Start    time.Time  `json:"start"`
	End      time.Time  `json:"end"`
	Total    Totals     `json:"total"`
	Parts    []Totals   `json:"parts" doc:"hours of a day, days of a month, months of a year; those without rows have 0 slots"`
	First    *time.Time `json:"first" doc:"start of the district's first row"`
	Last     *time.Time `json:"last" doc:"end of the district's last row"`
}

type balanceInput struct {
	DistrictPath
	Period string `query:"period" enum:"day,month,year" default:"day"`
	Date   string `query:"date" pattern:"^[0-9]{4}-[0-9]{2}-[0-9]{2}$" doc:"a day in the period; today when absent"`
	Site   string `query:"site" default:"_" maxLength:"100"`
}

type exportInput struct {
	DistrictPath
	Series string    `query:"series" required:"true" maxLength:"4000" doc:"one or several site/device/quantity, separated by commas"`
	Start  time.Time `query:"start" required:"true"`
	End    time.Time `query:"end" required:"true"`
}

func (s *Server) balanceRoutes() {
	register(s, ViewerAccess, get("get-balance", "/api/districts/{district}/balance", "balance", "Energy balance of a day, month or year"), s.getBalance)
	s.statementRoutes()
	register(s, ViewerAccess, csvOperation("get-balance-csv", "/api/districts/{district}/balance.csv", "balance", "The balance rows of a day, month or year, slot by slot, as CSV"), s.getBalanceCSV)
	register(s, ViewerAccess, csvOperation("export-samples", "/api/districts/{district}/export.csv", "series", "The samples of series as they were measured, as CSV"), s.exportSamples)
	register(s, ViewerAccess, get("list-series", "/api/districts/{district}/series-names", "series", "The names of the recorded series"), s.listSeries)
}

func csvOperation(id, path, tag, summary string) huma.Operation {
	op := get(id, path, tag, summary)
	op.Responses = map[string]*huma.Response{"200": {Description: "CSV, UTF-8, header line, decimal points, times in UTC",
		Content: map[string]*huma.MediaType{"text/csv": {Schema: &huma.Schema{Type: huma.TypeString}}}}}
	return op
}

// periodOf returns the span of a balance input and the parts it is shown in.
func (s *Server) periodOf(d *district.District, period, date string) (timegrid.Span, []timegrid.Span, error) {
	at := s.deps.Now()
	if date != "" {
		day, err := timegrid.ParseDay(date, d.Zone)
		if err != nil {
			return timegrid.Span{}, nil, huma.Error422UnprocessableEntity(err.Error())
		}
		at = day.Start
	}
	var sp timegrid.Span
	var parts []timegrid.Span
	switch period {
	case "year":
		sp = timegrid.Year(at, d.Zone)
		for m := timegrid.Month(sp.Start, d.Zone); m.Start.Before(sp.End); m = timegrid.Month(m.End, d.Zone) {
			parts = append(parts, m)
		}
	case "month":
		sp = timegrid.Month(at, d.Zone)
		for day := range sp.Days(d.Zone) {
			parts = append(parts, day)
		}
	default:
		sp = timegrid.Day(at, d.Zone)
		for h := sp.Start; h.Before(sp.End); h = h.Add(time.Hour) {
			parts = append(parts, timegrid.Span{Start: h, End: h.Add(time.Hour)})
		}
	}
	return sp, parts, nil
}

// balanceSpan returns the district, the span and the parts that a balance is asked of.
func (s *Server) balanceSpan(in *balanceInput) (*district.District, timegrid.Span, []timegrid.Span, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, timegrid.Span{}, nil, err
	}
	if in.Site != district.DistrictSite && d.Site(in.Site) == nil {
		return nil, timegrid.Span{}, nil, huma.Error404NotFound(fmt.Sprintf("district %q has no site %q", d.ID, in.Site))
	}
	sp, parts, err := s.periodOf(d, in.Period, in.Date)
	return d, sp, parts, err
}

// partTotals returns the sums of the parts of a period: hours from slots, days and months from the sums of days.
func (s *Server) partTotals(ctx context.Context, d *district.District, site, period string, sp timegrid.Span, parts []timegrid.Span) ([]balance.Total, error) {
	out := make([]balance.Total, len(parts))
	if period == "month" || period == "year" {
		key := fmt.Sprintf("days/%s/%s/%d/%d", d.ID, site, sp.Start.Unix(), sp.End.Unix())
		days, err := cached(s.cache, key, 30*time.Second, func() ([]balance.Day, error) {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
			defer cancel()
			return balances.Days(ctx, s.deps.Store, d, site, sp)
		})
		i := 0 // days and parts are both in order of time
		for n, part := range parts {
			for ; i < len(days) && days[i].Start.Before(part.End); i++ {
				if e := days[i].Electric; e != nil {
					out[n].Merge(&e.Total)
				}
			}
		}
		return out, err
	}
	rows, err := s.rows(ctx, d.ID, site, sp)
	i := 0
	for n, part := range parts {
		for ; i < len(rows) && rows[i].Start.Before(part.End); i++ {
			out[n].Add(&rows[i])
		}
	}
	return out, err
}

func (s *Server) getBalance(ctx context.Context, in *balanceInput) (*struct{ Body BalanceView }, error) {
	d, sp, parts, err := s.balanceSpan(in)
	if err != nil {
		return nil, err
	}
	sums, err := s.partTotals(ctx, d, in.Site, in.Period, sp, parts)
	if err != nil {
		return nil, s.broken(ctx, "reading the balance", err)
	}
	now := s.deps.Now()
	out := BalanceView{District: d.ID, Site: in.Site, Period: in.Period, Start: sp.Start, End: sp.End, Parts: make([]Totals, 0, len(parts))}
	var total balance.Total
	for n, part := range parts {
		out.Parts = append(out.Parts, totals(&sums[n], part, d.Step, now))
		total.Merge(&sums[n])
	}
	out.Total = totals(&total, sp, d.Step, now)
	out.Total.StoredKWh = s.storedChange(ctx, d, in.Site, sp, &total)
	if known, err := s.deps.Store.BalanceSpan(ctx, d.ID); err == nil {
		out.First, out.Last = &known.Start, &known.End
	} else if !errors.Is(err, store.ErrNotFound) {
		return nil, s.broken(ctx, "reading the span of the balance", err)
	}
	return &struct{ Body BalanceView }{out}, nil
}

func attachment(ctx huma.Context, name string) io.Writer {
	ctx.SetHeader("Content-Type", "text/csv; charset=utf-8")
	ctx.SetHeader("Content-Disposition", fmt.Sprintf("attachment; filename=%q", name))
	ctx.SetStatus(http.StatusOK)
	return ctx.BodyWriter()
}

func (s *Server) getBalanceCSV(ctx context.Context, in *balanceInput) (*huma.StreamResponse, error) {
	d, sp, _, err := s.balanceSpan(in)
	if err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx, d.ID, in.Site, sp)
	if err != nil {
		return nil, s.broken(ctx, "reading the balance", err)
	}
	site := in.Site
	if site == district.DistrictSite {
		site = "district"
	}
	name := fmt.Sprintf("balance-%s-%s-%s-%s.csv", d.ID, site, in.Period, sp.Start.In(d.Zone).Format(time.DateOnly))
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		w := csv.NewWriter(attachment(hc, name))
		_ = w.Write(strings.Split("start,step_minutes,import_wh,export_wh,production_wh,charge_wh,discharge_wh,heat_wh,cars_wh,other_wh,residual_wh,shared_wh,station_residual_wh,"+
			"cost_eur,carbon_kg,baseline_cost_eur,baseline_carbon_kg,coverage,substituted,methods", ","))
		for i := range rows {
			r := &rows[i]
			_ = w.Write([]string{r.Start.UTC().Format(time.RFC3339), number(r.Step.Minutes()), strconv.FormatInt(int64(r.ImportWh), 10), strconv.FormatInt(int64(r.ExportWh), 10),
				strconv.FormatInt(int64(r.ProductionWh), 10), strconv.FormatInt(int64(r.ChargeWh), 10), strconv.FormatInt(int64(r.DischargeWh), 10),
				strconv.FormatInt(int64(r.HeatWh), 10), strconv.FormatInt(int64(r.CarsWh), 10), strconv.FormatInt(int64(r.OtherWh), 10),
				strconv.FormatInt(int64(r.ResidualWh), 10), strconv.FormatInt(int64(r.SharedWh), 10), strconv.FormatInt(int64(r.StationResidualWh), 10), number(r.CostEUR), number(r.CarbonKg),
				number(r.BaselineCostEUR), number(r.BaselineCarbonKg), number(r.Coverage), strconv.FormatBool(r.Substituted), r.Method.String()})
		}
		w.Flush() // a caller that went away ends the writing; there is nobody left to tell
	}}, nil
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func (s *Server) listSeries(ctx context.Context, in *DistrictPath) (*struct{ Body []string }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	ids, err := s.deps.Store.Series(ctx, d.ID+"/")
	if err != nil {
		return nil, s.broken(ctx, "listing series", err)
	}
	out := make([]string, len(ids))
	for i, id := range ids {
		out[i] = strings.TrimPrefix(string(id), d.ID+"/")
	}
	return &struct{ Body []string }{out}, nil
}

func (s *Server) exportSamples(ctx context.Context, in *exportInput) (*huma.StreamResponse, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	if !in.Start.Before(in.End) || in.End.Sub(in.Start) > 400*24*time.Hour {
		return nil, huma.Error422UnprocessableEntity("start must be before end, and 400 days at most apart")
	}
	var ids []district.SeriesID
	var errs []error
	for _, name := range strings.Split(in.Series, ",") {
		id := district.SeriesID(d.ID + "/" + strings.TrimSpace(name))
		if _, _, _, _, ok := id.Parts(); !ok {
			errs = append(errs, &huma.ErrorDetail{Message: "want site/device/quantity", Location: "query.series", Value: name})
			continue
		}
		ids = append(ids, id)
	}
	if len(ids) > 50 {
		errs = append(errs, &huma.ErrorDetail{Message: fmt.Sprintf("%d series, at most 50 at once", len(ids)), Location: "query.series"})
	}
	if len(errs) > 0 {
		return nil, huma.Error422UnprocessableEntity("the export has faults", errs...)
	}
	s.audit(ctx, who(ctx), "samples-exported", d.ID, in.Series, "info")
	name := fmt.Sprintf("samples-%s-%s.csv", d.ID, in.Start.In(d.Zone).Format(time.DateOnly))
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		w := csv.NewWriter(attachment(hc, name))
		_ = w.Write([]string{"series", "time", "value", "quality"})
		err := s.deps.Store.Read(hc.Context(), ids, timegrid.NewSpan(in.Start, in.End), func(v district.Sample) error {
			return w.Write([]string{strings.TrimPrefix(string(v.Series), d.ID+"/"), v.Time.UTC().Format(time.RFC3339Nano), number(v.Value), v.Quality.String()})
		})
		w.Flush()
		if err != nil && hc.Context().Err() == nil {
			s.log.Error("export broke off", "district", d.ID, "err", err)
			panic(http.ErrAbortHandler) // so that the caller sees a broken download and no short file
		}
	}}, nil
}
