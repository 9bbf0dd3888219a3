package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Schema returns the JSON Schema (2020-12) of the file for editors, from the same types and tags as the decoder. It holds what one value and its siblings can
// say: keys, types, ranges, words and forms. What concerns several places, such as ids and references, only [Parse] checks.
func Schema() ([]byte, error) {
	s := object(reflect.TypeFor[File]())
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Quartier district.yaml"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("config: encode the schema: %w", err)
	}
	return append(out, '\n'), nil
}

// object returns the schema of a struct.
func object(t reflect.Type) map[string]any {
	props, required := map[string]any{}, []string{}
	var rules []any
	for _, f := range fieldsOf(t) {
		name, must := key(f), f.Tag.Get("required") == "true"
		props[name] = property(f)
		if when, ok := f.Tag.Lookup("when"); ok {
			rules = append(rules, rule(name, when, must))
		} else if must {
			required = append(required, name)
		}
	}
	s := map[string]any{"type": "object", "additionalProperties": false, "properties": props}
	if len(required) > 0 {
		s["required"] = required
	}
	if len(rules) > 0 {
		s["allOf"] = rules
	}
	return s
}

// rule says that a key belongs to some values of a sibling: required there where it must be, and nowhere else.
func rule(name, when string, must bool) map[string]any {
	sibling, values, _ := strings.Cut(when, "=")
	r := map[string]any{
		"if": map[string]any{
			"properties": map[string]any{sibling: map[string]any{"enum": strings.Split(values, ",")}},
			"required":   []string{sibling},
		},
		"else": map[string]any{"not": map[string]any{"required": []string{name}}},
	}
	if must {
		r["then"] = map[string]any{"required": []string{name}}
	}
	return r
}

// property returns the schema of a field.
func property(f reflect.StructField) map[string]any {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	s := map[string]any{}
	switch t.Kind() {
	case reflect.Struct:
		s = object(t)
	case reflect.Slice:
		s = map[string]any{"type": "array", "items": map[string]any{"type": "string", "minLength": 1}}
		if t.Elem().Kind() == reflect.Struct {
			s["items"] = object(t.Elem())
		}
		if f.Tag.Get("required") == "true" {
			s["minItems"] = 1
		}
	case reflect.Bool:
		s["type"] = "boolean"
	case reflect.Int:
		s["type"] = "integer"
	case reflect.Float64:
		s["type"] = "number"
	case reflect.String:
		text(f, s)
	}
	for tag, word := range map[string]string{"min": "minimum", "max": "maximum", "above": "exclusiveMinimum", "below": "exclusiveMaximum"} {
		if v, ok := f.Tag.Lookup(tag); ok {
			s[word] = number(v)
		}
	}
	if enum, ok := f.Tag.Lookup("enum"); ok {
		var values []any
		for _, v := range strings.Split(enum, ",") {
			values = append(values, typed(v, t))
		}
		s["enum"] = values
	}
	if def, ok := f.Tag.Lookup("def"); ok {
		s["default"] = typed(def, t)
	}
	s["description"] = description(f)
	return s
}

// text completes the schema of a text.
func text(f reflect.StructField, s map[string]any) {
	s["type"], s["minLength"] = "string", 1
	switch name := f.Tag.Get("pattern"); name {
	case "":
	case "prm": // digits, which a YAML reader takes for a number when they are not in quotes
		s["type"], s["pattern"] = []string{"string", "integer"}, forms[name].re.String()
	default:
		s["pattern"] = forms[name].re.String()
	}
}

// typed returns the value of a tag as the type of its field.
func typed(v string, t reflect.Type) any {
	switch t.Kind() {
	case reflect.String:
		return v
	case reflect.Bool:
		return v == "true"
	}
	return number(v)
}

// description returns a field's meaning with its unit.
func description(f reflect.StructField) string {
	if u := unitOf(key(f)); u != "" {
		return f.Tag.Get("doc") + " [" + strings.TrimSpace(u) + "]"
	}
	return f.Tag.Get("doc")
}
