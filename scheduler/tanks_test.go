package scheduler

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"quartier/optimizer/problem"
	"quartier/scheduler/devices"
	"quartier/schemas/district"
	"quartier/schemas/order"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// showers gives the record so many days of the tank: each morning at 7 (UTC) 3.5 kWh are drawn within a quarter-hour, and the heater runs in the two hours before.
func (w *town) showers(days int) {
	const perK = 12.0 / (62 - devices.ColdWaterC)
	begin := w.now.Truncate(24*time.Hour).AddDate(0, 0, -days)
	c := 58.0
	for at := begin; at.Before(w.now); at = at.Add(15 * time.Minute) {
		heat, draw := 0.0, 0.0
		switch minute := at.Hour()*60 + at.Minute(); {
		case minute >= 4*60 && minute < 7*60 && c < 61:
			heat = 2.2
		case minute == 7*60:
			draw = 14
		}
		c += 0.25 / perK * (heat - draw - 0.01*perK*(c-devices.ColdWaterC))
		for quantity, r := range map[string]rollup.Row{district.TankC: {Last: c}, district.PowerKW: {Integral: heat / 4, Last: heat}} {
			r.Series, r.Start, r.End, r.Samples, r.Held = district.NewSeriesID("d", "s", "tank", quantity), at, at.Add(15*time.Minute), 15, 15*time.Minute
			w.slots = append(w.slots, r)
		}
	}
}

// tank is the tank of the newest problem.
func (w *town) tank(t *testing.T) *problem.WaterHeater {
	t.Helper()
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range w.asked[len(w.asked)-1].Sites[0].Devices {
		if x, ok := d.(*problem.WaterHeater); ok {
			return x
		}
	}
	t.Fatal("the plan has no tank")
	return nil
}

