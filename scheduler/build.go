package scheduler

import (
	"math"
	"time"

	"quartier/optimizer/problem"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
)

const (
	coldWaterC      = 12.0 // °C, mains water: the zero of a tank's stored heat
	defaultIndoorC  = 20.0 // °C, where a zone is not measured
	discomfortPerKH = 0.5  // EUR per K and hour outside the comfort band, at least
	lackPerKWhH     = 0.05 // EUR per hour and kWh of heat that a building lacks to its comfort band; putting heat off for hours never pays that
	shortfallPerKWh = 1.0  // EUR per kWh that a car lacks at departure; far above any price, far below refusing everything
	offKW           = 0.05 // kW below which a machine is off
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
	need := make([]float64, in.steps) // what all sites draw whatever is decided
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
				pd = heatPumpDevice(dev, now, in)
			case dev.Kind == district.WaterHeater && dev.WaterHeater != nil && free && now.TankC.OK:
				pd = waterHeaterDevice(dev, now, in, in.hotWaterKW[observe.Key{Site: site.ID, Device: dev.ID}])
			}
			if pd != nil {
				pd = asked.shape(site.ID, dev, pd, now, ps.LoadKW)
				ps.Devices = append(ps.Devices, pd)
				continue
			}
			switch dev.Kind {
			case district.Battery, district.EVCharger, district.HeatPump, district.WaterHeater:
				asked.held(now, ps.LoadKW)
			}
		}
		widen(&ps)
		asked.narrow(site.ID, ps.ImportLimitKW, ps.ExportLimitKW, ps.LoadKW)
		for t, load := range ps.LoadKW {
			need[t] += load
		}
		p.Sites = append(p.Sites, ps)
	}
	asked.narrow("", p.Grid.ImportLimitKW, p.Grid.ExportLimitKW, need)
	p.Fill()
	return p
}

// widen lifts a site's limits to what its forecast load alone needs: a forecast above a connection limit must not make the whole plan infeasible.
func widen(s *problem.Site) {
	for t, load := range s.LoadKW {
		s.ImportLimitKW[t] = math.Max(s.ImportLimitKW[t], load)
		s.ExportLimitKW[t] = math.Max(s.ExportLimitKW[t], -load)
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
	c := dev.EVCharger
	x := problem.NewEV(dev.ID)
	x.CapacityKWh = math.Max(c.CapacityKWh, c.TargetKWh)
	x.MaxKW, x.MinKW = c.MaxKW, math.Min(c.MinKW, c.MaxKW)
	x.ChargeEfficiency = 1 // target and session energy are both metered at the charger
	x.ShortfallCostPerKWh = shortfallPerKWh
	x.Sessions = []problem.Session{}
	got := math.Max(0, now.SessionKWh.Or(0))
	if now.Connected.V < 0.5 || got >= c.TargetKWh {
		return x
	}
	depart := int(math.Ceil(float64(readyBy(c.ReadyBy, in.start, zone).Sub(in.start)) / float64(in.step)))
	x.Sessions = append(x.Sessions, problem.Session{ArriveStep: 0, DepartStep: max(1, min(depart, in.steps)), InitialKWh: math.Min(got, x.CapacityKWh), TargetKWh: c.TargetKWh})
	return x
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

// heatPumpDevice plans a heat pump and its zone.
func heatPumpDevice(dev *district.Device, now observe.Device, in inputs) problem.Device {
	h := dev.HeatPump
	x := problem.NewHeatPump(dev.ID)
	x.MaxKW, x.MinKW = h.MaxKW, math.Min(h.MinKW, h.MaxKW)
	x.COP = make([]float64, in.steps)
	for t := range x.COP {
		x.COP[t] = math.Max(1, h.COPNominal+h.COPPerK*(in.outdoorC[t]-7))
	}
	x.InitialOn = now.PowerKW.Or(0) > offKW
	x.MinOnSteps = max(1, int(math.Ceil(float64(h.MinOn)/float64(in.step))))
	x.MinOffSteps = max(1, int(math.Ceil(float64(h.MinOff)/float64(in.step))))
	x.StartCost = 0.02
	x.Zone.CapacityKWhPerK, x.Zone.ResistanceKPerKW = h.CapacityKWhPerK, h.ResistanceKPerKW
	x.Zone.InitialC = now.IndoorC.Or(defaultIndoorC)
	x.Zone.OutdoorC = in.outdoorC
	x.Zone.GainsKW = constant(h.GainsKW, in.steps)
	x.Zone.MinC, x.Zone.MaxC = constant(h.MinC, in.steps), constant(h.MaxC, in.steps)
	x.Zone.DiscomfortCostPerKH = math.Max(discomfortPerKH, lackPerKWhH*h.CapacityKWhPerK)
	return x
}

// waterHeaterDevice plans the heat above the lowest temperature at the tap: what lies below warms nobody, so the plan may not spend it.
func waterHeaterDevice(dev *district.Device, now observe.Device, in inputs, drawKW float64) problem.Device {
	w := dev.WaterHeater
	x := problem.NewWaterHeater(dev.ID)
	x.MaxKW, x.MinKW = w.MaxKW, w.MaxKW
	perK := w.CapacityKWh / math.Max(1, w.MaxC-coldWaterC)
	x.CapacityKWh = perK * math.Max(1, w.MaxC-w.MinC)
	x.InitialKWh = math.Max(0, math.Min(x.CapacityKWh, perK*(now.TankC.V-w.MinC)))
	x.LossPerHour = w.LossPerHour
	if drawKW <= 0 {
		drawKW = w.CapacityKWh * 0.6 / 24 // nothing measured yet: six tenths of a tank a day
	}
	x.DrawKW = constant(drawKW, in.steps)
	lacks := perK * math.Max(0, w.MinC-now.TankC.V) // to be made up for as fast as the heater can
	for t := 0; t < in.steps && lacks > 1e-9 && w.MaxKW > drawKW; t++ {
		kw := math.Min(w.MaxKW-drawKW, lacks/in.step.Hours())
		x.DrawKW[t] += kw
		lacks -= kw * in.step.Hours()
	}
	return x
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
