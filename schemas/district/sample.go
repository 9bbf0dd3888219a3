package district

import (
	"fmt"
	"strings"
	"time"

	"quartier/schemas/units"
)

// DistrictSite is the reserved site id under which the district's own devices and signals stand.
const DistrictSite = "_"

// SeriesID names a series: district/site/device/quantity.
type SeriesID string

// NewSeriesID joins the four parts; none may hold a slash (configuration refuses such ids).
func NewSeriesID(districtID, site, device, quantity string) SeriesID {
	return SeriesID(districtID + "/" + site + "/" + device + "/" + quantity)
}

// Parts splits the name; ok is false when it has not exactly four non-empty parts.
func (s SeriesID) Parts() (districtID, site, device, quantity string, ok bool) {
	p := strings.Split(string(s), "/")
	if len(p) != 4 || p[0] == "" || p[1] == "" || p[2] == "" || p[3] == "" {
		return "", "", "", "", false
	}
	return p[0], p[1], p[2], p[3], true
}

// Form is how a quantity behaves in time.
type Form uint8

// Forms of quantities.
const (
	Gauge   Form = iota // an instantaneous value: power, temperature
	Counter             // a total that only grows, but for roll-over, replacement and reset
	State               // an enumeration or switch
)

// Quantity is what a point measures: its name, stored unit and form.
type Quantity struct {
	Name string
	Unit units.Unit
	Form Form
}

// Names of the quantities that the balance, the plan and the console know. Profiles may add others, by any name that ends in its unit.
const (
	PowerKW         = "power_kw"           // gauge, kW, positive into the device
	ImportKWh       = "import_kwh"         // counter, energy into the device
	ExportKWh       = "export_kwh"         // counter, energy out of the device
	SOC             = "soc"                // gauge, share in [0, 1]
	IndoorC         = "indoor_c"           // gauge, room temperature of the heated zone
	OutdoorC        = "outdoor_c"          // gauge
	SupplyC         = "supply_c"           // gauge, water leaving the heat generator
	ReturnC         = "return_c"           // gauge
	TankC           = "tank_c"             // gauge, hot water
	HeatKW          = "heat_kw"            // gauge, thermal power delivered
	HeatKWh         = "heat_kwh"           // counter, thermal energy delivered
	GasM3           = "gas_m3"             // counter, volume of gas as the meter counts it
	SGReady         = "sg_ready"           // state: 1 blocked, 2 normal, 3 boost recommended, 4 forced (BWP SG Ready)
	Connected       = "connected"          // state: 1 when a car is plugged in
	Charging        = "charging"           // state: 1 when a car is charging
	SessionKWh      = "session_kwh"        // gauge: energy of the present charging session; falls to 0 with the next
	LimitA          = "limit_a"            // gauge: the charger's present current limit per phase
	StatusState     = "status"             // state: the device's own operating state
	VoltageV        = "voltage_v"          // gauge
	FrequencyHz     = "frequency_hz"       // gauge
	IrradianceWm2   = "irradiance_w_m2"    // gauge, global horizontal
	DirectWm2       = "direct_normal_w_m2" // gauge, direct normal irradiance
	DiffuseWm2      = "diffuse_w_m2"       // gauge, diffuse horizontal irradiance
	CarbonIntensity = "carbon_g_per_kwh"   // gauge, signal
	ImportPrice     = "import_price"       // gauge, signal, EUR/kWh
	ExportPrice     = "export_price"       // gauge, signal, EUR/kWh
	LimitShare      = "limit_share"        // gauge: power limit as a share of rated power, in [0, 1]
	SetpointKW      = "setpoint_kw"        // gauge: commanded power, positive into the device
)

var quantities = []Quantity{
	{PowerKW, units.KW, Gauge}, {ImportKWh, units.KWh, Counter}, {ExportKWh, units.KWh, Counter}, {SOC, units.ShareUnit, Gauge},
	{IndoorC, units.DegC, Gauge}, {OutdoorC, units.DegC, Gauge}, {SupplyC, units.DegC, Gauge}, {ReturnC, units.DegC, Gauge}, {TankC, units.DegC, Gauge},
	{HeatKW, units.KW, Gauge}, {HeatKWh, units.KWh, Counter}, {GasM3, units.CubicM, Counter}, {SGReady, units.StateUnit, State}, {Connected, units.StateUnit, State},
	{Charging, units.StateUnit, State}, {SessionKWh, units.KWh, Gauge}, {LimitA, units.Ampere, Gauge}, {StatusState, units.StateUnit, State},
	{VoltageV, units.Volt, Gauge}, {FrequencyHz, units.Hertz, Gauge}, {IrradianceWm2, units.WattPerM2, Gauge},
	{CarbonIntensity, units.GramsPerKWh, Gauge}, {ImportPrice, units.EURPerKWh, Gauge}, {ExportPrice, units.EURPerKWh, Gauge},
	{LimitShare, units.ShareUnit, Gauge}, {SetpointKW, units.KW, Gauge},
}

// Quantities returns the known quantities.
func Quantities() []Quantity { return append([]Quantity(nil), quantities...) }

// LookupQuantity returns the known quantity of that name.
func LookupQuantity(name string) (Quantity, bool) {
	for _, q := range quantities {
		if q.Name == name {
			return q, true
		}
	}
	return Quantity{}, false
}

// Quality says how far a value can be trusted. The numbers are stored.
type Quality uint8

// The four qualities, after the severities of OPC UA with substituted (an estimate in place of a measurement) beside them.
const (
	Good        Quality = 0
	Uncertain   Quality = 1
	Bad         Quality = 2
	Substituted Quality = 3
)

// String returns the word of configuration, API and exports.
func (q Quality) String() string {
	switch q {
	case Good:
		return "good"
	case Uncertain:
		return "uncertain"
	case Bad:
		return "bad"
	case Substituted:
		return "substituted"
	}
	return fmt.Sprintf("quality(%d)", uint8(q))
}

// ParseQuality is the inverse of [Quality.String].
func ParseQuality(text string) (Quality, error) {
	for q := Good; q <= Substituted; q++ {
		if q.String() == text {
			return q, nil
		}
	}
	return Bad, fmt.Errorf("district: unknown quality %q, want good, uncertain, bad or substituted", text)
}

// Source says where a value came from. The numbers are stored.
type Source uint8

// The sources of samples.
const (
	FromDevice  Source = 0 // read from a device
	FromImport  Source = 1 // taken from a file
	FromHistory Source = 2 // recorded history loaded at set-up
	FromSignal  Source = 3 // a price, carbon or weather signal
	Computed    Source = 4 // computed by Quartier
)

// Sample is one value of one series at one instant. Value is finite: a missing value is no sample, a doubtful one has its quality.
type Sample struct {
	Series  SeriesID
	Time    time.Time // UTC
	Value   float64
	Quality Quality
	Source  Source
}
