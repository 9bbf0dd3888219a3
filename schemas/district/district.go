package district

import (
	"time"

	"quartier/schemas/units"
)

// District is a group of sites that is balanced, planned and accounted for together.
type District struct {
	ID, Name            string
	Latitude, Longitude float64 // degrees, north and east positive
	Zone                *time.Location
	Step                time.Duration // metering and settlement step, 15 min in France since 2025
	ImportLimitKW       float64       // largest power drawn at the district boundary, kW; +Inf without a limit
	ExportLimitKW       float64       // largest power fed at the district boundary, kW; +Inf without a limit
	Tariff              string        // id of the tariff at the district boundary
	Carbon              string        // id of the carbon intensity source
	Silence             *Silence      // what holds once the signal of a limit of the district fell silent; nil: its own limits
	Devices             []Device      // the district's own: transformer station, heat substation, weather station
	Sites               []Site
	Members             []Member
}

// Site is one delivery point of a district: a building or an installation behind one grid meter.
type Site struct {
	ID, Name      string
	ImportLimitKW float64 // connection limit, kW; +Inf without a limit
	ExportLimitKW float64
	Tariff        string   // id of the site's own supply tariff, for its members' bills
	WithdrawalFee float64  // EUR/kWh of network charge and taxes on what the site draws, wherever it comes from
	Silence       *Silence // what holds once the signal of a limit of the site fell silent; nil: its own limits
	Quiet         []QuietHours
	Devices       []Device
}

// Silence is the fall-back of limits that come from outside, such as a network operator's, once their signal is no longer repeated.
type Silence struct {
	ImportLimitKW, ExportLimitKW *float64      // nil: the configured limit
	For                          time.Duration // how long it holds unless the signal comes back
}

// Member is a participant of the district's shared energy: a resident or an institution behind a delivery point.
type Member struct {
	ID, Name      string
	Site          string // id of the member's site
	DeliveryPoint string // the 14 digits of a French PRM; another country's identifier otherwise
	Language      string // "fr" or "en"
	Consent       Consent
	ShareOfSite   float64 // the member's share in [0, 1] of the site's consumption, where the site has one meter for several members
}

// Consent says what a member agreed to, each purpose on its own (GDPR, CNIL deliberations on load curves).
type Consent struct {
	LoadCurve bool      // keeping and showing the quarter-hour load curve
	Report    bool      // receiving the monthly savings report
	Since     time.Time // zero when nothing was agreed
}

// Kind is what a device is in the energy balance.
type Kind string

// The kinds of devices.
const (
	GridMeter   Kind = "grid_meter"   // the site's boundary to the public grid: import_kwh drawn, export_kwh fed
	LoadMeter   Kind = "load_meter"   // a sub-meter of consumption inside the site
	PV          Kind = "pv"           // a solar inverter
	Battery     Kind = "battery"      // a stationary battery
	HeatPump    Kind = "heat_pump"    // a heat pump that heats a zone
	WaterHeater Kind = "water_heater" // an electric storage water heater
	EVCharger   Kind = "ev_charger"   // a charging point
	Substation  Kind = "substation"   // the district's transformer station: the electrical boundary of the district
	HeatMeter   Kind = "heat_meter"   // a thermal meter: heat_kw, heat_kwh; outside the electrical balance
	GasMeter    Kind = "gas_meter"    // a gas meter: gas_m3; outside the electrical balance
	Weather     Kind = "weather"      // a weather station
)

// Kinds lists every kind in the order in which tables show them.
var kinds = []Kind{Substation, GridMeter, LoadMeter, PV, Battery, HeatPump, WaterHeater, EVCharger, HeatMeter, GasMeter, Weather}

// Kinds returns every device kind, in the order in which tables show them.
func Kinds() []Kind { return append([]Kind(nil), kinds...) }

// Valid reports whether k is a known kind.
func (k Kind) Valid() bool {
	for _, v := range kinds {
		if k == v {
			return true
		}
	}
	return false
}

// Device is one machine or meter, how it is reached, and what the plan must know of it. Exactly the parameters of its kind are set.
type Device struct {
	ID, Name string
	Kind     Kind
	Profile  string        // name of the register or node map in drivers/profile
	Address  string        // such as tcp://host:port for Modbus, opc.tcp://host:port for OPC UA
	TLS      *TLSFiles     // of an address modbus+tls://host:port; nil: the machine's own authorities and no certificate of ours
	Unit     uint8         // Modbus unit id
	Poll     time.Duration // how often it is read
	Frozen   time.Duration // without any change of its measurements after which they no longer count; 0: however long
	Control  bool          // whether Quartier may write to it; a device that it does not own is only read
	Quiet    []QuietHours  // of its own, beside those of its site; of each pair the lower power holds

	PV          *PVParams
	Battery     *BatteryParams
	HeatPump    *HeatPumpParams
	WaterHeater *WaterHeaterParams
	EVCharger   *EVChargerParams
	Lighting    *LightingParams // of a load meter that is a street lighting cabinet; nil: any consumption
	Meter       *MeterParams    // of a heat or gas meter that counts in a balance; nil: it is only shown
}

