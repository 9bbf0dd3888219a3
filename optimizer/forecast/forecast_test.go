package forecast

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var (
	step = 15 * time.Minute
	zone = mustZone("Europe/Paris")
)

func mustZone(name string) *time.Location {
	loc, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	return loc
}

// weekly makes a past of days whose value is f(local time).
func weekly(start time.Time, days int, f func(t time.Time) float64) Past {
	p := Past{Start: start, Step: step}
	for i := range days * 96 {
		p.Values = append(p.Values, f(start.Add(time.Duration(i)*step).In(zone)))
	}
	return p
}

// TestPeriodicLoadIsForeseen: a load that repeats by clock time and weekend is predicted exactly, also over a change of the clocks.
func TestPeriodicLoadIsForeseen(t *testing.T) {
	f := func(t time.Time) float64 {
		v := float64(t.Hour())
		if weekend(t) {
			v += 100
		}
		return v
	}
	start := time.Date(2026, 3, 1, 0, 0, 0, 0, zone)
	p := weekly(start.UTC(), 30, f)
	for _, now := range []time.Time{time.Date(2026, 3, 27, 12, 0, 0, 0, zone), time.Date(2026, 3, 28, 18, 0, 0, 0, zone)} {
		got := Similar(p, now, now, 96, zone, Settings{})
		for i, v := range got {
			at := now.Add(time.Duration(i) * step).In(zone)
			if want := f(at); math.Abs(v-want) > 1e-9 {
				t.Errorf("at %v: %v kW, want %v kW", at, v, want)
			}
		}
	}
}

// TestPresentDeviationFades: a present surplus of 2 kW is carried on and gone after a day.
func TestPresentDeviationFades(t *testing.T) {
	p := weekly(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 20, func(time.Time) float64 { return 5 })
	for i := len(p.Values) - 4; i < len(p.Values); i++ {
		p.Values[i] = 7
	}
	now := p.Span().End
	got := Similar(p, now, now, 97, zone, Settings{})
	if math.Abs(got[0]-7) > 0.3 || math.Abs(got[8]-(5+2*math.Exp(-1))) > 0.3 || math.Abs(got[96]-5) > 0.5 {
		t.Errorf("now %v, in 2 h %v, in 24 h %v kW; want about 7, 5.7, 5 kW", got[0], got[8], got[96])
	}
}

// TestNeverLooksAhead: changing what was measured after now changes nothing.
func TestNeverLooksAhead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := weekly(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), 10, func(time.Time) float64 { return rapid.Float64Range(0, 9).Draw(t, "kw") })
		cut := rapid.IntRange(0, len(p.Values)).Draw(t, "cut")
		now := p.Start.Add(time.Duration(cut) * step)
		q := p
		q.Values = append([]float64(nil), p.Values...)
		for i := cut; i < len(q.Values); i++ {
			q.Values[i] = math.NaN()
		}
		a, b := Similar(p, now, now, 96, zone, Settings{}), Similar(q, now, now, 96, zone, Settings{})
		for i := range a {
			if a[i] != b[i] || math.IsNaN(a[i]) || math.IsInf(a[i], 0) {
				t.Fatalf("slot %d: %v with the future, %v without", i, a[i], b[i])
			}
		}
	})
}

// TestWithoutPast: nothing known is zero, one value holds, the range is kept.
func TestWithoutPast(t *testing.T) {
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	if got := Similar(Past{Start: now, Step: step}, now, now, 2, zone, Settings{}); got[0] != 0 || got[1] != 0 {
		t.Errorf("without past: %v, want zeros", got)
	}
	p := Past{Start: now, Step: step, Values: []float64{4}}
	if got := Similar(p, now.Add(step), now.Add(step), 2, zone, Settings{Min: 0, Max: 3}); got[1] != 3 {
		t.Errorf("one value of 4 in [0, 3]: %v, want 3", got)
	}
}
