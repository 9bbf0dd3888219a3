// Package enedis reads the load curves that the French distribution network operator Enedis publishes:
//
//   - the CSV file of a customer's account: a head of one line of names and one of values, then "Horodate;Valeur";
//   - the flat CSV of SGE and of its R63 service, a line for each value with the point, unit, nature and step ("Pas", PT30M);
//   - the XML flows R50 (C5, 30 minutes) and R4H, R4M and R4Q (C1 to C4, 5 or 10 minutes).
//
// Facts of these formats: the guides of R50 and R4x as cited and read by consometers/sge-proxy (files.py) and l-etabli/quoalise (formalisme/enedis.md), and published samples.
// A value is the mean active power of its step. C5 meters stamp a step at its end, C1 to C4 at its beginning; a CSV does not say which it is, but only the latter have steps below 15 minutes.
// Times have their offset from UTC, or are local, where the hours of the days on which the clock changes are told apart by their order.
package enedis

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"quartier/schemas/district"
)

// Value is the mean active power of one step at a delivery point.
type Value struct {
	Line    int    // of the file, from 1
	Point   string // the 14 digits of the delivery point (PRM)
	Export  bool   // fed into the grid, not drawn
	Start   time.Time
	Step    time.Duration
	PowerKW float64 // not negative
	Quality district.Quality
}

// Stamp is what the times of a file stand for.
type Stamp string

// The stamps.
const (
	ByStep Stamp = ""      // the beginning for steps below 15 minutes, the end for others; as the guides say for XML
	Begin  Stamp = "begin" // of each step
	End    Stamp = "end"
)

// Refuse is told of each row that cannot be taken, in the order of lines, and why.
type Refuse func(line int, reason error)

// Is reports whether a file that begins with these bytes is of Enedis.
func Is(head []byte) bool {
	head = bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\ufeff")))
	if bytes.HasPrefix(head, []byte("<")) {
		return bytes.Contains(head, []byte("<R50")) || bytes.Contains(head, []byte("<Courbe"))
	}
	first, _, _ := bytes.Cut(head, []byte("\n"))
	return strings.HasPrefix(plain(string(first)), "identifiant prm;")
}

// Read reads a file and returns its values, the consumption and production of a point each in order of time, no step twice. Its error is one of reading; a row that cannot be taken is refused.
func Read(in io.Reader, stamp Stamp, refuse Refuse) ([]Value, error) {
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return nil, err
	}
	r := &reader{refuse: refuse, stamp: stamp, zone: paris, last: map[string]time.Time{}}
	text, head, err := peek(in)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\ufeff"))), []byte("<")) {
		r.stamp = ByStep // these say it themselves
		err = r.xml(text)
	} else {
		err = r.csv(text)
	}
	if err != nil {
		return nil, err
	}
	return r.finish(), nil
}

// peek returns a reader of the same text and its first bytes.
func peek(in io.Reader) (io.Reader, []byte, error) {
	head := make([]byte, 1024)
	n, err := io.ReadFull(in, head)
	if err == io.ErrUnexpectedEOF || err == io.EOF {
		err = nil
	}
	head = head[:n]
	return io.MultiReader(bytes.NewReader(head), in), head, err
}

// row is a value whose step and beginning may not be known yet.
type row struct {
	Value
	at    time.Time
	unit  string
	value float64
	empty bool // no value was published: refused already, but its stamp tells of its neighbours' step
}

type reader struct {
	refuse  Refuse
	stamp   Stamp
	zone    *time.Location
	last    map[string]time.Time // by point: the stamp before, which tells the two hours of a day in October apart
	rows    []row
	refused []refusal
}

type refusal struct {
	line   int
	reason error
}

func (r *reader) drop(line int, format string, args ...any) {
	r.refused = append(r.refused, refusal{line, fmt.Errorf(format, args...)})
}

// finish gives each row its step and beginning, refuses what comes twice, and tells of all that was refused.
func (r *reader) finish() []Value {
	slices.SortStableFunc(r.rows, func(a, b row) int {
		if c := strings.Compare(a.Point, b.Point); c != 0 {
			return c
		}
		if a.Export != b.Export {
			if b.Export {
				return -1
			}
			return 1
		}
		return a.at.Compare(b.at)
	})
	var out []Value
	for from := 0; from < len(r.rows); {
		to := from + 1
		for to < len(r.rows) && r.rows[to].Point == r.rows[from].Point && r.rows[to].Export == r.rows[from].Export {
			to++
		}
		out = append(out, r.curve(r.rows[from:to])...)
		from = to
	}
	slices.SortStableFunc(r.refused, func(a, b refusal) int { return a.line - b.line })
	for _, f := range r.refused {
		r.refuse(f.line, f.reason)
	}
	return out
}

