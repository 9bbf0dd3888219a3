package scheduler

import (
	"math"
	"testing"
	"time"

	"quartier/optimizer/problem"
	"quartier/schemas/order"
)

// TestOrderedLimitIsNoneOfTheNextDay: what is stored at the horizon is not kept for a limit that is ordered for some hours of its last day, and is for one that still holds the day after.
func TestOrderedLimitIsNoneOfTheNextDay(t *testing.T) {
	worth := func(limitKW float64, d time.Duration) float64 {
		t.Helper()
		w := newTown(t)
		keep(w)
		w.solve = func(p *problem.Problem) (*problem.Solution, error) {
			sol := idlePlan(p)
			for i := range p.Steps {
				sol.Sites[0].NetKW[i] = 5
			}
			return sol, nil
		}
		if limitKW > 0 {
			from := w.now.Add(14 * time.Hour)
			give(t, w, order.Order{Kind: order.ImportLimit, Value: limitKW, Start: from, End: from.Add(d)})
		}
		p := planned(t, w)
		end := p.Start.Add(time.Duration(p.Steps) * w.s.reckoned.in.step)
		return w.s.following.values.Worth(end.Add(-time.Second), 1)
	}
	without := worth(0, 0)
	if got := worth(2, 4*time.Hour); math.Abs(got-without) > 1e-9 || without > 1 {
		t.Errorf("after a limit of four hours one more kWh is worth %.3f EUR at the horizon, without it %.3f EUR", got, without)
	}
	if got := worth(2, 14*24*time.Hour); got < 1 {
		t.Errorf("under a limit of two weeks one more kWh is worth %.3f EUR at the horizon, want more than any energy", got)
	}
}

// TestLimitsOfTheNextDay: of what is ordered counts what holds a day after the step, not below what the plan needs where it holds in the step already, and never above what is configured.
func TestLimitsOfTheNextDay(t *testing.T) {
	start := noon
	w := wishes{start: start, now: start, step: time.Hour, steps: 36, zone: time.UTC}
	limit := func(kw float64, from, to int) order.Order {
		return order.Order{Kind: order.ImportLimit, Value: kw, Start: start.Add(time.Duration(from) * time.Hour), End: start.Add(time.Duration(to) * time.Hour)}
	}
	for _, tt := range []struct {
		name   string
		orders []order.Order
		plan   float64 // kW in each step
		want   map[int]float64
	}{
		{"nothing is ordered", nil, 20, map[int]float64{12: 20, 35: 20}},
		{"for some hours", []order.Order{limit(3, 14, 18)}, 3, map[int]float64{14: 20, 17: 20, 18: 20}},
		{"on the next day", []order.Order{limit(3, 38, 42)}, 20, map[int]float64{13: 20, 14: 3, 17: 3, 18: 20}},
		{"for days", []order.Order{limit(3, 14, 80)}, 3, map[int]float64{13: 3, 14: 3, 35: 3}},
		{"for days, and more is needed", []order.Order{limit(3, 14, 80)}, 5, map[int]float64{13: 3, 14: 5, 35: 5}},
		{"the tighter one for some hours", []order.Order{limit(8, 0, 80), limit(3, 14, 18)}, 3, map[int]float64{14: 8, 20: 8}},
		{"above what is configured", []order.Order{limit(30, 0, 80)}, 20, map[int]float64{14: 20}},
	} {
		w.orders = tt.orders
		got := w.nextDay(order.ImportLimit, 20, constant(tt.plan, w.steps))
		for k, want := range tt.want {
			if got[k] != want {
				t.Errorf("%s, step %d: %v kW a day later, want %v kW", tt.name, k, got[k], want)
			}
		}
		if got := w.nextDay(order.ExportLimit, math.Inf(1), constant(5, w.steps)); !math.IsInf(got[14], 1) {
			t.Errorf("%s: of what is fed %v kW, want no limit", tt.name, got[14])
		}
	}
}
