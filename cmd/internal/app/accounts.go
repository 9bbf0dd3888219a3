package app

import (
	"context"
	"fmt"
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

// margin is how far before and after a span counters are read, so that its ends lie between two readings.
const margin = 2 * time.Hour

// Accountant computes balance rows of one district from the record and writes them there.
type Accountant struct {
	district *district.District
	store    store.Store
	tariff   *tariff.Tariff
	carbon   *tariff.Carbon
	has      map[string]map[string]bool // quantities of each profile
}

// NewAccountant returns the accountant of a district of the configuration.
func NewAccountant(cfg *config.Config, d *district.District, st store.Store) (*Accountant, error) {
	a := &Accountant{district: d, store: st, tariff: cfg.Tariffs[d.Tariff], carbon: cfg.Sources[d.Carbon], has: map[string]map[string]bool{}}
	if a.tariff == nil {
		return nil, fmt.Errorf("app: district %s: no tariff %q", d.ID, d.Tariff)
	}
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
		a.has[dev.Profile] = map[string]bool{}
		for _, pt := range p.DriverPoints() {
			a.has[dev.Profile][pt.Name] = pt.Readable
		}
	}
	return a, nil
}

// Close computes and stores the rows of every slot that starts in sp. It may be repeated: late data changes what it changes, and nothing else.
func (a *Accountant) Close(ctx context.Context, sp timegrid.Span) error {
	rows, err := a.Rows(ctx, sp)
	if err != nil || len(rows) == 0 {
		return err
	}
	return a.store.SaveBalances(ctx, rows)
}

// Rows computes the rows of every slot that starts in sp: each site's and the district's.
func (a *Accountant) Rows(ctx context.Context, sp timegrid.Span) ([]balance.Row, error) {
	d := a.district
	if sp.Count(d.Step) == 0 {
		return nil, nil
	}
	points, err := a.read(ctx, sp)
	if err != nil {
		return nil, err
	}
	terms, err := a.terms(sp, points)
	if err != nil {
		return nil, err
	}
	var all [][]balance.Row
	var base []savings.SiteBaseline
	for i := range d.Sites {
		site := &d.Sites[i]
		var meters []balance.Meter
		cars := make([]units.WattHours, sp.Count(d.Step))
		for k := range site.Devices {
			dev := &site.Devices[k]
			m, ok := a.meter(dev, site.ID, points, sp)
			if !ok {
				continue
			}
			meters = append(meters, m)
			if dev.Kind == district.EVCharger && dev.EVCharger != nil {
				stays := savings.Sessions(points[dev.Series(d.ID, site.ID, district.Connected)], m.In, sp, d.Step)
				for t, wh := range savings.Uncontrolled(stays, sp, d.Step, dev.EVCharger.MaxKW) {
					cars[t] += wh
				}
			}
		}
		rows := balance.Site(d.ID, site.ID, meters, sp, d.Step, terms)
		all = append(all, rows)
		base = append(base, savings.SiteBaseline{Rows: rows, Cars: cars})
	}
	whole := balance.District(d.ID, all, sp, d.Step, terms)
	savings.Fill(whole, base, terms)
	var stations []balance.Meter
	for i := range d.Devices {
		if dev := &d.Devices[i]; boundary(dev.Kind) {
			if m, ok := a.meter(dev, district.DistrictSite, points, sp); ok {
				stations = append(stations, m)
			}
		}
	}
	balance.Station(whole, stations)
	out := make([]balance.Row, 0, (len(all)+1)*len(whole))
	for t := range whole {
		if whole[t].Coverage == 0 {
			continue // nothing was measured: no row says zero where nobody looked
		}
		out = append(out, whole[t])
		for _, rows := range all {
			out = append(out, rows[t])
		}
	}
	return out, nil
}

