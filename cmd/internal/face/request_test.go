package face

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"quartier/drivers/foreign"
)

// book keeps requests as the scheduler does, without lapse.
type book struct {
	mu    sync.Mutex
	force map[string]float64
	asked []Ask
	fail  error
}

func (b *book) Ask(_ context.Context, asks []Ask) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail != nil {
		return b.fail
	}
	for _, a := range asks {
		b.asked = append(b.asked, a)
		if b.force[a.Variable.Name] = a.Value; math.IsNaN(a.Value) {
			delete(b.force, a.Variable.Name)
		}
	}
	return nil
}

func (b *book) InForce() map[string]float64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.force)
}

func newBook() *book { return &book{force: map[string]float64{}} }

// reply is a line of modbus-requests.mjs.
type reply struct {
	Connected bool
	Values    []*float64
	Code      int
	Error     string
}

type caller struct {
	t *testing.T
	p *foreign.Process
}

// call starts modbus-serial against a server of the face; connected is false when it was refused.
func call(t *testing.T, url string, files ...string) (c caller, connected bool) {
	t.Helper()
	_, hostport, _ := strings.Cut(url, "://")
	host, port, err := net.SplitHostPort(hostport)
	if err != nil {
		t.Fatal(err)
	}
	c = caller{t, foreign.Start(t, "modbus-requests.mjs", append([]string{host, port, "1"}, files...)...)}
	return c, c.next().Connected
}

func (c caller) next() (a reply) {
	c.t.Helper()
	if !c.p.Next(&a, time.Minute) {
		c.t.Fatal("modbus-serial told nothing")
	}
	return a
}

func (c caller) send(format string, args ...any) reply {
	c.t.Helper()
	c.p.Send(fmt.Sprintf(format, args...))
	return c.next()
}

// withControl are the test districts with a battery under control.
func withControl(c *Config) {
	c.OPCUA.Listen = ""
	c.Districts[0].Sites[0].Devices[2].Control = true
}

