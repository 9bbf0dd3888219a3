package config

import (
	"bytes"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"quartier/schemas/units"
)

const quarter = 15 * time.Minute

func mustConvert(unit string) units.Conversion {
	c, err := units.Convert(unit)
	if err != nil {
		panic(err)
	}
	return c
}

func compiled(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("district.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("district.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, text []byte) error {
	t.Helper()
	j, err := yaml.YAMLToJSON(text)
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
	if err != nil {
		return err // .nan is YAML and no JSON
	}
	return s.Validate(v)
}

// TestSchema: the schema accepts the good examples and the demonstrations, and refuses the files with structural faults.
func TestSchema(t *testing.T) {
	s := compiled(t)
	for _, name := range append(files(t, "config/good/*.yaml"), files(t, "districts/*.yaml")...) {
		if strings.HasSuffix(name, ".sim.yaml") {
			continue
		}
		if err := validate(t, s, read(t, name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"keys", "values", "limits", "tariffs", "secrets", "ten-faults"} {
		if validate(t, s, read(t, data+"config/bad/"+name+".yaml")) == nil {
			t.Errorf("%s.yaml: accepted", name)
		}
	}
}

// TestSchemaRules: the parameters of a kind are required beside it and refused beside another.
func TestSchemaRules(t *testing.T) {
	s := compiled(t)
	text := string(read(t, data+"config/good/house.yaml"))
	for name, change := range map[string][2]string{
		"parameters missing":       {", pv: {peak_kw: 6, tilt_deg: 30}", ""},
		"parameters of a battery":  {"kind: battery", "kind: pv"},
		"windows of a base tariff": {"kind: hp_hc", "kind: base"},
		"a wrong word":             {"language: en", "language: it"},
		"a power below zero":       {"charge_kw: 5", "charge_kw: -5"},
		"an unknown key":           {"control: true", "controlled: true"},
	} {
		changed := strings.Replace(text, change[0], change[1], 1)
		if name == "parameters missing" {
			changed = strings.Replace(text, "            pv: {peak_kw: 6, tilt_deg: 30}\n", "", 1)
		}
		if changed == text {
			t.Fatalf("%s: the example has no %q", name, change[0])
		}
		if validate(t, s, []byte(changed)) == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestTypesAreDocumented: every key has a meaning, a known form and sound tags, every number key that names a quantity has its unit, and the full example uses every key.
func TestTypesAreDocumented(t *testing.T) {
	c, err := Parse("full.yaml", read(t, data+"config/good/full.yaml"), options())
	if err != nil {
		t.Fatal(err)
	}
	full := string(read(t, data+"config/good/full.yaml"))
	seen := map[reflect.Type]bool{}
	var walk func(reflect.Type)
	walk = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for _, f := range fieldsOf(typ) {
			at := typ.Name() + "." + f.Name
			if key(f) == "" || len(f.Tag.Get("doc")) < 8 {
				t.Errorf("%s has no key or no meaning", at)
			}
			if p := f.Tag.Get("pattern"); p != "" && forms[p].re == nil {
				t.Errorf("%s has the unknown form %q", at, p)
			}
			if f.Tag.Get("required") == "true" && f.Tag.Get("def") != "" {
				t.Errorf("%s is required and has a default", at)
			}
			if !strings.Contains(full, key(f)+":") && key(f) != "url_env" && key(f) != "password_env" { // each in place of a file
				t.Errorf("%s: the full example does not use %q", at, key(f))
			}
			walk(f.Type)
		}
	}
	walk(reflect.TypeOf(c.File))
}

// TestReadSeries: gaps and empty cells are NaN, and a line that cannot be is named.
func TestReadSeries(t *testing.T) {
	conv := mustConvert("EUR/MWh")
	s, err := ReadSeries("x.csv", []byte("# a comment\ntime_utc,price\n2026-01-01T00:00Z,100\n2026-01-01T00:30:00Z,\n2026-01-01T00:45Z,-50\n"), "price", quarter, conv)
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Values) != 4 || s.Values[0] != 0.1 || s.Values[1] == s.Values[1] || s.Values[2] == s.Values[2] || s.Values[3] != -0.05 {
		t.Errorf("values %v, want [0.1 NaN NaN -0.05] EUR/kWh", s.Values)
	}
	for text, want := range map[string]string{
		"":                                      "no header line",
		"time_utc,price\n":                      "no values",
		"time_utc,cost\n2026-01-01T00:00Z,1\n":  `no column "price"`,
		"time_utc,price\n2026-01-01 00:00,1\n":  "line 2: time",
		"time_utc,price\n2026-01-01T00:07Z,1\n": "line 2: time 2026-01-01T00:07Z is no slot",
		"time_utc,price\n2026-01-01T00:15Z,1\n2026-01-01T00:00Z,1\n":       "line 3: time 2026-01-01T00:00Z does not follow",
		"time_utc,price\n2026-01-01T00:00Z,1\n2026-01-01T00:00Z,2\n":       "line 3: time 2026-01-01T00:00Z does not follow",
		"time_utc,price\n2026-01-01T00:00Z,1\n2190-01-01T00:00Z,2\n":       "line 3: time 2190-01-01T00:00Z lies more than",
		"time_utc,price\n2026-01-01T00:00Z,dear\n":                         `line 2: value "dear" is no number in EUR/MWh`,
		"# note\ntime_utc,price\n2026-01-01T00:00Z,1\n2026-01-01T00:15Z\n": "wrong number of fields",
	} {
		if _, err := ReadSeries("x.csv", []byte(text), "price", quarter, conv); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", text, err, want)
		}
	}
	trace := filepath.Join(data, "traces/invented/spot_15min.csv.gz")
	year, err := ReadSeries(trace, read(t, trace), "price_eur_per_mwh", quarter, conv)
	if err != nil || len(year.Values) != 365*96 {
		t.Errorf("%d values (%v), want a year of quarter-hours", len(year.Values), err)
	}
}
