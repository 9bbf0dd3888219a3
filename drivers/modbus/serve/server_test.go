package serve

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"io"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"quartier/drivers/profile"
)

// patience is far above what any of these exchanges on loopback takes.
const patience = 10 * time.Second

func listen(t *testing.T, config Config) *Server {
	t.Helper()
	s, err := Listen("127.0.0.1:0", config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func dial(t *testing.T, s *Server) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// ask sends a request of hexadecimal bytes to a unit and returns the answer, header taken off.
func ask(t *testing.T, c net.Conn, unit byte, request string) string {
	t.Helper()
	body, err := hex.DecodeString(strings.ReplaceAll(request, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	frame := []byte{0x12, 0x34, 0, 0, 0, byte(len(body) + 1), unit}
	if _, err := c.Write(append(frame, body...)); err != nil {
		t.Fatal(err)
	}
	var header [7]byte
	if _, err := io.ReadFull(c, header[:]); err != nil {
		t.Fatalf("request %s: no answer: %v", request, err)
	}
	if !bytes.Equal(header[:4], frame[:4]) || header[6] != unit {
		t.Fatalf("request %s: answer header % x, want transaction 1234, protocol 0, unit %d", request, header, unit)
	}
	answer := make([]byte, int(binary.BigEndian.Uint16(header[4:]))-1)
	if _, err := io.ReadFull(c, answer); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(answer)
}

// memory is a bank in which every address exists.
type memory struct {
	mu     sync.Mutex
	values map[profile.Table]map[uint16]uint16
}

func newMemory() *memory {
	return &memory{values: map[profile.Table]map[uint16]uint16{profile.Coil: {}, profile.Discrete: {}, profile.Holding: {}, profile.Input: {}}}
}

func (m *memory) Read(t profile.Table, address, quantity uint16) ([]uint16, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]uint16, quantity)
	for i := range out {
		out[i] = m.values[t][address+uint16(i)]
	}
	return out, nil
}

func (m *memory) Write(t profile.Table, address uint16, values []uint16) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, v := range values {
		m.values[t][address+uint16(i)] = v
	}
	return nil
}

// TestRequests holds the answers against the frames of the Modbus application protocol specification V1.1b3, chapter 6.
func TestRequests(t *testing.T) {
	s := listen(t, Config{})
	bank := newMemory()
	bank.values[profile.Holding] = map[uint16]uint16{107: 0x022B, 109: 0x0064}
	bank.values[profile.Input] = map[uint16]uint16{8: 0x000A}
	for i, bit := range []uint16{1, 0, 1, 1, 0, 0, 1, 1, 1, 1} {
		bank.values[profile.Coil][uint16(i)] = bit
		bank.values[profile.Discrete][uint16(i)] = bit
	}
	s.Handle(1, bank)
	c := dial(t, s)
	for _, tt := range []struct{ name, request, want string }{
		{"holding registers", "03 006b 0003", "0306022b00000064"},
		{"input register", "04 0008 0001", "0402000a"},
		{"coils, last byte part filled", "01 0000 000a", "0102cd03"},
		{"discrete inputs", "02 0000 0008", "0201cd"},
		{"write a coil", "05 00ac ff00", "0500acff00"},
		{"read it back", "01 00ac 0001", "010101"},
		{"write a register", "06 0001 0003", "0600010003"},
		{"write two registers", "10 0001 0002 04 000a 0102", "1000010002"},
		{"read them back", "03 0001 0002", "0304000a0102"},
		{"write ten coils", "0f 0013 000a 02 cd01", "0f0013000a"},
		{"read the coils back", "01 0013 000a", "0102cd01"},
		{"last register", "03 ffff 0001", "03020000"},
		{"quantity 0 is a bad value", "03 0000 0000", "8303"},
		{"126 registers are too many", "03 0000 007e", "8303"},
		{"2001 coils are too many", "01 0000 07d1", "8103"},
		{"past the last address", "03 ffff 0002", "8302"},
		{"a coil is ff00 or 0000", "05 0000 0001", "8503"},
		{"byte count that differs from the quantity", "10 0001 0002 03 000a01", "9003"},
		{"half a request", "03 00", "8303"},
		{"write of nothing", "10 0001 0000 00", "9003"},
		{"unknown function 43", "2b 0e0100", "ab01"},
		{"unknown function 23", "17 00", "9701"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := ask(t, c, 1, tt.request); got != tt.want {
				t.Errorf("answer %s, want %s", got, tt.want)
			}
		})
	}
	if got := ask(t, c, 9, "03 0000 0001"); got != "830b" {
		t.Errorf("unknown unit: answer %s, want exception 11", got)
	}
	if got := ask(t, c, 1, "03 0000 007d"); len(got) != 2*(2+250) {
		t.Errorf("125 registers: %d bytes, want 252", len(got)/2)
	}
}

