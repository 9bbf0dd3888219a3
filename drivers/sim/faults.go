package sim

import "fmt"

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
)

// String returns the word for a fault.
func (f Fault) String() string {
	words := []string{"none", "silent", "exceptions", "garbage", "frozen", "slow"}
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
