package baseline

import (
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/timegrid"
)

// climate returns the daily mean temperatures of a year like Dijon's: 11.5 °C in the mean, ±9 K by season, with weather that lasts for days.
func climate(year int, rng *rand.Rand) []float64 {
	days := time.Date(year+1, 1, 1, 0, 0, 0, 0, time.UTC).YearDay() - 1 + 365
	out, weather := make([]float64, days), 0.0
	for i := range out {
		weather = 0.75*weather + 2.2*rng.NormFloat64()
		out[i] = 11.5 - 9*math.Cos(2*math.Pi*float64(i-20)/365) + weather
	}
	return out
}

// truth is a building whose parameters are known.
type truth struct {
	perDay, heat, heatBase, cool, coolBase, slope float64
	noise, rho                                    float64 // of a day, kWh, and its autocorrelation
}

func (b truth) day(t float64) float64 {
	return b.perDay + b.slope*t + b.heat*math.Max(0, b.heatBase-t) + b.cool*math.Max(0, t-b.coolBase)
}

// year returns the observations of a year by day or month, less a share of all energy.
func (b truth) year(year int, g Granularity, rng *rand.Rand, less float64) []Observation {
	temps := climate(year, rng)
	var out []Observation
	e := 0.0
	for i, t := range temps {
		day := time.Date(year, 1, 1+i, 0, 0, 0, 0, time.UTC)
		e = b.rho*e + math.Sqrt(1-b.rho*b.rho)*b.noise*rng.NormFloat64()
		kwh := b.day(t)*(1-less) + e
		if g == Daily || len(out) == 0 || out[len(out)-1].Span.Start.Month() != day.Month() {
			out = append(out, Observation{Span: timegrid.NewSpan(day, day)})
		}
		o := &out[len(out)-1]
		o.Span.End = day.AddDate(0, 0, 1)
		o.EnergyKWh += kwh
		o.DailyMeansC = append(o.DailyMeansC, t)
	}
	return out
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s is %v, want %v ± %v", what, got, want, tol)
	}
}

// TestFractionalUncertainty holds the worked example of Guideline 14's approximation: n = 12, CV 10 %, saving 10 %, with t rounded to two places there.
func TestFractionalUncertainty(t *testing.T) {
	for _, tt := range []struct{ months, confidence, want float64 }{
		{1, 0.68, 1.43}, {1, 0.90, 2.47}, {3, 0.68, 0.82}, {12, 0.68, 0.41}, {12, 0.90, 0.71},
	} {
		near(t, "uncertainty", FractionalUncertainty(0.10, 0.10, 12, 12, tt.months, tt.confidence, 10), tt.want, 0.008)
	}
	// by hand: rho 0.5 makes a third of the observations, so sqrt(3*(1+2/(n/3))) over sqrt(1+2/n)
	plain, correlated := FractionalUncertainty(0.1, 0.1, 300, 300, 12, 0.9, 100), FractionalUncertainty(0.1, 0.1, 300, EffectiveObservations(300, 0.5), 12, 0.9, 100)
	near(t, "ratio", correlated/plain, math.Sqrt(3*(1+2.0/100)/(1+2.0/300)), 1e-9)
}

func TestQualityByHand(t *testing.T) {
	measured, predicted := []float64{100, 110, 90, 100}, []float64{96, 108, 92, 100}
	near(t, "CV(RMSE) with p=2", CVRMSE(measured, predicted, 2), math.Sqrt(24.0/2)/100, 1e-12)
	near(t, "CV(RMSE) with p=1", CVRMSE(measured, predicted, 1), math.Sqrt(24.0/3)/100, 1e-12)
	near(t, "NMBE with p=2", NMBE(measured, predicted, 2), 4.0/(2*100), 1e-12)
	near(t, "n'", EffectiveObservations(365, 0.5), 365.0/3, 1e-9)
	near(t, "n' of a negative rho", EffectiveObservations(365, -0.4), 365, 0)
	near(t, "rho", Autocorrelation([]float64{1, -1, 1, -1}), -0.75, 1e-12)
	near(t, "t(95 %, 10)", StudentT(0.95, 10), 2.228139, 1e-5) // any table of Student's t
	near(t, "t(80 %, 9)", StudentT(0.80, 9), 1.383029, 1e-5)
	near(t, "degree days", HeatingDegreeDays(18, []float64{DayMean(2, 10), DayMean(15, 25), DayMean(-4, 0)}), 12+0+20, 1e-12)
	near(t, "cooling degree days", CoolingDegreeDays(18, []float64{6, 20, -2}), 2, 1e-12)
}

