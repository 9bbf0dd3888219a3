package scheduler

import (
	"math"
	"slices"
	"time"

	"quartier/scheduler/dispatch"
	"quartier/schemas/district"
)

// rest is what a site drew beside the consumers and batteries that are commanded, in one round of dispatch.
type rest struct {
	at    time.Time
	netKW float64 // of the whole site
	kw    float64
}

// A command shows within three rounds after what asked for it: one passes until that is measured and told, and up to two until the device does it, such as a car that takes up its limit after 5 s and more.
const roundsToShow = 3

// restsFor is for how long rounds are remembered at least; fewer than minChanges say nothing.
const (
	restsFor   = 30 * time.Second
	minChanges = 3
)

// longestRound is the longest time between two rounds for which anything is foreseen; a demonstration's may be hours apart.
const longestRound = time.Minute

// restsKept is for how long rounds are remembered: long enough for minChanges of them, each half a round late, and never less than restsFor.
func (s *Scheduler) restsKept() time.Duration {
	return max(restsFor, min(s.cfg.Round, longestRound)*(2*minChanges+1)/2)
}

// rising is by how much a site draws more, beside what is commanded, before a command of now shows. It is negative where less and less is drawn. What counts is the change that two thirds of the rounds of the last
// half minute, or of the last three and a half where these take longer, at least reach, in one direction: never more than their median, and 0 of what is switched once or to and fro and of measurements of
// different moments. While a meter tells nothing new nothing changed, whatever the cars did meanwhile.
func (s *Scheduler) rising(site string, g dispatch.Group, now time.Time) float64 {
	kw := g.NetKW
	for _, w := range g.Wishes {
		if w.Kind != district.PV {
			kw -= w.MeasuredKW
		}
	}
	past := slices.DeleteFunc(s.rests[site], func(r rest) bool { return now.Sub(r.at) > s.restsKept() || !r.at.Before(now) }) // also when the clock was set back
	if n := len(past); n > 0 && past[n-1].netKW == g.NetKW {
		kw = past[n-1].kw
	}
	past = append(past, rest{now, g.NetKW, kw})
	s.rests[site] = past
	if now.Sub(past[0].at) < restsFor/2 || len(past) <= minChanges {
		return 0
	}
	changes := make([]float64, 0, len(past))
	for i := range past[1:] {
		changes = append(changes, past[i+1].kw-past[i].kw)
	}
	slices.Sort(changes)
	others := (len(changes) - 1) / 3
	least, most := changes[others], changes[len(changes)-1-others]
	return roundsToShow * (math.Max(0, least) + math.Min(0, most))
}

// tells is the smallest change of its power that the meters of a site tell, kW.
func (s *Scheduler) tells(site *district.Site) (kw float64) {
	for _, dev := range site.Devices {
		if dev.Kind != district.GridMeter {
			continue
		}
		if drv, ok := s.cfg.Driver(site.ID, dev.ID); ok {
			for _, pt := range drv.Points() {
				if pt.Name == district.PowerKW {
					kw = math.Max(kw, pt.Resolution)
				}
			}
		}
	}
	return kw
}
