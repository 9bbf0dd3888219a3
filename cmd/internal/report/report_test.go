package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"

	"quartier/schemas/savings/baseline"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

var update = flag.Bool("update", false, "write golden files")

const golden = "../../../testdata/golden/report/"

func paris(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

// sample is a flat of the example of domain figures: 214 kWh, 62 kWh shared, 2.23 EUR; daily figures by a fixed rule, two days not measured.
func sample(t testing.TB) *Data {
	loc := paris(t)
	month := timegrid.Month(time.Date(2026, 1, 15, 0, 0, 0, 0, loc), loc)
	d := &Data{
		Language: "fr", Month: month, Zone: loc, Step: 15 * time.Minute, MadeAt: time.Date(2026, 2, 1, 7, 0, 0, 0, time.UTC),
		Member: Member{ID: "martin", Name: "Famille Martin", Site: "Tour Renoir", DeliveryPoint: "21231000000102", Share: 1, ConsentSince: time.Date(2025, 10, 1, 0, 0, 0, 0, loc)},
		District: District{Name: "Fontaine Nord", ProductionWh: 41_862_000, ConsumptionWh: 118_440_000, ImportWh: 83_127_000, ExportWh: 6_110_000, Coverage: 0.998,
			SavedEUR: 412.37, SavedCarbonKg: 96.4},
		Issuer:   Issuer{Name: "Régie de la Fontaine", Address: "1 place de la Fontaine, 21000 Dijon", Contact: "Maison du projet, 03 80 00 00 00, bonjour@example.org"},
		Coverage: 29.0 / 31,
		Bill: &Bill{Tariff: "Tarif Bleu Base", AvoidedEUR: 8.43, PaidEUR: 6.20, PriceEUR: 0.10, ExciseExempt: true, Key: "dynamic",
			Lines:   []BillLine{{Period: "base", From: month.Start, SharedWh: 62_000, PriceEUR: 0.1940, NetworkEUR: 3.60, AvoidedEUR: 8.43, PaidEUR: 6.20}},
			Sources: []BillSource{{What: "price", Text: "arrêté du 30 janvier 2026"}, {What: "network", Text: "TURPE 7"}, {What: "vat", Rate: 0.2, Text: "CGI art. 278"}, {What: "sharing", Text: "convention du 1er octobre 2025"}}},
		Carbon:     &Carbon{ConsumptionKg: 4.9, AvoidedKg: 1.8, Scope: "direct", Source: "RTE éco2mix"},
		Comparison: &Comparison{verdict: baseline.NotSignificant, interval: baseline.Interval{KWh: 12, LowKWh: -20, HighKWh: 44, Confidence: 0.8}, method: "Modèle E = a × jours + b × DJU, base 18 °C, ajusté sur 2024-10 à 2025-09, version 1."},
		Habits:     &Habits{},
	}
	left, shared := units.WattHours(214_000), units.WattHours(62_000)
	i := 0
	for day := range month.Days(loc) {
		x := Day{Start: day.Start, Coverage: 1}
		switch {
		case i == 11 || i == 12:
			x.Coverage = 0
		case i == 30:
			x.SharedWh, x.GridWh = shared, left-shared
		default:
			x.SharedWh = units.WattHours(1280 + 1300*math.Abs(math.Sin(float64(i)*1.7)))
			x.GridWh = units.WattHours(4170 + 1700*math.Abs(math.Cos(float64(i)*0.9)))
		}
		left, shared = left-x.SharedWh-x.GridWh, shared-x.SharedWh
		d.Days = append(d.Days, x)
		d.SharedWh, d.GridWh = d.SharedWh+x.SharedWh, d.GridWh+x.GridWh
		i++
	}
	d.ConsumptionWh = d.SharedWh + d.GridWh
	for h := range 24 {
		d.Habits.ConsumptionWh[h] = units.WattHours(5000 + 900*(h%7))
		if h >= 10 && h < 16 {
			d.Habits.ConsumptionWh[h] = 5200
			d.Habits.SurplusWh[h] = units.WattHours(400_000 + 90_000*(3-(h-13)*(h-13)%4))
		}
	}
	return d
}

// cases are the reports of the golden files.
func cases(t testing.TB) map[string]*Data {
	full := sample(t)

	house := sample(t)
	house.Language, house.Coverage = "en", 1
	house.Member = Member{ID: "smith", Name: "J. Smith", Site: "12 rue du Lac", DeliveryPoint: "21231000000103", Share: 1, ConsentSince: full.Member.ConsentSince}
	for i := range house.Days {
		x := &house.Days[i]
		x.Coverage, x.OwnWh, x.SharedWh, x.GridWh = 1, units.WattHours(2000+700*(i%4)), 300, units.WattHours(6000+500*(i%5))
		house.OwnWh += x.OwnWh
	}
	house.SharedWh, house.GridWh = 0, 0
	for _, x := range house.Days {
		house.SharedWh, house.GridWh = house.SharedWh+x.SharedWh, house.GridWh+x.GridWh
	}
	house.ConsumptionWh = house.OwnWh + house.SharedWh + house.GridWh
	house.Bill = &Bill{Tariff: "Tarif Bleu HP/HC", AvoidedEUR: 0.90, PaidEUR: 0.93, PriceEUR: 0.10, Key: "static", Lines: []BillLine{{Period: "hp", From: full.Month.Start, SharedWh: 5_000, PriceEUR: 0.2065, NetworkEUR: 0.30, ExciseEUR: 0.1833, AvoidedEUR: 0.5492, PaidEUR: 0.50},
		{Period: "hc", From: full.Month.Start, SharedWh: 4_300, PriceEUR: 0.1579, NetworkEUR: 0.16, ExciseEUR: 0.1682, AvoidedEUR: 0.3508, PaidEUR: 0.43}}}
	house.Comparison = &Comparison{verdict: baseline.UsedLess, interval: baseline.Interval{KWh: 61.4, LowKWh: 18.2, HighKWh: 104.6, Confidence: 0.8}, method: "Model E = a × days + b × HDD, base 18 °C, fitted on 2024-10 to 2025-09, version 1."}
	house.District.Baseline = "The same district without a battery and without control of charging."

	private := sample(t)
	private.Days, private.Habits, private.Comparison, private.Bill = nil, nil, nil, nil
	private.Coverage, private.Member.Share = 1, 0.0156
	private.District.SavedEUR, private.District.SavedCarbonKg = math.NaN(), math.NaN()

	// Tempo's colours, with a price that rose in the month
	tempo := sample(t)
	tempo.Bill.Tariff, tempo.Bill.Lines = "Tarif Bleu Tempo", nil
	for i, x := range []struct {
		period   string
		day      int
		kwh, eur float64
	}{{"blue_hp", 1, 20, 0.1494}, {"blue_hp", 15, 10, 0.1612}, {"blue_hc", 1, 12, 0.1232}, {"white_hp", 7, 8, 0.1730}, {"red_hp", 20, 7, 0.6468}, {"red_hc", 21, 5, 0.1460}} {
		l := BillLine{Period: x.period, From: full.Month.Start.AddDate(0, 0, x.day-1), SharedWh: units.WattHours(1000 * x.kwh), PriceEUR: x.eur, NetworkEUR: 0.05808 * x.kwh, PaidEUR: 0.1 * x.kwh}
		l.AvoidedEUR = l.PriceEUR*x.kwh - l.NetworkEUR
		if tempo.Bill.Lines = append(tempo.Bill.Lines, l); i == 0 {
			tempo.Bill.AvoidedEUR, tempo.Bill.PaidEUR = 0, 0
		}
		tempo.Bill.AvoidedEUR, tempo.Bill.PaidEUR = tempo.Bill.AvoidedEUR+l.AvoidedEUR, tempo.Bill.PaidEUR+l.PaidEUR
	}
	return map[string]*Data{"flat-fr": full, "house-en": house, "month-fr": private, "tempo-fr": tempo}
}

func render(t testing.TB, d *Data) (page, pdf []byte) {
	t.Helper()
	var a, b bytes.Buffer
	if err := RenderHTML(&a, d); err != nil {
		t.Fatal(err)
	}
	if err := RenderPDF(&b, d); err != nil {
		t.Fatal(err)
	}
	return a.Bytes(), b.Bytes()
}

// TestGolden: both renderings of each case, byte for byte, twice the same.
func TestGolden(t *testing.T) {
	for name, d := range cases(t) {
		t.Run(name, func(t *testing.T) {
			page, pdf := render(t, d)
			again, pdfAgain := render(t, d)
			if !bytes.Equal(page, again) || !bytes.Equal(pdf, pdfAgain) {
				t.Error("two renderings of the same data differ")
			}
			for ext, got := range map[string][]byte{".html": page, ".pdf": pdf} {
				if *update {
					if err := os.WriteFile(golden+name+ext, got, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				want, err := os.ReadFile(golden + name + ext)
				if err != nil {
					t.Fatal(err)
				}
				if !bytes.Equal(got, want) {
					t.Errorf("%s%s differs from its golden file; look at it, then run with -update", name, ext)
				}
			}
		})
	}
}

// TestCatalogues: every text exists in both languages with the same number of values to fill in, and the fonts have every letter.
func TestCatalogues(t *testing.T) {
	fr, en := reflect.ValueOf(catalogues["fr"]), reflect.ValueOf(catalogues["en"])
	var fonts []*sfnt.Font
	for _, ttf := range [][]byte{goregular.TTF, gobold.TTF} {
		f, err := sfnt.Parse(ttf)
		if err != nil {
			t.Fatal(err)
		}
		fonts = append(fonts, f)
	}
	letters := "éèêëàâçùûôîïœŒÉÈÀÇ€«»’–—°·×₂" + nbsp + minus
	for i := range fr.NumField() {
		name := fr.Type().Field(i).Name
		f, e := fr.Field(i).String(), en.Field(i).String()
		if f == "" || e == "" {
			t.Errorf("%s: fr %q, en %q", name, f, e)
		}
		if strings.Count(f, "%s") != strings.Count(e, "%s") || strings.Count(f, "%") != strings.Count(f, "%s") || strings.Count(e, "%") != strings.Count(e, "%s") {
			t.Errorf("%s: the values to fill in differ: %q, %q", name, f, e)
		}
		letters += f + e
	}
	var buf sfnt.Buffer
	for _, r := range printable(letters) {
		for k, f := range fonts {
			if g, err := f.GlyphIndex(&buf, r); err != nil || g == 0 {
				t.Errorf("font %d has no %q (%U)", k, r, r)
			}
		}
	}
}

// TestNumbers of both languages.
func TestNumbers(t *testing.T) {
	fr, en := writer{french: true, zone: paris(t)}, writer{zone: paris(t)}
	day := time.Date(2026, 2, 1, 0, 0, 0, 0, fr.zone)
	for _, tt := range []struct{ got, want string }{
		{fr.number(1234.5, 1), "1" + thin + "234,5"}, {en.number(1234.5, 1), "1,234.5"}, {fr.number(-1234567, 0), minus + "1" + thin + "234" + thin + "567"},
		{fr.number(-0.04, 1), "0,0"}, {fr.number(math.NaN(), 1), "–"}, {fr.number(999.96, 1), "1" + thin + "000,0"},
		{fr.kwh(62_000), "62,0" + nbsp + "kWh"}, {fr.kwh(214_400), "214" + nbsp + "kWh"}, {en.kwh(118_440_000), "118.4" + nbsp + "MWh"},
		{fr.eur(2.23), "2,23" + nbsp + "€"}, {en.eur(-2.235), minus + "€2.23"}, {en.eur(2.23), "€2.23"}, {fr.price(0.1), "0,1000" + nbsp + "€/kWh"},
		{fr.percent(0.29), "29" + thin + "%"}, {en.percent(0.29), "29%"}, {fr.signed(44), "+44"}, {fr.signed(-20), minus + "20"}, {fr.signed(0.2), "0"},
		{fr.date(day), "1er" + nbsp + "février 2026"}, {en.date(day), "1" + nbsp + "February 2026"}, {fr.month(day), "février 2026"},
		{floorPercent(fr, 0.998), "99" + thin + "%"}, {floorPercent(fr, 1), "100" + thin + "%"},
	} {
		if tt.got != tt.want {
			t.Errorf("%q, want %q", tt.got, tt.want)
		}
	}
}

// TestHonesty: the word for saving appears only with an estimate whose interval excludes zero and whose model passed; figures of a failed model never appear.
func TestHonesty(t *testing.T) {
	saved := map[string]*regexp.Regexp{"fr": regexp.MustCompile(`économis`), "en": regexp.MustCompile(`\bsaved?\b`)}
	for _, tt := range []struct {
		name           string
		c              *Comparison
		claims, figure bool
	}{
		{"zero inside", &Comparison{verdict: baseline.NotSignificant, interval: baseline.Interval{KWh: 12, LowKWh: -20, HighKWh: 44, Confidence: 0.8}}, false, true},
		{"zero outside", &Comparison{verdict: baseline.UsedLess, interval: baseline.Interval{KWh: 60, LowKWh: 20, HighKWh: 100, Confidence: 0.8}}, true, true},
		{"more used", &Comparison{verdict: baseline.UsedMore, interval: baseline.Interval{KWh: -60, LowKWh: -100, HighKWh: -20, Confidence: 0.8}}, false, true},
		{"perhaps more used", &Comparison{verdict: baseline.NotSignificant, interval: baseline.Interval{KWh: -60, LowKWh: -100, HighKWh: 20, Confidence: 0.8}}, false, true},
		{"model failed", &Comparison{verdict: baseline.Refused, interval: baseline.Interval{KWh: 60, LowKWh: 20, HighKWh: 100, Confidence: 0.8}}, false, false},
		{"no baseline", nil, false, false},
	} {
		for _, language := range []string{"fr", "en"} {
			d := sample(t)
			d.Language, d.Comparison = language, tt.c
			v, err := newView(d)
			if err != nil {
				t.Fatal(err)
			}
			text := strings.Join(v.Estimate, " ")
			if got := saved[language].MatchString(text); got != tt.claims {
				t.Errorf("%s, %s: claims a saving: %v, want %v: %s", tt.name, language, got, tt.claims, text)
			}
			if got := strings.Contains(text, "kWh"); got != tt.figure {
				t.Errorf("%s, %s: gives a figure: %v, want %v: %s", tt.name, language, got, tt.figure, text)
			}
			if strings.HasPrefix(tt.name, "more") && !(strings.Contains(text, "60"+nbsp+"kWh") && strings.Contains(text, "+20") && strings.Contains(text, "+100")) {
				t.Errorf("%s, %s: the interval does not speak of more: %s", tt.name, language, text)
			}
		}
	}
}

// TestSentence says the month in one sentence, whatever the effect on the bill.
func TestSentence(t *testing.T) {
	d := sample(t)
	d.Language = "en"
	for _, tt := range []struct {
		avoided, paid float64
		want          string
	}{
		{8.43, 6.20, "In January 2026 your home used 214 kWh; 62.0 kWh came from your district’s roofs, which lowered your bill by €2.23."},
		{6.20, 6.27, "…, which raised your bill by €0.07."},
		{6.20, 6.20, "In January 2026 your home used 214 kWh; 62.0 kWh came from your district’s roofs."},
	} {
		d.Bill = &Bill{AvoidedEUR: tt.avoided, PaidEUR: tt.paid}
		v, err := newView(d)
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(v.Sentence, nbsp, " ")
		if rest, ok := strings.CutPrefix(tt.want, "…"); ok && !strings.HasSuffix(got, rest) || !ok && got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// TestHint is drawn from the data: missing measurements first, then unused sun, then a high power at night, then nothing to say.
func TestHint(t *testing.T) {
	flat := func(w units.WattHours) (h [24]units.WattHours) {
		for i := range h {
			h[i] = w
		}
		return
	}
	evening := flat(4000)
	for i := 18; i < 23; i++ {
		evening[i] = 20_000
	}
	sunny := flat(3000)
	for i := 11; i < 16; i++ {
		sunny[i] = 20_000
	}
	surplus := [24]units.WattHours{11: 50_000, 12: 90_000, 13: 100_000, 14: 80_000, 15: 20_000}
	for _, tt := range []struct {
		name string
		set  func(d *Data)
		want string
	}{
		{"missing", func(d *Data) { d.Coverage = 0.8 }, "20% of the month’s measurements are missing"},
		{"unused sun", func(d *Data) { d.Habits = &Habits{ConsumptionWh: evening, SurplusWh: surplus} }, "From 12:00 to 15:00 the district had the most unused sun, but only 7%"},
		{"worth of a kWh", func(d *Data) { d.Habits = &Habits{ConsumptionWh: evening, SurplusWh: surplus} }, "worth about €0.04"},
		{"night", func(d *Data) { d.Habits = &Habits{ConsumptionWh: flat(9000)} }, "your home drew 290\u00a0W on average"},
		{"well used", func(d *Data) { d.Habits = &Habits{ConsumptionWh: sunny, SurplusWh: surplus} }, "already follows"},
		{"no consent", func(d *Data) { d.Habits = nil }, ""},
	} {
		d := sample(t)
		d.Language, d.Coverage = "en", 1
		tt.set(d)
		v, err := newView(d)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(v.Hint, tt.want) || tt.want == "" && v.Hint != "" {
			t.Errorf("%s: hint %q, want %q", tt.name, v.Hint, tt.want)
		}
	}
}

// TestPage is well-formed, of the right language, self-contained, and has its chart described and as a table.
func TestPage(t *testing.T) {
	for name, d := range cases(t) {
		page, _ := render(t, d)
		count := map[string]int{}
		dec := xml.NewDecoder(bytes.NewReader(page))
		dec.Strict, dec.AutoClose, dec.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
		for {
			tok, err := dec.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			n, ok := tok.(xml.StartElement)
			if !ok {
				continue
			}
			count[n.Name.Local]++
			for _, a := range n.Attr {
				if a.Name.Local == "src" || a.Name.Local == "href" {
					t.Errorf("%s: <%s %s> asks for something outside the page", name, n.Name.Local, a.Name.Local)
				}
				if n.Name.Local == "html" && a.Name.Local == "lang" && a.Value != d.Language {
					t.Errorf("%s: language %s, want %s", name, a.Value, d.Language)
				}
			}
		}
		if count["h1"] != 1 || count["main"] != 1 || count["svg"] != 1 || count["desc"] != 1 || count["script"] != 0 {
			t.Errorf("%s: elements %v", name, count)
		}
		want := 0
		if len(d.Days) > 0 {
			want += len(d.Days) + 1
		}
		if d.Bill != nil {
			if want += len(d.Bill.Lines) + 1; len(d.Bill.Lines) > 1 {
				want++ // the sum
			}
		}
		if count["tr"] != want {
			t.Errorf("%s: %d rows of tables, want %d", name, count["tr"], want)
		}
		if bytes.Contains(page, []byte("%!")) || bytes.Contains(page, []byte("ZgotmplZ")) {
			t.Errorf("%s: a text was not filled in", name)
		}
	}
}

// TestHostileNames: a name cannot become markup, and no name makes two sheets silently.
func TestHostileNames(t *testing.T) {
	d := sample(t)
	d.Member.Name = `<script>alert("x")</script>`
	page, _ := render(t, d)
	if bytes.Contains(page, []byte("<script")) {
		t.Error("a name became markup")
	}
	d.Issuer.Contact = "https://" + strings.Repeat("adresse.", 60) + "example"
	if err := RenderPDF(new(bytes.Buffer), d); err != nil {
		t.Errorf("an address without a space: %v", err)
	}
	d.Member.Name = strings.Repeat("Un nom très long ", 400)
	if err := RenderPDF(new(bytes.Buffer), d); err == nil || !strings.Contains(err.Error(), "does not fit one sheet") {
		t.Errorf("error %v, want one that says that the text does not fit", err)
	}
}

// TestPDFFacts: one page, the language, the date of the data and no other.
func TestPDFFacts(t *testing.T) {
	for name, d := range cases(t) {
		_, pdf := render(t, d)
		for _, want := range []string{"/Count 1", "/CreationDate (D:20260201070000", "/Lang ("} {
			if !bytes.Contains(pdf, []byte(want)) {
				t.Errorf("%s: no %s", name, want)
			}
		}
		if n := bytes.Count(pdf, []byte("/Type /Page\n")); n != 1 {
			t.Errorf("%s: %d pages, want 1", name, n)
		}
		if len(pdf) > 120_000 {
			t.Errorf("%s: %d bytes, want a file that is sent easily", name, len(pdf))
		}
	}
}

// TestValidate names every fault.
func TestValidate(t *testing.T) {
	d := sample(t)
	d.Language, d.SharedWh, d.Coverage, d.Days[3].GridWh = "de", -5, 1.2, -1
	d.Comparison.interval.LowKWh = 20
	err := RenderHTML(new(bytes.Buffer), d)
	for _, want := range []string{"martin", `"de"`, "-5 Wh", "1.2", "outside its interval [20, 44] kWh", "is not the sum", "energy below zero"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that says %q", err, want)
		}
	}
	d = sample(t)
	d.Month.End = d.Month.End.Add(-time.Hour)
	if err := d.Validate(); err == nil || !strings.Contains(err.Error(), "no civil month") {
		t.Errorf("error %v, want one about the month", err)
	}
}

// TestMonthsOfClockChanges render: 30 days and 31 days, one of 23 and one of 25 hours.
func TestMonthsOfClockChanges(t *testing.T) {
	for _, m := range []time.Month{time.February, time.March, time.October} {
		d := sample(t)
		d.Month = timegrid.Month(time.Date(2026, m, 15, 0, 0, 0, 0, d.Zone), d.Zone)
		d.Days, d.SharedWh, d.GridWh, d.ConsumptionWh = nil, 0, 0, 0
		for day := range d.Month.Days(d.Zone) {
			d.Days = append(d.Days, Day{Start: day.Start, GridWh: units.WattHours(day.Duration().Hours()) * 100, Coverage: 1})
			d.GridWh += d.Days[len(d.Days)-1].GridWh
		}
		d.ConsumptionWh, d.Bill = d.GridWh, nil
		page, _ := render(t, d)
		if !bytes.Contains(page, []byte(fmt.Sprintf(">%d</text>", 25))) {
			t.Errorf("%v: no label of the 25th", m)
		}
	}
}

// go test ./cmd/internal/report -run '^$' -bench . -count 5
func BenchmarkRenderPDF(b *testing.B) {
	d := sample(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := RenderPDF(io.Discard, d); err != nil {
			b.Fatal(err)
		}
	}
}
