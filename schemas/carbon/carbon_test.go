package carbon

import (
	"compress/gzip"
	"encoding/csv"
	"errors"
	"math"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/savings/baseline"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
	"quartier/testdata"
)

var (
	t0    = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	hour  = time.Hour
	rte   = About{Scope: "direct", Basis: "production", Source: "RTE", Vintage: "2024"}
	ademe = About{Scope: "lifecycle", Basis: "consumption", Source: "ADEME Base Empreinte, mix de consommation moyen", Vintage: "2021"}
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func near(t *testing.T, what string, got, want, tol float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tol) {
		t.Errorf("%s is %v, want %v ± %v", what, got, want, tol)
	}
}

func wh(mwh float64) units.WattHours { return units.WattHours(mwh * 1e6) }

func year(n int) timegrid.Span { return timegrid.NewSpan(t0, t0.AddDate(n, 0, 0)) }

// TestPublishedFactors: what the published factors make of one megawatt-hour, each with its own meaning, and the annual balance of RTE, mass over production.
func TestPublishedFactors(t *testing.T) {
	for _, tt := range []struct {
		name  string
		g     float64
		about About
		kg    float64
	}{
		{"RTE 2024", 21.7, rte, 21.7}, {"RTE 2023", 32, rte, 32}, {"ADEME 2021", 55, ademe, 55},
		{"RE2020 heating", 79, About{"lifecycle", "consumption", "RE2020", "2022"}, 79}, {"RE2020 hot water", 65, About{"lifecycle", "consumption", "RE2020", "2022"}, 65},
		{"gas", 227, About{"lifecycle", "consumption", "RE2020", "2022"}, 227}, {"oil", 324, About{"lifecycle", "consumption", "RE2020", "2022"}, 324},
		{"wood chips", 24, About{"lifecycle", "consumption", "RE2020", "2022"}, 24},
		{"PV from China", 43.9, About{"lifecycle", "production", "ADEME", "2021"}, 43.9}, {"PV from Europe", 32.3, About{"lifecycle", "production", "ADEME", "2021"}, 32.3},
		{"PV made with French electricity", 25.2, About{"lifecycle", "production", "ADEME", "2021"}, 25.2},
		{"heat network, RE2020", 77, About{"lifecycle", "consumption", "arrêté, réseau 0101C", "RE2020"}, 77}, {"the same network, DPE", 109, About{"lifecycle", "consumption", "arrêté, réseau 0101C", "DPE"}, 109},
	} {
		f := must[Factors[Average]](t)(Constant[Average](tt.g, tt.about))
		near(t, tt.name, must[Emissions[Average]](t)(Of(wh(1), year(1), f)).Kg(), tt.kg, 1e-9)
	}
	near(t, "2024: 11.7 Mt over 539 TWh", 11.7e12/539e9, 21.7, 0.05) // RTE, bilan électrique 2024
}

// TestLocationBased: by hand, four hours, and what was fed in stays outside.
func TestLocationBased(t *testing.T) {
	sp := timegrid.NewSpan(t0, t0.Add(4*hour))
	f := must[Factors[Average]](t)(Series[Average](timegrid.Series{Start: t0, Step: hour, Values: []float64{20, 40, 60, 80}}, rte))
	drawn, fed := []units.WattHours{1000, 0, 2000, 500}, []units.WattHours{0, 3000, 0, 0}
	e := must[Emissions[Average]](t)(LocationBased(drawn, sp, hour, f))
	near(t, "emissions", e.Kg(), 0.020+0.120+0.040, 1e-12)
	a := must[Avoided[Average]](t)(AvoidedByExport(fed, sp, hour, f))
	near(t, "avoided by export", a.Kg(), 0.120, 1e-12)
	marginal := must[Factors[Marginal]](t)(Constant[Marginal](400, rte))
	near(t, "avoided by export, marginal", must[Avoided[Marginal]](t)(AvoidedByExport(fed, sp, hour, marginal)).Kg(), 1.2, 1e-12)
	if _, err := LocationBased([]units.WattHours{-1, 0, 0, 0}, sp, hour, f); err == nil {
		t.Error("export was netted inside of location-based emissions")
	}
	if _, err := LocationBased(drawn[:3], sp, hour, f); err == nil {
		t.Error("three energies for four slots were taken")
	}
	heat := must[Emissions[Average]](t)(Of(wh(0.002), sp, must[Factors[Average]](t)(Constant[Average](109, About{"direct", "production", "arrêté", "2024"}))))
	near(t, "with heat", must[Emissions[Average]](t)(e.Plus(heat)).Kg(), 0.18+0.218, 1e-12)
	life := must[Emissions[Average]](t)(Of(wh(1), sp, must[Factors[Average]](t)(Constant[Average](55, ademe))))
	if _, err := e.Plus(life); !errors.Is(err, ErrMixed) {
		t.Errorf("21.7 g of production and 55 g of life cycle were added: %v", err)
	}
}

