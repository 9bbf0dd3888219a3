package config

import (
	"bytes"
	"errors"
	"flag"
	"go/parser"
	"go/token"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"quartier/schemas/district"
)

var update = flag.Bool("update", false, "write golden files")

const data = "../../../testdata/"

// options knows some profiles and the kinds that they are for, and reads files beside the good examples.
func options() Options {
	kinds := map[string][]district.Kind{
		"abb-terra-ac": {district.EVCharger}, "alfen-eve": {district.EVCharger}, "eastron-sdm630": {district.GridMeter, district.LoadMeter},
		"generic-gas-meter": {district.GasMeter}, "generic-lighting-cabinet": {district.LoadMeter}, "generic-relay": {district.WaterHeater}, "generic-weather": {district.Weather}, "huawei-luna2000": {district.Battery}, "huawei-sun2000": {district.PV},
		"nibe-s": {district.HeatPump}, "quartier-heat-opcua": {district.HeatMeter}, "quartier-substation-opcua": {district.Substation},
		"stiebel-isg": {district.HeatPump}, "sunspec-inverter": {district.PV}, "sunspec-storage": {district.Battery}, "victron-gx": {district.Battery},
	}
	var names []string
	for n := range kinds {
		names = append(names, n)
	}
	slices.Sort(names)
	return Options{
		Profile:  func(n string) ([]district.Kind, bool) { k, ok := kinds[n]; return k, ok },
		Profiles: names,
		ReadFile: func(path string) ([]byte, error) {
			text, err := os.ReadFile(data + "config/good/" + path)
			if err != nil {
				return nil, errors.New("no file " + path)
			}
			return text, nil
		},
	}
}

func files(t testing.TB, pattern string) []string {
	t.Helper()
	out, err := filepath.Glob(data + pattern)
	if err != nil || len(out) == 0 {
		t.Fatalf("no files match %s (%v)", pattern, err)
	}
	return out
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// golden compares got with a file, or writes the file under -update.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want := read(t, name); !bytes.Equal(got, want) {
		t.Errorf("got\n%s\nwant, of %s,\n%s", got, name, want)
	}
}

// TestGoodFiles are accepted, twice with the same result, and every tariff can price.
func TestGoodFiles(t *testing.T) {
	for _, name := range files(t, "config/good/*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text := read(t, name)
			a, err := Parse(filepath.Base(name), text, options())
			if err != nil {
				t.Fatal(err)
			}
			b, err := Parse(filepath.Base(name), text, options())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(a.Districts, b.Districts) || !reflect.DeepEqual(a.File, b.File) {
				t.Error("two readings differ")
			}
			for _, x := range a.Tariffs {
				if err := x.Validate(); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// TestDemonstrations: the districts that the program carries are accepted.
func TestDemonstrations(t *testing.T) {
	for _, name := range files(t, "districts/*.yaml") {
		if strings.HasSuffix(name, ".sim.yaml") {
			continue
		}
		if _, err := Parse(filepath.Base(name), read(t, name), Options{}); err != nil {
			t.Error(err)
		}
	}
}

// TestBadFiles: every fault is reported at once, with its place; the .want beside each file has the lines.
func TestBadFiles(t *testing.T) {
	for _, name := range files(t, "config/bad/*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			_, err := Parse(filepath.Base(name), read(t, name), options())
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("error %v, want faults", err)
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".want", []byte(faults.Error()+"\n"))
			for _, f := range faults {
				if strings.Contains(f.Message, "hunter2") {
					t.Errorf("a fault shows a secret: %v", f)
				}
			}
		})
	}
}

