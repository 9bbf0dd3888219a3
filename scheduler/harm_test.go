package scheduler

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/scheduler/dispatch"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// second gives a town another site of which nothing but the connection is known.
func (w *town) second(limitKW float64) {
	w.d.Sites = append(w.d.Sites, district.Site{ID: "s2", ImportLimitKW: limitKW, ExportLimitKW: limitKW, Devices: []district.Device{{ID: "grid2", Kind: district.GridMeter}}})
}

func (w *town) measureSecond(kw float64) {
	id := district.NewSeriesID("d", "s2", "grid2", district.PowerKW)
	w.live[id] = district.Sample{Series: id, Time: w.now, Value: kw}
}

// TestDistrictNotMeasuredKeepsTheSites: where one site's connection is not measured, so that the district's is not either, what the district's limit allows never lifts what a measured or a limited site
// needs, and what does as it likes is taken at its worst.
func TestDistrictNotMeasuredKeepsTheSites(t *testing.T) {
	const own = math.MaxFloat64
	for _, tt := range []struct {
		name                   string
		siteImport, siteExport float64
		imp, exp               float64 // of the district
		load, sun, battery     float64 // battery: by its own control
		stale                  []string
		second                 bool // the other site is measured
		want                   map[string]float64
	}{
		{name: "one device alone is not measured", imp: 200, load: 5, battery: 5, stale: []string{"bat"}, second: true, want: map[string]float64{"bat": 0, "ev": own, "hp": own}},
		{name: "one inverter alone is not measured", exp: 5, load: 5, sun: 20, stale: []string{"pv"}, second: true, want: map[string]float64{"pv": 0.25}},
		{name: "the site's limit of import is tighter", siteImport: 14, imp: 200, load: 5, want: map[string]float64{"ev": 0, "bat": 0}},
		{name: "the site's own share is smaller", siteImport: 12, imp: 200, load: 5, stale: []string{"grid"}, want: map[string]float64{"ev": 8, "bat": 0}},
		{name: "the site's limit of export is tighter", siteExport: 5, exp: 60, sun: 20, load: -8, want: map[string]float64{"pv": 0.66}},
		{name: "the district's share, whatever a car draws now", imp: 16, load: 0, want: map[string]float64{"ev": 11, "bat": 0}},
		{name: "the district's share of the sun, whatever it gives now", exp: 8, sun: 1, load: 5, want: map[string]float64{"pv": 0.4, "bat": 0}},
		{name: "a battery that discharges by itself", exp: 8, load: 20, battery: -5, want: map[string]float64{"bat": 0}},
		{name: "no limit of the district", load: 5, want: map[string]float64{"ev": own, "bat": own, "pv": own}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlant(t)
			inf := func(kw float64) float64 {
				if kw == 0 {
					return math.Inf(1)
				}
				return kw
			}
			p.second(math.Inf(1))
			p.d.ImportLimitKW, p.d.ExportLimitKW = inf(tt.imp), inf(tt.exp)
			p.d.Sites[0].ImportLimitKW, p.d.Sites[0].ExportLimitKW = inf(tt.siteImport), inf(tt.siteExport)
			p.load, p.sun, p.battery = tt.load, tt.sun, tt.battery
			p.measure("bat", district.SOC, 0.9) // it takes nothing
			if tt.siteImport > 0 || tt.imp > 0 {
				p.measure("bat", district.SOC, 0.1) // it gives nothing
			}
			p.advance(2*time.Minute, tt.stale...)
			if tt.second {
				p.measureSecond(0)
			}
			p.s.Dispatch(t.Context())
			for id, want := range tt.want {
				switch {
				case (want == own) != p.own[id]:
					t.Errorf("%s: own control %v (told %v), want %v", id, p.own[id], p.cmd[id], want == own)
				case want != own && math.Abs(p.cmd[id]-want) > 0.011:
					t.Errorf("%s was told %v, want %v", id, p.cmd[id], want)
				}
			}
		})
	}
}

// TestDistrictLimitOutlivesThePlanner: what a plan held within a limit of the district alone is not let go at once when there is no plan any more.
func TestDistrictLimitOutlivesThePlanner(t *testing.T) {
	p := newPlant(t)
	p.load, p.d.ImportLimitKW = 5, 10
	p.advance(0)
	p.solve = func(pr *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(pr)
		sol.Device("s", "ev").PowerKW[0] = 4.2
		return sol, nil
	}
	if _, err := p.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range int(p.s.cfg.PlanMaxAge / time.Minute) {
		p.s.Dispatch(t.Context())
		p.advance(time.Minute)
	}
	for i := range 60 {
		p.advance(5 * time.Second)
		p.s.Dispatch(t.Context())
		if over := p.net() - 10; over > 0.01 {
			t.Fatalf("round %d without a plan: %.2f kW over the limit", i, over)
		}
	}
}

