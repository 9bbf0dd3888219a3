package serve

import (
	"context"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/pki"
	"quartier/schemas/district"
)

// TestHistory: the record of a day in pages, forwards and backwards, by number of values, with nothing lost or twice; what is no history is refused.
func TestHistory(t *testing.T) {
	client := newParty(t, pki.Application{URI: clientURI}, time.Now())
	p := startPlant(t, []party{client}, nil, nil)
	c, err := p.connect(t, client, ua.SecurityPolicyURIBasic256Sha256, ua.MessageSecurityModeSign, "victor", "long enough", nil)
	if err != nil {
		t.Fatal(err)
	}
	read := func(d *ua.ReadRawModifiedDetails, node string, point []byte) *ua.HistoryReadResult {
		t.Helper()
		resp, err := c.HistoryReadRawModified(t.Context(), []*ua.HistoryReadValueID{{NodeID: ua.MustParseNodeID(node), DataEncoding: &ua.QualifiedName{}, ContinuationPoint: point}}, d)
		if err != nil {
			t.Fatal(err)
		}
		return resp.Results[0]
	}
	now := time.Now().UTC().Truncate(time.Minute)
	ago := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	for name, tt := range map[string]struct {
		d           ua.ReadRawModifiedDetails
		first, last int // minutes ago
		count       int
	}{
		"an hour":                       {ua.ReadRawModifiedDetails{StartTime: ago(60), EndTime: ago(0)}, 60, 1, 60},
		"an hour, seven at a time":      {ua.ReadRawModifiedDetails{StartTime: ago(60), EndTime: ago(0), NumValuesPerNode: 7}, 60, 54, 7},
		"backwards":                     {ua.ReadRawModifiedDetails{StartTime: ago(0), EndTime: ago(60)}, 0, 59, 60},
		"ten from an instant":           {ua.ReadRawModifiedDetails{StartTime: ago(100), NumValuesPerNode: 10}, 100, 91, 10},
		"ten before an instant":         {ua.ReadRawModifiedDetails{EndTime: ago(100), NumValuesPerNode: 10}, 100, 109, 10},
		"more than there is in the day": {ua.ReadRawModifiedDetails{StartTime: ago(60 * 48), EndTime: ago(60 * 24)}, 0, 0, 0},
	} {
		r := read(&tt.d, "ns=2;s=A", nil)
		if tt.count == 0 {
			if r.StatusCode != ua.StatusGoodNoData {
				t.Errorf("%s: %v, want GoodNoData", name, r.StatusCode)
			}
			continue
		}
		h, ok := r.HistoryData.Value.(*ua.HistoryData)
		if !ok || r.StatusCode != ua.StatusOK || len(h.DataValues) != tt.count {
			t.Errorf("%s: %v, %+v", name, r.StatusCode, r.HistoryData.Value)
			continue
		}
		if more := len(r.ContinuationPoint) > 0; more != (name == "an hour, seven at a time") {
			t.Errorf("%s: goes on: %t", name, more)
		}
		if a, b := h.DataValues[0].SourceTimestamp, h.DataValues[tt.count-1].SourceTimestamp; !a.Equal(ago(tt.first)) || !b.Equal(ago(tt.last)) {
			t.Errorf("%s: from %v to %v, want %v to %v", name, a, b, ago(tt.first), ago(tt.last))
		}
	}
	for name, tt := range map[string]struct {
		d    ua.ReadRawModifiedDetails
		node string
		want ua.StatusCode
	}{
		"no times":        {ua.ReadRawModifiedDetails{}, "ns=2;s=A", ua.StatusBadInvalidTimestampArgument},
		"start alone":     {ua.ReadRawModifiedDetails{StartTime: ago(5)}, "ns=2;s=A", ua.StatusBadInvalidTimestampArgument},
		"a missing node":  {ua.ReadRawModifiedDetails{StartTime: ago(5), EndTime: ago(0)}, "ns=2;s=missing", ua.StatusBadNodeIDUnknown},
		"without history": {ua.ReadRawModifiedDetails{StartTime: ago(5), EndTime: ago(0)}, "i=2258", ua.StatusBadHistoryOperationUnsupported},
	} {
		if got := read(&tt.d, tt.node, nil).StatusCode; got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	if got := read(&ua.ReadRawModifiedDetails{StartTime: ago(5), EndTime: ago(0)}, "ns=2;s=A", []byte("old")).StatusCode; got != ua.StatusBadContinuationPointInvalid {
		t.Errorf("an old continuation point: %v", got)
	}
}

// TestHistoryPages: what does not fit an answer goes on from its continuation point, forwards and backwards.
func TestHistoryPages(t *testing.T) {
	p := startPlant(t, nil, nil, func(c *Config) { c.Unsecured = true })
	p.server.cfg.History = secondly
	r := openSession(t, p.addr)
	end := time.Now().UTC().Truncate(time.Second)
	for _, reverse := range []bool{false, true} {
		d := &ua.ReadRawModifiedDetails{StartTime: end.Add(-4 * time.Hour), EndTime: end}
		if reverse {
			d.StartTime, d.EndTime = d.EndTime, d.StartTime
		}
		var point []byte
		last, count, pages := time.Time{}, 0, 0
		for {
			resp := r.call(&ua.HistoryReadRequest{RequestHeader: r.hdr(), HistoryReadDetails: ua.NewExtensionObject(d), NodesToRead: []*ua.HistoryReadValueID{{NodeID: ua.MustParseNodeID("ns=2;s=A"), DataEncoding: &ua.QualifiedName{}, ContinuationPoint: point}}}).(*ua.HistoryReadResponse)
			one := resp.Results[0]
			h, ok := one.HistoryData.Value.(*ua.HistoryData)
			if !ok {
				t.Fatalf("page %d: %v", pages, one.StatusCode)
			}
			for _, v := range h.DataValues {
				step := v.SourceTimestamp.Sub(last)
				if !last.IsZero() && step != time.Second && step != -time.Second {
					t.Fatalf("%v after %v", v.SourceTimestamp, last)
				}
				last = v.SourceTimestamp
				count++
			}
			if pages++; len(one.ContinuationPoint) == 0 {
				break
			}
			point = one.ContinuationPoint
		}
		if count != 4*3600 || pages < 3 {
			t.Errorf("reverse %v: %d values in %d pages, want %d", reverse, count, pages, 4*3600)
		}
	}
}

// notifications collects what a subscription tells of one item.
func watch(t *testing.T, c *opcua.Client, node string, queue uint32, discardOldest bool, sampling float64, filter any) (next func() []*ua.DataValue, status ua.StatusCode) {
	t.Helper()
	ch := make(chan *opcua.PublishNotificationData, 100)
	sub, err := c.Subscribe(t.Context(), &opcua.SubscriptionParameters{Interval: 400 * time.Millisecond}, ch)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := sub.Monitor(t.Context(), ua.TimestampsToReturnBoth, &ua.MonitoredItemCreateRequest{
		ItemToMonitor:  &ua.ReadValueID{NodeID: ua.MustParseNodeID(node), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}},
		MonitoringMode: ua.MonitoringModeReporting, RequestedParameters: &ua.MonitoringParameters{ClientHandle: 1, QueueSize: queue, DiscardOldest: discardOldest, SamplingInterval: sampling, Filter: ua.NewExtensionObject(filter)},
	})
	if err != nil {
		t.Fatal(err)
	}
	woken := false
	return func() (out []*ua.DataValue) {
		t.Helper()
		for {
			wait := 20 * time.Second
			if !woken {
				wait = 3 * time.Second
			}
			select {
			case d := <-ch:
				if n, ok := d.Value.(*ua.DataChangeNotification); ok {
					for _, m := range n.MonitoredItems {
						out = append(out, m.Value)
					}
					return out
				}
			case <-time.After(wait):
				if woken {
					t.Fatal("nothing is told")
				}
				// The library asks for publishing from the moment it is connected, is refused since there is no subscription yet, and pauses; where that pause and the first subscription's word to go on come
				// together it takes them in either order, and may pause for good. Another subscription has it go on.
				if _, err := c.Subscribe(t.Context(), &opcua.SubscriptionParameters{Interval: time.Hour}, make(chan *opcua.PublishNotificationData, 100)); err != nil {
					t.Fatal(err)
				}
				woken = true
			}
		}
	}, resp.Results[0].StatusCode
}

