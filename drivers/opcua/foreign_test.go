package opcua_test

import (
	"errors"
	"math"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/foreign"
	"quartier/drivers/opcua"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// TestForeignServer drives a server of node-opcua: values, typed writes, a subscription over a TCP reset, over subscriptions that the server
// drops, and over a kill with a restart on the same port under another namespace index.
func TestForeignServer(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	folder := t.TempDir()
	start := func(others ...string) *foreign.Process {
		p := foreign.Start(t, "opcua-server.mjs", append([]string{strconv.Itoa(port), folder, writableURI}, others...)...)
		p.Await("listening", 2*time.Minute, nil)
		return p
	}
	srv := start()

	cfg := quick(t)
	cfg.Timeout = 3 * time.Second
	cfg.Heartbeat = time.Second
	d, err := opcua.Open(district.Device{ID: "foreign", Address: "opc.tcp://127.0.0.1:" + strconv.Itoa(port)}, writableProfile(t), opcua.Access{}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	got, err := d.Read(within(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range got {
		if want := map[string]float64{"power_kw": -1.5, "soc": 0.42, "demand_kw": 0, "mode_state": 1, "step_a": 6}; r.Point != "setpoint_kw" && (math.Abs(r.Value-want[r.Point]) > 1e-6 || r.Quality != district.Good) {
			t.Errorf("%+v, want %g", r, want[r.Point])
		}
	}
	for point, v := range map[string]float64{"demand_kw": -3.25, "mode_state": 7, "step_a": 16} {
		if r, err := d.Write(within(t), point, v); err != nil || r.Value != v {
			t.Errorf("Write(%s, %g) = %+v, %v", point, v, r, err)
		}
	}
	if r, err := d.Write(within(t), "setpoint_kw", 4); err != nil || r.Value != 4 {
		t.Errorf("command 4 kW = %+v, %v", r, err)
	}
	_, err = d.Write(within(t), "mode_state", 40000)
	if _, ok := errors.AsType[*drivers.LimitError](err); !ok {
		t.Errorf("40000 into an Int16: %v", err)
	}

	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "power_kw", is(-1.5))
	srv.Send("set Power 2000")
	in.await(t, "change", "power_kw", is(-2))
	for i, fault := range []string{"cut", "cut", "kill"} {
		began := time.Now()
		srv.Send(fault)
		srv.Await("done", 20*time.Second, func(e foreign.Event) bool { return e.Line == fault })
		srv.Send("set Power " + strconv.Itoa(3000+i))
		in.await(t, "value after "+fault, "power_kw", is(-3-float64(i)/1000))
		t.Logf("%s: values came back after %v", fault, time.Since(began).Round(time.Millisecond))
	}
	if st := d.Stats(); st.Losses < 3 {
		t.Errorf("stats %+v, want three losses", st)
	}

	srv.Kill()
	in.await(t, "mark of the gap", "power_kw", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
	srv = start("urn:other:one", "urn:other:two")
	in.await(t, "value of the new server", "power_kw", is(-1.5))
	srv.Send("set Power 7000")
	in.await(t, "change on the new server", "power_kw", is(-7))

	// a point of the new server that is not there, and one by its path
	p, err := profile.Parse("x.yaml", []byte(strings.ReplaceAll(`name: x
title: X
kinds: [battery]
protocol: opcua
state: generic
source: {document: test}
namespace: URI
points:
  - {name: power_kw, path: [Plant, Power], type: f64, unit: W}
  - {name: voltage_v, node: s=None, type: f64, unit: V}
`, "URI", writableURI)))
	if err != nil {
		t.Fatal(err)
	}
	other, err := opcua.Open(district.Device{ID: "other", Address: "opc.tcp://127.0.0.1:" + strconv.Itoa(port)}, p, opcua.Access{}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	got, err = other.Read(within(t))
	if !errors.Is(err, drivers.ErrRejected) || len(got) != 2 || got[0].Value != 7 || got[1].Quality != district.Bad {
		t.Errorf("Read = %+v, %v", got, err)
	}
	srv.Kill()
}
