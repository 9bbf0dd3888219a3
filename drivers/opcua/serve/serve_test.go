package serve

import (
	"context"
	"errors"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"quartier/schemas/district"
)

func dial(t *testing.T, addr string) *opcua.Client {
	t.Helper()
	c, err := opcua.NewClient("opc.tcp://"+addr, opcua.AutoReconnect(false), opcua.SecurityMode(ua.MessageSecurityModeNone))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Connect(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		c.Close(ctx)
	})
	return c
}

// TestReadAndBrowse: a client finds the variables by browsing and reads value, status, both times and the unit.
func TestReadAndBrowse(t *testing.T) {
	s, addr := start(t, Config{OtherNamespaces: []string{"urn:other"}}, 2)
	at := time.Date(2026, 3, 29, 1, 30, 0, 0, time.UTC)
	if err := s.Set("s=V1", 12.5, district.Uncertain, at); err != nil {
		t.Fatal(err)
	}
	c := dial(t, addr)
	ns, err := c.FindNamespace(t.Context(), testURI)
	if err != nil || ns != 3 {
		t.Fatalf("namespace %d, %v, want 3", ns, err)
	}
	resp, err := c.Read(t.Context(), &ua.ReadRequest{TimestampsToReturn: ua.TimestampsToReturnBoth, NodesToRead: []*ua.ReadValueID{{NodeID: ua.NewStringNodeID(ns, "V1")}, {NodeID: ua.NewStringNodeID(ns, "nope")}}})
	if err != nil {
		t.Fatal(err)
	}
	if r := resp.Results[0]; r.Status != ua.StatusUncertain || !r.SourceTimestamp.Equal(at) || r.ServerTimestamp.IsZero() {
		t.Errorf("read: %+v", r)
	}
	if r := resp.Results[1]; r.Status != ua.StatusBadNodeIDUnknown {
		t.Errorf("missing node: %v", r.Status)
	}
	refs, err := c.Node(ua.NewNumericNodeID(0, id.ObjectsFolder)).ReferencedNodes(t.Context(), id.HierarchicalReferences, ua.BrowseDirectionForward, ua.NodeClassAll, true)
	if err != nil || len(refs) != 2 {
		t.Fatalf("children of Objects: %v %v, want Server and Plant", refs, err)
	}
	vars, err := refs[1].ReferencedNodes(t.Context(), id.HierarchicalReferences, ua.BrowseDirectionForward, ua.NodeClassVariable, true)
	if err != nil || len(vars) != 2 || vars[1].ID.String() != "ns=3;s=V1" {
		t.Errorf("children of Plant: %v %v", vars, err)
	}
	path, err := c.Node(ua.NewNumericNodeID(0, id.ObjectsFolder)).TranslateBrowsePathInNamespaceToNodeID(t.Context(), ns, "Plant.V1")
	if err != nil || path.String() != "ns=3;s=V1" {
		t.Errorf("path Plant.V1 is %v, %v", path, err)
	}
	props, err := vars[1].ReferencedNodes(t.Context(), id.HasProperty, ua.BrowseDirectionForward, ua.NodeClassVariable, true)
	if err != nil || len(props) != 1 {
		t.Fatalf("properties: %v %v", props, err)
	}
	unit, err := props[0].Value(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if eu, ok := unit.Value().(*ua.ExtensionObject).Value.(*ua.EUInformation); !ok || eu.DisplayName.Text != "kW" || eu.UnitID != 4937556 {
		t.Errorf("unit %+v", unit.Value())
	}
	attrs, err := vars[0].Attributes(t.Context(), ua.AttributeIDAccessLevel, ua.AttributeIDDataType, ua.AttributeIDValueRank, ua.AttributeIDDescription, ua.AttributeIDWriteMask)
	if err != nil {
		t.Fatal(err)
	}
	for i, a := range attrs {
		if a.Status != ua.StatusOK {
			t.Errorf("attribute %d: %v", i, a.Status)
		}
	}
	if attrs[0].Value.Value().(byte) != 1 {
		t.Errorf("access level %v, want read", attrs[0].Value.Value())
	}
}

// TestBrowsePages: a large folder arrives in pages, complete and without repetition.
func TestBrowsePages(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Config{}, 2500)
	r := openSession(t, addr)
	resp := r.call(&ua.BrowseRequest{RequestHeader: r.hdr(), View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, RequestedMaxReferencesPerNode: 700,
		NodesToBrowse: []*ua.BrowseDescription{{NodeID: ua.MustParseNodeID("ns=2;s=/Plant"), ReferenceTypeID: ua.NewTwoByteNodeID(id.HasComponent), ResultMask: 63}}}).(*ua.BrowseResponse)
	seen := map[string]bool{}
	result := resp.Results[0]
	pages := 1
	for {
		for _, ref := range result.References {
			if seen[ref.NodeID.String()] {
				t.Fatalf("%s twice", ref.NodeID)
			}
			seen[ref.NodeID.String()] = true
		}
		if result.ContinuationPoint == nil {
			break
		}
		next := r.call(&ua.BrowseNextRequest{RequestHeader: r.hdr(), ContinuationPoints: [][]byte{result.ContinuationPoint}}).(*ua.BrowseNextResponse)
		result = next.Results[0]
		pages++
	}
	if len(seen) != 2500 || pages < 3 {
		t.Errorf("%d references in %d pages, want 2500 in at least 3", len(seen), pages)
	}
	again := r.call(&ua.BrowseNextRequest{RequestHeader: r.hdr(), ContinuationPoints: [][]byte{[]byte("old")}}).(*ua.BrowseNextResponse)
	if again.Results[0].StatusCode != ua.StatusBadContinuationPointInvalid {
		t.Error(again.Results[0].StatusCode)
	}
}

