package forecast

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/testdata"
)

// quality is how good a forecast was, each but the band against the mean of the same hour of the last seven days with the present deviation fading in two hours, negative values cut: MAE of the
// median, by a quarter of the leads too, root mean square of the mean, and pinball loss of all quantiles; and the share of outcomes within the band from 10 to 90 %, for the sun of those by day.
type quality struct {
	mae, rmse, pinball, band float64
	byLead                   [4]float64
}

// assess forecasts a day ahead at every stride-th hour from a day on.
func assess(v []float64, start time.Time, step time.Duration, sun bool, fromDay, stride int, weather func(time.Time) Weather) (r quality) {
	perDay := int(24 * time.Hour / step)
	hour := perDay / 24
	p := NewProbabilistic(step, perDay, time.UTC, Settings{Max: math.Inf(1), Ratio: sun})
	if weather != nil {
		p.Under(func(_, slot time.Time) Weather { return weather(slot) })
	}
	var mae, plain [4]float64
	var square, plainSquare, pinball, in, n, days, top float64
	for _, y := range v {
		if y > top {
			top = y
		}
	}
	for o := fromDay * perDay; o+perDay <= len(v); o += stride * hour {
		d := p.Forecast(Past{Start: start, Step: step, Values: v[:o:o]})
		for k := range perDay {
			y := v[o+k]
			mean, ok := meanOf(v, o+k-perDay, perDay, 7)
			before, ok2 := meanOf(v, o-1-perDay, perDay, 7)
			if !ok || !ok2 || math.IsNaN(y) || math.IsNaN(v[o-1]) {
				continue
			}
			n++
			e := math.Max(0, mean+(v[o-1]-before)*math.Exp(-float64(k+1)*step.Hours()/2)) - y
			plain[4*k/perDay] += math.Abs(e)
			mae[4*k/perDay] += math.Abs(d.Quantile[quantiles/2][k] - y)
			plainSquare += e * e
			square += (d.Mean[k] - y) * (d.Mean[k] - y)
			for q, l := range Levels {
				e := y - d.Quantile[q][k]
				pinball += 2 * math.Max(l*e, (l-1)*e) / float64(quantiles)
			}
			if !sun || math.Max(y, d.Quantile[quantiles-1][k]) > 0.01*top {
				days++
				if y >= d.Quantile[0][k] && y <= d.Quantile[quantiles-1][k] {
					in++
				}
			}
		}
	}
	var all, allPlain float64
	for i := range mae {
		r.byLead[i] = mae[i] / plain[i]
		all, allPlain = all+mae[i], allPlain+plain[i]
	}
	r.mae, r.rmse, r.pinball, r.band = all/allPlain, math.Sqrt(square/plainSquare), pinball/allPlain, in/days
	return r
}

// TestQuantilesOfRecordedSeries are better than the plain forecast, and their band holds what it promises.
func TestQuantilesOfRecordedSeries(t *testing.T) {
	for _, c := range []struct {
		file, column string
		sun          bool
		mae          float64
	}{
		{"citylearn2022/homes_hourly.csv.gz", "load_", false, 0.95},
		{"citylearn2022/homes_hourly.csv.gz", "load_b09", false, 0.95},
		{"turin/pv_2019_hourly.csv.gz", "pv_", true, 0.99},
	} {
		t.Run(c.file+" "+c.column, func(t *testing.T) {
			t.Parallel()
			s := series(t, testdata.Traces(), c.file, func(name string) bool { return strings.HasPrefix(name, c.column) })
			q := assess(s.v[:110*24], s.start, s.step, c.sun, 35, 7, nil)
			t.Logf("%+v", q)
			if q.mae > c.mae || q.band < 0.7 || q.band > 0.9 {
				t.Errorf("MAE %.3f of the plain forecast's, want %.2f at most; the band holds %.3f, want 0.7 to 0.9", q.mae, c.mae, q.band)
			}
		})
	}
}

