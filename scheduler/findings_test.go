package scheduler

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// TestPlannerThatFails: a panic, nothing at all and a plan that is none are errors that say so; the plan before stays in force.
func TestPlannerThatFails(t *testing.T) {
	w := newTown(t)
	first, err := w.s.Replan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.s.cfg.Check = func(_ *problem.Problem, sol *problem.Solution) error {
		if sol.Device("s", "bat").PowerKW[0] > 10 {
			return errors.New("charges with more than it can")
		}
		return nil
	}
	for _, tt := range []struct {
		want  string
		solve func(*problem.Problem) (*problem.Solution, error)
	}{
		{"panic: out of range", func(*problem.Problem) (*problem.Solution, error) { panic("out of range") }},
		{"neither a plan nor an error", func(*problem.Problem) (*problem.Solution, error) { return nil, nil }},
		{"is not what it says: charges", func(p *problem.Problem) (*problem.Solution, error) {
			sol := idlePlan(p)
			sol.Device("s", "bat").PowerKW[0] = 500
			return sol, nil
		}},
	} {
		w.solve = tt.solve
		_, err := w.s.Replan(t.Context())
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
		w.s.attempted(err)
		if f := w.s.Findings(); len(f) != 1 || f[0].Key != PlanFailed || !strings.Contains(f[0].Detail, tt.want) {
			t.Errorf("findings %+v", f)
		}
	}
	if p, _ := w.s.Plan(); p != first {
		t.Error("the plan before is gone")
	}
	w.s.attempted(nil)
	if f := w.s.Findings(); len(f) != 0 {
		t.Errorf("findings after a plan: %+v", f)
	}
}

// TestPricesThatCannotBe: single ones are replaced, and a source that says nothing is replaced by what it said for the same time of day.
func TestPricesThatCannotBe(t *testing.T) {
	w := newTown(t)
	given := constant(0.2, 144)
	given[0], given[9] = 0.1, 0.3
	var fail error
	w.s.cfg.Prices = prices(func() ([]float64, error) { return given, fail })
	of := func(start time.Time) inputs {
		t.Helper()
		in := inputs{start: start, step: 15 * time.Minute, steps: 144}
		if err := w.s.pricesOf(&in, timegrid.NewSpan(start, start.Add(36*time.Hour))); err != nil {
			t.Fatal(err)
		}
		return in
	}
	of(noon)
	fail = errors.New("silent")
	if in := of(noon.Add(15 * time.Minute)); in.importPrice[8] != 0.3 || in.importPrice[143] != 0.2 || w.s.Findings()[0].Key != PriceMissing {
		t.Errorf("prices %v, findings %+v", in.importPrice, w.s.Findings())
	}
	fail, given[3] = nil, 4000
	given[5] = math.NaN()
	if in := of(noon); in.importPrice[3] != 0.2 || in.importPrice[5] != 0.2 || in.importPrice[9] != 0.3 || w.s.Findings()[0].Key != PriceAbsurd {
		t.Errorf("prices %v, findings %+v", in.importPrice, w.s.Findings())
	}
	given = constant(0.2, 144)
	if of(noon); len(w.s.Findings()) != 0 {
		t.Errorf("findings %+v", w.s.Findings())
	}
}

type prices func() ([]float64, error)

func (p prices) Import(timegrid.Span, time.Duration) ([]float64, error) { return p() }
func (p prices) Export(timegrid.Span, time.Duration) ([]float64, error) { return p() }

