package console

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/sharing"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// MemberInfo describes a member of a district.
type MemberInfo struct {
	ID               string     `json:"id"`
	Name             string     `json:"name"`
	Site             string     `json:"site"`
	SiteName         string     `json:"site_name"`
	DeliveryPoint    string     `json:"delivery_point"`
	Language         string     `json:"language"`
	ShareOfSite      float64    `json:"share_of_site" doc:"the member's share of the site's consumption, where one meter serves several"`
	ConsentLoadCurve bool       `json:"consent_load_curve" doc:"agreed to keeping and showing the load curve"`
	ConsentReport    bool       `json:"consent_report" doc:"agreed to the monthly report"`
	ConsentSince     *time.Time `json:"consent_since"`
}

// MemberEnergy is a member's consumption by where it came from.
type MemberEnergy struct {
	Start          time.Time `json:"start"`
	ConsumptionKWh float64   `json:"consumption_kwh"`
	OwnKWh         float64   `json:"own_kwh" doc:"from the site's own roof or battery"`
	SharedKWh      float64   `json:"shared_kwh" doc:"from the other roofs of the district"`
	GridKWh        float64   `json:"grid_kwh" doc:"from the public grid"`
}

// MemberView is a member's month.
type MemberView struct {
	Member   MemberInfo     `json:"member"`
	District string         `json:"district"`
	Name     string         `json:"name" doc:"of the district"`
	TimeZone string         `json:"time_zone"`
	Month    string         `json:"month"`
	Months   []string       `json:"months" doc:"that have data, newest first"`
	Complete bool           `json:"complete" doc:"the month is over"`
	Total    MemberEnergy   `json:"total"`
	Days     []MemberEnergy `json:"days" doc:"empty without consent to the load curve"`
	Shared   Totals         `json:"district_total" doc:"of the whole district in the month"`
	Reports  bool           `json:"reports" doc:"the monthly report can be downloaded"`
	Bill     *MemberBill    `json:"bill" doc:"what shared energy changed on the bill of a month that is over; null where none is shared on bills, or a price is not known"`
	// Avoided is no bill effect and is not added to one.
	Avoided *Comparison `json:"energy_avoided" doc:"estimate against a baseline of twelve months, of a month that is over; null without one"`
}

// MemberPath names a member.
type MemberPath struct {
	District string `path:"district" maxLength:"100"`
	Member   string `path:"member" maxLength:"100"`
}

type memberInput struct {
	MemberPath
	Month string `query:"month" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"such as 2026-01; the present month when absent"`
}

type reportInput struct {
	MemberPath
	Month    string `query:"month" required:"true" pattern:"^[0-9]{4}-[0-9]{2}$"`
	Format   string `query:"format" enum:"html,pdf" default:"pdf"`
	Language string `query:"language" enum:"fr,en" default:"fr"`
}

func (s *Server) memberRoutes() {
	register(s, OperatorAccess, get("list-members", "/api/districts/{district}/members", "members", "The members of a district"), s.listMembers)
	register(s, MemberAccess, get("get-member", "/api/districts/{district}/members/{member}", "members", "A member's month"), s.getMember)
	register(s, OperatorAccess, get("get-sharing", "/api/districts/{district}/sharing", "members", "Who got what: every member's month by where it came from"), s.getSharing)
	register(s, OperatorAccess, csvOperation("get-sharing-csv", "/api/districts/{district}/sharing.csv", "members", "Who got what, as CSV"), s.getSharingCSV)
	report := get("get-report", "/api/districts/{district}/members/{member}/report", "members", "A member's monthly report as page or PDF")
	report.Errors = []int{http.StatusNotFound}
	binary := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}
	report.Responses = map[string]*huma.Response{"200": {Description: "the report", Content: map[string]*huma.MediaType{"application/pdf": binary, "text/html": binary}}}
	register(s, MemberAccess, report, s.getReport)
}

func describeMember(d *district.District, m *district.Member) MemberInfo {
	info := MemberInfo{ID: m.ID, Name: m.Name, Site: m.Site, SiteName: objectName(d, d.ID+"/"+m.Site), DeliveryPoint: m.DeliveryPoint, Language: m.Language,
		ShareOfSite: m.ShareOfSite, ConsentLoadCurve: m.Consent.LoadCurve, ConsentReport: m.Consent.Report}
	if !m.Consent.Since.IsZero() {
		since := m.Consent.Since
		info.ConsentSince = &since
	}
	return info
}

func (s *Server) listMembers(_ context.Context, in *DistrictPath) (*struct{ Body []MemberInfo }, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, err
	}
	out := make([]MemberInfo, len(d.Members))
	for i := range d.Members {
		out[i] = describeMember(d, &d.Members[i])
	}
	return &struct{ Body []MemberInfo }{out}, nil
}

func (s *Server) member(districtID, member string) (*district.District, *district.Member, error) {
	d, err := s.district(districtID)
	if err != nil {
		return nil, nil, err
	}
	m := d.Member(member)
	if m == nil {
		return nil, nil, huma.Error404NotFound(fmt.Sprintf("district %q has no member %q", d.ID, member))
	}
	return d, m, nil
}

// energy says a part of a span in kWh.
func energy(p sharing.Part, start time.Time) MemberEnergy {
	return MemberEnergy{Start: start, ConsumptionKWh: p.Total().KWh(), OwnKWh: p.Own.KWh(), SharedKWh: p.Shared.KWh(), GridKWh: p.Grid.KWh()}
}

