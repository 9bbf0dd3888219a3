package building

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/district"
)

func identify(t *testing.T, p *district.HeatPumpParams, m *Measured) Identified {
	t.Helper()
	x, err := Identify(Stated(p), p.MaxKW*p.COPNominal, p.MaxC+hotK, m, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("R %.2f ± %.2f K/kW, C %.2f ± %.2f kWh/K, R C %.0f ± %.0f h, gains %.2f ± %.2f kW, sun %.2f ± %.2f kW, wrong by %.2f K, %d days", x.ResistanceKPerKW, x.Deviation.ResistanceKPerKW, x.CapacityKWhPerK, x.Deviation.CapacityKWhPerK,
		x.TimeConstantH, x.TimeConstantDeviationH, x.GainsKW, x.Deviation.GainsKW, x.SolarKW, x.Deviation.SolarKW, x.ErrorK, x.Days)
	return x
}

// TestAHouseOfTwoMassesIsTold: the resistance of a house that is not of one mass is found within some percent through sensors and gaps, its time constant near that which its walls have, and both within what is said to be sure.
func TestAHouseOfTwoMassesIsTold(t *testing.T) {
	for _, c := range []struct {
		name   string
		l      life
		within float64 // of the resistance, a share
	}{
		{"fine sensor", life{days: 28, sensorK: 0.1}, 0.08},
		{"coarse sensor", life{days: 28, sensorK: 0.5}, 0.12},
		{"gaps", life{days: 28, sensorK: 0.1, gaps: true}, 0.10},
		{"windows", life{days: 28, sensorK: 0.1, windows: true}, 0.12},
		{"sun not measured", life{days: 28, sensorK: 0.1, noSun: true}, 0.12},
		{"a week", life{days: 7, sensorK: 0.1}, 0.2},
		{"at full power for hours, then off for hours", life{days: 28, sensorK: 0.2, heat: func(h *truth, at time.Time, _ float64) float64 {
			if h.airC > 22 || at.Hour() < 6 || at.Hour() >= 14 && at.Hour() < 16 {
				return 0
			}
			return 2
		}}, 0.1},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := dwelling()
			p := pump(1.7*h.resistance(), 0.5*(h.air+h.walls))
			x := identify(t, p, measured(p, h.lived(c.l)))
			if off := math.Abs(x.ResistanceKPerKW/h.resistance() - 1); off > c.within {
				t.Errorf("the resistance is %g K/kW, %g was simulated", x.ResistanceKPerKW, h.resistance())
			}
			if d := math.Abs(x.ResistanceKPerKW - h.resistance()); d > 3*x.Deviation.ResistanceKPerKW {
				t.Errorf("the resistance is wrong by %g K/kW, its deviation is said to be %g", d, x.Deviation.ResistanceKPerKW)
			}
			if whole := h.air + h.walls; x.CapacityKWhPerK < 0.4*whole || x.CapacityKWhPerK > 1.3*whole {
				t.Errorf("the capacity is %g kWh/K, %g was simulated", x.CapacityKWhPerK, whole)
			}
		})
	}
}

// TestWhatCannotBeToldStaysStated: rooms in which nothing happens tell neither, and those that are heated without a pause less than others.
func TestWhatCannotBeToldStaysStated(t *testing.T) {
	h := dwelling()
	p := pump(6, 7)
	still := make([]Slot, 28*96)
	for i := range still {
		still[i] = Slot{IndoorC: 20.5, PowerKW: 0, OutdoorC: 20.5}
	}
	x := identify(t, p, measured(p, still))
	if math.Abs(x.ResistanceKPerKW-6) > 0.1 || math.Abs(x.CapacityKWhPerK-7) > 0.1 || x.Deviation.ResistanceKPerKW < 0.4*6 || x.Deviation.CapacityKWhPerK < 0.6*7 {
		t.Errorf("rooms in which nothing happens are told to be %+v ± %+v", x.Params, x.Deviation)
	}
	full := identify(t, p, measured(p, h.lived(life{days: 28, sensorK: 0.1, heat: func(*truth, time.Time, float64) float64 { return 1 }})))
	usual := identify(t, p, measured(p, dwelling().lived(life{days: 28, sensorK: 0.1})))
	if full.Deviation.ResistanceKPerKW < 2*usual.Deviation.ResistanceKPerKW {
		t.Errorf("without a pause the resistance has a deviation of %g K/kW, else %g", full.Deviation.ResistanceKPerKW, usual.Deviation.ResistanceKPerKW)
	}
	if x := identify(t, p, measured(p, h.lived(life{days: 2}))); x.Params != Stated(p) || x.Days != 2 {
		t.Errorf("two days tell %+v", x)
	}
	if _, err := Identify(Stated(p), 9, 25, &Measured{Step: quarter, IndoorC: []float64{1}}, nil); err == nil {
		t.Error("a temperature without a power is taken")
	}
}

