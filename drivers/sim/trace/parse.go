package trace

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"

	"quartier/schemas/district"
)

// Table is a recorded file on an even grid of slots. Stamps are the file's own, without their zone: slot i begins at Start + i·Step, kept
// as UTC; what zone the stamps are in is said by the [Source].
type Table struct {
	Name    string
	Start   time.Time
	Step    time.Duration
	Columns map[string]*Column
	Faults  []Fault
}

// Column is one recorded quantity, complete: its gaps are filled and marked.
type Column struct {
	Name    string
	Values  []float64
	Quality []district.Quality // Good or Substituted
}

// Fault is a defect of a trace that was worked round.
type Fault struct {
	File     string
	From, To int    // lines, both included; equal for a single one
	Column   string // empty when it concerns the whole line
	Text     string
}

// Error says where and what, as file:line.
func (f Fault) Error() string {
	where := fmt.Sprintf("%s:%d", f.File, f.From)
	if f.To > f.From {
		where += "-" + strconv.Itoa(f.To)
	}
	if f.Column != "" {
		where += ": " + f.Column
	}
	return where + ": " + f.Text
}

const (
	maxBytes       = 64 << 20      // of one unpacked trace
	maxSlots       = 2_000_000     // of one column: 57 years of quarter-hours
	interpolateFor = 2 * time.Hour // gaps up to this length are interpolated
	stampLayout    = "2006-01-02T15:04"
	maxFaults      = 1000 // kept; a file with more says how many more
)

// Open reads a trace from fsys; a name that ends in .gz is unpacked. step is the recording's interval; zero takes the smallest distance
// between two rows.
func Open(fsys fs.FS, name string, step time.Duration) (*Table, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open trace: %w", err)
	}
	defer func() { _ = f.Close() }()
	var r io.Reader = f
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(f)
		if err != nil {
			return nil, fmt.Errorf("unpack trace %s: %w", name, err)
		}
		r = z
	}
	data, err := io.ReadAll(io.LimitReader(r, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read trace %s: %w", name, err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("read trace %s: more than %d MB unpacked", name, maxBytes>>20)
	}
	return Parse(name, data, step)
}

type row struct {
	line  int
	at    time.Time
	cells []float64 // NaN where missing
}

// Parse reads a trace: lines that begin with # are remarks, the first other line names the columns, the first column is the time
// (2006-01-02T15:04, with or without seconds and Z). Values are decimal numbers; an empty cell, NaN and anything unreadable is missing.
func Parse(name string, data []byte, step time.Duration) (*Table, error) {
	p := parser{name: name}
	rows, header, err := p.rows(data)
	if err != nil {
		return nil, err
	}
	if step <= 0 {
		step = smallestStep(rows)
	}
	if step <= 0 {
		return nil, fmt.Errorf("trace %s: the step cannot be told from %d rows", name, len(rows))
	}
	start, end := rows[0].at, rows[0].at
	for _, r := range rows {
		if r.at.Before(start) {
			start = r.at
		}
		if r.at.After(end) {
			end = r.at
		}
	}
	span := end.Sub(start)
	if span < 0 || int64(span/step) >= maxSlots || span == math.MaxInt64 {
		return nil, fmt.Errorf("trace %s: %s to %s is more than %d slots of %v", name, start.Format(stampLayout), end.Format(stampLayout), maxSlots, step)
	}
	t := &Table{Name: name, Start: start, Step: step, Columns: make(map[string]*Column)}
	p.fill(t, header, rows, int(span/step)+1)
	t.Faults = p.faults
	if p.dropped > 0 {
		t.Faults = append(t.Faults, Fault{File: name, From: 1, To: 1, Text: fmt.Sprintf("%d more faults of this file are not listed", p.dropped)})
	}
	return t, nil
}

type parser struct {
	name    string
	faults  []Fault
	dropped int
}

