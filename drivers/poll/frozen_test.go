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
