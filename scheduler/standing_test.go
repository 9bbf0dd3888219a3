package scheduler

import (
	"context"
	"errors"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// standing gives a town quiet hours in its configuration.
func standing(t *testing.T, w *town, site []district.QuietHours, ofCar ...district.QuietHours) *kept {
	t.Helper()
	w.d.Sites[0].Quiet = site
	w.d.Device("s", "ev").Quiet = ofCar
	k := keep(w)
	var err error
	if w.s, err = New(w.s.cfg); err != nil {
		t.Fatal(err)
	}
	return k
}

// TestStandingQuietHours: what the configuration says is planned around and held as what people order is, on its days alone, lasts whatever people order and end, and is not in the record.
func TestStandingQuietHours(t *testing.T) {
	w := newTown(t)
	w.solve = busy
	local := w.now.In(w.d.Zone)
	at := func(h int) string { return local.Add(time.Duration(h) * time.Hour).Format("15:04") }
	today, tomorrow := local.Weekday(), (local.Weekday()+1)%7
	k := standing(t, w, []district.QuietHours{
		{From: at(1), To: at(3), Days: []time.Weekday{today}, Kinds: []district.Kind{district.HeatPump, district.WaterHeater}, Reason: "exams"},
		{From: at(4), To: at(5), Days: []time.Weekday{tomorrow}, Kinds: []district.Kind{district.HeatPump}, Reason: "exams"},
	}, district.QuietHours{From: at(1), To: at(3), Reason: "contactor"})
	p := planned(t, w)
	hp, _ := find[*problem.HeatPump](p)
	if hp.COP[3] == noCOP || hp.COP[4] != noCOP || hp.COP[11] != noCOP || hp.COP[12] == noCOP || hp.COP[16] == noCOP || hp.COP[100] == noCOP || hp.COP[96+16] != noCOP {
		t.Errorf("COP %v, want none in steps 4 to 11 and 112 to 115", hp.COP)
	}
	ev, _ := find[*problem.EV](p)
	if len(ev.Sessions) != 2 || ev.Sessions[0].DepartStep != 4 || ev.Sessions[1].ArriveStep != 12 {
		t.Errorf("sessions %+v, want one before step 4 and one from step 12 on", ev.Sessions)
	}
	w.s.Dispatch(t.Context())
	if hp, ev := w.last(t, "hp"), w.last(t, "ev"); hp != 3 || ev != 15 {
		t.Errorf("before quiet hours: SG Ready %v, car %v A; want 3 and 15", hp, ev)
	}
	w.now = w.now.Add(90 * time.Minute)
	w.s.watch()
	planned(t, w)
	// An order for more power does not lift what stands, one for less holds.
	mild := give(t, w, order.Order{Site: "s", Device: "ev", Kind: order.Quiet, Value: 6, From: at(0), To: at(10)})
	give(t, w, order.Order{Site: "s", Device: "ev", Kind: order.Power, Value: 7})
	w.s.Dispatch(t.Context())
	if hp, ev := w.last(t, "hp"), w.last(t, "ev"); hp != 1 || ev != 0 {
		t.Errorf("in quiet hours: SG Ready %v, car %v A; want 1 and 0", hp, ev)
	}
	if l := w.lines[len(w.lines)-1]; l.Reason != "quiet: contactor" && l.Reason != "quiet: exams" {
		t.Errorf("ledger: %+v", l)
	}
	id := ""
	for _, o := range w.s.Orders() {
		if o.Source == order.FromConfig {
			id = o.ID
			if o.Author != "configuration" || o.State(w.now) != order.Running {
				t.Errorf("listed as %+v", o)
			}
		}
	}
	if _, err := w.s.EndOrder(t.Context(), id, "olga", "enough"); !errors.Is(err, ErrStanding) {
		t.Errorf("ended what stands in the configuration: %v", err)
	}
	w.now = w.now.Add(2 * time.Hour)
	w.s.watch()
	w.s.flush(t.Context())
	w.refresh()
	if _, err := w.s.EndOrder(t.Context(), mild.ID, "olga", "enough"); err != nil {
		t.Fatal(err)
	}
	planned(t, w)
	w.s.Dispatch(t.Context())
	if hp := w.last(t, "hp"); hp != 3 {
		t.Errorf("after quiet hours: SG Ready %v, want 3", hp)
	}
	if _, saved := k.last[id]; saved || id == "" {
		t.Errorf("order %q of the configuration is in the record: %v", id, saved)
	}
}

// TestStandingWakesOnce: however many sites and devices the configuration has quiet hours for, nothing is told of them and no plan asked for while nothing begins or ends.
func TestStandingWakesOnce(t *testing.T) {
	w := newTown(t)
	of := func(site, dev, from, to string) district.Site {
		return district.Site{ID: site, Devices: []district.Device{{ID: dev, Kind: district.EVCharger, Control: true, EVCharger: &district.EVChargerParams{MaxKW: 11}, Quiet: []district.QuietHours{{From: from, To: to, Reason: site}}}}}
	}
	cfg := w.s.cfg
	began := 0
	cfg.District = &district.District{ID: "d", Zone: time.UTC, Step: w.d.Step, Sites: []district.Site{of("north-wing", "car", "10:00", "14:00"), of("north", "wing-car", "22:00", "06:00")}}
	cfg.Now = func() time.Time { return time.Date(2026, 3, 3, 12, 0, 0, 0, time.UTC) }
	cfg.Keep.Changed = func(order.Order, Change) { began++ }
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	wakes := 0
	for range 10 {
		s.watch()
		select {
		case <-s.wake:
			wakes++
		default:
		}
	}
	if began != 0 || wakes > 1 {
		t.Errorf("told of %d begins, woke the planner %d times; want none, and once at most", began, wakes)
	}
}

// TestStandingCost: what quiet hours of the configuration cost is told as for an order, one a minute.
func TestStandingCost(t *testing.T) {
	w := newTown(t)
	w.measure("hp", district.IndoorC, 18.2)
	standing(t, w, []district.QuietHours{{From: "00:00", To: "00:00", Days: []time.Weekday{noon.Weekday()}, Reason: "mourning"}})
	w.s.cfg.Plan = func(ctx context.Context, p *problem.Problem, _ *problem.Solution) (*problem.Solution, error) {
		return optimizer.Plan(ctx, p, optimizer.Settings{TimeLimit: 20 * time.Second, Gap: 0.01, Workers: 1})
	}
	w.s.cfg.Reckon = func(ctx context.Context, p *problem.Problem) (*problem.Solution, error) {
		return w.s.cfg.Plan(ctx, p, nil)
	}
	wall := noon
	w.s.cfg.Wall = func() time.Time { return wall }
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	costs := func() (n int, most float64) {
		for _, o := range w.s.Orders() {
			if o.Cost != nil {
				n, most = n+1, max(most, o.Cost.EUR)
			}
		}
		return n, most
	}
	for want := 1; want <= 3; want++ {
		w.s.cost(t.Context())
		w.s.cost(t.Context()) // at once: none
		if n, most := costs(); n != want || want == 3 && most <= 0 {
			t.Errorf("%d costs are known, at most %g EUR; want %d", n, most, want)
		}
		wall = wall.Add(standingEvery)
	}
}
