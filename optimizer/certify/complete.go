package certify

import (
	"fmt"
	"math"

	"quartier/optimizer/problem"
)

// Complete evaluates the plan s and writes into s what follows from the powers of its devices: the sites' net power, energies, temperatures, on
// states, the district's import and export, the cost (its Preference is kept) and the objective, and the gap when s has a bound. Sites and devices
// are put in the order of the problem. Prices, status and everything else stay as they are.
func Complete(p *problem.Problem, s *problem.Solution) Report { return CompleteBy(p, s, 1) }

// CompleteBy is [Complete] by so many goroutines; the result does not depend on it.
func CompleteBy(p *problem.Problem, s *problem.Solution, workers int) Report {
	r := EvaluateBy(p, s, workers)
	prices := map[string][]float64{}
	for i := range s.Sites {
		prices[s.Sites[i].ID] = s.Sites[i].Price
	}
	s.Sites = make([]problem.SiteSolution, len(p.Sites))
	for i := range p.Sites {
		site := &p.Sites[i]
		out := problem.SiteSolution{ID: site.ID, NetKW: r.Sites[i].NetKW, Price: prices[site.ID], Devices: []problem.DeviceSolution{}}
		for j, d := range site.Devices {
			x := &r.Sites[i].Devices[j]
			out.Devices = append(out.Devices, problem.DeviceSolution{ID: d.ID(), PowerKW: x.PowerKW, EnergyKWh: x.EnergyKWh, TemperatureC: x.TemperatureC, On: x.On})
		}
		s.Sites[i] = out
	}
	if s.Grid == nil {
		s.Grid = &problem.GridSolution{}
	}
	s.Grid.ImportKW, s.Grid.ExportKW = r.ImportKW, r.ExportKW
	cost := r.Cost
	if s.Cost != nil {
		cost.Preference = s.Cost.Preference
	}
	s.Cost, s.Objective = &cost, new(r.Objective)
	if s.Bound != nil {
		s.Gap = new(Gap(r.Objective, *s.Bound))
	}
	return r
}

// Gap returns (objective - bound)/max(1, abs(bound)).
func Gap(objective, bound float64) float64 {
	return (objective - bound) / max(1, math.Abs(bound))
}

// Claims returns, one line each, what the solution document s says of itself that does not hold by the report r of its plan: another problem, violations under a
// status that excludes them, a cost, objective or gap other than recomputed (relative 1e-6), a bound above the objective, series that disagree with the
// simulation by more than [Tolerance]. It cannot judge the bound itself: see [Bound].
func Claims(p *problem.Problem, s *problem.Solution, r *Report) []string {
	c := &claims{}
	if s.Version != problem.Version || !s.Start.Equal(p.Start) || s.StepMinutes != p.StepMinutes || s.Steps != p.Steps {
		c.say("the header is not that of the problem")
	}
	if s.ProblemSHA256 != p.Hash() {
		c.say("problem_sha256 is %q, of the problem %q", s.ProblemSHA256, p.Hash())
	}
	switch s.Status {
	case problem.Unknown:
		if len(s.Sites) > 0 || s.Objective != nil {
			c.say("status unknown with a plan")
		}
		return c.lines
	case problem.Optimal, problem.Feasible:
		for _, v := range r.Violations {
			c.say("status %s, but %v", s.Status, v)
		}
		if s.Elastic || len(s.Conflict) > 0 {
			c.say("status %s with a conflict", s.Status)
		}
		if s.Objective == nil || s.Bound == nil || s.Gap == nil || s.Cost == nil || s.Grid == nil {
			c.say("status %s without an objective, a bound, a gap, a cost or a grid", s.Status)
			return c.lines
		}
	case problem.Infeasible:
		if s.Bound != nil || s.Gap != nil {
			c.say("status infeasible with a bound or a gap")
		}
		if len(s.Conflict) == 0 {
			c.say("status infeasible without a conflict")
		}
		if !s.Elastic {
			return c.lines
		}
	default:
		c.say("status %q", s.Status)
		return c.lines
	}
	c.money(s, r)
	c.plan(p, s, r)
	return c.lines
}

type claims struct{ lines []string }

func (c *claims) say(format string, args ...any) {
	c.lines = append(c.lines, fmt.Sprintf(format, args...))
}

func (c *claims) same(what string, said, is, tolerance float64) {
	if !(math.Abs(said-is) <= tolerance) {
		c.say("%s is said to be %.9g, but is %.9g", what, said, is)
	}
}

func (c *claims) money(s *problem.Solution, r *Report) {
	size := 1e-6 * max(1, math.Abs(r.Objective))
	if s.Objective != nil {
		c.same("objective", *s.Objective, r.Objective, size)
	}
	if s.Cost != nil {
		for _, part := range []struct {
			name     string
			said, is float64
		}{
			{"energy", s.Cost.Energy, r.Cost.Energy}, {"fees", s.Cost.Fees, r.Cost.Fees}, {"peak", s.Cost.Peak, r.Cost.Peak}, {"wear", s.Cost.Wear, r.Cost.Wear},
			{"discomfort", s.Cost.Discomfort, r.Cost.Discomfort}, {"shortfall", s.Cost.Shortfall, r.Cost.Shortfall}, {"starts", s.Cost.Starts, r.Cost.Starts},
			{"stored", s.Cost.Stored, r.Cost.Stored},
		} {
			c.same("cost."+part.name, part.said, part.is, size)
		}
	}
	if s.Bound == nil || s.Gap == nil {
		return
	}
	c.same("gap", *s.Gap, Gap(r.Objective, *s.Bound), size)
	if !(*s.Bound <= r.Objective+size) {
		c.say("bound %.9g is above the objective %.9g", *s.Bound, r.Objective)
	}
}

func (c *claims) plan(p *problem.Problem, s *problem.Solution, r *Report) {
	if s.Grid != nil {
		c.series("grid.import_kw", s.Grid.ImportKW, r.ImportKW)
		c.series("grid.export_kw", s.Grid.ExportKW, r.ExportKW)
	}
	for i := range p.Sites {
		site := &p.Sites[i]
		for k := range s.Sites {
			if s.Sites[k].ID == site.ID {
				c.series(site.ID+".net_kw", s.Sites[k].NetKW, r.Sites[i].NetKW)
			}
		}
		for j, d := range site.Devices {
			if plan := s.Device(site.ID, d.ID()); plan != nil {
				name, x := site.ID+"/"+d.ID(), &r.Sites[i].Devices[j]
				if plan.EnergyKWh != nil {
					c.series(name+".energy_kwh", plan.EnergyKWh, x.EnergyKWh)
				}
				if plan.TemperatureC != nil {
					c.series(name+".temperature_c", plan.TemperatureC, x.TemperatureC)
				}
			}
		}
	}
}

func (c *claims) series(name string, said, is []float64) {
	if len(said) != len(is) {
		c.say("%s has %d values, want %d", name, len(said), len(is))
		return
	}
	for t := range said {
		if !(math.Abs(said[t]-is[t]) <= Tolerance) {
			c.say("%s[%d] is said to be %.9g, but is %.9g", name, t, said[t], is[t])
			return
		}
	}
}
