package milp_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"quartier/optimizer/certify"
	"quartier/optimizer/highstest"
	"quartier/optimizer/milp"
	"quartier/optimizer/problem"
)

func document(t *testing.T, name string) *problem.Problem {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "testdata", "problems", name))
	if err != nil {
		t.Fatal(err)
	}
	p, err := problem.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestExamples: the optimum of each example document, as another program with HiGHS found it from the problem's text alone.
func TestExamples(t *testing.T) {
	for name, want := range map[string]float64{
		"battery.json": 1.27129090602, "ev.json": 7.72195652174, "flexible.json": 1.135, "heat_pump.json": 0.93165365896, "mixed.json": 6.75531752371,
		"pv.json": -0.684, "shiftable.json": -0.12, "water_heater.json": 1.512,
	} {
		p := document(t, name)
		m := milp.Build(p)
		a := highstest.Solve(t, m, highstest.Options{})
		if !a.Optimal || math.Abs(a.Objective-want) > 1e-8 || math.Abs(a.Bound-want) > 1e-6 {
			t.Errorf("%s: %s, %.12g with bound %.12g, want %.12g", name, a.Status, a.Objective, a.Bound, want)
			continue
		}
		if own := m.Objective(a.Columns); math.Abs(own-a.Objective) > 1e-9*max(1, math.Abs(want)) {
			t.Errorf("%s: the model reckons %.12g, HiGHS %.12g: the constant or a cost went astray in the file", name, own, a.Objective)
		}
		s, err := m.Solution(a.Columns)
		if err != nil {
			t.Fatal(err)
		}
		if r := certify.Evaluate(p, s); !r.Feasible() || math.Abs(r.Objective-want) > 1e-8 {
			t.Errorf("%s: the plan costs %.12g, want %.12g; %v", name, r.Objective, want, r.Violations)
		}
	}
}

