package opcua

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"slices"
	"time"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"

	"quartier/drivers"
	"quartier/drivers/opcua/pki"
	"quartier/drivers/opcua/secure"
)

const (
	tokenLifetime  = time.Hour
	sessionTimeout = time.Minute
)

// discover asks a server for its endpoints, on a channel without protection: what it says is believed only as far as a session confirms it.
func discover(ctx context.Context, address string) ([]*ua.EndpointDescription, error) {
	host, err := hostOf(address)
	if err != nil {
		return nil, err
	}
	c, err := dial(context.Background(), ctx, host, address, safety{policy: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone}, maxUnchecked, tokenLifetime)
	if err != nil {
		return nil, err
	}
	defer c.close()
	return endpointsOf(ctx, c, address)
}

func endpointsOf(ctx context.Context, c *channel, address string) ([]*ua.EndpointDescription, error) {
	message, err := c.exchange(ctx, &ua.GetEndpointsRequest{EndpointURL: address, LocaleIDs: []string{}, ProfileURIs: []string{}}, nil, nil)
	if err != nil {
		return nil, err
	}
	resp, err := decodeAnswer(message)
	if err != nil {
		return nil, err
	}
	e, ok := resp.(*ua.GetEndpointsResponse)
	if !ok {
		return nil, fmt.Errorf("%w: %T in answer to GetEndpoints", drivers.ErrGarbage, resp)
	}
	return e.Endpoints, nil
}

// connect opens a channel and a session, and looks up what is to be known of the server.
func connect(l *Link) (*session, error) {
	s := &session{link: l, slots: make(chan struct{}, requestsAtOnce)}
	s.ctx, s.kill = context.WithCancelCause(l.ctx)
	ctx, cancel := context.WithTimeoutCause(s.ctx, 3*l.config.Timeout, errors.New("the server did not complete the connection in time"))
	defer cancel()
	err := s.enter(ctx)
	if err == nil {
		err = s.learn(ctx)
	}
	if err != nil {
		s.kill(err)
		s.discard(false)
		return nil, err
	}
	return s, nil
}

// enter opens the channel and the session by the link's access.
func (s *session) enter(ctx context.Context) error {
	l := s.link
	host, err := hostOf(l.address)
	if err != nil {
		return err
	}
	open := l.access.Open(l.address)
	safe := safety{policy: ua.SecurityPolicyURINone, mode: ua.MessageSecurityModeNone}
	var endpoint *ua.EndpointDescription
	if !open {
		endpoints, err := discover(ctx, l.address)
		if err != nil {
			return fmt.Errorf("ask for endpoints: %w", err)
		}
		if endpoint, err = l.access.choose(endpoints, false); err != nil {
			return err
		}
		safe = safety{policy: endpoint.SecurityPolicyURI, mode: endpoint.SecurityMode, own: l.config.Identity}
		if safe.peer, err = s.trusted(endpoint); err != nil { // before anything is sent to it
			return err
		}
	}
	if s.channel, err = dial(context.Background(), ctx, host, l.address, safe, maxMessage, tokenLifetime); err != nil {
		return err
	}
	context.AfterFunc(s.channel.ctx, func() { s.kill(context.Cause(s.channel.ctx)) })
	return s.activate(ctx, endpoint, safe)
}

// trusted returns the certificate of an endpoint's server after it was checked.
func (s *session) trusted(e *ua.EndpointDescription) (*x509.Certificate, error) {
	l := s.link
	if l.config.Trust == nil {
		return nil, errors.New("there is no trust list to hold the server's certificate against")
	}
	s.shown, s.version = e.ServerCertificate, l.config.Trust.Version()
	s.expect = pki.Expect{Role: pki.Server}
	host, _ := hostOf(l.address)
	s.expect.Host, _, _ = net.SplitHostPort(host)
	if e.Server != nil {
		s.expect.URI = e.Server.ApplicationURI
	}
	s.expect.Now = time.Now()
	v, err := l.config.Trust.Check(s.shown, s.expect)
	if err != nil {
		return nil, fmt.Errorf("server's %w", err)
	}
	for _, n := range v.Notes {
		l.config.Log.Debug("opc ua server's certificate", "address", l.address, "note", n)
	}
	s.ends = v.Leaf.NotAfter
	return v.Leaf, nil
}

// still holds the server's certificate against the trust list again, when that changed, an hour went by, or the certificate has ended since.
func (s *session) still() {
	if s.shown == nil {
		return
	}
	version := s.link.config.Trust.Version()
	now := time.Now()
	ended := now.After(s.ends) && !s.expect.Now.After(s.ends)
	if version == s.version && now.Sub(s.expect.Now) < time.Hour && !ended {
		return
	}
	s.version, s.expect.Now = version, now
	if _, err := s.link.config.Trust.Check(s.shown, s.expect); err != nil {
		s.kill(fmt.Errorf("server's %w", err))
	}
}

