package scheduler

import (
	"math"
	"slices"
	"testing"
	"time"

	"quartier/optimizer/problem"
	"quartier/scheduler/building"
	"quartier/schemas/district"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
)

// winter gives the record so many days of rooms of 3 K/kW and 6 kWh/K, in which people give 0.4 kW and a full sun 2 kW: a thermostat heats them, less at night, and the weather comes and goes.
func (w *town) winter(days int) {
	const r, c, h = 3.0, 6.0, 0.25
	begin := w.now.Truncate(24*time.Hour).AddDate(0, 0, -days)
	in := 20.0
	for at := begin; at.Before(w.now); at = at.Add(15 * time.Minute) {
		hour, d := float64(at.Hour())+float64(at.Minute())/60, at.Sub(begin).Hours()/24
		out := 3 + 4*math.Sin(2*math.Pi*d/6.1) + 3*math.Sin(2*math.Pi*(d-0.375))
		sun := math.Max(0, math.Sin(math.Pi*(hour-8)/9)) * (0.3 + 0.3*math.Sin(d*d))
		if hour < 8 || hour > 17 {
			sun = 0
		}
		set := 20.5
		if hour < 5 || hour > 21 {
			set = 19.5
		}
		cop := 3.5 + 0.06*(out-7)
		kw := math.Max(0, math.Min(4, ((set-out)/r-0.4)/cop+1.5*(set-in)))
		keep := math.Exp(-h / (r * c))
		in = keep*in + (1-keep)*(out+r*(kw*cop+0.4+2*sun))
		for id, row := range map[district.SeriesID]rollup.Row{
			district.NewSeriesID("d", "s", "hp", district.IndoorC):                         {Last: math.Round(in*10) / 10},
			district.NewSeriesID("d", "s", "hp", district.PowerKW):                         {Integral: kw * h},
			district.NewSeriesID("d", "s", "pv", district.PowerKW):                         {Integral: -20 * sun * h},
			district.NewSeriesID("d", district.DistrictSite, "weather", district.OutdoorC): {Integral: out * h},
		} {
			row.Series, row.Start, row.End, row.Samples, row.Held = id, at, at.Add(15*time.Minute), 15, 15*time.Minute
			w.slots = append(w.slots, row)
		}
	}
}

