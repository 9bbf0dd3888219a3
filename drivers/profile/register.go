package profile

import (
	"math"

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
	m.need("type")
	otherwise := U16
	if r.Table.Bits() {
		otherwise = Bool
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
	r.LowWordFirst = m.word("words", "msw", "msw", "lsw") == "lsw"
	r.LittleEndian = m.word("bytes", "big", "big", "little") == "little"
	if pt.Type == String && r.LowWordFirst {
		f.add(m.at("words"), "%s: a text has no word order", m.what)
	}
	pp.mask(m, pt)
	if m.has("sunspec") {
		pp.sunspec(m, pt)
	} else {
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

func (pp *profileParser) sunspec(m *mapping, pt *Point) {
	n, _ := m.get("sunspec")
	s := pp.f.mapping(n, m.what+": sunspec")
	s.need("models")
	s.need("offset")
	spec := &SunSpec{Offset: uint16(s.whole("offset", 2, 65535, 2))}
	for _, mn := range s.list("models") {
		id, ok := wholeOf(mn)
		length, known := SunSpecLength(uint16(max(0, min(id, math.MaxUint16))))
		switch {
		case !ok || id < 1 || id > 65534:
			pp.f.add(mn, "%s: sunspec: models: want numbers from 1 to 65534", m.what)
			continue
		case !known:
			pp.f.add(mn, "%s: sunspec: model %d is not known; known are %v", m.what, id, sunspecKnown())
		case int(spec.Offset)+int(pt.Register.Length) > int(length)+2:
			pp.f.add(n, "%s: sunspec: offset %d with %d registers reaches past model %d, which ends at %d", m.what, spec.Offset, pt.Register.Length, id, length+1)
		}
		spec.Models = append(spec.Models, uint16(id))
	}
	if s.has("models") && len(spec.Models) == 0 {
		pp.f.add(n, "%s: sunspec: models is empty", m.what)
	}
	if pt.Register.Table != Holding {
		pp.f.add(m.at("table"), "%s: SunSpec models stand in the holding table", m.what)
	}
	s.done()
	pt.Register.SunSpec = spec
}

func (pp *profileParser) scaleFactor(m *mapping, pt *Point) {
	n, ok := m.get("scale_factor")
	if !ok {
		return
	}
	s := pp.f.mapping(n, m.what+": scale_factor")
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
