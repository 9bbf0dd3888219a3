package app

import (
	"context"
	"fmt"
	"time"

	"quartier/cmd/internal/console"
	"quartier/cmd/internal/report"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/savings/baseline"
	"quartier/schemas/sharing"
	"quartier/schemas/store"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

const (
	// comparisonConfidence is that of the interval on reports.
	comparisonConfidence = 0.8
	// comparisonCoverage is the share of a month, and of a day's weather, that must have been measured for it to count.
	comparisonCoverage = 0.95
)

// Avoided is an estimate of the energy that a member avoided in a month, with what it rests on.
type Avoided struct {
	baseline.Outcome
	Before []baseline.Observation // the twelve months before the change
	Month  []baseline.Observation // the month itself; empty where too little of it was measured
	Until  string                 // the day of the change, as configured
}

// EnergyAvoided estimates what a member used less in a month than it would have in the same weather, by the twelve months before the configured change; rows are its site's rows of the month. ok is false
// where no change is configured or the month lies before it; an outcome that may not be spoken of is refused, with its reasons.
func (r *Reporter) EnergyAvoided(ctx context.Context, d *district.District, m *district.Member, month timegrid.Span, rows []balance.Row) (a Avoided, ok bool, err error) {
	about := r.cfg.District(d.ID)
	if about == nil || about.Baseline.Until == "" {
		return a, false, nil
	}
	a.Until = about.Baseline.Until
	day, err := timegrid.ParseDay(a.Until, d.Zone)
	if err != nil {
		return a, false, err
	}
	if month.Start.Before(day.Start) {
		return a, false, nil
	}
	first := day.Start.In(d.Zone)
	for i := range 12 {
		sp := timegrid.Month(time.Date(first.Year(), first.Month()-12+time.Month(i), 1, 12, 0, 0, 0, d.Zone), d.Zone)
		past, err := r.store.Balances(ctx, d.ID, m.Site, sp)
		if err != nil {
			return a, false, err
		}
		obs, complete, err := r.observe(ctx, d, m, sp, past)
		if err != nil {
			return a, false, err
		}
		if !complete {
			return a, false, nil // a baseline of twelve months does not exist
		}
		a.Before = append(a.Before, obs)
	}
	model, err := baseline.Fit(a.Before, baseline.Options{})
	if err != nil {
		return a, false, fmt.Errorf("app: baseline of %s: %w", m.ID, err)
	}
	obs, complete, err := r.observe(ctx, d, m, month, rows)
	if err != nil {
		return a, false, err
	}
	if complete {
		a.Month = append(a.Month, obs)
	}
	a.Outcome = model.Avoided(a.Month, comparisonConfidence)
	return a, true, nil
}

// Comparison returns what the report of a month says of the energy that a member avoided, in both languages; nil without a baseline.
func (r *Reporter) Comparison(ctx context.Context, districtID, memberID, month string) (*console.Comparison, error) {
	d := r.district(districtID)
	if d == nil || d.Member(memberID) == nil {
		return nil, fmt.Errorf("app: comparison of %s/%s: %w", districtID, memberID, store.ErrNotFound)
	}
	sp, err := timegrid.ParseMonth(month, d.Zone)
	if err != nil {
		return nil, err
	}
	m := d.Member(memberID)
	rows, err := r.store.Balances(ctx, d.ID, m.Site, sp)
	if err != nil {
		return nil, err
	}
	a, ok, err := r.EnergyAvoided(ctx, d, m, sp, rows)
	if err != nil || !ok {
		return nil, err
	}
	o := a.Outcome
	out := &console.Comparison{Verdict: string(o.Verdict())}
	if i, ok := o.Estimate(); ok {
		out.AvoidedKWh, out.LowKWh, out.HighKWh, out.Confidence = &i.KWh, &i.LowKWh, &i.HighKWh, &i.Confidence
	}
	out.FR = report.Compare(o, report.Method(o, "fr", d.Zone)).Sentences("fr", d.Zone)
	out.EN = report.Compare(o, report.Method(o, "en", d.Zone)).Sentences("en", d.Zone)
	return out, nil
}

// observe returns a member's consumption and weather of a month with its site's rows, and whether enough of both was measured.
func (r *Reporter) observe(ctx context.Context, d *district.District, m *district.Member, month timegrid.Span, rows []balance.Row) (baseline.Observation, bool, error) {
	o := baseline.Observation{Span: month}
	covered := 0.0
	for _, row := range rows {
		covered += row.Coverage
	}
	if covered < comparisonCoverage*float64(month.Count(d.Step)) {
		return o, false, nil
	}
	o.EnergyKWh = consumed(rows, m)
	temperatures, err := r.temperatures(ctx, d, month)
	if err != nil {
		return o, false, err
	}
	days := 0
	for day := range month.Days(d.Zone) {
		days++
		if t, ok := temperatures[day.Start]; ok {
			o.DailyMeansC = append(o.DailyMeansC, t)
		}
	}
	o.Days = float64(days)
	return o, float64(len(o.DailyMeansC)) >= comparisonCoverage*float64(days), nil
}

// consumed is a member's part of what its site used, kWh, wherever it came from.
func consumed(rows []balance.Row, m *district.Member) (kwh float64) {
	for _, p := range sharing.Parts(rows, m.ShareOfSite) {
		kwh += p.Total().KWh()
	}
	return kwh
}

// temperatures returns the mean outdoor temperature of each day of a month of which enough was measured, by the district's weather station.
func (r *Reporter) temperatures(ctx context.Context, d *district.District, month timegrid.Span) (map[time.Time]float64, error) {
	var id district.SeriesID
	for site, dev := range d.AllDevices {
		if dev.Kind == district.Weather && (id == "" || site == district.DistrictSite) {
			id = dev.Series(d.ID, site, district.OutdoorC)
		}
	}
	if id == "" {
		return nil, nil
	}
	out := map[time.Time]float64{}
	err := r.store.Rollup(ctx, []district.SeriesID{id}, month, rollup.Day, d.Zone, func(row rollup.Row) error {
		if t, ok := row.Mean(); ok && float64(row.Held) >= comparisonCoverage*float64(row.End.Sub(row.Start)) {
			out[row.Start] = t
		}
		return nil
	})
	return out, err
}
