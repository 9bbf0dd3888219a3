// Package modbustest is a Modbus device that misbehaves on purpose, for tests of drivers: it answers late, in pieces, with the wrong transaction, unit
// or length, with exceptions, with garbage or not at all.
//
// A [Server] that behaves answers each register with its own [Value], so that a value which reached the wrong reader is seen at once.
package modbustest

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// Value is what a register holds: a mix of its unit and address that no other register near it has.
func Value(unit uint8, address uint16) uint16 { return uint16(unit)<<11 ^ address*7 + 1 }

// Request is one request as it arrived.
type Request struct {
	Header [7]byte // MBAP; with RTU framing only the unit, last
	PDU    []byte
	Time   time.Time
}

// Unit is the unit asked.
func (r Request) Unit() uint8 { return r.Header[6] }

// Address and Quantity of a read.
func (r Request) Address() uint16  { return binary.BigEndian.Uint16(r.PDU[1:]) }
func (r Request) Quantity() uint16 { return binary.BigEndian.Uint16(r.PDU[3:]) }

// Behaviour answers a request on its connection; it returns false to close the connection.
type Behaviour func(s *Server, c net.Conn, r Request) bool

// Server is the device. Its methods may be called from several goroutines.
type Server struct {
	url string
	rtu bool

	mu        sync.Mutex
	behaviour Behaviour
	requests  []Request
	conns     map[net.Conn]bool
	newest    net.Conn
	accepted  int
	pending   sync.WaitGroup
}

func newServer(url string, rtu bool) *Server {
	return &Server{url: url, rtu: rtu, behaviour: Good, conns: map[net.Conn]bool{}}
}

// New starts a device with Modbus TCP framing that behaves; it ends with the test.
func New(t testing.TB) *Server { return start(t, "tcp", false, nil) }

// NewRTU starts one with RTU framing over TCP.
func NewRTU(t testing.TB) *Server { return start(t, "rtuovertcp", true, nil) }

// NewTLS starts one with Modbus TCP framing behind TLS.
func NewTLS(t testing.TB, config *tls.Config) *Server { return start(t, "modbus+tls", false, config) }

func start(t testing.TB, scheme string, rtu bool, config *tls.Config) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(scheme+"://"+l.Addr().String(), rtu)
	s.pending.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			if config != nil {
				c = tls.Server(c, config)
			}
			s.take(c)
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.CloseClients()
		s.pending.Wait()
	})
	return s
}

// take serves one more connection.
func (s *Server) take(c net.Conn) {
	s.mu.Lock()
	s.accepted++
	s.conns[c] = true
	s.newest = c
	s.mu.Unlock()
	s.pending.Go(func() { s.serve(c) })
}

// NewUDP starts one with Modbus TCP framing in datagrams. It takes no connections: behaviours that close one are silent.
func NewUDP(t testing.TB) *Server {
	t.Helper()
	p, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := newServer("udp://"+p.LocalAddr().String(), false)
	s.pending.Go(func() {
		b := make([]byte, 1500)
		for {
			n, from, err := p.ReadFrom(b)
			if err != nil {
				return
			}
			if r, err := s.read(bytes.NewReader(b[:n])); err == nil {
				s.answer(datagrams{p, from}, r)
			}
		}
	})
	t.Cleanup(func() {
		p.Close()
		s.pending.Wait()
	})
	return s
}

// datagrams is the way back to the sender of a request.
type datagrams struct {
	net.PacketConn
	to net.Addr
}

func (d datagrams) Read([]byte) (int, error)    { return 0, io.EOF }
func (d datagrams) Write(b []byte) (int, error) { return d.WriteTo(b, d.to) }
func (d datagrams) RemoteAddr() net.Addr        { return d.to }

// URL is the device's address for a configuration.
func (s *Server) URL() string { return s.url }

// Behave changes how requests are answered from now on.
func (s *Server) Behave(b Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.behaviour = b
}

// Requests returns what was asked so far.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Request(nil), s.requests...)
}

// Accepted counts connections.
func (s *Server) Accepted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// Say sends bytes on the newest connection, as a gateway does with what its line says, whoever asked.
func (s *Server) Say(b []byte) {
	s.mu.Lock()
	c := s.newest
	s.mu.Unlock()
	c.Write(b)
}

// CloseClients closes every connection, as a device does with idle ones.
func (s *Server) CloseClients() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

func (s *Server) serve(c net.Conn) {
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	for {
		r, err := s.read(c)
		if err != nil || !s.answer(c, r) {
			return
		}
	}
}

func (s *Server) answer(c net.Conn, r Request) bool {
	s.mu.Lock()
	s.requests = append(s.requests, r)
	b := s.behaviour
	s.mu.Unlock()
	return b(s, c, r)
}

// read takes one request off the connection.
func (s *Server) read(c io.Reader) (r Request, err error) {
	if !s.rtu {
		if _, err = io.ReadFull(c, r.Header[:]); err != nil {
			return r, err
		}
		r.PDU = make([]byte, max(0, int(binary.BigEndian.Uint16(r.Header[4:]))-1))
		_, err = io.ReadFull(c, r.PDU)
		r.Time = time.Now()
		return r, err
	}
	b := make([]byte, 7, 262)
	if _, err = io.ReadFull(c, b); err != nil {
		return r, err
	}
	rest := 1 // of the checksum
	if b[1] == 15 || b[1] == 16 {
		rest = int(b[6]) + 2
	}
	b = b[:7+rest]
	if _, err = io.ReadFull(c, b[7:]); err != nil {
		return r, err
	}
	r.Header[6], r.PDU, r.Time = b[0], b[1:len(b)-2], time.Now()
	return r, nil
}

