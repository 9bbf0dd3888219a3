// Package storage decides what a store does while nobody knows the net power that it will meet: stochastic dynamic programming over what is stored.
//
// A plan on the expected net power is too sure of itself: it fills the store for a demand that may not come, or spends it before one that may. Here every slot
// has several outcomes of the net power, all equally likely, and the store may answer the one that comes, as the fast loop of a district does:
//
//	V[k](s) = mean over n of min over b { h*price(n+b)*(n+b) + h*wear*|b| + V[k+1](s') },   s' = (1-loss*h)*s + h*(b*charge efficiency, or b/discharge efficiency)
//
// with s what is stored (kWh), b the power into the store (kW, negative out of it), h the slot's hours, n the net power of everything else (kW, positive drawn),
// the import price where n+b is drawn and the export price where it is given. V is convex in s, piecewise linear on a grid of levels; the best power follows from
// comparing marginal values and needs no search.
//
// Outcomes of slots that follow each other go together: a cloudy hour is rarely alone. A slot says with which probability ([Slot.Stays]) the outcome of the next one has the rank of its own, otherwise
// all are equally likely. So V knows the rank of the outcome under way, which is seen when the store answers, and costs no more to work out than with independent outcomes.
//
// Several stores are planned as one: see [Pool].
package storage

import (
	"errors"
	"fmt"
	"math"
	"sort"
)

// Store is what a store can do, seen from its terminals.
type Store struct {
	CapacityKWh         float64 // usable energy; what is stored lies in [0, CapacityKWh]
	ChargeKW            float64 // >= 0
	DischargeKW         float64 // >= 0
	ChargeEfficiency    float64 // in (0, 1]
	DischargeEfficiency float64 // in (0, 1]
	LossPerHour         float64 // share of what is stored, in [0, 1]
	WearCostPerKWh      float64 // EUR per kWh charged or discharged, >= 0
}

// Validate names every fault.
func (s Store) Validate() error {
	var errs []error
	bad := func(ok bool, what string, v float64, unit string) {
		if !ok {
			errs = append(errs, fmt.Errorf("storage: %s %g%s", what, v, unit))
		}
	}
	bad(s.CapacityKWh >= 0 && !math.IsInf(s.CapacityKWh, 0), "capacity of", s.CapacityKWh, " kWh")
	bad(s.ChargeKW >= 0 && !math.IsInf(s.ChargeKW, 0), "charge power of", s.ChargeKW, " kW")
	bad(s.DischargeKW >= 0 && !math.IsInf(s.DischargeKW, 0), "discharge power of", s.DischargeKW, " kW")
	bad(s.ChargeEfficiency > 0 && s.ChargeEfficiency <= 1, "charge efficiency outside (0, 1]:", s.ChargeEfficiency, "")
	bad(s.DischargeEfficiency > 0 && s.DischargeEfficiency <= 1, "discharge efficiency outside (0, 1]:", s.DischargeEfficiency, "")
	bad(s.LossPerHour >= 0 && s.LossPerHour <= 1, "loss per hour outside [0, 1]:", s.LossPerHour, "")
	bad(s.WearCostPerKWh >= 0 && !math.IsInf(s.WearCostPerKWh, 0), "wear cost of", s.WearCostPerKWh, " per kWh")
	return errors.Join(errs...)
}

// After returns what is stored after a slot of so many hours at power kw, from stored kWh before it. It is not cut to the store's range.
func (s Store) After(stored, kw, hours float64) float64 {
	stored -= stored * math.Min(1, s.LossPerHour*hours)
	if kw > 0 {
		return stored + hours*kw*s.ChargeEfficiency
	}
	return stored + hours*kw/s.DischargeEfficiency
}

