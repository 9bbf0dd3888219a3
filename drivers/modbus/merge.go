package modbus

import (
	"cmp"
	"slices"

	"quartier/drivers/profile"
)

// Span is a run of consecutive addresses of one table.
type Span struct {
	Table    profile.Table
	Address  uint16
	Quantity uint16
}

// end is the first address after the span.
func (s Span) end() int { return int(s.Address) + int(s.Quantity) }

// covers reports whether o lies within s.
func (s Span) covers(o Span) bool {
	return s.Table == o.Table && s.Address <= o.Address && o.end() <= s.end()
}

// maxBits is how many coils or discrete inputs one request reads.
const maxBits = 2000

// Merge returns the requests that read every wanted span, in the order of their addresses: few of them, none longer than the limits
// allow, none over a forbidden address, and with at most limits.MaxGap unwanted addresses between two wanted spans. A span for which
// alone reports true is read by itself. Every wanted span lies within one request.
func Merge(wants []Span, limits profile.Limits, alone func(Span) bool) []Span {
	sorted := slices.Clone(wants)
	slices.SortFunc(sorted, func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Address, b.Address), cmp.Compare(b.Quantity, a.Quantity))
	})
	sorted = slices.Compact(sorted)
	var out []Span
	open := false // whether the last request may grow
	for _, w := range sorted {
		single := limits.OneValue || alone != nil && alone(w)
		if n := len(out); n > 0 && open && !single {
			last := &out[n-1]
			if last.Table == w.Table && mergeable(*last, w, limits) {
				last.Quantity = uint16(max(last.end(), w.end()) - int(last.Address))
				continue
			}
		}
		out = append(out, w)
		open = !single
	}
	return out
}

func mergeable(a, b Span, limits profile.Limits) bool {
	limit := int(limits.MaxRegisters)
	if limit == 0 {
		limit = 125
	}
	if a.Table.Bits() {
		limit = maxBits
	}
	if max(a.end(), b.end())-int(a.Address) > limit || int(b.Address)-a.end() > int(limits.MaxGap) {
		return false
	}
	for _, f := range limits.Forbidden { // only the gap can touch it: no wanted span does
		if f.Table == a.Table && int(f.From) < int(b.Address) && int(f.To) >= a.end() {
			return false
		}
	}
	return true
}
