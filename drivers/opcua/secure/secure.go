// Package secure protects the chunks of an OPC UA secure channel (Part 6, 6.7), for client and server: it signs, encrypts, checks and decrypts
// them by the algorithms of the library, and trusts no length that a peer gives.
//
// The library's own channel is not used. A client of it takes the security policy and the certificate of each OpenSecureChannel answer over
// before it has checked them, so that somebody between client and server can lead it to a channel without any protection; it slices chunks
// by the peer's lengths without a look and decodes them in a goroutine of its own, where one chunk of twenty bytes ends the process.
package secure

import (
	"crypto/rsa"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gopcua/opcua/ua"
	"github.com/gopcua/opcua/uapolicy"
)

// policies are spoken, the strongest first.
var policies = []string{ua.SecurityPolicyURIAes256Sha256RsaPss, ua.SecurityPolicyURIAes128Sha256RsaOaep, ua.SecurityPolicyURIBasic256Sha256}

// Policies are the URIs of the security policies that are spoken, the strongest first, without None. Older ones are broken.
func Policies() []string { return slices.Clone(policies) }

// PolicyURI is the URI of a policy by its short name, such as Basic256Sha256 or None; ok is false for one that is not spoken.
func PolicyURI(name string) (uri string, ok bool) {
	uri = ua.SecurityPolicyURIPrefix + name
	return uri, uri == ua.SecurityPolicyURINone || slices.Contains(policies, uri)
}

// PolicyName is the short name of a policy.
func PolicyName(uri string) string { return strings.TrimPrefix(uri, ua.SecurityPolicyURIPrefix) }

// NonceLength is the length of the nonce of a secured channel, in bytes.
const NonceLength = 32

// ErrChecks is returned for every chunk that does not check, whatever it was: a peer that may guess must not learn more.
var ErrChecks = errors.New("the security checks of a message failed")

// Keys protect what one side sends and check what the other side sends. Its methods may be called from several goroutines. A nil *Keys is
// that of policy None.
type Keys struct {
	a        *uapolicy.EncryptionAlgorithm
	encrypt  bool
	extraOut bool // two bytes tell the length of the padding, because the receiver's key has more than 2048 bits
	extraIn  bool
}

// Asymmetric are the keys of OpenSecureChannel. A chunk is signed with our key and encrypted for the peer's.
func Asymmetric(policyURI string, own *rsa.PrivateKey, peer *rsa.PublicKey) (*Keys, error) {
	if !slices.Contains(policies, policyURI) {
		return nil, fmt.Errorf("security policy %q: %w", PolicyName(policyURI), ua.StatusBadSecurityPolicyRejected)
	}
	if own == nil || peer == nil {
		return nil, fmt.Errorf("security policy %s wants a certificate of both sides", PolicyName(policyURI))
	}
	a, err := uapolicy.Asymmetric(policyURI, own, peer)
	if err != nil {
		return nil, err
	}
	return &Keys{a: a, encrypt: true, extraOut: peer.Size() > 256, extraIn: own.Size() > 256}, nil
}

// Symmetric are the keys of messages, derived from the nonces of OpenSecureChannel.
func Symmetric(policyURI string, mode ua.MessageSecurityMode, own, peer []byte) (*Keys, error) {
	if !slices.Contains(policies, policyURI) {
		return nil, fmt.Errorf("security policy %q: %w", PolicyName(policyURI), ua.StatusBadSecurityPolicyRejected)
	}
	if mode != ua.MessageSecurityModeSign && mode != ua.MessageSecurityModeSignAndEncrypt {
		return nil, fmt.Errorf("security mode %d with policy %s: %w", mode, PolicyName(policyURI), ua.StatusBadSecurityModeRejected)
	}
	if len(own) < NonceLength || len(peer) < NonceLength {
		return nil, fmt.Errorf("nonces of %d and %d bytes, want %d: %w", len(own), len(peer), NonceLength, ua.StatusBadNonceInvalid)
	}
	a, err := uapolicy.Symmetric(policyURI, own, peer)
	if err != nil {
		return nil, err
	}
	return &Keys{a: a, encrypt: mode == ua.MessageSecurityModeSignAndEncrypt}, nil
}

// Room is how many bytes of a message, without its sequence header, fit a chunk of at most size bytes whose headers before the sequence
// header have the given length.
func (k *Keys) Room(size, header int) int {
	const sequence = 8
	if k == nil {
		return size - header - sequence
	}
	if !k.encrypt {
		return size - header - sequence - k.a.SignatureLength()
	}
	return (size-header)/k.a.BlockSize()*k.a.PlaintextBlockSize() - sequence - k.a.SignatureLength() - k.paddingBytes(k.extraOut)
}

func (k *Keys) paddingBytes(extra bool) int {
	if extra {
		return 2
	}
	return 1
}

// Seal signs a chunk and encrypts what follows its first header bytes. The chunk is the message header, whose size field is set, the security
// header, the sequence header and the body. It may be changed; use what is returned.
func (k *Keys) Seal(chunk []byte, header int) ([]byte, error) {
	if k == nil {
		binary.LittleEndian.PutUint32(chunk[4:], uint32(len(chunk)))
		return chunk, nil
	}
	total := len(chunk) + k.a.SignatureLength()
	if k.encrypt {
		n := k.paddingBytes(k.extraOut)
		block := k.a.PlaintextBlockSize()
		pad := (block - (total-header+n)%block) % block
		for range pad + 1 {
			chunk = append(chunk, byte(pad))
		}
		if k.extraOut {
			chunk = append(chunk, byte(pad>>8))
		}
		total = header + (len(chunk)-header+k.a.SignatureLength())/block*k.a.BlockSize()
	}
	binary.LittleEndian.PutUint32(chunk[4:], uint32(total))
	signature, err := k.a.Signature(chunk)
	if err != nil {
		return nil, fmt.Errorf("sign a message: %w", err)
	}
	chunk = append(chunk, signature...)
	if !k.encrypt {
		return chunk, nil
	}
	sealed, err := k.a.Encrypt(chunk[header:])
	if err != nil {
		return nil, fmt.Errorf("encrypt a message: %w", err)
	}
	return append(chunk[:header], sealed...), nil
}

// Open returns the sequence header and the body of a chunk that the peer sealed, or ErrChecks. It does not change the chunk.
func (k *Keys) Open(chunk []byte, header int) ([]byte, error) {
	const sequence = 8
	if len(chunk) < header+sequence {
		return nil, ErrChecks
	}
	if k == nil {
		return chunk[header:], nil
	}
	plain := chunk
	if k.encrypt {
		p, err := k.a.Decrypt(chunk[header:])
		if err != nil {
			return nil, ErrChecks
		}
		plain = append(slices.Clip(chunk[:header]), p...)
	}
	end := len(plain) - k.a.RemoteSignatureLength()
	if end < header+sequence || k.a.VerifySignature(plain[:end], plain[end:]) != nil {
		return nil, ErrChecks
	}
	if k.encrypt {
		n := k.paddingBytes(k.extraIn)
		pad := int(plain[end-1])
		if k.extraIn {
			pad = pad<<8 | int(plain[end-2])
		}
		end -= pad + n
	}
	if end < header+sequence {
		return nil, ErrChecks
	}
	return plain[header:end], nil
}
