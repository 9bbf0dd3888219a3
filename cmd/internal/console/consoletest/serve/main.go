// Command serve shows the invented world of the console's tests on a loopback port, for whoever works on the console: it is there at once, and everything that a plan can hold is in it.
//
//	go run ./cmd/internal/console/consoletest/serve           beside npm run dev
//	go run -tags web ./cmd/internal/console/consoletest/serve with the pages that were built
//
// The accounts are those of the demonstration. Its clock begins at noon of a winter's day and runs as fast as ours; nothing is kept.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"time"

	"quartier/cmd/internal/console"
	"quartier/cmd/internal/console/consoletest"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8099", "`address` of the console")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *listen); err != nil {
		fmt.Fprintln(os.Stderr, "serve:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, listen string) error {
	w, err := consoletest.New(ctx, time.Date(2026, 1, 14, 11, 7, 0, 0, time.UTC), 3)
	if err != nil {
		return err
	}
	s, err := console.New(w.Deps())
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Printf("console on http://%s\n", l.Addr())
	srv := &http.Server{Handler: s.Handler(), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		second := time.NewTicker(time.Second)
		defer second.Stop()
		for {
			select {
			case <-second.C:
				w.Advance(time.Second)
			case <-ctx.Done():
				s.Close()
				srv.Close()
				return
			}
		}
	}()
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
