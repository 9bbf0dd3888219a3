package backtest

import (
	"bytes"
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/drivers/sim/trace"
	"quartier/scheduler/devices"
	"quartier/schemas/district"
	"quartier/testdata"
)

// flexibleHomes are recorded homes with tanks, heat pumps and cars: the weather and the sun of their place, charging sessions recorded at home in Norway, and showers by a rule with chance.
func flexibleHomes(t *testing.T, days int) *Case {
	t.Helper()
	c := homes(t, 200+days)
	weather, err := trace.Open(testdata.Traces(), "citylearn2022/weather_hourly.csv.gz", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	// the last days, which are in winter
	from := c.Steps() - 24*days
	c.Start = c.at(from)
	c.ImportPrice, c.Carbon, c.Sites = c.ImportPrice[from:], c.Carbon[from:], c.Sites[:3]
	outdoor, irradiance := weather.Columns["outdoor_c"].Values[from:], weather.Columns["ghi_w_m2"].Values[from:]
	random := rand.New(rand.NewPCG(7, 7))
	for i := range c.Steps() {
		c.OutdoorC = append(c.OutdoorC, outdoor[i]-8)
	}
	for k := range c.Sites {
		s := &c.Sites[k]
		s.LoadKW, s.SunKW = s.LoadKW[from:], s.SunKW[from:]
		s.Tank = &Tank{COP: []float64{1, 2.8, 1}[k], Heater: district.WaterHeaterParams{MaxKW: 2, VolumeL: 250, MinC: 42, MaxC: 60, LossPerHour: 0.008, CapacityKWh: 250 * waterKWhPerLK * 48}}
		s.Room = &Room{Pump: district.HeatPumpParams{CapacityKWhPerK: 5 + 2*float64(k), ResistanceKPerKW: 7 - float64(k), MaxKW: 2, COPNominal: 4, COPPerK: 0.08}}
		for h := range 24 {
			s.Room.MinC[h], s.Room.MaxC[h] = 20, 24
			if k == 1 && (h >= 21 || h < 5) {
				s.Room.MinC[h] = 18
			}
		}
		for i := range c.Steps() {
			draw := 0.1
			if h := i % 24; (h >= 6 && h < 9 || h >= 19 && h < 22) && random.Float64() < 0.4 {
				draw = 1 + 1.5*random.Float64()
			}
			s.Tank.DrawKW = append(s.Tank.DrawKW, draw)
			s.Room.GainsKW = append(s.Room.GainsKW, 0.3+0.002*irradiance[i])
		}
		for d := range days - 1 {
			if random.Float64() < 0.6 {
				arrive := 24*d + 17 + random.IntN(4)
				s.plug(7.4, Session{arrive, arrive + 9 + random.IntN(5), 4 + 20*random.Float64()})
			}
		}
	}
	return c
}

// TestFlexibleDevicesSave against rules with no less comfort, and nothing costs less than perfect foresight but by what its plan may lack to the best: here one window reaches over the whole run.
func TestFlexibleDevicesSave(t *testing.T) {
	c, set := flexibleHomes(t, 18), money
	set.FromStep, set.Replan, set.Workers = 10*24, 2*time.Hour, 1
	r, err := Backtest(t.Context(), c, set)
	if err != nil {
		t.Fatal(err)
	}
	perfect := r.Runs["perfect"]
	if perfect.gap < 0 || perfect.gap > 0.01*perfect.whole() {
		t.Errorf("perfect foresight may cost %g less", perfect.gap)
	}
	for _, n := range Names {
		run := r.Runs[n]
		t.Logf("%-8s cost %.2f, %.2f K h, comfort %+v", n, run.Cost, run.DiscomfortKH, *run.Comfort)
		if run.whole() < perfect.whole()-perfect.gap-1e-6 {
			t.Errorf("%s costs %g with discomfort, perfect foresight %g with a gap of %g", n, run.whole(), perfect.whole(), perfect.gap)
		}
	}
	q, rules := r.Runs["quartier"], r.Runs["rules"]
	if q.whole() >= rules.whole() || q.DiscomfortKH > rules.DiscomfortKH || q.Comfort.HotWaterLackingKWh > rules.Comfort.HotWaterLackingKWh || q.Comfort.CarsLackingKWh > rules.Comfort.CarsLackingKWh {
		t.Errorf("quartier costs %g with %g K h, rules %g with %g K h", q.whole(), q.DiscomfortKH, rules.whole(), rules.DiscomfortKH)
	}
	if r.Captured == nil || *r.Captured < 0.6 || *r.Captured > 1 {
		t.Errorf("captured %v", r.Captured)
	}
	var page, table bytes.Buffer
	if err := r.WritePage(&page, "en"); err != nil || strings.Count(page.String(), "<svg") != 10 {
		t.Errorf("the page has %d plots: %v", strings.Count(page.String(), "<svg"), err)
	}
	frenchPage(t, r)
	if err := r.Write(&table); err != nil || !strings.Contains(table.String(), "hot water lacking") {
		t.Errorf("the table says nothing of hot water: %v", err)
	}
	doc, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(doc), `"cars_lacking_kwh"`) || !strings.Contains(string(doc), `"perfect_gap"`) {
		t.Errorf("%v: %s", err, doc)
	}
	flexibleCloses(t, c, set, r)
}

