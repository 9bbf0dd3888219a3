package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua/ua"
	"golang.org/x/sync/semaphore"

	"quartier/drivers/opcua/pki"
)

// Bounds of what clients can make the server hold.
const (
	helloTimeout    = 5 * time.Second        // from accept to Hello
	sessionDeadline = 30 * time.Second       // from accept to an active session, and between two sessions
	idleGrace       = 500 * time.Millisecond // before a connection without a session must make room
	writeTimeout    = 5 * time.Second        // for one message
	chunkTimeout    = 10 * time.Second       // from the first to the last byte of a chunk

	maxChunk        = 64 << 10 // bytes of one chunk, both ways
	maxMessage      = 1 << 20  // bytes of a request
	maxPending      = 32 << 20 // bytes of unfinished requests of all connections
	maxChunks       = 64       // of a request
	maxReopens      = 10000    // renewals of one channel
	sessionsPerConn = 2
	maxLostSessions = 50    // kept for clients to come back to
	maxPerSession   = 10    // subscriptions
	maxItems        = 20000 // monitored items of a session
	maxAllItems     = 100000
	maxPublishQueue = 20    // waiting publish requests of a session
	maxContinuation = 32    // continuation points of a session
	maxBrowse       = 1000  // nodes per Browse
	maxReferences   = 20000 // references per Browse answer
	maxOperations   = 10000 // nodes per Read, items per call

	minInterval = 100 * time.Millisecond // publishing
	maxInterval = time.Hour
)

// Config says where and as whom the server listens.
type Config struct {
	// Addr is host:port, 127.0.0.1:0 when empty; port 0 takes a free one. Beyond loopback it needs an Identity, and no Unsecured.
	Addr string
	// Host is the name under which clients reach the server, in its endpoints; empty: that of Addr.
	Host string
	// Identity is the application's certificate and key; nil: there is no security policy but None.
	Identity *pki.Identity
	// Trust holds the applications that may open a secured channel, Users the certificates with which somebody may sign in; nil: none.
	Trust, Users *pki.Store
	// Unsecured offers security policy None as well, with anonymous users, on loopback only.
	Unsecured bool
	// Anonymous lets anonymous users read over secured channels. Over unsecured ones there are no others.
	Anonymous bool
	// Authenticate says who signs in; nil: nobody does.
	Authenticate func(ctx context.Context, l Login) (User, error)
	// Write takes the values that users write to writable variables, and answers with a status each; nil: nothing is writable.
	Write func(ctx context.Context, by Writer, values []Written) []ua.StatusCode
	// History reads the record of a variable; nil: there is none.
	History func(ctx context.Context, q HistoryQuery) ([]HistoryValue, error)
	// NamespaceURI is the namespace of the nodes that are added.
	NamespaceURI string
	// OtherNamespaces take the indices before it, from 2 on; for tests of clients that must not rely on an index.
	OtherNamespaces []string
	// Name is shown to clients as the application's name, "Quartier" when empty.
	Name string
	// MaxConnections is the largest number of open connections, 128 when 0.
	MaxConnections int
	// Now is the clock that the server shows and stamps answers with, the machine's when nil.
	Now func() time.Time
	// Log may be nil.
	Log *slog.Logger
}

// Server is an OPC UA server. Nodes may be added and values set at any time, from any goroutine.
type Server struct {
	cfg   Config
	log   *slog.Logger
	space *space
	start time.Time

	listening chan struct{}
	addr      string // valid once listening is closed

	mu       sync.Mutex
	conns    map[*conn]struct{}
	sessions map[string]*session // by authentication token
	estates  []*session          // ended, with subscriptions that a new session may take over; the oldest first
	closed   bool                // no more sessions
	wg       sync.WaitGroup

	transfers sync.Mutex // of subscriptions from session to session

	channelIDs, subscriptionIDs, itemIDs atomic.Uint32
	pending, items, queued               atomic.Int64
	working                              *semaphore.Weighted // requests decoded and answered at one time
	guard, gate                          *guard              // of sign-ins, and of channels
}

// New returns a server that does not listen yet; see [Server.Run].
func New(cfg Config) *Server {
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	if cfg.Identity == nil {
		cfg.Unsecured = true
	}
	if cfg.Name == "" {
		cfg.Name = "Quartier"
	}
	if cfg.MaxConnections <= 0 {
		cfg.MaxConnections = 128
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{
		cfg: cfg, log: cfg.Log, start: cfg.Now().UTC(), listening: make(chan struct{}),
		conns: make(map[*conn]struct{}), sessions: make(map[string]*session), working: semaphore.NewWeighted(8), guard: newGuard(freeFailures, longestWait), gate: newGuard(freeChannels, longestPause),
	}
	s.space = newSpace(s)
	return s
}

// ErrNotLoopback is returned for an address that others than this machine can reach where security policy None is offered.
var ErrNotLoopback = errors.New("not a loopback address")

// CheckAddr returns [ErrNotLoopback], wrapped, for an address beyond loopback, and an error for one that is no host:port.
func CheckAddr(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("opc ua listen address %q: %w", addr, err)
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("opc ua listen address %q: port is not 0 to 65535", addr)
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("opc ua listen address %q port %d: %w; without encryption it listens on 127.0.0.1 or ::1 only", addr, n, ErrNotLoopback)
	}
	return nil
}

