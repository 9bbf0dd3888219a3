package opcua_test

import (
	"io"
	"log"
	"os"
	"testing"
)

// TestMain silences the library's server, which logs its start to the standard logger.
func TestMain(m *testing.M) {
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}
