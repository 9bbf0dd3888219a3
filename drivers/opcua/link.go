package opcua

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"quartier/drivers"
)

// Stats are the totals of a link since it was made.
type Stats struct {
	Connects uint64 // sessions that came about
	Losses   uint64 // sessions that ended by themselves
	Requests uint64
	Timeouts uint64
	Dropped  uint64 // subscribed readings that a slow receiver did not take

	Overflows uint64 // times that the server told to have dropped values of a node, because its queue was full
}

func (s Stats) plus(o Stats) Stats {
	return Stats{s.Connects + o.Connects, s.Losses + o.Losses, s.Requests + o.Requests, s.Timeouts + o.Timeouts, s.Dropped + o.Dropped, s.Overflows + o.Overflows}
}

// Link is the supervised connection to one endpoint. Its methods may be called from several goroutines.
type Link struct {
	address string
	access  Access
	config  Config
	ctx     context.Context
	end     context.CancelCauseFunc
	ended   chan struct{} // closed by the supervisor
	wanted  chan struct{} // a first request came

	connects, losses, requests, timeouts, dropped, overflows atomic.Uint64

	mu      sync.Mutex
	session *session      // nil while there is none
	failure error         // of the last attempt; nil while none failed since the last session
	resting bool          // between two attempts
	changed chan struct{} // closed and replaced with each change of the above
}

// NewLink returns a link to opc.tcp://host:port. It connects with the first request.
func NewLink(address string, access Access, config Config) (*Link, error) {
	if err := access.Check(address, config); err != nil {
		return nil, err
	}
	l := &Link{address: address, access: access, config: config.withDefaults(), ended: make(chan struct{}), wanted: make(chan struct{}, 1), changed: make(chan struct{})}
	l.ctx, l.end = context.WithCancelCause(context.Background())
	go l.supervise()
	return l, nil
}

// Stats returns the present totals.
func (l *Link) Stats() Stats {
	return Stats{l.connects.Load(), l.losses.Load(), l.requests.Load(), l.timeouts.Load(), l.dropped.Load(), l.overflows.Load()}
}

// Connected reports whether there is a session.
func (l *Link) Connected() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.session != nil && l.session.ctx.Err() == nil
}

// Close ends the connection within 2 s. Requests under way return drivers.ErrClosed.
func (l *Link) Close() error {
	l.end(drivers.ErrClosed)
	select {
	case <-l.ended:
	case <-time.After(2 * time.Second):
	}
	return nil
}

func (l *Link) set(s *session, failure error, resting bool) {
	l.mu.Lock()
	l.session, l.failure, l.resting = s, failure, resting
	close(l.changed)
	l.changed = make(chan struct{})
	l.mu.Unlock()
}

// supervise connects, watches and connects again, until the link is closed.
func (l *Link) supervise() {
	defer close(l.ended)
	select {
	case <-l.wanted:
	case <-l.ctx.Done():
		return
	}
	failures := 0
	for l.ctx.Err() == nil {
		began := time.Now()
		s, err := connect(l)
		if err != nil {
			failures++
			if l.ctx.Err() == nil {
				log := l.config.Log.Debug
				if failures == 1 {
					log = l.config.Log.Warn
				}
				log("opc ua server not connected", "address", l.address, "attempt", failures, "err", err)
			}
			l.rest(err, failures)
			continue
		}
		l.connects.Add(1)
		l.config.Log.Info("opc ua server connected", "address", l.address, "attempts", failures+1)
		l.set(s, nil, false)
		s.watch()
		cause := context.Cause(s.ctx)
		l.set(nil, nil, false)
		s.discard(l.ctx.Err() != nil)
		if l.ctx.Err() != nil {
			return
		}
		l.losses.Add(1)
		l.config.Log.Warn("opc ua connection lost", "address", l.address, "after", time.Since(began).Round(time.Millisecond), "err", cause)
		if time.Since(began) > missedBeats*l.config.Heartbeat {
			failures = 0 // it stood
		}
		if failures > 0 { // the first new attempt is made at once
			l.rest(fmt.Errorf("connection lost: %w", cause), failures)
		}
		failures++
	}
}

// rest pauses before the next attempt; requests fail at once meanwhile.
func (l *Link) rest(err error, failures int) {
	l.set(nil, err, true)
	t := time.NewTimer(backoff(l.config.MinBackoff, l.config.MaxBackoff, failures))
	defer t.Stop()
	select {
	case <-l.ctx.Done():
	case <-t.C:
	}
	l.set(nil, err, false)
}

// backoff doubles from least to most and varies by half, so that clients of a restarted server do not come all at once.
func backoff(least, most time.Duration, failures int) time.Duration {
	d := least
	for i := 1; i < failures && d < most; i++ {
		d *= 2
	}
	d = min(d, most)
	return d/2 + rand.N(d/2+1)
}

// current returns the session. While the first attempt or one after a loss is under way it waits, at most for the time of a request; between
// failed attempts it fails at once.
func (l *Link) current(ctx context.Context) (*session, error) {
	select {
	case l.wanted <- struct{}{}:
	default:
	}
	t := time.NewTimer(l.config.Timeout)
	defer t.Stop()
	for {
		l.mu.Lock()
		s, failure, resting, changed := l.session, l.failure, l.resting, l.changed
		l.mu.Unlock()
		switch {
		case l.ctx.Err() != nil:
			return nil, drivers.ErrClosed
		case ctx.Err() != nil:
			return nil, unreachable(context.Cause(ctx))
		case s != nil && s.ctx.Err() == nil:
			return s, nil
		case resting:
			return nil, unreachable(failure)
		}
		select {
		case <-changed:
		case <-l.ctx.Done():
		case <-ctx.Done():
		case <-t.C:
			if failure == nil {
				failure = errors.New("no connection yet")
			}
			return nil, unreachable(failure)
		}
	}
}

// unreachable is drivers.ErrUnreachable with a cause; a closed device stays closed.
func unreachable(cause error) error {
	if errors.Is(cause, drivers.ErrClosed) {
		return drivers.ErrClosed
	}
	if errors.Is(cause, drivers.ErrUnreachable) {
		return cause
	}
	return fmt.Errorf("%w: %w", drivers.ErrUnreachable, cause)
}
