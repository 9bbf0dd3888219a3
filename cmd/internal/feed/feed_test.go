package feed

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/logtest"
	"quartier/schemas/timegrid"
)

const token = "c0ffee-secret+token"

// source is a source of prices at an address.
func source(address string) Source {
	return Source{Name: "prices", Place: "prices of 10YFR-RTE------C", Secret: token, Types: []string{"text/xml", "application/xml"},
		URL:  func(time.Time) string { return address + "/api?securityToken=c0ffee-secret%2Btoken" },
		Read: func(data []byte) (Bulletin, error) { return ReadEntsoe(data, "") }}
}

// noon is a time of the spring day.
var noon = time.Date(2026, 3, 29, 10, 0, 0, 0, time.UTC)

func options(t *testing.T, dir string) (Options, *logtest.Buffer) {
	t.Helper()
	l := &logtest.Buffer{}
	t.Cleanup(func() {
		if strings.Contains(l.String(), "c0ffee") {
			t.Errorf("the token is in the log: %s", l)
		}
	})
	return Options{Dir: dir, Timeout: time.Minute, Now: func() time.Time { return noon }, Log: slog.New(slog.NewTextHandler(l, nil))}, l
}

func xmlType(w http.ResponseWriter) { w.Header().Set("Content-Type", "text/xml; charset=utf-8") }

// TestAnswers: what servers do, and what becomes of it.
func TestAnswers(t *testing.T) {
	doc := document(t, "entsoe-spring-15.xml")
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(fmt.Sprint(r.Header, r.URL), "c0ffee") {
			t.Errorf("the token came to another server: %v %v", r.Header, r.URL)
		}
		xmlType(w)
		w.Write(doc)
	}))
	defer other.Close()
	release := make(chan struct{})
	defer close(release)
	for _, c := range []struct {
		name  string
		serve http.HandlerFunc
		err   string // of the attempt; empty: the prices are known
		opt   func(*Options)
	}{
		{"a document", func(w http.ResponseWriter, r *http.Request) { xmlType(w); w.Write(doc) }, "", nil},
		{"gzip", func(w http.ResponseWriter, r *http.Request) {
			xmlType(w)
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(doc)
			z.Close()
		}, "", nil},
		{"no type", func(w http.ResponseWriter, r *http.Request) { w.Header()["Content-Type"] = nil; w.Write(doc) }, "", nil},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/moved", http.StatusFound)
		}, "", nil},
		{"redirects in a circle", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.String(), http.StatusFound)
		}, "more than 3 redirects", nil},
		{"slow", func(w http.ResponseWriter, r *http.Request) {
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}, "no whole answer within 50ms", func(o *Options) { o.Timeout = 50 * time.Millisecond }},
		{"a body that never ends", func(w http.ResponseWriter, r *http.Request) {
			xmlType(w)
			w.Write(doc[:100])
			w.(http.Flusher).Flush()
			select {
			case <-release:
			case <-r.Context().Done():
			}
		}, "no whole answer within 200ms", func(o *Options) { o.Timeout = 200 * time.Millisecond }},
		{"half a body", func(w http.ResponseWriter, r *http.Request) {
			xmlType(w)
			w.Header().Set("Content-Length", fmt.Sprint(len(doc)))
			w.Write(doc[:len(doc)/2])
		}, "unexpected EOF", nil},
		{"half a document", func(w http.ResponseWriter, r *http.Request) { xmlType(w); w.Write(doc[:len(doc)/2]) }, "unexpected EOF", nil},
		{"no document", func(w http.ResponseWriter, r *http.Request) { xmlType(w) }, "no XML document", nil},
		{"500", func(w http.ResponseWriter, r *http.Request) {
			http.Error(w, "token c0ffee-secret+token\nfailed", http.StatusInternalServerError)
		}, "status 500 Internal Server Error: token … failed", nil},
		{"401", func(w http.ResponseWriter, r *http.Request) {
			xmlType(w)
			w.WriteHeader(http.StatusUnauthorized)
			io.WriteString(w, `<Acknowledgement_MarketDocument><Reason><code>999</code><text>Unauthorized. Missing or invalid security token.</text></Reason></Acknowledgement_MarketDocument>`)
		}, "Missing or invalid security token", nil},
		{"429", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "77")
			w.WriteHeader(http.StatusTooManyRequests)
		}, "again in 1m17s", nil},
		{"a web page", func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "<!doctype html><title>Maintenance</title>")
		}, "text/html", nil},
		{"gigantic", func(w http.ResponseWriter, r *http.Request) {
			xmlType(w)
			for range 64 {
				if _, err := w.Write(make([]byte, 64<<10)); err != nil {
					return
				}
			}
		}, "longer than 65536 bytes", func(o *Options) { o.MaxBytes = 64 << 10 }},
		{"gigantic when unpacked", func(w http.ResponseWriter, r *http.Request) {
			xmlType(w)
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			z.Write(make([]byte, 1<<20))
			z.Close()
		}, "longer than 65536 bytes", func(o *Options) { o.MaxBytes = 64 << 10 }},
		{"a closed door", nil, "refused", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			srv := httptest.NewServer(c.serve)
			defer srv.Close()
			if c.serve == nil {
				srv.Close()
			}
			opt, _ := options(t, t.TempDir())
			if c.opt != nil {
				c.opt(&opt)
			}
			f := New(source(srv.URL), opt)
			err := f.Fetch(t.Context())
			st := f.Status(noon)
			v, ok := f.Value(DayAheadPrice, timegrid.NewSpan(noon, noon.Add(15*time.Minute)))
			if c.err == "" {
				if err != nil || !ok || !near(v, .012) || st.Err != "" || !st.Answered.Equal(noon) {
					t.Fatalf("%v, price %v %v, %+v", err, v, ok, st)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "c0ffee") {
				t.Errorf("error %v, want %q", err, c.err)
			}
			if ok || st.Err != err.Error() || st.Failures != 1 || !st.Failing.Equal(noon) {
				t.Errorf("price %v, %+v", v, st)
			}
		})
	}
}

