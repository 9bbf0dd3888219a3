package serve

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"quartier/drivers/foreign"
	"quartier/drivers/opcua/pki"
	"quartier/drivers/opcua/secure"
	"quartier/schemas/district"
)

// TestForeignTenThousand: node-opcua browses a folder of 10,000 variables, reads and subscribes all of them, and is told of every change.
func TestForeignTenThousand(t *testing.T) {
	t.Parallel()
	const n = 10_000
	s, addr := start(t, Config{}, n)
	p := foreign.Start(t, "opcua-client.mjs", "opc.tcp://"+addr, testURI, "Plant", "*")
	const patience = time.Minute
	began := time.Now()
	if e := p.Await("browsed", patience, nil); e.Variables != n {
		t.Errorf("browsed %d variables, want %d", e.Variables, n)
	}
	t.Logf("browsed after %v", time.Since(began).Round(time.Millisecond))
	for round := range 4 {
		p.Await("changes", patience, func(e foreign.Event) bool { return e.Count == (round+1)*n })
		t.Logf("round %d told after %v", round, time.Since(began).Round(time.Millisecond))
		for i := range n {
			s.Set("s=V"+itoa(i), float64(i+round+1), district.Good, time.Now())
		}
	}
	p.CloseInput()
	p.Await("closed", patience, nil)
}

// outcome is a line of opcua-secure.mjs.
type outcome struct {
	Status   string
	Watching bool
	Results  []struct {
		Status       string
		Value        *float64
		Text, Values []string
		Levels       []int
		EURange      []float64
		Numbers      []*float64
		Words        []string
		From         float64
		Times        []float64
		Units        string `json:"EngineeringUnits"`
		Count, Pages int
		First, Last  float64
	}
}

type secureClient struct {
	t *testing.T
	p *foreign.Process
}

func startSecure(t *testing.T, p *plant, client party) secureClient {
	t.Helper()
	return startSecureAt(t, p.addr, client)
}

func startSecureAt(t *testing.T, addr string, client party) secureClient {
	t.Helper()
	return secureClient{t, foreign.Start(t, "opcua-secure.mjs", "opc.tcp://"+addr, testURI, client.cert, client.key, t.TempDir())}
}

// do runs a task; while a step watches, meanwhile is called.
func (c secureClient) do(task map[string]any, meanwhile func()) (o outcome) {
	c.t.Helper()
	line, err := json.Marshal(task)
	if err != nil {
		c.t.Fatal(err)
	}
	c.p.Send(string(line))
	for {
		o = outcome{}
		if !c.p.Next(&o, 2*time.Minute) {
			c.t.Fatalf("node-opcua told nothing about %s", line)
		}
		if !o.Watching {
			return o
		}
		meanwhile()
	}
}

// TestForeignSecurity: node-opcua gets in over each policy and mode with the right password or certificate and no other, reads, writes in its range, and reads history in pages.
func TestForeignSecurity(t *testing.T) {
	t.Parallel()
	client := newParty(t, pki.Application{Name: "foreign", URI: clientURI, Hosts: []string{"127.0.0.1", "localhost"}}, time.Now())
	robot := newParty(t, pki.Application{Name: "robot", URI: "urn:robot"}, time.Now())
	p := startPlant(t, []party{client}, []party{robot}, nil)
	c := startSecure(t, p, client)
	steps := []map[string]any{{"read": "A"}, {"write": "R", "value": 42}, {"write": "R", "value": 101}, {"write": "A", "value": 1}, {"write": "R", "value": 1, "type": "Float"}, {"history": "A", "hours": 23}}
	for _, policy := range secure.Policies() {
		for _, mode := range []string{"Sign", "SignAndEncrypt"} {
			for _, tt := range []struct {
				user, password string
				certificate    bool
				in             string
				writes         string
			}{
				{"olga", "correct horse", false, "Good", "Good"}, {"victor", "long enough", false, "Good", "BadUserAccessDenied"}, {"", "", true, "Good", "Good"},
				{"olga", "wrong", false, "BadUserAccessDenied", ""}, {"", "", false, "BadIdentityToken", ""},
			} {
				p.forgive()
				task := map[string]any{"policy": secure.PolicyName(policy), "mode": mode, "application": clientURI, "user": tt.user, "password": tt.password, "do": steps}
				if tt.certificate {
					task["userCertificate"], task["userKey"] = robot.cert, robot.key
				}
				what := fmt.Sprint(secure.PolicyName(policy), mode, tt)
				o := c.do(task, nil)
				if tt.in != "Good" {
					if o.Status == "Good" {
						t.Errorf("%s: got in", what)
					}
					continue
				}
				if o.Status != tt.in || len(o.Results) != len(steps) {
					t.Errorf("%s: %+v", what, o)
					continue
				}
				r := o.Results
				outOfRange, wrongType := "BadOutOfRange", "BadTypeMismatch"
				if tt.writes != "Good" {
					outOfRange, wrongType = tt.writes, tt.writes
				}
				if r[0].Value == nil || *r[0].Value != 1 || r[1].Status != tt.writes || r[2].Status != outOfRange || r[3].Status != "BadNotWritable" || r[4].Status != wrongType {
					t.Errorf("%s: %+v", what, r)
				}
				if h := r[5]; h.Status != "Good" || h.Count < 23*60-1 || h.Count > 23*60+1 || h.Last-h.First != float64(h.Count-1) {
					t.Errorf("%s: history %+v", what, h)
				}
			}
		}
	}
	if got := p.writes(); len(got) != 12 || !slices.Contains(got, "robot s=R 42") || !slices.Contains(got, "olga s=R 42") {
		t.Errorf("written %v", got)
	}
	stranger := startSecure(t, p, newParty(t, pki.Application{URI: clientURI}, time.Now()))
	if o := stranger.do(map[string]any{"policy": "Aes256_Sha256_RsaPss", "mode": "SignAndEncrypt", "application": clientURI, "user": "olga", "password": "correct horse"}, nil); o.Status == "Good" {
		t.Error("a client that is not trusted got in")
	}
}

