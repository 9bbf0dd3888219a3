package sharing

import "math"

// pairs finds each consumer's exact value by the full dynamic key: the sum of its parts of each producer's energy, at most what it consumes. It returns the denominator of the remainders.
func (s *step) pairs() uint64 {
	n := len(s.consumed)
	clear(s.sums)
	for _, p := range s.producers {
		k := s.coefficients[p*n:][:n]
		trim(k)
		v := uint64(s.produced[p])
		for i := range k {
			s.sums[i] = s.sums[i].plus(times(uint64(k[i]), v))
		}
	}
	for i, c := range s.consumed {
		s.per[i] = 0
		if times(uint64(c), uint64(Whole)).less(s.sums[i]) {
			s.whole[i], s.remainders[i] = c, 0
			s.per[i] = float64(c) / s.sums[i].float()
			continue
		}
		q, r := s.sums[i].over(uint64(Whole))
		s.whole[i], s.remainders[i] = int64(q), r
	}
	return uint64(Whole)
}

// pairCells fills the cells of the full dynamic key. Fractions of consumers that are cut have denominators of their own, so that they are summed as floats; a surplus
// that is so near a whole number that these cannot tell is that number.
func (s *step) pairCells() {
	n := len(s.consumed)
	near := float64(n+8) * 1e-15
	for _, p := range s.producers {
		k := s.coefficients[p*n:][:n]
		cells, fractions := s.cells[p*(n+1):][:n+1], s.fractions[p*(n+1):][:n+1]
		v := uint64(s.produced[p])
		whole, exact, rough := s.produced[p], wide{}, 0.0
		for i := range k {
			if k[i] == 0 || s.consumed[i] == 0 {
				continue
			}
			c := uint64(s.consumed[i])
			if s.per[i] > 0 { // cut
				q, r := times(uint64(k[i]), v).mulDiv(c, s.sums[i], s.per[i])
				cells[i], fractions[i] = int64(q), r.float()/s.sums[i].float()
				rough += fractions[i]
			} else {
				q, r := mulDiv(uint64(k[i]), v, uint64(Whole), perWhole)
				cells[i], fractions[i] = int64(q), float64(r)*perWhole
				exact = exact.plus(wide{0, r})
			}
			whole -= cells[i]
		}
		q, r := exact.over(uint64(Whole))
		whole -= int64(q)
		switch {
		case rough == 0 && r > 0:
			whole--
			fractions[n] = max(tiny, float64(uint64(Whole)-r)/float64(Whole))
		case rough > 0:
			part := rough + float64(r)/float64(Whole)
			if nearest := math.Round(part); math.Abs(part-nearest) < near {
				whole -= int64(nearest)
			} else {
				whole -= int64(math.Ceil(part))
				fractions[n] = math.Ceil(part) - part
			}
		}
		cells[n] = whole
	}
}
