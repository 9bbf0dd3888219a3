package main

import (
	"context"
	"fmt"
	"text/tabwriter"

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
	return &command{name: "points", does: "List what building systems can read: registers and nodes.", usage: "points -c district.yaml", run: func(_ context.Context, c *call) error {
		file := c.flags.String("c", "", "the configuration, a `file`")
		if err := c.parse(0); err != nil {
			return err
		}
		cfg, err := loadConfig(c, *file)
		if err != nil {
			return err
		}
		m, err := face.NewModel(cfg.Districts)
		if err != nil {
			return err
		}
		w := tabwriter.NewWriter(c.stdout, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "Name\tUnit\tModbus unit\tRegister\tType\tOPC UA node\tMeaning")
		for _, p := range m.Points() {
			fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%s\t%s\t%s\n", p.Name, p.Unit, p.UnitID, p.Register, p.Type, p.NodeID, p.Description)
		}
		return w.Flush()
	}}
}
