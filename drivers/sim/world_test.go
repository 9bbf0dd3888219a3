package sim_test

import (
	"context"
	"errors"
	"io/fs"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"quartier/drivers"
	"quartier/drivers/sim"
	"quartier/drivers/sim/simtest"
	"quartier/schemas/district"
	"quartier/schemas/timegrid"
	"quartier/testdata"
)

var start = time.Date(2026, 3, 18, 9, 17, 25, 0, time.UTC)

// TestDemoSize: the demonstration has two districts, at least 20 sites and 60 devices, and a device of every kind.
func TestDemoSize(t *testing.T) {
	cfg := simtest.Load(t, "demo", start)
	sites, devices, kinds := 0, 0, map[district.Kind]int{}
	for i := range cfg.Districts {
		sites += len(cfg.Districts[i].Sites)
		for _, dev := range cfg.Districts[i].AllDevices {
			devices++
			kinds[dev.Kind]++
		}
	}
	if len(cfg.Districts) != 2 || sites < 20 || devices < 60 {
		t.Errorf("%d districts, %d sites, %d devices, want 2, 20 and 60 at least", len(cfg.Districts), sites, devices)
	}
	for _, k := range district.Kinds() {
		if kinds[k] == 0 {
			t.Errorf("no %s", k)
		}
	}
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(w.Devices()); got != devices {
		t.Errorf("%d simulated devices for %d configured", got, devices)
	}
}

// TestWorldBalances: at every instant each grid meter reads the sum of its site, and the substation what its sites draw plus losses of a few percent.
func TestWorldBalances(t *testing.T) {
	cfg := simtest.Load(t, "demo", start)
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	power := func(d, s, id string) float64 {
		v, ok := w.Value(sim.Ref{District: d, Site: s, Device: id}, district.PowerKW)
		if !ok {
			t.Fatalf("%s/%s/%s has no power", d, s, id)
		}
		return v
	}
	for i := range 50 {
		w.Advance(start.Add(time.Duration(i) * 13 * time.Minute))
		for _, d := range cfg.Districts {
			sum := 0.0
			for _, s := range d.Sites {
				grid, known, loads := power(d.ID, s.ID, "grid"), 0.0, 0
				for _, dev := range s.Devices {
					switch dev.Kind {
					case district.GridMeter, district.HeatMeter, district.GasMeter:
					case district.LoadMeter:
						loads++
						known += power(d.ID, s.ID, dev.ID)
					default:
						known += power(d.ID, s.ID, dev.ID)
					}
				}
				sum += grid
				if loads == 1 && math.Abs(grid-known) > 1e-9 {
					t.Fatalf("%s/%s: grid %g kW, devices %g kW", d.ID, s.ID, grid, known)
				}
				if loads == 0 && grid < known-1e-9 {
					t.Fatalf("%s/%s: grid %g kW is less than its devices %g kW", d.ID, s.ID, grid, known)
				}
			}
			if loss := power(d.ID, "_", "substation") - sum; loss < 1 || loss > 20 {
				t.Fatalf("%s: losses of %g kW", d.ID, loss)
			}
		}
	}
}

// TestDeterministic: two worlds from the same description are the same to the last bit, however often they are advanced; another seed is another world.
func TestDeterministic(t *testing.T) {
	read := func(seed uint64, pause time.Duration) []float64 {
		cfg := simtest.Load(t, "demo", start)
		cfg.Description.Seed += seed
		w, err := sim.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		for at := start; at.Before(start.Add(40 * time.Minute)); at = at.Add(pause) {
			w.Advance(at)
		}
		w.Advance(start.Add(40 * time.Minute))
		var out []float64
		for _, ref := range w.Devices() {
			for _, q := range district.Quantities() {
				if v, ok := w.Value(ref, q.Name); ok {
					out = append(out, v)
				}
			}
		}
		return out
	}
	a, b, c := read(0, 7*time.Second), read(0, 90*time.Second), read(1, 90*time.Second)
	if !slices.Equal(a, b) {
		t.Error("advancing in other pieces gave another world")
	}
	if slices.Equal(a, c) {
		t.Error("another seed gave the same world")
	}
}

