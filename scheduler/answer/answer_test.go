package answer

import (
	"errors"
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/optimizer/storage"
)

var start = time.Date(2026, 1, 15, 17, 0, 0, 0, time.UTC)

var home = storage.Store{CapacityKWh: 8, ChargeKW: 5, DischargeKW: 5, ChargeEfficiency: 0.95, DischargeEfficiency: 0.95, WearCostPerKWh: 0.005}

func flat(v float64, n int) []float64 {
	s := make([]float64, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// dearEvening is an hour at 0.40 EUR/kWh and three at 0.20, in quarter-hours, with 1 kW expected.
func dearEvening() Outlook {
	o := Outlook{Start: start, Step: 15 * time.Minute, NetKW: flat(1, 16), ImportPrice: flat(0.2, 16), ExportPrice: flat(0.05, 16)}
	copy(o.ImportPrice, flat(0.4, 4))
	return o
}

func sure(_ int, out []float64) { clear(out) }

// TestAnswersWhatComes: at the dear hour what is drawn is covered, a kettle more than was expected too, and nothing is given to the grid for less than it is worth later.
func TestAnswersWhatComes(t *testing.T) {
	v, err := New(home, dearEvening(), sure)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name              string
		after             time.Duration
		stored, net, want float64
	}{
		{"as expected", 0, 6, 1, -1},
		{"a kettle", 0, 6, 3, -3},
		{"a kettle at the end of the slot", 14*time.Minute + 55*time.Second, 6, 3, -3},
		{"the sun comes out", time.Minute, 0, -2, 2},
		{"empty", time.Minute, 0, 3, 0},
		{"beyond what the store can", time.Minute, 8, 9, -5},
	} {
		kw, err := v.Power(Now{At: start.Add(c.after), StoredKWh: c.stored, NetKW: c.net, ImportPrice: 0.4, ExportPrice: 0.05})
		if err != nil || math.Abs(kw-c.want) > 1e-6 {
			t.Errorf("%s: %g kW, %v; want %g kW", c.name, kw, err, c.want)
		}
	}
	if w := v.Worth(start, 0.5); w < 0.2 || w > 0.4 {
		t.Errorf("what is stored is worth %g EUR per kWh between prices of 0.20 and 0.40", w)
	}
	for _, at := range []time.Time{start.Add(-time.Second), start.Add(4 * time.Hour)} {
		if _, err := v.Power(Now{At: at}); !errors.Is(err, ErrBeyond) {
			t.Errorf("%v: %v", at, err)
		}
	}
}

// TestWidthKeepsBack: where the net power may turn out higher in the dear hour, more is kept for it than for what is expected.
func TestWidthKeepsBack(t *testing.T) {
	o := dearEvening()
	for i := range o.ImportPrice { // cheap at first
		o.ImportPrice[i] = 0.2
	}
	copy(o.ImportPrice[4:8], flat(0.4, 4))
	narrow, err := New(home, o, sure)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := New(home, o, func(_ int, out []float64) { copy(out, []float64{-1.5, -0.5, 0, 1, 3}) })
	if err != nil {
		t.Fatal(err)
	}
	if a, b := narrow.Worth(start, 2.5), wide.Worth(start, 2.5); b <= a {
		t.Errorf("a kWh more is worth %g EUR where the net power is sure and %g where it is not", a, b)
	}
}

// TestCurtailedSunNeedsNoRoom: before a noon that may pass the export limit what is stored is not worth less than nothing where the sun can be held back, and is where it cannot.
func TestCurtailedSunNeedsNoRoom(t *testing.T) {
	o := dearEvening()
	o.ImportPrice = flat(0.2, 16)
	o.ExportLimitKW = flat(10, 16)
	for k := range o.NetKW {
		o.NetKW[k] = -8
	}
	wide := func(_ int, out []float64) { copy(out, []float64{-4, -2, 0, 2, 4}) }
	for _, curtails := range []bool{true, false} {
		o.Curtails = curtails
		v, err := New(home, o, wide)
		if err != nil {
			t.Fatal(err)
		}
		if w := v.Worth(start, 7); curtails && w < 0 || !curtails && w > 0 {
			t.Errorf("sun that can be held back %v: a stored kWh is worth %g EUR", curtails, w)
		}
	}
}

// TestFaults of an outlook are named.
func TestFaults(t *testing.T) {
	o := dearEvening()
	o.ImportPrice = o.ImportPrice[1:]
	if _, err := New(home, o, sure); err == nil {
		t.Error("an outlook without a price is taken")
	}
	if _, err := New(storage.Store{CapacityKWh: -1}, dearEvening(), sure); err == nil {
		t.Error("a store of -1 kWh is taken")
	}
}

// TestShareKeepsSites: no site is given more than it has room for and no store more than it can, and the sum is what was asked as far as that allows.
func TestShareKeepsSites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sites := []string{"a", "b", "c"}
		room := map[string]Room{}
		for _, s := range sites {
			if rapid.Bool().Draw(t, "limited") {
				room[s] = RoomOf(rapid.Float64Range(-10, 10).Draw(t, "net"), rapid.Float64Range(0, 12).Draw(t, "import"), rapid.Float64Range(0, 12).Draw(t, "export"))
			}
		}
		var stores []Store
		most, least := map[string]float64{}, map[string]float64{}
		for range rapid.IntRange(0, 6).Draw(t, "stores") {
			s := Store{Store: home, Site: rapid.SampledFrom(sites).Draw(t, "site")}
			s.CapacityKWh = rapid.Float64Range(1, 20).Draw(t, "capacity")
			s.ChargeEfficiency = rapid.Float64Range(0.8, 1).Draw(t, "efficiency")
			s.StoredKWh = rapid.Float64Range(0, 1).Draw(t, "level") * s.CapacityKWh
			stores = append(stores, s)
			most[s.Site] += s.Within(s.StoredKWh, math.Inf(1), 0.25)
			least[s.Site] += s.Within(s.StoredKWh, math.Inf(-1), 0.25)
		}
		kw := rapid.Float64Range(-40, 40).Draw(t, "kw")
		out := Share(stores, room, kw, 0.25)
		sum, bySite := 0.0, map[string]float64{}
		for i, b := range out {
			if math.Abs(stores[i].Within(stores[i].StoredKWh, b, 0.25)-b) > 1e-9 {
				t.Fatalf("store %d gets %g kW at %g of %g kWh", i, b, stores[i].StoredKWh, stores[i].CapacityKWh)
			}
			sum, bySite[stores[i].Site] = sum+b, bySite[stores[i].Site]+b
		}
		hi, lo := 0.0, 0.0
		for _, s := range sites {
			r, limited := room[s]
			if !limited {
				r = Room{math.Inf(-1), math.Inf(1)}
			}
			if bySite[s] < r.LowKW-1e-6 || bySite[s] > r.HighKW+1e-6 {
				t.Fatalf("site %s gets %g kW, it has room for %g to %g kW", s, bySite[s], r.LowKW, r.HighKW)
			}
			hi, lo = hi+math.Min(most[s], r.HighKW), lo+math.Max(least[s], r.LowKW)
		}
		if want := math.Max(lo, math.Min(hi, kw)); math.Abs(sum-want) > 1e-6*(1+math.Abs(kw)) {
			t.Fatalf("%g kW of %g kW are shared, %g to %g kW are possible", sum, kw, lo, hi)
		}
	})
}