// Role is what a meter of a carrier other than electricity counts in its balance.
type Role string

// The roles of meters.
const (
	DeliveredRole  Role = "delivered"  // through the boundary of its site or district, into it
	ExportedRole   Role = "exported"   // through the boundary, out of it
	GeneratedRole  Role = "generated"  // made on the spot from sun, ground or air, without another carrier
	ConvertedRole  Role = "converted"  // made on the spot out of another carrier, such as a heat pump's heat
	ChargedRole    Role = "charged"    // into storage
	DischargedRole Role = "discharged" // out of storage
	ConsumedRole   Role = "consumed"   // used
)

// MeterParams say what a heat or gas meter counts.
type MeterParams struct {
	Carrier string // "heat", "cold", "gas", "hot_water" or another
	Role    Role
	MaxKW   float64      // power that cannot pass it: what goes beyond is another meter; 0: no test
	Gas     []GasContent // of a gas meter, by From
}

// GasContent is the energy of a cubic metre of gas from a day on.
type GasContent struct {
	From     time.Time
	KWhPerM3 float64
	Net      bool // net calorific value; gross otherwise
	Source   string
}

// TLSFiles are the certificates for a device behind TLS. Files are PEM; an empty name means that there is none.
type TLSFiles struct {
	CAFile     string // authorities, or the device's own certificate
	CertFile   string // ours, with its chain
	KeyFile    string // its private key
	ServerName string // that the device's certificate is for; empty: the host of its address
}

// PVParams describe a solar inverter.
type PVParams struct {
	PeakKW      float64 // installed power, kWp
	Curtailable bool    // whether its power may be limited
	TiltDeg     float64 // 0 flat, 90 vertical
	AzimuthDeg  float64 // 180 south
}

// BatteryParams describe a stationary battery.
type BatteryParams struct {
	CapacityKWh         float64
	MinSOC, MaxSOC      float64 // the band that planning may use, shares in [0, 1]
	ChargeKW            float64 // largest charging power, kW
	DischargeKW         float64 // largest discharging power, kW, a positive number
	ChargeEfficiency    float64 // in (0, 1]
	DischargeEfficiency float64 // in (0, 1]
	WearCostPerKWh      float64 // EUR per kWh charged and per kWh discharged
}

// HeatPumpParams describe a heat pump and the zone it heats (one thermal mass, as planning sees it).
type HeatPumpParams struct {
	MaxKW, MinKW     float64 // electrical power when on, kW
	COPNominal       float64 // coefficient of performance at 7 °C outside
	COPPerK          float64 // change of the coefficient per K of outdoor temperature
	CapacityKWhPerK  float64 // heat capacity of the zone
	ResistanceKPerKW float64 // thermal resistance to the outside
	GainsKW          float64 // mean internal gains
	MinC, MaxC       float64 // comfort band
	MinOn, MinOff    time.Duration
}

// WaterHeaterParams describe an electric storage water heater.
type WaterHeaterParams struct {
	MaxKW       float64 // element power; it is on or off
	CapacityKWh float64 // heat stored between cold and hottest
	LossPerHour float64 // share of the stored heat lost each hour
	VolumeL     float64
	MinC, MaxC  float64 // of the water
}

// EVChargerParams describe a charging point and the car that usually stands at it.
type EVChargerParams struct {
	MaxKW, MinKW float64 // power when charging, kW; the minimum follows from 6 A (IEC 61851)
	Phases       int     // 1 or 3
	CapacityKWh  float64 // of the car
	TargetKWh    float64 // energy wanted per session, where the car tells nothing better
	ReadyBy      string  // local time "07:00" by which it is wanted; empty: at the usual departure
}

// Series returns the name of the series of a quantity of a device.
func (d Device) Series(districtID, siteID, quantity string) SeriesID {
	return NewSeriesID(districtID, siteID, d.ID, quantity)
}

// AllDevices yields every device with the id of its site; the district's own come first, under [DistrictSite].
func (d *District) AllDevices(yield func(site string, dev *Device) bool) {
	for i := range d.Devices {
		if !yield(DistrictSite, &d.Devices[i]) {
			return
		}
	}
	for s := range d.Sites {
		for i := range d.Sites[s].Devices {
			if !yield(d.Sites[s].ID, &d.Sites[s].Devices[i]) {
				return
			}
		}
	}
}

// Site returns the site with the given id, or nil.
func (d *District) Site(id string) *Site {
	for i := range d.Sites {
		if d.Sites[i].ID == id {
			return &d.Sites[i]
		}
	}
	return nil
}

// Device returns a device by site and id, or nil.
func (d *District) Device(site, id string) *Device {
	for s, dev := range d.AllDevices {
		if s == site && dev.ID == id {
			return dev
		}
	}
	return nil
}

// Member returns the member with the given id, or nil.
func (d *District) Member(id string) *Member {
	for i := range d.Members {
		if d.Members[i].ID == id {
			return &d.Members[i]
		}
	}
	return nil
}

// Unit of a stored quantity; see [Quantities].
type Unit = units.Unit
