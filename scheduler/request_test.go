package scheduler

import (
	"math"
	"testing"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/problem"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// busy lets every device of the town draw what it can.
func busy(p *problem.Problem) (*problem.Solution, error) {
	sol := idlePlan(p)
	for id, kw := range map[string]float64{"bat": 10, "ev": 11, "hp": 4} {
		if ds := sol.Device("s", id); ds != nil {
			ds.PowerKW[0] = kw
		}
	}
	return sol, nil
}

func ask(kind RequestKind, site, device string, v float64, lasts time.Duration) Request {
	return Request{Kind: kind, Site: site, Device: device, Value: v, Actor: "bms", Since: time.Now(), Until: time.Now().Add(lasts)}
}

// TestRequestedLimitHolds: a limit from outside holds at the next round of dispatch whatever the plan says, of a site and of the district; it never lifts a configured one, and it
// no longer holds when it is withdrawn or nobody refreshes it.
func TestRequestedLimitHolds(t *testing.T) {
	for _, site := range []string{"s", ""} {
		w := newTown(t)
		w.s.cfg.KeepToPlan = true
		w.solve = busy
		var lapsed []Request
		w.s.cfg.Lapsed = func(r Request) { lapsed = append(lapsed, r) }
		if _, err := w.s.Replan(t.Context()); err != nil {
			t.Fatal(err)
		}
		car := func() float64 { w.s.Dispatch(t.Context()); return w.last(t, "ev") }
		if got := car(); got != 15 {
			t.Fatalf("car %v A without a request, want 15", got)
		}
		before, err := w.s.Request(ask(RequestImportLimit, site, "", 12, time.Hour))
		if err != nil || !math.IsNaN(before[0]) {
			t.Fatalf("Request = %v, %v, want no value before", before, err)
		}
		if ev, bat, hp := car(), w.last(t, "bat"), w.last(t, "hp"); ev != 0 || bat != 3 || hp != 3 {
			t.Errorf("limit of %q: car %v A, battery %v kW, heat pump state %v; want 0 A, 3 kW (12 - 5 - 4), 3", site, ev, bat, hp)
		}
		if before, err = w.s.Request(ask(RequestImportLimit, site, "", 300, time.Hour)); err != nil || before[0] != 12 {
			t.Fatalf("Request = %v, %v, want 12 kW before", before, err)
		}
		if got := car(); got != 15 {
			t.Errorf("car %v A under a limit far above the configured one, want 15", got)
		}
		w.s.Request(ask(RequestImportLimit, site, "", 0, time.Hour))
		if got := car(); got != 0 {
			t.Errorf("car %v A under a limit of 0 kW", got)
		}
		if v := w.s.Withdraw(RequestImportLimit, site, ""); v != 0 || car() != 15 {
			t.Errorf("withdrawn: %v kW before, car %v A; want 0 kW and 15 A", v, w.last(t, "ev"))
		}
		w.s.Request(ask(RequestImportLimit, site, "", 0, 20*time.Millisecond))
		time.Sleep(30 * time.Millisecond)
		if got := car(); got != 15 || len(w.s.Requests()) != 0 || len(lapsed) != 1 || lapsed[0].Value != 0 || lapsed[0].Actor != "bms" {
			t.Errorf("lapsed: car %v A, in force %v, told %v", got, w.s.Requests(), lapsed)
		}
	}
}

// TestRequestedLockOut: nothing is written to a device that a building system locks out, however long nobody repeats it and after a restart as well, until it is withdrawn. A request to let go
// of it does that too.
func TestRequestedLockOut(t *testing.T) {
	w := newTown(t)
	w.s.cfg.KeepToPlan = true
	w.solve = busy
	k := keep(w)
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.s.Dispatch(t.Context())
	last := w.last(t, "bat")
	writes := func(s *Scheduler) int {
		n := len(w.lines)
		w.now = w.now.Add(time.Minute)
		w.refresh()
		s.Dispatch(t.Context())
		count := 0
		for _, l := range w.lines[n:] {
			if l.Device == "bat" {
				count++
			}
		}
		return count
	}
	lock := ask(RequestLockOut, "s", "bat", 1, time.Millisecond)
	if _, err := w.s.Request(lock); err != nil {
		t.Fatal(err)
	}
	if len(k.last) != 1 {
		t.Errorf("nobody repeats it, and the record has %d orders when who asked hears that it holds", len(k.last))
	}
	time.Sleep(10 * time.Millisecond)
	w.s.lapse(time.Now().Add(24 * time.Hour))
	if now := w.s.cfg.Now(); !w.s.lockedOut("s", "bat", now) || len(w.s.Requests()) != 1 {
		t.Fatalf("the lock-out of a silent building system does not hold: %v", w.s.Requests())
	}
	if n := writes(w.s); n != 0 || w.last(t, "bat") != last {
		t.Errorf("%d commands to a device that is locked out", n)
	}
	again := newTown(t)
	kept := keep(again)
	w.s.flush(t.Context())
	var saved []order.Order
	for _, o := range k.last {
		saved = append(saved, o)
	}
	again.s.Restore(saved, time.Now().Add(time.Minute))
	again.s.lapse(time.Now().Add(24 * time.Hour))
	if !again.s.lockedOut("s", "bat", again.now) {
		t.Errorf("after a restart with %+v it is not locked out", saved)
	}
	for _, free := range []func(){
		func() {
			if v := again.s.Withdraw(RequestLockOut, "s", "bat"); v != 1 {
				t.Errorf("withdrawn %v, want 1", v)
			}
		},
		func() {
			for _, v := range []float64{1, 0} {
				if _, err := again.s.Request(ask(RequestLockOut, "s", "bat", v, time.Minute)); err != nil {
					t.Fatal(err)
				}
			}
		},
	} {
		if free(); again.s.lockedOut("s", "bat", again.now) {
			t.Error("it is still locked out")
		}
	}
	again.s.flush(t.Context())
	for id, o := range kept.last {
		if o.Outcome != order.EndedBy {
			t.Errorf("the withdrawn lock-out %s is %q, want %q: no other took its place", id, o.Outcome, order.EndedBy)
		}
	}
	if len(kept.last) != 2 {
		t.Errorf("%d lock-outs in the record, want 2", len(kept.last))
	}
}

// TestRequestedAbsence lets the zones of a site be colder in the plan of the next hour.
func TestRequestedAbsence(t *testing.T) {
	w := newTown(t)
	before, _ := find[*problem.HeatPump](planned(t, w))
	if _, err := w.s.Request(ask(RequestAway, "s", "", 3, time.Minute)); err != nil {
		t.Fatal(err)
	}
	after, ok := find[*problem.HeatPump](planned(t, w))
	if last := len(after.Zone.MinC) - 1; !ok || after.Zone.MinC[0] != before.Zone.MinC[0]-3 || after.Zone.MinC[last] != before.Zone.MinC[last] {
		t.Errorf("band from %v, before from %v", after.Zone.MinC[:6], before.Zone.MinC[:6])
	}
}

// TestRequestsReachThePlan: the plan of the next hour keeps what is asked, a comfort shift moves the band of that hour, and a device that is not available is not planned.
func TestRequestsReachThePlan(t *testing.T) {
	w := newTown(t)
	for _, r := range []Request{ask(RequestImportLimit, "s", "", 15, time.Minute), ask(RequestExportLimit, "", "", 2, time.Minute), ask(RequestComfort, "s", "", -1.5, time.Minute), ask(RequestAvailable, "s", "bat", 0, time.Minute)} {
		if _, err := w.s.Request(r); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := w.asked[0]
	if err := problem.Validate(p); err != nil {
		t.Fatal(err)
	}
	s := p.Sites[0]
	if s.ImportLimitKW[0] != 15 || s.ImportLimitKW[3] != 15 || s.ImportLimitKW[4] != 30 || p.Grid.ExportLimitKW[0] != 2 {
		t.Errorf("site import limits %v, district export limit %v; want 15 kW for an hour, then 30, and 2 kW", s.ImportLimitKW[:6], p.Grid.ExportLimitKW[0])
	}
	for _, dev := range s.Devices {
		switch x := dev.(type) {
		case *problem.HeatPump:
			if x.Zone.MinC[0] != 17.5 || x.Zone.MaxC[3] != 20.5 || x.Zone.MinC[4] != 19 {
				t.Errorf("comfort band %v to %v, want 1.5 K lower for an hour", x.Zone.MinC[:6], x.Zone.MaxC[:6])
			}
		case *problem.Battery:
			t.Error("a battery that is not available is planned")
		}
	}
	w.s.Dispatch(t.Context())
	for _, l := range w.lines {
		if l.Device == "bat" && (l.Outcome != district.SafeMode || l.Reason != ReasonPaused+": a building system asks for it") {
			t.Errorf("battery: %+v, want its own control with the reason", l)
		}
	}
	// a limit below what the load needs leaves the problem with a way out
	if _, err := w.s.Request(ask(RequestImportLimit, "s", "", 0, time.Minute), ask(RequestImportLimit, "", "", 0, time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	p = w.asked[1]
	sun, ok := p.Sites[0].Devices[0].(*problem.PV)
	if !ok {
		t.Fatalf("%T", p.Sites[0].Devices[0])
	}
	if least := p.Sites[0].LoadKW[0] - sun.AvailableKW[0]; p.Sites[0].ImportLimitKW[0] != least || p.Grid.ImportLimitKW[0] != least || least <= 0 {
		t.Errorf("limits %v and %v kW, want %v kW, what the sun leaves of the load", p.Sites[0].ImportLimitKW[0], p.Grid.ImportLimitKW[0], least)
	}
}

// TestLimitsLeaveAPlan: whatever limit is asked for, in the sun and in the dark, with an inverter that nobody steers and a compressor that may not stop yet, the problem has a plan, and the limit is planned with
// wherever that is so.
func TestLimitsLeaveAPlan(t *testing.T) {
	for _, tt := range []struct {
		name        string
		kind        RequestKind
		site        string
		asked       float64
		steered     bool // the inverter
		loadKW, sun float64
		want        float64 // kW, in the first step
	}{
		{"import, in the dark", RequestImportLimit, "", 3, true, 11, 0, 12},
		{"import, in the sun", RequestImportLimit, "", 3, true, 11, 6, 6},
		{"import, in the sun, and kept", RequestImportLimit, "", 8, true, 11, 6, 8},
		{"import of a site", RequestImportLimit, "s", 3, true, 11, 6, 6},
		{"export, steered", RequestExportLimit, "", 0, true, 2, 9, 0},
		{"export, not steered", RequestExportLimit, "", 0, false, 2, 9, 6},
		{"export of a site, not steered", RequestExportLimit, "s", 0, false, 2, 9, 6},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newTown(t)
			w.d.Device("s", "pv").Control = tt.steered
			pump := w.d.Device("s", "hp")
			pump.HeatPump.MinOn = time.Hour
			for _, kw := range []float64{0, 2} { // it has just begun to run
				w.measure("hp", district.PowerKW, kw)
				w.s.noteRuns("s", pump, w.s.observe(w.now).Devices[observe.Key{Site: "s", Device: "hp"}], w.now)
			}
			if _, err := w.s.Request(ask(tt.kind, tt.site, "", tt.asked, time.Hour)); err != nil {
				t.Fatal(err)
			}
			st := w.s.observe(w.now)
			in, err := w.s.gather(t.Context(), st)
			if err != nil {
				t.Fatal(err)
			}
			for k := range in.steps {
				in.loadKW["s"][k], in.sunKW["s"][k] = tt.loadKW, tt.sun
			}
			p := w.s.build(st, in, w.s.wishes(w.now, in, ""))
			limit := map[RequestKind][]float64{RequestImportLimit: p.Grid.ImportLimitKW, RequestExportLimit: p.Grid.ExportLimitKW}[tt.kind]
			if tt.site != "" {
				limit = map[RequestKind][]float64{RequestImportLimit: p.Sites[0].ImportLimitKW, RequestExportLimit: p.Sites[0].ExportLimitKW}[tt.kind]
			}
			if math.Abs(limit[0]-tt.want) > 1e-9 {
				t.Errorf("%v kW, want %v kW", limit[0], tt.want)
			}
			sol, err := optimizer.Plan(t.Context(), p, optimizer.Settings{Gap: 0.05, Rounds: 10})
			if err != nil || sol.Status == problem.Infeasible || sol.Objective == nil {
				t.Errorf("%v, %v: %+v", sol.Status, err, sol.Conflict)
			}
		})
	}
}

// TestRequestRefusesNonsense: what cannot be is refused, and of several requests none is taken then.
func TestRequestRefusesNonsense(t *testing.T) {
	w := newTown(t)
	for _, r := range []Request{
		ask("speed", "s", "", 1, time.Minute), ask(RequestImportLimit, "nowhere", "", 1, time.Minute), ask(RequestImportLimit, "s", "", -1, time.Minute),
		ask(RequestImportLimit, "s", "", math.NaN(), time.Minute), ask(RequestComfort, "", "", 1, time.Minute), ask(RequestComfort, "s", "", 6, time.Minute),
		ask(RequestAway, "s", "", 10.5, time.Minute), ask(RequestAway, "", "", 1, time.Minute), ask(RequestLockOut, "s", "grid", 1, time.Minute), ask(RequestLockOut, "s", "bat", 2, time.Minute),
		ask(RequestAvailable, "s", "grid", 0, time.Minute), ask(RequestAvailable, "s", "bat", 0.5, time.Minute), ask(RequestAvailable, "s", "none", 0, time.Minute),
	} {
		if _, err := w.s.Request(ask(RequestImportLimit, "s", "", 5, time.Minute), r); err == nil {
			t.Errorf("%+v was taken", r)
		}
	}
	if got := w.s.Requests(); len(got) != 0 {
		t.Errorf("in force after refusals: %v", got)
	}
}

// TestAnExportLimitOfZeroIsALimit: a site that may feed nothing is planned and held so; only an infinite limit is none.
func TestAnExportLimitOfZeroIsALimit(t *testing.T) {
	w := newTown(t)
	w.d.Sites[0].ExportLimitKW = 0
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := w.asked[0]
	for k, kw := range p.Sites[0].ExportLimitKW {
		if want := math.Max(0, -p.Sites[0].LoadKW[k]); kw != want {
			t.Fatalf("the plan may feed %v kW in step %d, want %v", kw, k, want)
		}
	}
	if _, kw := w.s.limits("s"); kw != 0 {
		t.Errorf("dispatch holds an export limit of %v kW, want 0", kw)
	}
	if _, kw := w.s.limits(""); !math.IsInf(kw, 1) {
		t.Errorf("dispatch holds the district's export to %v kW, want no limit", kw)
	}
}

// TestRequestOfARemovedSite: a request that held when its site was taken out of the configuration is over when nobody repeats it, as any other.
func TestRequestOfARemovedSite(t *testing.T) {
	w := newTown(t)
	w.s.Restore([]order.Order{{ID: "a", District: w.d.ID, Site: "gone", Kind: order.ImportLimit, Value: 5, Author: "bms", Source: order.FromSystem, Created: w.now, Start: w.now, Revision: 1}}, time.Now().Add(time.Minute))
	w.s.lapse(time.Now().Add(time.Hour))
	if got := w.s.Orders(); len(got) != 0 {
		t.Errorf("still in force: %+v", got)
	}
}
