// Command quartier is the energy management system of positive-energy districts: one binary for the service, the demo and every tool around them.
//
// Exit codes: 0 done, 1 failed, 2 bad input, 3 (plan) infeasible.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sort"
	"strings"
	"syscall"
	_ "time/tzdata" // zones also on machines that have none
)

// The exit codes of every command.
const (
	exitDone       = 0
	exitFailed     = 1
	exitBadInput   = 2
	exitInfeasible = 3
)

// command is one subcommand: what it does in a line, how it is used, and the function that runs it.
type command struct {
	name, does, usage string
	hidden            bool
	run               func(ctx context.Context, c *call) error
}

// call is one invocation.
type call struct {
	cmd            *command
	flags          *flag.FlagSet
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// badInput is an error of the user's input: exit code 2.
type badInput struct{ err error }

func (b badInput) Error() string { return b.err.Error() }
func (b badInput) Unwrap() error { return b.err }

// exitError ends the program with a code and without another message.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("exit status %d", e.code) }

func commands() []*command {
	return []*command{
		demoCommand(), runCommand(), checkCommand(), planCommand(), backtestCommand(), balanceCommand(), reportCommand(), auditCommand(), deviceCommand(), sharingCommand(), importCommand(), exportCommand(), userCommand(), pointsCommand(),
		schemaCommand(), versionCommand(), faceCommand(),
	}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	all := commands()
	if len(args) == 0 {
		overview(stderr, all)
		return exitBadInput
	}
	switch args[0] {
	case "help", "-h", "-help", "--help":
		if len(args) > 1 {
			args = []string{args[1], "-h"}
			break
		}
		overview(stdout, all)
		return exitDone
	}
	for _, cmd := range all {
		if cmd.name == args[0] {
			return cmd.execute(ctx, args[1:], stdin, stdout, stderr)
		}
	}
	fmt.Fprintf(stderr, "quartier: unknown command %q%s\nRun 'quartier help' for the list.\n", args[0], suggest(args[0], all))
	return exitBadInput
}

func (cmd *command) execute(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	c := &call{cmd: cmd, args: args, stdin: stdin, stdout: stdout, stderr: stderr, flags: flag.NewFlagSet(cmd.name, flag.ContinueOnError)}
	c.flags.SetOutput(io.Discard)
	err := cmd.run(ctx, c)
	var exit exitError
	var bad badInput
	switch {
	case err == nil:
		return exitDone
	case errors.Is(err, flag.ErrHelp):
		c.help(stdout)
		return exitDone
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &bad):
		fmt.Fprintf(stderr, "%v\n", bad.err)
		return exitBadInput
	}
	fmt.Fprintf(stderr, "quartier %s: %v\n", cmd.name, err)
	return exitFailed
}

// parse reads the flags. No argument but the flags is allowed unless the command takes some.
func (c *call) parse(most int) error {
	var positional []string
	rest := c.args
	for {
		if err := c.flags.Parse(rest); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				return err
			}
			return badInput{fmt.Errorf("quartier %s: %s\nRun 'quartier %s -h' for its options", c.cmd.name, optionFault(err), c.cmd.name)}
		}
		rest = c.flags.Args()
		if len(rest) == 0 {
			break
		}
		positional, rest = append(positional, rest[0]), rest[1:]
	}
	if len(positional) > most {
		return badInput{fmt.Errorf("quartier %s: unexpected argument %q\nRun 'quartier %s -h' for its options", c.cmd.name, positional[most], c.cmd.name)}
	}
	c.args = positional
	return nil
}

// optionFault says what package flag found in the words of the help, where options have two dashes.
func optionFault(err error) string {
	text := err.Error()
	if name, ok := strings.CutPrefix(text, "flag provided but not defined: -"); ok {
		return "unknown option " + dashed(name)
	}
	if name, ok := strings.CutPrefix(text, "flag needs an argument: -"); ok {
		return dashed(name) + " needs a value"
	}
	if head, tail, ok := strings.Cut(text, " for flag -"); ok {
		name, why, _ := strings.Cut(tail, ": ")
		if why == "parse error" {
			why = "not a number"
		}
		return dashed(name) + ": " + head + ", " + why
	}
	return text
}

// dashed is an option as it is written.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// need returns an error for each flag that must be given and is not.
func (c *call) need(names ...string) error {
	var missing []string
	for _, n := range names {
		if f := c.flags.Lookup(n); f == nil || f.Value.String() == "" {
			missing = append(missing, dashed(n))
		}
	}
	if len(missing) > 0 {
		are := "is"
		if len(missing) > 1 {
			are = "are"
		}
		return badInput{fmt.Errorf("quartier %s: %s %s required\nRun 'quartier %s -h' for its options", c.cmd.name, strings.Join(missing, " and "), are, c.cmd.name)}
	}
	return nil
}

func (c *call) help(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nUsage:\n  quartier %s\n", c.cmd.does, strings.ReplaceAll(strings.TrimSpace(c.cmd.usage), "\n", "\n  "))
	any := false
	c.flags.VisitAll(func(*flag.Flag) { any = true })
	if any {
		fmt.Fprintln(w, "\nOptions:")
		c.flags.VisitAll(func(f *flag.Flag) {
			kind, text := flag.UnquoteUsage(f)
			line := "  " + dashed(f.Name)
			if kind != "" {
				line += " " + strings.ToUpper(kind)
			}
			if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0" {
				text += fmt.Sprintf(" (default %s)", f.DefValue)
			}
			fmt.Fprintf(w, "%-28s %s\n", line, text)
		})
	}
}

func overview(w io.Writer, all []*command) {
	fmt.Fprint(w, "Quartier runs the energy of positive-energy districts: it reads their devices, plans loads and storage,\nsends set-points back and keeps the accounts.\n\nCommands:\n")
	for _, c := range all {
		if !c.hidden {
			fmt.Fprintf(w, "  %-10s %s\n", c.name, c.does)
		}
	}
	fmt.Fprint(w, "\nStart with 'quartier demo'. 'quartier help COMMAND' tells more of a command.\nExit codes: 0 done, 1 failed, 2 bad input, 3 infeasible (plan).\n")
}

// suggest names the command that was probably meant.
func suggest(got string, all []*command) string {
	var near []string
	for _, c := range all {
		if !c.hidden && (strings.HasPrefix(c.name, got) || strings.HasPrefix(got, c.name) || oneEdit(got, c.name)) {
			near = append(near, c.name)
		}
	}
	if len(near) == 0 {
		return ""
	}
	sort.Strings(near)
	return ", did you mean " + strings.Join(near, " or ") + "?"
}

// oneEdit reports whether two words differ by one letter changed, added, dropped or by two neighbours swapped.
func oneEdit(a, b string) bool {
	if len(a) > len(b) {
		a, b = b, a
	}
	if len(b)-len(a) > 1 {
		return false
	}
	i := 0
	for i < len(a) && a[i] == b[i] {
		i++
	}
	if len(a) == len(b) {
		return i == len(a) || a[i+1:] == b[i+1:] || i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
	}
	return a[i:] == b[i+1:]
}
