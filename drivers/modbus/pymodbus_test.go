package modbus

import (
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/foreign"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// pymodbusNumbers are what the device of pymodbus holds from address 0 on, high word first, and from 40 on, low word first.
var pymodbusNumbers = []struct {
	kind profile.Type
	want float64
}{{profile.F32, 1234.5}, {profile.I32, -123456789}, {profile.U32, 4e9}, {profile.I64, -1234567890123456789}, {profile.U64, 12345678901234567890}, {profile.F64, -987.654321}, {profile.I16, -1234},
	{profile.U16, 54321}}

// freePort is one that nothing listens on.
func freePort(t *testing.T, network string) string {
	t.Helper()
	if network == "udp" {
		p, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer p.Close()
		return fmt.Sprint(p.LocalAddr().(*net.UDPAddr).Port)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// TestPymodbus: what a device made with pymodbus holds, in every type and both orders of words, of two units in turn, comes out as pymodbus put it in, over TCP, UDP and with RTU frames over TCP; what we
// write it gives back, and what it does not have it refuses.
func TestPymodbus(t *testing.T) {
	doc := "points:\n"
	at := 0
	for start, order := range map[int]string{0: "", 40: ", words: lsw"} {
		at = start
		for i, n := range pymodbusNumbers {
			doc += fmt.Sprintf("  - {name: number_%d_%d, unit: \"1\", address: %d, type: %s%s}\n", start, i, at, n.kind, order)
			at += int(n.kind.Words())
		}
	}
	doc += "  - {name: first, unit: \"1\", table: input, address: 0, type: u16}\n  - {name: last, unit: \"1\", table: input, address: 129, type: u16}\n"
	for a := range 3 {
		doc += fmt.Sprintf("  - {name: bit_%d, unit: \"1\", table: discrete, address: %d, type: bool}\n", a, a)
	}
	doc += `  - {name: single, unit: "1", address: 100, type: i16, access: read_write, write: {function: 6}}
  - {name: several, unit: "1", address: 102, type: f64, words: lsw, access: read_write, write: {function: 16}}
  - {name: coil, unit: "1", table: coil, address: 103, type: bool, access: read_write, write: {function: 5}}
  - {name: coils, unit: "1", table: coil, address: 109, type: bool, access: read_write, write: {function: 15}}
`
	p := parse(t, doc)
	for _, tt := range []struct{ name, serve, url string }{{"TCP", "tcp", "tcp://%s"}, {"TCP, own framing", "tcp", "tcp://%s?answer_unit=any"}, {"UDP", "udp", "udp://%s"}, {"RTU over TCP", "rtuovertcp", "rtuovertcp://%s"}} {
		t.Run(tt.name, func(t *testing.T) {
			port := freePort(t, tt.serve)
			server := foreign.StartPymodbus(t, "server.py", tt.serve, port)
			var told struct{ Ready bool }
			if !server.Next(&told, time.Minute) || !told.Ready {
				t.Fatal("pymodbus does not start")
			}
			pool := NewPool(Config{Timeout: 20 * time.Second})
			defer pool.Close()
			open := func(unit uint8) *Device {
				d, err := pool.Device(district.Device{ID: fmt.Sprint("unit ", unit), Address: fmt.Sprintf(tt.url, "127.0.0.1:"+port), Unit: unit}, p)
				if err != nil {
					t.Fatal(err)
				}
				return d
			}
			seven, eight := open(7), open(8)
			for range 3 { // in turn
				for unit, d := range map[int]*Device{7: seven, 8: eight} {
					readings, err := d.Read(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					got := map[string]float64{}
					for _, r := range readings {
						if r.Quality != district.Good {
							t.Errorf("unit %d: %+v", unit, r)
						}
						got[r.Point] = r.Value
					}
					for _, start := range []int{0, 40} {
						for i, n := range pymodbusNumbers {
							if v := got[fmt.Sprintf("number_%d_%d", start, i)]; v != n.want {
								t.Errorf("unit %d: %s from %d on is %v, want %v", unit, n.kind, start, v, n.want)
							}
						}
					}
					shift := 1000 * (unit - 6)
					if got["first"] != float64(shift) || got["last"] != float64(shift+129) {
						t.Errorf("unit %d: inputs %v and %v", unit, got["first"], got["last"])
					}
					for a := range 3 {
						if want := (a+shift)%3 == 0; (got[fmt.Sprint("bit_", a)] == 1) != want {
							t.Errorf("unit %d: discrete input %d is not %v", unit, a, want)
						}
					}
				}
			}
			for point, v := range map[string]float64{"single": -4321, "several": 2.718281828459045, "coil": 1, "coils": 1} {
				if r, err := seven.Write(t.Context(), point, v); err != nil || r.Value != v {
					t.Errorf("%s: %+v, %v", point, r, err)
				}
				if r, err := eight.Read(t.Context(), point); err != nil || r[0].Value != 0 {
					t.Errorf("%s of the other unit: %+v, %v", point, r, err)
				}
			}
			if _, err := seven.link.Read(t.Context(), 7, profile.Input, 0, 125); err != nil {
				t.Errorf("125 registers: %v", err)
			}
			if _, err := seven.link.Read(t.Context(), 7, profile.Discrete, 0, 2000); err != nil {
				t.Errorf("2000 bits: %v", err)
			}
			if _, err := seven.link.Read(t.Context(), 7, profile.Holding, 5000, 1); !errors.Is(err, drivers.ErrRejected) {
				t.Errorf("beyond its map: %v", err)
			}
			// Of a unit that it does not have pymodbus 3.8 tells exception 11, but of function 0.
			_, err := open(9).Read(t.Context(), "single")
			if code, is := errors.AsType[exceptionError](err); !errors.Is(err, drivers.ErrUnreachable) || !is || code != noAnswerBehind {
				t.Errorf("a unit that it does not have: %v, want ErrUnreachable by exception 11", err)
			}
			if r, err := seven.Read(t.Context(), "first"); err != nil || r[0].Value != 1000 {
				t.Errorf("after all that: %+v, %v", r, err)
			}
		})
	}
}
