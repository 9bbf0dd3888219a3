package carbon

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"quartier/schemas/timegrid"
)

// Eco2mixAbout is what the rate of éco2mix means: combustion at the plants of metropolitan France without Corsica, per kWh produced.
var Eco2mixAbout = About{Scope: "direct", Basis: "production", Source: "RTE éco2mix, taux de CO2"}

// Point is a carbon intensity from an instant on.
type Point struct {
	Time    time.Time // UTC
	GPerKWh float64
}

// File is what was read of a file of carbon intensity.
type File struct {
	Points []Point         // in order of time, one per instant
	Step   time.Duration   // the most frequent distance of two points
	Gaps   []timegrid.Span // times within the file without a value
}

// The names under which files have the time and the rate: the field names of the data set, its labels, RTE's own table, and our column.
var (
	timeNames = []string{"date_heure", "date - heure", "datetime", "time_utc", "time_start_utc"}
	rateNames = []string{"taux_co2", "taux de co2 (g/kwh)", "taux de co2", "co2_gco2_per_kwh", "carbon_g_per_kwh", "carbonintensity"}
)

const maxFile = 256 << 20

// Read reads a file of carbon intensity: the CSV of the data sets eco2mix-national-tr and -cons-def (semicolons; field names or labels), RTE's own table (tabulators,
// Latin-1, date and hour of Paris), the JSON of the API ({"results": […]}, {"records": [{"fields": …}]} or an array), or a CSV with commas and the columns time_utc and
// carbon_g_per_kwh. A row without a rate is a gap; a row that cannot be read is told to refuse with its number, from 1, and left out. The error is about the
// file as a whole. paris is the zone of times without an offset.
func Read(in io.Reader, paris *time.Location, refuse func(row int, reason error)) (*File, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("carbon: read: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("carbon: the file is longer than %d bytes", maxFile)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	var rows []row
	if t := bytes.TrimLeft(data, " \t\r\n"); len(t) > 0 && (t[0] == '{' || t[0] == '[') {
		rows, err = readJSON(t)
	} else {
		rows, err = readTable(data, refuse)
	}
	if err != nil {
		return nil, err
	}
	f := &File{}
	last := time.Time{}
	at := map[int64]int{}
	for _, r := range rows {
		t, err := instant(r.when, paris, last)
		if err != nil {
			refuse(r.number, err)
			continue
		}
		last = t
		v := math.NaN()
		if text := strings.TrimSpace(r.rate); text != "" && !slices.Contains([]string{"ND", "-", "null"}, text) {
			v, err = strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64)
			if err != nil || !(v >= 0 && v <= 3000) {
				refuse(r.number, fmt.Errorf("rate %.40q is no carbon intensity from 0 to 3000 gCO2/kWh", text))
				continue
			}
		}
		if i, twice := at[t.Unix()]; twice {
			if !math.IsNaN(f.Points[i].GPerKWh) && !math.IsNaN(v) && f.Points[i].GPerKWh != v {
				refuse(r.number, fmt.Errorf("%s is there twice, with %v and %v gCO2/kWh", t.Format(time.RFC3339), f.Points[i].GPerKWh, v))
				continue
			}
			if math.IsNaN(f.Points[i].GPerKWh) {
				f.Points[i].GPerKWh = v
			}
			continue
		}
		at[t.Unix()] = len(f.Points)
		f.Points = append(f.Points, Point{t, v})
	}
	f.finish()
	if len(f.Points) == 0 {
		return f, errors.New("carbon: no value in the file")
	}
	return f, nil
}

// finish orders the points, finds the step and turns missing values into gaps.
func (f *File) finish() {
	slices.SortFunc(f.Points, func(a, b Point) int { return a.Time.Compare(b.Time) })
	f.Points = slices.DeleteFunc(f.Points, func(p Point) bool { return math.IsNaN(p.GPerKWh) })
	count := map[time.Duration]int{}
	for i := 1; i < len(f.Points); i++ {
		d := f.Points[i].Time.Sub(f.Points[i-1].Time)
		count[d]++
		if count[d] > count[f.Step] || count[d] == count[f.Step] && d < f.Step {
			f.Step = d
		}
	}
	for i := 1; i < len(f.Points); i++ {
		if end := f.Points[i-1].Time.Add(f.Step); f.Points[i].Time.After(end) {
			f.Gaps = append(f.Gaps, timegrid.Span{Start: end, End: f.Points[i].Time})
		}
	}
}

