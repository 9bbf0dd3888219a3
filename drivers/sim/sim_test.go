package sim

import (
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/drivers/sim/trace"
	"quartier/schemas/district"
)

var noon = time.Date(2026, 6, 15, 12, 0, 0, 0, time.UTC)

func machineFor(dev *district.Device) machine {
	return newMachine(Ref{"d", "s", dev.ID}, dev, 1)
}

func step(now time.Time, d time.Duration) *env {
	return &env{now: now, middle: now.Add(d / 2), local: now.Add(d / 2), step: d, hours: d.Hours(), outdoorC: 10, activity: 1}
}

func drawStep(t *rapid.T) time.Duration {
	return rapid.SampledFrom([]time.Duration{10 * time.Second, time.Minute, 5 * time.Minute}).Draw(t, "step")
}

// TestInverterCloses: over any sun and any limits, what the modules give is what comes out plus what the inverter loses; the power never exceeds the rating or the
// limit in force, and the device produces with the sign of a producer.
func TestInverterCloses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dev := &district.Device{ID: "pv", Kind: district.PV, PV: &district.PVParams{PeakKW: rapid.Float64Range(2, 300).Draw(t, "kwp")}}
		sun := 0.0
		v := newInverter(machineFor(dev), dev.PV, DeviceSim{}, func(*env) (float64, bool) { return sun, false })
		now, drawn := noon, 0.0
		for range 60 {
			sun = rapid.Float64Range(0, 1.2).Draw(t, "sun")
			if rapid.Bool().Draw(t, "command") {
				if err := v.command(drivers.ControlShare, rapid.Float64Range(0, 1).Draw(t, "limit")); err != nil {
					t.Fatal(err)
				}
			}
			h := drawStep(t)
			before := v.ramped
			v.advance(step(now, h))
			now = now.Add(h)
			if v.powerKW > 0 {
				drawn += v.powerKW * h.Hours()
			}
			if most := v.ratedKW * math.Max(before, v.ramped); -v.powerKW > most+1e-9 {
				t.Fatalf("%g kW out of an inverter that may give %g kW", -v.powerKW, most)
			}
		}
		if math.Abs(v.dcKWh-v.lostKWh-v.exportKWh) > 1e-9*(1+v.dcKWh) || math.Abs(v.importKWh-drawn) > 1e-9 || v.lostKWh < 0 {
			t.Fatalf("modules %g kWh, lost %g, out %g, drawn at night %g of %g", v.dcKWh, v.lostKWh, v.exportKWh, v.importKWh, drawn)
		}
	})
}

// TestInverterRamps: a new limit is followed within ten seconds and not at once.
func TestInverterRamps(t *testing.T) {
	dev := &district.Device{ID: "pv", Kind: district.PV, PV: &district.PVParams{PeakKW: 100}}
	v := newInverter(machineFor(dev), dev.PV, DeviceSim{InverterKW: 100}, func(*env) (float64, bool) { return 0.8, false })
	v.advance(step(noon, 10*time.Second))
	full := -v.powerKW
	if err := v.command(drivers.ControlShare, 0.2); err != nil {
		t.Fatal(err)
	}
	v.advance(step(noon, 2*time.Second))
	if got := -v.powerKW; got < 21 || got > full {
		t.Errorf("%g kW two seconds after the limit of 20 kW, want on the way from %g kW", got, full)
	}
	v.advance(step(noon, 10*time.Second))
	if got := -v.powerKW; math.Abs(got-20) > 1e-6 {
		t.Errorf("%g kW ten seconds later, want 20 kW", got)
	}
	v.release()
	v.advance(step(noon, 10*time.Second))
	if got := -v.powerKW; math.Abs(got-full) > 1e-6 {
		t.Errorf("%g kW after the release, want %g kW", got, full)
	}
}

