package main

import (
	"context"

	"quartier/cmd/internal/config"
)

func schemaCommand() *command {
	return &command{name: "schema", does: "Print the JSON Schema of district.yaml, for editors.", usage: "schema", run: func(_ context.Context, c *call) error {
		if err := c.parse(0); err != nil {
			return err
		}
		text, err := config.Schema()
		if err != nil {
			return err
		}
		_, err = c.stdout.Write(text)
		return err
	}}
}
