package model_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"quartier/optimizer/certify"
	"quartier/optimizer/ipm"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// TestRepairedStoragesKeepTheirBoxes: powers from a relaxation, disturbed by a thousandth, are brought back within every storage's limits, and hardly moved.
func TestRepairedStoragesKeepTheirBoxes(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 4))
		p := problemtest.Random(seed, problemtest.Options{Continuous: true, Loose: true, MaxSteps: 24, Kinds: []problem.Kind{problem.KindBattery, problem.KindEV, problem.KindWaterHeater}, TankByStep: true})
		prog := model.Build(p, model.Options{})
		sol, err := ipm.Solve(t.Context(), prog.IPM, ipm.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		power := prog.Powers(sol)
		var before [][][]float64
		for i := range power {
			before = append(before, nil)
			for j := range power[i] {
				for k := range power[i][j] {
					power[i][j][k] += 1e-3 * (2*r.Float64() - 1)
				}
				before[i] = append(before[i], append([]float64(nil), power[i][j]...))
			}
		}
		model.Repair(p, power)
		s := problem.NewSolution(p, problem.Feasible)
		for i := range p.Sites {
			site := problem.SiteSolution{ID: p.Sites[i].ID}
			for j, d := range p.Sites[i].Devices {
				site.Devices = append(site.Devices, problem.DeviceSolution{ID: d.ID(), PowerKW: power[i][j]})
				for k := range power[i][j] {
					if moved := math.Abs(power[i][j][k] - before[i][j][k]); moved > 0.2 { // 24 steps of a thousandth, over efficiencies, at most in one
						t.Errorf("seed %d: %s step %d moved by %g kW", seed, d.ID(), k, moved)
					}
				}
			}
			s.Sites = append(s.Sites, site)
		}
		report := certify.Evaluate(p, s)
		for _, v := range report.Violations {
			if v.Device != "" && v.Limit != "negative power" {
				t.Errorf("seed %d: %v", seed, v)
			}
		}
	}
}

// TestRelaxationIsExactForKnownPowers: the program's cost of a plan is what the simulation says, for continuous problems solved to their optimum.
func TestRelaxationIsExactForContinuousProblems(t *testing.T) {
	for seed := range uint64(100) {
		p := problemtest.Random(seed, problemtest.Options{Continuous: true, MaxSteps: 24, TankByStep: true})
		prog := model.Build(p, model.Options{})
		if prog.Impossible() {
			continue
		}
		sol, err := ipm.Solve(t.Context(), prog.IPM, ipm.Settings{})
		if err != nil {
			t.Fatal(err)
		}
		if sol.Status != ipm.Solved || prog.Both(sol) > 1e-6 {
			continue
		}
		power := prog.Powers(sol)
		model.Repair(p, power)
		s := problem.NewSolution(p, problem.Feasible)
		for i := range p.Sites {
			site := problem.SiteSolution{ID: p.Sites[i].ID}
			for j, d := range p.Sites[i].Devices {
				site.Devices = append(site.Devices, problem.DeviceSolution{ID: d.ID(), PowerKW: power[i][j]})
			}
			s.Sites = append(s.Sites, site)
		}
		report := certify.Evaluate(p, s)
		if d := math.Abs(report.Objective - sol.Info.Objective); d > 2e-6*math.Max(1, math.Abs(report.Objective)) {
			t.Errorf("seed %d: program %.9g EUR, simulation %.9g EUR", seed, sol.Info.Objective, report.Objective)
		}
	}
}
