package sharing

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"quartier/schemas/units"
)

// Decode reads an operation:
//
//	{"step_minutes":15, "key":"static"|"dynamic"|"coefficients"|"full_dynamic", "shares":{id:number}, "coefficients":{id:[…]} or {producer:{id:[…]}},
//	 "consumers":{id:[Wh per step]}, "producers":{id:[Wh per step]}}
//
// Participants are put in the order of their ids. Of shares and coefficients only what the key uses is read; step_minutes may be left out, and is 15 then. Energies are whole watt-hours,
// written in any way that JSON has (1e3 and 1000.0 are); coefficients are exact decimals, see [ParseCoefficient]. An id may be a consumer and a producer, as storage is.
//
// The error is [Faults], every one with its place, or one of reading.
func Decode(in io.Reader) (*Operation, error) { return decode(in, leastAhead) }

// decode reads arrays of at least so many bytes beside the document; 0: none.
func decode(in io.Reader, least int) (*Operation, error) {
	d := &decoder{scanner: newScanner(in), given: map[string]bool{}, ahead: newAhead(least)}
	err := d.together(d.document())
	var bad syntaxError
	if errors.As(err, &bad) {
		d.faults.add("", "%s", bad.text)
	} else if err != nil {
		return nil, err
	}
	if err := d.faults.err(); err != nil && bad.text != "" {
		return nil, err
	}
	return d.operation()
}

type decoder struct {
	*scanner
	faults               Faults
	given                map[string]bool // sections
	step                 int
	key                  Key
	consumers, producers map[string][]units.WattHours
	shares               map[string]Coefficient
	flat                 map[string][]Coefficient
	pairs                map[string]map[string][]Coefficient
	length               int // of the longest series: what to make room for
	read                 int // values of the last series
	ahead                *ahead
}

func (d *decoder) document() error {
	d.step = 15
	err := d.object(func(name string) error {
		if d.given[name] {
			d.faults.add(place(name), "comes twice")
			return d.skip(0)
		}
		d.given[name] = true
		switch name {
		case "step_minutes":
			return d.minutes()
		case "key":
			return d.keyName()
		case "shares":
			return unique(d, "shares", &d.shares, func(id string) (Coefficient, error) { return d.coefficient("shares", id) })
		case "coefficients":
			return d.coefficients()
		case "consumers":
			return unique(d, name, &d.consumers, func(id string) ([]units.WattHours, error) {
				return series(d, d.consumers, id, quickEnergy, parseEnergy, name, id)
			})
		case "producers":
			return unique(d, name, &d.producers, func(id string) ([]units.WattHours, error) {
				return series(d, d.producers, id, quickEnergy, parseEnergy, name, id)
			})
		}
		d.faults.add(place(name), "is unknown, want step_minutes, key, shares, coefficients, consumers and producers")
		return d.skip(0)
	})
	if err != nil {
		return err
	}
	if c := d.next(); c != 0 || d.at < d.end {
		return d.fail("%s behind the document", shown(c))
	}
	if d.err != nil && !errors.Is(d.err, io.EOF) {
		return d.err
	}
	return nil
}

func (d *decoder) minutes() error {
	if d.next() == '"' || d.next() == '{' || d.next() == '[' {
		d.faults.add("step_minutes", "is %s, want a number of minutes", d.kind())
		return d.skip(0)
	}
	w, err := d.word()
	if err != nil {
		return err
	}
	if d.step, err = strconv.Atoi(string(w)); err != nil {
		d.faults.add("step_minutes", "%.60q is no whole number of minutes", w)
		d.step = 15
	}
	return nil
}

func (d *decoder) keyName() error {
	if d.next() != '"' {
		d.faults.add("key", "is %s, want one of %q", d.kind(), Keys())
		d.key = Dynamic
		return d.skip(0)
	}
	text, err := d.text()
	d.key = Key(text)
	return err
}

// unique takes an object of values by id into a map. Null is an object that is not there.
func unique[V any](d *decoder, where string, to *map[string]V, value func(id string) (V, error)) error {
	switch d.next() {
	case '{':
	case 'n':
		delete(d.given, where)
		return d.skip(0)
	default:
		d.faults.add(where, "is %s, want an object of ids", d.kind())
		return d.skip(0)
	}
	*to = map[string]V{}
	return d.object(func(id string) error {
		if _, twice := (*to)[id]; twice {
			d.faults.add(place(where, id), "comes twice")
			return d.skip(0)
		}
		v, err := value(id)
		(*to)[id] = v
		return err
	})
}

