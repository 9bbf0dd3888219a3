package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/config"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/logtest"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/tariff"
	"quartier/schemas/timegrid"
	"quartier/schemas/units"
	"quartier/testdata"
)

// until waits for a condition, at most a minute: ten times what it takes.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(3 * time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within three minutes", what)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestHistoryBeginsWithPrices: a demonstration of another day has no history of months without a price, in which no account can be closed.
func TestHistoryBeginsWithPrices(t *testing.T) {
	t.Parallel()
	zone := time.FixedZone("here", 3600)
	first := func(y int, m time.Month) *tariff.Tariff {
		return &tariff.Tariff{Rows: []tariff.Row{{From: time.Date(y, m, 1, 0, 0, 0, 0, zone)}}}
	}
	cfg := &config.Config{Districts: []district.District{{Zone: zone}}, Tariffs: map[string]*tariff.Tariff{"old": first(2020, 1), "new": first(2025, 8)}}
	for _, c := range []struct {
		start  time.Time
		months int
		want   string
	}{
		{time.Date(2026, 11, 27, 14, 0, 0, 0, time.UTC), 13, "2025-10-01"},
		{time.Date(2026, 6, 15, 8, 0, 0, 0, time.UTC), 13, "2025-08-01"},
		{time.Date(2026, 6, 15, 8, 0, 0, 0, time.UTC), 2, "2026-04-01"},
		{time.Date(2025, 7, 15, 8, 0, 0, 0, time.UTC), 3, "2025-07-15"},
	} {
		if got := historyFrom(cfg, c.start, c.months).Format(time.DateOnly); got != c.want {
			t.Errorf("%d months before %v begin in %s, want %s", c.months, c.start, got, c.want)
		}
	}
}

// TestDemonstration runs the small demonstration from its start to its end: devices answer, a plan is made and carried out, the accounts of the loaded history are exact to
// the watt-hour against the counters, and it stops leaving nothing behind.
func TestDemonstration(t *testing.T) {
	t.Parallel()
	before := runtime.NumGoroutine()
	dir := t.TempDir()
	out := &logtest.Buffer{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	start := time.Date(2026, 6, 17, 10, 0, 0, 0, time.UTC)
	go func() {
		done <- Demo(ctx, DemoOptions{Name: "small", Listen: "127.0.0.1:0", DataDir: dir, Speed: 10, Months: 1, Start: start, Log: slog.New(slog.DiscardHandler), Out: out, Version: "test"})
	}()
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	until(t, "the address is printed", func() bool {
		select {
		case err := <-done:
			t.Fatalf("the demonstration ended: %v\n%s", err, out)
		default:
		}
		return address.MatchString(out.String())
	})
	base := address.FindString(out.String())
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	get := func(path string) (int, []byte) {
		resp, err := client.Get(base + path)
		if err != nil {
			return 0, nil
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, body
	}
	until(t, "the console is healthy", func() bool { code, _ := get("/healthz"); return code == http.StatusOK })
	if code, _ := get("/api/districts"); code != http.StatusUnauthorized {
		t.Errorf("districts without signing in: %d, want 401", code)
	}
	resp, err := client.Post(base+"/api/session", "application/json", strings.NewReader(`{"name":"admin","password":"quartier-demo"}`))
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("sign in: %v %v", resp, err)
	}
	resp.Body.Close()
	id := small(t).Districts[0].ID
	until(t, "the addresses for building systems are printed", func() bool {
		return regexp.MustCompile(`at tcp://127\.0\.0\.1:\d+ and opc\.tcp://127\.0\.0\.1:\d+`).MatchString(out.String())
	})
	until(t, "every device answers", func() bool {
		_, body := get("/metrics")
		up := 0
		for _, line := range strings.Split(string(body), "\n") {
			if strings.HasPrefix(line, "quartier_device_up{") && strings.HasSuffix(line, " 1") {
				up++
			}
		}
		n := 0
		for range small(t).Districts[0].AllDevices {
			n++
		}
		return up == n
	})
	until(t, "a plan is carried out", func() bool {
		_, body := get("/api/districts/" + id + "/setpoints")
		return strings.Contains(string(body), `"applied"`)
	})
	until(t, "history is loaded", func() bool {
		_, body := get("/healthz")
		var h struct {
			Loading bool `json:"loading_history"`
		}
		return json.Unmarshal(body, &h) == nil && !h.Loading
	})
	if code, _ := get("/api/openapi.json"); code != http.StatusOK {
		t.Errorf("openapi.json: %d, want 200", code)
	}
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("the demonstration ended with %v", err)
		}
	case <-time.After(50 * time.Second):
		t.Fatal("the demonstration did not stop")
	}
	until(t, "goroutines are gone", func() bool { client.CloseIdleConnections(); return runtime.NumGoroutine() <= before+4 })
	exact(t, dir, start)
}

