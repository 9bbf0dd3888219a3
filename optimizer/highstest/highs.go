// Package highstest runs HiGHS, a foreign solver of mixed-integer programs, on the programs of package milp. Tests and benchmarks use it
// as a judge; nothing of the product does.
//
// HiGHS is taken from the Debian 13 tree that `make setup` prepares: QUARTIER_DEBIAN13, else /var/lib/quartier/debian13.
package highstest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"quartier/optimizer/milp"
)

// Options of one run. The zero value asks for an optimum as exact as HiGHS makes it, within a minute.
type Options struct {
	Gap       float64       // relative gap of the mixed search at which to stop; 0: 1e-9
	TimeLimit time.Duration // 0: a minute
	Solver    string        // "simplex", "ipm" or "choose"; "": choose
	Relaxed   bool          // leave out that whole columns are whole
	Threads   int           // 0: as HiGHS chooses
	Tolerance float64       // of feasibility; 0: 1e-9
	// NoPresolve has HiGHS search the program as it is written. Its presolve of mixed-integer programs loses the optimum of some: HiGHS 1.10 then calls a dearer point
	// optimal, or no point possible. A plan that costs less than HiGHS's bound is to be held against an answer without it.
	NoPresolve bool
}

// Answer is what HiGHS says.
type Answer struct {
	Optimal    bool
	Infeasible bool
	Status     string        // HiGHS's own words
	Objective  float64       // EUR, of Columns
	Bound      float64       // EUR; the objective of a continuous program
	Columns    []float64     // values, nil without a point
	RowDuals   []float64     // of a continuous program: d objective / d right-hand side
	Elapsed    time.Duration // of the whole process, reading the file included
	Run        time.Duration // HiGHS's own run time, as it says; 0 when it says nothing
}

// Tree returns the Debian 13 tree; its error names the command that prepares it.
func Tree() (string, error) {
	root := os.Getenv("QUARTIER_DEBIAN13")
	if root == "" {
		root = "/var/lib/quartier/debian13"
	}
	for _, bin := range []string{"usr/bin/highs", "bin/highs"} {
		if _, err := os.Stat(filepath.Join(root, bin)); err == nil {
			return root, nil
		}
	}
	return "", fmt.Errorf("highstest: no HiGHS in the Debian 13 tree %s: run `make setup`, or name another tree in QUARTIER_DEBIAN13", root)
}

// Solve runs HiGHS on m and fails the test when it cannot be run.
func Solve(tb testing.TB, m *milp.Model, o Options) Answer {
	tb.Helper()
	a, err := Run(tb.Context(), m, o)
	if err != nil {
		tb.Fatal(err)
	}
	return a
}

// Run runs HiGHS on m.
func Run(ctx context.Context, m *milp.Model, o Options) (Answer, error) {
	root, err := Tree()
	if err != nil {
		return Answer{}, err
	}
	dir, err := os.MkdirTemp(filepath.Join(root, "tmp"), "quartier-highs-")
	if err != nil {
		return Answer{}, fmt.Errorf("highstest: %w", err)
	}
	defer os.RemoveAll(dir)
	if o.Relaxed {
		m = relaxed(m)
	}
	if o.Gap == 0 {
		o.Gap = 1e-9
	}
	if o.TimeLimit == 0 {
		o.TimeLimit = time.Minute
	}
	if o.Solver == "" {
		o.Solver = "choose"
	}
	if o.Tolerance == 0 {
		o.Tolerance = 1e-9
	}
	presolve := "choose"
	if o.NoPresolve {
		presolve = "off"
	}
	options := fmt.Sprintf("presolve = %[6]s\nsolver = %[1]s\ntime_limit = %[2]g\nthreads = %[3]d\nmip_rel_gap = %[4]g\nmip_abs_gap = 1e-9\nmip_feasibility_tolerance = %[5]g\nprimal_feasibility_tolerance = %[5]g\ndual_feasibility_tolerance = %[5]g\nlog_to_console = true\n",
		o.Solver, o.TimeLimit.Seconds(), o.Threads, o.Gap, o.Tolerance, presolve)
	if err := os.WriteFile(filepath.Join(dir, "options"), []byte(options), 0o600); err != nil {
		return Answer{}, fmt.Errorf("highstest: %w", err)
	}
	if err := writeFile(filepath.Join(dir, "model.mps"), m); err != nil {
		return Answer{}, err
	}
	inside := "/tmp/" + filepath.Base(dir) + "/"
	ctx, cancel := context.WithTimeout(ctx, o.TimeLimit*2+time.Minute)
	defer cancel()
	start := time.Now()
	log, err := exec.CommandContext(ctx, "chroot", root, "highs", "--options_file", inside+"options", "--solution_file", inside+"solution", inside+"model.mps").CombinedOutput()
	elapsed := time.Since(start)
	solution, readErr := os.ReadFile(filepath.Join(dir, "solution"))
	if readErr != nil {
		return Answer{}, fmt.Errorf("highstest: highs wrote no solution: %w\n%s", errors.Join(err, readErr), log)
	}
	a := Answer{Elapsed: elapsed}
	if v, ok := field(string(log), "HiGHS run time"); ok {
		a.Run = time.Duration(v * float64(time.Second))
	}
	if err := a.read(m, string(solution)); err != nil {
		return Answer{}, fmt.Errorf("highstest: read the solution file: %w\n%s", err, log)
	}
	a.Bound = a.Objective
	if m.Integers() > 0 {
		var ok bool
		if a.Bound, ok = field(string(log), "Dual bound"); !ok && !a.Infeasible {
			return Answer{}, fmt.Errorf("highstest: highs did not take the program for a mixed-integer one:\n%s", log)
		}
	}
	return a, nil
}

