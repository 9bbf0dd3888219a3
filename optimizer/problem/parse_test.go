package problem_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"quartier/optimizer/problem"
)

const documents = "../../testdata/problems"

// TestBadDocuments: each bad document is refused with exactly the faults that the text file beside it lists, all at once, one line each.
func TestBadDocuments(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(documents, "bad", "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no bad documents: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(strings.TrimSuffix(file, ".json") + ".txt")
			if err != nil {
				t.Fatal(err)
			}
			_, err = problem.Parse(data)
			var faults problem.Faults
			if !errors.As(err, &faults) {
				t.Fatalf("Parse = %v, want faults", err)
			}
			if got := faults.Error() + "\n"; got != string(want) {
				t.Errorf("faults:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

// TestGoodDocuments: each example is accepted, hashed over its bytes, and written back to a document that means the same.
func TestGoodDocuments(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(documents, "*.json"))
	if err != nil || len(files) < 8 {
		t.Fatalf("%d documents, want one per kind and a mixed one: %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p, err := problem.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			if len(p.Hash()) != 64 {
				t.Errorf("hash %q", p.Hash())
			}
			sameAgain(t, p)
		})
	}
}

// sameAgain: what Encode writes parses, and encodes to the same bytes.
func sameAgain(t *testing.T, p *problem.Problem) {
	t.Helper()
	one, err := p.Marshal()
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	q, err := problem.Parse(one)
	if err != nil {
		t.Fatalf("parse what was encoded: %v\n%s", err, one)
	}
	var two bytes.Buffer
	if err := problem.Encode(&two, q); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two.Bytes()) {
		t.Errorf("encoded twice:\n%s\n%s", one, two.Bytes())
	}
	if !q.Start.Equal(p.Start) {
		t.Errorf("start %v became %v", p.Start, q.Start)
	}
	if !json.Valid(one) {
		t.Errorf("not JSON: %s", one)
	}
}