// TestMethodsDoNotMix: neither assignment nor conversion between figures of average and marginal factors compiles.
func TestMethodsDoNotMix(t *testing.T) {
	for _, pair := range [][2]reflect.Type{
		{reflect.TypeFor[Emissions[Average]](), reflect.TypeFor[Emissions[Marginal]]()},
		{reflect.TypeFor[Avoided[Average]](), reflect.TypeFor[Avoided[Marginal]]()},
		{reflect.TypeFor[Factors[Average]](), reflect.TypeFor[Factors[Marginal]]()},
	} {
		if pair[0].ConvertibleTo(pair[1]) {
			t.Errorf("%v can become %v", pair[0], pair[1])
		}
	}
}

// TestGapsAreNotZero: energy in a gap is in no mass and is counted.
func TestGapsAreNotZero(t *testing.T) {
	sp := timegrid.NewSpan(t0, t0.Add(4*hour))
	f := must[Factors[Average]](t)(Series[Average](timegrid.Series{Start: t0, Step: hour, Values: []float64{20, math.NaN(), 60}}, rte))
	e := must[Emissions[Average]](t)(LocationBased([]units.WattHours{1000, 1000, 1000, 1000}, sp, hour, f))
	near(t, "emissions", e.Kg(), 0.080, 1e-12)
	if e.MissingWh() != 2000 || e.Coverage() != 0.5 {
		t.Errorf("missing %d Wh, coverage %v; want 2000 Wh and one half", e.MissingWh(), e.Coverage())
	}
	if _, ok := f.Slot(timegrid.NewSpan(t0.Add(30*time.Minute), t0.Add(90*time.Minute))); ok {
		t.Error("a slot that touches a gap has a factor")
	}
	if g, ok := f.Slot(timegrid.NewSpan(t0, t0.Add(15*time.Minute))); !ok || g != 20 {
		t.Errorf("a quarter of an hour has %v, %v", g, ok)
	}
	if _, err := Series[Average](timegrid.Series{Start: t0, Step: hour, Values: []float64{-1}}, rte); err == nil {
		t.Error("a negative factor was taken")
	}
	if _, err := Constant[Average](20, About{}); err == nil {
		t.Error("a factor without scope, basis and source was taken")
	}
}

