package serve

import (
	"context"
	"encoding/hex"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/pki"
	"quartier/drivers/opcua/secure"
)

// conversation is a legitimate exchange as bytes, the seed of the mutations.
func conversation(t testing.TB) [][]byte {
	rec := &recorder{}
	r := &raw{t: t, nc: rec, auth: ua.NewByteStringNodeID(1, make([]byte, 16)), channel: 1, token: 1}
	r.nc.Write(helloBytes())
	r.channel = 0
	r.sendOpen(&ua.OpenSecureChannelRequest{RequestHeader: r.hdr(), SecurityMode: ua.MessageSecurityModeNone, RequestedLifetime: 60_000}, ua.SecurityPolicyURINone)
	r.channel = 1
	for _, req := range requestsOfEachKind(r) {
		r.send(req)
	}
	return rec.frames
}

func requestsOfEachKind(r *raw) []ua.Request {
	v := &ua.ReadValueID{NodeID: ua.MustParseNodeID("ns=2;s=V0"), AttributeID: 13, DataEncoding: &ua.QualifiedName{}}
	return []ua.Request{
		&ua.GetEndpointsRequest{RequestHeader: r.hdr(), EndpointURL: "opc.tcp://127.0.0.1"},
		&ua.CreateSessionRequest{RequestHeader: r.hdr(), ClientDescription: &ua.ApplicationDescription{ApplicationName: ua.NewLocalizedText("x")}, RequestedSessionTimeout: 1000},
		&ua.ActivateSessionRequest{RequestHeader: r.hdr(), ClientSignature: &ua.SignatureData{}, UserIdentityToken: ua.NewExtensionObject(&ua.AnonymousIdentityToken{PolicyID: anonymousPolicy}), UserTokenSignature: &ua.SignatureData{}},
		&ua.ReadRequest{RequestHeader: r.hdr(), NodesToRead: []*ua.ReadValueID{v, v}},
		writeRequest(r, "ns=2;s=V0"),
		&ua.BrowseRequest{RequestHeader: r.hdr(), View: &ua.ViewDescription{ViewID: ua.NewTwoByteNodeID(0)}, NodesToBrowse: []*ua.BrowseDescription{{NodeID: ua.NewTwoByteNodeID(85), ReferenceTypeID: ua.NewTwoByteNodeID(33), IncludeSubtypes: true, ResultMask: 63}}},
		&ua.BrowseNextRequest{RequestHeader: r.hdr(), ContinuationPoints: [][]byte{{1, 2, 3}}},
		&ua.TranslateBrowsePathsToNodeIDsRequest{RequestHeader: r.hdr(), BrowsePaths: []*ua.BrowsePath{{StartingNode: ua.NewTwoByteNodeID(85), RelativePath: &ua.RelativePath{Elements: []*ua.RelativePathElement{{ReferenceTypeID: ua.NewTwoByteNodeID(33), IncludeSubtypes: true, TargetName: &ua.QualifiedName{NamespaceIndex: 2, Name: "Plant"}}}}}}},
		&ua.RegisterNodesRequest{RequestHeader: r.hdr(), NodesToRegister: []*ua.NodeID{ua.NewTwoByteNodeID(85)}},
		&ua.CreateSubscriptionRequest{RequestHeader: r.hdr(), RequestedPublishingInterval: 100, RequestedLifetimeCount: 5, RequestedMaxKeepAliveCount: 1, PublishingEnabled: true},
		&ua.CreateMonitoredItemsRequest{RequestHeader: r.hdr(), SubscriptionID: 1, ItemsToCreate: []*ua.MonitoredItemCreateRequest{{ItemToMonitor: v, MonitoringMode: 2, RequestedParameters: &ua.MonitoringParameters{Filter: ua.NewExtensionObject(&ua.DataChangeFilter{Trigger: 1})}}}},
		&ua.ModifyMonitoredItemsRequest{RequestHeader: r.hdr(), SubscriptionID: 1, ItemsToModify: []*ua.MonitoredItemModifyRequest{{MonitoredItemID: 1, RequestedParameters: &ua.MonitoringParameters{Filter: ua.NewExtensionObject(nil)}}}},
		&ua.SetMonitoringModeRequest{RequestHeader: r.hdr(), SubscriptionID: 1, MonitoredItemIDs: []uint32{1}},
		&ua.PublishRequest{RequestHeader: r.hdr(), SubscriptionAcknowledgements: []*ua.SubscriptionAcknowledgement{{SubscriptionID: 1, SequenceNumber: 1}}},
		&ua.DeleteMonitoredItemsRequest{RequestHeader: r.hdr(), SubscriptionID: 1, MonitoredItemIDs: []uint32{1}},
		&ua.DeleteSubscriptionsRequest{RequestHeader: r.hdr(), SubscriptionIDs: []uint32{1}},
		&ua.CloseSessionRequest{RequestHeader: r.hdr(), DeleteSubscriptions: true},
	}
}

