package profile

import "sort"

// sunspecLengths are the fixed lengths L of the SunSpec models that profiles use, without the two header registers. Models with a
// repeating part count it once. Source: sunspec/models, commit 7abdf89.
var sunspecLengths = map[uint16]uint16{
	1: 66, 101: 50, 102: 50, 103: 50, 111: 60, 112: 60, 113: 60, 120: 26, 121: 30, 122: 44, 123: 24, 124: 24, 160: 28,
	201: 105, 202: 105, 203: 105, 204: 105, 211: 124, 212: 124, 213: 124, 214: 124,
	701: 153, 702: 50, 703: 17, 704: 65, 713: 7, 714: 43, 802: 62,
}

// SunSpecLength returns the length of a SunSpec model without its two header registers.
func SunSpecLength(model uint16) (uint16, bool) {
	l, ok := sunspecLengths[model]
	return l, ok
}

func sunspecKnown() []uint16 {
	var out []uint16
	for id := range sunspecLengths {
		out = append(out, id)
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}

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
	var out []uint16
	for _, pt := range p.Points {
		if pt.Register == nil || pt.Register.SunSpec == nil {
			continue
		}
		for _, id := range pt.Register.SunSpec.Models {
			if !seen[id] {
				seen[id] = true
				out = append(out, id)
			}
		}
	}
	sort.Slice(out, func(i, j int) bool { return out[i] < out[j] })
	return out
}

// Layout is where each SunSpec model of one device starts: the address of its id register.
type Layout map[uint16]uint16

// Locate returns the wire address of the point's registers and of its scale factor; hasScale is false without one, ok false when the
// device has none of the point's models.
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
	for _, id := range r.SunSpec.Models {
		base, found := layout[id]
		if !found {
			continue
		}
		if r.ScaleFactor != nil {
			return base + r.SunSpec.Offset, base + r.ScaleFactor.Address, true, true
		}
		return base + r.SunSpec.Offset, 0, false, true
	}
	return 0, 0, false, false
}
