package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"quartier/schemas/sharing"
)

func sharingCommand() *command {
	return &command{name: "sharing", does: "Share the energy of a collective self-consumption operation among its members.",
		usage: `sharing --operation FILE [--redistribute | --priority GROUPS] [--coefficients FILE --from DATE]

Reads an operation and writes who gets what, in whole watt-hours, to standard output. "-" is
standard input. The operation is JSON:

  {"step_minutes":15, "key":"static"|"dynamic"|"coefficients"|"full_dynamic",
   "shares":{id:number}, "coefficients":{id:[...]} or {producer:{id:[...]}},
   "consumers":{id:[Wh per step]}, "producers":{id:[Wh per step]}}

static         fixed shares; what a member leaves unused is surplus
dynamic        in proportion to consumption, the legal default
coefficients   a share of all production for each member and step
full_dynamic   a share of each producer for each member and step; where a member's exceed what
               it consumes, all of its producers are cut in proportion

The answer is {"allocated":{id:[Wh]}, "by_producer":{producer:{id:[Wh]}}, "surplus":{producer:[Wh]}}.
In each step it sums exactly to what was produced; each figure is less than 1 Wh away from the exact
value, and what rounding leaves goes to the largest remainder, ties to the first id. Shares and
coefficients are exact decimals of 18 places.

An algorithm of the organiser makes coefficients of its own from what was measured, and shares by
these: --redistribute gives what a static key leaves unused to those who still draw from the grid, by
their shares; --priority serves groups one after the other, such as "school/a,b" for the school, then
a and b, then all others. Storage is a consumer where it charges and a producer where it discharges.

--coefficients writes the coefficients of a month for the network operator as CSV: a line for each step
(and producer, by the full_dynamic key), beginning at local midnight of --from, a column for each consumer.

Exit: 0 done, 2 the operation is refused, with one line per fault on standard error.`,
		run: runSharing}
}

func runSharing(ctx context.Context, c *call) error {
	file := c.flags.String("operation", "", "the operation, a `file`")
	redistribute := c.flags.Bool("redistribute", false, "share again what the static key leaves unused")
	priority := c.flags.String("priority", "", "serve `groups` of consumers one after the other: ids parted by commas, groups by slashes")
	places := c.flags.Int("places", sharing.Places, "decimal `places` of the coefficients that an algorithm makes, 1 to 18")
	to := c.flags.String("coefficients", "", "write the coefficients to send as CSV, a `file`")
	from := c.flags.String("from", "", "`day` on which the operation's steps begin, such as 2026-03-01, for --coefficients")
	zoneName := c.flags.String("zone", "Europe/Paris", "time `zone` of the coefficients")
	if err := c.parse(0); err != nil {
		return err
	}
	if err := c.need("operation"); err != nil {
		return err
	}
	bad := func(format string, args ...any) error {
		return badInput{fmt.Errorf("quartier sharing: "+format, args...)}
	}
	if *redistribute && *priority != "" {
		return bad("--redistribute and --priority are two algorithms, want one")
	}
	var start time.Time
	zone, err := time.LoadLocation(*zoneName)
	if err != nil {
		return bad("--zone: %w", err)
	}
	if *to != "" {
		if start, err = time.ParseInLocation(time.DateOnly, *from, zone); err != nil {
			return bad("--coefficients needs the day of the first step in --from, such as 2026-03-01; %q is none", *from)
		}
	}
	op, err := readOperation(ctx, c, *file)
	if err != nil {
		return err
	}
	switch {
	case *redistribute:
		op, err = op.Redistribute(*places)
	case *priority != "":
		var groups [][]string
		for group := range strings.SplitSeq(*priority, "/") {
			groups = append(groups, strings.Split(group, ","))
		}
		op, err = op.Prioritise(groups, *places)
	}
	if err != nil {
		return badInput{err}
	}
	answer, err := op.Allocate()
	if err != nil {
		return err
	}
	if *to != "" {
		if err := writeCoefficients(op, *to, start, zone); err != nil {
			return err
		}
	}
	if err := answer.Encode(c.stdout, op); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// readOperation reads and checks an operation; "-" is standard input.
func readOperation(ctx context.Context, c *call, file string) (*sharing.Operation, error) {
	in := io.Reader(c.stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, badInput{fmt.Errorf("quartier sharing: %w", err)}
		}
		defer f.Close()
		in = f
	}
	r := withContext(ctx, in)
	defer r.Close()
	op, err := sharing.Decode(r)
	var faults *sharing.Faults
	if errors.As(err, &faults) {
		return nil, badInput{err}
	} else if err != nil {
		return nil, fmt.Errorf("read %s: %w", file, err)
	}
	return op, nil
}

// writeCoefficients writes the file of coefficients; one that cannot be written whole is not left behind.
func writeCoefficients(op *sharing.Operation, file string, start time.Time, zone *time.Location) error {
	if op.Key != sharing.Coefficients && op.Key != sharing.FullDynamic {
		return badInput{fmt.Errorf("quartier sharing: the %s key has no coefficients to send; --redistribute and --priority make some", op.Key)}
	}
	f, err := os.Create(file)
	if err != nil {
		return badInput{fmt.Errorf("quartier sharing: %w", err)}
	}
	if err := errors.Join(op.CoefficientsCSV(f, start, zone), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", file, err), os.Remove(file))
	}
	return nil
}
