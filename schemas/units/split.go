package units

import (
	"math/bits"
	"sort"
)

// Split divides total among weights in proportion, in whole watt-hours that sum exactly to total: each part is rounded down and the rest goes to the largest
// remainders, ties to the lower index. Weights must not be negative; when all are zero every part is zero and total must be zero to be kept.
// No part exceeds its weight when total does not exceed their sum.
func Split(total WattHours, weights []WattHours) []WattHours {
	out := make([]WattHours, len(weights))
	var sum WattHours
	for _, w := range weights {
		sum += w
	}
	if sum <= 0 || total == 0 {
		return out
	}
	rest := total
	type remainder struct {
		i int
		r WattHours
	}
	rem := make([]remainder, 0, len(weights))
	for i, w := range weights {
		q, r := mulDiv(total, w, sum)
		out[i] = q
		rest -= q
		if r > 0 {
			rem = append(rem, remainder{i, r})
		}
	}
	sort.SliceStable(rem, func(a, b int) bool { return rem[a].r > rem[b].r })
	for k := 0; rest > 0 && k < len(rem); k++ {
		out[rem[k].i]++
		rest--
	}
	return out
}

// mulDiv returns a*b/c rounded down and its remainder, for values that are not negative and whose product fits 128 bits.
func mulDiv(a, b, c WattHours) (q, r WattHours) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	quo, remd := bits.Div64(hi, lo, uint64(c))
	return WattHours(quo), WattHours(remd)
}
