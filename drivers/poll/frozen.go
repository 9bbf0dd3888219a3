package poll

import (
	"fmt"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// leastRepeats is how many reads in a row must repeat before values count as frozen, however much time has passed.
const leastRepeats = 3

// frozen watches for a device that goes on answering with the values of one moment, as a gateway does that lost the device behind it. What is measured moves
// a little all the time: voltages, powers and counters that all stay exactly the same are the sign. A device at rest, whose measurements are all zero, is not
// frozen, and set-points do not count: they change by our own hand.
type frozen struct {
	after    time.Duration   // without any change; 0: never looked for
	measured map[string]bool // points that move by themselves
	last     map[string]float64
	since    time.Time // of the last change
	repeats  int       // reads since
}

func newFrozen(after time.Duration, points []drivers.Point) *frozen {
	f := &frozen{after: after, measured: map[string]bool{}}
	for _, p := range points {
		if p.Readable && !p.Writable && p.Form != district.State {
			f.measured[p.Name] = true
		}
	}
	return f
}

// judge marks readings as bad while the device is frozen, and returns drivers.ErrStale then.
func (f *frozen) judge(now time.Time, readings []drivers.Reading) error {
	if f.after <= 0 {
		return nil
	}
	moved, alive, seen := f.last == nil, false, false
	if f.last == nil {
		f.last = map[string]float64{}
	}
	for _, r := range readings {
		if r.Quality == district.Bad || !f.measured[r.Point] {
			continue
		}
		seen = true
		alive = alive || r.Value != 0
		if v, ok := f.last[r.Point]; !ok || v != r.Value {
			moved = true
		}
		f.last[r.Point] = r.Value
	}
	switch {
	case !seen: // nothing to judge by
	case moved || !alive:
		f.since, f.repeats = now, 0
	default:
		f.repeats++
	}
	if f.repeats < leastRepeats || now.Sub(f.since) < f.after {
		return nil
	}
	for i := range readings {
		readings[i].Quality = district.Bad
	}
	return fmt.Errorf("no measurement has changed since %s: %w", f.since.UTC().Format(time.RFC3339), drivers.ErrStale)
}
