package sim

import (
	"fmt"
	"math"
	"strings"
	"time"

	"quartier/drivers/sim/trace"
	"quartier/schemas/district"
)

// newDistrict builds a district with all its devices. It returns every fault that it finds.
func (w *World) newDistrict(d *district.District, desc *Description) (*districtState, []error) {
	s := &districtState{d: d, place: trace.Place{Latitude: d.Latitude, Longitude: d.Longitude, Zone: d.Zone}, moments: make(map[*trace.Set]trace.Moment)}
	if s.place.Zone == nil {
		s.place.Zone = time.UTC
	}
	ds, ok := DistrictSim{}, false
	if desc != nil {
		ds, ok = desc.Districts[d.ID]
	}
	if !ok {
		return s, []error{fmt.Errorf("simulation of district %s: the description does not name it", d.ID)}
	}
	s.desc = ds
	b := builder{w: w, s: s, desc: ds, seed: desc.Seed, d: d}
	b.sky()
	for i := range d.Sites {
		b.site(&d.Sites[i])
	}
	b.ownDevices()
	for id := range ds.Sites {
		if id != district.DistrictSite && d.Site(id) == nil {
			b.bad("site %s: the configuration has no such site", id)
		}
	}
	return s, b.faults
}

type builder struct {
	w      *World
	s      *districtState
	d      *district.District
	desc   DistrictSim
	seed   uint64
	faults []error
}

func (b *builder) bad(format string, args ...any) {
	b.faults = append(b.faults, fmt.Errorf("simulation of district "+b.d.ID+": "+format, args...))
}

func (b *builder) series(set *trace.Set, column, what string) *trace.Series {
	ser, err := set.Series(column)
	if err != nil {
		b.bad("%s: %w", what, err)
	}
	return ser
}

func (b *builder) sky() {
	set, err := b.w.library.Set(b.desc.Set)
	if err != nil {
		b.bad("%w", err)
		return
	}
	outdoor, ghi := b.desc.OutdoorC, b.desc.Irradiance
	if outdoor == "" {
		outdoor = "outdoor_c"
	}
	if ghi == "" {
		ghi = "ghi_w_m2"
	}
	b.s.set = set
	b.s.outdoor, b.s.ghi = b.series(set, outdoor, "outdoor_column"), b.series(set, ghi, "irradiance_column")
	if b.s.outdoor != nil {
		means, complete := b.s.outdoor.MonthlyMeans()
		if len(b.desc.ClimateC) == 12 && !complete {
			b.bad("climate_c: %s of %s lacks a month, so its season is not known", outdoor, set.Name)
		}
		b.s.recorded = means[:]
	}
	if c := b.desc.Carbon; c.Set != "" {
		if b.s.carbonSet, err = b.w.library.Set(c.Set); err != nil {
			b.bad("carbon: %w", err)
		} else {
			b.s.carbon = b.series(b.s.carbonSet, c.Column, "carbon")
		}
	}
}

func (b *builder) site(site *district.Site) {
	desc, ok := b.desc.Sites[site.ID]
	if !ok {
		b.bad("site %s: the description does not name it", site.ID)
		return
	}
	set := b.s.set
	if desc.Set != "" && desc.Set != b.desc.Set {
		var err error
		if set, err = b.w.library.Set(desc.Set); err != nil {
			b.bad("site %s: %w", site.ID, err)
			return
		}
	}
	if set == nil {
		return // reported already
	}
	st := &siteState{id: site.ID, meanKW: desc.Load.YearlyKWh / 8760}
	load, err := b.s.loadOf(set, desc.Load, mix(b.seed, hashText(b.d.ID+"/"+site.ID)))
	if err != nil {
		b.bad("site %s: %w", site.ID, err)
		return
	}
	st.load = load
	b.s.sites = append(b.s.sites, st)
	for i := range site.Devices {
		dev := &site.Devices[i]
		b.device(st, set, site, dev, desc.Devices[dev.ID])
	}
	b.heatMeters(st, site, desc)
	for id := range desc.Devices {
		if b.d.Device(site.ID, id) == nil {
			b.bad("device %s/%s: the configuration has no such device", site.ID, id)
		}
	}
}

func (b *builder) add(ref Ref, p physics) {
	b.w.devices[ref] = &deviceState{physics: p}
	b.w.order = append(b.w.order, ref)
}

func (b *builder) device(st *siteState, set *trace.Set, site *district.Site, dev *district.Device, desc DeviceSim) {
	ref := Ref{b.d.ID, site.ID, dev.ID}
	m := newMachine(ref, dev, b.seed)
	missing := func() { b.bad("device %s: its %s parameters are missing", ref, dev.Kind) }
	switch dev.Kind {
	case district.GridMeter, district.LoadMeter:
		if dev.Lighting != nil {
			x := newLamps(m, dev.Lighting, b.d)
			st.machines = append(st.machines, x)
			b.add(ref, x)
			return
		}
		x := &meter{machine: m}
		if dev.Kind == district.GridMeter {
			st.grid = append(st.grid, x)
		} else {
			st.loads = append(st.loads, x)
		}
		b.add(ref, x)
	case district.PV:
		if dev.PV == nil {
			missing()
			return
		}
		offer := b.offer(ref, set, dev, desc)
		x := newInverter(m, dev.PV, desc, offer)
		st.machines = append(st.machines, x)
		b.add(ref, x)
	case district.Battery:
		if dev.Battery == nil {
			missing()
			return
		}
		x := newBattery(m, dev.Battery, desc)
		st.storage = append(st.storage, x)
		b.add(ref, x)
	case district.HeatPump:
		if dev.HeatPump == nil {
			missing()
			return
		}
		x := newHeatPump(m, dev.HeatPump, desc)
		st.machines = append(st.machines, x)
		b.add(ref, x)
	case district.WaterHeater:
		if dev.WaterHeater == nil {
			missing()
			return
		}
		x := newTank(m, dev.WaterHeater, desc, b.draw(ref, desc))
		st.machines = append(st.machines, x)
		b.add(ref, x)
	case district.EVCharger:
		if dev.EVCharger == nil {
			missing()
			return
		}
		x := newCharger(m, dev.EVCharger)
		x.zone = b.s.place.Zone
		for _, u := range desc.Users {
			list, err := b.w.library.Sessions(u)
			if err != nil {
				b.bad("device %s: %w", ref, err)
				continue
			}
			x.drivers = append(x.drivers, list)
		}
		st.machines = append(st.machines, x)
		b.add(ref, x)
	case district.HeatMeter, district.GasMeter:
		// after the heat pumps, see heatMeters
	default:
		b.bad("device %s: a %s does not stand on a site", ref, dev.Kind)
	}
}

