package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/config"
	"quartier/schemas/ledger"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

func auditCommand() *command {
	return &command{name: "audit", does: "Recompute a closed month from raw samples and compare it with what was published.",
		usage: `audit -c district.yaml --month YYYY-MM [--district ID] [--close] [--json]

Prints every published figure of the month as stored and as recomputed. Where they differ the reason
names the input that changed since the closing: late data, a tariff, a factor, the configuration or
the method; a figure that was altered in the record does not match its seal. Exit 1 on a difference,
also of a balance row.
With --close the month is published: figures for the first time, or a new version, with the reason,
of each that differs. Old versions stay.
With --data the record of a demonstration is used in place of the configuration's.`,
		run: runAudit}
}

func runAudit(ctx context.Context, c *call) error {
	file := c.flags.String("c", "", "the configuration, a `file`")
	month := c.flags.String("month", "", "the civil `month`, such as 2026-01")
	only := c.flags.String("district", "", "`id` of one district: all when not given")
	data := c.flags.String("data", "", "`folder` of the record in place of the configuration's")
	publish := c.flags.Bool("close", false, "publish what is missing and new versions of what differs")
	asJSON := c.flags.Bool("json", false, "write the findings as JSON")
	if err := c.parse(0); err != nil {
		return err
	}
	if err := c.need("month"); err != nil {
		return err
	}
	cfg, err := loadConfig(c, *file)
	if err != nil {
		return err
	}
	if *data != "" {
		cfg.File.DataDir = *data
	}
	if *only != "" && cfg.District(*only) == nil {
		return badInput{fmt.Errorf("quartier audit: no district %q", *only)}
	}
	if _, err := time.Parse("2006-01", *month); err != nil {
		return badInput{fmt.Errorf("quartier audit: --month %q is no month such as 2026-01", *month)}
	}
	st, err := openRecord(ctx, c, cfg, true)
	if err != nil {
		return err
	}
	defer st.Close()
	differs := false
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		if *only != "" && d.ID != *only {
			continue
		}
		sp, err := timegrid.ParseMonth(*month, d.Zone)
		if err != nil {
			return badInput{fmt.Errorf("quartier audit: %w", err)}
		}
		clean, err := auditDistrict(ctx, c, cfg, st, d.ID, sp, *publish, *asJSON)
		if err != nil {
			return err
		}
		differs = differs || !clean
	}
	if differs {
		return exitError{exitFailed}
	}
	return nil
}

// auditDistrict audits, or closes, a month of one district and prints what it found.
func auditDistrict(ctx context.Context, c *call, cfg *config.Config, st *app.Record, id string, month timegrid.Span, publish, asJSON bool) (clean bool, err error) {
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		if d.ID != id {
			continue
		}
		name := month.Start.In(d.Zone).Format("2006-01")
		books, err := app.NewBooks(cfg, d, st, time.Now)
		if err != nil {
			return false, err
		}
		published, err := books.Published(ctx, month)
		if err != nil {
			return false, err
		}
		if len(published) == 0 && !publish {
			return false, fmt.Errorf("%s of %s is not closed: no figure was published; --close does it", name, id)
		}
		a, err := books.Audit(ctx, month)
		if errors.Is(err, store.ErrNotFound) {
			return false, fmt.Errorf("%s of %s: there is no raw sample in the record", name, id)
		}
		if err != nil {
			return false, err
		}
		if err := printAudit(c.stdout, id, name, a, asJSON, publish && len(published) == 0); err != nil {
			return false, err
		}
		if !publish {
			return a.Clean(), nil
		}
		written, err := books.Correct(ctx, a)
		if err == nil && st.Drain != nil {
			err = st.Drain(ctx)
		}
		if err != nil {
			return false, err
		}
		fmt.Fprintf(c.stderr, "%s of %s: %d figures published\n", name, id, len(written))
		return true, nil
	}
	return true, nil
}

// printAudit writes the findings: as a table with the reasons under each figure, or as JSON. Of a month that is closed now for the first time nothing is compared.
func printAudit(w io.Writer, id, month string, a *app.Audit, asJSON, first bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetIndent("", "  ")
		return enc.Encode(struct {
			District string           `json:"district"`
			Month    string           `json:"month"`
			Findings []ledger.Finding `json:"findings"`
			Rows     int              `json:"balance_rows"`
			RowsOff  int              `json:"balance_rows_that_differ"`
			FirstOff string           `json:"first_that_differs,omitempty"`
			Removed  time.Time        `json:"samples_removed_before,omitzero"`
		}{id, month, a.Findings, a.Rows, a.RowsOff, a.FirstOff, a.Removed})
	}
	fmt.Fprintf(w, "%s %s\n", id, month)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(t, "subject\tfigure\tversion\tstored\trecomputed\tunit\t\t\n")
	off := 0
	var reasons []string
	for _, f := range a.Findings {
		stored, again, version, x := "-", "-", "-", f.Recomputed
		if f.Stored != nil {
			x, stored, version = f.Stored, exactly(f.Stored.Value), strconv.Itoa(f.Stored.Version)
		}
		if f.Recomputed != nil {
			again = exactly(f.Recomputed.Value)
		}
		verdict := string(f.Verdict)
		if first {
			verdict = "published"
		} else if f.Verdict != ledger.Same {
			off++
			reasons = append(reasons, fmt.Sprintf("%s %s: %s", x.Subject, x.Kind, strings.Join(f.Reasons, "; ")))
		} else if len(f.Reasons) > 0 {
			verdict = "same, though an input changed"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t\n", x.Subject, x.Kind, version, stored, again, x.Unit, verdict)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range reasons {
		fmt.Fprintf(w, "differs: %s\n", r)
	}
	if first {
		return nil
	}
	if !a.Removed.IsZero() {
		fmt.Fprintf(w, "samples of before %s, on which the month rests, were removed: what differs may do so for want of them\n", a.Removed.UTC().Format(time.RFC3339))
	}
	if a.RowsOff > 0 {
		fmt.Fprintf(w, "differs: %d of %d balance rows; the first: %s\n", a.RowsOff, a.Rows, a.FirstOff)
	}
	_, err := fmt.Fprintf(w, "%d figures, %d differ; %d balance rows, %d differ\n", len(a.Findings), off, a.Rows, a.RowsOff)
	return err
}

// exactly writes a figure to a billionth of its unit, without the noise of a long sum behind it; JSON has every digit.
func exactly(v float64) string {
	text := strconv.FormatFloat(v, 'f', 9, 64)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}
