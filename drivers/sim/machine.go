package sim

import (
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// ErrCommand is returned for a command that the device does not know or refuses.
var ErrCommand = errors.New("device refuses the command")

// env is what a device sees of the world during one step.
type env struct {
	now         time.Time // begin of the step
	middle      time.Time // of the step, for which traces are looked up
	local       time.Time // the middle on the district's clock
	step        time.Duration
	hours       float64
	outdoorC    float64
	ghi         float64 // W/m²
	siteKW      float64 // site power of all that was stepped before, positive when it draws
	substituted bool    // the weather rests on substituted values
	activity    float64 // present load of the site as a multiple of its mean
}

// machine is the part that all electrical devices share: power, counters, name.
type machine struct {
	ref       Ref
	dev       *district.Device
	powerKW   float64 // mean of the last step, positive into the device
	importKWh float64
	exportKWh float64
	sub       bool // the last step rested on substituted trace values
	broken    bool // it does nothing
	hash      uint64
}

func newMachine(ref Ref, dev *district.Device, seed uint64) machine {
	return machine{ref: ref, dev: dev, hash: mix(seed, hashText(ref.String()))}
}

func (m *machine) base() *machine { return m }

// count sets the power of a step and adds its energy to the counters.
func (m *machine) count(kw float64, e *env) {
	m.powerKW = kw
	if kw > 0 {
		m.importKWh += kw * e.hours
	} else {
		m.exportKWh -= kw * e.hours
	}
}

func (m *machine) common(point string) (float64, bool) {
	switch point {
	case district.PowerKW:
		return m.powerKW, true
	case district.ImportKWh:
		return m.importKWh, true
	case district.ExportKWh:
		return m.exportKWh, true
	case district.VoltageV:
		return 231.4 - 0.004*math.Max(-400, math.Min(400, m.powerKW)), true
	case district.FrequencyHz:
		return 50, true
	}
	return 0, false
}

// deviate returns belief with the seeded deviation of this machine for the named parameter, at most share.
func (m *machine) deviate(belief float64, parameter string, share float64) float64 {
	return belief * (1 + share*(2*unit01(mix(m.hash, hashText(parameter)))-1))
}

// physics is one simulated device.
type physics interface {
	base() *machine
	advance(e *env)
	value(point string) (float64, bool)
	// command takes a set-point in a control quantity; an error wraps [ErrCommand].
	command(q drivers.ControlQuantity, v float64) error
	// release gives the device back its own control.
	release()
}

// passive is a device that takes no command.
type passive struct{}

func (passive) command(q drivers.ControlQuantity, v float64) error {
	return fmt.Errorf("%w: it takes no command, got %s %g", ErrCommand, q, v)
}
func (passive) release() {}

func refuse(q drivers.ControlQuantity, v float64) error {
	return fmt.Errorf("%w: %s %g", ErrCommand, q, v)
}

// approach moves from toward to by at most rate per hour over hours.
func approach(from, to, rate, hours float64) float64 {
	d := rate * hours
	return math.Max(from-d, math.Min(from+d, to))
}

// mix and unit01 are the seeded variation: a hash (splitmix64) and its place in [0, 1).
func mix(a, b uint64) uint64 {
	z := a ^ (b + 0x9e3779b97f4a7c15 + a<<6 + a>>2)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

func hashText(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(s); i++ {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

func unit01(h uint64) float64 { return float64(h>>11) / (1 << 53) }
