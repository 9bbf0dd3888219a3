package sharing

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// Algorithms of the organiser: what they give is not a key of the rules, but coefficients for each member and step, computed when the month's energies are known and sent to the
// network operator, who applies the coefficients key to them. Storage of the operation is a consumer where it charges and a producer where it discharges (D315-4), and an ordinary member to
// all of them: what is stored and allocated in a step is at most what is produced and discharged.

// Places is how many decimal places coefficients of an algorithm have unless one says otherwise. With fewer the network operator's rounding may take a watt-hour off a step's sum.
const Places = 15

// Redistribute returns an operation by coefficients that shares by the fixed shares, and gives what some leave unused to those who still draw from the grid, by their shares among
// themselves; only when all who have a share are satisfied, the others get in proportion to consumption. Coefficients have the given number of decimal places.
func (o *Operation) Redistribute(places int) (*Operation, error) {
	if o.Key != Static {
		return nil, fmt.Errorf("sharing: redistribution is of the static key, not of %q", o.Key)
	}
	order := make([]int, len(o.Consumers))
	return o.organise(places, func(c []int64, total uint64, give func(i int, part wide, of wide)) {
		for i := range order {
			order[i] = i
		}
		// who is satisfied first: the least consumption for a share; last, who has none
		slices.SortStableFunc(order, func(a, b int) int {
			if ka, kb := o.Shares[a], o.Shares[b]; ka > 0 && kb > 0 {
				return compareWide(times(uint64(c[a]), uint64(kb)), times(uint64(c[b]), uint64(ka)))
			}
			return cmp.Compare(min(o.Shares[b], 1), min(o.Shares[a], 1))
		})
		left, shares := total, uint64(0)
		for _, k := range o.Shares {
			shares += uint64(k)
		}
		all := order
		for len(all) > 0 {
			i := all[0]
			k := uint64(o.Shares[i])
			if k == 0 || times(uint64(k), left).less(times(uint64(c[i]), shares)) {
				break
			}
			give(i, wide{0, uint64(c[i])}, wide{0, total})
			left, shares, all = left-uint64(c[i]), shares-k, all[1:]
		}
		if shares > 0 {
			for _, i := range all {
				give(i, times(uint64(o.Shares[i]), left), times(shares, total))
			}
			return
		}
		proportionally(all, c, left, total, give)
	})
}

// Prioritise returns an operation by coefficients that serves groups of consumers one after the other, such as social housing first; within a group in proportion to consumption.
// Consumers that are in no group come last. Groups name consumers by their ids. Coefficients have the given number of decimal places.
func (o *Operation) Prioritise(groups [][]string, places int) (*Operation, error) {
	index, taken := map[string]int{}, map[string]bool{}
	for i := range o.Consumers {
		index[o.Consumers[i].ID] = i
	}
	var errs []error
	ranks := make([][]int, len(groups)+1)
	for g, ids := range groups {
		for _, id := range ids {
			i, ok := index[id]
			switch {
			case !ok:
				errs = append(errs, fmt.Errorf("group %d: %q is no consumer", g+1, id))
			case taken[id]:
				errs = append(errs, fmt.Errorf("group %d: %q has a group already", g+1, id))
			default:
				ranks[g] = append(ranks[g], i)
			}
			taken[id] = true
		}
	}
	for i := range o.Consumers {
		if !taken[o.Consumers[i].ID] {
			ranks[len(groups)] = append(ranks[len(groups)], i)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return o.organise(places, func(c []int64, total uint64, give func(i int, part wide, of wide)) {
		left := total
		for _, group := range ranks {
			left = proportionally(group, c, left, total, give)
		}
	})
}

// proportionally shares what is left of the total among a group in proportion to consumption and within it, and returns what then is left.
func proportionally(group []int, c []int64, left, total uint64, give func(i int, part wide, of wide)) uint64 {
	sum := uint64(0)
	for _, i := range group {
		sum += uint64(c[i])
	}
	if sum <= left {
		for _, i := range group {
			give(i, wide{0, uint64(c[i])}, wide{0, total})
		}
		return left - sum
	}
	for _, i := range group {
		give(i, times(uint64(c[i]), left), times(sum, total))
	}
	return 0
}

func compareWide(a, b wide) int { return cmp.Or(cmp.Compare(a.hi, b.hi), cmp.Compare(a.lo, b.lo)) }

// organise makes coefficients of an algorithm that gives each consumer a fraction of a step's total. Fractions are rounded up where that leaves their sum within 1, for what a member does not consume
// it does not get; otherwise by largest remainder to a sum of exactly 1.
func (o *Operation) organise(places int, share func(c []int64, total uint64, give func(i int, part, of wide))) (*Operation, error) {
	if places < 1 || places > decimals {
		return nil, fmt.Errorf("sharing: %d decimal places, want 1 to %d", places, decimals)
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	out := *o
	out.Key, out.Shares, out.Pairs = Coefficients, nil, nil
	n, high, low := len(o.Consumers), uint64(pow10[places/2]), uint64(pow10[places-places/2])
	units := high * low
	out.Coefficients = make([][]Coefficient, n)
	for i := range out.Coefficients {
		out.Coefficients[i] = make([]Coefficient, o.Steps())
	}
	consumed, parts, rest, order := make([]int64, n), make([]uint64, n), make([]float64, n), make([]int, 0, n)
	give := func(i int, part, of wide) {
		parts[i], rest[i] = 0, 0
		if part.zero() {
			return
		}
		first, r := part.mulDiv(high, of, float64(high)/of.float()) // in two halves, as a float finds no more digits at once
		second, r := r.mulDiv(low, of, float64(low)/of.float())
		parts[i], rest[i] = first*low+second, r.float()/of.float()
	}
	for k := range o.Steps() {
		total := uint64(0)
		for p := range o.Producers {
			total += uint64(o.Producers[p].Wh[k])
		}
		if total == 0 {
			continue
		}
		for i := range consumed {
			consumed[i] = int64(o.Consumers[i].Wh[k])
		}
		share(consumed, total, give)
		sum := uint64(0)
		order = order[:0]
		for i := range parts {
			sum += parts[i]
			if rest[i] > 0 {
				order = append(order, i)
			}
		}
		ups := min(len(order), int(units-min(sum, units)))
		if ups < len(order) {
			slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(rest[b], rest[a]) })
		}
		for _, i := range order[:ups] {
			parts[i]++
		}
		for i, v := range parts {
			out.Coefficients[i][k] = Coefficient(v) * (Whole / Coefficient(units))
		}
	}
	return &out, nil
}