// TestSubscription: the first value and each change arrive with status and source time; an unchanged value does not.
func TestSubscription(t *testing.T) {
	t.Parallel()
	s, addr := start(t, Config{}, 2)
	c := dial(t, addr)
	ch := make(chan *opcua.PublishNotificationData, 100)
	sub, err := c.Subscribe(t.Context(), &opcua.SubscriptionParameters{Interval: minInterval}, ch)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Monitor(t.Context(), ua.TimestampsToReturnBoth, opcua.NewMonitoredItemCreateRequestWithDefaults(ua.MustParseNodeID("ns=2;s=V0"), 13, 7),
		opcua.NewMonitoredItemCreateRequestWithDefaults(ua.MustParseNodeID("i=2258"), 13, 8)); err != nil {
		t.Fatal(err)
	}
	values := make(chan *ua.DataValue, 100)
	go func() {
		for d := range ch {
			if n, ok := d.Value.(*ua.DataChangeNotification); ok {
				for _, m := range n.MonitoredItems {
					if m.ClientHandle == 7 {
						values <- m.Value
					}
				}
			}
		}
	}()
	next := func(want float64, status ua.StatusCode) {
		t.Helper()
		select {
		case v := <-values:
			if v.Value.Float() != want || v.Status != status || v.SourceTimestamp.IsZero() {
				t.Errorf("got %v %v %v, want %v %v", v.Value.Value(), v.Status, v.SourceTimestamp, want, status)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no value %v", want)
		}
	}
	next(0, ua.StatusOK)
	for i := 1; i <= 3; i++ {
		if err := s.Set("s=V0", float64(i), district.Good, time.Now()); err != nil {
			t.Fatal(err)
		}
		next(float64(i), ua.StatusOK)
	}
	s.Set("s=V0", 3.0, district.Good, time.Now())
	s.Set("s=V0", 3.0, district.Good, time.Now())
	select {
	case v := <-values:
		t.Errorf("an unchanged value was told: %v", v.Value.Value())
	case <-time.After(4 * minInterval):
	}
	s.Set("s=V0", 3.0, district.Substituted, time.Now())
	next(3, ua.StatusUncertainSubstituteValue)
}

// TestSubscriptionExpires: a subscription without Publish requests ends after its lifetime and says so to the next request.
func TestSubscriptionExpires(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Config{}, 1)
	r := openSession(t, addr)
	keep := r.subscribe(60_000)
	resp := r.call(&ua.CreateSubscriptionRequest{RequestHeader: r.hdr(), RequestedPublishingInterval: 100, RequestedLifetimeCount: 3, RequestedMaxKeepAliveCount: 1, PublishingEnabled: true}).(*ua.CreateSubscriptionResponse)
	r.monitor(resp.SubscriptionID, "ns=2;s=V0")
	time.Sleep(1500 * time.Millisecond)
	pub, ok := r.call(&ua.PublishRequest{RequestHeader: r.hdr()}).(*ua.PublishResponse)
	if !ok || pub.SubscriptionID != resp.SubscriptionID || len(pub.NotificationMessage.NotificationData) != 1 {
		t.Fatalf("publish: %+v", pub)
	}
	if n, ok := pub.NotificationMessage.NotificationData[0].Value.(*ua.StatusChangeNotification); !ok || n.Status != ua.StatusBadTimeout {
		t.Errorf("notification %+v, want a status change to BadTimeout", pub.NotificationMessage.NotificationData[0].Value)
	}
	if got := status(r.call(&ua.ModifySubscriptionRequest{RequestHeader: r.hdr(), SubscriptionID: keep, RequestedPublishingInterval: 60_000})); got != ua.StatusOK {
		t.Errorf("the other subscription: %v", got)
	}
}

