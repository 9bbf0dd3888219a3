package modbus

import (
	"context"
	"fmt"
	"math"
	"time"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// readBackDelays are the pauses before each attempt to read a written value back; some devices take a moment to show it.
var readBackDelays = []time.Duration{0, 100 * time.Millisecond, 400 * time.Millisecond}

// Write sets a point, or sends a command through the control point; see drivers.Driver and package command.
func (d *Device) Write(ctx context.Context, name string, v float64) (drivers.Reading, error) {
	return d.alone(ctx, fmt.Sprintf("write %s %g", name, v), func(ctx context.Context) (drivers.Reading, error) {
		if d.has && name == d.control.Point {
			return d.commander.Send(ctx, v)
		}
		return d.writeByName(ctx, name, v)
	})
}

// Release gives the device back; see drivers.Releaser.
func (d *Device) Release(ctx context.Context) (drivers.Reading, error) {
	return d.alone(ctx, "release", func(ctx context.Context) (drivers.Reading, error) {
		if !d.has {
			return drivers.Reading{}, drivers.ErrReadOnly
		}
		return d.commander.Release(ctx)
	})
}

// alone runs one writing operation after the other.
func (d *Device) alone(ctx context.Context, operation string, run func(context.Context) (drivers.Reading, error)) (drivers.Reading, error) {
	if d.life.ctx.Err() != nil {
		return drivers.Reading{}, d.fail(operation, drivers.ErrClosed)
	}
	ctx, done := d.life.bind(ctx)
	defer done()
	select {
	case d.writing <- struct{}{}:
		defer func() { <-d.writing }()
	case <-ctx.Done():
		return drivers.Reading{}, d.fail(operation, fmt.Errorf("%w: %w", drivers.ErrUnreachable, context.Cause(ctx)))
	}
	r, err := run(ctx)
	if err != nil {
		return r, d.fail(operation, err)
	}
	return r, nil
}

// port is the device as its commander sees it.
type port struct{ *Device }

func (p port) WritePoint(ctx context.Context, pt *profile.Point, v float64) (drivers.Reading, error) {
	return p.writePoint(ctx, pt, v)
}

func (p port) ReadBack(ctx context.Context, pt *profile.Point, name string, want, tolerance float64) (drivers.Reading, error) {
	return p.readBack(ctx, pt, name, want, tolerance)
}

func (p port) ReadPoints(ctx context.Context, points []*profile.Point) (map[string]float64, error) {
	values, err := p.read(ctx, points)
	out := make(map[string]float64, len(values))
	for pt, v := range values {
		if v.known && !v.bad {
			out[pt.Name] = v.v
		}
	}
	return out, err
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