// Run listens and serves until ctx ends or the listener fails, then closes every connection and waits for them. It returns nil after ctx.
// A server runs once.
func (s *Server) Run(ctx context.Context) error {
	if err := CheckAddr(s.cfg.Addr); err != nil && (s.cfg.Unsecured || !errors.Is(err, ErrNotLoopback)) {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return fmt.Errorf("opc ua server: %w", err)
	}
	s.addr = l.Addr().String()
	close(s.listening)
	s.log.Info("opc ua server listens", "addr", s.addr)

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		<-ctx.Done()
		l.Close()
	}()
	s.wg.Go(func() { s.watch(ctx) })
	for {
		c, err := l.Accept()
		if err != nil {
			if ctx.Err() == nil && temporary(err) {
				s.log.Warn("opc ua accept", "err", err)
				select {
				case <-ctx.Done():
				case <-time.After(50 * time.Millisecond):
				}
				continue
			}
			cancel()
			s.closeAll()
			s.wg.Wait()
			if errors.Is(err, net.ErrClosed) {
				return nil
			}
			return fmt.Errorf("opc ua server: accept: %w", err)
		}
		s.admit(ctx, c)
	}
}

// temporary reports whether accept can go on: the process is short of descriptors, or a peer left early.
func temporary(err error) bool { return !errors.Is(err, net.ErrClosed) }

// Addr returns host:port of the listener. It waits until [Server.Run] listens or ctx ends.
func (s *Server) Addr(ctx context.Context) (string, error) {
	select {
	case <-s.listening:
		return s.addr, nil
	case <-ctx.Done():
		return "", fmt.Errorf("opc ua server: waiting for the listener: %w", ctx.Err())
	}
}

// endpoint is the URL of the server, valid while it runs.
func (s *Server) endpoint() string {
	if s.cfg.Host != "" {
		if _, port, err := net.SplitHostPort(s.addr); err == nil {
			return "opc.tcp://" + net.JoinHostPort(s.cfg.Host, port)
		}
	}
	return "opc.tcp://" + s.addr
}

// admit starts a connection. When all places are taken it waits until the oldest connection without a session has had its grace, so that a
// burst of newcomers queues in the system's backlog instead of pushing each other out, and closes that one.
func (s *Server) admit(ctx context.Context, nc net.Conn) {
	c := newConn(s, nc)
	for !s.place(c) {
		victim, all := s.oldestIdle()
		switch {
		case all:
			nc.Close()
			s.log.Warn("opc ua connection refused, all places have active sessions", "connections", s.cfg.MaxConnections)
			return
		case victim == nil: // all are within their grace
			select {
			case <-ctx.Done():
				nc.Close()
				return
			case <-time.After(5 * time.Millisecond):
			}
		default:
			s.log.Warn("opc ua connection without a session makes room for another", "remote", victim.nc.RemoteAddr().String(), "connections", s.cfg.MaxConnections)
			victim.close()
			s.forget(victim)
		}
	}
	s.wg.Go(func() { c.serve(ctx) })
}

// place registers a connection if there is room.
func (s *Server) place(c *conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.conns) >= s.cfg.MaxConnections {
		return false
	}
	s.conns[c] = struct{}{}
	return true
}

// oldestIdle returns the connection that has been without a session for longest, nil when none has been for its grace; all is true when
// every connection has one.
func (s *Server) oldestIdle() (victim *conn, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all = true
	since := time.Now().Add(-idleGrace).UnixNano()
	for o := range s.conns {
		if !o.idle() {
			continue
		}
		all = false
		if at := o.idleSince.Load(); at < since {
			victim, since = o, at
		}
	}
	return victim, all
}

func (s *Server) forget(c *conn) {
	s.mu.Lock()
	delete(s.conns, c)
	s.mu.Unlock()
}

func (s *Server) closeAll() {
	s.mu.Lock()
	s.closed = true
	conns := make([]*conn, 0, len(s.conns))
	for c := range s.conns {
		conns = append(conns, c)
	}
	sessions := make([]*session, 0, len(s.sessions))
	for _, ses := range s.sessions {
		sessions = append(sessions, ses)
	}
	sessions = append(sessions, s.estates...)
	s.mu.Unlock()
	for _, c := range conns {
		c.close()
	}
	for _, ses := range sessions {
		s.endSession(ses)
	}
}

// watch ends sessions that have timed out and closes connections that have none.
func (s *Server) watch(ctx context.Context) {
	t := time.NewTicker(500 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-t.C:
			s.expire(now)
		}
	}
}

func (s *Server) expire(now time.Time) {
	s.mu.Lock()
	var dead []*session
	for _, ses := range s.sessions {
		if ses.expired(now) {
			dead = append(dead, ses)
		}
	}
	var silent []*conn
	for c := range s.conns {
		if c.idle() && now.UnixNano()-c.idleSince.Load() > int64(sessionDeadline) {
			silent = append(silent, c)
		}
	}
	s.mu.Unlock()
	for _, ses := range dead {
		s.log.Info("opc ua session timed out", "session", ses.name)
		s.bequeath(ses)
	}
	for _, c := range silent {
		c.close()
	}
	s.settle()
}

// Connections returns how many connections are open, for metrics.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}
