package serve

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

const testURI = "urn:quartier:test"

// start runs a server with n Double variables s=V0…, and stops it with the test.
func start(t testing.TB, cfg Config, n int) (*Server, string) {
	t.Helper()
	cfg.NamespaceURI = testURI
	cfg.Log = slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError}))
	s := New(cfg)
	for i := range n {
		name := "V" + itoa(i)
		if err := s.AddVariable(Variable{Path: []string{"Plant", name}, NodeID: "s=" + name, Unit: "kW", Description: "power of " + name}); err != nil {
			t.Fatal(err)
		}
		if err := s.Set("s="+name, float64(i), 0, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("Run: %v", err)
			}
		case <-time.After(20 * time.Second):
			t.Error("Run did not return after its context ended")
		}
	})
	addr, err := s.Addr(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s, addr
}

func itoa(i int) string {
	if i < 10 {
		return string(rune('0' + i))
	}
	return itoa(i/10) + string(rune('0'+i%10))
}

// raw is a client that speaks bytes, to say what no decent client says.
type raw struct {
	t              testing.TB
	nc             net.Conn
	channel, token uint32
	seq, req       uint32
	auth           *ua.NodeID
}

func dialRaw(t testing.TB, addr string) *raw {
	t.Helper()
	nc, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close() })
	nc.SetDeadline(time.Now().Add(30 * time.Second))
	return &raw{t: t, nc: nc, auth: ua.NewTwoByteNodeID(0)}
}

func helloBytes() []byte {
	b := []byte("HELF")
	url := "opc.tcp://127.0.0.1/"
	for _, v := range []uint32{uint32(32 + len(url)), 0, 65535, 65535, 0, 0, uint32(len(url))} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return append(b, url...)
}

// hello says Hello and reads the acknowledgement.
func (r *raw) hello() *raw {
	r.t.Helper()
	r.nc.Write(helloBytes())
	if kind, _ := r.chunk(); kind != "ACKF" {
		r.t.Fatalf("answer to Hello is %q", kind)
	}
	return r
}

// open opens a secure channel.
func (r *raw) open() *raw {
	r.t.Helper()
	r.sendOpen(&ua.OpenSecureChannelRequest{RequestHeader: r.hdr(), SecurityMode: ua.MessageSecurityModeNone, RequestedLifetime: 3_600_000}, ua.SecurityPolicyURINone)
	resp, ok := r.response().(*ua.OpenSecureChannelResponse)
	if !ok {
		r.t.Fatal("no OpenSecureChannelResponse")
	}
	r.channel, r.token = resp.SecurityToken.ChannelID, resp.SecurityToken.TokenID
	return r
}

func (r *raw) sendOpen(req *ua.OpenSecureChannelRequest, policy string) {
	buf := ua.NewBuffer(nil)
	buf.WriteString(policy)
	buf.WriteUint32(0xFFFFFFFF)
	buf.WriteUint32(0xFFFFFFFF)
	r.frame("OPNF", buf.Bytes(), r.body(req))
}

func (r *raw) body(req ua.Request) []byte {
	r.t.Helper()
	buf := ua.NewBuffer(nil)
	buf.WriteStruct(ua.NewFourByteExpandedNodeID(0, ua.ServiceTypeID(req)))
	buf.WriteStruct(req)
	if buf.Error() != nil {
		r.t.Fatal(buf.Error())
	}
	return buf.Bytes()
}

func (r *raw) frame(kind string, security, body []byte) {
	if kind[:3] == "MSG" {
		security = binary.LittleEndian.AppendUint32(nil, r.token)
	}
	r.seq++
	b := []byte(kind)
	b = binary.LittleEndian.AppendUint32(b, uint32(20+len(security)+len(body)))
	b = binary.LittleEndian.AppendUint32(b, r.channel)
	b = append(b, security...)
	b = binary.LittleEndian.AppendUint32(b, r.seq)
	b = binary.LittleEndian.AppendUint32(b, r.req)
	r.nc.Write(append(b, body...))
}

