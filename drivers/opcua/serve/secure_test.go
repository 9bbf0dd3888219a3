package serve

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/pki"
	"quartier/drivers/opcua/secure"
)

// TestPoliciesAndUsers: over each policy and mode the right user gets in and writes, a viewer reads alone, and a wrong password, an unknown user and nobody are refused.
func TestPoliciesAndUsers(t *testing.T) {
	t.Parallel()
	client := newParty(t, pki.Application{URI: clientURI}, time.Now())
	robot := newParty(t, pki.Application{Name: "robot", URI: "urn:robot"}, time.Now())
	stranger := newParty(t, pki.Application{Name: "robot", URI: "urn:robot"}, time.Now())
	for _, policy := range secure.Policies() {
		for _, mode := range []ua.MessageSecurityMode{ua.MessageSecurityModeSign, ua.MessageSecurityModeSignAndEncrypt} {
			t.Run(secure.PolicyName(policy)+" "+mode.String(), func(t *testing.T) {
				p := startPlant(t, []party{client}, []party{robot}, nil)
				for _, tt := range []struct {
					who, password string
					user          *party
					in, writes    bool
				}{
					{"olga", "correct horse", nil, true, true}, {"victor", "long enough", nil, true, false}, {"", "", &robot, true, true},
					{"olga", "wrong", nil, false, false}, {"nobody", "x", nil, false, false}, {"olga", "", nil, false, false}, {"", "", nil, false, false}, {"", "", &stranger, false, false},
				} {
					p.forgive()
					c, err := p.connect(t, client, policy, mode, tt.who, tt.password, tt.user)
					if (err == nil) != tt.in {
						t.Errorf("%+v: %v", tt, err)
					}
					if err != nil {
						if s, ok := errors.AsType[ua.StatusCode](err); ok && s != ua.StatusBadUserAccessDenied && s != ua.StatusBadIdentityTokenRejected && s != ua.StatusBadIdentityTokenInvalid {
							t.Errorf("%+v: %v", tt, err)
						}
						continue
					}
					want := ua.StatusOK
					if !tt.writes {
						want = ua.StatusBadUserAccessDenied
					}
					if got := write(t, c, "ns=2;s=R", 42.0); got != want {
						t.Errorf("%+v writes: %v, want %v", tt, got, want)
					}
					if v, err := c.Node(ua.MustParseNodeID("ns=2;s=A")).Value(t.Context()); err != nil || v.Float() != 1 {
						t.Errorf("%+v reads %v, %v", tt, v, err)
					}
				}
				if got := p.writes(); !slices.Equal(got, []string{"olga s=R 42", "robot s=R 42"}) {
					t.Errorf("written: %v", got)
				}
			})
		}
	}
}

// TestCertificatesAreChecked: an unknown, expired, not yet valid or revoked application gets no channel, one that names another URI no session; each unknown one is kept for a person to
// look at, and trusted it gets in.
func TestCertificatesAreChecked(t *testing.T) {
	t.Parallel()
	app := pki.Application{URI: clientURI}
	good, unknown := newParty(t, app, time.Now()), newParty(t, app, time.Now())
	expired := newParty(t, pki.Application{URI: clientURI, Validity: time.Hour}, time.Now().Add(-48*time.Hour))
	future := newParty(t, app, time.Now().Add(48*time.Hour))
	p := startPlant(t, []party{good, expired, future}, nil, func(c *Config) { c.Anonymous = true })
	in := func(c party) error {
		_, err := p.connect(t, c, ua.SecurityPolicyURIBasic256Sha256, ua.MessageSecurityModeSignAndEncrypt, "", "", nil)
		return err
	}
	if err := in(good); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]party{"unknown": unknown, "expired": expired, "from the future": future} {
		if err := in(c); err == nil {
			t.Errorf("a client whose certificate is %s got in", name)
		}
	}
	other := good
	wrong := *good.Identity
	wrong.URI, other.Identity = "urn:somebody:else", &wrong
	if err := in(other); !errors.Is(err, ua.StatusBadCertificateURIInvalid) {
		t.Errorf("a client with another URI than its certificate: %v, want BadCertificateUriInvalid", err)
	}
	rejected, err := p.cfg.Trust.List(pki.Rejected)
	if err != nil || !slices.ContainsFunc(rejected, func(e pki.Entry) bool { return e.Thumbprint == unknown.Thumbprint() }) {
		t.Errorf("rejected: %v, %v", rejected, err)
	}
	if err := p.cfg.Trust.Trust(unknown.Leaf); err != nil {
		t.Fatal(err)
	}
	if err := in(unknown); err != nil {
		t.Errorf("once trusted: %v", err)
	}
	if err := p.cfg.Trust.Revoke(good.Leaf); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(20 * time.Second); in(good) == nil; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("a client that is trusted no more gets in")
		}
	}
}

