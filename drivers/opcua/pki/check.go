package pki

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/gopcua/opcua/ua"
)

// Role is what a certificate is shown for.
type Role int

// The roles of a peer.
const (
	Server Role = iota // of a server that we connect to
	Client             // of a client that connects to us
	User               // of a person or machine that signs in with it, beside the application's
)

// Expect is what a certificate must fit.
type Expect struct {
	Role       Role
	URI        string // application URI that the peer told of itself; empty: not compared. A User has none.
	Host       string // name or address by which the peer was reached; empty: not compared
	HostStrict bool   // another host name refuses the certificate; otherwise it is a note
	Revocation bool   // an authority without a current revocation list refuses the certificate; otherwise it is a note
	Now        time.Time
}

// Verdict is what an accepted certificate is like.
type Verdict struct {
	Leaf  *x509.Certificate
	Notes []string // what a person should know, a sentence each
}

// Error says why a certificate was refused. It unwraps to its status code.
type Error struct {
	Status     ua.StatusCode // as OPC UA Part 4, 6.1.3 names the failed check
	Reason     string        // in words, with values
	Thumbprint string        // empty when the certificate could not be read
	Subject    string
}

func (e *Error) Error() string {
	if e.Thumbprint == "" {
		return fmt.Sprintf("certificate: %s: %v", e.Reason, e.Status)
	}
	return fmt.Sprintf("certificate %q %s: %s: %v", e.Subject, e.Thumbprint, e.Reason, e.Status)
}

func (e *Error) Unwrap() error { return e.Status }

// Bounds of what a peer may show.
const (
	maxChainBytes = 64 << 10
	maxChain      = 8
	minBits       = 2048 // of Basic256Sha256, Aes128_Sha256_RsaOaep and Aes256_Sha256_RsaPss (Part 7)
	maxBits       = 4096
)

// Check returns what an acceptable certificate is like, or an *Error with the first reason against it. der is the certificate as the peer
// gave it, of a chain the leaf first. A certificate that is refused, and can be read, is kept among the rejected ones.
func (s *Store) Check(der []byte, want Expect) (Verdict, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.look(); err != nil {
		return Verdict{}, &Error{Status: ua.StatusBadInternalError, Reason: "the trust list cannot be read: " + err.Error()}
	}
	chain, fault := parseChain(der)
	if fault != nil {
		return Verdict{}, fault
	}
	v := Verdict{Leaf: chain[0]}
	fault = s.check(chain, want, &v)
	if fault != nil { // somebody may just have trusted it
		known := s.version
		s.looked = time.Time{}
		if err := s.look(); err == nil && s.version != known {
			v = Verdict{Leaf: chain[0]}
			fault = s.check(chain, want, &v)
		}
	}
	if fault != nil {
		fault.Thumbprint, fault.Subject = Thumbprint(chain[0]), chain[0].Subject.CommonName
		if fault.Status != ua.StatusBadInternalError && !s.anchors[string(chain[0].Raw)] {
			s.reject(chain[0])
		}
		return Verdict{}, fault
	}
	return v, nil
}

