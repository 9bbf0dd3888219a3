package timescale

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quartier/schemas/store/storetest"
)

var update = flag.Bool("update", false, "write golden files")

// TestCommunitySQL: what is said to a server of the Community edition. It runs where the test database is such a server: opening does it, see TestEdition.
func TestCommunitySQL(t *testing.T) {
	var got strings.Builder
	for _, version := range []string{"2.11.2", "2.17.2", "2.18.0", "2.19.3", "3.0.0"} {
		for _, fine := range []time.Duration{0, 730 * 24 * time.Hour} {
			fmt.Fprintf(&got, "-- %s, samples kept %v\n%s;\n\n", version, fine, strings.Join(communitySQL(version, fine), ";\n"))
		}
	}
	golden := filepath.Join("testdata", "community.sql")
	if *update {
		must(t, os.WriteFile(golden, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	must(t, err)
	if got.String() != string(want) {
		t.Errorf("the statements are not those of %s (-update writes them):\n%s", golden, got.String())
	}
}

// TestEdition: the edition that the server says it has is the one that is used: the columnstore on the Community edition, nothing that needs it elsewhere.
func TestEdition(t *testing.T) {
	url := storetest.Database(t)
	server, err := Inspect(t.Context(), url)
	must(t, err)
	s := openAt(t, url)
	if s.server != server.String() || server.Meaning() == "" {
		t.Errorf("the store says %q, the server %q", s.server, server)
	}
	var license string
	must(t, s.pool.QueryRow(t.Context(), "show timescaledb.license").Scan(&license))
	if want := map[string]Edition{"apache": Apache, "timescale": Community}[license]; server.Edition != want {
		t.Errorf("licence %q gives edition %d, want %d", license, server.Edition, want)
	}
	if s.community != (server.Edition == Community) {
		t.Errorf("columnstore on: %v, on an edition %d", s.community, server.Edition)
	}
	plain, err := Inspect(t.Context(), storetest.PlainDatabase(t))
	if err != nil || plain.Edition != NoTimescaleDB || plain.TimescaleDB != "" {
		t.Errorf("a plain database is %v, %v", plain, err)
	}
	if _, err := Inspect(t.Context(), "postgres://127.0.0.1:1/x"); err == nil || !strings.Contains(err.Error(), "127.0.0.1:1/x") {
		t.Errorf("a server that is not there: %v", err)
	}
}

// TestColumnstoreRefused: where a server refuses the statements, closed days are packed.
func TestColumnstoreRefused(t *testing.T) {
	s := openAt(t, storetest.Database(t))
	if !s.community && s.columnstore(t.Context(), 0) {
		t.Error("the columnstore counts as switched on, on a server that has none")
	}
}
