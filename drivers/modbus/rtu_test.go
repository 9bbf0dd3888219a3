package modbus

import (
	"bytes"
	"encoding/binary"
	"errors"
	"net"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/profile"
)

// sealed appends the checksum of an RTU frame.
func sealed(b ...byte) []byte { return binary.LittleEndian.AppendUint16(b, crc16(b)) }

// TestCRC16 holds the checksum against published frames: the example of the specification's annex (Modbus over serial line V1.02, 6.2.2: bytes 02 07 give 41 12) and a request as meters' manuals print it.
func TestCRC16(t *testing.T) {
	for _, tt := range []struct {
		frame []byte
		want  []byte
	}{{[]byte{2, 7}, []byte{0x41, 0x12}}, {[]byte{1, 3, 0, 0, 0, 10}, []byte{0xC5, 0xCD}}} {
		if got := sealed(bytes.Clone(tt.frame)...)[len(tt.frame):]; !bytes.Equal(got, tt.want) {
			t.Errorf("checksum of % x is % x, want % x", tt.frame, got, tt.want)
		}
	}
}

// TestScanRTU: a frame is found whatever the line makes before it, in whatever pieces it comes, and nothing else is taken for one.
func TestScanRTU(t *testing.T) {
	x := exchange{unit: 1, function: 3, address: 5, quantity: 1}
	answer, late := sealed(1, 3, 2, 0x12, 0x34), sealed(9, 3, 4, 1, 2, 3, 4)
	echo := sealed(x.encode([]byte{1})...)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, tt := range []struct {
		name  string
		bytes []byte
		state rtuState
		unit  uint8
		end   int
	}{
		{"nothing", nil, rtuMore, 0, 0},
		{"an answer", answer, rtuFrame, 1, 7},
		{"all but its last byte", answer[:6], rtuMore, 0, 0},
		{"its first byte", answer[:1], rtuMore, 0, 0},
		{"bytes that begin nothing, and are fewer than any frame", []byte{0, 0, 0, 0}, rtuMore, 0, 0},
		{"a byte before it", join([]byte{0}, answer), rtuFrame, 1, 8},
		{"a byte before half of it", join([]byte{0}, answer[:4]), rtuMore, 0, 0},
		{"bytes before it that begin a long frame of another unit", join([]byte{7, 3}, answer), rtuFrame, 1, 9},
		{"the echo of the request before it", join(echo, answer), rtuFrame, 1, 15},
		{"an answer of another unit", late, rtuFrame, 9, 9},
		{"half of one", late[:5], rtuMore, 0, 0},
		{"that and ours", join(late, answer), rtuFrame, 9, 9},
		{"an exception", sealed(1, 0x83, 2), rtuFrame, 1, 5},
		{"a gateway's exception", sealed(1, 0x80, 11), rtuFrame, 1, 5},
		{"a wrong checksum", []byte{1, 3, 2, 0, 1, 0, 0}, rtuNone, 0, 0},
		{"words", []byte("HTTP/1.1 400 Bad Request\r\n\r\n"), rtuNone, 0, 0},
		{"longer than a frame can be", []byte{1, 3, 252, 0, 0}, rtuNone, 0, 0},
	} {
		f, state := scanRTU(tt.bytes, x)
		if state != tt.state || f.unit != tt.unit || f.end != tt.end {
			t.Errorf("%s: % x is %v of unit %d to %d, want %v of %d to %d", tt.name, tt.bytes, state, f.unit, f.end, tt.state, tt.unit, tt.end)
		}
	}
}

// FuzzRTU: what is taken for a frame is one, and a frame behind any bytes is found unless they hold one themselves.
func FuzzRTU(f *testing.F) {
	f.Add([]byte{0}, uint16(7))
	f.Add([]byte{1, 3, 2}, uint16(7))
	f.Add(sealed(9, 3, 2, 1, 2), uint16(7))
	f.Fuzz(func(t *testing.T, noise []byte, value uint16) {
		x := exchange{unit: 1, function: 3, quantity: 1}
		got, state := scanRTU(noise, x)
		if state == rtuFrame {
			n := got.end - len(got.pdu) - 3
			if n < 0 || got.end > len(noise) || !bytes.Equal(sealed(bytes.Clone(noise[n:got.end-2])...), noise[n:got.end]) || noise[n] != got.unit {
				t.Fatalf("frame %+v in % x", got, noise)
			}
			return
		}
		whole := append(bytes.Clone(noise), sealed(1, 3, 2, byte(value>>8), byte(value))...)
		for range 300 { // whatever the noise seems to begin ends some time
			if got, state = scanRTU(whole, x); state == rtuFrame {
				break
			}
			whole = append(whole, 0)
		}
		if state != rtuFrame {
			t.Fatalf("no frame in % x", whole)
		}
	})
}

