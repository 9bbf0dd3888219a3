package scheduler

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"quartier/optimizer/problem"
	"quartier/scheduler/observe"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// TestProblemIsTheState: the problem that is asked is valid, and says what was measured.
func TestProblemIsTheState(t *testing.T) {
	w := newTown(t)
	w.measure("tank", district.TankC, 60)
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	p := w.asked[0]
	if err := problem.Validate(p); err != nil {
		t.Fatalf("the problem is refused: %v", err)
	}
	if p.Steps != 144 || p.Sites[0].LoadKW[0] != 11 { // 5 kW drawn and 6 kW of sun used
		t.Errorf("steps %d load %v kW, want 144 and 11 kW", p.Steps, p.Sites[0].LoadKW[0])
	}
	for _, dev := range p.Sites[0].Devices {
		switch x := dev.(type) {
		case *problem.Battery:
			if x.InitialKWh != 20 || x.CapacityKWh != 36 || x.MinKWh != 4 {
				t.Errorf("battery %+v, want 20 kWh in [4, 36]", x)
			}
		case *problem.EV: // 12:00 in Paris, ready by 07:00: 19 hours
			if len(x.Sessions) != 1 || x.Sessions[0] != (problem.Session{ArriveStep: 0, DepartStep: 76, InitialKWh: 2, TargetKWh: 20}) {
				t.Errorf("car %+v, want a session to step 76 from 2 to 20 kWh", x.Sessions)
			}
		case *problem.WaterHeater:
			// nothing is known of its draws, so half of what is usable is held ready, and the plan has the rest
			half := 12 * (62. - 50) / (62 - coldWaterC) / 2
			if want := 12*(60.-50)/(62-coldWaterC) - half; math.Abs(x.InitialKWh-want) > 1e-9 || math.Abs(x.CapacityKWh-half) > 1e-9 {
				t.Errorf("tank holds %v of %v kWh above 50 °C and what is held ready, want %v kWh of %v", x.InitialKWh, x.CapacityKWh, want, half)
			}
		}
	}
	if len(p.Sites[0].Devices) != 5 {
		t.Errorf("%d devices are planned, want 5", len(p.Sites[0].Devices))
	}
}

// TestColdNeverPays: eight hours at half a kelvin below the band on average cost more than moving a kelvin's heat could save between 0.70 and 0.20 EUR/kWh, whatever the building.
func TestColdNeverPays(t *testing.T) {
	for _, capacity := range []float64{2, 8, 60, 180, 900} {
		dev := district.Device{ID: "hp", Kind: district.HeatPump, HeatPump: &district.HeatPumpParams{MaxKW: 18, COPNominal: 3, CapacityKWhPerK: capacity, ResistanceKPerKW: 1, MinC: 19, MaxC: 22}}
		x := heatPumpDevice(&dev, observe.Device{}, inputs{steps: 4, step: 15 * time.Minute, outdoorC: []float64{0, 0, 0, 0}}, roomOutlook{})
		if cost, saved := x.Zone.DiscomfortCostPerKH*0.5*8, capacity/3*(0.70-0.20); cost < saved {
			t.Errorf("in a building of %v kWh/K cold costs %.2f EUR and saves %.2f EUR", capacity, cost, saved)
		}
	}
}

// TestColdTank: what lacks to the lowest temperature at the tap is wanted at once, as fast as the heater can, and no more than that.
func TestColdTank(t *testing.T) {
	w := newTown(t)
	w.measure("tank", district.TankC, 30)
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, dev := range w.asked[0].Sites[0].Devices {
		x, ok := dev.(*problem.WaterHeater)
		if !ok {
			continue
		}
		full := 0 // steps
		for full < len(x.DrawKW) && x.DrawKW[full] > x.MaxKW-1e-9 {
			full++
		}
		for k, kw := range x.DrawKW {
			if kw > x.MaxKW+1e-9 || k > full && kw > x.MaxKW/2 {
				t.Errorf("step %d: %v kW are wanted of a heater of %v kW, which is full on for %d steps", k, kw, x.MaxKW, full)
			}
		}
		// to the lowest temperature, and half of what is usable, with up to a third more for what is drawn and lost meanwhile
		lacks := 12 * (56. - 30) / (62 - coldWaterC)
		if got := x.MaxKW * 0.25 * float64(full+1); x.InitialKWh != 0 || got < lacks || got > lacks*4/3+x.MaxKW/4 {
			t.Errorf("a tank of 30 °C holds %v kWh and is given %v kWh at once, it lacks %v", x.InitialKWh, got, lacks)
		}
	}
}

