package modbus

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus/modbustest"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

//go:embed testdata/exchanges.txt
var exchanges string

// captured yields the frames of a recorded conversation, answers or requests.
func captured(f *testing.F, direction string) (frames [][]byte) {
	f.Helper()
	for line := range strings.Lines(exchanges) {
		if text, ok := strings.CutPrefix(line, direction+" "); ok {
			b, err := hex.DecodeString(strings.TrimSpace(text))
			if err != nil {
				f.Fatal(err)
			}
			frames = append(frames, b)
		}
	}
	if len(frames) < 20 {
		f.Fatalf("%d frames", len(frames))
	}
	return frames
}

// FuzzFrame: of any bytes a frame is read or an error returned, never more than a frame's length is taken, and what is read stands there.
func FuzzFrame(f *testing.F) {
	for _, b := range append(captured(f, "<"), captured(f, ">")...) {
		f.Add(b)
		f.Add(b[:len(b)-1])
		f.Add(append(slices.Clone(b), b...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := bufio.NewReaderSize(bytes.NewReader(b), maxFrame)
		for at := 0; ; {
			got, err := readFrame(r, make([]byte, maxFrame))
			if err != nil {
				if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, errGarbage) {
					t.Errorf("error %v", err)
				}
				if errors.Is(err, io.EOF) && len(got.pdu) == 0 && at != len(b) && !got.begun {
					t.Errorf("the end at %d of %d bytes, and nothing begun", at, len(b))
				}
				return
			}
			if n := 7 + len(got.pdu); len(got.pdu) == 0 || n > maxFrame || at+n > len(b) || !bytes.Equal(got.pdu, b[at+7:at+n]) || got.unit != b[at+6] || got.transaction != binary.BigEndian.Uint16(b[at:]) {
				t.Fatalf("frame %+v at %d of % x", got, at, b)
			}
			at += 7 + len(got.pdu)
		}
	})
}

// FuzzAnswer: an answer is taken for the one to a request only when it is: its function, its length, and for a write its echo.
func FuzzAnswer(f *testing.F) {
	requests, answers := captured(f, ">"), captured(f, "<")
	for i, b := range answers {
		r := requests[min(i, len(requests)-1)]
		q := uint16(1)
		if len(r) >= 12 {
			q = binary.BigEndian.Uint16(r[10:])
		}
		f.Add(r[7], uint16(1), q, b[7:])
	}
	f.Add(uint8(3), uint16(0), uint16(125), append([]byte{3, 250}, make([]byte, 250)...))
	f.Fuzz(func(t *testing.T, function uint8, address, quantity uint16, pdu []byte) {
		x := exchange{unit: 1, function: function, address: address, quantity: quantity}
		switch function {
		case 1, 2, 3, 4:
			if quantity == 0 || quantity > 2000 || function > 2 && quantity > 125 {
				return
			}
		case 5, 6:
			x.quantity, x.values = 1, []uint16{quantity}
		case 15, 16:
			if quantity == 0 || int(quantity) > writeLimits[function] {
				return
			}
			x.values = make([]uint16, quantity)
		default:
			return
		}
		if sent := x.encode(nil); len(sent) > 253 || sent[0] != function || binary.BigEndian.Uint16(sent[1:]) != address {
			t.Fatalf("request % x", sent)
		}
		got, err := x.decode(pdu)
		switch _, no := errors.AsType[exceptionError](err); {
		case no:
			if len(pdu) != 2 || pdu[0] != function|0x80 {
				t.Errorf("% x is taken for an exception", pdu)
			}
		case err != nil:
			if !errors.Is(err, errGarbage) {
				t.Errorf("error %v", err)
			}
		case x.write():
			if len(pdu) != 5 || !bytes.Equal(pdu, x.encode(nil)[:5]) {
				t.Errorf("% x is taken for the echo of % x", pdu, x.encode(nil))
			}
		case len(got) != int(quantity) || pdu[0] != function || len(pdu) != 2+int(pdu[1]):
			t.Errorf("% x is taken for %d values", pdu, len(got))
		}
	})
}

