// Package drivers defines what a device is to the rest of Quartier: a set of named points that can be read and, some of them, written.
//
// A driver brings every value to the stored unit and sign of package district before anyone sees it: power in kW positive into the
// device, energy in kWh, temperature in °C, shares in [0, 1]. A value that the device marks as not implemented, or that cannot be
// decoded, is no number: it comes with quality bad, or not at all. Each driver passes the conformance suite in drivers/drivertest.
package drivers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/units"
)

// Driver is one device behind a protocol. All methods may be called from several goroutines; they return within 100 ms of their context's end.
type Driver interface {
	// Points lists what the device offers, in a stable order, without I/O.
	Points() []Point
	// Read reads the named points, all readable ones when names is empty. It returns the readings that it could get, also beside an error;
	// an unknown name is [ErrUnknownPoint] and nothing is read. A reading is never older than the call.
	Read(ctx context.Context, names ...string) ([]Reading, error)
	// Write sets a point, in its stored unit, and returns it as read back. Errors: [ErrUnknownPoint], [ErrReadOnly], *[LimitError],
	// [ErrRejected], [ErrUnreachable], [ErrReadBack], [ErrConflict], [ErrTooOften]; of a command through the control point [ErrNotWritten] beside a cause for which nothing was sent. A write that timed out is never repeated by the driver.
	Write(ctx context.Context, name string, value float64) (Reading, error)
	// Control describes how the device is commanded; ok is false for one that is only read.
	Control() (c Control, ok bool)
	// Close releases the connection. It returns within 2 s whatever the device does.
	Close() error
}

// Subscriber is a driver that delivers changes by itself (OPC UA). Subscribe calls deliver until ctx ends; it recovers lost connections.
type Subscriber interface {
	Subscribe(ctx context.Context, interval time.Duration, deliver func([]Reading)) error
}

// Releaser is a driver that gives its device back as the profile says by restore: to what stood before our first command, to the safe value, or to what the device does by
// itself when nobody commands it. Errors are those of a command by Write; of an [ErrConflict] nothing is written. The reading is what stands then, of quality uncertain where nothing is
// written or it cannot be read, and without value (NaN) and time where nothing was written because nothing had to be.
type Releaser interface {
	Release(ctx context.Context) (Reading, error)
}

// Point describes one value of a device.
type Point struct {
	Name     string // a quantity of package district, or a profile's own name
	Unit     units.Unit
	Form     district.Form
	Readable bool
	Writable bool
	Min, Max float64 // range of a write, stored unit; ±Inf without a limit
	// Resolution is the smallest change that the point tells, stored unit; 0 where it tells any or that is not known before the device is read.
	Resolution float64
}

// Reading is one value read from a device.
type Reading struct {
	Point   string
	Value   float64
	Quality district.Quality
	Time    time.Time // when the device took it, or when the answer arrived, UTC
}

// ControlQuantity is the quantity in which a device takes commands.
type ControlQuantity string

// The control quantities.
const (
	ControlKW      ControlQuantity = "kw"       // power in kW, positive into the device
	ControlAmpere  ControlQuantity = "a"        // current limit per phase, A
	ControlShare   ControlQuantity = "share"    // limit as a share of rated power, in [0, 1]; of a battery its power, in [-1, 1], positive into it
	ControlSGReady ControlQuantity = "sg_ready" // SG Ready state 1 to 4
	ControlOnOff   ControlQuantity = "on_off"   // 0 or 1
)

// Control says how a device is commanded. Values are in the control quantity.
type Control struct {
	Point     string // the point to write
	Quantity  ControlQuantity
	Min, Max  float64       // range when active
	Step      float64       // resolution; 0: continuous
	Pause     *float64      // the value that stops the device where it lies outside [Min, Max], such as 0 A below 6 A
	Safe      float64       // the value that gives the device back its own control, sent when Quartier stops or loses sight
	MinHold   time.Duration // shortest time between two changes
	Reversion time.Duration // after which the device falls back by itself without a new command; 0: never
	Phases    int           // for ControlAmpere: phases in use
	VoltageV  float64       // for ControlAmpere: phase voltage by which current becomes power
	RatedKW   float64       // for ControlShare: what 1 stands for

	Restore      Restore       // how the device is given back
	ZeroReleases bool          // a command of 0 lets the device go its own way; otherwise it stands still
	MinInterval  time.Duration // least time between two writes, for a register that is worn by them; over an hour no more are made than that allows
	RampPerS     float64       // largest change of a command, in the control quantity per second; 0: any
}

// Restore says how a device is given back when its command ends.
type Restore string

// The ways of giving a device back.
const (
	RestoreSafe      Restore = "safe"      // the safe value is commanded, or the writes of release are made
	RestorePrevious  Restore = "previous"  // what was read before our first command is written again
	RestoreReversion Restore = "reversion" // nothing is written: the device lets go by itself after its reversion time
)

// Errors to branch on. Each is wrapped with operation, device and cause.
var (
	ErrUnknownPoint = errors.New("unknown point")
	ErrReadOnly     = errors.New("point is read-only")
	ErrUnreachable  = errors.New("device unreachable") // no connection, or no answer in time
	ErrRejected     = errors.New("device rejected the request")
	ErrGarbage      = errors.New("answer could not be understood")
	ErrReadBack     = errors.New("value read back differs")
	ErrStale        = errors.New("value is stale")
	ErrNotWritten   = errors.New("not written") // stands beside the cause of a command, or of giving back, that failed before anything was sent that changes the device; without it that is not known
	ErrClosed       = errors.New("driver is closed")
	// ErrConflict is returned for a command to a device that somebody else has commanded since: it is not written, and will not be while the other's command stands.
	ErrConflict = errors.New("somebody else commands the device")
	// ErrTooOften is returned for a command beyond the rate that the driver was given; the safe value is always sent.
	ErrTooOften = errors.New("commanded too often")
	// ErrConfiguration stands beside ErrUnreachable where waiting does not help: a certificate that is not valid, or not trusted.
	ErrConfiguration = errors.New("connection is not configured rightly")
)

// LimitError is a set-point outside the range of its point.
type LimitError struct {
	Point    string
	Value    float64
	Min, Max float64
	Unit     units.Unit
}

// Error names the point, the value and the range with their unit.
func (e *LimitError) Error() string {
	return fmt.Sprintf("%s %g %s outside [%g, %g] %s", e.Point, e.Value, e.Unit, e.Min, e.Max, e.Unit)
}
