package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"quartier/schemas/alarm"
)

var noon = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func notice(n int, severity string, what alarm.What) Notice {
	c := alarm.Condition{Key: "device-lost", Object: fmt.Sprintf("fontaine/ecole/pv%d", n), Severity: severity, Detail: "tcp 10.0.0.7:502: i/o timeout\nagain", Since: noon.Add(-time.Minute)}
	return New(alarm.Change{Alarm: alarm.Alarm{Condition: c, Raised: noon.Add(-30 * time.Second)}, What: what, At: noon.Add(time.Duration(n) * time.Second)}, "fontaine", "Fontaine Nord", fmt.Sprintf("École · PV %d", n))
}

func words(language, key string) string {
	return map[string]string{"en": "Device lost", "fr": "Appareil injoignable"}[language] + map[bool]string{true: "", false: key}[key == "device-lost"]
}

// certificates returns the configuration of a server on loopback and of who trusts it.
func certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	srv := httptest.NewTLSServer(http.NotFoundHandler())
	defer srv.Close()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	return &tls.Config{Certificates: srv.TLS.Certificates}, &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
}

func mailTo(s *mailServer, client *tls.Config) Mail {
	return Mail{Server: s.addr, Mode: "starttls", TLS: client, User: "quartier", Password: "s3cret", From: "quartier@plant.example", To: "olga@plant.example", Language: "fr", Words: words,
		Zone: func(string) *time.Location { return time.UTC }, Page: "https://quartier.example", Rhythm: Rhythm{RetryFrom: time.Millisecond, RetryUpTo: 5 * time.Millisecond}}
}

// logs collects what is logged, which never holds a secret.
func logs(t *testing.T) *slog.Logger {
	t.Helper()
	var mu sync.Mutex
	var b bytes.Buffer
	t.Cleanup(func() {
		mu.Lock()
		defer mu.Unlock()
		if strings.Contains(b.String(), "s3cret") {
			t.Errorf("a secret is in the log: %s", b.String())
		}
	})
	return slog.New(slog.NewTextHandler(writer(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return b.Write(p)
	}), nil))
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

// running runs a notifier until the returned function is called.
func running(t *testing.T, n *Notifier) func() {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); n.Run(ctx) }()
	var once sync.Once
	stop := func() { once.Do(func() { cancel(); <-done }) }
	t.Cleanup(stop)
	return stop
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(what + ": not within a minute")
		}
	}
}