// TestForeignModel: node-opcua sees units, ranges, access by role, and values by queue and dead band.
func TestForeignModel(t *testing.T) {
	t.Parallel()
	client := newParty(t, pki.Application{Name: "foreign", URI: clientURI, Hosts: []string{"127.0.0.1", "localhost"}}, time.Now())
	p := startPlant(t, []party{client}, nil, nil)
	p.server.cfg.History = secondly
	c := startSecure(t, p, client)
	base := func(user, password string, steps ...map[string]any) map[string]any {
		return map[string]any{"policy": "Aes128_Sha256_RsaOaep", "mode": "SignAndEncrypt", "application": clientURI, "user": user, "password": password, "do": steps}
	}
	o := c.do(base("victor", "long enough", map[string]any{"display": "A"}, map[string]any{"access": "R"}, map[string]any{"range": "A"}, map[string]any{"access": "A"}, map[string]any{"history": "A", "hours": 4}), nil)
	if o.Status != "Good" || len(o.Results) != 5 {
		t.Fatalf("%+v", o)
	}
	r := o.Results
	if !slices.Equal(r[0].Text, []string{"power", "power of A"}) {
		t.Errorf("names: %v", r[0].Text)
	}
	if !slices.Equal(r[1].Levels, []int{7, 5, 1}) || !slices.Equal(r[3].Levels, []int{5, 5, 1}) {
		t.Errorf("access of a request and of a value for a viewer: %v and %v, want read, write and history, without write for him", r[1].Levels, r[3].Levels)
	}
	if r[2].Units != "kW" || !slices.Equal(r[2].EURange, []float64{-200, 200}) {
		t.Errorf("properties %+v", r[2])
	}
	if r[4].Status != "Good" || r[4].Count != 4*3600 || r[4].Pages < 3 {
		t.Errorf("history %+v, want %d values in at least 3 pages", r[4], 4*3600)
	}
	// of ten minutes of a value that is the second of its time: by node-opcua's own words for the quality
	for name, tt := range map[string]struct {
		want func(at float64) float64
		word string
	}{
		"Average": {func(at float64) float64 { return at + 29.5 }, "HistorianCalculated"}, "TimeAverage": {func(at float64) float64 { return at + 30 }, "HistorianCalculated"}, "Minimum": {func(at float64) float64 { return at }, "Good"},
		"Maximum": {func(at float64) float64 { return at + 59 }, "HistorianCalculated"}, "Count": {func(float64) float64 { return 60 }, "HistorianCalculated"},
		"Delta": {func(float64) float64 { return 59 }, "HistorianCalculated"}, "Total": {func(at float64) float64 { return 60*at + 1800 }, "HistorianCalculated"},
	} {
		o := c.do(base("victor", "long enough", map[string]any{"processed": "A", "aggregate": name, "minutes": 10, "interval": 60000}), nil)
		if o.Status != "Good" || len(o.Results) != 1 || o.Results[0].Status != "Good" || len(o.Results[0].Numbers) != 10 {
			t.Errorf("%s: %+v", name, o)
			continue
		}
		r := o.Results[0]
		for i, v := range r.Numbers {
			at := r.From + float64(60*i)
			if v == nil || *v != tt.want(at) || r.Times[i] != at || !strings.Contains(r.Words[i], "Good") || !strings.Contains(r.Words[i], tt.word) {
				t.Errorf("%s %d: %v at %v, %s; want %v at %v", name, i, v, r.Times[i], r.Words[i], tt.want(at), at)
			}
		}
	}
	if o := c.do(base("victor", "long enough", map[string]any{"processed": "A", "aggregate": "StandardDeviationSample", "minutes": 10, "interval": 60000}), nil); o.Status != "Good" || o.Results[0].Status != "BadAggregateNotSupported" {
		t.Errorf("a function that is not served: %+v", o)
	}
	if o := c.do(base("victor", "long enough", map[string]any{"aggregates": true}), nil); len(o.Results) != 1 || !slices.Equal(o.Results[0].Text, []string{"true",
		"Average 2342", "TimeAverage 2343", "Total 2344", "Minimum 2346", "Maximum 2347", "Count 2352", "Delta 2359", "Average 2342", "TimeAverage 2343", "Total 2344", "Minimum 2346", "Maximum 2347", "Count 2352", "Delta 2359"}) {
		t.Errorf("functions that are told: %+v", o)
	}
	o = c.do(base("olga", "correct horse", map[string]any{"access": "R"}), nil)
	if o.Status != "Good" || !slices.Equal(o.Results[0].Levels, []int{7, 7, 1}) {
		t.Errorf("as an operator: %+v", o)
	}
	for _, tt := range []struct {
		step map[string]any
		want string
	}{
		{map[string]any{"watch": "A", "queue": 10, "interval": 300, "wait": 2000}, "1 2 3 4 5 6"}, {map[string]any{"watch": "A", "queue": 10, "absolute": true, "deadband": 1.5, "interval": 300, "wait": 2000}, "1 3 5"},
		{map[string]any{"watch": "A", "queue": 10, "percent": 0.5, "interval": 300, "wait": 2000}, "1 4"},
	} {
		p.server.Set("s=A", 1, district.Good, time.Now())
		o := c.do(base("victor", "long enough", tt.step), func() {
			for v := 2.0; v <= 6; v++ {
				p.server.Set("s=A", v, district.Good, time.Now())
			}
		})
		if o.Status != "Good" || strings.Join(o.Results[0].Values, " ") != tt.want {
			t.Errorf("%v: %+v, want %s", tt.step, o, tt.want)
		}
	}
}