// FuzzTransports: whatever bytes a device answers with, on each transport a read ends in time with its own register's value or an error, and the next one is well.
func FuzzTransports(f *testing.F) {
	for i, b := range captured(f, "<") {
		f.Add(uint8(i), b)
		f.Add(uint8(i), b[6:])
	}
	f.Add(uint8(1), []byte{1, 3, 2, 0, 1, 0, 0})
	f.Add(uint8(0), []byte{0, 2, 0, 0, 0, 5, 1, 3, 2, 0xBE, 0xEF})
	servers := []*modbustest.Server{modbustest.New(f), modbustest.NewRTU(f), modbustest.NewUDP(f), modbustest.NewSerial(f).Server, modbustest.New(f)}
	var mu sync.Mutex
	f.Fuzz(func(t *testing.T, which uint8, answer []byte) {
		mu.Lock() // one device of each transport is shared
		defer mu.Unlock()
		s := servers[int(which)%len(servers)]
		url := s.URL()
		if int(which)%len(servers) == 4 {
			url += "?answer_unit=any"
		}
		l := newLink(t, url, Config{Timeout: 30 * time.Millisecond, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond, Silent: -1})
		defer l.Close()
		s.Behave(func(s *modbustest.Server, c net.Conn, r modbustest.Request) bool {
			if len(answer) > 0 {
				c.Write(answer)
			}
			return true
		})
		begin := time.Now()
		got, err := l.Read(t.Context(), 1, profile.Holding, 5, 2)
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("the read took %v", took)
		}
		if err == nil && (len(got) != 2 || len(answer) < 9) {
			t.Errorf("% x was read as %04x", answer, got)
		}
		if err != nil && !errors.Is(err, drivers.ErrUnreachable) && !errors.Is(err, drivers.ErrGarbage) && !errors.Is(err, drivers.ErrRejected) {
			t.Errorf("error %v is of no kind", err)
		}
		s.Behave(modbustest.Good)
		if err == nil {
			return // the bytes were an answer; another one may follow them
		}
		recovers(t, l, 1)
	})
}

// scripted is a connection that answers every read with the next of some registers.
type scripted struct {
	registers []uint16
	reads     int
}

func (w *scripted) do(x exchange, _ time.Duration) ([]uint16, error) {
	if w.reads++; w.reads > 10_000 {
		return nil, errTimedOut
	}
	if x.write() {
		return nil, nil
	}
	out := make([]uint16, x.quantity)
	for i := range out {
		if len(w.registers) > 0 {
			out[i] = w.registers[(int(x.address)+i)%len(w.registers)]
		}
	}
	return out, nil
}

func (w *scripted) inStep() bool { return true }
func (w *scripted) close() error { return nil }

// FuzzRegisters: whatever a device's registers hold, each of its points is a finite number or bad, of the SunSpec chain no walk is without end, and no command
// is sent that is out of range.
func FuzzRegisters(f *testing.F) {
	names := profile.Names()
	for i := range names {
		f.Add(uint8(i), []byte{0x53, 0x75, 0x6E, 0x53, 0, 1, 0, 2, 0, 0, 0, 0, 0, 103, 0, 50})
		f.Add(uint8(i), bytes.Repeat([]byte{0x80, 0}, 20))
		f.Add(uint8(i), bytes.Repeat([]byte{0xFF}, 40))
		f.Add(uint8(i), []byte{0x7F, 0xC0, 0, 0, 0x7F, 0x80, 0, 0})
	}
	for i, b := range captured(f, "<") {
		f.Add(uint8(i), b[8:])
	}
	f.Fuzz(func(t *testing.T, which uint8, data []byte) {
		p := *profile.MustLoad(names[int(which)%len(names)])
		if p.Protocol != profile.Modbus {
			return
		}
		p.Limits.ConnectDelay, p.Limits.Delay = 0, 0
		w := &scripted{}
		for i := 0; i+1 < len(data) && i < 4000; i += 2 {
			w.registers = append(w.registers, binary.BigEndian.Uint16(data[i:]))
		}
		l := newLinkTo("tcp://line:502", endpoint{scheme: overTCP}, Config{Timeout: time.Second}.withDefaults())
		l.dial = func(context.Context, time.Duration) (wire, error) { return w, nil }
		defer l.Close()
		d := newDevice(l, district.Device{ID: "dev", Unit: 1}, &p, Config{}.withDefaults())
		readings, err := d.Read(t.Context())
		if err != nil && !errors.Is(err, drivers.ErrGarbage) {
			t.Errorf("Read: %v", err)
		}
		for _, r := range readings {
			if bad := r.Quality == district.Bad; bad != math.IsNaN(r.Value) || math.IsInf(r.Value, 0) {
				t.Errorf("%+v", r)
			}
		}
		if w.reads > 3*maxModels+len(p.Points)*3 {
			t.Errorf("%d requests for one read of %d points", w.reads, len(p.Points))
		}
	})
}
