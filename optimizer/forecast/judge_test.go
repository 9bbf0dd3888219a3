package forecast

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// TestBlendFollowsWhatCame: of two forests that err to opposite sides it is better than either, one alone is followed when it begins to be right, and one that is silly is given up.
func TestBlendFollowsWhatCame(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	j := newJudge()
	// the error of the last half of n slots, for which the forests and all others say of the median so much more than comes
	after := func(n int, first, second, others float64) (blend float64) {
		for i := range n {
			y := 5 + rng.NormFloat64()
			s := speech{open: true, forests: true, size: 5, low: math.Inf(-1), high: math.Inf(1)}
			for e := range s.centre {
				s.centre[e] = 5 + others
			}
			for i := range targets {
				s.grown[0][i], s.grown[1][i] = 5+first, 5+second
			}
			if i >= n/2 {
				of := s.all()
				blend += math.Abs(y - j.blend(&of)[quantiles/2])
			}
			j.hear(&s, y, 5)
		}
		return blend / float64(n-n/2)
	}
	if blend := after(6000, 2, -2, 20); blend > 0.9 { // a mean absolute error of 0.80 is the least there is, and each alone has 2
		t.Errorf("of two that err to opposite sides the blend errs by %.3f", blend)
	}
	if blend := after(6000, 0, 4, 20); blend > 0.9 {
		t.Errorf("beside one that is right the blend errs by %.3f", blend)
	}
	for target := range targets {
		sum := 0.0
		for e := range j.weights {
			if w := j.weights[e][target]; !(w > 0) {
				t.Errorf("weight %g", w)
			}
			sum += j.weights[e][target]
		}
		if math.Abs(sum-1) > 1e-12 {
			t.Errorf("weights add up to %g", sum)
		}
	}
}

// TestDaysBefore looks at the same clock time, past gaps and the begin of what is known.
func TestDaysBefore(t *testing.T) {
	nan := math.NaN()
	v := make([]float64, 2*40)
	for i := range v {
		v[i] = float64(i / 2) // two slots a day
		if i%2 == 1 {
			v[i] = nan
		}
	}
	for _, c := range []struct {
		newest int
		want   days
		ok     bool
	}{
		{2 * 39, days{39, 33, 26, 29, 36}, true},
		{2 * 3, days{3, 2, 2, 1, 3}, true},
		{0, days{}, true},
		{1, days{}, false},
		{-1, days{}, false},
	} {
		if got, ok := daysBefore(v, c.newest, 2); got != c.want || ok != c.ok {
			t.Errorf("from slot %d: %v, %v; want %v, %v", c.newest, got, ok, c.want, c.ok)
		}
	}
	for i := 2 * 20; i < len(v); i++ {
		v[i] = nan // nothing for two weeks and more
	}
	if got, ok := daysBefore(v, 2*39, 2); !ok || got[0] != 19 || got[1] != 19 || got[2] < 12 {
		t.Errorf("past a gap: %v, %v", got, ok)
	}
}

// TestQuietBeginning: a record that begins in holidays teaches the blend hardly worse than one that does not: errors are measured by how large the series is, not by how large it was.
func TestQuietBeginning(t *testing.T) {
	const days = 90
	// what the mean and the band are worth in the last six weeks
	judged := func(begin float64) (wrong, holds float64) {
		rnd := rand.New(rand.NewPCG(1, 2))
		v := make([]float64, 24*days)
		level := 0.0
		for i := range v {
			level = 0.9*level + rnd.NormFloat64()
			v[i] = math.Max(0, 10+4*math.Sin(float64(i%24)/24*2*math.Pi)+level)
			if i < 3*24 {
				v[i] *= begin
			}
		}
		p := NewProbabilistic(time.Hour, 12, time.UTC, Settings{Max: math.Inf(1)})
		past := Past{Start: time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), Step: time.Hour}
		n := 0.0
		for at := 48 * 24; at+12 <= len(v); at += 7 {
			past.Values = v[:at]
			d := p.Forecast(past)
			for k, m := range d.Mean {
				y := v[at+k]
				wrong, n = wrong+math.Abs(m-y), n+1
				if y >= d.Quantile[0][k] && y <= d.Quantile[quantiles-1][k] {
					holds++
				}
			}
		}
		return wrong / n, holds / n
	}
	wrong, holds := judged(1)
	w, h := judged(0.001)
	t.Logf("wrong by %.3f, and %.3f where the beginning was quiet; the band holds %.3f and %.3f", wrong, w, holds, h)
	if w > 1.06*wrong || h < holds-0.04 {
		t.Errorf("wrong by %.3f, and %.3f where the beginning was quiet; the band holds %.3f and %.3f", wrong, w, holds, h)
	}
}
