//go:build verify

package highstest_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"quartier/optimizer"
	"quartier/optimizer/certify"
	"quartier/optimizer/highstest"
	"quartier/optimizer/milp"
	"quartier/optimizer/problem"
	"quartier/optimizer/problemtest"
)

// reference runs the independent program that QUARTIER_PLAN_REFERENCE names, written from the text of the plan problem alone. Its exit status is 0 when done, 1 with
// violations or no answer, 2 when it refuses the problem, 3 when that is infeasible.
func reference(t *testing.T, args ...string) (code int, stdout, stderr []byte) {
	t.Helper()
	program := os.Getenv("QUARTIER_PLAN_REFERENCE")
	if program == "" {
		t.Fatal("QUARTIER_PLAN_REFERENCE names no reference program; `make verify` needs it")
	}
	var out, log bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Stdout, cmd.Stderr = &out, &log
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatalf("%s %v: %v", program, args, err)
	}
	return code, out.Bytes(), log.Bytes()
}

func save(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestReferenceSolves: the reference finds the same optimum as HiGHS on our program, or that there is none, and accepts our plan with our cost.
func TestReferenceSolves(t *testing.T) {
	for seed := range uint64(120) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			data, err := problemtest.Random(seed+1000, problemtest.Options{}).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			p, err := problem.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			file := save(t, "problem.json", data)
			m := milp.Build(p)
			a := highstest.Solve(t, m, highstest.Options{})
			code, out, log := reference(t, "solve", file)
			if a.Infeasible || code == 3 {
				if !a.Infeasible || code != 3 {
					t.Errorf("ours %s, the reference's exit status %d", a.Status, code)
				}
				return
			}
			var solved struct{ Objective float64 }
			if err := json.Unmarshal(out, &solved); code != 0 || err != nil {
				t.Fatalf("solve: exit status %d, %v\n%s%s", code, err, out, log)
			}
			if math.Abs(solved.Objective-a.Objective) > 1e-5*max(1, math.Abs(a.Objective)) {
				t.Errorf("ours %.9g EUR, the reference's %.9g EUR", a.Objective, solved.Objective)
			}
			s, err := m.Solution(a.Columns)
			if err != nil {
				t.Fatal(err)
			}
			certify.Complete(p, s)
			accepted(t, file, s)
		})
	}
}

// accepted: the reference finds no violation in the plan and recomputes its objective.
func accepted(t *testing.T, file string, s *problem.Solution) {
	t.Helper()
	var b bytes.Buffer
	if err := problem.EncodeSolution(&b, s); err != nil {
		t.Fatal(err)
	}
	code, out, log := reference(t, "verify", file, save(t, "solution.json", b.Bytes()))
	var verified struct {
		Violations int
		ClaimError float64 `json:"claim_error"`
	}
	if err := json.Unmarshal(out, &verified); err != nil || code != 0 || verified.Violations > 0 || verified.ClaimError > 1e-6 {
		t.Errorf("verify: exit status %d, %v\n%s%s", code, err, out, log)
	}
}

// TestReferenceFinds: what our check finds wrong in a spoiled plan, the reference finds wrong too, and the other way round.
func TestReferenceFinds(t *testing.T) {
	for seed := range uint64(60) {
		p := problemtest.Random(seed+5000, problemtest.Options{})
		data, err := p.Marshal()
		if err != nil {
			t.Fatal(err)
		}
		m := milp.Build(p)
		a := highstest.Solve(t, m, highstest.Options{})
		if a.Infeasible {
			continue
		}
		s, err := m.Solution(a.Columns)
		if err != nil {
			t.Fatal(err)
		}
		for i := range s.Sites {
			for j := range s.Sites[i].Devices {
				kw := s.Sites[i].Devices[j].PowerKW
				kw[int(seed)%len(kw)] += 0.7 * float64(int(seed)%3-1)
			}
		}
		r := certify.Complete(p, s)
		var b bytes.Buffer
		if err := problem.EncodeSolution(&b, s); err != nil {
			t.Fatal(err)
		}
		code, out, log := reference(t, "verify", save(t, "problem.json", data), save(t, "solution.json", b.Bytes()))
		if (code == 0) != r.Feasible() {
			t.Errorf("seed %d: ours %v, the reference's exit status %d\n%s%s\n%s", seed, r.Violations, code, out, log, data)
		}
	}
}

