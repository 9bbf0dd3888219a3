package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
)

// version is set at build time with -ldflags "-X main.version=…".
var version = "dev"

func versionCommand() *command {
	return &command{name: "version", does: "Print the version.", usage: "version", run: func(_ context.Context, c *call) error {
		if err := c.parse(0); err != nil {
			return err
		}
		commit := ""
		if info, ok := debug.ReadBuildInfo(); ok {
			for _, s := range info.Settings {
				if s.Key == "vcs.revision" && len(s.Value) >= 12 {
					commit = " commit " + s.Value[:12]
				}
			}
		}
		fmt.Fprintf(c.stdout, "quartier %s%s %s %s/%s\n", version, commit, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return nil
	}}
}
