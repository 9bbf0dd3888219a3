package ipm

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestVecIsLaneByLane holds the operations that the sweeps are written in, whichever of their two meanings is built, against plain arithmetic on each lane: the same bits.
func TestVecIsLaneByLane(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 1))
	odd := []float64{0, math.Copysign(0, -1), 1, -1, 5e-324, -3e-310, 1e-200, 1e300, math.Inf(1), math.Inf(-1), math.MaxFloat64}
	pick := func() (f four) {
		for i := range f {
			if f[i] = r.NormFloat64(); r.IntN(3) == 0 {
				f[i] = odd[r.IntN(len(odd))]
			}
		}
		return f
	}
	for range 2000 {
		a, b := pick(), pick()
		for name, op := range map[string]struct {
			vec   vec
			plain func(x, y float64) float64
		}{
			"add":      {load(&a).Add(load(&b)), func(x, y float64) float64 { return x + y }},
			"sub":      {load(&a).Sub(load(&b)), func(x, y float64) float64 { return x - y }},
			"mul":      {load(&a).Mul(load(&b)), func(x, y float64) float64 { return x * y }},
			"div":      {load(&a).Div(load(&b)), func(x, y float64) float64 { return x / y }},
			"positive": {positive(load(&a), load(&b)), ifAbove},
			"min": {load(&a).Min(load(&b)), func(x, y float64) float64 {
				if x < y {
					return x
				}
				return y
			}},
			"max": {load(&a).Max(load(&b)), func(x, y float64) float64 {
				if x > y {
					return x
				}
				return y
			}},
			"all": {all(a[2]), func(_, _ float64) float64 { return a[2] }},
		} {
			var got four
			op.vec.Store(&got)
			narrow()
			for i := range got {
				if want := op.plain(a[i], b[i]); math.Float64bits(got[i]) != math.Float64bits(want) && !(math.IsNaN(got[i]) && math.IsNaN(want)) {
					t.Fatalf("%s of %v and %v: lane %d is %v, want %v", name, a, b, i, got[i], want)
				}
			}
		}
		f := load(&a)
		if s, l, m := sum(f), least(f), most(f); s != (a[0]+a[1])+(a[2]+a[3]) && !math.IsNaN(s) || l != min(a[0], a[1], a[2], a[3]) || m != max(a[0], a[1], a[2], a[3]) {
			t.Fatalf("%v: sum %v, least %v, most %v", a, s, l, m)
		}
	}
}

func ifAbove(x, v float64) float64 {
	if x > 0 {
		return v
	}
	return 0
}

// TestVecIsNoNumberWhereTheSecondIsNone: a state that is broken must show, and not hide behind a maximum.
func TestVecIsNoNumberWhereTheSecondIsNone(t *testing.T) {
	nan := all(math.NaN())
	for name, v := range map[string]vec{"min": all(1).Min(nan), "max": all(1).Max(nan)} {
		if got := sum(v); !math.IsNaN(got) {
			t.Errorf("%s of 1 and no number is %v in the sum of its lanes", name, got)
		}
	}
}

func TestNthIsWhatSortingWouldPutThere(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 2))
	for range 500 {
		v := make([]float64, 1+r.IntN(60))
		for i := range v {
			v[i] = float64(r.IntN(20)) // many are equal
		}
		want := slices.Clone(v)
		slices.Sort(want)
		k := r.IntN(len(v))
		if got := nth(slices.Clone(v), k); got != want[k] {
			t.Fatalf("%v: the %d-th is %v, want %v", v, k, got, want[k])
		}
	}
}
