package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"

	"quartier/cmd/internal/face"
)

// faceCommand is the OPC UA server for building systems, in a process of its own: `run` and `demo` start it and feed it by its standard input.
func faceCommand() *command {
	return &command{name: face.Subcommand, hidden: true, does: "Serve OPC UA for building systems; started by run and demo.", usage: face.Subcommand,
		run: func(ctx context.Context, c *call) error {
			if err := c.parse(0); err != nil {
				return err
			}
			// Ctrl-C reaches every process of a terminal: the parent gives devices back first, and ends this one by its input
			return face.RunChild(context.WithoutCancel(ctx), c.stdin, c.stdout)
		}}
}

func pointsCommand() *command {
	return &command{name: "points", does: "List what building systems can read and ask for: registers and nodes.", usage: "points -c district.yaml [--format table|csv|xlsx] [--out FILE]", run: func(_ context.Context, c *call) error {
		file := c.flags.String("c", "", "the configuration, a `file`")
		format := c.flags.String("format", "table", "`table`, csv or xlsx")
		out := c.flags.String("out", "-", "`file` to write, whole or not at all")
		if err := c.parse(0); err != nil {
			return err
		}
		write := map[string]func(io.Writer, []face.Point) error{"table": face.WriteTable, "csv": face.WriteCSV, "xlsx": face.WriteXLSX}[*format]
		if write == nil {
			return badInput{fmt.Errorf("quartier points: --format %q is none of table, csv and xlsx", *format)}
		}
		cfg, err := loadConfig(c, *file)
		if err != nil {
			return err
		}
		// the places of the running service, where there is one; nothing is written there
		slots, err := face.LoadSlots(filepath.Join(cfg.File.DataDir, face.SlotsFile))
		if err != nil {
			return err
		}
		points := face.NewModel(cfg.Districts, slots).Points()
		return writeOutput(c, *out, func(w io.Writer) error { return write(w, points) })
	}}
}
