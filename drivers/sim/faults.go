package sim

import (
	"fmt"
	"time"

	"quartier/schemas/district"
)

// Fault is a way in which a simulated device can fail.
type Fault uint8

// The faults. What a device does on the wire is up to package sim/endpoint.
const (
	NoFault    Fault = iota
	Silent           // accepts the connection and never answers
	Exceptions       // answers every request with an exception
	Garbage          // answers with bytes that mean nothing
	Frozen           // its values stand still although it answers
	Slow             // answers after some seconds
	Deaf             // takes commands and follows none: the machine goes on as before
	Forgetful        // takes commands and keeps none: its registers read as before
	Broken           // answers well, but the machine itself does nothing
	Reversed         // a meter whose clamps are turned round: power and counters the wrong way
)

// String returns the word for a fault.
func (f Fault) String() string {
	words := []string{"none", "silent", "exceptions", "garbage", "frozen", "slow", "deaf", "forgetful", "broken", "reversed"}
	if int(f) < len(words) {
		return words[f]
	}
	return fmt.Sprintf("fault(%d)", uint8(f))
}

// SetFault makes a device fail, or whole again with [NoFault].
func (w *World) SetFault(ref Ref, f Fault) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.devices[ref]
	if s == nil {
		return fmt.Errorf("set fault of %s: %w", ref, ErrUnknownDevice)
	}
	s.fault, s.frozen = f, nil
	s.base().broken = f == Broken
	if f == Reversed {
		m := s.base()
		s.turnedImport, s.turnedExport = m.importKWh-m.exportKWh, m.exportKWh-m.importKWh
	}
	if f == Frozen {
		s.frozen = make(map[string]float64)
		for _, p := range freezable {
			if v, ok := s.value(p); ok {
				s.frozen[p] = v
			}
		}
	}
	return nil
}

// Fault returns how a device fails at present.
func (w *World) Fault(ref Ref) Fault {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if s := w.devices[ref]; s != nil {
		return s.fault
	}
	return NoFault
}

// Distort makes a device show f of the true value of a point, such as a meter whose clamp is turned round; nil: the truth again. NaN is a value that the device does not have.
func (w *World) Distort(ref Ref, point string, f func(truth float64) float64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := w.devices[ref]
	if s == nil {
		return fmt.Errorf("distort %s of %s: %w", point, ref, ErrUnknownDevice)
	}
	if f == nil {
		delete(s.distorted, point)
		return nil
	}
	if s.distorted == nil {
		s.distorted = make(map[string]func(float64) float64)
	}
	s.distorted[point] = f
	return nil
}

// Truth returns a point of a device as the physics has it, whatever the device shows.
func (w *World) Truth(ref Ref, point string) (v float64, ok bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if s := w.devices[ref]; s != nil {
		return s.value(point)
	}
	return 0, false
}

// PlugIn puts a car at a charging point that wants so much energy, kWh at the charger, and leaves at an instant; one that is there goes.
func (w *World) PlugIn(ref Ref, wantsKWh float64, leaves time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, err := w.charger(ref)
	if err != nil {
		return err
	}
	c.car, c.session = c.arriving(wantsKWh, leaves, 0.8), 0
	return nil
}

// Unplug takes the car from a charging point.
func (w *World) Unplug(ref Ref) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, err := w.charger(ref)
	if err == nil {
		c.car = nil
	}
	return err
}

func (w *World) charger(ref Ref) (*charger, error) {
	if s := w.devices[ref]; s != nil {
		if c, ok := s.physics.(*charger); ok {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%s: %w", ref, ErrUnknownDevice)
}

// turned is what a meter with its clamps turned round shows of a point.
func (s *deviceState) turned(point string, v float64) float64 {
	switch m := s.base(); point {
	case district.PowerKW:
		return -v
	case district.ImportKWh:
		return s.turnedImport + m.exportKWh
	case district.ExportKWh:
		return s.turnedExport + m.importKWh
	}
	return v
}
