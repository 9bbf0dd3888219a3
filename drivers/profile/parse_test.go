package profile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const head = `name: test
title: Test
kinds: [load_meter]
protocol: modbus
state: generic
source: {document: this test}
`

// TestFaults: each fault is told with its place and what is wrong.
func TestFaults(t *testing.T) {
	for _, tt := range []struct{ name, doc, want string }{
		{"unknown key", head + "points:\n  - {name: x, adress: 1, address: 1, type: u16, unit: W}\n", `test.yaml:8:15: point x: unknown key "adress"; known here: `},
		{"unknown key at the top", head + "colour: red\npoints: [{name: x, address: 1, type: u16, unit: W}]\n", `test.yaml:7:1: profile: unknown key "colour"`},
		{"key twice", head + "title: Again\npoints: [{name: x, address: 1, type: u16, unit: W}]\n", `test.yaml:7:1: `},
		{"impossible register", head + "points:\n  - name: x\n    address: 65536\n    type: u16\n    unit: W\n", "test.yaml:9:14: point x: address 65536 outside [0, 65535]"},
		{"register past the end", head + "points:\n  - name: x\n    address: 65535\n    type: u32\n    unit: W\n", "test.yaml:9:14: point x: address 65535 with 2 registers reaches past 65535"},
		{"negative register", head + "points: [{name: x, address: -1, type: u16, unit: W}]\n", "address -1 outside [0, 65535]"},
		{"duplicate point", head + "points:\n  - {name: x, address: 1, type: u16, unit: W}\n  - {name: x, address: 2, type: u16, unit: W}\n", "test.yaml:9:12: point x stands twice, first in line 8"},
		{"overlapping points", head + "points:\n  - {name: x, address: 1, type: u32, unit: W}\n  - {name: y, address: 2, type: u32, unit: W}\n", "point y: registers 2 to 3 overlap those of x, 1 to 2"},
		{"unknown unit", head + "points: [{name: x, address: 1, type: u16, unit: horse}]\n", `test.yaml:7:49: point x: unknown unit "horse"`},
		{"wrong unit for the quantity", head + "points: [{name: power_kw, address: 1, type: u16, unit: Wh}]\n", "point power_kw: unit Wh becomes kWh, but power_kw is stored in kW"},
		{"wrong form", head + "points: [{name: power_kw, address: 1, type: u16, unit: W, form: counter}]\n", "point power_kw: form counter is not that of the quantity"},
		{"unknown type", head + "points: [{name: x, address: 1, type: u24, unit: W}]\n", `point x: type "u24", want bool, u16`},
		{"no place", head + "points: [{name: x, type: u16, unit: W}]\n", "point x: has no place"},
		{"two places", head + "points: [{name: x, address: 1, constant: 2, type: u16, unit: W}]\n", "point x: has 2 places"},
		{"bits of a coil", head + "points: [{name: x, table: coil, address: 1, type: u16, unit: W}]\n", "point x: table coil holds bool, not u16"},
		{"input that is written", head + "points: [{name: x, table: input, address: 1, type: u16, unit: W, access: read_write, write: {min: 0, max: 1}}]\n", "point x: table input cannot be written"},
		{"function 6 for two registers", head + "points: [{name: x, address: 1, type: u32, unit: W, access: read_write, write: {function: 6}}]\n", "function 6 writes 1 register, the type u32 has 2"},
		{"function 5 for a register", head + "points: [{name: x, address: 1, type: u16, unit: W, access: read_write, write: {function: 5}}]\n", "write: function 5, want 6 or 16 for table holding"},
		{"access without write", head + "points: [{name: x, address: 1, type: u16, unit: W, access: read_write}]\n", "access read_write needs write"},
		{"range upside down", head + "points: [{name: x, address: 1, type: u16, unit: W, access: read_write, write: {min: 2, max: 1}}]\n", "write: min 2 is above max 1"},
		{"mask too wide", head + "points: [{name: x, address: 1, type: u16, mask: 0x10000, unit: W}]\n", "mask: want bits of a u16"},
		{"mark too wide", head + "points: [{name: x, address: 1, type: u16, not_implemented: [0x10000], unit: W}]\n", "not_implemented: want a raw value of 1 registers"},
		{"SunSpec past the model", head + "points: [{name: x, sunspec: {models: [103], offset: 52}, type: u16, unit: W}]\n", "model 103 ends at 51: offset 52 with 1 registers reaches past it"},
		{"unknown SunSpec model", head + "points: [{name: x, sunspec: {models: [9999], offset: 5}, type: u16, unit: W}]\n", "model 9999 is not known"},
		{"SunSpec in the middle of a point", head + "points: [{name: x, sunspec: {models: [103], offset: 25}, type: u16, unit: W}]\n", "model 103 has no point that starts at offset 25"},
		{"SunSpec type", head + "points: [{name: x, sunspec: {models: [103], offset: 14}, type: u16, unit: W}]\n", "model 103 has W there, of type i16 and not u16"},
		{"SunSpec point of another model", head + "points: [{name: x, sunspec: {models: [103], point: WMaxLimPct}, unit: W}]\n", "model 103 has no point WMaxLimPct"},
		{"SunSpec without a place", head + "points: [{name: x, sunspec: {models: [103]}, type: i16, unit: W}]\n", "want either point, the name in the model, or offset"},
		{"SunSpec alternatives that differ", head + "points: [{name: x, sunspec: {models: [103, 113], point: W}, unit: W}]\n", "model 113 has W elsewhere than model 103"},
		{"SunSpec occurrence", head + "points: [{name: x, sunspec: {models: [203], point: W, occurrence: 0}, unit: W}]\n", "occurrence"},
		{"SunSpec group", head + "points: [{name: x, sunspec: {models: [160], point: modul.DCW, index: 1}, unit: W}]\n", "model 160 has no group modul; its groups are [module]"},
		{"SunSpec measured value that is written", head + "points: [{name: x, sunspec: {models: [103], point: W}, unit: W, access: read_write, write: {min: 0, max: 1}}]\n", "model 103 does not let W be written"},
		{"SunSpec scale factor that is not there", head + "points: [{name: x, sunspec: {models: [103], point: St}, unit: state, scale_factor: {simulated: 1}}]\n", "St has none in model 103"},
		{"confirmed by nobody", strings.Replace(head, "generic", "confirmed on hardware", 1) + "points: [{name: x, address: 1, type: u16, unit: W}]\n", "confirmed is missing: say on which device"},
		{"confirmed and not", head + "confirmed: on mine\npoints: [{name: x, address: 1, type: u16, unit: W}]\n", "confirmed is for state"},
		{"scale 0", head + "points: [{name: x, address: 1, type: u16, scale: 0, unit: W}]\n", "scale 0, want a number other than 0"},
		{"sum of the unknown", head + "points: [{name: x, sum: [{point: y}]}]\n", `point x: sum: unknown point "y"`},
		{"sum of different units", head + "points: [{name: a, address: 1, type: u16, unit: W}, {name: b, address: 2, type: u16, unit: V}, {name: x, sum: [{point: a}, {point: b}]}]\n", "sum: b is in V, want kW"},
		{"forbidden", head + "limits: {forbidden: [{table: holding, from: 1, to: 4}]}\npoints: [{name: x, address: 3, type: u16, unit: W}]\n", "registers 3 to 3 lie in the forbidden range 1 to 4"},
		{"too many registers for a request", head + "limits: {max_registers: 2}\npoints: [{name: x, address: 3, type: u64, unit: W}]\n", "has 4 registers, one request reads at most 2"},
		{"limit beyond Modbus", head + "limits: {max_registers: 126}\npoints: [{name: x, address: 3, type: u16, unit: W}]\n", "max_registers 126 outside [1, 125]"},
		{"node in a Modbus profile", head + "namespace: urn:x\npoints: [{name: x, node: i=1, unit: W}]\n", "node and path are for OPC UA"},
		{"register in an OPC UA profile", strings.Replace(head, "modbus", "opcua", 1) + "points: [{name: x, address: 1, type: u16, unit: W}]\n", "address and sunspec are for Modbus"},
		{"bad node", strings.Replace(head, "modbus", "opcua", 1) + "namespace: urn:x\npoints: [{name: x, node: ns=2;i=1, unit: W}]\n", "want s=TEXT, i=NUMBER, g=GUID or b=BASE64, without ns="},
		{"negative dead band", strings.Replace(head, "modbus", "opcua", 1) + "namespace: urn:x\npoints: [{name: x, node: i=1, unit: W, dead_band: -1}]\n", "dead_band -1, want a number of 0 or more"},
		{"dead band of a register", head + "points: [{name: x, address: 1, type: u16, unit: W, dead_band: 1}]\n", "dead_band"},
		{"no namespace", strings.Replace(head, "modbus", "opcua", 1) + "points: [{name: x, node: i=1, unit: W}]\n", "namespace is missing"},
		{"a driver without its commit", strings.Replace(head, "state: generic", "state: from a public driver", 1) + "points: [{name: x, address: 1, type: u16, unit: W}]\n", "project and commit of the public driver are missing"},
		{"unknown kind", strings.Replace(head, "load_meter", "toaster", 1) + "points: [{name: x, address: 1, type: u16, unit: W}]\n", `unknown kind "toaster"`},
		{"control of the unknown", head + "points: [{name: x, address: 1, type: u16, unit: W}]\ncontrol: {point: y, quantity: kw, min: 0, max: 1, safe: 0, writes: [{point: z, from: command}]}\n", `control: writes: unknown point "z"`},
		{"control of a read-only point", head + "points: [{name: x, address: 1, type: u16, unit: W}]\ncontrol: {point: y, quantity: kw, min: 0, max: 1, safe: 0, writes: [{point: x, from: command}]}\n", "control: writes: point x is read-only"},
		{"command beyond its register", head + "points: [{name: x, address: 1, type: u16, unit: W, access: read_write, write: {min: 0, max: 500}}]\ncontrol: {point: y, quantity: kw, min: 0, max: 1, safe: 0, writes: [{point: x, from: command}]}\n", "control: command 1 writes x 1 kW outside [0, 0.5]"},
		{"lookup with a hole", head + "points: [{name: x, address: 1, type: u16, unit: state, access: read_write, write: {}}]\ncontrol: {point: y, quantity: sg_ready, min: 1, max: 4, safe: 2, writes: [{point: x, lookup: {1: 0, 2: 1, 4: 3}}]}\n", "control: command 3"},
		{"amperes without phases", head + "points: [{name: x, address: 1, type: u16, unit: A, access: read_write, write: {}}]\ncontrol: {point: x, quantity: a, min: 6, max: 32, safe: 6, writes: [{point: x, from: command}]}\n", "quantity a needs phases and voltage_v"},
		{"no YAML", "points: [", "test.yaml:1:"},
		{"a list", "- a\n- b\n", "test.yaml:1:1: profile: want a mapping"},
		{"nothing", "", "test.yaml:1:1: "},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := Parse("test.yaml", []byte(tt.doc))
			if err == nil || p != nil {
				t.Fatalf("Parse succeeded, want an error with %q", tt.want)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error\n%v\nwant %q in it", err, tt.want)
			}
		})
	}
}

