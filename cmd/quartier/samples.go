package main

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	"quartier/cmd/internal/app"
	"quartier/schemas/district"
	"quartier/schemas/store"
	"quartier/schemas/timegrid"
)

// csvHeader is the first line of a file of samples.
var csvHeader = []string{"series", "time", "value", "quality"}

func importCommand() *command {
	return &command{name: "import", does: "Take measurements from a CSV file into the record.",
		usage: `import -c district.yaml FILE

The file has the columns series,time,value,quality: a name such as fontaine/ecole/grid/import_kwh,
an RFC 3339 instant, a number in the series' unit, and good, uncertain, bad or substituted (good
when left out). Lines that cannot be taken are named with their reason, the rest is taken (exit 2).
"-" is standard input.`,
		run: runImport}
}

func exportCommand() *command {
	return &command{name: "export", does: "Write measurements or balances of the record as CSV.",
		usage: `export -c district.yaml --from DAY --to DAY [--what samples|balances] [--series PREFIX] [--out FILE]

Days are local days of the first district, --to exclusive.`,
		run: runExport}
}

func runImport(ctx context.Context, c *call) error {
	file := c.flags.String("c", "", "the configuration, a `file`")
	if err := c.parse(1); err != nil {
		return err
	}
	if len(c.args) != 1 {
		return badInput{errors.New("quartier import: name one file")}
	}
	cfg, err := loadConfig(c, *file)
	if err != nil {
		return err
	}
	in := c.stdin
	if c.args[0] != "-" {
		f, err := os.Open(c.args[0])
		if err != nil {
			return badInput{fmt.Errorf("quartier import: %w", err)}
		}
		defer f.Close()
		in = f
	}
	st, err := app.OpenStore(ctx, cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	taken, refused, err := importSamples(ctx, bufio.NewReader(in), st, func(line int, reason error) {
		fmt.Fprintf(c.stderr, "%s:%d: %v\n", c.args[0], line, reason)
	}, func(n int) { fmt.Fprintf(c.stderr, "%d samples…\n", n) })
	if st.Drain != nil && err == nil {
		err = st.Drain(ctx)
	}
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	fmt.Fprintf(c.stdout, "%d samples taken, %d lines refused\n", taken, refused)
	if refused > 0 {
		return exitError{exitBadInput}
	}
	return nil
}

// importSamples reads a CSV of samples into the store in pieces. A line that cannot be taken goes to refuse with its number.
func importSamples(ctx context.Context, in io.Reader, st appender, refuse func(line int, reason error), progress func(n int)) (taken, refused int, err error) {
	r := csv.NewReader(in)
	r.FieldsPerRecord = -1
	var batch []district.Sample
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		if err := st.Append(ctx, batch); err != nil {
			return err
		}
		taken += len(batch)
		if taken%500_000 < len(batch) && taken >= 500_000 {
			progress(taken)
		}
		batch = batch[:0]
		return nil
	}
	for first := true; ; first = false {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return taken, refused, flush()
		}
		line := 0
		if len(rec) > 0 {
			line, _ = r.FieldPos(0)
		}
		var bad *csv.ParseError
		if errors.As(err, &bad) {
			refused++
			refuse(bad.Line, bad.Err)
			continue
		} else if err != nil {
			return taken, refused, fmt.Errorf("read line %d: %w", line, err)
		}
		if first && len(rec) > 0 && rec[0] == csvHeader[0] {
			continue
		}
		s, err := parseSample(rec)
		if err != nil {
			refused++
			refuse(line, err)
			continue
		}
		if batch = append(batch, s); len(batch) == 20_000 {
			if err := flush(); err != nil {
				return taken, refused, err
			}
		}
	}
}

func parseSample(rec []string) (district.Sample, error) {
	var s district.Sample
	if len(rec) < 3 || len(rec) > 4 {
		return s, fmt.Errorf("%d columns, want series,time,value,quality", len(rec))
	}
	s.Series, s.Source = district.SeriesID(strings.TrimSpace(rec[0])), district.FromImport
	if _, _, _, _, ok := s.Series.Parts(); !ok {
		return s, fmt.Errorf("series %q is not district/site/device/quantity", rec[0])
	}
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(rec[1]))
	if err != nil {
		return s, fmt.Errorf("time %q is no RFC 3339 instant", rec[1])
	}
	s.Time = t.UTC()
	if s.Value, err = strconv.ParseFloat(strings.TrimSpace(rec[2]), 64); err != nil || math.IsNaN(s.Value) || math.IsInf(s.Value, 0) {
		return s, fmt.Errorf("value %q is no finite number", rec[2])
	}
	if len(rec) == 4 && rec[3] != "" {
		if s.Quality, err = district.ParseQuality(strings.TrimSpace(rec[3])); err != nil {
			return s, err
		}
	}
	return s, nil
}

