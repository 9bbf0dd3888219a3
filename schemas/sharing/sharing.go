// Package sharing allocates the energy that a collective self-consumption operation produces among its members, in whole watt-hours and step by step, by the
// keys of the French rules (code de l'énergie D315-4 and D315-6).
//
// In each step, for produced energy P and measured consumptions C_i: 0 <= a_i <= C_i, sum a <= min(P, sum C), and sum a plus the surplus is exactly P.
package sharing

import (
	"fmt"

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

// Static allocates by fixed shares in [0, 1] that sum to at most 1: a_i = min(C_i, k_i * P), rounded down. What a member cannot use is not given to
// another: it is surplus.
func Static(produced units.WattHours, consumed []units.WattHours, shares []float64) (allocated []units.WattHours, surplus units.WattHours, err error) {
	if _, err := check(produced, consumed); err != nil {
		return nil, 0, err
	}
	if len(shares) != len(consumed) {
		return nil, 0, fmt.Errorf("sharing: %d shares for %d members", len(shares), len(consumed))
	}
	sum := 0.0
	for i, k := range shares {
		if !(k >= 0 && k <= 1) {
			return nil, 0, fmt.Errorf("sharing: share %g of member %d is outside [0, 1]", k, i)
		}
		sum += k
	}
	if sum > 1+1e-9 {
		return nil, 0, fmt.Errorf("sharing: shares sum to %g, more than 1", sum)
	}
	allocated = make([]units.WattHours, len(consumed))
	surplus = produced
	for i, c := range consumed {
		// 1e-9 keeps an exact product such as 0.29*100 from falling a watt-hour short
		allocated[i] = min(c, units.WattHours(shares[i]*float64(produced)+1e-9), surplus)
		surplus -= allocated[i]
	}
	return allocated, surplus, nil
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
