package face

import (
	"fmt"
	"slices"
	"strconv"

	"quartier/schemas/district"
	"quartier/schemas/units"
)

// The Modbus map; doc.go describes it.
const (
	mapMagic      = 0x51554152
	mapVersion    = 3 // 2 knew no requests of absence and lock-out; what it knew stands where it stood
	valuesAt      = 100
	requestsAt    = 360
	hoursAt       = 400
	sitesAt       = 1000
	siteStride    = 100
	siteValuesAt  = 48
	siteAsksAt    = 80
	maxSites      = 200
	devicesAt     = sitesAt + maxSites*siteStride
	deviceStride  = 70
	deviceAsksAt  = 64 // of devices under control, which no gas meter is
	maxDevices    = (65536 - devicesAt) / deviceStride
	maxDistricts  = 247 // unit ids of Modbus
	noSite        = 0xFFFF
	deviceHeading = 18
)

// Hours is the number of hourly values of a quantity: the present hour and the next 24.
const Hours = 25

// Variable is one value that the face shows.
type Variable struct {
	Name          string // key of [Face.Update]: district/quantity, district/quantity/hNN, district/site/quantity or district/site/device/quantity
	District      string
	Site          string // empty for a value of the district
	Device        string // empty for a value of the district or a site
	Quantity      string
	Unit          units.Unit
	Description   string
	DescriptionFR string
	Min, Max      float64           // range in which values are expected; of a request, which are taken
	Writable      bool              // a request
	Series        district.SeriesID // of the record, that holds its history; empty: none does

	Path   []string // browse names from the Objects folder of OPC UA
	NodeID string   // in [NamespaceURI], without index

	UnitID   uint8  // Modbus unit; 0: the map has no room for it, and it is on OPC UA alone
	Register uint16 // holding and input
	Long     bool   // float64 in four registers; otherwise float32 in two
}

// NamespaceURI is the OPC UA namespace of the variables.
const NamespaceURI = "urn:quartier:face"

// Model is the ordered list of what the face shows. It is read-only.
type Model struct {
	Variables []Variable
	districts []modelDistrict
	byName    map[string]int
}

type modelDistrict struct {
	unit     uint8 // 0: none
	id, name string
	slots    DistrictSlots
	sites    []modelSite
	devices  []modelDevice
}

type modelSite struct {
	slot     int
	id, name string
}

type modelDevice struct {
	slot     int
	site, id string
	kind     district.Kind
}

// NewModel lists the variables of districts. slots has the places of the Modbus map and is given those that lack; nil: places in the order of the districts. What is beyond the
// room of the map is on OPC UA alone, see [Model.Beyond].
func NewModel(districts []district.District, slots *Slots) *Model {
	if slots == nil {
		slots = &Slots{Version: slotsVersion}
	}
	slots.Assign(districts)
	m := &Model{byName: map[string]int{}}
	for i := range districts {
		m.addDistrict(&districts[i], slots)
	}
	for i, v := range m.Variables {
		m.byName[v.Name] = i
	}
	return m
}

// Beyond counts the variables for which the Modbus map has no room.
func (m *Model) Beyond() int {
	n := 0
	for _, v := range m.Variables {
		if v.UnitID == 0 {
			n++
		}
	}
	return n
}

// Variable returns the variable of a name, or nil.
func (m *Model) Variable(name string) *Variable {
	if i, ok := m.byName[name]; ok {
		return &m.Variables[i]
	}
	return nil
}

// adder adds the variables of one district.
type adder struct {
	m *Model
	d *district.District
	u uint8
}

// add adds a variable and returns the register after it; room says whether the map has a place for it.
func (a *adder) add(v Variable, q quantity, register uint16, room bool, path ...string) uint16 {
	v.District, v.Quantity, v.Unit, v.Long = a.d.ID, q.name, q.unit, q.long
	if v.Description == "" {
		v.Description, v.DescriptionFR = q.en, q.fr
	}
	v.Path, v.NodeID = append([]string{"Districts", a.d.ID}, path...), "s="+v.Name
	if v.Min == v.Max {
		v.Min, v.Max = q.span()
	}
	if a.u > 0 && room {
		v.UnitID, v.Register = a.u, register
	}
	a.m.Variables = append(a.m.Variables, v)
	return register + words(q.long)
}

