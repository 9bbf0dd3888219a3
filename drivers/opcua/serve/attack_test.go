package serve

import (
	"testing"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
)

func writeRequest(r *raw, node string) *ua.WriteRequest {
	return &ua.WriteRequest{RequestHeader: r.hdr(), NodesToWrite: []*ua.WriteValue{{
		NodeID: ua.MustParseNodeID(node), AttributeID: ua.AttributeIDValue,
		Value: &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant(666.0)},
	}}}
}

// TestNothingIsWritten: Write is refused at each stage of a connection, and the value stays.
func TestNothingIsWritten(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Config{}, 3)
	bare := dialRaw(t, addr).hello().open()
	if got := status(bare.call(writeRequest(bare, "ns=2;s=V1"))); got != ua.StatusBadSessionIDInvalid {
		t.Errorf("write without a session: %v, want BadSessionIdInvalid", got)
	}
	created := dialRaw(t, addr).hello().open().createSession()
	if got := status(created.call(writeRequest(created, "ns=2;s=V1"))); got != ua.StatusBadSessionNotActivated {
		t.Errorf("write before activation: %v, want BadSessionNotActivated", got)
	}
	r := openSession(t, addr)
	for _, node := range []string{"ns=2;s=V1", "ns=99;s=V1", "i=2258", "ns=2;s=missing"} {
		resp, ok := r.call(writeRequest(r, node)).(*ua.WriteResponse)
		if !ok || len(resp.Results) != 1 || resp.Results[0] != ua.StatusBadNotWritable {
			t.Errorf("write %s: %+v, want BadNotWritable", node, resp)
		}
	}
	dataType := writeRequest(r, "ns=2;s=V1")
	dataType.NodesToWrite[0].AttributeID = ua.AttributeIDDataType
	if resp := r.call(dataType).(*ua.WriteResponse); resp.Results[0] != ua.StatusBadNotWritable {
		t.Errorf("write of DataType: %v", resp.Results[0])
	}
	if v := r.readValue("ns=2;s=V1"); v.Value.Float() != 1 {
		t.Errorf("value after the writes is %v, want 1", v.Value.Value())
	}
}

// TestWritableIsStillGuarded: a variable that takes values takes none without a session, before activation, from an anonymous user or in a session of another channel.
func TestWritableIsStillGuarded(t *testing.T) {
	p := startPlant(t, nil, nil, func(c *Config) { c.Unsecured = true })
	bare := dialRaw(t, p.addr).hello().open()
	if got := status(bare.call(writeRequest(bare, "ns=2;s=R"))); got != ua.StatusBadSessionIDInvalid {
		t.Errorf("write without a session: %v, want BadSessionIdInvalid", got)
	}
	created := dialRaw(t, p.addr).hello().open().createSession()
	if got := status(created.call(writeRequest(created, "ns=2;s=R"))); got != ua.StatusBadSessionNotActivated {
		t.Errorf("write before activation: %v, want BadSessionNotActivated", got)
	}
	for name, token := range map[string]any{"a password over an unsecured channel": &ua.UserNameIdentityToken{PolicyID: userPolicy, UserName: "olga", Password: []byte("correct horse")}, "a certificate": &ua.X509IdentityToken{PolicyID: certificatePolicy}} {
		if got := created.activate(token); got != ua.StatusBadIdentityTokenRejected {
			t.Errorf("%s: %v, want BadIdentityTokenRejected", name, got)
		}
	}
	r := openSession(t, p.addr)
	if resp := r.call(writeRequest(r, "ns=2;s=R")).(*ua.WriteResponse); resp.Results[0] != ua.StatusBadUserAccessDenied {
		t.Errorf("write of an anonymous user: %v, want BadUserAccessDenied", resp.Results[0])
	}
	bare.auth = r.auth
	if got := status(bare.call(writeRequest(bare, "ns=2;s=R"))); got != ua.StatusBadSessionIDInvalid {
		t.Errorf("write in a session of another channel: %v, want BadSessionIdInvalid", got)
	}
	if w := p.writes(); len(w) > 0 || r.readValue("ns=2;s=R").Value.Float() != 1 {
		t.Errorf("written: %v", w)
	}
}

