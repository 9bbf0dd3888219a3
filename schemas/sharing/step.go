package sharing

import (
	"cmp"
	"math/bits"
	"slices"
)

// step shares the energy of one step. It is made once for many of them and allocates nothing afterwards.
//
// The exact value of a cell (producer p, column i) is a fraction; the columns are the consumers and, last, the surplus. Cells are kept as their whole watt-hours and the fraction beyond.
type step struct {
	consumed, produced []int64
	coefficients       []Coefficient // by consumer; of the full dynamic key by producer, then consumer
	allocated          []int64       // by consumer
	cells              []int64       // by producer, then column: whole watt-hours, then what was allocated
	fractions          []float64     // by producer, then column: beyond the whole watt-hours, in [0, 1]; above 0 if and only if there is one
	num, den           []uint64      // of a pooled key: a consumer's cells are num/den of the productions
	per                []float64     // by consumer: of a pooled key 1/den; of the full dynamic key, where a consumer is cut, what it consumes over its sum, else 0
	whole              []int64       // by consumer: whole watt-hours of its exact value
	remainders         []uint64      // by consumer: of the exact value, all over one denominator
	order              []int         // scratch
	sums               []wide        // by consumer: what coefficients of pairs entitle it to, in 1e-18 Wh
	grid               rounding
	producers          []int // that produced
}

func newStep(consumers, producers int, pairs bool) *step {
	n, m := consumers, producers
	s := &step{consumed: make([]int64, n), produced: make([]int64, m), coefficients: make([]Coefficient, n), allocated: make([]int64, n), cells: make([]int64, m*(n+1)),
		num: make([]uint64, n), den: make([]uint64, n), per: make([]float64, n), whole: make([]int64, n), remainders: make([]uint64, n), order: make([]int, 0, n)}
	if pairs {
		s.coefficients, s.sums = make([]Coefficient, n*m), make([]wide, n)
	}
	if m > 1 {
		s.fractions = make([]float64, m*(n+1))
	}
	s.grid.init(m, n+1)
	return s
}

// share fills allocated and cells.
func (s *step) share(key Key) {
	clear(s.cells)
	clear(s.allocated)
	clear(s.fractions)
	s.producers = s.producers[:0]
	total := int64(0)
	for p, v := range s.produced {
		if v > 0 {
			s.producers = append(s.producers, p)
		}
		total += v
	}
	if total == 0 {
		return
	}
	var den uint64
	if key == FullDynamic {
		den = s.pairs()
	} else {
		den = s.pool(key, total)
	}
	surplus := total - s.largestRemainders(den, total)
	width := len(s.consumed) + 1
	if len(s.producers) == 1 {
		row := s.cells[s.producers[0]*width:][:width]
		copy(row, s.allocated)
		row[width-1] = surplus
		return
	}
	switch key {
	case FullDynamic:
		s.pairCells()
	case Dynamic:
		s.poolCells(total)
		s.dynamicSurplus(uint64(surplus), uint64(total))
	default:
		s.poolCells(total)
		s.fixedSurplus(uint64(total))
	}
	s.grid.solve(s, surplus)
}

// pool finds each consumer's part of the production by a key that pools it, num/den, and its exact value. It returns the denominator of the remainders.
func (s *step) pool(key Key, total int64) uint64 {
	n := len(s.consumed)
	if key == Dynamic {
		sum := int64(0)
		for _, c := range s.consumed {
			sum += c
		}
		den := uint64(max(total, sum))
		per := 1 / float64(den)
		for i, c := range s.consumed {
			s.num[i], s.den[i], s.per[i] = uint64(c), den, per
			s.whole[i], s.remainders[i] = c, 0
			if total < sum {
				q, r := mulDiv(uint64(c), uint64(total), den, per)
				s.whole[i], s.remainders[i] = int64(q), r
			}
		}
		return den
	}
	trim(s.coefficients[:n])
	perTotal := 1 / float64(total)
	for i, c := range s.consumed {
		k := uint64(s.coefficients[i])
		q, r := mulDiv(k, uint64(total), uint64(Whole), perWhole)
		if int64(q) < c {
			s.num[i], s.den[i], s.per[i], s.whole[i], s.remainders[i] = k, uint64(Whole), perWhole, int64(q), r
		} else {
			s.num[i], s.den[i], s.per[i], s.whole[i], s.remainders[i] = uint64(c), uint64(total), perTotal, c, 0
		}
	}
	return uint64(Whole)
}

