// Package balances makes the statement of a district's balance from the record: energies by carrier and step, indicators, and the positive-energy balance by profile. The command line and the
// console's API give the same one.
package balances

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/balance/kpi"
	"quartier/schemas/balance/ped"
	"quartier/schemas/balance/why"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// Store is the part of the record that statements are made from.
type Store interface {
	Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error)
	Carriers(ctx context.Context, districtID, site string, carrier balance.Carrier, sp timegrid.Span) ([]balance.CarrierRow, error)
	BalanceDays(ctx context.Context, districtID, site string, sp timegrid.Span, zone *time.Location) ([]balance.Day, error)
	BalanceSpan(ctx context.Context, districtID string) (timegrid.Span, error)
	store.Observed
	ObservedDays(ctx context.Context, o store.Observation, sp timegrid.Span, zone *time.Location) ([][]byte, error)
	Figures(ctx context.Context, districtID string, sp timegrid.Span, kinds ...string) ([]ledger.Figure, error)
}

// Query is what a statement is asked for.
type Query struct {
	District *district.District
	Site     string // "_": the district itself
	Span     timegrid.Span
	Step     Step
	Profiles []*ped.Profile // of the positive-energy balance, side by side; none: no such balance
	Now      time.Time
}

// Statement is the balance of a district or a site over a span.
type Statement struct {
	District    string     `json:"district"`
	Site        string     `json:"site" doc:"_ for the district itself"`
	Zone        string     `json:"time_zone"`
	From        time.Time  `json:"from"`
	To          time.Time  `json:"to"`
	Step        string     `json:"step"`
	StepMinutes float64    `json:"metering_step_minutes"`
	Rows        []Line     `json:"rows" doc:"by start, then carrier"`
	Total       []Line     `json:"total" doc:"of the whole span, by carrier"`
	KPIs        []KPI      `json:"kpis"`
	PED         []PED      `json:"ped" doc:"the positive-energy balance, by each profile"`
	First       *time.Time `json:"first" doc:"start of the district's first row"`
	Last        *time.Time `json:"last" doc:"end of the district's last row"`
}

// Line is the energy of one carrier over a step. Delivered + generated + converted + discharge + residual = exported + charge + consumed.
type Line struct {
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Carrier     string    `json:"carrier"`
	DeliveredWh int64     `json:"delivered_wh" doc:"through the boundary, netted in each metering step"`
	ExportedWh  int64     `json:"exported_wh"`
	GeneratedWh int64     `json:"generated_wh" doc:"on the spot, from sun, ground or air"`
	ConvertedWh int64     `json:"converted_wh" doc:"on the spot, out of another carrier"`
	ChargeWh    int64     `json:"charge_wh" doc:"into storage"`
	DischargeWh int64     `json:"discharge_wh" doc:"out of storage"`
	ConsumedWh  int64     `json:"consumed_wh"`
	ResidualWh  int64     `json:"residual_wh" doc:"what the meters do not explain"`
	CostEUR     *float64  `json:"cost_eur,omitempty" doc:"of electricity: of import, less the revenue of export"`
	CarbonKg    *float64  `json:"carbon_kg,omitempty" doc:"of electricity: of import, by the intensity of the slot"`
	Coverage    float64   `json:"coverage" doc:"share of the step that was measured"`
	Slots       int       `json:"slots" doc:"metering steps that are there"`
	Substituted int       `json:"substituted" doc:"of these, with an estimate"`
	Methods     string    `json:"methods" doc:"how estimates were made: interpolated, similar_days, estimate, missing, joined by +"`
}

// KPI is an indicator of the span.
type KPI struct {
	ID       string   `json:"id"`
	Version  int      `json:"version" doc:"of the formula"`
	NameEN   string   `json:"name_en"`
	NameFR   string   `json:"name_fr"`
	Value    *float64 `json:"value"`
	Reason   string   `json:"reason,omitempty" doc:"why there is no value, in English"`
	ReasonFR string   `json:"reason_fr,omitempty" doc:"the same in French"`
	Code     string   `json:"reason_code,omitempty" doc:"the same as a code"`
	Unit     string   `json:"unit"`
	Formula  string   `json:"formula"`
	Inputs   []string `json:"inputs"`
	Note     string   `json:"note,omitempty"`
	Boundary string   `json:"boundary"`
	Coverage float64  `json:"coverage" doc:"share of what the indicator needs of the span that was measured"`
}

