package profile

import (
	"fmt"
	"math"

	"quartier/schemas/district"
)

// Check tries what a document without fault can still have wrong. faults: a command that does not come back from the registers that it is written to, so that what the device does
// could not be told. hints: what the profile leaves out, and what follows from that.
func (p *Profile) Check() (faults []error, hints []string) {
	for _, want := range p.trials() {
		got, err := p.roundTrip(want)
		switch {
		case err != nil:
			faults = append(faults, fmt.Errorf("profile %s: command %g: %w", p.Name, want, err))
		case math.IsNaN(got) || math.Abs(got-want) > 1e-3+p.Control.Step:
			faults = append(faults, fmt.Errorf("profile %s: command %g %s reads back from its registers as %g", p.Name, want, p.Control.Unit(), got))
		}
	}
	if c := p.Control; c != nil && len(c.Release) > 0 { // what gives the device back must not look like a command
		values := map[string]float64{}
		for _, w := range c.Release {
			values[w.Point] = w.Value
		}
		read := func(point string) (float64, bool) { v, ok := values[point]; return v, ok }
		for _, want := range p.trials() {
			seq, err := p.Sequence(want)
			if err != nil {
				continue
			}
			for _, w := range seq {
				values[w.Point] = w.Value
			}
			if p.Released(read) {
				faults = append(faults, fmt.Errorf("profile %s: after command %g %s the registers stand as after release", p.Name, want, p.Control.Unit()))
			}
		}
	}
	return faults, p.hints()
}

// trials are commands at the ends of the range, within it and at its marks.
func (p *Profile) trials() []float64 {
	c := p.Control
	if c == nil {
		return nil
	}
	out := []float64{c.Min, c.Max, c.Safe}
	if c.Pause != nil {
		out = append(out, *c.Pause)
	}
	if c.discrete() {
		for v := c.Min; v <= c.Max; v++ {
			out = append(out, v)
		}
		return out
	}
	return append(out, c.Min+(c.Max-c.Min)/4, c.Min+3*(c.Max-c.Min)/4)
}

// roundTrip sends a command through the registers of its sequence and returns what they then stand for, NaN for nothing.
func (p *Profile) roundTrip(command float64) (float64, error) {
	seq, err := p.Sequence(command)
	if err != nil {
		return 0, err
	}
	values := map[string]float64{}
	for _, w := range seq {
		pt := p.Point(w.Point)
		v := w.Value
		if pt.Register != nil {
			var sf int16
			if pt.Register.ScaleFactor != nil {
				sf = pt.Register.ScaleFactor.Simulated
			}
			regs, err := pt.Encode(v, sf)
			if err != nil {
				return 0, err
			}
			if v, err = pt.Decode(regs, sf); err != nil {
				return 0, err
			}
		}
		values[w.Point] = v
	}
	got, ok := p.Command(func(point string) (float64, bool) { v, ok := values[point]; return v, ok })
	if !ok {
		return math.NaN(), nil
	}
	return got, nil
}

func (p *Profile) hints() []string {
	var out []string
	hint := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	electric := false
	for _, k := range p.Kinds {
		electric = electric || k != district.HeatMeter && k != district.GasMeter && k != district.Weather
	}
	if electric {
		if p.Point(district.PowerKW) == nil {
			hint("no point %s: the device's present power is not known", district.PowerKW)
		}
		if p.Point(district.ImportKWh) == nil && p.Point(district.ExportKWh) == nil {
			hint("no counter %s or %s: its energy is not counted", district.ImportKWh, district.ExportKWh)
		}
	}
	for _, pt := range p.Points {
		if r := pt.Register; r != nil && pt.Readable() && len(r.NotImplemented) == 0 && len(pt.States) == 0 && !r.Table.Bits() && r.Mask == 0 && pt.Form != district.State &&
			pt.Type != F32 && pt.Type != F64 && pt.Type != String {
			hint("%s: no not_implemented: if the device marks a missing value, such as by 0x8000 or 0xFFFF, the mark is taken for a measurement", pt.Name)
		}
	}
	if c := p.Control; c != nil {
		if c.hasZero() && c.Zero == "" {
			hint("control: no zero: say hold if 0 %s lets the device stand still, release if it then goes its own way; hold is assumed", c.Unit())
		}
		if c.Reversion == 0 {
			hint("control: no reversion_s: the device keeps the last command when nobody sends one any more")
		}
		if c.MinHold == 0 {
			hint("control: no min_hold_s: commands may follow each other at once")
		}
	} else if !p.ReadOnly {
		hint("no control: say control: none when the device is only read")
	}
	return out
}
