package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"quartier/cmd/internal/report"
	"quartier/schemas/balance"
	"quartier/schemas/balance/kpi"
	"quartier/schemas/carbon"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/savings"
	"quartier/schemas/savings/baseline"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// The methods behind published figures, with their versions. Whoever changes what a method computes raises its version, so that an audit can say why a figure differs.
var (
	byBalance = method{"balance", "2"} // 2: what gaps are filled by from outside the month is an input
	byCarrier = method{"carrier-balance", "1"}
	byTariff  = method{"tariff-cost", "1"}
	byFactor  = method{"location-based", "1"}
	byExport  = method{"avoided-by-export", "1"}
	byMargin  = method{"marginal-of-import", "1"}
	byArrival = method{savings.BaselineName, "2"} // 2: a car that stays over midnight charges when it came
	byRules   = method{savings.RulesName, "2"}    // 2: a stay of a car counts as a new one every 24 hours
	byKey     = method{"sharing", "2"}            // 2: fixed shares are exact decimals, rounded as every other allocation
	byBill    = method{"bill-effect", "1"}
	byWeather = methodOf(baseline.Version)
)

// methodOf takes a name and a version apart that are written together.
func methodOf(text string) method {
	name, version, _ := strings.Cut(text, "/")
	return method{name, version}
}

type method struct{ name, version string }

// figures collects the figures of a month.
type figures struct {
	books    *Books
	reporter *Reporter // what members' reports say
	month    timegrid.Span
	at       time.Time
	out      []ledger.Figure
}

func (f *figures) add(subject, kind string, value float64, unit string, m method, inputs ...ledger.Input) {
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return // not known is not published
	}
	f.out = append(f.out, ledger.Figure{District: f.books.district.ID, Subject: subject, Kind: kind, Period: f.month, Value: value, Unit: unit, Method: m.name, MethodVersion: m.version,
		Inputs: inputs, CreatedAt: f.at, Version: 1}.Sealed())
}

// energies adds what the meters of a site or the district say, and what it cost.
func (f *figures) energies(subject string, rows []balance.Row, in *inputs) {
	if len(rows) == 0 {
		return
	}
	s, from := balance.Sum(rows), in.of(subject)
	for _, x := range []struct {
		kind string
		wh   units.WattHours
	}{{"import_wh", s.ImportWh}, {"export_wh", s.ExportWh}, {"production_wh", s.ProductionWh}, {"consumption_wh", s.ConsumptionWh()}, {"charge_wh", s.ChargeWh}, {"discharge_wh", s.DischargeWh},
		{"residual_wh", s.ResidualWh}} {
		f.add(subject, x.kind, float64(x.wh), "Wh", byBalance, from...)
	}
	f.add(subject, "shared_wh", float64(s.SharedWh), "Wh", byBalance, in.of(district.DistrictSite)...) // what one site draws while others feed rests on all of them
	covered := 0.0
	for _, r := range rows {
		covered += r.Coverage
	}
	f.add(subject, "coverage_share", covered/float64(f.month.Count(f.books.district.Step)), "1", byBalance, from...)
	f.add(subject, "cost_eur", s.CostEUR, "EUR", byTariff, append(from, in.tariff)...)
	if subject == district.DistrictSite {
		eur, _ := savings.Saved(s.Row)
		f.add(subject, "storage_and_control_saving_eur", eur, "EUR", byArrival, append(from, in.tariff)...)
	}
}

// carriers adds what the meters of every other carrier of a site or the district say.
func (f *figures) carriers(rows []balance.CarrierRow, in *inputs) {
	type of struct {
		subject string
		carrier balance.Carrier
	}
	sums, covered := map[of]*balance.CarrierRow{}, map[of]float64{}
	for i := range rows {
		k := of{rows[i].Site, rows[i].Carrier}
		if sums[k] == nil {
			sums[k] = &balance.CarrierRow{}
		}
		sums[k].Add(&rows[i])
		covered[k] += rows[i].Coverage
	}
	var all []ledger.Input
	for site, list := range in.carried {
		all = append(all, ledger.Together("meters "+f.books.district.ID+"/"+site, list))
	}
	for k, s := range sums {
		from := in.carried[k.subject]
		if k.subject == district.DistrictSite {
			from = all
		}
		for kind, wh := range map[string]units.WattHours{"delivered": s.DeliveredWh, "exported": s.ExportedWh, "generated": s.GeneratedWh, "converted": s.ConvertedWh, "charge": s.ChargeWh, "discharge": s.DischargeWh,
			"consumed": s.ConsumedWh, "residual": s.ResidualWh} {
			f.add(k.subject, string(k.carrier)+"_"+kind+"_wh", float64(wh), "Wh", byCarrier, from...)
		}
		f.add(k.subject, string(k.carrier)+"_coverage_share", covered[k]/float64(f.month.Count(f.books.district.Step)), "1", byCarrier, from...)
	}
}

