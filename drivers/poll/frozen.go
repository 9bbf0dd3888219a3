package poll

import (
	"fmt"
	"math"
	"time"

	"quartier/drivers"
	"quartier/schemas/district"
)

// leastRepeats is how many reads in a row must repeat before values count as frozen, however much time has passed.
const leastRepeats = 3

// frozen watches for a device that goes on answering with the values of one moment, as a gateway does that lost the device behind it. What is measured moves
// a little all the time: voltages, powers and counters that all stay exactly the same are the sign. Set-points do not count: they change by our own hand.
//
// A power can stand still all the same: control holds a connection at nothing to the watt, a battery rests, a meter shows nothing of what is fed. So a device that has a power and counters is frozen
// only where something of it should have moved: its counters, by twice their smallest step, for what its power says has flowed, or a value such as a voltage that was seen to move while the power stood
// still. A device without counters at rest, whose measurements are all zero, is not frozen either.
type frozen struct {
	after    time.Duration   // without any change; 0: never looked for
	measured map[string]bool // points that move by themselves
	counters map[string]bool // those among them that count
	last     map[string]float64
	since    time.Time // of the last change
	repeats  int       // reads since
	counts   bool      // it has counters
	restless bool      // something moved while the power stood still
	stale    bool      // it was frozen at the last read
	step     float64   // the smallest that a counter moved by; 0: none did yet
}

func newFrozen(after time.Duration, points []drivers.Point) *frozen {
	f := &frozen{after: after, measured: map[string]bool{}, counters: map[string]bool{}}
	for _, p := range points {
		if p.Readable && !p.Writable && p.Form != district.State {
			f.measured[p.Name] = true
			f.counters[p.Name] = p.Form == district.Counter && (p.Name == district.ImportKWh || p.Name == district.ExportKWh)
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
	stands := false // the power
	byItself := false
	for _, r := range readings {
		if r.Quality == district.Bad || !f.measured[r.Point] {
			continue
		}
		seen = true
		alive = alive || r.Value != 0
		v, ok := f.last[r.Point]
		switch by := math.Abs(r.Value - v); {
		case r.Point == district.PowerKW:
			stands = ok && by == 0
		case f.counters[r.Point]:
			f.counts = true
			if ok && by > 0 && (f.step == 0 || by < f.step) {
				f.step = by
			}
		case ok && by > 0:
			byItself = true
		}
		moved = moved || !ok || v != r.Value
		f.last[r.Point] = r.Value
	}
	if !seen && !f.stale {
		return nil // nothing to judge by
	}
	f.stale = false
	f.restless = f.restless || byItself && stands
	switch {
	case !seen:
	case moved || !alive:
		f.since, f.repeats = now, 0
	default:
		f.repeats++
	}
	idle := now.Sub(f.since)
	if f.repeats < leastRepeats || idle < f.after {
		return nil
	}
	// a power that this read lacks is the last one that was read
	if kw, ok := f.last[district.PowerKW]; ok && f.counts && !f.restless && math.Abs(kw)*idle.Hours() < 2*f.counted() {
		return nil
	}
	f.stale = true
	for i := range readings {
		readings[i].Quality = district.Bad
	}
	return fmt.Errorf("no measurement has changed since %s: %w", f.since.UTC().Format(time.RFC3339), drivers.ErrStale)
}

// counted is by how much energy the counters move at least, kWh.
func (f *frozen) counted() float64 {
	const coarse = 0.1 // of most meters, where no counter has moved yet
	if f.step == 0 {
		return coarse
	}
	return f.step
}
