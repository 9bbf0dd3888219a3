package opcua_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/drivertest"
	"quartier/drivers/opcua"
	"quartier/drivers/opcua/serve"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// inbox collects what a subscription delivers.
type inbox struct {
	mu  sync.Mutex
	got []drivers.Reading
}

func (b *inbox) deliver(rs []drivers.Reading) {
	b.mu.Lock()
	b.got = append(b.got, rs...)
	b.mu.Unlock()
}

func (b *inbox) all(point string) []drivers.Reading {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []drivers.Reading
	for _, r := range b.got {
		if r.Point == point {
			out = append(out, r)
		}
	}
	return out
}

// await waits until the newest reading of the point satisfies ok.
func (b *inbox) await(t *testing.T, what, point string, ok func(drivers.Reading) bool) drivers.Reading {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if all := b.all(point); len(all) > 0 && ok(all[len(all)-1]) {
			return all[len(all)-1]
		}
	}
	t.Fatalf("%s: %s did not come; last readings %+v", what, point, b.all(point))
	return drivers.Reading{}
}

func is(v float64) func(drivers.Reading) bool {
	return func(r drivers.Reading) bool { return math.Abs(r.Value-v) < 1e-9 && r.Quality == district.Good }
}

// subscribe runs a subscription until the test ends.
func subscribe(t *testing.T, d *opcua.Device, deliver func([]drivers.Reading)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- d.Subscribe(ctx, 100*time.Millisecond, deliver) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil && !errors.Is(err, drivers.ErrClosed) {
				t.Errorf("Subscribe: %v", err)
			}
		case <-time.After(10 * time.Second):
			t.Error("Subscribe did not return after its context ended")
		}
	})
}

func set(t *testing.T, s *serve.Server, id string, v float64) {
	t.Helper()
	if err := s.Set(id, v, district.Good, time.Now()); err != nil {
		t.Fatal(err)
	}
}

// TestResetWithLiveServer: after each of several TCP resets the subscription goes on, the gap is marked as uncertain, and no value comes twice.
func TestResetWithLiveServer(t *testing.T) {
	t.Parallel()
	p := profile.MustLoad("quartier-substation-opcua")
	s, addr, _ := station(t, p, serve.Config{})
	line := drivertest.NewProxy(t, addr)
	d := openDevice(t, line.Addr(), p)
	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "power_kw", is(10))
	for i := range 4 {
		line.Set(drivertest.Cut)
		in.await(t, "mark of the gap", "power_kw", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
		set(t, s, "s=Power.Active", float64(100+i)) // during the outage
		line.Set(drivertest.Through)
		in.await(t, "value of the outage", "power_kw", is(float64(100+i)))
		set(t, s, "s=Power.Active", float64(200+i))
		in.await(t, "value after the reset", "power_kw", is(float64(200+i)))
	}
	seen := map[string]int{}
	for _, r := range in.all("power_kw") {
		if r.Quality == district.Good {
			seen[fmt.Sprint(r.Value, r.Time)]++
		}
	}
	for k, n := range seen {
		if n > 1 {
			t.Errorf("value and time %s came %d times", k, n)
		}
	}
	if st := d.Stats(); st.Losses < 4 || st.Connects < 5 {
		t.Errorf("stats %+v, want at least 4 losses and 5 connects", st)
	}
}

// TestBlackHole: a line on which nothing arrives and nothing breaks is noticed by missed heartbeats.
func TestBlackHole(t *testing.T) {
	t.Parallel()
	p := profile.MustLoad("quartier-substation-opcua")
	s, addr, _ := station(t, p, serve.Config{})
	line := drivertest.NewProxy(t, addr)
	d := openDevice(t, line.Addr(), p)
	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "power_kw", is(10))
	line.Set(drivertest.Silent)
	began := time.Now()
	in.await(t, "mark of the gap", "power_kw", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the silence was noticed after %v", took)
	}
	set(t, s, "s=Power.Active", 77)
	line.Set(drivertest.Through)
	in.await(t, "value afterwards", "power_kw", is(77))
}

