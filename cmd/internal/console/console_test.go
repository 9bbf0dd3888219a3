package console_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/console"
	"quartier/cmd/internal/console/consoletest"
	"quartier/schemas/store"
)

// noon is 12:00 in Fontaine on a winter day, between two daylight-saving changes.
var noon = time.Date(2026, 1, 14, 11, 0, 0, 0, time.UTC)

// fixture is a console on an invented world behind a real HTTP server.
type fixture struct {
	t     *testing.T
	world *consoletest.World
	url   string
}

func start(t *testing.T, change ...func(*console.Deps)) *fixture {
	t.Helper()
	w, err := consoletest.New(t.Context(), noon, 3)
	if err != nil {
		t.Fatal(err)
	}
	deps := w.Deps()
	for _, c := range change {
		c(&deps)
	}
	s, err := console.New(deps)
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(s.Handler())
	t.Cleanup(func() { s.Close(); srv.Close() })
	return &fixture{t, w, srv.URL}
}

// browser is a client with a cookie jar and, once signed in, the session's CSRF token.
type browser struct {
	f    *fixture
	http *http.Client
	csrf string
}

func (f *fixture) browser() *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		f.t.Fatal(err)
	}
	return &browser{f: f, http: &http.Client{Jar: jar}}
}

func (f *fixture) signedIn(name string) *browser {
	f.t.Helper()
	b := f.browser()
	status, body := b.do("POST", "/api/session", map[string]string{"name": name, "password": "quartier-demo"})
	if status != http.StatusOK {
		f.t.Fatalf("sign-in of %s answered %d %s", name, status, body)
	}
	var me console.Me
	if err := json.Unmarshal(body, &me); err != nil {
		f.t.Fatal(err)
	}
	b.csrf = me.CSRF
	return b
}

func (b *browser) request(method, path string, body any, header ...string) *http.Response {
	b.f.t.Helper()
	var r io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			b.f.t.Fatal(err)
		}
		r = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(b.f.t.Context(), method, b.f.url+path, r)
	if err != nil {
		b.f.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if b.csrf != "" {
		req.Header.Set("X-CSRF-Token", b.csrf)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := b.http.Do(req)
	if err != nil {
		b.f.t.Fatal(err)
	}
	return resp
}

func (b *browser) do(method, path string, body any, header ...string) (int, []byte) {
	b.f.t.Helper()
	resp := b.request(method, path, body, header...)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.f.t.Fatal(err)
	}
	return resp.StatusCode, text
}

// get decodes the answer of a successful GET.
func get[T any](b *browser, path string) T {
	b.f.t.Helper()
	status, body := b.do("GET", path, nil)
	if status != http.StatusOK {
		b.f.t.Fatalf("GET %s answered %d %s", path, status, body)
	}
	var v T
	if err := json.Unmarshal(body, &v); err != nil {
		b.f.t.Fatalf("GET %s: %v", path, err)
	}
	return v
}

// operation is an operation of the API as its document describes it.
type operation struct{ method, path, access string }

func operations(t *testing.T, f *fixture) []operation {
	doc := get[struct {
		Paths map[string]map[string]struct {
			Access string `json:"x-access"`
		} `json:"paths"`
	}](f.browser(), "/api/openapi.json")
	var out []operation
	for path, methods := range doc.Paths {
		for method, op := range methods {
			out = append(out, operation{strings.ToUpper(method), path, op.Access})
		}
	}
	if len(out) < 30 {
		t.Fatalf("the document lists %d operations", len(out))
	}
	return out
}

