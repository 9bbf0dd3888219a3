package units

import (
	"testing"

	"pgregory.net/rapid"
)

// TestSplitIsExactAndFair: parts sum to the total, and each is within 1 Wh of its exact share.
func TestSplitIsExactAndFair(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := rapid.SliceOfN(rapid.Map(rapid.Int64Range(0, 1<<40), func(v int64) WattHours { return WattHours(v) }), 1, 40).Draw(t, "weights")
		total := WattHours(rapid.Int64Range(0, 1<<45).Draw(t, "total"))
		var sumW, sum WattHours
		for _, v := range w {
			sumW += v
		}
		parts := Split(total, w)
		for i, p := range parts {
			sum += p
			if sumW > 0 {
				exact := float64(total) * (float64(w[i]) / float64(sumW))
				if d := float64(p) - exact; d > 1.01 || d < -1.01 {
					t.Fatalf("part %d is %d Wh, exactly %v Wh", i, p, exact)
				}
			}
		}
		if sumW > 0 && sum != total || sumW == 0 && sum != 0 {
			t.Fatalf("parts sum to %d Wh, want %d Wh", sum, total)
		}
	})
}
