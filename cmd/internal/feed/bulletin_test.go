package feed

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"quartier/schemas/district"
	"quartier/schemas/timegrid"
)

func document(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func instant(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at.UTC()
}

func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

// at returns the value of a bulletin's quantity that holds at an instant, NaN where there is none.
func at(t testing.TB, b Bulletin, quantity, when string) float64 {
	t.Helper()
	if v, ok := b.Series[quantity].At(instant(t, when)); ok {
		return v
	}
	return math.NaN()
}

// TestOpenMeteo: times of a local zone become UTC, radiation lies before its instant and temperature around it, and a null is a gap.
func TestOpenMeteo(t *testing.T) {
	b, err := ReadOpenMeteo(document(t, "open-meteo.json"))
	if err != nil || len(b.Refused) > 0 {
		t.Fatal(err, b.Refused)
	}
	temp, sun := b.Series[district.OutdoorC], b.Series[district.IrradianceWm2]
	if want := instant(t, "2022-06-20T22:00:00Z"); !temp.Start.Equal(want) || !sun.Start.Equal(want.Add(-time.Hour)) || temp.Step != time.Hour || len(temp.Values) != 24 {
		t.Errorf("temperature from %v, radiation from %v, %d values each %v", temp.Start, sun.Start, len(temp.Values), temp.Step)
	}
	if !math.IsNaN(temp.Values[5]) || math.IsNaN(temp.Values[4]) || math.IsNaN(temp.Values[6]) {
		t.Errorf("the null of 05:00 is no gap of one hour: %v", temp.Values)
	}
	// 13:00 local is 11:00 UTC: the mean of the hour before
	if v := at(t, b, district.IrradianceWm2, "2022-06-21T10:59:00Z"); !near(v, 850) {
		t.Errorf("%v W/m2 in the hour before 13:00 of Berlin, want 850", v)
	}
	if len(b.Series) != 4 {
		t.Errorf("%d quantities", len(b.Series))
	}
}

// TestOpenMeteoForms: quarter-hours over hours, Unix seconds, Fahrenheit, and what cannot be.
func TestOpenMeteoForms(t *testing.T) {
	for _, c := range []struct {
		name, doc string
		when      string
		want      float64 // temperature, NaN: none
		refused   int
		err       string
	}{
		{"quarter-hours hold where there are some", `{"hourly":{"time":["2026-01-01T00:00","2026-01-01T01:00"],"temperature_2m":[1,1]},"minutely_15":{"time":["2026-01-01T00:00","2026-01-01T00:15"],"temperature_2m":[5,7]}}`, "2026-01-01T00:00:00Z", 6, 0, ""},
		{"hours where there is no quarter-hour", `{"hourly":{"time":["2026-01-01T00:00","2026-01-01T01:00"],"temperature_2m":[1,1]},"minutely_15":{"time":["2026-01-01T00:00","2026-01-01T00:15"],"temperature_2m":[5,null]}}`, "2026-01-01T00:15:00Z", 1, 0, ""},
		{"Unix seconds have no offset", `{"utc_offset_seconds":7200,"hourly_units":{"time":"unixtime"},"hourly":{"time":[1767225600],"temperature_2m":[4]}}`, "2026-01-01T00:00:00Z", 4, 0, ""},
		{"Fahrenheit", `{"hourly_units":{"temperature_2m":"°F"},"hourly":{"time":["2026-01-01T00:00"],"temperature_2m":[50]}}`, "2026-01-01T00:00:00Z", 10, 0, ""},
		{"an absurd value", `{"hourly":{"time":["2026-01-01T00:00","2026-01-01T01:00"],"temperature_2m":[451,3]}}`, "2026-01-01T01:00:00Z", 3, 1, ""},
		{"fewer values than times", `{"hourly":{"time":["2026-01-01T00:00","2026-01-01T01:00"],"temperature_2m":[3]}}`, "2026-01-01T00:00:00Z", 3, 1, ""},
		{"a time twice", `{"hourly":{"time":["2026-01-01T00:00","2026-01-01T00:00"],"temperature_2m":[3,4]}}`, "2026-01-01T00:00:00Z", 3, 1, ""},
		{"a time that is none", `{"hourly":{"time":["2026-01-01T00:00","soon"],"temperature_2m":[3,4]}}`, "2026-01-01T00:00:00Z", 3, 1, ""},
		{"another unit", `{"hourly_units":{"temperature_2m":"K"},"hourly":{"time":["2026-01-01T00:00"],"temperature_2m":[300]}}`, "", 0, 1, "no value"},
		{"what the service says", `{"error":true,"reason":"Parameter 'latitude' is out of range"}`, "", 0, 0, "latitude"},
		{"several places", `[{"hourly":{}}]`, "", 0, 0, "several places"},
		{"no values", `{"hourly":{"time":["2026-01-01T00:00"]}}`, "", 0, 0, "no value"},
		{"no times", `{"hourly":{"temperature_2m":[1]}}`, "", 0, 0, "missing"},
		{"half a document", `{"hourly":{"time":["2026-`, "", 0, 0, "unexpected end"},
		{"offset", `{"utc_offset_seconds":999999,"hourly":{}}`, "", 0, 0, "14 h"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := ReadOpenMeteo([]byte(c.doc))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if v := at(t, b, district.OutdoorC, c.when); !near(v, c.want) {
				t.Errorf("%v °C, want %v", v, c.want)
			}
			if len(b.Refused) != c.refused {
				t.Errorf("refused %v, want %d", b.Refused, c.refused)
			}
		})
	}
}