func TestDemoUsers(t *testing.T) {
	m := consoletest.NewMemory()
	w, err := consoletest.New(t.Context(), noon, 0)
	if err != nil {
		t.Fatal(err)
	}
	users, err := console.EnsureDemoUsers(t.Context(), m, w.Districts, noon)
	if err != nil || len(users) != 4 {
		t.Fatalf("%d users, %v; want 4", len(users), err)
	}
	before, err := m.User(t.Context(), "resident")
	if err != nil || before.Role != store.Resident || before.Member != "m-001" || before.Language != "fr" {
		t.Errorf("resident %+v, %v", before, err)
	}
	if ok, err := console.VerifyPassword(before.PasswordHash, users[3].Password); !ok || err != nil {
		t.Errorf("the printed password does not fit: %v, %v", ok, err)
	}
	if _, err := console.EnsureDemoUsers(t.Context(), m, w.Districts, noon); err != nil {
		t.Fatal(err)
	}
	if after, _ := m.User(t.Context(), "resident"); after.PasswordHash != before.PasswordHash {
		t.Error("a second start gave the account another password")
	}
}

// TestAccess calls every operation of the document in every role and compares what happens with what its access rule promises.
func TestAccess(t *testing.T) {
	may := map[string]map[string]bool{ // access rule → role → allowed
		"anyone":        {"": true, "resident": true, "viewer": true, "operator": true, "admin": true},
		"signed-in":     {"resident": true, "viewer": true, "operator": true, "admin": true},
		"district":      {"resident": true, "viewer": true, "operator": true, "admin": true},
		"member":        {"resident": true, "operator": true, "admin": true},
		"viewer":        {"viewer": true, "operator": true, "admin": true},
		"operator":      {"operator": true, "admin": true},
		"administrator": {"admin": true},
	}
	f := start(t)
	browsers := map[string]*browser{"": f.browser()}
	for _, role := range []string{"resident", "viewer", "operator", "admin"} {
		browsers[role] = f.signedIn(role)
	}
	own := strings.NewReplacer("{district}", "fontaine", "{site}", "ecole", "{device}", "battery-1", "{member}", "m-001", "{name}", "nobody")
	for _, op := range operations(t, f) {
		if may[op.access] == nil {
			t.Errorf("%s %s has access rule %q, which this test does not know", op.method, op.path, op.access)
			continue
		}
		for _, role := range []string{"", "resident", "viewer", "operator", "admin"} {
			b := browsers[role]
			var body any
			if op.method != http.MethodGet && op.method != http.MethodDelete {
				body = map[string]any{} // faulty for every operation: an allowed caller gets 422
			}
			resp := b.request(op.method, own.Replace(op.path), body)
			resp.Body.Close() // a stream would not end
			refused := resp.StatusCode == http.StatusUnauthorized || resp.StatusCode == http.StatusForbidden
			if want := may[op.access][role]; refused == want {
				t.Errorf("%s %s as %q answered %d, allowed should be %v", op.method, op.path, role, resp.StatusCode, want)
			}
			if role == "" && op.access != "anyone" && resp.StatusCode != http.StatusUnauthorized {
				t.Errorf("%s %s without a session answered %d, want 401", op.method, op.path, resp.StatusCode)
			}
			if op.path == "/api/session" && op.method == http.MethodDelete && role != "" {
				browsers[role] = f.signedIn(role) // that was the end of the session
			}
			if op.path == "/api/session" && op.method == http.MethodPost && resp.StatusCode != http.StatusUnprocessableEntity {
				t.Errorf("an empty sign-in answered %d, want 422", resp.StatusCode)
			}
			if !refused && resp.StatusCode >= 500 {
				t.Errorf("%s %s as %q answered %d", op.method, op.path, role, resp.StatusCode)
			}
		}
	}
}