// TestAgainstBaseline: with the grid of one year frozen, the change of the grid is told apart from what the building did.
func TestAgainstBaseline(t *testing.T) {
	var obs, after []baseline.Observation
	for i := range 24 {
		at := t0.AddDate(0, i-12, 0)
		mean := 11 - 9*math.Cos(2*math.Pi*float64(i)/12)
		o := baseline.Observation{Span: timegrid.NewSpan(at, at.AddDate(0, 1, 0)), Days: 30, DailyMeansC: []float64{mean - 3, mean, mean + 3}}
		for _, c := range o.DailyMeansC {
			o.EnergyKWh += 10 * (100 + 20*math.Max(0, 15-c))
		}
		o.EnergyKWh += 100 * math.Sin(float64(7*i))
		if i < 12 {
			obs = append(obs, o)
		} else {
			o.EnergyKWh *= 0.8
			after = append(after, o)
		}
	}
	m := must[*baseline.Model](t)(baseline.Fit(obs, baseline.Options{}))
	reporting, frozen := must[Factors[Average]](t)(Constant[Average](21.7, rte)), must[Factors[Average]](t)(Constant[Average](32, About{"direct", "production", "RTE", "2023"}))
	o := m.Avoided(after, 0.8)
	s := must[Saving](t)(Against(o, reporting, frozen))
	i, ok := o.Less()
	if !ok {
		t.Fatalf("%v %v", o.Verdict(), o.Reasons())
	}
	kg, low, high, ok := s.Saved()
	if !ok {
		t.Fatal("no figure to call saved")
	}
	near(t, "saved", kg, i.KWh*0.0217, 1e-9)
	near(t, "low", low, i.LowKWh*0.0217, 1e-9)
	near(t, "high", high, i.HighKWh*0.0217, 1e-9)
	adjusted, _ := o.AdjustedKWh()
	grid, _ := s.GridKg()
	near(t, "energy and grid together", kg+grid, adjusted*0.032-o.MeasuredKWh()*0.0217, 1e-9)
	nothing := must[Saving](t)(Against(m.Avoided(nil, 0.8), reporting, frozen))
	if _, _, _, ok := nothing.Estimate(); ok {
		t.Error("a refused baseline has emissions")
	}
	if _, err := Against(o, reporting, must[Factors[Average]](t)(Constant[Average](55, ademe))); !errors.Is(err, ErrMixed) {
		t.Errorf("21.7 g of production and 55 g of life cycle were compared: %v", err)
	}
	unsure := must[Saving](t)(Against(m.Avoided([]baseline.Observation{{Span: timegrid.NewSpan(t0.AddDate(1, 0, 0), t0.AddDate(1, 1, 0)), EnergyKWh: 100 * 30, Days: 30, DailyMeansC: []float64{16}}}, 0.9999), reporting, frozen))
	if _, _, _, ok := unsure.Saved(); ok {
		t.Error("what is not significant was saved")
	}
}

// TestFrozen: the mean of a year is weighted by energy.
func TestFrozen(t *testing.T) {
	f := must[Factors[Average]](t)(Series[Average](timegrid.Series{Start: t0, Step: hour, Values: []float64{20, 80, math.NaN()}}, rte))
	sp := timegrid.NewSpan(t0, t0.Add(3*hour))
	frozen := must[Factors[Average]](t)(f.Frozen([]units.WattHours{3000, 1000, 9000}, sp, hour, "2026"))
	if g, _ := frozen.Slot(sp); g != 35 || frozen.About().Vintage != "2026" {
		t.Errorf("%v of %q, want 35 of 2026", g, frozen.About().Vintage)
	}
	if _, err := f.Frozen([]units.WattHours{0, 0, 1}, sp, hour, "2026"); err == nil {
		t.Error("a factor of nothing was frozen")
	}
}

