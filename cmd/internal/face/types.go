package face

import (
	"slices"

	"quartier/schemas/district"
)

// objectType is a type of the OPC UA server's objects.
type objectType struct {
	Name        string         `json:"name"`
	Of          string         `json:"of,omitempty"`
	Abstract    bool           `json:"abstract,omitempty"`
	NameFR      string         `json:"name_fr"`
	Description string         `json:"description"`
	Variables   []typeVariable `json:"variables,omitempty"`
}

// typeVariable is a variable that the objects of a type have, or may have.
type typeVariable struct {
	Path     []string `json:"path"`
	Name     string   `json:"name"`
	NameFR   string   `json:"name_fr"`
	Unit     string   `json:"unit"`
	Optional bool     `json:"optional,omitempty"`
}

// Types of districts and sites; those of devices are in kindTypes.
const (
	districtType = "DistrictType"
	siteType     = "SiteType"
	deviceType   = "DeviceType"
	meterType    = "MeterType"
)

// kindTypes are the types of devices by their kind, in the order in which they are added.
var kindTypes = []struct {
	kind       district.Kind
	name, of   string
	french, en string
}{
	{district.Substation, "SubstationType", meterType, "Poste de transformation", "transformer station, the electrical boundary of a district"},
	{district.GridMeter, "GridMeterType", meterType, "Compteur de réseau", "meter at the boundary of a site to the grid"},
	{district.LoadMeter, "LoadMeterType", meterType, "Sous-compteur", "meter of consumption inside a site"},
	{district.PV, "PVInverterType", deviceType, "Onduleur solaire", "solar inverter"},
	{district.Battery, "BatteryType", deviceType, "Batterie", "stationary battery"},
	{district.HeatPump, "HeatPumpType", deviceType, "Pompe à chaleur", "heat pump that heats a zone"},
	{district.WaterHeater, "WaterHeaterType", deviceType, "Chauffe-eau", "electric storage water heater"},
	{district.EVCharger, "EVChargerType", deviceType, "Borne de recharge", "charging point"},
	{district.HeatMeter, "HeatMeterType", deviceType, "Compteur de chaleur", "thermal meter"},
	{district.GasMeter, "GasMeterType", deviceType, "Compteur de gaz", "gas meter"},
	{district.Weather, "WeatherStationType", deviceType, "Station météo", "weather station"},
}

// typeOf is the type of the devices of a kind.
func typeOf(k district.Kind) string {
	for _, t := range kindTypes {
		if t.kind == k {
			return t.name
		}
	}
	return ""
}

// declared is the variable of a quantity.
func declared(q quantity, optional bool, folders ...string) typeVariable {
	l := labels[q.name]
	return typeVariable{Path: append(slices.Clone(folders), q.name), Name: l.en, NameFR: l.fr, Unit: string(q.unit), Optional: optional}
}

// objectTypes are the types of all objects.
func objectTypes() []objectType {
	d := objectType{Name: districtType, NameFR: "Quartier", Description: "district: what lies behind one boundary to the grid"}
	for _, q := range districtQuantities {
		d.Variables = append(d.Variables, declared(q, false))
	}
	d.Variables = append(d.Variables, declared(importRequest, false, "Requests"), declared(exportRequest, false, "Requests"))
	for _, q := range hourlyQuantities {
		for h := range Hours {
			v := declared(q, false, "Hours", q.name)
			v.Path[len(v.Path)-1] = hour(h)
			d.Variables = append(d.Variables, v)
		}
	}
	s := objectType{Name: siteType, NameFR: "Site", Description: "building or plant of a district"}
	for _, q := range siteQuantities {
		s.Variables = append(s.Variables, declared(q, false))
	}
	for _, q := range []quantity{importRequest, exportRequest, comfortRequest, absence} {
		s.Variables = append(s.Variables, declared(q, false, "Requests"))
	}
	out := []objectType{d, s, {Name: deviceType, Abstract: true, NameFR: "Équipement", Description: "device; one that Quartier commands may be given its own control back, and be locked out",
		Variables: []typeVariable{declared(available, true), declared(lockOut, true)}},
		{Name: meterType, Of: deviceType, Abstract: true, NameFR: "Compteur", Description: "meter of electricity", Variables: ofKind(district.GridMeter)}}
	for _, t := range kindTypes {
		o := objectType{Name: t.name, Of: t.of, NameFR: t.french, Description: t.en}
		if t.of != meterType {
			o.Variables = ofKind(t.kind)
		}
		out = append(out, o)
	}
	return out
}

// ofKind are the variables of the devices of a kind.
func ofKind(k district.Kind) (out []typeVariable) {
	for _, q := range deviceQuantities {
		if slices.Contains(q.kinds, k) {
			out = append(out, declared(q.quantity, false))
		}
	}
	return out
}