func TestWritesNeedTokenAndOrigin(t *testing.T) {
	f := start(t)
	body := map[string]any{"reason": "maintenance", "minutes": 60}
	const path = "/api/districts/fontaine/devices/ecole/battery-1/pause"
	for _, tt := range []struct {
		name   string
		token  string
		header []string
		want   int
	}{
		{"right token, no browser", "right", nil, 200},
		{"right token, same origin", "right", []string{"Sec-Fetch-Site", "same-origin"}, 200},
		{"no token", "", nil, 403},
		{"another token", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", nil, 403},
		{"right token, other site", "right", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"right token, other origin", "right", []string{"Origin", "https://evil.example"}, 403},
	} {
		b := f.signedIn("operator")
		if tt.token != "right" {
			b.csrf = tt.token
		}
		status, text := b.do("POST", path, body, tt.header...)
		if status != tt.want {
			t.Errorf("%s: answered %d, want %d: %s", tt.name, status, tt.want, text)
		}
	}
	if status, _ := f.browser().do("POST", "/api/session", map[string]string{"name": "operator", "password": "quartier-demo"}, "Sec-Fetch-Site", "cross-site"); status != 403 {
		t.Errorf("sign-in from another site answered %d, want 403", status)
	}
}

func TestPauseIsShownAndAudited(t *testing.T) {
	f := start(t)
	b := f.signedIn("operator")
	const path = "/api/districts/fontaine/devices/ecole/battery-1"
	if status, body := b.do("POST", path+"/pause", map[string]any{"reason": "cell exchange", "minutes": 90}); status != 200 {
		t.Fatalf("pause answered %d %s", status, body)
	}
	d := get[console.DeviceDetail](b, path)
	if d.Paused == nil || d.Paused.Reason != "cell exchange" || !d.Paused.Until.Equal(noon.Add(90*time.Minute)) || d.Paused.Actor != "operator" {
		t.Errorf("paused = %+v, want until 13:30 by operator", d.Paused)
	}
	if status, _ := b.do("POST", path+"/resume", map[string]any{"reason": "done"}); status != 200 {
		t.Errorf("resume answered %d", status)
	}
	if d := get[console.DeviceDetail](b, path); d.Paused != nil {
		t.Errorf("still paused: %+v", d.Paused)
	}
	if status, _ := b.do("POST", "/api/districts/fontaine/devices/ecole/meter/pause", map[string]any{"reason": "cell exchange", "minutes": 90}); status != 409 {
		t.Errorf("pausing a meter answered %d, want 409", status)
	}
	var actions []string
	for _, e := range get[[]store.Event](f.signedIn("admin"), "/api/audit") {
		actions = append(actions, e.Action)
	}
	if got := strings.Join(actions, " "); !strings.Contains(got, "device-resumed device-paused sign-in") {
		t.Errorf("audit log, newest first: %s", got)
	}
}

func TestSignIn(t *testing.T) {
	f := start(t)
	b := f.browser()
	for i := range 5 {
		if status, _ := b.do("POST", "/api/session", map[string]string{"name": "viewer", "password": "wrong password"}); status != 401 {
			t.Fatalf("failure %d answered %d, want 401", i+1, status)
		}
	}
	resp := b.request("POST", "/api/session", map[string]string{"name": "viewer", "password": "quartier-demo"})
	resp.Body.Close()
	if resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" {
		t.Errorf("the sixth try answered %d with Retry-After %q, want 429 and a wait", resp.StatusCode, resp.Header.Get("Retry-After"))
	}
	if status, _ := b.do("POST", "/api/session", map[string]string{"name": "operator", "password": "quartier-demo"}); status != 200 {
		t.Errorf("another account from the same address answered %d, want 200", status)
	}
	unknown, _ := f.browser().do("POST", "/api/session", map[string]string{"name": "nobody", "password": "quartier-demo"})
	if unknown != 401 {
		t.Errorf("an unknown name answered %d, want 401 like a wrong password", unknown)
	}
	failed := 0
	for _, e := range get[[]store.Event](f.signedIn("admin"), "/api/audit") {
		if e.Action == "sign-in-failed" {
			failed++
		}
	}
	if failed != 6 {
		t.Errorf("the audit log has %d failures, want 6", failed)
	}
}

func TestSessionCookie(t *testing.T) {
	for _, secure := range []bool{false, true} {
		f := start(t, func(d *console.Deps) { d.SecureCookie = secure })
		resp := f.browser().request("POST", "/api/session", map[string]string{"name": "viewer", "password": "quartier-demo"})
		resp.Body.Close()
		c := resp.Cookies()
		if len(c) != 1 || !c[0].HttpOnly || c[0].SameSite != http.SameSiteLaxMode || c[0].Secure != secure || c[0].Path != "/" || strings.HasPrefix(c[0].Name, "__Host-") != secure {
			t.Errorf("secure %v: cookie %+v", secure, c)
		}
	}
}

