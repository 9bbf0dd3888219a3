package problem

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
)

// The document is read by a reader of its own, because a fault must carry its path: encoding/json lets the last of two equal keys win, stops at the
// first wrong type, and cannot read past a NaN.

type nodeKind int

const (
	nullNode nodeKind = iota
	boolNode
	numberNode
	stringNode
	arrayNode
	objectNode
)

func (k nodeKind) String() string {
	return [...]string{"null", "a boolean", "a number", "a string", "a list", "an object"}[k]
}

// node is one JSON value.
type node struct {
	kind    nodeKind
	on      bool
	num     float64   // NaN or infinite when the text is no finite number
	text    string    // of a string, or the literal of a number
	nums    []float64 // of an array of finite numbers, then items is nil
	items   []node
	members []member
}

type member struct {
	key   string
	value node
}

// maxDepth is far deeper than any document; it keeps nonsense from exhausting the stack.
const maxDepth = 64

var errSyntax = errors.New("syntax")

type reader struct {
	data  []byte
	pos   int
	depth int
	c     *checker
}

// read returns the document's value; false when the text is no JSON, which is then a fault.
func (r *reader) read() (node, bool) {
	n, err := r.value(root())
	if err == nil {
		if r.space(); r.pos < len(r.data) {
			err = r.syntax("text after the end of the document")
		}
	}
	return n, err == nil
}

// syntax records where the text is no JSON.
func (r *reader) syntax(format string, args ...any) error {
	line, column := 1, 1
	for _, b := range r.data[:min(r.pos, len(r.data))] {
		if column++; b == '\n' {
			line, column = line+1, 1
		}
	}
	r.c.fault(root(), "line %d, column %d: %s", line, column, fmt.Sprintf(format, args...))
	return errSyntax
}

func (r *reader) space() {
	for r.pos < len(r.data) {
		switch r.data[r.pos] {
		case ' ', '\t', '\n', '\r':
			r.pos++
		default:
			return
		}
	}
}

// peek returns the next byte that is no space, or 0 at the end.
func (r *reader) peek() byte {
	if r.space(); r.pos < len(r.data) {
		return r.data[r.pos]
	}
	return 0
}

func (r *reader) value(at *path) (node, error) {
	switch b := r.peek(); {
	case b == '{' || b == '[':
		if r.depth++; r.depth > maxDepth {
			return node{}, r.syntax("more than %d levels", maxDepth)
		}
		defer func() { r.depth-- }()
		r.pos++
		if b == '{' {
			return r.object(at)
		}
		return r.array(at)
	case b == '"':
		s, err := r.str()
		return node{kind: stringNode, text: s}, err
	case b == 0 && r.pos >= len(r.data):
		return node{}, r.syntax("the document ends too early")
	case b == '-' || b >= '0' && b <= '9' || b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z':
		return r.word(at)
	default:
		return node{}, r.syntax("%q does not start a value", b)
	}
}

// word reads a number, true, false, null, or one of the tokens NaN and Infinity that some programs write for a number.
func (r *reader) word(at *path) (node, error) {
	start := r.pos
	for r.pos < len(r.data) {
		b := r.data[r.pos]
		if b != '-' && b != '+' && b != '.' && (b < '0' || b > '9') && (b < 'a' || b > 'z') && (b < 'A' || b > 'Z') {
			break
		}
		r.pos++
	}
	word := r.data[start:r.pos]
	switch string(word) {
	case "true", "false":
		return node{kind: boolNode, on: word[0] == 't'}, nil
	case "null":
		return node{kind: nullNode}, nil
	case "NaN", "Infinity", "-Infinity", "nan", "inf", "-inf", "-NaN", "Inf", "-Inf":
		r.c.fault(at, "a finite number is needed, not %s", word)
		return node{kind: numberNode, num: math.NaN(), text: string(word)}, nil
	}
	if !isNumber(word) {
		r.pos = start
		return node{}, r.syntax("%q is no JSON value", clip(string(word)))
	}
	v, _ := strconv.ParseFloat(string(word), 64)
	if math.IsInf(v, 0) {
		r.c.fault(at, "a finite number is needed, not %s", clip(string(word)))
		v = math.NaN()
	}
	return node{kind: numberNode, num: v, text: string(word)}, nil
}

