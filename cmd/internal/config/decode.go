package config

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// pos is a place in the file, line and column from 1.
type pos struct{ line, column int }

// Bounds that keep a small file whose aliases stand for very much, or a file of another kind, from filling the memory.
const (
	maxValues = 300_000 // values once aliases are followed; a thousand sites have about a hundred thousand
	maxFaults = 500     // faults that are kept
)

// decoder fills values from a YAML tree and notes every fault and the place of every key.
type decoder struct {
	file    string
	faults  Faults
	places  map[string]pos // of keys and elements, by path
	anchors map[string]ast.Node
	fields  map[reflect.Type][]reflect.StructField
	values  int
	more    int // faults beyond maxFaults
}

func (d *decoder) fault(path string, at pos, format string, args ...any) {
	switch {
	case d.values > maxValues:
		return
	case len(d.faults) >= maxFaults:
		d.more++
		return
	}
	d.faults = append(d.faults, Fault{d.file, max(1, at.line), max(1, at.column), path, fmt.Sprintf(format, args...)})
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

// has reports whether the key at a path was written.
func (d *decoder) has(path string) bool { _, ok := d.places[path]; return ok }

// say notes a fault at the place of a path.
func (d *decoder) say(path, format string, args ...any) { d.fault(path, d.at(path), format, args...) }

func (d *decoder) result() error {
	if len(d.faults) == 0 {
		return nil
	}
	faults := d.faults.sorted()
	if d.more > 0 {
		last := faults[len(faults)-1]
		faults = append(faults, Fault{d.file, last.Line, last.Column, "", fmt.Sprintf("and %d more faults", d.more)})
	}
	return faults
}

// decode reads one YAML document into out, a pointer to a struct.
func (d *decoder) decode(data []byte, out any) {
	d.places, d.anchors, d.fields = map[string]pos{}, map[string]ast.Node{}, map[reflect.Type][]reflect.StructField{}
	file, err := parse(data)
	if err != nil {
		line, column, text := syntax(err)
		d.fault("", pos{line, column}, "not YAML: %s", text)
		return
	}
	var docs []ast.Node
	for _, doc := range file.Docs {
		if doc.Body != nil {
			docs = append(docs, doc.Body)
		}
	}
	if len(docs) != 1 {
		d.fault("", pos{1, 1}, "one YAML document is needed, found %d", len(docs))
		return
	}
	ast.Walk(anchorFinder(d.anchors), docs[0])
	d.structure(d.resolve(docs[0]), reflect.ValueOf(out).Elem(), "")
}

// parse parses YAML. A defect of the parser that panics is an error of the text, whatever the text.
func parse(data []byte) (file *ast.File, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = errors.New("[1:1] the text cannot be read")
		}
	}()
	return parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
}

// anchorFinder notes every anchor of a tree.
type anchorFinder map[string]ast.Node

// Visit implements [ast.Visitor].
func (a anchorFinder) Visit(n ast.Node) ast.Visitor {
	if x, ok := n.(*ast.AnchorNode); ok && x.Name != nil && x.Value != nil {
		a[x.Name.String()] = x.Value
	}
	return a
}

var syntaxPlace = regexp.MustCompile(`^\[(\d+):(\d+)\] (.*)`)

// syntax takes the place out of a parser's message.
func syntax(err error) (line, column int, text string) {
	first, _, _ := strings.Cut(err.Error(), "\n")
	if m := syntaxPlace.FindStringSubmatch(first); m != nil {
		line, _ = strconv.Atoi(m[1])
		column, _ = strconv.Atoi(m[2])
		return line, column, m[3]
	}
	return 1, 1, first
}

func place(n ast.Node) pos {
	if t := n.GetToken(); t != nil && t.Position != nil {
		if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
			return place(m.Values[0].Key) // the token of a block mapping is its first colon
		}
		return pos{t.Position.Line, t.Position.Column}
	}
	return pos{1, 1}
}

