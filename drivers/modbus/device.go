package modbus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"quartier/drivers"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// Device is one unit behind a link, seen through its profile. It implements drivers.Driver.
//
// A reading of quality bad has the value NaN: the device marks the point as not implemented, does not have it, sent a code that the profile
// does not list, or rejected its register (then the error says so as well).
type Device struct {
	link    *Link
	dev     district.Device
	profile *profile.Profile
	points  []drivers.Point
	control drivers.Control
	has     bool // control
	config  Config
	life    life
	release func() error
	once    sync.Once
	err     error // of release

	writing chan struct{} // one command at a time, whose sender has mine
	mine    mine
	learned chan learned // holds the one copy of what was learned of the device
}

// learned is what holds for one connection.
type learned struct {
	epoch  uint64
	layout profile.Layout
	alone  map[Span]bool // spans that the device rejects when merged with others
}

func newDevice(link *Link, dev district.Device, p *profile.Profile, config Config) *Device {
	d := &Device{link: link, dev: dev, profile: p, points: p.DriverPoints(), config: config, life: newLife(),
		writing: make(chan struct{}, 1), learned: make(chan learned, 1)}
	d.control, d.has = p.ControlFor(dev)
	if d.has {
		for i := range d.points {
			if pt := &d.points[i]; pt.Name == d.control.Point {
				pt.Min, pt.Max = bounds(d.control)
			}
		}
	}
	d.learned <- learned{}
	return d
}

// bounds is the smallest range that holds every command.
func bounds(c drivers.Control) (low, high float64) {
	low, high = math.Min(c.Min, c.Safe), math.Max(c.Max, c.Safe)
	if c.Pause != nil {
		low, high = math.Min(low, *c.Pause), math.Max(high, *c.Pause)
	}
	return low, high
}

// Points lists the points of the profile.
func (d *Device) Points() []drivers.Point { return append([]drivers.Point(nil), d.points...) }

// Control describes how the device is commanded.
func (d *Device) Control() (drivers.Control, bool) { return d.control, d.has }

// Close gives the link back, and closes it after its last device. It may be called twice.
func (d *Device) Close() error {
	d.once.Do(func() {
		d.life.end(drivers.ErrClosed)
		d.err = d.release()
	})
	return d.err
}

// Stats returns the totals of the device's link, which it may share with others.
func (d *Device) Stats() Stats { return d.link.Stats() }

func (d *Device) fail(operation string, err error) error {
	if d.life.ctx.Err() != nil {
		err = drivers.ErrClosed
	}
	return fmt.Errorf("%s: %s: %w", d.dev.ID, operation, err)
}

func (d *Device) pauses() pauses {
	l := d.profile.Limits
	return pauses{connect: l.ConnectDelay, between: l.Delay, timeout: l.Timeout}
}

// target is one point to read: by itself, or computed from others.
type target struct {
	name  string
	point *profile.Point // nil for a control point that stands for a sequence
	parts []*profile.Point
}

// Read reads points; see drivers.Driver.
func (d *Device) Read(ctx context.Context, names ...string) ([]drivers.Reading, error) {
	if d.life.ctx.Err() != nil {
		return nil, d.fail("read", drivers.ErrClosed)
	}
	targets, err := d.targets(names)
	if err != nil {
		return nil, d.fail("read", err)
	}
	ctx, done := d.life.bind(ctx)
	defer done()
	var parts []*profile.Point
	for _, t := range targets {
		parts = append(parts, t.parts...)
	}
	values, err := d.fetch(ctx, parts)
	var out []drivers.Reading
	for _, t := range targets {
		if r, ok := d.reading(t, values); ok {
			out = append(out, r)
		}
	}
	if err != nil {
		return out, d.fail("read", err)
	}
	return out, nil
}

// targets resolves names, every readable point when there are none.
func (d *Device) targets(names []string) ([]target, error) {
	if len(names) == 0 {
		for _, p := range d.points {
			if p.Readable {
				names = append(names, p.Name)
			}
		}
	}
	var out []target
	var faults []error
	for _, name := range names {
		t := target{name: name, point: d.profile.Point(name)}
		c := d.profile.Control
		switch {
		case t.point == nil && c != nil && c.Point == name && c.ReadBack != nil:
			t.parts = []*profile.Point{d.profile.Point(c.ReadBack.Point)}
		case t.point == nil && c != nil && c.Point == name && c.Readable(d.profile):
			for _, w := range c.Writes {
				t.parts = append(t.parts, d.profile.Point(w.Point))
			}
		case t.point == nil && c != nil && c.Point == name, t.point != nil && !t.point.Readable():
			faults = append(faults, fmt.Errorf("%s cannot be read: %w", name, drivers.ErrRejected))
		case t.point == nil:
			faults = append(faults, fmt.Errorf("%q: %w", name, drivers.ErrUnknownPoint))
		case len(t.point.Sum) > 0:
			for _, s := range t.point.Sum {
				t.parts = append(t.parts, d.profile.Point(s.Point))
			}
		default:
			t.parts = []*profile.Point{t.point}
		}
		out = append(out, t)
	}
	return out, errors.Join(faults...)
}

// value is one decoded point; known is false while no answer was had for it.
type value struct {
	v     float64
	at    time.Time
	known bool
	bad   bool
}

