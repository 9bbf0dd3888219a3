package sim

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
)

// Description says what the configuration of a real district cannot know: which traces drive the sites, and the true parameters of the
// machines where they are not simply the plan's beliefs with a deviation of a few percent.
type Description struct {
	Seed      uint64                 `yaml:"seed"`
	Districts map[string]DistrictSim `yaml:"districts"` // by district id
}

// DistrictSim is the simulated surroundings of one district.
type DistrictSim struct {
	Set         string             `yaml:"set"`               // recorded set of weather and sun, such as citylearn2022
	OutdoorC    string             `yaml:"outdoor_column"`    // column of the outdoor temperature, °C
	Irradiance  string             `yaml:"irradiance_column"` // column of the global horizontal irradiance, W/m²
	ClimateC    []float64          `yaml:"climate_c"`         // twelve monthly means of the district's own climate, °C; empty keeps the recorded ones
	AnomalyGain float64            `yaml:"anomaly_gain"`      // multiplies recorded departures from the season; 0 means 1
	SunFactor   float64            `yaml:"sun_factor"`        // multiplies every solar yield; 0 means 1
	Carbon      Signal             `yaml:"carbon"`
	Transformer Transformer        `yaml:"transformer"`
	Sites       map[string]SiteSim `yaml:"sites"`
}

// Signal names a column of a recorded set.
type Signal struct {
	Set    string `yaml:"set"`
	Column string `yaml:"column"`
}

// Transformer describes the losses between the sites and the substation's meter: NoLoadKW always, LoadKW at RatedKVA, with the square.
type Transformer struct {
	RatedKVA float64 `yaml:"rated_kva"`
	NoLoadKW float64 `yaml:"no_load_kw"`
	LoadKW   float64 `yaml:"load_kw"`
}

// SiteSim is what drives one site.
type SiteSim struct {
	Set     string               `yaml:"set"`  // recorded set of load and sun; empty: the district's
	Load    LoadSim              `yaml:"load"` // consumption beside the controllable devices
	Devices map[string]DeviceSim `yaml:"devices"`
}

// LoadSim is a weighted sum of recorded homes.
type LoadSim struct {
	YearlyKWh float64            `yaml:"yearly_kwh"` // the mean year of the sum is scaled to this
	Homes     map[string]float64 `yaml:"homes"`      // column → weight
	Opening   *Opening           `yaml:"opening"`    // for a public building: an invented rule on top of recorded homes
}

// Opening shapes a recorded load to opening hours. Outside them the load is multiplied by ClosedShare.
type Opening struct {
	Days        string  `yaml:"days"` // weekdays, weekdays_saturday or all
	FromHour    float64 `yaml:"from_hour"`
	ToHour      float64 `yaml:"to_hour"`
	ClosedShare float64 `yaml:"closed_share"`
}

// DeviceSim holds the true parameters of one device. What is not given is the plan's belief with a deviation of up to 5 % drawn from the seed.
type DeviceSim struct {
	Column    string  `yaml:"column"`           // pv: column of the yield; default by set
	PVSet     string  `yaml:"set"`              // pv: another recorded set than the site's
	MeterStep float64 `yaml:"counter_step_kwh"` // resolution of the counters; 0: as the profile's register

	InverterKW float64 `yaml:"inverter_kw"` // pv: alternating-current rating

	CapacityKWh float64 `yaml:"capacity_kwh"` // battery: true capacity
	Autonomy    string  `yaml:"autonomy"`     // battery: self_consumption (default) or idle; water_heater: night (default) or thermostat
	InitialSOC  float64 `yaml:"initial_soc"`

	SetpointC        float64 `yaml:"setpoint_c"` // heat_pump: thermostat; water_heater: thermostat
	ResistanceKPerKW float64 `yaml:"resistance_k_per_kw"`
	CapacityKWhPerK  float64 `yaml:"capacity_kwh_per_k"`
	GainsKW          float64 `yaml:"gains_kw"`

	HotWaterKWhPerDay float64 `yaml:"hot_water_kwh_per_day"` // water_heater: heat drawn, mean of the year

	Users []string `yaml:"users"` // ev_charger: recorded drivers who stop here

	Of     string  `yaml:"of"`       // heat_meter: the heat pump whose heat it counts
	BaseKW float64 `yaml:"base_kw"`  // heat_meter, gas_meter: mean power of hot water, of a network or of gas
	KWPerK float64 `yaml:"kw_per_k"` // heat_meter, gas_meter: heating power per K below 16 °C outside
}