// TestServicesAskForASession: each service but discovery is refused on a channel without a session, with a session of another channel,
// and with a forged token; the server goes on.
func TestServicesAskForASession(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Config{}, 1)
	other := openSession(t, addr)
	requests := func(r *raw) map[string]ua.Request {
		return map[string]ua.Request{
			"Read":                 &ua.ReadRequest{RequestHeader: r.hdr(), NodesToRead: []*ua.ReadValueID{{NodeID: ua.NewTwoByteNodeID(85), AttributeID: 1, DataEncoding: &ua.QualifiedName{}}}},
			"Browse":               &ua.BrowseRequest{RequestHeader: r.hdr(), View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}},
			"CreateSubscription":   &ua.CreateSubscriptionRequest{RequestHeader: r.hdr(), RequestedPublishingInterval: 1000},
			"DeleteSubscriptions":  &ua.DeleteSubscriptionsRequest{RequestHeader: r.hdr(), SubscriptionIDs: []uint32{1}},
			"CreateMonitoredItems": &ua.CreateMonitoredItemsRequest{RequestHeader: r.hdr(), SubscriptionID: 1},
			"DeleteMonitoredItems": &ua.DeleteMonitoredItemsRequest{RequestHeader: r.hdr(), SubscriptionID: 1, MonitoredItemIDs: []uint32{1}},
			"SetMonitoringMode":    &ua.SetMonitoringModeRequest{RequestHeader: r.hdr(), SubscriptionID: 1, MonitoredItemIDs: []uint32{1}},
			"Publish":              &ua.PublishRequest{RequestHeader: r.hdr()},
			"CloseSession":         &ua.CloseSessionRequest{RequestHeader: r.hdr()},
			"Call":                 &ua.CallRequest{RequestHeader: r.hdr()},
			"AddNodes":             &ua.AddNodesRequest{RequestHeader: r.hdr()},
			"HistoryRead":          &ua.HistoryReadRequest{RequestHeader: r.hdr(), HistoryReadDetails: ua.NewExtensionObject(nil)},
		}
	}
	for name, token := range map[string]*ua.NodeID{
		"no session": ua.NewTwoByteNodeID(0), "numeric token": ua.NewNumericNodeID(0, 12345), "forged token": ua.NewByteStringNodeID(1, make([]byte, 16)),
		"another channel's session": other.auth,
	} {
		r := dialRaw(t, addr).hello().open()
		r.auth = token
		for service, req := range requests(r) {
			if got := status(r.call(req)); got != ua.StatusBadSessionIDInvalid {
				t.Errorf("%s with %s: %v, want BadSessionIdInvalid", service, name, got)
			}
		}
	}
	if v := other.readValue("ns=2;s=V0"); v.Status != ua.StatusOK {
		t.Errorf("the other client's read: %v", v.Status)
	}
}

