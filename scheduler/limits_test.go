package scheduler

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/schemas/district"
	"quartier/schemas/logtest"
)

// plant is a town whose devices do what they are told, and what their own control does otherwise.
type plant struct {
	*town
	cmd     map[string]float64
	own     map[string]bool
	load    float64  // kW beside the devices
	sun     float64  // kW that the inverter could deliver
	battery float64  // kW that the battery's own control does
	changes []string // of ownership, in order
}

type follower struct {
	machine
	p *plant
}

func (f follower) Write(ctx context.Context, name string, v float64) (drivers.Reading, error) {
	r, err := f.machine.Write(ctx, name, v)
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	f.p.take(f.id, false)
	f.p.cmd[f.id] = v
	return r, err
}

func (f follower) Release(context.Context) (drivers.Reading, error) {
	f.w.mu.Lock()
	defer f.w.mu.Unlock()
	f.p.take(f.id, true)
	return drivers.Reading{Point: f.ctl.Point, Value: f.ctl.Safe}, nil
}

func (p *plant) take(id string, own bool) {
	if p.own[id] != own {
		p.changes = append(p.changes, fmt.Sprintf("%s %v", id, own))
	}
	p.own[id] = own
}

func newPlant(t *testing.T) *plant {
	p := &plant{town: newTown(t), cmd: map[string]float64{}, own: map[string]bool{"pv": true, "bat": true, "ev": true, "hp": true, "tank": true}}
	p.d.Sites[0].ImportLimitKW, p.d.Sites[0].ExportLimitKW = math.Inf(1), math.Inf(1)
	p.s.cfg.Driver = func(site, id string) (drivers.Driver, bool) {
		d, ok := p.driver(site, id)
		if !ok {
			return nil, false
		}
		return follower{d.(machine), p}, true
	}
	p.advance(0)
	return p
}

// powers are what the devices do, kW.
func (p *plant) powers() map[string]float64 {
	pick := func(id string, own, told float64) float64 {
		if p.own[id] {
			return own
		}
		return told
	}
	hp := map[float64]float64{1: 0, 2: 3, 3: 4}[p.cmd["hp"]]
	return map[string]float64{
		"ev": pick("ev", 11.04, p.cmd["ev"]*0.69), "bat": pick("bat", p.battery, p.cmd["bat"]), "hp": pick("hp", 3, hp), "tank": pick("tank", 2.2, 2.2*p.cmd["tank"]),
		"pv": -pick("pv", p.sun, math.Min(p.sun, 20*p.cmd["pv"])),
	}
}

func (p *plant) net() float64 {
	kw := p.load
	for _, v := range p.powers() {
		kw += v
	}
	return kw
}

// advance lets time pass and measures everything but what is named.
func (p *plant) advance(d time.Duration, but ...string) {
	p.now = p.now.Add(d)
	for id := range p.live {
		if _, _, dev, _, _ := id.Parts(); slices.Contains(but, dev) {
			continue
		}
		s := p.live[id]
		s.Time = p.now
		p.live[id] = s
	}
	for dev, kw := range p.powers() {
		if !slices.Contains(but, dev) {
			p.measure(dev, district.PowerKW, kw)
		}
	}
	if !slices.Contains(but, "grid") {
		p.measure("grid", district.PowerKW, p.net())
	}
}

