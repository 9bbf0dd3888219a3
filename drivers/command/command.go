// Package command sends commands to one device, whatever its protocol: the writes that a profile makes of a command in their order, no more often than allowed, never over
// a command of somebody else, and given back as the profile says.
//
// # Whose the device is
//
// With the first command a device is taken over: the configuration says that it is ours to command. From then on it is looked at before each command: a command that is
// neither one of ours nor what gives the device back is somebody else's, [drivers.ErrConflict], and nothing is written, the safe value included. What it stands at is judged by the
// points that were written, not by what follows from them; where they cannot all be read, or stand for no command, nothing is known.
//
// # What stood before
//
// With restore: previous the points are read before the first command and kept in a [Memory], with the commands that followed, before these are written (those that a failing memory does not take are written all the same, but the first): a run that ends without giving
// the device back leaves them for the next one. That one keeps them, unless it finds a command in force that is not one of the run before: then somebody else has
// been there, and what stands now is what stood before. A limit of production that was in force then is the owner's: no command goes above it. Without a memory whoever writes is the
// owner, as at the command line.
package command

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// Port reads and writes the points of the device.
type Port interface {
	// WritePoint writes a point, in its stored unit, and reads it back where it can be read.
	WritePoint(ctx context.Context, pt *profile.Point, v float64) (drivers.Reading, error)
	// ReadPoints returns the values that the points have, in their stored units; of those that the device marks as bad there is none.
	ReadPoints(ctx context.Context, points []*profile.Point) (map[string]float64, error)
	// ReadBack reads a point until it is within tolerance of want, and returns it under a name.
	ReadBack(ctx context.Context, pt *profile.Point, name string, want, tolerance float64) (drivers.Reading, error)
}

// Settings of a commander; only the first four are required.
type Settings struct {
	Device   string // names it in a memory: address, unit and profile
	Profile  *profile.Profile
	Control  drivers.Control // of the single device
	Port     Port
	Commands int    // in any minute; 0: however many
	Memory   Memory // of what stood before; nil: it is forgotten with the process, and no limit is taken for the owner's
}

// Commander commands one device. Its methods are called by one goroutine at a time.
type Commander struct {
	s      Settings
	ours   []float64   // commands of which one is in force if nobody else commanded since; several when the fate of one is not known, that which was seen last first; none before the first
	at     time.Time   // of the last one
	recent []time.Time // commands of the last hour, or minute
	before *Before     // what stood before the first command; nil: not known
	kept   bool        // it is in the memory, if not with all commands since
	sought bool        // the memory was asked
}

// New returns a commander that has sent nothing yet.
func New(s Settings) *Commander {
	if s.Memory == nil {
		s.Memory = forgetful{}
	}
	return &Commander{s: s}
}

// Allows returns nil or a *[drivers.LimitError].
func (c *Commander) allows(v float64) error {
	ctl := c.s.Control
	if v >= ctl.Min && v <= ctl.Max || v == ctl.Safe || ctl.Pause != nil && v == *ctl.Pause {
		return nil
	}
	return &drivers.LimitError{Point: ctl.Point, Value: v, Min: ctl.Min, Max: ctl.Max, Unit: c.s.Profile.Control.Unit()}
}

// Send commands the device and returns the command as read back; see drivers.Driver. Of a command that fails half-way the error names the write that failed: profiles put the one that
// brings the others into force last. The reading is of quality uncertain where nothing can be read back.
func (c *Commander) Send(ctx context.Context, v float64) (drivers.Reading, error) {
	v, sequence, err := c.prepare(ctx, v)
	if err != nil {
		return drivers.Reading{}, unwritten{err}
	}
	c.sending(v, time.Now())
	got, out, err := c.write(ctx, v, sequence)
	if err != nil {
		return out, err
	}
	told, ok := c.s.Profile.Command(lookup(got))
	if ok {
		c.ours = append(c.ours[:0], told)
	}
	if rb := c.s.Profile.Control.ReadBack; rb != nil {
		return c.s.Port.ReadBack(ctx, c.s.Profile.Point(rb.Point), c.s.Control.Point, v, rb.Tolerance)
	}
	if ok {
		out.Value = told // as the registers' resolution has it
	}
	return out, nil
}

