package modbus

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"quartier/drivers"
)

// share is how much of a link's time its silent units may take from the living ones, all together.
const share = 0.1

// silence is the back-off of a unit, or of the whole address.
type silence struct {
	failures int // in a row
	until    time.Time
	cause    error
	answered bool // it has answered before
}

// unit is one unit behind a link.
type unit struct {
	id uint8
	silence
	waiting []*request
	late    time.Time // in RTU frames: an answer that is too late may come until then; of the owner of the link
}

// silent reports whether a unit counts as silent.
func (s *silence) silent() bool { return !s.until.IsZero() }

// living reports whether a unit answered when it was asked last.
func (s *silence) living() bool { return s.answered && s.failures == 0 }

// refuse fails a request at once while its unit, or the whole address, is in its pause. Requests may pass when the pause is over.
func (l *Link) refuse(u *unit, now time.Time) error {
	for _, s := range [...]*silence{&l.whole, &u.silence} {
		if now.Before(s.until) {
			l.stats.Refused++
			return fmt.Errorf("%w: silent, asked again in %v: %w", drivers.ErrUnreachable, s.until.Sub(now).Round(10*time.Millisecond), s.cause)
		}
	}
	return nil
}

// choose returns the place in the row of the unit to ask next: the first one, but no unit that may be silent before the living ones that had to wait for another
// such. So a living unit waits for one time-out at most, and the silent ones get their turn on a line that is always busy too. A unit whose
// late answer must be waited for comes after those that can be asked.
func (l *Link) choose() int {
	now := time.Now()
	owed := l.owedUntil()
	late := func(u *unit) bool {
		if w, ok := l.wire.(network); ok && w.owes(u.id) { // for which a new connection is needed
			return now.Before(owed)
		}
		return now.Before(u.late)
	}
	first := max(0, slices.IndexFunc(l.turn, func(u *unit) bool { return !late(u) }))
	if l.turn[first].living() {
		return first
	}
	for i, u := range l.turn {
		if u.living() && !late(u) && !u.waiting[0].since.After(l.probed) {
			return i
		}
	}
	return first
}

// outcome is what became of one request.
type outcome int

const (
	answered  outcome = iota
	exception         // the device said no
	timedOut
	noUnit  // a gateway says that the unit behind it did not answer
	broken  // the connection ended
	garbage // something else came back
)

func classify(err error) outcome {
	code, isException := errors.AsType[exceptionError](err)
	switch {
	case err == nil:
		return answered
	case isException && code == noAnswerBehind:
		return noUnit
	case isException:
		return exception
	case errors.Is(err, errTimedOut):
		return timedOut
	case errors.Is(err, errGarbage):
		return garbage
	}
	return broken
}

// count keeps the totals, and the back-off of the unit and of the address. The request held the line from begin until free.
func (l *Link) count(u *unit, kind outcome, reused bool, err error, begin, free time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !errors.Is(err, errUnsent) {
		l.stats.Requests++
	}
	switch kind {
	case exception:
		l.stats.Exceptions++
		fallthrough
	case answered:
		l.whole = silence{}
		u.silence = silence{answered: true}
	case noUnit:
		l.whole = silence{}
		fallthrough
	case timedOut:
		l.stats.Timeouts++
		l.probed = free
		l.unanswered(u, err, free.Sub(begin))
	case garbage:
		l.stats.Garbage++
	case broken:
		if !reused && l.config.Silent >= 0 { // it takes connections and closes them
			l.fail(&l.whole, err)
		}
	}
}

// unanswered counts a request that a unit left without an answer. A unit that never answered counts as silent at once.
func (l *Link) unanswered(u *unit, cause error, cost time.Duration) {
	if l.config.Silent < 0 {
		return
	}
	s := &u.silence
	if s.answered && s.failures+1 < l.config.Silent {
		s.failures++
		return
	}
	was := s.silent()
	l.fail(s, cause)
	silent, living := 0, 0
	for _, other := range l.units {
		if other.silent() {
			silent++
		} else if other.answered {
			living++
		}
	}
	if living > 0 { // together the silent ones take no more than their share
		s.until = maxTime(s.until, time.Now().Add(time.Duration(float64(cost)*(float64(silent)/share-1))))
	}
	if !was {
		l.config.Log.Warn("modbus unit is silent", "address", l.address, "unit", u.id, "error", cause)
	}
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// fail lengthens a pause: doubled with each failure in a row, with jitter of a fifth, at most MaxBackoff.
func (l *Link) fail(s *silence, cause error) {
	s.failures++
	d := l.config.MinBackoff << min(s.failures-1, 16)
	d = min(d, l.config.MaxBackoff)
	d = time.Duration(float64(d) * (0.8 + 0.2*rand.Float64()))
	s.until, s.cause = time.Now().Add(d), cause
}
