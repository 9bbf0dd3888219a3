package console

import (
	"sync"
	"time"
)

const (
	throttleFree   = 5                // failures without a wait
	throttleFirst  = 2 * time.Second  // wait after the first failure beyond them; doubled by each further one
	throttleMax    = 15 * time.Minute // longest wait, and how long failures are remembered
	throttleSpray  = 30               // failures of one address over all names before it waits
	throttleMaxKey = 10000
)

// throttle slows down guessing: each user name from an address, and each address over all names, waits longer after each failure.
type throttle struct {
	mu   sync.Mutex
	keys map[string]*failures
}

type failures struct {
	count int
	last  time.Time
}

func newThrottle() *throttle { return &throttle{keys: map[string]*failures{}} }

func pairKey(user, remote string) string { return "u\x00" + user + "\x00" + remote }
func addressKey(remote string) string    { return "a\x00" + remote }

// begin returns how long a sign-in must wait at now. When it is zero the attempt is counted as a failure at once, so that many at the same time do
// not all pass; [throttle.succeed] takes it back.
func (t *throttle) begin(user, remote string, now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	wait := max(t.waitKey(pairKey(user, remote), throttleFree, now), t.waitKey(addressKey(remote), throttleSpray, now))
	if wait == 0 {
		t.count(pairKey(user, remote), now)
		t.count(addressKey(remote), now)
	}
	return wait
}

func (t *throttle) waitKey(key string, free int, now time.Time) time.Duration {
	f := t.keys[key]
	if f == nil || f.count < free || now.Sub(f.last) > throttleMax {
		return 0
	}
	wait := throttleMax
	if n := f.count - free; n < 10 {
		wait = min(throttleFirst<<n, throttleMax)
	}
	return max(0, f.last.Add(wait).Sub(now))
}

func (t *throttle) count(key string, now time.Time) {
	f := t.keys[key]
	if f == nil || now.Sub(f.last) > throttleMax {
		if len(t.keys) >= throttleMaxKey {
			t.prune(now)
		}
		f = &failures{}
		t.keys[key] = f
	}
	f.count++
	f.last = now
}

// succeed forgets the failures of the pair; those of the address stay but for this attempt, so that one known password does not wash a sprayer clean.
func (t *throttle) succeed(user, remote string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.keys, pairKey(user, remote))
	if f := t.keys[addressKey(remote)]; f != nil && f.count > 0 {
		f.count--
	}
}

// prune drops what is forgotten, and when that does not help, the older half by dropping whatever is older than the middle of the window.
func (t *throttle) prune(now time.Time) {
	for _, age := range []time.Duration{throttleMax, throttleMax / 2, 0} {
		for k, f := range t.keys {
			if now.Sub(f.last) >= age {
				delete(t.keys, k)
			}
		}
		if len(t.keys) < throttleMaxKey/2 {
			return
		}
	}
}
