package serve

import (
	"bytes"
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/secure"
)

const (
	anonymousPolicy   = "anonymous"
	userPolicy        = "username"
	certificatePolicy = "certificate"
	activationTimeout = 10 * time.Second // from CreateSession to ActivateSession
	minSession        = 5 * time.Second
	maxSession        = 10 * time.Minute
)

// session is a client's session. It survives its connection until it times out.
type session struct {
	srv     *Server
	name    string
	token   string // key in Server.sessions
	timeout time.Duration

	security security // of the channel that created it; another one that takes it over has the same certificate and mode

	mu            sync.Mutex
	nonce         []byte // what the next activation signs
	user          User
	identity      string // how the user signed in, to compare when another channel takes the session over
	locale        string
	conn          *conn // nil while the connection is lost
	active, ended bool
	used          time.Time // last request
	subs          map[uint32]*subscription
	items         int // monitored items of all subscriptions
	waiting       []publishRequest
	gone          []*ua.PublishResponse // status changes of subscriptions that timed out
	continuations map[string]continuation
	histories     map[string]historyPoint
}

func (ses *session) activated() bool {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	return ses.active && !ses.ended
}

func (ses *session) expired(now time.Time) bool {
	ses.mu.Lock()
	defer ses.mu.Unlock()
	limit := ses.timeout
	if !ses.active {
		limit = activationTimeout
	}
	return now.Sub(ses.used) > limit
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func (s *Server) application() *ua.ApplicationDescription {
	return &ua.ApplicationDescription{
		ApplicationURI: s.applicationURI(), ProductURI: productURI, ApplicationName: ua.NewLocalizedText(s.cfg.Name),
		ApplicationType: ua.ApplicationTypeServer, DiscoveryURLs: []string{s.endpoint()},
	}
}

const transportProfile = "http://opcfoundation.org/UA-Profile/Transport/uatcp-uasc-uabinary"

// endpoints are the ways to reach the server, the strongest first.
func (s *Server) endpoints() []*ua.EndpointDescription {
	var out []*ua.EndpointDescription
	if s.cfg.Identity != nil {
		for level, policy := range secure.Policies() {
			for _, mode := range []ua.MessageSecurityMode{ua.MessageSecurityModeSignAndEncrypt, ua.MessageSecurityModeSign} {
				out = append(out, &ua.EndpointDescription{
					EndpointURL: s.endpoint(), Server: s.application(), ServerCertificate: s.cfg.Identity.Certificate, SecurityMode: mode, SecurityPolicyURI: policy,
					UserIdentityTokens: s.userTokens(policy), TransportProfileURI: transportProfile, SecurityLevel: byte(40*(int(mode)-1) - 10*level),
				})
			}
		}
	}
	if s.cfg.Unsecured {
		out = append(out, &ua.EndpointDescription{
			EndpointURL: s.endpoint(), Server: s.application(), SecurityMode: ua.MessageSecurityModeNone, SecurityPolicyURI: ua.SecurityPolicyURINone,
			UserIdentityTokens:  []*ua.UserTokenPolicy{{PolicyID: anonymousPolicy, TokenType: ua.UserTokenTypeAnonymous, SecurityPolicyURI: ua.SecurityPolicyURINone}},
			TransportProfileURI: transportProfile,
		})
	}
	return out
}

// userTokens are the ways to sign in over a secured channel.
func (s *Server) userTokens(policy string) (out []*ua.UserTokenPolicy) {
	if s.cfg.Anonymous {
		out = append(out, &ua.UserTokenPolicy{PolicyID: anonymousPolicy, TokenType: ua.UserTokenTypeAnonymous})
	}
	if s.cfg.Authenticate != nil {
		out = append(out, &ua.UserTokenPolicy{PolicyID: userPolicy, TokenType: ua.UserTokenTypeUserName, SecurityPolicyURI: policy})
		if s.cfg.Users != nil {
			out = append(out, &ua.UserTokenPolicy{PolicyID: certificatePolicy, TokenType: ua.UserTokenTypeCertificate, SecurityPolicyURI: policy})
		}
	}
	return out
}

func (c *conn) createSession(hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	// The request without its header, which was read already; ClientDescription holds no structure that could nest.
	var req struct {
		ClientDescription       *ua.ApplicationDescription
		ServerURI               string
		EndpointURL             string
		SessionName             string
		ClientNonce             []byte
		ClientCertificate       []byte
		RequestedSessionTimeout float64
		MaxResponseMessageSize  uint32
	}
	if err := decode(body, &req); err != nil {
		return nil, err
	}
	signature, err := c.createSignature(req.ClientDescription, req.ClientCertificate, req.ClientNonce)
	if err != nil {
		return nil, err
	}
	timeout := maxSession
	if t := req.RequestedSessionTimeout; t > 0 && t < milliseconds(maxSession) {
		timeout = max(time.Duration(t*float64(time.Millisecond)), minSession)
	}
	token := randomBytes(16)
	tokenID := ua.NewByteStringNodeID(1, token)
	name := req.SessionName
	if len(name) > 200 {
		name = name[:200]
	}
	ses := &session{
		srv: c.srv, name: name, token: tokenID.String(), timeout: timeout, conn: c, used: time.Now(), security: c.security, nonce: randomBytes(secure.NonceLength),
		subs: make(map[uint32]*subscription), continuations: make(map[string]continuation), histories: make(map[string]historyPoint),
	}
	if err := c.srv.addSession(ses); err != nil {
		return nil, err
	}
	return &ua.CreateSessionResponse{
		ResponseHeader: header(hdr, ua.StatusOK), SessionID: ua.NewByteStringNodeID(1, randomBytes(16)), AuthenticationToken: tokenID,
		RevisedSessionTimeout: milliseconds(timeout), ServerNonce: ses.nonce, ServerCertificate: c.serverCertificate(), ServerEndpoints: c.srv.endpoints(),
		ServerSoftwareCertificates: []*ua.SignedSoftwareCertificate{}, ServerSignature: signature, MaxRequestMessageSize: maxMessage,
	}, nil
}

// addSession registers a session. A connection holds at most two, so those in use always have a place; of those whose connection was lost,
// the one used least lately gives way when there are too many.
func (s *Server) addSession(ses *session) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return ua.StatusBadShutdown
	}
	mine := 0
	var lost []*session
	var oldest *session
	for _, o := range s.sessions {
		o.mu.Lock()
		switch {
		case o.conn == ses.conn:
			mine++
		case o.conn == nil:
			lost = append(lost, o)
			if oldest == nil || o.used.Before(oldest.used) {
				oldest = o
			}
		}
		o.mu.Unlock()
	}
	if mine >= sessionsPerConn {
		return ua.StatusBadTooManySessions
	}
	if len(lost) > maxLostSessions {
		go s.endSession(oldest)
	}
	s.sessions[ses.token] = ses
	return nil
}

