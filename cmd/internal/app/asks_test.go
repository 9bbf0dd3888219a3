package app

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gopcua/opcua"
	"github.com/gopcua/opcua/ua"

	"quartier/cmd/internal/config"
	"quartier/cmd/internal/console"
	"quartier/cmd/internal/face"
	"quartier/drivers/opcua/pki"
	"quartier/scheduler"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// freePort returns an address of this machine where nothing listens.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

const askedDistrict = `
data_dir: %s
console: {listen: "127.0.0.1:0"}
face:
  request_timeout_seconds: %d
  modbus_listen: %s
  modbus_clients: [{network: 127.0.0.1, requests: true}]
control: {dispatch_seconds: 1}
tariffs: [{id: base, kind: base, rows: [{from: 2026-02-01, base_eur_per_kwh: 0.1940, source: invented}]}]
carbon: [{id: france, kind: constant, g_per_kwh: 21.7, source: invented}]
districts:
  - id: cour
    name: La Cour
    latitude_deg: 47.32
    longitude_deg: 5.01
    time_zone: Europe/Paris
    tariff: base
    carbon: france
    sites:
      - id: maison
        name: Maison commune
        import_limit_kw: 60
        devices:
          - {id: meter, kind: grid_meter, profile: eastron-sdm630, address: "tcp://127.0.0.1:9", unit_id: 1}
`

// TestRequestsReachTheScheduler: what a building system writes over Modbus is in force in the scheduler at once and in the audit log with who, old and new; it lapses when it is not repeated,
// which is recorded too, and the places of the map are kept in the data folder.
func TestRequestsReachTheScheduler(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), freePort(t)
	cfg, err := config.Parse("cour.yaml", []byte(fmt.Sprintf(askedDistrict, dir, 5, addr)), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	var c net.Conn
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		if c, err = net.Dial("tcp", addr); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	write := func(register uint16, v float32) byte {
		b := []byte{0, 1, 0, 0, 0, 11, 1, 16}
		b = binary.BigEndian.AppendUint16(b, register)
		b = append(b, 0, 2, 4)
		b = binary.BigEndian.AppendUint32(b, math.Float32bits(v))
		if _, err := c.Write(b); err != nil {
			t.Fatal(err)
		}
		var head [9]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			t.Fatal(err)
		}
		if head[7] == 0x90 {
			return head[8]
		}
		if _, err := io.ReadFull(c, make([]byte, 3)); err != nil {
			t.Fatal(err)
		}
		return 0
	}
	s := a.schedulers["cour"]
	for _, kw := range []float32{25, 30} {
		if code := write(1080, kw); code != 0 {
			t.Fatalf("exception %d", code)
		}
		if rs := s.Requests(); len(rs) != 1 || rs[0].Value != float64(kw) || rs[0].Kind != scheduler.RequestImportLimit || rs[0].Site != "maison" || rs[0].Actor != "modbus 127.0.0.1" {
			t.Errorf("in force %+v, want %v kW of maison", rs, kw)
		}
	}
	if code := write(1080, 61); code != 3 {
		t.Errorf("above the connection's limit: exception %d, want 3", code)
	}
	audit := func(action string) (out []store.Event) {
		events, err := a.record.Events(t.Context(), []store.EventKind{store.AuditEvent}, timegrid.NewSpan(time.Now().Add(-time.Hour), time.Now().Add(time.Hour)), 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if e.Action == action {
				out = append(out, e)
			}
		}
		return out
	}
	for end := time.Now().Add(time.Minute); len(audit("request-lapsed")) == 0; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the request did not lapse")
		}
	}
	if rs := s.Requests(); len(rs) != 0 {
		t.Errorf("lapsed, and in force: %+v", rs)
	}
	lines := audit("request")
	if len(lines) != 2 {
		t.Fatalf("%d requests in the audit log, want 2: %+v", len(lines), lines)
	}
	for i, want := range []string{"25 kW to 30 kW", "none to 25 kW"} {
		e := lines[i]
		if e.Detail != want || e.Object != "cour/maison/import_limit_request_kw" || e.Actor != "modbus 127.0.0.1" || !strings.HasPrefix(e.Remote, "127.0.0.1:") {
			t.Errorf("audit %+v, want %q", e, want)
		}
	}
	if slots, err := face.LoadSlots(dir + "/" + face.SlotsFile); err != nil || len(slots.Districts) != 1 || slots.Districts[0].Devices[0] != "maison/meter" {
		t.Errorf("places %+v, %v", slots, err)
	}
	away := func() bool {
		return slices.ContainsFunc(s.Requests(), func(r scheduler.Request) bool { return r.Kind == scheduler.RequestAway && r.Site == "maison" })
	}
	for _, x := range []struct {
		kelvin float32
		away   bool
	}{{4, true}, {0, false}, {2, true}, {float32(math.NaN()), false}} { // 0 says what systems mean by it that cannot write "not a number"
		if code := write(1086, x.kelvin); code != 0 || away() != x.away {
			t.Errorf("an absence of %v K: exception %d, nobody is there: %v", x.kelvin, code, away())
		}
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("Run did not return")
	}
}

