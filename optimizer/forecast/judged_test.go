package forecast

import (
	"math"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var judgedStart = time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)

func judgedSettings() JudgedSettings {
	return JudgedSettings{Step: time.Hour, Lead: 30, Zone: time.UTC, Own: true, Prior: 3}
}

// drawnSignal is a daily wave with noise and gaps, and what is said of it: with noise of its own, gaps, and settled in places.
func drawnSignal(t *rapid.T, n int) (v []float64, say func(origin int) Said) {
	noise := rapid.Float64Range(0, 3).Draw(t, "noise")
	wrong := rapid.Float64Range(-5, 5).Draw(t, "wrong by")
	gaps := rapid.IntRange(2, 40).Draw(t, "a gap in so many slots")
	settled := rapid.IntRange(0, 20).Draw(t, "settled slots")
	seed := rapid.Uint64().Draw(t, "seed")
	random := func(i, k int) float64 {
		x := seed + uint64(i)*0x9E3779B97F4A7C15 + uint64(k)*0xBF58476D1CE4E5B9
		x ^= x >> 31
		x *= 0x94D049BB133111EB
		x ^= x >> 29
		return float64(x%10000)/5000 - 1
	}
	v = make([]float64, n)
	for i := range v {
		if v[i] = 10 + 5*math.Sin(float64(i)/24*2*math.Pi) + noise*random(i, 0); i%gaps == 1 {
			v[i] = math.NaN()
		}
	}
	return v, func(origin int) Said {
		s := Said{Mean: make([]float64, 26), Settled: make([]bool, 26)}
		for i := range s.Mean {
			if s.Mean[i] = 10 + 5*math.Sin(float64(origin+i)/24*2*math.Pi) + wrong + random(origin+i, 1); (origin+i)%(gaps+3) == 0 {
				s.Mean[i] = math.NaN()
			}
			s.Settled[i] = i < settled
		}
		return s
	}
}

// all are the bands of a forecast.
func all(e *Expected) (out [][quantiles]float64) {
	for i := range e.Mean {
		out = append(out, e.Band(i))
	}
	return out
}

// TestJudgedProperty: quantiles do not fall, what is settled has no width, a forecast is the same whatever comes later, and what is kept over a restart says the same.
func TestJudgedProperty(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 24*12).Draw(t, "slots")
		v, say := drawnSignal(t, n+24)
		at := rapid.IntRange(0, n).Draw(t, "known slots")
		run := func(upTo int) (j *Judged, then [][quantiles]float64) {
			j = NewJudged(judgedStart, judgedSettings())
			for i := range upTo {
				said := say(i)
				e := j.Say(said)
				if i == at {
					then = all(e)
				}
				for k := range e.Mean {
					band := e.Band(k)
					for q := range quantiles {
						if x := band[q]; math.IsNaN(x) || q > 0 && x < band[q-1] {
							t.Fatalf("slot %d, %d ahead: quantiles %v", i, k, band)
						}
						if said.settled(k) && (e.Mean[k] != said.Mean[k] || band[q] != said.Mean[k] || e.Back[k]) {
							t.Fatalf("slot %d, %d ahead: %v with %v where %v is settled", i, k, e.Mean[k], band, said.Mean[k])
						}
					}
				}
				j.Take(v[i])
			}
			return j, then
		}
		j, then := run(n + 1)
		for i := at; i < len(v); i++ {
			v[i] = 50 - v[i] // another future
		}
		_, again := run(at + 1)
		if at < n && !reflect.DeepEqual(then, again) {
			t.Fatal("a forecast depends on what came after it")
		}
		kept := j.AppendState(nil)
		other := NewJudged(judgedStart, judgedSettings())
		other.Take(j.Past().Values...)
		rest, err := other.RestoreState(append(kept, 7))
		if err != nil || len(rest) != 1 {
			t.Fatalf("%d bytes left, %v", len(rest), err)
		}
		a, b := j.Say(say(n+1)), other.Say(say(n+1))
		if !reflect.DeepEqual(all(a), all(b)) || !reflect.DeepEqual(a.Back, b.Back) {
			t.Fatal("another forecast after a restart")
		}
	})
}

