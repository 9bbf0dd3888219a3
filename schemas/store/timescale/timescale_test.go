package timescale

import (
	"testing"

	"quartier/schemas/store"
	"quartier/schemas/store/storetest"
)

func openAt(t testing.TB, url string) *Store {
	t.Helper()
	s, err := Open(t.Context(), url, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// TestStore: the store keeps its contract.
func TestStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T) store.Store { return openAt(t, storetest.Database(t)) })
}