// TestFloodOfCertificates: an address that shows one unknown certificate after the other is soon refused without a look, and does not fill the folder of the rejected ones; another address is not.
func TestFloodOfCertificates(t *testing.T) {
	stranger := newParty(t, pki.Application{URI: clientURI}, time.Now())
	p := startPlant(t, nil, nil, nil)
	looked := 0
	for i := range 3 * freeChannels {
		der := slices.Clone(stranger.Certificate)
		der[len(der)-1-i] ^= 0xFF // another signature
		_, _, err := p.server.accept(ua.SecurityPolicyURIBasic256Sha256, der, thumbprint(p.cfg.Identity.Leaf.Raw), &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 1})
		if err == nil {
			t.Fatal("a certificate that nobody trusts opens a channel")
		}
		if !strings.Contains(err.Error(), "too soon") {
			looked++
		}
	}
	if looked > freeChannels+3 {
		t.Errorf("%d certificates were looked at", looked)
	}
	if _, _, err := p.server.accept(ua.SecurityPolicyURIBasic256Sha256, stranger.Certificate, thumbprint(p.cfg.Identity.Leaf.Raw), &net.TCPAddr{IP: net.IPv4(192, 0, 2, 2), Port: 1}); strings.Contains(err.Error(), "too soon") {
		t.Error("another address has to wait")
	}
}