// TestAllFaultsAtOnce: a document with ten faults is told ten times, in the order of its lines.
func TestAllFaultsAtOnce(t *testing.T) {
	_, err := Parse("bad.yaml", []byte(`name: Bad Name
title: Bad
kinds: [toaster]
protocol: modbus
state: hopeful
source: {}
points:
  - {name: power_kw, address: 70000, type: u16, unit: W}
  - {name: power_kw, address: 2, type: u16, unit: W}
  - {name: soc, address: 3, type: u16, unit: furlong}
  - {name: voltage_v, address: 4, type: u17, unit: V}
  - {name: import_kwh, address: 5, type: u16, unit: kWh, colour: red}
limits: {max_gap: 1000}
`))
	if err == nil {
		t.Fatal("Parse succeeded")
	}
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != 10 {
		t.Errorf("%d faults, want 10:\n%v", len(lines), err)
	}
	for i, want := range []string{":1:7:", ":3:9:", ":5:8:", ":6:", ":8:", ":9:", ":10:", ":11:", ":12:", ":13:"} {
		if i < len(lines) && !strings.HasPrefix(lines[i], "bad.yaml"+want) {
			t.Errorf("fault %d is %q, want it at bad.yaml%s", i+1, lines[i], want)
		}
	}
}

// TestLoadFile: a user's own profile is read from a file.
func TestLoadFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "own.yaml")
	if err := os.WriteFile(file, []byte(head+"points: [{name: power_kw, address: 1, type: i16, unit: W}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := LoadFile(file)
	if err != nil || p.Point("power_kw") == nil {
		t.Errorf("LoadFile = %v, %v", p, err)
	}
	if _, err := LoadFile(file + ".missing"); err == nil {
		t.Error("LoadFile of a missing file succeeded")
	}
	if _, err := Load("no-such-profile"); err == nil || !strings.Contains(err.Error(), "sunspec-inverter") {
		t.Errorf("Load of an unknown name: %v, want the known names", err)
	}
}

// FuzzParse: no document makes the parser panic, and every error begins with the file's name.
func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		data, err := embedded.ReadFile("profiles/" + name + ".yaml")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(head + "points: [{name: x, sum: [{point: x}]}]\n"))
	f.Add([]byte("&a [*a]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := Parse("fuzz.yaml", data)
		if (p == nil) == (err == nil) {
			t.Fatalf("Parse = %v, %v", p, err)
		}
		if err != nil && !strings.HasPrefix(err.Error(), "fuzz.yaml:") {
			t.Errorf("error %q names no place", err)
		}
	})
}
