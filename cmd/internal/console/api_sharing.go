package console

import (
	"context"
	"encoding/csv"
	"fmt"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/sharing"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// MemberShare is what one member got in a month. Sums of a month are what energy is billed by, and need no consent to the load curve.
type MemberShare struct {
	Member     MemberInfo   `json:"member"`
	Energy     MemberEnergy `json:"energy"`
	Share      *float64     `json:"share" doc:"of what all members consumed; null when nobody did"`
	UnusedKWh  *float64     `json:"unused_kwh" doc:"of the member's fixed share of the shared production, what stayed unused while other members drew from the grid; null where no static key shares it"`
	LocalShare *float64     `json:"local_share" doc:"of the member's consumption that came from the roofs of the site and of the district; null without consumption"`
}

// SharingView is what every member of a district got in a month.
type SharingView struct {
	District string        `json:"district"`
	Month    string        `json:"month"`
	Months   []string      `json:"months" doc:"that have data, newest first"`
	Complete bool          `json:"complete" doc:"the month is over"`
	Members  []MemberShare `json:"members"`
	Total    MemberShare   `json:"total" doc:"of all members; its member is empty"`
}

type sharingInput struct {
	DistrictPath
	Month string `query:"month" pattern:"^[0-9]{4}-[0-9]{2}$" doc:"such as 2026-01; the present month when absent"`
}

// memberShare says a part of a month; whole is what all members consumed.
func memberShare(info MemberInfo, p, whole sharing.Part, start time.Time) MemberShare {
	out := MemberShare{Member: info, Energy: energy(p, start)}
	if t := whole.Total(); t > 0 {
		out.Share = share(float64(p.Total()) / float64(t))
	}
	if t := p.Total(); t > 0 {
		out.LocalShare = share(float64(p.Own+p.Shared) / float64(t))
	}
	return out
}

// sharing returns what every member got in a month; the sums are exact in watt-hours.
func (s *Server) sharing(ctx context.Context, in *sharingInput) (*district.District, *SharingView, error) {
	d, err := s.district(in.District)
	if err != nil {
		return nil, nil, err
	}
	now := s.deps.Now().UTC()
	month, err := monthOf(d, in.Month, now)
	if err != nil {
		return nil, nil, err
	}
	out := &SharingView{District: d.ID, Month: month.Start.In(d.Zone).Format("2006-01"), Complete: !now.Before(month.End), Members: make([]MemberShare, len(d.Members))}
	if out.Months, err = s.months(ctx, d); err != nil {
		return nil, nil, err
	}
	got, err := s.monthParts(ctx, d, month)
	if err != nil {
		return nil, nil, err
	}
	for i := range d.Members {
		out.Members[i] = memberShare(describeMember(d, &d.Members[i]), got.sums[i], got.total, month.Start)
	}
	out.Total = memberShare(MemberInfo{}, got.total, got.total, month.Start)
	if got.unused != nil {
		sum := units.WattHours(0)
		for i, wh := range got.unused {
			kwh := wh.KWh()
			out.Members[i].UnusedKWh = &kwh
			sum += wh
		}
		kwh := sum.KWh()
		out.Total.UnusedKWh = &kwh
	}
	return d, out, nil
}

// memberParts is what members of a district got in a span, in their order.
type memberParts struct {
	sums   []sharing.Part
	total  sharing.Part
	unused []units.WattHours // of a static key; nil without one
}

// monthParts returns what the members of a district got in a span.
func (s *Server) monthParts(ctx context.Context, d *district.District, month timegrid.Span) (out memberParts, err error) {
	whole, err := s.rows(ctx, d.ID, district.DistrictSite, month)
	if err != nil {
		return out, s.broken(ctx, "reading the district's balance", err)
	}
	var shares []float64
	if s.deps.Reports != nil {
		shares = s.deps.Reports.Shares(d.ID)
	}
	out.sums = make([]sharing.Part, len(d.Members))
	steps := map[time.Time][]sharing.Part{} // by member, for the static key
	for i := range d.Members {
		m := &d.Members[i]
		rows, err := s.rows(ctx, d.ID, m.Site, month)
		if err != nil {
			return out, s.broken(ctx, "reading the balance of "+m.Site, err)
		}
		parts, err := s.parts(d, m, rows, whole)
		if err != nil {
			return out, s.broken(ctx, "sharing out the month of "+m.ID, err)
		}
		for k, p := range parts {
			out.sums[i].Add(p)
			if shares == nil {
				continue
			}
			if steps[rows[k].Start] == nil {
				steps[rows[k].Start] = make([]sharing.Part, len(d.Members))
			}
			steps[rows[k].Start][i] = p
		}
		out.total.Add(out.sums[i])
	}
	if shares != nil {
		out.unused, err = unused(whole, steps, shares)
	}
	return out, err
}

// unused sums what stayed unused of each member's fixed share while others drew from the grid.
func unused(whole []balance.Row, steps map[time.Time][]sharing.Part, shares []float64) ([]units.WattHours, error) {
	out := make([]units.WattHours, len(shares))
	given, drawn, due := make([]units.WattHours, len(shares)), make([]units.WattHours, len(shares)), make([]units.WattHours, len(shares))
	produced := make([]units.WattHours, len(whole))
	for k, row := range whole {
		produced[k] = max(0, row.ExportWh+row.SharedWh)
	}
	entitled, err := sharing.Entitled(produced, shares)
	if err != nil {
		return nil, fmt.Errorf("console: %w", err)
	}
	for k, row := range whole {
		parts := steps[row.Start]
		if parts == nil {
			continue
		}
		for i, p := range parts {
			given[i], drawn[i], due[i] = p.Shared, p.Grid, entitled[i][k]
		}
		for i, wh := range sharing.Unused(due, given, drawn) {
			out[i] += wh
		}
	}
	return out, nil
}

func (s *Server) getSharing(ctx context.Context, in *sharingInput) (*struct{ Body SharingView }, error) {
	_, out, err := s.sharing(ctx, in)
	if err != nil {
		return nil, err
	}
	return &struct{ Body SharingView }{*out}, nil
}

func (s *Server) getSharingCSV(ctx context.Context, in *sharingInput) (*huma.StreamResponse, error) {
	d, out, err := s.sharing(ctx, in)
	if err != nil {
		return nil, err
	}
	s.audit(ctx, who(ctx), "members-exported", d.ID, out.Month, "info")
	return &huma.StreamResponse{Body: func(hc huma.Context) {
		w := csv.NewWriter(attachment(hc, fmt.Sprintf("members-%s-%s.csv", d.ID, out.Month)))
		_ = w.Write([]string{"month", "member", "name", "site", "delivery_point", "consumption_kwh", "own_kwh", "shared_kwh", "grid_kwh", "share", "local_share", "unused_kwh"})
		for _, m := range out.Members {
			_ = w.Write([]string{out.Month, m.Member.ID, m.Member.Name, m.Member.Site, m.Member.DeliveryPoint, number(m.Energy.ConsumptionKWh), number(m.Energy.OwnKWh),
				number(m.Energy.SharedKWh), number(m.Energy.GridKWh), optional(m.Share), optional(m.LocalShare), optional(m.UnusedKWh)})
		}
		w.Flush() // a caller that went away ends the writing; there is nobody left to tell
	}}, nil
}

// optional is a number of a CSV file, empty without one.
func optional(v *float64) string {
	if v == nil {
		return ""
	}
	return number(*v)
}
