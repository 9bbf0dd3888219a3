package app

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

const (
	// margin is how far before and after a span counters are read, so that its ends lie between two readings.
	margin = 2 * time.Hour
	// lookAhead is how far beyond a span the end of a gap is looked for.
	lookAhead = 45 * 24 * time.Hour
	// usualDays is how long before a gap is looked at for what is usual.
	usualDays = 28
	// estimated is how long a device that is away is taken to go on as usual; then it counts as missing until its counter tells.
	estimated = 7 * 24 * time.Hour
)

// meters are the readings of a district around a span.
type meters struct {
	a      *Accountant
	ctx    context.Context // of the reading; what is usual is read when a gap asks for it
	sp     timegrid.Span
	points map[district.SeriesID][]balance.Point
	gapped map[district.SeriesID]timegrid.Span   // gaps, and stays of cars, that began before the span and ended in it
	beyond map[district.SeriesID][]timegrid.Span // where else samples were looked at: days that tell what is usual, and the readings between which a gap lies
}

// usualKey is a series and the day before which it was looked at.
type usualKey struct {
	series district.SeriesID
	day    time.Time
}

// read returns every series that the balances need: what lies in the span and around it, and beyond that the readings between which a gap lies.
func (a *Accountant) read(ctx context.Context, sp timegrid.Span) (*meters, error) {
	gauges := []district.SeriesID{carbonSeries(a.district.ID)}
	patience := map[district.SeriesID]time.Duration{}
	for site, dev := range a.district.AllDevices {
		maps.Copy(patience, a.counterSeries(dev, site))
		gauges = append(gauges, a.gaugeSeries(dev, site)...)
	}
	return a.readOf(ctx, sp, patience, gauges)
}

// counterSeries returns the counters of a device, and how long each may be silent.
func (a *Accountant) counterSeries(dev *district.Device, site string) map[district.SeriesID]time.Duration {
	out := map[district.SeriesID]time.Duration{}
	for _, q := range a.counters(dev, site) {
		out[dev.Series(a.district.ID, site, q)] = a.patience(dev)
	}
	return out
}

// gaugeSeries returns what else of a device is read.
func (a *Accountant) gaugeSeries(dev *district.Device, site string) (out []district.SeriesID) {
	for _, q := range a.gauges(dev, site) {
		out = append(out, dev.Series(a.district.ID, site, q))
	}
	return out
}

// readOf is [Accountant.read] of some counters, with their patience, and other series.
func (a *Accountant) readOf(ctx context.Context, sp timegrid.Span, counters map[district.SeriesID]time.Duration, others []district.SeriesID) (*meters, error) {
	m := &meters{a: a, ctx: ctx, sp: sp, points: map[district.SeriesID][]balance.Point{}, gapped: map[district.SeriesID]timegrid.Span{}, beyond: map[district.SeriesID][]timegrid.Span{}}
	wide := timegrid.NewSpan(sp.Start.Add(-margin), sp.End.Add(margin))
	err := a.store.Read(ctx, append(slices.Sorted(maps.Keys(counters)), others...), wide, m.note)
	if err == nil {
		err = m.bridge(counters, wide)
	}
	if err != nil {
		return nil, fmt.Errorf("app: read the meters of %s: %w", a.district.ID, err)
	}
	return m, nil
}

func (m *meters) note(s district.Sample) error {
	m.points[s.Series] = append(m.points[s.Series], point(s))
	return nil
}

func point(s district.Sample) balance.Point {
	return balance.Point{Time: s.Time, Value: s.Value, Bad: s.Quality == district.Bad, Guess: s.Quality == district.Substituted}
}

