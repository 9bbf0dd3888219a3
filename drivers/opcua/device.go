package opcua

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/command"
	"quartier/drivers/profile"
	"quartier/schemas/district"
)

// Device is one device behind a link, seen through its profile. It implements drivers.Driver and drivers.Subscriber.
//
// A reading of quality bad has the value NaN: the server says that the value is bad, or it is no number that the profile can read; where the
// server does not have the node or does not let it be read, the error says so as well.
type Device struct {
	link    *Link
	dev     district.Device
	profile *profile.Profile
	points  []drivers.Point
	control drivers.Control
	has     bool             // control
	every   []target         // all that can be read, in the order of the points
	needed  []*profile.Point // parts of every
	life    context.Context
	end     context.CancelCauseFunc
	release func() error
	once    sync.Once
	err     error // of release

	writer *command.Writer

	mu       sync.Mutex
	nodes    map[*profile.Point]*ua.NodeID // of session
	of       *session
	recorded map[*profile.Point]time.Time // see Resume
}

func newDevice(link *Link, dev district.Device, p *profile.Profile) *Device {
	d := &Device{link: link, dev: dev, profile: p, points: p.DriverPoints()}
	d.life, d.end = context.WithCancelCause(context.Background())
	d.control, d.has = p.ControlFor(dev)
	for i := range d.points {
		if pt := &d.points[i]; d.has && pt.Name == d.control.Point {
			c := d.control
			pt.Min, pt.Max = math.Min(c.Min, c.Safe), math.Max(c.Max, c.Safe)
			if c.Pause != nil {
				pt.Min, pt.Max = math.Min(pt.Min, *c.Pause), math.Max(pt.Max, *c.Pause)
			}
		}
	}
	var commander *command.Commander
	if d.has {
		commander = command.New(command.Settings{Device: dev.Address + " " + p.Name, Profile: p, Control: d.control, Port: port{d}, Commands: link.config.Commands, Memory: link.config.Memory})
	}
	d.writer = command.NewWriter(d.life, p, port{d}, commander, d.fail)
	d.every, _ = d.targets(nil) // none of these is unknown
	d.needed = parts(d.every)
	return d
}

// Points lists the points of the profile.
func (d *Device) Points() []drivers.Point { return append([]drivers.Point(nil), d.points...) }

// Resume says when the last reading of each point was that is recorded, the zero time for one without. A subscription that begins afterwards fills the gap since then from the
// server's history, as after a lost connection; a sum of nodes only from where each of them is known.
func (d *Device) Resume(last func(point string) time.Time) {
	recorded := map[*profile.Point]time.Time{}
	for i := range d.every {
		t := last(d.every[i].name)
		if t.IsZero() {
			continue
		}
		for _, p := range d.every[i].parts { // of several readings that a node has part in, from the one that ends first: to tell a value again changes nothing
			if r := recorded[p]; r.IsZero() || t.Before(r) {
				recorded[p] = t.UTC()
			}
		}
	}
	d.mu.Lock()
	d.recorded = recorded
	d.mu.Unlock()
}

// Control describes how the device is commanded.
func (d *Device) Control() (drivers.Control, bool) { return d.control, d.has }

// Close gives the link back, and closes it after its last device. It may be called twice.
func (d *Device) Close() error {
	d.once.Do(func() {
		d.end(drivers.ErrClosed)
		d.err = d.release()
	})
	return d.err
}

// Stats returns the totals of the device's link, which it may share with others.
func (d *Device) Stats() Stats { return d.link.Stats() }

func (d *Device) fail(operation string, err error) error {
	if d.life.Err() != nil {
		err = drivers.ErrClosed
	}
	return fmt.Errorf("%s: %s: %w", d.dev.ID, operation, err)
}

