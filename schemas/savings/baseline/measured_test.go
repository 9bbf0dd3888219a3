package baseline

import (
	"bufio"
	"compress/gzip"
	"io"
	"strconv"
	"strings"
	"testing"
	"time"

	"quartier/schemas/timegrid"
	"quartier/testdata"
)

// table reads a trace: columns by name, times of the first.
func table(t *testing.T, name string) (times []time.Time, columns map[string][]float64) {
	t.Helper()
	f, err := testdata.Traces().Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(z)
	var names []string
	columns = map[string][]float64{}
	for {
		line, err := r.ReadString('\n')
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			cells := strings.Split(line, ",")
			if names == nil {
				names = cells
			} else {
				at, err := time.Parse("2006-01-02T15:04", cells[0][:16])
				if err != nil {
					t.Fatal(err)
				}
				times = append(times, at)
				for i, c := range cells[1:] {
					v, err := strconv.ParseFloat(c, 64)
					if err != nil {
						v = 0
					}
					columns[names[i+1]] = append(columns[names[i+1]], v)
				}
			}
		}
		if err == io.EOF {
			return times, columns
		}
	}
}

// observations makes days or months of hourly values.
func observations(times []time.Time, kwh, outdoorC []float64, g Granularity) []Observation {
	var out []Observation
	for i := 0; i+24 <= len(times); i += 24 {
		day := times[i].Truncate(24 * time.Hour)
		if g == Daily || len(out) == 0 || out[len(out)-1].Span.Start.Month() != day.Month() {
			out = append(out, Observation{Span: timegrid.NewSpan(day, day)})
		}
		o := &out[len(out)-1]
		o.Span.End = day.Add(24 * time.Hour)
		for _, v := range kwh[i : i+24] {
			o.EnergyKWh += v
		}
		o.DailyMeansC = append(o.DailyMeansC, mean(outdoorC[i:i+24]))
	}
	return out
}

// TestMeasuredHomes fits nine recorded Californian homes, and all together, with their weather, by months. What a home uses is mostly its people's doing: the
// limits accept one, and none of the rest may be spoken of.
func TestMeasuredHomes(t *testing.T) {
	weather, w := table(t, "citylearn2022/weather_hourly.csv.gz")
	times, homes := table(t, "citylearn2022/homes_hourly.csv.gz")
	if len(weather) != len(times) {
		t.Fatalf("%d hours of weather, %d of homes", len(weather), len(times))
	}
	loads := map[string][]float64{"together": make([]float64, len(times))}
	for name, kw := range homes {
		if strings.HasPrefix(name, "load") {
			loads[name] = kw
			for i, v := range kw {
				loads["together"][i] += v
			}
		}
	}
	if len(loads) != 10 {
		t.Errorf("%d loads, want nine homes and all together", len(loads))
	}
	for name, kw := range loads {
		m, err := Fit(observations(times, kw, w["outdoor_c"], Monthly), Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %s, CV(RMSE) %.1f %%, refused for %v", name, m.Kind, 100*m.CVRMSE, m.Refusals)
		if m.Accepted() != (name == "load_b01_kw") {
			t.Errorf("%s: accepted %v, CV(RMSE) %.1f %%", name, m.Accepted(), 100*m.CVRMSE)
		}
	}
}
