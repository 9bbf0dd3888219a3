package sim

import (
	"fmt"
	"math"
	"sort"
	"time"

	"quartier/drivers/sim/trace"
	"quartier/schemas/district"
)

var freezable = func() []string {
	var names []string
	for _, q := range district.Quantities() {
		names = append(names, q.Name)
	}
	return append(names, "on_off", "current_a", "cell_c", "transformer_c")
}()

// districtState is one district: its weather, its sites, its own devices.
type districtState struct {
	d     *district.District
	desc  DistrictSim
	place trace.Place
	set   *trace.Set

	outdoor, ghi *trace.Series
	recorded     []float64 // monthly means of the recorded outdoor temperature
	carbonSet    *trace.Set
	carbon       *trace.Series

	sites      []*siteState
	substation []*substation
	own        []physics // weather, heat meters
	moments    map[*trace.Set]trace.Moment
	at         time.Time // of moments
}

// siteState is one site: its load and its machines in the order in which they act.
type siteState struct {
	id       string
	load     func(t time.Time) (kw float64, substituted bool)
	meanKW   float64
	loads    []*meter
	machines []physics // all but batteries and meters
	storage  []*battery
	grid     []*meter
	heat     []physics
	netKW    float64
	loadKW   float64
	sub      bool
}

// moment maps an instant into a set, once per instant.
func (d *districtState) moment(s *trace.Set, t time.Time) trace.Moment {
	if !d.at.Equal(t) {
		clear(d.moments)
		d.at = t
	}
	m, ok := d.moments[s]
	if !ok {
		m = s.Moment(t, d.place)
		d.moments[s] = m
	}
	return m
}

// weather returns outdoor temperature, °C, and global horizontal irradiance, W/m².
func (d *districtState) weather(t time.Time) (outdoorC, ghi float64, substituted bool) {
	m := d.moment(d.set, t)
	c, q := d.outdoor.Between(m)
	substituted = q != district.Good
	if len(d.desc.ClimateC) == 12 {
		gain := d.desc.AnomalyGain
		if gain == 0 {
			gain = 1
		}
		c = seasonal(d.desc.ClimateC, t) + gain*(c-seasonal(d.recorded, m.Sun))
	}
	g, q := d.ghi.Between(m)
	if g > 0 {
		g *= d.relocate(d.set, m, t, 0)
	}
	return c, math.Max(0, g), substituted || q != district.Good
}

// relocate is the factor from a set's sun to the district's, see package comment.
func (d *districtState) relocate(s *trace.Set, m trace.Moment, t time.Time, tilt float64) float64 {
	if math.Abs(s.Latitude-d.place.Latitude) <= 1 {
		return 1
	}
	solarTime := t.UTC().Add(time.Duration(d.place.Longitude / 15 * float64(time.Hour)))
	hour := float64(solarTime.Hour()) + float64(solarTime.Minute())/60 + float64(solarTime.Second())/3600
	return relocate(s.Latitude, d.place.Latitude, tilt, m.Day.YearDay(), solarTime.YearDay(), hour)
}

func (d *districtState) advance(now time.Time, step time.Duration) {
	middle := now.Add(step / 2)
	c, ghi, sub := d.weather(middle)
	e := env{now: now, middle: middle, local: middle.In(d.place.Zone), step: step, hours: step.Hours(), outdoorC: c, ghi: ghi, substituted: sub}
	total := 0.0
	for _, s := range d.sites {
		s.advance(&e)
		total += s.netKW
	}
	for _, s := range d.substation {
		s.kw = total
		s.advance(&e)
	}
	for _, p := range d.own {
		p.base().sub = sub
		p.advance(&e)
	}
}

func (s *siteState) advance(e *env) {
	kw, sub := s.load(e.middle)
	e.activity = 1
	if s.meanKW > 0 {
		e.activity = kw / s.meanKW
	}
	s.sub, s.loadKW = sub, kw
	net := kw
	for _, m := range s.machines {
		m.advance(e)
		net += m.base().powerKW
		sub = sub || m.base().sub
	}
	for _, b := range s.storage {
		e.siteKW = net
		b.advance(e)
		net += b.powerKW
	}
	for _, m := range s.loads {
		m.kw, m.sub = kw, s.sub
		m.advance(e)
	}
	s.netKW = net
	for _, m := range s.grid {
		m.kw, m.sub = net, sub
		m.advance(e)
	}
	for _, h := range s.heat {
		h.advance(e)
	}
}

// loadOf makes the load of a site from its description: the weighted sum of recorded homes, scaled to its yearly energy, shaped by opening
// hours, with a variation within the hour whose mean over each recorded slot is nought.
func (d *districtState) loadOf(set *trace.Set, desc LoadSim, seed uint64) (func(time.Time) (float64, bool), error) {
	type part struct {
		s *trace.Series
		w float64
	}
	if desc.YearlyKWh == 0 {
		return func(time.Time) (float64, bool) { return 0, false }, nil
	}
	var parts []part
	mean := 0.0
	names := make([]string, 0, len(desc.Homes))
	for name := range desc.Homes {
		names = append(names, name)
	}
	sort.Strings(names) // the order of a sum is part of its value
	for _, name := range names {
		s, err := set.Series(name)
		if err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
		parts = append(parts, part{s, desc.Homes[name]})
		m, _ := s.Mean()
		mean += desc.Homes[name] * m
	}
	if mean <= 0 {
		return nil, fmt.Errorf("load: the recorded homes %q have no consumption to scale to %g kWh", names, desc.YearlyKWh)
	}
	scale := desc.YearlyKWh / 8760 / mean / desc.Opening.meanShare()
	amplitude := math.Max(0.03, 0.3/math.Sqrt(math.Max(1, desc.YearlyKWh/3000)))
	return func(t time.Time) (float64, bool) {
		m := d.moment(set, t)
		kw, sub := 0.0, false
		for _, p := range parts {
			v, q := p.s.At(m)
			kw += p.w * v
			sub = sub || q != district.Good
		}
		slot, u := parts[0].s.Slot(m)
		h := mix(seed, uint64(slot))
		r := 0.0
		for i, k := range [3]float64{3, 7, 17} { // whole waves per slot, so nothing is added to its energy
			r += math.Sin(2 * math.Pi * (k*u + unit01(mix(h, uint64(i)))))
		}
		kw *= scale * (1 + amplitude*r/1.8)
		return kw * desc.Opening.share(t.In(d.place.Zone)), sub
	}, nil
}

func (o *Opening) share(local time.Time) float64 {
	if o == nil {
		return 1
	}
	day := local.Weekday()
	open := o.Days == "all" || day != time.Sunday && (day != time.Saturday || o.Days == "weekdays_saturday")
	h := float64(local.Hour()) + float64(local.Minute())/60
	if open && h >= o.FromHour && h < o.ToHour {
		return 1
	}
	return o.ClosedShare
}

// meanShare is the mean of share over a week.
func (o *Opening) meanShare() float64 {
	if o == nil {
		return 1
	}
	sum := 0.0
	monday := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := 0; i < 7*96; i++ {
		sum += o.share(monday.Add(time.Duration(i) * 15 * time.Minute))
	}
	return sum / (7 * 96)
}
