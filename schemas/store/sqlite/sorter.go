package sqlite

import (
	"cmp"
	"iter"
	"slices"

	"quartier/schemas/store/batch"
)

// sorter sorts samples by series and time, in a time that grows with their number alone as long as those of each series come in their order.
type sorter struct {
	index  map[int64]int32 // of each series, among ids
	ids    []int64
	counts []int
	rows   []batch.Row // Series is the index
}

// add takes samples of one series.
func (s *sorter) add(id int64, rows []batch.Row) {
	i, ok := s.index[id]
	if !ok {
		if s.index == nil {
			s.index = map[int64]int32{}
		}
		i = int32(len(s.ids))
		s.index[id] = i
		s.ids, s.counts = append(s.ids, id), append(s.counts, 0)
	}
	s.counts[i] += len(rows)
	for _, r := range rows {
		r.Series = i
		s.rows = append(s.rows, r)
	}
}

// sorted yields the samples of each series by time, Series being 0; of two of the same time the one that was added later. Series come in the order of their ids.
func (s *sorter) sorted() iter.Seq2[int64, []batch.Row] {
	order := make([]int32, len(s.ids))
	for i := range order {
		order[i] = int32(i)
	}
	slices.SortFunc(order, func(a, b int32) int { return cmp.Compare(s.ids[a], s.ids[b]) })
	ends := make([]int, len(s.ids))
	n := 0
	for _, i := range order {
		ends[i] = n
		n += s.counts[i]
	}
	out := make([]batch.Row, len(s.rows))
	for _, r := range s.rows {
		i := r.Series
		r.Series = 0
		out[ends[i]] = r
		ends[i]++
	}
	s.rows = nil
	return func(yield func(int64, []batch.Row) bool) {
		for _, i := range order {
			if !yield(s.ids[i], byTime(out[ends[i]-s.counts[i]:ends[i]])) {
				return
			}
		}
	}
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
