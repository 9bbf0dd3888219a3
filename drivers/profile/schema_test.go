package profile

import (
	"bytes"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func compiledSchema(t *testing.T) (*jsonschema.Schema, map[string]any) {
	t.Helper()
	data, err := Schema()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("profile.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("profile.json")
	if err != nil {
		t.Fatal(err)
	}
	return s, doc.(map[string]any)
}

func asJSON(t *testing.T, document []byte) any {
	t.Helper()
	data, err := yaml.YAMLToJSON(document)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestSchemaTakesEveryProfile: what the parser takes, an editor does not mark as wrong.
func TestSchemaTakesEveryProfile(t *testing.T) {
	s, _ := compiledSchema(t)
	for _, name := range Names() {
		data, err := Document(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(asJSON(t, data)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSchemaRefuses: of the faults that the parser tells, those that one value and its siblings show are marked by an editor too.
func TestSchemaRefuses(t *testing.T) {
	s, _ := compiledSchema(t)
	for _, rest := range []string{
		"colour: red\npoints: [{name: x, address: 1, type: u16, unit: W}]\n",
		"points: []\n",
		"points: [{name: x, adress: 1, type: u16, unit: W}]\n",
		"points: [{name: x, address: 65536, type: u16, unit: W}]\n",
		"points: [{name: x, address: 1, type: u24, unit: W}]\n",
		"points: [{name: x, address: 1, type: u16, unit: horse}]\n",
		"points: [{name: x, address: 1, constant: 2, type: u16, unit: W}]\n",
		"points: [{name: X, address: 1, type: u16, unit: W}]\n",
		"points: [{name: x, address: 1, type: u16, unit: W}]\ncontrol: {point: y, quantity: kwh, min: 0, max: 1, safe: 0, writes: [{point: x, from: command}]}\n",
		"points: [{name: x, address: 1, type: u16, unit: W}]\ncontrol: never\n",
	} {
		if err := s.Validate(asJSON(t, []byte(head+rest))); err == nil {
			t.Errorf("the schema takes\n%s", rest)
		}
	}
	if err := s.Validate(asJSON(t, []byte(head+"points: [{name: x, address: 1, type: u16, unit: W}]\n"))); err != nil {
		t.Errorf("the schema refuses a profile without fault: %v", err)
	}
}

// TestSchemaKnowsEveryKey: the schema has exactly the keys that the parser knows, in every part of a profile.
func TestSchemaKnowsEveryKey(t *testing.T) {
	_, doc := compiledSchema(t)
	part := func(path ...string) map[string]any {
		at := doc
		for _, key := range path {
			switch key {
			case "[]":
				at = at["items"].(map[string]any)
			case "|":
				at = at["oneOf"].([]any)[1].(map[string]any)
			default:
				at = at["properties"].(map[string]any)[key].(map[string]any)
			}
		}
		return at["properties"].(map[string]any)
	}
	const point = "name: x, address: 1, type: u16, unit: W"
	opcua := strings.Replace(head, "protocol: modbus", "protocol: opcua\nnamespace: urn:x", 1)
	for _, tt := range []struct {
		documents string // one or several with the same part, parted by a line ---
		keys      map[string]any
		more      []string // that the parser tells only beside others
	}{
		{head + "zzz: 1\npoints: [{" + point + "}]\n", part(), nil},
		{strings.Replace(head, "document: this test", "document: this test, zzz: 1", 1) + "points: [{" + point + "}]\n", part("source"), nil},
		{head + "limits: {zzz: 1}\npoints: [{" + point + "}]\n", part("limits"), nil},
		{head + "limits: {forbidden: [{table: input, from: 1, to: 2, zzz: 1}]}\npoints: [{" + point + "}]\n", part("limits", "forbidden", "[]"), nil},
		{head + "points: [{" + point + ", zzz: 1}]\n---\n" + opcua + "points: [{name: x, node: i=1, unit: W, zzz: 1}]\n---\n" + head + "points: [{name: x, sum: [{point: x}], zzz: 1}]\n---\n" +
			head + "points: [{name: x, sunspec: {models: [103], point: W}, unit: W, zzz: 1}]\n---\n" + head + "points: [{name: x, constant: 1, unit: W, zzz: 1}]\n---\n" +
			head + "points: [{name: x, address: 1, type: string, length: 2, unit: state, states: [{text: A, is: 1}], otherwise: 0, zzz: 1}]\n", part("points", "[]"), []string{"path"}},
		{head + "points: [{" + point + ", access: read_write, write: {zzz: 1}}]\n", part("points", "[]", "write"), nil},
		{head + "points: [{name: x, sunspec: {models: [103], point: W, zzz: 1}, unit: W}]\n", part("points", "[]", "sunspec"), nil},
		{head + "points: [{" + point + ", states: [{code: 1, is: 1, zzz: 1}]}]\n", part("points", "[]", "states", "[]"), nil},
		{head + "points: [{" + point + "}, {name: y, sum: [{point: x, zzz: 1}]}]\n", part("points", "[]", "sum", "[]"), nil},
		{head + "points: [{" + point + "}]\ncontrol: {zzz: 1}\n", part("control", "|"), []string{"pause"}},
		{head + "points: [{" + point + "}]\ncontrol: {writes: [{zzz: 1}]}\n", part("control", "|", "writes", "[]"), []string{"value"}},
		{head + "points: [{" + point + "}]\ncontrol: {read_back: {zzz: 1}}\n", part("control", "|", "read_back"), nil},
	} {
		want := tt.more
		for document := range strings.SplitSeq(tt.documents, "---\n") {
			_, err := Parse("keys.yaml", []byte(document))
			known := regexp.MustCompile(`unknown key "zzz"; known here: (.*)`).FindStringSubmatch(fmt.Sprint(err))
			if known == nil {
				t.Errorf("no unknown key in\n%s\n%v", document, err)
				continue
			}
			want = append(want, strings.Split(known[1], ", ")...)
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(tt.keys)); !slices.Equal(got, slices.Compact(want)) {
			t.Errorf("the schema has %v\nthe parser knows %v", got, want)
		}
	}
}