// TestSessionOutlivesItsConnection: after a lost connection the client goes on with its session and subscription on a new one.
func TestSessionOutlivesItsConnection(t *testing.T) {
	s, addr := start(t, Config{}, 1)
	old := openSession(t, addr)
	sub := old.subscribe(100)
	old.monitor(sub, "ns=2;s=V0")
	old.nc.Close()
	s.Set("s=V0", 41.0, district.Good, time.Now())
	r := dialRaw(t, addr).hello().open()
	r.auth = old.auth
	if got := r.activate(&ua.AnonymousIdentityToken{PolicyID: anonymousPolicy}); got != ua.StatusOK {
		t.Fatalf("activate on a new connection: %v", got)
	}
	for range 3 {
		pub, ok := r.call(&ua.PublishRequest{RequestHeader: r.hdr()}).(*ua.PublishResponse)
		if !ok {
			t.Fatal("no PublishResponse")
		}
		if d := pub.NotificationMessage.NotificationData; len(d) > 0 {
			told := d[0].Value.(*ua.DataChangeNotification).MonitoredItems
			if len(told) != 2 || told[0].Value.Value.Float() != 0 || told[1].Value.Value.Float() != 41 {
				t.Errorf("told %+v, want 0 from before and 41 from between", told)
			}
			return
		}
	}
	t.Error("no data after the session was taken over")
}