// TestUnknownStateIsNotPlanned: a device whose state is not known goes into the load with what it does now, for an hour.
func TestUnknownStateIsNotPlanned(t *testing.T) {
	w := newTown(t)
	delete(w.live, district.NewSeriesID("d", "s", "hp", district.IndoorC))
	w.measure("hp", district.PowerKW, 3)
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	load := w.asked[0].Sites[0].LoadKW
	if load[0] != 8+3 || load[4] != 8 {
		t.Errorf("load %v kW now and %v kW in an hour, want 11 and 8", load[0], load[4])
	}
}

// TestDispatchFollowsThePlan, in each device's own terms, with a line for each decision.
func TestDispatchFollowsThePlan(t *testing.T) {
	w := newTown(t)
	w.s.cfg.KeepToPlan = true
	w.solve = func(p *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(p)
		for id, kw := range map[string]float64{"bat": 7.5, "ev": 11, "hp": 4, "tank": 2.2} {
			sol.Device("s", id).PowerKW[0] = kw
		}
		return sol, nil
	}
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.s.Dispatch(t.Context())
	for id, want := range map[string]float64{"bat": 7.5, "ev": 15, "hp": 3, "tank": 1, "pv": 1} {
		if got := w.last(t, id); got != want {
			t.Errorf("%s got %v, want %v", id, got, want)
		}
	}
	if len(w.lines) != 5 {
		t.Errorf("%d lines in the ledger, want 5: %+v", len(w.lines), w.lines)
	}
	for _, l := range w.lines {
		if l.Outcome != district.Applied || l.Reason == "" || l.PlanID != 1 {
			t.Errorf("line %+v, want applied with a reason and plan 1", l)
		}
	}
}

// TestLimitsHoldWhateverThePlanSays: 5 kW drawn and 25 kW wanted on top pass the 12 kW connection; the car gives way first, then the battery.
func TestLimitsHoldWhateverThePlanSays(t *testing.T) {
	w := newTown(t)
	w.s.cfg.KeepToPlan = true
	w.d.Sites[0].ImportLimitKW = 12
	w.solve = func(p *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(p)
		sol.Device("s", "bat").PowerKW[0] = 10
		sol.Device("s", "ev").PowerKW[0] = 11
		sol.Device("s", "hp").PowerKW[0] = 4
		return sol, nil
	}
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.s.Dispatch(t.Context())
	if ev, bat, hp := w.last(t, "ev"), w.last(t, "bat"), w.last(t, "hp"); ev != 0 || bat != 3 || hp != 3 {
		t.Errorf("car %v A, battery %v kW, heat pump state %v; want 0 A, 3 kW (12 - 5 - 4), 3", ev, bat, hp)
	}
}

