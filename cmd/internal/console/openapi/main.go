// Command openapi writes the OpenAPI document of the console's API to standard output. The build of the web application makes its types from it.
package main

import (
	"fmt"
	"os"

	"quartier/cmd/internal/console"
	"quartier/schemas/store"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	// The document depends on the types alone; nothing of the store is called.
	s, err := console.New(console.Deps{Store: struct{ store.Store }{}, Live: struct{ console.Live }{}, Version: "0"})
	if err != nil {
		return err
	}
	doc, err := s.OpenAPI()
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(doc)
	return err
}