// bridge adds the readings of counters between which a gap lies that begins before the span or ends after it.
func (m *meters) bridge(patience map[district.SeriesID]time.Duration, wide timegrid.Span) error {
	var before, after []district.SeriesID
	for id, gap := range patience {
		pts := m.points[id]
		if first := firstGood(pts); first.IsZero() || first.After(m.sp.Start) {
			before = append(before, id)
		}
		if last := lastGood(pts); last.IsZero() || m.sp.End.Sub(last) > gap {
			after = append(after, id)
		}
	}
	if len(before) > 0 {
		older, err := m.a.store.Latest(m.ctx, before, wide.Start.Add(-time.Microsecond))
		if err != nil {
			return err
		}
		for id, s := range older {
			m.looked(id, instant(s.Time))
			if s.Quality == district.Bad {
				continue // the reading before it is not asked for: the gap is then missing from its begin
			}
			if first := firstGood(m.points[id]); !first.IsZero() && first.Before(m.sp.End) && first.Sub(s.Time) > patience[id] {
				m.gapped[id] = timegrid.NewSpan(s.Time, first)
			}
			m.points[id] = append([]balance.Point{point(s)}, m.points[id]...)
		}
	}
	ahead := timegrid.NewSpan(wide.End, wide.End.Add(lookAhead))
	for _, id := range after {
		if len(m.points[id]) == 0 {
			continue // nothing is known before the gap either
		}
		err := m.a.store.Read(m.ctx, []district.SeriesID{id}, ahead, func(s district.Sample) error {
			if s.Quality == district.Bad {
				return nil
			}
			m.looked(id, instant(s.Time))
			_ = m.note(s)
			return errFound
		})
		if err != nil && !errors.Is(err, errFound) {
			return err
		}
	}
	return nil
}

var errFound = errors.New("found")

// looked notes that samples of a series from outside the span and its margins are behind its rows.
func (m *meters) looked(id district.SeriesID, sp timegrid.Span) {
	m.beyond[id] = append(m.beyond[id], sp)
}

// instant is the span of one sample.
func instant(t time.Time) timegrid.Span { return timegrid.NewSpan(t, t.Add(time.Microsecond)) }

func firstGood(pts []balance.Point) time.Time {
	for _, p := range pts {
		if !p.Bad {
			return p.Time
		}
	}
	return time.Time{}
}

func lastGood(pts []balance.Point) time.Time {
	for i := len(pts) - 1; i >= 0; i-- {
		if !pts[i].Bad {
			return pts[i].Time
		}
	}
	return time.Time{}
}

// reopened returns from when rows before the span must be closed again, because a reading in it has ended a gap, and those readings; the begin of the span where there is none.
func (m *meters) reopened() (from time.Time, ends map[district.SeriesID]time.Time) {
	from, ends = m.sp.Start, map[district.SeriesID]time.Time{}
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	for id, gap := range m.gapped {
		if m.a.filled[id].Equal(gap.End) {
			continue
		}
		ends[id] = gap.End
		if begin := timegrid.Floor(gap.Start, m.a.district.Step); begin.Before(from) {
			from = begin
		}
	}
	return from, ends
}

// patience is how long a device may be silent before that counts as a gap.
func (a *Accountant) patience(dev *district.Device) time.Duration {
	return max(a.district.Step, 3*dev.Poll, a.Patience)
}

// counters returns the counters that a device's energy comes from.
func (a *Accountant) counters(dev *district.Device, site string) (out []string) {
	if dev.Meter != nil {
		if q := a.carrierQuantity(dev); q == district.HeatKWh || q == district.GasM3 {
			return []string{q}
		}
		return nil
	}
	if site == district.DistrictSite && !boundary(dev.Kind) {
		return nil
	}
	in, exp, _ := a.sources(dev)
	if in {
		out = append(out, district.ImportKWh)
	}
	if exp {
		out = append(out, district.ExportKWh)
	}
	return out
}

// gauges returns what else of a device is read: its power where it has no counter, and whether a car is there.
func (a *Accountant) gauges(dev *district.Device, site string) (out []string) {
	if dev.Meter != nil {
		if a.carrierQuantity(dev) == district.HeatKW {
			return []string{district.HeatKW}
		}
		return nil
	}
	if site == district.DistrictSite && !boundary(dev.Kind) {
		return nil
	}
	if _, _, power := a.sources(dev); power {
		out = append(out, district.PowerKW)
	}
	if dev.Kind == district.EVCharger {
		out = append(out, district.Connected)
	}
	return out
}

// sources says what a device's energy comes from: counters where its profile has any, else its power. Devices outside the electrical balance have none.
func (a *Accountant) sources(dev *district.Device) (in, out, power bool) {
	switch dev.Kind {
	case district.Substation, district.GridMeter, district.LoadMeter, district.PV, district.Battery, district.HeatPump, district.WaterHeater, district.EVCharger:
	default:
		return false, false, false
	}
	has := a.has[dev.Profile]
	in, out = has[district.ImportKWh].readable, has[district.ExportKWh].readable
	both := boundary(dev.Kind) || dev.Kind == district.Battery
	if both && !(in && out) {
		return false, false, has[district.PowerKW].readable // one counter of a two-way device tells only half
	}
	return in, out, !in && !out && has[district.PowerKW].readable
}

