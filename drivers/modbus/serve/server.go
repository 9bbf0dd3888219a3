package serve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"quartier/drivers/profile"
)

// Exception is a Modbus exception code; as an error of a [Bank] it is what the client is told.
type Exception uint8

// The exception codes of the Modbus application protocol that a server answers.
const (
	IllegalFunction Exception = 1
	IllegalAddress  Exception = 2
	IllegalValue    Exception = 3
	DeviceFailure   Exception = 4
	DeviceBusy      Exception = 6
	NoPath          Exception = 10
	NoAnswer        Exception = 11
)

// Error names the code.
func (e Exception) Error() string { return fmt.Sprintf("modbus exception %d", uint8(e)) }

// Bank holds the registers of one unit. Read returns exactly quantity values, 0 or 1 each for coils and discrete inputs. An error that is no
// [Exception] becomes DeviceFailure. Both may be called from several goroutines; quantity and addresses are checked before.
type Bank interface {
	Read(table profile.Table, address, quantity uint16) ([]uint16, error)
	Write(table profile.Table, address uint16, values []uint16) error
}

// Authorizer is a [Bank] that wants to know who writes; its WriteFrom takes the place of Write.
type Authorizer interface {
	Bank
	WriteFrom(ctx context.Context, client Client, table profile.Table, address uint16, values []uint16) error
}

// Client is who asks.
type Client struct {
	Addr netip.AddrPort
	TLS  bool   // the certificate below was verified
	Name string // common name of the certificate's subject
	Role string // of the certificate, by Modbus/TCP Security
}

// roleOID is the certificate extension that holds a client's role (MODBUS/TCP Security Protocol Specification 2018-07-24, 8.4).
var roleOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 50316, 802, 1}

func clientOf(c net.Conn) Client {
	var out Client
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		out.Addr = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	t, ok := c.(*tls.Conn)
	if !ok {
		return out
	}
	if chains := t.ConnectionState().VerifiedChains; len(chains) > 0 {
		leaf := chains[0][0]
		out.TLS, out.Name, out.Role = true, leaf.Subject.CommonName, roleOf(leaf)
	}
	return out
}

func roleOf(cert *x509.Certificate) string {
	for _, e := range cert.Extensions {
		var role string
		if e.Id.Equal(roleOID) {
			if _, err := asn1.UnmarshalWithParams(e.Value, &role, "utf8"); err == nil {
				return role
			}
		}
	}
	return ""
}

// Config of a server; the zero value serves.
type Config struct {
	MaxClients    int           // places for connections; 0: 64
	MaxPerAddress int           // of them for one address; 0: all of them
	IdleTimeout   time.Duration // a client without a request for so long is dropped; 0: 2 min
	// MakeRoomAfter is how long a client must have been without a request before it gives its place to a newcomer; 0: 30 s. One that has never asked anything gives
	// it after a tenth of a second.
	MakeRoomAfter time.Duration
	FrameTimeout  time.Duration              // from the first to the last byte of a request, and of a TLS handshake; 0: 5 s
	Admit         func(addr netip.Addr) bool // whether an address may connect at all; nil: any
	TLS           *tls.Config                // Modbus/TCP Security; it should ask for client certificates. nil: plain TCP
	Silent        bool                       // an unknown unit gets no answer, in place of exception 11
	Log           *slog.Logger               // nil: no log
}

// Stats are the totals of a server since its start.
type Stats struct {
	Clients    int64 // now
	Accepted   uint64
	Refused    uint64 // connections for which there was no place, or that were not admitted
	Displaced  uint64 // silent connections that gave their place to others
	Requests   uint64
	Exceptions uint64
	Broken     uint64 // connections closed for frames that are no Modbus, or for failed handshakes
	Panics     uint64
}

