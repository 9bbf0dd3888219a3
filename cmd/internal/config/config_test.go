package config

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"quartier/schemas/district"
)

var update = flag.Bool("update", false, "write golden files")

const data = "../../../testdata/"

func options() Options {
	kinds := map[string][]district.Kind{"eastron-sdm630": {district.GridMeter, district.LoadMeter}, "sunspec-inverter": {district.PV}, "sunspec-storage": {district.Battery}, "abb-terra-ac": {district.EVCharger}}
	return Options{Profile: func(n string) ([]district.Kind, bool) { k, ok := kinds[n]; return k, ok }, Profiles: []string{"abb-terra-ac", "eastron-sdm630", "sunspec-inverter", "sunspec-storage"}}
}

func files(t *testing.T, patterns ...string) []string {
	t.Helper()
	var out []string
	for _, p := range patterns {
		f, err := filepath.Glob(data + p)
		if err != nil || len(f) == 0 {
			t.Fatalf("no files match %s (%v)", p, err)
		}
		out = append(out, f...)
	}
	return out
}

// TestGoodFiles are accepted, twice with the same result.
func TestGoodFiles(t *testing.T) {
	for _, name := range files(t, "config/good/*.yaml") {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		a, err := Parse(filepath.Base(name), text, options())
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		b, _ := Parse(filepath.Base(name), text, options())
		if !reflect.DeepEqual(a.Districts, b.Districts) {
			t.Errorf("%s: two readings differ", name)
		}
	}
}

// TestBadFiles: every fault is reported at once, with its place, and golden.
func TestBadFiles(t *testing.T) {
	for _, name := range files(t, "config/bad/*.yaml") {
		t.Run(filepath.Base(name), func(t *testing.T) {
			_, err := func() (*Config, error) {
				text, err := os.ReadFile(name)
				if err != nil {
					t.Fatal(err)
				}
				return Parse(filepath.Base(name), text, options())
			}()
			var faults Faults
			if !errors.As(err, &faults) {
				t.Fatalf("error %v, want faults", err)
			}
			golden := strings.TrimSuffix(name, ".yaml") + ".want"
			got := []byte(faults.Error() + "\n")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

// TestTenFaults: the file of ten faults has ten lines, no fault hides another.
func TestTenFaults(t *testing.T) {
	text, err := os.ReadFile(data + "config/bad/ten-faults.yaml")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Parse("ten-faults.yaml", text, options())
	var faults Faults
	if !errors.As(err, &faults) || len(faults) < 10 {
		t.Errorf("%d faults, want at least 10:\n%v", len(faults), err)
	}
	for _, part := range []string{"did you mean", "2026-02-30", "-5 g/kWh", "small letters", "Europe/Dijon", "\"bse\"", "\"twelve\"", "used twice", "discharge_kw: missing kW", "0.9 is not below max_soc 0.2"} {
		if !slices.ContainsFunc(faults, func(f Fault) bool { return strings.Contains(f.Error(), part) && f.Line > 1 }) {
			t.Errorf("no fault says %q:\n%v", part, err)
		}
	}
}

// TestSchema: the schema accepts what the decoder accepts, and refuses structural faults.
func TestSchema(t *testing.T) {
	text, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("district.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("district.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string) error {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		j, err := yaml.YAMLToJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		v, err := jsonschema.UnmarshalJSON(bytes.NewReader(j))
		if err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for _, name := range files(t, "config/good/*.yaml") {
		if err := check(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if check(data+"config/bad/ten-faults.yaml") == nil {
		t.Error("the schema accepts the file of ten faults")
	}
}

// FuzzParse: whatever the bytes, parsing ends with a configuration or with faults that have a place.
func FuzzParse(f *testing.F) {
	for _, p := range []string{"config/good/*.yaml", "config/bad/*.yaml"} {
		names, _ := filepath.Glob(data + p)
		for _, n := range names {
			if text, err := os.ReadFile(n); err == nil {
				f.Add(text)
			}
		}
	}
	f.Add([]byte("a: &x [*x]"))
	f.Fuzz(func(t *testing.T, text []byte) {
		_, err := Parse("f.yaml", text, options())
		if err == nil {
			return
		}
		var faults Faults
		if !errors.As(err, &faults) || len(faults) == 0 {
			t.Fatalf("error %v is no list of faults", err)
		}
		for _, x := range faults {
			if x.Line < 1 || x.Message == "" {
				t.Fatalf("fault without a place or a message: %+v", x)
			}
		}
	})
}
