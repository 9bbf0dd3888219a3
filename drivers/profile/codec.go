package profile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"quartier/schemas/district"
)

// Errors of [Point.Decode].
var (
	ErrNotImplemented = errors.New("value is marked as not implemented")
	ErrUnknownCode    = errors.New("code is not in the state table")
	ErrBadScale       = errors.New("scale factor is outside -10 to 10")
	ErrShort          = errors.New("too few registers")
)

// Words returns the number of registers of a raw type, 0 for a string, whose length the profile gives.
func (t Type) Words() uint16 {
	switch t {
	case Bool, U16, I16:
		return 1
	case U32, I32, F32, Acc32:
		return 2
	case U64, I64, F64, Acc64:
		return 4
	}
	return 0
}

func (t Type) signed() bool { return t == I16 || t == I32 || t == I64 }

// Decode returns the value of a register point in its stored unit and sign. regs are the point's registers as they came from the wire
// (0 or 1 for a bit); scaleFactor is the power of ten of its scale-factor register, 0 without one.
func (pt *Point) Decode(regs []uint16, scaleFactor int16) (float64, error) {
	r := pt.Register
	if len(regs) < int(r.Length) {
		return math.NaN(), fmt.Errorf("%s: %d of %d registers: %w", pt.Name, len(regs), r.Length, ErrShort)
	}
	regs = regs[:r.Length]
	if pt.Type == String {
		return pt.fromText(regs)
	}
	if r.Table.Bits() {
		bit := 0.0
		if regs[0] != 0 {
			bit = 1
		}
		return pt.FromDevice(bit)
	}
	bits := assemble(regs, r.LowWordFirst, r.LittleEndian)
	for _, s := range r.NotImplemented {
		if bits == s {
			return math.NaN(), fmt.Errorf("%s: raw %#x: %w", pt.Name, bits, ErrNotImplemented)
		}
	}
	if scaleFactor < -10 || scaleFactor > 10 {
		if scaleFactor == math.MinInt16 {
			return math.NaN(), fmt.Errorf("%s: scale factor: %w", pt.Name, ErrNotImplemented)
		}
		return math.NaN(), fmt.Errorf("%s: %d: %w", pt.Name, scaleFactor, ErrBadScale)
	}
	if r.Mask != 0 {
		bits = bits & r.Mask >> shift(r.Mask)
	}
	var raw float64
	switch pt.Type {
	case Bool:
		if bits != 0 {
			raw = 1
		}
	case F32:
		raw = float64(math.Float32frombits(uint32(bits)))
	case F64:
		raw = math.Float64frombits(bits)
	case I16:
		raw = float64(int16(bits))
	case I32:
		raw = float64(int32(bits))
	case I64:
		raw = float64(int64(bits))
	default:
		raw = float64(bits)
	}
	return pt.FromDevice(pow10(raw, scaleFactor))
}

// FromDevice brings a number in the device's own type to the stored unit and sign: scale, offset, unit, sign and state table. It is an
// error for NaN, an infinity and an unlisted state code.
func (pt *Point) FromDevice(raw float64) (float64, error) {
	if math.IsNaN(raw) || math.IsInf(raw, 0) {
		return math.NaN(), fmt.Errorf("%s: raw %g: %w", pt.Name, raw, ErrNotImplemented)
	}
	if len(pt.States) > 0 {
		for _, s := range pt.States {
			if s.Code == raw {
				return s.Is, nil
			}
		}
		if pt.Otherwise != nil {
			return *pt.Otherwise, nil
		}
		return math.NaN(), fmt.Errorf("%s: code %g: %w", pt.Name, raw, ErrUnknownCode)
	}
	v := pt.conv.Stored(times(raw, pt.Scale) + pt.Offset)
	if pt.Invert {
		v = -v
	}
	if math.IsInf(v, 0) || math.IsNaN(v) {
		return math.NaN(), fmt.Errorf("%s: raw %g: %w", pt.Name, raw, ErrNotImplemented)
	}
	return v + 0, nil // + 0 turns −0 into 0
}

