package optimizer_test

import (
	"fmt"
	"math"
	"os"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/highstest"
	"quartier/optimizer/ipm"
	"quartier/optimizer/milp"
	"quartier/optimizer/model"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// BenchmarkPlan times mixed plans.
//
//	go test ./optimizer -run '^$' -bench Plan/ -count 10 | tee new.txt; benchstat new.txt
func BenchmarkPlan(b *testing.B) {
	for _, c := range []struct {
		sites, rounds int
	}{{10, 3}, {100, 3}} {
		p := problemtest.District(c.sites, 96, 15, 1, true)
		b.Run(fmt.Sprintf("sites=%d/rounds=%d", c.sites, c.rounds), func(b *testing.B) {
			b.ReportAllocs()
			gap := 0.0
			for b.Loop() {
				s, err := optimizer.Plan(b.Context(), p, optimizer.Settings{Rounds: c.rounds})
				if err != nil || s.Gap == nil {
					b.Fatal(s, err)
				}
				gap = *s.Gap
			}
			b.ReportMetric(gap, "gap")
		})
	}
}

// BenchmarkContinuous holds continuous plans against HiGHS in the same run: highs-s is HiGHS's own run time, the better of its simplex and its interior point with
// crossover, at its own tolerance; ratio is how many times longer that is than the fastest Plan, all of it. Both solve the same problem to a relative gap of 1e-6. HiGHS's
// linear programming runs on one thread whatever it may use. Where it does not end before highsLimit, ratio-at-least is against that. With QUARTIER_BENCH_PROBLEM, the problem document in that file is solved instead.
//
//	go test ./optimizer -run '^$' -bench Continuous -benchtime 5x
func BenchmarkContinuous(b *testing.B) {
	problems := map[string]*problem.Problem{}
	var names []string
	add := func(name string, p *problem.Problem) {
		names = append(names, name)
		problems[name] = p
	}
	if file := os.Getenv("QUARTIER_BENCH_PROBLEM"); file != "" {
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		p, err := problem.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		add(fmt.Sprintf("sites=%d", len(p.Sites)), p)
	} else {
		for _, n := range []int{10, 100, 1000} {
			add(fmt.Sprintf("sites=%d", n), problemtest.District(n, 96, 15, 1, false))
		}
	}
	for _, name := range names {
		p := problems[name]
		judge, unit := 0.0, "ratio"
		if len(p.Sites) <= 100 || !testing.Short() {
			var done bool
			if judge, done = highsSeconds(b, p); !done {
				unit = "ratio-at-least"
			}
		}
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("%s/workers=%d", name, workers), func(b *testing.B) {
				b.ReportAllocs()
				best := math.Inf(1)
				for b.Loop() {
					began := time.Now()
					s, err := optimizer.Plan(b.Context(), p, optimizer.Settings{Workers: workers, TimeLimit: 10 * time.Minute})
					best = min(best, time.Since(began).Seconds())
					if err != nil || s.Status != problem.Optimal || *s.Gap > 1e-6 {
						b.Fatal(s.Status, s.Gap, err)
					}
				}
				b.ReportMetric(best, "best-s")
				if judge > 0 {
					b.ReportMetric(judge, "highs-s")
					b.ReportMetric(judge/best, unit)
				}
				sol, err := ipm.Solve(b.Context(), model.Build(p, model.Options{}).IPM, ipm.Settings{Workers: workers, GapTol: optimizer.DefaultContinuousGap / 4})
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(sol.Info.Iterations), "iters/op")
			})
		}
	}
}

// highsLimit is when HiGHS is stopped.
const highsLimit = 4 * time.Minute

// highsSeconds is the shorter of HiGHS's run times; false when neither of its methods ended before the limit, which it is then, and 0 without HiGHS.
func highsSeconds(b *testing.B, p *problem.Problem) (seconds float64, done bool) {
	b.Helper()
	if _, err := highstest.Tree(); err != nil {
		b.Log(err)
		return 0, false
	}
	m, best := milp.Build(p), highsLimit.Seconds()
	for _, solver := range []string{"simplex", "ipm"} {
		a := highstest.Solve(b, m, highstest.Options{Solver: solver, Relaxed: true, Threads: 1, Tolerance: 1e-7, TimeLimit: highsLimit})
		if a.Optimal && a.Run > 0 {
			best, done = min(best, a.Run.Seconds()), true
		}
	}
	return best, done
}