// TestRepublish: what was sent and not acknowledged is given again after the connection was lost, and no longer once it is acknowledged; what nobody acknowledges is kept up to a bound.
func TestRepublish(t *testing.T) {
	s, addr := start(t, Config{}, 1)
	old := openSession(t, addr)
	sub := old.subscribe(100)
	old.monitor(sub, "ns=2;s=V0")
	pub, ok := old.call(&ua.PublishRequest{RequestHeader: old.hdr()}).(*ua.PublishResponse)
	for ok && len(pub.NotificationMessage.NotificationData) == 0 {
		pub, ok = old.call(&ua.PublishRequest{RequestHeader: old.hdr()}).(*ua.PublishResponse)
	}
	if !ok || len(pub.AvailableSequenceNumbers) != 1 || pub.AvailableSequenceNumbers[0] != pub.NotificationMessage.SequenceNumber {
		t.Fatalf("publish: %+v", pub)
	}
	number := pub.NotificationMessage.SequenceNumber
	old.nc.Close()
	r := dialRaw(t, addr).hello().open()
	r.auth = old.auth
	if got := r.activate(&ua.AnonymousIdentityToken{PolicyID: anonymousPolicy}); got != ua.StatusOK {
		t.Fatal(got)
	}
	again, ok := r.call(&ua.RepublishRequest{RequestHeader: r.hdr(), SubscriptionID: sub, RetransmitSequenceNumber: number}).(*ua.RepublishResponse)
	if !ok || again.NotificationMessage.SequenceNumber != number || len(again.NotificationMessage.NotificationData) != 1 {
		t.Fatalf("republish: %+v", again)
	}
	if got := status(r.call(&ua.RepublishRequest{RequestHeader: r.hdr(), SubscriptionID: sub, RetransmitSequenceNumber: number + 1})); got != ua.StatusBadMessageNotAvailable {
		t.Errorf("republish of what was never sent: %v", got)
	}
	s.Set("s=V0", 7.0, district.Good, time.Now())
	acks := []*ua.SubscriptionAcknowledgement{{SubscriptionID: sub, SequenceNumber: number}, {SubscriptionID: sub, SequenceNumber: number + 50}}
	pub = r.call(&ua.PublishRequest{RequestHeader: r.hdr(), SubscriptionAcknowledgements: acks}).(*ua.PublishResponse)
	if len(pub.Results) != 2 || pub.Results[0] != ua.StatusOK || pub.Results[1] != ua.StatusBadSequenceNumberUnknown {
		t.Errorf("acknowledgements: %v", pub.Results)
	}
	if got := status(r.call(&ua.RepublishRequest{RequestHeader: r.hdr(), SubscriptionID: sub, RetransmitSequenceNumber: number})); got != ua.StatusBadMessageNotAvailable {
		t.Errorf("republish of what was acknowledged: %v", got)
	}
	for i := range maxSent + 5 {
		s.Set("s=V0", float64(100+i), district.Good, time.Now())
		pub = r.call(&ua.PublishRequest{RequestHeader: r.hdr()}).(*ua.PublishResponse)
	}
	if n := len(pub.AvailableSequenceNumbers); n > maxSent {
		t.Errorf("%d messages are kept, want at most %d", n, maxSent)
	}
}

// TestChannelRenewal: a renewed token works, and the one before it still does.
func TestChannelRenewal(t *testing.T) {
	_, addr := start(t, Config{}, 1)
	r := openSession(t, addr)
	auth := r.auth
	r.auth = ua.NewTwoByteNodeID(0)
	r.sendOpen(&ua.OpenSecureChannelRequest{RequestHeader: r.hdr(), RequestType: ua.SecurityTokenRequestTypeRenew, SecurityMode: ua.MessageSecurityModeNone, RequestedLifetime: 1}, ua.SecurityPolicyURINone)
	resp := r.response().(*ua.OpenSecureChannelResponse)
	r.auth = auth
	if resp.SecurityToken.TokenID == r.token || resp.SecurityToken.RevisedLifetime < 10_000 {
		t.Errorf("renewed token %+v", resp.SecurityToken)
	}
	r.readValue("ns=2;s=V0")
	r.token = resp.SecurityToken.TokenID
	r.readValue("ns=2;s=V0")
}

