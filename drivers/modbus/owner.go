package modbus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/drivers"
	"quartier/drivers/profile"
)

// mine is what a device was commanded by us: its owner is whoever has the device's writing.
type mine struct {
	values []float64   // commands of which one is in force if nobody else commanded since; several when the fate of one is not known; none before the first
	at     time.Time   // of the last one
	recent []time.Time // commands of the last minute
}

// often counts a command, and refuses it where it is one too many.
func (m *mine) often(safe bool, limit int, now time.Time) error {
	kept := m.recent[:0]
	for _, at := range m.recent {
		if now.Sub(at) < time.Minute {
			kept = append(kept, at)
		}
	}
	m.recent = kept
	if limit > 0 && len(m.recent) >= limit && !safe {
		return fmt.Errorf("%w: %d commands in a minute, at most %d", drivers.ErrTooOften, len(m.recent)+1, limit)
	}
	if limit > 0 {
		m.recent = append(m.recent, now)
	}
	return nil
}

// sending notes a command whose fate is not known yet.
func (m *mine) sending(v float64, now time.Time) {
	const most = 4         // failures in a row that are kept apart
	if len(m.values) > 0 { // before the first one nothing was known of the device either
		m.values = m.values[max(0, len(m.values)-most):]
		m.values = append(m.values, v)
	}
	m.at = now
}

// stands notes the command that was read back.
func (m *mine) stands(v float64) { m.values = append(m.values[:0], v) }

// foreign returns drivers.ErrConflict while the device holds a command that is neither ours nor the one that gives it back its own control. With the first command the
// device is taken over: configuration says that it is ours to command. What it stands at is judged by the registers that were written, not by what follows
// from them; where they cannot all be read, or stand for no command, nothing is known.
func (d *Device) foreign(ctx context.Context) error {
	c := d.control
	if c.Reversion > 0 && time.Since(d.mine.at) >= c.Reversion {
		d.mine.values = nil // it fell back by itself
	}
	if len(d.mine.values) == 0 {
		return nil
	}
	var parts []*profile.Point
	for _, w := range d.profile.Control.Writes {
		pt := d.profile.Point(w.Point)
		if !pt.Readable() {
			return nil
		}
		parts = append(parts, pt)
	}
	values, err := d.read(ctx, parts)
	if errors.Is(err, drivers.ErrRejected) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("not written, since what holds could not be read: %w", err)
	}
	now, ok := d.profile.Command(func(point string) (float64, bool) {
		v, known := values[d.profile.Point(point)]
		return v.v, known && !v.bad
	})
	near := func(v float64) bool { return math.Abs(now-v) <= c.Step/2+1e-6*(1+math.Abs(v)) }
	if !ok || near(c.Safe) {
		return nil
	}
	for _, v := range d.mine.values {
		if near(v) {
			return nil
		}
	}
	last := d.mine.values[len(d.mine.values)-1]
	return fmt.Errorf("%s is at %g, and we wrote %g at %s: %w", c.Point, now, last, d.mine.at.UTC().Format(time.RFC3339), drivers.ErrConflict)
}
