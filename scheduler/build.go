package scheduler

import (
	"math"
	"slices"
	"time"

	"quartier/optimizer/problem"
	"quartier/scheduler/devices"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
)

const (
	coldWaterC     = devices.ColdWaterC
	defaultIndoorC = 20.0 // °C, where a zone is not measured
	offKW          = 0.05 // kW below which a machine is off
)

// build makes the plan problem of the district from its present state and the forecasts. A device that is not under control, paused or not seen goes into the load with
// what it does now, for one hour; what is ordered is in it as orders_plan.go says.
func (s *Scheduler) build(st observe.State, in inputs, asked wishes) *problem.Problem {
	d := s.cfg.District
	p := &problem.Problem{
		Start: in.start.In(d.Zone), StepMinutes: d.Step.Minutes(), Steps: in.steps, CarbonPrice: s.cfg.CarbonPriceEURPerTonne,
		Grid: problem.Grid{ImportPrice: in.importPrice, ExportPrice: in.exportPrice, CarbonIntensity: in.carbon,
			ImportLimitKW: constant(d.ImportLimitKW, in.steps), ExportLimitKW: constant(d.ExportLimitKW, in.steps)},
	}
	storedWorth := mean(in.importPrice) + mean(in.carbon)*s.cfg.CarbonPriceEURPerTonne/1e6
	all := newFloor(make([]float64, in.steps)) // of the district
	for i := range d.Sites {
		site := &d.Sites[i]
		ps := problem.Site{ID: site.ID, LoadKW: append([]float64(nil), in.loadKW[site.ID]...),
			ImportLimitKW: constant(site.ImportLimitKW, in.steps), ExportLimitKW: constant(site.ExportLimitKW, in.steps)}
		if site.WithdrawalFee > 0 {
			ps.WithdrawalFee = constant(site.WithdrawalFee, in.steps)
		}
		peak := 0.0
		for _, dev := range site.Devices {
			if dev.PV != nil {
				peak += dev.PV.PeakKW
			}
		}
		for k := range site.Devices {
			dev := &site.Devices[k]
			now := st.Devices[observe.Key{Site: site.ID, Device: dev.ID}]
			free := dev.Control && asked.free(site.ID, dev)
			var pd problem.Device
			switch {
			case dev.Kind == district.PV && dev.PV != nil:
				pd = pvDevice(dev, in, site.ID, peak, free)
			case dev.Kind == district.Battery && dev.Battery != nil && free && now.SOC.OK:
				pd = batteryDevice(dev.ID, dev.Battery, now, storedWorth)
			case dev.Kind == district.EVCharger && dev.EVCharger != nil && free && now.Connected.OK:
				pd = s.carDevice(dev, now, in, d.Zone)
			case dev.Kind == district.HeatPump && dev.HeatPump != nil && free && now.IndoorC.OK:
				pd = s.heatPump(site.ID, dev, now, in)
			case dev.Kind == district.WaterHeater && dev.WaterHeater != nil && free && now.TankC.OK:
				pd = waterHeaterDevice(dev.ID, in.tanks[observe.Key{Site: site.ID, Device: dev.ID}], now, in)
			}
			if pd != nil {
				pd = asked.shape(site.ID, dev, pd, now, ps.LoadKW)
				ps.Devices = append(ps.Devices, pd)
				continue
			}
			switch dev.Kind {
			case district.Battery, district.EVCharger, district.HeatPump, district.WaterHeater:
				asked.held(dev, now, ps.LoadKW)
			}
		}
		own := newFloor(ps.LoadKW)
		for _, pd := range ps.Devices {
			own.add(pd)
		}
		widen(&ps, own)
		asked.narrow(site.ID, ps.ImportLimitKW, ps.ExportLimitKW, own)
		all.join(own, ps.ExportLimitKW)
		p.Sites = append(p.Sites, ps)
	}
	asked.narrow("", p.Grid.ImportLimitKW, p.Grid.ExportLimitKW, all)
	s.addCars(p, st, in, asked)
	p.Fill()
	return p
}

// widen lifts a site's limits to what its forecast load alone needs, with a machine that may not stop yet and the sun that nobody curtails: a forecast above a connection limit must not make the whole plan
// infeasible.
func widen(s *problem.Site, f floor) {
	for t := range s.LoadKW {
		s.ImportLimitKW[t] = math.Max(s.ImportLimitKW[t], f.dark[t])
		s.ExportLimitKW[t] = math.Max(s.ExportLimitKW[t], -f.rest[t])
	}
}