// carbon adds the emissions of what the district drew and, apart, what it avoided by what it fed and what it saved against the baseline, by the method of its source.
func (f *figures) carbon(rows []balance.Row, in *inputs) error {
	b := f.books
	c := b.cfg.Carbon[b.district.Carbon]
	about := carbon.About{Scope: c.Scope, Basis: c.Basis, Source: b.accountant.carbon.Publications(f.month)}
	if about.Source == "" {
		about.Source = b.district.Carbon
	}
	series := timegrid.Series{Start: timegrid.Ceil(f.month.Start, b.district.Step), Step: b.district.Step}
	drawn, fed := make([]units.WattHours, f.month.Count(b.district.Step)), make([]units.WattHours, f.month.Count(b.district.Step))
	for s := range f.month.Slots(b.district.Step) {
		g, ok := in.gPerKWh[s.Start.UnixMicro()]
		if !ok {
			g = math.NaN()
		}
		series.Values = append(series.Values, g)
	}
	for _, r := range rows {
		if i := int(r.Start.Sub(series.Start) / series.Step); i >= 0 && i < len(drawn) {
			drawn[i], fed[i] = r.ImportWh, r.ExportWh
		}
	}
	from := append(in.of(district.DistrictSite), in.carbon)
	var missing units.WattHours
	saved, known := 0.0, false // against the baseline, in the slots that have a factor
	for _, r := range rows {
		if _, ok := in.gPerKWh[r.Start.UnixMicro()]; ok {
			saved, known = saved+r.BaselineCarbonKg-r.CarbonKg, true
		}
	}
	if !known {
		saved = math.NaN()
	}
	if c.Method == "marginal" {
		factors, err := carbon.Series[carbon.Marginal](series, about)
		if err != nil {
			return fmt.Errorf("app: carbon of %s: %w", b.district.ID, err)
		}
		e, err := carbon.Drawn(drawn, f.month, series.Step, factors)
		x, err2 := carbon.AvoidedByExport(fed, f.month, series.Step, factors)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		missing = e.MissingWh()
		f.add(district.DistrictSite, "carbon_import_marginal_kg", e.Kg(), "kgCO2e", byMargin, from...)
		f.add(district.DistrictSite, "carbon_avoided_by_export_marginal_kg", x.Kg(), "kgCO2e", byExport, from...)
		f.add(district.DistrictSite, "storage_and_control_saving_marginal_kg", saved, "kgCO2e", byArrival, from...)
	} else {
		factors, err := carbon.Series[carbon.Average](series, about)
		if err != nil {
			return fmt.Errorf("app: carbon of %s: %w", b.district.ID, err)
		}
		e, err := carbon.LocationBased(drawn, f.month, series.Step, factors)
		x, err2 := carbon.AvoidedByExport(fed, f.month, series.Step, factors)
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		missing = e.MissingWh()
		f.add(district.DistrictSite, "carbon_location_based_kg", e.Kg(), "kgCO2e", byFactor, from...)
		f.add(district.DistrictSite, "carbon_avoided_by_export_kg", x.Kg(), "kgCO2e", byExport, from...)
		f.add(district.DistrictSite, "storage_and_control_saving_kg", saved, "kgCO2e", byArrival, from...)
	}
	f.add(district.DistrictSite, "carbon_without_factor_wh", float64(missing), "Wh", byFactor, from...)
	return nil
}