// swap is a TCP line whose far end can be exchanged, as when a server restarts on its old port.
type swap struct {
	mu     sync.Mutex
	target string
	conns  []net.Conn
}

func newSwap(t *testing.T) (*swap, string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &swap{}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			target := s.target
			s.mu.Unlock()
			far, err := net.Dial("tcp", target)
			if err != nil {
				c.Close()
				continue
			}
			s.mu.Lock()
			s.conns = append(s.conns, c, far)
			s.mu.Unlock()
			go func() { io.Copy(far, c); far.Close() }()
			go func() { io.Copy(c, far); c.Close() }()
		}
	}()
	return s, l.Addr().String()
}

func (s *swap) set(target string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.target = target
	for _, c := range s.conns {
		c.Close()
	}
	s.conns = nil
}

// TestRestartWithAnotherNamespaceIndex: the server comes back with its nodes under another index; they are found by the namespace's URI.
func TestRestartWithAnotherNamespaceIndex(t *testing.T) {
	t.Parallel()
	p := profile.MustLoad("quartier-substation-opcua")
	line, lineAddr := newSwap(t)
	_, addr, stop := station(t, p, serve.Config{})
	line.set(addr)
	d := openDevice(t, lineAddr, p)
	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "power_kw", is(10))
	for i, others := range [][]string{{"urn:other"}, {}, {"urn:a", "urn:b", "urn:c"}} {
		stop()
		in.await(t, "mark of the gap", "power_kw", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
		var s *serve.Server
		s, addr, stop = station(t, p, serve.Config{OtherNamespaces: others})
		set(t, s, "s=Power.Active", float64(50+i))
		line.set(addr)
		in.await(t, "value after the restart", "power_kw", is(float64(50+i)))
		set(t, s, "s=Power.Active", float64(60+i))
		in.await(t, "change after the restart", "power_kw", is(float64(60+i)))
		r, err := d.Read(within(t), "power_kw")
		if err != nil || r[0].Value != float64(60+i) {
			t.Errorf("Read = %+v, %v", r, err)
		}
	}
}

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// parse makes a profile with the given points.
func parse(t *testing.T, points ...string) *profile.Profile {
	t.Helper()
	p, err := profile.Parse("test.yaml", []byte("name: test\ntitle: Test\nkinds: [substation]\nprotocol: opcua\nstate: generic\nsource: {document: test}\nnamespace: urn:test\npoints:\n  - "+strings.Join(points, "\n  - ")+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestMissingNodeBlocksNobody: a node that the server does not have is bad and named, the others are read and subscribed as ever.
func TestMissingNodeBlocksNobody(t *testing.T) {
	t.Parallel()
	has := parse(t, "{name: power_kw, node: s=P, type: f64, unit: kW}")
	wants := parse(t, "{name: power_kw, node: s=P, type: f64, unit: kW}", "{name: voltage_v, node: s=Missing, type: f64, unit: V}",
		"{name: frequency_hz, node: s=F, namespace: urn:elsewhere, type: f64, unit: Hz}", "{name: import_kwh, path: [Station, Nowhere], type: f64, unit: kWh}")
	s, addr, _ := station(t, has, serve.Config{})
	d := openDevice(t, addr, wants)
	got, err := d.Read(within(t))
	if !errors.Is(err, drivers.ErrRejected) || !strings.Contains(err.Error(), "voltage_v") || !strings.Contains(err.Error(), `no namespace "urn:elsewhere"`) || !strings.Contains(err.Error(), "Nowhere") {
		t.Errorf("Read error %v, want one that names the three points", err)
	}
	qualities := map[string]district.Quality{}
	for _, r := range got {
		qualities[r.Point] = r.Quality
		if r.Quality == district.Bad && !math.IsNaN(r.Value) {
			t.Errorf("bad reading with a number: %+v", r)
		}
	}
	if len(got) != 4 || qualities["power_kw"] != district.Good || qualities["voltage_v"] != district.Bad {
		t.Errorf("Read = %+v", got)
	}
	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "power_kw", is(10))
	set(t, s, "s=P", 11)
	in.await(t, "change", "power_kw", is(11))
}

// TestNodeGoneAtResubscribe: a node that a restarted server no longer has holds up no other, and is back when the server has it again.
func TestNodeGoneAtResubscribe(t *testing.T) {
	t.Parallel()
	power, volt := "{name: power_kw, node: s=P, type: f64, unit: kW}", "{name: voltage_v, node: s=V, type: f64, unit: V}"
	both, one := parse(t, power, volt), parse(t, power)
	line, lineAddr := newSwap(t)
	_, addr, stop := station(t, both, serve.Config{})
	line.set(addr)
	d := openDevice(t, lineAddr, both)
	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "voltage_v", is(11))
	for i, p := range []*profile.Profile{one, both} {
		stop()
		in.await(t, "mark of the gap", "power_kw", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
		var s *serve.Server
		s, addr, stop = station(t, p, serve.Config{})
		line.set(addr)
		set(t, s, "s=P", float64(50+i))
		in.await(t, "value after the restart", "power_kw", is(float64(50+i)))
		set(t, s, "s=P", float64(60+i))
		in.await(t, "change after the restart", "power_kw", is(float64(60+i)))
		if p == one {
			in.await(t, "the missing node", "voltage_v", func(r drivers.Reading) bool { return r.Quality == district.Bad && math.IsNaN(r.Value) })
		} else {
			in.await(t, "the node that is back", "voltage_v", is(11))
		}
	}
}

// TestSlowReceiver: a receiver that takes seconds over each delivery gets the newest value afterwards; the connection stands all the while.
func TestSlowReceiver(t *testing.T) {
	t.Parallel()
	p := parse(t, "{name: power_kw, node: s=P, type: f64, unit: kW}")
	s, addr, _ := station(t, p, serve.Config{})
	cfg := quick(t)
	cfg.Keep = 3
	d, err := opcua.Open(district.Device{ID: "under-test", Address: "opc.tcp://" + addr}, p, opcua.Access{}, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	var in inbox
	slow := make(chan struct{})
	subscribe(t, d, func(rs []drivers.Reading) {
		if len(rs) > 3 {
			t.Errorf("%d readings at once, want at most Keep = 3", len(rs))
		}
		in.deliver(rs)
		<-slow
	})
	in.await(t, "first value", "power_kw", is(10))
	for i := range 10 {
		set(t, s, "s=P", float64(100+i))
		time.Sleep(150 * time.Millisecond)
	}
	close(slow)
	in.await(t, "newest value", "power_kw", is(109))
	if st := d.Stats(); st.Losses != 0 || st.Dropped == 0 {
		t.Errorf("stats %+v, want no loss and some dropped", st)
	}
}

// TestQualities: status becomes quality, NaN and text become what the profile says, and nothing bad is a number.
func TestQualities(t *testing.T) {
	t.Parallel()
	p := parse(t, "{name: power_kw, path: [Plant, Power], type: f64, unit: W, scale: 10}", "{name: status, node: s=S, type: f64, unit: state, states: [{code: 3, is: 1, text: running}]}")
	s := serve.New(serve.Config{NamespaceURI: "urn:test"})
	for _, v := range []serve.Variable{{Path: []string{"Plant", "Power"}, NodeID: "i=5", Type: serve.Int32}, {Path: []string{"Plant", "State"}, NodeID: "s=S", Type: serve.String}} {
		if err := s.AddVariable(v); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go s.Run(ctx)
	addr, err := s.Addr(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d := openDevice(t, addr, p)
	read := func(point string) drivers.Reading {
		t.Helper()
		got, err := d.Read(within(t), point)
		if err != nil || len(got) != 1 {
			t.Fatalf("Read(%s) = %+v, %v", point, got, err)
		}
		return got[0]
	}
	if r := read("power_kw"); r.Quality != district.Bad || !math.IsNaN(r.Value) {
		t.Errorf("before the first value: %+v", r)
	}
	for _, q := range []district.Quality{district.Good, district.Uncertain, district.Substituted, district.Bad} {
		if err := s.Set("i=5", 1234, q, time.Now()); err != nil {
			t.Fatal(err)
		}
		if r := read("power_kw"); r.Quality != q || q != district.Bad && r.Value != 12.34 || q == district.Bad && !math.IsNaN(r.Value) {
			t.Errorf("quality %s: %+v", q, r)
		}
	}
	for text, want := range map[string]float64{"running": 1, "exploded": math.NaN()} {
		if err := s.Set("s=S", text, district.Good, time.Now()); err != nil {
			t.Fatal(err)
		}
		if r := read("status"); r.Value != want && !(math.IsNaN(want) && r.Quality == district.Bad) {
			t.Errorf("%q: %+v", text, r)
		}
	}
	// a value that last changed long ago holds now
	s.Set("i=5", 1, district.Good, time.Now().Add(-time.Hour))
	before := time.Now()
	if r := read("power_kw"); r.Time.Before(before) {
		t.Errorf("an old value that was read now has time %v", r.Time)
	}
}

// TestNothingIsLeftBehind: devices that were opened, read, cut and closed leave no goroutines.
func TestNothingIsLeftBehind(t *testing.T) {
	p := parse(t, "{name: power_kw, node: s=P, type: f64, unit: kW}")
	_, addr, _ := station(t, p, serve.Config{})
	line := drivertest.NewProxy(t, addr)
	for i := range 10 {
		d := openDevice(t, line.Addr(), p)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { d.Subscribe(ctx, 100*time.Millisecond, func([]drivers.Reading) {}); close(done) }()
		if _, err := d.Read(within(t)); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			line.Set(drivertest.Cut)
			line.Set(drivertest.Through)
		}
		d.Close()
		<-done
		cancel()
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		buf := make([]byte, 1<<20)
		var left []string // of the driver and the library; the server's keep sessions for clients to come back to
		for _, g := range strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
			if strings.Contains(g, "github.com/gopcua/opcua") || strings.Contains(g, "quartier/drivers/opcua.") {
				left = append(left, g)
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%d goroutines are left:\n%s", len(left), strings.Join(left, "\n\n"))
		}
	}
}

// TestAddresses: only servers on loopback are connected, and a wrong address says what is wanted.
func TestAddresses(t *testing.T) {
	t.Parallel()
	p := profile.MustLoad("quartier-substation-opcua")
	for _, a := range []string{"", "127.0.0.1:4840", "opc.tcp://", "opc.tcp://127.0.0.1", "http://127.0.0.1:4840", "opc.tcp://192.0.2.4:4840", "opc.tcp://plc.example:4840"} {
		if _, err := opcua.Open(district.Device{ID: "x", Address: a}, p, opcua.Access{}, opcua.Config{}); err == nil {
			t.Errorf("address %q was accepted", a)
		}
	}
	if _, err := opcua.Open(district.Device{ID: "x", Address: "opc.tcp://127.0.0.1:1"}, profile.MustLoad("eastron-sdm630"), opcua.Access{}, opcua.Config{}); err == nil {
		t.Error("a Modbus profile was accepted")
	}
	d, err := opcua.Open(district.Device{ID: "x", Address: "opc.tcp://127.0.0.1:1"}, p, opcua.Access{}, quick(t))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	for range 3 {
		began := time.Now()
		if got, err := d.Read(within(t)); !errors.Is(err, drivers.ErrUnreachable) || len(got) != 0 {
			t.Errorf("Read of a server that is not there = %v, %v", got, err)
		}
		if took := time.Since(began); took > 10*time.Second {
			t.Errorf("it took %v", took)
		}
	}
}
