package ipm_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"quartier/optimizer/ipm"
	"quartier/optimizer/ipm/iptest"
)

func solve(t *testing.T, p *ipm.Problem, set ipm.Settings) *ipm.Solution {
	t.Helper()
	s, err := ipm.Solve(t.Context(), p, set)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSolvedProblemsCarryTheirProof(t *testing.T) {
	for seed := range uint64(100) {
		r := rand.New(rand.NewPCG(seed, 3))
		p := iptest.Random(r, 1+r.IntN(20), r.IntN(6))
		s := solve(t, p, ipm.Settings{})
		c := iptest.Check(p, s)
		if s.Status != ipm.Solved {
			t.Errorf("seed %d: %v %+v", seed, s.Status, s.Info)
			continue
		}
		size := math.Max(1, math.Abs(c.Bound))
		if c.Row > 1e-4 || c.Box > 1e-9 {
			t.Errorf("seed %d: rows off by %g, boxes by %g", seed, c.Row, c.Box)
		}
		if math.Abs(c.Objective-s.Info.Objective) > 1e-9*size || math.Abs(c.Bound-s.Info.Bound) > 1e-7*size {
			t.Errorf("seed %d: objective %.10g and bound %.10g, recomputed %.10g and %.10g", seed, s.Info.Objective, s.Info.Bound, c.Objective, c.Bound)
		}
		if gap := (c.Objective - c.Bound) / size; gap > 1e-6 {
			t.Errorf("seed %d: recomputed gap %g", seed, gap)
		}
	}
}

func TestSameBitsWithAnyNumberOfWorkers(t *testing.T) {
	p := iptest.Random(rand.New(rand.NewPCG(1, 2)), 24, 40)
	one := solve(t, p, ipm.Settings{Workers: 1})
	for _, w := range []int{2, 3, 8} {
		many := solve(t, p, ipm.Settings{Workers: w})
		if one.Info != many.Info || !slices.Equal(one.Lambda, many.Lambda) {
			t.Errorf("%d workers: %+v, one worker: %+v", w, many.Info, one.Info)
		}
		for i := range one.Net {
			if !slices.Equal(one.Net[i], many.Net[i]) {
				t.Fatalf("%d workers: site %d differs", w, i)
			}
		}
	}
}

func TestOrderOfSitesDoesNotMatter(t *testing.T) {
	p := iptest.Random(rand.New(rand.NewPCG(5, 2)), 12, 9)
	a := solve(t, p, ipm.Settings{})
	q := *p
	q.Sites = slices.Clone(p.Sites)
	slices.Reverse(q.Sites)
	b := solve(t, &q, ipm.Settings{})
	if d := math.Abs(a.Info.Objective - b.Info.Objective); d > 2e-7*math.Max(1, math.Abs(a.Info.Objective)) { // twice the gap tolerance
		t.Errorf("objectives %.10g and %.10g", a.Info.Objective, b.Info.Objective)
	}
}

func TestInfeasibleProblemIsNeverCalledSolved(t *testing.T) {
	for seed := range uint64(40) {
		r := rand.New(rand.NewPCG(seed, 11))
		p := iptest.Random(r, 1+r.IntN(8), 1+r.IntN(3))
		q := &p.Sites[0]
		most := 0.0
		for j := range q.Inputs {
			if q.Inputs[j].Sign < 0 {
				most += slices.Max(q.Inputs[j].Hi)
			}
		}
		over := []float64{0.01, 1, 100}[seed%3]
		for t := range q.Base {
			q.Base[t] = most + q.Hi[t] + over // more load than the limit and every producer
		}
		s := solve(t, p, ipm.Settings{})
		if s.Status == ipm.Solved || s.Status == ipm.AlmostSolved {
			t.Errorf("seed %d: %v though %g kW lack: %+v", seed, s.Status, over, s.Info)
		}
	}
}

func TestCancelledContextIsAnError(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := ipm.Solve(ctx, iptest.Random(rand.New(rand.NewPCG(1, 1)), 4, 2), ipm.Settings{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
}

func TestMalformedProblemsAreRefusedWithEveryFault(t *testing.T) {
	p := iptest.Random(rand.New(rand.NewPCG(1, 1)), 4, 2)
	p.Import.Lo[2] = math.NaN()
	p.Export.Hi[1] = -1
	p.Sites[1].Base = p.Sites[1].Base[:3]
	_, err := ipm.Solve(t.Context(), p, ipm.Settings{})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"import lo[2]: NaN is not finite", "export: step 1 has the box [0, -1]", "site 1 base: 3 values for 4 steps"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in the error:\n%v", want, err)
		}
	}
}