// TestOpen62541: the client of open62541 gets in over each policy and mode, browses in pages, reads, writes, reads history in pages and is told of changes; with a wrong password it stays out.
func TestOpen62541(t *testing.T) {
	t.Parallel()
	client := newParty(t, pki.Application{Name: "foreign", URI: clientURI, Hosts: []string{"127.0.0.1", "localhost"}}, time.Now())
	p := startPlant(t, []party{client}, nil, nil)
	for i := range 30 {
		if err := p.server.AddVariable(Variable{Path: []string{"Plant", "More", "M" + itoa(i)}, NodeID: "s=M" + itoa(i)}); err != nil {
			t.Fatal(err)
		}
	}
	const patience = time.Minute
	for _, policy := range secure.Policies() {
		for _, mode := range []string{"2", "3"} {
			run := func(user, password string) *foreign.Process {
				return foreign.StartOpen62541Client(t, "opc.tcp://"+p.addr, testURI, client.cert, client.key, clientURI, policy, mode, user, password, "A", "R", "37.5")
			}
			c := run("olga", "correct horse")
			if e := c.Await("connected", patience, nil); e.Status != "Good" {
				t.Errorf("%s mode %s: %v", secure.PolicyName(policy), mode, e.Status)
				continue
			}
			if e := c.Await("browsed", patience, nil); e.Variables != 32 {
				t.Errorf("browsed %d variables, want 32", e.Variables)
			}
			if e := c.Await("read", patience, nil); e.Status != "Good" || e.Value == nil {
				t.Errorf("read: %+v", e)
			}
			if e := c.Await("written", patience, nil); e.Status != "Good" {
				t.Errorf("written: %v", e.Status)
			}
			if e := c.Await("read back", patience, nil); e.Value == nil || *e.Value != 37.5 {
				t.Errorf("read back: %+v", e)
			}
			if e := c.Await("history", patience, nil); e.Status != "Good" || e.Count < 100 {
				t.Errorf("history: %+v", e)
			}
			c.Await("change", patience, nil)
			for v := range 5 {
				p.server.Set("s=A", float64(100+v), district.Good, time.Now())
			}
			for v := range 5 {
				c.Await("change", patience, func(e foreign.Event) bool { return e.Value != nil && *e.Value == float64(100+v) })
			}
			c.Send("enough")
			c.Await("closed", patience, nil)
			p.forgive()
			if e := run("olga", "wrong").Await("connected", patience, nil); e.Status == "Good" {
				t.Errorf("%s mode %s: a wrong password got in", secure.PolicyName(policy), mode)
			}
		}
	}
}
