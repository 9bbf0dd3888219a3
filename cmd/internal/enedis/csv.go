package enedis

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
)

// block is what the lines say that follow a head: those with a point of their own, or those of one point.
type block struct {
	columns map[string]int // by plain name
	values  map[string]string
}

func (b *block) get(rec []string, name string) string {
	if i, ok := b.columns[name]; ok && i < len(rec) {
		return strings.TrimSpace(rec[i])
	}
	return b.values[name]
}

// csv reads both CSV files. They may be several behind each other, and have empty lines.
func (r *reader) csv(in io.Reader) error {
	lines := bufio.NewReaderSize(in, 1<<16)
	var b block
	var head []string // names whose values are on the next line
	for n := 1; ; n++ {
		text, err := lines.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read line %d: %w", n, err)
		}
		if text = strings.TrimSpace(strings.TrimPrefix(text, "\ufeff")); text != "" {
			rec := strings.Split(text, ";")
			switch first := plain(rec[0]); {
			case first == "identifiant prm":
				b, head = block{columns: columns(rec), values: map[string]string{}}, nil
				if _, flat := b.columns["horodate"]; !flat {
					head = rec
				}
			case first == "horodate":
				b.columns = columns(rec)
				head = nil
			case head != nil:
				for i, name := range head {
					if i < len(rec) {
						b.values[plain(name)] = strings.TrimSpace(rec[i])
					}
				}
				b.columns, head = nil, nil
			case b.columns == nil:
				r.drop(n, "a line before the names of the columns")
			default:
				if reason := r.line(n, &b, rec); reason != nil {
					r.drop(n, "%w", reason)
				}
			}
		}
		if err != nil {
			return nil
		}
	}
}

func columns(rec []string) map[string]int {
	out := map[string]int{}
	for i, name := range rec {
		out[plain(name)] = i
	}
	return out
}

// line takes one value, or says all that is wrong with it.
func (r *reader) line(n int, b *block, rec []string) error {
	x := row{Value: Value{Line: n, Point: b.get(rec, "identifiant prm")}}
	var faults []string
	fault := func(err error) {
		if err != nil {
			faults = append(faults, err.Error())
		}
	}
	if !isPoint(x.Point) {
		fault(fmt.Errorf("delivery point %.40q has not 14 digits", x.Point))
	}
	if kind := b.get(rec, "type de donnees"); kind != "" && plain(kind) != "courbe de charge" {
		fault(fmt.Errorf("%q is no load curve", kind))
	}
	fault(active(b.get(rec, "grandeur physique")))
	var err error
	x.Export, err = direction(b.get(rec, "grandeur metier"))
	fault(err)
	x.unit, err = unit(b.get(rec, "unite"))
	fault(err)
	x.Step, err = step(b.get(rec, "pas"), b.get(rec, "pas en minutes"))
	fault(err)
	x.Quality, err = quality(b.get(rec, "nature"))
	fault(err)
	x.at, err = r.instant(x.Point, b.get(rec, "horodate"))
	fault(err)
	x.value, err = number(b.get(rec, "valeur"))
	if x.empty = errors.Is(err, errEmpty) && len(faults) == 0; x.empty {
		r.rows = append(r.rows, x)
	}
	fault(err)
	if len(faults) > 0 {
		return errors.New(strings.Join(faults, "; "))
	}
	r.rows = append(r.rows, x)
	return nil
}

// active refuses what is no active power or energy.
func active(quantity string) error {
	switch plain(quantity) {
	case "", "ea", "pa", "energie active", "puissance active":
		return nil
	}
	return fmt.Errorf("quantity %.60q is not active power", quantity)
}

func direction(text string) (export bool, err error) {
	switch plain(text) {
	case "", "cons", "consommation", "soutirage":
		return false, nil
	case "prod", "production", "injection":
		return true, nil
	}
	return false, fmt.Errorf("direction %.60q is neither consumption nor production", text)
}

func unit(text string) (string, error) {
	switch text {
	case "": // files of a customer's account leave it out
		return "W", nil
	case "W", "kW", "Wh", "kWh":
		return text, nil
	}
	return "", fmt.Errorf("unit %.20q is none of W, kW, Wh and kWh", text)
}

// step reads PT30M, PT1H or a number of minutes; 0 where the file does not say.
func step(duration, minutes string) (time.Duration, error) {
	if duration == "" && minutes == "" {
		return 0, nil
	}
	if duration == "" {
		duration = "PT" + minutes + "M"
	}
	d := time.Duration(0)
	if digits, ok := strings.CutPrefix(duration, "PT"); ok && digits != "" {
		n, err := strconv.Atoi(digits[:len(digits)-1])
		switch unit := digits[len(digits)-1]; {
		case err != nil || n < 0 || n > 60:
		case unit == 'M':
			d = time.Duration(n) * time.Minute
		case unit == 'H':
			d = time.Duration(n) * time.Hour
		}
	}
	if !known(d) {
		return 0, fmt.Errorf("step %.20q is none of 5, 10, 15, 30 and 60 min", duration)
	}
	return d, nil
}

var errEmpty = errors.New("no value was published")

// number reads a value that is not negative, with a point or a comma.
func number(text string) (float64, error) {
	if text == "" {
		return 0, errEmpty
	}
	v, err := strconv.ParseFloat(strings.Replace(text, ",", ".", 1), 64)
	switch {
	case err != nil || math.IsNaN(v) || math.IsInf(v, 0):
		return 0, fmt.Errorf("value %.40q is no number", text)
	case v < 0:
		return 0, fmt.Errorf("value %g is negative", v)
	}
	return v, nil
}