// TestNothingIsNoFault: a source that has no prices yet answers, with either status, and what was published stays.
func TestNothingIsNoFault(t *testing.T) {
	nothing := false
	status := http.StatusOK
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		xmlType(w)
		if nothing {
			w.WriteHeader(status)
			w.Write(document(t, "entsoe-nothing.xml"))
			return
		}
		w.Write(document(t, "entsoe-spring-15.xml"))
	}))
	defer srv.Close()
	opt, _ := options(t, "")
	f := New(source(srv.URL), opt)
	for i, s := range []int{0, http.StatusOK, http.StatusBadRequest} {
		nothing, status = i > 0, s
		if err := f.Fetch(t.Context()); err != nil {
			t.Errorf("status %d: %v", s, err)
		}
	}
	if st := f.Status(noon); st.Failures != 0 || !st.Until.Equal(instant(t, "2026-03-29T22:00:00Z")) {
		t.Errorf("%+v", st)
	}
}

// TestRestart: the last document survives, is not asked for again while it is new, and its marks are sent to the same address.
func TestRestart(t *testing.T) {
	var asked, unchanged atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		xmlType(w)
		w.Header().Set("ETag", `"7"`)
		if r.Header.Get("If-None-Match") == `"7"` {
			unchanged.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Write(document(t, "entsoe-spring-15.xml"))
	}))
	defer srv.Close()
	dir := filepath.Join(t.TempDir(), "feeds")
	opt, _ := options(t, dir)
	if err := New(source(srv.URL), opt).Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(dir, "prices.json"))
	if err != nil || strings.Contains(string(data), "c0ffee") {
		t.Fatalf("%v; the token is in the file: %v", err, err == nil)
	}
	srv.CloseClientConnections()
	told := make(chan Bulletin, 1)
	opt.Published = func(b Bulletin) { told <- b }
	again := New(source(srv.URL), opt)
	if v, ok := again.Value(DayAheadPrice, timegrid.NewSpan(noon, noon.Add(time.Hour))); !ok || !near(v, .012) {
		t.Errorf("after a restart the price is %v %v", v, ok)
	}
	if st := again.Status(noon); !st.Answered.Equal(noon) || st.Until.IsZero() {
		t.Errorf("%+v", st)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); again.Run(ctx) }()
	if b := <-told; len(b.Series) != 1 {
		t.Errorf("told of %d series", len(b.Series))
	}
	cancel()
	<-done
	if n := asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once: the document is new", n)
	}
	if err := again.Fetch(t.Context()); err != nil || unchanged.Load() != 1 {
		t.Errorf("%v, %d unchanged", err, unchanged.Load())
	}
	if v, ok := again.Value(DayAheadPrice, timegrid.NewSpan(noon, noon.Add(time.Hour))); !ok || !near(v, .012) {
		t.Errorf("after an unchanged document the price is %v %v", v, ok)
	}
	moved := source(srv.URL)
	moved.Place = "prices of another area"
	if f := New(moved, opt); !f.Status(noon).Answered.IsZero() {
		t.Error("the document of another place is taken")
	}
	if err := os.WriteFile(filepath.Join(dir, "prices.json"), data[:len(data)/2], 0o600); err != nil {
		t.Fatal(err)
	}
	torn := New(source(srv.URL), opt)
	if err := torn.Fetch(t.Context()); err != nil {
		t.Errorf("after a torn file: %v", err)
	}
	if f := New(source(srv.URL), opt); f.Status(noon).Answered.IsZero() {
		t.Error("the torn file was not written anew")
	}
}

