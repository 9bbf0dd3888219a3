package dispatch

import "math"

// worthTaking is the power beyond a limit, kW, for which no consumer is switched on: less than steps of commands and meters tell.
const worthTaking = 0.05

// offer is a consumer that could take some of what is fed.
type offer struct {
	wish   *Wish
	stepKW float64 // by which it is lifted
	gainKW float64 // by which less is fed then
	fits   bool    // within what is beyond the limit, in steps of its commands
}

// better tells which of two offers is taken first: who runs already, so that none is switched to and fro; then those that fit; where none can run so low, the one that draws least beyond.
func (o offer) better(than offer) bool {
	switch {
	case than.wish == nil:
		return true
	case o.wish.runs() != than.wish.runs():
		return o.wish.runs()
	case o.fits != than.fits:
		return o.fits
	}
	return !o.fits && o.gainKW < than.gainKW
}

// take has consumers take what is fed by over kW beyond the export limit, none more than it may nor less than it can, in steps of their commands, and no site nor all together more than may be drawn. It
// returns by how much the limit is still passed.
func take(sites []Group, over, netKW, importLimitKW float64, reason, limit string) float64 {
	for over > worthTaking {
		var best offer
		room := importLimitKW - together(sites, netKW)
		for _, kind := range takeOrder {
			for _, g := range sites {
				left := math.Min(room, g.ImportLimitKW-g.expected())
				for _, w := range g.Wishes {
					if w.Kind != kind {
						continue
					}
					if one, ok := w.offers(over, left); ok && one.better(best) {
						best = one
					}
				}
			}
		}
		if best.wish == nil {
			return over
		}
		best.wish.takes(best.stepKW, reason)
		best.wish.TookFor = limit
		over -= best.gainKW
	}
	return math.Max(0, over)
}

// offers is what a consumer could take of over kW where roomKW more may be drawn; false when that is nothing.
func (w *Wish) offers(over, roomKW float64) (offer, bool) {
	most := math.Min(w.TakeKW, w.down(w.WantedKW+roomKW))
	if w.Sated {
		most = math.Min(most, math.Max(w.LeastKW, w.up(w.MeasuredKW)))
	}
	if most < w.LeastKW {
		return offer{}, false
	}
	told := math.Max(w.LeastKW, math.Min(most, w.up(w.WantedKW+over)))
	o := offer{wish: w, stepKW: told - w.WantedKW, gainKW: w.draws(told) - w.draws(w.WantedKW)}
	o.fits = o.gainKW <= over+1e-9 || told > w.LeastKW // but for a part of a step
	return o, o.stepKW > 1e-9 && o.gainKW > 1e-9
}

// stay has those who took a feed for a limit until lately go on at their least, as far as may be drawn, and returns by how much less is fed.
func stay(sites []Group, netKW, importLimitKW float64, reason, limit string) (less float64) {
	for _, g := range sites {
		for _, w := range g.Wishes {
			step := w.LeastKW - w.WantedKW
			if w.StaysFor != limit || w.TakeKW < w.LeastKW || step <= 1e-9 || step > math.Min(importLimitKW-together(sites, netKW), g.ImportLimitKW-g.expected()) {
				continue
			}
			less += w.draws(w.LeastKW) - w.draws(w.WantedKW)
			w.takes(step, reason)
		}
	}
	return less
}

func (w *Wish) takes(kw float64, reason string) {
	w.WantedKW, w.TakenKW = w.WantedKW+kw, w.TakenKW+kw
	w.Changed, w.Raised, w.Reason = true, true, reason
}

func (w *Wish) runs() bool { return w.MeasuredKW > 0.05 }

// up is the least power of a command that is not below kw.
func (w *Wish) up(kw float64) float64 { return quantise(kw, w.StepKW, notBelow) }

// down is the largest power of a command that is not above kw.
func (w *Wish) down(kw float64) float64 { return quantise(kw, w.StepKW, notAbove) }