func parseChain(der []byte) ([]*x509.Certificate, *Error) {
	refuse := func(format string, args ...any) *Error {
		return &Error{Status: ua.StatusBadCertificateInvalid, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case len(der) == 0:
		return nil, refuse("there is none")
	case len(der) > maxChainBytes:
		return nil, refuse("%d bytes are more than %d", len(der), maxChainBytes)
	}
	chain, err := x509.ParseCertificates(der)
	if err != nil {
		return nil, refuse("%v", err)
	}
	if len(chain) == 0 || len(chain) > maxChain {
		return nil, refuse("a chain of %d certificates, want 1 to %d", len(chain), maxChain)
	}
	return chain, nil
}

// check makes the checks in the order of Part 4, 6.1.3.
func (s *Store) check(shown []*x509.Certificate, want Expect, v *Verdict) *Error {
	leaf := shown[0]
	no := func(status ua.StatusCode, format string, args ...any) *Error {
		return &Error{Status: status, Reason: fmt.Sprintf(format, args...)}
	}
	note := func(format string, args ...any) { v.Notes = append(v.Notes, fmt.Sprintf(format, args...)) }
	pinned := s.anchors[string(leaf.Raw)]

	chain, whole, fault := s.chain(shown)
	if fault != nil {
		return fault
	}
	for i, c := range chain {
		if fault := strong(c, i == 0); fault != nil {
			return fault
		}
		if len(c.UnhandledCriticalExtensions) > 0 {
			return no(ua.StatusBadCertificateInvalid, "%q has the critical extension %v, which is not known", c.Subject.CommonName, c.UnhandledCriticalExtensions[0])
		}
	}
	trusted := false
	for _, c := range chain {
		trusted = trusted || s.anchors[string(c.Raw)]
	}
	switch {
	case !whole && !trusted:
		return no(ua.StatusBadCertificateChainIncomplete, "its authority %q is not known", chain[len(chain)-1].Issuer.CommonName)
	case !trusted && selfSigned(leaf):
		return no(ua.StatusBadCertificateUntrusted, "it is not among the trusted certificates")
	case !trusted:
		return no(ua.StatusBadCertificateUntrusted, "neither it nor an authority of its chain is among the trusted certificates")
	case !whole:
		note("its authority %q is not known, so that its revocation cannot be seen", chain[len(chain)-1].Issuer.CommonName)
	}
	for i, c := range chain {
		status := ua.StatusBadCertificateTimeInvalid
		whose := ""
		if i > 0 {
			status, whose = ua.StatusBadCertificateIssuerTimeInvalid, fmt.Sprintf("its authority %q ", c.Subject.CommonName)
		}
		if want.Now.Before(c.NotBefore) {
			return no(status, "%sis valid from %s and it is %s", whose, c.NotBefore.UTC().Format(time.RFC3339), want.Now.UTC().Format(time.RFC3339))
		}
		if want.Now.After(c.NotAfter) {
			return no(status, "%sexpired %s and it is %s", whose, c.NotAfter.UTC().Format(time.RFC3339), want.Now.UTC().Format(time.RFC3339))
		}
	}
	if err := constrained(chain, want.Now); err != nil {
		return no(ua.StatusBadCertificateInvalid, "%v", err)
	}
	if why := ExpiresSoon(leaf.NotAfter, want.Now); why != "" {
		note("it %s", why)
	}
	if want.Host != "" && !hasHost(leaf, want.Host) {
		names := strings.Join(append(addresses(leaf), leaf.DNSNames...), ", ")
		if want.HostStrict {
			return no(ua.StatusBadCertificateHostNameInvalid, "it is for [%s] and the address is %s", names, want.Host)
		}
		note("it is for [%s] and the address is %s", names, want.Host)
	}
	if want.URI != "" && want.Role != User && !hasURI(leaf, want.URI) {
		return no(ua.StatusBadCertificateURIInvalid, "it is for the application %v and the application says that it is %q", leaf.URIs, want.URI)
	}
	if fault := usage(leaf, want.Role, note); fault != nil {
		return fault
	}
	return s.revoked(chain, pinned, want, note)
}

// chain builds the way from the leaf to a certificate that signed itself. whole is false where the next authority is not known. fault tells of
// a signature that does not hold.
func (s *Store) chain(shown []*x509.Certificate) (chain []*x509.Certificate, whole bool, fault *Error) {
	chain = []*x509.Certificate{shown[0]}
	for {
		at := chain[len(chain)-1]
		if bytes.Equal(at.RawIssuer, at.RawSubject) {
			err := at.CheckSignature(at.SignatureAlgorithm, at.RawTBSCertificate, at.Signature)
			if err != nil {
				return nil, false, badSignature(at, err)
			}
			return chain, true, nil
		}
		if len(chain) == maxChain {
			return chain, false, nil
		}
		var next *x509.Certificate
		var failed error
		for _, list := range [][]*x509.Certificate{s.trusted, s.issuers, shown[1:]} {
			for _, c := range list {
				if next != nil || !bytes.Equal(c.RawSubject, at.RawIssuer) {
					continue
				}
				if err := at.CheckSignatureFrom(c); err != nil {
					failed = err
				} else if below := len(chain) - 1; !c.BasicConstraintsValid || !c.IsCA || (c.MaxPathLen > 0 || c.MaxPathLenZero) && below > c.MaxPathLen {
					failed = fmt.Errorf("%q is no authority for it", c.Subject.CommonName)
				} else {
					next = c
				}
			}
		}
		if next == nil {
			if failed != nil {
				return nil, false, badSignature(at, failed)
			}
			return chain, false, nil
		}
		chain = append(chain, next)
	}
}

// constrained holds a chain against the names that its authorities may vouch for, where one of them is so limited.
func constrained(chain []*x509.Certificate, now time.Time) error {
	limited := false
	for _, c := range chain[1:] {
		limited = limited || len(c.PermittedDNSDomains)+len(c.ExcludedDNSDomains)+len(c.PermittedIPRanges)+len(c.ExcludedIPRanges)+len(c.PermittedURIDomains)+
			len(c.ExcludedURIDomains)+len(c.PermittedEmailAddresses)+len(c.ExcludedEmailAddresses) > 0
	}
	if !limited {
		return nil
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[len(chain)-1])
	for _, c := range chain[1 : len(chain)-1] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	return err
}

func badSignature(c *x509.Certificate, err error) *Error {
	if fault := strong(c, true); fault != nil {
		return fault
	}
	return &Error{Status: ua.StatusBadCertificateInvalid, Reason: "its signature does not hold: " + err.Error()}
}

// strong holds a certificate against what the security policies want of keys and signatures.
func strong(c *x509.Certificate, leaf bool) *Error {
	no := func(format string, args ...any) *Error {
		whose := ""
		if !leaf {
			whose = fmt.Sprintf("its authority %q: ", c.Subject.CommonName)
		}
		return &Error{Status: ua.StatusBadCertificatePolicyCheckFailed, Reason: whose + fmt.Sprintf(format, args...)}
	}
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		if leaf {
			return no("a key for %s, want RSA", c.PublicKeyAlgorithm)
		}
	} else if bits := key.N.BitLen(); bits < minBits || leaf && bits > maxBits {
		return no("an RSA key of %d bits, want %d to %d", bits, minBits, maxBits)
	}
	switch c.SignatureAlgorithm {
	case x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA, x509.SHA256WithRSAPSS, x509.SHA384WithRSAPSS, x509.SHA512WithRSAPSS:
		return nil
	case x509.ECDSAWithSHA256, x509.ECDSAWithSHA384, x509.ECDSAWithSHA512, x509.PureEd25519:
		return nil // of an authority
	}
	return no("it is signed by %s, want SHA-256 or better", c.SignatureAlgorithm)
}