// TestSafeState: stale measurements, no plan and an old plan each give every device its own control back.
func TestSafeState(t *testing.T) {
	safe := map[string]float64{"bat": 0, "ev": 16, "hp": 2, "tank": 1, "pv": 1}
	for _, tt := range []struct {
		name string
		make func(w *town)
	}{
		{"no plan was ever made", func(*town) {}},
		{"measurements are stale", func(w *town) { w.s.Replan(context.Background()); w.now = w.now.Add(61 * time.Second) }},
		{"the plan is too old", func(w *town) {
			w.s.Replan(context.Background())
			w.now = w.now.Add(2*time.Hour + time.Second)
			w.refresh()
		}},
		{"the planner died", func(w *town) {
			w.solve = func(*problem.Problem) (*problem.Solution, error) { return nil, errors.New("gone") }
			if _, err := w.s.Replan(context.Background()); err == nil {
				panic("a dead planner made a plan")
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newTown(t)
			tt.make(w)
			w.s.Dispatch(t.Context())
			for id, want := range safe {
				if got := w.last(t, id); got != want {
					t.Errorf("%s got %v, want its safe value %v", id, got, want)
				}
			}
			for _, l := range w.lines {
				if l.Outcome != district.SafeMode {
					t.Errorf("line %+v, want safe_mode", l)
				}
			}
		})
	}
}

// TestPause: a paused device gets its own control back and comes back to the plan afterwards; others are not touched.
func TestPause(t *testing.T) {
	w := newTown(t)
	w.s.cfg.KeepToPlan = true
	w.s.Replan(t.Context())
	if err := w.s.Pause(Pause{Site: "s", Device: "grid"}); err == nil {
		t.Error("a meter was paused, want an error")
	}
	if err := w.s.Pause(Pause{Site: "s", Device: "ev", Reason: "guest", Until: w.now.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	w.s.Dispatch(t.Context())
	if got := w.last(t, "ev"); got != 16 {
		t.Errorf("paused car got %v A, want 16 A", got)
	}
	if got := w.last(t, "bat"); got != 0 {
		t.Errorf("battery got %v kW, want the plan's 0", got)
	}
	w.s.Resume("s", "ev", "op", "done")
	w.s.Dispatch(t.Context())
	if got := w.last(t, "ev"); got != 0 {
		t.Errorf("resumed car got %v A, want the plan's pause", got)
	}
}

// TestRunReleases: when the scheduler stops, every device has its own control again.
func TestRunReleases(t *testing.T) {
	w := newTown(t)
	w.s.cfg.DispatchEvery, w.s.cfg.ReplanEvery = 5*time.Millisecond, 20*time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.s.Run(ctx) }()
	deadline := time.Now().Add(10 * time.Second)
	for {
		w.mu.Lock()
		n := len(w.writes["bat"])
		w.mu.Unlock()
		if n > 0 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("nothing was dispatched in 10 s")
		}
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	<-done
	if got := w.last(t, "ev"); got != 16 {
		t.Errorf("car has %v A after the end, want 16 A", got)
	}
	if l := w.lines[len(w.lines)-1]; l.Reason != ReasonReleased {
		t.Errorf("last line %+v, want released", l)
	}
}

// TestPlanOnly: without command every device keeps its own control, from the first plan to the end, and the plans are made all the same.
func TestPlanOnly(t *testing.T) {
	w := newTown(t)
	w.s.cfg.PlanOnly, w.s.cfg.DispatchEvery = true, time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- w.s.Run(ctx) }()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if p, _ := w.s.Plan(); p != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("no plan within 30 s")
		}
	}
	time.Sleep(50 * time.Millisecond) // fifty rounds, were there any
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if len(w.writes) > 0 || len(w.lines) > 0 {
		t.Errorf("devices were commanded: %v, %v", w.writes, w.lines)
	}
}

