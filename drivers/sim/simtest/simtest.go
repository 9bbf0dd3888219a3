// Package simtest reads the demonstration districts for the tests of the simulation, which stands below the configuration's own reader: it takes what the
// physics needs and checks nothing.
package simtest

import (
	"io/fs"
	"math"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"quartier/drivers/sim"
	"quartier/schemas/district"
	"quartier/testdata"
)

type file struct {
	Districts []struct {
		ID        string   `yaml:"id"`
		Name      string   `yaml:"name"`
		Latitude  float64  `yaml:"latitude_deg"`
		Longitude float64  `yaml:"longitude_deg"`
		Zone      string   `yaml:"time_zone"`
		Step      int      `yaml:"metering_step_minutes"`
		ImportKW  float64  `yaml:"import_limit_kw"`
		ExportKW  float64  `yaml:"export_limit_kw"`
		Devices   []device `yaml:"devices"`
		Sites     []struct {
			ID      string   `yaml:"id"`
			Name    string   `yaml:"name"`
			Devices []device `yaml:"devices"`
		} `yaml:"sites"`
	} `yaml:"districts"`
}

type device struct {
	ID      string  `yaml:"id"`
	Kind    string  `yaml:"kind"`
	Profile string  `yaml:"profile"`
	Address string  `yaml:"address"`
	Unit    uint8   `yaml:"unit_id"`
	Poll    float64 `yaml:"poll_seconds"`
	Control bool    `yaml:"control"`
	PV      *struct {
		PeakKW  float64 `yaml:"peak_kw"`
		TiltDeg float64 `yaml:"tilt_deg"`
	} `yaml:"pv"`
	Battery *struct {
		CapacityKWh float64 `yaml:"capacity_kwh"`
		ChargeKW    float64 `yaml:"charge_kw"`
		DischargeKW float64 `yaml:"discharge_kw"`
	} `yaml:"battery"`
	HeatPump *struct {
		MaxKW      float64 `yaml:"max_kw"`
		MinKW      float64 `yaml:"min_kw"`
		COP        float64 `yaml:"cop_at_7c"`
		COPPerK    float64 `yaml:"cop_per_k"`
		Capacity   float64 `yaml:"capacity_kwh_per_k"`
		Resistance float64 `yaml:"resistance_k_per_kw"`
		GainsKW    float64 `yaml:"gains_kw"`
		MinC       float64 `yaml:"min_c"`
		MaxC       float64 `yaml:"max_c"`
		MinOn      float64 `yaml:"min_on_minutes"`
		MinOff     float64 `yaml:"min_off_minutes"`
	} `yaml:"heat_pump"`
	WaterHeater *struct {
		MaxKW   float64 `yaml:"max_kw"`
		VolumeL float64 `yaml:"volume_l"`
		MinC    float64 `yaml:"min_c"`
		MaxC    float64 `yaml:"max_c"`
		Loss    float64 `yaml:"loss_per_hour"`
	} `yaml:"water_heater"`
	Lighting *struct {
		RatedKW   float64 `yaml:"rated_kw"`
		StandbyKW float64 `yaml:"standby_kw"`
	} `yaml:"lighting"`
	EVCharger *struct {
		MaxKW    float64 `yaml:"max_kw"`
		Phases   int     `yaml:"phases"`
		Capacity float64 `yaml:"car_capacity_kwh"`
		Target   float64 `yaml:"target_kwh"`
	} `yaml:"ev_charger"`
}

