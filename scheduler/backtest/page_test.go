package backtest

import (
	"bytes"
	"encoding/xml"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"quartier/optimizer/storage"
)

var update = flag.Bool("update", false, "write golden files")

// drawn is a result of two days of one home, with figures that are plain to see.
func drawn() *Result {
	c := &Case{Name: "deux-jours", Start: time.Date(2026, 1, 31, 0, 0, 0, 0, time.UTC), Step: 6 * time.Hour, ImportPrice: []float64{0.15, 0.15, 0.25, 0.25, 0.15, 0.15, 0.25, 0.25}, Carbon: make([]float64, 8),
		Sites: []Site{{ID: "a", LoadKW: make([]float64, 8), SunKW: make([]float64, 8), Store: &storage.Store{CapacityKWh: 6.4, ChargeKW: 5, DischargeKW: 5, ChargeEfficiency: 0.95, DischargeEfficiency: 0.95}}},
		Notes: []string{"there is no carbon intensity: 0 is taken", "load_kw: 3 of 72 values are missing and taken from the day before", "a battery that the simulator sizes is left out: B_1, B_2, B_3 and 2 more"}}
	set := Settings{ExportPrice: 0.05, Wear: 0.005, Steps: 8, Horizon: 36 * time.Hour, Replan: time.Hour}
	r := &Result{Runs: map[string]*Run{}, c: c, set: set}
	for i, n := range Names {
		x := &Run{Cost: 4 - float64(i)/2, CarbonKg: 12.5, PeakKW: 3.25, RampingKW: 0.5, LoadFactor: 0.75, SelfConsumption: 0.5, SelfSufficiency: 0.25, BatteryCycles: float64(i), ImportKWh: 40, ExportKWh: 2,
			Monthly: []Month{{Month: "2026-01", Cost: 2 - float64(i)/4}, {Month: "2026-02", Cost: 2 - float64(i)/4}}}
		for t := range 8 {
			x.net, x.stored = append(x.net, float64((t+i)%4)-1), append(x.stored, float64((t*i)%5))
		}
		r.Runs[n] = x
	}
	captured := r.share("quartier")
	r.Captured, r.Settings = &captured, r.describe()
	return r
}

// TestPage: the page in both languages is that of the golden files, which people have looked at; a language that there is not is an error.
func TestPage(t *testing.T) {
	for _, language := range Languages() {
		var page bytes.Buffer
		if err := drawn().WritePage(&page, language); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", "page."+language+".html")
		if *update {
			if err := os.WriteFile(golden, page.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(page.Bytes(), want) {
			t.Errorf("the page is not that of %s (-update writes it):\n%s", golden, page.String())
		}
	}
	if err := drawn().WritePage(io.Discard, "de"); err == nil {
		t.Error("a page in a language that there is not")
	}
}

// TestForeseenCarbonIsNoted: where carbon intensity changes and has a price, table, page and settings say in both languages that a live district foresees it otherwise; elsewhere nothing does.
func TestForeseenCarbonIsNoted(t *testing.T) {
	for _, tt := range []struct {
		price  float64
		carbon []float64
		noted  bool
	}{
		{0.1, []float64{0.3, 0.3, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3}, true},
		{0.1, []float64{0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3, 0.3}, false},
		{0, []float64{0.3, 0.3, 0.2, 0.3, 0.3, 0.3, 0.3, 0.3}, false},
	} {
		r := drawn()
		r.set.CarbonPrice, r.c.Carbon = tt.price, tt.carbon
		r.Settings = r.describe()
		if notes := r.Settings["notes"].([]string); slices.Contains(notes, carbonNote) != tt.noted {
			t.Errorf("the notes at %g a kg of %v are %q", tt.price, tt.carbon, notes)
		}
		for language, want := range map[string]string{"en": "note: the carbon intensity, where it is not published, is foreseen", "fr": "remarque : l’intensité carbone, là où elle n’est pas publiée, est prévue"} {
			var page bytes.Buffer
			if err := r.WritePage(&page, language); err != nil || strings.Contains(page.String(), want) != tt.noted {
				t.Errorf("at %g a kg of %v the page in %s, %v, is to say so: %v\n%s", tt.price, tt.carbon, language, err, tt.noted, page.String())
			}
		}
	}
}

// TestFrenchSaysEverything: every note that a data set may need has a French template with as many places, and every text of the page, of the figures and of the plots is translated.
func TestFrenchSaysEverything(t *testing.T) {
	fr := languages["fr"]
	known := map[string]bool{}
	for _, p := range notesFrench {
		known[p.english] = true
		if len(verb.FindAllString(strings.ReplaceAll(p.english, "%%", ""), -1)) != strings.Count(p.french, "%s") {
			t.Errorf("%q and %q have not the same places", p.english, p.french)
		}
	}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := call.Fun.(*ast.SelectorExpr)
			at := map[string]int{"note": 0, "noteOf": 1}
			i, is := 0, false
			if ok {
				i, is = at[sel.Sel.Name]
			}
			if !is || i >= len(call.Args) {
				return true
			}
			arg := call.Args[i]
			text := ""
			if sum, ok := arg.(*ast.BinaryExpr); ok { // a column's name before it
				arg, text = sum.Y, "%s"
			}
			lit, ok := arg.(*ast.BasicLit)
			if !ok {
				return true
			}
			s, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			if text += s; sel.Sel.Name == "noteOf" {
				text += ": %s"
			}
			if found++; text != "%s: %s" && !known[text] {
				t.Errorf("the note %q has no French", text)
			}
			return true
		})
	}
	if found < 20 {
		t.Errorf("%d notes found in the source", found)
	}
	for note, want := range map[string]string{
		"heat pumps without efficiency are taken to have 0.35 of Carnot's":                                                        "les pompes à chaleur sans rendement sont supposées avoir 0,35 de celui de Carnot",
		"the import tariff is published up to 24 h ahead and heard as it is published; on average it is off by 1.5 % of its mean": "le tarif de soutirage : publication jusqu’à 24 h à l’avance, entendue telle quelle ; en moyenne elle s’écarte de 1,5 % de sa moyenne",
		"true data in rolling windows of 10 days, of which 7 are carried out":                                                     "données vraies par fenêtres glissantes de 10 jours, dont 7 sont exécutés",
		"sessions.csv: 4 sessions want 3.5 kWh more than max_kw gives in whole slots of their stay: that is left out":             "sessions.csv : 4 sessions veulent 3,5 kWh de plus que max_kw ne donne dans les pas entiers de leur séjour : cela est laissé de côté",
		"something of later": "something of later",
	} {
		if got := fr.note(note); got != want {
			t.Errorf("%q is %q in French, want %q", note, got, want)
		}
	}
	frenchPage(t, drawn())
}

// frenchPage checks that a page in French is well-formed and leaves nothing of the English words of figures, settings and plots.
func frenchPage(t *testing.T, r *Result) {
	t.Helper()
	var page bytes.Buffer
	if err := r.WritePage(&page, "fr"); err != nil {
		t.Fatal(err)
	}
	for k := range r.Settings {
		if _, ok := french[k]; !ok && k != "notes" {
			t.Errorf("the setting %q has no French name", k)
		}
	}
	text := page.String()
	for english := range french {
		if len(english) > 12 && strings.Contains(text, english) && french[english] != english {
			t.Errorf("the French page says %q", english)
		}
	}
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	for {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the page: %v", err)
		}
	}
}
