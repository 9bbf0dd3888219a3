package serve

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"sync"
	"testing"
	"time"

	"quartier/drivers/profile"
)

// authority makes certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t}
	made := a.make(&x509.Certificate{Subject: pkix.Name{CommonName: "plant"}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, time.Hour)
	a.cert, a.key = made.Leaf, made.PrivateKey.(*ecdsa.PrivateKey)
	return a
}

func (a *authority) make(template *x509.Certificate, valid time.Duration) tls.Certificate {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(valid)
	parent, signer := template, key
	if a.cert != nil {
		parent, signer = a.cert, a.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}
}

// client makes the certificate of a client with a role.
func (a *authority) client(name, role string, valid time.Duration) tls.Certificate {
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if role != "" {
		der, err := asn1.MarshalWithParams(role, "utf8")
		if err != nil {
			a.t.Fatal(err)
		}
		template.ExtraExtensions = []pkix.Extension{{Id: roleOID, Value: der}}
	}
	return a.make(template, valid)
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// witness is a bank that remembers who wrote.
type witness struct {
	*memory
	mu  sync.Mutex
	who []Client
}

func (w *witness) WriteFrom(_ context.Context, c Client, t profile.Table, address uint16, values []uint16) error {
	w.mu.Lock()
	w.who = append(w.who, c)
	w.mu.Unlock()
	if c.Role != "operator" {
		return IllegalFunction
	}
	return w.Write(t, address, values)
}

// TestTLS: with Modbus/TCP Security the bank learns name and role of the client's certificate; one that is expired, of another authority or missing gets no answer.
func TestTLS(t *testing.T) {
	ca, foreign := newAuthority(t), newAuthority(t)
	server := ca.make(&x509.Certificate{Subject: pkix.Name{CommonName: "server"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, time.Hour)
	s := listen(t, Config{TLS: &tls.Config{Certificates: []tls.Certificate{server}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: ca.pool(), MinVersion: tls.VersionTLS12}})
	w := &witness{memory: newMemory()}
	s.Handle(1, w)
	connect := func(certs ...tls.Certificate) (net.Conn, error) {
		c, err := tls.Dial("tcp", s.Addr(), &tls.Config{RootCAs: ca.pool(), Certificates: certs})
		if err == nil {
			t.Cleanup(func() { c.Close() })
			c.SetDeadline(time.Now().Add(patience))
		}
		return c, err
	}
	for name, certs := range map[string][]tls.Certificate{"expired": {ca.client("late", "operator", -time.Hour)}, "of another authority": {foreign.client("bms", "operator", time.Hour)}, "none": nil} {
		c, err := connect(certs...)
		if err == nil {
			if _, err = c.Write([]byte{0, 1, 0, 0, 0, 6, 1, 4, 0, 0, 0, 1}); err == nil {
				_, err = c.Read(make([]byte, 1))
			}
		}
		if err == nil {
			t.Errorf("a client with a certificate that is %s was served", name)
		}
	}
	for _, tt := range []struct{ name, role, want string }{{"bms", "operator", "0600010003"}, {"viewer", "", "8601"}} {
		c, err := connect(ca.client(tt.name, tt.role, time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if got := ask(t, c, 1, "04 0000 0001"); got != "04020000" {
			t.Errorf("%s reads %s", tt.name, got)
		}
		if got := ask(t, c, 1, "06 0001 0003"); got != tt.want {
			t.Errorf("%s writes: %s, want %s", tt.name, got, tt.want)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.who) != 2 || w.who[0].Name != "bms" || w.who[0].Role != "operator" || !w.who[0].TLS || !w.who[0].Addr.Addr().IsLoopback() || w.who[1].Name != "viewer" || w.who[1].Role != "" {
		t.Errorf("writers %+v", w.who)
	}
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Write([]byte{0, 1, 0, 0, 0, 6, 1, 4, 0, 0, 0, 1})
	c.SetDeadline(time.Now().Add(patience))
	var answer [11]byte
	if n, _ := c.Read(answer[:]); n > 0 && answer[0] == 0 {
		t.Errorf("plain Modbus on the TLS port: % x", answer[:n])
	}
}