// coefficients are by consumer or by producer and consumer; the first value tells.
func (d *decoder) coefficients() error {
	if d.next() != '{' {
		return unique(d, "coefficients", &d.flat, nil)
	}
	nested, first := false, true
	d.flat, d.pairs = map[string][]Coefficient{}, map[string]map[string][]Coefficient{}
	return d.object(func(id string) error {
		if c := d.next(); first {
			nested, first = c == '{', false
		}
		if _, twice := d.flat[id]; twice || d.pairs[id] != nil {
			d.faults.add(place("coefficients", id), "comes twice")
			return d.skip(0)
		}
		if !nested {
			v, err := series(d, d.flat, id, quickCoefficient, parseCoefficient, "coefficients", id)
			d.flat[id] = v
			return err
		}
		of := map[string][]Coefficient{}
		d.pairs[id] = of
		if d.next() != '{' {
			d.faults.add(place("coefficients", id), "is %s, want an object of consumers", d.kind())
			return d.skip(0)
		}
		return d.object(func(consumer string) error {
			if _, twice := of[consumer]; twice {
				d.faults.add(place("coefficients", id, consumer), "comes twice")
				return d.skip(0)
			}
			v, err := series(d, of, consumer, quickCoefficient, parseCoefficient, "coefficients", id, consumer)
			of[consumer] = v
			return err
		})
	})
}

// series takes the array of numbers of an id; a value that is none is a fault at its place, and 0. An array that is read apart is put into the map later, and what is returned is nil.
func series[V ~int64](d *decoder, to map[string][]V, id string, quick func(text []byte) (V, int), parse func(word []byte) (V, error), where ...any) ([]V, error) {
	var late []V
	if d.apart(func(sub *decoder) (err error) {
		late, err = numbersOf(sub, quick, parse, where...)
		return err
	}, func() { to[id] = late }) {
		return nil, nil
	}
	return numbersOf(d, quick, parse, where...)
}

// numbersOf reads an array of numbers.
//
// Plain numbers that are parted by commas and spaces alone are read by quick, which takes them from the buffer and returns how many bytes they have, or 0: nearly all of a file's time goes there.
func numbersOf[V ~int64](d *decoder, quick func(text []byte) (V, int), parse func(word []byte) (V, error), where ...any) ([]V, error) {
	if d.next() != '[' {
		d.faults.add(place(where...), "is %s, want an array of numbers", d.kind())
		return nil, d.skip(0)
	}
	out := make([]V, 0, d.length)
	err := d.array(func(int) error {
		for {
			v, n := quick(d.buf[d.at:d.end])
			if n == 0 || d.at+n >= d.end || d.buf[d.at+n] != ',' {
				break
			}
			d.at += n + 1
			for d.at < d.end && d.buf[d.at] == ' ' {
				d.at++
			}
			out = append(out, v)
		}
		k := len(out)
		v, fault, err := one(d, parse)
		if fault != nil {
			d.faults.add(place(append(where, k)...), "%v", fault)
		}
		out = append(out, v)
		return err
	})
	d.read, d.length = len(out), max(d.length, len(out))
	return out, err
}

// one takes one number.
func one[V ~int64](d *decoder, parse func(word []byte) (V, error)) (v V, fault, err error) {
	switch d.next() {
	case '"', '{', '[':
		fault = fmt.Errorf("is %s, want a number", d.kind())
		return v, fault, d.skip(0)
	}
	word, err := d.word()
	switch {
	case err != nil:
		return v, nil, err
	case len(word) == 0:
		return v, nil, d.fail("%s, want a number", shown(d.peek()))
	case string(word) == "null":
		return v, errors.New("is missing (null)"), nil
	}
	v, fault = parse(word)
	return v, fault, nil
}

// quickEnergy reads at most 12 plain digits.
func quickEnergy(text []byte) (v units.WattHours, n int) {
	for n < len(text) && n < 13 && text[n] >= '0' && text[n] <= '9' {
		v = v*10 + units.WattHours(text[n]-'0')
		n++
	}
	if n == 13 || n > 1 && text[0] == '0' {
		return 0, 0
	}
	return v, n
}

func parseEnergy(word []byte) (units.WattHours, error) {
	if v, n := quickEnergy(word); n == len(word) {
		return v, nil
	}
	if !isNumber(word) {
		return 0, fmt.Errorf("%.60q is no number", word)
	}
	r, err := rational(string(word))
	switch {
	case err != nil:
		return 0, err
	case r.Sign() < 0:
		return 0, fmt.Errorf("%s Wh is negative", word)
	case !r.IsInt():
		return 0, fmt.Errorf("%s Wh is no whole number of watt-hours", word)
	case !r.Num().IsInt64() || r.Num().Int64() > int64(MaxWh):
		return 0, fmt.Errorf("%s Wh is more than %d Wh", word, MaxWh)
	}
	return units.WattHours(r.Num().Int64()), nil
}

func parseCoefficient(word []byte) (Coefficient, error) {
	if c, n := quickCoefficient(word); n == len(word) {
		return c, nil
	}
	if !isNumber(word) {
		return 0, fmt.Errorf("%.60q is no number", word)
	}
	return ParseCoefficient(string(word))
}

