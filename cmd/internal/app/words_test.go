package app

import (
	"os"
	"strings"
	"testing"

	"quartier/drivers"
)

// TestFaultsHaveWords: every error of a driver that somebody branches on is known to the console, which says it in the reader's language.
func TestFaultsHaveWords(t *testing.T) {
	words, err := os.ReadFile("../console/web/src/lib/i18n/faults.ts")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []error{drivers.ErrUnknownPoint, drivers.ErrReadOnly, drivers.ErrRejected, drivers.ErrGarbage, drivers.ErrReadBack, drivers.ErrStale, drivers.ErrUnreachable} {
		if !strings.Contains(string(words), "['"+e.Error()+"', '") {
			t.Errorf("the console has no words for %q", e)
		}
	}
	if text := (&drivers.LimitError{Point: "charge_kw", Value: 80, Min: -50, Max: 50, Unit: "kW"}).Error(); !strings.Contains(text, " outside [-50, 50]") {
		t.Errorf("a limit is said as %q, which the console does not know", text)
	}
}
