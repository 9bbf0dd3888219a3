package feed

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
)

// TestYearOfPrices: every quarter-hour of a year's document is taken, those of both change days too.
func TestYearOfPrices(t *testing.T) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	var series []string
	const form = "2006-01-02T15:04Z"
	for d := time.Date(2025, 1, 1, 0, 0, 0, 0, paris); d.Year() == 2025; d = d.AddDate(0, 0, 1) {
		series = append(series, priceSeriesOf("<curveType>A03</curveType>", d.UTC().Format(form), d.AddDate(0, 0, 1).UTC().Format(form), "PT15M", point(1, d.YearDay())))
	}
	b, err := ReadEntsoe(priceDocument(series...), "")
	if err != nil || len(b.Refused) > 0 {
		t.Fatal(err, b.Refused)
	}
	if n := len(b.Series[DayAheadPrice].Values); n != 365*96 {
		t.Errorf("%d quarter-hours, want %d", n, 365*96)
	}
	if v := at(t, b, DayAheadPrice, "2025-12-31T22:45:00Z"); !near(v, .365) {
		t.Errorf("the last price is %g EUR/kWh", v)
	}
}

// TestWrongYear: one wrong year costs its own entry, wherever it stands, and is told with its number.
func TestWrongYear(t *testing.T) {
	for _, wrong := range []string{"1976", "2126"} {
		for row := range 4 {
			years := []string{"2026", "2026", "2026", "2026"}
			years[row] = wrong
			var meteo, carbon []string
			for i, y := range years {
				meteo = append(meteo, fmt.Sprintf(`"%s-06-21T%02d:00"`, y, i))
				carbon = append(carbon, fmt.Sprintf(`{"date_heure":"%s-06-21T%02d:00:00Z","taux_co2":%d}`, y, i, 20+i))
			}
			documents := map[string]func() (Bulletin, error){
				district.OutdoorC: func() (Bulletin, error) {
					return ReadOpenMeteo([]byte(`{"hourly":{"time":[` + strings.Join(meteo, ",") + `],"temperature_2m":[20,21,22,23]}}`))
				},
				district.CarbonIntensity: func() (Bulletin, error) {
					return ReadEco2mix([]byte(`{"results":[`+strings.Join(carbon, ",")+`]}`), time.UTC)
				},
			}
			for quantity, read := range documents {
				b, err := read()
				if err != nil || len(b.Refused) != 1 || !strings.Contains(b.Refused[0].Reason.Error(), wrong) {
					t.Fatalf("%s, year %s in row %d: refused %v, %v", quantity, wrong, row+1, b.Refused, err)
				}
				if quantity == district.OutdoorC && b.Refused[0].Row != row+1 {
					t.Errorf("row %d is refused, want %d", b.Refused[0].Row, row+1)
				}
				for i := range years {
					got, ok := b.Series[quantity].At(time.Date(2026, 6, 21, i, 0, 0, 0, time.UTC))
					if has := ok && got >= 20; has != (i != row) {
						t.Errorf("%s, year %s in row %d: %g at %d:00", quantity, wrong, row+1, got, i)
					}
				}
			}
		}
	}
}

// TestLeadingPrices: where a period begins without a price there is none to hold, and that is said; a period without any point is no silent gap either.
func TestLeadingPrices(t *testing.T) {
	full := priceSeriesOf("<curveType>A03</curveType>", "2026-01-02T23:00Z", "2026-01-03T23:00Z", "PT60M", point(1, 40))
	for want, points := range map[string][]string{"begins with position 3": {point(3, 50)}, "has no point": nil} {
		b, err := ReadEntsoe(priceDocument(priceSeriesOf("<curveType>A03</curveType>", "2026-01-01T23:00Z", "2026-01-02T23:00Z", "PT60M", points...), full), "")
		if err != nil || len(b.Refused) != 1 || b.Refused[0].Row == 0 || !strings.Contains(b.Refused[0].Reason.Error(), want) {
			t.Errorf("%q: refused %v, %v", want, b.Refused, err)
		}
		if v := at(t, b, DayAheadPrice, "2026-01-03T22:00:00Z"); !near(v, .04) {
			t.Errorf("%q: the other period has %g EUR/kWh", want, v)
		}
	}
}
