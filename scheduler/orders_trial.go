package scheduler

import (
	"context"
	"maps"
	"slices"
	"time"

	"quartier/optimizer/problem"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// Unpriced says why a trial has no cost.
type Unpriced string

// The reasons for which a trial has no cost.
const (
	Priced      Unpriced = ""
	NoPlan      Unpriced = "no_plan"     // there is none yet to compare with
	BeyondPlan  Unpriced = "beyond_plan" // the order begins after the end of the plan
	NotPlanned  Unpriced = "not_planned" // it begins later, and plans do not know before what follows from it, see [Scheduler.foreseen]
	NotReckoned Unpriced = "not_reckoned"
)

// Try says what an order would cost, as [order.Cost] does, without giving it: it is checked as by Order, and a plan that goes around it is held against one from the same state with the orders that there
// are. Without a cost it says why. It waits for other trials of the district. The error of a bad order is [order.Faults].
func (s *Scheduler) Try(ctx context.Context, o order.Order) (order.Order, Unpriced, error) {
	return s.try(ctx, o, "")
}

// try is [Scheduler.Try], also of an order that is given already, with its id: it is held against a plan without it.
func (s *Scheduler) try(ctx context.Context, o order.Order, id string) (order.Order, Unpriced, error) {
	now := s.cfg.Now()
	if o.Start.IsZero() || o.Start.Before(now) {
		o.Start = now
	}
	o.ID, o.District, o.Created, o.Revision, o.Outcome, o.Source = "", s.cfg.District.ID, now, 1, order.Open, order.FromConsole
	if faults := order.Check(&o, s.cfg.District, now); len(faults) > 0 {
		return o, NotReckoned, faults
	}
	select {
	case s.trying <- struct{}{}:
		defer func() { <-s.trying }()
	case <-ctx.Done():
		return o, NotReckoned, ctx.Err()
	}
	s.mu.Lock()
	r := s.reckoned
	s.mu.Unlock()
	end := r.in.start.Add(time.Duration(r.in.steps) * r.in.step)
	switch {
	case s.cfg.Reckon == nil || r.solution == nil || r.solution.Objective == nil || r.solution.Bound == nil:
		return o, NoPlan, nil
	case !o.Start.Before(end):
		return o, BeyondPlan, nil
	case !s.foreseen(&o, now) && !s.leaves(&o, end):
		return o, NotPlanned, nil
	}
	asked := o
	if !o.Start.After(now) && r.state.Now.Before(o.Start) { // as if it had been given before the plan was made
		asked.Start = r.state.Now
	}
	have := s.Orders()
	var gone map[string]bool
	if s.leaves(&o, end) { // each battery that leaves counts once: those that others have leave are gone in both plans
		gone = s.leaving(have, r.state.Now, end)
		delete(gone, id)
	}
	base, offset, err := s.without(ctx, r, have, gone)
	if err == nil && base.Objective != nil && base.Bound != nil {
		with := slices.Clone(have)
		for _, old := range replaced(have, &asked, now) {
			i := slices.IndexFunc(with, func(x order.Order) bool { return x.ID == old.ID })
			with[i] = old
		}
		around := s.wishesOf(append(with, asked), r.state.Now, r.in)
		if around.leave = maps.Clone(gone); gone != nil {
			around.leave[asked.ID] = true
		}
		p := s.build(r.state, r.in, around)
		var sol *problem.Solution
		if sol, err = s.solve(p, func() (*problem.Solution, error) { return s.cfg.Reckon(ctx, p) }); err == nil && sol.Objective != nil && sol.Bound != nil {
			same := valueOffset(s.cfg.District, p) - offset
			o.Cost = &order.Cost{EUR: *sol.Objective - *base.Objective - same, Low: *sol.Bound - *base.Objective - same, High: *sol.Objective - *base.Bound - same,
				Hours: float64(r.in.steps) * r.in.step.Hours(), At: r.state.Now}
			return o, Priced, nil
		}
	}
	if ctx.Err() != nil {
		return o, NotReckoned, ctx.Err()
	}
	s.cfg.Log.Debug("cost of a trial not known", "district", s.cfg.District.ID, "kind", o.Kind, "err", err)
	return o, NotReckoned, nil
}

// without is the plan with the orders that there are, in which batteries leave with the lock-outs of some ids: the one in force, unless orders came or went since it was made, or a battery leaves, which that one does not know.
func (s *Scheduler) without(ctx context.Context, r reckoned, have []order.Order, gone map[string]bool) (*problem.Solution, float64, error) {
	same := len(have) == len(r.with) && len(gone) == 0
	for _, o := range have {
		same = same && r.with[o.ID]
	}
	if same {
		return r.solution, r.offset, nil
	}
	around := s.wishesOf(have, r.state.Now, r.in)
	around.leave = gone
	p := s.build(r.state, r.in, around)
	sol, err := s.solve(p, func() (*problem.Solution, error) { return s.cfg.Reckon(ctx, p) })
	return sol, valueOffset(s.cfg.District, p), err
}

// foreseen reports whether plans know what follows from an order before it begins. They know that a heat pump, a water heater or a charger rests while somebody works on it. They do not of own control, since what a
// device does then is its own affair; of a sun that can no longer be held back, since the document says that for the whole plan; and of a battery that goes and comes back, since what it holds meanwhile stands in no
// session.
func (s *Scheduler) foreseen(o *order.Order, now time.Time) bool {
	if !o.Start.After(now) {
		return true
	}
	switch o.Kind {
	case order.OwnControl:
		return false
	case order.LockOut:
		dev := s.cfg.District.Device(o.Site, o.Device)
		return dev != nil && (dev.Kind == district.HeatPump || dev.Kind == district.WaterHeater || dev.Kind == district.EVCharger)
	}
	return true
}

// leaves reports whether an order takes a battery away for the rest of a plan that ends so.
func (s *Scheduler) leaves(o *order.Order, end time.Time) bool {
	dev := s.cfg.District.Device(o.Site, o.Device)
	return o.Kind == order.LockOut && dev != nil && dev.Battery != nil && (o.End.IsZero() || !o.End.Before(end))
}

// leaving are the ids of the lock-outs that take a battery away later within a plan and for its rest.
func (s *Scheduler) leaving(orders []order.Order, now, end time.Time) map[string]bool {
	ids := map[string]bool{}
	for _, o := range orders {
		if o.Start.After(now) && o.Start.Before(end) && s.leaves(&o, end) {
			ids[o.ID] = true
		}
	}
	return ids
}