func small(t *testing.T) *config.Config {
	t.Helper()
	f, err := testdata.Districts().Open("small.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Parse("small.yaml", text, ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// exact compares the balance rows of the last whole month with the raw counters of the site's grid meter, to the watt-hour.
func exact(t *testing.T, dir string, start time.Time) {
	t.Helper()
	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	d := small(t).Districts[0]
	month := timegrid.Month(timegrid.Month(start, d.Zone).Start.Add(-time.Hour), d.Zone)
	for i := range d.Sites {
		site := &d.Sites[i]
		rows, err := st.Balances(t.Context(), d.ID, site.ID, month)
		if err != nil || len(rows) != month.Count(d.Step) {
			t.Fatalf("%s: %d rows of %d (%v)", site.ID, len(rows), month.Count(d.Step), err)
		}
		sum := balance.Sum(rows)
		if sum.Unexplained() != 0 {
			t.Errorf("%s: the month is open by %d Wh", site.ID, sum.Unexplained())
		}
		for _, dev := range site.Devices {
			if dev.Kind != district.GridMeter {
				continue
			}
			for quantity, got := range map[string]units.WattHours{district.ImportKWh: sum.ImportWh, district.ExportKWh: sum.ExportWh} {
				ids := []district.SeriesID{dev.Series(d.ID, site.ID, quantity)}
				from, err1 := st.Latest(t.Context(), ids, month.Start)
				to, err2 := st.Latest(t.Context(), ids, month.End)
				if err1 != nil || err2 != nil || !to[ids[0]].Time.Equal(month.End) || !from[ids[0]].Time.Equal(month.Start) {
					t.Fatalf("no counter at the month's ends: %v %v (%v %v)", from, to, err1, err2)
				}
				want := units.Energy(to[ids[0]].Value).WattHours() - units.Energy(from[ids[0]].Value).WattHours()
				if got != want {
					t.Errorf("%s %s: the accounts say %d Wh, the counter %d Wh", site.ID, quantity, got, want)
				}
			}
		}
	}
}

// TestGuard: a console beyond loopback needs a certificate and an administrator.
func TestGuard(t *testing.T) {
	st, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	for _, tt := range []struct {
		listen, cert string
		want         string
	}{
		{"127.0.0.1:8080", "", ""},
		{"[::1]:8080", "", ""},
		{"localhost:8080", "", ""},
		{"0.0.0.0:8080", "", "tls_cert_file"},
		{":8080", "", "tls_cert_file"},
		{"192.0.2.1:443", "cert.pem", "administrator"},
		{"nonsense", "", "host:port"},
	} {
		cfg := &config.Config{}
		cfg.File.Console.TLSCert = tt.cert
		err := guard(t.Context(), st, cfg, tt.listen)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("guard(%s) = %v, want %q", tt.listen, err, tt.want)
		}
	}
}

// TestClock: district time runs at its speed.
func TestClock(t *testing.T) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	c := NewClock(from, 600)
	time.Sleep(20 * time.Millisecond)
	if got := c.Now().Sub(from); got < 12*time.Second {
		t.Errorf("after 20 ms the district's clock moved %v, want at least 12 s", got)
	}
	if got := fmt.Sprint(c.Wall(10*time.Minute), c.District(time.Second)); got != "1s 10m0s" {
		t.Errorf("10 min and 1 s are %s, want 1s 10m0s", got)
	}
}

// TestADemonstrationGoesOnWhereItsRecordEnds: never before the newest sample of an accelerated run, and never later than it must.
func TestADemonstrationGoesOnWhereItsRecordEnds(t *testing.T) {
	t.Parallel()
	cfg := small(t)
	cfg.File.DataDir = t.TempDir()
	at := time.Date(2026, 6, 17, 10, 20, 0, 0, time.UTC)
	if got, err := goOn(t.Context(), cfg, at); err != nil || !got.Equal(at) {
		t.Errorf("without a record it begins at %v (%v), want %v", got, err, at)
	}
	st, err := OpenStore(t.Context(), cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	id := meterSeries(cfg)[0]
	if err := errors.Join(st.Append(t.Context(), []district.Sample{{Series: id, Time: at, Value: 1}}), st.Close()); err != nil {
		t.Fatal(err)
	}
	for now, want := range map[time.Time]time.Time{
		at.Add(-10 * time.Minute): at.Add(time.Second),
		at.Add(-3 * time.Hour):    at.Add(time.Second),
		at.Add(5 * time.Second):   at.Add(5 * time.Second),
	} {
		if got, err := goOn(t.Context(), cfg, now); err != nil || !got.Equal(want) {
			t.Errorf("at %v it begins at %v (%v), want %v", now, got, err, want)
		}
	}
}
