package config

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"quartier/schemas/timegrid"
	"quartier/schemas/units"
)

// maxSeries bounds a series: 40 years of quarter-hours.
const maxSeries = 1_500_000

// maxSeriesBytes bounds what is unpacked of a series file.
const maxSeriesBytes = 256 << 20

// series reads the series that a configuration names, in the stored unit; faults stand at the key of the file.
func (b *builder) series(f *SeriesFile, path string, want units.Unit) timegrid.Series {
	conv, err := units.Convert(f.Unit)
	if f.Unit != "" && (err != nil || conv.To != want) {
		b.say(path+".unit", "%q is not a unit that becomes %s", f.Unit, want)
		return timegrid.Series{}
	}
	if b.opt.ReadFile == nil || f.Path == "" || f.Column == "" || f.Unit == "" || f.StepMinutes <= 0 {
		return timegrid.Series{}
	}
	data, err := b.opt.ReadFile(f.Path)
	if err != nil {
		b.say(path+".path", "%v", err)
		return timegrid.Series{}
	}
	s, err := ReadSeries(f.Path, data, f.Column, time.Duration(f.StepMinutes)*time.Minute, conv)
	if err != nil {
		b.say(path+".path", "%v", err)
		return timegrid.Series{}
	}
	return s
}

// ReadSeries reads a column of a CSV file as a series of the given step. The file has a header line, lines that begin with # are comments, the first column is the
// UTC time at which each value begins, rising; name ends in .gz for a gzipped one. A slot without a line or with an empty cell is NaN. The error names the line.
func ReadSeries(name string, data []byte, column string, step time.Duration, conv units.Conversion) (timegrid.Series, error) {
	var r io.Reader = bytes.NewReader(data)
	if strings.HasSuffix(name, ".gz") {
		z, err := gzip.NewReader(r)
		if err != nil {
			return timegrid.Series{}, fmt.Errorf("%s: %w", name, err)
		}
		r = io.LimitReader(z, maxSeriesBytes)
	}
	c := csv.NewReader(r)
	c.Comment, c.ReuseRecord = '#', true
	head, err := c.Read()
	if err != nil {
		return timegrid.Series{}, fmt.Errorf("%s: no header line: %w", name, err)
	}
	at := slices.Index(head, column)
	if at < 1 {
		return timegrid.Series{}, fmt.Errorf("%s: no column %q after the times; there are %s", name, column, strings.Join(head[1:], ", "))
	}
	s := timegrid.Series{Step: step}
	for {
		rec, err := c.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return timegrid.Series{}, fmt.Errorf("%s: %w", name, err)
		}
		line, _ := c.FieldPos(at)
		if err := add(&s, rec[0], rec[at], conv); err != nil {
			return timegrid.Series{}, fmt.Errorf("%s: line %d: %w", name, line, err)
		}
	}
	if len(s.Values) == 0 {
		return timegrid.Series{}, fmt.Errorf("%s: no values", name)
	}
	return s, nil
}

// add appends a value at its time, with NaN for the slots between.
func add(s *timegrid.Series, when, cell string, conv units.Conversion) error {
	t, err := time.Parse(time.RFC3339, when)
	if err != nil {
		if t, err = time.Parse("2006-01-02T15:04Z", when); err != nil {
			return fmt.Errorf("time %q: want UTC such as 2026-01-31T13:15Z", when)
		}
	}
	t = t.UTC()
	if t.Year() < 1900 || t.Year() > 2200 {
		return fmt.Errorf("time %s lies outside 1900 to 2200", when)
	}
	if !timegrid.Floor(t, s.Step).Equal(t) {
		return fmt.Errorf("time %s is no slot of %v", when, s.Step)
	}
	if len(s.Values) == 0 {
		s.Start = t
	}
	i := int(t.Sub(s.Start) / s.Step)
	switch {
	case t.Before(s.Start) || i < len(s.Values):
		return fmt.Errorf("time %s does not follow the line before", when)
	case i >= maxSeries:
		return fmt.Errorf("time %s lies more than %d slots after the first", when, maxSeries)
	}
	v := math.NaN()
	if cell = strings.TrimSpace(cell); cell != "" {
		raw, err := strconv.ParseFloat(cell, 64)
		if err != nil || math.IsInf(raw, 0) {
			return fmt.Errorf("value %q is no number in %s", cell, conv.From)
		}
		v = conv.Stored(raw)
	}
	for len(s.Values) < i {
		s.Values = append(s.Values, math.NaN())
	}
	s.Values = append(s.Values, v)
	return nil
}
