package modbus

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"quartier/drivers"
)

// Stats are the totals of a link since it was made.
type Stats struct {
	Connects   uint64 // connections that came about
	Requests   uint64 // sent to the device
	Timeouts   uint64
	Exceptions uint64 // answers that said no
	Garbage    uint64 // answers that were no answer to the request
	Refused    uint64 // requests that failed at once because their unit or the address is silent
}

// request is one exchange that somebody waits for.
type request struct {
	exchange
	ctx    context.Context
	asked  *unit
	result chan result // holds one; nil while its caller serves it
	since  time.Time   // it waits
	pauses pauses
}

type result struct {
	values []uint16
	err    error
}

// pauses are what a device's profile wants between connecting and requests.
type pauses struct{ connect, between, timeout time.Duration }

// Link is one connection to an address and the queue of requests to it. Its methods may be called from several goroutines.
//
// One goroutine at a time owns the connection. A caller that finds nobody there owns it for its own request, if nothing stands between that and its answer but the device; else
// the owner is a goroutine that serves the queue until it is empty. So a link costs nothing while nobody asks, and a request that is alone no change of goroutines.
type Link struct {
	address  string
	endpoint endpoint
	config   Config
	life     context.Context // ends with Close
	end      context.CancelFunc
	ended    chan struct{} // closed by the last owner
	dial     func(ctx context.Context, timeout time.Duration) (wire, error)

	mu     sync.Mutex
	owned  bool
	gone   bool // ended is closed
	units  map[uint8]*unit
	turn   []*unit   // those with waiting requests, next first
	whole  silence   // of the whole address
	probed time.Time // the line was free again after a request without an answer
	epoch  uint64    // grows with each connection
	stats  Stats
	wire   wire // set by the owner alone

	// Of the owner alone, who takes them over with mu.
	timeout time.Duration // of a library's wire, or of the last one
	fresh   bool          // no request was answered on this connection yet
	unheard int           // requests in a row that were not answered on this connection
	last    time.Time     // end of the last request
	quiet   time.Time     // no connection before: a late answer may still come
	echoes  bool          // the adapter of the last connection with RTU frames sends requests back
}

// NewLink returns a link to an address in one of the forms of [CheckAddress]. It connects with the first request.
func NewLink(address string, config Config) (*Link, error) {
	e, err := parseAddress(address)
	if err != nil {
		return nil, err
	}
	l := newLinkTo(address, e, config.withDefaults())
	l.dial = func(ctx context.Context, timeout time.Duration) (wire, error) {
		return dial(ctx, e, l.config, timeout, time.Now())
	}
	return l, nil
}

func newLinkTo(address string, e endpoint, config Config) *Link {
	l := &Link{address: address, endpoint: e, config: config, ended: make(chan struct{}), units: map[uint8]*unit{}}
	l.life, l.end = context.WithCancel(context.Background())
	return l
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
	l.end()
	l.mu.Lock()
	if w, ok := l.wire.(network); ok {
		w.interrupt()
	}
	if !l.owned {
		l.leave()
	}
	l.mu.Unlock()
	select {
	case <-l.ended:
	case <-time.After(1500 * time.Millisecond): // the library cannot be interrupted: the owner ends with its request
	}
	return nil
}

// leave closes the connection of a link that has ended, with mu and nobody else owning it.
func (l *Link) leave() {
	if l.gone {
		return
	}
	l.gone = true
	if l.wire != nil {
		l.wire.close()
		l.wire = nil
	}
	close(l.ended)
}

// do serves a request, or queues it and waits for its result, the context or the end of the link.
func (l *Link) do(r *request) ([]uint16, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, l.wrap(r, fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(r.ctx)))
	}
	mine, err := l.enter(r)
	if err != nil {
		return nil, l.wrap(r, err)
	}
	if mine {
		if values, err, served := l.serveOwn(r); served {
			if l.life.Err() != nil && err != nil {
				err = drivers.ErrClosed
			}
			return values, l.wrap(r, err)
		}
	}
	select {
	case got := <-r.result:
		return got.values, l.wrap(r, got.err)
	case <-r.ctx.Done():
		return nil, l.wrap(r, fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(r.ctx)))
	case <-l.life.Done():
		return nil, l.wrap(r, drivers.ErrClosed)
	}
}

func (l *Link) wrap(r *request, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("modbus %s unit %d: %s: %w", l.address, r.unit, r.exchange, err)
}

