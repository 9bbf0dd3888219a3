package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/explain"
	"quartier/optimizer/milp"
	"quartier/optimizer/problem"
)

func planCommand() *command {
	return &command{name: "plan", does: "Plan one district from a problem document: loads and storage, with a certificate.",
		usage: `plan --problem FILE --out FILE [options]
plan --problem FILE [--solution FILE] --explain [SITE/DEVICE@STEP,...]

Reads a problem document and writes a solution document. "-" is standard input or output.
The answer carries its objective, a bound that no plan can beat, and the gap between them.
--explain tells in words and numbers what the plan does, what binds, and what one kWh of storage
or one kW of connection more would save; with SITE/DEVICE@STEP, why a device does what it does in
a step (a number from 0, or a time such as 18:30). With --solution a plan made before is explained
and nothing is solved. Among near-equal plans the one before (--previous) is kept where it is as
good; apart from that, set-points change as rarely as they can.
Exit: 0 with a plan, 1 without one in the time limit, 2 the document is refused (one line per
fault), 3 infeasible: the document then names what would have to give way.`,
		run: runPlan}
}

// largeDocument is the size from which what reading it left behind, several times as much, is given back to the system: the plan is about to need as much again.
const largeDocument = 8 << 20

// seconds is a duration flag that takes a Go duration or a bare number of seconds.
type seconds time.Duration

func (s *seconds) String() string { return time.Duration(*s).String() }
func (s *seconds) Set(text string) error {
	if v, err := strconv.ParseFloat(text, 64); err == nil {
		if !(v > 0 && v < 1e9) {
			return fmt.Errorf("%q is no time above 0 s", text)
		}
		*s = seconds(v * float64(time.Second))
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return fmt.Errorf("%q is neither a duration such as 10s nor a number of seconds above 0", text)
	}
	*s = seconds(d)
	return nil
}

// explainFlag is a flag that may have a value: the devices and steps to explain; without one the whole plan is.
type explainFlag struct {
	given bool
	what  string
	list  []explain.Selector
}

func (e *explainFlag) String() string   { return e.what }
func (e *explainFlag) IsBoolFlag() bool { return true }
func (e *explainFlag) Set(text string) error {
	switch text {
	case "true":
		e.given, e.what = true, ""
	case "false":
		e.given = false
	default:
		e.given, e.what = true, text
	}
	return nil
}

// check finds the devices and steps in the problem.
func (e *explainFlag) check(p *problem.Problem) (err error) {
	if e.what != "" {
		e.list, err = explain.ParseSelectors(p, e.what)
	}
	return err
}

func (e *explainFlag) write(w io.Writer, p *problem.Problem, sol *problem.Solution) error {
	x, err := explain.New(p, sol)
	if err != nil {
		return err
	}
	if len(e.list) == 0 {
		return x.Overview(w)
	}
	for _, s := range e.list {
		step, err := x.Step(s.Site, s.Device, s.Step)
		if err != nil {
			return err
		}
		if _, err := step.WriteTo(w); err != nil {
			return fmt.Errorf("write the explanation: %w", err)
		}
	}
	return nil
}

// joinSelector makes one argument of --explain and a SITE/DEVICE@STEP that follows it.
func joinSelector(args []string) []string {
	var out []string
	for k := 0; k < len(args); k++ {
		a := args[k]
		if (a == "--explain" || a == "-explain") && k+1 < len(args) && !strings.HasPrefix(args[k+1], "-") {
			a += "=" + args[k+1]
			k++
		}
		out = append(out, a)
	}
	return out
}

