// Package observe reads the present state of a district from the newest samples: what every device does now, how full it is, and whether that is known at all.
package observe

import (
	"time"

	"quartier/schemas/district"
)

// Live gives the newest sample of a series.
type Live interface {
	Latest(id district.SeriesID) (district.Sample, bool)
}

// Key names a device within its district.
type Key struct{ Site, Device string }

// Value is a measured value that may be missing.
type Value struct {
	V  float64
	OK bool // known, of usable quality and fresh
}

// Or returns the value, or other when it is not known.
func (v Value) Or(other float64) float64 {
	if v.OK {
		return v.V
	}
	return other
}

// Device is the present state of one device.
type Device struct {
	PowerKW    Value     // positive into the device
	PowerAt    time.Time // when that was measured; zero when it is not known
	SOC        Value
	IndoorC    Value
	TankC      Value
	OutdoorC   Value
	SGReady    Value
	Connected  Value
	SessionKWh Value
	LimitA     Value
}

// Seen reports whether anything of the device is known at present; not every device tells its power.
func (d Device) Seen() bool {
	for _, v := range []Value{d.PowerKW, d.SOC, d.IndoorC, d.TankC, d.SGReady, d.Connected, d.SessionKWh, d.LimitA} {
		if v.OK {
			return true
		}
	}
	return false
}

// State is the present state of a district.
type State struct {
	Now     time.Time
	Devices map[Key]Device
}

// Observe reads the state. A sample older than stale, of bad quality, or from the future by more than stale counts as not known.
func Observe(d *district.District, live Live, now time.Time, stale time.Duration) State {
	s := State{Now: now, Devices: map[Key]Device{}}
	for site, dev := range d.AllDevices {
		get := func(quantity string) Value {
			v, ok := live.Latest(dev.Series(d.ID, site, quantity))
			if !ok || v.Quality == district.Bad || now.Sub(v.Time) > stale || v.Time.Sub(now) > stale {
				return Value{}
			}
			return Value{v.Value, true}
		}
		var at time.Time
		if v, ok := live.Latest(dev.Series(d.ID, site, district.PowerKW)); ok {
			at = v.Time
		}
		s.Devices[Key{site, dev.ID}] = Device{
			PowerKW: get(district.PowerKW), PowerAt: at, SOC: get(district.SOC), IndoorC: get(district.IndoorC), TankC: get(district.TankC), OutdoorC: get(district.OutdoorC),
			SGReady: get(district.SGReady), Connected: get(district.Connected), SessionKWh: get(district.SessionKWh), LimitA: get(district.LimitA),
		}
	}
	return s
}

// SitePowerKW returns the site's net power at its grid meters, positive when it draws; not known when any of them is not.
func (s State) SitePowerKW(site *district.Site) Value {
	sum, n := 0.0, 0
	for _, d := range site.Devices {
		if d.Kind != district.GridMeter {
			continue
		}
		p := s.Devices[Key{site.ID, d.ID}].PowerKW
		if !p.OK {
			return Value{}
		}
		sum, n = sum+p.V, n+1
	}
	return Value{sum, n > 0}
}

// SitePowerAt returns when the oldest of the powers at the site's grid meters was measured.
func (s State) SitePowerAt(site *district.Site) (at time.Time) {
	for _, d := range site.Devices {
		if d.Kind == district.GridMeter {
			if t := s.Devices[Key{site.ID, d.ID}].PowerAt; at.IsZero() || t.Before(at) {
				at = t
			}
		}
	}
	return at
}

// LoadKW returns what the site consumes beside its known devices (meters apart): the grid power less theirs; not known when the grid power is not.
func (s State) LoadKW(site *district.Site) Value {
	p := s.SitePowerKW(site)
	if !p.OK {
		return Value{}
	}
	for _, d := range site.Devices {
		switch d.Kind {
		case district.PV, district.Battery, district.HeatPump, district.WaterHeater, district.EVCharger:
			p.V -= s.Devices[Key{site.ID, d.ID}].PowerKW.Or(0)
		}
	}
	return p
}