func (r *raw) hdr() *ua.RequestHeader {
	r.req++
	return &ua.RequestHeader{AuthenticationToken: r.auth, Timestamp: time.Now(), RequestHandle: r.req, AdditionalHeader: ua.NewExtensionObject(nil)}
}

func (r *raw) send(req ua.Request) { r.t.Helper(); r.frame("MSGF", nil, r.body(req)) }

// call sends a request and reads one response.
func (r *raw) call(req ua.Request) ua.Response {
	r.t.Helper()
	r.send(req)
	return r.response()
}

// chunk reads one chunk; kind is "" when the connection is closed.
func (r *raw) chunk() (kind string, b []byte) {
	h := make([]byte, 8)
	if _, err := io.ReadFull(r.nc, h); err != nil {
		return "", nil
	}
	b = make([]byte, binary.LittleEndian.Uint32(h[4:])-8)
	if _, err := io.ReadFull(r.nc, b); err != nil {
		return "", nil
	}
	return string(h[:4]), b
}

// response reads one message; nil when the connection is closed or refused.
func (r *raw) response() ua.Response {
	r.t.Helper()
	var all []byte
	for {
		kind, b := r.chunk()
		switch kind {
		case "MSGC", "MSGF":
			all = append(all, b[16:]...)
		case "OPNF":
			buf := ua.NewBuffer(b[4:])
			buf.ReadBytes()
			buf.ReadBytes()
			buf.ReadBytes()
			all = append(all, buf.Bytes()[8:]...)
		default:
			return nil
		}
		if kind[3] == 'F' {
			_, v, err := ua.DecodeService(all)
			if err != nil {
				r.t.Fatalf("decode response: %v", err)
			}
			return v.(ua.Response)
		}
	}
}

func status(resp ua.Response) ua.StatusCode {
	if resp == nil {
		return ua.StatusBadConnectionClosed
	}
	return resp.Header().ServiceResult
}

func (r *raw) createSession() *raw {
	r.t.Helper()
	resp, ok := r.call(&ua.CreateSessionRequest{
		RequestHeader: r.hdr(), ClientDescription: &ua.ApplicationDescription{ApplicationName: ua.NewLocalizedText("raw")}, SessionName: "raw", RequestedSessionTimeout: 60_000,
	}).(*ua.CreateSessionResponse)
	if !ok {
		r.t.Fatal("no CreateSessionResponse")
	}
	r.auth = resp.AuthenticationToken
	return r
}

func (r *raw) activate(token any) ua.StatusCode {
	r.t.Helper()
	return status(r.call(&ua.ActivateSessionRequest{
		RequestHeader: r.hdr(), ClientSignature: &ua.SignatureData{}, UserIdentityToken: ua.NewExtensionObject(token), UserTokenSignature: &ua.SignatureData{},
	}))
}

// openSession opens a channel with an activated session.
func openSession(t testing.TB, addr string) *raw {
	t.Helper()
	r := dialRaw(t, addr).hello().open().createSession()
	if s := r.activate(&ua.AnonymousIdentityToken{PolicyID: anonymousPolicy}); s != ua.StatusOK {
		t.Fatalf("activate: %v", s)
	}
	return r
}

func (r *raw) readValue(node string) *ua.DataValue {
	r.t.Helper()
	resp, ok := r.call(&ua.ReadRequest{RequestHeader: r.hdr(), TimestampsToReturn: ua.TimestampsToReturnBoth, NodesToRead: []*ua.ReadValueID{
		{NodeID: ua.MustParseNodeID(node), AttributeID: ua.AttributeIDValue, DataEncoding: &ua.QualifiedName{}},
	}}).(*ua.ReadResponse)
	if !ok || len(resp.Results) != 1 {
		r.t.Fatalf("read %s: no answer", node)
	}
	return resp.Results[0]
}
