package face

import (
	"errors"
	"fmt"
	"strconv"

	"quartier/schemas/district"
	"quartier/schemas/units"
)

// The Modbus map; doc.go describes it.
const (
	mapMagic     = 0x51554152
	mapVersion   = 1
	valuesAt     = 100
	hoursAt      = 400
	sitesAt      = 1000
	siteStride   = 100
	siteValuesAt = 48
	maxSites     = (65536 - sitesAt) / siteStride
	maxDistricts = 247 // unit ids of Modbus
)

// Hours is the number of hourly values of a quantity: the present hour and the next 24.
const Hours = 25

// Variable is one value that the face shows.
type Variable struct {
	Name        string // key of [Face.Update]: district/quantity, district/quantity/hNN or district/site/quantity
	District    string
	Site        string // empty for a value of the district
	Quantity    string
	Unit        units.Unit
	Description string

	Path   []string // browse names from the Objects folder of OPC UA
	NodeID string   // in [NamespaceURI], without index

	UnitID   uint8  // Modbus unit
	Register uint16 // holding and input
	Long     bool   // float64 in four registers; otherwise float32 in two
}

// NamespaceURI is the OPC UA namespace of the variables.
const NamespaceURI = "urn:quartier:face"

// quantity describes a kind of variable.
type quantity struct {
	name        string
	unit        units.Unit
	long        bool
	description string
}

// The values of a district. New ones are added at the end: their place in the list is their register.
var districtQuantities = []quantity{
	{"power_kw", units.KW, false, "power at the district boundary, positive when the district draws"},
	{"import_kw", units.KW, false, "power drawn at the district boundary, 0 while it feeds"},
	{"export_kw", units.KW, false, "power fed at the district boundary, 0 while it draws"},
	{"production_kw", units.KW, false, "power of all solar inverters, as a positive number"},
	{"consumption_kw", units.KW, false, "power that all sites use: boundary plus production minus charging of batteries"},
	{"storage_kw", units.KW, false, "power of all batteries, positive when charging"},
	{"stored_kwh", units.KWh, false, "energy in all batteries"},
	{"soc", units.ShareUnit, false, "state of charge of all batteries together"},
	{"import_kwh", units.KWh, true, "energy drawn at the district boundary, counter"},
	{"export_kwh", units.KWh, true, "energy fed at the district boundary, counter"},
	{"today_import_kwh", units.KWh, false, "energy drawn at the district boundary since local midnight"},
	{"today_export_kwh", units.KWh, false, "energy fed at the district boundary since local midnight"},
	{"today_production_kwh", units.KWh, false, "solar energy produced since local midnight"},
	{"today_consumption_kwh", units.KWh, false, "energy used since local midnight"},
	{"self_consumption", units.ShareUnit, false, "share of the production since local midnight that was used in the district"},
	{"self_sufficiency", units.ShareUnit, false, "share of the consumption since local midnight that the district covered itself"},
	{"import_price", units.EURPerKWh, false, "price of energy drawn, now"},
	{"export_price", units.EURPerKWh, false, "price of energy fed, now"},
	{"carbon_g_per_kwh", units.GramsPerKWh, false, "carbon intensity of the grid, now"},
	{"plan_import_kw", units.KW, false, "planned power drawn at the district boundary, now"},
	{"plan_export_kw", units.KW, false, "planned power fed at the district boundary, now"},
	{"plan_storage_kw", units.KW, false, "planned power of all batteries, now, positive when charging"},
	{"plan_age_min", "min", false, "age of the plan"},
	{"plan_valid", units.StateUnit, false, "1 when a plan covers the present, 0 otherwise"},
	{"import_limit_kw", units.KW, false, "largest power that may be drawn at the district boundary"},
	{"export_limit_kw", units.KW, false, "largest power that may be fed at the district boundary"},
}

// The hourly values of a district.
var hourlyQuantities = []quantity{
	{"plan_import_kw", units.KW, false, "planned power drawn at the district boundary"},
	{"plan_export_kw", units.KW, false, "planned power fed at the district boundary"},
	{"plan_storage_kw", units.KW, false, "planned power of all batteries, positive when charging"},
	{"import_price", units.EURPerKWh, false, "price of energy drawn"},
	{"carbon_g_per_kwh", units.GramsPerKWh, false, "carbon intensity of the grid, forecast"},
}