// TestATankIsPlannedByWhatWasDrawn: the draws of the record are foreseen at their time of day, the heat that they need at once is held, and what is known of the tank is told. A record that does not answer leaves that as it was.
func TestATankIsPlannedByWhatWasDrawn(t *testing.T) {
	w := newTown(t)
	cold := w.tank(t).DrawKW
	for k, kw := range cold {
		if kw <= 0 {
			t.Fatalf("step %d: %g kW are foreseen of a tank of which nothing is known", k, kw)
		}
	}
	w.showers(15)
	w.s, _ = New(w.s.cfg)
	w.measure("tank", district.TankC, 61)
	x := w.tank(t)
	morning := int(timegrid.Floor(w.now, 24*time.Hour).Add(31*time.Hour).Sub(timegrid.Floor(w.now, 15*time.Minute)) / (15 * time.Minute))
	around, noon := 0.0, 0.0
	for k := morning - 4; k <= morning+4; k++ {
		around += x.DrawKW[k] / 4
	}
	for k := morning + 16; k < morning+24; k++ {
		noon += x.DrawKW[k] / 4
	}
	if around < 2.5 || noon > 0.5 {
		t.Errorf("%g kWh are foreseen around the showers, %g kWh at noon", around, noon)
	}
	if len(w.s.Tanks()) != 1 {
		t.Fatalf("%d tanks are known", len(w.s.Tanks()))
	}
	got := w.s.Tanks()[0]
	if got.Site != "s" || got.Device != "tank" || got.Nights < 10 || math.Abs(got.LossPerHour-0.01) > 0.001 || got.Known < 0.3 {
		t.Errorf("of the tank is known: %d nights, a loss of %g, %g of the slots", got.Nights, got.LossPerHour, got.Known)
	}
	w.now = w.now.Add(30 * time.Minute)
	w.refresh()
	w.s.cfg.Store = silent{w}
	again := w.tank(t)
	both := 0 // the heat that the tank has beyond what it is to hold is used up
	for both < 96 && (again.DrawKW[both] == 0 || x.DrawKW[both+2] == 0) {
		both++
	}
	if both > 80 {
		t.Fatalf("nothing is foreseen in the first %d steps", both)
	}
	for k := both + 1; k < 96; k++ {
		if math.Abs(again.DrawKW[k]-x.DrawKW[k+2]) > 0.05 {
			t.Fatalf("step %d: %g kW after a record that did not answer, %g kW before", k, again.DrawKW[k], x.DrawKW[k+2])
		}
	}
	// nobody is there: nothing is drawn, and nothing is held ready
	w.s.cfg.Store = w
	if _, err := w.s.Order(t.Context(), order.Order{Site: "s", Kind: order.Away, Value: 3, Author: "anna", Reason: "holiday", Start: w.now, End: w.now.Add(72 * time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for k, kw := range w.tank(t).DrawKW {
		if kw != 0 {
			t.Fatalf("step %d: %g kW are foreseen while nobody is there", k, kw)
		}
	}
}

// TestATankIsReadyAtTheReturn: a tank that is cold while nobody is there holds what it is to hold when somebody is again, heated as late as that allows, or at once where the time does not do.
func TestATankIsReadyAtTheReturn(t *testing.T) {
	for _, c := range []struct {
		name  string
		tankC float64
		away  time.Duration
		ready bool
	}{{"cold", 25, 4 * time.Hour, true}, {"colder than mains water", 8, 7 * time.Hour, true}, {"warm", 61, 12 * time.Hour, true}, {"little time", 25, time.Hour, false}} {
		t.Run(c.name, func(t *testing.T) {
			w := newTown(t)
			w.measure("tank", district.TankC, c.tankC)
			begin := timegrid.Floor(w.now, 15*time.Minute)
			if _, err := w.s.Order(t.Context(), order.Order{Site: "s", Kind: order.Away, Value: 3, Author: "anna", Reason: "holiday", Start: w.now, End: begin.Add(c.away)}); err != nil {
				t.Fatal(err)
			}
			x, steps := w.tank(t), int(c.away/(15*time.Minute))
			tank := w.s.cfg.District.Device("s", "tank").WaterHeater
			perK := devices.HeatPerK(tank)
			held := perK * (c.tankC - devices.ColdWaterC) // above mains water, when the plan gives what is needed and no more, and that as late as it may
			given, first, z := 0.0, 0.0, x.InitialKWh
			for k, kw := range x.DrawKW[:steps] {
				if kw > tank.MaxKW+1e-9 || !c.ready && kw < tank.MaxKW-1e-9 || given > 0 && kw < tank.MaxKW-1e-9 {
					t.Errorf("step %d: %g kW", k, kw)
				}
				spared := math.Min(kw/4, z*(1-tank.LossPerHour/4))
				z = z*(1-tank.LossPerHour/4) - spared
				held += kw/4 - spared - held*tank.LossPerHour/4
				if given += kw/4 - spared; k == 0 {
					first = given
				}
			}
			want := perK*(tank.MinC-devices.ColdWaterC) + devices.UsableKWh(tank)/2 // of which nothing is known: half
			switch {
			case c.ready && held < want-1e-6, c.tankC < 50 && held > want+1e-6:
				t.Errorf("the tank holds %g kWh at the return, %g kWh are to be held", held, want)
			case !c.ready && x.DrawKW[steps] < tank.MaxKW-1e-9:
				t.Errorf("%g kW are given to a cold tank after the return", x.DrawKW[steps])
			case c.tankC < 50 && c.ready && first > 1e-9:
				t.Errorf("%g kWh are given at once, hours before the return", first)
			}
		})
	}
}

// silent is a record that does not say what tanks were.
type silent struct{ *town }

func (silent) Rollup(context.Context, []district.SeriesID, timegrid.Span, rollup.Step, *time.Location, func(rollup.Row) error) error {
	return errors.New("the disk is slow")
}

// TestTheClockSetBackBeginsATankAnew: what was measured at times to come is not believed.
func TestTheClockSetBackBeginsATankAnew(t *testing.T) {
	w := newTown(t)
	w.showers(9)
	w.tank(t)
	w.now = w.now.AddDate(0, 0, -3)
	w.refresh()
	w.tank(t)
	for key, l := range w.s.tanks.by {
		if l.End().After(w.now) {
			t.Errorf("%v: it ends at %v, the clock shows %v", key, l.End(), w.now)
		}
	}
}

// TestTanksDoNotHoldUpAPlan: where many tanks are to be looked at anew a plan waits for some of them, and those that are left come with the next one.
func TestTanksDoNotHoldUpAPlan(t *testing.T) {
	w := newTown(t)
	for _, id := range []string{"tank2", "tank3", "tank4"} {
		one := *w.d.Device("s", "tank")
		one.ID = id
		w.d.Sites[0].Devices = append(w.d.Sites[0].Devices, one)
	}
	wall := time.Unix(0, 0)
	w.s.cfg.Wall = func() time.Time { wall = wall.Add(learnBudget * 3 / 4); return wall } // each look takes that long
	known := func() (n int) {
		if _, err := w.s.Replan(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, l := range w.s.tanks.by {
			if w.now.Sub(l.End()) < 24*time.Hour {
				n++
			}
		}
		return n
	}
	for plan, want := range []int{2, 4, 4} {
		if got := known(); got != want {
			t.Errorf("plan %d: %d tanks of 4 are looked at, want %d", plan+1, got, want)
		}
	}
}
