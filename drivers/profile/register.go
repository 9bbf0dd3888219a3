package profile

import (
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"
)

// register reads where and how a Modbus device keeps a point.
func (pp *profileParser) register(m *mapping, pt *Point) {
	f := pp.f
	if pp.p.Protocol == OPCUA {
		f.add(m.node, "%s: address and sunspec are for Modbus", m.what)
	}
	r := &Register{Table: pp.table(m)}
	pt.Register = r
	otherwise := U16
	switch {
	case r.Table.Bits():
		m.need("type")
		otherwise = Bool
	case pp.named(m):
		otherwise = "" // the definition of the model says it
	default:
		m.need("type")
	}
	pt.Type = Type(m.word("type", string(otherwise), string(Bool), string(U16), string(I16), string(U32), string(I32), string(U64), string(I64),
		string(F32), string(F64), string(Acc32), string(Acc64), string(String)))
	if r.Table.Bits() && pt.Type != Bool {
		f.add(m.at("type"), "%s: table %s holds bool, not %s", m.what, r.Table, pt.Type)
		pt.Type = Bool
	}
	r.Length = pt.Type.Words()
	if pt.Type == String {
		m.need("length")
		r.Length = uint16(m.whole("length", 1, 125, 1))
		if len(pt.States) == 0 && m.has("length") {
			f.add(m.node, "%s: a text needs states that make numbers of it", m.what)
		}
	}
	if limit := pp.p.Limits.MaxRegisters; limit > 0 && r.Length > limit && !r.Table.Bits() {
		f.add(m.node, "%s: has %d registers, one request reads at most %d", m.what, r.Length, limit)
	}
	if m.has("sunspec") {
		pp.sunspec(m, pt)
		if pt.Type == "" {
			pt.Type, r.Length = U16, 1 // told already
		}
	}
	r.LowWordFirst = m.word("words", "msw", "msw", "lsw") == "lsw"
	r.LittleEndian = m.word("bytes", "big", "big", "little") == "little"
	if pt.Type == String && r.LowWordFirst {
		f.add(m.at("words"), "%s: a text has no word order", m.what)
	}
	pp.mask(m, pt)
	if !m.has("sunspec") {
		r.Address = uint16(m.whole("address", 0, 65535, 0))
		if int(r.Address)+int(r.Length) > 65536 {
			f.add(m.at("address"), "%s: address %d with %d registers reaches past 65535", m.what, r.Address, r.Length)
		}
	}
	pp.scaleFactor(m, pt)
	for _, n := range m.list("not_implemented") {
		bits, ok := bitsOf(n)
		if !ok || r.Length < 4 && bits>>(16*uint(min(r.Length, 3))) != 0 {
			f.add(n, "%s: not_implemented: want a raw value of %d registers", m.what, r.Length)
			continue
		}
		r.NotImplemented = append(r.NotImplemented, bits)
	}
	if r.SunSpec != nil && !m.has("not_implemented") {
		r.NotImplemented = sunspecMarks(pt.Type)
	}
}

// named reports whether the point is a named one of a SunSpec model.
func (pp *profileParser) named(m *mapping) bool {
	n, ok := m.values["sunspec"]
	if !ok {
		return false
	}
	var keys []*ast.MappingValueNode
	switch v := plain(n).(type) {
	case *ast.MappingNode:
		keys = v.Values
	case *ast.MappingValueNode:
		keys = []*ast.MappingValueNode{v}
	}
	return slices.ContainsFunc(keys, func(kv *ast.MappingValueNode) bool { return kv.Key.GetToken().Value == "point" })
}

func (pp *profileParser) mask(m *mapping, pt *Point) {
	n, ok := m.get("mask")
	if !ok {
		return
	}
	mask, ok := bitsOf(n)
	switch words := pt.Type.Words(); {
	case !ok || mask == 0 || words < 4 && mask>>(16*uint(words)) != 0:
		pp.f.add(n, "%s: mask: want bits of a %s", m.what, pt.Type)
	case pt.Type.signed() || pt.Type == F32 || pt.Type == F64 || pt.Type == String || pt.Register.Table.Bits():
		pp.f.add(n, "%s: mask needs an unsigned type, not %s", m.what, pt.Type)
	default:
		pt.Register.Mask = mask
	}
}

// maxOccurrence bounds how often a profile may ask for one model of a chain.
const maxOccurrence = 16

// sunspec reads where in a chain of models the point stands: by its name in the definitions, or by its offset in the model.
func (pp *profileParser) sunspec(m *mapping, pt *Point) {
	n, _ := m.get("sunspec")
	s := pp.f.mapping(n, m.what+": sunspec")
	defer s.done()
	s.need("models")
	r := pt.Register
	spec := &SunSpec{Offset: uint16(s.whole("offset", 2, 65535, 2)), Name: s.text("point"), Index: int(s.whole("index", 1, 3000, 0)),
		Occurrence: int(s.whole("occurrence", 1, maxOccurrence, 1))}
	r.SunSpec = spec
	if r.Table != Holding {
		pp.f.add(m.at("table"), "%s: SunSpec models stand in the holding table", m.what)
	}
	if s.has("offset") == s.has("point") {
		pp.f.add(n, "%s: sunspec: want either point, the name in the model, or offset", m.what)
		return
	}
	models := s.list("models")
	if s.has("models") && len(models) == 0 {
		pp.f.add(n, "%s: sunspec: models is empty", m.what)
	}
	for _, mn := range models {
		id, ok := wholeOf(mn)
		if !ok || id < 1 || id > 65534 {
			pp.f.add(mn, "%s: sunspec: models: want numbers from 1 to 65534", m.what)
			continue
		}
		model := sunspecTable()[uint16(id)]
		if model == nil {
			pp.f.add(mn, "%s: sunspec: model %d is not known; known are %v", m.what, id, sunspecKnown())
			continue
		}
		if err := pp.sunspecPoint(s, pt, uint16(id), model, len(spec.Models) == 0); err != nil {
			pp.f.add(s.at("point"), "%s: sunspec: model %d %v", m.what, id, err)
		}
		spec.Models = append(spec.Models, uint16(id))
	}
}

