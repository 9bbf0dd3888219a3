package serve

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/binary"
	"net"
	"time"

	"github.com/gopcua/opcua/id"
	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"

	"quartier/drivers/opcua/pki"
	"quartier/drivers/opcua/secure"
)

// security is how a channel is protected.
type security struct {
	policy      string
	mode        ua.MessageSecurityMode
	certificate []byte         // of the client, as it gave it; empty with policy None
	leaf        []byte         // of its chain, DER
	key         *rsa.PublicKey // of that certificate
}

// secured reports whether messages are protected.
func (s security) secured() bool {
	return s.mode == ua.MessageSecurityModeSign || s.mode == ua.MessageSecurityModeSignAndEncrypt
}

// token is a security token of a channel.
type token struct {
	id   uint32
	keys *secure.Keys
	ends time.Time // zero: with the channel
}

// renewalGrace is how much longer than its lifetime a token is good, as a share (Part 4, 5.5.2).
const renewalGrace = 0.25

// unseal checks a message chunk and returns its sequence header and body. The first message with a new token makes it that of the responses, and ends the one before.
func (c *conn) unseal(chunk []byte) ([]byte, error) {
	tokenID := binary.LittleEndian.Uint32(chunk[12:])
	at := -1
	for i, t := range c.tokens {
		if t.id == tokenID {
			at = i
		}
	}
	if at < 0 || !c.tokens[at].ends.IsZero() && time.Now().After(c.tokens[at].ends) {
		return nil, refuse(ua.StatusBadSecureChannelTokenUnknown, "token %d", tokenID)
	}
	t := c.tokens[at]
	plain, err := t.keys.Open(chunk, messageHeader)
	if err != nil {
		return nil, refuse(ua.StatusBadSecurityChecksFailed, "message")
	}
	if err := c.inOrder(binary.LittleEndian.Uint32(plain)); err != nil {
		return nil, err
	}
	if at > 0 {
		c.tokens = c.tokens[at:]
		c.wmu.Lock()
		c.sending = t
		c.wmu.Unlock()
	}
	return plain, nil
}

// inOrder refuses a chunk of a secured channel that was recorded and sent again.
func (c *conn) inOrder(sequence uint32) error {
	if !c.security.secured() {
		return nil
	}
	wrapped := c.received > 1<<32-1024 && sequence < 1024 // Part 6, 6.7.2.4
	if c.received != 0 && sequence != c.received+1 && !wrapped {
		return refuse(ua.StatusBadSequenceNumberInvalid, "sequence number %d after %d", sequence, c.received)
	}
	c.received = sequence
	return nil
}

// open answers OpenSecureChannel, to issue or to renew. Why a certificate or a signature is refused is for the log: a peer only learns that it was.
func (c *conn) open(channel uint32, b []byte) error {
	buf := ua.NewBuffer(b[12:])
	policy := buf.ReadString()
	certificate, thumbprint := buf.ReadBytes(), buf.ReadBytes()
	if buf.Error() != nil {
		return refuse(ua.StatusBadTCPMessageTypeInvalid, "OPN header")
	}
	length := 12 + buf.Pos()
	if channel != c.channel {
		return refuse(ua.StatusBadTCPSecureChannelUnknown, "OPN for channel %d", channel)
	}
	if c.reopens++; c.reopens > maxReopens {
		return refuse(ua.StatusBadTCPNotEnoughResources, "%d channel renewals", maxReopens)
	}
	sec, keys, err := c.srv.accept(policy, certificate, thumbprint, c.nc.RemoteAddr())
	if err != nil {
		return err
	}
	plain, err := keys.Open(b, length)
	if err != nil {
		return refuse(ua.StatusBadSecurityChecksFailed, "OPN")
	}
	request := binary.LittleEndian.Uint32(plain[4:])
	typeID, hdr, body, err := splitRequest(plain[8:])
	if err != nil || typeID != id.OpenSecureChannelRequest_Encoding_DefaultBinary {
		return refuse(ua.StatusBadTCPMessageTypeInvalid, "OPN body")
	}
	buf = ua.NewBuffer(body)
	buf.ReadUint32() // protocol version: 0 is the only one
	kind := ua.SecurityTokenRequestType(buf.ReadUint32())
	sec.mode = ua.MessageSecurityMode(buf.ReadUint32())
	nonce := bytes.Clone(buf.ReadBytes())
	lifetime := buf.ReadUint32()
	if buf.Error() != nil {
		return refuse(ua.StatusBadTCPMessageTypeInvalid, "OPN body")
	}
	if sec.secured() != (keys != nil) || keys == nil && sec.mode != ua.MessageSecurityModeNone {
		return refuse(ua.StatusBadSecurityModeRejected, "security mode %d with policy %s", sec.mode, secure.PolicyName(policy))
	}
	t := &token{}
	lifetime = min(max(lifetime, 10_000), 3_600_000)
	serverNonce := []byte{0} // of no use without encryption, but some clients refuse a null nonce
	if sec.secured() {
		serverNonce = randomBytes(secure.NonceLength)
		if t.keys, err = secure.Symmetric(policy, sec.mode, serverNonce, nonce); err != nil {
			return refuse(ua.StatusBadNonceInvalid, "OPN: %v", err)
		}
		t.ends = time.Now().Add(time.Duration((1 + renewalGrace) * float64(lifetime) * float64(time.Millisecond)))
	}
	switch {
	case kind == ua.SecurityTokenRequestTypeIssue && c.channel == 0:
		c.channel, c.security = c.srv.channelIDs.Add(1), sec
		t.id = randomUint32()
	case kind == ua.SecurityTokenRequestTypeRenew && c.channel != 0:
		if sec.policy != c.security.policy || sec.mode != c.security.mode || !bytes.Equal(sec.certificate, c.security.certificate) {
			return refuse(ua.StatusBadSecurityChecksFailed, "OPN renews another kind of channel")
		}
		t.id = c.tokens[len(c.tokens)-1].id + 1
	default:
		return refuse(ua.StatusBadTCPMessageTypeInvalid, "OPN request type %d on channel %d", kind, c.channel)
	}
	if err := c.inOrder(binary.LittleEndian.Uint32(plain)); err != nil {
		return err
	}
	c.tokens = append(c.tokens, t)
	if len(c.tokens) > 2 { // renewed twice without a message between
		c.tokens = c.tokens[1:]
	}
	resp := &ua.OpenSecureChannelResponse{
		ResponseHeader: header(hdr, ua.StatusOK),
		SecurityToken:  &ua.ChannelSecurityToken{ChannelID: c.channel, TokenID: t.id, CreatedAt: time.Now(), RevisedLifetime: lifetime},
		ServerNonce:    serverNonce,
	}
	encoded, err := encodeResponse(resp)
	if err != nil {
		return err
	}
	head := ua.NewBuffer(nil)
	head.WriteString(policy)
	if keys != nil {
		sum := sha1.Sum(sec.leaf)
		head.WriteByteString(c.srv.cfg.Identity.Certificate)
		head.WriteByteString(sum[:])
	} else {
		head.WriteUint32(0xFFFFFFFF)
		head.WriteUint32(0xFFFFFFFF)
	}
	c.wmu.Lock()
	defer c.wmu.Unlock()
	if c.sending == nil {
		c.sending = t
	}
	return c.writeChunk("OPNF", head.Bytes(), keys, request, encoded)
}