// TestQuantilesStepBack: where nothing can be learned, the plain forecast is not given up for worse, and the band still holds.
func TestQuantilesStepBack(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	v := make([]float64, 24*70)
	for i := range v {
		v[i] = 5 + rng.NormFloat64()
	}
	q := assess(v, time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC), time.Hour, false, 35, 5, nil)
	if q.mae > 1.01 || q.band < 0.72 || q.band > 0.88 {
		t.Errorf("%+v", q)
	}
}

// TestQuantilesAreAFunctionOfThePast: to be asked often changes nothing, quantiles do not fall, and all is within the range.
func TestQuantilesAreAFunctionOfThePast(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.OneOf(rapid.IntRange(0, 24*14), rapid.IntRange(24*14, 24*18)).Draw(t, "n") // forests grow first after 14 days
		set := Settings{Min: 0, Max: 9, Ratio: rapid.Bool().Draw(t, "sun")}
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		v := make([]float64, n)
		for i := range v {
			if v[i] = math.Max(0, 6*math.Sin(float64(i)*math.Pi/12)+3*rng.NormFloat64()); rng.IntN(9) == 0 {
				v[i] = math.NaN()
			}
		}
		start := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC)
		once, often := NewProbabilistic(time.Hour, 30, zone, set), NewProbabilistic(time.Hour, 30, zone, set)
		for o := 0; o < n; o += 1 + rng.IntN(100) {
			often.Forecast(Past{Start: start, Step: time.Hour, Values: v[:o]})
		}
		want, got := once.Forecast(Past{Start: start, Step: time.Hour, Values: v}), often.Forecast(Past{Start: start, Step: time.Hour, Values: v})
		for k := range 30 {
			if want.Mean[k] != got.Mean[k] {
				t.Fatalf("slot %d: mean %g, asked often %g", k, want.Mean[k], got.Mean[k])
			}
			last := 0.0
			for q := range Levels {
				y := got.Quantile[q][k]
				if y != want.Quantile[q][k] || !(y >= last) || y > 9 {
					t.Fatalf("slot %d: quantile %g of %g, the one below %g, asked once %g", k, Levels[q], y, last, want.Quantile[q][k])
				}
				last = y
			}
		}
	})
}

// TestWeatherKnownAheadIsUsed: where clouds come and go by the day and nothing but the weather tells, forecasts under the weather are much better than without, and where nothing of it is known as good.
func TestWeatherKnownAheadIsUsed(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	start := time.Date(2026, 4, 1, 0, 0, 0, 0, time.UTC)
	v, ghi := make([]float64, 24*60), make([]float64, 24*60)
	cloud := 1.0
	for i := range v {
		if i%24 == 0 {
			cloud = 0.2 + 0.8*rng.Float64()
		}
		ghi[i] = 900 * cloud * math.Max(0, math.Sin(float64(i%24-6)*math.Pi/12))
		v[i] = 0.004 * ghi[i] * (0.9 + 0.2*rng.Float64())
	}
	without := assess(v, start, time.Hour, true, 35, 5, nil)
	known := assess(v, start, time.Hour, true, 35, 5, func(at time.Time) Weather {
		w := Weather{OutdoorC: math.NaN(), GlobalWm2: math.NaN(), DirectWm2: math.NaN()}
		if i := int(at.Sub(start) / time.Hour); i >= 0 && i < len(ghi) {
			w.GlobalWm2 = ghi[i]
		}
		return w
	})
	unknown := assess(v, start, time.Hour, true, 35, 5, func(time.Time) Weather { return Weather{math.NaN(), math.NaN(), math.NaN()} })
	if known.mae > 0.7*without.mae {
		t.Errorf("with the weather known ahead an MAE of %.3f of the plain forecast's, without %.3f", known.mae, without.mae)
	}
	if unknown.mae > 1.05*without.mae {
		t.Errorf("under a weather that is not known an MAE of %.3f of the plain forecast's, without %.3f", unknown.mae, without.mae)
	}
}

