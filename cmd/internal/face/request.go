package face

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
)

// Ask is what a building system asks for: one of the model's writable variables.
type Ask struct {
	Variable *Variable
	Value    float64 // NaN withdraws the request
	Actor    string  // who, as far as the server knows: an address, the name of a certificate, a user
	Remote   string  // address of the caller
}

// Requests is where requests of building systems go.
type Requests interface {
	// Ask puts requests in force until they lapse, all or none, and records each with who made it and the value before.
	Ask(ctx context.Context, asks []Ask) error
	// InForce gives the values of the requests that hold now, by the names of their variables.
	InForce() map[string]float64
}

// Errors of requests.
var (
	ErrRange = errors.New("outside its range")
	ErrBusy  = errors.New("too many requests")
)

// At most so many requests are taken at once and per second, by all clients together: each is recorded.
const (
	askBurst     = 200
	asksASecond  = 20
	withoutTouch = 1e-6 // share by which a float32 may pass the end of a range
)

// asker checks requests before they go on. A nil Requests takes none.
type asker struct {
	requests Requests

	mu     sync.Mutex
	tokens float64
	at     time.Time
}

func (a *asker) inForce() map[string]float64 {
	if a.requests == nil {
		return nil
	}
	return a.requests.InForce()
}

func (a *asker) ask(ctx context.Context, asks []Ask) error {
	for i := range asks {
		v, x := asks[i].Variable, &asks[i].Value
		if math.IsNaN(*x) {
			continue
		}
		slack := withoutTouch * math.Max(math.Abs(v.Min), math.Abs(v.Max))
		if math.IsInf(*x, 0) || *x < v.Min-slack || *x > v.Max+slack || (v.Quantity == AvailableRequest || v.Quantity == LockOutRequest) && *x != 0 && *x != 1 {
			return fmt.Errorf("face: %s: %g %s, want %g to %g: %w", v.Name, *x, v.Unit, v.Min, v.Max, ErrRange)
		}
		*x = math.Min(math.Max(*x, v.Min), v.Max)
	}
	if !a.take(float64(len(asks)), time.Now()) {
		return fmt.Errorf("face: more than %d requests a second: %w", asksASecond, ErrBusy)
	}
	return a.requests.Ask(ctx, asks)
}

// take takes n of what fills up steadily.
func (a *asker) take(n float64, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.at.IsZero() {
		a.tokens = askBurst
	} else {
		a.tokens = math.Min(askBurst, a.tokens+asksASecond*now.Sub(a.at).Seconds())
	}
	a.at = now
	if a.tokens < n {
		return false
	}
	a.tokens -= n
	return true
}
