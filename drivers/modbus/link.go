package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"syscall"
	"time"

	mb "github.com/simonvetter/modbus"

	"quartier/drivers"
)

// Config of a link; the zero value of each field means its default.
type Config struct {
	Timeout    time.Duration    // of one request; 1 s
	Queue      int              // requests that may wait for one unit; 64
	MinBackoff time.Duration    // first pause after a failed connection or a silent unit; 250 ms
	MaxBackoff time.Duration    // longest pause; 30 s
	Silent     int              // time-outs in a row after which a unit counts as silent; 2
	Now        func() time.Time // stamps readings; time.Now
	Log        *slog.Logger     // nil: no log
}

func (c Config) withDefaults() Config {
	if c.Timeout <= 0 {
		c.Timeout = time.Second
	}
	if c.Queue <= 0 {
		c.Queue = 64
	}
	if c.MinBackoff <= 0 {
		c.MinBackoff = 250 * time.Millisecond
	}
	if c.MaxBackoff <= 0 {
		c.MaxBackoff = 30 * time.Second
	}
	if c.Silent <= 0 {
		c.Silent = 2
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Stats are the totals of a link since it was made.
type Stats struct {
	Connects   uint64 // connections that came about
	Requests   uint64 // sent to the device
	Timeouts   uint64
	Exceptions uint64
	Garbage    uint64 // answers that were no answer to the request
	Refused    uint64 // requests that failed at once because their unit or the address is silent
}

// request is one exchange; op runs on the owner with the unit selected.
type request struct {
	ctx    context.Context
	unit   uint8
	what   string
	write  bool
	op     func(*mb.ModbusClient) error
	result chan error
	pauses pauses
}

// pauses are what a device's profile wants between connecting and requests.
type pauses struct{ connect, between, timeout time.Duration }

// silence is the back-off of a unit, or of the whole address.
type silence struct {
	failures int
	until    time.Time
	cause    error
}

// Link is one connection to an address and the queue of requests to it. Its methods may be called from several goroutines.
type Link struct {
	address string
	config  Config
	closed  chan struct{} // closed by Close
	ended   chan struct{} // closed by the owner
	wake    chan struct{}

	mu     sync.Mutex
	queues map[uint8][]*request
	turn   []uint8 // units with waiting requests, next first
	silent map[uint8]*silence
	whole  silence // of the whole address
	epoch  uint64  // grows with each connection
	stats  Stats
	once   sync.Once

	// Of the owner alone.
	client  *mb.ModbusClient
	timeout time.Duration // of client, or of the last one
	fresh   bool          // no request was answered on this connection yet
	last    time.Time     // end of the last request
}

// CheckAddress returns an error for an address that is neither tcp://host:port, Modbus TCP, nor rtuovertcp://host:port, RTU frames through a plain serial gateway.
func CheckAddress(address string) error {
	scheme, rest, ok := strings.Cut(address, "://")
	host, port, err := net.SplitHostPort(strings.TrimSuffix(rest, "/"))
	if !ok || err != nil || host == "" || port == "" || scheme != "tcp" && scheme != "rtuovertcp" {
		return fmt.Errorf("modbus: address %q: want tcp://host:port or rtuovertcp://host:port", address)
	}
	return nil
}

// NewLink returns a link to tcp://host:port or rtuovertcp://host:port. It connects with the first request.
func NewLink(address string, config Config) (*Link, error) {
	address = strings.TrimSuffix(address, "/")
	if err := CheckAddress(address); err != nil {
		return nil, err
	}
	l := &Link{address: address, config: config.withDefaults(), closed: make(chan struct{}), ended: make(chan struct{}), wake: make(chan struct{}, 1),
		queues: map[uint8][]*request{}, silent: map[uint8]*silence{}}
	go l.own()
	return l, nil
}

// Stats returns the present totals.
func (l *Link) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// Epoch grows with each new connection; what was learned of a device before may no longer hold.
func (l *Link) Epoch() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.epoch
}

// Close ends the link. Waiting callers get drivers.ErrClosed at once; a request in flight is abandoned after at most 1.5 s. It may be called twice.
func (l *Link) Close() error {
	l.once.Do(func() { close(l.closed) })
	select {
	case <-l.ended:
	case <-time.After(1500 * time.Millisecond): // the library cannot be interrupted: the owner ends with its request
	}
	return nil
}

// do queues a request and waits for its result, the context or the end of the link.
func (l *Link) do(r *request) error {
	if err := r.ctx.Err(); err != nil {
		return l.wrap(r, fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(r.ctx)))
	}
	r.result = make(chan error, 1)
	if err := l.enqueue(r); err != nil {
		return l.wrap(r, err)
	}
	select {
	case err := <-r.result:
		return l.wrap(r, err)
	case <-r.ctx.Done():
		return l.wrap(r, fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(r.ctx)))
	case <-l.closed:
		return l.wrap(r, drivers.ErrClosed)
	}
}