// TestForestsThatGrowBeside: learned from outside they are the same, they wait to be asked for, and a past that is cut short at its begin changes next to nothing.
func TestForestsThatGrowBeside(t *testing.T) {
	s := series(t, testdata.Traces(), "citylearn2022/homes_hourly.csv.gz", func(name string) bool { return strings.HasPrefix(name, "load_") })
	past := func(from, to int) Past {
		return Past{Start: s.start.Add(time.Duration(from) * s.step), Step: s.step, Values: s.v[from:to:to]}
	}
	alone, beside := NewProbabilistic(s.step, 24, time.UTC, Settings{Max: math.Inf(1)}), NewProbabilistic(s.step, 24, time.UTC, Settings{Max: math.Inf(1)})
	beside.Beside(true)
	if _, ok := beside.Lesson(past(0, 0)); ok {
		t.Error("of nothing there is something to learn")
	}
	for day := 1; day <= 40; day++ {
		p := past(0, day*24)
		beside.Forecast(p)
		l, ok := beside.Lesson(p)
		if ok != (day == 14 || day == 28) {
			t.Fatalf("day %d: to be learned from %v", day, ok)
		}
		if ok {
			l.Learn()
			beside.Take(l)
		}
	}
	a, b := alone.Forecast(past(0, 40*24)), beside.Forecast(past(0, 40*24))
	for k := range a.Mean { // their forests spoke from one hour later on
		if math.Abs(a.Mean[k]-b.Mean[k]) > 0.02*a.Mean[k] {
			t.Errorf("slot %d: %g, beside %g", k, a.Mean[k], b.Mean[k])
		}
	}
	if n := beside.Forget(24*10 + 5); n != 240 {
		t.Fatalf("%d slots are forgotten, want 240", n)
	}
	c := beside.Forecast(past(240, 40*24))
	for k := range c.Mean {
		if math.Abs(c.Mean[k]-b.Mean[k]) > 0.02*b.Mean[k] {
			t.Errorf("slot %d: %g, before it forgot %g", k, c.Mean[k], b.Mean[k])
		}
	}
	for day := 41; day <= 42; day++ {
		p := past(240, day*24)
		beside.Forecast(p)
		if _, ok := beside.Lesson(p); ok != (day == 42) {
			t.Errorf("day %d: to be learned from %v", day, ok)
		}
	}
}

// BenchmarkQuality tells how good the forecasts of the recorded years are, a day ahead at every hour from the fifth week on; see [quality]. QUARTIER_FORECAST_DATA names a folder of more series:
// files .csv or .csv.gz whose first column is the time, of which columns whose names begin with load or pv are taken. Of those with weather (columns outdoor_c, ghi_w_m2 and dni_w_m2) there is a second figure,
// with the recorded weather of the hours ahead known; a real forecast of the weather is worth less. That of the nine homes is none of theirs, see testdata/traces/README.md, and is left out.
func BenchmarkQuality(b *testing.B) {
	knowing := func(name string, dir fs.FS, file string, sun bool, take func(string) bool, weather func(time.Time) Weather) {
		b.Run(name, func(b *testing.B) {
			s := series(b, dir, file, take)
			if !slices.ContainsFunc(s.v, func(kw float64) bool { return kw > 0 }) {
				b.Skip("there is no such series")
			}
			if len(s.v) < 60*int(24*time.Hour/s.step) {
				b.Skipf("%d values in steps of %v are too few", len(s.v), s.step)
			}
			var q quality
			for range b.N {
				q = assess(s.v, s.start, s.step, sun, 28, 1, weather)
			}
			b.ReportMetric(q.mae, "MAE/plain")
			for i, x := range q.byLead {
				b.ReportMetric(x, fmt.Sprintf("MAE%d-%dh/plain", 6*i+1, 6*i+6))
			}
			b.ReportMetric(q.rmse, "RMSE/plain")
			b.ReportMetric(q.pinball, "pinball/plainMAE")
			b.ReportMetric(q.band, "in80band")
		})
	}
	one := func(name string, dir fs.FS, file string, sun bool, take func(string) bool) {
		knowing(name, dir, file, sun, take, nil)
	}
	starts := func(with string) func(string) bool { return func(n string) bool { return strings.HasPrefix(n, with) } }
	tr := testdata.Traces()
	one("load/emhass", tr, "emhass/home_30min.csv.gz", false, starts("load"))
	one("load/sceaux", tr, "sceaux/home_hourly.csv.gz", false, starts("load"))
	for h := 1; h <= 17; h += 2 {
		one(fmt.Sprintf("load/citylearn-%02d", h), tr, "citylearn2022/homes_hourly.csv.gz", false, starts(fmt.Sprintf("load_b%02d", h)))
	}
	one("load/citylearn-nine", tr, "citylearn2022/homes_hourly.csv.gz", false, starts("load"))
	one("sun/emhass", tr, "emhass/home_30min.csv.gz", true, starts("pv"))
	one("sun/citylearn-01", tr, "citylearn2022/homes_hourly.csv.gz", true, starts("pv_b01"))
	one("sun/turin", tr, "turin/pv_2019_hourly.csv.gz", true, starts("pv"))
	if folder := os.Getenv("QUARTIER_FORECAST_DATA"); folder != "" {
		files, err := fs.Glob(os.DirFS(folder), "*.csv*")
		if err != nil {
			b.Fatal(err)
		}
		for _, f := range files {
			weather := recordedWeather(b, os.DirFS(folder), f)
			for _, sun := range []bool{false, true} {
				name := map[bool]string{false: "load", true: "pv"}[sun]
				one(name+"/"+f, os.DirFS(folder), f, sun, starts(name))
				if weather != nil {
					knowing(name+"/"+f+"/recorded-weather-known-ahead", os.DirFS(folder), f, sun, starts(name), weather)
				}
			}
		}
	}
}

