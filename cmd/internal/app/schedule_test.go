package app

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/schemas/district"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
	"quartier/testdata"
)

// TestSchedulingKeys: every key of control and forecast reaches the scheduler, in its unit; an accelerated clock only stretches what it must.
func TestSchedulingKeys(t *testing.T) {
	text, err := fs.ReadFile(testdata.Districts(), "small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("small.yaml", append(text, []byte(`
control: {enabled: false, horizon_hours: 30, replan_minutes: 7, plan_seconds: 3, dispatch_seconds: 11, stale_seconds: 77, plan_max_age_hours: 5, carbon_price_eur_per_tonne: 120}
forecast: {similar_days: 4, look_back_days: 33, fade_hours: 1.5}
`)...), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	d := &cfg.Districts[0]
	got := schedulerConfig(cfg, d, NewClock(time.Now(), 1))
	if !got.PlanOnly || got.Horizon != 30*time.Hour || got.ReplanEvery != 7*time.Minute || got.DispatchEvery != 11*time.Second || got.Round != 11*time.Second || got.Stale != 77*time.Second ||
		got.PlanMaxAge != 5*time.Hour || got.CarbonPriceEURPerTonne != 120 {
		t.Errorf("control is %+v", got)
	}
	if f := got.Forecast; f.SimilarDays != 4 || f.LookBackDays != 33 || f.Fade != 90*time.Minute {
		t.Errorf("forecast is %+v", f)
	}
	if g, ok := got.Carbon(timegrid.NewSpan(time.Now(), time.Now().Add(15*time.Minute))); !ok || g != cfg.Carbon[d.Carbon].GPerKWh {
		t.Errorf("carbon is %v, %v; want the constant of the configuration", g, ok)
	}
	fast := schedulerConfig(cfg, d, NewClock(time.Now(), 600))
	if fast.ReplanEvery != 5*time.Second || fast.DispatchEvery != time.Second || fast.Round != 10*time.Minute || fast.Stale != 150*time.Minute || fast.PlanMaxAge != 5*time.Hour {
		t.Errorf("at 600 times real time: %+v", fast)
	}
	// a plan is late after two rounds and a half, 3 s for the solver and a minute; never later than it counts
	for _, tt := range []struct {
		replanMinutes, speed float64
		want                 time.Duration
	}{{7, 1, 17*time.Minute + 30*time.Second + 63*time.Second}, {60, 1, 151*time.Minute + 3*time.Second}, {150, 1, 5 * time.Hour}, {7, 600, 125*time.Minute + 30*time.Minute + time.Minute}} {
		cfg.File.Control.ReplanMinutes = tt.replanMinutes
		if got := planLateAfter(cfg, NewClock(time.Now(), tt.speed)); got != tt.want {
			t.Errorf("planned every %v min at %v times real time, a plan is late after %v, want %v", tt.replanMinutes, tt.speed, got, tt.want)
		}
	}
}

// TestCarbonFromFile: a file of carbon intensities is what the scheduler plans with, what the balances are counted with and what is shown; where the file has nothing, the record counts,
// and then what the source assumes.
func TestCarbonFromFile(t *testing.T) {
	dir := t.TempDir()
	start := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	var csv strings.Builder
	fmt.Fprintln(&csv, "time,g")
	for h := range 24 {
		fmt.Fprintf(&csv, "%s,%d\n", start.Add(time.Duration(h)*time.Hour).Format(time.RFC3339), 20+h)
	}
	text, err := fs.ReadFile(testdata.Districts(), "small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	const was = "{id: france-2024, kind: constant, g_per_kwh: 21.7,"
	if !strings.Contains(string(text), was) {
		t.Fatal("the small demonstration has another source of carbon now")
	}
	text = []byte(strings.Replace(string(text), was, "{id: france-2024, kind: series, g_per_kwh: 99, file: {path: carbon.csv, column: g, unit: gCO2e/kWh, step_minutes: 60},", 1))
	for name, content := range map[string]string{"carbon.csv": csv.String(), "district.yaml": string(text)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cfg, err := config.Load(filepath.Join(dir, "district.yaml"), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	d := &cfg.Districts[0]
	slot := func(at time.Time) timegrid.Span { return timegrid.NewSpan(at, at.Add(d.Step)) }
	sch := schedulerConfig(cfg, d, NewClock(start, 1))
	if g, ok := sch.Carbon(slot(start.Add(5*time.Hour + 15*time.Minute))); !ok || g != 25 {
		t.Errorf("the scheduler plans with %v, %v; want 25 of the file", g, ok)
	}
	if g, ok := sch.Carbon(slot(start.Add(30 * time.Hour))); ok || sch.CarbonAssumed != 99 {
		t.Errorf("beyond the file the scheduler knows %v, %v and assumes %v; want nothing and 99", g, ok, sch.CarbonAssumed)
	}

	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	var samples []district.Sample
	for i := range d.Sites {
		for _, dev := range d.Sites[i].Devices {
			if dev.Kind != district.GridMeter {
				continue
			}
			for h := -3; h <= 48; h++ { // 1 kWh in each hour
				for _, q := range []string{district.ImportKWh, district.ExportKWh} {
					v := float64(1000 + h)
					if q == district.ExportKWh {
						v = 0
					}
					samples = append(samples, district.Sample{Series: dev.Series(d.ID, d.Sites[i].ID, q), Time: start.Add(time.Duration(h) * time.Hour), Value: v})
				}
			}
		}
	}
	samples = append(samples, district.Sample{Series: carbonSeries(d.ID), Time: start.Add(26 * time.Hour), Value: 70}, // beyond the file
		district.Sample{Series: carbonSeries(d.ID), Time: start.Add(3 * time.Hour), Value: 1000}) // within it
	if err := st.Append(t.Context(), samples); err != nil {
		t.Fatal(err)
	}
	acc, err := NewAccountant(cfg, d, st)
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[time.Duration]float64{0: 20, 3*time.Hour + 30*time.Minute: 23, 23 * time.Hour: 43, 26 * time.Hour: 70, 25 * time.Hour: 99, 40 * time.Hour: 99} {
		rows, err := acc.Rows(t.Context(), slot(start.Add(at)))
		if err != nil || len(rows) == 0 {
			t.Fatalf("%v: %d rows, %v", at, len(rows), err)
		}
		for _, r := range rows {
			if r.ImportWh == 0 {
				t.Fatalf("%v: no import in %+v", at, r)
			}
			if got := r.CarbonKg * 1000 / r.ImportWh.KWh(); got < want-1e-6 || got > want+1e-6 {
				t.Errorf("%s after %v: counted with %.3f g/kWh, want %.3f", r.Site, at, got, want)
			}
		}
	}

	a, err := New(t.Context(), cfg, Options{Clock: NewClock(start.Add(7*time.Hour), 1), Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer a.close()
	if shown := a.signals(time.Time{}, start.Add(7*time.Hour+5*time.Minute)); !reflect.DeepEqual(values(shown, district.CarbonIntensity), []float64{27}) {
		t.Errorf("signals are %v, want carbon of 27 g/kWh", shown)
	}
}

func values(samples []district.Sample, quantity string) (out []float64) {
	for _, s := range samples {
		if strings.HasSuffix(string(s.Series), "/"+quantity) {
			out = append(out, s.Value)
		}
	}
	return out
}
