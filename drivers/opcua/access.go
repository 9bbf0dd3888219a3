package opcua

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers/opcua/pki"
	"quartier/drivers/opcua/secure"
)

// Access is how a server is entered. The zero value is anonymous, by the strongest policy that the server offers with SignAndEncrypt, and
// without protection to a server on loopback. It may be compared.
type Access struct {
	Policy       string        // short name: None, Basic256Sha256, Aes128_Sha256_RsaOaep, Aes256_Sha256_RsaPss; empty: see above
	Mode         string        // Sign or SignAndEncrypt; empty: SignAndEncrypt. None has no mode.
	User         string        // empty: anonymous, or by UserIdentity
	Password     string        // it is sent encrypted, or to a server on loopback; it is never logged
	UserIdentity *pki.Identity // a user's certificate with its key, in place of a user name
	NoHistory    bool          // gaps are not filled from the server's history
}

// String names how a server is entered, without the secret.
func (a Access) String() string {
	policy, who := a.Policy, "anonymous"
	if policy == "" {
		policy = "the strongest policy"
	}
	switch {
	case a.User != "":
		who = fmt.Sprintf("user %q", a.User)
	case a.UserIdentity != nil:
		who = "certificate " + a.UserIdentity.Thumbprint()
	}
	return fmt.Sprintf("%s %s, %s", policy, a.Mode, who)
}

// LogValue is String, so that no log has the secret.
func (a Access) LogValue() slog.Value { return slog.StringValue(a.String()) }

// GoString is String, so that no %#v has the secret.
func (a Access) GoString() string { return a.String() }

// Check returns an error for what does not fit together, or does not fit an address and a configuration.
func (a Access) Check(address string, config Config) error {
	if _, err := hostOf(address); err != nil {
		return err
	}
	uri, ok := secure.PolicyURI(a.Policy)
	switch {
	case a.Policy != "" && !ok:
		return fmt.Errorf("opcua: security policy %q is none of %s", a.Policy, strings.Join(policyNames(), ", "))
	case a.Mode != "" && a.Mode != "Sign" && a.Mode != "SignAndEncrypt":
		return fmt.Errorf("opcua: security mode %q is neither Sign nor SignAndEncrypt", a.Mode)
	case a.Mode != "" && uri == ua.SecurityPolicyURINone:
		return fmt.Errorf("opcua: security policy None has no mode %s", a.Mode)
	case a.User != "" && a.UserIdentity != nil:
		return errors.New("opcua: a user name and a user's certificate are given: one of them")
	case a.User == "" && a.Password != "":
		return errors.New("opcua: a password without a user name")
	case !a.Open(address) && (config.Identity == nil || config.Trust == nil):
		return fmt.Errorf("opcua: address %q: a secured connection wants a certificate of our own and a trust list", address)
	}
	return nil
}

// Open reports whether a connection to an address has no protection, and needs no certificate and no trust list.
func (a Access) Open(address string) bool {
	return a.Policy == "None" || a.Policy == "" && onLoopback(address)
}

func policyNames() []string {
	out := []string{"None"}
	for _, p := range secure.Policies() {
		out = append(out, secure.PolicyName(p))
	}
	return out
}

func (a Access) mode() ua.MessageSecurityMode {
	if a.Mode == "Sign" {
		return ua.MessageSecurityModeSign
	}
	return ua.MessageSecurityModeSignAndEncrypt
}

// CheckAddress returns an error for an address that is no opc.tcp://host:port, with or without a path.
func CheckAddress(address string) error {
	_, err := hostOf(address)
	return err
}

// hostOf returns host:port of an address.
func hostOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "opc.tcp" || u.Hostname() == "" || u.Port() == "" || u.User != nil {
		return "", fmt.Errorf("opcua: address %q: want opc.tcp://host:port", address)
	}
	return u.Host, nil
}

func onLoopback(address string) bool {
	host, _ := hostOf(address)
	name, _, _ := net.SplitHostPort(host)
	ip := net.ParseIP(name)
	return name == "localhost" || ip != nil && ip.IsLoopback()
}

// rank orders endpoints: a larger one protects better; 0 is not spoken, or not wanted.
func (a Access) rank(e *ua.EndpointDescription, open bool) int {
	if e == nil || e.TransportProfileURI != "" && !strings.HasSuffix(e.TransportProfileURI, "uatcp-uasc-uabinary") {
		return 0
	}
	if open {
		if e.SecurityPolicyURI == ua.SecurityPolicyURINone && e.SecurityMode == ua.MessageSecurityModeNone {
			return 1
		}
		return 0
	}
	i := slices.Index(secure.Policies(), e.SecurityPolicyURI)
	if i < 0 || e.SecurityMode != a.mode() || a.Policy != "" && secure.PolicyName(e.SecurityPolicyURI) != a.Policy {
		return 0
	}
	return len(secure.Policies()) - i
}

// choose returns the best endpoint that fits.
func (a Access) choose(endpoints []*ua.EndpointDescription, open bool) (*ua.EndpointDescription, error) {
	var best *ua.EndpointDescription
	var offers []string
	for _, e := range endpoints {
		if e == nil {
			continue
		}
		if a.rank(e, open) > a.rank(best, open) {
			best = e
		}
		if len(offers) < 20 {
			offers = append(offers, fmt.Sprintf("%.40q %s", secure.PolicyName(e.SecurityPolicyURI), modeName(e.SecurityMode)))
		}
	}
	if best == nil {
		want := "policy None"
		if !open {
			want = a.Policy
			if want == "" {
				want = strings.Join(policyNames()[1:], " or ")
			}
			want += " with " + modeName(a.mode())
		}
		return nil, fmt.Errorf("the server offers [%s], wanted is %s: %w", strings.Join(offers, ", "), want, ua.StatusBadSecurityPolicyRejected)
	}
	return best, nil
}

// token returns the server's policy for the identity that is to be shown, the best protected one. protection is the URI under which a secret
// of it is encrypted, None for not at all.
func (a Access) token(e *ua.EndpointDescription) (t *ua.UserTokenPolicy, protection string, err error) {
	want := ua.UserTokenTypeAnonymous
	switch {
	case a.User != "":
		want = ua.UserTokenTypeUserName
	case a.UserIdentity != nil:
		want = ua.UserTokenTypeCertificate
	}
	best := -1
	for _, p := range e.UserIdentityTokens {
		if p == nil || p.TokenType != want {
			continue
		}
		uri := p.SecurityPolicyURI
		if uri == "" {
			uri = e.SecurityPolicyURI
		}
		rank := -1
		if i := slices.Index(secure.Policies(), uri); i >= 0 {
			rank = len(secure.Policies()) - i
		} else if uri == ua.SecurityPolicyURINone || want == ua.UserTokenTypeAnonymous {
			rank = 0
		}
		if rank > best {
			best, t, protection = rank, p, uri
		}
	}
	if t == nil {
		kind := map[ua.UserTokenType]string{ua.UserTokenTypeAnonymous: "anonymous", ua.UserTokenTypeUserName: "by user name", ua.UserTokenTypeCertificate: "by certificate"}[want]
		return nil, "", fmt.Errorf("the server lets nobody in %s: %w", kind, ua.StatusBadIdentityTokenRejected)
	}
	return t, protection, nil
}
