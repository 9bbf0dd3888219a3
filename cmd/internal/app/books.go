package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"quartier/cmd/internal/config"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/ledger"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// readMargin is how far around a month samples belong to it: counters are interpolated at its ends.
const readMargin = 2 * time.Hour

// closeAfter is how long after its end a month is closed, so that late data is in it.
const closeAfter = 36 * time.Hour

// Books closes the months of one district: it computes every figure from raw samples, keeps them in the ledger, and audits them later.
type Books struct {
	cfg        *config.Config
	district   *district.District
	store      store.Store
	accountant *Accountant
	now        func() time.Time
}

// NewBooks returns the books of a district of the configuration.
func NewBooks(cfg *config.Config, d *district.District, st store.Store, now func() time.Time) (*Books, error) {
	acc, err := NewAccountant(cfg, d, st)
	if err != nil {
		return nil, err
	}
	return &Books{cfg: cfg, district: d, store: st, accountant: acc, now: now}, nil
}

// Audit is a closed month held against what its raw samples give now.
type Audit struct {
	Month    timegrid.Span
	Findings []ledger.Finding
	Rows     int    // balance rows that raw samples give, of electricity and every other carrier
	RowsOff  int    // of them and of those in the record, how many differ
	FirstOff string // the first that does, in words
	// samples of before Removed, some of which the month rests on, are not there any more: raw samples do not give its figures; zero where all are
	Removed  time.Time
	district string
	rows     []balance.Row
	carriers []balance.CarrierRow
}

// Clean reports whether everything published is what the raw samples give.
func (a *Audit) Clean() bool {
	for _, f := range a.Findings {
		if f.Verdict != ledger.Same {
			return false
		}
	}
	return a.RowsOff == 0
}

// Audit recomputes a month from raw samples and compares it with the ledger and with the balance rows. The error wraps [store.ErrNotFound] when nothing was measured.
func (b *Books) Audit(ctx context.Context, month timegrid.Span) (*Audit, error) {
	now, rows, carriers, err := b.compute(ctx, month)
	if err != nil {
		return nil, err
	}
	stored, err := b.Published(ctx, month)
	if err != nil {
		return nil, err
	}
	out := &Audit{Month: month, Findings: ledger.Audit(stored, now), Rows: len(rows) + len(carriers), district: b.district.ID, rows: rows, carriers: carriers}
	removed, err := b.store.Retired(ctx)
	if err != nil {
		return nil, err
	}
	if restsOnRemoved(month, removed) {
		out.Removed = removed
	}
	if err := errors.Join(b.compareRows(ctx, out), b.compareCarriers(ctx, out)); err != nil {
		return nil, err
	}
	return out, nil
}

// Published returns every version of the figures of a month.
func (b *Books) Published(ctx context.Context, month timegrid.Span) ([]ledger.Figure, error) {
	return b.store.Figures(ctx, b.district.ID, month)
}

// Close publishes a month: first versions of figures that are not in the ledger, new versions with the reasons of those that differ; balance rows are brought in line. It
// returns what was written.
func (b *Books) Close(ctx context.Context, month timegrid.Span) ([]ledger.Figure, error) {
	a, err := b.Audit(ctx, month)
	if err != nil {
		return nil, err
	}
	return b.Correct(ctx, a)
}

// Correct writes what an audit leads to. It changes nothing where samples that the month rests on were removed: what is left would make other figures, and worse ones.
func (b *Books) Correct(ctx context.Context, a *Audit) ([]ledger.Figure, error) {
	if !a.Removed.IsZero() && !a.Clean() {
		return nil, fmt.Errorf("app: %s in %s: samples of before %s, on which it rests, were removed: nothing is published and nothing changed", a.district, a.Month.Start.In(b.district.Zone).Format("2006-01"),
			a.Removed.In(b.district.Zone).Format("2006-01-02 15:04"))
	}
	if a.RowsOff > 0 {
		for at := 0; at < len(a.rows); at += 5000 {
			if err := b.store.SaveBalances(ctx, a.rows[at:min(at+5000, len(a.rows))]); err != nil {
				return nil, err
			}
		}
		for at := 0; at < len(a.carriers); at += 5000 {
			if err := b.store.SaveCarriers(ctx, a.carriers[at:min(at+5000, len(a.carriers))]); err != nil {
				return nil, err
			}
		}
	}
	figures := ledger.Corrections(a.Findings)
	return figures, b.store.AppendFigures(ctx, figures)
}