func TestLimits(t *testing.T) {
	for _, tt := range []struct {
		g        Granularity
		cv, bias float64
		refused  int
	}{
		{Monthly, 0.149, 0.049, 0}, {Monthly, 0.151, 0, 1}, {Monthly, 0.10, -0.051, 1}, {Monthly, 0.2, 0.2, 2}, {Hourly, 0.299, 0.099, 0}, {Hourly, 0.301, 0, 1},
		{Hourly, 0.2, 0.101, 1}, {Daily, 0.199, 0, 0}, {Daily, 0.201, 0, 1}, {Monthly, math.NaN(), math.NaN(), 2},
	} {
		if got := LimitsOf(tt.g).Refuses(tt.cv, tt.bias); len(got) != tt.refused {
			t.Errorf("%s, CV %v, NMBE %v: %v, want %d refusals", tt.g, tt.cv, tt.bias, got, tt.refused)
		}
	}
}

// TestRecoversABuilding: each kind is found again by months and by days, without being told which it is.
func TestRecoversABuilding(t *testing.T) {
	for _, tt := range []struct {
		kind Kind
		b    truth
	}{
		{Mean, truth{perDay: 10}},
		{Linear, truth{perDay: 40, slope: -1.2}},
		{Heating, truth{perDay: 8, heat: 3, heatBase: 15}},
		{Cooling, truth{perDay: 8, cool: 3, coolBase: 14}},
		{HeatingAnd, truth{perDay: 20, heat: 3, heatBase: 11, cool: 4, coolBase: 16}},
	} {
		for _, g := range []Granularity{Monthly, Daily} {
			t.Run(string(tt.kind)+" "+string(g), func(t *testing.T) {
				b := tt.b
				b.noise = 0.3
				m, err := Fit(b.year(2024, g, rand.New(rand.NewPCG(1, 2)), 0), Options{Granularity: g})
				if err != nil {
					t.Fatal(err)
				}
				if m.Kind != tt.kind || !m.Accepted() {
					t.Fatalf("kind %s, refusals %v; want an accepted %s", m.Kind, m.Refusals, tt.kind)
				}
				near(t, "base load", m.BaseKWhPerDay, b.perDay, 0.15*b.perDay)
				near(t, "slope", m.SlopeKWhPerKd, b.slope, 0.05)
				near(t, "heating", m.HeatingKWhPerKd, b.heat, 0.10*b.heat+1e-9)
				near(t, "cooling", m.CoolingKWhPerKd, b.cool, 0.15*b.cool+1e-9)
				near(t, "heating base", m.HeatingBaseC, b.heatBase, 0.8)
				near(t, "cooling base", m.CoolingBaseC, b.coolBase, 0.8)
				near(t, "RMSE", m.RMSEKWh, b.noise*math.Sqrt(float64(365)/float64(m.Observations)), 0.6*b.noise*math.Sqrt(float64(365)/float64(m.Observations)))
			})
		}
	}
}

// TestFourParameters: two slopes of one sign that meet, such as heating with a water loop in summer.
func TestFourParameters(t *testing.T) {
	b := truth{perDay: 30, heat: 3, heatBase: 12, cool: -0.8, coolBase: 12, noise: 0.3}
	m, err := Fit(b.year(2024, Daily, rand.New(rand.NewPCG(5, 6)), 0), Options{Granularity: Daily})
	if err != nil || m.Kind != FourParam {
		t.Fatalf("%v, %v, want kind 4P", m, err)
	}
	near(t, "left slope", m.HeatingKWhPerKd, 3, 0.1)
	near(t, "right slope", m.CoolingKWhPerKd, -0.8, 0.1)
	near(t, "change point", m.HeatingBaseC, 12, 0.3)
}

// TestPredictionIntervalOfOnePeriod: for one new observation the variance of the model is the textbook formula.
func TestPredictionIntervalOfOnePeriod(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	obs := truth{perDay: 40, slope: -1.2, noise: 3}.year(2024, Daily, rng, 0)[:40]
	m, err := Fit(obs, Options{Granularity: Monthly, Kinds: []Kind{Linear}, AnyLength: true}) // monthly: without autocorrelation, as the formula
	if err != nil {
		t.Fatal(err)
	}
	var xs []float64
	for _, o := range obs {
		xs = append(xs, o.DailyMeansC[0])
	}
	for _, x := range []float64{-5, 3, 25} {
		o := Observation{DailyMeansC: []float64{x}}
		v, ok := m.variance([]Observation{o})
		if !ok {
			t.Fatal("no variance")
		}
		near(t, "half width", StudentT(0.9, 38)*math.Sqrt(v), PredictionInterval(m.RMSEKWh, xs, x, 2, 0.9), 1e-9)
	}
}

