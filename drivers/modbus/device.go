package modbus

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"quartier/drivers"
	"quartier/drivers/command"
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

	all   []target             // the points that can be read
	walks bool                 // one of them lies in a SunSpec model
	room  atomic.Pointer[room] // of the last read, for the next

	writer  *command.Writer
	learned chan learned // holds the one copy of what was learned of the device
}

// learned is what holds for one connection.
type learned struct {
	epoch  uint64
	layout profile.Layout
	alone  map[Span]bool // spans that the device rejects when merged with others
	plan   *plan         // of all readable points; nil: to be made
}

func newDevice(link *Link, dev district.Device, p *profile.Profile, config Config) *Device {
	d := &Device{link: link, dev: dev, profile: p, points: p.DriverPoints(), config: config, life: newLife(),
		learned: make(chan learned, 1)}
	d.control, d.has = p.ControlFor(dev)
	var commander *command.Commander
	if d.has {
		commander = command.New(command.Settings{Device: fmt.Sprintf("%s unit %d %s", dev.Address, dev.Unit, p.Name), Profile: p, Control: d.control, Port: port{d},
			Commands: config.Commands, Memory: config.Memory})
		for i := range d.points {
			if pt := &d.points[i]; pt.Name == d.control.Point {
				pt.Min, pt.Max = bounds(d.control)
			}
		}
	}
	d.writer = command.NewWriter(d.life.ctx, p, port{d}, commander, d.fail)
	d.all, _ = d.targets(d.readable()) // none of the profile's own points is unknown
	d.walks = sunspec(d.all)
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
	targets, walks := d.all, d.walks
	if len(names) > 0 {
		var err error
		if targets, err = d.targets(names); err != nil {
			return nil, d.fail("read", err)
		}
		walks = sunspec(targets)
	}
	ctx, done := d.life.bind(ctx)
	defer done()
	known, err := d.learn(ctx, walks)
	if err != nil {
		return nil, d.fail("read", err)
	}
	p := known.plan
	if len(names) > 0 || p == nil {
		p = d.plan(targets, known)
	}
	if len(names) == 0 && known.plan == nil {
		d.keep(p, known)
	}
	room := d.room.Swap(nil)
	if room == nil {
		room = newRoom(p)
	}
	defer d.room.Store(room)
	values, err := d.fetch(ctx, p, room)
	out := make([]drivers.Reading, 0, len(targets))
	for i := range targets {
		if r, ok := d.reading(&targets[i], p.slots[i], values); ok {
			out = append(out, r)
		}
	}
	if err != nil {
		return out, d.fail("read", err)
	}
	return out, nil
}

// sunspec reports whether one of the targets lies in a SunSpec model.
func sunspec(targets []target) bool {
	for _, t := range targets {
		for _, p := range t.parts {
			if p.Register != nil && p.Register.SunSpec != nil {
				return true
			}
		}
	}
	return false
}

// readable lists the names of the points that can be read.
func (d *Device) readable() (names []string) {
	for _, p := range d.points {
		if p.Readable {
			names = append(names, p.Name)
		}
	}
	return names
}

// targets resolves names.
func (d *Device) targets(names []string) ([]target, error) {
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

// reading computes one target from the values of its parts, which slots finds. ok is false where an answer is missing.
func (d *Device) reading(t *target, slots []int, values []value) (drivers.Reading, bool) {
	r := drivers.Reading{Point: t.name, Quality: district.Good}
	bad := false
	for _, slot := range slots {
		v := &values[slot]
		if !v.known {
			return r, false
		}
		bad = bad || v.bad
		if r.Time.IsZero() || v.at.After(r.Time) {
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
			for i, p := range t.parts {
				if p.Name == name {
					return values[slots[i]].v, true
				}
			}
			return 0, false
		})
		if !ok { // under its own control
			r.Value, r.Quality = math.NaN(), district.Bad
			return r, true
		}
		r.Value = v
	case t.point != nil && len(t.point.Sum) > 0:
		for i, s := range t.point.Sum {
			r.Value += s.Factor * values[slots[i]].v
		}
	default:
		r.Value = values[slots[0]].v
	}
	return r, true
}

// read reads and decodes points, for a command.
func (d *Device) read(ctx context.Context, points []*profile.Point) (map[*profile.Point]value, error) {
	t := []target{{parts: points}}
	known, err := d.learn(ctx, sunspec(t))
	if err != nil {
		return nil, err
	}
	p := d.plan(t, known)
	values, err := d.fetch(ctx, p, newRoom(p))
	out := make(map[*profile.Point]value, len(points))
	for i, pt := range p.points {
		if values[i].known {
			out[pt] = values[i]
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