// curve makes the values of one point and direction, whose rows are in order of time.
func (r *reader) curve(rows []row) (out []Value) {
	var once []row
	for _, x := range rows {
		if n := len(once); n > 0 && once[n-1].at.Equal(x.at) {
			before := &once[n-1]
			if before.empty {
				*before = x
			} else if !x.empty && before.value != x.value {
				r.drop(x.Line, "%s %s was on line %d with %g %s, here it is %g", x.Point, x.at.Format(time.RFC3339), before.Line, before.value, before.unit, x.value)
			}
			continue
		}
		once = append(once, x)
	}
	usual := usualStep(once)
	for i := range once {
		x := &once[i]
		if x.empty {
			continue
		}
		if x.Step == 0 {
			x.Step = nearStep(once, i, usual)
		}
		if !known(x.Step) {
			r.drop(x.Line, "%s: the step of the value is not in the file and cannot be told from its neighbours", x.at.Format(time.RFC3339))
			continue
		}
		v := x.Value
		v.Start = x.at
		if r.stamp == End || r.stamp == ByStep && x.Step >= 15*time.Minute {
			v.Start = x.at.Add(-x.Step)
		}
		switch x.unit {
		case "W":
			v.PowerKW = x.value / 1000
		case "kW":
			v.PowerKW = x.value
		case "Wh":
			v.PowerKW = x.value / 1000 / x.Step.Hours()
		case "kWh":
			v.PowerKW = x.value / x.Step.Hours()
		}
		v.Start = v.Start.UTC()
		out = append(out, v)
	}
	return out
}

// steps are those of published curves.
var steps = []time.Duration{5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour}

func known(step time.Duration) bool { return slices.Contains(steps, step) }

// usualStep returns the most frequent distance of a curve's rows, the shorter of equally frequent ones; 0 without any.
func usualStep(rows []row) (best time.Duration) {
	count := map[time.Duration]int{}
	for i := 1; i < len(rows); i++ {
		count[rows[i].at.Sub(rows[i-1].at)]++
	}
	for _, s := range steps {
		if count[s] > count[best] {
			best = s
		}
	}
	return best
}

// nearStep returns the step of a row that has none of its own: the distance to its nearer neighbour, as a file may change its step, or the usual one where neighbours are missing. At the ends of a
// curve, which have one neighbour, a longer distance than usual is a gap unless it comes twice.
func nearStep(rows []row, i int, usual time.Duration) time.Duration {
	best := time.Duration(0)
	for _, k := range []int{i - 1, i} {
		if k < 0 || k+1 >= len(rows) {
			continue
		}
		if d := rows[k+1].at.Sub(rows[k].at); known(d) && (best == 0 || d < best) {
			best = d
		}
	}
	gap := false
	if n := len(rows); best > usual && usual > 0 && n > 2 {
		gap = i == 0 && rows[2].at.Sub(rows[1].at) != best || i == n-1 && rows[n-2].at.Sub(rows[n-3].at) != best
	}
	if best == 0 || gap {
		best = usual
	}
	return best
}

// quality says how far a value of a nature can be trusted: R real, B as metered; E estimated, C corrected, H and P reconstituted, K calculated, D entered by hand; S, T, F and G stand
// at a power cut.
func quality(nature string) (district.Quality, error) {
	switch nature {
	case "", "R", "B":
		return district.Good, nil
	case "E", "C", "H", "P", "K", "D":
		return district.Substituted, nil
	case "S", "T", "F", "G":
		return district.Uncertain, nil
	}
	return district.Bad, fmt.Errorf("nature %.20q is unknown", nature)
}

// instant reads a stamp. One without offset is local; where the clock shows it twice it is the first that follows the point's stamp before.
func (r *reader) instant(point, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04-07:00", "2006-01-02 15:04:05-07:00"} {
		if t, err := time.Parse(layout, text); err == nil {
			r.last[point] = t
			return t, nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04", "02/01/2006 15:04:05", "02/01/2006 15:04"} {
		t, err := time.ParseInLocation(layout, text, r.zone)
		if err != nil {
			continue
		}
		if t.Format(layout) != text {
			return t, fmt.Errorf("time %q does not exist: the clock was put forward", text)
		}
		if earlier := t.Add(-time.Hour); earlier.Format(layout) == text {
			t = earlier
		}
		if later := t.Add(time.Hour); later.Format(layout) == text && !r.last[point].IsZero() && !t.After(r.last[point]) {
			t = later
		}
		r.last[point] = t
		return t, nil
	}
	return time.Time{}, fmt.Errorf("time %.60q is none such as 2026-01-31T12:30:00+01:00", text)
}

// isPoint reports whether a text is the number of a delivery point.
func isPoint(text string) bool {
	if len(text) != 14 {
		return false
	}
	return strings.Trim(text, "0123456789") == ""
}

// accents are those of the files' own words, which some of them have and others have not.
var accents = strings.NewReplacer("é", "e", "è", "e", "ê", "e", "É", "e", "à", "a", "ô", "o")

// plain writes a word of the files without accents, in small letters.
func plain(word string) string { return strings.ToLower(strings.TrimSpace(accents.Replace(word))) }
