package tariff

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/timegrid"
)

func local(t testing.TB, text string) time.Time {
	t.Helper()
	v, err := time.ParseInLocation("2006-01-02 15:04", text, paris)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// published are the Tarif Bleu prices with taxes of both grids, EUR/kWh.
var published = map[string]map[Period][2]float64{ // period -> 1 August 2025, 1 February 2026
	"base": {BasePeriod: {0.1952, 0.1940}},
	"hphc": {HP: {0.2081, 0.2065}, HC: {0.1635, 0.1579}},
	"tempo": {BlueHP: {0.1494, 0.1612}, BlueHC: {0.1232, 0.1325}, WhiteHP: {0.1730, 0.1871}, WhiteHC: {0.1391, 0.1499},
		RedHP: {0.6468, 0.7060}, RedHC: {0.1460, 0.1575}},
}

// tempo returns the Tempo tariff with both grids, red on 13 January and 10 February 2026, white on the days after; unknown from 1 September 2026.
func tempo(unknown Colour) *Tariff {
	rows := make([]Row, 2)
	for i, from := range []time.Time{day(2025, 8, 1), day(2026, 2, 1)} {
		rows[i] = Row{From: from, Import: map[Period]float64{}, Source: "Tarif Bleu TTC"}
		for p, v := range published["tempo"] {
			rows[i].Import[p] = v[i]
		}
	}
	return &Tariff{ID: "tempo", Kind: Tempo, Zone: paris, Rows: rows, Unknown: unknown, Colour: func(y int, m time.Month, d int) Colour {
		switch day := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Format(time.DateOnly); {
		case day >= "2026-09-01":
			return ""
		case day == "2026-01-13" || day == "2026-02-10":
			return Red
		case day == "2026-01-14" || day == "2026-02-11":
			return White
		}
		return Blue
	}}
}

// TestPublishedFigures: every figure of the two grids, at an instant of its period.
func TestPublishedFigures(t *testing.T) {
	x := tempo(Refuse)
	for i, days := range []map[Colour]string{{Blue: "2026-01-12", Red: "2026-01-13", White: "2026-01-14"}, {Blue: "2026-02-09", Red: "2026-02-10", White: "2026-02-11"}} {
		for c, d := range days {
			for hour, suffix := range map[string]string{"06:00": "_hp", "21:59": "_hp", "22:00": "_hc", "23:59": "_hc"} {
				p, err := x.At(local(t, d+" "+hour))
				period := Period(string(c) + suffix)
				if want := published["tempo"][period][i]; err != nil || p.ImportEURPerKWh != want || p.Period != period {
					t.Errorf("%s %s: %v %v (%v), want %s %v EUR/kWh", d, hour, p.Period, p.ImportEURPerKWh, err, period, want)
				}
			}
			next := local(t, d+" 12:00").AddDate(0, 0, 1).Format(time.DateOnly)
			if p := x.PeriodAt(local(t, next+" 05:59")); p != Period(string(c)+"_hc") {
				t.Errorf("%s 05:59 is %s, want the off-peak hours of the %s day before", next, p, c)
			}
		}
	}
}

// TestUnknownColour: a day without a known colour is refused, or priced as the tariff says.
func TestUnknownColour(t *testing.T) {
	at := local(t, "2026-09-01 06:00")
	if _, err := tempo(Refuse).At(at); err == nil || !strings.Contains(err.Error(), "2026-09-01T06:00:00+02:00") {
		t.Errorf("error %v, want one that names 2026-09-01T06:00:00+02:00", err)
	}
	if _, err := tempo(Refuse).At(at.Add(-time.Minute)); err != nil {
		t.Errorf("05:59 belongs to the known day before: %v", err)
	}
	for c, want := range map[Colour]Period{"": BlueHP, White: WhiteHP, Red: RedHP} {
		if got := tempo(c).PeriodAt(at); got != want {
			t.Errorf("unknown %q: %s, want %s", c, got, want)
		}
	}
}

// afternoon has the windows of a delivery point that moved to afternoon off-peak hours in summer, and two clock-change traps.
func afternoon() *Tariff {
	return &Tariff{ID: "hphc", Kind: HPHC, Zone: paris, Rows: []Row{
		{From: day(2025, 8, 1), Import: map[Period]float64{HP: 0.2081, HC: 0.1635}},
		{From: day(2026, 2, 1), Import: map[Period]float64{HP: 0.2065, HC: 0.1579}, SubscriptionEURPerMonth: 15.5},
	}, OffPeak: []Window{
		{From: 22*60 + 30, To: 6*60 + 30, ValidUntil: day(2026, 4, 1)},
		{From: 90, To: 6*60 + 30, FirstMonth: 4, LastMonth: 10, ValidFrom: day(2026, 4, 1)},
		{From: 12 * 60, To: 15 * 60, FirstMonth: 4, LastMonth: 10, ValidFrom: day(2026, 4, 1)},
		{From: 22*60 + 30, To: 6*60 + 30, FirstMonth: 11, LastMonth: 3, ValidFrom: day(2026, 4, 1)},
	}}
}

// TestAfternoonWindows: windows change with their date and with the season, by the local day.
func TestAfternoonWindows(t *testing.T) {
	x := afternoon()
	for at, want := range map[string]Period{
		"2026-03-31 13:00": HP, "2026-04-01 13:00": HC, "2026-04-01 11:59": HP, "2026-04-01 12:00": HC, "2026-04-01 15:00": HP,
		"2026-03-31 23:00": HC, "2026-04-01 00:30": HP, "2026-04-01 01:30": HC, "2026-10-31 13:00": HC, "2026-11-01 13:00": HP, "2026-11-01 00:30": HC,
	} {
		if got := x.PeriodAt(local(t, at)); got != want {
			t.Errorf("%s: %s, want %s", at, got, want)
		}
	}
}

// TestNextChange: the next change is a window's edge, a new row, a clock change where the wall clock falls back into the hours before a window, or nothing.
func TestNextChange(t *testing.T) {
	utc := func(text string) time.Time { v, _ := time.Parse("2006-01-02 15:04", text); return v }
	base := &Tariff{Kind: Base, Zone: paris, Rows: []Row{{From: day(2025, 8, 1), Import: map[Period]float64{BasePeriod: 0.1952}}, {From: day(2026, 2, 1), Import: map[Period]float64{BasePeriod: 0.1940}}}}
	late := &Tariff{Kind: HPHC, Zone: paris, Rows: afternoon().Rows, OffPeak: []Window{{From: 150, To: 6 * 60}}} // 02:30 to 06:00
	for _, tt := range []struct {
		name  string
		x     *Tariff
		after time.Time
		want  time.Time
	}{
		{"a new row", base, local(t, "2025-12-24 18:00"), day(2026, 2, 1)},
		{"the window begins", afternoon(), local(t, "2026-05-04 08:00"), local(t, "2026-05-04 12:00")},
		{"the window ends", afternoon(), local(t, "2026-05-04 12:00"), local(t, "2026-05-04 15:00")},
		{"across midnight", afternoon(), local(t, "2026-01-05 22:30"), local(t, "2026-01-06 06:30")},
		{"the row changes inside a window", afternoon(), local(t, "2026-01-31 22:30"), day(2026, 2, 1)},
		{"autumn: into the window the first time", late, utc("2026-10-24 23:00"), utc("2026-10-25 00:30")},
		{"autumn: the clock falls back out of it", late, utc("2026-10-25 00:30"), utc("2026-10-25 01:00")},
		{"autumn: into the window again", late, utc("2026-10-25 01:00"), utc("2026-10-25 01:30")},
		{"spring: the clock jumps into it", late, utc("2026-03-29 00:30"), utc("2026-03-29 01:00")},
		{"Tempo's day", tempo(Refuse), local(t, "2026-02-10 22:00"), local(t, "2026-02-11 06:00")},
		{"no colour is known", tempo(Refuse), local(t, "2026-08-31 23:00"), local(t, "2026-09-01 06:00")},
	} {
		got, ok := tt.x.NextChange(tt.after)
		if !ok || !got.Equal(tt.want) {
			t.Errorf("%s: next change after %v is %v (%v), want %v", tt.name, tt.after, got, ok, tt.want)
		}
	}
	if at, ok := base.NextChange(day(2026, 3, 1)); ok {
		t.Errorf("change at %v, want none after the last row", at)
	}
}

// TestSlotsKeepCost: energy drawn evenly costs the same whatever the step of the prices, over any day, with both clock changes.
func TestSlotsKeepCost(t *testing.T) {
	all := []*Tariff{afternoon(), tempo(White), {Kind: HPHC, Zone: paris, Rows: afternoon().Rows, OffPeak: []Window{{From: 137, To: 371}, {From: 13*60 + 7, To: 15 * 60}}}}
	rapid.Check(t, func(t *rapid.T) {
		x := all[rapid.IntRange(0, len(all)-1).Draw(t, "tariff")]
		d := timegrid.Day(time.Date(2026, 1, rapid.SampledFrom([]int{31, 32, 88, 90, 91, 298, 305}).Draw(t, "day"), 12, 0, 0, 0, paris), paris)
		fine, err := x.Import(d, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		step := rapid.SampledFrom([]time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}).Draw(t, "step")
		coarse, err := x.Import(d, step)
		if err != nil {
			t.Fatal(err)
		}
		n := int(step / time.Minute)
		if len(coarse)*n != len(fine) {
			t.Fatalf("%d slots of %v and %d minutes", len(coarse), step, len(fine))
		}
		for i, v := range coarse {
			sum := 0.0
			for _, f := range fine[i*n : (i+1)*n] {
				sum += f
			}
			if math.Abs(sum/float64(n)-v) > 1e-12 { // EUR/kWh: rounding alone
				t.Fatalf("slot %d of %v at %v: %v EUR/kWh, want the mean of its minutes %v", i, step, d.Start, v, sum/float64(n))
			}
		}
	})
}

// TestMissing: the first instant without a price is named, before the first row, in a gap between rows, and in a series.
func TestMissing(t *testing.T) {
	gap := &Tariff{ID: "gap", Kind: Base, Zone: paris, Rows: []Row{{From: day(2026, 1, 1), Until: day(2026, 1, 10), Import: map[Period]float64{BasePeriod: 0.2}}, {From: day(2026, 1, 12), Import: map[Period]float64{BasePeriod: 0.2}}}}
	if err := gap.Validate(); err != nil {
		t.Errorf("a gap is no fault of the tariff: %v", err)
	}
	_, err := gap.Import(timegrid.NewSpan(day(2026, 1, 9), day(2026, 1, 13)), time.Hour)
	if err == nil || !strings.Contains(err.Error(), "gap") || !strings.Contains(err.Error(), "2026-01-10T00:00:00+01:00") {
		t.Errorf("error %v, want one that names the tariff and 2026-01-10T00:00:00+01:00", err)
	}
	start := day(2026, 1, 1).UTC()
	spot := &Tariff{ID: "spot", Kind: Series, Zone: paris, Prices: timegrid.Series{Start: start, Step: 15 * time.Minute, Values: []float64{0.05, math.NaN(), -0.01}}}
	if _, err := spot.Import(timegrid.NewSpan(start, start.Add(45*time.Minute)), 15*time.Minute); err == nil || !strings.Contains(err.Error(), "00:15") {
		t.Errorf("error %v, want one that names 00:15", err)
	}
	if v, err := spot.ImportAt(start.Add(30 * time.Minute)); err != nil || v != -0.01 {
		t.Errorf("%v (%v), want the negative price -0.01 EUR/kWh", v, err)
	}
}

// TestDynamic: the formula on the series, by the row that holds.
func TestDynamic(t *testing.T) {
	start := day(2026, 1, 31).UTC()
	x := &Tariff{ID: "dyn", Kind: Dynamic, Zone: paris, Prices: timegrid.Series{Start: start, Step: time.Hour, Values: make([]float64, 48)},
		Rows: []Row{{From: day(2026, 1, 1), Times: 1, Plus: 0.09, VAT: 0.2}, {From: day(2026, 2, 1), Times: 1.05, Plus: 0.08, VAT: 0.2}}}
	for i := range x.Prices.Values {
		x.Prices.Values[i] = 0.1
	}
	got, err := x.Import(timegrid.NewSpan(day(2026, 1, 31).Add(23*time.Hour), day(2026, 2, 1).Add(time.Hour)), time.Hour)
	if err != nil || len(got) != 2 || math.Abs(got[0]-0.228) > 1e-12 || math.Abs(got[1]-0.222) > 1e-12 {
		t.Errorf("%v (%v), want [0.228 0.222] EUR/kWh", got, err)
	}
}

// TestAvoided: what a shared kWh takes off a bill, by the example of the Base tariff of February 2026: excise 30.85 EUR/MWh, network 48.4 EUR/MWh, VAT 20 %.
func TestAvoided(t *testing.T) {
	p := Price{ImportEURPerKWh: 0.1940, NetworkEURPerKWh: 0.0484 * 1.2, ExciseEURPerKWh: 0.03085 * 1.2}
	for _, tt := range []struct {
		exempt bool
		want   float64
	}{{true, 0.1359}, {false, 0.0989}} {
		if got := p.AvoidedEURPerKWh(tt.exempt); math.Abs(got-tt.want) > 5e-5 { // the example has four digits
			t.Errorf("exempt %v: %v EUR/kWh, want %v", tt.exempt, got, tt.want)
		}
	}
}

// TestValidate: every fault of a tariff made in code is named.
func TestValidate(t *testing.T) {
	x := &Tariff{ID: "x", Kind: HPHC, Zone: paris, OffPeak: []Window{{From: 1500}}, Rows: []Row{
		{From: day(2026, 1, 1), Until: day(2026, 3, 1), Import: map[Period]float64{HP: 0.2, HC: 0.1}},
		{From: day(2026, 2, 1), Import: map[Period]float64{HP: 0.2}},
	}}
	err := x.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"2026-02-01 overlaps", "no hc price", "[1500, 0) min"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no fault says %q: %v", want, err)
		}
	}
	if err := afternoon().Validate(); err != nil {
		t.Error(err)
	}
}

