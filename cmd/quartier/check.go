package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/config"
	"quartier/drivers"
	"quartier/schemas/district"
	"quartier/schemas/store/timescale"
)

func checkCommand() *command {
	return &command{name: "check", does: "Check a configuration: every fault with line and column.",
		usage: `check -c district.yaml [--probe]

Prints what was understood, or every fault at once (exit 2). With --probe every device is asked
once; one that does not answer, or not to every question, makes exit 1.`,
		run: runCheck}
}

func runCheck(ctx context.Context, c *call) error {
	file := c.flags.String("c", "", "the configuration, a `file`")
	probe := c.flags.Bool("probe", false, "ask every device once")
	if err := c.parse(0); err != nil {
		return err
	}
	cfg, err := loadConfig(c, *file)
	if err != nil {
		return err
	}
	if err := cfg.Summary(c.stdout); err != nil {
		return err
	}
	describeDatabase(ctx, c, cfg)
	if err := app.CheckCertificates(cfg.Districts, time.Now()); err != nil {
		return badInput{err}
	}
	if err := warnOfCertificates(c, cfg, time.Now()); err != nil {
		return badInput{err}
	}
	if *probe {
		return probeDevices(ctx, c, cfg)
	}
	return nil
}

// warnOfCertificates notes the certificates of ours that end soon. The error is of those that cannot be read.
func warnOfCertificates(c *call, cfg *config.Config, now time.Time) error {
	all, err := app.OwnCertificates(cfg)
	for _, one := range all {
		if w := one.Warning(now); w != "" {
			fmt.Fprintln(c.stderr, "warning: "+w)
		}
	}
	return err
}

// databaseTime is how long the database may take to say what it is.
const databaseTime = 10 * time.Second

// describeDatabase says which database was found and what that means. One that does not answer is no fault of the configuration: it may be away for days.
func describeDatabase(ctx context.Context, c *call, cfg *config.Config) {
	url, err := cfg.DatabaseURL()
	if err == nil && url == "" {
		return
	}
	var server timescale.Server
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, databaseTime)
		defer cancel()
		server, err = timescale.Inspect(ctx, url)
	}
	if err != nil {
		fmt.Fprintf(c.stdout, "\nDATABASE  does not answer: %v\n          Measurements wait in %s until it does.\n", err, cfg.File.DataDir)
		return
	}
	fmt.Fprintf(c.stdout, "\nDATABASE  %s:\n          %s.\n", server, server.Meaning())
}

// probeTime is how long one device may take to answer.
const probeTime = 10 * time.Second

// probeDevices reads every device once, all at the same time.
func probeDevices(ctx context.Context, c *call, cfg *config.Config) error {
	devices, err := app.Connect(cfg, app.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer devices.Close()
	lines := make([]string, devices.Count())
	ok := make([]bool, devices.Count())
	var wg sync.WaitGroup
	i := 0
	for at, drv := range devices.All {
		k := i
		wg.Go(func() { lines[k], ok[k] = probe(ctx, at, drv) })
		i++
	}
	wg.Wait()
	w := tabwriter.NewWriter(c.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nPROBE\tSTATE\tANSWERED IN\tVALUES\tFAULT")
	failed := 0
	for k, l := range lines {
		fmt.Fprintln(w, l)
		if !ok[k] {
			failed++
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d devices fail", failed, len(lines))
	}
	return nil
}

// probe reads one device and returns its line of the table. A value that the device does not have is no fault, a device without a single good value is one.
func probe(ctx context.Context, at string, drv drivers.Driver) (line string, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	start := time.Now()
	got, err := drv.Read(ctx)
	took := time.Since(start).Round(time.Millisecond)
	good, readable := 0, 0
	for _, p := range drv.Points() {
		if p.Readable {
			readable++
		}
	}
	for _, r := range got {
		if r.Quality == district.Good {
			good++
		}
	}
	state, fault := "online", "-"
	switch {
	case good == 0 && err == nil:
		state, fault = "FAILS", "answers, but without a good value"
	case good == 0:
		state = "FAILS"
	case err != nil:
		state = "in part"
	}
	if err != nil {
		fault = strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	return fmt.Sprintf("%s\t%s\t%v\t%d of %d\t%s", at, state, took, good, readable, fault), err == nil && good > 0
}
