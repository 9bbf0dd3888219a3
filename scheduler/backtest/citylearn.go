package backtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sort"
	"strconv"
	"strings"
	"time"

	"quartier/optimizer/storage"
)

// CityLearn reads a data set folder of CityLearn (github.com/intelligent-environments-lab/CityLearn, data/datasets, 2022 and later; the meaning of columns and attributes is
// that of its release 2.x): schema.json, one CSV a building, weather, pricing and carbon intensity. What it does not model, Case.Notes say:
//
//   - A battery's efficiency is that of a round trip: each way has its square root. Its power curves and ageing are left out; energy below its depth of discharge is not used.
//   - Demands of heat, cold and hot water run as recorded, on the devices that the schema names; thermal stores stand still.
//   - What its columns say of the tariff and the weather to come (_predicted_1 and on) is heard in the slot in whose row it stands; see Published.
//   - Energies of a row are kWh of its step; solar_generation is W per kW of the building's nominal power.
//
// Faults are one error each, with file, line and value.
func CityLearn(dir fs.FS, name string) (*Case, error) {
	l := &loader{dir: dir, c: &Case{Name: name}}
	if err := l.schema(); err != nil {
		return nil, err
	}
	return l.c, nil
}

type device struct {
	Type       string         `json:"type"`
	Autosize   bool           `json:"autosize"`
	Attributes map[string]any `json:"attributes"`
}

type building struct {
	Include  *bool          `json:"include"`
	Energy   string         `json:"energy_simulation"`
	Weather  string         `json:"weather"`
	Carbon   *string        `json:"carbon_intensity"`
	Pricing  *string        `json:"pricing"`
	Battery  *device        `json:"electrical_storage"`
	PV       *device        `json:"pv"`
	Cooling  *device        `json:"cooling_device"`
	Heating  *device        `json:"heating_device"`
	HotWater *device        `json:"dhw_device"`
	CoolTank *device        `json:"cooling_storage"`
	HeatTank *device        `json:"heating_storage"`
	HotTank  *device        `json:"dhw_storage"`
	Chargers map[string]any `json:"chargers"`
	Washers  map[string]any `json:"washing_machines"`
}

func (l *loader) schema() error {
	data, err := fs.ReadFile(l.dir, "schema.json")
	if err != nil {
		return err
	}
	var s struct {
		Seconds   float64             `json:"seconds_per_time_step"`
		Buildings map[string]building `json:"buildings"`
	}
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("schema.json: %w", err)
	}
	if s.Seconds == 0 {
		s.Seconds = 3600
	}
	l.c.Step = time.Duration(s.Seconds * float64(time.Second))
	if l.c.Step <= 0 || (24*time.Hour)%l.c.Step != 0 {
		return fmt.Errorf("schema.json: seconds_per_time_step of %g is no part of a day", s.Seconds)
	}
	var ids []string
	for id, b := range s.Buildings {
		if b.Include == nil || *b.Include {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return errors.New("schema.json: it includes no building")
	}
	sort.Slice(ids, func(i, j int) bool { return natural(ids[i]) < natural(ids[j]) })
	prices, carbon, weather := "", "", ""
	for i, id := range ids {
		b := s.Buildings[id]
		if b.Pricing == nil || *b.Pricing == "" {
			l.note("buildings without pricing have the tariff of the others, or none: 0 is taken")
		} else if prices == "" {
			prices = *b.Pricing
		} else if *b.Pricing != prices {
			l.fault("schema.json: building %s has the prices of %s, others those of %s; behind one meter there is one tariff", id, *b.Pricing, prices)
		}
		if b.Carbon != nil && *b.Carbon != "" {
			if carbon != "" && *b.Carbon != carbon {
				l.fault("schema.json: building %s has the carbon intensity of %s, others that of %s", id, *b.Carbon, carbon)
			}
			carbon = *b.Carbon
		}
		if weather == "" {
			weather = b.Weather
		}
		l.building(id, &b, i == 0)
		if len(l.errs) >= mostFaults {
			break
		}
	}
	l.noteShared()
	if prices == "" {
		for _, site := range l.c.Sites { // nothing but carbon and export has a price
			l.c.ImportPrice = make([]float64, len(site.LoadKW))
		}
	} else {
		if t := l.table(prices); t != nil {
			l.c.ImportPrice = l.column(t, "electricity_pricing", math.Inf(-1))
		}
	}
	if carbon != "" {
		if t := l.table(carbon); t != nil {
			l.c.Carbon = l.column(t, "carbon_intensity", 0)
		}
	} else {
		l.note("the set has no carbon intensity: 0 is taken")
	}
	if weather != "" && l.has(weather) {
		l.table(weather)
	}
	l.published(l.tables[prices], l.tables[carbon], l.tables[weather])
	if err := errors.Join(l.errs...); err != nil {
		return err
	}
	// what is longer than the shortest file is not used
	n := len(l.c.ImportPrice)
	if l.c.Carbon == nil {
		l.c.Carbon = make([]float64, n)
	}
	for _, s := range l.c.Sites {
		n = min(n, len(s.LoadKW))
	}
	n = min(n, len(l.c.Carbon))
	if l.c.Published != nil {
		n = l.c.Published.slots(n)
	}
	if n != len(l.c.ImportPrice) || n != len(l.c.Carbon) {
		l.note("files differ in length: the first %d rows are used", n)
	}
	l.c.ImportPrice, l.c.Carbon = l.c.ImportPrice[:n], l.c.Carbon[:n]
	for i := range l.c.Sites {
		s := &l.c.Sites[i]
		s.LoadKW, s.SunKW = s.LoadKW[:n], s.SunKW[:n]
		if s.DiscomfortK != nil {
			s.DiscomfortK = s.DiscomfortK[:n]
		}
	}
	return l.c.Validate()
}