// TestActivationTakesAnonymousOnly: passwords, certificates and unknown tokens are refused, whatever they say.
func TestActivationTakesAnonymousOnly(t *testing.T) {
	_, addr := start(t, Config{}, 1)
	for name, tt := range map[string]struct {
		token any
		want  ua.StatusCode
	}{
		"user and wrong password": {&ua.UserNameIdentityToken{PolicyID: "username", UserName: "nobody", Password: []byte("wrong")}, ua.StatusBadIdentityTokenRejected},
		"certificate":             {&ua.X509IdentityToken{PolicyID: "x"}, ua.StatusBadIdentityTokenRejected},
		"foreign structure":       {&ua.EUInformation{DisplayName: ua.NewLocalizedText(""), Description: ua.NewLocalizedText("")}, ua.StatusBadIdentityTokenInvalid},
		"anonymous, wrong policy": {&ua.AnonymousIdentityToken{PolicyID: "admin"}, ua.StatusBadIdentityTokenInvalid},
		"anonymous":               {&ua.AnonymousIdentityToken{PolicyID: anonymousPolicy}, ua.StatusOK},
	} {
		r := dialRaw(t, addr).hello().open().createSession()
		if got := r.activate(tt.token); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
		read := r.call(&ua.ReadRequest{RequestHeader: r.hdr(), NodesToRead: []*ua.ReadValueID{{NodeID: ua.MustParseNodeID("ns=2;s=V0"), AttributeID: 13, DataEncoding: &ua.QualifiedName{}}}})
		if got := status(read); (got == ua.StatusOK) != (tt.want == ua.StatusOK) {
			t.Errorf("%s: read afterwards %v", name, got)
		}
	}
}

func (r *raw) subscribe(interval float64) uint32 {
	r.t.Helper()
	resp, ok := r.call(&ua.CreateSubscriptionRequest{RequestHeader: r.hdr(), RequestedPublishingInterval: interval, RequestedLifetimeCount: 100, RequestedMaxKeepAliveCount: 10, PublishingEnabled: true}).(*ua.CreateSubscriptionResponse)
	if !ok {
		r.t.Fatal("no CreateSubscriptionResponse")
	}
	if resp.RevisedPublishingInterval < milliseconds(minInterval) || resp.RevisedPublishingInterval > milliseconds(maxInterval) {
		r.t.Errorf("interval %v ms was revised to %v ms", interval, resp.RevisedPublishingInterval)
	}
	if resp.RevisedLifetimeCount < 3*resp.RevisedMaxKeepAliveCount {
		r.t.Errorf("lifetime %d below three keep-alives of %d", resp.RevisedLifetimeCount, resp.RevisedMaxKeepAliveCount)
	}
	return resp.SubscriptionID
}

func (r *raw) monitor(sub uint32, nodes ...string) []*ua.MonitoredItemCreateResult {
	r.t.Helper()
	req := &ua.CreateMonitoredItemsRequest{RequestHeader: r.hdr(), SubscriptionID: sub, TimestampsToReturn: ua.TimestampsToReturnBoth}
	for i, n := range nodes {
		req.ItemsToCreate = append(req.ItemsToCreate, &ua.MonitoredItemCreateRequest{
			ItemToMonitor:  &ua.ReadValueID{NodeID: ua.MustParseNodeID(n), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}},
			MonitoringMode: ua.MonitoringModeReporting, RequestedParameters: &ua.MonitoringParameters{ClientHandle: uint32(i), QueueSize: 10, Filter: ua.NewExtensionObject(nil)},
		})
	}
	resp, ok := r.call(req).(*ua.CreateMonitoredItemsResponse)
	if !ok {
		r.t.Fatal("no CreateMonitoredItemsResponse")
	}
	return resp.Results
}

// TestPublishingIntervals: zero, negative, NaN and enormous intervals are revised, never a crash.
func TestPublishingIntervals(t *testing.T) {
	_, addr := start(t, Config{}, 1)
	r := openSession(t, addr)
	nan := 0.0
	for _, ms := range []float64{0, -1, nan / nan, 1e300, -1e300, 1e-9} {
		r.subscribe(ms)
	}
	if v := r.readValue("ns=2;s=V0"); v.Status != ua.StatusOK {
		t.Error(v.Status)
	}
}

