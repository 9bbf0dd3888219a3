package app

import (
	"context"
	"io/fs"
	"math"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/savings/baseline"
	"quartier/schemas/store/rollup"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
	"quartier/testdata"
)

// measured is a record of rows with the weather of a sine.
type measured struct{ rows }

func outdoor(at time.Time) float64 {
	return 11 - 9*math.Cos(2*math.Pi*float64(at.YearDay()-20)/365) + 3*math.Sin(float64(at.YearDay()))
}

func (measured) Rollup(_ context.Context, series []district.SeriesID, sp timegrid.Span, step rollup.Step, zone *time.Location, yield func(rollup.Row) error) error {
	for _, id := range series {
		for day := range sp.Days(zone) {
			held := day.Duration()
			if err := yield(rollup.Row{Series: id, Start: day.Start, End: day.End, Samples: 24, Held: held, Integral: held.Hours() * outdoor(day.Start.Add(12*time.Hour))}); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestEnergyAvoidedOnReports: from twelve months before the configured change on, the report estimates what a home would have used in this weather. It says saved only where
// zero lies outside the interval, says "not yet significant" where it does not, gives no figure where the model is refused, and none without twelve months.
func TestEnergyAvoidedOnReports(t *testing.T) {
	text, err := fs.ReadFile(testdata.Districts(), "demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, until     string
		less, noise     float64 // share used less after the change; share by which months differ for no reason
		months          int     // measured before the change
		verdict         baseline.Verdict
		french, english string
		frenchNot       string
	}{
		{"a third less", "2026-02-01", 0.33, 0.03, 12, baseline.UsedLess, "vous avez économisé environ", "you saved about", "significatif"},
		{"no change", "2026-02-01", 0.01, 0.06, 12, baseline.NotSignificant, "Pas encore significatif", "Not yet significant", "économisé"},
		{"a third more", "2026-02-01", -0.33, 0.03, 12, baseline.UsedMore, "vous avez utilisé environ", "you used about", "économisé"},
		{"people who do as they like", "2026-02-01", 0.33, 0.9, 12, baseline.Refused, "aucun chiffre n’est donné", "no figure is given", "économisé"},
		{"eleven months", "2026-02-01", 0.33, 0.03, 11, "", "il faut douze mois", "it takes twelve months", "économisé"},
		{"no change is configured", "", 0.33, 0.03, 12, "", "il faut douze mois", "it takes twelve months", "économisé"},
		{"the change comes later", "2026-03-01", 0.33, 0.03, 12, "", "il faut douze mois", "it takes twelve months", "économisé"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := config.Parse("demo.yaml", text, ConfigOptions())
			if err != nil {
				t.Fatal(err)
			}
			d := &cfg.Districts[0]
			cfg.District(d.ID).Baseline.Until = tt.until
			m := &d.Members[len(d.Members)/2]
			change := time.Date(2026, 2, 1, 0, 0, 0, 0, d.Zone)
			var rs rows
			for at := change.AddDate(0, -tt.months, 0).UTC(); at.Before(change.AddDate(0, 1, 0)); at = at.Add(d.Step) {
				local := at.In(d.Zone)
				kw := (40 + 6*math.Max(0, 16-outdoor(at))) * (1 + tt.noise*math.Sin(float64(5*int(local.Month()))))
				if !at.Before(change) {
					kw *= 1 - tt.less
				}
				wh := units.Power(kw).Over(d.Step).WattHours()
				r := balance.Row{District: d.ID, Site: m.Site, Start: at, Step: d.Step, ImportWh: wh, OtherWh: wh, Coverage: 1}
				w := r
				w.Site = district.DistrictSite
				rs = append(rs, r, w)
			}
			month := timegrid.Month(change, d.Zone)
			rep := NewReporter(cfg, measured{rs}, func() time.Time { return month.End })
			of, err := measured{rs}.Balances(t.Context(), d.ID, m.Site, month)
			if err != nil {
				t.Fatal(err)
			}
			o, ok, err := rep.EnergyAvoided(t.Context(), d, m, month, of)
			if err != nil || ok != (tt.verdict != "") || ok && o.Verdict() != tt.verdict {
				t.Fatalf("%v, %v, %v: %v; want %s", ok, o.Verdict(), o.Reasons(), err, tt.verdict)
			}
			c, err := rep.Comparison(t.Context(), d.ID, m.ID, "2026-02")
			if err != nil || (c != nil) != ok || ok && (c.Verdict != string(tt.verdict) || (c.AvoidedKWh != nil) != (tt.verdict != baseline.Refused) || !strings.Contains(strings.Join(c.FR, " "), tt.french) ||
				!strings.Contains(strings.Join(c.EN, " "), tt.english)) {
				t.Errorf("the portal says %+v, %v", c, err)
			}
			for language, want := range map[string]string{"fr": tt.french, "en": tt.english} {
				doc, err := rep.Report(t.Context(), d.ID, m.ID, "2026-02", "html", language)
				if err != nil {
					t.Fatal(err)
				}
				if !strings.Contains(string(doc), want) {
					t.Errorf("%s: the report does not say %q", language, want)
				}
				if language == "fr" && strings.Contains(string(doc), tt.frenchNot) {
					t.Errorf("the report says %q", tt.frenchNot)
				}
				if ok && !strings.Contains(string(doc), "CV(RMSE)") {
					t.Errorf("%s: the report does not name its model", language)
				}
			}
		})
	}
}
