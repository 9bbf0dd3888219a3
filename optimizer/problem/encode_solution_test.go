package problem

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"
	"time"
)

// TestSolutionIsWrittenAsTheStructureSays: the document that is written piece by piece is that of the whole structure at once.
func TestSolutionIsWrittenAsTheStructureSays(t *testing.T) {
	site := func(id string) SiteSolution {
		return SiteSolution{ID: id, NetKW: []float64{1, 2}, Devices: []DeviceSolution{{ID: "pv", PowerKW: []float64{0, -1.5}}}}
	}
	head := Solution{Version: Version, Start: time.Date(2026, 1, 2, 3, 4, 0, 0, time.UTC), StepMinutes: 15, Steps: 2, Status: Optimal, Objective: new(1.25)}
	for name, change := range map[string]func(*Solution){
		"nothing":  func(*Solution) {},
		"one site": func(s *Solution) { s.Sites = []SiteSolution{site("a")} },
		"all": func(s *Solution) {
			s.Sites = []SiteSolution{site("a"), site("<b>"), site("c")}
			s.Binding = []Binding{{Limit: "import_limit_kw", Site: "a", Step: 1, Value: 2}}
			s.Elastic = true
		},
		"no site but worth": func(s *Solution) { s.Worth = []Worth{{Limit: "x", Unit: "kW", Value: 3}} },
	} {
		s := head
		change(&s)
		want, err := json.Marshal(&s)
		if err != nil {
			t.Fatal(err)
		}
		var got bytes.Buffer
		if err := EncodeSolution(&got, &s); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got.String() != string(want)+"\n" {
			t.Errorf("%s:\n%swant\n%s", name, got.String(), want)
		}
	}
	bad := head
	bad.Sites = []SiteSolution{site("a")}
	bad.Sites[0].NetKW[1] = math.NaN()
	if err := EncodeSolution(&bytes.Buffer{}, &bad); err == nil {
		t.Error("a power that is no number was written")
	}
}
