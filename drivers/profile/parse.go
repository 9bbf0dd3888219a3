package profile

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"quartier/schemas/district"
	"quartier/schemas/units"
)

var (
	profileName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)
	pointName   = regexp.MustCompile(`^[a-z][a-z0-9]*(_[a-z0-9]+)*$`)
	nodeID      = regexp.MustCompile(`^([sb]=.+|i=[0-9]{1,10}|g=[0-9A-Fa-f-]{36})$`)
)

// maxDocument bounds a profile document; the embedded ones have a few kilobytes.
const maxDocument = 1 << 20

// Parse reads a profile document. file names it in errors. Every fault of the document is reported, each as file:line:column.
func Parse(file string, data []byte) (p *Profile, err error) {
	if len(data) > maxDocument {
		return nil, fmt.Errorf("%s: %d bytes, a profile has at most %d", file, len(data), maxDocument)
	}
	// The YAML library is given foreign bytes here: should it fail on them, the document is at fault and not the process.
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("%s:1:1: not a YAML document: %v", file, r)
		}
	}()
	doc, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, syntaxError(file, err)
	}
	if len(doc.Docs) != 1 || doc.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s:1:1: want exactly one YAML document", file)
	}
	f := &faults{file: file}
	pp := &profileParser{f: f, p: &Profile{byName: map[string]*Point{}}, nodes: map[string]ast.Node{}}
	pp.document(doc.Docs[0].Body)
	if err := f.err(); err != nil {
		return nil, err
	}
	return pp.p, nil
}

