package main

import (
	"context"
	"fmt"

	"quartier/cmd/internal/config"
	"quartier/drivers/profile"
)

func schemaCommand() *command {
	return &command{name: "schema", does: "Print the JSON Schema of district.yaml or of a device profile, for editors.", usage: "schema [district|profile]", run: func(_ context.Context, c *call) error {
		if err := c.parse(1); err != nil {
			return err
		}
		schema := config.Schema
		switch {
		case len(c.args) == 0 || c.args[0] == "district":
		case c.args[0] == "profile":
			schema = profile.Schema
		default:
			return badInput{fmt.Errorf("quartier schema: no schema of %q: district or profile", c.args[0])}
		}
		text, err := schema()
		if err != nil {
			return err
		}
		_, err = c.stdout.Write(text)
		return err
	}}
}
