package scheduler

import (
	"math"
	"strings"
	"testing"
	"time"

	"quartier/optimizer/problem"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

// evening are prices that are high for so long from noon on, and low then.
type evening struct {
	until     time.Time
	high, low float64
}

func (e *evening) Import(sp timegrid.Span, step time.Duration) (out []float64, err error) {
	for t := sp.Start; t.Before(sp.End); t = t.Add(step) {
		if t.Before(e.until) {
			out = append(out, e.high)
		} else {
			out = append(out, e.low)
		}
	}
	return out, nil
}
func (*evening) Export(sp timegrid.Span, step time.Duration) ([]float64, error) {
	return constant(0.04, sp.Count(step)), nil
}

// after lets time pass with so much drawn beside the battery, which does what it was told last, and dispatches.
func (w *town) after(t *testing.T, d time.Duration, netKW float64) {
	t.Helper()
	w.now = w.now.Add(d)
	w.refresh()
	bat := 0.0
	if n := len(w.writes["bat"]); n > 0 {
		bat = w.writes["bat"][n-1]
	}
	w.measure("bat", district.PowerKW, bat)
	w.measure("grid", district.PowerKW, netKW+bat)
	w.s.Dispatch(t.Context())
}

func (w *town) linesOf(device string) (out []district.Setpoint) {
	for _, l := range w.lines {
		if l.Device == device {
			out = append(out, l)
		}
	}
	return out
}

// TestStorageAnswersWhatComes: at a dear hour a plan lets the battery cover what was expected; a kettle and a cloud more are covered too, within the next round that has measured them, and
// the ledger says why and how often.
func TestStorageAnswersWhatComes(t *testing.T) {
	w := newTown(t)
	w.s.cfg.Prices = &evening{noon.Add(time.Hour), 0.4, 0.1}
	w.solve = func(p *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(p)
		for i := range 4 {
			sol.Device("s", "bat").PowerKW[i] = -5
		}
		return sol, nil
	}
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.after(t, 5*time.Second, 5)
	if got := w.last(t, "bat"); math.Abs(got+5) > 0.1 {
		t.Fatalf("battery at %v kW as expected, want -5 kW", got)
	}
	if l := w.linesOf("bat"); len(l) != 1 || !strings.HasPrefix(l[0].Reason, ReasonDear) && !strings.HasPrefix(l[0].Reason, ReasonEvening) || l[0].PlanID != 1 {
		t.Errorf("as planned: %+v", l)
	}
	w.after(t, 5*time.Second, 7) // a kettle
	if got := w.last(t, "bat"); math.Abs(got+7) > 0.1 {
		t.Fatalf("battery at %v kW with a kettle, want -7 kW", got)
	}
	l := w.linesOf("bat")
	if want := "cover: -5.0 kW planned, 7.0 kW net without storage, "; !strings.HasPrefix(l[len(l)-1].Reason, want) || l[len(l)-1].Outcome != district.Applied {
		t.Errorf("ledger says %+v, want %q…", l[len(l)-1], want)
	}
	for _, net := range []float64{7.5, 8, 9, 8, 7} { // a cloud passes
		w.after(t, 5*time.Second, net)
		if got := w.last(t, "bat"); math.Abs(got+net) > 0.1 {
			t.Fatalf("battery at %v kW of %v kW drawn", got, net)
		}
	}
	if n := len(w.linesOf("bat")); n != len(l) {
		t.Errorf("%d lines in half a minute of following, want %d", n, len(l))
	}
	w.after(t, time.Minute, 6)
	l = w.linesOf("bat")
	if want := "5 commands before, -9.00 to -7.00 kW"; l[len(l)-1].Detail != want {
		t.Errorf("the next line says %q, want %q", l[len(l)-1].Detail, want)
	}
}

// TestAnswersWaitForTheirEffect: measurements from before a battery's last change tell nothing of the net power without it.
func TestAnswersWaitForTheirEffect(t *testing.T) {
	w := newTown(t)
	w.s.cfg.Prices = &evening{noon.Add(time.Hour), 0.4, 0.1}
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.after(t, 5*time.Second, 5)
	n := len(w.writes["bat"])
	for range 3 {
		w.now = w.now.Add(5 * time.Second)
		w.measure("bat", district.PowerKW, -5) // the meter is slower
		w.s.Dispatch(t.Context())
	}
	if len(w.writes["bat"]) != n {
		t.Errorf("written %v kW on a meter of before", w.writes["bat"][n:])
	}
}

// TestStoredEnergyIsKept: what a plan would spend now is kept where it is worth more later, or where nothing is drawn.
func TestStoredEnergyIsKept(t *testing.T) {
	for _, tt := range []struct {
		name      string
		prices    *evening
		net       float64
		want      float64
		reasonHas string
	}{
		{"a dear night comes", &evening{noon.Add(time.Hour), 0.1, 0.4}, 2, 0, ReasonKeep + ": -5.0 kW planned"},
		{"nothing is drawn", &evening{noon.Add(time.Hour), 0.4, 0.1}, 0, 0, ReasonKeep + ": -5.0 kW planned"},
		{"the sun came out", &evening{noon.Add(time.Hour), 0.1, 0.4}, -3, 3, ReasonAbsorb + ": -5.0 kW planned"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newTown(t)
			w.measure("bat", district.SOC, 0.3)
			w.s.cfg.Prices = tt.prices
			w.solve = func(p *problem.Problem) (*problem.Solution, error) {
				sol := idlePlan(p)
				for i := range p.Steps {
					sol.Sites[0].NetKW[i] = 2
				}
				sol.Device("s", "bat").PowerKW[0] = -5
				return sol, nil
			}
			if _, err := w.s.Replan(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.after(t, 5*time.Second, tt.net)
			got := w.last(t, "bat")
			if tt.want == 0 && got < -0.05 || tt.want > 0 && got < tt.want-0.1 {
				t.Errorf("battery at %v kW, want at least %v kW", got, tt.want)
			}
			if l := w.linesOf("bat"); got <= 0.05 && !strings.HasPrefix(l[len(l)-1].Reason, tt.reasonHas) || !strings.Contains(l[len(l)-1].Reason, "-5.0 kW planned") {
				t.Errorf("reason %q, want %q…", l[len(l)-1].Reason, tt.reasonHas)
			}
		})
	}
}

// TestAnswersKeepLimits: a battery that would fill itself at a low price stays within what the connection has room for, and one that would cover more than is drawn feeds nothing beyond a limit.
func TestAnswersKeepLimits(t *testing.T) {
	w := newTown(t)
	w.d.Sites[0].ImportLimitKW = 12
	w.measure("bat", district.SOC, 0.15)
	w.s.cfg.Prices = &evening{noon.Add(15 * time.Minute), 0.05, 0.6}
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, net := range []float64{5, 11.5, 15} {
		w.after(t, 5*time.Second, net)
		got := w.last(t, "bat")
		if got+net > 12+1e-9 || net < 12 && got < 12-net-0.2 {
			t.Errorf("battery at %v kW beside %v kW of a connection of 12 kW", got, net)
		}
	}
}

// TestPlansAtEvents: a price that is published and a device that is lost or back ask for a plan; one late answer does not.
func TestPlansAtEvents(t *testing.T) {
	woken := func(w *town) bool {
		select {
		case <-w.s.wake:
			return true
		default:
			return false
		}
	}
	w := newTown(t)
	prices := &evening{noon.Add(time.Hour), 0.4, 0.1}
	w.s.cfg.Prices = prices
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.after(t, 5*time.Second, 5)
	w.after(t, 5*time.Second, 5)
	if woken(w) {
		t.Fatal("a plan is asked for though nothing changed")
	}
	prices.low = 0.15
	w.s.noticed.prices = time.Time{}
	w.after(t, 5*time.Second, 5)
	if !woken(w) {
		t.Error("no plan is asked for at another price")
	}
	lost := district.NewSeriesID("d", "s", "hp", district.PowerKW)
	indoor := district.NewSeriesID("d", "s", "hp", district.IndoorC)
	old := w.live[lost]
	delete(w.live, lost)
	delete(w.live, indoor)
	for round := range afterRounds {
		w.after(t, 5*time.Second, 5)
		if got, want := woken(w), round == afterRounds-1; got != want {
			t.Errorf("a device lost for %d rounds: asked %v, want %v", round+1, got, want)
		}
	}
	w.live[lost] = old
	for range afterRounds {
		w.after(t, 5*time.Second, 5)
	}
	if !woken(w) {
		t.Error("no plan is asked for when a device is back")
	}
}

// TestFirstDay: before anything is recorded the sun of a site follows the sky over it and what it gives now, and never passes its rating.
func TestFirstDay(t *testing.T) {
	w := newTown(t)
	w.d.Latitude, w.d.Longitude = 47.3, 5
	w.d.Sites[0].Devices[1].PV.TiltDeg, w.d.Sites[0].Devices[1].PV.AzimuthDeg = 30, 180
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, dev := range w.asked[0].Sites[0].Devices {
		pv, ok := dev.(*problem.PV)
		if !ok {
			continue
		}
		if kw := pv.AvailableKW[0]; math.Abs(kw-6) > 0.01 { // what is measured
			t.Errorf("%v kW now, want 6 kW", kw)
		}
		if night, next := pv.AvailableKW[9*4], pv.AvailableKW[24*4]; night != 0 || next < 2 || next > 20 {
			t.Errorf("%v kW in the evening, %v kW at noon of the next day", night, next)
		}
	}
}

// TestPublishedWeather: before anything is recorded the sun follows the sky that is published, and the temperature is the published one; beyond what is published both are foreseen.
func TestPublishedWeather(t *testing.T) {
	power := func(global float64) (noon, later float64) {
		t.Helper()
		w := newTown(t)
		w.d.Latitude, w.d.Longitude = 47.3, 5
		w.d.Sites[0].Devices[1].PV.TiltDeg, w.d.Sites[0].Devices[1].PV.AzimuthDeg = 30, 180
		until := w.now.Add(25 * time.Hour)
		w.s.cfg.Weather = func(quantity string, slot timegrid.Span) (float64, bool) {
			switch {
			case slot.End.After(until):
				return 0, false
			case quantity == district.IrradianceWm2:
				return global, true
			case quantity == district.OutdoorC:
				return -7, true
			}
			return 0, false
		}
		w.s.cfg.Basis = func(from, to time.Time) []district.Basis {
			return []district.Basis{{Input: "weather", Source: "meteo", Published: until, Beyond: "similar-days"}}
		}
		plan, err := w.s.Replan(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(plan.Basis) != 1 || plan.Basis[0].Source != "meteo" {
			t.Errorf("the plan rests on %+v", plan.Basis)
		}
		in, err := w.s.gather(t.Context(), w.s.observe(w.now))
		if err != nil {
			t.Fatal(err)
		}
		if in.outdoorC[0] != -7 || in.outdoorC[99] != -7 || in.outdoorC[101] == -7 {
			t.Errorf("temperatures %v", in.outdoorC)
		}
		kw := in.sunKW[w.d.Sites[0].ID]
		return kw[24*4], kw[26*4]
	}
	dark, beyond := power(20)
	bright, same := power(700)
	if dark > 1 || bright < 10*dark || beyond < 1 || math.Abs(beyond-same) > 0.2*beyond {
		t.Errorf("%v kW under a dark sky and %v kW under a bright one; beyond what is published %v and %v kW", dark, bright, beyond, same)
	}
}
