package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quartier/schemas/store/storetest"
)

// TestImportReachesTheDatabase: what is imported in front of a database is in the database when the command ends, so that another machine's export finds it.
func TestImportReachesTheDatabase(t *testing.T) {
	t.Setenv("QUARTIER_CLI_DATABASE", storetest.Database(t))
	place := func() string { // a machine of its own: another data_dir, the same database
		file := filepath.Join(t.TempDir(), "district.yaml")
		if err := os.WriteFile(file, []byte(strings.Replace(twoDistricts, "data_dir: data\n", "data_dir: data\ndatabase: {url_env: QUARTIER_CLI_DATABASE}\n", 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
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
