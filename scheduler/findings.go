package scheduler

import (
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"time"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/scheduler/dispatch"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
)

// The keys of what control finds, beside those of package observe.
const (
	CommandIgnored  = "command-ignored"  // a device does not do what it was told and what it confirmed
	CommandFailed   = "command-failed"   // commands do not reach a device, or it keeps another value
	CommandRefused  = "command-refused"  // a device refuses commands
	CommandConflict = "command-conflict" // somebody else commands a device
	LimitPassed     = "limit-passed"     // a connection carries more than its limit
	PlanFailed      = "plan-failed"      // no new plan comes about
	PriceAbsurd     = "price-absurd"     // prices that cannot be, in place of which others are used
	PriceMissing    = "price-missing"    // the prices of the horizon are not known
)

const (
	patience   = 20 * time.Second // from which a device that does not do what it is told is taken to go on: the others make up for it
	heatTime   = 30 * time.Minute // the same as answerTime for machines that run on for their own good
	answerTime = 45 * time.Second // within which a device does what it is told, also where that changes with every round
	troubled   = 15 * time.Second // for which a fault of commands must last before it is told
	passedFor  = 30 * time.Second // for which a limit must be passed before it is told
)

// Findings are what is wrong at present with measurements, commands, limits and planning, in order.
func (s *Scheduler) Findings() []observe.Finding {
	now := s.cfg.Now()
	s.judging.Lock()
	out := append([]observe.Finding(nil), s.found...)
	for key, since := range s.deaf {
		if st, ok := s.sender.Standing(key.Site, key.Device); ok && now.Sub(since) >= s.obeysWithin(key) {
			out = append(out, observe.Finding{Key: CommandIgnored, Site: key.Site, Device: key.Device, Severity: "error", Since: since, Detail: "told " + st.Text + ", does " + s.does[key]})
		}
	}
	for site, p := range s.passed {
		if now.Sub(p.since) >= passedFor {
			out = append(out, observe.Finding{Key: LimitPassed, Site: site, Severity: "error", Since: p.since, Detail: p.detail})
		}
	}
	s.judging.Unlock()
	for _, t := range s.sender.Troubles() {
		if now.Sub(t.Since) < troubled {
			continue
		}
		key := CommandFailed
		switch {
		case errors.Is(t.Err, drivers.ErrConflict):
			key = CommandConflict
		case t.Outcome == district.Refused:
			key = CommandRefused
		}
		out = append(out, observe.Finding{Key: key, Site: t.Site, Device: t.Device, Severity: "error", Since: t.Since, Detail: t.Err.Error()})
	}
	s.mu.Lock()
	if s.planErr != nil && !s.planFailed.IsZero() {
		out = append(out, observe.Finding{Key: PlanFailed, Severity: "warning", Since: s.planFailed, Detail: s.planErr.Error()})
	}
	if s.price.Key != "" {
		out = append(out, s.price)
	}
	s.mu.Unlock()
	observe.Sort(out)
	return out
}

// obeysWithin is within which time a device should do what it is told.
func (s *Scheduler) obeysWithin(key observe.Key) time.Duration {
	if dev := s.cfg.District.Device(key.Site, key.Device); dev != nil && (dev.Kind == district.HeatPump || dev.Kind == district.WaterHeater) {
		return heatTime
	}
	return answerTime
}

// attempted notes how the last attempt to plan ended.
func (s *Scheduler) attempted(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.planErr = err
	switch {
	case err == nil:
		s.planFailed = time.Time{}
	case s.planFailed.IsZero():
		s.planFailed = s.cfg.Now()
	}
}

