package problem

import (
	"strconv"
	"strings"
)

// Fault is one reason to refuse a document: where, as a JSON path such as sites[3].devices[1].initial_kwh, and why.
type Fault struct{ Path, Reason string }

// Error returns "path: reason" on one line.
func (f Fault) Error() string { return f.Path + ": " + f.Reason }

// Faults is every reason to refuse a document, in the order of the document as far as the text itself is at fault, then of the checks.
type Faults []Fault

// Error returns one line per fault.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults as errors of type [Fault].
func (fs Faults) Unwrap() []error {
	out := make([]error, len(fs))
	for i, f := range fs {
		out[i] = f
	}
	return out
}

// path is a place in a document, built while walking it and written out only when there is a fault to report.
type path struct {
	up    *path
	name  string // of a field, or
	index int    // of an element when name is empty
}

func (p *path) field(name string) *path { return &path{up: p, name: name} }

func (p *path) at(i int) *path { return &path{up: p, index: i} }

// String writes the path as "a.b[2].c"; a name that is no plain word is quoted, so that a path never breaks its line.
func (p *path) String() string {
	var b strings.Builder
	p.write(&b)
	if b.Len() == 0 {
		return "document"
	}
	return b.String()
}

func (p *path) write(b *strings.Builder) {
	if p == nil || p.up == nil {
		return
	}
	p.up.write(b)
	if p.name == "" {
		b.WriteByte('[')
		b.WriteString(strconv.Itoa(p.index))
		b.WriteByte(']')
		return
	}
	if b.Len() > 0 {
		b.WriteByte('.')
	}
	if plain(p.name) {
		b.WriteString(p.name)
	} else {
		b.WriteString(strconv.Quote(p.name))
	}
}

func plain(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

// root is the path of the whole document.
func root() *path { return &path{name: "document"} }