// rules adds what control saved against the same batteries and cars under rules; nothing where the district has neither.
func (f *figures) rules(ctx context.Context, bySite map[string][]balance.Row, cars map[string][]units.WattHours, in *inputs) error {
	b, any := f.books, false
	var sites []savings.RuleSite
	var held float64
	whole := bySite[district.DistrictSite]
	for i := range b.district.Sites {
		site := &b.district.Sites[i]
		x := savings.RuleSite{Rows: bySite[site.ID], Cars: cars[site.ID]}
		for k := range site.Devices {
			dev := &site.Devices[k]
			any = any || dev.Kind == district.EVCharger
			if dev.Kind != district.Battery || dev.Battery == nil {
				continue
			}
			any = true
			p := dev.Battery
			begin, end, err := b.stored(ctx, site.ID, dev, f.month)
			if err != nil {
				return err
			}
			x.Batteries = append(x.Batteries, savings.Battery{UsableKWh: (p.MaxSOC - p.MinSOC) * p.CapacityKWh, ChargeKW: p.ChargeKW, DischargeKW: p.DischargeKW,
				ChargeEfficiency: p.ChargeEfficiency, DischargeEfficiency: p.DischargeEfficiency, StoredKWh: begin})
			held += end
		}
		sites = append(sites, x)
	}
	if !any || len(whole) == 0 {
		return nil
	}
	var terms balance.Terms
	for _, r := range whole { // rows of all sites are there in the same slots
		at := r.Start.UnixMicro()
		terms.ImportPrice, terms.ExportPrice = append(terms.ImportPrice, in.importAt[at]), append(terms.ExportPrice, in.exportAt[at])
		terms.CarbonG = append(terms.CarbonG, in.gPerKWh[at])
	}
	s := savings.ByRules(sites, terms).Against(balance.Sum(whole).Row, held)
	from := append(in.of(district.DistrictSite), in.tariff)
	f.add(district.DistrictSite, "control_saving_eur", float64(s.EUR), "EUR", byRules, from...)
	f.add(district.DistrictSite, "control_stored_more_kwh", s.StoredMoreKWh, "kWh", byRules, from...)
	f.peaks(savings.PeaksOf(whole, sites), in.of(district.DistrictSite))
	return nil
}

// peaks adds the largest mean power of a slot that the district drew, and what it would have been without control and by rules; by how much it was lower follows from these where they are shown, so that of several
// months the largest of each are compared.
func (f *figures) peaks(p savings.Peaks, from []ledger.Input) {
	hours := f.books.district.Step.Hours()
	f.add(district.DistrictSite, kpi.PeakImport, p.ImportWh.KWh()/hours, "kW", byBalance, from...)
	f.add(district.DistrictSite, kpi.PeakUncontrolled, p.UncontrolledWh.KWh()/hours, "kW", byArrival, from...)
	f.add(district.DistrictSite, kpi.PeakByRules, p.ByRulesWh.KWh()/hours, "kW", byRules, from...)
	for kind, x := range map[string]struct {
		than units.WattHours
		by   method
	}{"peak_reduction_uncontrolled_share": {p.UncontrolledWh, byArrival}, "peak_reduction_by_rules_share": {p.ByRulesWh, byRules}} {
		if x.than > 0 {
			f.add(district.DistrictSite, kind, 1-float64(p.ImportWh)/float64(x.than), "1", x.by, from...)
		}
	}
}

// stored returns what a battery held above its lowest level at the ends of a month, kWh, by its state of charge; NaN at the end where that is not known, and its lowest level at the begin.
func (b *Books) stored(ctx context.Context, site string, dev *district.Device, month timegrid.Span) (begin, end float64, err error) {
	id, p := dev.Series(b.district.ID, site, district.SOC), dev.Battery
	at := func(t time.Time) (float64, bool, error) {
		got, err := b.store.Latest(ctx, []district.SeriesID{id}, t)
		if errors.Is(err, store.ErrNotFound) {
			err = nil
		}
		s, ok := got[id]
		ok = ok && t.Sub(s.Time) <= readMargin && s.Quality != district.Bad
		return math.Min(p.MaxSOC-p.MinSOC, math.Max(0, s.Value-p.MinSOC)) * p.CapacityKWh, ok, err
	}
	begin, ok, err := at(month.Start)
	if err != nil {
		return 0, 0, err
	}
	if !ok {
		begin = 0
	}
	if end, ok, err = at(month.End); err == nil && !ok {
		end = math.NaN()
	}
	return begin, end, err
}