// TestBatteryCloses: under any commands and temperatures the stored energy changes by what went in less what came out less the losses, the state of charge
// stays in the BMS's band, the power within the ratings, and both counters only grow.
func TestBatteryCloses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		kw := rapid.Float64Range(2, 100).Draw(t, "kw")
		dev := &district.Device{ID: "b", Kind: district.Battery, Battery: &district.BatteryParams{CapacityKWh: kw * rapid.Float64Range(0.5, 4).Draw(t, "hours"), ChargeKW: kw, DischargeKW: kw}}
		b := newBattery(machineFor(dev), dev.Battery, DeviceSim{InitialSOC: rapid.Float64Range(0.05, 0.95).Draw(t, "soc")})
		start, now := b.storedKWh, noon
		for range 80 {
			switch rapid.IntRange(0, 2).Draw(t, "do") {
			case 0:
				if err := b.command(drivers.ControlKW, rapid.Float64Range(-kw, kw).Draw(t, "command")); err != nil {
					t.Fatal(err)
				}
			case 1:
				b.release()
			}
			h := drawStep(t)
			e := step(now, h)
			e.siteKW, e.outdoorC = rapid.Float64Range(-2*kw, 2*kw).Draw(t, "site"), rapid.Float64Range(-15, 40).Draw(t, "outdoor")
			in, out := b.importKWh, b.exportKWh
			b.advance(e)
			now = now.Add(h)
			if soc := b.soc(); soc < bmsLow-1e-3 || soc > bmsHigh+1e-9 {
				t.Fatalf("state of charge %g outside %g to %g", soc, bmsLow, bmsHigh)
			}
			if b.importKWh < in || b.exportKWh < out || math.Abs(b.powerKW) > kw*1.0001 {
				t.Fatalf("counters %g %g after %g %g, power %g kW of %g kW", b.importKWh, b.exportKWh, in, out, b.powerKW, kw)
			}
		}
		if diff := start + b.importKWh - b.exportKWh - b.lostKWh - b.storedKWh; math.Abs(diff) > 1e-9*(1+b.importKWh+b.capacityKWh) {
			t.Fatalf("%g kWh are missing", diff)
		}
		if b.lostKWh < 0 {
			t.Fatalf("a loss of %g kWh", b.lostKWh)
		}
	})
}

// TestBatteryRefuses: commands beyond the ratings are refused, a share is of the larger of them, near full the charging tapers, and a full round trip loses between 8 and 16 %.
func TestBatteryRefuses(t *testing.T) {
	dev := &district.Device{ID: "b", Kind: district.Battery, Battery: &district.BatteryParams{CapacityKWh: 100, ChargeKW: 50, DischargeKW: 50}}
	b := newBattery(machineFor(dev), dev.Battery, DeviceSim{CapacityKWh: 100, InitialSOC: 0.2})
	for _, v := range []float64{51, -51, math.NaN(), math.Inf(1)} {
		if err := b.command(drivers.ControlKW, v); !errors.Is(err, ErrCommand) {
			t.Errorf("command %g kW: %v, want a refusal", v, err)
		}
	}
	uneven := newBattery(machineFor(dev), &district.BatteryParams{CapacityKWh: 20, ChargeKW: 5, DischargeKW: 10}, DeviceSim{CapacityKWh: 20})
	for share, want := range map[float64]float64{0.5: 5, -0.5: -5, -1: -10} { // as its control means them
		if err := uneven.command(drivers.ControlShare, share); err != nil || uneven.wantKW != want {
			t.Errorf("a share of %g: %g kW, %v; want %g kW", share, uneven.wantKW, err, want)
		}
	}
	if err := uneven.command(drivers.ControlShare, 0.6); !errors.Is(err, ErrCommand) {
		t.Errorf("6 kW of 5 kW: %v, want a refusal", err)
	}
	run := func(kw float64, hours int) {
		if err := b.command(drivers.ControlKW, kw); err != nil {
			t.Fatal(err)
		}
		for i := range hours * 60 {
			b.advance(step(noon.Add(time.Duration(i)*time.Minute), time.Minute))
		}
	}
	run(50, 4)
	if _, high := b.permitted(); b.soc() < 0.97 || high > 15 {
		t.Errorf("after four hours of charging: %g full, still %g kW permitted", b.soc(), high)
	}
	top, in := b.storedKWh, b.importKWh
	run(-50, 1)
	down := b.storedKWh
	run(50, 1)
	if b.storedKWh < down {
		t.Error("charging emptied the battery")
	}
	efficiency := (top - down) / b.exportKWh
	if efficiency < 1.02 || efficiency > 1.12 {
		t.Errorf("%g kWh taken from the cells per kWh delivered", efficiency)
	}
	_ = in
}

