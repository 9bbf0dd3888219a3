package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"quartier/schemas/district"
)

const (
	waterWhPerLK = 1.163 // Wh per litre and kelvin: heat capacity of water at 4.186 kJ/kg/K
	coldWaterC   = 12.0  // °C of mains water, the zero of a tank's stored heat
)

// device checks one device and builds it.
func (b *builder) device(f *Device, path string) district.Device {
	d := district.Device{ID: f.ID, Name: f.Name, Kind: district.Kind(f.Kind), Profile: f.Profile, Address: f.Address, Unit: uint8(f.Unit),
		Poll: time.Duration(f.Poll * float64(time.Second)), Control: f.Control}
	if d.Name == "" {
		d.Name = f.ID
	}
	b.profile(f, path)
	end := fmt.Sprintf("%s unit %d", f.Address, f.Unit)
	if strings.HasPrefix(f.Address, "tcp://") {
		if first, twice := b.ends[end]; twice {
			b.say(path+".address", "%s is that of %s too", end, first)
		} else {
			b.ends[end] = path
		}
	}
	params := []struct {
		kind  district.Kind
		key   string
		given bool
	}{
		{district.PV, "pv", f.PV != nil}, {district.Battery, "battery", f.Battery != nil}, {district.HeatPump, "heat_pump", f.HeatPump != nil},
		{district.WaterHeater, "water_heater", f.WaterHeater != nil}, {district.EVCharger, "ev_charger", f.EVCharger != nil},
	}
	controllable := false
	for _, p := range params {
		switch {
		case p.kind == d.Kind && !p.given:
			b.say(path, "a %s needs its parameters under the key %s", f.Kind, p.key)
		case p.kind != d.Kind && p.given:
			b.say(path+"."+p.key, "has no place in a %s", f.Kind)
		}
		controllable = controllable || p.kind == d.Kind
	}
	if f.Control && !controllable && d.Kind.Valid() {
		b.say(path+".control", "a %s takes no commands", f.Kind)
	}
	switch {
	case f.PV != nil:
		d.PV = &district.PVParams{PeakKW: f.PV.PeakKW, Curtailable: f.PV.Curtailable, TiltDeg: f.PV.TiltDeg, AzimuthDeg: f.PV.AzimuthDeg}
	case f.Battery != nil:
		x := f.Battery
		if x.MinSOC >= x.MaxSOC {
			b.say(path+".battery.min_soc", "%v is not below max_soc %v", x.MinSOC, x.MaxSOC)
		}
		d.Battery = &district.BatteryParams{CapacityKWh: x.CapacityKWh, MinSOC: x.MinSOC, MaxSOC: x.MaxSOC, ChargeKW: x.ChargeKW, DischargeKW: x.DischargeKW,
			ChargeEfficiency: x.ChargeEfficiency, DischargeEfficiency: x.DischargeEfficiency, WearCostPerKWh: x.WearCost}
	case f.HeatPump != nil:
		x := f.HeatPump
		if x.MinKW > x.MaxKW {
			b.say(path+".heat_pump.min_kw", "%v kW is above max_kw %v kW", x.MinKW, x.MaxKW)
		}
		if x.MinC >= x.MaxC {
			b.say(path+".heat_pump.min_c", "%v °C is not below max_c %v °C", x.MinC, x.MaxC)
		}
		d.HeatPump = &district.HeatPumpParams{MaxKW: x.MaxKW, MinKW: x.MinKW, COPNominal: x.COPNominal, COPPerK: x.COPPerK, CapacityKWhPerK: x.Capacity,
			ResistanceKPerKW: x.Resistance, GainsKW: x.GainsKW, MinC: x.MinC, MaxC: x.MaxC, MinOn: span(x.MinOnMin), MinOff: span(x.MinOffMin)}
	case f.WaterHeater != nil:
		x := f.WaterHeater
		if x.MinC >= x.MaxC {
			b.say(path+".water_heater.min_c", "%v °C is not below max_c %v °C", x.MinC, x.MaxC)
		}
		d.WaterHeater = &district.WaterHeaterParams{MaxKW: x.MaxKW, VolumeL: x.VolumeL, MinC: x.MinC, MaxC: x.MaxC, LossPerHour: x.LossPerHour,
			CapacityKWh: x.VolumeL * waterWhPerLK * (x.MaxC - coldWaterC) / 1000}
	case f.EVCharger != nil:
		x := f.EVCharger
		least := 6 * 230 * float64(x.Phases) / 1000 // IEC 61851: a car charges at 6 A or more, or not at all
		if x.MinKW > 0 {
			least = x.MinKW
		}
		if least > x.MaxKW {
			b.say(path+".ev_charger.max_kw", "%v kW is below the smallest charging power %v kW", x.MaxKW, least)
		}
		if x.TargetKWh > x.CapacityKWh {
			b.say(path+".ev_charger.target_kwh", "%v kWh is above car_capacity_kwh %v kWh", x.TargetKWh, x.CapacityKWh)
		}
		d.EVCharger = &district.EVChargerParams{MaxKW: x.MaxKW, MinKW: least, Phases: x.Phases, CapacityKWh: x.CapacityKWh, ChargeEfficiency: x.Efficiency,
			TargetKWh: x.TargetKWh, ReadyBy: x.ReadyBy}
	}
	return d
}

func (b *builder) profile(f *Device, path string) {
	if b.opt.Profile == nil || f.Profile == "" {
		return
	}
	kinds, known := b.opt.Profile(f.Profile)
	switch {
	case !known:
		b.say(path+".profile", "no profile is named %q; known are %s", f.Profile, strings.Join(b.opt.Profiles, ", "))
	case len(kinds) > 0 && !slices.Contains(kinds, district.Kind(f.Kind)) && district.Kind(f.Kind).Valid():
		b.say(path+".profile", "%s is no profile of a %s", f.Profile, f.Kind)
	}
}

func span(minutes float64) time.Duration { return time.Duration(minutes * float64(time.Minute)) }
