package profile

import (
	"fmt"
	"math"
	"slices"

	"quartier/drivers"
	"quartier/schemas/district"
	"quartier/schemas/units"
)

// Control says how a device type is commanded and which writes make one command.
type Control struct {
	drivers.Control
	Writes   []ControlWrite // in this order
	Zero     Zeros          // what a command of 0 does between two directions
	Release  []PointValue   // writes that give the device back in place of the safe value; none: that does
	ReadBack *ReadBack      // nil: each written register is read back by itself
	Line     int
}

// ControlWrite is one write of a command. Exactly one of Value, FromCommand and Lookup says what is written, in the stored unit of the point.
type ControlWrite struct {
	Point       string
	Value       *float64
	FromCommand bool // command × Factor + Offset
	Factor      float64
	Offset      float64
	Lookup      []LookupRow
	When        Condition
}

// LookupRow gives the value that is written for one command.
type LookupRow struct{ Command, Value float64 }

// Condition says for which commands a write is made.
type Condition string

// The conditions.
const (
	Always   Condition = "always"
	Positive Condition = "positive"
	Negative Condition = "negative"
	Zero     Condition = "zero"
	NonZero  Condition = "nonzero"
	AtSafe   Condition = "safe"   // the command is the safe value
	Active   Condition = "active" // the command is not the safe value
)

// Zeros says what a command of 0 does with a device that can do it in two directions.
type Zeros string

// What a command of 0 does.
const (
	ZeroHolds    Zeros = "hold"    // the device stands still
	ZeroReleases Zeros = "release" // it goes its own way
)

// ReadBack names the point that tells whether a command was taken, and by how much it may differ in the control quantity.
type ReadBack struct {
	Point     string
	Tolerance float64
}

// PointValue is a value to write to a point, in its stored unit.
type PointValue struct {
	Point string
	Value float64
}

func (c Condition) holds(command, safe float64) bool {
	switch c {
	case Positive:
		return command > 0
	case Negative:
		return command < 0
	case Zero:
		return command == 0
	case NonZero:
		return command != 0
	case AtSafe:
		return command == safe
	case Active:
		return command != safe
	}
	return true
}

// value returns what the write sends for a command.
func (w *ControlWrite) value(command float64) (float64, bool) {
	switch {
	case w.Value != nil:
		return *w.Value, true
	case w.FromCommand:
		return command*w.Factor + w.Offset, true
	}
	for _, row := range w.Lookup {
		if row.Command == command {
			return row.Value, true
		}
	}
	return 0, false
}

// Unit is the unit of the control quantity.
func (c *Control) Unit() units.Unit {
	switch c.Quantity {
	case drivers.ControlKW:
		return units.KW
	case drivers.ControlAmpere:
		return units.Ampere
	case drivers.ControlShare:
		return units.ShareUnit
	}
	return units.StateUnit
}

func (c *Control) form() district.Form {
	if c.discrete() {
		return district.State
	}
	return district.Gauge
}

func (c *Control) discrete() bool {
	return c.Quantity == drivers.ControlSGReady || c.Quantity == drivers.ControlOnOff
}

func (c *Control) lowest() float64 {
	v := math.Min(c.Min, c.Safe)
	if c.Pause != nil {
		v = math.Min(v, *c.Pause)
	}
	return v
}

func (c *Control) highest() float64 {
	v := math.Max(c.Max, c.Safe)
	if c.Pause != nil {
		v = math.Max(v, *c.Pause)
	}
	return v
}

// Allows reports whether command may be sent: within [Min, Max], the pause or the safe value, and a whole number for states.
func (c *Control) Allows(command float64) bool {
	if c.Pause != nil && command == *c.Pause || command == c.Safe {
		return true
	}
	if c.discrete() && command != math.Trunc(command) {
		return false
	}
	return command >= c.Min && command <= c.Max
}

