package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"quartier/scheduler/backtest"
)

func backtestCommand() *command {
	return &command{name: "backtest", does: "Run the control over recorded data without looking ahead, against none, rules and perfect foresight.",
		usage: `backtest --citylearn DIR | --traces DIR  [--out FILE] [--html FILE] [options]

Behind one meter, stores empty at first and worth nothing at the end: no control, self-consumption first,
Quartier's control, and perfect foresight. Prints a table; --out writes the whole result as JSON, --html as a
page with plots. "captured" is the share of perfect foresight's saving that Quartier's control made.
--citylearn takes a data set folder of CityLearn (2022 and later), --traces one of our own form: sites.csv and
prices.csv, with stores.csv (batteries), tanks.csv (hot water), rooms.csv (heat pumps and what they heat, under
weather.csv and comfort.csv) and sessions.csv (cars), each where there is one. What people lack counts beside
the cost there. See 'go doc quartier/scheduler/backtest Traces' for the columns.
The steps before --from-step are the past that the forecasts begin with.`,
		run: runBacktest}
}

func runBacktest(ctx context.Context, c *call) error {
	cityLearn := c.flags.String("citylearn", "", "a data set `folder` of CityLearn")
	traces := c.flags.String("traces", "", "a `folder` of our own form")
	out := c.flags.String("out", "", "where the result goes as JSON, a `file`")
	page := c.flags.String("html", "", "where the result goes as a page with plots, a `file`")
	language := c.flags.String("language", "en", "`language` of the page, en or fr")
	c.flags.StringVar(language, "lang", "en", "the same as --language, a `language`")
	set := backtest.Settings{}
	c.flags.Float64Var(&set.CarbonPrice, "carbon-price", 0.1, "`price` per kg CO2e of what is drawn")
	c.flags.Float64Var(&set.ExportPrice, "export-price", 0.05, "`price` per kWh given")
	c.flags.Float64Var(&set.Wear, "wear", 0.005, "`cost` per kWh charged or discharged")
	c.flags.Float64Var(&set.ImportLimitKW, "import-limit", 0, "most `kW` that may be drawn, which control keeps and no control does not; 0: no limit")
	c.flags.IntVar(&set.FromStep, "from-step", 0, "the first `step` that counts")
	c.flags.IntVar(&set.Steps, "steps", 0, "how `many` steps count; 0: to the end of the data")
	c.flags.DurationVar(&set.Horizon, "horizon", 36*time.Hour, "`time` that a plan looks ahead")
	c.flags.DurationVar(&set.Replan, "replan", time.Hour, "`time` between two plans")
	c.flags.DurationVar(&set.TariffKnown, "tariff-known", 0, "how far ahead the import tariff is published, a `time` such as 24h; 0: it is forecast from the past")
	c.flags.BoolVar(&set.Deaf, "ignore-published", false, "hear nothing of what the data set publishes ahead (tariff, weather)")
	c.flags.IntVar(&set.Workers, "workers", 0, "how many `cores` to use: all when not given")
	if err := c.parse(0); err != nil {
		return err
	}
	bad := func(err error) error { return badInput{fmt.Errorf("quartier backtest: %w", err)} }
	if (*cityLearn == "") == (*traces == "") {
		return bad(fmt.Errorf("give either --citylearn or --traces"))
	}
	if !slices.Contains(backtest.Languages(), *language) {
		return bad(fmt.Errorf("--language %q is none of %s", *language, strings.Join(backtest.Languages(), ", ")))
	}
	dir, read := *cityLearn, backtest.CityLearn
	if dir == "" {
		dir, read = *traces, backtest.Traces
	}
	data, err := read(os.DirFS(dir), filepath.Base(filepath.Clean(dir)))
	if err != nil {
		return bad(fmt.Errorf("data of %s: %w", dir, err))
	}
	if set, err = set.Complete(data); err != nil {
		return bad(err)
	}
	for _, file := range []string{*out, *page} { // a long run is not lost for a place that is not there
		if folder := filepath.Dir(file); file != "" && file != "-" {
			if at, err := os.Stat(folder); err != nil || !at.IsDir() {
				return bad(fmt.Errorf("there is no folder %s for %s", folder, filepath.Base(file)))
			}
		}
	}
	if f, ok := c.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		defer fmt.Fprint(f, "\r\x1b[K")
		set.Progress = progress(f)
	}
	r, err := backtest.Backtest(ctx, data, set)
	if err != nil {
		return err
	}
	if *out != "" {
		if err := writeOutput(c, *out, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", " ")
			return e.Encode(r)
		}); err != nil {
			return err
		}
	}
	if *page != "" {
		if err := writeOutput(c, *page, func(w io.Writer) error { return r.WritePage(w, *language) }); err != nil {
			return err
		}
	}
	if *out == "-" || *page == "-" {
		return nil
	}
	return r.Write(c.stdout)
}

// progress writes how far a run is on one line of a terminal, whole percents as they come.
func progress(w io.Writer) func(run string, share float64) {
	last := ""
	return func(run string, share float64) {
		if line := fmt.Sprintf("%-8s %3.0f %%", run, math.Floor(100*share)); line != last {
			fmt.Fprint(w, "\r\x1b[K"+line)
			last = line
		}
	}
}
