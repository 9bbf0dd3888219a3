package milp

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"strconv"
)

// WriteMPS writes the program in free-format MPS. The objective is minimised; its constant is given as the right-hand side of the objective
// row "cost" with the opposite sign, as HiGHS, CPLEX, Gurobi and SCIP read it: objective = cost row - RHS. Bounds are written out
// for every column whose bounds are not [0, +inf).
func (m *Model) WriteMPS(w io.Writer) error {
	b := &mpsWriter{w: bufio.NewWriterSize(w, 1<<16)}
	b.line("NAME quartier")
	b.line("ROWS")
	b.line(" N cost")
	for i := range m.Rows {
		sense, err := m.Rows[i].sense()
		if err != nil {
			return err
		}
		b.line(" ", sense, " ", m.Rows[i].Name)
	}
	m.writeColumns(b)
	b.line("RHS")
	if m.Offset != 0 {
		b.entry("RHS", "cost", -m.Offset)
	}
	for i := range m.Rows {
		if v := m.Rows[i].rhs(); v != 0 {
			b.entry("RHS", m.Rows[i].Name, v)
		}
	}
	b.line("BOUNDS")
	for j := range m.Columns {
		m.Columns[j].writeBounds(b)
	}
	b.line("ENDATA")
	if b.err == nil {
		b.err = b.w.Flush()
	}
	if b.err != nil {
		return fmt.Errorf("milp: write MPS: %w", b.err)
	}
	return nil
}

// sense returns E, G or L; a row has one side or two equal ones.
func (r *Row) sense() (string, error) {
	switch {
	case r.Low == r.High:
		return "E", nil
	case math.IsInf(r.High, 1):
		return "G", nil
	case math.IsInf(r.Low, -1):
		return "L", nil
	}
	return "", fmt.Errorf("milp: write MPS: row %s has two different sides %v and %v", r.Name, r.Low, r.High)
}

func (r *Row) rhs() float64 {
	if math.IsInf(r.Low, -1) {
		return r.High
	}
	return r.Low
}

func (m *Model) writeColumns(b *mpsWriter) {
	b.line("COLUMNS")
	first := make([]int, len(m.Columns)+1) // compressed columns: entries of column j are first[j]:first[j+1]
	for i := range m.Rows {
		for _, x := range m.Rows[i].Terms {
			if x.Value != 0 {
				first[x.Column+1]++
			}
		}
	}
	for j := range m.Columns {
		first[j+1] += first[j]
	}
	type entry struct {
		row   int32
		value float64
	}
	entries, next := make([]entry, first[len(m.Columns)]), append([]int(nil), first...)
	for i := range m.Rows {
		for _, x := range m.Rows[i].Terms {
			if x.Value != 0 {
				entries[next[x.Column]] = entry{int32(i), x.Value}
				next[x.Column]++
			}
		}
	}
	whole := false
	marker := func(on bool) {
		if on == whole {
			return
		}
		if whole = on; on {
			b.line(" MARKER 'MARKER' 'INTORG'")
		} else {
			b.line(" MARKER 'MARKER' 'INTEND'")
		}
	}
	for j := range m.Columns {
		c := &m.Columns[j]
		marker(c.Integer)
		if c.Cost != 0 || first[j] == first[j+1] {
			b.entry(c.Name, "cost", c.Cost)
		}
		for _, x := range entries[first[j]:first[j+1]] {
			b.entry(c.Name, m.Rows[x.row].Name, x.value)
		}
	}
	marker(false)
}

func (c *Column) writeBounds(b *mpsWriter) {
	switch {
	case c.Low == 0 && math.IsInf(c.High, 1):
	case math.IsInf(c.Low, -1) && math.IsInf(c.High, 1):
		b.line(" FR BND ", c.Name)
	case c.Low == c.High:
		b.bound("FX", c.Name, c.Low)
	default:
		if math.IsInf(c.Low, -1) {
			b.line(" MI BND ", c.Name)
		} else {
			b.bound("LO", c.Name, c.Low)
		}
		if !math.IsInf(c.High, 1) {
			b.bound("UP", c.Name, c.High)
		}
	}
}

// mpsWriter keeps the first error.
type mpsWriter struct {
	w   *bufio.Writer
	buf []byte
	err error
}

func (b *mpsWriter) line(parts ...string) {
	for _, p := range parts {
		b.put(p)
	}
	b.put("\n")
}

func (b *mpsWriter) put(s string) {
	if b.err == nil {
		_, b.err = b.w.WriteString(s)
	}
}

func (b *mpsWriter) value(v float64) {
	b.buf = strconv.AppendFloat(b.buf[:0], v, 'g', -1, 64)
	b.put(" ")
	b.put(string(b.buf))
	b.put("\n")
}

func (b *mpsWriter) entry(column, row string, v float64) {
	b.put(" ")
	b.put(column)
	b.put(" ")
	b.put(row)
	b.value(v)
}

func (b *mpsWriter) bound(kind, column string, v float64) {
	b.put(" ")
	b.put(kind)
	b.put(" BND ")
	b.put(column)
	b.value(v)
}
