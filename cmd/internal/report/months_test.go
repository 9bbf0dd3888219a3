package report

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"

	"quartier/schemas/units"
)

// plain is a text with ordinary spaces in place of the unbreakable ones.
func plain(text string) string { return strings.NewReplacer(nbsp, " ", thin, " ").Replace(text) }

// words returns the view of d, with no fault.
func words(t testing.TB, d *Data) *view {
	t.Helper()
	v, err := newView(d)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// empty is sample without any energy of the member.
func empty(t testing.TB, coverage float64) *Data {
	d := sample(t)
	d.ConsumptionWh, d.OwnWh, d.SharedWh, d.GridWh, d.Coverage = 0, 0, 0, 0, coverage
	d.Bill, d.Comparison, d.Habits = nil, nil, nil
	for i := range d.Days {
		d.Days[i] = Day{Start: d.Days[i].Start, Coverage: coverage}
	}
	return d
}

// TestMonthWithoutSun: no production is said as it is, and no praise for following the sun.
func TestMonthWithoutSun(t *testing.T) {
	d := sample(t)
	d.Language, d.Coverage = "en", 1
	d.GridWh, d.SharedWh = d.ConsumptionWh, 0
	for i := range d.Days {
		x := &d.Days[i]
		x.GridWh, x.SharedWh = x.GridWh+x.SharedWh, 0
	}
	d.Bill.AvoidedEUR, d.Bill.PaidEUR, d.Bill.Lines = 0, 0, nil
	d.District.ProductionWh, d.District.ExportWh, d.District.ImportWh = 0, 0, d.District.ConsumptionWh
	d.Habits = &Habits{}
	for h := range 24 {
		d.Habits.ConsumptionWh[h] = 6_000
		if h >= 2 && h < 5 {
			d.Habits.ConsumptionWh[h] = 1_000
		}
	}
	v := words(t, d)
	if got, want := plain(v.Sentence), "In January 2026 your home used 214 kWh, all of it from the grid."; got != want {
		t.Errorf("sentence %q, want %q", got, want)
	}
	if v.Hint != "" {
		t.Errorf("hint %q without any sun, want none", v.Hint)
	}
	if got := plain(v.District[0]); !strings.HasPrefix(got, "Solar production: 0.0 kWh.") || strings.Contains(strings.Join(v.District, " "), "NaN") {
		t.Errorf("district %q", v.District)
	}
	for _, l := range v.Exact {
		if strings.Contains(l.Value, minus) || strings.Contains(l.Value, "NaN") {
			t.Errorf("%s is %q, want a plain zero", l.Label, l.Value)
		}
	}
	render(t, d)
}

// TestMonthWithoutMeasurements gives no figure of the home, neither zero nor anything else; a home that used nothing is another thing.
func TestMonthWithoutMeasurements(t *testing.T) {
	d := empty(t, 0)
	v := words(t, d)
	if want := "En janvier 2026, votre logement n’a pas été mesuré : aucun chiffre n’est donné."; plain(v.Sentence) != want {
		t.Errorf("sentence %q, want %q", plain(v.Sentence), want)
	}
	if len(v.Exact) != 1 || v.Exact[0].Value != "sans mesure" || len(v.Carbon) != 1 || v.Carbon[0] != "sans mesure" {
		t.Errorf("exact %v, carbon %v, want nothing measured", v.Exact, v.Carbon)
	}
	page, _ := render(t, d)
	if got := bytes.Count(page, []byte(`class="gap"`)); got != 31 {
		t.Errorf("%d gaps in the chart, want 31", got)
	}
	if got, want := plain(words(t, empty(t, 1)).Sentence), "En janvier 2026, votre logement n’a consommé aucune électricité."; got != want {
		t.Errorf("sentence %q, want %q", got, want)
	}
	d = sample(t)
	d.Coverage = 0
	if err := d.Validate(); err == nil || !strings.Contains(err.Error(), "214000 Wh without a measurement") {
		t.Errorf("error %v, want one about energy without a measurement", err)
	}
}

// TestGaps: a day without measurements has no figure in the table and no bar; the 31st has its bar.
func TestGaps(t *testing.T) {
	d := sample(t)
	page, _ := render(t, d)
	text := string(page)
	if got := strings.Count(text, `class="gap"`); got != 2 {
		t.Errorf("%d gaps, want 2", got)
	}
	bars := strings.Count(text, `class="o1"/>`)
	if bars != 29 {
		t.Errorf("%d bars of shared energy, want 29", bars)
	}
	rows := words(t, d).table()
	if len(rows) != 31 || rows[11][1] != "sans mesure" || rows[10][1] == "sans mesure" || plain(rows[30][0]) != "31 janvier 2026" {
		t.Errorf("table %q", rows)
	}
}

// TestSubstituted: estimates in place of measurements are said, in both languages.
func TestSubstituted(t *testing.T) {
	for _, language := range []string{"fr", "en"} {
		d := sample(t)
		d.Language = language
		before := strings.Join(words(t, d).How, " ")
		d.Substituted = true
		after := strings.Join(words(t, d).How, " ")
		if strings.Contains(before, catalogues[language].HowSubstituted) || !strings.Contains(after, catalogues[language].HowSubstituted) {
			t.Errorf("%s: %q, then %q", language, before, after)
		}
	}
}

// TestSharedEffectStandsApart: beside an own roof, the effect on the bill is named as that of the shared energy.
func TestSharedEffectStandsApart(t *testing.T) {
	d := sample(t)
	d.Language, d.OwnWh, d.GridWh, d.Days = "en", 10_000, d.GridWh-10_000, nil
	if got, want := plain(words(t, d).Sentence), "62.0 kWh from the district’s other roofs. The district’s shared energy lowered your bill by €2.23."; !strings.HasSuffix(got, want) {
		t.Errorf("sentence %q, want its end %q", got, want)
	}
}

// TestHabits counts each slot in the hour of the local day, over the change to summer time.
func TestHabits(t *testing.T) {
	var h Habits
	loc := paris(t)
	start := time.Date(2026, 3, 29, 0, 0, 0, 0, loc)
	for i := range 23 * 4 {
		h.Add(start.Add(time.Duration(i)*15*time.Minute).UTC(), loc, 100, 10)
	}
	for hour := range 24 {
		want := units.WattHours(400)
		if hour == 2 {
			want = 0
		}
		if h.ConsumptionWh[hour] != want || h.SurplusWh[hour] != want/10 {
			t.Errorf("hour %d: %d Wh and %d Wh, want %d and %d", hour, h.ConsumptionWh[hour], h.SurplusWh[hour], want, want/10)
		}
	}
}

// TestEveningHint is given without sun to shift to, and only for a share that is high.
func TestEveningHint(t *testing.T) {
	for _, tt := range []struct {
		evening units.WattHours
		want    bool
	}{{9_000, true}, {6_000, false}} {
		d := sample(t)
		d.Coverage, d.Habits = 1, &Habits{}
		for h := range 24 {
			d.Habits.ConsumptionWh[h] = 4_000
			if h >= 2 && h < 5 {
				d.Habits.ConsumptionWh[h] = 2_000
			}
			if h >= 18 && h < 22 {
				d.Habits.ConsumptionWh[h] = tt.evening
			}
		}
		if got := words(t, d).Hint; strings.Contains(got, "entre 18 et 22") != tt.want {
			t.Errorf("evening of %d Wh: hint %q, want one: %v", tt.evening, got, tt.want)
		}
	}
}

// TestLongNames fit the sheet.
func TestLongNames(t *testing.T) {
	if err := RenderPDF(io.Discard, longNames(t)); err != nil {
		t.Error(err)
	}
}

func longNames(t testing.TB) *Data {
	d := sample(t)
	d.Member.Name = "Monsieur Jean-Baptiste de La Rochefoucauld-Montbel et Madame Marie-Antoinette Vandenbroucke-Saint-Exupéry"
	d.Member.Site = "Résidence intergénérationnelle des Grands Jardins de la Fontaine d’Ouche, bâtiment B, escalier 12"
	d.District.Name = "Quartier durable de la Fontaine d’Ouche et des bords du lac Kir"
	d.Issuer.Name = "Société coopérative d’intérêt collectif des énergies renouvelables de la métropole dijonnaise"
	d.Issuer.Address = "Immeuble Le Grand Pavois, 128 bis avenue du Maréchal-de-Lattre-de-Tassigny, 21000 Dijon"
	return d
}

// TestUnknownsAreLeftOut: what is not known of a member makes no empty label and no date of the year 1.
func TestUnknownsAreLeftOut(t *testing.T) {
	for _, language := range []string{"fr", "en"} {
		d := sample(t)
		d.Language, d.Member.DeliveryPoint, d.Member.Site, d.Member.ConsentSince = language, "", "", time.Time{}
		v := words(t, d)
		if want := map[string]string{"fr": "Rapport pour Famille Martin", "en": "Report for Famille Martin"}[language]; v.For != want {
			t.Errorf("%q, want %q", v.For, want)
		}
		if v.Foot[1] != catalogues[language].WithdrawUndated {
			t.Errorf("%q, want how to withdraw without a date", v.Foot[1])
		}
	}
}