// compute returns the figures and balance rows of a month from raw samples, day by day.
func (b *Books) compute(ctx context.Context, month timegrid.Span) ([]ledger.Figure, []balance.Row, []balance.CarrierRow, error) {
	d := b.district
	var rows []balance.Row
	var carriers []balance.CarrierRow
	beyond, cars := map[district.SeriesID][]timegrid.Span{}, map[string][]units.WattHours{}
	accountant, err := NewAccountant(b.cfg, d, &ahead{Store: b.store})
	if err != nil {
		return nil, nil, nil, err
	}
	for day := range month.Days(d.Zone) {
		acc, err := accountant.account(ctx, day)
		if err != nil {
			return nil, nil, nil, err
		}
		if acc == nil {
			continue
		}
		rows, carriers = append(rows, acc.rows...), append(carriers, acc.carriers...)
		for site, list := range acc.cars {
			cars[site] = append(cars[site], list...)
		}
		for id, list := range acc.meters.beyond {
			beyond[id] = append(beyond[id], list...)
		}
	}
	if len(rows) == 0 {
		return nil, nil, nil, fmt.Errorf("app: %s in %s: nothing was measured: %w", d.ID, month.Start.In(d.Zone).Format("2006-01"), store.ErrNotFound)
	}
	bySite := map[string][]balance.Row{}
	for _, r := range rows {
		bySite[r.Site] = append(bySite[r.Site], r)
	}
	in, err := b.inputs(ctx, month, beyond)
	if err != nil {
		return nil, nil, nil, err
	}
	f := &figures{books: b, reporter: NewSerialReporter(b.cfg, b.store, b.now), month: month, at: b.now()}
	f.energies(district.DistrictSite, bySite[district.DistrictSite], in)
	for i := range d.Sites {
		f.energies(d.Sites[i].ID, bySite[d.Sites[i].ID], in)
	}
	f.carriers(carriers, in)
	if err := f.carbon(bySite[district.DistrictSite], in); err != nil {
		return nil, nil, nil, err
	}
	if err := f.rules(ctx, bySite, cars, in); err != nil {
		return nil, nil, nil, err
	}
	members := make([]*district.Member, len(d.Members))
	for i := range d.Members {
		members[i] = &d.Members[i]
	}
	slices.SortStableFunc(members, func(a, b *district.Member) int { return strings.Compare(a.Site, b.Site) }) // what they rest on is read once for each site
	for _, m := range members {
		if err := f.member(ctx, m, bySite, in); err != nil {
			return nil, nil, nil, err
		}
	}
	return f.out, rows, carriers, nil
}

// inputs are what the figures of a month rest on.
type inputs struct {
	samples  map[string][]ledger.Input // by site, of electricity
	carried  map[string][]ledger.Input // by site, of other carriers, with what the configuration says of their meters
	all      []ledger.Input            // of the samples, one for each site
	config   map[string]ledger.Input   // by site; "_": the whole district
	tariff   ledger.Input
	carbon   ledger.Input
	gPerKWh  map[int64]float64 // by slot start in microseconds; a slot without is a gap
	importAt map[int64]float64 // EUR/kWh by slot start
	exportAt map[int64]float64
}

// counted are the quantities that balances, sessions and carbon are computed from.
var counted = map[string]bool{district.ImportKWh: true, district.ExportKWh: true, district.PowerKW: true, district.Connected: true}