// TestModbusRequests: a client of modbus-serial asks for limits, comfort and availability, reads them back at once, and withdraws them. What is out of range, half, read-only or not a
// request is refused and changes nothing.
func TestModbusRequests(t *testing.T) {
	b := newBook()
	f, err := startFace(t, "", func(c *Config) {
		withControl(c)
		c.Requests, c.ModbusClients = b, []Client{{Network: netip.MustParsePrefix("127.0.0.1/32"), Requests: true}}
	})
	if err != nil {
		t.Fatal(err)
	}
	m := f.Model()
	at := func(name string) int { return int(m.Variable(name).Register) }
	site, dev := at("fontaine/ecole/import_limit_request_kw"), at("fontaine/ecole/bat/available_request")
	if site != 1080 || at("fontaine/ecole/comfort_request_k") != 1084 || at("fontaine/ecole/absence_request_k") != 1086 || at("fontaine/ecole/bat/lock_out_request") != dev+2 || at("fontaine/import_limit_request_kw") != 360 || dev != devicesAt+3*deviceStride+64 {
		t.Errorf("registers %d %d", site, dev)
	}
	c, ok := call(t, f.Addresses().Modbus)
	if !ok {
		t.Fatal("not connected")
	}
	for _, tt := range []struct {
		what   string
		line   string
		code   int
		change map[string]float64 // what is in force afterwards; nil: as before
	}{
		{"a limit", `{"write":1080,"values":[60.5]}`, 0, map[string]float64{"fontaine/ecole/import_limit_request_kw": 60.5}},
		{"limits and comfort at once", `{"write":1080,"values":[50,20,-1.5]}`, 0, map[string]float64{"fontaine/ecole/import_limit_request_kw": 50, "fontaine/ecole/export_limit_request_kw": 20, "fontaine/ecole/comfort_request_k": -1.5}},
		{"above the connection", `{"write":1080,"values":[121]}`, 3, nil},
		{"below zero", `{"write":1080,"values":[-1]}`, 3, nil},
		{"one of three out of range", `{"write":1080,"values":[1,1,9]}`, 3, nil},
		{"infinite", `{"write":1080,"values":[1e39]}`, 3, nil},
		{"half a value", `{"one":1080,"value":1}`, 2, nil},
		{"from the middle of a value", `{"write":1081,"values":[1]}`, 2, nil},
		{"beyond the requests", `{"write":1086,"values":[1,1]}`, 2, nil},
		{"a measurement", `{"write":1048,"values":[1]}`, 2, nil},
		{"the heading", `{"write":0,"values":[1]}`, 2, nil},
		{"more absent than may be", `{"write":1086,"values":[10.5]}`, 3, nil},
		{"limits, comfort and absence at once", `{"write":1080,"values":[50,20,-1.5,3]}`, 0, map[string]float64{"fontaine/ecole/import_limit_request_kw": 50, "fontaine/ecole/export_limit_request_kw": 20, "fontaine/ecole/comfort_request_k": -1.5, "fontaine/ecole/absence_request_k": 3}},
		{"withdrawn", `{"write":1080,"values":[null,null,null,null]}`, 0, map[string]float64{}},
		{"a lock-out is 0 or 1", fmt.Sprintf(`{"write":%d,"values":[0.5]}`, dev+2), 3, nil},
		{"locked out", fmt.Sprintf(`{"write":%d,"values":[1]}`, dev+2), 0, map[string]float64{"fontaine/ecole/bat/lock_out_request": 1}},
		{"let go", fmt.Sprintf(`{"write":%d,"values":[null]}`, dev+2), 0, map[string]float64{}},
		{"available is 0 or 1", fmt.Sprintf(`{"write":%d,"values":[0.5]}`, dev), 3, nil},
		{"not available", fmt.Sprintf(`{"write":%d,"values":[0]}`, dev), 0, map[string]float64{"fontaine/ecole/bat/available_request": 0}},
		{"the end of the range", `{"write":360,"values":[900]}`, 0, map[string]float64{"fontaine/ecole/bat/available_request": 0, "fontaine/import_limit_request_kw": 900}},
	} {
		before := b.InForce()
		if a := c.send("%s", tt.line); a.Code != tt.code || a.Error != "" {
			t.Errorf("%s: %+v, want code %d", tt.what, a, tt.code)
		}
		if tt.change == nil {
			tt.change = before
		}
		if got := b.InForce(); !maps.Equal(got, tt.change) {
			t.Errorf("%s: in force %v, want %v", tt.what, got, tt.change)
		}
		for _, v := range m.Variables {
			if !v.Writable || v.District != "fontaine" {
				continue
			}
			want, asked := tt.change[v.Name]
			if got := c.send(`{"read":%d,"count":1}`, v.Register).Values; len(got) != 1 || (got[0] != nil) != asked || asked && *got[0] != want {
				t.Errorf("%s: %s reads back %v, want %g, %v", tt.what, v.Name, got, want, asked)
			}
		}
	}
	first := b.asked[0]
	if first.Actor != "modbus 127.0.0.1" || !strings.HasPrefix(first.Remote, "127.0.0.1:") {
		t.Errorf("the first request is of %q at %q", first.Actor, first.Remote)
	}
	b.fail = errors.New("no")
	if a := c.send(`{"write":1080,"values":[50]}`); a.Code != 4 {
		t.Errorf("a request that cannot be taken: %+v, want exception 4", a)
	}
	b.fail = nil
	busy := 0
	for range 2 * askBurst {
		if c.send(`{"write":1080,"values":[50]}`).Code == 6 {
			busy++
		}
	}
	if busy == 0 {
		t.Error("a flood of requests was taken")
	}
}

// TestMbpoll: mbpoll (libmodbus) writes a request as a float with the high word first and reads it back.
func TestMbpoll(t *testing.T) {
	path, err := exec.LookPath("mbpoll")
	if err != nil {
		t.Fatal("mbpoll, an independent Modbus client, is not installed: run make setup")
	}
	b := newBook()
	f, err := startFace(t, "", func(c *Config) {
		withControl(c)
		c.Requests, c.ModbusClients = b, []Client{{Network: netip.MustParsePrefix("127.0.0.1/32"), Requests: true}}
	})
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(strings.TrimPrefix(f.Addresses().Modbus, "tcp://"))
	run := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), path, append([]string{"-m", "tcp", "-p", port, "-a", "1", "-0", "-1", "-q", "-o", "10", "-t", "4:float", "-B", "-r", "1080"}, args...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := run("127.0.0.1", "42.5"); err != nil || b.InForce()["fontaine/ecole/import_limit_request_kw"] != 42.5 {
		t.Errorf("write: %v, in force %v\n%s", err, b.InForce(), out)
	}
	if out, err := run("-c", "1", "127.0.0.1"); err != nil || !strings.Contains(out, "42.5") {
		t.Errorf("read: %v\n%s", err, out)
	}
	if out, err := run("127.0.0.1", "--", "500"); err == nil || !strings.Contains(out, "Illegal data value") {
		t.Errorf("beyond the connection's limit: %v\n%s", err, out)
	}
}