func selfSigned(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

func addresses(c *x509.Certificate) []string {
	var out []string
	for _, ip := range c.IPAddresses {
		out = append(out, ip.String())
	}
	return out
}

func hasHost(c *x509.Certificate, host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		for _, a := range c.IPAddresses {
			if a.Equal(ip) {
				return true
			}
		}
	}
	for _, n := range c.DNSNames {
		if strings.EqualFold(strings.TrimSuffix(n, "."), strings.TrimSuffix(host, ".")) {
			return true
		}
	}
	return false
}

func hasURI(c *x509.Certificate, uri string) bool {
	u, err := url.Parse(uri)
	for _, have := range c.URIs {
		if s := have.String(); s == uri || err == nil && s == u.String() {
			return true
		}
	}
	return false
}

// usage holds the leaf's declared uses against its role (Part 6, 6.2.2).
func usage(c *x509.Certificate, role Role, note func(string, ...any)) *Error {
	need := []struct {
		bit  x509.KeyUsage
		name string
	}{{x509.KeyUsageDigitalSignature, "digitalSignature"}}
	if role != User {
		need = append(need, struct {
			bit  x509.KeyUsage
			name string
		}{x509.KeyUsageKeyEncipherment, "keyEncipherment"}, struct {
			bit  x509.KeyUsage
			name string
		}{x509.KeyUsageDataEncipherment, "dataEncipherment"})
	}
	if c.KeyUsage == 0 {
		note("it does not say what its key may be used for")
	} else {
		for _, n := range need {
			if c.KeyUsage&n.bit == 0 {
				return &Error{Status: ua.StatusBadCertificateUseNotAllowed, Reason: "its key usage lacks " + n.name}
			}
		}
	}
	purpose, name := x509.ExtKeyUsageServerAuth, "serverAuth"
	if role == Client {
		purpose, name = x509.ExtKeyUsageClientAuth, "clientAuth"
	}
	if role == User || len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 {
		return nil
	}
	for _, u := range c.ExtKeyUsage {
		if u == purpose || u == x509.ExtKeyUsageAny {
			return nil
		}
	}
	return &Error{Status: ua.StatusBadCertificateUseNotAllowed, Reason: "its extended key usage lacks " + name}
}

// revoked looks each certificate but the last up in its authority's revocation lists.
func (s *Store) revoked(chain []*x509.Certificate, pinned bool, want Expect, note func(string, ...any)) *Error {
	for i := 0; i+1 < len(chain); i++ {
		c, authority := chain[i], chain[i+1]
		status, unknown := ua.StatusBadCertificateRevoked, ua.StatusBadCertificateRevocationUnknown
		if i > 0 {
			status, unknown = ua.StatusBadCertificateIssuerRevoked, ua.StatusBadCertificateIssuerRevocationUnknown
		}
		current := false
		for _, crl := range s.crls {
			if !bytes.Equal(crl.RawIssuer, authority.RawSubject) || crl.CheckSignatureFrom(authority) != nil {
				continue
			}
			current = current || crl.NextUpdate.IsZero() || want.Now.Before(crl.NextUpdate)
			for _, r := range crl.RevokedCertificateEntries {
				if r.SerialNumber.Cmp(c.SerialNumber) == 0 {
					return &Error{Status: status, Reason: fmt.Sprintf("%q was revoked by %q on %s", c.Subject.CommonName, authority.Subject.CommonName, r.RevocationTime.UTC().Format(time.DateOnly))}
				}
			}
		}
		if current {
			continue
		}
		reason := fmt.Sprintf("there is no current revocation list of %q", authority.Subject.CommonName)
		if want.Revocation && !pinned {
			return &Error{Status: unknown, Reason: reason}
		}
		note("%s", reason)
	}
	return nil
}

func parseCRL(raw []byte) (*x509.RevocationList, error) {
	if block, _ := pem.Decode(raw); block != nil {
		raw = block.Bytes
	}
	return x509.ParseRevocationList(raw)
}
