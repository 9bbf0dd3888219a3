package pki_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/pki"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

const appURI = "urn:plant:meter"

var keys = sync.OnceValue(func() (k [3]*rsa.PrivateKey) {
	for i := range k {
		k[i], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	return k
})

// template is a certificate that every check accepts; edit changes it.
func template(name string, edit func(*x509.Certificate)) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	u, _ := url.Parse(appURI)
	t := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-24 * time.Hour), NotAfter: now.Add(300 * 24 * time.Hour),
		URIs: []*url.URL{u}, DNSNames: []string{"meter.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment | x509.KeyUsageKeyEncipherment | x509.KeyUsageDataEncipherment,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	if edit != nil {
		edit(t)
	}
	return t
}

func authority(edit func(*x509.Certificate)) func(*x509.Certificate) {
	return func(t *x509.Certificate) {
		t.IsCA, t.KeyUsage, t.ExtKeyUsage, t.URIs, t.DNSNames, t.IPAddresses = true, x509.KeyUsageCertSign|x509.KeyUsageCRLSign, nil, nil, nil, nil
		if edit != nil {
			edit(t)
		}
	}
}

func sign(t testing.TB, template, parent *x509.Certificate, pub any, by crypto.Signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, by)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// self signs a certificate with its own key, the first one.
func self(t testing.TB, name string, edit func(*x509.Certificate)) *x509.Certificate {
	tpl := template(name, edit)
	return sign(t, tpl, tpl, &keys()[0].PublicKey, keys()[0])
}