// Within returns the power nearest to kw that the store can hold for a slot of so many hours.
func (s Store) Within(stored, kw, hours float64) float64 {
	kept := stored - stored*math.Min(1, s.LossPerHour*hours)
	if kw >= 0 {
		return math.Max(0, math.Min(math.Min(kw, s.ChargeKW), (s.CapacityKWh-kept)/(hours*s.ChargeEfficiency)))
	}
	return -math.Max(0, math.Min(math.Min(-kw, s.DischargeKW), kept*s.DischargeEfficiency/hours))
}

// Pool returns the one store that stands for several: capacities and powers added, efficiencies, losses and wear by capacity. It can do no less than they can together as
// long as each holds the same share of its capacity; [Share] keeps them near that.
func Pool(stores []Store) Store {
	var p Store
	for _, s := range stores {
		p.CapacityKWh += s.CapacityKWh
		p.ChargeKW += s.ChargeKW
		p.DischargeKW += s.DischargeKW
		p.ChargeEfficiency += s.CapacityKWh * s.ChargeEfficiency
		p.DischargeEfficiency += s.CapacityKWh * s.DischargeEfficiency
		p.LossPerHour += s.CapacityKWh * s.LossPerHour
		p.WearCostPerKWh += s.CapacityKWh * s.WearCostPerKWh
	}
	if p.CapacityKWh == 0 {
		return Store{ChargeEfficiency: 1, DischargeEfficiency: 1}
	}
	p.ChargeEfficiency /= p.CapacityKWh
	p.DischargeEfficiency /= p.CapacityKWh
	p.LossPerHour /= p.CapacityKWh
	p.WearCostPerKWh /= p.CapacityKWh
	return p
}

// Share divides a power among stores that hold stored kWh: each takes as much as brings all to the same share of their capacity, as far as powers and ranges allow. It
// writes the powers to out. Their sum is kw where the stores can, and the nearest to it where they cannot.
func Share(stores []Store, stored []float64, kw, hours float64, out []float64) {
	// a common level is sought by bisection: powers towards it grow with it
	at := func(level float64) float64 {
		sum := 0.0
		for i, s := range stores {
			want := level*s.CapacityKWh - (stored[i] - stored[i]*math.Min(1, s.LossPerHour*hours))
			b := want / (hours * s.ChargeEfficiency)
			if want < 0 {
				b = want * s.DischargeEfficiency / hours
			}
			if (kw >= 0) != (b >= 0) { // nobody discharges into another
				b = 0
			}
			out[i] = s.Within(stored[i], b, hours)
			sum += out[i]
		}
		return sum
	}
	lo, hi := 0.0, 1.0
	if kw >= 0 && at(hi) <= kw || kw < 0 && at(lo) >= kw {
		return
	}
	for range 60 {
		if mid := (lo + hi) / 2; at(mid) < kw {
			lo = mid
		} else {
			hi = mid
		}
	}
	at(hi)
}

// Slot is one step of the horizon.
type Slot struct {
	Hours         float64
	ImportPrice   float64   // EUR per kWh drawn, carbon included where it has a price
	ExportPrice   float64   // EUR per kWh given
	ImportLimitKW float64   // of the whole net power; 0: none
	ExportLimitKW float64   // 0: none
	Curtails      bool      // what would pass the export limit is held back at its source: it earns nothing and breaks nothing
	NetKW         []float64 // outcomes of the net power without the store, equally likely; at least one
	// Stays is the probability that the next slot's outcome is the one of the same rank; else all are equally likely. Where it is not 0 outcomes do not fall, and the next slot has as many.
	Stays float64
}

// beyondPrice is what a kWh beyond a limit costs: more than any energy, so that stores are kept ready for it where they can.
const beyondPrice = 10.0

// beyondExport is what a kWh given beyond the export limit earns.
func (s *Slot) beyondExport() float64 {
	if s.Curtails {
		return math.Min(0, s.ExportPrice)
	}
	return math.Min(-beyondPrice, s.ExportPrice)
}

// noGain is what a kWh must earn at least for a store to move, EUR: without gain it rests.
const noGain = 1e-9

