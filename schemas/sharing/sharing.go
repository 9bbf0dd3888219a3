// Package sharing allocates the energy that a collective self-consumption operation produces among its members, in whole watt-hours and step by step, by the
// keys of the French rules (code de l'énergie D315-4 and D315-6).
//
// In each step, for produced energy P and measured consumptions C_i: 0 <= a_i <= C_i, sum a <= min(P, sum C), and sum a plus the surplus is exactly P.
package sharing

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"quartier/schemas/units"
)

// Dynamic allocates by the legal default key, in proportion to consumption and within it: a_i = C_i * min(1, P / sum C). Parts are rounded by largest
// remainder, ties to the lower index. Negative inputs are errors.
func Dynamic(produced units.WattHours, consumed []units.WattHours) (allocated []units.WattHours, surplus units.WattHours, err error) {
	sum, err := check(produced, consumed)
	if err != nil {
		return nil, 0, err
	}
	total := min(produced, sum)
	return units.Split(total, consumed), produced - total, nil
}

// Static allocates by fixed shares in [0, 1] that sum to at most 1: a_i = min(C_i, e_i), with what each is entitled to by [Entitled]. What a member cannot use is not
// given to another: it is surplus.
func Static(produced units.WattHours, consumed []units.WattHours, shares []float64) (allocated []units.WattHours, surplus units.WattHours, err error) {
	if _, err := check(produced, consumed); err != nil {
		return nil, 0, err
	}
	if len(shares) != len(consumed) {
		return nil, 0, fmt.Errorf("sharing: %d shares for %d members", len(shares), len(consumed))
	}
	if allocated, err = Entitled(produced, shares); err != nil {
		return nil, 0, err
	}
	surplus = produced
	for i, c := range consumed {
		allocated[i] = min(c, allocated[i])
		surplus -= allocated[i]
	}
	return allocated, surplus, nil
}

// Entitled returns what each member may use of the produced energy by fixed shares: k_i * P in whole watt-hours, together the whole watt-hours of sum k * P. Each is rounded
// down and the rest goes to the largest remainders, ties to the lower index, so that nobody is a watt-hour away from the exact product.
func Entitled(produced units.WattHours, shares []float64) ([]units.WattHours, error) {
	if produced < 0 {
		return nil, fmt.Errorf("sharing: produced energy %d Wh is negative", produced)
	}
	sum := 0.0
	for i, k := range shares {
		if !(k >= 0 && k <= 1) {
			return nil, fmt.Errorf("sharing: share %g of member %d is outside [0, 1]", k, i)
		}
		sum += k
	}
	if sum > 1+1e-9 {
		return nil, fmt.Errorf("sharing: shares sum to %g, more than 1", sum)
	}
	out, remainders := make([]units.WattHours, len(shares)), make([]float64, len(shares))
	rest := min(produced, whole(sum*float64(produced)))
	order := make([]int, len(shares))
	for i, k := range shares {
		exact := k * float64(produced)
		out[i] = min(whole(exact), rest)
		remainders[i], order[i] = exact-float64(out[i]), i
		rest -= out[i]
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(remainders[b], remainders[a]) })
	for _, i := range order {
		if rest == 0 || remainders[i] <= 0 {
			break
		}
		out[i]++
		rest--
	}
	return out, nil
}

// whole rounds down, but for a product such as 0.29*100 that falls short of its whole watt-hours by the last bits of a float.
func whole(wh float64) units.WattHours {
	return units.WattHours(math.Floor(wh + 1e-9 + wh*1e-15))
}

func check(produced units.WattHours, consumed []units.WattHours) (sum units.WattHours, err error) {
	if produced < 0 {
		return 0, fmt.Errorf("sharing: produced energy %d Wh is negative", produced)
	}
	for i, c := range consumed {
		if c < 0 {
			return 0, fmt.Errorf("sharing: consumption %d Wh of member %d is negative", c, i)
		}
		sum += c
	}
	return sum, nil
}