func TestDefaults(t *testing.T) {
	p, err := problem.Parse([]byte(`{"version":1,"start":"2026-01-15T00:00:00+01:00","step_minutes":15,"steps":2,"grid":{"import_price":0.2},"sites":[{"id":"a","devices":[
		{"id":"e","kind":"ev","capacity_kwh":50,"max_kw":7,"sessions":[]},
		{"id":"h","kind":"heat_pump","max_kw":2,"cop":3,"zone":{"capacity_kwh_per_k":5,"resistance_k_per_kw":5,"initial_c":20,"outdoor_c":5,"min_c":19,"max_c":22}},
		{"id":"p","kind":"pv","available_kw":1}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	devices := p.Sites[0].Devices
	if e := devices[0].(*problem.EV); e.ChargeEfficiency != 1 || e.ShortfallCostPerKWh != 10 || e.MinKW != 0 {
		t.Errorf("ev defaults: %+v", e)
	}
	if h := devices[1].(*problem.HeatPump); h.MinOnSteps != 1 || h.InitialSteps != problem.LongEnough || h.Zone.DiscomfortCostPerKH != 1 || len(h.COP) != 2 || h.Zone.GainsKW[1] != 0 {
		t.Errorf("heat pump defaults: %+v", h)
	}
	if !devices[2].(*problem.PV).Curtailable {
		t.Error("a PV is curtailable unless said otherwise")
	}
	if l := p.Grid.ImportLimitKW; len(l) != 2 || l[0] < 1e300 {
		t.Errorf("no import limit is %v, want +Inf in both steps", l)
	}
	if p.Step() != 15*time.Minute || !p.At(2).Equal(p.Start.Add(30*time.Minute)) {
		t.Errorf("step %v, end %v", p.Step(), p.At(2))
	}
}

const byStep = `{"version":1,"start":"2026-01-15T00:00:00+01:00","step_minutes":60,"steps":3,"grid":{"import_price":0.2},"sites":[{"id":"a","devices":[
	{"id":"w","kind":"water_heater","max_kw":2,"capacity_kwh":8,"capacity_by_step_kwh":%s,"initial_kwh":6,"final_min_kwh":2,"loss_per_hour":0.5,"draw_kw":[0,1,0.5]}]}]}`

// TestTankByStep: the capacity of a tank may differ from step to step. It is no more than the tank's, falls no faster than a tank without power, and a document without it says nothing of it.
func TestTankByStep(t *testing.T) {
	for _, tt := range []struct{ series, fault string }{
		{"[8, 5, 2]", ""},
		{"4", ""},
		{"[3, 0.5, 2]", ""},
		{"[8, 8.5, 8]", "8.5 above capacity 8 in step 1"},
		{"[2.5, 8, 8]", "2.5 in step 0, at the end of which a tank without power holds up to 3"},
		{"[8, 5, 1.5]", "1.5 in step 2, at the end of which a tank without power holds up to 2"},
		{"[8, 5]", "2 values for 3 steps"},
		{"[8, -1, 8]", "-1 below 0"},
	} {
		p, err := problem.Parse(fmt.Appendf(nil, byStep, tt.series))
		switch {
		case tt.fault == "" && err != nil:
			t.Errorf("%s: %v", tt.series, err)
		case tt.fault == "":
			if w := p.Sites[0].Devices[0].(*problem.WaterHeater); len(w.CapacityByStepKWh) != 3 || w.CapacityAt(2) != w.CapacityByStepKWh[2] {
				t.Errorf("%s: %+v", tt.series, w)
			}
			sameAgain(t, p)
		case err == nil || !strings.Contains(err.Error(), "capacity_by_step_kwh") || !strings.Contains(err.Error(), tt.fault):
			t.Errorf("%s: %v, want %q", tt.series, err, tt.fault)
		}
	}
	low := strings.Replace(fmt.Sprintf(byStep, "[8, 5, 2]"), `"final_min_kwh":2`, `"final_min_kwh":3`, 1)
	if _, err := problem.Parse([]byte(low)); err == nil || !strings.Contains(err.Error(), "3 above the last capacity_by_step_kwh 2") {
		t.Errorf("%v, want that it is no lower at the end than what is to be left", err)
	}
	w := problem.NewWaterHeater("w")
	w.CapacityKWh, w.DrawKW = 8, []float64{0, 0}
	p := &problem.Problem{Steps: 2, StepMinutes: 60, Start: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), Grid: problem.Grid{ImportPrice: []float64{1, 1}}, Sites: []problem.Site{{ID: "a", Devices: []problem.Device{w}}}}
	p.Fill()
	text, err := p.Marshal()
	if err != nil || w.CapacityByStepKWh != nil || w.CapacityAt(1) != 8 || strings.Contains(string(text), "by_step") {
		t.Errorf("%v: %+v\n%s", err, w, text)
	}
	w.LossPerHour, w.DrawKW[0], w.CapacityByStepKWh = 0.5, 1, []float64{2, 2}
	if w.InitialKWh = w.MostInitialKWh(1); w.InitialKWh != 6 || problem.Validate(p) != nil {
		t.Errorf("%v kWh at the begin: %v", w.InitialKWh, problem.Validate(p))
	}
	if w.InitialKWh += 1e-6; problem.Validate(p) == nil {
		t.Errorf("%v kWh at the begin are taken", w.InitialKWh)
	}
}

// TestValidate: a problem built in Go is held to the same rules, with the same paths.
func TestValidate(t *testing.T) {
	b := problem.NewBattery("b")
	b.CapacityKWh, b.InitialKWh = 10, 12
	h := problem.NewHeatPump("h")
	p := &problem.Problem{Start: time.Date(2026, 1, 15, 0, 0, 0, 0, time.UTC), StepMinutes: 15, Steps: 3, Sites: []problem.Site{{ID: "a", Devices: []problem.Device{b, nil, h}}}}
	p.Fill()
	err := problem.Validate(p)
	want := `grid.import_price: missing
sites[0].devices[0].initial_kwh: 12 above capacity 10
sites[0].devices[1].kind: missing
sites[0].devices[2].cop: missing
sites[0].devices[2].zone.capacity_kwh_per_k: must be above 0, not 0
sites[0].devices[2].zone.resistance_k_per_kw: must be above 0, not 0
sites[0].devices[2].zone.outdoor_c: missing
sites[0].devices[2].zone.min_c: missing
sites[0].devices[2].zone.max_c: missing`
	if err == nil || err.Error() != want {
		t.Errorf("Validate:\n%v\nwant:\n%s", err, want)
	}
	if _, err := p.Marshal(); err == nil {
		t.Error("a bad problem was encoded")
	}
	p.Sites, p.Grid.ImportPrice = nil, []float64{0.1, 0.2, 0.3}
	if err := problem.Validate(p); err != nil {
		t.Error(err)
	}
	sameAgain(t, p)
	p.Grid.ImportLimitKW[1] = 3 // a limit in some steps only has no text
	if err := problem.Validate(p); err == nil || !strings.Contains(err.Error(), "grid.import_limit_kw[0]: a finite number is needed") {
		t.Errorf("Validate = %v", err)
	}
}

// TestPreviousSolution: a solution document is read back as written, and one of another shape is refused.
func TestPreviousSolution(t *testing.T) {
	p, err := problem.Parse([]byte(`{"version":1,"start":"2026-01-15T00:00:00+01:00","step_minutes":15,"steps":2,"grid":{"import_price":0.2},"sites":[{"id":"a"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	s := problem.NewSolution(p, problem.Optimal)
	s.Objective = new(1.5)
	s.Grid = &problem.GridSolution{ImportKW: []float64{1, 2}, ExportKW: []float64{0, 0}}
	s.Sites = []problem.SiteSolution{{ID: "a", NetKW: []float64{1, 2}}}
	var b bytes.Buffer
	if err := problem.EncodeSolution(&b, s); err != nil {
		t.Fatal(err)
	}
	got, err := problem.ParseSolution(b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if *got.Objective != 1.5 || got.ProblemSHA256 != p.Hash() || got.Bound != nil || !got.Start.Equal(p.Start) || got.Sites[0].NetKW[1] != 2 {
		t.Errorf("read back: %+v", got)
	}
	s.Sites[0].NetKW = s.Sites[0].NetKW[:1]
	b.Reset()
	if err := problem.EncodeSolution(&b, s); err == nil {
		t.Error("a series of one value for two steps was written")
	}
	for _, bad := range []string{`{}`, `[]`, `{"version":1,"steps":2,"sites":[{"id":"a","net_kw":[1]}]}`, `{"version":1`} {
		if _, err := problem.ParseSolution([]byte(bad)); err == nil {
			t.Errorf("ParseSolution(%s) succeeded", bad)
		}
	}
}

// FuzzParse: no text makes the parser panic; what it accepts is JSON and is written back to the same problem.
func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"*.json", "bad/*.json"} {
		files, err := filepath.Glob(filepath.Join(documents, pattern))
		if err != nil {
			f.Fatal(err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(data)
		}
	}
	f.Add(fmt.Appendf(nil, byStep, "[8, 5, 2]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := problem.Parse(data)
		if err != nil {
			var faults problem.Faults
			if !errors.As(err, &faults) || len(faults) == 0 {
				t.Fatalf("refused without a fault: %v", err)
			}
			for _, f := range faults {
				if strings.ContainsAny(f.Error(), "\n\r") {
					t.Fatalf("a fault of several lines: %q", f.Error())
				}
			}
			return
		}
		if !json.Valid(data) {
			t.Fatalf("accepted, but no JSON: %q", data)
		}
		if p.Steps*len(p.Sites) < 10_000 {
			sameAgain(t, p)
		}
	})
}

// FuzzParseSolution: no text makes the reader of solutions panic; what it accepts is written back and read again.
func FuzzParseSolution(f *testing.F) {
	f.Add([]byte(`{"version":1,"start":"2026-01-15T00:00:00+01:00","step_minutes":15,"steps":1,"problem_sha256":"","status":"optimal","objective":1,"solve_seconds":0,"rounds":0,"grid":{"import_kw":[1],"export_kw":[0]},"sites":[{"id":"a","net_kw":[1],"devices":[{"id":"b","power_kw":[1],"energy_kwh":[0,1],"on":[true]}]}]}`))
	f.Add([]byte(`{"version":1,"steps":-1,"sites":[{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := problem.ParseSolution(data)
		if err != nil {
			return
		}
		if y := s.Start.Year(); y < 1 || y > 9999 {
			return
		}
		var b bytes.Buffer
		if err := problem.EncodeSolution(&b, s); err != nil {
			t.Fatalf("%v\n%s", err, data)
		}
		if _, err := problem.ParseSolution(b.Bytes()); err != nil {
			t.Fatalf("%v\n%s", err, b.Bytes())
		}
	})
}