func open(t testing.TB) *pki.Store {
	t.Helper()
	s, err := pki.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCheck: each fault is found and named by its status; what is right is accepted.
func TestCheck(t *testing.T) {
	root := self(t, "root", authority(nil))
	signed := func(name string, edit func(*x509.Certificate)) *x509.Certificate {
		return sign(t, template(name, edit), root, &keys()[1].PublicKey, keys()[0])
	}
	middle := sign(t, template("middle", authority(nil)), root, &keys()[2].PublicKey, keys()[0])
	below := sign(t, template("below", nil), middle, &keys()[1].PublicKey, keys()[2])
	short := sign(t, template("short", authority(func(c *x509.Certificate) { c.MaxPathLenZero = true })), root, &keys()[2].PublicKey, keys()[0])
	tooDeep := sign(t, template("between", authority(nil)), short, &keys()[1].PublicKey, keys()[2])
	underDeep := sign(t, template("deep", nil), tooDeep, &keys()[1].PublicKey, keys()[1])
	notCA := self(t, "no authority", nil)
	byNotCA := sign(t, template("by no authority", nil), notCA, &keys()[1].PublicKey, keys()[0])
	expiredRoot := self(t, "old root", authority(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) }))
	byExpired := sign(t, template("under old root", nil), expiredRoot, &keys()[1].PublicKey, keys()[0])
	limited := self(t, "limited", authority(func(c *x509.Certificate) {
		c.PermittedDNSDomains, c.PermittedDNSDomainsCritical = []string{"elsewhere.example"}, true
	}))
	byLimited := sign(t, template("under limited", nil), limited, &keys()[1].PublicKey, keys()[0])
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	weakT := template("weak", nil)
	weak := sign(t, weakT, weakT, &small.PublicKey, small)
	curve, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	curveT := template("curve", nil)
	ec := sign(t, curveT, curveT, &curve.PublicKey, curve)
	good := self(t, "good", nil)
	forged := append([]byte(nil), good.Raw...)
	forged[len(forged)-1] ^= 1
	forgedCert, err := x509.ParseCertificate(forged)
	if err != nil {
		t.Fatal(err)
	}

	one := func(c ...*x509.Certificate) []*x509.Certificate { return c }
	der := func(c ...*x509.Certificate) (out []byte) {
		for _, c := range c {
			out = append(out, c.Raw...)
		}
		return out
	}
	in := func(edit func(*x509.Certificate)) *x509.Certificate { return self(t, "peer", edit) }
	expired := in(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Minute) })
	early := in(func(c *x509.Certificate) { c.NotBefore = now.Add(time.Minute) })
	noSign := in(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDataEncipherment | x509.KeyUsageKeyEncipherment })
	noData := in(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment })
	noUsage := in(func(c *x509.Certificate) { c.KeyUsage = 0 })
	clientOnly := in(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} })
	noURI := in(func(c *x509.Certificate) { c.URIs = nil })
	soon := in(func(c *x509.Certificate) { c.NotAfter = now.Add(10 * 24 * time.Hour) })
	strange := in(func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3, 4}, Critical: true, Value: []byte{5, 0}}}
	})

	for _, tt := range []struct {
		name    string
		trusted []*x509.Certificate
		issuers []*x509.Certificate
		shown   []byte
		edit    func(*pki.Expect)
		want    ua.StatusCode // StatusOK: accepted
		reason  string        // part of the reason, or of a note
	}{
		{name: "trusted by itself", trusted: one(good), shown: der(good)},
		{name: "not trusted", shown: der(good), want: ua.StatusBadCertificateUntrusted, reason: "not among the trusted"},
		{name: "an issuer is not trusted", issuers: one(good), shown: der(good), want: ua.StatusBadCertificateUntrusted},
		{name: "its authority is trusted", trusted: one(root), shown: der(signed("a", nil)), reason: "no current revocation list"},
		{name: "its authority is only an issuer", issuers: one(root), shown: der(signed("a", nil)), want: ua.StatusBadCertificateUntrusted, reason: "neither it nor an authority"},
		{name: "its authority is unknown", shown: der(signed("a", nil)), want: ua.StatusBadCertificateChainIncomplete, reason: `authority "root" is not known`},
		{name: "it is trusted and its authority unknown", trusted: one(below), shown: der(below), reason: "revocation cannot be seen"},
		{name: "two authorities, the upper one trusted", trusted: one(root), issuers: one(middle), shown: der(below)},
		{name: "two authorities, the lower one trusted", trusted: one(middle), shown: der(below)},
		{name: "two authorities, the chain shown by the peer", trusted: one(root), shown: der(below, middle)},
		{name: "a shown chain makes no trust", shown: der(below, middle, root), want: ua.StatusBadCertificateUntrusted},
		{name: "an authority that may have none below it", trusted: one(root), issuers: one(short, tooDeep), shown: der(underDeep), want: ua.StatusBadCertificateInvalid, reason: "no authority"},
		{name: "signed by a certificate that is no authority", trusted: one(notCA), shown: der(byNotCA), want: ua.StatusBadCertificateInvalid, reason: "signature"},
		{name: "an authority for other names", trusted: one(limited), shown: der(byLimited), want: ua.StatusBadCertificateInvalid},
		{name: "forged signature", trusted: one(forgedCert), shown: forged, want: ua.StatusBadCertificateInvalid, reason: "signature does not hold"},
		{name: "unknown critical extension", trusted: one(strange), shown: der(strange), want: ua.StatusBadCertificateInvalid, reason: "1.2.3.4"},
		{name: "nothing", want: ua.StatusBadCertificateInvalid, reason: "there is none"},
		{name: "junk", shown: []byte("certificate"), want: ua.StatusBadCertificateInvalid},
		{name: "too much", shown: make([]byte, 1<<20), want: ua.StatusBadCertificateInvalid, reason: "1048576 bytes"},
		{name: "nine certificates", trusted: one(good), shown: der(good, good, good, good, good, good, good, good, good), want: ua.StatusBadCertificateInvalid, reason: "9 certificates"},
		{name: "short key", trusted: one(weak), shown: der(weak), want: ua.StatusBadCertificatePolicyCheckFailed, reason: "1024 bits"},
		{name: "elliptic curve", trusted: one(ec), shown: der(ec), want: ua.StatusBadCertificatePolicyCheckFailed, reason: "ECDSA"},
		{name: "expired", trusted: one(expired), shown: der(expired), want: ua.StatusBadCertificateTimeInvalid, reason: "expired 2026-11-26T11:59:00Z and it is 2026-11-26T12:00:00Z"},
		{name: "not yet valid", trusted: one(early), shown: der(early), want: ua.StatusBadCertificateTimeInvalid, reason: "valid from 2026-11-26T12:01:00Z"},
		{name: "expired and not trusted", shown: der(expired), want: ua.StatusBadCertificateUntrusted},
		{name: "expired authority", trusted: one(expiredRoot), shown: der(byExpired), want: ua.StatusBadCertificateIssuerTimeInvalid, reason: `authority "old root" expired`},
		{name: "expires soon", trusted: one(soon), shown: der(soon), reason: "expires in 10 days"},
		{name: "other host", trusted: one(good), shown: der(good), edit: func(e *pki.Expect) { e.Host = "10.0.0.1" }, reason: "address is 10.0.0.1"},
		{name: "other host, strict", trusted: one(good), shown: der(good), edit: func(e *pki.Expect) { e.Host, e.HostStrict = "other.example", true }, want: ua.StatusBadCertificateHostNameInvalid},
		{name: "host by name", trusted: one(good), shown: der(good), edit: func(e *pki.Expect) { e.Host, e.HostStrict = "METER.example", true }},
		{name: "host by address", trusted: one(good), shown: der(good), edit: func(e *pki.Expect) { e.Host, e.HostStrict = "127.0.0.1", true }},
		{name: "other application", trusted: one(good), shown: der(good), edit: func(e *pki.Expect) { e.URI = "urn:other" }, want: ua.StatusBadCertificateURIInvalid, reason: `"urn:other"`},
		{name: "no application", trusted: one(noURI), shown: der(noURI), want: ua.StatusBadCertificateURIInvalid},
		{name: "a user has no application", trusted: one(noURI), shown: der(noURI), edit: func(e *pki.Expect) { e.Role = pki.User }},
		{name: "may not sign", trusted: one(noSign), shown: der(noSign), want: ua.StatusBadCertificateUseNotAllowed, reason: "digitalSignature"},
		{name: "may not encrypt", trusted: one(noData), shown: der(noData), want: ua.StatusBadCertificateUseNotAllowed, reason: "dataEncipherment"},
		{name: "a user may only sign", trusted: one(noData), shown: der(noData), edit: func(e *pki.Expect) { e.Role = pki.User }},
		{name: "says nothing of its use", trusted: one(noUsage), shown: der(noUsage), reason: "does not say"},
		{name: "a client's certificate for a server", trusted: one(clientOnly), shown: der(clientOnly), want: ua.StatusBadCertificateUseNotAllowed, reason: "serverAuth"},
		{name: "a client's certificate for a client", trusted: one(clientOnly), shown: der(clientOnly), edit: func(e *pki.Expect) { e.Role = pki.Client }},
		{name: "no revocation list where one is wanted", trusted: one(root), shown: der(signed("a", nil)), edit: func(e *pki.Expect) { e.Revocation = true }, want: ua.StatusBadCertificateRevocationUnknown},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := open(t)
			for _, c := range tt.trusted {
				if err := s.Trust(c); err != nil {
					t.Fatal(err)
				}
			}
			for _, c := range tt.issuers {
				if err := s.TrustIssuer(c); err != nil {
					t.Fatal(err)
				}
			}
			e := pki.Expect{Role: pki.Server, URI: appURI, Host: "127.0.0.1", Now: now}
			if tt.edit != nil {
				tt.edit(&e)
			}
			v, err := s.Check(tt.shown, e)
			if tt.want == ua.StatusOK {
				if err != nil || !strings.Contains(strings.Join(v.Notes, "; "), tt.reason) || tt.reason == "" && len(tt.trusted) > 0 && tt.trusted[0].Equal(v.Leaf) && len(v.Notes) > 0 {
					t.Fatalf("Check = notes %q, %v; want it accepted with %q", v.Notes, err, tt.reason)
				}
				return
			}
			if e, ok := errors.AsType[*pki.Error](err); !ok || e.Status != tt.want || !errors.Is(err, tt.want) || !strings.Contains(e.Reason, tt.reason) {
				t.Fatalf("Check = %v, want %v with %q", err, tt.want, tt.reason)
			}
		})
	}
}