// TestBuildingCloses: over any weather and heating, the change of the stored heat is what entered less what left, in steps of any length.
func TestBuildingCloses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := newBuilding(rapid.Float64Range(0.2, 6).Draw(t, "r"), rapid.Float64Range(5, 500).Draw(t, "c"))
		start := b.storedKWh()
		for range 60 {
			b.advance(rapid.Float64Range(0, 100).Draw(t, "heat"), rapid.Float64Range(0, 10).Draw(t, "gains"), rapid.Float64Range(0, 900).Draw(t, "sun"),
				rapid.Float64Range(-15, 35).Draw(t, "outdoor"), drawStep(t).Hours())
		}
		if diff := start + b.enteredKWh - b.leftKWh - b.storedKWh(); math.Abs(diff) > 1e-8*(1+b.enteredKWh+start) {
			t.Fatalf("%g kWh are missing", diff)
		}
	})
}

// TestBuildingFollowsItsResistance: without wind and sun a heated house settles where heat times resistance says.
func TestBuildingFollowsItsResistance(t *testing.T) {
	b := newBuilding(2, 20)
	for range 5000 {
		b.advance(7, 0, 0, 5, 0.25)
	}
	// seven tenths of the heat go to the air, which loses a part of it directly: the air settles a little above 5 + 14 °C
	if b.airC < 18 || b.airC > 20 {
		t.Errorf("%g °C with 7 kW at 2 K/kW and 5 °C outside, want about 19 °C", b.airC)
	}
}

func heatPumpDevice() *district.Device {
	return &district.Device{ID: "hp", Kind: district.HeatPump, HeatPump: &district.HeatPumpParams{MaxKW: 3, MinKW: 0.9, COPNominal: 3.6, COPPerK: 0.07, CapacityKWhPerK: 16, ResistanceKPerKW: 5,
		GainsKW: 0.4, MinC: 19, MaxC: 22.5, MinOn: 20 * time.Minute, MinOff: 15 * time.Minute}}
}

// TestHeatPumpPerformance: the coefficient of performance falls with the lift, lies between 1.5 and 7 over a French year, and its heat is electricity times it.
func TestHeatPumpPerformance(t *testing.T) {
	h := newHeatPump(machineFor(heatPumpDevice()), heatPumpDevice().HeatPump, DeviceSim{})
	last := 0.0
	for c := -12.0; c <= 18; c += 3 {
		cop := h.performance(c, h.curveC(c))
		if cop < 1.5 || cop > 7 {
			t.Errorf("coefficient of performance %g at %g °C", cop, c)
		}
		if c < -6 || c > 7 {
			if cop <= last {
				t.Errorf("coefficient of performance %g at %g °C is not above %g three kelvin lower", cop, c, last)
			}
		}
		last = cop
	}
	if a, b := h.performance(5, 35), h.performance(5, 50); a <= b {
		t.Errorf("%g at 35 °C supply, %g at 50 °C: hotter water must cost more", a, b)
	}
}

// TestHeatPumpHoldsComfort: through a cold week the thermostat keeps the rooms, runs and rests are never shorter than the machine allows, and
// blocking by SG Ready ends by itself.
func TestHeatPumpHoldsComfort(t *testing.T) {
	dev := heatPumpDevice()
	h := newHeatPump(machineFor(dev), dev.HeatPump, DeviceSim{})
	now, changed, was := noon, time.Time{}, false
	for i := range 7 * 24 * 60 {
		e := step(now, time.Minute)
		e.outdoorC = 3 + 5*math.Sin(float64(i)/230)
		h.advance(e)
		if h.running != was {
			if !changed.IsZero() && (was && now.Sub(changed) < 20*time.Minute || !was && now.Sub(changed) < 15*time.Minute) {
				t.Fatalf("running %v for %v only", was, now.Sub(changed))
			}
			was, changed = h.running, now
		}
		now = now.Add(time.Minute)
		if i > 24*60 && (h.house.airC < 18.5 || h.house.airC > 23) {
			t.Fatalf("%g °C in the rooms after %d min", h.house.airC, i)
		}
		if h.running && (h.compressorKW < h.minKW-1e-9 || h.compressorKW > h.maxKW+1e-9) {
			t.Fatalf("compressor at %g kW", h.compressorKW)
		}
	}
	if err := h.command(drivers.ControlSGReady, 1); err != nil {
		t.Fatal(err)
	}
	blocked := 0
	for range 6 * 60 {
		e := step(now, time.Minute)
		e.outdoorC = -5
		h.advance(e)
		now = now.Add(time.Minute)
		if !h.running {
			blocked++
		}
	}
	if blocked < 60 || blocked > 180 {
		t.Errorf("stood still for %d min of six hours of blocking, want about two hours", blocked)
	}
	for _, v := range []float64{0, 5, 2.5, math.NaN()} {
		if err := h.command(drivers.ControlSGReady, v); !errors.Is(err, ErrCommand) {
			t.Errorf("SG Ready %g: %v, want a refusal", v, err)
		}
	}
}

