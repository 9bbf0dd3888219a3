package opcua

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
)

// session is one client of the library from connecting to its end. It is never mended: the supervisor makes another.
type session struct {
	link       *Link
	client     *opcua.Client
	ctx        context.Context // ends with the session; its cause says why
	kill       context.CancelCauseFunc
	namespaces map[string]uint16
	batch      int           // nodes per request
	slots      chan struct{} // requests under way
	skewed     atomic.Bool   // the server's clock is more than maxSkew off

	hub hub // of the subscriptions
}

const (
	maxSkew       = 5 * time.Second
	missedBeats   = 3
	requestsAtOne = 16 // under way on one connection
)

var serverClock = ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime)

// connect makes a client with a session and looks up what it needs to know of the server.
func connect(l *Link) (*session, error) {
	s := &session{link: l, slots: make(chan struct{}, requestsAtOne)}
	s.ctx, s.kill = context.WithCancelCause(l.ctx)
	options := []opcua.Option{
		opcua.AutoReconnect(false), opcua.SecurityPolicy(ua.SecurityPolicyURINone), opcua.SecurityMode(ua.MessageSecurityModeNone),
		opcua.ApplicationName("Quartier"), opcua.ApplicationURI("urn:quartier:client"), opcua.ProductURI("urn:quartier"), opcua.SessionName("quartier"),
		opcua.SessionTimeout(time.Minute), opcua.DialTimeout(l.config.Timeout),
		opcua.RequestTimeout(time.Minute), // bounds Publish; every other request is bounded by its context
		opcua.StateChangedFunc(func(state opcua.ConnState) {
			if state == opcua.Disconnected || state == opcua.Closed {
				s.kill(errors.New("channel ended"))
			}
		}),
	}
	if l.config.User != "" {
		options = append(options, opcua.AuthPolicyID("username"), opcua.AuthUsername(l.config.User, l.config.Password))
	}
	client, err := opcua.NewClient(l.address, options...)
	if err != nil {
		s.kill(err)
		return nil, err
	}
	s.client = client
	ctx, cancel := context.WithTimeoutCause(s.ctx, 3*l.config.Timeout, errors.New("the server did not complete the connection in time"))
	defer cancel()
	connected := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				connected <- fmt.Errorf("%w: %v", drivers.ErrGarbage, p)
			}
		}()
		connected <- client.Connect(ctx)
	}()
	select {
	case err = <-connected:
	case <-ctx.Done():
		err = context.Cause(ctx)
		s.kill(err)
		go func() { <-connected; s.discard(false) }() // the library comes back with its own timeouts
		return nil, err
	}
	if err == nil {
		err = s.learn(ctx)
	}
	if err != nil {
		s.kill(err)
		s.discard(false)
		return nil, err
	}
	return s, nil
}

// learn looks up namespaces, operation limits and the server's clock.
func (s *session) learn(ctx context.Context) error {
	s.batch = s.link.config.Batch
	limit := ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead)
	began := s.link.config.Now()
	values, err := s.readNodes(ctx, []*ua.ReadValueID{
		{NodeID: ua.NewNumericNodeID(0, id.Server_NamespaceArray)}, {NodeID: limit}, {NodeID: serverClock},
	})
	if err != nil {
		return err
	}
	uris, ok := valueOf(values[0]).([]string)
	if !ok {
		return fmt.Errorf("namespace table: %w", drivers.ErrGarbage)
	}
	s.namespaces = make(map[string]uint16, len(uris))
	for i, uri := range uris {
		if _, twice := s.namespaces[uri]; !twice && i < 1<<16 {
			s.namespaces[uri] = uint16(i)
		}
	}
	if n, ok := valueOf(values[1]).(uint32); ok && n > 0 && int(n) < s.batch {
		s.batch = int(n)
	}
	s.clock(values[2], began)
	return nil
}

func valueOf(dv *ua.DataValue) any {
	if dv == nil || dv.Value == nil || severity(dv.Status) == severityBad {
		return nil
	}
	return dv.Value.Value()
}

// clock compares the server's clock with ours. The server read it at some time between the begin of our request and now: how long the answer took is no
// difference of clocks.
func (s *session) clock(dv *ua.DataValue, began time.Time) {
	if t, ok := valueOf(dv).(time.Time); ok {
		off := max(0, t.Sub(s.link.config.Now())) + min(0, t.Sub(began))
		if now := off.Abs() > maxSkew; s.skewed.Swap(now) != now && now {
			s.link.config.Log.Warn("opc ua server's clock differs, times of arrival are used", "address", s.link.address, "off", off.Round(time.Second))
		}
	}
}

