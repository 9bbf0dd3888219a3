package serve

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"math"
	"net"
	"sync"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/pki"
	"quartier/drivers/opcua/secure"
)

// Login is an attempt to sign in. With a certificate, its holder has been proved to have the key, and it was checked against [Config.Users].
type Login struct {
	Name        string // user name, or common name of the certificate
	Password    string
	Certificate bool
	Remote      string // address of the client, host:port
}

// User is who signed in. The zero value is the anonymous user.
type User struct {
	Name  string
	Write bool // whether writable variables take values of this user
}

// Writer is who writes.
type Writer struct {
	User
	Remote string
}

// ErrLogin is what [Config.Authenticate] returns for a wrong password or an account that may not sign in; any other error is a failure of its own.
var ErrLogin = errors.New("wrong name or password")

func (c *conn) serverCertificate() []byte {
	if !c.security.secured() {
		return nil
	}
	return c.srv.cfg.Identity.Certificate
}

// createSignature checks who creates a session over a secured channel, and signs that it is us whom it reached.
func (c *conn) createSignature(client *ua.ApplicationDescription, certificate, nonce []byte) (*ua.SignatureData, error) {
	if !c.security.secured() {
		if !c.srv.cfg.Unsecured {
			return nil, ua.StatusBadSecurityPolicyRejected // such a channel is for discovery
		}
		return &ua.SignatureData{}, nil
	}
	if !bytes.Equal(certificate, c.security.certificate) && !bytes.Equal(certificate, c.security.leaf) {
		return nil, ua.StatusBadCertificateInvalid
	}
	if len(nonce) < secure.NonceLength {
		return nil, ua.StatusBadNonceInvalid
	}
	if client.ApplicationURI == "" {
		return nil, ua.StatusBadCertificateURIInvalid
	}
	if _, err := c.srv.cfg.Trust.Check(c.security.certificate, pki.Expect{Role: pki.Client, URI: client.ApplicationURI, Now: time.Now()}); err != nil {
		c.srv.log.Warn("opc ua client refused", "remote", c.nc.RemoteAddr().String(), "err", err)
		if status, ok := errors.AsType[ua.StatusCode](err); ok {
			return nil, status
		}
		return nil, ua.StatusBadSecurityChecksFailed
	}
	a, err := c.srv.algorithms(c.security.policy, c.security.key)
	if err != nil {
		return nil, err
	}
	signature, err := a.Signature(append(bytes.Clone(certificate), nonce...))
	if err != nil {
		return nil, ua.StatusBadInternalError
	}
	return &ua.SignatureData{Algorithm: a.SignatureURI(), Signature: signature}, nil
}

// checkSignature holds an activation against the certificate of its channel, which must be that of the session.
func (c *conn) checkSignature(ses *session, nonce []byte, a activation) error {
	if ses.security.policy != c.security.policy || ses.security.mode != c.security.mode || !bytes.Equal(ses.security.leaf, c.security.leaf) {
		return ua.StatusBadSessionIDInvalid
	}
	if !c.security.secured() {
		return nil
	}
	if !c.signed(c.security.policy, c.security.key, nonce, a.signature) {
		return ua.StatusBadApplicationSignatureInvalid
	}
	return nil
}

// signed reports whether the holder of a key signed our certificate with a nonce.
func (c *conn) signed(policy string, key *rsa.PublicKey, nonce, signature []byte) bool {
	algorithms, err := c.srv.algorithms(policy, key)
	if err != nil {
		return false
	}
	own := c.srv.cfg.Identity
	for _, certificate := range [][]byte{own.Certificate, own.Leaf.Raw} {
		if algorithms.VerifySignature(append(bytes.Clone(certificate), nonce...), signature) == nil {
			return true
		}
	}
	return false
}

// identify says which user an activation is of. identity is the same for the same user and way of signing in.
func (c *conn) identify(ctx context.Context, nonce []byte, a activation) (u User, identity string, err error) {
	secured := c.security.secured()
	switch a.tokenType {
	case 0, id.AnonymousIdentityToken_Encoding_DefaultBinary: // no token stands for the anonymous user (Part 4, 5.6.3.2)
		if a.policyID != "" && a.policyID != anonymousPolicy {
			return u, "", ua.StatusBadIdentityTokenInvalid
		}
		if secured && !c.srv.cfg.Anonymous {
			return u, "", ua.StatusBadIdentityTokenRejected
		}
		return u, anonymousPolicy, nil
	case id.UserNameIdentityToken_Encoding_DefaultBinary:
		if !secured || c.srv.cfg.Authenticate == nil {
			return u, "", ua.StatusBadIdentityTokenRejected
		}
		if a.policyID != userPolicy {
			return u, "", ua.StatusBadIdentityTokenInvalid
		}
		password, err := c.password(nonce, a)
		if err != nil {
			return u, "", err
		}
		u, err = c.signIn(ctx, Login{Name: a.user, Password: password})
		return u, userPolicy + " " + a.user, err
	case id.X509IdentityToken_Encoding_DefaultBinary:
		if !secured || c.srv.cfg.Authenticate == nil || c.srv.cfg.Users == nil {
			return u, "", ua.StatusBadIdentityTokenRejected
		}
		if a.policyID != certificatePolicy {
			return u, "", ua.StatusBadIdentityTokenInvalid
		}
		verdict, err := c.srv.cfg.Users.Check(a.certificate, pki.Expect{Role: pki.User, Now: time.Now()})
		if err != nil {
			c.srv.log.Warn("opc ua user refused", "remote", c.nc.RemoteAddr().String(), "err", err)
			return u, "", ua.StatusBadIdentityTokenRejected
		}
		key, ok := verdict.Leaf.PublicKey.(*rsa.PublicKey)
		if !ok || !c.signed(c.security.policy, key, nonce, a.userSignature) {
			return u, "", ua.StatusBadUserSignatureInvalid
		}
		u, err = c.signIn(ctx, Login{Name: verdict.Leaf.Subject.CommonName, Certificate: true})
		return u, certificatePolicy + " " + pki.Thumbprint(verdict.Leaf), err
	case id.IssuedIdentityToken_Encoding_DefaultBinary:
		return u, "", ua.StatusBadIdentityTokenRejected
	}
	return u, "", ua.StatusBadIdentityTokenInvalid
}

