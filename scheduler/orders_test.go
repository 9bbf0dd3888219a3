package scheduler

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// kept is a record of orders.
type kept struct {
	last  map[string]order.Order
	told  []string
	fails error
}

// keep gives a town a record of its orders.
func keep(w *town) *kept {
	k := &kept{last: map[string]order.Order{}}
	w.s.cfg.Keep = Keep{Save: func(_ context.Context, os []order.Order) error {
		if k.fails != nil {
			return k.fails
		}
		for _, o := range os {
			if o.Revision > k.last[o.ID].Revision {
				k.last[o.ID] = o
			}
		}
		return nil
	}, Changed: func(o order.Order, c Change) {
		k.told = append(k.told, string(c)+" "+string(o.Kind)+" "+string(o.Outcome))
	}}
	return k
}

func give(t *testing.T, w *town, o order.Order) order.Order {
	t.Helper()
	o.Author, o.Reason = "olga", "because"
	if o.End.IsZero() && o.Kind != order.LockOut && o.Kind != order.Quiet {
		o.End = w.now.Add(2 * time.Hour)
	}
	got, err := w.s.Order(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func planned(t *testing.T, w *town) *problem.Problem {
	t.Helper()
	w.refresh()
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := w.asked[len(w.asked)-1]
	if err := problem.Validate(p); err != nil {
		t.Fatalf("the problem is refused: %v", err)
	}
	return p
}

func find[T problem.Device](p *problem.Problem) (out T, ok bool) {
	for _, dev := range p.Sites[0].Devices {
		if x, is := dev.(T); is {
			return x, true
		}
	}
	return out, false
}

// TestPowerByHand: what is told by hand holds at the next round, within the limits, is in the plan's load, and ends by itself or when somebody ends it.
func TestPowerByHand(t *testing.T) {
	w := newTown(t)
	w.s.cfg.KeepToPlan = true
	k := keep(w)
	planned(t, w)
	bat := func() float64 { w.s.Dispatch(t.Context()); return w.last(t, "bat") }
	if got := bat(); got != 0 {
		t.Fatalf("battery %v kW by the plan, want 0", got)
	}
	o := give(t, w, order.Order{Site: "s", Device: "bat", Kind: order.Power, Value: 6})
	if got := bat(); got != 6 {
		t.Errorf("battery %v kW, want the 6 that were ordered", got)
	}
	if l := w.lines[len(w.lines)-1]; l.Reason != "order: because" || l.PlanID != 0 {
		t.Errorf("ledger: %+v", l)
	}
	p := planned(t, w)
	if _, free := find[*problem.Battery](p); free || valueOffset(w.d, p) == 0 || math.Abs(p.Sites[0].LoadKW[0]-17) > 1e-9 || math.Abs(p.Sites[0].LoadKW[8]-11) > 1e-9 {
		t.Errorf("battery planned %v, load %v; want it out, its 6 kW in the load for two hours", free, p.Sites[0].LoadKW[:9])
	}
	give(t, w, order.Order{Site: "s", Kind: order.ImportLimit, Value: 3})
	if got := bat(); got > 3-5 {
		t.Errorf("battery %v kW under a limit of 3 kW at 5 kW drawn", got)
	}
	w.now = o.End
	w.refresh()
	w.s.watch()
	w.s.flush(t.Context())
	if got := bat(); got != 0 || k.last[o.ID].Outcome != order.Completed || len(w.s.Orders()) != 0 {
		t.Errorf("after its end: battery %v kW, order %+v, left %v", got, k.last[o.ID], w.s.Orders())
	}
	// ended early; another takes the place of the first
	first := give(t, w, order.Order{Site: "s", Device: "bat", Kind: order.Power, Value: 6, End: w.now.Add(time.Hour)})
	second := give(t, w, order.Order{Site: "s", Device: "bat", Kind: order.Power, Value: -2, End: w.now.Add(time.Hour)})
	if got := bat(); got != -2 || k.last[first.ID].Outcome != order.Replaced || k.last[first.ID].EndedWhy != second.Reason || second.Reason == "" {
		t.Errorf("battery %v kW, first order %+v", got, k.last[first.ID])
	}
	if o, err := w.s.EndOrder(t.Context(), second.ID, "adam", "enough"); err != nil || o.Outcome != order.EndedBy || o.EndedWho != "adam" || o.EndedWhy != "enough" || k.last[o.ID].EndedWhy != "enough" || bat() != 0 {
		t.Errorf("ended: %+v, %v, battery %v", o, err, w.last(t, "bat"))
	}
	if _, err := w.s.EndOrder(t.Context(), second.ID, "adam", "enough"); !errors.Is(err, ErrNoOrder) {
		t.Errorf("ended twice: %v", err)
	}
}

// TestNothingHalfDone: an order that the record refuses is not obeyed, a bad one neither.
func TestNothingHalfDone(t *testing.T) {
	w := newTown(t)
	k := keep(w)
	k.fails = errors.New("disk full")
	o := order.Order{Site: "s", Device: "bat", Kind: order.Power, Value: 6, Reason: "x", End: w.now.Add(time.Hour)}
	if _, err := w.s.Order(t.Context(), o); !errors.Is(err, k.fails) || len(w.s.Orders()) != 0 {
		t.Errorf("%v, in force %v", err, w.s.Orders())
	}
	k.fails = nil
	o.Value = 600
	var faults order.Faults
	if _, err := w.s.Order(t.Context(), o); !errors.As(err, &faults) || len(w.s.Orders()) != 0 {
		t.Errorf("%v, in force %v", err, w.s.Orders())
	}
}

// TestLockOut: a device that is being worked on is written to by nobody, whatever the limits and the plan say and when control ends; its power counts as load.
func TestLockOut(t *testing.T) {
	w := newTown(t)
	keep(w)
	w.solve = busy
	o := give(t, w, order.Order{Site: "s", Device: "bat", Kind: order.LockOut})
	p := planned(t, w)
	if _, free := find[*problem.Battery](p); free {
		t.Error("a device that is locked out is planned")
	}
	give(t, w, order.Order{Site: "s", Kind: order.ImportLimit, Value: 1})
	for range 3 {
		w.s.Dispatch(t.Context())
		w.now = w.now.Add(time.Minute)
		w.refresh()
	}
	w.s.Release(t.Context())
	if got := w.writes["bat"]; len(got) != 0 {
		t.Errorf("battery was written %v", got)
	}
	if len(w.writes["ev"]) == 0 {
		t.Error("the others were not commanded")
	}
	if _, err := w.s.EndOrder(t.Context(), o.ID, "olga", "enough"); err != nil {
		t.Fatal(err)
	}
	w.s.Dispatch(t.Context())
	if len(w.writes["bat"]) == 0 {
		t.Error("the battery is not commanded after it was released")
	}
}

// TestLockOutLater: a plan knows that a machine rests while somebody works on it, before that begins, and until then plans it as ever; a battery that will be locked out answers until then.
func TestLockOutLater(t *testing.T) {
	w := newTown(t)
	keep(w)
	w.solve = busy
	for _, dev := range []string{"hp", "ev", "tank", "bat"} {
		give(t, w, order.Order{Site: "s", Device: dev, Kind: order.LockOut, Start: w.now.Add(time.Hour), End: w.now.Add(3 * time.Hour)})
	}
	p := planned(t, w)
	hp, _ := find[*problem.HeatPump](p)
	if hp == nil || hp.COP[3] == noCOP || hp.COP[4] != noCOP || hp.COP[11] != noCOP || hp.COP[12] == noCOP {
		t.Errorf("heat pump %+v, want no heat in steps 4 to 11", hp)
	}
	tank, _ := find[*problem.WaterHeater](p)
	if tank == nil || tank.COP[3] != 1 || tank.COP[4] != noCOP || tank.COP[11] != noCOP || tank.COP[12] != 1 {
		t.Errorf("tank %+v, want no heat in steps 4 to 11", tank)
	}
	ev, _ := find[*problem.EV](p)
	if ev == nil || len(ev.Sessions) != 2 || ev.Sessions[0].DepartStep != 4 || ev.Sessions[1].ArriveStep != 12 {
		t.Errorf("car %+v, want it to wait in steps 4 to 11", ev)
	}
	if bat, there := find[*problem.Battery](p); !there || bat.CapacityKWh != 36 {
		t.Errorf("battery %+v, want it there", bat)
	}
	w.s.Dispatch(t.Context())
	if len(w.writes["hp"]) == 0 || len(w.writes["bat"]) == 0 {
		t.Error("before its begin a lock-out keeps devices from being commanded")
	}
}

// TestQuietHours: within the hours, which follow the local clock, the heat pump rests and the car waits, with a plan and without; the plan knows it before.
func TestQuietHours(t *testing.T) {
	w := newTown(t)
	keep(w)
	w.solve = busy
	local := w.now.In(w.d.Zone)
	from, to := local.Add(time.Hour).Format("15:04"), local.Add(3*time.Hour).Format("15:04")
	give(t, w, order.Order{Site: "s", Device: "hp", Kind: order.Quiet, From: from, To: to})
	give(t, w, order.Order{Site: "s", Device: "ev", Kind: order.Quiet, From: from, To: to})
	p := planned(t, w)
	hp, _ := find[*problem.HeatPump](p)
	if hp.COP[3] == noCOP || hp.COP[4] != noCOP || hp.COP[11] != noCOP || hp.COP[12] == noCOP || hp.COP[100] != noCOP {
		t.Errorf("COP %v, want none in steps 4 to 11 and a day later", hp.COP[:14])
	}
	ev, _ := find[*problem.EV](p)
	if len(ev.Sessions) != 2 || ev.Sessions[0].DepartStep != 4 || ev.Sessions[1].ArriveStep != 12 || ev.Sessions[0].TargetKWh+ev.Sessions[1].TargetKWh != 18 {
		t.Errorf("sessions %+v, want the 18 kWh before step 4 and from step 12 on", ev.Sessions)
	}
	w.now = w.now.Add(90 * time.Minute)
	planned(t, w)
	w.s.Dispatch(t.Context())
	if hp, ev := w.last(t, "hp"), w.last(t, "ev"); hp != 1 || ev != 0 {
		t.Errorf("in quiet hours: SG Ready %v, car %v A; want 1 and 0", hp, ev)
	}
	w.now = w.now.Add(10 * time.Minute) // nothing of the present is measured, and no plan is fresh
	w.s.plan = nil
	w.s.Dispatch(t.Context())
	if hp, ev := w.last(t, "hp"), w.last(t, "ev"); hp != 1 || ev != 0 {
		t.Errorf("in quiet hours without measurements: SG Ready %v, car %v A; want 1 and 0", hp, ev)
	}
	w.now = w.now.Add(2 * time.Hour)
	planned(t, w)
	w.s.Dispatch(t.Context())
	if hp, ev := w.last(t, "hp"), w.last(t, "ev"); hp != 3 || ev != 15 {
		t.Errorf("after quiet hours: SG Ready %v, car %v A; want 3 and 15", hp, ev)
	}
}

// TestQuietHoursBesideEachOther: quiet hours on other days or at other hours stay beside those that are there, and where they meet the lowest power holds; the same hours take their place.
func TestQuietHoursBesideEachOther(t *testing.T) {
	w := newTown(t)
	k := keep(w)
	today := []string{order.DayNames()[(int(noon.In(w.d.Zone).Weekday())+6)%7]}
	days := func(names []string) order.Days {
		d, err := order.DaysOf(names)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	quiet := order.Order{Site: "s", Device: "ev", Kind: order.Quiet, From: "00:00", To: "00:00", Value: 5, Days: days(today)}
	first := give(t, w, quiet)
	weekend := quiet
	weekend.Value, weekend.Days = 1, days(order.DayNames())&^quiet.Days
	give(t, w, weekend)
	night := quiet
	night.Value, night.From, night.To = 0, w.now.Add(-5*time.Hour).In(w.d.Zone).Format("15:04"), w.now.Add(-4*time.Hour).In(w.d.Zone).Format("15:04")
	give(t, w, night)
	if o, ok := w.s.quiet("s", "ev", w.now); len(w.s.Orders()) != 3 || !ok || o.ID != first.ID {
		t.Errorf("orders %+v, %+v holds; want all three, and that of today", w.s.Orders(), o)
	}
	all := quiet
	all.Value, all.Days = 3, 0
	lower := give(t, w, all)
	if o, ok := w.s.quiet("s", "ev", w.now); len(w.s.Orders()) != 4 || !ok || o.ID != lower.ID {
		t.Errorf("orders %+v, %+v holds; want all four, and the lowest", w.s.Orders(), o)
	}
	quiet.Value = 2
	again := give(t, w, quiet)
	if o, ok := w.s.quiet("s", "ev", w.now); len(w.s.Orders()) != 4 || !ok || o.ID != again.ID || k.last[first.ID].Outcome != order.Replaced {
		t.Errorf("orders %+v, %+v holds, the first one is %+v; want that the newest took its place", w.s.Orders(), o, k.last[first.ID])
	}
}

// TestComfortAwayReadyBy: each reaches the plan in the steps in which it holds.
func TestComfortAwayReadyBy(t *testing.T) {
	w := newTown(t)
	keep(w)
	give(t, w, order.Order{Site: "s", Device: "hp", Kind: order.Range, Value: 21, High: 23, Start: w.now.Add(time.Hour)})
	give(t, w, order.Order{Site: "s", Device: "ev", Kind: order.ReadyBy, Value: 30, End: w.now.Add(4 * time.Hour)})
	p := planned(t, w)
	hp, _ := find[*problem.HeatPump](p)
	ev, _ := find[*problem.EV](p)
	if hp.Zone.MinC[3] != 19 || hp.Zone.MinC[4] != 21 || hp.Zone.MaxC[7] != 23 || hp.Zone.MinC[8] != 19 {
		t.Errorf("comfort band from %v", hp.Zone.MinC[:10])
	}
	if len(ev.Sessions) != 1 || ev.Sessions[0] != (problem.Session{DepartStep: 16, InitialKWh: 2, TargetKWh: 30}) {
		t.Errorf("car %+v, want 30 kWh by step 16", ev.Sessions)
	}
	for _, o := range w.s.Orders() {
		if _, err := w.s.EndOrder(t.Context(), o.ID, "x", "enough"); err != nil {
			t.Fatal(err)
		}
	}
	give(t, w, order.Order{Site: "s", Kind: order.Away, Value: 3, End: w.now.Add(24 * time.Hour)})
	p = planned(t, w)
	hp, _ = find[*problem.HeatPump](p)
	ev, _ = find[*problem.EV](p)
	tank, _ := find[*problem.WaterHeater](p)
	if hp.Zone.MinC[95] != 16 || hp.Zone.MinC[96] != 19 || len(ev.Sessions) != 0 || tank.DrawKW[0] != 0 || tank.DrawKW[96] == 0 {
		t.Errorf("away: band from %v and %v °C, car %+v, draw %v and %v kW", hp.Zone.MinC[95], hp.Zone.MinC[96], ev.Sessions, tank.DrawKW[0], tank.DrawKW[96])
	}
}

// TestTheTightestLimitHolds: of two limits the tighter one holds, whoever gave them, and the other one once it is over.
func TestTheTightestLimitHolds(t *testing.T) {
	w := newTown(t)
	keep(w)
	give(t, w, order.Order{Site: "s", Kind: order.ImportLimit, Value: 12})
	second := give(t, w, order.Order{Site: "s", Kind: order.ImportLimit, Value: 20})
	if _, err := w.s.Request(ask(RequestImportLimit, "s", "", 8, time.Hour)); err != nil {
		t.Fatal(err)
	}
	limit := func() float64 { kw, _ := w.s.limits("s"); return kw }
	if got := limit(); got != 8 {
		t.Errorf("limit %v kW, want 8", got)
	}
	w.s.Withdraw(RequestImportLimit, "s", "")
	if got := limit(); got != 12 {
		t.Errorf("limit %v kW, want 12", got)
	}
	if p := planned(t, w); p.Sites[0].ImportLimitKW[7] != 12 || p.Sites[0].ImportLimitKW[8] != 30 {
		t.Errorf("planned limits %v, want 12 kW for two hours", p.Sites[0].ImportLimitKW[:10])
	}
	w.now = second.End
	if got := limit(); got != 30 {
		t.Errorf("limit %v kW after all, want the configured 30", got)
	}
}

// TestSilence: once the signal of a limit falls silent its fall-back holds, for its time or until the signal is back; a signal that is withdrawn leaves none.
func TestSilence(t *testing.T) {
	w := newTown(t)
	k := keep(w)
	fall := 10.0
	w.d.Sites[0].Silence = &district.Silence{ImportLimitKW: &fall, For: 2 * time.Hour}
	limit := func() float64 { kw, _ := w.s.limits("s"); return kw }
	if _, err := w.s.Request(ask(RequestImportLimit, "s", "", 4, 20*time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	if got := limit(); got != 4 {
		t.Fatalf("limit %v kW, want 4", got)
	}
	time.Sleep(30 * time.Millisecond)
	w.s.Dispatch(t.Context())
	os := w.s.Orders()
	if got := limit(); got != 10 || len(os) != 1 || os[0].Source != order.FromSilence || !os[0].End.Equal(w.now.Add(2*time.Hour)) {
		t.Fatalf("silent: limit %v kW, orders %+v", got, os)
	}
	w.s.Request(ask(RequestImportLimit, "s", "", 6, 20*time.Millisecond))
	if got := limit(); got != 6 || len(w.s.Orders()) != 1 {
		t.Errorf("the signal is back: limit %v kW, orders %v", got, w.s.Orders())
	}
	time.Sleep(30 * time.Millisecond)
	w.s.Dispatch(t.Context())
	w.now = w.now.Add(2 * time.Hour)
	if got := limit(); got != 30 {
		t.Errorf("limit %v kW after the fall-back's time, want 30", got)
	}
	w.s.Request(ask(RequestImportLimit, "s", "", 6, time.Hour))
	w.s.Withdraw(RequestImportLimit, "s", "")
	w.s.watch()
	if got := limit(); got != 30 || len(w.s.Orders()) != 0 {
		t.Errorf("withdrawn: limit %v kW, orders %v", got, w.s.Orders())
	}
	w.s.flush(t.Context())
	if want := []string{"given import_limit ", "over import_limit lapsed", "given import_limit "}; len(k.told) < 3 || !slices.Equal(k.told[:3], want) {
		t.Errorf("told %v, want to begin with %v", k.told, want)
	}
	if len(k.last) != 5 {
		t.Errorf("%d orders in the record, want 3 of the signal and 2 of its silence", len(k.last))
	}
}

// TestRestore: orders outlive the process. What a building system asked holds on until it would have lapsed.
func TestRestore(t *testing.T) {
	w := newTown(t)
	k := keep(w)
	give(t, w, order.Order{Site: "s", Device: "bat", Kind: order.LockOut})
	give(t, w, order.Order{Site: "s", Device: "ev", Kind: order.Power, Value: 0, End: w.now.Add(time.Minute)})
	w.s.Request(ask(RequestImportLimit, "s", "", 7, time.Hour))
	w.s.flush(t.Context())
	var all []order.Order
	for _, o := range k.last {
		all = append(all, o)
	}
	again := newTown(t)
	k = keep(again)
	again.now = w.now.Add(2 * time.Minute)
	again.s.Restore(all, time.Now().Add(50*time.Millisecond))
	again.s.watch()
	if kw, _ := again.s.limits("s"); kw != 7 || !again.s.lockedOut("s", "bat", again.now) || len(again.s.Orders()) != 2 || len(again.s.Requests()) != 1 {
		t.Errorf("limit %v kW, orders %v, requests %v", kw, again.s.Orders(), again.s.Requests())
	}
	time.Sleep(60 * time.Millisecond)
	again.s.Dispatch(t.Context())
	again.s.flush(t.Context())
	outcomes := map[order.Kind]order.Outcome{}
	for _, o := range k.last {
		outcomes[o.Kind] = o.Outcome
	}
	if kw, _ := again.s.limits("s"); kw != 30 || outcomes[order.ImportLimit] != order.Lapsed || outcomes[order.Power] != order.Completed {
		t.Errorf("limit %v kW after the signal was silent, outcomes %v", kw, outcomes)
	}
}

// TestCost: what an order costs is the difference of two certified plans from the same state, and lies between its bounds. Taking a battery away cannot save anything, also from later on, which plans do not know yet.
func TestCost(t *testing.T) {
	w := newTown(t)
	keep(w)
	solve := func(ctx context.Context, p *problem.Problem) (*problem.Solution, error) {
		return optimizer.Plan(ctx, p, optimizer.Settings{TimeLimit: 20 * time.Second, Gap: 0.01, Workers: 1})
	}
	w.solve = func(p *problem.Problem) (*problem.Solution, error) { return solve(t.Context(), p) }
	w.s.cfg.Reckon = solve
	give(t, w, order.Order{Site: "s", Device: "bat", Kind: order.LockOut, Start: w.now.Add(2 * time.Hour)})
	hand := give(t, w, order.Order{Site: "s", Device: "bat", Kind: order.Power, Value: 0, End: w.now.Add(15 * time.Minute)})
	quiet := give(t, w, order.Order{Site: "s", Device: "hp", Kind: order.Quiet, From: "22:00", To: "06:00"})
	planned(t, w)
	for range 3 {
		w.s.cost(t.Context())
	}
	for _, o := range w.s.Orders() {
		c := o.Cost
		if c == nil {
			t.Fatalf("%s has no cost", o.Kind)
		}
		if c.Low > c.EUR+1e-9 || c.High < c.EUR-1e-9 || c.High < -1e-6 || c.Hours != 36 {
			t.Errorf("%s costs %+v", o.Kind, c)
		}
		if o.ID == hand.ID && c.Low > 0.5 { // a rest of a quarter of an hour is next to nothing: what is stored then is still worth something
			t.Errorf("a battery at rest for 15 minutes costs %+v", c)
		}
	}
	// the plan keeps the quiet hours by itself
	plan, _ := w.s.Plan()
	hp := plan.Site("s").Device("hp")
	for step, kw := range hp.PowerKW {
		if at := plan.Start.Add(time.Duration(step) * 15 * time.Minute); quiet.At(at, w.d.Zone) && kw > 0.01 {
			t.Errorf("the plan runs the heat pump at %v with %v kW", at.In(w.d.Zone), kw)
		}
	}
}

// TestHeld: what a device does that the plan does not decide on is load for an hour, but a battery gives no more than it holds, and takes no more than it has room for.
func TestHeld(t *testing.T) {
	w := wishes{step: 15 * time.Minute}
	bat := &district.Device{Kind: district.Battery, Battery: &district.BatteryParams{CapacityKWh: 160, MinSOC: 0.1, MaxSOC: 0.95, ChargeEfficiency: 0.8, DischargeEfficiency: 0.5}}
	is := func(v float64) observe.Value { return observe.Value{V: v, OK: true} }
	for name, tt := range map[string]struct {
		dev  *district.Device
		now  observe.Device
		want []float64
	}{
		"an hour":              {bat, observe.Device{PowerKW: is(-60), SOC: is(0.9)}, []float64{-59, -59, -59, -59, 1, 1}},
		"until it is empty":    {bat, observe.Device{PowerKW: is(-80), SOC: is(0.475)}, []float64{-79, -39, 1, 1, 1, 1}},
		"empty":                {bat, observe.Device{PowerKW: is(-80), SOC: is(0.05)}, []float64{1, 1, 1, 1, 1, 1}},
		"until it is full":     {bat, observe.Device{PowerKW: is(80), SOC: is(0.8)}, []float64{81, 41, 1, 1, 1, 1}},
		"what it holds unseen": {bat, observe.Device{PowerKW: is(-80)}, []float64{-79, -79, -79, -79, 1, 1}},
		"a heat pump":          {&district.Device{Kind: district.HeatPump}, observe.Device{PowerKW: is(4)}, []float64{5, 5, 5, 5, 1, 1}},
	} {
		load := []float64{1, 1, 1, 1, 1, 1}
		w.held(tt.dev, tt.now, load)
		for k := range load {
			if math.Abs(load[k]-tt.want[k]) > 1e-9 {
				t.Errorf("%s: load %v, want %v", name, load, tt.want)
				break
			}
		}
	}
}

// TestTrial: what an order would cost is what it is found to cost once it is given; it is not given, a bad one is refused, and where no plan can tell it is said why.
func TestTrial(t *testing.T) {
	w := newTown(t)
	keep(w)
	solve := func(ctx context.Context, p *problem.Problem) (*problem.Solution, error) {
		return optimizer.Plan(ctx, p, optimizer.Settings{TimeLimit: 20 * time.Second, Gap: 0.01, Workers: 1})
	}
	w.solve = func(p *problem.Problem) (*problem.Solution, error) { return solve(t.Context(), p) }
	w.s.cfg.Reckon = solve
	limit := order.Order{Site: "s", Kind: order.ImportLimit, Value: 6, Author: "olga", Reason: "trial", End: w.now.Add(12 * time.Hour)}
	try := func(o order.Order) (order.Order, Unpriced) {
		t.Helper()
		got, why, err := w.s.Try(t.Context(), o)
		if err != nil || (got.Cost == nil) != (why != Priced) {
			t.Fatalf("%+v, %q, %v", got, why, err)
		}
		return got, why
	}
	if _, why := try(limit); why != NoPlan {
		t.Errorf("without a plan: %q", why)
	}
	planned(t, w)
	tried, _ := try(limit)
	if c := tried.Cost; c.Low > c.EUR+1e-9 || c.High < c.EUR-1e-9 || c.High < -1e-6 || c.Hours != 36 {
		t.Errorf("it would cost %+v", c)
	}
	if n := len(w.s.Orders()); n != 0 {
		t.Errorf("a trial left %d orders", n)
	}
	later := limit
	later.Start, later.End = w.now.Add(72*time.Hour), w.now.Add(73*time.Hour)
	if _, why := try(later); why != BeyondPlan {
		t.Errorf("in three days: %q", why)
	}
	later = order.Order{Site: "s", Device: "bat", Kind: order.LockOut, Author: "olga", Reason: "trial", Start: w.now.Add(time.Hour)}
	tried, why := try(later)
	if why != Priced || tried.Cost == nil {
		t.Errorf("a lock-out of a battery from later on: %+v, %q", tried.Cost, why)
	}
	dear := tried.Cost
	later.Start = w.now.Add(24 * time.Hour)
	if tried, why = try(later); why != Priced || tried.Cost == nil || dear != nil && tried.Cost.Low > dear.High {
		t.Errorf("a day later it would cost %+v (%q), which is above %+v", tried.Cost, why, dear)
	}
	later.End = w.now.Add(26 * time.Hour)
	if _, why := try(later); why != NotPlanned {
		t.Errorf("a lock-out after which the battery is there again: %q", why)
	}
	for kind, device := range map[order.Kind]string{order.LockOut: "pv", order.OwnControl: "hp"} {
		if _, why := try(order.Order{Site: "s", Device: device, Kind: kind, Author: "olga", Reason: "trial", Start: w.now.Add(time.Hour), End: w.now.Add(2 * time.Hour)}); why != NotPlanned {
			t.Errorf("%s of %s from later on: %q", kind, device, why)
		}
	}
	if tried, why := try(order.Order{Site: "s", Device: "hp", Kind: order.LockOut, Author: "olga", Reason: "trial", Start: w.now.Add(time.Hour), End: w.now.Add(30 * time.Hour)}); why != Priced || tried.Cost == nil || tried.Cost.High < 0 {
		t.Errorf("a lock-out of the heat pump from later on: %+v, %q", tried.Cost, why)
	}
	var faults order.Faults
	bad := limit
	bad.Value = -1
	if _, _, err := w.s.Try(t.Context(), bad); !errors.As(err, &faults) {
		t.Errorf("a limit below zero: %v", err)
	}
	// a minute later, with another order given meanwhile that the plan does not know yet
	w.now = w.now.Add(time.Minute)
	other := give(t, w, order.Order{Site: "s", Device: "hp", Kind: order.Quiet, From: "00:00", To: "00:00"})
	again, _ := try(limit)
	if _, err := w.s.EndOrder(t.Context(), other.ID, "olga", "enough"); err != nil {
		t.Fatal(err)
	}
	if again.Cost.High < -1e-6 {
		t.Errorf("beside another order it would cost %+v", again.Cost)
	}
	w.now = w.now.Add(-time.Minute)
	given := give(t, w, limit)
	planned(t, w)
	w.s.cost(t.Context())
	o := w.s.Orders()[0]
	if o.ID != given.ID || o.Cost == nil || o.Cost.Low > tried.Cost.High+1e-6 || o.Cost.High < tried.Cost.Low-1e-6 {
		t.Errorf("given it costs %+v, tried %+v", o.Cost, tried.Cost)
	}
}

// TestCostWithoutAPlan: a reckoning that panics, ends with nothing or with a plan that is none leaves the order without a cost, and control goes on.
func TestCostWithoutAPlan(t *testing.T) {
	for name, by := range map[string]func(*problem.Problem) (*problem.Solution, error){
		"panic":   func(*problem.Problem) (*problem.Solution, error) { panic("out of range") },
		"nothing": func(*problem.Problem) (*problem.Solution, error) { return nil, nil },
		"no plan": func(p *problem.Problem) (*problem.Solution, error) {
			sol := idlePlan(p)
			sol.Objective, sol.Bound = new(float64), new(float64)
			return sol, nil
		},
	} {
		w := newTown(t)
		keep(w)
		w.solve = func(p *problem.Problem) (*problem.Solution, error) {
			return optimizer.Plan(t.Context(), p, optimizer.Settings{TimeLimit: 20 * time.Second, Gap: 0.01, Workers: 1})
		}
		asked := 0
		w.s.cfg.Reckon = func(_ context.Context, p *problem.Problem) (*problem.Solution, error) { asked++; return by(p) }
		give(t, w, order.Order{Site: "s", Device: "bat", Kind: order.LockOut})
		planned(t, w)
		w.s.cfg.Check = func(*problem.Problem, *problem.Solution) error { return errors.New("it heats nobody") }
		w.s.cost(t.Context())
		if o := w.s.Orders(); asked != 1 || len(o) != 1 || o[0].Cost != nil {
			t.Errorf("%s: asked %d times, orders %+v", name, asked, o)
		}
	}
}
