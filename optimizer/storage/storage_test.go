package storage

import (
	"math"
	"slices"
	"sort"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func drawStore(t *rapid.T) Store {
	return Store{CapacityKWh: rapid.Float64Range(1, 50).Draw(t, "capacity"), ChargeKW: rapid.Float64Range(0, 30).Draw(t, "charge"), DischargeKW: rapid.Float64Range(0, 30).Draw(t, "discharge"),
		ChargeEfficiency: rapid.Float64Range(0.7, 1).Draw(t, "in"), DischargeEfficiency: rapid.Float64Range(0.7, 1).Draw(t, "out"),
		LossPerHour: rapid.Float64Range(0, 0.02).Draw(t, "loss"), WearCostPerKWh: rapid.Float64Range(0, 0.02).Draw(t, "wear")}
}

func drawSlots(t *rapid.T, n, outcomes int) []Slot {
	slots := make([]Slot, n)
	for k := range slots {
		s := Slot{Hours: rapid.SampledFrom([]float64{0.25, 1}).Draw(t, "hours"), ImportPrice: rapid.Float64Range(-0.05, 0.5).Draw(t, "import"), ExportPrice: rapid.Float64Range(-0.05, 0.3).Draw(t, "export")}
		if rapid.IntRange(0, 3).Draw(t, "limited") == 0 {
			s.ImportLimitKW, s.ExportLimitKW, s.Curtails = 12, 9, rapid.Bool().Draw(t, "curtails")
		}
		for range outcomes {
			s.NetKW = append(s.NetKW, rapid.Float64Range(-15, 15).Draw(t, "net"))
		}
		slots[k] = s
	}
	return slots
}

// related has the outcomes of each slot go together with those of the next.
func related(t *rapid.T, slots []Slot) {
	for k := range slots {
		sort.Float64s(slots[k].NetKW)
		slots[k].Stays = rapid.SampledFrom([]float64{0, 0.3, 0.9, 1}).Draw(t, "stays")
	}
}

// TestPowerIsTheBestOfAGrid: no power of a fine grid costs less, now and for what follows, than the one that is chosen. The grid knows nothing of marginal values.
func TestPowerIsTheBestOfAGrid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store, slots := drawStore(t), drawSlots(t, 5, 2)
		related(t, slots)
		v, err := Value(store, slots, rapid.Float64Range(0, 0.3).Draw(t, "final"))
		if err != nil {
			t.Fatal(err)
		}
		stored := rapid.Float64Range(0, store.CapacityKWh).Draw(t, "stored")
		net := rapid.Float64Range(-15, 15).Draw(t, "at")
		b := v.Power(0, stored, net)
		if got := store.Within(stored, b, slots[0].Hours); math.Abs(got-b) > 1e-9 {
			t.Fatalf("%g kW at %g kWh is not within the store: %g kW", b, stored, got)
		}
		after := v.afterAt(0, net)
		chosen := v.costOf(0, stored, net, b, after)
		for i := range 401 {
			c := store.Within(stored, -store.DischargeKW+float64(i)/400*(store.ChargeKW+store.DischargeKW), slots[0].Hours)
			// the cost to go is convex only as far as prices make it so; what the grid finds better by more than the levels' width is a defect
			sooner := (soon + sure) * math.Max(0, slots[0].ImportPrice) * slots[0].Hours * math.Abs(c-b) // what it is worth to take what is sure
			if cost := v.costOf(0, stored, net, c, after); cost < chosen-sooner-1e-3*math.Max(1, math.Abs(chosen)) && slots[0].ExportPrice <= slots[0].ImportPrice && convex(v) {
				t.Fatalf("%g kW costs %g EUR, the chosen %g kW %g EUR", c, cost, b, chosen)
			}
		}
	})
}

