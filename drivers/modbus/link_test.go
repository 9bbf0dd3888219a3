package modbus

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// quick is a link configuration whose waits keep these tests short.
var quick = Config{Timeout: 150 * time.Millisecond, MinBackoff: 10 * time.Millisecond, MaxBackoff: 40 * time.Millisecond, Silent: -1}

func newLink(t testing.TB, url string, config Config) *Link {
	t.Helper()
	l, err := NewLink(url, config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// check reads one register and fails on any value that is not its own.
func check(t testing.TB, l *Link, unit uint8, address uint16) error {
	t.Helper()
	got, err := l.Read(t.Context(), unit, profile.Holding, address, 1)
	if err == nil && (len(got) != 1 || got[0] != modbustest.Value(unit, address)) {
		t.Errorf("unit %d register %d = %04x, want %04x: the value of another request", unit, address, got, modbustest.Value(unit, address))
	}
	return err
}

// recovers reads until a value comes, for the pauses of the back-off.
func recovers(t testing.TB, l *Link, unit uint8) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		err := check(t, l, unit, 77)
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the link does not recover: %v", err)
		}
	}
}

// transports are the ways on which a device that misbehaves is tried. The library serves the serial line.
var transports = map[string]struct {
	rtu   bool
	start func(t testing.TB) (*modbustest.Server, *district.TLSFiles)
	query string
}{
	"TCP":          {start: func(t testing.TB) (*modbustest.Server, *district.TLSFiles) { return modbustest.New(t), nil }},
	"RTU over TCP": {rtu: true, start: func(t testing.TB) (*modbustest.Server, *district.TLSFiles) { return modbustest.NewRTU(t), nil }},
	"serial line": {rtu: true, start: func(t testing.TB) (*modbustest.Server, *district.TLSFiles) {
		return modbustest.NewSerial(t).Server, nil
	}},
	"UDP":      {start: func(t testing.TB) (*modbustest.Server, *district.TLSFiles) { return modbustest.NewUDP(t), nil }},
	"TLS":      {start: secureServer},
	"any unit": {start: func(t testing.TB) (*modbustest.Server, *district.TLSFiles) { return modbustest.New(t), nil }, query: "?answer_unit=any"},
}