// inputs reads and hashes everything that the figures rest on; beyond is where samples from outside the month were looked at to fill gaps.
func (b *Books) inputs(ctx context.Context, month timegrid.Span, beyond map[district.SeriesID][]timegrid.Span) (*inputs, error) {
	d, step := b.district, b.district.Step
	in := &inputs{samples: map[string][]ledger.Input{}, config: map[string]ledger.Input{}, carried: map[string][]ledger.Input{}, gPerKWh: map[int64]float64{}, importAt: map[int64]float64{}, exportAt: map[int64]float64{}}
	all, err := b.store.Series(ctx, d.ID+"/")
	if err != nil {
		return nil, err
	}
	carried, err := b.carried(in)
	if err != nil {
		return nil, err
	}
	wide := timegrid.NewSpan(month.Start.Add(-readMargin), month.End.Add(readMargin))
	var signal []district.Sample
	for _, id := range all {
		_, site, _, quantity, ok := id.Parts()
		isSignal := id == carbonSeries(d.ID)
		if !ok || !counted[quantity] && !isSignal && !carried[id] {
			continue
		}
		into := in.samples
		if carried[id] {
			into = in.carried
		}
		h := ledger.NewHasher("samples " + string(id))
		n := 0
		if err := b.store.Read(ctx, []district.SeriesID{id}, wide, func(s district.Sample) error {
			h.Sample(s.Time, s.Value, uint8(s.Quality))
			if n++; isSignal {
				signal = append(signal, s)
			}
			return nil
		}); err != nil {
			return nil, err
		}
		if n > 0 && !isSignal { // the signal counts by the factors that it makes
			into[site] = append(into[site], h.Input())
		}
		if fill, err := b.fill(ctx, id, outside(beyond[id], wide)); err != nil {
			return nil, err
		} else if fill.Count > 0 {
			into[site] = append(into[site], fill)
		}
	}
	for site, list := range in.samples {
		in.all = append(in.all, ledger.Together("samples "+d.ID+"/"+site, list))
	}
	if err := b.terms(in, month, step, signal); err != nil {
		return nil, err
	}
	return in, b.configs(in)
}

// carried returns the series of the meters of other carriers, and notes what the configuration says of them.
func (b *Books) carried(in *inputs) (map[district.SeriesID]bool, error) {
	out := map[district.SeriesID]bool{}
	said := map[string]*ledger.Hasher{}
	for site, dev := range b.district.AllDevices {
		if dev.Meter == nil {
			continue
		}
		out[dev.Series(b.district.ID, site, b.accountant.carrierQuantity(dev))] = true
		text, err := json.Marshal(struct {
			ID, Profile string
			Meter       *district.MeterParams
		}{dev.ID, dev.Profile, dev.Meter})
		if err != nil {
			return nil, fmt.Errorf("app: configuration of %s/%s/%s: %w", b.district.ID, site, dev.ID, err)
		}
		if said[site] == nil {
			said[site] = ledger.NewHasher("configuration of the meters of " + site)
		}
		said[site].Text(string(text))
	}
	for site, h := range said {
		in.carried[site] = append(in.carried[site], h.Input())
	}
	return out, nil
}

// fill hashes the samples of other days by which gaps of a series were filled.
func (b *Books) fill(ctx context.Context, id district.SeriesID, spans []timegrid.Span) (ledger.Input, error) {
	h := ledger.NewHasher("samples " + string(id) + " of other days, which fill gaps")
	for _, sp := range spans {
		if err := b.store.Read(ctx, []district.SeriesID{id}, sp, func(s district.Sample) error {
			h.Sample(s.Time, s.Value, uint8(s.Quality))
			return nil
		}); err != nil {
			return ledger.Input{}, err
		}
	}
	return h.Input(), nil
}