// TestDisk: a folder that takes nothing costs the cache and nothing else.
func TestDisk(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		xmlType(w)
		w.Write(document(t, "entsoe-spring-15.xml"))
	}))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	opt, l := options(t, filepath.Join(file, "feeds"))
	f := New(source(srv.URL), opt)
	for range 2 {
		if err := f.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(l.String(), "not kept"); n != 1 {
		t.Errorf("warned %d times: %s", n, l)
	}
}

// TestSilence: what is published holds while the source fails, then is absent; the source counts as silent after its time, and is well again at once.
func TestSilence(t *testing.T) {
	var fails atomic.Bool
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if fails.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		xmlType(w)
		w.Write(document(t, "entsoe-spring-15.xml"))
	}))
	defer srv.Close()
	opt, l := options(t, "")
	now := noon
	opt.Now = func() time.Time { return now }
	f := New(source(srv.URL), opt)
	if err := f.Fetch(t.Context()); err != nil {
		t.Fatal(err)
	}
	fails.Store(true)
	for range 30 {
		now = now.Add(15 * time.Minute)
		if err := f.Fetch(t.Context()); err == nil {
			t.Fatal("no error")
		}
	}
	if _, ok := f.Value(DayAheadPrice, timegrid.NewSpan(now, now.Add(15*time.Minute))); !ok {
		t.Error("the published price is gone")
	}
	if _, ok := f.Value(DayAheadPrice, timegrid.NewSpan(now.Add(12*time.Hour), now.Add(13*time.Hour))); ok {
		t.Error("there is a price that nobody published")
	}
	st := f.Status(now)
	if !st.Silent || st.Failures != 30 || !st.Answered.Equal(noon) || !st.Failing.Equal(noon.Add(15*time.Minute)) {
		t.Errorf("%+v", st)
	}
	if n := strings.Count(l.String(), "does not answer"); n != 1 {
		t.Errorf("%d lines about one silence", n)
	}
	fails.Store(false)
	if err := f.Fetch(t.Context()); err != nil || f.Status(now).Silent || f.Status(now).Err != "" {
		t.Errorf("%v, %+v", err, f.Status(now))
	}
}

// TestPause: waits double up to their bound and are spread, a server's wish is heard, and what will not change is not asked for soon.
func TestPause(t *testing.T) {
	f := New(source("http://feed.example"), Options{Every: time.Hour, RetryFrom: time.Minute, RetryUpTo: 20 * time.Minute})
	between := func(what string, err error, failures int, low, high time.Duration) {
		t.Helper()
		f.failures = failures
		seen := map[time.Duration]bool{}
		for range 50 {
			d := f.pause(err)
			seen[d] = true
			if d < low || d > high {
				t.Errorf("%s: %v lies outside %v to %v", what, d, low, high)
			}
		}
		if len(seen) < 10 {
			t.Errorf("%s: all wait as long", what)
		}
	}
	fault := errors.New("no route to host")
	between("sound", nil, 0, 54*time.Minute, 66*time.Minute)
	between("first", fault, 1, 30*time.Second, time.Minute)
	between("third", fault, 3, 2*time.Minute, 4*time.Minute)
	between("hundredth", fault, 100, 10*time.Minute, 20*time.Minute)
	between("forbidden", &ErrStatus{Status: 403}, 1, 10*time.Minute, 20*time.Minute)
	between("too many", &ErrStatus{Status: 429, RetryAfter: 2 * time.Hour}, 1, 2*time.Hour, 132*time.Minute)
	between("unavailable", &ErrStatus{Status: 503}, 1, 30*time.Second, time.Minute)
}

// TestRetries: Run asks again after a failure.
func TestRetries(t *testing.T) {
	var asked atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) < 4 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		xmlType(w)
		w.Write(document(t, "entsoe-spring-15.xml"))
	}))
	defer srv.Close()
	opt, _ := options(t, "")
	opt.RetryFrom, opt.RetryUpTo = time.Millisecond, 4*time.Millisecond
	told := make(chan Bulletin, 1)
	opt.Published = func(b Bulletin) { told <- b }
	f := New(source(srv.URL), opt)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	<-told
	cancel()
	<-done
	if n := asked.Load(); n != 4 {
		t.Errorf("asked %d times", n)
	}
}