type panicking struct{}

func (panicking) Read(profile.Table, uint16, uint16) ([]uint16, error) { panic("a fault in the bank") }
func (panicking) Write(profile.Table, uint16, []uint16) error          { panic("a fault in the bank") }

// TestPanicIsAnException: a fault of a bank costs its request and nothing else.
func TestPanicIsAnException(t *testing.T) {
	s := listen(t, Config{Log: slog.New(slog.DiscardHandler)})
	s.Handle(1, panicking{})
	s.Handle(2, newMemory())
	c := dial(t, s)
	if got := ask(t, c, 1, "03 0000 0001"); got != "8304" {
		t.Errorf("answer %s, want exception 4", got)
	}
	if got := ask(t, c, 1, "06 0000 0001"); got != "8604" {
		t.Errorf("answer %s, want exception 4", got)
	}
	if got := ask(t, c, 2, "03 0000 0001"); got != "03020000" {
		t.Errorf("the other unit answers %s", got)
	}
	if st := s.Stats(); st.Panics != 2 || st.Requests != 3 {
		t.Errorf("stats %+v, want 2 panics, 3 requests", st)
	}
}

// TestManyClients: far more clients than the ten of other servers are served side by side; one above the limit is turned away.
func TestManyClients(t *testing.T) {
	s := listen(t, Config{MaxClients: 40})
	s.Handle(1, newMemory())
	var conns []net.Conn
	for range 40 {
		conns = append(conns, dial(t, s))
	}
	for _, c := range conns {
		if got := ask(t, c, 1, "04 0000 0001"); got != "04020000" {
			t.Fatalf("answer %s", got)
		}
	}
	extra := dial(t, s)
	if _, err := extra.Read(make([]byte, 1)); err == nil {
		t.Error("the 41st client of 40 was served")
	}
	conns[0].Close()
	deadline := time.Now().Add(patience)
	for s.Stats().Clients >= 40 && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if got := ask(t, dial(t, s), 1, "04 0000 0001"); got != "04020000" {
		t.Errorf("after one left: answer %s", got)
	}
}

// TestIdleConnectionsKeepNobodyOut: a thousand connections that say nothing, or a byte now and then, displace each other and no client that asks; the number of open
// connections stays bounded.
func TestIdleConnectionsKeepNobodyOut(t *testing.T) {
	s := listen(t, Config{MaxClients: 30, FrameTimeout: 500 * time.Millisecond})
	s.Handle(1, newMemory())
	client := dial(t, s)
	good := func(when string, c net.Conn) {
		t.Helper()
		if got := ask(t, c, 1, "04 0000 0001"); got != "04020000" {
			t.Fatalf("%s: answer %s", when, got)
		}
	}
	good("before", client)
	for i := range 1000 {
		c := dial(t, s)
		if i%2 == 0 {
			c.Write([]byte{0})
		}
		if i%100 == 0 {
			good("between", client)
		}
	}
	good("after", client)
	served := false
	for end := time.Now().Add(patience); !served && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		c := dial(t, s)
		c.Write([]byte{0, 1, 0, 0, 0, 6, 1, 4, 0, 0, 0, 1})
		_, err := io.ReadFull(c, make([]byte, 11))
		served = err == nil
	}
	if !served {
		t.Error("no newcomer is served beside a thousand idle connections")
	}
	if st := s.Stats(); st.Clients > 30 || st.Refused+st.Displaced < 900 {
		t.Errorf("stats %+v, want at most 30 clients", st)
	}
}