// What forecasts foresee they are not sure of, so when a store answers, surplus now and demand now weigh a little more, as shares of the import price: where surplus enough is foreseen to come it is as well
// stored later, at no gain, and may not come (soon); and what is bought, or kept from a demand, for a gain that is smaller than forecasts err is as often a loss (sure).
const (
	soon = 1e-3
	sure = 3e-3
)

// levels is how many levels of what is stored are told apart. With 64 a store of two hours' power moves half a level in a minute.
const levels = 64

// Values are the values of what is stored at the begin of every slot, and at the end.
type Values struct {
	store Store
	slots []Slot
	cost  [][]float64 // cost to go, by slot and level, before the slot's outcome is known; the last is at the end
	// after is the cost to go after a slot, by slot, the outcome that it had, and level; one for all outcomes where they tell nothing of the next slot
	after [][][]float64
}

// Value works out the values of the horizon. finalWorth is what a stored kWh is worth at its end, EUR. Faults of the input are errors that name the slot.
func Value(store Store, slots []Slot, finalWorth float64) (*Values, error) {
	return Recurring(store, slots, finalWorth, nil)
}

// Recurring is [Value] for a horizon that is no edge: what is stored at its end is worth, by how much it is, what it is worth at the begin of a usual day that follows, at whose end it is finalWorth. Without a usual day it is
// Value.
func Recurring(store Store, slots []Slot, finalWorth float64, usual []Slot) (*Values, error) {
	var day *Values
	if len(usual) > 0 {
		var err error
		if day, err = Value(store, usual, finalWorth); err != nil {
			return nil, fmt.Errorf("storage: the day after the horizon: %w", err)
		}
	}
	errs := []error{store.Validate()}
	for k, s := range slots {
		if !(s.Hours > 0) || len(s.NetKW) == 0 {
			errs = append(errs, fmt.Errorf("storage: slot %d has %g h and %d outcomes", k, s.Hours, len(s.NetKW)))
		}
		for _, v := range append([]float64{s.Hours, s.ImportPrice, s.ExportPrice, s.ImportLimitKW, s.ExportLimitKW}, s.NetKW...) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				errs = append(errs, fmt.Errorf("storage: slot %d has a value that is no number: %g", k, v))
				break
			}
		}
		if s.Stays == 0 {
			continue
		}
		if !(s.Stays > 0 && s.Stays <= 1) || !sort.Float64sAreSorted(s.NetKW) || k+1 < len(slots) && len(slots[k+1].NetKW) != len(s.NetKW) {
			errs = append(errs, fmt.Errorf("storage: the outcome of slot %d stays with a probability of %g among %d that rise, then %d", k, s.Stays, len(s.NetKW), len(slots[min(k+1, len(slots)-1)].NetKW)))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	v := &Values{store: store, slots: slots, cost: make([][]float64, len(slots)+1), after: make([][][]float64, len(slots))}
	flat := make([]float64, levels*(len(slots)+1))
	for k := range v.cost {
		v.cost[k], flat = flat[:levels:levels], flat[levels:]
	}
	end := v.cost[len(slots)]
	for g := range end {
		end[g] = -finalWorth * v.level(g)
	}
	if day != nil {
		copy(end, day.cost[0])
	}
	v.back()
	return v, nil
}

// back works out the slots from the last one back to the first.
func (v *Values) back() {
	var r regions
	var next [][]float64 // cost to go from the begin of the next slot, by its outcome
	for k := len(v.slots) - 1; k >= 0; k-- {
		s := &v.slots[k]
		v.after[k] = v.mixed(k, next)
		next = make([][]float64, len(s.NetKW))
		for i, net := range s.NetKW {
			after := v.after[k][min(i, len(v.after[k])-1)]
			v.regions(k, net, after, false, &r)
			next[i] = make([]float64, levels)
			for g := range next[i] {
				stored := v.level(g)
				next[i][g] = v.costOf(k, stored, net, v.best(k, stored, net, after, &r), after)
				v.cost[k][g] += next[i][g] / float64(len(s.NetKW))
			}
		}
	}
}

