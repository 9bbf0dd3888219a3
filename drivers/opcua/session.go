package opcua

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/opcua/pki"
)

// session is one channel with its session, from connecting to its end. It is never mended: the supervisor makes another.
type session struct {
	link       *Link
	channel    *channel
	token      *ua.NodeID      // of the session
	ctx        context.Context // ends with the session; its cause says why
	kill       context.CancelCauseFunc
	namespaces map[string]uint16
	uris       []string      // the same by index
	batch      atomic.Int32  // nodes of a read
	items      atomic.Int32  // monitored items of a request
	slots      chan struct{} // requests under way
	skewed     atomic.Bool   // the server's clock is more than maxSkew off

	historyless atomic.Bool // the server said that it has no history

	shown   []byte // the server's certificate; nil when it was not needed
	expect  pki.Expect
	ends    time.Time // of the server's certificate
	version uint64    // of the trust list that it was held against

	hub hub // of the subscriptions
}

const (
	maxSkew        = 5 * time.Second
	missedBeats    = 3
	requestsAtOnce = 16 // under way on one connection
)

var serverClock = ua.NewNumericNodeID(0, id.Server_ServerStatus_CurrentTime)

// learn looks up namespaces, operation limits and the server's clock.
func (s *session) learn(ctx context.Context) error {
	s.batch.Store(int32(s.link.config.Batch))
	s.items.Store(int32(s.link.config.Batch))
	began := s.link.config.Now()
	values, err := s.readNodes(ctx, []*ua.ReadValueID{
		{NodeID: ua.NewNumericNodeID(0, id.Server_NamespaceArray)}, {NodeID: serverClock},
		{NodeID: ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead)},
		{NodeID: ua.NewNumericNodeID(0, id.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall)},
	})
	if err != nil {
		return err
	}
	uris, ok := valueOf(values[0]).([]string)
	if !ok {
		return fmt.Errorf("namespace table: %w", drivers.ErrGarbage)
	}
	s.uris = uris
	s.namespaces = make(map[string]uint16, len(uris))
	for i, uri := range uris {
		if _, twice := s.namespaces[uri]; !twice && i < 1<<16 {
			s.namespaces[uri] = uint16(i)
		}
	}
	for i, limit := range []*atomic.Int32{&s.batch, &s.items} {
		if n, ok := valueOf(values[2+i]).(uint32); ok && n > 0 && n < uint32(limit.Load()) {
			limit.Store(int32(n))
		}
	}
	s.clock(values[1], began)
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
			s.still()
			continue
		}
		if missed++; missed >= missedBeats {
			s.kill(fmt.Errorf("%d heartbeats missed: %w", missed, err))
		}
	}
}

// discard closes the session in the background; wait gives it up to a second to take leave.
func (s *session) discard(wait bool) {
	if s.channel == nil {
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if s.token != nil && s.channel.ctx.Err() == nil {
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			s.channel.exchange(ctx, &ua.CloseSessionRequest{DeleteSubscriptions: true}, s.token, nil)
			cancel()
		}
		s.channel.close()
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
		defer func() { <-s.slots }()
	case <-ctx.Done():
		return none, unreachable(context.Cause(ctx))
	case <-s.ctx.Done():
		return none, unreachable(context.Cause(s.ctx))
	}
	s.link.requests.Add(1)
	ctx, done := bind(ctx, s.ctx)
	defer done()
	message, err := s.channel.exchange(ctx, req, s.token, nil)
	return answer[T](ctx, s, req, message, err)
}

// answer decodes the message that answers a request, and says what an error of it means.
func answer[T ua.Response](ctx context.Context, s *session, req ua.Request, message []byte, err error) (none T, _ error) {
	if err != nil {
		return none, s.judge(ctx, err)
	}
	resp, err := decodeAnswer(message)
	if err != nil {
		return none, s.judge(ctx, err)
	}
	t, ok := resp.(T)
	if !ok {
		return none, fmt.Errorf("%w: %T in answer to %T", drivers.ErrGarbage, resp, req)
	}
	return t, nil
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
		ua.StatusBadConnectionClosed, ua.StatusBadShutdown, ua.StatusBadTCPSecureChannelUnknown:
		s.kill(err)
		return unreachable(err)
	}
	return fmt.Errorf("%w: %w", drivers.ErrRejected, err)
}

// lost reports whether an error means that the connection is gone.
func lost(err error) bool {
	var ne net.Error
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.As(err, &ne)
}

// readAhead is how many requests of one read are under way at once.
const readAhead = 4