// avoided adds what a member used less than it would have in the same weather, with the interval that is never to be left out beside it; nothing where the outcome is refused. Months of the past count as
// they are in the record, where they are rows of closed months; the month itself as it was recomputed.
func (f *figures) avoided(ctx context.Context, m *district.Member, rows []balance.Row, from []ledger.Input) error {
	b := f.books
	a, ok, err := f.reporter.EnergyAvoided(ctx, b.district, m, f.month, rows)
	if err != nil || !ok {
		return err
	}
	i, ok := a.Estimate()
	if !ok {
		return nil
	}
	past, weather := ledger.NewHasher("balances "+b.district.ID+"/"+m.Site+" of the twelve months before "+a.Until), ledger.NewHasher("outdoor temperatures of "+b.district.ID)
	past.Text(a.Until)
	past.Values(i.Confidence)
	for _, o := range a.Before {
		past.Values(o.EnergyKWh, o.Days)
		weather.Values(o.DailyMeansC...)
	}
	for _, o := range a.Month {
		weather.Values(o.DailyMeansC...)
	}
	from = append(append([]ledger.Input{}, from...), past.Input(), weather.Input())
	subject := "member/" + m.ID
	for kind, kwh := range map[string]float64{"energy_avoided_kwh": i.KWh, "energy_avoided_low_kwh": i.LowKWh, "energy_avoided_high_kwh": i.HighKWh} {
		f.add(subject, kind, kwh, "kWh", byWeather, from...)
	}
	return nil
}

// member adds what a member's report says.
func (f *figures) member(ctx context.Context, m *district.Member, bySite map[string][]balance.Row, in *inputs) error {
	b := f.books
	rows, whole := bySite[m.Site], bySite[district.DistrictSite]
	if len(rows) == 0 {
		return nil
	}
	about := b.cfg.District(b.district.ID)
	// what the split depends on, of this member and, by a static key, of the others
	h := ledger.NewHasher("configuration member/" + m.ID)
	h.Text(m.Site)
	h.Values(m.ShareOfSite)
	if about.Sharing != nil {
		text, err := json.Marshal(about.Sharing)
		if err != nil {
			return fmt.Errorf("app: configuration of member %s: %w", m.ID, err)
		}
		h.Text(string(text))
		for _, x := range about.Members {
			if x.ShareOfProduction != nil {
				h.Text(x.ID)
				h.Values(*x.ShareOfProduction)
			}
		}
	}
	from := append(in.of(district.DistrictSite), h.Input())
	parts, err := f.reporter.Parts(b.district.ID, m, rows, whole)
	if err != nil {
		return err
	}
	var own, shared, grid units.WattHours
	for _, p := range parts {
		own, shared, grid = own+p.Own, shared+p.Shared, grid+p.Grid
	}
	subject := "member/" + m.ID
	for _, x := range []struct {
		kind string
		wh   units.WattHours
	}{{"consumption_wh", own + shared + grid}, {"own_wh", own}, {"shared_wh", shared}, {"grid_wh", grid}} {
		f.add(subject, x.kind, float64(x.wh), "Wh", byKey, from...)
	}
	if err := f.avoided(ctx, m, rows, append(in.of(m.Site), h.Input())); err != nil {
		return err
	}
	data := &report.Data{Language: "en"}
	site := b.district.Site(m.Site)
	if err := f.reporter.bill(data, about, site, m, rows, parts); err != nil {
		return err
	}
	if data.Bill == nil {
		return nil
	}
	prices := ledger.NewHasher("tariff " + site.Tariff + " of " + m.Site)
	for _, r := range rows {
		p, err := b.cfg.Tariffs[site.Tariff].At(r.Start)
		if err != nil {
			return fmt.Errorf("app: bill of %s: %w", m.ID, err)
		}
		prices.Values(p.AvoidedEURPerKWh(true), p.AvoidedEURPerKWh(false))
	}
	from = append(from, prices.Input())
	f.add(subject, "bill_effect_eur", float64(savings.LocalSolarEUR(data.Bill.EffectEUR())), "EUR", byBill, from...)
	byPeriod := map[string]float64{}
	for _, l := range data.Bill.Lines {
		byPeriod[l.Period] += l.EffectEUR()
	}
	for period, eur := range byPeriod {
		f.add(subject, "bill_effect_"+period+"_eur", float64(savings.LocalSolarEUR(eur)), "EUR", byBill, from...)
	}
	return nil
}
