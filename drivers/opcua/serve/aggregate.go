package serve

import (
	"math"
	"sort"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"quartier/schemas/district"
)

// aggregateKind is an aggregate function of OPC UA Part 13.
type aggregateKind uint32

// The aggregate functions that are served, by their node ids.
const (
	average     aggregateKind = id.AggregateFunction_Average     // mean of the good values
	timeAverage aggregateKind = id.AggregateFunction_TimeAverage // mean over time, by straight lines between good values
	total       aggregateKind = id.AggregateFunction_Total       // integral over time, in the unit of the variable times seconds
	minimum     aggregateKind = id.AggregateFunction_Minimum
	maximum     aggregateKind = id.AggregateFunction_Maximum
	count       aggregateKind = id.AggregateFunction_Count // of good values
	delta       aggregateKind = id.AggregateFunction_Delta // last good value less the first one
)

// aggregateNames are the browse names of the functions, in the order in which they are told.
var aggregateNames = []struct {
	kind aggregateKind
	name string
}{{average, "Average"}, {timeAverage, "TimeAverage"}, {total, "Total"}, {minimum, "Minimum"}, {maximum, "Maximum"}, {count, "Count"}, {delta, "Delta"}}

// known reports whether the function is served.
func (k aggregateKind) known() bool {
	for _, a := range aggregateNames {
		if a.kind == k {
			return true
		}
	}
	return false
}

// aggregateRules are the AggregateConfiguration of a request (Part 13, 4.2.1.2); the zero value is none.
type aggregateRules struct {
	uncertainIsBad bool
	percentBad     uint8 // of values, from which on a result is bad
	percentGood    uint8 // of values, from which on a result is good
}

// aggregateDefaults are those of Part 13.
var aggregateDefaults = aggregateRules{uncertainIsBad: true, percentBad: 100, percentGood: 100}

func (r aggregateRules) valid() bool {
	return r.percentBad <= 100 && r.percentGood <= 100 && int(r.percentGood) >= 100-int(r.percentBad)
}

// Bits of a status code about a value (Part 4, 7.39; Part 11, 6.5.2): that there are such bits, and what they say of a value of history.
const (
	aboutValue      ua.StatusCode = 0x400
	calculatedValue ua.StatusCode = 0x01
	partialValue    ua.StatusCode = 0x04
	multipleValues  ua.StatusCode = 0x10
)

// stretch is an interval of which one result is computed: from <= time < to. Partial is one that is shorter than was asked, or in which there can be values that are not there:
// before the record begins, or still to come.
type stretch struct {
	from, to time.Time
	partial  bool
}

// stretches cuts a span into intervals, in the order in which they were asked for: from start to end, which may come first. An interval of 0 is all of the span. Known is the time
// of which there can be a record. At most most of them are made; rest is where the others begin, zero without any.
func stretches(start, end time.Time, interval time.Duration, knownFrom, knownTo time.Time, most int) (out []stretch, rest time.Time) {
	back := end.Before(start)
	if interval <= 0 {
		interval = end.Sub(start).Abs()
	}
	for at := start; !at.Equal(end); {
		if len(out) == most {
			return out, at
		}
		next, whole := at.Add(interval), true
		if back {
			next = at.Add(-interval)
		}
		if back && next.Before(end) || !back && next.After(end) {
			next, whole = end, false
		}
		s := stretch{from: at, to: next, partial: !whole}
		if back {
			s.from, s.to = next, at
		}
		s.partial = s.partial || s.from.Before(knownFrom) || s.to.After(knownTo)
		out = append(out, s)
		at = next
	}
	return out, time.Time{}
}

// series is what is recorded of a variable, sorted by time.
type series struct {
	values []HistoryValue
	good   []HistoryValue // those among them that are
}

func seriesOf(values []HistoryValue) series {
	s := series{values: values, good: make([]HistoryValue, 0, len(values))}
	for i := range values {
		if values[i].Quality == district.Good {
			s.good = append(s.good, values[i])
		}
	}
	return s
}