// resolve follows anchors, aliases and tags.
func (d *decoder) resolve(n ast.Node) ast.Node {
	for range 16 {
		switch v := n.(type) {
		case *ast.AnchorNode:
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
		if n == nil {
			return ast.Null(nil)
		}
	}
	return n
}

func (d *decoder) value(n ast.Node, v reflect.Value, path string, tag reflect.StructTag) {
	if d.values++; d.values > maxValues {
		if d.values == maxValues+1 {
			d.faults = Faults{{d.file, 1, 1, "", fmt.Sprintf("more than %d values once aliases are followed", maxValues)}}
			d.more = 0
		}
		return
	}
	n = d.resolve(n)
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, path)
	case reflect.Slice:
		d.list(n, v, path, tag)
	case reflect.String:
		switch s := n.(type) {
		case *ast.StringNode:
			v.SetString(s.Value)
		case *ast.LiteralNode:
			v.SetString(s.Value.Value)
		case *ast.IntegerNode, *ast.FloatNode: // a delivery point of digits: as written
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

func (d *decoder) list(n ast.Node, v reflect.Value, path string, tag reflect.StructTag) {
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
		if d.values > maxValues {
			return
		}
		p := fmt.Sprintf("%s[%d]", path, i)
		d.places[p] = place(d.resolve(item))
		d.value(item, v.Index(i), p, "")
	}
}

func (d *decoder) number(n ast.Node, v reflect.Value, path string, tag reflect.StructTag) {
	unit := unitOf(path)
	switch n.(type) {
	case *ast.IntegerNode, *ast.FloatNode:
	default:
		d.fault(path, place(n), "a number%s is needed, not %s", in(unit), describe(n))
		return
	}
	x, err := strconv.ParseFloat(strings.ReplaceAll(n.GetToken().Value, "_", ""), 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
		d.fault(path, place(n), "a number%s is needed, not %s", in(unit), n.GetToken().Value)
		return
	}
	if v.Kind() == reflect.Int {
		if x != math.Trunc(x) || math.Abs(x) > 1<<53 {
			d.fault(path, place(n), "a whole number%s is needed, not %v", in(unit), x)
			return
		}
		v.SetInt(int64(x))
	} else {
		v.SetFloat(x)
	}
	d.checkNumber(x, path, place(n), tag)
}

func in(unit string) string {
	if unit == "" {
		return ""
	}
	return " in" + unit
}

// entry is a key of a mapping with its value.
type entry struct {
	key   string
	at    pos
	value ast.Node
}

// entries returns the keys of a mapping; keys that << merges come last and never replace one.
func (d *decoder) entries(n ast.Node, path string, depth int) ([]entry, bool) {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		return nil, false
	}
	var own, merged []entry
	seen := map[string]pos{}
	for _, pair := range pairs {
		if _, ok := pair.Key.(*ast.MergeKeyNode); ok {
			from := d.resolve(pair.Value)
			inner, ok := []entry(nil), false
			if depth < 8 {
				inner, ok = d.entries(from, path, depth+1)
			}
			if !ok {
				d.fault(path, place(pair.Key), "<< needs an alias of keys, not %s", describe(from))
			}
			merged = append(merged, inner...)
			continue
		}
		e := entry{pair.Key.GetToken().Value, place(pair.Key), pair.Value}
		if first, twice := seen[e.key]; twice {
			d.fault(join(path, e.key), e.at, "given twice, first in line %d", first.line)
			continue
		}
		seen[e.key] = e.at
		own = append(own, e)
	}
	for _, e := range merged {
		if _, ok := seen[e.key]; !ok {
			seen[e.key] = e.at
			own = append(own, e)
		}
	}
	return own, true
}

func (d *decoder) structure(n ast.Node, v reflect.Value, path string) {
	if d.values > maxValues {
		return
	}
	list, ok := d.entries(n, path, 0)
	if !ok {
		d.fault(path, place(n), "keys are needed, not %s", describe(n))
		return
	}
	fields := d.fieldsOf(v.Type())
	given := map[string]bool{}
	for _, e := range list {
		p := join(path, e.key)
		i := slices.IndexFunc(fields, func(f reflect.StructField) bool { return key(f) == e.key })
		if i < 0 {
			d.unknown(e, p, fields)
			continue
		}
		given[e.key] = true
		d.places[p] = e.at
		if _, null := d.resolve(e.value).(*ast.NullNode); null {
			d.fault(p, e.at, "has no value%s", unitWord(e.key))
			continue
		}
		d.value(e.value, v.FieldByIndex(fields[i].Index), p, fields[i].Tag)
	}
	start := place(n)
	if known, ok := d.places[path]; ok {
		start = known
	}
	for _, f := range fields {
		p, name := join(path, key(f)), key(f)
		fits, sibling, known := belongs(f, fields, v)
		switch {
		case given[name] && known && !fits:
			d.say(p, "has no place beside %s", sibling)
		case !given[name] && f.Tag.Get("required") == "true" && (fits || !known && f.Tag.Get("when") == ""):
			d.fault(p, start, "missing%s", unitWord(name))
		case !given[name]:
			setDefault(v.FieldByIndex(f.Index), f)
		}
	}
}

