package config

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Fault is one thing that is wrong in a configuration.
type Fault struct {
	File         string
	Line, Column int
	Path         string // "districts[0].sites[2].import_limit_kw"
	Message      string // with the value and its unit
}

// Error returns file:line:column: path: message.
func (f Fault) Error() string {
	at := fmt.Sprintf("%s:%d:%d: ", f.File, f.Line, f.Column)
	if f.Path != "" {
		at += f.Path + ": "
	}
	return at + f.Message
}

// Faults is every fault of a configuration, by position; it is never empty.
type Faults []Fault

// Error returns one line per fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// pos is a place in the file.
type pos struct{ line, column int }

// decoder fills values from a YAML tree and notes every fault and the place of every key.
type decoder struct {
	file    string
	faults  Faults
	places  map[string]pos // of keys and elements, by path
	anchors map[string]ast.Node
}

func (d *decoder) fault(path string, at pos, format string, args ...any) {
	d.faults = append(d.faults, Fault{d.file, at.line, at.column, path, fmt.Sprintf(format, args...)})
}

// at returns the place of a path, or of its nearest parent that was written.
func (d *decoder) at(path string) pos {
	for p := path; ; {
		if v, ok := d.places[p]; ok {
			return v
		}
		i := strings.LastIndexAny(p, ".[")
		if i < 0 {
			return pos{1, 1}
		}
		p = p[:i]
	}
}

// say notes a fault at the place of a path.
func (d *decoder) say(path, format string, args ...any) { d.fault(path, d.at(path), format, args...) }

func (d *decoder) result() error {
	if len(d.faults) == 0 {
		return nil
	}
	sort.SliceStable(d.faults, func(i, j int) bool {
		a, b := d.faults[i], d.faults[j]
		if a.Line != b.Line {
			return a.Line < b.Line
		}
		return a.Column < b.Column
	})
	return d.faults
}

// decode reads one YAML document into out, a pointer to a struct.
func (d *decoder) decode(data []byte, out any) {
	d.places, d.anchors = map[string]pos{}, map[string]ast.Node{}
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		line, column, text := syntax(err)
		d.fault("", pos{line, column}, "%s", text)
		return
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		d.fault("", pos{1, 1}, "one YAML document is needed, found %d", len(file.Docs))
		return
	}
	d.value(file.Docs[0].Body, reflect.ValueOf(out).Elem(), "", "")
}

var syntaxPlace = regexp.MustCompile(`^\[(\d+):(\d+)\] (.*)`)

// syntax takes the place out of a parser's message.
func syntax(err error) (line, column int, text string) {
	first, _, _ := strings.Cut(err.Error(), "\n")
	if m := syntaxPlace.FindStringSubmatch(first); m != nil {
		line, _ = strconv.Atoi(m[1])
		column, _ = strconv.Atoi(m[2])
		return line, column, "not YAML: " + m[3]
	}
	return 1, 1, "not YAML: " + first
}

func place(n ast.Node) pos {
	if t := n.GetToken(); t != nil && t.Position != nil {
		return pos{t.Position.Line, t.Position.Column}
	}
	return pos{1, 1}
}

// resolve follows anchors, aliases and tags.
func (d *decoder) resolve(n ast.Node) ast.Node {
	for range 16 {
		switch v := n.(type) {
		case *ast.AnchorNode:
			d.anchors[v.Name.String()] = v.Value
			n = v.Value
		case *ast.AliasNode:
			to, ok := d.anchors[v.Value.String()]
			if !ok {
				return n
			}
			n = to
		case *ast.TagNode:
			n = v.Value
		default:
			return n
		}
	}
	return n
}