// Make reads the record and returns the statement.
func Make(ctx context.Context, st Store, q Query) (*Statement, error) {
	d := q.District
	out := &Statement{District: d.ID, Site: q.Site, Zone: d.Zone.String(), From: q.Span.Start, To: q.Span.End, Step: q.Step.String(), StepMinutes: d.Step.Minutes(), Rows: []Line{}, Total: []Line{}, PED: []PED{}}
	known, err := st.BalanceSpan(ctx, d.ID)
	switch {
	case err == nil:
		out.First, out.Last = &known.Start, &known.End
	case !errors.Is(err, store.ErrNotFound):
		return nil, fmt.Errorf("balances: span of %s: %w", d.ID, err)
	}
	days, err := out.fill(ctx, st, q, within(q.Span, known, d.Zone))
	if err != nil {
		return nil, err
	}
	in := kpi.Input{Boundary: boundaryName(q.Site), Period: q.Span, Step: d.Step, Days: days, ConnectionKW: d.ImportLimitKW, Zone: d.Zone}
	if s := d.Site(q.Site); s != nil {
		in.ConnectionKW = s.ImportLimitKW
	}
	if in.Observed, err = observe(ctx, st, q, within(q.Span, known, d.Zone)); err != nil {
		return nil, err
	}
	if q.Site == district.DistrictSite {
		if in.Published, err = published(ctx, st, q); err != nil {
			return nil, err
		}
	}
	for _, v := range kpi.Compute(in) {
		k := KPI{ID: v.ID, Version: v.Version, NameEN: v.NameEN, NameFR: v.NameFR, Value: v.Value, Unit: v.Unit, Formula: v.Formula, Inputs: v.Inputs, Note: v.Note,
			Boundary: v.Boundary, Coverage: v.Coverage}
		k.Reason, k.ReasonFR, k.Code = spoken(why.Of(v.Reason))
		out.KPIs = append(out.KPIs, k)
	}
	if q.Site != district.DistrictSite || len(q.Profiles) == 0 || out.Last == nil {
		return out, nil
	}
	out.PED, err = positive(ctx, st, q, known)
	return out, err
}

// within returns the part of a span that lies in the civil days from the first that a record knows to the last: nothing is looked for in others, as long as any is known.
func within(sp, known timegrid.Span, zone *time.Location) timegrid.Span {
	if !known.Start.Before(known.End) {
		return sp
	}
	return sp.Overlap(timegrid.Span{Start: timegrid.Day(known.Start, zone).Start, End: timegrid.Day(known.End.Add(-1), zone).End})
}

// published returns the newest versions of the figures of closed months that indicators need. One that was altered in the record does not count.
func published(ctx context.Context, st Store, q Query) ([]kpi.Published, error) {
	all, err := st.Figures(ctx, q.District.ID, q.Span, kpi.PeakImport, kpi.PeakUncontrolled, kpi.PeakByRules)
	if err != nil {
		return nil, fmt.Errorf("balances: published figures of %s: %w", q.District.ID, err)
	}
	out := []kpi.Published{}
	for _, f := range ledger.Latest(all) {
		if f.Subject == q.Site && f.Intact() {
			out = append(out, kpi.Published{Kind: f.Kind, Period: f.Period, Value: f.Value})
		}
	}
	return out, nil
}

func boundaryName(site string) string {
	if site == district.DistrictSite {
		return "district"
	}
	return site
}

// bucket gathers the rows of one carrier in a step.
type bucket struct {
	carrier  balance.Carrier
	sum      balance.CarrierRow
	cost     float64
	carbon   float64
	electric bool
	covered  float64 // hours
	slots    int
	estimate int
}

func (b *bucket) add(r *balance.CarrierRow) {
	b.sum.Add(r)
	b.covered += r.Coverage * r.Step.Hours()
	b.slots++
	if r.Substituted() {
		b.estimate++
	}
}