// recordedWeather is that of the columns outdoor_c, ghi_w_m2 and dni_w_m2 of a file; nil where it has none of them.
func recordedWeather(t testing.TB, dir fs.FS, file string) func(time.Time) Weather {
	var of [3]recorded
	some := false
	for i, column := range []string{"outdoor_c", "ghi_w_m2", "dni_w_m2"} {
		of[i] = series(t, dir, file, func(name string) bool { return name == column })
		some = some || slices.ContainsFunc(of[i].v, func(v float64) bool { return !math.IsNaN(v) })
	}
	if !some {
		return nil
	}
	return func(at time.Time) Weather {
		i := int(at.Sub(of[0].start) / of[0].step)
		if at.Before(of[0].start) || i >= len(of[0].v) {
			return Weather{math.NaN(), math.NaN(), math.NaN()}
		}
		return Weather{of[0].v[i], of[1].v[i], of[2].v[i]}
	}
}

type recorded struct {
	start time.Time
	step  time.Duration
	v     []float64
}

// series adds up columns of a file of records; a gap is NaN, an empty cell of the sun 0: inverters sleep at night.
func series(t testing.TB, dir fs.FS, name string, take func(column string) bool) (s recorded) {
	t.Helper()
	f, err := dir.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r io.Reader = f
	if path.Ext(name) == ".gz" {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
	}
	c := csv.NewReader(r)
	c.Comment = '#'
	all, err := c.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	at := func(cell string) time.Time {
		for _, form := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
			if x, err := time.Parse(form, strings.TrimSuffix(cell, "Z")); err == nil {
				return x
			}
		}
		t.Fatalf("%s: %q is no time", name, cell)
		return time.Time{}
	}
	first, last := at(all[1][0]), at(all[len(all)-1][0])
	s.start, s.step = first, at(all[2][0]).Sub(first)
	s.v = make([]float64, int(last.Sub(first)/s.step)+1)
	for i := range s.v {
		s.v[i] = math.NaN()
	}
	for _, row := range all[1:] {
		i, sum, n := int(at(row[0]).Sub(first)/s.step), 0.0, 0
		for k, h := range all[0][1:] {
			if !take(h) {
				continue
			}
			x, err := strconv.ParseFloat(row[k+1], 64)
			if err != nil {
				x = math.NaN()
				if strings.HasPrefix(h, "pv") { // an inverter that sleeps
					x = 0
				}
			}
			sum, n = sum+x, n+1
		}
		if n > 0 {
			s.v[i] = sum
		}
	}
	return s
}