// TestQuietNightsTellTheTimeConstant: where the power of the pump is not known while it runs, nights in which it rests tell R C, and neither R nor C.
func TestQuietNightsTellTheTimeConstant(t *testing.T) {
	h := dwelling()
	h.people, h.sun = 0, 0
	slots := h.lived(life{days: 35, sensorK: 0.1, constant: true, heat: func(h *truth, at time.Time, outdoorC float64) float64 {
		if at.Hour() >= 20 || at.Hour() < 6 {
			return 0
		}
		return thermostat(h, at, outdoorC)
	}})
	for i := range slots {
		if slots[i].PowerKW > 0 {
			slots[i].PowerKW = math.NaN()
		}
	}
	p := pump(8, 8)
	p.GainsKW = 0
	x := identify(t, p, measured(p, slots))
	apart := math.Hypot(x.Deviation.ResistanceKPerKW/x.ResistanceKPerKW, x.Deviation.CapacityKWhPerK/x.CapacityKWhPerK)
	if together := x.TimeConstantDeviationH / x.TimeConstantH; together > 0.6*apart {
		t.Errorf("R C is known within %g of itself, R and C as if apart within %g", together, apart)
	}
	if x.TimeConstantH > 0.95*64 || x.TimeConstantH < 20 { // of walls and air 42 h, of which the first hours are the air's
		t.Errorf("R C is %g h; 64 h were stated, 42 h were simulated", x.TimeConstantH)
	}
}

// TestEnergyCloses: rooms under the model that get the pump's heat and the gains that were found are as warm at the end of each hour as was measured.
func TestEnergyCloses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		num := func(name string, lo, hi float64) float64 { return rapid.Float64Range(lo, hi).Draw(t, name) }
		p := Params{ResistanceKPerKW: num("r", 0.5, 20), CapacityKWhPerK: num("c", 0.5, 30)}
		m := &Measured{Start: begin, Step: quarter}
		for range rapid.IntRange(8, 60).Draw(t, "slots") {
			m.IndoorC, m.HeatKW = append(m.IndoorC, num("inside", 15, 25)), append(m.HeatKW, num("heat", 0, 10))
			m.OutdoorC, m.Sun = append(m.OutdoorC, num("outside", -15, 30)), append(m.Sun, 0)
		}
		c, keep := math.NaN(), p.keep(0.25)
		for i, g := range p.Gains(m) {
			if i == 0 {
				c = m.IndoorC[3]
				continue
			}
			for k := 4 * i; k < 4*i+4; k++ {
				c = keep*c + (1-keep)*(m.OutdoorC[k]+p.ResistanceKPerKW*(m.HeatKW[k]+g))
			}
			if math.Abs(c-m.IndoorC[4*i+3]) > 1e-6 {
				t.Fatalf("hour %d: %g °C with the gains that were found, %g °C was measured", i, c, m.IndoorC[4*i+3])
			}
		}
	})
}