// watch reads the server's clock until the session ends.
func (s *session) watch() {
	t := time.NewTicker(s.link.config.Heartbeat)
	defer t.Stop()
	missed := 0
	for {
		select {
		case <-s.ctx.Done():
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(s.ctx, max(s.link.config.Heartbeat, time.Second))
		began := s.link.config.Now()
		values, err := s.readNodes(ctx, []*ua.ReadValueID{{NodeID: serverClock}})
		cancel()
		if err == nil {
			missed = 0
			s.clock(values[0], began)
			continue
		}
		if missed++; missed >= missedBeats {
			s.kill(fmt.Errorf("%d heartbeats missed: %w", missed, err))
		}
	}
}

// discard closes the client in the background; wait gives it up to a second to take leave.
func (s *session) discard(wait bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { recover() }() // the library closing a connection that is half made
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		s.client.Close(ctx)
	}()
	if wait {
		select {
		case <-done:
		case <-time.After(1500 * time.Millisecond):
		}
	}
}

// ask sends one request and returns its response. It comes back when ctx or the session ends, whatever the library does, and within the time of
// a request.
func ask[T ua.Response](ctx context.Context, s *session, req ua.Request) (T, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, s.link.config.Timeout, errTimeout)
	defer cancel()
	resp, err := wait[T](ctx, s, req)
	if err != nil && errors.Is(context.Cause(ctx), errTimeout) {
		s.link.timeouts.Add(1)
		err = unreachable(fmt.Errorf("no answer in %v", s.link.config.Timeout))
	}
	return resp, err
}

var errTimeout = errors.New("no answer in time")

func wait[T ua.Response](ctx context.Context, s *session, req ua.Request) (none T, err error) {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return none, unreachable(context.Cause(ctx))
	case <-s.ctx.Done():
		return none, unreachable(context.Cause(s.ctx))
	}
	s.link.requests.Add(1)
	type outcome struct {
		resp T
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		var o outcome
		defer func() {
			if p := recover(); p != nil {
				o.err = fmt.Errorf("%w: %v", drivers.ErrGarbage, p)
			}
			<-s.slots
			done <- o
		}()
		o.err = s.client.Send(ctx, req, func(r ua.Response) error {
			resp, ok := r.(T)
			if !ok {
				return fmt.Errorf("%w: %T in answer to %T", drivers.ErrGarbage, r, req)
			}
			o.resp = resp
			return nil
		})
	}()
	select {
	case o := <-done:
		return o.resp, s.judge(ctx, o.err)
	case <-ctx.Done():
		return none, unreachable(context.Cause(ctx))
	case <-s.ctx.Done():
		return none, unreachable(context.Cause(s.ctx))
	}
}

// judge says what an error means for the caller, and ends the session where it cannot go on.
func (s *session) judge(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, drivers.ErrGarbage) {
		return err
	}
	if ctx.Err() != nil {
		return unreachable(context.Cause(ctx))
	}
	status, ok := errors.AsType[ua.StatusCode](err)
	if !ok {
		if lost(err) {
			s.kill(err)
		}
		return unreachable(err)
	}
	switch status {
	case ua.StatusBadTimeout, ua.StatusBadRequestTimeout:
		return unreachable(err)
	case ua.StatusBadSessionIDInvalid, ua.StatusBadSessionClosed, ua.StatusBadSessionNotActivated, ua.StatusBadSecureChannelIDInvalid,
		ua.StatusBadSecureChannelClosed, ua.StatusBadSecureChannelTokenUnknown, ua.StatusBadServerNotConnected, ua.StatusBadServerHalted,
		ua.StatusBadConnectionClosed, ua.StatusBadShutdown, ua.StatusBadTCPSecureChannelUnknown, ua.StatusBadNotConnected:
		s.kill(err)
		return unreachable(err)
	case ua.StatusBadDecodingError, ua.StatusBadUnknownResponse:
		s.kill(err)
		return fmt.Errorf("%w: %w", drivers.ErrGarbage, err)
	}
	return fmt.Errorf("%w: %w", drivers.ErrRejected, err)
}

// lost reports whether an error means that the connection is gone.
func lost(err error) bool {
	var ne net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &ne)
}

