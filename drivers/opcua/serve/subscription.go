package serve

import (
	"math"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua/ua"
)

// publishRequest is a Publish request that waits for something to tell.
type publishRequest struct {
	hdr     *ua.RequestHeader
	request uint32
	results []ua.StatusCode // of its acknowledgements
}

// subscription publishes the changes of its items. Each has a goroutine that wakes once per interval.
type subscription struct {
	srv  *Server
	ses  atomic.Pointer[session] // changes with both sessions locked
	id   uint32
	wake chan struct{} // a Publish request came, or the interval changed
	quit chan struct{}
	once sync.Once

	// of the subscription's goroutine
	quietFor  uint32 // intervals since the last message
	lonelyFor uint32 // intervals without a Publish request
	first     bool   // nothing was sent yet

	mu                  sync.Mutex
	interval            time.Duration
	lifetime, keepAlive uint32 // in intervals
	maxNotifications    int
	enabled             bool
	items               []*item
	byID                map[uint32]*item
	sequence            uint32                    // of the next message
	late                bool                      // something waits for a Publish request
	renewed             bool                      // another session took it over: its lifetime begins anew
	sent                []*ua.NotificationMessage // until they are acknowledged, for Republish
	sentValues          int                       // in them
}

// What is kept of messages that were sent and not acknowledged, of one subscription.
const (
	maxSent       = 20
	maxSentValues = 20_000
)

// keep remembers a message; mu is held.
func (sub *subscription) keep(m *ua.NotificationMessage, values int) {
	sub.sent = append(sub.sent, m)
	sub.sentValues += values
	for len(sub.sent) > 1 && (len(sub.sent) > maxSent || sub.sentValues > maxSentValues) {
		sub.sentValues -= valuesOf(sub.sent[0])
		sub.sent = sub.sent[1:]
	}
}

func valuesOf(m *ua.NotificationMessage) int {
	n, _ := m.NotificationData[0].Value.(*ua.DataChangeNotification)
	if n == nil {
		return 0
	}
	return len(n.MonitoredItems)
}

// acknowledge forgets a message that the client has.
func (sub *subscription) acknowledge(sequence uint32) ua.StatusCode {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	for i, m := range sub.sent {
		if m.SequenceNumber == sequence {
			sub.sentValues -= valuesOf(m)
			sub.sent = slices.Delete(sub.sent, i, i+1)
			return ua.StatusOK
		}
	}
	return ua.StatusBadSequenceNumberUnknown
}

// available are the numbers of the messages that are kept; mu is held.
func (sub *subscription) available() []uint32 {
	out := make([]uint32, len(sub.sent))
	for i, m := range sub.sent {
		out[i] = m.SequenceNumber
	}
	return out
}

func (sub *subscription) stop() { sub.once.Do(func() { close(sub.quit) }) }

// end stops a subscription and returns how many items it had.
func (sub *subscription) end() int {
	sub.stop()
	sub.mu.Lock()
	defer sub.mu.Unlock()
	n := len(sub.items)
	for _, it := range sub.items {
		it.end()
	}
	sub.items = nil
	clear(sub.byID)
	return n
}

func reviseInterval(ms float64) time.Duration {
	if !(ms > milliseconds(minInterval)) { // not above the floor, or not a number
		return minInterval
	}
	return time.Duration(math.Min(ms, milliseconds(maxInterval)) * float64(time.Millisecond))
}

// reviseCounts keeps a lifetime of at least three keep-alives (Part 4, 5.13.2) and of at most an hour and a bit.
func reviseCounts(lifetime, keepAlive uint32, interval time.Duration) (uint32, uint32) {
	most := uint32(maxInterval/interval) + 3
	keepAlive = min(max(keepAlive, 1), max(most/3, 1))
	return min(max(lifetime, 3*keepAlive), max(most, 3*keepAlive)), keepAlive
}