// TestHeldDeviceCounts: a device that may not be told anything new yet, for its own sake or for that of its register, goes on as it does, and the limits are kept with that and not with what the plan
// wants of it: a pump that runs on leaves no room for a car, and one that may not start takes up no sun.
func TestHeldDeviceCounts(t *testing.T) {
	for _, tt := range []struct {
		name string
		hold func(*town)
	}{
		{"minimum hold", func(w *town) { w.hold = 10 * time.Minute }},
		{"writes that wear", func(w *town) { w.wear = 10 * time.Minute }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newTown(t)
			w.d.Sites[0].ImportLimitKW, w.d.Sites[0].ExportLimitKW = 10, 5
			w.s.cfg.Wall = w.s.cfg.Now
			w.s.cfg.KeepToPlan = true // a battery would make room
			tt.hold(w)
			want := map[string]float64{}
			w.solve = func(p *problem.Problem) (*problem.Solution, error) {
				sol := idlePlan(p)
				for id, kw := range want {
					sol.Device("s", id).PowerKW[0] = kw
				}
				return sol, nil
			}
			round := func(after time.Duration, plan, does map[string]float64) {
				t.Helper()
				want = plan
				w.now = w.now.Add(after)
				w.refresh()
				for id, kw := range does {
					w.measure(id, district.PowerKW, kw)
				}
				if _, err := w.s.Replan(t.Context()); err != nil {
					t.Fatal(err)
				}
				w.s.Dispatch(t.Context())
			}
			round(0, map[string]float64{"hp": 4, "ev": 4.2}, nil)
			round(time.Minute, map[string]float64{"ev": 4.2}, map[string]float64{"hp": 4, "grid": 9}) // the plan has changed its mind, the pump runs on
			if got := w.last(t, "ev"); got != 0 {
				t.Errorf("the car got %v A: 9 kW are drawn, and with 4.2 kW of the car it is over 10 kW as long as the pump runs", got)
			}
			round(15*time.Minute, map[string]float64{"bat": 4}, map[string]float64{"hp": 4, "grid": 0})
			round(5*time.Second, map[string]float64{"bat": 4}, map[string]float64{"hp": 0, "bat": 4, "grid": -5})
			round(5*time.Second, map[string]float64{"hp": 4}, map[string]float64{"hp": 0, "bat": 4, "grid": -5}) // it would rather have the pump take the sun
			if got := w.last(t, "bat"); got != 4 {
				t.Errorf("the battery was told %v kW: 5 kW are fed, and without its 4 kW it is over 5 kW as long as the pump may not start", got)
			}
		})
	}
}

// TestDeafBatteryHasNoShare: a battery that does not do what it is told, or cannot be told, has no share in what comes, and the other one answers for both; it is told again, and shares again once it hears.
func TestDeafBatteryHasNoShare(t *testing.T) {
	w := newTown(t)
	two := *w.d.Device("s", "bat")
	two.ID = "bat2"
	w.d.Sites[0].Devices = append(w.d.Sites[0].Devices, two)
	w.measure("bat2", district.PowerKW, 0)
	w.measure("bat2", district.SOC, 0.5)
	w.s.cfg.Prices = &evening{noon.Add(time.Hour), 0.4, 0.1}
	w.s.cfg.Wall = w.s.cfg.Now
	hears := true
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	after := func(rounds int) {
		t.Helper()
		for range rounds {
			w.now = w.now.Add(5 * time.Second)
			w.refresh()
			net := 8.0
			for _, id := range []string{"bat", "bat2"} {
				kw := 0.0
				if n := len(w.writes[id]); n > 0 && (id == "bat" || hears) {
					kw = w.writes[id][n-1]
				}
				w.measure(id, district.PowerKW, kw)
				net += kw
			}
			w.measure("grid", district.PowerKW, net)
			w.s.Dispatch(t.Context())
		}
	}
	after(3)
	if a, b := w.last(t, "bat"), w.last(t, "bat2"); a > -3.5 || b > -3.5 {
		t.Fatalf("batteries at %v and %v kW of 8 kW, want about half each", a, b)
	}
	hears = false
	after(6)
	for range 60 {
		after(1)
		if got := w.last(t, "bat"); got > -7.8 {
			t.Fatalf("battery at %v kW of 8 kW beside one that does nothing, want all of it", got)
		}
	}
	if f := w.s.Findings(); len(f) != 1 || f[0].Key != CommandIgnored || f[0].Device != "bat2" {
		t.Errorf("found %+v, want bat2 that ignores commands", f)
	}
	hears = true
	after(12)
	if a, b := w.last(t, "bat"), w.last(t, "bat2"); a > -3.5 || b > -3.5 {
		t.Errorf("batteries at %v and %v kW once both hear, want about half each", a, b)
	}
}

