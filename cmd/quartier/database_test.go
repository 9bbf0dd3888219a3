package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/config"
	"quartier/schemas/balance"
	"quartier/schemas/district"
	"quartier/schemas/store/storetest"
	"quartier/schemas/timegrid"
)

// machine writes a configuration into a folder of its own, before the database that QUARTIER_CLI_DATABASE names: another data_dir, the same database.
func machine(t *testing.T, text string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "district.yaml")
	text = strings.Replace(text, "data_dir: data\n", "data_dir: data\ndatabase: {url_env: QUARTIER_CLI_DATABASE}\n", 1)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestImportReachesTheDatabase: what is imported in front of a database is in the database when the command ends, so that another machine's export finds it.
func TestImportReachesTheDatabase(t *testing.T) {
	t.Setenv("QUARTIER_CLI_DATABASE", storetest.Database(t))
	place := func() string { return machine(t, twoDistricts) }
	do := func(stdin string, args ...string) string {
		t.Helper()
		var out, errs strings.Builder
		if code := run(t.Context(), args, strings.NewReader(stdin), &out, &errs); code != exitDone {
			t.Fatalf("%s ends with %d: %s", args[0], code, errs.String())
		}
		return out.String()
	}
	var want strings.Builder
	fmt.Fprintln(&want, "series,time,value,quality")
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	const n = importBatch + 100
	for i := range n {
		quality := []string{"good", "uncertain", "bad", "substituted"}[i%4]
		fmt.Fprintf(&want, "north/home/meter/power_kw,%s,%g,%s\n", start.Add(time.Duration(i)*1500*time.Millisecond).Format(time.RFC3339Nano), float64(i)/7, quality)
	}
	if out := do(want.String(), "import", "-c", place(), "-"); out != fmt.Sprintf("%d samples taken, 0 lines refused\n", n) {
		t.Errorf("import says %q", out)
	}
	if got := do("", "export", "-c", place(), "--from", "2026-01-01", "--to", "2026-01-02"); got != want.String() {
		t.Errorf("exported %d bytes by another machine, want the %d that were imported", len(got), want.Len())
	}
}

// TestReportFromTheDatabase: a machine that never saw the month makes the same report from the database as the one that measured it, and without an answer of the database none at all.
func TestReportFromTheDatabase(t *testing.T) {
	t.Setenv("QUARTIER_CLI_DATABASE", storetest.Database(t))
	const resident = `tariff: base, carbon: mean, members: [{id: zoe, name: Zoé, site: home, delivery_point: "12345678901234", consent: {report: true, load_curve: true, since: 2025-12-01}}], sites:`
	text := strings.Replace(twoDistricts, "tariff: base, carbon: mean, sites:", resident, 1)
	first, second := machine(t, text), machine(t, text)
	cfg, err := config.Load(first, app.ConfigOptions())
	if err != nil {
		t.Fatal(err)
	}
	month, err := timegrid.ParseMonth("2026-01", cfg.Districts[0].Zone)
	if err != nil {
		t.Fatal(err)
	}
	var rows []balance.Row
	for slot := range month.Slots(15 * time.Minute) {
		for _, site := range []string{district.DistrictSite, "home"} {
			rows = append(rows, balance.Row{District: "north", Site: site, Start: slot.Start, Step: 15 * time.Minute, ImportWh: 250, OtherWh: 250, CarbonKg: 0.005, Coverage: 1})
		}
	}
	st, err := app.OpenStore(t.Context(), cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(st.SaveBalances(t.Context(), rows), st.Drain(t.Context()), st.Close()); err != nil {
		t.Fatal(err)
	}
	report := func(file string) (page, errs string, code int) {
		out := t.TempDir()
		var o, e strings.Builder
		code = run(t.Context(), []string{"report", "-c", file, "--month", "2026-01", "--out", out, "--language", "en"}, strings.NewReader(""), &o, &e)
		data, err := os.ReadFile(filepath.Join(out, "north-zoe-2026-01.html"))
		if (err == nil) != (code == exitDone) {
			t.Errorf("report ends with %d, its page: %v", code, err)
		}
		return string(data), e.String(), code
	}
	want, errs, code := report(first)
	if code != exitDone || !strings.Contains(want, "744") { // 31 days of 96 slots of 250 Wh
		t.Fatalf("report of the machine that measured: code %d, %s", code, errs)
	}
	if got, errs, code := report(second); code != exitDone || got != want {
		t.Errorf("report of another machine: code %d, %s; %d bytes, want the %d of the first", code, errs, len(got), len(want))
	}
	t.Setenv("QUARTIER_CLI_DATABASE", "postgres://nobody@127.0.0.1:1/none?connect_timeout=2")
	if _, errs, code := report(second); code != exitFailed || !strings.Contains(errs, "the database does not answer") {
		t.Errorf("report without the database: code %d, %q", code, errs)
	}
}

// TestCheckNamesTheDatabase: check says which edition it found and what that means; a database that does not answer is no fault of the configuration.
func TestCheckNamesTheDatabase(t *testing.T) {
	check := func(url string) string {
		t.Helper()
		t.Setenv("QUARTIER_CLI_DATABASE", url)
		var out, errs strings.Builder
		if code := run(t.Context(), []string{"check", "-c", machine(t, twoDistricts)}, strings.NewReader(""), &out, &errs); code != exitDone {
			t.Fatalf("check ends with %d: %s", code, errs.String())
		}
		return out.String()
	}
	if out := check(storetest.Database(t)); !strings.Contains(out, "TimescaleDB 2.") || !strings.Contains(out, "edition)") || !strings.Contains(out, "samples are in a hypertable") {
		t.Errorf("check says of a database:\n%s", out)
	}
	if out := check(storetest.PlainDatabase(t)); !strings.Contains(out, "without TimescaleDB") || !strings.Contains(out, "plain table") {
		t.Errorf("check says of a plain database:\n%s", out)
	}
	if out := check("postgres://nobody@127.0.0.1:1/none?connect_timeout=2"); !strings.Contains(out, "does not answer") || !strings.Contains(out, "wait in") {
		t.Errorf("check says of a database that is away:\n%s", out)
	}
}
