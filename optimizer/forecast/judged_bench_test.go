package forecast

import (
	"compress/gzip"
	"encoding/csv"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"testing"
	"time"

	"quartier/testdata"
)

// outcomesOf are what a judged forecaster was wrong by from the 29th day on, by [CountedLeads].
type outcomesOf struct {
	n, mae, plain, nothing, square, squarePlain, squareNothing, in, pinball [5]float64
}

func (o *outcomesOf) count(x Outcome) {
	for k, lead := range CountedLeads {
		if lead != x.Lead {
			continue
		}
		loss := func(q, p float64) float64 { return math.Max(p*(x.Came-q), (p-1)*(x.Came-q)) }
		o.n[k]++
		o.mae[k] += math.Abs(x.Came - x.Mean)
		o.plain[k] += math.Abs(x.Came - x.Plain)
		o.nothing[k] += math.Abs(x.Came)
		o.square[k] += (x.Came - x.Mean) * (x.Came - x.Mean)
		o.squarePlain[k] += (x.Came - x.Plain) * (x.Came - x.Plain)
		o.squareNothing[k] += x.Came * x.Came
		o.pinball[k] += (loss(x.Low, 0.1) + loss(x.Median, 0.5) + loss(x.High, 0.9)) / 3
		if x.Came >= x.Low && x.Came <= x.High {
			o.in[k]++
		}
	}
}

func (o *outcomesOf) report(b *testing.B) {
	for k, lead := range CountedLeads {
		h := fmt.Sprintf("-%.0fh", lead.Hours())
		b.ReportMetric(o.mae[k]/o.n[k], "MAE"+h)
		b.ReportMetric(o.plain[k]/o.n[k], "plainMAE"+h)
		b.ReportMetric(o.pinball[k]/o.n[k], "pinball"+h)
		b.ReportMetric(o.in[k]/o.n[k], "in80band"+h)
		b.ReportMetric(math.Sqrt(o.square[k]/o.n[k]), "RMSE"+h)
		b.ReportMetric(math.Sqrt(o.squarePlain[k]/o.n[k]), "plainRMSE"+h)
		b.ReportMetric(math.Sqrt(o.squareNothing[k]/o.n[k]), "nothingRMSE"+h)
	}
}

// lives has a forecaster live through a series, with what is said at each slot, and counts from the 29th day on.
func (o *outcomesOf) lives(start time.Time, v []float64, set JudgedSettings, say func(slot int) Said) {
	counts := false
	set.Count = func(_ time.Time, x Outcome) {
		if counts {
			o.count(x)
		}
	}
	j := NewJudged(start, set)
	for i, x := range v {
		counts = i >= 28*int(24*time.Hour/set.Step)
		j.Say(say(i))
		j.Take(x)
	}
}

// BenchmarkSignals: temperature and carbon of recorded years that nobody says anything of ahead, and cars at the charging points of single homes that charge as they come.
//
//	go test ./optimizer/forecast -run '^$' -bench Signals -benchtime 1x
func BenchmarkSignals(b *testing.B) {
	silent := func(int) Said { return Said{} }
	one := func(name, file, column string, set JudgedSettings) {
		b.Run(name, func(b *testing.B) {
			s := series(b, testdata.Traces(), file, func(n string) bool { return n == column })
			set.Step, set.Lead, set.Zone, set.Own = s.step, 38*int(time.Hour/s.step), time.UTC, true
			var o outcomesOf
			for b.Loop() {
				o = outcomesOf{}
				o.lives(s.start, s.v, set, silent)
			}
			o.report(b)
		})
	}
	one("outdoor/fontana", "citylearn2022/weather_hourly.csv.gz", "outdoor_c", JudgedSettings{Prior: 3, OwnFade: 12 * time.Hour})
	one("carbon/france", "odbl/electricity_maps_fr_2022_hourly.csv.gz", "lifecycle_g_per_kwh", JudgedSettings{PriorShare: 0.25, OwnFade: 6 * time.Hour, Max: math.Inf(1)})
	b.Run("car/norway12", func(b *testing.B) {
		var o outcomesOf
		for b.Loop() {
			o = outcomesOf{}
			for _, p := range chargingPoints(b, testdata.Traces(), 30) {
				set := JudgedSettings{Step: p.power.Step, Lead: 38, Zone: time.UTC, PriorShare: 1, Max: math.Inf(1)}
				o.lives(p.power.Start, p.power.Values, set, func(slot int) Said {
					from := max(0, slot-visitDays*24)
					past := Past{Start: p.power.Start.Add(time.Duration(from) * p.power.Step), Step: p.power.Step, Values: p.power.Values[from:slot]}
					return Said{Mean: Visits(past, p.connected[from:slot], set.Lead, set.Zone)}
				})
			}
		}
		o.report(b)
	})
}

type chargingPoint struct {
	power     Past
	connected []float64
}

// chargingPoints are those of users with so many sessions in 60 days or more, who charge with 7.2 kW from when they plug in.
func chargingPoints(b *testing.B, dir fs.FS, least int) (out []chargingPoint) {
	f, err := dir.Open("norway12/sessions.csv.gz")
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		b.Fatal(err)
	}
	c := csv.NewReader(z)
	c.Comment = '#'
	rows, err := c.ReadAll()
	if err != nil {
		b.Fatal(err)
	}
	type stay struct {
		in, out time.Time
		kwh     float64
	}
	users, order := map[string][]stay{}, []string{}
	for _, r := range rows[1:] {
		in, e1 := time.Parse("2006-01-02T15:04Z", r[1])
		left, e2 := time.Parse("2006-01-02T15:04Z", r[2])
		kwh, e3 := strconv.ParseFloat(r[3], 64)
		if e1 != nil || e2 != nil || e3 != nil {
			continue
		}
		if users[r[0]] == nil {
			order = append(order, r[0])
		}
		users[r[0]] = append(users[r[0]], stay{in, left, kwh})
	}
	for _, id := range order {
		list := users[id]
		first, last := list[0].in, list[0].out
		for _, s := range list {
			if s.in.Before(first) {
				first = s.in
			}
			if s.out.After(last) {
				last = s.out
			}
		}
		start := first.Truncate(24 * time.Hour)
		n := int(last.Sub(start).Hours()) + 1
		if len(list) < least || n < 60*24 {
			continue
		}
		p := chargingPoint{Past{Start: start, Step: time.Hour, Values: make([]float64, n)}, make([]float64, n)}
		for _, s := range list {
			for at := s.in; at.Before(s.out); {
				next := at.Truncate(time.Hour).Add(time.Hour)
				if next.After(s.out) {
					next = s.out
				}
				i, kwh := int(at.Sub(start).Hours()), math.Min(s.kwh, 7.2*next.Sub(at).Hours())
				p.power.Values[i] += kwh
				p.connected[i] = 1
				s.kwh -= kwh
				at = next
			}
		}
		out = append(out, p)
	}
	return out
}