func (p *parser) fault(from, to int, column, format string, args ...any) {
	if len(p.faults) >= maxFaults {
		p.dropped++
		return
	}
	p.faults = append(p.faults, Fault{File: p.name, From: from, To: to, Column: column, Text: fmt.Sprintf(format, args...)})
}

func (p *parser) rows(data []byte) (rows []row, header []string, err error) {
	s := bufio.NewScanner(bytes.NewReader(data))
	s.Buffer(make([]byte, 0, 64*1024), 1<<20)
	for line := 1; s.Scan(); line++ {
		text := strings.TrimSpace(strings.TrimPrefix(s.Text(), "\ufeff"))
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		cells := strings.Split(text, ",")
		if header == nil {
			if header, err = p.header(line, cells); err != nil {
				return nil, nil, err
			}
			continue
		}
		at, err := parseStamp(cells[0])
		if err != nil {
			p.fault(line, line, header[0], "%v; the line is left out", err)
			continue
		}
		if len(cells) != len(header) {
			p.fault(line, line, "", "%d cells, want %d; missing ones count as gaps", len(cells), len(header))
		}
		r := row{line: line, at: at, cells: make([]float64, len(header)-1)}
		for i := range r.cells {
			r.cells[i] = math.NaN()
			if i+1 < len(cells) {
				r.cells[i] = p.cell(line, header[i+1], cells[i+1])
			}
		}
		rows = append(rows, r)
	}
	if err := s.Err(); err != nil {
		return nil, nil, fmt.Errorf("trace %s: %w", p.name, err)
	}
	if header == nil {
		return nil, nil, fmt.Errorf("trace %s: no header line", p.name)
	}
	if len(rows) == 0 {
		return nil, nil, errors.Join(fmt.Errorf("trace %s: no readable row", p.name), joinFaults(p.faults))
	}
	return rows, header, nil
}

func (p *parser) header(line int, cells []string) ([]string, error) {
	seen := make(map[string]bool)
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
		if cells[i] == "" || seen[cells[i]] {
			return nil, fmt.Errorf("%s:%d: column %d: name %q is empty or given twice", p.name, line, i+1, cells[i])
		}
		seen[cells[i]] = true
	}
	if len(cells) < 2 {
		return nil, fmt.Errorf("%s:%d: header has %d columns, want a time and at least one quantity", p.name, line, len(cells))
	}
	return cells, nil
}

