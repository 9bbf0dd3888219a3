package app

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"quartier/cmd/internal/config"
	"quartier/drivers/profile"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/savings"
	"quartier/schemas/store"
	"quartier/schemas/tariff"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Accountant computes balance rows of one district from the record and writes them there.
type Accountant struct {
	district *district.District
	store    store.Store
	tariff   *tariff.Tariff
	carbon   *tariff.Carbon
	priced   *tariff.Tariff                 // for balances: as tariff, with foreseen prices where none was published yet; they are closed again when it is
	has      map[string]map[string]quantity // readable points of each profile
	// Patience is how long a device may be silent before that counts as a gap, where it is longer than a metering step and three of its polls: of a demonstration faster than real time.
	Patience time.Duration
	// Now is the clock by which samples are kept; it matters where the configuration keeps them for a time only.
	Now func() time.Time

	fine time.Duration // for which single samples are kept; 0: for ever

	mu      sync.Mutex
	filled  map[district.SeriesID]time.Time // the reading that ended the last gap, or stay of a car, of a series, after which its rows were closed again
	present map[district.SeriesID]present   // by charger, the car that was there when it was last looked for
	usual   map[usualKey]*balance.Usual     // what was usual before a day
}

// quantity is what the accountant knows of a point of a profile.
type quantity struct {
	readable bool
	rollsAt  float64 // in the stored unit; 0: not known
}

// NewAccountant returns the accountant of a district of the configuration.
func NewAccountant(cfg *config.Config, d *district.District, st store.Store) (*Accountant, error) {
	a := &Accountant{Now: time.Now, fine: fineFor(cfg), district: d, store: st, tariff: cfg.Tariffs[d.Tariff], carbon: cfg.Sources[d.Carbon], has: map[string]map[string]quantity{}, filled: map[district.SeriesID]time.Time{}, present: map[district.SeriesID]present{}, usual: map[usualKey]*balance.Usual{}}
	if a.tariff == nil {
		return nil, fmt.Errorf("app: district %s: no tariff %q", d.ID, d.Tariff)
	}
	a.priced = a.tariff.Estimated()
	if a.carbon == nil {
		return nil, fmt.Errorf("app: district %s: no source of carbon intensity %q", d.ID, d.Carbon)
	}
	for _, dev := range d.AllDevices {
		if a.has[dev.Profile] != nil {
			continue
		}
		p, err := profile.Load(dev.Profile)
		if err != nil {
			return nil, fmt.Errorf("app: device %s: %w", dev.ID, err)
		}
		a.has[dev.Profile] = map[string]quantity{}
		for _, pt := range p.DriverPoints() {
			q := quantity{readable: pt.Readable}
			if own := p.Point(pt.Name); own != nil {
				q.rollsAt = own.RollsAt()
			}
			a.has[dev.Profile][pt.Name] = q
		}
	}
	return a, nil
}

// closePiece is how much is computed at a time: a month of meters is never in memory at once.
const closePiece = 7 * 24 * time.Hour

