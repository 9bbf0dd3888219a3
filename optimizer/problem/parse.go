package problem

import (
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// Read reads a document to its end and parses it.
func Read(r io.Reader) (*Problem, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("problem: read the document: %w", err)
	}
	return Parse(data)
}

// Parse reads a document. Its error is a [Faults] that names every fault: text that is no JSON, fields that are unknown, missing or given twice, values of a
// wrong type, that are no finite numbers or out of their range, series of another length, ids used twice, windows out of order.
func Parse(data []byte) (*Problem, error) {
	c := &checker{}
	doc, ok := (&reader{data: data, c: c}).read()
	if !ok {
		return nil, c.result()
	}
	d := &decoder{c: c}
	p := d.problem(doc)
	if p == nil {
		return nil, c.result()
	}
	c.steps = max(p.Steps, 0)
	c.problem(p)
	if err := c.result(); err != nil {
		return nil, err
	}
	p.hash = hashOf(data)
	return p, nil
}

// decoder turns the tree of a document into a problem. A value that cannot be used is a fault at once and leaves NaN, -1 or "" behind, which
// no check takes for good.
type decoder struct {
	c     *checker
	steps int // T, 1 when it is itself at fault
}

// badStep stands for a whole number that could not be read.
const badStep = math.MinInt32

// object walks the members of n: f is called for each and reports whether the field is known. False when n is no object.
func (d *decoder) object(at *path, n node, f func(at *path, key string, v node) bool) bool {
	if n.kind != objectNode {
		d.c.fault(at, "an object is needed, not %v", n.kind)
		return false
	}
	for _, m := range n.members {
		if here := at.field(m.key); !f(here, m.key, m.value) {
			d.c.fault(here, "unknown field")
		}
	}
	return true
}

func (n node) has(key string) bool {
	for i := range n.members {
		if n.members[i].key == key {
			return true
		}
	}
	return false
}

func (d *decoder) missing(at *path, n node, keys ...string) {
	for _, k := range keys {
		if !n.has(k) {
			d.c.fault(at.field(k), "missing")
		}
	}
}

func (d *decoder) problem(doc node) *Problem {
	at := root()
	p := &Problem{Version: Version, Steps: badStep, StepMinutes: math.NaN()}
	var grid, sites *node
	if !d.object(at, doc, func(here *path, key string, v node) bool {
		switch key {
		case "version":
			p.Version = d.whole(here, v)
		case "start":
			p.Start = d.instant(here, v)
		case "step_minutes":
			p.StepMinutes = d.number(here, v)
		case "steps":
			p.Steps = d.whole(here, v)
		case "carbon_price":
			p.CarbonPrice = d.number(here, v)
		case "grid":
			grid = &v
		case "sites":
			sites = &v
		default:
			return false
		}
		return true
	}) {
		return nil
	}
	d.missing(at, doc, "version", "start", "step_minutes", "steps", "grid", "sites")
	if d.steps = p.Steps; d.steps < 1 || d.steps > MaxSteps {
		d.steps = 1
	}
	if grid == nil || !d.fields(at.field("grid"), *grid, p.Grid.fields(), nil) {
		p.Grid = Grid{}
		for _, f := range p.Grid.fields() { // the fault is the grid's, not that of each of its fields
			d.c.mark(at.field("grid").field(f.name))
		}
	}
	if sites != nil {
		d.list(at.field("sites"), *sites, func(here *path, n node) { p.Sites = append(p.Sites, d.site(here, n)) })
	}
	return p
}

func (d *decoder) list(at *path, n node, f func(at *path, n node)) {
	if n.kind != arrayNode {
		d.c.fault(at, "a list is needed, not %v", n.kind)
		return
	}
	for i := range n.nums {
		f(at.at(i), node{kind: numberNode, num: n.nums[i], text: fmt.Sprint(n.nums[i])})
	}
	for i := range n.items {
		f(at.at(i), n.items[i])
	}
}

func (d *decoder) site(at *path, n node) Site {
	var s Site
	if !d.fields(at, n, s.fields(), func(here *path, key string, v node) bool {
		switch key {
		case "id":
			s.ID = d.text(here, v)
		case "devices":
			d.list(here, v, func(there *path, n node) { s.Devices = append(s.Devices, d.device(there, n)) })
		default:
			return false
		}
		return true
	}) {
		d.c.mark(at.field("id"))
		for _, f := range s.fields() {
			d.c.mark(at.field(f.name))
		}
	}
	return s
}

// device returns nil, with a fault at its kind, when it cannot tell what the device is.
func (d *decoder) device(at *path, n node) Device {
	if n.kind != objectNode {
		d.c.fault(at, "an object is needed, not %v", n.kind)
		d.c.mark(at.field("kind"))
		return nil
	}
	var dev Device
	for _, m := range n.members {
		if m.key == "kind" {
			here := at.field("kind")
			if dev = newDevice(Kind(d.text(here, m.value))); dev == nil {
				d.c.fault(here, "unknown kind %s", strconv.Quote(clip(m.value.text)))
			}
		}
	}
	if dev == nil {
		d.missing(at, n, "id", "kind")
		return nil
	}
	d.fields(at, n, dev.fields(), func(here *path, key string, v node) bool {
		if key == "id" {
			setID(dev, d.text(here, v))
		}
		return key == "id" || key == "kind"
	})
	return dev
}

