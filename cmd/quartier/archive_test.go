package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quartier/schemas/store/storetest"
)

// TestArchive: export --all of one machine, imported on another one with a database, exports the same samples there.
func TestArchive(t *testing.T) {
	dir := t.TempDir()
	first := filepath.Join(dir, "district.yaml")
	if err := os.WriteFile(first, []byte(twoDistricts), 0o644); err != nil {
		t.Fatal(err)
	}
	do := func(want int, stdin string, args ...string) (stdout, stderr string) {
		t.Helper()
		var out, errs strings.Builder
		if code := run(t.Context(), args, strings.NewReader(stdin), &out, &errs); code != want {
			t.Fatalf("%v ends with %d: %s", args, code, errs.String())
		}
		return out.String(), errs.String()
	}
	csv := "series,time,value,quality\nnorth/home/meter/power_kw,2026-01-01T00:00:00Z,1.5,good\nnorth/home/meter/power_kw,2026-01-01T00:00:10Z,2.25,uncertain\n"
	do(exitDone, csv, "import", "-c", first, "-")
	packed := filepath.Join(dir, "record.quartier")
	if _, said := do(exitDone, "", "export", "-c", first, "--all", "--out", packed); !strings.Contains(said, "2 samples\n") {
		t.Errorf("export says %q", said)
	}
	t.Setenv("QUARTIER_CLI_DATABASE", storetest.Database(t))
	second, third := machine(t, twoDistricts), machine(t, twoDistricts)
	if said, _ := do(exitDone, "", "import", "-c", second, packed); !strings.Contains(said, "2 samples\n") {
		t.Errorf("import says %q", said)
	}
	if got, _ := do(exitDone, "", "export", "-c", third, "--from", "2026-01-01", "--to", "2026-01-02"); got != csv {
		t.Errorf("another machine exports\n%s\nwant\n%s", got, csv)
	}
	data, err := os.ReadFile(packed)
	if err != nil {
		t.Fatal(err)
	}
	if _, said := do(exitFailed, string(data[:len(data)-5]), "import", "-c", second, "-"); !strings.Contains(said, "cut off") || !strings.Contains(said, "imported again") {
		t.Errorf("import of a cut archive says %q", said)
	}
}