// TestPassedLimitIsFound: a site and a district whose connections carry more than their limits for half a minute are found, each for itself, and no longer when they do not.
func TestPassedLimitIsFound(t *testing.T) {
	w := newTown(t)
	w.d.Sites[0].ImportLimitKW, w.d.ImportLimitKW = 30, 40
	found := func(netKW float64) (sites []string) {
		t.Helper()
		for range 7 {
			w.after(t, 5*time.Second, netKW)
		}
		for _, f := range w.s.Findings() {
			if f.Key == LimitPassed {
				sites = append(sites, "site "+f.Site)
			}
		}
		return sites
	}
	for _, tt := range []struct {
		netKW float64
		want  []string
	}{{5, nil}, {60, []string{"site ", "site s"}}, {45, []string{"site s"}}, {5, nil}} {
		if got := found(tt.netKW); !slices.Equal(got, tt.want) {
			t.Errorf("%v kW are drawn of which a battery covers 10 kW, limits are 30 and 40 kW: passed is %q, want %q", tt.netKW, got, tt.want)
		}
	}
}

// TestWhatSlowsADeviceIsTaken: a machine that goes on for its own sake, by its hold or its compressor's least time, is counted as taking that for a while, so that no inverter feeds more for it; one that
// delivers is not.
func TestWhatSlowsADeviceIsTaken(t *testing.T) {
	w := newTown(t)
	w.hold, w.s.cfg.KeepToPlan = 10*time.Minute, true
	kw := 4.0
	w.solve = func(p *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(p)
		sol.Device("s", "hp").PowerKW[0] = kw
		return sol, nil
	}
	job := func() *job {
		t.Helper()
		planned(t, w)
		plan, _ := w.s.Plan()
		jobs, _ := w.s.siteJobs(&w.d.Sites[0], w.s.observe(w.now), plan, 0, true, nil)
		for _, j := range jobs {
			if j.wish.Device == "hp" {
				return j
			}
		}
		t.Fatal("no job of the pump")
		return nil
	}
	if j := job(); j.wish.TakenKW != 0 || j.wish.WantedKW != 4 {
		t.Errorf("as planned: %+v", j.wish)
	}
	w.s.Dispatch(t.Context())
	w.now = w.now.Add(time.Minute)
	w.refresh()
	w.measure("hp", district.PowerKW, 4)
	for _, kw = range []float64{0, 3} {
		if j := job(); j.wish.WantedKW != 4 || math.Abs(j.wish.TakenKW-(4-kw)) > 1e-9 {
			t.Errorf("%v kW are planned within the hold: it goes on at %v kW, of which %v kW are taken; want 4 and %v kW", kw, j.wish.WantedKW, j.wish.TakenKW, 4-kw)
		}
	}

	wanted := 3.0
	p := pumps(t, &wanted)
	p.round(t, 0)
	p.round(t, time.Minute)
	for _, tt := range []struct{ wants, goesOn, taken float64 }{{0, 3, 3}, {0.4, 3, 2.6}, {2, 2, 0}} {
		j, _, _ := p.jobOf("hp")
		j.wish.MeasuredKW, j.wish.WantedKW = 3, tt.wants
		if p.s.spare(j.wish, p.now.Add(time.Minute)); j.wish.WantedKW != tt.goesOn || math.Abs(j.wish.TakenKW-tt.taken) > 1e-9 {
			t.Errorf("%v kW are wanted of a pump that may not stop yet: %v kW, of which %v kW are taken; want %v and %v kW", tt.wants, j.wish.WantedKW, j.wish.TakenKW, tt.goesOn, tt.taken)
		}
	}
}