// TestSetRefusesWhatDoesNotFit: an unknown node and a value beyond the type are errors; bad quality may come without a value.
func TestSetRefusesWhatDoesNotFit(t *testing.T) {
	s, addr := start(t, Config{}, 1)
	for _, v := range []Variable{{Path: []string{"A", "N"}, NodeID: "s=N", Type: Int16}, {Path: []string{"A", "B"}, NodeID: "i=7", Type: Boolean}, {Path: []string{"A", "T"}, NodeID: "s=T", Type: String}} {
		if err := s.AddVariable(v); err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	for _, tt := range []struct {
		node  string
		value any
		q     district.Quality
		want  error
	}{
		{"s=N", 32767.4, district.Good, nil}, {"s=N", 32768, district.Good, ErrType}, {"s=N", math.NaN(), district.Good, ErrType}, {"s=N", math.NaN(), district.Bad, nil},
		{"i=7", true, district.Good, nil}, {"i=7", 1, district.Good, nil}, {"i=7", 2, district.Good, ErrType}, {"s=T", "on", district.Good, nil}, {"s=T", 1, district.Good, ErrType},
		{"s=N", "x", district.Good, ErrType}, {"s=V0", math.Inf(1), district.Good, ErrType}, {"s=missing", 1, district.Good, ErrUnknownNode},
	} {
		if err := s.Set(tt.node, tt.value, tt.q, now); !errors.Is(err, tt.want) {
			t.Errorf("Set(%s, %v, %s) = %v, want %v", tt.node, tt.value, tt.q, err, tt.want)
		}
	}
	r := openSession(t, addr)
	if v := r.readValue("ns=2;s=N"); v.Status != ua.StatusBad || v.Has(ua.DataValueValue) {
		t.Errorf("bad value: %+v", v)
	}
	if v := r.readValue("ns=2;i=7"); v.Value.Value() != true {
		t.Errorf("boolean: %+v", v.Value.Value())
	}
	if err := s.AddVariable(Variable{Path: []string{"A", "N"}, NodeID: "s=N"}); !errors.Is(err, ErrDuplicate) {
		t.Errorf("second variable of an id: %v", err)
	}
	for _, bad := range []Variable{{NodeID: "s=x"}, {Path: []string{"x"}, NodeID: "ns=2;s=x"}, {Path: []string{"x"}, NodeID: "i=abc"}, {Path: []string{"", "x"}, NodeID: "s=y"}, {Path: []string{"x"}, NodeID: "s=z", Type: 99}} {
		if s.AddVariable(bad) == nil {
			t.Errorf("AddVariable(%+v) was accepted", bad)
		}
	}
}

// TestSetDuringReads: values are set while several clients read and subscribe, and new variables appear (run with -race).
func TestSetDuringReads(t *testing.T) {
	t.Parallel()
	s, addr := start(t, Config{}, 50)
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		for i := 0; ctx.Err() == nil; i++ {
			s.Set("s=V"+itoa(i%50), float64(i), district.Good, time.Now())
			if i%100 == 0 {
				s.AddVariable(Variable{Path: []string{"Late", "L" + itoa(i)}, NodeID: "s=L" + itoa(i)})
				time.Sleep(time.Millisecond)
			}
		}
	})
	nodes := make([]string, 50)
	for i := range nodes {
		nodes[i] = "ns=2;s=V" + itoa(i)
	}
	for range 3 {
		r := openSession(t, addr)
		r.monitor(r.subscribe(100), nodes...)
		r.send(&ua.PublishRequest{RequestHeader: r.hdr()})
		wg.Go(func() {
			for range 100 {
				r.send(&ua.ReadRequest{RequestHeader: r.hdr(), NodesToRead: []*ua.ReadValueID{{NodeID: ua.MustParseNodeID("ns=2;s=V1"), AttributeID: 13, DataEncoding: &ua.QualifiedName{}}}})
				if r.response() == nil {
					t.Error("connection closed")
					return
				}
			}
		})
	}
	time.Sleep(500 * time.Millisecond)
	cancel()
	wg.Wait()
}

// TestListenOnLoopbackOnly: an address that others can reach is refused before anything listens.
func TestListenOnLoopbackOnly(t *testing.T) {
	for _, addr := range []string{"0.0.0.0:0", ":4840", "192.0.2.1:4840", "example.org:4840", "[::]:0"} {
		if err := New(Config{Addr: addr}).Run(t.Context()); !errors.Is(err, ErrNotLoopback) {
			t.Errorf("%s: %v, want ErrNotLoopback", addr, err)
		}
	}
	for _, addr := range []string{"127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000"} {
		if err := CheckAddr(addr); err == nil {
			t.Errorf("%s was accepted", addr)
		}
	}
}
