package config

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Schema returns the JSON Schema (2020-12) of the file for editors, from the same types and tags as the decoder.
func Schema() ([]byte, error) {
	s := object(reflect.TypeOf(File{}))
	s["$schema"] = "https://json-schema.org/draft/2020-12/schema"
	s["title"] = "Quartier district.yaml"
	out, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("config: encode the schema: %w", err)
	}
	return append(out, '\n'), nil
}

func object(t reflect.Type) map[string]any {
	props, required := map[string]any{}, []string{}
	for _, f := range ordered(t) {
		key := f.Tag.Get("yaml")
		props[key] = property(f)
		if f.Tag.Get("required") == "true" {
			required = append(required, key)
		}
	}
	s := map[string]any{"type": "object", "additionalProperties": false, "properties": props}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

func property(f reflect.StructField) map[string]any {
	t := f.Type
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	var s map[string]any
	switch t.Kind() {
	case reflect.Struct:
		s = object(t)
	case reflect.Slice:
		s = map[string]any{"type": "array", "items": object(t.Elem())}
		if f.Tag.Get("required") == "true" {
			s["minItems"] = 1
		}
	case reflect.Bool:
		s = map[string]any{"type": "boolean"}
	case reflect.Int:
		s = map[string]any{"type": "integer"}
	case reflect.Float64:
		s = map[string]any{"type": "number"}
	case reflect.String:
		s = map[string]any{"type": "string"}
		if f.Tag.Get("pattern") == "prm" { // digits that a YAML reader may take for a number
			s = map[string]any{"type": []string{"string", "integer"}}
		}
		if name := f.Tag.Get("pattern"); name != "" {
			s["pattern"] = patterns[name].re.String()
		}
		if f.Tag.Get("required") == "true" {
			s["minLength"] = 1
		}
	}
	for tag, key := range map[string]string{"min": "minimum", "max": "maximum", "above": "exclusiveMinimum"} {
		if v, ok := f.Tag.Lookup(tag); ok {
			s[key] = parse(v)
		}
	}
	if enum, ok := f.Tag.Lookup("enum"); ok {
		var values []any
		for _, v := range strings.Split(enum, ",") {
			if t.Kind() == reflect.Int {
				i, _ := strconv.Atoi(v)
				values = append(values, i)
				continue
			}
			values = append(values, v)
		}
		s["enum"] = values
	}
	if def, ok := f.Tag.Lookup("def"); ok {
		switch t.Kind() {
		case reflect.Bool:
			s["default"] = def == "true"
		case reflect.String:
			s["default"] = def
		default:
			s["default"] = parse(def)
		}
	}
	if doc := f.Tag.Get("doc"); doc != "" {
		s["description"] = doc
	}
	return s
}