// accept says how a channel of a policy is protected, and with which keys it is opened. Policy None is for discovery alone where it is not offered, see createSession.
func (s *Server) accept(policy string, certificate, thumbprint []byte, from net.Addr) (security, *secure.Keys, error) {
	sec := security{policy: policy, certificate: bytes.Clone(certificate)}
	if policy == ua.SecurityPolicyURINone {
		if len(certificate) > 0 || len(thumbprint) > 0 {
			sec.certificate = nil // some clients show one all the same
		}
		return sec, nil, nil
	}
	own := s.cfg.Identity
	if own == nil {
		return sec, nil, refuse(ua.StatusBadSecurityPolicyRejected, "only security policy None")
	}
	if sum := sha1.Sum(own.Leaf.Raw); !bytes.Equal(sum[:], thumbprint) {
		return sec, nil, refuse(ua.StatusBadCertificateInvalid, "the channel is for another certificate")
	}
	if s.cfg.Trust == nil {
		return sec, nil, refuse(ua.StatusBadSecurityChecksFailed, "certificate")
	}
	host, _, _ := net.SplitHostPort(from.String())
	if s.gate.wait([]string{host}, time.Now()) > 0 { // each refusal costs a look at the trust list and a place among the rejected ones
		return sec, nil, refuse(ua.StatusBadSecurityChecksFailed, "certificate, too soon after others")
	}
	verdict, err := s.cfg.Trust.Check(certificate, pki.Expect{Role: pki.Client, Now: time.Now()})
	if err != nil {
		s.gate.failed([]string{host}, time.Now())
		s.log.Warn("opc ua client refused", "remote", from.String(), "err", err)
		return sec, nil, refuse(ua.StatusBadSecurityChecksFailed, "certificate")
	}
	key, ok := verdict.Leaf.PublicKey.(*rsa.PublicKey)
	if !ok {
		return sec, nil, refuse(ua.StatusBadSecurityChecksFailed, "certificate")
	}
	sec.key, sec.leaf = key, verdict.Leaf.Raw
	keys, err := secure.Asymmetric(policy, own.Key, key)
	if err != nil {
		return sec, nil, refuse(ua.StatusBadSecurityPolicyRejected, "%v", err)
	}
	return sec, keys, nil
}

// algorithms are those by which one side of a secured channel signs outside of messages.
func (s *Server) algorithms(policy string, peer *rsa.PublicKey) (*uapolicy.EncryptionAlgorithm, error) {
	return uapolicy.Asymmetric(policy, s.cfg.Identity.Key, peer)
}

func randomUint32() uint32 {
	var b [4]byte
	rand.Read(b[:])
	return binary.LittleEndian.Uint32(b[:]) &^ (1 << 31)
}