// TestOutcomesThatStay: where the rank of the first outcome is that of all, the cost is the mean of those with each rank's outcomes known beforehand, and the answer to an
// outcome is that of its rank.
func TestOutcomesThatStay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const outcomes = 3
		store, slots := drawStore(t), drawSlots(t, 5, outcomes)
		related(t, slots)
		for k := range slots {
			slots[k].Stays = 1
		}
		together, err := Value(store, slots, 0.1)
		if err != nil {
			t.Fatal(err)
		}
		rank := rapid.IntRange(0, outcomes-1).Draw(t, "rank")
		stored := rapid.Float64Range(0, store.CapacityKWh).Draw(t, "stored")
		mean := make([]float64, levels)
		for i := range outcomes {
			one := append([]Slot(nil), slots...)
			for k := range one {
				one[k].NetKW = slots[k].NetKW[i : i+1]
			}
			known, err := Value(store, one, 0.1)
			if err != nil {
				t.Fatal(err)
			}
			for g := range mean {
				mean[g] += known.cost[0][g] / outcomes
			}
			if net := slots[1].NetKW[i]; i == rank && (i == 0 || slots[1].NetKW[i-1] < net) {
				if a, b := together.Power(1, stored, net), known.Power(1, stored, net); math.Abs(a-b) > 1e-9 {
					t.Fatalf("%g kW, where that outcome was known beforehand %g kW", a, b)
				}
			}
		}
		for g := range mean {
			if math.Abs(mean[g]-together.cost[0][g]) > 1e-9*(1+math.Abs(mean[g])) {
				t.Fatalf("level %d costs %g EUR, the mean of the known ranks %g EUR", g, together.cost[0][g], mean[g])
			}
		}
	})
}

// TestHorizonIsNoEdge: of days that are alike, what is stored is worth at the end of a day and a half, and before it, what it is worth there in a horizon of ten days; taken to be worth nothing at the end it is not.
func TestHorizonIsNoEdge(t *testing.T) {
	store := Store{CapacityKWh: 8, ChargeKW: 4, DischargeKW: 4, ChargeEfficiency: 0.95, DischargeEfficiency: 0.95, WearCostPerKWh: 0.005}
	days := func(hours int) (slots []Slot) {
		for k := range hours {
			s := Slot{Hours: 1, ImportPrice: 0.1, ExportPrice: 0.05, NetKW: []float64{0.5, 1, 2}, Stays: 0.7}
			if k%24 >= 12 {
				s.ImportPrice = 0.3
			}
			slots = append(slots, s)
		}
		return slots
	}
	long, err := Value(store, days(240), 0)
	if err != nil {
		t.Fatal(err)
	}
	short, err := Recurring(store, days(36), 0, days(36)[12:])
	if err != nil {
		t.Fatal(err)
	}
	edge, err := Value(store, days(36), 0)
	if err != nil {
		t.Fatal(err)
	}
	for k := 0; k <= 36; k++ {
		for _, kwh := range []float64{1, 4, 7.9} {
			if a, b := short.Worth(k, kwh), long.Worth(k, kwh); math.Abs(a-b) > 5e-3 { // EUR, of 0.27
				t.Errorf("slot %d, %g kWh: one more is worth %g EUR, in a long horizon %g EUR", k, kwh, a, b)
			}
		}
	}
	if a, b := edge.Worth(35, 4), long.Worth(35, 4); b-a < 0.2 {
		t.Errorf("an edge takes nothing away: %g EUR, %g EUR", a, b)
	}
}

