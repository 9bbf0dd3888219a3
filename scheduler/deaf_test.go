package scheduler

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/scheduler/observe"
	"quartier/schemas/district"
)

// deafness is a device that takes no command, or takes each and does not act on it.
type deafness struct {
	follower
	fails error
	tried *[]float64
}

func (d deafness) Write(ctx context.Context, name string, v float64) (drivers.Reading, error) {
	*d.tried = append(*d.tried, v)
	return drivers.Reading{Point: name, Value: v}, d.fails
}

func (d deafness) Release(ctx context.Context) (drivers.Reading, error) {
	*d.tried = append(*d.tried, givenBack)
	return d.follower.Release(ctx)
}

// givenBack is among the commands that were tried where a device was to have its own control.
const givenBack = -1

// deafen makes a device of a plant take no command, or ignore each, from now on; the result are the commands that were tried.
func (p *plant) deafen(id string, fails error) *[]float64 {
	tried, own := new([]float64), p.s.cfg.Driver
	p.s.cfg.Driver = func(site, dev string) (drivers.Driver, bool) {
		d, ok := own(site, dev)
		if f, is := d.(follower); is && dev == id {
			return deafness{f, fails, tried}, ok
		}
		return d, ok
	}
	return tried
}

// TestDeafDeviceGetsItsOwnControl: one that does not do what it was told has its own control when there is no plan any more, once no limit needs it.
func TestDeafDeviceGetsItsOwnControl(t *testing.T) {
	p := newPlant(t)
	p.load = 5
	p.solve = func(pr *problem.Problem) (*problem.Solution, error) { return idlePlan(pr), nil }
	p.advance(0)
	if _, err := p.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.own["ev"] = true
	p.deafen("ev", nil) // it draws 11 kW whatever it is told
	for range 12 {
		p.advance(5 * time.Second)
		p.s.Dispatch(t.Context())
	}
	if !p.s.unheeding(observe.Key{Site: "s", Device: "ev"}, p.now) {
		t.Fatal("the car is told to pause, draws 11 kW for a minute and is taken to do as told")
	}
	p.changes = nil
	p.s.plan, p.s.solution = nil, nil
	p.advance(5 * time.Second)
	p.s.Dispatch(t.Context())
	if st, _ := p.s.sender.Standing("s", "ev"); !st.Own {
		t.Errorf("without a plan the car is told %+v, want its own control", st)
	}
	if l := p.linesOf("ev"); l[len(l)-1].Outcome != district.SafeMode || !strings.HasPrefix(l[len(l)-1].Reason, ReasonSafe) {
		t.Errorf("the ledger says %+v", l[len(l)-1])
	}
}

// TestCarThatTakesNoCommandIsTriedWithLittle: what is tried on a charging point that takes no command is never more than it draws, so that its hearing again passes no limit that others make up for.
func TestCarThatTakesNoCommandIsTriedWithLittle(t *testing.T) {
	p := newPlant(t)
	p.load = 2
	p.solve = func(pr *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(pr)
		for i := range sol.Device("s", "ev").PowerKW {
			sol.Device("s", "ev").PowerKW[i] = 11
		}
		return sol, nil
	}
	p.own["ev"], p.cmd["ev"] = false, 7 // 4.83 kW
	p.advance(0)
	if _, err := p.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	tried := p.deafen("ev", errors.New("no answer"))
	wall := time.Now()
	p.s.cfg.Wall = func() time.Time { return wall }
	for range 40 {
		p.advance(5 * time.Second)
		wall = wall.Add(5 * time.Second)
		p.s.Dispatch(t.Context())
	}
	if len(*tried) < 3 {
		t.Fatalf("tried were %v A in 200 s", *tried)
	}
	for i, a := range *tried {
		if i > 0 && a > 7 { // before the first failure nobody knows
			t.Errorf("try %d was %v A of a car that draws at 7 A", i, a)
		}
	}
}