// reading computes one target from the values of its parts. ok is false where an answer is missing.
func (d *Device) reading(t target, values map[*profile.Point]value) (drivers.Reading, bool) {
	r := drivers.Reading{Point: t.name, Quality: district.Good}
	bad := false
	for _, p := range t.parts {
		v := values[p]
		if !v.known {
			return r, false
		}
		bad = bad || v.bad
		if v.at.After(r.Time) {
			r.Time = v.at
		}
	}
	if bad {
		r.Value, r.Quality = math.NaN(), district.Bad
		return r, true
	}
	switch {
	case t.point == nil && d.profile.Control.ReadBack == nil:
		v, ok := d.profile.Command(func(name string) (float64, bool) {
			v, ok := values[d.profile.Point(name)]
			return v.v, ok
		})
		if !ok { // under its own control
			r.Value, r.Quality = math.NaN(), district.Bad
			return r, true
		}
		r.Value = v
	case t.point != nil && len(t.point.Sum) > 0:
		for i, s := range t.point.Sum {
			r.Value += s.Factor * values[t.parts[i]].v
		}
	default:
		r.Value = values[t.parts[0]].v
	}
	return r, true
}

// fetch reads and decodes points. Points that the device rejects come back bad, beside the error.
func (d *Device) fetch(ctx context.Context, points []*profile.Point) (map[*profile.Point]value, error) {
	out := make(map[*profile.Point]value, len(points))
	places := make(map[*profile.Point]placed, len(points))
	var wants []Span
	sunspec := false
	for _, p := range points {
		sunspec = sunspec || p.Register != nil && p.Register.SunSpec != nil
	}
	known, err := d.learn(ctx, sunspec)
	if err != nil {
		return out, err
	}
	now := d.config.Now().UTC()
	for _, p := range points {
		if p.Constant != nil {
			out[p] = value{v: *p.Constant, at: now, known: true}
			continue
		}
		pl, ok := locate(p, known.layout)
		if !ok {
			out[p] = value{at: now, known: true, bad: true} // the device has no such model
			continue
		}
		places[p] = pl
		wants = append(wants, pl.spans...)
	}
	regs, err := d.request(ctx, wants, known)
	if errors.Is(err, drivers.ErrUnreachable) || errors.Is(err, drivers.ErrGarbage) {
		d.forget()
	}
	for p, pl := range places {
		if v, ok := pl.decode(p, regs); ok {
			out[p] = v
		}
	}
	return out, err
}

// placed is where the parts of a point lie.
type placed struct {
	spans []Span // the value, then its scale factor if it has one
}

func locate(p *profile.Point, layout profile.Layout) (placed, bool) {
	address, scale, hasScale, ok := p.Locate(layout)
	if !ok || int(address)+int(p.Register.Length) > 65536 {
		return placed{}, false
	}
	pl := placed{spans: []Span{{p.Register.Table, address, p.Register.Length}}}
	if hasScale {
		pl.spans = append(pl.spans, Span{p.Register.Table, scale, 1})
	}
	return pl, true
}

// answer is what came back for one wanted span.
type answer struct {
	regs     []uint16
	at       time.Time
	rejected bool
}

func (pl placed) decode(p *profile.Point, answers map[Span]answer) (value, bool) {
	var at time.Time
	for _, s := range pl.spans {
		a, ok := answers[s]
		if !ok {
			return value{}, false
		}
		at = a.at
		if a.rejected {
			return value{at: at, known: true, bad: true}, true
		}
	}
	var sf int16
	if len(pl.spans) == 2 {
		sf = int16(answers[pl.spans[1]].regs[0])
	}
	v, err := p.Decode(answers[pl.spans[0]].regs, sf)
	return value{v: v, at: at, known: true, bad: err != nil}, true
}

// request reads spans in merged requests. After an error that is no exception nothing more is asked.
func (d *Device) request(ctx context.Context, wants []Span, known learned) (map[Span]answer, error) {
	out := make(map[Span]answer, len(wants))
	var rejected []error
	for _, req := range Merge(wants, d.profile.Limits, func(s Span) bool { return known.alone[s] }) {
		var inside []Span
		for _, w := range wants {
			if _, done := out[w]; !done && req.covers(w) {
				inside = append(inside, w)
			}
		}
		err := d.readSpan(ctx, req, inside, out)
		if errors.Is(err, drivers.ErrRejected) && !sameSpan(inside) {
			d.split(inside, known.epoch)
			err = nil
			for _, w := range inside {
				if _, done := out[w]; done {
					continue
				}
				e := d.readSpan(ctx, w, []Span{w}, out)
				if errors.Is(e, drivers.ErrRejected) {
					out[w] = answer{at: d.config.Now().UTC(), rejected: true}
					rejected = append(rejected, e)
				} else if e != nil {
					return out, errors.Join(append(rejected, e)...)
				}
			}
			continue
		}
		switch {
		case errors.Is(err, drivers.ErrRejected):
			for _, w := range inside {
				out[w] = answer{at: d.config.Now().UTC(), rejected: true}
			}
			rejected = append(rejected, err)
		case err != nil:
			return out, errors.Join(append(rejected, err)...)
		}
	}
	return out, errors.Join(rejected...)
}

func sameSpan(spans []Span) bool {
	for _, s := range spans {
		if s != spans[0] {
			return false
		}
	}
	return true
}

func (d *Device) readSpan(ctx context.Context, req Span, inside []Span, out map[Span]answer) error {
	regs, err := d.link.read(ctx, d.dev.Unit, d.pauses(), req.Table, req.Address, req.Quantity)
	if err != nil {
		return err
	}
	at := d.config.Now().UTC()
	for _, w := range inside {
		from := w.Address - req.Address
		out[w] = answer{regs: regs[from : from+w.Quantity], at: at}
	}
	return nil
}