// Close computes and stores the rows of every slot that starts in sp, and those before it of gaps that a reading in it has ended and of cars that left in it. It may be repeated: late data changes what it
// changes, and nothing else. Rows that rest on samples which are no longer kept stay as they are.
func (a *Accountant) Close(ctx context.Context, sp timegrid.Span) error {
	kept := a.kept()
	if sp.Start.Before(kept) {
		if sp.Start = kept; !sp.Start.Before(sp.End) {
			return nil
		}
	}
	acc, err := a.account(ctx, sp)
	if err != nil || acc == nil {
		return err
	}
	if err := a.save(ctx, acc); err != nil {
		return err
	}
	from, ends := acc.meters.reopened()
	if from.Before(kept) {
		from = kept
	}
	for at := from; at.Before(sp.Start); at = at.Add(closePiece) {
		end := at.Add(closePiece)
		if end.After(sp.Start) {
			end = sp.Start
		}
		again, err := a.account(ctx, timegrid.NewSpan(at, end))
		if err != nil {
			return err
		}
		if err := a.save(ctx, again); err != nil {
			return err
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.Copy(a.filled, ends)
	return nil
}

// kept returns from when on every sample is still there; a zero time where all are.
func (a *Accountant) kept() time.Time {
	if a.fine <= 0 {
		return time.Time{}
	}
	return timegrid.Ceil(a.Now().Add(-a.fine), 24*time.Hour).Add(24 * time.Hour) // what is removed ends at a day of UTC, and its last slot needs the readings around it
}

func (a *Accountant) save(ctx context.Context, acc *account) error {
	if len(acc.rows) > 0 {
		if err := a.store.SaveBalances(ctx, acc.rows); err != nil {
			return err
		}
	}
	if len(acc.carriers) > 0 {
		return a.store.SaveCarriers(ctx, acc.carriers)
	}
	return nil
}

// CloseAccounts computes and stores the rows of a span of one district, for a command beside the service.
func CloseAccounts(ctx context.Context, cfg *config.Config, st store.Store, d *district.District, sp timegrid.Span) error {
	a, err := NewAccountant(cfg, d, st)
	if err != nil {
		return err
	}
	if kept := a.kept(); sp.Start.Before(kept) {
		return fmt.Errorf("single samples are kept for %g days (record.fine_days), and rows from before %s rest on others: they stay as they are", cfg.File.Record.FineDays, kept.Format(time.RFC3339))
	}
	return a.closeAll(ctx, sp)
}

// closeAll is [Accountant.Close] piece by piece.
func (a *Accountant) closeAll(ctx context.Context, sp timegrid.Span) error {
	for at := sp.Start; at.Before(sp.End); at = at.Add(closePiece) {
		end := at.Add(closePiece)
		if end.After(sp.End) {
			end = sp.End
		}
		if err := a.Close(ctx, timegrid.NewSpan(at, end)); err != nil {
			return err
		}
	}
	return nil
}

// Rows computes the electrical rows of every slot that starts in sp: each site's and the district's.
func (a *Accountant) Rows(ctx context.Context, sp timegrid.Span) ([]balance.Row, error) {
	acc, err := a.account(ctx, sp)
	if err != nil || acc == nil {
		return nil, err
	}
	return acc.rows, nil
}

// Carriers computes the rows of the other carriers of every slot that starts in sp.
func (a *Accountant) Carriers(ctx context.Context, sp timegrid.Span) ([]balance.CarrierRow, error) {
	acc, err := a.account(ctx, sp)
	if err != nil || acc == nil {
		return nil, err
	}
	return acc.carriers, nil
}

// account is the rows of a span, and the readings that they were made of.
type account struct {
	meters   *meters
	rows     []balance.Row
	cars     map[string][]units.WattHours // by site, in its rows: what its cars would have taken on arrival
	carriers []balance.CarrierRow
}

// account computes the rows of every slot that starts in sp; nil without a slot.
func (a *Accountant) account(ctx context.Context, sp timegrid.Span) (*account, error) {
	d := a.district
	if sp.Count(d.Step) == 0 {
		return nil, nil
	}
	m, err := a.read(ctx, sp)
	if err != nil {
		return nil, err
	}
	terms, err := a.terms(sp, m.points)
	if err != nil {
		return nil, err
	}
	out := &account{meters: m, cars: map[string][]units.WattHours{}}
	if err := out.electric(terms); err != nil {
		return nil, err
	}
	out.carriers = a.carriers(m)
	return out, ctx.Err()
}

// electric computes the electrical rows.
func (acc *account) electric(terms balance.Terms) error {
	m := acc.meters
	d, sp := m.a.district, m.sp
	var all [][]balance.Row
	var base []savings.SiteBaseline
	for i := range d.Sites {
		site := &d.Sites[i]
		var list []balance.Meter
		cars := make([]units.WattHours, sp.Count(d.Step))
		for k := range site.Devices {
			dev := &site.Devices[k]
			x, ok := m.electric(dev, site.ID)
			if !ok {
				continue
			}
			list = append(list, x)
			if dev.Kind == district.EVCharger && dev.EVCharger != nil {
				moved, err := m.onArrival(dev, site.ID, x.In)
				if err != nil {
					return err
				}
				for t, wh := range moved {
					cars[t] += wh
				}
			}
		}
		rows := balance.Site(d.ID, site.ID, list, sp, d.Step, terms)
		all = append(all, rows)
		base = append(base, savings.SiteBaseline{Rows: rows, Cars: cars})
	}
	whole := balance.District(d.ID, all, sp, d.Step, terms)
	savings.Fill(whole, base, terms)
	var stations []balance.Meter
	for i := range d.Devices {
		if dev := &d.Devices[i]; boundary(dev.Kind) {
			if x, ok := m.electric(dev, district.DistrictSite); ok {
				stations = append(stations, x)
			}
		}
	}
	balance.Station(whole, stations)
	acc.rows = make([]balance.Row, 0, (len(all)+1)*len(whole))
	for t := range whole {
		if whole[t].Coverage == 0 {
			continue // nothing was measured: no row says zero, or what is usual, where nobody looked
		}
		acc.rows = append(acc.rows, whole[t])
		for k, rows := range all {
			acc.rows = append(acc.rows, rows[t])
			acc.cars[rows[t].Site] = append(acc.cars[rows[t].Site], base[k].Cars[t])
		}
	}
	return nil
}

// carriers computes the rows of every other carrier that the district meters.
func (a *Accountant) carriers(m *meters) []balance.CarrierRow {
	d := a.district
	names := map[balance.Carrier]bool{}
	bySite := map[string]map[balance.Carrier][]balance.CarrierMeter{}
	for site, dev := range d.AllDevices {
		x, ok := m.carrier(dev, site)
		if !ok {
			continue
		}
		c := balance.Carrier(dev.Meter.Carrier)
		names[c] = true
		if bySite[site] == nil {
			bySite[site] = map[balance.Carrier][]balance.CarrierMeter{}
		}
		bySite[site][c] = append(bySite[site][c], x)
	}
	var out []balance.CarrierRow
	for c := range names {
		var sites [][]balance.CarrierRow
		for i := range d.Sites {
			if list := bySite[d.Sites[i].ID][c]; len(list) > 0 {
				sites = append(sites, balance.CarrierSite(d.ID, d.Sites[i].ID, c, list, m.sp, d.Step))
			}
		}
		whole := balance.CarrierDistrict(d.ID, c, sites, bySite[district.DistrictSite][c], m.sp, d.Step)
		for t := range whole {
			if whole[t].Coverage == 0 {
				continue
			}
			out = append(out, whole[t])
			for _, rows := range sites {
				out = append(out, rows[t])
			}
		}
	}
	slices.SortFunc(out, func(a, b balance.CarrierRow) int {
		return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Site, b.Site), cmp.Compare(a.Carrier, b.Carrier))
	})
	return out
}