func (m *Model) addDistrict(d *district.District, slots *Slots) {
	place := slots.district(d.ID)
	md := modelDistrict{id: d.ID, name: d.Name, slots: slots.Districts[place]}
	if place < maxDistricts {
		md.unit = uint8(place + 1)
	}
	a := &adder{m, d, md.unit}
	at := uint16(valuesAt)
	for _, q := range districtQuantities {
		at = a.add(Variable{Name: Key(d.ID, q.name), Series: boundarySeries(d, q.name)}, q, at, true, q.name)
	}
	a.add(Variable{Name: Key(d.ID, ImportLimitRequest), Writable: true, Max: upTo(d.ImportLimitKW)}, importRequest, requestsAt, true, "Requests", ImportLimitRequest)
	a.add(Variable{Name: Key(d.ID, ExportLimitRequest), Writable: true, Max: upTo(d.ExportLimitKW)}, exportRequest, requestsAt+2, true, "Requests", ExportLimitRequest)
	at = hoursAt
	for _, q := range hourlyQuantities {
		for h := range Hours {
			v := Variable{Name: HourKey(d.ID, q.name, h), Description: fmt.Sprintf("%s, %d h from the present full hour", q.en, h), DescriptionFR: fmt.Sprintf("%s, %d h après l'heure pleine présente", q.fr, h)}
			at = a.add(v, q, at, true, "Hours", q.name, hour(h))
		}
	}
	for i := range d.Sites {
		s := &d.Sites[i]
		slot := slices.Index(md.slots.Sites, s.ID)
		room := slot < maxSites
		if room {
			md.sites = append(md.sites, modelSite{slot, s.ID, s.Name})
		}
		base := uint16(sitesAt + siteStride*min(slot, maxSites-1))
		at = base + siteValuesAt
		for _, q := range siteQuantities {
			at = a.add(Variable{Name: SiteKey(d.ID, s.ID, q.name), Site: s.ID, Series: siteSeries(d, s, q.name)}, q, at, room, "Sites", s.ID, q.name)
		}
		for k, r := range []struct {
			q   quantity
			max float64
		}{{importRequest, upTo(s.ImportLimitKW)}, {exportRequest, upTo(s.ExportLimitKW)}, {comfortRequest, 0}, {absence, 0}} {
			a.add(Variable{Name: SiteKey(d.ID, s.ID, r.q.name), Site: s.ID, Writable: true, Max: r.max}, r.q, base+siteAsksAt+2*uint16(k), room, "Sites", s.ID, "Requests", r.q.name)
		}
	}
	for site, dev := range d.AllDevices {
		slot := slices.Index(md.slots.Devices, site+"/"+dev.ID)
		room := slot < maxDevices
		if room {
			md.devices = append(md.devices, modelDevice{slot, site, dev.ID, dev.Kind})
		}
		path := []string{"Devices", dev.ID}
		if site != district.DistrictSite {
			path = []string{"Sites", site, "Devices", dev.ID}
		}
		base := uint16(devicesAt + deviceStride*min(slot, maxDevices-1))
		for _, q := range deviceQuantities {
			if !slices.Contains(q.kinds, dev.Kind) {
				continue
			}
			v := Variable{Name: DeviceKey(d.ID, site, dev.ID, q.name), Site: site, Device: dev.ID}
			if q.name != planPower {
				v.Series = dev.Series(d.ID, site, q.name)
			}
			a.add(v, q.quantity, base+q.offset, room, append(slices.Clone(path), q.name)...)
		}
		if dev.Control {
			for k, q := range []quantity{available, lockOut} {
				a.add(Variable{Name: DeviceKey(d.ID, site, dev.ID, q.name), Site: site, Device: dev.ID, Writable: true}, q, base+deviceAsksAt+2*uint16(k), room, append(slices.Clone(path), q.name)...)
			}
		}
	}
	m.districts = append(m.districts, md)
}

// boundarySeries is the series that a value of the district shows, where it is one of its station alone, or a signal.
func boundarySeries(d *district.District, quantity string) district.SeriesID {
	switch quantity {
	case district.PowerKW, district.ImportKWh, district.ExportKWh:
		return only(d.ID, district.DistrictSite, d.Devices, district.Substation, quantity)
	case district.ImportPrice, district.ExportPrice:
		return district.NewSeriesID(d.ID, district.DistrictSite, "tariff", quantity)
	case district.CarbonIntensity:
		return district.NewSeriesID(d.ID, district.DistrictSite, "carbon", quantity)
	}
	return ""
}

// siteSeries is the same for a site with one grid meter or one battery.
func siteSeries(d *district.District, s *district.Site, quantity string) district.SeriesID {
	switch quantity {
	case district.PowerKW:
		return only(d.ID, s.ID, s.Devices, district.GridMeter, quantity)
	case district.SOC:
		return only(d.ID, s.ID, s.Devices, district.Battery, quantity)
	case "storage_kw":
		return only(d.ID, s.ID, s.Devices, district.Battery, district.PowerKW)
	}
	return ""
}

func only(districtID, site string, devices []district.Device, kind district.Kind, quantity string) district.SeriesID {
	var found district.SeriesID
	for _, dev := range devices {
		if dev.Kind == kind {
			if found != "" {
				return ""
			}
			found = dev.Series(districtID, site, quantity)
		}
	}
	return found
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

// DeviceKey names a value of a device.
func DeviceKey(districtID, site, device, quantity string) string {
	return districtID + "/" + site + "/" + device + "/" + quantity
}
