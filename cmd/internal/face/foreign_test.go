package face

import (
	"encoding/json"
	"net"
	"strings"
	"testing"
	"time"

	"quartier/drivers/foreign"
	"quartier/schemas/district"
)

// TestForeignModbusClient: modbus-serial reads header, values, hours and names as the documentation says, and is refused every write.
func TestForeignModbusClient(t *testing.T) {
	f, err := startFace(t, "", func(c *Config) { c.OPCUA.Listen = "" })
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	values := map[string]Value{
		"fontaine/power_kw": {V: -40.5, Time: now}, "fontaine/import_kw": {V: 1, Quality: district.Bad, Time: now}, "fontaine/import_kwh": {V: 123456789.125, Time: now},
		HourKey("fontaine", "plan_import_kw", 0): {V: 1.5, Time: now}, HourKey("fontaine", "plan_import_kw", 1): {V: 2.5, Time: now}, HourKey("fontaine", "plan_import_kw", 24): {V: 3.5, Time: now},
	}
	f.Update(values)
	host, port, err := net.SplitHostPort(strings.TrimPrefix(f.Addresses().Modbus, "tcp://"))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Magic                          string
		Version, Sites, Updates        int
		Name                           string
		Values                         []any
		DoubleAt16                     float64
		Hours                          []float64
		SiteNames                      []string
		Write6, Write16, Coil, Outside any
	}
	p := foreign.Start(t, "modbus-client.mjs", host, port, "1")
	if !p.Next(&got, time.Minute) {
		t.Fatal("modbus-serial told nothing")
	}
	if got.Magic != "QUAR" || got.Version != 2 || got.Sites != 2 || got.Updates != 1 || got.Name != "Fontaine d'Ouche" {
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
	if got.Write6 != 1.0 || got.Write16 != 1.0 || got.Coil != 1.0 || got.Outside != 2.0 {
		t.Errorf("exceptions: write 6 %v, write 16 %v, coil %v, outside %v; want 1, 1, 1, 2", got.Write6, got.Write16, got.Coil, got.Outside)
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
