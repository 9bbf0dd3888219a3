package scheduler

import (
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
