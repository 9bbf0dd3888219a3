package evolve

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestSteps: steps come in order of their numbers, of which some may be left out; two of one number, names without one and no steps at all are refused, and so is a newer schema.
func TestSteps(t *testing.T) {
	files := func(names ...string) fstest.MapFS {
		out := fstest.MapFS{}
		for _, n := range names {
			out["migrations/"+n] = &fstest.MapFile{Data: []byte("select '" + n + "';")}
		}
		return out
	}
	got, err := Read(files("0010_c.sql", "0002_b.sql", "0001_a.sql"))
	if err != nil || len(got) != 3 || got.Newest() != 10 || got[2] != (Step{10, "0010_c.sql", "select '0010_c.sql';"}) {
		t.Fatalf("steps %v, %v; want versions 1, 2 and 10", got, err)
	}
	for version, want := range map[int]int{0: 3, 1: 2, 2: 1, 7: 1, 10: 0} {
		if todo, err := got.From(version); err != nil || len(todo) != want {
			t.Errorf("%d steps from version %d, %v, want %d", len(todo), version, err, want)
		}
	}
	if _, err := got.From(11); err == nil || !strings.Contains(err.Error(), "version 11, this Quartier knows up to 10") {
		t.Errorf("a newer schema: error %v, want one that names both versions", err)
	}
	for _, bad := range [][]string{{"0001_a.sql", "0001_b.sql"}, {"one.sql"}, {"1_a.sql"}, {"0000_a.sql"}} {
		if _, err := Read(files(bad...)); err == nil || !strings.Contains(err.Error(), "four digits") {
			t.Errorf("%v: error %v, want one about the number", bad, err)
		}
	}
	if _, err := Read(files()); err == nil {
		t.Error("no steps at all are taken")
	}
}
