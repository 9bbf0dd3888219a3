package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"text/tabwriter"
	"time"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/config"
)

func checkCommand() *command {
	return &command{name: "check", does: "Check a configuration: every fault with line and column.",
		usage: `check -c district.yaml [--probe]

Prints what was understood, or every fault at once (exit 2). With --probe every device is asked
once; one that does not answer makes exit 1.`,
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
	if *probe {
		return probeDevices(ctx, c, cfg)
	}
	return nil
}

// probeDevices reads every device once, all at the same time.
func probeDevices(ctx context.Context, c *call, cfg *config.Config) error {
	devices, err := app.Connect(cfg.Districts, app.Options{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer devices.Close()
	lines := make([]string, devices.Count())
	silent := 0
	var mu sync.Mutex
	var wg sync.WaitGroup
	i := 0
	for at, drv := range devices.All {
		k := i
		i++
		wg.Add(1)
		go func() {
			defer wg.Done()
			one, cancel := context.WithTimeout(ctx, 10*time.Second)
			defer cancel()
			start := time.Now()
			got, err := drv.Read(one)
			took := time.Since(start).Round(time.Millisecond)
			lines[k] = fmt.Sprintf("%s\tanswers\t%d values in %v", at, len(got), took)
			if err != nil {
				lines[k] = fmt.Sprintf("%s\tFAILS\t%v", at, err)
				mu.Lock()
				silent++
				mu.Unlock()
			}
		}()
	}
	wg.Wait()
	w := tabwriter.NewWriter(c.stdout, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nDevice\tState\tDetail")
	for _, l := range lines {
		fmt.Fprintln(w, l)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if silent > 0 {
		return fmt.Errorf("%d of %d devices fail", silent, len(lines))
	}
	return nil
}
