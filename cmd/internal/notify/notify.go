// Package notify tells people and other systems of alarms: by mail, gathered so that a storm of alarms is one mail, and by signed web requests.
//
// What is to be told waits in a file until it is told, and so survives a restart and days without a network. Each recipient and each web service has a queue and a rhythm of its own: one that
// refuses keeps nobody else waiting. Nothing here blocks who raises an alarm.
package notify

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"math/rand/v2"
	"time"

	"quartier/schemas/alarm"
)

// Notice is a change of an alarm that is told.
type Notice struct {
	ID         string    `json:"id"` // the same however often it is told
	Event      string    `json:"event"`
	Time       time.Time `json:"time"`
	District   string    `json:"district"`
	Name       string    `json:"district_name"`
	Key        string    `json:"key"`
	Object     string    `json:"object"`
	ObjectName string    `json:"object_name"`
	Severity   string    `json:"severity"`
	Detail     string    `json:"detail"`
	Since      time.Time `json:"since"`
	Raised     time.Time `json:"raised"`
	Unsteady   bool      `json:"unsteady"` // it comes and goes, and is cleared later than others
}

// New makes the notice of a change.
func New(c alarm.Change, districtID, districtName, objectName string) Notice {
	sum := sha256.Sum256([]byte(string(c.What) + "\x00" + c.ID() + "\x00" + c.At.UTC().Format(time.RFC3339Nano)))
	return Notice{ID: hex.EncodeToString(sum[:16]), Event: string(c.What), Time: c.At.UTC(), District: districtID, Name: districtName, Key: c.Key, Object: c.Object, ObjectName: objectName,
		Severity: c.Severity, Detail: c.Detail, Since: c.Since.UTC(), Raised: c.Raised.UTC(), Unsteady: c.Unsteady}
}

// Status is how telling somebody goes.
type Status struct {
	To       string // whom
	Waiting  int
	Dropped  int       // notices that were lost, because too many waited or for too long
	Told     time.Time // last time that something was told
	Failures int       // in a row
	Err      string    // of the last failure, without secrets
}

// Rhythm is when a channel tells.
type Rhythm struct {
	Gather    time.Duration // for which the first notice waits for others
	Between   time.Duration // least time between two deliveries
	RetryFrom time.Duration // wait after the first failure, doubled with each that follows; default 15 s
	RetryUpTo time.Duration // default 30 min
	GiveUp    time.Duration // age from which a notice that cannot be told is dropped; default 72 h
	Most      int           // notices of one delivery; default 1
}

func (r Rhythm) withDefaults() Rhythm {
	for _, d := range []struct {
		v   *time.Duration
		def time.Duration
	}{{&r.RetryFrom, 15 * time.Second}, {&r.RetryUpTo, 30 * time.Minute}, {&r.GiveUp, 72 * time.Hour}} {
		if *d.v <= 0 {
			*d.v = d.def
		}
	}
	if r.Most <= 0 {
		r.Most = 1
	}
	return r
}

// outcome is what became of a delivery.
type outcome struct {
	err   error
	final bool          // these notices will never be taken: they are dropped
	wait  time.Duration // that the other side asks for
}

// channel tells one recipient.
type channel struct {
	to      string
	least   string // least severity
	rhythm  Rhythm
	queue   *queue
	log     *slog.Logger
	deliver func(ctx context.Context, notices []Notice, dropped int) outcome
}

// wants reports whether a recipient is told of a severity.
func (c *channel) wants(n Notice) bool { return c.least != "error" || n.Severity == "error" }

// run tells until ctx ends.
func (c *channel) run(ctx context.Context) {
	failures := 0
	for {
		first, told := c.queue.oldest()
		var wait time.Duration
		switch now := time.Now(); {
		case first.IsZero():
			wait = -1
		default:
			wait = max(0, first.Add(c.rhythm.Gather).Sub(now), told.Add(c.rhythm.Between).Sub(now))
			wait = min(wait, max(c.rhythm.Gather, c.rhythm.Between)) // the clock may have been set
		}
		if !c.pause(ctx, wait, wait < 0) {
			return
		}
		if wait < 0 {
			continue
		}
		c.queue.drop(c.rhythm.GiveUp)
		batch, dropped := c.queue.peek(c.rhythm.Most)
		if len(batch) == 0 {
			continue
		}
		out := c.deliver(ctx, batch, dropped)
		if ctx.Err() != nil {
			return
		}
		switch {
		case out.err == nil:
			failures = 0
			c.queue.done(batch, dropped)
		case out.final:
			failures = 0
			c.log.Error("alarms are not taken, and not told", "to", c.to, "count", len(batch), "err", out.err)
			c.queue.refused(batch, out.err)
		default:
			failures++
			c.queue.failed(failures, out.err)
			if failures == 1 {
				c.log.Warn("alarms wait to be told", "to", c.to, "count", len(batch), "err", out.err)
			}
			again := min(c.rhythm.RetryUpTo, c.rhythm.RetryFrom<<min(failures-1, 20))
			again = max(time.Duration((0.5+rand.Float64()/2)*float64(again)), out.wait)
			if !c.pause(ctx, again, false) {
				return
			}
		}
	}
}

// pause waits; with news also until there is a new notice.
func (c *channel) pause(ctx context.Context, d time.Duration, news bool) bool {
	var wake <-chan struct{}
	if news {
		wake, d = c.queue.wake, time.Hour
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
	case <-t.C:
	}
	return true
}