// carrierQuantity is what a meter of another carrier is counted by: its counter, else its power; empty where it has neither.
func (a *Accountant) carrierQuantity(dev *district.Device) string {
	for _, q := range []string{district.HeatKWh, district.GasM3, district.HeatKW} {
		if a.has[dev.Profile][q].readable && (q == district.GasM3) == (dev.Kind == district.GasMeter) {
			return q
		}
	}
	return ""
}

// electric returns the energies of an electrical device.
func (m *meters) electric(dev *district.Device, site string) (balance.Meter, bool) {
	a := m.a
	d, step := a.district, a.district.Step
	in, out, power := a.sources(dev)
	power = power || m.powerAlone(dev, site)
	if power {
		id := dev.Series(d.ID, site, district.PowerKW)
		energies := func(pts []balance.Point, sp timegrid.Span) [2][]balance.SlotEnergy {
			x := balance.MeterFromPower(dev.Kind, possible(pts, mostKW(dev)), sp, step, time.Hour)
			return [2][]balance.SlotEnergy{x.In, x.Out}
		}
		x := energies(m.points[id], m.sp)
		for i := range x {
			m.fill(dev, x[i], id, i, func(pts []balance.Point, sp timegrid.Span) []balance.SlotEnergy { return energies(pts, sp)[i] })
		}
		return balance.Meter{Kind: dev.Kind, In: x[0], Out: x[1], Part: dev.Lighting != nil}, true
	}
	if !in && !out {
		return balance.Meter{}, false
	}
	x := balance.Meter{Kind: dev.Kind, In: idle(m.sp.Count(step)), Out: idle(m.sp.Count(step)), Part: dev.Lighting != nil}
	if in {
		x.In = m.counter(dev, site, district.ImportKWh, mostKW(dev))
	}
	if out {
		x.Out = m.counter(dev, site, district.ExportKWh, mostKW(dev))
	}
	return x, true
}

// powerAlone reports whether a device that has counters is known by its power alone around the span, such as a meter whose load curve was imported, and reads that.
func (m *meters) powerAlone(dev *district.Device, site string) bool {
	d := m.a.district
	id := dev.Series(d.ID, site, district.PowerKW)
	for _, q := range m.a.counters(dev, site) {
		if len(m.points[dev.Series(d.ID, site, q)]) > 0 {
			return false
		}
	}
	if len(m.points[id]) > 0 || !m.a.has[dev.Profile][district.PowerKW].readable {
		return len(m.points[id]) > 0
	}
	wide := timegrid.NewSpan(m.sp.Start.Add(-margin), m.sp.End.Add(margin))
	if err := m.a.store.Read(m.ctx, []district.SeriesID{id}, wide, m.note); err != nil {
		delete(m.points, id)
	}
	return len(m.points[id]) > 0
}

// carrier returns what a meter of another carrier counted, Wh.
func (m *meters) carrier(dev *district.Device, site string) (balance.CarrierMeter, bool) {
	if dev.Meter == nil {
		return balance.CarrierMeter{}, false
	}
	step := m.a.district.Step
	x := balance.CarrierMeter{Role: dev.Meter.Role}
	switch q := m.a.carrierQuantity(dev); q {
	case district.HeatKWh:
		x.Slots = m.counter(dev, site, q, dev.Meter.MaxKW)
	case district.GasM3:
		most := 0.0
		for _, g := range dev.Meter.Gas {
			most = max(most, dev.Meter.MaxKW/g.KWhPerM3)
		}
		x.Slots = m.counter(dev, site, q, most)
		balance.Scale(x.Slots, m.sp, step, func(at time.Time) (float64, bool) {
			for i := len(dev.Meter.Gas) - 1; i >= 0; i-- {
				if !at.Before(dev.Meter.Gas[i].From) {
					return dev.Meter.Gas[i].KWhPerM3, true
				}
			}
			return 0, false
		})
	case district.HeatKW:
		id := dev.Series(m.a.district.ID, site, q)
		energies := func(pts []balance.Point, sp timegrid.Span) []balance.SlotEnergy {
			size := make([]balance.Point, len(pts)) // cold is negative heat
			for i, p := range pts {
				size[i] = p
				size[i].Value = math.Abs(p.Value)
			}
			return balance.PowerEnergy(size, sp, step, time.Hour)
		}
		x.Slots = energies(m.points[id], m.sp)
		m.fill(dev, x.Slots, id, 0, energies)
	default:
		return x, false
	}
	return x, true
}

