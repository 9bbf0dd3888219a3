package optimizer_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/certify"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// planned solves p in so many rounds and holds what it says against its own simulation.
func planned(t *testing.T, p *problem.Problem, rounds int) *problem.Solution {
	t.Helper()
	s, err := optimizer.Plan(t.Context(), p, optimizer.Settings{TimeLimit: time.Minute, Rounds: rounds, Gap: 1e-6})
	if err != nil {
		t.Fatal(err)
	}
	report := certify.Evaluate(p, s)
	for _, line := range certify.Claims(p, s, &report) {
		t.Error(line)
	}
	return s
}

// near asks two plans of the same worth to overlap: neither may be cheaper than what the other has proven.
func near(t *testing.T, what string, a, b *problem.Solution, scale float64) {
	t.Helper()
	if a.Objective == nil || b.Objective == nil {
		if a.Status != b.Status {
			t.Errorf("%s: status %s, then %s", what, a.Status, b.Status)
		}
		return
	}
	tol := 2e-6 * max(1, math.Abs(*a.Objective))
	if *b.Objective*scale < *a.Bound-tol || *a.Objective < *b.Bound*scale-tol {
		t.Errorf("%s: %.8f EUR with the bound %.8f, then %.8f EUR with the bound %.8f", what, *a.Objective, *a.Bound, *b.Objective*scale, *b.Bound*scale)
	}
	if *a.Gap < 1e-6 && *b.Gap < 1e-6 && math.Abs(*a.Objective-*b.Objective*scale) > tol {
		t.Errorf("%s: %.8f EUR, then %.8f EUR", what, *a.Objective, *b.Objective*scale)
	}
}

// TestWhatChangesNothing: the order of sites and devices does not matter, nor does a device that can stay off, nor the unit of money.
func TestWhatChangesNothing(t *testing.T) {
	for _, mixed := range []bool{false, true} {
		seeds := uint64(12)
		if raced {
			seeds = 2
		}
		for seed := range seeds {
			t.Run(fmt.Sprintf("mixed=%v/%d", mixed, seed), func(t *testing.T) {
				t.Parallel()
				build := func() *problem.Problem {
					if seed%2 == 0 {
						return problemtest.District(4, 48, 30, seed, mixed)
					}
					return problemtest.Random(seed, problemtest.Options{Continuous: !mixed, MaxSteps: 12, TankByStep: true})
				}
				rounds := 12
				if raced {
					rounds = 4
				}
				base := planned(t, build(), rounds)
				r := rand.New(rand.NewPCG(seed, 1))

				p := build()
				r.Shuffle(len(p.Sites), func(a, b int) { p.Sites[a], p.Sites[b] = p.Sites[b], p.Sites[a] })
				for i := range p.Sites {
					d := p.Sites[i].Devices
					r.Shuffle(len(d), func(a, b int) { d[a], d[b] = d[b], d[a] })
				}
				near(t, "other order", base, planned(t, p, rounds), 1)

				p = build()
				idle := problem.NewFlexible("idle")
				idle.MaxKW, idle.LatestStep = 3, p.Steps
				p.Sites[0].Devices = append(p.Sites[0].Devices, idle)
				if with := planned(t, p, rounds); base.Objective != nil && with.Objective != nil && *with.Bound > *base.Objective+1e-6*max(1, math.Abs(*base.Objective)) {
					t.Errorf("a device that can stay off raises the cost from %.8f to at least %.8f EUR", *base.Objective, *with.Bound)
				}

				p = build()
				cents(p, 100)
				near(t, "cents", base, planned(t, p, rounds), 0.01)
			})
		}
	}
}

// cents multiplies all money of a problem.
func cents(p *problem.Problem, f float64) {
	times := func(v []float64) {
		for t := range v {
			v[t] *= f
		}
	}
	p.CarbonPrice *= f
	times(p.Grid.ImportPrice)
	times(p.Grid.ExportPrice)
	p.Grid.PeakPrice *= f
	for i := range p.Sites {
		times(p.Sites[i].WithdrawalFee)
		for _, d := range p.Sites[i].Devices {
			switch d := d.(type) {
			case *problem.Battery:
				d.WearCostPerKWh *= f
				d.FinalValuePerKWh *= f
			case *problem.EV:
				d.WearCostPerKWh *= f
				d.ShortfallCostPerKWh *= f
			case *problem.HeatPump:
				d.StartCost *= f
				d.Zone.DiscomfortCostPerKH *= f
			case *problem.WaterHeater:
				d.ShortfallCostPerKWh *= f
			case *problem.Flexible:
				d.ShortfallCostPerKWh *= f
			}
		}
	}
}

// TestMoreRoundsAreNeverWorse: a longer search keeps what a shorter one found, and no bound is above any plan.
func TestMoreRoundsAreNeverWorse(t *testing.T) {
	seeds, searches := uint64(8), []int{1, 2, 4, 9, 20}
	if raced {
		seeds, searches = 1, searches[:3]
	}
	for seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			var costs, bounds []float64
			for _, rounds := range searches {
				s := planned(t, problemtest.District(3, 96, 15, seed, true), rounds)
				if n := len(costs); n > 0 && *s.Objective > costs[n-1]+1e-9 {
					t.Errorf("%d rounds cost %.8f EUR, fewer %.8f EUR", rounds, *s.Objective, costs[n-1])
				}
				costs, bounds = append(costs, *s.Objective), append(bounds, *s.Bound)
			}
			if slices.Max(bounds) > slices.Min(costs)+1e-9 {
				t.Errorf("a bound of %.8f above a plan of %.8f EUR", slices.Max(bounds), slices.Min(costs))
			}
		})
	}
}