// TestCommandsAndFaults: a command changes a device and expires, a frozen device stands still, unknown devices are named.
func TestCommandsAndFaults(t *testing.T) {
	cfg := simtest.Load(t, "small", start)
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	battery := sim.Ref{District: "rue-verte", Site: "house", Device: "battery"}
	at := start
	wait := func(d time.Duration) { at = at.Add(d); w.Advance(at) }
	if err := w.Command(battery, drivers.ControlKW, 2.5, 5*time.Minute, nil); err != nil {
		t.Fatal(err)
	}
	wait(time.Minute)
	if kw, _ := w.Value(battery, district.PowerKW); math.Abs(kw-2.5) > 0.01 || !w.Commanded(battery) {
		t.Errorf("%g kW, commanded %v, want 2.5 kW", kw, w.Commanded(battery))
	}
	wait(10 * time.Minute)
	if w.Commanded(battery) {
		t.Error("the command was to last five minutes and holds after ten")
	}
	if err := w.SetFault(battery, sim.Frozen); err != nil {
		t.Fatal(err)
	}
	before, _ := w.Value(battery, district.ImportKWh)
	if err := w.Command(battery, drivers.ControlKW, 3, 0, nil); err != nil {
		t.Fatal(err)
	}
	wait(10 * time.Minute)
	if after, _ := w.Value(battery, district.ImportKWh); after != before {
		t.Error("a frozen counter moved")
	}
	if err := w.SetFault(battery, sim.NoFault); err != nil {
		t.Fatal(err)
	}
	if after, _ := w.Value(battery, district.ImportKWh); after <= before {
		t.Error("the counter behind the frozen display stood still too")
	}
	if err := w.Command(sim.Ref{District: "x"}, drivers.ControlKW, 1, 0, nil); !errors.Is(err, sim.ErrUnknownDevice) {
		t.Errorf("a command to nobody: %v", err)
	}
	if err := w.Command(battery, drivers.ControlAmpere, 1, 0, nil); !errors.Is(err, sim.ErrCommand) {
		t.Errorf("amperes to a battery: %v", err)
	}
}

