package app

import (
	"context"
	"fmt"
	"os"
	"testing"

	"quartier/cmd/internal/face"
)

// TestMain lets the test binary be the OPC UA process of the building systems' face, as quartier itself is: a demonstration starts its own program for it.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == face.Subcommand {
		if err := face.RunChild(context.Background(), os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}
