package report

import (
	"fmt"
	"strings"

	"quartier/schemas/units"
)

// The thresholds of the hints.
const (
	gapCoverage  = 0.95 // below it the missing measurements come first
	hintHours    = 3    // length of the window of unused sun
	lowSunShare  = 0.16 // below this share of consumption in the window, moving some is worth saying; evenly spread it is 3/24 = 0.125
	nightFrom    = 2    // the hours in which nobody is about
	nightTo      = 5
	nightShare   = 0.5 // of the month's mean power that is tied up at night, from which it is worth saying
	leastNightWh = 2_000

	leastSurplusWh = 10_000 // of the district in a month; below it there was no sun to use
	eveningFrom    = 18
	eveningTo      = 22
	eveningShare   = 0.30 // of consumption in the evening, from which it is worth saying; evenly spread it is 4/24 = 0.167
)

// hint draws one useful thing from the data: missing measurements, unused sun that the member could use, a high power at night, a high share in the
// evening, or that the sun is well used. Without any of these it says nothing.
func (v *view) hint() string {
	c, w, d := &v.text, v.w, v.data
	if d.Coverage < gapCoverage {
		return fmt.Sprintf(c.HintGap, w.percent(1-d.Coverage))
	}
	if d.Habits == nil || d.ConsumptionWh <= 0 {
		return ""
	}
	h := d.Habits
	var total, surplus, evening units.WattHours
	for i := range 24 {
		if i >= eveningFrom && i < eveningTo {
			evening += h.ConsumptionWh[i]
		}
		total += h.ConsumptionWh[i]
		surplus += h.SurplusWh[i]
	}
	if total <= 0 {
		return ""
	}
	nights := float64(h.ConsumptionWh[nightFrom]+h.ConsumptionWh[nightFrom+1]+h.ConsumptionWh[nightTo-1]) / (nightTo - nightFrom) // Wh in one hour of every night of the month
	hours := d.Month.Duration().Hours()
	if from, part := sunWindow(h); surplus >= leastSurplusWh && part < lowSunShare {
		text := fmt.Sprintf(c.HintShift, w.hours(from, from+hintHours), w.percent(part))
		if b := d.Bill; b != nil && d.SharedWh > 0 {
			if each := b.EffectEUR() / d.SharedWh.KWh(); each >= 0.005 {
				text += fmt.Sprintf(c.HintShiftWorth, w.eur(each))
			}
		}
		return strings.ReplaceAll(text, "  ", " ")
	}
	if watts := nights * 24 / hours; nights*24 >= nightShare*float64(total) && nights*24 >= leastNightWh {
		return fmt.Sprintf(c.HintNight, w.number(watts, 0), w.kwhOf(watts*hours/1000))
	}
	if part := float64(evening) / float64(total); part >= eveningShare {
		return fmt.Sprintf(c.HintEvening, w.percent(part))
	}
	if surplus < leastSurplusWh {
		return ""
	}
	return c.HintThanks
}

// sunWindow returns the first hour of the hintHours in which the district had the most unused sun, and the share of the member's consumption in them.
func sunWindow(h *Habits) (from int, share float64) {
	var best, total units.WattHours
	for i := range 24 - hintHours + 1 {
		var sum units.WattHours
		for k := range hintHours {
			sum += h.SurplusWh[i+k]
		}
		if sum > best {
			best, from = sum, i
		}
	}
	var in units.WattHours
	for i := range 24 {
		total += h.ConsumptionWh[i]
		if i >= from && i < from+hintHours {
			in += h.ConsumptionWh[i]
		}
	}
	if total == 0 {
		return from, 0
	}
	return from, float64(in) / float64(total)
}