// TestTankCloses: stored heat changes by the element's electricity less losses and what was drawn, the water stays below the cut-off, and commands cannot prevent
// the weekly programme.
func TestTankCloses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dev := &district.Device{ID: "w", Kind: district.WaterHeater, WaterHeater: &district.WaterHeaterParams{MaxKW: 2.4, VolumeL: 250, MinC: 50, MaxC: 62, LossPerHour: 0.006}}
		draw := 0.0
		w := newTank(machineFor(dev), dev.WaterHeater, DeviceSim{Autonomy: rapid.SampledFrom([]string{"night", "thermostat"}).Draw(t, "autonomy")}, func(*env) (float64, bool) { return draw, false })
		start, now, hours, hottest := w.storedKWh(), time.Date(2026, 6, 20, 0, 0, 0, 0, time.UTC), 0.0, 0.0 // a Saturday
		refuses := rapid.Bool().Draw(t, "refuses")
		for range 48 * 12 {
			if draw = 0; rand.Float64() < 0.05 {
				draw = rapid.Float64Range(0, 6).Draw(t, "draw")
			}
			if refuses {
				if err := w.command(drivers.ControlOnOff, 0); err != nil {
					t.Fatal(err)
				}
			}
			w.advance(step(now, 5*time.Minute))
			now, hours = now.Add(5*time.Minute), hours+1.0/12
			hottest = math.Max(hottest, w.lowC)
			if w.topC > cutOffC || w.topC < w.lowC-1e-9 || w.lowC < 5 {
				t.Fatalf("layers at %g and %g °C", w.topC, w.lowC)
			}
		}
		electric := w.importKWh - 0.002*hours
		if diff := start + electric - w.lostKWh - w.drawnKWh - w.storedKWh(); math.Abs(diff) > 1e-8*(1+electric+start) {
			t.Fatalf("%g kWh are missing", diff)
		}
		if hottest < legionellaC {
			t.Fatalf("the hottest the lower layer ever was is %g °C: no programme against legionella", hottest)
		}
	})
}

