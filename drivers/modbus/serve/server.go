package serve

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
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

// Config of a server; the zero value serves.
type Config struct {
	MaxClients  int           // further connections are closed at once; 0: 64
	IdleTimeout time.Duration // a client without a request for so long is dropped; 0: 2 min
	Silent      bool          // an unknown unit gets no answer, in place of exception 11
	Log         *slog.Logger  // nil: no log
}

// Stats are the totals of a server since its start.
type Stats struct {
	Clients    int64 // now
	Accepted   uint64
	Refused    uint64 // connections above MaxClients
	Requests   uint64
	Exceptions uint64
	Broken     uint64 // connections closed for frames that are no Modbus
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
	conns map[net.Conn]struct{}

	accepted, refused, requests, exceptions, broken, panics atomic.Uint64
}

// Listen serves on a TCP address such as "127.0.0.1:0". Units are added with [Server.Handle]; [Server.Close] ends it.
func Listen(address string, config Config) (*Server, error) {
	if config.MaxClients <= 0 {
		config.MaxClients = 64
	}
	if config.IdleTimeout <= 0 {
		config.IdleTimeout = 2 * time.Minute
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("modbus server: %w", err)
	}
	s := &Server{config: config, listener: l, units: map[uint8]Bank{}, conns: map[net.Conn]struct{}{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.done.Add(1)
	go s.accept()
	return s, nil
}

// Addr is the address that the server listens on, host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// URL is the address in the form of a configuration, tcp://host:port.
func (s *Server) URL() string { return "tcp://" + s.Addr() }

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
	return Stats{Clients: clients, Accepted: s.accepted.Load(), Refused: s.refused.Load(), Requests: s.requests.Load(),
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
		if !s.admit(c) {
			s.refused.Add(1)
			c.Close()
			continue
		}
		s.accepted.Add(1)
		s.done.Add(1)
		go s.serve(c)
	}
}

func (s *Server) admit(c net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil || len(s.conns) >= s.config.MaxClients {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

func (s *Server) serve(c net.Conn) {
	defer s.done.Done()
	defer func() {
		c.Close()
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
	}()
	var header [7]byte
	var body [maxPDU]byte
	for {
		if c.SetDeadline(time.Now().Add(s.config.IdleTimeout)) != nil {
			return
		}
		if _, err := io.ReadFull(c, header[:]); err != nil {
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
		s.requests.Add(1)
		answer := s.answer(header[6], body[:n])
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

// answer returns the response to a request for a unit, nil for silence.
func (s *Server) answer(unit uint8, request []byte) (response []byte) {
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
