package serve

import (
	"math"
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"pgregory.net/rapid"

	"quartier/schemas/district"
)

// second returns an instant on the scale of these tests.
func second(s float64) time.Time {
	return time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC).Add(time.Duration(s * float64(time.Second)))
}

// record is values each ten seconds, one bad, one uncertain, and a gap from 60 on to 100.
func record() []HistoryValue {
	return []HistoryValue{
		{second(10), 10, district.Good}, {second(20), 20, district.Good}, {second(30), 30, district.Good}, {second(40), 40, district.Bad},
		{second(50), 50, district.Good}, {second(60), 5, district.Uncertain}, {second(100), 50, district.Good}, {second(110), 50, district.Good},
	}
}

// TestAggregates: each function over intervals that are whole, empty, partial, and hold values that are not good, by the rules of Part 13.
func TestAggregates(t *testing.T) {
	const calc = aboutValue | calculatedValue
	var (
		good      = ua.StatusOK
		uncertain = ua.StatusUncertainDataSubNormal
		none      = ua.StatusBadNoData
	)
	lenient := aggregateRules{percentBad: 100, percentGood: 50}
	known := stretch{from: second(0), to: second(200)}
	for _, tt := range []struct {
		name     string
		kind     aggregateKind
		rules    aggregateRules
		from, to float64
		want     any // nil: no value
		status   ua.StatusCode
	}{
		{"average", average, aggregateDefaults, 10, 30, 15.0, good | calc},
		{"average, the end belongs to the next", average, aggregateDefaults, 10, 31, 20.0, good | calc},
		{"average beside a bad value", average, aggregateDefaults, 20, 50, 25.0, uncertain | calc},
		{"average where enough is good", average, lenient, 20, 50, 25.0, good | calc},
		{"average of bad values alone", average, aggregateDefaults, 35, 45, nil, none},
		{"average in a gap", average, aggregateDefaults, 70, 90, nil, none},
		{"average before the data", average, aggregateDefaults, 0, 10, nil, none},
		{"average after the data", average, aggregateDefaults, 120, 150, nil, none},
		{"average, beginning before the data", average, aggregateDefaults, 0, 20, 10.0, good | calc},
		{"average, from before there is a record", average, aggregateDefaults, -20, 20, 10.0, good | calc | partialValue},
		{"average, into what is to come", average, aggregateDefaults, 100, 220, 50.0, good | calc | partialValue},
		{"count", count, aggregateDefaults, 10, 40, int32(3), good | calc},
		{"count in a gap", count, aggregateDefaults, 70, 90, int32(0), good | calc},
		{"count beside an uncertain value", count, aggregateDefaults, 50, 70, int32(1), uncertain | calc},
		{"count of bad values alone", count, aggregateDefaults, 35, 45, nil, ua.StatusBad},
		{"count after the data", count, aggregateDefaults, 120, 150, nil, none},
		{"minimum at the beginning is raw", minimum, aggregateDefaults, 10, 40, 10.0, good | aboutValue},
		{"minimum later is calculated", minimum, aggregateDefaults, 5, 40, 10.0, good | calc},
		{"minimum beside a bad value", minimum, aggregateDefaults, 25, 45, 30.0, uncertain | calc},
		{"minimum above an uncertain value", minimum, lenient, 45, 70, 50.0, uncertain | calc},
		{"maximum above an uncertain value", maximum, lenient, 45, 70, 50.0, good | calc},
		{"maximum", maximum, aggregateDefaults, 10, 40, 30.0, good | calc},
		{"maximum twice", maximum, aggregateDefaults, 95, 115, 50.0, good | calc | multipleValues},
		{"maximum of none", maximum, aggregateDefaults, 60, 70, nil, none},
		{"delta", delta, aggregateDefaults, 10, 40, 20.0, good | calc},
		{"delta of one", delta, aggregateDefaults, 10, 20, 0.0, good | calc},
		{"delta with a bad end", delta, aggregateDefaults, 10, 45, 20.0, uncertain | calc},
		{"total between values", total, aggregateDefaults, 10, 30, 400.0, good | calc},
		{"total, bounds between values", total, aggregateDefaults, 15, 25, 200.0, good | calc},
		{"total across a gap", total, aggregateDefaults, 70, 90, 1000.0, good | calc},
		{"total from before the data", total, aggregateDefaults, 0, 20, 150.0, uncertain | calc},
		{"total over a bad value", total, aggregateDefaults, 30, 50, 800.0, uncertain | calc},
		{"time average between values", timeAverage, aggregateDefaults, 10, 30, 20.0, good | calc},
		{"time average, bounds between values", timeAverage, aggregateDefaults, 15, 25, 20.0, good | calc},
		{"time average across a gap", timeAverage, aggregateDefaults, 70, 90, 50.0, good | calc},
		{"time average from before the data", timeAverage, aggregateDefaults, 0, 20, 15.0, uncertain | calc},
		{"time average over a bad value", timeAverage, aggregateDefaults, 30, 50, 40.0, uncertain | calc},
		{"time average after the data", timeAverage, aggregateDefaults, 120, 150, nil, none},
		{"total after the data", total, aggregateDefaults, 120, 150, nil, none},
	} {
		s := stretch{from: second(tt.from), to: second(tt.to)}
		s.partial = s.from.Before(known.from) || s.to.After(known.to)
		v := aggregate(tt.kind, tt.rules, s, s.from, known, seriesOf(record()))
		var got any
		if v.Value != nil {
			got = v.Value.Value()
		}
		if got != tt.want || v.Status != tt.status || !v.SourceTimestamp.Equal(s.from) {
			t.Errorf("%s: %v with %#x at %v, want %v with %#x", tt.name, got, uint32(v.Status), v.SourceTimestamp, tt.want, uint32(tt.status))
		}
	}
}

