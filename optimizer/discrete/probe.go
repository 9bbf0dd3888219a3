package discrete

import (
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
)

// probeBudget bounds the single changes that are tried: this many variables of the program in all. A change costs one solve, and one change among
// thousands of decisions moves little: probing is for small problems.
const probeBudget = 200_000

// moves are the changes of a device per step: two other modes, and a swap with the step after.
const moves = 3

// probe proposes the best plan with one decision of one device changed: one step of its modes, its start, or the boundary's direction in one step. It goes through
// all of them in turn, and ends when none has helped.
func (s *search) probe() (*model.Decisions, bool) {
	T := s.Problem.Steps
	all := (len(s.units)*moves + 1) * T
	if s.probed != s.best {
		s.probed, s.idle = s.best, 0
	}
	vars := s.variables()
	for s.idle < all && s.probes*vars < probeBudget {
		n := s.cursor
		s.cursor = (s.cursor + 1) % all
		s.idle++
		dec := s.best.Decisions.Clone()
		if s.change(dec, n) {
			s.probes++
			return dec, true
		}
	}
	return nil, false
}

// change makes the n-th single change, and reports false where that changes nothing or is not allowed.
func (s *search) change(dec *model.Decisions, n int) bool {
	T := s.Problem.Steps
	t, alt, k := n%T, n/T%moves, n/T/moves
	if k == len(s.units) {
		for _, c := range s.chord {
			if c == t && alt == 0 {
				dec.Direction[t] = model.Importing + model.Exporting - dec.Direction[t]
				return true
			}
		}
		return false
	}
	u := s.units[k]
	is := &dec.Device[u.site][u.dev]
	if d, ok := s.device(u).(*problem.Shiftable); ok {
		if alt != 0 || t < d.EarliestStep || t > d.LatestStep || is.Start == t+1 {
			return false
		}
		is.Start = t + 1
		return true
	}
	if is.Modes == nil {
		return false
	}
	if alt == moves-1 { // a step of the device's run is moved by one
		if t+1 >= T || is.Modes[t] == is.Modes[t+1] || s.options(s.device(u), t) == nil || s.options(s.device(u), t+1) == nil {
			return false
		}
		modes := append([]model.Mode(nil), is.Modes...)
		modes[t], modes[t+1] = modes[t+1], modes[t]
		if h, ok := s.device(u).(*problem.HeatPump); ok && !legal(h, modes) {
			return false
		}
		is.Modes = modes
		return true
	}
	options := s.options(s.device(u), t)
	at := 0
	for at < len(options) && options[at] != is.Modes[t] {
		at++
	}
	if at == len(options) || alt >= len(options)-1 {
		return false
	}
	modes := append([]model.Mode(nil), is.Modes...)
	modes[t] = options[(at+1+alt)%len(options)]
	if h, ok := s.device(u).(*problem.HeatPump); ok && !legal(h, modes) {
		return false
	}
	is.Modes = modes
	return true
}

// options are the modes that a device may have in step t.
func (s *search) options(d problem.Device, t int) []model.Mode {
	switch d := d.(type) {
	case *problem.Battery:
		return []model.Mode{model.On, model.Discharging}
	case *problem.EV:
		for _, q := range d.Sessions {
			if t >= q.ArriveStep && t < q.DepartStep {
				if d.DischargeKW > 0 {
					return []model.Mode{model.Off, model.On, model.Discharging}
				}
				return []model.Mode{model.Off, model.On}
			}
		}
		return nil
	}
	return []model.Mode{model.Off, model.On}
}

// legal reports whether on and off times of a heat pump keep its minima.
func legal(d *problem.HeatPump, modes []model.Mode) bool {
	held := d.HeldSteps(len(modes))
	on, run := d.InitialOn, len(modes)+max(d.MinOnSteps, d.MinOffSteps)
	for t, m := range modes {
		now := m == model.On
		if t < held && now != d.InitialOn {
			return false
		}
		if now == on {
			run++
			continue
		}
		least := d.MinOffSteps
		if on {
			least = d.MinOnSteps
		}
		if run < least {
			return false
		}
		on, run = now, 1
	}
	return true
}