// flexibleCloses: what went through the meter is load, sun, stores and devices, and cars got what they wanted but for what lacks.
func flexibleCloses(t *testing.T, c *Case, set Settings, r *Result) {
	p, wanted := c.pool(), 0.0
	for _, one := range c.fleet(set.FromStep, c.Steps()).chargers {
		for _, s := range one.Sessions {
			wanted += s.EnergyKWh
		}
	}
	for name, run := range r.Runs {
		for i, d := range run.flexible {
			at := set.FromStep + i
			if want := p.load[at] - p.sun[at] + run.power[i] + d.tanksKW + d.roomsKW + d.carsKW; math.Abs(run.net[i]-want) > 1e-9 {
				t.Fatalf("%s, step %d: net %g kW, want %g kW", name, at, run.net[i], want)
			}
		}
		if got := run.Comfort.CarsKWh + run.Comfort.CarsLackingKWh; math.Abs(got-wanted) > 1e-3 || wanted < 50 {
			t.Errorf("%s: cars got and lack %g kWh, they want %g kWh", name, got, wanted)
		}
	}
}

// TestCarsLeftOutAreSaid: how many cars stand there for a part of the run alone, and are left out of it, is a note of the result; those that are there before or after it are none.
func TestCarsLeftOutAreSaid(t *testing.T) {
	c := flexibleHomes(t, 4)
	c.Sites = c.Sites[:1]
	c.Sites[0].Chargers = []Charger{{MaxKW: 7.4, Sessions: []Session{{2, 8, 5}, {20, 30, 5}, {32, 40, 5}, {44, 50, 5}, {60, 70, 5}}}}
	set := money
	set.FromStep, set.Steps = 24, 24
	set, err := set.Complete(c)
	if err != nil {
		t.Fatal(err)
	}
	r := &Result{c: c, set: set}
	if notes := strings.Join(r.notes(), "\n"); !strings.Contains(notes, "left out, because they begin before the run or end after it: 2") {
		t.Errorf("notes %q", notes)
	}
	r.set.FromStep, r.set.Steps = 0, c.Steps()
	if notes := strings.Join(r.notes(), "\n"); strings.Contains(notes, "stays of cars left out") {
		t.Errorf("notes %q where none is left out", notes)
	}
}

// TestHeatCloses for any power: what is given to a tank is drawn, lost or still there, and of a room the integral of what leaves through its walls is what is missing.
func TestHeatCloses(t *testing.T) {
	c := flexibleHomes(t, 2)
	f := c.fleet(0, c.Steps())
	rapid.Check(t, func(t *rapid.T) {
		slot := rapid.IntRange(0, c.Steps()-1).Draw(t, "slot")
		have, kw := f.begin(0), f.off()
		for i := range f.tanks {
			have.tankKWh[i] = rapid.Float64Range(0, devices.UsableKWh(&f.tanks[i].Heater)).Draw(t, "tank")
			have.roomC[i] = rapid.Float64Range(10, 30).Draw(t, "room")
			kw.tanks[i] = rapid.Float64Range(-1, 9).Draw(t, "heater")
			kw.rooms[i] = rapid.Float64Range(-1, 9).Draw(t, "heat pump")
		}
		was := state{append([]float64(nil), have.tankKWh...), append([]float64(nil), have.roomC...), have.carKWh}
		f.within(have, slot, kw)
		o := f.advance(have, slot, kw)
		h, lacks := c.Hours(), 0.0
		for i, x := range f.tanks {
			if kw.tanks[i] < 0 || kw.tanks[i] > x.Heater.MaxKW {
				t.Fatalf("tank %d draws %g kW", i, kw.tanks[i])
			}
			// heat above mains water: the lowest temperature holds so much
			floor := devices.HeatPerK(&x.Heater) * (x.Heater.MinC - devices.ColdWaterC)
			lost := x.Heater.LossPerHour * h * (was.tankKWh[i] + floor)
			lacks += (have.tankKWh[i] - was.tankKWh[i]) - h*x.COP*kw.tanks[i] + h*x.DrawKW[slot] + lost
			if have.tankKWh[i] < 0 || have.tankKWh[i] > devices.UsableKWh(&x.Heater)+1e-9 {
				t.Fatalf("tank %d holds %g kWh", i, have.tankKWh[i])
			}
			r := f.rooms[i]
			p := &r.Pump
			tau := p.ResistanceKPerKW * p.CapacityKWhPerK
			heat := devices.COP(p, c.OutdoorC[slot])*kw.rooms[i] + r.GainsKW[slot]
			end := c.OutdoorC[slot] + p.ResistanceKPerKW*heat
			mean := end + (was.roomC[i]-end)*(1-math.Exp(-h/tau))*tau/h
			walls := h * (mean - c.OutdoorC[slot]) / p.ResistanceKPerKW
			if got := p.CapacityKWhPerK * (have.roomC[i] - was.roomC[i]); math.Abs(got-(h*heat-walls)) > 1e-6 {
				t.Fatalf("room %d: %g kWh more are stored, %g kWh came and %g kWh left", i, got, h*heat, walls)
			}
		}
		if math.Abs(lacks-o.waterLacksKWh) > 1e-6 {
			t.Fatalf("%g kWh of hot water lack, %g kWh are told", lacks, o.waterLacksKWh)
		}
	})
}

