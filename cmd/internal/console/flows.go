package console

import (
	"time"

	"quartier/schemas/district"
)

// Flows are the power flows of a district or site at an instant. A group without a single fresh value is null.
type Flows struct {
	SunKW         *float64 `json:"sun_kw" doc:"produced by the sun, not negative: what the inverters use at night counts with the buildings"`
	GridKW        *float64 `json:"grid_kw" doc:"through the boundary: positive drawn, negative fed"`
	StorageKW     *float64 `json:"storage_kw" doc:"into batteries: positive charging, negative discharging"`
	StoredKWh     *float64 `json:"stored_kwh" doc:"in batteries"`
	CapacityKWh   float64  `json:"capacity_kwh" doc:"of the batteries whose charge is known"`
	BuildingsKW   *float64 `json:"buildings_kw" doc:"all other consumption: what closes the sum of the others"`
	HeatKW        *float64 `json:"heat_kw" doc:"electricity of heat pumps and water heaters"`
	CarsKW        *float64 `json:"cars_kw" doc:"of charging points"`
	CarsConnected int      `json:"cars_connected"`
	CarsCharging  int      `json:"cars_charging"`
	Devices       int      `json:"devices" doc:"whose power these sums are made of"`
	Missing       int      `json:"missing" doc:"of these, without a fresh value: their part is left out"`
	Doubtful      int      `json:"doubtful" doc:"of these, with a value that is uncertain or substituted"`
}

// ConsumptionKW returns buildings, heat and cars together, nil when none is known.
func (f *Flows) ConsumptionKW() *float64 {
	var sum adder
	for _, v := range []*float64{f.BuildingsKW, f.HeatKW, f.CarsKW} {
		if v != nil {
			sum.add(*v)
		}
	}
	return sum.value()
}

// SiteFlows are the flows of one site.
type SiteFlows struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Flows
}

// LiveView is what a district does at the moment.
type LiveView struct {
	District      string      `json:"district"`
	Name          string      `json:"name"`
	Time          time.Time   `json:"time" doc:"the district's clock"`
	Flows         Flows       `json:"flows"`
	Sites         []SiteFlows `json:"sites"`
	ImportPrice   *float64    `json:"import_price" doc:"EUR/kWh"`
	ExportPrice   *float64    `json:"export_price" doc:"EUR/kWh"`
	CarbonGPerKWh *float64    `json:"carbon_g_per_kwh" doc:"gCO2e/kWh of what is drawn"`
	OutdoorC      *float64    `json:"outdoor_c"`
}

type adder struct {
	sum   float64
	known bool
}

func (a *adder) add(v float64) { a.sum, a.known = a.sum+v, true }

func (a *adder) value() *float64 {
	if !a.known {
		return nil
	}
	v := a.sum
	return &v
}

// staleAfter returns after how much of the district's time a value of a device that is polled every period no longer counts as live.
func (s *Server) staleAfter(period time.Duration) time.Duration {
	wall := max(3*period, time.Minute)
	return time.Duration(float64(wall) * max(1, s.deps.Speed))
}

// fresh returns the newest value of a quantity of a device where it is neither bad nor stale.
func (s *Server) fresh(districtID, site string, dev *district.Device, quantity string, now time.Time) (district.Sample, bool) {
	v, ok := s.deps.Live.Latest(dev.Series(districtID, site, quantity))
	if !ok || v.Quality == district.Bad || now.Sub(v.Time) > s.staleAfter(dev.Poll) {
		return district.Sample{}, false
	}
	return v, true
}

// group sums the powers of devices.
type group struct {
	sun, grid, substation, storage, heat, cars, stored adder
	flows                                              Flows
}

