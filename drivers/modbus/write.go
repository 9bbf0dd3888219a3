package modbus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// readBackDelays are the pauses before each attempt to read a written value back; some devices take a moment to show it.
var readBackDelays = []time.Duration{0, 100 * time.Millisecond, 400 * time.Millisecond}

// Write sets a point, or sends a command through the control point; see drivers.Driver. Of a command that fails half-way the error names the write
// that failed: profiles put the one that brings the others into force last. The reading is of quality uncertain where nothing can be read back.
func (d *Device) Write(ctx context.Context, name string, v float64) (drivers.Reading, error) {
	if d.life.ctx.Err() != nil {
		return drivers.Reading{}, d.fail("write", drivers.ErrClosed)
	}
	ctx, done := d.life.bind(ctx)
	defer done()
	select {
	case d.writing <- struct{}{}:
		defer func() { <-d.writing }()
	case <-ctx.Done():
		return drivers.Reading{}, d.fail("write "+name, fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(ctx)))
	}
	var r drivers.Reading
	var err error
	if d.has && name == d.control.Point {
		r, err = d.command(ctx, v)
	} else {
		r, err = d.writeByName(ctx, name, v)
	}
	if err != nil {
		return r, d.fail(fmt.Sprintf("write %s %g", name, v), err)
	}
	return r, nil
}

func (d *Device) writeByName(ctx context.Context, name string, v float64) (drivers.Reading, error) {
	pt := d.profile.Point(name)
	switch {
	case pt == nil:
		return drivers.Reading{}, fmt.Errorf("%q: %w", name, drivers.ErrUnknownPoint)
	case !pt.Writable():
		return drivers.Reading{}, drivers.ErrReadOnly
	}
	return d.writePoint(ctx, pt, v)
}

// writePoint writes one point and reads it back.
func (d *Device) writePoint(ctx context.Context, pt *profile.Point, v float64) (drivers.Reading, error) {
	const rounding = 1e-9 // of the conversion from the device's unit, relative
	if slack := rounding * (1 + math.Abs(v)); !(v >= pt.Min-slack && v <= pt.Max+slack) || math.IsInf(v, 0) {
		return drivers.Reading{}, &drivers.LimitError{Point: pt.Name, Value: v, Min: pt.Min, Max: pt.Max, Unit: pt.Unit}
	}
	known, err := d.learn(ctx, pt.Register.SunSpec != nil)
	if err != nil {
		return drivers.Reading{}, err
	}
	pl, ok := locate(pt, known.layout)
	if !ok {
		return drivers.Reading{}, fmt.Errorf("%s: the device has none of the models %v: %w", pt.Name, pt.Register.SunSpec.Models, drivers.ErrRejected)
	}
	var sf int16
	if len(pl.spans) == 2 {
		regs, err := d.link.read(ctx, d.dev.Unit, d.pauses(), pl.spans[1].Table, pl.spans[1].Address, 1)
		if err != nil {
			return drivers.Reading{}, err
		}
		sf = int16(regs[0])
		if sf < -10 || sf > 10 {
			return drivers.Reading{}, fmt.Errorf("%s: scale factor %d: %w", pt.Name, sf, drivers.ErrGarbage)
		}
	}
	regs, err := pt.Encode(v, sf)
	if err != nil {
		return drivers.Reading{}, fmt.Errorf("%w: %w", &drivers.LimitError{Point: pt.Name, Value: v, Min: pt.Min, Max: pt.Max, Unit: pt.Unit}, err)
	}
	at := pl.spans[0]
	if err := d.link.write(ctx, d.dev.Unit, d.pauses(), pt.Register.WriteFunction, at.Address, regs); err != nil {
		return drivers.Reading{}, err
	}
	sent, err := pt.Decode(regs, sf)
	if err != nil {
		return drivers.Reading{}, err
	}
	if !pt.Readable() {
		return drivers.Reading{Point: pt.Name, Value: sent, Quality: district.Uncertain, Time: d.config.Now().UTC()}, nil
	}
	tolerance := 1e-6*(1+math.Abs(sent)) + pt.Resolution(sf)/2
	return d.readBack(ctx, pt, pt.Name, sent, tolerance)
}

// readBack reads pt until it is within tolerance of want.
func (d *Device) readBack(ctx context.Context, pt *profile.Point, name string, want, tolerance float64) (drivers.Reading, error) {
	var got value
	for _, delay := range readBackDelays {
		if !d.link.pause(ctx, delay) {
			return drivers.Reading{}, fmt.Errorf("%w: not read back: %w", drivers.ErrUnreachable, context.Cause(ctx))
		}
		values, err := d.read(ctx, []*profile.Point{pt})
		if err != nil {
			return drivers.Reading{}, fmt.Errorf("written, not read back: %w", err)
		}
		if got = values[pt]; !got.bad && math.Abs(got.v-want) <= tolerance {
			return drivers.Reading{Point: name, Value: got.v, Quality: district.Good, Time: got.at}, nil
		}
	}
	r := drivers.Reading{Point: name, Value: got.v, Quality: district.Good, Time: got.at}
	if got.bad {
		r.Value, r.Quality = math.NaN(), district.Bad
	}
	return r, fmt.Errorf("%s: wrote %g %s, read %g %s: %w", pt.Name, want, pt.Unit, r.Value, pt.Unit, drivers.ErrReadBack)
}

// command sends one value of the control quantity.
func (d *Device) command(ctx context.Context, v float64) (drivers.Reading, error) {
	c := d.control
	inside := v >= c.Min && v <= c.Max || v == c.Safe || c.Pause != nil && v == *c.Pause
	if !inside {
		return drivers.Reading{}, &drivers.LimitError{Point: c.Point, Value: v, Min: c.Min, Max: c.Max, Unit: d.profile.Control.Unit()}
	}
	sequence, err := d.profile.Sequence(v)
	if err != nil {
		return drivers.Reading{}, err
	}
	if err := d.mine.often(v == c.Safe, d.config.Commands, time.Now()); err != nil {
		return drivers.Reading{}, err
	}
	if err := d.foreign(ctx); err != nil {
		return drivers.Reading{}, err
	}
	d.mine.sending(v, time.Now())
	got := make(map[string]float64, len(sequence))
	out := drivers.Reading{Point: c.Point, Value: v, Quality: district.Good}
	for i, w := range sequence {
		r, err := d.writePoint(ctx, d.profile.Point(w.Point), w.Value)
		if err != nil {
			if le, ok := errors.AsType[*drivers.LimitError](err); ok {
				le.Point = c.Point + ", " + le.Point
			}
			return r, fmt.Errorf("step %d of %d, %s %g: %w", i+1, len(sequence), w.Point, w.Value, err)
		}
		got[w.Point] = r.Value
		out.Time = r.Time
		out.Quality = max(out.Quality, r.Quality)
	}
	told, ok := d.profile.Command(func(point string) (float64, bool) { x, ok := got[point]; return x, ok })
	if ok {
		d.mine.stands(told)
	}
	if rb := d.profile.Control.ReadBack; rb != nil {
		return d.readBack(ctx, d.profile.Point(rb.Point), c.Point, v, rb.Tolerance)
	}
	if ok {
		out.Value = told // as the registers' resolution has it
	}
	return out, nil
}