func (b *bucket) addDay(d *balance.Day) {
	b.sum.Add(&d.CarrierRow)
	b.covered += d.CoveredHours
	b.slots += d.Slots
	b.estimate += d.Estimated
	if e := d.Electric; e != nil {
		b.electric, b.cost, b.carbon = true, b.cost+e.Total.CostEUR, b.carbon+e.Total.CarbonKg
	}
}

func (b *bucket) line(sp timegrid.Span) Line {
	l := Line{Start: sp.Start, End: sp.End, Carrier: string(b.carrier), DeliveredWh: int64(b.sum.DeliveredWh), ExportedWh: int64(b.sum.ExportedWh), GeneratedWh: int64(b.sum.GeneratedWh), ConvertedWh: int64(b.sum.ConvertedWh),
		ChargeWh: int64(b.sum.ChargeWh), DischargeWh: int64(b.sum.DischargeWh), ConsumedWh: int64(b.sum.ConsumedWh), ResidualWh: int64(b.sum.ResidualWh),
		Coverage: b.covered / sp.Duration().Hours(), Slots: b.slots, Substituted: b.estimate, Methods: b.sum.Method.String()}
	if b.electric {
		l.CostEUR, l.CarbonKg = &b.cost, &b.carbon
	}
	return l
}

// buckets are what is gathered of each carrier.
type buckets map[balance.Carrier]*bucket

func (in buckets) of(c balance.Carrier) *bucket {
	if in[c] == nil {
		in[c] = &bucket{carrier: c}
	}
	return in[c]
}

func (in buckets) lines(sp timegrid.Span) []Line {
	out := []Line{}
	for _, c := range carriersOf(in) {
		out = append(out, in[c].line(sp))
	}
	return out
}

// fill reads what the span holds, sums it by step and carrier, and returns it by day.
func (s *Statement) fill(ctx context.Context, st Store, q Query, read timegrid.Span) ([]balance.Day, error) {
	d := q.District
	days, err := s.fillSteps(ctx, st, q, read)
	if err != nil {
		return nil, fmt.Errorf("balances: rows of %s: %w", d.ID, err)
	}
	total := buckets{}
	for i := range days {
		total.of(days[i].Carrier).addDay(&days[i])
	}
	s.Total = total.lines(q.Span)
	return days, nil
}

func (s *Statement) fillSteps(ctx context.Context, st Store, q Query, read timegrid.Span) ([]balance.Day, error) {
	d := q.District
	if q.Step.minutes == 0 {
		days, err := Days(ctx, st, d, q.Site, read)
		i := 0
		for sp := range q.Step.Spans(q.Span, d.Zone) {
			part := buckets{}
			for ; i < len(days) && days[i].Start.Before(sp.End); i++ {
				part.of(days[i].Carrier).addDay(&days[i])
			}
			s.Rows = append(s.Rows, part.lines(sp)...)
		}
		return days, err
	}
	rows, err := st.Balances(ctx, d.ID, q.Site, q.Span)
	if err != nil {
		return nil, err
	}
	others, err := st.Carriers(ctx, d.ID, q.Site, "", q.Span)
	if err != nil {
		return nil, err
	}
	i, k := 0, 0
	for sp := range q.Step.Spans(q.Span, d.Zone) {
		part := buckets{}
		for ; i < len(rows) && rows[i].Start.Before(sp.End); i++ {
			r, b := rows[i].Electric(), part.of(balance.Electricity)
			b.add(&r)
			b.electric, b.cost, b.carbon = true, b.cost+rows[i].CostEUR, b.carbon+rows[i].CarbonKg
		}
		for ; k < len(others) && others[k].Start.Before(sp.End); k++ {
			part.of(others[k].Carrier).add(&others[k])
		}
		s.Rows = append(s.Rows, part.lines(sp)...)
	}
	return balance.Days(rows, others, d.Zone), nil
}

// carriersOf returns the carriers in the order in which tables show them.
func carriersOf(m buckets) []balance.Carrier {
	var out []balance.Carrier
	for _, c := range balance.Carriers() {
		if m[c] != nil {
			out = append(out, c)
		}
	}
	n := len(out)
	for c := range m {
		if !slices.Contains(out[:n], c) {
			out = append(out, c)
		}
	}
	slices.Sort(out[n:])
	return out
}