// Frame wraps a response PDU as the server's framing wants it.
func (s *Server) Frame(r Request, pdu []byte) []byte {
	if s.rtu {
		f := append([]byte{r.Unit()}, pdu...)
		return binary.LittleEndian.AppendUint16(f, crc16(f))
	}
	f := make([]byte, 7, 7+len(pdu))
	copy(f, r.Header[:])
	binary.BigEndian.PutUint16(f[4:], uint16(len(pdu)+1))
	return append(f, pdu...)
}

func crc16(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, x := range b {
		crc ^= uint16(x)
		for range 8 {
			odd := crc&1 != 0
			crc >>= 1
			if odd {
				crc ^= 0xA001
			}
		}
	}
	return crc
}

// Answer is the right response PDU to a request.
func Answer(r Request) []byte {
	switch fn := r.PDU[0]; fn {
	case 3, 4:
		out := []byte{fn, byte(2 * r.Quantity())}
		for i := range r.Quantity() {
			out = binary.BigEndian.AppendUint16(out, Value(r.Unit(), r.Address()+i))
		}
		return out
	case 1, 2:
		n := (r.Quantity() + 7) / 8
		return append([]byte{fn, byte(n)}, make([]byte, n)...)
	default:
		return r.PDU[:5]
	}
}

func send(c net.Conn, b []byte) bool {
	_, err := c.Write(b)
	return err == nil
}

// Good answers at once.
func Good(s *Server, c net.Conn, r Request) bool { return send(c, s.Frame(r, Answer(r))) }

// Silence never answers.
func Silence(*Server, net.Conn, Request) bool { return true }

// Close closes the connection without an answer.
func Close(*Server, net.Conn, Request) bool { return false }

// Late answers rightly after a delay.
func Late(d time.Duration) Behaviour {
	return func(s *Server, c net.Conn, r Request) bool {
		s.pending.Go(func() {
			time.Sleep(d)
			send(c, s.Frame(r, Answer(r)))
		})
		return true
	}
}

// Torn sends the first n bytes of the answer at once and the rest after a delay.
func Torn(n int, d time.Duration) Behaviour {
	return func(s *Server, c net.Conn, r Request) bool {
		f := s.Frame(r, Answer(r))
		n := min(n, len(f))
		send(c, f[:n])
		s.pending.Go(func() {
			time.Sleep(d)
			send(c, f[n:])
		})
		return true
	}
}

// CraftedTail sends half an answer, and later a rest that looks like the answer to the next request, with the value 0xBEEF.
func CraftedTail(d time.Duration) Behaviour {
	return func(s *Server, c net.Conn, r Request) bool {
		send(c, s.Frame(r, Answer(r))[:8])
		next := r
		binary.BigEndian.PutUint16(next.Header[:], binary.BigEndian.Uint16(r.Header[:])+1)
		tail := s.Frame(next, []byte{r.PDU[0], 2, 0xBE, 0xEF})
		s.pending.Go(func() {
			time.Sleep(d)
			send(c, append([]byte{}, tail...))
		})
		return true
	}
}

// CloseMidFrame sends n bytes of the answer and closes the connection.
func CloseMidFrame(n int) Behaviour {
	return func(s *Server, c net.Conn, r Request) bool {
		f := s.Frame(r, Answer(r))
		send(c, f[:min(n, len(f))])
		return false
	}
}

// WrongTransaction answers n times with foreign transaction ids and never with the right one.
func WrongTransaction(n int) Behaviour {
	return func(s *Server, c net.Conn, r Request) bool {
		foreign := r
		binary.BigEndian.PutUint16(foreign.Header[:], binary.BigEndian.Uint16(r.Header[:])+1000)
		f := s.Frame(foreign, Answer(r))
		for range n {
			if !send(c, f) {
				return false
			}
		}
		return true
	}
}

// NoTransaction answers with transaction id 0 whatever was asked.
func NoTransaction(s *Server, c net.Conn, r Request) bool {
	answer := Answer(r)
	r.Header[0], r.Header[1] = 0, 0
	return send(c, s.Frame(r, answer))
}

// WrongUnit answers in the name of another unit.
func WrongUnit(unit uint8) Behaviour {
	return func(s *Server, c net.Conn, r Request) bool {
		answer := Answer(r)
		r.Header[6] = unit
		return send(c, s.Frame(r, answer))
	}
}

// Exception answers with an exception code.
func Exception(code byte) Behaviour {
	return func(s *Server, c net.Conn, r Request) bool {
		return send(c, s.Frame(r, []byte{r.PDU[0] | 0x80, code}))
	}
}

// PDU answers with the given response, rightly framed.
func PDU(pdu ...byte) Behaviour {
	return func(s *Server, c net.Conn, r Request) bool { return send(c, s.Frame(r, pdu)) }
}

// Raw answers with bytes as they are.
func Raw(b ...byte) Behaviour {
	return func(_ *Server, c net.Conn, _ Request) bool { return send(c, b) }
}

// WrongLength answers with an MBAP header that claims a length.
func WrongLength(n uint16) Behaviour {
	return func(s *Server, c net.Conn, r Request) bool {
		f := s.Frame(r, Answer(r))
		binary.BigEndian.PutUint16(f[4:], n)
		return send(c, f)
	}
}

// ForUnit behaves one way for a unit and another for the rest.
func ForUnit(unit uint8, that, rest Behaviour) Behaviour {
	return func(s *Server, c net.Conn, r Request) bool {
		if r.Unit() == unit {
			return that(s, c, r)
		}
		return rest(s, c, r)
	}
}
