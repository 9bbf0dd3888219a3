package scheduler

import (
	"math"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/optimizer/problem"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// TestWhatIsValued: batteries are valued by what lies above their lowest level, beside the net power of their site without them, and what is drawn costs its price, its carbon and the fee of its withdrawal.
func TestWhatIsValued(t *testing.T) {
	w := newTown(t)
	w.d.Sites[0].Devices = append(w.d.Sites[0].Devices, district.Device{ID: "bat2", Kind: district.Battery, Control: true,
		Battery: &district.BatteryParams{CapacityKWh: 13, MinSOC: 0.2, MaxSOC: 1, ChargeKW: 5, DischargeKW: 5, ChargeEfficiency: 0.95, DischargeEfficiency: 0.95}})
	w.measure("bat2", district.PowerKW, 0)
	w.measure("bat2", district.SOC, 0.6)
	w.s.cfg.CarbonPriceEURPerTonne, w.s.cfg.CarbonAssumed = 100, 50
	w.solve = func(p *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(p)
		for t := range p.Steps {
			sol.Sites[0].NetKW[t] = 6
			sol.Device("s", "bat").PowerKW[t], sol.Device("s", "bat2").PowerKW[t] = -5, 2
		}
		return sol, nil
	}
	planned(t, w)
	f := w.s.following
	if got := f.stores[key("bat")].CapacityKWh; math.Abs(got-32) > 1e-9 || f.floor[key("bat")] != 4 {
		t.Errorf("%v kWh above %v kWh, want 32 above 4", got, f.floor[key("bat")])
	}
	if got := f.stores[key("bat2")].CapacityKWh; math.Abs(got-10.4) > 1e-9 || math.Abs(f.floor[key("bat2")]-2.6) > 1e-9 {
		t.Errorf("%v kWh above %v kWh, want 10.4 above 2.6", got, f.floor[key("bat2")])
	}
	if got := f.withoutKW["s"][3]; math.Abs(got-9) > 1e-9 || math.Abs(f.netKW[3]-9) > 1e-9 {
		t.Errorf("%v kW of the site and %v kW in all without batteries, want 9: 6, and 5 that they give, and 2 that they take", got, f.netKW[3])
	}
	if want := 0.2 + 50*100/1e6; math.Abs(f.importPrice[0]-want) > 1e-9 || math.Abs(f.exportPrice[0]-0.04) > 1e-9 {
		t.Errorf("a kWh costs %v and pays %v EUR, want %v and 0.04", f.importPrice[0], f.exportPrice[0], want)
	}
	// a fee counts by the capacity of the batteries that may avoid it
	plan, sol, p := w.s.plan, w.s.solution, w.asked[len(w.asked)-1]
	other := p.Sites[0]
	other.ID, other.Devices, other.WithdrawalFee = "s2", []problem.Device{&problem.Battery{DeviceID: "bat3", CapacityKWh: 42.4, ChargeKW: 5, DischargeKW: 5, ChargeEfficiency: 1, DischargeEfficiency: 1}}, constant(0.06, p.Steps)
	p.Sites = append(p.Sites, other)
	sol.Sites = append(sol.Sites, problem.SiteSolution{ID: "s2", NetKW: constant(1, p.Steps)})
	in, err := w.s.gather(t.Context(), w.s.observe(w.now))
	if err != nil {
		t.Fatal(err)
	}
	if f, err = w.s.value(p, sol, plan, w.s.wishes(w.now, in, ""), in.netErrors); err != nil {
		t.Fatal(err)
	}
	if want := 0.205 + 0.03; math.Abs(f.importPrice[0]-want) > 1e-9 || math.Abs(f.netKW[0]-10) > 1e-9 {
		t.Errorf("with half of the capacity behind a fee of 0.06 EUR a kWh costs %v EUR, want %v; %v kW without batteries, want 10", f.importPrice[0], want, f.netKW[0])
	}
	for _, gone := range []func(){func() { sol.Sites[1].ID = "s3" }, func() { plan.ExportPrice = nil }} {
		gone()
		if _, err := w.s.value(p, sol, plan, w.s.wishes(w.now, in, ""), in.netErrors); err == nil {
			t.Error("a plan that does not fit its problem is valued, want an error")
		}
		sol.Sites[1].ID = "s2"
	}
	p.Sites, sol.Sites = p.Sites[:1], sol.Sites[:1]
	p.Sites[0].Devices = nil
	if f, err := w.s.value(p, sol, plan, w.s.wishes(w.now, in, ""), in.netErrors); f != nil || err != nil {
		t.Errorf("without a battery: %v, %v; want nothing", f, err)
	}
}

// TestWhoAnswers: only batteries that can be told something, whose state and power are known and for which nobody else decides; of each counts what lies above its lowest level.
func TestWhoAnswers(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(w *town)
		want   float64 // kWh that it has; NaN: it does not answer
	}{
		{"as it is", func(*town) {}, 16},
		{"empty", func(w *town) { w.measure("bat", district.SOC, 0.05) }, 0},
		{"full beyond its range", func(w *town) { w.measure("bat", district.SOC, 1) }, 32},
		{"unknown charge", func(w *town) { delete(w.live, district.NewSeriesID("d", "s", "bat", district.SOC)) }, math.NaN()},
		{"unknown power", func(w *town) { delete(w.live, district.NewSeriesID("d", "s", "bat", district.PowerKW)) }, math.NaN()},
		{"its own control is ordered", func(w *town) { give(t, w, order.Order{Site: "s", Device: "bat", Kind: order.OwnControl}) }, math.NaN()},
		{"told by hand", func(w *town) { give(t, w, order.Order{Site: "s", Device: "bat", Kind: order.Power, Value: 3}) }, math.NaN()},
		{"worked on", func(w *town) { give(t, w, order.Order{Site: "s", Device: "bat", Kind: order.LockOut}) }, math.NaN()},
		{"not connected here", func(w *town) { w.s.cfg.Driver = func(string, string) (drivers.Driver, bool) { return nil, false } }, math.NaN()},
	} {
		w := newTown(t)
		keep(w)
		planned(t, w)
		tt.change(w)
		got := w.s.pool(w.s.following, w.s.observe(w.now), &w.d.Sites[0])
		switch {
		case math.IsNaN(tt.want):
			if len(got) != 0 {
				t.Errorf("%s: it answers with %+v", tt.name, got)
			}
		case len(got) != 1 || math.Abs(got[0].store.StoredKWh-tt.want) > 1e-9 || got[0].key.Device != "bat":
			t.Errorf("%s: %+v, want a battery with %v kWh", tt.name, got, tt.want)
		}
	}
}

