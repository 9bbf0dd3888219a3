package modbus

import (
	"context"
	"fmt"
	"math"

	"quartier/drivers"
	"quartier/drivers/command"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// Write sets a point, or sends a command through the control point; see drivers.Driver and package command.
func (d *Device) Write(ctx context.Context, name string, v float64) (drivers.Reading, error) {
	return d.writer.Write(ctx, name, v)
}

// Release gives the device back; see drivers.Releaser.
func (d *Device) Release(ctx context.Context) (drivers.Reading, error) { return d.writer.Release(ctx) }

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

// writePoint writes one point and reads it back.
func (d *Device) writePoint(ctx context.Context, pt *profile.Point, v float64) (drivers.Reading, error) {
	if err := command.InRange(pt, v); err != nil {
		return drivers.Reading{}, err
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
	return command.ReadBack(ctx, pt, want, tolerance, func(ctx context.Context) (drivers.Reading, error) {
		values, err := d.read(ctx, []*profile.Point{pt})
		got := values[pt]
		r := drivers.Reading{Point: name, Value: got.v, Quality: district.Good, Time: got.at}
		if got.bad {
			r.Value, r.Quality = math.NaN(), district.Bad
		}
		return r, err
	})
}