// ParseDescription reads a simulation's description; an unknown key is an error that says where.
func ParseDescription(name string, data []byte) (*Description, error) {
	var d Description
	if err := yaml.UnmarshalWithOptions(data, &d, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := d.check(name); err != nil {
		return nil, err
	}
	return &d, nil
}

func (d *Description) check(name string) error {
	var faults []error
	bad := func(format string, args ...any) { faults = append(faults, fmt.Errorf(name+": "+format, args...)) }
	for id, ds := range d.Districts {
		if ds.Set == "" {
			bad("%s: set is missing: name a recorded set for weather and sun", id)
		}
		if n := len(ds.ClimateC); n != 0 && n != 12 {
			bad("%s: climate_c has %d values, want 12 monthly means in °C", id, n)
		}
		if ds.AnomalyGain < 0 || ds.SunFactor < 0 {
			bad("%s: anomaly_gain %g and sun_factor %g must not be negative", id, ds.AnomalyGain, ds.SunFactor)
		}
		if tr := ds.Transformer; tr.RatedKVA < 0 || tr.NoLoadKW < 0 || tr.LoadKW < 0 || tr.LoadKW > 0 && tr.RatedKVA == 0 {
			bad("%s: transformer: rated_kva, no_load_kw and load_kw must not be negative, and load_kw needs rated_kva", id)
		}
		for site, s := range ds.Sites {
			if s.Load.YearlyKWh < 0 || s.Load.YearlyKWh > 0 && len(s.Load.Homes) == 0 {
				bad("%s/%s: load: yearly_kwh %g needs homes and must not be negative", id, site, s.Load.YearlyKWh)
			}
			for col, w := range s.Load.Homes {
				if w <= 0 {
					bad("%s/%s: load: weight %g of %s, want above zero", id, site, w, col)
				}
			}
			if o := s.Load.Opening; o != nil {
				if o.Days != "weekdays" && o.Days != "weekdays_saturday" && o.Days != "all" {
					bad("%s/%s: opening: days %q, want weekdays, weekdays_saturday or all", id, site, o.Days)
				}
				if !(0 <= o.FromHour && o.FromHour < o.ToHour && o.ToHour <= 24) || o.ClosedShare < 0 || o.ClosedShare > 1 {
					bad("%s/%s: opening: hours %g to %g must lie in 0 to 24 and closed_share %g in 0 to 1", id, site, o.FromHour, o.ToHour, o.ClosedShare)
				}
			}
			for dev, ps := range s.Devices {
				switch ps.Autonomy {
				case "", "self_consumption", "idle", "night", "thermostat":
				default:
					bad("%s/%s/%s: autonomy %q, want self_consumption or idle (battery), night or thermostat (water_heater)", id, site, dev, ps.Autonomy)
				}
				if ps.InverterKW < 0 || ps.CapacityKWh < 0 || ps.InitialSOC < 0 || ps.InitialSOC > 1 || ps.ResistanceKPerKW < 0 || ps.CapacityKWhPerK < 0 || ps.HotWaterKWhPerDay < 0 || ps.MeterStep < 0 {
					bad("%s/%s/%s: a parameter is negative, or initial_soc above 1", id, site, dev)
				}
			}
		}
	}
	return errors.Join(faults...)
}