// TestIntervalsCover: over many simulated buildings an 80 % interval holds the truth about 80 times in 100, for a month and for a year, with independent and with
// autocorrelated days.
func TestIntervalsCover(t *testing.T) {
	const runs = 120
	for _, tt := range []struct {
		name string
		g    Granularity
		rho  float64
	}{{"months", Monthly, 0}, {"days", Daily, 0}, {"autocorrelated days", Daily, 0.6}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			rng := rand.New(rand.NewPCG(7, 8))
			b := truth{perDay: 12, heat: 2, heatBase: 15.3, noise: 3, rho: tt.rho}
			one, all := 0, 0
			for range runs {
				m, err := Fit(b.year(2024, tt.g, rng, 0), Options{Granularity: tt.g, Kinds: []Kind{Heating}})
				if err != nil {
					t.Fatal(err)
				}
				after := b.year(2025, tt.g, rng, 0.1)
				want := func(obs []Observation) (sum float64) {
					for i := range obs {
						for _, c := range obs[i].DailyMeansC {
							sum += 0.1 * b.day(c)
						}
					}
					return sum
				}
				first := 1
				if tt.g == Daily {
					first = 31
				}
				for k, obs := range [][]Observation{after[:first], after} {
					i := m.Avoided(obs, 0.8).interval
					if i.LowKWh <= want(obs) && want(obs) <= i.HighKWh {
						one, all = one+1-k, all+k
					}
				}
			}
			for what, n := range map[string]int{"a month": one, "a year": all} {
				if share := float64(n) / runs; share < 0.68 || share > 0.92 {
					t.Errorf("the 80 %% interval of %s covers the truth in %.0f %% of runs", what, 100*share)
				}
			}
		})
	}
}

// TestNothingIsSavedByChance: without a change, at 80 % and with honest intervals a month looks changed about once in five, and what is not significant has no figure to call saved.
func TestNothingIsSavedByChance(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	b := truth{perDay: 12, heat: 2, heatBase: 15, noise: 3}
	changed := 0
	for range 200 {
		m, err := Fit(b.year(2024, Monthly, rng, 0), Options{})
		if err != nil {
			t.Fatal(err)
		}
		o := m.Avoided(b.year(2025, Monthly, rng, 0)[:1], 0.8)
		if _, ok := o.Less(); ok != (o.Verdict() == UsedLess) {
			t.Fatalf("verdict %s, a figure to call saved: %v", o.Verdict(), ok)
		}
		if o.Verdict() == UsedLess || o.Verdict() == UsedMore {
			changed++
		}
	}
	if changed > 70 {
		t.Errorf("%d of 200 months without a change look changed", changed)
	}
}

// TestOutcomeKeepsItsWord: whatever is measured, Less gives a figure only above zero with zero outside its interval, and a refused model gives none at all.
func TestOutcomeKeepsItsWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1))
		b := truth{perDay: rapid.Float64Range(0.1, 50).Draw(t, "base"), heat: rapid.Float64Range(0, 5).Draw(t, "heat"), heatBase: 15, noise: rapid.Float64Range(0, 60).Draw(t, "noise")}
		m, err := Fit(b.year(2024, Monthly, rng, 0), Options{})
		if err != nil {
			t.Fatal(err)
		}
		o := m.Avoided(b.year(2025, Monthly, rng, rapid.Float64Range(-0.5, 0.5).Draw(t, "less"))[:rapid.IntRange(1, 12).Draw(t, "months")], 0.8)
		less, saved := o.Less()
		estimate, some := o.Estimate()
		switch {
		case saved && (less.KWh <= 0 || less.ContainsZero()):
			t.Fatalf("saved %+v", less)
		case !m.Accepted() && (some || saved || o.Verdict() != Refused || len(o.Reasons()) == 0):
			t.Fatalf("a refused model speaks: %v %+v", o.Verdict(), estimate)
		case some && (o.Verdict() == NotSignificant) != estimate.ContainsZero():
			t.Fatalf("%v with %+v", o.Verdict(), estimate)
		}
		text, err := json.Marshal(o)
		if err != nil || strings.Contains(string(text), "avoided_kwh") != some {
			t.Fatalf("%s, %v", text, err)
		}
	})
	var none Outcome
	if _, ok := none.Estimate(); ok || none.Verdict() != Refused || len(none.Reasons()) == 0 {
		t.Error("the zero outcome is not refused")
	}
}