// TestLimitsOfTheNextDay: a limit in an outlook that the next day has not is not what is stored is worth at its end; where nothing is said of the next day, it has it too; what the next day has alone counts.
func TestLimitsOfTheNextDay(t *testing.T) {
	const n = 24 * 4
	worth := func(now, next []float64) float64 {
		t.Helper()
		v, err := New(home, Outlook{Start: start, Step: 15 * time.Minute, NetKW: flat(2, n), ImportPrice: flat(0.2, n), ExportPrice: flat(0.05, n), ImportLimitKW: now, NextImportLimitKW: next}, sure)
		if err != nil {
			t.Fatal(err)
		}
		return v.Worth(start.Add(n*15*time.Minute-time.Second), 1)
	}
	none, some := flat(math.Inf(1), n), flat(math.Inf(1), n)
	copy(some, flat(0.5, 8))
	for _, tt := range []struct {
		name      string
		now, next []float64
		dear      bool
	}{{"no limit", none, none, false}, {"once", some, none, false}, {"each day", some, some, true}, {"nothing said", some, nil, true}, {"from the next day on", none, some, true}} {
		if got := worth(tt.now, tt.next); (got > 1) != tt.dear {
			t.Errorf("%s: one more kWh is worth %.2f EUR at the end, want more than any energy: %v", tt.name, got, tt.dear)
		}
	}
}
