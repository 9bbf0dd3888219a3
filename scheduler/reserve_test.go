package scheduler

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/drivers"
	"quartier/scheduler/dispatch"
	"quartier/schemas/district"
	"quartier/schemas/order"
)

// TestRising: what a site draws beside its commanded consumers is foreseen for three rounds by how it went for half a minute; one step of it, what is switched to and fro, measurements of different moments and a
// meter that tells nothing new say nothing, nor do three rounds, what was before a gap or what lies in times to come. Rounds as far apart as a configuration may have them tell as
// much as quick ones.
func TestRising(t *testing.T) {
	begin := time.Date(2026, 1, 15, 12, 0, 0, 0, time.UTC)
	toAndFro := func(i int) (float64, float64) { return 5 + 2*float64(i%2), 3 }
	for _, tt := range []struct {
		name   string
		rounds int
		kw     func(i int) (net, car float64)
		want   float64
		every  time.Duration // 0: 5 s
	}{
		{"rises", 12, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0.3, 0},
		{"falls", 12, func(i int) (float64, float64) { return 5 - 0.1*float64(i), 3 }, -0.3, 0},
		{"the car alone", 12, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 + 0.1*float64(i) }, 0, 0},
		{"a kettle", 12, func(i int) (float64, float64) { return 5 + 2*float64(i/6), 3 }, 0, 0},
		{"the car is measured late", 12, func(i int) (float64, float64) { return 5 + 3*float64(i/6), 3 * float64((i-1)/6) }, 0, 0},
		{"not known for long enough", 3, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0, 0},
		{"known for long enough", 4, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0.3, 0},
		{"quick rounds, not for long enough", 14, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0, time.Second},
		{"quick rounds", 16, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0.3, time.Second},
		{"half a minute counts", 60, func(i int) (float64, float64) { return 5 + 0.1*math.Max(0, float64(i-53)), 3 }, 0.3, 0},
		{"most of it", 60, func(i int) (float64, float64) { return 5 + 0.1*math.Max(0, float64(i-57)), 3 }, 0, 0},
		{"to and fro, even rounds", 12, toAndFro, 0, 0},
		{"to and fro, odd rounds", 13, toAndFro, 0, 0},
		{"to and fro, in slow rounds", 6, toAndFro, 0, 6 * time.Second},
		{"to and fro, in slower rounds", 6, toAndFro, 0, 10 * time.Second},
		{"two rounds on and one off", 12, func(i int) (float64, float64) { return 5 + 2*math.Min(1, float64(i%3)), 3 }, 0, 0},
		{"a kettle in rounds of 10 s", 5, func(i int) (float64, float64) { return 5 + 3*float64(i/4), 3 }, 0, 10 * time.Second},
		{"a kettle in rounds of 15 s", 6, func(i int) (float64, float64) { return 5 + 3*float64(i/5), 3 }, 0, 15 * time.Second},
		{"a kettle in rounds of 30 s", 6, func(i int) (float64, float64) { return 5 + 3*float64(i/5), 3 }, 0, 30 * time.Second},
		{"a kettle in rounds of 60 s", 6, func(i int) (float64, float64) { return 5 + 3*float64(i/5), 3 }, 0, time.Minute},
		{"two changes", 3, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0, 15 * time.Second},
		{"three changes", 4, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0.3, 15 * time.Second},
		{"rounds of 10 s, each a little late", 12, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0.3, 10*time.Second + 200*time.Millisecond},
		{"rounds of 15 s", 12, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0.3, 15*time.Second + 200*time.Millisecond},
		{"rounds of 30 s", 12, func(i int) (float64, float64) { return 5 - 0.1*float64(i), 3 }, -0.3, 30*time.Second + 200*time.Millisecond},
		{"the longest rounds of a configuration", 12, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0.3, time.Minute + 200*time.Millisecond},
		{"three rounds in four", 12, func(i int) (float64, float64) { return 5 + 0.1*float64(i) + 2*float64(i/11), 3 }, 0.3, time.Minute},
		{"a demonstration whose rounds are an hour apart", 12, func(i int) (float64, float64) { return 5 + 0.1*float64(i), 3 }, 0, time.Hour},
		{"a meter that stands still", 12, func(i int) (float64, float64) { return 5, 11 - 0.69*float64(i) }, 0, 0},
		{"a meter that tells it late", 13, func(i int) (float64, float64) { return 11 - 0.69*12*float64(i/12), 11 - 0.69*float64(i) }, 0, 0},
		{"a meter that tells it each third round", 13, func(i int) (float64, float64) { return 11 - 0.69*3*float64(i/3), 11 - 0.69*float64(i) }, 0, 0},
	} {
		s := &Scheduler{rests: map[string][]rest{}, cfg: Config{Round: tt.every.Truncate(time.Second)}}
		got := 0.0
		for i := range tt.rounds {
			net, car := tt.kw(i)
			sun := -2 - float64(i%3) // is a part of what rises and falls, where it is not held back
			g := dispatch.Group{NetKW: net, Wishes: []*dispatch.Wish{{Kind: district.EVCharger, MeasuredKW: car}, {Kind: district.PV, MeasuredKW: sun}}}
			got = s.rising("s", g, begin.Add(time.Duration(i)*cmp.Or(tt.every, 5*time.Second)))
		}
		if math.Abs(got-tt.want) > 1e-9 {
			t.Errorf("%s: %v kW in three rounds, want %v kW", tt.name, got, tt.want)
		}
		if got := s.rising("s", dispatch.Group{NetKW: 90}, begin.Add(time.Hour)); got != 0 {
			t.Errorf("%s: %v kW after a gap", tt.name, got)
		}
		if got := s.rising("s", dispatch.Group{NetKW: 10}, begin); got != 0 || len(s.rests["s"]) != 1 {
			t.Errorf("%s: %v kW by %v after the clock was set back", tt.name, got, s.rests["s"])
		}
	}
}