// TestHotWaterIsNotScaled: hot water that is metered apart, here most in summer, neither bends the weather part nor follows a cold year.
func TestHotWaterIsNotScaled(t *testing.T) {
	b := truth{perDay: 8, heat: 3, heatBase: 15}
	obs := b.year(2024, Monthly, rand.New(rand.NewPCG(1, 2)), 0)
	for i := range obs {
		obs[i].HotWaterKWh = 5 * obs[i].days()
		obs[i].EnergyKWh += obs[i].HotWaterKWh
	}
	m, err := Fit(obs, Options{})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "base load", m.BaseKWhPerDay, 8, 0.1)
	near(t, "hot water", m.HotWaterKWhPerDay, 5, 1e-9)
	cold := Observation{DailyMeansC: []float64{-10}}
	near(t, "a cold day", m.PredictKWh(&cold), 8+5+3*25, 1)
	near(t, "two cold days, normalised", m.NormalisedKWh([]Observation{cold, cold}), 2*(8+5+3*25), 2)
}

// TestOccupancyIsNotWeather: a school that is empty in summer has no heating in July and no people either; the term of occupied days tells them apart.
func TestOccupancyIsNotWeather(t *testing.T) {
	b := truth{perDay: 20, heat: 3, heatBase: 14, noise: 0.2}
	obs := b.year(2024, Monthly, rand.New(rand.NewPCG(1, 2)), 0)
	for i := range obs {
		if mo := obs[i].Span.Start.Month(); mo != time.July && mo != time.August {
			obs[i].OccupiedDays = 20 + float64(i%3)
			obs[i].EnergyKWh += 30 * obs[i].OccupiedDays
		}
	}
	m, err := Fit(obs, Options{Occupancy: true})
	if err != nil {
		t.Fatal(err)
	}
	near(t, "per occupied day", m.OccupiedKWhPerDay, 30, 1)
	near(t, "heating", m.HeatingKWhPerKd, 3, 0.2)
	if m.Parameters != 4 {
		t.Errorf("%d parameters, want 4: 3P and occupancy", m.Parameters)
	}
}

func TestRefusals(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	good := truth{perDay: 8, heat: 3, heatBase: 15, noise: 1}
	year := good.year(2024, Monthly, rng, 0)
	m, err := Fit(year, Options{})
	if err != nil || !m.Accepted() {
		t.Fatalf("%v, %v", m, err)
	}
	next := good.year(2025, Monthly, rng, 0)
	short, err := Fit(year[:9], Options{})
	if err != nil {
		t.Fatal(err)
	}
	noisy, err := Fit(truth{perDay: 8, noise: 60}.year(2024, Monthly, rng, 0), Options{})
	if err != nil {
		t.Fatal(err)
	}
	broken := next[0]
	broken.EnergyKWh = math.NaN()
	for _, tt := range []struct {
		name, want string
		o          Outcome
	}{
		{"nine months", "lacks 3 of the 12 months", short.Avoided(next, 0.8)},
		{"noise", "CV(RMSE)", noisy.Avoided(next, 0.8)},
		{"nothing measured", "no reporting period", m.Avoided(nil, 0.8)},
		{"a broken measurement", "energy NaN kWh", m.Avoided([]Observation{broken}, 0.8)},
		{"inside the baseline", "lies in the baseline", m.Avoided(year[:1], 0.8)},
		{"confidence", "confidence 80", m.Avoided(next, 80)},
		{"no model", "no baseline", (*Model)(nil).Avoided(next, 0.8)},
		{"adjustment without a reason", "no reason", m.Avoided(next, 0.8, Adjustment{KWh: 5})},
	} {
		if tt.o.Verdict() != Refused || !strings.Contains(strings.Join(tt.o.Reasons(), "; "), tt.want) {
			t.Errorf("%s: %s, %q; want refused for %q", tt.name, tt.o.Verdict(), tt.o.Reasons(), tt.want)
		}
	}
	if _, err := Fit(nil, Options{}); !errors.Is(err, ErrData) {
		t.Errorf("no observations: %v", err)
	}
	if _, err := Fit([]Observation{{EnergyKWh: 1, DailyMeansC: []float64{200}}}, Options{}); !errors.Is(err, ErrData) {
		t.Errorf("200 °C: %v", err)
	}
	adjusted, _ := m.Avoided(next, 0.8, Adjustment{KWh: 500, Reason: "a lift since March"}).Estimate()
	plain, _ := m.Avoided(next, 0.8).Estimate()
	near(t, "adjustment", adjusted.KWh-plain.KWh, 500, 1e-9)
	hot := next[6]
	hot.DailyMeansC = []float64{38, 39}
	if notes := m.Avoided([]Observation{hot}, 0.8).Notes(); len(notes) != 1 || !strings.Contains(notes[0], "go beyond") {
		t.Errorf("notes of a heat wave: %q", notes)
	}
}