// readNodes reads attributes, the value where none is named, in as many requests as the server wants. On an error what was read until then is
// returned; the rest is nil.
func (s *session) readNodes(ctx context.Context, nodes []*ua.ReadValueID) ([]*ua.DataValue, error) {
	out := make([]*ua.DataValue, len(nodes))
	for _, n := range nodes {
		if n.AttributeID == 0 {
			n.AttributeID = ua.AttributeIDValue
		}
		if n.DataEncoding == nil {
			n.DataEncoding = noEncoding
		}
	}
	for from := 0; from < len(nodes); {
		size := max(int(s.batch.Load()), 1)
		parts := slices.Collect(slices.Chunk(nodes[from:min(from+readAhead*size, len(nodes))], size))
		errs := make([]error, len(parts))
		var wg sync.WaitGroup
		at := from
		for i, part := range parts {
			to := out[at : at+len(part)]
			at += len(part)
			if len(parts) == 1 {
				errs[i] = s.readPart(ctx, part, to)
			} else {
				wg.Go(func() { errs[i] = s.readPart(ctx, part, to) })
			}
		}
		wg.Wait()
		for i, part := range parts {
			if tooMuch(errs[i]) && len(part) > 1 {
				s.batch.Store(int32(len(part) / 2))
				break
			}
			if errs[i] != nil {
				clear(out[from:])
				return out, errs[i]
			}
			from += len(part)
		}
	}
	return out, nil
}

var noEncoding = &ua.QualifiedName{}

// readPart reads attributes in one request.
func (s *session) readPart(ctx context.Context, nodes []*ua.ReadValueID, to []*ua.DataValue) error {
	resp, err := ask[*ua.ReadResponse](ctx, s, &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth, NodesToRead: nodes})
	if err != nil {
		return err
	}
	if len(resp.Results) != len(nodes) {
		return fmt.Errorf("%w: %d values for %d nodes", drivers.ErrGarbage, len(resp.Results), len(nodes))
	}
	copy(to, resp.Results)
	return nil
}

// tooMuch reports whether a request asked for more at once than the server, or a message, takes.
func tooMuch(err error) bool {
	return errors.Is(err, ua.StatusBadTooManyOperations) || errors.Is(err, ua.StatusBadResponseTooLarge) || errors.Is(err, ua.StatusBadRequestTooLarge) ||
		errors.Is(err, ua.StatusBadEncodingLimitsExceeded) || errors.Is(err, ua.StatusBadTCPMessageTooLarge)
}

// hub hands the notifications of a session to its subscriptions.
type hub struct {
	mu       sync.Mutex
	handlers map[uint32]func(*publication)
	running  bool
}

// subscribe creates a subscription. handle is called for each message, keep-alives too, from one goroutine, and must not block.
func (s *session) subscribe(ctx context.Context, interval time.Duration, handle func(*publication)) (*ua.CreateSubscriptionResponse, error) {
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
		h.handlers = make(map[uint32]func(*publication))
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

// publishAhead is how many Publish requests are under way beyond one for each subscription, so that the server never waits for one.
const (
	publishAhead = 1
	publishMost  = 8
)

// publish asks for notifications as long as there are subscriptions.
func (s *session) publish() {
	type ahead struct {
		call *call
		id   uint32
	}
	acks := []*ua.SubscriptionAcknowledgement{}
	var out []ahead
	defer func() {
		for _, a := range out {
			s.channel.forget(a.id)
		}
	}()
	limit := publishMost
	none := 0 // times in a row that the server knew of no subscription
	for {
		s.hub.mu.Lock()
		subscriptions := len(s.hub.handlers)
		if subscriptions == 0 || s.ctx.Err() != nil {
			s.hub.running = false
			s.hub.mu.Unlock()
			return
		}
		s.hub.mu.Unlock()
		for len(out) < min(subscriptions+publishAhead, limit) {
			w, id, err := s.channel.send(context.Background(), &ua.PublishRequest{SubscriptionAcknowledgements: acks}, s.token, nil)
			if err != nil {
				s.kill(fmt.Errorf("publish: %w", err))
				break
			}
			s.link.requests.Add(1)
			acks = acks[:0:0]
			out = append(out, ahead{w, id})
		}
		if len(out) == 0 {
			continue
		}
		first := out[0]
		out = out[1:]
		message, err := s.channel.await(s.ctx, first.call, first.id)
		told, err := s.published(message, err)
		switch {
		case err == nil:
		case errors.Is(err, ua.StatusBadTimeout):
			continue // nothing to tell for long
		case errors.Is(err, ua.StatusBadTooManyPublishRequests) && len(out) > 0:
			limit = len(out)
			continue
		case errors.Is(err, ua.StatusBadNoSubscription) && none < 3+publishMost: // the last one may just have been deleted
			none++
			time.Sleep(50 * time.Millisecond)
			continue
		default:
			s.kill(fmt.Errorf("publish: %w", err))
			continue
		}
		none = 0
		if told.tells {
			acks = append(acks, &ua.SubscriptionAcknowledgement{SubscriptionID: told.subscription, SequenceNumber: told.sequence})
		}
		s.hub.mu.Lock()
		handle := s.hub.handlers[told.subscription]
		s.hub.mu.Unlock()
		if handle != nil {
			handle(&told)
		}
	}
}

// published decodes the message that answers a Publish request.
func (s *session) published(message []byte, err error) (publication, error) {
	if err == nil {
		if p, ok := decodePublication(message); ok {
			return p, nil
		}
	}
	resp, err := answer[*ua.PublishResponse](s.ctx, s, (*ua.PublishRequest)(nil), message, err)
	if err != nil {
		return publication{}, err
	}
	return publicationOf(resp), nil
}
