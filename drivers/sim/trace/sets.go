package trace

import (
	"fmt"
	"io/fs"
	"sort"
	"time"
)

// Follow says which clock a recorded quantity keeps when it is re-dated.
type Follow uint8

// The clocks of recorded quantities.
const (
	Clock Follow = iota // what people do: the same time on the wall
	Sun                 // what the sky does: the same mean solar time
)

// Source describes one file of a set.
type Source struct {
	File  string
	Step  time.Duration
	Zone  *time.Location // of its stamps
	Shift time.Duration  // added to a true instant to find its stamp: how late the stamps are
	// Sun lists the columns that follow the sun; all others follow the clock.
	Sun []string
}

// Definition describes a recorded set: one place, one period.
type Definition struct {
	Name        string
	Latitude    float64
	Longitude   float64
	ClockZone   *time.Location // by which its people lived
	Sources     []Source
	Attribution string
}

func zone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		return time.UTC
	}
	return loc
}

// Names of the recorded sets.
const (
	CityLearn  = "citylearn2022"
	Emhass     = "emhass"
	Sceaux     = "sceaux"
	Turin      = "turin"
	Eco2mix    = "eco2mix"
	ElecMaps   = "electricity_maps_2022"
	Norway12   = "norway12"
	sessionsIn = "norway12/sessions.csv.gz"
)

// Definitions lists the recorded sets of testdata/traces. Their columns are described in the README there.
func Definitions() []Definition {
	pacific, paris := zone("America/Los_Angeles"), zone("Europe/Paris")
	homes := []string{"pv_b01_kw_per_kwp", "pv_b03_kw_per_kwp", "pv_b05_kw_per_kwp", "pv_b07_kw_per_kwp", "pv_b09_kw_per_kwp",
		"pv_b11_kw_per_kwp", "pv_b13_kw_per_kwp", "pv_b17_kw_per_kwp"}
	return []Definition{
		{Name: CityLearn, Latitude: 34.1, Longitude: -117.4, ClockZone: pacific, Attribution: "CityLearn, MIT", Sources: []Source{
			{File: "citylearn2022/homes_hourly.csv.gz", Step: time.Hour, Zone: pacific, Sun: homes},
			// the centre of irradiance lies at 13.1 h by these stamps in January and in July, 0.25 h after solar noon at UTC-7
			{File: "citylearn2022/weather_hourly.csv.gz", Step: time.Hour, Zone: time.FixedZone("UTC-7", -7*3600), Shift: 15 * time.Minute, Sun: []string{"outdoor_c", "ghi_w_m2", "dni_w_m2"}},
		}},
		{Name: Emhass, Latitude: 46.5, Longitude: 3, ClockZone: paris, Attribution: "EMHASS, MIT", Sources: []Source{
			{File: "emhass/home_30min.csv.gz", Step: 30 * time.Minute, Zone: time.UTC, Sun: []string{"pv_kw"}},
		}},
		{Name: Sceaux, Latitude: 48.8, Longitude: 2.3, ClockZone: paris, Attribution: "Hebrail and Berard, UCI, CC BY 4.0", Sources: []Source{
			{File: "sceaux/home_hourly.csv.gz", Step: time.Hour, Zone: time.FixedZone("UTC+1", 3600)},
		}},
		{Name: Turin, Latitude: 45.07, Longitude: 7.66, ClockZone: zone("Europe/Rome"), Attribution: "Montanari et al., MIT", Sources: []Source{
			{File: "turin/pv_2019_hourly.csv.gz", Step: time.Hour, Zone: time.UTC, Sun: []string{"pv_kw_per_kwp"}},
		}},
		{Name: Eco2mix, Latitude: 46.5, Longitude: 3, ClockZone: paris, Attribution: "RTE / ODRE, Licence Ouverte 2.0", Sources: []Source{
			{File: "eco2mix/national_2021-12_15min.csv.gz", Step: 15 * time.Minute, Zone: time.UTC},
		}},
		{Name: ElecMaps, Latitude: 46.5, Longitude: 3, ClockZone: paris, Attribution: "Electricity Maps, ODbL 1.0", Sources: []Source{
			{File: "odbl/electricity_maps_fr_2022_hourly.csv.gz", Step: time.Hour, Zone: time.UTC},
		}},
	}
}

// Library holds the recorded sets of a file system, read when first asked for. It is not safe for concurrent use.
type Library struct {
	fsys     fs.FS
	sets     map[string]*Set
	sessions map[string][]Session
	faults   []Fault
}

// NewLibrary returns the sets in fsys, which is testdata/traces or a folder of the same shape.
func NewLibrary(fsys fs.FS) *Library { return &Library{fsys: fsys, sets: make(map[string]*Set)} }

// Faults lists the defects of the traces read so far.
func (l *Library) Faults() []Fault { return append([]Fault(nil), l.faults...) }

// Set returns a recorded set by its name.
func (l *Library) Set(name string) (*Set, error) {
	if s, ok := l.sets[name]; ok {
		return s, nil
	}
	defs := Definitions()
	for _, d := range defs {
		if d.Name != name {
			continue
		}
		s, err := Load(l.fsys, d)
		if err != nil {
			return nil, err
		}
		l.sets[name] = s
		l.faults = append(l.faults, s.Faults...)
		return s, nil
	}
	var names []string
	for _, d := range defs {
		names = append(names, d.Name)
	}
	sort.Strings(names)
	return nil, fmt.Errorf("trace set %q: unknown; there are %q", name, names)
}