// TestSlowRequest: a client that takes too long over one request is dropped, long before an idle one.
func TestSlowRequest(t *testing.T) {
	s := listen(t, Config{FrameTimeout: 50 * time.Millisecond, IdleTimeout: time.Hour})
	c := dial(t, s)
	c.Write([]byte{0, 1, 0})
	if _, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read: %v, want EOF", err)
	}
}

// TestAdmit: an address that is not on the list gets no answer.
func TestAdmit(t *testing.T) {
	s := listen(t, Config{Admit: func(a netip.Addr) bool { return !a.IsLoopback() }})
	s.Handle(1, newMemory())
	if _, err := dial(t, s).Read(make([]byte, 1)); err == nil {
		t.Error("an address that is not admitted was served")
	}
}

// TestSilentUnit: a server told to be silent about unknown units answers the next request all the same.
func TestSilentUnit(t *testing.T) {
	s := listen(t, Config{Silent: true})
	s.Handle(1, newMemory())
	c := dial(t, s)
	if _, err := c.Write([]byte{0, 1, 0, 0, 0, 6, 7, 3, 0, 0, 0, 1}); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, c, 1, "03 0000 0001"); got != "03020000" {
		t.Errorf("answer %s", got)
	}
}

// TestIdleClientIsDropped: a connection without requests does not hold its place for ever.
func TestIdleClientIsDropped(t *testing.T) {
	s := listen(t, Config{IdleTimeout: 50 * time.Millisecond})
	c := dial(t, s)
	if _, err := c.Read(make([]byte, 1)); err == nil || err != io.EOF {
		t.Errorf("read: %v, want EOF", err)
	}
}

// TestBrokenFrames: what is no Modbus closes the connection and leaves the server in order.
func TestBrokenFrames(t *testing.T) {
	s := listen(t, Config{})
	s.Handle(1, newMemory())
	for _, frame := range []string{"00010000000001", "000100000104010300000001", "0001ffff0006010300000001", "474554202f20485454502f312e310d0a"} {
		c := dial(t, s)
		b, _ := hex.DecodeString(frame)
		c.Write(b)
		if _, err := c.Read(make([]byte, 1)); err == nil {
			t.Errorf("frame %s was answered", frame)
		}
	}
	if got := ask(t, dial(t, s), 1, "03 0000 0001"); got != "03020000" {
		t.Errorf("after broken frames: %s", got)
	}
}

// TestCloseTwice: Close ends every client and may be called again.
func TestCloseTwice(t *testing.T) {
	s := listen(t, Config{})
	c := dial(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("the client was not dropped")
	}
}