// recorder keeps what is written.
type recorder struct {
	net.Conn
	frames [][]byte
}

func (r *recorder) Write(b []byte) (int, error) {
	r.frames = append(r.frames, append([]byte(nil), b...))
	return len(b), nil
}

func mutate(rng *rand.Rand, b []byte) []byte {
	out := append([]byte(nil), b...)
	for range 1 + rng.IntN(4) {
		if len(out) == 0 {
			return out
		}
		i := rng.IntN(len(out))
		switch rng.IntN(5) {
		case 0:
			out[i] = byte(rng.Uint32())
		case 1:
			out[i] ^= 1 << rng.IntN(8)
		case 2:
			out = out[:i]
		case 3:
			out = append(out[:i], append([]byte{0xFF, 0xFF, 0xFF, 0x7F}, out[i:]...)...)
		case 4:
			out = append(out, out[i:]...)
		}
	}
	return out
}

// captured are messages that clients of other authors sent.
func captured(t testing.TB) (frames [][]byte) {
	t.Helper()
	text, err := os.ReadFile("../../../testdata/frames/opcua.hex")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		b, err := hex.DecodeString(strings.TrimSpace(line))
		if err != nil {
			t.Fatal(err)
		}
		frames = append(frames, b)
	}
	if len(frames) < 40 {
		t.Fatalf("%d captured messages", len(frames))
	}
	return frames
}

// conversations are seeds: our own, those of other clients in their order, and the begin of a secured one.
func conversations(t testing.TB, p *plant) [][][]byte {
	out := [][][]byte{conversation(t), captured(t)}
	client := newParty(t, pki.Application{URI: clientURI}, time.Now())
	rec := &recorder{}
	r := &securedRaw{raw: &raw{t: t, nc: rec, auth: ua.NewTwoByteNodeID(0)}}
	for _, policy := range secure.Policies() {
		keys, err := secure.Asymmetric(policy, client.Key, &p.cfg.Identity.Key.PublicKey)
		if err != nil {
			t.Fatal(err)
		}
		head := ua.NewBuffer(nil)
		head.WriteString(policy)
		head.WriteByteString(client.Certificate)
		head.WriteByteString(thumbprint(p.cfg.Identity.Leaf.Raw))
		out = append(out, [][]byte{helloBytes(), r.chunkOf("OPNF", head.Bytes(), keys, &ua.OpenSecureChannelRequest{RequestHeader: r.hdr(), SecurityMode: ua.MessageSecurityModeSign, ClientNonce: make([]byte, 32)})})
	}
	return out
}

// TestHostileBytes: random bytes and mutated conversations, in a session and out of it, secured and not, for some seconds: the server goes on, an honest
// client is served all the while, nothing is written, memory and goroutines stay bounded.
func TestHostileBytes(t *testing.T) {
	p := startPlant(t, nil, nil, func(c *Config) { c.Unsecured, c.Log = true, slog.New(slog.DiscardHandler) })
	addr := p.addr
	seeds := conversations(t, p)
	before := runtime.NumGoroutine()
	stop := time.Now().Add(fuzzFor)
	var peak uint64
	var wg sync.WaitGroup
	for w := range 4 {
		rng := rand.New(rand.NewPCG(42, uint64(w)))
		wg.Go(func() {
			for i := 0; time.Now().Before(stop); i++ {
				attackOnce(t, addr, rng, seeds[i%len(seeds)], w == 0)
			}
		})
	}
	honest := openSession(t, addr)
	served := 0
	for time.Now().Before(stop) {
		honest.nc.SetDeadline(time.Now().Add(30 * time.Second))
		if v := honest.readValue("ns=2;s=A"); v.Value.Float() != 1 {
			t.Fatalf("honest client reads %v", v.Value.Value())
		}
		served++
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		peak = max(peak, m.HeapAlloc)
		time.Sleep(50 * time.Millisecond)
	}
	wg.Wait()
	openSession(t, addr)
	if peak > 150<<20 {
		t.Errorf("heap reached %d MB, want at most 150", peak>>20)
	}
	if w := p.writes(); len(w) > 0 {
		t.Errorf("written: %v", w)
	}
	for end := time.Now().Add(40 * time.Second); runtime.NumGoroutine() > before+50; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines, %d before", runtime.NumGoroutine(), before)
		}
	}
	t.Logf("peak heap %d MB, honest client served %d times", peak>>20, served)
}

