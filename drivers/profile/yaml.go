package profile

import (
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// faults collects every fault of a document with its place.
type faults struct {
	file string
	list []placed
}

type placed struct {
	line, column int
	err          error
}

func (f *faults) add(n ast.Node, format string, args ...any) {
	line, column := place(n)
	f.list = append(f.list, placed{line, column, fmt.Errorf("%s:%d:%d: "+format, append([]any{f.file, line, column}, args...)...)})
}

func place(n ast.Node) (line, column int) {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 1, 1
	}
	p := n.GetToken().Position
	if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 && !m.IsFlowStyle {
		if t := m.Values[0].Key.GetToken(); t != nil && t.Position != nil {
			p = t.Position
		}
	}
	return p.Line, p.Column
}

func (f *faults) err() error {
	sort.SliceStable(f.list, func(i, j int) bool {
		a, b := f.list[i], f.list[j]
		return a.line < b.line || a.line == b.line && a.column < b.column
	})
	var errs []error
	for i, p := range f.list {
		if i == 0 || p.err.Error() != f.list[i-1].err.Error() {
			errs = append(errs, p.err)
		}
	}
	return errors.Join(errs...)
}

// mapping reads the keys of one YAML mapping; done reports the keys nobody asked for.
type mapping struct {
	f      *faults
	node   ast.Node
	what   string
	values map[string]ast.Node
	keys   map[string]ast.Node
	asked  map[string]bool
}

func (f *faults) mapping(n ast.Node, what string) *mapping {
	m := &mapping{f: f, node: n, what: what, values: map[string]ast.Node{}, keys: map[string]ast.Node{}, asked: map[string]bool{}}
	var pairs []*ast.MappingValueNode
	switch v := plain(n).(type) {
	case *ast.MappingNode:
		pairs = v.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{v}
	default:
		f.add(n, "%s: want a mapping", what)
		return m
	}
	for _, p := range pairs {
		key := p.Key.GetToken().Value
		if _, twice := m.values[key]; twice {
			f.add(p.Key, "%s: key %q stands twice", what, key)
			continue
		}
		m.values[key], m.keys[key] = p.Value, p.Key
	}
	return m
}

// plain takes off what wraps a node without changing its value.
func plain(n ast.Node) ast.Node {
	for {
		switch v := n.(type) {
		case *ast.TagNode:
			n = v.Value
		case *ast.AnchorNode:
			n = v.Value
		default:
			return n
		}
	}
}

func (m *mapping) has(key string) bool {
	n, ok := m.values[key]
	if !ok {
		return false
	}
	_, null := n.(*ast.NullNode)
	return !null
}

func (m *mapping) get(key string) (ast.Node, bool) {
	m.asked[key] = true
	return m.values[key], m.has(key)
}

// need reports a missing key.
func (m *mapping) need(key string) {
	if !m.has(key) {
		m.asked[key] = true
		m.f.add(m.node, "%s: %s is missing", m.what, key)
	}
}

// at is the node of a key's value, or of the mapping where the key is absent.
func (m *mapping) at(key string) ast.Node {
	if n, ok := m.values[key]; ok {
		return n
	}
	return m.node
}

func (m *mapping) text(key string) string {
	n, ok := m.get(key)
	if !ok {
		return ""
	}
	s, ok := textOf(n)
	if !ok {
		m.f.add(n, "%s: %s: want a text", m.what, key)
	}
	return s
}

func textOf(n ast.Node) (string, bool) {
	switch v := plain(n).(type) {
	case *ast.StringNode:
		return v.Value, true
	case *ast.LiteralNode:
		return v.Value.Value, true
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func (m *mapping) flag(key string) bool {
	n, ok := m.get(key)
	if !ok {
		return false
	}
	b, ok := plain(n).(*ast.BoolNode)
	if !ok {
		m.f.add(n, "%s: %s: want true or false", m.what, key)
		return false
	}
	return b.Value
}

func (m *mapping) number(key string, otherwise float64) float64 {
	n, ok := m.get(key)
	if !ok {
		return otherwise
	}
	v, ok := numberOf(n)
	if !ok {
		m.f.add(n, "%s: %s: want a number", m.what, key)
		return otherwise
	}
	return v
}

func numberOf(n ast.Node) (float64, bool) {
	switch v := plain(n).(type) {
	case *ast.IntegerNode:
		switch i := v.Value.(type) {
		case int64:
			return float64(i), true
		case uint64:
			return float64(i), true
		}
	case *ast.FloatNode:
		return v.Value, true
	}
	return 0, false
}

// whole reads a whole number in [low, high].
func (m *mapping) whole(key string, low, high, otherwise int64) int64 {
	n, ok := m.get(key)
	if !ok {
		return otherwise
	}
	v, ok := wholeOf(n)
	if !ok {
		m.f.add(n, "%s: %s: want a whole number from %d to %d", m.what, key, low, high)
		return otherwise
	}
	if v < low || v > high {
		m.f.add(n, "%s: %s %s outside [%d, %d]", m.what, key, n.GetToken().Value, low, high)
		return otherwise
	}
	return v
}

func wholeOf(n ast.Node) (int64, bool) {
	if v, ok := plain(n).(*ast.IntegerNode); ok {
		switch i := v.Value.(type) {
		case int64:
			return i, true
		case uint64:
			return int64(min(i, 1<<63-1)), true
		}
	}
	return 0, false
}

// bits reads a raw register pattern.
func bitsOf(n ast.Node) (uint64, bool) {
	if v, ok := plain(n).(*ast.IntegerNode); ok {
		switch i := v.Value.(type) {
		case int64:
			return uint64(i), i >= 0
		case uint64:
			return i, true
		}
	}
	return 0, false
}

func (m *mapping) list(key string) []ast.Node {
	n, ok := m.get(key)
	if !ok {
		return nil
	}
	s, ok := plain(n).(*ast.SequenceNode)
	if !ok {
		m.f.add(n, "%s: %s: want a list", m.what, key)
		return nil
	}
	return s.Values
}

// word reads one of a closed set of words.
func (m *mapping) word(key, otherwise string, allowed ...string) string {
	n, ok := m.get(key)
	if !ok {
		return otherwise
	}
	s, _ := textOf(n)
	for _, a := range allowed {
		if s == a {
			return s
		}
	}
	m.f.add(n, "%s: %s %q, want %s", m.what, key, n.GetToken().Value, strings.Join(allowed, ", "))
	return otherwise
}

func (m *mapping) done() {
	known := make([]string, 0, len(m.asked))
	for k := range m.asked {
		known = append(known, k)
	}
	sort.Strings(known)
	for k, n := range m.keys {
		if !m.asked[k] {
			m.f.add(n, "%s: unknown key %q; known here: %s", m.what, k, strings.Join(known, ", "))
		}
	}
}

func parseKey(text string) (float64, bool) {
	v, err := strconv.ParseFloat(text, 64)
	return v, err == nil
}