func (b *builder) heatMeters(st *siteState, site *district.Site, desc SiteSim) {
	for i := range site.Devices {
		dev := &site.Devices[i]
		if dev.Kind != district.HeatMeter && dev.Kind != district.GasMeter {
			continue
		}
		ref := Ref{b.d.ID, site.ID, dev.ID}
		if desc := desc.Devices[dev.ID]; desc.BaseKW > 0 || desc.KWPerK > 0 {
			x := &boiler{machine: newMachine(ref, dev, b.seed), baseKW: desc.BaseKW, kwPerK: desc.KWPerK}
			st.heat = append(st.heat, x)
			b.add(ref, x)
			continue
		}
		of := b.w.devices[Ref{b.d.ID, site.ID, desc.Devices[dev.ID].Of}]
		if of == nil {
			b.bad("device %s: of %q names no heat pump of its site", ref, desc.Devices[dev.ID].Of)
			continue
		}
		hp, ok := of.physics.(*heatPump)
		if !ok {
			b.bad("device %s: of %q names no heat pump of its site", ref, desc.Devices[dev.ID].Of)
			continue
		}
		x := &heatMeter{machine: newMachine(ref, dev, b.seed), of: hp}
		st.heat = append(st.heat, x)
		b.add(ref, x)
	}
}

// offer makes the recorded yield of a solar plant, kW per kWp.
func (b *builder) offer(ref Ref, set *trace.Set, dev *district.Device, desc DeviceSim) func(*env) (float64, bool) {
	if desc.PVSet != "" {
		var err error
		if set, err = b.w.library.Set(desc.PVSet); err != nil {
			b.bad("device %s: %w", ref, err)
			return nil
		}
	}
	column, perKWp := desc.Column, 1.0
	switch set.Name {
	case trace.CityLearn:
		if column == "" {
			column = "pv_b07_kw_per_kwp"
		}
	case trace.Turin:
		column = "pv_kw_per_kwp"
	case trace.Emhass:
		column, perKWp = "pv_kw", 1/4.5 // the highest power recorded is 4.4 kW
	}
	ser := b.series(set, column, "device "+ref.String())
	if ser == nil {
		return nil
	}
	factor := b.desc.SunFactor
	if factor == 0 || set != b.s.set {
		factor = 1
	}
	tilt := dev.PV.TiltDeg
	if strings.HasPrefix(column, "pv_") && tilt == 0 {
		tilt = 20
	}
	return func(e *env) (float64, bool) {
		m := b.s.moment(set, e.middle)
		v, q := ser.Between(m)
		if v <= 0 {
			return 0, q != district.Good
		}
		return v * perKWp * factor * b.s.relocate(set, m, e.middle, tilt), q != district.Good
	}
}

// draw makes the heat wanted at the taps, kW: the recorded shape of an electric water heater that reheats as it is used, scaled to the day's mean.
func (b *builder) draw(ref Ref, desc DeviceSim) func(*env) (float64, bool) {
	none := func(*env) (float64, bool) { return 0, false }
	if desc.HotWaterKWhPerDay == 0 {
		return none
	}
	set, err := b.w.library.Set(trace.Sceaux)
	if err != nil {
		b.bad("device %s: %w", ref, err)
		return none
	}
	ser := b.series(set, "hot_water_kw", "device "+ref.String())
	if ser == nil {
		return none
	}
	const standby = 0.03 // kW that the recorded sub-meter shows when nothing is drawn
	mean, _ := ser.Mean()
	scale := desc.HotWaterKWhPerDay / 24 / math.Max(0.01, mean-standby)
	return func(e *env) (float64, bool) {
		v, q := ser.At(b.s.moment(set, e.middle))
		return math.Max(0, v-standby) * scale, q != district.Good
	}
}

func (b *builder) ownDevices() {
	for i := range b.d.Devices {
		dev := &b.d.Devices[i]
		ref := Ref{b.d.ID, district.DistrictSite, dev.ID}
		m := newMachine(ref, dev, b.seed)
		switch dev.Kind {
		case district.Substation, district.GridMeter:
			x := &substation{meter: meter{machine: m}, t: b.desc.Transformer, importKW: b.d.ImportLimitKW, exportKW: b.d.ExportLimitKW}
			b.s.substation = append(b.s.substation, x)
			b.add(ref, x)
		case district.Weather:
			x := &weatherStation{machine: m}
			b.s.own = append(b.s.own, x)
			b.add(ref, x)
		default:
			b.bad("device %s: a %s does not stand at the district", ref, dev.Kind)
		}
	}
}
