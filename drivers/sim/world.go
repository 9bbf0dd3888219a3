package sim

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"sort"
	"sync"
	"time"

	"quartier/drivers"
	"quartier/drivers/sim/trace"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// WorldConfig is what a world is made of.
type WorldConfig struct {
	Districts   []district.District // as the configuration describes them; only read
	Description *Description
	Traces      fs.FS     // testdata/traces or a folder of that shape
	Start       time.Time // first instant; the world is run in for [RunIn] before it
	// Counters returns what a counter, import_kwh, export_kwh, heat_kwh or gas_m3, showed last at Start, in its unit: the world goes on from there. Nil, or false: by an estimate of its age.
	Counters func(ref Ref, quantity string) (kwh float64, ok bool)
	Step     time.Duration // of the physics as [World.Advance] goes on, at most 10 s and a part of it; 0: 10 s
	Log      *slog.Logger  // nil: silent. Defects of the traces are reported here once
}

// RunIn is how long a world is run in before its first instant, so that rooms, tanks and batteries are where their control keeps them.
const RunIn = 3 * 24 * time.Hour

// Ref names a device.
type Ref struct{ District, Site, Device string }

// String returns district/site/device.
func (r Ref) String() string { return r.District + "/" + r.Site + "/" + r.Device }

// World is all districts with their devices at one instant. All methods may be called from several goroutines.
type World struct {
	mu        sync.RWMutex
	now       time.Time
	districts []*districtState
	devices   map[Ref]*deviceState
	order     []Ref
	commanded map[*deviceState]bool // those with a command in force
	library   *trace.Library
	step      time.Duration
}

type deviceState struct {
	physics
	fault  Fault
	frozen map[string]float64 // values kept by a frozen device
	sent   command            // in force
	// distorted makes of the true value of a point what the device shows.
	distorted map[string]func(float64) float64
	// what the counters of a reversed meter began with, less what the other one showed
	turnedImport, turnedExport float64
}

type command struct {
	quantity drivers.ControlQuantity
	value    float64
	set      bool
	renewed  time.Time
	lasts    time.Duration
	fallback *float64
}

// New builds a world, runs it in without any command and leaves it at cfg.Start (on the grid of 10 s). Errors name every district, site, device and
// column that does not fit, all at once.
func New(cfg WorldConfig) (*World, error) {
	w, err := build(cfg, trace.NewLibrary(cfg.Traces))
	if err != nil {
		return nil, err
	}
	if cfg.Log != nil {
		report(cfg.Log, w.library.Faults())
	}
	start := timegrid.Floor(cfg.Start, fineStep)
	w.reset(timegrid.Floor(start.Add(-RunIn), coarseStep))
	w.run(timegrid.Floor(start, quarterHour), coarseStep)
	w.settle(w.now) // at a quarter-hour, where recorded history ends
	w.run(timegrid.Floor(start, coarseStep), coarseStep)
	w.run(start, fineStep)
	if cfg.Counters != nil {
		for _, d := range w.devices {
			m := d.base()
			for _, q := range []string{district.HeatKWh, district.GasM3} {
				v, ok := cfg.Counters(m.ref, q)
				switch x := d.physics.(type) {
				case *boiler:
					if ok {
						x.counted(q, v)
					}
				case *heatPump:
					if ok && q == district.HeatKWh {
						x.heatKWh = v
					}
				}
			}
			if v, ok := cfg.Counters(m.ref, district.ImportKWh); ok {
				m.importKWh = v
			}
			if v, ok := cfg.Counters(m.ref, district.ExportKWh); ok {
				m.exportKWh = v
			}
		}
	}
	return w, nil
}

// report tells of each trace with defects once; all of them are in [World.TraceFaults].
func report(log *slog.Logger, faults []trace.Fault) {
	for i := 0; i < len(faults); {
		n := i
		for n < len(faults) && faults[n].File == faults[i].File {
			n++
		}
		log.Info("trace has gaps, filled and marked as substituted", "file", faults[i].File, "defects", n-i, "first", faults[i].Error())
		i = n
	}
}