func pvDevice(dev *district.Device, in inputs, site string, sitePeak float64, free bool) problem.Device {
	pv := problem.NewPV(dev.ID)
	pv.Curtailable = free && dev.PV.Curtailable
	pv.AvailableKW = make([]float64, in.steps)
	for t, kw := range in.sunKW[site] {
		pv.AvailableKW[t] = math.Max(0, kw*dev.PV.PeakKW/sitePeak)
	}
	return pv
}

func batteryDevice(id string, b *district.BatteryParams, now observe.Device, storedWorth float64) problem.Device {
	x := problem.NewBattery(id)
	x.CapacityKWh = b.CapacityKWh * b.MaxSOC
	x.MinKWh = b.CapacityKWh * b.MinSOC
	x.InitialKWh = math.Max(0, math.Min(1, now.SOC.V)) * b.CapacityKWh
	// the device's own band may let it stand a little outside ours: the plan starts at its edge
	x.InitialKWh = math.Max(x.MinKWh, math.Min(x.CapacityKWh, x.InitialKWh))
	x.ChargeKW, x.DischargeKW = b.ChargeKW, b.DischargeKW
	x.ChargeEfficiency, x.DischargeEfficiency = b.ChargeEfficiency, b.DischargeEfficiency
	x.WearCostPerKWh = b.WearCostPerKWh
	// what is left is worth what it saves later at the mean price of the horizon, so that the end of the horizon neither empties nor fills it
	x.FinalValuePerKWh = math.Max(0, storedWorth*b.DischargeEfficiency-b.WearCostPerKWh)
	return x
}

// carDevice plans the car that is plugged in by the energy wanted and the energy metered in its session; an empty charger is planned as such.
func (s *Scheduler) carDevice(dev *district.Device, now observe.Device, in inputs, zone *time.Location) problem.Device {
	c, depart := dev.EVCharger, 0
	if now.Connected.V >= 0.5 {
		depart = max(1, int(math.Ceil(float64(readyBy(c.ReadyBy, in.start, zone).Sub(in.start))/float64(in.step))))
	}
	return devices.Car(dev.ID, c, math.Max(0, now.SessionKWh.Or(0)), depart, in.steps)
}

// readyBy returns the next instant after from at the local time "15:04"; 07:00 when the text is empty.
func readyBy(text string, from time.Time, zone *time.Location) time.Time {
	hour, minute := 7, 0
	if t, err := time.Parse("15:04", text); err == nil {
		hour, minute = t.Hour(), t.Minute()
	}
	l := from.In(zone)
	at := time.Date(l.Year(), l.Month(), l.Day(), hour, minute, 0, 0, zone)
	if !at.After(from) {
		at = time.Date(l.Year(), l.Month(), l.Day()+1, hour, minute, 0, 0, zone)
	}
	return at
}

// heatPumpDevice plans a heat pump and its zone, which is as it is configured where nothing was learned of it.
func heatPumpDevice(dev *district.Device, now observe.Device, in inputs, room roomOutlook) *problem.HeatPump {
	if room.params == nil {
		room.params = dev.HeatPump
	}
	x := devices.HeatPump(dev.ID, room.params, now.IndoorC.Or(defaultIndoorC), now.PowerKW.Or(0) > offKW, in.outdoorC, in.step)
	if room.gainsKW != nil {
		x.Zone.GainsKW = slices.Clone(room.gainsKW)
	}
	return x
}

// heatPump plans a heat pump that is known to have run or rested for a while, and its zone by what was learned of it.
func (s *Scheduler) heatPump(site string, dev *district.Device, now observe.Device, in inputs) problem.Device {
	x := heatPumpDevice(dev, now, in, in.rooms[observe.Key{Site: site, Device: dev.ID}])
	if on, d, ok := s.ranFor(site, dev.ID, in.start); ok && on == x.InitialOn {
		x.InitialSteps = max(0, int(d/in.step))
	}
	return x
}

// waterHeaterDevice plans a tank by what was learned of it.
func waterHeaterDevice(id string, tank tankOutlook, now observe.Device, in inputs) problem.Device {
	return devices.WaterHeater(id, tank.params, now.TankC.V, tank.drawKW, tank.reserveKWh, in.step)
}

func constant(v float64, n int) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = v
	}
	return s
}

func mean(s []float64) float64 {
	if len(s) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range s {
		sum += v
	}
	return sum / float64(len(s))
}