// prepare looks whether a command may be sent, and returns it within the owner's limit with its writes.
func (c *Commander) prepare(ctx context.Context, v float64) (float64, []profile.PointValue, error) {
	if err := c.allows(v); err != nil {
		return v, nil, err
	}
	if _, err := c.s.Profile.Sequence(v); err != nil {
		return v, nil, err
	}
	if err := c.often(v == c.s.Control.Safe, time.Now()); err != nil {
		return v, nil, err
	}
	c.expire()
	if err := c.foreign(ctx, c.ours); err != nil {
		return v, nil, err
	}
	v, err := c.remember(ctx, v)
	if err != nil {
		return v, nil, err
	}
	sequence, err := c.s.Profile.Sequence(v)
	return v, sequence, err
}

// unwritten marks the error of a command of which nothing was sent.
type unwritten struct{ error }

func (e unwritten) Unwrap() []error { return []error{e.error, drivers.ErrNotWritten} }

// write makes writes in order and returns what was read back of each.
func (c *Commander) write(ctx context.Context, v float64, sequence []profile.PointValue) (map[string]float64, drivers.Reading, error) {
	got := make(map[string]float64, len(sequence))
	out := drivers.Reading{Point: c.s.Control.Point, Value: v, Quality: district.Good}
	for i, w := range sequence {
		r, err := c.s.Port.WritePoint(ctx, c.s.Profile.Point(w.Point), w.Value)
		if err != nil {
			if le, ok := errors.AsType[*drivers.LimitError](err); ok {
				le.Point = c.s.Control.Point + ", " + le.Point
			}
			return got, r, fmt.Errorf("step %d of %d, %s %g: %w", i+1, len(sequence), w.Point, w.Value, err)
		}
		got[w.Point] = r.Value
		out.Time = r.Time
		if r.Quality != district.Good {
			out.Quality = r.Quality
		}
	}
	return got, out, nil
}

// Release gives the device back; see drivers.Releaser.
func (c *Commander) Release(ctx context.Context) (drivers.Reading, error) {
	ctl := c.s.Control
	nothing := drivers.Reading{Point: ctl.Point, Value: math.NaN(), Quality: district.Uncertain}
	switch {
	case ctl.Restore == drivers.RestoreReversion:
		return nothing, nil
	case ctl.Restore == drivers.RestorePrevious:
		if err := c.seek(ctx); err != nil {
			return drivers.Reading{}, unwritten{err}
		}
		if c.before == nil { // never commanded
			return nothing, nil
		}
	case len(c.s.Profile.Control.Release) == 0:
		return c.Send(ctx, ctl.Safe)
	}
	ours := c.ours // also those from which it fell back by itself: what stands then may be somebody else's
	if len(ours) == 0 && c.before != nil {
		ours = c.before.Ours
	}
	if c.before != nil {
		if v, ok := c.s.Profile.Standing(lookup(c.before.Points)); ok { // it fell back to that by itself
			ours = append([]float64{v}, ours...)
		}
	}
	if err := c.foreign(ctx, ours); err != nil {
		return drivers.Reading{}, unwritten{err}
	}
	writes, err := c.s.Profile.Releasing()
	if ctl.Restore == drivers.RestorePrevious {
		writes, err = c.previous(), nil
	}
	if err != nil {
		return drivers.Reading{}, err
	}
	if len(writes) == 0 { // what stood before could not be read
		return c.Send(ctx, ctl.Safe)
	}
	got, out, err := c.write(ctx, ctl.Safe, writes)
	if err != nil {
		return out, err
	}
	c.ours, c.before, c.kept = nil, nil, false
	if ctl.Restore == drivers.RestorePrevious {
		if err := c.s.Memory.Forget(c.s.Device); err != nil {
			return out, fmt.Errorf("given back, but what stood before is still kept: %w", err)
		}
		if told, ok := c.s.Profile.Standing(lookup(got)); ok {
			out.Value = told
		} else {
			out.Value, out.Quality = math.NaN(), district.Uncertain
		}
	}
	return out, nil
}

