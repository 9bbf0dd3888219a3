package face

import (
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"quartier/drivers/foreign"
	"quartier/schemas/district"
)

// modbusAnswers is what the foreign Modbus clients tell.
type modbusAnswers struct {
	Magic                          string
	Version, Sites, Updates        int
	Name                           string
	Values                         []any
	DoubleAt16                     float64
	Hours                          []float64
	SiteNames                      []string
	Write6, Write16, Coil, Outside any
	Most, OtherUnit                int     // of pymodbus alone, as the following
	Half, Beyond, Limit            int     // exceptions of requests
	Reads                          float64 // of the request
}

// checkModbus holds what a client told against what serveModbus serves; refused is the exception of a write to a value: 1 where the client may write nothing, 2 where it may make requests.
func checkModbus(t *testing.T, got modbusAnswers, refused float64) {
	t.Helper()
	if got.Magic != "QUAR" || got.Version != 3 || got.Sites != 2 || got.Updates != 1 || got.Name != "Fontaine d'Ouche" {
		t.Errorf("header %+v", got)
	}
	if got.Values[0] != -40.5 || got.Values[1] != "NaN" || got.Values[2] != "NaN" || got.DoubleAt16 != 123456789.125 {
		t.Errorf("values %v, counter %v", got.Values[:4], got.DoubleAt16)
	}
	if len(got.Hours) != 3 || got.Hours[0] != 1.5 || got.Hours[1] != 2.5 || got.Hours[2] != 3.5 {
		t.Errorf("hours %v", got.Hours)
	}
	if len(got.SiteNames) != 2 || got.SiteNames[0] != "École Buffon" || got.SiteNames[1] != "Tour" {
		t.Errorf("sites %v", got.SiteNames)
	}
	if got.Write6 != refused || got.Write16 != refused || got.Coil != refused || got.Outside != 2.0 {
		t.Errorf("exceptions: write 6 %v, write 16 %v, coil %v, outside %v; want %g three times, and 2", got.Write6, got.Write16, got.Coil, got.Outside, refused)
	}
}

