package app

import (
	"math"
	"testing"
	"time"

	"quartier/scheduler/hotwater"
)

// TestTanksAreLearned from the simulated district's, which are of two layers in a warm room, under mains water that changes with the season, and heated by their own control: what is drawn a day is found, and a loss near that which is stated.
func TestTanksAreLearned(t *testing.T) {
	const days = 6
	end := time.Date(2026, 3, 20, 0, 0, 0, 0, time.UTC)
	l := newLife(t, "demo", 0, end.AddDate(0, 0, -days), true)
	for l.now.Before(end) {
		l.now = l.now.Add(l.d.Step)
		l.w.Advance(l.now)
		l.slot()
	}
	if _, err := l.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	perDay := map[string]float64{"residence-prairie": 72, "gymnase-epirey": 55, "maison-noyers": 4.2} // of the simulation, mean of the year
	tanks := l.s.Tanks()
	if len(tanks) != 3 {
		t.Fatalf("%d tanks are known", len(tanks))
	}
	for _, x := range tanks {
		drawn, known := 0.0, 0
		for _, kw := range x.DrawKW {
			if !math.IsNaN(kw) {
				drawn, known = drawn+kw*l.d.Step.Hours(), known+1
			}
		}
		drawn /= float64(known) / 96
		t.Logf("%s: %.1f kWh a day, a loss of %.4f ± %.4f an hour by %d nights, %.2f kWh unexplained", x.Site, drawn, x.LossPerHour, x.LossDeviation, x.Nights, x.UnexplainedKWh)
		if known < (days-1)*96 || math.Abs(x.Known-float64(days)/hotwater.KeepDays) > 0.02 {
			t.Errorf("%s: %d slots are known, a share of %g", x.Site, known, x.Known)
		}
		if want := perDay[x.Site]; math.Abs(drawn-want) > 0.25*want || x.UnexplainedKWh > 0.02*drawn*days {
			t.Errorf("%s: %g kWh are drawn a day, about %g are simulated, with %g kWh unexplained", x.Site, drawn, want, x.UnexplainedKWh)
		}
		if x.LossPerHour < 0.003 || x.LossPerHour > 0.009 || !(x.LossDeviation > 0) {
			t.Errorf("%s: a loss of %g ± %g an hour, 0.006 is stated", x.Site, x.LossPerHour, x.LossDeviation)
		}
	}
}