// TestRevoked: what an authority took back is refused, and so is what an authority that was taken back signed.
func TestRevoked(t *testing.T) {
	root := self(t, "root", authority(nil))
	middle := sign(t, template("middle", authority(nil)), root, &keys()[2].PublicKey, keys()[0])
	leaf := sign(t, template("leaf", nil), middle, &keys()[1].PublicKey, keys()[2])
	s := open(t)
	if err := errors.Join(s.Trust(root), s.TrustIssuer(middle)); err != nil {
		t.Fatal(err)
	}
	list := func(by *x509.Certificate, key *rsa.PrivateKey, of ...*x509.Certificate) {
		crl := &x509.RevocationList{Number: big.NewInt(time.Now().UnixNano()), ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(time.Hour)}
		for _, c := range of {
			crl.RevokedCertificateEntries = append(crl.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: now.Add(-2 * time.Hour)})
		}
		der, err := x509.CreateRevocationList(rand.Reader, crl, by, key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(s.Root(), "issuers", "crl", by.Subject.CommonName+".crl"), der, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := s.TrustIssuer(middle); err != nil { // looks at the folder again at once
			t.Fatal(err)
		}
	}
	check := func(want ua.StatusCode) {
		t.Helper()
		_, err := s.Check(leaf.Raw, pki.Expect{URI: appURI, Now: now, Revocation: true})
		if want == ua.StatusOK && err != nil || want != ua.StatusOK && !errors.Is(err, want) {
			t.Fatalf("Check = %v, want %v", err, want)
		}
	}
	check(ua.StatusBadCertificateRevocationUnknown)
	list(middle, keys()[2])
	check(ua.StatusBadCertificateIssuerRevocationUnknown)
	list(root, keys()[0])
	check(ua.StatusOK)
	list(middle, keys()[2], leaf)
	check(ua.StatusBadCertificateRevoked)
	list(middle, keys()[2])
	list(root, keys()[0], middle)
	check(ua.StatusBadCertificateIssuerRevoked)
}

