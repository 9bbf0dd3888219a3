package scheduler

import (
	"math"
	"slices"
	"time"

	"quartier/schemas/timegrid"
)

// learnBudget is for how long, on the machine's clock, a plan waits for what is learned of signals, charging points, tanks and rooms together, once a day or after a start: at least for one of each, which takes some tenths of a second. What is
// left waits for the next plan.
const learnBudget = 2 * time.Second

// budget is the time that is left to learn in a plan; nil has no end.
type budget struct {
	wall  func() time.Time
	until time.Time
}

func (s *Scheduler) budget() *budget { return &budget{s.cfg.Wall, s.cfg.Wall().Add(learnBudget)} }

// spent reports whether the time is over.
func (b *budget) spent() bool { return b != nil && !b.wall().Before(b.until) }

// atLeastOne returns what reports whether one thing more of a kind may be learned, which is so of the first in any case.
func (b *budget) atLeastOne() func() bool {
	some := false
	return func() bool {
		may := !some || !b.spent()
		some = true
		return may
	}
}

// stepBack is by how much a clock may step back without that what was learned of a tank, of rooms or a charging point is learned anew from the record.
const stepBack = 2 * time.Hour

// setBack reports whether the clock was set back behind the end of what is known of something.
func setBack(end time.Time, in *inputs) bool { return end.Sub(in.start) > stepBack }

// untaken reports whether nothing of the record was taken up of a series, not even a gap: it is not held against what is said of it then.
func untaken(came timegrid.Series) bool { return came.Step > 0 && len(came.Values) == 0 }

// leastKnown is the share of slots of which something must be known of a tank, rooms or a charging point to go by it where the record was filled up since.
const leastKnown = 0.1

// readAnew has tanks, rooms and charging points of which hardly anything is known begin anew with the next plan: the record has a day or more that it did not have when it was read, as where a history is loaded beside control.
func (s *Scheduler) readAnew() {
	s.tanks.mu.Lock()
	for key, l := range s.tanks.by {
		if l.Identified().Known < leastKnown {
			delete(s.tanks.by, key)
		}
	}
	s.tanks.mu.Unlock()
	s.rooms.mu.Lock()
	for key, l := range s.rooms.by {
		if l != nil && l.Identified().Known < leastKnown {
			delete(s.rooms.by, key)
		}
	}
	s.rooms.mu.Unlock()
	s.points.mu.Lock()
	for key, p := range s.points.by {
		if !slices.ContainsFunc(p.power.Values, func(kw float64) bool { return !math.IsNaN(kw) }) {
			delete(s.points.by, key)
		}
	}
	s.points.mu.Unlock()
}
