package serve

import (
	"bytes"
	"math"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// item is a monitored item: a variable's value, or another attribute, which never changes after it was told once. Its fields are guarded by the subscription's lock.
type item struct {
	id        uint32
	sub       *subscription
	node      *node
	attribute ua.AttributeID
	handle    uint32
	mode      ua.MonitoringMode
	stamps    ua.TimestampsToReturn
	filter    filter
	sampling  time.Duration // at most one value per so long; 0: every one
	size      int           // of the queue
	oldest    bool          // whether a full queue loses its oldest value, else its newest

	queue   []*ua.DataValue // to be told
	last    *ua.DataValue   // last one that was queued
	sampled time.Time       // when
	held    *ua.DataValue   // came too soon after that, and is sampled later
}

// filter says which changes are told.
type filter struct {
	trigger  uint32  // data change trigger: 0 status, 1 status or value, 2 also the source time (Part 4, 7.22.2)
	deadband float64 // a number has to differ by more than this
}

// maxQueue is the longest queue of an item; all items of the server together hold at most maxQueued values beside the one of each.
const (
	maxQueue  = 1000
	maxQueued = 1_000_000
)

// offer takes a new value of the item's node.
func (it *item) offer(dv *ua.DataValue, now time.Time) {
	if it.mode == ua.MonitoringModeDisabled {
		return
	}
	if it.sampling > 0 && it.last != nil && now.Sub(it.sampled) < it.sampling {
		it.held = dv
		return
	}
	it.held = nil
	if !it.filter.passes(it.last, dv) {
		return
	}
	it.last, it.sampled = dv, now
	if len(it.queue) < it.size {
		it.queue = append(it.queue, dv)
		return
	}
	if it.size == 1 { // a queue of one says nothing of what was lost
		it.queue[0] = dv
		return
	}
	if it.oldest {
		it.queue = append(it.queue[1:], dv)
		it.queue[0] = overflow(it.queue[0])
	} else {
		it.queue[len(it.queue)-1] = overflow(dv)
	}
}

// overflow marks a value beside which others were lost (Part 4, 7.39.1: info type data value, overflow).
func overflow(dv *ua.DataValue) *ua.DataValue {
	out := *dv
	out.Status |= 0x480
	out.EncodingMask |= ua.DataValueStatusCode
	return &out
}

// sample takes what is due: a value that came too soon, and those of nodes that follow the clock.
func (it *item) sample(now time.Time) {
	switch {
	case it.mode == ua.MonitoringModeDisabled:
	case it.attribute != ua.AttributeIDValue:
	case it.node.live != nil:
		it.offer(it.node.live(), now)
	case it.held != nil:
		it.offer(it.held, now)
	}
}

// begin queues the present value.
func (it *item) begin() {
	it.last, it.held, it.queue = nil, nil, nil
	if it.attribute == ua.AttributeIDValue {
		it.offer(it.node.current(), time.Now())
	} else if it.mode != ua.MonitoringModeDisabled {
		it.queue = append(it.queue, constant(it.node.property(it.attribute)))
	}
}

// passes reports whether a value is told after the last one.
func (f filter) passes(last, now *ua.DataValue) bool {
	if last == nil || last.Status != now.Status {
		return true
	}
	switch f.trigger {
	case 0:
		return false
	case 2:
		if !last.SourceTimestamp.Equal(now.SourceTimestamp) {
			return true
		}
	}
	if f.deadband > 0 && last.Value != nil && now.Value != nil {
		return math.Abs(last.Value.Float()-now.Value.Float()) > f.deadband
	}
	return !sameValue(last, now)
}

func sameValue(a, b *ua.DataValue) bool {
	if a == b {
		return true
	}
	if a.Value == nil || b.Value == nil {
		return a.Value == b.Value
	}
	if x, ok := a.Value.Value().(float64); ok {
		y, ok := b.Value.Value().(float64)
		return ok && math.Float64bits(x) == math.Float64bits(y)
	}
	x, errX := a.Value.Encode()
	y, errY := b.Value.Encode()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// changed reports whether any item has something to tell; mu is held.
func (sub *subscription) changed() bool {
	now := time.Now()
	some := false
	for _, it := range sub.items {
		it.sample(now)
		some = some || len(it.queue) > 0 && it.mode == ua.MonitoringModeReporting
	}
	return some
}

// collect returns what the items have to tell, as much as one message may hold; mu is held.
func (sub *subscription) collect() (out []*ua.MonitoredItemNotification, more bool) {
	now := time.Now().UTC()
	for _, it := range sub.items {
		if it.mode != ua.MonitoringModeReporting {
			continue
		}
		for len(it.queue) > 0 {
			if len(out) == sub.maxNotifications {
				return out, true
			}
			dv := it.queue[0]
			it.queue = it.queue[1:]
			out = append(out, &ua.MonitoredItemNotification{ClientHandle: it.handle, Value: stamps(dv, it.attribute, it.stamps, now)})
		}
	}
	return out, false
}

// filterOf says whether a filter can be honoured.
func filterOf(r *itemRequest, attribute ua.AttributeID, n *node) (filter, ua.StatusCode) {
	f := filter{trigger: 1}
	switch {
	case r.filterType == 0:
		return f, ua.StatusOK
	case r.filterType != id.DataChangeFilter_Encoding_DefaultBinary:
		return f, ua.StatusBadMonitoredItemFilterUnsupported
	case attribute != ua.AttributeIDValue:
		return f, ua.StatusBadFilterNotAllowed
	case r.trigger > 2:
		return f, ua.StatusBadMonitoredItemFilterInvalid
	}
	f.trigger = r.trigger
	switch r.deadband {
	case 0:
		return f, ua.StatusOK
	case 1, 2:
	default:
		return f, ua.StatusBadMonitoredItemFilterInvalid
	}
	if n.rank != -1 || n.live != nil || n.kind >= Boolean || n.text == "" {
		return f, ua.StatusBadFilterNotAllowed // no number
	}
	if !(r.deadbandValue >= 0) || math.IsInf(r.deadbandValue, 0) || r.deadband == 2 && r.deadbandValue > 100 {
		return f, ua.StatusBadDeadbandFilterInvalid
	}
	f.deadband = r.deadbandValue
	if r.deadband == 2 {
		if n.high <= n.low {
			return f, ua.StatusBadMonitoredItemFilterUnsupported
		}
		f.deadband *= (n.high - n.low) / 100
	}
	return f, ua.StatusOK
}

// revise brings sampling interval and queue to what is done. Values come when they are set, so a sampling interval may be anything from 0 up; below 0 it is the publishing interval.
func (it *item) revise(r *itemRequest, interval time.Duration) {
	switch ms := r.sampling; {
	case math.IsNaN(ms) || ms < 0:
		it.sampling = interval
	default:
		it.sampling = time.Duration(math.Min(ms, milliseconds(maxInterval)) * float64(time.Millisecond))
	}
	if it.node.live != nil {
		it.sampling = max(it.sampling, minInterval)
	}
	it.oldest = r.discardOldest
	it.size = int(min(max(r.queue, 1), maxQueue))
	if it.attribute != ua.AttributeIDValue {
		it.size = 1
	}
	if extra := int64(it.size - 1); it.sub.srv.queued.Add(extra) > maxQueued {
		it.sub.srv.queued.Add(-extra)
		it.size = 1
	}
	if n := len(it.queue); n > it.size {
		it.queue = it.queue[n-it.size:]
	}
}

// end takes an item out of the server's account; the subscription's lock is held.
func (it *item) end() {
	it.node.unwatch(it)
	it.sub.srv.items.Add(-1)
	it.sub.srv.queued.Add(-int64(it.size - 1))
	it.queue, it.mode = nil, ua.MonitoringModeDisabled
}

func (ses *session) createItems(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	subscription, stamp, reqs, err := decodeItems(body, true)
	if err != nil {
		return nil, err
	}
	sub, err := ses.subscription(subscription)
	switch {
	case err != nil:
		return nil, err
	case len(reqs) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(reqs) > maxOperations:
		return nil, ua.StatusBadTooManyOperations
	case stamp > ua.TimestampsToReturnNeither:
		return nil, ua.StatusBadTimestampsToReturnInvalid
	}
	results := make([]*ua.MonitoredItemCreateResult, len(reqs))
	for i := range reqs {
		results[i] = ses.createItem(sub, &reqs[i], stamp)
	}
	return &ua.CreateMonitoredItemsResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

func (ses *session) createItem(sub *subscription, r *itemRequest, stamp ua.TimestampsToReturn) *ua.MonitoredItemCreateResult {
	refused := func(s ua.StatusCode) *ua.MonitoredItemCreateResult {
		return &ua.MonitoredItemCreateResult{StatusCode: s, FilterResult: ua.NewExtensionObject(nil)}
	}
	n := ses.srv.space.get(r.node)
	switch {
	case n == nil:
		return refused(ua.StatusBadNodeIDUnknown)
	case r.attribute == ua.AttributeIDValue && n.class != ua.NodeClassVariable, r.attribute != ua.AttributeIDValue && ses.property(n, r.attribute) == nil:
		return refused(ua.StatusBadAttributeIDInvalid)
	case r.indexRange != "":
		return refused(ua.StatusBadIndexRangeInvalid)
	case r.mode > ua.MonitoringModeReporting:
		return refused(ua.StatusBadMonitoringModeInvalid)
	}
	f, s := filterOf(r, r.attribute, n)
	if s != ua.StatusOK {
		return refused(s)
	}
	it := &item{id: ses.srv.itemIDs.Add(1), sub: sub, node: n, attribute: r.attribute, handle: r.handle, mode: r.mode, stamps: stamp, filter: f}
	ses.mu.Lock()
	if ses.subs[sub.id] != sub {
		ses.mu.Unlock()
		return refused(ua.StatusBadSubscriptionIDInvalid)
	}
	if ses.items >= maxItems || ses.srv.items.Load() >= maxAllItems {
		ses.mu.Unlock()
		return refused(ua.StatusBadTooManyMonitoredItems)
	}
	ses.items++
	ses.srv.items.Add(1)
	sub.mu.Lock()
	sub.items = append(sub.items, it)
	sub.byID[it.id] = it
	it.revise(r, sub.interval)
	sub.mu.Unlock()
	ses.mu.Unlock()
	n.watch(it) // outside of the locks: a value that is set takes them the other way round
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.byID[it.id] == it && it.last == nil {
		it.begin()
	}
	return &ua.MonitoredItemCreateResult{
		MonitoredItemID: it.id, RevisedSamplingInterval: milliseconds(it.sampling), RevisedQueueSize: uint32(it.size), FilterResult: ua.NewExtensionObject(nil),
	}
}

func (ses *session) modifyItems(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	subscription, stamp, reqs, err := decodeItems(body, false)
	if err != nil {
		return nil, err
	}
	sub, err := ses.subscription(subscription)
	switch {
	case err != nil:
		return nil, err
	case len(reqs) == 0:
		return nil, ua.StatusBadNothingToDo
	case len(reqs) > maxOperations:
		return nil, ua.StatusBadTooManyOperations
	case stamp > ua.TimestampsToReturnNeither:
		return nil, ua.StatusBadTimestampsToReturnInvalid
	}
	results := make([]*ua.MonitoredItemModifyResult, len(reqs))
	sub.mu.Lock()
	defer sub.mu.Unlock()
	for i := range reqs {
		r, it := &reqs[i], sub.byID[reqs[i].id]
		results[i] = &ua.MonitoredItemModifyResult{FilterResult: ua.NewExtensionObject(nil)}
		if it == nil {
			results[i].StatusCode = ua.StatusBadMonitoredItemIDInvalid
			continue
		}
		f, s := filterOf(r, it.attribute, it.node)
		if s != ua.StatusOK {
			results[i].StatusCode = s
			continue
		}
		ses.srv.queued.Add(-int64(it.size - 1))
		it.handle, it.filter, it.stamps = r.handle, f, stamp
		it.revise(r, sub.interval)
		results[i].RevisedSamplingInterval, results[i].RevisedQueueSize = milliseconds(it.sampling), uint32(it.size)
	}
	return &ua.ModifyMonitoredItemsResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

func (ses *session) setMonitoringMode(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct {
		SubscriptionID   uint32
		MonitoringMode   ua.MonitoringMode
		MonitoredItemIDs []uint32
	}
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	sub, err := ses.subscription(req.SubscriptionID)
	switch {
	case err != nil:
		return nil, err
	case len(req.MonitoredItemIDs) == 0:
		return nil, ua.StatusBadNothingToDo
	case req.MonitoringMode > ua.MonitoringModeReporting:
		return nil, ua.StatusBadMonitoringModeInvalid
	}
	results := make([]ua.StatusCode, len(req.MonitoredItemIDs))
	sub.mu.Lock()
	defer sub.mu.Unlock()
	for i, id := range req.MonitoredItemIDs {
		it := sub.byID[id]
		if it == nil {
			results[i] = ua.StatusBadMonitoredItemIDInvalid
			continue
		}
		was := it.mode
		it.mode = req.MonitoringMode
		switch {
		case it.mode == ua.MonitoringModeDisabled:
			it.queue, it.held, it.last = nil, nil, nil
		case was == ua.MonitoringModeDisabled: // enabled again, it tells its value once more
			it.begin()
		}
	}
	return &ua.SetMonitoringModeResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

func (ses *session) deleteItems(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct {
		SubscriptionID   uint32
		MonitoredItemIDs []uint32
	}
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	sub, err := ses.subscription(req.SubscriptionID)
	switch {
	case err != nil:
		return nil, err
	case len(req.MonitoredItemIDs) == 0:
		return nil, ua.StatusBadNothingToDo
	}
	results := make([]ua.StatusCode, len(req.MonitoredItemIDs))
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.subs[sub.id] != sub { // it went to another session
		return nil, ua.StatusBadSubscriptionIDInvalid
	}
	sub.mu.Lock()
	defer sub.mu.Unlock()
	for i, id := range req.MonitoredItemIDs {
		it := sub.byID[id]
		if it == nil {
			results[i] = ua.StatusBadMonitoredItemIDInvalid
			continue
		}
		delete(sub.byID, id)
		ses.items--
		it.end()
	}
	kept := sub.items[:0]
	for _, it := range sub.items {
		if sub.byID[it.id] == it {
			kept = append(kept, it)
		}
	}
	clear(sub.items[len(kept):])
	sub.items = kept
	return &ua.DeleteMonitoredItemsResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}