// TestUnknownIDs: subscriptions and items that do not exist get their status and nothing else happens.
func TestUnknownIDs(t *testing.T) {
	_, addr := start(t, Config{}, 2)
	r := openSession(t, addr)
	sub := r.subscribe(1000)
	items := r.monitor(sub, "ns=2;s=V0", "ns=2;s=missing", "ns=77;i=5", "i=85")
	for i, want := range []ua.StatusCode{ua.StatusOK, ua.StatusBadNodeIDUnknown, ua.StatusBadNodeIDUnknown, ua.StatusBadAttributeIDInvalid} {
		if items[i].StatusCode != want {
			t.Errorf("item %d: %v, want %v", i, items[i].StatusCode, want)
		}
	}
	mode := r.call(&ua.SetMonitoringModeRequest{RequestHeader: r.hdr(), SubscriptionID: sub, MonitoredItemIDs: []uint32{999999, items[0].MonitoredItemID}}).(*ua.SetMonitoringModeResponse)
	if mode.Results[0] != ua.StatusBadMonitoredItemIDInvalid || mode.Results[1] != ua.StatusOK {
		t.Errorf("SetMonitoringMode: %v", mode.Results)
	}
	del := r.call(&ua.DeleteMonitoredItemsRequest{RequestHeader: r.hdr(), SubscriptionID: sub, MonitoredItemIDs: []uint32{999999, items[0].MonitoredItemID, items[0].MonitoredItemID}}).(*ua.DeleteMonitoredItemsResponse)
	if del.Results[0] != ua.StatusBadMonitoredItemIDInvalid || del.Results[1] != ua.StatusOK || del.Results[2] != ua.StatusBadMonitoredItemIDInvalid {
		t.Errorf("DeleteMonitoredItems: %v", del.Results)
	}
	for name, req := range map[string]ua.Request{
		"SetMonitoringMode":    &ua.SetMonitoringModeRequest{RequestHeader: r.hdr(), SubscriptionID: 4242, MonitoredItemIDs: []uint32{1}},
		"DeleteMonitoredItems": &ua.DeleteMonitoredItemsRequest{RequestHeader: r.hdr(), SubscriptionID: 4242, MonitoredItemIDs: []uint32{1}},
		"CreateMonitoredItems": &ua.CreateMonitoredItemsRequest{RequestHeader: r.hdr(), SubscriptionID: 4242},
		"ModifySubscription":   &ua.ModifySubscriptionRequest{RequestHeader: r.hdr(), SubscriptionID: 4242},
		"Republish":            &ua.RepublishRequest{RequestHeader: r.hdr(), SubscriptionID: 4242},
	} {
		if got := status(r.call(req)); got != ua.StatusBadSubscriptionIDInvalid {
			t.Errorf("%s on an unknown subscription: %v", name, got)
		}
	}
	gone := r.call(&ua.DeleteSubscriptionsRequest{RequestHeader: r.hdr(), SubscriptionIDs: []uint32{4242, sub, sub}}).(*ua.DeleteSubscriptionsResponse)
	if gone.Results[0] != ua.StatusBadSubscriptionIDInvalid || gone.Results[1] != ua.StatusOK || gone.Results[2] != ua.StatusBadSubscriptionIDInvalid {
		t.Errorf("DeleteSubscriptions: %v", gone.Results)
	}
	if got := status(r.call(&ua.PublishRequest{RequestHeader: r.hdr()})); got != ua.StatusBadNoSubscription {
		t.Errorf("Publish without a subscription: %v", got)
	}
	for _, req := range []ua.Request{
		&ua.CallRequest{RequestHeader: r.hdr()}, &ua.AddNodesRequest{RequestHeader: r.hdr()},
	} {
		if got := status(r.call(req)); got != ua.StatusBadServiceUnsupported {
			t.Errorf("%T: %v, want BadServiceUnsupported", req, got)
		}
	}
}