// session returns the session whose token the request carries, when this connection holds it.
func (c *conn) session(hdr *ua.RequestHeader) (*session, error) {
	ses := c.srv.sessionOf(hdr.AuthenticationToken)
	if ses == nil {
		return nil, ua.StatusBadSessionIDInvalid
	}
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.conn != c || ses.ended {
		return nil, ua.StatusBadSessionIDInvalid
	}
	ses.used = time.Now()
	return ses, nil
}

func (s *Server) sessionOf(token *ua.NodeID) *session {
	if token.Type() != ua.NodeIDTypeByteString {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[token.String()]
}

// activateSession lets a user into a session; a session whose connection was lost may be taken over by a new one.
func (c *conn) activateSession(ctx context.Context, hdr *ua.RequestHeader, body []byte) (ua.Response, error) {
	ses := c.srv.sessionOf(hdr.AuthenticationToken)
	if ses == nil {
		return nil, ua.StatusBadSessionIDInvalid
	}
	a, err := decodeActivation(body)
	if err != nil {
		return nil, err
	}
	ses.mu.Lock()
	nonce, takeover := ses.nonce, ses.conn != c
	ended, active := ses.ended, ses.active
	ses.mu.Unlock()
	if ended || takeover && !active { // only the channel that created a session may activate it first
		return nil, ua.StatusBadSessionIDInvalid
	}
	if err := c.checkSignature(ses, nonce, a); err != nil {
		return nil, err
	}
	user, identity, err := c.identify(ctx, nonce, a)
	if err != nil {
		return nil, err
	}
	next := randomBytes(secure.NonceLength)
	ses.mu.Lock()
	defer ses.mu.Unlock()
	if ses.ended || !bytes.Equal(ses.nonce, nonce) { // another activation came between
		return nil, ua.StatusBadSessionIDInvalid
	}
	if ses.conn != c {
		if !ses.active || identity != ses.identity {
			return nil, ua.StatusBadSessionIDInvalid
		}
		if c.active.Load() >= sessionsPerConn {
			return nil, ua.StatusBadTooManySessions
		}
		if ses.conn != nil {
			ses.conn.release()
		}
		ses.waiting = nil
		ses.conn = c
		c.active.Add(1)
	} else if !ses.active {
		c.active.Add(1)
	}
	ses.active, ses.used, ses.nonce, ses.user, ses.identity, ses.locale = true, time.Now(), next, user, identity, a.locale
	return &ua.ActivateSessionResponse{ResponseHeader: header(hdr, ua.StatusOK), ServerNonce: next, Results: []ua.StatusCode{}, DiagnosticInfos: []*ua.DiagnosticInfo{}}, nil
}

// release takes one active session off the connection.
func (c *conn) release() {
	if c.active.Add(-1) <= 0 {
		c.idleSince.Store(time.Now().UnixNano())
	}
}

// endSession closes a session with its subscriptions.
func (s *Server) endSession(ses *session) {
	s.mu.Lock()
	delete(s.sessions, ses.token)
	s.mu.Unlock()
	ses.leave(false)
}

// leave ends a session; its subscriptions end with it unless they are kept.
func (ses *session) leave(keep bool) {
	ses.mu.Lock()
	if ses.active && !ses.ended && ses.conn != nil {
		ses.conn.release()
	}
	ses.ended = true
	var subs []*subscription
	if !keep {
		for _, sub := range ses.subs {
			subs = append(subs, sub)
		}
		clear(ses.subs)
		ses.items = 0
	}
	clear(ses.continuations)
	clear(ses.histories)
	conn, waiting := ses.conn, ses.waiting
	ses.conn, ses.waiting, ses.gone = nil, nil, nil
	ses.mu.Unlock()
	for _, sub := range subs {
		sub.end()
	}
	if conn != nil {
		for _, w := range waiting {
			conn.send(w.request, fault(w.hdr, ua.StatusBadSessionClosed))
		}
	}
}

// detach takes a closed connection off its sessions; those that were never activated end.
func (s *Server) detach(c *conn) {
	s.mu.Lock()
	var mine []*session
	for _, ses := range s.sessions {
		mine = append(mine, ses)
	}
	s.mu.Unlock()
	for _, ses := range mine {
		ses.mu.Lock()
		held := ses.conn == c
		if held {
			ses.conn, ses.waiting = nil, nil
			clear(ses.continuations)
			clear(ses.histories)
		}
		active := ses.active
		ses.mu.Unlock()
		if held && !active {
			s.endSession(ses)
		}
	}
}