func (s *Server) addDevice(g *group, districtID, site string, dev *district.Device, now time.Time) {
	into := map[district.Kind]*adder{district.PV: &g.sun, district.GridMeter: &g.grid, district.Substation: &g.substation, district.Battery: &g.storage,
		district.HeatPump: &g.heat, district.WaterHeater: &g.heat, district.EVCharger: &g.cars}[dev.Kind]
	if into == nil {
		return
	}
	g.flows.Devices++
	if v, ok := s.fresh(districtID, site, dev, district.PowerKW, now); ok {
		if dev.Kind == district.PV {
			into.add(-v.Value)
		} else {
			into.add(v.Value)
		}
		if v.Quality != district.Good {
			g.flows.Doubtful++
		}
	} else {
		g.flows.Missing++
	}
	switch dev.Kind {
	case district.Battery:
		if v, ok := s.fresh(districtID, site, dev, district.SOC, now); ok && dev.Battery != nil {
			g.stored.add(v.Value * dev.Battery.CapacityKWh)
			g.flows.CapacityKWh += dev.Battery.CapacityKWh
		}
	case district.EVCharger:
		if v, ok := s.fresh(districtID, site, dev, district.Connected, now); ok && v.Value >= 0.5 {
			g.flows.CarsConnected++
		}
		if v, ok := s.fresh(districtID, site, dev, district.PowerKW, now); ok && v.Value > 0.1 {
			g.flows.CarsCharging++
		}
	}
}

// close computes the boundary and what is left for the buildings.
func (g *group) close() Flows {
	f := g.flows
	if g.sun.known {
		g.sun.sum = max(0, g.sun.sum)
	}
	f.SunKW, f.StorageKW, f.HeatKW, f.CarsKW, f.StoredKWh = g.sun.value(), g.storage.value(), g.heat.value(), g.cars.value(), g.stored.value()
	f.GridKW = g.substation.value()
	if f.GridKW == nil {
		f.GridKW = g.grid.value()
	}
	if f.GridKW != nil {
		rest := *f.GridKW + g.sun.sum - g.storage.sum - g.heat.sum - g.cars.sum
		f.BuildingsKW = &rest
	}
	return f
}

func (g *group) merge(o *group) {
	for _, p := range []struct {
		to   *adder
		from adder
	}{{&g.sun, o.sun}, {&g.grid, o.grid}, {&g.substation, o.substation}, {&g.storage, o.storage}, {&g.heat, o.heat}, {&g.cars, o.cars}, {&g.stored, o.stored}} {
		if p.from.known {
			p.to.add(p.from.sum)
		}
	}
	g.flows.CapacityKWh += o.flows.CapacityKWh
	g.flows.CarsConnected += o.flows.CarsConnected
	g.flows.CarsCharging += o.flows.CarsCharging
	g.flows.Devices += o.flows.Devices
	g.flows.Missing += o.flows.Missing
	g.flows.Doubtful += o.flows.Doubtful
}

// live returns what a district does now.
func (s *Server) live(d *district.District) LiveView {
	now := s.deps.Now().UTC()
	view := LiveView{District: d.ID, Name: d.Name, Time: now, Sites: make([]SiteFlows, 0, len(d.Sites))}
	var all group
	for i := range d.Devices {
		s.addDevice(&all, d.ID, district.DistrictSite, &d.Devices[i], now)
	}
	for i := range d.Sites {
		site := &d.Sites[i]
		var g group
		for j := range site.Devices {
			s.addDevice(&g, d.ID, site.ID, &site.Devices[j], now)
		}
		all.merge(&g)
		view.Sites = append(view.Sites, SiteFlows{ID: site.ID, Name: site.Name, Flows: g.close()})
	}
	view.Flows = all.close()
	for _, v := range s.deps.Live.Snapshot(d.ID + "/" + district.DistrictSite + "/") {
		if v.Quality == district.Bad || now.Sub(v.Time) > 2*time.Hour { // signals are hourly at the slowest
			continue
		}
		_, _, _, quantity, _ := v.Series.Parts()
		value := v.Value
		switch quantity {
		case district.ImportPrice:
			view.ImportPrice = &value
		case district.ExportPrice:
			view.ExportPrice = &value
		case district.CarbonIntensity:
			view.CarbonGPerKWh = &value
		case district.OutdoorC:
			view.OutdoorC = &value
		}
	}
	return view
}