// activate makes the session and shows who we are. endpoint is nil for a channel without protection, until the session's server tells it.
func (s *session) activate(ctx context.Context, endpoint *ua.EndpointDescription, safe safety) error {
	l := s.link
	nonce := make([]byte, secure.NonceLength)
	if _, err := rand.Read(nonce); err != nil {
		return err
	}
	uri, own := "urn:quartier:client", []byte(nil)
	if l.config.Identity != nil {
		uri = l.config.Identity.URI
	}
	if safe.own != nil {
		own = safe.own.Certificate
	}
	created, err := ask[*ua.CreateSessionResponse](ctx, s, &ua.CreateSessionRequest{
		ClientDescription: &ua.ApplicationDescription{ApplicationURI: uri, ProductURI: "urn:quartier", ApplicationName: ua.NewLocalizedText("Quartier"), ApplicationType: ua.ApplicationTypeClient},
		EndpointURL:       l.address, SessionName: "quartier", ClientNonce: nonce, ClientCertificate: own,
		RequestedSessionTimeout: float64(sessionTimeout / time.Millisecond), MaxResponseMessageSize: maxMessage,
	})
	if err != nil {
		return fmt.Errorf("create session: %w", err)
	}
	if created.AuthenticationToken == nil || created.ServerSignature == nil {
		return fmt.Errorf("create session: %w", drivers.ErrGarbage)
	}
	s.token = created.AuthenticationToken

	if safe.none() && len(created.ServerEndpoints) == 0 { // a server that says nothing of itself
		endpoint = &ua.EndpointDescription{SecurityPolicyURI: safe.policy, SecurityMode: safe.mode, UserIdentityTokens: []*ua.UserTokenPolicy{
			{PolicyID: "Anonymous", TokenType: ua.UserTokenTypeAnonymous}, {PolicyID: "username", TokenType: ua.UserTokenTypeUserName}}}
	} else if safe.none() {
		if endpoint, err = l.access.choose(created.ServerEndpoints, true); err != nil {
			return err
		}
	}
	var opening *uapolicy.EncryptionAlgorithm
	signature := &ua.SignatureData{}
	if !safe.none() {
		chain, err := x509.ParseCertificates(created.ServerCertificate)
		if err != nil || len(chain) == 0 || !chain[0].Equal(safe.peer) {
			return fmt.Errorf("the session's server shows another certificate than the channel's: %w", ua.StatusBadCertificateInvalid)
		}
		if opening, err = uapolicy.Asymmetric(safe.policy, safe.own.Key, safe.peer.PublicKey.(*rsa.PublicKey)); err != nil {
			return err
		}
		// of a chain the specification signs the leaf; some servers sign all of it
		if opening.VerifySignature(append(bytes.Clone(safe.own.Leaf.Raw), nonce...), created.ServerSignature.Signature) != nil &&
			opening.VerifySignature(append(bytes.Clone(own), nonce...), created.ServerSignature.Signature) != nil {
			return fmt.Errorf("the server's signature of the session does not hold: %w", ua.StatusBadApplicationSignatureInvalid)
		}
		signature.Algorithm = opening.SignatureURI()
		if signature.Signature, err = opening.Signature(append(bytes.Clone(created.ServerCertificate), created.ServerNonce...)); err != nil {
			return fmt.Errorf("sign the session: %w", err)
		}
		// What the server said of its endpoints before anything was protected, it says again now: somebody between may have left the best one out.
		if best, err := l.access.choose(created.ServerEndpoints, false); err == nil {
			if l.access.rank(best, false) > l.access.rank(endpoint, false) {
				return fmt.Errorf("the server offers %s, which was kept from us: %w", secure.PolicyName(best.SecurityPolicyURI), ua.StatusBadSecurityChecksFailed)
			}
			if best.SecurityPolicyURI == endpoint.SecurityPolicyURI && len(best.UserIdentityTokens) > 0 {
				endpoint = best
			}
		}
	}
	identity, proof, err := s.identify(endpoint, safe, created)
	if err != nil {
		return err
	}
	activated, err := ask[*ua.ActivateSessionResponse](ctx, s, &ua.ActivateSessionRequest{
		ClientSignature: signature, LocaleIDs: []string{"en"}, UserIdentityToken: ua.NewExtensionObject(identity), UserTokenSignature: proof,
		ClientSoftwareCertificates: []*ua.SignedSoftwareCertificate{},
	})
	if err != nil {
		return fmt.Errorf("activate session: %w", err)
	}
	for _, r := range activated.Results {
		if severity(r) == severityBad {
			return fmt.Errorf("activate session: %w: %w", drivers.ErrRejected, r)
		}
	}
	return nil
}