// TestStretches: a span is cut without gap or overlap in its direction, the last piece being partial where the interval does not go into it, in any number of pages.
func TestStretches(t *testing.T) {
	known := stretch{from: second(-1e6), to: second(1e6)}
	rapid.Check(t, func(t *rapid.T) {
		start, end := second(float64(rapid.IntRange(0, 1000).Draw(t, "start"))), second(float64(rapid.IntRange(0, 1000).Draw(t, "end")))
		if start.Equal(end) {
			return
		}
		interval := time.Duration(rapid.IntRange(0, 400).Draw(t, "interval")) * time.Second
		most := rapid.IntRange(1, 7).Draw(t, "most")
		back := end.Before(start)
		n := 0
		for at := start; !at.IsZero(); {
			list, rest := stretches(at, end, interval, known.from, known.to, most)
			if len(list) == 0 || len(list) > most || !rest.IsZero() && len(list) != most {
				t.Fatalf("%d intervals, the rest from %v", len(list), rest)
			}
			for i, s := range list {
				n++
				begin, until := s.from, s.to
				if back {
					begin, until = until, begin
				}
				last := rest.IsZero() && i == len(list)-1
				whole := interval == 0 || s.to.Sub(s.from) == interval
				if !begin.Equal(at) || !s.from.Before(s.to) || last != until.Equal(end) || s.partial == whole || !whole && !last {
					t.Fatalf("%v to %v, partial %v, after %v", s.from, s.to, s.partial, at)
				}
				at = until
			}
			at = rest
		}
		if want := int(math.Ceil(end.Sub(start).Abs().Seconds() / interval.Seconds())); interval > 0 && n != want || interval == 0 && n != 1 {
			t.Fatalf("%d intervals, want %d", n, want)
		}
	})
}

// TestIntegral: the integral over an interval is what the lines between all neighbours among the good values have within it, each by itself.
func TestIntegral(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var values []HistoryValue
		at := 0
		for range rapid.IntRange(0, 12).Draw(t, "values") {
			at += rapid.IntRange(1, 20).Draw(t, "after")
			values = append(values, HistoryValue{second(float64(at)), float64(rapid.IntRange(-9, 9).Draw(t, "value")), rapid.SampledFrom([]district.Quality{district.Good, district.Good, district.Bad, district.Uncertain}).Draw(t, "quality")})
		}
		from := rapid.IntRange(0, 100).Draw(t, "from")
		to := from + rapid.IntRange(1, 100).Draw(t, "long")
		var want float64
		var covered time.Duration
		var last *HistoryValue
		for i := range values {
			v := &values[i]
			if v.Quality != district.Good {
				continue
			}
			if last != nil {
				for s := max(from, int(last.Time.Sub(second(0)).Seconds())); s < min(to, int(v.Time.Sub(second(0)).Seconds())); s++ { // second by second
					share := second(float64(s)+0.5).Sub(last.Time).Seconds() / v.Time.Sub(last.Time).Seconds()
					want += last.Value + share*(v.Value-last.Value)
					covered += time.Second
				}
			}
			last = v
		}
		got, over := integrate(seriesOf(values).good, stretch{from: second(float64(from)), to: second(float64(to))})
		if math.Abs(got-want) > 1e-9 || over != covered {
			t.Fatalf("%v: %g over %v from %d to %d, want %g over %v", values, got, over, from, to, want, covered)
		}
	})
}