// TestTrustAndRevoke: a stranger is kept, accepted by the begin of its thumbprint, and turned away again; another process's store sees it.
func TestTrustAndRevoke(t *testing.T) {
	s := open(t)
	other, err := pki.Open(s.Root())
	if err != nil {
		t.Fatal(err)
	}
	c := self(t, "../../etc/pass\x00wd", nil)
	expect := pki.Expect{URI: appURI, Now: now}
	if _, err := s.Check(c.Raw, expect); !errors.Is(err, ua.StatusBadCertificateUntrusted) {
		t.Fatalf("Check of a stranger = %v", err)
	}
	entries, err := s.List()
	if err != nil || len(entries) != 1 || entries[0].List != pki.Rejected || entries[0].Thumbprint != pki.Thumbprint(c) || filepath.Dir(entries[0].File) != filepath.Join(s.Root(), "rejected", "certs") {
		t.Fatalf("List = %+v, %v", entries, err)
	}
	if _, err := s.Find("FFFF"); !errors.Is(err, pki.ErrUnknown) && entries[0].Thumbprint[:4] != "FFFF" {
		t.Errorf("Find of another = %v", err)
	}
	found, err := other.Find(strings.ToLower(pki.Thumbprint(c)[:12]), pki.Rejected)
	if err != nil {
		t.Fatal(err)
	}
	before := s.Version()
	if err := other.Trust(found); err != nil {
		t.Fatal(err)
	}
	await := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(50 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal(what)
			}
		}
	}
	await("the trust was not seen", func() bool { _, err := s.Check(c.Raw, expect); return err == nil })
	if s.Version() == before {
		t.Error("the version did not change")
	}
	if left, _ := s.List(pki.Rejected); len(left) != 0 {
		t.Errorf("still rejected: %+v", left)
	}
	if err := s.Revoke(c); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(c.Raw, expect); !errors.Is(err, ua.StatusBadCertificateUntrusted) {
		t.Errorf("Check after Revoke = %v", err)
	}
	await("the revocation was not seen", func() bool { _, err := other.Check(c.Raw, expect); return err != nil })
}

