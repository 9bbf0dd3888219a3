package profile

import (
	_ "embed" // the table of models
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
)

//go:embed sunspec_models.txt
var sunspecText string

// sunspecModel is the layout of a SunSpec model.
type sunspecModel struct {
	length uint16 // without the two header registers and without repeated groups
	points map[string]sunspecPoint
	groups map[string]sunspecGroup
}

// sunspecGroup is a part of a model that may occur several times, one after the other.
type sunspecGroup struct {
	offset, every uint16 // of the first from the model's ID register; registers of each
	points        map[string]sunspecPoint
}

// sunspecPoint is one point; its offset counts from the model's ID register, or from the beginning of its group.
type sunspecPoint struct {
	offset   uint16
	kind     Type
	length   uint16
	scale    string // the point that holds its power of ten, empty without one
	writable bool
}

// sunspecTable reads the embedded table once. It is data of ours: a fault in it is one of the program, and ends it.
var sunspecTable = sync.OnceValue(func() map[uint16]*sunspecModel {
	out, err := parseSunSpec(sunspecText)
	if err != nil {
		panic(err)
	}
	return out
})

func parseSunSpec(text string) (map[uint16]*sunspecModel, error) {
	out := map[uint16]*sunspecModel{}
	var model *sunspecModel
	var into map[string]sunspecPoint
	for i, line := range strings.Split(text, "\n") {
		fault := func(err error) error { return fmt.Errorf("sunspec_models.txt:%d: %w", i+1, err) }
		switch {
		case line == "" || line[0] == '#':
		case line[0] != ' ':
			ids, rest, _ := strings.Cut(line, ": length ")
			length, err := strconv.ParseUint(rest, 10, 16)
			if err != nil {
				return nil, fault(err)
			}
			model = &sunspecModel{length: uint16(length), points: map[string]sunspecPoint{}, groups: map[string]sunspecGroup{}}
			into = model.points
			for id := range strings.FieldsSeq(ids) {
				n, err := strconv.ParseUint(id, 10, 16)
				if err != nil {
					return nil, fault(err)
				}
				out[uint16(n)] = model
			}
		case strings.HasPrefix(line, "  group "):
			var name string
			g := sunspecGroup{points: map[string]sunspecPoint{}}
			if _, err := fmt.Sscanf(line, "  group %s at %d every %d", &name, &g.offset, &g.every); err != nil {
				return nil, fault(err)
			}
			model.groups[name], into = g, g.points
		default:
			for entry := range strings.SplitSeq(line, ",") {
				if entry = strings.TrimSpace(entry); entry == "" {
					continue
				}
				name, p, err := parseSunSpecPoint(entry)
				if err != nil {
					return nil, fault(err)
				}
				into[name] = p
			}
		}
	}
	return out, nil
}

// parseSunSpecPoint reads "OFFSET NAME TYPE [*SCALE] [rw]".
func parseSunSpecPoint(text string) (name string, p sunspecPoint, err error) {
	f := strings.Fields(text)
	if len(f) < 3 {
		return "", p, fmt.Errorf("point %q: want offset, name and type", text)
	}
	offset, err := strconv.ParseUint(f[0], 10, 16)
	if err != nil {
		return "", p, err
	}
	kind, size, _ := strings.Cut(f[2], ":")
	p = sunspecPoint{offset: uint16(offset), kind: Type(kind)}
	p.length = p.kind.Words()
	if p.kind == String {
		n, err := strconv.ParseUint(size, 10, 8)
		if err != nil {
			return "", p, err
		}
		p.length = uint16(n)
	}
	for _, word := range f[3:] {
		if word == "rw" {
			p.writable = true
		} else {
			p.scale = strings.TrimPrefix(word, "*")
		}
	}
	return f[1], p, nil
}

// find returns a point of the model by its name, or by GROUP.NAME and the number of the group from 1 on, with its offset from the model's ID register and that of its scale
// factor, 0 without one.
func (m *sunspecModel) find(name string, index int) (p sunspecPoint, offset, scale uint16, err error) {
	group, inner, repeated := strings.Cut(name, ".")
	if !repeated {
		if index != 0 {
			return p, 0, 0, fmt.Errorf("%s is in no group: index does not fit", name)
		}
		p, ok := m.points[name]
		if !ok {
			return p, 0, 0, fmt.Errorf("has no point %s", name)
		}
		return p, p.offset, m.points[p.scale].offset, nil
	}
	g, ok := m.groups[group]
	if !ok {
		return p, 0, 0, fmt.Errorf("has no group %s; its groups are %v", group, slices.Sorted(maps.Keys(m.groups)))
	}
	if p, ok = g.points[inner]; !ok {
		return p, 0, 0, fmt.Errorf("has no point %s in its group %s", inner, group)
	}
	start := int(g.offset) + max(index-1, 0)*int(g.every)
	if start+int(g.every) > 65535 {
		return p, 0, 0, fmt.Errorf("group %s %d lies past 65535", group, index)
	}
	if s, ok := g.points[p.scale]; ok {
		scale = uint16(start) + s.offset
	} else {
		scale = m.points[p.scale].offset
	}
	return p, uint16(start) + p.offset, scale, nil
}

