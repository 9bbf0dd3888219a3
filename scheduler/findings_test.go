package scheduler

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

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

// TestHeldDeviceCounts: a device that may not be told anything new yet goes on, and the limit is kept with what it does and not with what the plan wants of it.
func TestHeldDeviceCounts(t *testing.T) {
	w := newTown(t)
	w.d.Sites[0].ImportLimitKW = 10
	w.s.cfg.KeepToPlan = true // a battery would make room
	w.hold = 10 * time.Minute
	hp, ev := 4.0, 4.2
	w.solve = func(p *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(p)
		sol.Device("s", "hp").PowerKW[0], sol.Device("s", "ev").PowerKW[0] = hp, ev
		return sol, nil
	}
	w.s.Replan(t.Context())
	w.s.Dispatch(t.Context())
	hp = 0 // the plan has changed its mind, the pump runs on
	w.now = w.now.Add(time.Minute)
	w.refresh()
	w.measure("hp", district.PowerKW, 4)
	w.measure("grid", district.PowerKW, 9)
	w.s.Replan(t.Context())
	w.s.Dispatch(t.Context())
	if got := w.last(t, "ev"); got != 0 {
		t.Errorf("the car got %v A: 9 kW are drawn, and with 4.2 kW of the car it is over 10 kW as long as the pump runs", got)
	}
}