// build makes the world at no particular time, without running it.
func build(cfg WorldConfig, lib *trace.Library) (*World, error) {
	w := &World{devices: make(map[Ref]*deviceState), commanded: make(map[*deviceState]bool), library: lib, step: cfg.Step}
	if w.step <= 0 || w.step > fineStep {
		w.step = fineStep
	}
	var faults []error
	known := make(map[string]bool)
	for i := range cfg.Districts {
		known[cfg.Districts[i].ID] = true
		d, errs := w.newDistrict(&cfg.Districts[i], cfg.Description)
		faults = append(faults, errs...)
		w.districts = append(w.districts, d)
	}
	if cfg.Description != nil {
		for id := range cfg.Description.Districts {
			if !known[id] {
				faults = append(faults, fmt.Errorf("simulation of district %s: the configuration has no such district", id))
			}
		}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	sort.Slice(w.order, func(i, j int) bool { return w.order[i].String() < w.order[j].String() })
	return w, nil
}

// Steps of the physics.
const (
	fineStep    = 10 * time.Second
	coarseStep  = 5 * time.Minute
	quarterHour = 15 * time.Minute
	fineFor     = 6 * time.Hour // a world further behind moves by coarse steps first
)

// Now returns the instant that the physics has reached.
func (w *World) Now() time.Time {
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.now
}

// Devices lists all devices in alphabetical order.
func (w *World) Devices() []Ref { return append([]Ref(nil), w.order...) }

// TraceFaults lists the defects of the recorded traces in use; their slots carry quality substituted.
func (w *World) TraceFaults() []trace.Fault { return w.library.Faults() }

// Advance moves the physics to now, on the grid of its step. An instant before the one reached changes nothing.
func (w *World) Advance(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	to := timegrid.Floor(now, w.step)
	if to.Sub(w.now) > fineFor {
		w.run(timegrid.Ceil(w.now, coarseStep), fineStep)
		w.run(timegrid.Floor(to, coarseStep), coarseStep)
	}
	w.run(to, w.step)
}

func (w *World) run(to time.Time, step time.Duration) {
	for w.now.Before(to) {
		h := step
		if left := to.Sub(w.now); left < h {
			h = left
		}
		w.expire()
		for _, d := range w.districts {
			d.advance(w.now, h)
		}
		w.now = w.now.Add(h)
	}
}

// expire gives devices whose command was not renewed in time back to what they do then.
func (w *World) expire() {
	for s := range w.commanded {
		if s.sent.lasts <= 0 || w.now.Sub(s.sent.renewed) < s.sent.lasts {
			continue
		}
		s.sent.set = false
		delete(w.commanded, s)
		s.release()
		if s.sent.fallback != nil {
			_ = s.command(s.sent.quantity, *s.sent.fallback) // the device's own value: it cannot refuse it
		}
	}
}

// ErrUnknownDevice is returned for a device that the world does not have.
var ErrUnknownDevice = errors.New("no such simulated device")

// Value returns a point of a device in the stored unit of package district; ok is false for a point that it does not have. Counters are
// exact: registers round them. A frozen device keeps the values that it had.
func (w *World) Value(ref Ref, point string) (v float64, ok bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	s := w.devices[ref]
	if s == nil {
		return 0, false
	}
	if s.fault == Frozen {
		if v, ok := s.frozen[point]; ok {
			return v, true
		}
	}
	v, ok = s.value(point)
	if s.fault == Reversed && ok {
		v = s.turned(point, v)
	}
	if f := s.distorted[point]; f != nil && ok {
		v = f(v)
		ok = !math.IsNaN(v)
	}
	return v, ok
}

// Command gives a device a set-point in a control quantity. It holds for lasts, for ever when that is zero; after it the device is under its own control, or
// keeps fallback where that is not nil, as a charger its safe current. An error wraps [ErrUnknownDevice] or [ErrCommand].
func (w *World) Command(ref Ref, q drivers.ControlQuantity, value float64, lasts time.Duration, fallback *float64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.devices[ref]
	if s == nil {
		return fmt.Errorf("command %s: %w", ref, ErrUnknownDevice)
	}
	if s.fault == Deaf {
		return nil
	}
	if err := s.command(q, value); err != nil {
		return fmt.Errorf("command %s: %w", ref, err)
	}
	w.commanded[s] = true
	s.sent = command{quantity: q, value: value, set: true, renewed: w.now, lasts: lasts, fallback: fallback}
	return nil
}

// Commanded reports whether a command is in force.
func (w *World) Commanded(ref Ref) bool {
	w.mu.RLock()
	defer w.mu.RUnlock()
	s := w.devices[ref]
	return s != nil && s.sent.set
}

// Release gives a device back its own control.
func (w *World) Release(ref Ref) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.devices[ref]
	if s == nil {
		return fmt.Errorf("release %s: %w", ref, ErrUnknownDevice)
	}
	if s.fault == Deaf {
		return nil
	}
	s.release()
	s.sent = command{}
	delete(w.commanded, s)
	return nil
}

// Carbon returns the carbon intensity of a district's grid at an instant, gCO2/kWh, from the recorded series that its description names.
func (w *World) Carbon(districtID string, at time.Time) (g float64, q district.Quality, ok bool) {
	w.mu.Lock() // the re-dating caches its days
	defer w.mu.Unlock()
	for _, d := range w.districts {
		if d.d.ID == districtID && d.carbon != nil {
			v, q := d.carbon.At(d.carbonSet.Moment(at, d.place))
			return v, q, true
		}
	}
	return 0, district.Bad, false
}

// Outdoor returns the outdoor temperature of a district at any instant, °C: what its weather station would read.
func (w *World) Outdoor(districtID string, at time.Time) (float64, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, d := range w.districts {
		if d.d.ID == districtID {
			c, _, _ := d.weather(at)
			return c, true
		}
	}
	return 0, false
}
