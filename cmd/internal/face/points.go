package face

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"quartier/schemas/units"
)

// Point is one line of the face's documentation.
type Point struct {
	Name        string
	Block       string // district, plan, site, device or heading
	Description string
	Unit        units.Unit
	UnitID      uint8  // Modbus unit; 0: the Modbus map has no room for it
	Register    uint16 // first register, 0-based, holding or input
	Registers   uint16 // how many
	Type        string // uint16, uint32, float32, float64: high word first; or text: UTF-8, two bytes a register
	Scale       string // what the registers are multiplied by
	Access      string // R, or RW for a request
	Min, Max    float64
	NodeID      string // OPC UA, with its namespace URI; empty for what Modbus alone has
	Path        string // OPC UA, browse names from the Objects folder: Objects/Districts/fontaine/ImportPower
	DataType    string // OPC UA: Double; empty for what Modbus alone has
}

// Points is the documentation of every register and variable, by Modbus unit and register; what is beyond the map comes last, in the order of the model.
func (m *Model) Points() []Point {
	var out []Point
	for i := range m.districts {
		out = append(out, m.districts[i].headings()...)
	}
	for _, v := range m.Variables {
		p := Point{Name: v.Name, Block: "district", Description: v.Description, Unit: v.Unit, UnitID: v.UnitID, Register: v.Register, Registers: words(v.Long), Type: "float32", Scale: "1", Access: "R",
			Min: v.Min, Max: v.Max, NodeID: "nsu=" + NamespaceURI + ";" + v.NodeID, Path: "Objects/" + strings.Join(v.Path, "/"), DataType: "Double"}
		switch {
		case v.Device != "":
			p.Block = "device"
		case v.Site != "":
			p.Block = "site"
		case v.Path[2] == "Hours":
			p.Block = "plan"
		}
		if v.Long {
			p.Type = "float64"
		}
		if v.Writable {
			p.Access = "RW"
		}
		out = append(out, p)
	}
	slices.SortStableFunc(out, func(a, b Point) int {
		return cmp.Or(cmp.Compare(a.UnitID-1, b.UnitID-1), cmp.Compare(a.Register, b.Register)) // unit 0 wraps around to the end
	})
	return out
}

// headings are the registers that describe the map itself.
func (d *modelDistrict) headings() []Point {
	if d.unit == 0 {
		return nil
	}
	var out []Point
	add := func(name, description, typ string, at, n int) {
		out = append(out, Point{Name: d.id + "/" + name, Block: "heading", Description: description, UnitID: d.unit, Register: uint16(at), Registers: uint16(n), Type: typ, Scale: "1", Access: "R"})
	}
	for _, h := range heading {
		add(h.name, h.description, h.typ, h.at, h.n)
	}
	for _, s := range d.sites {
		base := sitesAt + siteStride*s.slot
		add(s.id+"/id", "id of the site", "text", base, 16)
		add(s.id+"/name", "name of the site", "text", base+16, 32)
	}
	for _, dev := range d.devices {
		base := devicesAt + deviceStride*dev.slot
		name := dev.site + "/" + dev.id
		add(name+"/id", "id of the device", "text", base, 16)
		add(name+"/kind", "kind of the device: 1 substation, 2 grid meter, 3 load meter, 4 solar inverter, 5 battery, 6 heat pump, 7 water heater, 8 charging point, 9 heat meter, 10 weather station, 11 gas meter", "uint16", base+16, 1)
		add(name+"/site", "place of its site, from 0; 65535 for the district's own", "uint16", base+17, 1)
	}
	return out
}

// heading is the fixed part of each unit, from register 0.
var heading = []struct {
	name, description, typ string
	at, n                  int
}{
	{"magic", "0x51554152, the letters QUAR", "uint32", 0, 2},
	{"version", "version of the map", "uint16", 2, 1},
	{"sites", "number of site places, empty ones included", "uint16", 3, 1},
	{"values", "address of the district's values", "uint16", 4, 1},
	{"values_registers", "registers of the district's values", "uint16", 5, 1},
	{"hours", "address of the hourly values", "uint16", 6, 1},
	{"hours_count", "hours of each hourly quantity", "uint16", 7, 1},
	{"hours_quantities", "number of hourly quantities", "uint16", 8, 1},
	{"sites_address", "address of the first site", "uint16", 9, 1},
	{"sites_stride", "registers from one site to the next", "uint16", 10, 1},
	{"updates", "updates since the start, modulo 65536: alive while it changes", "uint16", 11, 1},
	{"updated", "time of the last update, seconds since 1970 UTC", "uint32", 12, 2},
	{"devices_address", "address of the first device", "uint16", 14, 1},
	{"devices_stride", "registers from one device to the next", "uint16", 15, 1},
	{"id", "id of the district", "text", 16, 16},
	{"name", "name of the district", "text", 32, 32},
	{"devices", "number of device places, empty ones included", "uint16", 64, 1},
	{"requests", "address of the district's requests", "uint16", 65, 1},
	{"request_timeout", "seconds after which a request that is not written again lapses", "uint16", 66, 1},
	{"map_checksum", "changes when places are added to the map", "uint32", 68, 2},
}

// columns are read by their place as well: new ones follow the last.
var columns = []string{"Name", "Block", "Unit", "Modbus unit", "Register", "Registers", "Type", "Scale", "Access", "Min", "Max", "OPC UA node", "Meaning", "OPC UA type", "OPC UA path"}

// row is a point as texts; wide numbers stay numbers for a spreadsheet.
func (p Point) row() []any {
	unit, register, registers := any(int(p.UnitID)), any(int(p.Register)), any(int(p.Registers))
	if p.UnitID == 0 {
		unit, register, registers = "", "", ""
		p.Type, p.Scale = "", "" // of registers that there are not
	}
	lo, hi := any(p.Min), any(p.Max)
	if p.Min == p.Max {
		lo, hi = "", ""
	}
	return []any{p.Name, p.Block, string(p.Unit), unit, register, registers, p.Type, p.Scale, p.Access, lo, hi, p.NodeID, p.Description, p.DataType, p.Path}
}

func cell(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// WriteTable writes points for a terminal.
func WriteTable(w io.Writer, points []Point) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	line := func(cells []any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, cell(c))
		}
		fmt.Fprintln(t)
	}
	line(anys(columns))
	for _, p := range points {
		line(p.row())
	}
	return t.Flush()
}

// WriteCSV writes points as comma-separated values with a heading.
func WriteCSV(w io.Writer, points []Point) error {
	c := csv.NewWriter(w)
	c.Write(columns)
	for _, p := range points {
		var cells []string
		for _, v := range p.row() {
			cells = append(cells, cell(v))
		}
		c.Write(cells)
	}
	c.Flush()
	return c.Error()
}

func anys(texts []string) []any {
	out := make([]any, len(texts))
	for i, t := range texts {
		out[i] = t
	}
	return out
}