// counter returns what a counter counted in each slot, in thousandths of its unit.
func (m *meters) counter(dev *district.Device, site, q string, mostKW float64) []balance.SlotEnergy {
	id, step := dev.Series(m.a.district.ID, site, q), m.a.district.Step
	rule := balance.CounterRule{MaxKW: mostKW, RollsAtKWh: m.a.has[dev.Profile][q].rollsAt, MaxGap: m.a.patience(dev)}
	energies := func(pts []balance.Point, sp timegrid.Span) []balance.SlotEnergy {
		return balance.CounterEnergy(pts, sp, step, rule)
	}
	full := rule
	full.Usual = func(gap timegrid.Span) *balance.Usual { return m.usually(id, 0, gap.Start, energies) }
	slots := balance.CounterEnergy(m.points[id], m.sp, step, full)
	m.fill(dev, slots, id, 0, energies)
	return slots
}

// fill puts what is usual into the slots of a device that is away since not too long.
func (m *meters) fill(dev *district.Device, slots []balance.SlotEnergy, id district.SeriesID, direction int, energies func([]balance.Point, timegrid.Span) []balance.SlotEnergy) {
	last := lastGood(m.points[id])
	if last.IsZero() || m.sp.End.Sub(last) <= m.a.patience(dev) {
		return
	}
	step, first := m.a.district.Step, timegrid.Ceil(m.sp.Start, m.a.district.Step)
	from, to := len(slots), len(slots)
	for i := range slots {
		if !slots[i].Covered && !first.Add(time.Duration(i)*step).Before(last) {
			from = i
			break
		}
	}
	if from == len(slots) {
		return
	}
	if most := int(last.Add(estimated).Sub(first) / step); most < to {
		to = max(from, most)
	}
	at := first.Add(time.Duration(from) * step)
	m.usually(id, direction, last, energies).Fill(slots[from:to], timegrid.NewSpan(at, first.Add(time.Duration(to)*step)), step)
}

// mostUsual bounds what the accountant remembers of what is usual.
const mostUsual = 2000

// usually returns what a series usually tells, by the four weeks before the day of an instant; nil where that cannot be read now: the gap is then filled in another way, and told so.
func (m *meters) usually(id district.SeriesID, direction int, at time.Time, energies func([]balance.Point, timegrid.Span) []balance.SlotEnergy) *balance.Usual {
	d := m.a.district
	day := timegrid.Day(at, d.Zone).Start
	key := usualKey{id + district.SeriesID(rune('0'+direction)), day}
	sp := timegrid.NewSpan(timegrid.Day(day.Add(-usualDays*24*time.Hour), d.Zone).Start, day)
	wide := timegrid.NewSpan(sp.Start.Add(-margin), sp.End)
	m.looked(id, wide)
	m.a.mu.Lock()
	u, ok := m.a.usual[key]
	m.a.mu.Unlock()
	if ok {
		return u
	}
	var pts []balance.Point
	err := m.a.store.Read(m.ctx, []district.SeriesID{id}, wide, func(s district.Sample) error {
		pts = append(pts, point(s))
		return nil
	})
	if err != nil {
		return nil
	}
	u = balance.NewUsual(energies(pts, sp), sp, d.Step, d.Zone)
	m.a.mu.Lock()
	defer m.a.mu.Unlock()
	if len(m.a.usual) >= mostUsual {
		clear(m.a.usual)
	}
	m.a.usual[key] = u
	return u
}

// possible leaves out powers that a device cannot have.
func possible(pts []balance.Point, mostKW float64) []balance.Point {
	out := pts[:0:0]
	for _, p := range pts {
		p.Bad = p.Bad || math.Abs(p.Value) > mostKW
		out = append(out, p)
	}
	return out
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
	case dev.Lighting != nil:
		return 3 * dev.Lighting.RatedKW
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