// target is one point to read: by itself, or computed from others.
type target struct {
	name  string
	point *profile.Point // nil for a control point that stands for a sequence
	parts []*profile.Point
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
		command := t.point == nil && c != nil && c.Point == name
		switch {
		case command && c.ReadBack != nil:
			t.parts = []*profile.Point{d.profile.Point(c.ReadBack.Point)}
		case command && c.Readable(d.profile):
			for _, w := range c.Writes {
				t.parts = append(t.parts, d.profile.Point(w.Point))
			}
		case command, t.point != nil && !t.point.Readable():
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

// reading computes one target from the values of its parts, in their order. ok is false where a value is missing.
func (d *Device) reading(t *target, parts []value) (drivers.Reading, bool) {
	r := drivers.Reading{Point: t.name, Quality: district.Good}
	for i := range parts {
		v := &parts[i]
		if !v.known {
			return r, false
		}
		r.Quality = worse(r.Quality, v.quality)
		if v.at.After(r.Time) {
			r.Time = v.at
		}
	}
	if r.Quality == district.Bad {
		r.Value = math.NaN()
		return r, true
	}
	switch {
	case t.point == nil && d.profile.Control.ReadBack == nil:
		v, ok := d.profile.Command(func(name string) (float64, bool) {
			for i, p := range t.parts {
				if p.Name == name {
					return parts[i].v, true
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
			r.Value += s.Factor * parts[i].v
		}
	default:
		r.Value = parts[0].v
	}
	return r, true
}

// worse is the quality of what is computed from two values: bad, then substituted, then uncertain.
func worse(a, b district.Quality) district.Quality {
	rank := func(q district.Quality) int {
		switch q {
		case district.Good:
			return 0
		case district.Uncertain:
			return 1
		case district.Substituted:
			return 2
		}
		return 3
	}
	if rank(b) > rank(a) {
		return b
	}
	return a
}

// Read reads points; see drivers.Driver.
func (d *Device) Read(ctx context.Context, names ...string) ([]drivers.Reading, error) {
	if d.life.Err() != nil {
		return nil, d.fail("read", drivers.ErrClosed)
	}
	targets, needed := d.every, d.needed
	if len(names) > 0 {
		var err error
		if targets, err = d.targets(names); err != nil {
			return nil, d.fail("read", err)
		}
		needed = parts(targets)
	}
	ctx, done := bind(ctx, d.life)
	defer done()
	values, err := d.fetch(ctx, needed)
	out := make([]drivers.Reading, 0, len(targets))
	var of []value
	for i := range targets {
		t := &targets[i]
		of = of[:0]
		for _, p := range t.parts {
			of = append(of, values[p])
		}
		if r, ok := d.reading(t, of); ok {
			out = append(out, r)
		}
	}
	if err != nil {
		return out, d.fail("read", err)
	}
	return out, nil
}

func parts(targets []target) []*profile.Point {
	var out []*profile.Point
	seen := map[*profile.Point]bool{}
	for _, t := range targets {
		for _, p := range t.parts {
			if !seen[p] {
				seen[p] = true
				out = append(out, p)
			}
		}
	}
	return out
}

// fetch reads points. A read whose connection turns out to be gone is made once more on a new one: reading changes nothing.
func (d *Device) fetch(ctx context.Context, points []*profile.Point) (map[*profile.Point]value, error) {
	for attempt := 1; ; attempt++ {
		s, err := d.link.current(ctx)
		if err != nil {
			return nil, err
		}
		values, err := d.fetchOn(ctx, s, points)
		if err == nil || attempt == 2 || ctx.Err() != nil || s.ctx.Err() == nil {
			return values, err
		}
	}
}

// fetchOn reads points in one session. Refused points come back bad, beside the error. What did not change since the question holds from then on, not from the answer: a change
// that was made in between, and is told by a subscription, comes after it.
func (d *Device) fetchOn(ctx context.Context, s *session, points []*profile.Point) (map[*profile.Point]value, error) {
	out := make(map[*profile.Point]value, len(points))
	nodes, err := d.resolve(ctx, s, points)
	if err != nil {
		return out, err
	}
	reads, of := make([]*ua.ReadValueID, 0, len(points)), make([]*profile.Point, 0, len(points))
	for _, p := range points {
		if id := nodes[p]; id != nil {
			reads = append(reads, &ua.ReadValueID{NodeID: id})
			of = append(of, p)
		}
	}
	asked := d.link.config.Now().UTC()
	data, err := s.readNodes(ctx, reads)
	answered := d.link.config.Now().UTC()
	for i, dv := range data {
		at := asked
		if dv != nil && !s.skewed.Load() && dv.Has(ua.DataValueSourceTimestamp) && dv.SourceTimestamp.After(asked) && dv.SourceTimestamp.Before(answered) {
			at = dv.SourceTimestamp.UTC()
		}
		datum := datumOf(dv)
		if v := datum.decode(of[i], at); v.known {
			out[of[i]] = v
		}
	}
	faults := []error{err}
	for _, p := range points {
		switch {
		case p.Constant != nil:
			out[p] = value{v: *p.Constant, at: asked, known: true}
		case p.Node != nil && nodes[p] == nil:
			out[p] = value{v: math.NaN(), quality: district.Bad, at: asked, known: true}
			faults = append(faults, fmt.Errorf("%s: %w: %s", p.Name, drivers.ErrRejected, s.missing(p)))
		case out[p].refused != nil:
			faults = append(faults, out[p].refused)
		}
	}
	return out, errors.Join(faults...)
}

// missing says why a point has no node on the server.
func (s *session) missing(p *profile.Point) string {
	if _, ok := s.namespaces[p.Node.Namespace]; !ok {
		return fmt.Sprintf("the server has no namespace %q", p.Node.Namespace)
	}
	return fmt.Sprintf("the server has no node %q", p.Node.Path)
}

// resolve finds the nodes of points on the server of this session. Points whose node cannot be there are left out.
func (d *Device) resolve(ctx context.Context, s *session, points []*profile.Point) (map[*profile.Point]*ua.NodeID, error) {
	d.mu.Lock()
	if d.of != s {
		d.nodes, d.of = make(map[*profile.Point]*ua.NodeID), s
	}
	out := make(map[*profile.Point]*ua.NodeID, len(points))
	var unknown []*profile.Point
	for _, p := range points {
		if p.Node == nil {
			continue
		}
		if id := d.nodes[p]; id != nil {
			out[p] = id
		} else {
			unknown = append(unknown, p)
		}
	}
	d.mu.Unlock()
	for _, p := range unknown {
		id, err := s.find(ctx, p.Node)
		if err != nil {
			return out, err
		}
		if id != nil {
			out[p] = id
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.of == s {
		for _, p := range unknown {
			if out[p] != nil {
				d.nodes[p] = out[p]
			}
		}
	}
	return out, nil
}

// lookAgain is the pause after which points that the server did not have are looked for again.
const lookAgain = 30 * time.Second