// TestSeveralInOneFile: taking one certificate out of a bundle leaves the others.
func TestSeveralInOneFile(t *testing.T) {
	s := open(t)
	a, b := self(t, "a", nil), self(t, "b", nil)
	if err := os.WriteFile(filepath.Join(s.Root(), "trusted", "certs", "both.der"), append(append([]byte(nil), a.Raw...), b.Raw...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := s.Revoke(a); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(a.Raw, pki.Expect{URI: appURI, Now: now}); err == nil {
		t.Error("the one that was taken out is accepted")
	}
	if _, err := s.Check(b.Raw, pki.Expect{URI: appURI, Now: now}); err != nil {
		t.Errorf("the other one: %v", err)
	}
}

// TestUnreadableFiles: a file that is no certificate is named and holds nothing else up.
func TestUnreadableFiles(t *testing.T) {
	s := open(t)
	c := self(t, "a", nil)
	for _, f := range []string{"trusted/certs/junk.der", "issuers/crl/junk.crl"} {
		if err := os.WriteFile(filepath.Join(s.Root(), filepath.FromSlash(f)), []byte("junk"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Trust(c); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(c.Raw, pki.Expect{URI: appURI, Now: now}); err != nil {
		t.Error(err)
	}
	if faults := s.Faults(); len(faults) != 2 || !strings.Contains(errors.Join(faults...).Error(), "junk.der") {
		t.Errorf("Faults = %v, want one for each file", faults)
	}
}

// TestRejectedIsBounded: a flood of strangers leaves few files, and what a person rejects stays within the bound.
func TestRejectedIsBounded(t *testing.T) {
	s := open(t)
	for range 60 {
		s.Check(self(t, "stranger", nil).Raw, pki.Expect{URI: appURI, Now: now})
	}
	got, err := s.List(pki.Rejected)
	if err != nil || len(got) == 0 || len(got) > 20 {
		t.Fatalf("%d certificates kept of a flood of 60, %v", len(got), err)
	}
	var last *x509.Certificate
	for range pki.MaxRejected + 5 {
		last = self(t, "revoked", nil)
		if err := s.Revoke(last); err != nil {
			t.Fatal(err)
		}
	}
	if got, err = s.List(pki.Rejected); err != nil || len(got) != pki.MaxRejected {
		t.Errorf("%d certificates kept, %v, want %d", len(got), err, pki.MaxRejected)
	}
	if _, err := s.Find(pki.Thumbprint(last), pki.Rejected); err != nil {
		t.Errorf("the newest is gone: %v", err)
	}
}

// TestIdentity: the identity is made once, by whoever comes first, fits every check, and keeps its key to its owner.
func TestIdentity(t *testing.T) {
	root := filepath.Join(t.TempDir(), "pki")
	got := make([]*pki.Identity, 4)
	var wg sync.WaitGroup
	for i := range got {
		wg.Go(func() {
			id, err := pki.OpenIdentity(root, pki.Application{Name: "Quartier", URI: "urn:here:quartier", Hosts: []string{"here", "127.0.0.1"}}, now)
			if err != nil {
				t.Error(err)
			}
			got[i] = id
		})
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	id := got[0]
	for _, o := range got {
		if o.Thumbprint() != id.Thumbprint() {
			t.Error("two identities were made")
		}
	}
	if id.URI != "urn:here:quartier" || id.Key.N.BitLen() != 2048 || id.Leaf.SignatureAlgorithm != x509.SHA256WithRSA {
		t.Errorf("identity %q, %d bits, %v", id.URI, id.Key.N.BitLen(), id.Leaf.SignatureAlgorithm)
	}
	s, err := pki.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Trust(id.Leaf); err != nil {
		t.Fatal(err)
	}
	for _, role := range []pki.Role{pki.Server, pki.Client} {
		if v, err := s.Check(id.Certificate, pki.Expect{Role: role, URI: id.URI, Host: "127.0.0.1", HostStrict: true, Revocation: true, Now: now}); err != nil || len(v.Notes) > 0 {
			t.Errorf("Check = %q, %v", v.Notes, err)
		}
	}
	private, _ := filepath.Glob(filepath.Join(root, "own", "private", "*"))
	if len(private) != 1 {
		t.Fatalf("keys: %v", private)
	}
	if info, err := os.Stat(private[0]); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the key %v, %v", info.Mode(), err)
	}
	if left, _ := filepath.Glob(filepath.Join(root, ".own-*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}

	other, err := pki.NewIdentity(pki.Application{}, now)
	if err != nil {
		t.Fatal(err)
	}
	certs, _ := filepath.Glob(filepath.Join(root, "own", "certs", "*"))
	if err := os.WriteFile(certs[0], other.Certificate, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := pki.OpenIdentity(root, pki.Application{}, now); err == nil || !strings.Contains(err.Error(), "does not belong to the key") {
		t.Errorf("a certificate with another key: %v", err)
	}
	if _, err := pki.NewIdentity(pki.Application{URI: "no uri"}, now); err == nil {
		t.Error("an application URI that is none was accepted")
	}
}

// FuzzCheck: no bytes that a peer shows make Check panic or trust them.
func FuzzCheck(f *testing.F) {
	c := self(f, "seed", nil)
	f.Add(c.Raw)
	f.Add(append(append([]byte(nil), c.Raw...), c.Raw...))
	s := open(f)
	if err := s.Trust(self(f, "other", nil)); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		if _, err := s.Check(der, pki.Expect{Now: now}); err == nil {
			t.Error("accepted")
		}
	})
}
