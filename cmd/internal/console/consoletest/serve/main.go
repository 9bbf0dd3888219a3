// Command serve shows the console on invented districts, for work on the web application: it answers at -listen until it is interrupted.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"quartier/cmd/internal/console"
	"quartier/cmd/internal/console/consoletest"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	listen := flag.String("listen", "127.0.0.1:8099", "address to answer at")
	at := flag.String("at", "", "time of the districts, RFC 3339; now when empty")
	days := flag.Int("days", 120, "days of history")
	loading := flag.Bool("loading", false, "show that history is being loaded")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	now := time.Now()
	if *at != "" {
		t, err := time.Parse(time.RFC3339, *at)
		if err != nil {
			return err
		}
		now = t
	}
	w, err := consoletest.New(ctx, now, *days)
	if err != nil {
		return err
	}
	w.Loading = *loading
	deps := w.Deps()
	deps.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	s, err := console.New(deps)
	if err != nil {
		return err
	}
	go func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				w.Advance(time.Second)
			}
		}
	}()
	srv := &http.Server{Addr: *listen, Handler: s.Handler(), ReadHeaderTimeout: 5 * time.Second}
	go func() {
		<-ctx.Done()
		s.Close()
		end, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		_ = srv.Shutdown(end) // the process ends anyway
	}()
	for _, u := range w.Users {
		fmt.Printf("%s / %s (%s)\n", u.Name, u.Password, u.Role)
	}
	if err := srv.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
