package scheduler

import (
	"math"
	"reflect"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"quartier/schemas/district"
)

// TestRoundingKeepsTheBandAroundItsMean: of a forecast with fewer digits what lay within the band still does, the band is no narrower and hardly wider, the mean is hardly another, what is settled stays so, and
// what has no more digits stays as it is.
func TestRoundingKeepsTheBandAroundItsMean(t *testing.T) {
	check := func(t interface{ Errorf(string, ...any) }, f district.Foreseen) {
		g := rounded(f)
		most := slices.Max(slices.Concat(f.Mean, f.High))
		most = math.Max(most, -slices.Min(slices.Concat(f.Mean, f.Low)))
		fine := math.Max(1e-12, 1e-3*most) // a digit of the mean is at most that, one of a band ten times
		for i, v := range f.Mean {
			lo, hi := f.Low[i], f.High[i]
			if g.Settled {
				if lo != hi || math.Abs(g.Mean[i]-v) > fine || g.Low != nil || g.High != nil {
					t.Errorf("%g in [%g, %g] became %+v", v, lo, hi, g)
				}
				continue
			}
			if lo <= v && v <= hi && (g.Low[i] > g.Mean[i] || g.Mean[i] > g.High[i]) {
				t.Errorf("%g in [%g, %g] became %g in [%g, %g], with %g as the largest", v, lo, hi, g.Mean[i], g.Low[i], g.High[i], most)
			}
			if math.Abs(g.Mean[i]-v) > fine || lo != hi && (math.Abs(g.Low[i]-lo) > 10*fine || math.Abs(g.High[i]-hi) > 10*fine) {
				t.Errorf("%g in [%g, %g] became %g in [%g, %g], with %g as the largest", v, lo, hi, g.Mean[i], g.Low[i], g.High[i], most)
			}
			if lo != hi && (g.Low[i] > lo+1e-5*fine || g.High[i] < hi-1e-5*fine) {
				t.Errorf("[%g, %g] became [%g, %g], which is narrower", lo, hi, g.Low[i], g.High[i])
			}
			if lo == hi && (g.Low[i] != g.Mean[i] || g.High[i] != g.Mean[i]) {
				t.Errorf("%g, which is settled, became %g in [%g, %g]", v, g.Mean[i], g.Low[i], g.High[i])
			}
		}
	}
	check(t, district.Foreseen{Mean: []float64{12.29, 99}, Low: []float64{12.28, 90}, High: []float64{12.31, 99.9}})
	check(t, district.Foreseen{Mean: []float64{12.33, 99}, Low: []float64{12.2, 90}, High: []float64{12.34, 99.9}})
	short := district.Foreseen{Mean: []float64{0.58, 9}, Low: []float64{0.57, 8.01}, High: []float64{1.1, 9.9}}
	if got := rounded(short); !reflect.DeepEqual(got, short) {
		t.Errorf("%+v became %+v", short, got)
	}
	rapid.Check(t, func(t *rapid.T) {
		size := math.Pow(10, rapid.Float64Range(-4, 4).Draw(t, "size"))
		var f district.Foreseen
		for range rapid.IntRange(1, 6).Draw(t, "steps") {
			v := rapid.Float64Range(-size, size)
			band := []float64{v.Draw(t, "a"), v.Draw(t, "b"), v.Draw(t, "c")}
			switch rapid.IntRange(0, 3).Draw(t, "band") {
			case 0: // settled
				band[1], band[2] = band[0], band[0]
			case 1: // narrow
				for k := range band {
					band[k] = band[0] + band[k]*1e-3
				}
			}
			slices.Sort(band)
			mean := rapid.SampledFrom([]float64{band[0], band[1], band[2], (band[0] + band[2]) / 2}).Draw(t, "mean")
			if band[0] != band[2] && rapid.Float64Range(0, 1).Draw(t, "skewed") > 0.9 {
				mean = v.Draw(t, "beside")
			}
			f.Mean, f.Low, f.High = append(f.Mean, mean), append(f.Low, band[0]), append(f.High, band[2])
		}
		check(t, f)
	})
}
