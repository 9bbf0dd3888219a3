package opcua_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/server"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/profile"
)

const writableURI = "urn:quartier:test:battery"

// writableProfile is a battery whose set-point is one node in W with the other sign, and whose mode is an integer.
func writableProfile(t testing.TB) *profile.Profile {
	t.Helper()
	p, err := profile.Parse("battery.yaml", []byte(`
name: battery
title: Battery with an OPC UA server
kinds: [battery]
protocol: opcua
state: generic
source: {document: test}
namespace: urn:quartier:test:battery
points:
  - {name: power_kw, node: s=Power, type: f64, unit: W, invert: true}
  - {name: soc, node: s=SOC, type: f32, unit: "%"}
  - {name: demand_kw, node: s=Setpoint, type: f64, unit: W, invert: true, access: read_write, write: {min: -10000, max: 10000}}
  - {name: mode_state, node: s=Mode, type: i16, unit: state, access: read_write, write: {min: 0, max: 100000}}
  - {name: step_a, node: s=Step, type: u16, unit: A, access: read_write, write: {min: 0, max: 63}}
control:
  point: setpoint_kw
  quantity: kw
  min: -10
  max: 10
  safe: 0
  writes:
    - {point: mode_state, value: 2}
    - {point: demand_kw, from: command}
`))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// writableServer is the library's own server, which takes writes; it stands for a foreign device and runs on loopback for one test.
func writableServer(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	srv := server.New(server.EnableSecurity("None", ua.MessageSecurityModeNone), server.EnableAuthMode(ua.UserTokenTypeAnonymous), server.EndPoint("127.0.0.1", port))
	ns := server.NewNodeNameSpace(srv, writableURI)
	objects := ns.Objects()
	for name, v := range map[string]any{"Power": 1500.0, "SOC": float32(42), "Setpoint": 0.0, "Mode": int16(1), "Step": uint16(6)} {
		objects.AddRef(ns.AddNewVariableStringNode(name, v), id.HasComponent, true)
	}
	ctx, cancel := context.WithCancel(context.Background())
	if err := srv.Start(ctx); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		go srv.Close() // waits up to 10 s for channels that its clients have left open
	})
	return fmt.Sprintf("127.0.0.1:%d", port)
}

// TestWriteTyped: a value is written in the type of its node and read back; what the type cannot hold is refused before it is sent.
func TestWriteTyped(t *testing.T) {
	d := openDevice(t, writableServer(t), writableProfile(t))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for _, tt := range []struct {
		point       string
		value, want float64
	}{{"demand_kw", -3.25, -3.25}, {"mode_state", 7, 7}, {"step_a", 16.4, 16}} {
		r, err := d.Write(ctx, tt.point, tt.value)
		if err != nil || r.Value != tt.want {
			t.Errorf("Write(%s, %g) = %+v, %v, want %g", tt.point, tt.value, r, err, tt.want)
		}
	}
	_, err := d.Write(ctx, "mode_state", 40000)
	if _, ok := errors.AsType[*drivers.LimitError](err); !ok {
		t.Errorf("40000 into an Int16: %v, want a *LimitError", err)
	}
	if got, err := d.Read(ctx, "mode_state", "power_kw", "soc"); err != nil || got[0].Value != 7 || got[1].Value != -1.5 || got[2].Value < 0.4199 || got[2].Value > 0.4201 {
		t.Errorf("Read = %+v, %v", got, err)
	}
	if r, err := d.Write(ctx, "setpoint_kw", 4); err != nil || r.Value != 4 {
		t.Errorf("command 4 kW = %+v, %v", r, err)
	}
	if got, err := d.Read(ctx, "demand_kw", "mode_state", "setpoint_kw"); err != nil || got[0].Value != 4 || got[1].Value != 2 || got[2].Value != 4 {
		t.Errorf("after the command: %+v, %v", got, err)
	}
}

// TestRestorePrevious: over OPC UA too what stood before our first command stands again after release, and somebody else's command is neither overwritten nor given back over.
func TestRestorePrevious(t *testing.T) {
	p := *writableProfile(t)
	c := *p.Control
	c.Restore = drivers.RestorePrevious
	p.Control = &c
	d := openDevice(t, writableServer(t), &p)
	set := func(point string, v float64) {
		t.Helper()
		if _, err := d.Write(t.Context(), point, v); err != nil {
			t.Fatal(err)
		}
	}
	at := func(point string) float64 {
		t.Helper()
		got, err := d.Read(t.Context(), point)
		if err != nil || len(got) != 1 {
			t.Fatalf("%s: %v, %v", point, got, err)
		}
		return got[0].Value
	}
	set("demand_kw", -1.5) // the owner's, before us
	set("setpoint_kw", 3)
	if demand, mode := at("demand_kw"), at("mode_state"); demand != 3 || mode != 2 {
		t.Fatalf("commanded: %v kW in mode %v", demand, mode)
	}
	set("demand_kw", 7) // somebody else
	for name, act := range map[string]func() error{
		"command": func() error { _, err := d.Write(t.Context(), "setpoint_kw", 4); return err },
		"release": func() error { _, err := d.Release(t.Context()); return err },
	} {
		if err := act(); !errors.Is(err, drivers.ErrConflict) || at("demand_kw") != 7 {
			t.Errorf("%s over somebody else's: %v, the node is at %v", name, err, at("demand_kw"))
		}
	}
	set("demand_kw", 3) // given up again
	if _, err := d.Release(t.Context()); err != nil {
		t.Fatal(err)
	}
	if demand, mode := at("demand_kw"), at("mode_state"); demand != -1.5 || mode != 1 {
		t.Errorf("after release: %v kW in mode %v, want -1.5 kW in mode 1 as before", demand, mode)
	}
}