// Load returns the world of testdata/districts/NAME.yaml with NAME.sim.yaml, to start at the given instant.
func Load(tb testing.TB, name string, start time.Time) sim.WorldConfig {
	tb.Helper()
	data, err := fs.ReadFile(testdata.Districts(), name+".yaml")
	if err != nil {
		tb.Fatal(err)
	}
	var f file
	if err := yaml.Unmarshal(data, &f); err != nil {
		tb.Fatalf("%s.yaml: %v", name, err)
	}
	data, err = fs.ReadFile(testdata.Districts(), name+".sim.yaml")
	if err != nil {
		tb.Fatal(err)
	}
	desc, err := sim.ParseDescription(name+".sim.yaml", data)
	if err != nil {
		tb.Fatal(err)
	}
	cfg := sim.WorldConfig{Description: desc, Traces: testdata.Traces(), Start: start}
	for _, fd := range f.Districts {
		zone, err := time.LoadLocation(fd.Zone)
		if err != nil {
			tb.Fatal(err)
		}
		d := district.District{ID: fd.ID, Name: fd.Name, Latitude: fd.Latitude, Longitude: fd.Longitude, Zone: zone, Step: time.Duration(fd.Step) * time.Minute,
			ImportLimitKW: orInf(fd.ImportKW), ExportLimitKW: orInf(fd.ExportKW), Devices: devices(fd.Devices)}
		for _, fs := range fd.Sites {
			d.Sites = append(d.Sites, district.Site{ID: fs.ID, Name: fs.Name, ImportLimitKW: math.Inf(1), ExportLimitKW: math.Inf(1), Devices: devices(fs.Devices)})
		}
		cfg.Districts = append(cfg.Districts, d)
	}
	return cfg
}

func orInf(v float64) float64 {
	if v == 0 {
		return math.Inf(1)
	}
	return v
}

func devices(in []device) []district.Device {
	var out []district.Device
	for _, f := range in {
		d := district.Device{ID: f.ID, Name: f.ID, Kind: district.Kind(f.Kind), Profile: f.Profile, Address: f.Address, Unit: max(1, f.Unit),
			Poll: time.Duration(f.Poll * float64(time.Second)), Control: f.Control}
		minute := func(m float64) time.Duration { return time.Duration(m * float64(time.Minute)) }
		switch {
		case f.PV != nil:
			d.PV = &district.PVParams{PeakKW: f.PV.PeakKW, Curtailable: true, TiltDeg: f.PV.TiltDeg, AzimuthDeg: 180}
		case f.Battery != nil:
			d.Battery = &district.BatteryParams{CapacityKWh: f.Battery.CapacityKWh, MinSOC: 0.1, MaxSOC: 0.95, ChargeKW: f.Battery.ChargeKW, DischargeKW: f.Battery.DischargeKW,
				ChargeEfficiency: 0.95, DischargeEfficiency: 0.95}
		case f.HeatPump != nil:
			h := f.HeatPump
			d.HeatPump = &district.HeatPumpParams{MaxKW: h.MaxKW, MinKW: h.MinKW, COPNominal: h.COP, COPPerK: h.COPPerK, CapacityKWhPerK: h.Capacity, ResistanceKPerKW: h.Resistance,
				GainsKW: h.GainsKW, MinC: h.MinC, MaxC: h.MaxC, MinOn: minute(h.MinOn), MinOff: minute(h.MinOff)}
		case f.WaterHeater != nil:
			w := f.WaterHeater
			d.WaterHeater = &district.WaterHeaterParams{MaxKW: w.MaxKW, VolumeL: w.VolumeL, MinC: w.MinC, MaxC: w.MaxC, LossPerHour: w.Loss,
				CapacityKWh: w.VolumeL * 0.001163 * (w.MaxC - 12)}
		case f.Lighting != nil:
			d.Lighting = &district.LightingParams{RatedKW: f.Lighting.RatedKW, StandbyKW: f.Lighting.StandbyKW, SunDeg: -6}
		case f.EVCharger != nil:
			e := f.EVCharger
			d.EVCharger = &district.EVChargerParams{MaxKW: e.MaxKW, MinKW: 6 * 0.23 * float64(e.Phases), Phases: e.Phases, CapacityKWh: e.Capacity, TargetKWh: e.Target}
		}
		out = append(out, d)
	}
	return out
}
