package scheduler

import (
	"math"
	"strings"
	"testing"
	"time"

	"quartier/scheduler/dispatch"
	"quartier/schemas/district"
)

// TestRising: what a site draws beside its commanded consumers is foreseen for three rounds by how it went for half a minute; one step of it, and measurements of different moments, say nothing, nor does what was before
// a gap or lies in times to come.
func TestRising(t *testing.T) {
	begin := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name   string
		rounds int
		kw     func(i int) (net, car float64)
		want   float64
	}{
		{"rises", 12, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0.3},
		{"falls", 12, func(i int) (float64, float64) { return 5 - 0.1*float64(i), 3 }, -0.3},
		{"the car alone", 12, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 + 0.1*float64(i) }, 0},
		{"a kettle", 12, func(i int) (float64, float64) { return 5 + 2*float64(i/6), 3 }, 0},
		{"the car is measured late", 12, func(i int) (float64, float64) { return 5 + 3*float64(i/6), 3 * float64((i-1)/6) }, 0},
		{"not known for long enough", 3, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0},
		{"known for long enough", 4, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0.3},
		{"half a minute counts", 60, func(i int) (float64, float64) { return 5 + 0.1*math.Max(0, float64(i-53)), 3 }, 0.3},
		{"most of it", 60, func(i int) (float64, float64) { return 5 + 0.1*math.Max(0, float64(i-57)), 3 }, 0},
	} {
		s := &Scheduler{rests: map[string][]rest{}}
		got := 0.0
		for i := range tt.rounds {
			net, car := tt.kw(i)
			sun := -2 - float64(i%3) // is a part of what rises and falls, where it is not held back
			g := dispatch.Group{NetKW: net, Wishes: []*dispatch.Wish{{Kind: district.EVCharger, MeasuredKW: car}, {Kind: district.PV, MeasuredKW: sun}}}
			got = s.rising("s", g, begin.Add(time.Duration(i)*5*time.Second))
		}
		if math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %v kW in three rounds, want %v kW", tt.name, got, tt.want)
		}
		if got := s.rising("s", dispatch.Group{NetKW: 90}, begin.Add(time.Hour)); got != 0 {
			t.Errorf("%s: %v kW after a gap", tt.name, got)
		}
		if got := s.rising("s", dispatch.Group{NetKW: 10}, begin); got != 0 || len(s.rests["s"]) != 1 {
			t.Errorf("%s: %v kW by %v after the clock was set back", tt.name, got, s.rests["s"])
		}
	}
}

// TestCarLeavesAReserve: a car that is steered at the limit of its connection leaves what else is about to be drawn, the ledger says so, and the limit is not passed while the rest rises steadily.
func TestCarLeavesAReserve(t *testing.T) {
	p := newPlant(t)
	p.d.Sites[0].ImportLimitKW = 16
	p.measure("bat", district.SOC, 0.05) // empty
	p.d.Device("s", "bat").Control = false
	worst, least := math.Inf(-1), math.Inf(1)
	for i := range 60 {
		p.load = 4 + 0.04*float64(i) // by 0.04 kW in a round
		was := p.net()
		p.advance(5 * time.Second)
		p.s.Dispatch(t.Context())
		if i >= 8 { // it takes a moment to know
			worst = math.Max(worst, math.Max(was, p.net())-16)
			least = math.Min(least, p.net()-16)
		}
	}
	if worst > -0.12 || least < -2*0.69-0.1 {
		t.Errorf("between %.2f and %.2f kW beyond the limit, want the rise of three rounds below it and two steps at most", least, worst)
	}
	for _, l := range p.lines {
		if l.Device == "ev" && strings.Contains(l.Reason, "kW in reserve") && l.Outcome == district.Clipped {
			return
		}
	}
	t.Error("no line tells of the reserve")
}