// TestAnswersBesideASiteThatIsNotMeasured: a site whose connection is not measured is taken to do as planned, and the batteries of the others answer for it; answers of a plan that is replaced are none.
func TestAnswersBesideASiteThatIsNotMeasured(t *testing.T) {
	w := newTown(t)
	w.second(100)
	w.s.cfg.Prices = &evening{noon.Add(time.Hour), 0.4, 0.1}
	w.solve = func(p *problem.Problem) (*problem.Solution, error) {
		sol := idlePlan(p)
		for t := range p.Steps {
			sol.Sites[0].NetKW[t], sol.Sites[1].NetKW[t] = 2, 3
		}
		return sol, nil
	}
	w.measureSecond(3)
	planned(t, w)
	plan := w.s.plan
	said := func() float64 {
		t.Helper()
		return w.s.answers(w.s.observe(w.now), plan, 0)[key("bat")].kw
	}
	w.measure("grid", district.PowerKW, 2)
	if got := said(); math.Abs(got+5) > 0.1 {
		t.Errorf("the battery does %v kW beside 2 and 3 kW, want -5 kW", got)
	}
	w.now = w.now.Add(5 * time.Minute)
	for _, dev := range []string{"grid", "bat", "pv", "ev", "hp", "tank"} {
		w.measure(dev, district.PowerKW, map[string]float64{"grid": -2, "bat": -5}[dev])
	}
	w.measure("bat", district.SOC, 0.5)
	if got := said(); math.Abs(got+6) > 0.1 {
		t.Errorf("the battery does %v kW beside 3 kW and a site of which 3 kW are planned, want -6 kW", got)
	}
	if got := w.s.answers(w.s.observe(w.now), &district.Plan{}, 0); got != nil {
		t.Errorf("of another plan it says %v", got)
	}
}

// TestRoomOfTheSite: a battery takes no more than its own site has room for, and another one takes the rest.
func TestRoomOfTheSite(t *testing.T) {
	w := newTown(t)
	w.d.Sites[0].ExportLimitKW = 2
	w.s.cfg.Prices = &evening{noon.Add(time.Hour), 0.4, 0.1}
	w.second(100)
	w.measureSecond(20)
	planned(t, w)
	w.measure("grid", district.PowerKW, 1)
	got := w.s.answers(w.s.observe(w.now), w.s.plan, 0)[key("bat")].kw
	if math.Abs(got+3) > 0.1 {
		t.Errorf("the battery gives %v kW where 21 kW are drawn and its site may feed 2 kW beyond its 1 kW, want 3 kW", -got)
	}
}

// TestDeviation names what a battery does otherwise than planned.
func TestDeviation(t *testing.T) {
	for _, tt := range []struct {
		kw, planned float64
		want        string
	}{{3, 1, ReasonAbsorb}, {0.5, -1, ReasonAbsorb}, {0, -3, ReasonKeep}, {-1, -3, ReasonKeep}, {-3, -1, ReasonCover}, {-1, 2, ReasonCover}, {1, 3, ReasonSpare}, {0, 3, ReasonSpare}} {
		if got := deviation(tt.kw, tt.planned); got != tt.want {
			t.Errorf("%v kW where %v kW were planned is called %q, want %q", tt.kw, tt.planned, got, tt.want)
		}
	}
}
