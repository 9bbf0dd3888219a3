package opcua

import (
	"context"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/opcua/pki"
	"quartier/drivers/opcua/secure"
)

// rogue is a server that a test writes by hand, chunk by chunk.
type rogue struct {
	t  *testing.T
	nc net.Conn
}

// startRogue runs serve for each connection, and returns host:port.
func startRogue(t *testing.T, serve func(r *rogue)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			nc, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer nc.Close()
				nc.SetDeadline(time.Now().Add(20 * time.Second))
				serve(&rogue{t, nc})
				io.Copy(io.Discard, nc)
			}()
		}
	}()
	return l.Addr().String()
}

// next reads a chunk; nil at the end.
func (r *rogue) next() []byte {
	h := make([]byte, 8)
	if _, err := io.ReadFull(r.nc, h); err != nil {
		return nil
	}
	b := append(h, make([]byte, binary.LittleEndian.Uint32(h[4:])-8)...)
	if _, err := io.ReadFull(r.nc, b[8:]); err != nil {
		return nil
	}
	return b
}

// send writes a chunk of the given kind, with its size filled in.
func (r *rogue) send(kind string, body ...byte) {
	b := append([]byte(kind), 0, 0, 0, 0)
	b = append(b, body...)
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)))
	r.nc.Write(b)
}