// TestStays: a device that may be told nothing new goes on with what it does where that is more than is wanted, and takes up no more than it was told.
func TestStays(t *testing.T) {
	for _, tt := range []struct {
		name                          string
		measured, wanted, told, keeps float64
	}{
		{"more is wanted than it was told", 2, 10, 4, 4},
		{"more is wanted, less than it was told", 2, 3, 4, 3},
		{"it does more than is wanted", 5, 3, 8, 5},
		{"nothing is wanted", 5, 0, 8, 5},
		{"it does what is wanted", 3, 3, 8, 3},
		{"it discharges more than is wanted", -5, -3, 8, -5},
		{"more is to be discharged", -2, -10, -4, -4},
		{"it charges and is to discharge", 2, -10, 1, 2},
		{"it charges, and was told to rest", 2, -10, 0, 2},
		{"it charges, and was told to discharge less", 2, -10, -4, -4},
		{"it discharges, and was told to charge more", -6, 3, 8, 3},
		{"it does nothing and was told nothing", 0, 7, 0, 0},
	} {
		if got := stays(&dispatch.Wish{MeasuredKW: tt.measured, WantedKW: tt.wanted}, tt.told); got != tt.keeps {
			t.Errorf("%s: does %v kW, %v kW wanted, %v kW told: goes on at %v kW, want %v kW", tt.name, tt.measured, tt.wanted, tt.told, got, tt.keeps)
		}
	}
}

// TestBatteryThatWasHeldBackDoesAsBefore: a battery that a limit held back may then charge as its own control did, and no more.
func TestBatteryThatWasHeldBackDoesAsBefore(t *testing.T) {
	p := newPlant(t)
	for _, dev := range []string{"pv", "ev", "hp", "tank"} {
		p.d.Device("s", dev).Control, p.own[dev] = false, false
	}
	p.cmd["hp"] = 1
	p.measure("bat", district.SOC, 0.1)
	p.d.Sites[0].ImportLimitKW, p.battery, p.load = 6, 2, 5
	for i, want := range []float64{1, 1, 1} {
		p.advance(5 * time.Second)
		if p.s.Dispatch(t.Context()); p.cmd["bat"] != want || p.own["bat"] {
			t.Fatalf("round %d: the battery has %v kW (own control %v) beside 5 kW of 6 kW, want %v", i, p.cmd["bat"], p.own["bat"], want)
		}
	}
	p.load = 1
	for i := range 3 {
		p.advance(5 * time.Second)
		if p.s.Dispatch(t.Context()); p.cmd["bat"] > 2.05 || p.cmd["bat"] < 1.95 {
			t.Fatalf("round %d: the battery has %v kW where there is room for 5 kW, want the 2 kW of its own control", i, p.cmd["bat"])
		}
	}
}

// TestCurtailedByPlan: an inverter that a plan holds back, as at a price below zero, is told so without any limit.
func TestCurtailedByPlan(t *testing.T) {
	w := newTown(t)
	w.s.cfg.KeepToPlan = true
	w.solve = func(p *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(p)
		sol.Device("s", "pv").PowerKW[0] = -2
		return sol, nil
	}
	planned(t, w)
	w.s.Dispatch(t.Context())
	if got := w.last(t, "pv"); got != 0.1 {
		t.Errorf("the inverter may give %v of 20 kW, 2 kW are planned", got)
	}
	if l := w.linesOf("pv"); !strings.HasPrefix(l[0].Reason, ReasonCurtail) || l[0].PlanID != 1 {
		t.Errorf("the ledger says %+v", l[0])
	}
}

// TestCloudLowersNoCommand: while the sun is let up after a limit, a cloud does not take back what it may do already.
func TestCloudLowersNoCommand(t *testing.T) {
	p := newPlant(t)
	p.d.Sites[0].ExportLimitKW = 6
	p.measure("bat", district.SOC, 0.9)
	p.sun, p.load = 20, 2
	p.advance(0)
	p.solve = func(pr *problem.Problem) (*problem.Solution, error) { return idlePlan(pr), nil }
	if _, err := p.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 12 {
		p.s.Dispatch(t.Context())
		p.advance(5 * time.Second)
	}
	before := p.cmd["pv"]
	if before < 0.35 || before > 0.42 {
		t.Fatalf("the sun is at %v, want 0.4 within the limit", before)
	}
	p.sun = 1
	for i := range 6 {
		p.advance(5 * time.Second)
		p.s.Dispatch(t.Context())
		if got := p.cmd["pv"]; got < before-1e-9 {
			t.Fatalf("round %d under a cloud: from %v to %v", i, before, got)
		}
		if over := -p.net() - 6; over > 0.01 {
			t.Fatalf("round %d: %.2f kW over the export limit", i, over)
		}
	}
}