// readNodes reads attributes, the value where none is named, in as many requests as the server wants. On an error what was read until then is
// returned; the rest is nil.
func (s *session) readNodes(ctx context.Context, nodes []*ua.ReadValueID) ([]*ua.DataValue, error) {
	out := make([]*ua.DataValue, len(nodes))
	for from := 0; from < len(nodes); from += s.batch {
		part := nodes[from:min(from+s.batch, len(nodes))]
		for _, n := range part {
			if n.AttributeID == 0 {
				n.AttributeID = ua.AttributeIDValue
			}
			if n.DataEncoding == nil {
				n.DataEncoding = &ua.QualifiedName{}
			}
		}
		resp, err := ask[*ua.ReadResponse](ctx, s, &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth, NodesToRead: part})
		if err != nil {
			return out, err
		}
		if len(resp.Results) != len(part) {
			return out, fmt.Errorf("%w: %d values for %d nodes", drivers.ErrGarbage, len(resp.Results), len(part))
		}
		copy(out[from:], resp.Results)
	}
	return out, nil
}

// hub hands the notifications of a session to its subscriptions.
type hub struct {
	mu       sync.Mutex
	handlers map[uint32]func(*ua.NotificationMessage)
	running  bool
}

// subscribe creates a subscription. handle is called for each message, keep-alives too, from one goroutine, and must not block.
func (s *session) subscribe(ctx context.Context, interval time.Duration, handle func(*ua.NotificationMessage)) (*ua.CreateSubscriptionResponse, error) {
	h := &s.hub
	h.mu.Lock() // until the handler is known: its first message may come at once
	defer h.mu.Unlock()
	ms := float64(interval) / float64(time.Millisecond)
	alive := max(uint32(5*time.Second/max(interval, time.Millisecond)), 1) // a keep-alive every 5 s
	resp, err := ask[*ua.CreateSubscriptionResponse](ctx, s, &ua.CreateSubscriptionRequest{
		RequestedPublishingInterval: ms, RequestedLifetimeCount: 12 * alive, RequestedMaxKeepAliveCount: alive, PublishingEnabled: true,
	})
	if err != nil {
		return nil, err
	}
	if h.handlers == nil {
		h.handlers = make(map[uint32]func(*ua.NotificationMessage))
	}
	h.handlers[resp.SubscriptionID] = handle
	if !h.running {
		h.running = true
		go s.publish()
	}
	return resp, nil
}

// unsubscribe deletes a subscription, as far as the server still listens.
func (s *session) unsubscribe(id uint32) {
	s.hub.mu.Lock()
	delete(s.hub.handlers, id)
	s.hub.mu.Unlock()
	ctx, cancel := context.WithTimeout(s.ctx, 500*time.Millisecond)
	defer cancel()
	ask[*ua.DeleteSubscriptionsResponse](ctx, s, &ua.DeleteSubscriptionsRequest{SubscriptionIDs: []uint32{id}})
}

// publish asks for notifications as long as there are subscriptions.
func (s *session) publish() {
	acks := []*ua.SubscriptionAcknowledgement{}
	none := 0 // times in a row that the server knew of no subscription
	for {
		s.hub.mu.Lock()
		if len(s.hub.handlers) == 0 || s.ctx.Err() != nil {
			s.hub.running = false
			s.hub.mu.Unlock()
			return
		}
		s.hub.mu.Unlock()
		resp, err := wait[*ua.PublishResponse](s.ctx, s, &ua.PublishRequest{SubscriptionAcknowledgements: acks})
		acks = acks[:0:0]
		if err != nil {
			if errors.Is(err, ua.StatusBadTimeout) {
				continue // nothing to tell for long
			}
			if errors.Is(err, ua.StatusBadNoSubscription) && none < 3 { // the last one may just have been deleted
				none++
				time.Sleep(50 * time.Millisecond)
				continue
			}
			s.kill(fmt.Errorf("publish: %w", err))
			continue
		}
		none = 0
		msg := resp.NotificationMessage
		if msg == nil {
			continue
		}
		if len(msg.NotificationData) > 0 {
			acks = append(acks, &ua.SubscriptionAcknowledgement{SubscriptionID: resp.SubscriptionID, SequenceNumber: msg.SequenceNumber})
		}
		s.hub.mu.Lock()
		handle := s.hub.handlers[resp.SubscriptionID]
		s.hub.mu.Unlock()
		if handle != nil {
			handle(msg)
		}
	}
}
