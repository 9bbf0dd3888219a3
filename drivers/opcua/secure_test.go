package opcua_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"

	"quartier/drivers"
	"quartier/drivers/drivertest"
	"quartier/drivers/foreign"
	"quartier/drivers/opcua"
	"quartier/drivers/opcua/pki"
	"quartier/schemas/district"
)

const plantURI = "urn:quartier:test:plant"

func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func identity(t testing.TB, uri string, made time.Time, valid time.Duration) *pki.Identity {
	t.Helper()
	id, err := pki.NewIdentity(pki.Application{Name: "test", URI: uri, Hosts: []string{"127.0.0.1", "localhost"}, Validity: valid}, made)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// savePEM writes an identity as node-opcua wants it, and returns its files.
func savePEM(t testing.TB, id *pki.Identity) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := id.Save(filepath.Join(dir, "cert.der"), key); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: id.Certificate}), 0o644); err != nil {
		t.Fatal(err)
	}
	return cert, key
}

// plant is a secured server of node-opcua.
type plant struct {
	port     int
	folder   string
	identity *pki.Identity
	user     *pki.Identity // whose certificate it takes
	process  *foreign.Process
}

const goodUser, goodPassword = "operator", "pässword-1"

func newPlant(t testing.TB, id *pki.Identity) *plant {
	t.Helper()
	p := &plant{port: freePort(t), folder: t.TempDir(), identity: id, user: identity(t, "urn:user", time.Now(), 0)}
	trusted := filepath.Join(p.folder, "users", "trusted", "certs")
	if err := os.MkdirAll(trusted, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(trusted, "user.der"), p.user.Certificate, 0o644); err != nil {
		t.Fatal(err)
	}
	p.start(t)
	return p
}

func (p *plant) start(t testing.TB) {
	t.Helper()
	cert, key := savePEM(t, p.identity)
	p.process = foreign.Start(t, "opcua-server.mjs", "--secure", cert, key, plantURI, "--user", goodUser, goodPassword, strconv.Itoa(p.port), p.folder, writableURI)
	p.process.Await("listening", 2*time.Minute, nil)
}

func (p *plant) address() string { return fmt.Sprintf("opc.tcp://127.0.0.1:%d", p.port) }

// secured is the configuration of a client that trusts the given servers.
func secured(t testing.TB, trust ...*pki.Identity) opcua.Config {
	t.Helper()
	store, err := pki.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range trust {
		if err := store.Trust(id.Leaf); err != nil {
			t.Fatal(err)
		}
	}
	cfg := quick(t)
	cfg.Heartbeat, cfg.Trust, cfg.Identity = time.Second, store, clientIdentity(t)
	return cfg
}

var clientOnce = sync.OnceValues(func() (*pki.Identity, error) {
	return pki.NewIdentity(pki.Application{Name: "Quartier", URI: "urn:test:quartier"}, time.Now())
})