// TestReasonsOfTheLedger: a device that is paused or not measured is in the ledger with that, also beside a plan and where the district is not measured.
func TestReasonsOfTheLedger(t *testing.T) {
	p := newPlant(t)
	p.second(math.Inf(1))
	p.d.ImportLimitKW, p.load = 30, 5
	p.solve = func(pr *problem.Problem) (*problem.Solution, error) { return idlePlan(pr), nil }
	p.measureSecond(1)
	p.advance(0)
	if _, err := p.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.s.Pause(Pause{Site: "s", Device: "ev", Reason: "work", Until: p.now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	p.advance(2*time.Minute, "bat", "grid2")
	p.s.Dispatch(t.Context())
	for id, want := range map[string]string{"ev": ReasonPaused, "bat": ReasonSafe + ": no fresh measurement"} {
		l := p.linesOf(id)
		if len(l) != 1 || !strings.HasPrefix(l[0].Reason, want) || l[0].Outcome != district.SafeMode || l[0].PlanID != 0 {
			t.Errorf("%s: %+v, want a safe state for %q", id, l, want)
		}
	}
}

// TestOrderWithoutAMeter: what is ordered by hand is obeyed where the connection is not measured, as long as it has no limit that it could pass.
func TestOrderWithoutAMeter(t *testing.T) {
	for _, limit := range []float64{math.Inf(1), 12} {
		p := newPlant(t)
		keep(p.town)
		p.d.Sites[0].ImportLimitKW = limit
		give(t, p.town, order.Order{Site: "s", Device: "ev", Kind: order.Power, Value: 11})
		p.load = 5
		p.advance(2*time.Minute, "grid")
		p.s.Dispatch(t.Context())
		want := 15.
		if limit == 12 {
			want = 8
		}
		if got := p.cmd["ev"]; got != want {
			t.Errorf("limit %v kW: the car has %v A, want %v A", limit, got, want)
		}
	}
}

// TestPowerRange: what devices can do, and that a battery at an end of its range goes no further.
func TestPowerRange(t *testing.T) {
	soc := func(v float64) observe.Device { return observe.Device{SOC: observe.Value{V: v, OK: true}} }
	bat := district.Device{Battery: &district.BatteryParams{MinSOC: 0.1, MaxSOC: 0.9, ChargeKW: 10, DischargeKW: 8}}
	for _, tt := range []struct {
		name         string
		dev          district.Device
		now          observe.Device
		lo, hi, most float64
	}{
		{"sun", district.Device{PV: &district.PVParams{PeakKW: 20}}, observe.Device{}, -20, 0, 20},
		{"battery", bat, soc(0.5), -8, 10, 10},
		{"battery, empty", bat, soc(0.1), 0, 10, 10},
		{"battery, full", bat, soc(0.9), -8, 0, 10},
		{"battery of unknown charge", bat, observe.Device{}, -8, 10, 10},
		{"car", district.Device{EVCharger: &district.EVChargerParams{MaxKW: 11, MinKW: 4}}, observe.Device{}, 0, 11, 11},
		{"heat pump", district.Device{HeatPump: &district.HeatPumpParams{MaxKW: 4, MinKW: 1}}, observe.Device{}, 0, 4, 4},
		{"tank", district.Device{WaterHeater: &district.WaterHeaterParams{MaxKW: 2}}, observe.Device{}, 0, 2, 2},
		{"meter", district.Device{Kind: district.GridMeter}, observe.Device{}, 0, 0, 0},
	} {
		if lo, hi, most := powerRange(&tt.dev, tt.now); lo != tt.lo || hi != tt.hi || most != tt.most {
			t.Errorf("%s: from %v to %v kW, scaled by %v kW; want %v, %v, %v", tt.name, lo, hi, most, tt.lo, tt.hi, tt.most)
		}
	}
}

// TestReleaseTouchesOnlyOurs: at the stop nothing is written to a device that is not under control or not connected here, and the others are in the ledger.
func TestReleaseTouchesOnlyOurs(t *testing.T) {
	w := newTown(t)
	w.d.Device("s", "ev").Control = false
	own := w.s.cfg.Driver
	w.s.cfg.Driver = func(site, id string) (drivers.Driver, bool) {
		if id == "hp" {
			return nil, false
		}
		return own(site, id)
	}
	w.s.Dispatch(t.Context()) // nor does a round
	w.s.Release(t.Context())
	for _, id := range []string{"ev", "hp"} {
		if len(w.writes[id]) > 0 || len(w.linesOf(id)) > 0 {
			t.Errorf("%s was told %v, with lines %+v", id, w.writes[id], w.linesOf(id))
		}
	}
	for _, id := range []string{"pv", "bat", "tank"} {
		l := w.linesOf(id)
		if len(w.writes[id]) == 0 || len(l) == 0 || l[len(l)-1].Reason != ReasonReleased {
			t.Errorf("%s was told %v, with lines %+v", id, w.writes[id], l)
		}
	}
}