// TestMachinesThatFail: what a device shows may differ from what it does, one that is deaf goes on as before, and one that is broken does nothing.
func TestMachinesThatFail(t *testing.T) {
	cfg := simtest.Load(t, "small", start)
	cfg.Step = time.Second
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	battery := sim.Ref{District: "rue-verte", Site: "house", Device: "battery"}
	power := func() float64 { v, _ := w.Truth(battery, district.PowerKW); return v }
	order := func(kw float64) {
		t.Helper()
		if err := w.Command(battery, drivers.ControlKW, kw, 0, nil); err != nil {
			t.Fatal(err)
		}
		w.Advance(w.Now().Add(15 * time.Second))
	}
	order(2)
	if err := w.Distort(battery, district.PowerKW, func(kw float64) float64 { return -kw }); err != nil {
		t.Fatal(err)
	}
	if shown, _ := w.Value(battery, district.PowerKW); shown != -2 || power() != 2 {
		t.Errorf("a battery that charges with %v kW and is turned round shows %v kW, want 2 and -2", power(), shown)
	}
	w.Distort(battery, district.PowerKW, func(float64) float64 { return math.NaN() })
	if _, ok := w.Value(battery, district.PowerKW); ok {
		t.Error("a value that the device does not have is shown")
	}
	w.Distort(battery, district.PowerKW, nil)
	for _, tt := range []struct {
		fault sim.Fault
		want  float64
	}{{sim.Deaf, 2}, {sim.NoFault, 1}, {sim.Broken, 0.0012 * 4}, {sim.NoFault, 1}} {
		w.SetFault(battery, tt.fault)
		order(1)
		if shown, _ := w.Value(battery, district.PowerKW); math.Abs(shown-tt.want) > 1e-9 {
			t.Errorf("told to charge with 1 kW, fault %s: %v kW, want %v", tt.fault, shown, tt.want)
		}
	}
	nobody := sim.Ref{Device: "nobody"}
	for name, err := range map[string]error{"distort": w.Distort(nobody, "power_kw", nil), "plug in": w.PlugIn(battery, 1, start), "unplug": w.Unplug(nobody)} {
		if !errors.Is(err, sim.ErrUnknownDevice) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestConcurrentUse: reading, commanding and advancing at once is safe (run with -race).
func TestConcurrentUse(t *testing.T) {
	w, err := sim.New(simtest.Load(t, "small", start))
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for _, f := range []func(i int){
		func(i int) { w.Advance(start.Add(time.Duration(i) * 20 * time.Second)) },
		func(int) {
			for _, ref := range w.Devices() {
				w.Value(ref, district.PowerKW)
			}
		},
		func(i int) {
			_ = w.Command(sim.Ref{District: "rue-verte", Site: "house", Device: "battery"}, drivers.ControlKW, float64(i%3), time.Minute, nil)
		},
		func(i int) { w.Carbon("rue-verte", start.Add(time.Duration(i)*time.Hour)); w.Now() },
	} {
		wg.Go(func() {
			for i := range 200 {
				f(i)
			}
		})
	}
	wg.Wait()
}

// TestHistoryJoins: the record of some weeks comes newest first, its counters grow without a step back across the turns of the months, on the day of 25 hours
// as on others, and end where the live world begins.
func TestHistoryJoins(t *testing.T) {
	cfg := simtest.Load(t, "demo", time.Date(2026, 11, 9, 8, 32, 10, 0, time.UTC))
	from := time.Date(2026, 9, 28, 0, 0, 0, 0, time.UTC)
	to := timegrid.Floor(cfg.Start, 15*time.Minute)
	var months []timegrid.Span
	var all [][]district.Sample
	last := 0.0
	err := sim.History(context.Background(), cfg, from, to, 15*time.Minute, func(m timegrid.Span, s []district.Sample) error {
		months, all = append(months, m), append(all, s)
		return nil
	}, func(done float64) {
		if done < last || done > 1 {
			t.Errorf("progress %g after %g", done, last)
		}
		last = done
	})
	if err != nil {
		t.Fatal(err)
	}
	zone := cfg.Districts[0].Zone
	for i, want := range []string{"2026-11", "2026-10", "2026-09"} {
		if got := months[i].Start.In(zone).Format("2006-01"); got != want {
			t.Errorf("call %d is %s, want %s", i, got, want)
		}
		if i > 0 && !months[i].End.Equal(months[i-1].Start) {
			t.Errorf("%s does not end where the next month begins", want)
		}
	}
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(all)
	type seen struct {
		at time.Time
		v  float64
	}
	newest, count := map[district.SeriesID]seen{}, map[district.SeriesID]int{}
	for _, samples := range all {
		for _, s := range samples {
			if math.IsNaN(s.Value) || math.IsInf(s.Value, 0) || s.Source != district.FromHistory || s.Time.Location() != time.UTC {
				t.Fatalf("sample %+v", s)
			}
			_, _, _, quantity, ok := s.Series.Parts()
			if !ok {
				t.Fatalf("series %q", s.Series)
			}
			old, known := newest[s.Series]
			if known && !s.Time.After(old.at) {
				t.Fatalf("%s at %v after %v", s.Series, s.Time, old.at)
			}
			if q, _ := district.LookupQuantity(quantity); q.Form == district.Counter && (s.Value < 0 || known && s.Value < old.v) {
				t.Fatalf("%s falls from %g to %g at %v", s.Series, old.v, s.Value, s.Time)
			}
			newest[s.Series] = seen{s.Time, s.Value}
			count[s.Series]++
		}
	}
	steps := timegrid.NewSpan(from, to).Count(15*time.Minute) + 1
	for id, n := range count {
		_, _, _, quantity, _ := id.Parts()
		hourly := quantity == district.IndoorC || quantity == district.TankC || quantity == district.OutdoorC || quantity == district.IrradianceWm2
		if !hourly && n != steps {
			t.Errorf("%s has %d samples, want %d", id, n, steps)
		}
	}
	for _, ref := range w.Devices() {
		for _, q := range []string{district.ImportKWh, district.ExportKWh} {
			id := district.NewSeriesID(ref.District, ref.Site, ref.Device, q)
			got, ok := newest[id]
			if !ok {
				continue
			}
			live, _ := w.Value(ref, q)
			if live < got.v-0.06 || live-got.v > 5 { // 0.1 kWh of the coarsest register; 2 min have passed
				t.Errorf("%s: record ends at %g, the live world stands at %g", id, got.v, live)
			}
		}
	}
}

// TestYearOfTheDemo: over a year (told from its twelve middle weeks), without any control, both districts are near positive energy, a roof gives what one in Dijon gives, and batteries
// and rooms stay within their limits.
func TestYearOfTheDemo(t *testing.T) {
	cfg := simtest.Load(t, "demo", start)
	used, gauges := map[district.SeriesID]float64{}, map[string][2]float64{}
	for month := time.January; month <= time.December; month += 2 { // a week of every second month, winter and summer alike
		from := time.Date(2026, month, 12, 0, 0, 0, 0, time.UTC)
		low := map[district.SeriesID]float64{}
		err := sim.History(context.Background(), cfg, from, from.AddDate(0, 0, 7), time.Hour, func(_ timegrid.Span, list []district.Sample) error {
			for _, s := range list {
				_, _, _, quantity, _ := s.Series.Parts()
				if first, ok := low[s.Series]; !ok {
					low[s.Series] = s.Value
				} else if s.Time.Equal(from.AddDate(0, 0, 7)) {
					used[s.Series] += (s.Value - first) * 365 / 42
				}
				g, ok := gauges[quantity]
				if !ok {
					g = [2]float64{s.Value, s.Value}
				}
				gauges[quantity] = [2]float64{math.Min(g[0], s.Value), math.Max(g[1], s.Value)}
			}
			return nil
		}, nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, d := range cfg.Districts {
		produced, peak, battery := 0.0, 0.0, 0.0
		for site, dev := range d.AllDevices {
			switch dev.Kind {
			case district.PV:
				produced += used[dev.Series(d.ID, site, district.ExportKWh)]
				peak += dev.PV.PeakKW
			case district.Battery:
				battery += dev.Battery.CapacityKWh
			}
		}
		in, out := used[district.NewSeriesID(d.ID, "_", "substation", district.ImportKWh)], used[district.NewSeriesID(d.ID, "_", "substation", district.ExportKWh)]
		consumed := produced + in - out
		t.Logf("%-9s %2d sites, %4.0f kWp, %3.0f kWh of batteries: produced %4.0f MWh (%.0f kWh/kWp), consumed %4.0f MWh, ratio %.2f, drawn %3.0f MWh, fed %3.0f MWh",
			d.ID, len(d.Sites), peak, battery, produced/1000, produced/peak, consumed/1000, produced/consumed, in/1000, out/1000)
		if r := produced / consumed; r < 0.85 || r > 1.2 {
			t.Errorf("%s produces %.2f of what it consumes, want near 1", d.ID, r)
		}
		if y := produced / peak; y < 950 || y > 1250 {
			t.Errorf("%s: %g kWh per kWp and year", d.ID, y)
		}
	}
	for quantity, want := range map[string][2]float64{district.SOC: {0.015, 0.985}, district.IndoorC: {15, 28}, district.TankC: {25, 75}, district.OutdoorC: {-15, 38}, district.IrradianceWm2: {0, 1100}} {
		if g := gauges[quantity]; g[0] < want[0] || g[1] > want[1] {
			t.Errorf("%s between %g and %g, want within %g to %g", quantity, g[0], g[1], want[0], want[1])
		}
	}
}

// TestHistoryStops: a cancelled context and a failing receiver end the work with their error.
func TestHistoryStops(t *testing.T) {
	cfg := simtest.Load(t, "small", start)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	none := func(timegrid.Span, []district.Sample) error { return nil }
	if err := sim.History(ctx, cfg, start.AddDate(0, -1, 0), start, 15*time.Minute, none, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	full := errors.New("disk full")
	err := sim.History(context.Background(), cfg, start.AddDate(0, -3, 0), start, 15*time.Minute, func(timegrid.Span, []district.Sample) error { return full }, nil)
	if !errors.Is(err, full) {
		t.Errorf("failing receiver: %v", err)
	}
	for _, s := range []time.Duration{0, 7 * time.Minute, 25 * time.Minute} {
		if err := sim.History(context.Background(), cfg, start.AddDate(0, -1, 0), start, s, none, nil); err == nil {
			t.Errorf("step %v was accepted", s)
		}
	}
}

// TestWorldFromGappyTraces: traces with gaps and NaN make a world all the same; what rests on them is recorded as substituted.
func TestWorldFromGappyTraces(t *testing.T) {
	cfg := simtest.Load(t, "small", start)
	var sb strings.Builder
	sb.WriteString("time_utc,load_kw,pv_kw\n")
	at := time.Date(2024, 3, 1, 0, 0, 0, 0, time.UTC)
	for i := range 48 * 40 {
		load := "0.5"
		if i%48 == 20 || i%48 == 21 { // 10:00 to 11:00 UTC every day
			load = "NaN"
		}
		if i%48 != 30 {
			sb.WriteString(at.Add(time.Duration(i)*30*time.Minute).Format("2006-01-02T15:04Z") + "," + load + ",0.2\n")
		}
	}
	traces := fstest.MapFS{}
	err := fs.WalkDir(testdata.Traces(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(testdata.Traces(), name)
		traces[name] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	traces["emhass/home_30min.csv.gz"] = &fstest.MapFile{Data: pack(t, sb.String())}
	cfg.Traces = traces
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(w.TraceFaults()); n < 80 {
		t.Errorf("%d faults reported for 40 days with a gap and a missing row each", n)
	}
	substituted, good := 0, 0
	err = sim.History(context.Background(), cfg, start.AddDate(0, 0, -3), start, 15*time.Minute, func(_ timegrid.Span, list []district.Sample) error {
		for _, s := range list {
			if strings.HasSuffix(string(s.Series), "grid/import_kwh") {
				switch s.Quality {
				case district.Substituted:
					substituted++
				case district.Good:
					good++
				}
			}
		}
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if substituted < 12 || substituted > 60 || good < 200 {
		t.Errorf("%d substituted and %d good samples in three days with an hour missing in each", substituted, good)
	}
}

// TestTempoCalendarIsInTheFile: the Tempo days of demo.yaml are those of the rule, 22 red and 43 white a season, and keep the tariff's limits.
func TestTempoCalendarIsInTheFile(t *testing.T) {
	days, err := sim.TempoCalendar(simtest.Load(t, "demo", start), "valmy", 2025, 2027)
	if err != nil {
		t.Fatal(err)
	}
	data, err := fs.ReadFile(testdata.Districts(), "demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	red, white, row := 0, 0, 0
	last := time.Time{}
	for _, d := range days {
		if !strings.Contains(string(data), "{date: "+d.Date+", colour: "+string(d.Colour)+"}") {
			t.Errorf("demo.yaml lacks %s %s", d.Date, d.Colour)
		}
		at, err := time.Parse("2006-01-02", d.Date)
		if err != nil {
			t.Fatal(err)
		}
		if d.Colour != "red" {
			white++
			if at.Weekday() == time.Sunday {
				t.Errorf("%s is a white Sunday", d.Date)
			}
			continue
		}
		red++
		if row++; at.Sub(last) != 24*time.Hour {
			row = 1
		}
		last = at
		if m := at.Month(); row > 5 || m > time.March && m < time.November || at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
			t.Errorf("%s is red, number %d in a row", d.Date, row)
		}
	}
	if red != 3*22 || white != 3*43 || strings.Count(string(data), "{date: ") != len(days) {
		t.Errorf("%d red and %d white days, %d in demo.yaml", red, white, strings.Count(string(data), "{date: "))
	}
}

// BenchmarkHistory makes the 13 months of the whole demonstration. On two shared cores of a small server: 4.6 s, 6.9 million samples.
func BenchmarkHistory(b *testing.B) {
	to := time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC)
	cfg := simtest.Load(b, "demo", to)
	for b.Loop() {
		n := 0
		err := sim.History(context.Background(), cfg, to.AddDate(0, -13, 0), to, 15*time.Minute, func(_ timegrid.Span, s []district.Sample) error {
			n += len(s)
			return nil
		}, nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(n), "samples")
	}
}