// TestQueuesAndDeadbands: values between two publishings are kept as the queue has room, the lost ones are marked, and a dead band passes over small changes.
func TestQueuesAndDeadbands(t *testing.T) {
	t.Parallel()
	p := startPlant(t, nil, nil, func(c *Config) { c.Unsecured = true })
	set := func(values ...float64) {
		for _, v := range values {
			p.server.Set("s=A", v, district.Good, time.Now())
		}
	}
	tell := func(values []*ua.DataValue) (out []float64, overflow int) {
		for i, v := range values {
			out = append(out, v.Value.Float())
			if v.Status&0x480 == 0x480 {
				overflow = i + 1
			}
		}
		return
	}
	filter := func(kind uint32, v float64) *ua.DataChangeFilter {
		return &ua.DataChangeFilter{Trigger: ua.DataChangeTriggerStatusValue, DeadbandType: kind, DeadbandValue: v}
	}
	for name, tt := range map[string]struct {
		queue    uint32
		oldest   bool
		filter   any
		sampling float64
		want     []float64
		overflow int // place of the marked value, from 1; 0: none
	}{
		"a queue of ten":          {10, true, nil, 0, []float64{2, 3, 4, 5, 6}, 0},
		"of one":                  {1, true, nil, 0, []float64{6}, 0},
		"of two, oldest lost":     {2, true, nil, 0, []float64{5, 6}, 1},
		"of two, newest lost":     {2, false, nil, 0, []float64{2, 6}, 2},
		"absolute dead band":      {10, true, filter(1, 1.5), 0, []float64{3, 5}, 0},
		"dead band in percent":    {10, true, filter(2, 0.5), 0, []float64{4}, 0}, // of 400 kW: 2 kW
		"sampled once a second":   {10, true, nil, 1000, []float64{6}, 0},
		"a dead band of nothing":  {10, true, filter(1, 0), 0, []float64{2, 3, 4, 5, 6}, 0},
		"a dead band of the rest": {10, true, filter(1, 4), 0, []float64{6}, 0},
	} {
		var got []float64
		overflow := 0
		told := func() bool {
			return len(got) == len(tt.want) && got[0] == tt.want[0] && got[len(got)-1] == tt.want[len(got)-1] && overflow == tt.overflow
		}
		for try := 0; try < 6 && !told(); try++ { // again, when a publishing fell between the values
			set(1)
			next, status := watch(t, dial(t, p.addr), "ns=2;s=A", tt.queue, tt.oldest, tt.sampling, tt.filter)
			if status != ua.StatusOK {
				t.Errorf("%s: %v", name, status)
				break
			}
			if first, _ := tell(next()); len(first) != 1 || first[0] != 1 {
				t.Errorf("%s: first %v", name, first)
			}
			set(2, 3, 4, 5, 6)
			got, overflow = tell(next())
		}
		if !told() {
			t.Errorf("%s: told %v with place %d marked, want %v and %d", name, got, overflow, tt.want, tt.overflow)
		}
	}
	for name, f := range map[string]any{"percent above 100": filter(2, 101), "negative": filter(1, -1), "unknown kind": filter(3, 1)} {
		if _, status := watch(t, dial(t, p.addr), "ns=2;s=A", 1, true, 0, f); status != ua.StatusBadDeadbandFilterInvalid && status != ua.StatusBadMonitoredItemFilterInvalid {
			t.Errorf("%s: %v", name, status)
		}
	}
	if _, status := watch(t, dial(t, p.addr), "i=2258", 1, true, 0, filter(1, 1)); status != ua.StatusBadFilterNotAllowed {
		t.Errorf("a dead band of a time: %v", status)
	}
}

// secondly is a record of one value a second.
func secondly(_ context.Context, q HistoryQuery) (out []HistoryValue, err error) {
	for at := q.From.Truncate(time.Second); at.Before(q.To) && len(out) < q.Limit; at = at.Add(time.Second) {
		if !at.Before(q.From) {
			out = append(out, HistoryValue{Time: at, Value: float64(at.Unix()), Quality: district.Good})
		}
	}
	return out, nil
}
