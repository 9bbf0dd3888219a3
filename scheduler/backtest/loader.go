package backtest

import (
	"encoding/csv"
	"fmt"
	"io/fs"
	"math"
	"sort"
	"strconv"
	"strings"
)

// loader reads the files of a case and gathers what is wrong with them.
type loader struct {
	dir    fs.FS
	c      *Case
	tables map[string]*table
	notes  map[string]bool
	shared map[string][]string // ids by note
	errs   []error
}

// mostFaults bounds how many faults are told.
const mostFaults = 20

func (l *loader) fault(format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf(format, args...))
}

func (l *loader) note(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if l.notes == nil {
		l.notes = map[string]bool{}
	}
	if !l.notes[text] {
		l.notes[text] = true
		l.c.Notes = append(l.c.Notes, text)
	}
}

// noteOf is a note that several buildings share: what they have in common comes once, with how many they are and the first of their names.
func (l *loader) noteOf(id, text string) {
	if l.shared == nil {
		l.shared = map[string][]string{}
	}
	l.shared[text] = append(l.shared[text], id)
}

// noteShared makes notes of those that buildings share.
func (l *loader) noteShared() {
	for text, ids := range l.shared {
		const named = 3
		names := strings.Join(ids[:min(named, len(ids))], ", ")
		if more := len(ids) - named; more > 0 {
			names = fmt.Sprintf("%s and %d more", names, more)
		}
		l.note("%s: %s", text, names)
	}
	sort.Strings(l.c.Notes)
}

// table is a CSV file.
type table struct {
	name   string
	header []string
	rows   [][]string
}

func (t *table) at(column string) int {
	for i, h := range t.header {
		if h == column {
			return i
		}
	}
	return -1
}

func (l *loader) table(name string) *table {
	if t, ok := l.tables[name]; ok {
		return t
	}
	if l.tables == nil {
		l.tables = map[string]*table{}
	}
	l.tables[name] = nil
	if !fs.ValidPath(name) || name == "" {
		l.fault("schema.json: %q is no file name", name)
		return nil
	}
	f, err := l.dir.Open(name)
	if err != nil {
		l.fault("%w", err)
		return nil
	}
	defer f.Close()
	l.tables[name] = l.parse(name, csv.NewReader(f))
	return l.tables[name]
}

// parse reads a table; nil after a fault.
func (l *loader) parse(name string, r *csv.Reader) *table {
	rows, err := r.ReadAll()
	if err != nil {
		l.fault("%s: %w", name, err)
		return nil
	}
	if len(rows) < 2 {
		l.fault("%s: there is no row", name)
		return nil
	}
	for i, h := range rows[0] {
		rows[0][i] = strings.TrimSpace(strings.TrimPrefix(h, "\ufeff"))
	}
	return &table{name: name, header: rows[0], rows: rows[1:]}
}

// column reads numbers from least on; an empty cell is 0.
func (l *loader) column(t *table, name string, least float64) []float64 {
	at := t.at(name)
	if at < 0 {
		l.fault("%s: there is no column %s", t.name, name)
		return nil
	}
	out := make([]float64, len(t.rows))
	for i, row := range t.rows {
		if row[at] == "" {
			continue
		}
		v, err := strconv.ParseFloat(row[at], 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) || v < least {
			l.fault("%s:%d: %s is %q", t.name, i+2, name, row[at])
			return nil
		}
		out[i] = v
	}
	return out
}

func total(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum
}
