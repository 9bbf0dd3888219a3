package serve

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"quartier/schemas/district"
)

// HistoryQuery asks for the recorded values of a variable with From <= time < To, oldest first, at most Limit of them.
type HistoryQuery struct {
	NodeID   string // as the variable was added, without namespace
	From, To time.Time
	Limit    int
}

// HistoryValue is a recorded value.
type HistoryValue struct {
	Time    time.Time
	Value   float64
	Quality district.Quality
}

// Bounds of history.
const (
	historyReach = 24 * time.Hour // how far back it is read
	maxHistory   = 5000           // values of one answer
	maxReversed  = 200_000        // values of a day that are turned around, or computed with, at once
	maxHistoryOf = 100            // variables in one request
)

// historyRequest is what matters of a HistoryRead request.
type historyRequest struct {
	details    uint32 // encoding id of the kind of history
	modified   bool
	start, end time.Time
	perNode    uint32
	bounds     bool
	stamps     ua.TimestampsToReturn
	release    bool
	nodes      []historyNode
	interval   time.Duration  // of processed values; 0: the whole span
	aggregates []*ua.NodeID   // one for each node, of processed values
	rules      aggregateRules // of processed values
}

type historyNode struct {
	node         *ua.NodeID
	ranged       bool
	continuation []byte
}

func decodeHistory(body []byte) (r historyRequest, err error) {
	buf := ua.NewBuffer(body)
	var details []byte
	r.details, details = skipExtension(buf)
	r.stamps = ua.TimestampsToReturn(buf.ReadUint32())
	r.release = buf.ReadBool()
	n := length(buf, 16) // node id 2, range 4, encoding 6, continuation 4
	if buf.Error() != nil {
		return r, errShape
	}
	r.nodes = make([]historyNode, n)
	for i := range r.nodes {
		h := &r.nodes[i]
		h.node = new(ua.NodeID)
		buf.ReadStruct(h.node)
		h.ranged = buf.ReadString() != ""
		buf.ReadUint16()
		buf.ReadString()
		h.continuation = buf.ReadBytes()
		if buf.Error() != nil {
			return r, errShape
		}
	}
	d := ua.NewBuffer(details)
	switch r.details {
	case id.ReadRawModifiedDetails_Encoding_DefaultBinary:
		r.modified = d.ReadBool()
		r.start, r.end = d.ReadTime(), d.ReadTime()
		r.perNode = d.ReadUint32()
		r.bounds = d.ReadBool()
	case id.ReadProcessedDetails_Encoding_DefaultBinary:
		r.start, r.end = d.ReadTime(), d.ReadTime()
		interval := d.ReadFloat64() // milliseconds
		if !(interval >= 0 && interval <= milliseconds(math.MaxInt64/2)) {
			return r, ua.StatusBadInvalidArgument
		}
		r.interval = time.Duration(interval * float64(time.Millisecond))
		r.aggregates = make([]*ua.NodeID, length(d, 2))
		for i := range r.aggregates {
			r.aggregates[i] = new(ua.NodeID)
			d.ReadStruct(r.aggregates[i])
		}
		defaults := d.ReadBool()
		r.rules = aggregateRules{uncertainIsBad: d.ReadBool(), percentBad: d.ReadByte(), percentGood: d.ReadByte()}
		if d.ReadBool(); defaults {
			r.rules = aggregateDefaults
		}
	}
	if d.Error() != nil {
		return r, errShape
	}
	return r, nil
}

// historyPoint is where a history read goes on.
type historyPoint struct {
	node     string
	from, to time.Time
	reverse  bool
	left     int // values still wanted; 0: all
	each     int // values of an answer; 0: as many as fit
	computed *computed
}

// computed is what is left of a read of processed values.
type computed struct {
	kind       aggregateKind
	rules      aggregateRules
	start, end time.Time // in the direction of the request
	interval   time.Duration
}

