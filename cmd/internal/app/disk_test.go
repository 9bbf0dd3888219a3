package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"quartier/schemas/district"
	"quartier/schemas/logtest"
	"quartier/schemas/store"
	"quartier/schemas/store/sqlite"
	"quartier/schemas/timegrid"
)

// TestDiskRefuses: while the local disk takes no writes, measuring and control go on, the samples are in memory, counted and alarmed; when it takes them again, the record has
// them all, and the balances of that time are closed.
func TestDiskRefuses(t *testing.T) {
	t.Parallel()
	dir, out := t.TempDir(), &logtest.Buffer{}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	start := time.Date(2026, 6, 17, 10, 0, 0, 0, time.UTC)
	go func() {
		done <- Demo(ctx, DemoOptions{Name: "small", Listen: "127.0.0.1:0", DataDir: dir, Speed: 240, Start: start, Log: slog.New(slog.DiscardHandler), Out: out, Version: "test"})
	}()
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+`)
	until(t, "the address is printed", func() bool { return address.MatchString(out.String()) })
	base := address.FindString(out.String())
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: 30 * time.Second}
	get := func(path string) string {
		resp, err := client.Get(base + path)
		if err != nil {
			return ""
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return string(body)
	}
	metric := func(name string) (sum float64) {
		for line := range strings.Lines(get("/metrics")) {
			var v float64
			if rest, ok := strings.CutPrefix(line, name); ok && (rest[0] == ' ' || rest[0] == '{') {
				if _, err := fmt.Sscan(rest[strings.LastIndex(rest, " ")+1:], &v); err == nil {
					sum += v
				}
			}
		}
		return sum
	}
	until(t, "signing in", func() bool {
		resp, err := client.Post(base+"/api/session", "application/json", strings.NewReader(`{"name":"admin","password":"quartier-demo"}`))
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode < 300
	})
	d := &small(t).Districts[0]
	until(t, "a plan is made", func() bool { return metric("quartier_plans_total") > 0 })

	// another program on the same file makes it refuse every sample and line of the ledger
	file, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "quartier.db")+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, table := range []string{"samples", "setpoints", "plans"} {
		if _, err := file.Exec("create trigger full_" + table + " before insert on " + table + " begin select raise(abort, 'no space left'); end"); err != nil {
			t.Fatal(err)
		}
	}
	failed := time.Now()
	until(t, "samples are in memory", func() bool { return metric("quartier_memory_rows") > 0 })
	plans, reads := metric("quartier_plans_total"), metric("quartier_device_reads_total")
	until(t, "the alarm is raised", func() bool {
		var alarms []struct{ Key, Severity, Detail string }
		_ = json.Unmarshal([]byte(get("/api/districts/"+d.ID+"/alarms")), &alarms)
		for _, a := range alarms {
			if a.Key == "disk-refuses" && a.Severity == "error" && strings.Contains(a.Detail, "no space left") {
				return true
			}
		}
		return false
	})
	until(t, "devices are measured and plans are made without the disk", func() bool {
		return metric("quartier_plans_total") > plans && metric("quartier_device_reads_total") > reads+20 && time.Since(failed) > 12*time.Second // 48 minutes: whole slots
	})
	if up := metric("quartier_device_up"); up == 0 {
		t.Error("no device is up while the disk fails")
	}
	for _, table := range []string{"samples", "setpoints", "plans"} {
		if _, err := file.Exec("drop trigger full_" + table); err != nil {
			t.Fatal(err)
		}
	}
	until(t, "the memory is empty again", func() bool { return metric("quartier_memory_rows") == 0 })
	if lost := metric("quartier_memory_dropped_rows_total"); lost != 0 {
		t.Errorf("%v rows were lost of a short failure", lost)
	}
	until(t, "a slot of the failure is closed and measured whole", func() bool {
		var covered float64
		row := file.QueryRow(`select coalesce(max(coverage), 0) from balances b, (select time_us at from events where action='disk-back')
			where b.site=? and b.start_us>at-45*60000000 and b.start_us+b.step_us<at-60000000`, d.Sites[0].ID)
		return row.Scan(&covered) == nil && covered == 1
	})
	until(t, "the alarm is gone", func() bool { return !strings.Contains(get("/api/districts/"+d.ID+"/alarms"), "disk-refuses") })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("the demonstration ended with %v", err)
	}

	st, err := sqlite.Open(t.Context(), filepath.Join(dir, "quartier.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	whole := timegrid.NewSpan(start, start.Add(10*365*24*time.Hour))
	events, err := st.Events(t.Context(), []store.EventKind{store.SystemEvent}, whole, 0)
	if err != nil || len(events) == 0 {
		t.Fatalf("events: %v, %v", events, err)
	}
	back := time.Time{}
	for _, e := range events {
		if e.Action == "disk-back" {
			back = e.Time
		}
	}
	if back.IsZero() {
		t.Fatalf("no event tells that the disk is back: %+v", events)
	}
	site := &d.Sites[0]
	for _, dev := range site.Devices {
		if dev.Kind != district.GridMeter {
			continue
		}
		n := 0
		sp := timegrid.NewSpan(back.Add(-40*time.Minute), back.Add(-8*time.Minute)) // all of it in the failure
		if err := st.Read(t.Context(), []district.SeriesID{dev.Series(d.ID, site.ID, district.PowerKW)}, sp, func(district.Sample) error { n++; return nil }); err != nil || n == 0 {
			t.Errorf("%d samples of %s from the failure, %v; want those that were in memory", n, dev.ID, err)
		}
	}
}
