package face

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"quartier/drivers/foreign"
	"quartier/drivers/opcua/pki"
	"quartier/schemas/district"
)

// deskOutcome is a line of opcua-secure.mjs.
type deskOutcome struct {
	Status  string
	Results []struct {
		Status      string
		Value       *float64
		Text        []string
		Levels      []int
		EURange     []float64
		Units       string `json:"EngineeringUnits"`
		Count       int
		First, Last float64
	}
}

// TestOPCUARequests: node-opcua signs in over a secured channel to the process of the face, reads units, ranges and rights, asks for a limit as an operator, is refused as a viewer, and reads the
// record of a device; a limit asked for is there still when the process was killed, and anonymous users, wrong passwords and strangers stay out.
func TestOPCUARequests(t *testing.T) {
	b, dir := newBook(), t.TempDir()
	client, err := pki.NewIdentity(pki.Application{Name: "bms", URI: "urn:bms", Hosts: []string{"127.0.0.1"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cert, key := filepath.Join(t.TempDir(), "bms.der"), filepath.Join(t.TempDir(), "bms.pem")
	if err := client.Save(cert, key); err != nil {
		t.Fatal(err)
	}
	trusted, err := pki.Open(filepath.Join(dir, "clients"))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var logins []Login
	var asked []district.SeriesID
	began := time.Now().Add(-2 * time.Hour).Truncate(time.Second)
	f, err := startFace(t, "serve", func(c *Config) {
		withControl(c)
		c.ModbusListen, c.Requests = "127.0.0.1:0", b
		c.OPCUA = OPCUA{Listen: "127.0.0.1:0", PKI: dir, URI: "urn:quartier:test",
			SignIn: func(_ context.Context, l Login) (User, error) {
				mu.Lock()
				defer mu.Unlock()
				logins = append(logins, l)
				switch {
				case l.Name == "olga" && l.Password == "correct horse":
					return User{"olga", true}, nil
				case l.Name == "victor" && l.Password == "long enough":
					return User{"victor", false}, nil
				case l.Name == "nobody's fault":
					return User{}, errors.New("the record does not answer")
				}
				return User{}, ErrDenied
			},
			History: func(_ context.Context, series district.SeriesID, from, to time.Time, limit int) (out []district.Sample, err error) {
				mu.Lock()
				asked = append(asked, series)
				mu.Unlock()
				for i := 0; i < 600 && len(out) < limit; i++ {
					if at := began.Add(time.Duration(i) * time.Second); !at.Before(from) && at.Before(to) {
						out = append(out, district.Sample{Series: series, Time: at, Value: float64(i)})
					}
				}
				return out, nil
			}}
	})
	if err != nil {
		t.Fatal(err)
	}
	f.Update(map[string]Value{"fontaine/ecole/bat/soc": {V: 0.25, Time: time.Now()}})
	p := foreign.Start(t, "opcua-secure.mjs", f.Addresses().OPCUA, NamespaceURI, cert, key, t.TempDir())
	do := func(user, password string, steps ...map[string]any) (o deskOutcome) {
		t.Helper()
		line, _ := json.Marshal(map[string]any{"policy": "Aes256_Sha256_RsaPss", "mode": "SignAndEncrypt", "application": "urn:bms", "user": user, "password": password, "do": steps})
		p.Send(string(line))
		if !p.Next(&o, 2*time.Minute) {
			t.Fatal("node-opcua told nothing")
		}
		return o
	}
	if o := do("olga", "correct horse"); o.Status == "Good" {
		t.Error("an application that nobody trusts got in")
	}
	if err := trusted.Trust(client.Leaf); err != nil {
		t.Fatal(err)
	}
	const limit = "fontaine/ecole/import_limit_request_kw"
	var o deskOutcome
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		o = do("olga", "correct horse", map[string]any{"read": limit}, map[string]any{"write": limit, "value": 55.5}, map[string]any{"read": limit}, map[string]any{"write": limit, "value": 121},
			map[string]any{"write": "fontaine/power_kw", "value": 1}, map[string]any{"range": limit}, map[string]any{"access": limit}, map[string]any{"display": limit}, map[string]any{"read": "fontaine/ecole/bat/soc"},
			map[string]any{"history": "fontaine/ecole/bat/soc", "hours": 3}, map[string]any{"history": "fontaine/ecole/soc", "hours": 3}, map[string]any{"history": "fontaine/ecole/production_kw", "hours": 3})
		if o.Status == "Good" || time.Now().After(end) {
			break
		}
	}
	if o.Status != "Good" || len(o.Results) != 12 {
		t.Fatalf("once trusted: %+v", o)
	}
	r := o.Results
	if r[0].Status != "Good" || r[1].Status != "Good" || r[2].Value == nil || *r[2].Value != 55.5 || r[3].Status != "BadOutOfRange" || r[4].Status != "BadNotWritable" {
		t.Errorf("requests: %+v", r[:5])
	}
	if r[5].Units != "kW" || !slices.Equal(r[5].EURange, []float64{0, 120}) || !slices.Equal(r[6].Levels, []int{3, 3, 0}) || len(r[7].Text) != 2 || r[7].Text[0] != "Requested import limit" {
		t.Errorf("the model: %+v", r[5:8])
	}
	if r[8].Value == nil || *r[8].Value != 0.25 || r[9].Status != "Good" || r[9].Count != 600 || r[9].First != 0 || r[9].Last != 599 || r[10].Count != 600 || r[11].Status != "BadHistoryOperationUnsupported" {
		t.Errorf("value and history: %+v", r[8:])
	}
	if got := b.InForce(); len(got) != 1 || got[limit] != 55.5 || b.asked[0].Actor != "olga" || !strings.HasPrefix(b.asked[0].Remote, "127.0.0.1:") {
		t.Errorf("in force %v, asked %+v", got, b.asked)
	}
	m, ok := call(t, f.Addresses().Modbus)
	if !ok {
		t.Fatal("Modbus")
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) { // with the next update
		f.Update(nil)
		if v := m.send(`{"read":1080,"count":1}`).Values; len(v) == 1 && v[0] != nil && *v[0] == 55.5 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("Modbus does not show what was asked over OPC UA")
		}
	}
	if o := do("victor", "long enough", map[string]any{"write": limit, "value": 1}, map[string]any{"read": limit}, map[string]any{"access": limit}); o.Status != "Good" || o.Results[0].Status != "BadUserAccessDenied" || *o.Results[1].Value != 55.5 || !slices.Equal(o.Results[2].Levels, []int{3, 1, 0}) {
		t.Errorf("a viewer: %+v", o)
	}
	for _, who := range [][2]string{{"olga", "wrong"}, {"", ""}, {"nobody's fault", "x"}} {
		if o := do(who[0], who[1]); o.Status == "Good" {
			t.Errorf("%q got in", who)
		}
	}
	pid := f.child.PID()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		if o = do("olga", "correct horse", map[string]any{"read": limit}); o.Status == "Good" && o.Results[0].Value != nil {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after the process was killed: %+v", o)
		}
	}
	if *o.Results[0].Value != 55.5 {
		t.Errorf("after the process was killed the limit is %v kW", *o.Results[0].Value)
	}
	o = do("olga", "correct horse", map[string]any{"write": limit, "value": nil}, map[string]any{"read": limit})
	if o.Results[0].Status != "Good" || o.Results[1].Status != "Good" || o.Results[1].Value != nil || len(b.InForce()) != 0 { // JSON has null for not a number
		t.Errorf("withdrawn: %+v, in force %v", o, b.InForce())
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.ContainsFunc(logins, func(l Login) bool {
		return l.Name == "olga" && l.Password == "wrong" && strings.HasPrefix(l.Remote, "127.0.0.1:")
	}) || !slices.Contains(asked, "fontaine/ecole/bat/soc") {
		t.Errorf("logins %+v, history of %v", logins, asked)
	}
}

// TestQuestionsAreNotTrusted: the OPC UA process gets no more than its clients may have, whatever it asks.
func TestQuestionsAreNotTrusted(t *testing.T) {
	b := newBook()
	cfg := Config{Districts: testDistricts()}
	withControl(&cfg)
	m := NewModel(cfg.Districts, nil)
	var from time.Time
	limits := 0
	s := &Supervisor{model: m, asks: &asker{requests: b}, log: slog.New(slog.DiscardHandler), opcua: OPCUA{History: func(_ context.Context, _ district.SeriesID, f, _ time.Time, limit int) ([]district.Sample, error) {
		from, limits = f, limit
		return nil, nil
	}}}
	at := func(name string) int { return m.byName[name] }
	nan, huge := math.NaN(), 1e9
	for name, q := range map[string]childAsk{
		"a variable that is not writable": {Write: &childWrite{Index: at("fontaine/power_kw")}}, "no variable": {Write: &childWrite{Index: -1}}, "beyond the last": {Write: &childWrite{Index: len(m.Variables)}},
		"history of nothing": {History: &childHistory{Index: 1 << 40}}, "history of a sum": {History: &childHistory{Index: at("fontaine/ecole/production_kw")}}, "nothing": {},
	} {
		if a := s.answerTo(t.Context(), &q); a.Error == "" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	limit := at("fontaine/ecole/import_limit_request_kw")
	if a := s.answerTo(t.Context(), &childAsk{Write: &childWrite{Index: limit, Value: &huge}}); !a.Range || len(b.asked) != 0 {
		t.Errorf("out of range: %+v", a)
	}
	if a := s.answerTo(t.Context(), &childAsk{Write: &childWrite{Index: limit, Value: &nan}}); a.Error != "" || len(b.InForce()) != 0 {
		t.Errorf("withdrawn: %+v", a)
	}
	if a := s.answerTo(t.Context(), &childAsk{Login: &childLogin{Name: "x"}}); !a.Denied {
		t.Errorf("without accounts: %+v", a)
	}
	s.answerTo(t.Context(), &childAsk{History: &childHistory{Index: at("fontaine/ecole/bat/soc"), From: 0, To: time.Now().UnixNano(), Limit: 1 << 40}})
	if time.Since(from) > historyReach+time.Minute || limits > maxPastValues {
		t.Errorf("history from %v, at most %d values", from, limits)
	}
}
