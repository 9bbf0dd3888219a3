package app

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/cmd/internal/report"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/savings"
	"quartier/schemas/sharing"
	"quartier/schemas/sharing/bill"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/tariff"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Reporter makes members' monthly reports from the record.
type Reporter struct {
	cfg   *config.Config
	store records
	now   func() time.Time
	last  entitlements
}

// entitlements remembers the last ones: all members of a district are asked about one after the other, and share what the district fed.
type entitlements struct {
	mu       sync.Mutex
	produced []units.WattHours
	shares   []float64
	of       [][]units.WattHours // by member and step
}

func (e *entitlements) get(produced []units.WattHours, shares []float64) ([][]units.WattHours, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if slices.Equal(e.produced, produced) && slices.Equal(e.shares, shares) {
		return e.of, nil
	}
	of, err := sharing.Entitled(produced, shares)
	if err != nil {
		return nil, err
	}
	e.produced, e.shares, e.of = produced, shares, of
	return of, nil
}

// records is what reports are made from.
type records interface {
	Balances(ctx context.Context, districtID, site string, sp timegrid.Span) ([]balance.Row, error)
	BalanceSpan(ctx context.Context, districtID string) (timegrid.Span, error)
	Rollup(ctx context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error
}

// NewReporter returns the reporter of a configuration.
func NewReporter(cfg *config.Config, st records, now func() time.Time) *Reporter {
	return &Reporter{cfg: cfg, store: st, now: now}
}

// NewSerialReporter returns a reporter for one goroutine that makes the reports of many members, those of a site one after the other: it remembers what it has read of the last site and district, and does not see what
// is written meanwhile.
func NewSerialReporter(cfg *config.Config, st records, now func() time.Time) *Reporter {
	return NewReporter(cfg, &recalled{records: st}, now)
}

// Report renders a member's report of a month ("2026-01") as "html" or "pdf" in "fr" or "en"; the member's language when empty. The error wraps [store.ErrNotFound] when the
// district, the member or the month's data is not there.
func (r *Reporter) Report(ctx context.Context, districtID, memberID, month, format, language string) ([]byte, error) {
	d := r.district(districtID)
	if d == nil || d.Member(memberID) == nil {
		return nil, fmt.Errorf("app: report of %s/%s: %w", districtID, memberID, store.ErrNotFound)
	}
	sp, err := timegrid.ParseMonth(month, d.Zone)
	if err != nil {
		return nil, err
	}
	data, err := r.Data(ctx, d, d.Member(memberID), sp, language)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	switch format {
	case "html":
		err = report.RenderHTML(&out, data)
	case "pdf":
		err = report.RenderPDF(&out, data)
	default:
		err = fmt.Errorf("app: report format %q is neither html nor pdf", format)
	}
	if err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (r *Reporter) district(id string) *district.District {
	for i := range r.cfg.Districts {
		if r.cfg.Districts[i].ID == id {
			return &r.cfg.Districts[i]
		}
	}
	return nil
}

// Data collects a member's month. The member's part of the site's energies is kept exact over the month by rounding cumulative sums; what the site drew while others fed is shared
// by the default key in proportion to what each site drew.
func (r *Reporter) Data(ctx context.Context, d *district.District, m *district.Member, month timegrid.Span, language string) (*report.Data, error) {
	rows, err := r.store.Balances(ctx, d.ID, m.Site, month)
	if err != nil {
		return nil, err
	}
	whole, err := r.store.Balances(ctx, d.ID, district.DistrictSite, month)
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || len(whole) == 0 {
		return nil, fmt.Errorf("app: report of %s for %s: no data in the record: %w", m.ID, month.Start.In(d.Zone).Format("2006-01"), store.ErrNotFound)
	}
	if language == "" {
		language = m.Language
	}
	site := d.Site(m.Site)
	sum := balance.Sum(whole)
	out := &report.Data{Language: language, Month: month, Zone: d.Zone, Step: d.Step, MadeAt: r.now(),
		Member: report.Member{ID: m.ID, Name: m.Name, Site: site.Name, DeliveryPoint: m.DeliveryPoint, Share: m.ShareOfSite, ConsentSince: m.Consent.Since},
		District: report.District{Name: d.Name, ProductionWh: sum.ProductionWh, ConsumptionWh: sum.ConsumptionWh(), ImportWh: sum.ImportWh, ExportWh: sum.ExportWh,
			Coverage: sum.Coverage * float64(len(whole)) / float64(month.Count(d.Step))},
		Issuer: report.Issuer{Name: r.cfg.File.Report.Issuer, Address: r.cfg.File.Report.Address, Contact: r.cfg.File.Report.Contact},
	}
	out.District.SavedEUR, out.District.SavedCarbonKg = savings.Saved(sum.Row)
	about := r.cfg.District(d.ID)
	if about != nil {
		out.District.Baseline = about.Baseline.EN
		if language == "fr" {
			out.District.Baseline = about.Baseline.FR
		}
	}
	parts, err := r.Parts(d.ID, m, rows, whole)
	if err != nil {
		return nil, err
	}
	r.fill(out, d, m, rows, whole, parts)
	if err := r.bill(out, about, site, m, rows, parts); err != nil {
		return nil, err
	}
	avoided, ok, err := r.EnergyAvoided(ctx, d, m, month, rows)
	if err != nil {
		return nil, err
	}
	if ok {
		out.Comparison = report.Compare(avoided.Outcome, report.Method(avoided.Outcome, language, d.Zone))
	}
	return out, nil
}

// Parts returns the member's part of each of the site's slots; whole are the district's rows of the same time. By the default key the site's shared energy is split by the member's share of the site; by a static key the
// member gets its fixed share of what the district's sites fed, within what it drew itself.
func (r *Reporter) Parts(districtID string, m *district.Member, rows, whole []balance.Row) ([]sharing.Part, error) {
	out := sharing.Parts(rows, m.ShareOfSite)
	shares := r.Shares(districtID)
	if shares == nil {
		return out, nil
	}
	me := slices.IndexFunc(r.cfg.District(districtID).Members, func(x config.Member) bool { return x.ID == m.ID })
	if me < 0 {
		return out, nil
	}
	fed := map[time.Time]units.WattHours{}
	for _, w := range whole {
		fed[w.Start] = max(0, w.ExportWh+w.SharedWh)
	}
	produced := make([]units.WattHours, len(rows))
	for i, row := range rows {
		produced[i] = fed[row.Start]
	}
	entitled, err := r.last.get(produced, shares)
	if err != nil {
		return nil, fmt.Errorf("app: members of %s: %w", districtID, err)
	}
	for i := range out {
		drawn := out[i].Shared + out[i].Grid
		// what others leave unused is not given to it, so what they draw does not matter
		out[i].Shared = min(drawn, entitled[me][i])
		out[i].Grid = drawn - out[i].Shared
	}
	return out, nil
}

// Shares returns the members' shares of the shared production, in their order, where the district shares by a static key; nil elsewhere.
func (r *Reporter) Shares(districtID string) []float64 {
	about := r.cfg.District(districtID)
	if about == nil || about.Sharing == nil || about.Sharing.Key != "static" {
		return nil
	}
	shares := make([]float64, len(about.Members))
	for i, x := range about.Members {
		if x.ShareOfProduction != nil {
			shares[i] = *x.ShareOfProduction
		}
	}
	return shares
}

// fill puts the member's energies, days and habits into the report. Daily and hourly figures need consent to the load curve.
func (r *Reporter) fill(out *report.Data, d *district.District, m *district.Member, rows, whole []balance.Row, parts []sharing.Part) {
	var days []report.Day
	index := map[time.Time]int{}
	for day := range out.Month.Days(d.Zone) {
		index[day.Start] = len(days)
		days = append(days, report.Day{Start: day.Start})
	}
	habits := &report.Habits{}
	carbon := &report.Carbon{Scope: "direct"}
	if c, ok := r.cfg.Carbon[d.Carbon]; ok {
		carbon.Scope, carbon.Source = c.Scope, r.cfg.Sources[d.Carbon].Publications(out.Month)
	}
	intensity := map[time.Time]float64{}
	for _, w := range whole {
		if w.ImportWh > 0 {
			intensity[w.Start] = w.CarbonKg / w.ImportWh.KWh()
		}
		habits.SurplusWh[w.Start.In(d.Zone).Hour()] += w.ExportWh
	}
	last := 0.0
	for i, row := range rows {
		p := parts[i]
		out.OwnWh += p.Own
		out.SharedWh += p.Shared
		out.GridWh += p.Grid
		if row.ImportWh > 0 {
			last = row.CarbonKg / row.ImportWh.KWh()
		} else if v, ok := intensity[row.Start]; ok {
			last = v
		}
		out.Substituted = out.Substituted || row.Substituted
		carbon.ConsumptionKg += p.Grid.KWh() * last
		carbon.AvoidedKg += (p.Own + p.Shared).KWh() * last
		habits.ConsumptionWh[row.Start.In(d.Zone).Hour()] += p.Total()
		day := timegrid.Day(row.Start, d.Zone)
		x := &days[index[day.Start]]
		x.OwnWh += p.Own
		x.SharedWh += p.Shared
		x.GridWh += p.Grid
		x.Coverage += row.Coverage / float64(day.Count(d.Step))
		out.Coverage += row.Coverage / float64(out.Month.Count(d.Step))
	}
	out.ConsumptionWh = out.OwnWh + out.SharedWh + out.GridWh
	out.Coverage = math.Min(1, out.Coverage)
	out.Carbon = carbon
	if m.Consent.LoadCurve {
		for i := range days {
			days[i].Coverage = math.Min(1, days[i].Coverage)
		}
		out.Days, out.Habits = days, habits
	}
}

// bill computes what shared energy changed on the member's bill, where the district shares on bills: the supplier's price less what stays due on shared energy, slot by slot.
func (r *Reporter) bill(out *report.Data, about *config.District, site *district.Site, m *district.Member, rows []balance.Row, parts []sharing.Part) error {
	if about == nil || about.Sharing == nil {
		return nil
	}
	t := r.cfg.Tariffs[site.Tariff]
	if t == nil {
		return fmt.Errorf("app: report of %s: no tariff %q", m.ID, site.Tariff)
	}
	name := t.Name
	if t.TaxesExcluded {
		name += map[bool]string{true: " (hors taxes)", false: " (before taxes)"}[out.Language == "fr"]
	}
	terms := about.Sharing.BillTerms(t.Zone)
	var slots []bill.Slot
	for i, row := range rows {
		slots = append(slots, bill.Slot{Start: row.Start, End: row.Start.Add(row.Step), SharedWh: parts[i].Shared})
	}
	effect, err := bill.Of(t, terms, slots)
	if err != nil {
		return fmt.Errorf("app: report of %s: %w", m.ID, err)
	}
	// what the report says of the terms are the last that held
	last := terms[0]
	for _, x := range terms[1:] {
		if x.From.Before(out.Month.End) {
			last = x
		}
	}
	out.Bill = &report.Bill{Tariff: name, AvoidedEUR: effect.Total.AvoidedEUR, PaidEUR: effect.Total.PaidEUR, PriceEUR: last.PriceEURPerKWh, ExciseExempt: last.ExciseExempt, Key: about.Sharing.Key}
	for _, l := range effect.Lines {
		period := string(l.Period)
		if t.Kind == tariff.Series || t.Kind == tariff.Dynamic {
			period = "market"
		}
		out.Bill.Lines = append(out.Bill.Lines, report.BillLine{Period: period, From: l.From, SharedWh: l.SharedWh, PriceEUR: (l.AvoidedEUR + l.DueEUR()) / l.SharedWh.KWh(), AvoidedEUR: l.AvoidedEUR, NetworkEUR: l.NetworkEUR,
			ExciseEUR: l.ExciseEUR, PaidEUR: l.PaidEUR})
		network := l.Price.NetworkSource
		if l.Term.Network != nil {
			network = "" // that of the operation's terms
		}
		for _, x := range []report.BillSource{{What: "price", Text: l.Price.Source}, {What: "network", Text: network}, {What: "excise", Text: l.Price.ExciseSource}, {What: "vat", Rate: l.Price.VAT, Text: l.Price.VATSource},
			{What: "sharing", Text: l.Term.Source}} {
			if x.Text != "" && !slices.Contains(out.Bill.Sources, x) {
				out.Bill.Sources = append(out.Bill.Sources, x)
			}
		}
	}
	return nil
}

// Bill returns what shared energy changed on a member's bill of a month, from its site's rows and the district's; nil where no energy is shared on bills.
func (r *Reporter) Bill(districtID string, m *district.Member, month timegrid.Span, rows, whole []balance.Row) (*console.MemberBill, error) {
	d := r.district(districtID)
	if d == nil || d.Site(m.Site) == nil {
		return nil, fmt.Errorf("app: bill of %s/%s: %w", districtID, m.ID, store.ErrNotFound)
	}
	parts, err := r.Parts(districtID, m, rows, whole)
	if err != nil {
		return nil, err
	}
	data := &report.Data{Language: m.Language, Month: month}
	if err := r.bill(data, r.cfg.District(districtID), d.Site(m.Site), m, rows, parts); err != nil || data.Bill == nil {
		return nil, err
	}
	b := data.Bill
	out := &console.MemberBill{Tariff: b.Tariff, AvoidedEUR: b.AvoidedEUR, PaidEUR: b.PaidEUR, EffectEUR: b.EffectEUR(), Lines: []console.BillLine{}, Sources: []console.BillSource{}}
	for _, l := range b.Lines {
		out.Lines = append(out.Lines, console.BillLine{Period: l.Period, From: l.From, SharedKWh: l.SharedWh.KWh(), PriceEURPerKWh: l.PriceEUR, AvoidedEUR: l.AvoidedEUR, NetworkEUR: l.NetworkEUR, ExciseEUR: l.ExciseEUR,
			PaidEUR: l.PaidEUR, EffectEUR: l.EffectEUR()})
	}
	for _, x := range b.Sources {
		out.Sources = append(out.Sources, console.BillSource(x))
	}
	return out, nil
}
