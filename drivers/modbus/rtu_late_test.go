package modbus

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/drivers/modbus/modbustest"
)

// TestGatewayTellsLateOnRTU: what a gateway says in a name of its own while one unit owes an answer is not taken for the word about another, whose answers would be those of the request before from then on.
func TestGatewayTellsLateOnRTU(t *testing.T) {
	for name, late := range map[string][]byte{"255, no answer": sealed(255, 0x83, 11), "0, no answer": sealed(0, 0x83, 11), "0, no way": sealed(0, 0x80, 10), "255, failed": sealed(255, 0x83, 4)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := modbustest.NewRTU(t)
			s.Behave(modbustest.ForUnit(9, modbustest.Silence, func(s *modbustest.Server, c net.Conn, r modbustest.Request) bool {
				if r.Address() == 100 {
					s.Say(late)
					time.Sleep(20 * time.Millisecond)
				}
				return modbustest.Good(s, c, r)
			}))
			l := newLink(t, s.URL(), Config{Timeout: 2 * time.Second, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond, Silent: -1})
			if err := check(t, l, 9, 7); !errors.Is(err, drivers.ErrUnreachable) {
				t.Fatalf("silence: %v", err)
			}
			for i := range uint16(4) {
				if err := check(t, l, 1, 99+i); err != nil {
					t.Errorf("unit 1 at %d: %v", 99+i, err)
				}
			}
			if n := s.Accepted(); n != 1 {
				t.Errorf("%d connections, want 1", n)
			}
		})
	}
}

