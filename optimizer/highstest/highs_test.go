package highstest_test

import (
	"strings"
	"testing"
	"time"

	"quartier/optimizer/highstest"
	"quartier/optimizer/milp"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// TestNoTree: without the tree the error names the command that prepares it.
func TestNoTree(t *testing.T) {
	t.Setenv("QUARTIER_DEBIAN13", t.TempDir())
	if _, err := highstest.Run(t.Context(), &milp.Model{}, highstest.Options{}); err == nil || !strings.Contains(err.Error(), "make setup") {
		t.Errorf("Run = %v, want an error that names make setup", err)
	}
}

// TestInfeasible: a problem without a plan is told from one with a plan.
func TestInfeasible(t *testing.T) {
	p := problemtest.District(1, 4, 60, 1, false)
	p.Sites[0].Devices = nil
	p.Grid.ImportLimitKW = []float64{0, 0, 0, 0}
	if a := highstest.Solve(t, milp.Build(p), highstest.Options{}); !a.Infeasible || a.Optimal {
		t.Errorf("HiGHS: %q, want infeasible", a.Status)
	}
}

// TestRelaxed: the relaxation of a mixed problem costs no more than its bound, and the bound no more than the answer.
func TestRelaxed(t *testing.T) {
	p := problemtest.District(3, 24, 60, 2, true)
	if err := problem.Validate(p); err != nil {
		t.Fatal(err)
	}
	m := milp.Build(p)
	relaxed := highstest.Solve(t, m, highstest.Options{Relaxed: true})
	mixed := highstest.Solve(t, m, highstest.Options{Gap: 0.01, TimeLimit: 30 * time.Second})
	if relaxed.Objective > mixed.Bound+1e-6 || mixed.Bound > mixed.Objective+1e-6 || mixed.Columns == nil || len(relaxed.RowDuals) != len(m.Rows) {
		t.Errorf("relaxed %v, bound %v, mixed %v", relaxed.Objective, mixed.Bound, mixed.Objective)
	}
}