// monthOf returns a month such as 2026-01 of a district, the present one for "".
func monthOf(d *district.District, month string, now time.Time) (timegrid.Span, error) {
	if month == "" {
		return timegrid.Month(now, d.Zone), nil
	}
	sp, err := timegrid.ParseMonth(month, d.Zone)
	if err != nil {
		return sp, huma.Error422UnprocessableEntity(err.Error())
	}
	return sp, nil
}

// months lists the months of a district that have data, newest first.
func (s *Server) months(ctx context.Context, d *district.District) ([]string, error) {
	out := []string{}
	known, err := s.deps.Store.BalanceSpan(ctx, d.ID)
	if errors.Is(err, store.ErrNotFound) {
		return out, nil
	} else if err != nil {
		return nil, s.broken(ctx, "reading the span of the balance", err)
	}
	for sp := timegrid.Month(known.End.Add(-time.Nanosecond), d.Zone); sp.End.After(known.Start); sp = timegrid.Month(sp.Start.Add(-time.Nanosecond), d.Zone) {
		out = append(out, sp.Start.In(d.Zone).Format("2006-01"))
	}
	return out, nil
}

// parts returns a member's part of each of its site's rows, as the report counts it.
func (s *Server) parts(d *district.District, m *district.Member, rows, whole []balance.Row) ([]sharing.Part, error) {
	if s.deps.Reports != nil {
		return s.deps.Reports.Parts(d.ID, m, rows, whole)
	}
	return sharing.Parts(rows, m.ShareOfSite), nil
}

func (s *Server) getMember(ctx context.Context, in *memberInput) (*struct{ Body MemberView }, error) {
	d, m, err := s.member(in.District, in.Member)
	if err != nil {
		return nil, err
	}
	now := s.deps.Now().UTC()
	month, err := monthOf(d, in.Month, now)
	if err != nil {
		return nil, err
	}
	out := MemberView{Member: describeMember(d, m), District: d.ID, Name: d.Name, TimeZone: d.Zone.String(), Month: month.Start.In(d.Zone).Format("2006-01"),
		Complete: !now.Before(month.End), Days: []MemberEnergy{}, Reports: s.deps.Reports != nil}
	if out.Months, err = s.months(ctx, d); err != nil {
		return nil, err
	}
	rows, err := s.rows(ctx, d.ID, m.Site, month)
	if err != nil {
		return nil, s.broken(ctx, "reading the site's balance", err)
	}
	all, err := s.rows(ctx, d.ID, district.DistrictSite, month)
	if err != nil {
		return nil, s.broken(ctx, "reading the district's balance", err)
	}
	parts, err := s.parts(d, m, rows, all)
	if err != nil {
		return nil, s.broken(ctx, "sharing out a member's month", err)
	}
	var total sharing.Part
	i := 0
	for day := range month.Days(d.Zone) {
		var sum sharing.Part
		first := i
		for ; i < len(rows) && rows[i].Start.Before(day.End); i++ {
			sum.Add(parts[i])
		}
		total.Add(sum)
		if m.Consent.LoadCurve && i > first {
			out.Days = append(out.Days, energy(sum, day.Start))
		}
	}
	out.Total = energy(total, month.Start)
	whole := balance.Sum(all)
	out.Shared = totals(&whole, month, d.Step, now)
	if s.deps.Reports != nil && out.Complete && len(rows) > 0 {
		if out.Bill, err = s.deps.Reports.Bill(d.ID, m, month, rows, all); err != nil {
			s.log.WarnContext(ctx, "no bill on a member's page", "member", d.ID+"/"+m.ID, "month", out.Month, "err", err)
		}
		if out.Avoided, err = s.deps.Reports.Comparison(ctx, d.ID, m.ID, out.Month); err != nil {
			return nil, s.broken(ctx, "comparing a member with its baseline", err)
		}
	}
	return &struct{ Body MemberView }{out}, nil
}

func (s *Server) getReport(ctx context.Context, in *reportInput) (*huma.StreamResponse, error) {
	d, m, err := s.member(in.District, in.Member)
	if err != nil {
		return nil, err
	}
	if s.deps.Reports == nil {
		return nil, huma.Error404NotFound("this Quartier makes no reports")
	}
	if !m.Consent.Report {
		return nil, huma.Error404NotFound("the member did not agree to a monthly report")
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	doc, err := s.deps.Reports.Report(ctx, d.ID, m.ID, in.Month, in.Format, in.Language)
	if errors.Is(err, store.ErrNotFound) {
		return nil, huma.Error404NotFound("there is no report for " + in.Month + ": the month has no data")
	} else if err != nil {
		return nil, s.broken(ctx, "making the report", err)
	}
	p := who(ctx)
	s.audit(ctx, p, "report-downloaded", d.ID+"/"+m.ID, in.Month+" "+in.Format, "info")
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		if in.Format == "pdf" {
			hc.SetHeader("Content-Type", "application/pdf")
			hc.SetHeader("Content-Disposition", fmt.Sprintf("inline; filename=%q", fmt.Sprintf("quartier-%s-%s.pdf", m.ID, in.Month)))
		} else {
			hc.SetHeader("Content-Type", "text/html; charset=utf-8")
			// The report is one self-contained document with its own styles and no scripts: it may have these, and nothing else.
			hc.SetHeader("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'none'; sandbox")
		}
		hc.SetStatus(http.StatusOK)
		_, _ = hc.BodyWriter().Write(doc) // a caller that went away needs no answer
	}}, nil
}