func (d *decoder) coefficient(where ...any) (Coefficient, error) {
	v, fault, err := one(d, parseCoefficient)
	if fault != nil {
		d.faults.add(place(where...), "%v", fault)
	}
	return v, err
}

// isNumber reports whether a word is a number as JSON writes it.
func isNumber(word []byte) bool {
	digits := func() bool {
		n := 0
		for len(word) > 0 && word[0] >= '0' && word[0] <= '9' {
			word = word[1:]
			n++
		}
		return n > 0
	}
	word = bytes.TrimPrefix(word, []byte("-"))
	if len(word) > 1 && word[0] == '0' && word[1] >= '0' && word[1] <= '9' || !digits() {
		return false
	}
	if len(word) > 0 && word[0] == '.' {
		if word = word[1:]; !digits() {
			return false
		}
	}
	if len(word) > 0 && (word[0] == 'e' || word[0] == 'E') {
		if word = word[1:]; len(word) > 0 && (word[0] == '+' || word[0] == '-') {
			word = word[1:]
		}
		if !digits() {
			return false
		}
	}
	return len(word) == 0
}

// operation puts what was read in the order of ids and checks it.
func (d *decoder) operation() (*Operation, error) {
	o := &Operation{StepMinutes: d.step, Key: d.key}
	need := []string{"key", "consumers", "producers"}
	switch d.key {
	case Static:
		need = append(need, "shares")
	case Coefficients, FullDynamic:
		need = append(need, "coefficients")
	}
	for _, name := range need {
		if !d.given[name] {
			d.faults.add(name, "is missing")
		}
	}
	o.Consumers, o.Producers = participants(d.consumers), participants(d.producers)
	ids := slices.Sorted(maps.Keys(d.consumers))
	switch {
	case d.key == Static && d.shares != nil:
		o.Shares = inOrder(d, d.shares, ids, "share", "shares")
	case d.key == Coefficients && d.flat != nil:
		if len(d.pairs) > 0 {
			d.faults.add("coefficients", "are by producer, want {id:[…]} for the coefficients key")
			break
		}
		o.Coefficients = inOrder(d, d.flat, ids, "coefficients", "coefficients")
	case d.key == FullDynamic && d.pairs != nil:
		if len(d.flat) > 0 {
			d.faults.add("coefficients", "are by consumer, want {producer:{id:[…]}} for the full_dynamic key")
			break
		}
		for k, of := range inOrder(d, d.pairs, slices.Sorted(maps.Keys(d.producers)), "coefficients", "coefficients") {
			if of == nil { // told already
				o.Pairs = append(o.Pairs, make([][]Coefficient, len(ids)))
				continue
			}
			o.Pairs = append(o.Pairs, inOrder(d, of, ids, "coefficients", "coefficients", o.Producers[k].ID))
		}
	}
	if err := d.faults.err(); err != nil {
		// What could be read is still checked where that says more: lengths and sums.
		d.rest(o)
		return nil, err
	}
	if err := o.Check(); err != nil {
		return nil, err
	}
	return o, nil
}

// rest adds the faults of an operation that has others already, but for those that follow from them.
func (d *decoder) rest(o *Operation) {
	for _, list := range [][]Participant{o.Consumers, o.Producers} {
		for i := range list {
			fill(&list[i].Wh, d.length)
		}
	}
	for _, list := range append(o.Pairs, o.Coefficients) {
		for i := range list {
			fill(&list[i], d.length)
		}
	}
	var more *Faults
	if !errors.As(o.Check(), &more) {
		return
	}
	seen := map[string]bool{}
	for _, f := range d.faults.List {
		seen[f.Place] = true
	}
	for _, f := range more.List {
		if f.Place == "key" && d.key == "" || f.Place == "shares" && o.Shares == nil || f.Place == "coefficients" && o.Coefficients == nil && o.Pairs == nil || seen[f.Place] {
			continue
		}
		d.faults.add(f.Place, "%s", f.Reason)
	}
	d.faults.More += more.More
}

// fill stands in for a series that could not be read at all.
func fill[V any](series *[]V, length int) {
	if *series == nil {
		*series = make([]V, length)
	}
}

func participants(of map[string][]units.WattHours) (out []Participant) {
	for _, id := range slices.Sorted(maps.Keys(of)) {
		out = append(out, Participant{id, of[id]})
	}
	return out
}

// inOrder returns the values of ids, each of which must have one, and no other.
func inOrder[V any](d *decoder, of map[string]V, ids []string, what string, where ...any) []V {
	out := make([]V, len(ids))
	for i, id := range ids {
		v, ok := of[id]
		if !ok {
			d.faults.add(place(append(where, id)...), "is missing: every participant needs its %s", what)
		}
		out[i] = v
	}
	for _, id := range slices.Sorted(maps.Keys(of)) {
		if _, known := slices.BinarySearch(ids, id); !known {
			d.faults.add(place(append(where, id)...), "is no participant")
		}
	}
	return out
}