// unknown notes a key that is not known: a secret written inline, or a word that is near a known key.
func (d *decoder) unknown(e entry, path string, fields []reflect.StructField) {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = key(f)
	}
	for _, word := range []string{"url", "password", "passwd", "secret", "token", "api_key", "key"} {
		if e.key != word && !strings.HasSuffix(e.key, "_"+word) || (word == "url" || word == "key") && !slices.Contains(names, e.key+"_file") {
			continue
		}
		ways := "name a file or an environment variable"
		if slices.Contains(names, e.key+"_file") {
			ways = fmt.Sprintf("name its file in %s_file, or its environment variable in %s_env", e.key, e.key)
		}
		d.fault(path, e.at, "a secret is never written here: %s", ways)
		return
	}
	d.fault(path, e.at, "unknown key%s", suggestion(e.key, names))
}

// belongs reports whether a field may stand beside the sibling that its when tag names; known is false when that sibling has no valid value.
func belongs(f reflect.StructField, fields []reflect.StructField, v reflect.Value) (fits bool, sibling string, known bool) {
	name, values, ok := strings.Cut(f.Tag.Get("when"), "=")
	if !ok {
		return true, "", true
	}
	i := slices.IndexFunc(fields, func(s reflect.StructField) bool { return key(s) == name })
	is := v.FieldByIndex(fields[i].Index).String()
	if !slices.Contains(strings.Split(fields[i].Tag.Get("enum"), ","), is) {
		return false, "", false
	}
	return slices.Contains(strings.Split(values, ","), is), name + ": " + is, true
}

// setDefault puts the documented default where a key is left out, also inside sections that are left out whole.
func setDefault(v reflect.Value, f reflect.StructField) {
	if v.Kind() == reflect.Struct {
		for _, inner := range fieldsOf(v.Type()) {
			setDefault(v.FieldByIndex(inner.Index), inner)
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
		v.SetInt(int64(number(def)))
	case reflect.Float64:
		v.SetFloat(number(def))
	}
}

func (d *decoder) checkNumber(x float64, path string, at pos, tag reflect.StructTag) {
	unit := unitOf(path)
	if low, ok := tag.Lookup("min"); ok && x < number(low) {
		d.fault(path, at, "%v%s is below %s%s", x, unit, low, unit)
	}
	if low, ok := tag.Lookup("above"); ok && x <= number(low) {
		d.fault(path, at, "%v%s must be above %s%s", x, unit, low, unit)
	}
	if high, ok := tag.Lookup("max"); ok && x > number(high) {
		d.fault(path, at, "%v%s is above %s%s", x, unit, high, unit)
	}
	if high, ok := tag.Lookup("below"); ok && x >= number(high) {
		d.fault(path, at, "%v%s must be below %s%s", x, unit, high, unit)
	}
	if enum, ok := tag.Lookup("enum"); ok && !slices.Contains(strings.Split(enum, ","), strconv.FormatFloat(x, 'g', -1, 64)) {
		d.fault(path, at, "%v%s is none of %s", x, unit, strings.ReplaceAll(enum, ",", ", "))
	}
}

func (d *decoder) checkText(s, path string, at pos, tag reflect.StructTag) {
	if strings.TrimSpace(s) == "" {
		d.fault(path, at, "must not be empty")
		return
	}
	if enum, ok := tag.Lookup("enum"); ok {
		if words := strings.Split(enum, ","); !slices.Contains(words, s) {
			d.fault(path, at, "%q is none of %s%s", s, strings.Join(words, ", "), suggestion(s, words))
		}
	}
	if f, ok := forms[tag.Get("pattern")]; ok {
		if !f.re.MatchString(s) {
			d.fault(path, at, "%q is not %s", s, f.want)
		} else if f.check != nil {
			if err := f.check(s); err != nil {
				d.fault(path, at, "%s", err)
			}
		}
	}
}

// number reads a number of a tag.
func number(s string) float64 {
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		panic("config: tag is no number: " + s) // a tag of this package
	}
	return x
}

// key returns the key of a field.
func key(f reflect.StructField) string { return f.Tag.Get("yaml") }

// fieldsOf returns the fields of a struct type in their order.
func fieldsOf(t reflect.Type) []reflect.StructField { return reflect.VisibleFields(t) }

// fieldsOf returns the fields of a struct type, and remembers them.
func (d *decoder) fieldsOf(t reflect.Type) []reflect.StructField {
	f, ok := d.fields[t]
	if !ok {
		f = fieldsOf(t)
		d.fields[t] = f
	}
	return f
}

// unitWord returns " (kW)" for a key that ends in _kw, and so on.
func unitWord(name string) string {
	if u := unitOf(name); u != "" {
		return " (" + strings.TrimSpace(u) + ")"
	}
	return ""
}

// short cuts a text that is too long to show.
func short(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
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
		return strconv.Quote(short(v.Value))
	case *ast.AliasNode:
		return "*" + v.Value.String() + ", which has no anchor"
	}
	if t := n.GetToken(); t != nil {
		return strconv.Quote(short(t.Value))
	}
	return "this"
}