// TestUnsecuredIsForDiscovery: without policy None among the endpoints, a channel without security lists them and makes no session.
func TestUnsecuredIsForDiscovery(t *testing.T) {
	p := startPlant(t, nil, nil, nil)
	r := dialRaw(t, p.addr).hello().open()
	resp, ok := r.call(&ua.GetEndpointsRequest{RequestHeader: r.hdr(), EndpointURL: "opc.tcp://" + p.addr}).(*ua.GetEndpointsResponse)
	if !ok || len(resp.Endpoints) != 6 {
		t.Fatalf("endpoints: %+v", resp)
	}
	for _, e := range resp.Endpoints {
		if e.SecurityMode == ua.MessageSecurityModeNone || len(e.ServerCertificate) == 0 || len(e.UserIdentityTokens) != 2 {
			t.Errorf("endpoint %+v", e)
		}
	}
	if got := status(r.call(&ua.CreateSessionRequest{RequestHeader: r.hdr(), ClientDescription: &ua.ApplicationDescription{ApplicationName: ua.NewLocalizedText("raw")}})); got != ua.StatusBadSecurityPolicyRejected {
		t.Errorf("CreateSession: %v, want BadSecurityPolicyRejected", got)
	}
	if err := New(Config{Addr: "0.0.0.0:0", Identity: p.cfg.Identity, Unsecured: true}).Run(t.Context()); !errors.Is(err, ErrNotLoopback) {
		t.Errorf("policy None beyond loopback: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := New(Config{Addr: "0.0.0.0:0", Identity: p.cfg.Identity}).Run(ctx); err != nil {
		t.Errorf("secured beyond loopback: %v", err)
	}
}

// TestSignInHasToWait: after a few failures even the right password is not looked at for a while, and another address is not held up by it.
func TestSignInHasToWait(t *testing.T) {
	client := newParty(t, pki.Application{URI: clientURI}, time.Now())
	p := startPlant(t, []party{client}, nil, nil)
	in := func(password string) error {
		c, err := p.connect(t, client, ua.SecurityPolicyURIBasic256Sha256, ua.MessageSecurityModeSignAndEncrypt, "olga", password, nil)
		if err == nil {
			c.Close(context.Background())
		}
		return err
	}
	for range freeFailures + 2 {
		if in("guess") == nil {
			t.Fatal("a guess got in")
		}
	}
	if err := in("correct horse"); !errors.Is(err, ua.StatusBadUserAccessDenied) {
		t.Errorf("at once after failures: %v, want BadUserAccessDenied", err)
	}
	p.mu.Lock()
	if n := len(p.logins); n >= freeFailures+3 {
		t.Errorf("%d passwords were looked at", n)
	}
	p.mu.Unlock()
	g, now := newGuard(freeFailures, longestWait), time.Now()
	key := []string{"name olga 10.0.0.1"}
	last := time.Duration(0)
	for i := range 30 {
		w := g.wait(key, now)
		if i < freeFailures && w > 0 || w < last || w > longestWait {
			t.Errorf("after %d failures: %v, before %v", i, w, last)
		}
		last = w
		g.failed(key, now)
	}
	if g.wait([]string{"name olga 10.0.0.2"}, now) > 0 || last != longestWait {
		t.Errorf("another address waits, or the longest wait is %v", last)
	}
	g.passed(key[0])
	if g.wait(key, now) > 0 {
		t.Error("after it passed, it waits still")
	}
	for i := range 2 * maxTries {
		g.failed([]string{fmt.Sprint("name ", i)}, now)
	}
	if len(g.tries) > maxTries {
		t.Errorf("%d names are remembered", len(g.tries))
	}
}

// TestWrites: a value goes to a variable that takes it and to no other, of its type and in its range alone, and whatever cannot be read ends the request's effect there.
func TestWrites(t *testing.T) {
	client := newParty(t, pki.Application{URI: clientURI}, time.Now())
	p := startPlant(t, []party{client}, nil, nil)
	c, err := p.connect(t, client, ua.SecurityPolicyURIAes256Sha256RsaPss, ua.MessageSecurityModeSignAndEncrypt, "olga", "correct horse", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		node  string
		value any
		want  ua.StatusCode
	}{
		{"ns=2;s=R", 100.0, ua.StatusOK}, {"ns=2;s=R", math.NaN(), ua.StatusOK}, {"ns=2;s=R", 100.5, ua.StatusBadOutOfRange}, {"ns=2;s=R", -1.0, ua.StatusBadOutOfRange},
		{"ns=2;s=R", math.Inf(1), ua.StatusBadOutOfRange}, {"ns=2;s=R", "12", ua.StatusBadTypeMismatch}, {"ns=2;s=R", int32(12), ua.StatusBadTypeMismatch}, {"ns=2;s=R", float32(12), ua.StatusBadTypeMismatch},
		{"ns=2;s=R", []float64{1, 2}, ua.StatusBadTypeMismatch}, {"ns=2;s=R", true, ua.StatusBadTypeMismatch}, {"ns=2;s=R", 13.0, ua.StatusBadResourceUnavailable},
		{"ns=2;s=A", 1.0, ua.StatusBadNotWritable}, {"ns=99;s=R", 1.0, ua.StatusBadNotWritable}, {"i=2258", 1.0, ua.StatusBadNotWritable}, {"ns=2;s=/Plant", 1.0, ua.StatusBadNotWritable},
	} {
		if got := write(t, c, tt.node, tt.value); got != tt.want {
			t.Errorf("write %v to %s: %v, want %v", tt.value, tt.node, got, tt.want)
		}
	}
	double := func(v float64) *ua.DataValue {
		return &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant(v)}
	}
	node := ua.MustParseNodeID("ns=2;s=R")
	n := len(p.writes())
	resp, err := c.Write(t.Context(), &ua.WriteRequest{NodesToWrite: []*ua.WriteValue{
		{NodeID: node, AttributeID: ua.AttributeIDValue, Value: double(7)},
		{NodeID: node, AttributeID: ua.AttributeIDValue, IndexRange: "1:2", Value: double(1)},
		{NodeID: node, AttributeID: ua.AttributeIDDisplayName, Value: double(1)},
		{NodeID: node, AttributeID: ua.AttributeIDValue, Value: &ua.DataValue{EncodingMask: ua.DataValueValue | ua.DataValueStatusCode, Status: ua.StatusBad, Value: ua.MustVariant(1.0)}},
		{NodeID: node, AttributeID: ua.AttributeIDValue, Value: &ua.DataValue{}},
		{NodeID: node, AttributeID: ua.AttributeIDValue, Value: double(8)},
		{NodeID: node, AttributeID: ua.AttributeIDValue, Value: &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant(ua.NewLocalizedText("x"))}},
		{NodeID: node, AttributeID: ua.AttributeIDValue, Value: double(9)},
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []ua.StatusCode{ua.StatusOK, ua.StatusBadWriteNotSupported, ua.StatusBadNotWritable, ua.StatusBadWriteNotSupported, ua.StatusBadTypeMismatch, ua.StatusOK, ua.StatusBadTypeMismatch, ua.StatusBadDecodingError}
	if !slices.Equal(resp.Results, want) {
		t.Errorf("results %v, want %v", resp.Results, want)
	}
	if got := p.writes()[n:]; strings.Join(got, "|") != "olga s=R 7|olga s=R 8" {
		t.Errorf("written %v", got)
	}
}

// TestFrench: a client that prefers French reads and browses names in French, where there are any; others in English.
func TestFrench(t *testing.T) {
	p := startPlant(t, nil, nil, func(c *Config) { c.Unsecured = true })
	for locale, want := range map[string][2]string{"fr-FR": {"puissance", "puissance de A"}, "en": {"power", "power of A"}, "de": {"power", "power of A"}} {
		c, err := opcua.NewClient("opc.tcp://"+p.addr, opcua.AutoReconnect(false), opcua.SecurityMode(ua.MessageSecurityModeNone), opcua.Locales(locale))
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Connect(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer c.Close(context.Background())
		got, err := c.Node(ua.MustParseNodeID("ns=2;s=A")).Attributes(t.Context(), ua.AttributeIDDisplayName, ua.AttributeIDDescription)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range got {
			if text := v.Value.Value().(*ua.LocalizedText).Text; text != want[i] {
				t.Errorf("%s: %q, want %q", locale, text, want[i])
			}
		}
		refs, err := c.Node(ua.MustParseNodeID("ns=2;s=/Plant")).References(t.Context(), 0, ua.BrowseDirectionForward, ua.NodeClassVariable, true)
		if err != nil || len(refs) != 2 || refs[0].DisplayName.Text != want[0] || refs[0].BrowseName.Name != "A" {
			t.Errorf("%s: browsed %v, %v", locale, refs, err)
		}
	}
}

// TestReplay: a recorded chunk of a secured channel that is sent again, and one that was changed, end the connection.
func TestReplay(t *testing.T) {
	client := newParty(t, pki.Application{URI: clientURI}, time.Now())
	p := startPlant(t, []party{client}, nil, nil)
	for name, tamper := range map[string]func(r *securedRaw, b []byte){
		"sent twice": func(r *securedRaw, b []byte) { r.nc.Write(b); r.nc.Write(b) },
		"changed":    func(r *securedRaw, b []byte) { b[len(b)-40] ^= 1; r.nc.Write(b) },
		"without a seal": func(r *securedRaw, b []byte) {
			r.frame("MSGF", nil, r.body(&ua.GetEndpointsRequest{RequestHeader: r.hdr()}))
		},
	} {
		r := openSecured(t, p, client)
		b := r.seal(&ua.GetEndpointsRequest{RequestHeader: r.hdr()})
		tamper(r, b)
		last := ""
		for range 3 {
			if last, _ = r.chunk(); last != "MSGF" {
				break
			}
		}
		if last == "MSGF" {
			t.Errorf("a chunk that was %s is answered", name)
		}
	}
	r := openSecured(t, p, client)
	for range 3 {
		r.nc.Write(r.seal(&ua.GetEndpointsRequest{RequestHeader: r.hdr()}))
		if kind, _ := r.chunk(); kind != "MSGF" {
			t.Fatalf("an ordinary request is answered by %q", kind)
		}
	}
}

// securedRaw is a raw client with keys.
type securedRaw struct {
	*raw
	keys *secure.Keys
}

func openSecured(t *testing.T, p *plant, client party) *securedRaw {
	t.Helper()
	r := &securedRaw{raw: dialRaw(t, p.addr).hello()}
	policy := ua.SecurityPolicyURIBasic256Sha256
	open, err := secure.Asymmetric(policy, client.Key, &p.cfg.Identity.Key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	head := ua.NewBuffer(nil)
	head.WriteString(policy)
	head.WriteByteString(client.Certificate)
	head.WriteByteString(thumbprint(p.cfg.Identity.Leaf.Raw))
	nonce := randomBytes(32)
	r.nc.Write(r.chunkOf("OPNF", head.Bytes(), open, &ua.OpenSecureChannelRequest{RequestHeader: r.hdr(), SecurityMode: ua.MessageSecurityModeSignAndEncrypt, ClientNonce: nonce, RequestedLifetime: 3_600_000}))
	kind, b := r.chunk()
	if kind != "OPNF" {
		t.Fatalf("OPN is answered by %q", kind)
	}
	buf := ua.NewBuffer(b[4:])
	buf.ReadString()
	buf.ReadBytes()
	buf.ReadBytes()
	whole := append([]byte("OPNF\x00\x00\x00\x00"), b...)
	le32(whole[4:], uint32(len(whole)))
	plain, err := open.Open(whole, 12+buf.Pos())
	if err != nil {
		t.Fatal(err)
	}
	_, v, err := ua.DecodeService(plain[8:])
	if err != nil {
		t.Fatal(err)
	}
	resp := v.(*ua.OpenSecureChannelResponse)
	r.channel, r.token = resp.SecurityToken.ChannelID, resp.SecurityToken.TokenID
	if r.keys, err = secure.Symmetric(policy, ua.MessageSecurityModeSignAndEncrypt, nonce, resp.ServerNonce); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *securedRaw) seal(req ua.Request) []byte {
	r.t.Helper()
	token := make([]byte, 4)
	le32(token, r.token)
	return r.chunkOf("MSGF", token, r.keys, req)
}

func (r *securedRaw) chunkOf(kind string, head []byte, keys *secure.Keys, req ua.Request) []byte {
	r.t.Helper()
	r.seq++
	b := append([]byte(kind), make([]byte, 8)...)
	le32(b[8:], r.channel)
	b = append(b, head...)
	n := len(b)
	b = append(b, make([]byte, 8)...)
	le32(b[n:], r.seq)
	le32(b[n+4:], r.req)
	out, err := keys.Seal(append(b, r.body(req)...), n)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

func le32(b []byte, v uint32) { binary.LittleEndian.PutUint32(b, v) }

func thumbprint(der []byte) []byte {
	sum := sha1.Sum(der)
	return sum[:]
}