func TestSessionsEnd(t *testing.T) {
	f := start(t)
	viewer, other, admin := f.signedIn("viewer"), f.signedIn("viewer"), f.signedIn("admin")
	alive := func(b *browser) bool { status, _ := b.do("GET", "/api/session", nil); return status == 200 }
	if status, _ := viewer.do("PUT", "/api/session/password", map[string]string{"current": "quartier-demo", "new": "a long enough phrase"}); status != 200 {
		t.Fatalf("change of password answered %d", status)
	}
	if !alive(viewer) || alive(other) {
		t.Errorf("after a change of password: own session alive %v, want true; other %v, want false", alive(viewer), alive(other))
	}
	if status, _ := f.browser().do("POST", "/api/session", map[string]string{"name": "viewer", "password": "quartier-demo"}); status != 401 {
		t.Errorf("the old password answered %d, want 401", status)
	}
	if status, body := admin.do("PUT", "/api/users/viewer", map[string]any{"role": "viewer", "language": "en", "disabled": true}); status != 200 {
		t.Fatalf("disabling answered %d %s", status, body)
	}
	if alive(viewer) {
		t.Error("a disabled account is still signed in")
	}
	if status, _ := admin.do("DELETE", "/api/session", nil); status != 204 || alive(admin) {
		t.Errorf("sign-out answered %d, want 204 and no session", status)
	}
}

func TestUsers(t *testing.T) {
	f := start(t)
	b := f.signedIn("admin")
	for _, tt := range []struct {
		name string
		body map[string]any
		want int
	}{
		{"a viewer", map[string]any{"name": "lea", "password": "correct horse battery", "role": "viewer", "language": "fr"}, 201},
		{"the same again", map[string]any{"name": "lea", "password": "correct horse battery", "role": "viewer", "language": "fr"}, 409},
		{"a short password", map[string]any{"name": "max", "password": "short", "role": "viewer", "language": "fr"}, 422},
		{"an unknown role", map[string]any{"name": "max", "password": "correct horse battery", "role": "root", "language": "fr"}, 422},
		{"a resident of nothing", map[string]any{"name": "max", "password": "correct horse battery", "role": "resident", "language": "fr"}, 422},
		{"a resident", map[string]any{"name": "max", "password": "correct horse battery", "role": "resident", "district": "fontaine", "member": "m-002", "language": "fr"}, 201},
		{"a viewer of a member", map[string]any{"name": "eve", "password": "correct horse battery", "role": "viewer", "district": "fontaine", "member": "m-002", "language": "fr"}, 422},
		{"an unknown field", map[string]any{"name": "eve", "password": "correct horse battery", "role": "viewer", "language": "fr", "admin": true}, 422},
	} {
		status, body := b.do("POST", "/api/users", tt.body)
		if status != tt.want {
			t.Errorf("%s: answered %d, want %d: %s", tt.name, status, tt.want, body)
		}
		if bytes.Contains(body, []byte("argon2")) {
			t.Errorf("%s: the answer holds a password hash", tt.name)
		}
	}
	if status, _ := b.do("PUT", "/api/users/admin", map[string]any{"role": "viewer", "language": "en", "disabled": false}); status != 409 {
		t.Errorf("an administrator who gives up his own role got %d, want 409", status)
	}
	if _, body := b.do("GET", "/api/users", nil); bytes.Contains(body, []byte("argon2")) {
		t.Error("the list of accounts holds password hashes")
	}
}

func TestProblemsAreRFC9457(t *testing.T) {
	f := start(t)
	for path, want := range map[string]int{"/api/nothing": 404, "/api/users": 401} {
		resp := f.browser().request("GET", path, nil)
		var p struct {
			Status int
			Title  string
			Detail string
		}
		err := json.NewDecoder(resp.Body).Decode(&p)
		resp.Body.Close()
		if err != nil || resp.StatusCode != want || p.Status != want || p.Title == "" || p.Detail == "" || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("GET %s answered %d %q %+v (%v)", path, resp.StatusCode, resp.Header.Get("Content-Type"), p, err)
		}
	}
}