// parsed reads a mail as anybody would.
func parsed(t *testing.T, raw string) (subject, body string, header mail.Header) {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	subject, err = new(mime.WordDecoder).DecodeHeader(m.Header.Get("Subject"))
	if err != nil {
		t.Fatal(err)
	}
	var r io.Reader = m.Body
	if strings.EqualFold(m.Header.Get("Content-Transfer-Encoding"), "quoted-printable") {
		r = quotedprintable.NewReader(r)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return subject, strings.ReplaceAll(string(text), "\r\n", "\n"), m.Header
}

// TestMail: by STARTTLS, by TLS from the first byte, and without on loopback, one alarm is one readable mail, signed in for.
func TestMail(t *testing.T) {
	server, client := certificates(t)
	for _, mode := range []string{"starttls", "implicit", "none"} {
		t.Run(mode, func(t *testing.T) {
			secure := server
			if mode == "none" {
				secure = nil
			}
			s := newMailServer(t, secure, func(s *mailServer) { s.implicit = mode == "implicit" })
			m := mailTo(s, client)
			m.Mode = mode
			n := NewNotifier(t.TempDir(), logs(t))
			n.AddMail(m)
			running(t, n)
			n.Tell([]Notice{notice(1, "error", alarm.Raised)})
			until(t, "the mail", func() bool { return len(s.taken()) == 1 })
			subject, body, header := parsed(t, s.taken()[0])
			if subject != "[Fontaine Nord] Appareil injoignable (École · PV 1)" {
				t.Errorf("subject %q", subject)
			}
			for _, part := range []string{"DÉCLENCHÉES", "2026-11-27 12:00 UTC  Défaut\u00a0: Appareil injoignable", "Fontaine Nord, École · PV 1", "i/o timeout again", "https://quartier.example"} {
				if !strings.Contains(body, part) {
					t.Errorf("the body lacks %q:\n%s", part, body)
				}
			}
			if header.Get("Auto-Submitted") != "auto-generated" || !strings.Contains(header.Get("To"), "olga@plant.example") || !strings.HasSuffix(header.Get("Message-ID"), "@plant.example>") {
				t.Errorf("header %v", header)
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if len(s.logins) != 1 || s.logins[0] != "quartier" || s.clear > 0 && mode != "none" {
				t.Errorf("signed in as %v, %d times unencrypted", s.logins, s.clear)
			}
		})
	}
}

// TestMailIsSafe: without encryption, with a certificate that nobody trusts, or with a refused password nothing is sent, the password stays here and the alarm waits.
func TestMailIsSafe(t *testing.T) {
	server, client := certificates(t)
	for _, c := range []struct {
		name string
		set  func(*mailServer)
		mail func(*Mail)
	}{
		{"no encryption is offered", func(s *mailServer) { s.starttls = false }, nil},
		{"a stranger's certificate", nil, func(m *Mail) { m.TLS = nil }},
		{"a wrong password", func(s *mailServer) { s.password = "other" }, nil},
		{"busy", func(s *mailServer) {
			s.answer = func(line string) string {
				if strings.HasPrefix(line, "MAIL") {
					return "451 4.7.1 s3cret later"
				}
				return ""
			}
		}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newMailServer(t, server, c.set)
			m := mailTo(s, client)
			if c.mail != nil {
				c.mail(&m)
			}
			n := NewNotifier(t.TempDir(), logs(t))
			n.AddMail(m)
			running(t, n)
			n.Tell([]Notice{notice(1, "error", alarm.Raised)})
			until(t, "three failures", func() bool { return n.Status()[0].Failures >= 3 })
			st := n.Status()[0]
			if st.Waiting != 1 || st.Err == "" || strings.Contains(st.Err, "s3cret") || len(s.taken()) > 0 {
				t.Errorf("%+v, %d mails", st, len(s.taken()))
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.clear > 0 {
				t.Error("the password went out unencrypted")
			}
		})
	}
}

// TestStorm: a thousand alarms are one mail, a hundred of them in words, and what comes soon after waits for the next.
func TestStorm(t *testing.T) {
	server, client := certificates(t)
	s := newMailServer(t, server, nil)
	m := mailTo(s, client)
	m.Language, m.Rhythm.Gather, m.Rhythm.Between = "en", 300*time.Millisecond, time.Hour
	n := NewNotifier(t.TempDir(), logs(t))
	n.AddMail(m)
	running(t, n)
	for i := range 400 {
		n.Tell([]Notice{notice(i, []string{"warning", "error"}[i%2], alarm.Raised)})
	}
	n.Tell([]Notice{notice(1000, "error", alarm.Cleared)})
	until(t, "the mail", func() bool { return len(s.taken()) == 1 })
	subject, body, _ := parsed(t, s.taken()[0])
	if subject != "[Fontaine Nord] 400 alarms, 1 over" || !strings.Contains(body, "and 300 more") || strings.Count(body, "Error:") != 100 {
		t.Errorf("subject %q, body\n%.600s", subject, body)
	}
	n.Tell([]Notice{notice(2000, "error", alarm.Raised)})
	time.Sleep(time.Second) // that nothing happens takes its time
	if st := n.Status()[0]; len(s.taken()) != 1 || st.Waiting != 1 {
		t.Errorf("%d mails, %+v", len(s.taken()), st)
	}
}

// TestMailOfOneThatIsOver: the subject says what is over, and a district is named once.
func TestMailOfOneThatIsOver(t *testing.T) {
	m := Mail{Language: "fr", Words: func(_, key string) string { return key }, Zone: func(string) *time.Location { return time.UTC }}
	over := notice(1, "warning", alarm.Cleared)
	over.ObjectName = over.Name
	subject, body := m.text([]Notice{over}, 0)
	if want := "[" + over.Name + "] terminée\u00a0: " + over.Key + " (" + over.Name + ")"; subject != want {
		t.Errorf("subject %q, want %q", subject, want)
	}
	if strings.Count(body, over.Name) != 1 {
		t.Errorf("the district is named more than once:\n%s", body)
	}
}

// TestQueueSurvives: what could not be told before a restart is told after it, once, and the least time between two mails holds across it.
func TestQueueSurvives(t *testing.T) {
	server, client := certificates(t)
	var away atomic.Bool
	away.Store(true)
	s := newMailServer(t, server, func(s *mailServer) {
		s.answer = func(string) string {
			if away.Load() {
				return "421 4.3.2 closing"
			}
			return ""
		}
	})
	dir := t.TempDir()
	n := NewNotifier(dir, logs(t))
	n.AddMail(mailTo(s, client))
	stop := running(t, n)
	n.Tell([]Notice{notice(1, "error", alarm.Raised), notice(2, "warning", alarm.Raised)})
	until(t, "a failure", func() bool { return n.Status()[0].Failures > 0 })
	n.Tell([]Notice{notice(3, "error", alarm.Raised), notice(1, "error", alarm.Raised)})
	stop()
	away.Store(false)
	n = NewNotifier(dir, logs(t))
	m := mailTo(s, client)
	m.Rhythm.Between = time.Hour
	n.AddMail(m)
	if st := n.Status()[0]; st.Waiting != 3 {
		t.Errorf("%+v, want 3 that wait", st)
	}
	stop = running(t, n)
	until(t, "the mail", func() bool { return len(s.taken()) == 1 && n.Status()[0].Waiting == 0 })
	if _, body, _ := parsed(t, s.taken()[0]); strings.Count(body, "Appareil injoignable") != 3 {
		t.Errorf("body\n%s", body)
	}
	stop()
	n = NewNotifier(dir, logs(t))
	n.AddMail(m)
	running(t, n)
	n.Tell([]Notice{notice(4, "error", alarm.Raised)})
	time.Sleep(500 * time.Millisecond)
	if len(s.taken()) != 1 {
		t.Error("a mail within the least time between two, after a restart")
	}
}

// TestLostAnswer: a mail whose answer is lost is sent again as the same mail.
func TestLostAnswer(t *testing.T) {
	server, client := certificates(t)
	s := newMailServer(t, server, func(s *mailServer) { s.hangUps = 1 })
	n := NewNotifier(t.TempDir(), logs(t))
	n.AddMail(mailTo(s, client))
	running(t, n)
	n.Tell([]Notice{notice(1, "error", alarm.Raised)})
	until(t, "the mail", func() bool { return len(s.taken()) == 1 && n.Status()[0].Waiting == 0 })
	a, err := mailTo(s, client).message([]Notice{notice(1, "error", alarm.Raised)}, 0, noon)
	if err != nil {
		t.Fatal(err)
	}
	_, _, header := parsed(t, s.taken()[0])
	if got := a.GetMessageID(); got != header.Get("Message-ID") {
		t.Errorf("message id %s, want %s", header.Get("Message-ID"), got)
	}
}

// hook is a receiver of posts that refuses what is not signed by the secret.
type hook struct {
	t      *testing.T
	mu     sync.Mutex
	status []int // of the next answers; then 204
	got    map[string]int
	order  []string
	bodies []string
}

func (h *hook) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	var at int64
	var mac string
	if _, err := fmt.Sscanf(r.Header.Get(SignatureHeader), "t=%d,v1=%s", &at, &mac); err != nil {
		h.t.Errorf("signature %q", r.Header.Get(SignatureHeader))
	}
	want := hmac.New(sha256.New, []byte("s3cret"))
	fmt.Fprintf(want, "%d.%s", at, body)
	if mac != hex.EncodeToString(want.Sum(nil)) || time.Since(time.Unix(at, 0)).Abs() > time.Minute {
		h.t.Errorf("signed %s at %d", mac, at)
	}
	id := r.Header.Get(IdempotencyHeader)
	h.got[id]++
	h.order, h.bodies = append(h.order, id), append(h.bodies, string(body))
	if len(h.status) > 0 {
		s := h.status[0]
		h.status = h.status[1:]
		if s == 429 {
			w.Header().Set("Retry-After", "1")
		}
		if s == 302 {
			w.Header().Set("Location", "/elsewhere")
		}
		w.WriteHeader(s)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

// TestWebhook: each alarm is one signed post in its order, that comes again with the same key until it is taken; one that is not understood keeps the others waiting for nothing.
func TestWebhook(t *testing.T) {
	h := &hook{t: t, got: map[string]int{}, status: []int{500, 429, 302, 204, 400}}
	srv := httptest.NewServer(h)
	defer srv.Close()
	n := NewNotifier(t.TempDir(), logs(t))
	n.AddWebhook(Webhook{URL: srv.URL + "/hooks/s3cret", Secret: "s3cret", Rhythm: Rhythm{RetryFrom: time.Millisecond, RetryUpTo: 5 * time.Millisecond}})
	running(t, n)
	all := []Notice{notice(1, "error", alarm.Raised), notice(2, "warning", alarm.Raised), notice(1, "error", alarm.Cleared)}
	n.Tell(all)
	until(t, "all are told", func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.order) == 6 && n.Status()[0].Waiting == 0
	})
	h.mu.Lock()
	defer h.mu.Unlock()
	want := []string{all[0].ID, all[0].ID, all[0].ID, all[0].ID, all[1].ID, all[2].ID}
	if strings.Join(h.order, " ") != strings.Join(want, " ") {
		t.Errorf("order %v, want %v", h.order, want)
	}
	if st := n.Status()[0]; st.Dropped != 1 || strings.Contains(st.To+st.Err, "s3cret") {
		t.Errorf("%+v", st)
	}
	var p map[string]any
	if err := json.Unmarshal([]byte(h.bodies[0]), &p); err != nil || p["version"] != 1. || p["event"] != "raised" || p["object"] != "fontaine/ecole/pv1" || p["time"] != "2026-11-27T12:00:01Z" {
		t.Errorf("body %s, %v", h.bodies[0], err)
	}
}

// TestLeast: who wants errors alone is not told of warnings; who is away keeps nobody else waiting.
func TestLeast(t *testing.T) {
	h := &hook{t: t, got: map[string]int{}}
	srv := httptest.NewServer(h)
	defer srv.Close()
	n := NewNotifier(t.TempDir(), logs(t))
	n.AddWebhook(Webhook{URL: "http://127.0.0.1:1/away", Secret: "s3cret"})
	n.AddWebhook(Webhook{URL: srv.URL, Secret: "s3cret", Least: "error"})
	running(t, n)
	n.Tell([]Notice{notice(1, "warning", alarm.Raised), notice(2, "error", alarm.Raised)})
	until(t, "the error is told", func() bool { return !n.Status()[1].Told.IsZero() })
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.order) != 1 || h.order[0] != notice(2, "error", alarm.Raised).ID {
		t.Errorf("told %v", h.order)
	}
}

