package optimizer_test

import (
	"fmt"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/problemtest"
)

// BenchmarkMixed reports the worst certified gap that is reached within a time limit, over some districts with on/off decisions.
//
//	go test ./optimizer -run '^$' -bench Mixed -benchtime 1x
func BenchmarkMixed(b *testing.B) {
	for _, c := range []struct {
		sites, seeds int
		limit        time.Duration
	}{{10, 10, 2 * time.Second}, {100, 3, 2 * time.Second}, {100, 3, 10 * time.Second}, {1000, 1, 60 * time.Second}} {
		b.Run(fmt.Sprintf("sites=%d/limit=%v", c.sites, c.limit), func(b *testing.B) {
			worst, rounds := 0.0, 0
			for b.Loop() {
				for seed := range uint64(c.seeds) {
					s, err := optimizer.Plan(b.Context(), problemtest.District(c.sites, 96, 15, seed+1, true), optimizer.Settings{TimeLimit: c.limit, Gap: 1e-4})
					if err != nil || s.Gap == nil {
						b.Fatal(s, err)
					}
					worst = max(worst, *s.Gap)
					rounds += s.Rounds
				}
			}
			b.ReportMetric(100*worst, "worst-gap-%")
			b.ReportMetric(float64(rounds)/float64(b.N*c.seeds), "rounds/plan")
		})
	}
}
