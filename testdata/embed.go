// Package testdata carries the recorded traces and the demonstration districts in the binary. The folders are data; this is the one Go file here.
package testdata

import (
	"embed"
	"io/fs"
)

//go:embed traces
var traces embed.FS

//go:embed districts/*.yaml
var districts embed.FS

// Traces returns the recorded traces with their README; traces/README.md names the source and licence of each.
func Traces() fs.FS { return sub(traces, "traces") }

// Districts returns the demonstration districts: demo.yaml with demo.sim.yaml, small.yaml with small.sim.yaml.
func Districts() fs.FS { return sub(districts, "districts") }

func sub(f embed.FS, dir string) fs.FS {
	s, err := fs.Sub(f, dir)
	if err != nil {
		panic("testdata: " + err.Error()) // only for a name that is no path
	}
	return s
}
