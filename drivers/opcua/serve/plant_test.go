package serve

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/pki"
	"quartier/schemas/district"
)

// party is an application with its certificate on disk.
type party struct {
	*pki.Identity
	cert, key string
}

func newParty(t testing.TB, app pki.Application, at time.Time) party {
	t.Helper()
	id, err := pki.NewIdentity(app, at)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := party{id, filepath.Join(dir, "cert.der"), filepath.Join(dir, "key.pem")}
	if err := id.Save(p.cert, p.key); err != nil {
		t.Fatal(err)
	}
	return p
}

func openStore(t testing.TB, trusted ...party) *pki.Store {
	t.Helper()
	s, err := pki.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range trusted {
		if err := s.Trust(p.Leaf); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// plant is a server with every feature, and what it was told.
type plant struct {
	server  *Server
	addr    string
	cfg     Config
	mu      sync.Mutex
	written []string
	logins  []Login
}

const clientURI = "urn:foreign:client"

// startPlant runs a secured server that trusts the given clients and users. Its variables are s=A, which is only read, and s=R, a request from 0 to 100; both have a record of
// one value a minute.
func startPlant(t testing.TB, clients []party, users []party, change func(*Config)) *plant {
	t.Helper()
	p := &plant{}
	own := newParty(t, pki.Application{URI: "urn:quartier:plant", Hosts: []string{"127.0.0.1", "localhost"}}, time.Now())
	p.cfg = Config{
		NamespaceURI: testURI, Identity: own.Identity, Trust: openStore(t, clients...), Users: openStore(t, users...), Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Authenticate: func(_ context.Context, l Login) (User, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.logins = append(p.logins, l)
			switch {
			case l.Certificate && l.Name == "robot", l.Name == "olga" && l.Password == "correct horse":
				return User{Name: l.Name, Write: true}, nil
			case l.Name == "victor" && l.Password == "long enough":
				return User{Name: l.Name}, nil
			case l.Name == "broken":
				return User{}, errors.New("the record does not answer")
			}
			return User{}, ErrLogin
		},
		Write: func(_ context.Context, by Writer, values []Written) []ua.StatusCode {
			out := make([]ua.StatusCode, len(values))
			for i, v := range values {
				p.mu.Lock()
				p.written = append(p.written, fmt.Sprintf("%s %s %g", by.Name, v.NodeID, v.Value))
				p.mu.Unlock()
				if v.Value == 13 {
					out[i] = ua.StatusBadResourceUnavailable
					continue
				}
				p.server.Set(v.NodeID, v.Value, district.Good, time.Now())
			}
			return out
		},
		History: func(_ context.Context, q HistoryQuery) (out []HistoryValue, err error) {
			for at := q.From.Truncate(time.Minute); at.Before(q.To) && len(out) < q.Limit; at = at.Add(time.Minute) {
				if !at.Before(q.From) {
					out = append(out, HistoryValue{Time: at, Value: float64(at.Unix() / 60), Quality: district.Good})
				}
			}
			return out, nil
		},
	}
	if change != nil {
		change(&p.cfg)
	}
	p.server = New(p.cfg)
	for _, v := range []Variable{
		{Path: []string{"Plant", "A"}, NodeID: "s=A", Unit: "kW", Low: -200, High: 200, History: true, Name: "power", Description: "power of A", French: Text{"puissance", "puissance de A"}},
		{Path: []string{"Plant", "R"}, NodeID: "s=R", Unit: "kW", High: 100, Writable: true, History: true},
	} {
		if err := p.server.AddVariable(v); err != nil {
			t.Fatal(err)
		}
		if err := p.server.Set(v.NodeID, 1, district.Good, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
	})
	var err error
	if p.addr, err = p.server.Addr(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *plant) writes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.written)
}

// connect opens a session of the library's client; who is "", a user name with its password, or "certificate".
func (p *plant) connect(t *testing.T, client party, policy string, mode ua.MessageSecurityMode, who, password string, user *party) (*opcua.Client, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	ep := &ua.EndpointDescription{}
	for _, e := range p.server.endpoints() {
		if e.SecurityPolicyURI == policy && e.SecurityMode == mode {
			ep = e
		}
	}
	opts := []opcua.Option{opcua.AutoReconnect(false), opcua.RequestTimeout(10 * time.Second)}
	if policy != ua.SecurityPolicyURINone {
		opts = append(opts, opcua.Certificate(client.Certificate), opcua.PrivateKey(client.Key))
	}
	kind := ua.UserTokenTypeAnonymous
	switch {
	case user != nil:
		kind = ua.UserTokenTypeCertificate
		opts = append(opts, opcua.AuthCertificate(user.Certificate), opcua.AuthPrivateKey(user.Key))
	case who != "":
		kind = ua.UserTokenTypeUserName
		opts = append(opts, opcua.AuthUsername(who, password))
	default:
		opts = append(opts, opcua.AuthAnonymous())
	}
	opts = append(opts, opcua.SecurityFromEndpoint(ep, kind), opcua.ApplicationURI(client.URI))
	c, err := opcua.NewClient("opc.tcp://"+p.addr, opts...)
	if err != nil {
		return nil, err
	}
	if err := c.Connect(ctx); err != nil {
		c.Close(context.Background())
		return nil, err
	}
	t.Cleanup(func() { c.Close(context.Background()) })
	return c, nil
}

func write(t *testing.T, c *opcua.Client, node string, value any) ua.StatusCode {
	t.Helper()
	resp, err := c.Write(t.Context(), &ua.WriteRequest{NodesToWrite: []*ua.WriteValue{{NodeID: ua.MustParseNodeID(node), AttributeID: ua.AttributeIDValue, Value: &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant(value)}}}})
	if err != nil {
		t.Fatal(err)
	}
	return resp.Results[0]
}

// forgive lets everybody sign in again at once.
func (p *plant) forgive() {
	p.server.guard.mu.Lock()
	clear(p.server.guard.tries)
	p.server.guard.mu.Unlock()
}