func runPlan(ctx context.Context, c *call) error {
	problemFile := c.flags.String("problem", "", "the problem document, a `file`")
	out := c.flags.String("out", "", "where the solution document goes, a `file`")
	mps := c.flags.String("mps", "", "also write the same program as MPS for any other solver, to a `file`")
	previousFile := c.flags.String("previous", "", "the solution before, a `file`: among near-equal plans the one that keeps its set-points is taken")
	gap := c.flags.Float64("gap", 0, "relative `gap` at which a plan counts as optimal: 1e-6 without integer decisions and 5e-3 with them when not given")
	rounds := c.flags.Int("rounds", 0, "stop after `n` rounds of the mixed search: reproduces a plan exactly")
	preference := c.flags.Float64("preference-epsilon", 1e-4, "`share` of the objective that the choice among near-equal plans may cost; 0 takes the best plan as it is")
	solutionFile := c.flags.String("solution", "", "explain this solution document, a `file`, instead of solving")
	var explaining explainFlag
	c.flags.Var(&explaining, "explain", "explain the plan, or one device in one step: `site/device@step`, several parted by commas")
	workers := c.flags.Int("workers", 0, "how many `cores` to use: all when not given; the plan does not depend on it")
	limit := seconds(10 * time.Second)
	c.flags.Var(&limit, "time-limit", "`time` for solving, such as 10s; a bare number is seconds")
	c.args = joinSelector(c.args)
	if err := c.parse(0); err != nil {
		return err
	}
	if err := c.need("problem"); err != nil {
		return err
	}
	if *solutionFile != "" && (!explaining.given || *out != "") {
		return badInput{errors.New("quartier plan: --solution goes with --explain and without --out\nRun 'quartier plan -h' for its options")}
	}
	if *out == "" && *mps == "" && !explaining.given {
		return badInput{errors.New("quartier plan: --out, --mps or --explain is required\nRun 'quartier plan -h' for its options")}
	}
	data, err := readInput(c, *problemFile)
	if err != nil {
		return err
	}
	p, err := problem.Parse(data)
	if err != nil {
		return badInput{err}
	}
	if len(data) > largeDocument {
		data = nil
		debug.FreeOSMemory()
	}
	if *mps != "" {
		if err := writeOutput(c, *mps, func(w io.Writer) error { return milp.Build(p).WriteMPS(w) }); err != nil {
			return err
		}
		if *out == "" && !explaining.given {
			return nil
		}
	}
	if explaining.given {
		if err := explaining.check(p); err != nil {
			return badInput{fmt.Errorf("quartier plan: %w", err)}
		}
	}
	if *solutionFile != "" {
		data, err := readInput(c, *solutionFile)
		if err != nil {
			return err
		}
		sol, err := problem.ParseSolution(data)
		if err != nil {
			return badInput{fmt.Errorf("%s: %w", *solutionFile, err)}
		}
		if err := explaining.write(c.stdout, p, sol); err != nil {
			return badInput{fmt.Errorf("%s: %w", *solutionFile, err)}
		}
		return nil
	}
	if !(*preference >= 0) {
		return badInput{fmt.Errorf("quartier plan: --preference-epsilon %v: want a share of at least 0", *preference)}
	}
	if *preference == 0 {
		*preference = -1 // a Settings of 0 means the default
	}
	set := optimizer.Settings{Gap: *gap, TimeLimit: time.Duration(limit), Rounds: *rounds, PreferenceEpsilon: *preference, Workers: *workers}
	if *previousFile != "" {
		data, err := readInput(c, *previousFile)
		if err != nil {
			return err
		}
		if set.Previous, err = problem.ParseSolution(data); err != nil {
			return badInput{fmt.Errorf("%s: %w", *previousFile, err)}
		}
	}
	sol, err := optimizer.Plan(ctx, p, set)
	if err != nil {
		return err
	}
	if *out != "" {
		if err := writeOutput(c, *out, func(w io.Writer) error { return problem.EncodeSolution(w, sol) }); err != nil {
			return err
		}
	}
	told := c.stdout
	if *out == "-" { // the document has it
		told = c.stderr
	}
	if explaining.given && len(sol.Sites) == len(p.Sites) {
		if err := explaining.write(told, p, sol); err != nil {
			return err
		}
	}
	switch sol.Status {
	case problem.Infeasible:
		for _, x := range sol.Conflict {
			fmt.Fprintf(c.stderr, "infeasible: %s\n", explain.ConflictText(p, x))
		}
		return exitError{exitInfeasible}
	case problem.Unknown:
		return fmt.Errorf("no plan within %v", time.Duration(limit))
	}
	if *out != "-" && !explaining.given && sol.Objective != nil && sol.Gap != nil {
		fmt.Fprintf(c.stdout, "%s: %.4f EUR, gap %.2g, %.2f s\n", sol.Status, *sol.Objective, *sol.Gap, sol.SolveSeconds)
	}
	return nil
}

// readInput reads a file, or standard input for "-".
func readInput(c *call, name string) ([]byte, error) {
	if name == "-" {
		data, err := io.ReadAll(c.stdin)
		if err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
		return data, nil
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, badInput{fmt.Errorf("quartier %s: %w", c.cmd.name, err)}
	}
	return data, nil
}

// writeOutput writes a file whole or not at all, or standard output for "-".
func writeOutput(c *call, name string, write func(io.Writer) error) error {
	if name == "-" {
		return write(c.stdout)
	}
	tmp, err := os.CreateTemp(filepath.Dir(name), ".quartier-*")
	if err != nil {
		return badInput{fmt.Errorf("quartier %s: %w", c.cmd.name, err)}
	}
	defer os.Remove(tmp.Name())
	if err := write(tmp); err != nil {
		tmp.Close()
		return err
	}
	if err := tmp.Chmod(0o644); err != nil {
		tmp.Close()
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := tmp.Close(); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	if err := os.Rename(tmp.Name(), name); err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}
