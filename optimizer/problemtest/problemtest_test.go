package problemtest_test

import (
	"bytes"
	"testing"

	"quartier/optimizer/milp"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// TestRandomIsValid: every seed gives a valid problem, the same each time, that a document can hold; together they reach every kind.
func TestRandomIsValid(t *testing.T) {
	seen := map[problem.Kind]int{}
	for seed := range uint64(500) {
		for _, o := range []problemtest.Options{{}, {Continuous: true}} {
			p := problemtest.Random(seed, o)
			one, err := p.Marshal()
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			q, err := problem.Parse(one)
			if err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			two, err := problemtest.Random(seed, o).Marshal()
			if err != nil || !bytes.Equal(one, two) {
				t.Fatalf("seed %d: not the same twice (%v)", seed, err)
			}
			if again, err := q.Marshal(); err != nil || !bytes.Equal(one, again) {
				t.Fatalf("seed %d: not the same when read back (%v)", seed, err)
			}
			if m := milp.Build(q); o.Continuous && m.Integers() > 0 {
				t.Errorf("seed %d: %d integers in a continuous problem", seed, m.Integers())
			}
			for _, s := range p.Sites {
				for _, d := range s.Devices {
					seen[d.Kind()]++
				}
			}
		}
	}
	for _, k := range problemtest.Kinds {
		if seen[k] < 50 {
			t.Errorf("%d devices of kind %s in all", seen[k], k)
		}
	}
}

// TestDistrictIsValid: districts are valid, continuous unless mixed, and a larger one starts with the sites of a smaller one.
func TestDistrictIsValid(t *testing.T) {
	small, large := problemtest.District(5, 96, 15, 7, true), problemtest.District(20, 96, 15, 7, true)
	for _, p := range []*problem.Problem{small, large, problemtest.District(10, 288, 5, 1, false), problemtest.District(3, 4, 60, 1, true)} {
		if err := problem.Validate(p); err != nil {
			t.Fatal(err)
		}
	}
	if n := milp.Build(problemtest.District(20, 96, 15, 3, false)).Integers(); n != 0 {
		t.Errorf("%d integers in a continuous district", n)
	}
	if n := milp.Build(large).Integers(); n < 500 {
		t.Errorf("%d integers in a mixed district of 20 sites", n)
	}
	small.Grid, large.Grid, large.Sites = problem.Grid{ImportPrice: small.Grid.ImportPrice}, problem.Grid{ImportPrice: small.Grid.ImportPrice}, large.Sites[:5]
	small.Fill()
	large.Fill()
	one, err1 := small.Marshal()
	two, err2 := large.Marshal()
	if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
		t.Errorf("the first five sites differ (%v, %v)", err1, err2)
	}
}
