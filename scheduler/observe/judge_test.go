package observe

import (
	"math"
	"slices"
	"testing"
	"time"

	"quartier/schemas/district"
)

// TestElevation against the solar calculator of NOAA: Dijon at noon of both solstices by the sun, an equinox at sunrise, and midnight.
func TestElevation(t *testing.T) {
	for _, tt := range []struct {
		at   time.Time
		want float64
	}{
		{time.Date(2026, 6, 21, 11, 42, 0, 0, time.UTC), 90 - 47.32 + 23.44},
		{time.Date(2026, 12, 21, 11, 38, 0, 0, time.UTC), 90 - 47.32 - 23.44},
		{time.Date(2026, 3, 20, 5, 47, 0, 0, time.UTC), 0},
		{time.Date(2026, 6, 21, 23, 42, 0, 0, time.UTC), 23.44 - (90 - 47.32)},
	} {
		if got := Elevation(47.32, 5.04, tt.at); math.Abs(got-tt.want) > 0.5 {
			t.Errorf("%s: %.2f°, want %.2f°", tt.at, got, tt.want)
		}
	}
}

// house is a site whose devices tell what a test says.
type house struct {
	d    *district.District
	now  time.Time
	live samples
	j    *Judge
}

type samples map[district.SeriesID]district.Sample

func (s samples) Latest(id district.SeriesID) (district.Sample, bool) { v, ok := s[id]; return v, ok }

func newHouse() *house {
	d := &district.District{ID: "d", Latitude: 47, Longitude: 5, Zone: time.UTC, Step: 15 * time.Minute, Sites: []district.Site{{ID: "s", ImportLimitKW: 12, ExportLimitKW: math.Inf(1), Devices: []district.Device{
		{ID: "grid", Kind: district.GridMeter},
		{ID: "pv", Kind: district.PV, Control: true, PV: &district.PVParams{PeakKW: 9}},
		{ID: "bat", Kind: district.Battery, Control: true, Battery: &district.BatteryParams{CapacityKWh: 10, ChargeKW: 5, DischargeKW: 5}},
		{ID: "ev", Kind: district.EVCharger, Control: true, EVCharger: &district.EVChargerParams{MaxKW: 11}},
		{ID: "hp", Kind: district.HeatPump, Control: true, HeatPump: &district.HeatPumpParams{MaxKW: 3, MinC: 19}},
	}}}}
	h := &house{d: d, now: time.Date(2026, 1, 15, 22, 0, 0, 0, time.UTC), live: samples{}, j: NewJudge(d)}
	h.tell("grid", district.PowerKW, 2)
	for _, dev := range []string{"pv", "bat", "ev", "hp"} {
		h.tell(dev, district.PowerKW, 0)
	}
	h.tell("bat", district.SOC, 0.5)
	h.tell("ev", district.Connected, 1)
	h.tell("hp", district.IndoorC, 20)
	return h
}

func (h *house) tell(device, quantity string, v float64) {
	id := district.NewSeriesID("d", "s", device, quantity)
	h.live[id] = district.Sample{Series: id, Time: h.now, Value: v}
}

// pass lets time pass in steps of five seconds, in each of which everything but what is named is told again, and returns what is found at the end.
func (h *house) pass(d time.Duration, each func(at time.Duration), but ...district.SeriesID) (out []Finding, live Live) {
	for at := 5 * time.Second; at <= d; at += 5 * time.Second {
		h.now = h.now.Add(5 * time.Second)
		for id, s := range h.live {
			if !slices.Contains(but, id) {
				s.Time = h.now
				h.live[id] = s
			}
		}
		if each != nil {
			each(at)
		}
		out, live = h.j.Look(h.live, h.now, time.Minute)
	}
	return out, live
}

