package app

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/face"
	"quartier/scheduler"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// freePort returns an address of this machine where nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

const askedDistrict = `
data_dir: %s
console: {listen: "127.0.0.1:0"}
face:
  request_timeout_seconds: 5
  modbus_listen: %s
  modbus_clients: [{network: 127.0.0.1, requests: true}]
control: {dispatch_seconds: 1}
tariffs: [{id: base, kind: base, rows: [{from: 2026-02-01, base_eur_per_kwh: 0.1940, source: invented}]}]
carbon: [{id: france, kind: constant, g_per_kwh: 21.7, source: invented}]
districts:
  - id: cour
    name: La Cour
    latitude_deg: 47.32
    longitude_deg: 5.01
    time_zone: Europe/Paris
    tariff: base
    carbon: france
    sites:
      - id: maison
        name: Maison commune
        import_limit_kw: 60
        devices:
          - {id: meter, kind: grid_meter, profile: eastron-sdm630, address: "tcp://127.0.0.1:9", unit_id: 1}
`

// TestRequestsReachTheScheduler: what a building system writes over Modbus is in force in the scheduler at once and in the audit log with who, old and new; it lapses when it is not repeated,
// which is recorded too, and the places of the map are kept in the data folder.
func TestRequestsReachTheScheduler(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), freePort(t)
	cfg, err := config.Parse("cour.yaml", []byte(fmt.Sprintf(askedDistrict, dir, addr)), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	var c net.Conn
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err = net.Dial("tcp", addr); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	write := func(register uint16, v float32) byte {
		b := []byte{0, 1, 0, 0, 0, 11, 1, 16}
		b = binary.BigEndian.AppendUint16(b, register)
		b = append(b, 0, 2, 4)
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(v))
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			t.Fatal(err)
		}
		if head[7] == 0x90 {
			return head[8]
		}
		if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
		return 0
	}
	s := a.schedulers["cour"]
	for _, kw := range []float32{25, 30} {
		if code := write(1080, kw); code != 0 {
			t.Fatalf("exception %d", code)
		}
		if rs := s.Requests(); len(rs) != 1 || rs[0].Value != float64(kw) || rs[0].Kind != scheduler.RequestImportLimit || rs[0].Site != "maison" || rs[0].Actor != "modbus 127.0.0.1" {
			t.Errorf("in force %+v, want %v kW of maison", rs, kw)
		}
	}
	if code := write(1080, 61); code != 3 {
		t.Errorf("above the connection's limit: exception %d, want 3", code)
	}
	audit := func(action string) (out []store.Event) {
		events, err := a.record.Events(t.Context(), []store.EventKind{store.AuditEvent}, timegrid.NewSpan(time.Now().Add(-time.Hour), time.Now().Add(time.Hour)), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Action == action {
				out = append(out, e)
			}
		}
		return out
	}
	for end := time.Now().Add(time.Minute); len(audit("request-lapsed")) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the request did not lapse")
		}
	}
	if rs := s.Requests(); len(rs) != 0 {
		t.Errorf("lapsed, and in force: %+v", rs)
	}
	lines := audit("request")
	if len(lines) != 2 {
		t.Fatalf("%d requests in the audit log, want 2: %+v", len(lines), lines)
	}
	for i, want := range []string{"25 kW to 30 kW", "none to 25 kW"} {
		e := lines[i]
		if e.Detail != want || e.Object != "cour/maison/import_limit_request_kw" || e.Actor != "modbus 127.0.0.1" || !strings.HasPrefix(e.Remote, "127.0.0.1:") {
			t.Errorf("audit %+v, want %q", e, want)
		}
	}
	if slots, err := face.LoadSlots(dir + "/" + face.SlotsFile); err != nil || len(slots.Districts) != 1 || slots.Districts[0].Devices[0] != "maison/meter" {
		t.Errorf("places %+v, %v", slots, err)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("Run did not return")
	}
}
