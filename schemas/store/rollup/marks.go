package rollup

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"

	"quartier/schemas/district"
)

// Range is a time from the first to the last of some samples, both included, in microseconds since the Unix epoch.
type Range struct{ From, To int64 }

// Marks are the spans of samples that were written, by the store's own number of the series.
type Marks map[int64][]Range

// Note adds a sample or a run of samples of a series.
func (m Marks) Note(series int64, r Range) {
	list := m[series]
	if n := len(list); n > 0 && r.From <= list[n-1].To+hourUS && r.To >= list[n-1].From-hourUS {
		list[n-1] = Range{min(list[n-1].From, r.From), max(list[n-1].To, r.To)}
		return
	}
	m[series] = append(list, r)
}

// Add notes everything of another set.
func (m Marks) Add(o Marks) {
	for id, list := range o {
		for _, r := range list {
			m.Note(id, r)
		}
	}
}

// Span returns the first and the last instant of all marks.
func (m Marks) Span() Range {
	out, seen := Range{}, false
	for _, list := range m {
		for _, r := range list {
			if !seen {
				out, seen = r, true
			}
			out = Range{min(out.From, r.From), max(out.To, r.To)}
		}
	}
	return out
}

// join returns ranges in order, those that overlap or lie within an hour as one.
func join(list []Range) []Range {
	slices.SortFunc(list, func(a, b Range) int {
		switch {
		case a.From < b.From:
			return -1
		case a.From > b.From:
			return 1
		}
		return 0
	})
	var out []Range
	for _, r := range list {
		if n := len(out); n > 0 && r.From <= out[n-1].To+hourUS {
			out[n-1].To = max(out[n-1].To, r.To)
			continue
		}
		out = append(out, r)
	}
	return out
}

// EncodeMarks packs marks, see [Marker].
func EncodeMarks(m Marks) []byte {
	ids := make([]int64, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	var w Marker
	for _, id := range ids {
		for _, r := range join(slices.Clone(m[id])) {
			w.Mark(id, r)
		}
	}
	return w.Bytes()
}

// Marker packs marks one by one: a version (1 byte), for each range the change of series, the change of its begin in minutes and its length in minutes, all
// rounded outwards, as varints, and the CRC-32C of that (4 bytes, little-endian). Neighbouring series of one minute take 3 bytes each. The zero value is empty.
type Marker struct {
	out      []byte
	id, from int64
	span     Range
}

// Mark adds a range of a series.
func (w *Marker) Mark(series int64, r Range) {
	if len(w.out) == 0 {
		w.out, w.span = append(w.out, version), r
	}
	first := floor(r.From, minuteUS) / minuteUS
	w.out = binary.AppendVarint(w.out, series-w.id)
	w.out = binary.AppendVarint(w.out, first-w.from)
	w.out = binary.AppendUvarint(w.out, uint64(floor(r.To, minuteUS)/minuteUS-first))
	w.id, w.from = series, first
	w.span = Range{min(w.span.From, r.From), max(w.span.To, r.To)}
}

// Span returns the first and the last instant of what was marked.
func (w *Marker) Span() Range { return w.span }

// Bytes returns the packed marks, which hold until the next call of a method.
func (w *Marker) Bytes() []byte {
	if len(w.out) == 0 {
		w.out = append(w.out, version)
	}
	n := len(w.out)
	w.out = binary.LittleEndian.AppendUint32(w.out, crc32.Checksum(w.out, castagnoli))
	out := w.out
	w.out = w.out[:n]
	return out
}

// Reset empties it, and keeps its room.
func (w *Marker) Reset() { *w = Marker{out: w.out[:0]} }

// DecodeMarks unpacks marks. Every error matches [ErrCorrupt].
func DecodeMarks(data []byte) (Marks, error) {
	if len(data) < 5 {
		return nil, fmt.Errorf("%w: marks of %d bytes", ErrCorrupt, len(data))
	}
	body, sum := data[:len(data)-4], binary.LittleEndian.Uint32(data[len(data)-4:])
	if got := crc32.Checksum(body, castagnoli); got != sum {
		return nil, fmt.Errorf("%w: marks have checksum %08x, want %08x, over %d bytes", ErrCorrupt, got, sum, len(body))
	}
	if body[0] != version {
		return nil, fmt.Errorf("%w: marks of version %d, want %d", ErrCorrupt, body[0], version)
	}
	out := Marks{}
	in := body[1:]
	var id, from int64
	for len(in) > 0 {
		i, n := binary.Varint(in)
		if n <= 0 {
			return nil, fmt.Errorf("%w: marks are cut off", ErrCorrupt)
		}
		f, k := binary.Varint(in[n:])
		if k <= 0 {
			return nil, fmt.Errorf("%w: marks are cut off", ErrCorrupt)
		}
		l, j := binary.Uvarint(in[n+k:])
		if j <= 0 {
			return nil, fmt.Errorf("%w: marks are cut off", ErrCorrupt)
		}
		in = in[n+k+j:]
		id, from = id+i, from+f
		const most = int64(1) << 40 // minutes, far beyond the year 9999
		if from < -most || from > most || l > uint64(most) {
			return nil, fmt.Errorf("%w: a mark from minute %d for %d minutes", ErrCorrupt, from, l)
		}
		out[id] = append(out[id], Range{from * minuteUS, (from+int64(l)+1)*minuteUS - 1})
	}
	return out, nil
}

// Gather returns what rows of a list mark of some series.
func Gather(noted []Noted, series []district.SeriesID) map[district.SeriesID][]Range {
	out := make(map[district.SeriesID][]Range, len(series))
	for _, n := range noted {
		for _, id := range series {
			out[id] = append(out[id], n.Marks[id]...)
		}
	}
	for id, list := range out {
		out[id] = join(list)
	}
	return out
}
