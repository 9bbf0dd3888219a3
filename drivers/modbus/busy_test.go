package modbus

import (
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"quartier/drivers/modbus/modbustest"
	"quartier/schemas/district"
)

// TestMergingOutlivesTrouble: a device that refuses a merged request once, because it is busy or fails, is asked for everything in one request again; one that refuses the merging itself is not.
func TestMergingOutlivesTrouble(t *testing.T) {
	for _, tt := range []struct {
		code    byte
		always  bool // merged requests are refused for ever
		at, end int  // requests of the read in which the exception comes, and of the next one
	}{{code: 5, at: 1, end: 1}, {code: 6, at: 1, end: 1}, {code: 10, at: 1, end: 1}, {code: 4, at: 4, end: 1}, {code: 2, always: true, at: 4, end: 3}, {code: 3, always: true, at: 4, end: 3}} {
		t.Run(fmt.Sprintf("exception %d", tt.code), func(t *testing.T) {
			t.Parallel()
			s := modbustest.New(t)
			var refuse atomic.Bool
			s.Behave(func(s *modbustest.Server, c net.Conn, r modbustest.Request) bool {
				if r.Quantity() > 1 && (tt.always || refuse.Swap(false)) {
					return modbustest.Exception(tt.code)(s, c, r)
				}
				return modbustest.Good(s, c, r)
			})
			p := parse(t, "points:\n  - {name: power_kw, address: 10, type: u16, unit: W}\n  - {name: import_kwh, address: 11, type: u16, unit: kWh}\n  - {name: export_kwh, address: 12, type: u16, unit: kWh}\n")
			d, err := Open(district.Device{ID: "meter", Address: s.URL(), Unit: 1}, p, Config{Timeout: 20 * time.Second})
			if err != nil {
				t.Fatal(err)
			}
			defer d.Close()
			read := func() int {
				before := len(s.Requests())
				d.Read(t.Context())
				return len(s.Requests()) - before
			}
			if !tt.always {
				if n := read(); n != 1 {
					t.Fatalf("%d requests for three neighbours, want 1", n)
				}
			}
			refuse.Store(true)
			if n := read(); n != tt.at {
				t.Errorf("%d requests when the exception comes, want %d", n, tt.at)
			}
			for range 3 {
				if n := read(); n != tt.end {
					t.Errorf("%d requests after it, want %d", n, tt.end)
				}
			}
		})
	}
}