// identify makes the token that shows who we are, and the proof that goes with it. A password leaves encrypted for the server whose
// certificate was checked, or to loopback.
func (s *session) identify(endpoint *ua.EndpointDescription, safe safety, created *ua.CreateSessionResponse) (any, *ua.SignatureData, error) {
	a := s.link.access
	proof := &ua.SignatureData{}
	policy, protection, err := a.token(endpoint)
	if err != nil {
		return nil, nil, err
	}
	if a.User == "" && a.UserIdentity == nil {
		return &ua.AnonymousIdentityToken{PolicyID: policy.PolicyID}, proof, nil
	}
	peer := safe.peer
	if protection != ua.SecurityPolicyURINone && peer == nil {
		if len(endpoint.ServerCertificate) == 0 { // told once is enough
			told := *endpoint
			told.ServerCertificate, endpoint = created.ServerCertificate, &told
		}
		if peer, err = s.trusted(endpoint); err != nil {
			return nil, nil, fmt.Errorf("to encrypt the secret for: %w", err)
		}
		chain, err := x509.ParseCertificates(created.ServerCertificate)
		if err != nil || len(chain) == 0 || !chain[0].Equal(peer) {
			return nil, nil, fmt.Errorf("the session's server shows another certificate than its endpoint: %w", ua.StatusBadCertificateInvalid)
		}
	}
	if a.UserIdentity != nil {
		t := &ua.X509IdentityToken{PolicyID: policy.PolicyID, CertificateData: a.UserIdentity.Certificate}
		if protection == ua.SecurityPolicyURINone {
			return nil, nil, fmt.Errorf("the server wants no proof of the user's certificate: %w", ua.StatusBadIdentityTokenRejected)
		}
		alg, err := uapolicy.Asymmetric(protection, a.UserIdentity.Key, peer.PublicKey.(*rsa.PublicKey))
		if err != nil {
			return nil, nil, err
		}
		proof.Algorithm = alg.SignatureURI()
		proof.Signature, err = alg.Signature(append(bytes.Clone(created.ServerCertificate), created.ServerNonce...))
		return t, proof, err
	}
	t := &ua.UserNameIdentityToken{PolicyID: policy.PolicyID, UserName: a.User, Password: []byte(a.Password)}
	switch {
	case protection != ua.SecurityPolicyURINone:
		alg, err := uapolicy.Asymmetric(protection, nil, peer.PublicKey.(*rsa.PublicKey))
		if err != nil {
			return nil, nil, err
		}
		secret := binary.LittleEndian.AppendUint32(nil, uint32(len(a.Password)+len(created.ServerNonce)))
		secret = append(append(secret, a.Password...), created.ServerNonce...)
		if t.Password, err = alg.Encrypt(secret); err != nil {
			return nil, nil, errors.New("the password does not encrypt") // the cause could tell of it
		}
		t.EncryptionAlgorithm = alg.EncryptionURI()
	case safe.mode != ua.MessageSecurityModeSignAndEncrypt && !onLoopback(s.link.address):
		return nil, nil, fmt.Errorf("the server wants the password in clear: %w", ua.StatusBadSecurityPolicyRejected)
	}
	return t, proof, nil
}

// Endpoint is one way into a server, as it says.
type Endpoint struct {
	Policy      string // short name of the security policy
	Mode        string // None, Sign or SignAndEncrypt
	Application string // URI
	Name        string // of the application
	Users       []string
	Certificate []byte // DER, not checked
	Spoken      bool   // whether Quartier can use it
}

// Discover asks the server at an address for its endpoints. Nothing of the answer is checked.
func Discover(ctx context.Context, address string) ([]Endpoint, error) {
	endpoints, err := discover(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("opcua: %s: %w", address, unreachable(err))
	}
	var out []Endpoint
	for _, e := range endpoints {
		if e == nil {
			continue
		}
		o := Endpoint{Policy: secure.PolicyName(e.SecurityPolicyURI), Mode: modeName(e.SecurityMode), Certificate: e.ServerCertificate}
		o.Spoken = e.SecurityPolicyURI == ua.SecurityPolicyURINone || slices.Contains(secure.Policies(), e.SecurityPolicyURI)
		if e.Server != nil {
			o.Application = e.Server.ApplicationURI
			if e.Server.ApplicationName != nil {
				o.Name = e.Server.ApplicationName.Text
			}
		}
		for _, t := range e.UserIdentityTokens {
			if t == nil {
				continue
			}
			o.Users = append(o.Users, map[ua.UserTokenType]string{ua.UserTokenTypeAnonymous: "anonymous", ua.UserTokenTypeUserName: "user name",
				ua.UserTokenTypeCertificate: "certificate", ua.UserTokenTypeIssuedToken: "issued token"}[t.TokenType])
		}
		out = append(out, o)
	}
	return out, nil
}

func modeName(m ua.MessageSecurityMode) string {
	switch m {
	case ua.MessageSecurityModeNone:
		return "None"
	case ua.MessageSecurityModeSign:
		return "Sign"
	case ua.MessageSecurityModeSignAndEncrypt:
		return "SignAndEncrypt"
	}
	return "invalid"
}