// TestMPS: the text of a small program, with every kind of row, bound and the constant.
func TestMPS(t *testing.T) {
	p, err := problem.Parse([]byte(`{"version":1,"start":"2026-01-15T00:00:00Z","step_minutes":30,"steps":1,"grid":{"import_price":0.2,"peak_price":1,"peak_so_far_kw":2},
		"sites":[{"id":"any name","load_kw":3,"import_limit_kw":9,"devices":[{"id":"e","kind":"ev","capacity_kwh":5,"max_kw":4,"min_kw":1,
		"sessions":[{"arrive_step":0,"depart_step":0,"initial_kwh":1,"target_kwh":1.25},{"arrive_step":0,"depart_step":1,"initial_kwh":1,"target_kwh":2}]}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	m := milp.Build(p)
	var b bytes.Buffer
	if err := m.WriteMPS(&b); err != nil {
		t.Fatal(err)
	}
	const want = `NAME quartier
ROWS
 N cost
 L s0_d0_most_0
 G s0_d0_least_0
 E s0_d0_store_0
 G s0_d0_session1_target
 E s0_balance_0
 E grid_balance_0
 L grid_peak_0
COLUMNS
 s0_d0_charge_0 s0_d0_most_0 1
 s0_d0_charge_0 s0_d0_least_0 1
 s0_d0_charge_0 s0_d0_store_0 -0.5
 s0_d0_charge_0 s0_balance_0 -1
 MARKER 'MARKER' 'INTORG'
 s0_d0_charging_0 s0_d0_most_0 -4
 s0_d0_charging_0 s0_d0_least_0 -1
 MARKER 'MARKER' 'INTEND'
 s0_d0_energy_0 s0_d0_store_0 1
 s0_d0_energy_0 s0_d0_session1_target 1
 s0_d0_session1_short cost 10
 s0_d0_session1_short s0_d0_session1_target 1
 s0_net_0 s0_balance_0 1
 s0_net_0 grid_balance_0 -1
 grid_peak cost 1
 grid_peak grid_peak_0 -1
 grid_import_0 cost 0.1
 grid_import_0 grid_balance_0 1
 grid_import_0 grid_peak_0 1
 grid_export_0 grid_balance_0 -1
RHS
 RHS cost -2.5
 RHS s0_d0_store_0 1
 RHS s0_d0_session1_target 2
 RHS s0_balance_0 3
 RHS grid_peak_0 2
BOUNDS
 LO BND s0_d0_charge_0 0
 UP BND s0_d0_charge_0 4
 LO BND s0_d0_charging_0 0
 UP BND s0_d0_charging_0 1
 LO BND s0_d0_energy_0 0
 UP BND s0_d0_energy_0 5
 LO BND s0_d0_session1_short 0
 UP BND s0_d0_session1_short 2
 MI BND s0_net_0
 UP BND s0_net_0 9
 LO BND grid_import_0 0
 UP BND grid_import_0 7
 FX BND grid_export_0 0
ENDATA
`
	if got := b.String(); got != want {
		t.Errorf("MPS:\n%s", got)
	}
	// 3 kW of load and 2 kW of charging for half an hour at 0.2 EUR/kWh, 3 kW above the peak, and 0.25 kWh that could not be charged at all
	a := highstest.Solve(t, m, highstest.Options{})
	if math.Abs(a.Objective-(0.5+3+2.5)) > 1e-9 {
		t.Errorf("HiGHS: %v EUR, want 6 EUR", a.Objective)
	}
}

// TestFreeBurning: where burning energy costs nothing, an answer that does so is read back as a plan that does not, with the same cost.
func TestFreeBurning(t *testing.T) {
	p, err := problem.Parse([]byte(`{"version":1,"start":"2026-01-15T00:00:00Z","step_minutes":60,"steps":2,"grid":{"import_price":0.2,"export_limit_kw":1},
		"sites":[{"id":"s","devices":[{"id":"b","kind":"battery","capacity_kwh":5,"initial_kwh":4,"charge_kw":4,"discharge_kw":4,"charge_efficiency":0.5},{"id":"p","kind":"pv","available_kw":4}]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	m := milp.Build(p)
	if m.Integers() != 0 {
		t.Fatalf("%d integers where burning cannot pay", m.Integers())
	}
	x := make([]float64, len(m.Columns))
	for j := range m.Columns {
		switch name := m.Columns[j].Name; {
		case strings.Contains(name, "_charge_"):
			x[j] = 4
		case strings.Contains(name, "_discharge_"):
			x[j] = 1
		case strings.Contains(name, "_made_"):
			x[j] = 4
		}
	}
	s, err := m.Solution(x) // by its powers the battery would hold 4 + 2*(4*0.5 - 1) = 6 kWh when burning, 7 when not
	if err != nil {
		t.Fatal(err)
	}
	r := certify.Evaluate(p, s)
	if !r.Feasible() || r.Objective != 0 {
		t.Errorf("%v EUR, %v\n%+v", r.Objective, r.Violations, s.Sites)
	}
}

// TestBadAnswer: an answer of another size, or with a value that is no number, is refused.
func TestBadAnswer(t *testing.T) {
	m := milp.Build(document(t, "flexible.json"))
	if _, err := m.Solution(nil); err == nil {
		t.Error("no values were taken for an answer")
	}
	x := make([]float64, len(m.Columns))
	x[3] = math.NaN()
	if _, err := m.Solution(x); err == nil || !strings.Contains(err.Error(), m.Columns[3].Name) {
		t.Errorf("error %v, want one that names the column %s", err, m.Columns[3].Name)
	}
}

type full struct{}

var errFull = errors.New("disk full")

func (full) Write([]byte) (int, error) { return 0, errFull }

// TestWriteError: a file that cannot be written is an error, not a short program.
func TestWriteError(t *testing.T) {
	if err := milp.Build(document(t, "mixed.json")).WriteMPS(full{}); !errors.Is(err, errFull) {
		t.Errorf("WriteMPS = %v, want %v", err, errFull)
	}
}
