package secure_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"encoding/binary"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/secure"
)

var keys = sync.OnceValue(func() (k [2]*rsa.PrivateKey) {
	k[0], _ = rsa.GenerateKey(rand.Reader, 2048)
	k[1], _ = rsa.GenerateKey(rand.Reader, 3072) // its receivers tell the padding in two bytes
	return k
})

// pair are the keys of both sides of a channel.
type pair struct {
	name      string
	ours, his *secure.Keys
}

func pairs(t testing.TB) []pair {
	out := []pair{{"None", nil, nil}}
	must := func(k *secure.Keys, err error) *secure.Keys {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	a, b := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	for _, p := range secure.Policies() {
		name := secure.PolicyName(p)
		out = append(out, pair{name + " open", must(secure.Asymmetric(p, keys()[0], &keys()[1].PublicKey)), must(secure.Asymmetric(p, keys()[1], &keys()[0].PublicKey))})
		for _, mode := range []ua.MessageSecurityMode{ua.MessageSecurityModeSign, ua.MessageSecurityModeSignAndEncrypt} {
			out = append(out, pair{name + " " + mode.String(), must(secure.Symmetric(p, mode, a, b)), must(secure.Symmetric(p, mode, b, a))})
		}
	}
	return out
}

const header = 16

func chunk(body int) []byte {
	b := append([]byte("MSGF"), make([]byte, header-4+8+body)...)
	for i := range b[header+8:] {
		b[header+8+i] = byte(i)
	}
	return b
}

// TestSealAndOpen: what one side seals the other opens, in both directions and at every length around the blocks; the size is in the header,
// and a body of Room bytes fits the chunk and one more block of bytes does not.
func TestSealAndOpen(t *testing.T) {
	for _, p := range pairs(t) {
		t.Run(p.name, func(t *testing.T) {
			for body := range 300 {
				if body > 40 && body < 250 || strings.HasSuffix(p.name, "open") && body%25 != 0 { // a private key's work each
					continue
				}
				for _, k := range [][2]*secure.Keys{{p.ours, p.his}, {p.his, p.ours}} {
					plain := chunk(body)
					want := bytes.Clone(plain[header:])
					sealed, err := k[0].Seal(plain, header)
					if err != nil {
						t.Fatal(err)
					}
					if n := binary.LittleEndian.Uint32(sealed[4:]); int(n) != len(sealed) {
						t.Fatalf("the header tells %d bytes of %d", n, len(sealed))
					}
					before := bytes.Clone(sealed)
					got, err := k[1].Open(sealed, header)
					if err != nil || !bytes.Equal(got, want) {
						t.Fatalf("body of %d bytes: Open = %d bytes, %v", body, len(got), err)
					}
					if !bytes.Equal(before, sealed) {
						t.Fatal("Open changed the chunk")
					}
				}
			}
			for _, size := range []int{8192, 65535} {
				room := p.ours.Room(size, header)
				if sealed, err := p.ours.Seal(chunk(room), header); err != nil || len(sealed) > size {
					t.Errorf("a body of Room(%d) = %d makes a chunk of %d bytes, %v", size, room, len(sealed), err)
				}
				if room < size/2 {
					t.Errorf("Room(%d) = %d", size, room)
				}
			}
		})
	}
}

// TestEveryBitIsProtected: a chunk of which one bit changed, or that lost its end, does not open.
func TestEveryBitIsProtected(t *testing.T) {
	for _, p := range pairs(t)[1:] {
		sealed, err := p.ours.Seal(chunk(100), header)
		if err != nil {
			t.Fatal(err)
		}
		step := 1
		if len(sealed) > 300 { // a private key's work each
			step = 37
		}
		for i := 0; i < len(sealed); i += step {
			bad := bytes.Clone(sealed)
			bad[i] ^= 1 << (i % 8)
			if _, err := p.his.Open(bad, header); err == nil {
				t.Fatalf("%s: a change of byte %d was not seen", p.name, i)
			}
			if _, err := p.his.Open(sealed[:i], header); err == nil {
				t.Fatalf("%s: the first %d bytes opened", p.name, i)
			}
		}
	}
}

// TestRefused: broken policies, modes that do not fit and short nonces make no keys.
func TestRefused(t *testing.T) {
	n := make([]byte, 32)
	for _, p := range []string{ua.SecurityPolicyURINone, ua.SecurityPolicyURIBasic128Rsa15, ua.SecurityPolicyURIBasic256, "", "x"} {
		if _, err := secure.Asymmetric(p, keys()[0], &keys()[0].PublicKey); err == nil {
			t.Errorf("policy %q opens a channel", p)
		}
		if _, err := secure.Symmetric(p, ua.MessageSecurityModeSign, n, n); err == nil {
			t.Errorf("policy %q has keys", p)
		}
	}
	p := ua.SecurityPolicyURIBasic256Sha256
	for _, mode := range []ua.MessageSecurityMode{ua.MessageSecurityModeNone, ua.MessageSecurityModeInvalid, 7} {
		if _, err := secure.Symmetric(p, mode, n, n); err == nil {
			t.Errorf("mode %d has keys", mode)
		}
	}
	if _, err := secure.Symmetric(p, ua.MessageSecurityModeSign, n, nil); err == nil {
		t.Error("an empty nonce makes keys")
	}
	if _, err := secure.Asymmetric(p, keys()[0], nil); err == nil {
		t.Error("no peer's key makes keys")
	}
}

// FuzzOpen: no bytes make Open panic, and only None takes what nobody sealed.
func FuzzOpen(f *testing.F) {
	all := pairs(f)
	for i := range all {
		sealed, err := all[i].ours.Seal(chunk(20), header)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(uint8(i), sealed[:len(sealed)-1])
	}
	f.Fuzz(func(t *testing.T, which uint8, b []byte) {
		p := all[int(which)%len(all)]
		if _, err := p.his.Open(b, header); err == nil && p.his != nil {
			t.Error(fmt.Sprint(p.name, ": opened"))
		}
	})
}