// TestUsualDay: what is stored at the horizon, and before it, does not know of a limit in its last day that the usual day has not: it is worth what it is worth without one from the end of the limit on, and is used at the dearest price.
// Where the usual day has the limit too, it is kept for it. A usual day with a fault is one.
func TestUsualDay(t *testing.T) {
	store := Store{CapacityKWh: 8, ChargeKW: 4, DischargeKW: 4, ChargeEfficiency: 0.95, DischargeEfficiency: 0.95, WearCostPerKWh: 0.005}
	slots := func(limited bool) (out []Slot) {
		for k := range 36 {
			s := Slot{Hours: 1, ImportPrice: 0.1, ExportPrice: 0.05, NetKW: []float64{1.5, 2, 3}, Stays: 0.7}
			if k%24 >= 6 && k%24 < 9 {
				s.ImportPrice = 0.3
			}
			if limited && k >= 12 && k < 15 {
				s.ImportLimitKW = 0.5
			}
			out = append(out, s)
		}
		return out
	}
	of := func(limited, usually bool) *Values {
		t.Helper()
		v, err := Recurring(store, slots(limited), 0.1, slots(usually)[12:])
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	once, always, never := of(true, false), of(true, true), of(false, false)
	for k := 15; k <= 36; k++ {
		for _, kwh := range []float64{1, 4, 7} {
			if a, b := once.Worth(k, kwh), never.Worth(k, kwh); a != b {
				t.Errorf("slot %d, %g kWh: one more is worth %g EUR after a limit, want %g EUR as without one", k, kwh, a, b)
			}
		}
	}
	if kw := once.At(30, 1, 6, 2, 0.3, 0.05); kw > -1.9 {
		t.Errorf("at the dearest price %.2f kW of the 2 kW that are drawn are covered", -kw)
	}
	if a, b := once.Worth(12, 1), always.Worth(36, 1); a < 1 || b < 1 {
		t.Errorf("before the limit one more kWh is worth %g EUR, before the next day's %g EUR, want more than any energy", a, b)
	}
	bad := slots(false)[12:]
	bad[3].Hours = 0
	if _, err := Recurring(store, slots(false), 0.1, bad); err == nil || !strings.Contains(err.Error(), "day after") || !strings.Contains(err.Error(), "slot 3") {
		t.Errorf("a usual day with a slot of no hours: %v", err)
	}
}

// TestNothingRecurs without a usual day: values are as without.
func TestNothingRecurs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store, slots := drawStore(t), drawSlots(t, 5, 2)
		a, errA := Value(store, slots, 0.1)
		b, errB := Recurring(store, slots, 0.1, nil)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		for k := range a.cost {
			if !slices.Equal(a.cost[k], b.cost[k]) {
				t.Fatalf("slot %d differs", k)
			}
		}
	})
}

// convex reports whether the value of what is stored falls with the level in every slot.
func convex(v *Values) bool {
	for _, c := range slices.Concat(append(v.after, v.cost)...) {
		for g := 2; g < len(c); g++ {
			if c[g-2]-c[g-1] < c[g-1]-c[g]-1e-9 {
				return false
			}
		}
	}
	return true
}

// TestExpectationIsNoBetterThanKnowledge: with outcomes to come, the expected cost is no lower than the mean of the costs with each outcome known beforehand, and no higher than
// that of resting.
func TestExpectationIsNoBetterThanKnowledge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		store, slots := drawStore(t), drawSlots(t, 4, 3)
		for k := range slots {
			slots[k].ExportPrice = math.Min(slots[k].ExportPrice, slots[k].ImportPrice)
			slots[k].ImportLimitKW, slots[k].ExportLimitKW = 0, 0
		}
		v, err := Value(store, slots, 0)
		if err != nil {
			t.Fatal(err)
		}
		rest := 0.0
		known, paths := 0.0, 0
		var walk func(k int, path []float64)
		walk = func(k int, path []float64) {
			if k == len(slots) {
				one := append([]Slot(nil), slots...)
				for i := range one {
					one[i].NetKW = []float64{path[i]}
				}
				w, err := Value(store, one, 0)
				if err != nil {
					t.Fatal(err)
				}
				known += w.cost[0][0]
				paths++
				return
			}
			for _, n := range slots[k].NetKW {
				walk(k+1, append(path, n))
			}
		}
		walk(0, nil)
		for _, s := range slots {
			for _, n := range s.NetKW {
				price := s.ImportPrice
				if n < 0 {
					price = s.ExportPrice
				}
				rest += s.Hours * price * n / float64(len(s.NetKW))
			}
		}
		// levels interpolate, so that both values are a little too high where they bend
		tiny := 2e-2 * (1 + math.Abs(rest))
		if known /= float64(paths); v.cost[0][0] < known-tiny || v.cost[0][0] > rest+1e-9*(1+math.Abs(rest)) {
			t.Fatalf("expected %g EUR, with knowledge %g EUR, resting %g EUR", v.cost[0][0], known, rest)
		}
	})
}

