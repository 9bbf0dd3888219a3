package command

import (
	"context"
	"fmt"
	"math"
	"time"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// Writer is the writing half of a driver, whatever its protocol: one operation after the other, by the commander for the control point and by the port for the others.
type Writer struct {
	life      context.Context // ends with the device
	profile   *profile.Profile
	port      Port
	commander *Commander // nil: the device is not commanded
	fail      func(operation string, err error) error
	writing   chan struct{} // holds one operation
}

// NewWriter returns a writer; commander may be nil. Every error passes through fail, which names the device.
func NewWriter(life context.Context, p *profile.Profile, port Port, commander *Commander, fail func(operation string, err error) error) *Writer {
	return &Writer{life: life, profile: p, port: port, commander: commander, fail: fail, writing: make(chan struct{}, 1)}
}

// Write sets a point, or sends a command through the control point; see drivers.Driver.
func (w *Writer) Write(ctx context.Context, name string, v float64) (drivers.Reading, error) {
	return w.alone(ctx, fmt.Sprintf("write %s %g", name, v), func(ctx context.Context) (drivers.Reading, error) {
		pt := w.profile.Point(name)
		switch {
		case w.commander != nil && name == w.commander.s.Control.Point:
			return w.commander.Send(ctx, v)
		case pt == nil:
			return drivers.Reading{}, fmt.Errorf("%q: %w", name, drivers.ErrUnknownPoint)
		case !pt.Writable():
			return drivers.Reading{}, drivers.ErrReadOnly
		}
		return w.port.WritePoint(ctx, pt, v)
	})
}

// Release gives the device back; see drivers.Releaser.
func (w *Writer) Release(ctx context.Context) (drivers.Reading, error) {
	return w.alone(ctx, "release", func(ctx context.Context) (drivers.Reading, error) {
		if w.commander == nil {
			return drivers.Reading{}, drivers.ErrReadOnly
		}
		return w.commander.Release(ctx)
	})
}

// alone runs one writing operation after the other.
func (w *Writer) alone(ctx context.Context, operation string, run func(context.Context) (drivers.Reading, error)) (drivers.Reading, error) {
	if w.life.Err() != nil {
		return drivers.Reading{}, w.fail(operation, drivers.ErrClosed)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(w.life, func() { cancel(drivers.ErrClosed) })()
	select {
	case w.writing <- struct{}{}:
		defer func() { <-w.writing }()
	case <-ctx.Done():
		return drivers.Reading{}, w.fail(operation, fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(ctx)))
	}
	r, err := run(ctx)
	if err != nil {
		return r, w.fail(operation, err)
	}
	return r, nil
}

// InRange returns nil, or the *[drivers.LimitError] of a value that the point does not take.
func InRange(pt *profile.Point, v float64) error {
	const rounding = 1e-9 // of the conversion from the device's unit, relative
	if slack := rounding * (1 + math.Abs(v)); !(v >= pt.Min-slack && v <= pt.Max+slack) || math.IsInf(v, 0) {
		return &drivers.LimitError{Point: pt.Name, Value: v, Min: pt.Min, Max: pt.Max, Unit: pt.Unit}
	}
	return nil
}

// readBackDelays are the pauses before each attempt to read a written value back; some devices take a moment to show it.
var readBackDelays = []time.Duration{0, 100 * time.Millisecond, 400 * time.Millisecond}

// ReadBack reads a point until it is within tolerance of want; read returns what it is at, of quality bad where that is no number. Otherwise the error is drivers.ErrReadBack
// beside what was read last.
func ReadBack(ctx context.Context, pt *profile.Point, want, tolerance float64, read func(context.Context) (drivers.Reading, error)) (r drivers.Reading, err error) {
	for _, delay := range readBackDelays {
		t := time.NewTimer(delay)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return drivers.Reading{}, fmt.Errorf("%w: not read back: %w", drivers.ErrUnreachable, context.Cause(ctx))
		}
		if r, err = read(ctx); err != nil {
			return drivers.Reading{}, fmt.Errorf("written, not read back: %w", err)
		}
		if r.Quality != district.Bad && math.Abs(r.Value-want) <= tolerance {
			return r, nil
		}
	}
	return r, fmt.Errorf("%s: wrote %g %s, read %g %s: %w", pt.Name, want, pt.Unit, r.Value, pt.Unit, drivers.ErrReadBack)
}