func (ses *session) historyRead(ctx context.Context, hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	r, err := decodeHistory(body)
	switch {
	case err != nil:
		return nil, err
	case len(r.nodes) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(r.nodes) > maxHistoryOf:
		return nil, ua.StatusBadTooManyOperations
	case r.stamps > ua.TimestampsToReturnBoth:
		return nil, ua.StatusBadTimestampsToReturnInvalid
	case r.details == id.ReadProcessedDetails_Encoding_DefaultBinary:
		if len(r.aggregates) != len(r.nodes) {
			return nil, ua.StatusBadAggregateListMismatch
		}
	case r.details != id.ReadRawModifiedDetails_Encoding_DefaultBinary || r.modified || r.bounds:
		return nil, ua.StatusBadHistoryOperationUnsupported
	}
	results := make([]*ua.HistoryReadResult, len(r.nodes))
	room := maxHistory
	for i, n := range r.nodes {
		var aggregate *ua.NodeID
		if r.aggregates != nil {
			aggregate = r.aggregates[i]
		}
		results[i] = ses.history(ctx, &r, n, aggregate, &room)
	}
	return &ua.HistoryReadResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

// history answers for one node; aggregate is nil for raw values.
func (ses *session) history(ctx context.Context, r *historyRequest, n historyNode, aggregate *ua.NodeID, room *int) *ua.HistoryReadResult {
	fail := func(s ua.StatusCode) *ua.HistoryReadResult {
		return &ua.HistoryReadResult{StatusCode: s, HistoryData: ua.NewExtensionObject(nil)}
	}
	var p historyPoint
	if len(n.continuation) > 0 {
		ses.mu.Lock()
		kept, ok := ses.histories[string(n.continuation)]
		delete(ses.histories, string(n.continuation))
		ses.mu.Unlock()
		switch {
		case !ok:
			return fail(ua.StatusBadContinuationPointInvalid)
		case r.release:
			return fail(ua.StatusOK)
		}
		p = kept
	} else {
		if r.release {
			return fail(ua.StatusBadContinuationPointInvalid)
		}
		at := ses.srv.space.get(n.node)
		switch {
		case at == nil:
			return fail(ua.StatusBadNodeIDUnknown)
		case !at.history || ses.srv.cfg.History == nil:
			return fail(ua.StatusBadHistoryOperationUnsupported)
		case n.ranged:
			return fail(ua.StatusBadIndexRangeInvalid)
		}
		var bad ua.StatusCode
		if aggregate != nil {
			p, bad = r.processed(aggregate)
		} else {
			p, bad = r.span(ses.srv.cfg.Now())
		}
		if bad != ua.StatusOK {
			return fail(bad)
		}
		p.node = at.text
	}
	ses.mu.Lock()
	full := len(ses.histories) >= maxContinuation
	ses.mu.Unlock()
	read := ses.srv.page
	if p.computed != nil {
		read = ses.srv.compute
	}
	values, next, err := read(ctx, p, *room)
	switch {
	case errors.Is(err, context.Canceled):
		return fail(ua.StatusBadShutdown)
	case errors.Is(err, errTooMany):
		return fail(ua.StatusBadResponseTooLarge)
	case err != nil:
		ses.srv.log.Warn("opc ua history", "node", p.node, "err", err)
		return fail(ua.StatusBadHistoryOperationInvalid)
	case next != nil && full:
		return fail(ua.StatusBadNoContinuationPoints)
	}
	*room -= len(values)
	out := &ua.HistoryReadResult{HistoryData: ua.NewExtensionObject(&ua.HistoryData{DataValues: values})}
	if len(values) == 0 && next == nil {
		out.StatusCode = ua.StatusGoodNoData
	}
	if next != nil {
		out.ContinuationPoint = randomBytes(8)
		ses.mu.Lock()
		ses.histories[string(out.ContinuationPoint)] = *next
		ses.mu.Unlock()
	}
	return out
}

// span is what a request asks for, of which two of start, end and number of values must be given (Part 11, 6.4.3): backwards when the end comes first or there is no start. The end is
// exclusive. The number bounds each answer where both times are given, and is all that is wanted otherwise. Nothing older than a day is read.
func (r *historyRequest) span(now time.Time) (p historyPoint, bad ua.StatusCode) {
	most := int(min(r.perNode, 1<<30))
	oldest := now.Add(-historyReach)
	switch s, e := given(r.start), given(r.end); {
	case s && e:
		p.from, p.to, p.reverse, p.each = r.start, r.end, r.end.Before(r.start), most
	case s && most > 0:
		p.from, p.to, p.left = r.start, now.Add(time.Nanosecond), most
	case e && most > 0:
		p.from, p.to, p.reverse, p.left = r.end, oldest, true, most
	default:
		return p, ua.StatusBadInvalidTimestampArgument
	}
	if p.reverse { // times from the end, exclusive, to the start, inclusive
		p.from, p.to = p.to.Add(time.Nanosecond), p.from.Add(time.Nanosecond)
	}
	if p.from.Before(oldest) {
		p.from = oldest
	}
	return p, ua.StatusOK
}

// given reports whether a time is one.
func given(t time.Time) bool { return t.Year() > 1601 }

// processed is what a request for processed values asks for (Part 11, 6.4.4): both times, which differ, and a function that is served.
func (r *historyRequest) processed(aggregate *ua.NodeID) (p historyPoint, bad ua.StatusCode) {
	kind := aggregateKind(aggregate.IntID())
	switch {
	case !given(r.start) || !given(r.end):
		return p, ua.StatusBadInvalidTimestampArgument
	case r.start.Equal(r.end):
		return p, ua.StatusBadInvalidArgument
	case aggregate.Namespace() != 0 || !kind.known():
		return p, ua.StatusBadAggregateNotSupported
	case !r.rules.valid():
		return p, ua.StatusBadAggregateConfigurationRejected
	}
	p.computed = &computed{kind, r.rules, r.start, r.end, r.interval}
	return p, ua.StatusOK
}

// errTooMany is the error of a span with more values than are read at once.
var errTooMany = errors.New("more values than are read at once")

// around is how far beyond an interval the values at its bounds are looked for.
const around = time.Hour

// compute computes the next processed values, and where to go on; nil at the end.
func (s *Server) compute(ctx context.Context, p historyPoint, room int) (out []*ua.DataValue, next *historyPoint, err error) {
	c := *p.computed
	now := s.cfg.Now()
	known := stretch{from: now.Add(-historyReach), to: now}
	list, rest := stretches(c.start, c.end, c.interval, known.from, known.to, room)
	out = make([]*ua.DataValue, 0, len(list))
	if len(list) > 0 {
		from, to := list[0].from, list[len(list)-1].to
		if c.end.Before(c.start) {
			from, to = list[len(list)-1].from, list[0].to
		}
		from, to = later(from.Add(-around), known.from), earlier(to.Add(around), now.Add(time.Nanosecond))
		var values []HistoryValue
		if from.Before(to) {
			if values, err = s.cfg.History(ctx, HistoryQuery{p.node, from, to, maxReversed}); err != nil {
				return nil, nil, err
			}
		}
		if len(values) == maxReversed {
			return nil, nil, errTooMany
		}
		recorded := seriesOf(values)
		for _, one := range list {
			at := one.from
			if c.end.Before(c.start) {
				at = one.to
			}
			out = append(out, aggregate(c.kind, c.rules, one, at, known, recorded))
		}
	}
	if rest.IsZero() {
		return out, nil, nil
	}
	c.start, p.computed = rest, &c
	return out, &p, nil
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// page reads the next values, and where to go on; nil at the end.
func (s *Server) page(ctx context.Context, p historyPoint, room int) (out []*ua.DataValue, next *historyPoint, err error) {
	out = []*ua.DataValue{}
	want := room
	for _, most := range []int{p.left, p.each} {
		if most > 0 {
			want = min(want, most)
		}
	}
	if want <= 0 && p.from.Before(p.to) {
		return out, &p, nil
	}
	if !p.from.Before(p.to) {
		return out, nil, nil
	}
	limit := want + 1
	if p.reverse {
		limit = maxReversed
	}
	values, err := s.cfg.History(ctx, HistoryQuery{p.node, p.from, p.to, limit})
	if err != nil {
		return nil, nil, err
	}
	if p.reverse {
		slices.Reverse(values)
	}
	more := len(values) > want
	if more {
		values = values[:want]
	}
	for _, v := range values {
		dv := &ua.DataValue{EncodingMask: ua.DataValueStatusCode | ua.DataValueSourceTimestamp | ua.DataValueServerTimestamp | ua.DataValueValue, Status: statusOf(v.Quality),
			SourceTimestamp: v.Time.UTC(), ServerTimestamp: v.Time.UTC(), Value: ua.MustVariant(v.Value)}
		out = append(out, dv)
	}
	if !more || p.left > 0 && p.left <= len(values) {
		return out, nil, nil
	}
	if p.left > 0 {
		p.left -= len(values)
	}
	last := values[len(values)-1].Time
	if p.reverse {
		p.to = last
	} else {
		p.from = last.Add(time.Nanosecond)
	}
	return out, &p, nil
}