// TestForecastSettings: load is foreseen from as many similar days, and as far back, as the settings say, and the present deviation fades as fast.
func TestForecastSettings(t *testing.T) {
	for _, tt := range []struct {
		set  Forecast
		want float64 // kW at the same hour of the next working day
	}{
		{Forecast{SimilarDays: 1, LookBackDays: 30, Fade: time.Minute}, 1},
		{Forecast{SimilarDays: 2, LookBackDays: 30, Fade: time.Minute}, 1.5},
		{Forecast{SimilarDays: 20, LookBackDays: 1, Fade: time.Minute}, 1},
		{Forecast{SimilarDays: 20, LookBackDays: 2, Fade: time.Minute}, 1.5},
	} {
		w := newTown(t)
		history := &remembered{town: w}
		for day := 1; day <= 30; day++ { // the load of each earlier day is its distance in days
			for slot := range 96 {
				at := noon.Truncate(24*time.Hour).AddDate(0, 0, 1-day).Add(time.Duration(slot) * 15 * time.Minute)
				if at.Before(noon) {
					history.rows = append(history.rows, balance.Row{District: "d", Site: "s", Start: at, Step: 15 * time.Minute, OtherWh: units.WattHours(250 * day), Coverage: 1})
				}
			}
		}
		w.s.cfg.Store, w.s.cfg.Forecast = history, tt.set
		in, err := w.s.gather(t.Context(), observe.Observe(w.d, w, noon, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		// 22 hours from Thursday noon: the similar days before Friday 09:00 are Thursday (1 kW), Wednesday (2 kW), …
		if got := in.loadKW["s"][22*4]; math.Abs(got-tt.want) > 1e-6 {
			t.Errorf("%+v: %.3f kW, want %.3f kW", tt.set, got, tt.want)
		}
	}
}

// remembered is a town with a history of balances and carbon.
type remembered struct {
	*town
	rows   []balance.Row
	carbon []district.Sample
}

func (p *remembered) Balances(_ context.Context, _, _ string, sp timegrid.Span) (out []balance.Row, err error) {
	for _, r := range p.rows {
		if sp.Contains(r.Start) {
			out = append(out, r)
		}
	}
	return out, nil
}

func (p *remembered) Read(_ context.Context, ids []district.SeriesID, sp timegrid.Span, yield func(district.Sample) error) error {
	for _, s := range p.carbon {
		if slices.Contains(ids, s.Series) && sp.Contains(s.Time) {
			if err := yield(s); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestCarbonOfThePlan: what is known of the horizon is planned with as it is, the rest is foreseen from the record, and without any it is what the source assumes.
func TestCarbonOfThePlan(t *testing.T) {
	w := newTown(t)
	gather := func() []float64 {
		in, err := w.s.gather(t.Context(), observe.Observe(w.d, w, noon, time.Minute))
		if err != nil {
			t.Fatal(err)
		}
		return in.carbon
	}
	w.s.cfg.CarbonAssumed = 33
	if got := gather(); got[0] != 33 || got[len(got)-1] != 33 {
		t.Errorf("with nothing known: %v, want 33 throughout", got[:4])
	}
	history := &remembered{town: w}
	for at := noon.Add(-10 * 24 * time.Hour); at.Before(noon); at = at.Add(15 * time.Minute) {
		history.carbon = append(history.carbon, district.Sample{Series: "d/_/carbon/carbon_g_per_kwh", Time: at, Value: 50})
	}
	w.s.cfg.Store = history
	if got := gather(); got[0] != 50 || got[len(got)-1] != 50 {
		t.Errorf("with a record of 50: %v", got[:4])
	}
	w.s.cfg.Carbon = func(slot timegrid.Span) (float64, bool) {
		return 10 + slot.Start.Sub(noon).Hours(), !slot.Start.Before(noon) && slot.Start.Before(noon.Add(6*time.Hour))
	}
	if got := gather(); got[0] != 10 || got[20] != 15 || got[40] != 50 {
		t.Errorf("with six hours known: %v, %v, %v; want 10, 15 and the record's 50", got[0], got[20], got[40])
	}
}

// TestStrongest: of each limit the step in which its relief is worth most, the dearest first.
func TestStrongest(t *testing.T) {
	got := strongest([]problem.Binding{
		{Limit: "max_kw", Site: "s", Device: "hp", Step: 1, Value: 0.1}, {Limit: "max_kw", Site: "s", Device: "hp", Step: 2, Value: 0.3}, {Limit: "max_kw", Site: "s", Device: "hp", Step: 3, Value: 0.2},
		{Limit: "capacity_kwh", Site: "s", Device: "bat", Step: 9, Value: 0.4}, {Limit: "import_limit_kw", Step: 5, Value: 0.05},
	}, 2)
	want := []problem.Binding{{Limit: "capacity_kwh", Site: "s", Device: "bat", Step: 9, Value: 0.4}, {Limit: "max_kw", Site: "s", Device: "hp", Step: 2, Value: 0.3}}
	if !slices.Equal(got, want) {
		t.Errorf("%+v, want %+v", got, want)
	}
}