// Readable reports whether the command that is in force can be read from the device.
func (c *Control) Readable(p *Profile) bool {
	if c.ReadBack != nil {
		return true
	}
	for _, w := range c.Writes {
		if pt := p.Point(w.Point); pt == nil || !pt.Readable() {
			return false
		}
	}
	return true
}

// ControlFor returns how a device of this type is commanded, with what the configuration knows of the single device: its phases, its
// rated power and its own limits where they are narrower than the type's. ok is false for a device that is only read.
func (p *Profile) ControlFor(dev district.Device) (c drivers.Control, ok bool) {
	if p.Control == nil {
		return drivers.Control{}, false
	}
	c = p.Control.Control
	switch {
	case dev.EVCharger != nil && c.Quantity == drivers.ControlAmpere && dev.EVCharger.Phases > 0:
		c.Phases = dev.EVCharger.Phases
	case dev.PV != nil && c.RatedKW == 0:
		c.RatedKW = dev.PV.PeakKW
	case dev.HeatPump != nil && c.RatedKW == 0:
		c.RatedKW = dev.HeatPump.MaxKW
	case dev.WaterHeater != nil && c.RatedKW == 0:
		c.RatedKW = dev.WaterHeater.MaxKW
	case dev.Battery != nil && c.Quantity == drivers.ControlShare && c.RatedKW == 0:
		c.RatedKW = math.Max(dev.Battery.ChargeKW, dev.Battery.DischargeKW)
	case dev.Battery != nil && c.Quantity == drivers.ControlKW:
		if dev.Battery.ChargeKW > 0 {
			c.Max = math.Min(c.Max, dev.Battery.ChargeKW)
		}
		if dev.Battery.DischargeKW > 0 {
			c.Min = math.Max(c.Min, -dev.Battery.DischargeKW)
		}
	}
	return c, true
}

// Sequence returns the writes, in order, that make a command in the control quantity. A command outside the range is a
// *[drivers.LimitError].
func (p *Profile) Sequence(command float64) ([]PointValue, error) {
	c := p.Control
	if c == nil {
		return nil, fmt.Errorf("profile %s: %w: it declares no control", p.Name, drivers.ErrReadOnly)
	}
	if !c.Allows(command) {
		return nil, &drivers.LimitError{Point: c.Point, Value: command, Min: c.Min, Max: c.Max, Unit: c.Unit()}
	}
	var out []PointValue
	for i := range c.Writes {
		w := &c.Writes[i]
		if !w.When.holds(command, c.Safe) {
			continue
		}
		v, ok := w.value(command)
		if !ok {
			return nil, fmt.Errorf("profile %s: control: %s has no value for command %g %s", p.Name, w.Point, command, c.Unit())
		}
		out = append(out, PointValue{w.Point, v})
	}
	return out, nil
}

// Releasing returns the writes, in order, that give the device back: those of release, or those of the safe value.
func (p *Profile) Releasing() ([]PointValue, error) {
	if p.Control != nil && len(p.Control.Release) > 0 {
		return p.Control.Release, nil
	}
	if p.Control == nil {
		return p.Sequence(0)
	}
	return p.Sequence(p.Control.Safe)
}

// Released reports whether the points stand as the writes of release leave them, or, where there are none, for a command of 0 that lets the device go its own way. read is as in
// [Profile.Command].
func (p *Profile) Released(read func(point string) (float64, bool)) bool {
	c := p.Control
	if c == nil {
		return true
	}
	if len(c.Release) == 0 {
		command, ok := p.Command(read)
		return ok && command == 0 && c.ZeroReleases
	}
	for _, w := range c.Release {
		if v, ok := read(w.Point); !ok || math.Abs(v-w.Value) > p.tolerance(w.Point) {
			return false
		}
	}
	return true
}

// hasZero reports whether 0 is a command between two directions, as that of a battery is.
func (c *Control) hasZero() bool { return !c.discrete() && c.Min < 0 && c.Max > 0 }

// Written lists the points that a command or a release writes, each once, in order.
func (c *Control) Written() (points []string) {
	add := func(name string) {
		if !slices.Contains(points, name) {
			points = append(points, name)
		}
	}
	for _, w := range c.Writes {
		add(w.Point)
	}
	for _, w := range c.Release {
		add(w.Point)
	}
	return points
}

