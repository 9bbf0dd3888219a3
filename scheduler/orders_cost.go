package scheduler

import (
	"context"
	"time"

	"quartier/optimizer/problem"
	"quartier/scheduler/observe"
	"quartier/schemas/order"
)

// costAgain is how old, on the machine's clock, the cost of an order is at least before it is reckoned again.
const costAgain = 30 * time.Minute

// Of what stands in the configuration, of which there may be some for each device, costs are reckoned one a minute at most, and again after half a day.
const (
	standingEvery = time.Minute
	standingAgain = 12 * time.Hour
)

// reckoned is the plan in force with the state and the forecasts that it rests on.
type reckoned struct {
	state     observe.State
	in        inputs
	offset    float64 // EUR, of its costs, see valueOffset
	solution  *problem.Solution
	with      map[string]bool // the orders that it goes around
	attempted map[string]time.Time
}

// planned notes what the costs of orders are reckoned from.
func (s *Scheduler) planned(st observe.State, in inputs, p *problem.Problem, sol *problem.Solution, w wishes) {
	with := map[string]bool{}
	for _, o := range w.orders {
		with[o.ID] = true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	attempted := s.reckoned.attempted
	if attempted == nil {
		attempted = map[string]time.Time{}
	}
	s.reckoned = reckoned{st, in, valueOffset(s.cfg.District, p), sol, with, attempted}
}

// cost reckons what one order costs, the one that waited longest: a plan from the same state and forecasts without it, against the plan in force. Of one that plans do not know before it
// begins, but a trial does, it is what the trial says.
func (s *Scheduler) cost(ctx context.Context) {
	if s.cfg.Reckon == nil {
		return
	}
	wall := s.cfg.Wall()
	s.mu.Lock()
	r := s.reckoned
	var next *order.Order
	for i := range s.orders {
		o := s.orders[i]
		end := r.in.start.Add(time.Duration(r.in.steps) * r.in.step)
		last, tried := r.attempted[o.ID]
		again := costAgain
		if o.Source == order.FromConfig {
			if again = standingAgain; wall.Sub(s.standingAt) < standingEvery {
				continue
			}
		}
		known := r.with[o.ID] && s.foreseen(&o, r.state.Now) || !s.foreseen(&o, r.state.Now) && s.leaves(&o, end)
		if !known || !o.Start.Before(end) || tried && wall.Sub(last) < again {
			continue
		}
		if next == nil || last.Before(r.attempted[next.ID]) {
			next = &o
		}
	}
	if next != nil {
		if r.attempted[next.ID] = wall; next.Source == order.FromConfig {
			s.standingAt = wall
		}
	}
	s.mu.Unlock()
	if next == nil || r.solution == nil || r.solution.Objective == nil || r.solution.Bound == nil {
		return
	}
	if !s.foreseen(next, r.state.Now) {
		tried, why, err := s.try(ctx, *next, next.ID)
		if err != nil || tried.Cost == nil {
			s.cfg.Log.Debug("cost of a planned order not known", "district", s.cfg.District.ID, "order", next.ID, "why", why, "err", err)
			return
		}
		s.priced(next.ID, tried.Cost)
		return
	}
	p := s.build(r.state, r.in, s.wishes(r.state.Now, r.in, next.ID))
	sol, err := s.solve(p, func() (*problem.Solution, error) { return s.cfg.Reckon(ctx, p) })
	if err != nil || sol.Objective == nil || sol.Bound == nil {
		s.cfg.Log.Debug("cost of an order not known", "district", s.cfg.District.ID, "order", next.ID, "err", err)
		return
	}
	same := r.offset - valueOffset(s.cfg.District, p)
	s.priced(next.ID, &order.Cost{EUR: *r.solution.Objective - *sol.Objective - same, Low: *r.solution.Bound - *sol.Objective - same, High: *r.solution.Objective - *sol.Bound - same,
		Hours: float64(r.in.steps) * r.in.step.Hours(), At: r.state.Now})
}

// priced keeps what an order costs.
func (s *Scheduler) priced(id string, c *order.Cost) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.costs[id] = c
	for i := range s.orders {
		if s.orders[i].ID == id {
			s.orders[i].Cost = c
		}
	}
}

// costOf returns the cost of an order, or nil. The caller holds the lock.
func (s *Scheduler) costOf(id string) *order.Cost { return s.costs[id] }