// ToDevice is the inverse of [Point.FromDevice]. It is an error for a state that no listed code stands for.
func (pt *Point) ToDevice(value float64) (float64, error) {
	if len(pt.States) > 0 {
		for _, s := range pt.States {
			if s.Is == value {
				return s.Code, nil
			}
		}
		return math.NaN(), fmt.Errorf("%s: state %g: %w", pt.Name, value, ErrUnknownCode)
	}
	if pt.Invert {
		value = -value
	}
	return times(pt.conv.Raw(value)-pt.Offset, 1/pt.Scale), nil
}

// Encode returns the registers (0 or 1 for a bit) that stand for value, in the stored unit and sign; the inverse of [Point.Decode]. NaN
// becomes the device's mark for not implemented. It is an error when the value does not fit the type, or there is no such mark.
func (pt *Point) Encode(value float64, scaleFactor int16) ([]uint16, error) {
	r := pt.Register
	if r == nil {
		return nil, fmt.Errorf("%s: has no register", pt.Name)
	}
	if math.IsNaN(value) {
		return pt.encodeMissing()
	}
	if pt.Type == String {
		return pt.toText(value)
	}
	raw, err := pt.ToDevice(value)
	if err != nil {
		return nil, err
	}
	raw = pow10(raw, -scaleFactor)
	if r.Table.Bits() || pt.Type == Bool {
		on := math.Round(raw) != 0
		switch {
		case !on:
			return []uint16{0}, nil
		case r.Table.Bits() || r.Mask == 0:
			return []uint16{1}, nil
		default:
			return []uint16{uint16(r.Mask)}, nil
		}
	}
	bits, ok := pt.toBits(raw)
	if !ok {
		return nil, fmt.Errorf("%s: %g %s does not fit %s", pt.Name, value, pt.Unit, pt.Type)
	}
	if pt.Type != Acc32 && pt.Type != Acc64 {
		for _, s := range r.NotImplemented {
			if bits == s {
				return nil, fmt.Errorf("%s: %g %s is the mark for not implemented", pt.Name, value, pt.Unit)
			}
		}
	}
	return disassemble(bits, int(r.Length), r.LowWordFirst, r.LittleEndian), nil
}

func (pt *Point) toBits(raw float64) (uint64, bool) {
	switch pt.Type {
	case F32:
		f := float32(raw) + 0 // + 0 turns −0 into 0
		return uint64(math.Float32bits(f)), !math.IsInf(float64(f), 0)
	case F64:
		return math.Float64bits(raw + 0), !math.IsInf(raw, 0)
	}
	n := math.Round(raw)
	width := uint(pt.Type.Words()) * 16
	if m := pt.Register.Mask; m != 0 {
		if n < 0 || n > float64(m>>shift(m)) {
			return 0, false
		}
		return uint64(n) << shift(m), true
	}
	if pt.Type.signed() {
		limit := math.Ldexp(1, int(width)-1)
		if n < -limit || n >= limit {
			return 0, false
		}
		return uint64(int64(n)) & (math.MaxUint64 >> (64 - width)), true
	}
	if n < 0 || n >= math.Ldexp(1, int(width)) {
		return 0, false
	}
	return uint64(n), true
}

func (pt *Point) encodeMissing() ([]uint16, error) {
	r := pt.Register
	switch {
	case len(r.NotImplemented) > 0:
		return disassemble(r.NotImplemented[0], int(r.Length), r.LowWordFirst, r.LittleEndian), nil
	case pt.Type == F32:
		return disassemble(0x7FC00000, 2, r.LowWordFirst, r.LittleEndian), nil
	case pt.Type == F64:
		return disassemble(0x7FF8000000000000, 4, r.LowWordFirst, r.LittleEndian), nil
	case pt.Type == String:
		return make([]uint16, r.Length), nil
	}
	return nil, fmt.Errorf("%s: has no mark for not implemented", pt.Name)
}

// Resolution is the smallest step of the point in its stored unit, 0 for a float.
func (pt *Point) Resolution(scaleFactor int16) float64 {
	if pt.Type == F32 || pt.Type == F64 || pt.Type == String {
		return 0
	}
	if len(pt.States) > 0 || pt.Type == Bool {
		return 1
	}
	return math.Abs(pow10(1, scaleFactor) * pt.Scale * pt.conv.Factor)
}

