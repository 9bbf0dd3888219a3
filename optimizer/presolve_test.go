package optimizer

import (
	"fmt"
	"testing"

	"quartier/optimizer/problemtest"
)

// BenchmarkPresolve times the verdict alone, without the nearest plan.
func BenchmarkPresolve(b *testing.B) {
	for _, sites := range []int{100, 1000} {
		p := problemtest.District(sites, 96, 15, 1, true)
		p.Sites[sites/2].LoadKW[40] = 30
		b.Run(fmt.Sprintf("sites=%d", sites), func(b *testing.B) {
			for b.Loop() {
				if len(presolve(p)) != 1 {
					b.Fatal("not found")
				}
			}
		})
	}
}