// unreachable is a device whose commands do not arrive.
type unreachable struct {
	machine
	tries *int
}

func (u unreachable) Write(context.Context, string, float64) (drivers.Reading, error) {
	*u.tries++
	return drivers.Reading{}, drivers.ErrUnreachable
}

// TestDeafChargerIsMadeUpFor: a car that goes on charging, because its charger does not do what it is told or cannot be told, counts with what it draws: a battery makes up for it, the charger is told
// again, and an alarm names it.
func TestDeafChargerIsMadeUpFor(t *testing.T) {
	for _, key := range []string{CommandIgnored, CommandFailed} {
		t.Run(key, func(t *testing.T) {
			w := newTown(t)
			w.s.cfg.Wall = w.s.cfg.Now
			w.s.cfg.KeepToPlan = true
			w.d.Sites[0].ImportLimitKW = 10
			tries := 0
			if key == CommandFailed {
				w.s.cfg.Driver = func(site, id string) (drivers.Driver, bool) {
					d, ok := w.driver(site, id)
					if id == "ev" {
						return unreachable{d.(machine), &tries}, ok
					}
					return d, ok
				}
			}
			if _, err := w.s.Replan(t.Context()); err != nil {
				t.Fatal(err)
			}
			net := 0.0
			rounds := func(n int) {
				t.Helper()
				for range n {
					w.now = w.now.Add(5 * time.Second)
					w.refresh()
					bat := 0.0
					if n := len(w.writes["bat"]); n > 0 {
						bat = w.writes["bat"][n-1]
					}
					net = 6 + 7 + bat
					w.measure("bat", district.PowerKW, bat)
					w.measure("ev", district.PowerKW, 7)
					w.measure("grid", district.PowerKW, net)
					w.s.Dispatch(t.Context())
				}
			}
			rounds(7)
			if net > 10.05 {
				t.Errorf("%.1f kW drawn half a minute after the car was to pause, limit 10 kW", net)
			}
			told := len(w.writes["ev"]) + tries
			rounds(26)
			if net > 10.05 {
				t.Errorf("%.1f kW drawn later, limit 10 kW", net)
			}
			if again := len(w.writes["ev"]) + tries - told; again < 1 || again > 4 {
				t.Errorf("the charger was told %v A, again %d times in two minutes; want it told about once a minute", w.writes["ev"], again)
			}
			if f := w.s.Findings(); len(f) != 1 || f[0].Key != key || f[0].Device != "ev" {
				t.Errorf("found %+v, want %s of the charger", f, key)
			}
		})
	}
}

// TestDeafIsToldTheLimit: where nothing else can keep a limit, a charger that ignores commands is told what the limit needs of it all the same, and not what was planned, for when it hears again.
func TestDeafIsToldTheLimit(t *testing.T) {
	w := newTown(t)
	w.s.cfg.Wall = w.s.cfg.Now
	w.s.cfg.KeepToPlan = true
	w.d.Sites[0].ImportLimitKW = 10
	w.measure("bat", district.SOC, 0.05)
	w.solve = func(p *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(p)
		sol.Device("s", "ev").PowerKW[0] = 7
		return sol, nil
	}
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range 24 {
		w.now = w.now.Add(5 * time.Second)
		w.refresh()
		w.measure("ev", district.PowerKW, 7)
		w.measure("grid", district.PowerKW, 13)
		w.s.Dispatch(t.Context())
	}
	if got := w.last(t, "ev"); got != 0 {
		t.Errorf("told %v A, want a pause: 13 kW are drawn, 3 too many, and 4 kW are below its least", got)
	}
}
