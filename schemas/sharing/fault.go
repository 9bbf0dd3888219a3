package sharing

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"quartier/schemas/units"
)

// Fault is one thing that is wrong with an operation, and where.
type Fault struct {
	Place  string // such as consumers.ecole[3]; empty for the whole
	Reason string // with the value and its unit
}

func (f Fault) String() string {
	if f.Place == "" {
		return f.Reason
	}
	return f.Place + ": " + f.Reason
}

// Faults is the error of an operation that cannot be shared: every fault, a line for each, up to maxFaults of them.
type Faults struct {
	List []Fault
	More int // that are not listed
}

// maxFaults bounds what a file with a fault in every value makes anybody read.
const maxFaults = 1000

func (f *Faults) Error() string {
	lines := make([]string, len(f.List), len(f.List)+1)
	for i := range f.List {
		lines[i] = f.List[i].String()
	}
	if f.More > 0 {
		lines = append(lines, fmt.Sprintf("and %d faults more", f.More))
	}
	return strings.Join(lines, "\n")
}

func (f *Faults) add(place, format string, args ...any) {
	if len(f.List) == maxFaults {
		f.More++
		return
	}
	f.List = append(f.List, Fault{place, fmt.Sprintf(format, args...)})
}

func (f *Faults) err() error {
	if len(f.List) == 0 {
		return nil
	}
	return f
}

// place writes where a value stands in a document: names, and numbers in brackets.
func place(parts ...any) string {
	var b strings.Builder
	for _, p := range parts {
		switch v := p.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", v)
		case string:
			switch {
			case !plain(v):
				fmt.Fprintf(&b, "[%s]", strconv.Quote(v))
			case b.Len() > 0:
				b.WriteString("." + v)
			default:
				b.WriteString(v)
			}
		}
	}
	return b.String()
}

// plain reports whether a name can stand in a place as it is.
func plain(name string) bool {
	for _, r := range name {
		if !(r == '_' || r == '-' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r >= 0xc0) {
			return false
		}
	}
	return name != "" && len(name) <= 100
}

// Check returns all that keeps the operation from being shared, as [Faults], or nil: values out of range, series of unequal lengths, ids that are missing or come twice, coefficients that are
// missing or exceed 1 together.
func (o *Operation) Check() error {
	var f Faults
	if err := o.Key.check(); err != nil {
		f.add("key", "%v", err)
	}
	if o.StepMinutes <= 0 || o.StepMinutes > 60 || 60%o.StepMinutes != 0 {
		f.add("step_minutes", "%d min does not divide an hour", o.StepMinutes)
	}
	var length lengths
	o.checkParticipants(&f, &length)
	ids := make([]string, len(o.Consumers))
	for i := range o.Consumers {
		ids[i] = o.Consumers[i].ID
	}
	switch o.Key {
	case Static:
		if len(o.Shares) != len(ids) {
			f.add("shares", "%d shares, want one for each of %d consumers", len(o.Shares), len(ids))
			break
		}
		sum := 0.0
		for i, k := range o.Shares {
			checkCoefficient(&f, k, "shares", ids[i])
			sum += k.Float()
		}
		if over(sum) {
			f.add("shares", "sum to %s, more than 1", number(sum))
		}
	case Coefficients:
		checkCoefficients(&f, &length, o.Coefficients, ids, "coefficients")
	case FullDynamic:
		if len(o.Pairs) != len(o.Producers) {
			f.add("coefficients", "those of %d producers, want %d", len(o.Pairs), len(o.Producers))
			break
		}
		for p := range o.Pairs {
			checkCoefficients(&f, &length, o.Pairs[p], ids, "coefficients", o.Producers[p].ID)
		}
	}
	length.check(&f)
	return f.err()
}

// lengths holds all series to the length that most of them have.
type lengths struct {
	places []string
	got    []int
}

func (l *lengths) add(got int, parts ...any) {
	l.places, l.got = append(l.places, place(parts...)), append(l.got, got)
}

func (l *lengths) check(f *Faults) {
	count := map[int]int{}
	for _, n := range l.got {
		count[n]++
	}
	usual := -1
	for i, n := range l.got {
		if usual < 0 || count[n] > count[l.got[usual]] {
			usual = i
		}
	}
	for i, n := range l.got {
		if n != l.got[usual] {
			f.add(l.places[i], "%d values, want %d as in %s", n, l.got[usual], l.places[usual])
		}
	}
}

func (o *Operation) checkParticipants(f *Faults, length *lengths) {
	for _, part := range []struct {
		name string
		list []Participant
	}{{"consumers", o.Consumers}, {"producers", o.Producers}} {
		seen := map[string]bool{}
		for _, x := range part.list {
			if seen[x.ID] {
				f.add(place(part.name, x.ID), "comes twice")
			}
			seen[x.ID] = true
			length.add(len(x.Wh), part.name, x.ID)
			for k, v := range x.Wh {
				if v < 0 || v > MaxWh {
					f.add(place(part.name, x.ID, k), "%s", energyFault(v))
				}
			}
		}
	}
}

func energyFault(v units.WattHours) string {
	if v < 0 {
		return fmt.Sprintf("%d Wh is negative", v)
	}
	return fmt.Sprintf("%d Wh is more than %d Wh", v, MaxWh)
}

func checkCoefficient(f *Faults, k Coefficient, parts ...any) {
	switch {
	case k < 0:
		f.add(place(parts...), "%v is negative", k)
	case k > Whole:
		f.add(place(parts...), "%v is more than 1", k)
	}
}

// checkCoefficients checks series of coefficients, by consumer and step.
func checkCoefficients(f *Faults, length *lengths, series [][]Coefficient, ids []string, parts ...any) {
	if len(series) != len(ids) {
		f.add(place(parts...), "%d series, want one for each of %d consumers", len(series), len(ids))
		return
	}
	var sums []float64
	for i := range series {
		length.add(len(series[i]), append(parts, ids[i])...)
		if more := len(series[i]) - len(sums); more > 0 {
			sums = append(sums, make([]float64, more)...)
		}
		for k, v := range series[i] {
			if v < 0 || v > Whole {
				checkCoefficient(f, v, append(parts, ids[i], k)...)
				continue
			}
			sums[k] += v.Float()
		}
	}
	for k, sum := range sums {
		if over(sum) {
			f.add(place(parts...), "sum to %s in step %d, more than 1", number(sum), k)
		}
	}
}

// over reports whether coefficients exceed 1 together by more than binary floats do that were written as decimals.
func over(sum float64) bool { return sum > 1+excess.Float()+1e-14 }

// number writes a sum as briefly as shows that it is above 1.
func number(v float64) string {
	for digits := 6; digits < 15; digits++ {
		if text := strconv.FormatFloat(v, 'f', digits, 64); math.Abs(v-1) > math.Pow(10, -float64(digits-1)) {
			return strings.TrimRight(strings.TrimRight(text, "0"), ".")
		}
	}
	return strconv.FormatFloat(v, 'g', -1, 64)
}