// read returns every series that the balance needs, as points.
func (a *Accountant) read(ctx context.Context, sp timegrid.Span) (map[district.SeriesID][]balance.Point, error) {
	d := a.district
	ids := []district.SeriesID{carbonSeries(d.ID)}
	for site, dev := range d.AllDevices {
		if site == district.DistrictSite && !boundary(dev.Kind) {
			continue
		}
		in, out, power := a.sources(dev)
		for q, wanted := range map[string]bool{district.ImportKWh: in, district.ExportKWh: out, district.PowerKW: power, district.Connected: dev.Kind == district.EVCharger} {
			if wanted {
				ids = append(ids, dev.Series(d.ID, site, q))
			}
		}
	}
	points := map[district.SeriesID][]balance.Point{}
	wide := timegrid.NewSpan(sp.Start.Add(-margin), sp.End.Add(margin))
	err := a.store.Read(ctx, ids, wide, func(s district.Sample) error {
		points[s.Series] = append(points[s.Series], balance.Point{Time: s.Time, Value: s.Value, Bad: s.Quality == district.Bad, Guess: s.Quality == district.Substituted})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("app: read the meters of %s: %w", d.ID, err)
	}
	return points, nil
}

// boundary reports whether a device of the district itself meters what passes its boundary.
func boundary(k district.Kind) bool { return k == district.Substation || k == district.GridMeter }

// sources says what a device's energy comes from: counters where its profile has any, else its power. Devices outside the electrical balance have none.
func (a *Accountant) sources(dev *district.Device) (in, out, power bool) {
	switch dev.Kind {
	case district.Substation, district.GridMeter, district.LoadMeter, district.PV, district.Battery, district.HeatPump, district.WaterHeater, district.EVCharger:
	default:
		return false, false, false
	}
	has := a.has[dev.Profile]
	in, out = has[district.ImportKWh], has[district.ExportKWh]
	both := boundary(dev.Kind) || dev.Kind == district.Battery
	if both && !(in && out) {
		return false, false, has[district.PowerKW] // one counter of a two-way device tells only half
	}
	return in, out, !in && !out && has[district.PowerKW]
}

func (a *Accountant) meter(dev *district.Device, site string, points map[district.SeriesID][]balance.Point, sp timegrid.Span) (balance.Meter, bool) {
	step := a.district.Step
	in, out, power := a.sources(dev)
	if power {
		return balance.MeterFromPower(dev.Kind, points[dev.Series(a.district.ID, site, district.PowerKW)], sp, step, time.Hour), true
	}
	if !in && !out {
		return balance.Meter{}, false
	}
	rule := balance.CounterRule{MaxKW: mostKW(dev)}
	m := balance.Meter{Kind: dev.Kind, In: idle(sp.Count(step)), Out: idle(sp.Count(step))}
	if in {
		m.In = balance.CounterEnergy(points[dev.Series(a.district.ID, site, district.ImportKWh)], sp, step, rule)
	}
	if out {
		m.Out = balance.CounterEnergy(points[dev.Series(a.district.ID, site, district.ExportKWh)], sp, step, rule)
	}
	return m, true
}

// mostKW is a power that the device cannot reach: what passes it is no energy but another meter.
func mostKW(dev *district.Device) float64 {
	switch {
	case dev.PV != nil:
		return 3 * dev.PV.PeakKW
	case dev.Battery != nil:
		return 3 * max(dev.Battery.ChargeKW, dev.Battery.DischargeKW)
	case dev.HeatPump != nil:
		return 5 * dev.HeatPump.MaxKW
	case dev.WaterHeater != nil:
		return 3 * dev.WaterHeater.MaxKW
	case dev.EVCharger != nil:
		return 3 * dev.EVCharger.MaxKW
	}
	return 5000
}

// idle is a direction that a device does not have.
func idle(n int) []balance.SlotEnergy {
	out := make([]balance.SlotEnergy, n)
	for i := range out {
		out[i].Covered = true
	}
	return out
}

// terms returns prices and carbon of the slots. Carbon is the source's own value, else what the record has from within the last two hours, else what the source assumes.
func (a *Accountant) terms(sp timegrid.Span, points map[district.SeriesID][]balance.Point) (balance.Terms, error) {
	var t balance.Terms
	var err error
	if t.ImportPrice, err = a.tariff.Import(sp, a.district.Step); err != nil {
		return t, fmt.Errorf("app: balance of %s: %w", a.district.ID, err)
	}
	if t.ExportPrice, err = a.tariff.Export(sp, a.district.Step); err != nil {
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