// enter makes the caller the owner for its own request, or queues it and sees that there is an owner.
func (l *Link) enter(r *request) (mine bool, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.Err() != nil {
		return false, drivers.ErrClosed
	}
	r.since = time.Now()
	if r.asked = l.units[r.unit]; r.asked == nil {
		r.asked = &unit{id: r.unit}
		l.units[r.asked.id] = r.asked
	}
	if err := l.refuse(r.asked, r.since); err != nil {
		return false, err
	}
	if !l.owned {
		l.owned = true
		if l.ready(r) {
			return true, nil
		}
		defer func() { go l.own() }()
	}
	n := len(r.asked.waiting)
	if n >= l.config.Queue {
		return false, fmt.Errorf("%w: %d requests wait already", drivers.ErrUnreachable, n)
	}
	if n == 0 {
		l.turn = append(l.turn, r.asked)
	}
	r.result = make(chan result, 1)
	r.asked.waiting = append(r.asked.waiting, r)
	return false, nil
}

// ready reports whether a request could be sent at this moment, on a connection on which its caller can stop waiting for the answer.
func (l *Link) ready(r *request) bool {
	w, ok := l.wire.(network)
	return ok && r.since.Sub(l.last) >= r.pauses.between && !w.owes(r.unit)
}

// next takes the first request of the unit whose turn it is, and sends the unit to the end of the row. Without any the caller is the owner no more.
func (l *Link) next() *request {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.life.Err() != nil {
		l.leave()
		return nil
	}
	for len(l.turn) > 0 {
		at := l.choose()
		u := l.turn[at]
		l.turn = slices.Delete(l.turn, at, at+1)
		r := u.waiting[0]
		u.waiting = slices.Delete(u.waiting, 0, 1)
		if len(u.waiting) > 0 {
			l.turn = append(l.turn, u)
		}
		if r.ctx.Err() != nil {
			continue // its caller has gone
		}
		if err := l.refuse(u, time.Now()); err != nil {
			r.result <- result{err: err}
			continue
		}
		return r
	}
	l.owned = false
	return nil
}

// own serves the queue until it is empty or the link ends. What came back for a request is told when the next one is on its way: while the device works, not before.
func (l *Link) own() {
	var last *request
	var got result
	tell := func() {
		if last != nil {
			last.result <- got
			last = nil
		}
	}
	for r := l.next(); r != nil; r = l.next() {
		values, err := l.serve(r, false, tell)
		tell()
		last, got = r, result{values, err}
	}
	tell()
}

// yield ends the ownership of a caller who served its own request.
func (l *Link) yield() {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.life.Err() != nil:
		l.leave()
	case len(l.turn) > 0:
		go l.own()
	default:
		l.owned = false
	}
}

// serveOwn runs the request of the caller, who owns a connection that is ready. When served is false, the result comes by its channel.
func (l *Link) serveOwn(r *request) (values []uint16, err error, served bool) {
	w, begin, reused := l.wire.(network), r.since, !l.fresh
	if err = w.send(r.exchange, max(l.config.Timeout, r.pauses.timeout)); err == nil {
		var left bool
		if values, err, left = w.receiveFor(r.ctx, r.exchange); left {
			go func() { // an answer that nobody waits for says all the same whether the unit lives
				_, err := w.receive(r.exchange)
				l.settle(r, reused, begin, err)
				l.own()
			}()
			return nil, fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(r.ctx)), true
		}
	}
	err, again := l.settle(r, reused, begin, err)
	if again {
		r.result = make(chan result, 1)
		go func() {
			values, err := l.serve(r, true, func() {})
			r.result <- result{values, err}
			l.own()
		}()
		return nil, nil, false
	}
	l.yield()
	return values, err, true
}

// serve runs one request, connecting first if need be; again says that it was sent once before. It calls sent when the request is on its way, or when something else must be waited for.
func (l *Link) serve(r *request, again bool, sent func()) ([]uint16, error) {
	for begin := time.Now(); ; {
		if w, ok := l.wire.(network); !ok || w.owes(r.unit) || time.Since(l.last) < r.pauses.between {
			sent()
		}
		if err := l.open(r); err != nil {
			return nil, err
		}
		if !l.pause(r.ctx, r.pauses.between-time.Since(l.last)) {
			return nil, fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(r.ctx))
		}
		reused := !l.fresh
		values, err := l.exchange(r, sent)
		err, broken := l.settle(r, reused, begin, err)
		if !broken || again {
			return values, err
		}
		again = true
	}
}

