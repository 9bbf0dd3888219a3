package sqlite

import (
	"strings"
	"testing"
	"testing/fstest"
)

// TestSteps: migrations come in order of their numbers, of which some may be left out; two of one number and names without one are refused.
func TestSteps(t *testing.T) {
	files := func(names ...string) fstest.MapFS {
		out := fstest.MapFS{}
		for _, n := range names {
			out["migrations/"+n] = &fstest.MapFile{Data: []byte("select 1;")}
		}
		return out
	}
	got, err := steps(files("0010_c.sql", "0002_b.sql", "0001_a.sql"))
	if err != nil || len(got) != 3 || newest(got) != 10 {
		t.Fatalf("steps %v, %v; want versions 1, 2 and 10", got, err)
	}
	for version, want := range map[int]int{0: 3, 1: 2, 2: 1, 7: 1, 10: 0} {
		if n := len(after(got, version)); n != want {
			t.Errorf("%d steps after version %d, want %d", n, version, want)
		}
	}
	for _, bad := range [][]string{{"0001_a.sql", "0001_b.sql"}, {"one.sql"}, {"1_a.sql"}, {"0000_a.sql"}} {
		if _, err := steps(files(bad...)); err == nil || !strings.Contains(err.Error(), "four digits") {
			t.Errorf("%v: error %v, want one about the number", bad, err)
		}
	}
}