// fuzzFor is how long the hostile clients go on.
const fuzzFor = 4 * time.Second

func attackOnce(t *testing.T, addr string, rng *rand.Rand, seeds [][]byte, session bool) {
	nc, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return
	}
	defer nc.Close()
	nc.SetDeadline(time.Now().Add(500 * time.Millisecond))
	r := &raw{t: t, nc: nc, auth: ua.NewTwoByteNodeID(0)}
	if session {
		r = openSession(t, addr)
		defer r.nc.Close()
		r.nc.SetDeadline(time.Now().Add(500 * time.Millisecond))
		go io.Copy(io.Discard, r.nc)
		for range 200 {
			req := requestsOfEachKind(r)[rng.IntN(16)]
			body := r.body(req)
			r.frame([]string{"MSGF", "MSGC", "MSGF", "MSGF"}[rng.IntN(4)], nil, mutate(rng, body))
		}
		return
	}
	go io.Copy(io.Discard, nc)
	if rng.IntN(2) == 0 {
		b := make([]byte, rng.IntN(4096))
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		nc.Write(helloBytes()[:rng.IntN(53)])
		nc.Write(b)
		return
	}
	for i, f := range seeds {
		if i > 1 || rng.IntN(3) == 0 {
			f = mutate(rng, f)
		}
		nc.Write(f)
	}
}

// FuzzRequest decodes and answers arbitrary bodies within a session.
func FuzzRequest(f *testing.F) {
	s := New(Config{NamespaceURI: testURI, History: secondly, Write: func(_ context.Context, _ Writer, values []Written) []ua.StatusCode {
		for _, v := range values {
			if v.NodeID != "s=V0" || v.Value < 0 || v.Value > 100 {
				f.Errorf("written: %+v", v)
			}
		}
		return make([]ua.StatusCode, len(values))
	}})
	if err := s.AddVariable(Variable{Path: []string{"Plant", "V0"}, NodeID: "s=V0", Unit: "kW", High: 100, Writable: true, History: true}); err != nil {
		f.Fatal(err)
	}
	for _, b := range captured(f) {
		if len(b) > 24 && string(b[:3]) == "MSG" {
			f.Add(b[24:])
		}
	}
	r := &raw{t: f, nc: &recorder{}, auth: ua.NewByteStringNodeID(1, make([]byte, 16))}
	for _, req := range requestsOfEachKind(r) {
		f.Add(r.body(req))
	}
	client, server := net.Pipe()
	go io.Copy(io.Discard, client)
	c := newConn(s, server)
	ses := &session{srv: s, token: r.auth.String(), conn: c, active: true, used: time.Now(), timeout: time.Hour,
		user: User{Name: "olga", Write: true}, subs: map[uint32]*subscription{}, continuations: map[string]continuation{}, histories: map[string]historyPoint{}}
	f.Fuzz(func(t *testing.T, b []byte) {
		typeID, hdr, body, err := splitRequest(b)
		if err != nil {
			return
		}
		resp, err := c.service(t.Context(), ses, typeID, hdr, body, 1)
		if err != nil || resp == nil {
			return
		}
		if _, err := encodeResponse(resp); err != nil {
			t.Errorf("answer %T does not encode: %v", resp, err)
		}
		for id := range ses.subs { // each input starts without subscriptions
			ses.remove(id)
		}
	})
}