func setID(dev Device, id string) {
	switch d := dev.(type) {
	case *PV:
		d.DeviceID = id
	case *Battery:
		d.DeviceID = id
	case *EV:
		d.DeviceID = id
	case *HeatPump:
		d.DeviceID = id
	case *WaterHeater:
		d.DeviceID = id
	case *Shiftable:
		d.DeviceID = id
	case *Flexible:
		d.DeviceID = id
	}
}

// fields reads the fields of one object, gives those that are absent their default, and reports whether n is an object at all. other takes
// the fields that the table does not hold.
func (d *decoder) fields(at *path, n node, fs []field, other func(at *path, key string, v node) bool) bool {
	if !d.object(at, n, func(here *path, key string, v node) bool {
		for _, f := range fs {
			if f.name == key {
				d.field(here, f, v)
				return true
			}
		}
		return other != nil && other(here, key, v)
	}) {
		return false
	}
	for _, f := range fs {
		if n.has(f.name) {
			continue
		}
		if f.need {
			d.c.fault(at.field(f.name), "missing")
		}
		d.absent(at.field(f.name), f)
	}
	return true
}

// absent sets the default of a field, or when it has none a value that no check takes for good.
func (d *decoder) absent(at *path, f field) {
	v := f.def
	if f.need {
		v = math.NaN()
	}
	switch f.kind {
	case numberField:
		*f.number = v
	case seriesField:
		if !f.need && !f.open {
			*f.series = constant(v, d.steps)
		}
	case stepField:
		if *f.step = int(f.def); f.need {
			*f.step = badStep
		}
	case boolField:
		*f.on = f.defOn
	case zoneField:
		for _, g := range f.zone.fields() {
			d.c.mark(at.field(g.name))
			d.absent(at.field(g.name), g)
		}
	}
}

func (d *decoder) field(at *path, f field, v node) {
	switch f.kind {
	case numberField:
		*f.number = d.number(at, v)
	case seriesField:
		*f.series = d.series(at, v)
	case stepField:
		*f.step = d.whole(at, v)
	case boolField:
		if v.kind != boolNode {
			d.c.fault(at, "true or false is needed, not %v", v.kind)
		}
		*f.on = v.on
	case listField:
		*f.series = d.numbers(at, v)
	case sessionsField:
		*f.sessions = []Session{}
		d.list(at, v, func(here *path, n node) {
			var s Session
			if !d.fields(here, n, s.fields(), nil) {
				for _, g := range s.fields() {
					d.c.mark(here.field(g.name))
					d.absent(here.field(g.name), g)
				}
			}
			*f.sessions = append(*f.sessions, s)
		})
		if v.kind != arrayNode {
			*f.sessions = nil
		}
	case zoneField:
		if !d.fields(at, v, f.zone.fields(), nil) {
			f.need = true
			d.absent(at, f)
		}
	}
}

func (d *decoder) number(at *path, v node) float64 {
	if v.kind != numberNode {
		d.c.fault(at, "a number is needed, not %v", v.kind)
		return math.NaN()
	}
	return v.num
}

// series reads a list of numbers, or one number that holds in every step.
func (d *decoder) series(at *path, v node) []float64 {
	switch v.kind {
	case numberNode:
		return constant(v.num, d.steps)
	case arrayNode:
		return d.numbers(at, v)
	}
	d.c.fault(at, "a number or a list of numbers is needed, not %v", v.kind)
	return nil
}

func (d *decoder) numbers(at *path, v node) []float64 {
	if v.kind != arrayNode {
		d.c.fault(at, "a list of numbers is needed, not %v", v.kind)
		return nil
	}
	out := v.nums
	if out == nil {
		out = make([]float64, len(v.items))
	}
	for i, x := range v.items {
		out[i] = d.number(at.at(i), x)
	}
	return out
}

func (d *decoder) whole(at *path, v node) int {
	if v.kind != numberNode {
		d.c.fault(at, "a whole number is needed, not %v", v.kind)
		return badStep
	}
	n, err := strconv.ParseInt(v.text, 10, 32)
	if err != nil {
		d.c.fault(at, "a whole number below 2^31 is needed, not %s", clip(v.text))
		return badStep
	}
	return int(n)
}

func (d *decoder) text(at *path, v node) string {
	switch {
	case v.kind != stringNode:
		d.c.fault(at, "a string is needed, not %v", v.kind)
	case v.text == "":
		d.c.fault(at, "empty")
	}
	return v.text
}

func (d *decoder) instant(at *path, v node) time.Time {
	if v.kind != stringNode {
		d.c.fault(at, "an RFC 3339 instant in a string is needed, not %v", v.kind)
		return time.Time{}
	}
	var t time.Time
	if len(v.text) < 20 || v.text[13] != ':' || strings.ContainsRune(v.text, ',') || t.UnmarshalText([]byte(v.text)) != nil { // Go alone takes T0:00 and a comma
		d.c.fault(at, "%s is no RFC 3339 instant with an offset, such as 2026-01-15T00:00:00+01:00", strconv.Quote(clip(v.text)))
		return time.Time{}
	}
	if _, offset := t.Zone(); offset != 0 {
		return t.In(time.FixedZone("", offset)) // not the zone of this machine
	}
	return t.UTC()
}