func u32(v ...uint32) (b []byte) {
	for _, v := range v {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	return b
}

// hello answers Hello.
func (r *rogue) hello() { r.next(); r.send("ACKF", u32(0, 65535, 65535, 0, 0)...) }

// openAnswer is the body of an OpenSecureChannel answer.
func openAnswer(t *testing.T, nonce []byte) []byte {
	t.Helper()
	buf := ua.NewBuffer(nil)
	resp := &ua.OpenSecureChannelResponse{
		ResponseHeader: &ua.ResponseHeader{Timestamp: time.Now(), ServiceDiagnostics: &ua.DiagnosticInfo{}, StringTable: []string{}, AdditionalHeader: ua.NewExtensionObject(nil)},
		SecurityToken:  &ua.ChannelSecurityToken{ChannelID: 7, TokenID: 1, CreatedAt: time.Now(), RevisedLifetime: 3600000}, ServerNonce: nonce,
	}
	buf.WriteStruct(ua.NewFourByteExpandedNodeID(0, ua.ServiceTypeID(resp)))
	buf.WriteStruct(resp)
	if err := buf.Error(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// openChunk is an OpenSecureChannel chunk under a policy, sealed by keys.
func openChunk(t *testing.T, policy string, certificate, thumbprint []byte, keys *secure.Keys, request uint32, body []byte) []byte {
	t.Helper()
	buf := ua.NewBuffer(nil)
	buf.WriteString(policy)
	buf.WriteByteString(certificate)
	buf.WriteByteString(thumbprint)
	b := append(append([]byte("OPNF\x00\x00\x00\x00"), u32(7)...), buf.Bytes()...)
	header := len(b)
	b, err := keys.Seal(append(append(b, u32(1, request)...), body...), header)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testIdentity(t *testing.T, uri string) *pki.Identity {
	t.Helper()
	id, err := pki.NewIdentity(pki.Application{URI: uri}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestNobodyBetween: whoever stands between us and a server cannot lead the channel to another policy or another certificate, whatever he signs
// and in whatever order.
func TestNobodyBetween(t *testing.T) {
	own, server, attacker := testIdentity(t, "urn:own"), testIdentity(t, "urn:server"), testIdentity(t, "urn:attacker")
	const policy = ua.SecurityPolicyURIBasic256Sha256
	his, err := secure.Asymmetric(policy, attacker.Key, &own.Key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	real, err := secure.Asymmetric(policy, server.Key, &own.Key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	thumb := sha1.Sum(own.Leaf.Raw)
	body := openAnswer(t, make([]byte, 32))
	for _, tt := range []struct {
		name  string
		serve func(r *rogue)
		want  error
		text  string
	}{
		{"policy None", func(r *rogue) { r.nc.Write(openChunk(t, ua.SecurityPolicyURINone, nil, nil, nil, 1, body)) }, ua.StatusBadSecurityPolicyRejected, "None"},
		{"his own certificate", func(r *rogue) { r.nc.Write(openChunk(t, policy, attacker.Certificate, thumb[:], his, 1, body)) }, ua.StatusBadCertificateInvalid, "another certificate"},
		{"his own certificate for another request, then policy None", func(r *rogue) {
			r.nc.Write(openChunk(t, policy, attacker.Certificate, thumb[:], his, 99, body))
			r.nc.Write(openChunk(t, ua.SecurityPolicyURINone, nil, nil, his, 1, body))
		}, ua.StatusBadCertificateInvalid, "another certificate"},
		{"the server's certificate and his own key", func(r *rogue) { r.nc.Write(openChunk(t, policy, server.Certificate, thumb[:], his, 1, body)) }, secure.ErrChecks, ""},
		{"an answer to somebody else", func(r *rogue) { r.nc.Write(openChunk(t, policy, server.Certificate, make([]byte, 20), real, 1, body)) }, ua.StatusBadCertificateInvalid, "than ours"},
		{"an older policy", func(r *rogue) {
			r.nc.Write(openChunk(t, ua.SecurityPolicyURIBasic128Rsa15, server.Certificate, thumb[:], real, 1, body))
		}, ua.StatusBadSecurityPolicyRejected, "Basic128Rsa15"},
		{"a nonce of no length", func(r *rogue) {
			r.nc.Write(openChunk(t, policy, server.Certificate, thumb[:], real, 1, openAnswer(t, nil)))
		}, ua.StatusBadNonceInvalid, ""},
		{"a message before the channel", func(r *rogue) { r.send("MSGF", u32(7, 1, 1, 1)...) }, drivers.ErrGarbage, "channel 7"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := startRogue(t, func(r *rogue) { r.hello(); r.next(); tt.serve(r) })
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			c, err := dial(t.Context(), ctx, host, "opc.tcp://"+host, safety{policy: policy, mode: ua.MessageSecurityModeSign, own: own, peer: server.Leaf}, maxMessage, time.Hour)
			if c != nil || !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("dial = %v, %v, want %v with %q", c != nil, err, tt.want, tt.text)
			}
		})
	}
	t.Run("after the channel", func(t *testing.T) { // the attack on a renewal, and messages under keys that are not the server's
		for _, name := range []string{"renewal without protection", "short message", "message under wrong keys", "unknown token", "junk"} {
			host := startRogue(t, func(r *rogue) {
				r.hello()
				ask := r.next()
				buf := ua.NewBuffer(ask[12:])
				buf.ReadString()
				buf.ReadBytes()
				buf.ReadBytes()
				plain, err := real.Open(ask, 12+buf.Pos())
				if err != nil {
					t.Error(err)
					return
				}
				v, err := decodeOpen(plain[8:])
				if err != nil {
					t.Error(err)
					return
				}
				nonce := make([]byte, 32)
				r.nc.Write(openChunk(t, policy, server.Certificate, thumb[:], real, 1, openAnswer(t, nonce)))
				keys, err := secure.Symmetric(policy, ua.MessageSecurityModeSign, v.ClientNonce, nonce) // of the wrong side
				if err != nil {
					t.Error(err)
					return
				}
				r.next() // the first request
				switch name {
				case "renewal without protection":
					r.nc.Write(openChunk(t, ua.SecurityPolicyURINone, nil, nil, nil, 2, body))
				case "short message":
					r.send("MSGF", u32(7, 1)...)
				case "message under wrong keys":
					b, _ := keys.Seal(append([]byte("MSGF\x00\x00\x00\x00"), append(u32(7, 1, 2, 2), body...)...), 16)
					r.nc.Write(b)
				case "unknown token":
					r.send("MSGF", u32(7, 5, 2, 2)...)
				case "junk":
					r.nc.Write([]byte("GET / HTTP/1.1\r\n\r\n"))
				}
			})
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			c, err := dial(t.Context(), ctx, host, "opc.tcp://"+host, safety{policy: policy, mode: ua.MessageSecurityModeSign, own: own, peer: server.Leaf}, maxMessage, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := c.exchange(ctx, &ua.GetEndpointsRequest{}, nil, nil); err == nil || errors.Is(err, context.DeadlineExceeded) || c.ctx.Err() == nil {
				t.Errorf("%s: exchange = %v, and the channel lives: %v", name, err, c.ctx.Err() == nil)
			}
			cancel()
		}
	})
}

func decodeOpen(b []byte) (*ua.OpenSecureChannelRequest, error) {
	_, v, err := ua.DecodeService(b)
	if err != nil {
		return nil, err
	}
	return v.(*ua.OpenSecureChannelRequest), nil
}

// TestHostileChunks: what no server should send ends the channel with an error that says so; it neither hangs nor takes memory.
func TestHostileChunks(t *testing.T) {
	body := openAnswer(t, nil)
	open := func(r *rogue) {
		r.hello()
		r.next()
		r.nc.Write(openChunk(t, ua.SecurityPolicyURINone, nil, nil, nil, 1, body))
		r.next()
	}
	message := func(kind string, sequence uint32, b []byte) (string, []byte) {
		return kind, append(u32(7, 1, sequence, 2), b...)
	}
	for _, tt := range []struct {
		name  string
		serve func(r *rogue)
		want  error
		lives bool
	}{
		{"an error", func(r *rogue) {
			open(r)
			r.send("ERRF", append(u32(uint32(ua.StatusBadTCPServerTooBusy), 4), "busy"...)...)
		}, ua.StatusBadTCPServerTooBusy, false},
		{"an error for Hello", func(r *rogue) {
			r.next()
			r.send("ERRF", u32(uint32(ua.StatusBadTCPEndpointURLInvalid), 0xFFFFFFFF)...)
		}, ua.StatusBadTCPEndpointURLInvalid, false},
		{"a chunk of 4 GB", func(r *rogue) { open(r); r.nc.Write([]byte("MSGF\xff\xff\xff\xff")) }, drivers.ErrGarbage, false},
		{"a chunk of no bytes", func(r *rogue) { open(r); r.nc.Write([]byte("MSGF\x00\x00\x00\x00")) }, drivers.ErrGarbage, false},
		{"a chunk of unknown kind", func(r *rogue) { open(r); k, b := message("MSGX", 2, nil); r.send(k, b...) }, drivers.ErrGarbage, false},
		{"a repeated sequence number", func(r *rogue) { open(r); k, b := message("MSGF", 1, body); r.send(k, b...) }, ua.StatusBadSequenceNumberInvalid, false},
		{"a skipped sequence number", func(r *rogue) { open(r); k, b := message("MSGF", 3, body); r.send(k, b...) }, ua.StatusBadSequenceNumberInvalid, false},
		{"an endless message", func(r *rogue) {
			open(r)
			for i := range uint32(100) {
				k, b := message("MSGC", 2+i, make([]byte, 60000))
				r.send(k, b...)
			}
		}, drivers.ErrGarbage, false},
		{"a broken off message", func(r *rogue) {
			open(r)
			k, b := message("MSGA", 2, u32(uint32(ua.StatusBadResponseTooLarge), 0))
			r.send(k, b...)
		}, ua.StatusBadResponseTooLarge, true},
		{"an answer that is none", func(r *rogue) { open(r); k, b := message("MSGF", 2, []byte{1, 2, 3}); r.send(k, b...) }, drivers.ErrGarbage, true},
		{"an answer nested a hundred thousand deep", func(r *rogue) {
			open(r)
			b := append([]byte{1, 0, 0x7A, 2}, make([]byte, 16)...) // the header of a ReadResponse
			for len(b) < 100_000 {
				b = append(b, 0x40) // a diagnostic info within the one before
			}
			for i := uint32(2); len(b) > 0; i++ {
				n := min(len(b), 60000)
				kind := "MSGC"
				if n == len(b) {
					kind = "MSGF"
				}
				k, c := message(kind, i, b[:n])
				r.send(k, c...)
				b = b[n:]
			}
		}, drivers.ErrGarbage, true},
		{"the end", func(r *rogue) { open(r); r.nc.Close() }, io.EOF, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			host := startRogue(t, tt.serve)
			ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
			defer cancel()
			c, err := dial(t.Context(), ctx, host, "opc.tcp://"+host, safety{policy: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone}, maxUnchecked, time.Hour)
			if err == nil {
				var b []byte
				if b, err = c.exchange(ctx, &ua.GetEndpointsRequest{}, nil, nil); err == nil {
					_, err = decodeAnswer(b)
				}
				if lives := c.ctx.Err() == nil; lives != tt.lives {
					t.Errorf("the channel lives: %v, want %v", lives, tt.lives)
				}
			}
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
		})
	}
}

// TestAnswersGivenUp: the beginnings of answers that nobody waits for any more cost nothing, however many there are.
func TestAnswersGivenUp(t *testing.T) {
	c := &channel{safety: safety{policy: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone}, limit: 4096, calls: map[uint32]*call{}, in: map[uint32]*secure.Keys{1: nil}, id: 7, token: 1, received: 1, started: true}
	c.ctx, c.kill = context.WithCancelCause(t.Context())
	for id := range uint32(20) {
		c.calls[id] = &call{answered: make(chan []byte, 1), failed: make(chan error, 1)}
		b := append([]byte("MSGC"), u32(24+4000, 7, 1, 2+id, id)...)
		if err := c.take(append(b, make([]byte, 4000)...)); err != nil {
			t.Fatalf("the beginning of answer %d: %v", id, err)
		}
		c.forget(id) // in time it did not come
	}
	for id := range uint32(20) { // waited for, they are bounded together
		c.calls[id] = &call{answered: make(chan []byte, 1), failed: make(chan error, 1)}
		b := append([]byte("MSGC"), u32(24+4000, 7, 1, 22+id, id)...)
		if err := c.take(append(b, make([]byte, 4000)...)); err != nil {
			if id < 4 || !errors.Is(err, drivers.ErrGarbage) {
				t.Errorf("the beginning of answer %d: %v", id, err)
			}
			return
		}
	}
	t.Error("there is no bound on answers under way")
}

// TestRenewal: the token is renewed before it runs out, and what was asked under the old one is still answered.
func TestRenewal(t *testing.T) {
	renewed := make(chan uint32, 10)
	host := startRogue(t, func(r *rogue) {
		r.hello()
		for sequence := uint32(1); ; sequence++ {
			b := r.next()
			if b == nil {
				return
			}
			if string(b[:3]) != "OPN" {
				continue
			}
			buf := ua.NewBuffer(b[12:])
			buf.ReadString()
			buf.ReadBytes()
			buf.ReadBytes()
			at := 12 + buf.Pos()
			request := binary.LittleEndian.Uint32(b[at+4:])
			resp := openAnswer(t, nil)
			chunk := openChunk(t, ua.SecurityPolicyURINone, nil, nil, nil, request, resp)
			binary.LittleEndian.PutUint32(chunk[len(chunk)-len(resp)-8:], sequence)
			r.nc.Write(chunk)
			v, err := decodeOpen(b[at+8:])
			if err != nil {
				t.Error(err)
				return
			}
			renewed <- uint32(v.RequestType)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	c, err := dial(t.Context(), ctx, host, "opc.tcp://"+host, safety{policy: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone}, maxUnchecked, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []ua.SecurityTokenRequestType{ua.SecurityTokenRequestTypeIssue, ua.SecurityTokenRequestTypeRenew, ua.SecurityTokenRequestTypeRenew} {
		select {
		case got := <-renewed:
			if ua.SecurityTokenRequestType(got) != want {
				t.Errorf("request %d is of type %d, want %d", i, got, want)
			}
		case <-ctx.Done():
			t.Fatalf("request %d did not come: %v", i, context.Cause(c.ctx))
		}
	}
	c.close()
}
