package serve

import (
	"bytes"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

// item is a monitored item: a variable's value, or another attribute, which never changes after it was told once.
type item struct {
	id        uint32
	node      *node
	attribute ua.AttributeID
	handle    uint32
	mode      ua.MonitoringMode
	stamps    ua.TimestampsToReturn
	trigger   uint32 // data change trigger: 0 status, 1 status or value, 2 also the source time (Part 4, 7.22.2)
	last      *ua.DataValue
}

// reported tells whether the present value differs from the last one told, and returns it.
func (it *item) reported() (*ua.DataValue, bool) {
	if it.mode != ua.MonitoringModeReporting {
		return nil, false
	}
	var now *ua.DataValue
	if it.attribute == ua.AttributeIDValue {
		now = it.node.current()
	} else {
		if it.last != nil {
			return nil, false
		}
		now = constant(it.node.property(it.attribute))
	}
	if it.last == now {
		return nil, false
	}
	if it.last == nil || it.last.Status != now.Status {
		return now, true
	}
	switch it.trigger {
	case 0:
		return nil, false
	case 2:
		if !it.last.SourceTimestamp.Equal(now.SourceTimestamp) {
			return now, true
		}
	}
	return now, !sameValue(it.last, now)
}

func sameValue(a, b *ua.DataValue) bool {
	if a.Value == nil || b.Value == nil {
		return a.Value == b.Value
	}
	x, errX := a.Value.Encode()
	y, errY := b.Value.Encode()
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// changed reports whether any item has something to tell; mu is held.
func (sub *subscription) changed() bool {
	for _, it := range sub.items {
		if _, ok := it.reported(); ok {
			return true
		}
	}
	return false
}

// collect returns what the items have to tell, as much as one message may hold; mu is held.
func (sub *subscription) collect() (out []*ua.MonitoredItemNotification, more bool) {
	now := time.Now().UTC()
	for _, it := range sub.items {
		dv, ok := it.reported()
		if !ok {
			continue
		}
		if len(out) == sub.maxNotifications {
			return out, true
		}
		it.last = dv
		out = append(out, &ua.MonitoredItemNotification{ClientHandle: it.handle, Value: stamps(dv, it.attribute, it.stamps, now)})
	}
	return out, false
}

// checkFilter says whether a filter can be honoured.
func checkFilter(r *itemRequest) ua.StatusCode {
	switch {
	case r.filterType == 0:
		r.trigger = 1
	case r.filterType != id.DataChangeFilter_Encoding_DefaultBinary:
		return ua.StatusBadMonitoredItemFilterUnsupported
	case r.attribute != 0 && r.attribute != ua.AttributeIDValue:
		return ua.StatusBadFilterNotAllowed
	case r.trigger > 2:
		return ua.StatusBadMonitoredItemFilterInvalid
	case r.deadband != 0:
		return ua.StatusBadMonitoredItemFilterUnsupported
	}
	return ua.StatusOK
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
	case r.attribute == ua.AttributeIDValue && n.class != ua.NodeClassVariable, r.attribute != ua.AttributeIDValue && n.property(r.attribute) == nil:
		return refused(ua.StatusBadAttributeIDInvalid)
	case r.indexRange != "":
		return refused(ua.StatusBadIndexRangeInvalid)
	case r.mode > ua.MonitoringModeReporting:
		return refused(ua.StatusBadMonitoringModeInvalid)
	}
	if s := checkFilter(r); s != ua.StatusOK {
		return refused(s)
	}
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.subs[sub.id] != sub {
		return refused(ua.StatusBadSubscriptionIDInvalid)
	}
	if ses.items >= maxItems || ses.srv.items.Load() >= maxAllItems {
		return refused(ua.StatusBadTooManyMonitoredItems)
	}
	ses.items++
	ses.srv.items.Add(1)
	it := &item{id: ses.srv.itemIDs.Add(1), node: n, attribute: r.attribute, handle: r.handle, mode: r.mode, stamps: stamp, trigger: r.trigger}
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.items = append(sub.items, it)
	sub.byID[it.id] = it
	return &ua.MonitoredItemCreateResult{
		MonitoredItemID: it.id, RevisedSamplingInterval: milliseconds(sub.interval), RevisedQueueSize: 1, FilterResult: ua.NewExtensionObject(nil),
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
		r.attribute = it.attribute
		if s := checkFilter(r); s != ua.StatusOK {
			results[i].StatusCode = s
			continue
		}
		it.handle, it.trigger, it.stamps = r.handle, r.trigger, stamp
		results[i].RevisedSamplingInterval, results[i].RevisedQueueSize = milliseconds(sub.interval), 1
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
		if req.MonitoringMode == ua.MonitoringModeDisabled {
			it.last = nil // enabled again, it tells its value once more
		}
		it.mode = req.MonitoringMode
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
	sub.mu.Lock()
	defer sub.mu.Unlock()
	for i, id := range req.MonitoredItemIDs {
		if sub.byID[id] == nil {
			results[i] = ua.StatusBadMonitoredItemIDInvalid
			continue
		}
		delete(sub.byID, id)
		ses.items--
		ses.srv.items.Add(-1)
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