// Server is a Modbus TCP server. Its methods may be called from several goroutines.
type Server struct {
	config   Config
	listener net.Listener
	ctx      context.Context
	cancel   context.CancelFunc
	done     sync.WaitGroup

	mu    sync.Mutex
	units map[uint8]Bank
	conns map[net.Conn]*place

	accepted, refused, displaced, requests, exceptions, broken, panics atomic.Uint64
}

// place is a connection in its place.
type place struct {
	addr  netip.Addr
	since time.Time
	asked atomic.Int64 // Unix nanoseconds of the last request, 0 before the first
}

// Listen serves on a TCP address such as "127.0.0.1:0". Units are added with [Server.Handle]; [Server.Close] ends it.
func Listen(address string, config Config) (*Server, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("modbus server: %w", err)
	}
	return Serve(l, config), nil
}

// Serve does the same for the connections of a listener, which the server closes.
func Serve(l net.Listener, config Config) *Server {
	if config.MaxClients <= 0 {
		config.MaxClients = 64
	}
	if config.MaxPerAddress <= 0 {
		config.MaxPerAddress = config.MaxClients
	}
	if config.IdleTimeout <= 0 {
		config.IdleTimeout = 2 * time.Minute
	}
	if config.MakeRoomAfter <= 0 {
		config.MakeRoomAfter = 30 * time.Second
	}
	if config.FrameTimeout <= 0 {
		config.FrameTimeout = 5 * time.Second
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{config: config, listener: l, units: map[uint8]Bank{}, conns: map[net.Conn]*place{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.done.Add(1)
	go s.accept()
	return s
}

// Addr is the address that the server listens on, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the address in the form of a configuration, tcp://host:port or tls://host:port.
func (s *Server) URL() string {
	if s.config.TLS != nil {
		return "tls://" + s.Addr()
	}
	return "tcp://" + s.Addr()
}

// Handle serves a unit from a bank, or no longer when bank is nil.
func (s *Server) Handle(unit uint8, bank Bank) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if bank == nil {
		delete(s.units, unit)
		return
	}
	s.units[unit] = bank
}

// Stats returns the present totals.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	clients := int64(len(s.conns))
	s.mu.Unlock()
	return Stats{Clients: clients, Accepted: s.accepted.Load(), Refused: s.refused.Load(), Displaced: s.displaced.Load(), Requests: s.requests.Load(),
		Exceptions: s.exceptions.Load(), Broken: s.broken.Load(), Panics: s.panics.Load()}
}

// Close drops every client and stops listening; it may be called twice.
func (s *Server) Close() error {
	s.cancel()
	err := s.listener.Close()
	s.DropClients()
	s.done.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// DropClients closes every present connection, as a restarted device does, and goes on listening.
func (s *Server) DropClients() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

func (s *Server) accept() {
	defer s.done.Done()
	for {
		c, err := s.listener.Accept()
		if err != nil {
			if s.ctx.Err() != nil || errors.Is(err, net.ErrClosed) {
				return
			}
			s.config.Log.Warn("modbus server cannot accept", "addr", s.Addr(), "error", err)
			select { // out of file descriptors, most likely: wait for some to be free again
			case <-s.ctx.Done():
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		addr := clientOf(c).Addr.Addr()
		p := &place{addr: addr, since: time.Now()}
		if s.config.Admit != nil && !s.config.Admit(addr) || !s.admit(c, p) {
			s.refused.Add(1)
			s.config.Log.Info("modbus client refused", "client", c.RemoteAddr())
			c.Close()
			continue
		}
		s.accepted.Add(1)
		s.done.Add(1)
		go s.serve(c, p)
	}
}

// admit gives a connection a place, that of a silent one when there is none.
func (s *Server) admit(c net.Conn, p *place) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return false
	}
	same := 0
	for _, o := range s.conns {
		if o.addr == p.addr {
			same++
		}
	}
	switch {
	case same >= s.config.MaxPerAddress:
		if !s.displace(func(o *place) bool { return o.addr == p.addr }) {
			return false
		}
	case len(s.conns) >= s.config.MaxClients:
		if !s.displace(func(*place) bool { return true }) {
			return false
		}
	}
	s.conns[c] = p
	return true
}

// displace closes the connection of those that has been silent for longest, one that has never asked anything first; mu is held.
func (s *Server) displace(those func(*place) bool) bool {
	now := time.Now()
	var victim net.Conn
	var worst time.Duration
	for c, p := range s.conns {
		if !those(p) {
			continue
		}
		asked := p.asked.Load()
		silent, patience := now.Sub(time.Unix(0, asked)), s.config.MakeRoomAfter
		if asked == 0 {
			silent, patience = now.Sub(p.since), 100*time.Millisecond
		}
		if silent < patience {
			continue
		}
		if asked == 0 {
			silent += 24 * time.Hour
		}
		if silent > worst {
			victim, worst = c, silent
		}
	}
	if victim == nil {
		return false
	}
	delete(s.conns, victim)
	s.displaced.Add(1)
	victim.Close()
	return true
}

func (s *Server) serve(raw net.Conn, p *place) {
	defer s.done.Done()
	defer func() {
		raw.Close()
		s.mu.Lock()
		delete(s.conns, raw)
		s.mu.Unlock()
	}()
	c := raw
	if s.config.TLS != nil {
		t := tls.Server(raw, s.config.TLS)
		raw.SetDeadline(time.Now().Add(s.config.FrameTimeout))
		if err := t.HandshakeContext(s.ctx); err != nil {
			s.broken.Add(1)
			s.config.Log.Info("modbus client refused", "client", raw.RemoteAddr(), "error", err)
			return
		}
		c = t
	}
	client := clientOf(c)
	var header [7]byte
	var body [maxPDU]byte
	for {
		if c.SetDeadline(time.Now().Add(s.config.IdleTimeout)) != nil {
			return
		}
		if _, err := io.ReadFull(c, header[:1]); err != nil {
			return
		}
		c.SetDeadline(time.Now().Add(s.config.FrameTimeout))
		if _, err := io.ReadFull(c, header[1:]); err != nil {
			return
		}
		n, err := pduLength(header)
		if err != nil {
			s.broken.Add(1)
			s.config.Log.Info("modbus client dropped", "client", c.RemoteAddr(), "error", err)
			return
		}
		if _, err := io.ReadFull(c, body[:n]); err != nil {
			return
		}
		p.asked.Store(time.Now().UnixNano())
		s.requests.Add(1)
		answer := s.answer(client, header[6], body[:n])
		if answer == nil {
			continue
		}
		out := make([]byte, 7, 7+len(answer))
		copy(out, header[:])
		binary.BigEndian.PutUint16(out[4:], uint16(len(answer)+1))
		if _, err := c.Write(append(out, answer...)); err != nil {
			return
		}
	}
}

// from makes a bank that knows who asks of one that wants to.
type from struct {
	Authorizer
	ctx    context.Context
	client Client
}

func (f from) Write(table profile.Table, address uint16, values []uint16) error {
	return f.WriteFrom(f.ctx, f.client, table, address, values)
}

// answer returns the response to a request for a unit, nil for silence.
func (s *Server) answer(client Client, unit uint8, request []byte) (response []byte) {
	s.mu.Lock()
	bank := s.units[unit]
	s.mu.Unlock()
	if bank == nil {
		if s.config.Silent {
			return nil
		}
		s.exceptions.Add(1)
		return exception(request[0], NoAnswer)
	}
	if a, ok := bank.(Authorizer); ok {
		bank = from{a, s.ctx, client}
	}
	defer func() {
		if r := recover(); r != nil {
			s.panics.Add(1)
			s.config.Log.Error("modbus bank panicked", "unit", unit, "function", request[0], "panic", r, "stack", string(debug.Stack()))
			response = exception(request[0], DeviceFailure)
		}
		if len(response) > 0 && response[0]&0x80 != 0 {
			s.exceptions.Add(1)
		}
	}()
	return respond(bank, request)
}