// previous are the writes that put back what stood before, the one that brings the others into force last.
func (c *Commander) previous() (writes []profile.PointValue) {
	for _, name := range c.s.Profile.Control.Written() {
		if v, ok := c.before.Points[name]; ok {
			writes = append(writes, profile.PointValue{Point: name, Value: v})
		}
	}
	return writes
}

// below brings a command to within the limit of production that stood before: that is the owner's.
func (c *Commander) below(v float64) float64 {
	_, byHand := c.s.Memory.(forgetful)
	if ctl := c.s.Control; byHand || ctl.Quantity != drivers.ControlShare || ctl.Min < 0 {
		return v
	}
	if limit, ok := c.s.Profile.Standing(lookup(c.before.Points)); ok && limit > 0 && limit < v { // nobody forbids all production for good
		return limit
	}
	return v
}

// remember reads what stands before the first command, and keeps it with the commands that are ours. It returns the command within the owner's limit.
func (c *Commander) remember(ctx context.Context, v float64) (float64, error) {
	if c.s.Control.Restore != drivers.RestorePrevious {
		return v, nil
	}
	if err := c.seek(ctx); err != nil {
		return v, err
	}
	if c.before == nil {
		points, err := c.read(ctx)
		if err != nil {
			return v, fmt.Errorf("not written, since what stands before could not be read: %w", err)
		}
		c.before = &Before{Points: points}
	}
	v = c.below(v)
	if n := len(c.before.Ours); n > 0 && c.before.Ours[n-1] == v {
		return v, nil
	}
	ours := c.ours
	if len(ours) == 0 {
		ours = c.before.Ours
	}
	next := Before{Points: c.before.Points, Ours: among(ours, v)}
	switch err := c.s.Memory.Keep(c.s.Device, next); {
	case err == nil:
		c.before, c.kept = &next, true
	case !c.kept:
		return v, fmt.Errorf("not written, since what stands before could not be kept: %w", err)
	default: // a disk that fails does not end control: after a crash this command would be taken for somebody else's; it is kept with the next one
	}
	return v, nil
}

// seek takes over what the run before left, unless somebody else has commanded the device since.
func (c *Commander) seek(ctx context.Context) error {
	if c.sought {
		return nil
	}
	left, ok, err := c.s.Memory.Recall(c.s.Device)
	if err != nil {
		return fmt.Errorf("what stood before is not known: %w", err)
	}
	if !ok {
		c.sought = true
		return nil
	}
	points, err := c.read(ctx)
	if err != nil {
		return err
	}
	c.sought = true
	now, ok := c.s.Profile.Standing(lookup(points))
	if !ok || c.near(now, c.s.Control.Safe) {
		c.before, c.kept = &left, true
		return nil
	}
	for _, v := range left.Ours {
		if c.near(now, v) {
			c.before, c.kept, c.ours, c.at = &left, true, append([]float64(nil), left.Ours...), time.Now()
			return nil
		}
	}
	return c.s.Memory.Forget(c.s.Device)
}

// read returns the points that a command writes, as far as the device has them.
func (c *Commander) read(ctx context.Context) (map[string]float64, error) {
	var points []*profile.Point
	for _, name := range c.s.Profile.Control.Written() {
		points = append(points, c.s.Profile.Point(name))
	}
	values, err := c.s.Port.ReadPoints(ctx, points)
	if errors.Is(err, drivers.ErrRejected) {
		err = nil
	}
	return values, err
}

