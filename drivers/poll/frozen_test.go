package poll

import (
	"context"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// meter is a device whose values the test sets.
type meter struct {
	device
	mu     sync.Mutex
	values map[string]float64
}

func newMeter(values map[string]float64) *meter {
	m := &meter{values: values}
	m.read = func(context.Context) (out []drivers.Reading, err error) {
		m.mu.Lock()
		defer m.mu.Unlock()
		for name, v := range m.values {
			out = append(out, drivers.Reading{Point: name, Value: v, Time: time.Now().UTC()})
		}
		return out, nil
	}
	return m
}

func (m *meter) put(name string, v float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.values[name] = v
}

func (m *meter) Points() []drivers.Point {
	return []drivers.Point{{Name: "power_kw", Readable: true}, {Name: "voltage_v", Readable: true}, {Name: "import_kwh", Readable: true, Form: district.Counter},
		{Name: "status", Readable: true, Form: district.State}, {Name: "limit_a", Readable: true, Writable: true}}
}

// TestFrozenDevice: measurements that all stay the same for longer than the device may are bad until one moves; a steady power with a counter that counts, a device
// at rest, and one that is not watched are not frozen, and neither a state nor our own set-point makes one move.
func TestFrozenDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newMeter(map[string]float64{"power_kw": 2, "voltage_v": 231.2, "import_kwh": 100, "status": 1, "limit_a": 16})
		counting := newMeter(map[string]float64{"power_kw": 2, "import_kwh": 100})
		rest := newMeter(map[string]float64{"power_kw": 0, "status": 3})
		free := newMeter(map[string]float64{"power_kw": 2, "voltage_v": 230})
		var s sink
		var devices []Device
		for id, d := range map[string]*meter{"gateway": m, "counting": counting, "rest": rest, "free": free} {
			one := polledDevice(id, d, time.Second)
			if id != "free" {
				one.Device.Frozen = time.Minute
			}
			devices = append(devices, one)
		}
		p := New(devices, Config{Sink: s.add})
		stop := start(t, p)
		defer stop()
		status := func(id string) Status {
			for _, st := range p.Status() {
				if st.Device == id {
					return st
				}
			}
			return Status{}
		}
		for i := range 10 * 60 {
			time.Sleep(time.Second)
			counting.put("import_kwh", 100+float64(i/20)/10)
			m.put("import_kwh", 100+float64(min(i, 1))/100)
			m.put("status", float64(i%2))
			m.put("limit_a", float64(6+i%10))
			if i == 55 && status("gateway").Frozen {
				t.Error("frozen before its time")
			}
		}
		for id, want := range map[string]bool{"gateway": true, "counting": false, "rest": false, "free": false} {
			if st := status(id); st.Frozen != want || st.Online == want || want != strings.Contains(st.LastError, "value is stale") {
				t.Errorf("%s: %+v, want frozen %v", id, st, want)
			}
		}
		newest := s.of("gateway")
		if age := time.Since(newest[len(newest)-1].Time); age < 8*time.Minute {
			t.Errorf("a frozen device's sample is %v old", age)
		}
		m.put("voltage_v", 231.3)
		time.Sleep(2 * time.Second)
		newest = s.of("gateway")
		if st := status("gateway"); !st.Online || st.Frozen || st.LastError != "" || time.Since(newest[len(newest)-1].Time) > 2*time.Second {
			t.Errorf("it moves again: %+v", st)
		}
	})
}

// TestHeldIsNotFrozen: a connection that control holds at nothing, a battery at rest and a meter whose counter is as coarse as what flows is small stand still and are alive; they are frozen once their
// counter should have counted, or where a voltage was seen to move while nothing flowed, and stands still too.
func TestHeldIsNotFrozen(t *testing.T) {
	points := (&meter{}).Points()
	for _, tt := range []struct {
		name   string
		before [][3]float64 // power, voltage and counter of reads a second apart, the last one from then on
		after  time.Duration
		frozen bool
	}{
		{"held at nothing", [][3]float64{{2, 231, 100}, {1, 231.1, 100.01}, {0, 231.2, 100.02}}, 24 * time.Hour, false},
		{"held at 9 kW, counter stopped", [][3]float64{{9, 231, 100}, {9, 231, 100.01}}, 70 * time.Second, true},
		{"held at 9 kW, a counter of whole kWh", [][3]float64{{9, 231, 100}, {9, 231, 101}}, 12 * time.Minute, false},
		{"the same, stopped", [][3]float64{{9, 231, 100}, {9, 231, 101}}, 15 * time.Minute, true},
		{"a little, counter stopped", [][3]float64{{0.3, 231, 100}, {0.3, 231, 100.01}}, 3 * time.Minute, false},
		{"nothing flows and the voltage moved before", [][3]float64{{0, 231, 100}, {0, 231.1, 100}}, 61 * time.Second, true},
		{"the voltage moved with the power", [][3]float64{{1, 231, 100}, {0, 231.1, 100}}, time.Hour, false},
	} {
		f := newFrozen(time.Minute, points)
		now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		var err error
		for k := 0; k < len(tt.before)+int(tt.after/time.Second); k++ {
			v := tt.before[min(k, len(tt.before)-1)]
			err = f.judge(now, []drivers.Reading{{Point: "power_kw", Value: v[0]}, {Point: "voltage_v", Value: v[1]}, {Point: "import_kwh", Value: v[2]}})
			now = now.Add(time.Second)
		}
		if (err != nil) != tt.frozen {
			t.Errorf("%s: %v after %v, want frozen %v", tt.name, err, tt.after, tt.frozen)
		}
	}
}

// TestPartsAreNotFrozen: a battery at rest is alive, also by a read that lacks its power, and by one without an answer.
func TestPartsAreNotFrozen(t *testing.T) {
	f := newFrozen(time.Minute, (&meter{}).Points())
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	rest := func() []drivers.Reading {
		return []drivers.Reading{{Point: "power_kw"}, {Point: "voltage_v", Value: 231}, {Point: "import_kwh", Value: 100}}
	}
	for range 3600 {
		now = now.Add(time.Second)
		if err := f.judge(now, rest()); err != nil {
			t.Fatal(err)
		}
	}
	lacks := rest()
	lacks[0].Quality = district.Bad
	for what, readings := range map[string][]drivers.Reading{"a read that lacks its power": lacks, "no answer": nil} {
		if err := f.judge(now, readings); err != nil || len(readings) > 0 && readings[2].Quality == district.Bad {
			t.Errorf("%s: %v, %+v", what, err, readings)
		}
	}
}