// TestSubscriptionIDsAreNeverReused: a client cannot come by another's subscription by deleting and creating.
func TestSubscriptionIDsAreNeverReused(t *testing.T) {
	_, addr := start(t, Config{}, 1)
	a, b := openSession(t, addr), openSession(t, addr)
	seen := map[uint32]bool{}
	note := func(id uint32) uint32 {
		if seen[id] {
			t.Errorf("subscription id %d was given twice", id)
		}
		seen[id] = true
		return id
	}
	first := note(a.subscribe(1000))
	second := note(b.subscribe(1000))
	a.call(&ua.DeleteSubscriptionsRequest{RequestHeader: a.hdr(), SubscriptionIDs: []uint32{first}})
	note(a.subscribe(1000))
	resp := a.call(&ua.DeleteSubscriptionsRequest{RequestHeader: a.hdr(), SubscriptionIDs: []uint32{second}}).(*ua.DeleteSubscriptionsResponse)
	if resp.Results[0] != ua.StatusBadSubscriptionIDInvalid {
		t.Errorf("deleting another's subscription: %v", resp.Results[0])
	}
	if got := status(b.call(&ua.ModifySubscriptionRequest{RequestHeader: b.hdr(), SubscriptionID: second, RequestedPublishingInterval: 500})); got != ua.StatusOK {
		t.Errorf("the other's subscription afterwards: %v", got)
	}
}

// TestSilentConnections: a hundred connections that say nothing keep nobody out, and are closed in the end. So with all places taken.
func TestSilentConnections(t *testing.T) {
	t.Parallel()
	s, addr := start(t, Config{MaxConnections: 60}, 1)
	live := openSession(t, addr)
	silent := make([]*raw, 100)
	for i := range silent {
		silent[i] = dialRaw(t, addr)
	}
	began := time.Now()
	r := openSession(t, addr)
	if d := time.Since(began); d > time.Second {
		t.Errorf("a session beside 100 silent connections took %v", d)
	}
	if v := r.readValue("ns=2;s=V0"); v.Status != ua.StatusOK {
		t.Error(v.Status)
	}
	if v := live.readValue("ns=2;s=V0"); v.Status != ua.StatusOK {
		t.Error("a connection with a session was pushed out")
	}
	if n := s.Connections(); n > 60 {
		t.Errorf("%d connections are open, want at most 60", n)
	}
	last := silent[99]
	last.nc.SetReadDeadline(time.Now().Add(2 * helloTimeout))
	if kind, _ := last.chunk(); kind != "" || time.Since(began) > 2*helloTimeout-time.Second {
		t.Errorf("a silent connection is still open after %v", time.Since(began))
	}
}

// TestEveryPlaceTaken: with an active session on each place, a newcomer is turned away and the others stay.
func TestEveryPlaceTaken(t *testing.T) {
	_, addr := start(t, Config{MaxConnections: 2}, 1)
	a, b := openSession(t, addr), openSession(t, addr)
	c := dialRaw(t, addr)
	c.nc.Write(helloBytes())
	if kind, _ := c.chunk(); kind != "" {
		t.Errorf("a third connection got %q", kind)
	}
	for _, r := range []*raw{a, b} {
		if v := r.readValue("ns=2;s=V0"); v.Status != ua.StatusOK {
			t.Error(v.Status)
		}
	}
}

