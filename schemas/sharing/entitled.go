package sharing

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"quartier/schemas/units"
)

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