// TestNothingLooksAhead: what came later changes nothing of what was judged before, and slots that come one by one teach the same as all at once.
func TestNothingLooksAhead(t *testing.T) {
	slots := dwelling().lived(life{days: 16, sensorK: 0.1})
	const day = 12
	learn := func(slots []Slot, each int) *Learner {
		l, err := NewLearner(pump(8, 5), begin, quarter, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		for len(slots) > 0 {
			n := min(each, len(slots))
			l.Take(slots[:n])
			slots = slots[n:]
		}
		return l
	}
	changed := append([]Slot(nil), slots...)
	for i := day * 96; i < len(changed); i++ {
		changed[i].IndoorC += 3
		changed[i].PowerKW = 0
	}
	at, other, once := learn(slots[:day*96], 7), learn(changed, 96), learn(slots, len(slots))
	known := len(at.days)
	if known < 3 {
		t.Fatalf("%d days are judged", known)
	}
	for k := range known {
		if at.days[k] != other.days[k] || at.days[k] != once.days[k] {
			t.Errorf("day %d was judged %+v, with another future %+v, at once %+v", k, at.days[k], other.days[k], once.days[k])
		}
	}
	// what judged the last day had seen neither it nor what came after
	seen := learn(slots[:(day-2)*96], 96)
	if got := judge(at.stated, seen.id.Params, &Measured{begin, quarter, at.m.IndoorC, at.m.HeatKW, at.m.OutdoorC, at.m.Sun}, (day-2)*96, (day-1)*96, at.hotC(), trust(at.days[:known-1]), time.UTC); got != at.days[known-1] {
		t.Errorf("the last day was judged %+v, by what was known before it %+v", at.days[known-1], got)
	}
	if other.days[len(other.days)-1] == once.days[len(once.days)-1] {
		t.Error("another future is judged as the same")
	}
}

// TestNothingLeavesItsBounds whatever is measured.
func TestNothingLeavesItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		num := func(name string, lo, hi float64) float64 { return rapid.Float64Range(lo, hi).Draw(t, name) }
		p := pump(num("r", 0.1, 50), num("c", 0.1, 100))
		l, err := NewLearner(p, begin, time.Hour, time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		kind := rapid.IntRange(0, 3).Draw(t, "kind")
		slots := make([]Slot, 24*rapid.IntRange(4, 9).Draw(t, "days")+5)
		for i := range slots {
			c := num("inside", 10, 30)
			if kind == 1 {
				c = 20
			}
			slots[i] = Slot{c, num("power", -1, 4), num("outside", -10, 20), num("sun", 0, 1)}
			if kind == 2 && i%7 == 0 {
				slots[i] = Slot{math.NaN(), math.Inf(1), math.Inf(-1), math.NaN()}
			}
			if kind == 3 {
				slots[i] = Slot{1e9, 1e9, 1e9, 1e9}
			}
		}
		l.Take(slots)
		l.trial.Use = rapid.SampledFrom([]Use{AsStated, AsIdentified, WithGains}).Draw(t, "use")
		l.trial.Trust = num("trust", 0, 1)
		l.Expect(l.End(), []float64{0.5, math.NaN(), 7})
		h, x := l.Params(), l.Identified()
		for _, v := range []float64{h.ResistanceKPerKW / p.ResistanceKPerKW, h.CapacityKWhPerK / p.CapacityKWhPerK} {
			if !(v >= 1.0/farthest-1e-9 && v <= farthest+1e-9) {
				t.Fatalf("R or C is %g times what is stated", v)
			}
		}
		for _, v := range []float64{x.Deviation.ResistanceKPerKW, x.Deviation.CapacityKWhPerK, x.TimeConstantH, x.TimeConstantDeviationH} {
			if !(v > 0) || math.IsInf(v, 1) {
				t.Fatalf("%+v", x)
			}
		}
		for _, kw := range l.GainsKW(l.End(), 60) {
			if math.IsNaN(kw) || math.Abs(kw) > 2*l.heatKW() {
				t.Fatalf("gains of %g kW", kw)
			}
		}
		cold := make([]float64, 60)
		for _, kw := range l.DemandKW(l.End(), 60, cold) {
			if !(kw >= 0) || math.IsInf(kw, 1) {
				t.Fatalf("a demand of %g kW", kw)
			}
		}
		for _, kw := range l.Demanded().Values {
			if kw < 0 || math.IsInf(kw, 1) {
				t.Fatalf("%g kW were demanded", kw)
			}
		}
	})
	for _, c := range []struct{ r, c, kw float64 }{{0, 5, 3}, {5, 0, 3}, {5, 5, 0}, {math.NaN(), 5, 3}, {math.Inf(1), 5, 3}} {
		h := pump(c.r, c.c)
		h.MaxKW = c.kw
		if _, err := NewLearner(h, begin, quarter, time.UTC); err == nil {
			t.Errorf("rooms of %g K/kW and %g kWh/K with a pump of %g kW are taken", c.r, c.c, c.kw)
		}
	}
	if _, err := NewLearner(pump(5, 5), begin, 7*time.Minute, time.UTC); err == nil {
		t.Error("steps of 7 minutes are taken")
	}
}