// TestJudge: each thing that cannot be is found with its place, hidden from control where a safe state is better than it, and forgotten when it is over.
func TestJudge(t *testing.T) {
	type series struct{ device, quantity string }
	for _, tt := range []struct {
		name   string
		make   func(h *house) []Finding
		mend   func(h *house)
		after  time.Duration
		key    string
		device string
		hidden series
	}{
		{name: "absurd power", key: ValueAbsurd, device: "grid", hidden: series{"grid", district.PowerKW}, after: time.Minute,
			make: func(h *house) []Finding {
				h.tell("grid", district.PowerKW, 4000)
				f, _ := h.pass(5*time.Second, nil)
				return f
			},
			mend: func(h *house) { h.tell("grid", district.PowerKW, 2) }},
		{name: "sun at night", key: SunAtNight, device: "pv", hidden: series{"pv", district.PowerKW}, after: 2 * time.Minute,
			make: func(h *house) []Finding {
				h.tell("pv", district.PowerKW, -3)
				f, _ := h.pass(time.Minute, nil)
				return f
			},
			mend: func(h *house) { h.tell("pv", district.PowerKW, 0) }},
		{name: "a car that feeds", key: SignWrong, device: "ev", hidden: series{"ev", district.PowerKW}, after: 2 * time.Minute,
			make: func(h *house) []Finding {
				h.tell("ev", district.PowerKW, -7)
				f, _ := h.pass(time.Minute, nil)
				return f
			},
			mend: func(h *house) { h.tell("ev", district.PowerKW, 0) }},
		{name: "a meter turned round", key: SignWrong, device: "grid", hidden: series{"grid", district.PowerKW}, after: 3 * time.Minute,
			make: func(h *house) []Finding {
				f, _ := h.pass(4*time.Minute, func(at time.Duration) {
					ev := 7.0
					if at/time.Minute%2 == 0 {
						ev = 0
					}
					h.tell("ev", district.PowerKW, ev)
					h.tell("grid", district.PowerKW, -1-ev+0.001*at.Seconds())
				})
				return f
			},
			mend: func(h *house) {
				h.pass(2*time.Minute, func(at time.Duration) {
					ev := 7 * float64(at/time.Minute%2)
					h.tell("ev", district.PowerKW, ev)
					h.tell("grid", district.PowerKW, 1+ev+0.001*at.Seconds())
				})
			}},
		{name: "a meter turned round, and mended while nothing changes", key: SignWrong, device: "grid", hidden: series{"grid", district.PowerKW}, after: 3 * time.Minute,
			make: func(h *house) []Finding {
				h.pass(4*time.Minute, func(at time.Duration) {
					ev := 7 * float64(at/time.Minute%2)
					h.tell("ev", district.PowerKW, ev)
					h.tell("grid", district.PowerKW, -1-ev+0.001*at.Seconds())
				})
				h.tell("ev", district.PowerKW, 0)
				h.pass(30*time.Minute, func(at time.Duration) { h.tell("grid", district.PowerKW, -1+0.0001*at.Seconds()) })
				h.tell("bat", district.PowerKW, -4) // what it feeds is shown as drawn
				f, _ := h.pass(30*time.Minute, func(at time.Duration) {
					h.tell("bat", district.SOC, 0.9-4*at.Hours()/10)
					h.tell("grid", district.PowerKW, 3+0.0001*at.Seconds())
				})
				return f
			},
			mend: func(h *house) {
				h.tell("bat", district.PowerKW, 0)
				h.pass(time.Minute, func(at time.Duration) { h.tell("grid", district.PowerKW, 1+0.0001*at.Seconds()) })
			}},
		{name: "a meter that stands still", key: MeterStuck, device: "grid", hidden: series{"grid", district.PowerKW}, after: time.Minute,
			make: func(h *house) []Finding {
				h.pass(30*time.Second, nil)
				h.tell("ev", district.PowerKW, 7)
				f, _ := h.pass(10*time.Second, nil)
				return f
			},
			mend: func(h *house) { h.tell("grid", district.PowerKW, 9) }},
		{name: "power beside the counters", key: MeterDiffers, device: "grid", hidden: series{"grid", district.PowerKW}, after: 3 * time.Minute,
			make: func(h *house) []Finding {
				kwh := 100.0
				f, _ := h.pass(5*time.Minute, func(time.Duration) {
					kwh += 6 * 5. / 3600
					h.tell("grid", district.ImportKWh, kwh)
					h.tell("grid", district.ExportKWh, 5)
				})
				return f
			},
			mend: func(h *house) {
				kwh := h.live[district.NewSeriesID("d", "s", "grid", district.ImportKWh)].Value
				h.tell("grid", district.PowerKW, 6)
				h.pass(2*time.Minute, func(time.Duration) {
					kwh += 6 * 5. / 3600
					h.tell("grid", district.ImportKWh, kwh)
				})
				delete(h.live, district.NewSeriesID("d", "s", "grid", district.ImportKWh))
			}},
		{name: "a counter reset", key: CounterJumped, device: "grid", after: 20 * time.Minute,
			make: func(h *house) []Finding {
				h.tell("grid", district.ImportKWh, 100)
				h.pass(30*time.Second, nil)
				h.tell("grid", district.ImportKWh, 0)
				f, _ := h.pass(5*time.Second, nil)
				return f
			},
			mend: func(h *house) { delete(h.live, district.NewSeriesID("d", "s", "grid", district.ImportKWh)) }},
		{name: "a charge that jumps", key: ChargeJumped, device: "bat", after: 16 * time.Minute,
			make: func(h *house) []Finding {
				h.pass(30*time.Second, nil)
				h.tell("bat", district.SOC, 0.9)
				f, _ := h.pass(5*time.Second, nil)
				return f
			},
			mend: func(*house) {}},
		{name: "a charge that stands still", key: ChargeStuck, device: "bat", hidden: series{"bat", district.SOC}, after: 10 * time.Minute,
			make: func(h *house) []Finding {
				h.tell("bat", district.PowerKW, 5)
				f, _ := h.pass(10*time.Minute, func(at time.Duration) { h.tell("grid", district.PowerKW, 7+0.001*at.Seconds()) })
				return f
			},
			mend: func(h *house) {
				h.pass(10*time.Minute, func(at time.Duration) {
					h.tell("bat", district.SOC, 0.5+5*at.Hours()/10)
					h.tell("grid", district.PowerKW, 7+0.001*at.Seconds())
				})
				h.tell("grid", district.PowerKW, 2)
				h.tell("bat", district.PowerKW, 0)
			}},
		{name: "a room that is cold", key: ComfortLow, device: "hp", after: 10 * time.Minute,
			make: func(h *house) []Finding {
				h.tell("hp", district.IndoorC, 17)
				f, _ := h.pass(16*time.Minute, nil)
				return f
			},
			mend: func(h *house) { h.tell("hp", district.IndoorC, 20) }},
		{name: "a value that is missing", key: ValueMissing, device: "bat", after: time.Minute,
			make: func(h *house) []Finding {
				f, _ := h.pass(3*time.Minute, nil, district.NewSeriesID("d", "s", "bat", district.SOC))
				return f
			},
			mend: func(*house) {}},
		{name: "a device with another clock", key: ClockDiffers, device: "hp", after: 5 * time.Minute,
			make: func(h *house) []Finding {
				f, _ := h.pass(time.Minute, func(time.Duration) {
					id := district.NewSeriesID("d", "s", "hp", district.IndoorC)
					s := h.live[id]
					s.Time = h.now.Add(-2 * time.Hour)
					h.live[id] = s
				})
				return f
			},
			mend: func(*house) {}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHouse()
			if f, _ := h.pass(time.Minute, nil); len(f) > 0 {
				t.Fatalf("before: %+v", f)
			}
			f := tt.make(h)
			if len(f) != 1 || f[0].Key != tt.key || f[0].Device != tt.device || f[0].Detail == "" || f[0].Since.IsZero() || f[0].Since.After(h.now) {
				t.Fatalf("found %+v, want %s of %s", f, tt.key, tt.device)
			}
			_, live := h.j.Look(h.live, h.now, time.Minute)
			if tt.hidden.device != "" {
				if _, ok := live.Latest(district.NewSeriesID("d", "s", tt.hidden.device, tt.hidden.quantity)); ok {
					t.Error("control sees it still")
				}
			}
			tt.mend(h)
			if f, _ := h.pass(tt.after, nil); len(f) > 0 {
				t.Errorf("after: %+v", f)
			}
		})
	}
}

// TestCountersAReadingBehind: a power that steps while its counters are told a reading later is no meter that contradicts itself.
func TestCountersAReadingBehind(t *testing.T) {
	h := newHouse()
	kwh, told := 100.0, 100.0
	for step := range 120 { // of five seconds
		kw := 0.3
		if step > 30 {
			kw = 60
		}
		found, _ := h.pass(5*time.Second, func(time.Duration) {
			h.tell("grid", district.PowerKW, kw+0.0001*float64(step))
			h.tell("grid", district.ImportKWh, told)
			h.tell("grid", district.ExportKWh, 5)
			told = math.Round(1000*kwh) / 1000
			kwh += kw * 5 / 3600
		})
		for _, f := range found {
			if f.Key == MeterDiffers {
				t.Fatalf("after %d readings: %+v", step, f)
			}
		}
	}
}
