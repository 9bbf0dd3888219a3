package optimizer_test

import (
	"fmt"
	"testing"

	"quartier/optimizer"
	"quartier/optimizer/ipm"
	"quartier/optimizer/model"
	"quartier/optimizer/problemtest"
)

// go test ./optimizer -run '^$' -bench Plan -count 10 | tee new.txt; benchstat new.txt
func BenchmarkPlan(b *testing.B) {
	for _, c := range []struct {
		sites, rounds int
		mixed         bool
	}{{10, 0, false}, {100, 0, false}, {10, 3, true}, {100, 3, true}} {
		p := problemtest.District(c.sites, 96, 15, 1, c.mixed)
		b.Run(fmt.Sprintf("sites=%d/mixed=%v/rounds=%d", c.sites, c.mixed, c.rounds), func(b *testing.B) {
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
			sol, err := ipm.Solve(b.Context(), model.Build(p, model.Options{}).IPM, ipm.Settings{})
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(sol.Info.Iterations), "iters/op")
		})
	}
}
