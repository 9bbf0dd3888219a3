package scheduler

import (
	"testing"
	"time"

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