// TestOlderValuesStay where a newer document has none: a document of the day after does not end today.
func TestOlderValuesStay(t *testing.T) {
	f := New(source("http://feed.example"), Options{Now: func() time.Time { return noon }})
	day := func(from time.Time, step time.Duration, values ...float64) Bulletin {
		return Bulletin{Series: map[string]timegrid.Series{district.OutdoorC: {Start: from, Step: step, Values: values}}}
	}
	f.take(day(noon, time.Hour, 1, 2))
	f.take(day(noon.Add(time.Hour), 15*time.Minute, 10, 10, 10, 10, 3))
	for minutes, want := range map[int]float64{0: 1, 45: 1, 60: 10, 105: 10, 120: 3} {
		at := noon.Add(time.Duration(minutes) * time.Minute)
		if v, ok := f.Value(district.OutdoorC, timegrid.NewSpan(at, at.Add(15*time.Minute))); !ok || v != want {
			t.Errorf("after %d min: %v %v, want %v", minutes, v, ok, want)
		}
	}
	if v, ok := f.Value(district.OutdoorC, timegrid.NewSpan(noon.Add(30*time.Minute), noon.Add(90*time.Minute))); !ok || v != 5.5 {
		t.Errorf("over the change: %v %v", v, ok)
	}
	f.take(day(noon.Add(72*time.Hour), time.Hour, 1))
	if n := len(f.series[district.OutdoorC].Values); n > 400 {
		t.Errorf("%d values are kept", n)
	}
}

// TestProxy: the proxy of the environment is asked for what lies beyond this machine. The environment is read once in a process, so this is one of its own.
func TestProxy(t *testing.T) {
	if address := os.Getenv("QUARTIER_TEST_FEED"); address != "" {
		f := New(source(address), Options{Now: func() time.Time { return noon }})
		if err := f.Fetch(t.Context()); err != nil {
			t.Fatal(err)
		}
		return
	}
	var host atomic.Value
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host.Store(r.URL.Host)
		xmlType(w)
		w.Write(document(t, "entsoe-spring-15.xml"))
	}))
	defer proxy.Close()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProxy$")
	cmd.Env = append(os.Environ(), "QUARTIER_TEST_FEED=http://feed.example", "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if host.Load() != "feed.example" {
		t.Errorf("the proxy was asked for %v", host.Load())
	}
}

// TestBrought: a document that somebody put into the folder is taken up by a feed that runs and whose source is silent.
func TestBrought(t *testing.T) {
	srv := httptest.NewServer(http.NotFoundHandler())
	defer srv.Close()
	opt, _ := options(t, t.TempDir())
	told := make(chan Bulletin, 1)
	opt.Published = func(b Bulletin) { told <- b }
	f := New(source(srv.URL), opt)
	if err := f.Fetch(t.Context()); err == nil {
		t.Fatal("no error")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); f.Run(ctx) }()
	if err := Put(opt.Dir, source(srv.URL), document(t, "entsoe-spring-15.xml"), noon); err != nil {
		t.Fatal(err)
	}
	select {
	case b := <-told:
		if len(b.Series) != 1 {
			t.Errorf("told of %+v", b)
		}
	case <-time.After(10 * adoptEvery):
		t.Fatal("not taken up")
	}
	cancel()
	<-done
	if v, ok := f.Value(DayAheadPrice, timegrid.NewSpan(noon, noon.Add(time.Hour))); !ok || !near(v, .012) || f.Status(noon).Silent {
		t.Errorf("%v %v, %+v", v, ok, f.Status(noon))
	}
}

// TestLongDocumentsThatWereBrought: a document that somebody brought is taken up whole, by a running feed and by one that begins, also where it is longer than one that is fetched may be; one beyond
// the bound is refused when it is brought, and not when it is read.
func TestLongDocumentsThatWereBrought(t *testing.T) {
	opt, _ := options(t, t.TempDir())
	src := source("http://127.0.0.1:1")
	running := New(src, opt)
	doc := document(t, "entsoe-spring-15.xml")
	long := append(bytes.Clone(doc), bytes.Repeat([]byte("\n"), MaxBrought-len(doc))...)
	if err := Put(opt.Dir, src, append(long, '\n'), noon); err == nil || !strings.Contains(err.Error(), fmt.Sprint(MaxBrought)) {
		t.Errorf("a document beyond the bound: %v", err)
	}
	if err := Put(opt.Dir, src, long, noon); err != nil {
		t.Fatal(err)
	}
	if !running.adopt() {
		t.Error("a running feed does not take it")
	}
	for _, f := range []*Feed{running, New(src, opt)} {
		if b, ok := f.Latest(); !ok || len(b.Series) == 0 {
			t.Error("nothing is published")
		}
	}
}