// TestCarbon: a constant, a series with its means, and a signal, which has no values of its own.
func TestCarbon(t *testing.T) {
	start := day(2026, 1, 1).UTC()
	hour := timegrid.NewSpan(start, start.Add(time.Hour))
	flat := &Carbon{ID: "mean", Kind: CarbonConstant, GPerKWh: 21.7}
	if v, err := flat.Values(hour, 30*time.Minute); err != nil || len(v) != 2 || v[1] != 21.7 {
		t.Errorf("%v (%v), want 21.7 g/kWh twice", v, err)
	}
	rec := &Carbon{ID: "rec", Kind: CarbonSeries, Intensity: timegrid.Series{Start: start, Step: 15 * time.Minute, Values: []float64{20, 30, 40, 50}}}
	if v, err := rec.Values(hour, 30*time.Minute); err != nil || len(v) != 2 || v[0] != 25 || v[1] != 45 {
		t.Errorf("%v (%v), want the means 25 and 45 g/kWh", v, err)
	}
	if _, err := rec.Values(timegrid.NewSpan(start, start.Add(2*time.Hour)), time.Hour); err == nil || !strings.Contains(err.Error(), "T00:00:00Z") {
		t.Errorf("error %v, want one that names midnight UTC", err)
	}
	if _, err := (&Carbon{ID: "eco2mix", Kind: CarbonSignal}).At(start); err == nil {
		t.Error("a signal has a value, want an error")
	}
}