// perWhole is 1 over the denominator of coefficients.
const perWhole = 1 / float64(Whole)

// trim takes what coefficients are above 1 together, by the last bits of floats, from the largest of them.
func trim(k []Coefficient) {
	sum, largest := Coefficient(0), 0
	for i, v := range k {
		sum += v
		if v > k[largest] {
			largest = i
		}
	}
	if sum > Whole {
		k[largest] -= sum - Whole
	}
}

// nearWhole is how near below a whole watt-hour the exact sum of a step may be to count as it: one part in nearWhole. Shares of 0.3333333333333333 are thirds.
const nearWhole = 1e7

// largestRemainders rounds the exact values of the consumers: all down, and the watt-hours that are left of their sum to the largest remainders, ties to the first. It returns the sum.
func (s *step) largestRemainders(den uint64, most int64) int64 {
	sum, rest := int64(0), wide{}
	s.order = s.order[:0]
	for i, w := range s.whole {
		s.allocated[i] = w
		sum += w
		if r := s.remainders[i]; r > 0 {
			rest = rest.plus(wide{0, r})
			s.order = append(s.order, i)
		}
	}
	ups, left := bits.Div64(rest.hi, rest.lo, den)
	if left > 0 && den-left <= den/nearWhole && sum+int64(ups) < most {
		ups++
	}
	if ups == 0 {
		return sum
	}
	if int(ups) < len(s.order) {
		slices.SortFunc(s.order, func(a, b int) int {
			return cmp.Or(cmp.Compare(s.remainders[b], s.remainders[a]), cmp.Compare(a, b))
		})
	}
	for _, i := range s.order[:ups] {
		s.allocated[i]++
	}
	return sum + int64(ups)
}

// poolCells fills the cells of the consumers by num/den.
func (s *step) poolCells(total int64) {
	width := len(s.consumed) + 1
	for _, p := range s.producers {
		v := uint64(s.produced[p])
		cells, fractions := s.cells[p*width:][:width], s.fractions[p*width:][:width]
		for i, num := range s.num {
			if num == 0 {
				continue
			}
			q, r := mulDiv(num, v, s.den[i], s.per[i])
			cells[i] = int64(q)
			if r > 0 {
				fractions[i] = max(tiny, float64(r)*s.per[i])
			}
		}
	}
}

// dynamicSurplus fills the surplus of each producer: its part, by production, of all surplus, which is whole.
func (s *step) dynamicSurplus(surplus, total uint64) {
	if surplus == 0 {
		return
	}
	width := len(s.consumed) + 1
	per := 1 / float64(total)
	for _, p := range s.producers {
		q, r := mulDiv(surplus, uint64(s.produced[p]), total, per)
		s.cells[(p+1)*width-1], s.fractions[(p+1)*width-1] = int64(q), float64(r)/float64(total)
	}
}

// fixedSurplus fills the surplus of each producer: what it produced less its part of what some consumers consume, and less the coefficients of the others.
func (s *step) fixedSurplus(total uint64) {
	width := len(s.consumed) + 1
	var capped, coefficients uint64
	for i, num := range s.num {
		if s.den[i] == uint64(Whole) {
			coefficients += num
		} else {
			capped += num
		}
	}
	one, per := times(total, uint64(Whole)), 1/float64(total)
	for _, p := range s.producers {
		v := uint64(s.produced[p])
		qa, ra := mulDiv(capped, v, total, per)
		qb, rb := mulDiv(coefficients, v, uint64(Whole), perWhole)
		whole := int64(v - qa - qb)
		// less ra/total + rb/Whole, which is below 2
		part := times(ra, uint64(Whole)).plus(times(rb, total))
		for !part.zero() {
			whole--
			if part.less(one) {
				break
			}
			part = part.minus(one)
		}
		at := (p+1)*width - 1
		s.cells[at] = whole
		if !part.zero() {
			s.fractions[at] = max(tiny, 1-part.float()/one.float())
		}
	}
}

// tiny stands for a fraction that is above 0 and no float shows.
const tiny = 1e-18
