package forecast

import (
	"math"
	"testing"
)

// besideSettings are those of a series that is foreseen beside what is said of it.
func besideSettings() JudgedSettings {
	set := judgedSettings()
	set.Beside = true
	return set
}

// TestJudgedBeside: what is said stands, also where it was wrong for hours, until what is foreseen beside it was better for days, and again once it is right; what is firm stands however wrong it was.
func TestJudgedBeside(t *testing.T) {
	truth := func(i int) float64 { return 10 + 5*math.Sin(float64(i)/24*2*math.Pi) + math.Sin(float64(i*i)) }
	j := NewJudged(judgedStart, besideSettings())
	slot := 0
	days := func(n int, wrong float64, firm bool) (e *Expected, said Said) {
		for range 24 * n {
			said = Said{Mean: make([]float64, 30), Settled: make([]bool, 30), Firm: make([]bool, 30)}
			for k := range said.Mean {
				said.Mean[k], said.Settled[k], said.Firm[k] = truth(slot+k), k < 9, firm
				if k >= 9 {
					said.Mean[k] += wrong
				}
			}
			e = j.Say(said)
			j.Take(truth(slot))
			slot++
		}
		return e, said
	}
	stands := func(e *Expected, said Said) bool {
		for k := range said.Mean {
			if e.Mean[k] != said.Mean[k] || e.Back[k] {
				return false
			}
		}
		return true
	}
	if e, said := days(20, 0, false); !stands(e, said) {
		t.Error("what is right does not stand")
	}
	if e, said := days(1, 4, false); !stands(e, said) {
		t.Error("what was wrong for a day does not stand any more")
	}
	e, said := days(14, 4, false)
	if math.Abs(e.Mean[24]-truth(slot-1+24)) > 2.5 || math.Abs(e.Mean[12]-truth(slot-1+12)) > 2.5 {
		t.Errorf("after two weeks wrong by 4, %v and %v are foreseen, want %v and %v", e.Mean[12], e.Mean[24], truth(slot-1+12), truth(slot-1+24))
	}
	if e.Mean[3] != said.Mean[3] || e.Band(3)[0] != e.Band(3)[4] {
		t.Error("something else stands in the place of what is settled")
	}
	if e.Band(24)[0] >= e.Band(24)[4] {
		t.Error("what is foreseen has no band")
	}
	if e, said := days(1, 4, true); !stands(e, said) || e.Band(24)[0] >= e.Band(24)[4] {
		t.Error("what is firm does not stand, or is without a doubt")
	}
	if e, said := days(16, 0, false); !stands(e, said) {
		t.Error("what is right again does not stand")
	}
}

// TestJudgedBesideOnlyWhatSpoke: what nobody held against the series is believed, however well that was foreseen before anything was said.
func TestJudgedBesideOnlyWhatSpoke(t *testing.T) {
	j := NewJudged(judgedStart, besideSettings())
	for i := range 24 * 30 {
		j.Learn(10 + 5*math.Sin(float64(i)/24*2*math.Pi))
	}
	e := j.Say(Said{Mean: []float64{1, 2, 3, 4}})
	for k, want := range []float64{1, 2, 3, 4} {
		if e.Mean[k] != want {
			t.Errorf("%d ahead %v, want %v as said", k, e.Mean[k], want)
		}
	}
	if math.Abs(e.Mean[20]-(10+5*math.Sin(20.0/24*2*math.Pi))) > 0.5 {
		t.Errorf("%v where nothing is said", e.Mean[20])
	}
}