// TestJudgedStepsBack: a feed that is right is believed; one that goes wrong is left within hours for the hour and within a day for the next day, and believed again once it is right; one that falls silent leaves the own forecast, and
// is believed at once when it speaks again.
func TestJudgedStepsBack(t *testing.T) {
	truth := func(i int) float64 {
		return 10 + 5*math.Sin(float64(i)/24*2*math.Pi) + 3*math.Sin(float64(i)/53)
	}
	j := NewJudged(judgedStart, judgedSettings())
	slot := 0
	hour := func(wrong float64) *Expected {
		said := Said{Mean: make([]float64, 30)}
		for k := range said.Mean {
			said.Mean[k] = truth(slot+k) + wrong + 0.3*math.Sin(float64(7*(slot+k)))
		}
		e := j.Say(said)
		j.Take(truth(slot))
		slot++
		return e
	}
	day := func(days int, wrong float64) (e *Expected) {
		for range 24 * days {
			e = hour(wrong)
		}
		return e
	}
	if e := day(14, 0); e.SteppedBack() || e.Back[1] || e.Back[24] {
		t.Errorf("a feed that is right is left: %v", e.Back)
	}
	var e *Expected
	for range 10 { // hours
		e = hour(12)
	}
	if !e.Back[1] || !e.Back[24] {
		t.Errorf("a feed that is wrong by 12 is followed after ten hours: %v", e.Back)
	}
	if e := day(2, 12); !e.SteppedBack() || !e.Back[1] || !e.Back[24] || math.Abs(e.Mean[24]-truth(slot-1+24)) > 6 {
		t.Errorf("a feed that is wrong by 12 is followed after two days: %v", e.Back)
	}
	if e := day(12, 0); e.SteppedBack() || e.Back[1] || e.Back[24] {
		t.Errorf("a feed that is right again is not believed after twelve days: %v", e.Back)
	}
	if e := day(2, math.NaN()); math.Abs(e.Mean[2]-truth(slot-1+2)) > 2.5 || e.Band(2)[0] >= e.Band(2)[4] {
		t.Errorf("without a feed %v in a band from %v to %v, want about %v", e.Mean[2], e.Band(2)[0], e.Band(2)[4], truth(slot-1+2))
	}
	if e := day(1, 0); e.SteppedBack() || e.Back[24] {
		t.Errorf("a feed that was silent is not believed: %v", e.Back)
	}
}

// TestJudgedBias: who is always too high by one, and better than similar days nevertheless, is believed, and the band lies below what they say.
func TestJudgedBias(t *testing.T) {
	level := func(i int) float64 { return float64((i/24)*7919%13) + math.Sin(float64(i)) }
	j := NewJudged(judgedStart, judgedSettings())
	var e *Expected
	for i := range 24 * 30 {
		said := Said{Mean: make([]float64, 30)}
		for k := range said.Mean {
			said.Mean[k] = level(i+k) + 1
		}
		e = j.Say(said)
		j.Take(level(i))
	}
	if q := e.Band(12); e.Back[12] || math.Abs(q[quantiles/2]-e.Mean[12]+1) > 0.1 || q[0] > e.Mean[12]-0.9 {
		t.Errorf("%v and the band %v, similar days %v; want a band around one less", e.Mean[12], q, e.Back[12])
	}
}

// TestJudgedBands: bands before anything is known are as wide as the settings say, and hold four of five outcomes after weeks.
func TestJudgedBands(t *testing.T) {
	set := judgedSettings()
	in, n := 0, 0
	set.Count = func(_ time.Time, o Outcome) {
		if n++; o.Came >= o.Low && o.Came <= o.High {
			in++
		}
	}
	j := NewJudged(judgedStart, set)
	first := j.Say(Said{Mean: make([]float64, 30)})
	if width := first.Band(24)[4] - first.Band(24)[0]; math.Abs(width-2*1.2816*3) > 1.2 {
		t.Errorf("a band of %v a day ahead, want about %v", width, 2*1.2816*3)
	}
	if first.Band(0)[4]-first.Band(0)[0] >= first.Band(24)[4]-first.Band(24)[0] {
		t.Error("the band does not widen with the lead")
	}
	noise := func(i int) float64 {
		x := uint64(i) * 0x9E3779B97F4A7C15
		x ^= x >> 32
		x *= 0xD6E8FEB86659FD93
		x ^= x >> 32
		return (float64(x%1000)/500 - 1) * (1 + 2*math.Abs(math.Sin(float64(i%24)/24*math.Pi))) // wider by day
	}
	for i := range 24 * 60 {
		if i == 24*28 {
			in, n = 0, 0
		}
		said := Said{Mean: make([]float64, 30)}
		for k := range said.Mean {
			said.Mean[k] = 10
		}
		j.Say(said)
		j.Take(10 + noise(i))
	}
	if share := float64(in) / float64(n); share < 0.75 || share > 0.85 {
		t.Errorf("the bands held %.3f of %d outcomes, want about 0.8", share, n)
	}
}