func (ses *session) createSubscription(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct {
		RequestedPublishingInterval float64
		RequestedLifetimeCount      uint32
		RequestedMaxKeepAliveCount  uint32
		MaxNotificationsPerPublish  uint32
		PublishingEnabled           bool
		Priority                    uint8
	}
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	interval := reviseInterval(req.RequestedPublishingInterval)
	lifetime, keepAlive := reviseCounts(req.RequestedLifetimeCount, req.RequestedMaxKeepAliveCount, interval)
	sub := &subscription{
		srv: ses.srv, id: ses.srv.subscriptionIDs.Add(1), wake: make(chan struct{}, 1), quit: make(chan struct{}), interval: interval, lifetime: lifetime,
		keepAlive: keepAlive, maxNotifications: notifications(req.MaxNotificationsPerPublish), enabled: req.PublishingEnabled,
		byID: make(map[uint32]*item), sequence: 1, first: true,
	}
	sub.ses.Store(ses)
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.ended {
		return nil, ua.StatusBadSessionIDInvalid
	}
	if len(ses.subs) >= maxPerSession {
		return nil, ua.StatusBadTooManySubscriptions
	}
	ses.subs[sub.id] = sub
	ses.srv.wg.Go(sub.run)
	return &ua.CreateSubscriptionResponse{
		ResponseHeader: header(hdr, ua.StatusOK), SubscriptionID: sub.id, RevisedPublishingInterval: milliseconds(interval),
		RevisedLifetimeCount: lifetime, RevisedMaxKeepAliveCount: keepAlive,
	}, nil
}

func notifications(n uint32) int {
	if n == 0 || n > maxOperations {
		return maxOperations
	}
	return int(n)
}

func (ses *session) subscription(id uint32) (*subscription, error) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if sub := ses.subs[id]; sub != nil {
		return sub, nil
	}
	return nil, ua.StatusBadSubscriptionIDInvalid
}

func (ses *session) modifySubscription(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct {
		SubscriptionID              uint32
		RequestedPublishingInterval float64
		RequestedLifetimeCount      uint32
		RequestedMaxKeepAliveCount  uint32
		MaxNotificationsPerPublish  uint32
		Priority                    uint8
	}
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	sub, err := ses.subscription(req.SubscriptionID)
	if err != nil {
		return nil, err
	}
	sub.mu.Lock()
	sub.interval = reviseInterval(req.RequestedPublishingInterval)
	sub.lifetime, sub.keepAlive = reviseCounts(req.RequestedLifetimeCount, req.RequestedMaxKeepAliveCount, sub.interval)
	sub.maxNotifications = notifications(req.MaxNotificationsPerPublish)
	resp := &ua.ModifySubscriptionResponse{
		ResponseHeader: header(hdr, ua.StatusOK), RevisedPublishingInterval: milliseconds(sub.interval),
		RevisedLifetimeCount: sub.lifetime, RevisedMaxKeepAliveCount: sub.keepAlive,
	}
	sub.mu.Unlock()
	sub.nudge()
	return resp, nil
}

