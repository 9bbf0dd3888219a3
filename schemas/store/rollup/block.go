package rollup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"slices"

	"quartier/schemas/district"
)

// Level is what is stored.
type Level uint8

// The stored levels. The numbers are stored.
const (
	Minutes  Level = 1 // in blocks of an hour
	Quarters Level = 2 // in blocks of a day of UTC
)

func (l Level) width() int64 {
	if l == Minutes {
		return minuteUS
	}
	return quarterUS
}

// Length returns the microseconds of one block.
func (l Level) Length() int64 {
	if l == Minutes {
		return hourUS
	}
	return dayUS
}

// Block is the cells of one series and level in one block of time. One without cells is not stored.
type Block struct {
	Series district.SeriesID
	Level  Level
	Start  int64 // microseconds since the Unix epoch
	Cells  []Cell
	// Damaged says that the bytes do not decode: what stands there is computed from the samples again.
	Damaged bool
}

// ErrCorrupt is matched by every error of [Decode].
var ErrCorrupt = errors.New("store/rollup: corrupt block")

const version = 1

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Bits of a packed cell.
const (
	whole    = 1 << iota // Held is the whole slot; otherwise it follows
	constant             // Min, Max and Last are one value; otherwise all three follow
	same                 // Last is that of the cell before; otherwise it follows
	product              // Sum is what Last gives over Held; otherwise it follows
	plain                // no bad samples, and all of them good; otherwise both follow
	next                 // the slot after that of the cell before; otherwise the distance follows
	none                 // Samples is 0; otherwise it follows
)

// decimals is the most decimals that values of a block may have to be packed as integers; binary says that they are packed as 8 bytes each.
const (
	decimals = 6
	binary8  = 255
)

// scaleOf returns with how many decimals every Last, Min and Max of the cells is exactly written, or binary8.
func scaleOf(cells []Cell) byte {
	for scale := byte(0); scale <= decimals; scale++ {
		ten := math.Pow10(int(scale))
		fits := func(v float64) bool {
			d := math.Round(v * ten)
			return math.Abs(d) < 1<<40 && equal(d/ten, v) && !(d == 0 && math.Signbit(v))
		}
		if !slices.ContainsFunc(cells, func(c Cell) bool { return !fits(c.Last) || !fits(c.Min) || !fits(c.Max) }) {
			return scale
		}
	}
	return binary8
}

// Encode packs the cells of a block, in this order: a version (1 byte), the decimals of its values (1 byte; 255: they are packed as 8 bytes), the cells, and the CRC-32C of everything before it
// (4 bytes, little-endian). A cell is a byte of bits and what the bits say that follows: integers as varints, values as the change of their digits from the value before, sums as 8 bytes. A slot in which
// a value merely goes on is one byte, a minute of six different powers with two decimals about 16.
func Encode(b *Block) []byte {
	out := make([]byte, 0, 16+20*len(b.Cells))
	scale := scaleOf(b.Cells)
	out = append(out, version, scale)
	ten, digits := math.Pow10(int(scale)), int64(0)
	value := func(v float64) {
		if scale == binary8 {
			out = appendFloat(out, v)
			return
		}
		d := int64(math.Round(v * ten))
		out = binary.AppendVarint(out, d-digits)
		digits = d
	}
	width := b.Level.width()
	slot, last := b.Start-width, 0.0
	for i := range b.Cells {
		c := &b.Cells[i]
		bits := byte(0)
		set := func(bit byte, is bool) {
			if is {
				bits |= bit
			}
		}
		set(whole, c.Held == width)
		set(constant, equal(c.Min, c.Last) && equal(c.Max, c.Last))
		set(same, equal(c.Last, last))
		set(product, equal(c.Sum, c.Last*(float64(c.Held)/float64(hourUS))))
		set(plain, c.Bad == 0 && c.Worst == district.Good)
		set(next, c.Slot == slot+width)
		set(none, c.Samples == 0)
		out = append(out, bits)
		if bits&next == 0 {
			out = binary.AppendUvarint(out, uint64((c.Slot-slot)/width))
		}
		if bits&none == 0 {
			out = binary.AppendUvarint(out, uint64(c.Samples))
		}
		if bits&plain == 0 {
			out = append(binary.AppendUvarint(out, uint64(c.Bad)), byte(c.Worst))
		}
		if bits&whole == 0 {
			out = binary.AppendUvarint(out, uint64(c.Held))
		}
		if bits&same == 0 {
			value(c.Last)
		}
		if bits&constant == 0 {
			value(c.Min)
			value(c.Max)
		}
		if bits&product == 0 {
			out = appendFloat(out, c.Sum)
		}
		slot, last = c.Slot, c.Last
	}
	return binary.LittleEndian.AppendUint32(out, crc32.Checksum(out, castagnoli))
}