// zone is the heat pump of the newest problem.
func (w *town) zone(t *testing.T) *problem.HeatPump {
	t.Helper()
	if _, err := w.s.Replan(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, d := range w.asked[len(w.asked)-1].Sites[0].Devices {
		if x, ok := d.(*problem.HeatPump); ok {
			return x
		}
	}
	t.Fatal("the plan has no heat pump")
	return nil
}

// TestRoomsArePlannedByWhatWasMeasured: they are as configured while nothing is known, and as the record shows them once that foresaw them better, with what is known of them told. A record that does not answer leaves them as they were.
func TestRoomsArePlannedByWhatWasMeasured(t *testing.T) {
	w := newTown(t)
	if z := w.zone(t).Zone; z.ResistanceKPerKW != 5 || z.CapacityKWhPerK != 8 || slices.Max(z.GainsKW) != 0 || slices.Min(z.GainsKW) != 0 {
		t.Errorf("nothing is known, and the plan takes %g K/kW and %g kWh/K", z.ResistanceKPerKW, z.CapacityKWhPerK)
	}
	w.winter(20)
	w.s, _ = New(w.s.cfg)
	z := w.zone(t).Zone
	if math.Abs(z.ResistanceKPerKW-3) > 0.3 || math.Abs(z.CapacityKWhPerK-6) > 1 {
		t.Errorf("the plan takes %g K/kW and %g kWh/K, the record was made with 3 and 6", z.ResistanceKPerKW, z.CapacityKWhPerK)
	}
	if m := mean(z.GainsKW); math.Abs(m-0.5) > 0.4 {
		t.Errorf("gains of %g kW are foreseen", m)
	}
	if len(w.s.Rooms()) != 1 {
		t.Fatalf("%d rooms are known", len(w.s.Rooms()))
	}
	x := w.s.Rooms()[0]
	t.Logf("%+v", x)
	if x.Site != "s" || x.Device != "hp" || x.Trial.Use == building.AsStated || x.Trial.DayK.Identified > 0.5*x.Trial.DayK.Stated || x.Days < 15 || math.Abs(x.SolarKW-2) > 1 {
		t.Errorf("of the rooms is known: %+v", x)
	}
	w.now = w.now.Add(30 * time.Minute)
	w.refresh()
	w.s.cfg.Store = silent{w}
	if again := w.zone(t).Zone; again.ResistanceKPerKW != z.ResistanceKPerKW || again.CapacityKWhPerK != z.CapacityKWhPerK {
		t.Errorf("a record that does not answer makes %g K/kW of %g", again.ResistanceKPerKW, z.ResistanceKPerKW)
	}
	w.s.cfg.Store = w
	w.now = w.now.AddDate(0, 0, -3) // the clock is set back
	w.refresh()
	w.zone(t)
	for key, l := range w.s.rooms.by {
		if l.End().After(w.now) {
			t.Errorf("%v: it ends at %v, the clock shows %v", key, l.End(), w.now)
		}
	}
}

// TestRoomsThatCannotBePlanned are taken as they are configured, and said so once.
func TestRoomsThatCannotBePlanned(t *testing.T) {
	w := newTown(t)
	w.d.Step = 7 * time.Minute
	w.s, _ = New(w.s.cfg)
	if z := w.zone(t).Zone; z.ResistanceKPerKW != 5 || len(w.s.Rooms()) != 0 {
		t.Errorf("the plan takes %g K/kW, %d rooms are known", z.ResistanceKPerKW, len(w.s.Rooms()))
	}
}

// TestRoomsDoNotHoldUpAPlan: where many rooms are to be looked at anew a plan waits for some of them, and those that are left come with the next one.
func TestRoomsDoNotHoldUpAPlan(t *testing.T) {
	w := newTown(t)
	for _, id := range []string{"hp2", "hp3", "hp4"} {
		one := *w.d.Device("s", "hp")
		one.ID = id
		w.d.Sites[0].Devices = append(w.d.Sites[0].Devices, one)
	}
	wall := time.Unix(0, 0)
	w.s.cfg.Wall = func() time.Time { wall = wall.Add(learnBudget * 3 / 4); return wall } // each look takes that long
	known := func() (n int) {
		if _, err := w.s.Replan(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, l := range w.s.rooms.by {
			if w.now.Sub(l.End()) < 24*time.Hour {
				n++
			}
		}
		return n
	}
	for plan, want := range []int{2, 4, 4} {
		if got := known(); got != want {
			t.Errorf("plan %d: %d rooms of 4 are looked at, want %d", plan+1, got, want)
		}
	}
}

// TestTheSunOfRooms is that of their site's inverters, else of the district's, else of the weather that is published.
func TestTheSunOfRooms(t *testing.T) {
	w := newTown(t)
	other := district.Site{ID: "o", Devices: []district.Device{{ID: "pv", Kind: district.PV, PV: &district.PVParams{PeakKW: 10}}}}
	w.d.Sites = append(w.d.Sites, other, district.Site{ID: "dark"})
	in := inputs{start: noon, step: w.d.Step, steps: 2, sunKW: map[string][]float64{"s": {10, 5}, "o": {2, 4}}}
	for _, c := range []struct {
		site  int
		first float64
	}{{0, 0.5}, {1, 0.2}, {2, 0.4}} {
		if got := w.s.sunAhead(w.s.sunOf(&w.d.Sites[c.site]), in); math.Abs(got[0]-c.first) > 1e-12 {
			t.Errorf("site %d: a share of %g shines, want %g", c.site, got[0], c.first)
		}
	}
	w.d.Sites[0].Devices[1].PV, w.d.Sites[1].Devices[0].PV = nil, nil
	if from := w.s.sunOf(&w.d.Sites[2]); len(from.series) != 0 {
		t.Errorf("nothing tells of the sun, and %v does", from.series)
	}
	w.s.cfg.Weather = func(quantity string, _ timegrid.Span) (float64, bool) { return 250, quantity == district.IrradianceWm2 }
	from := w.s.sunOf(&w.d.Sites[2])
	if got := w.s.sunAhead(from, in); len(from.series) != 1 || got[1] != 0.25 {
		t.Errorf("%v tell of a share of %g", from.series, got[1])
	}
}
