package ipm_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"quartier/optimizer/ipm"
	"quartier/optimizer/ipm/iptest"
	"quartier/optimizer/model"
	"quartier/optimizer/problemtest"
)

// district is a program with every shape of group that a district has, large enough for several shards.
func district(sites int) *ipm.Problem {
	return model.Build(problemtest.District(sites, 96, 15, 3, false), model.Options{}).IPM
}

func TestDistrictHasTheSameBitsWithAnyNumberOfWorkers(t *testing.T) {
	p := district(60)
	one := solve(t, p, ipm.Settings{Workers: 1})
	if one.Status != ipm.Solved {
		t.Fatalf("%v %+v", one.Status, one.Info)
	}
	for _, w := range []int{2, 5} {
		many := solve(t, p, ipm.Settings{Workers: w})
		if one.Info != many.Info || !slices.Equal(one.Lambda, many.Lambda) || !slices.Equal(one.Bought, many.Bought) {
			t.Errorf("%d workers: %+v, one worker: %+v", w, many.Info, one.Info)
		}
		for i := range one.Net {
			for j := range one.Input[i] {
				if !slices.Equal(one.Input[i][j], many.Input[i][j]) {
					t.Fatalf("%d workers: site %d input %d differs", w, i, j)
				}
			}
			for k := range one.Y[i] {
				if !slices.Equal(one.Y[i][k], many.Y[i][k]) {
					t.Fatalf("%d workers: site %d chain %d has other duals", w, i, k)
				}
			}
		}
	}
}

func TestIterationsDoNotAllocate(t *testing.T) {
	p := district(40)
	var stats runtime.MemStats
	counts := make([]uint64, 0, 200)
	trace := func(ipm.Info) {
		runtime.ReadMemStats(&stats)
		counts = append(counts, stats.Mallocs)
	}
	solve(t, p, ipm.Settings{Workers: 2, Trace: trace})
	if len(counts) < 8 {
		t.Fatalf("%d iterations, too few to judge", len(counts))
	}
	// The runtime allocates now and then for itself; an iteration that allocates does so every time.
	least := uint64(math.MaxUint64)
	for i := 2; i < len(counts); i++ {
		least = min(least, counts[i]-counts[i-1])
	}
	if least > 0 {
		t.Errorf("every iteration makes at least %d allocations", least)
	}
}

func TestGoroutinesEndWithTheSolve(t *testing.T) {
	p := district(40)
	before := runtime.NumGoroutine()
	during := 0
	solve(t, p, ipm.Settings{Workers: 4, Trace: func(ipm.Info) { during = max(during, runtime.NumGoroutine()) }})
	if during <= before {
		t.Errorf("%d goroutines during the solve, %d before: no workers", during, before)
	}
	deadline := time.Now().Add(10 * time.Second)
	for runtime.NumGoroutine() > before { // one that has ended may be counted for a moment
		if time.Now().After(deadline) {
			t.Fatalf("%d goroutines after the solve, %d before", runtime.NumGoroutine(), before)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestCancellationEndsTheIteration(t *testing.T) {
	p := district(40)
	ctx, cancel := context.WithCancel(t.Context())
	calls := 0
	_, err := ipm.Solve(ctx, p, ipm.Settings{Workers: 2, Trace: func(ipm.Info) {
		if calls++; calls == 4 {
			cancel()
		}
	}})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want context.Canceled", err)
	}
	if calls != 4 {
		t.Errorf("%d iterations, want the fourth to be the last", calls)
	}
}

// TestDeadlineReturnsTheBestPoint: what comes back is a point of the boxes whose objective and bound are what Info says.
func TestDeadlineReturnsTheBestPoint(t *testing.T) {
	p := district(40)
	for _, last := range []int{1, 9} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // a hundred times what nine iterations take
		calls := 0
		s, err := ipm.Solve(ctx, p, ipm.Settings{Workers: 2, Trace: func(ipm.Info) {
			if calls++; calls == last {
				<-ctx.Done()
			}
		}})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if s.Status != ipm.Interrupted || s.Info.Iterations >= last {
			t.Errorf("after %d: %v %+v", last, s.Status, s.Info)
		}
		c := iptest.Check(p, s)
		size := math.Max(1, math.Abs(s.Info.Objective))
		if c.Box > 1e-9 || math.Abs(c.Objective-s.Info.Objective) > 1e-9*size || math.Abs(c.Bound-s.Info.Bound) > 1e-7*size {
			t.Errorf("after %d: boxes off by %g; objective %.9g and bound %.9g, recomputed %.9g and %.9g", last, c.Box, s.Info.Objective, s.Info.Bound, c.Objective, c.Bound)
		}
	}
}

// TestAwkwardPrograms solves the shapes at the ends of what is allowed.
func TestAwkwardPrograms(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	giant := iptest.Random(r, 30, 1)
	for len(giant.Sites[0].Chains) < 12 { // one site with many devices
		q := iptest.Random(r, 30, 1).Sites[0]
		for _, u := range q.Inputs {
			if u.Chain >= 0 {
				u.Chain += len(giant.Sites[0].Chains)
			}
			giant.Sites[0].Inputs = append(giant.Sites[0].Inputs, u)
		}
		giant.Sites[0].Chains = append(giant.Sites[0].Chains, q.Chains...)
	}
	for name, p := range map[string]*ipm.Problem{
		"one step":     model.Build(problemtest.District(30, 1, 15, 1, false), model.Options{}).IPM,
		"a week":       model.Build(problemtest.District(3, 672, 15, 1, false), model.Options{}).IPM,
		"five minutes": model.Build(problemtest.District(4, 288, 5, 1, false), model.Options{}).IPM,
		"giant site":   giant,
		"no site":      iptest.Random(r, 4, 0),
		"large money":  scaled(district(8), 1e6),
		"small money":  scaled(district(8), 1e-6),
	} {
		s := solve(t, p, ipm.Settings{})
		c := iptest.Check(p, s)
		size := math.Max(1, math.Abs(c.Bound))
		if s.Status != ipm.Solved || math.Abs(c.Objective-c.Bound) > 1e-6*size || c.Box > 1e-9 {
			t.Errorf("%s: %v %+v, recomputed %+v", name, s.Status, s.Info, c)
		}
	}
}

// scaled multiplies every cost.
func scaled(p *ipm.Problem, money float64) *ipm.Problem {
	all := func(v []float64) []float64 {
		out := make([]float64, len(v))
		for i := range v {
			out[i] = money * v[i]
		}
		return out
	}
	p.Import.Cost, p.Export.Cost = all(p.Import.Cost), all(p.Export.Cost)
	p.Peak.Price *= money
	band := func(b *ipm.Band) *ipm.Band {
		if b == nil {
			return nil
		}
		return &ipm.Band{Level: b.Level, Penalty: all(b.Penalty)}
	}
	for i := range p.Sites {
		q := &p.Sites[i]
		if q.Fee != nil {
			q.Fee = all(q.Fee)
		}
		for j := range q.Inputs {
			q.Inputs[j].Cost = all(q.Inputs[j].Cost)
		}
		for k := range q.Chains {
			c := &q.Chains[k]
			c.Cost, c.Low, c.High = all(c.Cost), band(c.Low), band(c.High)
		}
	}
	return p
}