func (l *Link) wrap(r *request, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("modbus %s unit %d: %s: %w", l.address, r.unit, r.what, err)
}

func (l *Link) enqueue(r *request) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.closed:
		return drivers.ErrClosed
	default:
	}
	if err := l.refuse(r.unit); err != nil {
		return err
	}
	q := l.queues[r.unit]
	if len(q) >= l.config.Queue {
		return fmt.Errorf("%w: %d requests wait already", drivers.ErrUnreachable, len(q))
	}
	if len(q) == 0 {
		l.turn = append(l.turn, r.unit)
	}
	l.queues[r.unit] = append(q, r)
	select {
	case l.wake <- struct{}{}:
	default:
	}
	return nil
}

// refuse fails a request at once while its unit, or the whole address, is in its pause. One request may pass when the pause is over.
func (l *Link) refuse(unit uint8) error {
	now := time.Now()
	for _, s := range []*silence{&l.whole, l.silent[unit]} {
		if s != nil && now.Before(s.until) {
			l.stats.Refused++
			return fmt.Errorf("%w: silent, asked again in %v: %w", drivers.ErrUnreachable, s.until.Sub(now).Round(10*time.Millisecond), s.cause)
		}
	}
	return nil
}

// next takes the first request of the unit whose turn it is, and sends the unit to the end of the row.
func (l *Link) next() *request {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.turn) > 0 {
		unit := l.turn[0]
		l.turn = l.turn[1:]
		q := l.queues[unit]
		r := q[0]
		if len(q) > 1 {
			l.queues[unit] = q[1:]
			l.turn = append(l.turn, unit)
		} else {
			delete(l.queues, unit)
		}
		if r.ctx.Err() != nil {
			continue // its caller has gone
		}
		if err := l.refuse(unit); err != nil {
			r.result <- err
			continue
		}
		return r
	}
	return nil
}

// own is the goroutine to which the connection belongs.
func (l *Link) own() {
	defer close(l.ended)
	defer l.drop()
	for {
		select {
		case <-l.closed:
			return
		case <-l.wake:
		}
		for r := l.next(); r != nil; r = l.next() {
			select {
			case <-l.closed:
				return
			default:
			}
			r.result <- l.serve(r)
		}
	}
}

// serve runs one request, connecting first if need be.
func (l *Link) serve(r *request) error {
	for attempt := 0; ; attempt++ {
		if err := l.open(r.pauses); err != nil {
			return err
		}
		if !l.pause(r.ctx, r.pauses.between-time.Since(l.last)) {
			return fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(r.ctx))
		}
		reused := !l.fresh
		err := l.call(r)
		l.last = time.Now()
		kind := classify(err)
		l.count(r.unit, kind, err)
		switch kind {
		case answered, exception, local:
			l.fresh = false
			return err
		case noUnit: // the gateway itself is well
			l.fresh = false
			return fmt.Errorf("%w: %w", drivers.ErrUnreachable, err)
		}
		// Whatever went wrong, an answer may still be on its way: never use this connection again.
		l.drop()
		if kind == broken && reused && !r.write && attempt == 0 {
			continue // the device had closed an idle connection
		}
		if kind == garbage {
			return fmt.Errorf("%w: %w", drivers.ErrGarbage, err)
		}
		return fmt.Errorf("%w: %w", drivers.ErrUnreachable, err)
	}
}