func (ses *session) setPublishingMode(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct {
		PublishingEnabled bool
		SubscriptionIDs   []uint32
	}
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	if len(req.SubscriptionIDs) == 0 {
		return nil, ua.StatusBadNothingToDo
	}
	results := make([]ua.StatusCode, len(req.SubscriptionIDs))
	for i, id := range req.SubscriptionIDs {
		sub, err := ses.subscription(id)
		if err != nil {
			results[i] = ua.StatusBadSubscriptionIDInvalid
			continue
		}
		sub.mu.Lock()
		sub.enabled = req.PublishingEnabled
		sub.mu.Unlock()
	}
	return &ua.SetPublishingModeResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

func (ses *session) deleteSubscriptions(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct{ SubscriptionIDs []uint32 }
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	if len(req.SubscriptionIDs) == 0 {
		return nil, ua.StatusBadNothingToDo
	}
	results := make([]ua.StatusCode, len(req.SubscriptionIDs))
	for i, id := range req.SubscriptionIDs {
		if !ses.remove(id) {
			results[i] = ua.StatusBadSubscriptionIDInvalid
		}
	}
	return &ua.DeleteSubscriptionsResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

// remove ends a subscription of the session; once none is left, waiting Publish requests are answered with BadNoSubscription.
func (ses *session) remove(id uint32) bool {
	ses.mu.Lock()
	sub := ses.subs[id]
	if sub == nil {
		ses.mu.Unlock()
		return false
	}
	delete(ses.subs, id)
	ses.items -= sub.end()
	var waiting []publishRequest
	conn := ses.conn
	if len(ses.subs) == 0 && len(ses.gone) == 0 {
		waiting, ses.waiting = ses.waiting, nil
	}
	ses.mu.Unlock()
	if conn != nil {
		for _, w := range waiting {
			conn.send(w.request, fault(w.hdr, ua.StatusBadNoSubscription))
		}
	}
	return true
}

func (ses *session) publish(hdr *ua.RequestHeader, body []byte, request uint32) (ua.Response, error) {
	var req struct {
		SubscriptionAcknowledgements []*ua.SubscriptionAcknowledgement
	}
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	if len(req.SubscriptionAcknowledgements) > maxOperations {
		return nil, ua.StatusBadTooManyOperations
	}
	ses.mu.Lock()
	results := make([]ua.StatusCode, len(req.SubscriptionAcknowledgements))
	for i, a := range req.SubscriptionAcknowledgements {
		if sub := ses.subs[a.SubscriptionID]; sub == nil {
			results[i] = ua.StatusBadSubscriptionIDInvalid
		} else {
			results[i] = sub.acknowledge(a.SequenceNumber)
		}
	}
	if len(ses.gone) > 0 {
		resp := ses.gone[0]
		ses.gone = ses.gone[1:]
		ses.mu.Unlock()
		resp.ResponseHeader, resp.Results = header(hdr, ua.StatusOK), results
		return resp, nil
	}
	if len(ses.subs) == 0 {
		ses.mu.Unlock()
		return nil, ua.StatusBadNoSubscription
	}
	if len(ses.waiting) >= maxPublishQueue {
		ses.mu.Unlock()
		return nil, ua.StatusBadTooManyPublishRequests
	}
	ses.waiting = append(ses.waiting, publishRequest{hdr, request, results})
	subs := make([]*subscription, 0, len(ses.subs))
	for _, sub := range ses.subs {
		subs = append(subs, sub)
	}
	ses.mu.Unlock()
	for _, sub := range subs {
		sub.nudge()
	}
	return nil, nil
}

// republish gives a message again that the client did not acknowledge, after a lost connection.
func (ses *session) republish(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct{ SubscriptionID, RetransmitSequenceNumber uint32 }
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	sub, err := ses.subscription(req.SubscriptionID)
	if err != nil {
		return nil, err
	}
	sub.mu.Lock()
	defer sub.mu.Unlock()
	for _, m := range sub.sent {
		if m.SequenceNumber == req.RetransmitSequenceNumber {
			return &ua.RepublishResponse{ResponseHeader: header(hdr, ua.StatusOK), NotificationMessage: m}, nil
		}
	}
	return nil, ua.StatusBadMessageNotAvailable
}

func (sub *subscription) nudge() {
	select {
	case sub.wake <- struct{}{}:
	default:
	}
}

func (sub *subscription) run() {
	sub.mu.Lock()
	interval := sub.interval
	sub.mu.Unlock()
	t := time.NewTicker(interval)
	defer t.Stop()
	for {
		select {
		case <-sub.quit:
			return
		case <-sub.wake:
			sub.mu.Lock()
			late, now := sub.late, sub.interval
			sub.mu.Unlock()
			if now != interval {
				interval = now
				t.Reset(interval)
			}
			if late {
				sub.cycle(false)
			}
		case <-t.C:
			if !sub.cycle(true) {
				sub.expire()
				return
			}
		}
	}
}

// expire ends a subscription that nobody asked for, and leaves word of it for the next Publish request.
func (sub *subscription) expire() {
	for {
		ses := sub.ses.Load()
		ses.mu.Lock()
		if sub.ses.Load() != ses { // another session took it over just now
			ses.mu.Unlock()
			continue
		}
		sub.srv.log.Info("opc ua subscription timed out", "subscription", sub.id, "session", ses.name)
		if ses.subs[sub.id] == sub && !ses.ended && len(ses.gone) < maxPerSession {
			ses.gone = append(ses.gone, sub.farewell(ua.StatusBadTimeout))
		}
		ses.mu.Unlock()
		if ses.remove(sub.id) || sub.ses.Load() == ses {
			return
		}
	}
}

// take hands out the oldest waiting Publish request and the connection to answer on.
func (ses *session) take() (publishRequest, *conn, bool) {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if len(ses.waiting) == 0 || ses.conn == nil || ses.ended {
		return publishRequest{}, nil, false
	}
	r := ses.waiting[0]
	ses.waiting = ses.waiting[1:]
	return r, ses.conn, true
}

// cycle sends what changed, or that nothing did. ticked is false when a Publish request came for a message that waited for it. It returns
// false when the subscription's lifetime is over. Only the subscription's goroutine calls it. The locks of session and subscription are
// taken in that order everywhere, so here one after the other, and none is held while sending.
func (sub *subscription) cycle(ticked bool) bool {
	if ticked {
		sub.quietFor++
	}
	for {
		if !sub.due() {
			if ticked {
				sub.lonely()
			}
			return sub.alive()
		}
		req, conn, ok := sub.ses.Load().take()
		if !ok {
			if ticked {
				sub.lonelyFor++
			}
			return sub.alive()
		}
		sub.lonelyFor, sub.quietFor, sub.first = 0, 0, false
		resp := sub.message(req)
		if conn.send(req.request, resp) != nil || !resp.MoreNotifications {
			return true
		}
	}
}

// due reports whether there is something to tell, and notes it for the next Publish request.
func (sub *subscription) due() bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if sub.renewed {
		sub.lonelyFor, sub.renewed = 0, false
	}
	sub.late = sub.first || sub.quietFor >= sub.keepAlive || sub.enabled && sub.changed()
	return sub.late
}

func (sub *subscription) alive() bool {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	return sub.lonelyFor <= sub.lifetime
}

// message is the answer to a Publish request: the changes, or a keep-alive.
func (sub *subscription) message(req publishRequest) *ua.PublishResponse {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	resp := &ua.PublishResponse{
		ResponseHeader: header(req.hdr, ua.StatusOK), SubscriptionID: sub.id, AvailableSequenceNumbers: sub.available(), Results: req.results,
		DiagnosticInfos:     []*ua.DiagnosticInfo{},
		NotificationMessage: &ua.NotificationMessage{SequenceNumber: sub.sequence, PublishTime: time.Now(), NotificationData: []*ua.ExtensionObject{}},
	}
	if !sub.enabled {
		return resp
	}
	values, more := sub.collect()
	if len(values) == 0 {
		return resp
	}
	resp.MoreNotifications = more
	defer func() {
		sub.keep(resp.NotificationMessage, len(values))
		resp.AvailableSequenceNumbers = sub.available()
	}()
	resp.NotificationMessage.NotificationData = []*ua.ExtensionObject{
		ua.NewExtensionObject(&ua.DataChangeNotification{MonitoredItems: values, DiagnosticInfos: []*ua.DiagnosticInfo{}}),
	}
	if sub.sequence++; sub.sequence == 0 { // a keep-alive tells the next number without using it
		sub.sequence = 1
	}
	return resp
}

// lonely counts an interval in which the client had nothing asked for.
func (sub *subscription) lonely() {
	ses := sub.ses.Load()
	ses.mu.Lock()
	asked := len(ses.waiting) > 0
	ses.mu.Unlock()
	if asked {
		sub.lonelyFor = 0
	} else {
		sub.lonelyFor++
	}
}