// TestAnswersAndValues works one case through by hand: a store of 4 kWh, 2 kW, without losses, two hours at 0.10 and then 0.30 EUR/kWh, 1 kW drawn in each.
func TestAnswersAndValues(t *testing.T) {
	store := Store{CapacityKWh: 4, ChargeKW: 2, DischargeKW: 2, ChargeEfficiency: 1, DischargeEfficiency: 1}
	slots := []Slot{{Hours: 1, ImportPrice: 0.1, NetKW: []float64{1}}, {Hours: 1, ImportPrice: 0.3, NetKW: []float64{1}}}
	v, err := Value(store, slots, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		slot              int
		stored, net, want float64
	}{
		{0, 0, 1, 64.0 / 63},   // buy for the second hour, and no more than it needs, to the next of 64 levels
		{0, 2, 1, -1 + 1.0/63}, // one for each hour
		{1, 2, 1, -1},          // cover what is drawn; giving earns nothing
		{1, 0.5, 1, -0.5},
		{0, 0, -3, 2}, // surplus is free, and so is storing more of it than is needed
	} {
		if got := v.Power(c.slot, c.stored, c.net); math.Abs(got-c.want) > 0.06 {
			t.Errorf("slot %d with %g kWh and %g kW: %g kW, want %g kW", c.slot, c.stored, c.net, got, c.want)
		}
	}
	for _, c := range []struct{ stored, want float64 }{{0.2, 0.3}, {1.5, 0}, {3, 0}} {
		if got := v.Worth(1, c.stored); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("a kWh more at %g kWh is worth %g EUR, want %g EUR", c.stored, got, c.want)
		}
	}
	if got := v.At(0, 1, 0, 1, 0.4, 0); got != 0 {
		t.Errorf("with 0.40 EUR/kWh now, %g kW are charged", got)
	}
}

// TestLimitIsKeptReady: a store is filled before a demand that only it can keep within the import limit, though energy costs the same.
func TestLimitIsKeptReady(t *testing.T) {
	store := Store{CapacityKWh: 4, ChargeKW: 2, DischargeKW: 2, ChargeEfficiency: 0.9, DischargeEfficiency: 0.9}
	slot := func(net float64) Slot {
		return Slot{Hours: 1, ImportPrice: 0.2, ImportLimitKW: 3, NetKW: []float64{net}}
	}
	v, err := Value(store, []Slot{slot(1), slot(4)}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if b := v.Power(0, 0, 1); b < 1/0.9/0.9-0.1 || b > 2 {
		t.Errorf("%g kW are charged before a demand 1 kW above the limit", b)
	}
}

// TestShareKeepsStoresAlike: the powers sum to what was asked, nobody is beyond what it can, and levels come together.
func TestShareKeepsStoresAlike(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "n")
		stores, stored, out := make([]Store, n), make([]float64, n), make([]float64, n)
		most, least := 0.0, 0.0
		hours := rapid.SampledFrom([]float64{0.25, 1}).Draw(t, "hours")
		for i := range stores {
			stores[i] = drawStore(t)
			stored[i] = rapid.Float64Range(0, 1).Draw(t, "level") * stores[i].CapacityKWh
			most += stores[i].Within(stored[i], math.Inf(1), hours)
			least += stores[i].Within(stored[i], math.Inf(-1), hours)
		}
		kw := rapid.Float64Range(-80, 80).Draw(t, "kw")
		Share(stores, stored, kw, hours, out)
		sum := 0.0
		for i, b := range out {
			sum += b
			if math.Abs(stores[i].Within(stored[i], b, hours)-b) > 1e-9 {
				t.Fatalf("store %d gets %g kW at %g of %g kWh", i, b, stored[i], stores[i].CapacityKWh)
			}
		}
		if want := math.Max(least, math.Min(most, kw)); math.Abs(sum-want) > 1e-6*(1+math.Abs(kw)) {
			t.Fatalf("%g kW of %g kW were shared (within %g to %g kW)", sum, kw, least, most)
		}
	})
}