// survive runs a part of planning or learning, with a panic of it as its error: control goes on without it.
func (s *Scheduler) survive(what string, do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			s.cfg.Log.Error(what+" panicked", "district", s.cfg.District.ID, "value", r, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	return do()
}

// solve runs a planner. What it returns is a solution that somebody else has certified where it calls itself a plan, or an error.
func (s *Scheduler) solve(p *problem.Problem, by func() (*problem.Solution, error)) (sol *problem.Solution, err error) {
	err = s.survive("the planner", func() (err error) {
		sol, err = by()
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case sol == nil:
		return nil, errors.New("neither a plan nor an error")
	case s.cfg.Check != nil && (sol.Status == problem.Optimal || sol.Status == problem.Feasible):
		if err := s.cfg.Check(p, sol); err != nil {
			return nil, fmt.Errorf("it is not what it says: %w", err)
		}
	}
	return sol, nil
}

// look judges the newest samples, once a second at most, and returns those that can be believed.
func (s *Scheduler) look(now time.Time) observe.Live {
	s.judging.Lock()
	defer s.judging.Unlock()
	if since := now.Sub(s.lookedAt); s.credible == nil || since < 0 || since >= time.Second {
		s.found, s.credible = s.judge.Look(s.cfg.Live, now, s.cfg.Stale)
		s.lookedAt = now
	}
	return s.credible
}

// observe is the state of the district by what can be believed.
func (s *Scheduler) observe(now time.Time) observe.State {
	return observe.Observe(s.cfg.District, s.look(now), now, s.cfg.Stale)
}

// over is a limit that is passed at present.
type over struct {
	since  time.Time
	detail string
}

// passing keeps whether a connection carries more than its limit. An empty site is the district.
func (s *Scheduler) passing(site string, net observe.Value, importKW, exportKW float64, now time.Time) {
	s.judging.Lock()
	defer s.judging.Unlock()
	most := func(limit float64) float64 { return limit + math.Max(0.1, 0.01*limit) }
	detail := ""
	switch {
	case !net.OK:
		return // what is not known neither begins nor ends
	case net.V > most(importKW):
		detail = fmt.Sprintf("%.2f kW drawn, limit %.2f kW", net.V, importKW)
	case -net.V > most(exportKW):
		detail = fmt.Sprintf("%.2f kW fed, limit %.2f kW", -net.V, exportKW)
	default:
		delete(s.passed, site)
		return
	}
	p, ok := s.passed[site]
	if !ok {
		p.since = now
	}
	p.detail = detail
	s.passed[site] = p
}

// unheeding reports whether a device has not done what it was told for a while, or cannot be told.
func (s *Scheduler) unheeding(key observe.Key, now time.Time) bool {
	if s.sender.Failing(key.Site, key.Device) {
		return true
	}
	s.judging.Lock()
	defer s.judging.Unlock()
	since, deaf := s.deaf[key]
	return deaf && now.Sub(since) >= patience
}

// heeds reports whether a device does what stands in it, and keeps since when it does not. What it does on the safe side of a command is its own affair: a car that is full, a cloud.
func (s *Scheduler) heeds(w *dispatch.Wish, soc observe.Value, powerKnown bool, now time.Time) bool {
	key := observe.Key{Site: w.Site, Device: w.Device}
	st, ok := s.sender.Standing(w.Site, w.Device)
	failing := s.sender.Failing(w.Site, w.Device)
	s.judging.Lock()
	defer s.judging.Unlock()
	if failing { // who cannot be told goes on as before
		delete(s.deaf, key)
		return false
	}
	if !ok || st.Own || !powerKnown {
		delete(s.deaf, key)
		return true
	}
	rated := math.Max(w.RatedKW, math.Max(w.MaxKW, -w.MinKW))
	slack := math.Max(0.3, 0.1*rated)
	ignored := false
	switch w.Kind {
	case district.EVCharger, district.HeatPump, district.WaterHeater:
		ignored = w.MeasuredKW > st.KW+slack
	case district.PV:
		ignored = w.MeasuredKW < st.KW-slack
	case district.Battery:
		ignored = math.Abs(w.MeasuredKW-st.KW) > 1.5*slack
		if soc.OK && (soc.V >= 0.9 && w.MeasuredKW < st.KW || soc.V <= 0.15 && w.MeasuredKW > st.KW) { // it tapers
			ignored = false
		}
	}
	if !ignored {
		delete(s.deaf, key)
		return true
	}
	since, known := s.deaf[key]
	if !known {
		since = now
		s.deaf[key] = now
	}
	s.does[key] = fmt.Sprintf("%.2f kW", w.MeasuredKW)
	return now.Sub(since) < patience
}