// equal reports whether two numbers are the same bits, so that what is unpacked is what was packed.
func equal(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }

func appendFloat(out []byte, v float64) []byte {
	return binary.LittleEndian.AppendUint64(out, math.Float64bits(v))
}

// Decode unpacks the cells of a block whose level and start are set. Every error matches [ErrCorrupt].
func Decode(b *Block, data []byte) error {
	if len(data) < 6 {
		return fmt.Errorf("%w: %d bytes", ErrCorrupt, len(data))
	}
	body, sum := data[:len(data)-4], binary.LittleEndian.Uint32(data[len(data)-4:])
	if got := crc32.Checksum(body, castagnoli); got != sum {
		return fmt.Errorf("%w: checksum %08x, want %08x, over %d bytes", ErrCorrupt, got, sum, len(body))
	}
	if body[0] != version {
		return fmt.Errorf("%w: version %d, want %d", ErrCorrupt, body[0], version)
	}
	r := reader{in: body[2:]}
	scale, digits := body[1], int64(0)
	if scale > decimals && scale != binary8 {
		return fmt.Errorf("%w: %d decimals", ErrCorrupt, scale)
	}
	ten := math.Pow10(int(scale))
	value := func() float64 {
		if scale == binary8 {
			return r.float()
		}
		digits += r.varint()
		return float64(digits) / ten
	}
	width := b.Level.width()
	slot, last, end := b.Start-width, 0.0, b.Start+b.Level.Length()
	b.Cells = b.Cells[:0]
	for len(r.in) > 0 && !r.cut {
		var c Cell
		bits := r.byte()
		c.Slot = slot + width
		if bits&next == 0 {
			// bounded before it is multiplied
			c.Slot = slot + int64(min(r.uvarint(), uint64(b.Level.Length()/width)+1))*width
		}
		if c.Slot <= slot || c.Slot >= end {
			return fmt.Errorf("%w: slot %d after slot %d in a block from %d", ErrCorrupt, c.Slot, slot, b.Start)
		}
		if bits&none == 0 {
			c.Samples = int64(r.uvarint())
		}
		if bits&plain == 0 {
			c.Bad = int64(r.uvarint())
			c.Worst = district.Quality(r.byte())
		}
		c.Held = width
		if bits&whole == 0 {
			c.Held = int64(r.uvarint())
		}
		if c.Samples < 0 || c.Bad < 0 || c.Held < 0 || c.Held > width || c.Worst > district.Substituted {
			return fmt.Errorf("%w: slot %d: %d samples, %d bad, held %d µs, quality %d", ErrCorrupt, c.Slot, c.Samples, c.Bad, c.Held, c.Worst)
		}
		c.Last = last
		if bits&same == 0 {
			c.Last = value()
		}
		c.Min, c.Max = c.Last, c.Last
		if bits&constant == 0 {
			c.Min = value()
			c.Max = value()
		}
		c.Sum = c.Last * (float64(c.Held) / float64(hourUS))
		if bits&product == 0 {
			c.Sum = r.float()
		}
		slot, last = c.Slot, c.Last
		b.Cells = append(b.Cells, c)
	}
	if r.cut {
		return fmt.Errorf("%w: cut off after slot %d", ErrCorrupt, slot)
	}
	return nil
}

// reader takes numbers from bytes; past the end it gives zeros and notes so.
type reader struct {
	in  []byte
	cut bool
}

func (r *reader) byte() byte {
	if len(r.in) == 0 {
		r.cut = true
		return 0
	}
	b := r.in[0]
	r.in = r.in[1:]
	return b
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.in)
	if n <= 0 {
		r.cut, r.in = true, nil
		return 0
	}
	r.in = r.in[n:]
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.in)
	if n <= 0 {
		r.cut, r.in = true, nil
		return 0
	}
	r.in = r.in[n:]
	return v
}

func (r *reader) float() float64 {
	if len(r.in) < 8 {
		r.cut, r.in = true, nil
		return 0
	}
	v := math.Float64frombits(binary.LittleEndian.Uint64(r.in))
	r.in = r.in[8:]
	return v
}