// The values of a site.
var siteQuantities = []quantity{
	{"power_kw", units.KW, false, "power at the site's grid meter, positive when it draws"},
	{"production_kw", units.KW, false, "power of its solar inverters, as a positive number"},
	{"consumption_kw", units.KW, false, "power that the site uses: grid meter plus production minus charging of batteries"},
	{"storage_kw", units.KW, false, "power of its batteries, positive when charging"},
	{"soc", units.ShareUnit, false, "state of charge of its batteries"},
	{"plan_net_kw", units.KW, false, "planned power at the grid meter, now"},
	{"import_limit_kw", units.KW, false, "connection limit when it draws"},
	{"export_limit_kw", units.KW, false, "connection limit when it feeds"},
}

// Model is the ordered list of what the face shows. It is read-only.
type Model struct {
	Variables []Variable
	districts []modelDistrict
}

type modelDistrict struct {
	id, name string
	sites    []modelSite
}

type modelSite struct{ id, name string }

// NewModel lists the variables of districts, in their order. It is an error to have more districts or sites than the Modbus map has room for.
func NewModel(districts []district.District) (*Model, error) {
	var faults []error
	if len(districts) > maxDistricts {
		faults = append(faults, fmt.Errorf("face: %d districts, the Modbus map has unit ids for %d", len(districts), maxDistricts))
	}
	m := &Model{}
	for i := range districts {
		d := &districts[i]
		if len(d.Sites) > maxSites {
			faults = append(faults, fmt.Errorf("face: district %s has %d sites, the Modbus map has room for %d", d.ID, len(d.Sites), maxSites))
		}
		md := modelDistrict{id: d.ID, name: d.Name}
		for _, s := range d.Sites {
			md.sites = append(md.sites, modelSite{s.ID, s.Name})
		}
		m.districts = append(m.districts, md)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	for i, d := range m.districts {
		m.addDistrict(uint8(i+1), d)
	}
	return m, nil
}

func (m *Model) addDistrict(unit uint8, d modelDistrict) {
	add := func(name, site string, q quantity, register uint16, path ...string) uint16 {
		m.Variables = append(m.Variables, Variable{
			Name: name, District: d.id, Site: site, Quantity: q.name, Unit: q.unit, Description: q.description,
			Path: append([]string{"Districts", d.id}, path...), NodeID: "s=" + name, UnitID: unit, Register: register, Long: q.long,
		})
		return register + words(q.long)
	}
	at := uint16(valuesAt)
	for _, q := range districtQuantities {
		at = add(Key(d.id, q.name), "", q, at, q.name)
	}
	at = hoursAt
	for _, q := range hourlyQuantities {
		for h := range Hours {
			hq := q
			hq.description = fmt.Sprintf("%s, %d h from the present full hour", q.description, h)
			at = add(HourKey(d.id, q.name, h), "", hq, at, "Hours", q.name, hour(h))
		}
	}
	for k, s := range d.sites {
		at = uint16(sitesAt + siteStride*k + siteValuesAt)
		for _, q := range siteQuantities {
			at = add(SiteKey(d.id, s.id, q.name), s.id, q, at, "Sites", s.id, q.name)
		}
	}
}

func words(long bool) uint16 {
	if long {
		return 4
	}
	return 2
}

// Key names a value of a district.
func Key(districtID, quantity string) string { return districtID + "/" + quantity }

// HourKey names the value of a district for the hour that begins h hours after the present full hour.
func HourKey(districtID, quantity string, h int) string {
	return districtID + "/" + quantity + "/" + hour(h)
}

func hour(h int) string {
	if h < 10 {
		return "h0" + strconv.Itoa(h)
	}
	return "h" + strconv.Itoa(h)
}

// SiteKey names a value of a site.
func SiteKey(districtID, site, quantity string) string {
	return districtID + "/" + site + "/" + quantity
}

// Point is one line of the face's documentation.
type Point struct {
	Name        string
	Description string
	Unit        units.Unit
	UnitID      uint8  // Modbus unit
	Register    uint16 // first register, 0-based, holding or input
	Type        string // float32 or float64, high word first
	NodeID      string // OPC UA, with its namespace URI
}

// Points is the documentation of every variable, in the order of the model.
func (m *Model) Points() []Point {
	out := make([]Point, len(m.Variables))
	for i, v := range m.Variables {
		t := "float32"
		if v.Long {
			t = "float64"
		}
		out[i] = Point{Name: v.Name, Description: v.Description, Unit: v.Unit, UnitID: v.UnitID, Register: v.Register, Type: t,
			NodeID: "nsu=" + NamespaceURI + ";" + v.NodeID}
	}
	return out
}
