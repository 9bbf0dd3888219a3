package backtest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"quartier/drivers/sim/trace"
	"quartier/optimizer/storage"
	"quartier/testdata"
)

// homes are the recorded homes of the traces, with a battery each and a tariff of three prices.
func homes(t *testing.T, days int) *Case {
	t.Helper()
	table, err := trace.Open(testdata.Traces(), "citylearn2022/homes_hourly.csv.gz", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := &Case{Name: "homes", Start: time.Date(2016, 8, 1, 0, 0, 0, 0, time.UTC), Step: time.Hour}
	for _, id := range []string{"b01", "b05", "b07", "b09", "b11"} {
		load, sun := table.Columns["load_"+id+"_kw"].Values, table.Columns["pv_"+id+"_kw_per_kwp"].Values
		s := Site{ID: id, LoadKW: make([]float64, 24*days), SunKW: make([]float64, 24*days),
			Store: &storage.Store{CapacityKWh: 6.4, ChargeKW: 5, DischargeKW: 5, ChargeEfficiency: 0.95, DischargeEfficiency: 0.95}}
		for i := range s.LoadKW {
			s.LoadKW[i], s.SunKW[i] = math.Max(0, load[i]), math.Max(0, 4*sun[i])
		}
		c.Sites = append(c.Sites, s)
	}
	for i := range 24 * days {
		price := 0.22
		if h := i % 24; h >= 16 && h < 21 {
			price = 0.54
		}
		c.ImportPrice, c.Carbon = append(c.ImportPrice, price), append(c.Carbon, 0.16+0.05*math.Sin(float64(i)/4))
	}
	return c
}

var money = Settings{CarbonPrice: 0.1, ExportPrice: 0.05, Wear: 0.005}

// TestQuartierIsBetterThanRules on recorded homes: nine tenths of what perfect foresight saves, more than rules in the whole and in every full month, and never more than
// perfect foresight.
func TestQuartierIsBetterThanRules(t *testing.T) {
	c, set := homes(t, 70), money
	set.FromStep = 28 * 24
	r, err := Backtest(t.Context(), c, set)
	if err != nil {
		t.Fatal(err)
	}
	if r.Captured == nil || *r.Captured < 0.9 || *r.Captured > 1 {
		t.Errorf("captured %v", r.Captured)
	}
	for i, m := range r.Runs["quartier"].Monthly {
		if rules := r.Runs["rules"].Monthly[i]; m.Cost > rules.Cost+1e-9 && i > 0 && i < len(r.Runs["quartier"].Monthly)-1 {
			t.Errorf("%s cost %.2f, rules %.2f", m.Month, m.Cost, rules.Cost)
		}
	}
	for _, n := range Names[:3] {
		if r.Runs[n].Cost < r.Runs["perfect"].Cost-1e-6 {
			t.Errorf("%s cost %g, perfect foresight %g", n, r.Runs[n].Cost, r.Runs["perfect"].Cost)
		}
	}
	t.Logf("captured %.4f, rules %.4f", *r.Captured, r.share("rules"))
	var page bytes.Buffer
	if err := r.WritePage(&page, "en"); err != nil || strings.Count(page.String(), "<svg") != 4 {
		t.Errorf("the page has %d plots: %v", strings.Count(page.String(), "<svg"), err)
	}
}

// TestTheFutureChangesNoEarlierDecision: whatever comes after a step, loads, sun, prices and carbon alike, what was decided before it stays.
func TestTheFutureChangesNoEarlierDecision(t *testing.T) {
	c, set := homes(t, 40), money
	set.FromStep = 10 * 24
	const cut = 25*24 + 7
	run := func(c *Case) *Run {
		r, err := c.simulate(t.Context(), complete(t, c, set), "quartier", newPlanner(c.priced(set), complete(t, c, set)))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	before := run(c)
	for i := cut; i < c.Steps(); i++ {
		c.ImportPrice[i] = 3 - c.ImportPrice[i]
		c.Carbon[i] *= 7
		for k := range c.Sites {
			c.Sites[k].LoadKW[i] += 9
			c.Sites[k].SunKW[i] *= 0.1
		}
	}
	after, same := run(c), 0
	for i := range before.power {
		if i < cut-set.FromStep {
			if before.power[i] != after.power[i] {
				t.Fatalf("step %d: %g kW, with another future %g kW", i+set.FromStep, before.power[i], after.power[i])
			}
		} else if before.power[i] == after.power[i] {
			same++
		}
	}
	if same == len(before.power)-(cut-set.FromStep) {
		t.Error("another present changed nothing either: the test shows nothing")
	}
}

func complete(t *testing.T, c *Case, set Settings) Settings {
	t.Helper()
	set.Progress = func(string, float64) {}
	set, err := set.Complete(c)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestEnergyCloses: what was drawn and given is load less sun plus what went into the stores, and what the stores hold is what they took less what was lost.
func TestEnergyCloses(t *testing.T) {
	c, set := homes(t, 20), money
	r, err := Backtest(t.Context(), c, set)
	if err != nil {
		t.Fatal(err)
	}
	p := c.pool()
	for name, run := range r.Runs {
		net, in, out := 0.0, 0.0, 0.0
		for i, kw := range run.power {
			net += p.load[i] - p.sun[i] + kw
			in += math.Max(0, kw)
			out += math.Max(0, -kw)
			if want := p.load[i] - p.sun[i] + kw; math.Abs(run.net[i]-want) > 1e-9 {
				t.Fatalf("%s, step %d: net %g kW, want %g kW", name, i, run.net[i], want)
			}
		}
		if got := run.ImportKWh - run.ExportKWh; math.Abs(got-net) > 1e-6 {
			t.Errorf("%s: %g kWh through the meter, %g kWh used and stored", name, got, net)
		}
		if held := run.stored[len(run.stored)-1]; math.Abs(0.95*in-out/0.95-held) > 1e-5 {
			t.Errorf("%s: %g kWh are stored, in and out leave %g kWh", name, held, 0.95*in-out/0.95)
		}
	}
}

const buildingHeader = "month,hour,day_type,indoor_dry_bulb_temperature,non_shiftable_load,dhw_demand,cooling_demand,heating_demand,solar_generation,indoor_dry_bulb_temperature_cooling_set_point\n"

// neighbourhood is a small set in the form of CityLearn, worked by hand below.
func neighbourhood() fstest.MapFS {
	var b, price, carbon, weather strings.Builder
	b.WriteString(buildingHeader)
	price.WriteString("electricity_pricing,electricity_pricing_predicted_1\n")
	carbon.WriteString("carbon_intensity\n")
	weather.WriteString("outdoor_dry_bulb_temperature\n")
	for i := range 48 {
		fmt.Fprintf(&b, "6,%d,%d,27,1,0.9,2,0,%d,24\n", i%24+1, 5+i/24, map[bool]int{true: 500, false: 0}[i%24 == 12])
		price.WriteString("0.2,0.2\n")
		carbon.WriteString("0.5\n")
		weather.WriteString("32.0\n")
	}
	return fstest.MapFS{
		"schema.json": {Data: []byte(`{"seconds_per_time_step": 3600, "buildings": {
 "Building_1": {"include": true, "energy_simulation": "Building_1.csv", "weather": "weather.csv", "carbon_intensity": "carbon_intensity.csv", "pricing": "pricing.csv",
  "cooling_device": {"type": "citylearn.energy_model.HeatPump", "attributes": {"nominal_power": 4.0, "efficiency": 0.25, "target_cooling_temperature": 8}},
  "dhw_device": {"type": "citylearn.energy_model.ElectricHeater", "attributes": {"nominal_power": 4.0, "efficiency": 0.9}},
  "electrical_storage": {"type": "citylearn.energy_model.Battery", "attributes": {"capacity": 6.4, "efficiency": 0.81, "nominal_power": 5.0, "loss_coefficient": 0.001}},
  "pv": {"type": "citylearn.energy_model.PV", "attributes": {"nominal_power": 4.0}}},
 "Building_2": {"include": false, "energy_simulation": "missing.csv"}}}`)},
		"Building_1.csv": {Data: []byte(b.String())}, "pricing.csv": {Data: []byte(price.String())}, "carbon_intensity.csv": {Data: []byte(carbon.String())}, "weather.csv": {Data: []byte(weather.String())},
	}
}

// TestNotesOfManyBuildings: what many buildings have in common is one note, with how many they are.
func TestNotesOfManyBuildings(t *testing.T) {
	set := neighbourhood()
	one := `"B": {"energy_simulation": "Building_1.csv", "weather": "weather.csv", "pricing": "pricing.csv", "cooling_device": {"type": "x.HeatPump", "attributes": {"efficiency": 0.25, "target_cooling_temperature": 8}},
		"dhw_device": {"type": "x.ElectricHeater", "attributes": {"efficiency": 0.9}}, "electrical_storage": {"type": "x.Battery", "autosize": true, "attributes": {}}}`
	var all []string
	for i := range 5 {
		all = append(all, strings.Replace(one, `"B"`, fmt.Sprintf(`"B_%d"`, i+1), 1))
	}
	set["schema.json"] = &fstest.MapFile{Data: []byte(`{"seconds_per_time_step": 3600, "buildings": {` + strings.Join(all, ",") + `}}`)}
	c, err := CityLearn(set, "many")
	if err != nil {
		t.Fatal(err)
	}
	if want := "a battery that the simulator sizes is left out: B_1, B_2, B_3 and 2 more"; !slices.Contains(c.Notes, want) {
		t.Errorf("notes %q, want among them %q", c.Notes, want)
	}
}

// TestCityLearnIsRead by its own meaning of columns and attributes: cooling by 281.15 K * 0.25 / 24 K, hot water by an efficiency of 0.9, each way of the battery the root of a
// round trip.
func TestCityLearnIsRead(t *testing.T) {
	c, err := CityLearn(neighbourhood(), "small")
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Sites) != 1 || c.Steps() != 48 || c.Step != time.Hour {
		t.Fatalf("%d sites, %d steps of %v", len(c.Sites), c.Steps(), c.Step)
	}
	s := c.Sites[0]
	if want := 2 + 2/(281.15*0.25/24); math.Abs(s.LoadKW[3]-want) > 1e-9 {
		t.Errorf("load %g kW, want %g kW", s.LoadKW[3], want)
	}
	if s.SunKW[12] != 2 || s.SunKW[13] != 0 {
		t.Errorf("sun %g and %g kW, want 2 and 0 kW", s.SunKW[12], s.SunKW[13])
	}
	if st := s.Store; st == nil || math.Abs(st.ChargeEfficiency-0.9) > 1e-12 || st.CapacityKWh != 6.4 || st.DischargeKW != 5 || st.LossPerHour != 0.001 {
		t.Errorf("store %+v", s.Store)
	}
	if s.DiscomfortK[0] != 1 {
		t.Errorf("discomfort %g K at 27 °C with a set-point of 24 °C and a band of 2 K", s.DiscomfortK[0])
	}
	if c.Start.Month() != time.June || c.Start.Weekday() != time.Friday || c.Start.Hour() != 1 {
		t.Errorf("starts %v", c.Start)
	}
	r, err := Backtest(t.Context(), c, money)
	if err != nil {
		t.Fatal(err)
	}
	want := 0.0
	for i := range s.LoadKW {
		want += 0.25 * math.Max(0, s.LoadKW[i]-s.SunKW[i])
		want -= 0.05 * math.Max(0, s.SunKW[i]-s.LoadKW[i])
	}
	if got := r.Runs["none"]; math.Abs(got.Cost-want) > 1e-9 || got.DiscomfortKH != 48 || math.Abs(got.LoadFactor-got.ImportKWh/48/got.PeakKW) > 1e-12 {
		t.Errorf("none cost %g with %g K h, want %g and 48", got.Cost, got.DiscomfortKH, want)
	}
	doc, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back struct {
		Runs     map[string]map[string]any `json:"runs"`
		Captured *float64                  `json:"captured"`
		Settings map[string]any            `json:"settings"`
	}
	if err := json.Unmarshal(doc, &back); err != nil || back.Settings["perfect"] == nil {
		t.Fatalf("%v %v", err, back.Settings)
	}
	for _, n := range Names {
		for _, k := range []string{"cost", "carbon_kg", "peak_kw", "ramping_kw", "load_factor", "self_consumption", "self_sufficiency", "discomfort_kh", "battery_cycles"} {
			if _, ok := back.Runs[n][k].(float64); !ok {
				t.Errorf("run %s has no %s", n, k)
			}
		}
	}
}

// TestFaultsOfASetAreNamed, each with its file and place.
func TestFaultsOfASetAreNamed(t *testing.T) {
	for _, c := range []struct {
		change func(fstest.MapFS)
		want   string
	}{
		{func(m fstest.MapFS) { delete(m, "schema.json") }, "schema.json"},
		{func(m fstest.MapFS) { delete(m, "pricing.csv") }, "pricing.csv"},
		{func(m fstest.MapFS) { m["schema.json"] = &fstest.MapFile{Data: []byte(`{"buildings": {}}`)} }, "includes no building"},
		{func(m fstest.MapFS) {
			m["pricing.csv"] = &fstest.MapFile{Data: []byte("electricity_pricing\n0.2\nx\n")}
		}, `pricing.csv:3: electricity_pricing is "x"`},
		{func(m fstest.MapFS) { m["carbon_intensity.csv"] = &fstest.MapFile{Data: []byte("carbon\n0.2\n")} }, "carbon_intensity.csv: there is no column carbon_intensity"},
		{func(m fstest.MapFS) {
			m["schema.json"].Data = bytes.Replace(m["schema.json"].Data, []byte(`"capacity": 6.4`), []byte(`"capacity": -6.4`), 1)
		}, "capacity of the electrical_storage of building Building_1 is -6.4"},
		{func(m fstest.MapFS) {
			m["schema.json"].Data = bytes.Replace(m["schema.json"].Data, []byte(`ElectricHeater`), []byte(`Kettle`), 1)
		}, `the dhw_device of building Building_1 is a "citylearn.energy_model.Kettle"`},
		{func(m fstest.MapFS) {
			m["Building_1.csv"].Data = bytes.Replace(m["Building_1.csv"].Data, []byte(",1,0.9,"), []byte(",-1,0.9,"), 1)
		}, `Building_1.csv:2: non_shiftable_load is "-1"`},
	} {
		m := neighbourhood()
		c.change(m)
		if _, err := CityLearn(m, "broken"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("want %q, got %v", c.want, err)
		}
	}
}

// TestTracesAreRead in our own form, with a gap filled and told.
func TestTracesAreRead(t *testing.T) {
	var sites, prices strings.Builder
	sites.WriteString("# ours\ntime,home.load_kw,home.sun_kw,hall.load_kw\n")
	prices.WriteString("time,import_price,carbon_kg_per_kwh\n")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 72 {
		load := "1.5"
		if i == 30 {
			load = ""
		}
		fmt.Fprintf(&sites, "%s,%s,0.5,2\n", at.Format("2006-01-02T15:04"), load)
		fmt.Fprintf(&prices, "%s,0.2,0.05\n", at.Format("2006-01-02T15:04"))
		at = at.Add(30 * time.Minute)
	}
	m := fstest.MapFS{"sites.csv": {Data: []byte(sites.String())}, "prices.csv": {Data: []byte(prices.String())},
		"stores.csv": {Data: []byte("site,capacity_kwh,charge_kw,discharge_kw,charge_efficiency,discharge_efficiency\nhome,5,2,3,0.9,0.95\n")}}
	c, err := Traces(m, "ours")
	if err != nil {
		t.Fatal(err)
	}
	if c.Step != 30*time.Minute || len(c.Sites) != 2 || c.Sites[0].Store == nil || c.Sites[0].Store.DischargeKW != 3 || c.Sites[1].LoadKW[5] != 2 {
		t.Errorf("%+v", c)
	}
	if len(c.Notes) != 1 || !strings.Contains(c.Notes[0], "1 of 72 values are missing") {
		t.Errorf("notes %q", c.Notes)
	}
	m["sites.csv"].Data = bytes.Replace(m["sites.csv"].Data, []byte("2026-01-01T01:00"), []byte("2026-01-01T01:10"), 1)
	if _, err := Traces(m, "ours"); err == nil || !strings.Contains(err.Error(), "2026-01-01T01:10 does not follow 2026-01-01T00:30") {
		t.Errorf("a gap: %v", err)
	}
}

// TestCancelledRunEnds.
func TestCancelledRunEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Backtest(ctx, homes(t, 10), money); err == nil {
		t.Error("a cancelled backtest ended without an error")
	}
}

func FuzzCityLearn(f *testing.F) {
	m := neighbourhood()
	f.Add(m["schema.json"].Data, m["Building_1.csv"].Data, m["pricing.csv"].Data)
	f.Fuzz(func(t *testing.T, schema, building, pricing []byte) {
		m := neighbourhood()
		m["schema.json"], m["Building_1.csv"], m["pricing.csv"] = &fstest.MapFile{Data: schema}, &fstest.MapFile{Data: building}, &fstest.MapFile{Data: pricing}
		c, err := CityLearn(m, "fuzz")
		if err == nil && c.Validate() != nil {
			t.Errorf("a set was taken that is not valid: %v", c.Validate())
		}
	})
}