// at returns the point that starts at an offset of the fixed part, for profiles that count registers.
func (m *sunspecModel) at(offset uint16) (name string, p sunspecPoint, ok bool) {
	for name, p := range m.points {
		if p.offset == offset {
			return name, p, true
		}
	}
	return "", p, false
}

// SunSpecLength returns the length of a SunSpec model without its two header registers, and without repeated groups.
func SunSpecLength(model uint16) (uint16, bool) {
	m, ok := sunspecTable()[model]
	if !ok {
		return 0, false
	}
	return m.length, true
}

func sunspecKnown() []uint16 { return slices.Sorted(maps.Keys(sunspecTable())) }

// sunspecMarks are the raw values by which SunSpec marks a value of a type as not implemented. NaN of floats is one for every profile.
func sunspecMarks(t Type) []uint64 {
	switch t {
	case I16:
		return []uint64{0x8000}
	case U16, Bool:
		return []uint64{0xFFFF}
	case I32:
		return []uint64{0x80000000}
	case U32:
		return []uint64{0xFFFFFFFF}
	case I64:
		return []uint64{1 << 63}
	case U64:
		return []uint64{1<<64 - 1}
	case Acc32, Acc64:
		return []uint64{0}
	}
	return nil
}

// SunSpecModels lists the models in which the profile has points, in rising order.
func (p *Profile) SunSpecModels() []uint16 {
	seen := map[uint16]bool{}
	for _, pt := range p.Points {
		if pt.Register == nil || pt.Register.SunSpec == nil {
			continue
		}
		for _, id := range pt.Register.SunSpec.Models {
			seen[id] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// SunSpecNeeds returns how long, without its header, a model must be for the points that the profile has in it.
func (p *Profile) SunSpecNeeds(model uint16) uint16 {
	need, _ := SunSpecLength(model)
	for _, pt := range p.Points {
		if r := pt.Register; r != nil && r.SunSpec != nil && slices.Contains(r.SunSpec.Models, model) {
			need = max(need, r.SunSpec.Offset+r.Length-2)
		}
	}
	if m := sunspecTable()[model]; m != nil {
		for _, g := range m.groups {
			if need > m.length && g.every > 0 && g.offset == m.length+2 { // whole groups
				need = m.length + (need-m.length+g.every-1)/g.every*g.every
			}
		}
	}
	return need
}

// Layout is where the SunSpec models of one device stand, in the order of the chain. A model may occur several times: once for each of several meters, say.
type Layout []Extent

// Extent is the place of one model: its id, the address of its id register and the length that its header tells, without the header.
type Extent struct{ Model, Address, Length uint16 }

// Models lists the ids in the order of the chain.
func (l Layout) Models() []uint16 {
	var out []uint16
	for _, e := range l {
		out = append(out, e.Model)
	}
	return out
}

// find returns the model of a point: of those of the chain that the point may be in, the one that its occurrence counts.
func (l Layout) find(s *SunSpec) (Extent, bool) {
	n := 0
	for _, e := range l {
		if slices.Contains(s.Models, e.Model) {
			if n++; n >= s.Occurrence {
				return e, true
			}
		}
	}
	return Extent{}, false
}

// Locate returns the wire address of the point's registers and of its scale factor; hasScale is false without one, ok false when the
// device has none of the point's models, not as often as the point's occurrence says, or one that ends before the point.
func (pt *Point) Locate(layout Layout) (address, scale uint16, hasScale, ok bool) {
	r := pt.Register
	if r == nil {
		return 0, 0, false, false
	}
	if r.SunSpec == nil {
		if r.ScaleFactor != nil {
			return r.Address, r.ScaleFactor.Address, true, true
		}
		return r.Address, 0, false, true
	}
	model, found := layout.find(r.SunSpec)
	end := int(model.Length) + 2
	if !found || int(r.SunSpec.Offset)+int(r.Length) > end || r.ScaleFactor != nil && int(r.ScaleFactor.Address) >= end {
		return 0, 0, false, false // a shorter edition of the model, or fewer groups: what follows belongs to the next one
	}
	if r.ScaleFactor != nil {
		return model.Address + r.SunSpec.Offset, model.Address + r.ScaleFactor.Address, true, true
	}
	return model.Address + r.SunSpec.Offset, 0, false, true
}