// serveModbus starts a face with some values, for a foreign client.
func serveModbus(t *testing.T, change func(*Config)) (f *Face, host, port string) {
	t.Helper()
	f, err := startFace(t, "", func(c *Config) {
		c.OPCUA.Listen = ""
		if change != nil {
			change(c)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	f.Update(map[string]Value{
		"fontaine/power_kw": {V: -40.5, Time: now}, "fontaine/import_kw": {V: 1, Quality: district.Bad, Time: now}, "fontaine/import_kwh": {V: 123456789.125, Time: now},
		HourKey("fontaine", "plan_import_kw", 0): {V: 1.5, Time: now}, HourKey("fontaine", "plan_import_kw", 1): {V: 2.5, Time: now}, HourKey("fontaine", "plan_import_kw", 24): {V: 3.5, Time: now},
	})
	host, port, err = net.SplitHostPort(strings.TrimPrefix(f.Addresses().Modbus, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	return f, host, port
}

// TestForeignModbusClient: modbus-serial reads header, values, hours and names as the documentation says, and is refused every write.
func TestForeignModbusClient(t *testing.T) {
	_, host, port := serveModbus(t, nil)
	var got modbusAnswers
	p := foreign.Start(t, "modbus-client.mjs", host, port, "1")
	if !p.Next(&got, time.Minute) {
		t.Fatal("modbus-serial told nothing")
	}
	checkModbus(t, got, 1)
}

// TestPymodbus: pymodbus reads the same, 125 registers at once too, is refused a unit that is no district and half a request, and has its limit taken and read back.
func TestPymodbus(t *testing.T) {
	b := newBook()
	f, host, port := serveModbus(t, func(c *Config) {
		withControl(c)
		c.Requests, c.ModbusClients = b, []Client{{Network: netip.MustParsePrefix("127.0.0.1/32"), Requests: true}}
	})
	var got modbusAnswers
	p := foreign.StartPymodbus(t, "client.py", host, port, "1", fmt.Sprint(f.Model().Variable("fontaine/ecole/import_limit_request_kw").Register))
	if !p.Next(&got, time.Minute) {
		t.Fatal("pymodbus told nothing")
	}
	checkModbus(t, got, 2)
	if got.Most != 0 || got.OtherUnit == 0 || got.Half != 2 || got.Beyond != 3 || got.Limit != 0 || got.Reads != 42.5 {
		t.Errorf("125 registers %d, another unit %d, half a request %d, beyond the connection %d, a limit %d, which reads %g", got.Most, got.OtherUnit, got.Half, got.Beyond, got.Limit, got.Reads)
	}
	if v := b.InForce()["fontaine/ecole/import_limit_request_kw"]; v != 42.5 {
		t.Errorf("the limit in force is %g kW, want 42.5", v)
	}
}

// TestForeignOPCUAClient: node-opcua browses every variable, reads values with status, time and unit, is told of changes, and can neither write nor
// do anything without a session; the process survives it.
func TestForeignOPCUAClient(t *testing.T) {
	f, err := startFace(t, "serve", func(c *Config) { c.ModbusListen = "" })
	if err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-time.Minute).UTC().Truncate(time.Millisecond)
	show := func(kw float64) {
		f.Update(map[string]Value{"fontaine/power_kw": {V: kw, Time: at}, "fontaine/ecole/soc": {V: 0.5, Quality: district.Uncertain, Time: at}})
	}
	show(12.5)
	awaitUA(t, f.Addresses().OPCUA, "fontaine/power_kw", 12.5)
	p := foreign.Start(t, "opcua-client.mjs", f.Addresses().OPCUA, NamespaceURI, "Districts", "fontaine/power_kw", "fontaine/ecole/soc", "fontaine/export_kw")
	const patience = time.Minute
	for _, what := range []string{"write without session", "subscribe without session"} {
		if e := p.Await(what, patience, nil); e.Status != "BadSessionIdInvalid" {
			t.Errorf("%s: %v, want BadSessionIdInvalid", what, e.Status)
		}
	}
	if e := p.Await("password", patience, nil); e.Accepted {
		t.Error("a password was accepted")
	}
	if e := p.Await("namespace", patience, nil); e.Index < 1 {
		t.Errorf("namespace index %d", e.Index)
	}
	if e := p.Await("browsed", patience, nil); e.Variables != len(f.Model().Variables) {
		t.Errorf("browsed %d variables in %d folders, want %d", e.Variables, e.Objects, len(f.Model().Variables))
	}
	districts, sites, devices := 0, 0, 0
	for _, d := range f.Model().districts {
		districts, sites, devices = districts+1, sites+len(d.sites), devices+len(d.devices)
	}
	e := p.Await("types", patience, nil)
	if e.Line != "" || e.Count != districts+sites+devices || !strings.Contains(e.Text, "type:DistrictType") || !strings.Contains(e.Text, "type:SiteType") || e.Variables == 0 {
		t.Errorf("%d objects of the types %s, want %d districts, %d sites and %d devices: %s", e.Count, e.Text, districts, sites, devices, e.Line)
	}
	t.Logf("%d objects of the types %s, which declare %d variables", e.Count, e.Text, e.Variables)
	read := p.Await("read", patience, nil).Values
	if len(read) != 3 || read[0].Value == nil || *read[0].Value != 12.5 || read[0].Status != "Good" || !read[0].Source.Equal(at) || read[1].Status != "Uncertain" || read[2].Status != "Bad" || read[2].Value != nil {
		t.Errorf("read %+v", read)
	}
	if e := p.Await("attributes", patience, nil); !strings.Contains(e.DataType, "11") || e.Access != 1.0 || !strings.Contains(e.Description, "boundary") || e.Name != "power_kw" {
		t.Errorf("attributes %+v", e)
	}
	if e := p.Await("unit", patience, nil); e.Text != "kW" || e.ID != 4937556 {
		t.Errorf("unit %+v", e)
	}
	if e := p.Await("written", patience, nil); func() string { b, _ := json.Marshal(e.Status); return string(b) }() != `["BadNotWritable"]` {
		t.Errorf("write: %v, want BadNotWritable", e.Status)
	}
	power := func(want float64) func(foreign.Event) bool {
		return func(e foreign.Event) bool { return e.Name == "fontaine/power_kw" && e.Value != nil && *e.Value == want }
	}
	p.Await("change", patience, power(12.5))
	for i := range 5 {
		show(float64(i))
		p.Await("change", patience, power(float64(i)))
	}
	p.CloseInput()
	p.Await("closed", patience, nil)
	if f.Restarts() != 0 {
		t.Errorf("the process was started again %d times", f.Restarts())
	}
	if _, err := readUA(t, f.Addresses().OPCUA, "fontaine/power_kw"); err != nil {
		t.Error(err)
	}
}