// TestEntsoeChangeDays: the spring day has 92 quarter-hours, of which the document names the first of each block; the autumn day has 100, and the hours beside them do not hold.
func TestEntsoeChangeDays(t *testing.T) {
	b, err := ReadEntsoe(document(t, "entsoe-spring-15.xml"), "10YFR-RTE------C")
	if err != nil || len(b.Refused) > 0 {
		t.Fatal(err, b.Refused)
	}
	s := b.Series[DayAheadPrice]
	if len(s.Values) != 92 || s.Step != 15*time.Minute || !s.Start.Equal(instant(t, "2026-03-28T23:00:00Z")) || !b.Issued.Equal(instant(t, "2026-03-28T11:57:03Z")) {
		t.Fatalf("%d values each %v from %v, issued %v", len(s.Values), s.Step, s.Start, b.Issued)
	}
	for i, want := range map[int]float64{0: .0415, 3: .0415, 4: .038, 8: -.00325, 15: -.00325, 16: .055, 80: .061, 91: .061} {
		if !near(s.Values[i], want) {
			t.Errorf("position %d: %v EUR/kWh, want %v", i+1, s.Values[i], want)
		}
	}
	if b, err = ReadEntsoe(document(t, "entsoe-autumn-60-15.xml"), ""); err != nil {
		t.Fatal(err)
	}
	if s = b.Series[DayAheadPrice]; len(s.Values) != 100 || s.Step != 15*time.Minute || !near(s.Values[0], .05) || !near(s.Values[3], .05486) {
		t.Errorf("%d values each %v, %v", len(s.Values), s.Step, s.Values[:4])
	}
}

// priceDocument makes a document of series.
func priceDocument(series ...string) []byte {
	return []byte(`<?xml version="1.0" encoding="UTF-8"?><Publication_MarketDocument xmlns="x"><createdDateTime>2026-01-01T12:00:00Z</createdDateTime>` + strings.Join(series, "") + `</Publication_MarketDocument>`)
}

func priceSeriesOf(head, start, end, resolution string, points ...string) string {
	return fmt.Sprintf(`<TimeSeries>%s<Period><timeInterval><start>%s</start><end>%s</end></timeInterval><resolution>%s</resolution>%s</Period></TimeSeries>`, head, start, end, resolution, strings.Join(points, ""))
}

func point(position, amount any) string {
	return fmt.Sprintf("<Point><position>%v</position><price.amount>%v</price.amount></Point>", position, amount)
}

