package scheduler

import (
	"math/rand/v2"
	"testing"
	"time"

	"quartier/optimizer/problem"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// TestConsumersTakeAFeedThatNobodyHoldsBack: where an inverter feeds on and batteries are full, heat and cars take it, within their bands, and not where somebody else decides.
func TestConsumersTakeAFeedThatNobodyHoldsBack(t *testing.T) {
	for _, tt := range []struct {
		name         string
		feedKW       float64 // beyond 40 kW that may be fed
		change       func(w *town)
		car, hp, hot float64 // what is written: A, SG Ready, on
	}{
		{name: "none needed", feedKW: -1, car: 0, hp: 1, hot: 0},
		{name: "the tank fits", feedKW: 2.5, car: 0, hp: 3, hot: 1},
		{name: "the car fits", feedKW: 5, car: 8, hp: 1, hot: 0},
		{name: "all", feedKW: 30, car: 15, hp: 3, hot: 1},
		{name: "the tank is hot", feedKW: 30, car: 15, hp: 3, hot: 0, change: func(w *town) { w.measure("tank", district.TankC, 61.5) }},
		{name: "the tank is hot, and heats", feedKW: 30, car: 15, hp: 3, hot: 1, change: func(w *town) { w.measure("tank", district.TankC, 61.5); w.measure("tank", district.PowerKW, 2.2) }},
		{name: "the tank is full, and heats", feedKW: 30, car: 15, hp: 3, hot: 0, change: func(w *town) { w.measure("tank", district.TankC, 61.9); w.measure("tank", district.PowerKW, 2.2) }},
		{name: "nobody knows how warm", feedKW: 30, car: 15, hp: 2, hot: 1, change: func(w *town) { delete(w.live, district.NewSeriesID("d", "s", "hp", district.IndoorC)) }},
		{name: "the tank may be warm alone", feedKW: 30, car: 15, hp: 3, hot: 0, change: func(w *town) {
			give(t, w, order.Order{Site: "s", Device: "tank", Kind: order.Range, Value: 40, High: 55.5})
		}},
		{name: "the room is warm", feedKW: 30, car: 15, hp: 1, hot: 1, change: func(w *town) { w.measure("hp", district.IndoorC, 21.5) }},
		{name: "the room may be warmer", feedKW: 30, car: 15, hp: 3, hot: 1, change: func(w *town) {
			w.measure("hp", district.IndoorC, 21.5)
			give(t, w, order.Order{Site: "s", Kind: order.Comfort, Value: 1})
		}},
		{name: "the room is to be cool", feedKW: 30, car: 15, hp: 1, hot: 1, change: func(w *town) {
			give(t, w, order.Order{Site: "s", Device: "hp", Kind: order.Range, Value: 16, High: 20})
		}},
		{name: "the car is full", feedKW: 30, car: 0, hp: 3, hot: 1, change: func(w *town) { w.measure("ev", district.SessionKWh, 50) }},
		{name: "quiet hours", feedKW: 30, car: 10, hp: 1, hot: 1, change: func(w *town) {
			give(t, w, order.Order{Site: "s", Device: "hp", Kind: order.Quiet, Value: 3, From: "00:00", To: "00:00"})
			give(t, w, order.Order{Site: "s", Device: "ev", Kind: order.Quiet, Value: 7, From: "00:00", To: "00:00"})
		}},
		{name: "told by hand", feedKW: 30, car: 6, hp: 3, hot: 1, change: func(w *town) {
			give(t, w, order.Order{Site: "s", Device: "ev", Kind: order.Power, Value: 4.5})
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newTown(t)
			keep(w)
			w.s.cfg.KeepToPlan = true
			w.d.Device("s", "pv").Control, w.d.Device("s", "bat").Control = false, false
			if tt.change != nil {
				tt.change(w)
			}
			w.measure("grid", district.PowerKW, -40-tt.feedKW+w.live[district.NewSeriesID("d", "s", "tank", district.PowerKW)].Value)
			planned(t, w)
			w.s.Dispatch(t.Context())
			if car, hp, hot := w.last(t, "ev"), w.last(t, "hp"), w.last(t, "tank"); car != tt.car || hp != tt.hp || hot != tt.hot {
				t.Errorf("car %v A, SG Ready %v, tank %v; want %v, %v and %v", car, hp, hot, tt.car, tt.hp, tt.hot)
			}
		})
	}
}

// TestWhatIsTakenIsLetGo: a machine that took a feed goes on for it without a plan too, has its rest before it does so again, and gets its own control back once the limit has not needed it for a while.
func TestWhatIsTakenIsLetGo(t *testing.T) {
	w := newTown(t)
	w.hold = 10 * time.Minute // of the heat pump
	keep(w)
	for _, dev := range []string{"pv", "bat", "ev", "tank"} {
		w.d.Device("s", dev).Control = false
	}
	round := func(feedKW, hpKW float64, after time.Duration) float64 {
		t.Helper()
		w.now = w.now.Add(after)
		w.refresh()
		w.measure("hp", district.PowerKW, hpKW)
		w.measure("grid", district.PowerKW, -feedKW)
		w.s.Dispatch(t.Context())
		return w.last(t, "hp")
	}
	planned(t, w)
	if got := round(30, 0, 0); got != 1 {
		t.Fatalf("SG Ready %v by the plan, want 1", got)
	}
	if got := round(42, 0, time.Minute); got != 1 {
		t.Errorf("SG Ready %v, want 1: it has rested for a minute of ten", got)
	}
	w.s.plan = nil
	if got := round(42, 0, 10*time.Minute); got != 3 {
		t.Errorf("SG Ready %v, want 3 without a plan too", got)
	}
	for range 20 {
		if got := round(38, 4, time.Minute); got != 3 {
			t.Fatalf("SG Ready %v, want 3 as long as 42 kW would be fed without it", got)
		}
	}
	if got := round(30, 4, time.Minute); got != 3 && got != 1 {
		t.Errorf("SG Ready %v", got)
	}
	for range 10 {
		round(30, 0, time.Minute)
	}
	if l := w.lines[len(w.lines)-1]; l.Outcome != district.SafeMode || l.Device != "hp" {
		t.Errorf("the last line is %+v, want that it has its own control", l)
	}
}

// feeding is a town whose consumers draw what comes of their commands while an inverter feeds on.
type feeding struct {
	*town
	feedKW func() float64 // without consumers
	draw   map[string]func(command float64) float64
	over   int // rounds in which more than 40 kW were fed
}

func newFeeding(t *testing.T, feedKW func() float64) *feeding {
	w := newTown(t)
	keep(w)
	w.s.cfg.KeepToPlan = true
	w.d.Device("s", "pv").Control, w.d.Device("s", "bat").Control = false, false
	planned(t, w)
	return &feeding{town: w, feedKW: feedKW, draw: map[string]func(float64) float64{
		"ev":   func(a float64) float64 { return 0.69 * a },
		"hp":   func(state float64) float64 { return map[float64]float64{2: 3, 3: 4}[state] },
		"tank": func(on float64) float64 { return 2.2 * on },
	}}
}

// run lets rounds pass, and a plan be made every ten minutes.
func (f *feeding) run(t *testing.T, rounds int, each time.Duration) {
	t.Helper()
	for range rounds {
		f.now = f.now.Add(each)
		f.refresh()
		net := -f.feedKW()
		for id, draw := range f.draw {
			kw := 0.0
			if n := len(f.writes[id]); n > 0 {
				kw = draw(f.writes[id][n-1])
			}
			f.measure(id, district.PowerKW, kw)
			net += kw
		}
		f.measure("grid", district.PowerKW, net)
		if net < -40.1 {
			f.over++
		}
		if f.now.Sub(f.s.plan.CreatedAt) > 10*time.Minute {
			planned(t, f.town)
		}
		f.s.Dispatch(t.Context())
	}
}

// TestWhoDrawsNothingTakesNothing: a car that is full and a heat pump that its own control holds back count with what they draw, and others take the feed in their place; who needs a moment to start is waited for.
func TestWhoDrawsNothingTakesNothing(t *testing.T) {
	still := func(kw float64) func() float64 { return func() float64 { return kw } }
	t.Run("a full car", func(t *testing.T) {
		f := newFeeding(t, still(45))
		f.draw["ev"] = func(float64) float64 { return 0 }
		f.run(t, 30, 30*time.Second)
		if f.over > 4 || f.last(t, "ev") != 0 || f.last(t, "hp") != 3 || f.last(t, "tank") != 1 {
			t.Errorf("%d rounds above the limit; car %v A, SG Ready %v, tank %v, want 0, 3 and 1", f.over, f.last(t, "ev"), f.last(t, "hp"), f.last(t, "tank"))
		}
	})
	t.Run("a full car that is planned", func(t *testing.T) {
		f := newFeeding(t, still(45))
		f.solve = func(p *problem.Problem) (*problem.Solution, error) {
			sol := idlePlan(p)
			for i := range sol.Device("s", "ev").PowerKW {
				sol.Device("s", "ev").PowerKW[i] = 11
			}
			return sol, nil
		}
		planned(t, f.town)
		f.draw["ev"] = func(float64) float64 { return 0 }
		f.run(t, 30, 30*time.Second)
		if f.over > 4 || f.last(t, "ev") != 15 || f.last(t, "hp") != 3 || f.last(t, "tank") != 1 {
			t.Errorf("%d rounds above the limit; car %v A, SG Ready %v, tank %v, want 15, 3 and 1", f.over, f.last(t, "ev"), f.last(t, "hp"), f.last(t, "tank"))
		}
	})
	t.Run("a weak heat pump", func(t *testing.T) {
		f := newFeeding(t, still(43))
		f.d.Device("s", "ev").Control = false
		f.draw["hp"] = func(state float64) float64 { return map[float64]float64{2: 1, 3: 1}[state] }
		f.run(t, 30, 30*time.Second)
		if f.over > 4 || f.last(t, "hp") != 3 || f.last(t, "tank") != 1 {
			t.Errorf("%d rounds above the limit; SG Ready %v, tank %v, want 3 and 1", f.over, f.last(t, "hp"), f.last(t, "tank"))
		}
	})
	t.Run("a car that starts late", func(t *testing.T) {
		f := newFeeding(t, still(45))
		f.d.Device("s", "hp").Control, f.d.Device("s", "tank").Control = false, false
		told := time.Time{}
		f.draw["ev"] = func(a float64) float64 {
			switch {
			case a == 0:
				told = time.Time{}
			case told.IsZero():
				told = f.now
			}
			if told.IsZero() || f.now.Sub(told) < 90*time.Second {
				return 0
			}
			return 0.69 * a
		}
		f.run(t, 60, 30*time.Second)
		if f.over > 8 || f.last(t, "ev") != 8 {
			t.Errorf("%d rounds above the limit; car %v A, want 8", f.over, f.last(t, "ev"))
		}
	})
}

// TestRelayIsSpared: where the feed wavers about the limit, a heater that took it is not switched with every cloud, and it is let go once the limit has not needed it for a while.
func TestRelayIsSpared(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	base := 40.0
	f := newFeeding(t, func() float64 { return base + 0.4*random.NormFloat64() })
	f.d.Device("s", "ev").Control, f.d.Device("s", "hp").Control = false, false
	f.run(t, 6*60, 10*time.Second)
	on := f.writes["tank"]
	switches := 0
	for i := 1; i < len(on); i++ {
		if on[i] != on[i-1] {
			switches++
		}
	}
	if switches > 12 || f.over > 12 || len(on) == 0 || on[len(on)-1] != 1 {
		t.Errorf("the heater was switched %d times in an hour, the limit passed in %d rounds: %v", switches, f.over, on)
	}
	base = 30
	f.run(t, 6*6, 10*time.Second)
	if f.last(t, "tank") != 0 {
		t.Error("the heater takes the feed six minutes after the limit last asked for it")
	}
}
