package app

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/drivers/sim"
	"quartier/drivers/sim/endpoint"
	"quartier/schemas/district"
	"quartier/schemas/order"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
	"quartier/testdata"
)

// TestNetworkOperatorsSignal: in a simulated house behind real servers, a limit that a network operator writes over Modbus is obeyed in the next round of dispatch and in the ledger; of two limits the
// tighter one holds; once the signal is silent the fall-back holds, which the audit log tells; and all of it is in the record when the process is gone.
func TestNetworkOperatorsSignal(t *testing.T) {
	t.Parallel()
	text, err := fs.ReadFile(testdata.Districts(), "small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	addr := freePort(t)
	body := strings.Replace(string(text), "        name: Our house\n", "        name: Our house\n        silence: {import_limit_kw: 3.5, hours: 1}\n", 1) +
		fmt.Sprintf("\ndata_dir: %s\nface: {request_timeout_seconds: 8, modbus_listen: %s, modbus_clients: [{network: 127.0.0.1, requests: true}]}\ncontrol: {dispatch_seconds: 1}\n", t.TempDir(), addr)
	cfg, err := config.Parse("small.yaml", []byte(body), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	about, err := fs.ReadFile(testdata.Districts(), "small.sim.yaml")
	if err != nil {
		t.Fatal(err)
	}
	desc, err := sim.ParseDescription("small.sim.yaml", about)
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 6, 16, 23, 0, 0, 0, time.UTC) // no sun takes the place of the grid, and no heating hides the limit
	w, err := sim.New(sim.WorldConfig{Districts: cfg.Districts, Description: desc, Traces: testdata.Traces(), Start: start})
	if err != nil {
		t.Fatal(err)
	}
	clock := NewClock(start, 1)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	field, stop := context.WithCancel(context.WithoutCancel(ctx))
	ends, err := endpoint.Start(field, w, cfg.Districts, nil, endpoint.WithClock(clock.Now))
	if err != nil {
		t.Fatal(err)
	}
	physics := make(chan struct{})
	go func() {
		defer close(physics)
		for wait(field, 50*time.Millisecond) {
			w.Advance(clock.Now())
		}
	}()
	defer func() { stop(); <-physics; ends.Close() }()
	reach := ends.Addresses()
	a, err := New(ctx, cfg, Options{Clock: clock, Listen: "127.0.0.1:0", Demo: true, PollEvery: time.Second, Reach: func(address string) string {
		if real, ok := reach[address]; ok {
			return real
		}
		return address
	}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	s := a.schedulers["rue-verte"]
	battery := func() float64 {
		v, _ := w.Value(sim.Ref{District: "rue-verte", Site: "house", Device: "battery"}, district.PowerKW)
		return v
	}
	grid := func() float64 {
		v, _ := w.Value(sim.Ref{District: "rue-verte", Site: "house", Device: "grid"}, district.PowerKW)
		return v
	}
	until(t, "the first plan", func() bool { p, _ := s.Plan(); return p != nil })
	if _, err := (orders{a}).Give(ctx, "rue-verte", order.Order{Site: "house", Device: "battery", Kind: order.Power, Value: 4, Author: "olga", Reason: "charge it for the test", End: clock.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	until(t, "the battery charges as ordered", func() bool { return battery() > 3.5 })
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	write := func(v float32) { // the site's import limit
		b := binary.BigEndian.AppendUint16([]byte{0, 1, 0, 0, 0, 11, 1, 16}, 1080)
		b = binary.BigEndian.AppendUint32(append(b, 0, 2, 4), math.Float32bits(v))
		c.SetDeadline(time.Now().Add(time.Minute))
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		var answer [12]byte
		if _, err := io.ReadFull(c, answer[:]); err != nil || answer[7] != 16 {
			t.Fatalf("answer %x, %v", answer, err)
		}
	}
	line := func(reason string, since time.Time) (district.Setpoint, bool) {
		sps, err := a.record.Setpoints(ctx, "rue-verte", "house", "battery", timegrid.NewSpan(since, since.Add(time.Hour)), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, sp := range sps {
			if strings.HasPrefix(sp.Reason, reason) {
				return sp, true
			}
		}
		return district.Setpoint{}, false
	}
	// a limit of 1.5 kW: told within a round of dispatch (a second), which is given ten
	at := clock.Now()
	write(1.5)
	var told district.Setpoint
	until(t, "the limit is in the ledger", func() (ok bool) { told, ok = line("import limit 1.5 kW", at); return ok })
	if took := told.Time.Sub(at); took > 10*time.Second || told.Outcome != district.Clipped {
		t.Errorf("the limit was obeyed after %v: %+v", took, told)
	} else {
		t.Logf("the limit was obeyed %v after it was written, with rounds of a second", took)
	}
	write(1.5)
	until(t, "the house draws no more", func() bool { write(1.5); return grid() < 1.6 })
	// a tighter one from the console
	tighter, err := orders{a}.Give(ctx, "rue-verte", order.Order{Site: "house", Kind: order.ImportLimit, Value: 1, Author: "olga", Reason: "feeder works", End: clock.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	// where the house itself uses more than that, the battery does not charge
	until(t, "the tighter one holds", func() bool { write(1.5); return grid() < 1.1 || battery() < 0.05 })
	if _, err := (orders{a}).End(ctx, "rue-verte", tighter.ID, "olga", "over"); err != nil {
		t.Fatal(err)
	}
	// silence
	silent := clock.Now()
	until(t, "the fall-back holds", func() bool { _, ok := line("import limit 3.5 kW", silent); return ok && grid() < 3.6 })
	until(t, "the silence is in the audit log", func() bool {
		events, err := a.record.Events(ctx, []store.EventKind{store.AuditEvent}, timegrid.NewSpan(start, start.Add(time.Hour)), 0)
		if err != nil {
			t.Fatal(err)
		}
		var lapsed, fallback bool
		for _, e := range events {
			lapsed, fallback = lapsed || e.Action == "request-lapsed", fallback || e.Action == "order-fallback" && e.Object == "rue-verte/house"
		}
		return lapsed && fallback
	})
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	st, err := OpenStore(t.Context(), cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	kept, err := st.Orders(t.Context(), "rue-verte", timegrid.NewSpan(start, start.Add(time.Hour)))
	if err != nil {
		t.Fatal(err)
	}
	how := map[string]int{}
	for _, o := range kept {
		how[string(o.Kind)+" "+string(o.Source)+" "+string(o.Outcome)]++
	}
	for _, want := range []string{"power console ", "import_limit building_system lapsed", "import_limit console ended", "import_limit silence "} {
		if how[want] != 1 {
			t.Errorf("the record has %v, want one %q", how, want)
		}
	}
}