// TestRatePublishedByRTE recomputes the recorded rate from the recorded mix with the factors that RTE names for combustion: within six grams of what it published, from 48 to 94.
func TestRatePublishedByRTE(t *testing.T) {
	file, err := testdata.Traces().Open("eco2mix/national_2021-12_15min.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z := must[*gzip.Reader](t)(gzip.NewReader(file))
	r := csv.NewReader(z)
	r.Comment = '#'
	rows := must[[][]string](t)(r.ReadAll())
	column := map[string]int{}
	for i, n := range rows[0] {
		column[n] = i
	}
	worst := 0.0
	for _, x := range rows[1:] {
		v := func(name string) float64 {
			f, err := strconv.ParseFloat(x[column[name]], 64)
			if err != nil {
				t.Fatal(err)
			}
			return f
		}
		all := 0.0
		for _, n := range []string{"nuclear_mw", "gas_mw", "coal_mw", "oil_mw", "hydro_mw", "wind_mw", "solar_mw", "bioenergy_mw"} {
			all += v(n)
		}
		g := 1000 * (0.986*v("coal_mw") + 0.777*v("oil_mw") + 0.429*v("gas_mw") + 0.494*v("bioenergy_mw")) / all
		worst = math.Max(worst, math.Abs(g-v("carbon_g_per_kwh")))
	}
	t.Logf("worst difference %.1f g/kWh over %d quarter-hours", worst, len(rows)-1)
	if worst > 6 {
		t.Errorf("worst difference %.1f g/kWh", worst)
	}
}

func TestReadShapes(t *testing.T) {
	paris := must[*time.Location](t)(time.LoadLocation("Europe/Paris"))
	at := func(s string) time.Time { return must[time.Time](t)(time.Parse(time.RFC3339, s)).UTC() }
	summer := []Point{{at("2026-07-01T00:00:00Z"), 21}, {at("2026-07-01T00:15:00Z"), 22}, {at("2026-07-01T00:45:00Z"), 24}}
	for name, text := range map[string]string{
		"data set, field names": "code_insee_region;perimetre;date_heure;consommation;taux_co2\nFR;France;2026-07-01T02:00:00+02:00;45000;21\nFR;France;2026-07-01T02:15:00+02:00;45100;22\n" +
			"FR;France;2026-07-01T02:30:00+02:00;45100;\nFR;France;2026-07-01T02:45:00+02:00;45200;24\n",
		"data set, labels, with BOM and CRLF": "\ufeffPérimètre;Nature;Date;Heure;Date - Heure;Taux de CO2 (g/kWh)\r\nFrance;x;2026-07-01;02:00;2026-07-01T02:00:00+02:00;21\r\n" +
			"France;x;2026-07-01;02:15;2026-07-01T02:15:00+02:00;22\r\nFrance;x;2026-07-01;02:45;2026-07-01T02:45:00+02:00;24\r\n",
		"RTE's table, Latin-1": "P\xe9rim\xe8tre\tNature\tDate\tHeures\tConsommation\tTaux de Co2\nFrance\tDonn\xe9es\t2026-07-01\t02:00\t45000\t21\nFrance\tDonn\xe9es\t2026-07-01\t02:15\t45000\t22\n" +
			"France\tDonn\xe9es\t2026-07-01\t02:30\t45000\tND\nFrance\tDonn\xe9es\t2026-07-01\t02:45\t45000\t24\nRTE ne pourra \xeatre tenu responsable\n",
		"API": `{"total_count": 4, "results": [{"date_heure": "2026-07-01T00:45:00+00:00", "taux_co2": 24}, {"date_heure": "2026-07-01T00:00:00+00:00", "taux_co2": 21},
			{"date_heure": "2026-07-01T00:15:00+00:00", "taux_co2": 22}, {"date_heure": "2026-07-01T00:30:00+00:00", "taux_co2": null}]}`,
		"API, export":    `[{"date_heure": "2026-07-01T00:00:00+00:00", "taux_co2": 21}, {"date_heure": "2026-07-01T00:15:00+00:00", "taux_co2": 22}, {"date_heure": "2026-07-01T00:45:00+00:00", "taux_co2": 24}]`,
		"API, version 1": `{"nhits": 3, "records": [{"fields": {"date_heure": "2026-07-01T00:00:00+00:00", "taux_co2": 21}}, {"fields": {"date_heure": "2026-07-01T00:15:00+00:00", "taux_co2": 22}}, {"fields": {"date_heure": "2026-07-01T00:45:00+00:00", "taux_co2": 24}}]}`,
		"our own":        "# source\ntime_utc,carbon_g_per_kwh\n2026-07-01T00:00Z,21\n2026-07-01T00:15Z,22\n2026-07-01T00:45Z,24\n",
	} {
		f, err := Read(strings.NewReader(text), paris, func(row int, reason error) { t.Errorf("%s: row %d refused: %v", name, row, reason) })
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !reflect.DeepEqual(f.Points, summer) || f.Step != 15*time.Minute || len(f.Gaps) != 1 || f.Gaps[0] != timegrid.NewSpan(at("2026-07-01T00:30:00Z"), at("2026-07-01T00:45:00Z")) {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// TestReadAutumn: the hour that comes twice in Paris is two hours, in the order of the rows.
func TestReadAutumn(t *testing.T) {
	paris := must[*time.Location](t)(time.LoadLocation("Europe/Paris"))
	f, err := Read(strings.NewReader("Date\tHeures\tTaux de Co2\n2026-10-25\t01:30\t1\n2026-10-25\t02:00\t2\n2026-10-25\t02:30\t3\n2026-10-25\t02:00\t4\n2026-10-25\t02:30\t5\n2026-10-25\t03:00\t6\n"), paris,
		func(row int, reason error) { t.Errorf("row %d: %v", row, reason) })
	if err != nil {
		t.Fatal(err)
	}
	for i, p := range f.Points {
		if want := time.Date(2026, 10, 24, 23, 30*(i+1), 0, 0, time.UTC); !p.Time.Equal(want) || p.GPerKWh != float64(i+1) {
			t.Errorf("point %d is %v %v, want %v", i, p.Time, p.GPerKWh, want)
		}
	}
	if len(f.Points) != 6 || len(f.Gaps) != 0 {
		t.Errorf("%d points, gaps %v", len(f.Points), f.Gaps)
	}
}

func TestReadRefuses(t *testing.T) {
	refused := map[int]string{}
	f, err := Read(strings.NewReader("date_heure;taux_co2\n2026-07-01T00:00:00Z;21\nyesterday;22\n2026-07-01T00:15:00Z;many\n2026-07-01T00:00:00Z;23\n2026-07-01T00:30:00Z;-4\n2026-07-01T00:45:00Z;25\n"), time.UTC,
		func(row int, reason error) { refused[row] = reason.Error() })
	if err != nil || len(f.Points) != 2 {
		t.Fatalf("%+v, %v", f, err)
	}
	for row, want := range map[int]string{3: "yesterday", 4: "many", 5: "twice", 6: "-4"} {
		if !strings.Contains(refused[row], want) {
			t.Errorf("row %d: %q, want %q", row, refused[row], want)
		}
	}
	for _, text := range []string{"", "a;b\n1;2\n", "{}", `{"results": 3}`, "[", "date_heure;taux_co2\n"} {
		if _, err := Read(strings.NewReader(text), time.UTC, func(int, error) {}); err == nil {
			t.Errorf("%q was taken", text)
		}
	}
}

// FuzzRead: whatever a file holds, points come in order, each once and in range.
func FuzzRead(f *testing.F) {
	f.Add([]byte("date_heure;taux_co2\n2026-07-01T00:00:00Z;21\n"))
	f.Add([]byte(`{"results":[{"date_heure":"2026-07-01T00:00:00Z","taux_co2":1}]}`))
	f.Add([]byte("P\xe9\tDate\tHeures\tTaux de Co2\n\t2026-10-25\t02:00\t4\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := Read(strings.NewReader(string(data)), time.UTC, func(int, error) {})
		if err != nil {
			return
		}
		for i, p := range file.Points {
			if !(p.GPerKWh >= 0 && p.GPerKWh <= 3000) || i > 0 && !p.Time.After(file.Points[i-1].Time) {
				t.Fatalf("point %d: %+v", i, p)
			}
		}
	})
}

// TestSumsHold: cutting a span in two changes no mass.
func TestSumsHold(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 50).Draw(t, "slots")
		values, energy := make([]float64, n), make([]units.WattHours, n)
		for i := range n {
			if values[i] = rapid.Float64Range(0, 500).Draw(t, "g"); rapid.IntRange(0, 9).Draw(t, "gap") == 0 {
				values[i] = math.NaN()
			}
			energy[i] = units.WattHours(rapid.Int64Range(0, 1e7).Draw(t, "wh"))
		}
		f, err := Series[Average](timegrid.Series{Start: t0, Step: hour, Values: values}, rte)
		if err != nil {
			t.Fatal(err)
		}
		at := rapid.IntRange(1, n-1).Draw(t, "cut")
		cut, end := t0.Add(time.Duration(at)*hour), t0.Add(time.Duration(n)*hour)
		whole, _ := LocationBased(energy, timegrid.NewSpan(t0, end), hour, f)
		a, _ := LocationBased(energy[:at], timegrid.NewSpan(t0, cut), hour, f)
		b, _ := LocationBased(energy[at:], timegrid.NewSpan(cut, end), hour, f)
		both, err := a.Plus(b)
		if err != nil || math.Abs(both.Kg()-whole.Kg()) > 1e-9*(1+whole.Kg()) || both.MissingWh() != whole.MissingWh() {
			t.Fatalf("%v and %v make %v, want %v; %v", a, b, both, whole, err)
		}
	})
}