// sunspecPoint compares the point with what the definition of one model says of it, and takes from there what the profile leaves out.
func (pp *profileParser) sunspecPoint(s *mapping, pt *Point, id uint16, model *sunspecModel, first bool) error {
	r := pt.Register
	spec := r.SunSpec
	if !s.has("point") {
		if int(spec.Offset)+int(r.Length) > int(model.length)+2 {
			return fmt.Errorf("ends at %d: offset %d with %d registers reaches past it", model.length+1, spec.Offset, r.Length)
		}
		name, p, ok := model.at(spec.Offset)
		if !ok {
			return fmt.Errorf("has no point that starts at offset %d", spec.Offset)
		}
		return agree(name, p, pt)
	}
	p, offset, scale, err := model.find(spec.Name, spec.Index)
	if err != nil {
		return err
	}
	var sf *ScaleFactor
	if p.scale != "" {
		sf = &ScaleFactor{Address: scale}
	}
	if first {
		spec.Offset, r.ScaleFactor = offset, sf
		if pt.Type == "" {
			pt.Type, r.Length = p.kind, p.length
		}
	} else if spec.Offset != offset || (sf == nil) != (r.ScaleFactor == nil) || sf != nil && sf.Address != r.ScaleFactor.Address {
		return fmt.Errorf("has %s elsewhere than model %d: give them points of their own", spec.Name, spec.Models[0])
	}
	return agree(spec.Name, p, pt)
}

// agree says where a point differs from the definition.
func agree(name string, p sunspecPoint, pt *Point) error {
	switch {
	case pt.Type != p.kind || pt.Register.Length != p.length:
		return fmt.Errorf("has %s there, of type %s and not %s", name, p.kind, pt.Type)
	case pt.Access != ReadOnly && !p.writable:
		return fmt.Errorf("does not let %s be written", name)
	}
	return nil
}

func (pp *profileParser) scaleFactor(m *mapping, pt *Point) {
	n, ok := m.get("scale_factor")
	if !ok {
		return
	}
	s := pp.f.mapping(n, m.what+": scale_factor")
	if spec := pt.Register.SunSpec; spec != nil && spec.Name != "" { // where it stands is known
		simulated := int16(s.whole("simulated", -10, 10, 0))
		if pt.Register.ScaleFactor != nil {
			pt.Register.ScaleFactor.Simulated = simulated
		} else if len(spec.Models) > 0 {
			pp.f.add(n, "%s: scale_factor: %s has none in model %d", m.what, spec.Name, spec.Models[0])
		}
		s.done()
		return
	}
	key := "address"
	if pt.Register.SunSpec != nil {
		key = "offset"
	}
	s.need(key)
	pt.Register.ScaleFactor = &ScaleFactor{Address: uint16(s.whole(key, 0, 65535, 0)), Simulated: int16(s.whole("simulated", -10, 10, 0))}
	if pt.Type == F32 || pt.Type == F64 || pt.Type == String || pt.Register.Table.Bits() || len(pt.States) > 0 {
		pp.f.add(n, "%s: a %s has no scale factor", m.what, pt.Type)
	}
	s.done()
}

// overlaps reports points of one writable register that another point covers in part, and points within a forbidden range.
func (pp *profileParser) overlaps() {
	for i, a := range pp.p.Points {
		ra := a.Register
		if ra == nil || ra.SunSpec != nil {
			continue
		}
		for _, fb := range pp.p.Limits.Forbidden {
			if fb.Table == ra.Table && ra.Address <= fb.To && fb.From <= ra.last() {
				pp.fault(a, "point %s: registers %d to %d lie in the forbidden range %d to %d", a.Name, ra.Address, ra.last(), fb.From, fb.To)
			}
		}
		for _, b := range pp.p.Points[:i] {
			rb := b.Register
			if rb == nil || rb.SunSpec != nil || ra.Table != rb.Table || ra.Address > rb.last() || rb.Address > ra.last() {
				continue
			}
			same := ra.Address == rb.Address && ra.Length == rb.Length
			if !same {
				pp.fault(a, "point %s: registers %d to %d overlap those of %s, %d to %d", a.Name, ra.Address, ra.last(), b.Name, rb.Address, rb.last())
			}
		}
	}
}

func (pp *profileParser) fault(pt *Point, format string, args ...any) {
	var n ast.Node = pp.nodes[pt.Name]
	if n == nil {
		return // a point without a name is a fault already
	}
	pp.f.add(n, format, args...)
}

func (r *Register) last() uint16 { return r.Address + r.Length - 1 }