func runExport(ctx context.Context, c *call) error {
	file := c.flags.String("c", "", "the configuration, a `file`")
	from := c.flags.String("from", "", "first local `day`, YYYY-MM-DD")
	to := c.flags.String("to", "", "local `day` before which to stop, YYYY-MM-DD")
	what := c.flags.String("what", "samples", "`kind`: samples or balances")
	prefix := c.flags.String("series", "", "`begin` of the series' names, such as fontaine/ecole: all when not given")
	out := c.flags.String("out", "-", "`file` to write")
	if err := c.parse(0); err != nil {
		return err
	}
	if err := c.need("from", "to"); err != nil {
		return err
	}
	cfg, err := loadConfig(c, *file)
	if err != nil {
		return err
	}
	zone := cfg.Districts[0].Zone
	a, err1 := timegrid.ParseDay(*from, zone)
	b, err2 := timegrid.ParseDay(*to, zone)
	if err := errors.Join(err1, err2); err != nil {
		return badInput{fmt.Errorf("quartier export: %w", err)}
	}
	if !b.Start.After(a.Start) {
		return badInput{fmt.Errorf("quartier export: --to %s is not after --from %s", *to, *from)}
	}
	if *what != "samples" && *what != "balances" {
		return badInput{fmt.Errorf("quartier export: --what %q is neither samples nor balances", *what)}
	}
	st, err := app.OpenStore(ctx, cfg, nil, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	sp := timegrid.NewSpan(a.Start, b.Start)
	n := 0
	err = writeOutput(c, *out, func(w io.Writer) error {
		cw := csv.NewWriter(w)
		var err error
		if *what == "samples" {
			n, err = exportSamples(ctx, cw, st, *prefix, sp)
		} else {
			for i := range cfg.Districts {
				m, e := exportBalances(ctx, cw, st, cfg.Districts[i].ID, sp, i == 0)
				n, err = n+m, errors.Join(err, e)
			}
		}
		cw.Flush()
		return errors.Join(err, cw.Error())
	})
	if err := errors.Join(err, st.Close()); err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "%d rows\n", n)
	return nil
}

func exportSamples(ctx context.Context, w *csv.Writer, st store.Samples, prefix string, sp timegrid.Span) (n int, err error) {
	if err := w.Write(csvHeader); err != nil {
		return 0, err
	}
	ids, err := st.Series(ctx, prefix)
	if err != nil {
		return 0, err
	}
	err = st.Read(ctx, ids, sp, func(s district.Sample) error {
		n++
		return w.Write([]string{string(s.Series), s.Time.UTC().Format(time.RFC3339Nano), strconv.FormatFloat(s.Value, 'g', -1, 64), s.Quality.String()})
	})
	return n, err
}

func exportBalances(ctx context.Context, w *csv.Writer, st store.Balances, districtID string, sp timegrid.Span, header bool) (int, error) {
	if header {
		if err := w.Write([]string{"district", "site", "start", "step_minutes", "import_wh", "export_wh", "production_wh", "charge_wh", "discharge_wh", "heat_wh", "cars_wh", "other_wh", "residual_wh",
			"shared_wh", "cost_eur", "carbon_kg", "baseline_cost_eur", "baseline_carbon_kg", "coverage", "substituted"}); err != nil {
			return 0, err
		}
	}
	rows, err := st.Balances(ctx, districtID, "", sp)
	if err != nil {
		return 0, err
	}
	f := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for _, r := range rows {
		i := func(v int64) string { return strconv.FormatInt(v, 10) }
		if err := w.Write([]string{r.District, r.Site, r.Start.Format(time.RFC3339), f(r.Step.Minutes()), i(int64(r.ImportWh)), i(int64(r.ExportWh)), i(int64(r.ProductionWh)), i(int64(r.ChargeWh)),
			i(int64(r.DischargeWh)), i(int64(r.HeatWh)), i(int64(r.CarsWh)), i(int64(r.OtherWh)), i(int64(r.ResidualWh)), i(int64(r.SharedWh)), f(r.CostEUR), f(r.CarbonKg), f(r.BaselineCostEUR),
			f(r.BaselineCarbonKg), f(r.Coverage), strconv.FormatBool(r.Substituted)}); err != nil {
			return 0, err
		}
	}
	return len(rows), nil
}

// appender is the part of the record that an import needs.
type appender interface {
	Append(ctx context.Context, samples []district.Sample) error
}