func (d *decoder) value(n ast.Node, v reflect.Value, path string, tag reflect.StructTag) {
	n = d.resolve(n)
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			d.fault(path, place(n), "a list is needed, not %s", describe(n))
			return
		}
		if len(seq.Values) == 0 && tag.Get("required") == "true" {
			d.fault(path, place(n), "at least one is needed")
		}
		v.Set(reflect.MakeSlice(v.Type(), len(seq.Values), len(seq.Values)))
		for i, item := range seq.Values {
			p := fmt.Sprintf("%s[%d]", path, i)
			d.places[p] = place(d.resolve(item))
			d.value(item, v.Index(i), p, "")
		}
	case reflect.String:
		switch s := n.(type) {
		case *ast.StringNode:
			v.SetString(s.Value)
		case *ast.LiteralNode:
			v.SetString(s.Value.Value)
		case *ast.IntegerNode, *ast.FloatNode: // a delivery point of digits, a clock time: as written
			v.SetString(n.GetToken().Value)
		default:
			d.fault(path, place(n), "a text is needed, not %s", describe(n))
			return
		}
		d.checkText(v.String(), path, place(n), tag)
	case reflect.Bool:
		b, ok := n.(*ast.BoolNode)
		if !ok {
			d.fault(path, place(n), "true or false is needed, not %s", describe(n))
			return
		}
		v.SetBool(b.Value)
	case reflect.Int, reflect.Float64:
		d.number(n, v, path, tag)
	}
}

func (d *decoder) number(n ast.Node, v reflect.Value, path string, tag reflect.StructTag) {
	var x float64
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
		f, err := strconv.ParseFloat(strings.ReplaceAll(n.GetToken().Value, "_", ""), 64)
		if err != nil {
			d.fault(path, place(n), "a number is needed, not %s", n.GetToken().Value)
			return
		}
		x = f
	default:
		d.fault(path, place(n), "a number is needed, not %s", describe(n))
		return
	}
	if v.Kind() == reflect.Int {
		if x != float64(int(x)) {
			d.fault(path, place(n), "a whole number is needed, not %v", x)
			return
		}
		v.SetInt(int64(x))
	} else {
		v.SetFloat(x)
	}
	d.checkNumber(x, path, place(n), tag)
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string) {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		d.fault(path, place(n), "keys are needed, not %s", describe(n))
		return
	}
	fields := fieldsOf(v.Type())
	seen := map[string]pos{}
	for _, pair := range pairs {
		key := pair.Key.GetToken().Value
		at := place(pair.Key)
		p := join(path, key)
		f, ok := fields[key]
		if !ok {
			d.fault(p, at, "unknown key%s", suggestion(key, fields))
			continue
		}
		if first, twice := seen[key]; twice {
			d.fault(p, at, "given twice, first in line %d", first.line)
			continue
		}
		seen[key] = at
		d.places[p] = at
		if _, null := d.resolve(pair.Value).(*ast.NullNode); null {
			d.fault(p, at, "has no value")
			continue
		}
		d.value(pair.Value, v.Field(f.Index[0]), p, f.Tag)
	}
	for _, f := range ordered(v.Type()) {
		key := f.Tag.Get("yaml")
		if _, ok := seen[key]; ok {
			continue
		}
		if f.Tag.Get("required") == "true" {
			at := place(n)
			if known, ok := d.places[path]; ok {
				at = known
			}
			d.fault(join(path, key), at, "missing%s", unitOf(key))
			continue
		}
		setDefault(v.Field(f.Index[0]), f)
	}
}

// setDefault puts the documented default where a key is left out, also inside sections that are left out whole.
func setDefault(v reflect.Value, f reflect.StructField) {
	if v.Kind() == reflect.Struct {
		for _, inner := range ordered(v.Type()) {
			setDefault(v.Field(inner.Index[0]), inner)
		}
		return
	}
	def, ok := f.Tag.Lookup("def")
	if !ok {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(def)
	case reflect.Bool:
		v.SetBool(def == "true")
	case reflect.Int:
		i, _ := strconv.Atoi(def)
		v.SetInt(int64(i))
	case reflect.Float64:
		x, _ := strconv.ParseFloat(def, 64)
		v.SetFloat(x)
	}
}

func (d *decoder) checkNumber(x float64, path string, at pos, tag reflect.StructTag) {
	unit := unitOf(path)
	if low, ok := tag.Lookup("min"); ok && x < parse(low) {
		d.fault(path, at, "%v%s is below %s", x, unit, low)
	}
	if low, ok := tag.Lookup("above"); ok && x <= parse(low) {
		d.fault(path, at, "%v%s must be above %s", x, unit, low)
	}
	if high, ok := tag.Lookup("max"); ok && x > parse(high) {
		d.fault(path, at, "%v%s is above %s", x, unit, high)
	}
	if enum, ok := tag.Lookup("enum"); ok && !slices.Contains(strings.Split(enum, ","), strconv.FormatFloat(x, 'g', -1, 64)) {
		d.fault(path, at, "%v%s is none of %s", x, unit, enum)
	}
}