// TestFaultsAreNamed: every fault once, with slot and value.
func TestFaultsAreNamed(t *testing.T) {
	_, err := Value(Store{CapacityKWh: -1, ChargeEfficiency: 2, DischargeEfficiency: 1}, []Slot{{Hours: 1, NetKW: []float64{0}}, {Hours: 0}, {Hours: 1, NetKW: []float64{math.NaN()}},
		{Hours: 1, NetKW: []float64{2, 1}, Stays: 0.5}, {Hours: 1, NetKW: []float64{1, 2}, Stays: 2}, {Hours: 1, NetKW: []float64{1, 2}, Stays: 0.5}, {Hours: 1, NetKW: []float64{1}}}, 0)
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"capacity of -1 kWh", "charge efficiency outside (0, 1]: 2", "slot 1 has 0 h and 0 outcomes", "slot 2 has a value that is no number",
		"the outcome of slot 3 stays with a probability of 0.5 among 2 that rise", "the outcome of slot 4 stays with a probability of 2 among", "the outcome of slot 5 stays with a probability of 0.5 among 2 that rise, then 1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

// TestSurplusIsStoredWhenItComes: of two hours whose surplus fills the store alike the first does, because the second may bring less; where the second costs less to take, it waits.
func TestSurplusIsStoredWhenItComes(t *testing.T) {
	store := Store{CapacityKWh: 8, ChargeKW: 10, DischargeKW: 10, ChargeEfficiency: 0.95, DischargeEfficiency: 0.95, WearCostPerKWh: 0.005}
	for _, c := range []struct {
		what         string
		first, later float64 // export prices, EUR/kWh
		want         float64
	}{{"same prices", 0.05, 0.05, 8 / 0.95}, {"dearer to take now", 0.10, 0.05, 0}, {"cheaper to take now", 0.05, 0.10, 8 / 0.95}} {
		slots := []Slot{{Hours: 1, ImportPrice: 0.2, ExportPrice: c.first, NetKW: []float64{-12}}, {Hours: 1, ImportPrice: 0.2, ExportPrice: c.later, NetKW: []float64{-13, -11}}, {Hours: 1, ImportPrice: 0.4, ExportPrice: 0.05, NetKW: []float64{9}}}
		v, err := Value(store, slots, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Power(0, 0, -12); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("%s: %g kW into the store, want %g kW", c.what, got, c.want)
		}
	}
}

// TestSmallGainsAreNotWaitedFor: what is stored covers the demand of now, and nothing is bought, where a later hour would save less than forecasts err; where it saves more, the store waits for it and buys.
func TestSmallGainsAreNotWaitedFor(t *testing.T) {
	store := Store{CapacityKWh: 8, ChargeKW: 10, DischargeKW: 10, ChargeEfficiency: 1, DischargeEfficiency: 1}
	for _, c := range []struct{ later, stored, want float64 }{{0.2004, 4, -3}, {0.2004, 0, 0}, {0.21, 4, 1}, {0.21, 0, 5}} {
		v, err := Value(store, []Slot{{Hours: 1, ImportPrice: 0.2, ExportPrice: 0.05, NetKW: []float64{3}}, {Hours: 1, ImportPrice: c.later, ExportPrice: 0.05, NetKW: []float64{5}}}, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := v.Power(0, c.stored, 3); math.Abs(got-c.want) > 8.0/(levels-1) {
			t.Errorf("%g EUR/kWh later and %g kWh stored: %g kW, want %g kW", c.later, c.stored, got, c.want)
		}
	}
}