// TestSafeShareIsTriedOnWhoFails: a charging point whose commands fail and that is not measured is told its share of the limit again and again; it is not given up.
func TestSafeShareIsTriedOnWhoFails(t *testing.T) {
	p := newPlant(t)
	p.d.Sites[0].ImportLimitKW = 12
	p.load = 2
	tried := p.deafen("ev", errors.New("no answer"))
	wall := time.Now()
	p.s.cfg.Wall = func() time.Time { return wall }
	p.advance(2*time.Minute, "ev")
	for range 20 {
		p.advance(5*time.Second, "ev")
		wall = wall.Add(5 * time.Second)
		p.s.Dispatch(t.Context())
	}
	if len(*tried) < 3 || slices.ContainsFunc(*tried, func(a float64) bool { return a > 8 || a == givenBack }) {
		t.Errorf("tried were %v A, want 8 A at most, half of 12 kW, three times at least, and never its own control", *tried)
	}
}

// TestDeafDeviceAtALimit: a car that does not do what it was told, and that a limit needs to give way, is told so again when there is no plan any more, and does not get its own control.
func TestDeafDeviceAtALimit(t *testing.T) {
	p := newPlant(t)
	p.measure("bat", district.SOC, 0.1) // it gives nothing
	p.load = 5
	p.solve = func(pr *problem.Problem) (*problem.Solution, error) { return idlePlan(pr), nil }
	p.advance(0)
	if _, err := p.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.own["ev"] = true
	tried := p.deafen("ev", nil) // it draws 11 kW whatever it is told
	wall := time.Now()
	p.s.cfg.Wall = func() time.Time { return wall }
	round := func(n int) {
		for range n {
			p.advance(5 * time.Second)
			wall = wall.Add(5 * time.Second)
			p.s.Dispatch(t.Context())
		}
	}
	round(12)
	p.d.Sites[0].ImportLimitKW = 12
	p.s.plan, p.s.solution = nil, nil
	n := len(*tried)
	round(36)
	if len(*tried) == n {
		t.Error("nothing is tried in three minutes beyond a limit")
	}
	for _, a := range (*tried)[n:] {
		if a > 10 { // 7 kW
			t.Errorf("the car is told %v A where 12 kW may be drawn and it draws 11 kW beside 5 kW", a)
		}
		if a == givenBack {
			t.Fatal("the car has its own control while a limit needs it")
		}
	}
}

// TestHeldBatteryTakesNothing: a battery that goes on discharging less than is planned, since it may not be told more yet, takes nothing that an inverter could feed for; one that goes on charging more than is planned does.
func TestHeldBatteryTakesNothing(t *testing.T) {
	for _, tt := range []struct{ first, then, taken float64 }{{-2, -5, 0}, {-5, -2, 0}, {5, 2, 3}, {2, 5, 0}} {
		p := newPlant(t)
		p.s.cfg.KeepToPlan = true
		p.holdBattery(10 * time.Minute)
		kw := tt.first
		p.solve = func(pr *problem.Problem) (*problem.Solution, error) {
			sol := idlePlan(pr)
			for i := range sol.Device("s", "bat").PowerKW {
				sol.Device("s", "bat").PowerKW[i] = kw
			}
			return sol, nil
		}
		p.measure("bat", district.SOC, 0.5)
		planned(t, p.town)
		p.s.Dispatch(t.Context())
		kw = tt.then
		p.advance(5 * time.Second)
		plan, err := p.s.Replan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		jobs, _ := p.s.siteJobs(&p.d.Sites[0], p.s.observe(p.now), plan, 0, true, nil)
		for _, j := range jobs {
			if j.wish.Device == "bat" && math.Abs(j.wish.TakenKW-tt.taken) > 1e-9 {
				t.Errorf("planned %v kW, then %v kW within its hold: it takes %v kW, want %v kW", tt.first, tt.then, j.wish.TakenKW, tt.taken)
			}
		}
	}
}
