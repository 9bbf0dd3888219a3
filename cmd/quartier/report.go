package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/config"
	"quartier/schemas/district"
	"quartier/schemas/store"
)

func reportCommand() *command {
	return &command{name: "report", does: "Write the residents' monthly savings reports, page and PDF.",
		usage: `report -c district.yaml --month YYYY-MM --out DIR [--member ID] [--language fr|en]

Writes DIR/DISTRICT-MEMBER-MONTH.html and .pdf for every member who consented to the report.
With --data the record of a demonstration is used in place of the configuration's.`,
		run: runReport}
}

func runReport(ctx context.Context, c *call) error {
	file := c.flags.String("c", "", "the configuration, a `file`")
	month := c.flags.String("month", "", "the civil `month`, such as 2026-01")
	out := c.flags.String("out", "", "`folder` of the reports; it is made")
	member := c.flags.String("member", "", "`id` of one member: all when not given")
	language := c.flags.String("language", "", "`language`, fr or en: each member's own when not given")
	data := c.flags.String("data", "", "`folder` of the record in place of the configuration's")
	if err := c.parse(0); err != nil {
		return err
	}
	if err := c.need("month", "out"); err != nil {
		return err
	}
	cfg, err := loadConfig(c, *file)
	if err != nil {
		return err
	}
	if _, err := time.Parse("2006-01", *month); err != nil {
		return badInput{fmt.Errorf("quartier report: --month %q is no month such as 2026-01", *month)}
	}
	if *language != "" && *language != "fr" && *language != "en" {
		return badInput{fmt.Errorf("quartier report: --language %q is neither fr nor en", *language)}
	}
	if *data != "" {
		cfg.File.DataDir = *data
	}
	if *member != "" && !hasMember(cfg, *member) {
		return badInput{fmt.Errorf("quartier report: no district has a member %q", *member)}
	}
	if err := os.MkdirAll(*out, 0o755); err != nil {
		return badInput{fmt.Errorf("quartier report: %w", err)}
	}
	st, err := openRecord(ctx, c, cfg, true)
	if err != nil {
		return err
	}
	defer st.Close()
	r := app.NewSerialReporter(cfg, st, time.Now)
	written, empty := 0, 0
	for i := range cfg.Districts {
		d := &cfg.Districts[i]
		members := slices.SortedStableFunc(slices.Values(d.Members), func(a, b district.Member) int { return strings.Compare(a.Site, b.Site) })
		for _, m := range members {
			if *member != "" && m.ID != *member || *member == "" && !m.Consent.Report {
				continue
			}
			for _, format := range []string{"html", "pdf"} {
				doc, err := r.Report(ctx, d.ID, m.ID, *month, format, *language)
				if errors.Is(err, store.ErrNotFound) {
					empty++
					break
				} else if err != nil {
					return err
				}
				name := filepath.Join(*out, fmt.Sprintf("%s-%s-%s.%s", d.ID, m.ID, *month, format))
				if err := writeOutput(c, name, func(w io.Writer) error { _, err := w.Write(doc); return err }); err != nil {
					return err
				}
				written++
			}
		}
	}
	if written > 0 {
		fmt.Fprintf(c.stdout, "%d documents in %s\n", written, *out)
	}
	if empty > 0 {
		fmt.Fprintf(c.stderr, "no data of %d members in %s\n", empty, *month)
	}
	if written == 0 {
		return fmt.Errorf("nothing to report for %s", *month)
	}
	return nil
}

func hasMember(cfg *config.Config, id string) bool {
	for i := range cfg.Districts {
		if cfg.Districts[i].Member(id) != nil {
			return true
		}
	}
	return false
}
