package app

import (
	"context"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"slices"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/drivers/sim"
	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/scheduler"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
	"quartier/testdata"
)

// life is a simulated district under the real scheduler, in simulated time and without a network: every device is read and commanded at once.
type life struct {
	tb    testing.TB
	cfg   *config.Config
	d     *district.District
	w     *sim.World
	s     *scheduler.Scheduler
	now   time.Time
	rows  []balance.Row
	lines []district.Setpoint
	plans int
	errs  []district.ForecastError
	slots map[district.SeriesID][]rollup.Row // what water heaters, heat pumps and inverters were in each slot, and the weather
	count map[sim.Ref]map[string]float64     // counters at the begin of the slot

	costEUR, wearEUR float64
}

// newLife makes the district of a demonstration at an instant.
func newLife(tb testing.TB, name string, index int, start time.Time, keepToPlan bool) *life {
	tb.Helper()
	text, err := fs.ReadFile(testdata.Districts(), name+".yaml")
	if err != nil {
		tb.Fatal(err)
	}
	cfg, err := config.Parse(name+".yaml", text, ConfigOptions())
	if err != nil {
		tb.Fatal(err)
	}
	about, err := fs.ReadFile(testdata.Districts(), name+".sim.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	desc, err := sim.ParseDescription(name+".sim.yaml", about)
	if err != nil {
		tb.Fatal(err)
	}
	l := &life{tb: tb, cfg: cfg, d: &cfg.Districts[index], now: start, count: map[sim.Ref]map[string]float64{}, slots: map[district.SeriesID][]rollup.Row{}}
	for id := range desc.Districts {
		if id != l.d.ID {
			delete(desc.Districts, id)
		}
	}
	if l.w, err = sim.New(sim.WorldConfig{Districts: cfg.Districts[index : index+1], Description: desc, Traces: testdata.Traces(), Start: l.now}); err != nil {
		tb.Fatal(err)
	}
	sc := schedulerConfig(cfg, l.d, NewClock(start, 1))
	sc.Live, sc.Store, sc.Log, sc.KeepToPlan = l, l, slog.New(slog.DiscardHandler), keepToPlan
	sc.Now, sc.Wall = func() time.Time { return l.now }, func() time.Time { return l.now }
	drv := map[sim.Ref]drivers.Driver{}
	for site, dev := range l.d.AllDevices {
		prof, err := profile.Load(dev.Profile)
		if err != nil {
			tb.Fatal(err)
		}
		ref := sim.Ref{District: l.d.ID, Site: site, Device: dev.ID}
		ctl, ok := prof.ControlFor(*dev)
		drv[ref] = &simulated{l: l, ref: ref, ctl: ctl, has: ok}
	}
	sc.Driver = func(site, device string) (drivers.Driver, bool) {
		d, ok := drv[sim.Ref{District: l.d.ID, Site: site, Device: device}]
		return d, ok
	}
	sc.Plan = func(ctx context.Context, p *problem.Problem, previous *problem.Solution) (*problem.Solution, error) {
		l.plans++
		return optimizer.Plan(ctx, p, optimizer.Settings{TimeLimit: 2 * time.Second, Gap: 0.01, Previous: previous, Workers: 1})
	}
	if l.s, err = scheduler.New(sc); err != nil {
		tb.Fatal(err)
	}
	l.slot()
	return l
}

// past are the balances of days in which every device was under its own control.
func past(tb testing.TB, name string, index int, end time.Time, days int) []balance.Row {
	tb.Helper()
	l := newLife(tb, name, index, end.AddDate(0, 0, -days), true)
	for l.now.Before(end) {
		l.now = l.now.Add(l.d.Step)
		l.w.Advance(l.now)
		l.slot()
	}
	return l.rows
}

// simulated is a device without a wire.
type simulated struct {
	drivers.Driver
	l   *life
	ref sim.Ref
	ctl drivers.Control
	has bool
}

func (s *simulated) Control() (drivers.Control, bool) { return s.ctl, s.has }
func (s *simulated) Points() []drivers.Point          { return nil }
func (s *simulated) Write(_ context.Context, point string, v float64) (drivers.Reading, error) {
	err := s.l.w.Command(s.ref, s.ctl.Quantity, v, s.ctl.Reversion, nil)
	return drivers.Reading{Point: point, Value: v}, err
}
func (s *simulated) Release(context.Context) (drivers.Reading, error) {
	return drivers.Reading{Point: s.ctl.Point, Value: s.ctl.Safe}, s.l.w.Release(s.ref)
}

// Latest implements observe.Live.
func (l *life) Latest(id district.SeriesID) (district.Sample, bool) {
	d, site, device, quantity, ok := id.Parts()
	if !ok {
		return district.Sample{}, false
	}
	v, ok := l.w.Value(sim.Ref{District: d, Site: site, Device: device}, quantity)
	return district.Sample{Series: id, Time: l.now, Value: v}, ok
}

func (l *life) Balances(_ context.Context, _, _ string, sp timegrid.Span) ([]balance.Row, error) {
	i, _ := slices.BinarySearchFunc(l.rows, sp.Start, func(r balance.Row, t time.Time) int { return r.Start.Compare(t) })
	j, _ := slices.BinarySearchFunc(l.rows, sp.End, func(r balance.Row, t time.Time) int { return r.Start.Compare(t) })
	return l.rows[i:j], nil
}

func (l *life) Read(_ context.Context, series []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	for _, id := range series {
		_, _, device, _, _ := id.Parts()
		for t := sp.Start; t.Before(sp.End); t = t.Add(l.d.Step) {
			v, ok := l.w.Outdoor(l.d.ID, t)
			if device == "carbon" {
				v, _, ok = l.w.Carbon(l.d.ID, t)
			}
			if !ok {
				continue
			}
			if err := yield(district.Sample{Series: id, Time: t, Value: v}); err != nil {
				return err
			}
		}
	}
	return nil
}
func (l *life) SavePlan(context.Context, *district.Plan) (int64, error) { return int64(l.plans), nil }
func (l *life) AppendSetpoints(_ context.Context, sps []district.Setpoint) error {
	l.lines = append(l.lines, sps...)
	return nil
}
func (l *life) SaveForecastErrors(_ context.Context, rows []district.ForecastError) error {
	l.errs = append(l.errs, rows...)
	return nil
}
func (l *life) ForecastErrors(context.Context, string, timegrid.Span) ([]district.ForecastError, error) {
	return nil, nil
}
func (l *life) SaveOutlooks(context.Context, []district.Outlook) error { return nil }
func (l *life) Outlooks(context.Context, string, timegrid.Span) ([]district.Outlook, error) {
	return nil, nil
}

// slot closes the accounts of the slot that ended now, and counts what it cost at the district's boundary.
func (l *life) slot() {
	net, first := 0.0, len(l.count) == 0
	energy := func(site string, dev *district.Device) (in, out float64) {
		ref := sim.Ref{District: l.d.ID, Site: site, Device: dev.ID}
		if l.count[ref] == nil {
			l.count[ref] = map[string]float64{}
		}
		of := func(q string) float64 {
			v, _ := l.w.Value(ref, q)
			was := l.count[ref][q]
			l.count[ref][q] = v
			return v - was
		}
		return of(district.ImportKWh), of(district.ExportKWh)
	}
	start := l.now.Add(-l.d.Step)
	for i := range l.d.Sites {
		site := &l.d.Sites[i]
		r := balance.Row{District: l.d.ID, Site: site.ID, Start: start, Step: l.d.Step, Coverage: 1}
		other := 0.0
		for k := range site.Devices {
			dev := &site.Devices[k]
			in, out := energy(site.ID, dev)
			switch dev.Kind {
			case district.GridMeter:
				other += in - out
				net += in - out
			case district.PV:
				other -= in - out
				r.ProductionWh += units.Energy(out).WattHours()
				if !first {
					l.keep(dev.Series(l.d.ID, site.ID, district.PowerKW), start, rollup.Row{Integral: in - out})
				}
			case district.Battery:
				other -= in - out
				if dev.Battery != nil {
					l.wearEUR += (in + out) * dev.Battery.WearCostPerKWh
				}
			case district.EVCharger:
				other -= in - out
			case district.HeatPump, district.WaterHeater:
				other -= in - out
				if quantity := map[district.Kind]string{district.HeatPump: district.IndoorC, district.WaterHeater: district.TankC}[dev.Kind]; !first {
					c, _ := l.w.Value(sim.Ref{District: l.d.ID, Site: site.ID, Device: dev.ID}, quantity)
					l.keep(dev.Series(l.d.ID, site.ID, quantity), start, rollup.Row{Last: c, Integral: c * l.d.Step.Hours()})
					l.keep(dev.Series(l.d.ID, site.ID, district.PowerKW), start, rollup.Row{Integral: in})
				}
			}
		}
		r.OtherWh = units.Energy(math.Max(0, other)).WattHours()
		if !first {
			l.rows = append(l.rows, r)
		}
	}
	if first {
		l.wearEUR = 0
		return
	}
	if c, ok := l.w.Outdoor(l.d.ID, start.Add(l.d.Step/2)); ok {
		l.keep(district.NewSeriesID(l.d.ID, district.DistrictSite, "weather", district.OutdoorC), start, rollup.Row{Last: c, Integral: c * l.d.Step.Hours()})
	}
	span := timegrid.NewSpan(start, l.now)
	tariff := l.cfg.Tariffs[l.d.Tariff]
	buy, err := tariff.Import(span, l.d.Step)
	if err != nil {
		l.tb.Fatal(err)
	}
	sell, err := tariff.Export(span, l.d.Step)
	if err != nil {
		l.tb.Fatal(err)
	}
	if net > 0 {
		l.costEUR += net * buy[0]
	} else {
		l.costEUR += net * sell[0]
	}
}

// keep keeps what a series was in the slot from start to now.
func (l *life) keep(id district.SeriesID, start time.Time, r rollup.Row) {
	r.Series, r.Start, r.End, r.Samples, r.Held = id, start, l.now, 1, l.d.Step
	l.slots[id] = append(l.slots[id], r)
}

func (l *life) Rollup(_ context.Context, series []district.SeriesID, sp timegrid.Span, _ rollup.Step, _ *time.Location, yield func(rollup.Row) error) error {
	for _, id := range series {
		for _, r := range l.slots[id] {
			if sp.Contains(r.Start) {
				if err := yield(r); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// live lets days pass, with a plan and a round of dispatch so often.
func (l *life) live(days float64, replan, round time.Duration) {
	end := l.now.Add(time.Duration(days * 24 * float64(time.Hour)))
	for l.now.Before(end) {
		if l.now.Equal(l.now.Truncate(replan)) {
			if _, err := l.s.Replan(l.tb.Context()); err != nil {
				l.tb.Fatal(err)
			}
		}
		l.s.Dispatch(l.tb.Context())
		l.now = l.now.Add(round)
		l.w.Advance(l.now)
		if l.now.Equal(l.now.Truncate(l.d.Step)) {
			l.slot()
		}
	}
}

// storedKWh is what is in all batteries, at the meter.
func (l *life) storedKWh() (kwh float64) {
	for site, dev := range l.d.AllDevices {
		if dev.Battery != nil {
			soc, _ := l.w.Value(sim.Ref{District: l.d.ID, Site: site, Device: dev.ID}, district.SOC)
			kwh += soc * dev.Battery.CapacityKWh * dev.Battery.DischargeEfficiency
		}
	}
	return kwh
}

// total is what it cost, wear and what is stored less than at the begin included.
func (l *life) total(storedBefore, pricePerKWh float64) float64 {
	return l.costEUR + l.wearEUR + (storedBefore-l.storedKWh())*pricePerKWh
}

// compare lives the same days twice: with batteries that keep to the plan and forecasts that do not learn, and with those that answer.
func compare(tb testing.TB, name string, index int, start time.Time, history int, days float64, replan, round time.Duration) (before, after float64, l [2]*life) {
	var cost [2]float64
	rows := past(tb, name, index, start, history)
	for i, keep := range []bool{true, false} {
		l[i] = newLife(tb, name, index, start, keep)
		l[i].rows = slices.Clone(rows)
		if !keep {
			if err := l[i].s.Learn(tb.Context()); err != nil {
				tb.Fatal(err)
			}
		}
		stored := l[i].storedKWh()
		l[i].live(days, replan, round)
		cost[i] = l[i].total(stored, 0.18)
	}
	return cost[0], cost[1], l
}

// TestAnsweringCostsNoMore: a home whose battery answers what comes costs no more over simulated days than one whose battery keeps to the plan, and the ledger tells of it.
func TestAnsweringCostsNoMore(t *testing.T) {
	before, after, l := compare(t, "small", 0, time.Date(2026, 3, 10, 0, 0, 0, 0, time.UTC), 12, 1.5, time.Hour, time.Minute)
	t.Logf("%.2f EUR as planned, %.2f EUR answering; %d and %d lines", before, after, len(l[0].lines), len(l[1].lines))
	if after > before+0.01 {
		t.Errorf("%.2f EUR where batteries answer, %.2f EUR where they keep to the plan", after, before)
	}
	if len(l[1].errs) == 0 {
		t.Error("no errors of forecasts were counted")
	}
}

// BenchmarkAnswering compares control that answers with control that keeps to the plan, on the demonstration's district in winter, spring and summer.
func BenchmarkAnswering(b *testing.B) {
	for _, start := range []time.Time{time.Date(2026, 1, 12, 0, 0, 0, 0, time.UTC), time.Date(2026, 4, 13, 0, 0, 0, 0, time.UTC), time.Date(2026, 7, 6, 0, 0, 0, 0, time.UTC)} {
		b.Run(start.Format("2006-01"), func(b *testing.B) {
			for b.Loop() {
				before, after, l := compare(b, "demo", 0, start, 30, 2, time.Hour, time.Minute)
				b.ReportMetric(before, "EUR_as_planned")
				b.ReportMetric(after, "EUR_answering")
				b.ReportMetric(float64(len(l[1].lines)), "lines")
				fmt.Printf("%s: cost %.2f + wear %.2f, %.2f + %.2f\n", start.Format("2006-01"), l[0].costEUR, l[0].wearEUR, l[1].costEUR, l[1].wearEUR)
			}
		})
	}
}