// TestCarLeavesAReserve: a car that is steered at the limit of its connection leaves what else is about to be drawn, the ledger says so, and the limit is not passed while the rest rises steadily, however far apart
// the rounds are.
func TestCarLeavesAReserve(t *testing.T) {
	for _, round := range []time.Duration{5 * time.Second, 15 * time.Second, time.Minute} {
		p := newPlant(t)
		p.s.cfg.Round = round
		p.d.Sites[0].ImportLimitKW = 16
		p.measure("bat", district.SOC, 0.05) // empty
		p.d.Device("s", "bat").Control = false
		worst, least := math.Inf(-1), math.Inf(1)
		for i := range 22 { // until it is at its least
			p.load = 4 + 0.1*float64(i) // by 0.1 kW in a round
			was := p.net()
			p.advance(round)
			p.s.Dispatch(t.Context())
			if i >= 8 { // it takes a moment to know
				worst = math.Max(worst, math.Max(was, p.net())-16)
				least = math.Min(least, p.net()-16)
			}
		}
		if worst > -0.5 || least < -2*0.69 {
			t.Errorf("rounds of %v: between %.2f and %.2f kW beyond the limit, want half a step and the rise of two rounds below it, and two steps at most", round, least, worst)
		}
		if !slices.ContainsFunc(p.lines, func(l district.Setpoint) bool {
			return l.Device == "ev" && strings.Contains(l.Reason, "kW in reserve") && l.Outcome == district.Clipped
		}) {
			t.Errorf("rounds of %v: no line tells of the reserve", round)
		}
	}
}

// TestAReserveFeedsTheDistrictNoMore: a car that somebody told what to draw, and that nothing else may take a feed for, keeps no reserve below the limit of its connection while the district feeds all that it may.
func TestAReserveFeedsTheDistrictNoMore(t *testing.T) {
	p := newPlant(t)
	p.d.Sites[0].ImportLimitKW = 16
	p.d.Sites = append(p.d.Sites, district.Site{ID: "roof", ImportLimitKW: math.Inf(1), ExportLimitKW: math.Inf(1), Devices: []district.Device{{ID: "grid", Kind: district.GridMeter}}})
	for _, id := range []string{"bat", "hp", "tank", "pv"} {
		p.d.Device("s", id).Control = false
	}
	p.load = 16 - p.net() + p.powers()["ev"] - 6.9
	roof := district.NewSeriesID("d", "roof", "grid", district.PowerKW)
	p.live[roof] = district.Sample{Series: roof, Time: p.now, Value: -40}
	give(t, p.town, order.Order{Site: "s", Device: "ev", Kind: order.Power, Value: 6.9})
	p.advance(0)
	p.s.Dispatch(t.Context())
	p.advance(5 * time.Second)
	p.s.Dispatch(t.Context())
	if kw := p.powers()["ev"]; kw >= 6.9-1e-9 {
		t.Fatalf("the car draws %v kW, want a reserve below the limit of its connection", kw)
	}
	p.d.ExportLimitKW = 24 // what the roof feeds beyond what may be drawn here
	for range 6 {
		p.s.Dispatch(t.Context())
		p.advance(5 * time.Second)
		if fed := 40 - p.net(); fed > 24+1e-6 {
			t.Errorf("the district feeds %.2f kW, want 24 kW at most", fed)
		}
	}
}

// TestCarsDoNotYieldToAFlicker: what is switched to and fro between rounds costs a car at the limit of its connection the step that it needs, and no reserve beyond.
func TestCarsDoNotYieldToAFlicker(t *testing.T) {
	p := newPlant(t)
	p.d.Sites[0].ImportLimitKW = 16
	p.measure("bat", district.SOC, 0.05) // empty
	p.d.Device("s", "bat").Control = false
	for i := range 60 {
		p.load = 4 + 0.7*float64(i%2)
		p.advance(5 * time.Second)
		p.s.Dispatch(t.Context())
		if kw := p.powers()["ev"]; i > 20 && kw < 5.52-1e-9 {
			t.Fatalf("round %d: the car at %.2f kW beside a load of %.1f kW, want 5.52 kW at least: %v", i, kw, p.load, p.s.rests["s"])
		}
	}
}

// TestOnlyChargersKeepAReserve: of devices that take any power in steps, only charging points keep a reserve, down to their least.
func TestOnlyChargersKeepAReserve(t *testing.T) {
	p := newPlant(t)
	st := p.s.observe(p.now)
	for i := range p.d.Sites[0].Devices {
		dev := &p.d.Sites[0].Devices[i]
		drv, ok := p.s.cfg.Driver("s", dev.ID)
		if !ok {
			continue
		}
		f, ok := drv.(follower)
		if !ok {
			t.Fatalf("%T", drv)
		}
		f.ctl.Quantity, f.ctl.Min, f.ctl.Max, f.ctl.Step = drivers.ControlKW, 0, 5, 0.1
		w := p.s.deviceJob(&p.d.Sites[0], dev, st, f).wish
		if charger := dev.EVCharger != nil; (w.ReserveKW > 0) != charger || charger && w.RunsKW != dev.EVCharger.MinKW || (w.StepKW > 0) != (dev.Kind != district.PV && dev.Kind != district.Battery) {
			t.Errorf("%s: in steps of %v kW, %v kW in reserve, runs from %v kW", dev.ID, w.StepKW, w.ReserveKW, w.RunsKW)
		}
	}
}