// aggregate computes one result from recorded values, which may reach beyond the interval for the values at its bounds. It looks at those in and beside the interval alone, however many there are. The
// time of a result is that at which its interval begins in the direction of the request.
func aggregate(kind aggregateKind, rules aggregateRules, s stretch, at time.Time, known stretch, recorded series) *ua.DataValue {
	values := recorded.values
	out := &ua.DataValue{EncodingMask: ua.DataValueStatusCode | ua.DataValueSourceTimestamp | ua.DataValueServerTimestamp, SourceTimestamp: at.UTC(), ServerTimestamp: at.UTC()}
	first := sort.Search(len(values), func(i int) bool { return !values[i].Time.Before(s.from) })
	end := sort.Search(len(values), func(i int) bool { return !values[i].Time.Before(s.to) })
	inside := values[first:max(first, end)]
	if len(inside) == 0 && (len(values) == 0 || !values[len(values)-1].Time.After(s.from) || !values[0].Time.Before(s.to)) || !s.to.After(known.from) || !s.from.Before(known.to) {
		out.Status = ua.StatusBadNoData // before the data begins or after it ends
		return out
	}
	t := tallied(inside, rules)
	status, bits, value := t.status(rules), aboutValue|calculatedValue, any(nil)
	switch kind {
	case count:
		value = int32(t.good)
	case total, timeAverage:
		integral, covered := integrate(recorded.good, s)
		if covered <= 0 {
			out.Status = ua.StatusBadNoData
			return out
		}
		if value = integral; kind == timeAverage {
			value = integral / covered.Seconds() // of the part that has a beginning and an end
		}
		if status = ua.StatusOK; t.bad > 0 || covered < s.to.Sub(s.from) {
			status = ua.StatusUncertainDataSubNormal
		}
	default:
		if t.good == 0 {
			out.Status = ua.StatusBadNoData
			return out
		}
		switch kind {
		case average:
			value = t.sum / float64(t.good)
		case minimum, maximum:
			e := t.low
			if kind == maximum {
				e = t.high
			}
			value = e.value
			if e.at.Equal(s.from) {
				bits &^= calculatedValue // it is the raw value at this time
			}
			if e.often > 1 {
				bits |= multipleValues
			}
			if status = ua.StatusOK; t.bad > 0 || kind == minimum && t.uncertainLow < e.value || kind == maximum && t.uncertainHigh > e.value {
				status = ua.StatusUncertainDataSubNormal
			}
		case delta:
			value = t.last - t.first
			if status = ua.StatusOK; inside[0].Quality != district.Good || inside[len(inside)-1].Quality != district.Good {
				status = ua.StatusUncertainDataSubNormal
			}
		}
	}
	if s.partial {
		bits |= partialValue
	}
	out.Status = status | bits
	if status&0x80000000 != 0 {
		out.Status = status
	} else {
		out.EncodingMask |= ua.DataValueValue
		out.Value = ua.MustVariant(value)
	}
	return out
}

// extreme is the least or the greatest good value of an interval.
type extreme struct {
	value float64
	at    time.Time // when it came first
	often int
}

// tally is what the values of an interval amount to.
type tally struct {
	good, bad, uncertain        int
	sum, first, last            float64 // of good values
	low, high                   extreme
	uncertainLow, uncertainHigh float64
}

func tallied(values []HistoryValue, rules aggregateRules) (t tally) {
	t.uncertainLow, t.uncertainHigh = math.Inf(1), math.Inf(-1)
	for i := range values {
		v := &values[i]
		switch v.Quality {
		case district.Good:
		case district.Bad:
			t.bad++
			continue
		default:
			t.uncertain++
			t.uncertainLow, t.uncertainHigh = min(t.uncertainLow, v.Value), max(t.uncertainHigh, v.Value)
			continue
		}
		if t.good == 0 {
			t.first, t.low, t.high = v.Value, extreme{v.Value, v.Time, 0}, extreme{v.Value, v.Time, 0}
		}
		t.good++
		t.sum += v.Value
		t.last = v.Value
		switch {
		case v.Value < t.low.value:
			t.low = extreme{v.Value, v.Time, 1}
		case v.Value == t.low.value:
			t.low.often++
		}
		switch {
		case v.Value > t.high.value:
			t.high = extreme{v.Value, v.Time, 1}
		case v.Value == t.high.value:
			t.high.often++
		}
	}
	if rules.uncertainIsBad {
		t.bad, t.uncertain = t.bad+t.uncertain, 0
	}
	return t
}

// status is that of a result by the shares of good and of bad values.
func (t *tally) status(r aggregateRules) ua.StatusCode {
	all := float64(t.good + t.bad + t.uncertain)
	switch {
	case all == 0, 100*float64(t.good) >= float64(r.percentGood)*all:
		return ua.StatusOK
	case 100*float64(t.bad) >= float64(r.percentBad)*all:
		return ua.StatusBad
	}
	return ua.StatusUncertainDataSubNormal
}

// integrate is the integral of good values over an interval by straight lines between them, in their unit times seconds. What lies before the first or after the last of them is not covered.
func integrate(good []HistoryValue, s stretch) (sum float64, covered time.Duration) {
	next := sort.Search(len(good), func(i int) bool { return good[i].Time.After(s.from) })
	for i := max(next, 1); i < len(good) && good[i-1].Time.Before(s.to); i++ {
		from, to := good[i-1].Time, good[i].Time
		a, b := good[i-1].Value, good[i].Value
		slope := (b - a) / to.Sub(from).Seconds()
		if from.Before(s.from) {
			a += slope * s.from.Sub(from).Seconds()
			from = s.from
		}
		if to.After(s.to) {
			b -= slope * to.Sub(s.to).Seconds()
			to = s.to
		}
		sum += (a + b) / 2 * to.Sub(from).Seconds()
		covered += to.Sub(from)
	}
	return sum, covered
}