func syntaxError(file string, err error) error {
	var ye yaml.Error
	if errors.As(err, &ye) && ye.GetToken() != nil && ye.GetToken().Position != nil {
		pos := ye.GetToken().Position
		return fmt.Errorf("%s:%d:%d: %s", file, pos.Line, pos.Column, ye.GetMessage())
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	return fmt.Errorf("%s:1:1: %s", file, first)
}

type profileParser struct {
	f     *faults
	p     *Profile
	nodes map[string]ast.Node // of the points, for faults found later
}

func (pp *profileParser) document(n ast.Node) {
	f, p := pp.f, pp.p
	m := f.mapping(n, "profile")
	for _, key := range []string{"name", "title", "kinds", "protocol", "state", "source", "points"} {
		m.need(key)
	}
	p.Name, p.Title = m.text("name"), m.text("title")
	if p.Name != "" && !profileName.MatchString(p.Name) {
		f.add(m.at("name"), "profile: name %q: want lower-case words joined by hyphens", p.Name)
	}
	for _, k := range m.list("kinds") {
		text, _ := textOf(k)
		if kind := district.Kind(text); kind.Valid() {
			p.Kinds = append(p.Kinds, kind)
		} else {
			f.add(k, "profile: kinds: unknown kind %q, want one of %v", text, district.Kinds())
		}
	}
	p.Protocol = Protocol(m.word("protocol", "", string(Modbus), string(OPCUA)))
	p.State = State(m.word("state", "", string(FromDocumentation), string(FromPublicDriver), string(Generic), string(Confirmed)))
	p.Confirmed = m.text("confirmed")
	switch {
	case p.State == Confirmed && p.Confirmed == "":
		f.add(m.at("state"), "profile: confirmed is missing: say on which device, with which firmware and when")
	case p.State != Confirmed && p.Confirmed != "":
		f.add(m.at("confirmed"), "profile: confirmed is for state %q", Confirmed)
	}
	p.Namespace = m.text("namespace")
	if p.Namespace != "" && p.Protocol == Modbus {
		f.add(m.at("namespace"), "profile: namespace is for OPC UA only")
	}
	pp.source(m)
	pp.limits(m)
	for _, n := range m.list("points") {
		pp.point(n)
	}
	if m.has("points") && len(p.Points) == 0 {
		f.add(m.at("points"), "profile: points is empty")
	}
	pp.sums()
	if n, ok := m.get("control"); ok {
		if text, _ := textOf(n); text == "none" {
			p.ReadOnly = true
		} else {
			pp.control(n)
		}
	}
	pp.overlaps()
	m.done()
}

func (pp *profileParser) source(top *mapping) {
	n, ok := top.get("source")
	if !ok {
		return
	}
	m := pp.f.mapping(n, "source")
	s := Source{Document: m.text("document"), Revision: m.text("revision"), Project: m.text("project"), File: m.text("file"), Commit: m.text("commit"), Note: m.text("note")}
	if s.Document == "" && s.Project == "" {
		pp.f.add(n, "source: document or project is missing: say where the numbers come from")
	}
	if pp.p.State == FromPublicDriver && (s.Project == "" || s.Commit == "") {
		pp.f.add(n, "source: project and commit of the public driver are missing")
	}
	m.done()
	pp.p.Source = s
}

func (pp *profileParser) limits(top *mapping) {
	l := Limits{MaxRegisters: 125, MaxGap: 8}
	if n, ok := top.get("limits"); ok {
		m := pp.f.mapping(n, "limits")
		if pp.p.Protocol == OPCUA {
			pp.f.add(n, "limits are for Modbus only")
		}
		l.MaxRegisters = uint16(m.whole("max_registers", 1, 125, 125))
		l.MaxGap = uint16(m.whole("max_gap", 0, 124, 8))
		l.OneValue = m.flag("one_value_per_request")
		l.Delay = time.Duration(m.whole("delay_ms", 0, 10_000, 0)) * time.Millisecond
		l.ConnectDelay = time.Duration(m.whole("connect_delay_ms", 0, 10_000, 0)) * time.Millisecond
		l.Timeout = time.Duration(m.whole("timeout_ms", 50, 30_000, 0)) * time.Millisecond
		for _, n := range m.list("forbidden") {
			r := pp.f.mapping(n, "limits.forbidden")
			r.need("table")
			r.need("from")
			r.need("to")
			span := Range{pp.table(r), uint16(r.whole("from", 0, 65535, 0)), uint16(r.whole("to", 0, 65535, 65535))}
			if span.From > span.To {
				pp.f.add(n, "limits.forbidden: from %d is above to %d", span.From, span.To)
			}
			r.done()
			l.Forbidden = append(l.Forbidden, span)
		}
		m.done()
	}
	pp.p.Limits = l
}

func (pp *profileParser) table(m *mapping) Table {
	return Table(m.word("table", string(Holding), string(Holding), string(Input), string(Coil), string(Discrete)))
}

func (pp *profileParser) point(n ast.Node) {
	f := pp.f
	m := f.mapping(n, "point")
	m.need("name")
	pt := &Point{Name: m.text("name"), Title: m.text("title"), Scale: 1, Access: ReadOnly, Min: math.Inf(-1), Max: math.Inf(1)}
	pt.Line, _ = place(n)
	if pt.Name != "" {
		m.what = "point " + pt.Name
		if !pointName.MatchString(pt.Name) {
			f.add(m.at("name"), "%s: want lower-case words joined by underscores", m.what)
		}
		if first, twice := pp.nodes[pt.Name]; twice {
			line, _ := place(first)
			f.add(m.at("name"), "%s stands twice, first in line %d", m.what, line)
		} else {
			pp.nodes[pt.Name] = n
			pp.p.byName[pt.Name] = pt
		}
	}
	pt.Access = Access(m.word("access", string(ReadOnly), string(ReadOnly), string(ReadWrite), string(WriteOnly)))
	pt.Scale = m.number("scale", 1)
	if pt.Scale == 0 || math.IsNaN(pt.Scale) || math.IsInf(pt.Scale, 0) {
		f.add(m.at("scale"), "%s: scale %g, want a number other than 0", m.what, pt.Scale)
		pt.Scale = 1
	}
	pt.Offset = m.number("offset", 0)
	pt.Invert = m.flag("invert")
	pp.unit(m, pt)
	pp.states(m, pt)

	where := 0
	for _, key := range []string{"address", "sunspec", "node", "path", "sum", "constant"} {
		if m.has(key) {
			where++
		}
	}
	switch {
	case where == 0:
		f.add(n, "%s: has no place: want address, sunspec, node, path, sum or constant", m.what)
	case where > 1:
		f.add(n, "%s: has %d places: want one of address, sunspec, node, path, sum, constant", m.what, where)
	}
	switch {
	case m.has("sum"):
		pp.sum(m, pt)
	case m.has("constant"):
		c := m.number("constant", 0)
		if v, err := pt.FromDevice(c); err == nil {
			pt.Constant = &v
		} else {
			f.add(m.at("constant"), "%s: constant: %v", m.what, err)
		}
	case m.has("node") || m.has("path"):
		pp.node(m, pt)
	default:
		pp.register(m, pt)
	}
	pp.write(m, pt)
	m.done()
	pp.p.Points = append(pp.p.Points, pt)
}

// unit reads unit and form. The stored unit of a known quantity must come out of the device's unit.
func (pp *profileParser) unit(m *mapping, pt *Point) {
	q, known := district.LookupQuantity(pt.Name)
	pt.DeviceUnit = m.text("unit")
	if pt.DeviceUnit == "" && m.has("sum") {
		pt.Unit = q.Unit // of the summands, see sums
	} else {
		m.need("unit")
		conv, err := units.Convert(pt.DeviceUnit)
		switch {
		case pt.DeviceUnit == "":
			conv, _ = units.Convert("1")
		case err != nil:
			pp.f.add(m.at("unit"), "%s: unknown unit %q", m.what, pt.DeviceUnit)
			conv, _ = units.Convert("1")
		case known && conv.To != q.Unit:
			pp.f.add(m.at("unit"), "%s: unit %s becomes %s, but %s is stored in %s", m.what, pt.DeviceUnit, conv.To, pt.Name, q.Unit)
		}
		pt.conv, pt.Unit = conv, conv.To
	}
	form := m.word("form", "", "gauge", "counter", "state")
	switch {
	case form == "gauge":
		pt.Form = district.Gauge
	case form == "counter":
		pt.Form = district.Counter
	case form == "state":
		pt.Form = district.State
	case known:
		pt.Form = q.Form
	case pt.Unit == units.StateUnit:
		pt.Form = district.State
	}
	if known && pt.Form != q.Form {
		pp.f.add(m.at("form"), "%s: form %s is not that of the quantity", m.what, form)
	}
}

func (pp *profileParser) states(m *mapping, pt *Point) {
	for _, n := range m.list("states") {
		s := pp.f.mapping(n, m.what+": states")
		s.need("is")
		if !s.has("code") && !s.has("text") {
			pp.f.add(n, "%s: states: code or text is missing", m.what)
		}
		row := StateCode{Code: s.number("code", math.NaN()), Text: s.text("text"), Is: s.number("is", 0)}
		for _, other := range pt.States {
			if other.Code == row.Code || !s.has("code") && other.Text == row.Text {
				pp.f.add(n, "%s: states: code stands twice", m.what)
			}
		}
		s.done()
		pt.States = append(pt.States, row)
	}
	if m.has("otherwise") {
		v := m.number("otherwise", 0)
		pt.Otherwise = &v
		if len(pt.States) == 0 {
			pp.f.add(m.at("otherwise"), "%s: otherwise needs states", m.what)
		}
	}
	if len(pt.States) > 0 && (m.has("scale") || m.has("offset") || m.has("invert")) {
		pp.f.add(m.node, "%s: states exclude scale, offset and invert", m.what)
	}
}

func (pp *profileParser) sum(m *mapping, pt *Point) {
	for _, n := range m.list("sum") {
		t := pp.f.mapping(n, m.what+": sum")
		t.need("point")
		term := Term{Point: t.text("point"), Factor: t.number("factor", 1)}
		t.done()
		pt.Sum = append(pt.Sum, term)
	}
	if len(pt.Sum) == 0 {
		pp.f.add(m.at("sum"), "%s: sum is empty", m.what)
	}
	for _, key := range []string{"scale", "offset", "invert", "states", "type"} {
		if m.has(key) {
			pp.f.add(m.at(key), "%s: a sum has no %s", m.what, key)
		}
	}
}

// sums checks the summands when every point is known.
func (pp *profileParser) sums() {
	for _, pt := range pp.p.Points {
		for _, t := range pt.Sum {
			n := pp.nodes[pt.Name]
			of := pp.p.byName[t.Point]
			switch {
			case of == nil:
				pp.f.add(n, "point %s: sum: unknown point %q", pt.Name, t.Point)
			case len(of.Sum) > 0:
				pp.f.add(n, "point %s: sum: %s is itself a sum", pt.Name, t.Point)
			case !of.Readable():
				pp.f.add(n, "point %s: sum: %s cannot be read", pt.Name, t.Point)
			case pt.Unit != "" && of.Unit != pt.Unit:
				pp.f.add(n, "point %s: sum: %s is in %s, want %s", pt.Name, t.Point, of.Unit, pt.Unit)
			case pt.Unit == "":
				pt.Unit = of.Unit
			}
		}
		if len(pt.Sum) > 0 {
			pt.conv, pt.DeviceUnit = units.Conversion{From: string(pt.Unit), To: pt.Unit, Factor: 1}, string(pt.Unit)
		}
	}
}

func (pp *profileParser) node(m *mapping, pt *Point) {
	if pp.p.Protocol == Modbus {
		pp.f.add(m.node, "%s: node and path are for OPC UA", m.what)
	}
	node := &Node{ID: m.text("node"), Namespace: m.text("namespace")}
	for _, n := range m.list("path") {
		text, ok := textOf(n)
		if !ok || text == "" {
			pp.f.add(n, "%s: path: want names", m.what)
		}
		node.Path = append(node.Path, text)
	}
	if node.ID != "" && !nodeID.MatchString(node.ID) {
		pp.f.add(m.at("node"), "%s: node %q: want s=TEXT, i=NUMBER, g=GUID or b=BASE64, without ns=", m.what, node.ID)
	}
	if node.Namespace == "" {
		node.Namespace = pp.p.Namespace
	}
	if node.Namespace == "" {
		pp.f.add(m.node, "%s: namespace is missing, here or at the profile", m.what)
	}
	pt.Type = Type(m.word("type", string(F64), string(Bool), string(U16), string(I16), string(U32), string(I32), string(U64), string(I64), string(F32), string(F64)))
	if band := m.number("dead_band", 0); !(band >= 0) || math.IsInf(band, 0) || band > 0 && len(pt.States) > 0 {
		pp.f.add(m.at("dead_band"), "%s: dead_band %g, want a number of 0 or more in the device's unit, and no states", m.what, band)
	} else {
		node.DeadBand = band / math.Abs(pt.Scale)
	}
	pt.Node = node
}

// write reads the range of a writable point, in the device's unit.
func (pp *profileParser) write(m *mapping, pt *Point) {
	n, ok := m.get("write")
	if !ok {
		if pt.Access != ReadOnly {
			pp.f.add(m.node, "%s: access %s needs write", m.what, pt.Access)
		}
		return
	}
	w := pp.f.mapping(n, m.what+": write")
	defer w.done()
	if pt.Access == ReadOnly {
		pp.f.add(n, "%s: write needs access: read_write or write", m.what)
	}
	low, high := w.number("min", math.Inf(-1)), w.number("max", math.Inf(1))
	if low > high {
		pp.f.add(n, "%s: write: min %g is above max %g", m.what, low, high)
	}
	if r := pt.Register; r != nil {
		allowed := map[bool]string{true: "5 or 15", false: "6 or 16"}[r.Table.Bits()]
		fn := w.whole("function", 5, 16, map[bool]int64{true: 5, false: 16}[r.Table.Bits()])
		ok := fn == 6 || fn == 16
		if r.Table.Bits() {
			ok = fn == 5 || fn == 15
		}
		if !ok {
			pp.f.add(w.at("function"), "%s: write: function %d, want %s for table %s", m.what, fn, allowed, r.Table)
		}
		if r.Table == Input || r.Table == Discrete {
			pp.f.add(n, "%s: table %s cannot be written", m.what, r.Table)
		}
		if fn == 6 && r.Length > 1 {
			pp.f.add(w.at("function"), "%s: write: function 6 writes 1 register, the type %s has %d", m.what, pt.Type, r.Length)
		}
		if r.Mask != 0 {
			pp.f.add(n, "%s: a masked register cannot be written", m.what)
		}
		if pt.Type == String {
			pp.f.add(n, "%s: a text cannot be written", m.what)
		}
		r.WriteFunction = uint8(fn)
	} else if w.has("function") {
		w.asked["function"] = true
		pp.f.add(w.at("function"), "%s: write: function is for Modbus", m.what)
	}
	if pt.Sum != nil || pt.Constant != nil {
		pp.f.add(n, "%s: a sum or constant cannot be written", m.what)
		return
	}
	if len(pt.States) > 0 {
		pt.Min, pt.Max = low, high
		return
	}
	pt.Min, pt.Max = pt.conv.Stored(low), pt.conv.Stored(high)
	if pt.Invert {
		pt.Min, pt.Max = -pt.Max, -pt.Min
	}
}