// TestJudgedTelling: to know half of what comes is worth more than to expect nothing; to say anything of cars that come at any time is not.
func TestJudgedTelling(t *testing.T) {
	set := JudgedSettings{Step: time.Hour, Lead: 30, Zone: time.UTC, Max: math.Inf(1), PriorShare: 1}
	power, _ := week(24 * 40)
	anytime := make([]float64, len(power.Values))
	for i := range anytime {
		if x := uint64(i+1) * 0x9E3779B97F4A7C15; (x>>33)%19 == 0 {
			anytime[i] = 7
		}
	}
	run := func(came []float64, share, more float64) bool {
		j := NewJudged(judgedStart, set)
		for i := range 24 * 30 {
			said := Said{Mean: make([]float64, 30)}
			for k := range said.Mean {
				said.Mean[k] = share*came[i+k] + more
			}
			j.Say(said)
			j.Take(came[i])
		}
		return j.Telling()
	}
	if !run(power.Values, 0.5, 0) {
		t.Error("half of what comes is worth no more than nothing")
	}
	if run(anytime, 0, 2) {
		t.Error("2 kW at all times are worth more than nothing")
	}
}

// FuzzJudgedState: what is no state is refused, or leaves a forecaster that speaks.
func FuzzJudgedState(f *testing.F) {
	j := NewJudged(judgedStart, judgedSettings())
	for i := range 60 {
		j.Say(Said{Mean: []float64{1, 2, 3}})
		j.Take(float64(i % 24))
	}
	f.Add(j.AppendState(nil))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, in []byte) {
		j := NewJudged(judgedStart, judgedSettings())
		for i := range 60 {
			j.Take(float64(i % 24))
		}
		_, _ = j.RestoreState(in) // an error or not
		for range 3 {
			e := j.Say(Said{Mean: []float64{1, 2, 3}})
			for k := range e.Mean {
				e.Band(k)
			}
			j.Take(1)
		}
	})
}

// TestJudgedYoung: who was not believed any more before a restart is followed as long as less than a day of the past is known, since similar days know nothing then, and no longer.
func TestJudgedYoung(t *testing.T) {
	set := JudgedSettings{Step: time.Hour, Lead: 30, Zone: time.UTC, Max: math.Inf(1)}
	truth := func(i int) float64 { return 2 + math.Sin(float64(i)/24*2*math.Pi) }
	say := func(i int) (s Said) {
		for k := range 30 {
			s.Mean = append(s.Mean, 3*truth(i+k))
		}
		return s
	}
	j := NewJudged(judgedStart, set)
	const n = 24 * 20
	for i := range n {
		j.Say(say(i))
		j.Take(truth(i))
	}
	if !j.Say(say(n)).SteppedBack() {
		t.Fatal("who is wrong by a factor of three is believed")
	}
	anew := NewJudged(j.End(), set)
	if _, err := anew.RestoreState(j.AppendState(nil)); err != nil {
		t.Fatal(err)
	}
	for i := n; i < n+36; i++ {
		v := truth(i)
		if i == n+3 {
			v = math.NaN()
		}
		e := anew.Say(say(i))
		if young := i-n < 25; e.SteppedBack() == young || young && e.Mean[4] != 3*truth(i+4) || !young && math.Abs(e.Mean[4]-truth(i+4)) > 0.5 {
			t.Errorf("%d h after a restart %v is expected of %v, similar days speak: %v", i-n, e.Mean[4], truth(i+4), e.SteppedBack())
		}
		anew.Take(v)
	}
	if anew.Known() != 35 || !anew.Since().Equal(anew.End().Add(-similarDays*24*time.Hour)) {
		t.Errorf("%d of 36 slots are known, from %v on", anew.Known(), anew.Since())
	}
}

// TestJudgedLearnsInParts: a past that is taken day by day teaches the same as one that is taken at once.
func TestJudgedLearnsInParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v, _ := drawnSignal(t, 24*rapid.IntRange(1, 16).Draw(t, "days"))
		quiet := rapid.IntRange(0, len(v)).Draw(t, "slots of which no forecasts are made")
		once, parts := NewJudged(judgedStart, judgedSettings()), NewJudged(judgedStart, judgedSettings())
		once.Take(v[:quiet]...)
		once.Learn(v[quiet:]...)
		for from := 0; from < len(v); {
			to := min(len(v), from+rapid.IntRange(1, 48).Draw(t, "part"))
			if from < quiet {
				to = min(to, quiet)
				parts.Take(v[from:to]...)
			} else {
				parts.Learn(v[from:to]...)
			}
			from = to
		}
		if a, b := once.Say(Said{}), parts.Say(Said{}); !reflect.DeepEqual(all(a), all(b)) || !reflect.DeepEqual(a.Back, b.Back) {
			t.Fatal("another forecast by what was learned in parts")
		}
	})
}