// TestOPCUAUsers: Quartier's own users sign in to the OPC UA server, by password or by a certificate of their name; an operator's request is in the audit log under his name with old and new value, a viewer
// only reads, a resident and a disabled account stay out, and what was recorded of a device is read as history.
func TestOPCUAUsers(t *testing.T) {
	t.Parallel()
	dir, addr := t.TempDir(), freePort(t)
	text := strings.Replace(fmt.Sprintf(askedDistrict, dir, 600, freePort(t)), "  modbus_listen", "  opcua_listen: "+addr+"\n  modbus_listen", 1)
	cfg, err := config.Parse("cour.yaml", []byte(text), ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	client, err := pki.NewIdentity(pki.Application{Name: "bms", URI: "urn:bms"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	olga, err := pki.NewIdentity(pki.Application{Name: "olga", URI: "urn:olga"}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	for folder, id := range map[string]*pki.Identity{"clients": client, "users": olga} {
		st, err := pki.Open(filepath.Join(cfg.PKIDir(), folder))
		if err == nil {
			err = st.Trust(id.Leaf)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	a, err := New(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := console.HashPassword("correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range []store.User{{Name: "olga", Role: store.Operator}, {Name: "victor", Role: store.Viewer}, {Name: "rene", Role: store.Resident, District: "cour", Member: "m"}, {Name: "gone", Role: store.Administrator, Disabled: true}} {
		u.PasswordHash, u.Language = hash, "fr"
		if err := a.record.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	series := district.NewSeriesID("cour", "maison", "meter", district.PowerKW)
	at := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	if err := a.record.Append(t.Context(), []district.Sample{{Series: series, Time: at, Value: 4.5}, {Series: series, Time: at.Add(time.Minute), Value: 5.5}}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}()
	enter := func(user, password string, as *pki.Identity) (*opcua.Client, error) {
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		defer stop()
		eps, err := opcua.GetEndpoints(ctx, "opc.tcp://"+addr)
		if err != nil {
			return nil, err
		}
		ep, err := opcua.SelectEndpoint(eps, "Aes128_Sha256_RsaOaep", ua.MessageSecurityModeSignAndEncrypt)
		if err != nil {
			return nil, err
		}
		kind, auth := ua.UserTokenTypeUserName, opcua.AuthUsername(user, password)
		opts := []opcua.Option{opcua.AutoReconnect(false), opcua.Certificate(client.Certificate), opcua.PrivateKey(client.Key)}
		if as != nil {
			kind, auth = ua.UserTokenTypeCertificate, opcua.AuthCertificate(as.Certificate)
			opts = append(opts, opcua.AuthPrivateKey(as.Key))
		}
		c, err := opcua.NewClient("opc.tcp://"+addr, append(opts, auth, opcua.SecurityFromEndpoint(ep, kind))...)
		if err != nil {
			return nil, err
		}
		if err := c.Connect(ctx); err != nil {
			c.Close(context.Background())
			return nil, err
		}
		t.Cleanup(func() { c.Close(context.Background()) })
		return c, nil
	}
	var c *opcua.Client
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) { // the process of the face takes its time
		if c, err = enter("olga", "correct horse battery", nil); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	write := func(c *opcua.Client, v float64) ua.StatusCode {
		t.Helper()
		resp, err := c.Write(t.Context(), &ua.WriteRequest{NodesToWrite: []*ua.WriteValue{{NodeID: ua.NewStringNodeID(2, "cour/maison/import_limit_request_kw"), AttributeID: ua.AttributeIDValue, Value: &ua.DataValue{EncodingMask: ua.DataValueValue, Value: ua.MustVariant(v)}}}})
		if err != nil {
			t.Fatal(err)
		}
		return resp.Results[0]
	}
	if got := write(c, 33); got != ua.StatusOK {
		t.Errorf("an operator's request: %v", got)
	}
	if rs := a.schedulers["cour"].Requests(); len(rs) != 1 || rs[0].Value != 33 || rs[0].Actor != "olga" {
		t.Errorf("in force %+v", rs)
	}
	hist, err := c.HistoryReadRawModified(t.Context(), []*ua.HistoryReadValueID{{NodeID: ua.NewStringNodeID(2, "cour/maison/meter/power_kw"), DataEncoding: &ua.QualifiedName{}}}, &ua.ReadRawModifiedDetails{StartTime: at.Add(-time.Hour), EndTime: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if h, ok := hist.Results[0].HistoryData.Value.(*ua.HistoryData); !ok || len(h.DataValues) != 2 || h.DataValues[1].Value.Float() != 5.5 || !h.DataValues[0].SourceTimestamp.Equal(at) {
		t.Errorf("history %+v", hist.Results[0])
	}
	if c, err := enter("", "", olga); err != nil || write(c, 34) != ua.StatusOK {
		t.Errorf("by certificate: %v", err)
	}
	if c, err := enter("victor", "correct horse battery", nil); err != nil || write(c, 1) != ua.StatusBadUserAccessDenied {
		t.Errorf("a viewer: %v", err)
	}
	for user, password := range map[string]string{"rene": "correct horse battery", "gone": "correct horse battery", "olga": "wrong"} {
		if _, err := enter(user, password, nil); !errors.Is(err, ua.StatusBadUserAccessDenied) {
			t.Errorf("%s: %v, want BadUserAccessDenied", user, err)
		}
	}
	found := map[string]int{}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end) && found["sign-in-failed"] < 3; time.Sleep(50 * time.Millisecond) {
		events, err := a.record.Events(t.Context(), []store.EventKind{store.AuditEvent}, timegrid.NewSpan(time.Now().Add(-time.Hour), time.Now().Add(time.Hour)), 0)
		if err != nil {
			t.Fatal(err)
		}
		clear(found)
		for _, e := range events {
			found[e.Action]++
			if e.Action == "request" {
				found[e.Actor+" "+e.Detail]++
			}
		}
	}
	if found["request"] != 2 || found["olga none to 33 kW"] != 1 || found["olga 33 kW to 34 kW"] != 1 || found["sign-in"] < 3 || found["sign-in-failed"] != 3 {
		t.Errorf("audit log: %v", found)
	}
}
