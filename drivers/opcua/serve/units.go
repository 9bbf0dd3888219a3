package serve

import "github.com/gopcua/opcua/ua"

// uneceURI is the namespace of the unit codes of UNECE Recommendation 20, as OPC UA Part 8 5.6.3 uses them.
const uneceURI = "http://www.opcfoundation.org/UA/units/un/cefact"

// unece maps a unit's text to its common code and name.
var unece = map[string]struct{ code, name string }{
	"kW": {"KWT", "kilowatt"}, "W": {"WTT", "watt"}, "MW": {"MAW", "megawatt"},
	"kWh": {"KWH", "kilowatt hour"}, "Wh": {"WHR", "watt hour"}, "MWh": {"MWH", "megawatt hour"},
	"degC": {"CEL", "degree Celsius"}, "K": {"KEL", "kelvin"}, "V": {"VLT", "volt"}, "A": {"AMP", "ampere"}, "Hz": {"HTZ", "hertz"},
	"kvar": {"KVR", "kilovar"}, "kVA": {"KVA", "kilovolt - ampere"}, "1": {"C62", "one"}, "%": {"P1", "percent"},
	"m3/h": {"MQH", "cubic metre per hour"}, "W/m2": {"D54", "watt per square metre"}, "min": {"MIN", "minute"}, "s": {"SEC", "second"},
}

// engineeringUnit describes a unit to clients; one without a UNECE code has the id -1 and no namespace.
func engineeringUnit(unit string) *ua.EUInformation {
	display := unit
	if unit == "degC" {
		display = "°C"
	}
	u, ok := unece[unit]
	if !ok {
		return &ua.EUInformation{UnitID: -1, DisplayName: ua.NewLocalizedText(display), Description: ua.NewLocalizedText(unit)}
	}
	var code int32
	for _, c := range []byte(u.code) {
		code = code<<8 | int32(c)
	}
	return &ua.EUInformation{NamespaceURI: uneceURI, UnitID: code, DisplayName: ua.NewLocalizedText(display), Description: ua.NewLocalizedText(u.name)}
}
