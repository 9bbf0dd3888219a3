package optimizer_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/certify"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// atTheLoad is a cold district of which something asks to draw, in its first steps, no more than its loads do anyway, while its batteries hold but a share of what they may and every heat pump
// runs.
func atTheLoad(sites int, seed uint64, steps int, stored float64) *problem.Problem {
	p := problemtest.District(sites, 96, 15, seed, true)
	for t := range steps {
		p.Grid.ImportLimitKW[t] = 0
		for i := range p.Sites {
			p.Grid.ImportLimitKW[t] += p.Sites[i].LoadKW[t]
		}
	}
	for i := range p.Sites {
		for _, d := range p.Sites[i].Devices {
			switch d := d.(type) {
			case *problem.Battery:
				d.InitialKWh = d.MinKWh + stored*(d.CapacityKWh-d.MinKWh)
				d.FinalMinKWh = math.Min(d.FinalMinKWh, d.InitialKWh)
			case *problem.HeatPump:
				d.InitialOn, d.MinOnSteps, d.MinOffSteps, d.Zone.InitialC = true, 1, 1, 18
				d.Zone.DiscomfortCostPerKH = 5
			}
		}
	}
	return p
}

// TestALimitAtTheLoad: where a limit leaves nothing for what can be moved, a few rounds find a plan that moves it to other steps, within 1 % of what no plan can beat.
func TestALimitAtTheLoad(t *testing.T) {
	for _, sites := range []int{10, 30} {
		for _, stored := range []float64{0, 0.005} {
			if raced && (sites > 10 || stored > 0) {
				continue // the race detector finds nothing new in them
			}
			for seed := range uint64(2) {
				t.Run(fmt.Sprintf("%d sites/%v stored/%d", sites, stored, seed), func(t *testing.T) {
					p := atTheLoad(sites, seed, 8, stored)
					sol, err := optimizer.Plan(t.Context(), p, optimizer.Settings{Gap: 0.01, Rounds: 40, TimeLimit: 5 * time.Minute})
					if err != nil || sol.Objective == nil {
						t.Fatal(sol, err)
					}
					report := certify.Evaluate(p, sol)
					for _, line := range certify.Claims(p, sol, &report) {
						t.Error(line)
					}
					if *sol.Gap > 0.01 {
						t.Errorf("%s: %.2f EUR, bound %.2f EUR, gap %.4f in %d rounds", sol.Status, *sol.Objective, *sol.Bound, *sol.Gap, sol.Rounds)
					}
				})
			}
		}
	}
}

// TestALimitAtTheLoadAgainstHiGHS: what is found there is as good as what another solver finds, and its bound holds.
func TestALimitAtTheLoadAgainstHiGHS(t *testing.T) {
	sol, answer := against(t, atTheLoad(3, 0, 8, 0.005), false)
	if !raced && (sol.Objective == nil || *sol.Objective > 1.01*answer.Objective) {
		t.Errorf("%s, HiGHS %.2f EUR", sol.Status, answer.Objective)
	}
}
