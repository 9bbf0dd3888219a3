package balance

import (
	"cmp"
	"slices"
	"time"

	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// Day is the rows of one carrier of a site, or of a whole district, in a civil day added up: all that balances, indicators and the positive-energy balance of days, months and years need to
// know of the slots. Of the row in it, Start and Step are those of the civil day, energies are sums, Method holds that of every slot, and Coverage is the share of the day that was measured.
type Day struct {
	CarrierRow
	DemandWh     units.WattHours // consumed beyond what was converted from another carrier, slot by slot
	Netted       Passed          // netted in each slot
	NettedHour   Passed          // netted in each clock hour of UTC
	CoveredHours float64         // hours of the slots, each by its coverage
	Slots        int
	Estimated    int       // slots with an estimate
	Sites        int       // whose rows were netted with each other; 1: of one site or a whole district
	Electric     *Electric // of electricity; nil: another carrier
}

// Electric is what a [Day] knows of electricity beside what it knows of every carrier.
type Electric struct {
	Total           Total
	Match           Match
	WithoutCars     Passed // as Netted, had no car been charged, see [Row.WithoutCars]
	WithoutCarsHour Passed // the same netted in each clock hour
}

// Passed is what passed the boundary.
type Passed struct{ DeliveredWh, ExportedWh units.WattHours }

// add adds what passed, net.
func (p *Passed) add(net units.WattHours) {
	if net > 0 {
		p.DeliveredWh += net
	} else {
		p.ExportedWh -= net
	}
}

// End returns when the day ends.
func (d *Day) End() time.Time { return d.Start.Add(d.Step) }

func (d *Day) add(r *CarrierRow) {
	d.Add(r)
	d.DemandWh += r.ConsumedWh - min(r.ConsumedWh, r.ConvertedWh)
	d.Netted.add(r.DeliveredWh - r.ExportedWh)
	d.CoveredHours += r.Coverage * r.Step.Hours()
	d.Coverage = d.CoveredHours / d.Step.Hours()
	d.Slots++
	if r.Substituted() {
		d.Estimated++
	}
}

// open is the day of a site and carrier that rows are being added to.
type open struct {
	day   *Day
	group time.Time // the clock hour that is netted
	net   units.WattHours
	cars  units.WattHours // in the same hour
	hour  clockHour
}

func (o *open) settle() {
	if o.day != nil {
		o.day.NettedHour.add(o.net)
		if e := o.day.Electric; e != nil {
			e.WithoutCarsHour.add(o.net - o.cars)
		}
	}
	o.net, o.cars = 0, 0
}

// adder adds rows up by day, site and carrier.
type adder struct {
	zone *time.Location
	day  timegrid.Span
	at   map[adderKey]*open
	days []*Day
}

type adderKey struct {
	district, site string
	carrier        Carrier
}

func (a *adder) add(r *CarrierRow, electric *Row) {
	if !a.day.Contains(r.Start) {
		a.day = timegrid.Day(r.Start, a.zone)
		a.day.Start, a.day.End = a.day.Start.UTC(), a.day.End.UTC()
	}
	key := adderKey{r.District, r.Site, r.Carrier}
	o := a.at[key]
	if o == nil {
		o = &open{}
		a.at[key] = o
	}
	hour := timegrid.Floor(r.Start, time.Hour)
	if o.day == nil || !o.day.Start.Equal(a.day.Start) {
		o.settle()
		o.day = &Day{CarrierRow: CarrierRow{District: r.District, Site: r.Site, Carrier: r.Carrier, Start: a.day.Start, Step: a.day.Duration()}, Sites: 1}
		if electric != nil {
			o.day.Electric = &Electric{}
		}
		o.group = hour
		a.days = append(a.days, o.day)
	}
	if !hour.Equal(o.group) {
		o.settle()
		o.group = hour
	}
	o.net += r.DeliveredWh - r.ExportedWh
	o.day.add(r)
	if electric != nil {
		e := o.day.Electric
		e.Total.Add(electric)
		m := matchOf(electric)
		e.Match.Merge(&m)
		e.WithoutCars.add(electric.NetWh() - electric.CarsWh)
		o.cars += electric.CarsWh
		o.hour.add(hour, electric, o.day)
	}
}

// Days adds rows of electricity and of other carriers up by civil day of a zone, site and carrier. Rows of a site and carrier must be in order of time. The days are in order of time, then site, then carrier;
// one without rows is left out. A clock hour that midnight cuts, in zones that are no whole hours from UTC, belongs to the day in which it begins where the rows of both days are given, and to none otherwise: see [WholeHours].
func Days(rows []Row, others []CarrierRow, zone *time.Location) []Day {
	a := adder{zone: zone, at: map[adderKey]*open{}}
	for i := range rows {
		r := rows[i].Electric()
		a.add(&r, &rows[i])
	}
	for i := range others {
		a.add(&others[i], nil)
	}
	for _, o := range a.at {
		o.settle()
		o.hour.flush()
	}
	out := make([]Day, len(a.days))
	for i, d := range a.days {
		out[i] = *d
	}
	SortDays(out)
	return out
}

// SortDays sorts days by time, then site, then carrier.
func SortDays(days []Day) {
	slices.SortStableFunc(days, CompareDays)
}

// CompareDays orders days by time, then site, then carrier.
func CompareDays(a, b Day) int {
	return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.Site, b.Site), cmp.Compare(a.Carrier, b.Carrier))
}

// WholeHours reports whether every civil day of a span begins at a full hour of UTC, so that what is known of each of its days is all that is known of them together.
func WholeHours(sp timegrid.Span, zone *time.Location) bool {
	whole := func(t time.Time) bool { return timegrid.Floor(t, time.Hour).Equal(t) }
	for d := range sp.Days(zone) {
		if !whole(d.Start) || !whole(d.End) {
			return false
		}
	}
	return true
}
