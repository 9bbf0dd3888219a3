package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/testdata"
)

// misses is the root mean square error of forecasts a day ahead of each of two ways, at every stride-th slot from a slot on.
func misses(v []float64, step time.Duration, from, stride int, one, other func(Past, int) []float64) (a, b float64) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	lead, n := int(24*time.Hour/step), 0.0
	for o := from; o+lead <= len(v); o += stride {
		past := Past{Start: start, Step: step, Values: v[:o:o]}
		x, y := one(past, lead), other(past, lead)
		for k := range lead {
			if !math.IsNaN(v[o+k]) {
				a, b, n = a+(x[k]-v[o+k])*(x[k]-v[o+k]), b+(y[k]-v[o+k])*(y[k]-v[o+k]), n+1
			}
		}
	}
	return math.Sqrt(a / n), math.Sqrt(b / n)
}

func similarly(past Past, lead int) []float64 {
	end := past.Start.Add(time.Duration(len(past.Values)) * past.Step)
	return Similar(past, end, end, lead, time.UTC, Settings{Fade: 6 * time.Hour, Max: math.Inf(1)})
}

// TestCourseOfRecordedCarbon: the carbon intensity of a grid is foreseen better than by similar days, from a week of it on.
func TestCourseOfRecordedCarbon(t *testing.T) {
	for _, c := range []struct {
		file, column string
		most         float64
	}{{"odbl/electricity_maps_fr_2022_hourly.csv.gz", "direct_g_per_kwh", 0.9}, {"eco2mix/national_2021-12_15min.csv.gz", "carbon_g_per_kwh", 0.93}} {
		s := series(t, testdata.Traces(), c.file, func(name string) bool { return name == c.column })
		day := int(24 * time.Hour / s.step)
		ours, similar := misses(s.v, s.step, 7*day, 7*day/24, Course, similarly)
		t.Logf("%s: %.4g, %.3f of that of similar days", c.file, ours, ours/similar)
		if !(ours < c.most*similar) {
			t.Errorf("%s is missed by %.4g, by similar days by %.4g", c.file, ours, similar)
		}
	}
}

// TestCourseLearns: a series that strays from its course of a day by a known autoregression is missed hardly more than by what nobody can know.
func TestCourseLearns(t *testing.T) {
	for _, c := range []struct{ one, two float64 }{{1.6, -0.8}, {-0.9, 0}, {0.7, 0.2}} {
		rng := rand.New(rand.NewPCG(5, 5))
		v, away := make([]float64, 24*80), [2]float64{}
		for i := range v {
			next := c.one*away[0] + c.two*away[1] + rng.NormFloat64()
			away = [2]float64{next, away[0]}
			v[i] = 100 + 20*math.Sin(2*math.Pi*float64(i%24)/24) + next
		}
		knows := func(past Past, lead int) []float64 {
			n := len(past.Values)
			course := func(i int) float64 { return 100 + 20*math.Sin(2*math.Pi*float64(i%24)/24) }
			a, b := past.Values[n-1]-course(n-1), past.Values[n-2]-course(n-2)
			out := make([]float64, lead)
			for k := range out {
				a, b = c.one*a+c.two*b, a
				out[k] = course(n+k) + a
			}
			return out
		}
		if ours, least := misses(v, time.Hour, 24*50, 5, Course, knows); ours > 1.1*least {
			t.Errorf("weights %v: missed by %.3f, by who knows them by %.3f", c, ours, least)
		}
	}
}

// TestCourseOfADay: what comes every day alike is foreseen to the digit, in hours and in quarters of them up to how it changes within one, and of a series that was hardly measured the last value holds.
func TestCourseOfADay(t *testing.T) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	of := func(h float64) float64 { return 50 + 10*math.Cos(2*math.Pi*h/24) }
	for _, slots := range []int{1, 4} {
		v := make([]float64, 24*slots*3)
		at := func(i int) float64 { return of((float64(i) + 0.5) / float64(slots)) }
		for i := range v {
			v[i] = at(i)
		}
		tolerance := 1e-9
		if slots > 1 {
			tolerance = 0.4 // a straight line between hours against a curve
		}
		for _, o := range []int{24*slots + slots, len(v) - 1, len(v)} {
			for k, y := range Course(Past{Start: start, Step: time.Hour / time.Duration(slots), Values: v[:o]}, 36*slots) {
				if want := at(o + k); math.Abs(y-want) > tolerance && o >= 24*slots && k < len(v)-24*slots {
					t.Fatalf("%d slots an hour, from slot %d, %d ahead: %g, want %g", slots, o, k, y, want)
				}
			}
		}
	}
	for _, v := range [][]float64{{7}, {math.NaN(), 7, math.NaN()}} {
		for k, y := range Course(Past{Start: start, Step: time.Hour, Values: v}, 30) {
			if y != 7 {
				t.Fatalf("of one value 7, %d ahead: %g", k, y)
			}
		}
	}
}

// TestCourseIsSane: of whatever was measured, with gaps, it is a number, no farther beyond what came than that strayed, and every slot ahead has one.
func TestCourseIsSane(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		step := rapid.SampledFrom([]time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 24 * time.Hour}).Draw(t, "step")
		n := rapid.IntRange(0, 500).Draw(t, "slots")
		v := rapid.SliceOfN(rapid.OneOf(rapid.Just(math.NaN()), rapid.Float64Range(-1e6, 1e6)), n, n).Draw(t, "values")
		lead := rapid.IntRange(0, 150).Draw(t, "lead")
		lo, hi := math.Inf(1), math.Inf(-1)
		for _, x := range v {
			if !math.IsNaN(x) {
				lo, hi = math.Min(lo, x), math.Max(hi, x)
			}
		}
		if lo > hi {
			lo, hi = 0, 0
		}
		out := Course(Past{Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Step: step, Values: v}, lead)
		if len(out) != lead {
			t.Fatalf("%d values for %d slots", len(out), lead)
		}
		for k, y := range out {
			if wide := 3*(hi-lo) + 1e-6; !(y >= lo-wide && y <= hi+wide) {
				t.Fatalf("%d ahead: %g, of values from %g to %g", k, y, lo, hi)
			}
		}
	})
}
