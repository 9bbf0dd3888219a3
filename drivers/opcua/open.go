package opcua

import (
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/opcua/secure"
)

// takeOpen checks the headers of an OpenSecureChannel answer before anything in it is believed: an answer under another policy or with another
// certificate than this channel was opened with ends it.
func (c *channel) takeOpen(b []byte) ([]byte, error) {
	buf := ua.NewBuffer(b[12:])
	policy, certificate, thumbprint := buf.ReadString(), buf.ReadBytes(), buf.ReadBytes()
	if buf.Error() != nil || b[3] != 'F' {
		return nil, fmt.Errorf("%w: the header of an OpenSecureChannel answer", drivers.ErrGarbage)
	}
	if policy != c.safety.policy {
		return nil, fmt.Errorf("the server answers under policy %q to one under %s: %w", secure.PolicyName(policy), secure.PolicyName(c.safety.policy), ua.StatusBadSecurityPolicyRejected)
	}
	if !c.safety.none() {
		chain, err := x509.ParseCertificates(certificate)
		if err != nil || len(chain) == 0 || !chain[0].Equal(c.safety.peer) {
			return nil, fmt.Errorf("the server opens the channel with another certificate than it told before: %w", ua.StatusBadCertificateInvalid)
		}
		if own := sha1.Sum(c.safety.own.Leaf.Raw); string(thumbprint) != string(own[:]) {
			return nil, fmt.Errorf("the server answers to another certificate than ours: %w", ua.StatusBadCertificateInvalid)
		}
	}
	return c.opening.Open(b, 12+buf.Pos())
}

// opened takes the new token over.
func (c *channel) opened(w *call, message []byte) error {
	resp, err := decodeAnswer(message)
	if err != nil {
		w.failed <- err
		return nil
	}
	o, ok := resp.(*ua.OpenSecureChannelResponse)
	if !ok || o.SecurityToken == nil || o.SecurityToken.ChannelID == 0 {
		return fmt.Errorf("%w: %T in answer to OpenSecureChannel", drivers.ErrGarbage, resp)
	}
	var keys *secure.Keys
	if !c.safety.none() {
		if keys, err = secure.Symmetric(c.safety.policy, c.safety.mode, w.nonce, o.ServerNonce); err != nil {
			return err
		}
	}
	c.wmu.Lock()
	if c.id != 0 && c.id != o.SecurityToken.ChannelID {
		c.wmu.Unlock()
		return fmt.Errorf("%w: channel %d became channel %d", drivers.ErrGarbage, c.id, o.SecurityToken.ChannelID)
	}
	for t := range c.in {
		if t != c.token {
			delete(c.in, t)
		}
	}
	c.id, c.token, c.keys = o.SecurityToken.ChannelID, o.SecurityToken.TokenID, keys
	c.in[c.token] = keys
	c.wmu.Unlock()
	w.answered <- message
	return nil
}

// open issues or renews the token and returns its lifetime.
func (c *channel) open(ctx context.Context, kind ua.SecurityTokenRequestType, lifetime time.Duration) (time.Duration, error) {
	nonce := []byte{} // none is needed without keys
	if !c.safety.none() {
		nonce = make([]byte, secure.NonceLength)
		if _, err := rand.Read(nonce); err != nil {
			return 0, err
		}
	}
	req := &ua.OpenSecureChannelRequest{RequestType: kind, SecurityMode: c.safety.mode, ClientNonce: nonce, RequestedLifetime: uint32(lifetime / time.Millisecond)}
	message, err := c.exchange(ctx, req, nil, nonce)
	if err != nil {
		return 0, err
	}
	resp, err := decodeAnswer(message)
	if err != nil {
		return 0, err
	}
	o, ok := resp.(*ua.OpenSecureChannelResponse)
	if !ok || o.SecurityToken == nil {
		return 0, fmt.Errorf("%w: %T in answer to OpenSecureChannel", drivers.ErrGarbage, resp)
	}
	return time.Duration(o.SecurityToken.RevisedLifetime) * time.Millisecond, nil
}

// renew asks for a new token when three quarters of the present one's lifetime are over.
func (c *channel) renew(revised, lifetime time.Duration) {
	for {
		t := time.NewTimer(max(min(revised, lifetime)*3/4, time.Second))
		select {
		case <-c.ctx.Done():
			t.Stop()
			return
		case <-t.C:
		}
		ctx, cancel := context.WithTimeout(c.ctx, max(min(revised, lifetime)/8, time.Second))
		var err error
		revised, err = c.open(ctx, ua.SecurityTokenRequestTypeRenew, lifetime)
		cancel()
		if err != nil {
			c.kill(fmt.Errorf("renew the channel's token: %w", err))
			return
		}
	}
}