// TestLateAnswersOnNewConnectionOfRTU: a gateway may bring what a unit says too late on whatever connection is there. After a request without an answer a new connection asks nobody before another time-out has
// passed, whoever it was made for.
func TestLateAnswersOnNewConnectionOfRTU(t *testing.T) {
	const timeout = 300 * time.Millisecond
	for _, tt := range []struct {
		name  string
		asked []uint8
		bad   modbustest.Behaviour
		wait  time.Duration // of the last request without an answer until the next one on a new connection
	}{
		{"made for one, owed by two", []uint8{9, 7, 9}, modbustest.Silence, 2 * timeout},
		{"made after time-outs in a row", []uint8{7, 8, 9, 6}, modbustest.Silence, 2 * timeout},
		{"made after words", []uint8{1, 1}, modbustest.Raw([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")...), timeout},
		{"made after an answer to something else", []uint8{1, 2}, modbustest.PDU(3, 4, 0, 1, 0, 2), timeout},
		{"made after it was closed", []uint8{1, 2}, modbustest.Close, timeout},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := modbustest.NewRTU(t)
			l := newLink(t, s.URL(), Config{Timeout: timeout, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond, Silent: -1})
			recovers(t, l, 1)
			was := len(s.Requests())
			s.Behave(tt.bad)
			last := len(tt.asked) - 1
			for _, unit := range tt.asked[:last] {
				if err := check(t, l, unit, 5); err == nil {
					t.Errorf("unit %d answered", unit)
				}
			}
			s.Behave(modbustest.Good)
			recovers(t, l, tt.asked[last])
			asked := s.Requests()[was:]
			if len(asked) <= last || s.Accepted() < 2 {
				t.Fatalf("%d requests, %d connections", len(asked), s.Accepted())
			}
			for i := range asked[1:] {
				if took := asked[i+1].Time.Sub(asked[i].Time); i+1 == last && took < tt.wait {
					t.Errorf("asked %v after a request without an answer, want %v later", took, tt.wait)
				}
			}
		})
	}
}

// echoing answers behind an adapter that sends each request back first: at once, and in pieces.
func echoing(behind modbustest.Behaviour) modbustest.Behaviour {
	return func(s *modbustest.Server, c net.Conn, r modbustest.Request) bool {
		echo := sealed(append([]byte{r.Unit()}, r.PDU...)...)
		s.Say(echo[:6])
		time.Sleep(5 * time.Millisecond)
		s.Say(echo[6:])
		if r.Address()%2 == 0 {
			time.Sleep(5 * time.Millisecond)
		}
		return behind(s, c, r)
	}
}

// TestEchoOnRTU: behind an adapter that sends requests back, reads at every address are read, and a write is confirmed by the device alone.
func TestEchoOnRTU(t *testing.T) {
	s := modbustest.NewRTU(t)
	s.Behave(echoing(modbustest.Good))
	l := newLink(t, s.URL(), Config{Timeout: 5 * time.Second, MinBackoff: time.Millisecond, MaxBackoff: time.Millisecond, Silent: -1})
	writes := []struct {
		function uint8
		values   []uint16
	}{{5, []uint16{1}}, {6, []uint16{7}}, {15, []uint16{1, 0, 1}}, {16, []uint16{7, 8, 9}}}
	for _, address := range []uint16{5, 100, 101, 2816, 2817, 30775, 40000, 40001, 65535} {
		if err := check(t, l, 1, address); err != nil {
			t.Errorf("read at %d: %v", address, err)
		}
	}
	for _, w := range writes {
		if err := l.Write(t.Context(), 1, w.function, 40, w.values); err != nil {
			t.Errorf("function %d: %v", w.function, err)
		}
	}
	s.Behave(echoing(modbustest.Exception(3)))
	for _, w := range writes {
		if err := l.Write(t.Context(), 1, w.function, 40, w.values); !errors.Is(err, drivers.ErrRejected) {
			t.Errorf("function %d, refused: %v", w.function, err)
		}
	}
	if n := s.Accepted(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
	s.CloseClients()
	s.Behave(echoing(modbustest.Good))
	recovers(t, l, 1) // on a new connection, of which nothing else tells
	s.CloseClients()
	time.Sleep(50 * time.Millisecond) // the close arrives
	s.Behave(echoing(modbustest.Exception(3)))
	if err := l.Write(t.Context(), 1, 6, 40, []uint16{7}); !errors.Is(err, drivers.ErrRejected) {
		t.Errorf("refused, first on a connection: %v", err)
	}

	// Nothing was read before: an echo and what follows it at once are told all the same.
	s.Behave(func(s *modbustest.Server, _ net.Conn, r modbustest.Request) bool {
		s.Say(append(sealed(append([]byte{r.Unit()}, r.PDU...)...), sealed(r.Unit(), r.PDU[0]|0x80, 3)...))
		return true
	})
	first := newLink(t, s.URL(), Config{Timeout: 5 * time.Second})
	if err := first.Write(t.Context(), 1, 6, 40, []uint16{7}); !errors.Is(err, drivers.ErrRejected) {
		t.Errorf("refused, first of all: %v", err)
	}
}

// TestUnaskedOnRTU: an answer that comes twice is not taken for one to the next request, which is sent on a new connection, a write too; what another unit says unasked, and a connection that was closed
// meanwhile, cost nothing.
func TestUnaskedOnRTU(t *testing.T) {
	for name, dial := range map[string]func(context.Context, string) (net.Conn, error){
		"the machine's": nil,
		"a network of the caller's": func(ctx context.Context, address string) (net.Conn, error) {
			c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			return struct{ net.Conn }{c}, err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := modbustest.NewRTU(t)
			l := newLink(t, s.URL(), Config{Timeout: 5 * time.Second, Dial: dial})
			twice := func(unit uint8, part int) {
				t.Helper()
				if err := check(t, l, unit, 100); err != nil {
					t.Error(err)
				}
				r := modbustest.Request{PDU: []byte{3, 0, 100, 0, 1}}
				r.Header[6] = unit
				s.Say(s.Frame(r, modbustest.Answer(r))[:part])
			}
			want := func(what string, connections int, err error) {
				t.Helper()
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
				if n := s.Accepted(); n != connections {
					t.Errorf("%s: %d connections, want %d", what, n, connections)
				}
			}
			twice(1, 7)
			want("a read", 2, check(t, l, 1, 101))
			twice(1, 3)
			want("a read behind half of it", 3, check(t, l, 1, 102))
			twice(1, 7)
			want("a write", 4, l.Write(t.Context(), 1, 6, 40, []uint16{7}))
			twice(1, 7)
			want("another unit's read", 4, check(t, l, 2, 103))
			want("the unit's own", 4, check(t, l, 1, 104))
			for i := range 2 {
				s.CloseClients()
				time.Sleep(50 * time.Millisecond) // the close arrives
				want("after a close", 5+i, l.Write(t.Context(), 1, 6, 40, []uint16{7}))
				want("after a close", 5+i, check(t, l, 1, 105))
			}
			writes := map[string]int{}
			for _, r := range s.Requests() {
				if r.PDU[0] == 6 {
					writes[fmt.Sprintf("% x", r.PDU)]++
				}
			}
			if n := writes["06 00 28 00 07"]; n != 3 || l.Stats().Requests != uint64(len(s.Requests())) {
				t.Errorf("%d writes, want 3; %d requests came, %d counted", n, len(s.Requests()), l.Stats().Requests)
			}
		})
	}
}