// exchange sends a request and waits for its answer.
func (l *Link) exchange(r *request, sent func()) ([]uint16, error) {
	timeout := max(l.config.Timeout, r.pauses.timeout)
	w, ok := l.wire.(network)
	if !ok {
		return l.wire.(serialPort).do(r.exchange, timeout)
	}
	err := w.send(r.exchange, timeout)
	sent()
	if err != nil {
		return nil, err
	}
	return w.receive(r.exchange)
}

// settle draws the conclusions from what became of a request that held the line since begin, and gives its error the contract's kind. again says that it may be sent once more: the
// device had closed an idle connection.
func (l *Link) settle(r *request, reused bool, begin time.Time, err error) (out error, again bool) {
	l.last = time.Now()
	kind := classify(err)
	if kind != timedOut {
		l.unheard = 0
	} else {
		l.unheard++
	}
	if l.mayComeLate(kind, r.unit) {
		r.asked.late = l.last.Add(max(l.config.Timeout, r.pauses.timeout))
		if kind != broken && !l.wire.inStep() { // nobody is asked before it came
			l.quiet = l.last.Add(l.timeout)
		}
	}
	if kind == broken || kind == garbage || kind == timedOut && (!l.wire.inStep() || l.unheard >= mostUnheard) {
		l.drop() // an answer may still be on its way, or the stream is out of step: never use this connection again
	}
	l.count(r.asked, kind, reused, err, begin, maxTime(l.last, l.quiet))
	switch kind {
	case answered:
		l.fresh = false
		return nil, false
	case exception:
		l.fresh = false
		return fmt.Errorf("%w: %w", drivers.ErrRejected, err), false
	case noUnit: // the gateway itself is well
		l.fresh = false
		return fmt.Errorf("%w: %w", drivers.ErrUnreachable, err), false
	}
	if kind == garbage {
		return fmt.Errorf("%w: %w", drivers.ErrGarbage, err), false
	}
	return fmt.Errorf("%w: %w", drivers.ErrUnreachable, err), kind == broken && reused && (!r.write() || errors.Is(err, errUnsent)) && l.life.Err() == nil
}

// mayComeLate reports whether the answer to a request that had an outcome may still come, and nothing in it would tell.
func (l *Link) mayComeLate(kind outcome, unit uint8) bool {
	if kind == broken {
		w, ok := l.wire.(network)
		return ok && w.owes(unit)
	}
	return l.endpoint.rtu() && (kind == timedOut || kind == garbage)
}

// open makes sure of a connection for the time-out that the request wants.
func (l *Link) open(r *request) error {
	// The library fixes the time-out of a connection when it is made: the longest that any device behind it wants holds for all.
	timeout := max(l.config.Timeout, r.pauses.timeout, l.timeout)
	switch w := l.wire.(type) {
	case *library:
		if timeout > l.timeout {
			l.drop()
		}
	case network:
		if w.owes(r.unit) {
			l.drop()
		}
	}
	if l.wire != nil {
		return nil
	}
	if !l.pause(r.ctx, time.Until(maxTime(l.quiet, r.asked.late))) {
		return fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(r.ctx))
	}
	w, err := l.dial(l.life, timeout)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		if errors.Is(err, drivers.ErrConfiguration) {
			l.whole.failures = max(l.whole.failures, 16) // nothing changes until somebody changes it: no hurry
		}
		l.fail(&l.whole, err)
		return fmt.Errorf("%w: %w", drivers.ErrUnreachable, err)
	}
	if w, ok := w.(*rtuFramed); ok {
		w.echoes = l.echoes
	}
	l.stats.Connects++
	l.epoch++
	l.wire, l.timeout, l.fresh, l.unheard, l.last = w, timeout, true, 0, time.Now()
	if r.pauses.connect > r.pauses.between {
		l.last = l.last.Add(r.pauses.connect - r.pauses.between)
	}
	return nil
}

// mostUnheard is after how many time-outs in a row a connection is given up that could be kept: its other end may have gone without a word, which TCP finds out in a quarter
// of an hour.
const mostUnheard = 3

func (l *Link) drop() {
	if l.wire == nil {
		return
	}
	l.wire.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.quiet = maxTime(l.quiet, l.owedUntil())
	if w, ok := l.wire.(*rtuFramed); ok {
		l.echoes = w.echoes
	}
	l.wire = nil
}

// owedUntil is until when answers may come that units owe on the present connection, with mu. A gateway may bring them on the next one too.
func (l *Link) owedUntil() (until time.Time) {
	if w, ok := l.wire.(*rtuFramed); ok {
		for unit := range w.owing {
			until = maxTime(until, l.units[unit].late)
		}
	}
	return until
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
	case <-l.life.Done():
	}
	return false
}