// Command returns the command that the points written by the control sequence stand for, the inverse of [Profile.Sequence]. read gives
// the present value of a point in its stored unit. ok is false when the values fit no command, as on a device under its own control.
func (p *Profile) Command(read func(point string) (float64, bool)) (command float64, ok bool) {
	return p.command(read, func(string) bool { return false })
}

// Standing returns the command that is in force whoever gave it: [Profile.Command] without a look at timers and the like, which another master sets as it likes. These are the
// points without a unit that every command sets to the same value.
func (p *Profile) Standing(read func(point string) (float64, bool)) (command float64, ok bool) {
	return p.command(read, func(point string) bool {
		if pt := p.Point(point); pt == nil || pt.Unit != units.ShareUnit {
			return false
		}
		first := true
		var same float64
		for _, w := range p.Control.Writes {
			if w.Point != point {
				continue
			}
			if w.Value == nil || !first && *w.Value != same {
				return false
			}
			first, same = false, *w.Value
		}
		return !slices.ContainsFunc(p.Control.Release, func(w PointValue) bool { return w.Point == point })
	})
}

func (p *Profile) command(read func(point string) (float64, bool), aside func(point string) bool) (command float64, ok bool) {
	c := p.Control
	if c == nil {
		return 0, false
	}
	values := make(map[string]float64, len(c.Writes))
	for _, w := range c.Writes {
		if v, ok := read(w.Point); ok {
			values[w.Point] = v
		}
	}
	for _, candidate := range p.candidates(values) {
		if p.fits(candidate, values, aside) {
			return candidate, true
		}
	}
	return 0, false
}

// candidates lists the commands that could explain the values: what each register written from the command says, then the marked ones.
func (p *Profile) candidates(values map[string]float64) []float64 {
	c := p.Control
	var out []float64
	for _, w := range c.Writes {
		if v, ok := values[w.Point]; ok && w.FromCommand && w.Factor != 0 {
			got := (v - w.Offset) / w.Factor
			tol := p.tolerance(w.Point) / math.Abs(w.Factor)
			for _, mark := range []float64{c.Safe, c.Min, c.Max} {
				if math.Abs(got-mark) <= tol {
					got = mark
					break
				}
			}
			if c.discrete() {
				got = math.Round(got)
			}
			out = append(out, got)
		}
	}
	out = append(out, c.Safe)
	if c.Pause != nil {
		out = append(out, *c.Pause)
	}
	if c.discrete() {
		for v := c.Min; v <= c.Max; v++ {
			out = append(out, v)
		}
	}
	return append(out, 0, c.Min, c.Max)
}

// fits reports whether the values are those that the command would have written.
func (p *Profile) fits(command float64, values map[string]float64, aside func(point string) bool) bool {
	c := p.Control
	if !c.Allows(command) {
		return false
	}
	applied := 0
	for i := range c.Writes {
		w := &c.Writes[i]
		if !w.When.holds(command, c.Safe) || aside(w.Point) {
			continue
		}
		want, ok := w.value(command)
		if !ok {
			return false
		}
		if pt := p.Point(w.Point); pt != nil && !pt.Readable() {
			if _, known := values[w.Point]; !known {
				continue
			}
		}
		got, ok := values[w.Point]
		if !ok || math.Abs(got-want) > p.tolerance(w.Point) {
			return false
		}
		applied++
	}
	return applied > 0
}

// tolerance is by how much a value of the point may differ from what was written for the register's resolution.
func (p *Profile) tolerance(point string) float64 {
	tol := 1e-6
	pt := p.Point(point)
	if pt == nil {
		return tol
	}
	var sf int16
	if pt.Register != nil && pt.Register.ScaleFactor != nil {
		sf = pt.Register.ScaleFactor.Simulated
	}
	return tol + 0.51*pt.Resolution(sf)
}