// isNumber reports whether b is a number of RFC 8259: -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func isNumber(b []byte) bool {
	i := 0
	digits := func() bool {
		from := i
		for i < len(b) && b[i] >= '0' && b[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(b) && b[i] == '-' {
		i++
	}
	first := i
	if !digits() || b[first] == '0' && i > first+1 {
		return false
	}
	if i < len(b) && b[i] == '.' {
		if i++; !digits() {
			return false
		}
	}
	if i < len(b) && (b[i] == 'e' || b[i] == 'E') {
		if i++; i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		if !digits() {
			return false
		}
	}
	return i == len(b)
}

func (r *reader) str() (string, error) {
	start, plain := r.pos, true
	for r.pos++; r.pos < len(r.data); r.pos++ {
		switch b := r.data[r.pos]; {
		case b == '\\':
			plain = false
			r.pos++
		case b < ' ':
			return "", r.syntax("a control character in a string")
		case b == '"':
			r.pos++
			text := r.data[start:r.pos]
			if !utf8.Valid(text) {
				return "", r.syntax("a string that is no UTF-8 ends here")
			}
			if plain {
				return string(text[1 : len(text)-1]), nil
			}
			var s string
			if json.Unmarshal(text, &s) != nil {
				return "", r.syntax("a string with a bad escape ends here")
			}
			return s, nil
		}
	}
	return "", r.syntax("the document ends within a string")
}

func (r *reader) object(at *path) (node, error) {
	n := node{kind: objectNode}
	if r.peek() == '}' {
		r.pos++
		return n, nil
	}
	for {
		if r.peek() != '"' {
			return n, r.syntax("a field's name in quotes is needed")
		}
		key, err := r.str()
		if err != nil {
			return n, err
		}
		if r.peek() != ':' {
			return n, r.syntax("a colon is needed after the name %s", strconv.Quote(clip(key)))
		}
		r.pos++
		here := at.field(key)
		for i := range n.members {
			if n.members[i].key == key {
				r.c.fault(here, "the field is given twice")
				break
			}
		}
		v, err := r.value(here)
		if err != nil {
			return n, err
		}
		n.members = append(n.members, member{key, v})
		switch r.peek() {
		case ',':
			r.pos++
		case '}':
			r.pos++
			return n, nil
		default:
			return n, r.syntax("a comma or the end of the object is needed")
		}
	}
}

func (r *reader) array(at *path) (node, error) {
	n := node{kind: arrayNode}
	if r.peek() == ']' {
		r.pos++
		return n, nil
	}
	here := at.at(0)
	for i := 0; ; i++ {
		here.index = i
		v, err := r.value(here)
		if err != nil {
			return n, err
		}
		if n.items == nil && v.kind == numberNode && !math.IsNaN(v.num) {
			n.nums = append(n.nums, v.num)
		} else {
			for _, x := range n.nums {
				n.items = append(n.items, node{kind: numberNode, num: x, text: strconv.FormatFloat(x, 'g', -1, 64)})
			}
			n.nums = nil
			n.items = append(n.items, v)
		}
		switch r.peek() {
		case ',':
			r.pos++
		case ']':
			r.pos++
			return n, nil
		default:
			return n, r.syntax("a comma or the end of the list is needed")
		}
	}
}

// clip keeps a quoted text of a message short.
func clip(s string) string {
	if len(s) <= 40 {
		return s
	}
	for i := 40; i > 36; i-- {
		if utf8.RuneStart(s[i]) {
			return s[:i] + "…"
		}
	}
	return s[:40] + "…"
}
