package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"quartier/schemas/sharing"
)

func sharingCommand() *command {
	return &command{name: "sharing", does: "Share the energy of a collective self-consumption operation among its members.",
		usage: `sharing --operation FILE

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

Exit: 0 done, 2 the operation is refused, with one line per fault on standard error.`,
		run: runSharing}
}

func runSharing(ctx context.Context, c *call) error {
	file := c.flags.String("operation", "", "the operation, a `file`")
	if err := c.parse(0); err != nil {
		return err
	}
	if err := c.need("operation"); err != nil {
		return err
	}
	in := io.Reader(c.stdin)
	if *file != "-" {
		f, err := os.Open(*file)
		if err != nil {
			return badInput{fmt.Errorf("quartier sharing: %w", err)}
		}
		defer f.Close()
		in = f
	}
	r := withContext(ctx, in)
	defer r.Close()
	op, err := sharing.Decode(r)
	var faults *sharing.Faults
	if errors.As(err, &faults) {
		return badInput{err}
	} else if err != nil {
		return fmt.Errorf("read %s: %w", *file, err)
	}
	answer, err := op.Allocate()
	if err != nil {
		return err
	}
	out := bufio.NewWriter(c.stdout)
	if err := errors.Join(answer.Encode(out, op), out.Flush()); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}
