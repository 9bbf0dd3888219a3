package app

import (
	"sync"
	"time"
)

// Clock is the one source of a process's district time. It starts at an instant and runs at a multiple of the machine's clock; at speed 1 from now it is
// the machine's clock.
type Clock struct {
	mu    sync.Mutex
	from  time.Time // of the district
	wall  time.Time // of the machine, monotonic
	speed float64
}

// NewClock returns a clock that shows from now on, running speed times as fast as the machine's.
func NewClock(from time.Time, speed float64) *Clock {
	if speed <= 0 {
		speed = 1
	}
	return &Clock{from: from.UTC(), wall: time.Now(), speed: speed}
}

// Now returns the district's time, UTC.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.from.Add(time.Duration(float64(time.Since(c.wall)) * c.speed))
}

// Set brings the clock to an instant, from which it goes on.
func (c *Clock) Set(to time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.from, c.wall = to.UTC(), time.Now()
}

// Speed returns how many seconds pass in one second of the machine.
func (c *Clock) Speed() float64 { return c.speed }

// Wall returns the time on the machine's clock that a duration of the district takes.
func (c *Clock) Wall(d time.Duration) time.Duration { return time.Duration(float64(d) / c.speed) }

// District returns how much district time passes in a duration of the machine's clock.
func (c *Clock) District(d time.Duration) time.Duration { return time.Duration(float64(d) * c.speed) }

// sampleTime is the clock that stamps samples in place of their readings' own times: none, unless time runs faster than real or is made up. The
// drivers have the districts' clock, and what a server recorded during an outage keeps its times.
func (a *App) sampleTime() func() time.Time {
	if a.opt.Demo || a.clock.Speed() != 1 {
		return a.clock.Now
	}
	return nil
}