// TestCharger: a car charges at once without a command, pauses below 6 A, answers late, tapers above 80 %, takes what it wants and no more, and its session
// energy falls to nought with the next car.
func TestCharger(t *testing.T) {
	dev := &district.Device{ID: "c", Kind: district.EVCharger, EVCharger: &district.EVChargerParams{MaxKW: 11, Phases: 3, CapacityKWh: 50}}
	c := newCharger(machineFor(dev), dev.EVCharger)
	c.stays = []trace.Session{{PlugIn: noon, PlugOut: noon.Add(6 * time.Hour), EnergyKWh: 20}, {PlugIn: noon.Add(8 * time.Hour), PlugOut: noon.Add(9 * time.Hour), EnergyKWh: 30}}
	now := noon
	tick := func(n int) {
		for range n {
			c.advance(step(now, 2*time.Second))
			now = now.Add(2 * time.Second)
		}
	}
	tick(1)
	if c.car == nil || c.powerKW < 8 {
		t.Fatalf("a car that plugs in draws %g kW, want to charge at once", c.powerKW)
	}
	full := c.powerKW
	for _, tt := range []struct {
		a, kw float64
	}{{8, 5.52}, {5.9, 0}, {0, 0}, {6, 4.14}} {
		before := c.powerKW
		if err := c.command(drivers.ControlAmpere, tt.a); err != nil {
			t.Fatal(err)
		}
		tick(1)
		if math.Abs(c.powerKW-before) > 1e-9 && before > 4 && tt.a != 8 {
			t.Errorf("%g A: answered within two seconds, from %g to %g kW", tt.a, before, c.powerKW)
		}
		tick(30)
		if math.Abs(c.powerKW-0.004-tt.kw) > 0.01 {
			t.Errorf("%g A: %g kW after a minute, want %g kW", tt.a, c.powerKW, tt.kw)
		}
	}
	c.release()
	for now.Before(noon.Add(7 * time.Hour)) {
		c.advance(step(now, time.Minute))
		now = now.Add(time.Minute)
		if c.powerKW > full+0.01 {
			t.Fatalf("%g kW above the charger's %g kW", c.powerKW, full)
		}
	}
	if math.Abs(c.session-20) > 0.01 || c.car != nil {
		t.Errorf("session %g kWh of 20 kWh wanted, still there: %v", c.session, c.car != nil)
	}
	for now.Before(noon.Add(8*time.Hour + 5*time.Minute)) {
		c.advance(step(now, time.Minute))
		now = now.Add(time.Minute)
	}
	if c.session > 2 {
		t.Errorf("session energy %g kWh five minutes into the next one", c.session)
	}
}

// TestDescriptionFaults: a description that cannot be is refused with every fault named.
func TestDescriptionFaults(t *testing.T) {
	_, err := ParseDescription("x.yaml", []byte(`
seed: 1
districts:
  d:
    climate_c: [1, 2]
    transformer: {load_kw: 3}
    sites:
      s:
        load: {yearly_kwh: 10, homes: {}}
        devices: {b: {initial_soc: 2, autonomy: sleep}}
`))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, part := range []string{"set is missing", "climate_c has 2 values", "load_kw needs rated_kva", "needs homes", "initial_soc above 1", `autonomy "sleep"`} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q is not told in %v", part, err)
		}
	}
	if _, err := ParseDescription("x.yaml", []byte("seed: 1\ndistrict: {}\n")); err == nil || !strings.Contains(err.Error(), "district") {
		t.Errorf("an unknown key: %v", err)
	}
}

// TestClearSky: at noon in June the sun is stronger than in December, nothing shines at night, and relocation northwards takes more in winter.
func TestClearSky(t *testing.T) {
	june, december := clearSky(47.3, 20, 172, 12), clearSky(47.3, 20, 355, 12)
	if june < 0.7 || june > 1.1 || december < 0.2 || december >= june || clearSky(47.3, 20, 172, 1) != 0 {
		t.Errorf("clear sky: %g kW/m² in June, %g in December", june, december)
	}
	s, w := relocate(34, 47.3, 20, 172, 172, 12), relocate(34, 47.3, 20, 355, 355, 12)
	if !(w < s && s < 1.05 && w > 0.3) {
		t.Errorf("from 34° to 47.3° north: factor %g in June, %g in December", s, w)
	}
	if relocate(47, 47.5, 20, 1, 100, 9) != 1 {
		t.Error("half a degree needs no relocation")
	}
}

// TestRollover: a counter past the highest number of its register begins again at nought; one within it, a long or a floating one is left alone.
func TestRollover(t *testing.T) {
	p := profile.MustLoad("huawei-sun2000")
	pt := p.Point(district.ExportKWh) // 32 bits of 0.01 kWh
	full := float64(1<<32-2) * 0.01
	for _, tt := range []struct{ in, want float64 }{{0, 0}, {123.45, 123.45}, {full - 1, full - 1}, {full + 5, 5}, {2*full + 7, 7}} {
		if got := Rollover(pt, tt.in); math.Abs(got-tt.want) > 1e-3 {
			t.Errorf("%g kWh shows as %g, want %g", tt.in, got, tt.want)
		}
		if _, err := pt.Encode(Rollover(pt, tt.in), 0); err != nil {
			t.Errorf("%g kWh: %v", tt.in, err)
		}
	}
	if got := Rollover(profile.MustLoad("abb-b23").Point(district.ImportKWh), 1e9); got != 1e9 {
		t.Errorf("a register of 64 bits shows %g", got)
	}
}
