package scheduler

import (
	"context"
	"math"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/schemas/district"
	"quartier/schemas/order"
	"quartier/schemas/timegrid"
)

// dearEvenings costs 0.10 EUR/kWh, and 0.80 in the evening.
type dearEvenings struct{ flat }

func (dearEvenings) Import(sp timegrid.Span, step time.Duration) ([]float64, error) {
	out := constant(0.1, sp.Count(step))
	for k := range out {
		if h := sp.Start.Add(time.Duration(k) * step).Hour(); h >= 17 && h < 21 {
			out[k] = 0.8
		}
	}
	return out, nil
}

// TestEachBatteryThatLeavesCountsOnce: of two batteries that are to be locked out, each costs what it costs beside the other, as a trial of it says, and one after the other they cost what both do; a lock-out that is given already costs
// nothing more.
func TestEachBatteryThatLeavesCountsOnce(t *testing.T) {
	w := newTown(t)
	keep(w)
	w.s.cfg.Prices = dearEvenings{}
	b := *w.d.Sites[0].Devices[2].Battery
	w.d.Sites[0].Devices = append(w.d.Sites[0].Devices, district.Device{ID: "bat2", Kind: district.Battery, Control: true, Battery: &b})
	w.measure("bat2", district.PowerKW, 0)
	w.measure("bat2", district.SOC, 0.5)
	reckoned := 0
	solve := func(ctx context.Context, p *problem.Problem) (*problem.Solution, error) {
		reckoned++
		return optimizer.Plan(ctx, p, optimizer.Settings{TimeLimit: 20 * time.Second, Gap: 0.001, Workers: 1})
	}
	w.solve = func(p *problem.Problem) (*problem.Solution, error) { return solve(t.Context(), p) }
	w.s.cfg.Reckon = solve
	lockOut := func(device string) order.Order {
		return order.Order{Site: "s", Device: device, Kind: order.LockOut, Start: w.now.Add(2 * time.Hour), Author: "olga", Reason: "trial"}
	}
	try := func(device string) float64 {
		t.Helper()
		o, why, err := w.s.Try(t.Context(), lockOut(device))
		if err != nil || o.Cost == nil {
			t.Fatalf("%s: %q, %v", device, why, err)
		}
		return o.Cost.EUR
	}
	costs := func() map[string]float64 {
		t.Helper()
		eur := map[string]float64{}
		clear(w.s.reckoned.attempted) // as after half an hour
		for range w.s.Orders() {
			w.s.cost(t.Context())
		}
		for _, o := range w.s.Orders() {
			if o.Cost == nil {
				t.Fatalf("%s has no cost", o.Device)
			}
			eur[o.ID] = o.Cost.EUR
		}
		return eur
	}
	near := func(what string, got, want float64) {
		t.Helper()
		if math.Abs(got-want) > 0.05 {
			t.Errorf("%s: %.2f EUR, want %.2f EUR", what, got, want)
		}
	}

	first := give(t, w, lockOut("bat"))
	planned(t, w)
	reckoned = 0
	alone := costs()[first.ID]
	if alone < 1 || reckoned != 1 {
		t.Errorf("alone it costs %.2f EUR by %d plans, want more than 1 EUR, and the plan in force to compare with", alone, reckoned)
	}
	tried := try("bat2")
	near("the same again", try("bat"), 0)

	second := give(t, w, lockOut("bat2"))
	planned(t, w)
	all := w.s.wishes(w.s.reckoned.state.Now, w.s.reckoned.in, "")
	all.leave = map[string]bool{first.ID: true, second.ID: true}
	p := w.s.build(w.s.reckoned.state, w.s.reckoned.in, all)
	without, err := solve(t.Context(), p)
	if err != nil {
		t.Fatal(err)
	}
	both := *without.Objective - *w.s.reckoned.solution.Objective - valueOffset(w.d, p) + w.s.reckoned.offset
	each := costs()
	near("the second, tried", tried, both-alone)
	near("the second, given", each[second.ID], both-alone)
	near("the first, beside the second", each[first.ID], both-alone)
}
