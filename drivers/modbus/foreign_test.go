package modbus

import (
	"errors"
	"fmt"
	"math"
	"net"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/foreign"
	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// orders are points of the device of libmodbus in every word and byte order, with what they must become.
var orders = []struct {
	doc  string
	want float64
}{
	{"address: 0, type: f32", float64(float32(1234.5678))},
	{"address: 2, type: f32, words: lsw", float64(float32(1234.5678))},
	{"address: 4, type: f32, bytes: little", float64(float32(1234.5678))},
	{"address: 6, type: f32, words: lsw, bytes: little", float64(float32(1234.5678))},
	{"address: 10, type: u16", 0x1122},
	{"address: 10, type: u16, bytes: little", 0x2211},
	{"address: 10, type: i32", 0x11223344},
	{"address: 10, type: i32, words: lsw", 0x33441122},
	{"address: 10, type: i32, bytes: little", 0x22114433},
	{"address: 10, type: u32, words: lsw, bytes: little", 0x44332211},
	{"address: 10, type: u64", 0x1122334455667788},
	{"address: 10, type: i64", 0x1122334455667788},
	{"address: 10, type: u64, words: lsw", 0x7788556633441122},
	{"address: 10, type: u64, bytes: little", 0x2211443366558877},
	{"address: 10, type: u64, words: lsw, bytes: little", float64(uint64(0x8877665544332211))},
	{"address: 10, type: i64, words: lsw, bytes: little", -0x778899AABBCCDDEF},
	{"address: 13, type: i16, bytes: little", -0x7789},
	{"address: 10, type: f64", math.Float64frombits(0x1122334455667788)},
	{"address: 10, type: f64, words: lsw", math.Float64frombits(0x7788556633441122)},
	{"address: 10, type: u16, mask: 0x0FF0", 0x12},
	{"address: 10, type: bool, mask: 0x0002", 1},
	{"address: 10, type: bool, mask: 0x0001", 0},
	{"address: 5, table: input, type: u16", 1005},
	{"address: 6, table: discrete, type: bool", 1},
	{"address: 7, table: discrete, type: bool", 0},
	{"address: 10, type: u16, scale: 0.1, offset: -3", 0x1122/10.0 - 3},
	{"address: 10, type: u16, invert: true", -0x1122},
}

// TestLibmodbus: every type and order of a device made with libmodbus, over TCP and on a serial line in two parities, comes out as libmodbus put it in; what
// we write it gives back.
func TestLibmodbus(t *testing.T) {
	doc := "points:\n"
	for i, typ := range []string{"i16", "u32", "i32", "f32", "u64", "f64"} {
		for j, order := range []string{"", ", words: lsw", ", bytes: little", ", words: lsw, bytes: little"} {
			doc += fmt.Sprintf("  - {name: written_%d, unit: \"1\", address: %d, type: %s%s, access: read_write, write: {function: 16}}\n", i*4+j, 20+16*i+4*j, typ, order)
		}
	}
	doc += "  - {name: single, unit: \"1\", address: 150, type: i16, access: read_write, write: {function: 6}}\n"
	doc += "  - {name: coil, unit: \"1\", table: coil, address: 3, type: bool, access: read_write, write: {function: 5}}\n"
	doc += "  - {name: coils, unit: \"1\", table: coil, address: 9, type: bool, access: read_write, write: {function: 15}}\n"
	p := parse(t, doc)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := fmt.Sprint(free.Addr().(*net.TCPAddr).Port)
	free.Close()
	even, odd := modbustest.NewPair(t), modbustest.NewPair(t)
	for name, tt := range map[string]struct {
		url  string
		args []string
	}{
		"TCP":               {"tcp://127.0.0.1:" + port, []string{"tcp", port}},
		"TCP, own framing":  {"", nil},
		"serial, 19200 8E1": {"rtu://" + even.Ours, []string{"rtu", even.Theirs, "19200", "E"}},
		"serial, 9600 8N2":  {"rtu://" + odd.Ours + "?baud=9600&parity=none", []string{"rtu", odd.Theirs, "9600", "N"}},
	} {
		t.Run(name, func(t *testing.T) {
			if tt.args == nil { // one device of its own
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				port := fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
				l.Close()
				tt.url, tt.args = "tcp://127.0.0.1:"+port+"?answer_unit=any", []string{"tcp", port}
			}
			foreign.Libmodbus(t, tt.args...)
			d, err := Open(district.Device{ID: "libmodbus", Address: tt.url, Unit: 7}, p, Config{Timeout: 5 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			for _, o := range orders { // each with a profile of its own: no two points of one may overlap
				one := newDevice(d.link, district.Device{ID: "one", Unit: 7}, parse(t, "points:\n  - {name: point, unit: \"1\", "+o.doc+"}\n"), Config{}.withDefaults())
				if got, err := one.Read(t.Context()); err != nil || len(got) != 1 || got[0].Value != o.want || got[0].Quality != district.Good {
					t.Errorf("%s = %+v, %v, want %v", o.doc, got, err, o.want)
				}
			}
			for _, pt := range d.Points() {
				if !pt.Writable {
					continue
				}
				v := -1234.0
				if of := p.Point(pt.Name); of.Type == profile.U32 || of.Type == profile.U64 {
					v = 123456
				} else if of.Type == profile.Bool {
					v = 1
				}
				if r, err := d.Write(t.Context(), pt.Name, v); err != nil || r.Value != v {
					t.Errorf("%s: %+v, %v", pt.Name, r, err)
				}
			}
			if _, err := d.link.Read(t.Context(), 7, profile.Holding, 75, 125); err != nil {
				t.Errorf("125 registers: %v", err)
			}
			if err := d.link.Write(t.Context(), 7, 16, 60, make([]uint16, 123)); err != nil {
				t.Errorf("123 registers: %v", err)
			}
			if _, err := d.link.Read(t.Context(), 7, profile.Holding, 199, 2); !errors.Is(err, drivers.ErrRejected) {
				t.Errorf("beyond its map: %v", err)
			}
		})
	}
}