func TestStoreDown(t *testing.T) {
	f := start(t)
	b := f.signedIn("viewer")
	f.world.Store.SetDown(errors.New("disk full at sector 7"))
	if status, body := b.do("GET", "/api/districts/fontaine/overview", nil); status != 503 || bytes.Contains(body, []byte("sector 7")) {
		t.Errorf("with the store down: %d %s, want 503 without the inner cause", status, body)
	}
	if status, _ := b.do("GET", "/healthz", nil); status != 503 {
		t.Errorf("healthz with the store down answered %d, want 503", status)
	}
	f.world.Store.SetDown(nil)
	if status, _ := b.do("GET", "/healthz", nil); status != 200 {
		t.Errorf("healthz answered %d, want 200", status)
	}
}

func TestHeaders(t *testing.T) {
	f := start(t)
	resp := f.browser().request("GET", "/", nil)
	resp.Body.Close()
	csp := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("Content-Security-Policy %q lacks %q", csp, want)
		}
	}
	if strings.Contains(csp, "unsafe") {
		t.Errorf("Content-Security-Policy %q allows inline code", csp)
	}
	if resp.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("no nosniff")
	}
	b := f.signedIn("viewer")
	b.http.Transport = &http.Transport{DisableCompression: true}
	for path, want := range map[string]string{"/api/districts/fontaine/day": "gzip", "/api/districts/fontaine/balance.csv": "gzip"} {
		resp := b.request("GET", path, nil, "Accept-Encoding", "gzip")
		resp.Body.Close()
		if got := resp.Header.Get("Content-Encoding"); got != want {
			t.Errorf("GET %s has encoding %q, want %q", path, got, want)
		}
		if got := resp.Header.Get("Cache-Control"); got != "no-store" {
			t.Errorf("GET %s has cache-control %q, want no-store", path, got)
		}
	}
	if status, body := f.browser().do("GET", "/metrics", nil); status != 200 || !bytes.Contains(body, []byte("quartier_console_requests_total")) {
		t.Errorf("/metrics answered %d", status)
	}
}

// TestLearnedRoomsAreShown: a fact that is a word has it beside its key, and what is configured of the rooms is among the parameters.
func TestLearnedRoomsAreShown(t *testing.T) {
	got := get[console.DeviceDetail](start(t).signedIn("viewer"), "/api/districts/fontaine/devices/ecole/heat_pump-1")
	word, configured := map[string]string{}, map[string]float64{}
	for _, f := range got.Learned {
		word[f.Key] = f.Word
	}
	for _, p := range got.Parameters {
		configured[p.Key] = p.Value
	}
	if word["in_use"] != "identified_with_gains" || word["why"] != "better" || word["gains_kw"] != "" {
		t.Errorf("learned = %+v", got.Learned)
	}
	if configured["resistance_k_per_kw"] != 0.28 || configured["capacity_kwh_per_k"] != 330 || configured["gains_kw"] != 9 {
		t.Errorf("parameters = %+v", got.Parameters)
	}
}

// TestLearnedIsShown: what measurements show of a device is with its detail, and an empty list where that is nothing.
func TestLearnedIsShown(t *testing.T) {
	deviation := 0.001
	f := start(t, func(d *console.Deps) {
		d.Learned = func(district, site, device string) []console.Learned {
			if district != "fontaine" || site != "ecole" || device != "battery-1" {
				return nil
			}
			return []console.Learned{{Key: "loss_per_hour", Value: 0.005, Unit: "1", Deviation: &deviation}}
		}
	})
	b := f.signedIn("viewer")
	const site = "/api/districts/fontaine/devices/ecole/"
	if got := get[console.DeviceDetail](b, site+"battery-1").Learned; len(got) != 1 || got[0].Value != 0.005 || *got[0].Deviation != 0.001 {
		t.Errorf("learned = %+v, want a loss of 0.005 ± 0.001", got)
	}
	if got := get[console.DeviceDetail](b, site+"meter").Learned; got == nil || len(got) != 0 {
		t.Errorf("of the meter %+v is learned, want an empty list", got)
	}
}
