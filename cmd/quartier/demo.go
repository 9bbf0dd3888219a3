package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	"quartier/cmd/internal/app"
)

func demoCommand() *command {
	return &command{name: "demo", does: "Run the whole system on simulated districts of recorded data; nothing to configure.",
		usage: `demo [options]

Puts simulated devices behind real Modbus TCP and OPC UA servers on loopback ports, runs the
whole system on them, and prints the address of the console and how to sign in.`,
		run: runDemo}
}

func runDemo(ctx context.Context, c *call) error {
	opt := app.DemoOptions{Name: "demo", Out: c.stdout, Version: version}
	c.flags.StringVar(&opt.Listen, "listen", "127.0.0.1:8080", "`address` of the console, on loopback")
	c.flags.StringVar(&opt.DataDir, "data", "", "`folder` of the record, kept; a new one that is removed at the end when not given")
	c.flags.Float64Var(&opt.Speed, "speed", 1, "how many `times` faster than real the districts' clock runs: 60 makes a day of 24 minutes")
	c.flags.IntVar(&opt.Months, "history", 13, "`months` of recorded history to load in the background")
	start := c.flags.String("start", "", "first `instant` of the districts' clock, RFC 3339: now when not given")
	c.flags.StringVar(&opt.Name, "district", "demo", "`name` of the demonstration: demo (two districts) or small (one house)")
	level := logFlag(c)
	if err := c.parse(0); err != nil {
		return err
	}
	if !(opt.Speed >= 1 && opt.Speed <= 900) {
		return badInput{fmt.Errorf("quartier demo: --speed %v is outside 1 to 900", opt.Speed)}
	}
	if opt.Months < 0 || opt.Months > 36 {
		return badInput{fmt.Errorf("quartier demo: --history %d is outside 0 to 36 months", opt.Months)}
	}
	if *start != "" {
		t, err := time.Parse(time.RFC3339, *start)
		if err != nil {
			return badInput{fmt.Errorf("quartier demo: --start %q is no instant such as 2026-01-15T08:00:00+01:00", *start)}
		}
		opt.Start = t
	}
	if opt.Name != "demo" && opt.Name != "small" {
		return badInput{fmt.Errorf("quartier demo: --district %q is neither demo nor small", opt.Name)}
	}
	if host, _, err := net.SplitHostPort(opt.Listen); err != nil {
		return badInput{fmt.Errorf("quartier demo: --listen %q is no host:port such as 127.0.0.1:8080", opt.Listen)}
	} else if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return badInput{fmt.Errorf("quartier demo: --listen %s is reached from beyond this machine, and the demonstration's passwords are known to all: use 127.0.0.1 or localhost", opt.Listen)}
	}
	opt.Log = slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: level}))
	err := app.Demo(ctx, opt)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: --listen 127.0.0.1:0 takes a free port", err)
	}
	if err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	fmt.Fprintln(c.stdout, "Stopped.")
	return nil
}

// logFlag adds --log; the level holds once the flags are read.
func logFlag(c *call) *slog.LevelVar {
	level := new(slog.LevelVar)
	level.Set(slog.LevelWarn)
	c.flags.TextVar(level, "log", level, "`level` of the log on standard error: debug, info, warn or error")
	return level
}