// TestTenFaults: the file of ten faults has ten lines; no fault hides another or makes a second line.
func TestTenFaults(t *testing.T) {
	_, err := Parse("ten-faults.yaml", read(t, data+"config/bad/ten-faults.yaml"), options())
	var faults Faults
	if !errors.As(err, &faults) || len(faults) != 10 {
		t.Fatalf("%d faults, want 10:\n%v", len(faults), err)
	}
	for i, part := range []string{`did you mean "data_dir"`, `"2026-02-30" is no day`, "-5 gCO2e/kWh", `"One"`, `"Europe/Dijon"`, `did you mean "base"`, `in kW is needed, not "twelve"`,
		`"meter" is the device of line 24 too`, "discharge_kw: missing (kW)", "0.9 is not below max_soc 0.2"} {
		if !strings.Contains(faults[i].Error(), part) {
			t.Errorf("fault %d is %v, want one that says %q", i, faults[i], part)
		}
	}
}

// TestLoad resolves the paths of a file against its folder, reads its series and its secret.
func TestLoad(t *testing.T) {
	c, err := Load(data+"config/good/full.yaml", Options{})
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(data, "config/good/var"); c.File.DataDir != want {
		t.Errorf("data_dir %s, want %s", c.File.DataDir, want)
	}
	if url, err := c.DatabaseURL(); err != nil || url != "postgres://quartier@localhost/quartier" {
		t.Errorf("database %q (%v), want the address of the file", url, err)
	}
	p := c.Tariffs["spot"].Prices
	if len(p.Values) != 5 || math.Abs(p.Values[0]-0.0812) > 1e-12 || math.Abs(p.Values[2]+0.0031) > 1e-12 || p.Values[3] == p.Values[3] {
		t.Errorf("spot prices %v, want five in EUR/kWh, the fourth missing", p.Values)
	}
	if _, err := Load(data+"config/good/none.yaml", Options{}); err == nil || errors.As(err, new(Faults)) {
		t.Errorf("error %v, want one of the file system", err)
	}
}

// TestSecrets: a secret that is not where the file says names the place.
func TestSecrets(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("QUARTIER_CONFIG_TEST", " postgres://x \n")
	for _, tt := range []struct {
		db        Database
		want, err string
	}{
		{Database{}, "", ""},
		{Database{URLEnv: "QUARTIER_CONFIG_TEST"}, "postgres://x", ""},
		{Database{URLEnv: "QUARTIER_CONFIG_TEST_NONE"}, "", "database.url_env: environment variable QUARTIER_CONFIG_TEST_NONE is not set"},
		{Database{URLFile: "none"}, "", "database.url_file: open none"},
		{Database{URLFile: empty}, "", "is empty"},
	} {
		got, err := (&Config{File: File{Database: tt.db}}).DatabaseURL()
		if got != tt.want || (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
			t.Errorf("%+v: %q (%v), want %q (%s)", tt.db, got, err, tt.want, tt.err)
		}
	}
}

// TestDefaults: what is left out has its documented default, also in a section that is left out whole.
func TestDefaults(t *testing.T) {
	c, err := Parse("minimal.yaml", read(t, data+"config/good/minimal.yaml"), options())
	if err != nil {
		t.Fatal(err)
	}
	f := c.File
	if f.Console.Listen != "127.0.0.1:8080" || f.Control.HorizonHours != 36 || !f.Control.Enabled || f.Forecast.SimilarDays != 5 || f.DataDir != "var" {
		t.Errorf("defaults %+v", f)
	}
	site := c.Districts[0].Sites[0]
	if site.Tariff != "base" || !(site.ImportLimitKW > 1e300) || site.Devices[0].Unit != 1 || site.Devices[0].Poll.Seconds() != 5 || site.Devices[0].Name != "meter" {
		t.Errorf("site %+v", site)
	}
}

// TestFees: a site's withdrawal fee is its own, else that of its tariff's newest row, without excise where sharing is exempt.
func TestFees(t *testing.T) {
	c, err := Parse("full.yaml", read(t, data+"config/good/full.yaml"), options())
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Districts[0].Site("ecole").WithdrawalFee; got != 0.0484 {
		t.Errorf("own fee %v, want 0.0484 EUR/kWh", got)
	}
	if got := c.Districts[0].Site("tour").WithdrawalFee; got != 0.0581 {
		t.Errorf("fee of the tariff %v, want its network part 0.0581 EUR/kWh", got)
	}
}