// mixed is the cost to go after a slot by its outcome, of that from the begin of the next by the outcome there.
func (v *Values) mixed(k int, next [][]float64) [][]float64 {
	stays := v.slots[k].Stays
	if stays == 0 || next == nil {
		return v.cost[k+1 : k+2]
	}
	out := make([][]float64, len(next))
	for i := range out {
		out[i] = blend(next[i], v.cost[k+1], stays)
	}
	return out
}

// blend is a share of one curve and the rest of another.
func blend(a, b []float64, share float64) []float64 {
	out := make([]float64, len(a))
	for g := range out {
		out[g] = share*a[g] + (1-share)*b[g]
	}
	return out
}

// afterAt is the cost to go after a slot in which the net power was netKW: between the outcomes that it lies between.
func (v *Values) afterAt(k int, netKW float64) []float64 {
	after, net := v.after[k], v.slots[k].NetKW
	i := sort.SearchFloat64s(net, netKW)
	switch {
	case len(after) == 1 || i == 0:
		return after[0]
	case i == len(net):
		return after[i-1]
	}
	return blend(after[i], after[i-1], (netKW-net[i-1])/(net[i]-net[i-1]))
}

func (v *Values) level(g int) float64 { return float64(g) / (levels - 1) * v.store.CapacityKWh }

// Worth is what one more kWh would save that is stored at the begin of a slot, or at the end of the last one: EUR per kWh.
func (v *Values) Worth(slot int, storedKWh float64) float64 {
	if v.store.CapacityKWh <= 0 {
		return 0
	}
	c, x := v.cost[slot], storedKWh/v.store.CapacityKWh*(levels-1)
	i := min(max(int(x), 0), levels-2)
	return (c[i] - c[i+1]) / (v.store.CapacityKWh / (levels - 1))
}

// Power is the best power of the store in a slot in which the net power of everything else is netKW: kW into the store.
func (v *Values) Power(slot int, storedKWh, netKW float64) float64 {
	var r regions
	after := v.afterAt(slot, netKW)
	v.regions(slot, netKW, after, true, &r)
	return v.best(slot, storedKWh, netKW, after, &r)
}

// At is [Values.Power] for so many hours that are left of a slot, at prices that may have turned out to be others than were planned with.
func (v *Values) At(slot int, hours, storedKWh, netKW, importPrice, exportPrice float64) float64 {
	one := *v
	one.slots = []Slot{v.slots[slot]}
	one.after = v.after[slot:]
	one.slots[0].Hours = hours
	one.slots[0].ImportPrice, one.slots[0].ExportPrice = importPrice, exportPrice
	return one.Power(0, storedKWh, netKW)
}

// regions are the ranges of the store's power in which one more kW costs the same, and the level up to which each is worth its price.
type regions struct {
	n      int
	from   [7]float64 // kW; region i ends where i+1 begins
	target [6]float64 // kWh
	convex bool
}

