package units

import (
	"fmt"
	"maps"
	"slices"
)

// Unit names the unit in which a point is stored and shown. Its text is the one of configuration, API and exports.
type Unit string

// The units of stored points. A device speaks many more; [Convert] brings them to these.
const (
	KW          Unit = "kW"
	KWh         Unit = "kWh"
	DegC        Unit = "degC"
	Volt        Unit = "V"
	Ampere      Unit = "A"
	Hertz       Unit = "Hz"
	Kvar        Unit = "kvar"
	KVA         Unit = "kVA"
	ShareUnit   Unit = "1"     // a share in [0, 1] or another dimensionless number
	StateUnit   Unit = "state" // an enumeration or a switch, by number
	EURPerKWh   Unit = "EUR/kWh"
	GramsPerKWh Unit = "gCO2e/kWh"
	WattPerM2   Unit = "W/m2"
	CubicMPerH  Unit = "m3/h"
	CubicM      Unit = "m3"
)

// conversions lists, for each unit a device may speak, the stored unit it becomes and the factor and offset: stored = raw*factor + offset.
var conversions = map[string]struct {
	to             Unit
	factor, offset float64
}{
	"mW": {KW, 1e-6, 0}, "W": {KW, 1e-3, 0}, "kW": {KW, 1, 0}, "MW": {KW, 1e3, 0},
	"Wh": {KWh, 1e-3, 0}, "kWh": {KWh, 1, 0}, "MWh": {KWh, 1e3, 0}, "GJ": {KWh, 1e3 / 3.6, 0}, "MJ": {KWh, 1 / 3.6, 0},
	"degC": {DegC, 1, 0}, "K": {DegC, 1, -273.15}, "degF": {DegC, 5.0 / 9, -160.0 / 9},
	"V": {Volt, 1, 0}, "mV": {Volt, 1e-3, 0}, "kV": {Volt, 1e3, 0},
	"A": {Ampere, 1, 0}, "mA": {Ampere, 1e-3, 0},
	"Hz": {Hertz, 1, 0}, "mHz": {Hertz, 1e-3, 0},
	"var": {Kvar, 1e-3, 0}, "kvar": {Kvar, 1, 0}, "VA": {KVA, 1e-3, 0}, "kVA": {KVA, 1, 0},
	"1": {ShareUnit, 1, 0}, "%": {ShareUnit, 1e-2, 0}, "state": {StateUnit, 1, 0},
	"EUR/kWh": {EURPerKWh, 1, 0}, "EUR/MWh": {EURPerKWh, 1e-3, 0}, "ct/kWh": {EURPerKWh, 1e-2, 0},
	"gCO2e/kWh": {GramsPerKWh, 1, 0}, "kgCO2e/kWh": {GramsPerKWh, 1e3, 0},
	"W/m2": {WattPerM2, 1, 0}, "m3/h": {CubicMPerH, 1, 0}, "m3": {CubicM, 1, 0}, "l": {CubicM, 1e-3, 0}, "l/h": {CubicMPerH, 1e-3, 0},
}

// Conversion brings a device's unit to the stored one: stored = raw*Factor + Offset.
type Conversion struct {
	From           string
	To             Unit
	Factor, Offset float64
}

// Convert returns the conversion from the unit that a device or a file speaks, such as "W" or "%", to the stored unit.
func Convert(from string) (Conversion, error) {
	c, ok := conversions[from]
	if !ok {
		return Conversion{}, fmt.Errorf("units: unknown unit %q", from)
	}
	return Conversion{From: from, To: c.to, Factor: c.factor, Offset: c.offset}, nil
}

// Stored returns the stored value of raw.
func (c Conversion) Stored(raw float64) float64 { return raw*c.Factor + c.Offset }

// Raw returns the device's value of stored, the inverse of Stored.
func (c Conversion) Raw(stored float64) float64 { return (stored - c.Offset) / c.Factor }

// Names lists the units that [Convert] accepts, in alphabetical order.
func Names() []string { return slices.Sorted(maps.Keys(conversions)) }

// Known reports whether name is a unit that [Convert] accepts.
func Known(name string) bool { _, ok := conversions[name]; return ok }