// TestDatedCarbon: RTE's means of 2023 and 2024 hold in their years alone, in the zone of the rows; a slot without a row is an error and no zero; publications are those of the span.
func TestDatedCarbon(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, paris) }
	c := &Carbon{ID: "rte", Kind: CarbonDated, Source: "RTE", Rows: []CarbonRow{{From: year(2023), GPerKWh: 32, Vintage: "2023", Source: "bilan électrique"}, {From: year(2024), Until: year(2025), GPerKWh: 21.7, Vintage: "2024", Source: "bilan électrique"}}}
	last := timegrid.NewSpan(year(2024).Add(-time.Hour), year(2024).Add(time.Hour))
	if v, err := c.Values(last, 30*time.Minute); err != nil || !slices.Equal(v, []float64{32, 32, 21.7, 21.7}) {
		t.Errorf("around the new year: %v, %v", v, err)
	}
	for _, at := range []time.Time{year(2023).Add(-time.Second), year(2025)} {
		if v, err := c.At(at); err == nil || !strings.Contains(err.Error(), "no row at") {
			t.Errorf("at %v: %v, %v", at, v, err)
		}
	}
	for want, sp := range map[string]timegrid.Span{"bilan électrique, 2023; bilan électrique, 2024": last, "bilan électrique, 2024": timegrid.NewSpan(year(2024), year(2026)), "RTE": timegrid.NewSpan(year(2025), year(2026))} {
		if got := c.Publications(sp); got != want {
			t.Errorf("publications of %v are %q, want %q", sp, got, want)
		}
	}
}
