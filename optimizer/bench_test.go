package optimizer_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/highstest"
	"quartier/optimizer/milp"
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

// BenchmarkContinuous holds continuous plans against HiGHS in the same run: of each size ten districts (one of 1,000 sites), or the problem documents whose files match the
// pattern QUARTIER_BENCH_PROBLEMS. HiGHS's time is its own run time, the better of its simplex and its interior point with crossover, at its own tolerance; its linear programming
// runs on one thread whatever it may use. Ours is the best of three whole calls of Plan. Both solve the same problem to a relative gap of 1e-6. Reported are the worst and the median
// of how many times longer HiGHS takes, our longest time, and the fewest and most iterations. Where HiGHS does not end before highsLimit, its time is that.
//
//	go test ./optimizer -run '^$' -bench Continuous -benchtime 1x -timeout 1h
func BenchmarkContinuous(b *testing.B) {
	for _, size := range benchProblems(b) {
		judge := make([]float64, len(size))
		for i, p := range size {
			judge[i] = highsSeconds(b, p)
		}
		for _, workers := range []int{1, 2} {
			b.Run(fmt.Sprintf("sites=%d/workers=%d", len(size[0].Sites), workers), func(b *testing.B) {
				b.ReportAllocs()
				best := make([]float64, len(size))
				for i := range best {
					best[i] = math.Inf(1)
				}
				fewest, most := math.MaxInt, 0
				for b.Loop() {
					for range 3 {
						for i, p := range size {
							began := time.Now()
							var info optimizer.Info
							s, err := optimizer.Plan(b.Context(), p, optimizer.Settings{Workers: workers, TimeLimit: 10 * time.Minute, Info: func(i optimizer.Info) { info = i }})
							best[i] = min(best[i], time.Since(began).Seconds())
							if err != nil || s.Status != problem.Optimal || *s.Gap > 1e-6 {
								b.Fatal(s.Status, s.Gap, err)
							}
							fewest, most = min(fewest, info.Iterations), max(most, info.Iterations)
						}
					}
				}
				ratio := make([]float64, len(size))
				for i := range ratio {
					ratio[i] = judge[i] / best[i]
				}
				slices.Sort(ratio)
				b.ReportMetric(slices.Max(best), "longest-s")
				b.ReportMetric(float64(fewest), "fewest-iters")
				b.ReportMetric(float64(most), "most-iters")
				if ratio[0] > 0 {
					b.ReportMetric(ratio[0], "worst-ratio")
					b.ReportMetric(ratio[len(ratio)/2], "median-ratio")
				}
			})
		}
	}
}

// benchProblems are the continuous problems to time, those of one size together.
func benchProblems(b *testing.B) [][]*problem.Problem {
	b.Helper()
	pattern := os.Getenv("QUARTIER_BENCH_PROBLEMS")
	if pattern == "" {
		sizes := make([][]*problem.Problem, 3)
		for seed := range uint64(10) {
			for k, n := range []int{10, 100} {
				sizes[k] = append(sizes[k], problemtest.District(n, 96, 15, seed+1, false))
			}
		}
		sizes[2] = []*problem.Problem{problemtest.District(1000, 96, 15, 1, false)}
		return sizes
	}
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		b.Fatalf("QUARTIER_BENCH_PROBLEMS: no file matches %q (%v)", pattern, err)
	}
	bySites := map[int][]*problem.Problem{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			b.Fatal(err)
		}
		p, err := problem.Parse(text)
		if err != nil {
			b.Fatalf("%s: %v", file, err)
		}
		bySites[len(p.Sites)] = append(bySites[len(p.Sites)], p)
	}
	var sizes [][]*problem.Problem
	for _, n := range slices.Sorted(maps.Keys(bySites)) {
		sizes = append(sizes, bySites[n])
	}
	return sizes
}

// highsLimit is when HiGHS is stopped.
const highsLimit = 4 * time.Minute

// highsSeconds is the shorter of HiGHS's run times, highsLimit when neither of its methods ended before it, and 0 without HiGHS. With many sites its interior point has never been
// the faster one; there it is left out, as the wait would be many minutes.
func highsSeconds(b *testing.B, p *problem.Problem) float64 {
	b.Helper()
	if _, err := highstest.Tree(); err != nil {
		b.Log(err)
		return 0
	}
	m, best := milp.Build(p), highsLimit.Seconds()
	for _, solver := range []string{"simplex", "ipm"} {
		if solver == "ipm" && len(p.Sites) > 300 {
			continue
		}
		a := highstest.Solve(b, m, highstest.Options{Solver: solver, Relaxed: true, Threads: 1, Tolerance: 1e-7, TimeLimit: highsLimit})
		if a.Optimal && a.Run > 0 {
			best = min(best, a.Run.Seconds())
		}
	}
	return best
}