func (v *Values) regions(k int, net float64, after []float64, answers bool, r *regions) {
	s := &v.slots[k]
	at := [...]float64{-v.store.DischargeKW, 0, v.store.ChargeKW, -net, 0, 0}
	n := 4
	if s.ImportLimitKW > 0 {
		at[n] = s.ImportLimitKW - net
		n++
	}
	if s.ExportLimitKW > 0 {
		at[n] = -s.ExportLimitKW - net
		n++
	}
	kinks := at[:n]
	sort.Float64s(kinks)
	r.n, r.convex = 0, s.ExportPrice <= s.ImportPrice
	last := math.Inf(-1)
	for _, b := range kinks {
		if b < -v.store.DischargeKW || b > v.store.ChargeKW || b == last {
			continue
		}
		r.from[r.n], last = b, b
		r.n++
	}
	r.n-- // the last is the end
	for i := range r.n {
		mid := (r.from[i] + r.from[i+1]) / 2
		m := mid + net
		price := s.ImportPrice
		switch {
		case s.ImportLimitKW > 0 && m > s.ImportLimitKW:
			price = math.Max(beyondPrice, price)
		case s.ExportLimitKW > 0 && m < -s.ExportLimitKW:
			price = s.beyondExport()
		case m < 0:
			price = s.ExportPrice
		}
		cover, fill := (price-v.store.WearCostPerKWh)*v.store.DischargeEfficiency-noGain, (price+v.store.WearCostPerKWh)/v.store.ChargeEfficiency+noGain
		if answers {
			switch weight := math.Max(0, s.ImportPrice); {
			case m > 0:
				cover, fill = cover+sure*weight, fill+sure*weight
			case mid > 0:
				fill = math.Min(fill, math.Max(fill-soon*weight, cover+noGain))
			}
		}
		worth := fill
		if mid < 0 {
			worth = cover
		}
		r.target[i] = v.worthTo(after, worth)
	}
}

// worthTo is the level up to which a stored kWh is worth at least so much by a cost to go.
func (v *Values) worthTo(c []float64, worth float64) float64 {
	step := worth * v.store.CapacityKWh / (levels - 1)
	lo, hi := 0, levels-1 // slopes fall with the level
	for lo < hi {
		if mid := (lo + hi) / 2; c[mid]-c[mid+1] >= step {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	return v.level(lo)
}

// best is the best power at a level.
func (v *Values) best(k int, stored, net float64, after []float64, r *regions) float64 {
	s, h := v.store, v.slots[k].Hours
	kept := stored - stored*math.Min(1, s.LossPerHour*h)
	towards := func(target float64) float64 {
		if target >= kept {
			return (target - kept) / (h * s.ChargeEfficiency)
		}
		return (target - kept) * s.DischargeEfficiency / h
	}
	if r.n < 1 {
		return 0
	}
	if r.convex {
		b := r.from[0]
		for i := range r.n {
			to := towards(r.target[i])
			if to <= r.from[i] {
				break
			}
			if b = math.Min(to, r.from[i+1]); to < r.from[i+1] {
				break
			}
		}
		return s.Within(stored, b, h)
	}
	least, at := math.Inf(1), 0.0
	try := func(b float64) {
		b = s.Within(stored, b, h)
		if c := v.costOf(k, stored, net, b, after); c < least {
			least, at = c, b
		}
	}
	for i := range r.n {
		try(r.from[i])
		try(r.from[i+1])
		try(math.Max(r.from[i], math.Min(r.from[i+1], towards(r.target[i]))))
	}
	return at
}

// costOf is the cost of a power in a slot and of what follows.
func (v *Values) costOf(k int, stored, net, b float64, after []float64) float64 {
	s := &v.slots[k]
	m := net + b
	c := s.ExportPrice * m
	if m > 0 {
		c = s.ImportPrice * m
	}
	if s.ImportLimitKW > 0 && m > s.ImportLimitKW {
		c += math.Max(0, beyondPrice-s.ImportPrice) * (m - s.ImportLimitKW)
	}
	if s.ExportLimitKW > 0 && m < -s.ExportLimitKW {
		c += (s.ExportPrice - s.beyondExport()) * (-m - s.ExportLimitKW)
	}
	c = s.Hours * (c + v.store.WearCostPerKWh*math.Abs(b))
	return c + v.toGo(after, v.store.After(stored, b, s.Hours))
}

// toGo is the cost to go at what is stored.
func (v *Values) toGo(c []float64, stored float64) float64 {
	if v.store.CapacityKWh <= 0 {
		return c[0]
	}
	x := stored / v.store.CapacityKWh * (levels - 1)
	i := min(max(int(x), 0), levels-2)
	f := math.Max(0, math.Min(1, x-float64(i)))
	return c[i] + f*(c[i+1]-c[i])
}
