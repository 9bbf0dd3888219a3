package scheduler

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"quartier/optimizer/problem"
	"quartier/schemas/district"
)

// Replan observes, forecasts, plans and stores the plan. A plan without schedule (nothing found in time) is an error, and the plan before it stays in force.
func (s *Scheduler) Replan(ctx context.Context) (*district.Plan, error) {
	now := s.cfg.Now()
	st := s.observe(now)
	in, err := s.gather(ctx, st)
	if err != nil {
		return nil, err
	}
	asked := s.wishes(now, in, "")
	p := s.build(st, in, asked)
	s.mu.Lock()
	previous := s.solution
	s.mu.Unlock()
	sol, err := s.solve(p, func() (*problem.Solution, error) { return s.cfg.Plan(ctx, p, previous) })
	if err != nil {
		return nil, fmt.Errorf("scheduler: plan %s from %s: %w", s.cfg.District.ID, in.start.Format(time.RFC3339), err)
	}
	if sol.Grid == nil || len(sol.Sites) == 0 && len(p.Sites) > 0 {
		return nil, fmt.Errorf("scheduler: plan %s from %s: status %s after %.1f s, no schedule", s.cfg.District.ID, in.start.Format(time.RFC3339), sol.Status, sol.SolveSeconds)
	}
	s.planned(st, in, p, sol, asked)
	plan := s.record(now, p, sol, in)
	id, err := s.cfg.Store.SavePlan(ctx, forRecord(plan))
	if err != nil {
		s.cfg.Log.Warn("plan not stored", "district", s.cfg.District.ID, "err", err) // control goes on without its record
	}
	plan.ID = id
	s.keepErrors(ctx)
	s.keepOutlooks(ctx)
	var f *following
	if !s.cfg.KeepToPlan {
		if f, err = s.value(p, sol, plan, asked, in.netErrors); err != nil {
			s.cfg.Log.Warn("batteries keep to the plan", "district", s.cfg.District.ID, "err", err)
		}
	}
	s.mu.Lock()
	s.plan, s.saidPrice, s.solution, s.plannedWall, s.following = plan, in.saidPrice, sol, s.cfg.Wall(), f
	s.mu.Unlock()
	return plan, nil
}

// record turns a solution into the plan that is kept and shown.
func (s *Scheduler) record(now time.Time, p *problem.Problem, sol *problem.Solution, in inputs) *district.Plan {
	plan := &district.Plan{
		District: s.cfg.District.ID, CreatedAt: now, Start: in.start, StepMinutes: p.StepMinutes, Steps: p.Steps, Status: string(sol.Status),
		SolveSeconds: sol.SolveSeconds, ProblemSHA256: sol.ProblemSHA256,
		ImportKW: sol.Grid.ImportKW, ExportKW: sol.Grid.ExportKW, Price: sol.Grid.Price,
		ImportPrice: in.importPrice, ExportPrice: in.exportPrice, CarbonGPerKWh: in.carbon,
	}
	plan.Foreseen = s.outlooks(&in)
	if s.cfg.Basis != nil {
		plan.Basis = s.cfg.Basis(in.start, in.start.Add(time.Duration(in.steps)*in.step))
	}
	if sol.Objective != nil {
		plan.ObjectiveEUR = *sol.Objective - valueOffset(s.cfg.District, p)
	}
	if sol.Bound != nil {
		plan.BoundEUR = *sol.Bound - valueOffset(s.cfg.District, p)
	}
	if sol.Gap != nil {
		plan.Gap = *sol.Gap
	}
	for _, ss := range sol.Sites {
		sp := district.SitePlan{ID: ss.ID, NetKW: ss.NetKW, Price: ss.Price}
		if ps, err := p.Site(ss.ID); err == nil {
			sp.LoadKW = ps.LoadKW
		}
		for _, ds := range ss.Devices {
			dp := district.DevicePlan{ID: ds.ID, PowerKW: ds.PowerKW, EnergyKWh: ds.EnergyKWh, TemperatureC: ds.TemperatureC}
			if dev := s.cfg.District.Device(ss.ID, ds.ID); dev != nil {
				if dp.Kind = dev.Kind; dev.Battery != nil && len(dp.EnergyKWh) > 0 && asCar(p, ss.ID, ds.ID) {
					dp.EnergyKWh = nil // above its least energy, and only from the end of an order on
				}
			}
			sp.Devices = append(sp.Devices, dp)
		}
		if site := s.cfg.District.Site(ss.ID); site != nil {
			sp.Devices = append(sp.Devices, s.lightingPlans(site, in.start, in.step, p.Steps)...)
		}
		plan.Sites = append(plan.Sites, sp)
	}
	for _, b := range strongest(sol.Binding, 20) {
		plan.Binding = append(plan.Binding, fmt.Sprintf("%s %s at %s: %.4f EUR/%s", b.Limit, place(b.Site, b.Device), p.At(b.Step).Format("2006-01-02 15:04"), b.Value, relief(b.Limit)))
	}
	for _, c := range sol.Conflict {
		plan.Conflict = append(plan.Conflict, fmt.Sprintf("%s %s from %s to %s lacks %.3f %s", c.Limit, place(c.Site, c.Device), p.At(c.FromStep).Format("2006-01-02 15:04"), p.At(c.ToStep).Format("2006-01-02 15:04"), c.Amount, c.Unit))
	}
	giveReasons(plan)
	markCurtailed(plan, p)
	return plan
}

// strongest returns the limits whose relief is worth most, each once and in the step in which it is, at most n of them. The problem's own solution has all.
func strongest(all []problem.Binding, n int) []problem.Binding {
	best := map[[3]string]problem.Binding{}
	for _, b := range all {
		k := [3]string{b.Limit, b.Site, b.Device}
		if had, ok := best[k]; !ok || b.Value > had.Value {
			best[k] = b
		}
	}
	out := slices.SortedFunc(maps.Values(best), func(a, b problem.Binding) int {
		return cmp.Or(cmp.Compare(b.Value, a.Value), strings.Compare(a.Site+"/"+a.Device+" "+a.Limit, b.Site+"/"+b.Device+" "+b.Limit))
	})
	return out[:min(n, len(out))]
}

// relief is the unit of a limit, for the price of a little more of it.
func relief(limit string) string {
	if strings.HasSuffix(limit, "_kwh") {
		return "kWh"
	}
	return "kW"
}

func place(site, device string) string {
	switch {
	case site == "":
		return "of the district"
	case device == "":
		return "of " + site
	}
	return "of " + site + "/" + device
}

// markCurtailed gives the steps in which the plan holds an inverter back their reason, judged against what was available.
func markCurtailed(plan *district.Plan, p *problem.Problem) {
	for i := range p.Sites {
		for _, dev := range p.Sites[i].Devices {
			pv, ok := dev.(*problem.PV)
			site := plan.Site(p.Sites[i].ID)
			if !ok || site == nil {
				continue
			}
			dp := site.Device(pv.DeviceID)
			if dp == nil {
				continue
			}
			for t, available := range pv.AvailableKW {
				if t < len(dp.Reason) && -value(dp.PowerKW, t) < available-math.Max(0.05, 0.02*available) {
					dp.Reason[t] = ReasonCurtail
				}
			}
		}
	}
}