// call runs the library under recover: it panics when used at the wrong moment.
func (l *Link) call(r *request) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("modbus library: %v", p)
		}
	}()
	if err := l.client.SetUnitId(r.unit); err != nil {
		return err
	}
	return r.op(l.client)
}

// open makes sure of a connection with the wanted time-out.
func (l *Link) open(p pauses) error {
	// The library fixes the time-out of a connection when it is made: the longest that any device behind it wants holds for all.
	timeout := max(l.config.Timeout, p.timeout, l.timeout)
	if l.client != nil && timeout > l.timeout {
		l.drop()
	}
	if l.client != nil {
		return nil
	}
	conf := &mb.ClientConfiguration{URL: l.address, Timeout: timeout, Logger: log.New(io.Discard, "", 0)}
	if strings.HasPrefix(l.address, "rtuovertcp") {
		conf.Speed = 115200 // the library waits as a serial line of this speed would
	}
	client, err := mb.NewClient(conf)
	if err == nil {
		err = client.Open()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.fail(&l.whole, err)
		return fmt.Errorf("%w: %w", drivers.ErrUnreachable, err)
	}
	l.whole = silence{}
	l.stats.Connects++
	l.epoch++
	l.client, l.timeout, l.fresh, l.last = client, timeout, true, time.Now()
	if p.connect > p.between {
		l.last = l.last.Add(p.connect - p.between)
	}
	return nil
}

func (l *Link) drop() {
	if l.client == nil {
		return
	}
	l.client.Close()
	l.client = nil
}

// pause waits for d, or until ctx or the link ends.
func (l *Link) pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
	case <-l.closed:
	}
	return false
}

// outcome is what became of one request.
type outcome int

const (
	answered  outcome = iota
	exception         // the device said no
	local             // refused before it was sent
	timedOut
	noUnit  // a gateway says that the unit behind it did not answer
	broken  // the connection ended
	garbage // something else came back
)

func classify(err error) outcome {
	switch {
	case err == nil:
		return answered
	case errors.Is(err, drivers.ErrRejected):
		return exception
	case errors.Is(err, mb.ErrUnexpectedParameters), errors.Is(err, errLocal):
		return local
	case errors.Is(err, mb.ErrRequestTimedOut):
		return timedOut
	case errors.Is(err, mb.ErrGWTargetFailedToRespond):
		return noUnit
	case errors.Is(err, io.EOF), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNRESET):
		return broken
	case errors.Is(err, io.ErrUnexpectedEOF):
		return broken
	case errors.Is(err, mb.ErrProtocolError), errors.Is(err, mb.ErrBadUnitId), errors.Is(err, mb.ErrShortFrame), errors.Is(err, mb.ErrBadCRC),
		errors.Is(err, mb.ErrUnknownProtocolId), errors.Is(err, mb.ErrBadTransactionId):
		return garbage
	}
	return broken
}

// count keeps the totals and the back-off of the unit.
func (l *Link) count(unit uint8, kind outcome, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.stats.Requests++
	switch kind {
	case answered, exception, local:
		if kind == exception {
			l.stats.Exceptions++
		}
		delete(l.silent, unit)
	case timedOut, noUnit:
		l.stats.Timeouts++
		s := l.silent[unit]
		if s == nil {
			s = &silence{}
			l.silent[unit] = s
		}
		if s.failures+1 < l.config.Silent {
			s.failures++
			return
		}
		l.fail(s, err)
		if s.failures == l.config.Silent {
			l.config.Log.Warn("modbus unit is silent", "address", l.address, "unit", unit, "error", err)
		}
	case garbage:
		l.stats.Garbage++
	}
}

// fail lengthens a pause: doubled with each failure in a row, with jitter of a fifth, at most MaxBackoff.
func (l *Link) fail(s *silence, cause error) {
	s.failures++
	d := l.config.MinBackoff << min(s.failures-1, 16)
	d = min(d, l.config.MaxBackoff)
	d = time.Duration(float64(d) * (0.8 + 0.2*rand.Float64()))
	s.until, s.cause = time.Now().Add(d), cause
}