// outside returns what spans cover outside of another, in order and without overlap.
func outside(spans []timegrid.Span, of timegrid.Span) (out []timegrid.Span) {
	var parts []timegrid.Span
	for _, sp := range spans {
		if sp.Start.Before(of.Start) {
			parts = append(parts, timegrid.Span{Start: sp.Start, End: earlier(sp.End, of.Start)})
		}
		if sp.End.After(of.End) {
			parts = append(parts, timegrid.Span{Start: later(sp.Start, of.End), End: sp.End})
		}
	}
	slices.SortFunc(parts, func(a, b timegrid.Span) int { return a.Start.Compare(b.Start) })
	for _, sp := range parts {
		if n := len(out); n > 0 && !sp.Start.After(out[n-1].End) {
			out[n-1].End = later(out[n-1].End, sp.End)
			continue
		}
		out = append(out, sp)
	}
	return out
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// terms fills in prices and factors of the slots.
func (b *Books) terms(in *inputs, month timegrid.Span, step time.Duration, signal []district.Sample) error {
	buy, err := b.accountant.tariff.Import(month, step)
	if err != nil {
		return fmt.Errorf("app: month of %s: %w", b.district.ID, err)
	}
	sell, err := b.accountant.tariff.Export(month, step)
	if err != nil {
		return fmt.Errorf("app: month of %s: %w", b.district.ID, err)
	}
	tariff, factors := ledger.NewHasher("tariff "+b.district.Tariff), ledger.NewHasher("carbon "+b.district.Carbon)
	about := b.cfg.Carbon[b.district.Carbon]
	factors.Text(strings.Join([]string{about.Scope, about.Basis, about.Method, b.accountant.carbon.Publications(month)}, "\x1f"))
	i, k := 0, 0
	for s := range month.Slots(step) {
		at := s.Start.UnixMicro()
		in.importAt[at], in.exportAt[at] = buy[i], sell[i]
		tariff.Values(buy[i], sell[i])
		for k+1 < len(signal) && !signal[k+1].Time.After(s.Start) {
			k++
		}
		g := math.NaN()
		if v, ok := carbonOf(b.accountant.carbon, s); ok {
			g = v
		} else if k < len(signal) && !signal[k].Time.After(s.Start) && s.Start.Sub(signal[k].Time) <= readMargin && signal[k].Quality != district.Bad {
			g = signal[k].Value
		}
		if !math.IsNaN(g) {
			in.gPerKWh[at] = g
			factors.Values(g)
		} else {
			factors.Text("gap")
		}
		i++
	}
	in.tariff, in.carbon = tariff.Input(), factors.Input()
	return nil
}

// configs hashes what the configuration says of each site.
func (b *Books) configs(in *inputs) error {
	d := b.district
	type device struct {
		ID, Profile string
		Kind        district.Kind
		PV          *district.PVParams
		Battery     *district.BatteryParams
		HeatPump    *district.HeatPumpParams
		WaterHeater *district.WaterHeaterParams
		EVCharger   *district.EVChargerParams
	}
	devices := map[string][]device{district.DistrictSite: nil}
	for site, x := range d.AllDevices {
		devices[site] = append(devices[site], device{x.ID, x.Profile, x.Kind, x.PV, x.Battery, x.HeatPump, x.WaterHeater, x.EVCharger})
	}
	var every []ledger.Input
	for site, list := range devices {
		text, err := json.Marshal(list)
		if err != nil {
			return fmt.Errorf("app: configuration of %s/%s: %w", d.ID, site, err)
		}
		h := ledger.NewHasher("configuration " + site)
		h.Text(string(text))
		in.config[site] = h.Input()
		every = append(every, h.Input())
	}
	in.config[district.DistrictSite] = ledger.Together("configuration "+d.ID, every)
	return nil
}

// of returns the samples and the configuration behind a subject's energies.
func (in *inputs) of(site string) []ledger.Input {
	list := in.samples[site]
	if site == district.DistrictSite {
		list = in.all
	}
	return append(append([]ledger.Input{}, list...), in.config[site])
}