// TestModbusRequestsNeedTheList: who is not on the list reads, and is refused every write.
func TestModbusRequestsNeedTheList(t *testing.T) {
	b := newBook()
	f, err := startFace(t, "", func(c *Config) {
		withControl(c)
		c.Requests = b
		c.ModbusClients = []Client{{Network: netip.MustParsePrefix("127.0.0.1/32")}, {Network: netip.MustParsePrefix("127.0.0.2/32"), Requests: true}, {Certificate: "127.0.0.1", Requests: true}}
	})
	if err != nil {
		t.Fatal(err)
	}
	c, _ := call(t, f.Addresses().Modbus)
	if a := c.send(`{"write":1080,"values":[50]}`); a.Code != 1 {
		t.Errorf("write: %+v, want exception 1", a)
	}
	if a := c.send(`{"read":1080,"count":1}`); len(a.Values) != 1 || a.Values[0] != nil || len(b.asked) != 0 {
		t.Errorf("read: %+v, asked %v", a, b.asked)
	}
}

// authority writes an authority and certificates of it to files.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newPKI(t *testing.T, name string) *authority {
	p := &authority{t: t, dir: t.TempDir()}
	p.cert, p.key = p.make(name, &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}, time.Hour)
	return p
}

func (p *authority) file(name string) string { return filepath.Join(p.dir, name) }

// make writes name.crt and name.key.
func (p *authority) make(name string, template *x509.Certificate, valid time.Duration) (*x509.Certificate, *ecdsa.PrivateKey) {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	template.Subject, template.SerialNumber = pkix.Name{CommonName: name}, big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(valid)
	parent, signer := template, key
	if p.cert != nil {
		parent, signer = p.cert, p.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		p.t.Fatal(err)
	}
	secret, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		p.t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{name + ".crt": {Type: "CERTIFICATE", Bytes: der}, name + ".key": {Type: "EC PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(p.file(file), pem.EncodeToMemory(block), 0o600); err != nil {
			p.t.Fatal(err)
		}
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return cert, key
}

func (p *authority) client(name, role string, valid time.Duration) []string {
	template := &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	if role != "" {
		der, _ := asn1.MarshalWithParams(role, "utf8")
		template.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 50316, 802, 1}, Value: der}}
	}
	p.make(name, template, valid)
	return []string{p.file(name + ".crt"), p.file(name + ".key")}
}

// TestModbusTLS: modbus-serial over TLS reads with any certificate of the authority, makes requests with a name or a role that is listed, and gets nowhere with one that is expired or foreign.
func TestModbusTLS(t *testing.T) {
	ca, other := newPKI(t, "plant"), newPKI(t, "other")
	ca.make("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}, time.Hour)
	b := newBook()
	f, err := startFace(t, "", func(c *Config) {
		withControl(c)
		c.ModbusListen, c.Requests = "", b
		c.ModbusTLS = ModbusTLS{Listen: "127.0.0.1:0", CertFile: ca.file("server.crt"), KeyFile: ca.file("server.key"), ClientCA: ca.file("plant.crt")}
		c.ModbusClients = []Client{{Certificate: "bms", Requests: true}, {Role: "operator", Requests: true}, {Network: netip.MustParsePrefix("127.0.0.0/8"), Requests: true}}
	})
	if err != nil {
		t.Fatal(err)
	}
	if a := f.Addresses(); a.Modbus != "" || !strings.HasPrefix(a.ModbusTLS, "tls://127.0.0.1:") {
		t.Fatalf("addresses %+v", a)
	}
	for _, tt := range []struct {
		name, role string
		ca         *authority
		valid      time.Duration
		reads      bool
		code       int
	}{
		{"bms", "", ca, time.Hour, true, 0}, {"anybody", "operator", ca, time.Hour, true, 0}, {"display", "viewer", ca, time.Hour, true, 1},
		{"bms", "", ca, -time.Minute, false, 0}, {"bms", "operator", other, time.Hour, false, 0},
	} {
		c, ok := call(t, f.Addresses().ModbusTLS, append(tt.ca.client(tt.name, tt.role, tt.valid), ca.file("plant.crt"))...)
		if ok { // with TLS 1.3 a client learns with its first request that it was refused
			a := c.send(`{"read":0,"count":1}`)
			ok = a.Error == "" && len(a.Values) == 1
		}
		if ok != tt.reads {
			t.Errorf("%+v: reads %v", tt, ok)
		}
		if !ok {
			continue
		}
		n := len(b.asked)
		if a := c.send(`{"write":1080,"values":[50]}`); a.Code != tt.code || (len(b.asked) > n) != (tt.code == 0) {
			t.Errorf("%+v: write %+v, asked %d", tt, a, len(b.asked)-n)
		} else if tt.code == 0 && b.asked[n].Actor != "modbus "+tt.name {
			t.Errorf("recorded as %q", b.asked[n].Actor)
		}
	}
}