// TestFaultsNeverBecomeValues: whatever the device does, a read gives its own register's value or an error of the right kind, and the link is well
// again once the device is.
func TestFaultsNeverBecomeValues(t *testing.T) {
	all := []string{"TCP", "RTU over TCP", "serial line", "UDP", "TLS", "any unit"}
	streams := []string{"TCP", "RTU over TCP", "TLS", "any unit"}
	mbap := []string{"TCP", "UDP", "TLS", "any unit"}
	rtu := []string{"RTU over TCP", "serial line"}
	for _, tt := range []struct {
		name      string
		behaviour modbustest.Behaviour
		want      error
		on        []string
	}{
		{"late answer", modbustest.Late(220 * time.Millisecond), drivers.ErrUnreachable, all},
		{"half a frame, the rest too late", modbustest.Torn(3, 220*time.Millisecond), drivers.ErrUnreachable, all},
		{"all but the last byte, that too late", modbustest.Torn(8, 220*time.Millisecond), drivers.ErrUnreachable, mbap},
		{"a tail that looks like the next answer", modbustest.CraftedTail(300 * time.Millisecond), drivers.ErrUnreachable, []string{"TCP", "TLS", "any unit"}},
		{"closed in the middle of a frame", modbustest.CloseMidFrame(4), drivers.ErrUnreachable, []string{"TCP", "TLS", "any unit"}},
		{"closed without an answer", modbustest.Close, drivers.ErrUnreachable, streams},
		{"silence", modbustest.Silence, drivers.ErrUnreachable, all},
		{"foreign transactions", modbustest.WrongTransaction(3), drivers.ErrUnreachable, mbap},
		{"no transactions", modbustest.NoTransaction, drivers.ErrUnreachable, mbap},
		{"another unit", modbustest.WrongUnit(9), drivers.ErrGarbage, []string{"TCP", "RTU over TCP", "serial line", "UDP", "TLS"}},
		{"unit 0", modbustest.WrongUnit(0), drivers.ErrGarbage, []string{"TCP", "UDP", "TLS"}},
		{"unit 255", modbustest.WrongUnit(255), drivers.ErrGarbage, []string{"TCP", "UDP", "TLS"}},
		{"another function", modbustest.PDU(4, 2, 0, 1), drivers.ErrGarbage, all},
		{"too few values", modbustest.PDU(3, 0), drivers.ErrGarbage, all},
		{"too many values", modbustest.PDU(3, 4, 0, 1, 0, 2), drivers.ErrGarbage, all},
		{"byte count that lies", modbustest.PDU(3, 2, 0), drivers.ErrGarbage, mbap},
		{"exception without a code", modbustest.PDU(0x83), drivers.ErrGarbage, mbap},
		{"frame of length 0", modbustest.WrongLength(0), drivers.ErrGarbage, mbap},
		{"frame of 65535 bytes", modbustest.WrongLength(65535), drivers.ErrGarbage, mbap},
		{"the answer of a web server", modbustest.Raw([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")...), drivers.ErrGarbage, all},
		{"broken checksum", modbustest.Raw(1, 3, 2, 0, 1, 0, 0), drivers.ErrGarbage, rtu},
	} {
		for _, on := range tt.on {
			t.Run(tt.name+", "+on, func(t *testing.T) {
				t.Parallel()
				s, files := transports[on].start(t)
				config := quick
				config.TLS = files
				if tt.want == drivers.ErrGarbage { // such an answer comes at once: on a busy machine at once is late
					config.Timeout *= 10
				}
				l := newLink(t, s.URL()+transports[on].query, config)
				if err := check(t, l, 1, 5); err != nil {
					t.Fatal(err)
				}
				s.Behave(tt.behaviour)
				for i := range 3 {
					if err := check(t, l, 1, 100*uint16(i+1)); !errors.Is(err, tt.want) {
						t.Errorf("read %d = %v, want %v", i, err, tt.want)
					}
				}
				s.Behave(modbustest.Good)
				recovers(t, l, 1)
				for i := range uint16(20) { // what is read is its own value; that a busy machine took longer than 150 ms is no fault of the link
					if err := check(t, l, 1, 300+i); err != nil {
						recovers(t, l, 1)
					}
				}
			})
		}
	}
}

// TestRandomAnswers: a device that answers with random bytes never makes a number appear.
func TestRandomAnswers(t *testing.T) {
	s := modbustest.New(t)
	l := newLink(t, s.URL(), Config{Timeout: 20 * time.Millisecond, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond, Silent: -1})
	rng := rand.New(rand.NewPCG(1, 1))
	var mu sync.Mutex
	s.Behave(func(_ *modbustest.Server, c net.Conn, r modbustest.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		b := make([]byte, rng.IntN(40))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		if len(b) >= 8 && rng.IntN(2) == 0 {
			copy(b, r.Header[:6]) // a plausible header
		}
		c.Write(b)
		return true
	})
	for i := range uint16(200) {
		if got, err := l.Read(t.Context(), 1, profile.Holding, i, 2); err == nil {
			t.Fatalf("random bytes were read as %04x", got)
		}
	}
}

// TestIdleClose: a connection that the device closed while it was idle costs no read, and a write is not sent twice.
func TestIdleClose(t *testing.T) {
	s := modbustest.New(t)
	l := newLink(t, s.URL(), quick)
	for range 5 {
		if err := check(t, l, 1, 10); err != nil {
			t.Fatalf("after an idle close: %v", err)
		}
		s.CloseClients()
		time.Sleep(10 * time.Millisecond) // the close arrives
	}
	writes := func() (n int) {
		for _, r := range s.Requests() {
			if r.PDU[0] == 6 {
				n++
			}
		}
		return n
	}
	l.Write(t.Context(), 1, 6, 20, []uint16{1})
	if n := writes(); n > 1 {
		t.Errorf("the write was sent %d times", n)
	}
}

// TestWriteIsSentOnce: a write without an answer is not repeated, and says that its fate is unknown.
func TestWriteIsSentOnce(t *testing.T) {
	for name, behaviour := range map[string]modbustest.Behaviour{"silence": modbustest.Silence, "close": modbustest.Close, "mid-frame": modbustest.CloseMidFrame(4), "late": modbustest.Late(300 * time.Millisecond)} {
		t.Run(name, func(t *testing.T) {
			s := modbustest.New(t)
			l := newLink(t, s.URL(), quick)
			if err := check(t, l, 1, 5); err != nil {
				t.Fatal(err)
			}
			s.Behave(behaviour)
			if err := l.Write(t.Context(), 1, 16, 20, []uint16{1, 2}); !errors.Is(err, drivers.ErrUnreachable) {
				t.Errorf("Write = %v, want ErrUnreachable", err)
			}
			s.Behave(modbustest.Good)
			recovers(t, l, 1)
			n := 0
			for _, r := range s.Requests() {
				if r.PDU[0] == 16 {
					n++
				}
			}
			if n != 1 {
				t.Errorf("the write was sent %d times, want once", n)
			}
		})
	}
}

// TestExceptions: each exception is a rejection that keeps the connection; 11 means that the unit did not answer.
func TestExceptions(t *testing.T) {
	s := modbustest.New(t)
	l := newLink(t, s.URL(), quick)
	for _, code := range []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 200} {
		s.Behave(modbustest.Exception(code))
		for range 50 {
			if err := check(t, l, 1, 5); !errors.Is(err, drivers.ErrRejected) {
				t.Fatalf("exception %d: %v, want ErrRejected", code, err)
			}
		}
	}
	s.Behave(modbustest.Exception(11))
	if err := check(t, l, 1, 5); !errors.Is(err, drivers.ErrUnreachable) {
		t.Errorf("exception 11: %v, want ErrUnreachable", err)
	}
	s.Behave(modbustest.Good)
	recovers(t, l, 1)
	if n := s.Accepted(); n != 1 {
		t.Errorf("%d connections for exceptions, want 1", n)
	}
	if st := l.Stats(); st.Exceptions != 600 || st.Connects != 1 {
		t.Errorf("stats %+v, want 600 exceptions, 1 connect", st)
	}
}

// TestUnitsAreNeverMixed: eight units behind one gateway, asked from many goroutines, never see each other's values.
func TestUnitsAreNeverMixed(t *testing.T) {
	s := modbustest.New(t)
	l := newLink(t, s.URL(), Config{Timeout: 10 * time.Second})
	const perUnit = 100_000 / 8
	var wg sync.WaitGroup
	for unit := uint8(1); unit <= 8; unit++ {
		wg.Go(func() {
			for i := range perUnit {
				if err := check(t, l, unit, uint16(i)); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if n := s.Accepted(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// TestSilentUnitDelaysNoOther: a unit that never answers behind a gateway is asked less and less often and otherwise fails at once.
func TestSilentUnitDelaysNoOther(t *testing.T) {
	s := modbustest.New(t)
	s.Behave(modbustest.ForUnit(9, modbustest.Silence, modbustest.Good))
	l := newLink(t, s.URL(), Config{Timeout: 50 * time.Millisecond, MinBackoff: 100 * time.Millisecond, MaxBackoff: 10 * time.Second, Silent: 2})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		for ctx.Err() == nil {
			if _, err := l.Read(ctx, 9, profile.Holding, 1, 1); !errors.Is(err, drivers.ErrUnreachable) {
				t.Errorf("the silent unit: %v", err)
			}
			time.Sleep(time.Millisecond)
		}
	})
	good := 0
	for ctx.Err() == nil {
		if err := check(t, l, 1, 5); err != nil {
			t.Errorf("the living unit: %v", err)
		}
		good++
		time.Sleep(time.Millisecond)
	}
	wg.Wait()
	st := l.Stats()
	if st.Timeouts > 8 { // 2 at once, then after 0.1, 0.2, 0.4, 0.8 s and at most two more for jitter
		t.Errorf("the silent unit was asked %d times in 2 s", st.Timeouts)
	}
	if st.Refused == 0 || good < 20 {
		t.Errorf("%d refused at once, %d reads of the living unit", st.Refused, good)
	}
	s.Behave(modbustest.Good)
	recovers(t, l, 9)
}

// TestManyDeadDevices: two hundred devices without an answer stop within the contract's time and leave nothing behind.
func TestManyDeadDevices(t *testing.T) {
	s := modbustest.New(t)
	s.Behave(modbustest.Silence)
	before := runtime.NumGoroutine()
	p := profile.MustLoad("eastron-sdm630")
	pool := NewPool(Config{Timeout: 300 * time.Millisecond})
	var devices []*Device
	for i := range 200 {
		d, err := pool.Device(district.Device{ID: fmt.Sprint("dev", i), Address: s.URL(), Unit: uint8(i%200 + 1)}, p)
		if err != nil {
			t.Fatal(err)
		}
		devices = append(devices, d)
	}
	var wg sync.WaitGroup
	for _, d := range devices {
		wg.Go(func() { d.Read(t.Context()) })
	}
	time.Sleep(50 * time.Millisecond)
	start := time.Now()
	if err := pool.Close(); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("stopping took %v", took)
	}
	for _, d := range devices {
		d.Close()
	}
	s.CloseClients()
	for end := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before+2; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
	if _, err := pool.Device(district.Device{ID: "x", Address: s.URL()}, p); !errors.Is(err, drivers.ErrClosed) {
		t.Errorf("Device of a closed pool: %v, want ErrClosed", err)
	}
}

// TestLimitsAreChecked: what does not fit a request is refused without asking the device.
func TestLimitsAreChecked(t *testing.T) {
	s := modbustest.New(t)
	l := newLink(t, s.URL(), quick)
	ctx := t.Context()
	for _, tt := range []struct {
		table             profile.Table
		address, quantity uint16
		ok                bool
	}{
		{profile.Holding, 0, 125, true}, {profile.Holding, 0, 126, false}, {profile.Holding, 0, 0, false}, {profile.Input, 65535, 1, true},
		{profile.Input, 65535, 2, false}, {profile.Holding, 65411, 125, true}, {profile.Holding, 65412, 125, false}, {profile.Coil, 0, 2000, true}, {profile.Coil, 0, 2001, false},
	} {
		if _, err := l.Read(ctx, 1, tt.table, tt.address, tt.quantity); (err == nil) != tt.ok {
			t.Errorf("read %s %d+%d: %v, want ok %v", tt.table, tt.address, tt.quantity, err, tt.ok)
		}
	}
	for _, tt := range []struct {
		function uint8
		address  uint16
		n        int
		ok       bool
	}{
		{16, 0, 123, true}, {16, 0, 124, false}, {16, 0, 0, false}, {16, 0, 32769, false}, {6, 65535, 1, true}, {6, 0, 2, false}, {16, 65535, 2, false}, {99, 0, 1, false},
	} {
		if err := l.Write(ctx, 1, tt.function, tt.address, make([]uint16, tt.n)); (err == nil) != tt.ok {
			t.Errorf("write %d at %d+%d: %v, want ok %v", tt.function, tt.address, tt.n, err, tt.ok)
		}
	}
	for _, r := range s.Requests() {
		if len(r.PDU) > 253 {
			t.Errorf("a request of %d bytes was sent", len(r.PDU))
		}
	}
	if err := check(t, l, 255, 1); err != nil {
		t.Errorf("unit 255: %v", err)
	}
	if err := check(t, l, 0, 1); err != nil {
		t.Errorf("unit 0: %v", err)
	}
}

// TestFloodIsQuiet: answers with foreign transaction ids end with the time-out, or before, and write nothing to the process's output, whoever frames.
func TestFloodIsQuiet(t *testing.T) {
	stdout := os.Stdout
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout = w
	defer func() { os.Stdout = stdout }()
	var out bytes.Buffer
	done := make(chan struct{})
	go func() { io.Copy(&out, r); close(done) }()
	for _, s := range []*modbustest.Server{modbustest.New(t), modbustest.NewUDP(t)} {
		s.Behave(modbustest.WrongTransaction(20_000))
		l := newLink(t, s.URL(), quick)
		if err := check(t, l, 1, 5); !errors.Is(err, drivers.ErrUnreachable) && !errors.Is(err, drivers.ErrGarbage) {
			t.Errorf("%v, want ErrUnreachable or ErrGarbage", err)
		}
		l.Close()
	}
	w.Close()
	<-done
	if out.Len() > 0 {
		t.Errorf("the library wrote %d bytes to the output: %.200s", out.Len(), out.String())
	}
}

// TestAddresses: only what the library is used for is accepted.
func TestAddresses(t *testing.T) {
	for _, a := range []string{"", "10.0.0.1:502", "http://x:1", "tcp://", "rtu://ttyUSB0", "udp://x"} {
		if l, err := NewLink(a, Config{}); err == nil {
			l.Close()
			t.Errorf("NewLink(%q) succeeded", a)
		}
	}
}

// TestRefusedConnection: an address at which nothing listens is unreachable at once and is tried again after a pause.
func TestRefusedConnection(t *testing.T) {
	l0, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l0.Addr().String()
	l0.Close()
	l := newLink(t, "tcp://"+address, quick)
	for range 10 {
		if err := check(t, l, 1, 1); !errors.Is(err, drivers.ErrUnreachable) {
			t.Errorf("%v, want ErrUnreachable", err)
		}
	}
	if st := l.Stats(); st.Refused == 0 {
		t.Errorf("stats %+v: every read tried to connect", st)
	}
}