// TestReadProcessed: processed values come by the service, forwards, backwards and in pages; what cannot be computed is refused by the right word.
func TestReadProcessed(t *testing.T) {
	p := startPlant(t, nil, nil, func(c *Config) { c.Unsecured = true })
	p.server.cfg.History = secondly
	r := openSession(t, p.addr)
	end := time.Now().UTC().Truncate(time.Minute)
	config := &ua.AggregateConfiguration{UseServerCapabilitiesDefaults: true}
	ask := func(d *ua.ReadProcessedDetails, point []byte) (*ua.HistoryReadResult, ua.StatusCode) {
		t.Helper()
		switch resp := r.call(&ua.HistoryReadRequest{RequestHeader: r.hdr(), HistoryReadDetails: ua.NewExtensionObject(d),
			NodesToRead: []*ua.HistoryReadValueID{{NodeID: ua.MustParseNodeID("ns=2;s=A"), DataEncoding: &ua.QualifiedName{}, ContinuationPoint: point}}}).(type) {
		case *ua.HistoryReadResponse:
			return resp.Results[0], ua.StatusOK
		case *ua.ServiceFault:
			return nil, resp.ResponseHeader.ServiceResult
		}
		t.Fatal("another answer")
		return nil, 0
	}
	functions := func(ids ...uint32) (out []*ua.NodeID) {
		for _, n := range ids {
			out = append(out, nodeID(n))
		}
		return out
	}
	for _, back := range []bool{false, true} {
		d := &ua.ReadProcessedDetails{StartTime: end.Add(-3 * time.Hour), EndTime: end, ProcessingInterval: 1000, AggregateType: functions(id.AggregateFunction_Average), AggregateConfiguration: config}
		if back {
			d.StartTime, d.EndTime = d.EndTime, d.StartTime
		}
		var point []byte
		n, pages := 0, 0
		for {
			one, status := ask(d, point)
			if status != ua.StatusOK || one.StatusCode != ua.StatusOK {
				t.Fatalf("%v, %+v", status, one)
			}
			pages++
			for _, v := range one.HistoryData.Value.(*ua.HistoryData).DataValues {
				at, want := d.StartTime.Add(time.Duration(n)*time.Second), 0.0
				want = float64(at.Unix())
				if back {
					at, want = d.StartTime.Add(-time.Duration(n)*time.Second), float64(d.StartTime.Unix()-int64(n)-1)
				}
				if !v.SourceTimestamp.Equal(at) || v.Value == nil || v.Value.Float() != want || v.Status != aboutValue|calculatedValue {
					t.Fatalf("back %v: value %d is %+v, want %v at %v", back, n, v, want, at)
				}
				n++
			}
			if point = one.ContinuationPoint; len(point) == 0 {
				break
			}
		}
		if n != 3*3600 || pages != 3 {
			t.Errorf("back %v: %d values in %d pages", back, n, pages)
		}
	}
	for name, tt := range map[string]struct {
		change func(d *ua.ReadProcessedDetails)
		want   ua.StatusCode
	}{
		"no end":              {func(d *ua.ReadProcessedDetails) { d.EndTime = time.Time{} }, ua.StatusBadInvalidTimestampArgument},
		"no time between":     {func(d *ua.ReadProcessedDetails) { d.EndTime = d.StartTime }, ua.StatusBadInvalidArgument},
		"an unknown function": {func(d *ua.ReadProcessedDetails) { d.AggregateType = functions(id.AggregateFunction_AnnotationCount) }, ua.StatusBadAggregateNotSupported},
		"no function":         {func(d *ua.ReadProcessedDetails) { d.AggregateType = nil }, ua.StatusBadAggregateListMismatch},
		"two for one node":    {func(d *ua.ReadProcessedDetails) { d.AggregateType = functions(2342, 2346) }, ua.StatusBadAggregateListMismatch},
		"a negative interval": {func(d *ua.ReadProcessedDetails) { d.ProcessingInterval = -1 }, ua.StatusBadInvalidArgument},
		"an interval of NaN":  {func(d *ua.ReadProcessedDetails) { d.ProcessingInterval = math.NaN() }, ua.StatusBadInvalidArgument},
		"shares that disagree": {func(d *ua.ReadProcessedDetails) {
			d.AggregateConfiguration = &ua.AggregateConfiguration{PercentDataBad: 30, PercentDataGood: 60}
		}, ua.StatusBadAggregateConfigurationRejected},
	} {
		d := &ua.ReadProcessedDetails{StartTime: end.Add(-time.Hour), EndTime: end, ProcessingInterval: 60000, AggregateType: functions(id.AggregateFunction_Average), AggregateConfiguration: config}
		tt.change(d)
		one, status := ask(d, nil)
		if one != nil {
			status = one.StatusCode
		}
		if status != tt.want {
			t.Errorf("%s: %v, want %v", name, status, tt.want)
		}
	}
}