func clientIdentity(t testing.TB) *pki.Identity {
	id, err := clientOnce()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func enter(t testing.TB, address string, access opcua.Access, cfg opcua.Config) *opcua.Device {
	t.Helper()
	d, err := opcua.Open(district.Device{ID: "secured", Address: address}, writableProfile(t), access, cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d
}

// TestSecurityMatrix drives node-opcua with every policy and mode as anonymous, as the right and the wrong user by name and by certificate:
// the right ones read and write, the wrong ones are told so, and no password is ever in the log.
func TestSecurityMatrix(t *testing.T) {
	t.Parallel()
	p := newPlant(t, identity(t, plantURI, time.Now(), 0))
	stranger := identity(t, "urn:user", time.Now(), 0)
	for _, policy := range []string{"None", "Basic256Sha256", "Aes128_Sha256_RsaOaep", "Aes256_Sha256_RsaPss"} {
		for _, mode := range []string{"", "Sign", "SignAndEncrypt"} {
			if (policy == "None") != (mode == "") {
				continue
			}
			for _, who := range []struct {
				name   string
				access opcua.Access
				want   ua.StatusCode
			}{
				{"anonymous", opcua.Access{}, ua.StatusOK},
				{"user", opcua.Access{User: goodUser, Password: goodPassword}, ua.StatusOK},
				{"wrong password", opcua.Access{User: goodUser, Password: "wrong-" + goodPassword}, ua.StatusBadUserAccessDenied},
				{"wrong user", opcua.Access{User: "nobody", Password: goodPassword}, ua.StatusBadUserAccessDenied},
				{"user certificate", opcua.Access{UserIdentity: p.user}, ua.StatusOK},
				{"wrong user certificate", opcua.Access{UserIdentity: stranger}, ua.StatusBadIdentityTokenRejected},
			} {
				t.Run(strings.Join([]string{policy, mode, who.name}, "/"), func(t *testing.T) {
					cfg := secured(t, p.identity)
					var log bytes.Buffer
					cfg.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
					who.access.Policy, who.access.Mode = policy, mode
					d := enter(t, p.address(), who.access, cfg)
					got, err := d.Read(within(t), "power_kw")
					if who.want != ua.StatusOK {
						if !errors.Is(err, who.want) || len(got) != 0 {
							t.Errorf("Read = %v, %v, want %v", got, err, who.want)
						}
					} else if err != nil || got[0].Value != -1.5 {
						t.Errorf("Read = %+v, %v", got, err)
					} else if r, err := d.Write(within(t), "demand_kw", -1.25); err != nil || r.Value != -1.25 {
						t.Errorf("Write = %+v, %v", r, err)
					}
					d.Close()
					if text := log.String() + fmt.Sprintf("%v %+v %#v %v", who.access, who.access, who.access, err); strings.Contains(text, "ssword-1") {
						t.Errorf("the password is in the log or the error: %s", text)
					}
				})
			}
		}
	}
}

// TestServerCertificates: a server is entered only with a certificate that is trusted, valid and its own; a refused one is kept, and accepting
// it is enough for the connection to come about, without a restart; taking it back ends the connection.
func TestServerCertificates(t *testing.T) {
	t.Parallel()
	good := identity(t, plantURI, time.Now(), 0)
	p := newOther(t, good, 0)
	cfg := secured(t)
	access := opcua.Access{Policy: "Basic256Sha256", User: goodUser, Password: goodPassword}
	d := enter(t, p.address(), access, cfg)
	if _, err := d.Read(within(t), "power_kw"); !errors.Is(err, ua.StatusBadCertificateUntrusted) || !errors.Is(err, drivers.ErrUnreachable) {
		t.Fatalf("Read of a stranger = %v", err)
	}
	stranger, err := cfg.Trust.Find(good.Thumbprint()[:10], pki.Rejected)
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Trust.Trust(stranger); err != nil {
		t.Fatal(err)
	}
	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "value after the trust", "power_kw", is(-1.5))
	if err := cfg.Trust.Revoke(stranger); err != nil {
		t.Fatal(err)
	}
	in.await(t, "mark of the gap", "power_kw", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
	if _, err := d.Read(within(t), "power_kw"); !errors.Is(err, ua.StatusBadCertificateUntrusted) {
		t.Errorf("Read after the trust was taken back = %v", err)
	}
	p.process.Kill()

	for _, tt := range []struct {
		name string
		id   *pki.Identity
		want ua.StatusCode
	}{
		{"expired", identity(t, plantURI, time.Now().Add(-48*time.Hour), 24*time.Hour), ua.StatusBadCertificateTimeInvalid},
		{"not yet valid", identity(t, plantURI, time.Now().Add(48*time.Hour), 0), ua.StatusBadCertificateTimeInvalid},
		{"of another application", identity(t, "urn:another", time.Now(), 0), ua.StatusBadCertificateURIInvalid},
	} {
		cfg := secured(t, tt.id, good)
		p.identity = tt.id
		p.start(t, 0)
		d := enter(t, p.address(), access, cfg)
		if _, err := d.Read(within(t), "power_kw"); !errors.Is(err, tt.want) {
			t.Errorf("%s: Read = %v, want %v", tt.name, err, tt.want)
		}
		d.Close()
		p.process.Kill()
	}
}

// TestSecuredRestart: a server that is killed and comes back has new keys; the subscription goes on.
func TestSecuredRestart(t *testing.T) {
	t.Parallel()
	p := newOther(t, identity(t, plantURI, time.Now(), 0), 0)
	cfg := secured(t, p.identity)
	line := drivertest.NewProxy(t, fmt.Sprintf("127.0.0.1:%d", p.port))
	d := enter(t, "opc.tcp://"+line.Addr(), opcua.Access{Policy: "Aes256_Sha256_RsaPss", User: goodUser, Password: goodPassword}, cfg)
	var in inbox
	subscribe(t, d, in.deliver)
	in.await(t, "first value", "power_kw", is(-1.5))
	for i := range 2 {
		p.process.Kill()
		in.await(t, "mark of the gap", "power_kw", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
		p.start(t, 0)
		in.await(t, "value of the new server", "power_kw", is(-1.5))
		p.process.Send("set Power " + strconv.Itoa(4000+i))
		in.await(t, "change on the new server", "power_kw", func(r drivers.Reading) bool { return math.Abs(r.Value+4+float64(i)/1000) < 1e-9 })
	}
	line.Set(drivertest.Cut)
	in.await(t, "mark of the gap", "power_kw", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
	line.Set(drivertest.Through)
	in.await(t, "value after the reset", "power_kw", is(-4.001))
}

// TestCertificateEndsWhileRunning: a server whose certificate ends is left at its end, with an error that says so, and entered again by itself once it shows another one that is trusted.
func TestCertificateEndsWhileRunning(t *testing.T) {
	t.Parallel()
	old := identity(t, plantURI, time.Now().Add(-24*time.Hour), 24*time.Hour+12*time.Second)
	next := identity(t, plantURI, time.Now(), 0)
	p := newOther(t, old, 0)
	cfg := secured(t, old, next)
	d := enter(t, p.address(), opcua.Access{Policy: "Basic256Sha256", User: goodUser, Password: goodPassword}, cfg)
	var in inbox
	subscribe(t, d, in.deliver)
	if time.Until(old.Leaf.NotAfter) > 2*time.Second { // otherwise the machine was so slow that it has ended already
		in.await(t, "first value", "power_kw", is(-1.5))
	}
	in.await(t, "mark of the gap", "power_kw", func(r drivers.Reading) bool { return r.Quality == district.Uncertain })
	if left := time.Until(old.Leaf.NotAfter); left > 0 {
		t.Errorf("left %v before its certificate ends", left)
	}
	_, err := d.Read(within(t), "power_kw")
	if !errors.Is(err, ua.StatusBadCertificateTimeInvalid) || !errors.Is(err, drivers.ErrUnreachable) || !strings.Contains(err.Error(), "expired "+old.Leaf.NotAfter.UTC().Format(time.RFC3339)) {
		t.Errorf("Read after the end of the certificate = %v", err)
	}
	p.process.Kill()
	p.identity = next
	p.start(t, 0)
	in.await(t, "value under the new certificate", "power_kw", is(-1.5))
}

// TestDiscover: a server tells how it may be entered.
func TestDiscover(t *testing.T) {
	t.Parallel()
	p := newOther(t, identity(t, plantURI, time.Now(), 0), 0)
	got, err := opcua.Discover(within(t), p.address())
	if err != nil || len(got) != 7 {
		t.Fatalf("Discover = %d endpoints, %v, want 7", len(got), err)
	}
	for _, e := range got {
		if e.Application != plantURI || !bytes.Equal(e.Certificate, p.identity.Certificate) || !e.Spoken || !strings.Contains(strings.Join(e.Users, ","), "user name") {
			t.Errorf("endpoint %+v", e)
		}
	}
	if _, err := opcua.Discover(within(t), "opc.tcp://127.0.0.1:1"); !errors.Is(err, drivers.ErrUnreachable) {
		t.Errorf("Discover of nobody = %v", err)
	}
}

// TestScan: the tree of a foreign server shows its nodes by names, ids without an index, types and values.
func TestScan(t *testing.T) {
	t.Parallel()
	p := newOther(t, identity(t, plantURI, time.Now(), 0), 0)
	found := map[string]opcua.Node{}
	more, err := opcua.Scan(within(t), p.address(), opcua.Access{Policy: "Basic256Sha256", Mode: "Sign"}, secured(t, p.identity), func(n opcua.Node) bool {
		found[n.Name] = n
		return true
	})
	if err != nil || more {
		t.Fatalf("Scan = more %v, %v", more, err)
	}
	for name, want := range map[string]opcua.Node{
		"Plant": {Namespace: writableURI},
		"Power": {Depth: 1, ID: "s=Power", Namespace: writableURI, Variable: true, Type: "Double", Value: "1500", Quality: "good", Writable: true},
		"Mode":  {Depth: 1, ID: "s=Mode", Namespace: writableURI, Variable: true, Type: "Int16", Value: "1", Quality: "good", Writable: true},
	} {
		got := found[name]
		want.Name = name
		if name == "Plant" {
			want.ID = got.ID
		}
		if got != want {
			t.Errorf("%s = %+v, want %+v", name, got, want)
		}
	}
	n := 0
	if _, err := opcua.Scan(within(t), p.address(), opcua.Access{}, secured(t), func(opcua.Node) bool { n++; return n < 3 }); err != nil || n != 3 {
		t.Errorf("a scan that was stopped after 3 nodes showed %d, %v", n, err)
	}
}
