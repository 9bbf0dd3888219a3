package forecast

import (
	"compress/gzip"
	"encoding/csv"
	"io/fs"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/testdata"
)

// grow forecasts at every origin from a slot on and returns the mean absolute errors of the regression and of the mean of seven days with the fading deviation.
func grow(t *testing.T, v []float64, step time.Duration, from int, set Settings) (adaptive, plain float64) {
	t.Helper()
	perDay, n := int(24*time.Hour/step), 0.0
	a := NewAdaptive(step, perDay, time.UTC, set)
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	for o := from; o+perDay <= len(v); o++ {
		f := a.Forecast(Past{Start: start, Step: step, Values: v[:o]})
		for k, y := range f {
			mean, ok := meanOf(v, o+k-perDay, perDay, 7)
			before, ok2 := meanOf(v, o-1-perDay, perDay, 7)
			if !ok || !ok2 || math.IsNaN(v[o+k]) || math.IsNaN(v[o-1]) {
				continue
			}
			adaptive += math.Abs(y - v[o+k])
			plain += math.Abs(mean + (v[o-1]-before)*math.Exp(-float64(k+1)*step.Hours()/2) - v[o+k])
			n++
		}
	}
	return adaptive / n, plain / n
}

// TestAdaptiveLearnsWhatPersists: where a deviation lasts for days, the weights learn it, and errors fall by half.
func TestAdaptiveLearnsWhatPersists(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	v, dev := make([]float64, 24*60), 0.0
	for i := range v {
		dev = 0.99*dev + 0.2*rng.NormFloat64()
		v[i] = 10 + 3*math.Sin(float64(i)/24*2*math.Pi) + dev
	}
	if a, p := grow(t, v, time.Hour, 24*30, Settings{}); a > 0.75*p {
		t.Errorf("error %.3f, plain %.3f", a, p)
	}
}

// TestAdaptiveIsNoWorseOnNoise: where nothing can be learned, nothing is lost.
func TestAdaptiveIsNoWorseOnNoise(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	v := make([]float64, 24*60)
	for i := range v {
		v[i] = 5 + rng.ExpFloat64()
	}
	if a, p := grow(t, v, time.Hour, 24*20, Settings{Max: math.Inf(1)}); a > 1.01*p {
		t.Errorf("error %.3f, plain %.3f", a, p)
	}
}

// TestAdaptiveIsBetterOnRecordedHomes, by a tenth and more of the error on the load of nine homes together.
func TestAdaptiveIsBetterOnRecordedHomes(t *testing.T) {
	v := homes(t)
	if a, p := grow(t, v[:24*150], time.Hour, 24*28, Settings{Max: math.Inf(1)}); a > 0.95*p {
		t.Errorf("error %.3f kW, plain %.3f kW", a, p)
	} else {
		t.Logf("error %.3f kW, plain %.3f kW: %.3f", a, p, a/p)
	}
}

// TestAdaptiveIsAFunctionOfThePast: what lies beyond the past's end cannot matter, since it is not given; and to be asked twice, or after gaps, changes nothing.
func TestAdaptiveIsAFunctionOfThePast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 24*12).Draw(t, "n")
		v := make([]float64, n)
		for i := range v {
			if v[i] = rapid.Float64Range(-5, 20).Draw(t, "v"); rapid.IntRange(0, 9).Draw(t, "gap") == 0 {
				v[i] = math.NaN()
			}
		}
		start := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
		set := Settings{Min: -1, Max: 9}
		once, often := NewAdaptive(time.Hour, 30, zone, set), NewAdaptive(time.Hour, 30, zone, set)
		want := once.Forecast(Past{Start: start, Step: time.Hour, Values: v})
		for range 3 {
			for i, y := range often.Forecast(Past{Start: start, Step: time.Hour, Values: v}) {
				if y != want[i] || math.IsNaN(y) || y < -1 || y > 9 {
					t.Fatalf("slot %d: %g, at first %g", i, y, want[i])
				}
			}
		}
	})
}

func homes(t *testing.T) []float64 {
	t.Helper()
	return sumOfColumns(t, testdata.Traces(), "citylearn2022/homes_hourly.csv.gz", "load_")
}

// sumOfColumns adds up the columns of a trace whose names begin so.
func sumOfColumns(t *testing.T, dir fs.FS, name, prefix string) []float64 {
	t.Helper()
	f, err := dir.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	c := csv.NewReader(z)
	c.Comment = '#'
	rows, err := c.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := make([]float64, len(rows)-1)
	for i, row := range rows[1:] {
		for k, cell := range row {
			if !strings.HasPrefix(rows[0][k], prefix) {
				continue
			}
			x, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				t.Fatal(err)
			}
			out[i] += x
		}
	}
	return out
}
