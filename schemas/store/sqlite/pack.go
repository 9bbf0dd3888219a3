package sqlite

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"

	"quartier/schemas/store/batch"
)

// errDamaged is matched by the errors of reading a pack.
var errDamaged = errors.New("packed samples are damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A pack is runs of samples, one after the other, and the CRC-32C of them (4 bytes, little-endian). A run is the id of its series, the number of its samples, and for
// each of them the time since the one before in microseconds (a signed varint; the first since the epoch), the flags (1 byte), and the bits of the value
// that differ from the one before, its bytes reversed so that the zeros at the end of a short number come first (a varint). Values that repeat take one byte.
//
// A mixed pack begins with a zero byte, as no run does, and is one sample each of many series: their number, and for each the change of the id of its series, the change of
// time, the flags and the reversed value. Where many devices are read at one moment that is less than half of what runs take.
//
// Joint packs are in joint.go.

// appendMixed adds samples of many series to an empty pack.
func appendMixed(b []byte, ids []int64, rows []batch.Row) []byte {
	b = append(b, 0)
	b = binary.AppendUvarint(b, uint64(len(rows)))
	id, micro := int64(0), int64(0)
	for i := range rows {
		r := &rows[i]
		n := ids[r.Series]
		b = binary.AppendVarint(b, n-id)
		b = binary.AppendVarint(b, r.Micro-micro)
		b = append(b, r.Flags)
		b = binary.AppendUvarint(b, bits.ReverseBytes64(math.Float64bits(r.Value)))
		id, micro = n, r.Micro
	}
	return b
}

// unpackMixed hands over the samples of a mixed pack, without its checksum, by runs of the same series.
func unpackMixed(body []byte, yield func(id int64, rows []batch.Row)) error {
	count, n := binary.Uvarint(body[1:])
	at := 1 + n
	if n <= 0 || count > uint64(len(body)-at)/4 {
		return fmt.Errorf("%w: %d samples in %d bytes", errDamaged, count, len(body))
	}
	var rows []batch.Row
	id, micro := int64(0), int64(0)
	for i := range count {
		change, n := binary.Varint(body[at:])
		if n <= 0 {
			return fmt.Errorf("%w: sample %d is cut", errDamaged, i)
		}
		at += n
		step, n := binary.Varint(body[at:])
		if n <= 0 || at+n >= len(body) {
			return fmt.Errorf("%w: sample %d is cut", errDamaged, i)
		}
		flags := body[at+n]
		at += n + 1
		value, n := binary.Uvarint(body[at:])
		if n <= 0 {
			return fmt.Errorf("%w: sample %d is cut", errDamaged, i)
		}
		at += n
		if change != 0 && len(rows) > 0 {
			yield(id, rows)
			rows = rows[:0]
		}
		id, micro = id+change, micro+step
		rows = append(rows, batch.Row{Micro: micro, Value: math.Float64frombits(bits.ReverseBytes64(value)), Flags: flags})
	}
	if len(rows) > 0 {
		yield(id, rows)
	}
	if at != len(body) {
		return fmt.Errorf("%w: %d bytes after the last sample", errDamaged, len(body)-at)
	}
	return nil
}

// appendRun adds the samples of one series, sorted by time, to a pack.
func appendRun(b []byte, id int64, rows []batch.Row) []byte {
	b = binary.AppendUvarint(b, uint64(id))
	b = binary.AppendUvarint(b, uint64(len(rows)))
	micro, value := int64(0), uint64(0)
	for i := range rows {
		r := &rows[i]
		v := math.Float64bits(r.Value)
		b = binary.AppendVarint(b, r.Micro-micro)
		b = append(b, r.Flags)
		b = binary.AppendUvarint(b, bits.ReverseBytes64(v^value))
		micro, value = r.Micro, v
	}
	return b
}

// seal ends a pack.
func seal(b []byte) []byte {
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// unpack hands over the runs of a pack, whose rows hold until the next call of yield. The error matches errDamaged, and then nothing may be true of what was yielded.
func unpack(b []byte, yield func(id int64, rows []batch.Row)) error {
	body, err := checked(b)
	switch {
	case err != nil:
		return err
	case isJoint(body):
		j, err := parseJoint(body)
		if err != nil {
			return err
		}
		return j.all(yield)
	case len(body) > 0 && body[0] == 0:
		return unpackMixed(body, yield)
	}
	return unpackRuns(body, yield)
}

// checked returns a pack without its checksum, which is right.
func checked(b []byte) (body []byte, err error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("%w: %d bytes", errDamaged, len(b))
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if got := crc32.Checksum(body, castagnoli); got != sum {
		return nil, fmt.Errorf("%w: checksum %08x, written %08x", errDamaged, got, sum)
	}
	return body, nil
}

// unpackRuns hands over runs.
func unpackRuns(body []byte, yield func(id int64, rows []batch.Row)) error {
	at := 0
	next := func() uint64 {
		v, n := binary.Uvarint(body[at:])
		if n <= 0 {
			at = len(body) + 1
			return 0
		}
		at += n
		return v
	}
	var rows []batch.Row
	for at < len(body) {
		id := next()
		if at > len(body) {
			break
		}
		count := next()
		if at > len(body) || count > uint64(len(body)-at)/3 {
			return fmt.Errorf("%w: a run of %d samples in %d bytes", errDamaged, count, len(body))
		}
		rows = rows[:0]
		micro, value := int64(0), uint64(0)
		for range count {
			if at >= len(body) {
				break
			}
			step, n := binary.Varint(body[at:])
			if n <= 0 || at+n >= len(body) {
				at = len(body) + 1
				break
			}
			flags := body[at+n]
			at += n + 1
			if at >= len(body) {
				at = len(body) + 1
				break
			}
			micro += step
			value ^= bits.ReverseBytes64(next())
			if at > len(body) {
				break
			}
			rows = append(rows, batch.Row{Micro: micro, Value: math.Float64frombits(value), Flags: flags})
		}
		if at > len(body) || uint64(len(rows)) != count {
			break
		}
		yield(int64(id), rows)
		if at == len(body) {
			return nil
		}
	}
	if len(body) == 0 {
		return nil
	}
	return fmt.Errorf("%w: a run is cut", errDamaged)
}