// often refuses a command that is one too many; the safe value is always sent.
func (c *Commander) often(safe bool, now time.Time) error {
	minute, hour := 0, 0
	kept := c.recent[:0]
	for _, at := range c.recent {
		age := now.Sub(at)
		if age < time.Minute {
			minute++
		}
		if age < time.Hour {
			hour++
		}
		if age < time.Minute || age < time.Hour && c.s.Control.MinInterval > 0 {
			kept = append(kept, at)
		}
	}
	c.recent = kept
	if !safe && c.s.Commands > 0 && minute >= c.s.Commands {
		return fmt.Errorf("%w: %d commands in a minute, at most %d", drivers.ErrTooOften, minute+1, c.s.Commands)
	}
	if interval := c.s.Control.MinInterval; !safe && interval > 0 && hour >= max(1, int(time.Hour/interval)) {
		return fmt.Errorf("%w: %d commands in an hour to a register that may be written each %g s", drivers.ErrTooOften, hour+1, interval.Seconds())
	}
	return nil
}

// sending notes and counts a command whose fate is not known yet; one that is not sent wears nothing.
func (c *Commander) sending(v float64, now time.Time) {
	if c.s.Commands > 0 || c.s.Control.MinInterval > 0 {
		c.recent = append(c.recent, now)
	}
	if len(c.ours) > 0 { // before the first one nothing was known of the device either
		c.ours = among(c.ours, v)
	}
	c.at = now
}

// among adds a command to those of which one is in force. Of failures in a row only some are kept apart, and always the first, which was seen: a device that keeps no command stays at it.
func among(ours []float64, v float64) []float64 {
	const most = 5
	out := append(slices.Clone(ours), v)
	if len(out) > most {
		out = slices.Delete(out, 1, 1+len(out)-most)
	}
	return out
}

// near reports whether two commands are the same to the device.
func (c *Commander) near(a, b float64) bool {
	return math.Abs(a-b) <= c.s.Control.Step/2+1e-6*(1+math.Abs(b))
}

// expire forgets commands from which the device fell back by itself.
func (c *Commander) expire() {
	if r := c.s.Control.Reversion; r > 0 && time.Since(c.at) >= r {
		c.ours = nil
	}
}

// foreign returns drivers.ErrConflict while the device holds a command that is neither ours nor the one that gives it back its own control.
func (c *Commander) foreign(ctx context.Context, ours []float64) error {
	ctl := c.s.Control
	if len(ours) == 0 {
		return nil
	}
	for _, w := range c.s.Profile.Control.Writes {
		if !c.s.Profile.Point(w.Point).Readable() {
			return nil
		}
	}
	values, err := c.s.Port.ReadPoints(ctx, c.written())
	if errors.Is(err, drivers.ErrRejected) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("not written, since what holds could not be read: %w", err)
	}
	now, ok := c.s.Profile.Standing(lookup(values))
	if !ok || c.near(now, ctl.Safe) && len(c.s.Profile.Control.Release) == 0 {
		return nil
	}
	for _, v := range ours {
		if !c.near(now, v) {
			continue
		}
		if i := slices.Index(c.ours, v); i > 0 { // it was seen: it is what a device that keeps no other stays at
			c.ours = slices.Insert(slices.Delete(c.ours, i, i+1), 0, v)
		}
		return nil
	}
	return fmt.Errorf("%s is at %g, and we wrote %g at %s: %w", ctl.Point, now, ours[len(ours)-1], c.at.UTC().Format(time.RFC3339), drivers.ErrConflict)
}

// written are the points of the sequence.
func (c *Commander) written() (points []*profile.Point) {
	for _, w := range c.s.Profile.Control.Writes {
		points = append(points, c.s.Profile.Point(w.Point))
	}
	return points
}

func lookup(values map[string]float64) func(string) (float64, bool) {
	return func(point string) (float64, bool) { v, ok := values[point]; return v, ok }
}