// TestTransportIsStrict: what is not the protocol ends its own connection with a reason.
func TestTransportIsStrict(t *testing.T) {
	t.Parallel()
	_, addr := start(t, Config{}, 1)
	for name, tt := range map[string]struct {
		do func(r *raw)
	}{
		"no Hello":            {func(r *raw) { r.frame("MSGF", nil, nil) }},
		"HTTP":                {func(r *raw) { r.nc.Write([]byte("GET / HTTP/1.1\r\n\r\n")) }},
		"reverse Hello":       {func(r *raw) { r.nc.Write([]byte("RHEF\x10\x00\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff")) }},
		"chunk of 4 GB":       {func(r *raw) { r.hello(); r.nc.Write([]byte("MSGF\xff\xff\xff\xff")) }},
		"chunk of 3 bytes":    {func(r *raw) { r.hello(); r.nc.Write([]byte("MSGF\x03\x00\x00\x00")) }},
		"message, no channel": {func(r *raw) { r.hello(); r.send(&ua.ReadRequest{RequestHeader: r.hdr()}) }},
		"wrong channel":       {func(r *raw) { r.hello().open(); r.channel++; r.send(&ua.ReadRequest{RequestHeader: r.hdr()}) }},
		"wrong token":         {func(r *raw) { r.hello().open(); r.token += 7; r.send(&ua.ReadRequest{RequestHeader: r.hdr()}) }},
		"encrypted channel": {func(r *raw) {
			r.hello()
			r.sendOpen(&ua.OpenSecureChannelRequest{RequestHeader: r.hdr(), SecurityMode: ua.MessageSecurityModeSignAndEncrypt}, ua.SecurityPolicyURIBasic256Sha256)
		}},
		"mixed chunks": {func(r *raw) {
			r.hello().open()
			r.frame("MSGC", nil, make([]byte, 100))
			r.req++
			r.frame("MSGF", nil, make([]byte, 100))
		}},
		"endless message": {func(r *raw) {
			r.hello().open()
			for range maxMessage/60000 + 2 {
				r.frame("MSGC", nil, make([]byte, 60000))
			}
		}},
	} {
		r := dialRaw(t, addr)
		tt.do(r)
		kind, _ := r.chunk()
		if kind != "ERRF" && kind != "" {
			t.Errorf("%s: answered %q", name, kind)
		}
		if kind == "ERRF" {
			if kind, _ = r.chunk(); kind != "" {
				t.Errorf("%s: connection goes on after its error", name)
			}
		}
	}
	openSession(t, addr)
}

// TestNestedStructures: a request whose structures hold structures without end costs no stack.
func TestNestedStructures(t *testing.T) {
	_, addr := start(t, Config{}, 1)
	r := openSession(t, addr)
	deep := make([]byte, 0, maxMessage)
	for range 900_000 {
		deep = append(deep, 0x18) // a Variant that holds a Variant
	}
	buf := ua.NewBuffer(nil)
	buf.WriteStruct(ua.NewFourByteExpandedNodeID(0, id.WriteRequest_Encoding_DefaultBinary))
	buf.WriteStruct(r.hdr())
	buf.WriteUint32(1)
	buf.WriteStruct(ua.MustParseNodeID("ns=2;s=V0"))
	buf.WriteUint32(13)
	buf.WriteString("")
	buf.WriteByte(ua.DataValueValue)
	buf.Write(deep)
	body := buf.Bytes()
	for len(body) > 60000 {
		r.frame("MSGC", nil, body[:60000])
		body = body[60000:]
	}
	r.frame("MSGF", nil, body)
	if resp, ok := r.response().(*ua.WriteResponse); !ok || resp.Results[0] != ua.StatusBadNotWritable {
		t.Errorf("nested write: %+v", resp)
	}
}

// TestHugeCounts: a short message that claims many elements is refused without room being made for them.
func TestHugeCounts(t *testing.T) {
	_, addr := start(t, Config{}, 1)
	r := openSession(t, addr)
	for _, service := range []uint16{id.ReadRequest_Encoding_DefaultBinary, id.WriteRequest_Encoding_DefaultBinary, id.BrowseRequest_Encoding_DefaultBinary,
		id.CreateMonitoredItemsRequest_Encoding_DefaultBinary, id.DeleteSubscriptionsRequest_Encoding_DefaultBinary, id.PublishRequest_Encoding_DefaultBinary, id.HistoryReadRequest_Encoding_DefaultBinary} {
		for skip := range 20 {
			buf := ua.NewBuffer(nil)
			buf.WriteStruct(ua.NewFourByteExpandedNodeID(0, service))
			buf.WriteStruct(r.hdr())
			buf.Write(make([]byte, skip))
			buf.WriteUint32(500_000_000)
			r.frame("MSGF", nil, buf.Bytes())
			if got := status(r.response()); got == ua.StatusOK {
				t.Errorf("service %d with 500,000,000 elements after %d bytes: %v", service, skip, got)
			}
		}
	}
}