// maxPassword bounds what is encrypted: a password of 512 bytes and its frame.
const maxPassword = 8 * 512

// password decrypts a password that was encrypted for this activation (Part 4, 7.40.2.2): a length, the password, the nonce. What is wrong is not told apart from a wrong password.
func (c *conn) password(nonce []byte, a activation) (string, error) {
	algorithms, err := c.srv.algorithms(c.security.policy, &c.srv.cfg.Identity.Key.PublicKey)
	if err != nil {
		return "", ua.StatusBadInternalError
	}
	if a.algorithm != algorithms.EncryptionURI() || len(a.password) == 0 || len(a.password) > maxPassword {
		return "", ua.StatusBadIdentityTokenInvalid
	}
	plain, err := algorithms.Decrypt(a.password)
	if err != nil || len(plain) < 4 {
		return "", ua.StatusBadUserAccessDenied
	}
	n := binary.LittleEndian.Uint32(plain)
	if plain = plain[4:]; uint64(n) > uint64(len(plain)) || int(n) < len(nonce) {
		return "", ua.StatusBadUserAccessDenied
	}
	password, proof := plain[:int(n)-len(nonce)], plain[int(n)-len(nonce):n]
	if subtle.ConstantTimeCompare(proof, nonce) != 1 {
		return "", ua.StatusBadUserAccessDenied
	}
	return string(password), nil
}

// signIn asks who it is, unless the address or the name has to wait after failures. It gives its place among the requests at work back for the time.
func (c *conn) signIn(ctx context.Context, l Login) (User, error) {
	l.Remote = c.nc.RemoteAddr().String()
	host, _, _ := net.SplitHostPort(l.Remote)
	keys := [2]string{"address " + host, "name " + l.Name + " " + host}
	if wait := c.srv.guard.wait(keys[:], time.Now()); wait > 0 {
		c.srv.log.Warn("opc ua sign-in too soon after failures", "user", l.Name, "remote", l.Remote, "wait", wait.Round(time.Second))
		return User{}, ua.StatusBadUserAccessDenied
	}
	c.srv.working.Release(1)
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	u, err := c.srv.cfg.Authenticate(ctx, l)
	cancel()
	if again := c.srv.working.Acquire(context.WithoutCancel(ctx), 1); again != nil {
		return User{}, ua.StatusBadInternalError
	}
	switch {
	case errors.Is(err, ErrLogin):
		c.srv.guard.failed(keys[:], time.Now())
		c.srv.log.Warn("opc ua sign-in failed", "user", l.Name, "remote", l.Remote)
		return User{}, ua.StatusBadUserAccessDenied
	case err != nil:
		c.srv.log.Error("opc ua sign-in", "user", l.Name, "remote", l.Remote, "err", err)
		return User{}, ua.StatusBadUserAccessDenied
	}
	c.srv.guard.passed(keys[1])
	c.srv.log.Info("opc ua sign-in", "user", u.Name, "remote", l.Remote)
	return u, nil
}

// guard makes those wait who failed: a second after so many failures, twice as long after each more.
type guard struct {
	free    int
	longest time.Duration

	mu    sync.Mutex
	tries map[string]*tries
}

type tries struct {
	failures int
	last     time.Time
}

const (
	freeFailures = 3 // of passwords
	longestWait  = 5 * time.Minute
	freeChannels = 20 // certificates that were refused
	longestPause = 10 * time.Second
	forgetAfter  = 15 * time.Minute
	maxTries     = 10_000 // addresses and names remembered
)

func newGuard(free int, longest time.Duration) *guard {
	return &guard{free: free, longest: longest, tries: map[string]*tries{}}
}

func (g *guard) until(t *tries) time.Time {
	if t.failures < g.free {
		return time.Time{}
	}
	return t.last.Add(time.Duration(math.Min(float64(g.longest), float64(time.Second)*math.Exp2(float64(t.failures-g.free)))))
}

// wait is how long the worst of the keys has to.
func (g *guard) wait(keys []string, now time.Time) (d time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, k := range keys {
		if t := g.tries[k]; t != nil {
			d = max(d, g.until(t).Sub(now))
		}
	}
	return d
}

func (g *guard) failed(keys []string, now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, k := range keys {
		t := g.tries[k]
		if t == nil || now.Sub(t.last) > forgetAfter {
			if len(g.tries) >= maxTries {
				for old, o := range g.tries {
					if now.Sub(o.last) > forgetAfter || len(g.tries) >= maxTries {
						delete(g.tries, old)
					}
				}
			}
			t = &tries{}
			g.tries[k] = t
		}
		t.failures++
		t.last = now
	}
}

// passed forgets the failures of a name; those of its address stay until they are old.
func (g *guard) passed(key string) {
	g.mu.Lock()
	delete(g.tries, key)
	g.mu.Unlock()
}