// boundary reports whether a device of the district itself meters what passes its boundary.
func boundary(k district.Kind) bool { return k == district.Substation || k == district.GridMeter }

// terms returns prices and carbon of the slots. Carbon is the source's own value, else what the record has from within the last two hours, else what the source assumes.
func (a *Accountant) terms(sp timegrid.Span, points map[district.SeriesID][]balance.Point) (balance.Terms, error) {
	var t balance.Terms
	var err error
	if t.ImportPrice, err = a.priced.Import(sp, a.district.Step); err != nil {
		return t, fmt.Errorf("app: balance of %s: %w", a.district.ID, err)
	}
	if t.ExportPrice, err = a.priced.Export(sp, a.district.Step); err != nil {
		return t, fmt.Errorf("app: balance of %s: %w", a.district.ID, err)
	}
	signal, k := points[carbonSeries(a.district.ID)], 0
	for s := range sp.Slots(a.district.Step) {
		g := a.carbon.GPerKWh
		for k+1 < len(signal) && !signal[k+1].Time.After(s.Start) {
			k++
		}
		if v, ok := carbonOf(a.carbon, s); ok {
			g = v
		} else if k < len(signal) && !signal[k].Time.After(s.Start) && s.Start.Sub(signal[k].Time) <= margin {
			g = signal[k].Value
		}
		t.CarbonG = append(t.CarbonG, g)
	}
	return t, nil
}

func carbonSeries(districtID string) district.SeriesID {
	return district.NewSeriesID(districtID, district.DistrictSite, "carbon", district.CarbonIntensity)
}