func mbpoll(t *testing.T, s *Server, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("mbpoll")
	if err != nil {
		t.Fatal("mbpoll, the independent Modbus client of this test, is not installed: run make setup")
	}
	_, port, _ := net.SplitHostPort(s.Addr())
	args = append([]string{"-m", "tcp", "-p", port, "-1", "-0", "-q", "-o", "5"}, args...)
	out, err := exec.CommandContext(t.Context(), path, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("mbpoll %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// TestForeignClient: mbpoll (libmodbus) reads and writes a rendered device.
func TestForeignClient(t *testing.T) {
	d, err := NewDevice(profile.MustLoad("abb-terra-ac"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := listen(t, Config{})
	s.Handle(3, d)
	if err := d.Set("power_kw", 7.36); err != nil {
		t.Fatal(err)
	}
	out := mbpoll(t, s, "-a", "3", "-t", "4", "-r", "16412", "-c", "2", "127.0.0.1")
	if !strings.Contains(out, "[16413]:") || !strings.Contains(out, "7360") {
		t.Errorf("mbpoll read %s, want 7360 W in register 16413", out)
	}
	mbpoll(t, s, "-a", "3", "-t", "4", "-r", "16640", "127.0.0.1", "0", "16000")
	if v, err := d.Value("limit_command_a"); err != nil || v != 16 {
		t.Errorf("limit %g A, %v, want 16 A", v, err)
	}
	if v, ok := d.Command(); !ok || v != 16 {
		t.Errorf("command %g A, %v, want 16 A", v, ok)
	}
	s.Handle(4, func() Bank { tb := &Table{}; tb.Set(profile.Input, 0, 1, 2, 65535); return tb }())
	out = mbpoll(t, s, "-a", "4", "-t", "3", "-r", "0", "-c", "3", "127.0.0.1")
	if !strings.Contains(out, "65535") {
		t.Errorf("mbpoll read %s, want 65535 in the third input register", out)
	}
}

// TestDeviceRefuses: a rendered device takes only what its profile allows, and a refused write changes nothing.
func TestDeviceRefuses(t *testing.T) {
	var writes []map[string]float64
	d, err := NewDevice(profile.MustLoad("sunspec-storage"), func(w map[string]float64) { writes = append(writes, w) })
	if err != nil {
		t.Fatal(err)
	}
	address, _, _, _ := d.Profile().Point("setpoint_kw").Locate(d.layout)
	power, _, _, _ := d.Profile().Point("power_kw").Locate(d.layout)
	for _, tt := range []struct {
		name    string
		address uint16
		values  []uint16
		want    error
	}{
		{"a read-only point", power, []uint16{1}, IllegalAddress},
		{"half a value", address, []uint16{1}, IllegalAddress},
		{"outside the range: 2 GW", address, []uint16{0x7FFF, 0}, IllegalValue},
		{"no such register", 9, []uint16{1}, IllegalAddress},
		{"5 kW of delivery", address, []uint16{0, 5000}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if err := d.Write(profile.Holding, tt.address, tt.values); err != tt.want {
				t.Errorf("Write = %v, want %v", err, tt.want)
			}
		})
	}
	if len(writes) != 1 || writes[0]["setpoint_kw"] != -5 {
		t.Errorf("writes %v, want one of setpoint_kw -5 kW", writes)
	}
	if v, err := d.Value("power_kw"); err == nil || !math.IsNaN(v) {
		t.Errorf("power before it was set: %g, %v, want not implemented", v, err)
	}
}

// TestSharedCode: points that are read from one code of the device do not undo each other.
func TestSharedCode(t *testing.T) {
	for _, name := range []string{"abb-terra-ac", "alfen-eve"} {
		d, err := NewDevice(profile.MustLoad(name), nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, state := range [][2]float64{{0, 0}, {1, 0}, {1, 1}, {1, 0}, {0, 0}, {1, 1}, {0, 0}} {
			if err := d.SetAll(map[string]float64{"connected": state[0], "charging": state[1]}); err != nil {
				t.Fatal(err)
			}
			connected, err1 := d.Value("connected")
			charging, err2 := d.Value("charging")
			if err1 != nil || err2 != nil || connected != state[0] || charging != state[1] {
				t.Errorf("%s: set %v, got connected %g charging %g (%v, %v)", name, state, connected, charging, err1, err2)
			}
		}
	}
}

// FuzzRespond: no request makes the parser panic or answer more than a frame holds, and every answer is of the request's function.
func FuzzRespond(f *testing.F) {
	for _, seed := range []string{"03006b0003", "0f0013000a02cd01", "10000100020400", "2b0e0100", "05", "1700"} {
		b, _ := hex.DecodeString(seed)
		f.Add(b)
	}
	frames, err := os.ReadFile("../../../testdata/frames/modbus.hex")
	if err != nil {
		f.Fatal(err)
	}
	for line := range strings.Lines(string(frames)) {
		if b, err := hex.DecodeString(strings.TrimSpace(line)); err != nil || len(b) < 8 {
			f.Fatalf("frame %q: %v", line, err)
		} else {
			f.Add(b[7:])
		}
	}
	f.Fuzz(func(t *testing.T, request []byte) {
		if len(request) == 0 || len(request) > maxPDU {
			return
		}
		out := respond(newMemory(), request)
		if len(out) < 2 || len(out) > maxPDU || out[0]&0x7F != request[0]&0x7F {
			t.Errorf("request %x: answer %x", request, out)
		}
	})
}
