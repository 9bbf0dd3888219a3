package observe

import (
	"cmp"
	"slices"
	"time"
)

// Finding is something wrong that holds at present, in the words of an alarm: what (the key, for which the console has a text in each language), where, since when, and the numbers that show it.
type Finding struct {
	Key          string
	Site, Device string // empty: of the district, or of the site
	Severity     string // "warning", or "error" where control or accounts are wrong without a repair
	Since        time.Time
	Detail       string
}

// The keys of what measurements show.
const (
	ValueAbsurd   = "value-absurd"   // a measurement beyond what the device can do
	ValueMissing  = "value-missing"  // a device answers, but not with what control needs
	SignWrong     = "sign-wrong"     // a meter that counts the wrong way round
	MeterStuck    = "meter-stuck"    // a meter whose power stands still while devices behind it change
	MeterDiffers  = "meter-differs"  // power and counters of a meter disagree
	CounterJumped = "counter-jumped" // a counter that shows less than before, or more than can have flowed
	SunAtNight    = "sun-at-night"   // production while the sun is down
	ChargeStuck   = "charge-stuck"   // a state of charge that stands still while the battery works
	ChargeJumped  = "charge-jumped"  // a state of charge that changed by more than the battery can do
	ClockDiffers  = "clock-differs"  // fresh values that carry the time of another clock
	ComfortLow    = "comfort-low"    // a building or a tank is colder than wanted for long
	severityWarn  = "warning"
	severityError = "error"
)

// hold gives a condition its hysteresis: it is raised once it has been so for a while, and cleared once it has not been so for a while.
type hold struct {
	on     bool
	since  time.Time // of the condition, while it is on or about to be
	other  time.Time // since when it is the other way
	detail string
}

func (h *hold) see(bad bool, detail string, now time.Time, raise, clear time.Duration) bool {
	switch {
	case bad == h.on:
		h.other = time.Time{}
		if bad && detail != "" {
			h.detail = detail
		}
		return h.on
	case h.other.IsZero() || now.Before(h.other):
		h.other = now
	}
	wait := raise
	if h.on {
		wait = clear
	}
	if now.Sub(h.other) >= wait {
		h.on = bad
		if bad {
			h.since, h.detail = h.other, detail
		}
		h.other = time.Time{}
	}
	return h.on
}

// Sort brings findings into their order: by place, then by key.
func Sort(f []Finding) {
	slices.SortFunc(f, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Site, b.Site), cmp.Compare(a.Device, b.Device), cmp.Compare(a.Key, b.Key))
	})
}