// patterns are the forms of texts, by the name in a pattern tag, with what is said of one that does not fit.
var patterns = map[string]struct {
	re   *regexp.Regexp
	want string
}{
	"id":      {regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`), "small letters, digits and hyphens"},
	"date":    {regexp.MustCompile(`^\d{4}-\d{2}-\d{2}$`), "a day such as 2026-01-31"},
	"clock":   {regexp.MustCompile(`^([01]\d|2[0-3]):[0-5]\d$`), "a time such as 07:30"},
	"prm":     {regexp.MustCompile(`^\d{14}$`), "14 digits"},
	"address": {regexp.MustCompile(`^(tcp|opc\.tcp)://[^\s/:]+:\d{1,5}(/[^\s]*)?$`), "tcp://host:port or opc.tcp://host:port"},
}

func (d *decoder) checkText(s, path string, at pos, tag reflect.StructTag) {
	if s == "" && tag.Get("required") == "true" {
		d.fault(path, at, "must not be empty")
		return
	}
	if enum, ok := tag.Lookup("enum"); ok && !slices.Contains(strings.Split(enum, ","), s) {
		d.fault(path, at, "%q is none of %s", s, strings.ReplaceAll(enum, ",", ", "))
	}
	if name := tag.Get("pattern"); name != "" && s != "" && !patterns[name].re.MatchString(s) {
		d.fault(path, at, "%q is not %s", s, patterns[name].want)
	}
}

func parse(s string) float64 { x, _ := strconv.ParseFloat(s, 64); return x }

// fieldsOf returns the fields of a struct type by key.
func fieldsOf(t reflect.Type) map[string]reflect.StructField {
	m := map[string]reflect.StructField{}
	for _, f := range ordered(t) {
		m[f.Tag.Get("yaml")] = f
	}
	return m
}

// ordered returns the fields of a struct type in their order.
func ordered(t reflect.Type) []reflect.StructField {
	var out []reflect.StructField
	for i := range t.NumField() {
		out = append(out, t.Field(i))
	}
	return out
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// units are the endings of keys and what they stand for, longest first.
var units = [][2]string{
	{"_eur_per_kwh", "EUR/kWh"}, {"_eur_per_tonne", "EUR/t"}, {"_kwh_per_k", "kWh/K"}, {"_k_per_kw", "K/kW"}, {"_g_per_kwh", "g/kWh"}, {"g_per_kwh", "g/kWh"},
	{"_kwh", "kWh"}, {"_kw", "kW"}, {"_minutes", "min"}, {"_seconds", "s"}, {"_hours", "h"}, {"_deg", "°"}, {"_c", "°C"}, {"_l", "l"},
}

// unitOf returns " kW" for a key that ends in _kw, and so on.
func unitOf(path string) string {
	for _, u := range units {
		if strings.HasSuffix(path, u[0]) {
			return " " + u[1]
		}
	}
	return ""
}

func describe(n ast.Node) string {
	switch v := n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys"
	case *ast.SequenceNode:
		return "a list"
	case *ast.NullNode:
		return "nothing"
	case *ast.BoolNode:
		return fmt.Sprint(v.Value)
	case *ast.StringNode:
		return strconv.Quote(v.Value)
	}
	if t := n.GetToken(); t != nil {
		return strconv.Quote(t.Value)
	}
	return "this"
}

// suggestion names the known key that was probably meant.
func suggestion(key string, fields map[string]reflect.StructField) string {
	best, least := "", 4
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if dist := distance(key, name); dist < least && dist*2 < len(name) {
			best, least = name, dist
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(", did you mean %q?", best)
}

// distance is the Levenshtein distance of two words.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		prev := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := prev
			if a[i] != b[j] {
				cost++
			}
			prev = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