func (p *plant) ask(t *testing.T, kind RequestKind, site string, kw float64) {
	t.Helper()
	if _, err := p.s.Request(Request{Kind: kind, Site: site, Value: kw, Actor: "test", Until: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
}

// TestLimitsHoldWithoutAPlan: a requested limit of a site or of the district is kept within one round where there is no plan, for as long as it holds and whatever the load does; no device is tossed
// between its own control and ours, and each gets its own back when the limit has not been in need for a while.
func TestLimitsHoldWithoutAPlan(t *testing.T) {
	for _, site := range []string{"s", ""} {
		for _, tt := range []struct {
			name  string
			kind  RequestKind
			limit float64
			load  func(step int) float64
			sun   float64
		}{
			{"import", RequestImportLimit, 9, func(i int) float64 { return 5 + 3*math.Sin(float64(i)/40) }, 0},
			{"export", RequestExportLimit, 6, func(i int) float64 { return 3 + 2*math.Sin(float64(i)/40) }, 20},
		} {
			t.Run(tt.name+" of "+map[string]string{"s": "a site", "": "the district"}[site], func(t *testing.T) {
				p := newPlant(t)
				p.measure("bat", district.SOC, 0.9) // full: it cannot take what is too much, but it can give
				if tt.kind == RequestImportLimit {
					p.measure("bat", district.SOC, 0.1)
				}
				p.sun, p.load = tt.sun, tt.load(0)
				p.advance(0)
				p.ask(t, tt.kind, site, tt.limit)
				worst := 0.0
				for i := range 720 { // an hour
					p.load = tt.load(i)
					p.advance(5 * time.Second)
					p.s.Dispatch(t.Context())
					over := p.net() - tt.limit
					if tt.kind == RequestExportLimit {
						over = -p.net() - tt.limit
					}
					worst = math.Max(worst, over)
				}
				if worst > 0.01 {
					t.Errorf("the limit of %v kW was passed by %.2f kW after a round", tt.limit, worst)
				}
				if len(p.changes) > 16 { // the load rises above the limit three times
					t.Errorf("devices went between their own control and ours %d times: %v", len(p.changes), p.changes)
				}
				p.s.Withdraw(tt.kind, site, "")
				for range 64 {
					p.advance(5 * time.Second)
					p.s.Dispatch(t.Context())
				}
				for id, own := range p.own {
					if !own {
						t.Errorf("%s has not got its own control back five minutes after the limit ended", id)
					}
				}
			})
		}
	}
}

// TestMeterComesAndGoes: a meter that is heard of every other minute only does not toss devices between their own control and ours, and the limit is kept.
func TestMeterComesAndGoes(t *testing.T) {
	p := newPlant(t)
	p.d.Sites[0].ImportLimitKW = 25
	p.load = 5
	p.measure("bat", district.SOC, 0.5)
	for i := range 480 { // 40 minutes
		var silent []string
		if i%20 >= 2 {
			silent = []string{"grid"}
		}
		p.advance(5*time.Second, silent...)
		p.s.Dispatch(t.Context())
		if over := p.net() - 25; over > 0.01 {
			t.Fatalf("round %d: %.2f kW over the limit", i, over)
		}
	}
	if len(p.changes) > 4 {
		t.Errorf("devices went between their own control and ours %d times: %v", len(p.changes), p.changes)
	}
}

// TestCurtailmentStands: with a plan, an inverter that a limit holds back is not let go in the next round because its own measurement now shows that the limit is kept.
func TestCurtailmentStands(t *testing.T) {
	p := newPlant(t)
	p.d.Sites[0].ExportLimitKW = 6
	p.measure("bat", district.SOC, 0.9)
	p.sun, p.load = 20, 2
	p.advance(0)
	p.solve = func(pr *problem.Problem) (*problem.Solution, error) { return idlePlan(pr), nil }
	if _, err := p.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		p.s.Dispatch(t.Context())
		if over := -p.net() - 6; over > 0.01 {
			t.Fatalf("round %d: %.2f kW over the export limit", i, over)
		}
		p.advance(5 * time.Second)
	}
}

// TestSunIsLetUpStepByStep: what the sun would give is not known while it is held back; once the limit is wider it is let up by a tenth of its power a round, and in the end whole.
func TestSunIsLetUpStepByStep(t *testing.T) {
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
	if share := p.cmd["pv"]; share > 0.42 {
		t.Fatalf("the sun is at %v, want 0.4 within the limit", share)
	}
	p.d.Sites[0].ExportLimitKW = 40
	for before, i := p.cmd["pv"], 0; i < 90; i++ {
		p.s.Dispatch(t.Context())
		p.advance(5 * time.Second)
		if now := p.cmd["pv"]; now > before+0.111 {
			t.Fatalf("from %v to %v in a round, want a tenth at most", before, now)
		} else {
			before = now
		}
	}
	if share := p.cmd["pv"]; share != 1 {
		t.Errorf("the sun is at %v minutes after the limit was widened, want all of it", share)
	}
}

// TestPlannerDiesAtTheLimit: what a plan held within a limit is not let go at once when there is no plan any more.
func TestPlannerDiesAtTheLimit(t *testing.T) {
	p := newPlant(t)
	p.load = 5
	p.d.Sites[0].ImportLimitKW = 10
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
	for i := range 120 {
		p.advance(5 * time.Second)
		p.s.Dispatch(t.Context())
		if over := p.net() - 10; over > 0.01 {
			t.Fatalf("round %d without a plan: %.2f kW over the limit", i, over)
		}
	}
}

// TestSafeStates is the table of package dispatch, row by row: what each kind of device is told where the plan cannot be followed.
func TestSafeStates(t *testing.T) {
	const own = math.MaxFloat64
	all := func(v float64) map[string]float64 {
		return map[string]float64{"ev": v, "bat": v, "pv": v, "hp": v, "tank": v}
	}
	with := func(m map[string]float64) map[string]float64 {
		out := all(own)
		for k, v := range m {
			out[k] = v
		}
		return out
	}
	fail := func(*problem.Problem) (*problem.Solution, error) { return nil, errors.New("no plan") }
	for _, tt := range []struct {
		name       string
		imp, exp   float64 // 0: none
		ofDistrict bool
		load, sun  float64
		soc        float64
		stale      []string
		prepare    func(*plant)
		want       map[string]float64
	}{
		{name: "no plan, nothing limited", load: 5, want: all(own)},
		{name: "no plan, no limit in need", load: 5, imp: 30, exp: 30, want: all(own)},
		{name: "no plan, too much draw: the car first", load: 5, imp: 18, want: with(map[string]float64{"ev": 10})}, // 11 A would leave 0.2 kW, less than half a step
		{name: "no plan, more draw: the car is paused, the battery delivers", load: 5, imp: 5, want: with(map[string]float64{"ev": 0, "bat": -5.2})},
		{name: "no plan, much more draw: the heater, then the pump", load: 5, imp: 5, soc: 0.1, want: with(map[string]float64{"ev": 0, "tank": 0, "hp": 1})},
		{name: "no plan, too much feed: the battery takes it", load: 0, sun: 20, exp: 1, want: with(map[string]float64{"bat": 2.8})},
		{name: "no plan, more feed than the battery takes: the sun is limited", load: 0, sun: 20, exp: 1, soc: 0.9, want: with(map[string]float64{"pv": 0.86})},
		{name: "connection not measured, nothing limited", load: 5, stale: []string{"grid"}, want: all(own)},
		{name: "connection not measured, import limited", load: 5, imp: 12, stale: []string{"grid"}, want: with(map[string]float64{"ev": 8, "bat": 0})},
		{name: "connection not measured, safe current below the share", load: 5, imp: 30, stale: []string{"grid"}, want: with(map[string]float64{"ev": 16, "bat": 0})},
		{name: "connection not measured, the share is below 6 A", load: 5, imp: 8, stale: []string{"grid"}, want: with(map[string]float64{"ev": 0, "bat": 0})},
		{name: "connection not measured, export limited", load: 5, sun: 20, exp: 5, stale: []string{"grid"}, want: with(map[string]float64{"pv": 0.25, "bat": 0})},
		{name: "connection of the district not measured", load: 5, sun: 20, imp: 12, exp: 5, ofDistrict: true, stale: []string{"grid"}, want: with(map[string]float64{"ev": 8, "pv": 0.25, "bat": 0})},
		{name: "devices not measured, nothing limited", load: 5, stale: []string{"ev", "bat", "pv", "hp", "tank"}, want: all(own)},
		{name: "devices not measured, import limited", load: 5, imp: 12, stale: []string{"ev", "bat", "pv", "hp", "tank"}, want: with(map[string]float64{"ev": 8, "bat": 0})},
		{name: "devices not measured, export limited", load: 5, exp: 5, stale: []string{"ev", "bat", "pv", "hp", "tank"}, want: with(map[string]float64{"bat": 0, "pv": 0.25})},
		{name: "one device not measured: the others keep the limit", load: 5, imp: 12, stale: []string{"bat"}, want: with(map[string]float64{"ev": 0, "bat": 0})},
		{name: "one device not measured: nothing is asked of it", load: 5, imp: 8, stale: []string{"bat"}, want: with(map[string]float64{"ev": 0, "tank": 0, "bat": 0})},
		{name: "paused", load: 5, imp: 5, want: with(map[string]float64{"bat": -10, "tank": 0, "hp": 1}), prepare: func(p *plant) {
			p.s.Pause(Pause{Site: "s", Device: "ev", Reason: "work", Until: p.now.Add(time.Hour)})
		}},
		{name: "no car", load: 5, imp: 12, stale: []string{"grid"}, want: with(map[string]float64{"bat": 0}), prepare: func(p *plant) { p.measure("ev", district.Connected, 0) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlant(t)
			p.solve, p.load, p.sun = fail, tt.load, tt.sun
			if tt.soc > 0 {
				p.measure("bat", district.SOC, tt.soc)
			}
			limit := func(kw float64) float64 {
				if kw == 0 {
					return math.Inf(1)
				}
				return kw
			}
			if tt.ofDistrict {
				p.d.ImportLimitKW, p.d.ExportLimitKW = limit(tt.imp), limit(tt.exp)
			} else {
				p.d.Sites[0].ImportLimitKW, p.d.Sites[0].ExportLimitKW = limit(tt.imp), limit(tt.exp)
			}
			p.advance(0)
			if tt.prepare != nil {
				tt.prepare(p)
			}
			p.advance(2*time.Minute, tt.stale...)
			p.s.Dispatch(t.Context())
			for id, want := range tt.want {
				switch {
				case (want == own) != p.own[id]:
					t.Errorf("%s: own control %v (told %v), want %v", id, p.own[id], p.cmd[id], want == own)
				case want != own && math.Abs(p.cmd[id]-want) > 0.051:
					t.Errorf("%s was told %v, want %v", id, p.cmd[id], want)
				}
			}
			for _, l := range p.lines {
				if l.Reason == "" || l.Outcome != district.SafeMode && l.Outcome != district.Clipped {
					t.Errorf("ledger: %+v", l)
				}
				if len(tt.stale) > 0 && l.Outcome == district.SafeMode && !strings.HasPrefix(l.Reason, ReasonSafe) && !strings.HasPrefix(l.Reason, ReasonIdle) {
					t.Errorf("%s: a safe state for the reason %q", l.Device, l.Reason)
				}
			}
		})
	}
}

// TestLimitThatCannotBeKeptIsLoggedOnce: when it begins, every ten minutes while it lasts, and when it ends, not in every round.
func TestLimitThatCannotBeKeptIsLoggedOnce(t *testing.T) {
	w := newTown(t)
	log := &logtest.Buffer{}
	w.s.cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	w.d.Sites[0].ImportLimitKW = 30
	for range 4 * 60 {
		w.after(t, 5*time.Second, 50)
	}
	for range 3 {
		w.after(t, 5*time.Second, 5)
	}
	for text, want := range map[string]int{"limit cannot be kept": 2, "limit can be kept again": 1} {
		if got := strings.Count(log.String(), text); got != want {
			t.Errorf("%q is logged %d times in 20 minutes, want %d:\n%s", text, got, want, log.String())
		}
	}
}