// natural sorts Building_2 before Building_10.
func natural(id string) string {
	digits := strings.TrimLeft(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_- ")
	if n, err := strconv.Atoi(digits); err == nil {
		return fmt.Sprintf("%s%09d", id[:len(id)-len(digits)], n)
	}
	return id
}

func (l *loader) building(id string, b *building, first bool) {
	t := l.table(b.Energy)
	if t == nil {
		return
	}
	h := l.c.Hours()
	s := Site{ID: id, LoadKW: l.column(t, "non_shiftable_load", 0), SunKW: make([]float64, len(t.rows))}
	if s.LoadKW == nil {
		return
	}
	if first {
		l.start(t)
	}
	for i := range s.LoadKW {
		s.LoadKW[i] /= h
	}
	for _, w := range []struct {
		column, what string
		by           *device
		heating      bool
	}{{"cooling_demand", "cooling_device", b.Cooling, false}, {"heating_demand", "heating_device", b.Heating, true}, {"dhw_demand", "dhw_device", b.HotWater, true}} {
		l.demand(id, t, b, s.LoadKW, w.column, w.what, w.by, w.heating)
	}
	if b.PV != nil {
		if sun := l.column(t, "solar_generation", 0); sun != nil {
			kw, ok := l.number(id, "pv", b.PV, "nominal_power", 0)
			switch {
			case ok:
				for i, w := range sun {
					s.SunKW[i] = kw * w / 1000
				}
			case total(sun) > 0:
				l.noteOf(id, "a solar plant that the simulator sizes is left out")
			}
		}
	}
	if b.Battery != nil {
		s.Store = l.battery(id, b.Battery)
	}
	s.DiscomfortK = l.discomfort(t)
	for what, d := range map[string]*device{"cooling_storage": b.CoolTank, "heating_storage": b.HeatTank, "dhw_storage": b.HotTank} {
		if d != nil {
			l.note("thermal stores (%s) stand still", what)
		}
	}
	if len(b.Chargers) > 0 {
		l.note("car chargers are left out")
	}
	if len(b.Washers) > 0 {
		l.note("washing machines are left out")
	}
	l.c.Sites = append(l.c.Sites, s)
}

// number is an attribute of a device; false where the schema leaves it to the simulator.
func (l *loader) number(id, what string, d *device, key string, least float64) (float64, bool) {
	v, ok := d.Attributes[key]
	if !ok || v == nil {
		return 0, false
	}
	x, ok := v.(float64)
	if !ok || x < least {
		l.fault("schema.json: %s of the %s of building %s is %v", key, what, id, v)
		return 0, false
	}
	return x, true
}

func (l *loader) battery(id string, d *device) *storage.Store {
	capacity, ok := l.number(id, "electrical_storage", d, "capacity", 0)
	if !ok {
		l.noteOf(id, "a battery that the simulator sizes is left out")
		return nil
	}
	power, ok := l.number(id, "electrical_storage", d, "nominal_power", 0)
	if !ok {
		l.noteOf(id, "of a battery without nominal power its capacity in an hour is taken")
		power = capacity
	}
	roundTrip, ok := l.number(id, "electrical_storage", d, "efficiency", 0)
	if !ok {
		roundTrip = 0.9
		l.note("a battery without efficiency is taken to have 0.9 for a round trip")
	}
	if roundTrip <= 0 || roundTrip > 1 {
		l.fault("schema.json: efficiency of the electrical_storage of building %s is %g, outside (0, 1]", id, roundTrip)
		return nil
	}
	loss, _ := l.number(id, "electrical_storage", d, "loss_coefficient", 0)
	if depth, ok := l.number(id, "electrical_storage", d, "depth_of_discharge", 0); ok && depth < 1 {
		capacity *= depth
		l.note("of a battery with a depth of discharge that part of its capacity is used")
	}
	for _, key := range []string{"power_efficiency_curve", "capacity_power_curve"} {
		if d.Attributes[key] != nil {
			l.note("a battery's %s is left out", key)
		}
	}
	return &storage.Store{CapacityKWh: capacity, ChargeKW: power, DischargeKW: power, ChargeEfficiency: math.Sqrt(roundTrip), DischargeEfficiency: math.Sqrt(roundTrip),
		LossPerHour: math.Min(1, loss/l.c.Hours())}
}

// demand adds the electricity of a thermal demand to the load.
func (l *loader) demand(id string, t *table, b *building, load []float64, column, what string, d *device, heating bool) {
	if t.at(column) < 0 {
		return
	}
	need := l.column(t, column, 0)
	if need == nil || total(need) == 0 {
		return
	}
	if d == nil {
		l.noteOf(id, column+" without a device in the schema is taken to use no electricity")
		return
	}
	kind := d.Type[strings.LastIndexByte(d.Type, '.')+1:]
	h := l.c.Hours()
	switch kind {
	case "ElectricHeater":
		efficiency, ok := l.number(id, what, d, "efficiency", 0)
		if !ok || efficiency == 0 {
			efficiency = 0.95
			l.note("electric heaters without efficiency are taken to have %g", efficiency)
		}
		for i, kwh := range need {
			load[i] += kwh / h / efficiency
		}
	case "HeatPump":
		weather := l.table(b.Weather)
		if weather == nil {
			return
		}
		outdoor := l.column(weather, "outdoor_dry_bulb_temperature", math.Inf(-1))
		efficiency, ok := l.number(id, what, d, "efficiency", 0)
		if !ok {
			efficiency = 0.25
			l.note("heat pumps without efficiency are taken to have %g of Carnot's", efficiency)
		}
		key, target := "target_heating_temperature", 47.5
		if !heating {
			key, target = "target_cooling_temperature", 8.5
		}
		if v, ok := l.number(id, what, d, key, math.Inf(-1)); ok {
			target = v
		} else {
			l.note("heat pumps without %s are taken to have %g °C", key, target)
		}
		for i, kwh := range need {
			if i < len(outdoor) {
				load[i] += kwh / h / carnot(efficiency, target, outdoor[i], heating)
			}
		}
	default:
		l.fault("schema.json: the %s of building %s is a %q, which is not known here", what, id, d.Type)
	}
}

// carnot is a heat pump's coefficient of performance: a share of Carnot's, 20 where that is above or means nothing.
func carnot(efficiency, targetC, outdoorC float64, heating bool) float64 {
	lift := outdoorC - targetC
	if heating {
		lift = -lift
	}
	cop := efficiency * (targetC + 273.15) / lift
	if !(cop >= 0 && cop <= 20) {
		return 20
	}
	return math.Max(cop, 0.01)
}

// comfortBandK is how far from its set-point a building is comfortable.
const comfortBandK = 2.0

// discomfort is what the recorded indoor temperature lacks to the comfort band around the set-points; nil where that is not recorded.
func (l *loader) discomfort(t *table) []float64 {
	in, cool, heat := t.at("indoor_dry_bulb_temperature"), t.at("indoor_dry_bulb_temperature_cooling_set_point"), t.at("indoor_dry_bulb_temperature_heating_set_point")
	if in < 0 || cool < 0 && heat < 0 {
		return nil
	}
	value := func(row []string, i int) float64 {
		if i < 0 {
			return math.NaN()
		}
		v, err := strconv.ParseFloat(row[i], 64)
		if err != nil {
			return math.NaN()
		}
		return v
	}
	out := make([]float64, len(t.rows))
	for i, row := range t.rows {
		temp := value(row, in)
		if over := temp - value(row, cool) - comfortBandK; over > 0 {
			out[i] = over
		}
		if under := value(row, heat) - comfortBandK - temp; under > out[i] {
			out[i] = under
		}
	}
	return out
}

// start finds a date that fits the first row: rows have month, hour (1 to 24, or 0 to 23) and day of the week (1 Monday to 7 Sunday), but no year.
func (l *loader) start(t *table) {
	l.c.Start = time.Date(2018, 1, 1, 0, 0, 0, 0, time.UTC)
	month, hour, day := t.at("month"), t.at("hour"), t.at("day_type")
	if len(t.rows) == 0 || month < 0 || hour < 0 || day < 0 {
		return
	}
	get := func(row, i int) int {
		v, err := strconv.ParseFloat(t.rows[row][i], 64)
		if err != nil {
			return -1
		}
		return int(v)
	}
	m, h, d := get(0, month), get(0, hour), get(0, day)
	if m < 1 || m > 12 || h < 0 || h > 24 || d < 1 || d > 7 {
		return
	}
	for year := 2018; year < 2046; year++ {
		at := time.Date(year, time.Month(m), 1, 0, 0, 0, 0, time.UTC)
		if h == 24 { // the last hour of a month: its first row belongs to the next
			at = at.AddDate(0, 1, 0)
			if int(at.AddDate(0, 0, -1).Weekday()+6)%7+1 == d {
				l.c.Start = at
				return
			}
			continue
		}
		if int(at.Weekday()+6)%7+1 == d {
			l.c.Start = at.Add(time.Duration(h) * time.Hour)
			return
		}
	}
}