// TestBounds: what waits is bounded, how much was lost is told, and a disk that takes nothing costs no alarm while the process lives.
func TestBounds(t *testing.T) {
	q := openQueue(filepath.Join(t.TempDir(), "q.json"), "olga", logs(t))
	var all []Notice
	for i := range maxWaiting + 7 {
		all = append(all, notice(i, "error", alarm.Raised))
	}
	q.push(all, time.Now())
	batch, dropped := q.peek(10)
	if dropped != 7 || batch[0].ID != all[7].ID || q.state().Waiting != maxWaiting {
		t.Errorf("%d dropped, first %s, %+v", dropped, batch[0].ID, q.state())
	}
	q.push([]Notice{notice(5000, "error", alarm.Raised)}, time.Now()) // pushes out one of the batch
	q.done(batch, dropped)
	if _, dropped := q.peek(1); q.state().Waiting != maxWaiting-9 || dropped != 1 {
		t.Errorf("%+v, %d dropped", q.state(), dropped)
	}
	q.drop(0)
	if q.state().Waiting != 0 {
		t.Errorf("%+v", q.state())
	}
	_, text := Mail{Language: "fr", Words: words, Zone: func(string) *time.Location { return nil }}.text(all[:1], 7)
	if !strings.Contains(text, "7 alarmes précédentes") {
		t.Errorf("text %s", text)
	}
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	q = openQueue(filepath.Join(file, "q.json"), "olga", logs(t))
	q.push(all[:3], time.Now())
	if batch, _ := q.peek(9); len(batch) != 3 {
		t.Errorf("%d wait", len(batch))
	}
	if err := os.WriteFile(file+".json", []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if q = openQueue(file+".json", "olga", logs(t)); q.state().Waiting != 0 {
		t.Errorf("%+v of half a file", q.state())
	}
}