// cell returns NaN for what is missing; runs of those are reported by fill.
func (p *parser) cell(line int, column, text string) float64 {
	text = strings.TrimSpace(text)
	if text == "" || strings.EqualFold(text, "nan") {
		return math.NaN()
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(v, 0) || math.Abs(v) > 1e12 {
		p.fault(line, line, column, "%.40q is no number; counted as a gap", text)
		return math.NaN()
	}
	return v
}

func parseStamp(text string) (time.Time, error) {
	text = strings.TrimSuffix(strings.TrimSpace(text), "Z")
	for _, layout := range []string{stampLayout, "2006-01-02T15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil {
			if y := t.Year(); y < 1900 || y > 2200 {
				return time.Time{}, fmt.Errorf("year %d is outside 1900 to 2200", y)
			}
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("time %.40q, want one such as 2026-01-31T15:00", text)
}

func smallestStep(rows []row) time.Duration {
	var step time.Duration
	for i := 1; i < len(rows); i++ {
		if d := rows[i].at.Sub(rows[i-1].at); d > 0 && (step == 0 || d < step) {
			step = d
		}
	}
	return step
}

func joinFaults(faults []Fault) error {
	errs := make([]error, len(faults))
	for i, f := range faults {
		errs[i] = f
	}
	return errors.Join(errs...)
}

// fill places the rows on the grid, reports each run of missing slots once and fills it.
func (p *parser) fill(t *Table, header []string, rows []row, slots int) {
	lines := make([]int, slots) // 0: no row
	columns := make([]*Column, len(header)-1)
	for i := range columns {
		columns[i] = &Column{Name: header[i+1], Values: make([]float64, slots), Quality: make([]district.Quality, slots)}
		for k := range columns[i].Values {
			columns[i].Values[k] = math.NaN()
		}
		t.Columns[header[i+1]] = columns[i]
	}
	for _, r := range rows {
		d := r.at.Sub(t.Start)
		k := int(d / t.Step)
		switch {
		case d%t.Step != 0:
			p.fault(r.line, r.line, header[0], "%s is not on the grid of %v; the line is left out", r.at.Format(stampLayout), t.Step)
			continue
		case lines[k] != 0:
			p.fault(r.line, r.line, header[0], "%s was given on line %d already; the first one stays", r.at.Format(stampLayout), lines[k])
			continue
		}
		lines[k] = r.line
		for i, v := range r.cells {
			columns[i].Values[k] = v
		}
	}
	p.missingRows(t, lines)
	for _, c := range columns {
		p.fillColumn(t, c, lines)
	}
}

// missingRows reports each run of slots without any row.
func (p *parser) missingRows(t *Table, lines []int) {
	for k := 0; k < len(lines); k++ {
		if lines[k] != 0 {
			continue
		}
		first := k
		for k < len(lines) && lines[k] == 0 {
			k++
		}
		from := lines[first-1] // the first slot has a row
		to := from
		if k < len(lines) { // the last may have none, when its row was off the grid
			to = lines[k]
		}
		p.fault(min(from, to), max(from, to), "", "%d rows missing between these lines, from %s; filled", k-first, t.Start.Add(time.Duration(first)*t.Step).Format(stampLayout))
	}
}

func (p *parser) fillColumn(t *Table, c *Column, lines []int) {
	n := len(c.Values)
	original := append([]float64(nil), c.Values...)
	week := int(7 * 24 * time.Hour / t.Step)
	var daily []float64
	for k := 0; k < n; k++ {
		if !math.IsNaN(original[k]) {
			continue
		}
		first := k
		from, to := 0, 0
		for k < n && math.IsNaN(original[k]) {
			if lines[k] != 0 {
				if from == 0 {
					from = lines[k]
				}
				to = lines[k]
			}
			c.Quality[k] = district.Substituted
			k++
		}
		if from != 0 {
			p.fault(from, to, c.Name, "%d slots without a value from %s; filled", k-first, t.Start.Add(time.Duration(first)*t.Step).Format(stampLayout))
		}
		if first > 0 && k < n && time.Duration(k-first)*t.Step <= interpolateFor {
			a, b := original[first-1], original[k]
			for i := first; i < k; i++ {
				c.Values[i] = a + (b-a)*float64(i-first+1)/float64(k-first+1)
			}
			continue
		}
		for i := first; i < k; i++ {
			switch {
			case week > 0 && i-week >= 0 && !math.IsNaN(original[i-week]):
				c.Values[i] = original[i-week]
			case week > 0 && i+week < n && !math.IsNaN(original[i+week]):
				c.Values[i] = original[i+week]
			default:
				if daily == nil {
					daily = dailyMean(t, original)
				}
				c.Values[i] = daily[t.slotOfDay(i, len(daily))]
			}
		}
	}
}

func (t *Table) slotOfDay(i, perDay int) int {
	at := t.Start.Add(time.Duration(i) * t.Step)
	sec := at.Hour()*3600 + at.Minute()*60 + at.Second()
	return min(int(time.Duration(sec)*time.Second/t.Step), perDay-1)
}

// dailyMean is the mean of the recorded values by slot of the day, zero where there is none.
func dailyMean(t *Table, values []float64) []float64 {
	perDay := max(1, int((24*time.Hour+t.Step-1)/t.Step))
	perDay = min(perDay, 24*3600)
	sum, n := make([]float64, perDay), make([]float64, perDay)
	for i, v := range values {
		if !math.IsNaN(v) {
			k := t.slotOfDay(i, perDay)
			sum[k] += v
			n[k]++
		}
	}
	for k := range sum {
		if n[k] > 0 {
			sum[k] /= n[k]
		}
	}
	return sum
}