// TestTheFutureOfDevicesChangesNoEarlierDecision: whatever is drawn, gained, how warm it is outside and which cars come after a step, what was decided before it stays.
func TestTheFutureOfDevicesChangesNoEarlierDecision(t *testing.T) {
	c, set := flexibleHomes(t, 10), money
	set.FromStep, set.Replan, set.Workers = 8*24, 3*time.Hour, 1
	const cut = 9*24 + 7
	run := func() *Run {
		set := complete(t, c, set)
		r, err := c.simulate(t.Context(), set, "quartier", newPlanner(c.priced(set), set))
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	before := run()
	for i := cut; i < c.Steps(); i++ {
		c.OutdoorC[i] -= 9
		c.ImportPrice[i] = 1 - c.ImportPrice[i]
		for k := range c.Sites {
			c.Sites[k].LoadKW[i]++
			c.Sites[k].Tank.DrawKW[i] = 1.5 - c.Sites[k].Tank.DrawKW[i]/2
			c.Sites[k].Room.GainsKW[i] += 0.5
		}
	}
	for k := range c.Sites {
		for p := range c.Sites[k].Chargers {
			for j := range c.Sites[k].Chargers[p].Sessions {
				if s := &c.Sites[k].Chargers[p].Sessions[j]; s.Arrive >= cut {
					s.EnergyKWh /= 2
				}
			}
		}
	}
	after, same := run(), 0
	for i := range before.power {
		as := before.power[i] == after.power[i] && before.flexible[i] == after.flexible[i]
		if i < cut-set.FromStep && !as {
			t.Fatalf("step %d: %+v, with another future %+v", i+set.FromStep, before.flexible[i], after.flexible[i])
		}
		if i >= cut-set.FromStep && as {
			same++
		}
	}
	if same == len(before.power)-(cut-set.FromStep) {
		t.Error("another present changed nothing either: the test shows nothing")
	}
}

// TestImportLimitIsKept by rules, plans and perfect foresight alike as far as loads leave room, and Quartier has every car full under it.
func TestImportLimitIsKept(t *testing.T) {
	c, set := flexibleHomes(t, 12), money
	set.FromStep, set.Replan, set.ImportLimitKW, set.Workers = 9*24, 2*time.Hour, 9, 1
	r, err := Backtest(t.Context(), c, set)
	if err != nil {
		t.Fatal(err)
	}
	p := c.pool()
	for _, n := range Names[1:] {
		for i, kw := range r.Runs[n].net {
			if at := set.FromStep + i; kw > math.Max(set.ImportLimitKW, p.load[at]-p.sun[at])+1e-4 {
				t.Errorf("%s draws %g kW in step %d, the limit is %g kW and loads draw %g kW", n, kw, at, set.ImportLimitKW, p.load[at])
			}
		}
	}
	if r.Runs["none"].PeakKW <= set.ImportLimitKW {
		t.Error("nothing would pass the limit: the test shows nothing")
	}
	if q, rules := r.Runs["quartier"], r.Runs["rules"]; q.Comfort.CarsShort > 0 || q.whole() > rules.whole() {
		t.Errorf("quartier costs %g and leaves %d cars short, rules cost %g", q.whole(), q.Comfort.CarsShort, rules.whole())
	}
}
