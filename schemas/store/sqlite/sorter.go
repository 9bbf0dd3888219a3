package sqlite

import (
	"cmp"
	"slices"

	"quartier/schemas/store/batch"
)

// sorter sorts samples by series and time, in a time that grows with their number alone as long as those of each series come in their order. Samples stay where they
// were put; those of a series are linked.
type sorter struct {
	index map[int64]int32 // of each series, among lines
	lines []line
	rows  []batch.Row // Series is the place of the next row of its series plus one; 0 ends
	last  int32       // the line that was added to last
	room  []batch.Row
}

// line is one series of a sorter.
type line struct {
	id          int64
	first, last int32 // among rows
	count       int32
	next        int32 // the line that was added to after this one, last time
}

// add takes samples of one series.
func (s *sorter) add(id int64, rows []batch.Row) {
	if len(rows) == 0 {
		return
	}
	n := s.line(id)
	l := &s.lines[n]
	for _, r := range rows {
		at := int32(len(s.rows))
		if l.count > 0 {
			s.rows[l.last].Series = at + 1
		} else {
			l.first = at
		}
		l.last = at
		l.count++
		r.Series = 0
		s.rows = append(s.rows, r)
	}
	s.lines[s.last].next = n
	s.last = n
}

// line returns the place of the line of a series. Mostly series follow each other as they did before.
func (s *sorter) line(id int64) int32 {
	if len(s.lines) > 0 {
		if n := s.lines[s.last].next; s.lines[n].id == id {
			return n
		}
	}
	n, ok := s.index[id]
	if !ok {
		if s.index == nil {
			s.index = map[int64]int32{}
		}
		n = int32(len(s.lines))
		s.index[id] = n
		s.lines = append(s.lines, line{id: id})
	}
	return n
}

// order returns the lines in the order of their series.
func (s *sorter) order() []line {
	out := slices.Clone(s.lines)
	slices.SortFunc(out, func(a, b line) int { return cmp.Compare(a.id, b.id) })
	return out
}

// of returns the samples of a line by time, Series being 0; of two of the same time the one that was added later. They hold until the next call.
func (s *sorter) of(l line) []batch.Row {
	out := s.room[:0]
	for at, left := l.first, l.count; left > 0; left-- {
		r := s.rows[at]
		at = r.Series - 1
		r.Series = 0
		out = append(out, r)
	}
	s.room = out
	return byTime(out)
}

// byTime sorts samples of one series; of those of the same time the last stays.
func byTime(rows []batch.Row) []batch.Row {
	grows := true
	for i := 1; i < len(rows) && grows; i++ {
		grows = rows[i-1].Micro < rows[i].Micro
	}
	if grows {
		return rows
	}
	slices.SortStableFunc(rows, func(a, b batch.Row) int { return cmp.Compare(a.Micro, b.Micro) })
	kept := rows[:0]
	for i, r := range rows {
		if i+1 == len(rows) || rows[i+1].Micro != r.Micro {
			kept = append(kept, r)
		}
	}
	return kept
}
