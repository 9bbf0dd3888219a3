package forecast

import (
	"math/rand/v2"
	"testing"
	"time"
)

// TestRepeatsFollowsACalendar: a tariff that is dear on the afternoons of working days is foreseen once a weekend has been seen, the next one too; prices of a market are not taken for a calendar.
func TestRepeatsFollowsACalendar(t *testing.T) {
	start := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC) // a Monday
	tariff := func(i int) float64 {
		if day, hour := i/24%7, i%24; day < 5 && hour >= 15 && hour < 18 {
			return 0.07
		}
		return 0.03
	}
	v := make([]float64, 24*40)
	for i := range v {
		v[i] = tariff(i)
	}
	for _, c := range []struct{ from, to, most int }{{36, 24 * 4, 0}, {24 * 4, 24 * 8, 1000}, {24 * 10, 24 * 38, 0}} {
		wrong := 0
		for o := c.from; o < c.to; o++ {
			out, ok := Repeats(Past{Start: start, Step: time.Hour, Values: v[:o]}, 24, time.UTC)
			if !ok {
				t.Fatalf("hour %d: no calendar", o)
			}
			for k, y := range out {
				if y != tariff(o+k) {
					wrong++
				}
			}
		}
		if c.to == 24*4 {
			continue // Friday foresees a Saturday like itself
		}
		if wrong > c.most {
			t.Errorf("hours %d to %d: %d values are wrong, %d may be", c.from, c.to, wrong, c.most)
		}
	}
	for _, n := range []int{0, 1, 35} {
		if _, ok := Repeats(Past{Start: start, Step: time.Hour, Values: v[:n]}, 24, time.UTC); ok {
			t.Errorf("%d values show a calendar", n)
		}
	}
	rng := rand.New(rand.NewPCG(1, 1))
	for i := range v {
		v[i] = tariff(i) + 0.001*rng.NormFloat64()
	}
	if _, ok := Repeats(Past{Start: start, Step: time.Hour, Values: v}, 24, time.UTC); ok {
		t.Error("a market's prices are taken for a calendar")
	}
}