func TestEntsoeForms(t *testing.T) {
	const from, to = "2026-01-01T23:00Z", "2026-01-02T01:00Z"
	gap := math.NaN()
	for _, c := range []struct {
		name    string
		doc     []byte
		want    []float64 // EUR/MWh
		refused int
		err     string
	}{
		{"hours", priceDocument(priceSeriesOf("", from, to, "PT60M", point(1, 10), point(2, -20.5))), []float64{10, -20.5}, 0, ""},
		{"A03 repeats", priceDocument(priceSeriesOf("<curveType>A03</curveType>", from, to, "PT60M", point(1, 10))), []float64{10, 10}, 0, ""},
		{"A01 has gaps", priceDocument(priceSeriesOf("<curveType>A01</curveType>", from, to, "PT30M", point(1, 10), point(4, 1))), []float64{10, gap, gap, 1}, 0, ""},
		{"A03 does not repeat what was refused", priceDocument(priceSeriesOf("<curveType>A03</curveType>", from, to, "PT30M", point(1, 10), point(2, "n/a"), point(4, 1))), []float64{10, gap, gap, 1}, 1, ""},
		{"another auction beside", priceDocument(priceSeriesOf("<contract_MarketAgreement.type>A07</contract_MarketAgreement.type>", from, to, "PT60M", point(1, 99)), priceSeriesOf("", from, to, "PT60M", point(1, 10))), []float64{10, 10}, 0, ""},
		{"sequence 2 beside", priceDocument(priceSeriesOf("<classificationSequence_AttributeInstanceComponent.position>2</classificationSequence_AttributeInstanceComponent.position>", from, to, "PT15M", point(1, 99)), priceSeriesOf("", from, to, "PT60M", point(1, 10))), []float64{10, 10}, 0, ""},
		{"sequence 2 alone", priceDocument(priceSeriesOf("<classificationSequence_AttributeInstanceComponent.position>2</classificationSequence_AttributeInstanceComponent.position>", from, to, "PT15M", point(1, 99))), nil, 0, "other auctions"},
		{"another area", priceDocument(priceSeriesOf("<in_Domain.mRID>10YBE----------2</in_Domain.mRID>", from, to, "PT60M", point(1, 9))), nil, 1, "no price"},
		{"pounds", priceDocument(priceSeriesOf("<currency_Unit.name>GBP</currency_Unit.name>", from, to, "PT60M", point(1, 9))), nil, 1, "no price"},
		{"a position beyond", priceDocument(priceSeriesOf("", from, to, "PT60M", point(1, 9), point(3, 8))), []float64{9, 9}, 1, ""},
		{"a position twice", priceDocument(priceSeriesOf("", from, to, "PT60M", point(1, 9), point(1, 8))), []float64{9, 9}, 1, ""},
		{"not a number", priceDocument(priceSeriesOf("", from, to, "PT60M", point(1, "NaN"), point(2, 8))), []float64{8}, 1, ""},
		{"a day of one price", priceDocument(priceSeriesOf("", from, to, "P1D", point(1, 8))), nil, 1, "no price"},
		{"an odd period", priceDocument(priceSeriesOf("", from, "2026-01-02T00:50Z", "PT15M", point(1, 8))), nil, 1, "no price"},
		{"an endless period", priceDocument(priceSeriesOf("", from, "2199-01-02T00:00Z", "PT15M", point(1, 8))), nil, 1, "no price"},
		{"half a document", priceDocument()[:120], nil, 0, "unexpected EOF"},
		{"a web page", []byte("<html><body>Unauthorized</body></html>"), nil, 0, "html"},
		{"entities", []byte(`<!DOCTYPE x [<!ENTITY a "b">]><Publication_MarketDocument/>`), nil, 0, "document type"},
		{"an acknowledgement", []byte(`<Acknowledgement_MarketDocument><Reason><code>A01</code><text>Delivery interval is not valid</text></Reason></Acknowledgement_MarketDocument>`), nil, 0, "not valid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := ReadEntsoe(c.doc, "10YFR-RTE------C")
			if len(b.Refused) != c.refused {
				t.Errorf("refused %v, want %d", b.Refused, c.refused)
			}
			for _, r := range b.Refused {
				if r.Row < 1 {
					t.Errorf("refused without a line: %v", r)
				}
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			got := b.Series[DayAheadPrice].Values
			if len(got) != len(c.want) {
				t.Fatalf("%v, want %v", got, c.want)
			}
			for i := range got {
				if !near(got[i]*1000, c.want[i]) && !(math.IsNaN(got[i]) && math.IsNaN(c.want[i])) {
					t.Errorf("%v, want %v", got, c.want)
				}
			}
		})
	}
}

// TestNothingPublished: that tomorrow's prices are not there is no fault of anybody.
func TestNothingPublished(t *testing.T) {
	if _, err := ReadEntsoe(document(t, "entsoe-nothing.xml"), ""); !errors.Is(err, ErrNothingPublished) {
		t.Error(err)
	}
}

