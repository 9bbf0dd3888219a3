package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"quartier/cmd/internal/app"
	"quartier/cmd/internal/config"
)

func runCommand() *command {
	return &command{name: "run", does: "Run the service for the districts of a configuration.",
		usage: `run -c district.yaml [options]

Reads, plans, commands and records the districts of the file until it is stopped; devices get
their own control back as it stops. A console that is reached from beyond this machine needs a
certificate and an administrator, see 'quartier user'.`,
		run: runRun}
}

func runRun(ctx context.Context, c *call) error {
	file := c.flags.String("c", "", "the configuration, a `file`")
	listen := c.flags.String("listen", "", "`address` of the console in place of the configuration's")
	level := logFlag(c)
	level.Set(slog.LevelInfo)
	if err := c.parse(0); err != nil {
		return err
	}
	cfg, err := loadConfig(c, *file)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: level}))
	a, err := app.New(ctx, cfg, app.Options{Log: log, Version: version, Listen: *listen})
	if err != nil {
		return err
	}
	log.Info("console", "address", a.Address())
	if err := a.Run(ctx); err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// loadConfig reads and checks the configuration of -c; its faults are bad input, one line each.
func loadConfig(c *call, file string) (*config.Config, error) {
	if file == "" {
		return nil, badInput{fmt.Errorf("quartier %s: -c is required: the configuration file", c.cmd.name)}
	}
	cfg, err := config.Load(file, app.ConfigOptions())
	if err != nil {
		return nil, badInput{err}
	}
	return cfg, nil
}
