package console

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/cmd/internal/balances"
	"quartier/schemas/balance/ped"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

type statementInput struct {
	DistrictPath
	From    string `query:"from" required:"true" maxLength:"40" doc:"local day of the district such as 2026-01-31, or an instant of RFC 3339"`
	To      string `query:"to" required:"true" maxLength:"40" doc:"day or instant before which to stop"`
	Step    string `query:"step" maxLength:"10" doc:"15m or another number of minutes, hour, day, month or year; by the length of the span when absent"`
	Site    string `query:"site" default:"_" maxLength:"100"`
	Profile string `query:"profile" maxLength:"1000" doc:"ids of calculation profiles, separated by commas; those of the district when absent"`
}

func (s *Server) statementRoutes() {
	register(s, ViewerAccess, get("get-statement", "/api/districts/{district}/balance/statement", "balance", "Energies by carrier and step, indicators, and the positive-energy balance by profile"), s.getStatement)
	register(s, ViewerAccess, get("list-profiles", "/api/districts/{district}/balance/profiles", "balance", "The calculation profiles of the positive-energy balance"), s.listProfiles)
}

func (s *Server) profiles(districtID string) []*ped.Profile {
	if s.deps.Profiles == nil {
		return nil
	}
	return s.deps.Profiles(districtID)
}

func (s *Server) listProfiles(_ context.Context, in *DistrictPath) (*struct{ Body []balances.Profile }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	out := []balances.Profile{}
	for _, p := range s.profiles(d.ID) {
		out = append(out, balances.Describe(p, d.Zone))
	}
	return &struct{ Body []balances.Profile }{out}, nil
}

// statementQuery reads what a statement is asked for; every fault of it is told.
func (s *Server) statementQuery(d *district.District, in *statementInput) (balances.Query, error) {
	q := balances.Query{District: d, Site: in.Site, Now: s.deps.Now()}
	var errs []error
	fault := func(where, value, text string) {
		errs = append(errs, &huma.ErrorDetail{Message: text, Location: "query." + where, Value: value})
	}
	moment := func(where, text string) time.Time {
		if t, err := time.Parse(time.RFC3339, text); err == nil {
			return t.UTC()
		}
		day, err := timegrid.ParseDay(text, d.Zone)
		if err != nil {
			fault(where, text, "want a day such as 2026-01-31 or an instant such as 2026-01-31T12:00:00Z")
		}
		return day.Start
	}
	from, to := moment("from", in.From), moment("to", in.To)
	if len(errs) == 0 {
		switch {
		case !from.Before(to) || to.Sub(from) > 10*366*24*time.Hour:
			fault("to", in.To, "must be after from, by ten years at most")
		case timegrid.Floor(from, d.Step) != from || timegrid.Floor(to, d.Step) != to:
			fault("from", in.From, fmt.Sprintf("from and to must lie on the metering step of %g min", d.Step.Minutes()))
		default:
			q.Span = timegrid.NewSpan(from, to)
		}
	}
	var err error
	if q.Step = balances.DefaultStep(q.Span); in.Step != "" {
		if q.Step, err = balances.ParseStep(in.Step, d.Step); err != nil {
			fault("step", in.Step, err.Error())
		}
	}
	if n := q.Span.Duration() / d.Step; len(errs) == 0 && n > 40_000 && (in.Step == "hour" || strings.HasSuffix(in.Step, "m")) {
		fault("step", in.Step, "is too fine for the span: at most a year by the hour")
	}
	known := s.profiles(d.ID)
	if q.Profiles = known; in.Profile != "" {
		q.Profiles = nil
		for _, id := range strings.Split(in.Profile, ",") {
			found := false
			for _, p := range known {
				if p.ID == strings.TrimSpace(id) {
					q.Profiles, found = append(q.Profiles, p), true
				}
			}
			if !found {
				fault("profile", id, "the district has no such calculation profile")
			}
		}
	}
	if len(errs) > 0 {
		return q, huma.Error422UnprocessableEntity("the statement cannot be made", errs...)
	}
	return q, nil
}

func (s *Server) getStatement(ctx context.Context, in *statementInput) (*struct{ Body balances.Statement }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	if in.Site != district.DistrictSite && d.Site(in.Site) == nil {
		return nil, huma.Error404NotFound(fmt.Sprintf("district %q has no site %q", d.ID, in.Site))
	}
	q, err := s.statementQuery(d, in)
	if err != nil {
		return nil, err
	}
	key := fmt.Sprintf("statement/%s/%s/%d/%d/%s/%s", d.ID, in.Site, q.Span.Start.Unix(), q.Span.End.Unix(), q.Step, in.Profile)
	out, err := cached(s.cache, key, time.Minute, func() (*balances.Statement, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		return balances.Make(ctx, s.deps.Store, q)
	})
	if err != nil {
		return nil, s.broken(ctx, "making the statement", err)
	}
	return &struct{ Body balances.Statement }{*out}, nil
}