// row is a time and a rate as they stand in the file.
type row struct {
	number     int
	when, rate string
}

func readJSON(data []byte) ([]row, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var doc any
	if err := dec.Decode(&doc); err != nil {
		return nil, fmt.Errorf("carbon: JSON: %w", err)
	}
	list, _ := doc.([]any)
	if o, ok := doc.(map[string]any); ok {
		for _, name := range []string{"results", "records", "history", "data"} {
			if l, ok := o[name].([]any); ok {
				list = l
				break
			}
		}
	}
	var out []row
	for i, x := range list {
		o, _ := x.(map[string]any)
		if inner, ok := o["fields"].(map[string]any); ok {
			o = inner
		} else if record, ok := o["record"].(map[string]any); ok {
			if inner, ok := record["fields"].(map[string]any); ok {
				o = inner
			}
		}
		r := row{number: i + 1}
		for k, v := range o {
			switch k = strings.ToLower(k); {
			case v == nil:
			case slices.Contains(timeNames, k):
				r.when = fmt.Sprint(v)
			case slices.Contains(rateNames, k):
				r.rate = fmt.Sprint(v)
			}
		}
		out = append(out, r)
	}
	if len(out) == 0 {
		return nil, errors.New(`carbon: JSON without a list of results; want {"results": [{"date_heure": …, "taux_co2": …}]}`)
	}
	return out, nil
}

func readTable(data []byte, refuse func(int, error)) ([]row, error) {
	if !utf8.Valid(data) { // RTE's table is Latin-1
		out := make([]rune, len(data))
		for i, b := range data {
			out[i] = rune(b)
		}
		data = []byte(string(out))
	}
	s := bufio.NewScanner(bytes.NewReader(data))
	s.Buffer(nil, 1<<20)
	var out []row
	var separator string
	when, hour, rate, line := -1, -1, -1, 0
	for s.Scan() {
		line++
		text := strings.TrimRight(s.Text(), "\r")
		if strings.TrimSpace(text) == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if separator == "" {
			separator = ","
			for _, c := range []string{"\t", ";"} {
				if strings.Contains(text, c) {
					separator = c
					break
				}
			}
			for i, h := range split(text, separator) {
				switch h = strings.ToLower(strings.TrimSpace(h)); {
				case slices.Contains(timeNames, h):
					when = i
				case h == "date" && when < 0:
					when = i
				case h == "heures" || h == "heure":
					hour = i
				case slices.Contains(rateNames, h):
					rate = i
				}
			}
			if when < 0 || rate < 0 {
				return nil, errors.New("carbon: the header names no time and rate; want date_heure and taux_co2, or Date, Heures and Taux de Co2")
			}
			continue
		}
		cells := split(text, separator)
		if len(cells) <= when || strings.HasPrefix(text, "RTE ne pourra") {
			if len(out) == 0 || len(cells) > 1 {
				refuse(line, fmt.Errorf("%d columns, the time is number %d", len(cells), when+1))
			}
			continue // RTE's table ends with a sentence
		}
		r := row{number: line, when: cells[when]}
		if len(cells) > rate {
			r.rate = cells[rate]
		}
		if hour >= 0 && len(cells) > hour && !strings.ContainsAny(r.when, "T:") {
			r.when += " " + cells[hour]
		}
		out = append(out, r)
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("carbon: line %d: %w", line+1, err)
	}
	return out, nil
}

func split(text, separator string) []string {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.LazyQuotes = rune(separator[0]), true
	if cells, err := r.Read(); err == nil {
		return cells
	}
	return strings.Split(text, separator)
}

// instant reads a time. One without an offset is of paris; of the two that an autumn hour has, the one that follows the row before.
func instant(text string, paris *time.Location, before time.Time) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	for _, layout := range []string{"2006-01-02 15:04", "2006-01-02T15:04:05", "2006-01-02 15:04:05", "02/01/2006 15:04"} {
		t, err := time.ParseInLocation(layout, text, paris)
		if err != nil {
			continue
		}
		// a wall time of the hour that comes twice: Go gives the first or the second; take the one after the row before
		for _, other := range []time.Time{t.Add(-time.Hour), t, t.Add(time.Hour)} {
			if other.In(paris).Format("2006-01-02 15:04") == t.In(paris).Format("2006-01-02 15:04") && other.After(before) {
				return other.UTC(), nil
			}
		}
		return t.UTC(), nil
	}
	return time.Time{}, fmt.Errorf("time %.40q is no instant such as 2026-01-31T13:15:00+01:00", text)
}