// TestDocumentedExample: the example of the package comment is accepted.
func TestDocumentedExample(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "doc.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(f.Doc.Text(), "# A commented example\n")
	if !ok {
		t.Fatal("no example")
	}
	example := regexp.MustCompile(`(?m)^\t`).ReplaceAllString(text, "")
	if _, err := Parse("doc.go", []byte(example), options()); err != nil {
		t.Error(err)
	}
}

// TestSummary of the full example and of one with the least.
func TestSummary(t *testing.T) {
	for _, name := range []string{"full", "minimal"} {
		c, err := Parse(name, read(t, data+"config/good/"+name+".yaml"), options())
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := c.Summary(&out); err != nil {
			t.Fatal(err)
		}
		golden(t, data+"config/good/"+name+".summary", out.Bytes())
	}
}

// TestAliasesDoNotFillTheMemory: a small file whose aliases stand for a thousand million values is refused quickly.
func TestAliasesDoNotFillTheMemory(t *testing.T) {
	var b strings.Builder
	list := func(indent, key, anchor, item string) {
		b.WriteString(indent + key + ":\n" + indent + "  - &" + anchor + " " + item + "\n")
		for range 1500 {
			b.WriteString(indent + "  - *" + anchor + "\n")
		}
	}
	b.WriteString("districts:\n  - &d\n    id: d\n    sites:\n      - &s\n        id: s\n")
	list("        ", "devices", "v", "{id: v, kind: weather}")
	for range 1500 {
		b.WriteString("      - *s\n")
	}
	for range 1500 {
		b.WriteString("  - *d\n")
	}
	_, err := Parse("bomb.yaml", []byte(b.String()), Options{})
	if err == nil || !strings.Contains(err.Error(), "more than 300000 values") {
		t.Errorf("error %.200v, want one about the number of values", err)
	}
}

// FuzzParse: whatever the bytes, parsing ends with a configuration or with faults that have a place.
func FuzzParse(f *testing.F) {
	for _, p := range []string{"config/good/*.yaml", "config/bad/*.yaml", "districts/small.yaml"} {
		for _, n := range files(f, p) {
			f.Add(read(f, n))
		}
	}
	f.Add([]byte("a: &x [*x]"))
	f.Add([]byte("<<: *a\n? [a]\n: !!x &b |\n  text"))
	f.Fuzz(func(t *testing.T, text []byte) {
		opt := options()
		opt.ReadFile = nil
		c, err := Parse("f.yaml", text, opt)
		if err == nil {
			if err := c.Summary(new(bytes.Buffer)); err != nil {
				t.Fatalf("summary: %v", err)
			}
			return
		}
		var faults Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("error %v is no list of faults", err)
		}
		for _, x := range faults {
			if x.Line < 1 || x.Column < 1 || x.Message == "" {
				t.Fatalf("fault without a place or a message: %+v", x)
			}
		}
	})
}

// FuzzReadSeries: whatever the bytes, reading ends with a series of the step or with an error.
func FuzzReadSeries(f *testing.F) {
	f.Add(read(f, data+"config/good/data/spot.csv"))
	f.Add([]byte("t,price_eur_per_mwh\n2026-01-01T00:00Z,1\n2026-01-01T02:00:00+01:00,2\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		conv := mustConvert("EUR/MWh")
		s, err := ReadSeries("f.csv", text, "price_eur_per_mwh", quarter, conv)
		if err == nil && (len(s.Values) == 0 || s.Step != quarter || len(s.Values) > maxSeries) {
			t.Fatalf("series of %d values, step %v", len(s.Values), s.Step)
		}
	})
}