// TestReferenceRefuses: the reference refuses what we refuse, and takes our example documents.
func TestReferenceRefuses(t *testing.T) {
	documents := filepath.Join("..", "..", "testdata", "problems")
	good, err1 := filepath.Glob(filepath.Join(documents, "*.json"))
	bad, err2 := filepath.Glob(filepath.Join(documents, "bad", "*.json"))
	if err1 != nil || err2 != nil || len(good) == 0 || len(bad) == 0 {
		t.Fatalf("no documents: %v, %v", err1, err2)
	}
	for _, file := range good {
		if code, out, log := reference(t, "solve", file); code != 0 {
			t.Errorf("%s: exit status %d\n%s%s", file, code, out, log)
		}
	}
	for _, file := range bad {
		if code, out, _ := reference(t, "solve", file); code == 0 || code == 3 {
			t.Errorf("%s: exit status %d\n%s", file, code, out)
		}
	}
}

// TestReferencePlans: the product's own plans, from documents to documents, are accepted by the reference with their objective, their bound is not above the optimum that
// the reference finds, and a continuous problem is solved to that optimum.
func TestReferencePlans(t *testing.T) {
	problems := map[string]*problem.Problem{"continuous district": problemtest.District(10, 96, 15, 7, false), "mixed district": problemtest.District(2, 24, 60, 7, true)}
	for seed := range uint64(50) {
		problems[fmt.Sprint("mixed ", seed)] = problemtest.Random(seed+2000, problemtest.Options{})
		problems[fmt.Sprint("continuous ", seed)] = problemtest.Random(seed+2000, problemtest.Options{Continuous: true})
	}
	for name, built := range problems {
		t.Run(name, func(t *testing.T) {
			data, err := built.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			p, err := problem.Parse(data)
			if err != nil {
				t.Fatal(err)
			}
			s, err := optimizer.Plan(t.Context(), p, optimizer.Settings{Rounds: 20})
			if err != nil {
				t.Fatal(err)
			}
			file := save(t, "problem.json", data)
			code, out, log := reference(t, "solve", file, "--time-limit", "20")
			if code == 3 && s.Status == problem.Unknown && milp.Build(p).Integers() > 0 {
				return // no plan was claimed; that on/off decisions alone leave none cannot always be proved in time
			}
			if code == 3 || s.Status == problem.Infeasible {
				if code != 3 || s.Status != problem.Infeasible {
					t.Errorf("status %s, the reference's exit status %d\n%s%s", s.Status, code, out, log)
				}
				return
			}
			if s.Objective == nil || s.Bound == nil {
				t.Fatalf("status %s without a plan; the reference has one: %s", s.Status, out)
			}
			accepted(t, file, s)
			var solved struct{ Objective, Bound float64 }
			if err := json.Unmarshal(out, &solved); err != nil {
				t.Fatal(err)
			}
			size := 1e-6 * max(1, math.Abs(solved.Objective))
			if *s.Bound > solved.Objective+2*size || *s.Objective < solved.Bound-2*size {
				t.Errorf("ours from %.9g to %.9g EUR, the reference's from %.9g to %.9g EUR", *s.Bound, *s.Objective, solved.Bound, solved.Objective)
			}
			if milp.Build(p).Integers() == 0 && *s.Objective > solved.Objective+2*size {
				t.Errorf("a continuous problem planned for %.9g EUR, its optimum is %.9g EUR", *s.Objective, solved.Objective)
			}
		})
	}
}