// TestSilentUnitOnRTU: a unit behind a serial gateway that does not answer in time costs the others neither its late answer nor a new connection, nor a pause for it, and is itself asked on a connection
// on which it owes nothing.
func TestSilentUnitOnRTU(t *testing.T) {
	s := modbustest.NewRTU(t)
	l := newLink(t, s.URL(), Config{Timeout: 2 * time.Second, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond, Silent: -1})
	slow := pauses{timeout: 10 * time.Second}
	if _, err := l.read(t.Context(), 1, slow, profile.Holding, 5, 1); err != nil { // one that may take long, before
		t.Fatal(err)
	}
	var owed []byte // the answer that comes too late
	s.Behave(modbustest.ForUnit(9, func(s *modbustest.Server, _ net.Conn, r modbustest.Request) bool {
		owed = s.Frame(r, modbustest.Answer(r))
		return true
	}, modbustest.Good))
	begin := time.Now()
	if err := check(t, l, 9, 100); !errors.Is(err, drivers.ErrUnreachable) {
		t.Fatalf("a late answer: %v", err)
	}
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("a unit with 2 s to answer was waited for for %v: another's time", took)
	}
	s.Behave(func(s *modbustest.Server, c net.Conn, r modbustest.Request) bool {
		if r.Address() == 205 { // before another unit's
			s.Say(owed)
		}
		return modbustest.Good(s, c, r)
	})
	for i := range uint16(10) {
		if err := check(t, l, 1, 200+i); err != nil {
			t.Fatalf("another unit: %v", err)
		}
	}
	if n := s.Accepted(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	s.Behave(modbustest.Good)
	if err := check(t, l, 9, 300); err != nil {
		t.Errorf("the unit itself, after its answer came: %v", err)
	}
	if n := s.Accepted(); n != 1 {
		t.Errorf("%d connections for a unit that owes nothing any more, want 1", n)
	}
	s.Behave(modbustest.ForUnit(9, modbustest.Silence, modbustest.Good))
	if err := check(t, l, 9, 100); !errors.Is(err, drivers.ErrUnreachable) {
		t.Fatalf("silence: %v", err)
	}
	s.Behave(modbustest.Good)
	if err := check(t, l, 9, 300); err != nil {
		t.Errorf("the unit itself, after silence: %v", err)
	}
	if n := s.Accepted(); n != 2 {
		t.Errorf("%d connections for a unit that owed an answer, want 2", n)
	}
}

// TestNoiseOnRTU: bytes that a line makes before an answer when its direction turns, and an adapter's echo of the request, cost nothing; two answers to one request are one too many.
func TestNoiseOnRTU(t *testing.T) {
	before := func(noise func(r modbustest.Request) []byte) modbustest.Behaviour {
		return func(s *modbustest.Server, c net.Conn, r modbustest.Request) bool {
			return modbustest.Raw(append(noise(r), s.Frame(r, modbustest.Answer(r))...)...)(s, c, r)
		}
	}
	for name, behaviour := range map[string]modbustest.Behaviour{
		"a zero": before(func(modbustest.Request) []byte { return []byte{0} }),
		"zeros, a while": func(s *modbustest.Server, c net.Conn, r modbustest.Request) bool {
			c.Write([]byte{0, 0})
			time.Sleep(10 * time.Millisecond)
			return modbustest.Good(s, c, r)
		},
		"ones":     before(func(modbustest.Request) []byte { return []byte{0xFF, 0xFF} }),
		"its echo": before(func(r modbustest.Request) []byte { return sealed(append([]byte{r.Unit()}, r.PDU...)...) }),
	} {
		s := modbustest.NewRTU(t)
		s.Behave(behaviour)
		l := newLink(t, s.URL(), Config{Timeout: 20 * time.Second})
		for i := range uint16(10) {
			if err := check(t, l, 1, 100+i); err != nil {
				t.Errorf("behind %s: %v", name, err)
			}
		}
		if n := s.Accepted(); n != 1 {
			t.Errorf("behind %s: %d connections, want 1", name, n)
		}
	}
	s := modbustest.NewRTU(t)
	s.Behave(before(func(r modbustest.Request) []byte { return s.Frame(r, []byte{3, 2, 0xBE, 0xEF}) }))
	l := newLink(t, s.URL(), Config{Timeout: 20 * time.Second})
	if err := check(t, l, 1, 100); !errors.Is(err, drivers.ErrGarbage) {
		t.Errorf("two answers: %v, want ErrGarbage", err)
	}
}