// RollsAt is the value in its stored unit at which a counter begins again at 0 because its register holds no more; 0 where that is not known, or no counter lives to see it.
func (pt *Point) RollsAt() float64 {
	if pt.Form != district.Counter || pt.Register == nil || pt.Register.ScaleFactor != nil {
		return 0
	}
	bits := map[Type]int{U16: 16, I16: 15, U32: 32, Acc32: 32, I32: 31}[pt.Type]
	if bits == 0 {
		return 0
	}
	return math.Ldexp(1, bits) * pt.Resolution(0)
}

func (pt *Point) fromText(regs []uint16) (float64, error) {
	b := make([]byte, 0, 2*len(regs))
	for _, w := range regs {
		hi, lo := byte(w>>8), byte(w)
		if pt.Register.LittleEndian {
			hi, lo = lo, hi
		}
		b = append(b, hi, lo)
	}
	text, _, _ := strings.Cut(string(b), "\x00")
	text = strings.TrimSpace(text)
	if text == "" {
		return math.NaN(), fmt.Errorf("%s: empty text: %w", pt.Name, ErrNotImplemented)
	}
	for _, s := range pt.States {
		if s.Text == text {
			return s.Is, nil
		}
	}
	if pt.Otherwise != nil {
		return *pt.Otherwise, nil
	}
	return math.NaN(), fmt.Errorf("%s: text %.40q: %w", pt.Name, text, ErrUnknownCode)
}

func (pt *Point) toText(value float64) ([]uint16, error) {
	for _, s := range pt.States {
		if s.Is != value {
			continue
		}
		b := make([]byte, 2*int(pt.Register.Length))
		copy(b, s.Text)
		out := make([]uint16, pt.Register.Length)
		for i := range out {
			out[i] = binary.BigEndian.Uint16(b[2*i:])
			if pt.Register.LittleEndian {
				out[i] = binary.LittleEndian.Uint16(b[2*i:])
			}
		}
		return out, nil
	}
	return nil, fmt.Errorf("%s: state %g: %w", pt.Name, value, ErrUnknownCode)
}

// assemble joins up to four registers to one number.
func assemble(regs []uint16, lowFirst, little bool) uint64 {
	var bits uint64
	for i := range regs {
		w := regs[i]
		if lowFirst {
			w = regs[len(regs)-1-i]
		}
		if little {
			w = w>>8 | w<<8
		}
		bits = bits<<16 | uint64(w)
	}
	return bits
}

// disassemble is the inverse of assemble.
func disassemble(bits uint64, n int, lowFirst, little bool) []uint16 {
	out := make([]uint16, n)
	for i := n - 1; i >= 0; i-- {
		w := uint16(bits)
		bits >>= 16
		if little {
			w = w>>8 | w<<8
		}
		if lowFirst {
			out[n-1-i] = w
		} else {
			out[i] = w
		}
	}
	return out
}

// shift is the number of zero bits below a mask.
func shift(mask uint64) uint {
	n := uint(0)
	for mask&1 == 0 {
		mask >>= 1
		n++
	}
	return n
}

// times multiplies by scale; a scale that is one over a whole number divides by it, so that 2301 × 0.1 is 230.1 and no neighbour of it.
func times(v, scale float64) float64 {
	inv := 1 / scale
	if whole := math.Round(inv); math.Abs(scale) < 1 && math.Abs(inv-whole) < 1e-9*math.Abs(whole) {
		return v / whole
	}
	return v * scale
}

func pow10(v float64, exponent int16) float64 {
	switch {
	case exponent > 0:
		return v * math.Pow10(int(exponent))
	case exponent < 0:
		return v / math.Pow10(int(-exponent))
	}
	return v
}

// MaskRegisters returns the mask of a masked point as it lies in its registers.
func (pt *Point) MaskRegisters() []uint16 {
	r := pt.Register
	return disassemble(r.Mask, int(r.Length), r.LowWordFirst, r.LittleEndian)
}