func relaxed(m *milp.Model) *milp.Model {
	out := *m
	out.Columns = append([]milp.Column(nil), m.Columns...)
	for j := range out.Columns {
		out.Columns[j].Integer = false
	}
	return &out
}

func writeFile(name string, m *milp.Model) error {
	f, err := os.Create(name)
	if err != nil {
		return fmt.Errorf("highstest: %w", err)
	}
	w := bufio.NewWriter(f)
	if err := errors.Join(m.WriteMPS(w), w.Flush(), f.Close()); err != nil {
		return fmt.Errorf("highstest: %w", err)
	}
	return nil
}

// field returns the number after a label of HiGHS's log, and whether there is one.
func field(log, label string) (float64, bool) {
	for line := range strings.Lines(log) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), label); ok {
			if v, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimLeft(rest, " :")), 64); err == nil {
				return v, true
			}
		}
	}
	return 0, false
}

// read takes the status, objective, column values and row duals from the text of a solution file.
func (a *Answer) read(m *milp.Model, text string) error {
	columns := make(map[string]int, len(m.Columns))
	for j := range m.Columns {
		columns[m.Columns[j].Name] = j
	}
	rows := make(map[string]int, len(m.Rows))
	for i := range m.Rows {
		rows[m.Rows[i].Name] = i
	}
	section, part := "", ""
	lines := bufio.NewScanner(bytes.NewReader([]byte(text)))
	lines.Buffer(nil, 1<<20)
	for next := ""; lines.Scan(); {
		line := strings.TrimSpace(lines.Text())
		switch {
		case line == "":
		case line == "Model status":
			next = "status"
		case next == "status":
			a.Status, next = line, ""
		case strings.HasPrefix(line, "# Columns"), strings.HasPrefix(line, "# Rows"):
			part = strings.Fields(line)[1]
			if section == "primal" && part == "Columns" {
				a.Columns = make([]float64, len(m.Columns))
			}
			if section == "dual" && part == "Rows" {
				a.RowDuals = make([]float64, len(m.Rows))
			}
		case strings.HasPrefix(line, "# Primal"):
			section, part = "primal", ""
		case strings.HasPrefix(line, "# Dual"):
			section, part = "dual", ""
		case strings.HasPrefix(line, "# Basis"):
			section, part = "", ""
		case strings.HasPrefix(line, "Objective "):
			a.Objective, _ = strconv.ParseFloat(strings.Fields(line)[1], 64)
		case section != "" && part != "":
			name, value, ok := strings.Cut(line, " ")
			v, err := strconv.ParseFloat(value, 64)
			if !ok || err != nil {
				return fmt.Errorf("line %q", line)
			}
			if j, ok := columns[name]; ok && section == "primal" && part == "Columns" {
				a.Columns[j] = v
			}
			if i, ok := rows[name]; ok && section == "dual" && part == "Rows" {
				a.RowDuals[i] = v
			}
		}
	}
	a.Optimal = a.Status == "Optimal"
	a.Infeasible = strings.Contains(a.Status, "nfeasible")
	return lines.Err()
}
