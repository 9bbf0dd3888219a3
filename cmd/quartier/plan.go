package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"quartier/optimizer"
	"quartier/optimizer/milp"
	"quartier/optimizer/problem"
)

func planCommand() *command {
	return &command{name: "plan", does: "Plan one district from a problem document: loads and storage, with a certificate.",
		usage: `plan --problem FILE --out FILE [options]

Reads a problem document and writes a solution document. "-" is standard input or output.
The answer carries its objective, a bound that no plan can beat, and the gap between them.
Exit: 0 with a plan, 1 without one in the time limit, 2 the document is refused (one line per
fault), 3 infeasible: the document then names what would have to give way.`,
		run: runPlan}
}

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

func runPlan(ctx context.Context, c *call) error {
	problemFile := c.flags.String("problem", "", "the problem document, a `file`")
	out := c.flags.String("out", "", "where the solution document goes, a `file`")
	mps := c.flags.String("mps", "", "also write the same program as MPS for any other solver, to a `file`")
	previousFile := c.flags.String("previous", "", "the solution before, a `file`: among near-equal plans the one that keeps its set-points is taken")
	gap := c.flags.Float64("gap", 0, "relative `gap` at which a plan counts as optimal: 1e-6 without integer decisions and 5e-3 with them when not given")
	rounds := c.flags.Int("rounds", 0, "stop after `n` rounds of the mixed search: reproduces a plan exactly")
	preference := c.flags.Float64("preference-epsilon", 1e-4, "`share` of the objective that keeping the previous plan may cost")
	workers := c.flags.Int("workers", 0, "how many `cores` to use: all when not given; the plan does not depend on it")
	limit := seconds(10 * time.Second)
	c.flags.Var(&limit, "time-limit", "`time` for solving, such as 10s; a bare number is seconds")
	if err := c.parse(0); err != nil {
		return err
	}
	if err := c.need("problem"); err != nil {
		return err
	}
	if *out == "" && *mps == "" {
		return badInput{errors.New("quartier plan: --out or --mps is required\nRun 'quartier plan -h' for its options")}
	}
	data, err := readInput(c, *problemFile)
	if err != nil {
		return err
	}
	p, err := problem.Parse(data)
	if err != nil {
		return badInput{err}
	}
	if *mps != "" {
		if err := writeOutput(c, *mps, func(w io.Writer) error { return milp.Build(p).WriteMPS(w) }); err != nil {
			return err
		}
		if *out == "" {
			return nil
		}
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
	if err := writeOutput(c, *out, func(w io.Writer) error { return problem.EncodeSolution(w, sol) }); err != nil {
		return err
	}
	switch sol.Status {
	case problem.Infeasible:
		for _, x := range sol.Conflict {
			fmt.Fprintf(c.stderr, "infeasible: %s %s %s steps %d to %d lacks %.6g %s\n", x.Limit, x.Site, x.Device, x.FromStep, x.ToStep, x.Amount, x.Unit)
		}
		return exitError{exitInfeasible}
	case problem.Unknown:
		return fmt.Errorf("no plan within %v", time.Duration(limit))
	}
	if *out != "-" && sol.Objective != nil && sol.Gap != nil {
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