func TestEco2mix(t *testing.T) {
	b, err := ReadEco2mix(document(t, "eco2mix.json"), time.UTC)
	if err != nil || len(b.Refused) > 0 {
		t.Fatal(err, b.Refused)
	}
	s := b.Series[district.CarbonIntensity]
	if len(s.Values) != 10 || s.Step != 15*time.Minute || s.Values[0] != 70 || s.Values[1] != 72 {
		t.Errorf("%+v", s)
	}
	if _, err := ReadEco2mix([]byte(`{"error_code":"InvalidRESTParameterError","message":"Invalid value"}`), time.UTC); err == nil || !strings.Contains(err.Error(), "Invalid value") {
		t.Error(err)
	}
	b, err = ReadEco2mix([]byte(`{"results":[{"date_heure":"2026-01-01T00:00:00+00:00","taux_co2":40},{"date_heure":"2026-01-01T00:30:00+00:00","taux_co2":-1},{"date_heure":"2026-01-01T01:00:00+00:00","taux_co2":44}]}`), time.UTC)
	if err != nil || len(b.Refused) != 1 || b.Refused[0].Row != 2 {
		t.Error(err, b.Refused)
	}
}

// TestEveryPriceIsFound: a document of any prices, in the long form or with repeated ones left out, gives these prices.
func TestEveryPriceIsFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		prices := rapid.SliceOfN(rapid.IntRange(-50000, 400000), 1, 100).Draw(t, "cents")
		short := rapid.Bool().Draw(t, "short")
		start := time.Date(2026, 3, 28, 23, 0, 0, 0, time.UTC)
		var points []string
		for i, c := range prices {
			if short && i > 0 && c == prices[i-1] {
				continue
			}
			points = append(points, point(i+1, fmt.Sprintf("%.2f", float64(c)/100)))
		}
		end := start.Add(time.Duration(len(prices)) * 15 * time.Minute)
		b, err := ReadEntsoe(priceDocument(priceSeriesOf("<curveType>A03</curveType>", start.Format("2006-01-02T15:04Z"), end.Format("2006-01-02T15:04Z"), "PT15M", points...)), "")
		if err != nil || len(b.Refused) > 0 {
			t.Fatal(err, b.Refused)
		}
		got := b.Series[DayAheadPrice].Values
		if len(got) != len(prices) {
			t.Fatalf("%d prices, want %d", len(got), len(prices))
		}
		for i, c := range prices {
			if math.Abs(got[i]-float64(c)/1e5) > 1e-12 {
				t.Fatalf("price %d is %v, want %v", i, got[i], float64(c)/1e5)
			}
		}
	})
}

// sound fails when a bulletin could not be kept: values that are infinite or too many.
func sound(t *testing.T, b Bulletin, err error) {
	if err != nil {
		return
	}
	for q, s := range b.Series {
		if len(s.Values) > maxSlots || s.Step <= 0 || len(s.Values) > 0 && !timegrid.Floor(s.Start, s.Step).Equal(s.Start) {
			t.Errorf("%s: %d values each %v from %v", q, len(s.Values), s.Step, s.Start)
		}
		for _, v := range s.Values {
			if math.IsInf(v, 0) {
				t.Errorf("%s: %v", q, v)
			}
		}
	}
	for _, r := range b.Refused {
		if r.Row < 1 || r.Reason == nil {
			t.Errorf("refusal %+v", r)
		}
	}
}

func FuzzOpenMeteo(f *testing.F) {
	f.Add(document(f, "open-meteo.json"))
	f.Add([]byte(`{"hourly":{"time":["2026-01-01T00:00","9999-01-01T00:00"],"temperature_2m":[1,1e400]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ReadOpenMeteo(data)
		sound(t, b, err)
	})
}

func FuzzEntsoe(f *testing.F) {
	f.Add(document(f, "entsoe-nothing.xml")) // the others take a minute each to be made smaller
	f.Add(priceDocument(priceSeriesOf("<curveType>A03</curveType>", "2026-01-01T23:00Z", "2026-01-02T01:00Z", "PT30M", point(1, 10), point(3, -1))))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ReadEntsoe(data, "")
		sound(t, b, err)
	})
}

func FuzzEco2mix(f *testing.F) {
	f.Add(document(f, "eco2mix.json"))
	f.Add([]byte("Date\tHeures\tTaux de Co2\n2026-01-01\t00:00\t40\n"))
	zone, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := ReadEco2mix(data, zone)
		sound(t, b, err)
	})
}
