// Package alarm makes alarms of conditions: raised once a condition has held for a while, cleared once it has been over for a while, acknowledged by a person in between.
//
// A [Book] is told again and again what holds, and says what changed. It knows no clock and no store: who keeps it writes each [Change] down and gives the alarms back after a restart, see
// [Book.Restore].
package alarm

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Condition is something that is wrong at present.
type Condition struct {
	Key      string    // what: device-lost, feed-silent
	Object   string    // where: fontaine, fontaine/ecole/pv
	Severity string    // warning or error
	Detail   string    // the numbers that show it
	Since    time.Time // when it began
}

// ID names a condition: of one key and object there is one alarm.
func (c Condition) ID() string { return c.Key + " " + c.Object }

// Acknowledgement is that somebody knows of an alarm.
type Acknowledgement struct {
	By, Note string
	At       time.Time // zero: nobody does
}

// Alarm is a condition that was raised and not cleared yet.
type Alarm struct {
	Condition
	Raised       time.Time
	Unsteady     bool // it came back again and again, and is cleared later than others
	Acknowledged Acknowledgement
}

// What happened to an alarm.
type What string

// The changes of alarms.
const (
	Raised  What = "raised"
	Worse   What = "worse" // a warning became an error; what was acknowledged is not any more
	Cleared What = "cleared"
)

// Change is something that happened to an alarm at an instant.
type Change struct {
	Alarm
	What What
	At   time.Time
}

// Settings of a book. Zero values are what they say.
type Settings struct {
	RaiseAfter time.Duration // for which a condition holds before it is an alarm
	ClearAfter time.Duration // for which it is over before the alarm is
}

const (
	unsteadyRaises = 3                // raises within unsteadyTime make an alarm unsteady
	unsteadyTime   = time.Hour        // after the last raise that long it is steady again
	unsteadyClear  = 30 * time.Minute // an unsteady one is cleared after
)

// ErrNone says that there is no such alarm.
var ErrNone = errors.New("no such alarm")

// Book keeps alarms. It is of one goroutine.
type Book struct {
	set     Settings
	pending map[string]time.Time // first seen, of conditions that are no alarm yet
	active  map[string]*entry
	raises  map[string][]time.Time // of the last hour
}

type entry struct {
	Alarm
	over time.Time // since when the condition is over; zero: it holds
}

// NewBook returns an empty book.
func NewBook(set Settings) *Book {
	return &Book{set: set, pending: map[string]time.Time{}, active: map[string]*entry{}, raises: map[string][]time.Time{}}
}

// Restore takes up the alarms of before a restart. Those whose condition is over are cleared as any other.
func (b *Book) Restore(alarms []Alarm) {
	for _, a := range alarms {
		b.active[a.ID()] = &entry{Alarm: a}
		b.raises[a.ID()] = append(b.raises[a.ID()], a.Raised)
	}
}

// Look is told all conditions that hold at an instant, and returns what changed, by object and key. Of two with one ID the last counts.
func (b *Book) Look(now time.Time, present []Condition) []Change {
	var out []Change
	here := map[string]Condition{}
	for _, c := range present {
		here[c.ID()] = c
	}
	for id, c := range here {
		if e := b.active[id]; e != nil {
			if c.Severity == "error" && e.Severity != "error" {
				e.Acknowledged, e.Severity, e.Detail = Acknowledgement{}, c.Severity, c.Detail
				out = append(out, Change{e.Alarm, Worse, now})
			}
			e.Detail, e.Severity, e.over = c.Detail, c.Severity, time.Time{}
			continue
		}
		first, ok := b.pending[id]
		if !ok || now.Before(first) {
			first = now
			b.pending[id] = now
		}
		if now.Sub(first) < b.set.RaiseAfter {
			continue
		}
		delete(b.pending, id)
		b.raises[id] = append(b.raises[id], now)
		e := &entry{Alarm: Alarm{Condition: c, Raised: now, Unsteady: len(b.raises[id]) >= unsteadyRaises}}
		b.active[id] = e
		out = append(out, Change{e.Alarm, Raised, now})
	}
	for id := range b.pending {
		if _, ok := here[id]; !ok {
			delete(b.pending, id)
		}
	}
	for id, e := range b.active {
		if _, ok := here[id]; ok {
			continue
		}
		if e.over.IsZero() || now.Before(e.over) {
			e.over = now
		}
		wait := b.set.ClearAfter
		if e.Unsteady {
			wait = max(wait, unsteadyClear)
		}
		if now.Sub(e.over) >= wait {
			delete(b.active, id)
			out = append(out, Change{e.Alarm, Cleared, now})
		}
	}
	for id, at := range b.raises {
		at = slices.DeleteFunc(at, func(t time.Time) bool { return now.Sub(t) > unsteadyTime || t.After(now) })
		if b.raises[id] = at; len(at) == 0 {
			delete(b.raises, id)
		}
	}
	slices.SortFunc(out, func(x, y Change) int {
		return cmp.Or(cmp.Compare(x.Object, y.Object), cmp.Compare(x.Key, y.Key))
	})
	return out
}

// Acknowledge notes that somebody knows of an alarm, in the place of who knew of it before. The error of one that is not raised wraps [ErrNone].
func (b *Book) Acknowledge(key, object, by, note string, at time.Time) (Alarm, error) {
	e := b.active[Condition{Key: key, Object: object}.ID()]
	if e == nil {
		return Alarm{}, fmt.Errorf("alarm %s of %s: %w", key, object, ErrNone)
	}
	e.Acknowledged = Acknowledgement{By: by, Note: note, At: at}
	return e.Alarm, nil
}

// Alarms returns the alarms that are raised, errors before warnings, the newest first.
func (b *Book) Alarms() []Alarm {
	out := make([]Alarm, 0, len(b.active))
	for _, e := range b.active {
		out = append(out, e.Alarm)
	}
	slices.SortFunc(out, func(x, y Alarm) int {
		return cmp.Or(cmp.Compare(x.Severity, y.Severity), y.Raised.Compare(x.Raised), cmp.Compare(x.ID(), y.ID()))
	})
	return out
}
