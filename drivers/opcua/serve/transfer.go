package serve

import (
	"bytes"
	"time"

	"github.com/gopcua/opcua/ua"
)

// maxEstates is how many ended sessions may have left subscriptions behind; beyond that those of the oldest end.
const maxEstates = 50

// bequeath ends a session but lets its subscriptions live on, for a new session of the same user to take over within their lifetime.
func (s *Server) bequeath(ses *session) {
	ses.mu.Lock()
	lasting := ses.active && (ses.security.secured() || ses.identity != anonymousPolicy) && len(ses.subs) > 0
	ses.mu.Unlock()
	if !lasting {
		s.endSession(ses)
		return
	}
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		s.endSession(ses)
		return
	}
	delete(s.sessions, ses.token)
	s.estates = append(s.estates, ses)
	var oldest *session
	if len(s.estates) > maxEstates {
		oldest = s.estates[0]
		s.estates = s.estates[1:]
	}
	s.mu.Unlock()
	ses.leave(true)
	if oldest != nil {
		s.endSession(oldest)
	}
}

// settle forgets ended sessions that left nothing, or nothing any more.
func (s *Server) settle() {
	s.mu.Lock()
	defer s.mu.Unlock()
	kept := s.estates[:0]
	for _, ses := range s.estates {
		ses.mu.Lock()
		if len(ses.subs) > 0 {
			kept = append(kept, ses)
		}
		ses.mu.Unlock()
	}
	clear(s.estates[len(kept):])
	s.estates = kept
}

// owner returns the session, ended or not, that a subscription is of.
func (s *Server) owner(id uint32) *session {
	s.mu.Lock()
	all := make([]*session, 0, len(s.sessions)+len(s.estates))
	for _, ses := range s.sessions {
		all = append(all, ses)
	}
	all = append(all, s.estates...)
	s.mu.Unlock()
	for _, ses := range all {
		ses.mu.Lock()
		found := ses.subs[id] != nil
		ses.mu.Unlock()
		if found {
			return ses
		}
	}
	return nil
}

func (ses *session) transferSubscriptions(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	var req struct {
		SubscriptionIDs   []uint32
		SendInitialValues bool
	}
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	switch n := len(req.SubscriptionIDs); {
	case n == 0:
		return nil, ua.StatusBadNothingToDo
	case n > maxOperations:
		return nil, ua.StatusBadTooManyOperations
	}
	results := make([]*ua.TransferResult, len(req.SubscriptionIDs))
	for i, id := range req.SubscriptionIDs {
		available, err := ses.adopt(id, req.SendInitialValues)
		results[i] = &ua.TransferResult{AvailableSequenceNumbers: available}
		if err != nil {
			results[i] = &ua.TransferResult{StatusCode: statusCode(err), AvailableSequenceNumbers: []uint32{}}
		}
	}
	ses.srv.settle()
	return &ua.TransferSubscriptionsResponse{ResponseHeader: header(hdr, ua.StatusOK), Results: results, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

// adopt takes a subscription over from another session of the same user, and returns the numbers of its messages that can be republished. One of an anonymous user goes to the same
// application alone, which only a secured channel proves (Part 4, 5.14.7).
func (ses *session) adopt(id uint32, initial bool) ([]uint32, error) {
	s := ses.srv
	s.transfers.Lock() // who holds it may lock two sessions
	defer s.transfers.Unlock()
	old := s.owner(id)
	if old == nil {
		return nil, ua.StatusBadSubscriptionIDInvalid
	}
	ses.mu.Lock()
	if old == ses {
		sub := ses.subs[id]
		ses.mu.Unlock()
		if sub == nil {
			return nil, ua.StatusBadSubscriptionIDInvalid
		}
		return sub.moved(initial), nil
	}
	old.mu.Lock()
	sub := old.subs[id]
	if status := ses.mayAdopt(old, sub); status != ua.StatusOK {
		old.mu.Unlock()
		ses.mu.Unlock()
		return nil, status
	}
	sub.mu.Lock()
	items := len(sub.items)
	sub.mu.Unlock()
	delete(old.subs, id)
	old.items -= items
	ses.subs[id] = sub
	ses.items += items
	sub.ses.Store(ses)
	waiting, conn := old.lost(sub)
	old.mu.Unlock()
	ses.mu.Unlock()
	for _, w := range waiting {
		conn.send(w.request, w.answer)
	}
	return sub.moved(initial), nil
}

// mayAdopt says whether ses may have a subscription of another session; the locks of both are held.
func (ses *session) mayAdopt(old *session, sub *subscription) ua.StatusCode {
	switch {
	case sub == nil:
		return ua.StatusBadSubscriptionIDInvalid
	case ses.ended:
		return ua.StatusBadSessionIDInvalid
	case ses.identity != old.identity, ses.identity == anonymousPolicy && (!ses.security.secured() || !bytes.Equal(ses.security.leaf, old.security.leaf)):
		return ua.StatusBadUserAccessDenied
	case len(ses.subs) >= maxPerSession:
		return ua.StatusBadTooManySubscriptions
	}
	sub.mu.Lock()
	defer sub.mu.Unlock()
	if ses.items+len(sub.items) > maxItems {
		return ua.StatusBadTooManyMonitoredItems
	}
	return ua.StatusOK
}

// belated is the answer to a Publish request that waited.
type belated struct {
	request uint32
	answer  ua.Response
}

// lost leaves word that a subscription went to another session, and answers the Publish requests that wait for it alone; ses.mu is held.
func (ses *session) lost(sub *subscription) (out []belated, conn *conn) {
	if ses.ended {
		return nil, nil
	}
	word := sub.farewell(ua.StatusGoodSubscriptionTransferred)
	waiting := ses.waiting
	switch {
	case len(waiting) > 0 && ses.conn != nil:
		word.ResponseHeader, word.Results = header(waiting[0].hdr, ua.StatusOK), waiting[0].results
		out, waiting = append(out, belated{waiting[0].request, word}), waiting[1:]
	case len(ses.gone) < maxPerSession:
		ses.gone = append(ses.gone, word)
	}
	if len(ses.subs) == 0 && len(ses.gone) == 0 {
		for _, w := range waiting {
			out = append(out, belated{w.request, fault(w.hdr, ua.StatusBadNoSubscription)})
		}
		waiting = nil
	}
	ses.waiting = waiting
	return out, ses.conn
}

// farewell is the last message of a subscription to a session.
func (sub *subscription) farewell(status ua.StatusCode) *ua.PublishResponse {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	return &ua.PublishResponse{
		SubscriptionID: sub.id, AvailableSequenceNumbers: []uint32{}, DiagnosticInfos: []*ua.DiagnosticInfo{},
		NotificationMessage: &ua.NotificationMessage{SequenceNumber: sub.sequence, PublishTime: time.Now(), NotificationData: []*ua.ExtensionObject{
			ua.NewExtensionObject(&ua.StatusChangeNotification{Status: status, DiagnosticInfo: &ua.DiagnosticInfo{}}),
		}},
	}
}

// moved starts the lifetime of a subscription anew, and has it tell every value again when initial is asked for.
func (sub *subscription) moved(initial bool) []uint32 {
	sub.mu.Lock()
	sub.renewed = true
	for _, it := range sub.items {
		if initial && len(it.queue) == 0 && it.last != nil && it.mode == ua.MonitoringModeReporting {
			it.queue = append(it.queue, it.last)
		}
	}
	available := sub.available()
	sub.mu.Unlock()
	sub.nudge()
	return available
}
